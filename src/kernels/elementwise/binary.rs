//! Operations on two inputs.

use super::{
    Operand, Signature, float16, functions as f,
    loops::{Pair, combine, combine_by, combine_either_way},
    number::{Integer, Real},
    unary::{Unary, unary},
};
use crate::{
    dtype::{DType, Scalar},
    error::{Error, Result},
};

operations! {
    /// An operation on two inputs, `a` and `b`.
    ///
    /// # Example
    /// ```
    /// use aosx::{dtype::{DType, Scalar}, kernels::elementwise::{Binary, Operand, binary}};
    /// let half = Scalar::from(0.5);
    /// let types = Binary::Multiply.signature_scalar(DType::F32, half)?;
    /// assert_eq!(types.gives, DType::F32);
    /// let (a, b) = ([4.0f32, 9.0], Operand::Scalar(half.bytes(types.computes)));
    /// let mut out = [0.0f32; 2];
    /// binary(
    ///     Binary::Multiply,
    ///     types.computes,
    ///     Operand::Values(bytemuck::bytes_of(&a)),
    ///     b,
    ///     bytemuck::bytes_of_mut(&mut out),
    /// );
    /// assert_eq!(out, [2.0, 4.5]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    Binary {
        Add = "add", "a + b; of bools, either.";
        Subtract = "subtract", "a - b.";
        Multiply = "multiply", "a * b; of bools, both.";
        Divide = "divide" | "true_divide", "a / b, a float.";
        FloorDivide = "floor_divide", "a / b rounded down; 0 for an integer divided by 0.";
        Remainder = "remainder" | "mod", "What is left of a after floor_divide, with the sign of b, as Python's `%`.";
        Fmod = "fmod", "What is left of a after division, with the sign of a, as C's `fmod`.";
        Pow = "pow" | "power",
            "a to the power of b. Of integers 1 and -1 keep their size to a negative power and the rest is 0, where \
             NumPy refuses: convert to floats for a / b.";
        Atan2 = "atan2" | "arctan2", "The angle of the point (b, a), in radians.";
        Hypot = "hypot", "The length of (a, b).";
        Maximum = "maximum", "The larger; NaN where either is.";
        Minimum = "minimum", "The smaller; NaN where either is.";
        Fmax = "fmax", "The larger, of a NaN and a number the number.";
        Fmin = "fmin", "The smaller, of a NaN and a number the number.";
        Copysign = "copysign", "a with the sign of b.";
        Nextafter = "nextafter", "The float next to a on the way to b.";
        Logaddexp = "logaddexp", "log(exp(a) + exp(b)), without overflow on the way.";
        Heaviside = "heaviside", "0 where a < 0, 1 where a > 0, b where a is 0.";
        Less = "less", "a < b.";
        LessEqual = "less_equal", "a <= b.";
        Greater = "greater", "a > b.";
        GreaterEqual = "greater_equal", "a >= b.";
        Equal = "equal", "a == b.";
        NotEqual = "not_equal", "a != b; true of NaN.";
        LogicalAnd = "logical_and", "Neither is zero.";
        LogicalOr = "logical_or", "Not both are zero.";
        LogicalXor = "logical_xor", "Just one is zero.";
        BitwiseAnd = "bitwise_and", "Bits that are in both.";
        BitwiseOr = "bitwise_or", "Bits that are in either.";
        BitwiseXor = "bitwise_xor", "Bits that are in just one.";
        BitwiseLeftShift = "bitwise_left_shift" | "left_shift",
            "a shifted by b bits to the left; 0 when b is negative or at least the width.";
        BitwiseRightShift = "bitwise_right_shift" | "right_shift",
            "a shifted by b bits to the right, keeping its sign; 0 or -1 when b is negative or at least the width.";
    }
}

/// What an operation asks of its types.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    /// Computes in the promoted type, of bools in bools.
    Common,
    /// As Common, but of bools in int8.
    Numbers,
    /// True division.
    Division,
    /// Computes in floats.
    Floating,
    Comparison,
    Logical,
    Bitwise,
    /// As Bitwise, but of bools in int8.
    Shift,
}

