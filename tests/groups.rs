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

#[test]
fn names_of_characters_are_labels() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/select/select.nc");
    let json = |args: &[&str]| -> Value {
        let all = [args, &[file.to_str().unwrap(), "--format", "json"]].concat();
        serde_json::from_slice(&aosx(&all).assert().success().get_output().stdout).unwrap()
    };
    let plain = numbers(&json(&["reduce", "--var", "rain", "--op", "mean", "--axis", "time"])["data"]);
    for args in [
        &["reduce", "--var", "rain", "--op", "mean", "--by", "station", "--axis", "time"][..],
        &["calc", "rain = mean(rain, time, by=station)"],
    ] {
        let got = json(args);
        assert_eq!((texts(&got["dims"]), &got["shape"]), (vec!["station".to_string()], &serde_json::json!([3])));
        let mut wanted: Vec<(String, f64)> =
            ["Bern", "Zurich", "Chur"].map(String::from).into_iter().zip(plain.clone()).collect();
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(texts(&got["coords"]["station"]), wanted.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
        assert_eq!(numbers(&got["data"]), wanted.iter().map(|(_, mean)| *mean).collect::<Vec<_>>());
    }
}

/// A file may have months of its own beside dates.
#[test]
fn variables_called_as_the_groups_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let [own, out] = ["own.nc", "out.nc"].map(|name| folder.path().join(name).to_str().unwrap().to_string());
    let program = "n = n; month = time.month; climatology_bounds = n";
    aosx(&["calc", program, made().to_str().unwrap(), "-o", &own]).assert().success();
    let by = ["--op", "mean", "--by", "time.month"];
    aosx(&[&["reduce", &own, "--var", "n", "-o", &out], &by[..]].concat()).assert().success();
    assert_eq!(values(Path::new(&out), "month"), (1..13).map(f64::from).collect::<Vec<_>>());
    for variable in ["month", "climatology_bounds"] {
        let failed = aosx(&[&["reduce", &own, "--var", variable], &by[..]].concat()).assert().code(2);
        let text = String::from_utf8(failed.get_output().stderr.clone()).unwrap();
        assert!(text.contains("which groups there are has the same name"), "{text}");
    }
    // Nothing is left to be grouped.
    let alone = folder.path().join("alone.nc").to_str().unwrap().to_string();
    aosx(&["calc", "basin = region", made().to_str().unwrap(), "-o", &alone]).assert().success();
    let failed = aosx(&["reduce", &alone, "--op", "mean", "--by", "basin"]).assert().code(2);
    let text = String::from_utf8(failed.get_output().stderr.clone()).unwrap();
    assert!(text.contains("no other numeric variable lies along what groups run along"), "{text}");
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
    says(&["--op", "mean", "--by", "time.month,time.month"], "groups by 'month' twice");
    says(&["--var", "t", "--op", "mean", "--by", "time.month", "--keepdims"], "leave out --rolling or --keepdims");
    says(&["--var", "n", "--op", "mean", "--by", "region"], "'lat'");
    says(&["--var", "t", "--op", "mean", "--by", "lat(100,200)"], "no value is in any group");
    says(&["--var", "t", "--op", "mean", "--by", "time.month", "--rolling", "3"], "windows");
    says(&["--var", "t", "--op", "mean", "--by", "time.month", "--resample", "1d"], "cannot be used with");
    says(&["--var", "t", "--op", "mean", "--resample", "1x"], "1x");
    says(&["--var", "region", "--op", "mean", "--resample", "1d"], "no dimension has a coordinate of time");
}

/// Of another period or file, results of groups go to the positions that have the same labels, not to those in the same place.
#[test]
fn anomalies_are_from_the_climatology_of_another_period_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let file = made().to_str().unwrap().to_string();
    // As many days, in other months; the second lacks none of them.
    for (name, part) in [("base.nc", "time=0:365"), ("late.nc", "time=200:565")] {
        aosx(&["select", &file, "--isel", part, "-o", &path(name)]).assert().success();
    }
    aosx(&["reduce", &path("base.nc"), "--var", "t", "--op", "mean", "--by", "time.month", "-o", &path("clim.nc")])
        .assert()
        .success();
    aosx(&["calc", "month = time.month; t = t", &file, "-o", &path("all.nc")]).assert().success();
    let [months, all] = ["month", "t"].map(|name| values(Path::new(&path("all.nc")), name));
    let clim = values(Path::new(&path("clim.nc")), "t");
    let cells = clim.len() / 12;
    let wanted = |k: usize| all[k] - clim[(months[k / cells] as usize - 1) * cells + k % cells];
    let check = |program: &str, files: &[&str], first: usize, days: usize| {
        let files: Vec<String> =
            files.iter().map(|name| if *name == "all" { file.clone() } else { path(name) }).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        aosx(&[&["calc", program], &files[..], &["-o", &path("a.nc")]].concat()).assert().success();
        let got = values(Path::new(&path("a.nc")), "a");
        assert_eq!(got.len(), days * cells, "{program}");
        for (k, a) in got.iter().enumerate() {
            let want = wanted(first * cells + k);
            assert!((a.is_nan() && want.is_nan()) || (a - want).abs() < 1e-4, "{program}: {k}: {a}, not {want}");
        }
        let times = values(Path::new(&path("a.nc")), "time");
        assert_eq!(times, values(Path::new(&file), "time")[first..first + days], "{program}");
    };
    check("a = t - clim(t[time=0:365], time.month)", &["all"], 0, 820);
    check("a = t[time=100:] - mean(t[time=:365], time, by=time.month)", &["all"], 100, 720);
    check("a = late.t - clim(base.t, time.month)", &["late.nc", "base.nc"], 200, 365);
    check("a = -(clim(base.t, time.month) - late.t)", &["base.nc", "late.nc"], 200, 365);
    check("a = made.t - clim(base.t, time.month)", &["all", "base.nc"], 0, 820);
    // There is no mean of a month that the other has nothing of.
    aosx(&["calc", "a = t - clim(t[time=0:5], time.month)", &file, "-o", &path("a.nc")]).assert().success();
    let got = values(Path::new(&path("a.nc")), "a");
    assert!(got.iter().enumerate().all(|(k, a)| months[k / cells] == 11.0 || a.is_nan()));
    assert!(got.iter().any(|a| !a.is_nan()));
}

