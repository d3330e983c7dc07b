//! Runs that end early, whatever ends them: the old output or none, nothing left in the folder of what is spilled, and
//! an output that is gone on with is as one that was never broken.
//!
//! `AOSX_TRIALS=200` says how many runs each test breaks; a few where it is not set.
#![cfg(target_os = "linux")]

mod common;

use aosx::{
    dtype::DType,
    formats::{self, OutputFormat},
    source::Group,
};
use common::dim;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const MAPS: u64 = 400;
const LAT: u64 = 90;
const LON: u64 = 160;
/// So little that what is sorted or cut anew goes through the disk.
const MEMORY: &str = "40MiB";

/// How often each of so many kinds is tried.
fn trials(kinds: usize, few: usize) -> usize {
    let all = std::env::var("AOSX_TRIALS").ok().and_then(|n| n.parse::<usize>().ok());
    all.map_or(few, |all| all.div_ceil(kinds))
}

/// Numbers that look random (splitmix64), the same at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

/// A kind of run.
struct Kind {
    name: &'static str,
    target: &'static str,
    args: Vec<&'static str>,
}

/// Bytes of a record in a journal.
const RECORD_BYTES: u64 = 40;

fn kinds() -> Vec<Kind> {
    let kind = |name, target, args: &str| {
        let args = args.split(' ').map(|word| &*Box::leak(word.replace('_', " ").into_boxed_str())).collect();
        Kind { name, target, args }
    };
    vec![
        kind("to series", "out.zarr", "convert in.nc --chunks time=all,lat=18,lon=16 --codec zstd:1"),
        kind(
            "to shards",
            "out.zarr",
            "convert in.nc --chunks time=all,lat=6,lon=16 --shards lat=18,lon=80 --codec none",
        ),
        kind("to maps", "out.nc", "convert series.zarr --chunks time=1,lat=all,lon=all --codec shuffle,deflate:1"),
        kind("sorted", "out.nc", "calc s_=_sort(v,_time) in.nc --codec none"),
        kind("sorted store", "out.zarr", "calc s_=_sort(v,_time);_m_=_max(v,_time) in.nc --codec none"),
        kind("classic", "out.nc3", "calc s_=_sort(v,_time);_m_=_max(v,_time) in.nc"),
        kind("packed", "out.nc", "calc s_=_sort(v,_time);_m_=_max(v,_time) in.nc --codec shuffle,deflate:1"),
    ]
}

impl Kind {
    /// What is kept when a run ends early.
    fn unfinished(&self) -> String {
        format!(".{}.unfinished", self.target)
    }

    fn journal(&self) -> String {
        format!("{}/journal", self.unfinished())
    }
}

/// Maps of numbers that hardly shrink.
fn make(path: &Path) {
    let dims = [dim("time", MAPS), dim("lat", LAT), dim("lon", LON)];
    let v = common::var("v", DType::F32, &dims, Some(&[8, LAT, LON]));
    let time = common::var("time", DType::F64, &dims[..1], None);
    let root = Group { dims: dims.to_vec(), vars: vec![time, v], ..Group::default() };
    let sink = formats::create(path, OutputFormat::NetCdf4, &root).unwrap();
    common::fill(&*sink, "time", |_| (0..MAPS).flat_map(|n| (n as f64).to_ne_bytes()).collect());
    common::fill(&*sink, "v", |region| {
        let mut random = Random(region.start[0]);
        let cells = region.shape.iter().product::<u64>();
        (0..cells).flat_map(|_| ((random.next() >> 44) as f32).to_ne_bytes()).collect()
    });
    sink.finish().unwrap();
}

