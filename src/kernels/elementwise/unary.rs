//! Operations on one input.

use super::{
    Signature, elements, float16, functions as f,
    loops::{map, map_by},
    number::{Integer, Real},
};
use crate::{
    dtype::{DType, NumberKind},
    error::{Error, Result},
};

operations! {
    /// An operation on one input.
    ///
    /// # Example
    /// ```
    /// use aosx::{dtype::DType, kernels::elementwise::{Unary, unary}};
    /// let sqrt = Unary::from_name("sqrt").unwrap();
    /// let types = sqrt.signature(DType::F32)?;
    /// let mut out = [0.0f32; 2];
    /// unary(sqrt, types.computes, bytemuck::bytes_of(&[4.0f32, 9.0]), bytemuck::bytes_of_mut(&mut out));
    /// assert_eq!(out, [2.0, 3.0]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    Unary {
        Negative = "negative", "-x; unsigned integers wrap around.";
        Positive = "positive", "x.";
        Abs = "abs" | "absolute" | "fabs", "Without its sign; the least integer stays what it is.";
        Sign = "sign", "-1, 0 or 1; NaN for NaN.";
        Sqrt = "sqrt", "The square root.";
        Square = "square", "x * x.";
        Cbrt = "cbrt", "The cube root.";
        Reciprocal = "reciprocal", "1 / x, of integers cut towards zero, 0 for 0.";
        Exp = "exp", "e to the power of x.";
        Exp2 = "exp2", "2 to the power of x.";
        Expm1 = "expm1", "exp(x) - 1, exact near 0.";
        Log = "log", "The natural logarithm.";
        Log1p = "log1p", "log(1 + x), exact near 0.";
        Log2 = "log2", "The logarithm to base 2.";
        Log10 = "log10", "The logarithm to base 10.";
        Sin = "sin", "The sine of radians.";
        Cos = "cos", "The cosine of radians.";
        Tan = "tan", "The tangent of radians.";
        Asin = "asin" | "arcsin", "The inverse of the sine.";
        Acos = "acos" | "arccos", "The inverse of the cosine.";
        Atan = "atan" | "arctan", "The inverse of the tangent.";
        Sinh = "sinh", "The hyperbolic sine.";
        Cosh = "cosh", "The hyperbolic cosine.";
        Tanh = "tanh", "The hyperbolic tangent.";
        Asinh = "asinh" | "arcsinh", "The inverse of the hyperbolic sine.";
        Acosh = "acosh" | "arccosh", "The inverse of the hyperbolic cosine.";
        Atanh = "atanh" | "arctanh", "The inverse of the hyperbolic tangent.";
        Floor = "floor", "Rounded down.";
        Ceil = "ceil", "Rounded up.";
        Trunc = "trunc" | "fix", "Rounded towards zero.";
        Round = "round" | "rint" | "around", "Rounded to the nearest whole number, halves to the even one.";
        IsNan = "isnan", "Whether it is NaN.";
        IsInf = "isinf", "Whether it is an infinity.";
        IsFinite = "isfinite", "Whether it is neither NaN nor an infinity.";
        Signbit = "signbit", "Whether its sign is negative, that of -0.0 too.";
        LogicalNot = "logical_not", "Whether it is zero.";
        BitwiseInvert = "bitwise_invert" | "invert" | "bitwise_not",
            "Every bit the other way round; of bools, not x.";
        Degrees = "degrees" | "rad2deg", "Radians in degrees.";
        Radians = "radians" | "deg2rad", "Degrees in radians.";
    }
}

impl Unary {
    /// The types it computes in and gives.
    ///
    /// Whole numbers stay what they are where the result is whole (`abs`, `floor`, `square`); for the rest they
    /// become floats ([`DType::floating`]).
    ///
    /// # Errors
    /// A type that it is not defined for: `negative` of bools, `bitwise_invert` of floats.
    pub fn signature(self, input: DType) -> Result<Signature> {
        let computes = match (self, input.kind()) {
            (Unary::Negative | Unary::Positive | Unary::Sign, NumberKind::Bool) => {
                let instead = if self == Unary::Negative { "use logical_not, or convert" } else { "convert" };
                return Err(Error::usage(format!(
                    "{self} of bool is not defined; {instead} it with astype(int8) first"
                )));
            }
            (Unary::BitwiseInvert, NumberKind::Float) => {
                return Err(Error::usage(format!(
                    "{self} needs integers or bools, got {input}; convert it with astype first, or use logical_not"
                )));
            }
            (Unary::Square | Unary::Reciprocal, NumberKind::Bool) => DType::I8,
            _ if self.keeps_whole_numbers() => input,
            _ => input.floating(),
        };
        Ok(Signature { computes, gives: self.gives(computes) })
    }

