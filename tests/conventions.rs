//! What outputs say of themselves, where the CF checker complained about it once.

mod common;

use aosx::{
    attrs::{Attrs, Value},
    prelude::*,
    source::VarMeta,
};
use assert_cmd::Command;
use std::path::{Path, PathBuf};

fn said(var: &mut VarMeta, all: &[(&str, &str)]) {
    all.iter().for_each(|(name, value)| var.attrs.set(name, *value));
}

/// Twelve months of a temperature on levels of a hybrid height, on a grid of which `y` and `x` have no coordinates.
fn made(folder: &Path, conventions: &str) -> PathBuf {
    let dims = [("time", 12), ("level", 2), ("y", 2), ("x", 3)].map(|(name, n)| common::dim(name, n));
    let [time, level, y, x] = dims.clone();
    let var = |path: &str, dims: &[_], attrs: &[(&str, &str)]| {
        let mut var = common::var(path, DType::F64, dims, None);
        said(&mut var, attrs);
        let n: u64 = dims.iter().map(|d| d.len).product();
        let values: Vec<f64> = (0..n).map(|k| k as f64).collect();
        (var, bytemuck::cast_slice(&values).to_vec())
    };
    let terms = [
        ("standard_name", "atmosphere_hybrid_height_coordinate"),
        ("formula_terms", "a: level_a orog: orog"),
        ("computed_standard_name", "altitude"),
        ("axis", "Z"),
    ];
    let times = [("units", "days since 2001-01-15"), ("calendar", "360_day"), ("axis", "T"), ("standard_name", "time")];
    let grid = [&dims[2], &dims[3]].map(Clone::clone);
    let mut t = var(
        "t",
        &dims,
        &[
            ("units", "K"),
            ("standard_name", "air_temperature"),
            ("coordinates", "time lat lon"),
            ("cell_methods", "time: mean"),
        ],
    );
    t.1 = bytemuck::cast_slice(&(0..144).map(|k| f64::from(k % 17)).collect::<Vec<_>>()).to_vec();
    let mut months = var("time", &[time], &times);
    months.1 = bytemuck::cast_slice(&(0..12).map(|k| f64::from(k) * 30.0).collect::<Vec<_>>()).to_vec();
    let vars = [
        months,
        var("level", std::slice::from_ref(&level), &terms),
        var("level_a", &[level], &[("units", "m")]),
        var("orog", &[y, x], &[("units", "m"), ("standard_name", "surface_altitude")]),
        var("lat", &grid, &[("units", "degrees_north"), ("standard_name", "latitude")]),
        var("lon", &grid, &[("units", "degrees_east"), ("standard_name", "longitude")]),
        t,
        var("spread", &grid, &[("units", "K"), ("standard_name", "air_temperature standard_error")]),
    ];
    let path = folder.join(format!("{conventions}.nc"));
    let root = [("Conventions", conventions)];
    common::create_with(&path, OutputFormat::NetCdf4, &root, &dims, &vars);
    path
}

/// The attributes of a variable of what a command writes; `None` where there is no such variable.
fn after(input: &Path, command: &str, words: &[&str]) -> impl Fn(&str) -> Option<Attrs> + use<> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.nc");
    let (input, path) = (input.to_str().unwrap(), out.to_str().unwrap());
    let first: &[&str] = if command == "calc" { &words[..1] } else { &[] };
    let all = [&[command, "--quiet"], first, &[input, "-o", path], &words[first.len()..]].concat();
    Command::cargo_bin("aosx").unwrap().args(all).assert().success();
    let dataset = Dataset::open(&out).unwrap();
    move |name| {
        let _ = &folder;
        dataset.root().var(name).map(|var| var.attrs.clone())
    }
}

fn text(attrs: Option<Attrs>, name: &str) -> Option<String> {
    attrs.expect("the variable is there").get(name).and_then(Value::text).map(str::to_string)
}