/// A folder with inputs, an empty one for what is spilled, and what unbroken runs give.
struct Place {
    dir: TempDir,
    whole: PathBuf,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        make(&dir.path().join("in.nc"));
        fs::create_dir(dir.path().join("spill")).unwrap();
        let whole = dir.path().join("whole");
        fs::create_dir(&whole).unwrap();
        let place = Place { whole, dir };
        let output = place.command(&kinds()[0], "series.zarr", &[]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        place
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self, kind: &Kind, target: &str, more: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("aosx"));
        command.args(&kind.args).args(["-o", target, "--spill-dir", "spill"]);
        let settings = [["--memory", MEMORY], ["--threads", "2"]];
        settings.iter().filter(|[name, _]| !more.contains(name)).for_each(|setting| {
            command.args(setting);
        });
        command.args(more).current_dir(self.path()).env("SOURCE_DATE_EPOCH", "951782400");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What an unbroken run gives, and how long it takes.
    fn unbroken(&self, kind: &Kind, more: &[&str]) -> (PathBuf, Duration) {
        if kinds().iter().any(|k| k.name == kind.name) {
            let plan = self.command(kind, kind.target, &["--explain"]).output().unwrap();
            let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
            assert!(plan.contains(" spilled before compression"), "{}: {plan}", kind.name);
        }
        let begun = Instant::now();
        let output = self.command(kind, kind.target, more).output().unwrap();
        let took = begun.elapsed();
        assert!(output.status.success(), "{}: {}", kind.name, said(&output));
        let kept = self.whole.join(kind.target);
        remove(&kept);
        fs::rename(self.path().join(kind.target), &kept).unwrap();
        (kept, took)
    }

    /// Puts something in the output's place.
    fn put_old(&self, target: &str) {
        let path = self.path().join(target);
        remove(&path);
        if target.ends_with(".zarr") {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("zarr.json"), "old").unwrap();
        } else {
            fs::write(&path, "old").unwrap();
        }
    }

    /// Whether the output is the old one or none; if not it is whole.
    fn is_old(&self, target: &str, had_old: bool, whole: &Path, what: &str) -> bool {
        let path = self.path().join(target);
        let old = if target.ends_with(".zarr") { path.join("zarr.json") } else { path.clone() };
        if !path.exists() {
            assert!(!had_old, "{what}: the old output is gone");
            return true;
        }
        if had_old && fs::read(&old).unwrap() == b"old" {
            return true;
        }
        self.check_same(&path, whole, what);
        false
    }

    /// Stores have to have the same files with the same bytes, and so have classic files; where the chunks of others lie
    /// depends on who came first.
    fn check_same(&self, path: &Path, whole: &Path, what: &str) {
        if path.is_dir() {
            let (a, b) = (files(path), files(whole));
            assert!(a.keys().eq(b.keys()), "{what}: {:?} and {:?}", a.keys(), b.keys());
            let differs: Vec<_> = a.iter().filter(|(name, bytes)| b[*name] != **bytes).map(|(name, _)| name).collect();
            assert!(differs.is_empty(), "{what}: {differs:?}");
            return;
        }
        if fs::read(path).unwrap() == fs::read(whole).unwrap() {
            return;
        }
        assert!(!path.ends_with("out.nc3"), "{what}: other bytes");
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("aosx"));
        // Of chunks and filters it speaks where it is asked to say more.
        let output = command.args(["diff", "-v"]).arg(path).arg(whole).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let is_same = output.status.success() && text.starts_with("identical: ");
        assert!(is_same, "{what}: {text}{}", said(&output));
    }

    /// What lies beside the inputs and the target.
    fn left(&self, target: &str) -> Vec<String> {
        assert_eq!(
            fs::read_dir(self.path().join("spill")).unwrap().count(),
            0,
            "something is left of what was spilled"
        );
        let known = ["in.nc", "series.zarr", "spill", "whole", target];
        let names = fs::read_dir(self.path()).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !known.contains(&name.as_str())).collect()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// Every file under a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for item in fs::read_dir(&next).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.insert(path.strip_prefix(folder).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    all
}

/// Runs for a while, and is killed; whether it was.
fn killed(command: Command, after: Duration) -> bool {
    stopped(command, after, libc::SIGKILL)
}

/// Runs for a while, and gets a signal; whether that ended it.
fn stopped(mut command: Command, after: Duration, signal: i32) -> bool {
    let child = command.spawn().unwrap();
    std::thread::sleep(after);
    // SAFETY: no memory is touched; the child is ours and has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
    let output = child.wait_with_output().unwrap();
    // It may come before anything listens.
    let was = output.status.signal() == Some(signal) || output.status.code() == Some(130);
    assert!(was || output.status.success(), "{}", said(&output));
    was
}

