//! Products of matrices, and what is made of them.

use super::{LazyArray, Operation};
use crate::{
    error::{Error, Result},
    shape::Shape,
};

/// A tile of a product has about so many rows and columns: its inputs are then read few times over.
const TILE: u64 = 2048;
/// The longest part of the summed axis that is multiplied at once.
const PANEL: u64 = 1024;

impl LazyArray {
    /// The matrix product of the last two axes; those before broadcast. Vectors are rows on the left and columns on
    /// the right, and the axis that they lack is missing from the result.
    ///
    /// Computed in tiles of about 2048 x 2048, each the sum over the common axis in one fixed order.
    ///
    /// # Errors
    /// When the common axes differ, or an input has no dimensions.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let x = LazyArray::arange(0, 6, 1, &[6])?.reshape(&[2, 3])?;
    /// let y = x.matmul(&x.transpose())?;
    /// assert_eq!(Session::new().compute(&y)?.to_vec::<i64>()?, [5, 14, 14, 50]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn matmul(&self, other: &LazyArray) -> Result<LazyArray> {
        if self.ndim() == 0 || other.ndim() == 0 {
            return Err(Error::usage("matmul takes arrays of at least one dimension; multiply by a number with *"));
        }
        let dtype = self.dtype().promote(other.dtype());
        let a = if self.ndim() == 1 { self.expand_dims(&[0])? } else { self.clone() };
        let b = if other.ndim() == 1 { other.expand_dims(&[1])? } else { other.clone() };
        let out = a.astype(dtype).matrices(&b.astype(dtype))?;
        match (self.ndim(), other.ndim()) {
            (1, 1) => out.squeeze(&[-1, -2]),
            (1, _) => out.squeeze(&[-2]),
            (_, 1) => out.squeeze(&[-1]),
            _ => Ok(out),
        }
    }

    fn matrices(&self, other: &LazyArray) -> Result<LazyArray> {
        let (p, q) = (self.ndim(), other.ndim());
        let (m, k, n) = (self.shape()[p - 2], self.shape()[p - 1], other.shape()[q - 1]);
        if other.shape()[q - 2] != k {
            let (a, b) = (self.shape(), other.shape());
            return Err(Error::usage(format!(
                "matmul of shapes {a} and {b}: the common axis has {k} and {}",
                b[q - 2]
            )));
        }
        let lead = stacked(&self.shape()[..p - 2], &other.shape()[..q - 2])?;
        let with = |rows: u64, columns: u64| -> Vec<u64> { lead.iter().copied().chain([rows, columns]).collect() };
        let (a, b) = (self.broadcast_to(&with(m, k))?, other.broadcast_to(&with(k, n))?);
        let shape: Shape = with(m, n).into();
        shape.elements()?;
        let mut chunk = vec![1; lead.len()];
        chunk.push(tile(a.chunk()[lead.len()], m));
        chunk.push(tile(b.chunk()[lead.len() + 1], n));
        let dims = match (self.dims(), other.dims()) {
            (Some(a), Some(b)) if p == 2 && q == 2 && a[0] != b[1] => Some(vec![a[0].clone(), b[1].clone()]),
            _ => None,
        };
        Ok(LazyArray::from_parts(Operation::MatMul { a, b }, self.dtype(), shape, dims, chunk.into()))
    }

    /// How much of the common axis of a product is multiplied at once.
    pub(crate) fn panel(a: &LazyArray, b: &LazyArray) -> u64 {
        let k = a.ndim() - 1;
        let block = a.chunk()[k].max(b.chunk()[k - 1]);
        let panel = if block >= PANEL { PANEL.min(block) } else { PANEL / block * block };
        panel.clamp(1, a.shape()[k].max(1))
    }
}

/// Blocks are gathered until they are about a tile, and cut where they are larger.
fn tile(block: u64, n: u64) -> u64 {
    let length = if block >= TILE { TILE } else { TILE / block * block };
    length.clamp(1, n.max(1))
}

/// The axes before a matrix, broadcast.
fn stacked(a: &[u64], b: &[u64]) -> Result<Vec<u64>> {
    let rank = a.len().max(b.len());
    let at = |s: &[u64], k: usize| (k + s.len()).checked_sub(rank).map_or(1, |k| s[k]);
    (0..rank)
        .map(|k| match (at(a, k), at(b, k)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            (x, y) => Err(Error::usage(format!("stacks of {x} and of {y} matrices"))),
        })
        .collect()
}
