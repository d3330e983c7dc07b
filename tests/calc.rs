//! `aosx calc` as a user meets it: what it computes, what it writes, and what it says when something is wrong.
//!
//! Expected numbers are xarray's, printed by `fixtures/calc/make.py`.

use aosx::{
    budget::Budget,
    formats::{self, whole::read_all},
    units::Bytes,
};
use assert_cmd::Command;
use serde_json::Value;
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
fn run_in(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("aosx").unwrap();
    let output = command.args(args).env("SOURCE_DATE_EPOCH", "951782400").current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn calc(dir: &Path, args: &[&str]) -> String {
    let all: Vec<&str> = ["calc"].iter().chain(args).copied().collect();
    let (code, out, err) = run_in(dir, &all);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
    out
}

fn says(args: &[&str]) -> String {
    let dir = folder();
    let all: Vec<&str> = ["calc"].iter().chain(args).copied().collect();
    let (code, out, err) = run_in(dir.path(), &all);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
    err
}

fn info(dir: &Path, file: &str) -> Value {
    let (code, out, err) = run_in(dir, &["info", file, "--json"]);
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).unwrap()
}

fn values<T: bytemuck::Pod>(path: &Path, variable: &str) -> Vec<T> {
    let source = formats::open(path).unwrap().source(variable).unwrap();
    let block = read_all(&*source, &Budget::new(Bytes(1 << 26))).unwrap();
    bytemuck::pod_collect_to_vec(block.bytes())
}

fn close(got: &[f64], wanted: &[f64]) {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-8 * b.abs().max(1.0);
    assert!(got.len() == wanted.len() && got.iter().zip(wanted).all(near), "{got:?} is not {wanted:?}");
}

/// The header as `ncdump` would show it.
fn header(dir: &Path, file: &str) -> String {
    let (code, out, err) = run_in(dir, &["info", file, "--cdl"]);
    assert_eq!(code, Some(0), "{err}");
    out
}

#[test]
fn an_anomaly_has_the_values_and_the_attributes_of_one() {
    for out in ["anom.nc", "anom.zarr"] {
        let dir = folder();
        calc(dir.path(), &["anom = air - mean(air, time)", "air.nc", "-o", out]);
        let all: Vec<f64> = values(&dir.path().join(out), "anom");
        assert_eq!(all.len(), 124 * 11 * 21);
        close(&all[..3], &[0.76701613, 0.47072581, 0.58612903]);
        close(&all[all.len() - 2..], &[-3.26887097, -2.82580645]);
        let header = header(dir.path(), out);
        assert!(header.contains("double anom(time, lat, lon)"), "{header}");
        assert!(header.contains("anom:units = \"degK\""), "{header}");
        assert!(header.contains("anom:long_name = \"air - mean(air, time)\""), "not the input's: {header}");
        assert!(!header.contains("scale_factor"), "{header}");
        assert!(!header.contains("cell_methods"), "a difference is no mean: {header}");
        for coordinate in ["time", "lat", "lon"] {
            assert!(header.contains(&format!("float {coordinate}({coordinate})")), "{header}");
        }
        assert!(header.contains("aosx calc") && header.contains("2000-02-29T00:00:00Z"), "{header}");
        assert!(header.contains("4x daily NMC reanalysis"), "{header}");
    }
}

#[test]
fn statements_build_on_each_other_and_choose() {
    let dir = folder();
    let program = "_v = air * 2; speed = sqrt(air**2 + _v**2); hot = where(air > 273.15, air, nan); n = count(hot)";
    calc(dir.path(), &[program, "air.nc", "-o", "out.nc"]);
    let out = dir.path().join("out.nc");
    let speed: Vec<f64> = values(&out, "speed");
    close(&speed[5 * 231 + 5 * 21..][..3], &[604.85638791, 604.63278112, 603.73835392]);
    let hot: Vec<f64> = values(&out, "hot");
    assert_eq!(hot.iter().filter(|x| !x.is_nan()).count(), 10967);
    assert_eq!(values::<i64>(&out, "n"), [10967]);
    let header = header(dir.path(), "out.nc");
    assert!(!header.contains(" _v("), "{header}");
    assert!(!header.contains("speed:units"), "a root of squares has other units: {header}");
    assert!(header.contains("hot:units = \"degK\"") && header.contains("hot:long_name"), "{header}");
}