impl Binary {
    /// The types in which two arrays are computed.
    ///
    /// `int64` and `uint64` are compared as `int64`, into which the unsigned numbers saturate: exact, but for
    /// `uint64` numbers of 2^63 and more beside the `int64` number 2^63 - 1, which count as equal.
    ///
    /// # Errors
    /// Types that it is not defined for: `subtract` of bools, `bitwise_and` of floats.
    pub fn signature(self, a: DType, b: DType) -> Result<Signature> {
        let common = a.promote(b);
        self.check(a, b)?;
        let computes = match self.family() {
            Family::Common => common,
            Family::Numbers | Family::Shift | Family::Bitwise if common == DType::Bool && !self.keeps_bools() => {
                DType::I8
            }
            Family::Numbers | Family::Shift | Family::Bitwise => common,
            Family::Division if common.is_float() && (a.is_float() || b.is_float()) => common,
            Family::Division => DType::F64,
            Family::Floating => a.floating().promote(b.floating()),
            Family::Comparison if common.is_float() && !a.is_float() && !b.is_float() => DType::I64,
            Family::Comparison => common,
            Family::Logical if a == b => a,
            Family::Logical => DType::Bool,
        };
        Ok(Signature { computes, gives: self.gives(computes) })
    }

    /// The types in which an array and a number without a type of its own are computed, on either side: the number
    /// goes into [`Scalar::bytes`] of [`Signature::computes`].
    ///
    /// Comparisons take any number: `uint8` values are compared with 300 or -1 in a type that holds both.
    ///
    /// # Errors
    /// As [`Binary::signature`], and those of [`DType::promote_scalar`].
    pub fn signature_scalar(self, a: DType, scalar: Scalar) -> Result<Signature> {
        let met = match (self.family(), scalar) {
            (_, Scalar::Bool(_)) | (Family::Logical, _) | (Family::Bitwise | Family::Shift, Scalar::Float(_)) => {
                return self.signature(a, scalar.dtype());
            }
            (Family::Comparison, Scalar::Int(_) | Scalar::UInt(_)) if !a.is_float() && !scalar.fits(a) => {
                return self.signature(a, scalar.smallest());
            }
            // The number becomes a float whatever its size.
            (Family::Division | Family::Floating, Scalar::Int(_) | Scalar::UInt(_)) => {
                if a == DType::Bool {
                    DType::I64
                } else {
                    a
                }
            }
            _ => a.promote_scalar(scalar)?,
        };
        self.signature(met, met)
    }

    fn check(self, a: DType, b: DType) -> Result<()> {
        let both_bools = a == DType::Bool && b == DType::Bool;
        if self == Binary::Subtract && both_bools {
            return Err(Error::usage(
                "subtract of two bools is not defined; use logical_xor, or convert one with astype(int8) first",
            ));
        }
        if matches!(self.family(), Family::Bitwise | Family::Shift) && a.promote(b).is_float() {
            let instead = match self {
                Binary::BitwiseAnd => ", or use logical_and",
                Binary::BitwiseOr => ", or use logical_or",
                Binary::BitwiseXor => ", or use logical_xor",
                _ => "",
            };
            return Err(Error::usage(format!(
                "{self} needs integers or bools that have a common integer type, got {a} and {b}; convert with astype \
                 first{instead}"
            )));
        }
        Ok(())
    }

    fn keeps_bools(self) -> bool {
        matches!(self.family(), Family::Common | Family::Bitwise)
    }

    fn family(self) -> Family {
        use Binary::*;
        match self {
            Add | Subtract | Multiply | Maximum | Minimum | Fmax | Fmin => Family::Common,
            FloorDivide | Remainder | Fmod | Pow => Family::Numbers,
            Divide => Family::Division,
            Atan2 | Hypot | Copysign | Nextafter | Logaddexp | Heaviside => Family::Floating,
            Less | LessEqual | Greater | GreaterEqual | Equal | NotEqual => Family::Comparison,
            LogicalAnd | LogicalOr | LogicalXor => Family::Logical,
            BitwiseAnd | BitwiseOr | BitwiseXor => Family::Bitwise,
            BitwiseLeftShift | BitwiseRightShift => Family::Shift,
        }
    }

