//! What `aosx reduce` computes: the request, and the schema and arrays that it becomes.

use super::{Dataset, output, scope};
use crate::{
    array::LazyArray,
    attrs::{Attrs, Value},
    cf::{
        cell_methods,
        decoding::{self, ValidRange},
        references,
    },
    dtype::DType,
    error::{Error, Problem, Result, closest},
    kernels::fold::{FoldOptions, Op},
    shape::Shape,
    source::{Dimension, Group, Storage, StoredType, VarMeta},
};
use std::collections::BTreeSet;

/// Which axes are reduced.
#[derive(Debug, Clone, PartialEq)]
pub enum Axes {
    /// All of each variable.
    All,
    /// Dimensions by name, or by position where a name is a number and no dimension is called so.
    Named(Vec<String>),
}

/// What becomes of a reduced dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepDims {
    /// It goes; its coordinate stays as a scalar.
    #[default]
    No,
    /// It stays with length 1.
    Yes,
}

/// A request to reduce variables along axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduction {
    /// Paths of variables; none means every numeric variable that has one of the axes.
    pub variables: Vec<String>,
    /// The operations. With several, each output is named `t_mean`, `t_std` ...
    pub ops: Vec<Op>,
    /// Which axes.
    pub axes: Axes,
    /// Degrees of freedom, rules for missing values.
    pub options: FoldOptions,
    /// What becomes of reduced dimensions.
    pub keep_dims: KeepDims,
    /// Whether `valid_range` counts.
    pub valid: ValidRange,
}

/// An output variable that is computed or copied by the engine.
#[derive(Clone)]
pub struct Wanted {
    /// Its path in the output.
    pub path: String,
    /// What it holds.
    pub array: LazyArray,
    /// Where the output has axes of length 1 that the array does not have.
    pub ones: Vec<bool>,
    /// The type that it is stored in.
    pub stored: DType,
}

/// A reduced coordinate: its scalar is the middle, its bounds are the ends, of what it covered.
#[derive(Clone)]
pub struct Range {
    /// The coordinate in the output.
    pub path: String,
    /// Its bounds in the output.
    pub bounds: String,
    /// The values to take the range of: the input's bounds, or its coordinate.
    pub array: LazyArray,
}

/// A variable of strings that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its path in the output.
    pub path: String,
    /// Which of the inputs has it.
    pub input: usize,
    /// Its path there.
    pub from: String,
}

/// Why the output lacks a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It describes what is reduced, or was not asked for.
    LostDimension,
    /// The output has no type for its values.
    NoType,
}

/// A variable that the output lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path in the input.
    pub path: String,
    /// Why.
    pub why: Why,
}

/// A schema, and what fills it.
#[derive(Clone)]
pub struct Computation {
    /// What the output declares.
    pub schema: Group,
    /// What the engine computes or copies.
    pub wanted: Vec<Wanted>,
    /// Reduced coordinates.
    pub ranges: Vec<Range>,
    /// Variables of strings, which are copied.
    pub texts: Vec<Text>,
    /// The results asked for, to be shown first.
    pub results: Vec<String>,
    /// Variables that the output lacks.
    pub left_out: Vec<LeftOut>,
    /// Results that come from packed variables, with those variables' attributes: a [`Layout`](super::Layout) packs
    /// them likewise.
    pub packed: Vec<(String, Attrs)>,
}

impl Computation {
    /// A schema that nothing fills yet.
    pub fn new(schema: Group) -> Computation {
        Computation {
            schema,
            wanted: Vec::new(),
            ranges: Vec::new(),
            texts: Vec::new(),
            results: Vec::new(),
            left_out: Vec::new(),
            packed: Vec::new(),
        }
    }
}

/// A variable and the positions of its axes that are reduced.
struct Chosen {
    meta: VarMeta,
    axes: Vec<usize>,
}

impl Reduction {
    /// Reduces all variables along `axes`.
    pub fn new(ops: impl Into<Vec<Op>>, axes: Axes) -> Reduction {
        Reduction {
            variables: Vec::new(),
            ops: ops.into(),
            axes,
            options: FoldOptions::default(),
            keep_dims: KeepDims::No,
            valid: ValidRange::Ignore,
        }
    }

