use super::{Crew, Executor, Outcome, lock, pieces::Finished, read};
use crate::{
    block::Block,
    codec::Scratch,
    dtype::DType,
    error::Result,
    events::Event,
    kernels::{
        cast::{cast, place},
        decode::Segment,
        fold::{ChunkView, Role, ViewDim},
    },
    plan::Fold,
    shape::{ChunkIndex, Region},
    source::Sink,
    units::Bytes,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

/// Runs one fold: workers take runs of chunks in order, and merge their states in order.
pub fn run(fold: &Fold, executor: &Executor, sink: &dyn Sink, crew: Crew) -> Result<()> {
    let job = Job {
        fold,
        executor,
        sink,
        crew,
        order: Mutex::new(Order::default()),
        columns: Mutex::default(),
        tiles: Mutex::default(),
        outcome: Outcome::new(&executor.stop),
    };
    crew.run(|| job.work());
    job.outcome.result()
}

struct Job<'a> {
    fold: &'a Fold,
    executor: &'a Executor,
    sink: &'a dyn Sink,
    crew: Crew,
    order: Mutex<Order>,
    columns: Mutex<HashMap<u64, Arc<Mutex<Column>>>>,
    tiles: Mutex<HashMap<u64, Arc<Tile>>>,
    outcome: Outcome<'a>,
}

/// Where the next task comes from: tile by tile, column by column, run by run.
#[derive(Default)]
struct Order {
    tile: u64,
    columns: Vec<ChunkIndex>,
    run: u64,
}

/// One run of one column, with the memory for its state.
struct Task {
    tile: u64,
    column: ChunkIndex,
    run: u64,
    state: Block,
}

/// The runs of one column that are folded and not yet merged.
#[derive(Default)]
struct Column {
    merged: Option<Block>,
    next: u64,
    waiting: BTreeMap<u64, Block>,
}

/// A block of the output on its way to the sink.
struct Tile {
    region: Region,
    state: Mutex<TileState>,
}

struct TileState {
    blocks: Vec<Block>,
    columns_left: u64,
}

/// What one worker holds from beginning to end.
struct Worker {
    scratch: Scratch,
    chunks: Block,
    result: Block,
    segment: Segment,
}

