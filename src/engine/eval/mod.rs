//! Evaluates a [`Formula`] over one region, on one thread, in a workspace that was leased before.
//!
//! Buffers are taken off the front of the workspace and given back on return, in the order in which
//! [`Formula::work_bytes`] adds them up.

mod along;
mod forms;
mod load;
mod program;

use super::{Executor, held::Finished};
use crate::{
    block::Block,
    codec::Scratch,
    error::Result,
    kernels::decode::Segment,
    plan::{Computed, Form, Formula, padded},
    shape::{ChunkIndex, Region},
};
use std::cell::RefCell;

/// One worker's means to evaluate expressions.
pub struct Evaluator<'a> {
    computed: &'a Computed,
    held: &'a Finished,
    executor: &'a Executor,
    /// For each source, the chunks that were read last.
    kept: Vec<Vec<Kept>>,
    clock: u64,
    /// For each form along an axis, what it keeps from one region to the next.
    tails: Vec<Vec<along::Tail>>,
    /// For each reduction within blocks, the block of its result that was computed last.
    folded: Vec<Folded>,
    /// Taken out while it is split into buffers, so that the evaluator itself stays free.
    work: Option<Block>,
    /// Where stored numbers are decoded.
    segment: RefCell<Segment>,
}

/// A chunk as stored.
struct Kept {
    chunk: Option<ChunkIndex>,
    data: Block,
    /// When it was last asked for.
    used: u64,
    /// How many operands lie in it now: it must stay until none does.
    pinned: usize,
}

/// A block of a reduction's result.
struct Folded {
    block: Option<ChunkIndex>,
    data: Block,
}

impl<'a> Evaluator<'a> {
    /// One for regions no larger than `region`. Takes its buffers from `blocks`: the kept chunks, what is kept from one
    /// region to the next, blocks of reductions, then the workspace.
    pub fn new(
        computed: &'a Computed,
        held: &'a Finished,
        executor: &'a Executor,
        region: &[u64],
        mut block: impl FnMut(u64) -> Block,
    ) -> Evaluator<'a> {
        let mut kept = Vec::new();
        for read in &computed.sources {
            let bytes = padded(read.source.chunk_bytes() as u64);
            let fresh = |_| Kept { chunk: None, data: block(bytes), used: 0, pinned: 0 };
            kept.push((0..read.kept).map(fresh).collect());
        }
        let each = |(&ways, bytes): (&usize, u64)| (0..ways).map(|_| along::Tail::new(block(bytes))).collect();
        let tails = computed.tails.iter().zip(computed.tail_bytes(region)).map(each).collect();
        let folded = computed.folded.iter().map(|&bytes| Folded { block: None, data: block(padded(bytes)) }).collect();
        let work = computed.scratch_bytes(region);
        let segment = RefCell::new(Segment::new());
        Evaluator { computed, held, executor, kept, clock: 0, tails, folded, work: Some(block(work)), segment }
    }

    /// The values of one array over a region, row-major.
    ///
    /// # Errors
    /// When a chunk cannot be read, or a user's function fails.
    pub fn evaluate(&mut self, root: usize, region: &Region, out: &mut [u8], scratch: &mut Scratch) -> Result<()> {
        let formula = self.computed.roots[root].clone();
        let Some(mut work) = self.work.take() else { unreachable!("an evaluator is used by one worker") };
        let done = self.formula(&formula, region, out, work.bytes_mut(), scratch);
        self.work = Some(work);
        done
    }

    fn formula(
        &mut self,
        formula: &Formula,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        if region.shape.contains(&0) {
            return Ok(());
        }
        let size = formula.dtype.size();
        let out = &mut out[..region.shape.bytes(size)?];
        match &formula.form {
            Form::Program(program) => self.program(program, formula.dtype, region, out, work, scratch),
            Form::Reshape { input, groups } => self.reshape(input, groups, region, out, work, scratch),
            Form::Concat { parts, axis } => self.concat(parts, *axis, region, out, work, scratch),
            Form::Take { input, axis, index } => self.take(input, *axis, index, region, out, work, scratch),
            Form::TakeAlong { input, index, axis } => self.take_along(input, index, *axis, region, out, work, scratch),
            Form::Lanes { input, axis, op } => self.lanes(input, *axis, op, formula, region, out, work, scratch),
            Form::Rolling { input, axis, windows, slab, tail } => {
                let along = along::Along { input, axis: *axis, slab: *slab, result: formula.dtype.size() };
                self.rolling(along, windows, *tail, region, out, work, scratch)
            }
            Form::Cumulative { input, axis, op, slab, tail } => {
                let along = along::Along { input, axis: *axis, slab: *slab, result: formula.dtype.size() };
                self.cumulative(along, op, *tail, region, out, work, scratch)
            }
            Form::Reduce(within) => self.reduce(within, size, region, out, work, scratch),
            Form::MatMul { a, b, tiles, panel } => {
                self.mat_mul([a, b], tiles, *panel, formula.dtype, region, out, work, scratch)
            }
            Form::Blocks { inputs, function, grid, overlap } => {
                let call = forms::Call { inputs, function: function.as_ref(), grid, overlap, dtype: formula.dtype };
                self.blocks(call, region, out, work, scratch)
            }
        }
    }

    /// Makes sure that a chunk is there, and gives its place among the kept ones.
    fn chunk(&mut self, at: usize, chunk: &ChunkIndex, scratch: &mut Scratch) -> Result<usize> {
        self.clock += 1;
        let kept = &mut self.kept[at];
        if let Some(way) = kept.iter().position(|k| k.chunk.as_ref() == Some(chunk)) {
            kept[way].used = self.clock;
            return Ok(way);
        }
        let oldest = (0..kept.len()).filter(|&way| kept[way].pinned == 0).min_by_key(|&way| kept[way].used);
        let Some(way) = oldest else { unreachable!("a chunk is kept for each place where the source is read") };
        let source = self.computed.sources[at].source.as_ref();
        let slot = &mut kept[way];
        slot.chunk = None;
        super::read(source, chunk, scratch, &mut slot.data.bytes_mut()[..source.chunk_bytes()])?;
        (slot.chunk, slot.used) = (Some(chunk.clone()), self.clock);
        if !source.is_spilled() {
            self.executor.tell(source, 1);
        }
        Ok(way)
    }
}

/// Takes a buffer off the front of the workspace.
///
/// # Panics
/// When it is too small: the plan asked for less than the engine uses, which is our own bug.
fn split(work: &mut [u8], bytes: usize) -> (&mut [u8], &mut [u8]) {
    let (buffer, rest) = work.split_at_mut(padded(bytes as u64) as usize);
    (&mut buffer[..bytes], rest)
}