    /// The same for one more named variable.
    pub fn var(mut self, path: &str) -> Reduction {
        self.variables.push(path.to_string());
        self
    }

    /// What this means for a dataset. Reads metadata and chunk indexes, no values.
    ///
    /// # Errors
    /// When a variable or dimension is not there, or does not hold numbers.
    pub fn of(&self, dataset: &Dataset) -> Result<Computation> {
        let chosen = self.choose(dataset).map_err(|e| e.in_file(dataset.path()))?;
        let mut builder = Builder::new(dataset, self, &chosen);
        for one in &chosen {
            builder.compute(one).map_err(|e| e.in_variable(&one.meta.path).in_file(dataset.path()))?;
        }
        builder.carry_along(&chosen)?;
        builder.reduce_coordinates(&chosen)?;
        Ok(builder.done)
    }

    /// A position has no NaN to be missing with: where one missing value makes the result so, it needs all values.
    fn options_of(&self, op: Op, one: &Chosen) -> Result<FoldOptions> {
        if !(self.options.keep_missing && matches!(op, Op::ArgMin | Op::ArgMax)) {
            return Ok(self.options);
        }
        let all = one.axes.iter().map(|&k| one.meta.shape[k]).collect::<Shape>().elements()?;
        Ok(FoldOptions { keep_missing: false, min_count: all.max(self.options.min_count), ..self.options })
    }

    fn choose(&self, dataset: &Dataset) -> Result<Vec<Chosen>> {
        if self.ops.is_empty() {
            return Err(Error::usage("no operation is named; give --op mean"));
        }
        let root = dataset.root();
        if !self.variables.is_empty() {
            let mut seen = BTreeSet::new();
            return self
                .variables
                .iter()
                .filter(|v| seen.insert(v.trim_start_matches('/').to_string()))
                .map(|path| {
                    let meta = dataset.variable(path)?.clone();
                    if meta.stored.dtype().is_none() {
                        let problem = Problem::NotNumeric { dtype: meta.stored.to_string() };
                        return Err(Error::from(problem).in_variable(&meta.path));
                    }
                    let axes = self.positions(&meta).map_err(|e| e.in_variable(&meta.path))?;
                    Ok(Chosen { meta, axes })
                })
                .collect();
        }
        let coordinates = scope::coordinates(root);
        let numeric: Vec<&VarMeta> = root
            .all_vars()
            .into_iter()
            .filter(|v| v.stored.dtype().is_some() && !coordinates.contains(&v.path))
            .collect();
        let chosen: Vec<Chosen> = numeric
            .iter()
            .filter_map(|meta| {
                let axes = self.positions_present(meta);
                (!axes.is_empty()).then(|| Chosen { meta: (*meta).clone(), axes })
            })
            .collect();
        if let Axes::Named(names) = &self.axes {
            // A name that no variable has is a mistake, not a wish for nothing.
            for name in names {
                if !chosen.iter().any(|c| !axes_named(&c.meta, name).is_empty()) {
                    return Err(no_axis(root, &numeric, name));
                }
            }
        }
        if chosen.is_empty() && numeric.is_empty() {
            return Err(Error::usage("no variable holds numbers, beside coordinates"));
        }
        if chosen.is_empty() {
            return Err(Error::usage("no numeric variable has dimensions"));
        }
        Ok(chosen)
    }

    fn positions(&self, meta: &VarMeta) -> Result<Vec<usize>> {
        if let Axes::Named(names) = &self.axes
            && let Some(name) = names.iter().find(|name| axes_named(meta, name).is_empty())
        {
            let known = closest(name, meta.dims.iter().map(String::as_str));
            return Err(Problem::NoSuchDimension { name: name.clone(), known }.into());
        }
        Ok(self.positions_present(meta))
    }

    fn positions_present(&self, meta: &VarMeta) -> Vec<usize> {
        let axes: BTreeSet<usize> = match &self.axes {
            Axes::All => (0..meta.shape.len()).collect(),
            Axes::Named(names) => names.iter().flat_map(|name| axes_named(meta, name)).collect(),
        };
        axes.into_iter().collect()
    }
}

