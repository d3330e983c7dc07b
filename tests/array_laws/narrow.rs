//! Order statistics of lanes that do not fit: the bits of those that do, in as little memory as is asked for.

use super::{
    cases,
    run::{needed, own_pieces, plenty, run},
};
use aosx::{
    array::LazyArray,
    events::Silent,
    kernels::lanes::{LaneOp, LaneOptions, Method, Order, OrderStatistic, Quantiles},
    shape::Shape,
};
use ndarray::{ArrayViewD, ArrayViewMutD};
use proptest::prelude::*;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Awkward numbers, many of them equal.
fn number(k: u64, seed: u64) -> f64 {
    let dice = (k ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let dice = (dice ^ dice >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20;
    match dice % 40 {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => f64::NEG_INFINITY,
        3 => -0.0,
        4..9 => (dice % 5) as f64 - 2.0,
        _ => (dice % 1_000_003) as f64 * 1e-3 - 400.0,
    }
}

/// An array of one of several types, in blocks of some rows.
fn array(kind: usize, shape: &[u64], chunk: &[u64], seed: u64) -> LazyArray {
    let n = shape.iter().product::<u64>();
    let values = (0..n).map(|k| number(k, seed));
    match kind {
        0 => LazyArray::from_slice(&values.map(|x| x as f32).collect::<Vec<_>>(), shape, chunk),
        1 => LazyArray::from_slice(&values.collect::<Vec<_>>(), shape, chunk),
        2 => LazyArray::from_slice(&values.map(|x| x as i16).collect::<Vec<_>>(), shape, chunk),
        _ => LazyArray::from_slice(&values.map(|x| x as u32).collect::<Vec<_>>(), shape, chunk),
    }
    .unwrap()
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn lanes_that_do_not_fit_give_the_same_bits(
        (kind, turn) in (0..4usize, 0..4i64),
        which in prop::collection::vec(0..6usize, 1..4),
        (cells, seed) in (1..3u64, any::<u64>()),
        qs in prop::collection::vec(0.0..=1.0f64, 1..3),
        method in prop::sample::select(Method::ALL.to_vec()),
        (keep_missing, min_count) in (any::<bool>(), prop_oneof![Just(0u64), 0..20_000u64]),
        (room, threads, computed) in (0..4u64, prop::sample::select(vec![1, 2, 7]), any::<bool>()),
    ) {
        let (mut shape, mut chunk) = (vec![cells, 130, 100], vec![1, 30, 100]);
        shape.rotate_left(turn as usize % 3);
        chunk.rotate_left(turn as usize % 3);
        let kept = shape.iter().position(|n| *n == cells).unwrap() as i64;
        let axes: Vec<i64> = (0..3).filter(|k| turn == 3 || *k != kept).collect();
        let x = array(kind, &shape, &chunk, seed);
        let x = if computed { &x + &x.transpose().transpose() } else { x };
        let options = LaneOptions { keep_missing, min_count };
        let statistics = which.into_iter().map(|which| {
            let statistic = match which {
                0 => OrderStatistic::Median,
                1 => OrderStatistic::Iqr,
                2 => OrderStatistic::Mad,
                3 => OrderStatistic::NUnique,
                // A type without NaN has none of too few values.
                4 if kind < 2 || min_count < 13_000 => OrderStatistic::Mode,
                _ => OrderStatistic::Quantile { at: Quantiles::new(qs.clone()).unwrap(), method },
            };
            x.order_statistic(statistic, &axes, options).unwrap()
        });
        let statistics: Vec<LazyArray> = statistics.collect();
        let arrays: Vec<&LazyArray> = statistics.iter().collect();
        let want = plenty(&arrays, 1).unwrap();
        prop_assert_eq!(want.narrowed, 0);
        let pieces = own_pieces(&arrays);
        let least = needed(&run(&arrays, &pieces, 1, 0, Arc::new(Silent)).map(|_| ()).unwrap_err()).unwrap();
        let limit = least + room * room * 3000;
        let ran = run(&arrays, &pieces, threads, limit, Arc::new(Silent)).unwrap();
        // All of them in one stage.
        prop_assert_eq!(ran.narrowed, 1, "{} bytes", limit);
        for (got, want) in ran.values.iter().zip(&want.values) {
            prop_assert!(got.same(want), "{limit} bytes");
        }
        prop_assert!(ran.peak <= limit);
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn lanes_in_order_that_do_not_fit_give_the_same_bits(
        (kind, first, cells, seed) in (0..4usize, any::<bool>(), 1..3u64, any::<u64>()),
        which in 0..3,
        (up, top) in (any::<bool>(), prop::option::of(prop_oneof![1..20u64, 1..400_000u64])),
        (room, threads, further) in (0..4u64, prop::sample::select(vec![1, 2, 7]), any::<bool>()),
    ) {
        // Places make a lane in memory larger.
        let n = if which == 0 { 300_000 } else { 100_000 };
        let (shape, chunk, axis) = match first {
            true => ([n, cells], [40_000, cells], 0),
            false => ([cells, n], [1, 40_000], 1),
        };
        let x = array(kind, &shape, &chunk, seed);
        let size = x.dtype().size() as u64;
        let each = if which == 0 { size } else { 2 * size.max(4) };
        let order = if up { Order::Ascending } else { Order::Descending };
        let op = match (which, top) {
            (0, Some(k)) => LaneOp::TopK { k, order },
            (0, None) => LaneOp::Sort { order },
            (1, Some(k)) => LaneOp::ArgTopK { k, order },
            (1, None) => LaneOp::ArgSort { order },
            _ => LaneOp::Rank,
        };
        let stages = if op == LaneOp::Rank { 2 } else { 1 };
        let y = x.lanes(op, axis).unwrap();
        let y = if further { &y + &x.mean(&[axis]).unwrap().expand_dims(&[axis]).unwrap() } else { y };
        let want = plenty(&[&y], 1).unwrap();
        prop_assert_eq!(want.narrowed, 0);
        let mut piece = Shape(vec![1, 1]);
        piece.0[axis as usize] = y.shape()[axis as usize].min(20_000);
        let pieces = [piece];
        let least = needed(&run(&[&y], &pieces, 1, 0, Arc::new(Silent)).map(|_| ()).unwrap_err()).unwrap();
        let limit = least + room * room * 3000;
        let ran = run(&[&y], &pieces, threads, limit, Arc::new(Silent)).unwrap();
        // The largest that any codec of the spill file asks for is more than a short lane.
        prop_assert!(ran.narrowed == stages || limit > 3 * n * each, "{} bytes", limit);
        prop_assert!(ran.values[0].same(&want.values[0]), "{limit} bytes");
        prop_assert!(ran.peak <= limit);
    }
}

/// As of a file that somebody writes to.
#[test]
fn values_that_change_from_pass_to_pass_are_an_error() {
    let x = array(1, &[130, 100], &[30, 100], 7);
    let calls = AtomicU32::new(0);
    let fickle = x.map_blocks("fickle", 0, move |x: ArrayViewD<'_, f64>, mut out: ArrayViewMutD<'_, f64>| {
        let more = f64::from(calls.fetch_add(1, Ordering::Relaxed)) * 1e3;
        out.zip_mut_with(&x, |y, x| *y = x + more);
    });
    for statistic in [OrderStatistic::Median, OrderStatistic::NUnique] {
        let y = fickle.as_ref().unwrap().order_statistic(statistic, &[0, 1], LaneOptions::default()).unwrap();
        let pieces = own_pieces(&[&y]);
        let least = needed(&run(&[&y], &pieces, 1, 0, Arc::new(Silent)).map(|_| ()).unwrap_err()).unwrap();
        let failed = run(&[&y], &pieces, 2, least, Arc::new(Silent)).map(|_| ()).unwrap_err();
        assert!(failed.to_string().contains("others than a moment ago"), "{failed}");
    }
}

/// What is made of a statistic, and what it is made of, are computed as ever.
#[test]
fn a_statistic_that_is_narrowed_is_an_array_like_others() {
    let x = array(0, &[130, 100], &[30, 100], 7).nan_to_num(0.0, Some(1.0), Some(-1.0)).unwrap();
    let away = (&x - x.mean(&[0, 1]).unwrap()).median(&[0, 1]).unwrap();
    let scaled = (&x - &away).abs().unwrap().median(&[0, 1]).unwrap() * 2.0;
    let arrays = [&scaled, &away];
    let pieces = own_pieces(&arrays);
    let want = plenty(&arrays, 1).unwrap();
    let least = needed(&run(&arrays, &pieces, 1, 0, Arc::new(Silent)).map(|_| ()).unwrap_err()).unwrap();
    let ran = run(&arrays, &pieces, 2, least, Arc::new(Silent)).unwrap();
    assert!(ran.narrowed == 2 && want.narrowed == 0);
    assert!(ran.values.iter().zip(&want.values).all(|(a, b)| a.same(b)));
}
