//! Random numbers by their position: element `i` of a sequence depends on the seed and on `i` alone, so that any
//! cutting into blocks gives the same numbers.
//!
//! The generator is Philox 4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3",
//! sections 3.3 and 4; <https://github.com/DEShawResearch/random123>). Its key is the seed; its counter is the number
//! of a pair of elements, and gives 64 bits to each of them. Only additions, multiplications, divisions and square
//! roots follow, which IEEE 754 rounds one way, so that the numbers are the same bits on every machine.

use crate::{
    dtype::{DType, Element, NumberKind},
    error::{Error, Result},
    with_dtype,
};
use half::f16;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Evenly from `[low, high)`; `low` itself where both are the same.
    Uniform {
        /// The least there can be.
        low: f64,
        /// What all are below.
        high: f64,
    },
    /// Gauss's, from 2^52 evenly spaced quantiles: nothing is further out than 8.21 standard deviations.
    Normal {
        /// The middle.
        mean: f64,
        /// The standard deviation.
        std: f64,
    },
    /// Each integer of `[low, high)` as often as any other, exactly.
    Integers {
        /// The least there can be.
        low: i128,
        /// What all are below.
        high: i128,
    },
}

impl Distribution {
    /// Its name in NumPy's `Generator`.
    pub const fn name(&self) -> &'static str {
        match self {
            Distribution::Uniform { .. } => "uniform",
            Distribution::Normal { .. } => "normal",
            Distribution::Integers { .. } => "integers",
        }
    }

    /// Whether [`fill`] can draw it in this type.
    ///
    /// # Errors
    /// Says what does not fit: bounds in the wrong order, not finite, or beyond the type; a negative standard deviation;
    /// integers where there are floats, or the other way round.
    pub fn check(&self, dtype: DType) -> Result<()> {
        let problem = match *self {
            Distribution::Integers { .. } if dtype.is_float() => format!("random integers cannot be {dtype}"),
            Distribution::Integers { low, high } => {
                let (least, most) = range(dtype);
                if low >= high {
                    format!("random integers from {low} to below {high}: there are none")
                } else if low < least || high - 1 > most {
                    format!("random integers from {low} to below {high} do not fit {dtype}")
                } else {
                    return Ok(());
                }
            }
            _ if !dtype.is_float() => format!("{} random numbers cannot be {dtype}", self.name()),
            // Not `low > high`, so that NaN is found too.
            Distribution::Uniform { low, high } if !(low <= high && (high - low).is_finite()) => {
                format!("random numbers from {low} to {high}: give two finite bounds, the lower one first")
            }
            Distribution::Normal { mean, std } if !(mean.is_finite() && std >= 0.0 && std.is_finite()) => {
                format!(
                    "random numbers with mean {mean} and standard deviation {std}: give finite ones, std not negative"
                )
            }
            _ => return Ok(()),
        };
        Err(Error::usage(problem))
    }
}

/// The least and the largest integer of a type.
fn range(dtype: DType) -> (i128, i128) {
    let bits = 8 * dtype.size() as u32;
    match dtype.kind() {
        NumberKind::Bool => (0, 1),
        NumberKind::Unsigned => (0, (1 << bits) - 1),
        _ => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
    }
}

/// Numbers that are drawn together, in the first-level cache.
const SEGMENT: usize = 512;

