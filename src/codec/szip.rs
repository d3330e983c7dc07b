//! HDF5's szip: adaptive entropy coding of scan lines (CCSDS 121.0-B-2), as libaec's `sz_compat.c` reads it.

use super::{bits::BitReader, bytes::Reader};
use crate::error::{Error, Result};

const NAME: &str = "szip";

/// Bits of the option mask.
const MASK_MSB: u32 = 16;
const MASK_NN: u32 = 32;

/// szlib's limits.
const SCANLINE_MAX: u32 = 4096;
const BLOCK_MAX: u32 = 32;

/// A run of zero blocks of this code goes on to the end of its segment.
const REST_OF_SEGMENT: u32 = 5;
const SEGMENT_BLOCKS: usize = 64;
/// The largest code of a pair of small samples: pairs whose sum is at most 12.
const PAIR_MAX: u32 = 90;

/// The filter's client data.
#[derive(Clone, Copy)]
pub(super) struct Szip {
    pub mask: u32,
    pub bits_per_pixel: u32,
    pub pixels_per_block: u32,
    pub pixels_per_scanline: u32,
}

/// How the samples of a stream lie in the data.
struct Layout {
    sample_bits: u32,
    sample_bytes: usize,
    /// Elements of 4 and 8 bytes are stored as planes of bytes.
    planes: usize,
    block: usize,
    scanline: usize,
    /// Samples are differences to the one before.
    differences: bool,
    big: bool,
}

impl Szip {
    fn layout(self) -> Result<Layout> {
        let Szip { mask, bits_per_pixel, pixels_per_block, pixels_per_scanline } = self;
        let planes = if matches!(bits_per_pixel, 32 | 64) { bits_per_pixel as usize / 8 } else { 1 };
        let good = matches!(bits_per_pixel, 1..=32 | 64)
            && (2..=BLOCK_MAX).contains(&pixels_per_block)
            && pixels_per_block.is_multiple_of(2)
            && (1..=SCANLINE_MAX).contains(&pixels_per_scanline);
        if !good {
            let detail = format!(
                "{bits_per_pixel} bits a pixel, {pixels_per_block} pixels a block, {pixels_per_scanline} a scan line"
            );
            return Err(Error::corrupt("szip filter", detail));
        }
        let sample_bits = if planes > 1 { 8 } else { bits_per_pixel };
        Ok(Layout {
            sample_bits,
            sample_bytes: match sample_bits {
                ..=8 => 1,
                9..=16 => 2,
                _ => 4,
            },
            planes,
            block: pixels_per_block as usize,
            scanline: pixels_per_scanline as usize,
            differences: mask & MASK_NN != 0,
            big: mask & MASK_MSB != 0,
        })
    }

    /// Decodes `input` (a little-endian length, then the stream) and says how many bytes it gave.
    pub(super) fn decode(self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        let layout = self.layout()?;
        let mut reader = Reader::new(NAME, input);
        let total = u32::from_le_bytes(reader.array()?) as usize;
        let room = out.len();
        let out = out.get_mut(..total).ok_or_else(|| {
            Error::codec(NAME, format!("the stored data says {total} bytes, at most {room} are expected"))
        })?;
        if !total.is_multiple_of(layout.sample_bytes * layout.planes) {
            return Err(Error::codec(NAME, format!("{total} bytes are no whole number of pixels")));
        }
        let samples = total / layout.sample_bytes;
        // Every scan line is padded to whole blocks, and is coded for itself.
        let mut line = [0; (SCANLINE_MAX + BLOCK_MAX) as usize];
        let padded = layout.scanline.next_multiple_of(layout.block);
        let mut bits = BitReader::new(NAME, reader.rest());
        for start in (0..samples).step_by(layout.scanline) {
            let wanted = layout.scanline.min(samples - start);
            let mut coded = Line { layout: &layout, samples: &mut line[..padded], len: 0, referenced: false };
            while coded.len < wanted {
                coded.block(&mut bits)?;
            }
            coded.undo_differences();
            layout.place(&line[..wanted], start, out);
        }
        Ok(total)
    }
}

impl Layout {
    /// Writes the samples from number `start` on to where they belong.
    fn place(&self, line: &[u32], start: usize, out: &mut [u8]) {
        if self.planes > 1 {
            let elements = out.len() / self.planes;
            let (mut at, mut line) = (start, line);
            while !line.is_empty() {
                let (plane, first) = (at / elements, at % elements);
                let (here, next) = line.split_at(line.len().min(elements - first));
                let bytes = out[first * self.planes + plane..].iter_mut().step_by(self.planes);
                bytes.zip(here).for_each(|(byte, &sample)| *byte = sample as u8);
                (at, line) = (at + here.len(), next);
            }
            return;
        }
        let out = &mut out[start * self.sample_bytes..];
        for (bytes, &sample) in out.chunks_exact_mut(self.sample_bytes).zip(line) {
            match self.big {
                true => bytes.copy_from_slice(&sample.to_be_bytes()[4 - self.sample_bytes..]),
                false => bytes.copy_from_slice(&sample.to_le_bytes()[..self.sample_bytes]),
            }
        }
    }

