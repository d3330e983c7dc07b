//! Many files as one: what xarray makes of them (`fixtures/many/make.py`), what is refused, and laws.

mod common;

use aosx::{
    attrs::Value as Attr,
    dataset::{Combine, Many, Overlap, open_many},
    prelude::*,
    source::Dimension,
};
use assert_cmd::Command;
use proptest::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/many")
}

fn files(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| fixtures().join(name)).collect()
}

/// Exit code, what is printed, what is said.
fn run_in(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("aosx").unwrap();
    let output = command.args(args).env("SOURCE_DATE_EPOCH", "951782400").current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn says(args: &[&str], code: i32) -> String {
    let (got, out, err) = run_in(&fixtures(), args);
    assert_eq!((got, out.as_str()), (Some(code), ""), "{args:?}: {err}");
    err
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixtures().join("expected.json")).unwrap()).unwrap()
}

fn near(got: &[f64], wanted: &Value, what: &str) {
    let wanted: Vec<f64> = wanted.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect();
    assert_eq!(got.len(), wanted.len(), "{what}");
    for (k, (a, b)) in got.iter().zip(&wanted).enumerate() {
        let is_near = (a - b).abs() <= 2e-6 * b.abs().max(1e-3) || (a.is_nan() && b.is_nan());
        assert!(is_near, "{what}: value {k} is {a}, not {b}");
    }
}

/// Files in any order, each with its own packing, type, chunks, container and units of time.
#[test]
fn files_are_joined_as_xarray_joins_them() {
    let expected = expected();
    let (all, findings) = open_many(&files(&["a.nc", "d.nc", "c.nc", "b.nc"]), &Many::default()).unwrap();
    let names: Vec<String> =
        all.paths().iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["a.nc", "b.nc", "c.nc", "d.nc"], "in the order of their times");
    assert!(findings.gaps.is_empty() && findings.skipped.is_empty(), "{findings:?}");
    assert!(findings.differences.iter().any(|d| d.contains("b.nc: global attribute 'title' differs")));
    for name in ["time", "time_bnds"] {
        near(&all.numbers(name).unwrap(), &expected[name], name);
    }
    let t = all.variable("t").unwrap();
    assert_eq!((t.stored.dtype(), &*t.shape), (Some(DType::F64), [37, 5, 4].as_slice()), "{}", expected["dtype_t"]);
    assert!(t.attrs.get("scale_factor").is_none());
    assert_eq!(all.variable("p").unwrap().stored.dtype(), Some(DType::F32), "what all store alike stays so");
    near(&all.numbers("mask").unwrap(), &expected["mask"], "from the first file");
    let session = Session::new();
    for (variable, axes, key) in
        [("t", vec!["time"], "t_mean"), ("p", vec!["time"], "p_mean"), ("t", vec!["lat", "lon"], "t_lat_mean")]
    {
        let axes = Axes::Named(axes.into_iter().map(String::from).collect());
        let mean = Reduction::new([Op::Mean], axes).var(variable).of(&all).unwrap();
        let results = session.collect(&all, &mean).unwrap();
        let bytes = results.values(variable).unwrap();
        let values: Vec<f64> = match results.variable(variable).unwrap().stored.dtype() {
            Some(DType::F32) => bytemuck::pod_collect_to_vec::<u8, f32>(&bytes).into_iter().map(f64::from).collect(),
            _ => bytemuck::pod_collect_to_vec(&bytes),
        };
        near(&values, &expected[key], key);
    }
}

