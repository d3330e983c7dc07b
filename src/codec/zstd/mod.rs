//! Zstandard frames.
//!
//! Level 3, which is the default, looks everything up twice: for long repetitions, and for short ones. For numbers that is
//! often of no use. So a sample of large data is compressed in this way and in quicker ones, and all of it in the first of
//! those that makes the sample hardly larger: by a search of ours among [`elements`], or by the library's in a table that
//! the first cache holds ([`NEAR`]) or as level 2 does ([`ONCE`]). Data that repeats what lies [`far`] back is left to level
//! 3. Measured without shuffle on one core of one machine, MB a second and ratio; what the sample asks for stands out:
//!
//! | | level 3 | elements | `NEAR` | `ONCE` |
//! |---|---|---|---|---|
//! | `float32`, time series in steps of 1/64 | 242 2.74 | **506 2.89** | 377 2.64 | 356 2.72 |
//! | the same in steps of 0.01 | 211 2.32 | **481 2.24** | 329 2.11 | 322 2.35 |
//! | the same less its mean | 211 1.35 | **699 1.30** | 614 1.31 | 446 1.34 |
//! | the same in `float64` | 417 4.02 | 510 4.08 | **544 4.82** | 548 4.82 |
//! | packed in `int16` | 200 1.53 | **285 1.56** | 505 1.41 | 795 1.38 |

mod elements;
mod far;

use crate::error::{Error, Result};
use elements::Element;
use zstd::{
    bulk::{Compressor, Decompressor},
    zstd_safe::{CParameter, Strategy},
};

const NAME: &str = "zstd";

