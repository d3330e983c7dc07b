//! Statistics that depend on the order of values: quantiles and their like.

use super::{
    ast::{Expr, ExprKind},
    attributes::{self, Kept},
    bind::Binder,
    call::{Call, axes},
    value::{At, Bound, Quantity, integer, numbers, text, wrong},
};
use crate::{
    array::LazyArray,
    cf::cell_methods,
    error::Result,
    kernels::lanes::{LaneOptions, Method, OrderStatistic, Quantiles},
};

/// Whether a function of the table is one of them.
pub(super) fn is_statistic(name: &str) -> bool {
    name == "percentile" || OrderStatistic::NAMES.contains(&name)
}

impl Binder<'_> {
    /// One value for all along some dimensions; a list of quantiles makes a first dimension.
    pub fn order_statistic(&mut self, call: &Call) -> Bound<Quantity> {
        let x = self.array(call.required("x")?)?;
        let axes = axes(&call.args.rest, &x)?;
        let axes = if axes.is_empty() { x.array.all_axes() } else { axes };
        let min_count = call.given("min_count").map_or(Ok(0), |e| integer(e, "min_count"))?;
        let Ok(min_count) = u64::try_from(min_count) else { return wrong(call.span, "min_count is not negative") };
        let options = LaneOptions { keep_missing: !call.flag("skipna", true)?, min_count };
        let statistic = statistic(call)?;
        let mut array = x.array.order_statistic(statistic.clone(), &axes, options).at(call.span)?;
        if call.flag("keepdims", false)? {
            array = with_ones(&x, &array, &axes).at(call.span)?;
        }
        let dims: Vec<String> = axes.iter().filter_map(|&k| x.dims().get(k as usize).cloned()).collect();
        let mut out = x.with(array, Kept::Nothing);
        out.attrs = attributes::kept(Kept::All, &[&x.attrs]);
        cell_methods::ordered(&mut out.attrs, &statistic, &dims);
        // Where cells were joined, their areas are no more.
        out.attrs.remove("cell_measures");
        out.taken.retain(|(dim, _)| !dims.contains(dim));
        Ok(out)
    }
}

fn statistic(call: &Call) -> Bound<OrderStatistic> {
    Ok(match call.name {
        "median" => OrderStatistic::Median,
        "mad" => OrderStatistic::Mad,
        "iqr" => OrderStatistic::Iqr,
        "nunique" => OrderStatistic::NUnique,
        "mode" => OrderStatistic::Mode,
        name => {
            let q = call.required("q")?;
            let whole = if name == "percentile" { 100.0 } else { 1.0 };
            let method = match call.given("method") {
                Some(expr) => Method::from_name(&text(expr, "method")?).at(expr.span)?,
                None => Method::Linear,
            };
            OrderStatistic::Quantile { at: quantiles(q, whole)?, method }
        }
    })
}

/// Quantiles as parts of `whole`: a number, or a list.
fn quantiles(q: &Expr, whole: f64) -> Bound<Quantiles> {
    let parts: Vec<f64> = numbers(q, "quantiles")?.iter().map(|n| n.to_f64() / whole).collect();
    match (&q.kind, &*parts) {
        (ExprKind::List(_), _) | (_, []) => Quantiles::new(parts).at(q.span),
        (_, [one, ..]) => Quantiles::new(*one).at(q.span),
    }
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
