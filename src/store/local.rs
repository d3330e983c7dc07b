use crate::error::{Error, Problem, Result};
use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Bytes that are read by position: the system's own `pread`, and in tests one that fails.
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// Reads some bytes from `offset` into the front of `out` and says how many; none at the end.
    ///
    /// # Errors
    /// What the system says. [`io::ErrorKind::Interrupted`] asks for another try.
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, out, offset)
    }
}

/// A file that any number of threads read at once, by position.
///
/// Reads are `pread`, not a mapping: as fast, its memory is ours to count, and a file that shrinks is an error and
/// not a signal.
#[derive(Debug)]
pub struct LocalFile {
    reader: Box<dyn ReadAt>,
    path: PathBuf,
    len: u64,
}

impl LocalFile {
    /// Opens a file to read.
    ///
    /// # Errors
    /// When the system refuses, or the path is no regular file.
    pub fn open(path: &Path) -> Result<LocalFile> {
        let open = || -> io::Result<(File, std::fs::Metadata)> {
            let file = File::open(path)?;
            let meta = file.metadata()?;
            Ok((file, meta))
        };
        let (file, meta) = open().map_err(|e| Error::io("open", e).in_file(path))?;
        if !meta.is_file() {
            return Err(Problem::NotAFormat { found: "not a regular file".into() }.into())
                .map_err(|e: Error| e.in_file(path));
        }
        Ok(LocalFile::over(Box::new(file), path, meta.len()))
    }

    /// A file of `len` bytes that `reader` reads; `path` is what errors call it.
    pub fn over(reader: Box<dyn ReadAt>, path: &Path, len: u64) -> LocalFile {
        LocalFile { reader, path: path.to_path_buf(), len }
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
            match self.reader.read_at(&mut out[done..], offset.saturating_add(done as u64)) {
                Ok(0) => {
                    let problem =
                        Problem::Truncated { what: what.to_string(), expected: out.len() as u64, got: done as u64 };
                    return Err(Error::from(problem).in_file(&self.path));
                }
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
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
    use crate::store::Fault;

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

    #[test]
    fn short_and_interrupted_reads_go_on_and_what_fails_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let data: Vec<u8> = (0..200).collect();
        std::fs::write(&path, &data).unwrap();
        let read = |fault: Fault, offset: u64, len: usize| {
            let mut out = vec![0; len];
            LocalFile::open_faulty(&path, fault).unwrap().read_at(offset, &mut out, "values").map(|()| out)
        };
        for most in [1, 3, 7, 1000] {
            assert_eq!(read(Fault::Short(most), 5, 100).unwrap(), &data[5..105]);
        }
        let e = read(Fault::Unreadable(50..51), 20, 100).unwrap_err();
        assert!(matches!(e.problem(), Problem::Io { source, .. } if source.raw_os_error() == Some(libc::EIO)), "{e}");
        assert!(e.to_string().contains("f: read 100 bytes at offset 20: "), "{e}");
        assert_eq!(read(Fault::Unreadable(50..51), 51, 100).unwrap(), &data[51..151]);
        let e = read(Fault::CutAt(90), 20, 100).unwrap_err();
        assert!(e.to_string().contains("values: expected 100 bytes, got 70"), "{e}");
    }
}
