//! Windows and running results, which keep something from one region to the next along their axis.

use super::{Evaluator, split};
use crate::{
    block::Block,
    codec::Scratch,
    error::Result,
    kernels::{
        lanes::{self, LaneOp, Onward},
        strided::{self, Strided},
        window::{Rows, Windows},
    },
    plan::Formula,
    shape::Region,
};

/// What a form keeps from one region to the next.
pub struct Tail {
    data: Block,
    /// The rows of the input that are there, or, of a running result, those that went into it.
    region: Option<Region>,
    /// How many rows lie before them.
    skipped: usize,
    /// When it was last used.
    used: u64,
}

impl Tail {
    pub fn new(data: Block) -> Tail {
        Tail { data, region: None, skipped: 0, used: 0 }
    }

    /// The positions along the axis that are there, where the other axes are the same.
    fn rows(&self, region: &Region, axis: usize) -> Option<[u64; 2]> {
        let kept = self.region.as_ref()?;
        let beside = (0..region.start.len()).filter(|&k| k != axis);
        let same = |k: usize| kept.start[k] == region.start[k] && kept.shape[k] == region.shape[k];
        beside.into_iter().all(same).then(|| [kept.start[axis], kept.start[axis] + kept.shape[axis]])
    }
}

/// A form along an axis.
#[derive(Clone, Copy)]
pub struct Along<'f> {
    pub input: &'f Formula,
    pub axis: usize,
    /// How many rows of the input are computed at once.
    pub slab: u64,
    /// Bytes of an element of the result.
    pub result: usize,
}

impl Along<'_> {
    /// The region of other rows.
    fn at(&self, region: &Region, [from, to]: [u64; 2]) -> Region {
        region.with_axis(self.axis, from, to - from)
    }

    /// The end of the slab in which a row lies.
    fn border(&self, row: u64) -> u64 {
        (row / self.slab + 1).saturating_mul(self.slab).min(self.input.shape[self.axis])
    }
}

