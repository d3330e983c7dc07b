//! Bitshuffle: the bits of elements gathered by their significance in blocks, each perhaps compressed.
//!
//! Masui et al. 2015, "A compression scheme for radio data in high performance computing", section 3; the frame is
//! that of HDF5 filter 32008.

use super::{BitShuffleInner, bytes::Reader, lz4, scratch::Contexts, zstd};
use crate::error::{Error, Result};

const NAME: &str = "bitshuffle";

/// The library's bytes of a block when none is given, and its least elements.
const BLOCK_BYTES: usize = 8192;
const BLOCK_ELEMENTS_MIN: usize = 128;
/// Blocks are multiples of as many elements; fewer at the end are stored as they are.
const GROUP: usize = 8;

/// How the data was stored.
#[derive(Clone, Copy)]
pub(super) struct BitShuffle {
    pub element: usize,
    pub block: usize,
    pub inner: BitShuffleInner,
}

impl BitShuffle {
    /// Bytes that decoding data of `bytes` takes: a block between the two steps, and the inner codec's state.
    pub(super) fn state_bytes(self, bytes: usize) -> usize {
        let block = self.block_elements().saturating_mul(self.element).min(bytes);
        match self.inner {
            BitShuffleInner::None => 0,
            BitShuffleInner::Lz4 => block,
            BitShuffleInner::Zstd => block + zstd::DECODE_STATE_BYTES,
        }
    }

    fn block_elements(self) -> usize {
        let of_size = BLOCK_BYTES / self.element.max(1) / GROUP * GROUP;
        if self.block == 0 { of_size.max(BLOCK_ELEMENTS_MIN) } else { self.block }
    }

    /// Decodes `input` and says how many bytes it gave.
    pub(super) fn decode(self, contexts: &mut Contexts, input: &[u8], out: &mut [u8]) -> Result<usize> {
        if self.element == 0 {
            return Err(Error::codec(NAME, "elements of 0 bytes"));
        }
        let mut reader = Reader::new(NAME, input);
        let (total, block) = match self.inner {
            BitShuffleInner::None => (input.len(), self.block_elements()),
            _ => {
                let total = usize::try_from(u64::from_be_bytes(reader.array()?)).unwrap_or(usize::MAX);
                (total, u32::from_be_bytes(reader.array()?) as usize / self.element)
            }
        };
        if block == 0 || !block.is_multiple_of(GROUP) {
            return Err(Error::codec(NAME, format!("blocks of {block} elements")));
        }
        let room = out.len();
        let out = out
            .get_mut(..total)
            .ok_or_else(|| Error::codec(NAME, format!("the frame says {total} bytes, at most {room} are expected")))?;
        let whole = total / self.element / GROUP * GROUP * self.element;
        let (blocks, tail) = out.split_at_mut(whole);
        for out in blocks.chunks_mut(block.saturating_mul(self.element)) {
            self.block(contexts, &mut reader, out)?;
        }
        tail.copy_from_slice(reader.bytes(tail.len())?);
        Ok(total)
    }

    fn block(self, contexts: &mut Contexts, reader: &mut Reader<'_>, out: &mut [u8]) -> Result<()> {
        if self.inner == BitShuffleInner::None {
            untranspose(self.element, reader.bytes(out.len())?, out);
            return Ok(());
        }
        let stored_bytes = u32::from_be_bytes(reader.array()?) as usize;
        let stored = reader.bytes(stored_bytes)?;
        let Contexts { block, zstd, .. } = contexts;
        block.resize(out.len().max(block.len()), 0);
        let planes = &mut block[..out.len()];
        let got = match self.inner {
            BitShuffleInner::Zstd => zstd::decode(zstd, stored, planes)?,
            _ => lz4::decode_block(stored, planes)?,
        };
        if got != out.len() {
            return Err(Error::codec(NAME, format!("a block holds {got} bytes, {} are expected", out.len())));
        }
        untranspose(self.element, planes, out);
        Ok(())
    }
}

/// Makes elements of bit planes.
///
/// Plane `8 k + b` holds bit `b` of byte `k` of each element, the first element's in the lowest bit.
fn untranspose(element: usize, planes: &[u8], out: &mut [u8]) {
    let groups = out.len() / element / GROUP;
    for (k, planes) in planes.chunks_exact((groups * 8).max(1)).enumerate() {
        for (group, elements) in out.chunks_exact_mut(GROUP * element).enumerate() {
            let rows: [u8; 8] = std::array::from_fn(|bit| planes[bit * groups + group]);
            let bytes = transpose8(u64::from_le_bytes(rows)).to_le_bytes();
            for (element, byte) in elements.chunks_exact_mut(element).zip(bytes) {
                element[k] = byte;
            }
        }
    }
}

/// An 8 x 8 matrix of bits, transposed (Warren 2013, Hacker's Delight, section 7-3).
fn transpose8(x: u64) -> u64 {
    let swap = |x: u64, by: u32, mask: u64| {
        let t = (x ^ x >> by) & mask;
        x ^ t ^ t << by
    };
    let x = swap(x, 7, 0x00aa_00aa_00aa_00aa);
    let x = swap(x, 14, 0x0000_cccc_0000_cccc);
    swap(x, 28, 0x0000_0000_f0f0_f0f0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_elements() {
        for element in [1, 2, 3, 4, 8] {
            let data: Vec<u8> = (0..element * 64).map(|i: usize| (i.wrapping_mul(2654435761) >> 5) as u8).collect();
            let mut planes = vec![0u8; data.len()];
            for (i, byte) in data.iter().enumerate() {
                let (k, i) = (i % element, i / element);
                for bit in 0..8 {
                    planes[(8 * k + bit) * 8 + i / 8] |= (byte >> bit & 1) << (i % 8);
                }
            }
            let mut out = vec![0; data.len()];
            untranspose(element, &planes, &mut out);
            assert_eq!(out, data, "elements of {element} bytes");
        }
    }
}
