//! The results of a reduction: their arrays, shapes and attributes.

use super::{
    Computation, Dataset, Grouping, KeepDims, Reduction, Wanted,
    areas::Horizontal,
    encoded::flags_as,
    grouped::repeated,
    output,
    reduction::{Cells, Chosen, Statistic},
    scope,
    weights::Found,
};
use crate::{
    array::{Anchor, LazyArray, Rolling},
    attrs::{Attrs, Value},
    cf::{
        cell_methods::{self, Repeated},
        decoding,
        names::{self, Conventions},
        references,
        time::is_time,
    },
    dtype::DType,
    error::{Error, Result},
    kernels::{
        fold::Op,
        lanes::{OrderStatistic, Quantiles},
    },
    shape::Shape,
    source::{Dimension, Group, Storage, StoredType, VarMeta},
};
use std::collections::BTreeSet;

/// A dimension, by the group that declares it and its name.
pub(super) type DimKey = (Option<String>, String);

/// The dimension that several quantiles make, or the scalar coordinate that one makes.
pub(super) struct Lead {
    pub name: String,
    /// The group that has it.
    home: String,
    pub at: Quantiles,
}

impl Lead {
    pub(super) fn dimension(&self) -> (Option<String>, Dimension) {
        (Some(self.home.clone()), Dimension { name: self.name.clone(), len: self.at.len() as u64, unlimited: false })
    }
}

