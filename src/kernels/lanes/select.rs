//! Order statistics of lanes, by selection: a lane is put in order only where the result looks at it.

use super::{
    Lanes,
    number::{Float, Number},
    place::Place,
    sort::{self, Lane},
    statistic::{LaneOptions, Method, OrderStatistic},
};
use crate::{
    dtype::{DType, Element},
    with_dtype,
};
use bytemuck::Pod;

/// Bytes of scratch for lanes of `n`.
pub(super) fn scratch_bytes(statistic: &OrderStatistic, dtype: DType, n: usize) -> usize {
    // Distances of integers from a median are floating.
    let item = if *statistic == OrderStatistic::Mad && !dtype.is_float() { 8 } else { dtype.size() };
    sort::scratch_bytes(item, n)
}

pub(super) fn statistic(
    statistic: &OrderStatistic,
    options: LaneOptions,
    dtype: DType,
    src: &[u8],
    lanes: Lanes,
    out: &mut [u8],
    scratch: &mut [u8],
) {
    with_dtype!(dtype, T => {
        let task = Task { src: bytemuck::cast_slice::<u8, T>(src), lanes, options };
        task.run(statistic, out, scratch)
    })
}

/// The lanes and their rules.
struct Task<'a, T> {
    src: &'a [T],
    lanes: Lanes,
    options: LaneOptions,
}

impl<T: Number> Task<'_, T> {
    fn run(&self, statistic: &OrderStatistic, out: &mut [u8], scratch: &mut [u8]) {
        let nan = missing(T::Float::from_f64(f64::NAN));
        match statistic {
            OrderStatistic::Quantile { at, method } => {
                let mut selection = Selection::new(*method, at.values());
                self.each(
                    scratch,
                    |x| x,
                    cast(out),
                    at.len(),
                    nan,
                    |keys, put| selection.select::<T>(keys).enumerate().for_each(|(k, y)| put(k, y)),
                );
            }
            OrderStatistic::Median => {
                self.each(scratch, |x| x, cast(out), 1, nan, |keys, put| put(0, median::<T>(keys)))
            }
            OrderStatistic::Mad if T::DTYPE.is_float() => {
                self.each(scratch, T::float, cast(out), 1, nan, |keys, put| put(0, mad::<T::Float>(keys)))
            }
            OrderStatistic::Mad => {
                self.each(scratch, T::to_f64, cast(out), 1, missing(f64::NAN), |keys, put| put(0, mad::<f64>(keys)))
            }
            OrderStatistic::Iqr => {
                let mut selection = Selection::new(Method::Linear, &[0.25, 0.75]);
                self.each(
                    scratch,
                    |x| x,
                    cast(out),
                    1,
                    nan,
                    |keys, put| {
                        let mut ends = selection.select::<T>(keys);
                        if let (Some(low), Some(high)) = (ends.next(), ends.next()) {
                            put(0, high.minus(low));
                        }
                    },
                );
            }
            OrderStatistic::NUnique => {
                self.each(
                    scratch,
                    |x| x,
                    cast(out),
                    1,
                    Without { missing: -1i64, none: 0 },
                    |keys, put| {
                        keys.sort_unstable();
                        put(0, keys.chunk_by(|a, b| a == b).count() as i64);
                    },
                );
            }
            OrderStatistic::Mode => {
                let nan = missing(T::from_f64(f64::NAN));
                self.each(scratch, |x| x, cast(out), 1, nan, |keys, put| put(0, mode::<T>(keys)));
            }
        }
    }

    /// Calls `result` with the keys of each lane's values, of which there is at least one, and with what takes the
    /// results; writes what `without` says where there are not.
    fn each<V: Number, R: Pod>(
        &self,
        scratch: &mut [u8],
        value: impl Fn(T) -> V,
        out: &mut [R],
        results: usize,
        without: Without<R>,
        mut result: impl FnMut(&mut [V::Key], &mut dyn FnMut(usize, R)),
    ) {
        let Lanes { n, inner, .. } = self.lanes;
        let least = usize::try_from(self.options.min_count).unwrap_or(usize::MAX);
        if n == 0 {
            out.fill(if least > 0 { without.missing } else { without.none });
            return;
        }
        let mut one = |keys: &mut [V::Key], lane: Lane| {
            let from = lane.start(results, inner);
            let count = if V::DTYPE.is_float() { drop_missing(keys, V::LAST) } else { n };
            let mut put = |k: usize, y: R| out[from + k * inner] = y;
            if count < least || self.options.keep_missing && count < n {
                (0..results).for_each(|k| put(k, without.missing));
            } else if count == 0 {
                (0..results).for_each(|k| put(k, without.none));
            } else {
                result(&mut keys[..count], &mut put);
            }
        };
        sort::each_tile(self.src, self.lanes, scratch, |x, _| value(x).key(), |tile| tile.each_lane(n, &mut one));
    }
}

