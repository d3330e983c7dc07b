//! Ranges of keys that narrow down, for one purpose in one lane.

use super::{super::select::settle, Room, changed, tally::Keys};
use crate::error::Result;
use std::ops::Range;

/// Bits by which a range is counted at most, so that the counts of a worker stay in cache where values lie together.
pub(super) const BITS_MAX: u32 = 20;

/// What is looked for among the keys of a lane, and where.
pub(super) struct Tracker {
    pub(super) by: By,
    /// The bits of a key.
    pub(super) bits: u32,
    wants: Wants,
    /// What is still to be looked at: ranges in order, which do not overlap.
    left: Vec<Interval>,
    /// Those of them that this pass looks at.
    pub(super) shots: Vec<Shot>,
    /// Where this pass collects.
    pub(super) section: usize,
    /// How ranges are put together.
    pub(super) joins: Joins,
}

/// Which keys.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// Those of values.
    Value,
    /// Those of distances from a value.
    Distance(f64),
}

enum Wants {
    /// How many keys there are with each beginning.
    Beginnings,
    /// The keys at some places of all in order.
    Ranks { ranks: Vec<u64>, keys: Vec<u64> },
    /// All keys: how many different ones, and the most frequent with its count.
    Every { different: u64, most: (u64, u64) },
}

/// A range of keys, ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) lo: u64,
    pub(super) hi: u64,
    /// How many keys of the lane lie below it.
    pub(super) below: u64,
    /// How many lie in it; `u64::MAX` where that is not known.
    pub(super) count: u64,
}

/// A range and what is done with its keys.
pub(super) struct Shot {
    pub(super) of: Interval,
    pub(super) how: How,
}

#[derive(Clone, Copy)]
pub(super) enum How {
    /// Counts them by all but the last `shift` bits, from this count on.
    Count { shift: u32, first: usize },
    /// Keeps them.
    Collect,
}

/// How far neighbouring ranges are put together that are looked at one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Joins {
    keys: u64,
    bins: u64,
    /// More ranges than this are put together wherever that can be.
    ranges: usize,
}

impl Joins {
    fn of(room: Room) -> Joins {
        let quarter = |n: usize| (n / 4) as u64;
        Joins { keys: quarter(room.keys), bins: quarter(room.bins), ranges: (room.keys / 512).max(64) }
    }

    /// Two ranges as one, where that is not more than a pass can do beside others.
    fn join(&self, a: &Interval, b: &Interval, ranges: usize) -> Option<Interval> {
        let both = Interval { lo: a.lo, hi: b.hi, below: a.below, count: a.count.saturating_add(b.count) };
        let sparse = both.count <= self.keys;
        let dense = both.is_dense() && both.span() < self.bins;
        let joined = if ranges > self.ranges {
            sparse || dense
        } else if a.is_dense() || b.is_dense() {
            dense
        } else {
            sparse
        };
        joined.then_some(both)
    }
}

impl Interval {
    /// How many keys it has beside the first.
    fn span(&self) -> u64 {
        self.hi - self.lo
    }

    /// Whether counting each of its keys takes less memory than collecting them.
    fn is_dense(&self) -> bool {
        self.span() < self.count / 2
    }

    /// Whether it has all keys of so many bits.
    pub(super) fn is_everything(&self, bits: u32) -> bool {
        self.lo == 0 && self.hi == last_key(bits)
    }

    fn ranks(&self) -> Range<u64> {
        self.below..self.below.saturating_add(self.count)
    }

    /// How many counts it takes without the last `shift` bits.
    fn bins(&self, shift: u32) -> u64 {
        (self.hi >> shift) - (self.lo >> shift)
    }
}

