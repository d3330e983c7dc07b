//! aosx: reductions and arithmetic over gridded climate data that does not fit in memory.
//!
//! The rooms of this crate, in order: each imports only rooms above it. `tests/layers.rs` holds it to that.
#![warn(missing_docs)]

// words
pub mod error;
pub mod units;
pub mod shape;
pub mod grid;
pub mod dtype;
pub mod attrs;
// memory
pub mod sync;
pub mod memory;
pub mod budget;
pub mod block;
// compute
pub mod kernels;
// files
pub mod codec;
pub mod store;
pub mod source;
pub mod formats;
pub mod spill;
// lazy
pub mod array;
pub mod delayed;
pub mod plan;
// run
pub mod events;
pub mod engine;
// labels
pub mod cf;
pub mod dataset;
pub mod expr;
// front
pub mod session;
pub mod report;
pub mod cli;

/// What a program that uses aosx as a library needs.
pub mod prelude {
    pub use crate::{
        array::{Boundary, Chunks, Index, LazyArray},
        dataset::{Axes, Dataset, KeepDims, Reduction},
        delayed::{Graph, Task, named},
        dtype::{DType, Scalar},
        engine::{Client, Values, as_completed},
        error::{Error, Result},
        formats::OutputFormat,
        kernels::{
            fold::{CustomFold, FoldOptions, Op, erased},
            lanes::LaneOp,
            random::Distribution,
        },
        session::{Results, Session},
        units::Bytes,
    };
}
