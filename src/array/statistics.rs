//! Statistics of pairs along axes: covariance, correlation, regression, the straight line through a series; and spells.
//!
//! All of them leave out what is missing: a pair counts where both values are there. They are computed in float64, and
//! by sums about a value of the data (from the beginning of the axes) instead of about zero, so that one pass suffices and
//! digits are not spent on what all values have in common. The sums of one statistic share that pass.

use super::{Anchor, AxisWeights, Boundary, Index, LazyArray, Rolling};
use crate::{
    dtype::DType,
    error::{Error, Result},
    kernels::{
        elementwise::Binary,
        fold::{FoldOptions, Op, Spell, check_weighted, erased},
    },
};

impl LazyArray {
    /// The covariance with another array along axes, over the places where neither is missing: the mean of the products
    /// of deviations, times `n / (n - ddof)`. Axes are those of both together.
    ///
    /// # Errors
    /// When the shapes do not go together, or an axis is out of range or named twice.
    pub fn nancov(&self, other: &LazyArray, axes: &[i64], ddof: f64) -> Result<LazyArray> {
        let pairs = Pairs::new(self, other, Means { axes, weights: None })?;
        let mut out = pairs.covariance;
        if ddof != 0.0 {
            let n = pairs.first.values.count(axes)?.astype(DType::F64);
            out = out.multiply(&n.divide(&n.add_scalar(-ddof)?)?)?;
        }
        Ok(out.astype(pairs.dtype))
    }

    /// The covariance with another array along axes, each pair counting as much as its weight: those of places where one
    /// is missing count nothing.
    ///
    /// # Errors
    /// As those of [`nancov`](LazyArray::nancov), when the weights do not fit both together, or degrees of freedom are to
    /// be taken off.
    pub fn cov_by(&self, other: &LazyArray, weights: &AxisWeights, axes: &[i64], ddof: f64) -> Result<LazyArray> {
        check_weighted(Op::Var, FoldOptions { ddof, ..FoldOptions::default() })?;
        let pairs = Pairs::new(self, other, Means { axes, weights: Some(weights) })?;
        Ok(pairs.covariance.astype(pairs.dtype))
    }

