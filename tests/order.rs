//! Statistics of order, from arrays to the command line: against xarray and SciPy, and against naive code over any
//! blocks.

mod common;

use aosx::{
    array::LazyArray,
    attrs::Value as Attribute,
    budget::Budget,
    dtype::DType,
    formats::{self, OutputFormat, whole::read_all},
    kernels::lanes::{LaneOptions, Method, OrderStatistic, Quantiles},
    prelude::Session,
    units::Bytes,
};
use assert_cmd::Command;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

/// A folder with the small real file and the made one, as `air.nc` and `made.nc`.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for (from, to) in [("air.nc", "air.nc"), ("golden/made.nc", "made.nc")] {
        std::fs::copy(fixtures.join(from), dir.path().join(to)).unwrap();
    }
    dir
}

/// Exit code, what is printed, what is said.
fn run_in(dir: &Path, line: &str) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("aosx").unwrap();
    let output = command.args(line.split_whitespace()).current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn printed(dir: &Path, line: &str) -> String {
    let (code, out, err) = run_in(dir, line);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{line}");
    out
}

fn doubles(path: &Path, variable: &str) -> Vec<f64> {
    let source = formats::open(path).unwrap().source(variable).unwrap();
    assert_eq!(source.meta().stored.dtype(), Some(DType::F64));
    let block = read_all(&*source, &Budget::new(Bytes(1 << 24))).unwrap();
    bytemuck::pod_collect_to_vec(block.bytes())
}

fn variables(dir: &Path, file: &str) -> Value {
    let all: Value = serde_json::from_str(&printed(dir, &format!("info --json {file}"))).unwrap();
    let list = all["root"]["variables"].as_array().unwrap();
    Value::Object(list.iter().map(|v| (v["path"].as_str().unwrap().to_string(), v.clone())).collect())
}

/// The numbers of lists in lists; what is missing is null.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        one => vec![one.as_f64().unwrap_or(f64::NAN)],
    }
}