#[test]
fn scalars_have_an_axis_where_the_conventions_allow_it() {
    let folder = tempfile::tempdir().unwrap();
    for (conventions, wanted) in [("CF-1.5", None), ("CF-1.8", Some("T"))] {
        let input = made(folder.path(), conventions);
        for (command, words) in [
            ("reduce", &["--var", "t", "--op", "mean", "--axis", "time"][..]),
            ("select", &["--isel", "time=0"]),
            ("calc", &["a = t[time=0]"]),
        ] {
            let out = after(&input, command, words);
            assert_eq!(text(out("time"), "axis").as_deref(), wanted, "{conventions} {command}");
        }
        let kept = after(&input, "reduce", &["--var", "t", "--op", "mean", "--axis", "time", "--keepdims"]);
        assert_eq!(text(kept("time"), "axis").as_deref(), Some("T"), "it is still a dimension");
    }
}

#[test]
fn results_are_called_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let input = made(folder.path(), "CF-1.8");
    let ops = ["reduce", "std", "count", "argmax", "prod", "nunique"];
    let out = after(&input, "reduce", &["--var", "t", "--op", &ops[1..].join(","), "--axis", "time,y,x"]);
    let of = |op: &str, name: &str| text(out(&format!("t_{op}")), name);
    assert_eq!(of("std", "standard_name").as_deref(), Some("air_temperature"));
    assert_eq!(of("std", "cell_methods").as_deref(), Some("time: mean time: area: standard_deviation"));
    assert_eq!(of("count", "standard_name").as_deref(), Some("number_of_observations"), "since CF 1.7");
    assert_eq!(of("count", "long_name").as_deref(), Some("number of values over time, area of air temperature"));
    for (op, what) in
        [("argmax", "position of the maximum"), ("prod", "product"), ("nunique", "number of different values")]
    {
        assert_eq!(of(op, "standard_name"), None);
        assert_eq!(of(op, "long_name"), Some(format!("{what} over time, area of air temperature")));
    }
    let old = after(&made(folder.path(), "CF-1.6"), "calc", &["n = count(t, time); s = spread * 1; r = sqrt(t)"]);
    assert_eq!(text(old("n"), "standard_name").as_deref(), Some("air_temperature number_of_observations"));
    assert_eq!(text(old("r"), "long_name").as_deref(), Some("sqrt(t)"), "a root has no name of its own");
    let kept = after(&input, "reduce", &["--var", "spread", "--op", "mean", "--axis", "x"]);
    assert_eq!(text(kept("spread"), "standard_name").as_deref(), Some("air_temperature standard_error"));
}

#[test]
fn anomalies_are_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let input = made(folder.path(), "CF-1.8");
    let program = "a = t - clim(t, time.month); b = anom(t, time.season); c = t - mean(t, time); d = t - min(t, time, by=time.month)";
    let out = after(&input, "calc", &[program]);
    for (name, standard) in
        [("a", Some("air_temperature_anomaly")), ("b", Some("air_temperature_anomaly")), ("c", None), ("d", None)]
    {
        assert_eq!(text(out(name), "standard_name").as_deref(), standard, "{name}");
        assert_eq!(text(out(name), "units_metadata").as_deref(), Some("temperature: difference"), "{name}");
    }
}

#[test]
fn what_is_gone_is_not_named() {
    let folder = tempfile::tempdir().unwrap();
    let input = made(folder.path(), "CF-1.8");
    let flat = after(&input, "reduce", &["--var", "t", "--op", "mean", "--axis", "y,x"]);
    assert!(flat("orog").is_none());
    let level = flat("level");
    assert_eq!(text(level.clone(), "formula_terms"), None);
    assert_eq!(text(level, "computed_standard_name"), None, "nothing computes it any more");
    let bins = after(&input, "reduce", &["--var", "t", "--op", "mean", "--by", "level(-1,0,5)"]);
    assert!(bins("level").is_none());
    assert_eq!(text(bins("level_bins"), "axis").as_deref(), Some("Z"));
    let times = after(&input, "reduce", &["--var", "t", "--op", "mean", "--by", "level,time"]);
    assert_eq!(text(times("time"), "calendar").as_deref(), Some("360_day"), "of the labels");
    let months = after(&input, "reduce", &["--var", "t", "--op", "mean", "--by", "level(-1,0,5)", "--axis", "time"]);
    let named = text(months("t"), "coordinates").unwrap();
    assert!(named.split(' ').all(|name| months(name).is_some()), "{named}");
}

