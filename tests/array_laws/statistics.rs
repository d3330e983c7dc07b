//! Lines, correlations and spells: what naive code makes of each lane, whatever the blocks, threads and memory.

use super::{
    cases,
    random::Draw,
    run::{needed, own_pieces, plenty, run},
};
use aosx::{array::LazyArray, dtype::DType, events::Silent, kernels::fold::Spell};
use proptest::prelude::*;
use std::sync::Arc;

/// Pairs of numbers where both are there.
fn pairs(x: &[f64], y: &[f64]) -> Vec<(f64, f64)> {
    x.iter().zip(y).map(|(x, y)| (*x, *y)).filter(|(x, y)| !x.is_nan() && !y.is_nan()).collect()
}

/// Means, and the sums of products of deviations: (x, y), (xx, xy, yy).
fn moments(all: &[(f64, f64)]) -> ([f64; 2], [f64; 3]) {
    let n = all.len() as f64;
    let mean = |f: fn(&(f64, f64)) -> f64| all.iter().map(f).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |f: &dyn Fn(f64, f64) -> f64| all.iter().map(|p| f(p.0 - x, p.1 - y)).sum::<f64>();
    ([x, y], [sum(&|a, _| a * a), sum(&|a, b| a * b), sum(&|_, b| b * b)])
}

fn near(a: f64, b: f64, scale: f64) -> bool {
    a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-9 * scale.max(b.abs())
}

