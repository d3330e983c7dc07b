//! Types of elements: [`DType`] is what a file says at run time, [`Element`] what a kernel knows at compile time,
//! and [`with_dtype!`](crate::with_dtype) the one bridge between them.

use crate::error::{Error, Result};
use bytemuck::Pod;
use half::f16;
use std::fmt;

/// The type of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names say it
pub enum DType {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

/// What kind of number a [`DType`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NumberKind {
    Bool,
    Signed,
    Unsigned,
    Float,
}

impl DType {
    /// Every type there is.
    pub const ALL: [DType; 12] = [
        DType::Bool,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::F32,
        DType::F64,
    ];

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            DType::Bool | DType::I8 | DType::U8 => 1,
            DType::I16 | DType::U16 | DType::F16 => 2,
            DType::I32 | DType::U32 | DType::F32 => 4,
            DType::I64 | DType::U64 | DType::F64 => 8,
        }
    }

    /// Bool, signed, unsigned or floating point.
    pub const fn kind(self) -> NumberKind {
        match self {
            DType::Bool => NumberKind::Bool,
            DType::I8 | DType::I16 | DType::I32 | DType::I64 => NumberKind::Signed,
            DType::U8 | DType::U16 | DType::U32 | DType::U64 => NumberKind::Unsigned,
            DType::F16 | DType::F32 | DType::F64 => NumberKind::Float,
        }
    }

    /// Whether a missing value can be said as NaN.
    pub const fn is_float(self) -> bool {
        matches!(self.kind(), NumberKind::Float)
    }

    /// NumPy's name: `float32`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::I8 => "int8",
            DType::I16 => "int16",
            DType::I32 => "int32",
            DType::I64 => "int64",
            DType::U8 => "uint8",
            DType::U16 => "uint16",
            DType::U32 => "uint32",
            DType::U64 => "uint64",
            DType::F16 => "float16",
            DType::F32 => "float32",
            DType::F64 => "float64",
        }
    }
}

/// Promotion, as NumPy 2 does it: it depends on types alone, never on the values of an array.
impl DType {
    /// The type in which two arrays meet: `numpy.result_type`.
    ///
    /// `int64` and `uint64` meet in `float64`, for want of an integer type that holds both.
    pub fn promote(self, other: DType) -> DType {
        use NumberKind::{Bool, Float, Signed, Unsigned};
        match (self.kind(), other.kind()) {
            (Bool, _) => other,
            (_, Bool) => self,
            (Signed, Signed) | (Unsigned, Unsigned) | (Float, Float) => self.max(other),
            (Float, _) => self.max(other.floating()),
            (_, Float) => other.max(self.floating()),
            (Signed, Unsigned) => self.max(other.signed_above()),
            (Unsigned, Signed) => other.max(self.signed_above()),
        }
    }

    /// The type in which an array meets a number without a type of its own.
    ///
    /// Only its kind counts: `float32` and 0.1 stay `float32`, `int8` and 2.5 are `float64`, bool and 2 are `int64`.
    ///
    /// # Errors
    /// A whole number that does not fit the array's integer type.
    ///
    /// # Example
    /// ```
    /// use aosx::dtype::DType;
    /// assert_eq!(DType::F32.promote_scalar(0.1.into())?, DType::F32);
    /// assert!(DType::U8.promote_scalar((-1).into()).is_err());
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn promote_scalar(self, scalar: Scalar) -> Result<DType> {
        match (scalar, self.kind()) {
            (Scalar::Bool(_), _) | (_, NumberKind::Float) => Ok(self),
            (Scalar::Float(_), _) => Ok(DType::F64),
            (_, NumberKind::Bool) if scalar.fits(DType::I64) => Ok(DType::I64),
            _ if scalar.fits(self) => Ok(self),
            _ => Err(Error::usage(format!(
                "{scalar} does not fit {self}; convert the array to a wider type first, as with astype({})",
                self.promote(scalar.smallest())
            ))),
        }
    }