/// The elements with row-major numbers `first..` of the infinite sequence of `seed`, as many as `out` holds.
///
/// Floats narrower than float64 are its numbers, rounded (and kept below `high`).
///
/// # Panics
/// When [`check`](Distribution::check) was not asked and would have said no, or `out` is not aligned for its elements.
///
/// # Example
/// ```
/// use aosx::{dtype::DType, kernels::random::{Distribution, fill}};
/// let dice = Distribution::Integers { low: 1, high: 7 };
/// let (mut all, mut last) = ([0; 10], [0; 3]);
/// fill(dice, 42, DType::U8, 0, &mut all);
/// fill(dice, 42, DType::U8, 7, &mut last);
/// assert_eq!(all[7..], last);
/// ```
pub fn fill(distribution: Distribution, seed: u64, dtype: DType, first: u64, out: &mut [u8]) {
    assert!(distribution.check(dtype).is_ok(), "{distribution:?} in {dtype} was checked before");
    let mut words = [0; SEGMENT];
    let mut numbers = [0.0; SEGMENT];
    with_dtype!(dtype, T => {
        let out: &mut [T] = bytemuck::cast_slice_mut(out);
        for (from, out) in (first..).step_by(SEGMENT).zip(out.chunks_mut(SEGMENT)) {
            let words = &mut words[..out.len()];
            fill_words(seed, from, words);
            let numbers = &mut numbers[..out.len()];
            match distribution {
                Distribution::Uniform { low, high } => {
                    uniform(words, low, high, numbers);
                    let most = if low < high { below::<T>(high) } else { T::from_f64(high) };
                    out.iter_mut().zip(numbers).for_each(|(y, x)| *y = lesser(T::from_f64(*x), most));
                }
                Distribution::Normal { mean, std } => {
                    normal(words, mean, std, numbers);
                    out.iter_mut().zip(numbers).for_each(|(y, x)| *y = T::from_f64(*x));
                }
                Distribution::Integers { low, high } => {
                    for (i, (y, word)) in (from..).zip(out.iter_mut().zip(words)) {
                        let x = low + i128::from(below_width(seed, i, *word, (high - low) as u128));
                        *y = low_bytes(x);
                    }
                }
            }
        }
    })
}

/// An integer of type `T`, from one that fits it.
fn low_bytes<T: Element>(x: i128) -> T {
    let bytes = x.to_le_bytes();
    let y: T = bytemuck::pod_read_unaligned(&bytes[..size_of::<T>()]);
    if cfg!(target_endian = "big") { y.swapped() } else { y }
}

#[inline(always)]
fn lesser<T: Element>(x: T, y: T) -> T {
    if x < y { x } else { y }
}

/// The largest number of a floating point type that is below `high`.
fn below<T: Element>(high: f64) -> T {
    let x = T::from_f64(high);
    if x.to_f64() < high {
        return x;
    }
    T::from_f64(match T::DTYPE {
        DType::F16 => {
            // There is no next_down for half precision: its bits count up away from zero.
            let bits = f16::from_f64(high).to_bits();
            let lower = if bits & 0x7fff == 0 {
                0x8001
            } else if bits & 0x8000 == 0 {
                bits - 1
            } else {
                bits + 1
            };
            f16::from_bits(lower).to_f64()
        }
        DType::F32 => f64::from((high as f32).next_down()),
        _ => high.next_down(),
    })
}

vectorised! {
    fn uniform[](words: &[u64], low: f64, high: f64, out: &mut [f64]) -> () {
        let width = high - low;
        for (y, word) in out.iter_mut().zip(words) {
            *y = low + unit(word >> 11) * width;
        }
    }
}

/// `k * 2^-53`, for `k` below 2^53.
#[inline(always)]
fn unit(k: u64) -> f64 {
    // By halves, because there is no vector instruction from u64 to f64 before AVX-512.
    let high = f64::from_bits((k >> 32) | 0x4530_0000_0000_0000) - 19342813113834066795298816.0;
    let low = f64::from_bits((k & 0xffff_ffff) | 0x4330_0000_0000_0000) - 4503599627370496.0;
    (high + low) * (1.0 / (1u64 << 53) as f64)
}

/// A number below `width` from 64 random bits, by Lemire's method (2019, "Fast random integer generation in an
/// interval", algorithm 5). The few bits that would favour some numbers are drawn again from counters of their own.
#[inline(always)]
fn below_width(seed: u64, i: u64, mut word: u64, width: u128) -> u64 {
    let Ok(width) = u64::try_from(width) else { return word };
    let mut attempt = 0;
    loop {
        let product = u128::from(word) * u128::from(width);
        let low = product as u64;
        // The remainder is below the width: most often it need not be known.
        if low >= width || low >= width.wrapping_neg() % width {
            return (product >> 64) as u64;
        }
        attempt += 1;
        word = again(seed, i, attempt);
    }
}

#[cold]
fn again(seed: u64, i: u64, attempt: u32) -> u64 {
    let counter = [(i / 2) as u32, ((i / 2) >> 32) as u32, attempt, 0];
    let [a, b, c, d] = philox(counter, [seed as u32, (seed >> 32) as u32]).map(u64::from);
    if i.is_multiple_of(2) { a | b << 32 } else { c | d << 32 }
}

