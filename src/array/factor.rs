//! Factorizations of matrices: QR and SVD of tall ones, and the randomized SVD of any.
//!
//! Direct TSQR (Benson, Gleich and Demmel 2013): each block of rows is factorized by itself, the small factors of all
//! blocks are stacked and factorized once more, and the orthonormal factor is the product of both, block by block. The
//! array is read twice and never held; held are twice `blocks * n * n` numbers, for `n` columns.
//!
//! Types: float32 stays (and float16 becomes it), all others become float64.

use super::{BlockFunction, BlockInfo, BlockInput, LazyArray};
use crate::{
    dtype::DType,
    error::{Error, Result},
    kernels::{
        linalg::{
            Matrix, Update, orient, product, product_scratch_bytes, qr, qr_scratch_bytes, svd, svd_scratch_bytes,
        },
        random::Distribution,
    },
    shape::Shape,
};
use std::sync::Arc;

/// How many more directions than asked for a randomized SVD follows (Halko et al. 2011, section 4.2: 5 or 10).
const OVERSAMPLING: u64 = 10;

impl LazyArray {
    /// The reduced QR factorization of a matrix `[m, n]`: `q` is `[m, min]` with orthonormal columns, `r` is
    /// `[min, n]`, zero under its diagonal and not negative on it, where `min` is the smaller of `m` and `n`. Signs so
    /// chosen, there is one factorization of a matrix of full rank, whatever its blocks.
    ///
    /// Blocks with fewer rows than columns are joined. A wide matrix is factorized by its first `m` columns.
    ///
    /// # Errors
    /// When it is no matrix, or a tall one with several blocks of columns: `rechunk` it to one first.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let x = LazyArray::from_slice(&[3.0, 5.0, 4.0, 10.0, 0.0, 0.0], &[3, 2], &[2, 2])?;
    /// let (q, r) = x.qr()?;
    /// let back = Session::new().compute(&q.matmul(&r)?)?.to_vec::<f64>()?;
    /// assert!((back[3] - 10.0).abs() < 1e-12);
    /// assert!((Session::new().compute(&r)?.to_vec::<f64>()?[0] - 5.0).abs() < 1e-12);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn qr(&self) -> Result<(LazyArray, LazyArray)> {
        let a = self.as_matrix("qr")?;
        let (m, n) = (a.shape()[0], a.shape()[1]);
        if m < n {
            let (q, r) = a.get_along(1, ..m as i64)?.rechunk(&[m.max(1), m.max(1)])?.qr()?;
            let rest = q.hold().transpose().matmul(&a.get_along(1, m as i64..)?)?;
            return Ok((q, LazyArray::concat(&[r, rest], 1)?));
        }
        if n == 0 {
            return Ok((a.zeros_like(), LazyArray::zeros(&[0, 0], &[1, 1], a.dtype())?));
        }
        let a = a.tall("qr")?;
        let stacked = a.small_factors()?;
        let rows = stacked.shape()[0];
        let both =
            LazyArray::blocks(&[stacked], Arc::new(Second::Qr), &[rows + n, n], &[rows + n, n], a.dtype())?.hold();
        Ok((a.times(&both.get_along(0, ..rows as i64)?)?, both.get_along(0, rows as i64..)?))
    }

    /// The reduced singular value decomposition `u diag(s) vt` of a matrix `[m, n]`: `u` is `[m, min]`, `s` is `[min]`
    /// and descends, `vt` is `[min, n]`.
    ///
    /// The largest number (in magnitude) of each vector of the short side is positive, which fixes the signs, whatever
    /// the blocks.
    ///
    /// # Errors
    /// When it is no matrix, or has several blocks along the shorter side. While running, when it holds NaN or an
    /// infinity.
    pub fn svd(&self) -> Result<(LazyArray, LazyArray, LazyArray)> {
        let a = self.as_matrix("svd")?;
        let (m, n) = (a.shape()[0], a.shape()[1]);
        if m < n {
            let (v, s, ut) = a.transpose().svd()?;
            return Ok((ut.transpose(), s, v.transpose()));
        }
        if n == 0 {
            let none = |shape: &[u64]| LazyArray::zeros(shape, super::Chunks::Auto, a.dtype());
            return Ok((a.zeros_like(), none(&[0])?, none(&[0, 0])?));
        }
        let a = a.tall("svd")?;
        let stacked = a.small_factors()?;
        let rows = stacked.shape()[0];
        let shape = [rows + n + 1, n];
        let all = LazyArray::blocks(&[stacked], Arc::new(Second::Svd), &shape, &shape, a.dtype())?.hold();
        let (at, n) = (rows as i64, n as i64);
        Ok((a.times(&all.get_along(0, ..at)?)?, all.get_along(0, at + n)?, all.get_along(0, at..at + n)?))
    }

    /// The `k` largest singular values of any matrix `[m, n]` and their vectors: about, and by chance, but always the
    /// same for the same `seed`. `u` is `[m, k]`, `s` is `[k]`, `vt` is `[k, n]`; `k` is at most the shorter side.
    ///
    /// The range of the matrix is found by multiplying it with a few random vectors (Halko, Martinsson and Tropp 2011,
    /// algorithm 4.4); each of the `power_iterations` makes that more exact (two do for slowly falling values) and reads the
    /// matrix twice more. Products `[m, k + 10]` and `[n, k + 10]` are held in memory, the matrix is not.
    ///
    /// # Errors
    /// When it is no matrix. While running, when it holds NaN or an infinity.
    pub fn svd_compressed(
        &self,
        k: u64,
        power_iterations: u64,
        seed: u64,
    ) -> Result<(LazyArray, LazyArray, LazyArray)> {
        let a = self.as_matrix("svd_compressed")?;
        let (m, n) = (a.shape()[0], a.shape()[1]);
        let width = (k + OVERSAMPLING).min(m).min(n);
        let kept = k.min(width) as i64;
        if width == 0 {
            let none = |shape: &[u64]| LazyArray::zeros(shape, super::Chunks::Auto, a.dtype());
            return Ok((none(&[m, 0])?, none(&[0])?, none(&[0, n])?));
        }
        let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
        let omega = LazyArray::random(normal, seed, &[n, width], &[a.chunk()[1], width], a.dtype())?;
        let range = |product: LazyArray| Ok::<_, Error>(product.held_rows()?.qr()?.0.hold());
        let turned = a.transpose();
        let mut q = range(a.matmul(&omega)?)?;
        for _ in 0..power_iterations {
            let other = range(turned.matmul(&q)?)?;
            q = range(a.matmul(&other)?)?;
        }
        // a = q (q' a) but for the error, and (q' a)' is tall.
        let (v, s, ut) = turned.matmul(&q)?.held_rows()?.svd()?;
        let u = q.matmul(&ut.get_along(0, ..kept)?.transpose())?;
        Ok((u, s.get_along(0, ..kept)?, v.get_along(1, ..kept)?.transpose()))
    }

    fn as_matrix(&self, what: &str) -> Result<LazyArray> {
        if self.ndim() != 2 {
            return Err(Error::usage(format!("{what} of an array of {} dimensions; it takes a matrix", self.ndim())));
        }
        let dtype = if matches!(self.dtype(), DType::F16 | DType::F32) { DType::F32 } else { DType::F64 };
        let bare = super::View::identity(self.shape());
        Ok(self.astype(dtype).viewed(bare, None, self.chunk().clone()))
    }

    /// In memory, in blocks of whole rows.
    fn held_rows(&self) -> Result<LazyArray> {
        self.hold().rechunk(&[self.chunk()[0], self.shape()[1].max(1)])
    }

    /// In blocks of whole rows, each with at least as many rows as columns. There are more rows than columns.
    fn tall(&self, what: &str) -> Result<LazyArray> {
        let (m, n, columns) = (self.shape()[0], self.shape()[1], self.chunk()[1]);
        if columns < n {
            return Err(Error::usage(format!(
                "{what} of {m} rows in blocks of {columns} of {n} columns; rechunk to blocks of whole rows first"
            )));
        }
        self.rechunk(&[tall_blocks(m, n, self.chunk()[0]), n])
    }

    /// The triangular factor of each block of rows, one below the other.
    fn small_factors(&self) -> Result<LazyArray> {
        let n = self.shape()[1];
        let blocks = self.shape()[0].div_ceil(self.chunk()[0]);
        let rows = blocks.checked_mul(n).ok_or_else(|| Error::usage("too many blocks for one factorization"))?;
        let factors =
            LazyArray::blocks(std::slice::from_ref(self), Arc::new(First), &[rows, n], &[n, n], self.dtype())?;
        factors.rechunk(&[rows, n])
    }

    /// The orthonormal factor of each block of rows times its `[n, n]` part of `second`.
    fn times(&self, second: &LazyArray) -> Result<LazyArray> {
        let n = self.shape()[1];
        let inputs = [self.clone(), second.rechunk(&[n, n])?];
        LazyArray::blocks(&inputs, Arc::new(Product), self.shape(), self.chunk(), self.dtype())
    }
}

