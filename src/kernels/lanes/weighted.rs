//! Order statistics of weighted values: `xarray`'s `weighted(..).quantile`, and what follows from it.

use super::{
    Lanes,
    number::{Float, Number},
    sort,
    statistic::{LaneOptions, OrderStatistic},
};
use crate::{
    dtype::{DType, Element},
    error::Result,
    kernels::fold::check_weights,
    with_dtype,
};
use bytemuck::Pod;
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A weight for each position of a lane. Clones are equal, and so are those with the same bits.
#[derive(Clone)]
pub struct LaneWeights(Arc<[f64]>);

impl LaneWeights {
    /// Checked ones.
    ///
    /// # Errors
    /// When one is NaN.
    pub fn new(weights: Vec<f64>) -> Result<LaneWeights> {
        check_weights(&weights)?;
        Ok(LaneWeights(weights.into()))
    }

    /// The weights, in order.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    fn bits(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|w| w.to_bits())
    }
}

impl PartialEq for LaneWeights {
    fn eq(&self, other: &LaneWeights) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.len() == other.0.len() && self.bits().eq(other.bits())
    }
}

impl Eq for LaneWeights {}

impl Hash for LaneWeights {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().for_each(|bits| bits.hash(state));
    }
}

/// By where they lie: what is printed tells apart those that are not clones.
impl fmt::Debug for LaneWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} weights at {:p}", self.0.len(), self.0)
    }
}

pub(super) fn scratch_bytes(n: usize) -> usize {
    sort::scratch_bytes(size_of::<u128>(), n)
}

/// `out` is `[outer, statistic.result_len(), inner]`, and scratch of `scratch_bytes`.
#[allow(clippy::too_many_arguments)] // the request is three of them
pub(super) fn statistic(
    statistic: &OrderStatistic,
    weights: &LaneWeights,
    options: LaneOptions,
    dtype: DType,
    src: &[u8],
    lanes: Lanes,
    out: &mut [u8],
    scratch: &mut [u8],
) {
    assert_eq!(weights.0.len(), lanes.n, "a weight for each position");
    with_dtype!(dtype, T => {
        let task = Task { src: bytemuck::cast_slice::<u8, T>(src), lanes, weights, options };
        task.run(statistic, out, scratch)
    })
}

/// The lanes, what their values count, and their rules.
struct Task<'a, T> {
    src: &'a [T],
    lanes: Lanes,
    weights: &'a LaneWeights,
    options: LaneOptions,
}

impl<T: Number> Task<'_, T> {
    fn run(&self, statistic: &OrderStatistic, out: &mut [u8], scratch: &mut [u8]) {
        let nan = T::Float::from_f64(f64::NAN);
        let rounded = T::Float::from_f64;
        match statistic {
            OrderStatistic::Quantile { at, .. } => self.each(scratch, T::to_f64, out, at.len(), nan, |pairs, put| {
                let kish = Kish::of(pairs);
                at.values().iter().enumerate().for_each(|(k, q)| put(k, rounded(kish.quantile(pairs, *q))));
            }),
            OrderStatistic::Median => self.each(scratch, T::to_f64, out, 1, nan, |pairs, put| {
                put(0, rounded(Kish::of(pairs).quantile(pairs, 0.5)));
            }),
            OrderStatistic::Iqr => self.each(scratch, T::to_f64, out, 1, nan, |pairs, put| {
                let kish = Kish::of(pairs);
                put(0, rounded(kish.quantile(pairs, 0.75)).minus(rounded(kish.quantile(pairs, 0.25))));
            }),
            OrderStatistic::Mad => {
                self.each(scratch, T::to_f64, out, 1, nan, |pairs, put| put(0, rounded(mad(pairs))));
            }
            OrderStatistic::Mode => {
                self.each(scratch, |x| x, out, 1, T::from_f64(f64::NAN), |pairs, put| put(0, mode::<T>(pairs)));
            }
            OrderStatistic::NUnique => unreachable!("different values have no weights"),
        }
    }

    /// Calls `result` with each lane's values that count, of which there is at least one, in order and with their weights
    /// in the lower half; and with what takes the results, which are `missing` where there is none.
    fn each<V: Number, R: Pod>(
        &self,
        scratch: &mut [u8],
        value: impl Fn(T) -> V,
        out: &mut [u8],
        results: usize,
        missing: R,
        mut result: impl FnMut(&mut [u128], &mut dyn FnMut(usize, R)),
    ) {
        let (n, inner) = (self.lanes.n, self.lanes.inner);
        let out: &mut [R] = bytemuck::cast_slice_mut(out);
        let least = usize::try_from(self.options.min_count).unwrap_or(usize::MAX);
        let last: u64 = V::LAST.into();
        let pair = |x: T, at: usize| {
            let key: u64 = value(x).key().into();
            u128::from(key) << 64 | u128::from(self.weights.0[at].to_bits())
        };
        sort::each_tile(self.src, self.lanes, scratch, pair, |tile| {
            tile.each_lane(n, |pairs, lane| {
                pairs.sort_unstable();
                let there = if V::DTYPE.is_float() { pairs.partition_point(|p| key(*p) != last) } else { n };
                let too_few = there < least || self.options.keep_missing && there < n;
                let from = lane.start(results, inner);
                let mut put = |k: usize, y: R| out[from + k * inner] = y;
                if too_few || pairs[..there].iter().all(|p| weight(*p) == 0.0) {
                    (0..results).for_each(|k| put(k, missing));
                } else {
                    result(&mut pairs[..there], &mut put);
                }
            })
        });
    }
}

