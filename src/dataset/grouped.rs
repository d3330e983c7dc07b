//! The results of a reduction by groups, and the coordinates that name the groups.

use super::{
    Computation, Text, TextFrom, Wanted,
    grouping::{Grouping, Key, Labels, Repeats, TimeCells},
    output,
    reduced::{Builder, dimension, native},
    reduction::{Cells, Chosen, Statistic},
    weights::Found,
};
use crate::{
    array::{LazyArray, no_result},
    attrs::Attrs,
    cf::{decoding, names::Conventions},
    dtype::DType,
    error::{Error, Result},
    kernels::fold::Op,
    shape::Shape,
    source::{Dimension, Group, StoredType, VarMeta},
};

/// The name of the variable in which a climatology says what it covers.
const CLIMATOLOGY: &str = "climatology_bounds";

impl Builder<'_> {
    /// Adds the results for one variable, by groups.
    pub(super) fn compute_groups(&mut self, one: &Chosen, grouping: &Grouping) -> Result<()> {
        let meta = &one.meta;
        let input = self.dataset.decoded(&meta.path, self.request.valid)?;
        let along = axes_along(meta, grouping)?;
        let first = along.iter().copied().min().unwrap_or(0);
        let kept: Vec<usize> = (0..meta.dims.len()).filter(|k| !one.axes.contains(k)).collect();
        let place = kept.iter().filter(|k| **k < first).count();
        let (home, _) = dimension(self.root(), meta, first);
        let weights = self.weights_of(one)?;
        GroupCoordinates { root: self.root(), done: &mut self.done }.declare(grouping, &home)?;
        for statistic in &self.request.ops {
            let lead = self.lead(statistic, meta.group())?;
            let is_list = lead.as_ref().is_some_and(|lead| !lead.at.is_scalar());
            let array = self.groups_of(&input, statistic, (one, &along), grouping, weights.as_ref())?;
            let array = split_keys(array, grouping, place + usize::from(is_list))?;
            let mut dims: Vec<_> = kept.iter().map(|&k| dimension(self.root(), meta, k)).collect();
            let new = grouping.keys.iter().map(|key| key_dimension(key, &home));
            dims.splice(place..place, new);
            let scalar = lead.as_ref().filter(|lead| lead.at.is_scalar()).map(|lead| lead.name.clone());
            if let Some(lead) = lead.filter(|lead| !lead.at.is_scalar()) {
                dims.insert(0, lead.dimension());
            }
            let mut attrs = self.result_attrs(one, statistic, array.dtype(), weights.as_ref());
            let beside = grouping.cells.as_ref().filter(|cells| is_beside(cells, grouping));
            self.name_coordinates(
                &mut attrs,
                scalar.iter().map(String::as_str).chain(beside.map(|c| name_of(&c.coordinate))),
            );
            let path = self.result_path(meta, statistic);
            if self.done.schema.var(&path).is_some() {
                return Err(Error::usage(
                    "what says which groups there are has the same name; give it another one with calc",
                ));
            }
            let storage = output::storage_of_lanes(meta, &[], &array, usize::from(is_list));
            let out = VarMeta { storage, ..native(path.clone(), array.dtype(), array.shape().clone(), attrs) };
            let root = self.root();
            output::insert(&mut self.done.schema, root, out, &dims);
            self.done.results.push(path.clone());
            let (ones, stored) = (vec![false; array.ndim()], array.dtype());
            self.done.wanted.push(Wanted { path, array, ones, stored });
        }
        Ok(())
    }

    /// One value for each group, along one new axis.
    fn groups_of(
        &self,
        input: &LazyArray,
        statistic: &Statistic,
        (one, along): (&Chosen, &[usize]),
        grouping: &Grouping,
        weights: Option<&Found>,
    ) -> Result<LazyArray> {
        let options = self.request.options;
        if let Statistic::Fold(op @ (Op::ArgMin | Op::ArgMax)) = statistic
            && options.keep_missing
        {
            return Err(Error::usage(format!("--keepna is not for {op} of groups; leave it out")));
        }
        let positions = |axes: &mut dyn Iterator<Item = usize>| axes.map(|k| k as i64).collect::<Vec<i64>>();
        if let Statistic::Fold(op) = statistic
            && input.dtype().size() > 4
            && let Some(empty) = grouping.groups.without_result(*op, input.dtype())
        {
            return Err(no_result(op.name(), input.dtype(), &grouping.called(empty)));
        }
        let also = positions(&mut one.axes.iter().copied().filter(|k| !along.contains(k)));
        let along = positions(&mut along.iter().copied());
        let weights = weights.map(|found| &found.weights);
        let cells = Cells { axes: &also, groups: Some((&grouping.groups, &along)), weights, options };
        // The output names the dimensions.
        statistic.of(&input.without_dims(), &cells)
    }
}

