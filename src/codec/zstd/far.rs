//! Whether data repeats what lies far back in it, as maps do that are the same at each time.
//!
//! A sample does not show that, and the quicker searches do not find it. So a few places are marked by what stands there,
//! which marks the same ones again where it is repeated.

use crate::kernels::simd::vectorised;
use std::ops::Range;

/// From where on the quicker searches find nothing, to where level 3 does, in bytes.
const FAR: Range<usize> = 128 << 10..2 << 20;
/// What has to be the same at a mark, in bytes.
const SAME: usize = 64;
/// One of so many places is marked.
const RARE: u32 = 1024;
/// Marks that are remembered.
const MARKS: usize = 4096;
/// The part of the marks that has to be repeated.
const PART: usize = 16;
/// Numbers that are looked at together.
const ROW: usize = 32;

/// Whether at least one of [`PART`] places stands further back as well.
pub(super) fn repeats(data: &[u8]) -> bool {
    let numbers = data.as_chunks().0;
    let mut seen = [0u32; MARKS];
    let (mut marks, mut repeated) = (0, 0);
    for first in (0..numbers.len().saturating_sub(ROW + SAME / 4)).step_by(ROW) {
        let row = &numbers[first..first + ROW + 1];
        if !any_marked(row) {
            continue;
        }
        for (k, pair) in row.windows(2).enumerate().filter(|(_, pair)| is_marked(pair)) {
            let at = (first + k) * 4;
            let before = &mut seen[mixed(&[pair[1], pair[0]]) as usize % MARKS];
            let from = *before as usize;
            marks += 1;
            repeated += usize::from(FAR.contains(&(at - from)) && data[from..from + SAME] == data[at..at + SAME]);
            *before = at as u32;
        }
    }
    repeated > 0 && repeated * PART >= marks
}

#[inline(always)]
fn is_marked(pair: &[[u8; 4]]) -> bool {
    mixed(pair) < u32::MAX / RARE
}

vectorised! {
    fn any_marked[](row: &[[u8; 4]]) -> bool {
        // Without a branch for each.
        row.windows(2).fold(false, |any, pair| any | is_marked(pair))
    }
}

/// A number that depends on all bits of two.
#[inline(always)]
fn mixed(pair: &[[u8; 4]]) -> u32 {
    let [a, b] = [u32::from_le_bytes(pair[0]), u32::from_le_bytes(pair[1])];
    let mixed = (a ^ b.rotate_left(15) ^ 0x85eb_ca6b).wrapping_mul(0x9e37_79b1);
    mixed ^ mixed >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize, seed: u32) -> Vec<u8> {
        let mut random = seed;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 9).to_le_bytes()
        };
        (0..n).flat_map(|_| next()).collect()
    }

    #[test]
    fn maps_that_are_the_same_are_seen_at_any_distance_and_others_are_not() {
        for numbers in [40_000, 259_921] {
            let map = noise(numbers, 5);
            assert!(repeats(&map.repeat(4)), "{numbers}");
            assert!(!repeats(&noise(numbers * 4, 5)), "{numbers}");
            let half: Vec<u8> =
                (0..4).flat_map(|k| [&map[..map.len() / 2], &noise(numbers / 2, k)[..]].concat()).collect();
            assert!(repeats(&half), "half of {numbers}");
        }
    }

    #[test]
    fn what_repeats_near_is_not_far() {
        assert!(!repeats(&noise(20_000, 5).repeat(20)));
        for constant in 0..=255 {
            assert!(!repeats(&vec![constant; 500_000]));
        }
        for n in 0..300 {
            assert!(!repeats(&noise(n, 5)));
        }
    }
}
