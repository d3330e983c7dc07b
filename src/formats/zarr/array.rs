//! What one array's metadata says, the same for both versions.

use super::{
    filters::Filter,
    json::{self, Json},
};
use crate::{
    attrs::{Attrs, Value},
    codec::Codec,
    dtype::{ByteOrder, DType, NumberKind},
    error::{Error, Result},
    shape::Shape,
    source::{CodecMeta, StoredType},
};
use half::f16;

/// An array, as its metadata documents describe it.
#[derive(Debug, Clone)]
pub(super) struct ArrayMeta {
    pub(super) version: u8,
    pub(super) shape: Shape,
    /// What one key holds: a chunk, or a shard.
    pub(super) chunk: Shape,
    pub(super) element: ElementForm,
    pub(super) fill: Option<Value>,
    pub(super) chain: Chain,
    pub(super) keys: KeyStyle,
    /// The names of the dimensions; `None` where the file leaves them all out.
    pub(super) dims: Option<Vec<Option<String>>>,
    pub(super) attrs: Attrs,
    /// Codecs to show.
    pub(super) codecs: Vec<CodecMeta>,
    /// The document itself without attributes, for the zarrs library.
    pub(super) document: Json,
}

/// The type of an element and how text lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ElementForm {
    Number(DType, ByteOrder),
    /// Bytes of text with NULs behind.
    Bytes(usize),
    /// UTF-32 with NULs behind: so many characters.
    Utf32(usize, ByteOrder),
    Text,
    Other(String),
}

/// How the bytes of one key become elements.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Chain {
    Chunk(Coding),
    Shard {
        inner: Shape,
        coding: Coding,
        index: IndexForm,
    },
    /// Strings of any length.
    Texts(Coding),
    /// The zarrs library has to try; these codecs are the reason.
    Foreign(String),
    /// Nobody can: this feature is the reason.
    Unsupported(String),
}

/// The layout of a chunk and the codecs behind it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Coding {
    /// The array's axes, slowest in the chunk first.
    pub(super) axes: Vec<usize>,
    pub(super) order: ByteOrder,
    /// Filters that change numbers, before the codecs when writing.
    pub(super) filters: Vec<Filter>,
    pub(super) codecs: Vec<Codec>,
}

/// Where a shard's index lies and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexForm {
    pub(super) at_end: bool,
    pub(super) checked: bool,
}

/// How chunk positions become keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyStyle {
    /// Version 3's default, with `c` in front.
    pub(super) c: bool,
    pub(super) separator: char,
}

impl KeyStyle {
    /// The key of a chunk under the array's folder.
    pub(super) fn key(self, index: &[u64]) -> String {
        let mut key = String::from(if self.c { "c" } else { "" });
        for n in index {
            if !key.is_empty() {
                key.push(self.separator);
            }
            key.push_str(&n.to_string());
        }
        if key.is_empty() { "0".into() } else { key }
    }
}

impl ElementForm {
    /// Bytes of an element in a decoded chunk, where that is fixed.
    pub(super) fn bytes(&self) -> Option<usize> {
        match self {
            ElementForm::Number(dtype, _) => Some(dtype.size()),
            ElementForm::Bytes(n) => Some(*n),
            ElementForm::Utf32(n, _) => n.checked_mul(4),
            ElementForm::Text | ElementForm::Other(_) => None,
        }
    }

    pub(super) fn order(&self) -> ByteOrder {
        match self {
            ElementForm::Number(_, order) | ElementForm::Utf32(_, order) => *order,
            _ => ByteOrder::NATIVE,
        }
    }

    pub(super) fn set_order(&mut self, new: ByteOrder) {
        if let ElementForm::Number(_, order) | ElementForm::Utf32(_, order) = self {
            *order = new;
        }
    }

    pub(super) fn stored(&self) -> StoredType {
        match self {
            ElementForm::Number(dtype, order) => StoredType::Number { dtype: *dtype, order: *order },
            ElementForm::Bytes(1) => StoredType::Char,
            ElementForm::Bytes(n) => StoredType::FixedText(*n),
            ElementForm::Utf32(n, _) => StoredType::FixedText(n.saturating_mul(4)),
            ElementForm::Text => StoredType::Text,
            ElementForm::Other(words) => StoredType::Other(words.clone()),
        }
    }
}

/// The lengths in a JSON array.
pub(super) fn lengths(json: Option<&Json>, what: &'static str) -> Result<Shape> {
    let broken = || Error::corrupt(what, format!("{} is no list of lengths", json.unwrap_or(&Json::Null)));
    let items = json.and_then(Json::as_array).ok_or_else(broken)?;
    // Some writers make floats of them.
    let length = |j: &Json| {
        j.as_u64().or_else(|| j.as_f64().filter(|x| (0.0..9e15).contains(x) && x.fract() == 0.0).map(|x| x as u64))
    };
    items.iter().map(|j| length(j).ok_or_else(broken)).collect::<Result<Vec<u64>>>().map(Shape)
}

