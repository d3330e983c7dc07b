//! One pass: values are counted, or staged to be collected.

use super::{
    super::Order,
    Cell,
    keyed::Keyed,
    table::Table,
    tracker::{By, How, Shot, Tracker, last_key},
};
use crate::kernels::{
    decode::Decoded,
    fold::{Indices, Take},
};
use std::ops::Range;

/// What one worker keeps during a pass.
pub struct Tally<'t> {
    /// Zero at first.
    pub counts: &'t mut [u64],
    /// Keys on their way to where they are collected.
    pub staged: &'t mut Staged,
    /// Takes those that are staged, when they are many.
    pub full: &'t mut dyn FnMut(&[StagedKey]),
}

/// A key in two halves, and the section that it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct StagedKey {
    section: u32,
    high: u64,
    low: u64,
}

/// Keys that wait.
#[derive(Default)]
pub struct Staged(Vec<StagedKey>);

impl Staged {
    /// So many wait at most.
    const MOST: usize = 2048;
    /// The memory that it takes.
    pub const BYTES: usize = Staged::MOST * size_of::<StagedKey>();

    #[inline(always)]
    fn add(&mut self, section: usize, key: impl Bits, full: &mut dyn FnMut(&[StagedKey])) {
        if self.0.len() >= Staged::MOST {
            self.empty(full);
        }
        // Sections are few: each has room of its own.
        let [high, low] = key.halves();
        self.0.push(StagedKey { section: section as u32, high, low });
    }

    /// Hands on what waits.
    pub fn empty(&mut self, full: &mut dyn FnMut(&[StagedKey])) {
        full(&self.0);
        self.0.clear();
        self.0.reserve_exact(Staged::MOST);
    }
}

/// Keys that were collected, section by section.
pub struct Collected<'b> {
    bytes: &'b mut [u8],
    key_bytes: usize,
    sections: Vec<Range<usize>>,
    filled: Vec<usize>,
}

impl<'b> Collected<'b> {
    pub(super) fn new(bytes: &'b mut [u8], sections: &[Range<usize>], key_bytes: usize) -> Collected<'b> {
        Collected { bytes, key_bytes, sections: sections.to_vec(), filled: vec![0; sections.len()] }
    }

    /// Adds keys to the sections that they belong to.
    pub fn add(&mut self, staged: &[StagedKey]) {
        let (sections, filled) = (&self.sections, &mut self.filled);
        match self.key_bytes {
            4 => add::<u32>(bytemuck::cast_slice_mut(self.bytes), sections, filled, staged, |key| key.low as u32),
            8 => add::<u64>(bytemuck::cast_slice_mut(self.bytes), sections, filled, staged, |key| key.low),
            _ => add::<u128>(bytemuck::cast_slice_mut(self.bytes), sections, filled, staged, |key| {
                u128::from(key.high) << 64 | u128::from(key.low)
            }),
        }
    }

    /// The keys of the sections that are marked, in parts that can be put in order each by itself.
    pub(super) fn parts(&mut self, marked: &[bool], workers: usize) -> Vec<Unsorted<'_>> {
        let sections = self.sections.iter().map(Range::len).zip(self.filled.iter().zip(marked));
        let sections = sections.map(|(len, (filled, marked))| (len, if *marked { len.min(*filled) } else { 0 }));
        match self.key_bytes {
            4 => parts(bytemuck::cast_slice_mut(self.bytes), sections, workers, |keys| Unsorted(Keys::Narrow(keys))),
            8 => parts(bytemuck::cast_slice_mut(self.bytes), sections, workers, |keys| Unsorted(Keys::Wide(keys))),
            _ => parts(bytemuck::cast_slice_mut(self.bytes), sections, workers, |keys| Unsorted(Keys::Double(keys))),
        }
    }

    /// The keys of a section, where there are as many as were expected.
    pub(super) fn section(&mut self, n: usize) -> Option<Keys<'_>> {
        let range = self.sections[n].clone();
        if self.filled[n] != range.len() {
            return None;
        }
        Some(match self.key_bytes {
            4 => Keys::Narrow(&mut bytemuck::cast_slice_mut(self.bytes)[range]),
            8 => Keys::Wide(&mut bytemuck::cast_slice_mut(self.bytes)[range]),
            _ => Keys::Double(&mut bytemuck::cast_slice_mut(self.bytes)[range]),
        })
    }
}

