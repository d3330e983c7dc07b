//! Other shapes of the same values.

use super::{Along, Boundary, LazyArray, Operation, View};
use crate::{
    dtype::{DType, Scalar},
    error::{Error, Result},
    shape::Shape,
};

impl LazyArray {
    fn names(&self) -> Option<Vec<String>> {
        self.dims().map(<[String]>::to_vec)
    }

    /// The axes in the order given: axis `k` of the result is axis `order[k]`.
    ///
    /// # Errors
    /// When `order` does not name each axis once.
    pub fn permute_dims(&self, order: &[i64]) -> Result<LazyArray> {
        let order = self.axes(order)?;
        if order.len() != self.ndim() {
            return Err(Error::usage(format!("an order of {} axes for {} dimensions", order.len(), self.ndim())));
        }
        let view = View::permuted(self.shape(), &order);
        let dims = self.dims().map(|d| order.iter().map(|&k| d[k].clone()).collect());
        let chunk = order.iter().map(|&k| self.chunk()[k]).collect();
        Ok(self.viewed(view, dims, chunk))
    }

    /// All axes in the other order.
    pub fn transpose(&self) -> LazyArray {
        let order: Vec<usize> = (0..self.ndim()).rev().collect();
        let dims = self.dims().map(|d| d.iter().rev().cloned().collect());
        let chunk = self.chunk().iter().rev().copied().collect();
        self.viewed(View::permuted(self.shape(), &order), dims, chunk)
    }

    /// The last two axes swapped (`mT` of the standard).
    ///
    /// # Errors
    /// When there are fewer than two.
    pub fn matrix_transpose(&self) -> Result<LazyArray> {
        let mut order = self.all_axes();
        let n = order.len();
        if n < 2 {
            return Err(Error::usage("a matrix has two axes"));
        }
        order.swap(n - 1, n - 2);
        self.permute_dims(&order)
    }

    /// Axes moved to other places, the others in order.
    ///
    /// # Errors
    /// When there are not equally many, or one does not exist.
    pub fn moveaxis(&self, from: &[i64], to: &[i64]) -> Result<LazyArray> {
        let (from, to) = (self.axes(from)?, self.axes(to)?);
        if from.len() != to.len() {
            return Err(Error::usage("moveaxis takes as many places as axes"));
        }
        let mut order: Vec<usize> = (0..self.ndim()).filter(|k| !from.contains(k)).collect();
        let mut pairs: Vec<(usize, usize)> = to.into_iter().zip(from).collect();
        pairs.sort_unstable();
        pairs.into_iter().for_each(|(at, axis)| order.insert(at, axis));
        self.permute_dims(&order.iter().map(|&k| k as i64).collect::<Vec<_>>())
    }

    /// Two axes swapped.
    ///
    /// # Errors
    /// When one does not exist.
    pub fn swapaxes(&self, axis1: i64, axis2: i64) -> Result<LazyArray> {
        let (a, b) = (self.axis(axis1)?, self.axis(axis2)?);
        let mut order = self.all_axes();
        order.swap(a, b);
        self.permute_dims(&order)
    }

    /// New axes of length 1, at these places of the result.
    ///
    /// # Errors
    /// When a place does not exist or is named twice.
    pub fn expand_dims(&self, axes: &[i64]) -> Result<LazyArray> {
        let rank = (self.ndim() + axes.len()) as i64;
        let mut new = vec![false; rank as usize];
        for &axis in axes {
            let at = if axis < 0 { axis + rank } else { axis };
            match usize::try_from(at).ok().and_then(|at| new.get_mut(at)) {
                Some(slot) if !*slot => *slot = true,
                _ => return Err(Error::usage(format!("no new axis {axis} in {rank} dimensions"))),
            }
        }
        let old: Vec<usize> = (0..new.len()).filter(|&k| !new[k]).collect();
        let mut shape = vec![1; new.len()];
        let mut chunk = vec![1; new.len()];
        for (k, &axis) in old.iter().enumerate() {
            (shape[axis], chunk[axis]) = (self.shape()[k], self.chunk()[k]);
        }
        let axes = old.iter().map(|&axis| Along::Axis { axis, start: 0, step: 1 }).collect();
        Ok(self.viewed(View { shape: shape.into(), axes }, None, chunk.into()))
    }

