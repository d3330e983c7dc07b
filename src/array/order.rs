//! Statistics that need the order of all values along some axes, and the blocks of what needs whole lanes.
//!
//! An axis is in memory whole for each block of the result. Blocks are therefore small along the other axes, whatever
//! those of the input are.

use super::LazyArray;
use crate::{
    dtype::{DType, Scalar},
    error::{Error, Result},
    kernels::{
        fold::FoldOptions,
        lanes::{LaneOp, LaneOptions, LaneWeights, Method, OneOrMany, OrderStatistic, Quantiles},
    },
    shape::Shape,
};

/// What all lanes of a block of the input take together, about.
const BLOCK_BYTES: u64 = 8 << 20;
/// Blocks with less are made larger ...
const SMALL_BYTES: u64 = 1 << 20;

/// The name of the dimension that several quantiles make, as xarray's.
pub(super) const QUANTILE: &str = "quantile";

impl From<FoldOptions> for LaneOptions {
    fn from(options: FoldOptions) -> LaneOptions {
        LaneOptions { keep_missing: options.keep_missing, min_count: options.min_count }
    }
}

/// NaN in, NaN out.
const PROPAGATE: LaneOptions = LaneOptions { keep_missing: true, min_count: 0 };
/// NaN is left out.
const OMIT: LaneOptions = LaneOptions { keep_missing: false, min_count: 0 };

impl LazyArray {
    /// One value for all along `axes`, which depends on their order; the other axes stay, in order. A list of quantiles
    /// makes a first dimension, `quantile`.
    ///
    /// *Missing*: NaN, and -1 as a number of different values.
    ///
    /// *Memory*: all values along the axes at once, for a block of the other axes that has about 8 MiB of them. Where one
    /// lane does not fit, or a few are large, they are found in several passes that count, and collect what is left.
    ///
    /// # Errors
    /// When an axis is out of range or named twice, or when there are too few values for a mode whose type has no NaN.
    pub fn order_statistic(
        &self,
        statistic: OrderStatistic,
        axes: &[i64],
        options: impl Into<LaneOptions>,
    ) -> Result<LazyArray> {
        let mut axes = self.axes(axes)?;
        axes.sort_unstable();
        let options = options.into();
        let kept: Vec<usize> = (0..self.ndim()).filter(|k| !axes.contains(k)).collect();
        let n: u64 = axes.iter().map(|&k| self.shape()[k]).product();
        self.has_mode(&statistic, n, options)?;
        let lead = match &statistic {
            OrderStatistic::Quantile { at, .. } if !at.is_scalar() => Some(at.len() as u64),
            _ => None,
        };
        if n == 0 {
            let none = match statistic {
                OrderStatistic::NUnique if options.min_count == 0 => Scalar::Int(0),
                OrderStatistic::NUnique => Scalar::Int(-1),
                _ => Scalar::Float(f64::NAN),
            };
            return self.of_no_lanes(&kept, lead, none, statistic.result_dtype(self.dtype()));
        }
        self.of_lanes(&axes, LaneOp::Statistic { statistic, options }, lead.is_some())
    }

    /// Quantiles of weighted values, as `xarray`'s `weighted(..).quantile`: `weights` has one for each position along
    /// `axes`, row-major in ascending order of the axes. Several quantiles make a first dimension, `quantile`.
    ///
    /// *Missing*: what is missing takes its weight out; NaN where no value counts.
    ///
    /// # Errors
    /// When an axis is out of range or named twice, a weight is NaN, or there are not as many weights as positions.
    pub fn weighted_quantile(
        &self,
        at: Quantiles,
        weights: Vec<f64>,
        axes: &[i64],
        options: impl Into<LaneOptions>,
    ) -> Result<LazyArray> {
        self.weighted_order(OrderStatistic::Quantile { at, method: Method::Linear }, weights, axes, options)
    }

    /// As [`order_statistic`](LazyArray::order_statistic) of weighted values, with `weights` as those of
    /// [`weighted_quantile`](LazyArray::weighted_quantile): its medians and quantiles (linear), the median distance from
    /// such a median, and the value whose weights add up to the most.
    ///
    /// *Missing*: as there.
    ///
    /// # Errors
    /// As there; for other statistics; for a mode where no value counts and the type has no NaN.
    pub fn weighted_order(
        &self,
        statistic: OrderStatistic,
        weights: Vec<f64>,
        axes: &[i64],
        options: impl Into<LaneOptions>,
    ) -> Result<LazyArray> {
        statistic.has_weights()?;
        let options = options.into();
        let mut axes = self.axes(axes)?;
        axes.sort_unstable();
        let kept: Vec<usize> = (0..self.ndim()).filter(|k| !axes.contains(k)).collect();
        let lengths: Shape = axes.iter().map(|&k| self.shape()[k]).collect();
        if lengths.elements()? != weights.len() as u64 {
            let n = weights.len();
            return Err(Error::usage(format!("{n} weights for positions along axes of lengths {lengths}")));
        }
        let counted = if weights.iter().all(|w| *w == 0.0) { 0 } else { weights.len() as u64 };
        self.has_mode(&statistic, counted, options)?;
        let lead = match &statistic {
            OrderStatistic::Quantile { at, .. } if !at.is_scalar() => Some(at.len() as u64),
            _ => None,
        };
        let op = LaneOp::Weighted { statistic, weights: LaneWeights::new(weights)?, options };
        if lengths.contains(&0) {
            return self.of_no_lanes(&kept, lead, Scalar::Float(f64::NAN), op.result_dtype(self.dtype())?);
        }
        self.of_lanes(&axes, op, lead.is_some())
    }

