//! What `aosx reduce` is asked for: [`Reduction`].

use super::{By, Computation, Dataset, Grouping, Weights, reduced::Builder, scope};
use crate::{
    array::{AxisWeights, Folding, Groups, LazyArray, Rolling},
    cf::{decoding::ValidRange, references},
    error::{Error, Problem, Result, closest},
    kernels::{
        fold::{FoldOptions, Op},
        lanes::OrderStatistic,
    },
    shape::Shape,
    source::{Group, VarMeta},
};
use std::collections::BTreeSet;

/// What is computed of all values along the axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statistic {
    /// What one pass over the values gives.
    Fold(Op),
    /// What depends on their order.
    Order(OrderStatistic),
}

impl Statistic {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Statistic::Fold(op) => op.name(),
            Statistic::Order(statistic) => statistic.name(),
        }
    }

    /// Its value for each cell of the result.
    ///
    /// *Missing*: groups that nothing is in have NaN where there is no value to choose. For that integers become floats,
    /// as xarray makes them: float32 up to 16 bits, float64 up to 32.
    ///
    /// # Errors
    /// When axes are not there or named twice, groups or weights do not fit, or it has no meaning with weights.
    pub(crate) fn of(&self, x: &LazyArray, cells: &Cells) -> Result<LazyArray> {
        let Some(weights) = cells.weights else { return self.unweighted(x, cells) };
        let (axes, options) = (cells.axes, cells.options);
        match (self, cells.groups) {
            (Statistic::Fold(op), None) => x.weighted_by(*op, weights, axes, options),
            (Statistic::Fold(op), Some((groups, along))) => {
                x.weighted_groups(*op, weights, along, groups, axes, options)
            }
            (Statistic::Order(order), None) => x.order_by(order.clone(), weights, axes, options),
            (Statistic::Order(order), Some((groups, along))) => {
                x.grouped_order_by(order.clone(), weights, along, groups, axes, options)
            }
        }
    }

    fn unweighted(&self, x: &LazyArray, cells: &Cells) -> Result<LazyArray> {
        let (axes, options) = (cells.axes, cells.options);
        match (self, cells.groups) {
            (Statistic::Fold(op), None) => x.reduce(*op, axes, options),
            (Statistic::Fold(op), Some((groups, along))) => {
                x.grouped_by(Folding::Op { op: *op, options }, along, groups, axes)
            }
            (Statistic::Order(order), None) => x.order_statistic(order.clone(), axes, options),
            (Statistic::Order(order), Some((groups, along))) => {
                x.grouped_order(order.clone(), along, groups, axes, options)
            }
        }
    }
}

/// Which values make each cell of a result, and what they count.
pub(crate) struct Cells<'a> {
    /// Axes of which all goes into one cell.
    pub axes: &'a [i64],
    /// Groups, and the other axes, which they run along.
    pub groups: Option<(&'a Groups, &'a [i64])>,
    pub weights: Option<&'a AxisWeights>,
    pub options: FoldOptions,
}

impl From<Op> for Statistic {
    fn from(op: Op) -> Statistic {
        Statistic::Fold(op)
    }
}

impl From<&Op> for Statistic {
    fn from(op: &Op) -> Statistic {
        Statistic::Fold(*op)
    }
}

impl From<OrderStatistic> for Statistic {
    fn from(statistic: OrderStatistic) -> Statistic {
        Statistic::Order(statistic)
    }
}

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
    pub ops: Vec<Statistic>,
    /// Which axes.
    pub axes: Axes,
    /// Degrees of freedom, rules for missing values.
    pub options: FoldOptions,
    /// What becomes of reduced dimensions.
    pub keep_dims: KeepDims,
    /// Whether `valid_range` counts.
    pub valid: ValidRange,
    /// One value for each window along the one axis, which stays, instead of one for all.
    pub rolling: Option<Rolling>,
    /// One value for each group along the axes that these run along, instead of one for all. Those axes are reduced
    /// whether they are named or not.
    pub by: Vec<By>,
    /// What each value counts; none means that all count the same.
    pub weights: Option<Weights>,
}

