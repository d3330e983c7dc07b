//! Order statistics of lanes that are never in memory: passes that narrow down which values decide.
//!
//! A value is seen as its key, an unsigned integer that sorts as the values do. The first pass counts the values by the
//! first bits of their keys; from the counts it is known between which keys the wanted ranks lie. Each later pass counts
//! what lies there by more bits, until so little is left that it fits in memory: then one more pass collects it. What
//! lies between two values is computed as it is for lanes in memory, and so the results have the same bits.
//!
//! The same passes serve all statistics of a lane. A median distance from the median is looked for as soon as the median
//! is known, among the keys of distances. Numbers of different values and modes need every key: those of few different
//! values are counted in a table in the first pass; where they are many, ranges of keys are collected in turn.
//!
//! Lanes that are put in order are collected range after range, from the first one on, and given out as they come. Where
//! their places are wanted, each is part of its key: so no two keys are equal, and any range can be cut.

mod keyed;
mod ranking;
mod result;
mod table;
mod tally;
mod tracker;

pub use result::InOrder;
pub use tally::{Collected, Staged, StagedKey, Tally, Unsorted};

use super::{
    LaneOp, Order,
    statistic::{LaneOptions, OrderStatistic},
};
use crate::{
    dtype::DType,
    error::{Error, Result},
    kernels::{
        decode::{Decode, Decoder, Segment},
        fold::{ChunkView, push},
    },
};
use std::{fmt, ops::Range};
use table::Table;
use tally::Aimed;
use tracker::{BITS_MAX, By, Give, Given, Interval, Tracker};

/// What is looked for in each of some lanes.
#[derive(Debug, Clone, PartialEq)]
pub struct Narrow {
    statistics: Vec<(OrderStatistic, LaneOptions)>,
    /// Or something for each value, and for how many of them.
    listed: Option<(Listed, u64)>,
    dtype: DType,
    /// The length of the lanes.
    n: u64,
}

/// What is given out of a lane in order.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Listed {
    /// The values.
    Values(Order),
    /// Their places in the lane.
    Places(Order),
    /// Their places and ranks, as codes.
    Codes,
    /// The ranks of such codes, which are in the order of places then.
    Ranks,
}

/// The memory of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many counts each worker keeps.
    pub bins: usize,
    /// How many keys all of them collect.
    pub keys: usize,
}

