//! Functions of `float32` as vector loops: computed in `float64` and rounded once, within 0.51 units in the last place.
//!
//! Each result depends on its own element alone, so that it is the same wherever a segment begins.

use super::{
    Binary, Unary,
    loops::{Function, Function2, Pair, combine, map},
};

/// Computes `op` where it is one of these; says whether it was.
pub(super) fn function(op: Unary, x: &[f32], out: &mut [u8]) -> bool {
    match op {
        Unary::Exp => map::<f32, Exp>(x, out),
        Unary::Log => map::<f32, Log>(x, out),
        Unary::Log2 => map::<f32, Log2>(x, out),
        Unary::Log10 => map::<f32, Log10>(x, out),
        _ => return false,
    }
    true
}

/// As [`function`], of two numbers.
pub(super) fn function_of_two(op: Binary, pair: &Pair<'_, f32>, out: &mut [u8]) -> bool {
    match op {
        Binary::Hypot => combine::<f32, Hypot>(*pair, out),
        Binary::Pow => {
            combine::<f32, Power>(*pair, out);
            repair_powers(*pair, out);
        }
        _ => return false,
    }
    true
}

macro_rules! single {
    ($($Name:ident($x:ident $(, $y:ident)?): $Trait:ident = $body:expr;)*) => {$(
        struct $Name;
        impl $Trait<f32> for $Name {
            type Gives = f32;
            #[inline(always)]
            fn of($x: f32 $(, $y: f32)?) -> f32 {
                $body
            }
        }
    )*};
}

single! {
    Exp(x): Function = if x.is_nan() { x } else { exp(f64::from(x)) as f32 };
    Log(x): Function = logarithm(x, 1.0);
    Log2(x): Function = logarithm(x, std::f64::consts::LOG2_E);
    Log10(x): Function = logarithm(x, std::f64::consts::LOG10_E);
    Hypot(x, y): Function2 = {
        let (a, b) = (f64::from(x), f64::from(y));
        let length = (a * a + b * b).sqrt() as f32;
        if (x.abs() == f32::INFINITY) | (y.abs() == f32::INFINITY) { f32::INFINITY } else { length }
    };
    Power(x, y): Function2 = exp(f64::from(y) * ln(f64::from(x))) as f32;
}

/// Computes anew what is no power of a positive number.
fn repair_powers(pair: Pair<'_, f32>, out: &mut [u8]) {
    let out: &mut [f32] = super::elements_mut(out);
    let repair = |z: &mut f32, x: f32, y: f32| {
        if !(x > 0.0 && x < f32::INFINITY && y.abs() < f32::INFINITY) {
            *z = x.powf(y);
        }
    };
    match pair {
        Pair::Both(x, y) => out.iter_mut().zip(x).zip(y).for_each(|((z, x), y)| repair(z, *x, *y)),
        Pair::Right(x, y) => out.iter_mut().zip(x).for_each(|(z, x)| repair(z, *x, y)),
        Pair::Left(x, y) => out.iter_mut().zip(y).for_each(|(z, y)| repair(z, x, *y)),
    }
}

#[inline(always)]
fn logarithm(x: f32, factor: f64) -> f32 {
    let log = (ln(f64::from(x)) * factor) as f32;
    let log = if x < f32::INFINITY { log } else { x };
    let log = if x == 0.0 { f32::NEG_INFINITY } else { log };
    if x < 0.0 { f32::NAN } else { log }
}

/// 1.5 * 2^52: a number added to it is rounded to a whole one, whose bits are then the last of the sum.
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// 2^k e^r with |r| <= ln(2) / 2, by Taylor's series; outside of what `float32` holds, something else that it does not hold.
#[inline(always)]
fn exp(x: f64) -> f64 {
    let x = if x > 100.0 { 100.0 } else { x };
    let x = if x < -120.0 { -120.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + WHOLE;
    let r = x - (shifted - WHOLE) * std::f64::consts::LN_2;
    let mut series = 1.0;
    for k in (1..=10u32).rev() {
        series = 1.0 + series * r * (1.0 / f64::from(k));
    }
    series * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52))
}

/// The natural logarithm of a positive, finite `float32`: x = 2^k m with m around 1, and
/// ln(m) = 2 artanh(s) with s = (m - 1) / (m + 1), by its series.
#[inline(always)]
fn ln(x: f64) -> f64 {
    const HALF: u64 = 0x3FE6_A09E_667F_3BCD; // the square root of 1/2
    let above = x.to_bits().wrapping_sub(HALF);
    let exponent = above & 0xFFF0_0000_0000_0000;
    let m = f64::from_bits(x.to_bits().wrapping_sub(exponent));
    // The signed exponent as a number, without a conversion that AVX2 has not.
    let k = f64::from_bits((exponent >> 52 ^ 0x800) | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 2048.0);
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let mut series = 0.0;
    for n in (0..=9u32).rev() {
        series = series * square + 1.0 / f64::from(2 * n + 1);
    }
    k * std::f64::consts::LN_2 + 2.0 * s * series
}
