//! `aosx reduce` as a user meets it: what it prints, what it writes, and what it says when something is wrong.

mod common;

use aosx::{
    budget::Budget,
    dtype::DType,
    formats::{self, OutputFormat, whole::read_all},
    units::Bytes,
};
use assert_cmd::Command;
use common::dim;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};
use tempfile::TempDir;

/// A folder with the small real file and the made one, as `air.nc` and `made.nc`.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for (from, to) in [
        ("air.nc", "air.nc"),
        ("golden/made.nc", "made.nc"),
        ("formats-hdf5/unknown_filter.h5", "unknown_filter.h5"),
        ("formats-hdf5/types.h5", "types.h5"),
    ] {
        std::fs::copy(fixtures.join(from), dir.path().join(to)).unwrap();
    }
    dir
}

/// What a run left: its exit code and what it printed.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run_in(dir: &Path, line: &str) -> Run {
    let output = Command::cargo_bin("aosx")
        .unwrap()
        .args(line.split_whitespace())
        .env("SOURCE_DATE_EPOCH", "951782400")
        .current_dir(dir)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn printed(line: &str) -> String {
    let run = run_in(folder().path(), line);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{line}");
    run.out
}

fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

#[test]
fn results_print_as_xarray_shows_them() {
    insta::assert_snapshot!(printed("reduce air.nc --op mean --axis time"));
}

#[test]
fn several_operations_print_under_their_names() {
    insta::assert_snapshot!(printed("reduce made.nc --var packed --op std,argmax,count --axis t,y --ddof 1"));
}

#[test]
fn csv_has_a_line_for_each_value() {
    insta::assert_snapshot!(printed("reduce made.nc --var packed --op min --axis t --format csv"));
}

#[test]
fn json_has_all_values() {
    let all: Value = serde_json::from_str(&printed("reduce air.nc --op max --axis time,lon --format json")).unwrap();
    assert_eq!((&all["name"], &all["dims"], &all["shape"]), (&json!("air"), &json!(["lat"]), &json!([11])));
    assert_eq!(all["dtype"], "float64");
    assert_eq!(all["attrs"]["cell_methods"], "time: lon: maximum");
    let two = printed("reduce air.nc --op max,min --axis all --format json");
    let two: Value = serde_json::from_str(&two).unwrap();
    assert_eq!((&two[0]["name"], &two[1]["name"]), (&json!("air_max"), &json!("air_min")));
}

#[test]
fn a_plan_prints_as_a_tree_with_its_cost() {
    let text = printed("reduce air.nc --op max,std --axis time --explain --threads 2 --memory 1GiB");
    // What the process itself takes differs from machine to machine.
    insta::assert_snapshot!(text.rsplit_once(", limit ").unwrap().0);
}

#[test]
fn dimensions_stay_when_asked_to() {
    let text = printed("reduce air.nc --op mean --axis time --keepdims");
    assert!(text.starts_with("<air (time: 1, lat: 11, lon: 21) float64> units: degK\n"), "{text}");
    assert!(text.contains("* time  (time) 2014-10-16T09:00:00\n"), "{text}");
}

fn values(options: &str) -> Vec<Option<f64>> {
    let line = format!("reduce made.nc --var packed --axis t,y --format json {options}");
    let all: Value = serde_json::from_str(&printed(&line)).unwrap();
    let field = ["data", "values"].iter().find_map(|f| all.get(f)).unwrap_or_else(|| panic!("{all}"));
    field.as_array().unwrap().iter().map(Value::as_f64).collect()
}

