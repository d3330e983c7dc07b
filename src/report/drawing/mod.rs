//! Blocked graphs as pictures, in the manner of dask's slides: blocks as squares, tasks as circles, arrows from what
//! is read to what is made, from the bottom up.

mod arrays;
mod dot;
mod graph;
mod layout;
mod svg;

pub use dot::dot;
pub use graph::{Drawn, Graph, Kind, NODES_MAX, Node};
pub use svg::svg;

/// How chains of elementwise functions and views are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chains {
    /// Each function by itself, with the array that it gives.
    #[default]
    AsWritten,
    /// As one task with all their names where nothing else uses what lies between: that is what runs.
    Fused,
}