#[test]
fn labels_keep_the_cells_that_they_have() {
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tables/in.nc");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("rows.nc");
    let words = ["--var", "t", "--op", "mean", "--by", "lat", "-o", out.to_str().unwrap()];
    Command::cargo_bin("aosx").unwrap().args(["reduce", input.to_str().unwrap(), "-q"]).args(words).assert().success();
    let rows = Dataset::open(&out).unwrap();
    assert_eq!(rows.variable("lat").unwrap().attrs.text("bounds"), Some("lat_bnds"));
    assert_eq!(rows.numbers("lat").unwrap(), [-60.0, -30.0, 0.0, 30.0, 60.0]);
    let wanted = [-60.0, -30.0, 0.0, 30.0, 60.0].map(|lat| [lat - 15.0, lat + 15.0]);
    let bounds = rows.numbers("lat_bnds").unwrap();
    assert!(bounds.chunks(2).zip(wanted).all(|(cell, [a, b])| cell == [a, b] || cell == [b, a]), "{bounds:?}");
}

/// As WRF has it: dates that are called otherwise than the dimension that they lie along.
#[test]
fn dates_need_not_be_called_like_their_dimension() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrf.nc");
    let dims = [common::dim("Time", 8), common::dim("x", 2)];
    let doubles = |values: &mut dyn Iterator<Item = f64>| bytemuck::cast_slice(&values.collect::<Vec<_>>()).to_vec();
    let mut dates = common::var("XTIME", DType::F64, &dims[..1], None);
    said(&mut dates, &[("units", "hours since 2001-01-01")]);
    let mut t = common::var("t", DType::F64, &dims, None);
    said(&mut t, &[("coordinates", "XTIME")]);
    let hours = doubles(&mut (0..8).map(|k| f64::from(k * 6)));
    let vars = [(dates, hours), (t, doubles(&mut (0..16).map(f64::from)))];
    common::create(&path, OutputFormat::NetCdf4, &dims, &vars);
    for (command, words) in [
        ("reduce", &["--var", "t", "--op", "mean", "--resample", "1d"][..]),
        ("calc", &["t = mean(t, Time, every='1d')"]),
    ] {
        let out = folder.path().join("out.nc");
        let first: &[&str] = if command == "calc" { &words[..1] } else { &[] };
        let files = [path.to_str().unwrap(), "-o", out.to_str().unwrap()];
        let all = [&[command, "--quiet"], first, &files, &words[first.len()..]].concat();
        Command::cargo_bin("aosx").unwrap().args(all).assert().success();
        let days = Dataset::open(&out).unwrap();
        assert_eq!(days.numbers("t").unwrap(), [3.0, 4.0, 11.0, 12.0], "{command}");
        assert_eq!(days.numbers("XTIME").unwrap(), [0.0, 24.0], "{command}");
        assert_eq!(days.variable("t").unwrap().dims, ["XTIME", "x"], "{command}");
        assert_eq!(days.variable("t").unwrap().attrs.text("cell_methods"), Some("XTIME: mean"), "{command}");
        let bounds = days.variable("XTIME").unwrap().attrs.text("bounds").unwrap();
        assert_eq!(days.numbers(bounds).unwrap(), [0.0, 24.0, 24.0, 48.0], "{command}");
    }
}
