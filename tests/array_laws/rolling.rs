//! Windows and running results: against xarray, and whatever the blocks, threads and memory, each stored chunk is
//! decoded once.

use super::{
    cases, common,
    random::Draw,
    reference::Whole,
    run::{needed, own_pieces, plenty, run},
    sources::{opened, reads},
};
use aosx::{
    array::{Anchor, LazyArray, Rolling},
    dtype::DType,
    events::Silent,
    formats::OutputFormat,
    kernels::{
        fold::{FoldOptions, Op},
        lanes::LaneOp,
    },
};
use proptest::prelude::*;
use serde_json::Value;
use std::{path::Path, sync::Arc};

fn numbers(told: &Value) -> Vec<f64> {
    told.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

fn rolled(x: &LazyArray, axis: usize, length: u64, anchor: Anchor, op: Op, min_count: u64) -> LazyArray {
    let options = FoldOptions { min_count, ..FoldOptions::default() };
    x.rolling(axis, Rolling { length, anchor }, op, options).unwrap()
}

#[test]
fn windows_are_those_of_xarray() {
    let text = include_str!("../../fixtures/rolling/expected.json");
    let told: Value = serde_json::from_str(text).unwrap();
    let shape: Vec<u64> = told["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let bytes = |name: &str, narrow: bool| -> Vec<u8> {
        let values = numbers(&told[name]).into_iter();
        match narrow {
            true => values.flat_map(|x| (x as i32).to_ne_bytes()).collect(),
            false => values.flat_map(f64::to_ne_bytes).collect(),
        }
    };
    let t = LazyArray::from_bytes(&bytes("t", false), &shape, &[4u64, 1], DType::F64).unwrap();
    let whole = LazyArray::from_bytes(&bytes("whole", true), &shape, &[3u64, 2], DType::I32).unwrap();
    let cases = told["cases"].as_array().unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        let op = Op::from_name(case["op"].as_str().unwrap()).unwrap();
        let anchor = if case["center"].as_bool().unwrap() { Anchor::Center } else { Anchor::Last };
        let number = |key: &str| case[key].as_u64().unwrap();
        let x = if case["of"] == "t" { &t } else { &whole };
        let array = rolled(x, 0, number("length"), anchor, op, number("min_count"));
        let values = plenty(&[&array], 2).unwrap().values.remove(0).numbers();
        for (k, (a, b)) in values.iter().zip(numbers(&case["values"])).enumerate() {
            let (op, of, length) = (case["op"].as_str(), case["of"].as_str(), number("length"));
            // A count of few is a count here.
            let same = if op == Some("count") && b.is_nan() { true } else { near(*a, b, 1e-12) };
            assert!(same, "{op:?} of {length} of {of:?}, {anchor:?}, at {k}: {a} and {b}");
        }
    }
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * b.abs().max(1.0)
}

/// Of single precision, 48 x 6 x 8.
fn stored(folder: &Path, chunk: &[u64]) -> LazyArray {
    let path = folder.join(format!("{}.nc", chunk[0]));
    let dims = [common::dim("t", 48), common::dim("y", 6), common::dim("x", 8)];
    let values: Vec<u8> = (0..48 * 48).flat_map(|n| ((n * 37 % 101) as f32).to_ne_bytes()).collect();
    common::create(&path, OutputFormat::NetCdf4, &dims, &[(common::var("v", DType::F32, &dims, Some(chunk)), values)]);
    opened(&path, "v")
}

#[test]
fn each_chunk_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    for (chunk, all) in [([1u64, 6, 8], 48), ([6, 3, 4], 8 * 4), ([48, 3, 8], 2), ([7, 6, 8], 7)] {
        let t = stored(folder.path(), &chunk);
        let of = |array: &LazyArray| reads(array, 1, Some(1 << 30));
        for length in [2, 5, 20, 40] {
            for anchor in [Anchor::Last, Anchor::Center] {
                let mean = rolled(&t, 0, length, anchor, Op::Mean, length);
                assert_eq!(of(&mean), all, "a window of {length} over chunks of {chunk:?}, {anchor:?}");
            }
        }
        assert_eq!(of(&rolled(&t, 1, 3, Anchor::Center, Op::Max, 1)), all, "along another axis");
        assert_eq!(of(&rolled(&(&t * 2.0 + 1.0), 0, 9, Anchor::Last, Op::Std, 9)), all, "of an expression");
        assert_eq!(of(&t.cumsum(0).unwrap()), all, "running sums over chunks of {chunk:?}");
        assert_eq!(of(&t.cummax(2).unwrap()), all);
        assert_eq!(
            of(&t.flip(&[0]).unwrap().cumsum(0).unwrap().flip(&[0]).unwrap()),
            all,
            "from the last to the first"
        );
        let twice = rolled(&rolled(&t, 0, 5, Anchor::Last, Op::Mean, 5), 0, 9, Anchor::Last, Op::Max, 1);
        assert_eq!(of(&twice), all, "windows of windows");
        let both = t.cumsum(0).unwrap();
        let both = both.get_along(0, 4..).unwrap() - both.get_along(0, ..-4).unwrap();
        if chunk[0] == 1 {
            assert!(of(&both) <= 48 + 44, "running sums at two places: each chunk once for each, or once and cut anew");
        }
    }
}

