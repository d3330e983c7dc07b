//! Functions that need a whole axis: running sums, sorting, order statistics, and picking along an axis.
//!
//! *Shape*: everything is row-major `[outer, n, inner]`, where `n` is the axis; a lane is the `n` elements of one
//! `outer` and one `inner` position. Elements are native; bytes are aligned as those of a [`Block`](crate::block::Block).

mod cumulate;
mod narrow;
mod number;
mod op;
mod place;
mod rank;
mod select;
mod sort;
mod statistic;
mod take;
#[cfg(test)]
mod tests;
mod weighted;

pub use cumulate::Onward;
pub use narrow::{Collected, InOrder, Narrow, Room, Search, Staged, StagedKey, Tally, Unsorted};
pub use op::{LaneOp, Order};
pub use statistic::{LaneOptions, Method, OneOrMany, OrderStatistic, Quantiles};
pub use take::{take_along, take_rows};
pub use weighted::LaneWeights;

use crate::dtype::DType;

/// The lengths `[outer, n, inner]`.
#[derive(Debug, Clone, Copy)]
struct Lanes {
    outer: usize,
    n: usize,
    inner: usize,
}

/// Applies `op` along the middle axis of `src`, which is `[outer, n, inner]` elements of `dtype`.
///
/// `out` is `[outer, op.result_len(n), inner]` elements of `op.result_dtype(dtype)`; `scratch` has at least
/// `op.scratch_bytes(dtype, n)` bytes, whatever they hold.
///
/// # Panics
/// When a buffer has another length than that, or is not aligned for its elements (`scratch`: as a block is).
#[allow(clippy::too_many_arguments)] // the shape is three of them
pub fn lanes(
    op: &LaneOp,
    dtype: DType,
    src: &[u8],
    outer: usize,
    n: usize,
    inner: usize,
    out: &mut [u8],
    scratch: &mut [u8],
) {
    let lanes = Lanes { outer, n, inner };
    let result = op.result_len(n as u64) as usize;
    assert_eq!(src.len(), outer * n * inner * dtype.size(), "the input is [outer, n, inner]");
    assert_eq!(out.len(), outer * result * inner * op.result_type(dtype).size(), "the output is [outer, m, inner]");
    if out.is_empty() {
        return;
    }
    if let LaneOp::Statistic { statistic, options } = op {
        // Of no values too there are results, missing ones.
        return select::statistic(statistic, *options, dtype, src, lanes, out, scratch);
    }
    if let LaneOp::Weighted { statistic, weights, options } = op {
        return weighted::statistic(statistic, weights, *options, dtype, src, lanes, out, scratch);
    }
    match *op {
        LaneOp::CumSum | LaneOp::CumProd | LaneOp::NanCumSum | LaneOp::NanCumProd | LaneOp::CumMax | LaneOp::CumMin => {
            cumulate::whole(op, dtype, src, lanes, out)
        }
        LaneOp::Sort { order } => sort::values(order, dtype, src, lanes, result, out, scratch),
        LaneOp::TopK { order, .. } => sort::values(order, dtype, src, lanes, result, out, scratch),
        LaneOp::ArgSort { order } => sort::indices(order, dtype, src, lanes, result, out, scratch),
        LaneOp::ArgTopK { order, .. } => sort::indices(order, dtype, src, lanes, result, out, scratch),
        LaneOp::Rank => rank::rank(dtype, src, lanes, out, scratch),
        LaneOp::Statistic { .. } | LaneOp::Weighted { .. } => unreachable!("statistics are computed above"),
    }
}

/// As [`lanes`] for a running result, of which these are the next rows: `[outer, rows, inner]` elements go on from
/// `onward.carry` and leave it at their last row. The bits are those of all rows at once.
///
/// `out` is `[outer, onward.pitch, inner]`, of which the rows from `onward.at` on are written.
///
/// # Panics
/// When `op` is not cumulative, or a buffer is too short or not aligned for its elements.
pub fn onward(op: &LaneOp, dtype: DType, src: &[u8], shape: [usize; 3], onward: Onward<'_>, out: &mut [u8]) {
    assert!(op.is_cumulative(), "{op} needs a whole axis");
    let [outer, n, inner] = shape;
    assert_eq!(src.len(), outer * n * inner * dtype.size(), "the input is [outer, n, inner]");
    if !src.is_empty() {
        cumulate::cumulate(op, dtype, src, Lanes { outer, n, inner }, onward, out);
    }
}
