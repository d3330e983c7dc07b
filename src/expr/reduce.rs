//! Reductions: `mean(t, lat, lon, weights="area")`, `quantile(t, time, q=0.9, by=time.month)`.

use super::{
    ast::{Expr, ExprKind},
    attributes::{self, Kept},
    back::brought_back,
    bind::Binder,
    call::{Call, axes, dtype},
    groups, order,
    value::{At, Bound, Failure, Quantity, float, integer, wrong},
};
use crate::{
    array::{AxisWeights, LazyArray},
    dataset::{Cells, Found, KNOWN_MAX, Statistic, Taken, Weights, described},
    error::Result,
    kernels::fold::{FoldOptions, Op},
};

impl Binder<'_> {
    /// One value for all along some dimensions, or for each group; a list of quantiles makes a first dimension.
    pub fn reduction(&mut self, call: &Call) -> Bound<Quantity> {
        let mut x = self.array(call.required("x")?)?;
        let (statistic, options) = statistic_of(call)?;
        let wanted = call.given("dtype").map(dtype).transpose()?;
        if let Some(wanted) = wanted {
            x.array = x.array.astype(wanted);
        }
        let weights = self.weights(call, &x)?;
        if let Some(grouped) = self.groups_of(call, &x)? {
            let asked = groups::Reduced { statistic, options, weights: weights.as_ref(), dims: &call.args.rest };
            return asked.by(&x, grouped, call.span);
        }
        let axes = axes(&call.args.rest, &x)?;
        let axes = if axes.is_empty() { x.array.all_axes() } else { axes };
        let cells = Cells { axes: &axes, groups: None, weights: weights.as_ref().map(|w| &w.weights), options };
        let array = match call.name {
            "count_nonzero" => x.array.count_nonzero(&axes),
            _ => statistic.of(&x.array, &cells),
        };
        let mut array = array.at(call.span)?;
        if let Some(wanted) = wanted {
            array = array.astype(wanted);
        }
        if call.flag("keepdims", false)? {
            array = with_ones(&x, &array, &axes).at(call.span)?;
        }
        let dims: Vec<String> = axes.iter().filter_map(|&k| x.dims().get(k as usize).cloned()).collect();
        let mut out = x.with(array, Kept::Nothing);
        out.attrs = attributes::kept(Kept::All, &[&x.attrs]);
        described(&mut out.attrs, &statistic, &dims, None, weights.as_ref());
        // Where cells were joined, their areas are no more.
        out.attrs.remove("cell_measures");
        out.taken.retain(|(dim, _)| !dims.contains(dim));
        Ok(out)
    }

    /// What `weights=` says that each value counts: by name, as what `reduce --weights` takes, or by an expression.
    pub fn weights(&mut self, call: &Call, x: &Quantity) -> Bound<Option<Found>> {
        let Some(expr) = call.given("weights") else { return Ok(None) };
        let named = match &expr.kind {
            ExprKind::Text(name) => Some(Weights::from_name(name).at(expr.span)?),
            ExprKind::Name(name) => match Weights::from_name(name).at(expr.span)? {
                Weights::Variable(_) => None,
                named => Some(named).filter(|_| self.value(expr).is_err()),
            },
            _ => None,
        };
        match named {
            Some(weights) => self.weights_of_place(&weights, expr, x).map(Some),
            None => self.weights_of_expression(expr, x).map(Some),
        }
    }

    /// What a variable that an array comes from has for weights, as far as its places are still there.
    fn weights_of_place(&self, weights: &Weights, expr: &Expr, x: &Quantity) -> Bound<Found> {
        let mut failed = None;
        for used in &x.from {
            let dataset = &self.inputs[used.input].dataset;
            let meta = dataset.variable(&used.path).map_err(Failure::Input)?;
            let selected = self.still_there(used.input, &[&used.path], x, expr.span)?;
            let found = selected.variable(&meta.path).and_then(|meta| selected.weights(meta, weights));
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    failed.get_or_insert(error);
                    continue;
                }
            };
            let place = |dim: &String| x.dims().iter().position(|d| d == dim);
            let places: Vec<Option<usize>> = meta.dims.iter().map(place).collect();
            if let Some(gone) = found.weights.axes().iter().find(|&&k| places[k].is_none()) {
                return wrong(
                    expr.span,
                    format!("the weights lie along '{}', which this does not have", meta.dims[*gone]),
                );
            }
            // What is not there has no weights, and so any place will do.
            let axes: Vec<usize> = places.into_iter().map(Option::unwrap_or_default).collect();
            return found.along(&axes).at(expr.span);
        }
        match failed {
            Some(error) => Err(error).at(expr.span),
            None => wrong(expr.span, "this comes from no variable that has weights"),
        }
    }

    /// The numbers of an array whose dimensions were then put in another order; `None` where they are not known.
    fn numbers_in_order(&self, of: &Quantity, turned: &[(String, Taken)]) -> Bound<Option<Vec<f64>>> {
        let Some(mut numbers) = self.numbers_of(&of.array)? else { return Ok(None) };
        for (dim, taken) in turned {
            let (Taken::Positions(positions), Some(axis)) = (taken, of.dims().iter().position(|d| d == dim)) else {
                return Ok(None);
            };
            numbers = picked(&numbers, of.array.shape(), axis, positions);
        }
        Ok(Some(numbers))
    }

    /// What an expression is worth, as weights.
    fn weights_of_expression(&mut self, expr: &Expr, x: &Quantity) -> Bound<Found> {
        let given = self.array(expr)?;
        let [_, weights] = self.places.together([x, &given])?;
        let turned = &weights.taken[given.taken.len()..].to_vec();
        let weights = brought_back(&weights, x, &self.places, expr.span)?.unwrap_or(weights);
        let (rank, own) = (x.array.ndim(), weights.array.ndim());
        let axes = match weights.array.dims() {
            _ if own == 0 => Vec::new(),
            None if own <= rank => (rank - own..rank).collect(),
            None => return wrong(expr.span, format!("weights of {own} dimensions for values of {rank}")),
            Some(dims) => {
                let place = |dim: &String| match x.dims().iter().position(|d| d == dim) {
                    Some(at) => Ok(at),
                    None => wrong(expr.span, format!("the weights lie along '{dim}', which this does not have")),
                };
                dims.iter().map(place).collect::<Bound<Vec<usize>>>()?
            }
        };
        let known = match weights.array.size() <= KNOWN_MAX {
            true => match self.numbers_of(&weights.array)? {
                None if given.dims() == weights.dims() => self.numbers_in_order(&given, turned)?,
                known => known,
            },
            false => None,
        };
        let weighted = match known {
            Some(numbers) => AxisWeights::new(numbers, &axes, weights.array.shape()),
            None => AxisWeights::lazy(weights.array.clone(), &axes),
        };
        let units = weights.attrs.text("units");
        Ok(Found::computed(weighted.at(expr.span)?, weights.dims(), expr.to_string(), units))
    }
}

