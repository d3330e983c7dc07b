//! One value for all along some axes, and functions of whole lanes.
//!
//! The plain names propagate NaN, as NumPy's do; those with `nan` in front leave it out. Sums of floats are kept in
//! float64 whatever the type, and in an order that the blocks alone decide.

use super::{LazyArray, Operation, order};
use crate::{
    dtype::DType,
    error::{Error, Problem, Result},
    kernels::{
        fold::{FoldOptions, Folds, Op, Reducer},
        lanes::{LaneOp, Order},
    },
    shape::Shape,
};
use std::sync::Arc;

/// NaN in, NaN out.
const PROPAGATE: FoldOptions = FoldOptions { ddof: 0.0, keep_missing: true, min_count: 0 };

impl LazyArray {
    /// One value for all along `axes`, which are positions; the other axes stay, in order.
    ///
    /// # Errors
    /// When an axis is out of range or named twice. Of no values, the least, the largest, the first and their like are NaN,
    /// and an error where the type has none; [`min`](LazyArray::min) and the other methods of NumPy's names refuse always.
    pub fn reduce(&self, op: Op, axes: &[i64], options: FoldOptions) -> Result<LazyArray> {
        let reduced = self.marked(axes)?;
        let dtype = Folds::new(&[op], &self.meaning(), options).result_dtype(op);
        let (shape, chunk, dims) = self.kept(&reduced);
        let chosen = matches!(op, Op::Min | Op::Max | Op::Range | Op::First | Op::Last);
        if chosen && !self.dtype().is_float() && self.size() == 0 && shape.elements()? > 0 {
            return Err(Problem::ZeroLength { op: op.name() }.into());
        }
        let operation = Operation::Reduce { input: self.clone(), op, reduced, options };
        Ok(LazyArray::from_parts(operation, dtype, shape, dims, chunk))
    }

    /// One value for all along `axes`, by a fold of one's own ([`erased`](crate::kernels::fold::erased) makes one of
    /// a [`CustomFold`](crate::kernels::fold::CustomFold)).
    ///
    /// # Errors
    /// When an axis is out of range or named twice, or the fold does not take the array's type.
    pub fn reduction(&self, reducer: Arc<dyn Reducer>, axes: &[i64]) -> Result<LazyArray> {
        let reduced = self.marked(axes)?;
        let dtype = reducer.result_dtype(self.dtype())?;
        let (shape, chunk, dims) = self.kept(&reduced);
        let operation = Operation::Fold { input: self.clone(), reducer, reduced };
        Ok(LazyArray::from_parts(operation, dtype, shape, dims, chunk))
    }

    /// As [`reduce`](LazyArray::reduce), by NumPy's rule that there is no least and no largest of no values.
    fn reduce_some(&self, op: Op, axes: &[i64], options: FoldOptions) -> Result<LazyArray> {
        let out = self.reduce(op, axes, options)?;
        let chosen = matches!(op, Op::Min | Op::Max | Op::ArgMin | Op::ArgMax | Op::Range);
        if chosen && out.size() > 0 && self.size() == 0 {
            let shape = self.shape();
            return Err(Error::usage(format!(
                "{} of no values: axes {axes:?} of an array of shape {shape}",
                op.name()
            )));
        }
        Ok(out)
    }

    /// For each axis, whether it is among `axes`.
    fn marked(&self, axes: &[i64]) -> Result<Vec<bool>> {
        let axes = self.axes(axes)?;
        Ok((0..self.ndim()).map(|k| axes.contains(&k)).collect())
    }

    /// Shape, blocks and names of the axes that are not reduced.
    pub(super) fn kept(&self, reduced: &[bool]) -> (Shape, Shape, Option<Vec<String>>) {
        let keep = |lengths: &[u64]| lengths.iter().zip(reduced).filter(|(_, r)| !**r).map(|(n, _)| *n).collect();
        let names = |d: &[String]| d.iter().zip(reduced).filter(|(_, r)| !**r).map(|(d, _)| d.clone()).collect();
        (keep(self.shape()), keep(self.chunk()), self.dims().map(names))
    }

    /// All axes, for a reduction of everything.
    pub fn all_axes(&self) -> Vec<i64> {
        (0..self.ndim() as i64).collect()
    }

