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

/// The first four moments about the mean, the odd ones first.
fn moments(x: &[f64]) -> [f64; 4] {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let about = |k: i32| x.iter().map(|x| (x - mean).powi(k)).sum::<f64>() / n;
    [mean, about(3), about(2), about(4)]
}

/// The largest distance of the numbers' distribution from another (Kolmogorov & Smirnov), times the root of their count.
fn distance(mut x: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    x.sort_by(f64::total_cmp);
    let n = x.len() as f64;
    let far = |(k, x): (usize, &f64)| (cdf(*x) - k as f64 / n).abs().max((cdf(*x) - (k + 1) as f64 / n).abs());
    x.iter().enumerate().map(far).fold(0.0, f64::max) * n.sqrt()
}

const MANY: usize = 200_000;

#[test]
fn uniform_numbers_are_uniform() {
    for (seed, first) in [(0, 0), (1, 1), (u64::MAX, 1 << 40)] {
        let x: Vec<f64> = drawn(Distribution::Uniform { low: 0.0, high: 1.0 }, seed, first, MANY);
        assert!(x.iter().all(|x| (0.0..1.0).contains(x)));
        for (got, want) in moments(&x).into_iter().zip([0.5, 0.0, 1.0 / 12.0, 1.0 / 80.0]) {
            assert!((got - want).abs() < 4.0 * 0.3 / (MANY as f64).sqrt(), "{got} {want}");
        }
        // 1.95 is passed once in a thousand times.
        assert!(distance(x.clone(), |x| x) < 1.95);
        // Neighbours have nothing to do with each other.
        for lag in [1, 2, 16] {
            let pairs = x.iter().zip(&x[lag..]).map(|(a, b)| (a - 0.5) * (b - 0.5));
            let correlation = 12.0 * pairs.sum::<f64>() / (MANY - lag) as f64;
            assert!(correlation.abs() < 4.0 / (MANY as f64).sqrt(), "{correlation}");
        }
    }
}

#[test]
fn normal_numbers_are_normal() {
    let x: Vec<f64> = drawn(Distribution::Normal { mean: 0.0, std: 1.0 }, 5, 11, MANY);
    for (got, want) in moments(&x).into_iter().zip([0.0, 0.0, 1.0, 3.0]) {
        assert!((got - want).abs() < 4.0 * 10.0 / (MANY as f64).sqrt(), "{got} {want}");
    }
    // By the quantiles' own table: as many between neighbouring quantiles as there should be.
    let quantiles: Vec<f64> = (1..100).map(|k| quantile(f64::from(k) / 100.0)).collect();
    let mut counts = [0f64; 100];
    x.iter().for_each(|x| counts[quantiles.partition_point(|q| q < x)] += 1.0);
    let expected = MANY as f64 / 100.0;
    let chi_squared: f64 = counts.iter().map(|n| (n - expected) * (n - expected) / expected).sum();
    // Chi squared of 99 degrees of freedom: 149 is passed once in a thousand times, as is 60 from below.
    assert!((60.0..149.0).contains(&chi_squared), "{chi_squared}");
    let shifted: Vec<f64> = drawn(Distribution::Normal { mean: -3.0, std: 0.5 }, 5, 11, MANY);
    assert!(shifted.iter().zip(&x).all(|(a, b)| (a - (b * 0.5 - 3.0)).abs() < 1e-14));
}

fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    let r = 0.180625 - q * q;
    if q.abs() > CENTRAL {
        let mut one = [q];
        for_tails(&mut one);
        one[0]
    } else {
        polynomial(&A, r) * q / polynomial(&B, r)
    }
}

/// From statistics.NormalDist().inv_cdf of Python 3.
#[test]
fn quantiles_are_those_of_the_table() {
    let table = [
        (2f64.powi(-53), -8.209536151601386),
        (2f64.powi(-40), -7.047700256664409),
        (2f64.powi(-36), -6.651035379893009),
        (2f64.powi(-35), -6.54826936783173),
        (2f64.powi(-17), -4.324919040826044),
        (2f64.powi(-7), -2.417559016236505),
        (0.0625, -1.5341205443525459),
        (0.078125, -1.4177971379962673),
        (0.25, -0.6744897501960817),
        (0.5, 0.0),
        (0.6, 0.2533471031357998),
        (0.92, 1.4050715603096327),
        (0.9251, 1.4402382675279632),
        (0.99, 2.3263478740408408),
        (0.99999, 4.26489079392384),
    ];
    for (p, want) in table {
        let got = quantile(p);
        assert!((got - want).abs() <= 4e-16 * want.abs(), "{p}: {got} {want}");
    }
    // The outermost there are, and they are each other's mirror image.
    assert_eq!(centred(0), -0.5 + 1.0 / (1u64 << 53) as f64);
    assert_eq!(centred(u64::MAX), -centred(0));
    assert!((quantile(0.5 + centred(0)) + 8.209536151601387).abs() < 1e-14);
}

#[test]
fn the_logarithm_is_within_two_units_in_the_last_place() {
    for k in 1..20_000 {
        let x = f64::from(k) * 3.75e-6;
        assert!((ln(x) - x.ln()).abs() <= 2.0 * f64::EPSILON * x.ln().abs(), "{x}");
        let x = x * 2f64.powi(-(k % 40));
        assert!((ln(x) - x.ln()).abs() <= 2.0 * f64::EPSILON * x.ln().abs(), "{x}");
    }
}

