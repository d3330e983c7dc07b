//! Order statistics of lanes that are never in memory: passes that narrow down which values decide.
//!
//! A value is seen as its key, an unsigned integer that sorts as the values do. The first pass counts the values by the
//! first bits of their keys; from the counts it is known with which bits the wanted ranks begin. Each later pass counts,
//! by their next bits, only the values that begin so. When all bits are known the values themselves are, and what lies
//! between them is computed as it is for lanes in memory: the results have the same bits.

use super::{
    LaneOp,
    number::{Float, Number},
    place::Place,
    select::at_place,
    statistic::{LaneOptions, Method, OrderStatistic},
};
use crate::{
    dtype::{DType, Element},
    kernels::{
        decode::{Decode, Decoded, Decoder, Segment, Value},
        fold::{ChunkView, Indices, Take, check, push, with_work},
    },
    with_dtype,
};
use half::f16;
use std::{fmt, ops::Range};

/// One pass over the values of lanes, as a fold: its state is plain bytes, and merging adds counts.
///
/// *State*: for each cell what the pass before has found, then for each cell the counts: one row of bins in the first
/// pass, later one for each rank that is looked for.
///
/// *Memory*: 8 bytes a bin.
#[derive(Debug, Clone, PartialEq)]
pub struct Narrow {
    statistic: OrderStatistic,
    options: LaneOptions,
    dtype: DType,
    /// How many bits of the keys are known before, and how many more are after this pass.
    known: u32,
    bits: u32,
}

/// The quartiles, for their distance.
const QUARTILES: [f64; 2] = [0.25, 0.75];

impl Narrow {
    /// How `op` is computed of values of `dtype` in passes, each of which makes at most `bits` bits known; none where it
    /// cannot be.
    pub fn passes(op: &LaneOp, dtype: DType, bits: u32) -> Vec<Narrow> {
        let LaneOp::Statistic { statistic, options } = op else { return Vec::new() };
        if matches!(statistic, OrderStatistic::Mad | OrderStatistic::NUnique | OrderStatistic::Mode) {
            return Vec::new();
        }
        let all = 8 * dtype.size() as u32;
        let each = all.div_ceil(all.div_ceil(bits.max(1)));
        let starts = (0..all).step_by(each as usize);
        let pass = |known| Narrow {
            statistic: statistic.clone(),
            options: *options,
            dtype,
            known,
            bits: each.min(all - known),
        };
        starts.map(pass).collect()
    }

    /// The number of results for a cell: of the last pass those of the statistic, of others what the next one needs.
    pub fn results(&self) -> usize {
        if self.is_last() { self.statistic.result_len() as usize } else { self.record() }
    }

    /// The type of the results.
    pub fn result_dtype(&self) -> DType {
        if self.is_last() { self.statistic.result_dtype(self.dtype) } else { DType::U64 }
    }

    /// Bytes of the state of `cells` cells.
    pub fn state_bytes(&self, cells: usize) -> usize {
        let bins = self.rows().saturating_mul(1 << self.bits);
        cells.saturating_mul(bins.saturating_add(self.earlier_len())).saturating_mul(8)
    }

    /// Makes `state` that of no values, before anything is known.
    ///
    /// # Panics
    /// When it is shorter than [`state_bytes`](Narrow::state_bytes).
    pub fn init(&self, state: &mut [u8], cells: usize) {
        state[..self.state_bytes(cells)].fill(0);
    }