#[test]
fn commands_take_patterns_and_lists() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("all.zarr");
    let out = out.to_str().unwrap();
    let (code, _, err) = run_in(&fixtures(), &["convert", "[a-d].nc", "-o", out]);
    assert_eq!(code, Some(0), "{err}");
    let joined = Dataset::open(out).unwrap();
    near(&joined.numbers("time").unwrap(), &expected()["time"], "time");
    let reduce = |files: &[&str]| {
        let args = [&["reduce"], files, &["--var", "t,p", "--op", "mean,std,max", "--axis", "time", "--format", "csv"]]
            .concat();
        let (code, printed, err) = run_in(&fixtures(), &args);
        assert_eq!(code, Some(0), "{err}");
        printed
    };
    let all = reduce(&["[a-d].nc"]);
    assert_eq!(all, reduce(&["d.nc", "b.nc", "a.nc", "c.nc"]), "whatever their order");
    let (code, printed, _) = run_in(&fixtures(), &["info", "[a-d].nc"]);
    assert!(
        code == Some(0) && printed.contains("a.nc and 3 more: NetCDF-4") && printed.contains("time: 37"),
        "{printed}"
    );
    let part = ["select", "[a-d].nc", "--sel", "time=2000-01-08", "--isel", "lat=1", "-o"];
    let cut = dir.path().join("cut.nc");
    let (code, _, err) = run_in(&fixtures(), &[&part[..], &[cut.to_str().unwrap()]].concat());
    assert_eq!(code, Some(0), "{err}");
    near(&Dataset::open(&cut).unwrap().numbers("t").unwrap(), &expected()["t_at"], "t of one day");
}

#[test]
fn other_units_are_converted_to_those_of_the_first_file() {
    let (expected, session) = (expected(), Session::new());
    let mean = |names: &[&str], variable: &str| {
        let (all, findings) = open_many(&files(names), &Many::default()).unwrap();
        let mean = Reduction::new([Op::Mean], Axes::Named(vec!["time".into()])).var(variable).of(&all).unwrap();
        let results = session.collect(&all, &mean).unwrap();
        let meta = results.variable(variable).unwrap();
        let bytes = results.values(variable).unwrap();
        let values: Vec<f64> = match meta.stored.dtype() {
            Some(DType::F32) => bytemuck::pod_collect_to_vec::<u8, f32>(&bytes).into_iter().map(f64::from).collect(),
            _ => bytemuck::pod_collect_to_vec(&bytes),
        };
        (values, meta.attrs.text("units").unwrap().to_string(), findings.converted)
    };
    let (t, units, said) = mean(&["a.nc", "i.nc"], "t");
    near(&t, &expected["t_mean_kelvin"], "t");
    assert_eq!(units, "K");
    assert!(said.len() == 2 && said[0].starts_with("variable 't': converted from degC to K in "), "{said:?}");
    // The first given decides, not the first in time.
    let (p, units, said) = mean(&["i.nc", "a.nc"], "p");
    near(&p, &expected["p_mean_metres"], "p");
    assert!(units == "m" && said.iter().any(|s| s.contains("converted from mm to m in ")), "{units} {said:?}");
    let (code, _, err) =
        run_in(&fixtures(), &["reduce", "a.nc", "i.nc", "--var", "t", "--op", "mean", "--axis", "all"]);
    assert!(code == Some(0) && err.contains("note: variable 't': converted from degC to K in i.nc"), "{err}");
    let e = says(&["reduce", "a.nc", "j.nc", "--var", "t", "--op", "mean", "--axis", "time"], 2);
    assert!(e.contains("j.nc: variable 't': its units are 'm', and 'K' in the first file, which cannot be"), "{e}");
}