    fn keeps_whole_numbers(self) -> bool {
        use Unary::*;
        matches!(self, Negative | Positive | Abs | Sign | Square | Reciprocal | Floor | Ceil | Trunc | Round)
            || matches!(self, BitwiseInvert)
            || self.asks()
    }

    /// Whether its result is a bool.
    fn asks(self) -> bool {
        use Unary::*;
        matches!(self, IsNan | IsInf | IsFinite | Signbit | LogicalNot)
    }

    pub(super) fn gives(self, computes: DType) -> DType {
        if self.asks() { DType::Bool } else { computes }
    }
}

/// Computes `op` of every element of `x`, which are of the type that the [signature](Unary::signature) says.
///
/// # Panics
/// When the lengths do not match, a slice is not aligned to its elements, or `op` never computes in that type.
pub fn unary(op: Unary, computes: DType, x: &[u8], out: &mut [u8]) {
    match computes {
        DType::Bool => bools(op, x, out),
        DType::I8 => integers::<i8, u8>(op, x, out),
        DType::I16 => integers::<i16, u16>(op, x, out),
        DType::I32 => integers::<i32, u32>(op, x, out),
        DType::I64 => integers::<i64, u64>(op, x, out),
        DType::U8 => integers::<u8, u8>(op, x, out),
        DType::U16 => integers::<u16, u16>(op, x, out),
        DType::U32 => integers::<u32, u32>(op, x, out),
        DType::U64 => integers::<u64, u64>(op, x, out),
        DType::F16 => float16::unary(op, x, out),
        DType::F32 => floats::<f32>(op, x, out),
        DType::F64 => floats::<f64>(op, x, out),
    }
}

fn bools(op: Unary, x: &[u8], out: &mut [u8]) {
    match op {
        Unary::BitwiseInvert => integers::<u8, u8>(Unary::LogicalNot, x, out),
        _ => integers::<u8, u8>(op, x, out),
    }
}

/// `U` has the bits of `S` without its sign, for what does not depend on the sign: half of the loops to compile.
fn integers<S: Integer, U: Integer>(op: Unary, x: &[u8], out: &mut [u8]) {
    let signed = || elements::<S>(x);
    let bits = || elements::<U>(x);
    match op {
        Unary::Positive | Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::Round => out.copy_from_slice(x),
        Unary::Negative => map::<U, f::Negative>(bits(), out),
        Unary::Abs => map::<S, f::Abs>(signed(), out),
        Unary::Sign => map::<S, f::Sign>(signed(), out),
        Unary::Square => map::<U, f::Square>(bits(), out),
        Unary::Reciprocal => map_by::<S>(S::reciprocal, signed(), out),
        Unary::Signbit => map::<S, f::Below>(signed(), out),
        Unary::LogicalNot => map::<U, f::LogicalNot>(bits(), out),
        Unary::BitwiseInvert => map::<U, f::Invert>(bits(), out),
        Unary::IsNan | Unary::IsInf | Unary::IsFinite => {
            assert_eq!(bits().len(), out.len(), "as many elements in as out");
            out.fill(u8::from(op == Unary::IsFinite));
        }
        _ => unreachable!("{op} of integers computes in floats"),
    }
}

fn floats<T: Real>(op: Unary, x: &[u8], out: &mut [u8]) {
    let x: &[T] = elements(x);
    match op {
        Unary::Positive => out.copy_from_slice(bytemuck::cast_slice(x)),
        Unary::Negative => map::<T, f::Negative>(x, out),
        Unary::Abs => map::<T, f::Abs>(x, out),
        Unary::Sign => map::<T, f::Sign>(x, out),
        Unary::Sqrt => map::<T, f::Sqrt>(x, out),
        Unary::Square => map::<T, f::Square>(x, out),
        Unary::Reciprocal => map::<T, f::Reciprocal>(x, out),
        Unary::Floor => map::<T, f::Floor>(x, out),
        Unary::Ceil => map::<T, f::Ceil>(x, out),
        Unary::Trunc => map::<T, f::Trunc>(x, out),
        Unary::Round => map::<T, f::Round>(x, out),
        Unary::IsNan => map::<T, f::IsNan>(x, out),
        Unary::IsInf => map::<T, f::IsInf>(x, out),
        Unary::IsFinite => map::<T, f::IsFinite>(x, out),
        Unary::Signbit => map::<T, f::Signbit>(x, out),
        Unary::LogicalNot => map::<T, f::LogicalNot>(x, out),
        Unary::Degrees => map::<T, f::Degrees>(x, out),
        Unary::Radians => map::<T, f::Radians>(x, out),
        _ => match T::function(op) {
            Some(function) => map_by(function, x, out),
            None => unreachable!("{op} of floats"),
        },
    }
}
