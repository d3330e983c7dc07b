//! Whoever stops a run finds what was there before, and nothing else.
#![cfg(unix)]

mod common;

use aosx::{dtype::DType, formats::OutputFormat};
use common::dim;
use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Chunks that shrink well and take long to fold: 512 MiB in half a megabyte.
fn make(path: &Path) {
    let dims = [dim("t", 256), dim("x", 1 << 18)];
    let v = common::var("v", DType::F64, &dims, Some(&[4, 1 << 18]));
    let root = aosx::source::Group { dims: dims.to_vec(), vars: vec![v], ..Default::default() };
    let sink = aosx::formats::create(path, OutputFormat::NetCdf4, &root).unwrap();
    common::fill(&*sink, "v", |region| vec![0; region.shape.bytes(8).unwrap()]);
    sink.finish().unwrap();
}

fn start(dir: &Path, out: &str) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin("aosx"))
        .args(["reduce", "in.nc", "--op", "std,prod,argmax", "--axis", "t", "--threads", "1", "-o", out])
        .current_dir(dir)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: no memory is touched; the child is ours and has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

/// Waits until the run has begun its output, which has another name until it is whole.
fn wait_for_output(dir: &Path, before: usize) {
    let begun = Instant::now();
    while names(dir).len() == before {
        assert!(begun.elapsed() < Duration::from_secs(20), "no output was begun");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_run_that_is_asked_to_stop_cleans_up() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("in.nc"));
    for (out, asked) in [("out.nc", libc::SIGTERM), ("out.zarr", libc::SIGTERM), ("out.nc", libc::SIGINT)] {
        let child = start(dir.path(), out);
        wait_for_output(dir.path(), 1);
        signal(&child, asked);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{out}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(names(dir.path()), ["in.nc"], "{out}");
    }
}

#[test]
fn a_run_that_is_killed_leaves_the_old_output() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("in.nc"));
    for out in ["out.nc", "out.zarr"] {
        let target = dir.path().join(out);
        let old = if out == "out.zarr" { target.join("zarr.json") } else { target.clone() };
        if out == "out.zarr" {
            std::fs::create_dir(&target).unwrap();
        }
        std::fs::write(&old, "old").unwrap();
        let before = names(dir.path()).len();
        let child = start(dir.path(), out);
        wait_for_output(dir.path(), before);
        signal(&child, libc::SIGKILL);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(libc::SIGKILL), "{out}");
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "old");
    }
}

/// Cuts 512 MiB anew by way of the disk. Its chunks of 8 MiB need 50 MiB, and a program that was just linked may be in memory as
/// a whole.
fn start_converting(dir: &Path, out: &str) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin("aosx"))
        .args(["convert", "in.nc", "-o", out, "--chunks", "t=all,x=4096", "--memory", "80MiB"])
        .args(["--threads", "1", "--spill-dir", "spill", "--quiet"])
        .current_dir(dir)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_run_that_spills_stops_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("in.nc"));
    std::fs::create_dir(dir.path().join("spill")).unwrap();
    for (n, (out, asked)) in
        [("out.zarr", libc::SIGTERM), ("out.nc", libc::SIGINT), ("out.zarr", libc::SIGINT)].into_iter().enumerate()
    {
        let child = start_converting(dir.path(), out);
        wait_for_output(dir.path(), 2);
        std::thread::sleep(Duration::from_millis(40 * n as u64));
        let begun = Instant::now();
        signal(&child, asked);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{out}: {said}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{out}: {:?}", begun.elapsed());
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(names(dir.path()), ["in.nc", "spill"], "{out}");
        assert_eq!(names(&dir.path().join("spill")), [""; 0], "{out}");
    }
}

#[test]
fn a_second_signal_stops_at_once_and_the_next_run_cleans_up() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("in.nc"));
    std::fs::create_dir(dir.path().join("spill")).unwrap();
    for out in ["out.nc", "out.zarr"] {
        let child = start_converting(dir.path(), out);
        wait_for_output(dir.path(), 2);
        let begun = Instant::now();
        signal(&child, libc::SIGINT);
        std::thread::sleep(Duration::from_millis(1));
        signal(&child, libc::SIGINT);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{out}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(begun.elapsed() < Duration::from_millis(500), "{out}: {:?}", begun.elapsed());
        assert_eq!(names(&dir.path().join("spill")), [""; 0], "{out}");
        let child = start(dir.path(), out);
        let all = names(dir.path());
        assert!(all.iter().filter(|name| name.ends_with(".partial")).count() <= 2, "{all:?}");
        assert!(child.wait_with_output().unwrap().status.success());
        assert_eq!(names(dir.path()), ["in.nc", out, "spill"], "{out}");
        let path = dir.path().join(out);
        let _ = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
    }
}
