//! Every row of the tables in `docs/` that put aosx beside CDO, NCO and xarray: its command is run as it stands, and what
//! comes out is compared with what the other made, as `fixtures/tables/make.py` has written it into `expected.json`.

use aosx::{cf::decoding::ValidRange, dtype::DType, prelude::*};
use serde_json::{Map, Value};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const PAGES: [(&str, usize); 3] = [("from-cdo.md", 120), ("from-nco.md", 25), ("from-xarray.md", 25)];
const SAMPLES: usize = 12;

/// A row: the other's command, ours, and what is said of both.
#[derive(Debug, PartialEq)]
struct Row {
    peer: String,
    ours: String,
    says: String,
}

/// The rows of a page: lines of three cells, the second of which is a command of ours.
fn rows(page: &str) -> Vec<Row> {
    let unquoted = |cell: &str| cell.trim().trim_matches('`').to_string();
    let row = |line: &str| {
        let line = line.replace("\\|", "\0");
        let cells: Vec<String> = line.split('|').map(|c| c.trim().replace('\0', "|")).collect();
        match cells.as_slice() {
            [_, peer, ours, says, _] if peer.starts_with('`') && ours.starts_with("`aosx ") => {
                Some(Row { peer: unquoted(peer), ours: unquoted(ours), says: says.clone() })
            }
            _ => None,
        }
    };
    page.lines().filter_map(row).collect()
}

/// A variable in few numbers, as `told` of the script says them.
#[derive(Debug)]
struct Told {
    name: String,
    /// Without dimensions of length 1.
    shape: Vec<u64>,
    missing: usize,
    values: Vec<f64>,
}

/// The data of a file: no coordinates, bounds or grids.
fn data(path: &Path) -> Result<Vec<Told>> {
    let dataset = Dataset::open(path)?;
    let all = dataset.root().all_vars();
    let links = ["bounds", "climatology", "coordinates", "quantization", "grid_mapping"];
    let linked = |a| all.iter().filter_map(move |v| v.attrs.text(a));
    let beside: HashSet<&str> = links.into_iter().flat_map(linked).flat_map(str::split_whitespace).collect();
    let mut out = Vec::new();
    for var in all.iter().filter(|v| v.dims != [v.path.as_str()] && !beside.contains(v.path.as_str())) {
        if var.stored.dtype().is_none() {
            continue;
        }
        let array = dataset.decoded(&var.path, ValidRange::Ignore)?.astype(DType::F64);
        let values: Vec<f64> = Session::new().compute(&array)?.to_vec()?;
        let missing = values.iter().filter(|v| v.is_nan()).count();
        let shape = var.shape.iter().copied().filter(|n| *n != 1).collect();
        out.push(Told { name: var.path.trim_start_matches('/').to_string(), shape, missing, values });
    }
    Ok(out)
}

/// Means that change when values change, or their places.
fn moments(values: &[f64]) -> Vec<f64> {
    let kept: Vec<(f64, f64)> = values
        .iter()
        .enumerate()
        .filter(|(_, x)| !x.is_nan())
        .map(|(k, x)| (*x, (k * 7919 % 1009) as f64 / 1009.0))
        .collect();
    if kept.is_empty() {
        return Vec::new();
    }
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| kept.iter().map(of).sum::<f64>() / kept.len() as f64;
    let end = |of: fn(f64, f64) -> f64| kept.iter().map(|k| k.0).reduce(of).unwrap();
    vec![mean(&|k| k.0), mean(&|k| k.0.abs()), mean(&|k| k.0 * k.1), end(f64::min), end(f64::max)]
}

