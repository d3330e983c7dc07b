//! One value for all along some axes, and functions of whole lanes.
//!
//! The plain names propagate NaN, as NumPy's do; those with `nan` in front leave it out. Sums of floats are kept in
//! float64 whatever the type, and in an order that the blocks alone decide.

use super::{LazyArray, Operation};
use crate::{
    dtype::DType,
    error::{Error, Result},
    kernels::{
        fold::{FoldOptions, Folds, Op, Reducer},
        lanes::LaneOp,
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
    /// When an axis is out of range or named twice.
    pub fn reduce(&self, op: Op, axes: &[i64], options: FoldOptions) -> Result<LazyArray> {
        let reduced = self.marked(axes)?;
        let dtype = Folds::new(&[op], &self.meaning(), options).result_dtype(op);
        let (shape, chunk, dims) = self.kept(&reduced);
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

    /// For each axis, whether it is among `axes`.
    fn marked(&self, axes: &[i64]) -> Result<Vec<bool>> {
        let axes = self.axes(axes)?;
        Ok((0..self.ndim()).map(|k| axes.contains(&k)).collect())
    }

    fn kept(&self, reduced: &[bool]) -> (Shape, Shape, Option<Vec<String>>) {
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

    /// A function of all values along an axis, which is then in memory whole for each block of the others.
    ///
    /// # Errors
    /// When there is no such axis, or the type has no such function.
    pub fn lanes(&self, op: LaneOp, axis: i64) -> Result<LazyArray> {
        let axis = self.axis(axis)?;
        let dtype = op.result_dtype(self.dtype())?;
        let (mut shape, mut chunk) = (self.shape().clone(), self.chunk().clone());
        shape.0[axis] = op.result_len(shape[axis]);
        chunk.0[axis] = shape[axis];
        let dims = self.dims().map(<[String]>::to_vec);
        let operation = Operation::Lanes { input: self.clone(), axis, op };
        Ok(LazyArray::from_parts(operation, dtype, shape, dims, chunk))
    }

    /// The average with weights, which broadcast against the array: `sum(x * w) / sum(w)` over the values that are
    /// not NaN, in one pass.
    ///
    /// # Errors
    /// When the weights do not broadcast, or an axis is out of range.
    pub fn average(&self, weights: &LazyArray, axes: &[i64]) -> Result<LazyArray> {
        if self.dtype() == DType::Bool {
            return Err(Error::usage("an average of truth values; cast them with astype first"));
        }
        let product = self.multiply(weights)?;
        let there = product.isnan_or_false()?;
        let weight = weights.astype(product.dtype()).broadcast_to_like(&product)?;
        let zero = LazyArray::scalar(0.0).astype(product.dtype());
        let options = FoldOptions::default();
        let sum = product.reduce(Op::Sum, axes, options)?;
        let of_weights = LazyArray::select(&there, &zero, &weight)?.reduce(Op::Sum, axes, options)?;
        sum.divide(&of_weights)
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
            /// When an axis is out of range or named twice.
            pub fn $name(&self, axes: &[i64]) -> Result<LazyArray> {
                self.reduce(Op::$op, axes, PROPAGATE)
            }

            #[doc = concat!($doc, " NaN is left out.")]
            ///
            /// # Errors
            /// When an axis is out of range or named twice.
            pub fn $nan(&self, axes: &[i64]) -> Result<LazyArray> {
                self.reduce(Op::$op, axes, FoldOptions::default())
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
        self.reduce(Op::Any, axes, PROPAGATE)
    }

    /// Whether all values are true; NaN is.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn all(&self, axes: &[i64]) -> Result<LazyArray> {
        self.reduce(Op::All, axes, PROPAGATE)
    }

    /// The number of values that are not NaN.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn count(&self, axes: &[i64]) -> Result<LazyArray> {
        self.reduce(Op::Count, axes, FoldOptions::default())
    }

    /// The number of values that are not zero; NaN is not.
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
        self.reduce(Op::ArgMin, &axis.map_or_else(|| self.all_axes(), |a| vec![a]), PROPAGATE)
    }

    /// The position of the first largest value along an axis, or, of the flattened array, in row-major order. The
    /// first NaN counts as largest.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn argmax(&self, axis: Option<i64>) -> Result<LazyArray> {
        self.reduce(Op::ArgMax, &axis.map_or_else(|| self.all_axes(), |a| vec![a]), PROPAGATE)
    }

    /// As [`argmin`](LazyArray::argmin) of the values that are not NaN; -1 where there is none.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn nanargmin(&self, axis: Option<i64>) -> Result<LazyArray> {
        self.reduce(Op::ArgMin, &axis.map_or_else(|| self.all_axes(), |a| vec![a]), FoldOptions::default())
    }

    /// As [`argmax`](LazyArray::argmax) of the values that are not NaN; -1 where there is none.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn nanargmax(&self, axis: Option<i64>) -> Result<LazyArray> {
        self.reduce(Op::ArgMax, &axis.map_or_else(|| self.all_axes(), |a| vec![a]), FoldOptions::default())
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
