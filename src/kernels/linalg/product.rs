//! The product of two blocks, added to a third.

use super::{exact, half_product, view::View};
use crate::dtype::DType;
use bytemuck::Pod;
use std::ops::Range;

/// A matrix of native elements that somebody else holds: by rows, by columns or strided.
///
/// Element `[i, j]` is number `i * row_stride + j * col_stride` of `bytes`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// The elements, aligned for their type.
    pub bytes: &'a [u8],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Elements from one row to the next.
    pub row_stride: usize,
    /// Elements from one column to the next.
    pub col_stride: usize,
}

/// What a product does to the matrix it is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// `c = a b`: what `c` held is not read.
    Replace,
    /// `c += a b`.
    Add,
}

/// Elements of one sum that are added up in registers before they meet `c`: what the library's packed panels are long.
///
/// It also keeps the order of additions from following the caches of a machine, which the library would ask for longer panels.
const DEPTH_MAX: usize = 256;

/// Rows of `a` that the library packs at once.
const ROWS_MAX: usize = 1024;

/// The most that the library packs of `b` at once: eight microkernels of at most three 64-byte vectors.
const PANEL_BYTES_MAX: usize = 8 * 3 * 64 * DEPTH_MAX;

impl<'a> Matrix<'a> {
    /// A matrix by rows without gaps, as blocks are.
    pub fn by_rows(bytes: &'a [u8], rows: usize, cols: usize) -> Matrix<'a> {
        Matrix { bytes, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The same elements with rows and columns exchanged; nothing moves.
    pub fn transposed(self) -> Matrix<'a> {
        Matrix {
            bytes: self.bytes,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }
}

/// The matrix product of native elements: `c = a b`, or `c += a b`.
///
/// `a` is `[m, k]` and `b` is `[k, n]`, of any strides; `c` is `[m, n]` by rows without gaps. All three are of one type.
/// float16 is added up in float32 and rounded once. Integers wrap around, as NumPy's do. Bool is "or" of "and"s.
/// NaN and infinities go the way of IEEE 754: a zero does not hide a NaN.
///
/// The result depends on the arguments alone, and not on a number of threads: there is one.
///
/// *Memory:* [`product_scratch_bytes`].
///
/// # Panics
/// When shapes do not fit each other, or a buffer is shorter than its shape says or not aligned for its type.
///
/// # Example
/// ```
/// use aosx::{dtype::DType, kernels::linalg::{Matrix, Update, product}};
///
/// let x = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let x = Matrix::by_rows(bytemuck::cast_slice(&x), 2, 3);
/// let mut c = [0.0f32; 4];
/// product(DType::F32, x, x.transposed(), bytemuck::cast_slice_mut(&mut c), Update::Replace);
/// assert_eq!(c, [14.0, 32.0, 32.0, 77.0]);
/// ```
pub fn product(dtype: DType, a: Matrix, b: Matrix, c: &mut [u8], update: Update) {
    assert_eq!(a.cols, b.rows, "as many columns as rows");
    let elements = a.rows.checked_mul(b.cols).and_then(|n| n.checked_mul(dtype.size()));
    assert_eq!(elements, Some(c.len()), "a result as long as its shape says");
    let from_library = matches!(dtype, DType::F32 | DType::F64);
    if update == Update::Replace && (a.cols == 0 || !from_library) {
        c.fill(0);
    }
    match dtype {
        DType::F64 => packed::<f64>(a, b, c, update),
        DType::F32 => packed::<f32>(a, b, c, update),
        DType::F16 => half_product::add(a, b, c),
        DType::Bool => exact::add::<exact::Logic>(a, b, c),
        DType::I8 | DType::U8 => exact::add::<exact::Wrap<u8>>(a, b, c),
        DType::I16 | DType::U16 => exact::add::<exact::Wrap<u16>>(a, b, c),
        DType::I32 | DType::U32 => exact::add::<exact::Wrap<u32>>(a, b, c),
        DType::I64 | DType::U64 => exact::add::<exact::Wrap<u64>>(a, b, c),
    }
}

/// The most memory that [`product`] takes beside its arguments, on the stack not counted.
///
/// The library packs panels of both factors. The panels of one call go back when it returns; 384 KiB of packed elements stay
/// with the thread as long as it lives. (The library reserves addresses as large as the second-level cache for those,
/// of which it touches no more.) Other types than float32 and float64 need what float32 needs, or nothing.
pub fn product_scratch_bytes(dtype: DType) -> u64 {
    let element = if dtype == DType::F64 { 8 } else { 4 };
    match dtype {
        DType::F64 | DType::F32 => {
            (DEPTH_MAX * (ROWS_MAX * element + 3 * PANEL_BYTES_MAX / DEPTH_MAX)) as u64 + (64 << 10)
        }
        DType::F16 => 3 * PANEL_BYTES_MAX as u64,
        _ => 0,
    }
}

/// Float types that the library multiplies.
pub(super) trait Packed: Pod {
    const ONE: Self;
}

impl Packed for f32 {
    const ONE: f32 = 1.0;
}

impl Packed for f64 {
    const ONE: f64 = 1.0;
}

fn packed<T: Packed>(a: Matrix, b: Matrix, c: &mut [u8], update: Update) {
    let (a, b) = (View::<T>::of(&a), View::<T>::of(&b));
    let c: &mut [T] = bytemuck::cast_slice_mut(c);
    for (block, c) in c.chunks_mut((ROWS_MAX * b.cols).max(1)).enumerate() {
        let start = block * ROWS_MAX;
        for depth in parts(a.cols) {
            let update = if depth.start == 0 { update } else { Update::Add };
            let left = a.piece(start..start + c.len() / b.cols, depth.clone());
            panel(left, b.piece(depth, 0..b.cols), c, update);
        }
    }
}

/// Equal parts of at most [`DEPTH_MAX`].
fn parts(depth: usize) -> impl Iterator<Item = Range<usize>> {
    let part = depth.div_ceil(depth.div_ceil(DEPTH_MAX).max(1)).max(1);
    (0..depth).step_by(part).map(move |start| start..depth.min(start + part))
}

/// One call of the library.
pub(super) fn panel<T: Packed>(a: View<T>, b: View<T>, c: &mut [T], update: Update) {
    assert!(a.cols == b.rows && c.len() == a.rows * b.cols, "shapes fit");
    // SAFETY: a view checks that its shape and strides stay inside its slice; `c` is as long, and borrowed alone.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            c.as_mut_ptr(),
            1,
            b.cols as isize,
            update == Update::Add,
            a.numbers().as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.numbers().as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