#[test]
fn what_does_not_go_together_is_named() {
    let reduce = |files: &[&str], more: &[&str]| -> Vec<String> {
        let all = [&["reduce"], files, &["--var", "t", "--op", "mean", "--axis", "time"], more].concat();
        all.iter().map(|s| s.to_string()).collect()
    };
    let said = |files: &[&str], more: &[&str], code: i32| {
        let args = reduce(files, more);
        says(&args.iter().map(String::as_str).collect::<Vec<_>>(), code)
    };
    let e = said(&["a.nc", "e.nc"], &[], 2);
    assert!(e.contains("e.nc: variable 'lat': another grid than a.nc: value 0 is -59, and not -60"), "{e}");
    let e = said(&["a.nc", "f.nc"], &[], 2);
    assert!(e.contains("f.nc: variable 'time': its calendar is noleap, and standard in a.nc"), "{e}");
    let e = said(&["a.nc", "b.nc", "c.nc", "g.nc"], &[], 2);
    assert!(e.contains("variable 'time': it begins at 2000-01-1") && e.contains("give --overlap keep"), "{e}");
    let e = said(&["a.nc", "h.nc"], &[], 1);
    assert!(e.contains("h.nc: not a NetCDF"), "{e}");
    let e = said(&["a.nc", "nothing.nc"], &[], 1);
    assert!(e.contains("nothing.nc: open: "), "{e}");
    let e = said(&["x*.nc"], &[], 2);
    assert!(e.contains("no file is called like 'x*.nc'"), "{e}");
    let (code, _, e) = run_in(
        &fixtures(),
        &reduce(&["a.nc", "h.nc", "e.nc", "b.nc"], &["--skip-broken"]).iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert!(
        code == Some(0) && e.contains("left out: h.nc: not a NetCDF") && e.contains("left out: e.nc: variable 'lat'"),
        "{e}"
    );
    let (code, _, e) =
        run_in(&fixtures(), &reduce(&["a.nc", "c.nc"], &[]).iter().map(String::as_str).collect::<Vec<_>>());
    assert!(code == Some(0) && e.contains("a gap between 2000-01-07T12:00:00 (a.nc) and 2000-01-13"), "{e}");
    let (code, _, e) = run_in(
        &fixtures(),
        &reduce(&["c.nc", "g.nc"], &["--overlap", "keep"]).iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert_eq!(code, Some(0), "{e}");
}

#[test]
fn files_stand_side_by_side() {
    let many = Many { combine: Combine::New("member".into()), ..Many::default() };
    let (side, _) = open_many(&files(&["b.nc", "b.nc", "b.nc"]), &many).unwrap();
    let t = side.variable("t").unwrap();
    assert_eq!((t.dims[0].as_str(), &*t.shape), ("member", [3, 10, 5, 4].as_slice()));
    assert_eq!(t.stored.dtype(), Some(DType::I16), "packed as it is");
    let one = Dataset::open(fixtures().join("b.nc")).unwrap().numbers("t").unwrap();
    let all = side.numbers("t").unwrap();
    for part in all.chunks(one.len()) {
        assert!(part.iter().zip(&one).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())));
    }
    let e = open_many(&files(&["a.nc", "b.nc"]), &many).map(|_| ()).unwrap_err().to_string();
    assert!(e.contains("b.nc: variable 'time': another grid than"), "{e}");
}