/// The weighted median distance from the weighted median.
fn mad(pairs: &mut [u128]) -> f64 {
    let center = Kish::of(pairs).quantile(pairs, 0.5);
    for pair in pairs.iter_mut() {
        let distance = (f64::from_key(key(*pair)) - center).abs();
        *pair = u128::from(distance.key()) << 64 | u128::from(weight(*pair).to_bits());
    }
    pairs.sort_unstable();
    // Infinity less infinity is no distance, and neither is then the median of them.
    match pairs.last() {
        Some(largest) if key(*largest) != f64::LAST => Kish::of(pairs).quantile(pairs, 0.5),
        _ => f64::NAN,
    }
}

/// The value whose weights add up to the most, the first of them.
fn mode<T: Number>(pairs: &[u128]) -> T {
    let mut best: Option<(u64, f64)> = None;
    for run in pairs.chunk_by(|a, b| key(*a) == key(*b)) {
        let total: f64 = run.iter().map(|p| weight(*p)).sum();
        let counts = run.iter().any(|p| weight(*p) != 0.0);
        if counts && best.is_none_or(|(_, most)| total > most) {
            best = Some((key(run[0]), total));
        }
    }
    let found = best.and_then(|(key, _)| T::Key::try_from(key).ok());
    found.map_or(T::from_f64(f64::NAN), T::from_key)
}

fn key(pair: u128) -> u64 {
    (pair >> 64) as u64
}

fn weight(pair: u128) -> f64 {
    f64::from_bits(pair as u64)
}

/// What the weights of one lane add up to.
struct Kish {
    total: f64,
    /// Kish's effective sample size: how many values of equal weight would know as much.
    size: f64,
}

impl Kish {
    fn of(pairs: &[u128]) -> Kish {
        let (total, squares) = pairs.iter().fold((0.0, 0.0), |(total, squares), p| {
            let w = weight(*p);
            (total + w, squares + w * w)
        });
        Kish { total, size: total * total / squares }
    }

    /// The quantile of sorted values, Hyndman & Fan's type 7, as A. Akinshin 2023 (Weighted quantile estimators, eq. 7)
    /// generalises it: each value counts by how much of its weight lies within one nth around the place.
    fn quantile(&self, pairs: &[u128], q: f64) -> f64 {
        let n = self.size;
        let h = ((n - 1.0) * q + 1.0).clamp(1.0, n.max(1.0));
        let share = |below: f64| ((h - 1.0) / n).max((h / n).min(below)) * n - h + 1.0;
        let (mut below, mut before, mut sum) = (0.0, share(0.0), 0.0);
        for pair in pairs.iter().filter(|p| weight(**p) != 0.0) {
            below += weight(*pair) / self.total;
            let upto = share(below);
            // An infinity far away is nothing.
            if upto != before {
                sum += f64::from_key(key(*pair)) * (upto - before);
            }
            before = upto;
        }
        sum
    }
}
