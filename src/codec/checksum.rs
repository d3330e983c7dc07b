//! Checksums behind or before the data: Fletcher-32 as HDF5 counts it, CRC-32C, CRC-32, Adler-32.

use super::Codec;
use crate::error::{Error, Result};
use std::ops::Range;

/// Bytes that any of them takes.
pub(super) const BYTES: usize = 4;

/// A codec that only adds a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    Fletcher32,
    Crc32c,
    Crc32,
    Adler32,
}

impl Checksum {
    /// The checksum that `codec` is, if it is one.
    pub(super) fn of(codec: &Codec) -> Option<Checksum> {
        match codec {
            Codec::Fletcher32 => Some(Checksum::Fletcher32),
            Codec::Crc32c => Some(Checksum::Crc32c),
            Codec::Crc32 => Some(Checksum::Crc32),
            Codec::Adler32 => Some(Checksum::Adler32),
            _ => None,
        }
    }

    /// Compares, and says where in `stored` the data lies.
    pub(super) fn verify(self, name: &'static str, stored: &[u8]) -> Result<Range<usize>> {
        let short = || Error::codec(name, format!("{} bytes are too few to hold a checksum", stored.len()));
        let before = matches!(self, Checksum::Crc32 | Checksum::Adler32);
        let (data, sum, range) = if before {
            let (sum, data) = stored.split_first_chunk::<BYTES>().ok_or_else(short)?;
            (data, sum, BYTES..stored.len())
        } else {
            let (data, sum) = stored.split_last_chunk::<BYTES>().ok_or_else(short)?;
            (data, sum, 0..data.len())
        };
        let (stored, computed) = (u32::from_le_bytes(*sum), self.compute(data));
        // HDF5 before 1.6.3 stored the sum of little-endian machines with the bytes of each half swapped.
        let old = self == Checksum::Fletcher32 && stored == swap_bytes_of_halves(computed);
        if stored == computed || old {
            return Ok(range);
        }
        Err(Error::codec(name, format!("the checksum is {stored:#010x}, the data's is {computed:#010x}")))
    }

    /// The checksum of `data`.
    pub(super) fn compute(self, data: &[u8]) -> u32 {
        match self {
            Checksum::Fletcher32 => fletcher32(data),
            Checksum::Crc32c => crc32c(data),
            Checksum::Crc32 => libdeflater::crc32(data),
            Checksum::Adler32 => libdeflater::adler32(data),
        }
    }
}

fn swap_bytes_of_halves(sum: u32) -> u32 {
    (sum & 0x00ff_00ff) << 8 | (sum >> 8) & 0x00ff_00ff
}

/// Sums that run side by side in [`fletcher32`].
const LANES: usize = 16;
/// Rows of [`LANES`] words whose weighted sum fits 32 bits: 0xffff * 256 * 257 / 2 < 2^32.
const ROWS: usize = 256;

/// Fletcher-32 over big-endian words, the odd byte at the end a word's high one (`H5_checksum_fletcher32`).
///
/// HDF5 folds its sums with `(x & 0xffff) + (x >> 16)`: modulo 65535, and 65535 instead of 0 once any word is not 0.
/// Modulo 65535, swapping the bytes of a word multiplies it by 256; so little-endian words are summed, and the sums
/// multiplied at the end.
fn fletcher32(data: &[u8]) -> u32 {
    const M: u64 = 65535;
    let (mut sum1, mut sum2) = (0u64, 0u64);
    let mut any = 0u64;
    for block in data.chunks(ROWS * LANES * 2) {
        let (mut a, mut b) = ([0u32; LANES], [0u32; LANES]);
        let rows = block.chunks_exact(LANES * 2);
        let rest = rows.remainder();
        let words = (block.len() - rest.len()) as u64 / 2;
        for row in rows {
            for (lane, word) in row.as_chunks::<2>().0.iter().enumerate() {
                a[lane] += u16::from_le_bytes(*word) as u32;
                b[lane] += a[lane];
            }
        }
        // Word `row * LANES + lane` of `words` counts `words - row * LANES - lane` times in the second sum.
        let plain: u64 = a.iter().map(|&x| x as u64).sum();
        let weighted: u64 = b.iter().map(|&x| x as u64).sum::<u64>() * LANES as u64;
        let lanes: u64 = a.iter().enumerate().map(|(lane, &x)| lane as u64 * x as u64).sum();
        sum2 = (sum2 + words * sum1 + weighted - lanes) % M;
        sum1 = (sum1 + plain) % M;
        any |= plain;
        let (pairs, odd) = rest.as_chunks::<2>();
        let last = odd.first().map(|&byte| u16::from_le_bytes([byte, 0]));
        for word in pairs.iter().map(|pair| u16::from_le_bytes(*pair)).chain(last) {
            sum1 = (sum1 + word as u64) % M;
            sum2 = (sum2 + sum1) % M;
            any |= word as u64;
        }
    }
    let fold = |sum: u64| match (sum * 256 % M, any) {
        (0, 0) => 0,
        (0, _) => M as u32,
        (sum, _) => sum as u32,
    };
    fold(sum2) << 16 | fold(sum1)
}