/// Counters that are encrypted together.
const WAYS: usize = 8;
const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
/// What is added to the key after each round.
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: u32 = 10;

/// One call of Philox 4x32-10.
fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut words = counter.map(|c| [u64::from(c)]);
    rounds(&mut words, key);
    words.map(|w| w[0] as u32)
}

/// The rounds over several counters: words of 32 bits in 64, so that their products fit.
#[inline(always)]
fn rounds<const N: usize>([c0, c1, c2, c3]: &mut [[u64; N]; 4], mut key: [u32; 2]) {
    for _ in 0..ROUNDS {
        for (((c0, c1), c2), c3) in c0.iter_mut().zip(&mut *c1).zip(&mut *c2).zip(&mut *c3) {
            let a = (*c0 & 0xffff_ffff) * u64::from(MULTIPLIERS[0]);
            let b = (*c2 & 0xffff_ffff) * u64::from(MULTIPLIERS[1]);
            *c0 = (b >> 32) ^ *c1 ^ u64::from(key[0]);
            *c1 = b & 0xffff_ffff;
            *c2 = (a >> 32) ^ *c3 ^ u64::from(key[1]);
            *c3 = a & 0xffff_ffff;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
}

vectorised! {
    /// The 64 bits of each element of `pair`, `pair + 1` and so on.
    fn group[](seed: u64, pair: u64, out: &mut [u64; 2 * WAYS]) -> () {
        let number = |w| pair.wrapping_add(w as u64);
        let (low, high) = (|w| number(w) & 0xffff_ffff, |w| number(w) >> 32);
        let mut c = [std::array::from_fn(low), std::array::from_fn(high), [0; WAYS], [0; WAYS]];
        rounds(&mut c, [seed as u32, (seed >> 32) as u32]);
        for (w, two) in out.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            *two = [c[0][w] | c[1][w] << 32, c[2][w] | c[3][w] << 32];
        }
    }
}

/// The 64 bits of each element from `first` on.
fn fill_words(seed: u64, first: u64, out: &mut [u64]) {
    const TOGETHER: usize = 2 * WAYS;
    let skipped = (first % TOGETHER as u64) as usize;
    let (head, rest) = out.split_at_mut(if skipped == 0 { 0 } else { out.len().min(TOGETHER - skipped) });
    let mut some = [0; TOGETHER];
    if !head.is_empty() {
        group(seed, (first - skipped as u64) / 2, &mut some);
        head.copy_from_slice(&some[skipped..skipped + head.len()]);
    }
    let mut pair = (first + head.len() as u64) / 2;
    let (whole, tail) = rest.as_chunks_mut::<TOGETHER>();
    for out in whole {
        group(seed, pair, out);
        pair += WAYS as u64;
    }
    if !tail.is_empty() {
        group(seed, pair, &mut some);
        tail.copy_from_slice(&some[..tail.len()]);
    }
}

/// Wichura's quantiles, apart from the middle of the distribution up to this far from one half.
const CENTRAL: f64 = 0.425;

/// Quantiles by Wichura 1988, "Algorithm AS 241: the percentage points of the normal distribution", PPND16: relative
/// errors around 1e-16.
fn normal(words: &[u64], mean: f64, std: f64, out: &mut [f64]) {
    central(words, mean, std, out);
    // The others, about one in seven, are taken together, so that no branch an element is guessed wrong.
    let (mut tails, mut places, mut count) = ([0.0; SEGMENT], [0u16; SEGMENT], 0);
    for (i, word) in words.iter().enumerate() {
        let q = centred(*word);
        (tails[count], places[count]) = (q, i as u16);
        count += usize::from(q.abs() > CENTRAL);
    }
    let tails = &mut tails[..count];
    for_tails(tails);
    tails.iter().zip(places).for_each(|(x, i)| out[usize::from(i)] = mean + std * x);
}

/// The middle of one of 2^52 intervals, less one half; exact.
#[inline(always)]
fn centred(word: u64) -> f64 {
    unit((word >> 12) << 1 | 1) - 0.5
}

vectorised! {
    fn central[](words: &[u64], mean: f64, std: f64, out: &mut [f64]) -> () {
        for (y, word) in out.iter_mut().zip(words) {
            let q = centred(*word);
            let r = 0.180625 - q * q;
            *y = mean + std * (polynomial(&A, r) * q / polynomial(&B, r));
        }
    }
}

/// Replaces distances from one half, further than [`CENTRAL`], by their quantiles.
fn for_tails(q: &mut [f64]) {
    let mut far = [0.0; SEGMENT];
    let far = &mut far[..q.len()];
    near_tails(q, far);
    for (x, r) in q.iter_mut().zip(far).filter(|(_, r)| **r > 5.0) {
        // Once in 3.6e10.
        *x = (polynomial(&E, *r - 5.0) / polynomial(&F, *r - 5.0)).copysign(*x);
    }
}

vectorised! {
    /// Those that are not further out than 6.6 standard deviations, and what tells which those are.
    fn near_tails[](q: &mut [f64], roots: &mut [f64]) -> () {
        for (q, root) in q.iter_mut().zip(roots) {
            let r = (-ln(0.5 - q.abs())).sqrt();
            *root = r;
            *q = (polynomial(&C, r - 1.6) / polynomial(&D, r - 1.6)).copysign(*q);
        }
    }
}

/// Highest power first.
#[inline(always)]
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().skip(1).fold(coefficients[0], |sum, c| sum * x + c)
}