/// Writes part of an array along time (axis `axis`), with its times.
fn write(path: &Path, format: OutputFormat, values: &[i32], shape: &[u64; 3], axis: usize, from: u64, chunk: u64) {
    let names = ["time", "y", "x"];
    let order: Vec<usize> = if axis == 0 { vec![0, 1, 2] } else { vec![1, 0, 2] };
    let of = |k: usize| Dimension { name: names[order[k]].into(), len: shape[k], unlimited: axis == 0 && k == 0 };
    let dims = [of(0), of(1), of(2)];
    let lengths: Vec<u64> = shape.iter().map(|n| chunk.min(*n)).collect();
    let chunks = (!matches!(format, OutputFormat::NetCdf3 | OutputFormat::NetCdf5)).then_some(&lengths[..]);
    let var = common::var("v", DType::I32, &dims, chunks);
    let time_dim = dims[axis].clone();
    let mut time = common::var("time", DType::F64, std::slice::from_ref(&time_dim), None);
    time.attrs.set("units", Attr::Text("days since 2001-01-01".into()));
    let times: Vec<f64> = (0..shape[axis]).map(|k| (from + k) as f64).collect();
    let data = [(time, bytemuck::cast_slice(&times).to_vec()), (var, bytemuck::cast_slice(values).to_vec())];
    common::create(path, format, &dims, &data);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, failure_persistence: None, ..ProptestConfig::default() })]
    /// What is split into files of any lengths, containers and chunks, along any axis, is the same when it is joined; and
    /// what is computed of it has the same bits for any number of threads, and any memory.
    #[test]
    fn joined_is_what_was_split(
        lengths in prop::collection::vec(1u64..7, 1..8), chunks in prop::collection::vec(1u64..5, 8),
        formats in prop::collection::vec(0usize..5, 8), axis in 0usize..2, seed in any::<u32>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let total: u64 = lengths.iter().sum();
        let (outer, inner) = if axis == 0 { (1, 12) } else { (3, 4) };
        let whole: Vec<i32> = (0..total * 12).map(|k| (k as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) as i32 / 4096).collect();
        let mut paths = Vec::new();
        let mut from = 0;
        for (n, &length) in lengths.iter().enumerate() {
            let mut part = Vec::new();
            for row in 0..outer {
                let at = (row * total + from) * inner;
                part.extend_from_slice(&whole[at as usize..(at + length * inner) as usize]);
            }
            let shape = if axis == 0 { [length, 3, 4] } else { [3, length, 4] };
            let (format, end) = common::FORMATS[formats[n]];
            let path = dir.path().join(format!("p{}_{end}", lengths.len() - n));
            write(&path, format, &part, &shape, axis, from, chunks[n]);
            paths.push(path);
            from += length;
        }
        paths.reverse();
        let (joined, _) = open_many(&paths, &Many::default()).unwrap();
        let session = Session::new();
        let array = joined.array("v").unwrap();
        prop_assert_eq!(session.compute(&array).unwrap().to_vec::<i32>().unwrap(), whole.clone());
        let times: Vec<f64> = (0..total).map(|k| k as f64).collect();
        prop_assert_eq!(joined.numbers("time").unwrap(), times);
        let wide = array.astype(DType::F64);
        let along = (&wide * 0.1).mean(&[axis as i64]).unwrap();
        let stored = array.reduce(Op::Std, &[axis as i64], FoldOptions::default()).unwrap();
        let across = array.reduce(Op::Mean, &[1 - axis as i64, 2], FoldOptions::default()).unwrap();
        let bits = |session: &Session| -> Vec<Vec<u8>> {
            let all = session.compute_all(&[&along, &stored, &across]).unwrap();
            all.iter().map(|v| v.bytes().to_vec()).collect()
        };
        let first = bits(&Session::new().threads(1));
        prop_assert_eq!(&first, &bits(&Session::new().threads(3).memory("512MiB".parse().unwrap())));
        let exact: f64 = (0..total).map(|k| {
            let at = if axis == 0 { k * 12 } else { k * 4 };
            f64::from(whole[at as usize]) * 0.1
        }).sum::<f64>() / total as f64;
        let mean: f64 = bytemuck::pod_read_unaligned(&first[0][..8]);
        prop_assert!((mean - exact).abs() <= 1e-9 * exact.abs().max(1.0), "{} {}", mean, exact);
    }
}

#[test]
fn overlaps_are_kept_when_told() {
    let many = Many { overlap: Overlap::Keep, ..Many::default() };
    let (all, findings) = open_many(&files(&["c.nc", "g.nc"]), &many).unwrap();
    let [overlap] = &findings.overlaps[..] else { panic!("{findings:?}") };
    assert!(overlap.contains("g.nc begins at 2000-01-1") && overlap.contains("c.nc goes on to"), "{overlap}");
    assert_eq!(all.root().dims.iter().find(|d| d.name == "time").unwrap().len, 15);
}

/// A day of a file: whether its time has bounds, and what its latitudes are stored as, which lie at `third` and so on.
fn day(path: &Path, from: f64, has_bounds: bool, lat: DType, third: f64) {
    let dims = [("time", 1), ("nv", 2), ("lat", 3)].map(|(name, len)| common::dim(name, len));
    let of = |name: &str, dtype, dims: &[Dimension]| common::var(name, dtype, dims, None);
    let doubles = |values: &[f64]| bytemuck::cast_slice(values).to_vec();
    let mut time = of("time", DType::F64, &dims[..1]);
    time.attrs.set("units", "days since 2001-01-01");
    let mut lats = of("lat", lat, &dims[2..]);
    lats.attrs.set("units", "degrees_north");
    let at = [third, third + 0.1, third + 0.2];
    let lat_bytes = match lat {
        DType::F32 => bytemuck::cast_slice(&at.map(|x| x as f32)).to_vec(),
        _ => doubles(&at),
    };
    let mut vars = vec![
        (lats, lat_bytes),
        (of("v", DType::F64, &[dims[0].clone(), dims[2].clone()]), doubles(&[from, from + 1.0, from + 2.0])),
    ];
    if has_bounds {
        time.attrs.set("bounds", "time_bnds");
        vars.push((of("time_bnds", DType::F64, &dims[..2]), doubles(&[from, from + 1.0])));
    }
    vars.push((time, doubles(&[from + 0.5])));
    common::create(path, OutputFormat::NetCdf4, &dims, &vars);
}