/// Keys that are to be put in order, for one of several workers.
pub struct Unsorted<'k>(Keys<'k>);

impl Unsorted<'_> {
    /// Puts them in order.
    pub fn sort(self) {
        match self.0 {
            Keys::Narrow(keys) => keys.sort_unstable(),
            Keys::Wide(keys) => keys.sort_unstable(),
            Keys::Double(keys) => keys.sort_unstable(),
        }
    }
}

/// Fewer keys are not worth another worker.
const SORTED_LEAST: usize = 1 << 16;

/// The parts of sections that follow each other, of which each has so many keys in so much room.
fn parts<'k, K: Ord>(
    mut keys: &'k mut [K],
    sections: impl Iterator<Item = (usize, usize)>,
    workers: usize,
    part: impl Fn(&'k mut [K]) -> Unsorted<'k>,
) -> Vec<Unsorted<'k>> {
    let mut out = Vec::new();
    for (len, some) in sections {
        let (section, rest) = std::mem::take(&mut keys).split_at_mut(len);
        keys = rest;
        halves(&mut section[..some], workers, &mut |keys| out.push(part(keys)));
    }
    out
}

/// Cuts keys in halves, the smaller ones and the larger ones, and those again.
fn halves<'k, K: Ord>(keys: &'k mut [K], parts: usize, each: &mut impl FnMut(&'k mut [K])) {
    if parts < 2 || keys.len() < SORTED_LEAST {
        return each(keys);
    }
    let middle = keys.len() / 2;
    keys.select_nth_unstable(middle);
    let (low, high) = keys.split_at_mut(middle);
    halves(low, parts / 2, each);
    halves(high, parts - parts / 2, each);
}

/// Keys in memory.
pub(super) enum Keys<'k> {
    Narrow(&'k mut [u32]),
    Wide(&'k mut [u64]),
    Double(&'k mut [u128]),
}

fn add<K>(
    keys: &mut [K],
    sections: &[Range<usize>],
    filled: &mut [usize],
    staged: &[StagedKey],
    key: impl Fn(&StagedKey) -> K,
) {
    for one in staged {
        let n = one.section as usize;
        // More than there were before are counted and not kept.
        if let Some(place) = keys[sections[n].clone()].get_mut(filled[n]) {
            *place = key(one);
        }
        filled[n] += 1;
    }
}

/// The cells of a chunk, while values are added to them.
pub(super) struct Aimed<'a> {
    pub(super) cells: &'a [Cell],
    pub(super) bits: u32,
    pub(super) bins: &'a mut [u64],
    pub(super) tables: &'a mut [u64],
    pub(super) table: usize,
    pub(super) staged: &'a mut Staged,
    pub(super) full: &'a mut dyn FnMut(&[StagedKey]),
}

impl Aimed<'_> {
    #[inline(always)]
    fn add<W: Keyed>(&mut self, cell: usize, values: &[W], place: impl Fn(usize) -> u64) {
        let (cells, bits) = (self.cells, self.bits);
        let present = || values.iter().filter(|x| !x.is_missing());
        let last = last_key(bits) as u64;
        for tracker in cells[cell].trackers().filter(|t| !t.shots.is_empty()) {
            match tracker.by {
                By::Value => self.shoot(tracker, present().map(|x| x.sorted_as(bits))),
                By::Reverse => self.shoot(tracker, present().map(|x| last - x.sorted_as(bits))),
                By::Distance(center) => self.shoot(tracker, present().map(|x| x.away_from(center, bits))),
                By::ZeroSign => self.shoot(tracker, values.iter().filter_map(|x| x.zero())),
                By::ZeroPlace => {
                    let places = values.iter().enumerate().filter_map(|(p, x)| Some(place(p) << 1 | x.zero()?));
                    self.shoot(tracker, places);
                }
                By::Pair { order, places } => {
                    let key = |x: &W| match order {
                        Order::Descending if !x.is_missing() => last - x.sorted_as(bits),
                        _ => x.sorted_as(bits),
                    };
                    let each = values.iter().enumerate().map(|(p, x)| (key(x), place(p)));
                    if tracker.bits <= u64::BITS {
                        self.shoot(tracker, each.map(|(key, place)| key << places | place));
                    } else {
                        let pair = |(key, place)| u128::from(key) << places | u128::from(place);
                        self.shoot(tracker, each.map(pair));
                    }
                }
            }
        }
        if let Some(mut table) = Table::new(&mut self.tables[cell * self.table..][..self.table]) {
            present().for_each(|x| table.add(x.sorted_as(bits), 1));
        }
    }

    #[inline(always)]
    fn shoot<K: Bits>(&mut self, tracker: &Tracker, keys: impl Iterator<Item = K>) {
        let shots = &*tracker.shots;
        let (Some(first), Some(last)) = (shots.first(), shots.last()) else { return };
        if let (true, How::Count { shift, .. }) = (first.of.is_everything(tracker.bits), first.how) {
            let bins = &mut self.bins[first.bins()];
            return keys.for_each(|key| bins[key.without(shift)] += 1);
        }
        let ends = K::of(first.of.lo)..=K::of(last.of.hi);
        for key in keys {
            // Most values lie outside what is looked for.
            if !ends.contains(&key) {
                continue;
            }
            let Some(shot) = shot_of(shots, key) else { continue };
            match shot.how {
                How::Count { shift, first } => {
                    self.bins[first + key.less(K::of(shot.of.lo), shift)] += 1;
                }
                How::Collect => self.staged.add(tracker.section, key, self.full),
            }
        }
    }
}