    /// The variance; `ddof` is taken off the number of values.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn var(&self, axes: &[i64], ddof: f64) -> Result<LazyArray> {
        self.reduce(Op::Var, axes, FoldOptions { ddof, ..PROPAGATE })
    }

    /// The standard deviation; `ddof` is taken off the number of values.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn std(&self, axes: &[i64], ddof: f64) -> Result<LazyArray> {
        self.reduce(Op::Std, axes, FoldOptions { ddof, ..PROPAGATE })
    }

    /// The variance of the values that are not NaN.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn nanvar(&self, axes: &[i64], ddof: f64) -> Result<LazyArray> {
        self.reduce(Op::Var, axes, FoldOptions { ddof, ..FoldOptions::default() })
    }

    /// The standard deviation of the values that are not NaN.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn nanstd(&self, axes: &[i64], ddof: f64) -> Result<LazyArray> {
        self.reduce(Op::Std, axes, FoldOptions { ddof, ..FoldOptions::default() })
    }

    /// A function of all values along an axis, which is then in memory whole for each block of the others, small along
    /// those; running results go on from block to block.
    ///
    /// # Errors
    /// When there is no such axis, or the type has no such function.
    pub fn lanes(&self, op: LaneOp, axis: i64) -> Result<LazyArray> {
        let axis = self.axis(axis)?;
        let dtype = op.result_dtype(self.dtype())?;
        let mut shape = self.shape().clone();
        let chunk = if op.is_cumulative() {
            self.chunk().clone()
        } else {
            order::lane_blocks(&shape, self.chunk(), axis, self.dtype(), op.result_len(shape[axis]))
        };
        shape.0[axis] = op.result_len(shape[axis]);
        let dims = self.dims().map(<[String]>::to_vec);
        let operation = Operation::Lanes { input: self.clone(), axis, op };
        Ok(LazyArray::from_parts(operation, dtype, shape, dims, chunk))
    }

    /// The average with weights, which broadcast against the array: `sum(x * w) / sum(w)`, in one pass. NaN in either
    /// gives NaN; see [`nanaverage`](LazyArray::nanaverage).
    ///
    /// # Errors
    /// When the weights do not broadcast, or an axis is out of range.
    pub fn average(&self, weights: &LazyArray, axes: &[i64]) -> Result<LazyArray> {
        let product = self.weighted(weights)?;
        let weight = weights.astype(product.dtype()).broadcast_to_like(&product)?;
        product.sum(axes)?.divide(&weight.sum(axes)?)
    }

    /// As [`average`](LazyArray::average) over the places where neither value nor weight is NaN.
    ///
    /// # Errors
    /// When the weights do not broadcast, or an axis is out of range.
    pub fn nanaverage(&self, weights: &LazyArray, axes: &[i64]) -> Result<LazyArray> {
        let product = self.weighted(weights)?;
        let missing = product.isnan_or_false()?;
        let weight = weights.astype(product.dtype()).broadcast_to_like(&product)?;
        let zero = LazyArray::scalar(0.0).astype(product.dtype());
        product.nansum(axes)?.divide(&LazyArray::select(&missing, &zero, &weight)?.sum(axes)?)
    }

    /// Each value times its weight, in a type that does not overflow.
    fn weighted(&self, weights: &LazyArray) -> Result<LazyArray> {
        if self.dtype() == DType::Bool {
            return Err(Error::usage("an average of truth values; cast them with astype first"));
        }
        let dtype = self.dtype().promote(weights.dtype());
        let dtype = if dtype.is_float() { dtype } else { DType::F64 };
        self.astype(dtype).multiply(&weights.astype(dtype))
    }

    /// NaN where that exists, false elsewhere.
    fn isnan_or_false(&self) -> Result<LazyArray> {
        if self.dtype().is_float() { self.isnan() } else { Ok(self.full_like(false, DType::Bool)) }
    }

    fn broadcast_to_like(&self, other: &LazyArray) -> Result<LazyArray> {
        let both = super::broadcast::broadcast(&[other.clone(), self.clone()])?;
        both.arrays[1].broadcast_to(&both.shape)
    }
}

macro_rules! reductions {
    ($($name:ident $nan:ident $op:ident $doc:literal;)*) => {
        impl LazyArray {$(
            #[doc = concat!($doc, " NaN gives NaN.")]
            ///
            /// # Errors
            /// When an axis is out of range or named twice, or when there is none of no values.
            pub fn $name(&self, axes: &[i64]) -> Result<LazyArray> {
                self.reduce_some(Op::$op, axes, PROPAGATE)
            }

            #[doc = concat!($doc, " NaN is left out.")]
            ///
            /// # Errors
            /// When an axis is out of range or named twice, or when there is none of no values.
            pub fn $nan(&self, axes: &[i64]) -> Result<LazyArray> {
                self.reduce_some(Op::$op, axes, FoldOptions::default())
            }
        )*}
    };
}
reductions! {
    sum nansum Sum "The sum. Integers are summed as int64 or uint64.";
    prod nanprod Prod "The product. Integers are multiplied as int64 or uint64.";
    mean nanmean Mean "The mean.";
    min nanmin Min "The smallest value.";
    max nanmax Max "The largest value.";
    ptp nanptp Range "The largest less the smallest value.";
}

