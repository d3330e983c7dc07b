use super::{Outcome, Run, blocks::Blocks, eval::Evaluator, lock};
use crate::{
    block::Block,
    budget::Lease,
    codec::{Scratch, ScratchSize},
    error::Result,
    kernels::{
        decode::Segment,
        fold::ChunkView,
        lanes::{Collected, InOrder as Next, Search, Staged, Tally},
    },
    plan::{Narrowing, Sought},
    shape::{ChunkIndex, Region},
    spill::Spilled,
    sync::{Mutex, PoisonError},
};
use std::{iter, ops::Range, slice};

/// Goes through the input until the values that decide are known, and holds what follows from them.
///
/// Workers take blocks one after the other, and each counts for itself; what they have counted is added up when there are
/// no more blocks. Keys are collected in one place, in any order: so no result depends on who did what.
pub fn run(narrowing: &Narrowing, run: &Run<'_>) -> Result<()> {
    let blocks = Blocks { input: &narrowing.input, run, are_read_once: true };
    let lanes = Lanes::of(narrowing);
    let mut search = Search::new(&narrowing.narrow, lanes.count, narrowing.columns.per_cell());
    let [counts_bytes, keys_bytes] = narrowing.room_bytes();
    let mut lease = run.executor.budget.lease(run.crew.need.tile, "what order statistics are narrowed down to")?;
    let mut counts = Block::new(counts_bytes as usize, lease.split(counts_bytes));
    let mut keys = Block::new(keys_bytes as usize, lease.split(keys_bytes));
    let mut out = InOrder::of(narrowing, &lanes, &mut lease);
    while search.aim(narrowing.room) {
        let counts = &mut counts.elements_mut::<u64>()[..search.counts()];
        counts.fill(0);
        let found = Mutex::new(Found { counts, collected: search.collected(keys.bytes_mut()) });
        let job = Job {
            narrowing,
            blocks,
            lanes: &lanes,
            search: &search,
            next: Mutex::new(0),
            found: &found,
            outcome: Outcome::new(&run.executor.stop),
        };
        run.crew.run(|| job.work());
        job.outcome.result()?;
        let Found { counts, mut collected } = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let unsorted = Mutex::new(search.unsorted(&mut collected, run.crew.workers));
        run.crew.run(|| {
            while let Some(keys) = { lock(&unsorted).pop() } {
                keys.sort();
            }
        });
        drop(unsorted);
        search.absorb(counts, collected, &mut |cell, values| out.take(cell, &values)).map_err(|e| blocks.located(e))?;
    }
    for (which, result) in narrowing.results.iter().enumerate() {
        hold(result, which, &search, &lanes, run)?;
    }
    Ok(())
}

/// Which lanes the blocks have values of. Those of a column follow each other.
struct Lanes {
    columns: Vec<(Region, Range<usize>)>,
    count: usize,
}

impl Lanes {
    /// Where a lane is among all axes, with a place along its own.
    fn position(&self, lane: usize, axis: usize, along: u64) -> Vec<u64> {
        let at = self.columns.partition_point(|(_, cells)| cells.end <= lane);
        let (region, cells) = &self.columns[at];
        let mut rest = (lane - cells.start) as u64;
        let mut position = region.start.clone();
        for k in (0..position.len()).rev() {
            position[k] += rest % region.shape[k];
            rest /= region.shape[k];
        }
        position.insert(axis, along);
        position
    }

    fn of(narrowing: &Narrowing) -> Lanes {
        let (kept, mut count) = (narrowing.columns.kept(), 0);
        let columns = (0..kept.chunks()).map(|n| {
            let region = kept.region(&kept.index(n));
            let from = count;
            count += region.shape.iter().product::<u64>() as usize;
            (region, from..count)
        });
        Lanes { columns: columns.collect(), count }
    }
}

/// What all workers have found.
struct Found<'f> {
    counts: &'f mut [u64],
    collected: Collected<'f>,
}

/// One pass.
struct Job<'a, 'f> {
    narrowing: &'a Narrowing,
    blocks: Blocks<'a>,
    lanes: &'a Lanes,
    search: &'a Search,
    /// The block that nobody has taken yet.
    next: Mutex<u64>,
    found: &'a Mutex<Found<'f>>,
    outcome: Outcome<'a>,
}

/// What one worker holds during a pass.
struct Worker<'a> {
    scratch: Scratch,
    evaluator: Option<Evaluator<'a>>,
    block: Block,
    counts: Block,
    staged: Staged,
    segment: Segment,
}

