//! What NumPy has by a name of its own and is made of other functions: `isclose`, `nan_to_num`, `interp`, `gradient`,
//! `cov` and the like.

use super::{BlockFunction, BlockInfo, BlockInput, LazyArray};
use crate::{
    dtype::{DType, Scalar},
    error::{Error, Result},
    kernels::elementwise::Binary,
};
use std::sync::Arc;

/// How far apart numbers are that count as equal: `|a - b| <= atol + rtol * |b|`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Closeness {
    /// Relative to the second number.
    pub rtol: f64,
    /// The least.
    pub atol: f64,
    /// Whether NaN is close to NaN.
    pub equal_nan: bool,
}

impl Default for Closeness {
    /// NumPy's: 1e-5, 1e-8, and NaN is close to nothing.
    fn default() -> Closeness {
        Closeness { rtol: 1e-5, atol: 1e-8, equal_nan: false }
    }
}

/// How far apart the values of an axis lie.
#[derive(Debug, Clone, PartialEq)]
pub enum Spacing {
    /// All as far.
    Uniform(f64),
    /// At these coordinates.
    At(Vec<f64>),
}

impl From<f64> for Spacing {
    fn from(step: f64) -> Spacing {
        Spacing::Uniform(step)
    }
}

impl From<&[f64]> for Spacing {
    fn from(coordinates: &[f64]) -> Spacing {
        Spacing::At(coordinates.to_vec())
    }
}

impl LazyArray {
    /// The values that are not below `low`, else `low` (`clip` with one end). NaN stays.
    ///
    /// # Errors
    /// When the type cannot hold the end.
    pub fn clip_low(&self, low: impl Into<Scalar>) -> Result<LazyArray> {
        self.binary_scalar(Binary::Maximum, low)
    }

    /// The values that are not above `high`, else `high` (`clip` with one end). NaN stays.
    ///
    /// # Errors
    /// When the type cannot hold the end.
    pub fn clip_high(&self, high: impl Into<Scalar>) -> Result<LazyArray> {
        self.binary_scalar(Binary::Minimum, high)
    }

    /// Numbers for NaN, infinity and minus infinity; without numbers for the infinities, the ends of the type.
    ///
    /// # Errors
    /// None at present.
    pub fn nan_to_num(&self, nan: f64, infinity: Option<f64>, minus_infinity: Option<f64>) -> Result<LazyArray> {
        if !self.dtype().is_float() {
            return Ok(self.clone());
        }
        let most = match self.dtype() {
            DType::F16 => 65504.0,
            DType::F32 => f64::from(f32::MAX),
            _ => f64::MAX,
        };
        let ends = [(f64::INFINITY, infinity.unwrap_or(most)), (f64::NEG_INFINITY, minus_infinity.unwrap_or(-most))];
        let mut out = LazyArray::select(&self.isnan()?, &LazyArray::scalar(nan).astype(self.dtype()), self)?;
        for (end, number) in ends {
            let here = self.binary_scalar(Binary::Equal, end)?;
            out = LazyArray::select(&here, &LazyArray::scalar(number).astype(self.dtype()), &out)?;
        }
        Ok(out)
    }

    /// Whether both are equal, or finite and about equal.
    ///
    /// # Errors
    /// When the shapes do not go together.
    pub fn isclose(&self, other: &LazyArray, within: Closeness) -> Result<LazyArray> {
        let float = |x: &LazyArray| if x.dtype().is_float() { x.clone() } else { x.astype(DType::F64) };
        let (a, b) = (float(self), float(other));
        let far = b.abs()?.binary_scalar(Binary::Multiply, within.rtol)?.add_scalar(within.atol)?;
        let near = a.subtract(&b)?.abs()?.less_equal(&far)?.logical_and(&b.isfinite()?)?;
        let close = near.logical_or(&a.equal(&b)?)?;
        if within.equal_nan { close.logical_or(&a.isnan()?.logical_and(&b.isnan()?)?) } else { Ok(close) }
    }