    /// The floating-point type in which functions such as `sin` compute: 8 bits in `float16`, 16 in `float32`,
    /// all other integers in `float64`.
    pub const fn floating(self) -> DType {
        match self {
            DType::Bool | DType::I8 | DType::U8 | DType::F16 => DType::F16,
            DType::I16 | DType::U16 | DType::F32 => DType::F32,
            _ => DType::F64,
        }
    }

    /// The smallest signed type that holds all of an unsigned one.
    const fn signed_above(self) -> DType {
        match self {
            DType::U8 => DType::I16,
            DType::U16 => DType::I32,
            DType::U32 => DType::I64,
            _ => DType::F64,
        }
    }

    /// The least and the largest whole number of an integer type.
    const fn whole_range(self) -> Option<(i128, i128)> {
        let bits = 8 * self.size() as u32;
        match self.kind() {
            NumberKind::Float => None,
            NumberKind::Bool => Some((0, 1)),
            NumberKind::Signed => Some((-(1 << (bits - 1)), (1 << (bits - 1)) - 1)),
            NumberKind::Unsigned => Some((0, (1 << bits) - 1)),
        }
    }
}

/// A number without a type of its own, as a literal: it takes the type of what it meets ([`DType::promote_scalar`]).
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)] // the names say it
pub enum Scalar {
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
}

impl Scalar {
    /// As `f64`; 64-bit integers are rounded to the nearest.
    pub fn to_f64(self) -> f64 {
        match self {
            Scalar::Bool(x) => f64::from(u8::from(x)),
            Scalar::Int(x) => x as f64,
            Scalar::UInt(x) => x as f64,
            Scalar::Float(x) => x,
        }
    }

    /// Its type where it meets nothing: bool, `int64`, `uint64` or `float64`.
    pub const fn dtype(self) -> DType {
        match self {
            Scalar::Bool(_) => DType::Bool,
            Scalar::Int(_) => DType::I64,
            Scalar::UInt(_) => DType::U64,
            Scalar::Float(_) => DType::F64,
        }
    }

    /// As `i64`: floats are cut towards zero, and what is too large saturates.
    pub fn to_i64(self) -> i64 {
        match self {
            Scalar::Bool(x) => i64::from(x),
            Scalar::Int(x) => x,
            Scalar::UInt(x) => i64::try_from(x).unwrap_or(i64::MAX),
            Scalar::Float(x) => x as i64,
        }
    }

    /// The one element of `dtype` that `bytes` begins with.
    pub fn of_bytes(bytes: [u8; 8], dtype: DType) -> Scalar {
        let word = u64::from_ne_bytes(bytes);
        match (dtype.kind(), dtype.size()) {
            (NumberKind::Bool, _) => Scalar::Bool(bytes[0] != 0),
            (NumberKind::Float, _) => crate::with_dtype!(dtype, T => {
                Scalar::Float(bytemuck::pod_read_unaligned::<T>(&bytes[..size_of::<T>()]).to_f64())
            }),
            (NumberKind::Signed, 8) => Scalar::Int(word as i64),
            (NumberKind::Unsigned, 8) => Scalar::UInt(word),
            _ => crate::with_dtype!(dtype, T => {
                Scalar::Int(bytemuck::pod_read_unaligned::<T>(&bytes[..size_of::<T>()]).to_f64() as i64)
            }),
        }
    }

