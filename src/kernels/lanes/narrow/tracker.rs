//! Ranges of keys that narrow down, for one purpose in one lane.

use super::{
    super::{Order, select::settle},
    Room, changed,
    tally::Keys,
};
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
    /// Those of values, the largest first.
    Reverse,
    /// Those of distances from a value.
    Distance(f64),
    /// Of values that are zero, 1 for one below zero.
    ZeroSign,
    /// Of values that are zero, twice the place in the lane, and the sign.
    ZeroPlace,
    /// Those of all values in an order, NaN last, above their places in the lane, which take so many bits.
    Pair { order: Order, places: u32 },
}

impl By {
    /// The bits of a key that tell equal values apart.
    pub(super) fn apart_bits(self) -> u32 {
        match self {
            By::Pair { places, .. } => places,
            _ => 0,
        }
    }
}

enum Wants {
    /// How many keys there are with each beginning.
    Beginnings,
    /// The keys at some places of all in order.
    Ranks { ranks: Vec<u64>, keys: Vec<u64> },
    /// All keys: how many different ones, and the most frequent with its count.
    Every { different: u64, most: (u64, u64) },
    /// All keys in order, of which so many have been given out, but no more than `most`. Zeros that differ by their signs
    /// have their key and number told: their order is that of their places.
    Sorted { given: u64, most: u64, zeros: Option<(u128, u64)> },
}

/// A range of keys, ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) lo: u128,
    pub(super) hi: u128,
    /// How many keys of the lane lie below it.
    pub(super) below: u64,
    /// How many lie in it; `u64::MAX` where that is not known.
    pub(super) count: u64,
    /// Where it has some of the keys of one value, all of those.
    pub(super) ties: Option<Ties>,
}

/// The values that are equal to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ties {
    /// How many are smaller.
    pub(super) below: u64,
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
        let both = Interval { hi: b.hi, count: a.count.saturating_add(b.count), ..*a };
        let sparse = both.count <= self.keys;
        let dense = both.is_dense() && both.span() < self.bins.into();
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

impl Joins {
    /// Two ranges as one, where that can be collected beside others.
    fn join_sparse(&self, a: &Interval, b: &Interval) -> Option<Interval> {
        let both = Interval { hi: b.hi, count: a.count.saturating_add(b.count), ..*a };
        (both.count <= self.keys).then_some(both)
    }
}

impl Interval {
    /// How many keys it has beside the first.
    fn span(&self) -> u128 {
        self.hi - self.lo
    }

    /// Whether counting each of its keys takes less memory than collecting them.
    fn is_dense(&self) -> bool {
        self.span() < (self.count / 2).into()
    }

    /// All keys of so many bits, `count` of them.
    fn everything(bits: u32, count: u64) -> Interval {
        Interval { lo: 0, hi: last_key(bits), below: 0, count, ties: None }
    }

    /// Whether it has all keys of so many bits.
    pub(super) fn is_everything(&self, bits: u32) -> bool {
        self.lo == 0 && self.hi == last_key(bits)
    }

    fn ranks(&self) -> Range<u64> {
        self.below..self.below.saturating_add(self.count)
    }

    /// How many counts it takes without the last `shift` bits.
    fn bins(&self, shift: u32) -> u128 {
        (self.hi >> shift) - (self.lo >> shift)
    }

    /// The values equal to the only one that it has keys of, which differ by so many bits.
    fn ties(&self, bits: u32) -> Option<Ties> {
        let one = bits > 0 && self.bins(bits) == 0;
        self.ties.or_else(|| one.then_some(Ties { below: self.below, count: self.count }))
    }
}

