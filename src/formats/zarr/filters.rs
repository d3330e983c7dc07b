//! numcodecs' filters that change numbers: undone one element after another.

use super::{array::ElementForm, json::Json, v2};
use crate::{
    dtype::{ByteOrder, DType, NumberKind},
    error::{Error, Result},
};
use half::f16;

/// One filter, from what it was given when writing to what it made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    decoded: DType,
    pub(super) encoded: DType,
    pub(super) order: ByteOrder,
    step: Step,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Delta,
    FixedScaleOffset { scale: f64, offset: f64 },
    Cast,
}

/// A number on its way; 64-bit unsigned ones wrap.
#[derive(Debug, Clone, Copy)]
enum Number {
    Integer(i64),
    Float(f64),
}

impl Filter {
    /// The filter of a numcodecs name, `None` where it is none of these. `given` is the type of what comes in, where a store
    /// may leave it out.
    pub(super) fn of(name: &str, config: &Json, given: Option<DType>) -> Option<Filter> {
        let real = |key: &str, or: f64| config.get(key).map_or(Some(or), Json::as_f64);
        let (decoded, encoded, step) = match name.trim_start_matches("numcodecs.") {
            "delta" => ("dtype", "astype", Step::Delta),
            "fixedscaleoffset" => {
                ("dtype", "astype", Step::FixedScaleOffset { scale: real("scale", 1.0)?, offset: real("offset", 0.0)? })
            }
            "astype" => ("decode_dtype", "encode_dtype", Step::Cast),
            _ => return None,
        };
        // Version 3 names types as it does elsewhere: `int32`.
        let number = |json: &Json| match DType::ALL.into_iter().find(|d| json.as_str() == Some(d.name())) {
            Some(dtype) => Some((dtype, ByteOrder::NATIVE)),
            None => match v2::element(json, None) {
                Ok(ElementForm::Number(dtype, order)) => Some((dtype, order)),
                _ => None,
            },
        };
        let said = |key: &str| config.get(key).filter(|t| !t.is_null());
        let decoded = said(decoded).map_or(given.map(|dtype| (dtype, ByteOrder::NATIVE)), number)?;
        let encoded = said(encoded).map_or(Some(decoded), number)?;
        Some(Filter { decoded: decoded.0, encoded: encoded.0, order: encoded.1, step })
    }

    fn undo(&self, x: Number, sum: &mut Number) -> Number {
        match self.step {
            Step::Cast => cast(x, self.decoded),
            Step::Delta => {
                *sum = match (*sum, cast(x, self.decoded)) {
                    (Number::Integer(a), Number::Integer(b)) => Number::Integer(a.wrapping_add(b)),
                    (a, b) => Number::Float(a.float() + b.float()),
                };
                *sum = cast(*sum, self.decoded);
                *sum
            }
            // Single precision stays so, as in NumPy.
            Step::FixedScaleOffset { scale, offset } if self.encoded == DType::F32 => {
                cast(Number::Float(f64::from(x.float() as f32 / scale as f32 + offset as f32)), self.decoded)
            }
            Step::FixedScaleOffset { scale, offset } => cast(Number::Float(x.float() / scale + offset), self.decoded),
        }
    }
}

/// The type in which the first filter's input must be, and each one's output is the next one's input.
pub(super) fn fit(filters: &[Filter], dtype: DType) -> bool {
    let wanted = filters.iter().map(|f| f.decoded);
    let given = std::iter::once(dtype).chain(filters.iter().map(|f| f.encoded));
    wanted.zip(given).all(|(w, g)| w == g)
}

/// Undoes all filters: `encoded` holds what the last one made, `out` gets numbers of type `dtype` in `order`.
///
/// # Errors
/// When the lengths do not fit each other.
pub(super) fn undo(filters: &[Filter], encoded: &[u8], dtype: DType, order: ByteOrder, out: &mut [u8]) -> Result<()> {
    let Some(last) = filters.last() else { return Ok(()) };
    let (from, to) = (last.encoded.size(), dtype.size());
    if encoded.len() / from != out.len() / to {
        return Err(Error::corrupt("chunk", format!("{} elements for {}", encoded.len() / from, out.len() / to)));
    }
    let mut sums = vec![Number::Integer(0); filters.len()];
    for (cell, slot) in encoded.chunks_exact(from).zip(out.chunks_exact_mut(to)) {
        let mut x = read(cell, last.encoded, last.order);
        for (filter, sum) in filters.iter().zip(&mut sums).rev() {
            x = filter.undo(x, sum);
        }
        write(x, dtype, order, slot);
    }
    Ok(())
}

impl Number {
    fn float(self) -> f64 {
        match self {
            Number::Integer(n) => n as f64,
            Number::Float(x) => x,
        }
    }
}

