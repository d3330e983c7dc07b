//! Stored numbers to physical ones: `_FillValue`, `missing_value`, `scale_factor`, `add_offset`, `_Unsigned`.

use crate::{
    attrs::{Attrs, Value},
    dtype::{DType, NumberKind},
    error::{Error, Problem, Result},
    kernels::decode::{Decode, Number},
    source::{Layout, VarMeta},
};

/// Whether values outside `valid_min`, `valid_max` or `valid_range` are missing. xarray leaves them alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValidRange {
    /// They are data.
    #[default]
    Ignore,
    /// They are missing.
    Apply,
}

/// The attributes that say how numbers are stored, which a computed variable must not carry on.
pub const ENCODING: [&str; 10] = [
    "_FillValue",
    "missing_value",
    "scale_factor",
    "add_offset",
    "_Unsigned",
    "valid_min",
    "valid_max",
    "valid_range",
    "actual_range",
    "_ChunkSizes",
];

/// How the stored numbers of a variable are to be read, by xarray's rules.
///
/// # Errors
/// When the variable does not hold numbers, or a scale or offset is no single number.
pub fn decoding(meta: &VarMeta, layout: &Layout, valid: ValidRange) -> Result<Decode> {
    let Some(stored) = meta.stored.dtype() else {
        return Err(Error::from(Problem::NotNumeric { dtype: meta.stored.to_string() }).in_variable(&meta.path));
    };
    let mut decode = Decode::plain(stored, layout.order);
    decode.unsigned = reinterpreted(stored, &meta.attrs);
    let read_as = decode.unsigned.unwrap_or(stored);
    for name in ["missing_value", "_FillValue"] {
        if let Some(value) = meta.attrs.get(name) {
            decode.missing.extend(fills(value, stored, read_as));
        }
    }
    if valid == ValidRange::Apply {
        decode.valid = valid_range(&meta.attrs);
    }
    let (scale, offset) = (factor(meta, "scale_factor")?, factor(meta, "add_offset")?);
    decode.scale = scale.map(|f| f.0);
    decode.offset = offset.map(|f| f.0);
    decode.result = if scale.is_some() || offset.is_some() {
        scaled_type(read_as, scale.map(|f| f.1), offset.map(|f| f.1))
    } else if !decode.missing.is_empty() || decode.valid.is_some() {
        masked_type(read_as)
    } else {
        Decode::plain(read_as, layout.order).result
    };
    Ok(decode)
}

/// Whether values are not what is stored, but follow from it by scale, offset or another type of integers.
pub fn is_packed(attrs: &Attrs) -> bool {
    ["scale_factor", "add_offset", "_Unsigned"].iter().any(|name| attrs.get(name).is_some())
}

/// What integers are read as: `_Unsigned = "true"` on signed ones, or `"false"` on unsigned ones.
pub fn reinterpreted(stored: DType, attrs: &Attrs) -> Option<DType> {
    match (stored, attrs.text("_Unsigned")?) {
        (DType::I8, "true") => Some(DType::U8),
        (DType::I16, "true") => Some(DType::U16),
        (DType::I32, "true") => Some(DType::U32),
        (DType::I64, "true") => Some(DType::U64),
        (DType::U8, "false") => Some(DType::I8),
        (DType::U16, "false") => Some(DType::I16),
        (DType::U32, "false") => Some(DType::I32),
        (DType::U64, "false") => Some(DType::I64),
        _ => None,
    }
}

/// The numbers of a fill attribute. A NaN among them says nothing that a float does not say by itself, and nothing
/// at all about an integer.
fn fills(value: &Value, stored: DType, read_as: DType) -> Vec<Number> {
    let reread = |x: i128| {
        // The fill is written in the stored type, and compared in the type that the values are read as.
        let bits = 8 * stored.size() as u32;
        match (stored.kind(), read_as.kind()) {
            (NumberKind::Signed, NumberKind::Unsigned) if x < 0 => x + (1i128 << bits),
            (NumberKind::Unsigned, NumberKind::Signed) if x >= 1i128 << (bits - 1) => x - (1i128 << bits),
            _ => x,
        }
    };
    integers(value).map_or_else(
        || value.numbers().unwrap_or_default().into_iter().filter(|x| !x.is_nan()).map(Number::Float).collect(),
        |all| all.into_iter().map(|x| Number::Int(reread(x))).collect(),
    )
}

fn integers(value: &Value) -> Option<Vec<i128>> {
    fn wide<T: Copy + Into<i128>>(v: &[T]) -> Option<Vec<i128>> {
        Some(v.iter().map(|&x| x.into()).collect())
    }
    match value {
        Value::I8(v) => wide(v),
        Value::I16(v) => wide(v),
        Value::I32(v) => wide(v),
        Value::I64(v) => wide(v),
        Value::U8(v) => wide(v),
        Value::U16(v) => wide(v),
        Value::U32(v) => wide(v),
        Value::U64(v) => wide(v),
        _ => None,
    }
}