fn last_key(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

impl Shot {
    /// Where its counts are.
    pub(super) fn bins(&self) -> Range<usize> {
        match self.how {
            How::Count { shift, first } => first..first + self.of.bins(shift) as usize + 1,
            How::Collect => 0..0,
        }
    }
}

impl Tracker {
    fn new(by: By, bits: u32, wants: Wants, joins: Joins) -> Tracker {
        Tracker { by, bits, wants, left: Vec::new(), shots: Vec::new(), section: 0, joins }
    }

    /// Counts values, of which nothing is known, by the first bits of their keys.
    pub(super) fn first(bits: u32) -> Tracker {
        let mut first = Tracker::new(By::Value, bits, Wants::Beginnings, Joins::default());
        first.left.push(Interval { lo: 0, hi: last_key(bits), below: 0, count: u64::MAX });
        first
    }

    /// Finds the keys of `ranks`, which are in order; [`split`](Tracker::split) says where to look.
    pub(super) fn of_ranks(bits: u32, ranks: Vec<u64>, joins: Joins) -> Tracker {
        let keys = vec![0; ranks.len()];
        Tracker::new(By::Value, bits, Wants::Ranks { ranks, keys }, joins)
    }

    /// Finds the keys of `ranks` among those of the distances of `count` values from `center`.
    pub(super) fn of_distances(center: f64, bits: u32, ranks: Vec<u64>, count: u64) -> Tracker {
        let mut away = Tracker { by: By::Distance(center), ..Tracker::of_ranks(bits, ranks, Joins::default()) };
        away.left.push(Interval { lo: 0, hi: last_key(bits), below: 0, count });
        away
    }

    /// Looks at all keys.
    pub(super) fn of_every(bits: u32, joins: Joins) -> Tracker {
        Tracker::new(By::Value, bits, Wants::Every { different: 0, most: (0, 0) }, joins)
    }

    /// Whether nothing is left to look at.
    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty() && self.shots.is_empty()
    }

    /// The key of a rank that was looked for.
    pub(super) fn key(&self, rank: u64) -> Option<u64> {
        let Wants::Ranks { ranks, keys } = &self.wants else { return None };
        ranks.binary_search(&rank).ok().map(|at| keys[at])
    }

    /// How many different keys there are, and the most frequent.
    pub(super) fn every(&self) -> Option<(u64, u64)> {
        match self.wants {
            Wants::Every { different, most: (key, _) } => Some((different, key)),
            _ => None,
        }
    }

    /// Says what the next pass does with what is left, and takes that out of the `room` that is left of `whole`. Gives the
    /// number of keys that will be collected.
    pub(super) fn aim(&mut self, room: &mut Room, whole: Room, next_bin: &mut usize) -> usize {
        self.joins = Joins::of(whole);
        let (mut heavy, mut later, mut collected) = (Vec::new(), Vec::new(), 0);
        let all = matches!(self.wants, Wants::Every { .. });
        for of in std::mem::take(&mut self.left) {
            let fits = of.count <= room.keys as u64;
            if of.span() < room.bins as u64 && (of.is_dense() || !fits) {
                self.count(of, 0, room, next_bin);
            } else if fits {
                self.shots.push(Shot { of, how: How::Collect });
                collected += of.count as usize;
                room.keys -= of.count as usize;
            } else if all && of.count <= whole.keys as u64 {
                // It will be collected when there is more room.
                later.push(of);
            } else {
                heavy.push(of);
            }
        }
        let some = heavy.len().min(room.bins / 2);
        later.extend(heavy.drain(some..));
        for (n, of) in heavy.into_iter().enumerate() {
            let bits = (room.bins / (some - n)).max(2).ilog2().min(BITS_MAX);
            let mut shift = (64 - of.span().leading_zeros()).saturating_sub(bits);
            // Where it does not begin with zeros it may reach into one more.
            shift += u32::from(of.bins(shift) >= 1 << bits);
            self.count(of, shift, room, next_bin);
        }
        self.shots.sort_unstable_by_key(|shot| shot.of.lo);
        later.sort_unstable_by_key(|of: &Interval| of.lo);
        self.left = later;
        collected
    }

    fn count(&mut self, of: Interval, shift: u32, room: &mut Room, next_bin: &mut usize) {
        let bins = of.bins(shift) as usize + 1;
        self.shots.push(Shot { of, how: How::Count { shift, first: *next_bin } });
        *next_bin += bins;
        room.bins -= bins;
    }

    /// The range that the first pass has counted, by which bits, and the counts.
    pub(super) fn counted<'b>(&self, bins: &'b [u64]) -> Option<(Interval, u32, &'b [u64])> {
        let shot = self.shots.first()?;
        match shot.how {
            How::Count { shift, .. } => Some((shot.of, shift, &bins[shot.bins()])),
            How::Collect => None,
        }
    }

    /// Takes in what a pass has counted, and the keys that it has collected.
    ///
    /// # Errors
    /// When there are others than before.
    pub(super) fn absorb(&mut self, bins: &[u64], keys: Keys<'_>) -> Result<()> {
        let shots = std::mem::take(&mut self.shots);
        for shot in &shots {
            if let How::Count { shift, .. } = shot.how {
                self.split(shot.of, shift, &bins[shot.bins()])?;
            }
        }
        self.left.sort_unstable_by_key(|of| of.lo);
        match keys {
            Keys::Narrow(keys) => self.look_at(&shots, keys),
            Keys::Wide(keys) => self.look_at(&shots, keys),
        }
        Ok(())
    }

    /// Cuts a range whose keys were counted by all but the last `shift` bits, and keeps the parts that matter.
    ///
    /// # Errors
    /// When there are not as many keys as there were.
    pub(super) fn split(&mut self, of: Interval, shift: u32, bins: &[u64]) -> Result<()> {
        let (mut below, from) = (of.below, self.left.len());
        for (n, &count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let start = ((of.lo >> shift) + n as u64) << shift;
            let part = Interval { lo: of.lo.max(start), hi: of.hi.min(start | !(u64::MAX << shift)), below, count };
            below += count;
            if part.lo == part.hi {
                self.see(part.lo, part.below, count);
                continue;
            }
            match &self.wants {
                Wants::Beginnings => {}
                Wants::Ranks { ranks, .. } => {
                    let next = ranks.partition_point(|r| *r < part.below);
                    if ranks.get(next).is_some_and(|r| part.ranks().contains(r)) {
                        self.left.push(part);
                    }
                }
                Wants::Every { .. } => {
                    let ranges = self.left.len();
                    let last = self.left[from..].last_mut();
                    match last.and_then(|last| Some((self.joins.join(last, &part, ranges)?, last))) {
                        Some((both, last)) => *last = both,
                        None => self.left.push(part),
                    }
                }
            }
        }
        if below == of.ranks().end { Ok(()) } else { Err(changed()) }
    }

    /// So many times the same key, below which there are so many others.
    pub(super) fn see(&mut self, key: u64, below: u64, count: u64) {
        match &mut self.wants {
            Wants::Beginnings => {}
            Wants::Ranks { ranks, keys } => {
                let first = ranks.partition_point(|r| *r < below);
                let those = ranks[first..].iter().zip(&mut keys[first..]);
                those.take_while(|(r, _)| **r < below + count).for_each(|(_, k)| *k = key);
            }
            Wants::Every { different, most } => {
                *different += 1;
                // Of equally frequent ones the smallest.
                if count > most.1 || count == most.1 && key < most.0 {
                    *most = (key, count);
                }
            }
        }
    }

    /// Finds what is wanted among the keys of all ranges that were collected.
    fn look_at<K: Copy + Ord + Into<u64>>(&mut self, shots: &[Shot], keys: &mut [K]) {
        match &mut self.wants {
            Wants::Beginnings => {}
            Wants::Ranks { ranks, keys: found } => {
                // Where each rank is among the keys, and which rank that is.
                let (mut places, mut which, mut at) = (Vec::new(), Vec::new(), 0);
                for Shot { of, .. } in shots.iter().filter(|shot| matches!(shot.how, How::Collect)) {
                    let first = ranks.partition_point(|r| *r < of.below);
                    for (n, rank) in ranks.iter().enumerate().skip(first).take_while(|(_, r)| of.ranks().contains(r)) {
                        places.push(at + (rank - of.below) as usize);
                        which.push(n);
                    }
                    at += of.count as usize;
                }
                settle(keys, &places, 0);
                places.into_iter().zip(which).for_each(|(place, n)| found[n] = keys[place].into());
            }
            Wants::Every { .. } => {
                // Mostly they are in order already.
                keys.sort_unstable();
                keys.chunk_by(|a, b| a == b).for_each(|same| self.see(same[0].into(), 0, same.len() as u64));
            }
        }
    }
}
