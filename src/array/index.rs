//! Parts of an array: slices with any step, integers, positions along an axis, masks.

use super::{Along, LazyArray, Operation, View};
use crate::{
    dtype::DType,
    error::{Error, Result},
    shape::Shape,
};
use std::ops::{Bound, RangeBounds};

/// One part of a subscript: what stands between two commas of `x[2, ::-1, ..., newaxis]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Index {
    /// One position, counted from the end where negative; its axis goes.
    At(i64),
    /// `start:stop:step`, with NumPy's rules for what is left out, negative or beyond the end.
    Slice {
        /// The first position.
        start: Option<i64>,
        /// The position before which it ends.
        stop: Option<i64>,
        /// From one to the next; never 0.
        step: i64,
    },
    /// As many whole axes as are left.
    Ellipsis,
    /// A new axis of length 1.
    NewAxis,
}

impl Index {
    /// A whole axis.
    pub const ALL: Index = Index::Slice { start: None, stop: None, step: 1 };

    /// Every `step`-th of a range.
    pub fn stepped(range: impl RangeBounds<i64>, step: i64) -> Index {
        let start = match range.start_bound() {
            Bound::Included(&n) => Some(n),
            Bound::Excluded(&n) => Some(n + 1),
            Bound::Unbounded => None,
        };
        let stop = match range.end_bound() {
            Bound::Included(&n) => Some(n + 1),
            Bound::Excluded(&n) => Some(n),
            Bound::Unbounded => None,
        };
        Index::Slice { start, stop, step }
    }
}

impl From<i64> for Index {
    fn from(at: i64) -> Index {
        Index::At(at)
    }
}

impl From<i32> for Index {
    fn from(at: i32) -> Index {
        Index::At(at.into())
    }
}

macro_rules! from_range {
    ($($range:ty),*) => {$(impl From<$range> for Index {
        fn from(range: $range) -> Index {
            Index::stepped(range, 1)
        }
    })*};
}
from_range!(std::ops::Range<i64>, std::ops::RangeFrom<i64>, std::ops::RangeTo<i64>, std::ops::RangeFull);

/// First position, number of positions, step: of a slice on an axis of length `n`, by Python's rules.
pub(crate) fn resolve(start: Option<i64>, stop: Option<i64>, step: i64, n: u64) -> (u64, u64) {
    let n = n as i64;
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let place = |at: Option<i64>, default: i64| match at {
        None => default,
        Some(at) => (if at < 0 { at.saturating_add(n) } else { at }).clamp(low, high),
    };
    let start = place(start, if step > 0 { low } else { high });
    let stop = place(stop, if step > 0 { high } else { low });
    let span = if step > 0 { stop - start } else { start - stop };
    let count = if span <= 0 { 0 } else { (span as u64 - 1) / step.unsigned_abs() + 1 };
    (if count == 0 { 0 } else { start as u64 }, count)
}

