//! A disk that is full: a clear error, the old output as it was, and nothing else left.
//!
//! The disk is played by a limit on the length of files: behind it `write` fails with EFBIG, at any byte.
#![cfg(target_os = "linux")]

mod common;

use aosx::{
    dtype::DType,
    formats::{self, OutputFormat},
    shape::ChunkIndex,
    source::{CodecMeta, Group},
};
use common::dim;
use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Output},
};

const MAPS: u64 = 48;
const POINTS: u64 = 4096;

/// Numbers that do not compress (splitmix64).
fn noise(n: u64) -> f64 {
    let mix = |x: u64, shift: u32, by: u64| (x ^ x >> shift).wrapping_mul(by);
    let x = mix(mix(n.wrapping_mul(0x9e37_79b9_7f4a_7c15), 30, 0xbf58_476d_1ce4_e5b9), 27, 0x94d0_49bb_1331_11eb);
    f64::from_bits((x ^ x >> 31) >> 2)
}

fn make(path: &Path) {
    let dims = [dim("t", MAPS), dim("x", POINTS)];
    let v = common::var("v", DType::F64, &dims, Some(&[4, POINTS]));
    let bytes = (0..MAPS * POINTS).flat_map(|n| noise(n).to_ne_bytes()).collect();
    common::create(path, OutputFormat::NetCdf4, &dims, &[(v, bytes)]);
}

/// Runs a command that can write no file longer than `limit`.
fn limited(mut command: Command, limit: u64) -> Output {
    let set = move || {
        let most = libc::rlimit { rlim_cur: limit, rlim_max: limit };
        // SAFETY: both calls are allowed between fork and exec, and touch no memory of the parent.
        match unsafe { (libc::signal(libc::SIGXFSZ, libc::SIG_IGN), libc::setrlimit(libc::RLIMIT_FSIZE, &most)) } {
            (libc::SIG_ERR, _) | (_, -1) => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: see `set`.
    unsafe { command.pre_exec(set) }.output().unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

/// The run failed as it should, and said why.
fn check_failure(output: &Output, target: &str, what: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{what}: {said}");
    assert_eq!(said.lines().count(), 1, "{what}: {said}");
    assert!(said.starts_with(&format!("aosx: error: {target}: ")), "{what}: {said}");
    assert!(said.contains("File too large"), "{what}: {said}");
    assert!(!said.contains("partial"), "{what}: {said}");
}

#[test]
fn a_full_disk_is_said_and_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("in.nc"));
    let mut failures = 0;
    for (target, options) in [
        ("out.nc", &["--codec", "shuffle,deflate:1"][..]),
        ("out.nc", &["--codec", "none"]),
        ("out.nc", &["--codec", "none", "--chunks", "t=all"]),
        ("out.nc", &["--format", "nc3", "--codec", "none"]),
        ("out.nc", &["--format", "nc5", "--codec", "none"]),
        ("out.zarr", &["--codec", "zstd:1"]),
        ("out.zarr", &["--format", "zarr2", "--codec", "none"]),
    ] {
        let path = dir.path().join(target);
        for (n, limit) in
            [0, 1, 300, 2000, 4096, 5500, 7000, 9000, 12_000, 60_000, 120_000, 700_001, 1 << 20, 1_400_000]
                .into_iter()
                .enumerate()
        {
            // Every second time there is an old output.
            let old = if target.ends_with(".zarr") { path.join("zarr.json") } else { path.clone() };
            if n % 2 == 1 {
                std::fs::create_dir_all(old.parent().unwrap()).unwrap();
                std::fs::write(&old, "old").unwrap();
            }
            let before = names(dir.path());
            let mut command = Command::new(assert_cmd::cargo::cargo_bin("aosx"));
            command.args(["calc", "w = v * 2", "in.nc", "-o", target, "--threads", "2"]).args(options);
            command.current_dir(dir.path());
            let output = limited(command, limit);
            let what = format!("{target} {options:?} within {limit} bytes");
            if target.ends_with(".zarr") && limit > 131_072 {
                assert_eq!(output.status.code(), Some(0), "{what}: no file is so long");
            } else {
                check_failure(&output, target, &what);
                failures += 1;
                assert_eq!(names(dir.path()), before, "{what}");
                if n % 2 == 1 {
                    assert_eq!(std::fs::read_to_string(&old).unwrap(), "old", "{what}");
                }
            }
            let _ = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        }
    }
    assert!(failures > 60, "{failures}");
}

#[test]
fn a_full_disk_leaves_nothing_of_a_reduction() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("in.nc"));
    for (target, limit) in [("out.nc", 0), ("out.nc", 10_000), ("out.zarr", 100), ("out.zarr", 20_000)] {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("aosx"));
        command.args(["reduce", "in.nc", "--op", "mean,std", "--axis", "t", "-o", target]);
        command.current_dir(dir.path());
        let output = limited(command, limit);
        check_failure(&output, target, &format!("{target} within {limit} bytes"));
        assert_eq!(names(dir.path()), ["in.nc"]);
    }
}

/// What the child of the next test runs.
const CHILD: &str = "writes_shards_in_the_current_folder";

#[test]
#[ignore = "run by the test of shards, in a process of its own with a limit"]
fn writes_shards_in_the_current_folder() {
    let dims = [dim("t", MAPS), dim("x", POINTS)];
    let mut v = common::var("v", DType::F64, &dims, Some(&[4, POINTS]));
    v.storage.shard = Some([24, POINTS][..].into());
    v.storage.codecs = vec![CodecMeta { name: "crc32c".into(), level: None, detail: String::new() }];
    let root = Group { dims: dims.to_vec(), vars: vec![v], ..Group::default() };
    let written = formats::create(Path::new("out.zarr"), OutputFormat::Zarr3, &root).and_then(|sink| {
        let size = sink.scratch("v")?;
        let lease = aosx::budget::Budget::new(aosx::units::Bytes(size.bytes())).lease(size.bytes(), "test")?;
        let mut scratch = aosx::codec::Scratch::new(size, lease);
        // Backwards, so that both shards have to be sorted.
        for n in (0..MAPS / 4).rev() {
            let data: Vec<u8> = (0..4 * POINTS).flat_map(|k| noise(n * 4 * POINTS + k).to_ne_bytes()).collect();
            sink.write("v", &ChunkIndex(vec![n, 0]), &data, &mut scratch)?;
        }
        sink.finish()
    });
    if let Err(e) = written {
        eprintln!("aosx: error: {e}");
        std::process::exit(1);
    }
}

#[test]
fn a_full_disk_leaves_nothing_of_shards() {
    let dir = tempfile::tempdir().unwrap();
    let shard_bytes = 6 * (4 * POINTS * 8 + 4) + 6 * 16 + 4;
    for limit in [0, 500, 131_076, 200_000, shard_bytes - 100, shard_bytes - 1, shard_bytes] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", CHILD, "--ignored", "--nocapture", "--quiet"]);
        command.current_dir(dir.path());
        let output = limited(command, limit);
        if limit == shard_bytes {
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(names(dir.path()), ["out.zarr"]);
            assert_eq!(std::fs::metadata(dir.path().join("out.zarr/v/c/1/0")).unwrap().len(), shard_bytes);
        } else {
            check_failure(&output, "out.zarr", &format!("shards within {limit} bytes"));
            assert_eq!(names(dir.path()), [""; 0]);
        }
    }
}
