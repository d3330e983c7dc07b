use crate::error::{Error, Problem, Result};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// A file that any number of threads read at once, by position.
///
/// Reads are `pread`, not a mapping: as fast, its memory is ours to count, and a file that shrinks is an error and
/// not a signal.
#[derive(Debug)]
pub struct LocalFile {
    file: File,
    path: PathBuf,
    len: u64,
}

impl LocalFile {
    /// Opens a file to read.
    ///
    /// # Errors
    /// When the system refuses, or the path is no regular file.
    pub fn open(path: &Path) -> Result<LocalFile> {
        let open = || -> std::io::Result<(File, std::fs::Metadata)> {
            let file = File::open(path)?;
            let meta = file.metadata()?;
            Ok((file, meta))
        };
        let (file, meta) = open().map_err(|e| Error::io("open", e).in_file(path))?;
        if !meta.is_file() {
            return Err(Problem::NotAFormat { found: "not a regular file".into() }.into())
                .map_err(|e: Error| e.in_file(path));
        }
        Ok(LocalFile { file, path: path.to_path_buf(), len: meta.len() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `out` from `offset`; `what` names it in the error.
    ///
    /// # Errors
    /// [`Problem::Truncated`] when the file ends first, else what the system says.
    pub fn read_at(&self, offset: u64, out: &mut [u8], what: &str) -> Result<()> {
        let mut done = 0;
        while done < out.len() {
            match self.file.read_at(&mut out[done..], offset.saturating_add(done as u64)) {
                Ok(0) => {
                    let problem =
                        Problem::Truncated { what: what.to_string(), expected: out.len() as u64, got: done as u64 };
                    return Err(Error::from(problem).in_file(&self.path));
                }
                Ok(n) => done += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let action = format!("read {} bytes at offset {offset}", out.len());
                    return Err(Error::io(action, e).in_file(&self.path));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_is_an_error_with_both_lengths() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("short");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = LocalFile::open(&path).unwrap();
        let mut out = [0; 4];
        file.read_at(3, &mut out, "chunk").unwrap();
        assert_eq!(&out, b"3456");
        let e = file.read_at(8, &mut out, "chunk").unwrap_err();
        assert!(e.to_string().contains("chunk: expected 4 bytes, got 2"), "{e}");
        assert!(LocalFile::open(dir.path()).is_err(), "a folder is no file");
    }
}
