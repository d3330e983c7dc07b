//! Weighted folds by their definition.

use aosx::prelude::{FoldOptions, Op};

/// The weighted fold of pairs of value and weight.
pub fn weighted(cell: &[(f64, f64)], op: Op, options: FoldOptions) -> f64 {
    let there: Vec<(f64, f64)> = cell.iter().copied().filter(|(x, _)| !x.is_nan()).collect();
    let least = if options.keep_missing { options.min_count.max(cell.len() as u64) } else { options.min_count };
    if (there.len() as u64) < least {
        return f64::NAN;
    }
    let total: f64 = there.iter().map(|(_, w)| w).sum();
    let total = if total == 0.0 { f64::NAN } else { total };
    let sum: f64 = there.iter().map(|(x, w)| x * w).sum();
    let variance = there.iter().map(|(x, w)| w * (x - sum / total).powi(2)).sum::<f64>() / total;
    match op {
        Op::Sum => sum,
        Op::Count => total,
        Op::Mean => sum / total,
        Op::Var => variance,
        _ => variance.sqrt(),
    }
}
