//! Weighted reductions: against xarray and CDO (`fixtures/weights/make.py` made what is expected), by their definition, and
//! whatever the chunks, threads and memory.

#[path = "weights/calc.rs"]
mod calc;
#[path = "common/weighted.rs"]
mod definition;
#[path = "weights/groups.rs"]
mod groups;

use aosx::{
    array::{Anchor, AxisWeights, Rolling},
    cf::horizontal::EARTH_RADIUS_SQUARED,
    dataset::{Selection, Statistic, Weights},
    dtype::{DType, Element},
    kernels::lanes::{Method, OrderStatistic, Quantiles},
    prelude::{Axes, Bytes, Dataset, FoldOptions, LazyArray, Op, Reduction, Session},
    with_dtype,
};
use definition::weighted;
use proptest::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/weights")
}

fn open(name: &str) -> Dataset {
    Dataset::open(folder().join(name)).unwrap()
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join("expected.json")).unwrap()).unwrap()
}

fn told(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

fn request(op: impl Into<Statistic>, var: &str, axes: &[&str], weights: &str) -> Reduction {
    let axes = Axes::Named(axes.iter().map(|a| a.to_string()).collect());
    let mut request = Reduction::new([op.into()], axes).var(var);
    request.weights = Some(Weights::from_name(weights).unwrap());
    request
}

fn run(session: &Session, dataset: &Dataset, request: &Reduction) -> (DType, Vec<u8>) {
    let results = session.collect(dataset, &request.of(dataset).unwrap()).unwrap();
    let name = &request.variables[0];
    (results.variable(name).unwrap().stored.dtype().unwrap(), results.values(name).unwrap())
}

fn numbers((dtype, bytes): (DType, Vec<u8>)) -> Vec<f64> {
    with_dtype!(dtype, T => bytes
        .chunks_exact(size_of::<T>())
        .map(|b| Element::to_f64(bytemuck::pod_read_unaligned::<T>(b)))
        .collect())
}

fn values(dataset: &Dataset, request: &Reduction) -> Vec<f64> {
    numbers(run(&Session::new().threads(2), dataset, request))
}

#[track_caller]
fn assert_near(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    let same = |(a, b): (&f64, &f64)| a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * b.abs().max(1.0);
    let all = got.len() == want.len() && got.iter().zip(want).all(same);
    assert!(all, "{what}\n  got      {got:?}\n  expected {want:?}");
}

#[test]
fn values_are_those_of_xarray() {
    let (all, dataset) = (expected(), open("regular.nc"));
    let cases = all["regular"]["cases"].as_array().unwrap();
    assert!(cases.len() > 80);
    let quantiles = Quantiles::new([0.1, 0.5, 0.9]).unwrap();
    let ops = [Op::Sum, Op::Mean, Op::Var, Op::Std, Op::Count].map(Statistic::from);
    let quantile = Statistic::Order(OrderStatistic::Quantile { at: quantiles, method: Method::Linear });
    let mut compared = 0;
    for case in cases {
        let axes: Vec<&str> = case["axes"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let (of, weights) = (case["of"].as_str().unwrap(), case["weights"].as_str().unwrap());
        for op in ops.iter().chain([&quantile]) {
            if case[op.name()].is_null() {
                continue;
            }
            let mut request = request(op.clone(), of, &axes, weights);
            request.options.keep_missing = case["keepna"] == true;
            // Results of single precision are rounded to it.
            let tolerance = if of == "whole" || op.name() == "count" { 1e-11 } else { 2e-7 };
            let what = format!("{} of {of} over {axes:?} by {weights}, {:?}", op.name(), request.options);
            assert_near(&values(&dataset, &request), &told(&case[op.name()]), tolerance, &what);
            compared += 1;
        }
    }
    assert!(compared > 400);
}

#[test]
fn areas_are_exact_or_those_of_cdo() {
    let all = expected();
    let (grid, corners, cells): (&[&str], &[&str], &[&str]) = (&["lat", "lon"], &["y", "x"], &["cell"]);
    let exact = [
        ("halves", "regular.nc", "u", grid),
        ("bounds", "bounds.nc", "t", grid),
        ("gaussian", "gaussian.nc", "t", grid),
    ];
    for (name, file, var, axes) in exact {
        let dataset = open(file);
        assert_near(&values(&dataset, &request(Op::Mean, var, axes, "area")), &told(&all[name]["mean"]), 1e-7, name);
        assert_near(&values(&dataset, &request(Op::Sum, var, axes, "area")), &told(&all[name]["sum"]), 1e-7, name);
    }
    for (name, axes) in [("curvilinear", corners), ("cells", cells)] {
        let dataset = open(&format!("{name}.nc"));
        assert_near(&values(&dataset, &request(Op::Mean, "t", axes, "area")), &told(&all[name]["mean"]), 1e-6, name);
        // Each cell's own: the sum of weights over time, in which all are the same.
        let count = values(&dataset, &request(Op::Count, "t", &["time"], "area"));
        let steps = values(&dataset, &Reduction::new([Op::Count], Axes::Named(vec!["time".into()])).var("t"));
        let areas: Vec<f64> = count.iter().zip(&steps).map(|(total, n)| total / n).collect();
        assert_near(&areas, &told(&all[name]["areas"]), 1e-6, name);
    }
}

#[test]
fn measures_in_the_file_come_before_the_grid() {
    let dataset = open("regular.nc");
    let of = |weights: &str| values(&dataset, &request(Op::Sum, "t", &["lat", "lon"], weights));
    assert_eq!(of("area")[..2], of("cell_measures")[..2]);
    assert_eq!(of("area")[..2], of("cells")[..2]);
    let sphere = 4.0 * std::f64::consts::PI * EARTH_RADIUS_SQUARED;
    // `u` names none.
    let whole = values(&dataset, &request(Op::Count, "whole", &["lat", "lon"], "area"));
    assert_near(&whole, &[sphere; 4], 1e-12, "all cells of a sphere");
    // They are what the others are weighted by, and no values.
    let made = tempfile::tempdir().unwrap();
    let part = made.path().join("part.nc");
    let words = ["select", "regular.nc", "--var", "t,whole", "-o", part.to_str().unwrap()];
    assert!(calc::aosx(&folder(), &words).status.success());
    for (weights, is_there) in [("area", false), ("cos-lat", true)] {
        let all = Reduction { variables: Vec::new(), ..request(Op::Mean, "t", &["lat", "lon"], weights) };
        let schema = all.of(&Dataset::open(&part).unwrap()).unwrap().schema;
        assert_eq!((schema.var("t").is_some(), schema.var("cells").is_some()), (true, is_there), "{weights}");
    }
}

#[test]
fn parts_have_the_weights_of_their_places() {
    let whole = open("bounds.nc");
    let part = whole.select(&Selection::new().isel("lat", "1:3").isel("time", "0:2")).unwrap();
    let mut request = request(Op::Mean, "t", &["lat", "lon"], "area");
    let got = values(&part, &request);
    request.axes = Axes::Named(vec!["lon".into()]);
    let rows = values(&whole, &request);
    request.ops = vec![Op::Count.into()];
    let weights = values(&whole, &request);
    for t in 0..2 {
        let at = [t * 5 + 1, t * 5 + 2];
        let total: f64 = at.iter().map(|&k| weights[k]).sum();
        let mean = at.iter().map(|&k| rows[k] * weights[k]).sum::<f64>() / total;
        assert_near(&got[t..=t], &[mean], 1e-6, "two rows");
    }
}

#[test]
fn results_say_what_they_are() {
    let dataset = open("regular.nc");
    let attrs = |op: Op, var: &str, axes: &[&str], weights: &str| {
        let done = request(op, var, axes, weights).of(&dataset).unwrap();
        let attrs = &done.schema.var(var).unwrap().attrs;
        ["cell_methods", "units"].map(|name| attrs.text(name).unwrap_or("-").to_string())
    };
    let both = ["lat", "lon"];
    assert_eq!(attrs(Op::Mean, "u", &both, "cos-lat"), ["lat: lon: mean (weighted by cos-lat)", "K"]);
    assert_eq!(attrs(Op::Mean, "u", &both, "area"), ["area: mean (weighted by area)", "K"]);
    assert_eq!(attrs(Op::Sum, "u", &both, "area"), ["area: sum (weighted by area)", "K m2"]);
    assert_eq!(attrs(Op::Mean, "t", &both, "area"), ["time: mean area: mean (weighted by cells)", "K"]);
    assert_eq!(
        attrs(Op::Std, "u", &["time", "lat", "lon"], "area")[0],
        "time: area: standard_deviation (weighted by area)"
    );
    assert_eq!(attrs(Op::Mean, "u", &["lon"], "area")[0], "lon: mean (weighted by area)");
    assert_eq!(attrs(Op::Count, "t", &both, "cells"), ["-", "km2"]);
}

#[test]
fn one_pass_where_weights_lie_along_what_is_reduced() {
    let dataset = open("regular.nc");
    let explained = |weights: &str| {
        let mut request = request(Op::Mean, "t", &["lat", "lon"], weights);
        request.ops.extend([Op::Sum.into(), Op::Std.into()]);
        let text = Session::new().explain(&request.of(&dataset).unwrap()).unwrap();
        (text.matches("weighted mean").count(), text.matches("weighted std").count(), text)
    };
    for weights in ["cos-lat", "area", "w_turned"] {
        let (means, stds, text) = explained(weights);
        assert!(means == 1 && stds == 1, "{text}");
        assert_eq!(text.lines().filter(|line| line.contains("fold")).count(), 1, "{text}");
    }
    // Products are summed in one pass too.
    let done = request(Op::Mean, "t", &["lat", "lon"], "w_all").of(&dataset).unwrap();
    let text = Session::new().explain(&done).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("fold")).count(), 1, "{text}");
}