#[test]
fn missing_values_are_skipped_unless_they_are_to_count() {
    let counts = values("--op count");
    assert!(counts.iter().all(|n| n.unwrap() < 36.0), "{counts:?}");
    assert!(values("--op sum").iter().all(Option::is_some));
    assert!(values("--op sum --keepna").iter().all(Option::is_none));
    let least = counts.iter().map(|n| n.unwrap() as u64).min().unwrap();
    let kept = values(&format!("--op sum --min-count {}", least + 1));
    for (count, value) in counts.iter().zip(kept) {
        assert_eq!(count.unwrap() as u64 > least, value.is_some());
    }
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let dir = folder();
    std::fs::write(dir.path().join("text.nc"), "hello").unwrap();
    for (line, code, says) in [
        ("air.nc --op mean --axis time --var aix", 2, "air.nc: no variable 'aix'; it has air"),
        ("air.nc --op mean --axis tine", 2, "air.nc: no dimension 'tine'; it has time"),
        ("air.nc --op mean --axis 3 --var air", 2, "no dimension '3'; it has "),
        ("air.nc --op meen --axis time", 2, "no operation 'meen'; there are mean, "),
        ("air.nc --op mean,mean --axis time", 2, "--op names mean twice"),
        ("no.nc --op mean --axis time", 1, "no.nc: open: No such file or directory"),
        ("text.nc --op mean --axis time", 1, "text.nc: not a NetCDF, HDF5 or Zarr file (it is text)"),
        ("air.nc --op mean --axis time -o air.nc", 2, "air.nc: the output is also an input"),
        ("air.nc --op mean --axis time -o ../X/air.nc", 2, "the output is also an input"),
        ("air.nc --op mean --axis time -o out.grib", 2, "out.grib: the output's name says no format"),
        ("air.nc --op mean --axis time -o out.nc --format nc9", 2, "no file format 'nc9'; there are nc4, nc3"),
        ("air.nc --op mean --axis time --format nc4", 2, "--format nc4 needs -o FILE"),
        ("air.nc --op mean --axis time -o no/such/out.nc", 1, "no/such/out.nc: "),
        (
            "unknown_filter.h5 --op mean --axis all",
            3,
            "unknown_filter.h5: variable 'v': HDF5 filter 40000 is not supported",
        ),
        ("air.nc --op mean --axis time --threads 0", 2, "invalid value '0' for '--threads <N>'"),
        ("air.nc --op mean --axis time --memory lots", 2, "invalid value 'lots' for '--memory <SIZE>'"),
        ("air.nc --op mean --axis time --memory 1MiB", 2, "the program itself needs at least "),
        ("air.nc --op mean", 2, "--axis"),
    ] {
        let here = dir.path().file_name().unwrap().to_str().unwrap();
        let run = run_in(dir.path(), &format!("reduce {}", line.replace('X', here)));
        assert_eq!(run.code, Some(code), "{line}: {}", run.err);
        assert!(run.err.contains(says), "{line}: {}", run.err);
        assert!(run.out.is_empty() && !run.err.contains("panicked"), "{line}");
    }
    assert!(!names(dir.path()).iter().any(|n| n.starts_with("out") || n.starts_with('.')), "{:?}", names(dir.path()));
}

#[test]
fn what_holds_no_numbers_is_refused() {
    let dir = folder();
    let root = formats::open(&dir.path().join("types.h5")).unwrap().root().clone();
    let other = root.all_vars().into_iter().find(|v| v.stored.dtype().is_none()).unwrap();
    let run = run_in(dir.path(), &format!("reduce types.h5 --op mean --axis all --var {}", other.path));
    assert!(matches!(run.code, Some(1 | 2)), "{}", run.err);
    assert!(run.err.contains("data cannot be reduced; choose a numeric variable with --var"), "{}", run.err);
}

/// One chunk of 24 MiB.
fn large_chunk(dir: &Path) {
    let dims = [dim("y", 1 << 10), dim("x", 3 << 10)];
    let v = common::var("v", DType::F64, &dims, Some(&[1 << 10, 3 << 10]));
    let bytes = (0..3u32 << 20).flat_map(|n| f64::from(n % 1000).to_ne_bytes()).collect();
    common::create(&dir.join("large.nc"), OutputFormat::NetCdf4, &dims, &[(v, bytes)]);
}

