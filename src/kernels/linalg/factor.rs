//! Factorizations of one block: QR and SVD.

use crate::{
    dtype::DType,
    error::{Error, Problem, Result},
};
use bytemuck::Pod;
use faer::{
    Conj, MatMut, MatRef, Par,
    diag::DiagMut,
    dyn_stack::{MemBuffer, MemStack, StackReq},
    linalg::{
        householder::{
            apply_block_householder_sequence_on_the_left_in_place_scratch,
            apply_block_householder_sequence_on_the_left_in_place_with_conj,
        },
        qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size},
        svd::{ComputeSvdVectors, svd as faer_svd, svd_scratch},
        temp_mat_scratch, temp_mat_zeroed,
    },
    mat::AsMatMut,
};
use std::ops::Neg;

/// The types that are factorized.
trait Real: faer::traits::RealField + Pod + PartialOrd + Neg<Output = Self> {
    const ZERO: Self;
    fn finite(self) -> bool;
}

macro_rules! real {
    ($($t:ty),*) => {$(impl Real for $t {
        const ZERO: $t = 0.0;
        fn finite(self) -> bool {
            self.is_finite()
        }
    })*};
}
real!(f32, f64);

/// Runs a function for float32 or float64; other types are a usage error.
macro_rules! for_real {
    ($op:literal, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F64 => {
                type $T = f64;
                $body
            }
            other => {
                Err(Error::usage(format!(concat!($op, " of {} is not defined; convert it to float64 first"), other)))
            }
        }
    };
}

/// The reduced QR factorization `a = q r` of native elements, all by rows without gaps.
///
/// `a` is `[rows, cols]`, `q` is `[rows, min]` with orthonormal columns, `r` is `[min, cols]` and zero under its diagonal, where `min` is
/// the smaller of `rows` and `cols`. Signs are those of LAPACK's `geqrf`, and so of NumPy: Householder's reflections send each column to
/// the side opposite to its leading number. [`orient`] makes them those of the one factorization with a positive diagonal.
/// NaN and infinities in `a` give NaN, as in NumPy.
///
/// *Memory:* [`qr_scratch_bytes`].
///
/// # Errors
/// A usage error when `dtype` is neither float32 nor float64.
///
/// # Panics
/// When a buffer is not as long as its shape says or not aligned for its type.
///
/// # Example
/// ```
/// use aosx::{dtype::DType, kernels::linalg::qr};
///
/// let a = [3.0f64, 5.0, 4.0, 10.0];
/// let (mut q, mut r) = ([0.0f64; 4], [0.0f64; 4]);
/// qr(DType::F64, bytemuck::bytes_of(&a), 2, 2, bytemuck::bytes_of_mut(&mut q), bytemuck::bytes_of_mut(&mut r))?;
/// assert!((r[0] + 5.0).abs() < 1e-12 && r[2] == 0.0);
/// assert!((q[0] * r[1] + q[1] * r[3] - 5.0).abs() < 1e-12);
/// # Ok::<(), aosx::error::Error>(())
/// ```
pub fn qr(dtype: DType, a: &[u8], rows: usize, cols: usize, q: &mut [u8], r: &mut [u8]) -> Result<()> {
    for_real!("qr", dtype, T => {
        qr_of::<T>(numbers(a, rows, cols), rows, cols, bytemuck::cast_slice_mut(q), bytemuck::cast_slice_mut(r));
        Ok(())
    })
}