/// A variable and the positions of its axes that are reduced, or that the windows move along.
pub(super) struct Chosen {
    pub meta: VarMeta,
    pub axes: Vec<usize>,
}

impl Reduction {
    /// Reduces all variables along `axes`.
    pub fn new<S: Into<Statistic>>(ops: impl IntoIterator<Item = S>, axes: Axes) -> Reduction {
        Reduction {
            variables: Vec::new(),
            ops: ops.into_iter().map(S::into).collect(),
            axes,
            options: FoldOptions::default(),
            keep_dims: KeepDims::No,
            valid: ValidRange::Ignore,
            rolling: None,
            by: Vec::new(),
            weights: None,
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
    /// When a variable or dimension is not there, or does not hold numbers; when windows are to move along several
    /// dimensions, or have no such operation; when there are no such weights, or no such operation with weights.
    pub fn of(&self, dataset: &Dataset) -> Result<Computation> {
        if self.by.is_empty() {
            return self.computed(dataset, None);
        }
        if self.rolling.is_some() || self.keep_dims == KeepDims::Yes {
            return Err(Error::usage(
                "groups have neither windows nor kept dimensions; leave out --rolling or --keepdims",
            ));
        }
        let grouping = Grouping::of(dataset, &self.by)?;
        let mut request = self.clone();
        if let Axes::Named(names) = &mut request.axes {
            let more = grouping.dims.iter().filter(|dim| !names.contains(dim)).cloned().collect::<Vec<_>>();
            names.extend(more);
        }
        request.computed(dataset, Some(&grouping))
    }

    fn computed(&self, dataset: &Dataset, grouping: Option<&Grouping>) -> Result<Computation> {
        let mut chosen = self.choose(dataset).map_err(|e| e.in_file(dataset.path()))?;
        if let Some(grouping) = grouping.filter(|_| self.variables.is_empty()) {
            // What is grouped by, and what is called as its groups will be, is no value.
            let is_among =
                |meta: &VarMeta| self.by.iter().any(|by| by.variable() == meta.path) || grouping.names(&meta.path);
            chosen.retain(|c| grouping.dims.iter().all(|dim| c.meta.dims.contains(dim)) && !is_among(&c.meta));
            if chosen.is_empty() {
                let along = grouping.dims.join(", ");
                let problem = format!("no other numeric variable lies along what groups run along: {along}");
                return Err(Error::usage(format!("{problem}; name one with --var")).in_file(dataset.path()));
            }
        }
        if self.variables.is_empty() && matches!(self.weights, Some(Weights::Area | Weights::CellMeasures)) {
            // The areas of cells are what the others are weighted by.
            let area = |c: &Chosen| {
                let name = references::measure(&c.meta.attrs, "area")?;
                scope::variable(dataset.root(), c.meta.group(), &name).map(|v| v.path.clone())
            };
            let areas: BTreeSet<String> = chosen.iter().filter_map(area).collect();
            chosen.retain(|c| !areas.contains(&c.meta.path));
        }
        let mut builder = Builder::new(dataset, self, &chosen, grouping);
        for one in &chosen {
            builder.compute(one).map_err(|e| e.in_variable(&one.meta.path).in_file(dataset.path()))?;
        }
        builder.carry_along(&chosen)?;
        builder.reduce_coordinates(&chosen)?;
        Ok(builder.done)
    }

    /// A position has no NaN to be missing with: where one missing value makes the result so, it needs all values.
    pub(super) fn options_of(&self, op: Op, one: &Chosen) -> Result<FoldOptions> {
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
        if self.rolling.is_some() && !matches!(&self.axes, Axes::Named(names) if names.len() == 1) {
            return Err(Error::usage("windows move along one dimension; give --axis time"));
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