/// Why no variable that could be reduced has an axis.
fn no_axis(root: &Group, numeric: &[&VarMeta], name: &str) -> Error {
    let mut dims: Vec<&str> = numeric.iter().flat_map(|v| v.dims.iter().map(String::as_str)).collect();
    dims.sort_unstable();
    dims.dedup();
    if let Some(other) = root.all_vars().iter().find(|v| v.dims.iter().any(|d| d == name)) {
        let hint = if other.stored.dtype().is_some() { "; name it with --var" } else { "" };
        return Error::usage(format!(
            "only coordinates and variables without numbers have the dimension '{name}' (as '{}'){hint}",
            other.path
        ));
    }
    let known = closest(name, dims.into_iter());
    Problem::NoSuchDimension { name: name.to_string(), known }.into()
}

/// The axes that a name or position means: `time`, `0`, `-1`; and `dim_0` where the file names no dimensions.
fn axes_named(meta: &VarMeta, name: &str) -> Vec<usize> {
    let named: Vec<usize> = (0..meta.dims.len()).filter(|&k| meta.dims[k] == name).collect();
    if !named.is_empty() {
        return named;
    }
    let rank = meta.dims.len() as i64;
    let position = match name.strip_prefix("dim_") {
        Some(number) if !meta.dims_named => number.parse::<i64>().ok().filter(|n| *n >= 0),
        Some(_) => None,
        None => name.parse::<i64>().ok(),
    };
    match position.map(|n| if n < 0 { n + rank } else { n }) {
        Some(n) if (0..rank).contains(&n) => vec![n as usize],
        _ => Vec::new(),
    }
}

/// A dimension, by the group that declares it and its name.
type DimKey = (Option<String>, String);

struct Builder<'a> {
    dataset: &'a Dataset,
    request: &'a Reduction,
    /// The paths of the variables that are reduced.
    chosen: BTreeSet<String>,
    /// Dimensions that no output variable has any more.
    gone: BTreeSet<DimKey>,
    done: Computation,
}