#[test]
fn chunks_and_filters_are_those_asked_for() {
    let dir = folder();
    let args = ["air = air - 273.15; air.units = 'degC'", "air.nc", "--chunks", "time=1,lat=all", "--codec"];
    let with = |codec: &str, out: &str| {
        calc(dir.path(), &[&args[..], &[codec, "-o", out]].concat());
        info(dir.path(), out).to_string()
    };
    let netcdf = with("shuffle,deflate:1", "out.nc");
    assert!(
        netcdf.contains("[1,11,21]") && netcdf.contains("\"deflate\"") && netcdf.contains("\"shuffle\""),
        "{netcdf}"
    );
    let zarr = with("zstd:5", "out.zarr");
    assert!(zarr.contains("[1,11,21]") && zarr.contains("\"zstd\""), "{zarr}");
    for out in ["out.nc", "out.zarr"] {
        close(&values::<f64>(&dir.path().join(out), "air")[..3], &[-14.95, -14.95, -14.45]);
        assert!(header(dir.path(), out).contains("air:units = \"degC\""));
    }
    let plain = with("none", "plain.nc");
    assert!(!plain.contains("deflate"), "{plain}");
    // Dimensions of another length are called otherwise in the output, and asked for by their own name.
    let parts = ["a = air; b = air[:, 0:4]", "air.nc", "--chunks", "lat=3", "-o", "parts.nc"];
    calc(dir.path(), &parts);
    let parts = info(dir.path(), "parts.nc").to_string();
    assert!(parts.contains("lat_1") && parts.matches(",3,").count() == 2, "{parts}");
}

#[test]
fn a_reduction_says_so_in_cell_methods() {
    let dir = folder();
    calc(dir.path(), &["m = mean(air, time, lon); s = std(air, axis=0, ddof=1)", "air.nc", "-o", "out.nc"]);
    let header = header(dir.path(), "out.nc");
    assert!(header.contains("m(lat)") && header.contains("m:cell_methods = \"time: lon: mean\""), "{header}");
    assert!(header.contains("s:cell_methods = \"time: standard_deviation\""), "{header}");
    assert!(!header.contains("float time("), "nothing has times any more: {header}");
}

/// Coordinates of one place are those of what they are of.
#[test]
fn places_that_differ_have_names_of_their_own() {
    let dir = folder();
    let open = |name: &str| aosx::dataset::Dataset::open(dir.path().join(name)).unwrap();
    let places = |file: &str, variables: &[&str]| -> Vec<Option<f64>> {
        let dataset = open(file);
        let named = |name: &&str| dataset.root().var(name).unwrap().attrs.text("coordinates").map(str::to_string);
        variables.iter().map(|name| named(name).map(|at| dataset.numbers(&at).unwrap()[0])).collect()
    };
    let time = open("air.nc").numbers("time").unwrap();
    let program = "a = air[time=0]; b = air[time=5]; c = air[time=5] - air[time=0]; d = b * 2";
    calc(dir.path(), &[program, "air.nc", "-o", "out.nc"]);
    assert_eq!(places("out.nc", &["a", "b", "c", "d"]), [Some(time[0]), Some(time[5]), None, Some(time[5])]);
    calc(dir.path(), &["a = air[time=3]; d = air", "air.nc", "-o", "out.nc"]);
    assert_eq!(places("out.nc", &["a"]), [Some(time[3])], "beside all times");
    // Of two files, as heights of 2 m and 10 m.
    for (at, name) in [("0", "t"), ("5", "u"), ("0", "w"), ("5", "v")] {
        calc(dir.path(), &[&format!("{name} = air[time={at}]"), "air.nc", "-o", &format!("{name}.nc")]);
    }
    calc(dir.path(), &["s = t.t + u.u; t = t.t; u = u.u; w = t.t + w.w", "t.nc", "u.nc", "w.nc", "-o", "out.nc"]);
    let wanted = [None, Some(time[0]), Some(time[5]), Some(time[0])];
    assert_eq!(places("out.nc", &["s", "t", "u", "w"]), wanted);
    assert_eq!(run_in(dir.path(), &["merge", "t.nc", "u.nc", "w.nc", "v.nc", "-o", "all.nc"]).0, Some(0));
    assert_eq!(places("all.nc", &["t", "u", "w", "v"]), [time[0], time[5], time[0], time[5]].map(Some));
    assert_eq!(open("all.nc").root().vars.iter().filter(|v| v.name().starts_with("time")).count(), 2);
    // What is along dimensions has the coordinates of its own file.
    assert_eq!(run_in(dir.path(), &["select", "air.nc", "--isel", "lat=::-1", "-o", "flipped.nc"]).0, Some(0));
    calc(dir.path(), &["a = air.air; f = flipped.air", "air.nc", "flipped.nc", "-o", "out.nc"]);
    let out = open("out.nc");
    assert_eq!(out.root().var("f").unwrap().dims, ["time", "lat_1", "lon"]);
    assert_eq!(out.numbers("lat_1").unwrap(), open("flipped.nc").numbers("lat").unwrap());
}