fn valid_range(attrs: &Attrs) -> Option<(Number, Number)> {
    let of = |name: &str, k: usize| -> Option<Number> {
        let value = attrs.get(name)?;
        match integers(value) {
            Some(all) => all.get(k).map(|&x| Number::Int(x)),
            None => value.numbers()?.get(k).map(|&x| Number::Float(x)),
        }
    };
    let low = of("valid_range", 0).or_else(|| of("valid_min", 0));
    let high = of("valid_range", 1).or_else(|| of("valid_max", 0));
    if low.is_none() && high.is_none() {
        return None;
    }
    Some((low.unwrap_or(Number::Float(f64::NEG_INFINITY)), high.unwrap_or(Number::Float(f64::INFINITY))))
}

fn factor(meta: &VarMeta, name: &str) -> Result<Option<(f64, DType)>> {
    let Some(value) = meta.attrs.get(name) else { return Ok(None) };
    match (value.number(), value.dtype()) {
        (Some(number), Some(dtype)) => Ok(Some((number, dtype))),
        _ => Err(Error::corrupt("attribute", format!("{name} is not one number")).in_variable(&meta.path)),
    }
}

/// xarray's `_choose_float_dtype` for packed data.
fn scaled_type(stored: DType, scale: Option<DType>, offset: Option<DType>) -> DType {
    let wide_integer = !stored.is_float() && stored.size() == 4;
    match (scale, offset) {
        (Some(DType::F32), Some(DType::F32)) if !wide_integer => DType::F32,
        (Some(DType::F32), None) => DType::F32,
        _ => DType::F64,
    }
}

/// xarray's `maybe_promote`: the smallest float that a missing value makes of a type. (Half precision is for storage
/// and not for computing, and NetCDF does not have it.)
fn masked_type(stored: DType) -> DType {
    match stored {
        DType::F16 | DType::F32 => DType::F32,
        DType::Bool | DType::I8 | DType::U8 | DType::I16 | DType::U16 => DType::F32,
        _ => DType::F64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dtype::ByteOrder, shape::Shape, source::StoredType};

    fn decoded(stored: DType, attrs: &[(&str, Value)]) -> Decode {
        let mut meta = VarMeta {
            path: "t".into(),
            stored: StoredType::native(stored),
            shape: Shape::default(),
            dims: vec![],
            dims_named: true,
            attrs: Attrs::new(),
            fill: None,
            storage: Default::default(),
        };
        for (name, value) in attrs {
            meta.attrs.set(name, value.clone());
        }
        decoding(&meta, &Layout::row_major(ByteOrder::NATIVE, 0), ValidRange::Ignore).unwrap()
    }

    /// xarray's rules for the type of the result.
    #[test]
    fn the_result_type_is_xarrays() {
        use Value::{F32, F64, I16};
        let (s32, s64) = (("scale_factor", F32(vec![0.5])), ("scale_factor", F64(vec![0.5])));
        let (o32, o64) = (("add_offset", F32(vec![1.0])), ("add_offset", F64(vec![1.0])));
        let fill = ("_FillValue", I16(vec![-1]));
        for (stored, attrs, result) in [
            (DType::I16, vec![], DType::I16),
            (DType::F16, vec![], DType::F32),
            (DType::I16, vec![fill.clone()], DType::F32),
            (DType::I32, vec![fill.clone()], DType::F64),
            (DType::F64, vec![fill.clone()], DType::F64),
            (DType::I16, vec![s32.clone(), o32.clone()], DType::F32),
            (DType::I32, vec![s32.clone(), o32.clone()], DType::F64),
            (DType::I16, vec![s64.clone(), o64], DType::F64),
            (DType::I16, vec![s32.clone(), fill], DType::F32),
            (DType::I16, vec![s64], DType::F64),
            (DType::I16, vec![o32], DType::F64),
        ] {
            assert_eq!(decoded(stored, &attrs).result, result, "{stored} {attrs:?}");
        }
    }

    #[test]
    fn fills_are_read_as_the_values_are() {
        let d = decoded(DType::I8, &[("_Unsigned", "true".into()), ("_FillValue", Value::I8(vec![-1]))]);
        assert_eq!((d.unsigned, d.missing.as_slice()), (Some(DType::U8), [Number::Int(255)].as_slice()));
        let d = decoded(DType::I16, &[("_FillValue", Value::I16(vec![-1])), ("missing_value", Value::F32(vec![-9.0]))]);
        assert_eq!(d.missing, [Number::Float(-9.0), Number::Int(-1)], "both count");
        let d = decoded(DType::I16, &[("_FillValue", Value::F64(vec![f64::NAN]))]);
        assert_eq!((d.result, d.missing.len()), (DType::I16, 0));
    }
}