    /// Without these axes, which have length 1.
    ///
    /// # Errors
    /// When an axis has another length, or does not exist.
    pub fn squeeze(&self, axes: &[i64]) -> Result<LazyArray> {
        let gone = self.axes(axes)?;
        if let Some(&k) = gone.iter().find(|&&k| self.shape()[k] != 1) {
            return Err(Error::usage(format!("axis {k} has length {}, and only axes of length 1 go", self.shape()[k])));
        }
        let kept: Vec<usize> = (0..self.ndim()).filter(|k| !gone.contains(k)).collect();
        let place = |k: usize| kept.iter().position(|&q| q == k);
        let axes = (0..self.ndim()).map(|k| match place(k) {
            Some(axis) => Along::Axis { axis, start: 0, step: 1 },
            None => Along::At(0),
        });
        let view = View { shape: kept.iter().map(|&k| self.shape()[k]).collect(), axes: axes.collect() };
        let dims = self.dims().map(|d| kept.iter().map(|&k| d[k].clone()).collect());
        Ok(self.viewed(view, dims, kept.iter().map(|&k| self.chunk()[k]).collect()))
    }

    /// These axes backwards.
    ///
    /// # Errors
    /// When one does not exist or is named twice.
    pub fn flip(&self, axes: &[i64]) -> Result<LazyArray> {
        let mut view = View::identity(self.shape());
        for axis in self.axes(axes)? {
            let n = self.shape()[axis];
            view.axes[axis] = Along::Axis { axis, start: n.saturating_sub(1), step: -1 };
        }
        Ok(self.viewed(view, self.names(), self.chunk().clone()))
    }

    /// The diagonal of two axes, as a new last axis.
    ///
    /// # Errors
    /// When an axis does not exist or both are one.
    pub fn diagonal(&self, offset: i64, axis1: i64, axis2: i64) -> Result<LazyArray> {
        let pair = self.axes(&[axis1, axis2])?;
        let (down, right) = ((-offset).max(0) as u64, offset.max(0) as u64);
        let (m, n) = (self.shape()[pair[0]], self.shape()[pair[1]]);
        let length = m.saturating_sub(down).min(n.saturating_sub(right));
        let kept: Vec<usize> = (0..self.ndim()).filter(|k| !pair.contains(k)).collect();
        let mut axes = vec![Along::At(0); self.ndim()];
        kept.iter().enumerate().for_each(|(axis, &k)| axes[k] = Along::Axis { axis, start: 0, step: 1 });
        axes[pair[0]] = Along::Axis { axis: kept.len(), start: down, step: 1 };
        axes[pair[1]] = Along::Axis { axis: kept.len(), start: right, step: 1 };
        let with = |of: &Shape, last: u64| kept.iter().map(|&k| of[k]).chain([last]).collect::<Shape>();
        let chunk = with(self.chunk(), self.chunk()[pair[0]].min(self.chunk()[pair[1]]));
        Ok(self.viewed(View { shape: with(self.shape(), length), axes }, None, chunk))
    }

    /// The same values in blocks of another shape.
    ///
    /// # Errors
    /// When the rank differs or a length is 0.
    pub fn rechunk(&self, chunk: &[u64]) -> Result<LazyArray> {
        let chunk = super::Chunks::from(chunk).resolve(self.shape(), self.dtype())?;
        if chunk == *self.chunk() {
            return Ok(self.clone());
        }
        let operation = Operation::Rechunk { input: self.clone() };
        Ok(LazyArray::from_parts(operation, self.dtype(), self.shape().clone(), self.names(), chunk))
    }

    /// The values in row-major order under another shape; one length may be -1, and follows from the others.
    ///
    /// # Errors
    /// When there are not as many values.
    pub fn reshape(&self, shape: &[i64]) -> Result<LazyArray> {
        let wrong = || {
            let asked: Vec<String> = shape.iter().map(i64::to_string).collect();
            Error::usage(format!("{} values do not fill the shape ({})", self.size(), asked.join(", ")))
        };
        let open = shape.iter().filter(|&&n| n == -1).count();
        if open > 1 || shape.iter().any(|&n| n < -1) {
            return Err(wrong());
        }
        let known: Shape = shape.iter().filter(|&&n| n >= 0).map(|&n| n as u64).collect();
        let known = known.elements()?;
        let left = if open == 0 { 0 } else { self.size().checked_div(known).ok_or_else(wrong)? };
        let shape: Shape = shape.iter().map(|&n| if n == -1 { left } else { n as u64 }).collect();
        if shape.elements()? != self.size() {
            return Err(wrong());
        }
        if shape == *self.shape() {
            return Ok(self.clone());
        }
        let chunk = crate::array::reshape::blocks(self.shape(), self.chunk(), &shape);
        // Of no elements there is nothing to move, and no rule for how axes correspond.
        let operation = match self.size() {
            0 => Operation::Create(super::Creation::Full([0; 8])),
            _ => Operation::Reshape { input: self.clone() },
        };
        Ok(LazyArray::from_parts(operation, self.dtype(), shape, None, chunk))
    }

