//! Values as keys.

use super::super::number::{Float, Number};
use crate::{dtype::Element, kernels::decode::Value};
use half::f16;

/// A value as kernels compute with it, as the key of the type that it has in the array.
pub(super) trait Keyed: Value {
    /// The key of so many bits: that of [`Number::key`] for the type of this size and kind.
    fn sorted_as(self, bits: u32) -> u64;

    /// Whether it is zero, and if so whether that has a sign.
    #[inline(always)]
    fn zero(self) -> Option<u64> {
        (self == Self::default()).then(|| u64::from(self.to_f64().is_sign_negative()))
    }

    /// The key of the distance from `center`, computed in the type of so many bits where that is floating, else in float64.
    fn away_from(self, center: f64, bits: u32) -> u64;
}

impl Keyed for f32 {
    #[inline(always)]
    fn sorted_as(self, bits: u32) -> u64 {
        if bits == 16 { f16::from_f32(self).key().into() } else { self.key().into() }
    }

    #[inline(always)]
    fn away_from(self, center: f64, bits: u32) -> u64 {
        if bits == 16 {
            return f16::from_f32(self).minus(<f16 as Element>::from_f64(center)).magnitude().key().into();
        }
        self.minus(center as f32).magnitude().key().into()
    }
}

impl Keyed for f64 {
    #[inline(always)]
    fn sorted_as(self, _: u32) -> u64 {
        self.key()
    }

    #[inline(always)]
    fn away_from(self, center: f64, _: u32) -> u64 {
        self.minus(center).magnitude().key()
    }
}

impl Keyed for i64 {
    #[inline(always)]
    fn sorted_as(self, bits: u32) -> u64 {
        (self as u64 ^ 1 << (bits - 1)) & (u64::MAX >> (64 - bits))
    }

    #[inline(always)]
    fn away_from(self, center: f64, _: u32) -> u64 {
        self.to_f64().minus(center).magnitude().key()
    }
}

impl Keyed for u64 {
    #[inline(always)]
    fn sorted_as(self, _: u32) -> u64 {
        self
    }

    #[inline(always)]
    fn away_from(self, center: f64, _: u32) -> u64 {
        self.to_f64().minus(center).magnitude().key()
    }
}
