//! Folds of windows that move along an axis, without subtraction: [`Windows`].
//!
//! The axis is cut into blocks as long as the window, at multiples of its length. A window is the end of one block and
//! the beginning of the next: states of ends are folded backwards from the border, that of beginnings forwards, and a
//! window is the two merged (van Herk 1992, Gil & Werman 1993). So each value is folded about twice, however long the
//! window is, and nothing that was added is ever taken off. Borders are the axis' own: how it is cut for reading and
//! computing changes no bit.
//!
//! Of a block's ends, one in about sqrt(length) is kept and those between are folded again from there, so that windows
//! of any length are folded in cache.

mod plain;
mod states;
#[cfg(test)]
mod tests;

use super::{
    decode::{Decode, Segment},
    fold::{FoldOptions, Folds, Op},
};
use crate::{
    dtype::{ByteOrder, DType},
    error::Result,
};

/// One reduction of the window around each position along an axis.
#[derive(Debug, Clone)]
pub struct Windows {
    folds: Folds,
    op: Op,
    dtype: DType,
    options: FoldOptions,
    before: u64,
    after: u64,
}

/// Neighbouring rows of an axis: `[rows, cells]`, native elements.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The elements, aligned for their type.
    pub bytes: &'a [u8],
    /// The position of the first row.
    pub first: u64,
    /// Elements of a row.
    pub cells: usize,
    /// The length of the whole axis.
    pub axis: u64,
}

/// Longer blocks keep only some of their ends.
const GROUP: u64 = 128;
/// States of one segment of cells stay below this where they can: half a second-level cache.
const CACHE_BYTES: usize = 256 << 10;
/// The least and the most cells of a segment.
const CELLS: [usize; 2] = [64, 1024];

impl Windows {
    /// Windows over native elements of `dtype` that reach so far before and after each position.
    ///
    /// # Panics
    /// When the operation gives positions.
    pub fn new(op: Op, dtype: DType, options: FoldOptions, [before, after]: [u64; 2]) -> Windows {
        assert!(!matches!(op, Op::ArgMin | Op::ArgMax), "windows have no positions");
        let folds = Folds::new(&[op], &Decode::plain(dtype, ByteOrder::NATIVE), options);
        Windows { folds, op, dtype, options, before, after }
    }

    /// The reduction.
    pub fn op(&self) -> Op {
        self.op
    }

    /// How many positions of a window lie before its own, and how many after.
    pub fn reach(&self) -> [u64; 2] {
        [self.before, self.after]
    }

    /// How many positions a window covers.
    pub fn length(&self) -> u64 {
        self.before + self.after + 1
    }

    /// The rows of an axis of `n` that the windows of rows `from..to` cover.
    pub fn covers(&self, from: u64, to: u64, n: u64) -> [u64; 2] {
        [from.saturating_sub(self.before), to.saturating_add(self.after).min(n)]
    }

    /// The type of the results.
    pub fn result_dtype(&self) -> DType {
        self.folds.result_dtype(self.op)
    }

    /// Bytes of scratch for rows of at most so many cells.
    pub fn scratch_bytes(&self, cells: usize) -> usize {
        let cells = self.segment(cells);
        (self.plan().slots() * self.folds.state_bytes(cells)).max(plain::scratch_bytes(&self.plan(), cells))
    }

    /// Cells that are worked on together.
    fn segment(&self, cells: usize) -> usize {
        let each = self.folds.state_bytes(CELLS[1]).div_ceil(CELLS[1]) * self.plan().slots();
        let fit = (CACHE_BYTES / each.max(1)).clamp(CELLS[0], CELLS[1]) & !(CELLS[0] - 1);
        fit.min(cells)
    }

    fn plan(&self) -> Ends {
        let length = self.length();
        let group = if length <= GROUP { length } else { length.isqrt().max(1) };
        Ends { length, group, kept: length.div_ceil(group) }
    }

    /// The results of the windows of positions `from..`, as many as rows fit `out`.
    ///
    /// `rows` holds at least what [`covers`](Windows::covers) says; `scratch` has at least
    /// [`scratch_bytes`](Windows::scratch_bytes), aligned as a block is.
    ///
    /// # Errors
    /// When an exact result does not fit its type.
    ///
    /// # Panics
    /// When a row that is needed is not there, or a buffer is too short.
    pub fn run(
        &self,
        rows: Rows<'_>,
        from: u64,
        out: &mut [u8],
        scratch: &mut [u8],
        segment: &mut Segment,
    ) -> Result<()> {
        let size = self.result_dtype().size();
        if out.is_empty() || rows.cells == 0 {
            return Ok(());
        }
        assert_eq!(out.len() % (rows.cells * size), 0, "whole rows");
        let to = from + (out.len() / (rows.cells * size)) as u64;
        let [first, end] = self.covers(from, to, rows.axis);
        let held = (rows.bytes.len() / (rows.cells * self.dtype.size())) as u64;
        assert!(rows.first <= first && end <= rows.first + held && to <= rows.axis, "the rows of all windows");
        let step = self.segment(rows.cells);
        for cell in (0..rows.cells).step_by(step.max(1)) {
            let part = Part { rows, cell, cells: step.min(rows.cells - cell), from, first, end };
            if plain::run(self, part, to, out, scratch)? {
                continue;
            }
            let mut states = states::States::new(self, part, out, scratch, segment);
            self.walk(part, to, &mut states)?;
        }
        Ok(())
    }

