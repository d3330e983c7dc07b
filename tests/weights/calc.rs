//! `weights=` in `aosx calc`: what `aosx reduce --weights` gives, bit for bit, beside groups and on parts of dimensions.

use super::{
    assert_near,
    groups::{expected, folder},
    run, told,
};
use aosx::{
    array::{Anchor, Rolling},
    cf::decoding::ValidRange,
    dataset::{By, Selection, Statistic, Weights},
    dtype::DType,
    kernels::lanes::{Method, OrderStatistic, Quantiles},
    prelude::{Axes, Dataset, Op, Reduction, Session},
};
use assert_cmd::Command;
use std::path::Path;

pub fn aosx(folder: &Path, args: &[&str]) -> std::process::Output {
    Command::cargo_bin("aosx").unwrap().arg("--quiet").args(args).current_dir(folder).output().unwrap()
}

/// What a program makes of the file: values and attributes of `x`.
fn calc(program: &str) -> (DType, Vec<u8>, String) {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("out.nc");
    let output = aosx(&folder(), &["calc", program, "made.nc", "-o", path.to_str().unwrap()]);
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    let dataset = Dataset::open(&path).unwrap();
    let attrs = dataset.root().var("x").unwrap().attrs.clone();
    let told = ["cell_methods", "units"].map(|name| attrs.text(name).unwrap_or("-").to_string()).join("; ");
    let array = dataset.decoded("x", ValidRange::Ignore).unwrap();
    let bytes = Session::new().compute(&array).unwrap().bytes().to_vec();
    (array.dtype(), bytes, told)
}

fn says(program: &str) -> String {
    let output = aosx(&folder(), &["calc", program, "made.nc"]);
    assert_eq!(output.status.code(), Some(2), "{program}");
    String::from_utf8(output.stderr).unwrap()
}

fn request(op: impl Into<Statistic>, by: &str, axes: &str, weights: &str) -> Reduction {
    let axes = Axes::Named(axes.split_whitespace().map(String::from).collect());
    let mut request = Reduction::new([op.into()], axes).var("t");
    request.by = if by.is_empty() { Vec::new() } else { By::list(by).unwrap() };
    request.weights = (!weights.is_empty()).then(|| Weights::from_name(weights).unwrap());
    request
}

fn quantile(q: f64) -> Statistic {
    Statistic::Order(OrderStatistic::Quantile { at: Quantiles::new(q).unwrap(), method: Method::Linear })
}

#[test]
fn calc_gives_what_reduce_gives() {
    let dataset = Dataset::open(folder().join("made.nc")).unwrap();
    let median = OrderStatistic::Median;
    let cases: Vec<(&str, Reduction)> = vec![
        ("mean(t, lat, lon, weights='cos-lat')", request(Op::Mean, "", "lat lon", "cos-lat")),
        ("mean(t, lat, lon, weights=area)", request(Op::Mean, "", "lat lon", "area")),
        ("average(t, lat, lon, weights=\"cell_measures\")", request(Op::Mean, "", "lat lon", "cell_measures")),
        ("sum(t, lat, lon, weights=cells)", request(Op::Sum, "", "lat lon", "cells")),
        ("count(t, time, weights='w_time')", request(Op::Count, "", "time", "w_time")),
        ("var(t, time, lon, weights=w_apart)", request(Op::Var, "", "time lon", "w_apart")),
        ("std(t, weights=w_all)", request(Op::Std, "", "time lat lon", "w_all")),
        ("median(t, lat, lon, weights=w_map)", request(median, "", "lat lon", "w_map")),
        ("quantile(t, time, q=0.9, weights=w_time)", request(quantile(0.9), "", "time", "w_time")),
        (
            "iqr(t, lat, lon, by=time.month, weights=area)",
            request(OrderStatistic::Iqr, "time.month", "lat lon", "area"),
        ),
        ("mean(t, time, by=time.month, weights=w_time)", request(Op::Mean, "time.month", "time", "w_time")),
        ("mean(t, lat, lon, by=time.month, weights=area)", request(Op::Mean, "time.month", "lat lon", "area")),
        ("sum(t, by=region, weights='cos-lat')", request(Op::Sum, "region", "", "cos-lat")),
        ("std(t, by=level, weights=w_map)", request(Op::Std, "level", "", "w_map")),
        ("quantile(t, 0.25, by=level)", request(quantile(0.25), "level", "", "")),
        ("median(t, time, by=region)", request(OrderStatistic::Median, "region", "time", "")),
        ("quantile(t, time, q=0.9, by=region, weights=w_map)", request(quantile(0.9), "region", "time", "w_map")),
        ("mode(t, by=[time.year, level])", request(OrderStatistic::Mode, "time.year,level", "", "")),
    ];
    let session = Session::new().threads(2);
    for (program, request) in cases {
        let (dtype, bytes, told) = calc(&format!("x = {program}"));
        assert_eq!(run(&session, &dataset, &request), (dtype, bytes), "{program}");
        let attrs = request.of(&dataset).unwrap().schema.var("t").unwrap().attrs.clone();
        let same = ["cell_methods", "units"].map(|name| attrs.text(name).unwrap_or("-").to_string()).join("; ");
        assert_eq!(told, same, "{program}");
    }
}

