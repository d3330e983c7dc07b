//! Plans are data: what will be read, in which order, folded into what, and what it costs. Nothing runs here.
//!
//! A [`Plan`] is a list of [`Stage`]s, each over one source in one pass. A fold walks its source in *columns*: all
//! chunks that share a place on the kept axes, and so one block of the output. See [`Columns`].

mod columns;
mod cost;
mod explain;
mod lower;

pub use columns::{Columns, RUNS};
pub use cost::{Cost, Need};
pub use explain::explain;
pub use lower::{Target, lower};

use crate::{
    grid::Grid,
    kernels::{
        decode::Decode,
        fold::{Folds, Op},
    },
    source::Source,
};
use std::sync::Arc;

/// What will be done, in order.
pub struct Plan {
    /// One pass over one source each.
    pub stages: Vec<Stage>,
}

/// One pass over one source.
pub enum Stage {
    /// Read, decode, fold along axes.
    Fold(Box<Fold>),
    /// Read and write as stored.
    Copy(Copy),
}

/// Reduces one source along some axes, by several operations at once.
pub struct Fold {
    /// What is read.
    pub source: Arc<dyn Source>,
    /// What its stored numbers mean.
    pub decode: Decode,
    /// The operations and their shared accumulators.
    pub folds: Folds,
    /// Which chunks make which block of the output.
    pub columns: Columns,
    /// The blocks of the output that are written at once.
    pub tiles: Grid,
    /// Where each operation's result goes.
    pub outputs: Vec<Output>,
}

/// Where one operation's result goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The operation.
    pub op: Op,
    /// The variable in the sink.
    pub variable: String,
    /// The pieces that the sink takes, over the kept axes.
    pub pieces: Grid,
    /// For each axis of the variable in the sink, whether it is a reduced one that is kept with length 1.
    pub ones: Vec<bool>,
    /// The type it is stored in, where that is not the operation's own.
    pub stored: crate::dtype::DType,
}

/// Writes a source as it is stored.
pub struct Copy {
    /// What is read.
    pub source: Arc<dyn Source>,
    /// The variable in the sink.
    pub variable: String,
    /// The pieces that the sink takes.
    pub pieces: Grid,
}