impl LazyArray {
    /// Part of the array, as `x[2, ::-1, ..., newaxis]`: `x.get(&[2.into(), Index::stepped(.., -1), ...])`.
    ///
    /// Blocks that are not needed are not read.
    ///
    /// # Errors
    /// When there are more parts than axes, a position is out of range, or a step is 0.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let x = LazyArray::arange(0, 12, 1, &[12])?.reshape(&[3, 4])?;
    /// let part = x.get(&[Index::stepped(.., -1), Index::At(1)])?;
    /// assert_eq!(Session::new().compute(&part)?.to_vec::<i64>()?, [9, 5, 1]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn get(&self, parts: &[Index]) -> Result<LazyArray> {
        let taken = parts.iter().filter(|p| matches!(p, Index::At(_) | Index::Slice { .. })).count();
        if taken > self.ndim() {
            return Err(Error::usage(format!("{taken} indices for an array of {} dimensions", self.ndim())));
        }
        let ellipses = parts.iter().filter(|p| **p == Index::Ellipsis).count();
        if ellipses > 1 {
            return Err(Error::usage("an index has at most one ellipsis"));
        }
        let rest = vec![Index::ALL; self.ndim() - taken];
        let mut full: Vec<Index> = Vec::new();
        for part in parts {
            match part {
                Index::Ellipsis => full.extend(rest.iter().cloned()),
                other => full.push(other.clone()),
            }
        }
        if ellipses == 0 {
            full.extend(rest);
        }
        self.sliced(&full)
    }

    fn sliced(&self, parts: &[Index]) -> Result<LazyArray> {
        let (mut shape, mut chunk, mut axes) = (Vec::new(), Vec::new(), Vec::new());
        let mut dims = self.dims().map(|_| Vec::new());
        for part in parts {
            let k = axes.len();
            match *part {
                Index::At(at) => {
                    let n = self.shape()[k] as i64;
                    let here = if at < 0 { at + n } else { at };
                    if !(0..n).contains(&here) {
                        return Err(Error::usage(format!("index {at} on axis {k} of length {n}")));
                    }
                    axes.push(Along::At(here as u64));
                }
                Index::Slice { step: 0, .. } => return Err(Error::usage("a slice with step 0")),
                Index::Slice { start, stop, step } => {
                    let (start, count) = resolve(start, stop, step, self.shape()[k]);
                    axes.push(Along::Axis { axis: shape.len(), start, step });
                    shape.push(count);
                    chunk.push(self.chunk()[k].div_ceil(step.unsigned_abs()));
                    if let (Some(out), Some(names)) = (&mut dims, self.dims()) {
                        out.push(names[k].clone());
                    }
                }
                // A name for it is anybody's guess, so the result has none.
                Index::NewAxis => {
                    shape.push(1);
                    chunk.push(1);
                    dims = None;
                }
                Index::Ellipsis => {}
            }
        }
        Ok(self.viewed(View { shape: shape.into(), axes }, dims, chunk.into()))
    }

    /// Part of the array along one axis.
    ///
    /// # Errors
    /// When there is no such axis, or as [`get`](LazyArray::get).
    pub fn get_along(&self, axis: i64, part: impl Into<Index>) -> Result<LazyArray> {
        let axis = self.axis(axis)?;
        let mut parts = vec![Index::ALL; self.ndim()];
        parts[axis] = part.into();
        self.get(&parts)
    }

    /// The elements at `positions` along an axis, counted from the end where negative.
    ///
    /// # Errors
    /// When a position is out of range.
    pub fn take(&self, positions: &[i64], axis: i64) -> Result<LazyArray> {
        let axis = self.axis(axis)?;
        let n = self.shape()[axis] as i64;
        let place = |&at: &i64| {
            let here = if at < 0 { at + n } else { at };
            if (0..n).contains(&here) {
                return Ok(here as u64);
            }
            Err(Error::usage(format!("index {at} on axis {axis} of length {n}")))
        };
        let index = positions.iter().map(place).collect::<Result<Vec<u64>>>()?;
        // Evenly spaced positions are a slice.
        if let [first, second, ..] = index[..]
            && first != second
        {
            let step = second as i64 - first as i64;
            if index.windows(2).all(|w| w[1] as i64 - w[0] as i64 == step) {
                let mut view = View::identity(self.shape());
                view.shape.0[axis] = index.len() as u64;
                view.axes[axis] = Along::Axis { axis, start: first, step };
                let mut chunk = self.chunk().clone();
                chunk.0[axis] = chunk[axis].div_ceil(step.unsigned_abs());
                return Ok(self.viewed(view, self.dims().map(<[String]>::to_vec), chunk));
            }
        }
        let mut shape = self.shape().clone();
        shape.0[axis] = index.len() as u64;
        shape.elements()?;
        let operation = Operation::Take { input: self.clone(), axis, index: index.into() };
        let dims = self.dims().map(<[String]>::to_vec);
        Ok(LazyArray::from_parts(operation, self.dtype(), shape, dims, self.chunk().clone()))
    }

    /// The elements along an axis where `mask` is true.
    ///
    /// # Errors
    /// When the mask is not as long as the axis.
    pub fn compress(&self, mask: &[bool], axis: i64) -> Result<LazyArray> {
        let n = self.shape()[self.axis(axis)?];
        if mask.len() as u64 != n {
            return Err(Error::usage(format!("a mask of {} values for an axis of length {n}", mask.len())));
        }
        let kept: Vec<i64> = (0..mask.len()).filter(|&k| mask[k]).map(|k| k as i64).collect();
        self.take(&kept, axis)
    }

    /// The elements at the positions that `index` says, along an axis (`take_along_axis` in NumPy). The whole axis is
    /// in memory for each block of the others.
    ///
    /// # Errors
    /// When `index` is not of integers, or its other lengths differ; positions out of range are found while running.
    pub fn take_along_axis(&self, index: &LazyArray, axis: i64) -> Result<LazyArray> {
        let axis = self.axis(axis)?;
        if index.dtype().is_float() || index.dtype() == DType::Bool {
            return Err(Error::usage(format!("positions are integers, not {}", index.dtype())));
        }
        let others =
            |shape: &Shape| shape.iter().enumerate().filter(|(k, _)| *k != axis).map(|(_, n)| *n).collect::<Vec<_>>();
        if index.ndim() != self.ndim() || others(index.shape()) != others(self.shape()) {
            let (a, b) = (self.shape(), index.shape());
            return Err(Error::usage(format!("positions of shape {b} along axis {axis} of shape {a}")));
        }
        let mut chunk = self.chunk().clone();
        chunk.0[axis] = index.chunk()[axis];
        let operation = Operation::TakeAlong { input: self.clone(), axis, index: index.astype(DType::I64) };
        let dims = self.dims().map(<[String]>::to_vec);
        Ok(LazyArray::from_parts(operation, self.dtype(), index.shape().clone(), dims, chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_pythons_rules() {
        // (start, stop, step, n) -> list(range(n))[start:stop:step]
        for start in [None, Some(-7), Some(-1), Some(0), Some(2), Some(9)] {
            for stop in [None, Some(-8), Some(-2), Some(0), Some(3), Some(9)] {
                for step in [1, 2, 5, -1, -3] {
                    for n in [0u64, 1, 5] {
                        let (first, count) = resolve(start, stop, step, n);
                        let mut want = Vec::new();
                        let m = n as i64;
                        let fix = |x: i64| if x < 0 { x + m } else { x };
                        let begin = start.map_or(if step > 0 { 0 } else { m - 1 }, fix);
                        let end = stop.map_or(if step > 0 { m } else { i64::MIN }, |x| fix(x).max(-1));
                        let mut at = if step > 0 { begin.max(0) } else { begin.min(m - 1) };
                        while if step > 0 { at < end.min(m) } else { at > end && at >= 0 } {
                            want.push(at);
                            at += step;
                        }
                        let got: Vec<i64> = (0..count as i64).map(|k| first as i64 + k * step).collect();
                        assert_eq!(got, want, "[{start:?}:{stop:?}:{step}] of {n}");
                    }
                }
            }
        }
    }
}