#[test]
fn bounds_that_not_all_files_have_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..3).map(|k| dir.path().join(format!("{k}.nc"))).collect();
    for (k, path) in paths.iter().enumerate() {
        day(path, k as f64, k != 1, DType::F64, 10.0);
    }
    let (all, findings) = open_many(&paths, &Many::default()).unwrap();
    assert!(findings.lacking[0].starts_with("variable 'time_bnds' is left out: ") && findings.lacking.len() == 1);
    assert!(findings.lacking[0].ends_with("1.nc has none"), "{findings:?}");
    assert!(all.root().var("time_bnds").is_none() && all.variable("time").unwrap().attrs.get("bounds").is_none());
    assert_eq!(all.numbers("v").unwrap(), [0.0, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0, 3.0, 4.0]);
    let (both, findings) = open_many(&[paths[0].clone(), paths[2].clone()], &Many::default()).unwrap();
    assert!(findings.lacking.is_empty());
    assert_eq!(both.numbers("time_bnds").unwrap(), [0.0, 1.0, 2.0, 3.0]);
}

/// Files of one time each, which is a number without a dimension.
#[test]
fn files_of_one_time_are_joined_along_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| run_in(dir.path(), args);
    // One of them counts from another day, and in days.
    for (name, at) in [("b.nc", "0"), ("a.nc", "-1"), ("b.nc", "1")] {
        let (input, part, out) = (fixtures().join(name), format!("time={at}"), format!("{name}{at}.nc"));
        assert_eq!(run(&["select", input.to_str().unwrap(), "--isel", &part, "-o", &out]).0, Some(0));
    }
    let paths: Vec<PathBuf> = ["b.nc1.nc", "b.nc0.nc", "a.nc-1.nc"].iter().map(|name| dir.path().join(name)).collect();
    let many = Many { combine: Combine::New("time".into()), ..Many::default() };
    let (all, findings) = open_many(&paths, &many).unwrap();
    assert!(findings.gaps.is_empty(), "{findings:?}");
    let (both, _) = open_many(&files(&["b.nc", "a.nc"]), &Many::default()).unwrap();
    let first = both.numbers("time").unwrap().iter().position(|x| *x == 0.0).unwrap() - 1;
    let part = format!("{first}:{}", first + 3);
    let wanted = both.select(&aosx::dataset::Selection::new().isel("time", &part)).unwrap();
    for name in ["time", "time_bnds", "t", "p"] {
        assert_eq!(all.variable(name).unwrap().dims[0], "time");
        near(&all.numbers(name).unwrap(), &Value::from(wanted.numbers(name).unwrap()), name);
    }
    let named = all.variable("t").unwrap().attrs.text("coordinates").unwrap_or_default();
    assert!(named.split(' ').all(|name| name != "time"), "it is no scalar any more: {named}");
    let e = open_many(&[paths[0].clone(), paths[0].clone()], &many).map(|_| ()).unwrap_err().to_string();
    assert!(e.contains("variable 'time': it begins at 2000-"), "{e}");
}

/// The same numbers in single precision, or added up in another order, are the same grid.
#[test]
fn grids_may_be_rounded() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let cases = [
        ("a.nc", DType::F64, 75.1),
        ("b.nc", DType::F32, 75.1),
        ("c.nc", DType::F64, 75.1 + 1e-12),
        ("d.nc", DType::F64, 75.1 + 1e-6),
        ("e.nc", DType::F32, 75.101),
    ];
    for (k, (name, dtype, lat)) in cases.into_iter().enumerate() {
        day(&path(name), k as f64, false, dtype, lat);
    }
    let (all, findings) = open_many(&["a.nc", "b.nc", "c.nc"].map(path), &Many::default()).unwrap();
    assert_eq!(all.numbers("lat").unwrap(), [75.1, 75.1 + 0.1, 75.1 + 0.2], "those of the first");
    assert_eq!(findings.differences.iter().filter(|d| d.ends_with("variable 'lat' is rounded otherwise")).count(), 2);
    for other in ["d.nc", "e.nc"] {
        let e = open_many(&["a.nc", other].map(path), &Many::default()).map(|_| ()).unwrap_err().to_string();
        assert!(e.contains(other) && e.contains("variable 'lat': another grid than"), "{e}");
    }
}

