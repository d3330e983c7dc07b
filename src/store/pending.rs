use super::{RunIdentity, Unfinished, stale};
use crate::error::{Error, Result};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// What an output is to the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Form {
    File,
    Folder,
}

/// An output file or folder under a temporary name beside its target; [`commit`](Pending::commit) renames it.
///
/// Dropped without that it is removed, and the target is as it was; but what is [`kept`](Pending::kept) stays for another
/// run to go on with.
#[derive(Debug)]
pub struct Pending {
    target: PathBuf,
    temporary: Option<PathBuf>,
    unfinished: Option<Unfinished>,
    /// Bytes written to a file so far.
    written: AtomicU64,
}

/// After so many bytes more the system is asked to put them on disk.
const PUT_BYTES: u64 = 16 << 20;

impl Pending {
    /// A free temporary name beside `target`. Nothing is created yet.
    ///
    /// # Errors
    /// When `target` has no file name, its folder does not exist, or what is there must not be replaced: a device, a
    /// pipe, a folder that holds other things than a Zarr store, a file by a folder or a folder by a file.
    pub fn new(target: &Path, form: Form) -> Result<Pending> {
        let (target, folder) = checked(target, form)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut n = 0u32;
        let temporary = loop {
            let free = folder.join(stale::name(&name, n));
            if free.symlink_metadata().is_err() {
                break free;
            }
            n += 1;
        };
        Ok(Pending { target, temporary: Some(temporary), unfinished: None, written: AtomicU64::new(0) })
    }

    /// What an earlier `run` that ended early has kept for `target`, or a place to keep this one's.
    ///
    /// # Errors
    /// As [`new`](Pending::new); when another run is at it, or that which is there was of a run that was not the same.
    pub fn kept(target: &Path, form: Form, run: &RunIdentity) -> Result<Pending> {
        let (target, _) = checked(target, form)?;
        let unfinished = Unfinished::open(&target, run)?;
        let temporary = Some(unfinished.store());
        Ok(Pending { target, temporary, unfinished: Some(unfinished), written: AtomicU64::new(0) })
    }

    /// Where to write until it is whole.
    pub fn path(&self) -> &Path {
        self.temporary.as_deref().unwrap_or(&self.target)
    }

    /// The name that it will have.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// What earlier runs have written, where it is kept.
    pub fn unfinished(&self) -> Option<&Unfinished> {
        self.unfinished.as_ref()
    }

    /// Makes [`path`](Pending::path) a new one. What an earlier run has kept under the old one can be taken from there, and
    /// its path is given.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn renew(&mut self) -> Result<Option<PathBuf>> {
        let Some(unfinished) = self.unfinished.as_mut().filter(|unfinished| unfinished.is_begun()) else {
            return Ok(None);
        };
        let donor = unfinished.renew()?;
        self.temporary = Some(unfinished.store());
        Ok(Some(donor))
    }

    /// Says that so many bytes more are in the file: the system begins to put them on disk while the run goes on, and
    /// [`commit`](Pending::commit) waits for the last ones only.
    pub fn wrote(&self, bytes: u64) {
        let before = self.written.fetch_add(bytes, Ordering::Relaxed);
        if before / PUT_BYTES < (before + bytes) / PUT_BYTES {
            begin_sync(self.path());
        }
    }

    /// Makes it appear under its name, in place of what was there.
    ///
    /// # Errors
    /// When the system refuses; then the target is as it was.
    pub fn commit(mut self) -> Result<()> {
        let from = self.path().to_path_buf();
        let failed = |e| Error::io("rename the finished output", e).in_file(&self.target);
        sync(&from).map_err(|e| Error::io("put the finished output on disk", e).in_file(&self.target))?;
        if let Some(unfinished) = &self.unfinished {
            unfinished.close().map_err(failed)?;
        }
        if let Err(e) = replace(&from, &self.target) {
            self.unfinished.iter().for_each(Unfinished::reopen);
            return Err(failed(e));
        }
        self.temporary = None;
        if let Some(unfinished) = self.unfinished.take() {
            unfinished.remove();
        }
        Ok(())
    }
}

/// What is replaced: a link stays, and what it leads to is written.
pub(super) fn resolved(target: &Path) -> PathBuf {
    let led_to = if target.is_symlink() { target.canonicalize().ok() } else { None };
    led_to.unwrap_or_else(|| target.to_path_buf())
}

/// The target with links followed, and its folder.
fn checked(target: &Path, form: Form) -> Result<(PathBuf, PathBuf)> {
    let target = &resolved(target);
    refuse_precious(target, form)?;
    if target.file_name().is_none() {
        return Err(Error::usage("the output has no file name").in_file(target));
    }
    let folder = match target.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let e = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such folder; make it first");
        return Err(Error::io(format!("write into the folder {}", folder.display()), e).in_file(target));
    }
    Ok((target.to_path_buf(), folder.to_path_buf()))
}

/// Renames `from` to `target`, and removes what was there.
fn replace(from: &Path, target: &Path) -> std::io::Result<()> {
    // A folder cannot be renamed over another one.
    if !target.is_dir() || target.is_symlink() {
        return std::fs::rename(from, target);
    }
    // Where the system can exchange them there is a whole output under the name at all times.
    if exchange(from, target).is_ok() {
        let _ = std::fs::remove_dir_all(from);
        return Ok(());
    }
    let old = from.with_extension("old");
    std::fs::rename(target, &old)?;
    if let Err(e) = std::fs::rename(from, target) {
        let _ = std::fs::rename(&old, target);
        return Err(e);
    }
    let _ = std::fs::remove_dir_all(&old);
    Ok(())
}