impl Narrow {
    /// All of `ops` in lanes of `n` values of `dtype`; `None` where one of them needs whole lanes. Those that give something
    /// for each value have lanes for themselves. What gives ranks gives codes at first, see [`then`](Narrow::then).
    pub fn new<'o>(ops: impl IntoIterator<Item = &'o LaneOp>, dtype: DType, n: u64) -> Option<Narrow> {
        let mut narrow = Narrow { statistics: Vec::new(), listed: None, dtype, n };
        for op in ops {
            let listed = match op {
                _ if narrow.listed.is_some() => return None,
                LaneOp::Statistic { statistic, options } => {
                    narrow.statistics.push((statistic.clone(), *options));
                    continue;
                }
                _ if !narrow.statistics.is_empty() => return None,
                LaneOp::Sort { order } | LaneOp::TopK { order, .. } => Listed::Values(*order),
                LaneOp::ArgSort { order } | LaneOp::ArgTopK { order, .. } => Listed::Places(*order),
                LaneOp::Rank if n <= ranking::LANE_MOST => Listed::Codes,
                _ => return None,
            };
            narrow.listed = Some((listed, op.result_len(n)));
        }
        Some(narrow)
    }

    /// What is to be looked for in lanes of what it gives, where that is not the result yet.
    pub fn then(&self) -> Option<Narrow> {
        let (Listed::Codes, most) = self.listed? else { return None };
        Some(Narrow { listed: Some((Listed::Ranks, most)), dtype: CODES, ..self.clone() })
    }

    /// The type of what it gives for each value of a lane; `None` where it finds statistics.
    pub fn listed_dtype(&self) -> Option<DType> {
        Some(match self.listed?.0 {
            Listed::Values(_) => self.dtype,
            Listed::Places(_) => DType::I64,
            Listed::Codes => CODES,
            Listed::Ranks => DType::F64,
        })
    }

    /// Whether it gives something for each value of a lane, in order, instead of statistics.
    pub fn gives_lanes(&self) -> bool {
        self.listed.is_some()
    }

    /// Bytes of a collected key.
    pub fn key_bytes(&self) -> usize {
        let distance = if self.wants_distance() { self.distance_bits() } else { 0 };
        // Places of zeros are counted twice.
        let zeros = if self.has_signs() && self.n >= 1 << 31 { u64::BITS } else { 0 };
        match (self.key_bits() + self.place_bits()).max(distance).max(zeros) {
            0..=32 => 4,
            33..=64 => 8,
            _ => 16,
        }
    }

    /// The least and the most passes over `cells` lanes of `n` values each; which it is, the values decide.
    pub fn passes(&self, n: u64, cells: usize, room: Room) -> (u64, u64) {
        let words = (room.bins / cells.max(1)).max(2) as u64;
        let keys = (room.keys / cells.max(1)) as u64;
        // So many ranges have more keys than fit.
        let heavy = n / (keys + 1);
        let keys = keys.max(1);
        // How often so many ranges are cut until the rest of their bits is known.
        let cuts = |rest: u32, ranges: u64| {
            let each = (words / ranges.max(1)).max(2).ilog2().min(BITS_MAX);
            u64::from(rest.div_ceil(each)) * (2 * ranges).div_ceil(words).max(1)
        };
        let ranks = self.ranks_most() as u64;
        let rest = self.key_bits() - self.first_bits(words as usize);
        // The last bits of one may leave no room for the others in that pass.
        let cuts_of_ranks = |rest: u32| match cuts(rest, ranks) {
            n @ ..2 => n,
            n => n + ranks.saturating_sub(1),
        };
        let (mut least, mut most) = (1 + u64::from(rest > 0 && ranks > 0), 1 + cuts_of_ranks(rest));
        if self.gives_lanes() {
            // As for every value below; and again the places of zeros, where some are below zero.
            let zeros = if self.has_signs() { cuts(64, heavy) + 2 * n.div_ceil(keys) + 1 } else { 0 };
            // Equal values are cut by their places, once they are alone.
            let places = if self.place_bits() > 0 { cuts(self.place_bits(), heavy) } else { 0 };
            most = 1 + cuts(rest, heavy) + 2 * n.div_ceil(keys) + 1 + zeros + places;
            least = 1 + u64::from(rest + self.place_bits() > 0);
        }
        if self.wants_every() && rest > 0 {
            // Ranges that do not fit are cut, those that do are collected: of any two passes that do, one behind the other,
            // there is more than fits in one.
            most += cuts(rest, heavy) + 2 * n.div_ceil(keys) + 1;
        }
        if self.wants_distance() {
            let rest = self.distance_bits().saturating_sub(words.ilog2().min(BITS_MAX));
            least += if rest == 0 || n <= keys { 1 } else { 2 };
            most += 1 + cuts_of_ranks(rest);
        }
        (least, most)
    }

    fn key_bits(&self) -> u32 {
        8 * self.dtype.size() as u32
    }

    /// The bits of a place, where that is part of a key.
    fn place_bits(&self) -> u32 {
        match self.listed {
            Some((Listed::Places(_) | Listed::Codes, _)) => ranking::place_bits(self.n),
            _ => 0,
        }
    }

    /// Which keys are put in order, or counted at first.
    fn by(&self) -> By {
        let places = self.place_bits();
        match self.listed {
            Some((Listed::Values(Order::Descending), _)) => By::Reverse,
            Some((Listed::Places(order), _)) => By::Pair { order, places },
            Some((Listed::Codes, _)) => By::Pair { order: Order::Ascending, places },
            _ => By::Value,
        }
    }

    /// Whether zeros below zero and others have places of their own.
    fn has_signs(&self) -> bool {
        matches!(self.listed, Some((Listed::Values(_), _))) && self.dtype.is_float()
    }

    /// Distances of integers from a median are floating.
    fn distance_bits(&self) -> u32 {
        if self.dtype.is_float() { self.key_bits() } else { 64 }
    }

    /// By how many bits the first pass counts, with so many counts a lane.
    fn first_bits(&self, words: usize) -> u32 {
        // Beside the table of different values, and the counts of zeros.
        let words = if self.wants_every() { words / 2 } else { words };
        let words = if self.has_signs() { words.saturating_sub(2) } else { words };
        words.max(2).ilog2().min(BITS_MAX).min(self.key_bits())
    }

    fn wants_distance(&self) -> bool {
        self.statistics.iter().any(|(s, _)| *s == OrderStatistic::Mad)
    }

    fn wants_every(&self) -> bool {
        self.statistics.iter().any(|(s, _)| matches!(s, OrderStatistic::NUnique | OrderStatistic::Mode))
    }
}

