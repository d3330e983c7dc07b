//! Dense linear algebra on one block: products, and the factorizations of blocks that are small.
//!
//! All of it is single-threaded, so that a result depends on the arguments alone; the parallelism is that of the blocks.

mod product;
mod view;
mod exact;
mod half_product;

pub use product::{Matrix, Update, product, product_scratch_bytes};