#[test]
fn too_little_memory_is_said_and_what_is_asked_for_does() {
    let dir = folder();
    large_chunk(dir.path());
    for (file, little, output) in [
        ("large.nc", "40MiB", ""),
        ("large.nc", "40MiB", "-o out.nc"),
        ("large.nc", "40MiB", "-o out.zarr"),
        ("air.nc", "2MiB", "-o air2.nc"),
    ] {
        let line = |memory: &str| format!("reduce {file} --op mean,std --axis 0 {output} --memory {memory}");
        let run = run_in(dir.path(), &line(little));
        assert_eq!(run.code, Some(2), "{}", run.err);
        assert!(run.err.contains(&format!("the limit is {little}")), "{}", run.err);
        let need = run.err.split("give --memory ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        let again = run_in(dir.path(), &line(need));
        assert_eq!(again.code, Some(0), "{file} {output} with {need}: {}", again.err);
    }
}

#[test]
fn a_file_that_is_cut_short_leaves_the_old_output() {
    let dims = [dim("t", 40), dim("x", 5000)];
    let bytes: Vec<u8> = (0..200_000u64).flat_map(|n| (n as f64).sin().to_ne_bytes()).collect();
    for (format, file, chunk) in [
        (OutputFormat::NetCdf4, "in.nc", Some(&[3, 999][..])),
        (OutputFormat::NetCdf5, "in.nc", None),
        (OutputFormat::NetCdf3, "in.nc", None),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file);
        common::create(&path, format, &dims, &[(common::var("v", DType::F64, &dims, chunk), bytes.clone())]);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() * 2 / 3]).unwrap();
        std::fs::write(dir.path().join("out.nc"), "old").unwrap();
        for out in ["", "-o out.nc", "-o new.nc", "-o new.zarr"] {
            let run = run_in(dir.path(), &format!("reduce in.nc --op mean --axis t {out}"));
            assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{format:?} {out}: {}", run.err);
            assert!(run.err.starts_with("aosx: error: in.nc: "), "{}", run.err);
        }
        assert_eq!(std::fs::read_to_string(dir.path().join("out.nc")).unwrap(), "old");
        assert_eq!(names(dir.path()), ["in.nc", "out.nc"]);
    }
}

#[test]
fn a_broken_chunk_is_named() {
    let dims = [dim("t", 40), dim("x", 50)];
    let bytes: Vec<u8> = (0..2000u64).flat_map(|n| (n as f64).sqrt().to_ne_bytes()).collect();
    let dir = tempfile::tempdir().unwrap();
    let v = common::var("v", DType::F64, &dims, Some(&[10, 50]));
    common::create(&dir.path().join("in.zarr"), OutputFormat::Zarr3, &dims, &[(v, bytes)]);
    let chunk = dir.path().join("in.zarr/v/c/2/0");
    let whole = std::fs::read(&chunk).unwrap();
    std::fs::write(&chunk, &whole[..whole.len() / 2]).unwrap();
    let run = run_in(dir.path(), "reduce in.zarr --op mean --axis t -o out.nc");
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("in.zarr: variable 'v': chunk [2, 0]: "), "{}", run.err);
    assert_eq!(names(dir.path()), ["in.zarr"]);
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let dims = [dim("t", 2), dim("x", 200_000)];
    let v = common::var("v", DType::F64, &dims, None);
    common::create(&dir.path().join("in.nc"), OutputFormat::NetCdf5, &dims, &[(v, vec![0; 3_200_000])]);
    for format in ["csv", "json"] {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("aosx"))
            .args(["reduce", "in.nc", "--op", "mean", "--axis", "t", "--format", format])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{format}");
    }
}

fn info(path: &Path) -> Value {
    let run = run_in(path.parent().unwrap(), &format!("info --json {}", path.file_name().unwrap().to_str().unwrap()));
    assert_eq!(run.code, Some(0), "{}", run.err);
    serde_json::from_str(&run.out).unwrap()
}

fn variable<'a>(info: &'a Value, name: &str) -> &'a Value {
    let all = info["root"]["variables"].as_array().unwrap();
    all.iter().find(|v| v["path"] == name).unwrap_or_else(|| panic!("no {name} in {info}"))
}

fn attribute<'a>(of: &'a Value, name: &str) -> &'a Value {
    &of["attributes"][name]["value"]
}