/// The times that groups cover are there for each output, beside those of bins and of the input.
#[test]
fn groups_of_several_outputs_have_times_of_their_own() {
    let dir = folder();
    let program = "c = clim(air, time.hour); s = std(air, time, by=time.hour); d = mean(air, time, every='1d'); \
                   e = mean(air, time, by=time.dayofyear)";
    for (before, behind, bins, beside) in [
        ("", "", "time", ["time_1", "time_2"]),
        ("a = air; ", "", "time_1", ["time_2", "time_3"]),
        ("", "; a = air", "time", ["time_2", "time_3"]),
    ] {
        let more = format!("{before}{behind}");
        calc(dir.path(), &[&format!("{before}{program}{behind}"), "air.nc", "-o", "out.nc"]);
        let out = aosx::dataset::Dataset::open(dir.path().join("out.nc")).unwrap();
        let var = |name: &str| out.root().var(name).unwrap_or_else(|| panic!("no {name}")).clone();
        assert_eq!(var("d").dims[0], bins);
        assert_eq!((var(bins).dims, var(bins).shape), (vec![bins.to_string()], [31][..].into()));
        assert!(var(&format!("{bins}_bnds")).dims == [bins, "bnds"]);
        let mut bounds = Vec::new();
        for (output, key, time) in [("c", "hour", beside[0]), ("s", "hour", beside[0]), ("e", "dayofyear", beside[1])] {
            assert_eq!(var(output).attrs.text("coordinates"), Some(time), "{output}{more}");
            assert_eq!(var(time).dims, [key], "{output}{more}");
            let climatology = var(time).attrs.text("climatology").unwrap().to_string();
            assert_eq!(var(&climatology).dims, [key, "bnds"]);
            bounds.push(climatology);
        }
        assert!(bounds[0] == bounds[1] && bounds[1] != bounds[2], "{bounds:?}");
    }
    // Where the input's times have bounds too.
    calc(dir.path(), &["air = mean(air, time, every='1d')", "air.nc", "-o", "days.nc"]);
    calc(dir.path(), &["d = mean(air, time, every='5d'); a = air", "days.nc", "-o", "out.nc"]);
    let out = aosx::dataset::Dataset::open(dir.path().join("out.nc")).unwrap();
    for (time, n) in [("time", 7), ("time_1", 31)] {
        let bounds = out.root().var(time).unwrap().attrs.text("bounds").unwrap();
        assert_eq!(out.root().var(bounds).unwrap().shape, [n, 2][..].into());
    }
}