#[test]
fn what_has_no_meaning_is_refused() {
    let (regular, corners) = (open("regular.nc"), open("curvilinear.nc"));
    let fails = |dataset: &Dataset, request: &Reduction| match request.of(dataset) {
        Ok(_) => panic!("{request:?}"),
        Err(e) => e.to_string(),
    };
    let says = |dataset: &Dataset, request: Reduction, words: &str| {
        let text = fails(dataset, &request);
        assert!(text.contains(words), "{text}");
    };
    let of = |op: Statistic, weights: &str| request(op, "t", &["lat", "lon"], weights);
    says(&regular, of(Op::Max.into(), "cos-lat"), "no max with weights");
    says(&regular, of(OrderStatistic::NUnique.into(), "cos-lat"), "no nunique with weights");
    let hazen = OrderStatistic::Quantile { at: Quantiles::new(0.5).unwrap(), method: Method::Hazen };
    says(&regular, of(hazen.into(), "cos-lat"), "'hazen'");
    says(&regular, of(Op::Mean.into(), "gappy"), "weight 15 is missing");
    says(&regular, of(Op::Mean.into(), "w_mop"), "w_map");
    says(&corners, request(Op::Mean, "t", &["y"], "lat_bnds"), "another dimension");
    says(
        &corners,
        request(Op::Mean, "p", &["y"], "cos-lat"),
        "no latitude lies along its dimensions (it is projected, as 'polar' says)",
    );
    says(&corners, request(Op::Mean, "t", &["y"], "cell_measures"), "it has no 'cell_measures'");
    says(&regular, request(OrderStatistic::Median, "t", &["lon"], "w_map"), "along the reduced dimensions alone");
    let mut one = of(Op::Var.into(), "cos-lat");
    one.options.ddof = 1.0;
    says(&regular, one, "degrees of freedom");
    assert!(Weights::from_name(" ").is_err());
}

