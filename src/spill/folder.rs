use crate::{
    error::{Error, Problem, Result, SpillRefusal},
    store::write_all_at,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    units::Bytes,
};
use std::{
    fs::File,
    io::ErrorKind,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// How frames are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpillCodec {
    /// Bytes shuffled, then LZ4: 600 MB/s in and 2 GB/s out on a core.
    #[default]
    Lz4,
    /// Bytes shuffled, then Zstandard of this level: level 1 is little slower and half as large.
    Zstd(i32),
    /// As they are.
    None,
}

impl std::str::FromStr for SpillCodec {
    type Err = Error;

    /// Reads `lz4`, `zstd`, `zstd:3` or `none`.
    fn from_str(text: &str) -> Result<SpillCodec> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("lz4", "") => Ok(SpillCodec::Lz4),
            ("none", "") => Ok(SpillCodec::None),
            ("zstd", "") => Ok(SpillCodec::Zstd(1)),
            ("zstd", level) if matches!(level.parse(), Ok(1..=9)) => Ok(SpillCodec::Zstd(level.parse().unwrap_or(1))),
            _ => Err(Error::usage(format!("no spill codec '{text}'; there are lz4, zstd:1 to zstd:9, and none"))),
        }
    }
}

/// Where blocks go that do not fit in memory: files without names, which vanish with the process whatever ends it.
#[derive(Debug)]
pub struct SpillFolder {
    path: PathBuf,
    codec: SpillCodec,
    limit: Option<Bytes>,
    used: AtomicU64,
}

impl Default for SpillFolder {
    /// The system's folder of temporary files.
    fn default() -> SpillFolder {
        SpillFolder::new(std::env::temp_dir(), SpillCodec::default(), None)
    }
}

impl SpillFolder {
    /// Files in `path`, of `limit` bytes altogether.
    pub fn new(path: impl Into<PathBuf>, codec: SpillCodec, limit: Option<Bytes>) -> SpillFolder {
        SpillFolder { path: path.into(), codec, limit, used: AtomicU64::new(0) }
    }

    /// Where they lie.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How frames are compressed.
    pub fn codec(&self) -> SpillCodec {
        self.codec
    }

    /// Bytes that lie there now.
    pub fn used(&self) -> Bytes {
        Bytes(self.used.load(Ordering::Relaxed))
    }

    /// A new file.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn file(self: &Arc<Self>) -> Result<SpillFile> {
        let file = tempfile::tempfile_in(&self.path).map_err(|e| self.refused(e))?;
        Ok(SpillFile { file, folder: self.clone(), end: AtomicU64::new(0) })
    }

    fn refused(&self, source: std::io::Error) -> Error {
        let why = match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => SpillRefusal::Full(source),
            _ => SpillRefusal::Io(source),
        };
        Problem::Spill { folder: self.path.clone(), why }.into()
    }
}

/// A file without a name; frames are put at its end.
#[derive(Debug)]
pub(super) struct SpillFile {
    file: File,
    folder: Arc<SpillFolder>,
    end: AtomicU64,
}

impl SpillFile {
    /// Writes `bytes` behind what is there, and says where.
    ///
    /// # Errors
    /// When the folder's limit is reached, or the system refuses.
    pub fn append(&self, bytes: &[u8]) -> Result<u64> {
        let n = bytes.len() as u64;
        let used = self.folder.used.fetch_add(n, Ordering::Relaxed) + n;
        let at = self.end.fetch_add(n, Ordering::Relaxed);
        if let Some(limit) = self.folder.limit.filter(|limit| used > limit.0) {
            return Err(Problem::Spill { folder: self.folder.path.clone(), why: SpillRefusal::Limit(limit) }.into());
        }
        write_all_at(&self.file, bytes, at).map_err(|e| self.folder.refused(e))?;
        Ok(at)
    }

    /// Whether frames are stored as they are.
    pub fn is_plain(&self) -> bool {
        self.folder.codec == SpillCodec::None
    }

    /// Fills `out` from `offset`.
    ///
    /// # Errors
    /// When the system refuses, or the file is shorter.
    pub fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(out, offset).map_err(|e| self.folder.refused(e))
    }

    #[cfg(test)]
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.folder.used.fetch_sub(self.end.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}
