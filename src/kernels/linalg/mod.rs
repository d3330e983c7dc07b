//! Dense linear algebra on one block: products, and the factorizations of blocks that are small.
//!
//! All of it is single-threaded, so that a result depends on the arguments alone; the parallelism is that of the blocks.

mod product;
mod view;
mod exact;
mod half_product;
mod factor;

pub use factor::{orient, qr, qr_scratch_bytes, svd, svd_scratch_bytes};
pub use product::{Matrix, Update, product, product_scratch_bytes};

#[cfg(test)]
mod tests;
