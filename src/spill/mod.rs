//! Arrays cut anew: written in some blocks, read in others, by way of a temporary file or of memory.
//!
//! A [`Spilled`] array is filled by *slabs*, regions of one grid, from any number of threads, and read as a
//! [`Source`] in the chunks of another grid. What a slab and a chunk share is a *frame*: it is compressed, and kept in
//! memory that would lie idle, as long as there is such, else appended to a file without a name, and gets a checksum.
//! So one pass over the data puts it the other way round, whatever the two grids are, with the memory of one slab to a
//! writer and one chunk to a reader.

mod folder;
#[cfg(test)]
mod tests;

pub use folder::{SpillCodec, SpillFolder};

use crate::{
    block::Block,
    budget::{Budget, Lease},
    codec::{Codec, Pipeline, Scratch, ScratchSize, crc32c},
    dtype::ByteOrder,
    error::{Error, Result},
    grid::Grid,
    kernels::{
        cast::{extract, place},
        strided::copy_shared,
    },
    shape::{ChunkIndex, Region, Shape},
    source::{Layout, Origin, Source, VarMeta},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    units::Bytes,
};
use folder::SpillFile;
use std::fmt;

/// Where a [`Spilled`] array lies between its writing and its reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// In memory, as it is.
    Memory,
    /// In a temporary file, compressed.
    Disk,
}

/// An array that is written in slabs and read in chunks.
pub struct Spilled {
    meta: VarMeta,
    /// The regions that are written.
    slabs: Grid,
    /// The regions that are read.
    grid: Grid,
    layout: Layout,
    element: usize,
    keep: Keep,
    number: usize,
    held: Mutex<Option<Arc<Held>>>,
}

/// What is there between [`Spilled::open`] and [`Spilled::clear`].
enum Held {
    Memory(Vec<Mutex<Block>>),
    Disk { file: SpillFile, idle: Box<Mutex<Lease>>, codecs: Vec<Codec>, frames: Vec<Mutex<Vec<Frame>>>, _index: Lease },
}

/// The part of a chunk that one slab has.
#[derive(Clone)]
struct Frame {
    slab: u64,
    place: Place,
    bytes: u32,
    /// Stored as it is, for it did not shrink.
    plain: bool,
}

/// Where a frame lies.
#[derive(Clone)]
enum Place {
    Memory(Arc<Block>),
    File {
        /// So far from its beginning.
        offset: u64,
        /// A checksum of its bytes.
        sum: u32,
    },
}

impl Place {
    /// By which frames are sorted to be read: memory first, then the file from its beginning.
    fn order(&self) -> u64 {
        match self {
            Place::Memory(_) => 0,
            Place::File { offset, .. } => 1 + offset,
        }
    }
}

/// Bytes of the index: for a frame, and for a chunk. Vectors have room to spare.
const FRAME_BYTES: u64 = 2 * size_of::<Frame>() as u64;
/// What the allocator takes for a frame in memory beside its bytes.
const MEMORY_FRAME_BYTES: u64 = 256;
const CHUNK_BYTES: u64 = size_of::<Mutex<Vec<Frame>>>() as u64;

impl Spilled {
    /// An array described by `meta`, written in slabs and read in chunks of these shapes. `number` tells it from others
    /// of the same plan. Nothing is opened yet.
    ///
    /// # Errors
    /// When sizes overflow, or the elements have no fixed size.
    pub fn new(number: usize, meta: VarMeta, slab: Shape, chunk: Shape, keep: Keep) -> Result<Spilled> {
        let element = meta
            .stored
            .element_bytes()
            .ok_or_else(|| Error::unsupported(format!("re-blocking {}", meta.stored)).in_variable(&meta.path))?;
        let (slabs, grid) = (Grid::new(meta.shape.clone(), slab)?, Grid::new(meta.shape.clone(), chunk)?);
        let layout = Layout::row_major(ByteOrder::NATIVE, meta.shape.len());
        Ok(Spilled { meta, slabs, grid, layout, element, keep, number, held: Mutex::default() })
    }

    /// The regions that are written.
    pub fn slabs(&self) -> &Grid {
        &self.slabs
    }

    /// Where it lies.
    pub fn keep(&self) -> Keep {
        self.keep
    }

    /// Bytes of all its elements.
    pub fn bytes(&self) -> u64 {
        self.meta.decoded_bytes().unwrap_or(u64::MAX)
    }

    /// The memory that it takes from its writing to its last reading.
    pub fn memory(&self) -> u64 {
        match self.keep {
            // Chunks at the edges are kept whole.
            Keep::Memory => self.grid.chunks().saturating_mul(self.chunk_bytes() as u64 + CHUNK_BYTES),
            Keep::Disk => {
                let index = self.frames().saturating_mul(FRAME_BYTES);
                index.saturating_add(self.grid.chunks().saturating_mul(CHUNK_BYTES))
            }
        }
    }

