//! Changing the type ([`cast`]) and the place ([`place`], [`extract`], [`to_native`]) of elements.

use crate::{
    dtype::{ByteOrder, DType, Element, swap_in_place},
    with_dtype,
};

/// Converts native elements from one type to another; `src` and `dst` hold equally many.
///
/// Floats become integers as Rust's `as` does it: cut towards zero, saturating, NaN to 0. Bool is "not zero".
///
/// # Panics
/// When the lengths do not match.
pub fn cast(src: &[u8], from: DType, dst: &mut [u8], to: DType) {
    assert_eq!(src.len() / from.size(), dst.len() / to.size(), "as many elements in as out");
    if from == to {
        return dst.copy_from_slice(src);
    }
    with_dtype!(from, S => with_dtype!(to, D => {
        let both_integers = !from.is_float() && !to.is_float();
        for (y, x) in dst.chunks_exact_mut(size_of::<D>()).zip(src.chunks_exact(size_of::<S>())) {
            let x: S = bytemuck::pod_read_unaligned(x);
            let value = match to {
                DType::Bool => D::from_f64(f64::from(u8::from(x.to_f64() != 0.0))),
                _ if both_integers => integer::<S, D>(x),
                _ => D::from_f64(x.to_f64()),
            };
            y.copy_from_slice(bytemuck::bytes_of(&value));
        }
    }))
}

/// An integer in another integer type, saturating: f64 would lose digits of large ones.
#[inline(always)]
fn integer<S: Element, D: Element>(x: S) -> D {
    let mut bytes = [0; 8];
    let size = size_of::<S>();
    bytes[..size].copy_from_slice(bytemuck::bytes_of(&x));
    let raw = u64::from_le_bytes(if cfg!(target_endian = "little") { bytes } else { reversed(bytes, size) });
    let shift = 64 - 8 * size as u32;
    let signed = matches!(S::DTYPE, DType::I8 | DType::I16 | DType::I32 | DType::I64);
    let wide = if signed { i128::from((raw << shift) as i64 >> shift) } else { i128::from(raw) };
    let bits = 8 * size_of::<D>() as u32;
    let (low, high) = match D::DTYPE {
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
        _ => (0, (1i128 << bits) - 1),
    };
    let bytes = wide.clamp(low, high).to_le_bytes();
    let y: D = bytemuck::pod_read_unaligned(&bytes[..size_of::<D>()]);
    if cfg!(target_endian = "big") { y.swapped() } else { y }
}

fn reversed(mut bytes: [u8; 8], size: usize) -> [u8; 8] {
    bytes[..size].reverse();
    bytes
}

/// Puts the row-major block `src` into the row-major block `dst`, its first element at position `at`.
///
/// *Shape*: `src_shape`, `dst_shape` and `at` have one rank; `element` is the bytes of one element.
///
/// # Panics
/// When `src` does not fit there, or a buffer is shorter than its shape says.
pub fn place(src: &[u8], src_shape: &[u64], dst: &mut [u8], dst_shape: &[u64], at: &[u64], element: usize) {
    check(src.len(), src_shape, dst.len(), dst_shape, at, element);
    let moved = strides(dst_shape, element);
    let start = dot(at, &moved);
    runs(src_shape, &strides(src_shape, element), &moved, element, &mut |s, d, n| {
        dst[start + d..start + d + n].copy_from_slice(&src[s..s + n]);
    });
}

/// The reverse of [`place`]: takes the block of `dst_shape` at position `at` out of `src`.
///
/// # Panics
/// When it does not lie inside `src`, or a buffer is shorter than its shape says.
pub fn extract(src: &[u8], src_shape: &[u64], at: &[u64], dst: &mut [u8], dst_shape: &[u64], element: usize) {
    check(dst.len(), dst_shape, src.len(), src_shape, at, element);
    let from = strides(src_shape, element);
    let start = dot(at, &from);
    runs(dst_shape, &strides(dst_shape, element), &from, element, &mut |d, s, n| {
        dst[d..d + n].copy_from_slice(&src[start + s..start + s + n]);
    });
}

/// A chunk as stored to a clipped row-major block in native byte order.
///
/// `axes` are the array's axes from the slowest in the chunk to the fastest, `chunk` the whole chunk's and `clipped`
/// the wanted block's shape in the array's order of axes.
///
/// # Panics
/// When the block is larger than the chunk, or a buffer is shorter than its shape says.
pub fn to_native(
    bytes: &[u8],
    order: ByteOrder,
    axes: &[usize],
    chunk: &[u64],
    clipped: &[u64],
    element: usize,
    out: &mut [u8],
) {
    check(out.len(), clipped, bytes.len(), chunk, &vec![0; chunk.len()], element);
    let lengths: Vec<u64> = axes.iter().map(|&a| chunk[a]).collect();
    let stored = strides(&lengths, element);
    let mut from = vec![0; chunk.len()];
    axes.iter().zip(&stored).for_each(|(&axis, &stride)| from[axis] = stride);
    runs(clipped, &strides(clipped, element), &from, element, &mut |d, s, n| {
        out[d..d + n].copy_from_slice(&bytes[s..s + n]);
    });
    if order != ByteOrder::NATIVE {
        let len = clipped.iter().product::<u64>() as usize * element;
        swap_in_place(&mut out[..len], element);
    }
}

