//! Small variables read at once: coordinates, which are looked at before anything is computed.

use crate::{
    budget::Budget,
    cf::{
        decoding::{ValidRange, decoding},
        time::is_time,
    },
    dtype::{ByteOrder, DType, Element},
    error::Result,
    formats::whole::read_all,
    kernels::decode::{Decode, Decoder, SEGMENT, Segment},
    source::{Source, VarMeta},
    units::Bytes,
    with_dtype,
};

/// The most that reading one coordinate may take, its chunks and what decodes them included.
const COORDINATE_BYTES_MAX: Bytes = Bytes(512 << 20);

/// All values of a variable, decoded, row-major.
///
/// # Errors
/// When it does not hold numbers, is too large for a coordinate, or cannot be read.
pub fn numbers(source: &dyn Source) -> Result<Vec<f64>> {
    let decode = decoding(source.meta(), source.layout(), ValidRange::Ignore)?;
    let block = read_all(source, &Budget::new(COORDINATE_BYTES_MAX))?;
    Ok(decoded(block.bytes(), &Decode { order: ByteOrder::NATIVE, ..decode }))
}

/// How far apart the values of two coordinates may be that are the same but for rounding: by a digit of the less precise type,
/// or what sums of steps lose. Times and integers are what they are.
pub fn rounding(a: &VarMeta, b: &VarMeta, values: &[f64]) -> f64 {
    let part = match [a, b].map(|v| v.stored.dtype()) {
        _ if is_time(&a.attrs) || is_time(&b.attrs) => return 0.0,
        [Some(DType::F32), Some(DType::F32 | DType::F64)] | [Some(DType::F64), Some(DType::F32)] => f32::EPSILON.into(),
        [Some(DType::F64), Some(DType::F64)] => 1e-12,
        _ => return 0.0,
    };
    part * values.iter().map(|x| x.abs()).filter(|x| x.is_finite()).fold(0.0, f64::max)
}

/// What stored numbers in this machine's byte order mean.
fn decoded(bytes: &[u8], decode: &Decode) -> Vec<f64> {
    if !decode.result.is_float() {
        return with_dtype!(decode.read_as(), T => {
            bytes.chunks_exact(size_of::<T>()).map(|x| bytemuck::pod_read_unaligned::<T>(x).to_f64()).collect()
        });
    }
    let (decoder, mut segment) = (Decoder::new(decode), Segment::new());
    let count = bytes.len() / decode.stored.size();
    let mut out = Vec::with_capacity(count);
    for start in (0..count).step_by(SEGMENT) {
        let len = SEGMENT.min(count - start);
        if decode.result == DType::F64 {
            out.extend_from_slice(decoder.decode::<f64>(bytes, start, 1, len, &mut segment).values);
        } else {
            out.extend(decoder.decode::<f32>(bytes, start, 1, len, &mut segment).values.iter().map(|&x| f64::from(x)));
        }
    }
    out
}
