//! zlib and gzip streams, by libdeflate.

use crate::error::{Error, Result};
use libdeflater::{CompressionError, CompressionLvl, Compressor, DecompressionError, Decompressor};

/// libdeflate's decompressor and compressor.
#[derive(Default)]
pub(super) struct Contexts {
    decompressor: Option<Decompressor>,
    compressor: Option<(u8, Compressor)>,
}

/// What wraps the deflated data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapper {
    Zlib,
    Gzip,
}

/// Bytes of libdeflate's decompressor.
pub(super) const DECODE_STATE_BYTES: usize = 12 << 10;

/// Bytes of libdeflate's compressor of `level` (measured with 1.26: 6, 200, 656 and 8804 KiB).
pub(super) fn encode_state_bytes(level: u8) -> usize {
    match level {
        0 => 8 << 10,
        1 => 204 << 10,
        2..=9 => 660 << 10,
        _ => 9 << 20,
    }
}

impl Wrapper {
    fn name(self) -> &'static str {
        match self {
            Wrapper::Zlib => "deflate",
            Wrapper::Gzip => "gzip",
        }
    }

    /// Inflates `input` and says how many bytes it gave.
    pub(super) fn decode(self, contexts: &mut Contexts, input: &[u8], out: &mut [u8]) -> Result<usize> {
        let decompressor = contexts.decompressor.get_or_insert_default();
        match self {
            Wrapper::Zlib => self.said(decompressor.zlib_decompress(input, out), out.len()),
            Wrapper::Gzip => self.members(decompressor, input, out),
        }
    }

    /// The members of a gzip file are decoded one behind the other.
    fn members(self, decompressor: &mut Decompressor, mut input: &[u8], out: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        loop {
            let room = &mut out[done..];
            let n = self.said(decompressor.gzip_decompress(input, room), room.len())?;
            let next = next_member(input, &room[..n]);
            done += n;
            match next {
                Some(next) => input = next,
                None => return Ok(done),
            }
        }
    }

    fn said(self, result: std::result::Result<usize, DecompressionError>, room: usize) -> Result<usize> {
        result.map_err(|e| match e {
            DecompressionError::BadData => Error::codec(self.name(), "the stored data is broken"),
            DecompressionError::InsufficientSpace => {
                Error::codec(self.name(), format!("the stored data gives more than the {room} bytes expected"))
            }
        })
    }

    /// Compresses `input` and says how many bytes it became.
    pub(super) fn encode(self, contexts: &mut Contexts, level: u8, input: &[u8], out: &mut [u8]) -> Result<usize> {
        let compressor = match &mut contexts.compressor {
            Some((at, compressor)) if *at == level => compressor,
            stale => {
                let lvl = CompressionLvl::new(level.into())
                    .map_err(|_| Error::codec(self.name(), format!("there is no level {level}; levels are 0 to 9")))?;
                &mut stale.insert((level, Compressor::new(lvl))).1
            }
        };
        let room = out.len();
        match self {
            Wrapper::Zlib => compressor.zlib_compress(input, out),
            Wrapper::Gzip => compressor.gzip_compress(input, out),
        }
        .map_err(|CompressionError::InsufficientSpace| {
            Error::codec(self.name(), format!("{} bytes do not fit the {room} reserved", input.len()))
        })
    }
}

/// What follows the member of `input` that decoded to `data`, if that is another member.
///
/// libdeflate does not say where a member ends, but its last eight bytes are known: the data's CRC and length.
fn next_member<'a>(input: &'a [u8], data: &[u8]) -> Option<&'a [u8]> {
    const HEADER: usize = 10;
    const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
    let mut end = [0; 8];
    end[..4].copy_from_slice(&libdeflater::crc32(data).to_le_bytes());
    end[4..].copy_from_slice(&(data.len() as u32).to_le_bytes());
    // In short members they can also stand elsewhere; what follows the right place is another member or nothing.
    let body = input.get(HEADER..)?;
    let ends = body.windows(end.len()).enumerate().filter(|&(_, w)| w == end);
    let behind = ends.map(|(at, _)| &body[at + end.len()..]).find(|next| next.is_empty() || next.starts_with(&MAGIC));
    behind.filter(|next| !next.is_empty())
}