/// The reduced singular value decomposition `a = u diag(s) vt` of native elements, all by rows without gaps.
///
/// `a` is `[rows, cols]`, `u` is `[rows, min]`, `s` is `[min]` and descends, `vt` is `[min, cols]`, where `min` is the smaller of `rows` and
/// `cols`. The number of largest magnitude in each column of `u` (the first of several) is positive, which fixes the signs, as
/// scikit-learn's `svd_flip` does.
///
/// *Memory:* [`svd_scratch_bytes`].
///
/// # Errors
/// A usage error when `dtype` is neither float32 nor float64; [`Problem::NoDecomposition`] when `a` holds NaN or an infinity
/// (NumPy: "SVD did not converge"), or the iteration does not end.
///
/// # Panics
/// When a buffer is not as long as its shape says or not aligned for its type.
///
/// # Example
/// ```
/// use aosx::{dtype::DType, kernels::linalg::svd};
///
/// let a = [0.0f64, 2.0, -3.0, 0.0];
/// let (mut u, mut s, mut vt) = ([0.0f64; 4], [0.0f64; 2], [0.0f64; 4]);
/// let bytes = bytemuck::bytes_of_mut;
/// svd(DType::F64, bytemuck::bytes_of(&a), 2, 2, bytes(&mut u), bytemuck::bytes_of_mut(&mut s), bytemuck::bytes_of_mut(&mut vt))?;
/// assert!((s[0] - 3.0).abs() < 1e-12 && (s[1] - 2.0).abs() < 1e-12);
/// # Ok::<(), aosx::error::Error>(())
/// ```
pub fn svd(dtype: DType, a: &[u8], rows: usize, cols: usize, u: &mut [u8], s: &mut [u8], vt: &mut [u8]) -> Result<()> {
    for_real!("svd", dtype, T => {
        let (u, s, vt) = (bytemuck::cast_slice_mut(u), bytemuck::cast_slice_mut(s), bytemuck::cast_slice_mut(vt));
        svd_of::<T>(numbers(a, rows, cols), rows, cols, u, s, vt)
    })
}

/// Changes signs so that no number on the diagonal of `r` is negative; the product of `q` and `r` stays.
///
/// `q` is `[q_rows, min]` and `r` is `[min, cols]` by rows without gaps, as [`qr`] gives them. Of a matrix of full rank there is only one such
/// pair, whatever the blocks it was computed by.
///
/// # Errors
/// A usage error when `dtype` is neither float32 nor float64.
///
/// # Panics
/// When a buffer is not as long as its shape says or not aligned for its type.
pub fn orient(dtype: DType, q: &mut [u8], r: &mut [u8], min: usize, cols: usize) -> Result<()> {
    for_real!("qr", dtype, T => {
        let (q, r): (&mut [T], &mut [T]) = (bytemuck::cast_slice_mut(q), bytemuck::cast_slice_mut(r));
        assert!(r.len() == min * cols && min <= cols && (min == 0 || q.len() % min == 0), "q and r fit each other");
        for k in 0..min {
            if r[k * cols + k] < T::ZERO {
                r[k * cols..][..cols].iter_mut().for_each(|x| *x = -*x);
                q.iter_mut().skip(k).step_by(min).for_each(|x| *x = -*x);
            }
        }
        Ok(())
    })
}

/// The most memory that [`qr`] takes beside its arguments: a copy of `a`, coefficients, and panels of the products inside.
///
/// All of it is taken when called, and given back on return, but for the panel of [`product_scratch_bytes`](super::product_scratch_bytes).
pub fn qr_scratch_bytes(rows: usize, cols: usize, dtype: DType) -> u64 {
    match dtype {
        DType::F32 => request_bytes(qr_request::<f32>(rows, cols)) + inner_products_bytes(rows, cols, dtype),
        DType::F64 => request_bytes(qr_request::<f64>(rows, cols)) + inner_products_bytes(rows, cols, dtype),
        _ => 0,
    }
}

/// The most memory that [`svd`] takes beside its arguments: copies of `a`, of both factors, and panels of the products inside.
///
/// All of it is taken when called, and given back on return, but for the panel of [`product_scratch_bytes`](super::product_scratch_bytes).
pub fn svd_scratch_bytes(rows: usize, cols: usize, dtype: DType) -> u64 {
    match dtype {
        DType::F32 => request_bytes(svd_request::<f32>(rows, cols)) + inner_products_bytes(rows, cols, dtype),
        DType::F64 => request_bytes(svd_request::<f64>(rows, cols)) + inner_products_bytes(rows, cols, dtype),
        _ => 0,
    }
}

fn request_bytes(request: StackReq) -> u64 {
    request.unaligned_bytes_required() as u64
}

/// What the library packs for products of parts of the matrix: at most 512 numbers deep, along either side.
fn inner_products_bytes(rows: usize, cols: usize, dtype: DType) -> u64 {
    let (small, large) = (rows.min(cols) as u64, rows.max(cols) as u64);
    let numbers = small.min(512).saturating_mul(large + 8).saturating_add(512 * (small + 8));
    numbers.saturating_mul(dtype.size() as u64).saturating_add(2 * super::product_scratch_bytes(DType::F16))
}

