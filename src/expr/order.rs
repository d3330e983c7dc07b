//! Statistics that depend on the order of values: quantiles and their like.

use super::{
    ast::{Expr, ExprKind},
    call::Call,
    value::{At, Bound, numbers, text},
};
use crate::kernels::lanes::{Method, OrderStatistic, Quantiles};

/// Whether a function of the table is one of them.
pub(super) fn is_statistic(name: &str) -> bool {
    name == "percentile" || OrderStatistic::NAMES.contains(&name)
}

/// Which statistic of order a function is.
pub(super) fn statistic(call: &Call) -> Bound<OrderStatistic> {
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