impl LazyArray {
    /// Whether any value is true; NaN is.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn any(&self, axes: &[i64]) -> Result<LazyArray> {
        self.reduce_some(Op::Any, axes, PROPAGATE)
    }

    /// Whether all values are true; NaN is.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn all(&self, axes: &[i64]) -> Result<LazyArray> {
        self.reduce_some(Op::All, axes, PROPAGATE)
    }

    /// The number of values that are not NaN.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn count(&self, axes: &[i64]) -> Result<LazyArray> {
        self.reduce_some(Op::Count, axes, FoldOptions::default())
    }

    /// The number of values that are not zero; NaN is one of them, as in NumPy.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn count_nonzero(&self, axes: &[i64]) -> Result<LazyArray> {
        self.astype(DType::Bool).sum(axes)
    }

    /// The position of the first smallest value along an axis, or, of the flattened array, in row-major order. The
    /// first NaN counts as smallest.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn argmin(&self, axis: Option<i64>) -> Result<LazyArray> {
        self.reduce_some(Op::ArgMin, &axis.map_or_else(|| self.all_axes(), |a| vec![a]), PROPAGATE)
    }

    /// The position of the first largest value along an axis, or, of the flattened array, in row-major order. The
    /// first NaN counts as largest.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn argmax(&self, axis: Option<i64>) -> Result<LazyArray> {
        self.reduce_some(Op::ArgMax, &axis.map_or_else(|| self.all_axes(), |a| vec![a]), PROPAGATE)
    }

    /// As [`argmin`](LazyArray::argmin) of the values that are not NaN; -1 where there is none.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn nanargmin(&self, axis: Option<i64>) -> Result<LazyArray> {
        self.reduce_some(Op::ArgMin, &axis.map_or_else(|| self.all_axes(), |a| vec![a]), FoldOptions::default())
    }

    /// As [`argmax`](LazyArray::argmax) of the values that are not NaN; -1 where there is none.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn nanargmax(&self, axis: Option<i64>) -> Result<LazyArray> {
        self.reduce_some(Op::ArgMax, &axis.map_or_else(|| self.all_axes(), |a| vec![a]), FoldOptions::default())
    }

    /// Sums of all values so far, along an axis. Integers become int64 or uint64 and wrap.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn cumsum(&self, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::CumSum, axis)
    }

    /// Products of all values so far, along an axis. Integers become int64 or uint64 and wrap.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn cumprod(&self, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::CumProd, axis)
    }

    /// As [`cumsum`](LazyArray::cumsum) with 0 for NaN.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn nancumsum(&self, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::NanCumSum, axis)
    }

    /// As [`cumprod`](LazyArray::cumprod) with 1 for NaN.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn nancumprod(&self, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::NanCumProd, axis)
    }

    /// The largest value so far, along an axis; NaN from the first NaN on.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn cummax(&self, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::CumMax, axis)
    }

    /// The smallest value so far, along an axis; NaN from the first NaN on.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn cummin(&self, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::CumMin, axis)
    }

    /// As [`cumsum`](LazyArray::cumsum), one longer: the sum of no values comes first (`include_initial` in the
    /// standard).
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn cumulative_sum_from_zero(&self, axis: i64) -> Result<LazyArray> {
        self.cumsum(axis)?.after(0, axis)
    }

    /// As [`cumprod`](LazyArray::cumprod), one longer: the product of no values comes first (`include_initial` in
    /// the standard).
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn cumulative_prod_from_one(&self, axis: i64) -> Result<LazyArray> {
        self.cumprod(axis)?.after(1, axis)
    }

    /// With one more value in front of each lane.
    fn after(&self, value: i64, axis: i64) -> Result<LazyArray> {
        let at = self.axis(axis)?;
        let (mut shape, mut chunk) = (self.shape().clone(), self.chunk().clone());
        (shape.0[at], chunk.0[at]) = (1, 1);
        let first = LazyArray::full(&shape, &*chunk, value, self.dtype())?;
        LazyArray::concat(&[self.get_along(axis, ..0)?, first, self.clone()], axis)
    }

    /// The values in order along an axis. Equal ones keep their order, and NaN comes last in either.
    ///
    /// *Memory*: the whole axis, for each block of the others. Where one lane does not fit, some of it at a time, in several
    /// passes, and the result is put aside. So it is for the places of values, and for their ranks.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn sort(&self, order: Order, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::Sort { order }, axis)
    }

    /// Where the values of [`sort`](LazyArray::sort) are along the axis.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn argsort(&self, order: Order, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::ArgSort { order }, axis)
    }

    /// The `k` largest values along an axis, largest first; all, where there are fewer. NaN comes last.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn topk(&self, k: u64, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::TopK { k, order: Order::Descending }, axis)
    }

    /// Where the values of [`topk`](LazyArray::topk) are along the axis.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn argtopk(&self, k: u64, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::ArgTopK { k, order: Order::Descending }, axis)
    }

    /// Differences of neighbours along an axis, `n` times over.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn diff(&self, n: u64, axis: i64) -> Result<LazyArray> {
        let mut out = self.clone();
        for _ in 0..n {
            let (later, earlier) = (out.get_along(axis, 1..)?, out.get_along(axis, ..-1)?);
            out = if self.dtype() == DType::Bool { later.not_equal(&earlier)? } else { later.subtract(&earlier)? };
        }
        Ok(out)
    }
}