#[test]
fn bits_depend_on_neither_threads_nor_memory() {
    let dataset = open("regular.nc");
    let median = Statistic::Order(OrderStatistic::Median);
    for weights in ["w_map", "w_apart"] {
        for op in [Statistic::from(Op::Mean), Op::Var.into(), median.clone()] {
            let axes: &[&str] = if weights == "w_map" { &["lat", "lon"] } else { &["time", "lon"] };
            let request = request(op, "u", axes, weights);
            let one = run(&Session::new().threads(1), &dataset, &request);
            for session in [Session::new().threads(4), Session::new().threads(2).memory(Bytes(96 << 20))] {
                assert_eq!(run(&session, &dataset, &request), one, "{request:?}");
            }
        }
    }
}

#[test]
fn windows_have_the_same_bits_however_the_array_is_cut() {
    let values: Vec<f64> = (0..3000).map(|k| if k % 17 == 0 { f64::NAN } else { f64::from(k % 89) * 1.7 }).collect();
    let weights: Vec<f64> = (0..500).map(|k| 1.0 / f64::from(1 + k % 7)).collect();
    let window = Rolling { length: 13, anchor: Anchor::Center };
    let options = FoldOptions { min_count: 5, ..FoldOptions::default() };
    let mut first: Option<Vec<u64>> = None;
    for (chunk, threads) in [([500, 6], 1), ([7, 2], 4), ([64, 1], 2)] {
        let x = LazyArray::from_slice(&values, &[500, 6], &chunk).unwrap();
        let weights = AxisWeights::new(weights.clone(), &[0], &[500]).unwrap();
        let means = x.rolling_by(0, window, Op::Mean, &weights, options).unwrap();
        let block = Session::new().threads(threads).memory(Bytes(96 << 20)).compute(&means).unwrap();
        let bits: Vec<u64> = block.to_vec::<f64>().unwrap().iter().map(|x| x.to_bits()).collect();
        assert!(bits.iter().any(|bits| f64::from_bits(*bits) > 1.0));
        assert_eq!(first.get_or_insert_with(|| bits.clone()), &bits, "{chunk:?}");
    }
}