/// The rows of a block, at least `n` in each, the last one too; there are at least `n` in all.
fn tall_blocks(m: u64, n: u64, rows: u64) -> u64 {
    let fits = |rows: u64| rows >= n && (m.is_multiple_of(rows) || m % rows >= n);
    if fits(rows) {
        return rows;
    }
    let most = m / rows.max(n);
    (1..=most.max(1)).rev().map(|blocks| m.div_ceil(blocks)).find(|&rows| fits(rows)).unwrap_or(m)
}

fn sides(shape: &[u64]) -> (usize, usize) {
    (shape[0] as usize, shape[1] as usize)
}

/// The triangular factor of a block.
struct First;

impl BlockFunction for First {
    fn name(&self) -> &str {
        "qr of a block"
    }

    fn memory(&self, inputs: &[Shape]) -> u64 {
        inputs.first().map_or(0, |shape| q_and_scratch_bytes(shape))
    }

    fn call(&self, _: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        let [a] = inputs else { return Err(Error::usage("a factor of one block")) };
        let (m, n) = sides(a.shape);
        let mut q = vec![0; a.bytes.len() / 8 + 1];
        let q = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut q)[..a.bytes.len()];
        qr(a.dtype, a.bytes, m, n, q, out)
    }
}

/// The orthonormal factor of a block, once more, times its part of the second.
struct Product;

