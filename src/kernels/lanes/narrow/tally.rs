//! One pass: values are counted, or staged to be collected.

use super::{
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

/// A key, and the section that it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct StagedKey {
    section: u32,
    key: u64,
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
    fn add(&mut self, section: usize, key: u64, full: &mut dyn FnMut(&[StagedKey])) {
        if self.0.len() >= Staged::MOST {
            self.empty(full);
        }
        // Sections are few: each has room of its own.
        self.0.push(StagedKey { section: section as u32, key });
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
        if self.key_bytes == 4 {
            let keys: &mut [u32] = bytemuck::cast_slice_mut(self.bytes);
            add(keys, &self.sections, &mut self.filled, staged, |key| key as u32);
        } else {
            let keys: &mut [u64] = bytemuck::cast_slice_mut(self.bytes);
            add(keys, &self.sections, &mut self.filled, staged, |key| key);
        }
    }

    /// The keys of the sections that are marked, in parts that can be put in order each by itself.
    pub(super) fn parts(&mut self, marked: &[bool], workers: usize) -> Vec<Unsorted<'_>> {
        let sections = self.sections.iter().map(Range::len).zip(self.filled.iter().zip(marked));
        let sections = sections.map(|(len, (filled, marked))| (len, if *marked { len.min(*filled) } else { 0 }));
        match self.key_bytes {
            4 => parts(bytemuck::cast_slice_mut(self.bytes), sections, workers, |keys| Unsorted(Keys::Narrow(keys))),
            _ => parts(bytemuck::cast_slice_mut(self.bytes), sections, workers, |keys| Unsorted(Keys::Wide(keys))),
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
            _ => Keys::Wide(&mut bytemuck::cast_slice_mut(self.bytes)[range]),
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
}

fn add<K>(
    keys: &mut [K],
    sections: &[Range<usize>],
    filled: &mut [usize],
    staged: &[StagedKey],
    key: impl Fn(u64) -> K,
) {
    for StagedKey { section, key: k } in staged {
        let n = *section as usize;
        // More than there were before are counted and not kept.
        if let Some(place) = keys[sections[n].clone()].get_mut(filled[n]) {
            *place = key(*k);
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
        for tracker in cells[cell].trackers().filter(|t| !t.shots.is_empty()) {
            match tracker.by {
                By::Value => self.shoot(tracker, present().map(|x| x.sorted_as(bits))),
                By::Reverse => self.shoot(tracker, present().map(|x| last_key(bits) - x.sorted_as(bits))),
                By::Distance(center) => self.shoot(tracker, present().map(|x| x.away_from(center, bits))),
                By::ZeroSign => self.shoot(tracker, values.iter().filter_map(|x| x.zero())),
                By::ZeroPlace => {
                    let places = values.iter().enumerate().filter_map(|(p, x)| Some(place(p) << 1 | x.zero()?));
                    self.shoot(tracker, places);
                }
            }
        }
        if let Some(mut table) = Table::new(&mut self.tables[cell * self.table..][..self.table]) {
            present().for_each(|x| table.add(x.sorted_as(bits), 1));
        }
    }

    #[inline(always)]
    fn shoot(&mut self, tracker: &Tracker, keys: impl Iterator<Item = u64>) {
        let shots = &*tracker.shots;
        let (Some(first), Some(last)) = (shots.first(), shots.last()) else { return };
        if let (true, How::Count { shift, .. }) = (first.of.is_everything(tracker.bits), first.how) {
            let bins = &mut self.bins[first.bins()];
            return keys.for_each(|key| bins[(key >> shift) as usize] += 1);
        }
        let ends = first.of.lo..=last.of.hi;
        for key in keys {
            // Most values lie outside what is looked for.
            if !ends.contains(&key) {
                continue;
            }
            let Some(shot) = shot_of(shots, key) else { continue };
            match shot.how {
                How::Count { shift, first } => {
                    self.bins[first + ((key >> shift) - (shot.of.lo >> shift)) as usize] += 1
                }
                How::Collect => self.staged.add(tracker.section, key, self.full),
            }
        }
    }
}

/// So many are compared one by one.
const FEW: usize = 8;

/// The shot that a key is in. They are in order, and do not overlap.
#[inline(always)]
fn shot_of(shots: &[Shot], key: u64) -> Option<&Shot> {
    let at = if shots.len() > FEW {
        shots.partition_point(|shot| shot.of.hi < key)
    } else {
        shots.iter().position(|shot| key <= shot.of.hi)?
    };
    shots.get(at).filter(|shot| shot.of.lo <= key)
}

impl<W: Keyed> Take<W> for Aimed<'_> {
    fn lane(&mut self, cells: Range<usize>, x: Decoded<'_, W>, index: u64) {
        cells.zip(x.values).for_each(|(cell, x)| self.add(cell, std::slice::from_ref(x), |_| index));
    }

    fn run(&mut self, cell: usize, x: Decoded<'_, W>, indices: Indices<'_>) {
        self.add(cell, x.values, |p| indices.at(p));
    }
}