impl<'a> Job<'a, '_> {
    fn work(&self) {
        if let Err(error) = self.count() {
            self.outcome.fail(error);
        }
    }

    /// Counts blocks until there are no more.
    fn count(&self) -> Result<()> {
        let mut worker = self.worker()?;
        while let Some(n) = self.next()? {
            self.step(n, &mut worker)?;
        }
        let found = &mut *lock(self.found);
        self.search.merge(found.counts, worker.counts.elements());
        worker.staged.empty(&mut |staged| found.collected.add(staged));
        Ok(())
    }

    fn worker(&self) -> Result<Worker<'a>> {
        let run = self.blocks.run;
        let need = &run.crew.need;
        let mut lease = run.executor.budget.lease(need.per_worker(1), "a worker")?;
        let scratch = Scratch::new(need.worker, lease.split(need.worker.bytes()));
        let grid = self.narrowing.input.grid();
        let evaluator = run.evaluator(&self.narrowing.input, grid.chunk(), &mut lease);
        let block = Block::new(need.chunk as usize, lease.split(need.chunk));
        let [counts, _] = self.narrowing.room_bytes();
        let counts = Block::new(counts as usize, lease);
        Ok(Worker { scratch, evaluator, block, counts, staged: Staged::default(), segment: Segment::new() })
    }

    fn next(&self) -> Result<Option<u64>> {
        self.outcome.check()?;
        let mut next = lock(&self.next);
        *next += 1;
        Ok((*next <= self.narrowing.input.grid().chunks()).then(|| *next - 1))
    }

    fn step(&self, number: u64, worker: &mut Worker<'a>) -> Result<()> {
        let grid = self.narrowing.input.grid();
        let (index, columns) = (grid.index(number), &self.narrowing.columns);
        let kept: Vec<u64> = index.iter().zip(columns.reduced()).filter(|(_, r)| !**r).map(|(n, _)| *n).collect();
        let (_, cells) = &self.lanes.columns[columns.kept().number(&kept) as usize];
        if !self.search.wants(cells.clone()) {
            return Ok(());
        }
        let data = worker.block.bytes_mut();
        let Worker { evaluator, scratch, .. } = worker;
        let filled = self.blocks.fill(slice::from_ref(&index), iter::once(&mut *data), evaluator, scratch)?;
        let [filled] = &filled[..] else { unreachable!("one block was asked for") };
        let lie = self.blocks.lie(columns.reduced(), &filled.place);
        let elements = self.blocks.elements(0, filled, data, 0, self.narrowing.decode.stored.size());
        let view = ChunkView { elements, dims: &lie.dims, first_index: lie.first_index };
        let mut tally = Tally {
            counts: worker.counts.elements_mut(),
            staged: &mut worker.staged,
            full: &mut |staged| lock(self.found).collected.add(staged),
        };
        self.search.push(cells.clone(), &self.narrowing.decode, view, &mut worker.segment, &mut tally);
        Ok(())
    }
}

/// Puts a statistic of all lanes where later stages find it.
fn hold(result: &Sought, which: usize, search: &Search, lanes: &Lanes, run: &Run<'_>) -> Result<()> {
    let Some(slot) = result.destination.slot() else { return Ok(()) };
    let size = result.dtype.size();
    // A column's values; lanes that do not fit in memory are few.
    let mut values = Vec::new();
    for (region, cells) in &lanes.columns {
        values.resize(cells.len() * size, 0);
        for at in 0..result.len {
            search.finish(which, at as usize, cells.clone(), &mut values);
            run.unfinished.put(slot, &region.with_new_axis(result.axis, at, 1), &values, size);
        }
    }
    Ok(())
}

/// The slabs into which lanes in order are written, one for each lane.
struct InOrder<'a> {
    to: Option<(&'a Spilled, usize)>,
    lanes: &'a Lanes,
    slabs: Vec<Block>,
    /// How many values of each lane were taken.
    taken: Vec<u64>,
    cut: Block,
    scratch: Scratch,
    size: usize,
}

impl<'a> InOrder<'a> {
    /// One for what a stage gives in order. The bytes come out of `lease`.
    fn of(narrowing: &'a Narrowing, lanes: &'a Lanes, lease: &mut Lease) -> InOrder<'a> {
        let to = narrowing.spilled().map(|(spilled, result)| (spilled, result.axis));
        let mut block = |bytes: u64| Block::new(bytes as usize, lease.split(bytes));
        let cut = block(to.map_or(0, |(spilled, _)| spilled.cut_bytes() as u64));
        let count = if to.is_some() { lanes.count } else { 0 };
        let slabs = (0..count).map(|_| block(narrowing.slab_bytes())).collect();
        let scratch = to.map_or_else(ScratchSize::default, |(spilled, _)| spilled.put_scratch());
        let scratch = Scratch::new(scratch, lease.split(scratch.bytes()));
        let size = narrowing.results.first().map_or(1, |r| r.dtype.size());
        InOrder { to, lanes, slabs, taken: vec![0; count], cut, scratch, size }
    }

    /// Takes the next values of a lane, and writes slabs that are full.
    fn take(&mut self, lane: usize, values: &Next<'_>) -> Result<()> {
        let Some((spilled, axis)) = self.to else { return Ok(()) };
        let (each, all) = (spilled.slabs().chunk()[axis], spilled.slabs().shape()[axis]);
        let mut first = 0;
        while first < values.len {
            let at = self.taken[lane];
            let end = (at - at % each + each).min(all);
            let some = (end - at).min(values.len - first);
            let from = (at % each) as usize * self.size;
            let slab = self.slabs[lane].bytes_mut();
            values.write(first, &mut slab[from..from + some as usize * self.size]);
            (first, self.taken[lane]) = (first + some, at + some);
            if at + some == end {
                let bytes = (end - (end - 1) / each * each) as usize * self.size;
                let index = ChunkIndex(self.lanes.position(lane, axis, (end - 1) / each));
                spilled.put(&index, &slab[..bytes], self.cut.bytes_mut(), &mut self.scratch)?;
            }
        }
        Ok(())
    }
}
