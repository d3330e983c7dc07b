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

/// Bytes of the library's decompression context.
pub(super) const DECODE_STATE_BYTES: usize = 192 << 10;

/// Bytes of the library's compression context for data of `bytes`.
pub(super) fn encode_state_bytes(level: i32, bytes: usize) -> usize {
    let _ = (level, bytes);
    16 << 20
}

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