impl fmt::Display for Narrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.statistics.iter().map(|(s, _)| s.name()).collect();
        match self.listed {
            Some((Listed::Values(_), most)) if most < self.n => write!(f, "the first {most} in order"),
            Some((Listed::Values(_), _)) => f.write_str("all in order"),
            Some((Listed::Places(_), most)) if most < self.n => write!(f, "the places of the first {most} in order"),
            Some((Listed::Places(_), _)) => f.write_str("the places of all in order"),
            Some((Listed::Codes, _)) => f.write_str("the ranks of all in order"),
            Some((Listed::Ranks, _)) => f.write_str("the ranks in the order of places"),
            None => f.write_str(&names.join(", ")),
        }
    }
}

/// The type of codes.
const CODES: DType = DType::U64;

/// What has been found out of some lanes, the *cells*, so far.
///
/// *Memory*: some hundred bytes a cell, and some dozen for each range of keys that is still to be looked at.
pub struct Search {
    narrow: Narrow,
    per_cell: u64,
    cells: Vec<Cell>,
    /// The counts that a worker keeps in this pass.
    bins: usize,
    /// Behind them the tables, each of so many words.
    table: usize,
    /// Where the collected keys of each section lie, in keys.
    sections: Vec<Range<usize>>,
}

#[derive(Default)]
struct Cell {
    /// How many values there are that are not missing, once that is known.
    count: u64,
    /// Counts all keys by their first bits.
    first: Option<Tracker>,
    /// Finds the values of ranks, all keys, and the distances of ranks.
    ranks: Option<Tracker>,
    every: Option<Tracker>,
    away: Option<Tracker>,
    /// Counts zeros by their signs, gives out all values in order, and the signs of the zeros among them.
    signs: Option<Tracker>,
    sorted: Option<Tracker>,
    zeros: Option<Tracker>,
    /// Whether all of those were given out.
    is_given: bool,
}

impl Cell {
    fn trackers(&self) -> impl Iterator<Item = &Tracker> {
        // Those that need little room come first.
        let in_order = [&self.signs, &self.zeros, &self.sorted];
        in_order.into_iter().chain([&self.first, &self.ranks, &self.every, &self.away]).flatten()
    }

    fn trackers_mut(&mut self) -> impl Iterator<Item = &mut Tracker> {
        let in_order = [&mut self.signs, &mut self.zeros, &mut self.sorted];
        let statistics = [&mut self.first, &mut self.ranks, &mut self.every, &mut self.away];
        in_order.into_iter().chain(statistics).flatten()
    }

    fn is_found(&self) -> bool {
        self.trackers().all(Tracker::is_done)
    }
}

impl Search {
    /// One in so many lanes of `per_cell` values, missing ones included, of which nothing is known.
    pub fn new(narrow: &Narrow, cells: usize, per_cell: u64) -> Search {
        let fresh = || Cell {
            first: Some(Tracker::first(narrow.by(), narrow.key_bits() + narrow.place_bits())),
            signs: narrow.has_signs().then(|| Tracker::first(By::ZeroSign, 1)),
            ..Cell::default()
        };
        Search {
            narrow: narrow.clone(),
            per_cell,
            cells: (0..cells).map(|_| fresh()).collect(),
            bins: 0,
            table: 0,
            sections: Vec::new(),
        }
    }

