//! From keys that were found to statistics.

use super::{
    super::{
        number::{Float, Number},
        place::Place,
        select::at_place,
        statistic::{LaneOptions, Method, OrderStatistic},
    },
    Cell, Listed, Narrow, Search, ranking,
    tracker::{By, Given, Joins, Ties, Tracker, last_key},
};
use crate::{dtype::Element, with_dtype};
use bytemuck::Pod;
use std::ops::Range;

/// The quartiles, for their distance.
const QUARTILES: [f64; 2] = [0.25, 0.75];

impl Narrow {
    /// The ranks that decide among `n` values of `per_cell`, in order.
    pub(super) fn ranks(&self, n: u64, per_cell: u64) -> Vec<u64> {
        let present = self.statistics.iter().filter(|(_, options)| !is_missing(*options, n, per_cell));
        let mut ranks: Vec<u64> = present.flat_map(|(statistic, _)| needs(statistic, n)).collect();
        ranks.sort_unstable();
        ranks.dedup();
        ranks
    }

    /// Gives out the first `most` keys in order, where there are so many zeros above and below zero.
    pub(super) fn in_order(&self, most: u64, signs: &[u64], joins: Joins) -> Tracker {
        let bits = self.key_bits();
        let key = u128::from(with_dtype!(self.dtype, T => key_of(T::ZERO)));
        let by = self.by();
        let key = if matches!(by, By::Reverse) { last_key(bits) - key } else { key };
        let zeros = (signs[1] > 0).then(|| (key, signs.iter().sum()));
        Tracker::of_sorted(by, bits + self.place_bits(), most, zeros, joins)
    }

    /// How many ranks can decide.
    pub(super) fn ranks_most(&self) -> usize {
        self.statistics.iter().map(|(statistic, _)| needs(statistic, 1 << 20).len()).sum()
    }

    /// Whether every key counts.
    pub(super) fn needs_every(&self, n: u64, per_cell: u64) -> bool {
        self.statistics.iter().any(|(statistic, options)| {
            matches!(statistic, OrderStatistic::NUnique | OrderStatistic::Mode) && !is_missing(*options, n, per_cell)
        })
    }

    /// Looks for the median distance from the median, where somebody wants it; given the keys of the values.
    pub(super) fn distances(&self, n: u64, per_cell: u64, key: impl Fn(u64) -> Option<u64>) -> Option<Tracker> {
        let wants = |(s, o): &(OrderStatistic, LaneOptions)| *s == OrderStatistic::Mad && !is_missing(*o, n, per_cell);
        if !self.statistics.iter().any(wants) {
            return None;
        }
        let center = with_dtype!(self.dtype, T => median::<T>(n, |rank| typed::<T>(key(rank))).to_f64());
        if center.is_nan() {
            return None;
        }
        let mut ranks = middle(n).to_vec();
        if center.is_infinite() {
            // Whether any is no distance, as of an infinite value from an infinite median: it is the last.
            ranks.push(n - 1);
        }
        ranks.dedup();
        Some(Tracker::of_distances(center, self.distance_bits(), ranks, n))
    }
}

impl Search {
    /// Result `at` of statistic number `which` for some cells, as native elements of its type.
    ///
    /// # Panics
    /// When the buffer is too short, or not all is found yet.
    pub fn finish(&self, which: usize, at: usize, cells: Range<usize>, out: &mut [u8]) {
        let (statistic, options) = &self.narrow.statistics[which];
        let cells = &self.cells[cells];
        let missing = |cell: &Cell| is_missing(*options, cell.count, self.per_cell);
        match statistic {
            OrderStatistic::NUnique => {
                let too_few =
                    |cell: &Cell| cell.count < options.min_count || cell.count < self.per_cell && options.keep_missing;
                let different = |cell: &Cell| cell.every.as_ref().and_then(Tracker::every).map_or(0, |e| e.0 as i64);
                fill(out, cells, |cell| if too_few(cell) { -1 } else { different(cell) });
            }
            OrderStatistic::Mode => with_dtype!(self.narrow.dtype, T => fill(out, cells, |cell| {
                let most = cell.every.as_ref().filter(|_| !missing(cell)).and_then(Tracker::every);
                most.map_or(T::from_f64(f64::NAN), |e| T::from_key(typed::<T>(Some(e.1))))
            })),
            _ => with_dtype!(self.narrow.dtype, T => fill(out, cells, |cell| {
                let nan = <T as Number>::Float::from_f64(f64::NAN);
                if missing(cell) { nan } else { result::<T>(statistic, at, cell) }
            })),
        }
    }
}

/// What a lane gives that follows in order.
pub struct InOrder<'k> {
    pub(super) narrow: &'k Narrow,
    /// How many.
    pub len: u64,
    /// Without keys they are missing.
    pub(super) given: Option<Given<'k>>,
}

impl InOrder<'_> {
    /// Writes those from the `first` on, as many as `out` has room for, as native elements of the type that is listed.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn write(&self, first: u64, out: &mut [u8]) {
        let (Narrow { listed, dtype, n, .. }, first) = (self.narrow, first as usize);
        match (listed, &self.given) {
            (Some((Listed::Places(_), _)), Some(given)) => each(out, |at| given.place(first + at) as i64),
            (Some((Listed::Ranks, _)), Some(given)) => {
                each(out, |at| ranking::rank(given.run.key(first + at) as u64, *n));
            }
            (Some((Listed::Codes, _)), Some(given)) => {
                let missing = if dtype.is_float() { Some(last_key(self.narrow.key_bits())) } else { None };
                let (mut ties, mut end) = (None, first);
                each(out, |at| {
                    let at = first + at;
                    if at == end {
                        let (all, next) = given.ties(at, at > first);
                        (ties, end) = ((Some(given.value(at)) != missing).then_some(all), next);
                    }
                    ranking::code(given.place(at), ties, *n)
                });
            }
            (_, given) => with_dtype!(*dtype, T => each(out, |at| {
                given.as_ref().map_or_else(|| T::from_f64(f64::NAN), |given| value::<T>(given, first + at))
            })),
        }
    }
}