/// Cuts one file of values of a store short; changes some bytes of a file behind its header.
fn damage(unfinished: &Path, random: &mut Random) {
    let Ok(items) = fs::read_dir(unfinished) else { return };
    let mut stores: Vec<PathBuf> = items.map(|item| item.unwrap().path()).collect();
    stores.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("store"));
    stores.sort();
    let Some(store) = stores.first() else { return };
    if store.is_file() {
        let mut bytes = fs::read(store).unwrap();
        let behind = bytes.len().saturating_sub(16 << 10);
        if behind > 0 {
            let at = (16 << 10) + random.below(behind as u64) as usize;
            bytes[at..].iter_mut().take(100).for_each(|byte| *byte ^= 0x55);
            fs::write(store, bytes).unwrap();
        }
        return;
    }
    let values: Vec<(PathBuf, Vec<u8>)> =
        files(store).into_iter().filter(|(path, _)| path.to_string_lossy().contains("/c/")).collect();
    if let Some((path, bytes)) = values.get(random.below(values.len() as u64) as usize) {
        fs::write(store.join(path), &bytes[..random.below(bytes.len() as u64) as usize]).unwrap();
    }
}

/// A moment of a run, its end included.
fn moment(random: &mut Random, took: Duration) -> Duration {
    Duration::from_micros(random.below(took.as_micros() as u64 * 21 / 20))
}

#[test]
fn killed_runs_leave_the_old_output_and_what_the_next_run_removes() {
    let place = Place::new();
    let mut random = Random(7);
    let (kinds, mut all) = (kinds(), 0);
    for kind in &kinds {
        let (whole, mut took) = place.unbroken(kind, &[]);
        let mut kills = 0;
        for trial in 0..trials(kinds.len(), 2) {
            let what = format!("{}, trial {trial}", kind.name);
            let had_old = trial % 2 == 1;
            remove(&place.path().join(kind.target));
            if had_old {
                place.put_old(kind.target);
            }
            let after = moment(&mut random, took);
            match killed(place.command(kind, kind.target, &[]), after) {
                true => kills += 1,
                false => took = took.min(after),
            }
            place.is_old(kind.target, had_old, &whole, &what);
            let left = place.left(kind.target);
            assert!(left.len() <= 1, "{what}: {left:?}");
            assert!(left.iter().all(|name| name.ends_with(".partial")), "{what}: {left:?}");
            let output = place.command(kind, kind.target, &[]).output().unwrap();
            assert!(output.status.success(), "{what}: {}", said(&output));
            let notes = said(&output).lines().filter(|l| l.starts_with("aosx: note: removed ./.out.")).count();
            assert_eq!(notes + said(&output).matches("removed .out.").count(), left.len(), "{what}: {}", said(&output));
            assert!(!place.is_old(kind.target, had_old, &whole, &what), "{what}");
            assert_eq!(place.left(kind.target), [""; 0], "{what}");
        }
        println!("{}: {kills} kills within {took:?}", kind.name);
        all += kills;
        remove(&place.path().join(kind.target));
    }
    assert!(all > 0, "nobody was killed");
}