    /// Says what the next pass is to do; false where all is found.
    pub fn aim(&mut self, room: Room) -> bool {
        let open = self.cells.iter().filter(|c| !c.is_found()).count();
        (self.bins, self.table) = (0, 0);
        self.sections.clear();
        if open == 0 {
            return false;
        }
        let mut each = Room { bins: room.bins / open, keys: room.keys / open };
        if self.cells.iter().any(|c| c.first.is_some()) && self.narrow.wants_every() {
            each.bins = each.bins.div_ceil(2);
            self.table = Table::words(each.bins);
        }
        let mut key = 0;
        for cell in self.cells.iter_mut().filter(|c| !c.is_found()) {
            let mut left = each;
            for tracker in cell.trackers_mut() {
                let collected = tracker.aim(&mut left, each, &mut self.bins);
                tracker.section = self.sections.len();
                self.sections.push(key..key + collected);
                key += collected;
            }
        }
        true
    }

    /// Whether the next pass needs the values of any of these cells.
    pub fn wants(&self, mut cells: Range<usize>) -> bool {
        cells.any(|cell| !self.cells[cell].is_found())
    }

    /// How many counts the next pass keeps, for each worker and for all.
    pub fn counts(&self) -> usize {
        self.bins + self.table * self.cells.len()
    }

    /// What the next pass collects into: so many keys, in `bytes` aligned as a block is.
    ///
    /// # Panics
    /// When they are fewer than the room that was given.
    pub fn collected<'b>(&self, bytes: &'b mut [u8]) -> Collected<'b> {
        Collected::new(bytes, &self.sections, self.narrow.key_bytes())
    }

    /// Adds the values of a chunk, stored as `decode` says, which are those of `cells`.
    ///
    /// # Panics
    /// When the view reaches beyond its bytes, its kept dimensions are not the cells, or there are too few counts.
    pub fn push(
        &self,
        cells: Range<usize>,
        decode: &Decode,
        view: ChunkView<'_>,
        segment: &mut Segment,
        tally: &mut Tally<'_>,
    ) {
        let (bits, n) = (self.narrow.key_bits(), cells.len());
        let (bins, tables) = tally.counts[..self.counts()].split_at_mut(self.bins);
        let tables = &mut tables[cells.start * self.table..cells.end * self.table];
        let mut to = Aimed {
            cells: &self.cells[cells],
            bits,
            bins,
            tables,
            table: self.table,
            staged: &mut *tally.staged,
            full: &mut *tally.full,
        };
        push(&Decoder::new(decode), decode.work(), &[view], n, segment, &mut to);
    }

    /// Adds the counts of one worker to those of all.
    pub fn merge(&self, into: &mut [u64], from: &[u64]) {
        let (into, into_tables) = into[..self.counts()].split_at_mut(self.bins);
        let (from, from_tables) = from[..self.counts()].split_at(self.bins);
        into.iter_mut().zip(from).for_each(|(a, b)| *a += b);
        if self.table > 0 {
            let tables = into_tables.chunks_exact_mut(self.table).zip(from_tables.chunks_exact(self.table));
            tables.for_each(|(into, from)| Table::new(into).into_iter().for_each(|mut table| table.merge(from)));
        }
    }

    /// Those of the collected keys that are to be put in order before [`absorb`](Search::absorb), which several workers can do
    /// faster: parts for so many of them.
    pub fn unsorted<'b>(&self, collected: &'b mut Collected<'_>, workers: usize) -> Vec<Unsorted<'b>> {
        let mut marked = vec![false; self.sections.len()];
        let whole = self.cells.iter().flat_map(|cell| [&cell.every, &cell.zeros, &cell.sorted].into_iter().flatten());
        whole.filter(|tracker| !tracker.shots.is_empty()).for_each(|tracker| marked[tracker.section] = true);
        collected.parts(&marked, workers)
    }

    /// Takes in what a pass has found, and gives out what follows in order: the number of a cell, and its next values.
    ///
    /// # Errors
    /// When there are not the values that the pass before has counted, and what the receiver finds wrong.
    pub fn absorb(
        &mut self,
        counts: &mut [u64],
        mut collected: Collected<'_>,
        give: &mut dyn FnMut(usize, InOrder<'_>) -> Result<()>,
    ) -> Result<()> {
        let (bins, tables) = counts[..self.counts()].split_at_mut(self.bins);
        let (narrow, per_cell) = (&self.narrow, self.per_cell);
        for (n, cell) in self.cells.iter_mut().enumerate().filter(|(_, cell)| !cell.is_found()) {
            let give = &mut |given: Given<'_>| give(n, InOrder { narrow, len: given.len, given: Some(given) });
            if let Some(first) = cell.first.take() {
                let table = &mut tables[n * self.table..][..self.table];
                begin(narrow, cell, first, bins, table, per_cell)?;
            } else {
                for tracker in cell.trackers_mut().filter(|t| !t.shots.is_empty()) {
                    let section = tracker.section;
                    tracker.absorb(bins, collected.section(section).ok_or_else(changed)?, give)?;
                }
            }
            if cell.away.is_none() && cell.ranks.as_ref().is_some_and(Tracker::is_done) {
                cell.away = narrow.distances(cell.count, per_cell, |rank| cell.ranks.as_ref()?.key(rank));
            }
            go_on_in_order(cell, per_cell, give)?;
        }
        let Some((_, most)) = narrow.listed else { return Ok(()) };
        for (n, cell) in self.cells.iter_mut().enumerate().filter(|(_, cell)| cell.is_found() && !cell.is_given) {
            cell.is_given = true;
            // What is missing comes last.
            give(n, InOrder { narrow, len: most.saturating_sub(cell.count), given: None })?;
        }
        Ok(())
    }
}

