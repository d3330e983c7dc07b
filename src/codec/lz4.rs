//! LZ4 blocks in the two frames that HDF5's filter and numcodecs give them.

use super::bytes::Reader;
use crate::error::{Error, Result};

const NAME: &str = "lz4";

/// Bytes of the compressor's table.
pub(super) const ENCODE_STATE_BYTES: usize = 64 << 10;

/// Decodes one block, and says how many bytes it gave.
pub(super) fn decode_block(input: &[u8], out: &mut [u8]) -> Result<usize> {
    lz4_flex::block::decompress_into(input, out).map_err(|e| Error::codec(NAME, e.to_string()))
}

/// numcodecs: a little-endian length, then a block.
pub(super) fn decode_numcodecs(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut reader = Reader::new(NAME, input);
    let total = u32::from_le_bytes(reader.array()?) as usize;
    let got = decode_block(reader.rest(), room(out, total)?)?;
    if got != total {
        return Err(Error::codec(NAME, format!("the block holds {got} bytes, its frame says {total}")));
    }
    Ok(total)
}

/// HDF5 filter 32004: the total, the bytes of a block, and blocks behind their compressed lengths, all big-endian.
pub(super) fn decode_hdf5(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut reader = Reader::new(NAME, input);
    let total = usize::try_from(u64::from_be_bytes(reader.array()?))
        .map_err(|_| Error::codec(NAME, "the frame's length is absurd"))?;
    let block_bytes = u32::from_be_bytes(reader.array()?) as usize;
    if block_bytes == 0 && total > 0 {
        return Err(Error::codec(NAME, "the frame's blocks are empty"));
    }
    for block in room(out, total)?.chunks_mut(block_bytes.max(1)) {
        let stored_bytes = u32::from_be_bytes(reader.array()?) as usize;
        let stored = reader.bytes(stored_bytes)?;
        if stored_bytes == block.len() {
            block.copy_from_slice(stored);
            continue;
        }
        let got = decode_block(stored, block)?;
        if got != block.len() {
            return Err(Error::codec(NAME, format!("a block holds {got} bytes, its frame says {}", block.len())));
        }
    }
    Ok(total)
}

/// The first `total` bytes of `out`.
fn room(out: &mut [u8], total: usize) -> Result<&mut [u8]> {
    let room = out.len();
    out.get_mut(..total)
        .ok_or_else(|| Error::codec(NAME, format!("the frame says {total} bytes, at most {room} are expected")))
}

/// Compresses as numcodecs does.
pub(super) fn encode_numcodecs(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let too_long = || Error::codec(NAME, format!("{} bytes are too many for one block", input.len()));
    let total = u32::try_from(input.len()).map_err(|_| too_long())?;
    let (length, block) = out.split_first_chunk_mut().ok_or_else(too_long)?;
    *length = total.to_le_bytes();
    let n = lz4_flex::block::compress_into(input, block).map_err(|e| Error::codec(NAME, e.to_string()))?;
    Ok(length.len() + n)
}
