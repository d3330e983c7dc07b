use super::{
    Outcome, Run,
    eval::Evaluator,
    lock,
    pieces::{Finished, is_written},
    read,
};
use crate::{
    block::Block,
    codec::Scratch,
    dtype::DType,
    error::Result,
    events::Event,
    kernels::{
        cast::{cast, extract, place},
        decode::Segment,
        fold::{ChunkView, Role, ViewDim},
    },
    plan::{Fold, Input, Part, padded},
    shape::{ChunkIndex, Region},
    sync::{Arc, Mutex},
    units::Bytes,
};
use std::collections::{BTreeMap, HashMap};

/// Runs one fold: workers take runs of chunks in order, and merge their states in order.
pub fn run(fold: &Fold, run: &Run<'_>) -> Result<()> {
    let job = Job {
        fold,
        run,
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

    fn worker(&self) -> Result<Worker<'a>> {
        let need = &self.run.crew.need;
        let batch = self.run.crew.batch as u64;
        let mut lease = self.run.executor.budget.lease(need.per_worker(batch), "a worker")?;
        let scratch = Scratch::new(need.worker, lease.split(need.worker.bytes()));
        let evaluator = self.run.evaluator(&self.fold.input, self.fold.input.grid().chunk(), &mut lease);
        let chunks = Block::new((need.chunk * batch) as usize, lease.split(need.chunk * batch));
        let result = Block::new(need.result as usize, lease);
        Ok(Worker { scratch, evaluator, chunks, result, segment: Segment::new() })
    }

    /// The next task in order, once there is memory for it. Waiting happens under the lock: whoever comes later in
    /// the order must not take the memory first.
    fn next(&self) -> Result<Option<Task>> {
        let mut order = lock(&self.order);
        self.outcome.check()?;
        if order.columns.is_empty() {
            while order.tile < self.fold.tiles.chunks() && self.is_written(order.tile) {
                self.outcome.check()?;
                order.tile += 1;
            }
            if order.tile >= self.fold.tiles.chunks() {
                return Ok(None);
            }
            self.begin_tile(order.tile)?;
            let region = self.fold.tiles.region(&self.fold.tiles.index(order.tile));
            order.columns = self.fold.columns.kept().overlapping(&region).collect();
            order.columns.reverse();
            order.tile += 1;
        }
        let state = self.run.executor.budget.lease(self.run.crew.need.state, "a partial result")?;
        self.outcome.check()?;
        let Some(column) = order.columns.last().cloned() else { return Ok(None) };
        let (tile, run) = (order.tile - 1, order.run);
        order.run += 1;
        if order.run == self.fold.columns.runs() {
            order.run = 0;
            order.columns.pop();
        }
        Ok(Some(Task { tile, column, run, state: Block::new(self.run.crew.need.state as usize, state) }))
    }

    fn outputs(&self) -> impl Iterator<Item = &'a crate::plan::Output> {
        self.fold.parts.iter().flat_map(|part| &part.outputs)
    }

    /// Whether an earlier run has written all that comes of a tile.
    fn is_written(&self, tile: u64) -> bool {
        let region = self.fold.tiles.region(&self.fold.tiles.index(tile));
        self.outputs().all(|output| is_written(&output.destination, &output.pieces, &region, self.run.sink))
    }

    fn begin_tile(&self, number: u64) -> Result<()> {
        let region = self.fold.tiles.region(&self.fold.tiles.index(number));
        let mut lease = self.run.executor.budget.lease(self.run.crew.need.tile, "a tile of the output")?;
        let mut blocks = Vec::new();
        for output in self.outputs() {
            let bytes = region.shape.bytes(output.stored.size())?;
            blocks.push(Block::new(bytes, lease.split(bytes as u64)));
        }
        let columns_left = self.fold.columns.kept().overlapping(&region).count() as u64;
        let state = Mutex::new(TileState { blocks, columns_left });
        lock(&self.tiles).insert(number, Arc::new(Tile { region, state }));
        Ok(())
    }

    fn step(&self, task: Task, worker: &mut Worker<'a>) -> Result<()> {
        let Task { tile, column, run, mut state } = task;
        let number = self.fold.columns.kept().number(&column);
        let cells = self.cells(&column)?;
        let mut rest = state.bytes_mut();
        for part in &self.fold.parts {
            let state = state_of(part, cells, &mut rest);
            part.reducer.init(state, cells);
            if let Some(slot) = part.earlier {
                self.take_earlier(slot, &column, part.reducer.earlier(state, cells));
            }
        }
        self.fold_run(&column, run, state.bytes_mut(), cells, worker)?;
        if let Some(state) = self.merge(number, run, state, cells)? {
            self.finish(tile, &column, cells, &state, worker)?;
        }
        Ok(())
    }

    /// The results of the pass before for the cells of a column.
    fn take_earlier(&self, slot: usize, column: &ChunkIndex, out: &mut [u8]) {
        let (values, shape) = (self.run.finished.values(slot), self.run.finished.shape(slot));
        let cells = self.fold.columns.kept().region(column);
        let last = cells.start.len();
        let part = cells.with_new_axis(last, 0, shape[last]);
        extract(values, shape, &part.start, out, &part.shape, size_of::<u64>());
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
        worker: &mut Worker<'a>,
    ) -> Result<()> {
        let grid = self.fold.input.grid();
        let chunk_bytes = self.run.crew.need.chunk as usize;
        let mut batch: Vec<Region> = Vec::with_capacity(self.run.crew.batch);
        let mut chunks = self.fold.columns.run(column, run);
        loop {
            batch.clear();
            for out in worker.chunks.bytes_mut().chunks_exact_mut(chunk_bytes.max(1)).take(self.run.crew.batch) {
                let Some(chunk) = chunks.next() else { break };
                self.outcome.check()?;
                let region = grid.region(&chunk);
                match (&self.fold.input, &mut worker.evaluator) {
                    (Input::Stored(source), _) => {
                        read(source.as_ref(), &chunk, &mut worker.scratch, &mut out[..source.chunk_bytes()])?;
                        self.tell(chunk_bytes);
                    }
                    (Input::Computed(_), Some(evaluator)) => {
                        for (root, part) in self.roots(&region).enumerate() {
                            evaluator.evaluate(root, &region, &mut out[part], &mut worker.scratch)?;
                        }
                    }
                    (Input::Computed(_), None) => unreachable!("workers on expressions have an evaluator"),
                }
                batch.push(region);
            }
            if batch.is_empty() {
                return Ok(());
            }
            self.push(&batch, &worker.chunks, chunk_bytes, state, cells, &mut worker.segment)
                .map_err(|e| self.located(e))?;
        }
    }

    fn located(&self, error: crate::error::Error) -> crate::error::Error {
        match &self.fold.input {
            Input::Stored(source) => {
                let origin = source.origin();
                error.in_variable(&origin.variable).in_file(origin.file)
            }
            Input::Computed(_) => error,
        }
    }

    /// Where in a block's bytes the values of each array lie.
    fn roots(&self, region: &Region) -> impl Iterator<Item = std::ops::Range<usize>> + use<'a> {
        let whole = self.fold.input.grid().chunk().iter().product::<u64>();
        let cells = region.shape.iter().product::<u64>() as usize;
        let mut at = 0;
        let roots: &'a [_] = match &self.fold.input {
            Input::Stored(_) => &[],
            Input::Computed(computed) => &computed.roots,
        };
        roots.iter().map(move |root| {
            let from = at;
            at += padded(whole * root.dtype.size() as u64) as usize;
            from..from + cells * root.dtype.size()
        })
    }

    /// Folds chunks that lie one behind the other in `data`. Those that are cut at an edge have other shapes than
    /// their neighbours, and are folded on their own.
    fn push(
        &self,
        places: &[Region],
        data: &Block,
        chunk_bytes: usize,
        state: &mut [u8],
        cells: usize,
        segment: &mut Segment,
    ) -> Result<()> {
        let mut from = 0;
        while from < places.len() {
            let alike = places[from..].iter().take_while(|p| p.shape == places[from].shape).count();
            let dims = self.dims(&places[from]);
            let mut rest = &mut *state;
            for part in &self.fold.parts {
                let state = state_of(part, cells, &mut rest);
                let within = match &self.fold.input {
                    Input::Stored(_) => 0..chunk_bytes,
                    Input::Computed(_) => self.roots(&places[from]).nth(part.root).unwrap_or_default(),
                };
                let views: Vec<ChunkView> = (from..from + alike)
                    .map(|k| ChunkView {
                        bytes: &data.bytes()[k * chunk_bytes..(k + 1) * chunk_bytes][within.clone()],
                        dims: &dims,
                        first_index: self.first_index(&places[k]),
                    })
                    .collect();
                part.reducer.push(&part.decode, state, cells, &views, segment)?;
            }
            from += alike;
        }
        Ok(())
    }

    /// How the elements of a chunk lie, slowest first, and where each goes.
    fn dims(&self, place: &Region) -> Vec<ViewDim> {
        let (grid, reduced) = (self.fold.input.grid(), self.fold.columns.reduced());
        let in_order: Vec<usize>;
        // A stored chunk is whole even at the edge; a computed one is as large as what it holds.
        let (axes, whole) = match &self.fold.input {
            Input::Stored(source) => (&source.layout().axes, grid.chunk()),
            Input::Computed(_) => {
                in_order = (0..reduced.len()).collect();
                (&in_order, &place.shape)
            }
        };
        let cell_strides = strides_of(&place.shape, |axis| !reduced[axis]);
        let index_strides = strides_of(grid.shape(), |axis| reduced[axis]);
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
        let strides = strides_of(self.fold.input.grid().shape(), |axis| reduced[axis]);
        (0..reduced.len()).filter(|&axis| reduced[axis]).map(|axis| place.start[axis] * strides[axis]).sum()
    }

    fn tell(&self, chunk_bytes: usize) {
        let Input::Stored(source) = &self.fold.input else { return };
        self.run.executor.observer.on(&Event::Chunk {
            stored: Bytes(source.stored_bytes() / source.grid().chunks().max(1)),
            decoded: Bytes(chunk_bytes as u64),
            held: self.run.executor.budget.held(),
        });
    }

    /// Adds a run's state to its column in the order of runs. Gives the column's state with its last run.
    fn merge(&self, number: u64, run: u64, state: Block, cells: usize) -> Result<Option<Block>> {
        let runs = self.fold.columns.runs();
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
                    let (mut into, mut from) = (merged.bytes_mut(), state.bytes());
                    for part in &self.fold.parts {
                        let into = state_of(part, cells, &mut into);
                        part.reducer.merge(into, shared_state_of(part, cells, &mut from), cells)?;
                    }
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
    fn finish(
        &self,
        number: u64,
        column: &ChunkIndex,
        cells: usize,
        state: &Block,
        worker: &mut Worker<'a>,
    ) -> Result<()> {
        let Some(tile) = lock(&self.tiles).get(&number).cloned() else { return self.outcome.check() };
        let place_of = self.fold.columns.kept().region(column);
        let per_cell = self.fold.columns.per_cell();
        let (values, converted) = worker.result.bytes_mut().split_at_mut(8 * cells.max(1));
        let mut guard = lock(&tile.state);
        let mut rest = state.bytes();
        let mut blocks = guard.blocks.iter_mut();
        for part in &self.fold.parts {
            let state = shared_state_of(part, cells, &mut rest);
            for (output, block) in part.outputs.iter().zip(&mut blocks) {
                let out = &mut values[..cells * output.dtype.size()];
                part.reducer.finish(output, state, cells, per_cell, out).map_err(|e| self.located(e))?;
                let out = store_as(out, output.dtype, output.stored, converted, cells);
                let at: Vec<u64> = place_of.start.iter().zip(&tile.region.start).map(|(p, t)| p - t).collect();
                place(out, &place_of.shape, block.bytes_mut(), &tile.region.shape, &at, output.stored.size());
            }
        }
        drop(blocks);
        guard.columns_left -= 1;
        if guard.columns_left > 0 {
            return Ok(());
        }
        lock(&self.tiles).remove(&number);
        for (output, block) in self.outputs().zip(&guard.blocks) {
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