/// The chunk's shape, checked against the array's. A zero is harmless where the array has none either.
pub(super) fn chunk_shape(shape: &Shape, chunk: Shape) -> Result<Shape> {
    let mut chunk = chunk;
    if chunk.len() == shape.len() {
        for (c, n) in chunk.0.iter_mut().zip(shape.iter()) {
            if *n == 0 {
                *c = (*c).max(1);
            }
        }
    }
    crate::grid::Grid::new(shape.clone(), chunk.clone())?;
    Ok(chunk)
}

/// A fill value of a number's type; `None` for JSON's null.
pub(super) fn number(json: &Json, dtype: DType) -> Result<Option<Value>> {
    if json.is_null() {
        return Ok(None);
    }
    let broken = || Error::corrupt("fill value", format!("{json} is no {dtype}"));
    let value = match dtype.kind() {
        NumberKind::Float => return float(json, dtype).ok_or_else(broken).map(Some),
        NumberKind::Bool => json.as_bool().or_else(|| json.as_u64().filter(|n| *n < 2).map(|n| n == 1)).map(i128::from),
        _ => integer(json),
    };
    let n = value.ok_or_else(broken)?;
    macro_rules! fit {
        ($t:ty, $v:ident) => {
            Value::$v(vec![<$t>::try_from(n).map_err(|_| broken())?])
        };
    }
    Ok(Some(match dtype {
        DType::Bool => Value::Bool(vec![n != 0]),
        DType::I8 => fit!(i8, I8),
        DType::I16 => fit!(i16, I16),
        DType::I32 => fit!(i32, I32),
        DType::I64 => fit!(i64, I64),
        DType::U8 => fit!(u8, U8),
        DType::U16 => fit!(u16, U16),
        DType::U32 => fit!(u32, U32),
        DType::U64 => fit!(u64, U64),
        DType::F16 | DType::F32 | DType::F64 => return Err(broken()),
    }))
}

fn integer(json: &Json) -> Option<i128> {
    let whole = |x: f64| (x.fract() == 0.0 && x.abs() < 1e19).then_some(x as i128);
    json.as_i64()
        .map(i128::from)
        .or_else(|| json.as_u64().map(i128::from))
        .or_else(|| json.as_f64().and_then(whole))
        .or_else(|| json.as_bool().map(i128::from))
        // Java's libraries write them in quotes.
        .or_else(|| json::string(json)?.parse().ok())
}

/// A number, also in quotes, `NaN`, `Infinity`, `-Infinity`, or the bits in hexadecimal (`0x7fc00000`).
fn float(json: &Json, dtype: DType) -> Option<Value> {
    let x = match json::string(json) {
        Some("NaN" | "nan") => f64::NAN,
        Some("Infinity" | "inf") => f64::INFINITY,
        Some("-Infinity" | "-inf") => f64::NEG_INFINITY,
        Some(text) if text.starts_with("0x") => return bits(text, dtype),
        Some(text) => text.parse().ok()?,
        None => json.as_f64().or_else(|| json.as_bool().map(|b| f64::from(u8::from(b))))?,
    };
    of_float(x, dtype)
}

/// A number as a value of a floating-point type, unless that makes an infinity of it.
pub(super) fn of_float(x: f64, dtype: DType) -> Option<Value> {
    match dtype {
        DType::F64 => Some(Value::F64(vec![x])),
        DType::F32 => Some(x as f32).filter(|y| y.is_infinite() == x.is_infinite()).map(|y| Value::F32(vec![y])),
        _ => {
            let y = f16::from_f64(x);
            (y.is_infinite() == x.is_infinite()).then(|| Value::F32(vec![y.to_f32()]))
        }
    }
}

fn bits(text: &str, dtype: DType) -> Option<Value> {
    let digits = text.strip_prefix("0x")?;
    if digits.len() != dtype.size() * 2 || !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let bits = u64::from_str_radix(digits, 16).ok()?;
    Some(match dtype {
        DType::F64 => Value::F64(vec![f64::from_bits(bits)]),
        DType::F32 => Value::F32(vec![f32::from_bits(bits as u32)]),
        _ => Value::F32(vec![f16::from_bits(bits as u16).to_f32()]),
    })
}

