//! What the loops ask of a number: [`Number`], and what only integers ([`Integer`]) and only floats ([`Real`]) have.

use super::{Binary, Unary};
use crate::dtype::Element;

/// Arithmetic that wraps around in integers.
pub(super) trait Number: Element {
    const ZERO: Self;
    const ONE: Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn negated(self) -> Self;
    fn absolute(self) -> Self;
    /// -1, 0 or 1; NaN for NaN.
    fn sign(self) -> Self;
    /// Whether it is NaN.
    fn missing(self) -> bool;
}

/// Integers. Division by zero gives 0.
pub(super) trait Integer: Number + From<bool> {
    /// Rounded down; the least number by -1 wraps around.
    fn floor_divide(self, by: Self) -> Self;
    /// With the sign of the divisor.
    fn remainder(self, by: Self) -> Self;
    /// With the sign of the dividend.
    fn fmod(self, by: Self) -> Self;
    /// Wraps around; to a negative power 1 and -1 keep their size, everything else is 0.
    fn power(self, exponent: Self) -> Self;
    /// By a negative number or by all bits and more: 0.
    fn shifted_left(self, by: Self) -> Self;
    /// By a negative number or by all bits and more: 0, or -1 if it was negative.
    fn shifted_right(self, by: Self) -> Self;
    fn reciprocal(self) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    fn inverted(self) -> Self;
}

/// Floats.
pub(super) trait Real: Number {
    /// Of one half turn, by the number of radians in it.
    const DEGREES: Self;
    const RADIANS: Self;
    const INFINITY: Self;
    fn over(self, by: Self) -> Self;
    fn square_root(self) -> Self;
    fn down(self) -> Self;
    fn up(self) -> Self;
    fn cut(self) -> Self;
    /// Halves go to the even neighbour.
    fn rounded(self) -> Self;
    fn negative(self) -> bool;
    fn with_sign_of(self, other: Self) -> Self;
    /// Of the vector (self, other).
    fn length(self, other: Self) -> Self;
    /// A function of one number that has no vector form.
    fn function(op: Unary) -> Option<fn(Self) -> Self>;
    /// A function of two numbers that has no vector form.
    fn function_of_two(op: Binary) -> Option<fn(Self, Self) -> Self>;
}

macro_rules! integer_number {
    ($($t:ident $absolute:ident $sign:ident),*) => {$(impl Number for $t {
        const ZERO: $t = 0;
        const ONE: $t = 1;
        #[inline(always)]
        fn plus(self, other: $t) -> $t { self.wrapping_add(other) }
        #[inline(always)]
        fn minus(self, other: $t) -> $t { self.wrapping_sub(other) }
        #[inline(always)]
        fn times(self, other: $t) -> $t { self.wrapping_mul(other) }
        #[inline(always)]
        fn negated(self) -> $t { self.wrapping_neg() }
        #[inline(always)]
        fn absolute(self) -> $t { integer_number!(@$absolute self) }
        #[inline(always)]
        fn sign(self) -> $t { integer_number!(@$sign self) }
        #[inline(always)]
        fn missing(self) -> bool { false }
    })*};
    (@wrapping $x:ident) => { $x.wrapping_abs() };
    (@itself $x:ident) => { $x };
    (@signum $x:ident) => { Self::from($x > 0) - Self::from($x < 0) };
    (@positive $x:ident) => { ($x != 0).into() };
}
integer_number!(
    i8 wrapping signum, i16 wrapping signum, i32 wrapping signum, i64 wrapping signum,
    u8 itself positive, u16 itself positive, u32 itself positive, u64 itself positive
);

#[allow(unused_comparisons)] // unsigned numbers share the text of signed ones
mod integers {
    use super::Integer;