#[test]
fn killed_runs_are_gone_on_with_and_give_the_same() {
    let place = Place::new();
    let mut random = Random(11);
    let mut kinds = kinds();
    let rolling = "reduce in.nc --op mean,max --axis time --rolling 20 --chunks time=8";
    kinds.push(Kind { name: "windows", target: "out.nc", args: rolling.split(' ').collect() });
    let mut all = 0;
    for kind in &kinds {
        let (whole, mut took) = place.unbroken(kind, &["--resume"]);
        let (mut kills, mut gone_on, mut most) = (0, 0, 0);
        for trial in 0..trials(kinds.len(), 2) {
            let what = format!("{}, trial {trial}", kind.name);
            let had_old = trial % 2 == 1;
            remove(&place.path().join(kind.target));
            if had_old {
                place.put_old(kind.target);
            }
            let journal = place.path().join(kind.journal());
            // Until it is done: killed some times, and then left alone.
            for n in 0.. {
                let before = fs::metadata(&journal).map_or(0, |meta| meta.len());
                gone_on += usize::from(before > 0);
                if n == 3 {
                    let output = place.command(kind, kind.target, &["--resume"]).output().unwrap();
                    assert!(output.status.success(), "{what}: {}", said(&output));
                    break;
                }
                let signal = if n == 1 { libc::SIGINT } else { libc::SIGKILL };
                let after = moment(&mut random, took);
                if !stopped(place.command(kind, kind.target, &["--resume"]), after, signal) {
                    if before == 0 {
                        took = took.min(after);
                    }
                    break;
                }
                kills += 1;
                if trial % 2 == 1 {
                    damage(&place.path().join(kind.unfinished()), &mut random);
                }
                let left = place.left(kind.target);
                assert!(left.iter().all(|name| *name == kind.unfinished()), "{what}: {left:?}");
                most = most.max(fs::metadata(&journal).map_or(0, |meta| meta.len() / RECORD_BYTES));
                if !place.is_old(kind.target, had_old, &whole, &what) {
                    break;
                }
            }
            // Killed behind its last step it has left its folder, which the next run takes away.
            if !place.left(kind.target).is_empty() {
                let output = place.command(kind, kind.target, &["--resume"]).output().unwrap();
                assert!(output.status.success(), "{what}: {}", said(&output));
            }
            assert!(!place.is_old(kind.target, had_old, &whole, &what), "{what}");
            assert_eq!(place.left(kind.target), [""; 0], "{what}");
        }
        println!(
            "{}: {kills} kills within {took:?}, gone on with {gone_on} times, with up to {most} records",
            kind.name
        );
        all += kills;
        remove(&place.path().join(kind.target));
    }
    assert!(all > 0, "nobody was killed");
}

/// What is written is not computed again.
#[test]
fn what_is_written_is_not_written_again() {
    let place = Place::new();
    let kind = &kinds()[0];
    let (whole, took) = place.unbroken(kind, &["--resume"]);
    let folder = place.path().join(".out.zarr.unfinished");
    let mut random = Random(5);
    let written = loop {
        remove(&folder);
        remove(&place.path().join(kind.target));
        killed(place.command(kind, kind.target, &["--resume"]), moment(&mut random, took));
        let journal = fs::metadata(folder.join("journal")).map_or(0, |meta| meta.len() / RECORD_BYTES);
        if (4..40).contains(&journal) {
            break journal;
        }
    };
    let chunks: Vec<PathBuf> = files(&folder.join("store")).into_keys().filter(|p| p.starts_with("v/c")).collect();
    let mut old = BTreeMap::new();
    for path in &chunks {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(folder.join("store").join(path)).unwrap();
        old.insert(path.clone(), (meta.ino(), meta.mtime(), meta.mtime_nsec()));
    }
    std::thread::sleep(Duration::from_millis(20));
    let output = place.command(kind, kind.target, &["--resume", "--threads", "1"]).output().unwrap();
    assert!(output.status.success(), "more threads or fewer are the same run: {}", said(&output));
    let target = place.path().join(kind.target);
    let same = old.iter().filter(|(path, was)| {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(target.join(path)).unwrap();
        (meta.ino(), meta.mtime(), meta.mtime_nsec()) == **was
    });
    let same = same.count() as u64;
    assert!(same > 0 && same + 2 >= written.min(old.len() as u64) && same <= written, "{same} of {written}");
    place.check_same(&target, &whole, "gone on with");
}

