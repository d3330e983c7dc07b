//! The functions that the compiler turns into vector loops, each a type, so that each loop is compiled for it.

use super::{
    loops::{Function, Function2},
    number::{Integer, Number, Real},
};
use crate::dtype::Element;

macro_rules! functions {
    ($($Name:ident<$T:ident: $bound:ident>($x:ident) -> $Gives:ident = $body:expr;)*) => {$(
        pub(super) struct $Name;
        impl<$T: $bound> Function<$T> for $Name {
            type Gives = $Gives;
            #[inline(always)]
            fn of($x: $T) -> $Gives {
                $body
            }
        }
    )*};
}

macro_rules! functions_of_two {
    ($($Name:ident<$T:ident: $bound:ident>($a:ident, $b:ident) -> $Gives:ident = $body:expr;)*) => {$(
        pub(super) struct $Name;
        impl<$T: $bound> Function2<$T> for $Name {
            type Gives = $Gives;
            #[inline(always)]
            fn of($a: $T, $b: $T) -> $Gives {
                $body
            }
        }
    )*};
}

functions! {
    Negative<T: Number>(x) -> T = x.negated();
    Abs<T: Number>(x) -> T = x.absolute();
    Sign<T: Number>(x) -> T = x.sign();
    Square<T: Number>(x) -> T = x.times(x);
    Sqrt<T: Real>(x) -> T = x.square_root();
    Reciprocal<T: Real>(x) -> T = T::ONE.over(x);
    Floor<T: Real>(x) -> T = x.down();
    Ceil<T: Real>(x) -> T = x.up();
    Trunc<T: Real>(x) -> T = x.cut();
    Round<T: Real>(x) -> T = x.rounded();
    Degrees<T: Real>(x) -> T = x.times(T::DEGREES);
    Radians<T: Real>(x) -> T = x.times(T::RADIANS);
    IsNan<T: Number>(x) -> u8 = x.missing().into();
    IsInf<T: Real>(x) -> u8 = (x.absolute() == T::INFINITY).into();
    IsFinite<T: Real>(x) -> u8 = (x.absolute() < T::INFINITY).into();
    Signbit<T: Real>(x) -> u8 = x.negative().into();
    Below<T: Number>(x) -> u8 = (x < T::ZERO).into();
    LogicalNot<T: Number>(x) -> u8 = (x == T::ZERO).into();
    Invert<T: Integer>(x) -> T = x.inverted();
}

functions_of_two! {
    Add<T: Number>(a, b) -> T = a.plus(b);
    Subtract<T: Number>(a, b) -> T = a.minus(b);
    Multiply<T: Number>(a, b) -> T = a.times(b);
    Divide<T: Real>(a, b) -> T = a.over(b);
    Maximum<T: Number>(a, b) -> T = if a >= b || a.missing() { a } else { b };
    Minimum<T: Number>(a, b) -> T = if a <= b || a.missing() { a } else { b };
    Fmax<T: Number>(a, b) -> T = if a >= b || b.missing() { a } else { b };
    Fmin<T: Number>(a, b) -> T = if a <= b || b.missing() { a } else { b };
    Copysign<T: Real>(a, b) -> T = a.with_sign_of(b);
    Hypot<T: Real>(a, b) -> T = a.length(b);
    Heaviside<T: Real>(a, b) -> T = {
        let step = if a > T::ZERO { T::ONE } else { T::ZERO };
        let step = if a == T::ZERO { b } else { step };
        if a.missing() { a } else { step }
    };
    Less<T: Element>(a, b) -> u8 = (a < b).into();
    LessEqual<T: Element>(a, b) -> u8 = (a <= b).into();
    Equal<T: Element>(a, b) -> u8 = (a == b).into();
    NotEqual<T: Element>(a, b) -> u8 = (a != b).into();
    LogicalAnd<T: Number>(a, b) -> u8 = u8::from(a != T::ZERO) & u8::from(b != T::ZERO);
    LogicalOr<T: Number>(a, b) -> u8 = u8::from(a != T::ZERO) | u8::from(b != T::ZERO);
    LogicalXor<T: Number>(a, b) -> u8 = u8::from(a != T::ZERO) ^ u8::from(b != T::ZERO);
    BitwiseAnd<T: Integer>(a, b) -> T = a.and(b);
    BitwiseOr<T: Integer>(a, b) -> T = a.or(b);
    BitwiseXor<T: Integer>(a, b) -> T = a.xor(b);
    ShiftLeft<T: Integer>(a, b) -> T = a.shifted_left(b);
    ShiftRight<T: Integer>(a, b) -> T = a.shifted_right(b);
}