    /// Its native bytes as one element of `dtype`, followed by zeros.
    ///
    /// Converted as arrays are: integers saturate, floats become integers by cutting, bool is "not zero".
    pub fn bytes(self, dtype: DType) -> [u8; 8] {
        let mut out = [0; 8];
        match (dtype, self.whole(), dtype.whole_range()) {
            (DType::Bool, ..) => out[0] = u8::from(self.to_f64() != 0.0),
            (_, Some(whole), Some((low, high))) => {
                let bytes = whole.clamp(low, high).to_le_bytes();
                let size = dtype.size();
                out[..size].copy_from_slice(&bytes[..size]);
                if ByteOrder::NATIVE == ByteOrder::Big {
                    out[..size].reverse();
                }
            }
            _ => crate::with_dtype!(dtype, T => {
                out[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&T::from_f64(self.to_f64())));
            }),
        }
        out
    }

    /// Whether it is a whole number that `dtype` holds.
    pub(crate) fn fits(self, dtype: DType) -> bool {
        match (self.whole(), dtype.whole_range()) {
            (Some(whole), Some((low, high))) => (low..=high).contains(&whole),
            _ => false,
        }
    }

    /// The smallest type that holds it.
    pub(crate) fn smallest(self) -> DType {
        DType::ALL.into_iter().find(|d| self.fits(*d)).unwrap_or(DType::F64)
    }

    fn whole(self) -> Option<i128> {
        match self {
            Scalar::Bool(x) => Some(i128::from(x)),
            Scalar::Int(x) => Some(i128::from(x)),
            Scalar::UInt(x) => Some(i128::from(x)),
            Scalar::Float(_) => None,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Bool(x) => write!(f, "{x}"),
            Scalar::Int(x) => write!(f, "{x}"),
            Scalar::UInt(x) => write!(f, "{x}"),
            Scalar::Float(x) => write!(f, "{x:?}"),
        }
    }
}

macro_rules! scalar_from {
    ($($kind:ident: $($t:ty),*;)*) => {$($(impl From<$t> for Scalar {
        fn from(x: $t) -> Scalar {
            Scalar::$kind(x.into())
        }
    })*)*};
}
scalar_from! {
    Bool: bool;
    Int: i8, i16, i32, i64, u8, u16, u32;
    UInt: u64;
    Float: f32, f64;
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The order of the bytes of one element in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// This machine's.
    pub const NATIVE: ByteOrder = if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };
}

/// A number type that kernels are compiled for. `bool` travels as `u8`.
pub trait Element: Pod + Copy + PartialEq + PartialOrd + fmt::Debug + Send + Sync + 'static {
    /// Its run-time name.
    const DTYPE: DType;
    /// The same bytes in the other order.
    fn swapped(self) -> Self;
    /// As `f64`; 64-bit integers are rounded to the nearest.
    fn to_f64(self) -> f64;
    /// The nearest value of this type, as Rust's `as` casts do (saturating, NaN to 0 for integers).
    fn from_f64(x: f64) -> Self;
}

macro_rules! integer {
    ($($t:ty: $d:ident),*) => {$(impl Element for $t {
        const DTYPE: DType = DType::$d;
        #[inline(always)]
        fn swapped(self) -> Self { self.swap_bytes() }
        #[inline(always)]
        fn to_f64(self) -> f64 { self as f64 }
        #[inline(always)]
        fn from_f64(x: f64) -> Self { x as $t }
    })*};
}
integer!(i8: I8, i16: I16, i32: I32, i64: I64, u8: U8, u16: U16, u32: U32, u64: U64);

impl Element for f16 {
    const DTYPE: DType = DType::F16;
    #[inline(always)]
    fn swapped(self) -> Self {
        f16::from_bits(self.to_bits().swap_bytes())
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        // `f16::from_f64` rounds twice where the processor converts by way of f32. To the odd neighbour first, then
        // to the nearest, is the same as to the nearest at once (Boldo and Melquiond 2008).
        let near = x as f32;
        let bits = near.to_bits();
        let inexact = !x.is_nan() && f64::from(near) != x && bits & 1 == 0;
        let step = if f64::from(near).abs() > x.abs() { u32::MAX } else { 1 };
        f16::from_f32(if inexact { f32::from_bits(bits.wrapping_add(step)) } else { near })
    }
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;
    #[inline(always)]
    fn swapped(self) -> Self {
        f32::from_bits(self.to_bits().swap_bytes())
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as f32
    }
}