#[test]
fn expressions_weigh_too() {
    let same = |a: &str, b: &str| {
        let (a, b) = (calc(&format!("x = {a}")), calc(&format!("x = {b}")));
        let of = |(dtype, bytes): (DType, Vec<u8>)| super::numbers((dtype, bytes));
        assert_near(&of((a.0, a.1)), &of((b.0, b.1)), 1e-7, &a.2);
    };
    // What follows from coordinates is known, and one pass.
    same("mean(t, lat, lon, weights=cos(radians(lat)))", "mean(t, lat, lon, weights='cos-lat')");
    same("mean(t, lat, weights=where(lat > 0, w_map, 0))", "mean(t[lat=0:2], lat, weights=w_map[lat=0:2])");
    same("mean(t, time, by=level, weights=w_time * 2)", "mean(t, time, by=level, weights=w_time)");
    same("mean(t, weights=3)", "mean(t)");
    let quarters = |q: &str| format!("quantile(t, time, q={q}, weights=w_time)");
    same("iqr(t, time, weights=w_time)", &format!("{} - {}", quarters("0.75"), quarters("0.25")));
    // Results of groups go back to where they are from.
    same(
        "mean(t, time, weights=1 / count(time, by=time.month))",
        "mean(t, time, weights=1 / (count(time, by=time.month) - time * 0))",
    );
    // As `reduce --resample`: time is cut whatever else is named.
    same("mean(t, lat, lon, every='20d', weights=area)", "mean(t, time, lat, lon, every='20d', weights=area)");
    // On what is left of dimensions, in whatever order they are.
    same("mean(transpose(t, lon, lat, time), lat, lon, weights=area)", "mean(t, lat, lon, weights=area)");
    same("mean(t[lat=::-2], lat, weights='cos-lat')", "mean(t[lat=::-2], lat, weights=cos(radians(lat[::-2])))");
    same(
        "mean(t * 2 + n, lat, lon, weights=w_map)",
        "sum((t * 2 + n) * w_map, lat, lon) / sum(where(isnan(t), 0, w_map), lat, lon)",
    );
}

#[test]
fn parts_have_the_weights_of_their_places() {
    let dataset = Dataset::open(folder().join("made.nc")).unwrap();
    let part = dataset.select(&Selection::new().isel("lat", "1:3").isel("time", "5:20")).unwrap();
    let mut wanted = request(Op::Mean, "time.month", "lat lon", "area");
    let (dtype, bytes, _) = calc("x = mean(t[time=5:20, lat=1:3], lat, lon, by=time.month, weights='area')");
    assert_eq!(run(&Session::new(), &part, &wanted), (dtype, bytes));
    wanted.weights = Some(Weights::CosLat);
    let (dtype, bytes, _) = calc("x = mean(t[time=5:20, lat=1:3], lat, lon, by=time.month, weights='cos-lat')");
    assert_eq!(run(&Session::new(), &part, &wanted), (dtype, bytes));
}

#[test]
fn results_of_rasters_and_of_several_keys_come_back() {
    let all = expected();
    for (program, wanted) in [
        ("t - mean(t, by=region)", "regional"),
        ("anom(t, region)", "regional"),
        ("t - mean(t, by=[time.year, level])", "yearly"),
        ("anom(t, time.year, level)", "yearly"),
    ] {
        let (dtype, bytes, _) = calc(&format!("x = {program}"));
        assert_near(&super::numbers((dtype, bytes)), &told(&all[wanted]), 1e-4, program);
    }
}

#[test]
fn deviations_relations_and_windows_weigh() {
    let all = expected();
    let cases = all["deviating"].as_object().unwrap();
    assert!(cases.len() > 14);
    for (program, wanted) in cases {
        let (dtype, bytes, _) = calc(&format!("x = {program}"));
        let (got, wanted) = (super::numbers((dtype, bytes)), told(wanted));
        // Values of float32 near 280 are taken from one another.
        assert_near(&got, &wanted, if program.starts_with("anom") { 2e-5 } else { 2e-6 }, program);
    }
}