#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    use std::{ffi::CString, os::unix::ffi::OsStrExt};
    let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(std::io::Error::other);
    let (one, other) = (text(one)?, text(other)?);
    let (here, how) = (libc::AT_FDCWD, libc::RENAME_EXCHANGE);
    // SAFETY: both texts end with a zero and live until the call returns.
    let done = unsafe { libc::syscall(libc::SYS_renameat2, here, one.as_ptr(), here, other.as_ptr(), how) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Refuses to replace what nobody can have meant to lose.
fn refuse_precious(target: &Path, form: Form) -> Result<()> {
    let Ok(meta) = target.symlink_metadata() else { return Ok(()) };
    if meta.is_dir() {
        if form == Form::File {
            return Err(Error::usage("a folder is there, which no file replaces").in_file(target));
        }
        let is_store = ["zarr.json", ".zgroup", ".zarray"].iter().any(|name| target.join(name).is_file());
        let is_empty = std::fs::read_dir(target).is_ok_and(|mut items| items.next().is_none());
        if !is_store && !is_empty {
            return Err(Error::usage("a folder is there that holds no Zarr store; it is not replaced").in_file(target));
        }
    } else if !meta.is_file() && !meta.is_symlink() {
        return Err(Error::usage("it is no regular file; write to a new name").in_file(target));
    } else if form == Form::Folder {
        return Err(Error::usage("a file is there, which no Zarr store replaces; remove it or write to another name")
            .in_file(target));
    }
    Ok(())
}

/// Asks the system to put a finished file on disk before its name changes.
fn sync(path: &Path) -> std::io::Result<()> {
    let meta = path.metadata()?;
    if meta.is_file() { std::fs::File::open(path)?.sync_data() } else { Ok(()) }
}

/// Asks the system to begin with that. Where it cannot, nothing is lost but time.
#[cfg(target_os = "linux")]
fn begin_sync(path: &Path) {
    use std::os::fd::AsRawFd;
    if let Ok(file) = std::fs::File::open(path) {
        // SAFETY: the file is open; zero bytes from zero on are all of it.
        unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn begin_sync(_: &Path) {}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(unfinished) = self.unfinished.take() {
            if unfinished.is_worthless() {
                unfinished.remove();
            }
            return;
        }
        let Some(path) = self.temporary.take() else { return };
        let _ = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn dropped_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.nc");
        fs::write(&target, "old").unwrap();
        let pending = Pending::new(&target, Form::File).unwrap();
        fs::write(pending.path(), "new").unwrap();
        drop(pending);
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn committed_replaces_files_and_folders() {
        let dir = tempfile::tempdir().unwrap();
        for folder in [false, true] {
            let target = dir.path().join(if folder { "out.zarr" } else { "out.nc" });
            let make = |p: &Path, text: &str| {
                if folder {
                    fs::create_dir(p).unwrap();
                    fs::write(p.join("zarr.json"), text).unwrap();
                } else {
                    fs::write(p, text).unwrap();
                }
            };
            make(&target, "old");
            let pending = Pending::new(&target, if folder { Form::Folder } else { Form::File }).unwrap();
            make(pending.path(), "new");
            pending.commit().unwrap();
            let file = if folder { target.join("zarr.json") } else { target };
            assert_eq!(fs::read_to_string(file).unwrap(), "new");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn folders_of_other_things_and_devices_stay() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious"), "x").unwrap();
        assert!(Pending::new(dir.path(), Form::Folder).is_err());
        assert!(Pending::new(Path::new("/dev/zero"), Form::File).is_err());
        let (store, file) = (dir.path().join("s.zarr"), dir.path().join("precious"));
        fs::create_dir(&store).unwrap();
        assert!(Pending::new(&store, Form::Folder).is_ok(), "an empty folder is nothing to lose");
        assert!(Pending::new(&store, Form::File).is_err());
        assert!(Pending::new(&file, Form::Folder).is_err());
    }

    #[test]
    fn what_is_kept_stays_until_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("s.zarr");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("zarr.json"), "old").unwrap();
        let run = RunIdentity(vec![("input".into(), "a.nc".into())]);
        let number = crate::store::PieceNumber { variable: 0, piece: 0 };
        drop(Pending::kept(&target, Form::Folder, &run).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was written, so nothing is kept");
        for had in [false, true] {
            let pending = Pending::kept(&target, Form::Folder, &run).unwrap();
            let (unfinished, file) = (pending.unfinished().unwrap(), pending.path().join("zarr.json"));
            assert_eq!((unfinished.is_begun(), unfinished.has(number, &file)), (had, had));
            if !had {
                fs::create_dir(pending.path()).unwrap();
                unfinished.begin().unwrap();
                fs::write(&file, "new").unwrap();
                unfinished.add(number, 0, b"new").unwrap();
            }
            assert_eq!(fs::read_to_string(target.join("zarr.json")).unwrap(), "old");
            if had {
                pending.commit().unwrap();
            }
        }
        assert_eq!(fs::read_to_string(target.join("zarr.json")).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_leads_to_the_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a.nc"), dir.path().join("b.nc"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let pending = Pending::new(&link, Form::File).unwrap();
        fs::write(pending.path(), "new").unwrap();
        pending.commit().unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn a_missing_folder_is_said_at_once() {
        assert!(Pending::new(Path::new("/nonexistent/folder/out.nc"), Form::File).is_err());
    }
}
