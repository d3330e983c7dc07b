//! Temporary names of outputs: whose they are, and what killed processes left under them.

use super::pending::resolved;
use crate::codec::crc32c;
use std::{
    ffi::CStr,
    fs,
    path::{Path, PathBuf},
};

/// A temporary name beside `target` for this process: its machine, its number there, and `n`.
pub(super) fn name(target: &str, n: u32) -> String {
    format!(".{target}.{}-{}-{n}.partial", machine(), std::process::id())
}

/// Removes what processes of this machine left beside `target` when they were killed, and gives its paths.
///
/// Only what bears the name of such a file, and a process that is no more, is touched.
pub fn clear_stale(target: &Path) -> Vec<PathBuf> {
    let target = &resolved(target);
    let Some(own) = target.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(items) = fs::read_dir(folder) else { return Vec::new() };
    let stale = |name: &str| process_of(name, own).is_some_and(|pid| !is_alive(pid));
    let found = items.flatten().filter(|item| item.file_name().to_str().is_some_and(stale));
    found.map(|item| item.path()).filter(|path| remove(path)).collect()
}

/// The process that has a temporary name for `target`, where it is one of this machine.
fn process_of(name: &str, target: &str) -> Option<i32> {
    let words = name.strip_prefix('.')?.strip_prefix(target)?.strip_prefix('.')?.strip_suffix(".partial")?;
    let [own, pid, n] = words.split('-').collect::<Vec<_>>()[..] else { return None };
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    if own != machine() || !is_number(pid) || !is_number(n) {
        return None;
    }
    pid.parse().ok().filter(|pid| *pid > 0)
}

fn is_alive(pid: i32) -> bool {
    // SAFETY: signal 0 only asks whether there is such a process.
    let found = unsafe { libc::kill(pid, 0) } == 0;
    found || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

fn remove(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).is_ok(),
        Ok(meta) if meta.is_file() => fs::remove_file(path).is_ok(),
        _ => false,
    }
}

/// Where numbers of processes mean the same: this machine, and on Linux this container.
fn machine() -> String {
    let mut name = [0 as libc::c_char; 256];
    // SAFETY: the buffer is as long as is said, and its last byte, which is not handed over, ends the text.
    let done = unsafe { libc::gethostname(name.as_mut_ptr(), name.len() - 1) };
    // SAFETY: it ends with a zero.
    let name = if done == 0 { unsafe { CStr::from_ptr(name.as_ptr()) }.to_bytes() } else { &[] };
    let numbers = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{:08x}", crc32c(&[name, b" ", numbers.as_os_str().as_encoded_bytes()].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No process has so high a number. (One that has ended would do as well; but while it begins, it has the locks of all
    /// other tests.)
    const GONE: i32 = i32::MAX;

    #[test]
    fn only_what_dead_processes_of_this_machine_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (pid, own) = (GONE, machine());
        let others = [
            format!(".out.nc.{own}-{}-0.partial", std::process::id()),
            format!(".out.nc.{own}-1-0.partial"),
            format!(".out.nc.00000000-{pid}-0.partial"),
            format!(".out.nc.{own}-{pid}-0.old"),
            format!(".out.nc.{own}-{pid}-0.partial.mine"),
            format!(".out.nc.{own}-{pid}-x.partial"),
            format!(".out.nc.{own}-{pid}.partial"),
            format!(".out.nc2.{own}-{pid}-0.partial"),
            format!("out.nc.{own}-{pid}-0.partial"),
            ".out.nc.unfinished".to_string(),
            "out.nc".to_string(),
        ];
        let stale = [format!(".out.nc.{own}-{pid}-0.partial"), format!(".out.nc.{own}-{pid}-1.partial")];
        others.iter().for_each(|name| fs::write(dir.path().join(name), "x").unwrap());
        fs::write(dir.path().join(&stale[0]), "x").unwrap();
        fs::create_dir_all(dir.path().join(&stale[1]).join("c/0")).unwrap();
        let target = dir.path().join("out.nc");
        let mut removed = clear_stale(&target);
        removed.sort();
        assert_eq!(removed, stale.map(|name| dir.path().join(name)));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), others.len());
        assert!(clear_stale(&target).is_empty());
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(process_of(&name("a-b.zarr", 7), "a-b.zarr"), Some(std::process::id() as i32));
        assert_eq!(process_of(&name("a", 7), "b"), None);
    }
}
