//! Folds by groups: they are the fold of each group, as xarray's are, whatever threads and memory, and each stored
//! chunk is decoded once.

use super::{
    cases, common,
    definition::weighted,
    reference::{Whole, reduced_whole},
    run::{needed, own_pieces, plenty, run},
    sources::{opened, reads},
};
use aosx::{
    array::{AxisWeights, Folding, Groups, LazyArray, Operation},
    dtype::{DType, Scalar},
    error::Result,
    events::Silent,
    formats::OutputFormat,
    kernels::{
        fold::{CustomFold, FoldOptions, Op, erased},
        lanes::{Method, OrderStatistic, Quantiles},
    },
    shape::Shape,
};
use proptest::prelude::*;
use serde_json::Value;
use std::{path::Path, sync::Arc};

/// A grouped array from the values of its input, group by group; `None` for a user's fold.
pub fn grouped_whole(input: &Whole, array: &LazyArray) -> Option<Result<Whole>> {
    let Operation::Grouped { fold: Folding::Op { op, options }, groups, grouped, reduced, .. } = array.operation()
    else {
        return None;
    };
    let first = grouped.iter().position(|g| *g).unwrap();
    let place = reduced[..first].iter().filter(|r| !**r).count();
    let pick = |index: &[u64], which: &dyn Fn(usize) -> bool| -> Vec<u64> {
        index.iter().enumerate().filter(|(k, _)| which(*k)).map(|(_, n)| *n).collect()
    };
    let flat = |index: &[u64], shape: &[u64]| index.iter().zip(shape).fold(0, |n, (i, len)| n * len + i) as usize;
    // For each cell, the places of its values in the input, in row-major order.
    let mut cells: Vec<Vec<usize>> = vec![Vec::new(); array.size() as usize];
    for at in 0..input.shape.iter().product::<u64>() as usize {
        let index: Vec<u64> =
            input.shape.strides().iter().zip(input.shape.iter()).map(|(s, n)| at as u64 / s % n).collect();
        let among = |which: &dyn Fn(usize) -> bool| flat(&pick(&index, which), &pick(&input.shape, which));
        let label = groups.labels()[among(&|k| grouped[k])];
        if label != Groups::NONE {
            let mut cell = pick(&index, &|k| !reduced[k]);
            cell.insert(place, label.into());
            cells[flat(&cell, array.shape())].push(at);
        }
    }
    let size = input.dtype.size();
    let mut out = Vec::new();
    for cell in cells {
        let bytes: Vec<u8> = cell.iter().flat_map(|at| &input.bytes()[at * size..(at + 1) * size]).copied().collect();
        let lane = Whole::of(input.dtype, &[cell.len() as u64], &bytes);
        let scalar = LazyArray::scalar(0.0).astype(array.dtype());
        let one = match reduced_whole(&lane, *op, &[true], *options, &scalar) {
            Ok(one) => one,
            Err(error) => return Some(Err(error)),
        };
        out.extend_from_slice(one.bytes());
    }
    Some(Ok(Whole::of(array.dtype(), array.shape(), &out)))
}

/// Whether the order of values matters to the last bits of an operation, also for numbers that are whole.
fn rounds(op: Op) -> bool {
    matches!(op, Op::Var | Op::Std | Op::Prod)
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * b.abs().max(1.0)
}

