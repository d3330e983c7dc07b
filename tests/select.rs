//! Parts of files as a user asks for them: what xarray selects (`fixtures/select/make.py`), and what is said when there
//! is nothing.

mod common;

use aosx::{dataset::Selection, prelude::*};
use assert_cmd::Command;
use proptest::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/select")
}

/// Exit code, what is printed, what is said.
fn run_in(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("aosx").unwrap();
    let output = command.args(args).env("SOURCE_DATE_EPOCH", "951782400").current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn says(args: &[&str]) -> String {
    let (code, out, err) = run_in(&fixtures(), &[&["info", "select.nc"], args].concat());
    assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
    err
}

/// A variable beside what xarray says of it, float32 to its last bit but one.
fn check(dataset: &Dataset, name: &str, wanted: &Value, what: &str) {
    let strings = |v: &Value| v.as_array().unwrap().iter().map(|s| s.as_str().unwrap().to_string()).collect();
    let dims: Vec<String> = strings(&wanted["dims"]);
    let meta = dataset.variable(name).unwrap();
    assert_eq!(meta.dims, dims, "{what}: {name}");
    if let Some(texts) = wanted.get("texts") {
        let all: Vec<String> = strings(texts);
        assert_eq!(dataset.texts(name).unwrap(), all, "{what}: {name}");
        return;
    }
    let values = dataset.numbers(name).unwrap();
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs().max(1e-3);
    let Some(all) = wanted.get("values") else {
        let shape: Vec<u64> = wanted["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        let missing = values.iter().filter(|x| x.is_nan()).count() as u64;
        assert_eq!((&*meta.shape, missing), (&*shape, wanted["missing"].as_u64().unwrap()), "{what}: {name}");
        let known = values.iter().enumerate().filter(|(_, x)| !x.is_nan());
        let sum: f64 = known.map(|(k, x)| x * (k % 97 + 1) as f64).sum();
        assert!(near(sum, wanted["weighted"].as_f64().unwrap()), "{what}: {name}: {sum}, not {}", wanted["weighted"]);
        return;
    };
    let all: Vec<f64> = all.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect();
    assert_eq!(values.len(), all.len(), "{what}: {name}");
    for (k, (a, b)) in values.iter().zip(&all).enumerate() {
        assert!(near(*a, *b) || (a.is_nan() && b.is_nan()), "{what}: {name}: value {k} is {a}, not {b}");
    }
}

fn cases() -> Vec<(Vec<String>, Value)> {
    let text = std::fs::read_to_string(fixtures().join("expected.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let args = |c: &Value| c["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_string()).collect();
    all.as_array().unwrap().iter().map(|c| (args(c), c["vars"].clone())).collect()
}

#[test]
fn parts_are_those_of_xarray() {
    let dir = tempfile::tempdir().unwrap();
    let input = fixtures().join("select.nc");
    let cases = cases();
    assert!(cases.len() > 20);
    for (n, (args, vars)) in cases.iter().enumerate() {
        // Every container takes parts.
        let out = ["out.nc", "out.zarr", "out.nc5"][n % 3];
        let mut all = vec!["select", input.to_str().unwrap(), "-o", out];
        all.extend(args.iter().map(String::as_str));
        let (code, printed, err) = run_in(dir.path(), &all);
        assert_eq!((code, printed.as_str()), (Some(0), ""), "{args:?}: {err}");
        let dataset = Dataset::open(dir.path().join(out)).unwrap();
        let what = args.join(" ");
        for (name, wanted) in vars.as_object().unwrap() {
            // Classic files have no strings.
            if out != "out.nc5" || wanted.get("texts").is_none() {
                check(&dataset, name, wanted, &what);
            }
        }
    }
}

/// A copy of a part says what the file says of it: packing, attributes, scalar coordinates.
#[test]
fn what_describes_a_part_follows() {
    let dir = tempfile::tempdir().unwrap();
    let input = fixtures().join("select.nc");
    let args =
        ["select", input.to_str().unwrap(), "-o", "a.nc", "--sel", "lev=850", "--isel", "time=1:4", "--var", "t"];
    assert_eq!(run_in(dir.path(), &args).0, Some(0));
    let part = Dataset::open(dir.path().join("a.nc")).unwrap();
    let names: Vec<&str> = part.root().vars.iter().map(|v| v.name()).collect();
    for name in ["t", "time", "time_bnds", "lev", "lat", "lon"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!names.contains(&"curved"), "only what was asked for, and what describes it");
    let t = part.variable("t").unwrap();
    assert_eq!(t.stored.dtype(), Some(DType::I16), "as it is packed");
    assert_eq!(t.attrs.text("coordinates"), Some("lev"));
    assert_eq!(t.attrs.text("cell_methods"), Some("time: mean"));
    assert!(t.storage.codecs.iter().any(|c| c.name == "deflate"));
    assert_eq!(part.variable("lev").unwrap().shape.len(), 0);
    let time = part.root().dims.iter().find(|d| d.name == "time").unwrap();
    assert!((time.len, time.unlimited) == (3, true));
    let history = part.root().attrs.text("history").unwrap();
    assert!(history.contains("--sel lev=850"), "{history}");
}

/// The same part, whichever command reads it.
#[test]
fn every_command_takes_parts() {
    let dir = tempfile::tempdir().unwrap();
    let input = fixtures().join("select.nc");
    let input = input.to_str().unwrap();
    let parts = ["--sel", "lat=-30:60", "--sel", "lon=-100:100", "--isel", "time=::2"];
    let run = |args: &[&str]| {
        let (code, out, err) = run_in(dir.path(), &[args, &parts].concat());
        assert_eq!(code, Some(0), "{args:?}: {err}");
        out
    };
    run(&["select", input, "-o", "part.nc"]);
    let plain = |args: &[&str]| {
        let (code, out, err) = run_in(dir.path(), args);
        assert_eq!(code, Some(0), "{args:?}: {err}");
        out
    };
    let mean = ["--var", "t", "--op", "mean,max", "--axis", "time,lat", "--format", "csv"];
    let here = run(&[&["reduce", input], &mean[..]].concat());
    assert_eq!(here, plain(&[&["reduce", "part.nc"], &mean[..]].concat()));
    let here = run(&["calc", "x = mean(t * 2, lon)", input, "--format", "csv"]);
    assert_eq!(here, plain(&["calc", "x = mean(t * 2, lon)", "part.nc", "--format", "csv"]));
    assert!(run(&["info", input]).contains("(time: 10 unlimited, lev: 4, lat: 4, lon: 5"));
    let (code, out, _) = run_in(dir.path(), &[&["diff", input, input], &parts[..]].concat());
    assert_eq!(code, Some(0), "{out}");
    let median = ["reduce", input, "--var", "t", "--op", "median", "--axis", "time", "--format", "csv"];
    assert_eq!(run(&median), plain(&[&["reduce", "part.nc"], &median[2..]].concat()));
}

/// What is inside coordinates of two dimensions is left, also of packed data, and the rest is missing.
#[test]
fn parts_of_curved_grids_are_masked_in_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let input = fixtures().join("select.nc");
    let args =
        ["reduce", input.to_str().unwrap(), "--var", "curved", "--op", "count", "--axis", "all", "--format", "csv"];
    let (_, all, _) = run_in(dir.path(), &args);
    assert!(all.contains("600"), "{all}");
    let (code, inside, err) =
        run_in(dir.path(), &[&args[..], &["--sel", "glat=45:58", "--sel", "glon=-10:5"]].concat());
    assert_eq!(code, Some(0), "{err}");
    let count: u64 = inside.trim().lines().last().unwrap().parse().unwrap();
    assert!(count > 0 && count < 600 && count.is_multiple_of(20), "{inside}");
}

/// Integers that can be missing are floats, and so are their flags.
#[test]
fn flags_have_the_type_of_what_is_masked() {
    let dir = tempfile::tempdir().unwrap();
    let input = fixtures().join("select.nc");
    let program = "curved = curved; curved.flag_values = [1, 2]; curved.flag_meanings = 'a b'";
    run_in(dir.path(), &["calc", program, input.to_str().unwrap(), "-o", "flags.nc"]);
    let (_, whole, _) = run_in(dir.path(), &["info", "flags.nc", "--cdl"]);
    assert!(whole.contains("curved:flag_values = 1, 2 ;"), "{whole}");
    run_in(dir.path(), &["select", "flags.nc", "--sel", "glat=45:58", "--sel", "glon=-10:5", "-o", "part.nc"]);
    let (_, part, err) = run_in(dir.path(), &["info", "part.nc", "--cdl"]);
    assert!(part.contains("double curved(") && part.contains("curved:flag_values = 1., 2. ;"), "{part}{err}");
}

#[test]
fn mistakes_say_what_there_is() {
    let note = says(&["--sel", "lev=860"]);
    assert!(
        note.contains("select.nc: 'lev': there is no 860; its neighbours are 850 and 1000; give --sel-method"),
        "{note}"
    );
    let note = says(&["--sel", "lat=100:120"]);
    assert!(note.contains("'lat': nothing lies between 100 and 120; it goes from -90 to 90"), "{note}");
    let note = says(&["--sel", "time=2005"]);
    assert!(note.contains("'time': nothing lies in 2005; it goes from 2000-02-27T00:00:00 to 2000-03-03"), "{note}");
    let note = says(&["--sel", "time=2000-02-29"]);
    assert!(note.contains("2000-02-29"), "no such day in this calendar: {note}");
    let note = says(&["--sel", "leV=850"]);
    assert!(note.contains("no dimension 'leV'; it has lev"), "{note}");
    let note = says(&["--sel", "y=3"]);
    assert!(note.contains("'y': the dimension has no coordinate; take positions, as --isel y=0:10"), "{note}");
    let note = says(&["--isel", "lev=4"]);
    assert!(note.contains("'lev': there is no position 4; it has 4"), "{note}");
    let note = says(&["--isel", "lev=1", "--sel", "lev=850"]);
    assert!(note.contains("two selections of the dimension 'lev'"), "{note}");
    let note = says(&["--sel", "station=Basel"]);
    assert!(note.contains("there is no 'Basel'; there are Bern, "), "{note}");
    let note = says(&["--sel", "glat=50"]);
    assert!(note.contains("it has two dimensions; give a range"), "{note}");
    let note = says(&["--sel", "glat=45:46", "--sel", "glon=300:310"]);
    assert!(note.contains("nothing lies between 300 and 310") || note.contains("no place is inside"), "{note}");
    let note = says(&["--sel", "lev=860", "--sel-method", "nearest", "--tolerance", "5"]);
    assert!(note.contains("nothing is within --tolerance 5"), "{note}");
    let note = says(&["--sel", "lat"]);
    assert!(note.contains("--sel lat: it is a name and what is wanted of it"), "{note}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    /// A part of a file is the part of its values, whatever its chunks, also of a part.
    #[test]
    fn selection_is_slicing(
        shape in prop::collection::vec(1u64..9, 3), chunk in prop::collection::vec(1u64..5, 3),
        picks in prop::collection::vec((0u8..4, 0u64..9, 0u64..9, 1i64..4), 3), twice in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.nc");
        let dims: Vec<_> = ["a", "b", "c"].iter().zip(&shape).map(|(name, n)| common::dim(name, *n)).collect();
        let count = shape.iter().product::<u64>() as i32;
        let values: Vec<i32> = (0..count).collect();
        let chunk: Vec<u64> = chunk.iter().zip(&shape).map(|(c, n)| *c.min(n)).collect();
        let var = common::var("x", DType::I32, &dims, Some(&chunk));
        common::create(&path, OutputFormat::NetCdf4, &dims, &[(var, bytemuck::cast_slice(&values).to_vec())]);
        let mut positions: Vec<Vec<u64>> = shape.iter().map(|n| (0..*n).collect()).collect();
        let mut selections = [Selection::new(), Selection::new()];
        let mut scalar = [false; 3];
        for (axis, (kind, from, to, step)) in picks.into_iter().enumerate() {
            let name = ["a", "b", "c"][axis];
            let rounds = if twice && kind < 3 { 2 } else { 1 };
            for selection in selections.iter_mut().take(rounds) {
                let n = positions[axis].len() as u64;
                let (from, to) = (from % n, (to % n).max(from % n));
                let text = match kind {
                    0 => format!("{from}:{}", to + 1),
                    1 => format!("{}:{}:{}", to, if from == 0 { String::new() } else { (from - 1).to_string() }, -step),
                    2 => format!("{to},{from},{to}"),
                    _ => from.to_string(),
                };
                let picked: Vec<u64> = match kind {
                    0 => (from..=to).collect(),
                    1 => (from..=to).rev().step_by(step as usize).collect(),
                    2 => vec![to, from, to],
                    _ => vec![from],
                };
                scalar[axis] |= kind == 3;
                positions[axis] = picked.iter().map(|p| positions[axis][*p as usize]).collect();
                *selection = selection.clone().isel(name, &text);
            }
        }
        let dataset = Dataset::open(&path).unwrap();
        let part = dataset.select(&selections[0]).unwrap().select(&selections[1]).unwrap();
        let mut wanted = Vec::new();
        for i in &positions[0] {
            for j in &positions[1] {
                wanted.extend(positions[2].iter().map(|k| values[((i * shape[1] + j) * shape[2] + k) as usize]));
            }
        }
        let array = part.array("x").unwrap();
        let lengths: Vec<u64> = (0..3).filter(|k| !scalar[*k]).map(|k| positions[k].len() as u64).collect();
        prop_assert_eq!(&**array.shape(), &*lengths);
        prop_assert_eq!(&*part.variable("x").unwrap().shape, &*lengths);
        let got: Vec<i32> = Session::new().compute(&array).unwrap().to_vec().unwrap();
        prop_assert_eq!(got, wanted.clone());
        let numbers: Vec<i32> = part.numbers("x").unwrap().iter().map(|x| *x as i32).collect();
        prop_assert_eq!(numbers, wanted);
    }
}

/// Groups may have dimensions of one name; the other group's is shorter.
#[test]
fn dimensions_of_what_is_not_read_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let from = fixtures().join("../formats-hdf5/dims.nc");
    let args = ["select", from.to_str().unwrap(), "-o", "out.nc", "--isel", "lat=2"];
    let (code, _, err) = run_in(dir.path(), &args);
    assert!(code == Some(2) && err.contains("'lat': there is no position 2; it has 2"), "{err}");
    let (code, _, err) = run_in(dir.path(), &[&args[..], &["--var", "lon"]].concat());
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let out = Dataset::open(dir.path().join("out.nc")).unwrap();
    assert_eq!(out.variable("lon").unwrap().dims, ["lon"]);
}