#[test]
fn windows_and_running_sums_go_along_time() {
    let dir = folder();
    let program = "m = rolling(air, time, 20); w = rolling(air, time, 5, \"max\", center=true, min_count=1); \
                   c = cumsum(air, time)";
    calc(dir.path(), &[program, "air.nc", "-o", "out.nc"]);
    let of = |name: &str| values::<f64>(&dir.path().join("out.nc"), name);
    let (m, w, c, slab) = (of("m"), of("w"), of("c"), 11 * 21);
    assert_eq!(m.iter().filter(|x| !x.is_nan()).count(), 24255);
    close(&m[19 * slab..19 * slab + 2], &[262.113, 262.3335]);
    close(&m[m.len() - 2..], &[277.664, 277.9395]);
    close(&w[3 * 21..3 * 21 + 2], &[264.0, 263.4]);
    close(&w[w.len() - 2..], &[277.2, 277.89]);
    close(&c[123 * slab + 5 * 21..][..2], &[33442.2, 33336.46]);
    let header = header(dir.path(), "out.nc");
    assert!(
        header.contains("m(time, lat, lon)")
            && header.contains("m:cell_methods = \"time: mean (window of 20 values)\""),
        "{header}"
    );
    let wrong = says(&["x = rolling(air, time, 0)", "air.nc"]);
    assert!(wrong.contains("window is 1 or more"), "{wrong}");
    assert!(says(&["x = rolling(air, time, 3, \"argmin\")", "air.nc"]).contains("argmin of windows"));
    assert!(
        calc(dir.path(), &["x = rolling(air, time, 3)", "air.nc", "--explain"]).contains("rolling mean along axis 0")
    );
}

#[test]
fn options_of_reductions_count() {
    let dir = folder();
    let print = |program: &str| calc(dir.path(), &[program, "made.nc", "--format", "csv"]);
    let last = |text: String| text.lines().last().unwrap().to_string();
    assert_eq!(last(print("x = max(whole_i1, keepdims=true) - max(whole_i1)")).rsplit(',').next(), Some("0"));
    assert!(print("x = sum(packed, skipna=false)").to_lowercase().trim_end().ends_with("nan"));
    assert!(!print("x = sum(packed)").to_lowercase().contains("nan"));
    assert!(print("x = sum(packed, min_count=1000)").to_lowercase().contains("nan"));
}

#[test]
fn parts_take_their_coordinates_along() {
    let dir = folder();
    calc(dir.path(), &["p = air[time=0:4:2, lat=-1, lon=:2]; all = air", "air.nc", "-o", "out.nc"]);
    let out = dir.path().join("out.nc");
    close(&values::<f64>(&out, "p"), &[289.7, 291.1, 281.9, 283.9]);
    let header = header(dir.path(), "out.nc");
    assert!(header.contains("p(time, lon)") && header.contains("all(time_1, lat, lon_1)"), "{header}");
    let times: Vec<f32> = values(&out, "time");
    assert_eq!(times[1] - times[0], 12.0);
    assert_eq!(values::<f32>(&out, "time_1").len(), 124);
}

#[test]
fn several_inputs_are_called_by_their_names() {
    let dir = folder();
    std::fs::copy(dir.path().join("air.nc"), dir.path().join("b.nc")).unwrap();
    let by_stem = calc(dir.path(), &["d = max(air.air - b.air)", "air.nc", "b.nc", "--format", "csv"]);
    let by_name =
        calc(dir.path(), &["d = max(x.air - y.air)", "--in", "x=air.nc", "--in", "y=b.nc", "--format", "csv"]);
    assert_eq!(by_stem, by_name);
    assert_eq!(by_stem.trim_end().rsplit(['\n', ',']).next(), Some("0.0"));
}

#[test]
fn sums_of_products_are_those_of_einstein() {
    let dir = folder();
    let program = "e = einsum('tyx,tyx->yx', air, air); s = sum(air ** 2, time); every = sum(air ** 2); \
                   d = tensordot(air, air, [[time, lat, lon], [time, lat, lon]]); n = tensordot(air, air, 3)";
    calc(dir.path(), &[program, "air.nc", "-o", "out.nc"]);
    let of = |name: &str| values::<f64>(&dir.path().join("out.nc"), name);
    close(&of("e"), &of("s"));
    close(&of("d"), &of("every"));
    assert_eq!(of("d").len(), 1);
    close(&of("n"), &of("every"));
    let err = says(&["e = einsum('tyx,tx->yx', air, air)", "air.nc"]);
    assert!(err.contains("'tx' for an array of 3 dimensions"), "{err}");
    let err = says(&["d = tensordot(air, air, [time])", "air.nc"]);
    assert!(err.contains("two lists of dimensions") && err.contains('^'), "{err}");
    assert!(says(&["d = tensordot(air, air, -1)", "air.nc"]).contains("not negative"));
}

