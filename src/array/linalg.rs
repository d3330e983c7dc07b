//! Products of matrices and vectors, traces and norms. `tensordot` and `einsum` are in [`einsum`](super::einsum).

use super::{LazyArray, Operation};
use crate::{
    dtype::DType,
    error::{Error, Result},
    shape::Shape,
};

/// A tile of a product has about so many rows and columns: inputs are read once for every so many of the other, and the
/// buffers of a few workers fit into a quarter of a gibibyte.
const TILE: u64 = 1024;
/// The longest part of the summed axis that is multiplied at once.
const PANEL: u64 = 1024;

/// What is measured of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatrixNorm {
    /// The root of the sum of squares (`fro`).
    Frobenius,
    /// The largest sum of magnitudes in a column (`1`).
    Columns,
    /// The largest sum of magnitudes in a row (`inf`).
    Rows,
}

impl LazyArray {
    /// The matrix product of the last two axes; those before broadcast. Vectors are rows on the left and columns on
    /// the right, and the axis that they lack is missing from the result.
    ///
    /// Computed in tiles of about 1024 x 1024, each the sum over the common axis in one fixed order.
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

    /// NumPy's `dot`: the product of numbers, of vectors, of matrices, and else the sum over the last axis of this array
    /// and the last but one of `other`, whose other axes do not broadcast but follow each other.
    ///
    /// # Errors
    /// When the lengths of the common axes differ.
    pub fn dot(&self, other: &LazyArray) -> Result<LazyArray> {
        match (self.ndim(), other.ndim()) {
            (0, _) | (_, 0) => self.multiply(other),
            (1, 1) => self.vecdot(other, -1),
            (1 | 2, 1 | 2) => self.matmul(other),
            (_, 1) => self.tensordot(other, (&[-1], &[0])),
            _ => self.tensordot(other, (&[-1], &[-2])),
        }
    }

    /// The sum of products over the last axes of both; the other axes follow each other.
    ///
    /// # Errors
    /// When the last axes have different lengths.
    pub fn inner(&self, other: &LazyArray) -> Result<LazyArray> {
        match (self.ndim(), other.ndim()) {
            (0, _) | (_, 0) => self.multiply(other),
            _ => self.tensordot(other, (&[-1], &[-1])),
        }
    }

    /// The sum of products along an axis of both, counted from the end; the other axes broadcast. Integers wrap in
    /// their own type.
    ///
    /// # Errors
    /// When the axis is not negative and the ranks differ, or its lengths do.
    pub fn vecdot(&self, other: &LazyArray, axis: i64) -> Result<LazyArray> {
        let axis = if self.ndim() == other.ndim() && axis >= 0 { axis - self.ndim() as i64 } else { axis };
        if axis >= 0 {
            return Err(Error::usage(format!(
                "vecdot along axis {axis} of arrays of different ranks; count from the end"
            )));
        }
        let (n, m) = (self.shape()[self.axis(axis)?], other.shape()[other.axis(axis)?]);
        if n != m {
            return Err(Error::usage(format!("vecdot along an axis of lengths {n} and {m}")));
        }
        let dtype = self.dtype().promote(other.dtype());
        Ok(self.multiply(other)?.sum(&[axis])?.astype(dtype))
    }

    /// The product of each element with each of `other`, both flattened: `[self.size(), other.size()]`.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn outer(&self, other: &LazyArray) -> Result<LazyArray> {
        self.ravel()?.expand_dims(&[1])?.multiply(&other.ravel()?.expand_dims(&[0])?)
    }

    /// The Kronecker product of two arrays; the shorter shape gets axes in front.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn kron(&self, other: &LazyArray) -> Result<LazyArray> {
        let rank = self.ndim().max(other.ndim());
        let spread = |x: &LazyArray, first: i64| -> Result<LazyArray> {
            let x = x.expand_dims(&(0..(rank - x.ndim()) as i64).collect::<Vec<_>>())?;
            x.expand_dims(&(0..rank as i64).map(|k| 2 * k + first).collect::<Vec<_>>())
        };
        let (a, b) = (spread(self, 1)?, spread(other, 0)?);
        let length = |k: usize| a.shape()[2 * k].saturating_mul(b.shape()[2 * k + 1]).min(i64::MAX as u64) as i64;
        a.multiply(&b)?.reshape(&(0..rank).map(length).collect::<Vec<_>>())
    }

    /// The cross product of vectors of three numbers along an axis, counted from the end; the other axes broadcast.
    ///
    /// # Errors
    /// When the axis has another length.
    pub fn cross(&self, other: &LazyArray, axis: i64) -> Result<LazyArray> {
        for x in [self, other] {
            let n = x.shape()[x.axis(axis)?];
            if n != 3 {
                return Err(Error::usage(format!("a cross product along an axis of length {n}; it takes 3")));
            }
        }
        let part = |i: i64, j: i64| self.get_along(axis, i)?.multiply(&other.get_along(axis, j)?);
        let minor = |i: i64, j: i64| part(i, j)?.subtract(&part(j, i)?);
        LazyArray::stack(&[minor(1, 2)?, minor(2, 0)?, minor(0, 1)?], axis)
    }

    /// The sum of a diagonal of two axes: the main one for `offset` 0, above it for positive ones.
    ///
    /// # Errors
    /// When an axis does not exist or both are one.
    pub fn trace(&self, offset: i64, axis1: i64, axis2: i64) -> Result<LazyArray> {
        self.diagonal(offset, axis1, axis2)?.sum(&[-1])
    }

    /// The length of vectors along axes: `sum(|x|^p)^(1/p)`. `ord` is `p`, or infinity for the largest magnitude, minus
    /// infinity for the smallest, 0 for the number of those that are not zero. Integers become float64.
    ///
    /// # Errors
    /// When an axis is out of range or named twice; when there is nothing to be the largest.
    pub fn vector_norm(&self, ord: f64, axes: &[i64]) -> Result<LazyArray> {
        let x = if self.dtype().is_float() { self.clone() } else { self.astype(DType::F64) };
        match ord {
            f64::INFINITY => x.abs()?.max(axes),
            f64::NEG_INFINITY => x.abs()?.min(axes),
            0.0 => Ok(x.count_nonzero(axes)?.astype(x.dtype())),
            1.0 => x.abs()?.sum(axes),
            2.0 => x.square()?.sum(axes)?.sqrt(),
            p => x.abs()?.pow_scalar(p)?.sum(axes)?.pow_scalar(1.0 / p),
        }
    }

    /// A norm of the matrices in the last two axes. Integers become float64.
    ///
    /// # Errors
    /// When there are fewer than two axes; when there is nothing to be the largest.
    pub fn matrix_norm(&self, norm: MatrixNorm) -> Result<LazyArray> {
        if self.ndim() < 2 {
            return Err(Error::usage(format!("a matrix norm of an array of {} dimensions", self.ndim())));
        }
        let sums = |axis: i64| self.vector_norm(1.0, &[axis]);
        match norm {
            MatrixNorm::Frobenius => self.vector_norm(2.0, &[-2, -1]),
            MatrixNorm::Columns => sums(-2)?.max(&[-1]),
            MatrixNorm::Rows => sums(-1)?.max(&[-1]),
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
