//! Statistics of series in `aosx calc`, parts of dates and masks: against xarray, NumPy and CDO, as
//! `fixtures/stats/make.py` writes down, and what the results say about themselves.

use aosx::{
    budget::Budget,
    formats::{self, whole::read_all},
    units::Bytes,
};
use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

const GOLDEN: &str = include_str!("../fixtures/stats/expected.json");

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stats/series.nc");
    std::fs::copy(from, dir.path().join("series.nc")).unwrap();
    dir
}

/// Exit code, what is printed, what is said.
fn run_in(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("aosx").unwrap();
    let output = command.args(args).current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Computes into `out.nc`, and gives its header.
fn calc(dir: &Path, program: &str, more: &[&str]) -> String {
    let (code, _, err) = run_in(dir, &[&["calc", program, "series.nc", "-o", "out.nc"], more].concat());
    assert_eq!((code, err.as_str()), (Some(0), ""), "{program}");
    let (code, out, err) = run_in(dir, &["info", "out.nc", "--cdl"]);
    assert_eq!(code, Some(0), "{err}");
    out
}

fn says(program: &str) -> String {
    let dir = folder();
    let (code, out, err) = run_in(dir.path(), &["calc", program, "series.nc"]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{program}: {err}");
    err
}

/// The shape without lengths of 1, and the values as float64.
fn values(path: &Path, variable: &str) -> (Vec<u64>, Vec<f64>) {
    let source = formats::open(path).unwrap().source(variable).unwrap();
    let block = read_all(&*source, &Budget::new(Bytes(1 << 26))).unwrap();
    let size = block.bytes().len() / source.meta().shape.elements().unwrap().max(1) as usize;
    let float = source.meta().stored.to_string().contains("float");
    let one = |x: &[u8]| match (size, float) {
        (4, true) => f64::from(f32::from_ne_bytes(x.try_into().unwrap())),
        (8, true) => f64::from_ne_bytes(x.try_into().unwrap()),
        (8, false) => i64::from_ne_bytes(x.try_into().unwrap()) as f64,
        other => panic!("{other:?}"),
    };
    let shape = source.meta().shape.iter().copied().filter(|n| *n != 1).collect();
    (shape, block.bytes().chunks_exact(size).map(one).collect())
}

#[test]
fn statistics_are_those_of_xarray_and_cdo() {
    let dir = folder();
    let told: Value = serde_json::from_str(GOLDEN).unwrap();
    let cases = told.as_array().unwrap();
    assert!(cases.len() > 50);
    let statements: Vec<String> =
        cases.iter().enumerate().map(|(k, case)| format!("o{k} = {}", case["expression"].as_str().unwrap())).collect();
    calc(dir.path(), &statements.join("\n"), &[]);
    let mut wrong = Vec::new();
    for (k, case) in cases.iter().enumerate() {
        let (shape, got) = values(&dir.path().join("out.nc"), &format!("o{k}"));
        let wanted: Vec<f64> =
            case["values"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect();
        let lengths: Vec<u64> = case["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        let tolerance = case["tolerance"].as_f64().unwrap();
        let largest = wanted.iter().filter(|x| !x.is_nan()).fold(0f64, |a, x| a.max(x.abs()));
        let near = |(a, b): (&f64, &f64)| {
            a.is_nan() && b.is_nan() || a == b || (a - b).abs() <= tolerance * b.abs().max(1e-3 * largest)
        };
        if shape != lengths || got.len() != wanted.len() || !got.iter().zip(&wanted).all(near) {
            wrong.push(format!(
                "{} ({}): {shape:?} {got:?}\n  is not {lengths:?} {wanted:?}",
                case["expression"], case["by"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn results_have_units_and_coordinates() {
    let dir = folder();
    let program = "s = slope(t, time); i = intercept(t, time); d = detrend(t, time); c = cov(t, h, time)
        r = corr(t, h, time); g = regress(t, h, time); v = derivative(t, lat); z = standardize(t, time)
        n = longest_spell(p < 1, time); season = time.season; w = t[time.season == 'DJF']";
    let header = calc(dir.path(), program, &[]);
    for (of, units) in [
        ("s", "K day-1"),
        ("i", "K"),
        ("d", "K"),
        ("c", "K m"),
        ("r", "1"),
        ("g", "K m-1"),
        ("v", "K degrees_north-1"),
        ("z", "1"),
        ("n", "1"),
        ("w", "K"),
    ] {
        assert!(header.contains(&format!("\t{of}:units = \"{units}\"")), "{of}: {header}");
    }
    assert!(header.contains("float s(lat, lon)") && header.contains("double c(lat, lon)"), "{header}");
    assert!(header.contains("int64 n(lat, lon)") && header.contains("float d(time, lat, lon)"), "{header}");
    assert!(header.contains("season:flag_meanings = \"DJF JJA MAM SON\""), "{header}");
    // What a mask keeps has its own coordinate.
    let (shape, kept) = values(&dir.path().join("out.nc"), "time_1");
    assert_eq!((shape[0], kept[0], kept[91]), (250, 334.5, 700.5), "two whole winters and most of a third");
    assert!(header.contains("w(time_1, lat, lon)"), "{header}");
}

#[test]
fn groups_have_their_coordinates() {
    let dir = folder();
    let program = "c = clim(t, time.month); s = mean(t, by=time.season); a = t - c; d = max(p, time, every='1mo')
        w = clim(t[time.season == 'DJF'], time.month); j = clim(t[time.season == 'JJA'], time.month)
        y = mean(h, time, lat, by=[time.year, time.month]); part = c[month=2:5]";
    let header = calc(dir.path(), program, &[]);
    let out = dir.path().join("out.nc");
    for declared in [
        "float c(month, lat, lon)",
        "float s(season, lat, lon)",
        "float a(time, lat, lon)",
        "int64 month(month)",
        "string season(season)",
        "c:cell_methods = \"time: mean within years time: mean over years\"",
        "d:cell_methods = \"time: maximum\"",
        "a:units = \"K\"",
    ] {
        assert!(header.contains(declared), "{declared}: {header}");
    }
    assert!(!header.contains("a:cell_methods"), "{header}");
    assert_eq!(values(&out, "month").1, (1..=12).map(f64::from).collect::<Vec<f64>>());
    assert_eq!(values(&out, "time").1.len(), 800, "the times of anomalies");
    // Three months each, but not the same ones.
    let named = |variable: &str| {
        let meta = formats::open(&out).unwrap().source(variable).unwrap().meta().clone();
        meta.dims[0].clone()
    };
    let (w, j) = (named("w"), named("j"));
    assert_ne!(w, j, "{header}");
    assert_eq!((values(&out, &w).1, values(&out, &j).1), (vec![1.0, 2.0, 12.0], vec![6.0, 7.0, 8.0]));
    // Bins of time have their own times and bounds.
    let bins = named("d");
    let (begins, bounds) = (values(&out, &bins).1, values(&out, &format!("{bins}_bnds")).1);
    assert_eq!((begins.len(), begins[0], &bounds[..2]), (27, 334.0, &[334.0, 365.0][..]));
    assert!(header.contains(&format!("{bins}:units = \"days since 1999-01-01 00:00:00\"")), "{header}");
}

#[test]
fn without_a_coordinate_a_trend_is_one_of_steps() {
    let dir = folder();
    let program = "a = slope(reshape(h, [400, 2, 4]), 0); b = slope(sort(h, time), time)";
    let header = calc(dir.path(), program, &["--memory", "64MiB"]);
    assert!(header.contains("a:units = \"m\"") && header.contains("b:units = \"m\""), "{header}");
    let (shape, sorted) = values(&dir.path().join("out.nc"), "b");
    assert_eq!(shape, [2, 2]);
    assert!(sorted.iter().all(|x| *x > 0.0), "sorted values ascend: {sorted:?}");
}

#[test]
fn a_selected_part_has_its_own_dates() {
    let dir = folder();
    let program = "m = mean(h[time.month == 3], time); s = slope(h, time)";
    calc(dir.path(), program, &["--sel", "time=2000-01:2000-12"]);
    let chosen = values(&dir.path().join("out.nc"), "m").1;
    let slope = values(&dir.path().join("out.nc"), "s").1;
    let same = "m = mean(h[time.month == 3 and time.year == 2000], time); s = slope(h[time.year == 2000], time)";
    calc(dir.path(), same, &[]);
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs());
    assert!(close(&values(&dir.path().join("out.nc"), "m").1, &chosen));
    assert!(close(&values(&dir.path().join("out.nc"), "s").1, &slope));
}

#[test]
fn mistakes_are_shown() {
    for (program, expected) in [
        ("x = time.mont", "no part of a date 'mont'; did you mean 'month'?"),
        ("x = tiem.month", "no variable 'tiem'; did you mean time?"),
        ("x = tt.u", "no input 'tt'"),
        ("x = lat.month", "'lat' has no units of time"),
        ("x = t.month", "'t' has no units of time"),
        ("x = t[time.season == 'winter']", "no flag 'winter'; there is DJF, JJA, MAM, SON"),
        ("x = t[time.season > 'DJF']", "compare it with == or !="),
        ("x = t[lat == 'north']", "'lat' is neither a time nor has flags"),
        ("x = t == 'a'", "'t' is neither a time nor has flags"),
        ("x = 'a' == 'a'", "text is no value to compute with"),
        ("x = t[t > 280]", "with data, use where(mask, x, nan)"),
        ("x = t[time.year == 1980]", "nothing is selected"),
        ("x = mean(t, lat)[lat > 10]", "no dimension 'lat'"),
        ("x = t[time=0:3][time[0:5] > 336]", "they are not the same ones"),
        ("x = t[time > '1999-13']", "1999-13"),
        ("x = spells(t > 0, time, 0)", "n is at least 1"),
        ("x = slope(t)", "slope lacks its argument 'axis'"),
        ("x = corr(t, h, level)", "no dimension 'level'"),
        ("x = clim(t, time)", "a climatology is of groups; name them, as clim(t, time.month)"),
        ("x = mean(t, by=time.mnth)", "did you mean 'month'?"),
        ("x = mean(t, every='1x')", "1x"),
        ("x = mean(mean(t, time), lat, every='1d')", "no dimension has a coordinate of time"),
        ("x = mean(mean(t, time), by=time.month)", "the groups run along 'time', which this does not have"),
        ("x = mean(t, by=time.month, keepdims=true)", "keepdims does not go with groups"),
        ("x = clim(t, time.year, window=3)", "a window goes round the year or the day"),
        ("x = clim(t, time.month, window=4)", "a window of 4 round a circle of 12"),
        ("x = mean(sort(t, time), by=time.month)", "leaves none of its places known"),
        ("x = sort(t, time) - clim(t[time=0:12], time.month)", "leaves none of its places known"),
        ("x = isin(lat, ['a'])", "text stands for what flag_meanings lists"),
    ] {
        let err = says(program);
        assert!(err.contains(expected), "{program}: {err}");
    }
}
