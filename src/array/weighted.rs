//! Reductions of weighted values, as `xarray`'s `weighted`.
//!
//! Weights of positions along the reduced axes go into the fold itself: one pass over the stored chunks. Others, which
//! differ from cell to cell of the result, are arrays of their own, whose products with the values are summed.

use super::{Folding, Groups, LazyArray, Rolling, over::Over};
use crate::{
    dtype::DType,
    error::{Error, Result},
    kernels::{
        fold::{FoldOptions, Op, WeightTable, check_weighted, check_weights, weighted, weighted_dtype},
        lanes::OrderStatistic,
    },
    shape::Shape,
};
use std::sync::Arc;

/// A table with more weights than this is not made of fewer.
const EXPANDED_MAX: u64 = 1 << 20;

/// Weights along some axes of an array, in numbers or as an array.
#[derive(Clone)]
pub struct AxisWeights {
    /// Ascending.
    axes: Vec<usize>,
    lengths: Shape,
    values: Values,
}

#[derive(Clone)]
enum Values {
    Known(Arc<[f64]>),
    Lazy(LazyArray),
}

/// Values times their weights, and the weights of those that are there: what sums, means and groups of weighted values
/// are made of. Both are float64 and 0 where a value is missing.
pub struct Products {
    /// Each value times its weight.
    pub value: LazyArray,
    /// Its weight.
    pub weight: LazyArray,
}

impl AxisWeights {
    /// Numbers, row-major along `axes` in the order given, which have these `lengths`.
    ///
    /// # Errors
    /// When a weight is NaN, an axis is named twice, or there are not as many weights as places.
    pub fn new(values: Vec<f64>, axes: &[usize], lengths: &[u64]) -> Result<AxisWeights> {
        let mut order: Vec<usize> = (0..axes.len()).collect();
        order.sort_by_key(|&k| axes[k]);
        let sorted: Vec<usize> = order.iter().map(|&k| axes[k]).collect();
        let own = Shape::from(lengths);
        if lengths.len() != axes.len() || sorted.windows(2).any(|w| w[0] == w[1]) {
            return Err(Error::usage(format!("weights of shape {own} along axes {axes:?}")));
        }
        if own.elements()? != values.len() as u64 {
            let n = values.len();
            return Err(Error::usage(format!("{n} weights for positions along axes of lengths {own}")));
        }
        check_weights(&values)?;
        let values = match axes.is_sorted() {
            true => values.into(),
            false => spread(&values, axes, &own, &sorted, |k| own[order[k]]).into(),
        };
        Ok(AxisWeights {
            axes: sorted,
            lengths: order.iter().map(|&k| own[k]).collect(),
            values: Values::Known(values),
        })
    }

    /// An array whose axis `k` lies along the axis `axes[k]`. Where a weight turns out to be NaN, so is the result.
    ///
    /// # Errors
    /// When an axis is named twice, or there are not as many as dimensions.
    pub fn lazy(array: LazyArray, axes: &[usize]) -> Result<AxisWeights> {
        let mut order: Vec<i64> = (0..axes.len() as i64).collect();
        order.sort_by_key(|&k| axes[k as usize]);
        let sorted: Vec<usize> = order.iter().map(|&k| axes[k as usize]).collect();
        if array.ndim() != axes.len() || sorted.windows(2).any(|w| w[0] == w[1]) {
            return Err(Error::usage(format!("weights of shape {} along axes {axes:?}", array.shape())));
        }
        let array = array.without_dims().astype(DType::F64).permute_dims(&order)?;
        Ok(AxisWeights { axes: sorted, lengths: array.shape().clone(), values: Values::Lazy(array) })
    }

    /// The axes, ascending.
    pub fn axes(&self) -> &[usize] {
        &self.axes
    }

    /// The same along other axes: `axes[k]` is what the axis `k` is now.
    ///
    /// # Errors
    /// When two are one, or one is not said.
    pub fn along(&self, axes: &[usize]) -> Result<AxisWeights> {
        let now = self.axes.iter().map(|&k| axes.get(k).copied());
        let now: Vec<usize> = now.collect::<Option<_>>().ok_or_else(|| Error::usage("weights along no axis"))?;
        match &self.values {
            Values::Known(values) => AxisWeights::new(values.to_vec(), &now, &self.lengths),
            Values::Lazy(array) => AxisWeights::lazy(array.clone(), &now),
        }
    }