    /// All values in row-major order along one axis.
    ///
    /// # Errors
    /// None at present.
    pub fn ravel(&self) -> Result<LazyArray> {
        self.reshape(&[-1])
    }

    /// Arrays one behind the other along an axis; types are promoted.
    ///
    /// # Errors
    /// When there is none, or other lengths differ.
    pub fn concat(arrays: &[LazyArray], axis: i64) -> Result<LazyArray> {
        let first = arrays.first().ok_or_else(|| Error::usage("concat of no arrays"))?;
        let axis = first.axis(axis)?;
        let dtype = arrays.iter().fold(first.dtype(), |d, a| d.promote(a.dtype()));
        let mut shape = first.shape().clone();
        shape.0[axis] = 0;
        for array in arrays {
            let fits = array.ndim() == first.ndim()
                && (0..first.ndim()).all(|k| k == axis || array.shape()[k] == first.shape()[k]);
            if !fits {
                let (a, b) = (first.shape(), array.shape());
                return Err(Error::usage(format!("concat of shapes {a} and {b} along axis {axis}")));
            }
            shape.0[axis] = shape[axis].saturating_add(array.shape()[axis]);
        }
        shape.elements()?;
        let inputs: Vec<LazyArray> = arrays.iter().filter(|a| a.shape()[axis] > 0).map(|a| a.astype(dtype)).collect();
        let (Some(longest), true) = (inputs.iter().map(|a| a.chunk()[axis]).max(), inputs.len() > 1) else {
            return Ok(inputs.first().cloned().unwrap_or_else(|| first.astype(dtype)));
        };
        let blocks: Vec<&[u64]> = inputs.iter().map(|a| &**a.chunk()).collect();
        let mut chunk = super::common_block(&shape, &blocks, dtype.size());
        chunk.0[axis] = longest;
        let operation = Operation::Concat { inputs, axis };
        Ok(LazyArray::from_parts(operation, dtype, shape, first.names(), chunk))
    }

    /// Arrays of one shape along a new axis.
    ///
    /// # Errors
    /// When there is none, or shapes differ.
    pub fn stack(arrays: &[LazyArray], axis: i64) -> Result<LazyArray> {
        let first = arrays.first().ok_or_else(|| Error::usage("stack of no arrays"))?;
        if let Some(other) = arrays.iter().find(|a| a.shape() != first.shape()) {
            return Err(Error::usage(format!("stack of shapes {} and {}", first.shape(), other.shape())));
        }
        let lifted = arrays.iter().map(|a| a.expand_dims(&[axis])).collect::<Result<Vec<_>>>()?;
        LazyArray::concat(&lifted, axis)
    }

