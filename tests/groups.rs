//! `aosx reduce --by` and `--resample` against xarray: every case of `fixtures/groups/expected.json`, which
//! `fixtures/groups/make.py` made; and what outputs say about their groups.

use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn made() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/groups/made.nc")
}

fn aosx(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("aosx").unwrap();
    command.arg("--quiet").args(args);
    command
}

fn reduced(args: &str, more: &[&str]) -> Value {
    let file = made();
    let words: Vec<&str> = args.split(' ').collect();
    let all = [&["reduce", file.to_str().unwrap(), "--format", "json"], words.as_slice(), more].concat();
    let out = aosx(&all).assert().success().get_output().stdout.clone();
    serde_json::from_slice(&out).unwrap_or_else(|e| panic!("{args}: {e}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(all) => all.iter().flat_map(numbers).collect(),
        one => vec![one.as_f64().unwrap_or(f64::NAN)],
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_string()).collect()
}

#[test]
fn values_are_those_of_xarray() {
    let text = std::fs::read_to_string(made().with_file_name("expected.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 30);
    let mut wrong = Vec::new();
    for case in &cases {
        let args = case["args"].as_str().unwrap();
        let got = reduced(args, &[]);
        assert_eq!(texts(&got["dims"]), texts(&case["dims"]), "{args}");
        assert_eq!(got["shape"], case["shape"], "{args}");
        let (a, b) = (numbers(&got["data"]), numbers(&case["values"]));
        let differ = a.iter().zip(&b).filter(|(a, b)| {
            let same = a == b || (a.is_nan() && b.is_nan()) || (*a - *b).abs() <= 1e-6 * b.abs();
            !same
        });
        if a.len() != b.len() || differ.clone().count() > 0 {
            wrong.push(format!(
                "{args}: {} of {} differ: {:?}",
                differ.clone().count(),
                b.len(),
                differ.take(3).collect::<Vec<_>>()
            ));
        }
        if let Some(labels) = case.get("labels") {
            let dims = texts(&case["dims"]);
            let key = dims.iter().find(|d| {
                args.contains(d.trim_end_matches("_bins"))
                    && got["coords"].get(d).is_some()
                    && *d != "lat"
                    && *d != "lon"
            });
            let key = key.unwrap_or_else(|| panic!("{args}: no coordinate of groups"));
            let same = |a: &String, b: &String| a == b || a.parse::<f64>().ok() == b.parse::<f64>().ok();
            let (ours, theirs) = (texts(&got["coords"][key]), texts(labels));
            assert!(
                ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| same(a, b)),
                "{args}: {ours:?}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_answer_does_not_depend_on_threads_or_memory() {
    for args in
        ["--var t --op mean,std --by time.month", "--var t --op mean --resample 5d", "--var t --op sum --by region"]
    {
        let first = reduced(args, &["--threads", "1"]);
        assert_eq!(first, reduced(args, &["--threads", "7", "--memory", "64MiB"]), "{args}");
    }
}

/// As xarray, whose groups of integers become floats where one has to say that nothing is in it.
#[test]
fn groups_without_values_are_missing() {
    for op in ["max", "min", "range", "first", "last", "mode"] {
        let got = reduced(&format!("--var n --op {op} --by time.year,time.month"), &[]);
        let all = numbers(&got["data"]);
        assert_eq!((all.len(), got["dtype"].as_str()), (48, Some("float64")), "{op}");
        // The file begins in November 1999, and ends in February 2002.
        let missing: Vec<usize> = (0..48).filter(|&k| all[k].is_nan()).collect();
        assert_eq!(missing, (0..10).chain(38..48).collect::<Vec<_>>(), "{op}");
    }
    let whole = reduced("--var n --op max --by time.month", &[]);
    assert_eq!(whole["dtype"], "int32", "no group is empty");
    let sums = numbers(&reduced("--var n --op sum --by time.year,time.month", &[])["data"]);
    assert!(sums[0] == 0.0 && sums.iter().all(|x| !x.is_nan()));
}

/// What a file says of its variables, as `info --json` has it.
fn attrs_of(path: &Path, variable: &str) -> Value {
    let out = aosx(&["info", path.to_str().unwrap(), "--json"]).assert().success().get_output().stdout.clone();
    let info: Value = serde_json::from_slice(&out).unwrap();
    fn find(value: &Value, variable: &str) -> Option<Value> {
        match value {
            Value::Object(map) if map.get("name").or(map.get("path")).is_some_and(|n| n == variable) => {
                map.get("attrs").or(map.get("attributes")).cloned()
            }
            Value::Object(map) => map.values().find_map(|v| find(v, variable)),
            Value::Array(all) => all.iter().find_map(|v| find(v, variable)),
            _ => None,
        }
    }
    find(&info, variable).unwrap_or_else(|| panic!("no variable {variable} in {info}"))
}

fn write(args: &[&str], name: &str, folder: &Path) -> PathBuf {
    let (file, path) = (made(), folder.join(name));
    let all = [&["reduce", file.to_str().unwrap(), "-o", path.to_str().unwrap()], args].concat();
    aosx(&all).assert().success();
    path
}

fn values(path: &Path, variable: &str) -> Vec<f64> {
    aosx::prelude::Dataset::open(path).unwrap().numbers(variable).unwrap()
}

#[test]
fn climatologies_and_bins_say_which_time_they_cover() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&["--var", "t", "--op", "mean", "--by", "time.month"], "clim.nc", folder.path());
    let t = attrs_of(&path, "t");
    assert_eq!(t["cell_methods"]["value"], "time: mean within years time: mean over years");
    assert_eq!(t["coordinates"]["value"], "time");
    assert_eq!(attrs_of(&path, "time")["climatology"]["value"], "climatology_bounds");
    // From the first January that is there, 2000, to the end of the last, 2002; in hours since 1999, of 365 days.
    let bounds = values(&path, "climatology_bounds");
    assert_eq!(bounds[..2], [365.0 * 24.0, (3.0 * 365.0 + 31.0) * 24.0]);
    assert_eq!(values(&path, "month"), (1..=12).map(f64::from).collect::<Vec<_>>());

    let path = write(&["--var", "t", "--op", "max", "--resample", "1mo"], "months.zarr", folder.path());
    assert_eq!(attrs_of(&path, "t")["cell_methods"]["value"], "time: maximum");
    assert_eq!(attrs_of(&path, "time")["bounds"]["value"], "time_bnds");
    let (times, bounds) = (values(&path, "time"), values(&path, "time_bnds"));
    assert_eq!(times[0], 304.0 * 24.0, "November 1999 begins");
    assert_eq!(bounds[..4], [304.0 * 24.0, 334.0 * 24.0, 334.0 * 24.0, 365.0 * 24.0]);

    let path = write(&["--var", "t", "--op", "mean", "--by", "time.season"], "seasons.nc", folder.path());
    let seasons = aosx::prelude::Dataset::open(&path).unwrap().texts("season").unwrap();
    assert_eq!(seasons, ["DJF", "JJA", "MAM", "SON"]);
    // A classic file has no strings: they are spelt.
    let classic = ["--var", "t", "--op", "mean", "--by", "time.season", "--format", "nc3"];
    let path = write(&classic, "classic.nc", folder.path());
    assert_eq!(aosx::prelude::Dataset::open(&path).unwrap().texts("season").unwrap(), seasons);
    let path = write(&["--var", "t", "--op", "mean", "--by", "time.season(JJAS,NDJFM)"], "own.nc", folder.path());
    let seasons = aosx::prelude::Dataset::open(&path).unwrap().texts("season").unwrap();
    assert_eq!(seasons, ["JJAS", "NDJFM"]);
}

#[test]
fn what_cannot_be_grouped_is_said() {
    let says = |args: &[&str], what: &str| {
        let file = made();
        let all = [&["reduce", file.to_str().unwrap()], args].concat();
        let out = aosx(&all).assert().code(2).get_output().stderr.clone();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(what), "{args:?}: {text}");
    };
    says(&["--op", "mean", "--by", "time.mnth"], "did you mean 'month'");
    says(&["--op", "mean", "--by", "lat.month"], "it has no units of time");
    says(&["--op", "mean", "--by", "nothing"], "no variable 'nothing'");
    says(&["--var", "n", "--op", "mean", "--by", "region"], "'lat'");
    says(&["--var", "t", "--op", "mean", "--by", "lat(100,200)"], "no value is in any group");
    says(&["--var", "t", "--op", "mean", "--by", "time.month", "--rolling", "3"], "windows");
    says(&["--var", "t", "--op", "mean", "--by", "time.month", "--resample", "1d"], "cannot be used with");
    says(&["--var", "t", "--op", "mean", "--resample", "1x"], "1x");
    says(&["--var", "region", "--op", "mean", "--resample", "1d"], "'time'");
}

#[test]
fn files_of_groups_together_are_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (file, pattern) = (made(), folder.path().join("t_{}.nc"));
    aosx(&["split", file.to_str().unwrap(), "--by", "time.year", "-o", pattern.to_str().unwrap()]).assert().success();
    let mut names: Vec<String> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["t_1999.nc", "t_2000.nc", "t_2001.nc", "t_2002.nc"]);
    let years: Vec<f64> = names.iter().flat_map(|name| values(&folder.path().join(name), "time")).collect();
    assert_eq!(years, values(&file, "time"));
    let joined = folder.path().join("all.nc");
    let all = folder.path().join("t_*.nc");
    aosx(&["convert", all.to_str().unwrap(), "-o", joined.to_str().unwrap()]).assert().success();
    aosx(&["diff", file.to_str().unwrap(), joined.to_str().unwrap(), "--values"]).assert().success();
    // Chunks of files end where files do.
    for args in ["--by time.month", "--by level", "--resample 5d", "--by time.season --axis time,lat,lon"] {
        for op in ["count", "mean", "max"] {
            let words: Vec<&str> = args.split(' ').collect();
            let parts = ["reduce", all.to_str().unwrap(), "--format", "json", "--var", "t", "--op", op];
            let out = aosx(&[&parts[..], &words].concat()).assert().success().get_output().stdout.clone();
            let got: Value = serde_json::from_slice(&out).unwrap();
            let (a, b) = (numbers(&got["data"]), numbers(&reduced(&format!("--var t --op {op} {args}"), &[])["data"]));
            let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-6 * b.abs();
            assert!(a.len() == b.len() && a.iter().zip(&b).all(same), "{op} {args}: {a:?} and {b:?}");
        }
    }
    let out =
        aosx(&["split", file.to_str().unwrap(), "--by", "time.year,time.month", "-o", "{}{}{}.nc"]).assert().code(2);
    assert!(String::from_utf8_lossy(&out.get_output().stderr).contains("it needs one {}"));
}