    macro_rules! integer {
        ($($t:ident),*) => {$(impl Integer for $t {
            #[inline]
            fn floor_divide(self, by: $t) -> $t {
                if by == 0 {
                    return 0;
                }
                let (quotient, rest) = (self.wrapping_div(by), self.wrapping_rem(by));
                if rest != 0 && (rest < 0) != (by < 0) { quotient.wrapping_sub(1) } else { quotient }
            }
            #[inline]
            fn remainder(self, by: $t) -> $t {
                let rest = Integer::fmod(self, by);
                if rest != 0 && (rest < 0) != (by < 0) { rest.wrapping_add(by) } else { rest }
            }
            #[inline]
            fn fmod(self, by: $t) -> $t {
                if by == 0 { 0 } else { self.wrapping_rem(by) }
            }
            #[inline]
            fn power(self, exponent: $t) -> $t {
                if exponent < 0 {
                    let odd = exponent & 1 == 1;
                    return if self == 1 || (self.wrapping_add(1) == 0 && odd) {
                        self
                    } else {
                        <$t>::from(self.wrapping_add(1) == 0)
                    };
                }
                let (mut result, mut base, mut left) = (1, self, exponent);
                while left != 0 {
                    if left & 1 == 1 {
                        result = <$t>::wrapping_mul(result, base);
                    }
                    base = base.wrapping_mul(base);
                    left >>= 1;
                }
                result
            }
            #[inline(always)]
            fn shifted_left(self, by: $t) -> $t {
                if (0..<$t>::BITS as $t).contains(&by) { self.wrapping_shl(by as u32) } else { 0 }
            }
            #[inline(always)]
            fn shifted_right(self, by: $t) -> $t {
                if (0..<$t>::BITS as $t).contains(&by) {
                    self.wrapping_shr(by as u32)
                } else if self < 0 {
                    !0
                } else {
                    0
                }
            }
            #[inline]
            fn reciprocal(self) -> $t {
                if self == 0 { 0 } else { <$t>::wrapping_div(1, self) }
            }
            #[inline(always)]
            fn and(self, other: $t) -> $t { self & other }
            #[inline(always)]
            fn or(self, other: $t) -> $t { self | other }
            #[inline(always)]
            fn xor(self, other: $t) -> $t { self ^ other }
            #[inline(always)]
            fn inverted(self) -> $t { !self }
        })*};
    }
    integer!(i8, i16, i32, i64, u8, u16, u32, u64);
}

