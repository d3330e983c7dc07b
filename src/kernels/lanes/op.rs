//! What there is along an axis: [`LaneOp`].

use super::{
    select, sort,
    statistic::{LaneOptions, OrderStatistic},
    weighted::{self, LaneWeights},
};
use crate::{
    dtype::{DType, NumberKind},
    error::Result,
};
use std::fmt;

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The smallest.
    Ascending,
    /// The largest.
    Descending,
}

/// A function of the elements along one axis.
///
/// Sorting is stable (equal elements keep their order, and -0.0 equals 0.0), and NaN comes last in either order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LaneOp {
    /// Sums of the first elements, each rounded to the type of the result as NumPy does; integers wrap.
    CumSum,
    /// Products of the first elements, rounded and wrapped as sums are.
    CumProd,
    /// As [`CumSum`](LaneOp::CumSum), with NaN taken for 0.
    NanCumSum,
    /// As [`CumProd`](LaneOp::CumProd), with NaN taken for 1.
    NanCumProd,
    /// The largest of the first elements; NaN from the first NaN on.
    CumMax,
    /// The smallest of the first elements; NaN from the first NaN on.
    CumMin,
    /// The elements in order.
    Sort {
        /// Which end comes first.
        order: Order,
    },
    /// Where the elements of [`Sort`](LaneOp::Sort) are along the axis.
    ArgSort {
        /// Which end comes first.
        order: Order,
    },
    /// The first `k` elements (all, where there are fewer) of [`Sort`](LaneOp::Sort).
    TopK {
        /// How many.
        k: u64,
        /// `Descending` for the largest, largest first.
        order: Order,
    },
    /// Where the elements of [`TopK`](LaneOp::TopK) are along the axis.
    ArgTopK {
        /// How many.
        k: u64,
        /// `Descending` for the largest, largest first.
        order: Order,
    },
    /// The place of each value among all in order, counted from 1; equal ones share the mean of theirs, and NaN stays
    /// (`xarray.DataArray.rank`).
    Rank,
    /// One value, or one for each quantile, for all.
    Statistic {
        /// Which.
        statistic: OrderStatistic,
        /// What becomes of missing values.
        options: LaneOptions,
    },
    /// A statistic of weighted values; values of weight 0 are left out. Quantiles are of type 7 by the effective sample
    /// size (`xarray`'s `weighted(..).quantile`), and so are medians of distances; the mode has the largest total weight.
    Weighted {
        /// Which: one of [`has_weights`](OrderStatistic::has_weights).
        statistic: OrderStatistic,
        /// One for each position of the axis.
        weights: LaneWeights,
        /// What becomes of missing values.
        options: LaneOptions,
    },
}

impl LaneOp {
    /// NumPy's name of it, or Dask's.
    pub const fn name(&self) -> &'static str {
        match self {
            LaneOp::CumSum => "cumsum",
            LaneOp::CumProd => "cumprod",
            LaneOp::NanCumSum => "nancumsum",
            LaneOp::NanCumProd => "nancumprod",
            LaneOp::CumMax => "cummax",
            LaneOp::CumMin => "cummin",
            LaneOp::Sort { .. } => "sort",
            LaneOp::ArgSort { .. } => "argsort",
            LaneOp::TopK { .. } => "topk",
            LaneOp::ArgTopK { .. } => "argtopk",
            LaneOp::Rank => "rank",
            LaneOp::Statistic { statistic, .. } => statistic.name(),
            LaneOp::Weighted { statistic: OrderStatistic::Mad, .. } => "weighted mad",
            LaneOp::Weighted { statistic: OrderStatistic::Mode, .. } => "weighted mode",
            LaneOp::Weighted { .. } => "weighted quantile",
        }
    }

    /// The type of the result: int64 for positions, int64 or uint64 for sums and products of integers and bools, float64
    /// for ranks, [`OrderStatistic::result_dtype`] for statistics, else that of the input.
    ///
    /// # Errors
    /// None at present: every function takes every type.
    pub fn result_dtype(&self, input: DType) -> Result<DType> {
        Ok(self.result_type(input))
    }

    pub(super) fn result_type(&self, input: DType) -> DType {
        match self {
            LaneOp::ArgSort { .. } | LaneOp::ArgTopK { .. } => DType::I64,
            LaneOp::Rank => DType::F64,
            LaneOp::Statistic { statistic, .. } | LaneOp::Weighted { statistic, .. } => statistic.result_dtype(input),
            LaneOp::CumSum | LaneOp::CumProd | LaneOp::NanCumSum | LaneOp::NanCumProd => match input.kind() {
                NumberKind::Bool | NumberKind::Signed => DType::I64,
                NumberKind::Unsigned => DType::U64,
                NumberKind::Float => input,
            },
            _ => input,
        }
    }

    /// Whether each result is the one before it and one element, so that it can be computed along the axis piece by
    /// piece.
    pub fn is_cumulative(&self) -> bool {
        use LaneOp::*;
        matches!(self, CumSum | CumProd | NanCumSum | NanCumProd | CumMax | CumMin)
    }

    /// The length of the result's axis, for an input's of `n`.
    pub fn result_len(&self, n: u64) -> u64 {
        match self {
            LaneOp::TopK { k, .. } | LaneOp::ArgTopK { k, .. } => n.min(*k),
            LaneOp::Statistic { statistic, .. } | LaneOp::Weighted { statistic, .. } => statistic.result_len(),
            _ => n,
        }
    }

    /// Bytes of scratch that [`lanes`](super::lanes()) needs for elements of `dtype` along an axis of `n`.
    pub fn scratch_bytes(&self, dtype: DType, n: usize) -> usize {
        match self {
            LaneOp::Sort { .. } | LaneOp::TopK { .. } => sort::scratch_bytes(dtype.size(), n),
            LaneOp::Statistic { statistic, .. } => select::scratch_bytes(statistic, dtype, n),
            LaneOp::Weighted { .. } => weighted::scratch_bytes(n),
            LaneOp::ArgSort { .. } | LaneOp::ArgTopK { .. } | LaneOp::Rank => {
                sort::scratch_bytes(sort::ranked_bytes(dtype, n), n)
            }
            _ => 0,
        }
    }
}

impl fmt::Display for LaneOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