/// An array with an axis for each thing that is grouped by, the first of which is at `place`.
///
/// # Errors
/// When it has no axis of groups there.
pub(crate) fn split_keys(array: LazyArray, grouping: &Grouping, place: usize) -> Result<LazyArray> {
    let lengths = grouping.shape();
    if lengths.len() == 1 {
        return Ok(array);
    }
    let mut shape: Vec<i64> = array.shape().iter().map(|&n| n as i64).collect();
    shape.splice(place..place + 1, lengths.iter().map(|&n| n as i64));
    let out = array.reshape(&shape)?;
    let Some(dims) = array.dims() else { return Ok(out) };
    let mut dims: Vec<&str> = dims.iter().map(String::as_str).collect();
    dims.splice(place..place + 1, grouping.keys.iter().map(|key| key.name.as_str()));
    out.with_dims(&dims)
}

/// Adds the coordinates of groups to an output.
pub(super) struct GroupCoordinates<'a> {
    /// What the groups are made of.
    pub root: &'a Group,
    pub done: &'a mut Computation,
}

impl GroupCoordinates<'_> {
    /// Adds the coordinates of groups, once for each group of the file that declares their dimension.
    pub fn declare(&mut self, grouping: &Grouping, home: &Option<String>) -> Result<()> {
        let group = home.clone().unwrap_or_default();
        let path_of = |name: &str| if group.is_empty() { name.to_string() } else { format!("{group}/{name}") };
        for key in &grouping.keys {
            let path = path_of(&key.name);
            if self.done.schema.var(&path).is_none() {
                self.declare_key(key, path, home, grouping)?;
            }
        }
        let Some(cells) = &grouping.cells else { return Ok(()) };
        if is_beside(cells, grouping) && self.done.schema.var(&cells.coordinate).is_none() {
            let dims: Vec<_> = grouping.keys.iter().map(|key| key_dimension(key, home)).collect();
            let mut attrs = self.attrs_of_time(cells, &group);
            Conventions::of(&self.root.attrs).auxiliary(&mut attrs);
            self.add(cells.coordinate.clone(), &cells.times, &dims, attrs)?;
            self.add_bounds(cells, &dims, &group)?;
        }
        Ok(())
    }

    fn declare_key(&mut self, key: &Key, path: String, home: &Option<String>, grouping: &Grouping) -> Result<()> {
        let dims = [key_dimension(key, home)];
        let group = home.clone().unwrap_or_default();
        match &key.labels {
            Labels::Integers(values) => self.add(path, values, &dims, key.attrs.clone()),
            Labels::Texts(texts) => {
                let shape: Shape = vec![texts.len() as u64].into();
                let meta = native(path.clone(), DType::U8, shape, key.attrs.clone());
                let meta = VarMeta { stored: StoredType::Text, ..meta };
                output::insert(&mut self.done.schema, self.root, meta, &dims);
                self.done.texts.push(Text { path, from: TextFrom::Said(texts.clone()) });
                Ok(())
            }
            Labels::Numbers(values) => match (&grouping.cells, &key.bounds) {
                (Some(cells), _) => {
                    let attrs = self.attrs_of_time(cells, &group);
                    self.add(path, values, &dims, attrs)?;
                    self.add_bounds(cells, &dims, &group)
                }
                (None, Some(bounds)) => {
                    let mut attrs = key.attrs.clone();
                    let name = format!("{}_bnds", key.name);
                    attrs.set("bounds", name.as_str());
                    self.add(path, values, &dims, attrs)?;
                    let name = if group.is_empty() { name } else { format!("{group}/{name}") };
                    self.add_pairs(name, bounds, &dims, Attrs::new())
                }
                (None, None) => self.add(path, values, &dims, key.attrs.clone()),
            },
        }
    }

    /// The attributes of the coordinate of time, with what says which time each value covers.
    fn attrs_of_time(&self, cells: &TimeCells, group: &str) -> Attrs {
        let mut attrs = self.root.var(&cells.of).map(|meta| meta.attrs.clone()).unwrap_or_default();
        let stale = ["bounds", "climatology", "actual_range", "delta_t", "avg_period"];
        decoding::ENCODING.iter().chain(&stale).for_each(|name| drop(attrs.remove(name)));
        match cells.climatology {
            Some(_) => attrs.set("climatology", self.name_of_bounds(cells, group)),
            None => attrs.set("bounds", self.name_of_bounds(cells, group)),
        }
        attrs
    }

    /// A name for the bounds of times that nothing has yet.
    fn name_of_bounds(&self, cells: &TimeCells, group: &str) -> String {
        let own = format!("{}_bnds", name_of(&cells.coordinate));
        let first = if cells.climatology.is_some() { CLIMATOLOGY.to_string() } else { own.clone() };
        let is_free = |name: &String| {
            let path = if group.is_empty() { name.clone() } else { format!("{group}/{name}") };
            self.done.schema.var(&path).is_none()
        };
        let others = (1..).map(|n| format!("{own}_{n}"));
        [first, own.clone()].into_iter().chain(others).find(is_free).unwrap_or_default()
    }

    fn add_bounds(&mut self, cells: &TimeCells, dims: &[(Option<String>, Dimension)], group: &str) -> Result<()> {
        let name = self.name_of_bounds(cells, group);
        let path = if group.is_empty() { name } else { format!("{group}/{name}") };
        self.add_pairs(path, &cells.bounds, dims, Attrs::new())
    }

    fn add_pairs(
        &mut self,
        path: String,
        pairs: &[[f64; 2]],
        dims: &[(Option<String>, Dimension)],
        attrs: Attrs,
    ) -> Result<()> {
        let two = (None, Dimension { name: "bnds".to_string(), len: 2, unlimited: false });
        let dims: Vec<_> = dims.iter().cloned().chain([two]).collect();
        self.add(path, pairs.as_flattened(), &dims, attrs)
    }

    /// Adds a small variable of known values.
    fn add<T: crate::dtype::Element>(
        &mut self,
        path: String,
        values: &[T],
        dims: &[(Option<String>, Dimension)],
        attrs: Attrs,
    ) -> Result<()> {
        if self.done.schema.var(&path).is_some() {
            let problem = format!("'{path}' is what says which values groups cover; give the result another name");
            return Err(Error::usage(problem));
        }
        let shape: Vec<u64> = dims.iter().map(|(_, dim)| dim.len).collect();
        let array = LazyArray::from_slice(values, &shape, &*shape)?;
        let dtype = array.dtype();
        let meta = native(path.clone(), dtype, shape.into(), attrs);
        output::insert(&mut self.done.schema, self.root, meta, dims);
        let ones = vec![false; dims.len()];
        self.done.left_out.retain(|left| left.path != path);
        self.done.wanted.push(Wanted { path, array, ones, stored: dtype });
        Ok(())
    }
}

