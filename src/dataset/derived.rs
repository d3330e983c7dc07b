//! What `aosx calc` computes: named lazy arrays, and the schema and copies that they become.

use super::{
    Computation, Dataset, Grouping, LeftOut, Text, TextFrom, Wanted, Why,
    grouped::{GroupCoordinates, is_beside},
    grouping::{self, Key, TimeCells},
    meeting::{Labels, Meeting},
    merged, output,
    reduced::dimension,
    scope,
};
use crate::{
    array::{Index, LazyArray},
    attrs::{Attrs, Value},
    cf::{
        decoding,
        names::{self as called, Conventions},
        references,
    },
    dtype::DType,
    error::{Error, Result},
    kernels::fold::Op,
    shape::Shape,
    source::{Dimension, Group, Storage, StoredType, VarMeta},
};
use std::{collections::BTreeSet, sync::Arc};

/// A variable of one of several inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Which input.
    pub input: usize,
    /// The variable's path in it.
    pub path: String,
}

/// What was taken of a dimension, so that its coordinates are taken likewise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A slice, or one position.
    Part(Index),
    /// These positions.
    Positions(Vec<i64>),
    /// Something that its coordinates cannot follow, as a sort.
    Other,
}

/// An output computed from variables of inputs.
#[derive(Clone)]
pub struct Derived {
    /// Its name in the output.
    pub name: String,
    /// Its values; dimensions without names get some.
    pub array: LazyArray,
    /// Its attributes.
    pub attrs: Attrs,
    /// The variables that its values come from, whose coordinates it takes along.
    pub from: Vec<Used>,
    /// What was taken of the inputs' dimensions, in order.
    pub taken: Vec<(String, Taken)>,
    /// The groups that some of its dimensions are of.
    pub groups: Vec<OfGroups>,
}

/// Groups that dimensions of an output are of.
#[derive(Clone)]
pub struct OfGroups {
    /// The input that they are made of.
    pub input: usize,
    /// The groups; a dimension for each of its keys.
    pub grouping: Arc<Grouping>,
}

impl Derived {
    /// The labels of a dimension that is of groups, where all of them are there.
    fn key(&self, dim: &str, len: u64) -> Option<&Key> {
        let taken: Vec<&Taken> = of_dim(&self.taken, dim).collect();
        let of = |g: &&OfGroups| {
            // Bins of time have the name of what they cut, whose coordinate is not theirs.
            let own: &[&Taken] = if g.grouping.dims.iter().any(|d| d == dim) { &[&Taken::Other] } else { &[] };
            taken == own
        };
        let keys = self.groups.iter().filter(of).flat_map(|g| &g.grouping.keys);
        keys.into_iter().find(|key| key.name == dim && key.labels.len() as u64 == len)
    }
}

impl Computation {
    /// What named arrays mean as an output file. Coordinates, bounds and grid mappings of the variables that they come
    /// from are copied where all of their dimensions are still there; global attributes are the first input's.
    ///
    /// Where inputs have coordinates of dimensions of one name, those of the first that is used are taken; others that say
    /// something else, as heights, get names of their own, and a value of two places has neither of them.
    ///
    /// # Errors
    /// When there is no output, or two have one name.
    pub fn derived(inputs: &[Dataset], outputs: &[Derived]) -> Result<Computation> {
        let attrs = inputs.first().map(|d| d.root().attrs.clone()).unwrap_or_default();
        let done = Computation::new(Group { attrs, ..Group::default() });
        let results: BTreeSet<&str> = outputs.iter().map(|o| o.name.as_str()).collect();
        if results.len() < outputs.len() || outputs.is_empty() {
            return Err(Error::usage("outputs need names of their own, and there is at least one"));
        }
        let links = vec![Vec::new(); outputs.len()];
        let (dims, carried, times) = (Vec::new(), Vec::new(), Vec::new());
        let mut builder = Builder { inputs, results, dims, carried, times, links, done };
        for output in outputs {
            builder.result(output).map_err(|e| e.in_variable(&output.name))?;
        }
        for (n, output) in outputs.iter().enumerate() {
            builder.carry_along(n, output)?;
        }
        builder.link(outputs);
        // What has a dimension of its own comes before the times beside groups, which are called otherwise where it has their name.
        for output in outputs {
            builder.name_groups(output)?;
        }
        for output in outputs {
            builder.name_times(output)?;
        }
        Ok(builder.done)
    }
}