    /// How many frames there will be at most.
    pub fn frames(&self) -> u64 {
        let along = |k: usize| -> u64 {
            let (s, c) = (self.slabs.chunk()[k], self.grid.chunk()[k]);
            let (slabs, chunks) = (self.slabs.counts()[k], self.grid.counts()[k]);
            match (s % c, c % s) {
                (0, _) => chunks,
                (_, 0) => slabs,
                _ => (slabs + chunks).saturating_sub(1),
            }
        };
        (0..self.meta.shape.len()).map(along).fold(1, u64::saturating_mul)
    }

    /// Bytes of the buffer that cutting a slab into frames needs.
    pub fn cut_bytes(&self) -> usize {
        if self.keep == Keep::Disk { self.frame_bytes() } else { 0 }
    }

    /// Bytes of the largest frame.
    pub fn frame_bytes(&self) -> usize {
        let each = self.slabs.chunk().iter().zip(self.grid.chunk().iter()).zip(self.meta.shape.iter());
        let shape: Shape = each.map(|((s, c), n)| *s.min(c).min(n)).collect();
        shape.bytes(self.element).unwrap_or(usize::MAX)
    }

    /// The space that writing a slab needs, beside a buffer of [`cut_bytes`](Spilled::cut_bytes).
    pub fn put_scratch(&self) -> ScratchSize {
        match self.keep {
            Keep::Memory => ScratchSize::default(),
            // The largest that any choice of codec asks for.
            Keep::Disk => CHOICES.into_iter().fold(ScratchSize::default(), |most, choice| {
                most.max(Pipeline::new(codecs(choice, self.element), self.frame_bytes()).encode_scratch())
            }),
        }
    }

    /// Makes it ready to be written. It takes all its memory now; where it goes to disk, also `idle` bytes that nobody
    /// else will ask for, in which frames are kept before the first is written.
    ///
    /// # Errors
    /// When the folder cannot be written, or the memory is not there.
    pub fn open(&self, folder: &Arc<SpillFolder>, budget: &Budget, idle: u64) -> Result<()> {
        let mut lease = budget.lease(self.memory(), "an array that is cut anew")?;
        let chunks = self.grid.chunks();
        let held = match self.keep {
            Keep::Memory => {
                let bytes = self.chunk_bytes();
                Held::Memory((0..chunks).map(|_| Mutex::new(Block::new(bytes, lease.split(bytes as u64)))).collect())
            }
            Keep::Disk => Held::Disk {
                file: folder.file()?,
                idle: Box::new(Mutex::new(budget.lease(idle.min(self.bytes()), "frames in memory")?)),
                codecs: codecs(folder.codec(), self.element),
                frames: (0..chunks).map(|_| Mutex::default()).collect(),
                _index: lease,
            },
        };
        *lock(&self.held) = Some(Arc::new(held));
        Ok(())
    }

    /// Lets all of it go.
    pub fn clear(&self) {
        *lock(&self.held) = None;
    }

    /// Writes one slab: the elements of `slabs().region(slab)`, row-major in native byte order. `cut` has at least
    /// [`cut_bytes`](Spilled::cut_bytes).
    ///
    /// # Errors
    /// When the disk is full or refuses.
    pub fn put(&self, slab: &ChunkIndex, data: &[u8], cut: &mut [u8], scratch: &mut Scratch) -> Result<()> {
        let held = self.held()?;
        let region = self.slabs.region(slab);
        for chunk in self.grid.overlapping(&region) {
            let whole = self.grid.region(&chunk);
            let Some(shared) = region.intersect(&whole) else { continue };
            let number = self.grid.number(&chunk) as usize;
            match held.as_ref() {
                Held::Memory(blocks) => {
                    let whole = Region { shape: self.grid.chunk().clone(), ..whole };
                    copy_shared(data, &region, lock(&blocks[number]).bytes_mut(), &whole, self.element);
                }
                Held::Disk { file, idle, codecs, frames, .. } => {
                    let bytes = shared.shape.bytes(self.element)?;
                    let data = if shared == region {
                        data
                    } else {
                        let from = offset(&shared, &region);
                        extract(data, &region.shape, &from, &mut cut[..bytes], &shared.shape, self.element);
                        &cut[..bytes]
                    };
                    let slab = self.slabs.number(slab);
                    let frame = keep_frame(file, idle, codecs, slab, data, scratch)?;
                    lock(&frames[number]).push(frame);
                }
            }
        }
        Ok(())
    }

    fn held(&self) -> Result<Arc<Held>> {
        let held = lock(&self.held).clone();
        held.ok_or_else(|| Error::usage("an array is cut anew before it was opened").in_variable(&self.meta.path))
    }

    /// Where the elements of a frame lie in its chunk, if they are one run: the first one.
    fn run(&self, frame: &Region, chunk: &Region) -> Option<usize> {
        let whole = Region { start: chunk.start.clone(), shape: self.grid.chunk().clone() };
        frame.run_in(&whole).map(|first| first as usize)
    }