/// What stands where no values decide.
#[derive(Clone, Copy)]
struct Without<R> {
    /// For too few of them.
    missing: R,
    /// For none, where that is not too few.
    none: R,
}

fn missing<R: Copy>(missing: R) -> Without<R> {
    Without { missing, none: missing }
}

fn cast<T: Pod>(out: &mut [u8]) -> &mut [T] {
    bytemuck::cast_slice_mut(out)
}

/// Moves the keys of values to the front, and counts them.
fn drop_missing<K: Copy + Ord>(keys: &mut [K], missing: K) -> usize {
    // Mostly there is none, which is seen faster than moving.
    let count = keys.iter().filter(|k| **k != missing).count();
    if count < keys.len() {
        let mut to = 0;
        for from in 0..keys.len() {
            let key = keys[from];
            keys[to] = key;
            to += usize::from(key != missing);
        }
    }
    count
}

/// Several quantiles of one lane after the other.
struct Selection<'a> {
    method: Method,
    at: &'a [f64],
    /// The number of values that the places hold for.
    count: usize,
    places: Vec<Place>,
    /// The places whose keys are needed, in order.
    needed: Vec<usize>,
}

impl<'a> Selection<'a> {
    fn new(method: Method, at: &'a [f64]) -> Selection<'a> {
        Selection { method, at, count: 0, places: Vec::new(), needed: Vec::new() }
    }

    /// The quantiles of values with these keys.
    fn select<'b, T: Number>(&'b mut self, keys: &'b mut [T::Key]) -> impl Iterator<Item = T::Float> + 'b {
        if self.count != keys.len() {
            self.count = keys.len();
            self.places = self.at.iter().map(|q| Place::of(self.method, keys.len(), *q)).collect();
            self.needed = self.places.iter().flat_map(|p| p.needs()).collect();
            self.needed.sort_unstable();
            self.needed.dedup();
        }
        settle(keys, &self.needed, 0);
        self.places.iter().map(|place| at_place::<T>(*place, |at| keys[at]))
    }
}

/// The value at a place, given the key at each place that it needs.
pub(super) fn at_place<T: Number>(place: Place, key: impl Fn(usize) -> T::Key) -> T::Float {
    let value = |at: usize| T::from_key(key(at)).float();
    match place {
        Place::At(at) => value(at),
        Place::Between { low, high, weight } => lerp(value(low), value(high), weight),
    }
}

/// Puts the keys that belong at `places` (in order) there; `keys` begin at place `from`.
pub(super) fn settle<K: Ord>(keys: &mut [K], places: &[usize], from: usize) {
    // The first of two neighbours: the other is then the least of the rest.
    let Some(middle) = places.len().checked_sub(1).map(|last| last / 2) else { return };
    let (low, _, high) = keys.select_nth_unstable(places[middle] - from);
    settle(low, &places[..middle], from);
    settle(high, &places[middle + 1..], places[middle] + 1);
}

/// NumPy's `_lerp`: rounded in the type of the values, and seen from the nearer end.
fn lerp<F: Float>(a: F, b: F, weight: f64) -> F {
    let span = b.minus(a);
    if weight >= 0.5 { b.minus(span.times(F::from_f64(1.0 - weight))) } else { a.plus(span.times(F::from_f64(weight))) }
}

fn median<T: Number>(keys: &mut [T::Key]) -> T::Float {
    let n = keys.len();
    let (low, middle, _) = keys.select_nth_unstable(n / 2);
    let upper = T::from_key(*middle).float();
    match low.iter().max() {
        Some(below) if n.is_multiple_of(2) => T::from_key(*below).float().mean(upper),
        _ => upper,
    }
}

/// The median distance from the median.
fn mad<F: Float>(keys: &mut [F::Key]) -> F {
    let center = median::<F>(keys).float();
    let center = F::from_f64(center.to_f64());
    keys.iter_mut().for_each(|key| *key = F::from_key(*key).minus(center).magnitude().key());
    // Infinity less infinity is no distance, and neither is then the median of them.
    if keys.contains(&F::LAST) {
        return F::from_f64(f64::NAN);
    }
    F::from_f64(median::<F>(keys).to_f64())
}

/// The value with the longest run of equal keys, the first of them.
fn mode<T: Number>(keys: &mut [T::Key]) -> T {
    keys.sort_unstable();
    let mut best = (keys[0], 0);
    for run in keys.chunk_by(|a, b| a == b) {
        if run.len() > best.1 {
            best = (run[0], run.len());
        }
    }
    T::from_key(best.0)
}
