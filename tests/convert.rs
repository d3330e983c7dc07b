//! `aosx convert` and `aosx diff` as a user meets them: copies say the same, and values are rounded, packed and cast as
//! numcodecs and NumPy do it (`fixtures/convert/make.py`).

use aosx::{
    budget::Budget,
    formats::{self, whole::read_all},
    units::Bytes,
};
use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["everything.nc", "values.nc"] {
        std::fs::copy(fixtures().join("convert").join(name), dir.path().join(name)).unwrap();
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

/// Converts, and gives what is said beside.
fn convert(dir: &Path, args: &[&str]) -> String {
    let all: Vec<&str> = ["convert"].iter().chain(args).copied().collect();
    let (code, out, err) = run_in(dir, &all);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{args:?}: {err}");
    err
}

/// The lines of a difference, and whether there is one.
fn diff(dir: &Path, args: &[&str]) -> (i32, Vec<String>) {
    let all: Vec<&str> = ["diff"].iter().chain(args).copied().collect();
    let (code, out, err) = run_in(dir, &all);
    assert_eq!(err, "", "{args:?}");
    (code.unwrap(), out.lines().map(str::to_string).collect())
}

fn says(dir: &Path, args: &[&str], code: i32) -> String {
    let (got, out, err) = run_in(dir, args);
    assert_eq!((got, out.as_str()), (Some(code), ""), "{args:?}: {err}");
    err
}

fn header(dir: &Path, file: &str) -> String {
    let (code, out, err) = run_in(dir, &["info", file, "--cdl"]);
    assert_eq!(code, Some(0), "{err}");
    out
}

/// The bits of all values.
fn bits(path: &Path, variable: &str) -> Vec<u64> {
    let source = formats::open(path).unwrap().source(variable).unwrap();
    let size = source.meta().stored.element_bytes().unwrap();
    let block = read_all(&*source, &Budget::new(Bytes(1 << 26))).unwrap();
    let wide = |cell: &[u8]| cell.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
    block.bytes().chunks_exact(size).map(wide).collect()
}

fn expected(key: &str) -> Value {
    let text = std::fs::read_to_string(fixtures().join("convert/expected.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[key].clone()
}

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

const FORMATS: [(&str, &str); 5] =
    [("nc4", "4.nc"), ("nc3", "3.nc"), ("nc5", "5.nc"), ("zarr2", "2.zarr"), ("zarr3", "3.zarr")];

/// Every small file becomes every format that can hold it, and NetCDF-4 again; all say the same.
#[test]
fn copies_are_identical_there_and_back() {
    let dir = folder();
    for file in [
        "air.nc",
        "golden/made.nc",
        "golden/potential_temperature.nc",
        "formats-classic/cdf1.nc",
        "formats-classic/cdf2.nc",
        "formats-classic/one_record.nc",
        "formats-hdf5/classic.nc",
    ] {
        let from = fixtures().join(file);
        let from = from.to_str().unwrap();
        for (format, there) in FORMATS {
            convert(dir.path(), &[from, "-o", there, "--format", format]);
            convert(dir.path(), &[there, "-o", "back.nc"]);
            for copy in [there, "back.nc"] {
                let (code, lines) = diff(dir.path(), &[from, copy]);
                if format.starts_with("zarr") && copy == "back.nc" {
                    // JSON has no types, and Zarr no dimensions that can grow.
                    let lost = |l: &String| l.contains(": type of attribute ") || l.ends_with(": unlimited | fixed");
                    let left: Vec<&String> =
                        lines.iter().filter(|l| !lost(l) && !l.starts_with("identical: ")).collect();
                    assert!(left.is_empty(), "{file} as {format}: {left:?}");
                } else if (file, format) == ("golden/made.nc", "nc3") {
                    let wider = lines.iter().all(|l| l.starts_with("'whole_") && l.contains(": type: "));
                    assert!(code == 1 && lines.len() == 5 && wider, "{lines:?}");
                } else {
                    let is_identical = lines.len() == 1 && lines[0].starts_with("identical: ");
                    assert!(code == 0 && is_identical, "{file} as {format}, {copy}: {lines:?}");
                }
            }
        }
    }
}

#[test]
fn a_zarr_store_keeps_all_but_what_it_has_no_place_for() {
    let dir = folder();
    for format in ["zarr3", "zarr2"] {
        let said = convert(dir.path(), &["everything.nc", "-o", "out.zarr", "--format", format]);
        assert_eq!(said, "aosx: note: variable 'pairs': left out: the output has no type for it\n");
        let (code, lines) = diff(dir.path(), &["everything.nc", "out.zarr"]);
        assert_eq!((code, lines.len()), (1, 1), "{lines:?}");
        assert!(lines[0].starts_with("'pairs': type: ") && lines[0].ends_with(" | nothing"), "{lines:?}");
        let (_, lines) = diff(dir.path(), &["everything.nc", "out.zarr", "-v"]);
        for line in [
            "file: dimension 'unused': 5 | nothing",
            "file: whether dimension 'time' is unlimited: unlimited | fixed",
            "file: type of attribute 'ends_i2': int16 [-32768, 32767] | int64 [-32768, 32767]",
        ] {
            assert!(lines.iter().any(|l| l == line), "{line}: {lines:?}");
        }
    }
}

#[test]
fn the_same_format_keeps_dimensions_groups_chunks_and_filters() {
    let dir = folder();
    convert(dir.path(), &["everything.nc", "-o", "out.nc"]);
    let (_, lines) = diff(dir.path(), &["everything.nc", "out.nc", "-v"]);
    let other: Vec<&String> = lines
        .iter()
        .filter(|l| !l.starts_with("'pairs': type: ") && !l.contains("_NCProperties") && !l.contains("endian"))
        .collect();
    assert!(other.is_empty(), "{other:?}");
    let header = header(dir.path(), "out.nc");
    for line in
        ["unused = 5 ;", "time = UNLIMITED ; // (7 currently)", "purpose = \"to be kept\"", "double u(time, lat) ;"]
    {
        assert!(header.contains(line), "{line}: {header}");
    }
}

#[test]
fn named_variables_take_along_what_describes_them() {
    let dir = folder();
    convert(dir.path(), &["everything.nc", "-o", "out.nc", "--var", "t,/model/run/u"]);
    let header = header(dir.path(), "out.nc");
    for there in
        ["float t(", "double time(", "float lat(", "lat_bnds(", "crs ;", "string label(", "double u(", "double lat("]
    {
        assert!(header.contains(there), "{there}: {header}");
    }
    for gone in ["flags", "unused", "empty_group", "p(", "whole_"] {
        assert!(!header.contains(gone), "{gone}: {header}");
    }
    assert_eq!(diff(dir.path(), &["everything.nc", "out.nc", "--var", "t,label,model/run/u"]).0, 0);
    assert!(
        says(dir.path(), &["convert", "everything.nc", "-o", "x.nc", "--var", "tt"], 2).contains("no variable 'tt'")
    );
}

#[test]
fn what_a_classic_file_lacks_is_changed_or_refused() {
    let dir = folder();
    let args = ["convert", "everything.nc", "-o", "out.nc3"];
    assert!(says(dir.path(), &args, 3).contains("a group ('empty_group') in a NetCDF classic file"));
    let vars = "t,p,flags,whole_i1,whole_u2,whole_u4,whole_i8,whole_u8,label,code";
    let said = convert(dir.path(), &["everything.nc", "-o", "out.nc3", "--var", vars]);
    assert_eq!(said, "");
    assert!(header(dir.path(), "out.nc3").contains("char label(lat, label_strlen) ;"));
    let labels = aosx::dataset::Dataset::open(dir.path().join("out.nc3")).unwrap().texts("label").unwrap();
    assert_eq!(labels, ["south", "", "nörth"]);
    let vars = &vars.replace("label,", "");
    let (code, lines) = diff(dir.path(), &["everything.nc", "out.nc3", "--var", vars]);
    let types: Vec<&str> = lines.iter().filter(|l| l.contains(": type: ")).map(String::as_str).collect();
    let wider = [
        "'flags': type: uint8 | int16",
        "'whole_u2': type: uint16 | int32",
        "'whole_u4': type: uint32 | float64",
        "'whole_i8': type: int64 | float64",
        "'whole_u8': type: uint64 | float64",
    ];
    assert_eq!((code, types), (1, wider.to_vec()), "{lines:?}");
    assert_eq!(diff(dir.path(), &["everything.nc", "out.nc3", "--var", vars, "--values"]).1.len(), 1);
}

#[test]
fn rounded_bits_are_those_of_numcodecs() {
    let dir = folder();
    for (variable, keep) in [("single", [1, 7, 22, 23]), ("double", [1, 9, 51, 51])] {
        for keep in keep {
            let codec = format!("{variable}=bitround:{keep}");
            convert(dir.path(), &["values.nc", "-o", "out.nc", "--codec", &codec]);
            let wanted = numbers(&expected(&format!("{variable} bitround:{keep}")));
            assert_eq!(bits(&dir.path().join("out.nc"), variable), wanted, "{codec}");
        }
    }
    convert(dir.path(), &["values.nc", "-o", "out.zarr", "--codec", "bitround:7,zstd:1"]);
    let header = header(dir.path(), "out.zarr");
    for line in
        ["single:quantization_nsb = 7", "single:quantization = \"quantization_info\"", "algorithm = \"bitround\""]
    {
        assert!(header.contains(line), "{line}: {header}");
    }
    assert!(!header.contains("whole:quantization"), "{header}");
    assert_eq!(bits(&dir.path().join("out.zarr"), "single"), numbers(&expected("single bitround:7")));
    let said = says(dir.path(), &["convert", "values.nc", "-o", "x.nc", "--codec", "bitround:30"], 2);
    assert!(said.contains("bitround:30 of float32, which has 23 bits"), "{said}");
    let said = says(dir.path(), &["convert", "values.nc", "-o", "x.nc", "--codec", "whole=bitround:3"], 2);
    assert!(said.contains("integers are not rounded"), "{said}");
}

#[test]
fn packed_numbers_are_those_of_numpy() {
    let dir = folder();
    let out = dir.path().join("out.nc");
    for name in ["small", "halves"] {
        for dtype in ["i1", "u1", "i2", "u2", "i4"] {
            let word = dtype.replace('1', "8").replace('2', "16").replace('4', "32");
            convert(dir.path(), &["values.nc", "-o", "out.nc", "--codec", &format!("{name}=pack:{word}")]);
            let wanted = expected(&format!("{name} pack:{dtype}"));
            assert_eq!(bits(&out, name), numbers(&wanted[3]), "{name} {dtype}");
            let container = formats::open(&out).unwrap();
            let attrs = &container.root().var(name).unwrap().attrs;
            let number = |attribute: &str| attrs.get(attribute).unwrap().number().unwrap();
            let double = |bits: &Value| f64::from_bits(bits[0].as_u64().unwrap());
            assert_eq!(number("scale_factor"), double(&wanted[0]), "{name} {dtype}");
            assert_eq!(number("add_offset"), double(&wanted[1]), "{name} {dtype}");
            assert_eq!(number("_FillValue"), wanted[2].as_f64().unwrap(), "{name} {dtype}");
            assert!(attrs.get("valid_max").is_none() && attrs.get("missing_value").is_none());
        }
    }
    convert(dir.path(), &["values.nc", "-o", "out.nc", "--codec", "small=pack:i16:0.01:5"]);
    assert_eq!(bits(&out, "small"), numbers(&expected("small pack:i2:0.01:5")));
    // What is packed already keeps its scale and offset, and where the type is the same all of it.
    convert(dir.path(), &["values.nc", "-o", "out.nc", "--codec", "packed=pack:i32"]);
    assert_eq!(bits(&out, "packed"), numbers(&expected("packed pack:i4")));
    convert(dir.path(), &["values.nc", "-o", "same.nc", "--codec", "packed=pack:i16"]);
    assert_eq!(diff(dir.path(), &["values.nc", "same.nc", "--var", "packed"]).0, 0);
}

#[test]
fn calc_packs_as_its_input_is_packed() {
    let dir = folder();
    let args = ["calc", "y = packed + 0.5; z = small * 2", "values.nc", "-o", "y.nc", "--codec", "y=pack:i16"];
    assert_eq!(run_in(dir.path(), &args), (Some(0), String::new(), String::new()));
    let wanted: Vec<u64> =
        numbers(&expected("packed pack:i4")).iter().map(|n| if *n > 99 { 0xffff } else { n + 1 }).collect();
    assert_eq!(bits(&dir.path().join("y.nc"), "y"), wanted);
    let header = header(dir.path(), "y.nc");
    assert!(header.contains("y:scale_factor = 0.5f") && header.contains("y:_FillValue = -1s"), "{header}");
    assert!(header.contains("double z("), "{header}");
}

#[test]
fn other_types_hold_what_numpy_makes_of_the_values() {
    let dir = folder();
    for (name, dtype, short) in [
        ("packed", "f32", "f4"),
        ("small", "f32", "f4"),
        ("halves", "float64", "f8"),
        ("halves", "i8", "i1"),
        ("whole", "i16", "i2"),
    ] {
        convert(dir.path(), &["values.nc", "-o", "out.nc", "--var", name, "--dtype", dtype]);
        let got = bits(&dir.path().join("out.nc"), name);
        assert_eq!(got, numbers(&expected(&format!("{name} {short}"))), "{name} {dtype}");
    }
    convert(dir.path(), &["values.nc", "-o", "out.zarr", "--var", "halves,whole", "--dtype", "f64"]);
    let header = header(dir.path(), "out.zarr");
    assert!(header.contains("int whole("), "integers stay so among floats: {header}");
    assert!(header.contains("halves:_FillValue = -99."), "{header}");
}

#[test]
fn what_does_not_fit_is_an_error_with_the_range() {
    let dir = folder();
    let says = |args: &[&str]| says(dir.path(), &[&["convert", "values.nc", "-o", "x.nc"], args].concat(), 1);
    let said = says(&["--codec", "small=pack:i8:0.1:0"]);
    assert!(said.contains("variable 'small'") && said.contains("the value -20 cannot be stored as int8"), "{said}");
    assert!(said.contains("with scale 0.1 and offset 0, which holds -12.700000000000001 to 12.7"), "{said}");
    let said = says(&["--var", "whole", "--dtype", "i8"]);
    assert!(said.contains("the value -23000 cannot be stored as int8, which holds -128 to 127"), "{said}");
    let said = says(&["--var", "double", "--dtype", "f32"]);
    assert!(said.contains("variable 'double'") && said.contains("1e300 cannot be stored as float32"), "{said}");
    // Several chunks have such values: one thread comes to the first of them first.
    let said = says(&["--var", "single", "--dtype", "i64", "--threads", "1"]);
    assert!(said.contains("the value inf cannot be stored as int64"), "{said}");
    assert!(!dir.path().join("x.nc").exists());
    let args = ["convert", "values.nc", "-o", "x.nc", "--codec", "single=pack:i16"];
    assert!(self::says(dir.path(), &args, 2).contains("infinite values cannot be packed"));
}

#[test]
fn chunks_are_those_of_data_and_shards_of_zarr() {
    let dir = folder();
    convert(dir.path(), &["everything.nc", "-o", "out.zarr", "--chunks", "time=1,lon=all", "--codec", "none"]);
    let (_, lines) = diff(dir.path(), &["everything.nc", "out.zarr", "--var", "t,time", "-v"]);
    assert!(lines.contains(&"'t': chunks: (2, 3, 2) | (1, 3, 4)".to_string()), "{lines:?}");
    assert!(lines.iter().any(|l| l.starts_with("'t': filters: shuffle,deflate:4 | none")), "{lines:?}");
    assert!(!lines.iter().any(|l| l.starts_with("'time': chunks: ") && l.ends_with("(1)")), "{lines:?}");
    let says = |args: &[&str]| says(dir.path(), &[&["convert", "everything.nc", "-o", "x.zarr"], args].concat(), 2);
    assert!(says(&["--chunks", "tiem=1"]).contains("no dimension 'tiem'; it has time"));
    assert!(says(&["--chunks", "time=2", "--shards", "time=5"]).contains("give a multiple, as --shards time=6"));
    assert!(says(&["--codec", "tt=none"]).contains("no variable 'tt'"));
}

#[test]
fn differences_are_listed_with_how_large_they_are() {
    let dir = folder();
    let program = "single = where(single == single[0], single + 2, single); single.units = 'K'; whole = whole + 1";
    assert_eq!(run_in(dir.path(), &["calc", program, "values.nc", "-o", "b.nc"]).0, Some(0));
    let (code, lines) = diff(dir.path(), &["values.nc", "b.nc", "--var", "single,whole,double"]);
    assert_eq!(code, 1);
    for line in [
        "'single': attribute 'units': nothing | \"K\"",
        "'double': type: float64 | nothing",
        "'whole': values: 46 of 46 differ (100.000%), by 1.0 at most; first [x=0]: -23000 | -22999",
    ] {
        assert!(lines.iter().any(|l| l == line), "{line}: {lines:?}");
    }
    let line = lines.iter().find(|l| l.starts_with("'single': values: ")).unwrap();
    assert!(line.starts_with("'single': values: 1 of 46 differ (2.174%), by 2.0 at most; first [x=0]: "), "{line}");
    assert_eq!(diff(dir.path(), &["values.nc", "b.nc", "--var", "single", "--values", "--atol", "3"]).0, 0);
    // Of what is packed, in units of the variable; what marks missing values is no number.
    let program = "p = where(p == max(p), nan, p + 1)";
    assert_eq!(run_in(dir.path(), &["calc", program, "everything.nc", "-o", "p.nc"]).0, Some(0));
    let (_, lines) = diff(dir.path(), &["everything.nc", "p.nc", "--var", "p", "--values"]);
    assert!(lines[0].contains(" missing in one file, by 1.0 at most; first [time=0, lat=0]: "), "{lines:?}");
    let (_, lines) = diff(dir.path(), &["values.nc", "b.nc", "--var", "whole", "--metadata"]);
    assert!(lines.iter().all(|l| !l.contains("values: ")), "{lines:?}");
    assert!(says(dir.path(), &["diff", "values.nc", "b.nc", "--var", "tt"], 2).contains("no variable 'tt'"));
    assert!(says(dir.path(), &["diff", "values.nc", "b.nc", "--rtol=-1"], 2).contains("numbers from 0"));
}