/// What a NetCDF file has when its run is killed is not computed again: the input of it can be broken.
#[test]
fn what_is_taken_over_is_not_computed_again() {
    let place = Place::new();
    let input = place.path().join("in.nc");
    let sound = fs::read(&input).unwrap();
    let modified = fs::metadata(&input).unwrap().modified().unwrap();
    for (target, codec) in [("out.nc", "shuffle,deflate:1"), ("out.nc", "none"), ("out.nc3", "none")] {
        let args = vec!["calc", "w = v + 1", "in.nc", "--codec", codec];
        let kind = Kind { name: "plus one", target, args };
        let one_thread = ["--resume", "--threads", "1"];
        let (whole, _) = place.unbroken(&kind, &one_thread);
        let journal = place.path().join(kind.journal());
        // Twice in a row: what was taken over once is taken over again.
        for records in [6, 12] {
            let killed = || {
                let mut child = place.command(&kind, target, &one_thread).spawn().unwrap();
                let written = || fs::metadata(&journal).map_or(0, |meta| meta.len() / RECORD_BYTES);
                while child.try_wait().unwrap().is_none() && written() < records {}
                child.kill().unwrap();
                !child.wait().unwrap().success()
            };
            for attempt in 0.. {
                assert!(attempt < 100, "{target}: it always comes to its end");
                if killed() {
                    break;
                }
                remove(&place.path().join(target));
            }
        }
        let set = |bytes: &[u8]| {
            fs::write(&input, bytes).unwrap();
            fs::File::options().append(true).open(&input).unwrap().set_modified(modified).unwrap();
        };
        // In the middle of the first chunk, where the identity of a run does not look.
        let mut broken = sound.clone();
        broken[(100 << 10)..(101 << 10)].iter_mut().for_each(|byte| *byte ^= 0x55);
        set(&broken);
        let anew = place.command(&kind, "other.nc", &[]).output().unwrap();
        assert_eq!(anew.status.code(), Some(1), "the input is broken: {}", said(&anew));
        let output = place.command(&kind, target, &["--resume"]).output().unwrap();
        set(&sound);
        assert!(output.status.success(), "{target}: {}", said(&output));
        place.check_same(&place.path().join(target), &whole, target);
        assert_eq!(place.left(target), [""; 0]);
        remove(&place.path().join(target));
    }
}

#[test]
fn another_run_does_not_go_on_with_it() {
    let place = Place::new();
    for kind in [&kinds()[0], &kinds()[3], &kinds()[5]] {
        let (folder, own) = (place.path().join(kind.unfinished()), kind.unfinished());
        let full = ["--resume", "--spill-limit", "1MiB"];
        // An error keeps nothing where nothing is written yet.
        let output = place.command(kind, kind.target, &full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let mut after = Duration::from_millis(20);
        while !folder.join("run.json").exists() {
            killed(place.command(kind, kind.target, &["--resume"]), after);
            remove(&place.path().join(kind.target));
            after += Duration::from_millis(10);
        }
        let says = |more: &[&str]| {
            let output = place.command(kind, kind.target, more).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{}", said(&output));
            said(&output)
        };
        let text = says(&["--resume", "--dtype", "f64"]);
        assert!(text.contains("the request") && text.contains(&format!("to start anew delete {own}")), "{text}");
        let touched = fs::File::options().append(true).open(place.path().join("in.nc")).unwrap();
        touched.set_modified(std::time::SystemTime::now() + Duration::from_secs(5)).unwrap();
        let text = says(&["--resume"]);
        assert!(text.contains("the input in.nc was '"), "{text}");
        // Without --resume it stays beside, and is said.
        let output = place.command(kind, kind.target, &[]).output().unwrap();
        assert!(output.status.success() && said(&output).contains("which --resume goes on with"), "{}", said(&output));
        assert_eq!(place.left(kind.target), [own]);
        remove(&folder);
        remove(&place.path().join(kind.target));
    }
}

/// A command that can write no file longer than `limit`; it has to see to the signal itself.
fn limited(mut command: Command, limit: u64) -> Output {
    let set = move || {
        let most = libc::rlimit { rlim_cur: limit, rlim_max: limit };
        // SAFETY: the call is allowed between fork and exec, and touches no memory of the parent.
        if unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &most) } == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: see `set`.
    unsafe { command.pre_exec(set) }.output().unwrap()
}

