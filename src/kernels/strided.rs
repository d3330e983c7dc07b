//! Copies between blocks of any strides.

use crate::shape::Region;

/// A block's elements: where the first lies, and how far apart neighbours along each axis are, in elements.
#[derive(Debug, Clone, Copy)]
pub struct Strided<'a> {
    /// The first element.
    pub first: isize,
    /// From one to the next along each axis; 0 repeats, negative goes backwards.
    pub strides: &'a [isize],
}

/// Copies a box of `lengths` from `src` to `dst`, elements of `size` bytes (1, 2, 4 or 8).
///
/// Where the fastest axes of the two differ, it goes in small squares, so that both stay in cache.
///
/// # Panics
/// When an element lies outside a buffer, or a buffer is not aligned for its elements.
pub fn copy(lengths: &[usize], src: &[u8], from: Strided<'_>, dst: &mut [u8], to: Strided<'_>, size: usize) {
    if lengths.contains(&0) {
        return;
    }
    match size {
        1 => copy_as::<u8>(lengths, src, from, dst, to),
        2 => copy_as::<u16>(lengths, bytemuck::cast_slice(src), from, bytemuck::cast_slice_mut(dst), to),
        4 => copy_as::<u32>(lengths, bytemuck::cast_slice(src), from, bytemuck::cast_slice_mut(dst), to),
        8 => copy_as::<u64>(lengths, bytemuck::cast_slice(src), from, bytemuck::cast_slice_mut(dst), to),
        other => panic!("elements of {other} bytes"),
    }
}

/// The side of the squares in which blocks are turned.
const SQUARE: usize = 32;

fn copy_as<T: Copy>(lengths: &[usize], src: &[T], from: Strided<'_>, dst: &mut [T], to: Strided<'_>) {
    // The axis that is fastest in each; the others go round it.
    let fastest = |strides: &[isize]| {
        (0..lengths.len())
            .filter(|&k| lengths[k] > 1 && strides[k] != 0)
            .min_by_key(|&k| (strides[k].unsigned_abs(), usize::MAX - k))
    };
    let Some(inner) = fastest(to.strides) else {
        dst[to.first as usize] = src[from.first as usize];
        return;
    };
    let across = fastest(from.strides).filter(|&k| k != inner);
    let outer: Vec<usize> = (0..lengths.len()).filter(|&k| k != inner && Some(k) != across && lengths[k] > 1).collect();
    let rows: usize = outer.iter().map(|&k| lengths[k]).product();
    let mut index = vec![0; outer.len()];
    let (mut s, mut d) = (from.first, to.first);
    for _ in 0..rows {
        let (a, b) = (from.strides[inner], to.strides[inner]);
        match across {
            None => run(lengths[inner], src, s, a, dst, d, b),
            Some(k) => {
                let (c, e) = (from.strides[k], to.strides[k]);
                for i in (0..lengths[inner]).step_by(SQUARE) {
                    let n = SQUARE.min(lengths[inner] - i);
                    for j in (0..lengths[k]).step_by(SQUARE) {
                        for q in j..(j + SQUARE).min(lengths[k]) {
                            let (i, q) = (i as isize, q as isize);
                            run(n, src, s + i * a + q * c, a, dst, d + i * b + q * e, b);
                        }
                    }
                }
            }
        }
        for (at, &k) in index.iter_mut().zip(&outer).rev() {
            *at += 1;
            (s, d) = (s + from.strides[k], d + to.strides[k]);
            if *at < lengths[k] {
                break;
            }
            (s, d) = (s - from.strides[k] * lengths[k] as isize, d - to.strides[k] * lengths[k] as isize);
            *at = 0;
        }
    }
}

#[inline]
fn run<T: Copy>(n: usize, src: &[T], s: isize, a: isize, dst: &mut [T], d: isize, b: isize) {
    if a == 1 && b == 1 {
        let (s, d) = (s as usize, d as usize);
        dst[d..d + n].copy_from_slice(&src[s..s + n]);
    } else if a == 0 && b == 1 {
        let d = d as usize;
        dst[d..d + n].fill(src[s as usize]);
    } else if b == 1 && a > 0 {
        let out = &mut dst[d as usize..d as usize + n];
        for (y, x) in out.iter_mut().zip(src[s as usize..].iter().step_by(a as usize)) {
            *y = *x;
        }
        assert!(s as usize + (n - 1) * (a as usize) < src.len(), "a box inside its block");
    } else {
        for k in 0..n as isize {
            dst[(d + k * b) as usize] = src[(s + k * a) as usize];
        }
    }
}

/// Copies what two regions of one array share; each is row-major in its bytes.
pub fn copy_shared(src: &[u8], from: &Region, dst: &mut [u8], to: &Region, element: usize) {
    copy_part(src, from, from, dst, to, element);
}

/// Copies what two regions of one array share as far as it lies in `part`; each is row-major in its bytes.
pub fn copy_part(src: &[u8], from: &Region, part: &Region, dst: &mut [u8], to: &Region, element: usize) {
    let Some(shared) = part.intersect(from).and_then(|part| part.intersect(to)) else { return };
    if shared == *from && shared == *to {
        let bytes = shared.shape.iter().product::<u64>() as usize * element;
        return dst[..bytes].copy_from_slice(&src[..bytes]);
    }
    let strides = |region: &Region| -> Vec<isize> { region.shape.strides().iter().map(|&s| s as isize).collect() };
    let (s, d) = (strides(from), strides(to));
    let first = |outer: &Region, strides: &[isize]| -> isize {
        shared.start.iter().zip(&outer.start).zip(strides).map(|((a, b), s)| (a - b) as isize * s).sum()
    };
    let lengths: Vec<usize> = shared.shape.iter().map(|&n| n as usize).collect();
    let source = Strided { first: first(from, &s), strides: &s };
    copy(&lengths, src, source, dst, Strided { first: first(to, &d), strides: &d }, element);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_strides_copy_what_they_say() {
        let lengths = [3usize, 70, 41];
        let src: Vec<u32> = (0..3 * 70 * 41).collect();
        let cases: [(isize, [isize; 3]); 4] =
            [(0, [70 * 41, 41, 1]), (0, [1, 3, 210]), (69 * 41, [70 * 41, -41, 1]), (0, [0, 0, 1])];
        for (first, strides) in cases {
            let mut dst = vec![0u32; 3 * 70 * 41];
            let to = Strided { first: 0, strides: &[70 * 41, 41, 1] };
            copy(
                &lengths,
                bytemuck::cast_slice(&src),
                Strided { first, strides: &strides },
                bytemuck::cast_slice_mut(&mut dst),
                to,
                4,
            );
            for i in 0..3 {
                for j in 0..70 {
                    for k in 0..41 {
                        let want = first + i * strides[0] + j * strides[1] + k * strides[2];
                        assert_eq!(dst[((i * 70 + j) * 41 + k) as usize], want as u32);
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_and_one_element() {
        let mut out = [0u8; 2];
        let none = Strided { first: 0, strides: &[1] };
        copy(&[0], &[], none, &mut [], none, 8);
        copy(
            &[],
            &7u16.to_ne_bytes().map(|b| b),
            Strided { first: 0, strides: &[] },
            &mut out,
            Strided { first: 0, strides: &[] },
            1,
        );
        assert_eq!(out[0], 7u16.to_ne_bytes()[0]);
    }
}
