//! Files that fail, for tests.

use super::{LocalFile, ReadAt};
use crate::error::Result;
use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// What goes wrong when a file is read.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Each read gives at most so many bytes, and every third one is interrupted by a signal.
    Short(usize),
    /// The disk cannot read these bytes (EIO).
    Unreadable(Range<u64>),
    /// The file ends here, whatever its length was when it was opened.
    CutAt(u64),
}

#[derive(Debug)]
struct Faulty {
    file: File,
    fault: Fault,
    reads: AtomicU64,
}

impl ReadAt for Faulty {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.reads.fetch_add(1, Ordering::Relaxed);
        let room = match &self.fault {
            Fault::Short(_) if read % 3 == 2 => return Err(io::ErrorKind::Interrupted.into()),
            Fault::Short(most) => out.len().min(*most),
            Fault::Unreadable(bytes) if bytes.start < offset + out.len() as u64 && offset < bytes.end => {
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
            Fault::Unreadable(_) => out.len(),
            Fault::CutAt(end) => out.len().min(end.saturating_sub(offset) as usize),
        };
        FileExt::read_at(&self.file, &mut out[..room], offset)
    }
}

impl LocalFile {
    /// Opens a file in which something goes wrong.
    pub(crate) fn open_faulty(path: &Path, fault: Fault) -> Result<LocalFile> {
        let len = LocalFile::open(path)?.len();
        let io = |e| crate::error::Error::io("open", e).in_file(path);
        let file = File::open(path).map_err(io)?;
        Ok(LocalFile::over(Box::new(Faulty { file, fault, reads: AtomicU64::new(0) }), path, len))
    }
}