    /// The parts along an axis, without it.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn unstack(&self, axis: i64) -> Result<Vec<LazyArray>> {
        let n = self.shape()[self.axis(axis)?] as i64;
        (0..n).map(|k| self.get_along(axis, k)).collect()
    }

    /// Moved along axes, what falls out at one end coming in at the other.
    ///
    /// # Errors
    /// When there is not one shift an axis, or an axis does not exist.
    pub fn roll(&self, shifts: &[i64], axes: &[i64]) -> Result<LazyArray> {
        if shifts.len() != axes.len() {
            return Err(Error::usage(format!("{} shifts for {} axes", shifts.len(), axes.len())));
        }
        let mut out = self.clone();
        for (&shift, axis) in shifts.iter().zip(self.axes(axes)?) {
            let n = self.shape()[axis] as i64;
            let by = if n == 0 { 0 } else { shift.rem_euclid(n) };
            if by != 0 {
                let (front, back) = (out.get_along(axis as i64, n - by..)?, out.get_along(axis as i64, ..n - by)?);
                let chunk = out.chunk().clone();
                out = LazyArray::concat(&[front, back], axis as i64)?.with_blocks(chunk);
            }
        }
        Ok(out)
    }

    /// Each element `times` times along an axis.
    ///
    /// # Errors
    /// When there is no such axis, or sizes overflow.
    pub fn repeat(&self, times: u64, axis: i64) -> Result<LazyArray> {
        let axis = self.axis(axis)?;
        let mut wide: Vec<u64> = self.shape().to_vec();
        wide.insert(axis + 1, times);
        let mut shape = self.shape().clone();
        shape.0[axis] = shape[axis].saturating_mul(times);
        shape.elements()?;
        let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        let out = self.expand_dims(&[axis as i64 + 1])?.broadcast_to(&wide)?.reshape(&shape)?;
        Ok(LazyArray::from_parts(
            out.operation().clone(),
            out.dtype(),
            out.shape().clone(),
            self.names(),
            out.chunk().clone(),
        ))
    }

    /// The array again and again along each axis; there are as many repetitions as axes.
    ///
    /// # Errors
    /// When there are not, or sizes overflow.
    pub fn tile(&self, repetitions: &[u64]) -> Result<LazyArray> {
        let lead = repetitions.len().saturating_sub(self.ndim());
        let mut out = if lead > 0 { self.expand_dims(&(0..lead as i64).collect::<Vec<_>>())? } else { self.clone() };
        let skip = out.ndim() - repetitions.len();
        for (k, &times) in repetitions.iter().enumerate() {
            let axis = (skip + k) as i64;
            out = match times {
                0 => out.get_along(axis, ..0)?,
                1 => out,
                _ => {
                    // As a view that repeats a new axis, reshaped: no list of copies.
                    let mut wide: Vec<u64> = out.shape().to_vec();
                    let mut flat: Vec<i64> = wide.iter().map(|&n| n as i64).collect();
                    flat[skip + k] = flat[skip + k].saturating_mul(times as i64);
                    wide.insert(skip + k, times);
                    out.expand_dims(&[axis])?.broadcast_to(&wide)?.reshape(&flat)?
                }
            };
        }
        Ok(out)
    }

    /// Wider by `(before, after)` elements along each axis.
    ///
    /// # Errors
    /// When there is not one pair an axis, or an axis is too short to be mirrored or wrapped so far.
    pub fn pad(&self, widths: &[(u64, u64)], boundary: Boundary) -> Result<LazyArray> {
        if widths.len() != self.ndim() {
            return Err(Error::usage(format!("{} widths for {} dimensions", widths.len(), self.ndim())));
        }
        let mut out = self.clone();
        for (axis, &(before, after)) in widths.iter().enumerate() {
            if before + after > 0 {
                let chunk = out.chunk().clone();
                let parts = [
                    out.border(axis, before, Side::Before, boundary)?,
                    out.clone(),
                    out.border(axis, after, Side::After, boundary)?,
                ];
                out = LazyArray::concat(&parts, axis as i64)?.with_blocks(chunk);
            }
        }
        Ok(out)
    }

    fn border(&self, axis: usize, width: u64, side: Side, boundary: Boundary) -> Result<LazyArray> {
        let n = self.shape()[axis];
        let most = match boundary {
            Boundary::Constant(_) => u64::MAX,
            Boundary::Nearest => {
                if n == 0 {
                    0
                } else {
                    u64::MAX
                }
            }
            Boundary::Periodic => n,
            Boundary::Reflect => n.saturating_sub(1),
        };
        if width > most {
            return Err(Error::usage(format!(
                "a border of {width} beyond axis {axis} of length {n}, of which it is made"
            )));
        }
        let (w, n) = (width as i64, n as i64);
        let along = axis as i64;
        let mut wide = self.shape().clone();
        wide.0[axis] = width;
        match (boundary, side) {
            (Boundary::Constant(value), _) => {
                let chunk: Vec<u64> =
                    self.chunk().iter().zip(wide.iter()).map(|(&c, &n)| c.clamp(1, n.max(1))).collect();
                LazyArray::full(&wide, chunk.as_slice(), constant(value, self.dtype()), self.dtype())
            }
            (Boundary::Nearest, Side::Before) => self.get_along(along, 0..1.min(w))?.stretched(&wide),
            (Boundary::Nearest, Side::After) => self.get_along(along, n - 1.min(w)..)?.stretched(&wide),
            (Boundary::Periodic, Side::Before) => self.get_along(along, n - w..),
            (Boundary::Periodic, Side::After) => self.get_along(along, 0..w),
            (Boundary::Reflect, Side::Before) => self.get_along(along, 1..w + 1)?.flip(&[along]),
            (Boundary::Reflect, Side::After) => self.get_along(along, n - 1 - w..n - 1)?.flip(&[along]),
        }
    }

    /// As [`broadcast_to`](LazyArray::broadcast_to), of an axis that may be empty already.
    fn stretched(&self, shape: &Shape) -> Result<LazyArray> {
        if self.shape() == shape { Ok(self.clone()) } else { self.broadcast_to(shape) }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// Whole numbers stay whole, for types that have no others.
fn constant(value: f64, dtype: DType) -> Scalar {
    if dtype.is_float() || value.fract() != 0.0 { Scalar::Float(value) } else { Scalar::Int(value as i64) }
}
