//! Plans are data: what will be read, in which order, computed and folded into what, and what it costs. Nothing runs
//! here.
//!
//! A [`Plan`] is a list of [`Stage`]s, each one pass, but for [`Narrowing`]s. A [`Map`] computes arrays block by block; a [`Fold`] computes
//! arrays block by block and reduces them as it goes, walking the blocks in *columns* (see [`Columns`], and
//! [`Grouping`] for those by groups). Results go to the sink, or are held for later stages: `t - mean(t, time)` is a fold whose result is held, and a map.

mod columns;
mod compile;
mod cost;
mod effort;
mod explain;
mod fold;
mod formula;
mod grouping;
mod identity;
mod lower;
mod narrow;
mod reblock;
mod stream;
mod tiles;
mod together;

pub use columns::{Columns, RUNS};
pub use cost::{Buffers, Cost, Need};
pub use explain::explain;
pub use formula::{
    Computed, Extent, Form, Formula, Kernel, Leaf, Meaning, Operand, Place, Program, Read, Reduced, SEGMENT_BYTES,
    Step, Values, input_block, padded,
};
pub use grouping::{Grouping, Open, Within};
pub use identity::Identities;
pub use lower::{Target, lower, lower_within};
pub use stream::{Runs, Stream};

use crate::{
    array::LazyArray,
    dtype::{ByteOrder, DType},
    error::Result,
    grid::Grid,
    kernels::{
        decode::{Decode, Segment},
        fold::{ChunkView, Folds, Op, Reducer},
        lanes::{Narrow, Room},
    },
    shape::Shape,
    source::Source,
    spill::Spilled,
};
use std::sync::Arc;

/// What will be done, in order.
pub struct Plan {
    /// One pass each, but for those that narrow down.
    pub stages: Vec<Stage>,
    /// Results that stages leave for later ones.
    pub held: Vec<Held>,
    /// What is cut anew between two stages.
    pub spills: Vec<Spill>,
}

/// An array that is written by one stage in some blocks and read by later ones in others.
pub struct Spill {
    /// The array.
    pub spilled: Arc<Spilled>,
    /// How often what it is made of would be read, or computed, without.
    pub instead: f64,
    /// The stage that writes it.
    pub from: usize,
    /// The last one that reads it.
    pub until: usize,
}

/// A result in memory between two stages.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// What it is, in words.
    pub name: String,
    /// The type of its values.
    pub dtype: DType,
    /// Its shape.
    pub shape: Shape,
    /// The last stage that reads it; its memory is free after that.
    pub until: usize,
}

impl Held {
    /// The memory that it takes.
    pub fn bytes(&self) -> u64 {
        self.shape.bytes(self.dtype.size()).map_or(u64::MAX, |n| n as u64)
    }
}

/// One step of a plan.
pub enum Stage {
    /// Compute, and reduce along axes.
    Fold(Box<Fold>),
    /// Compute, and write.
    Map(Box<Map>),
    /// Compute, and look for values by their order, several times over.
    Narrow(Box<Narrowing>),
}

/// What a stage goes through, block by block.
pub enum Input {
    /// The chunks of a variable, as stored.
    Stored(Arc<dyn Source>),
    /// The blocks of expressions.
    Computed(Computed),
}

/// Reduces arrays along some axes, by several operations at once.
pub struct Fold {
    /// What is reduced.
    pub input: Input,
    /// The reductions.
    pub parts: Vec<Part>,
    /// Which blocks make which block of the output.
    pub columns: Columns,
    /// Which of them have values of which group; `None` where all values are of one.
    pub grouping: Option<Grouping>,
    /// The blocks of the output that are written at once.
    pub tiles: Grid,
}

/// Reductions of one array that share accumulators.
pub struct Part {
    /// Which of the input's arrays.
    pub root: usize,
    /// What the input's bytes mean.
    pub decode: Decode,
    /// The reductions.
    pub reducer: Reducers,
    /// Where each result goes.
    pub outputs: Vec<Output>,
}

impl Part {
    /// Whether a result of it says where values are.
    pub fn gives_positions(&self) -> bool {
        self.outputs.iter().any(|output| matches!(output.op, Some(Op::ArgMin | Op::ArgMax)))
    }
}

/// The operations of a [`Part`].
#[derive(Clone)]
pub enum Reducers {
    /// The built-in ones.
    Folds(Folds),
    /// A user's.
    Custom(Arc<dyn Reducer>),
}

/// Where one result goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The operation; `None` for a user's fold, and where nothing is folded.
    pub op: Option<Op>,
    /// Where it goes.
    pub destination: Destination,
    /// The pieces that the destination takes, over the axes of the result.
    pub pieces: Grid,
    /// The type that is computed.
    pub dtype: DType,
    /// The type it is stored in, where that is not the operation's own.
    pub stored: DType,
}

/// Where a result goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Destination {
    /// To a variable of the sink.
    Sink {
        /// Its path.
        variable: String,
        /// For each of its axes, whether it is a reduced one that is kept with length 1.
        ones: Vec<bool>,
    },
    /// To later stages, under this number.
    Held(usize),
    /// To later stages, cut anew.
    Spill(Arc<Spilled>),
}

impl Output {
    /// That of an array that is not folded, in its own type.
    fn plain(destination: Destination, pieces: Grid, dtype: DType) -> Output {
        Output { op: None, destination, pieces, dtype, stored: dtype }
    }
}

impl Destination {
    /// The number under which later stages find the result.
    pub fn slot(&self) -> Option<usize> {
        match self {
            Destination::Held(slot) => Some(*slot),
            Destination::Sink { .. } | Destination::Spill(_) => None,
        }
    }
}