    /// Whether all are equal or about equal: one truth value.
    ///
    /// # Errors
    /// When the shapes do not go together.
    pub fn allclose(&self, other: &LazyArray, within: Closeness) -> Result<LazyArray> {
        let close = self.isclose(other, within)?;
        close.all(&close.all_axes())
    }

    /// Values of the broken line through the points `(xs, ys)`, in float64: the first and the last of `ys` beyond its
    /// ends, NaN for NaN (`numpy.interp`).
    ///
    /// # Errors
    /// When there are no points, not equally many of both, or `xs` do not ascend.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let x = LazyArray::from_slice(&[-1.0, 0.5, 3.0], &[3], &[2])?.interp(&[0.0, 1.0, 2.0], &[10.0, 20.0, 40.0])?;
    /// assert_eq!(Session::new().compute(&x)?.to_vec::<f64>()?, [10.0, 15.0, 40.0]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn interp(&self, xs: &[f64], ys: &[f64]) -> Result<LazyArray> {
        if xs.is_empty() || xs.len() != ys.len() {
            return Err(Error::usage(format!("a line through {} places and {} values", xs.len(), ys.len())));
        }
        if !xs.is_sorted() {
            return Err(Error::usage("interp takes places in ascending order"));
        }
        let line = Arc::new(Line { xs: xs.into(), ys: ys.into() });
        LazyArray::blocks(&[self.astype(DType::F64)], line, self.shape(), self.chunk(), DType::F64)
    }

    /// The slope along an axis: central differences, exact for parabolas, and one-sided ones at the ends
    /// (`numpy.gradient`). Integers become float64.
    ///
    /// # Errors
    /// When the axis has fewer than two values, or another number of coordinates.
    pub fn gradient(&self, spacing: impl Into<Spacing>, axis: i64) -> Result<LazyArray> {
        let axis = self.axis(axis)?;
        let (n, along) = (self.shape()[axis], axis as i64);
        if n < 2 {
            return Err(Error::usage(format!("a gradient along axis {axis} of length {n}; it takes at least 2")));
        }
        let x = if self.dtype().is_float() { self.clone() } else { self.astype(DType::F64) };
        let slope = |a: &LazyArray, b: &LazyArray, step: f64| b.subtract(a)?.binary_scalar(Binary::Divide, step);
        let at = |from: i64, to: i64| x.get_along(along, from..to);
        let last = n as i64;
        let (before, here, after) = (at(0, last - 2)?, at(1, last - 1)?, at(2, last)?);
        let (step, inner) = match spacing.into() {
            Spacing::Uniform(h) => ([h, h], slope(&before, &after, 2.0 * h)?),
            Spacing::At(c) if c.len() as u64 != n => {
                return Err(Error::usage(format!("{} coordinates for axis {axis} of length {n}", c.len())));
            }
            Spacing::At(c) => {
                let steps: Vec<f64> = c.windows(2).map(|w| w[1] - w[0]).collect();
                let factor = |f: fn(f64, f64) -> f64| -> Result<LazyArray> {
                    let values: Vec<f64> = steps.windows(2).map(|w| f(w[0], w[1])).collect();
                    let mut shape = vec![1; x.ndim()];
                    shape[axis] = values.len() as u64;
                    let chunk: Vec<u64> = shape.iter().zip(x.chunk().iter()).map(|(&n, &c)| c.min(n).max(1)).collect();
                    Ok(LazyArray::from_slice(&values, &shape, chunk.as_slice())?.astype(x.dtype()))
                };
                let a = before.multiply(&factor(|h, k| -k / (h * (h + k)))?)?;
                let b = here.multiply(&factor(|h, k| (k - h) / (h * k))?)?;
                let c = after.multiply(&factor(|h, k| h / (k * (h + k)))?)?;
                ([steps[0], steps[steps.len() - 1]], a.add(&b)?.add(&c)?)
            }
        };
        let ends =
            [slope(&at(0, 1)?, &at(1, 2)?, step[0])?, slope(&at(last - 2, last - 1)?, &at(last - 1, last)?, step[1])?];
        let all = LazyArray::concat(&[ends[0].clone(), inner, ends[1].clone()], along)?;
        Ok(all.with_blocks(self.chunk().clone()))
    }

    /// The covariance with another array along axes: `sum((x - mean(x)) * (y - mean(y))) / (n - ddof)`. NaN gives NaN.
    ///
    /// # Errors
    /// When the shapes do not go together, or an axis is out of range or named twice.
    pub fn cov(&self, other: &LazyArray, axes: &[i64], ddof: f64) -> Result<LazyArray> {
        let [x, y] = self.with_shape_of(other)?;
        let n: u64 = x.axes(axes)?.iter().map(|&k| x.shape()[k]).product();
        let products = x.centred(axes)?.multiply(&y.centred(axes)?)?;
        products.sum(axes)?.binary_scalar(Binary::Divide, n as f64 - ddof)
    }

    /// The correlation with another array along axes: their covariance over the product of their standard deviations.
    /// NaN gives NaN, and so do values that do not vary.
    ///
    /// # Errors
    /// When the shapes do not go together, or an axis is out of range or named twice.
    pub fn corrcoef(&self, other: &LazyArray, axes: &[i64]) -> Result<LazyArray> {
        let [x, y] = self.with_shape_of(other)?;
        x.cov(&y, axes, 0.0)?.divide(&x.std(axes, 0.0)?.multiply(&y.std(axes, 0.0)?)?)
    }

    /// Both in one type of floats, with the shape and names of their product.
    pub(super) fn with_shape_of(&self, other: &LazyArray) -> Result<[LazyArray; 2]> {
        let dtype = self.dtype().promote(other.dtype());
        let dtype = if dtype.is_float() { dtype } else { DType::F64 };
        let both = super::broadcast::broadcast(&[self.astype(dtype), other.astype(dtype)])?;
        let full = |k: usize| -> Result<LazyArray> {
            let x = both.arrays[k].broadcast_to(&both.shape)?;
            let view = super::View::identity(x.shape());
            Ok(x.viewed(view, None, both.chunk.clone()))
        };
        let named = |x: LazyArray| match &both.dims {
            Some(dims) => x.with_dims(&dims.iter().map(String::as_str).collect::<Vec<_>>()),
            None => Ok(x),
        };
        Ok([named(full(0)?)?, named(full(1)?)?])
    }

    /// Less its mean along axes.
    fn centred(&self, axes: &[i64]) -> Result<LazyArray> {
        let mut places: Vec<i64> = self.axes(axes)?.into_iter().map(|k| k as i64).collect();
        places.sort_unstable();
        let mean = self.mean(axes)?.expand_dims(&places)?;
        self.subtract(&mean)
    }
}