    pub(super) fn gives(self, computes: DType) -> DType {
        match self.family() {
            Family::Comparison | Family::Logical => DType::Bool,
            _ => computes,
        }
    }

    /// For a float to the power of a scalar: the operation that NumPy takes in its place.
    fn power_of(exponent: f64) -> Option<Unary> {
        match exponent {
            -1.0 => Some(Unary::Reciprocal),
            0.5 => Some(Unary::Sqrt),
            1.0 => Some(Unary::Positive),
            2.0 => Some(Unary::Square),
            _ => None,
        }
    }
}

/// Computes `op` of every pair of elements, which are of the type that the [signature](Binary::signature) says.
///
/// A float to the power of the scalar 2 is its square, 0.5 its square root, -1 its reciprocal, 1 itself: NumPy's
/// short cuts, which may differ in the last digit from [`Operand::Values`] of that number, and in `(-inf) ** 0.5`.
///
/// # Panics
/// When the lengths do not match, a slice is not aligned to its elements, or `op` never computes in that type.
pub fn binary(op: Binary, computes: DType, a: Operand<'_>, b: Operand<'_>, out: &mut [u8]) {
    if let (Operand::Scalar(one), Operand::Scalar(_)) = (a, b) {
        return repeated(op, computes, &one, b, out);
    }
    match computes {
        DType::Bool => bools(op, a, b, out),
        DType::I8 => integers::<i8, u8>(op, a, b, out),
        DType::I16 => integers::<i16, u16>(op, a, b, out),
        DType::I32 => integers::<i32, u32>(op, a, b, out),
        DType::I64 => integers::<i64, u64>(op, a, b, out),
        DType::U8 => integers::<u8, u8>(op, a, b, out),
        DType::U16 => integers::<u16, u16>(op, a, b, out),
        DType::U32 => integers::<u32, u32>(op, a, b, out),
        DType::U64 => integers::<u64, u64>(op, a, b, out),
        DType::F16 => float16::binary(op, a, b, out),
        DType::F32 => floats::<f32>(op, a, b, out),
        DType::F64 => floats::<f64>(op, a, b, out),
    }
}

/// Two scalars: computed once.
fn repeated(op: Binary, computes: DType, a: &[u8; 8], b: Operand<'_>, out: &mut [u8]) {
    let (mut words, a) = ([0u64; 1], u64::from_ne_bytes(*a));
    let result = &mut bytemuck::bytes_of_mut(&mut words)[..op.gives(computes).size()];
    binary(op, computes, Operand::Values(&bytemuck::bytes_of(&a)[..computes.size()]), b, result);
    assert!(out.len().is_multiple_of(result.len()), "whole elements");
    out.chunks_exact_mut(result.len()).for_each(|y| y.copy_from_slice(result));
}

fn bools(op: Binary, a: Operand<'_>, b: Operand<'_>, out: &mut [u8]) {
    let op = match op {
        Binary::Add => Binary::BitwiseOr,
        Binary::Multiply => Binary::BitwiseAnd,
        _ => op,
    };
    integers::<u8, u8>(op, a, b, out);
}