/// An array in blocks, weights along some of its axes, and axes to reduce.
#[derive(Debug, Clone)]
struct Case {
    shape: Vec<u64>,
    chunk: Vec<u64>,
    x: Vec<f64>,
    weighted: Vec<usize>,
    weights: Vec<f64>,
    reduced: Vec<usize>,
    keep_missing: bool,
    min_count: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let lengths = (prop::collection::vec(1u64..7, 3), prop::collection::vec(1u64..7, 3));
    let axes = || prop::sample::subsequence(vec![0usize, 1, 2], 1..=3).prop_shuffle();
    (lengths, axes(), axes(), any::<bool>(), 0u64..4).prop_flat_map(
        |((shape, chunk), weighted, reduced, keep_missing, min_count)| {
            let n = shape.iter().product::<u64>() as usize;
            let m = weighted.iter().map(|&k| shape[k]).product::<u64>() as usize;
            let value = prop_oneof![6 => -100f64..100.0, 1 => Just(f64::NAN)];
            let weight = prop_oneof![5 => 0f64..3.0, 1 => Just(0.0)];
            (prop::collection::vec(value, n), prop::collection::vec(weight, m)).prop_map(move |(x, weights)| Case {
                shape: shape.clone(),
                chunk: chunk.clone(),
                x,
                weighted: weighted.clone(),
                weights,
                reduced: reduced.clone(),
                keep_missing,
                min_count,
            })
        },
    )
}

