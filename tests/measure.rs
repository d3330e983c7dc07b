//! Units of measure as a user meets them: `--units`, `convert_units`, and what arithmetic says of its results.

use aosx::{
    array::LazyArray,
    budget::Budget,
    formats::{self, whole::read_all},
    units::Bytes,
};
use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

/// A folder with the small real file: `air` is packed, in degK.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    std::fs::copy(fixtures.join("air.nc"), dir.path().join("air.nc")).unwrap();
    dir
}

/// Exit code, and what is said.
fn run_in(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::cargo_bin("aosx").unwrap().args(args).current_dir(dir).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn done(dir: &Path, args: &[&str]) {
    assert_eq!(run_in(dir, args), (Some(0), String::new()), "{args:?}");
}

fn attributes(dir: &Path, file: &str, variable: &str) -> Value {
    let output = Command::cargo_bin("aosx").unwrap().args(["info", file, "--json"]).current_dir(dir).output().unwrap();
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let variables = all["root"]["variables"].as_array().unwrap();
    variables.iter().find(|v| v["path"] == variable).unwrap()["attributes"].clone()
}

/// What a variable says: the text of an attribute, or nothing.
fn said(dir: &Path, file: &str, variable: &str, name: &str) -> String {
    let value = &attributes(dir, file, variable)[name];
    value["value"].as_str().unwrap_or_default().to_string()
}

/// The values of a variable as they are decoded.
fn values(dir: &Path, file: &str, variable: &str) -> Vec<f64> {
    let dataset = aosx::dataset::Dataset::open(dir.join(file)).unwrap();
    let array = dataset.decoded(variable, aosx::cf::decoding::ValidRange::Ignore).unwrap();
    let array: LazyArray = array.astype(aosx::dtype::DType::F64);
    let block = aosx::session::Session::new().compute(&array).unwrap();
    bytemuck::pod_collect_to_vec(block.bytes())
}

fn near(got: &[f64], wanted: impl Iterator<Item = f64>, tolerance: f64) {
    let wanted: Vec<f64> = wanted.collect();
    assert_eq!(got.len(), wanted.len());
    let off = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off <= tolerance, "{off}");
}

#[test]
fn reductions_are_converted_as_what_they_are() {
    let dir = folder();
    let dir = dir.path();
    let reduce = |units: &[&str], out: &str| {
        let args = ["reduce", "air.nc", "--op", "mean,std,var,range", "--axis", "time", "-o", out];
        done(dir, &[&args[..], units].concat());
    };
    reduce(&[], "k.nc");
    reduce(&["--units", "air=degF"], "f.nc");
    let (k, f) = (|name| values(dir, "k.nc", name), |name| values(dir, "f.nc", name));
    near(&f("air_mean"), k("air_mean").iter().map(|x| x * 1.8 - 459.67), 1e-10);
    near(&f("air_std"), k("air_std").iter().map(|x| x * 1.8), 1e-12);
    near(&f("air_range"), k("air_range").iter().map(|x| x * 1.8), 1e-12);
    near(&f("air_var"), k("air_var").iter().map(|x| x * 3.24), 1e-10);
    let units = |name| said(dir, "f.nc", name, "units");
    assert_eq!(["air_mean", "air_std", "air_range", "air_var"].map(units), ["degF", "degF", "degF", "degF2"]);
    let metadata = |name| said(dir, "f.nc", name, "units_metadata");
    assert_eq!(["air_mean", "air_std"].map(metadata), ["", "temperature: difference"]);
    assert_eq!(said(dir, "f.nc", "air_mean", "cell_methods"), "time: mean");
}

#[test]
fn copies_are_converted_before_they_are_packed() {
    let dir = folder();
    let dir = dir.path();
    let kelvin = values(dir, "air.nc", "air");
    done(dir, &["convert", "air.nc", "-o", "c.nc", "--units", "degC"]);
    near(&values(dir, "c.nc", "air"), kelvin.iter().map(|x| x - 273.15), 1e-12);
    let attrs = attributes(dir, "c.nc", "air");
    assert_eq!(said(dir, "c.nc", "air", "units"), "degC");
    assert!(attrs.get("scale_factor").is_none() && attrs.get("actual_range").is_none(), "{attrs}");
    done(
        dir,
        &["select", "air.nc", "--isel", "time=0:2", "-o", "p.zarr", "--units", "air=degC", "--codec", "pack:i16"],
    );
    let two = &kelvin[..kelvin.len() / 124 * 2];
    let packed = values(dir, "p.zarr", "air");
    near(&packed, two.iter().map(|x| x - 273.15), 2e-3);
    let source = formats::open(&dir.join("p.zarr")).unwrap().source("air").unwrap();
    assert_eq!(read_all(&*source, &Budget::new(Bytes(1 << 24))).unwrap().bytes().len(), packed.len() * 2);
    // The same units by another name: values stay as they are stored.
    done(dir, &["convert", "air.nc", "-o", "same.nc", "--units", "air=K"]);
    assert_eq!(said(dir, "same.nc", "air", "units"), "K");
    assert!(attributes(dir, "same.nc", "air").get("scale_factor").is_some());
    assert_eq!(values(dir, "same.nc", "air"), kelvin);
}

