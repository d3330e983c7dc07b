use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// An output file or folder under a temporary name beside its target; [`commit`](Pending::commit) renames it.
///
/// Dropped without that it is removed, and the target is as it was.
#[derive(Debug)]
pub struct Pending {
    target: PathBuf,
    temporary: Option<PathBuf>,
}

impl Pending {
    /// A free temporary name beside `target`. Nothing is created yet.
    ///
    /// # Errors
    /// When `target` has no file name, or its folder does not exist.
    pub fn new(target: &Path) -> Result<Pending> {
        let name = target.file_name().ok_or_else(|| Error::usage("the output has no file name").in_file(target))?;
        let folder = match target.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            let e = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(Error::io(format!("write into the folder {}", folder.display()), e).in_file(target));
        }
        let mut n = 0u32;
        let temporary = loop {
            let free = folder.join(format!(".{}.{}-{n}.partial", name.to_string_lossy(), std::process::id()));
            if free.symlink_metadata().is_err() {
                break free;
            }
            n += 1;
        };
        Ok(Pending { target: target.to_path_buf(), temporary: Some(temporary) })
    }

    /// Where to write until it is whole.
    pub fn path(&self) -> &Path {
        self.temporary.as_deref().unwrap_or(&self.target)
    }

    /// The name that it will have.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Makes it appear under its name, in place of what was there.
    ///
    /// # Errors
    /// When the system refuses; then the target is as it was.
    pub fn commit(mut self) -> Result<()> {
        let from = self.path().to_path_buf();
        let failed = |e| Error::io("rename the finished output", e).in_file(&self.target);
        sync(&from).map_err(failed)?;
        // A folder cannot be renamed over another one: move the old one aside first.
        if self.target.is_dir() && !self.target.is_symlink() {
            let old = from.with_extension("old");
            std::fs::rename(&self.target, &old).map_err(failed)?;
            if let Err(e) = std::fs::rename(&from, &self.target) {
                let _ = std::fs::rename(&old, &self.target);
                return Err(failed(e));
            }
            let _ = std::fs::remove_dir_all(&old);
        } else {
            std::fs::rename(&from, &self.target).map_err(failed)?;
        }
        self.temporary = None;
        Ok(())
    }
}

/// Asks the system to put a finished file on disk before its name changes.
fn sync(path: &Path) -> std::io::Result<()> {
    let meta = path.metadata()?;
    if meta.is_file() { std::fs::File::open(path)?.sync_data() } else { Ok(()) }
}

impl Drop for Pending {
    fn drop(&mut self) {
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
        let pending = Pending::new(&target).unwrap();
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
            let pending = Pending::new(&target).unwrap();
            make(pending.path(), "new");
            pending.commit().unwrap();
            let file = if folder { target.join("zarr.json") } else { target };
            assert_eq!(fs::read_to_string(file).unwrap(), "new");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_missing_folder_is_said_at_once() {
        assert!(Pending::new(Path::new("/nonexistent/folder/out.nc")).is_err());
    }
}
