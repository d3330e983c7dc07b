mod push;

use super::{
    Outcome, Run,
    blocks::Blocks,
    eval::Evaluator,
    lock,
    pieces::{Finished, is_written},
};
use crate::{
    block::Block,
    budget::Lease,
    codec::Scratch,
    dtype::DType,
    error::Result,
    kernels::{
        cast::{cast, place},
        decode::Segment,
    },
    plan::{Fold, Part, padded},
    shape::{ChunkIndex, Region},
    sync::{Arc, Mutex},
};
use push::Chunks;
use std::collections::{BTreeMap, HashMap};

/// Runs one fold: workers take runs of chunks in order, and merge their states in order.
///
/// A run has a state for each group that it has values of, one where there are no groups. Each has memory of its own,
/// which goes to the column with the first run that has values of the group, and is free once the last one is merged.
/// Why that cannot come to a halt is said at [`Need::least`](crate::plan::Need::least).
pub fn run(fold: &Fold, run: &Run<'_>) -> Result<()> {
    let job = Job {
        fold,
        run,
        blocks: Blocks { input: &fold.input, run, are_read_once: fold.reads_once() },
        order: Mutex::new(Order::default()),
        columns: Mutex::default(),
        tiles: Mutex::default(),
        outcome: Outcome::new(&run.executor.stop),
    };
    run.crew.run(|| job.work());
    job.outcome.result()
}

struct Job<'a> {
    fold: &'a Fold,
    run: &'a Run<'a>,
    blocks: Blocks<'a>,
    order: Mutex<Order>,
    columns: Mutex<HashMap<Number, Arc<Mutex<Column>>>>,
    tiles: Mutex<HashMap<u64, Arc<Tile>>>,
    outcome: Outcome<'a>,
}

/// Which column, and which block of its groups.
type Number = (u64, usize);

/// Where the next task comes from: tile by tile, column by column, run by run.
#[derive(Default)]
struct Order {
    tile: u64,
    columns: Vec<(ChunkIndex, usize)>,
    run: u64,
}

/// One run of one column, with the memory for its states.
struct Task {
    tile: u64,
    column: ChunkIndex,
    block: usize,
    run: u64,
    slots: Vec<Slot>,
}

/// The state of one group of a column; without groups, that of the column.
struct Slot {
    group: u32,
    state: Block,
}

/// The runs of one column that are folded and not yet merged.
#[derive(Default)]
struct Column {
    merged: HashMap<u32, Block>,
    next: u64,
    waiting: BTreeMap<u64, Vec<Slot>>,
}

/// A block of the output on its way to the sink.
struct Tile {
    region: Region,
    state: Mutex<TileState>,
}

struct TileState {
    blocks: Vec<Block>,
    slots_left: u64,
}

/// What one worker holds from beginning to end.
struct Worker<'a> {
    scratch: Scratch,
    evaluator: Option<Evaluator<'a>>,
    chunks: Block,
    result: Block,
    segment: Segment,
}

impl<'a> Job<'a> {
    fn work(&self) {
        let outcome = (|| {
            let mut worker = self.worker()?;
            loop {
                let tasks = self.next()?;
                if tasks.is_empty() {
                    return Ok(());
                }
                self.step(tasks, &mut worker)?;
            }
        })();
        if let Err(error) = outcome {
            self.outcome.fail(error);
            // Others may be waiting for memory that unmerged states hold.
            lock(&self.columns).clear();
            lock(&self.tiles).clear();
        }
    }