    /// The correlation with another array along axes, over the places where neither is missing (Pearson's). NaN where
    /// one of them does not vary. Axes are those of both together.
    ///
    /// # Errors
    /// When the shapes do not go together, or an axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let x = LazyArray::from_slice(&[1.0, 2.0, f64::NAN, 4.0], &[4], &[2])?;
    /// let y = LazyArray::from_slice(&[3.0, 5.0, 1.0, 9.0], &[4], &[2])?;
    /// let r = Session::new().compute(&x.nancorrcoef(&y, &[0])?)?.to_vec::<f64>()?;
    /// assert!((r[0] - 1.0).abs() < 1e-12);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn nancorrcoef(&self, other: &LazyArray, axes: &[i64]) -> Result<LazyArray> {
        Pairs::new(self, other, Means { axes, weights: None })?.correlation()
    }

    /// The correlation with another array along axes, each pair counting as much as its weight.
    ///
    /// # Errors
    /// As those of [`cov_by`](LazyArray::cov_by).
    pub fn corrcoef_by(&self, other: &LazyArray, weights: &AxisWeights, axes: &[i64]) -> Result<LazyArray> {
        Pairs::new(self, other, Means { axes, weights: Some(weights) })?.correlation()
    }

    /// The coefficient of the regression of this array on another along axes: by how much it changes with a unit of the
    /// other, by least squares over the places where neither is missing. NaN where the other does not vary.
    ///
    /// # Errors
    /// When the shapes do not go together, or an axis is out of range or named twice.
    pub fn regression(&self, on: &LazyArray, axes: &[i64]) -> Result<LazyArray> {
        Pairs::new(self, on, Means { axes, weights: None })?.regression()
    }

    /// The coefficient of the regression of this array on another along axes, each pair counting as much as its weight.
    ///
    /// # Errors
    /// As those of [`cov_by`](LazyArray::cov_by).
    pub fn regression_by(&self, on: &LazyArray, weights: &AxisWeights, axes: &[i64]) -> Result<LazyArray> {
        Pairs::new(self, on, Means { axes, weights: Some(weights) })?.regression()
    }

    /// The straight line through the values along an axis, by least squares over those that are not missing; `at` are
    /// the coordinates of the positions.
    ///
    /// # Errors
    /// When there is no such axis, or there are not as many coordinates, or one of them is not finite.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let x = LazyArray::from_slice(&[1.0, 3.0, 5.0, 7.0], &[4], &[2])?;
    /// let fit = x.fit(&[0.0, 10.0, 20.0, 30.0], 0)?;
    /// let both = Session::new().compute_all(&[&fit.slope()?, &fit.intercept()?])?;
    /// assert_eq!((both[0].to_vec::<f64>()?[0], both[1].to_vec::<f64>()?[0]), (0.2, 1.0));
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn fit(&self, at: &[f64], axis: i64) -> Result<Fit> {
        self.fitted(at, None, axis)
    }

    /// As [`fit`](LazyArray::fit), by weighted least squares: the square of each deviation counts as much as the weight of
    /// the value, of which there are those that `numpy.polyfit` takes the roots of.
    ///
    /// # Errors
    /// As those of [`fit`](LazyArray::fit), and when the weights do not fit the array.
    pub fn fit_by(&self, at: &[f64], weights: &AxisWeights, axis: i64) -> Result<Fit> {
        self.fitted(at, Some(weights), axis)
    }

    fn fitted(&self, at: &[f64], weights: Option<&AxisWeights>, axis: i64) -> Result<Fit> {
        let axis = self.axis(axis)?;
        let n = self.shape()[axis];
        if at.len() as u64 != n {
            return Err(Error::usage(format!("{} coordinates for axis {axis} of length {n}", at.len())));
        }
        if let Some(k) = at.iter().position(|x| !x.is_finite()) {
            return Err(Error::usage(format!("a line through values at {}, which is position {k}", at[k])));
        }
        let base = at.first().copied().unwrap_or(0.0);
        let centre = base + at.iter().map(|x| x - base).sum::<f64>() / n.max(1) as f64;
        let centred: Vec<f64> = at.iter().map(|x| x - centre).collect();
        let (mut shape, mut chunk) = (vec![1; self.ndim()], vec![1; self.ndim()]);
        (shape[axis], chunk[axis]) = (n, self.chunk()[axis]);
        let places = LazyArray::from_slice(&centred, &shape, chunk.as_slice())?;
        let values = Side::about_first(self, &[axis])?;
        let along = [axis as i64];
        let means = Means { axes: &along, weights };
        // Weights may lie along other axes than the places.
        let spread = if weights.is_some() { places.broadcast_to(self.shape())? } else { places.clone() };
        let pairs = Pairs::of(values, Side { values: spread, origin: None, may_miss: false }, means)?;
        let slope = pairs.regression()?;
        let mut height = means.mean(&pairs.first.values)?.expand_dims(&along)?;
        if let Some(origin) = &pairs.first.origin {
            height = height.add(origin)?;
        }
        let middle = means.mean(&pairs.second.values)?.expand_dims(&along)?;
        Ok(Fit { of: self.clone(), axis, centre, places, middle, height, slope, dtype: float_of(self.dtype()) })
    }

    /// The values less their mean along axes, over their standard deviation; what is missing is left out and stays
    /// missing. NaN where they do not vary.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn standardized(&self, axes: &[i64], ddof: f64) -> Result<LazyArray> {
        let mut places: Vec<i64> = self.axes(axes)?.into_iter().map(|k| k as i64).collect();
        places.sort_unstable();
        let x = self.astype(DType::F64);
        let (mean, std) = (x.nanmean(axes)?.expand_dims(&places)?, x.nanstd(axes, ddof)?.expand_dims(&places)?);
        Ok(x.standardized_by(&mean, &std)?.astype(float_of(self.dtype())))
    }

    /// The values less a mean, over a deviation; NaN where that is 0.
    ///
    /// # Errors
    /// When the shapes do not go together.
    pub fn standardized_by(&self, mean: &LazyArray, deviation: &LazyArray) -> Result<LazyArray> {
        self.subtract(mean)?.divide(&where_positive(deviation, deviation)?)
    }

    /// The sum of a window round each position along an axis that closes to a circle, as the days of the year do. The
    /// *shape* is that of the array.
    ///
    /// # Errors
    /// When there is no such axis, the window's length is even, or it goes round more than once.
    pub fn around(&self, axis: i64, length: u64, shape: WindowShape) -> Result<LazyArray> {
        let at = self.axis(axis)?;
        let (n, reach) = (self.shape()[at], length / 2);
        if length.is_multiple_of(2) || length > n {
            return Err(Error::usage(format!("a window of {length} round a circle of {n}; it is odd, and no longer")));
        }
        let widths: Vec<(u64, u64)> = (0..self.ndim()).map(|k| if k == at { (reach, reach) } else { (0, 0) }).collect();
        let mut out = self.pad(&widths, Boundary::Periodic)?;
        // A triangle is a window of windows.
        let lengths = match shape {
            WindowShape::Equal => vec![length],
            WindowShape::Triangle => vec![reach + 1; 2],
        };
        for length in lengths {
            out = out.rolling(at, Rolling { length, anchor: Anchor::Last }, Op::Sum, FoldOptions::default())?;
        }
        out.get_along(axis, 2 * reach as i64..(2 * reach + n) as i64)
    }

    /// What is asked of the runs of true values along an axis, as int64. Zero and missing values are false.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn spells(&self, spell: Spell, axis: i64) -> Result<LazyArray> {
        self.reduction(erased(spell), &[axis])
    }
}