#[test]
fn windows_of_reduce_weigh_as_those_of_calc() {
    let dataset = Dataset::open(folder().join("made.nc")).unwrap();
    for (op, name) in [(Op::Mean, "mean"), (Op::Sum, "sum"), (Op::Count, "count")] {
        let mut request = request(op, "", "time", "w_time");
        request.rolling = Some(Rolling { length: 6, anchor: Anchor::Center });
        request.options.min_count = 3;
        let program = format!("x = rolling(t, time, 6, '{name}', center=true, min_count=3, weights=w_time)");
        let (dtype, bytes, told) = calc(&program);
        assert_eq!(run(&Session::new(), &dataset, &request), (dtype, bytes), "{program}");
        let attrs = request.of(&dataset).unwrap().schema.var("t").unwrap().attrs.clone();
        let same = ["cell_methods", "units"].map(|name| attrs.text(name).unwrap_or("-").to_string()).join("; ");
        assert_eq!(told, same, "{program}");
    }
    assert!(
        calc("x = rolling(t, time, 3, weights=w_time)")
            .2
            .starts_with("time: mean (window of 3 values, weighted by w_time)")
    );
    // One missing value is enough where all are to count.
    let mut request = request(Op::Mean, "", "time", "w_time");
    request.rolling = Some(Rolling { length: 3, anchor: Anchor::Last });
    let skipping = super::numbers(run(&Session::new(), &dataset, &request));
    request.options.keep_missing = true;
    let keeping = super::numbers(run(&Session::new(), &dataset, &request));
    let t = super::numbers(run(&Session::new(), &dataset, &{
        let mut each = request.clone();
        each.rolling = Some(Rolling { length: 1, anchor: Anchor::Last });
        each
    }));
    for (k, mean) in keeping.iter().enumerate() {
        let is_missing = (0..3).any(|back| k >= 12 * back && t[k - 12 * back].is_nan());
        assert!(if is_missing { mean.is_nan() } else { *mean == skipping[k] }, "{k}: {mean}");
    }
}

#[test]
fn bins_are_cut_as_reduce_cuts_them() {
    let folder = folder();
    for (calc_options, options) in [
        ("", ""),
        (", closed='right', label=right", "--closed right --label right"),
        (", origin=start", "--origin start"),
        (", origin='2001-01-03'", "--origin 2001-01-03"),
        (", label='right', origin=\"end_day\"", "--label right --origin end-day"),
    ] {
        let printed = |args: &[&str]| {
            let output = aosx(&folder, &[args, &["made.nc", "--format", "json"]].concat());
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
        };
        let program = format!("t = mean(t, time, every='20d'{calc_options})");
        let ours = printed(&["calc", &program]);
        let words: Vec<&str> = options.split_whitespace().collect();
        let theirs =
            printed(&[&["reduce", "--var", "t", "--op", "mean", "--resample", "20d"], words.as_slice()].concat());
        assert_eq!((&ours["data"], &ours["coords"]["time"]), (&theirs["data"], &theirs["coords"]["time"]), "{options}");
        assert!(ours["data"].is_array(), "{ours}");
    }
}

#[test]
fn mistakes_are_shown() {
    for (program, words) in [
        ("x = max(t, lat, weights=w_map)", "no argument of max is named 'weights'"),
        (
            "x = mean(t, lat, weights=w_mop)",
            "no variable 'w_mop'; did you mean w_map?\n  x = mean(t, lat, weights=w_mop)",
        ),
        ("x = mean(t, lat, weights='w_mop')", "no variable 'w_mop'"),
        ("x = mean(w_time, weights='cos-lat')", "no latitude lies along its dimensions"),
        ("x = mean(mean(t, lat), lon, weights='area')", "the weights lie along 'lat', which this does not have"),
        ("x = mean(w_time, weights=w_map)", "the weights lie along 'lat', which this does not have"),
        ("x = mean(t, weights=t)", "missing; weights cannot be"),
        ("x = mean(sort(t, lat), lat, weights='cos-lat')", "leaves none of its places known"),
        (
            "x = median(t, lat, weights=w_map)",
            "weights of quantiles and their like lie along the reduced dimensions alone",
        ),
        ("x = mode(n, time, weights=w_time * 0)", "a mode of 0 values of int16, where 1 are needed"),
        ("x = nunique(t, lat, weights='cos-lat')", "no argument of nunique is named 'weights'"),
        ("x = slope(t, time, weights=t)", "missing; weights cannot be"),
        ("x = median(t, lat, lon, weights=w_map * cells)", "known before anything is computed"),
        ("x = quantile(t, 0.5, lat, weights='cos-lat', method=hazen)", "'hazen'"),
        ("x = std(t, lat, ddof=1, weights='cos-lat')", "degrees of freedom"),
        ("x = mean(t, lat, weights=[1, 2])", "a list is no value"),
        ("x = standardize(t, time.month, ddof=1, weights=w_time)", "degrees of freedom"),
        ("x = cov(t, n, time, ddof=1, weights=w_time)", "degrees of freedom"),
        (
            "x = rolling(t, time, 3, 'std', weights=w_time)",
            "no std of windows with weights; there are sum, mean and count",
        ),
        ("x = corr(w_time, w_time, time, weights=cells)", "the weights lie along 'lat', which this does not have"),
        ("x = clim(t, time.month, window=3, weights='triangel')", "no variable 'triangel'"),
        ("x = mean(t, time, closed=right)", "closed is about bins of time; give every=\"1d\" too"),
        ("x = mean(t, time, every='1d', closed=middle)", "an end of a bin is left or right, not 'middle'"),
        ("x = mean(t, time, every='1mo', origin=start)", "moves bins of fixed length only"),
        ("x = mean(t, time, every='1d', origin=noon)", "noon"),
    ] {
        let err = says(program);
        assert!(err.contains(words), "{program}: {err}");
    }
}