/// As NumPy casts: integers wrap.
fn cast(x: Number, dtype: DType) -> Number {
    let bits = dtype.size() as u32 * 8;
    match (dtype.kind(), x) {
        (NumberKind::Float, x) => Number::Float(match dtype {
            DType::F64 => x.float(),
            DType::F32 => f64::from(x.float() as f32),
            _ => f64::from(f16::from_f64(x.float())),
        }),
        (NumberKind::Bool, x) => Number::Integer(i64::from(x.float() != 0.0)),
        (_, Number::Float(x)) if dtype == DType::U64 => Number::Integer(x as u64 as i64),
        (kind, x) => {
            let n = if let Number::Integer(n) = x { n } else { x.float() as i64 };
            let shift = 64 - bits;
            Number::Integer(match kind {
                NumberKind::Signed => n << shift >> shift,
                _ => ((n as u64) << shift >> shift) as i64,
            })
        }
    }
}

fn read(cell: &[u8], dtype: DType, order: ByteOrder) -> Number {
    let push = |bits: u64, b: &u8| bits << 8 | u64::from(*b);
    let bits = if order == ByteOrder::Big { cell.iter().fold(0, push) } else { cell.iter().rev().fold(0, push) };
    match dtype {
        DType::F64 => Number::Float(f64::from_bits(bits)),
        DType::F32 => Number::Float(f64::from(f32::from_bits(bits as u32))),
        DType::F16 => Number::Float(f64::from(f16::from_bits(bits as u16))),
        _ => cast(Number::Integer(bits as i64), dtype),
    }
}

fn write(x: Number, dtype: DType, order: ByteOrder, slot: &mut [u8]) {
    let bits = match (dtype, cast(x, dtype)) {
        (DType::F64, x) => x.float().to_bits(),
        (DType::F32, x) => u64::from((x.float() as f32).to_bits()),
        (DType::F16, x) => u64::from(f16::from_f64(x.float()).to_bits()),
        (_, Number::Integer(n)) => n as u64,
        (_, Number::Float(x)) => x as i64 as u64,
    };
    let size = slot.len();
    slot.copy_from_slice(&bits.to_le_bytes()[..size]);
    if order == ByteOrder::Big {
        slot.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_summed_and_wrap() {
        let of = |name: &str, config: Json| Filter::of(name, &config, None);
        let filter = of("delta", json!({"id": "delta", "dtype": ">i2", "astype": "|i1"})).unwrap();
        assert_eq!((filter.encoded, filter.decoded), (DType::I8, DType::I16));
        let mut out = [0; 8];
        undo(&[filter], &[100, 100, 0xff, 1], DType::I16, ByteOrder::Big, &mut out).unwrap();
        assert_eq!(out, [0, 100, 0, 200, 0, 199, 0, 200]);
        let filter = of("numcodecs.delta", json!({"dtype": "|u1"})).unwrap();
        let mut out = [0; 3];
        undo(std::slice::from_ref(&filter), &[200, 100, 1], DType::U8, ByteOrder::Little, &mut out).unwrap();
        assert_eq!(out, [200, 44, 45]);
        assert!(undo(&[filter], &[1, 2], DType::U8, ByteOrder::Little, &mut out).is_err());
        // As version 3 names types, or leaves them out.
        let filter = of("numcodecs.delta", json!({"dtype": "int16", "astype": "int8"})).unwrap();
        assert_eq!((filter.decoded, filter.encoded), (DType::I16, DType::I8));
        let filter = Filter::of("numcodecs.delta", &json!({}), Some(DType::F32)).unwrap();
        assert_eq!((filter.decoded, filter.encoded), (DType::F32, DType::F32));
    }

    #[test]
    fn chains_have_to_fit() {
        let of = |name: &str, config: Json| Filter::of(name, &config, None);
        let scale = json!({"id": "fixedscaleoffset", "dtype": "<f4", "astype": "|u1", "scale": 4, "offset": -10});
        let filters = [of("fixedscaleoffset", scale).unwrap(), of("delta", json!({"dtype": "|u1"})).unwrap()];
        assert!(fit(&filters, DType::F32) && !fit(&filters, DType::F64) && !fit(&filters[1..], DType::F32));
        let mut out = [0; 8];
        undo(&filters, &[4, 4], DType::F32, ByteOrder::Little, &mut out).unwrap();
        assert_eq!(bytemuck::pod_collect_to_vec::<u8, f32>(&out), [-9.0, -8.0]);
        assert_eq!(of("delta", json!({"dtype": "<U4"})), None);
        assert_eq!(of("delta", json!({})), None);
        assert_eq!(of("packbits", json!({})), None);
    }
}
