//! Zstandard frames.

use crate::error::{Error, Result};
use zstd::bulk::{Compressor, Decompressor};

const NAME: &str = "zstd";

/// The library's contexts.
#[derive(Default)]
pub(super) struct Contexts {
    decompressor: Option<Decompressor<'static>>,
    compressor: Option<(i32, Compressor<'static>)>,
}

/// Bytes of the library's decompression context (measured with 1.5.7: 97 KiB).
pub(super) const DECODE_STATE_BYTES: usize = 112 << 10;

/// Bytes of the library's compression context at `level` for data of `bytes`.
///
/// Its tables shrink with the data: measured with 1.5.7 are less than 24 bytes for each of the data's, and no more
/// than the largest data makes it take.
pub(super) fn encode_state_bytes(level: i32, bytes: usize) -> usize {
    let most: usize = match level {
        ..=1 => 640 << 10,
        2 => 832 << 10,
        3 => 1344 << 10,
        4..=5 => 3 << 20,
        6..=7 => 6 << 20,
        8..=9 => 11 << 20,
        10..=12 => 41 << 20,
        13..=19 => 82 << 20,
        20 => 162 << 20,
        21 => 322 << 20,
        _ => 642 << 20,
    };
    most.min((320 << 10) + bytes.saturating_mul(BYTES_PER_BYTE))
}

/// See [`encode_state_bytes`].
const BYTES_PER_BYTE: usize = 24;

/// Decodes one frame or several, with or without their content size, and says how many bytes they gave.
pub(super) fn decode(contexts: &mut Contexts, input: &[u8], out: &mut [u8]) -> Result<usize> {
    let decompressor = match &mut contexts.decompressor {
        Some(decompressor) => decompressor,
        none => none.insert(Decompressor::new().map_err(said)?),
    };
    decompressor.decompress_to_buffer(input, out).map_err(said)
}

/// Compresses `input` into one frame and says how many bytes it became.
pub(super) fn encode(contexts: &mut Contexts, level: i32, input: &[u8], out: &mut [u8]) -> Result<usize> {
    let compressor = match &mut contexts.compressor {
        Some((at, compressor)) if *at == level => compressor,
        stale => &mut stale.insert((level, Compressor::new(level).map_err(said)?)).1,
    };
    compressor.compress_to_buffer(input, out).map_err(said)
}

fn said(e: std::io::Error) -> Error {
    Error::codec(NAME, e.to_string())
}