    fn check(&self, shape: &Shape) -> Result<()> {
        let fits = self.axes.iter().zip(self.lengths.iter()).all(|(&k, n)| shape.get(k) == Some(n));
        if fits {
            return Ok(());
        }
        let (lengths, axes) = (&self.lengths, &self.axes);
        Err(Error::usage(format!("weights of shape {lengths} along axes {axes:?} of an array of shape {shape}")))
    }

    /// Those of positions along the `reduced` axes (ascending), where they depend on nothing else; `None` too where the
    /// table would be much larger than what is known.
    fn table(&self, reduced: &[usize], shape: &Shape) -> Result<Option<WeightTable>> {
        let Values::Known(values) = &self.values else { return Ok(None) };
        if !self.axes.iter().all(|k| reduced.contains(k)) {
            return Ok(None);
        }
        let (first, last) = (self.axes.first().copied().unwrap_or(0), self.axes.last().copied().unwrap_or(0));
        let within: Vec<usize> = reduced.iter().copied().filter(|k| (first..=last).contains(k)).collect();
        let each = reduced.iter().filter(|&&k| k > last).map(|&k| shape[k]).product::<u64>();
        if self.axes.is_empty() || within == self.axes {
            let each = if self.axes.is_empty() { 1 } else { each };
            return WeightTable::new(values, each).map(Some);
        }
        let expanded = within.iter().map(|&k| shape[k]).collect::<Shape>().elements()?;
        if expanded > EXPANDED_MAX.max(values.len() as u64) {
            return Ok(None);
        }
        WeightTable::new(&spread(values, &self.axes, &self.lengths, &within, |k| shape[within[k]]), each).map(Some)
    }

    /// One for each position along the `reduced` axes (ascending).
    fn dense(&self, reduced: &[usize], shape: &Shape) -> Result<Vec<f64>> {
        match &self.values {
            Values::Known(values) if self.axes.iter().all(|k| reduced.contains(k)) => {
                Ok(spread(values, &self.axes, &self.lengths, reduced, |k| shape[reduced[k]]))
            }
            Values::Known(_) => {
                Err(Error::usage("weights of quantiles and their like lie along the reduced dimensions alone"))
            }
            Values::Lazy(_) => Err(of_quantile()),
        }
    }

    /// Those of positions along an axis.
    ///
    /// # Errors
    /// When they are computed, or there is no such position.
    pub(super) fn taken(&self, axis: usize, positions: &[i64]) -> Result<AxisWeights> {
        let Values::Known(values) = &self.values else { return Err(of_quantile()) };
        let Some(at) = self.axes.iter().position(|&k| k == axis) else { return Ok(self.clone()) };
        let inner: usize = self.lengths[at + 1..].iter().map(|&n| n as usize).product();
        let n = self.lengths[at] as usize;
        let outer = values.len().checked_div(n * inner).unwrap_or(0);
        let rows = (0..outer).flat_map(|o| positions.iter().map(move |&p| (o * n + p as usize) * inner));
        let row = |from: usize| values.get(from..from + inner);
        let taken = rows.map(row).collect::<Option<Vec<_>>>().ok_or_else(|| Error::usage("weights of no position"))?;
        let mut lengths = self.lengths.clone();
        lengths.0[at] = positions.len() as u64;
        Ok(AxisWeights { axes: self.axes.clone(), lengths, values: Values::Known(taken.concat().into()) })
    }

    /// Those of an array in which the axes `along` are one, and `axes` says what each axis has become.
    ///
    /// # Errors
    /// When they are computed, or do not fit an array of this shape.
    pub(super) fn flattened(&self, shape: &Shape, along: &[usize], axes: &[usize]) -> Result<AxisWeights> {
        self.check(shape)?;
        let Values::Known(values) = &self.values else { return Err(of_quantile()) };
        let (inside, beside): (Vec<usize>, Vec<usize>) = self.axes.iter().partition(|k| along.contains(k));
        let along = if inside.is_empty() { &[] } else { along };
        let over: Vec<usize> = beside.iter().chain(along).copied().collect();
        let values = spread(values, &self.axes, &self.lengths, &over, |k| shape[over[k]]);
        let place = along.first().map(|&k| (axes[k], along.iter().map(|&k| shape[k]).product::<u64>()));
        let (axes, lengths): (Vec<usize>, Vec<u64>) = beside.iter().map(|&k| (axes[k], shape[k])).chain(place).unzip();
        AxisWeights::new(values, &axes, &lengths)
    }

