//! Changing the type ([`cast`]) and the place ([`place`], [`extract`], [`to_native`]) of elements.

use crate::{
    dtype::{ByteOrder, DType, Element, swap_in_place},
    with_dtype,
};
use half::{f16, slice::HalfFloatSliceExt};

/// Converts native elements from one type to another; `src` and `dst` hold equally many.
///
/// Floats become integers as Rust's `as` does it: cut towards zero, saturating, NaN to 0. Integers saturate as well.
/// Bool is "not zero". Every value is rounded at most once.
///
/// # Panics
/// When the lengths do not match.
pub fn cast(src: &[u8], from: DType, dst: &mut [u8], to: DType) {
    assert_eq!(src.len() / from.size(), dst.len() / to.size(), "as many elements in as out");
    if from == to {
        return dst.copy_from_slice(src);
    }
    match (from, to) {
        (DType::F16, DType::F32) => by_runs(src, dst, |x: &[f16], y: &mut [f32]| x.convert_to_f32_slice(y)),
        (DType::F32, DType::F16) => by_runs(src, dst, |x: &[f32], y: &mut [f16]| y.convert_from_f32_slice(x)),
        (_, DType::Bool) => with_dtype!(from, S => nonzero::<S>(src, dst)),
        _ => with_dtype!(from, S => with_dtype!(to, D => convert::<S, D>(src, dst))),
    }
}

/// Elements that are converted together, through a buffer.
const RUN: usize = 128;

/// Converts slices of numbers, wherever their bytes begin.
fn by_runs<S: Element, D: Element>(src: &[u8], dst: &mut [u8], convert: impl Fn(&[S], &mut [D])) {
    let (mut xs, mut ys) = ([S::zeroed(); RUN], [D::zeroed(); RUN]);
    for (x, y) in src.chunks(size_of::<S>() * RUN).zip(dst.chunks_mut(size_of::<D>() * RUN)) {
        let len = x.len() / size_of::<S>();
        bytemuck::cast_slice_mut(&mut xs[..len]).copy_from_slice(x);
        convert(&xs[..len], &mut ys[..len]);
        y.copy_from_slice(bytemuck::cast_slice(&ys[..len]));
    }
}

vectorised! {
    fn convert[S: To<D>, D: Element](src: &[u8], dst: &mut [u8]) -> () {
        for (y, x) in dst.chunks_exact_mut(size_of::<D>()).zip(src.chunks_exact(size_of::<S>())) {
            let x: S = bytemuck::pod_read_unaligned(x);
            y.copy_from_slice(bytemuck::bytes_of(&x.to()));
        }
    }
}

vectorised! {
    fn nonzero[S: Element](src: &[u8], dst: &mut [u8]) -> () {
        for (y, x) in dst.iter_mut().zip(src.chunks_exact(size_of::<S>())) {
            let x: S = bytemuck::pod_read_unaligned(x);
            *y = u8::from(x != S::zeroed());
        }
    }
}

/// A number in another type, rounded once.
trait To<D>: Element {
    fn to(self) -> D;
}