/// The names of an array's dimensions: its own, or made up.
fn names(array: &LazyArray) -> Vec<String> {
    array.dims().map_or_else(|| (0..array.ndim()).map(|k| format!("dim_{k}")).collect(), <[String]>::to_vec)
}

/// A dimension of the output: what it comes from, and what it is called.
struct Named {
    /// The name in the inputs.
    from: String,
    len: u64,
    /// What was taken of it.
    taken: Vec<Taken>,
    /// What its positions are called, where they are groups.
    labels: Option<grouping::Labels>,
    /// What its coordinate was in the inputs.
    coordinate: Option<Used>,
    to: String,
}

/// A variable that is copied.
struct Carried {
    used: Used,
    /// The parts that were taken of its dimensions.
    taken: Vec<(String, Taken)>,
    /// The path in the output.
    to: String,
}

struct Builder<'a> {
    inputs: &'a [Dataset],
    results: BTreeSet<&'a str>,
    dims: Vec<Named>,
    carried: Vec<Carried>,
    /// The times beside groups, the dimensions that these are, and what they are called.
    times: Vec<(TimeCells, Vec<String>, String)>,
    /// What describes each output, and what it is called there.
    links: Vec<Vec<(Used, String)>>,
    done: Computation,
}

/// What is larger is not compared.
const COMPARED_MAX: u64 = 1 << 22;