/// A season over the end of a year is that of the year in which it ends, and so of months in a row.
#[test]
fn seasons_of_years_are_months_in_a_row() {
    let by = "time.year,time.season(JJAS,DJF)";
    let got = reduced(&format!("--var t --op mean --by {by}"), &[]);
    assert_eq!(
        (texts(&got["dims"])[..2].join(","), numbers(&got["shape"])[..2].to_vec()),
        ("year,season".into(), vec![3.0, 2.0])
    );
    assert_eq!(texts(&got["coords"]["year"]), ["2000", "2001", "2002"]);
    let all = numbers(&got["data"]);
    let cell = all.len() / 6;
    for (at, months) in [(1, "1999-12:2000-02"), (2, "2001-06:2001-09"), (3, "2000-12:2001-02")] {
        let want = numbers(&reduced("--var t --op mean --axis time", &["--sel", &format!("time={months}")])["data"]);
        assert_eq!(all[at * cell..(at + 1) * cell], want, "{months}");
    }
    // There is no summer in 2002 yet.
    assert!(all[4 * cell..5 * cell].iter().all(|x| x.is_nan()));
    let folder = tempfile::tempdir().unwrap();
    let path = write(&["--var", "t", "--op", "mean", "--by", by], "seasons.nc", folder.path());
    let bounds = values(&path, "time_bnds");
    let hours = |at: usize| bounds[2 * at + 1] - bounds[2 * at];
    assert_eq!([hours(2), hours(3)], [122.0 * 24.0, 90.0 * 24.0]);
}

/// Months of several years lie between one another.
#[test]
fn files_of_months_are_put_in_order_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let file = made();
    aosx(&["split", file.to_str().unwrap(), "--by", "time.month", "-o", &path("m_{}.nc")]).assert().success();
    let join = |files: &[&str], overlap: &str| {
        let out = path(&format!("{overlap}.nc"));
        let files: Vec<String> = files.iter().map(|name| path(name)).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let words = [&["select"], &files[..], &["--overlap", overlap, "-o", &out]].concat();
        let done = Command::cargo_bin("aosx").unwrap().args(words).current_dir(folder.path()).assert();
        (done.get_output().status.code(), String::from_utf8(done.get_output().stderr.clone()).unwrap(), out)
    };
    let (code, error, _) = join(&["m_*.nc"], "error");
    assert!(code == Some(2) && error.contains("give --overlap keep, or sort"), "{error}");
    let (code, error, all) = join(&["m_*.nc"], "sort");
    assert_eq!(code, Some(0), "{error}");
    aosx(&["diff", file.to_str().unwrap(), &all, "--values"]).assert().success();
    assert!(
        !error.contains("a gap") && error.contains("m_12.nc begins at") && error.contains("more overlap"),
        "{error}"
    );
    // Without their Mays, years have a gap each.
    let months: Vec<String> = (1..=12).filter(|m| *m != 5).map(|m| format!("m_{m:02}.nc")).collect();
    let (_, error, _) = join(&months.iter().map(String::as_str).collect::<Vec<_>>(), "sort");
    assert_eq!(error.matches("a gap between").count(), 2, "{error}");
    assert!(error.contains("m_04.nc) and ") && error.contains("m_06.nc)"), "{error}");
    let (code, error, _) = join(&["m_01.nc", "m_02.nc", "m_01.nc"], "sort");
    assert!(code == Some(2) && error.contains("m_01.nc too; leave one out, or give --overlap keep"), "{error}");
    // A part of them, and what is made of them, are those of the file.
    let program = "t = mean(t[time=10:50], time); s = cumsum(n, time)";
    let pattern = path("m_*.nc");
    aosx(&["calc", program, file.to_str().unwrap(), "-o", &path("a.nc")]).assert().success();
    aosx(&["calc", program, &pattern, "--overlap", "sort", "-o", &path("b.nc")]).assert().success();
    aosx(&["diff", &path("a.nc"), &path("b.nc"), "--values"]).assert().success();
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
