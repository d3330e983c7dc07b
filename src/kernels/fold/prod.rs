//! Products: of floats in f64, of integers exactly as long as they fit 64 bits.

use super::planes::{Counts, Fold, Indices, Planes, View};
use crate::kernels::decode::Value;

/// In f64.
pub(crate) struct FloatProd;

impl<W: Value> Fold<W> for FloatProd {
    const PLANES: [usize; 3] = [8, 0, 0];

    fn init(state: Planes<'_>) {
        state.one::<f64>().fill(1.0);
    }

    fn push_lane(state: Planes<'_>, x: &[W], _: bool, _: u64) {
        lane(state.one(), x);
    }

    fn push_run(state: Planes<'_>, x: &[W], _: bool, _: Indices<'_>) {
        state.one::<f64>()[0] *= run(x);
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        into.one::<f64>().iter_mut().zip(from.plane::<f64>(0)).for_each(|(a, b)| *a *= b);
    }
}

#[inline(always)]
fn or_one<W: Value>(x: W) -> f64 {
    if x.is_missing() { 1.0 } else { x.to_f64() }
}

vectorised! {
    fn lane[W: Value](product: &mut [f64], x: &[W]) -> () {
        for (p, x) in product.iter_mut().zip(x) {
            *p *= or_one(*x);
        }
    }
}

vectorised! {
    fn run[W: Value](x: &[W]) -> f64 {
        let mut ways = [1.0; 8];
        let (blocks, rest) = x.as_chunks::<8>();
        for block in blocks {
            for (p, x) in ways.iter_mut().zip(block) {
                *p *= or_one(*x);
            }
        }
        for (p, x) in ways.iter_mut().zip(rest) {
            *p *= or_one(*x);
        }
        let [a, b, c, d, e, f, g, h] = ways;
        ((a * e) * (c * g)) * ((b * f) * (d * h))
    }
}

/// Exact up to 2^64; beyond that [`TOO_LARGE`], which only a zero can undo.
pub(crate) struct IntegerProd;

/// The product that no 64-bit type holds.
pub(crate) const TOO_LARGE: i128 = i128::MAX;

fn times(a: i128, b: i128) -> i128 {
    if a == 0 || b == 0 {
        return 0;
    }
    match a.checked_mul(b) {
        Some(p) if a != TOO_LARGE && b != TOO_LARGE && p.unsigned_abs() <= 1 << 64 => p,
        _ => TOO_LARGE,
    }
}

impl<W: Value> Fold<W> for IntegerProd {
    const PLANES: [usize; 3] = [16, 0, 0];

    fn init(state: Planes<'_>) {
        state.one::<i128>().fill(1);
    }

    fn push_lane(state: Planes<'_>, x: &[W], _: bool, _: u64) {
        state.one::<i128>().iter_mut().zip(x).for_each(|(p, x)| *p = times(*p, x.to_i128()));
    }

    fn push_run(state: Planes<'_>, x: &[W], _: bool, _: Indices<'_>) {
        let p = &mut state.one::<i128>()[0];
        *p = x.iter().fold(*p, |p, x| times(p, x.to_i128()));
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        into.one::<i128>().iter_mut().zip(from.plane::<i128>(0)).for_each(|(a, b)| *a = times(*a, *b));
    }
}