/// One element of `form` with the fill value, as it lies in a chunk; zeros where there is none.
pub(super) fn fill_bytes(fill: Option<&Value>, form: &ElementForm) -> Vec<u8> {
    let size = form.bytes().unwrap_or(0);
    let mut bytes = match (form, fill) {
        (ElementForm::Number(DType::F16, _), Some(Value::F32(v))) => {
            v.first().map(|x| f16::from_f32(*x).to_ne_bytes().to_vec())
        }
        (ElementForm::Number(DType::Bool, _), Some(Value::Bool(v))) => v.first().map(|x| vec![u8::from(*x)]),
        (ElementForm::Number(..), Some(value)) => value.bytes().map(<[u8]>::to_vec),
        (ElementForm::Bytes(_), Some(Value::Text(text))) => Some(text.as_bytes().to_vec()),
        (ElementForm::Utf32(_, order), Some(Value::Text(text))) => {
            let is_big = *order == ByteOrder::Big;
            let bytes = |c: char| if is_big { u32::from(c).to_be_bytes() } else { u32::from(c).to_le_bytes() };
            Some(text.chars().flat_map(bytes).collect())
        }
        _ => None,
    }
    .unwrap_or_default();
    bytes.resize(size, 0);
    if matches!(form, ElementForm::Number(..)) && form.order() != ByteOrder::NATIVE {
        bytes.reverse();
    }
    bytes
}

/// A codec to show.
pub(super) fn shown(name: &str, level: Option<i64>, detail: String) -> CodecMeta {
    CodecMeta { name: name.into(), level: level.and_then(|n| i32::try_from(n).ok()), detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys() {
        let style = |c, separator| KeyStyle { c, separator };
        assert_eq!(style(true, '/').key(&[1, 0, 22]), "c/1/0/22");
        assert_eq!(style(true, '.').key(&[1, 0]), "c.1.0");
        assert_eq!(style(false, '.').key(&[1, 0]), "1.0");
        assert_eq!((style(true, '/').key(&[]), style(false, '/').key(&[])), ("c".into(), "0".into()));
    }

    #[test]
    fn fill_values_fit_their_type_or_are_errors() {
        let ok = |j: Json, d| number(&j, d).unwrap().unwrap();
        assert_eq!(ok(json!(-1), DType::I8), Value::I8(vec![-1]));
        assert_eq!(ok(json!(3.0), DType::U16), Value::U16(vec![3]));
        assert_eq!(ok(json!(u64::MAX), DType::U64), Value::U64(vec![u64::MAX]));
        assert_eq!(ok(json!(true), DType::Bool), Value::Bool(vec![true]));
        assert_eq!(ok(json!("-Infinity"), DType::F64), Value::F64(vec![f64::NEG_INFINITY]));
        assert_eq!(ok(json!(1e20), DType::F32), Value::F32(vec![1e20]));
        assert!(matches!(ok(json!("0x7fc00000"), DType::F32), Value::F32(v) if v[0].is_nan()));
        assert!(matches!(ok(json!("NaN"), DType::F16), Value::F32(v) if v[0].is_nan()));
        assert_eq!(ok(json!("0"), DType::U8), Value::U8(vec![0]));
        assert_eq!(ok(json!("-9999.5"), DType::F64), Value::F64(vec![-9999.5]));
        assert_eq!(number(&Json::Null, DType::I32).unwrap(), None);
        for (j, d) in [
            (json!(300), DType::U8),
            (json!(-1), DType::U32),
            (json!(1.5), DType::I32),
            (json!("x"), DType::F32),
            (json!("256"), DType::U8),
            (json!("1.5"), DType::I16),
            (json!("NaN"), DType::I16),
            (json!(1e300), DType::F32),
            (json!("0x7fc0"), DType::F32),
            (json!([1]), DType::F64),
            (json!(2), DType::Bool),
        ] {
            assert!(number(&j, d).is_err(), "{j} {d}");
        }
    }

    #[test]
    fn fill_bytes_are_as_stored() {
        let big = ElementForm::Number(DType::I32, ByteOrder::Big);
        assert_eq!(fill_bytes(Some(&Value::I32(vec![258])), &big), [0, 0, 1, 2]);
        let half = ElementForm::Number(DType::F16, ByteOrder::Little);
        assert_eq!(fill_bytes(Some(&Value::F32(vec![1.5])), &half), f16::from_f32(1.5).to_le_bytes());
        assert_eq!(fill_bytes(None, &half), [0, 0]);
        let text = Value::Text("ab".into());
        assert_eq!(fill_bytes(Some(&text), &ElementForm::Bytes(3)), *b"ab\0");
        assert_eq!(fill_bytes(Some(&text), &ElementForm::Utf32(1, ByteOrder::Big)), [0, 0, 0, b'a']);
        let wide = fill_bytes(Some(&text), &ElementForm::Utf32(3, ByteOrder::Little));
        assert_eq!(wide, *b"a\0\0\0b\0\0\0\0\0\0\0");
    }
}
