use super::{Destination, Fold, Input, Map, Narrowing, Open, Output, Plan, Runs, Sought, Spilled, Stage};
use crate::{
    codec::ScratchSize,
    error::{Error, Result},
    grid::Grid,
    kernels::lanes::Staged,
    source::Sink,
    units::Bytes,
};
/// What a plan reads and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Bytes taken from the store.
    pub stored: u64,
    /// Bytes of elements that they decode to.
    pub decoded: u64,
    /// Bytes of elements written.
    pub written: u64,
    /// Chunks read.
    pub chunks: u64,
}

/// The memory that a stage asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    /// Held by each worker from beginning to end: codec scratch and the chunks in hand.
    pub worker: ScratchSize,
    /// Held by each worker too: chunks that expressions read, and room to compute them in.
    pub work: u64,
    /// Bytes of one decoded chunk or computed block, which each worker holds too.
    pub chunk: u64,
    /// The scratch that each chunk in hand but the first takes as well, where chunks are read together.
    pub beside: Option<ScratchSize>,
    /// Bytes beside the decoded chunk that each worker holds.
    pub result: u64,
    /// Held by each run: the states of the groups that it has values of; without groups, one state.
    pub state: u64,
    /// The most that the states of a run and of the column that it is merged into take together.
    pub column: u64,
    /// Held by each tile of the output until it is written.
    pub tile: u64,
}

impl Need {
    /// What each worker holds while it has `batch` chunks in hand.
    pub fn per_worker(&self, batch: u64) -> u64 {
        // Saturating: a broken file can declare chunks of any size, and must then be told that they do not fit.
        let own = self.scratch(batch).bytes().saturating_add(self.work).saturating_add(self.result);
        self.chunk.saturating_mul(batch).saturating_add(own)
    }

    /// The scratch of each worker then.
    pub fn scratch(&self, batch: u64) -> ScratchSize {
        let (worker, beside) = (self.worker, self.beside.unwrap_or_default());
        let more = |one: usize, each: usize| one.saturating_add(each.saturating_mul(batch.saturating_sub(1) as usize));
        ScratchSize { stored: more(worker.stored, beside.stored), work: more(worker.work, beside.work), ..worker }
    }

    /// The least in which the stage can run: one worker, one chunk at a time.
    ///
    /// It is enough whatever the number of threads. Tasks take their memory in order, and who has a task ends it with
    /// what it holds: to merge, the states of a run go over to its column as they are, or are added to those that are
    /// there and freed. So while a task waits, those before it end. Then the tiles before its own are written, the
    /// columns before its own are finished, and of its own column there are only the states that a later run adds to,
    /// which `column` counts beside the run's.
    pub fn least(&self) -> u64 {
        self.column.saturating_add(self.per_worker(1)).saturating_add(self.tile)
    }

    /// What `workers` hold with `batch` chunks each when none of them waits for another.
    pub fn with(&self, workers: u64, batch: u64) -> u64 {
        let each = self.per_worker(batch).saturating_add(self.state);
        let shared = self.column.saturating_sub(self.state).saturating_add(self.tile);
        workers.saturating_mul(each).saturating_add(shared)
    }
}

impl Input {
    /// The space that reading needs.
    fn scratch(&self) -> ScratchSize {
        self.sources().iter().fold(ScratchSize::default(), |most, source| most.max(source.scratch()))
    }

    /// Bytes of one chunk as stored, or of one block of all arrays computed.
    fn block_bytes(&self) -> u64 {
        match self {
            Input::Stored(source) => source.chunk_bytes() as u64,
            Input::Computed(computed) => {
                let cells = computed.grid.chunk().elements().unwrap_or(u64::MAX);
                let each = computed.roots.iter().map(|r| super::padded(cells.saturating_mul(r.dtype.size() as u64)));
                each.fold(0, u64::saturating_add)
            }
        }
    }

    /// The space that each chunk but the first needs as well, where several are read together.
    fn scratch_beside(&self, as_planes: bool) -> Option<ScratchSize> {
        match self {
            Input::Stored(source) => source.scratch_beside(as_planes),
            Input::Computed(_) => None,
        }
    }

