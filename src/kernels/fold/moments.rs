//! Variance in one pass: sums of `x - K` and `(x - K)^2`, where K is the cell's own first value.
//!
//! K is one of the values, so that `s2 - s1^2 / n` loses no more than a factor n of precision to cancellation, and
//! for data that vary around their mean, next to nothing (Chan, Golub & LeVeque 1983, eq. 1.7, the shifted
//! one-pass algorithm, and section 3 on the choice of the shift).

use super::{
    planes::{Counts, Fold, Indices, Planes, View},
    sum::total,
};
use crate::{dtype::Element, kernels::decode::Value};

/// Planes K (NaN before the first value), s1 and s2.
pub(crate) struct Moments;

impl<W: Value> Fold<W> for Moments {
    const PLANES: [usize; 3] = [size_of::<W::Shift>(), 8, 8];

    fn init(state: Planes<'_>) {
        let (k, s1, s2) = state.three::<W::Shift, f64, f64>();
        k.fill(W::Shift::MISSING);
        s1.fill(0.0);
        s2.fill(0.0);
    }

    fn push_lane(state: Planes<'_>, x: &[W], missing: bool, _: u64) {
        let (k, s1, s2) = state.three::<W::Shift, f64, f64>();
        if missing || any_unset(k) {
            lane_with_missing(k, s1, s2, x);
        } else {
            lane(k, s1, s2, x);
        }
    }

    fn push_run(state: Planes<'_>, x: &[W], missing: bool, _: Indices<'_>) {
        let (k, s1, s2) = state.three::<W::Shift, f64, f64>();
        if k[0].is_missing() {
            let Some(first) = x.iter().find(|x| !x.is_missing()) else { return };
            k[0] = first.shift();
        }
        let k = k[0].to_f64();
        let [d1, d2] = if missing { run::<W, true>(x, k) } else { run::<W, false>(x, k) };
        s1[0] += d1;
        s2[0] += d2;
    }

    fn merge(into: Planes<'_>, from: View<'_>, counts: [Counts<'_>; 2]) {
        let (k, s1, s2) = into.three::<W::Shift, f64, f64>();
        let (from_k, from_s1, from_s2) = (from.plane::<W::Shift>(0), from.plane::<f64>(1), from.plane::<f64>(2));
        for i in 0..k.len() {
            if from_k[i].is_missing() {
                continue;
            }
            if k[i].is_missing() {
                (k[i], s1[i], s2[i]) = (from_k[i], from_s1[i], from_s2[i]);
                continue;
            }
            // x - K = (x - L) + (L - K), summed over the n values that were shifted by L.
            let n = counts[1].valid(i) as f64;
            let d = from_k[i].to_f64() - k[i].to_f64();
            s2[i] += from_s2[i] + d * (2.0 * from_s1[i] + n * d);
            s1[i] += from_s1[i] + n * d;
        }
    }
}

/// The variance with `ddof` taken off the count, NaN where nothing is left.
pub(crate) fn variance(n: u64, s1: f64, s2: f64, ddof: f64) -> f64 {
    let n = n as f64;
    if n == 0.0 || n - ddof <= 0.0 {
        return f64::NAN;
    }
    // Chan, Golub & LeVeque 1983, eq. 1.7: what rounding makes of a zero may be below it; NaN stays.
    let m2 = s2 - s1 * s1 / n;
    (if m2 < 0.0 { 0.0 } else { m2 }) / (n - ddof)
}

vectorised! {
    fn any_unset[K: Value](k: &[K]) -> bool {
        let none = K::Bits::default();
        k.iter().fold(none, |bad, k| bad | k.missing_bits()) != none
    }
}

vectorised! {
    fn lane[W: Value](k: &[W::Shift], s1: &mut [f64], s2: &mut [f64], x: &[W]) -> () {
        for (((k, s1), s2), x) in k.iter().zip(s1).zip(s2).zip(x) {
            let d = x.to_f64() - k.to_f64();
            *s1 += d;
            *s2 += d * d;
        }
    }
}

vectorised! {
    fn lane_with_missing[W: Value](k: &mut [W::Shift], s1: &mut [f64], s2: &mut [f64], x: &[W]) -> () {
        for (((k, s1), s2), x) in k.iter_mut().zip(s1).zip(s2).zip(x) {
            *k = if k.is_missing() { x.shift() } else { *k };
            let d = x.to_f64() - k.to_f64();
            let d = if x.is_missing() { 0.0 } else { d };
            *s1 += d;
            *s2 += d * d;
        }
    }
}

vectorised! {
    fn run[W: Value; const MISSING: bool](x: &[W], k: f64) -> [f64; 2] {
        let mut s1 = [0.0; 8];
        let mut s2 = [0.0; 8];
        let (blocks, rest) = x.as_chunks::<8>();
        for block in blocks.iter().map(|b| b.as_slice()).chain([rest]) {
            for ((s1, s2), x) in s1.iter_mut().zip(&mut s2).zip(block) {
                let d = x.to_f64() - k;
                let d = if MISSING && x.is_missing() { 0.0 } else { d };
                *s1 += d;
                *s2 += d * d;
            }
        }
        [total(s1), total(s2)]
    }
}