impl Case {
    fn places(&self) -> impl Iterator<Item = [u64; 3]> + '_ {
        let s = &self.shape;
        (0..self.x.len() as u64).map(|n| [n / (s[1] * s[2]), n / s[2] % s[1], n % s[2]])
    }

    /// The pairs of value and weight of each cell of the result.
    fn cells(&self) -> Vec<Vec<(f64, f64)>> {
        let kept: Vec<usize> = (0..3).filter(|k| !self.reduced.contains(k)).collect();
        let flat = |at: &[u64; 3], axes: &[usize]| axes.iter().fold(0, |n, &k| n * self.shape[k] + at[k]) as usize;
        let mut cells = vec![Vec::new(); kept.iter().map(|&k| self.shape[k]).product::<u64>() as usize];
        for (at, x) in self.places().zip(&self.x) {
            cells[flat(&at, &kept)].push((*x, self.weights[flat(&at, &self.weighted)]));
        }
        cells
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn values_are_those_of_the_definition(case in case()) {
        let x = LazyArray::from_slice(&case.x, &case.shape, &*case.chunk).unwrap();
        let lengths: Vec<u64> = case.weighted.iter().map(|&k| case.shape[k]).collect();
        let known = AxisWeights::new(case.weights.clone(), &case.weighted, &lengths).unwrap();
        let blocks: Vec<u64> = case.weighted.iter().map(|&k| case.chunk[k]).collect();
        let lazy = LazyArray::from_slice(&case.weights, &lengths, &*blocks).unwrap();
        let lazy = AxisWeights::lazy(lazy, &case.weighted).unwrap();
        let axes: Vec<i64> = case.reduced.iter().map(|&k| k as i64).collect();
        let options = FoldOptions { keep_missing: case.keep_missing, min_count: case.min_count, ddof: 0.0 };
        let session = Session::new().threads(2);
        for op in [Op::Sum, Op::Count, Op::Mean, Op::Var, Op::Std] {
            let want: Vec<f64> = case.cells().iter().map(|cell| weighted(cell, op, options)).collect();
            for weights in [&known, &lazy] {
                let result = x.weighted_by(op, weights, &axes, options).unwrap();
                let got: Vec<f64> = session.compute(&result).unwrap().to_vec().unwrap();
                prop_assert_eq!(got.len(), want.len());
                for (a, b) in got.iter().zip(&want) {
                    // A root of what rounding leaves of 0 has half the digits.
                    let tolerance = if op == Op::Std { 1e-5 } else { 1e-9 };
                    let near = a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * b.abs().max(1.0);
                    prop_assert!(near, "{} {:?} {:?}", op, got, want);
                }
            }
        }
    }

    /// With equal weights a statistic is that of no weights.
    #[test]
    fn equal_weights_change_nothing(case in case(), weight in 0.1f64..10.0, q in 0f64..=1.0) {
        let x = LazyArray::from_slice(&case.x, &case.shape, &*case.chunk).unwrap();
        let axes: Vec<i64> = case.reduced.iter().map(|&k| k as i64).collect();
        let n = case.reduced.iter().map(|&k| case.shape[k]).product::<u64>() as usize;
        let options = FoldOptions { keep_missing: case.keep_missing, min_count: case.min_count, ddof: 0.0 };
        let at = Quantiles::new(q).unwrap();
        let quantile = OrderStatistic::Quantile { at, method: Method::Linear };
        for statistic in [quantile, OrderStatistic::Iqr, OrderStatistic::Mad, OrderStatistic::Mode] {
            let weighted = x.weighted_order(statistic.clone(), vec![weight; n], &axes, options).unwrap();
            let plain = x.order_statistic(statistic.clone(), &axes, options).unwrap();
            let session = Session::new().threads(2);
            let [a, b]: [Vec<f64>; 2] = [weighted, plain].map(|x| session.compute(&x).unwrap().to_vec().unwrap());
            for (a, b) in a.iter().zip(&b) {
                prop_assert!(a.is_nan() && b.is_nan() || (a - b).abs() < 1e-9, "{} {} {}", statistic, a, b);
            }
        }
    }
}