/// CRC-32C (Castagnoli), reflected, as RFC 3720 appendix B.4 has it.
pub fn crc32c(data: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has SSE 4.2.
        return unsafe { crc32c_sse42(data) };
    }
    crc32c_portable(data)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn crc32c_sse42(data: &[u8]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u64};
    let (words, rest) = data.as_chunks::<8>();
    let crc = words.iter().fold(!0u32 as u64, |crc, word| _mm_crc32_u64(crc, u64::from_le_bytes(*word)));
    !rest.iter().fold(crc as u32, |crc, byte| _mm_crc32_u8(crc, *byte))
}

fn crc32c_portable(data: &[u8]) -> u32 {
    const TABLES: [[u32; 256]; 8] = crc32c_tables();
    let (words, rest) = data.as_chunks::<8>();
    let crc = words.iter().fold(!0u32, |crc, word| {
        let x = u64::from_le_bytes(*word) ^ crc as u64;
        (0..8).fold(0, |sum, k| sum ^ TABLES[7 - k][(x >> (8 * k)) as u8 as usize])
    });
    !rest.iter().fold(crc, |crc, byte| TABLES[0][(crc as u8 ^ byte) as usize] ^ crc >> 8)
}

/// Table `k` holds what a byte contributes with `k` bytes behind it.
const fn crc32c_tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc: u32 = tables[k - 1][byte];
            tables[k][byte] = crc >> 8 ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loop of HDF5, with its folding.
    fn fletcher32_by_words(data: &[u8]) -> u32 {
        let (mut sum1, mut sum2) = (0u32, 0u32);
        let fold = |x: u32| (x & 0xffff) + (x >> 16);
        for words in data.chunks(720) {
            for word in words.chunks(2) {
                sum1 += (word[0] as u32) << 8 | word.get(1).copied().unwrap_or(0) as u32;
                sum2 += sum1;
            }
            (sum1, sum2) = (fold(sum1), fold(sum2));
        }
        (sum1, sum2) = (fold(sum1), fold(sum2));
        sum2 << 16 | sum1
    }

    #[test]
    fn fletcher32_is_hdf5s_for_every_length_and_for_saturated_words() {
        for len in (0..200).chain([719, 720, 721, 8191, 8192, 8193, 100_003]) {
            for (name, data) in [
                ("mixed", (0..len).map(|i: usize| (i.wrapping_mul(2654435761) >> 9) as u8).collect::<Vec<u8>>()),
                ("zeros", vec![0; len]),
                ("ones", vec![0xff; len]),
                ("one byte", (0..len).map(|i| (i == len / 2) as u8).collect()),
            ] {
                assert_eq!(fletcher32(&data), fletcher32_by_words(&data), "{len} bytes of {name}");
            }
        }
    }

    #[test]
    fn crc32c_gives_the_published_values() {
        // RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
        for (data, expected) in
            [(vec![0; 32], 0x8a91_36aa), (vec![0xff; 32], 0x62a8_ab43), (b"123456789".to_vec(), 0xe306_9283)]
        {
            assert_eq!(crc32c(&data), expected);
            assert_eq!(crc32c_portable(&data), expected);
        }
        assert_eq!(Checksum::Crc32.compute(b"123456789"), 0xcbf4_3926);
        assert_eq!(Checksum::Adler32.compute(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn the_sum_of_old_hdf5_is_accepted_and_a_wrong_one_is_not() {
        let data = b"climate data";
        let sum = fletcher32(data);
        for (sum, good) in [(sum, true), (swap_bytes_of_halves(sum), true), (sum ^ 0x100, false)] {
            let stored = [&data[..], &sum.to_le_bytes()].concat();
            assert_eq!(Checksum::Fletcher32.verify("fletcher32", &stored).ok(), good.then_some(0..12));
        }
        assert!(Checksum::Fletcher32.verify("fletcher32", b"abc").is_err());
    }
}
