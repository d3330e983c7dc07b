//! Shards being written: inner chunks appended as they come, the index behind them.

use crate::{
    error::{Error, Result},
    grid::Grid,
    shape::{ChunkIndex, Shape},
    store::write_all_at,
};
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// An entry of a chunk that was never written.
const ABSENT: (u64, u64) = (u64::MAX, u64::MAX);

/// The shards of one array, each a file.
///
/// A chunk's place is taken under a lock, and its bytes are written outside it, so that any number of threads write
/// to one shard. When its last chunk is there a shard is brought into the order of its chunks, whichever thread was
/// first, and its index is put behind them; so its bytes depend on nothing but what was written.
///
/// *Memory*: 16 bytes for each chunk of a shard that is begun and not whole.
#[derive(Debug)]
pub(super) struct ShardsOut {
    /// The shards over the array.
    grid: Grid,
    /// Inner chunks along each axis, of the array and of a shard.
    chunks: Vec<u64>,
    inner: Vec<u64>,
    begun: Mutex<HashMap<Vec<u64>, Begun>>,
}

#[derive(Debug)]
struct Begun {
    path: PathBuf,
    /// Offset and length of each chunk.
    index: Vec<(u64, u64)>,
    end: u64,
    /// Chunks that the array has in this shard and that are not written yet.
    missing: u64,
}

impl ShardsOut {
    /// Shards of about `shard`: whole chunks of `chunks`, and not more of them than the array has.
    ///
    /// # Errors
    /// When `shard` has another rank, or is so large that its index cannot be.
    pub(super) fn new(chunks: &Grid, shard: &Shape) -> Result<ShardsOut> {
        if shard.len() != chunks.chunk().len() {
            return Err(Error::usage(format!("shards of {shard} for chunks of {}", chunks.chunk())));
        }
        let inner: Shape = shard
            .iter()
            .zip(chunks.chunk().iter().zip(chunks.counts()))
            .map(|(s, (c, n))| s.div_ceil((*c).max(1)).clamp(1, (*n).max(1)))
            .collect();
        inner.bytes(size_of::<(u64, u64)>())?;
        let lengths = inner.iter().zip(chunks.chunk().iter()).map(|(n, c)| n.saturating_mul(*c)).collect();
        let grid = Grid::new(chunks.shape().clone(), lengths)?;
        Ok(ShardsOut { grid, chunks: chunks.counts().to_vec(), inner: inner.0, begun: Mutex::default() })
    }

    /// The shape of a shard.
    pub(super) fn shape(&self) -> &Shape {
        self.grid.chunk()
    }

    /// The shard that holds a chunk.
    pub(super) fn of(&self, chunk: &ChunkIndex) -> Vec<u64> {
        chunk.iter().zip(&self.inner).map(|(c, n)| c / n).collect()
    }

    /// The row-major number of the shard that holds a chunk.
    pub(super) fn number(&self, chunk: &ChunkIndex) -> u64 {
        self.grid.number(&self.of(chunk))
    }

