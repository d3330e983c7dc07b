//! [`Scratch`]: what one worker decodes and encodes in.

use super::{deflate, deflater, inflate, zstd};
use crate::{block::Block, budget::Lease};

/// The space that one worker's decoding or encoding needs beside the data itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScratchSize {
    /// Bytes of stored data: the largest chunk as it lies in the file.
    pub stored: usize,
    /// Bytes between two codecs.
    pub work: usize,
    /// Bytes that the codecs' own libraries take.
    pub state: usize,
    /// Bytes of a whole chunk that is decoded and then put together with others.
    pub piece: usize,
}

impl ScratchSize {
    /// All of it.
    pub fn bytes(&self) -> u64 {
        self.stored as u64 + self.work as u64 + self.state as u64 + self.piece as u64
    }

    /// Enough for either.
    pub fn max(self, other: ScratchSize) -> ScratchSize {
        ScratchSize {
            stored: self.stored.max(other.stored),
            work: self.work.max(other.work),
            state: self.state.max(other.state),
            piece: self.piece.max(other.piece),
        }
    }
}

/// One worker's buffers and codec contexts, used for one chunk after another.
pub struct Scratch {
    /// Stored bytes go here before they are decoded, and come from here after they were encoded.
    pub stored: Block,
    /// Bytes between two codecs.
    pub work: Block,
    /// A whole chunk that is put together with others; none while it is used.
    pub piece: Option<Block>,
    /// The codec libraries' own state.
    pub(super) contexts: Contexts,
    /// Pays for it; after it, so that it is given back last.
    _state: Lease,
}

impl Scratch {
    /// Buffers of `size`.
    ///
    /// # Panics
    /// When `lease` is smaller than `size.bytes()`.
    pub fn new(size: ScratchSize, mut lease: Lease) -> Scratch {
        let stored = Block::new(size.stored, lease.split(size.stored as u64));
        let work = Block::new(size.work, lease.split(size.work as u64));
        let piece = Some(Block::new(size.piece, lease.split(size.piece as u64)));
        Scratch { stored, work, piece, contexts: Contexts::default(), _state: lease.split(size.state as u64) }
    }
}

/// The contexts that codec libraries keep from one chunk to the next, each made when it is first needed.
#[derive(Default)]
pub(super) struct Contexts {
    pub deflate: deflate::Contexts,
    pub inflate: inflate::Contexts,
    pub zstd: zstd::Contexts,
    pub deflater: deflater::Context,
    /// One block of bitshuffle between its two steps.
    pub block: Vec<u8>,
}
