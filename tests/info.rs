//! `aosx info` as a user meets it: its three forms, and what it says when something is wrong.

use assert_cmd::Command;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn aosx() -> Command {
    Command::cargo_bin("aosx").unwrap()
}

fn stdout(args: &[&str]) -> String {
    let run = aosx().args(args).current_dir(fixture("")).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

fn failure(args: &[&str]) -> (Option<i32>, String) {
    let run = aosx().args(args).current_dir(fixture("")).output().unwrap();
    assert!(run.stdout.is_empty());
    (run.status.code(), String::from_utf8(run.stderr).unwrap())
}

#[test]
fn shows_a_real_file() {
    insta::assert_snapshot!(stdout(&["info", "air.nc"]));
}

/// Beside what `ncdump -h -s` printed for the same file; the order of attributes that speak of storage is free.
#[test]
fn cdl_is_what_ncdump_prints() {
    let sorted = |text: &str| {
        let own = |l: &&str| !["_NCProperties", "_SuperblockVersion", "_IsNetcdf4"].iter().any(|s| l.contains(s));
        let mut lines: Vec<String> = text.lines().filter(own).map(str::to_string).collect();
        lines.sort();
        lines
    };
    let expected = std::fs::read_to_string(fixture("info/air.cdl")).unwrap();
    assert_eq!(sorted(&stdout(&["info", "air.nc", "--cdl"])), sorted(&expected));
}

#[test]
fn json_is_for_programs() {
    let all: serde_json::Value = serde_json::from_str(&stdout(&["info", "air.nc", "--json"])).unwrap();
    let air = all["root"]["variables"].as_array().unwrap().iter().find(|v| v["name"] == "air").unwrap();
    assert_eq!(air["dtype"], "int16");
    assert_eq!(air["shape"], serde_json::json!([124, 11, 21]));
    assert_eq!(air["stored_bytes"], 124 * 11 * 21 * 2);
    assert_eq!(air["attributes"]["scale_factor"], serde_json::json!({"type": "float64", "value": 0.01}));
}

#[test]
fn one_variable_alone() {
    let text = stdout(&["info", "air.nc", "--var", "air"]);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no '{part}' in {text}"));
    assert!(at("* time") < at("Data variables:") && at("* lat") < at("Data variables:") && at("air  ") > at("Data"));
    let text = stdout(&["info", "air.nc", "--var", "lat"]);
    assert!(text.contains("Dimensions:  (lat: 11)") && !text.contains("time"), "only what it has: {text}");
    let all: serde_json::Value = serde_json::from_str(&stdout(&["info", "air.nc", "--var", "air", "--json"])).unwrap();
    assert_eq!(all["root"]["variables"].as_array().unwrap().len(), 1, "programs get what they name");
}

#[test]
fn errors_say_file_and_remedy_and_who_has_to_act() {
    let (code, text) = failure(&["info", "air.nc", "--var", "wind"]);
    assert_eq!(code, Some(2));
    assert!(text.starts_with("aosx: error: air.nc: no variable 'wind'") && text.contains("air"), "{text}");
    let (code, text) = failure(&["info", "nowhere.nc"]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("aosx: error: nowhere.nc: open:"), "{text}");
    let (code, text) = failure(&["info", "README.md"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("not a NetCDF, HDF5 or Zarr file (it is text)"), "{text}");
    let (code, _) = failure(&["info"]);
    assert_eq!(code, Some(2));
    let (code, _) = failure(&["info", "air.nc", "--json", "--cdl"]);
    assert_eq!(code, Some(2));
}

#[test]
fn a_file_cut_short_behind_its_header_is_still_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("short.nc");
    let whole = std::fs::read(fixture("info/small3.nc")).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 40]).unwrap();
    let run = aosx().arg("info").arg(&path).output().unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success() && text.contains("t  ") && text.contains("units: K"), "{text}");
}

/// `aosx info FILE | head -1` is no error.
#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("aosx"))
        .args(["info", "--json"])
        .arg(fixture("air.nc"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(0), ""));
}