fn numbers<T: Pod>(a: &[u8], rows: usize, cols: usize) -> &[T] {
    let a: &[T] = bytemuck::cast_slice(a);
    assert_eq!(Some(a.len()), rows.checked_mul(cols), "a matrix as long as its shape says");
    a
}

fn qr_request<T: Real>(rows: usize, cols: usize) -> StackReq {
    let (min, block) = (rows.min(cols), recommended_block_size::<T>(rows, cols));
    let factor = qr_in_place_scratch::<T>(rows, cols, block, Par::Seq, Default::default());
    let form = apply_block_householder_sequence_on_the_left_in_place_scratch::<T>(rows, block, min);
    StackReq::all_of(&[temp_mat_scratch::<T>(rows, cols), temp_mat_scratch::<T>(block, min), factor.or(form)])
}

fn qr_of<T: Real>(a: &[T], rows: usize, cols: usize, q: &mut [T], r: &mut [T]) {
    let min = rows.min(cols);
    assert!(q.len() == rows * min && r.len() == min * cols, "results as long as their shapes say");
    if min == 0 {
        return;
    }
    let mut memory = MemBuffer::new(qr_request::<T>(rows, cols));
    let stack = MemStack::new(&mut memory);
    let (mut work, stack) = temp_mat_zeroed::<T, _, _>(rows, cols, stack);
    let mut work = work.as_mat_mut();
    work.copy_from(MatRef::from_row_major_slice(a, rows, cols));
    let (mut coefficients, stack) = temp_mat_zeroed::<T, _, _>(recommended_block_size::<T>(rows, cols), min, stack);
    let mut coefficients = coefficients.as_mat_mut();
    qr_in_place(work.as_mut(), coefficients.as_mut(), Par::Seq, stack, Default::default());
    for (i, r) in r.chunks_exact_mut(cols).enumerate() {
        r.iter_mut().enumerate().for_each(|(j, x)| *x = if j < i { T::ZERO } else { work[(i, j)] });
    }
    let mut q = MatMut::from_row_major_slice_mut(q, rows, min);
    q.fill(T::ZERO);
    q.as_mut().diagonal_mut().fill(faer::traits::math_utils::one());
    apply_block_householder_sequence_on_the_left_in_place_with_conj(
        work.as_ref().subcols(0, min),
        coefficients.as_ref(),
        Conj::No,
        q,
        Par::Seq,
        stack,
    );
}

fn svd_request<T: Real>(rows: usize, cols: usize) -> StackReq {
    let thin = ComputeSvdVectors::Thin;
    svd_scratch::<T>(rows, cols, thin, thin, Par::Seq, Default::default())
}

fn svd_of<T: Real>(a: &[T], rows: usize, cols: usize, u: &mut [T], s: &mut [T], vt: &mut [T]) -> Result<()> {
    let min = rows.min(cols);
    assert!(u.len() == rows * min && s.len() == min && vt.len() == min * cols, "results as long as their shapes say");
    if min == 0 {
        return Ok(());
    }
    if !a.iter().all(|x| x.finite()) {
        let detail = "there are NaN or infinite values; fill them first";
        return Err(Problem::NoDecomposition { op: "svd", detail }.into());
    }
    let mut memory = MemBuffer::new(svd_request::<T>(rows, cols));
    faer_svd(
        MatRef::from_row_major_slice(a, rows, cols),
        DiagMut::from_slice_mut(s),
        Some(MatMut::from_row_major_slice_mut(u, rows, min)),
        Some(MatMut::from_column_major_slice_mut(vt, cols, min)),
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    )
    .map_err(|_| Problem::NoDecomposition { op: "svd", detail: "the iteration does not converge" })?;
    for (k, v) in vt.chunks_exact_mut(cols).enumerate() {
        let largest = u.iter().skip(k).step_by(min).fold(T::ZERO, |top, &x| if size(x) > size(top) { x } else { top });
        if largest < T::ZERO {
            v.iter_mut().for_each(|x| *x = -*x);
            u.iter_mut().skip(k).step_by(min).for_each(|x| *x = -*x);
        }
    }
    Ok(())
}

fn size<T: Real>(x: T) -> T {
    if x < T::ZERO { -x } else { x }
}