#[allow(clippy::too_many_arguments)] // what every form is given: where, into what, and with what
impl Evaluator<'_> {
    /// Windows: the rows of the input that later ones cover too are kept, the axis first.
    pub(super) fn rolling(
        &mut self,
        form: Along<'_>,
        windows: &Windows,
        place: usize,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let axis = form.axis;
        let n = form.input.shape[axis];
        let from = region.start[axis];
        let covered = windows.covers(from, from + region.shape[axis], n);
        let follows =
            |tail: &Tail| tail.rows(region, axis).is_some_and(|[start, end]| start <= covered[0] && covered[0] <= end);
        self.with_tail(place, follows, |own, tail| own.roll(tail, form, windows, covered, region, out, work, scratch))
    }

    fn roll(
        &mut self,
        tail: &mut Tail,
        form: Along<'_>,
        windows: &Windows,
        covered: [u64; 2],
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let [outer, inner] = region.shape.around(form.axis);
        let cells = outer * inner;
        let first = self.bring(tail, form, covered, region, work, scratch)?;
        let row = cells * form.input.dtype.size();
        let rows =
            Rows { bytes: &tail.data.bytes()[tail.skipped * row..], first, cells, axis: form.input.shape[form.axis] };
        let at = region.start[form.axis];
        if outer == 1 {
            let space = &mut work[..windows.scratch_bytes(cells)];
            return windows.run(rows, at, out, space, &mut self.segment.borrow_mut());
        }
        let (turned, rest) = split(work, out.len());
        windows.run(rows, at, turned, &mut rest[..windows.scratch_bytes(cells)], &mut self.segment.borrow_mut())?;
        let k = region.shape[form.axis] as usize;
        turn([k, outer, inner], turned, out, form.result);
        Ok(())
    }

    /// Computes the rows that are not there, and gives the position of the first that is kept.
    fn bring(
        &mut self,
        tail: &mut Tail,
        form: Along<'_>,
        [first, end]: [u64; 2],
        region: &Region,
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<u64> {
        let axis = form.axis;
        let [outer, inner] = region.shape.around(form.axis);
        let size = form.input.dtype.size();
        let row = outer * inner * size;
        let capacity = tail.data.bytes().len() / row.max(1);
        let mut next = match tail.rows(region, axis) {
            Some([start, stop]) if start <= first && first <= stop => {
                tail.skipped += (first - start) as usize;
                stop
            }
            _ => {
                tail.skipped = 0;
                first
            }
        };
        if next < end {
            // The rest of the last slab comes too, as far as there is room: its blocks are in memory now.
            let wanted = form.border(end - 1).min(first + capacity as u64).max(end);
            if tail.skipped + (wanted - first) as usize > capacity {
                let held = tail.skipped * row..(tail.skipped + (next - first) as usize) * row;
                tail.data.bytes_mut().copy_within(held, 0);
                tail.skipped = 0;
            }
            while next < wanted {
                let to = form.border(next).min(wanted);
                let slab = form.at(region, [next, to]);
                let at = (tail.skipped + (next - first) as usize) * row;
                let rows = (to - next) as usize;
                let into = &mut tail.data.bytes_mut()[at..at + rows * row];
                if outer == 1 {
                    self.formula(form.input, &slab, into, work, scratch)?;
                } else {
                    let (turned, rest) = split(work, rows * row);
                    self.formula(form.input, &slab, turned, rest, scratch)?;
                    turn([outer, rows, inner], turned, into, size);
                }
                next = to;
            }
        }
        tail.region = Some(form.at(region, [first, next]));
        Ok(first)
    }

    /// Running results: the last row is kept. Who asks for rows that do not follow waits for all before them.
    pub(super) fn cumulative(
        &mut self,
        form: Along<'_>,
        op: &LaneOp,
        place: usize,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let (axis, from) = (form.axis, region.start[form.axis]);
        let follows = |tail: &Tail| tail.rows(region, axis).is_some_and(|[_, end]| end == from);
        self.with_tail(place, follows, |own, tail| own.carry(tail, form, op, region, out, work, scratch))
    }

    fn carry(
        &mut self,
        tail: &mut Tail,
        form: Along<'_>,
        op: &LaneOp,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let axis = form.axis;
        let [from, to] = [region.start[axis], region.start[axis] + region.shape[axis]];
        let [outer, inner] = region.shape.around(form.axis);
        let row = outer * inner * form.input.dtype.size();
        let carry = outer * inner * form.result;
        let mut next = match tail.rows(region, axis) {
            Some([_, end]) if end == from => from,
            _ => 0,
        };
        let longest = region.shape[axis].min(form.slab);
        while next < to {
            let stop = form.border(next).min(next + longest).min(if next < from { from } else { to });
            let rows = (stop - next) as usize;
            let (values, rest) = split(work, rows * row);
            self.formula(form.input, &form.at(region, [next, stop]), values, rest, scratch)?;
            // What comes before the region is written where the region's own results will be.
            let at = next.saturating_sub(from) as usize;
            let onward = Onward {
                carry: &mut tail.data.bytes_mut()[..carry],
                begins: next == 0,
                pitch: region.shape[axis] as usize,
                at,
            };
            lanes::onward(op, form.input.dtype, values, [outer, rows, inner], onward, out);
            next = stop;
        }
        tail.region = Some(form.at(region, [0, to]));
        Ok(())
    }

    /// Lends a form's tail that goes on into a region. What fails leaves nothing to go on from.
    fn with_tail(
        &mut self,
        place: usize,
        follows: impl Fn(&Tail) -> bool,
        run: impl FnOnce(&mut Self, &mut Tail) -> Result<()>,
    ) -> Result<()> {
        let way = self.way(place, follows);
        let mut tail = self.tails[place].swap_remove(way);
        let done = run(self, &mut tail);
        if done.is_err() {
            tail.region = None;
        }
        self.tails[place].push(tail);
        done
    }

    /// Which of a form's tails goes on into a region; else the one that was not used for longest.
    fn way(&mut self, place: usize, follows: impl Fn(&Tail) -> bool) -> usize {
        self.clock += 1;
        let tails = &mut self.tails[place];
        let oldest = || (0..tails.len()).min_by_key(|&k| tails[k].used);
        let Some(way) = tails.iter().position(follows).or_else(oldest) else {
            unreachable!("every form has a tail for each place where it is named")
        };
        tails[way].used = self.clock;
        way
    }
}

/// `[a, b, inner]` as `[b, a, inner]`.
fn turn([a, b, inner]: [usize; 3], src: &[u8], dst: &mut [u8], size: usize) {
    let strides = |n: usize| (n * inner) as isize;
    let from = Strided { first: 0, strides: &[strides(b), strides(1), 1] };
    let to = Strided { first: 0, strides: &[strides(1), strides(a), 1] };
    strided::copy(&[a, b, inner], src, from, dst, to, size);
}