impl Job<'_> {
    fn work(&self) {
        let outcome = (|| {
            let mut worker = self.worker()?;
            while let Some(task) = self.next()? {
                self.step(task, &mut worker)?;
            }
            Ok(())
        })();
        if let Err(error) = outcome {
            self.outcome.fail(error);
            // Others may be waiting for memory that unmerged states hold.
            lock(&self.columns).clear();
            lock(&self.tiles).clear();
        }
    }

    fn worker(&self) -> Result<Worker> {
        let need = &self.crew.need;
        let batch = self.crew.batch as u64;
        let mut lease = self.executor.budget.lease(need.per_worker(batch), "a worker")?;
        let scratch = Scratch::new(need.worker, lease.split(need.worker.bytes()));
        let chunks = Block::new((need.chunk * batch) as usize, lease.split(need.chunk * batch));
        Ok(Worker { scratch, chunks, result: Block::new(need.result as usize, lease), segment: Segment::new() })
    }

    /// The next task in order, once there is memory for it. Waiting happens under the lock: whoever comes later in
    /// the order must not take the memory first.
    fn next(&self) -> Result<Option<Task>> {
        let mut order = lock(&self.order);
        self.outcome.check()?;
        if order.columns.is_empty() {
            if order.tile >= self.fold.tiles.chunks() {
                return Ok(None);
            }
            self.begin_tile(order.tile)?;
            let region = self.fold.tiles.region(&self.fold.tiles.index(order.tile));
            order.columns = self.fold.columns.kept().overlapping(&region).collect();
            order.columns.reverse();
            order.tile += 1;
        }
        let state = self.executor.budget.lease(self.crew.need.state, "a partial result")?;
        self.outcome.check()?;
        let Some(column) = order.columns.last().cloned() else { return Ok(None) };
        let (tile, run) = (order.tile - 1, order.run);
        order.run += 1;
        if order.run == self.fold.columns.runs() {
            order.run = 0;
            order.columns.pop();
        }
        Ok(Some(Task { tile, column, run, state: Block::new(self.crew.need.state as usize, state) }))
    }

    fn begin_tile(&self, number: u64) -> Result<()> {
        let region = self.fold.tiles.region(&self.fold.tiles.index(number));
        let mut lease = self.executor.budget.lease(self.crew.need.tile, "a tile of the output")?;
        let mut blocks = Vec::new();
        for output in &self.fold.outputs {
            let bytes = region.shape.bytes(output.stored.size())?;
            blocks.push(Block::new(bytes, lease.split(bytes as u64)));
        }
        let columns_left = self.fold.columns.kept().overlapping(&region).count() as u64;
        let state = Mutex::new(TileState { blocks, columns_left });
        lock(&self.tiles).insert(number, Arc::new(Tile { region, state }));
        Ok(())
    }

    fn step(&self, task: Task, worker: &mut Worker) -> Result<()> {
        let Task { tile, column, run, mut state } = task;
        let number = self.fold.columns.kept().number(&column);
        let cells = self.cells(&column)?;
        let bytes = &mut state.bytes_mut()[..self.fold.folds.state_bytes(cells)];
        self.fold.folds.init(bytes, cells);
        self.fold_run(&column, run, bytes, cells, worker)?;
        if let Some(state) = self.merge(number, run, state, cells)? {
            self.finish(tile, &column, cells, &state, worker)?;
        }
        Ok(())
    }

    fn cells(&self, column: &ChunkIndex) -> Result<usize> {
        Ok(self.fold.columns.kept().region(column).shape.elements()? as usize)
    }

    /// Reads, decodes and folds the chunks of one run, a few at a time.
    fn fold_run(
        &self,
        column: &ChunkIndex,
        run: u64,
        state: &mut [u8],
        cells: usize,
        worker: &mut Worker,
    ) -> Result<()> {
        let source = self.fold.source.as_ref();
        let chunk_bytes = self.crew.need.chunk as usize;
        let mut batch: Vec<ChunkIndex> = Vec::with_capacity(self.crew.batch);
        let mut chunks = self.fold.columns.run(column, run);
        loop {
            batch.clear();
            batch.extend(chunks.by_ref().take(self.crew.batch));
            if batch.is_empty() {
                return Ok(());
            }
            for (chunk, out) in batch.iter().zip(worker.chunks.bytes_mut().chunks_exact_mut(chunk_bytes.max(1))) {
                self.outcome.check()?;
                read(source, chunk, &mut worker.scratch, out)?;
                self.tell(chunk_bytes);
            }
            self.push(&batch, &worker.chunks, chunk_bytes, state, cells, &mut worker.segment).map_err(|e| {
                let origin = source.origin();
                e.in_variable(&origin.variable).in_file(origin.file)
            })?;
        }
    }

    /// Folds chunks that lie one behind the other in `data`. Those that are cut at an edge have other shapes than
    /// their neighbours, and are folded on their own.
    fn push(
        &self,
        batch: &[ChunkIndex],
        data: &Block,
        chunk_bytes: usize,
        state: &mut [u8],
        cells: usize,
        segment: &mut Segment,
    ) -> Result<()> {
        let places: Vec<Region> = batch.iter().map(|c| self.fold.source.grid().region(c)).collect();
        let mut from = 0;
        while from < batch.len() {
            let alike = places[from..].iter().take_while(|p| p.shape == places[from].shape).count();
            let dims = self.dims(&places[from]);
            let views: Vec<ChunkView> = (from..from + alike)
                .map(|k| ChunkView {
                    bytes: &data.bytes()[k * chunk_bytes..(k + 1) * chunk_bytes],
                    dims: &dims,
                    first_index: self.first_index(&places[k]),
                })
                .collect();
            self.fold.folds.push(state, cells, &views, segment)?;
            from += alike;
        }
        Ok(())
    }

    /// How the elements of a chunk lie, slowest first, and where each goes.
    fn dims(&self, place: &Region) -> Vec<ViewDim> {
        let (source, reduced) = (&self.fold.source, self.fold.columns.reduced());
        let axes = &source.layout().axes;
        let whole = source.grid().chunk();
        let cell_strides = strides_of(&place.shape, |axis| !reduced[axis]);
        let index_strides = strides_of(source.grid().shape(), |axis| reduced[axis]);
        let mut stride = 1;
        let mut dims: Vec<ViewDim> = axes
            .iter()
            .rev()
            .map(|&axis| {
                let role = if reduced[axis] {
                    Role::Reduced { index_stride: index_strides[axis] }
                } else {
                    Role::Kept { cell_stride: cell_strides[axis] as usize }
                };
                let dim = ViewDim { len: place.shape[axis] as usize, stride, role };
                stride *= whole[axis] as usize;
                dim
            })
            .collect();
        dims.reverse();
        dims
    }

    /// The place of a chunk's first element among the values of its cell.
    fn first_index(&self, place: &Region) -> u64 {
        let reduced = self.fold.columns.reduced();
        let strides = strides_of(self.fold.source.grid().shape(), |axis| reduced[axis]);
        (0..reduced.len()).filter(|&axis| reduced[axis]).map(|axis| place.start[axis] * strides[axis]).sum()
    }

    fn tell(&self, chunk_bytes: usize) {
        let source = &self.fold.source;
        self.executor.observer.on(&Event::Chunk {
            stored: Bytes(source.stored_bytes() / source.grid().chunks().max(1)),
            decoded: Bytes(chunk_bytes as u64),
            held: self.executor.budget.held(),
        });
    }

    /// Adds a run's state to its column in the order of runs. Gives the column's state with its last run.
    fn merge(&self, number: u64, run: u64, state: Block, cells: usize) -> Result<Option<Block>> {
        let runs = self.fold.columns.runs();
        let bytes = self.fold.folds.state_bytes(cells);
        if runs == 1 {
            return Ok(Some(state));
        }
        let column = lock(&self.columns).entry(number).or_default().clone();
        let mut column = lock(&column);
        column.waiting.insert(run, state);
        loop {
            let next = column.next;
            let Some(state) = column.waiting.remove(&next) else { break };
            match &mut column.merged {
                None => column.merged = Some(state),
                Some(merged) => {
                    self.fold.folds.merge(&mut merged.bytes_mut()[..bytes], &state.bytes()[..bytes], cells)?
                }
            }
            column.next += 1;
        }
        if column.next < runs {
            // After a failure nobody merges what waits here; it must not keep memory that others wait for.
            return self.outcome.check().map(|()| None);
        }
        lock(&self.columns).remove(&number);
        Ok(column.merged.take())
    }

    /// Turns a column's state into values of its tile, and writes the tile when it was the last.
    fn finish(&self, number: u64, column: &ChunkIndex, cells: usize, state: &Block, worker: &mut Worker) -> Result<()> {
        let Some(tile) = lock(&self.tiles).get(&number).cloned() else { return self.outcome.check() };
        let place_of = self.fold.columns.kept().region(column);
        let bytes = self.fold.folds.state_bytes(cells);
        let per_cell = self.fold.columns.per_cell();
        let (values, converted) = worker.result.bytes_mut().split_at_mut(8 * cells.max(1));
        let mut guard = lock(&tile.state);
        for (output, block) in self.fold.outputs.iter().zip(&mut guard.blocks) {
            let dtype = self.fold.folds.result_dtype(output.op);
            let out = &mut values[..cells * dtype.size()];
            self.fold.folds.finish(output.op, &state.bytes()[..bytes], cells, per_cell, out).map_err(|e| {
                let origin = self.fold.source.origin();
                e.in_variable(&origin.variable).in_file(origin.file)
            })?;
            let out = store_as(out, dtype, output.stored, converted, cells);
            let at: Vec<u64> = place_of.start.iter().zip(&tile.region.start).map(|(p, t)| p - t).collect();
            place(out, &place_of.shape, block.bytes_mut(), &tile.region.shape, &at, output.stored.size());
        }
        guard.columns_left -= 1;
        if guard.columns_left > 0 {
            return Ok(());
        }
        lock(&self.tiles).remove(&number);
        for (output, block) in self.fold.outputs.iter().zip(&guard.blocks) {
            let finished = Finished { output, region: &tile.region, data: block.bytes() };
            finished.write(self.sink, worker.result.bytes_mut(), &mut worker.scratch)?;
        }
        Ok(())
    }
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

/// Row-major strides among the axes that `counts` picks; zero for the others.
fn strides_of(shape: &[u64], counts: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut strides = vec![0; shape.len()];
    let mut next = 1;
    for axis in (0..shape.len()).rev().filter(|&axis| counts(axis)) {
        strides[axis] = next;
        next *= shape[axis];
    }
    strides
}