#[test]
fn groups_are_those_of_xarray() {
    let told: Value = serde_json::from_str(include_str!("../../fixtures/grouped/expected.json")).unwrap();
    let list = |told: &Value| -> Vec<Option<f64>> { told.as_array().unwrap().iter().map(Value::as_f64).collect() };
    let whole = |told: &Value| -> Vec<u64> { told.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect() };
    let bytes: Vec<u8> = list(&told["values"]).iter().flat_map(|x| x.unwrap_or(f64::NAN).to_ne_bytes()).collect();
    let cases = told["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for chunk in [[1u64, 3, 4], [7, 2, 2], [40, 1, 4]] {
        let t = LazyArray::from_bytes(&bytes, &whole(&told["shape"]), &chunk, DType::F64).unwrap();
        for case in cases {
            let label = |x: &Option<f64>| x.map_or(Groups::NONE, |x| x as u32);
            let labels = list(&case["labels"]).iter().map(label).collect();
            let groups = Groups::new(labels, case["count"].as_u64().unwrap() as u32).unwrap();
            let axes = |key: &str| whole(&case[key]).iter().map(|&k| k as i64).collect::<Vec<_>>();
            let (name, op) = (case["name"].as_str().unwrap(), Op::from_name(case["op"].as_str().unwrap()).unwrap());
            let keep_missing = !case["skip"].as_bool().unwrap();
            let options = FoldOptions { ddof: case["ddof"].as_f64().unwrap(), keep_missing, min_count: 0 };
            let array = t.grouped_by(Folding::Op { op, options }, &axes("axes"), &groups, &axes("also")).unwrap();
            assert_eq!(**array.shape(), whole(&case["shape"]), "{op} of {name}");
            let values = plenty(&[&array], 2).unwrap().values.remove(0).numbers();
            for (k, (a, b)) in values.iter().zip(list(&case["values"])).enumerate() {
                assert!(near(*a, b.unwrap_or(f64::NAN), 1e-12), "{op} of {name} at {k}: {a} and {b:?}");
            }
        }
    }
}

/// Of single precision, 48 x 6 x 8.
fn stored(folder: &Path, chunk: &[u64]) -> LazyArray {
    let path = folder.join(format!("{}-{}.nc", chunk[0], chunk[1]));
    let dims = [common::dim("t", 48), common::dim("y", 6), common::dim("x", 8)];
    let values: Vec<u8> = (0..48 * 48).flat_map(|n| ((n * 37 % 101) as f32).to_ne_bytes()).collect();
    common::create(&path, OutputFormat::NetCdf4, &dims, &[(common::var("v", DType::F32, &dims, Some(chunk)), values)]);
    opened(&path, "v")
}

fn groups(count: u32, labels: impl Iterator<Item = u32>) -> Groups {
    Groups::new(labels.collect(), count).unwrap()
}

#[test]
fn each_chunk_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = FoldOptions::default();
    let regions = groups(5, (0..48).map(|k| if k % 7 == 6 { Groups::NONE } else { k * 5 / 48 }));
    for (chunk, all) in [([1u64, 6, 8], 48), ([6, 3, 4], 8 * 4), ([48, 3, 8], 2), ([7, 6, 8], 7)] {
        let t = stored(folder.path(), &chunk);
        for (name, by) in [
            ("climatology", groups(12, (0..48).map(|k| k % 12))),
            ("resampled", groups(12, (0..48).map(|k| k / 4))),
            ("years", groups(4, (0..48).map(|k| k / 12))),
        ] {
            let mean = t.grouped(Op::Mean, &[0], &by, options).unwrap();
            assert_eq!(reads(&mean, 2, Some(1 << 30)), all, "{name} of chunks of {chunk:?}");
            let std = t.grouped(Op::Std, &[0], &groups(by.count(), by.labels().iter().copied()), options).unwrap();
            assert_eq!(reads(&(&mean + &std), 1, Some(1 << 30)), all, "two in one pass");
            let doubled = (&t * 2.0).grouped(Op::Max, &[0], &by, options).unwrap();
            assert_eq!(reads(&doubled, 1, Some(1 << 30)), all, "of an expression");
            if chunk[0] == 1 {
                assert_eq!(reads(&mean, 2, None), all, "where a chunk is one step, in any memory");
            }
        }
        let by_region = t.grouped(Op::Mean, &[1, 2], &regions, options).unwrap();
        assert_eq!(reads(&by_region, 2, Some(1 << 30)), all, "regions of chunks of {chunk:?}");
        let one = groups(1, (0..48).map(|k| if k < 6 { 0 } else { Groups::NONE }));
        let few = reads(&t.grouped(Op::Sum, &[0], &one, options).unwrap(), 1, Some(1 << 30));
        assert!(few <= all * 6_u64.next_multiple_of(chunk[0]) / 48 + 1, "what is in no group is not read: {few}");
        let index: Vec<i64> = (0..48).map(|k| k % 12).collect();
        let clim = t.grouped(Op::Mean, &[0], &groups(12, (0..48).map(|k| k % 12)), options).unwrap();
        assert_eq!(reads(&(&t - clim.take(&index, 0).unwrap()), 2, Some(1 << 30)), 2 * all, "anomalies");
    }
}

