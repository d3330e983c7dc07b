use crate::{attrs::Value, dtype::DType, with_dtype};
use bytemuck::bytes_of;

/// A number that loses nothing of any element type.
enum Number {
    Int(i128),
    Float(f64),
}

/// The bytes of one number as another type, in this machine's order; `None` where that type cannot hold it.
///
/// Floats are rounded to the nearest `f32`, as every reader does that compares such data with its `_FillValue`.
pub(super) fn number_as(value: &Value, dtype: DType) -> Option<Vec<u8>> {
    let bytes = match (only_number(value)?, dtype) {
        (number, DType::F32) => {
            let wide = as_float(number)?;
            let near = wide as f32;
            (near.is_finite() == wide.is_finite()).then(|| bytes_of(&near).to_vec())?
        }
        (number, DType::F64) => bytes_of(&as_float(number)?).to_vec(),
        (_, DType::F16) => return None,
        (number, _) => {
            let n = as_int(number)?;
            match dtype {
                DType::Bool => bytes_of(&u8::from(n != 0)).to_vec(),
                DType::I8 => bytes_of(&i8::try_from(n).ok()?).to_vec(),
                DType::I16 => bytes_of(&i16::try_from(n).ok()?).to_vec(),
                DType::I32 => bytes_of(&i32::try_from(n).ok()?).to_vec(),
                DType::I64 => bytes_of(&i64::try_from(n).ok()?).to_vec(),
                DType::U8 => bytes_of(&u8::try_from(n).ok()?).to_vec(),
                DType::U16 => bytes_of(&u16::try_from(n).ok()?).to_vec(),
                DType::U32 => bytes_of(&u32::try_from(n).ok()?).to_vec(),
                DType::U64 => bytes_of(&u64::try_from(n).ok()?).to_vec(),
                DType::F16 | DType::F32 | DType::F64 => return None,
            }
        }
    };
    Some(bytes)
}

/// What netCDF takes for never written where a variable has no `_FillValue`; `false` for `bool`, which it lacks.
pub(super) fn default_fill(dtype: DType) -> Vec<u8> {
    match dtype {
        DType::I8 => bytes_of(&netcdf_sys::NC_FILL_BYTE).to_vec(),
        DType::I16 => bytes_of(&netcdf_sys::NC_FILL_SHORT).to_vec(),
        DType::I32 => bytes_of(&netcdf_sys::NC_FILL_INT).to_vec(),
        DType::I64 => bytes_of(&netcdf_sys::NC_FILL_INT64).to_vec(),
        DType::U8 => bytes_of(&netcdf_sys::NC_FILL_UBYTE).to_vec(),
        DType::U16 => bytes_of(&netcdf_sys::NC_FILL_USHORT).to_vec(),
        DType::U32 => bytes_of(&netcdf_sys::NC_FILL_UINT).to_vec(),
        DType::U64 => bytes_of(&netcdf_sys::NC_FILL_UINT64).to_vec(),
        DType::F32 => bytes_of(&netcdf_sys::NC_FILL_FLOAT).to_vec(),
        DType::F64 => bytes_of(&netcdf_sys::NC_FILL_DOUBLE).to_vec(),
        DType::Bool | DType::F16 => vec![0; with_dtype!(dtype, T => size_of::<T>())],
    }
}

fn only_number(value: &Value) -> Option<Number> {
    macro_rules! only {
        ($v:expr, $x:ident => $number:expr) => {
            match $v.as_slice() {
                [$x] => Some($number),
                _ => None,
            }
        };
    }
    match value {
        Value::Bool(v) => only!(v, x => Number::Int(i128::from(*x))),
        Value::I8(v) => only!(v, x => Number::Int(i128::from(*x))),
        Value::I16(v) => only!(v, x => Number::Int(i128::from(*x))),
        Value::I32(v) => only!(v, x => Number::Int(i128::from(*x))),
        Value::I64(v) => only!(v, x => Number::Int(i128::from(*x))),
        Value::U8(v) => only!(v, x => Number::Int(i128::from(*x))),
        Value::U16(v) => only!(v, x => Number::Int(i128::from(*x))),
        Value::U32(v) => only!(v, x => Number::Int(i128::from(*x))),
        Value::U64(v) => only!(v, x => Number::Int(i128::from(*x))),
        Value::F32(v) => only!(v, x => Number::Float(f64::from(*x))),
        Value::F64(v) => only!(v, x => Number::Float(*x)),
        Value::Text(_) | Value::Texts(_) | Value::Json(_) => None,
    }
}

fn as_float(number: Number) -> Option<f64> {
    match number {
        Number::Float(x) => Some(x),
        Number::Int(n) => (n as f64 as i128 == n).then_some(n as f64),
    }
}

fn as_int(number: Number) -> Option<i128> {
    match number {
        Number::Int(n) => Some(n),
        Number::Float(x) => (x.fract() == 0.0 && x.abs() < 1e20).then_some(x as i128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_change_their_type_but_not_their_value() {
        let as_of = |v: Value, d| number_as(&v, d);
        assert_eq!(as_of(Value::F64(vec![-9999.0]), DType::I16), Some((-9999i16).to_ne_bytes().to_vec()));
        assert_eq!(as_of(Value::I64(vec![-1]), DType::U8), None);
        assert_eq!(as_of(Value::F64(vec![0.5]), DType::I32), None);
        assert_eq!(as_of(Value::F64(vec![f64::NAN]), DType::I32), None);
        assert_eq!(as_of(Value::U64(vec![u64::MAX]), DType::U64), Some(u64::MAX.to_ne_bytes().to_vec()));
        assert_eq!(as_of(Value::U64(vec![u64::MAX]), DType::F64), None);
        assert_eq!(as_of(Value::F64(vec![1e20]), DType::F32), Some(1e20f32.to_ne_bytes().to_vec()));
        assert_eq!(as_of(Value::F64(vec![1e300]), DType::F32), None);
        assert_eq!(as_of(Value::F64(vec![f64::NAN]), DType::F32), Some(f32::NAN.to_ne_bytes().to_vec()));
        assert_eq!(as_of(Value::F64(vec![1.0, 2.0]), DType::F32), None);
        assert_eq!(as_of("x".into(), DType::F32), None);
        assert_eq!(default_fill(DType::F32), 9.969_21e36f32.to_ne_bytes());
    }
}
