//! Attributes: names with typed values, in the file's order.

use crate::dtype::{DType, Element};

/// The value of one attribute.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    /// Text (`char` in the classic model, a string scalar in HDF5 and Zarr).
    Text(String),
    /// An array of strings.
    Texts(Vec<String>),
    Bool(Vec<bool>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    /// JSON that has no other form (Zarr), as its text.
    Json(String),
}

/// Runs an expression with the vector of a numeric [`Value`] bound to a name; other values give `$other`.
macro_rules! with_numbers {
    ($value:expr, $v:ident => $body:expr, $other:expr) => {
        match $value {
            Value::I8($v) => $body,
            Value::I16($v) => $body,
            Value::I32($v) => $body,
            Value::I64($v) => $body,
            Value::U8($v) => $body,
            Value::U16($v) => $body,
            Value::U32($v) => $body,
            Value::U64($v) => $body,
            Value::F32($v) => $body,
            Value::F64($v) => $body,
            _ => $other,
        }
    };
}

impl Value {
    /// The type of its numbers, or `None` for text.
    pub fn dtype(&self) -> Option<DType> {
        Some(match self {
            Value::Bool(_) => DType::Bool,
            Value::I8(_) => DType::I8,
            Value::I16(_) => DType::I16,
            Value::I32(_) => DType::I32,
            Value::I64(_) => DType::I64,
            Value::U8(_) => DType::U8,
            Value::U16(_) => DType::U16,
            Value::U32(_) => DType::U32,
            Value::U64(_) => DType::U64,
            Value::F32(_) => DType::F32,
            Value::F64(_) => DType::F64,
            Value::Text(_) | Value::Texts(_) | Value::Json(_) => return None,
        })
    }

    /// Numbers of a type in this machine's byte order; halves become single.
    pub fn of_bytes(dtype: DType, bytes: &[u8]) -> Value {
        macro_rules! collect {
            ($t:ty) => {
                bytes
                    .chunks_exact(size_of::<$t>())
                    .map(|b| <$t>::from_ne_bytes(b.try_into().unwrap_or_default()))
                    .collect()
            };
        }
        match dtype {
            DType::Bool => Value::Bool(bytes.iter().map(|&b| b != 0).collect()),
            DType::I8 => Value::I8(collect!(i8)),
            DType::I16 => Value::I16(collect!(i16)),
            DType::I32 => Value::I32(collect!(i32)),
            DType::I64 => Value::I64(collect!(i64)),
            DType::U8 => Value::U8(bytes.to_vec()),
            DType::U16 => Value::U16(collect!(u16)),
            DType::U32 => Value::U32(collect!(u32)),
            DType::U64 => Value::U64(collect!(u64)),
            DType::F16 => Value::F32(
                bytes
                    .chunks_exact(2)
                    .map(|b| half::f16::from_ne_bytes(b.try_into().unwrap_or_default()).to_f32())
                    .collect(),
            ),
            DType::F32 => Value::F32(collect!(f32)),
            DType::F64 => Value::F64(collect!(f64)),
        }
    }

    /// Numbers of a type; half precision, which attributes lack, becomes single.
    pub fn of_numbers(dtype: DType, numbers: &[f64]) -> Value {
        macro_rules! list {
            ($kind:ident $t:ty) => {
                Value::$kind(numbers.iter().map(|&x| x as $t).collect())
            };
        }
        match dtype {
            DType::Bool => Value::Bool(numbers.iter().map(|x| *x != 0.0).collect()),
            DType::I8 => list!(I8 i8),
            DType::I16 => list!(I16 i16),
            DType::I32 => list!(I32 i32),
            DType::I64 => list!(I64 i64),
            DType::U8 => list!(U8 u8),
            DType::U16 => list!(U16 u16),
            DType::U32 => list!(U32 u32),
            DType::U64 => list!(U64 u64),
            DType::F16 | DType::F32 => list!(F32 f32),
            DType::F64 => Value::F64(numbers.to_vec()),
        }
    }

    /// Its numbers as `f64`, or `None` for text.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        with_numbers!(self, v => Some(v.iter().map(|&x| Element::to_f64(x)).collect()), None)
    }

    /// Its only number, or `None` for text or for more numbers than one.
    pub fn number(&self) -> Option<f64> {
        match self.numbers()?.as_slice() {
            [x] => Some(*x),
            _ => None,
        }
    }

    /// Its numbers' bytes in this machine's order, or `None` for text.
    pub fn bytes(&self) -> Option<&[u8]> {
        with_numbers!(self, v => Some(bytemuck::cast_slice(v)), None)
    }

    /// Its text, or `None` for numbers.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(t) => Some(t),
            Value::Texts(t) if t.len() == 1 => Some(&t[0]),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_string())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

/// Attributes in order; names are unique.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attrs(Vec<(String, Value)>);

impl Attrs {
    /// None yet.
    pub fn new() -> Attrs {
        Attrs::default()
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The text of a name, where its value is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }

    /// Sets a value, in its old place if the name is there already.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some(slot) => slot.1 = value,
            None => self.0.push((name.to_string(), value)),
        }
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Attributes that are all text, for tests.
#[cfg(test)]
pub(crate) fn texts(all: &[(&str, &str)]) -> Attrs {
    let mut out = Attrs::new();
    all.iter().for_each(|(name, value)| out.set(name, *value));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_and_replaces_in_place() {
        let mut a = Attrs::new();
        a.set("units", "K");
        a.set("scale_factor", Value::F64(vec![0.5]));
        a.set("units", "degC");
        assert_eq!(a.iter().map(|(n, _)| n).collect::<Vec<_>>(), ["units", "scale_factor"]);
        assert_eq!(a.text("units"), Some("degC"));
        assert_eq!(a.get("scale_factor").unwrap().number(), Some(0.5));
        assert!(a.remove("units").is_some() && a.get("units").is_none());
    }
}