#[test]
fn the_plan_says_how_it_goes_through_groups() {
    let x = LazyArray::ones(&[48, 6, 8], &[1, 6, 8], DType::F64).unwrap();
    let of = |by: &Groups, axes: &[i64]| {
        let mean = x.grouped(Op::Mean, axes, by, FoldOptions::default()).unwrap();
        aosx::prelude::Session::new().explain_arrays(&[&mean]).unwrap()
    };
    let text = of(&groups(12, (0..48).map(|k| k / 4)), &[0]);
    let want = "fold mean over axis 0 by 12 groups: 1 columns of 48 blocks, 12 passes that read 48 of them; \
                1 states in a run, 2 with its column's";
    assert!(text.contains(want), "{text}");
    let text = of(&groups(3, (0..48).map(|k| k % 3)), &[1, 2]);
    let want =
        "by 3 groups: 48 columns of 1 blocks, 1 passes that read 1 of them; 3 states in a run, 3 with its column's";
    assert!(text.contains(want), "{text}");
}

#[test]
fn positions_are_counted_within_groups() {
    let folder = tempfile::tempdir().unwrap();
    let options = FoldOptions::default();
    let months = groups(12, (0..48).map(|k| k % 12));
    let regions = groups(3, (0..48).map(|k| if k % 5 == 0 { Groups::NONE } else { k % 3 }));
    let rows = groups(2, [0, 1, 0, 0, 1, 1].into_iter());
    for chunk in [[1u64, 6, 8], [6, 3, 4], [7, 6, 8]] {
        let t = stored(folder.path(), &chunk);
        let of = |t: &LazyArray, by: &Groups, axes: &[i64], also: &[i64]| {
            let fold = Folding::Op { op: Op::ArgMax, options };
            let array = t.grouped_by(fold, axes, by, also).unwrap();
            plenty(&[&array], 2).unwrap().values.remove(0).numbers()
        };
        for (by, axes, also) in [
            (&months, vec![0], vec![]),
            (&months, vec![0], vec![2]),
            (&rows, vec![1], vec![0]),
            (&rows, vec![1], vec![0, 2]),
            (&regions, vec![1, 2], vec![0]),
        ] {
            let whole = t.rechunk(&[48, 6, 8]).unwrap();
            assert_eq!(of(&t, by, &axes, &also), of(&whole, by, &axes, &also), "{axes:?} {also:?} of {chunk:?}");
        }
        // The values of a month, one behind the other, are what is left of time.
        let all = of(&t, &months, &[0], &[]);
        for month in 0..12 {
            let own = t.take(&[0, 12, 24, 36].map(|k: i64| k + month), 0).unwrap();
            let own = own.argmax(Some(0)).unwrap();
            let own = plenty(&[&own], 1).unwrap().values.remove(0).numbers();
            assert_eq!(all[month as usize * 48..(month as usize + 1) * 48], own);
        }
        let between = Folding::Op { op: Op::ArgMax, options };
        let apart = groups(2, (0..48 * 8).map(|k| k % 2));
        assert!(t.grouped_by(between, &[0, 2], &apart, &[1]).is_err(), "an axis between those of the groups");
    }
}

