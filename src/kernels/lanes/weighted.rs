//! Quantiles of weighted values: `xarray`'s `weighted(..).quantile`.

use super::{
    Lanes,
    number::Number,
    sort,
    statistic::{LaneOptions, Quantiles},
};
use crate::{
    dtype::{DType, Element},
    error::Result,
    kernels::fold::check_weights,
    with_dtype,
};
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

/// `out` is `[outer, at.len(), inner]`, and scratch of `scratch_bytes`.
#[allow(clippy::too_many_arguments)] // the request is three of them
pub(super) fn quantiles(
    at: &Quantiles,
    weights: &LaneWeights,
    options: LaneOptions,
    dtype: DType,
    src: &[u8],
    lanes: Lanes,
    out: &mut [u8],
    scratch: &mut [u8],
) {
    assert_eq!(weights.0.len(), lanes.n, "a weight for each position");
    with_dtype!(dtype, T => each_lane::<T>(at, weights, options, bytemuck::cast_slice(src), lanes, out, scratch))
}

fn each_lane<T: Number>(
    at: &Quantiles,
    weights: &LaneWeights,
    options: LaneOptions,
    src: &[T],
    lanes: Lanes,
    out: &mut [u8],
    scratch: &mut [u8],
) {
    let out: &mut [T::Float] = bytemuck::cast_slice_mut(out);
    let least = usize::try_from(options.min_count).unwrap_or(usize::MAX);
    // Sorted by value; the weight goes along in the lower half.
    let pair = |x: T, at: usize| u128::from(x.to_f64().key()) << 64 | u128::from(weights.0[at].to_bits());
    sort::each_tile(src, lanes, scratch, pair, |tile| {
        tile.each_lane(lanes.n, |pairs, lane| {
            pairs.sort_unstable();
            let there = pairs.partition_point(|p| key(*p) != f64::LAST);
            let too_few = there < least || options.keep_missing && there < lanes.n;
            let found = Kish::of(if too_few { &[] } else { &pairs[..there] });
            let from = lane.start(at.len(), lanes.inner);
            for (k, q) in at.values().iter().enumerate() {
                let y = found.as_ref().map_or(f64::NAN, |kish| kish.quantile(&pairs[..there], *q));
                out[from + k * lanes.inner] = T::Float::from_f64(y);
            }
        })
    });
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
    /// `None` where no value counts.
    fn of(pairs: &[u128]) -> Option<Kish> {
        let (total, squares) = pairs.iter().fold((0.0, 0.0), |(total, squares), p| {
            let w = weight(*p);
            (total + w, squares + w * w)
        });
        (squares > 0.0).then(|| Kish { total, size: total * total / squares })
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
