//! Philox against its published vectors, distributions against their moments and quantiles, and goldens.

use super::*;

/// From kat_vectors of Random123.
#[test]
fn philox_gives_the_published_numbers() {
    let cases = [
        ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        ),
    ];
    for (counter, key, want) in cases {
        assert_eq!(philox(counter, key), want);
    }
}

#[test]
fn many_at_once_are_one_by_one() {
    let seed = 0x0123_4567_89ab_cdef;
    for first in [0, 1, 15, 16, 17, (1 << 33) - 5, u64::MAX - 100] {
        let mut words = [0; 50];
        fill_words(seed, first, &mut words);
        for (i, word) in (first..).zip(words) {
            assert_eq!(word, again(seed, i, 0), "{i}");
        }
    }
}

fn drawn<T: Element>(distribution: Distribution, seed: u64, first: u64, len: usize) -> Vec<T> {
    let mut out = vec![T::from_f64(0.0); len];
    fill(distribution, seed, T::DTYPE, first, bytemuck::cast_slice_mut(&mut out));
    out
}

const ALL: [Distribution; 3] = [
    Distribution::Uniform { low: -1.5, high: 2.25 },
    Distribution::Normal { mean: 10.0, std: 3.0 },
    Distribution::Integers { low: -5, high: 12 },
];

#[test]
fn any_cutting_gives_the_same_numbers() {
    fn check<T: Element>(distribution: Distribution) {
        let whole = drawn::<T>(distribution, 9, 3, 2000);
        for len in [1, 7, 16, 511, 513] {
            let pieces = (0..2000).step_by(len);
            let cut: Vec<T> = pieces.flat_map(|at| drawn(distribution, 9, 3 + at as u64, len.min(2000 - at))).collect();
            assert_eq!(cut, whole, "{len}");
        }
    }
    check::<f64>(ALL[0]);
    check::<f32>(ALL[0]);
    check::<f16>(ALL[1]);
    check::<f64>(ALL[1]);
    check::<i8>(ALL[2]);
    check::<i64>(ALL[2]);
}

#[test]
fn seeds_differ() {
    for distribution in &ALL[..2] {
        let [a, b] = [1, 1 << 32].map(|seed| drawn::<f64>(*distribution, seed, 0, 1000));
        assert!(a.iter().zip(&b).all(|(a, b)| a != b));
    }
}