#[test]
fn full_disks_are_said_and_leave_what_was_there() {
    let place = Place::new();
    let mut random = Random(23);
    let kinds = kinds();
    for kind in &kinds {
        let (whole, _) = place.unbroken(kind, &[]);
        let (mut spilling, mut writing) = (0, 0);
        for trial in 0..trials(kinds.len(), 6) {
            let what = format!("{}, trial {trial}", kind.name);
            let had_old = trial % 2 == 1;
            remove(&place.path().join(kind.target));
            if had_old {
                place.put_old(kind.target);
            }
            let by_limit = trial % 3 == 2;
            // Evenly over orders of magnitude, up to what the spill file takes.
            let most = 8 + random.below(16);
            let bytes = random.below(1 << most);
            let output = if by_limit {
                place.command(kind, kind.target, &["--spill-limit", &format!("{bytes}")]).output().unwrap()
            } else {
                limited(place.command(kind, kind.target, &[]), bytes)
            };
            let text = said(&output);
            if output.status.success() {
                assert!(!place.is_old(kind.target, had_old, &whole, &what), "{what}");
            } else {
                assert_eq!(output.status.code(), Some(1), "{what} within {bytes}: {text}");
                assert_eq!(text.lines().count(), 1, "{what} within {bytes}: {text}");
                let spilled = text.contains("spilling into spill: ");
                let why = if by_limit { "--spill-limit" } else { "File too large" };
                assert!(text.contains(why) && (spilled || text.contains(kind.target)), "{what} within {bytes}: {text}");
                assert!(!by_limit || spilled, "{what}: {text}");
                spilling += usize::from(spilled);
                writing += usize::from(!spilled);
                assert!(place.is_old(kind.target, had_old, &whole, &what));
            }
            assert_eq!(place.left(kind.target), [""; 0], "{what} within {bytes}: {text}");
        }
        println!("{}: full {spilling} times while spilling, {writing} times while writing", kind.name);
        assert!(spilling > 0, "{}", kind.name);
        remove(&place.path().join(kind.target));
    }
}

/// A disk that fills while an output is kept: what is written stays, and the run goes on when there is room.
#[test]
fn a_full_disk_is_gone_on_with() {
    let place = Place::new();
    // What comes first (coordinates, what is declared) is shorter than this, and the rest is not.
    for (kind, limit) in [(&kinds()[0], 8000), (&kinds()[6], 1 << 20)] {
        let roomy = ["--resume", "--memory", "512MiB"];
        let (whole, _) = place.unbroken(kind, &roomy);
        let mut most = 0;
        for limit in [limit, limit * 3 / 4] {
            let output = limited(place.command(kind, kind.target, &roomy), limit);
            assert_eq!(output.status.code(), Some(1), "{}", said(&output));
            assert!(said(&output).contains("the same command goes on with it"), "{}", said(&output));
            assert_eq!(place.left(kind.target), [kind.unfinished()]);
            let records = fs::metadata(place.path().join(kind.journal())).unwrap().len();
            assert!(records >= most, "{}: less is known than before", kind.name);
            most = records;
        }
        let output = place.command(kind, kind.target, &["--resume"]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        place.check_same(&place.path().join(kind.target), &whole, "after a full disk");
        assert_eq!(place.left(kind.target), [""; 0]);
        remove(&place.path().join(kind.target));
    }
}

#[test]
fn inputs_that_cannot_be_read_are_said_and_leave_what_was_there() {
    let place = Place::new();
    let mut random = Random(31);
    let kind = &kinds()[2];
    let (whole, _) = place.unbroken(kind, &[]);
    let chunks: Vec<PathBuf> = files(&place.path().join("series.zarr/v/c")).into_keys().collect();
    for trial in 0..trials(1, 6) {
        let path = place.path().join("series.zarr/v/c").join(&chunks[random.below(chunks.len() as u64) as usize]);
        let bytes = fs::read(&path).unwrap();
        match trial % 3 {
            // Shorter, another byte, and one that the system cannot read.
            0 => fs::write(&path, &bytes[..random.below(bytes.len() as u64) as usize]).unwrap(),
            1 => {
                let mut broken = bytes.clone();
                broken[random.below(4) as usize] ^= 0x55;
                fs::write(&path, broken).unwrap();
            }
            _ => {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
        }
        place.put_old(kind.target);
        let output = place.command(kind, kind.target, &[]).output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{path:?}: {text}");
        assert!(text.starts_with("aosx: error: series.zarr") && text.contains("variable 'v'"), "{text}");
        assert!(text.contains("chunk [") || text.contains("/v/c/"), "{text}");
        assert!(place.is_old(kind.target, true, &whole, &text), "{text}");
        assert_eq!(place.left(kind.target), [""; 0]);
        remove(&path);
        fs::write(&path, bytes).unwrap();
    }
}
