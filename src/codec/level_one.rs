//! What level 1 of deflate does with data in which there is nothing to find.
//!
//! The low bytes of computed floats are noise: a search for repetitions takes most of the time there and gains nothing.
//! A sample is compressed in both ways; where Huffman codes and runs come about as far as zlib's level 1 would, which is
//! 2 to 3 % behind libdeflate's, they are taken, in less than half the time.

use super::{deflate::Wrapper, huffman, scratch::Contexts};
use crate::error::Result;

/// The sample: pieces from all over the data, so that each plane of shuffled bytes has its share.
const PIECES: usize = 8;
const PIECE: usize = 8 << 10;
/// Shorter data is not worth a sample.
const LEAST: usize = 8 * PIECES * PIECE / 2;
/// The sample, and room for what it becomes.
pub(super) const SAMPLE_BYTES: usize = 2 * PIECES * PIECE + (64 << 10);
/// How far behind libdeflate's level 1 codes alone may be, in thousandths.
const BEHIND: usize = 1034;

/// Whether Huffman codes and runs of one byte suffice for `input`. It depends on nothing but the input.
pub(super) fn codes_suffice(contexts: &mut Contexts, input: &[u8]) -> Result<bool> {
    if input.len() < LEAST {
        return Ok(false);
    }
    let mut buffer = std::mem::take(&mut contexts.sample);
    buffer.resize(SAMPLE_BYTES, 0);
    let (sample, room) = buffer.split_at_mut(PIECES * PIECE);
    let step = (input.len() - PIECE) / (PIECES - 1);
    for (k, piece) in sample.chunks_exact_mut(PIECE).enumerate() {
        piece.copy_from_slice(&input[k * step..][..PIECE]);
    }
    let coded = huffman::encode(&mut contexts.huffman, sample, room)?;
    let searched = Wrapper::Zlib.encode(&mut contexts.deflate, 1, sample, room)?;
    contexts.sample = buffer;
    Ok(coded * 1000 <= searched * BEHIND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize, bits: u32) -> Vec<u8> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> (64 - bits)) as u8
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn noise_is_coded_and_what_repeats_is_searched() {
        let mut contexts = Contexts::default();
        assert!(codes_suffice(&mut contexts, &noise(1 << 20, 6)).unwrap());
        let text: Vec<u8> = noise(64, 8).into_iter().cycle().take(1 << 20).collect();
        assert!(!codes_suffice(&mut contexts, &text).unwrap());
        assert!(!codes_suffice(&mut contexts, &noise(1000, 6)).unwrap(), "too short to tell");
    }
}