fn check(inner_len: usize, inner: &[u64], outer_len: usize, outer: &[u64], at: &[u64], element: usize) {
    assert!(inner.len() == outer.len() && inner.len() == at.len(), "shapes of one rank");
    let bytes = |shape: &[u64]| shape.iter().product::<u64>() as usize * element;
    assert!(inner_len >= bytes(inner) && outer_len >= bytes(outer), "buffers as long as their shapes say");
    let inside = inner.iter().zip(at).zip(outer).all(|((n, a), m)| a + n <= *m);
    assert!(inside, "{inner:?} at {at:?} lies inside {outer:?}");
}

/// Row-major strides in bytes.
fn strides(shape: &[u64], element: usize) -> Vec<usize> {
    let mut strides = vec![element; shape.len()];
    for k in (1..shape.len()).rev() {
        strides[k - 1] = strides[k] * shape[k] as usize;
    }
    strides
}

fn dot(at: &[u64], strides: &[usize]) -> usize {
    at.iter().zip(strides).map(|(&i, &s)| i as usize * s).sum()
}

/// Calls `copy(a, b, bytes)` for the longest runs that are contiguous under both strides.
fn runs(shape: &[u64], a: &[usize], b: &[usize], element: usize, copy: &mut dyn FnMut(usize, usize, usize)) {
    if shape.contains(&0) {
        return;
    }
    let mut run = element;
    let mut outer = shape.len();
    while outer > 0 && (shape[outer - 1] == 1 || (a[outer - 1] == run && b[outer - 1] == run)) {
        outer -= 1;
        run *= shape[outer] as usize;
    }
    each(&shape[..outer], a, b, (0, 0), run, copy);
}

fn each(
    shape: &[u64],
    a: &[usize],
    b: &[usize],
    at: (usize, usize),
    run: usize,
    copy: &mut dyn FnMut(usize, usize, usize),
) {
    match shape {
        [] => copy(at.0, at.1, run),
        [n, rest @ ..] => (0..*n as usize).for_each(|i| {
            each(rest, &a[1..], &b[1..], (at.0 + i * a[0], at.1 + i * b[0]), run, copy);
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn large_integers_keep_their_digits_and_saturate() {
        let src: Vec<u8> = [i64::MAX - 1, -5, 300].iter().flat_map(|x| x.to_ne_bytes()).collect();
        let mut out = [0; 24];
        cast(&src, DType::I64, &mut out, DType::U64);
        let read = |k: usize| u64::from_ne_bytes(out[k * 8..][..8].try_into().unwrap());
        assert_eq!([read(0), read(1), read(2)], [i64::MAX as u64 - 1, 0, 300]);
        let mut out = [0; 3];
        cast(&src, DType::I64, &mut out, DType::U8);
        assert_eq!(out, [255, 0, 255]);
        cast(&src, DType::I64, &mut out, DType::I8);
        assert_eq!(out.map(|x| x as i8), [127, -5, 127]);
    }

    #[test]
    fn floats_round_truncate_and_become_bools() {
        let src: Vec<u8> = [0.1f64, -2.9, f64::NAN, 0.0].iter().flat_map(|x| x.to_ne_bytes()).collect();
        let mut out = [0; 16];
        cast(&src, DType::F64, &mut out, DType::F32);
        assert_eq!(f32::from_ne_bytes(out[..4].try_into().unwrap()), 0.1);
        cast(&src, DType::F64, &mut out, DType::I32);
        let ints: Vec<i32> = out.chunks(4).map(|c| i32::from_ne_bytes(c.try_into().unwrap())).collect();
        assert_eq!(ints, [0, -2, 0, 0]);
        let mut out = [9; 4];
        cast(&src, DType::F64, &mut out, DType::Bool);
        assert_eq!(out, [1, 1, 1, 0]);
    }

    proptest! {
        #[test]
        fn what_is_placed_is_extracted(
            dims in prop::collection::vec((0..4u64, 0..3u64, 0..3u64), 0..4), element in 1..9usize, seed in any::<u8>(),
        ) {
            let inner: Vec<u64> = dims.iter().map(|d| d.0).collect();
            let at: Vec<u64> = dims.iter().map(|d| d.1).collect();
            let outer: Vec<u64> = dims.iter().map(|d| d.0 + d.1 + d.2).collect();
            let len = |shape: &[u64]| shape.iter().product::<u64>() as usize * element;
            let src: Vec<u8> = (0..len(&inner)).map(|k| (k as u8).wrapping_add(seed) | 1).collect();
            let mut dst = vec![0; len(&outer)];
            place(&src, &inner, &mut dst, &outer, &at, element);
            let written: usize = dst.iter().filter(|x| **x != 0).count();
            prop_assert_eq!(written, src.len());
            let mut back = vec![0; src.len()];
            extract(&dst, &outer, &at, &mut back, &inner, element);
            prop_assert_eq!(back, src);
        }
    }

    #[test]
    fn stored_order_becomes_row_major() {
        // A 2 x 3 chunk stored by columns, big-endian, cut to 2 x 2.
        let stored: Vec<u8> = [11u16, 21, 12, 22, 13, 23].iter().flat_map(|x| x.to_be_bytes()).collect();
        let mut out = [0; 8];
        to_native(&stored, ByteOrder::Big, &[1, 0], &[2, 3], &[2, 2], 2, &mut out);
        let read: Vec<u16> = out.chunks(2).map(|c| u16::from_ne_bytes(c.try_into().unwrap())).collect();
        assert_eq!(read, [11, 12, 21, 22]);
    }
}
