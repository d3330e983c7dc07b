//! Shuffle: the bytes of elements gathered by their significance, and back.
//!
//! Shuffled, `n` elements of `E` bytes lie as `E` planes of `n` bytes. Bytes behind the last whole element stay where
//! they are, as in HDF5.

/// Puts the bytes of elements together again: planes in `src`, elements in `dst`, which are of one length.
///
/// # Panics
/// When they are not.
pub fn unshuffle(element: usize, src: &[u8], dst: &mut [u8]) {
    let tail = whole(element, src.len());
    dst[tail..].copy_from_slice(&src[tail..]);
    pick(element, &src[..tail], 0, 1, &mut dst[..tail]);
}

/// Puts together the bytes of some elements, `stride` apart from element `first` on: those that `dst` has room for.
///
/// # Panics
/// When the planes, which are those of whole elements, end before.
pub fn pick(element: usize, planes: &[u8], first: usize, stride: usize, dst: &mut [u8]) {
    match (element, stride) {
        (0 | 1, 1) => dst.copy_from_slice(&planes[first..first + dst.len()]),
        (2, 1) => interleave::<2>(planes, first, dst),
        (4, 1) => interleave::<4>(planes, first, dst),
        (8, 1) => interleave::<8>(planes, first, dst),
        _ => {
            let n = planes.len() / element.max(1);
            for (i, bytes) in dst.chunks_exact_mut(element.max(1)).enumerate() {
                bytes.iter_mut().enumerate().for_each(|(k, byte)| *byte = planes[k * n + first + i * stride]);
            }
        }
    }
}

/// Gathers the bytes of elements by their significance: elements in `src`, planes in `dst`, which are of one length.
///
/// # Panics
/// When they are not.
pub fn shuffle(element: usize, src: &[u8], dst: &mut [u8]) {
    let tail = whole(element, src.len());
    dst[tail..].copy_from_slice(&src[tail..]);
    let (src, dst) = (&src[..tail], &mut dst[..tail]);
    match element {
        0 | 1 => dst.copy_from_slice(src),
        2 => separate::<2>(src, dst),
        4 => separate::<4>(src, dst),
        8 => separate::<8>(src, dst),
        _ => {
            let n = tail / element;
            for (k, plane) in dst.chunks_exact_mut(n.max(1)).enumerate() {
                src.iter().skip(k).step_by(element).zip(plane).for_each(|(s, d)| *d = *s);
            }
        }
    }
}

/// The bytes of whole elements among `len`.
fn whole(element: usize, len: usize) -> usize {
    len - len % element.max(1)
}

fn interleave<const E: usize>(planes: &[u8], first: usize, dst: &mut [u8]) {
    let (n, some) = (planes.len() / E, dst.len() / E);
    let planes: [&[u8]; E] = std::array::from_fn(|k| &planes[k * n..(k + 1) * n][first..first + some]);
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        done = unsafe { avx2::interleave(planes, dst) };
    }
    for (i, element) in dst.chunks_exact_mut(E).enumerate().skip(done) {
        for (byte, plane) in element.iter_mut().zip(&planes) {
            *byte = plane[i];
        }
    }
}