#[test]
fn what_has_no_values() {
    let none = groups(3, [1, 1, Groups::NONE].into_iter());
    let x = LazyArray::arange(1, 4, 1, &[2]).unwrap();
    let of = |x: &LazyArray, op: Op| {
        let array = x.grouped(op, &[0], &none, FoldOptions::default()).unwrap();
        plenty(&[&array], 2).map(|mut ran| ran.values.remove(0).numbers())
    };
    assert_eq!(of(&x, Op::Sum).unwrap(), [0.0, 3.0, 0.0]);
    assert_eq!(of(&x, Op::Count).unwrap(), [0.0, 2.0, 0.0]);
    assert_eq!(of(&x, Op::ArgMax).unwrap(), [-1.0, 1.0, -1.0]);
    assert!(x.grouped(Op::Max, &[0], &none, FoldOptions::default()).is_err(), "no integer of 64 bits is missing");
    let max = of(&x.astype(DType::I32), Op::Max).unwrap();
    assert!(max[0].is_nan() && max[1] == 2.0, "others are floats then");
    let mean = of(&x, Op::Mean).unwrap();
    assert!(mean[0].is_nan() && mean[1] == 1.5 && mean[2].is_nan());
    let max = of(&x.astype(DType::F64), Op::Max).unwrap();
    assert!(max[0].is_nan() && max[1] == 2.0);
    let nothing = LazyArray::zeros(&[0, 2], &[1, 2], DType::F32).unwrap();
    let array = nothing.grouped(Op::Sum, &[0], &groups(2, [].into_iter()), FoldOptions::default()).unwrap();
    assert_eq!(plenty(&[&array], 1).unwrap().values[0].numbers(), [0.0; 4]);
    let array = nothing.grouped(Op::Mean, &[1], &groups(0, [Groups::NONE; 2].into_iter()), FoldOptions::default());
    assert_eq!(plenty(&[&array.unwrap()], 1).unwrap().values[0].numbers(), [0.0; 0]);
}

/// A sum of squares.
pub struct Squares;

impl CustomFold for Squares {
    type State = f64;
    type Out = f64;
    fn name(&self) -> &str {
        "squares"
    }
    fn init(&self) -> f64 {
        0.0
    }
    fn push(&self, state: &mut f64, value: f64) {
        *state += value * value;
    }
    fn merge(&self, into: &mut f64, later: &f64) {
        *into += later;
    }
    fn finish(&self, state: &f64) -> f64 {
        *state
    }
}

#[test]
fn a_fold_of_ones_own_by_groups() {
    let x = LazyArray::arange(0, 24, 1, &[24]).unwrap().reshape(&[6, 4]).unwrap().rechunk(&[2, 3]).unwrap();
    let by = groups(2, [0, 1, 1, 0, 1, 0].into_iter());
    let array = x.grouped_by(Folding::Own(erased(Squares)), &[0], &by, &[1]).unwrap();
    let of = |rows: [f64; 3]| rows.iter().flat_map(|r| (0..4).map(move |k| (r * 4.0 + k as f64).powi(2))).sum::<f64>();
    let want = [of([0.0, 3.0, 5.0]), of([1.0, 2.0, 4.0])];
    assert_eq!(plenty(&[&array], 2).unwrap().values[0].numbers(), want);
}

/// The groups of positions: anyhow, in a row, or in turn; some are in none.
fn labels(count: u32, form: u32, seed: u32, positions: u64) -> impl Iterator<Item = u32> {
    let label = move |k: u64| {
        let any = (k as u32).wrapping_mul(0x9e37_79b9).wrapping_add(seed) >> 7;
        match (count, form) {
            (0, _) => Groups::NONE,
            (_, 0) => any % (count + 1),
            (_, 1) => (k * u64::from(count) / positions) as u32,
            _ => (k % u64::from(count)) as u32,
        }
    };
    (0..positions).map(label).map(move |g| if g < count { g } else { Groups::NONE })
}

/// Small multiples of 1/8, which add up exactly, and NaN.
fn values(dtype: DType, count: u64, seed: u32) -> Vec<u8> {
    let one = |k: u64| {
        let n = (k as u32).wrapping_mul(2_654_435_761).wrapping_add(seed).rotate_left(13).wrapping_mul(40_503) >> 16;
        match dtype.is_float() {
            true if n.is_multiple_of(9) => Scalar::Float(f64::NAN),
            true => Scalar::Float(f64::from(n % 81) / 8.0 - 5.0),
            false => Scalar::Int(i64::from(n % 11)),
        }
    };
    (0..count).flat_map(|k| one(k).bytes(dtype)[..dtype.size()].to_vec()).collect()
}

