//! Against NumPy: every expression of `fixtures/arrays/expected.json`, which `fixtures/arrays/make.py` made.

use super::{reference::Whole, run::plenty};
use aosx::{
    array::{Boundary, Index, LazyArray},
    dtype::{DType, Scalar},
    error::Result,
    kernels::{
        elementwise::Lookup,
        lanes::{LaneOp, Order},
    },
};
use serde_json::Value;
use std::path::Path;

fn numbers(told: &Value) -> Vec<f64> {
    let one = |x: &Value| x.as_f64().unwrap_or_else(|| x.as_str().unwrap().parse().unwrap());
    told["values"].as_array().unwrap().iter().map(one).collect()
}

fn shape(told: &Value) -> Vec<u64> {
    told["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

fn input(told: &Value, chunk: u64) -> LazyArray {
    let name = told["dtype"].as_str().unwrap();
    let dtype = DType::ALL.into_iter().find(|d| d.to_string() == name).unwrap();
    let size = dtype.size();
    let bytes: Vec<u8> =
        numbers(told).into_iter().flat_map(|x| Scalar::Float(x).bytes(dtype)[..size].to_vec()).collect();
    let shape = shape(told);
    LazyArray::from_bytes(&bytes, &shape, vec![chunk; shape.len()].as_slice(), dtype).unwrap()
}

fn slice(start: impl Into<Option<i64>>, stop: impl Into<Option<i64>>, step: i64) -> Index {
    Index::Slice { start: start.into(), stop: stop.into(), step }
}

fn expression(name: &str, of: &dyn Fn(&str) -> LazyArray) -> Result<LazyArray> {
    let (t, holes, whole, stack) = (&of("t"), &of("holes"), &of("whole"), &of("stack"));
    let (small, weights, ones) = (&of("small"), &of("weights"), &of("ones"));
    let product = || ones.matmul(&ones.transpose().add_scalar(1.0)?);
    match name {
        "talk_sum" => ones.sum(&[1]),
        "talk_transpose" => ones.add(&ones.transpose()),
        "talk_matmul" => product(),
        "talk_centred" => product()?.subtract(&ones.mean(&[0])?),
        "talk_std" => product()?.subtract(&ones.mean(&[0])?)?.std(&[0, 1], 0.0),
        "anomaly" => t.subtract(&t.mean(&[0])?),
        "standardised" => t.subtract(&t.mean(&[0])?)?.divide(&t.std(&[0], 1.0)?),
        "range_of_means" => t.mean(&[1, 2])?.ptp(&[0]),
        "backwards" => t.get(&[slice(None, None, -1), slice(1, -1, 1), slice(None, None, 2)]),
        "backwards_by_two" => t.get(&[slice(-2, 0, -2), Index::ALL, Index::At(-1)]),
        "new_axis" => t.get(&[Index::At(0), Index::NewAxis, Index::Ellipsis, Index::At(3)]),
        "transposed_difference" => t.moveaxis(&[0], &[-1])?.subtract(&t.mean(&[1, 2])?),
        "nanmean" => holes.nanmean(&[0]),
        "nanstd" => holes.nanstd(&[0, 2], 0.0),
        "sum_with_nan" => holes.sum(&[1]),
        "where" => {
            let minus = LazyArray::scalar(-1.0).astype(DType::F32);
            LazyArray::select(&holes.isnan()?, &minus, &(holes * 2.0))
        }
        "sort_with_nan" => holes.lanes(LaneOp::Sort { order: Order::Ascending }, 0),
        "argsort_with_nan" => holes.lanes(LaneOp::ArgSort { order: Order::Ascending }, 1),
        "cumsum" => whole.cumsum(1),
        "cumprod" => whole.cumprod(0),
        "diff_twice" => t.diff(2, 0),
        "average" => t.average(&weights.expand_dims(&[1])?, &[1, 2]),
        "average_with_nan" => holes.astype(DType::F64).nanaverage(&weights.expand_dims(&[1])?, &[1, 2]),
        "matmul_of_stacks" => stack.matmul(&stack.matrix_transpose()?.get_along(0, ..1)?),
        "matmul_with_vector" => stack.matmul(&LazyArray::arange(0.0, 4.0, 1.0, &[3])?),
        "matmul_of_integers" => whole.matmul(&whole.transpose()),
        "pad_edge" => whole.pad(&[(1, 2), (0, 3)], Boundary::Nearest),
        "pad_reflect" => whole.pad(&[(4, 1), (2, 6)], Boundary::Reflect),
        "pad_wrap" => whole.pad(&[(5, 1), (2, 7)], Boundary::Periodic),
        "pad_constant" => whole.pad(&[(1, 0), (0, 2)], Boundary::Constant(9.0)),
        "roll" => whole.roll(&[2, -3], &[0, 1]),
        "repeat" => small.repeat(3, 1),
        "tile" => small.tile(&[2, 1, 2]),
        "reshaped" => t.reshape(&[4, 30])?.get(&[Index::ALL, slice(None, None, 7)]),
        "stacked" => LazyArray::stack(&[whole.clone(), whole * 2], 1),
        "concatenated" => LazyArray::concat(&[whole.clone(), whole.flip(&[0])? / 2], 1),
        "wrapping" => small.multiply(small)?.add_scalar(200),
        "floor_divide" => whole.binary_scalar(aosx::kernels::elementwise::Binary::FloorDivide, 7),
        "remainder" => Ok(whole % -7),
        "mixed_types" => small
            .get(&[Index::ALL, slice(None, 4, 1)])?
            .subtract(&(whole.get(&[slice(None, 3, 1), slice(None, 4, 1)])? * 0.5)),
        "lower_triangle" => whole.tril(1),
        "diagonal" => t.diagonal(1, 0, 2),
        "argmax" => holes.argmax(Some(0)),
        "nanargmin" => holes.nanargmin(None),
        "searchsorted" => whole.searchsorted(&[Scalar::Int(-20), Scalar::Int(0), Scalar::Int(20)], Lookup::SearchRight),
        "isin" => whole.isin(&[Scalar::Int(1), Scalar::Int(2), Scalar::Int(3), Scalar::Int(-4)]),
        "take" => whole.take(&[3, 0, 0, -1], 0),
        "take_along" => whole.take_along_axis(&whole.lanes(LaneOp::ArgSort { order: Order::Ascending }, 1)?, 1),
        "compress" => whole.compress(&[true, false, true, true, false, false, true], 1),
        "variance_of_integers" => whole.var(&[0], 1.0),
        "any_all" => {
            let (above, below) = (LazyArray::scalar(40), LazyArray::scalar(50));
            Ok(whole.greater(&above)?.any(&[1])? & whole.less(&below)?.all(&[1])?)
        }
        other => panic!("no expression '{other}'"),
    }
}

fn differs(got: &Whole, want: &Value) -> Option<String> {
    let told = (got.dtype.to_string(), got.shape.to_vec());
    if (told.0.as_str(), &told.1) != (want["dtype"].as_str().unwrap(), &shape(want)) {
        return Some(format!("{told:?} and not {} {}", want["dtype"], want["shape"]));
    }
    let tolerance = if got.dtype == DType::F32 { 1e-6 } else { 1e-13 };
    let (got, want) = (got.numbers(), numbers(want));
    let most = want.iter().filter(|x| x.is_finite()).fold(0.0f64, |m, x| m.max(x.abs()));
    let at = got
        .iter()
        .zip(&want)
        .position(|(a, b)| !(a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * most))?;
    Some(format!("{} and not {} at {at}", got[at], want[at]))
}

#[test]
fn expressions_are_those_of_numpy() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/arrays/expected.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = all["cases"].as_object().unwrap();
    assert!(cases.len() > 45);
    let mut wrong = Vec::new();
    for chunk in [1, 2, 3, 100] {
        for (name, want) in cases {
            let array = expression(name, &|of| input(&all["inputs"][of], chunk)).unwrap();
            let got = plenty(&[&array], 2).unwrap().values.remove(0);
            wrong.extend(differs(&got, want).map(|how| format!("{name} in blocks of {chunk}: {how}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