fn doubles(path: &Path, variable: &str) -> Vec<f64> {
    let source = formats::open(path).unwrap().source(variable).unwrap();
    let block = read_all(&*source, &Budget::new(Bytes(1 << 24))).unwrap();
    block.bytes().chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().unwrap())).collect()
}

fn reduced(dir: &TempDir, options: &str, out: &str) -> (PathBuf, Value) {
    let run = run_in(dir.path(), &format!("reduce air.nc {options} -o {out}"));
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), "", ""), "{options}");
    let path = dir.path().join(out);
    let info = info(&path);
    (path, info)
}

#[test]
fn a_result_says_what_it_is() {
    let dir = folder();
    for out in ["out.nc", "out.zarr", "out.nc3"] {
        let (path, all) = reduced(&dir, "--var air --op mean --axis time", out);
        let air = variable(&all, "air");
        assert_eq!((&air["dtype"], &air["dimensions"]), (&json!("float64"), &json!(["lat", "lon"])), "{out}");
        assert_eq!(attribute(air, "cell_methods"), "time: mean", "{out}");
        assert_eq!(attribute(air, "coordinates"), "time", "{out}");
        assert_eq!(attribute(air, "units"), "degK", "{out}");
        for gone in ["scale_factor", "add_offset", "actual_range"] {
            assert!(air["attributes"].get(gone).is_none(), "{out}: {gone}");
        }
        let time = variable(&all, "time");
        assert_eq!((&time["shape"], attribute(time, "bounds")), (&json!([]), &json!("time_bnds")), "{out}");
        assert_eq!(variable(&all, "time_bnds")["shape"], json!([2]), "{out}");
        assert_eq!(doubles(&path, "time_bnds"), [1_882_440.0, 1_883_178.0], "{out}");
        assert_eq!(doubles(&path, "time"), [1_882_809.0], "{out}");
        assert_eq!(variable(&all, "lat")["shape"], json!([11]), "{out}");
        let history = attribute(&all["root"], "history").as_str().unwrap().to_string();
        let line = format!("2000-02-29T00:00:00Z: aosx reduce air.nc --var air --op mean --axis time -o {out}");
        assert_eq!(history.lines().next(), Some(line.as_str()), "{out}");
    }
}

#[test]
fn results_are_stored_as_asked() {
    let dir = folder();
    let options = "--var air --op mean --axis lon --codec shuffle,deflate:9 --chunks time=31,lat=all --dtype f32";
    let (path, all) = reduced(&dir, options, "out.nc");
    let air = variable(&all, "air");
    assert_eq!((&air["dtype"], &air["chunk"]), (&json!("float32"), &json!([31, 11])));
    let codecs: Vec<_> =
        air["codecs"].as_array().unwrap().iter().map(|c| (c["name"].clone(), c["level"].clone())).collect();
    assert_eq!(codecs, [(json!("shuffle"), json!(null)), (json!("deflate"), json!(9))]);
    let (plain, _) = reduced(&dir, "--var air --op mean --axis lon --codec none", "plain.nc");
    let source = formats::open(&path).unwrap().source("air").unwrap();
    let stored = read_all(&*source, &Budget::new(Bytes(1 << 24))).unwrap();
    let exact = doubles(&plain, "air");
    assert_eq!(exact.len(), 124 * 11);
    assert!(stored.bytes().chunks_exact(4).zip(&exact).all(|(a, b)| a == (*b as f32).to_ne_bytes()));
    let run = run_in(dir.path(), "reduce air.nc --op mean --axis lon --codec none");
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("--codec needs -o FILE"), "{}", run.err);
}

#[test]
fn units_and_names_follow_the_operation() {
    let dir = folder();
    let (_, all) = reduced(&dir, "--op var,std,count,argmax --axis lat,lon", "out.nc");
    let units = |name: &str| attribute(variable(&all, name), "units").clone();
    assert_eq!(units("air_var"), "degK2");
    assert_eq!(units("air_std"), "degK");
    assert_eq!(units("air_count"), "1");
    assert_eq!(units("air_argmax"), Value::Null);
    assert_eq!(attribute(variable(&all, "air_std"), "cell_methods"), "lat: lon: standard_deviation");
    assert_eq!(variable(&all, "air_count")["dtype"], "int64");
    assert_eq!(variable(&all, "air_std")["dimensions"], json!(["time"]));
}