/// Shape, chunk, another one, for each axis: 0 kept, 1 grouped, 2 reduced too.
fn cut() -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Vec<u64>, Vec<u8>)> {
    (1usize..5).prop_flat_map(|rank| {
        let longest = [40u64, 20, 9, 5][rank - 1];
        prop::collection::vec((1..=longest, 1..=longest, 1..=longest, 0u8..3), rank).prop_map(move |axes| {
            let mut roles: Vec<u8> = axes.iter().map(|a| a.3).collect();
            if !roles.contains(&1) {
                roles[axes[0].0 as usize % rank] = 1;
            }
            let clamped = |k: fn(&(u64, u64, u64, u8)) -> u64| axes.iter().map(|a| k(a).min(a.0)).collect();
            (clamped(|a| a.0), clamped(|a| a.1), clamped(|a| a.2), roles)
        })
    })
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn grouped_is_each_group_reduced_whatever_threads_and_memory(
        (shape, chunk, pieces, roles) in cut(),
        kind in 0usize..8,
        op in 0usize..15,
        (count, form, turned) in (0u32..9, 0u32..3, any::<bool>()),
        (seed, keep_missing, min_count) in (any::<u32>(), any::<bool>(), 0u64..4),
    ) {
        let dtype = [DType::F32, DType::F64, DType::I32, DType::U8, DType::I64, DType::Bool, DType::F16, DType::F32][kind];
        let bytes = values(dtype, shape.iter().product(), seed);
        let x = LazyArray::from_bytes(&bytes, &shape, &*chunk, dtype).unwrap();
        let (x, roles) = if turned { (x.transpose(), roles.into_iter().rev().collect()) } else { (x, roles) };
        let axes = |role: u8| -> Vec<i64> { (0..x.ndim()).filter(|&k| roles[k] == role).map(|k| k as i64).collect() };
        let positions: u64 = axes(1).iter().map(|&k| x.shape()[k as usize]).product();
        let by = groups(count, labels(count, form, seed, positions));
        let options = FoldOptions { ddof: 0.0, keep_missing, min_count };
        let op = Op::ALL[op];
        let array = match x.grouped_by(Folding::Op { op, options }, &axes(1), &by, &axes(2)) {
            Ok(array) => array,
            Err(e) => {
                let why = e.to_string();
                let is_refused = match op {
                    Op::ArgMin | Op::ArgMax => why.contains("another one between"),
                    _ => x.dtype() == DType::I64 && by.sizes().contains(&0) && why.contains("is empty"),
                };
                prop_assert!(is_refused, "{} of {}: {}", op, x.dtype(), why);
                return Ok(());
            }
        };
        // Integers are floats where a group is empty.
        let Operation::Grouped { input: of, .. } = array.operation() else { panic!("{array:?} is of no groups") };
        let input = plenty(&[of], 1).unwrap().values.remove(0);
        let want = grouped_whole(&input, &array).unwrap();
        let (got, want) = match (plenty(&[&array], 1), want) {
            (Ok(mut got), Ok(want)) => (got.values.remove(0), want),
            (Err(_), Err(_)) => return Ok(()),
            (got, want) => panic!("{:?} and {:?}", got.map(|_| ()), want.map(|_| ())),
        };
        match rounds(op) && dtype.is_float() || matches!(op, Op::Var | Op::Std) {
            true => {
                let tolerance = if array.dtype() == DType::F64 { 1e-11 } else { 2e-3 };
                for (a, b) in got.numbers().into_iter().zip(want.numbers()) {
                    prop_assert!(near(a, b, tolerance), "{} and {}", a, b);
                }
            }
            false => prop_assert!(got.same(&want), "{:?} and {:?}", got.numbers(), want.numbers()),
        }
        let own: Vec<u64> = if pieces.len() == array.ndim() { pieces } else { vec![2; array.ndim()] };
        let own = array.shape().iter().zip(&own).map(|(n, p)| (*p).clamp(1, (*n).max(1))).collect();
        for pieces in [own_pieces(&[&array]), vec![own]] {
            let refused = run(&[&array], &pieces, 1, 0, Arc::new(Silent)).map(|_| ());
            let least = refused.err().map_or(0, |e| needed(&e).unwrap());
            for (threads, limit) in [(1, least), (3, least), (2, least * 3 / 2), (3, least * 4), (3, 1 << 30)] {
                let ran = match run(&[&array], &pieces, threads, limit, Arc::new(Silent)) {
                    Ok(ran) => ran,
                    // More room is used for fewer reads.
                    Err(e) => panic!("{limit} of {least}: {e}"),
                };
                prop_assert!(ran.peak <= limit);
                prop_assert!(ran.values[0].bytes() == got.bytes(), "{} threads in {} of {}", threads, limit, least);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn weighted_groups_are_each_group_weighted_whatever_threads_and_memory(
        (shape, chunk, pieces, roles) in cut(),
        (kind, op, is_lazy) in (0usize..4, 0usize..5, any::<bool>()),
        (count, form, over) in (1u32..9, 0u32..3, any::<u8>()),
        (seed, keep_missing, min_count) in (any::<u32>(), any::<bool>(), 0u64..4),
    ) {
        let dtype = [DType::F32, DType::F64, DType::I32, DType::U8][kind];
        let op = [Op::Sum, Op::Mean, Op::Var, Op::Std, Op::Count][op];
        let bytes = values(dtype, shape.iter().product(), seed);
        let x = LazyArray::from_bytes(&bytes, &shape, &*chunk, dtype).unwrap();
        let axes = |role: u8| -> Vec<i64> { (0..x.ndim()).filter(|&k| roles[k] == role).map(|k| k as i64).collect() };
        let positions: u64 = axes(1).iter().map(|&k| shape[k as usize]).product();
        let by = groups(count, labels(count, form, seed, positions));
        // Weights along some of the axes, in any of three ways: a table, numbers beside what stays, and computed ones.
        let along: Vec<usize> = (0..x.ndim()).filter(|k| over >> k & 1 == 1).collect();
        let lengths: Vec<u64> = along.iter().map(|&k| shape[k]).collect();
        let n: u64 = lengths.iter().product();
        let weights: Vec<f64> = (0..n as u32).map(|k| f64::from((k * 7 + seed % 13) % 5) / 4.0).collect();
        let known = AxisWeights::new(weights.clone(), &along, &lengths).unwrap();
        let blocks: Vec<u64> = along.iter().map(|&k| chunk[k]).collect();
        let computed = LazyArray::from_slice(&weights, &lengths, &*blocks).unwrap();
        let chosen = if is_lazy { AxisWeights::lazy(computed, &along).unwrap() } else { known };
        let options = FoldOptions { ddof: 0.0, keep_missing, min_count };
        let array = x.weighted_groups(op, &chosen, &axes(1), &by, &axes(2), options).unwrap();
        // By the definition.
        let first = roles.iter().position(|r| *r == 1).unwrap();
        let place = roles[..first].iter().filter(|r| **r == 0).count();
        let numbers = plenty(&[&x], 1).unwrap().values.remove(0).numbers();
        let mut cells = vec![Vec::new(); array.size() as usize];
        for (at, value) in numbers.into_iter().enumerate() {
            let strides = x.shape().strides();
            let index: Vec<u64> = strides.iter().zip(&shape).map(|(s, n)| at as u64 / s % n).collect();
            let flat = |axes: &[usize]| axes.iter().fold(0, |n, &k| n * shape[k] + index[k]) as usize;
            let own: Vec<usize> = axes(1).iter().map(|&k| k as usize).collect();
            let label = by.labels()[flat(&own)];
            if label != Groups::NONE {
                let mut cell: Vec<u64> = (0..roles.len()).filter(|&k| roles[k] == 0).map(|k| index[k]).collect();
                cell.insert(place, label.into());
                let at = cell.iter().zip(array.shape().iter()).fold(0, |n, (i, len)| n * len + i) as usize;
                cells[at].push((value, weights[flat(&along)]));
            }
        }
        let ran = plenty(&[&array], 1).unwrap().values.remove(0);
        for (got, cell) in ran.numbers().into_iter().zip(&cells) {
            let want = weighted(cell, op, options);
            // A root of what rounding leaves of 0 has half the digits.
            let tolerance = if array.dtype() == DType::F32 { 1e-6 } else { 1e-11 };
            let tolerance = if op == Op::Std { 1e-5 } else { tolerance };
            prop_assert!(near(got, want, tolerance), "{} of {:?}: {} and {}", op, cell, got, want);
        }
        let own: Vec<u64> = if pieces.len() == array.ndim() { pieces } else { vec![2; array.ndim()] };
        let own: Shape = array.shape().iter().zip(&own).map(|(n, p)| (*p).clamp(1, (*n).max(1))).collect();
        for pieces in [own_pieces(&[&array]), vec![own]] {
            let refused = run(&[&array], &pieces, 1, 0, Arc::new(Silent)).map(|_| ());
            let least = refused.err().map_or(0, |e| needed(&e).unwrap());
            for (threads, limit) in [(1, least), (3, least), (2, least * 3 / 2), (3, 1 << 30)] {
                let again = run(&[&array], &pieces, threads, limit, Arc::new(Silent)).unwrap();
                prop_assert!(again.peak <= limit);
                prop_assert!(again.values[0].bytes() == ran.bytes(), "{} threads in {} of {}", threads, limit, least);
            }
        }
    }

    /// Order statistics of groups are those of each group, along any axes.
    #[test]
    fn order_in_groups_is_that_of_each_group(
        (shape, chunk, _, roles) in cut(),
        (count, form, seed) in (1u32..5, 0u32..3, any::<u32>()),
        (q, weighted) in (0f64..=1.0, any::<bool>()),
    ) {
        let bytes = values(DType::F64, shape.iter().product(), seed);
        let x = LazyArray::from_bytes(&bytes, &shape, &*chunk, DType::F64).unwrap();
        let axes = |role: u8| -> Vec<i64> { (0..x.ndim()).filter(|&k| roles[k] == role).map(|k| k as i64).collect() };
        let (along, also) = (axes(1), axes(2));
        let lengths: Vec<u64> = along.iter().map(|&k| shape[k as usize]).collect();
        let by = groups(count, labels(count, form, seed, lengths.iter().product()));
        let options = FoldOptions::default();
        let at = Quantiles::new([q, 0.5]).unwrap();
        let all: Vec<usize> = (0..x.ndim()).filter(|&k| roles[k] > 0).collect();
        let extents: Vec<u64> = all.iter().map(|&k| shape[k]).collect();
        let n: u64 = extents.iter().product();
        let weights: Vec<f64> = (0..n as u32).map(|k| f64::from((k * 7 + seed % 13) % 5) / 4.0).collect();
        let weights = AxisWeights::new(weights, &all, &extents).unwrap();
        let statistic = match seed % 4 {
            0 => OrderStatistic::Mad,
            1 => OrderStatistic::Mode,
            _ => OrderStatistic::Quantile { at, method: Method::Linear },
        };
        let reduced: Vec<i64> = all.iter().map(|&k| k as i64).collect();
        let of = |x: &LazyArray| match weighted {
            true => x.order_by(statistic.clone(), &weights, &reduced, options).unwrap(),
            false => x.order_statistic(statistic.clone(), &reduced, options).unwrap(),
        };
        let grouped = match weighted {
            true => x.grouped_order_by(statistic.clone(), &weights, &along, &by, &also, options).unwrap(),
            false => x.grouped_order(statistic.clone(), &along, &by, &also, options).unwrap(),
        };
        // Each group by itself: the others missing, which takes their weight out.
        let spread: Vec<u64> = (0..x.ndim()).map(|k| if roles[k] == 1 { shape[k] } else { 1 }).collect();
        let each = (0..count).map(|group| {
            let mask: Vec<bool> = by.labels().iter().map(|label| *label == group).collect();
            let mask = LazyArray::from_bools(&mask, &spread, &*spread).unwrap();
            of(&x.where_else(&mask, f64::NAN).unwrap())
        });
        let first = roles.iter().position(|r| *r == 1).unwrap();
        let leads = usize::from(matches!(statistic, OrderStatistic::Quantile { .. }));
        let place = leads + roles[..first].iter().filter(|r| **r == 0).count();
        let each: Vec<LazyArray> = each.collect();
        let apart = LazyArray::stack(&each, place as i64).unwrap();
        prop_assert_eq!(grouped.shape(), apart.shape());
        let got = plenty(&[&grouped], 2).unwrap().values.remove(0);
        let want = plenty(&[&apart], 1).unwrap().values.remove(0);
        prop_assert!(got.same(&want), "{:?} and {:?}", got.numbers(), want.numbers());
    }
}