/// Computes arrays of one shape, and writes them.
pub struct Map {
    /// What is computed.
    pub input: Input,
    /// Where each array of it goes, in order.
    pub outputs: Vec<Output>,
    /// What one worker computes before it writes.
    pub tiles: Grid,
    /// The axis along which one worker goes from tile to tile, if it should.
    pub stream: Option<Stream>,
}

/// Finds order statistics of lanes that do not fit in memory: several of them, of the same lanes, in the same passes. Or
/// puts such lanes in order, and gives the values or their places; two of them, one after the other, give ranks.
pub struct Narrowing {
    /// What has the lanes: one array.
    pub input: Input,
    /// What the input's bytes mean.
    pub decode: Decode,
    /// Which blocks have values of which lanes. These are the axes that stay.
    pub columns: Columns,
    /// What is looked for.
    pub narrow: Narrow,
    /// The memory for that.
    pub room: Room,
    /// Where each statistic goes.
    pub results: Vec<Sought>,
}

/// Where a statistic goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sought {
    /// To later stages.
    pub destination: Destination,
    /// The axis that the results of a lane lie along, beside those that stay.
    pub axis: usize,
    /// How many there are.
    pub len: u64,
    /// Their type.
    pub dtype: DType,
}

impl Input {
    /// The blocks.
    pub fn grid(&self) -> &Grid {
        match self {
            Input::Stored(source) => source.grid(),
            Input::Computed(computed) => &computed.grid,
        }
    }

    /// The sources that are read.
    pub fn sources(&self) -> Vec<&Arc<dyn Source>> {
        match self {
            Input::Stored(source) => vec![source],
            Input::Computed(computed) => computed.sources.iter().map(|r| &r.source).collect(),
        }
    }

    /// What the bytes of `array` mean in it.
    fn decode_of(&self, array: &LazyArray) -> Decode {
        match self {
            Input::Stored(_) => array.meaning(),
            Input::Computed(_) => Decode::plain(array.dtype(), ByteOrder::NATIVE),
        }
    }

    /// The results of earlier stages that are read.
    fn held(&self) -> Vec<usize> {
        fn walk(formula: &Formula, out: &mut Vec<usize>) {
            if let Form::Program(program) = &formula.form {
                out.extend(program.operands.iter().filter_map(|o| match o.leaf {
                    Leaf::Held(slot) => Some(slot),
                    _ => None,
                }));
            }
            formula.inputs().into_iter().for_each(|f| walk(f, out));
        }
        let mut out = Vec::new();
        if let Input::Computed(computed) = self {
            computed.roots.iter().for_each(|root| walk(root, &mut out));
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}

impl Stage {
    /// What it goes through.
    pub fn input(&self) -> &Input {
        match self {
            Stage::Fold(fold) => &fold.input,
            Stage::Map(map) => &map.input,
            Stage::Narrow(narrowing) => &narrowing.input,
        }
    }

    /// The results of earlier stages that it reads.
    pub fn held(&self) -> Vec<usize> {
        self.input().held()
    }

    /// How often it goes through its input, at least and at most.
    pub fn passes(&self) -> (u64, u64) {
        match self {
            Stage::Fold(_) | Stage::Map(_) => (1, 1),
            Stage::Narrow(narrowing) => narrowing.passes(),
        }
    }

    /// Where its results go.
    pub fn destinations(&self) -> Vec<&Destination> {
        match self {
            Stage::Fold(fold) => fold.outputs().map(|o| &o.destination).collect(),
            Stage::Map(map) => map.outputs.iter().map(|o| &o.destination).collect(),
            Stage::Narrow(narrowing) => narrowing.results.iter().map(|r| &r.destination).collect(),
        }
    }
}

impl Reducers {
    /// Bytes of the state of `cells` cells.
    pub fn state_bytes(&self, cells: usize) -> usize {
        match self {
            Reducers::Folds(folds) => folds.state_bytes(cells),
            Reducers::Custom(reducer) => reducer.state_bytes(cells),
        }
    }

    /// Makes `state` that of no values.
    pub fn init(&self, state: &mut [u8], cells: usize) {
        match self {
            Reducers::Folds(folds) => folds.init(state, cells),
            Reducers::Custom(reducer) => reducer.init(state, cells),
        }
    }

    /// Adds the values of chunks, one after the other.
    ///
    /// # Errors
    /// What a user's fold finds wrong.
    pub fn push(
        &self,
        decode: &Decode,
        state: &mut [u8],
        cells: usize,
        views: &[ChunkView<'_>],
        segment: &mut Segment,
    ) -> Result<()> {
        match self {
            Reducers::Folds(folds) => folds.push(state, cells, views, segment),
            Reducers::Custom(reducer) => reducer.push(state, cells, decode, views, segment),
        }
    }

    /// Adds what `from` has seen, which comes later.
    ///
    /// # Errors
    /// What a user's fold finds wrong.
    pub fn merge(&self, into: &mut [u8], from: &[u8], cells: usize) -> Result<()> {
        match self {
            Reducers::Folds(folds) => folds.merge(into, from, cells),
            Reducers::Custom(reducer) => reducer.merge(into, from, cells),
        }
    }

    /// The results of an operation, as native elements; a user's fold has one.
    ///
    /// # Errors
    /// When an exact result does not fit its type, or there is none for zero integers.
    pub fn finish(&self, op: Option<Op>, state: &[u8], cells: usize, per_cell: u64, out: &mut [u8]) -> Result<()> {
        match (self, op) {
            (Reducers::Folds(folds), Some(op)) => folds.finish(op, state, cells, per_cell, out),
            (Reducers::Custom(reducer), _) => reducer.finish(state, cells, per_cell, out),
            (Reducers::Folds(_), None) => Ok(()),
        }
    }
}
