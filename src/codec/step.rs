//! One codec applied or undone: where [`Codec`] meets the functions that do it.

use super::{
    BitShuffleInner, Codec, bitshuffle::BitShuffle, blosc, bzip2, checksum, deflate, deflate::Wrapper, deflater,
    deflater::Search, lz4, lzf, nbit, pack_bits, scale_offset, scratch::Contexts, szip::Szip, zstd,
};
use crate::{
    error::{Error, Problem, Result},
    kernels::shuffle,
};

/// What is known of a length before the codec has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Exactly(usize),
    AtMost(usize),
}

impl Length {
    /// The most that it can be.
    pub(super) fn max(self) -> usize {
        match self {
            Length::Exactly(n) | Length::AtMost(n) => n,
        }
    }

    fn map(self, f: impl Fn(usize) -> usize) -> Length {
        match self {
            Length::Exactly(n) => Length::Exactly(f(n)),
            Length::AtMost(n) => Length::AtMost(f(n)),
        }
    }

    /// Whether `got` is such a length.
    pub(super) fn check(self, codec: &Codec, got: usize) -> Result<()> {
        match self {
            Length::Exactly(expected) if got < expected => {
                Err(Problem::Truncated { what: codec.name().to_string(), expected: expected as u64, got: got as u64 }
                    .into())
            }
            Length::Exactly(n) | Length::AtMost(n) if got > n => {
                Err(Error::codec(codec.name(), format!("expected {n} bytes, got {got}")))
            }
            _ => Ok(()),
        }
    }
}

impl Codec {
    /// The length after the codec was applied to data of `length`.
    pub(super) fn length_after(&self, length: Length) -> Length {
        match self {
            Codec::Shuffle { .. } | Codec::BitShuffle { inner: BitShuffleInner::None, .. } => length,
            Codec::Fletcher32 | Codec::Crc32c | Codec::Crc32 | Codec::Adler32 => {
                length.map(|n| n.saturating_add(checksum::BYTES))
            }
            Codec::PackBits => length.map(pack_bits::packed_bytes),
            _ => Length::AtMost(bound(length.max())),
        }
    }

    /// Undoes the codec and says how many bytes `input` gave; `out` is what they may be at most.
    pub(super) fn undo(&self, contexts: &mut Contexts, input: &[u8], out: &mut [u8]) -> Result<usize> {
        match self {
            Codec::Shuffle { element } => {
                let room = out.len();
                let out = out
                    .get_mut(..input.len())
                    .ok_or_else(|| Error::codec(self.name(), format!("expected {room} bytes, got {}", input.len())))?;
                shuffle::unshuffle(*element, input, out);
                Ok(input.len())
            }
            Codec::Deflate { .. } | Codec::DeflateFast => Wrapper::Zlib.decode(&mut contexts.deflate, input, out),
            Codec::Gzip { .. } => Wrapper::Gzip.decode(&mut contexts.deflate, input, out),
            Codec::Lz4Hdf5 => lz4::decode_hdf5(input, out),
            Codec::Lz4Numcodecs => lz4::decode_numcodecs(input, out),
            Codec::Zstd { .. } => zstd::decode(&mut contexts.zstd, input, out),
            Codec::Blosc { .. } => blosc::decode(input, out),
            Codec::Bzip2 { .. } => bzip2::decode(input, out),
            Codec::Lzf => lzf::decode(input, out),
            Codec::PackBits => pack_bits::decode(input, out),
            Codec::Nbit(values) => nbit::decode(values, input, out),
            Codec::ScaleOffset(values) => scale_offset::decode(values, input, out),
            &Codec::BitShuffle { element, block, inner } => {
                BitShuffle { element, block, inner }.decode(contexts, input, out)
            }
            &Codec::Szip { mask, bits_per_pixel, pixels_per_block, pixels_per_scanline } => {
                Szip { mask, bits_per_pixel, pixels_per_block, pixels_per_scanline }.decode(input, out)
            }
            Codec::Fletcher32 | Codec::Crc32c | Codec::Crc32 | Codec::Adler32 => {
                unreachable!("a pipeline verifies checksums in place")
            }
        }
    }

    /// Applies the codec and says how many bytes `input` became.
    pub(super) fn apply(&self, contexts: &mut Contexts, input: &[u8], out: &mut [u8]) -> Result<usize> {
        match self {
            Codec::Shuffle { element } => {
                let room = out.len();
                let out = out.get_mut(..input.len()).ok_or_else(|| {
                    Error::codec(self.name(), format!("{} bytes do not fit the {room} reserved", input.len()))
                })?;
                shuffle::shuffle(*element, input, out);
                Ok(input.len())
            }
            Codec::Deflate { level: 1 } => deflater::encode(&mut contexts.deflater, Search::Window, input, out),
            Codec::Deflate { level } => Wrapper::Zlib.encode(&mut contexts.deflate, *level, input, out),
            Codec::DeflateFast => deflater::encode(&mut contexts.deflater, Search::Runs, input, out),
            Codec::Gzip { level } => Wrapper::Gzip.encode(&mut contexts.deflate, *level, input, out),
            Codec::Lz4Numcodecs => lz4::encode_numcodecs(input, out),
            Codec::Bzip2 { level } => bzip2::encode(*level, input, out),
            Codec::Zstd { level } => zstd::encode(&mut contexts.zstd, *level, input, out),
            Codec::Blosc { cname, level, shuffle, element } => {
                let how = blosc::Encode { cname, level: *level, shuffle: *shuffle, element: *element };
                blosc::encode(how, input, out)
            }
            _ => Err(Error::unsupported(format!("encoding {}", self.name()))),
        }
    }

    /// Bytes that libraries take while the codec is undone to data of `bytes`.
    pub(super) fn undo_state_bytes(&self, bytes: usize) -> usize {
        match self {
            Codec::Deflate { .. } | Codec::DeflateFast | Codec::Gzip { .. } => deflate::DECODE_STATE_BYTES,
            Codec::Zstd { .. } => zstd::DECODE_STATE_BYTES,
            Codec::Blosc { .. } => blosc::decode_state_bytes(bytes),
            Codec::Bzip2 { .. } => bzip2::DECODE_STATE_BYTES,
            &Codec::BitShuffle { element, block, inner } => BitShuffle { element, block, inner }.state_bytes(bytes),
            _ => 0,
        }
    }

    /// Bytes that libraries take while the codec is applied to data of `bytes`.
    pub(super) fn apply_state_bytes(&self, bytes: usize) -> usize {
        match self {
            Codec::Deflate { level: 1 } | Codec::DeflateFast => deflater::STATE_BYTES,
            Codec::Deflate { level } | Codec::Gzip { level } => deflate::encode_state_bytes(*level),
            Codec::Zstd { level } => zstd::encode_state_bytes(*level, bytes),
            Codec::Lz4Numcodecs => lz4::ENCODE_STATE_BYTES,
            Codec::Bzip2 { level } => bzip2::encode_state_bytes(*level),
            Codec::Blosc { cname, level, .. } => blosc::encode_state_bytes(cname, *level, bytes),
            _ => 0,
        }
    }
}

/// What the least able encoder in use makes of `bytes` that do not compress.
///
/// The worst is zlib-ng's quick deflate, nine bits for each literal; then LZF (33 for 32) and bzip2 (1 % and 600
/// bytes); the constant is for the headers and tables of short data.
pub(super) fn bound(bytes: usize) -> usize {
    bytes.saturating_add(bytes / 8).saturating_add(4096)
}