    /// Room to compute regions of this shape.
    fn work_bytes(&self, region: &[u64]) -> u64 {
        match self {
            Input::Stored(_) => 0,
            Input::Computed(computed) => computed.work_bytes(region).saturating_add(computed.kept_bytes()),
        }
    }

    /// What it is, for errors and plans.
    pub fn name(&self) -> String {
        let sources = self.sources();
        sources.first().map_or_else(|| "the expression".to_string(), |s| s.meta().path.clone())
    }
}

impl Stage {
    /// What it reads and writes; where it may go through its input more often than it has to, at least.
    pub fn cost(&self) -> Cost {
        let written = match self {
            Stage::Fold(fold) => fold.written(),
            Stage::Map(map) => map.written(),
            Stage::Narrow(_) => 0,
        };
        let mut cost = Cost { written, ..Cost::default() };
        for source in self.input().sources().into_iter().filter(|s| !s.is_spilled()) {
            cost.stored = cost.stored.saturating_add(source.stored_bytes());
            cost.decoded = cost.decoded.saturating_add(source.meta().decoded_bytes().unwrap_or(0));
            cost.chunks = cost.chunks.saturating_add(source.grid().chunks());
        }
        let times = |n: u64| n.saturating_mul(self.passes().0);
        (cost.stored, cost.decoded, cost.chunks) = (times(cost.stored), times(cost.decoded), times(cost.chunks));
        if let Stage::Fold(fold) = self
            && let Some(grouping) = &fold.grouping
        {
            // What is in no group is not read, and what several passes need is read by each.
            let (all, read) = (fold.columns.chunks().max(1), grouping.reads());
            let part = |n: u64| (u128::from(n) * u128::from(read) / u128::from(all)).min(u64::MAX.into()) as u64;
            (cost.stored, cost.decoded, cost.chunks) = (part(cost.stored), part(cost.decoded), part(cost.chunks));
        }
        cost
    }

    /// The memory it asks for; without a sink, none to write there.
    ///
    /// # Errors
    /// When sizes overflow, or the sink does not have a variable.
    pub fn need(&self, sink: Option<&dyn Sink>) -> Result<Need> {
        let scratch = self.sink_scratch(sink)?;
        match self {
            Stage::Fold(fold) => fold.need(scratch),
            Stage::Map(map) => map.need(scratch),
            Stage::Narrow(narrowing) => narrowing.need(),
        }
    }

    /// The space that writing its results takes.
    fn sink_scratch(&self, sink: Option<&dyn Sink>) -> Result<ScratchSize> {
        self.destinations().into_iter().try_fold(ScratchSize::default(), |most, destination| match destination {
            Destination::Sink { variable, .. } => match sink {
                Some(sink) => Ok(most.max(sink.scratch(variable)?)),
                None => Ok(most),
            },
            Destination::Held(_) => Ok(most),
            Destination::Spill(spilled) => Ok(most.max(spilled.put_scratch())),
        })
    }
}

impl Fold {
    fn written(&self) -> u64 {
        let cells = self.tiles.shape().elements().unwrap_or(0);
        let sunk = self.outputs().filter(|o| matches!(o.destination, Destination::Sink { .. }));
        sunk.map(|o| cells.saturating_mul(o.stored.size() as u64)).sum()
    }

    /// Whether each element is read once, so that putting shuffled ones together is left to that.
    pub fn reads_once(&self) -> bool {
        self.parts.len() == 1
    }

    /// Bytes of the states of all parts for one group of a column of so many cells.
    pub fn state_bytes(&self, cells: usize) -> usize {
        self.parts.iter().map(|p| super::padded(p.reducer.state_bytes(cells) as u64) as usize).sum()
    }