/// A key as it is looked at: in 64 bits where those suffice, which is faster.
trait Bits: Copy + Ord {
    /// A key that has no more bits.
    fn of(key: u128) -> Self;
    /// All but the last `shift` bits.
    fn without(self, shift: u32) -> usize;
    /// How many keys it is above `lo`, both without their last bits.
    #[inline(always)]
    fn less(self, lo: Self, shift: u32) -> usize {
        // What lies beyond the machine's word is the same in both.
        self.without(shift).wrapping_sub(lo.without(shift))
    }
    fn halves(self) -> [u64; 2];
}

impl Bits for u64 {
    #[inline(always)]
    fn of(key: u128) -> u64 {
        key as u64
    }
    #[inline(always)]
    fn without(self, shift: u32) -> usize {
        (self >> shift) as usize
    }
    #[inline(always)]
    fn halves(self) -> [u64; 2] {
        [0, self]
    }
}

impl Bits for u128 {
    #[inline(always)]
    fn of(key: u128) -> u128 {
        key
    }
    #[inline(always)]
    fn without(self, shift: u32) -> usize {
        (self >> shift) as usize
    }
    #[inline(always)]
    fn halves(self) -> [u64; 2] {
        [(self >> 64) as u64, self as u64]
    }
}

/// So many are compared one by one.
const FEW: usize = 8;

/// The shot that a key is in. They are in order, and do not overlap.
#[inline(always)]
fn shot_of<K: Bits>(shots: &[Shot], key: K) -> Option<&Shot> {
    let at = if shots.len() > FEW {
        shots.partition_point(|shot| K::of(shot.of.hi) < key)
    } else {
        shots.iter().position(|shot| key <= K::of(shot.of.hi))?
    };
    shots.get(at).filter(|shot| K::of(shot.of.lo) <= key)
}

impl<W: Keyed> Take<W> for Aimed<'_> {
    fn lane(&mut self, cells: Range<usize>, x: Decoded<'_, W>, index: u64) {
        cells.zip(x.values).for_each(|(cell, x)| self.add(cell, std::slice::from_ref(x), |_| index));
    }

    fn run(&mut self, cell: usize, x: Decoded<'_, W>, indices: Indices<'_>) {
        self.add(cell, x.values, |p| indices.at(p));
    }
}