#[test]
fn mistakes_have_a_caret() {
    let cases = [
        ("x = aif - 1", "no variable 'aif'; did you mean air?\n  x = aif - 1\n      ^^^"),
        ("x = mean(air, tiem)", "no dimension 'tiem'; did you mean time?\n  x = mean(air, tiem)\n                ^^^^"),
        ("x = maen(air)", "no function 'maen'; did you mean mean?\n  x = maen(air)\n      ^^^^"),
        ("x = std(air, dof=1)", "no argument of std is named 'dof'; did you mean ddof?"),
        ("x = air & 1", "\n  x = air & 1\n      ^^^^^^^"),
        ("x = air[time=999]", "\n  x = air[time=999]\n      ^^^^^^^^^^^^^"),
        ("x = air + 'a'", "text is no value to compute with\n  x = air + 'a'\n            ^^^"),
        ("_x = air", "nothing is computed that is kept; names that begin with '_' are left out\n  _x = air\n  ^^"),
        ("x = air; y.units = 'K'", "no output 'y'; there is x\n"),
        ("x = air; x.scale_factor = 2", "'scale_factor' says how values are stored"),
        (
            "x = air[time=0:5] + air[time=0:6]",
            "dimension 'time' has lengths 5 and 6\n  x = air[time=0:5] + air[time=0:6]\n      ^",
        ),
        ("x = ", "\n  x = \n"),
    ];
    for (program, expected) in cases {
        let said = says(&[program, "air.nc"]);
        assert!(said.contains(expected), "{said}");
    }
    let said = says(&["x = made.whole_i1 + air.air[time=:9]", "air.nc", "made.nc", "-o", "x.nc", "--codec", "zip"]);
    assert!(said.contains("no codec 'zip' in this format; there are none, "), "{said}");
    assert!(says(&["x = air", "air.nc", "made.nc"]).contains("'air' is an input; its variables are air.t"));
    assert!(says(&["x = packed", "air.nc", "made.nc"]).contains("'packed' of which input?; write made.packed"));
    let dashed = says(&["x = packed", "air.nc", "--in", "run-1=made.nc"]);
    assert!(dashed.contains("'packed' of which input?; write `run-1`.packed"), "{dashed}");
    assert!(says(&["x = air", "air.nc", "--chunks", "tiem=1"]).contains("tiem"));
    assert!(says(&["x = air", "air.nc", "-o", "air.nc"]).contains("air.nc"));
    assert!(says(&["x = air.air", "air.nc", "./air.nc"]).contains("two inputs are called 'air'"));
    assert!(says(&["x = 1"]).contains("no input"));
}

#[test]
fn functions_are_listed_and_plans_explained() {
    let dir = folder();
    let list = calc(dir.path(), &["--functions"]);
    assert!(list.contains("std(x, dims..., by=None, every=None, ddof=0") && list.contains("\n  pi  "), "{list}");
    let plan = calc(dir.path(), &["anom = air - mean(air, time)", "air.nc", "--explain", "--memory", "1GiB"]);
    assert!(plan.contains("anom"), "{plan}");
}

/// Two results of one pass name the same source: its chunks are kept for both.
#[test]
fn what_a_pass_names_twice_is_read_once() {
    let dir = folder();
    let maps = ["convert", "air.nc", "--chunks", "time=1", "--codec", "shuffle,deflate:1", "-o", "maps.nc"];
    assert_eq!(run_in(dir.path(), &maps).0, Some(0));
    let program = "a = mean(air * 2, lon); b = mean(air * air, lon)";
    let plan = calc(dir.path(), &[program, "maps.nc", "--explain", "--memory", "1GiB"]);
    assert!(plan.contains("fold mean, mean over") && !plan.contains("cut anew"), "{plan}");
}