/// The library's contexts.
#[derive(Default)]
pub(super) struct Contexts {
    decompressor: Option<Decompressor<'static>>,
    compressor: Option<(i32, Compressor<'static>)>,
    elements: Option<elements::Context>,
    /// Those of [`LIBRARY`].
    prepared: [Option<Compressor<'static>>; LIBRARY.len()],
}

/// Bytes of the library's decompression context (measured with 1.5.7: 97 KiB).
pub(super) const DECODE_STATE_BYTES: usize = 112 << 10;

/// Bytes of the library's compression context at `level` for data of `bytes`.
///
/// Its tables shrink with the data: measured with 1.5.7 are less than 24 bytes for each of the data's, and no more
/// than the largest data makes it take.
pub(super) fn encode_state_bytes(level: i32, bytes: usize) -> usize {
    let most: usize = match level {
        ..0 | 1 => 640 << 10,
        2 => 832 << 10,
        // All ways.
        0 | 3 => elements::STATE_BYTES + ((1344 + 832 + 576) << 10),
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
    if matches!(level, 0 | 3) && input.len() >= LARGE {
        return encode_large(contexts, input, out);
    }
    let compressor = match &mut contexts.compressor {
        Some((at, compressor)) if *at == level => compressor,
        stale => &mut stale.insert((level, Compressor::new(level).map_err(said)?)).1,
    };
    compressor.compress_to_buffer(input, out).map_err(said)
}

/// From so many bytes on a sample is taken, from their middle. A smaller one does not show what large tables are good for.
const LARGE: usize = 2 << 20;
const SAMPLE: usize = 64 << 10;

/// How much larger a quicker way may make the sample, in parts of a hundred. All of it is at most 4.4 larger then, in what
/// was measured.
const LARGER: usize = 2;

/// A way to search for repetitions: ours, or one of the library's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Elements(Element),
    Library(usize),
}

/// Parameters of the library's search.
struct Parameters {
    strategy: Strategy,
    /// Bits of the window and of the tables.
    window: u32,
    chain: u32,
    hash: u32,
    /// The shortest repetition.
    shortest: u32,
}

const NEAR: usize = 0;
const ONCE: usize = 1;
const TWICE: usize = 2;
/// The last two are the library's for data of more than 256 KiB.
const LIBRARY: [Parameters; 3] = [
    Parameters { strategy: Strategy::ZSTD_fast, window: 20, chain: 15, hash: 13, shortest: 5 },
    Parameters { strategy: Strategy::ZSTD_fast, window: 20, chain: 15, hash: 16, shortest: 6 },
    Parameters { strategy: Strategy::ZSTD_dfast, window: 21, chain: 16, hash: 17, shortest: 5 },
];

/// Ways that are quicker than [`LEVEL_3`], the quickest first; those that are about as quick together.
const QUICKER: [&[Way]; 3] =
    [&[Way::Elements(Element::Four), Way::Library(NEAR)], &[Way::Library(ONCE)], &[Way::Elements(Element::Two)]];
const LEVEL_3: Way = Way::Library(TWICE);

fn encode_large(contexts: &mut Contexts, input: &[u8], out: &mut [u8]) -> Result<usize> {
    let way = if far::repeats(input) { LEVEL_3 } else { contexts.way_for(input, out)? };
    contexts.compress(way, input, out)
}

impl Contexts {
    /// What a sample asks for. Writes to `out` for its own use.
    fn way_for(&mut self, input: &[u8], out: &mut [u8]) -> Result<Way> {
        let sample = &input[(input.len() - SAMPLE) / 2..][..SAMPLE];
        let most = self.compress(LEVEL_3, sample, out)? * (100 + LARGER) / 100;
        for ways in QUICKER {
            let mut smallest = (most, LEVEL_3);
            for &way in ways {
                let size = self.compress(way, sample, out)?;
                if size <= smallest.0 {
                    smallest = (size, way);
                }
            }
            if smallest.1 != LEVEL_3 {
                return Ok(smallest.1);
            }
        }
        Ok(LEVEL_3)
    }

    fn compress(&mut self, way: Way, input: &[u8], out: &mut [u8]) -> Result<usize> {
        match way {
            Way::Elements(element) => {
                let context = match &mut self.elements {
                    Some(context) => context,
                    none => none.insert(elements::Context::new()?),
                };
                context.compress(element, input, out)
            }
            Way::Library(k) => {
                let compressor = match &mut self.prepared[k] {
                    Some(compressor) => compressor,
                    none => none.insert(LIBRARY[k].compressor().map_err(said)?),
                };
                compressor.compress_to_buffer(input, out).map_err(said)
            }
        }
    }
}

impl Parameters {
    fn compressor(&self) -> std::io::Result<Compressor<'static>> {
        let mut compressor = Compressor::new(3)?;
        for parameter in [
            CParameter::WindowLog(self.window),
            CParameter::ChainLog(self.chain),
            CParameter::HashLog(self.hash),
            CParameter::MinMatch(self.shortest),
            CParameter::Strategy(self.strategy),
        ] {
            compressor.set_parameter(parameter)?;
        }
        Ok(compressor)
    }
}

fn said(e: std::io::Error) -> Error {
    Error::codec(NAME, e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `encode` makes of data, after it was read back.
    fn size(data: &[u8]) -> usize {
        let mut contexts = Contexts::default();
        let (mut out, mut back) = (vec![0; data.len() + (data.len() >> 7) + 4096], vec![0; data.len()]);
        let n = encode(&mut contexts, 3, data, &mut out).unwrap();
        assert_eq!(decode(&mut contexts, &out[..n], &mut back).unwrap(), data.len());
        assert!(back == data);
        n
    }

    fn size_by(mut compressor: Compressor<'_>, data: &[u8]) -> usize {
        compressor.compress(data).unwrap().len()
    }

    fn level_3() -> Compressor<'static> {
        Compressor::new(3).unwrap()
    }

    /// Waves with noise, rounded so that values come back.
    fn waves(values: u32) -> Vec<u8> {
        let mut random = 1u32;
        let values = (0..values).flat_map(|k| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let x = 280.0 + 15.0 * (k as f32 / 700.0).sin() + 5.0 * ((random >> 8) as f32 / 16_777_216.0 - 0.5);
            ((x * 64.0).round() / 64.0).to_le_bytes()
        });
        values.collect()
    }

    fn size_of_way(way: Way, data: &[u8]) -> usize {
        Contexts::default().compress(way, data, &mut vec![0; data.len() * 2]).unwrap()
    }

    #[test]
    fn large_data_is_searched_in_the_way_that_a_sample_asks_for() {
        let rounded = waves(600_000);
        assert_eq!(size(&rounded), size_of_way(Way::Elements(Element::Four), &rounded), "numbers that come back");
        assert!(size(&rounded) * 100 <= size_by(level_3(), &rounded) * 104);
        let packed = |x: &[u8; 4]| (((f32::from_le_bytes(*x) - 280.0) * 4.0).round() as i16).to_le_bytes();
        let packed: Vec<u8> = waves(1_200_000).as_chunks().0.iter().flat_map(packed).collect();
        assert_eq!(size(&packed), size_of_way(Way::Elements(Element::Two), &packed));
        assert!(size(&packed) < size_by(level_3(), &packed));
    }

    #[test]
    fn maps_that_are_the_same_are_stored_once() {
        let map = waves(260_000);
        assert!(size(&map.repeat(4)) * 3 < size(&map) * 4);
    }

    #[test]
    fn small_data_is_the_library_s() {
        let data = waves(LARGE as u32 / 4 - 2);
        assert_eq!(size(&data), size_by(level_3(), &data));
    }
}