    /// One value everywhere, where lanes have no values.
    fn of_no_lanes(&self, kept: &[usize], lead: Option<u64>, none: Scalar, dtype: DType) -> Result<LazyArray> {
        let shape: Vec<u64> = lead.into_iter().chain(kept.iter().map(|&k| self.shape()[k])).collect();
        self.named_as_kept(LazyArray::full(&shape, &*shape, none, dtype)?, kept, lead.is_some())
    }

    /// A function of lanes of all values along `axes`, which are sorted; its results make the first dimension, or none.
    fn of_lanes(&self, axes: &[usize], op: LaneOp, leads: bool) -> Result<LazyArray> {
        let kept: Vec<usize> = (0..self.ndim()).filter(|k| !axes.contains(k)).collect();
        let n: u64 = axes.iter().map(|&k| self.shape()[k]).product();
        let (lanes, at) = match *axes {
            [axis] => (self.without_dims(), axis as i64),
            _ => (self.with_lanes_last(&kept, axes, n)?, kept.len() as i64),
        };
        let out = lanes.lanes(op, at)?;
        let out = if leads { out.moveaxis(&[at], &[0])? } else { out.squeeze(&[at])? };
        self.named_as_kept(out, &kept, leads)
    }

    fn named_as_kept(&self, out: LazyArray, kept: &[usize], leads: bool) -> Result<LazyArray> {
        let Some(names) = self.dims() else { return Ok(out) };
        let lead = leads.then_some(QUANTILE);
        out.with_dims(&lead.into_iter().chain(kept.iter().map(|&k| names[k].as_str())).collect::<Vec<_>>())
    }

    /// The kept axes, and one more of all `n` values along `axes` in row-major order.
    fn with_lanes_last(&self, kept: &[usize], axes: &[usize], n: u64) -> Result<LazyArray> {
        let order: Vec<i64> = kept.iter().chain(axes).map(|&k| k as i64).collect();
        let shape: Vec<i64> = kept.iter().map(|&k| self.shape()[k]).chain([n]).map(|n| n as i64).collect();
        self.without_dims().permute_dims(&order)?.reshape(&shape)
    }

    /// A type without NaN has no mode of too few values.
    fn has_mode(&self, statistic: &OrderStatistic, n: u64, options: LaneOptions) -> Result<()> {
        let least = options.min_count.max(1);
        if *statistic == OrderStatistic::Mode && !self.dtype().is_float() && n < least {
            return Err(Error::usage(format!("a mode of {n} values of {}, where {least} are needed", self.dtype())));
        }
        Ok(())
    }

