//! Loops over numbers: no files, no threads, no names.

#[macro_use]
pub(crate) mod simd;
pub mod cast;
pub mod decode;
pub mod elementwise;
pub mod fold;
pub mod lanes;
pub mod linalg;
pub mod random;
pub mod shuffle;
pub mod strided;
pub mod window;
