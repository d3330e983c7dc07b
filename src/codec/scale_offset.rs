//! HDF5's scale-offset filter: differences to the least value, in as few bits as they need.

use super::{bits::BitReader, bytes::Reader};
use crate::error::{Error, Result};

const NAME: &str = "scaleoffset";

/// Bytes before the packed data: the number of bits, the length of the least value, the least value, padding.
const HEADER: usize = 21;

/// The filter's client data (`H5Zscaleoffset.c`).
struct Parameters {
    float: bool,
    /// Bits of an integer that the user fixed, or decimal digits of a float that are kept.
    factor: i32,
    elements: usize,
    size: usize,
    big: bool,
    /// The fill value's bits, which are stored as the largest difference.
    fill: Option<u64>,
}

impl Parameters {
    fn of(values: &[u32]) -> Result<Parameters> {
        let [scale_type, factor, elements, class, size, _sign, order, fill_defined, fill_low, fill_high, ..] = *values
        else {
            return Err(Error::corrupt("scale-offset filter", format!("it has {} values", values.len())));
        };
        let float = match (class, scale_type, size) {
            (0, 2, 1 | 2 | 4 | 8) => false,
            (1, 0, 4 | 8) => true,
            _ => {
                let feature = format!("scale-offset of class {class}, scale type {scale_type}, {size} bytes");
                return Err(Error::unsupported(feature));
            }
        };
        Ok(Parameters {
            float,
            factor: factor as i32,
            elements: elements as usize,
            size: size as usize,
            big: order == 1,
            fill: (fill_defined == 1).then_some((fill_high as u64) << 32 | fill_low as u64),
        })
    }

    /// The bits of an element, of what the `minbits` that were stored for it say.
    fn restore(&self, stored: u64, minbits: u32, minimum: u64) -> u64 {
        let largest = (1u64 << minbits) - 1;
        if let Some(fill) = self.fill
            && stored == largest
        {
            return fill;
        }
        match (self.float, self.size) {
            (false, _) => stored.wrapping_add(minimum),
            (true, 4) => {
                let minimum = f32::from_bits(minimum as u32);
                (stored as i32 as f32 / 10f32.powf(self.factor as f32) + minimum).to_bits() as u64
            }
            (true, _) => (stored as i64 as f64 / 10f64.powf(self.factor as f64) + f64::from_bits(minimum)).to_bits(),
        }
    }
}

/// Decodes `input` and says how many bytes it gave.
pub(super) fn decode(values: &[u32], input: &[u8], out: &mut [u8]) -> Result<usize> {
    let parameters = Parameters::of(values)?;
    let Parameters { size, big, .. } = parameters;
    let room = out.len();
    let more = |n: usize| Error::codec(NAME, format!("the filter gives {n} bytes, at most {room} are expected"));
    if !parameters.float && parameters.factor as usize == size * 8 {
        out.get_mut(..input.len()).ok_or_else(|| more(input.len()))?.copy_from_slice(input);
        return Ok(input.len());
    }
    let total = parameters.elements.saturating_mul(size);
    let out = out.get_mut(..total).ok_or_else(|| more(total))?;
    let mut header = Reader::new(NAME, input);
    let minbits = u32::from_le_bytes(header.array()?);
    let minimum_bytes = header.array::<1>()?[0].min(8) as usize;
    let mut minimum = [0; 8];
    minimum[..minimum_bytes].copy_from_slice(header.bytes(minimum_bytes)?);
    let packed = input.get(HEADER..).unwrap_or_default();
    if minbits as usize > size * 8 {
        return Err(Error::codec(NAME, format!("{minbits} bits for elements of {size} bytes")));
    }
    let whole = minbits as usize == size * 8;
    let mut reader = BitReader::new(NAME, packed);
    for element in out.chunks_exact_mut(size) {
        let stored = reader.bits(minbits)?;
        // Whole elements are stored as the writer's memory held them: little-endian.
        let bits = match whole {
            true => stored.swap_bytes() >> (64 - 8 * size),
            false => parameters.restore(stored, minbits, u64::from_le_bytes(minimum)),
        };
        match big {
            true => element.copy_from_slice(&bits.to_be_bytes()[8 - size..]),
            false => element.copy_from_slice(&bits.to_le_bytes()[..size]),
        }
    }
    Ok(total)
}