    /// Values below which given parts of all values along `axes` lie: one (a number from 0 to 1), or several (a list),
    /// which make a first dimension. The bits are those of `numpy.quantile`, or of `numpy.nanquantile` where `options`
    /// leave NaN out, with a number for `q`: floats stay in their type, others become float64.
    ///
    /// # Errors
    /// When a quantile is not from 0 to 1, or an axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use aosx::{array::LazyArray, kernels::lanes::{LaneOptions, Method}, prelude::*};
    /// let x = LazyArray::arange(0, 12, 1, &[12])?.reshape(&[4, 3])?;
    /// let ends = x.quantile(&[0], [0.0, 0.5], Method::Linear, LaneOptions::default())?;
    /// assert_eq!(Session::new().compute(&ends)?.to_vec::<f64>()?, [0.0, 1.0, 2.0, 4.5, 5.5, 6.5]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn quantile(
        &self,
        axes: &[i64],
        q: impl Into<OneOrMany>,
        method: Method,
        options: impl Into<LaneOptions>,
    ) -> Result<LazyArray> {
        self.order_statistic(OrderStatistic::Quantile { at: Quantiles::new(q)?, method }, axes, options)
    }

    /// The value in the middle of all along `axes`, or the mean of the two. NaN gives NaN.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn median(&self, axes: &[i64]) -> Result<LazyArray> {
        self.order_statistic(OrderStatistic::Median, axes, PROPAGATE)
    }

    /// As [`median`](LazyArray::median) of the values that are not NaN.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn nanmedian(&self, axes: &[i64]) -> Result<LazyArray> {
        self.order_statistic(OrderStatistic::Median, axes, OMIT)
    }

    /// The median distance from the median, not scaled.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn mad(&self, axes: &[i64], options: impl Into<LaneOptions>) -> Result<LazyArray> {
        self.order_statistic(OrderStatistic::Mad, axes, options)
    }

    /// The distance between the quartiles.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn iqr(&self, axes: &[i64], options: impl Into<LaneOptions>) -> Result<LazyArray> {
        self.order_statistic(OrderStatistic::Iqr, axes, options)
    }

    /// How many different values there are, as int64; -1 where that is missing.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn nunique(&self, axes: &[i64], options: impl Into<LaneOptions>) -> Result<LazyArray> {
        self.order_statistic(OrderStatistic::NUnique, axes, options)
    }

    /// The most frequent value, the smallest of those that are equally frequent.
    ///
    /// # Errors
    /// When an axis is out of range or named twice, or when there are too few values and the type has no NaN.
    pub fn mode(&self, axes: &[i64], options: impl Into<LaneOptions>) -> Result<LazyArray> {
        self.order_statistic(OrderStatistic::Mode, axes, options)
    }

    /// The place of each value among all along an axis in order, from 1, as float64. Equal values share the mean of
    /// their places, and NaN stays.
    ///
    /// *Memory*: as [`sort`](LazyArray::sort); more than 2^31 values along the axis have to fit.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn rank(&self, axis: i64) -> Result<LazyArray> {
        self.lanes(LaneOp::Rank, axis)
    }
}

/// The blocks of the `results` that are computed of whole lanes along `axis`, for an input in blocks of `chunk`: along the other axes
/// parts or multiples of the input's, long along the last ones, so that the lanes of a block take about 8 MiB at most.
pub(super) fn lane_blocks(shape: &Shape, chunk: &Shape, axis: usize, dtype: DType, results: u64) -> Shape {
    let lane = shape[axis].max(1).saturating_mul(dtype.size() as u64);
    let mut out: Vec<u64> = chunk.iter().zip(shape.iter()).map(|(&c, &n)| c.clamp(1, n.max(1))).collect();
    out[axis] = 1;
    let others = |k: usize, out: &[u64]| -> u64 {
        let rest = out.iter().enumerate().filter(|(j, _)| *j != k);
        rest.fold(1, |a, (_, &n)| a.saturating_mul(n))
    };
    for k in (0..out.len()).filter(|&k| k != axis) {
        out[k] = part(out[k], (BLOCK_BYTES / lane / others(k, &out)).max(1));
    }
    for k in (0..out.len()).rev().filter(|&k| k != axis) {
        let bytes = others(axis, &out).saturating_mul(lane);
        if bytes < SMALL_BYTES {
            out[k] = out[k].saturating_mul(SMALL_BYTES / bytes).min(shape[k].max(1));
        }
    }
    out[axis] = results;
    out.into()
}

/// A part of a length that is at most about `fit`: one of equal parts where there are such.
fn part(len: u64, fit: u64) -> u64 {
    if len <= fit {
        return len;
    }
    let parts = len.div_ceil(fit);
    let even =
        (parts..=parts.saturating_mul(2)).chain((parts * 2 / 3 + 1..parts).rev()).find(|p| len.is_multiple_of(*p));
    len.div_ceil(even.unwrap_or(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(shape: &[u64], chunk: &[u64], axis: usize) -> Vec<u64> {
        lane_blocks(&shape.into(), &chunk.into(), axis, DType::F32, 1).0
    }

    #[test]
    fn blocks_of_lanes_have_about_8_mib() {
        // Maps, cubes, series.
        assert_eq!(blocks(&[1460, 361, 720], &[1, 361, 720], 0), [1, 1, 720]);
        assert_eq!(blocks(&[1460, 361, 720], &[73, 46, 90], 0), [1, 12, 90]);
        assert_eq!(blocks(&[1460, 361, 720], &[1460, 1, 1], 0), [1, 1, 179]);
        assert_eq!(blocks(&[1460, 361, 720], &[1, 361, 720], 2), [1, 361, 1]);
        assert_eq!(blocks(&[10, 10], &[3, 10], 1), [10, 1]);
        // One lane is the least.
        assert_eq!(blocks(&[4, 1 << 30], &[4, 1 << 10], 1), [1, 1]);
        assert_eq!(blocks(&[0, 5], &[1, 5], 0), [1, 5]);
    }
}
