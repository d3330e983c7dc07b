//! Weights within groups: against xarray, as `fixtures/weighted_groups/make.py` has it.

use super::{assert_near, run, told, values};
use aosx::{
    dataset::{By, Statistic, Weights},
    kernels::lanes::{Method, OrderStatistic, Quantiles},
    prelude::{Axes, Bytes, Dataset, Op, Reduction, Session},
};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/weighted_groups")
}

fn open() -> Dataset {
    Dataset::open(folder().join("made.nc")).unwrap()
}

pub fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join("expected.json")).unwrap()).unwrap()
}

fn quantile(at: &[f64]) -> Statistic {
    Statistic::Order(OrderStatistic::Quantile { at: Quantiles::new(at).unwrap(), method: Method::Linear })
}

fn request(op: impl Into<Statistic>, var: &str, by: &str, axes: &[&str], weights: Option<&str>) -> Reduction {
    let axes = Axes::Named(axes.iter().map(|a| a.to_string()).collect());
    let mut request = Reduction::new([op.into()], axes).var(var);
    request.by = By::list(by).unwrap();
    request.weights = weights.map(|weights| Weights::from_name(weights).unwrap());
    request
}

#[test]
fn values_are_those_of_xarray() {
    let (all, dataset) = (expected(), open());
    let cases = all["cases"].as_array().unwrap();
    let ops = [Op::Sum, Op::Mean, Op::Var, Op::Std, Op::Count].map(Statistic::from);
    let mut compared = 0;
    for case in cases {
        let text = |key: &str| case[key].as_str().unwrap();
        let axes: Vec<&str> = case["axes"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let (of, by, weights) = (text("of"), text("by"), text("weights"));
        for op in ops.iter().cloned().chain([quantile(&[0.1, 0.5, 0.9])]) {
            if case[op.name()].is_null() {
                continue;
            }
            let mut request = request(op.clone(), of, by, &axes, Some(weights));
            request.options.keep_missing = case["keepna"] == true;
            // Results of single precision are rounded to it.
            let tolerance = if of == "n" || op.name() == "count" { 1e-8 } else { 2e-7 };
            let what = format!("{} of {of} by {by} over {axes:?} with {weights}, {:?}", op.name(), request.options);
            assert_near(&values(&dataset, &request), &told(&case[op.name()]), tolerance, &what);
            compared += 1;
        }
    }
    assert!(compared > 250, "{compared}");
}

#[test]
fn bins_of_time_count_days() {
    let (all, dataset) = (expected(), open());
    let mut request = request(Op::Mean, "t", "level", &[], Some("w_time"));
    request.by = vec![By::Every {
        coordinate: "time".into(),
        frequency: aosx::cf::time::Frequency::parse("1q(DJF)").unwrap(),
        options: Default::default(),
    }];
    assert_near(&values(&dataset, &request), &told(&all["quarters"]), 2e-7, "quarters");
}

#[test]
fn order_within_groups_of_a_raster() {
    let (all, dataset) = (expected(), open());
    let medians = request(OrderStatistic::Median, "t", "region", &[], None);
    assert_near(&values(&dataset, &medians), &told(&all["medians"]), 2e-7, "medians");
    let quartiles = request(quantile(&[0.25, 0.75]), "t", "region", &["time"], None);
    assert_near(&values(&dataset, &quartiles), &told(&all["quartiles"]), 2e-7, "quartiles");
}

#[test]
fn results_say_what_they_are() {
    let dataset = open();
    let attrs = |op: Op, by: &str, axes: &[&str], weights: &str| {
        let done = request(op, "t", by, axes, Some(weights)).of(&dataset).unwrap();
        let attrs = &done.schema.var("t").unwrap().attrs;
        ["cell_methods", "units"].map(|name| attrs.text(name).unwrap_or("-").to_string())
    };
    let both = "area: mean (weighted by cells) time: mean within years time: mean over years";
    assert_eq!(attrs(Op::Mean, "time.month", &["lat", "lon"], "area"), [both, "K"]);
    assert_eq!(attrs(Op::Sum, "region", &[], "cells"), ["lat: lon: sum (weighted by cells)", "K km2"]);
    assert_eq!(attrs(Op::Sum, "region", &[], "area"), ["area: sum (weighted by cells)", "K km2"]);
    assert_eq!(attrs(Op::Count, "level", &[], "w_time"), ["-", "day"]);
    assert_eq!(attrs(Op::Std, "time.month", &[], "w_time")[0], "time: standard_deviation (weighted by w_time)");
}

#[test]
fn one_pass_where_weights_lie_along_what_is_reduced() {
    let dataset = open();
    let folds = |by: &str, axes: &[&str], weights: &str| {
        let mut request = request(Op::Mean, "t", by, axes, Some(weights));
        request.ops.extend([Op::Sum.into(), Op::Std.into()]);
        let text = Session::new().explain(&request.of(&dataset).unwrap()).unwrap();
        text.lines().filter(|line| line.contains("fold")).count()
    };
    assert_eq!(folds("time.month", &["lat", "lon"], "cos-lat"), 1);
    assert_eq!(folds("time.month", &["lat", "lon"], "w_apart"), 1);
    assert_eq!(folds("region", &[], "area"), 1);
    assert_eq!(folds("level", &[], "w_time"), 1);
    // Weights of cells that stay: the variance needs the means.
    assert_eq!(folds("level", &[], "w_map"), 2);
}

#[test]
fn bits_depend_on_neither_threads_nor_memory() {
    let dataset = open();
    let cases =
        [("time.month", vec!["lat", "lon"], "w_apart"), ("region", vec![], "w_map"), ("level", vec![], "w_all")];
    for (by, axes, weights) in cases {
        for op in [Op::Mean, Op::Sum, Op::Var, Op::Count] {
            let request = request(op, "t", by, &axes, Some(weights));
            let one = run(&Session::new().threads(1), &dataset, &request);
            for session in [Session::new().threads(4), Session::new().threads(2).memory(Bytes(256 << 20))] {
                assert_eq!(run(&session, &dataset, &request), one, "{request:?}");
            }
        }
    }
}

#[test]
fn what_has_no_meaning_is_refused() {
    let dataset = open();
    let says = |request: Reduction, words: &str| {
        let text = request.of(&dataset).map(|_| ()).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    };
    says(request(Op::Max, "t", "level", &[], Some("w_time")), "no max with weights");
    says(request(OrderStatistic::NUnique, "t", "level", &[], Some("w_time")), "no nunique with weights");
    says(request(OrderStatistic::Median, "t", "level", &[], Some("w_map")), "along the reduced dimensions alone");
    says(request(Op::Mean, "t", "level", &[], Some("w_tme")), "w_time");
    let mut one = request(Op::Std, "t", "level", &[], Some("w_time"));
    one.options.ddof = 1.0;
    says(one, "degrees of freedom");
}