    /// Removes the shards that a run has begun which ended early: all that `is_known` does not know.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn clear(&self, is_known: impl Fn(u64) -> bool, path: impl Fn(&[u64]) -> PathBuf) -> Result<()> {
        for number in (0..self.grid.chunks()).filter(|number| !is_known(*number)) {
            let path = path(&self.grid.index(number));
            for left in [path.with_extension("sorted"), path] {
                match fs::remove_file(&left) {
                    Err(e) if !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                        return Err(Error::io("remove a shard that is not whole", e));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Writes a chunk as stored; `path` says where a shard lies. Gives the path of the shard where it is whole now.
    ///
    /// # Errors
    /// When the chunk was written before, or the system refuses.
    pub(super) fn write(
        &self,
        chunk: &ChunkIndex,
        stored: &[u8],
        path: impl Fn(&[u64]) -> PathBuf,
    ) -> Result<Option<PathBuf>> {
        let shard = self.of(chunk);
        let number = chunk.iter().zip(&self.inner).fold(0, |at, (c, n)| at * n + c % n) as usize;
        let (path, offset) = {
            let mut begun = self.lock();
            let state = match begun.entry(shard.clone()) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => entry.insert(self.begin(&shard, path(&shard))?),
            };
            let offset = state.end;
            let entry = state.index.get_mut(number).filter(|e| **e == ABSENT);
            *entry.ok_or_else(|| Error::usage("the chunk is written twice"))? = (offset, stored.len() as u64);
            state.end += stored.len() as u64;
            (state.path.clone(), offset)
        };
        let written = OpenOptions::new().write(true).open(&path).and_then(|file| write_all_at(&file, stored, offset));
        written.map_err(|e| Error::io(format!("write {} bytes to its shard", stored.len()), e))?;
        let whole = {
            let mut begun = self.lock();
            let left = begun.get_mut(&shard).map(|state| {
                state.missing = state.missing.saturating_sub(1);
                state.missing
            });
            if left == Some(0) { begun.remove(&shard) } else { None }
        };
        whole.map(|shard| shard.finish().map(|()| path)).transpose()
    }

    /// Finishes the shards that have chunks which were never written.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn finish(&self) -> Result<()> {
        let begun = std::mem::take(&mut *self.lock());
        begun.into_values().try_for_each(Begun::finish)
    }

    fn begin(&self, shard: &[u64], path: PathBuf) -> Result<Begun> {
        create(&path)?;
        let chunks: u64 = self.inner.iter().product();
        // Those of a shard at the edge lie partly outside the array.
        let there = shard.iter().zip(self.inner.iter().zip(&self.chunks)).map(|(s, (i, n))| (n - s * i).min(*i));
        Ok(Begun { path, index: vec![ABSENT; chunks as usize], end: 0, missing: there.product() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u64>, Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun {
    /// Brings the chunks into their order and puts the index behind them.
    fn finish(mut self) -> Result<()> {
        let failed = |e| Error::io("finish a shard", e);
        let there = |index: &[(u64, u64)]| index.iter().copied().filter(|e| *e != ABSENT).collect::<Vec<_>>();
        if !there(&self.index).is_sorted() {
            let sorted = self.path.with_extension("sorted");
            self.copy_sorted(&sorted).and_then(|()| fs::rename(&sorted, &self.path)).map_err(failed)?;
            let mut end = 0;
            for entry in self.index.iter_mut().filter(|e| **e != ABSENT) {
                entry.0 = end;
                end += entry.1;
            }
        }
        let mut bytes: Vec<u8> =
            self.index.iter().flat_map(|e| [e.0.to_le_bytes(), e.1.to_le_bytes()]).flatten().collect();
        bytes.extend(crate::codec::crc32c(&bytes).to_le_bytes());
        let file = OpenOptions::new().write(true).open(&self.path).map_err(failed)?;
        file.write_all_at(&bytes, self.end).map_err(failed)
    }

    /// The chunks in order, copied without passing through this process where the system can do that.
    fn copy_sorted(&self, to: &Path) -> std::io::Result<()> {
        let from = File::open(&self.path)?;
        let mut to = OpenOptions::new().write(true).create_new(true).open(to)?;
        let mut next = self.index.iter().copied().filter(|e| *e != ABSENT).peekable();
        while let Some((offset, mut len)) = next.next() {
            // Neighbours in one go.
            while let Some((_, more)) = next.next_if(|e| e.0 == offset + len) {
                len += more;
            }
            std::io::Seek::seek(&mut &from, std::io::SeekFrom::Start(offset))?;
            let copied = std::io::copy(&mut (&from).take(len), &mut to)?;
            if copied != len {
                return Err(std::io::Error::new(ErrorKind::UnexpectedEof, "the shard has become shorter"));
            }
        }
        to.flush()
    }
}

/// Creates an empty file; its folders are made when it turns out that they are missing.
fn create(path: &Path) -> Result<()> {
    let new = || OpenOptions::new().write(true).create_new(true).open(path).map(|_| ());
    let done = match new() {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| new())
        }
        done => done,
    };
    done.map_err(|e| Error::io("create a shard", e))
}