pub(super) struct Builder<'a> {
    pub dataset: &'a Dataset,
    pub request: &'a Reduction,
    /// The paths of the variables that are reduced.
    pub chosen: BTreeSet<String>,
    /// Dimensions that no output variable has any more.
    pub gone: BTreeSet<DimKey>,
    /// The groups that values are reduced by, if they are.
    grouping: Option<&'a Grouping>,
    pub done: Computation,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        dataset: &'a Dataset,
        request: &'a Reduction,
        chosen: &[Chosen],
        grouping: Option<&'a Grouping>,
    ) -> Builder<'a> {
        let root = dataset.root();
        let keys = |pick: bool| -> BTreeSet<DimKey> {
            chosen
                .iter()
                .flat_map(|c| {
                    (0..c.meta.dims.len()).filter(|k| c.axes.contains(k) == pick).map(|k| key(root, &c.meta, k))
                })
                .collect()
        };
        let gone = match request.rolling {
            Some(_) => BTreeSet::new(),
            None => keys(true).difference(&keys(false)).cloned().collect(),
        };
        let schema = Group { attrs: root.attrs.clone(), ..Group::default() };
        let done = Computation::new(schema);
        let chosen = chosen.iter().map(|c| c.meta.path.clone()).collect();
        Builder { dataset, request, chosen, gone, grouping, done }
    }

    pub(super) fn root(&self) -> &'a Group {
        self.dataset.root()
    }

    /// Adds the results for one variable.
    pub(super) fn compute(&mut self, one: &Chosen) -> Result<()> {
        if let Some(grouping) = self.grouping {
            return self.compute_groups(one, grouping);
        }
        let meta = &one.meta;
        let input = self.dataset.decoded(&meta.path, self.request.valid)?;
        let kept: Vec<usize> = (0..meta.dims.len()).filter(|k| !self.goes(one, *k)).collect();
        let weights = self.weights_of(one)?;
        for statistic in &self.request.ops {
            let array = self.array(&input, statistic, one, weights.as_ref())?;
            let lead = self.lead(statistic, one.meta.group())?;
            let path = self.result_path(meta, statistic);
            let mut ones: Vec<bool> = match self.request.keep_dims {
                KeepDims::Yes => (0..meta.dims.len()).map(|k| self.goes(one, k)).collect(),
                KeepDims::No => vec![false; kept.len()],
            };
            let mut dims = self.dims_of(one, &kept);
            let mut storage = match statistic {
                Statistic::Fold(_) => output::storage_for(meta, &input, &kept, array.dtype()),
                Statistic::Order(_) => {
                    let chunk: Vec<u64> = kept.iter().map(|&k| input.chunk()[k]).collect();
                    output::storage_of_lanes(meta, &chunk, &array, array.ndim() - kept.len())
                }
            };
            let scalar = lead.as_ref().filter(|lead| lead.at.is_scalar()).map(|lead| lead.name.clone());
            if let Some(lead) = lead.filter(|lead| !lead.at.is_scalar()) {
                ones.insert(0, false);
                dims.insert(0, lead.dimension());
            }
            storage.chunk = storage.chunk.map(|chunk| with_ones(&chunk, &ones));
            let mut attrs = self.result_attrs(one, statistic, array.dtype(), weights.as_ref());
            self.name_coordinates(&mut attrs, scalar.iter().map(String::as_str));
            let shape = with_ones(array.shape(), &ones);
            let out = VarMeta { storage, ..native(path.clone(), array.dtype(), shape, attrs) };
            let root = self.root();
            output::insert(&mut self.done.schema, root, out, &dims);
            self.done.results.push(path.clone());
            let stored = array.dtype();
            self.done.wanted.push(Wanted { path, array, ones, stored });
        }
        Ok(())
    }

    /// The path of a result.
    pub(super) fn result_path(&self, meta: &VarMeta, statistic: &Statistic) -> String {
        let several = self.request.ops.len() > 1;
        if several { format!("{}_{}", meta.path, statistic.name()) } else { meta.path.clone() }
    }

    /// Names coordinates that are no dimensions.
    pub(super) fn name_coordinates<'n>(&self, attrs: &mut Attrs, more: impl Iterator<Item = &'n str>) {
        let mut names = references::named(attrs, "coordinates");
        for name in more.filter(|name| !name.is_empty()) {
            if !names.iter().any(|n| n == name) {
                names.push(name.to_string());
            }
        }
        if !names.is_empty() {
            attrs.set("coordinates", names.join(" "));
        }
    }

    /// Whether groups run along a dimension.
    pub(super) fn is_grouped(&self, dim: &str) -> bool {
        self.grouping.is_some_and(|grouping| grouping.dims.iter().any(|d| d == dim))
    }

    /// Whether a dimension is reduced.
    fn goes(&self, one: &Chosen, k: usize) -> bool {
        self.request.rolling.is_none() && one.axes.contains(&k)
    }

    fn array(
        &self,
        input: &LazyArray,
        statistic: &Statistic,
        one: &Chosen,
        weights: Option<&Found>,
    ) -> Result<LazyArray> {
        let axes: Vec<i64> = one.axes.iter().map(|&k| k as i64).collect();
        let weights = weights.map(|found| &found.weights);
        let cells = |options| Cells { axes: &axes, groups: None, weights, options };
        match (statistic, self.request.rolling) {
            (Statistic::Fold(op), None) => statistic.of(input, &cells(self.request.options_of(*op, one)?)),
            (Statistic::Fold(op), Some(window)) => match weights {
                Some(weights) => input.rolling_by(one.axes[0], window, *op, weights, self.request.options),
                None => input.rolling(one.axes[0], window, *op, self.request.options),
            },
            // The output names the dimensions, and one of them may be called `quantile` already.
            (Statistic::Order(_), None) => statistic.of(&input.without_dims(), &cells(self.request.options)),
            (Statistic::Order(order), Some(_)) => Err(Error::usage(format!(
                "no {order} of windows; there are the operations that one pass gives, as mean"
            ))),
        }
    }

    /// The coordinate of quantiles, which it adds where it is not there yet.
    pub(super) fn lead(&mut self, statistic: &Statistic, group: &str) -> Result<Option<Lead>> {
        let Statistic::Order(OrderStatistic::Quantile { at, .. }) = statistic else { return Ok(None) };
        let taken = |name: &str| {
            let root = self.root();
            root.all_vars().iter().any(|v| v.name() == name || v.dims.iter().any(|d| d == name))
        };
        let mut name = "quantile".to_string();
        while taken(&name) {
            name.push('_');
        }
        let path = if group.is_empty() { name.clone() } else { format!("{group}/{name}") };
        let lead = Lead { name, home: group.to_string(), at: at.clone() };
        if self.done.schema.var(&path).is_some() {
            return Ok(Some(lead));
        }
        let (shape, dims): (Vec<u64>, Vec<_>) = match at.is_scalar() {
            true => (Vec::new(), Vec::new()),
            false => (vec![at.len() as u64], vec![lead.dimension()]),
        };
        let array = LazyArray::from_slice(at.values(), &shape, &*shape)?;
        let mut attrs = Attrs::new();
        attrs.set("long_name", "quantile");
        attrs.set("units", "1");
        let meta = native(path.clone(), DType::F64, shape.clone().into(), attrs);
        let root = self.root();
        output::insert(&mut self.done.schema, root, meta, &dims);
        self.done.wanted.push(Wanted { path, array, ones: vec![false; shape.len()], stored: DType::F64 });
        Ok(Some(lead))
    }

    fn dims_of(&self, one: &Chosen, kept: &[usize]) -> Vec<(Option<String>, Dimension)> {
        let all = (0..one.meta.dims.len()).filter(|k| self.request.keep_dims == KeepDims::Yes || kept.contains(k));
        all.map(|k| {
            let (home, mut dim) = dimension(self.root(), &one.meta, k);
            if self.goes(one, k) {
                dim = Dimension { len: 1, unlimited: false, ..dim };
            }
            (home, dim)
        })
        .collect()
    }

    pub(super) fn result_attrs(
        &self,
        one: &Chosen,
        statistic: &Statistic,
        dtype: DType,
        weights: Option<&Found>,
    ) -> Attrs {
        let mut attrs = Attrs::new();
        match dtype {
            DType::F32 => attrs.set("_FillValue", Value::F32(vec![f32::NAN])),
            DType::F64 => attrs.set("_FillValue", Value::F64(vec![f64::NAN])),
            DType::I64 if has_minus_one(statistic) => attrs.set("_FillValue", Value::I64(vec![-1])),
            _ => {}
        }
        for (name, value) in one.meta.attrs.iter().filter(|(name, _)| !decoding::ENCODING.contains(name)) {
            attrs.set(name, value.clone());
        }
        let dims = self.method_names(one);
        let was_observations = names::is_observations(&attrs);
        match (statistic, self.request.rolling) {
            (Statistic::Fold(op), Some(window)) => windowed(&mut attrs, *op, &dims, window, weights),
            _ => described(&mut attrs, statistic, &dims, repeated(self.grouping), weights),
        }
        if !was_observations {
            Conventions::of(&self.root().attrs).observed(&mut attrs);
        }
        flags_as(&mut attrs, dtype);
        // Ancillary data describe the values that went in.
        attrs.remove("ancillary_variables");
        self.retain(&mut attrs, one.meta.group());
        if self.request.rolling.is_some() {
            return attrs;
        }
        // Cells of another file are those of before, and still the same only after time.
        if !self.is_over_time(one) {
            let is_here = |name: &str| scope::variable(self.root(), one.meta.group(), name).is_some();
            references::retain(&mut attrs, |attribute, name| attribute == "cell_measures" && !is_here(name));
        }
        if self.request.keep_dims == KeepDims::No {
            let scalars = one.axes.iter().filter(|&&k| {
                self.gone.contains(&key(self.root(), &one.meta, k)) && !self.is_grouped(&one.meta.dims[k])
            });
            let named = scalars.filter_map(|&k| self.reducible_coordinate(one.meta.group(), &one.meta.dims[k]));
            self.name_coordinates(&mut attrs, named.map(VarMeta::name));
        }
        attrs
    }

    /// What `cell_methods` calls the reduced axes: by their dimensions, which are scalar coordinates then, or `area` where
    /// all that is horizontal goes and no coordinate is left that could be named (CF 7.3).
    fn method_names(&self, one: &Chosen) -> Vec<String> {
        let goes = |k: &usize| {
            self.goes(one, *k)
                && self.request.keep_dims == KeepDims::No
                && scope::coordinate(self.root(), one.meta.group(), &one.meta.dims[*k]).is_none()
        };
        let horizontal = Horizontal::of(self.dataset, &one.meta).map(|found| found.axes()).unwrap_or_default();
        let is_area = horizontal.iter().all(|k| one.axes.contains(k) && goes(k));
        let name = |k: &usize| match (is_area && horizontal.contains(k), self.grouping, &one.meta.dims[*k]) {
            (true, ..) => "area".to_string(),
            (false, Some(grouping), dim) => grouping.method_name(dim).to_string(),
            (false, None, dim) => dim.clone(),
        };
        let mut names: Vec<String> = one.axes.iter().map(name).collect();
        names.dedup();
        names
    }

    /// Takes out of the attributes what names a variable that the output will not have. What the input does not have
    /// either may lie in another file.
    pub(super) fn retain(&self, attrs: &mut Attrs, group: &str) {
        references::retain(attrs, |attribute, name| match scope::variable(self.root(), group, name) {
            None => false,
            // What is reduced is no measure of cells any more, but a formula holds for its terms' means.
            Some(v) if self.chosen.contains(&v.path) => self.request.ops.len() > 1 || attribute == "cell_measures",
            Some(v) => !(self.stays(v) || self.is_there_reduced(v)),
        });
    }

    /// Whether a reduced coordinate is there in another form: as a scalar, or as labels of groups.
    fn is_there_reduced(&self, v: &VarMeta) -> bool {
        let is_named = |dim: &str| self.grouping.is_some_and(|grouping| grouping.names(dim));
        self.is_reduced_coordinate(v) && (!self.is_grouped(v.name()) || is_named(v.name()))
    }

    /// Whether all of the reduced axes are time's.
    fn is_over_time(&self, one: &Chosen) -> bool {
        one.axes.iter().all(|&k| {
            let coordinate = scope::coordinate(self.root(), one.meta.group(), &one.meta.dims[k]);
            coordinate.is_some_and(|c| is_time(&c.attrs))
        })
    }

    /// Whether a variable is untouched by the reduction, and can be written.
    pub(super) fn stays(&self, v: &VarMeta) -> bool {
        writable(v) && !(0..v.dims.len()).any(|k| self.gone.contains(&key(self.root(), v, k)))
    }

    pub(super) fn is_reduced_coordinate(&self, v: &VarMeta) -> bool {
        v.dims.len() == 1
            && v.dims[0] == v.name()
            && v.stored.dtype().is_some()
            && self.gone.contains(&key(self.root(), v, 0))
    }

    pub(super) fn reducible_coordinate(&self, group: &str, dim: &str) -> Option<&'a VarMeta> {
        scope::coordinate(self.root(), group, dim)
            .filter(|v| v.stored.dtype().is_some() && v.shape.elements().is_ok_and(|n| n > 0))
    }
}