macro_rules! real {
    ($($t:ident $functions:ident $length:path: $asinh:ident $acosh:ident $atanh:ident),*) => {$(
        impl Number for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            #[inline(always)]
            fn plus(self, other: $t) -> $t { self + other }
            #[inline(always)]
            fn minus(self, other: $t) -> $t { self - other }
            #[inline(always)]
            fn times(self, other: $t) -> $t { self * other }
            #[inline(always)]
            fn negated(self) -> $t { -self }
            #[inline(always)]
            fn absolute(self) -> $t { self.abs() }
            #[inline(always)]
            fn sign(self) -> $t {
                let sign = if self > 0.0 { 1.0 } else { 0.0 };
                let sign = if self < 0.0 { -1.0 } else { sign };
                if self.is_nan() { self } else { sign }
            }
            #[inline(always)]
            fn missing(self) -> bool { self.is_nan() }
        }

        impl Real for $t {
            const DEGREES: $t = 180.0 / std::$t::consts::PI;
            const RADIANS: $t = std::$t::consts::PI / 180.0;
            const INFINITY: $t = <$t>::INFINITY;
            #[inline(always)]
            fn over(self, by: $t) -> $t { self / by }
            #[inline(always)]
            fn square_root(self) -> $t { self.sqrt() }
            #[inline(always)]
            fn down(self) -> $t { self.floor() }
            #[inline(always)]
            fn up(self) -> $t { self.ceil() }
            #[inline(always)]
            fn cut(self) -> $t { self.trunc() }
            #[inline(always)]
            fn rounded(self) -> $t { self.round_ties_even() }
            #[inline(always)]
            fn negative(self) -> bool { self.is_sign_negative() }
            #[inline(always)]
            fn with_sign_of(self, other: $t) -> $t { self.copysign(other) }

            #[inline(always)]
            fn length(self, other: $t) -> $t { $length(self, other) }

            fn function(op: Unary) -> Option<fn($t) -> $t> {
                Some(match op {
                    Unary::Cbrt => <$t>::cbrt,
                    Unary::Exp => <$t>::exp,
                    Unary::Exp2 => <$t>::exp2,
                    Unary::Expm1 => <$t>::exp_m1,
                    Unary::Log => <$t>::ln,
                    Unary::Log1p => <$t>::ln_1p,
                    Unary::Log2 => <$t>::log2,
                    Unary::Log10 => <$t>::log10,
                    Unary::Sin => <$t>::sin,
                    Unary::Cos => <$t>::cos,
                    Unary::Tan => <$t>::tan,
                    Unary::Asin => <$t>::asin,
                    Unary::Acos => <$t>::acos,
                    Unary::Atan => <$t>::atan,
                    Unary::Sinh => <$t>::sinh,
                    Unary::Cosh => <$t>::cosh,
                    Unary::Tanh => <$t>::tanh,
                    Unary::Asinh => |x| c::$asinh(x),
                    Unary::Acosh => |x| c::$acosh(x),
                    Unary::Atanh => |x| c::$atanh(x),
                    _ => return None,
                })
            }

            fn function_of_two(op: Binary) -> Option<fn($t, $t) -> $t> {
                Some(match op {
                    Binary::FloorDivide => |a, b| if b == 0.0 { a / b } else { $functions::divided(a, b).0 },
                    Binary::Remainder => |a, b| if b == 0.0 { a % b } else { $functions::divided(a, b).1 },
                    Binary::Fmod => |a, b| a % b,
                    Binary::Pow => <$t>::powf,
                    Binary::Atan2 => <$t>::atan2,
                    Binary::Nextafter => $functions::next,
                    Binary::Logaddexp => $functions::log_of_sum,
                    _ => return None,
                })
            }
        }

        mod $functions {
            /// Quotient rounded down and remainder with the divisor's sign: NumPy's `npy_divmod`, which is Python's.
            pub(super) fn divided(a: $t, b: $t) -> ($t, $t) {
                let mut rest = a % b;
                let mut quotient = (a - rest) / b;
                if rest == 0.0 {
                    rest = (0.0 as $t).copysign(b);
                } else if (b < 0.0) != (rest < 0.0) {
                    rest += b;
                    quotient -= 1.0;
                }
                if quotient == 0.0 {
                    return ((0.0 as $t).copysign(a / b), rest);
                }
                // a - rest is a multiple of b but for rounding: the nearest whole number is meant.
                let floor = quotient.floor();
                (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, rest)
            }

            pub(super) fn next(x: $t, towards: $t) -> $t {
                if x.is_nan() || towards.is_nan() {
                    x + towards
                } else if x == towards {
                    towards
                } else if x < towards {
                    x.next_up()
                } else {
                    x.next_down()
                }
            }

            /// ln(e^a + e^b), where e^a may be too large or too small to be a number.
            pub(super) fn log_of_sum(a: $t, b: $t) -> $t {
                if a == b {
                    return a + std::$t::consts::LN_2; // infinities as well
                }
                let above = a - b;
                if above > 0.0 {
                    a + (-above).exp().ln_1p()
                } else if above <= 0.0 {
                    b + above.exp().ln_1p()
                } else {
                    above
                }
            }
        }
    )*};
}
real!(f32 single length32: asinhf acoshf atanhf, f64 double f64::hypot: asinh acosh atanh);

/// In f64, where squares are exact and do not overflow, rounded once more: the C library's way, as a vector loop.
#[inline(always)]
fn length32(a: f32, b: f32) -> f32 {
    let (x, y) = (f64::from(a), f64::from(b));
    let length = (x * x + y * y).sqrt() as f32;
    if (a.abs() == f32::INFINITY) | (b.abs() == f32::INFINITY) { f32::INFINITY } else { length }
}

/// The C library's: the standard library's own formulae lose digits.
mod c {
    unsafe extern "C" {
        pub(super) safe fn asinh(x: f64) -> f64;
        pub(super) safe fn acosh(x: f64) -> f64;
        pub(super) safe fn atanh(x: f64) -> f64;
        pub(super) safe fn asinhf(x: f32) -> f32;
        pub(super) safe fn acoshf(x: f32) -> f32;
        pub(super) safe fn atanhf(x: f32) -> f32;
    }
}
