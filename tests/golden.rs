//! Against xarray and CDO: every case of `fixtures/golden/expected.json`, which `fixtures/golden/make.py` made.

use aosx::{
    dtype::{DType, Element},
    kernels::fold::{FoldOptions, Op},
    prelude::{Axes, Dataset, Reduction, Session},
    with_dtype,
};
use serde_json::Value;
use std::{collections::HashMap, path::Path};

fn numbers(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    with_dtype!(dtype, T => bytes
        .chunks_exact(size_of::<T>())
        .map(|b| Element::to_f64(bytemuck::pod_read_unaligned::<T>(b)))
        .collect())
}

fn computed(dataset: &Dataset, case: &Value) -> (DType, Vec<f64>) {
    let axes = case["axis"].as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_string()).collect();
    let op = Op::from_name(case["op"].as_str().unwrap()).unwrap();
    let name = case["var"].as_str().unwrap();
    let mut request = Reduction::new([op], Axes::Named(axes)).var(name);
    request.options = FoldOptions {
        ddof: case["ddof"].as_f64().unwrap_or(0.0),
        keep_missing: case["keepna"] == true,
        min_count: case["min_count"].as_u64().unwrap_or(0),
    };
    let results = Session::new().threads(2).collect(dataset, &request.of(dataset).unwrap()).unwrap();
    let dtype = results.variable(name).unwrap().stored.dtype().unwrap();
    (dtype, numbers(dtype, &results.values(name).unwrap()))
}

#[test]
fn values_are_those_of_xarray_and_cdo() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden");
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 500 && cases.iter().any(|c| c["tool"] == "cdo"));
    let mut open: HashMap<&str, Dataset> = HashMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let file = case["file"].as_str().unwrap();
        let dataset = open.entry(file).or_insert_with(|| Dataset::open(folder.join(file)).unwrap());
        let (dtype, got) = computed(dataset, case);
        // A product may be too large for the type of the result.
        let rounded = |x: f64| if dtype == DType::F32 { f64::from(x as f32) } else { x };
        let expected = case["values"].as_array().unwrap().iter().map(|x| rounded(x.as_f64().unwrap_or(f64::NAN)));
        let expected: Vec<f64> = expected.collect();
        let tolerance = case["scale"].as_f64().unwrap() * if dtype == DType::F32 { 1e-6 } else { 1e-12 };
        let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance;
        if got.len() != expected.len() || !got.iter().zip(&expected).all(same) {
            let mut head = case.clone();
            head.as_object_mut().unwrap().remove("values");
            wrong.push(format!("{head} as {dtype}\n  got      {got:?}\n  expected {expected:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n")
    );
}