impl<'a> Builder<'a> {
    fn meta(&self, used: &Used) -> Result<&'a VarMeta> {
        self.inputs[used.input].variable(&used.path)
    }

    /// The dimension of the output for one of an array.
    fn dim(
        &mut self,
        from: &str,
        len: u64,
        taken: &[(String, Taken)],
        used: &[Used],
        labels: Option<&grouping::Labels>,
    ) -> Dimension {
        let taken: Vec<Taken> = of_dim(taken, from).cloned().collect();
        let unlimited = taken.is_empty() && used.iter().any(|u| self.is_unlimited(u, from, len));
        let coordinate = used.iter().find_map(|u| self.coordinate(u, from));
        let same = |d: &&Named| {
            d.from == from
                && d.len == len
                && d.taken == taken
                && d.labels.as_ref() == labels
                && self.agree(d.coordinate.as_ref(), coordinate.as_ref())
        };
        if let Some(known) = self.dims.iter().find(same) {
            return Dimension { name: known.to.clone(), len, unlimited };
        }
        let mut to = from.to_string();
        let mut n = 0;
        while self.dims.iter().any(|d| d.to == to) {
            n += 1;
            to = format!("{from}_{n}");
        }
        self.dims.push(Named {
            from: from.to_string(),
            len,
            taken,
            labels: labels.cloned(),
            coordinate,
            to: to.clone(),
        });
        Dimension { name: to, len, unlimited }
    }

    /// The coordinate of a variable's dimension.
    fn coordinate(&self, used: &Used, dim: &str) -> Option<Used> {
        let meta = self.meta(used).ok().filter(|meta| meta.dims.iter().any(|d| d == dim))?;
        let found = self.inputs[used.input].coordinate(meta.group(), dim)?;
        Some(Used { input: used.input, path: found.path.clone() })
    }

    /// Whether coordinates of one name say the same.
    fn agree(&self, a: Option<&Used>, b: Option<&Used>) -> bool {
        let (Some(a), Some(b)) = (a, b) else { return true };
        let [x, y] = [a, b].map(|used| &self.inputs[used.input]);
        a == b || a.path != b.path || self.meta(b).is_ok_and(|v| merged::same(x, y, v).is_ok())
    }

    fn is_unlimited(&self, used: &Used, dim: &str, len: u64) -> bool {
        let root = self.inputs[used.input].root();
        let Some(meta) = root.var(&used.path) else { return false };
        (0..meta.dims.len())
            .any(|k| meta.dims[k] == dim && meta.shape[k] == len && dimension(root, meta, k).1.unlimited)
    }

    fn dims_of(&mut self, array: &LazyArray, output: &Derived) -> Vec<Dimension> {
        let names = names(array);
        let all = names.iter().zip(array.shape().iter());
        all.map(|(dim, &len)| {
            let labels = output.key(dim, len).map(|key| &key.labels);
            self.dim(dim, len, &output.taken, &output.from, labels)
        })
        .collect()
    }

    /// Declares a variable, its dimensions in the root.
    fn declare(&mut self, meta: VarMeta, dims: Vec<Dimension>) {
        let dims: Vec<_> = dims.into_iter().map(|d| (Some(String::new()), d)).collect();
        output::insert(&mut self.done.schema, &Group::default(), meta, &dims);
    }

    fn result(&mut self, output: &Derived) -> Result<()> {
        let array = &output.array;
        let dims = self.dims_of(array, output);
        let storage = self.storage(output)?;
        let mut attrs = Attrs::new();
        match array.dtype() {
            DType::F32 => attrs.set("_FillValue", Value::F32(vec![f32::NAN])),
            DType::F64 => attrs.set("_FillValue", Value::F64(vec![f64::NAN])),
            DType::I64 if is_position(array) => attrs.set("_FillValue", Value::I64(vec![-1])),
            _ => {}
        }
        output.attrs.iter().for_each(|(name, value)| attrs.set(name, value.clone()));
        let mut from = output.from.iter().filter_map(|used| self.meta(used).ok());
        if !from.any(|meta| called::is_observations(&meta.attrs)) {
            Conventions::of(&self.done.schema.attrs).observed(&mut attrs);
        }
        // CF wants flags in the variable's own type.
        for name in ["flag_values", "flag_masks"] {
            if attrs.get(name).is_some_and(|v| v.dtype() != Some(array.dtype())) {
                attrs.remove(name);
                attrs.remove("flag_meanings");
            }
        }
        let meta = VarMeta {
            path: output.name.clone(),
            stored: StoredType::native(array.dtype()),
            shape: array.shape().clone(),
            dims: Vec::new(),
            dims_named: true,
            attrs,
            fill: None,
            storage,
        };
        self.declare(meta, dims);
        self.done.results.push(output.name.clone());
        if let Some(packed) = self.packed(output)? {
            self.done.packed.push((output.name.clone(), packed));
        }
        let (ones, stored) = (vec![false; array.ndim()], array.dtype());
        self.done.wanted.push(Wanted { path: output.name.clone(), array: array.clone(), ones, stored });
        Ok(())
    }

    /// How the first variable is packed that an output comes from and that is.
    fn packed(&self, output: &Derived) -> Result<Option<Attrs>> {
        for used in &output.from {
            let attrs = &self.meta(used)?.attrs;
            if decoding::is_packed(attrs) {
                return Ok(Some(attrs.clone()));
            }
        }
        Ok(None)
    }

    /// Chunks and filters of the largest variable that an output comes from and that has its dimensions; else those in
    /// which it is computed.
    fn storage(&self, output: &Derived) -> Result<Storage> {
        let (array, wanted) = (&output.array, names(&output.array));
        let mut best: Option<(u64, &Used, Vec<usize>)> = None;
        for used in &output.from {
            let meta = self.meta(used)?;
            let kept: Option<Vec<usize>> = wanted.iter().map(|d| meta.dims.iter().position(|m| m == d)).collect();
            let size = meta.shape.elements().unwrap_or(u64::MAX);
            if let Some(kept) = kept
                && best.as_ref().is_none_or(|(most, ..)| size > *most)
            {
                best = Some((size, used, kept));
            }
        }
        let Some((_, used, kept)) = best else {
            return Ok(Storage { chunk: Some(array.chunk().clone()), kind: "contiguous", ..Storage::default() });
        };
        let stored = self.inputs[used.input].array(&used.path)?;
        let mut storage = output::storage_for(self.meta(used)?, &stored, &kept, array.dtype());
        storage.chunk =
            storage.chunk.map(|c| c.iter().zip(array.shape().iter()).map(|(c, n)| (*c).min((*n).max(1))).collect());
        Ok(storage)
    }

    /// Copies the variables that describe those that an output comes from.
    fn carry_along(&mut self, n: usize, output: &Derived) -> Result<()> {
        let present = names(&output.array);
        for used in &output.from {
            let mut todo = vec![self.meta(used)?];
            let mut seen = BTreeSet::new();
            while let Some(v) = todo.pop() {
                let root = self.inputs[used.input].root();
                for next in scope::describing(root, v) {
                    if !seen.insert(&next.path) || !self.follows(next, output, &present) {
                        continue;
                    }
                    // What the output has of another input already holds.
                    let is_had = self.links[n].iter().any(|(link, _)| link.path == next.path);
                    if is_had || self.is_disputed(next, used.input, output) {
                        continue;
                    }
                    let next_used = Used { input: used.input, path: next.path.clone() };
                    let to = self
                        .carry(next, &next_used, output)
                        .map_err(|e| e.in_variable(&next.path).in_file(self.inputs[used.input].path()))?;
                    if let Some(to) = to {
                        self.links[n].push((next_used, to));
                        todo.push(next);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a variable still describes an output: whether each of its dimensions is there, or one place of it is.
    fn follows(&self, v: &VarMeta, output: &Derived, present: &[String]) -> bool {
        let mut inner_only = true;
        let fits = v.dims.iter().zip(v.shape.iter()).all(|(dim, len)| {
            let taken: Vec<&Taken> = of_dim(&output.taken, dim).collect();
            if taken.contains(&&Taken::Other) {
                return false;
            }
            if taken.iter().any(|t| matches!(t, Taken::Part(Index::At(_)))) {
                inner_only = false;
                return true;
            }
            match present.iter().position(|p| p == dim) {
                Some(k) => {
                    inner_only = false;
                    !taken.is_empty() || output.array.shape()[k] == *len
                }
                // The vertices of bounds are no dimension of data.
                None => !output.from.iter().any(|u| self.meta(u).is_ok_and(|m| m.dims.contains(dim))),
            }
        });
        fits && (v.dims.is_empty() || !inner_only)
    }

    /// Whether a coordinate of one place, as a height, says something else for another input that an output comes from.
    fn is_disputed(&self, v: &VarMeta, input: usize, output: &Derived) -> bool {
        v.dims.is_empty()
            && output.from.iter().any(|other| {
                let there = self.inputs[other.input].root().var(&v.path).filter(|_| other.input != input);
                there.is_some() && merged::same(&self.inputs[other.input], &self.inputs[input], v).is_err()
            })
    }

    /// What puts a variable's dimensions in the order of those that an output has, which are of the first input.
    fn turned(&self, v: &VarMeta, used: &Used, output: &Derived) -> Result<Vec<(String, Taken)>> {
        let mut out = Vec::new();
        for dim in &v.dims {
            let first = output.from.iter().find_map(|u| self.coordinate(u, dim));
            let Some(first) = first.filter(|first| first.input != used.input) else { continue };
            let Some(own) = self.inputs[used.input].coordinate(v.group(), dim) else { continue };
            let had = self.meta(&first)?;
            if had.shape != own.shape {
                continue;
            }
            let (a, b) = (Labels::of(&self.inputs[first.input], had)?, Labels::of(&self.inputs[used.input], own)?);
            if let (Some(a), Some(b)) = (a, b)
                && let Meeting::Turned(order) = a.meet(&b)
            {
                out.push((dim.clone(), Taken::Positions(order.positions.iter().map(|&at| at as i64).collect())));
            }
        }
        Ok(out)
    }

    /// Whether what was carried is what a part of a variable would be.
    fn says(&self, c: &Carried, v: &VarMeta, used: &Used, taken: &[(String, Taken)]) -> bool {
        let is_small = v.shape.elements().is_ok_and(|n| n <= COMPARED_MAX);
        c.taken == taken && c.used.path == used.path && is_small && self.agree(Some(&c.used), Some(used))
    }

    /// Puts what was taken of a variable into the output, unless that is there; the name that it has, if it is.
    fn carry(&mut self, v: &VarMeta, used: &Used, output: &Derived) -> Result<Option<String>> {
        let own: Vec<(String, Taken)> = output.taken.iter().filter(|(d, _)| v.dims.contains(d)).cloned().collect();
        let turned = self.turned(v, used, output)?;
        let from = if turned.is_empty() { std::slice::from_ref(used) } else { &output.from };
        let taken: Vec<(String, Taken)> = turned.into_iter().chain(own.iter().cloned()).collect();
        if let Some(known) = self.carried.iter().find(|c| c.used == *used && c.taken == taken) {
            return Ok(Some(known.to.clone()));
        }
        if matches!(v.stored, StoredType::Other(_)) {
            self.leave_out(v, Why::NoType);
            return Ok(None);
        }
        let is_text = v.stored.element_bytes().is_none();
        if is_text && !taken.is_empty() {
            self.leave_out(v, Why::LostDimension);
            return Ok(None);
        }
        let array = if is_text { None } else { Some(part(self.inputs[used.input].array(&v.path)?, &taken)?) };
        let (lengths, dims_left): (Shape, Vec<String>) = match &array {
            Some(array) => (array.shape().clone(), names(array)),
            None => (v.shape.clone(), v.dims.clone()),
        };
        let dims: Vec<Dimension> =
            (0..dims_left.len()).map(|k| self.dim(&dims_left[k], lengths[k], &own, from, None)).collect();
        // A coordinate is called like its dimension, whatever that is called here.
        let is_coordinate = v.dims.len() == 1 && v.dims[0] == v.name();
        let to = match dims.first() {
            Some(dim) if is_coordinate => dim.name.clone(),
            _ => v.name().to_string(),
        };
        if self.results.contains(to.as_str()) {
            return Ok(None);
        }
        let known = self.carried.iter().find(|c| self.says(c, v, used, &taken)).map(|c| c.to.clone());
        if let Some(known) = known {
            self.carried.push(Carried { used: used.clone(), taken, to: known.clone() });
            return Ok(Some(known));
        }
        // A place, as a height or one of a dimension that another output has whole, is not that of another output.
        let is_free = |builder: &Builder, to: &String| {
            let is_dim = dims.is_empty() && builder.dims.iter().any(|d| d.to == *to);
            builder.done.schema.var(to).is_none() && !builder.results.contains(to.as_str()) && !is_dim
        };
        let to = match is_free(self, &to) {
            true => to,
            false if is_coordinate && !dims.is_empty() => return Ok(None),
            false => (1..).map(|n| format!("{to}_{n}")).find(|to| is_free(self, to)).unwrap_or(to),
        };
        let mut meta = VarMeta { path: to.clone(), shape: lengths.clone(), ..v.clone() };
        meta.storage.shard = None;
        let chunk = array.as_ref().map_or_else(|| lengths.clone(), |a| a.chunk().clone());
        if meta.storage.chunk.is_none() || !taken.is_empty() {
            meta.storage.chunk = Some(chunk);
            meta.storage.kind =
                if meta.storage.kind == "chunked" && !lengths.is_empty() { "chunked" } else { "contiguous" };
        }
        if lengths.is_empty() {
            meta.storage.codecs.clear();
            if is_coordinate {
                Conventions::of(&self.done.schema.attrs).auxiliary(&mut meta.attrs);
            }
        }
        self.declare(meta, dims);
        match array {
            Some(array) => {
                let (ones, stored) = (vec![false; array.ndim()], array.dtype());
                self.done.wanted.push(Wanted { path: to.clone(), array, ones, stored });
            }
            None => self
                .done
                .texts
                .push(Text { path: to.clone(), from: TextFrom::Input { input: used.input, path: v.path.clone() } }),
        }
        self.carried.push(Carried { used: used.clone(), taken, to: to.clone() });
        Ok(Some(to))
    }

    fn leave_out(&mut self, v: &VarMeta, why: Why) {
        let left = LeftOut { path: v.path.clone(), why };
        if !self.done.left_out.contains(&left) {
            self.done.left_out.push(left);
        }
    }

    /// The groups of an output that are all there, by the names that their dimensions have in it.
    fn groups_left(&self, output: &Derived) -> Vec<(usize, Grouping)> {
        let (lengths, present) = (output.array.shape(), names(&output.array));
        let left = |of: &OfGroups| {
            let mut grouping = (*of.grouping).clone();
            let all = grouping.keys.len();
            grouping.keys.retain(|key| {
                let at = present.iter().position(|dim| *dim == key.name);
                at.is_some_and(|at| output.key(&key.name, lengths[at]).is_some_and(|k| k.labels == key.labels))
            });
            grouping.cells = grouping.cells.take().filter(|_| grouping.keys.len() == all);
            // Another output may have groups of the same name.
            let is_time = grouping.cells.as_ref().is_some_and(|cells| !is_beside(cells, &grouping));
            for key in &mut grouping.keys {
                let same = |d: &&Named| d.from == key.name && d.labels.as_ref() == Some(&key.labels);
                if let Some(dim) = self.dims.iter().find(same) {
                    key.name = dim.to.clone();
                }
                if let Some(cells) = grouping.cells.as_mut().filter(|_| is_time) {
                    cells.coordinate = key.name.clone();
                }
            }
            (of.input, grouping)
        };
        output.groups.iter().map(left).collect()
    }

    /// Adds the coordinates of an output's groups.
    fn name_groups(&mut self, output: &Derived) -> Result<()> {
        for (input, mut grouping) in self.groups_left(output) {
            grouping.cells = grouping.cells.take().filter(|cells| !is_beside(cells, &grouping));
            let root = self.inputs[input].root();
            GroupCoordinates { root, done: &mut self.done }.declare(&grouping, &Some(String::new()))?;
        }
        Ok(())
    }

    /// Adds the times that an output's groups cover, where these are no dimension of their own.
    fn name_times(&mut self, output: &Derived) -> Result<()> {
        for (input, mut grouping) in self.groups_left(output) {
            let Some(mut cells) = grouping.cells.take().filter(|cells| is_beside(cells, &grouping)) else { continue };
            let dims: Vec<String> = grouping.keys.iter().map(|key| key.name.clone()).collect();
            let known = self.times.iter().find(|(had, along, _)| *had == cells && *along == dims);
            let name = match known.map(|(.., name)| name.clone()) {
                Some(name) => name,
                None => {
                    let is_free = |name: &String| {
                        self.done.schema.var(name).is_none() && self.dims.iter().all(|dim| dim.to != *name)
                    };
                    let others = (1..).map(|n| format!("{}_{n}", cells.coordinate));
                    let name =
                        std::iter::once(cells.coordinate.clone()).chain(others).find(is_free).unwrap_or_default();
                    self.times.push((cells.clone(), dims, name.clone()));
                    cells.coordinate = name.clone();
                    grouping.cells = Some(cells);
                    let root = self.inputs[input].root();
                    GroupCoordinates { root, done: &mut self.done }.declare(&grouping, &Some(String::new()))?;
                    name
                }
            };
            if let Some(var) = super::adapted::var_mut(&mut self.done.schema, &output.name) {
                let mut listed = references::named(&var.attrs, "coordinates");
                if !listed.contains(&name) {
                    listed.push(name);
                    var.attrs.set("coordinates", listed.join(" "));
                }
            }
        }
        Ok(())
    }

    /// Takes names that the output does not have out of all attributes, and names the coordinates that became scalars.
    fn link(&mut self, outputs: &[Derived]) {
        let (inputs, carried) = (self.inputs, &self.carried);
        let carried_as =
            |input: usize, path: &str| carried.iter().find(|c| c.used.input == input && c.used.path == path);
        for var in &mut self.done.schema.vars {
            if let Some(c) = carried.iter().find(|c| c.to == var.path) {
                let root = inputs[c.used.input].root();
                let group = c.used.path.rsplit_once('/').map_or("", |(g, _)| g);
                references::retain(&mut var.attrs, |_, name| {
                    scope::variable(root, group, name).is_some_and(|v| carried_as(c.used.input, &v.path).is_none())
                });
                references::rename(&mut var.attrs, |name| {
                    let path = &scope::variable(root, group, name)?.path;
                    let own = |other: &&Carried| other.used.input == c.used.input && other.used.path == *path;
                    let same = carried.iter().filter(own).find(|other| other.taken == c.taken);
                    same.or_else(|| carried_as(c.used.input, path)).map(|other| other.to.clone())
                });
            }
        }
        for (output, links) in outputs.iter().zip(&self.links) {
            let Some(var) = super::adapted::var_mut(&mut self.done.schema, &output.name) else { continue };
            let linked = |input: usize, path: &str| {
                links.iter().find(|(used, _)| used.input == input && used.path == path).map(|(_, to)| to)
            };
            let named = |name: &str| {
                let found = output.from.iter().filter_map(|u| {
                    let group = u.path.rsplit_once('/').map_or("", |(g, _)| g);
                    Some((u.input, scope::variable(inputs[u.input].root(), group, name)?))
                });
                found.collect::<Vec<_>>().into_iter()
            };
            let is_here = |name: &str| {
                let mut found = named(name).peekable();
                // What the inputs do not have may lie in another file.
                found.peek().is_none() || found.any(|(input, v)| linked(input, &v.path).is_some())
            };
            references::retain(&mut var.attrs, |_, name| !is_here(name));
            references::rename(&mut var.attrs, |name| {
                named(name).find_map(|(input, v)| linked(input, &v.path).cloned())
            });
            let mut listed = references::named(&var.attrs, "coordinates");
            let before = listed.len();
            for (used, to) in links {
                let own = carried.iter().find(|c| c.used == *used && c.to == *to);
                let is_place = |(_, t): &(String, Taken)| matches!(t, Taken::Part(Index::At(_)));
                let is_scalar = own.is_some_and(|c| c.taken.iter().any(is_place));
                if is_scalar && is_dimension_coordinate(inputs, used) && !listed.contains(to) {
                    listed.push(to.clone());
                }
            }
            if listed.len() > before {
                var.attrs.set("coordinates", listed.join(" "));
            }
        }
    }
}

fn is_dimension_coordinate(inputs: &[Dataset], used: &Used) -> bool {
    inputs[used.input].root().var(&used.path).is_some_and(|v| v.dims == [v.name()])
}

/// Whether it is a position, which is -1 where there is none.
fn is_position(array: &LazyArray) -> bool {
    use crate::array::Operation;
    match array.operation() {
        Operation::Reduce { op, .. } => matches!(op, Op::ArgMin | Op::ArgMax),
        Operation::Grouped { fold, .. } => matches!(fold.op(), Some(Op::ArgMin | Op::ArgMax)),
        _ => false,
    }
}

fn of_dim<'t>(taken: &'t [(String, Taken)], dim: &'t str) -> impl Iterator<Item = &'t Taken> {
    taken.iter().filter(move |(d, _)| d == dim).map(|(_, t)| t)
}

/// The part of a coordinate that belongs to what was taken of its dimensions.
fn part(mut array: LazyArray, taken: &[(String, Taken)]) -> Result<LazyArray> {
    for (dim, taken) in taken {
        let Ok(axis) = array.dim(dim) else { continue };
        array = match taken {
            Taken::Part(index) => array.get_along(axis, index.clone())?,
            Taken::Positions(positions) => array.take(positions, axis)?,
            Taken::Other => array,
        };
    }
    Ok(array)
}
