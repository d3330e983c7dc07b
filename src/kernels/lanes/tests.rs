//! Functions along an axis against NumPy and against their definition.

mod narrow;
mod order;

use super::*;
use crate::{
    dtype::Element,
    error::{Problem, Result},
    with_dtype,
};
use proptest::prelude::*;
use serde_json::Value;

const EXPECTED: &str = include_str!("../../../fixtures/lanes/expected.json");

/// Bytes that are aligned as a block's are.
fn aligned(bytes: &[u8]) -> Vec<u128> {
    let mut lines = vec![0u128; bytes.len().div_ceil(16)];
    bytemuck::cast_slice_mut::<u128, u8>(&mut lines)[..bytes.len()].copy_from_slice(bytes);
    lines
}

fn run(op: LaneOp, dtype: DType, src: &[u8], [outer, n, inner]: [usize; 3]) -> Vec<u8> {
    let bytes = outer * op.result_len(n as u64) as usize * inner * op.result_dtype(dtype).unwrap().size();
    let (src_lines, mut out) = (aligned(src), vec![u128::MAX; bytes.div_ceil(16)]);
    let mut scratch = vec![u128::MAX; op.scratch_bytes(dtype, n).div_ceil(16)];
    let out = &mut bytemuck::cast_slice_mut(&mut out)[..bytes];
    let src = &bytemuck::cast_slice(&src_lines)[..src.len()];
    lanes(&op, dtype, src, outer, n, inner, out, bytemuck::cast_slice_mut(&mut scratch));
    out.to_vec()
}

fn run_typed<T: Element, R: Element>(op: LaneOp, src: &[T], shape: [usize; 3]) -> Vec<R> {
    assert_eq!(op.result_dtype(T::DTYPE).unwrap(), R::DTYPE);
    run(op, T::DTYPE, bytemuck::cast_slice(src), shape)
        .chunks_exact(size_of::<R>())
        .map(bytemuck::pod_read_unaligned)
        .collect()
}

const UP: Order = Order::Ascending;
const DOWN: Order = Order::Descending;

const OPS: [(&str, LaneOp); 12] = [
    ("cumsum", LaneOp::CumSum),
    ("cumprod", LaneOp::CumProd),
    ("nancumsum", LaneOp::NanCumSum),
    ("nancumprod", LaneOp::NanCumProd),
    ("cummax", LaneOp::CumMax),
    ("cummin", LaneOp::CumMin),
    ("sort", LaneOp::Sort { order: UP }),
    ("argsort", LaneOp::ArgSort { order: UP }),
    ("sort descending", LaneOp::Sort { order: DOWN }),
    ("argsort descending", LaneOp::ArgSort { order: DOWN }),
    ("topk", LaneOp::TopK { k: 4, order: DOWN }),
    ("argtopk", LaneOp::ArgTopK { k: 4, order: DOWN }),
];

fn dtype_of(name: &Value) -> DType {
    DType::ALL.into_iter().find(|d| Some(d.name()) == name.as_str()).unwrap()
}

fn bytes_of(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap().as_bytes();
    hex.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// The same bits, or both NaN.
fn same(dtype: DType, a: &[u8], b: &[u8]) -> bool {
    with_dtype!(dtype, T => {
        let nan = |x: &[u8]| bytemuck::pod_read_unaligned::<T>(x).to_f64().is_nan();
        let mut pairs = a.chunks_exact(size_of::<T>()).zip(b.chunks_exact(size_of::<T>()));
        a.len() == b.len() && pairs.all(|(a, b)| a == b || nan(a) && nan(b))
    })
}

#[test]
#[cfg(target_endian = "little")]
fn the_bits_are_those_of_numpy() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let mut seen = 0;
    for case in expected["cases"].as_array().unwrap() {
        let (dtype, src) = (dtype_of(&case["dtype"]), bytes_of(&case["src"]));
        for (name, op) in OPS {
            let want = &case["results"][name];
            assert_eq!(op.result_dtype(dtype).unwrap(), dtype_of(&want["dtype"]), "{name} of {dtype}");
            let got = run(op.clone(), dtype, &src, [2, 11, 2]);
            let result = op.result_dtype(dtype).unwrap();
            assert!(same(result, &got, &bytes_of(&want["out"])), "{name} of {dtype}");
            seen += 1;
        }
    }
    assert_eq!(seen, 9 * 12);
}

#[test]
fn a_long_sum_rounds_at_each_step_as_numpy_does() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let x: Vec<f32> = (0..5000).map(|i| (i * 7919 % 10007) as f32 * 0.1).collect();
    let y: Vec<f32> = run_typed(LaneOp::CumSum, &x, [1, 5000, 1]);
    let across: Vec<f32> = run_typed(LaneOp::CumSum, &[x.clone(), x].concat(), [2, 5000, 1]);
    for (k, want) in [999, 2999, 4999].into_iter().zip(expected["long"].as_array().unwrap()) {
        assert_eq!(u64::from(y[k].to_bits()), want.as_u64().unwrap());
        assert_eq!(u64::from(across[5000 + k].to_bits()), want.as_u64().unwrap());
    }
}

/// `[outer, n, inner]` to `[outer, inner, n]`.
fn lanes_last(bytes: &[u8], size: usize, [outer, n, inner]: [usize; 3]) -> Vec<u8> {
    let element = |o: usize, j: usize, i: usize| &bytes[((o * n + j) * inner + i) * size..][..size];
    let order = (0..outer).flat_map(|o| (0..inner).flat_map(move |i| (0..n).map(move |j| (o, j, i))));
    order.flat_map(|(o, j, i)| element(o, j, i).to_vec()).collect()
}