/// More files than may be open: they are opened again as they are read, with the same bits.
#[test]
fn few_descriptors_are_enough() {
    let dir = tempfile::tempdir().unwrap();
    for k in 0..120u64 {
        let (format, end) = common::FORMATS[k as usize % 2];
        let values: Vec<i32> = (0..24).map(|n| (n * 7 + k as i32 * 13) % 101).collect();
        write(&dir.path().join(format!("t_{k:03}_{end}")), format, &values, &[2, 3, 4], 0, 2 * k, 1);
    }
    let aosx = assert_cmd::cargo::cargo_bin("aosx");
    let reduce = |limit: &str| {
        let script = format!(
            "{limit} {} reduce 't_*.nc' --var v --op mean,std --axis time --format csv --threads 3 --memory 64MiB",
            aosx.display()
        );
        let run = std::process::Command::new("sh").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    };
    assert_eq!(reduce("ulimit -n 40;"), reduce(""));
}

/// Means over tiny NetCDF-3 files in folders, of which `limit` may be open at once.
fn tiny_files(count: u64, limit: u64) {
    let dir = tempfile::tempdir().unwrap();
    let value = |k: u64, n: u64| ((k * 7 + n * 13) % 1009) as i32;
    for k in 0..count {
        let folder = dir.path().join(format!("x{:02}", k / 100));
        std::fs::create_dir_all(&folder).unwrap();
        let values: Vec<i32> = (0..4).map(|n| value(k, n)).collect();
        write(&folder.join(format!("t_{k:05}.nc")), OutputFormat::NetCdf3, &values, &[1, 2, 2], 0, k, 1);
    }
    let aosx = assert_cmd::cargo::cargo_bin("aosx");
    let command =
        format!("exec {} reduce 'x*/t_*.nc' --op mean --axis time -o mean.nc --memory 256MiB", aosx.display());
    let script = format!("ulimit -n {limit}; {command}");
    let begun = std::time::Instant::now();
    let run = std::process::Command::new("sh").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    println!("{count} files, {limit} open at most: {:?}", begun.elapsed());
    let means = Dataset::open(dir.path().join("mean.nc")).unwrap().numbers("v").unwrap();
    let exact = (0..4).map(|n| (0..count).map(|k| f64::from(value(k, n))).sum::<f64>() / count as f64);
    assert_eq!(means, exact.collect::<Vec<_>>(), "sums of whole numbers are exact");
}

#[test]
fn hundreds_of_files_need_few_descriptors() {
    tiny_files(300, 64);
}

#[test]
#[ignore = "writes 10,000 files"]
fn ten_thousand_files_need_few_descriptors() {
    tiny_files(10_000, 256);
}

#[test]
fn variables_of_several_files_become_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let input = |name: &str| fixtures().join(name).to_str().unwrap().to_string();
    let run = |args: &[&str]| run_in(dir.path(), args);
    for (name, var) in [("t.nc", "t"), ("p.nc", "p")] {
        assert_eq!(run(&["convert", &input("b.nc"), "--var", var, "-o", name]).0, Some(0));
    }
    let (code, out, err) = run(&["merge", "t.nc", "p.nc", "-o", "both.nc"]);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    let (code, out, err) = run(&["diff", "both.nc", &input("b.nc"), "--var", "t,p,time,lat", "--values"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(run(&["convert", &input("e.nc"), "--var", "mask", "-o", "e.nc"]).0, Some(0));
    let (code, _, err) = run(&["merge", "t.nc", "e.nc", "-o", "no.nc"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("e.nc: variable 'lat': the coordinate differs: value 0 is -59, and -60 in t.nc"), "{err}");
}
