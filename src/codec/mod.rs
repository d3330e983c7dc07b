//! Filters and codecs: stored bytes to the bytes of elements and back.
//!
//! A [`Pipeline`] is what the formats build from their metadata, in the order in which it is applied when writing.
//! It works in a [`Scratch`] that belongs to one worker and is paid for by a lease.

use crate::{
    block::Block,
    budget::Lease,
    error::{Error, Result},
};

/// The space that one worker's decoding or encoding needs beside the data itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScratchSize {
    /// Bytes of stored data: the largest chunk as it lies in the file.
    pub stored: usize,
    /// Bytes between two codecs.
    pub work: usize,
    /// Bytes that the codecs' own libraries take.
    pub state: usize,
}

impl ScratchSize {
    /// All of it.
    pub fn bytes(&self) -> u64 {
        self.stored as u64 + self.work as u64 + self.state as u64
    }

    /// Enough for either.
    pub fn max(self, other: ScratchSize) -> ScratchSize {
        ScratchSize {
            stored: self.stored.max(other.stored),
            work: self.work.max(other.work),
            state: self.state.max(other.state),
        }
    }
}

/// One worker's buffers and codec contexts, used for one chunk after another.
pub struct Scratch {
    /// Stored bytes go here before they are decoded, and come from here after they were encoded.
    pub stored: Block,
    /// Bytes between two codecs.
    pub work: Block,
    /// Pays for the codec libraries' own state.
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
        Scratch { stored, work, _state: lease.split(size.state as u64) }
    }
}

/// One step of a pipeline, with all that its stored form says.
#[derive(Debug, Clone, PartialEq)]
pub enum Codec {
    /// HDF5 filter 2, numcodecs `shuffle`: bytes of elements gathered by their significance.
    Shuffle {
        /// Bytes of an element.
        element: usize,
    },
    /// HDF5 filter 32008: bits gathered by their significance, perhaps compressed.
    BitShuffle {
        /// Bytes of an element.
        element: usize,
        /// Elements in a block; 0 for the library's default.
        block: usize,
        /// What each block is compressed with.
        inner: BitShuffleInner,
    },
    /// A zlib stream: HDF5 filter 1, numcodecs `zlib`.
    Deflate {
        /// 0 to 9.
        level: u8,
    },
    /// A gzip stream (Zarr).
    Gzip {
        /// 0 to 9.
        level: u8,
    },
    /// HDF5 filter 3 (checksum behind the data), numcodecs `fletcher32`.
    Fletcher32,
    /// Zarr `crc32c` (checksum behind the data).
    Crc32c,
    /// numcodecs `crc32` (checksum before the data).
    Crc32,
    /// numcodecs `adler32` (checksum before the data).
    Adler32,
    /// HDF5 filter 4, as its client data says.
    Szip {
        /// The library's option mask.
        mask: u32,
        /// Bits of a sample.
        bits_per_pixel: u32,
        /// Samples in a block.
        pixels_per_block: u32,
        /// Samples in a scan line.
        pixels_per_scanline: u32,
    },
    /// HDF5 filter 5, with its client data.
    Nbit(Vec<u32>),
    /// HDF5 filter 6, with its client data.
    ScaleOffset(Vec<u32>),
    /// HDF5 filter 307, numcodecs `bz2`.
    Bzip2 {
        /// 1 to 9.
        level: u8,
    },
    /// HDF5 filter 32000.
    Lzf,
    /// HDF5 filter 32004: big-endian frame, blocks of LZ4.
    Lz4Hdf5,
    /// numcodecs `lz4`: a 4-byte little-endian length, then one LZ4 block.
    Lz4Numcodecs,
    /// HDF5 filter 32015, Zarr `zstd`.
    Zstd {
        /// The library's levels.
        level: i32,
    },
    /// HDF5 filter 32001, Zarr and numcodecs `blosc`: the buffer says itself how it was made.
    Blosc {
        /// `blosclz`, `lz4`, `lz4hc`, `zlib`, `zstd` (`snappy` is read only), for encoding.
        cname: String,
        /// 0 to 9, for encoding.
        level: u8,
        /// 0 none, 1 bytes, 2 bits, for encoding.
        shuffle: u8,
        /// Bytes of an element, for encoding.
        element: usize,
    },
}

/// What a [`Codec::BitShuffle`] block is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BitShuffleInner {
    None,
    Lz4,
    Zstd,
}

/// Codecs in the order in which they are applied when writing.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    codecs: Vec<Codec>,
    decoded_bytes: usize,
}

impl Pipeline {
    /// The pipeline for chunks of `decoded_bytes`.
    pub fn new(codecs: Vec<Codec>, decoded_bytes: usize) -> Pipeline {
        Pipeline { codecs, decoded_bytes }
    }

    /// Its codecs in the order in which they are applied when writing.
    pub fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// The scratch that decoding needs for stored chunks of at most `stored_max` bytes; `None` where the index does
    /// not say, which reserves what any of the codecs could make of a chunk.
    pub fn scratch(&self, stored_max: Option<usize>) -> ScratchSize {
        let bound = self.decoded_bytes + self.decoded_bytes / 4 + (64 << 10);
        ScratchSize { stored: stored_max.unwrap_or(bound), work: bound, state: 0 }
    }

    /// The scratch that [`encode`](Pipeline::encode) needs.
    pub fn encode_scratch(&self) -> ScratchSize {
        self.scratch(None)
    }

    /// Decodes `scratch.stored[..stored_len]` into `out`, which has the chunk's decoded size.
    ///
    /// Bit `k` of `skip` says that codec `k` was not applied to this chunk (HDF5's filter mask).
    ///
    /// # Errors
    /// When the stored bytes are not what the codecs write, or decode to another length than `out`'s.
    pub fn decode(&self, stored_len: usize, skip: u32, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        let _ = (stored_len, skip, scratch, out);
        Err(Error::unsupported("decoding"))
    }

    /// Encodes `data` into `scratch.stored` and says how many bytes it became.
    ///
    /// # Errors
    /// When one of the codecs cannot be written.
    pub fn encode(&self, data: &[u8], scratch: &mut Scratch) -> Result<usize> {
        let _ = (data, scratch);
        Err(Error::unsupported("encoding"))
    }
}
