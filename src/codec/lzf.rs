//! LZF, as liblzf writes it.

use crate::error::{Error, Result};

const NAME: &str = "lzf";

/// Decodes `input` and says how many bytes it gave.
///
/// A control byte below 32 says how many literals follow, less one. Else its three high bits are the length of a
/// repetition less two (seven: a byte more follows), its low five and the next byte the distance less one.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut rest = input.iter();
    let mut at = 0;
    while let Some(&control) = rest.next() {
        if control < 32 {
            let n = control as usize + 1;
            let (literals, behind) = rest.as_slice().split_at_checked(n).ok_or_else(ended)?;
            out.get_mut(at..at + n).ok_or_else(too_long)?.copy_from_slice(literals);
            rest = behind.iter();
            at += n;
            continue;
        }
        let mut n = (control >> 5) as usize + 2;
        if n == 7 + 2 {
            n += *rest.next().ok_or_else(ended)? as usize;
        }
        let distance = ((control & 31) as usize) << 8 | *rest.next().ok_or_else(ended)? as usize;
        let from =
            at.checked_sub(distance + 1).ok_or_else(|| Error::codec(NAME, "a repetition of what is not there"))?;
        if out.len() - at < n {
            return Err(too_long());
        }
        if distance + 1 >= n {
            out.copy_within(from..from + n, at);
        } else {
            for k in 0..n {
                out[at + k] = out[from + k];
            }
        }
        at += n;
    }
    Ok(at)
}

fn ended() -> Error {
    Error::codec(NAME, "the stored data ends too early")
}

fn too_long() -> Error {
    Error::codec(NAME, "the stored data gives more bytes than expected")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_overlapping_repetitions() {
        // "ab", then 9 + 3 bytes from 2 back, then "c".
        let stored = [1, b'a', b'b', 7 << 5, 3, 1, 0, b'c'];
        let mut out = [0; 15];
        assert_eq!(decode(&stored, &mut out).unwrap(), 15);
        assert_eq!(&out, b"ababababababab\x63");
        assert!(decode(&stored, &mut [0; 14]).is_err());
        assert!(decode(&stored[..5], &mut out).is_err());
        assert!(decode(&[0, b'a', 32, 1], &mut out).is_err());
    }
}
