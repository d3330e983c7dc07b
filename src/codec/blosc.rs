//! Blosc buffers, by C-Blosc with one thread.

use super::zstd;
use crate::error::{Error, Result};
use std::ffi::{CStr, CString};

const NAME: &str = "blosc";

/// Decodes `input` and says how many bytes it gave.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let header: &[u8; HEADER] = input
        .first_chunk()
        .ok_or_else(|| Error::codec(NAME, format!("{} bytes are too few for a header of {HEADER}", input.len())))?;
    let stored_bytes = u32::from_le_bytes([header[12], header[13], header[14], header[15]]) as usize;
    let input = input.get(..stored_bytes).ok_or_else(|| {
        Error::codec(NAME, format!("the header says {stored_bytes} stored bytes, there are {}", input.len()))
    })?;
    let mut decoded_bytes = 0;
    // SAFETY: the pointer and the length are those of `input`.
    if unsafe { blosc_src::blosc_cbuffer_validate(input.as_ptr().cast(), input.len(), &mut decoded_bytes) } != 0 {
        return Err(Error::codec(NAME, "the header is broken"));
    }
    if decoded_bytes > out.len() {
        let room = out.len();
        return Err(Error::codec(NAME, format!("the header says {decoded_bytes} bytes, at most {room} are expected")));
    }
    inner_codec_is_built(input)?;
    // SAFETY: validated above: `input` has the length that its header says, and `out` has room for what it gives;
    // the library checks offsets within the buffer itself.
    let n = unsafe { blosc_src::blosc_decompress_ctx(input.as_ptr().cast(), out.as_mut_ptr().cast(), out.len(), 1) };
    usize::try_from(n).map_err(|_| Error::codec(NAME, "the stored data is broken"))
}

/// Bytes of the header.
const HEADER: usize = 16;

/// Whether the library was built with the codec that the buffer needs.
fn inner_codec_is_built(input: &[u8]) -> Result<()> {
    // SAFETY: `input` begins with a header; the result is null or a static string.
    let name = unsafe {
        let name = blosc_src::blosc_cbuffer_complib(input.as_ptr().cast());
        (!name.is_null()).then(|| CStr::from_ptr(name)).ok_or_else(|| Error::codec(NAME, "the header is broken"))?
    };
    let lower = CString::new(name.to_bytes().to_ascii_lowercase()).unwrap_or_default();
    // The library's names of formats differ from those of its compressors in case only.
    // SAFETY: a string that ends with nul.
    if unsafe { blosc_src::blosc_compname_to_compcode(lower.as_ptr()) } < 0 {
        return Err(Error::unsupported(format!("blosc with {}", lower.to_string_lossy())));
    }
    Ok(())
}

/// Compresses `input` and says how many bytes it became.
pub(super) fn encode(how: Encode<'_>, input: &[u8], out: &mut [u8]) -> Result<usize> {
    let cname = CString::new(how.cname).unwrap_or_default();
    // SAFETY: the lengths are those of the slices, and `cname` ends with nul.
    let n = unsafe {
        blosc_src::blosc_compress_ctx(
            how.level.into(),
            how.shuffle.into(),
            how.element,
            input.len(),
            input.as_ptr().cast(),
            out.as_mut_ptr().cast(),
            out.len(),
            cname.as_ptr(),
            0,
            1,
        )
    };
    match n {
        1.. => Ok(n as usize),
        _ => Err(Error::codec(
            NAME,
            format!("'{}' at level {} cannot write {} bytes", how.cname, how.level, input.len()),
        )),
    }
}

/// How a buffer is to be made.
pub(super) struct Encode<'a> {
    pub cname: &'a str,
    pub level: u8,
    pub shuffle: u8,
    pub element: usize,
}

/// Bytes that the library takes while it decodes to `bytes`: three of its blocks, and an inner codec's state.
pub(super) fn decode_state_bytes(bytes: usize) -> usize {
    3 * bytes.min(2 * BLOCK_MAX) + INNER_STATE_BYTES
}

/// Bytes that the library takes while it encodes `bytes` at `level`.
pub(super) fn encode_state_bytes(cname: &str, level: u8, bytes: usize) -> usize {
    let block = bytes.min(BLOCK_MAX);
    let inner = match (cname, level) {
        ("zstd", ..=8) => zstd::encode_state_bytes(2 * level as i32 - 1, block),
        ("zstd", _) => zstd::encode_state_bytes(i32::MAX, block),
        _ => 0,
    };
    3 * block + INNER_STATE_BYTES + inner
}

/// The longest block that C-Blosc chooses for itself; a user may have asked for longer ones.
const BLOCK_MAX: usize = 1 << 20;
/// More than LZ4HC, zlib and zstd's decompressor take.
const INNER_STATE_BYTES: usize = 384 << 10;