#[test]
fn reduce_gives_what_xarray_and_scipy_give() {
    let dir = folder();
    let expected: Vec<Value> = serde_json::from_str(include_str!("../fixtures/order/reduced.json")).unwrap();
    assert!(expected.len() > 100);
    let mut wrong = Vec::new();
    for case in &expected {
        let line = format!("reduce made.nc {} --format json", case["options"].as_str().unwrap());
        let (code, out, err) = run_in(dir.path(), &line);
        let Ok(got) = serde_json::from_str::<Value>(&out) else {
            wrong.push(format!("{line}: {code:?} {err}"));
            continue;
        };
        let field = ["data", "values"].iter().find_map(|f| got.get(f)).unwrap_or_else(|| panic!("{got}"));
        let (values, want) = (flat(field), flat(&case["values"]));
        // A difference of two values of about 300, each rounded to float32.
        let scale = if line.contains("single") { 300.0 } else { 1.0 };
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-6 * b.abs().max(scale) || a.is_nan() && b.is_nan();
        if got["shape"] != case["shape"] || values.len() != want.len() || !values.iter().zip(&want).all(close) {
            wrong.push(format!(
                "{line}:\n  got      {} {values:?}\n  expected {} {want:?}",
                got["shape"], case["shape"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), expected.len(), wrong[..wrong.len().min(8)].join("\n"));
}

#[test]
fn several_quantiles_have_a_coordinate_as_xarray_writes_it() {
    let dir = folder();
    for out in ["out.nc", "out.zarr", "out3.nc --format nc3"] {
        let line = format!("reduce air.nc --var air --op quantile,median --q 0.1,0.9 --axis time -o {out}");
        assert_eq!(printed(dir.path(), &line), "");
        let file = out.split_whitespace().next().unwrap();
        let all = variables(dir.path(), file);
        assert_eq!(all["air_quantile"]["dimensions"], json!(["quantile", "lat", "lon"]), "{out}");
        assert_eq!(all["air_quantile"]["shape"], json!([2, 11, 21]), "{out}");
        assert_eq!(all["air_median"]["dimensions"], json!(["lat", "lon"]), "{out}");
        assert_eq!(all["quantile"]["dimensions"], json!(["quantile"]), "{out}");
        assert_eq!(doubles(&dir.path().join(file), "quantile"), [0.1, 0.9], "{out}");
        let attribute = |variable: &str, name: &str| all[variable]["attributes"][name]["value"].clone();
        assert_eq!(attribute("air_quantile", "units"), "degK");
        assert_eq!(attribute("air_quantile", "cell_methods"), Value::Null, "there is no word for it");
        assert_eq!(attribute("air_quantile", "coordinates"), "time");
        assert_eq!(attribute("air_median", "cell_methods"), "time: median");
    }
}

#[test]
fn one_quantile_is_a_scalar_coordinate() {
    let dir = folder();
    printed(dir.path(), "reduce air.nc --op quantile,nunique --q 0.9 --axis time,lon --keepdims -o out.nc");
    let all = variables(dir.path(), "out.nc");
    assert_eq!(all["air_quantile"]["shape"], json!([1, 11, 1]));
    assert_eq!((&all["quantile"]["shape"], &all["air_nunique"]["dtype"]), (&json!([]), &json!("int64")));
    assert_eq!(all["air_quantile"]["attributes"]["coordinates"]["value"], "quantile");
    assert_eq!(all["air_nunique"]["attributes"].get("units"), None);
    assert_eq!(doubles(&dir.path().join("out.nc"), "quantile"), [0.9]);
    // What is mixed with folds is what it is alone.
    printed(dir.path(), "reduce air.nc --op mean,mode,max --axis time -o mixed.nc");
    printed(dir.path(), "reduce air.nc --op mode --axis time -o mode.nc");
    assert_eq!(doubles(&dir.path().join("mixed.nc"), "air_mode"), doubles(&dir.path().join("mode.nc"), "air"));
}

#[test]
fn windows_keep_the_axis_and_its_coordinate() {
    let dir = folder();
    printed(dir.path(), "reduce air.nc --op mean --axis time --rolling 4 --center -o run.nc");
    let all = variables(dir.path(), "run.nc");
    assert_eq!(all["air"]["dimensions"], json!(["time", "lat", "lon"]));
    assert_eq!(all["air"]["attributes"]["cell_methods"]["value"], "time: mean (centered window of 4 values)");
    assert_eq!(all["time"]["shape"], json!([124]));
    assert!(all.get("time_bnds").is_none());
    let values = doubles(&dir.path().join("run.nc"), "air");
    assert!(values[..2 * 231].iter().all(|x| x.is_nan()) && values[2 * 231..123 * 231].iter().all(|x| !x.is_nan()));
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let dir = folder();
    for (options, says) in [
        ("--op quantile --axis time", "which quantile? give --q 0.9"),
        ("--op quantile --q 90 --axis time", "quantile 90 is not from 0 to 1; 90 percent is 0.9"),
        ("--op quantile --q 0.5 --method linaer --axis time", "no method 'linaer'; there are linear, "),
        ("--op mean --q 0.5 --axis time", "--q is for the operation quantile"),
        ("--op medain --axis time", "no operation 'medain'; there are median, "),
        ("--op median,median --axis time", "--op names median twice"),
        ("--op median --axis time --rolling 3", "no median of windows"),
        ("--op mean --axis time,lat --rolling 3", "windows move along one dimension"),
        ("--op mean --axis time --rolling 0", "invalid value '0' for '--rolling <N>'"),
        ("--op mean --axis time --center", "--rolling"),
    ] {
        let (code, out, err) = run_in(dir.path(), &format!("reduce air.nc {options}"));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{options}: {err}");
        assert!(err.contains(says), "{options}: {err}");
    }
}

#[test]
fn calc_has_them_as_functions() {
    let dir = folder();
    let text = "q = quantile(air, [0.1, 0.9], time); p = percentile(air, 90, axis=[time, lat], method='nearest'); \
                m = nanmedian(air, lon, keepdims=true); n = nunique(air); r = rank(air, time); i = iqr(air, time); \
                o = mode(air, time); a = mad(air, time, skipna=false)";
    let output = Command::cargo_bin("aosx")
        .unwrap()
        .args(["calc", text, "air.nc", "-o", "out.nc"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all = variables(dir.path(), "out.nc");
    let dims = |name: &str| all[name]["dimensions"].clone();
    assert_eq!(
        (dims("q"), dims("p"), dims("r")),
        (json!(["quantile", "lat", "lon"]), json!(["lon"]), json!(["time", "lat", "lon"]))
    );
    assert_eq!((&all["m"]["shape"], &all["n"]["dtype"]), (&json!([124, 11, 1]), &json!("int64")));
    assert_eq!(all["m"]["attributes"]["cell_methods"]["value"], "lon: median");
    printed(dir.path(), "reduce air.nc --op quantile,mad --q 0.1,0.9 --axis time -o same.nc");
    let of = |file: &str, name: &str| doubles(&dir.path().join(file), name);
    assert_eq!(of("out.nc", "q"), of("same.nc", "air_quantile"));
    assert_eq!(of("out.nc", "a"), of("same.nc", "air_mad"));
    let ranks = of("out.nc", "r");
    assert!(ranks.iter().all(|r| (1.0..=124.0).contains(r)));
    let (code, _, err) = run_in(dir.path(), "calc q=quantile(air,9,time) air.nc");
    assert!(code == Some(2) && err.contains("quantile 9 is not from 0 to 1"), "{err}");
}

/// The values of each lane of a row-major array, lanes in the order of the kept axes.
fn lanes(values: &[f64], shape: &[u64], axes: &[usize]) -> Vec<Vec<f64>> {
    let kept: Vec<usize> = (0..shape.len()).filter(|k| !axes.contains(k)).collect();
    let count: u64 = kept.iter().map(|&k| shape[k]).product();
    let mut out = vec![Vec::new(); count as usize];
    for (flat, value) in values.iter().enumerate() {
        let mut rest = flat as u64;
        let mut index = vec![0; shape.len()];
        for k in (0..shape.len()).rev() {
            index[k] = rest % shape[k];
            rest /= shape[k];
        }
        out[kept.iter().fold(0, |at, &k| at * shape[k] + index[k]) as usize].push(*value);
    }
    out
}

fn naive(statistic: &OrderStatistic, lane: &[f64], options: LaneOptions) -> Vec<f64> {
    let mut sorted: Vec<f64> = lane.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let (n, results) = (sorted.len(), statistic.result_len() as usize);
    let counts = *statistic == OrderStatistic::NUnique;
    if (n as u64) < options.min_count || options.keep_missing && n < lane.len() {
        return vec![if counts { -1.0 } else { f64::NAN }; results];
    }
    if n == 0 {
        return vec![if counts { 0.0 } else { f64::NAN }; results];
    }
    let median = |sorted: &[f64]| (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
    let linear = |q: f64| {
        let place = (n - 1) as f64 * q;
        let (low, part) = (place.floor() as usize, place.fract());
        sorted[low] + part * (sorted[(low + 1).min(n - 1)] - sorted[low])
    };
    match statistic {
        OrderStatistic::Quantile { at, .. } => at.values().iter().map(|q| linear(*q)).collect(),
        OrderStatistic::Median => vec![median(&sorted)],
        OrderStatistic::Mad => {
            let center = median(&sorted);
            let mut distances: Vec<f64> = sorted.iter().map(|x| (x - center).abs()).collect();
            distances.sort_by(f64::total_cmp);
            vec![median(&distances)]
        }
        OrderStatistic::Iqr => vec![linear(0.75) - linear(0.25)],
        OrderStatistic::NUnique => vec![sorted.chunk_by(|a, b| a == b).count() as f64],
        OrderStatistic::Mode => {
            let times = |x: f64| sorted.iter().filter(|y| **y == x).count();
            vec![sorted.iter().copied().rev().max_by_key(|x| times(*x)).unwrap()]
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn statistics_are_those_of_naive_code_in_any_blocks(
        sizes in prop::collection::vec((1..7u64, 1..7u64), 1..4),
        picks in prop::collection::vec(any::<bool>(), 3),
        which in 0..7usize,
        keep_missing in any::<bool>(),
        min_count in 0..5u64,
        numbers in prop::collection::vec(prop_oneof![3 => (-4..5i32).prop_map(Some), 1 => Just(None)], 216),
        single in any::<bool>(),
    ) {
        let (shape, chunk): (Vec<u64>, Vec<u64>) = sizes.into_iter().unzip();
        let axes: Vec<usize> = (0..shape.len()).filter(|k| picks[*k]).collect();
        let count = shape.iter().product::<u64>() as usize;
        let values: Vec<f64> = numbers[..count].iter().map(|n| n.map_or(f64::NAN, f64::from)).collect();
        let quantile = |at| OrderStatistic::Quantile { at, method: Method::Linear };
        let several = quantile(Quantiles::new([0.5, 0.0, 0.75]).unwrap());
        use OrderStatistic::*;
        let all = [several, quantile(Quantiles::new(0.25).unwrap()), Median, Mad, Iqr, NUnique, Mode];
        let options = LaneOptions { keep_missing, min_count };
        let array = LazyArray::from_slice(&values, &shape, &*chunk).unwrap();
        let array = if single { array.astype(DType::F32) } else { array };
        let positions: Vec<i64> = axes.iter().rev().map(|&k| k as i64).collect();
        let result = array.order_statistic(all[which].clone(), &positions, options).unwrap();
        let got = Session::new().threads(2).compute(&result.astype(DType::F64)).unwrap().to_vec::<f64>().unwrap();
        // A lane after the other, each with all its results; the results are [quantile, kept...].
        let each: Vec<Vec<f64>> = lanes(&values, &shape, &axes).iter().map(|l| naive(&all[which], l, options)).collect();
        let want: Vec<f64> = (0..each[0].len()).flat_map(|k| each.iter().map(move |l| l[k])).collect();
        prop_assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            prop_assert!((got - want).abs() < 1e-6 || got.is_nan() && want.is_nan(), "{} {}", got, want);
        }
    }
}

#[test]
fn no_values_have_no_median_and_no_different_ones() {
    let empty = LazyArray::zeros(&[0, 3], &[1, 3], DType::I32).unwrap();
    let session = Session::new();
    let medians = session.compute(&empty.nanmedian(&[0]).unwrap()).unwrap().to_vec::<f64>().unwrap();
    assert!(medians.len() == 3 && medians.iter().all(|x| x.is_nan()));
    let counts = session.compute(&empty.nunique(&[0], LaneOptions::default()).unwrap()).unwrap();
    assert_eq!(counts.to_vec::<i64>().unwrap(), [0, 0, 0]);
    assert!(empty.mode(&[0], LaneOptions::default()).is_err());
}

/// Sixteen MiB of packed numbers, 32 MiB as they are computed with; `fixtures/narrow/make.py` makes the same.
fn packed(dir: &Path) {
    let dims = [common::dim("time", 4096), common::dim("lat", 1024), common::dim("lon", 2)];
    let mut t = common::var("t", DType::I16, &dims, Some(&[512, 1024, 2]));
    t.attrs.set("scale_factor", Attribute::F32(vec![0.01]));
    t.attrs.set("add_offset", Attribute::F32(vec![273.15]));
    t.attrs.set("_FillValue", Attribute::I16(vec![-32768]));
    let one =
        |n: u64| if n.is_multiple_of(97) { i16::MIN } else { (n * n % 20011 % 9973 + 37 * (n % 2)) as i16 - 4000 };
    let bytes = (0..4096 * 1024 * 2).flat_map(|n| one(n).to_ne_bytes()).collect();
    common::create(&dir.join("packed.nc"), OutputFormat::NetCdf4, &dims, &[(t, bytes)]);
}

/// The values of one variable that was printed as JSON.
fn field(printed: &str) -> Vec<f32> {
    let got: Value = serde_json::from_str(printed).unwrap();
    let field = ["data", "values"].iter().find_map(|f| got.get(f)).unwrap_or_else(|| panic!("{got}"));
    single(field)
}

fn single(values: &Value) -> Vec<f32> {
    flat(values).iter().map(|x| *x as f32).collect()
}

#[test]
fn statistics_of_more_values_than_fit_are_those_of_numpy() {
    let dir = tempfile::tempdir().unwrap();
    packed(dir.path());
    let expected: Value = serde_json::from_str(include_str!("../fixtures/narrow/expected.json")).unwrap();
    let quantile = ("quantile", "--q 0.001,0.25,0.5,0.9999");
    for axis in ["all", "time,lat"] {
        for (op, options) in [quantile, ("median", ""), ("iqr", ""), ("mad", ""), ("nunique", ""), ("mode", "")] {
            let line = format!("reduce packed.nc --var t --op {op} {options} --axis {axis} --memory 48MiB");
            let plan = printed(dir.path(), &format!("{line} --explain"));
            assert!(plan.contains(&format!("narrow down {op} over time, lat")), "{plan}");
            let got = field(&printed(dir.path(), &format!("{line} --format json")));
            assert_eq!(got, single(&expected[axis][op]), "{line}");
        }
    }
}

#[test]
fn statistics_of_the_same_values_share_passes() {
    let dir = tempfile::tempdir().unwrap();
    packed(dir.path());
    let expected: Value = serde_json::from_str(include_str!("../fixtures/narrow/expected.json")).unwrap();
    let line = "reduce packed.nc --var t --op quantile,median,mad,iqr,nunique,mode --q 0.001,0.25,0.5,0.9999 --axis all --memory 48MiB";
    let plan = printed(dir.path(), &format!("{line} --explain"));
    assert_eq!(plan.matches("read packed.nc t").count(), 1, "{plan}");
    assert!(
        plan.contains("narrow down quantile, median, mad, iqr, nunique, mode over time, lat, lon: 1 lane of 8388608"),
        "{plan}"
    );
    printed(dir.path(), &format!("{line} -o all.nc"));
    for op in ["quantile", "median", "mad", "iqr", "nunique", "mode"] {
        let shown = printed(dir.path(), &format!("calc y=t_{op}*1 all.nc --format json"));
        assert_eq!(field(&shown), single(&expected["all"][op]), "{op}");
    }
}

/// Four million numbers in one lane, zeros below zero among them.
fn long(dir: &Path) {
    let dims = [common::dim("time", 1 << 22)];
    let t = common::var("t", DType::F32, &dims, Some(&[1 << 16]));
    let one = |n: u32| match n.wrapping_mul(0x9e37_79b9) {
        m if m % 5 == 0 => -0.0,
        m if m % 5 == 1 => 0.0,
        m if m % 101 == 0 => f32::NAN,
        m => m as i32 as f32,
    };
    let bytes = (0..1 << 22).flat_map(|n| one(n).to_ne_bytes()).collect();
    common::create(&dir.join("long.nc"), OutputFormat::NetCdf4, &dims, &[(t, bytes)]);
}

#[test]
fn a_lane_that_does_not_fit_is_put_in_order() {
    let dir = tempfile::tempdir().unwrap();
    long(dir.path());
    let command = "calc s=sort(t,time);k=topk(t,1000,time);d=sort(t,time,descending=true) long.nc";
    gives_the_same_in_passes(dir.path(), command, &["all in order over time", "the first 1000"], &["s", "k", "d"]);
}

#[test]
fn places_and_ranks_of_a_lane_that_does_not_fit_are_those_of_one_that_does() {
    let dir = tempfile::tempdir().unwrap();
    long(dir.path());
    let command = "calc p=argsort(t,time);d=argsort(t,time,descending=true);r=rank(t,time) long.nc";
    let stages = [
        "the places of all in order over time",
        "the ranks of all in order over time",
        "the ranks in the order of places",
    ];
    gives_the_same_in_passes(dir.path(), command, &stages, &["p", "d", "r"]);
}

/// Runs a command of the long lane in little memory and in much.
fn gives_the_same_in_passes(dir: &Path, command: &str, stages: &[&str], variables: &[&str]) {
    let plan = printed(dir, &format!("{command} -o small.nc --memory 56MiB --explain"));
    stages.iter().for_each(|stage| assert!(plan.contains(&format!("narrow down {stage}")), "{stage}: {plan}"));
    printed(dir, &format!("{command} -o small.nc --memory 56MiB"));
    printed(dir, &format!("{command} -o large.nc --memory 1GiB"));
    for variable in variables {
        let bytes = |file: &str| {
            let source = formats::open(&dir.join(file)).unwrap().source(variable).unwrap();
            read_all(&*source, &Budget::new(Bytes(1 << 26))).unwrap().bytes().to_vec()
        };
        assert!(bytes("small.nc") == bytes("large.nc"), "{variable}");
    }
}

/// What needs whole lanes says so, and how much memory that is.
#[test]
fn what_needs_whole_lanes_names_the_memory() {
    let dir = tempfile::tempdir().unwrap();
    long(dir.path());
    let line = "calc q=quantile(t,0.5,time,weights=isnan(t)+1) long.nc -o q.nc --memory 100MiB";
    let (code, _, err) = run_in(dir.path(), line);
    assert_ne!(code, Some(0));
    assert!(err.contains("needs at least") && err.contains("give --memory"), "{err}");
    assert!(!dir.path().join("q.nc").exists());
}