macro_rules! to {
    (integers $($s:ident)*) => {$(
        to!(@integer $s: i8 i16 i32 i64 u8 u16 u32 u64);
        to!(@as $s: f32 f64);
        to!(@half $s);
    )*};
    (floats $($s:ident)*) => {$(
        to!(@as $s: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
        to!(@half $s);
    )*};
    (@integer $s:ident: $($d:ident)*) => {$(impl To<$d> for $s {
        #[inline(always)]
        fn to(self) -> $d {
            // The numbers that both types hold.
            const LOW: $s = if ($s::MIN as i128) < $d::MIN as i128 { $d::MIN as $s } else { $s::MIN };
            const HIGH: $s = if ($s::MAX as i128) > $d::MAX as i128 { $d::MAX as $s } else { $s::MAX };
            self.clamp(LOW, HIGH) as $d
        }
    })*};
    (@as $s:ident: $($d:ident)*) => {$(impl To<$d> for $s {
        #[inline(always)]
        fn to(self) -> $d {
            self as $d
        }
    })*};
    (@of_half $($d:ident)*) => {$(impl To<$d> for f16 {
        #[inline(always)]
        fn to(self) -> $d {
            self.to_f32() as $d
        }
    })*};
    (@half $s:ident) => {
        impl To<f16> for $s {
            #[inline(always)]
            fn to(self) -> f16 {
                <f16 as Element>::from_f64(self as f64)
            }
        }
    };
}
to!(integers i8 i16 i32 i64 u8 u16 u32 u64);
to!(floats f32 f64);
to!(@of_half i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);

impl To<f16> for f16 {
    #[inline(always)]
    fn to(self) -> f16 {
        self
    }
}

/// Puts the row-major block `src` into the row-major block `dst`, its first element at position `at`.
///
/// *Shape*: `src_shape`, `dst_shape` and `at` have one rank; `element` is the bytes of one element.
///
/// # Panics
/// When `src` does not fit there, or a buffer is shorter than its shape says.
pub fn place(src: &[u8], src_shape: &[u64], dst: &mut [u8], dst_shape: &[u64], at: &[u64], element: usize) {
    check(src.len(), src_shape, dst.len(), dst_shape, at, element);
    common_runs(src_shape, dst_shape, at, element, &mut |s, d, n| dst[d..d + n].copy_from_slice(&src[s..s + n]));
}

/// The reverse of [`place`]: takes the block of `dst_shape` at position `at` out of `src`.
///
/// # Panics
/// When it does not lie inside `src`, or a buffer is shorter than its shape says.
pub fn extract(src: &[u8], src_shape: &[u64], at: &[u64], dst: &mut [u8], dst_shape: &[u64], element: usize) {
    check(dst.len(), dst_shape, src.len(), src_shape, at, element);
    common_runs(dst_shape, src_shape, at, element, &mut |d, s, n| dst[d..d + n].copy_from_slice(&src[s..s + n]));
}

/// Calls `each(i, o, bytes)` for the longest runs of a row-major block that are such in `outer` too, where it lies at
/// position `at`: from byte `i` of the one and byte `o` of the other on.
pub fn common_runs(
    inner: &[u64],
    outer: &[u64],
    at: &[u64],
    element: usize,
    each: &mut dyn FnMut(usize, usize, usize),
) {
    let around = strides(outer, element);
    let start = dot(at, &around);
    runs(inner, &strides(inner, element), &around, element, &mut |i, o, n| each(i, start + o, n));
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

    #[test]
    fn values_are_rounded_once() {
        // Half way between two float16 numbers but for the last digit of a float64, and the same of float32.
        let halves = [1.0 + f64::from(2.0f32.powi(-11)) + 1e-15, 1.0 + 2.0f64.powi(-11), 1e300, -65519.99999];
        let mut out = [0; 8];
        cast(bytemuck::bytes_of(&halves), DType::F64, &mut out, DType::F16);
        let read: Vec<f64> = out.chunks(2).map(|c| f16::from_ne_bytes([c[0], c[1]]).to_f64()).collect();
        assert_eq!(read, [1.0 + 2.0f64.powi(-10), 1.0, f64::INFINITY, -65504.0]);
        let long = (1i64 << 60) + (1 << 36) + 1;
        let mut out = [0; 4];
        cast(&long.to_ne_bytes(), DType::I64, &mut out, DType::F32);
        assert_eq!(f32::from_ne_bytes(out), (1i64 << 60) as f32 + (1i64 << 37) as f32);
    }

    /// A value in another type, by way of f64.
    fn one_by_one(x: &[u8], from: DType, to: DType) -> f64 {
        let x = with_dtype!(from, T => bytemuck::pod_read_unaligned::<T>(x).to_f64());
        if to == DType::Bool { f64::from(u8::from(x != 0.0)) } else { with_dtype!(to, T => T::from_f64(x).to_f64()) }
    }

    proptest! {
        #[test]
        fn every_type_becomes_every_type(bytes in prop::collection::vec(any::<u8>(), 0..800), start in 0..8usize) {
            for (from, to) in DType::ALL.iter().flat_map(|a| DType::ALL.map(|b| (*a, b))) {
                let len = bytes.len().saturating_sub(start) / 8;
                // Numbers of at most 32 bits, which f64 holds.
                let wide = matches!(from, DType::I64 | DType::U64);
                let mut src = bytes[bytes.len().min(start)..][..len * from.size()].to_vec();
                if from == DType::Bool {
                    src.iter_mut().for_each(|x| *x &= 1);
                }
                if wide {
                    src.chunks_mut(8).for_each(|x| x[4..].fill(0));
                }
                let mut dst = vec![0; len * to.size() + start];
                cast(&src, from, &mut dst[start..], to);
                for (x, y) in src.chunks(from.size()).zip(dst[start..].chunks(to.size())) {
                    let got = with_dtype!(to, T => bytemuck::pod_read_unaligned::<T>(y).to_f64());
                    let want = one_by_one(x, from, to);
                    prop_assert!(got == want || (got.is_nan() && want.is_nan()), "{from} {x:?} in {to}: {got}, not {want}");
                }
            }
        }

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
    fn common_runs_are_as_long_as_they_can_be() {
        let runs = |at: [u64; 3], inner: [u64; 3]| {
            let mut out = Vec::new();
            common_runs(&inner, &[4, 3, 5], &at, 1, &mut |_, o, n| out.push((o, n)));
            out
        };
        assert_eq!(runs([0, 0, 0], [4, 3, 5]), [(0, 60)]);
        assert_eq!(runs([1, 0, 0], [2, 3, 5]), [(15, 30)]);
        assert_eq!(runs([1, 1, 0], [2, 2, 5]), [(20, 10), (35, 10)]);
        assert_eq!(runs([0, 1, 2], [1, 2, 3]), [(7, 3), (12, 3)]);
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