/// Gives out what comes next, as far as it is known; zeros in the order of their places, where they differ.
fn go_on_in_order(cell: &mut Cell, per_cell: u64, give: &mut Give<'_>) -> Result<()> {
    let Some(sorted) = &mut cell.sorted else { return Ok(()) };
    if cell.zeros.as_ref().is_some_and(Tracker::is_done) {
        cell.zeros = None;
        sorted.skip();
    }
    if cell.zeros.is_none() {
        sorted.go_on(give)?;
        cell.zeros = sorted.next_zeros().map(|(count, most)| Tracker::of_zeros(per_cell, count, most));
    }
    Ok(())
}

/// What follows from the first counts of a cell.
fn begin(
    narrow: &Narrow,
    cell: &mut Cell,
    first: Tracker,
    bins: &[u64],
    table: &mut [u64],
    per_cell: u64,
) -> Result<()> {
    let Some((whole, shift, counts)) = first.counted(bins) else { return Ok(()) };
    cell.count = counts.iter().sum();
    let whole = Interval { count: cell.count, ..whole };
    if let Some((_, most)) = narrow.listed {
        let signs = cell.signs.take();
        let signs = signs.as_ref().and_then(|signs| signs.counted(bins)).map_or(&[0, 0][..], |(.., counts)| counts);
        let mut sorted = narrow.in_order(most, signs, first.joins);
        sorted.split(whole, shift, counts)?;
        cell.sorted = Some(sorted);
        return Ok(());
    }
    let mut ranks = Tracker::of_ranks(narrow.key_bits(), narrow.ranks(cell.count, per_cell), first.joins);
    ranks.split(whole, shift, counts)?;
    cell.ranks = Some(ranks);
    if narrow.needs_every(cell.count, per_cell) {
        let mut every = Tracker::of_every(narrow.key_bits(), first.joins);
        match Table::new(table).as_ref().and_then(Table::entries) {
            Some(entries) => entries.for_each(|(key, n)| every.see(key, 0, n)),
            None => every.split(whole, shift, counts)?,
        }
        cell.every = Some(every);
    }
    Ok(())
}

/// The file was written to while it was read, or a function gives other values each time.
fn changed() -> Error {
    Error::corrupt("values", "they are others than a moment ago, while order statistics were looked for")
}