    /// Bits that say how a block is coded.
    fn id_bits(&self) -> u32 {
        match self.sample_bits {
            ..=8 => 3,
            9..=16 => 4,
            _ => 5,
        }
    }
}

/// A scan line that is being decoded.
struct Line<'a> {
    layout: &'a Layout,
    samples: &'a mut [u32],
    /// Samples that are decoded.
    len: usize,
    /// Whether the first sample is there as it is, for the differences to start from.
    referenced: bool,
}

impl Line<'_> {
    /// Decodes the next block, or run of blocks of zeros.
    fn block(&mut self, bits: &mut BitReader<'_>) -> Result<()> {
        let id_bits = self.layout.id_bits();
        let id = bits.bits(id_bits)? as u32;
        let end = self.len + self.layout.block;
        let uncompressed = (1 << id_bits) - 1;
        if id == uncompressed {
            while self.len < end {
                self.push(bits.bits(self.layout.sample_bits)? as u32);
            }
            self.referenced = self.layout.differences;
            return Ok(());
        }
        let pairs = id == 0 && bits.bits(1)? == 1;
        if self.layout.differences && !self.referenced {
            self.push(bits.bits(self.layout.sample_bits)? as u32);
            self.referenced = true;
        }
        match (id, pairs) {
            (0, true) => self.pairs(end, bits),
            (0, false) => self.zero_blocks(bits),
            _ => self.split(end, id - 1, bits),
        }
    }

    /// The high bits of each sample in unary, then the low `k` bits of each.
    fn split(&mut self, end: usize, k: u32, bits: &mut BitReader<'_>) -> Result<()> {
        let start = self.len;
        while self.len < end {
            self.push(bits.zeros()?.wrapping_shl(k));
        }
        if k > 0 {
            for sample in &mut self.samples[start..end] {
                *sample = sample.wrapping_add(bits.bits(k)? as u32);
            }
        }
        Ok(())
    }

    /// Samples two and two in one number: by their sum, then by the second.
    fn pairs(&mut self, end: usize, bits: &mut BitReader<'_>) -> Result<()> {
        while self.len < end {
            let code = bits.zeros()?;
            if code > PAIR_MAX {
                return Err(Error::codec(NAME, format!("there is no pair of samples with code {code}")));
            }
            let sum = (code * 8 + 1).isqrt().div_ceil(2) - 1;
            let second = code - sum * (sum + 1) / 2;
            // Where a reference took the first place of the block, the pair's first is not stored.
            if self.len.is_multiple_of(2) {
                self.push(sum - second);
            }
            self.push(second);
        }
        Ok(())
    }

    /// A run of blocks whose samples are all zero.
    fn zero_blocks(&mut self, bits: &mut BitReader<'_>) -> Result<()> {
        let before = self.len / self.layout.block;
        let left = self.samples.len() / self.layout.block - before;
        let code = bits.zeros()?.saturating_add(1);
        let blocks = match code {
            REST_OF_SEGMENT => left.min(SEGMENT_BLOCKS - before % SEGMENT_BLOCKS),
            ..REST_OF_SEGMENT => code as usize,
            _ => code as usize - 1,
        };
        if blocks > left {
            return Err(Error::codec(NAME, format!("{blocks} blocks of zeros where {left} are left")));
        }
        let end = (before + blocks) * self.layout.block;
        self.samples[self.len..end].fill(0);
        self.len = end;
        Ok(())
    }

    /// A block's end is within the line, whose length is a multiple of the block's.
    fn push(&mut self, sample: u32) {
        self.samples[self.len] = sample;
        self.len += 1;
    }

    /// Makes samples of differences, which were mapped to small positive numbers (CCSDS 121.0-B-2, section 4.2).
    fn undo_differences(&mut self) {
        if !self.layout.differences {
            return;
        }
        let max = u32::MAX >> (32 - self.layout.sample_bits);
        let middle = max / 2 + 1;
        let mut last = self.samples[0];
        for sample in &mut self.samples[1..self.len] {
            let d = *sample;
            let mask = if last & middle != 0 { max } else { 0 };
            last = match (d >> 1) + (d & 1) <= mask ^ last {
                true => last.wrapping_add((d >> 1) ^ (d & 1).wrapping_neg()),
                false => mask ^ d,
            };
            *sample = last;
        }
    }
}
