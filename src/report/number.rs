//! One number of any type, and its digits.

use crate::{attrs::Value, dtype::DType};
use half::f16;

/// A number as a file or a result holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Number {
    Bool(bool),
    Int(i128),
    F16(f16),
    F32(f32),
    F64(f64),
}

impl Number {
    /// Element `n` of native bytes; `None` beyond their end.
    pub fn at(dtype: DType, data: &[u8], n: usize) -> Option<Number> {
        let size = dtype.size();
        let start = n.checked_mul(size)?;
        let bytes = data.get(start..start.checked_add(size)?)?;
        macro_rules! read {
            ($t:ty) => {
                bytemuck::pod_read_unaligned::<$t>(bytes)
            };
        }
        Some(match dtype {
            DType::Bool => Number::Bool(read!(u8) != 0),
            DType::I8 => Number::Int(read!(i8).into()),
            DType::I16 => Number::Int(read!(i16).into()),
            DType::I32 => Number::Int(read!(i32).into()),
            DType::I64 => Number::Int(read!(i64).into()),
            DType::U8 => Number::Int(read!(u8).into()),
            DType::U16 => Number::Int(read!(u16).into()),
            DType::U32 => Number::Int(read!(u32).into()),
            DType::U64 => Number::Int(read!(u64).into()),
            DType::F16 => Number::F16(read!(f16)),
            DType::F32 => Number::F32(read!(f32)),
            DType::F64 => Number::F64(read!(f64)),
        })
    }

    /// The same value where it is a floating-point number.
    pub fn float(self) -> Option<f64> {
        match self {
            Number::F16(x) => Some(x.into()),
            Number::F32(x) => Some(x.into()),
            Number::F64(x) => Some(x),
            Number::Bool(_) | Number::Int(_) => None,
        }
    }

    /// The fewest digits that read back as the same number of the same type: `0.1`, `1e20`, `NaN`, `-inf`.
    pub fn exact(self) -> String {
        match self {
            Number::Bool(b) => b.to_string(),
            Number::Int(n) => n.to_string(),
            Number::F16(x) if x.is_finite() => match self.scientific() {
                // Debug chooses between plain and exponent; the digits are the half's, not the double's.
                Some(text) => format!("{:?}", text.parse::<f64>().unwrap_or(f64::NAN)),
                None => String::new(),
            },
            Number::F16(x) => format!("{:?}", f32::from(x)),
            Number::F32(x) => format!("{x:?}"),
            Number::F64(x) => format!("{x:?}"),
        }
    }

    /// The same digits as `d.ddde±n`; `None` for what is no finite floating-point number.
    pub fn scientific(self) -> Option<String> {
        match self {
            Number::F16(x) if x.is_finite() => {
                let wide = f64::from(x);
                (0..6).map(|digits| format!("{wide:.digits$e}")).find(|t| t.parse().map(f16::from_f64) == Ok(x))
            }
            Number::F32(x) if x.is_finite() => Some(format!("{x:e}")),
            Number::F64(x) if x.is_finite() => Some(format!("{x:e}")),
            _ => None,
        }
    }
}

/// The numbers of an attribute; none for text.
pub fn of_value(value: &Value) -> Vec<Number> {
    match value {
        Value::Bool(v) => v.iter().map(|&b| Number::Bool(b)).collect(),
        Value::F32(v) => v.iter().map(|&x| Number::F32(x)).collect(),
        Value::F64(v) => v.iter().map(|&x| Number::F64(x)).collect(),
        other => match (other.dtype(), other.bytes()) {
            (Some(dtype), Some(bytes)) => {
                (0..bytes.len() / dtype.size()).filter_map(|n| Number::at(dtype, bytes, n)).collect()
            }
            _ => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_digits_read_back() {
        for x in [0.1f32, 1.0, 9.96921e36, -2.5e-7, 16777216.0, f32::MIN_POSITIVE] {
            assert_eq!(Number::F32(x).exact().parse::<f32>().unwrap(), x);
        }
        assert_eq!(Number::F32(0.1).exact(), "0.1");
        assert_eq!(Number::F64(1e20).exact(), "1e20");
        assert_eq!(Number::F64(f64::NAN).exact(), "NaN");
        assert_eq!(Number::Int(u64::MAX.into()).exact(), "18446744073709551615");
    }

    #[test]
    fn every_half_reads_back() {
        for bits in 0..=u16::MAX {
            let x = f16::from_bits(bits);
            let text = Number::F16(x).exact();
            assert_eq!(x.is_nan(), text == "NaN");
            if x.is_finite() {
                assert_eq!(f16::from_f64(text.parse().unwrap()), x, "{text}");
            }
        }
        assert_eq!(Number::F16(f16::from_f64(0.1)).exact(), "0.1");
    }

    #[test]
    fn nothing_beyond_the_end() {
        assert_eq!(Number::at(DType::F32, &[0; 7], 1), None);
        assert_eq!(Number::at(DType::F32, &[0; 7], usize::MAX), None);
        assert_eq!(Number::at(DType::I16, &(-3i16).to_ne_bytes(), 0), Some(Number::Int(-3)));
    }
}
