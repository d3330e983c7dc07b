//! Types of elements: [`DType`] is what a file says at run time, [`Element`] what a kernel knows at compile time,
//! and [`with_dtype!`](crate::with_dtype) the one bridge between them.

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
        f16::from_f64(x)
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
    fn swapping_agrees_with_the_element() {
        let mut bytes: Vec<u8> = (1..=8).collect();
        swap_in_place(&mut bytes, 4);
        assert_eq!(bytes, [4, 3, 2, 1, 8, 7, 6, 5]);
        assert_eq!(f32::from_be_bytes([0x43, 0x88, 0, 0]), f32::from_le_bytes([0x43, 0x88, 0, 0]).swapped());
        assert_eq!(f16::from_f64(1.5).swapped().swapped(), f16::from_f64(1.5));
    }
}