/// Row-major values with those along an axis taken from these positions.
fn picked(values: &[f64], shape: &[u64], axis: usize, positions: &[i64]) -> Vec<f64> {
    let inner = shape[axis + 1..].iter().product::<u64>() as usize;
    let slab = inner * shape[axis] as usize;
    let rows = |slab: &[f64]| -> Vec<f64> {
        positions.iter().flat_map(|&at| slab.iter().skip(at as usize * inner).take(inner)).copied().collect()
    };
    values.chunks(slab.max(1)).flat_map(rows).collect()
}

/// The statistic that a reduction is, and its options.
fn statistic_of(call: &Call) -> Bound<(Statistic, FoldOptions)> {
    let skip = call.flag("skipna", true)?;
    let min_count = call.given("min_count").map_or(Ok(0), |e| integer(e, "min_count"))?;
    let Ok(min_count) = u64::try_from(min_count) else { return wrong(call.span, "min_count is not negative") };
    let ddof = call.given("ddof").map_or(Ok(0.0), |e| float(e, "ddof"))?;
    let statistic = match call.name {
        name if order::is_statistic(name) => order::statistic(call)?.into(),
        "average" => Op::Mean.into(),
        "count_nonzero" => Op::Count.into(),
        "ptp" => Op::Range.into(),
        name => Op::from_name(name).at(call.span)?.into(),
    };
    Ok((statistic, FoldOptions { ddof, keep_missing: !skip, min_count }))
}

/// The reduced dimensions again, with length 1.
fn with_ones(x: &Quantity, reduced: &LazyArray, axes: &[i64]) -> Result<LazyArray> {
    let lead = (reduced.ndim() + axes.len() - x.array.ndim()) as i64;
    let mut sorted: Vec<i64> = axes.iter().map(|k| k + lead).collect();
    sorted.sort_unstable();
    let out = reduced.expand_dims(&sorted)?;
    let first = reduced.dims().unwrap_or_default().iter().take(lead as usize);
    let names: Vec<&str> = first.chain(x.dims()).map(String::as_str).collect();
    if x.dims().is_empty() { Ok(out) } else { out.with_dims(&names) }
}
