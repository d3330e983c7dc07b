//! What the CF conventions say about a variable: what its stored numbers mean, what belongs to it, and what is said
//! about a result.

pub mod cell_methods;
pub mod decoding;
pub mod encoding;
pub mod horizontal;
pub mod measure;
pub mod names;
pub mod references;
pub mod time;