/// Rewrites a variable's attributes for its reduction over dimensions, by groups or not, weighted or not.
pub(crate) fn described(
    attrs: &mut Attrs,
    statistic: &Statistic,
    dims: &[String],
    of: Repeated<'_>,
    weights: Option<&Found>,
) {
    match (weights, statistic) {
        (Some(weights), _) => weights.describe(attrs, statistic, dims, of),
        (None, Statistic::Fold(op)) => cell_methods::grouped(attrs, *op, dims, of),
        (None, Statistic::Order(order)) => cell_methods::ordered(attrs, order, dims, None),
    }
}

/// Rewrites a variable's attributes for windows of it along a dimension.
pub(crate) fn windowed(attrs: &mut Attrs, op: Op, dims: &[String], window: Rolling, weights: Option<&Found>) {
    match weights {
        Some(weights) => weights.describe_windows(attrs, op, dims, &window_text(window)),
        None => cell_methods::rolled(attrs, op, dims, &window_text(window)),
    }
}

/// Whether a result that is missing is -1.
fn has_minus_one(statistic: &Statistic) -> bool {
    matches!(statistic, Statistic::Fold(Op::ArgMin | Op::ArgMax) | Statistic::Order(OrderStatistic::NUnique))
}

/// What a window is, in words.
fn window_text(window: Rolling) -> String {
    let values = if window.length == 1 { "value" } else { "values" };
    let anchor = if window.anchor == Anchor::Center { "centered " } else { "" };
    format!("{anchor}window of {} {values}", window.length)
}

/// A variable that is written as it is in memory.
pub(super) fn native(path: String, dtype: DType, shape: Shape, attrs: Attrs) -> VarMeta {
    VarMeta {
        path,
        stored: StoredType::native(dtype),
        shape,
        dims: Vec::new(),
        dims_named: true,
        attrs,
        fill: None,
        storage: Storage { kind: "contiguous", ..Storage::default() },
    }
}

/// Whether outputs have a type for its values.
pub(super) fn writable(v: &VarMeta) -> bool {
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

pub(super) fn key(root: &Group, meta: &VarMeta, axis: usize) -> DimKey {
    (scope::declaring(root, meta.group(), &meta.dims[axis]), meta.dims[axis].clone())
}

fn with_ones(lengths: &[u64], ones: &[bool]) -> Shape {
    if ones.len() == lengths.len() {
        return lengths.into();
    }
    let mut rest = lengths.iter();
    ones.iter().map(|&one| if one { 1 } else { rest.next().copied().unwrap_or(1) }).collect()
}