/// The lanes along the middle axis of `[2, n, 2]`.
fn lanes(values: &[f64], n: usize) -> Vec<Vec<f64>> {
    (0..4).map(|lane| (0..n).map(|k| values[(lane / 2 * n + k) * 2 + lane % 2]).collect()).collect()
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn statistics_are_those_of_each_lane(
        (n, chunk, other) in (1u64..40).prop_flat_map(|n| (Just(n), 1..=n, 1..=n)),
        base in prop_oneof![Just(0.0), Just(5e4), Just(-3e6)],
        holes in 0u32..4,
        numbers in prop::collection::vec(any::<u32>(), 320),
        single in any::<bool>(),
    ) {
        let drawn = |k: usize| f64::from(numbers[k % numbers.len()] % 1000) / 100.0;
        let value = |k: usize| match numbers[(k * 7 + 1) % numbers.len()] % 10 < holes {
            true => f64::NAN,
            false => base + drawn(k),
        };
        let shape = [2, n, 2];
        let total = 4 * n as usize;
        let (x, y): (Vec<f64>, Vec<f64>) = (0..total).map(|k| (value(k), value(k + 160) + 0.5 * drawn(k))).unzip();
        let x: Vec<f64> = if single { x.iter().map(|x| f64::from(*x as f32)).collect() } else { x };
        let made = |values: &[f64], chunk: u64| LazyArray::from_slice(values, &shape, &[1, chunk, 2]).unwrap();
        let (a, b) = (made(&x, chunk), made(&y, other));
        let at: Vec<f64> = (0..n).map(|k| 1e6 + (k * k) as f64 * 0.25).collect();
        let fit = a.fit(&at, 1).unwrap();
        let all = [
            fit.slope().unwrap(),
            fit.line().unwrap(),
            a.nancov(&b, &[1], 1.0).unwrap(),
            a.nancorrcoef(&b, &[1]).unwrap(),
            a.regression(&b, &[1]).unwrap(),
            fit.residual().unwrap(),
            fit.intercept().unwrap(),
        ];
        // Where everything is missing at the beginning of all lanes, digits go on what all values have in common.
        let begins = (n as usize / 16).clamp(1, 8);
        let lost = |values: &[f64]| {
            let at_first = lanes(values, n as usize).iter().all(|lane| lane[..begins].iter().all(|x| x.is_nan()));
            if at_first { 1e-15 * base * base } else { 0.0 }
        };
        let lost = lost(&x) + lost(&y);
        let near = |a: f64, b: f64, scale: f64| near(a, b, scale + 1e9 * lost);
        let refs: Vec<&LazyArray> = all.iter().collect();
        let ran = plenty(&refs, 1).unwrap().values;
        let got: Vec<Vec<f64>> = ran.iter().map(|w| w.numbers()).collect();
        let (lines, residuals) = (lanes(&got[1], n as usize), lanes(&got[5], n as usize));
        for (lane, (x, y)) in lanes(&x, n as usize).iter().zip(lanes(&y, n as usize)).enumerate() {
            let on_time = pairs(&at, x);
            let ([middle, height], [tt, tx, xx]) = moments(&on_time);
            let slope = if on_time.len() < 2 { f64::NAN } else { tx / tt };
            let steepest = (xx / tt).sqrt();
            prop_assert!(near(got[0][lane], slope, steepest), "slope {} is not {slope}", got[0][lane]);
            prop_assert!(near(got[6][lane], height - slope * middle, 1e6 * steepest + height.abs()));
            for k in 0..n as usize {
                let line = height + slope * (at[k] - middle);
                prop_assert!(near(lines[lane][k], line, height.abs()), "{} is not {line}", lines[lane][k]);
                prop_assert!(near(residuals[lane][k], x[k] - line, height.abs()));
            }
            let both = pairs(x, &y);
            let (_, [xx, xy, yy]) = moments(&both);
            let cov = if both.len() < 2 { f64::NAN } else { xy / (both.len() as f64 - 1.0) };
            prop_assert!(near(got[2][lane], cov, (xx * yy).sqrt()), "cov {} is not {cov}", got[2][lane]);
            let r = if xx * yy > 0.0 { xy / (xx * yy).sqrt() } else { f64::NAN };
            prop_assert!(near(got[3][lane], r, 1.0) && (got[3][lane].is_nan() || got[3][lane].abs() <= 1.0), "r {} is not {r}", got[3][lane]);
            let on = if yy > 0.0 { xy / yy } else { f64::NAN };
            prop_assert!(near(got[4][lane], on, (xx / yy).sqrt()), "regression {} is not {on}", got[4][lane]);
        }
        let many = plenty(&refs, 3).unwrap().values;
        prop_assert!(ran.iter().zip(&many).all(|(a, b)| a.same(b)), "of three threads");
        let pieces = own_pieces(&refs);
        let least = needed(&run(&refs, &pieces, 1, 0, Arc::new(Silent)).map(|_| ()).unwrap_err()).unwrap();
        let tight = run(&refs, &pieces, 2, least, Arc::new(Silent)).unwrap();
        prop_assert!(tight.peak <= least && ran.iter().zip(&tight.values).all(|(a, b)| a.same(b)), "of little memory");
    }

    #[test]
    fn spells_are_those_of_each_lane(
        (n, chunk) in (1u64..60).prop_flat_map(|n| (Just(n), 1..=n)),
        least in 1u64..5,
        turned in any::<bool>(),
        numbers in prop::collection::vec(any::<u32>(), 250),
        dtype in prop_oneof![Just(DType::Bool), Just(DType::F32), Just(DType::I16)],
    ) {
        let bytes = match dtype {
            DType::Bool => (0..4 * n as usize).map(|k| u8::from(numbers[k] % 4 > 0)).collect(),
            _ => Draw(&numbers).bytes(dtype, 4 * n),
        };
        let x = LazyArray::from_bytes(&bytes, &[2, n, 2], &[1, chunk, 2], dtype).unwrap();
        let x = if turned { x.flip(&[1]).unwrap() } else { x };
        let truths = plenty(&[&x], 1).unwrap().values[0].numbers();
        let all = [Spell::Longest, Spell::Days(least), Spell::Count(least)].map(|s| x.spells(s, 1).unwrap());
        let refs: Vec<&LazyArray> = all.iter().collect();
        let ran = plenty(&refs, 1).unwrap().values;
        for (lane, truths) in lanes(&truths, n as usize).iter().enumerate() {
            let runs = truths.split(|x| *x == 0.0 || x.is_nan()).map(|run| run.len() as u64).filter(|n| *n > 0);
            let runs: Vec<u64> = runs.collect();
            let long = || runs.iter().filter(|n| **n >= least);
            let expected = [runs.iter().copied().max().unwrap_or(0), long().sum(), long().count() as u64];
            for (got, expected) in ran.iter().zip(expected) {
                prop_assert_eq!(got.numbers()[lane], expected as f64);
            }
        }
        let many = plenty(&refs, 3).unwrap().values;
        prop_assert!(ran.iter().zip(&many).all(|(a, b)| a.same(b)));
    }
}