/// The largest key of so many bits.
pub(super) fn last_key(bits: u32) -> u128 {
    u128::MAX >> (128 - bits)
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
    pub(super) fn first(by: By, bits: u32) -> Tracker {
        let mut first = Tracker::new(by, bits, Wants::Beginnings, Joins::default());
        first.left.push(Interval::everything(bits, u64::MAX));
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
        away.left.push(Interval::everything(bits, count));
        away
    }

    /// Looks at all keys.
    pub(super) fn of_every(bits: u32, joins: Joins) -> Tracker {
        Tracker::new(By::Value, bits, Wants::Every { different: 0, most: (0, 0) }, joins)
    }

    /// Gives out the first `most` keys in order.
    pub(super) fn of_sorted(by: By, bits: u32, most: u64, zeros: Option<(u128, u64)>, joins: Joins) -> Tracker {
        Tracker { by, ..Tracker::new(By::Value, bits, Wants::Sorted { given: 0, most, zeros }, joins) }
    }

    /// Gives out the signs of `count` zeros of a lane of `n` values in the order of their places, `most` of them.
    pub(super) fn of_zeros(n: u64, count: u64, most: u64) -> Tracker {
        let mut zeros = Tracker::of_sorted(By::ZeroPlace, 64, most, None, Joins::default());
        zeros.left.push(Interval { lo: 0, hi: n.saturating_mul(2).into(), below: 0, count, ties: None });
        zeros
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
        if matches!(self.wants, Wants::Sorted { .. }) {
            return self.aim_in_order(room, whole, next_bin);
        }
        let (mut heavy, mut later, mut collected) = (Vec::new(), Vec::new(), 0);
        let all = matches!(self.wants, Wants::Every { .. });
        for of in std::mem::take(&mut self.left) {
            let fits = of.count <= room.keys as u64;
            let is_short = of.span() < room.bins as u128 && self.by.apart_bits() == 0;
            if is_short && (of.is_dense() || !fits) {
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
        self.cut(heavy, later, room, next_bin);
        collected
    }

    /// The same for keys in order: those that come next are collected, and what is too large for that is cut.
    fn aim_in_order(&mut self, room: &mut Room, whole: Room, next_bin: &mut usize) -> usize {
        let (mut heavy, mut later, mut collected, mut next) = (Vec::new(), Vec::new(), 0, true);
        for of in std::mem::take(&mut self.left) {
            if of.span() == 0 {
                next &= !self.are_zeros(&of);
                later.push(of);
            } else if next && of.count <= room.keys as u64 {
                self.shots.push(Shot { of, how: How::Collect });
                collected += of.count as usize;
                room.keys -= of.count as usize;
            } else {
                next = false;
                if of.count > whole.keys as u64 { heavy.push(of) } else { later.push(of) }
            }
        }
        self.cut(heavy, later, room, next_bin);
        collected
    }

    /// Counts the keys of ranges by as many bits as there is room for, and leaves the others for later.
    fn cut(&mut self, mut heavy: Vec<Interval>, mut later: Vec<Interval>, room: &mut Room, next_bin: &mut usize) {
        let some = heavy.len().min(room.bins / 2);
        later.extend(heavy.drain(some..));
        let apart = self.by.apart_bits();
        for (n, of) in heavy.into_iter().enumerate() {
            let bits = (room.bins / (some - n)).max(2).ilog2().min(BITS_MAX);
            let mut shift = (u128::BITS - of.span().leading_zeros()).saturating_sub(bits);
            // Where it does not begin with zeros it may reach into one more.
            shift += u32::from(of.bins(shift) >= 1 << bits);
            if of.bins(apart) > 0 {
                // A value's keys are cut only where there are no others.
                shift = shift.max(apart);
            }
            self.count(of, shift, room, next_bin);
        }
        self.shots.sort_unstable_by_key(|shot| shot.of.lo);
        later.sort_unstable_by_key(|of: &Interval| of.lo);
        self.left = later;
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
    pub(super) fn absorb(&mut self, bins: &[u64], keys: Keys<'_>, give: &mut Give<'_>) -> Result<()> {
        let shots = std::mem::take(&mut self.shots);
        for shot in &shots {
            if let How::Count { shift, .. } = shot.how {
                self.split(shot.of, shift, &bins[shot.bins()])?;
            }
        }
        self.left.sort_unstable_by_key(|of| of.lo);
        match keys {
            Keys::Narrow(keys) => self.look_at(&shots, keys, give),
            Keys::Wide(keys) => self.look_at(&shots, keys, give),
            Keys::Double(keys) => self.look_at(&shots, keys, give),
        }
    }

    /// Gives out what is known to come next without any more keys.
    ///
    /// # Errors
    /// What the receiver finds wrong.
    pub(super) fn go_on(&mut self, give: &mut Give<'_>) -> Result<()> {
        self.give::<u64>(&[], &[], give)
    }

    /// How many zeros come next whose signs are to be told, and how many of them are wanted.
    pub(super) fn next_zeros(&self) -> Option<(u64, u64)> {
        let Wants::Sorted { given, most, .. } = self.wants else { return None };
        self.left.first().filter(|of| self.are_zeros(of)).map(|of| (of.count, of.count.min(most - given)))
    }

    /// Leaves out what comes next, which was given out otherwise.
    pub(super) fn skip(&mut self) {
        if let (Wants::Sorted { given, .. }, false) = (&mut self.wants, self.left.is_empty()) {
            *given += self.left.remove(0).count;
        }
        self.end();
    }

    fn are_zeros(&self, of: &Interval) -> bool {
        matches!(self.wants, Wants::Sorted { zeros, .. } if is_zeros(of, zeros))
    }

    /// Nothing is left when enough has been given out.
    fn end(&mut self) {
        if let Wants::Sorted { given, most, .. } = self.wants
            && given >= most
        {
            self.left.clear();
        }
    }

    /// Gives out keys that were collected, and those known already that come before and between them.
    fn give<K: Key>(&mut self, shots: &[Shot], keys: &[K], give: &mut Give<'_>) -> Result<()> {
        let mut left = std::mem::take(&mut self.left).into_iter().peekable();
        let mut at = 0;
        let mut shots = shots.iter().filter(|shot| matches!(shot.how, How::Collect)).peekable();
        loop {
            let (here, there) = (left.peek().map(|of| of.lo), shots.peek().map(|shot| shot.of.lo));
            let (next, of) = match (here, there) {
                (_, Some(there)) if here.is_none_or(|here| there < here) => {
                    let Some(shot) = shots.next() else { break };
                    let from = at;
                    at += shot.of.count as usize;
                    (K::run(&keys[from..at]), shot.of)
                }
                (Some(_), _) => {
                    let known = |of: &Interval| of.span() == 0 && !self.are_zeros(of);
                    let Some(of) = left.next_if(known) else { break };
                    (Run::Same { key: of.lo, count: of.count }, of)
                }
                (None, _) => break,
            };
            if let Wants::Sorted { given, most, .. } = &mut self.wants {
                let some = next.len().min(*most - *given);
                *given += some;
                give(Given { by: self.by, bits: self.bits, run: next, len: some, below: of.below, ties: of.ties })?;
            }
        }
        self.left = left.collect();
        self.end();
        Ok(())
    }

    /// Cuts a range whose keys were counted by all but the last `shift` bits, and keeps the parts that matter.
    ///
    /// # Errors
    /// When there are not as many keys as there were.
    pub(super) fn split(&mut self, of: Interval, shift: u32, bins: &[u64]) -> Result<()> {
        let (mut below, from) = (of.below, self.left.len());
        let ties = of.ties(self.by.apart_bits());
        for (n, &count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let start = ((of.lo >> shift) + n as u128) << shift;
            let end = start | !(u128::MAX << shift);
            let part = Interval { lo: of.lo.max(start), hi: of.hi.min(end), below, count, ties };
            below += count;
            if part.lo == part.hi && !matches!(self.wants, Wants::Sorted { .. }) {
                self.see(part.lo as u64, part.below, count);
                continue;
            }
            match &self.wants {
                Wants::Sorted { most, .. } if part.below >= *most => break,
                Wants::Sorted { zeros, .. } => {
                    let zeros = *zeros;
                    for part in apart(part, zeros) {
                        let last = self.left[from..].last_mut();
                        let last = last.filter(|last| !is_zeros(&part, zeros) && !is_zeros(last, zeros));
                        match last.and_then(|last| Some((self.joins.join_sparse(last, &part)?, last))) {
                            Some((both, last)) => *last = both,
                            None => self.left.push(part),
                        }
                    }
                }
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
        if bins.iter().sum::<u64>() == of.count { Ok(()) } else { Err(changed()) }
    }

    /// So many times the same key, below which there are so many others.
    pub(super) fn see(&mut self, key: u64, below: u64, count: u64) {
        match &mut self.wants {
            Wants::Beginnings | Wants::Sorted { .. } => {}
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
    fn look_at<K: Key>(&mut self, shots: &[Shot], keys: &mut [K], give: &mut Give<'_>) -> Result<()> {
        match &mut self.wants {
            Wants::Beginnings => {}
            Wants::Sorted { .. } => {
                // Mostly they are in order already.
                keys.sort_unstable();
                self.give(shots, keys, give)?;
            }
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
                places.into_iter().zip(which).for_each(|(place, n)| found[n] = keys[place].into() as u64);
            }
            Wants::Every { .. } => {
                // Mostly they are in order already.
                keys.sort_unstable();
                keys.chunk_by(|a, b| a == b).for_each(|same| self.see(same[0].into() as u64, 0, same.len() as u64));
            }
        }
        Ok(())
    }
}

/// Takes what is given out.
pub(super) type Give<'g> = dyn FnMut(Given<'_>) -> Result<()> + 'g;

/// Some keys in order.
pub(super) struct Given<'k> {
    pub(super) by: By,
    pub(super) bits: u32,
    pub(super) run: Run<'k>,
    /// So many of them.
    pub(super) len: u64,
    /// How many come before.
    pub(super) below: u64,
    /// Where they are some of those of one value, all of those.
    pub(super) ties: Option<Ties>,
}

/// Keys that follow each other.
pub(super) enum Run<'k> {
    Narrow(&'k [u32]),
    Wide(&'k [u64]),
    Double(&'k [u128]),
    Same { key: u128, count: u64 },
}

/// A key as it is collected.
trait Key: Copy + Ord + Into<u128> {
    fn run(keys: &[Self]) -> Run<'_>;
}

impl Key for u32 {
    fn run(keys: &[u32]) -> Run<'_> {
        Run::Narrow(keys)
    }
}

impl Key for u64 {
    fn run(keys: &[u64]) -> Run<'_> {
        Run::Wide(keys)
    }
}

impl Key for u128 {
    fn run(keys: &[u128]) -> Run<'_> {
        Run::Double(keys)
    }
}

impl Run<'_> {
    pub(super) fn len(&self) -> u64 {
        match self {
            Run::Narrow(keys) => keys.len() as u64,
            Run::Wide(keys) => keys.len() as u64,
            Run::Double(keys) => keys.len() as u64,
            Run::Same { count, .. } => *count,
        }
    }

    pub(super) fn key(&self, at: usize) -> u128 {
        match self {
            Run::Narrow(keys) => keys[at].into(),
            Run::Wide(keys) => keys[at].into(),
            Run::Double(keys) => keys[at],
            Run::Same { key, .. } => *key,
        }
    }
}

fn is_zeros(of: &Interval, zeros: Option<(u128, u64)>) -> bool {
    zeros.is_some_and(|(key, _)| of.lo == key && of.hi == key)
}

/// A range without the key of zeros, and that. Ranges of counts begin or end with it, for all but its first bit are equal.
fn apart(of: Interval, zeros: Option<(u128, u64)>) -> impl Iterator<Item = Interval> {
    let cut = zeros.filter(|(key, count)| of.span() > 0 && *count > 0 && (of.lo == *key || of.hi == *key));
    let [a, b] = match cut {
        Some((key, count)) if of.lo == key => {
            let rest = Interval { lo: key + 1, below: of.below + count, count: of.count - count, ..of };
            [Interval { hi: key, count, ..of }, rest]
        }
        Some((key, count)) => {
            let first = Interval { hi: key - 1, count: of.count - count, ..of };
            [first, Interval { lo: key, below: of.below + first.count, count, ..of }]
        }
        None => [of, Interval { count: 0, ..of }],
    };
    [a, b].into_iter().filter(|part| part.count > 0)
}