fn separate<const E: usize>(src: &[u8], dst: &mut [u8]) {
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        done = unsafe { avx2::separate::<E>(src, dst) };
    }
    let n = src.len() / E;
    if n == 0 {
        return;
    }
    let src = &src[done * E..];
    for (k, plane) in dst.chunks_exact_mut(n).enumerate() {
        for (byte, element) in plane[done..].iter_mut().zip(src.chunks_exact(E)) {
            *byte = element[k];
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    //! Thirty-two elements at a time.
    //!
    //! Interleaving the first half of a sequence with the second is a perfect shuffle; done log2(E) times it
    //! transposes E planes into elements. Undone as often, it transposes elements into planes.

    use std::arch::x86_64::*;

    /// Elements in a step: the bytes of a register.
    const STEP: usize = 32;

    /// Interleaves the first half of the registers' bytes with the second, in each half of a register.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn halves<const E: usize>(x: [__m256i; E]) -> [__m256i; E] {
        let mut y = x;
        for k in 0..E / 2 {
            y[2 * k] = _mm256_unpacklo_epi8(x[k], x[k + E / 2]);
            y[2 * k + 1] = _mm256_unpackhi_epi8(x[k], x[k + E / 2]);
        }
        y
    }

    /// Puts the even bytes into the first half of the registers and the odd into the second: undoes [`halves`].
    #[inline]
    #[target_feature(enable = "avx2")]
    fn parities<const E: usize>(x: [__m256i; E]) -> [__m256i; E] {
        let low = _mm256_set1_epi16(0xff);
        let mut y = x;
        for k in 0..E / 2 {
            let (a, b) = (x[2 * k], x[2 * k + 1]);
            y[k] = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
            y[k + E / 2] = _mm256_packus_epi16(_mm256_srli_epi16::<8>(a), _mm256_srli_epi16::<8>(b));
        }
        y
    }

    /// Makes elements of planes, and says how many; the rest is fewer than [`STEP`].
    #[target_feature(enable = "avx2")]
    pub(super) fn interleave<const E: usize>(planes: [&[u8]; E], dst: &mut [u8]) -> usize {
        let steps = planes.iter().map(|plane| plane.len()).fold(dst.len() / E, usize::min) / STEP;
        for step in 0..steps {
            let mut x = [_mm256_setzero_si256(); E];
            for (x, plane) in x.iter_mut().zip(planes) {
                // SAFETY: ends at STEP steps <= plane.len().
                *x = unsafe { _mm256_loadu_si256(plane.as_ptr().add(step * STEP).cast()) };
            }
            let x = match E {
                2 => halves(x),
                4 => halves(halves(x)),
                _ => halves(halves(halves(x))),
            };
            let mut store = |at: usize, v: __m256i| {
                // SAFETY: ends at E STEP steps <= dst.len().
                unsafe { _mm256_storeu_si256(dst.as_mut_ptr().add((step * E + at) * STEP).cast(), v) }
            };
            // Each register's halves belong to elements 16 apart. Stores in the order of addresses are half as fast again.
            for k in 0..E / 2 {
                store(k, _mm256_permute2x128_si256::<0x20>(x[2 * k], x[2 * k + 1]));
            }
            for k in 0..E / 2 {
                store(E / 2 + k, _mm256_permute2x128_si256::<0x31>(x[2 * k], x[2 * k + 1]));
            }
        }
        steps * STEP
    }

    /// Makes planes of elements, and says of how many; the rest is fewer than [`STEP`].
    #[target_feature(enable = "avx2")]
    pub(super) fn separate<const E: usize>(src: &[u8], dst: &mut [u8]) -> usize {
        assert_eq!(src.len(), dst.len());
        let n = src.len() / E;
        let steps = n / STEP;
        for step in 0..steps {
            let load = |at: usize| {
                // SAFETY: ends at E STEP steps <= E n <= src.len().
                unsafe { _mm256_loadu_si256(src.as_ptr().add((step * E + at) * STEP).cast()) }
            };
            let mut x = [_mm256_setzero_si256(); E];
            for k in 0..E / 2 {
                let (first, second) = (load(k), load(E / 2 + k));
                x[2 * k] = _mm256_permute2x128_si256::<0x20>(first, second);
                x[2 * k + 1] = _mm256_permute2x128_si256::<0x31>(first, second);
            }
            let x = match E {
                2 => parities(x),
                4 => parities(parities(x)),
                _ => parities(parities(parities(x))),
            };
            for (k, x) in x.iter().enumerate() {
                // SAFETY: ends at k n + STEP steps <= (k + 1) n <= dst.len().
                unsafe { _mm256_storeu_si256(dst.as_mut_ptr().add(k * n + step * STEP).cast(), *x) }
            }
        }
        steps * STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_lie_one_behind_the_other_and_the_tail_stays() {
        let data: Vec<u8> = (0..11).collect();
        let mut planes = vec![0; 11];
        shuffle(4, &data, &mut planes);
        assert_eq!(planes, [0, 4, 1, 5, 2, 6, 3, 7, 8, 9, 10]);
    }

    #[test]
    fn every_element_size_and_length_agrees_with_the_definition() {
        for element in [0, 1, 2, 3, 4, 5, 7, 8, 12, 16] {
            for len in (0..300).chain([1023, 4096, 5000]) {
                let data: Vec<u8> = (0..len).map(|i: usize| (i.wrapping_mul(2654435761) >> 7) as u8).collect();
                let e = element.max(1);
                let n = len / e;
                let mut expected = data.clone();
                for i in 0..n {
                    for k in 0..e {
                        expected[k * n + i] = data[i * e + k];
                    }
                }
                let (mut planes, mut back) = (vec![0; len], vec![0; len]);
                shuffle(element, &data, &mut planes);
                assert_eq!(planes, expected, "element {element}, length {len}");
                unshuffle(element, &planes, &mut back);
                assert_eq!(back, data, "element {element}, length {len}");
                for (first, stride) in [(0, 1), (n / 3, 1), (n / 5, 2), (n / 2, 3)] {
                    let some = (n - first).div_ceil(stride);
                    let mut picked = vec![0; some * e];
                    pick(element, &planes[..n * e], first, stride, &mut picked);
                    let elements = data.chunks_exact(e).skip(first).step_by(stride);
                    assert!(
                        elements.eq(picked.chunks_exact(e)),
                        "element {element}, length {len}, from {first} by {stride}"
                    );
                }
            }
        }
    }
}