    /// The part of a state that is to be what the pass before has found: its [`results`](Narrow::results) as uint64,
    /// cell by cell.
    ///
    /// # Panics
    /// When the state is too short.
    pub fn earlier<'s>(&self, state: &'s mut [u8], cells: usize) -> &'s mut [u8] {
        &mut state[..8 * cells * self.earlier_len()]
    }

    /// Adds the values of chunks, which are stored as `decode` says.
    ///
    /// # Panics
    /// When a view reaches beyond its bytes, its kept dimensions are not the cells, or `state` is too short or not aligned
    /// as a block is.
    pub fn push(
        &self,
        state: &mut [u8],
        cells: usize,
        decode: &Decode,
        views: &[ChunkView<'_>],
        segment: &mut Segment,
    ) {
        let decoder = Decoder::new(decode);
        check(views, decoder.element(), cells);
        let (earlier, bins) = self.split(state, cells);
        let mut to = Counts { narrow: self, earlier, bins };
        with_work!(decode.work(), W => push::<W>(&decoder, views, segment, &mut to));
    }

    /// Adds what `from` has counted.
    ///
    /// # Panics
    /// When a state is too short, or not aligned as a block is.
    pub fn merge(&self, into: &mut [u8], from: &[u8], cells: usize) {
        let (_, bins) = self.split(into, cells);
        let from = &from[8 * cells * self.earlier_len()..self.state_bytes(cells)];
        bins.iter_mut().zip(bytemuck::cast_slice::<u8, u64>(from)).for_each(|(a, b)| *a += b);
    }

    /// Result number `which` of each cell, as native elements; `per_cell` is how many values each cell has, missing ones
    /// included.
    ///
    /// # Panics
    /// When a buffer is too short, or `state` is not aligned as a block is.
    pub fn finish(&self, which: usize, state: &[u8], cells: usize, per_cell: u64, out: &mut [u8]) {
        let state: &[u64] = bytemuck::cast_slice(&state[..self.state_bytes(cells)]);
        let (earlier, bins) = state.split_at(cells * self.earlier_len());
        let width = self.rows() << self.bits;
        let found = |cell: usize| Found {
            narrow: self,
            earlier: &earlier[cell * self.earlier_len()..][..self.earlier_len()],
            bins: &bins[cell * width..][..width],
        };
        if !self.is_last() {
            let out = out[..8 * cells].chunks_exact_mut(8).enumerate();
            return out.for_each(|(cell, y)| y.copy_from_slice(&found(cell).field(which).to_ne_bytes()));
        }
        with_dtype!(self.dtype, T => {
            let size = size_of::<<T as Number>::Float>();
            for (cell, y) in out[..size * cells].chunks_exact_mut(size).enumerate() {
                y.copy_from_slice(bytemuck::bytes_of(&found(cell).result::<T>(which, per_cell)));
            }
        });
    }

    fn is_first(&self) -> bool {
        self.known == 0
    }

    fn is_last(&self) -> bool {
        self.known + self.bits == self.key_bits()
    }

    fn key_bits(&self) -> u32 {
        8 * self.dtype.size() as u32
    }

    /// How many ranks are looked for.
    fn ranks(&self) -> usize {
        match &self.statistic {
            OrderStatistic::Quantile { at, .. } => 2 * at.len(),
            OrderStatistic::Iqr => 2 * QUARTILES.len(),
            _ => 2,
        }
    }

    /// What is found out of a cell: how many values there are, and for each rank the bits that its value begins with and
    /// its rank among those that begin so.
    fn record(&self) -> usize {
        1 + 2 * self.ranks()
    }

    fn earlier_len(&self) -> usize {
        if self.is_first() { 0 } else { self.record() }
    }

    fn rows(&self) -> usize {
        if self.is_first() { 1 } else { self.ranks() }
    }

    fn split<'a>(&self, state: &'a mut [u8], cells: usize) -> (&'a [u64], &'a mut [u64]) {
        let state: &mut [u64] = bytemuck::cast_slice_mut(&mut state[..self.state_bytes(cells)]);
        let (earlier, bins) = state.split_at_mut(cells * self.earlier_len());
        (earlier, bins)
    }

    /// The ranks that decide among `n` values, at least one, in order; the last one again where there are fewer.
    fn needed(&self, n: usize) -> Vec<usize> {
        let of = |method: Method, at: &[f64]| at.iter().flat_map(|q| Place::of(method, n, *q).needs()).collect();
        let mut needed: Vec<usize> = match &self.statistic {
            OrderStatistic::Quantile { at, method } => of(*method, at.values()),
            OrderStatistic::Iqr => of(Method::Linear, &QUARTILES),
            _ => vec![(n - 1) / 2, n / 2],
        };
        needed.sort_unstable();
        needed.dedup();
        let last = needed.last().copied().unwrap_or(0);
        needed.resize(self.ranks(), last);
        needed
    }

    /// A result of `n` values, given the key of each that is needed.
    fn value<T: Number>(&self, which: usize, n: usize, key: impl Fn(usize) -> T::Key) -> T::Float {
        let at = |method: Method, q: f64| at_place::<T>(Place::of(method, n, q), &key);
        match &self.statistic {
            OrderStatistic::Quantile { at: qs, method } => at(*method, qs.values()[which]),
            OrderStatistic::Iqr => at(Method::Linear, QUARTILES[1]).minus(at(Method::Linear, QUARTILES[0])),
            _ => {
                let upper = T::from_key(key(n / 2)).float();
                if n.is_multiple_of(2) { T::from_key(key(n / 2 - 1)).float().mean(upper) } else { upper }
            }
        }
    }
}

impl fmt::Display for Narrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to, all) = (self.known + 1, self.known + self.bits, self.key_bits());
        write!(f, "{} (bits {from} to {to} of {all} of each value)", self.statistic)
    }
}

/// What has been found out of one cell.
struct Found<'a> {
    narrow: &'a Narrow,
    earlier: &'a [u64],
    bins: &'a [u64],
}

