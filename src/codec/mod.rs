//! Filters and codecs: stored bytes to the bytes of elements and back.
//!
//! A [`Pipeline`] is what the formats build from their metadata, in the order in which it is applied when writing.
//! It works in a [`Scratch`] that belongs to one worker and is paid for by a lease.

mod pipeline;
mod scratch;
mod step;
mod growing;

mod bits;
mod bitshuffle;
mod blosc;
mod bytes;
mod bzip2;
mod checksum;
mod deflate;
mod deflater;
mod inflate;
mod lz4;
mod lzf;
mod nbit;
mod pack_bits;
mod scale_offset;
mod szip;
mod zstd;

pub use checksum::crc32c;
pub use growing::decode_growing;
pub use inflate::AT_ONCE;
pub use pipeline::Pipeline;
pub use scratch::{Scratch, ScratchSize};

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
    /// A zlib stream as [`Codec::Deflate`], made more than twice as fast as at level 1, and a sixth larger.
    DeflateFast,
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
    /// numcodecs `packbits`: truth values, eight to a byte. Read only.
    PackBits,
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

impl Codec {
    /// Its registered name, as errors say it.
    pub fn name(&self) -> &'static str {
        match self {
            Codec::Shuffle { .. } => "shuffle",
            Codec::BitShuffle { .. } => "bitshuffle",
            Codec::Deflate { .. } | Codec::DeflateFast => "deflate",
            Codec::Gzip { .. } => "gzip",
            Codec::Fletcher32 => "fletcher32",
            Codec::Crc32c => "crc32c",
            Codec::Crc32 => "crc32",
            Codec::Adler32 => "adler32",
            Codec::PackBits => "packbits",
            Codec::Szip { .. } => "szip",
            Codec::Nbit(_) => "nbit",
            Codec::ScaleOffset(_) => "scaleoffset",
            Codec::Bzip2 { .. } => "bzip2",
            Codec::Lzf => "lzf",
            Codec::Lz4Hdf5 | Codec::Lz4Numcodecs => "lz4",
            Codec::Zstd { .. } => "zstd",
            Codec::Blosc { .. } => "blosc",
        }
    }
}

#[cfg(test)]
mod tests;
