use super::{Copy, Fold, Output, Plan, Stage};
use crate::{
    codec::ScratchSize,
    error::{Error, Result},
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
    /// Bytes of one decoded chunk, which each worker holds too.
    pub chunk: u64,
    /// Bytes beside the decoded chunk that each worker holds.
    pub result: u64,
    /// Held by each run: the state of one column.
    pub state: u64,
    /// Held by each tile of the output until it is written.
    pub tile: u64,
    /// How many states one worker alone must hold: its own, and the column's.
    pub states: u64,
}

impl Need {
    /// What each worker holds while it has `batch` chunks in hand.
    pub fn per_worker(&self, batch: u64) -> u64 {
        // Saturating: a broken file can declare chunks of any size, and must then be told that they do not fit.
        self.chunk.saturating_mul(batch).saturating_add(self.worker.bytes()).saturating_add(self.result)
    }

    /// The least in which the stage can run: one worker, one chunk at a time.
    pub fn least(&self) -> u64 {
        self.state.saturating_mul(self.states).saturating_add(self.per_worker(1)).saturating_add(self.tile)
    }

    /// What `workers` hold with `batch` chunks each when none of them waits for another.
    pub fn with(&self, workers: u64, batch: u64) -> u64 {
        let each = self.per_worker(batch).saturating_add(self.state);
        let shared = self.state.saturating_mul(self.states - 1).saturating_add(self.tile);
        workers.saturating_mul(each).saturating_add(shared)
    }
}

impl Stage {
    /// What it reads and writes.
    pub fn cost(&self) -> Cost {
        let source = match self {
            Stage::Fold(fold) => &fold.source,
            Stage::Copy(copy) => &copy.source,
        };
        let written = match self {
            Stage::Fold(fold) => fold.written(),
            Stage::Copy(copy) => copy.source.meta().decoded_bytes().unwrap_or(0),
        };
        let decoded = source.meta().decoded_bytes().unwrap_or(0);
        Cost { stored: source.stored_bytes(), decoded, written, chunks: source.grid().chunks() }
    }

    /// The memory it asks for, when its sink asks for `sink`.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn need(&self, sink: ScratchSize) -> Result<Need> {
        match self {
            Stage::Fold(fold) => fold.need(sink),
            Stage::Copy(copy) => copy.need(sink),
        }
    }

    /// The variable that is read.
    pub fn source(&self) -> &dyn crate::source::Source {
        match self {
            Stage::Fold(fold) => fold.source.as_ref(),
            Stage::Copy(copy) => copy.source.as_ref(),
        }
    }
}

impl Fold {
    fn written(&self) -> u64 {
        let cells = self.columns.kept().shape().elements().unwrap_or(0);
        self.outputs.iter().map(|o| cells.saturating_mul(o.stored.size() as u64)).sum()
    }

    fn need(&self, sink: ScratchSize) -> Result<Need> {
        let cells = self.columns.cells();
        if cells as u64 > CELLS_MAX {
            return Err(Error::corrupt("chunk shape", format!("{} cells in one block of the output", cells)));
        }
        let tile_cells = self.tiles.region(&vec![0; self.tiles.shape().len()]).shape.elements()?;
        let of_cells = |o: &Output| tile_cells.saturating_mul(o.stored.size() as u64);
        let tile = self.outputs.iter().map(of_cells).fold(0, u64::saturating_add);
        // Converting and cutting a result takes a column's cells twice, at eight bytes at most.
        let pieces = self.outputs.iter().map(|o| o.pieces.chunk().elements().unwrap_or(0).min(tile_cells)).max();
        let result = 16 * (cells as u64).max(1) + pieces.unwrap_or(0).saturating_mul(8);
        Ok(Need {
            worker: self.source.scratch().max(sink),
            chunk: self.source.chunk_bytes() as u64,
            result: result.saturating_add(SEGMENT_BYTES),
            state: self.folds.state_bytes(cells) as u64,
            tile,
            states: if self.columns.runs() > 1 { 2 } else { 1 },
        })
    }
}

impl Copy {
    fn need(&self, sink: ScratchSize) -> Result<Need> {
        let element = self.source.meta().stored.element_bytes().unwrap_or(1) as u64;
        let piece = self.pieces.chunk().elements()?.saturating_mul(element);
        let chunk = self.source.chunk_bytes() as u64;
        Ok(Need {
            worker: self.source.scratch().max(sink),
            chunk,
            result: piece.saturating_add(chunk),
            state: 0,
            tile: 0,
            states: 1,
        })
    }
}

impl Plan {
    /// What it reads and writes in all.
    pub fn cost(&self) -> Cost {
        self.stages.iter().map(Stage::cost).fold(Cost::default(), |a, b| Cost {
            stored: a.stored + b.stored,
            decoded: a.decoded + b.decoded,
            written: a.written + b.written,
            chunks: a.chunks + b.chunks,
        })
    }

    /// The least memory in which its largest stage can run, and which variable that is.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn least(&self, sink: Option<&dyn Sink>) -> Result<Option<(Bytes, &str)>> {
        let mut most = None;
        for stage in &self.stages {
            let least = Bytes(stage.need(stage.sink_scratch(sink)?)?.least());
            if most.is_none_or(|(bytes, _)| least > bytes) {
                most = Some((least, stage.source().meta().path.as_str()));
            }
        }
        Ok(most)
    }
}

impl Stage {
    /// The space that writing its results takes; without a sink, none.
    ///
    /// # Errors
    /// When the sink does not have the variable.
    pub fn sink_scratch(&self, sink: Option<&dyn Sink>) -> Result<ScratchSize> {
        let Some(sink) = sink else { return Ok(ScratchSize::default()) };
        match self {
            Stage::Copy(copy) => sink.scratch(&copy.variable),
            Stage::Fold(fold) => {
                fold.outputs.iter().try_fold(ScratchSize::default(), |most, o| Ok(most.max(sink.scratch(&o.variable)?)))
            }
        }
    }
}

/// More cells than any machine holds states for; below it no product overflows.
const CELLS_MAX: u64 = 1 << 48;

/// One worker's cache-sized buffer of decoded values, generously.
const SEGMENT_BYTES: u64 = 64 << 10;