/// How much each value of a window counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowShape {
    /// All the same.
    Equal,
    /// The less the further away, and just nothing beyond the ends: `1, 2, 3, 2, 1` for a window of 5.
    Triangle,
}

/// A straight line through the values along an axis: see [`LazyArray::fit`].
#[derive(Clone, Debug)]
pub struct Fit {
    of: LazyArray,
    axis: usize,
    /// The mean of all coordinates.
    centre: f64,
    /// The coordinates, less their mean, along the axis.
    places: LazyArray,
    /// The mean place of the values that are there, less `centre`; the axis has length 1.
    middle: LazyArray,
    /// The mean of the values, which is the line's value there; the axis has length 1.
    height: LazyArray,
    slope: LazyArray,
    dtype: DType,
}

impl Fit {
    /// The change with a unit of the coordinate. The axis is gone; NaN where there are fewer than two places.
    ///
    /// # Errors
    /// None at present.
    pub fn slope(&self) -> Result<LazyArray> {
        Ok(self.slope.astype(self.dtype))
    }

    /// The line's value at the coordinate 0, which may be far away. The axis is gone.
    ///
    /// # Errors
    /// None at present.
    pub fn intercept(&self) -> Result<LazyArray> {
        let to_zero = self.middle.add_scalar(self.centre)?.squeeze(&[self.axis as i64])?;
        let height = self.height.squeeze(&[self.axis as i64])?;
        let out = height.subtract(&self.slope.without_dims().multiply(&to_zero)?)?.astype(self.dtype);
        named_as(out, &self.slope)
    }

    /// The line's value at each position, where values are missing too. The *shape* is that of the array.
    ///
    /// # Errors
    /// None at present.
    pub fn line(&self) -> Result<LazyArray> {
        Ok(self.in_float64()?.astype(self.dtype))
    }

    /// The values less the line.
    ///
    /// # Errors
    /// None at present.
    pub fn residual(&self) -> Result<LazyArray> {
        let values = self.of.astype(DType::F64);
        Ok(values.subtract(&self.in_float64()?)?.astype(self.dtype))
    }

    fn in_float64(&self) -> Result<LazyArray> {
        let slope = self.slope.expand_dims(&[self.axis as i64])?;
        let line = self.places.subtract(&self.middle)?.multiply(&slope)?.add(&self.height)?;
        named_as(line, &self.of)
    }
}

/// The same array with the names of another.
fn named_as(array: LazyArray, like: &LazyArray) -> Result<LazyArray> {
    match like.dims() {
        Some(dims) => array.with_dims(&dims.iter().map(String::as_str).collect::<Vec<_>>()),
        None => Ok(array),
    }
}

/// The values where others are larger than zero, else NaN.
fn where_positive(others: &LazyArray, values: &LazyArray) -> Result<LazyArray> {
    values.where_else(&others.binary_scalar(Binary::Greater, 0.0)?, f64::NAN)
}

/// The type of a statistic of such values.
fn float_of(dtype: DType) -> DType {
    if dtype.is_float() { dtype } else { DType::F64 }
}

/// At most so many positions are looked at for a value that is not missing.
const FEW: u64 = 8;