/// The axes that groups run along, in the order of their labels.
fn axes_along(meta: &VarMeta, grouping: &Grouping) -> Result<Vec<usize>> {
    let place = |dim: &String| {
        meta.dims.iter().position(|d| d == dim).ok_or_else(|| {
            Error::usage(format!("the groups run along '{dim}', which it does not have; name others with --var"))
        })
    };
    let along = grouping.dims.iter().map(place).collect::<Result<Vec<usize>>>()?;
    let labels = along.iter().map(|&k| meta.shape[k]).product::<u64>();
    if labels != grouping.groups.labels().len() as u64 {
        return Err(Error::usage(format!("its dimensions {} are not those of the groups", grouping.dims.join(", "))));
    }
    Ok(along)
}

/// Whether the time that groups cover is no dimension of its own.
pub(super) fn is_beside(cells: &TimeCells, grouping: &Grouping) -> bool {
    !(cells.climatology.is_none() && grouping.keys.len() == 1 && grouping.keys[0].name == name_of(&cells.coordinate))
}

fn key_dimension(key: &Key, home: &Option<String>) -> (Option<String>, Dimension) {
    (home.clone(), Dimension { name: key.name.clone(), len: key.labels.len() as u64, unlimited: false })
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What `cell_methods` says of groups that take the same part of several periods.
pub(crate) fn repeated(grouping: Option<&Grouping>) -> Option<(&str, &str)> {
    let grouping = grouping?;
    let over = match grouping.cells.as_ref()?.climatology? {
        Repeats::Years => "years",
        Repeats::Days => "days",
    };
    Some((grouping.method_name(grouping.dims.first()?), over))
}