impl<'a> Builder<'a> {
    fn new(dataset: &'a Dataset, request: &'a Reduction, chosen: &[Chosen]) -> Builder<'a> {
        let root = dataset.root();
        let keys = |pick: bool| -> BTreeSet<DimKey> {
            chosen
                .iter()
                .flat_map(|c| {
                    (0..c.meta.dims.len()).filter(|k| c.axes.contains(k) == pick).map(|k| key(root, &c.meta, k))
                })
                .collect()
        };
        let gone = keys(true).difference(&keys(false)).cloned().collect();
        let schema = Group { attrs: root.attrs.clone(), ..Group::default() };
        let done = Computation::new(schema);
        let chosen = chosen.iter().map(|c| c.meta.path.clone()).collect();
        Builder { dataset, request, chosen, gone, done }
    }

    fn root(&self) -> &'a Group {
        self.dataset.root()
    }

    /// Adds the results for one variable.
    fn compute(&mut self, one: &Chosen) -> Result<()> {
        let meta = &one.meta;
        let source = self.dataset.source(&meta.path)?;
        let decode = decoding::decoding(meta, source.layout(), self.request.valid)?;
        let input = LazyArray::from_source(source.clone())?.decode(decode);
        let ones: Vec<bool> = match self.request.keep_dims {
            KeepDims::Yes => (0..meta.dims.len()).map(|k| one.axes.contains(&k)).collect(),
            KeepDims::No => vec![false; meta.dims.len() - one.axes.len()],
        };
        let kept: Vec<usize> = (0..meta.dims.len()).filter(|k| !one.axes.contains(k)).collect();
        let axes: Vec<i64> = one.axes.iter().map(|&k| k as i64).collect();
        for &op in &self.request.ops {
            let array = input.reduce(op, &axes, self.request.options_of(op, one)?)?;
            let path =
                if self.request.ops.len() > 1 { format!("{}_{}", meta.path, op.name()) } else { meta.path.clone() };
            let mut storage = output::storage_for(source.as_ref(), &kept, array.dtype());
            storage.chunk = storage.chunk.map(|chunk| with_ones(&chunk, &ones));
            let out = VarMeta {
                path: path.clone(),
                stored: StoredType::native(array.dtype()),
                shape: with_ones(array.shape(), &ones),
                dims: Vec::new(),
                dims_named: true,
                attrs: self.result_attrs(one, op, array.dtype()),
                fill: None,
                storage,
            };
            let dims = self.dims_of(one, &kept);
            let root = self.root();
            output::insert(&mut self.done.schema, root, out, &dims);
            self.done.results.push(path.clone());
            let stored = array.dtype();
            self.done.wanted.push(Wanted { path, array, ones: ones.clone(), stored });
        }
        Ok(())
    }

    fn dims_of(&self, one: &Chosen, kept: &[usize]) -> Vec<(Option<String>, Dimension)> {
        let all = (0..one.meta.dims.len()).filter(|k| self.request.keep_dims == KeepDims::Yes || kept.contains(k));
        all.map(|k| {
            let (home, mut dim) = dimension(self.root(), &one.meta, k);
            if one.axes.contains(&k) {
                dim = Dimension { len: 1, unlimited: false, ..dim };
            }
            (home, dim)
        })
        .collect()
    }

    fn result_attrs(&self, one: &Chosen, op: Op, dtype: DType) -> Attrs {
        let mut attrs = Attrs::new();
        match dtype {
            DType::F32 => attrs.set("_FillValue", Value::F32(vec![f32::NAN])),
            DType::F64 => attrs.set("_FillValue", Value::F64(vec![f64::NAN])),
            DType::I64 if matches!(op, Op::ArgMin | Op::ArgMax) => attrs.set("_FillValue", Value::I64(vec![-1])),
            _ => {}
        }
        for (name, value) in one.meta.attrs.iter().filter(|(name, _)| !decoding::ENCODING.contains(name)) {
            attrs.set(name, value.clone());
        }
        let dims: Vec<String> = one.axes.iter().map(|&k| one.meta.dims[k].clone()).collect();
        cell_methods::reduced(&mut attrs, op, &dims);
        // CF wants flags in the variable's own type.
        if one.meta.stored.dtype() != Some(dtype) {
            for name in ["flag_values", "flag_masks"] {
                let Some(numbers) = attrs.get(name).and_then(Value::numbers) else { continue };
                match dtype {
                    DType::F32 => attrs.set(name, Value::F32(numbers.iter().map(|&x| x as f32).collect())),
                    DType::F64 => attrs.set(name, Value::F64(numbers)),
                    _ => {}
                }
            }
        }
        // Ancillary data describe the values that went in.
        attrs.remove("ancillary_variables");
        self.retain(&mut attrs, one.meta.group());
        // Cells of another file are those of before, and still the same only after time.
        if !self.is_over_time(one) {
            let is_here = |name: &str| scope::variable(self.root(), one.meta.group(), name).is_some();
            references::retain(&mut attrs, |attribute, name| attribute == "cell_measures" && !is_here(name));
        }
        if self.request.keep_dims == KeepDims::No {
            let mut names = references::named(&attrs, "coordinates");
            for &k in &one.axes {
                if self.gone.contains(&key(self.root(), &one.meta, k))
                    && let Some(coordinate) = self.reducible_coordinate(one.meta.group(), &one.meta.dims[k])
                    && !names.iter().any(|n| n == coordinate.name())
                {
                    names.push(coordinate.name().to_string());
                }
            }
            if !names.is_empty() {
                attrs.set("coordinates", names.join(" "));
            }
        }
        attrs
    }

    /// Takes out of the attributes what names a variable that the output will not have. What the input does not have
    /// either may lie in another file.
    fn retain(&self, attrs: &mut Attrs, group: &str) {
        references::retain(attrs, |attribute, name| match scope::variable(self.root(), group, name) {
            None => false,
            // What is reduced is no measure of cells any more, but a formula holds for its terms' means.
            Some(v) if self.chosen.contains(&v.path) => self.request.ops.len() > 1 || attribute == "cell_measures",
            Some(v) => !self.stays(v) && !self.is_reduced_coordinate(v),
        });
    }

    /// Whether all of the reduced axes are time's.
    fn is_over_time(&self, one: &Chosen) -> bool {
        one.axes.iter().all(|&k| {
            let coordinate = scope::coordinate(self.root(), one.meta.group(), &one.meta.dims[k]);
            coordinate.and_then(|c| c.attrs.text("units")).is_some_and(|units| units.contains(" since "))
        })
    }

    /// Whether a variable is untouched by the reduction, and can be written.
    fn stays(&self, v: &VarMeta) -> bool {
        writable(v) && !(0..v.dims.len()).any(|k| self.gone.contains(&key(self.root(), v, k)))
    }

    fn is_reduced_coordinate(&self, v: &VarMeta) -> bool {
        v.dims.len() == 1
            && v.dims[0] == v.name()
            && v.stored.dtype().is_some()
            && self.gone.contains(&key(self.root(), v, 0))
    }

    fn reducible_coordinate(&self, group: &str, dim: &str) -> Option<&'a VarMeta> {
        scope::coordinate(self.root(), group, dim)
            .filter(|v| v.stored.dtype().is_some() && v.shape.elements().is_ok_and(|n| n > 0))
    }

    /// Adds the variables that are not computed: coordinates and what describes the results, or, where no variable
    /// was named, everything that the reduction leaves untouched.
    fn carry_along(&mut self, chosen: &[Chosen]) -> Result<()> {
        let root = self.root();
        let chosen_paths: BTreeSet<&str> = chosen.iter().map(|c| c.meta.path.as_str()).collect();
        let mut along: BTreeSet<&str> = BTreeSet::new();
        if self.request.variables.is_empty() {
            along.extend(root.all_vars().iter().map(|v| v.path.as_str()));
        } else {
            let mut todo: Vec<&VarMeta> = chosen_paths.iter().filter_map(|p| root.var(p)).collect();
            while let Some(v) = todo.pop() {
                for next in scope::describing(root, v) {
                    // What loses a dimension is gone itself, and so is what only it names.
                    if along.insert(&next.path) && self.stays(next) {
                        todo.push(next);
                    }
                }
            }
        }
        for v in root.all_vars() {
            if !along.contains(v.path.as_str())
                || chosen_paths.contains(v.path.as_str())
                || self.is_reduced_coordinate(v)
            {
                continue;
            }
            if self.stays(v) && self.done.schema.var(&v.path).is_none() {
                self.carry(v).map_err(|e| e.in_variable(&v.path).in_file(self.dataset.path()))?;
            } else {
                let why = if writable(v) { Why::LostDimension } else { Why::NoType };
                self.done.left_out.push(LeftOut { path: v.path.clone(), why });
            }
        }
        Ok(())
    }

    fn carry(&mut self, v: &VarMeta) -> Result<()> {
        let mut meta = v.clone();
        self.retain(&mut meta.attrs, v.group());
        let dims: Vec<_> = (0..v.dims.len()).map(|k| dimension(self.root(), v, k)).collect();
        if v.stored.element_bytes().is_some() {
            let source = self.dataset.source(&v.path)?;
            if meta.storage.chunk.is_none() {
                meta.storage.chunk = Some(source.grid().chunk().clone());
                meta.storage.kind = "contiguous";
            }
            let array = LazyArray::from_source(source)?;
            let (ones, stored) = (vec![false; v.dims.len()], array.dtype());
            self.done.wanted.push(Wanted { path: v.path.clone(), array, ones, stored });
        } else {
            self.done.texts.push(Text { path: v.path.clone(), input: 0, from: v.path.clone() });
        }
        let root = self.root();
        output::insert(&mut self.done.schema, root, meta, &dims);
        Ok(())
    }

    /// Adds the reduced coordinates as scalars with bounds.
    fn reduce_coordinates(&mut self, chosen: &[Chosen]) -> Result<()> {
        let mut done = BTreeSet::new();
        for one in chosen {
            for &k in &one.axes {
                let dim = key(self.root(), &one.meta, k);
                if !self.gone.contains(&dim) || !done.insert(dim) {
                    continue;
                }
                if let Some(coordinate) = self.reducible_coordinate(one.meta.group(), &one.meta.dims[k]) {
                    self.reduce_coordinate(coordinate)
                        .map_err(|e| e.in_variable(&coordinate.path).in_file(self.dataset.path()))?;
                }
            }
        }
        Ok(())
    }

    /// The path of a name in a group, with underscores behind it while another variable has it (bounds may be reduced
    /// themselves).
    fn free_name(&self, group: &str, name: &str) -> String {
        let mut path = if group.is_empty() { name.to_string() } else { format!("{group}/{name}") };
        while self.done.schema.var(&path).is_some() {
            path.push('_');
        }
        path
    }

    fn reduce_coordinate(&mut self, coordinate: &'a VarMeta) -> Result<()> {
        let root = self.root();
        if self.done.schema.var(&coordinate.path).is_some() {
            return Ok(());
        }
        let old_bounds = ["bounds", "climatology"]
            .iter()
            .find_map(|a| scope::variable(root, coordinate.group(), coordinate.attrs.text(a)?))
            .filter(|b| {
                b.stored.dtype().is_some() && b.dims.len() == 2 && b.shape[1] == 2 && b.shape[0] == coordinate.shape[0]
            });
        let covered = old_bounds.unwrap_or(coordinate);
        let source = self.dataset.source(&covered.path)?;
        let decode = decoding::decoding(covered, source.layout(), ValidRange::Ignore)?;
        let array = LazyArray::from_source(source)?.decode(decode);

        let name = old_bounds.map_or_else(|| format!("{}_bnds", coordinate.name()), |b| b.name().to_string());
        let two = old_bounds.and_then(|b| b.dims.last().cloned()).unwrap_or_else(|| "bnds".to_string());
        let two = (None, Dimension { name: two, len: 2, unlimited: false });
        let dims = match self.request.keep_dims {
            KeepDims::No => Vec::new(),
            KeepDims::Yes => {
                let (home, dim) = dimension(root, coordinate, 0);
                vec![(home, Dimension { len: 1, unlimited: false, ..dim })]
            }
        };
        let mut attrs = coordinate.attrs.clone();
        decoding::ENCODING.iter().chain(&["climatology", "bounds"]).for_each(|n| drop(attrs.remove(n)));
        self.retain(&mut attrs, coordinate.group());
        let of_shape = |path: String, shape: Shape, attrs: Attrs| VarMeta {
            path,
            stored: StoredType::native(DType::F64),
            shape,
            dims: Vec::new(),
            dims_named: true,
            attrs,
            fill: None,
            storage: Storage { kind: "contiguous", ..Storage::default() },
        };
        let bounds = self.free_name(coordinate.group(), &name);
        attrs.set("bounds", bounds.rsplit('/').next().unwrap_or_default());
        let lead: Shape = dims.iter().map(|(_, d)| d.len).collect();
        let both: Shape = lead.iter().copied().chain([2]).collect();
        let path = coordinate.path.clone();
        output::insert(&mut self.done.schema, root, of_shape(path.clone(), lead, attrs), &dims);
        let dims: Vec<_> = dims.into_iter().chain([two]).collect();
        output::insert(&mut self.done.schema, root, of_shape(bounds.clone(), both, Attrs::new()), &dims);
        self.done.left_out.retain(|v| v.path != bounds);
        self.done.ranges.push(Range { path, bounds, array });
        Ok(())
    }
}

/// Whether outputs have a type for its values.
fn writable(v: &VarMeta) -> bool {
    !matches!(v.stored, StoredType::Other(_))
}

/// A variable's dimension and where it is declared.
pub(super) fn dimension(root: &Group, meta: &VarMeta, axis: usize) -> (Option<String>, Dimension) {
    let (name, len) = (&meta.dims[axis], meta.shape[axis]);
    let home = scope::declaring(root, meta.group(), name);
    let declared = home
        .as_deref()
        .and_then(|h| root.group(h))
        .and_then(|g| g.dims.iter().find(|d| d.name == *name && d.len == len));
    let unlimited = declared.is_some_and(|d| d.unlimited);
    (home, Dimension { name: name.clone(), len, unlimited })
}

fn key(root: &Group, meta: &VarMeta, axis: usize) -> DimKey {
    (scope::declaring(root, meta.group(), &meta.dims[axis]), meta.dims[axis].clone())
}

fn with_ones(lengths: &[u64], ones: &[bool]) -> Shape {
    if ones.len() == lengths.len() {
        return lengths.into();
    }
    let mut rest = lengths.iter();
    ones.iter().map(|&one| if one { 1 } else { rest.next().copied().unwrap_or(1) }).collect()
}
