//! HDF5's n-bit filter: of every element only the bits that its type uses.

use super::bits::BitReader;
use crate::error::{Error, Result};

const NAME: &str = "nbit";

/// Where the filter's client data holds what (`H5Znbit.c`).
const UNPACKED: usize = 1;
const ELEMENTS: usize = 2;
const CLASS: usize = 3;
const SIZE: usize = 4;
const ORDER: usize = 5;
const PRECISION: usize = 6;
const OFFSET: usize = 7;

const CLASS_ATOMIC: u32 = 1;
const ORDER_BIG: u32 = 1;

/// Decodes `input` and says how many bytes it gave. Bits outside the type's precision are 0, as HDF5 leaves them.
pub(super) fn decode(values: &[u32], input: &[u8], out: &mut [u8]) -> Result<usize> {
    let value = |k: usize| {
        values.get(k).copied().ok_or_else(|| Error::corrupt("n-bit filter", format!("it has {} values", values.len())))
    };
    let room = out.len();
    let more = |n: usize| Error::codec(NAME, format!("the filter gives {n} bytes, at most {room} are expected"));
    if value(UNPACKED)? != 0 {
        out.get_mut(..input.len()).ok_or_else(|| more(input.len()))?.copy_from_slice(input);
        return Ok(input.len());
    }
    if value(CLASS)? != CLASS_ATOMIC {
        return Err(Error::unsupported("n-bit compression of compound or array types"));
    }
    let (size, precision, offset) = (value(SIZE)? as usize, value(PRECISION)?, value(OFFSET)?);
    if !(1..=8).contains(&size) {
        return Err(Error::unsupported(format!("n-bit compression of elements of {size} bytes")));
    }
    if precision == 0 || precision.checked_add(offset).is_none_or(|bits| bits as usize > size * 8) {
        let detail = format!("{precision} bits at bit {offset} of elements of {size} bytes");
        return Err(Error::corrupt("n-bit filter", detail));
    }
    let total = (value(ELEMENTS)? as usize).saturating_mul(size);
    let mut reader = BitReader::new(NAME, input);
    let big = value(ORDER)? == ORDER_BIG;
    for element in out.get_mut(..total).ok_or_else(|| more(total))?.chunks_exact_mut(size) {
        let bits = reader.bits(precision)? << offset;
        match big {
            true => element.copy_from_slice(&bits.to_be_bytes()[8 - size..]),
            false => element.copy_from_slice(&bits.to_le_bytes()[..size]),
        }
    }
    Ok(total)
}