#[test]
fn a_window_of_the_whole_axis_and_beyond() {
    let x = LazyArray::arange(1, 7, 1, &[4]).unwrap();
    let of = |length, anchor, op| {
        let array = rolled(&x, 0, length, anchor, op, 0);
        plenty(&[&array], 1).unwrap().values.remove(0).numbers()
    };
    assert_eq!(of(6, Anchor::Last, Op::Sum), [1.0, 3.0, 6.0, 10.0, 15.0, 21.0]);
    assert_eq!(of(1000, Anchor::Last, Op::Sum), [1.0, 3.0, 6.0, 10.0, 15.0, 21.0]);
    assert_eq!(of(1000, Anchor::Center, Op::Sum), [21.0; 6]);
    assert_eq!(of(1, Anchor::Center, Op::Max), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let none = rolled(&x, 0, 4, Anchor::Last, Op::Sum, 4);
    assert_eq!(none.dtype(), DType::F64, "something must say that a window is missing");
    assert!(plenty(&[&none], 1).unwrap().values[0].numbers()[2].is_nan());
    let with = |axis: usize, length: u64, op: Op| {
        x.rolling(axis, Rolling { length, anchor: Anchor::Last }, op, FoldOptions::default())
    };
    assert!(with(0, 0, Op::Sum).is_err());
    assert!(with(1, 2, Op::Sum).is_err());
    assert!(with(0, 2, Op::ArgMin).is_err());
    assert_eq!(of(u64::MAX, Anchor::Center, Op::Min), [1.0; 6]);
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn bits_depend_on_neither_blocks_threads_nor_memory(
        (lengths, chunk, other) in (1u64..60, 1u64..5, 1u64..6).prop_flat_map(|(n, a, b)| {
            let within = (1..=n, 1..=a, 1..=b);
            (Just([n, a, b]), within.clone(), within)
        }),
        axis in 0usize..3,
        turned in any::<bool>(),
        length in 1u64..70,
        center in any::<bool>(),
        op in 0usize..12,
        seed in any::<u32>(),
        pieces in 1u64..9,
    ) {
        let numbers: Vec<u32> = (0..400u32).map(|k| k.wrapping_mul(2_654_435_761).wrapping_add(seed)).collect();
        let dtype = if seed % 2 == 0 { DType::F32 } else { DType::F64 };
        let bytes = Draw(&numbers).bytes(dtype, lengths.iter().product());
        let of = |chunk: (u64, u64, u64)| {
            let x = LazyArray::from_bytes(&bytes, &lengths, &[chunk.0, chunk.1, chunk.2], dtype).unwrap();
            let x = if turned { x.transpose() } else { x };
            let anchor = if center { Anchor::Center } else { Anchor::Last };
            let running = [LaneOp::CumSum, LaneOp::NanCumProd, LaneOp::CumMax];
            let ops = [Op::Mean, Op::Sum, Op::Min, Op::Max, Op::Var, Op::Count, Op::First, Op::Last, Op::Any];
            match op {
                0..3 => x.lanes(running[op].clone(), axis as i64).unwrap(),
                _ => rolled(&x, axis, length, anchor, ops[op - 3], u64::from(seed % 4)),
            }
        };
        let (first, second) = (of(chunk), of(other));
        let expected: Whole = plenty(&[&first], 1).unwrap().values.remove(0);
        let cut = |a: &LazyArray| vec![a.shape().iter().map(|n| pieces.min(*n)).collect()];
        for array in [&first, &second] {
            for threads in [1, 3] {
                prop_assert!(expected.same(&plenty(&[array], threads).unwrap().values[0]));
                let any = run(&[array], &cut(array), threads, 1 << 30, Arc::new(Silent)).unwrap();
                prop_assert!(expected.same(&any.values[0]));
            }
            for pieces in [own_pieces(&[array]), cut(array)] {
                let refused = run(&[array], &pieces, 1, 0, Arc::new(Silent)).map(|_| ()).unwrap_err();
                let least = needed(&refused).unwrap();
                let tight = run(&[array], &pieces, 2, least, Arc::new(Silent)).unwrap();
                prop_assert!(tight.peak <= least);
                prop_assert!(expected.same(&tight.values[0]));
            }
        }
    }
}