/// What differs between numbers by more than 1e-6 of them.
fn differ(what: &str, got: &[f64], wanted: &Value) -> Option<String> {
    let wanted: Vec<f64> = wanted.as_array()?.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect();
    let largest = wanted.iter().filter(|v| !v.is_nan()).fold(0.0, |a: f64, v| a.max(v.abs()));
    let near = |(a, b): (&f64, &f64)| (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-6 * b.abs() + 1e-9 * largest;
    let same = got.len() == wanted.len() && got.iter().zip(&wanted).all(near);
    (!same).then(|| format!("{what} {got:?}, and not {wanted:?}"))
}

/// What differs between a variable and what the other made of it.
fn variable_differs(got: &Told, wanted: &Value, row: &Row) -> Option<String> {
    let shape: Vec<u64> = wanted["shape"].as_array()?.iter().filter_map(Value::as_u64).collect();
    let regrouped =
        row.says.contains("a dimension for each") && got.shape.iter().product::<u64>() == shape.iter().product::<u64>();
    if got.shape != shape && !regrouped {
        return Some(format!("shape {:?}, and not {shape:?}", got.shape));
    }
    if wanted["missing"] != got.missing {
        return Some(format!("{} values are missing, and not {}", got.missing, wanted["missing"]));
    }
    if !wanted["values"].is_null() {
        return differ("values", &got.values, &wanted["values"]);
    }
    let sampled: Vec<f64> = (0..SAMPLES).map(|i| got.values[i * (got.values.len() - 1) / (SAMPLES - 1)]).collect();
    differ("samples", &sampled, &wanted["samples"])
        .or_else(|| differ("moments", &moments(&got.values), &wanted["moments"]))
}

/// What is wrong with a file, beside the variables of the other's.
fn file_differs(path: &Path, wanted: &[Value], row: &Row) -> Option<String> {
    let found = match data(path) {
        Ok(found) if found.is_empty() => return Some("no variable is written".into()),
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    let differs = |got: &Told| {
        // A single one may have a name of its own.
        let named = wanted.iter().find(|w| w["name"] == got.name.as_str());
        match named.or((found.len() == 1).then(|| &wanted[0])) {
            Some(wanted) => variable_differs(got, wanted, row),
            None => Some("the other has none of that name".into()),
        }
        .map(|problem| format!("{}: {problem}", got.name))
    };
    found.iter().find_map(differs)
}

/// The words that are not among those printed; numbers count by their values.
fn not_printed(printed: &str, words: &[Value]) -> Vec<String> {
    let word = |w: &str| w.parse::<f64>().map_or(w.to_string(), |n| n.to_string());
    let all: HashSet<String> = printed.split(|c: char| c.is_whitespace() || ",:()[]".contains(c)).map(word).collect();
    words.iter().map(|w| word(w.as_str().unwrap())).filter(|w| !all.contains(w)).collect()
}

/// The files that a command has made, by name.
fn made(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|n| n.starts_with("out")).collect();
    names.sort_unstable();
    names
}

/// What is wrong with several files, beside those of the other.
fn files_differ(folder: &Path, wanted: &Map<String, Value>, row: &Row) -> Option<String> {
    let names = made(folder);
    if names != wanted.keys().cloned().collect::<Vec<_>>() {
        return Some(format!("writes {names:?}, and not {:?}", wanted.keys().collect::<Vec<_>>()));
    }
    let differs = |name: &String| {
        let problem = file_differs(&folder.join(name), wanted[name].as_array()?, row)?;
        Some(format!("{name}: {problem}"))
    };
    names.iter().find_map(differs)
}

/// Runs a row's command in a folder; what is wrong with what it does.
fn wrong(row: &Row, expected: &Value, folder: &Path, path: &str) -> Option<String> {
    made(folder).iter().for_each(|old| fs::remove_file(folder.join(old)).unwrap());
    let run = Command::new("sh").args(["-c", &row.ours]).env("PATH", path).current_dir(folder).output().unwrap();
    if run.status.code() != Some(expected["exit"].as_i64().unwrap_or(0) as i32) {
        return Some(format!("exits with {:?}: {}", run.status.code(), String::from_utf8_lossy(&run.stderr)));
    }
    if let Some(words) = expected["words"].as_array() {
        let printed = String::from_utf8_lossy(&run.stdout);
        let absent = not_printed(&printed, words);
        return (!absent.is_empty()).then(|| format!("does not print {absent:?}:\n{printed}"));
    }
    if let Some(wanted) = expected["files"].as_object() {
        return files_differ(folder, wanted, row);
    }
    match expected["variables"].as_array() {
        Some(wanted) => file_differs(&folder.join("out.nc"), wanted, row),
        None => expected["exit"].is_null().then(|| "nothing is expected".into()),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// A folder with the files that the rows speak of.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let fixtures = root().join("fixtures/tables");
    let files = fs::read_dir(fixtures).unwrap().map(|e| e.unwrap().path());
    for file in files.filter(|f| f.extension().is_some_and(|e| e == "nc")).chain([root().join("fixtures/air.nc")]) {
        fs::copy(&file, dir.path().join(file.file_name().unwrap())).unwrap();
    }
    dir
}

/// Checks every row of a page; says which are wrong.
fn check(page: &str) -> String {
    let rows = rows(&fs::read_to_string(root().join("docs").join(page)).unwrap());
    let text = fs::read_to_string(root().join("fixtures/tables/expected.json")).unwrap();
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mine = all.iter().filter(|e| e["page"] == page);
    let expected: HashMap<&str, &Value> = mine.map(|e| (e["peer"].as_str().unwrap(), e)).collect();
    let dir = folder();
    let aosx = assert_cmd::cargo::cargo_bin("aosx");
    let path = format!("{}:{}", aosx.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let mut out = String::new();
    for row in &rows {
        let problem = match expected.get(row.peer.as_str()) {
            Some(expected) => wrong(row, expected, dir.path(), &path),
            None => Some("expected.json does not have this row: run make.py".into()),
        };
        if let Some(problem) = problem {
            writeln!(out, "`{}` as `{}`:\n    {problem}", row.ours, row.peer).unwrap();
        }
    }
    out
}

#[test]
fn commands_give_what_those_of_cdo_give() {
    let wrong = check("from-cdo.md");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn commands_give_what_those_of_nco_give() {
    let wrong = check("from-nco.md");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn commands_give_what_expressions_of_xarray_give() {
    let wrong = check("from-xarray.md");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn tables_are_as_long_as_they_should_be() {
    for (page, least) in PAGES {
        let rows = rows(&fs::read_to_string(root().join("docs").join(page)).unwrap());
        let different: HashSet<&str> = rows.iter().map(|r| r.peer.as_str()).collect();
        assert!(different.len() >= least, "{page} has {} rows", different.len());
    }
}

#[test]
fn rows_are_read_from_between_bars() {
    let page = "| CDO | aosx | |\n|---|---|---|\n| `cdo a b` | `aosx calc 'x \\| y' f` | see `w` |\n| a | b |\n";
    let row = Row { peer: "cdo a b".into(), ours: "aosx calc 'x | y' f".into(), says: "see `w`".into() };
    assert_eq!(rows(page), [row]);
}

#[test]
fn what_is_compared_finds_what_differs() {
    let told = |values: &[f64]| Told {
        name: "t".into(),
        shape: vec![values.len() as u64],
        missing: values.iter().filter(|v| v.is_nan()).count(),
        values: values.to_vec(),
    };
    let row = Row { peer: String::new(), ours: String::new(), says: String::new() };
    let all = serde_json::json!({"shape": [3], "missing": 1, "values": [1.0, null, 3.0]});
    assert_eq!(variable_differs(&told(&[1.0, f64::NAN, 3.0 + 2e-6]), &all, &row), None);
    for bad in [&[1.0, f64::NAN, 3.0 + 4e-6][..], &[1.0, 2.0, 3.0], &[1.0, f64::NAN], &[f64::NAN, 1.0, 3.0]] {
        assert!(variable_differs(&told(bad), &all, &row).is_some(), "{bad:?}");
    }
    let many: Vec<f64> = (0..100).map(f64::from).collect();
    let samples: Vec<f64> = (0..SAMPLES).map(|i| (i * 99 / (SAMPLES - 1)) as f64).collect();
    let some = serde_json::json!({"shape": [100], "missing": 0, "samples": samples, "moments": moments(&many)});
    assert_eq!(variable_differs(&told(&many), &some, &row), None);
    let mut exchanged = many.clone();
    exchanged.swap(3, 4);
    assert!(variable_differs(&told(&exchanged), &some, &row).unwrap().contains("moments"));
    assert_eq!(not_printed("a: 850.0, (t)", &["850".into(), "t".into(), "x".into()]), ["x"]);
}