/// The natural logarithm of a positive normal number, to about one unit in the last place, with the same bits on every
/// machine: that of the C library does not promise it. (fdlibm's e_log.c, by Sun Microsystems, 1993.)
#[inline(always)]
fn ln(x: f64) -> f64 {
    const LN2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    // x = m 2^e with m between the square roots of 1/2 and of 2.
    let bits = x.to_bits().wrapping_add(0x3ff0_0000_0000_0000 - 0x3fe6_a09e_667f_3bcd);
    // As in `unit`: 2^52 plus the exponent with its bias.
    let e = f64::from_bits(0x4330_0000_0000_0000 | bits >> 52) - (4503599627370496.0 + 1023.0);
    let m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) + 0x3fe6_a09e_667f_3bcd);
    // ln m = f - (f^2 / 2 - s (f^2 / 2 + R)), where s = f / (2 + f).
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let r = z * LG.iter().fold(0.0, |sum, c| sum * z + c);
    let half = 0.5 * f * f;
    e * LN2[0] - ((half - (s * (half + r) + e * LN2[1])) - f)
}

/// fdlibm's Lg7 to Lg1.
const LG: [f64; 7] = [
    1.479_819_860_511_658_6e-1,
    1.531_383_769_920_937_3e-1,
    1.818_357_216_161_805e-1,
    2.222_219_843_214_978_4e-1,
    2.857_142_874_366_239e-1,
    3.999_999_999_940_942e-1,
    6.666_666_666_666_735e-1,
];

/// Of the middle, in 0.425^2 - q^2.
const A: [f64; 8] = [
    2509.0809287301227,
    33430.57558358813,
    67265.7709270087,
    45921.95393154987,
    13731.69376550946,
    1971.5909503065513,
    133.14166789178438,
    3.3871328727963665,
];

const B: [f64; 8] = [
    5226.495278852854,
    28729.085735721943,
    39307.89580009271,
    21213.794301586597,
    5394.196021424751,
    687.1870074920579,
    42.31333070160091,
    1.0,
];

/// Of the tails, in r - 1.6.
const C: [f64; 8] = [
    0.0007745450142783414,
    0.022723844989269184,
    0.2417807251774506,
    1.2704582524523684,
    3.6478483247632045,
    5.769497221460691,
    4.630337846156546,
    1.4234371107496835,
];

const D: [f64; 8] = [
    1.0507500716444169e-09,
    0.0005475938084995345,
    0.015198666563616457,
    0.14810397642748008,
    0.6897673349851,
    1.6763848301838038,
    2.053191626637759,
    1.0,
];

/// Of what is further out, in r - 5.
const E: [f64; 8] = [
    2.0103343992922881e-07,
    2.7115555687434876e-05,
    0.0012426609473880784,
    0.026532189526576124,
    0.29656057182850487,
    1.7848265399172913,
    5.463784911164114,
    6.657904643501103,
];

const F: [f64; 8] = [
    2.0442631033899397e-15,
    1.421511758316446e-07,
    1.8463183175100548e-05,
    0.0007868691311456133,
    0.014875361290850615,
    0.1369298809227358,
    0.599832206555888,
    1.0,
];

#[cfg(test)]
mod tests;