    pub(super) fn need(&self, sink: ScratchSize) -> Result<Need> {
        let cells = self.columns.cells();
        if cells as u64 > CELLS_MAX {
            return Err(Error::corrupt("chunk shape", format!("{} cells in one block of the output", cells)));
        }
        let tile_cells = self.tiles.region(&vec![0; self.tiles.shape().len()]).shape.elements()?;
        let of_cells = |o: &Output| tile_cells.saturating_mul(o.stored.size() as u64);
        let tile = self.outputs().map(of_cells).fold(0, u64::saturating_add);
        // Converting and cutting a result takes a column's cells twice, at eight bytes at most.
        let pieces = self.outputs().map(|o| o.pieces.chunk().elements().unwrap_or(0).min(tile_cells)).max();
        let result = 16 * (cells as u64).max(1) + pieces.unwrap_or(0).saturating_mul(8);
        let slots = match &self.grouping {
            Some(grouping) => grouping.open(),
            None if self.columns.runs() > 1 => Open { run: 1, column: 2 },
            None => Open { run: 1, column: 1 },
        };
        let state = self.state_bytes(cells) as u64;
        Ok(Need {
            worker: self.input.scratch().max(sink),
            work: self.input.work_bytes(self.input.grid().chunk()),
            chunk: self.input.block_bytes(),
            beside: self.input.scratch_beside(self.reads_once()),
            result: result.saturating_add(SEGMENT_BYTES),
            state: state.saturating_mul(slots.run),
            column: state.saturating_mul(slots.column),
            tile,
        })
    }
}

/// Bytes of the buffers of one worker on a [`Map`]; 0 for those that are not needed.
pub struct Buffers {
    /// The block that is computed.
    pub block: u64,
    /// The tile of each array that blocks are put into.
    pub tiles: Vec<u64>,
    /// A tile in the type that is stored.
    pub converted: u64,
    /// The piece that is cut out.
    pub cut: u64,
}

impl Map {
    fn written(&self) -> u64 {
        let sunk = self.outputs.iter().filter(|o| matches!(o.destination, Destination::Sink { .. }));
        sunk.map(|o| o.pieces.shape().bytes(o.stored.size()).map_or(0, |n| n as u64)).fold(0, u64::saturating_add)
    }

    /// The buffers of one worker.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn buffers(&self) -> Result<Buffers> {
        let cells = |grid: &Grid| grid.region(&vec![0; grid.shape().len()]).shape.elements();
        let (tile, block) = (cells(&self.tiles)?, self.input.grid().chunk().elements()?);
        let is_whole = matches!(self.input, Input::Computed(_)) && self.tiles.chunk() == self.input.grid().chunk();
        let mut buffers = Buffers { block: 0, tiles: Vec::new(), converted: 0, cut: 0 };
        for Output { destination, pieces, dtype, stored, .. } in &self.outputs {
            let (element, stored_element) = (dtype.size() as u64, stored.size() as u64);
            let cut = match destination {
                Destination::Spill(spilled) => spilled.cut_bytes() as u64,
                _ if self.tiles.chunk() == pieces.chunk() => 0,
                _ => cells(pieces)? * stored_element,
            };
            let converted = if stored == dtype { 0 } else { tile * stored_element };
            buffers.block = buffers.block.max(super::padded(if is_whole { 0 } else { block * element }));
            buffers.tiles.push(super::padded(tile * element));
            buffers.converted = buffers.converted.max(super::padded(converted));
            buffers.cut = buffers.cut.max(super::padded(cut));
        }
        Ok(buffers)
    }

    /// The largest region that is computed at once.
    pub fn region(&self) -> Vec<u64> {
        self.tiles.chunk().iter().zip(self.input.grid().chunk().iter()).map(|(t, b)| *t.min(b)).collect()
    }

    /// The tiles in order, for so many workers.
    pub fn runs(&self, workers: usize) -> Runs<'_> {
        Runs::new(&self.tiles, self.stream, workers)
    }

    pub(super) fn need(&self, sink: ScratchSize) -> Result<Need> {
        let region = self.region();
        let raw = match &self.input {
            Input::Stored(source) => source.chunk_bytes() as u64,
            Input::Computed(_) => 0,
        };
        let Buffers { block, tiles, converted, cut } = self.buffers()?;
        let tiles = tiles.into_iter().fold(0, u64::saturating_add);
        Ok(Need {
            worker: self.input.scratch().max(sink),
            work: self.input.work_bytes(&region),
            chunk: raw,
            beside: self.input.scratch_beside(false),
            result: [block, tiles, converted, cut].into_iter().fold(0, u64::saturating_add),
            state: 0,
            column: 0,
            tile: 0,
        })
    }
}