#[test]
fn arithmetic_says_the_units_of_its_results() {
    let dir = folder();
    let dir = dir.path();
    let program = "c = convert_units(air, 'degC'); anom = air - mean(air, time); f = convert_units(anom, 'degF'); \
                   back = convert_units(mean(air, time) + anom, 'degC'); square = air * air; root = sqrt(square); \
                   cube = air ** 3; ratio = anom / std(air, time); inverse = 1 / air; twice = air * 2; \
                   mixed = air + c; product = c * air; sum = c + c; angle = atan2(anom, anom); \
                   masked = anom * (air > 280); rate = air ** 0.5; wave = air * cos(angle)";
    let note = "aosx: note: 'air' and 'c' are in 'degK' and 'degC', and nothing is converted; write convert_units(c, \"degK\")\n";
    assert_eq!(run_in(dir, &["calc", program, "air.nc", "-o", "out.nc"]), (Some(0), note.to_string()));
    let units = |name: &str| said(dir, "out.nc", name, "units");
    for (name, expected) in [
        ("c", "degC"),
        ("anom", "degK"),
        ("f", "degF"),
        ("back", "degC"),
        ("square", "degK2"),
        ("root", "degK"),
        ("cube", "degK3"),
        ("ratio", "1"),
        ("inverse", "degK-1"),
        ("twice", ""),
        ("mixed", ""),
        ("product", ""),
        ("sum", "degC"),
        ("angle", "radian"),
        ("masked", "degK"),
        ("rate", ""),
        ("wave", "degK"),
    ] {
        assert_eq!(units(name), expected, "{name}");
    }
    let (air, anom) = (values(dir, "air.nc", "air"), values(dir, "out.nc", "anom"));
    near(&values(dir, "out.nc", "c"), air.iter().map(|x| x - 273.15), 1e-12);
    near(&values(dir, "out.nc", "f"), anom.iter().map(|x| x * 1.8), 1e-12);
    near(&values(dir, "out.nc", "back"), air.iter().map(|x| x - 273.15), 1e-10);
    // Results of a program are converted too.
    done(dir, &["calc", "anom = air - mean(air, time); t = air", "air.nc", "-o", "u.nc", "--units", "degF"]);
    near(&values(dir, "u.nc", "anom"), anom.iter().map(|x| x * 1.8), 1e-12);
    near(&values(dir, "u.nc", "t"), air.iter().map(|x| x * 1.8 - 459.67), 1e-10);
}

/// 1 kg of water on a square metre is 1 mm deep, and is called otherwise then.
#[test]
fn fluxes_of_water_are_depths_too() {
    let dir = folder();
    let program =
        "t = air; t.units = 'kg m-2 s-1'; t.standard_name = 'precipitation_flux'; u = t; u.standard_name = 'x'";
    done(dir.path(), &["calc", program, "air.nc", "-o", "water.nc"]);
    done(dir.path(), &["reduce", "water.nc", "--var", "t", "--op", "mean", "--axis", "time", "-o", "mass.nc"]);
    let words =
        ["reduce", "water.nc", "--var", "t", "--op", "mean", "--axis", "time", "--units", "mm/day", "-o", "depth.nc"];
    done(dir.path(), &words);
    done(dir.path(), &["calc", "t = convert_units(mean(t, time), 'mm/day')", "water.nc", "-o", "calc.nc"]);
    let mass = values(dir.path(), "mass.nc", "t");
    for file in ["depth.nc", "calc.nc"] {
        near(&values(dir.path(), file, "t"), mass.iter().map(|x| x * 86400.0), 4.0);
        let told = ["units", "standard_name"].map(|name| said(dir.path(), file, "t", name));
        assert_eq!(told, ["mm/day", "lwe_precipitation_rate"], "{file}");
    }
    let (code, error) = run_in(dir.path(), &["calc", "x = convert_units(u, 'mm/day')", "water.nc"]);
    assert!(code == Some(2) && error.contains("1 kg m-2 is 1 mm of water alone"), "{error}");
}

#[test]
fn mistakes_say_what_is_wrong() {
    let dir = folder();
    let says = |args: &[&str], expected: &str| {
        let (code, err) = run_in(dir.path(), args);
        assert!(code == Some(2) && err.contains(expected), "{args:?}: {code:?} {err}");
    };
    let reduce = |op, units, expected| {
        says(&["reduce", "air.nc", "--op", op, "--axis", "time", "-o", "o.nc", "--units", units], expected);
    };
    reduce("mean", "celsus", "--units celsus: units 'celsus': no unit 'celsus'; did you mean celsius?");
    reduce("mean", "m s-1", "variable 'air': 'degK' cannot be converted to 'm s-1': K is no m s-1");
    reduce("count", "1", "a number of observations has no other units");
    reduce("argmax", "K", "it has no units");
    reduce("mean", "air=degC,air=degF", "units of air are given twice");
    reduce("mean", "t=degC", "no variable 't'");
    reduce("mean", "t=", "it is a unit, or a variable and one");
    let calc = |program, expected| says(&["calc", program, "air.nc", "-o", "o.nc"], expected);
    calc("c = convert_units(air, 'hPa')", "'degK' cannot be converted to 'hPa'");
    calc("c = convert_units(air, 'foo')", "no unit 'foo'");
    calc("c = convert_units(air * 2, 'degC')", "this has no units to convert");
}
