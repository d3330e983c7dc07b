//! Loops over numbers: no files, no threads, no names.

#[macro_use]
mod simd;
pub mod cast;
pub mod decode;
pub mod fold;
pub mod lanes;
pub mod random;