impl Narrowing {
    /// Bytes of the counts that a worker keeps, and of the keys that all collect.
    pub fn room_bytes(&self) -> [u64; 2] {
        let keys = (self.room.keys as u64).saturating_mul(self.narrow.key_bytes() as u64);
        [(self.room.bins as u64).saturating_mul(8), keys].map(super::padded)
    }

    /// Bytes of the slab that each lane is written in, where lanes are put in order.
    pub fn slab_bytes(&self) -> u64 {
        self.spilled().map_or(0, |(spilled, r)| spilled.slabs().chunk()[r.axis].saturating_mul(r.dtype.size() as u64))
    }

    /// Where lanes go that are put in order.
    pub fn spilled(&self) -> Option<(&Spilled, &Sought)> {
        self.results.iter().find_map(|result| match &result.destination {
            Destination::Spill(spilled) => Some((&**spilled, result)),
            _ => None,
        })
    }

    fn need(&self) -> Result<Need> {
        let [counts, keys] = self.room_bytes();
        let cells = self.columns.kept().shape().elements()?;
        let slabs = self.spilled().map_or(0, |(spilled, _)| {
            let each = cells.saturating_mul(self.slab_bytes());
            each.saturating_add(spilled.cut_bytes() as u64).saturating_add(spilled.put_scratch().bytes())
        });
        Ok(Need {
            worker: self.input.scratch(),
            work: self.input.work_bytes(self.input.grid().chunk()),
            chunk: self.input.block_bytes(),
            beside: None,
            result: counts.saturating_add(SEGMENT_BYTES + Staged::BYTES as u64),
            state: 0,
            column: 0,
            // Beside the counts of all workers and the keys, what is known of each cell.
            tile: counts.saturating_add(keys).saturating_add(cells.saturating_mul(CELL_BYTES)).saturating_add(slabs),
        })
    }
}

impl Plan {
    /// What it reads and writes in all.
    pub fn cost(&self) -> Cost {
        self.stages.iter().map(Stage::cost).fold(Cost::default(), |a, b| Cost {
            stored: a.stored.saturating_add(b.stored),
            decoded: a.decoded.saturating_add(b.decoded),
            written: a.written.saturating_add(b.written),
            chunks: a.chunks.saturating_add(b.chunks),
        })
    }

    /// Whether two workers have the memory for every stage, beside what sinks ask for.
    ///
    /// # Errors
    /// When sizes overflow.
    pub(super) fn fits(&self, limit: Bytes) -> Result<bool> {
        for (n, stage) in self.stages.iter().enumerate() {
            if stage.need(None)?.with(2, 1).saturating_add(self.held_during(n)) > limit.0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is held for other stages while stage `n` runs, its own results included.
    pub fn held_during(&self, n: usize) -> u64 {
        let made = |slot: usize| {
            let is = |d: &&Destination| d.slot() == Some(slot);
            self.stages.iter().position(|s| s.destinations().iter().any(is)).unwrap_or(usize::MAX)
        };
        let alive = self.held.iter().enumerate().filter(|(slot, held)| made(*slot) <= n && held.until >= n);
        let spills = self.spills.iter().filter(|spill| spill.from <= n && spill.until >= n);
        alive
            .map(|(_, held)| held.bytes())
            .chain(spills.map(|spill| spill.spilled.memory()))
            .fold(0, u64::saturating_add)
    }

    /// The least memory in which its largest stage can run, and what that stage reads.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn least(&self, sink: Option<&dyn Sink>) -> Result<Option<(Bytes, String)>> {
        let mut most = None;
        for (n, stage) in self.stages.iter().enumerate() {
            let least = stage.need(sink)?.least().saturating_add(self.held_during(n));
            if most.as_ref().is_none_or(|(bytes, _)| Bytes(least) > *bytes) {
                most = Some((Bytes(least), stage.input().name()));
            }
        }
        Ok(most)
    }
}

/// More cells than any machine holds states for; below it no product overflows.
const CELLS_MAX: u64 = 1 << 48;

/// What is known of a cell whose statistics are looked for, about.
const CELL_BYTES: u64 = 1 << 10;

/// One worker's cache-sized buffer of decoded values, generously.
const SEGMENT_BYTES: u64 = 64 << 10;