    /// Goes through the blocks that windows begin in.
    fn walk(&self, part: Part<'_>, to: u64, machine: &mut impl Machine) -> Result<()> {
        let length = self.length() as i64;
        // Windows are counted by where they begin, which is before the axis for those that are cut off there.
        let begin = |position: u64| position as i64 - self.before as i64;
        let (low, high) = (begin(part.from), begin(to));
        let mut at = low;
        while at < high {
            let border = (at.div_euclid(length) + 1) * length;
            self.block(part, [at, border.min(high)], border, machine)?;
            at = border;
        }
        Ok(())
    }

    /// The windows that begin at `from..to` and whose block ends at `border`.
    fn block(&self, part: Part<'_>, [from, to]: [i64; 2], border: i64, machine: &mut impl Machine) -> Result<()> {
        let ends = self.plan();
        let (group, start) = (ends.group as i64, border - ends.length as i64);
        let first = (from - start) / group;
        self.keep(part, [first, (to - 1 - start) / group], border, machine)?;
        machine.clear(PREFIX);
        let (mut prefix, mut any) = (border, false);
        for g in first..ends.kept as i64 {
            let [low, high] = [start + g * group, (start + (g + 1) * group).min(border)];
            if low >= to {
                break;
            }
            // The states of the ends that begin in this group, one behind the other.
            let mut after = ends.checkpoint(g as usize);
            for p in (low.max(from)..high).rev() {
                let slot = ends.end((p - low) as usize);
                machine.extend(after, slot, part.row(p))?;
                after = slot;
            }
            for s in low.max(from)..high.min(to) {
                while prefix < s + ends.length as i64 {
                    if let Some(row) = part.row(prefix) {
                        machine.push(PREFIX, row)?;
                        any = true;
                    }
                    prefix += 1;
                }
                let row = (s + self.before as i64) as u64 - part.from;
                machine.emit(ends.end((s - low) as usize), any, row as usize)?;
            }
        }
        Ok(())
    }

    /// Folds a block backwards and keeps the state behind each of some groups.
    fn keep(&self, part: Part<'_>, [first, last]: [i64; 2], border: i64, machine: &mut impl Machine) -> Result<()> {
        let ends = self.plan();
        let start = border - ends.length as i64;
        let mut g = ends.kept as i64 - 1;
        machine.clear(RUNNING);
        while g >= first {
            if g <= last {
                machine.extend(RUNNING, ends.checkpoint(g as usize), None)?;
            }
            if g > first {
                let [low, high] = [start + g * ends.group as i64, (start + (g + 1) * ends.group as i64).min(border)];
                (low..high).rev().filter_map(|p| part.row(p)).try_for_each(|row| machine.push(RUNNING, row))?;
            }
            g -= 1;
        }
        Ok(())
    }
}

/// Which states of a block's ends are held at once.
#[derive(Debug, Clone, Copy)]
struct Ends {
    /// The length of a block.
    length: u64,
    /// How many ends are folded from one that is kept.
    group: u64,
    /// How many groups a block has.
    kept: u64,
}

/// The slot of the beginning of the next block.
const PREFIX: usize = 0;
/// The slot that is folded backwards.
const RUNNING: usize = 1;
/// The slot of the window itself.
const WINDOW: usize = 2;

impl Ends {
    fn slots(&self) -> usize {
        3 + self.group as usize + self.kept as usize
    }

    /// The slot of the end that begins at a place of its group.
    fn end(&self, at: usize) -> usize {
        3 + at
    }

    /// The slot of what lies behind a group.
    fn checkpoint(&self, group: usize) -> usize {
        3 + self.group as usize + group
    }
}

/// Some cells of the rows, and the windows that are wanted.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    rows: Rows<'a>,
    cell: usize,
    cells: usize,
    /// The position of the first result.
    from: u64,
    /// The positions that all windows cover together.
    first: u64,
    end: u64,
}

impl Part<'_> {
    /// The row at a position, where a window covers it.
    fn row(&self, position: i64) -> Option<Row> {
        let inside = position >= self.first as i64 && position < self.end as i64;
        inside.then(|| Row { at: (position as u64 - self.rows.first) as usize, position: position as u64 })
    }
}

/// A row that is there.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Its place among the rows that are given.
    at: usize,
    /// Its place along the axis.
    position: u64,
}

/// What the walk asks for: states in numbered slots.
trait Machine {
    /// Makes a state that of no values.
    fn clear(&mut self, slot: usize);
    /// Makes `to` the state of `from` and one more row.
    fn extend(&mut self, from: usize, to: usize, row: Option<Row>) -> Result<()>;
    /// Adds a row.
    fn push(&mut self, slot: usize, row: Row) -> Result<()>;
    /// Writes the window that is an end and, where there is one, the prefix, to a row of the results.
    fn emit(&mut self, end: usize, prefix: bool, row: usize) -> Result<()>;
}
