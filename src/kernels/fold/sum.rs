//! Sums: of floats in f64, of integers exactly.

use super::planes::{Counts, Fold, Indices, Planes, View};
use crate::kernels::decode::Value;
use bytemuck::Pod;
use std::ops::AddAssign;

/// In f64.
pub(crate) struct FloatSum;

impl<W: Value> Fold<W> for FloatSum {
    const PLANES: [usize; 3] = [8, 0, 0];

    fn init(state: Planes<'_>) {
        state.one::<f64>().fill(0.0);
    }

    fn push_lane(state: Planes<'_>, x: &[W], missing: bool, _: u64) {
        if missing {
            lane_with_missing(state.one(), x);
        } else {
            lane(state.one(), x);
        }
    }

    fn push_run(state: Planes<'_>, x: &[W], missing: bool, _: Indices<'_>) {
        state.one::<f64>()[0] += if missing { run::<W, true>(x) } else { run::<W, false>(x) };
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        into.one::<f64>().iter_mut().zip(from.plane::<f64>(0)).for_each(|(a, b)| *a += b);
    }
}

vectorised! {
    fn lane[W: Value](sum: &mut [f64], x: &[W]) -> () {
        for (s, x) in sum.iter_mut().zip(x) {
            *s += x.to_f64();
        }
    }
}

vectorised! {
    fn lane_with_missing[W: Value](sum: &mut [f64], x: &[W]) -> () {
        for (s, x) in sum.iter_mut().zip(x) {
            *s += or_zero(*x);
        }
    }
}

#[inline(always)]
fn or_zero<W: Value>(x: W) -> f64 {
    if x.is_missing() { 0.0 } else { x.to_f64() }
}

/// Parallel accumulators of a run. Their number is part of the result's last bits.
const WAYS: usize = 16;

vectorised! {
    fn run[W: Value; const MISSING: bool](x: &[W]) -> f64 {
        let mut ways = [0.0; WAYS];
        let (blocks, rest) = x.as_chunks::<WAYS>();
        for block in blocks {
            for (s, x) in ways.iter_mut().zip(block) {
                *s += if MISSING { or_zero(*x) } else { x.to_f64() };
            }
        }
        for (s, x) in ways.iter_mut().zip(rest) {
            *s += if MISSING { or_zero(*x) } else { x.to_f64() };
        }
        total(ways)
    }
}

/// The sum of parallel accumulators, halves first.
#[inline(always)]
pub(super) fn total<const N: usize>(mut ways: [f64; N]) -> f64 {
    let mut n = N / 2;
    while n > 0 {
        for k in 0..n {
            ways[k] += ways[k + n];
        }
        n /= 2;
    }
    ways[0]
}

/// A type wide enough that no sum of values that fit in a file overflows it.
pub(crate) trait Wide: Pod + Default + AddAssign {
    fn from<W: Value>(x: W) -> Self;
}

/// For stored integers of at most 32 bits.
impl Wide for i64 {
    #[inline(always)]
    fn from<W: Value>(x: W) -> i64 {
        x.to_i64()
    }
}

/// For stored integers of 64 bits.
impl Wide for i128 {
    #[inline(always)]
    fn from<W: Value>(x: W) -> i128 {
        x.to_i128()
    }
}

/// Exact; whether the result fits its type is asked once, at the end.
pub(crate) struct IntegerSum<A>(A);

impl<W: Value, A: Wide> Fold<W> for IntegerSum<A> {
    const PLANES: [usize; 3] = [size_of::<A>(), 0, 0];

    fn init(state: Planes<'_>) {
        state.one::<A>().fill(A::default());
    }

    fn push_lane(state: Planes<'_>, x: &[W], _: bool, _: u64) {
        integer_lane::<W, A>(state.one(), x);
    }

    fn push_run(state: Planes<'_>, x: &[W], _: bool, _: Indices<'_>) {
        state.one::<A>()[0] += integer_run::<W, A>(x);
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        into.one::<A>().iter_mut().zip(from.plane::<A>(0)).for_each(|(a, b)| *a += *b);
    }
}

vectorised! {
    fn integer_lane[W: Value, A: Wide](sum: &mut [A], x: &[W]) -> () {
        for (s, x) in sum.iter_mut().zip(x) {
            *s += A::from(*x);
        }
    }
}

vectorised! {
    fn integer_run[W: Value, A: Wide](x: &[W]) -> A {
        let mut sum = A::default();
        for x in x {
            sum += A::from(*x);
        }
        sum
    }
}