/// Bytes that make many equal elements, NaN and both zeros, in any type.
fn some_bytes(seed: u64, dtype: DType, count: usize) -> Vec<u8> {
    let mut state = seed;
    let mut roll = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state >> 33
    };
    let one = |roll: &mut dyn FnMut() -> u64| -> Vec<u8> {
        with_dtype!(dtype, T => {
            let x = match roll() % 8 {
                0 => f64::NAN,
                1 => -0.0,
                2 => 0.0,
                3 => f64::NEG_INFINITY,
                _ => (roll() % 300) as f64 * 0.25 - 40.0,
            };
            let x = if dtype == DType::Bool { f64::from(u8::from(x > 0.0)) } else { x };
            bytemuck::bytes_of(&T::from_f64(x)).to_vec()
        })
    };
    (0..count).flat_map(|_| one(&mut roll)).collect()
}

/// Whether lanes that lie among others give what they give one behind the other.
fn is_the_same_apart(op: LaneOp, dtype: DType, seed: u64, shape: [usize; 3]) -> bool {
    let [outer, n, inner] = shape;
    let src = some_bytes(seed, dtype, outer * n * inner);
    let got = run(op.clone(), dtype, &src, shape);
    let result = op.result_dtype(dtype).unwrap();
    let m = op.result_len(n as u64) as usize;
    let apart = run(op, dtype, &lanes_last(&src, dtype.size(), shape), [outer * inner, n, 1]);
    same(result, &lanes_last(&got, result.size(), [outer, m, inner]), &apart)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_axis_is_the_same_wherever_it_is(
        shape in (0..4usize, prop_oneof![0..9usize, 9..300usize], prop_oneof![0..5usize, 5..40usize]),
        dtype in prop::sample::select(DType::ALL.to_vec()),
        op in prop::sample::select(OPS.to_vec()),
        seed in any::<u64>(),
    ) {
        let (outer, n, inner) = shape;
        prop_assert!(is_the_same_apart(op.1, dtype, seed, [outer, n, inner]));
    }

    #[test]
    fn sorted_values_are_taken_by_the_sorted_positions(
        shape in [1..4usize, 1..70usize, 1..40usize],
        dtype in prop::sample::select(DType::ALL.to_vec()),
        order in prop::sample::select(vec![UP, DOWN]),
        k in 0..80u64,
        seed in any::<u64>(),
    ) {
        let [outer, n, inner] = shape;
        let src = some_bytes(seed, dtype, outer * n * inner);
        let values = run(LaneOp::TopK { k, order }, dtype, &src, shape);
        let positions = aligned(&run(LaneOp::ArgTopK { k, order }, dtype, &src, shape));
        let m = n.min(k as usize);
        let positions = &bytemuck::cast_slice::<u128, i64>(&positions)[..outer * m * inner];
        let mut taken = vec![0; values.len()];
        take_along(dtype.size(), &src, outer, n, inner, positions, m, &mut taken).unwrap();
        // Bit for bit: NaN and zeros keep their order too.
        prop_assert_eq!(&values, &taken);
        let all = run(LaneOp::Sort { order }, dtype, &src, shape);
        for (all, first) in all.chunks(n * inner * dtype.size()).zip(values.chunks(m.max(1) * inner * dtype.size())) {
            prop_assert_eq!(&all[..first.len()], first);
        }
    }
}

#[test]
fn integers_wrap_and_narrow_ones_do_not() {
    let wide: Vec<i64> = run_typed(LaneOp::CumSum, &[i64::MAX, 1, 1], [1, 3, 1]);
    assert_eq!(wide, [i64::MAX, i64::MIN, i64::MIN + 1]);
    let narrow: Vec<i64> = run_typed(LaneOp::CumProd, &[i8::MAX, i8::MAX, -2], [1, 3, 1]);
    assert_eq!(narrow, [127, 16129, -32258]);
}

#[test]
fn nan_is_last_in_either_order_and_equals_keep_theirs() {
    let x = [f64::NAN, -0.0, 3.0, 0.0, f64::INFINITY, -0.0];
    let up: Vec<f64> = run_typed(LaneOp::Sort { order: UP }, &x, [1, 6, 1]);
    assert_eq!(up[..5], [0.0, 0.0, 0.0, 3.0, f64::INFINITY]);
    assert_eq!(up.iter().map(|x| x.is_sign_negative()).collect::<Vec<_>>()[..3], [true, false, true]);
    assert!(up[5].is_nan());
    let down: Vec<i64> = run_typed(LaneOp::ArgSort { order: DOWN }, &x, [1, 6, 1]);
    assert_eq!(down, [4, 2, 1, 3, 5, 0]);
}

#[test]
fn an_index_beyond_the_axis_is_an_error() -> Result<()> {
    let mut out = [0; 2];
    take_along(1, &[1, 2, 3], 1, 3, 1, &[-3, 2], 2, &mut out)?;
    assert_eq!(out, [1, 3]);
    for bad in [3, -4, i64::MIN, i64::MAX] {
        let error = take_along(1, &[1, 2, 3], 1, 3, 1, &[0, bad], 2, &mut out).unwrap_err();
        assert!(matches!(error.problem(), Problem::IndexOutOfRange { index, len: 3 } if *index == bad), "{error}");
    }
    take_along(4, &[], 0, 5, 3, &[], 2, &mut [])?;
    let error = take_along(1, &[], 1, 0, 1, &[0], 1, &mut out[..1]).unwrap_err();
    assert!(matches!(error.problem(), Problem::IndexOutOfRange { index: 0, len: 0 }), "{error}");
    Ok(())
}
