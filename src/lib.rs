//! aosx: reductions and arithmetic over gridded climate data that does not fit in memory.
//!
//! The rooms of this crate, in order: each imports only rooms above it. `tests/layers.rs` holds it to that.
#![warn(missing_docs)]

// words
pub mod attrs;
pub mod dtype;
pub mod error;
pub mod grid;
pub mod shape;
pub mod units;
// memory
pub mod block;
pub mod budget;
// compute
pub mod kernels;
// files
pub mod codec;
pub mod formats;
pub mod source;
pub mod store;
// front
pub mod cli;
pub mod report;
