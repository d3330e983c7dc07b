//! What running sums and sorting have to know about a type.

use crate::dtype::Element;
use bytemuck::Pod;
use half::f16;

/// A number along an axis.
pub(super) trait Number: Element {
    /// The type of its running sums.
    type Wide: Number;
    /// The type of means of two and of what lies between two: its own where it is floating, else float64.
    type Float: Float;
    /// Bits that sort as the numbers do.
    type Key: Pod + Ord + Into<u64> + TryFrom<u64>;
    const ZERO: Self;
    const ONE: Self;
    /// What NaN is sorted as: after every number.
    const LAST: Self::Key;

    fn wide(self) -> Self::Wide;
    fn float(self) -> Self::Float;
    /// Rounded as the type is; integers wrap.
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;

    /// Ascending; both zeros are the same, and every NaN is [`LAST`](Number::LAST).
    fn key(self) -> Self::Key;
    /// As [`key`](Number::key), descending but for NaN.
    fn descending_key(self) -> Self::Key;
    /// A number that has this key.
    fn from_key(key: Self::Key) -> Self;
    fn from_descending_key(key: Self::Key) -> Self;

    /// Whether other numbers share its key but not its bits: zeros below zero, and NaN.
    fn shares_key(self) -> bool;

    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn is_nan(self) -> bool {
        self != self
    }
}

/// A floating number, whose arithmetic rounds as NumPy's does in its type.
pub(super) trait Float: Number<Float = Self> {
    fn minus(self, other: Self) -> Self;
    /// Of both, as `numpy.mean`.
    fn mean(self, other: Self) -> Self;
    fn magnitude(self) -> Self;
}

impl Float for f16 {
    #[inline(always)]
    fn minus(self, other: f16) -> f16 {
        f16::from_f32(self.to_f32() - other.to_f32())
    }
    #[inline(always)]
    fn mean(self, other: f16) -> f16 {
        f16::from_f32((self.to_f32() + other.to_f32()) / 2.0)
    }
    #[inline(always)]
    fn magnitude(self) -> f16 {
        f16::from_bits(self.to_bits() & 0x7fff)
    }
}

macro_rules! native_floats {
    ($($t:ident)*) => {$(
        impl Float for $t {
            #[inline(always)]
            fn minus(self, other: $t) -> $t { self - other }
            #[inline(always)]
            fn mean(self, other: $t) -> $t { (self + other) / 2.0 }
            #[inline(always)]
            fn magnitude(self) -> $t { self.abs() }
        }
    )*};
}
native_floats!(f32 f64);

macro_rules! integers {
    ($($t:ident $wide:ident $key:ident $flip:expr;)*) => {$(
        impl Number for $t {
            type Wide = $wide;
            type Float = f64;
            type Key = $key;
            const ZERO: $t = 0;
            const ONE: $t = 1;
            const LAST: $key = $key::MAX;
            #[inline(always)]
            fn wide(self) -> $wide { self.into() }
            #[inline(always)]
            fn float(self) -> f64 { self.to_f64() }
            #[inline(always)]
            fn plus(self, other: $t) -> $t { self.wrapping_add(other) }
            #[inline(always)]
            fn times(self, other: $t) -> $t { self.wrapping_mul(other) }
            #[inline(always)]
            fn key(self) -> $key { self as $key ^ $flip }
            #[inline(always)]
            fn descending_key(self) -> $key { !self.key() }
            #[inline(always)]
            fn from_key(key: $key) -> $t { (key ^ $flip) as $t }
            #[inline(always)]
            fn from_descending_key(key: $key) -> $t { $t::from_key(!key) }
            #[inline(always)]
            fn shares_key(self) -> bool { false }
        }
    )*};
}
integers! {
    u8 u64 u8 0;
    u16 u64 u16 0;
    u32 u64 u32 0;
    u64 u64 u64 0;
    i8 i64 u8 1 << 7;
    i16 i64 u16 1 << 15;
    i32 i64 u32 1 << 31;
    i64 i64 u64 1 << 63;
}

macro_rules! floats {
    ($($t:ident $key:ident $zero:expr, $one:expr, $plus:expr, $times:expr;)*) => {$(
        impl Number for $t {
            type Wide = $t;
            type Float = $t;
            type Key = $key;
            const ZERO: $t = $zero;
            const ONE: $t = $one;
            const LAST: $key = $key::MAX;
            #[inline(always)]
            fn wide(self) -> $t { self }
            #[inline(always)]
            fn float(self) -> $t { self }
            #[inline(always)]
            fn plus(self, other: $t) -> $t { $plus(self, other) }
            #[inline(always)]
            fn times(self, other: $t) -> $t { $times(self, other) }
            #[inline(always)]
            fn key(self) -> $key {
                const SIGN: $key = 1 << ($key::BITS - 1);
                let bits = self.to_bits();
                // -0.0 becomes 0.0.
                let bits = if bits == SIGN { 0 } else { bits };
                let key = if bits & SIGN != 0 { !bits } else { bits | SIGN };
                if self.is_nan() { $key::MAX } else { key }
            }
            #[inline(always)]
            fn descending_key(self) -> $key {
                // The key of infinity is not zero, so that no number gets the key of NaN.
                if self.is_nan() { $key::MAX } else { !self.key() }
            }
            #[inline(always)]
            fn from_key(key: $key) -> $t {
                const SIGN: $key = 1 << ($key::BITS - 1);
                $t::from_bits(if key & SIGN != 0 { key & !SIGN } else { !key })
            }
            #[inline(always)]
            fn from_descending_key(key: $key) -> $t {
                if key == $key::MAX { $t::from_key(key) } else { $t::from_key(!key) }
            }
            #[inline(always)]
            fn shares_key(self) -> bool {
                self.is_nan() || self.to_bits() == 1 << ($key::BITS - 1)
            }
        }
    )*};
}
floats! {
    f16 u16 f16::ZERO, f16::ONE, half_plus, half_times;
    f32 u32 0.0, 1.0, |a: f32, b: f32| a + b, |a: f32, b: f32| a * b;
    f64 u64 0.0, 1.0, |a: f64, b: f64| a + b, |a: f64, b: f64| a * b;
}

/// As NumPy: exact in f32 or nearly so, then rounded.
#[inline(always)]
fn half_plus(a: f16, b: f16) -> f16 {
    f16::from_f32(a.to_f32() + b.to_f32())
}

#[inline(always)]
fn half_times(a: f16, b: f16) -> f16 {
    f16::from_f32(a.to_f32() * b.to_f32())
}