#[test]
fn the_largest_words_stay_below_the_end() {
    let most = |low, high| {
        let mut out = [0.0];
        uniform(&[u64::MAX], low, high, &mut out);
        out[0]
    };
    // Rounding would reach it.
    assert_eq!(most(1.0, 2.0), 2.0);
    assert_eq!(lesser(most(1.0, 2.0), below(2.0)), 2f64.next_down());
    assert_eq!((below::<f32>(2.0), below::<f32>(0.0)), (2f32.next_down(), -f32::from_bits(1)));
    assert_eq!(below::<f32>(0.3), if f64::from(0.3f32) < 0.3 { 0.3f32 } else { 0.3f32.next_down() });
    for high in [1.0, -1.0, 0.0, 0.1] {
        let x: f16 = below(high);
        assert!(x.to_f64() < high && high - x.to_f64() < 1e-3, "{high}: {x}");
    }
    let same: Vec<f32> = drawn(Distribution::Uniform { low: 0.5, high: 0.5 }, 1, 0, 9);
    assert_eq!(same, [0.5; 9]);
    let narrow: Vec<f16> = drawn(Distribution::Uniform { low: 0.0, high: 1.0 }, 1, 0, 20_000);
    assert!(narrow.iter().all(|x| (0.0..1.0).contains(&x.to_f64())));
}

#[test]
fn every_integer_comes_as_often() {
    let x: Vec<u8> = drawn(Distribution::Integers { low: 3, high: 13 }, 3, 0, MANY);
    let mut counts = [0f64; 10];
    x.iter().for_each(|x| counts[usize::from(x - 3)] += 1.0);
    let expected = MANY as f64 / 10.0;
    let chi_squared: f64 = counts.iter().map(|n| (n - expected) * (n - expected) / expected).sum();
    // Nine degrees of freedom.
    assert!((1.0..28.0).contains(&chi_squared), "{chi_squared}");
}

#[test]
fn a_word_that_would_favour_some_is_drawn_again() {
    // 2^64 = 1 mod 3: the product 0 is the one too many.
    assert_eq!(below_width(8, 5, 0, 3), below_width(8, 5, again(8, 5, 1), 3));
    assert_eq!(below_width(8, 5, 1, 3), 0);
    // For 2^63 + 1 almost every other word is too many, and the number is one below it all the same.
    let width = (1 << 63) + 1;
    let x: Vec<u64> = drawn(Distribution::Integers { low: 0, high: width }, 3, 0, 1000);
    assert!(x.iter().all(|x| i128::from(*x) < width));
    assert!((400..600).contains(&x.iter().filter(|x| **x < 1 << 62).count()));
}

#[test]
fn the_ends_of_each_type_can_be_drawn() {
    let whole = |low: i128, high: i128| Distribution::Integers { low, high };
    let x: Vec<u64> = drawn(whole(0, 1 << 64), 3, 0, 100);
    assert!(x.iter().any(|x| *x >= 1 << 63) && x.iter().any(|x| *x < 1 << 63));
    let x: Vec<i64> = drawn(whole(i64::MIN.into(), i128::from(i64::MAX) + 1), 3, 0, 100);
    assert!(x.iter().any(|x| *x < 0) && x.iter().any(|x| *x > 0));
    let x: Vec<i8> = drawn(whole(-128, 128), 3, 0, 10_000);
    assert!(x.contains(&-128) && x.contains(&127));
    let x: Vec<i16> = drawn(whole(-7, -6), 3, 0, 10);
    assert_eq!(x, [-7; 10]);
    let mut x = [9; 100];
    fill(whole(0, 2), 3, DType::Bool, 0, &mut x);
    assert!(x.contains(&0) && x.contains(&1) && x.iter().all(|x| *x < 2));
}

#[test]
fn what_cannot_be_drawn_says_so() {
    let uniform = |low, high| Distribution::Uniform { low, high };
    let normal = |mean, std| Distribution::Normal { mean, std };
    let bad = [
        (uniform(1.0, 0.0), DType::F64, "from 1 to 0"),
        (uniform(f64::NAN, 1.0), DType::F64, "from NaN to 1"),
        (uniform(f64::MIN, f64::MAX), DType::F64, "finite"),
        (uniform(0.0, 1.0), DType::I32, "uniform random numbers cannot be int32"),
        (normal(0.0, -1.0), DType::F64, "standard deviation -1"),
        (normal(f64::INFINITY, 1.0), DType::F64, "mean inf"),
        (Distribution::Integers { low: 5, high: 5 }, DType::I8, "there are none"),
        (Distribution::Integers { low: 0, high: 257 }, DType::U8, "do not fit uint8"),
        (Distribution::Integers { low: -1, high: 2 }, DType::Bool, "do not fit bool"),
        (Distribution::Integers { low: 0, high: 2 }, DType::F32, "random integers cannot be float32"),
    ];
    for (distribution, dtype, text) in bad {
        let error = distribution.check(dtype).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

/// These never change: results of years ago are drawn again.
#[test]
fn the_numbers_of_this_version_are_those_of_the_first() {
    let uniform: Vec<f64> = drawn(ALL[0], 42, 1, 3);
    assert_eq!(uniform, [-0.22176918980557958, -0.2735123204873071, 0.2036835065058311]);
    let normal: Vec<f64> = drawn(ALL[1], 42, 1, 8);
    assert_eq!(
        normal,
        [
            8.769661171613045,
            8.655890116306217,
            9.655704287744399,
            11.22361070741593,
            12.252112920305692,
            11.325042031786904,
            9.076669457266883,
            12.971627020447688
        ]
    );
    let single: Vec<f32> = drawn(ALL[1], 42, 1, 3);
    assert_eq!(single, [8.769661, 8.65589, 9.6557045]);
    let integers: Vec<i16> = drawn(ALL[2], 42, 1, 8);
    assert_eq!(integers, [0, 0, 2, 6, 8, 6, 1, 9]);
}