/// The broken line through some points.
struct Line {
    xs: Box<[f64]>,
    ys: Box<[f64]>,
}

impl Line {
    /// As NumPy's `arr_interp`, NaN and infinities among the points too.
    fn at(&self, x: f64) -> f64 {
        let (xs, ys) = (&self.xs, &self.ys);
        let last = xs.len() - 1;
        if x.is_nan() {
            return x;
        }
        let after = xs.partition_point(|p| *p <= x);
        match after.checked_sub(1) {
            None => ys[0],
            Some(k) if k == last || xs[k] == x => ys[k],
            Some(k) => {
                let slope = (ys[k + 1] - ys[k]) / (xs[k + 1] - xs[k]);
                let from_left = slope * (x - xs[k]) + ys[k];
                let from_right = slope * (x - xs[k + 1]) + ys[k + 1];
                match (from_left.is_nan(), from_right.is_nan()) {
                    (false, _) => from_left,
                    (true, true) if ys[k] == ys[k + 1] => ys[k],
                    (true, _) => from_right,
                }
            }
        }
    }
}

impl BlockFunction for Line {
    fn name(&self) -> &str {
        "interp"
    }

    fn call(&self, _: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        let Some(values) = inputs.first() else { return Err(Error::usage("interp of values")) };
        let out: &mut [f64] = bytemuck::cast_slice_mut(out);
        let values: &[f64] = bytemuck::cast_slice(values.bytes);
        out.iter_mut().zip(values).for_each(|(y, x)| *y = self.at(*x));
        Ok(())
    }
}