/// `U` has the bits of `S` without its sign, for what does not depend on the sign: half of the loops to compile.
fn integers<S: Integer, U: Integer>(op: Binary, a: Operand<'_>, b: Operand<'_>, out: &mut [u8]) {
    let len = out.len() / op.gives(S::DTYPE).size();
    let numbers = || Pair::<S>::new(a, b, len);
    let bits = || Pair::<U>::new(a, b, len);
    match op {
        Binary::Add => combine_either_way::<U, f::Add>(bits(), out),
        Binary::Subtract => combine::<U, f::Subtract>(bits(), out),
        Binary::Multiply => combine_either_way::<U, f::Multiply>(bits(), out),
        Binary::FloorDivide => combine_by(S::floor_divide, numbers(), out),
        Binary::Remainder => combine_by(S::remainder, numbers(), out),
        Binary::Fmod => combine_by(S::fmod, numbers(), out),
        Binary::Pow => combine_by(S::power, numbers(), out),
        Binary::Maximum | Binary::Fmax => combine_either_way::<S, f::Maximum>(numbers(), out),
        Binary::Minimum | Binary::Fmin => combine_either_way::<S, f::Minimum>(numbers(), out),
        Binary::Less => combine::<S, f::Less>(numbers(), out),
        Binary::LessEqual => combine::<S, f::LessEqual>(numbers(), out),
        Binary::Greater => combine::<S, f::Less>(numbers().swapped(), out),
        Binary::GreaterEqual => combine::<S, f::LessEqual>(numbers().swapped(), out),
        Binary::Equal => combine_either_way::<U, f::Equal>(bits(), out),
        Binary::NotEqual => combine_either_way::<U, f::NotEqual>(bits(), out),
        Binary::LogicalAnd => combine_either_way::<U, f::LogicalAnd>(bits(), out),
        Binary::LogicalOr => combine_either_way::<U, f::LogicalOr>(bits(), out),
        Binary::LogicalXor => combine_either_way::<U, f::LogicalXor>(bits(), out),
        Binary::BitwiseAnd => combine_either_way::<U, f::BitwiseAnd>(bits(), out),
        Binary::BitwiseOr => combine_either_way::<U, f::BitwiseOr>(bits(), out),
        Binary::BitwiseXor => combine_either_way::<U, f::BitwiseXor>(bits(), out),
        Binary::BitwiseLeftShift => combine::<S, f::ShiftLeft>(numbers(), out),
        Binary::BitwiseRightShift => combine::<S, f::ShiftRight>(numbers(), out),
        _ => unreachable!("{op} of integers computes in floats"),
    }
}

fn floats<T: Real>(op: Binary, a: Operand<'_>, b: Operand<'_>, out: &mut [u8]) {
    let pair = Pair::<T>::new(a, b, out.len() / op.gives(T::DTYPE).size());
    match op {
        Binary::Add => combine_either_way::<T, f::Add>(pair, out),
        Binary::Subtract => combine::<T, f::Subtract>(pair, out),
        Binary::Multiply => combine_either_way::<T, f::Multiply>(pair, out),
        Binary::Divide => combine::<T, f::Divide>(pair, out),
        // Not either way: which of 0.0 and -0.0 is taken depends on their order.
        Binary::Maximum => combine::<T, f::Maximum>(pair, out),
        Binary::Minimum => combine::<T, f::Minimum>(pair, out),
        Binary::Fmax => combine::<T, f::Fmax>(pair, out),
        Binary::Fmin => combine::<T, f::Fmin>(pair, out),
        Binary::Copysign => combine::<T, f::Copysign>(pair, out),
        Binary::Hypot => combine_either_way::<T, f::Hypot>(pair, out),
        Binary::Heaviside => combine::<T, f::Heaviside>(pair, out),
        Binary::Less => combine::<T, f::Less>(pair, out),
        Binary::LessEqual => combine::<T, f::LessEqual>(pair, out),
        Binary::Greater => combine::<T, f::Less>(pair.swapped(), out),
        Binary::GreaterEqual => combine::<T, f::LessEqual>(pair.swapped(), out),
        Binary::Equal => combine_either_way::<T, f::Equal>(pair, out),
        Binary::NotEqual => combine_either_way::<T, f::NotEqual>(pair, out),
        Binary::LogicalAnd => combine_either_way::<T, f::LogicalAnd>(pair, out),
        Binary::LogicalOr => combine_either_way::<T, f::LogicalOr>(pair, out),
        Binary::LogicalXor => combine_either_way::<T, f::LogicalXor>(pair, out),
        _ => by_function(op, pair, out),
    }
}

fn by_function<T: Real>(op: Binary, pair: Pair<'_, T>, out: &mut [u8]) {
    if let (Binary::Pow, Pair::Right(x, exponent)) = (op, &pair)
        && let Some(instead) = Binary::power_of(exponent.to_f64())
    {
        return unary(instead, T::DTYPE, bytemuck::cast_slice(x), out);
    }
    match T::function_of_two(op) {
        Some(function) => combine_by(function, pair, out),
        None => unreachable!("{op} of floats"),
    }
}
