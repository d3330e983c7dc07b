//! Picking elements along an axis by their positions.

use crate::error::{Problem, Result};

/// NumPy's `take_along_axis`: `out[o, j, i] = src[o, index[o, j, i], i]`.
///
/// *Shape*: `src` is `[outer, n, inner]`, `index` and `out` are `[outer, m, inner]`, all row-major; an element has
/// `element_bytes` bytes. A negative index counts from the end.
///
/// # Errors
/// [`Problem::IndexOutOfRange`] for an index that is not in `-n..n`; `out` is then written in part.
///
/// # Panics
/// When a buffer has another length.
///
/// # Example
/// ```
/// use aosx::kernels::lanes::take_along;
/// let mut out = [0; 4];
/// take_along(1, &[1, 2, 3, 4, 5, 6], 2, 3, 1, &[2, 0, -1, -2], 2, &mut out)?;
/// assert_eq!(out, [3, 1, 6, 5]);
/// # Ok::<(), aosx::error::Error>(())
/// ```
#[allow(clippy::too_many_arguments)] // the shape is four of them
pub fn take_along(
    element_bytes: usize,
    src: &[u8],
    outer: usize,
    n: usize,
    inner: usize,
    index: &[i64],
    m: usize,
    out: &mut [u8],
) -> Result<()> {
    assert_eq!(src.len(), outer * n * inner * element_bytes, "the input is [outer, n, inner]");
    assert_eq!(index.len(), outer * m * inner, "the index is [outer, m, inner]");
    assert_eq!(out.len(), index.len() * element_bytes, "the output is [outer, m, inner]");
    match element_bytes {
        1 => take::<1>(src, n, inner, index, m, out),
        2 => take::<2>(src, n, inner, index, m, out),
        4 => take::<4>(src, n, inner, index, m, out),
        8 => take::<8>(src, n, inner, index, m, out),
        other => unreachable!("no element has {other} bytes"),
    }
}

fn take<const N: usize>(src: &[u8], n: usize, inner: usize, index: &[i64], m: usize, out: &mut [u8]) -> Result<()> {
    let (src, out) = (src.as_chunks::<N>().0, out.as_chunks_mut::<N>().0);
    let rows = index.chunks_exact(inner.max(1)).zip(out.chunks_exact_mut(inner.max(1)));
    for (row, (index, out)) in rows.enumerate() {
        let slab = &src[row / m * n * inner..][..n * inner];
        for (i, (index, y)) in index.iter().zip(out).enumerate() {
            *y = slab[position(*index, n)? * inner + i];
        }
    }
    Ok(())
}

/// Rows at some positions along an axis: `out[o, j, i] = src[o, index[j] - first, i]`.
///
/// *Shape*: `src` is `[outer, n, inner]`, `out` is `[outer, index.len(), inner]`, both row-major; an element has
/// `element_bytes` bytes.
///
/// # Panics
/// When a buffer has another length, or a position is not in `first..first + n`.
///
/// # Example
/// ```
/// use aosx::kernels::lanes::take_rows;
/// let mut out = [0; 6];
/// take_rows(1, &[1, 2, 3, 4], [2, 2, 1], &[8, 7, 7], 7, &mut out);
/// assert_eq!(out, [2, 1, 1, 4, 3, 3]);
/// ```
pub fn take_rows(
    element_bytes: usize,
    src: &[u8],
    [outer, n, inner]: [usize; 3],
    index: &[u64],
    first: u64,
    out: &mut [u8],
) {
    assert_eq!(src.len(), outer * n * inner * element_bytes, "the input is [outer, n, inner]");
    assert_eq!(out.len(), outer * index.len() * inner * element_bytes, "the output is [outer, index.len(), inner]");
    if src.is_empty() || out.is_empty() {
        return;
    }
    match inner * element_bytes {
        1 => rows::<1>(src, n, index, first, out),
        2 => rows::<2>(src, n, index, first, out),
        4 => rows::<4>(src, n, index, first, out),
        8 => rows::<8>(src, n, index, first, out),
        row => {
            let all = src.chunks_exact(n * row).zip(out.chunks_exact_mut(index.len() * row));
            for (src, out) in all {
                for (at, y) in index.iter().zip(out.chunks_exact_mut(row)) {
                    y.copy_from_slice(&src[(at - first) as usize * row..][..row]);
                }
            }
        }
    }
}

fn rows<const N: usize>(src: &[u8], n: usize, index: &[u64], first: u64, out: &mut [u8]) {
    let (src, out) = (src.as_chunks::<N>().0, out.as_chunks_mut::<N>().0);
    for (src, out) in src.chunks_exact(n).zip(out.chunks_exact_mut(index.len())) {
        index.iter().zip(out).for_each(|(at, y)| *y = src[(at - first) as usize]);
    }
}

/// The position that an index means along an axis of `n`.
#[inline(always)]
fn position(index: i64, n: usize) -> Result<usize> {
    let at = if index < 0 { index.wrapping_add(n as i64) } else { index };
    match usize::try_from(at) {
        Ok(at) if at < n => Ok(at),
        _ => Err(Problem::IndexOutOfRange { index, len: n as u64 }.into()),
    }
}