    fn worker(&self) -> Result<Worker<'a>> {
        let need = &self.run.crew.need;
        let batch = self.run.crew.batch as u64;
        let mut lease = self.run.executor.budget.lease(need.per_worker(batch), "a worker")?;
        let scratch = need.scratch(batch);
        let scratch = Scratch::new(scratch, lease.split(scratch.bytes()));
        let evaluator = self.run.evaluator(&self.fold.input, self.fold.input.grid().chunk(), &mut lease);
        let chunks = Block::new((need.chunk * batch) as usize, lease.split(need.chunk * batch));
        let result = Block::new(need.result as usize, lease);
        Ok(Worker { scratch, evaluator, chunks, result, segment: Segment::new() })
    }

    /// The next task in order, once there is memory for it, and those behind it that fill the hand with their chunks and
    /// have memory now. No task at all is the end. Waiting happens under the lock: whoever comes later in the order must
    /// not take the memory first. While it has tasks, a worker waits for no memory.
    fn next(&self) -> Result<Vec<Task>> {
        let mut order = lock(&self.order);
        self.outcome.check()?;
        if order.columns.is_empty() {
            while order.tile < self.fold.tiles.chunks() && self.is_written(order.tile) {
                self.outcome.check()?;
                order.tile += 1;
            }
            if order.tile >= self.fold.tiles.chunks() {
                return Ok(Vec::new());
            }
            self.begin_tile(order.tile)?;
            let region = self.fold.tiles.region(&self.fold.tiles.index(order.tile));
            order.columns = self.fold.columns_of(&region);
            order.columns.reverse();
            order.tile += 1;
        }
        let (budget, batch) = (&self.run.executor.budget, self.run.crew.batch);
        // The others want as many.
        let share = order.columns.len() / self.run.crew.workers;
        let first = self.take(&mut order, |bytes| budget.lease(bytes, "a partial result").map(Some))?;
        let mut tasks: Vec<Task> = first.into_iter().collect();
        self.outcome.check()?;
        let mut chunks = 0;
        while tasks.len() < share {
            chunks += tasks.last().map_or(0, |task| self.chunks(task).take(batch).count());
            if chunks >= batch {
                break;
            }
            let Some(task) = self.take(&mut order, |bytes| Ok(budget.try_lease(bytes)))? else { break };
            tasks.push(task);
        }
        Ok(tasks)
    }

    /// The next task of a tile, with memory that `lease` gives.
    fn take(&self, order: &mut Order, lease: impl FnOnce(u64) -> Result<Option<Lease>>) -> Result<Option<Task>> {
        let Some((column, block)) = order.columns.last().cloned() else { return Ok(None) };
        let (tile, run) = (order.tile - 1, order.run);
        let groups = self.fold.slots(block, run);
        let bytes = self.fold.state_bytes(self.cells(&column)?);
        let Some(mut lease) = lease((bytes * groups.len()) as u64)? else { return Ok(None) };
        order.run += 1;
        if order.run == self.fold.runs(block) {
            order.run = 0;
            order.columns.pop();
        }
        let slot = |&group: &u32| Slot { group, state: Block::unset(bytes, lease.split(bytes as u64)) };
        Ok(Some(Task { tile, column, block, run, slots: groups.iter().map(slot).collect() }))
    }

    /// The chunks of a task, in the order in which they are folded.
    fn chunks(&self, task: &Task) -> impl Iterator<Item = ChunkIndex> + use<'a> {
        self.fold.chunks(&task.column, task.block, task.run)
    }

    /// Whether an earlier run has written all that comes of a tile.
    fn is_written(&self, tile: u64) -> bool {
        let region = self.fold.tiles.region(&self.fold.tiles.index(tile));
        self.fold.outputs().all(|output| is_written(&output.destination, &output.pieces, &region, self.run.sink))
    }

    fn begin_tile(&self, number: u64) -> Result<()> {
        let region = self.fold.tiles.region(&self.fold.tiles.index(number));
        let mut lease = self.run.executor.budget.lease(self.run.crew.need.tile, "a tile of the output")?;
        let mut blocks = Vec::new();
        for output in self.fold.outputs() {
            let bytes = region.shape.bytes(output.stored.size())?;
            blocks.push(Block::new(bytes, lease.split(bytes as u64)));
        }
        let slots_left = self.fold.slots_of(&region);
        let state = Mutex::new(TileState { blocks, slots_left });
        lock(&self.tiles).insert(number, Arc::new(Tile { region, state }));
        Ok(())
    }

    fn step(&self, mut tasks: Vec<Task>, worker: &mut Worker<'a>) -> Result<()> {
        for task in &mut tasks {
            let cells = self.cells(&task.column)?;
            for slot in &mut task.slots {
                let mut rest = slot.state.bytes_mut();
                for part in &self.fold.parts {
                    let state = state_of(part, cells, &mut rest);
                    part.reducer.init(state, cells);
                }
            }
        }
        self.fold_chunks(&mut tasks, worker)?;
        for Task { tile, column, block, run, slots } in tasks {
            let (number, cells) = (self.fold.columns.kept().number(&column), self.cells(&column)?);
            for slot in self.merge((number, block), run, slots, cells)? {
                self.finish(tile, self.fold.region(&column, slot.group), cells, slot, worker)?;
            }
        }
        Ok(())
    }

    fn cells(&self, column: &ChunkIndex) -> Result<usize> {
        Ok(self.fold.columns.kept().region(column).shape.elements()? as usize)
    }

    /// Reads, decodes and folds the chunks of tasks, a few at a time.
    fn fold_chunks(&self, tasks: &mut [Task], worker: &mut Worker<'a>) -> Result<()> {
        let each = self.run.crew.need.chunk as usize;
        let of = |(k, task): (usize, &Task)| self.chunks(task).map(move |chunk| (k, chunk));
        let mut all = tasks.iter().enumerate().map(of).collect::<Vec<_>>().into_iter().flatten();
        loop {
            let (whose, next): (Vec<usize>, Vec<ChunkIndex>) = all.by_ref().take(self.run.crew.batch).unzip();
            if next.is_empty() {
                return Ok(());
            }
            self.outcome.check()?;
            let outs = worker.chunks.bytes_mut().chunks_exact_mut(each.max(1));
            let batch = self.blocks.fill(&next, outs, &mut worker.evaluator, &mut worker.scratch)?;
            let mut first = 0;
            for of_one in whose.chunk_by(|a, b| a == b) {
                let range = first..first + of_one.len();
                first = range.end;
                let data = &worker.chunks.bytes()[range.start * each..];
                let chunks = Chunks { filled: &batch[range], data, each };
                let task = &mut tasks[of_one[0]];
                let cells = self.cells(&task.column)?;
                let pushed = self.push(&chunks, &mut task.slots, cells, &mut worker.segment);
                pushed.map_err(|e| self.blocks.located(e))?;
            }
        }
    }

    /// Adds a run's states to its column in the order of runs. Gives those that no later run adds to.
    fn merge(&self, number: Number, run: u64, slots: Vec<Slot>, cells: usize) -> Result<Vec<Slot>> {
        let (block, runs) = (number.1, self.fold.runs(number.1));
        if runs == 1 {
            return Ok(slots);
        }
        let column = lock(&self.columns).entry(number).or_default().clone();
        let mut column = lock(&column);
        column.waiting.insert(run, slots);
        let mut ended = Vec::new();
        loop {
            let next = column.next;
            let Some(slots) = column.waiting.remove(&next) else { break };
            for Slot { group, mut state } in slots {
                if let Some(mut merged) = column.merged.remove(&group) {
                    let (mut into, mut from) = (merged.bytes_mut(), state.bytes());
                    for part in &self.fold.parts {
                        let into = state_of(part, cells, &mut into);
                        part.reducer.merge(into, shared_state_of(part, cells, &mut from), cells)?;
                    }
                    state = merged;
                }
                if self.fold.ends(block, next, group) {
                    ended.push(Slot { group, state });
                } else {
                    column.merged.insert(group, state);
                }
            }
            column.next += 1;
        }
        if column.next < runs {
            // After a failure nobody merges what waits here; it must not keep memory that others wait for.
            self.outcome.check()?;
        } else {
            lock(&self.columns).remove(&number);
        }
        Ok(ended)
    }

    /// Turns a group's state into values of its tile, and writes the tile when it was the last.
    fn finish(&self, number: u64, place_of: Region, cells: usize, slot: Slot, worker: &mut Worker<'a>) -> Result<()> {
        let Some(tile) = lock(&self.tiles).get(&number).cloned() else { return self.outcome.check() };
        let per_cell = self.fold.per_cell(slot.group);
        let (values, converted) = worker.result.bytes_mut().split_at_mut(8 * cells.max(1));
        let mut guard = lock(&tile.state);
        let mut rest = slot.state.bytes();
        let mut blocks = guard.blocks.iter_mut();
        for part in &self.fold.parts {
            let state = shared_state_of(part, cells, &mut rest);
            for (output, block) in part.outputs.iter().zip(&mut blocks) {
                let bytes = cells * output.dtype.size();
                let finish = |out: &mut [u8]| {
                    let done = part.reducer.finish(output.op, state, cells, per_cell, out);
                    done.map_err(|e| self.blocks.located(e))
                };
                if place_of == tile.region && output.dtype == output.stored {
                    finish(&mut block.bytes_mut()[..bytes])?;
                    continue;
                }
                let out = &mut values[..bytes];
                finish(out)?;
                let out = store_as(out, output.dtype, output.stored, converted, cells);
                let at: Vec<u64> = place_of.start.iter().zip(&tile.region.start).map(|(p, t)| p - t).collect();
                place(out, &place_of.shape, block.bytes_mut(), &tile.region.shape, &at, output.stored.size());
            }
        }
        drop(blocks);
        drop(slot);
        guard.slots_left -= 1;
        if guard.slots_left > 0 {
            return Ok(());
        }
        lock(&self.tiles).remove(&number);
        for (output, block) in self.fold.outputs().zip(&guard.blocks) {
            let finished = Finished {
                destination: &output.destination,
                pieces: &output.pieces,
                region: &tile.region,
                data: block.bytes(),
                element: output.stored.size(),
            };
            finished.write(self.run, worker.result.bytes_mut(), &mut worker.scratch)?;
        }
        Ok(())
    }
}

/// Takes the state of one part off the front of those of all.
fn state_of<'s>(part: &Part, cells: usize, rest: &mut &'s mut [u8]) -> &'s mut [u8] {
    let bytes = part.reducer.state_bytes(cells);
    let (state, after) = std::mem::take(rest).split_at_mut(padded(bytes as u64) as usize);
    *rest = after;
    &mut state[..bytes]
}

/// The same, to read.
fn shared_state_of<'s>(part: &Part, cells: usize, rest: &mut &'s [u8]) -> &'s [u8] {
    let bytes = part.reducer.state_bytes(cells);
    let (state, after) = rest.split_at(padded(bytes as u64) as usize);
    *rest = after;
    &state[..bytes]
}

/// The values in the type that the sink stores.
fn store_as<'a>(values: &'a [u8], from: DType, to: DType, converted: &'a mut [u8], cells: usize) -> &'a [u8] {
    if from == to {
        return values;
    }
    let out = &mut converted[..cells * to.size()];
    cast(values, from, out, to);
    out
}