    fn read_frames(&self, index: &ChunkIndex, held: &Held, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        let (chunk, number) = (self.grid.region(index), self.grid.number(index) as usize);
        let Held::Disk { file, codecs, frames, .. } = held else { return Ok(()) };
        let mut frames = lock(&frames[number]).clone();
        frames.sort_by_key(|f| f.place.order());
        let mut spread = None;
        for frame in frames {
            let slab = self.slabs.region(&self.slabs.index(frame.slab));
            let Some(shared) = slab.intersect(&chunk) else { continue };
            let bytes = shared.shape.bytes(self.element)?;
            let pipeline = Pipeline::new(if frame.plain { vec![] } else { codecs.clone() }, bytes);
            let mut decode = |out: &mut [u8]| {
                let decoded = match &frame.place {
                    Place::Memory(block) => pipeline.decode_given(block.bytes(), scratch, out),
                    Place::File { offset, sum } => {
                        let stored = scratch.stored.bytes_mut().get_mut(..frame.bytes as usize);
                        let stored = stored.ok_or_else(|| broken("it is longer than any can be"))?;
                        file.read_at(*offset, stored)?;
                        if crc32c(stored) != *sum {
                            return Err(broken("its checksum is another"));
                        }
                        pipeline.decode(frame.bytes as usize, 0, scratch, out)
                    }
                };
                decoded.map_err(|e| broken(e.to_string()))
            };
            if let Some(first) = self.run(&shared, &chunk) {
                decode(&mut out[first * self.element..][..bytes])?;
                continue;
            }
            // Paid for by the scratch's state.
            let free = || Budget::new(Bytes(u64::MAX)).lease(self.frame_bytes() as u64, "a frame");
            let buffer = match &mut spread {
                Some(buffer) => buffer,
                None => spread.insert(Block::new(self.frame_bytes(), free()?)),
            };
            decode(&mut buffer.bytes_mut()[..bytes])?;
            let at = offset(&shared, &chunk);
            place(&buffer.bytes()[..bytes], &shared.shape, out, self.grid.chunk(), &at, self.element);
        }
        Ok(())
    }
}

impl PartialEq for Spilled {
    fn eq(&self, other: &Spilled) -> bool {
        self.number == other.number
    }
}

impl fmt::Debug for Spilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{} {} to {}", self.meta.path, self.number, self.slabs.chunk(), self.grid.chunk())
    }
}

/// Every way in which frames are compressed, the dearest level for all.
const CHOICES: [SpillCodec; 2] = [SpillCodec::Lz4, SpillCodec::Zstd(9)];

fn codecs(codec: SpillCodec, element: usize) -> Vec<Codec> {
    let compressor = match codec {
        SpillCodec::Lz4 | SpillCodec::None => Codec::Lz4Numcodecs,
        SpillCodec::Zstd(level) => Codec::Zstd { level },
    };
    vec![Codec::Shuffle { element }, compressor]
}

/// Compresses a frame and keeps it: in memory while there is idle memory, then in the file.
fn keep_frame(
    file: &SpillFile,
    idle: &Mutex<Lease>,
    codecs: &[Codec],
    slab: u64,
    data: &[u8],
    scratch: &mut Scratch,
) -> Result<Frame> {
    let shrunk = match file.is_plain() {
        true => None,
        false => Some(Pipeline::new(codecs.to_vec(), data.len()).encode(data, scratch)?).filter(|n| *n < data.len()),
    };
    let stored = shrunk.map_or(data, |n| &scratch.stored.bytes()[..n]);
    let n = stored.len();
    let bytes = u32::try_from(n).map_err(|_| Error::unsupported("re-blocking in frames of more than 4 GiB"))?;
    let cost = n as u64 + MEMORY_FRAME_BYTES;
    let lease = Some(lock(idle)).filter(|idle| idle.bytes() >= cost).map(|mut idle| idle.split(cost));
    let place = match lease {
        Some(lease) => {
            let mut block = Block::new(n, lease);
            block.bytes_mut().copy_from_slice(stored);
            Place::Memory(Arc::new(block))
        }
        None => Place::File { offset: file.append(stored)?, sum: crc32c(stored) },
    };
    Ok(Frame { slab, place, bytes, plain: shrunk.is_none() })
}

fn broken(detail: impl Into<String>) -> Error {
    Error::corrupt("a frame of the spill file", detail.into())
}

/// Where a region begins inside another.
fn offset(inner: &Region, outer: &Region) -> Vec<u64> {
    inner.start.iter().zip(&outer.start).map(|(a, b)| a - b).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source for Spilled {
    fn meta(&self) -> &VarMeta {
        &self.meta
    }

    fn origin(&self) -> Origin {
        Origin { file: format!("re-blocked #{}", self.number).into(), variable: self.meta.path.clone() }
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn scratch(&self) -> ScratchSize {
        let size = self.put_scratch();
        // A frame that is no run of its chunk is decoded beside it.
        ScratchSize { state: size.state + self.cut_bytes(), ..size }
    }

    fn stored_bytes(&self) -> u64 {
        self.bytes()
    }

    fn is_spilled(&self) -> bool {
        true
    }

    fn read(&self, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        let held = self.held()?;
        match held.as_ref() {
            Held::Memory(blocks) => out.copy_from_slice(lock(&blocks[self.grid.number(chunk) as usize]).bytes()),
            Held::Disk { .. } => self.read_frames(chunk, &held, scratch, out)?,
        }
        Ok(())
    }
}