    /// As an array that broadcasts against one of these blocks.
    fn array(&self, like: &LazyArray) -> Result<LazyArray> {
        let array = match &self.values {
            Values::Known(values) => {
                let chunk: Vec<u64> = self.axes.iter().map(|&k| like.chunk()[k].max(1)).collect();
                LazyArray::from_slice(values, &self.lengths, &*chunk)?
            }
            Values::Lazy(array) => array.clone(),
        };
        let others: Vec<i64> = (0..like.ndim()).filter(|k| !self.axes.contains(k)).map(|k| k as i64).collect();
        array.expand_dims(&others)
    }
}

fn of_quantile() -> Error {
    Error::usage(
        "weights of quantiles and their like are known before anything is computed: a variable, or what coordinates say",
    )
}

/// Values along `axes` of these lengths, repeated along the others of `over`, which are all ascending or `over` is an order
/// of the same.
fn spread(values: &[f64], axes: &[usize], lengths: &Shape, over: &[usize], len: impl Fn(usize) -> u64) -> Vec<f64> {
    let strides = lengths.strides();
    let stride = |k: &usize| axes.iter().position(|a| a == k).map_or(0, |at| strides[at]);
    let steps: Vec<(u64, u64)> = over.iter().enumerate().map(|(at, k)| (len(at), stride(k))).collect();
    let count = steps.iter().map(|(n, _)| *n).product::<u64>();
    let mut out = Vec::with_capacity(count as usize);
    let mut at = vec![0; steps.len()];
    for _ in 0..count {
        let place: u64 = at.iter().zip(&steps).map(|(i, (_, stride))| i * stride).sum();
        out.push(values.get(place as usize).copied().unwrap_or(f64::NAN));
        for (i, (n, _)) in at.iter_mut().zip(&steps).rev() {
            *i += 1;
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
    out
}

impl LazyArray {
    /// The weighted sum, mean, variance or standard deviation along `axes`, or the sum of weights (count), as `xarray`'s
    /// `weighted`. Floats stay in their type; everything is added up in float64. In one pass, but for variances with
    /// weights along kept axes.
    ///
    /// *Missing*: a missing value takes its weight out. Where weights add up to 0 everything but a sum is missing.
    ///
    /// # Errors
    /// When the operation has no meaning with weights, the weights do not fit the array, or an axis is out of range or
    /// named twice.
    pub fn weighted_by(&self, op: Op, weights: &AxisWeights, axes: &[i64], options: FoldOptions) -> Result<LazyArray> {
        self.weighted_over(op, weights, &Over::axes(self, axes)?, options)
    }

    /// As [`weighted_by`](LazyArray::weighted_by) for each of the `groups` of positions along `axes`, with the axes `also`
    /// reduced too, in one pass where `weighted_by` takes one.
    ///
    /// *Shape*: as that of [`grouped_by`](LazyArray::grouped_by).
    ///
    /// *Missing*: a group without values has the sum 0, and everything else of it is missing.
    ///
    /// # Errors
    /// As those of [`weighted_by`](LazyArray::weighted_by) and [`grouped_by`](LazyArray::grouped_by).
    pub fn weighted_groups(
        &self,
        op: Op,
        weights: &AxisWeights,
        axes: &[i64],
        groups: &Groups,
        also: &[i64],
        options: FoldOptions,
    ) -> Result<LazyArray> {
        self.weighted_over(op, weights, &Over::groups(self, axes, groups, also)?, options)
    }

    /// As [`weighted_order`](LazyArray::weighted_order), with weights along some of the axes.
    ///
    /// # Errors
    /// As there, and when weights lie along other axes.
    pub fn order_by(
        &self,
        statistic: OrderStatistic,
        weights: &AxisWeights,
        axes: &[i64],
        options: FoldOptions,
    ) -> Result<LazyArray> {
        weights.check(self.shape())?;
        let mut reduced = self.axes(axes)?;
        reduced.sort_unstable();
        self.weighted_order(statistic, weights.dense(&reduced, self.shape())?, axes, options)
    }

    /// As [`rolling`](LazyArray::rolling), each value counting as much as its weight: the sum, the mean, or the sum of
    /// weights (count).
    ///
    /// *Missing*: as of [`weighted_by`](LazyArray::weighted_by). `options.min_count` counts values, not weights.
    ///
    /// # Errors
    /// When there is no such axis, the window has no length, the weights do not fit the array, or for other operations.
    pub fn rolling_by(
        &self,
        axis: usize,
        window: Rolling,
        op: Op,
        weights: &AxisWeights,
        options: FoldOptions,
    ) -> Result<LazyArray> {
        if !matches!(op, Op::Sum | Op::Mean | Op::Count) {
            return Err(Error::usage(format!(
                "no {op} of windows with weights; there are sum, mean and count (the sum of weights)"
            )));
        }
        let Products { value, weight } = self.weighted_products(weights)?;
        let windows = |x: &LazyArray, op| x.rolling(axis, window, op, FoldOptions::default());
        let total = windows(&weight, Op::Sum)?;
        let total = total.where_else(&total.not_equal(&LazyArray::scalar(0.0))?, f64::NAN)?;
        let mut out = match op {
            Op::Sum => windows(&value, Op::Sum)?,
            Op::Mean => windows(&value, Op::Sum)?.divide(&total)?,
            _ => total,
        };
        if options.min_count > 0 {
            let least = i64::try_from(options.min_count).unwrap_or(i64::MAX);
            let enough = windows(&self.without_dims(), Op::Count)?.greater_equal(&LazyArray::scalar(least))?;
            out = out.where_else(&enough, f64::NAN)?;
        }
        if options.keep_missing && self.dtype().is_float() {
            let any = windows(&self.without_dims().isnan()?, Op::Any)?;
            out = out.where_else(&any.logical_not()?, f64::NAN)?;
        }
        let out = out.astype(weighted_dtype(op, self.dtype()));
        match self.dims() {
            Some(names) => out.with_dims(&names.iter().map(String::as_str).collect::<Vec<_>>()),
            None => Ok(out),
        }
    }

    /// The values times their weights, and the weights of those that are there.
    ///
    /// # Errors
    /// When the weights do not fit the array.
    pub fn weighted_products(&self, weights: &AxisWeights) -> Result<Products> {
        weights.check(self.shape())?;
        let x = self.without_dims();
        let weight = weights.array(&x)?.broadcast_to(self.shape())?;
        let value = x.where_there(&x.astype(DType::F64).multiply(&weight)?)?;
        Ok(Products { value, weight: x.where_there(&weight)? })
    }

    /// Another array where this is not missing, else 0.
    fn where_there(&self, other: &LazyArray) -> Result<LazyArray> {
        if !self.dtype().is_float() {
            return Ok(other.clone());
        }
        LazyArray::select(&self.isnan()?, &LazyArray::scalar(0.0), other)
    }

    fn weighted_over(&self, op: Op, weights: &AxisWeights, over: &Over, options: FoldOptions) -> Result<LazyArray> {
        check_weighted(op, options)?;
        weights.check(self.shape())?;
        match weights.table(&over.reduced, self.shape())? {
            Some(table) => over.fold(self, Folding::Own(weighted(op, table, self.dtype(), options)?)),
            None => self.weighted_by_array(op, weights, over, options),
        }
    }

    fn weighted_by_array(&self, op: Op, weights: &AxisWeights, over: &Over, options: FoldOptions) -> Result<LazyArray> {
        let Products { value, weight } = self.weighted_products(weights)?;
        let sum = |x: &LazyArray| {
            let options = FoldOptions { keep_missing: true, ..FoldOptions::default() };
            over.fold(x, Folding::Op { op: Op::Sum, options })
        };
        let total = || {
            let total = sum(&weight)?;
            total.where_else(&total.not_equal(&LazyArray::scalar(0.0))?, f64::NAN)
        };
        let mean = || sum(&value)?.divide(&total()?);
        let variance = || {
            let x = self.without_dims();
            let off = x.astype(DType::F64).subtract(&over.back(&mean()?, self.shape())?)?;
            sum(&x.where_there(&off.square()?)?.multiply(&weight)?)?.divide(&total()?)
        };
        let out = match op {
            Op::Sum => sum(&value)?,
            Op::Count => total()?,
            Op::Mean => mean()?,
            Op::Var => variance()?,
            _ => variance()?.sqrt()?,
        };
        let out = match over.least(self.shape(), options)? {
            None => out,
            Some(least) => {
                let count = Folding::Op { op: Op::Count, options: FoldOptions::default() };
                let enough = over.fold(&self.without_dims(), count)?.greater_equal(&least)?;
                out.where_else(&enough, f64::NAN)?
            }
        };
        let out = out.astype(weighted_dtype(op, self.dtype()));
        let Some(names) = self.dims() else { return Ok(out) };
        out.with_dims(&over.names(names))
    }
}
