//! The memory limit is the process's: its peak, by the kernel's count, stays under `--memory`, and the answers are the
//! same bytes as with plenty.
#![cfg(target_os = "linux")]

mod common;

use aosx::{
    dtype::DType,
    formats::{self, OutputFormat},
    shape::Region,
    source::{Dimension, Group},
};
use common::dim;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const LIMIT_MIB: i64 = 64;

/// 256 MiB of waves.
fn axes() -> [Dimension; 3] {
    [dim("time", 256), dim("lat", 512), dim("lon", 512)]
}

fn wave(region: &Region) -> Vec<u8> {
    let (start, shape) = (&region.start, &region.shape);
    let mut out = Vec::with_capacity(shape.bytes(4).unwrap());
    for t in start[0]..start[0] + shape[0] {
        for y in start[1]..start[1] + shape[1] {
            // One number a row and a small step: cheap to make, and deflate finds it soon.
            let row = ((t * 7 + y * 13) % 97) as f32 * 0.25;
            out.extend((start[2]..start[2] + shape[2]).flat_map(|x| (row + (x / 64) as f32).to_ne_bytes()));
        }
    }
    out
}

fn make(path: &Path, format: OutputFormat, chunk: Option<&[u64]>) {
    let var = common::var("v", DType::F32, &axes(), chunk);
    let root = Group { dims: axes().to_vec(), vars: vec![var], ..Group::default() };
    let sink = formats::create(path, format, &root).unwrap();
    common::fill(&*sink, "v", wave);
    sink.finish().unwrap();
}

/// Runs the binary, and gives the most memory that it ever held, in kibibytes.
#[expect(clippy::zombie_processes, reason = "wait4 waits for it")]
fn peak(args: &[&str]) -> i64 {
    let child = Command::new(assert_cmd::cargo::cargo_bin("aosx")).args(args).stdout(Stdio::null()).spawn().unwrap();
    let mut status = 0;
    // SAFETY: both pointers are to live values of the right types; the child is ours, and nobody else waits for it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::wait4(child.id() as i32, &mut status, 0, &mut usage), child.id() as i32);
        usage
    };
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{args:?}: status {status:#x}");
    usage.ru_maxrss
}

/// Every file under a path, with its bytes, without the line of history that names the limit.
fn files(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if path.is_file() {
        return vec![(path.to_path_buf(), std::fs::read(path).unwrap())];
    }
    let mut all: Vec<_> = std::fs::read_dir(path).unwrap().flat_map(|e| files(&e.unwrap().path())).collect();
    all.sort();
    all
}

/// The chunks of the results: everything but metadata.
fn values(store: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let all = files(store).into_iter().filter(|(p, _)| p.extension().is_none_or(|e| e != "json"));
    all.map(|(p, bytes)| (p.strip_prefix(store).unwrap().to_path_buf(), bytes)).collect()
}

fn check(name: &str, format: OutputFormat, chunk: Option<&[u64]>) {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join(name);
    make(&input, format, chunk);
    let input = input.to_str().unwrap();
    let own = peak(&["info", input]);
    assert!(own < 40 << 10, "{own} KiB to show metadata: the figure is not the child's own");
    for axis in ["time", "lat", "lon", "lat,lon"] {
        for ops in ["mean", "std,max"] {
            let out = |memory: &str| dir.path().join(format!("{axis}-{ops}-{memory}.zarr"));
            let run = |memory: &str| {
                let out = out(memory);
                let out = out.to_str().unwrap();
                peak(&["reduce", input, "--op", ops, "--axis", axis, "-o", out, "--memory", memory, "--threads", "2"])
            };
            let small = run("64MiB");
            assert!(small <= LIMIT_MIB << 10, "{name}: {ops} over {axis}: {small} KiB");
            run("1GiB");
            let (a, b) = (values(&out("64MiB")), values(&out("1GiB")));
            assert!(!a.is_empty() && a == b, "{name}: {ops} over {axis}: other bytes with more memory");
        }
    }
}

#[test]
fn netcdf4_in_maps() {
    check("map.nc", OutputFormat::NetCdf4, Some(&[1, 512, 512]));
}

#[test]
fn zarr_in_cubes() {
    check("cube.zarr", OutputFormat::Zarr3, Some(&[64, 64, 64]));
}

#[test]
fn netcdf_classic() {
    check("plain.nc", OutputFormat::NetCdf5, None);
}

/// 64 MiB of numbers of which most are different.
fn noise(region: &Region) -> Vec<u8> {
    let (start, shape) = (&region.start, &region.shape);
    let mut out = Vec::with_capacity(shape.bytes(4).unwrap());
    for t in start[0]..start[0] + shape[0] {
        for y in start[1]..start[1] + shape[1] {
            let at = |x: u64| (((t * 512 + y) * 512 + x) as u32).wrapping_mul(0x9e37_79b9);
            out.extend((start[2]..start[2] + shape[2]).flat_map(|x| (at(x) as f32).to_ne_bytes()));
        }
    }
    out
}

#[test]
fn statistics_of_all_values() {
    let dir = tempfile::tempdir().unwrap();
    let (waves, noisy) = (dir.path().join("waves.nc"), dir.path().join("noisy.nc"));
    make(&waves, OutputFormat::NetCdf4, Some(&[1, 512, 512]));
    let dims = [dim("time", 64), dim("lat", 512), dim("lon", 512)];
    let root = Group {
        dims: dims.to_vec(),
        vars: vec![common::var("v", DType::F32, &dims, Some(&[4, 512, 512]))],
        ..Group::default()
    };
    let sink = formats::create(&noisy, OutputFormat::NetCdf4, &root).unwrap();
    common::fill(&*sink, "v", noise);
    sink.finish().unwrap();
    for input in [waves, noisy] {
        let out = |memory: &str| input.with_extension(format!("{memory}.zarr"));
        let run = |memory: &str| {
            let (input, out) = (input.to_str().unwrap(), out(memory));
            let ops = ["--op", "median,iqr,mad,nunique,mode", "--axis", "all"];
            let rest = ["-o", out.to_str().unwrap(), "--memory", memory, "--threads", "2"];
            peak(&[&["reduce", input], &ops[..], &rest[..]].concat())
        };
        let small = run("64MiB");
        assert!(small <= LIMIT_MIB << 10, "{}: {small} KiB", input.display());
        run("1GiB");
        let (a, b) = (values(&out("64MiB")), values(&out("1GiB")));
        assert!(a.len() == 5 && a == b, "{}: other bytes with more memory: {a:?} {b:?}", input.display());
    }
}