#[test]
fn a_result_of_a_result_tells_the_whole_story() {
    let dir = folder();
    reduced(&dir, "--op mean --axis time", "one.nc");
    let run = run_in(dir.path(), "reduce one.nc --op max --axis lat -o two.nc");
    assert_eq!(run.code, Some(0), "{}", run.err);
    let all = info(&dir.path().join("two.nc"));
    assert_eq!(attribute(variable(&all, "air"), "cell_methods"), "time: mean lat: maximum");
    assert_eq!(attribute(variable(&all, "air"), "coordinates"), "time lat");
    let history = attribute(&all["root"], "history").as_str().unwrap().to_string();
    assert_eq!(history.lines().count(), 2, "{history}");
    assert!(history.starts_with("2000-02-29T00:00:00Z: aosx reduce one.nc"), "{history}");
    assert_eq!(doubles(&dir.path().join("two.nc"), "time_bnds"), [1_882_440.0, 1_883_178.0]);
}

#[test]
fn an_old_output_is_replaced_whole() {
    let dir = folder();
    for out in ["out.nc", "out.zarr"] {
        let (path, first) = reduced(&dir, "--op mean,max --axis time", out);
        assert!(first["root"]["variables"].as_array().unwrap().iter().any(|v| v["path"] == "air_max"));
        let (_, second) = reduced(&dir, "--op mean --axis time", out);
        assert!(!second["root"]["variables"].as_array().unwrap().iter().any(|v| v["path"] == "air_max"), "{out}");
        assert!(path.exists());
    }
    assert_eq!(names(dir.path()), ["air.nc", "made.nc", "out.nc", "out.zarr", "types.h5", "unknown_filter.h5"]);
}

#[test]
fn weights_leave_alone_what_has_none_of_their_dimensions() {
    let dir = tempfile::tempdir().unwrap();
    let dims = [common::dim("time", 2), common::dim("lat", 2), common::dim("y", 2)];
    let var = |name: &str, of: &[usize], values: &[f64]| {
        let dims: Vec<_> = of.iter().map(|&k| dims[k].clone()).collect();
        (common::var(name, DType::F64, &dims, None), bytemuck::cast_slice(values).to_vec())
    };
    let maps = var("t", &[0, 1], &[1.0, 4.0, 1.0, 4.0]);
    let mut all = vec![var("lat", &[1], &[0.0, 60.0]), maps, var("series", &[0], &[1.0, 5.0])];
    common::create(&dir.path().join("in.nc"), OutputFormat::NetCdf4, &dims, &all);
    let line = "reduce in.nc --weights cos-lat --op mean --axis all";
    let run = run_in(dir.path(), &format!("{line} -o out.nc"));
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let out = dir.path().join("out.nc");
    let file = formats::open(&out).unwrap();
    let method = |name: &str| file.root().var(name).unwrap().attrs.text("cell_methods").unwrap();
    assert_eq!(doubles(&out, "series"), [3.0]);
    assert!((doubles(&out, "t")[0] - 2.0).abs() < 1e-15);
    assert!(method("t").contains("weighted by cos-lat") && method("series") == "time: mean");
    // Who names it wants its weights, and dimensions of its own may be those of a map.
    let named = run_in(dir.path(), &format!("{line} --var series"));
    assert!(
        named.code == Some(2) && named.err.contains("'series'") && named.err.contains("no latitude"),
        "{}",
        named.err
    );
    all.push(var("projected", &[2], &[1.0, 2.0]));
    common::create(&dir.path().join("in.nc"), OutputFormat::NetCdf4, &dims, &all);
    let run = run_in(dir.path(), line);
    assert!(run.code == Some(2) && run.err.contains("'projected'"), "{}", run.err);
}