impl BlockFunction for Product {
    fn name(&self) -> &str {
        "q of a block"
    }

    fn memory(&self, inputs: &[Shape]) -> u64 {
        let Some(a) = inputs.first() else { return 0 };
        let r = a[1].saturating_mul(a[1]).saturating_mul(8);
        let library = either(product_scratch_bytes);
        q_and_scratch_bytes(a).saturating_add(r).saturating_add(library)
    }

    fn call(&self, _: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        let [a, second] = inputs else { return Err(Error::usage("a factor of one block and its part of another")) };
        let (m, n) = sides(a.shape);
        let (mut q, mut r) = (vec![0u64; a.bytes.len() / 8 + 1], vec![0u64; second.bytes.len() / 8 + 1]);
        let q = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut q)[..a.bytes.len()];
        let r = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut r)[..second.bytes.len()];
        qr(a.dtype, a.bytes, m, n, q, r)?;
        let (q, second) = (Matrix::by_rows(q, m, n), Matrix::by_rows(second.bytes, n, n));
        product(a.dtype, q, second, out, Update::Replace);
        Ok(())
    }
}

/// What is made of the triangular factors of all blocks, `[rows, n]`, all in one block.
enum Second {
    /// The orthonormal factor, below it the triangular one.
    Qr,
    /// The left vectors, below them the right ones, below them the values.
    Svd,
}

impl BlockFunction for Second {
    fn name(&self) -> &str {
        match self {
            Second::Qr => "qr of the blocks' factors",
            Second::Svd => "svd of the blocks' factors",
        }
    }

    fn memory(&self, inputs: &[Shape]) -> u64 {
        let Some((rows, n)) = inputs.first().map(|s| sides(s)) else { return 0 };
        match self {
            Second::Qr => either(|dtype| qr_scratch_bytes(rows, n, dtype)),
            Second::Svd => either(|dtype| svd_scratch_bytes(rows, n, dtype)),
        }
    }

    fn call(&self, _: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        let [a] = inputs else { return Err(Error::usage("one stack of factors")) };
        let (rows, n) = sides(a.shape);
        let (left, rest) = out.split_at_mut(a.bytes.len());
        match self {
            Second::Qr => {
                qr(a.dtype, a.bytes, rows, n, left, rest)?;
                orient(a.dtype, left, rest, n, n)
            }
            Second::Svd => {
                let (vt, s) = rest.split_at_mut(n * n * a.dtype.size());
                svd(a.dtype, a.bytes, rows, n, left, s, vt)?;
                match a.dtype {
                    DType::F32 => turn::<f32>(left, vt, n),
                    _ => turn::<f64>(left, vt, n),
                }
                Ok(())
            }
        }
    }
}

fn q_and_scratch_bytes(shape: &[u64]) -> u64 {
    let (m, n) = sides(shape);
    let q = shape[0].saturating_mul(shape[1]).saturating_mul(8);
    either(|dtype| qr_scratch_bytes(m, n, dtype)).saturating_add(q).saturating_add(16)
}

/// A declaration does not know the type of the inputs.
fn either(bytes: impl Fn(DType) -> u64) -> u64 {
    bytes(DType::F32).max(bytes(DType::F64))
}

/// Makes the largest number of each right vector positive: those do not depend on the blocks, as the left ones here do.
fn turn<T: bytemuck::Pod + PartialOrd + std::ops::Neg<Output = T> + Default>(u: &mut [u8], vt: &mut [u8], n: usize) {
    let (u, vt): (&mut [T], &mut [T]) = (bytemuck::cast_slice_mut(u), bytemuck::cast_slice_mut(vt));
    let size = |x: T| if x < T::default() { -x } else { x };
    for (k, v) in vt.chunks_exact_mut(n).enumerate() {
        let largest = v.iter().copied().reduce(|a, b| if size(b) > size(a) { b } else { a });
        if largest.is_some_and(|x| x < T::default()) {
            v.iter_mut().for_each(|x| *x = -*x);
            u.iter_mut().skip(k).step_by(n).for_each(|x| *x = -*x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_at_least_as_many_rows_as_columns() {
        for m in 1..40 {
            for n in 1..=m {
                for rows in 1..=m {
                    let got = tall_blocks(m, n, rows);
                    assert!(got >= n && (m % got == 0 || m % got >= n), "{m} {n} {rows}: {got}");
                    assert!(got <= 2 * rows.max(n) + n || got == m, "{m} {n} {rows}: {got}");
                }
            }
        }
        assert_eq!(tall_blocks(100, 3, 10), 10);
    }
}
