//! Reading stored bits, the most significant first.

use crate::error::{Error, Result};

/// What of a codec's input is not read yet, in bits.
pub(super) struct BitReader<'a> {
    codec: &'static str,
    rest: &'a [u8],
    /// Bits that were taken from `rest`, in the high end; zeros below.
    held: u64,
    held_bits: u32,
}

impl<'a> BitReader<'a> {
    /// Reads `input`; errors carry the codec's name.
    pub(super) fn new(codec: &'static str, input: &'a [u8]) -> BitReader<'a> {
        BitReader { codec, rest: input, held: 0, held_bits: 0 }
    }

    /// Holds at least 57 bits, or all that are left.
    #[inline]
    fn fill(&mut self) {
        if let Some(word) = self.rest.first_chunk() {
            let bytes = (63 - self.held_bits) / 8;
            let fresh = u64::from_be_bytes(*word) & !(u64::MAX >> (8 * bytes));
            self.held |= fresh >> self.held_bits;
            self.held_bits += 8 * bytes;
            self.rest = &self.rest[bytes as usize..];
        } else {
            while self.held_bits <= 56
                && let Some((&byte, rest)) = self.rest.split_first()
            {
                self.held |= (byte as u64) << (56 - self.held_bits);
                self.held_bits += 8;
                self.rest = rest;
            }
        }
    }

    /// The next `n` bits, at most 57.
    #[inline]
    fn short(&mut self, n: u32) -> Result<u64> {
        if n == 0 {
            return Ok(0);
        }
        if self.held_bits < n {
            self.fill();
            if self.held_bits < n {
                return Err(self.ended());
            }
        }
        let bits = self.held >> (64 - n);
        self.held <<= n;
        self.held_bits -= n;
        Ok(bits)
    }

    /// The next `n` bits, at most 64.
    #[inline]
    pub(super) fn bits(&mut self, n: u32) -> Result<u64> {
        if n <= 32 {
            return self.short(n);
        }
        let high = self.short(n - 32)?;
        Ok(high << 32 | self.short(32)?)
    }

    /// The number of zeros before the next one; the one is read too.
    #[inline]
    pub(super) fn zeros(&mut self) -> Result<u32> {
        let mut zeros = 0u32;
        loop {
            if self.held != 0 {
                let here = self.held.leading_zeros();
                self.held <<= here;
                self.held <<= 1;
                self.held_bits -= here + 1;
                return Ok(zeros.saturating_add(here));
            }
            zeros = zeros.saturating_add(self.held_bits);
            self.held_bits = 0;
            self.fill();
            if self.held_bits == 0 {
                return Err(self.ended());
            }
        }
    }

    fn ended(&self) -> Error {
        Error::codec(self.codec, "the stored data ends too early")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_any_width_come_in_order() {
        let bytes: Vec<u8> = (0..200).map(|i: u32| (i.wrapping_mul(2654435761) >> 13) as u8).collect();
        for width in 1..=64 {
            let mut reader = BitReader::new("test", &bytes);
            let mut at = 0;
            while at + width <= bytes.len() * 8 {
                let expected = (at..at + width).fold(0u64, |v, i| v << 1 | (bytes[i / 8] >> (7 - i % 8) & 1) as u64);
                assert_eq!(reader.bits(width as u32).unwrap(), expected, "{width} bits at {at}");
                at += width;
            }
            assert!(reader.bits(width as u32).is_err());
        }
    }

    #[test]
    fn zeros_are_counted_across_words() {
        let mut bytes = vec![0; 30];
        bytes[0] = 0b0010_0001;
        bytes[29] = 1;
        let mut reader = BitReader::new("test", &bytes);
        assert_eq!([reader.zeros().unwrap(), reader.zeros().unwrap(), reader.zeros().unwrap()], [2, 4, 29 * 8 - 1]);
        assert!(reader.zeros().is_err());
    }
}
