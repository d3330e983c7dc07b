//! numcodecs `packbits`: truth values, eight to a byte, behind a byte that says how many bits at the end are none.

use crate::error::{Error, Result};

const NAME: &str = "packbits";

/// Bytes of `count` truth values.
pub(super) fn packed_bytes(count: usize) -> usize {
    1 + count.div_ceil(8)
}

/// Unpacks truth values, and says how many there are.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let Some((&padding, packed)) = input.split_first().filter(|(padding, _)| **padding < 8) else {
        return Err(Error::codec(NAME, "the stored data has no number of padding bits"));
    };
    let count = (packed.len().saturating_mul(8)).checked_sub(padding.into());
    let room = out.len();
    let out = count.and_then(|count| out.get_mut(..count)).ok_or_else(|| {
        Error::codec(
            NAME,
            format!("{} bytes with {padding} padding bits, at most {room} values are expected", packed.len()),
        )
    })?;
    for (values, byte) in out.chunks_mut(8).zip(packed) {
        for (k, value) in values.iter_mut().enumerate() {
            *value = byte >> (7 - k) & 1;
        }
    }
    Ok(out.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_become_values_and_padding_is_none() {
        let mut out = [9; 12];
        assert_eq!(decode(&[6, 0b1010_0001, 0b0111_1111], &mut out).unwrap(), 10);
        assert_eq!(out, [1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 9, 9]);
        assert_eq!((decode(&[0], &mut out).unwrap(), packed_bytes(10), packed_bytes(16)), (0, 3, 3));
        for bad in [&[][..], &[8, 1], &[1], &[0, 1, 2]] {
            assert!(decode(bad, &mut out).is_err(), "{bad:?}");
        }
    }
}