impl Found<'_> {
    /// How many values there are that are not missing.
    fn count(&self) -> u64 {
        if self.narrow.is_first() { self.bins.iter().sum() } else { self.earlier[0] }
    }

    /// The bits that the value of the `k`th needed rank begins with, and its rank among those that begin so.
    fn settle(&self, k: usize) -> (u64, u64) {
        let bits = self.narrow.bits;
        let (known, mut rank, row) = if self.narrow.is_first() {
            (0, self.narrow.needed(self.count() as usize)[k] as u64, 0)
        } else {
            let known = self.earlier[1 + 2 * k];
            (known, self.earlier[2 + 2 * k], row_of(self.earlier, known).unwrap_or(0))
        };
        let row = &self.bins[row << bits..][..1 << bits];
        let mut bin = 0;
        while bin + 1 < row.len() && rank >= row[bin] {
            rank -= row[bin];
            bin += 1;
        }
        (known << bits | bin as u64, rank)
    }

    /// Number `which` of what the next pass needs.
    fn field(&self, which: usize) -> u64 {
        let count = self.count();
        match which {
            0 => count,
            _ if count == 0 => 0,
            _ if which % 2 == 1 => self.settle(which / 2).0,
            _ => self.settle(which / 2 - 1).1,
        }
    }

    fn result<T: Number>(&self, which: usize, per_cell: u64) -> T::Float {
        let Narrow { options, .. } = self.narrow;
        let count = self.count();
        if count < options.min_count.max(1) || options.keep_missing && count < per_cell {
            return T::Float::from_f64(f64::NAN);
        }
        let needed = self.narrow.needed(count as usize);
        let key = |rank: usize| {
            let (key, _) = self.settle(needed.partition_point(|r| *r < rank));
            // It has as many bits as the type.
            T::Key::try_from(key).unwrap_or(T::LAST)
        };
        self.narrow.value::<T>(which, count as usize, key)
    }
}

/// The row of the values that begin with these bits: that of the first rank whose value does. Ranks are in order, and so
/// are their bits.
fn row_of(earlier: &[u64], begins: u64) -> Option<usize> {
    let (mut from, mut to) = (0, earlier.len() / 2);
    if to > FEW {
        while from < to {
            let middle = from + (to - from) / 2;
            if earlier[1 + 2 * middle] < begins { from = middle + 1 } else { to = middle }
        }
        return earlier.get(1 + 2 * from).is_some_and(|k| *k == begins).then_some(from);
    }
    (from..to).find(|k| earlier[1 + 2 * k] == begins)
}

/// So many are compared one by one.
const FEW: usize = 8;

/// The counts of all cells, while values are added to them.
struct Counts<'a> {
    narrow: &'a Narrow,
    earlier: &'a [u64],
    bins: &'a mut [u64],
}

impl Counts<'_> {
    #[inline(always)]
    fn add<W: Keyed>(&mut self, cell: usize, values: &[W]) {
        let Narrow { known, bits, .. } = *self.narrow;
        let all = self.narrow.key_bits();
        let rows = self.narrow.rows();
        let shift = all - known - bits;
        let bins = &mut self.bins[(cell * rows) << bits..][..rows << bits];
        let mask = (1usize << bits) - 1;
        if known == 0 {
            for x in values.iter().filter(|x| !x.is_missing()) {
                bins[(x.sorted_as(all) >> shift) as usize & mask] += 1;
            }
            return;
        }
        let earlier = &self.earlier[cell * self.narrow.record()..][..self.narrow.record()];
        // Most values lie outside what is looked for.
        let ends = [earlier[1], earlier[earlier.len() - 2]];
        for x in values.iter().filter(|x| !x.is_missing()) {
            let key = x.sorted_as(all) >> shift;
            let begins = key >> bits;
            if (ends[0]..=ends[1]).contains(&begins)
                && let Some(row) = row_of(earlier, begins)
            {
                bins[row << bits | key as usize & mask] += 1;
            }
        }
    }
}

impl<W: Keyed> Take<W> for Counts<'_> {
    fn lane(&mut self, cells: Range<usize>, x: Decoded<'_, W>, _: u64) {
        cells.zip(x.values).for_each(|(cell, x)| self.add(cell, std::slice::from_ref(x)));
    }

    fn run(&mut self, cell: usize, x: Decoded<'_, W>, _: Indices<'_>) {
        self.add(cell, x.values);
    }
}

/// A value as kernels compute with it, as the key of the type that it has in the array.
trait Keyed: Value {
    /// The key of so many bits: that of [`Number::key`] for the type of this size and kind.
    fn sorted_as(self, bits: u32) -> u64;
}

impl Keyed for f32 {
    #[inline(always)]
    fn sorted_as(self, bits: u32) -> u64 {
        if bits == 16 { f16::from_f32(self).key().into() } else { self.key().into() }
    }
}

impl Keyed for f64 {
    #[inline(always)]
    fn sorted_as(self, _: u32) -> u64 {
        self.key()
    }
}

impl Keyed for i64 {
    #[inline(always)]
    fn sorted_as(self, bits: u32) -> u64 {
        (self as u64 ^ 1 << (bits - 1)) & (u64::MAX >> (64 - bits))
    }
}

impl Keyed for u64 {
    #[inline(always)]
    fn sorted_as(self, _: u32) -> u64 {
        self
    }
}