/// Writes elements one after the other.
fn each<T: Pod>(out: &mut [u8], of: impl FnMut(usize) -> T) {
    let elements = out.chunks_exact_mut(size_of::<T>());
    elements.zip((0..).map(of)).for_each(|(y, value)| y.copy_from_slice(bytemuck::bytes_of(&value)));
}

/// A value that has been given.
fn value<T: Number>(Given { by, bits, run, .. }: &Given<'_>, at: usize) -> T {
    let key = run.key(at);
    match by {
        By::ZeroPlace | By::ZeroSign => T::from_f64(if key & 1 == 1 { -0.0 } else { 0.0 }),
        By::Reverse => T::from_key(typed::<T>(Some((last_key(*bits) - key) as u64))),
        By::Value | By::Distance(_) | By::Pair { .. } => T::from_key(typed::<T>(Some(key as u64))),
    }
}

/// Of values with their places.
impl Given<'_> {
    fn place(&self, at: usize) -> u64 {
        let bits = self.by.apart_bits();
        (self.run.key(at) & !(u128::MAX << bits)) as u64
    }

    /// The value's key.
    fn value(&self, at: usize) -> u128 {
        self.run.key(at) >> self.by.apart_bits()
    }

    /// The values equal to one, and where they end here. Where it is not known to be the first of them, that is looked for.
    fn ties(&self, at: usize, is_first: bool) -> (Ties, usize) {
        let (value, len) = (self.value(at), self.run.len() as usize);
        if let Some(ties) = self.ties {
            return (ties, len);
        }
        let start = if is_first { at } else { search(0, at, |k| self.value(k) < value) };
        // Mostly they are few.
        let (mut end, mut step) = (at + 1, 1);
        while end + step <= len && self.value(end + step - 1) == value {
            (end, step) = (end + step, 2 * step);
        }
        let end = search(end, len.min(end + step), |k| self.value(k) == value);
        (Ties { below: self.below + start as u64, count: (end - start) as u64 }, end)
    }
}

/// The first place for which `before` does not hold, from `low` to `high`.
fn search(mut low: usize, mut high: usize, before: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

fn fill<R: Pod>(out: &mut [u8], cells: &[Cell], of: impl Fn(&Cell) -> R) {
    let size = size_of::<R>();
    out[..size * cells.len()]
        .chunks_exact_mut(size)
        .zip(cells)
        .for_each(|(y, cell)| y.copy_from_slice(bytemuck::bytes_of(&of(cell))));
}

/// Whether there are too few values for a result that is one of them, or lies among them.
fn is_missing(options: LaneOptions, n: u64, per_cell: u64) -> bool {
    n < options.min_count.max(1) || options.keep_missing && n < per_cell
}

/// The places of the values in the middle of `n`.
fn middle(n: u64) -> [u64; 2] {
    [n.saturating_sub(1) / 2, n / 2]
}

/// The ranks whose values a statistic of `n` values needs, at least one.
fn needs(statistic: &OrderStatistic, n: u64) -> Vec<u64> {
    let of = |method: Method, at: &[f64]| {
        at.iter().flat_map(|q| Place::of(method, n as usize, *q).needs()).map(|rank| rank as u64).collect()
    };
    match statistic {
        OrderStatistic::Quantile { at, method } => of(*method, at.values()),
        OrderStatistic::Iqr => of(Method::Linear, &QUARTILES),
        OrderStatistic::Median | OrderStatistic::Mad => middle(n).to_vec(),
        OrderStatistic::NUnique | OrderStatistic::Mode => Vec::new(),
    }
}

/// A key in the type's own width; it has as many bits.
fn typed<T: Number>(key: Option<u64>) -> T::Key {
    key.and_then(|key| T::Key::try_from(key).ok()).unwrap_or(T::LAST)
}

fn key_of<T: Number>(x: T) -> u64 {
    x.key().into()
}

fn median<T: Number>(n: u64, key: impl Fn(u64) -> T::Key) -> T::Float {
    let [low, high] = middle(n).map(|rank| T::from_key(key(rank)).float());
    if n.is_multiple_of(2) { low.mean(high) } else { high }
}

/// A result among ranks.
fn result<T: Number>(statistic: &OrderStatistic, which: usize, cell: &Cell) -> T::Float {
    let n = cell.count;
    let key = |rank: usize| typed::<T>(cell.ranks.as_ref().and_then(|r| r.key(rank as u64)));
    let at = |method: Method, q: f64| at_place::<T>(Place::of(method, n as usize, q), key);
    match statistic {
        OrderStatistic::Quantile { at: qs, method } => at(*method, qs.values()[which]),
        OrderStatistic::Iqr => at(Method::Linear, QUARTILES[1]).minus(at(Method::Linear, QUARTILES[0])),
        OrderStatistic::Mad => mad::<T::Float>(n, cell),
        _ => median::<T>(n, |rank| key(rank as usize)),
    }
}

fn mad<F: Float>(n: u64, cell: &Cell) -> F {
    let Some(away) = &cell.away else { return F::from_f64(f64::NAN) };
    let key = |rank: u64| typed::<F>(away.key(rank));
    // Infinity less infinity is no distance, and neither is then the median of them.
    if away.key(n - 1).is_some() && key(n - 1) == F::LAST {
        return F::from_f64(f64::NAN);
    }
    F::from_f64(median::<F>(n, key).to_f64())
}