impl Element for f64 {
    const DTYPE: DType = DType::F64;
    #[inline(always)]
    fn swapped(self) -> Self {
        f64::from_bits(self.to_bits().swap_bytes())
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }
}

/// Runs an expression with a type name bound to the [`Element`] of a [`DType`]: `with_dtype!(dtype, T => size_of::<T>())`.
#[macro_export]
macro_rules! with_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::dtype::DType::Bool | $crate::dtype::DType::U8 => {
                type $T = u8;
                $body
            }
            $crate::dtype::DType::I8 => {
                type $T = i8;
                $body
            }
            $crate::dtype::DType::I16 => {
                type $T = i16;
                $body
            }
            $crate::dtype::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::dtype::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::dtype::DType::U16 => {
                type $T = u16;
                $body
            }
            $crate::dtype::DType::U32 => {
                type $T = u32;
                $body
            }
            $crate::dtype::DType::U64 => {
                type $T = u64;
                $body
            }
            $crate::dtype::DType::F16 => {
                type $T = half::f16;
                $body
            }
            $crate::dtype::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::dtype::DType::F64 => {
                type $T = f64;
                $body
            }
        }
    };
}

/// Reverses the bytes of each `size`-byte element in place.
pub fn swap_in_place(bytes: &mut [u8], size: usize) {
    match size {
        2 => bytes.chunks_exact_mut(2).for_each(|c| c.swap(0, 1)),
        4 => bytes.chunks_exact_mut(4).for_each(|c| {
            let x = u32::from_ne_bytes([c[0], c[1], c[2], c[3]]).swap_bytes();
            c.copy_from_slice(&x.to_ne_bytes());
        }),
        8 => bytes.chunks_exact_mut(8).for_each(|c| c.reverse()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bridge_knows_every_type() {
        for d in DType::ALL {
            let (size, name) = with_dtype!(d, T => (size_of::<T>(), T::DTYPE));
            assert_eq!(size, d.size());
            assert!(name == d || d == DType::Bool);
        }
    }

    #[test]
    fn a_number_takes_any_type() {
        let read = |s: Scalar, d: DType| {
            with_dtype!(d, T => {
                let bytes = s.bytes(d);
                let (bytes, rest) = bytes.split_at(size_of::<T>());
                assert!(rest.iter().all(|b| *b == 0));
                bytemuck::pod_read_unaligned::<T>(bytes).to_f64()
            })
        };
        for d in DType::ALL {
            let one = if d == DType::Bool { 1.0 } else { 3.0 };
            assert_eq!([3.into(), 3u64.into(), 3.0.into()].map(|s| read(s, d)), [one; 3], "{d}");
            assert_eq!(read(true.into(), d), 1.0);
        }
        assert_eq!(read(300.into(), DType::I8), 127.0);
        assert_eq!(read((-1).into(), DType::U64), 0.0);
        assert_eq!(read((-2.7).into(), DType::I16), -2.0);
        assert_eq!(Scalar::from(u64::MAX).bytes(DType::U64), [255; 8]);
        let texts = [Scalar::from(2.0), 2.into(), u64::MAX.into(), true.into()].map(|s| s.to_string());
        assert_eq!(texts, ["2.0", "2", "18446744073709551615", "true"]);
    }

    #[test]
    fn swapping_agrees_with_the_element() {
        let mut bytes: Vec<u8> = (1..=8).collect();
        swap_in_place(&mut bytes, 4);
        assert_eq!(bytes, [4, 3, 2, 1, 8, 7, 6, 5]);
        assert_eq!(f32::from_be_bytes([0x43, 0x88, 0, 0]), f32::from_le_bytes([0x43, 0x88, 0, 0]).swapped());
        assert_eq!(f16::from_f64(1.5).swapped().swapped(), f16::from_f64(1.5));
    }
}