/// One of two arrays, in float64.
struct Side {
    /// Less the origin.
    values: LazyArray,
    /// A value from the beginning of each lane; the axes have length 1.
    origin: Option<LazyArray>,
    may_miss: bool,
}

impl Side {
    fn about_first(array: &LazyArray, axes: &[usize]) -> Result<Side> {
        let may_miss = array.dtype().is_float();
        let values = array.astype(DType::F64);
        if values.size() == 0 {
            return Ok(Side { values, origin: None, may_miss });
        }
        let few = |k: usize| match axes.contains(&k) {
            true => Index::from(0..(values.shape()[k] / 16).clamp(1, FEW) as i64),
            false => Index::ALL,
        };
        let few = values.get(&(0..values.ndim()).map(few).collect::<Vec<_>>())?;
        let first = |axes: &[i64]| few.reduce(Op::First, axes, FoldOptions::default());
        let mut places: Vec<i64> = axes.iter().map(|&k| k as i64).collect();
        places.sort_unstable();
        // Where the few are all missing, what the others begin with is near too.
        let (own, any) = (first(&places)?.expand_dims(&places)?, first(&few.all_axes())?);
        let other = any.where_else(&any.isfinite()?, 0.0)?;
        let origin = LazyArray::select(&own.isfinite()?, &own, &other)?;
        Ok(Side { values: values.subtract(&origin)?, origin: Some(origin), may_miss })
    }

    /// Without what is missing in another.
    fn paired(&self, other: &Side) -> Result<Side> {
        let values = match other.may_miss {
            true => self.values.where_else(&other.values.isnan()?.logical_not()?, f64::NAN)?,
            false => self.values.clone(),
        };
        Ok(Side { values, origin: self.origin.clone(), may_miss: self.may_miss || other.may_miss })
    }
}

/// Along which axes means are taken, and what each value counts.
#[derive(Clone, Copy)]
struct Means<'a> {
    axes: &'a [i64],
    weights: Option<&'a AxisWeights>,
}

impl Means<'_> {
    fn of(&self, x: &LazyArray, op: Op) -> Result<LazyArray> {
        match self.weights {
            Some(weights) => x.weighted_by(op, weights, self.axes, FoldOptions::default()),
            None => x.reduce(op, self.axes, FoldOptions::default()),
        }
    }

    fn mean(&self, x: &LazyArray) -> Result<LazyArray> {
        self.of(x, Op::Mean)
    }
}

/// Two arrays where neither is missing, and what they have in common.
struct Pairs<'a> {
    first: Side,
    second: Side,
    means: Means<'a>,
    /// The mean of the products of deviations.
    covariance: LazyArray,
    dtype: DType,
}

impl<'a> Pairs<'a> {
    fn new(x: &LazyArray, y: &LazyArray, means: Means<'a>) -> Result<Pairs<'a>> {
        let dtype = float_of(x.dtype().promote(y.dtype()));
        let [x, y] = x.with_shape_of(y)?;
        let along = x.axes(means.axes)?;
        let pairs = Pairs::of(Side::about_first(&x, &along)?, Side::about_first(&y, &along)?, means)?;
        Ok(Pairs { dtype, ..pairs })
    }

    fn of(x: Side, y: Side, means: Means<'a>) -> Result<Pairs<'a>> {
        let products = means.mean(&x.values.multiply(&y.values)?)?;
        let (first, second) = (x.paired(&y)?, y.paired(&x)?);
        let covariance = products.subtract(&means.mean(&first.values)?.multiply(&means.mean(&second.values)?)?)?;
        Ok(Pairs { first, second, means, covariance, dtype: DType::F64 })
    }

    fn correlation(&self) -> Result<LazyArray> {
        let deviation = |side: &Side| self.means.of(&side.values, Op::Std);
        let deviations = deviation(&self.first)?.multiply(&deviation(&self.second)?)?;
        let r = self.covariance.divide(&deviations)?;
        // Rounding leads beyond the ends.
        Ok(where_positive(&deviations, &r)?.clip(-1.0, 1.0)?.astype(self.dtype))
    }

    fn regression(&self) -> Result<LazyArray> {
        let variance = self.means.of(&self.second.values, Op::Var)?;
        Ok(where_positive(&variance, &self.covariance.divide(&variance)?)?.astype(self.dtype))
    }
}
