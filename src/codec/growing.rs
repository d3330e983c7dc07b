//! Chunks whose decoded length nobody knows before: those of strings.

use super::{Codec, checksum::Checksum, scratch::Contexts};
use crate::{block::Block, budget::Budget, error::Result};
use std::ops::Range;

/// Decoding begins with room for so many times the stored bytes, and goes on with as many times the room before.
const GROWTH: usize = 8;
const ROOM_MIN: usize = 4096;
/// No chunk of strings has more bytes.
const ROOM_MAX: usize = 256 << 20;

/// Decodes `stored`, and says where in the block it is.
///
/// # Errors
/// When the codecs do not write such bytes; when they become too many.
pub fn decode_growing(codecs: &[Codec], stored: &[u8], budget: &Budget) -> Result<(Block, Range<usize>)> {
    let mut contexts = Contexts::default();
    let mut held = Block::unset(stored.len(), budget.lease(stored.len() as u64, "strings")?);
    held.bytes_mut().copy_from_slice(stored);
    let mut range = 0..stored.len();
    for codec in codecs.iter().rev() {
        if let Some(checksum) = Checksum::of(codec) {
            let data = checksum.verify(codec.name(), &held.bytes()[range.clone()])?;
            range = range.start + data.start..range.start + data.end;
            continue;
        }
        let mut room = (range.len().saturating_mul(GROWTH)).clamp(ROOM_MIN, ROOM_MAX);
        (held, range) = loop {
            let mut out = Block::new(room, budget.lease(room as u64, "strings")?);
            match codec.undo(&mut contexts, &held.bytes()[range.clone()], out.bytes_mut()) {
                Ok(bytes) => break (out, 0..bytes),
                Err(e) if room == ROOM_MAX => return Err(e),
                Err(_) => room = room.saturating_mul(GROWTH).min(ROOM_MAX),
            }
        };
    }
    Ok((held, range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::{Pipeline, Scratch},
        units::Bytes,
    };

    #[test]
    fn what_was_encoded_is_decoded_however_much_it_becomes() {
        let budget = Budget::new(Bytes(1 << 30));
        let chains = [
            vec![],
            vec![Codec::Shuffle { element: 4 }, Codec::Zstd { level: 3 }, Codec::Crc32c],
            vec![Codec::Crc32c, Codec::Deflate { level: 1 }],
            vec![Codec::Lz4Numcodecs, Codec::Gzip { level: 1 }],
            vec![Codec::Bzip2 { level: 1 }],
            vec![Codec::Blosc { cname: "lz4".into(), level: 5, shuffle: 1, element: 1 }],
        ];
        for (n, codecs) in chains.into_iter().enumerate() {
            for data in [vec![7u8; 500_000], (0..100u8).collect(), vec![1]] {
                let pipeline = Pipeline::new(codecs.clone(), data.len());
                let size = pipeline.encode_scratch();
                let mut scratch = Scratch::new(size, budget.lease(size.bytes(), "test").unwrap());
                let bytes = if codecs.is_empty() { 0 } else { pipeline.encode(&data, &mut scratch).unwrap() };
                let stored = if codecs.is_empty() { data.clone() } else { scratch.stored.bytes()[..bytes].to_vec() };
                let (block, range) = decode_growing(&codecs, &stored, &budget).unwrap();
                assert!(block.bytes()[range] == data, "{n}: {} bytes", data.len());
                if let Some(cut) = stored.get(..stored.len().saturating_sub(2)).filter(|_| codecs.len() > 1) {
                    assert!(decode_growing(&codecs, cut, &budget).is_err(), "{n}: {} bytes", data.len());
                }
            }
        }
    }
}
