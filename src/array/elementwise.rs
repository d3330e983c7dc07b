//! Functions of each element, and the operators.
//!
//! Operators (`&a + &b`, `a * 2.0`, `-a`) panic where shapes or types do not go together, as `ndarray`'s do; the
//! methods (`a.add(&b)?`) say so in an error. Types are promoted as NumPy 2 does it: numbers in the program take the
//! type of the array that they meet.

use super::{LazyArray, Operation, broadcast};
use crate::{
    dtype::{DType, Scalar},
    error::{Error, Result},
    kernels::elementwise::{Binary, Lookup, Unary},
};
use std::{ops, sync::Arc};

/// One function of each element.
#[derive(Debug, Clone, PartialEq)]
pub enum MapOp {
    /// Of one array.
    Unary(Unary),
    /// Of two.
    Binary(Binary),
    /// The second input where the first is true, else the third.
    Where,
    /// The same number in another type.
    Cast,
    /// Whether, or where, it stands in a sorted table of its type.
    Lookup {
        /// What is asked.
        how: Lookup,
        /// The table's native bytes.
        table: Arc<[u8]>,
    },
}

impl MapOp {
    /// NumPy's name.
    pub fn name(&self) -> &'static str {
        match self {
            MapOp::Unary(op) => op.name(),
            MapOp::Binary(op) => op.name(),
            MapOp::Where => "where",
            MapOp::Cast => "astype",
            MapOp::Lookup { how: Lookup::IsIn | Lookup::NotIn, .. } => "isin",
            MapOp::Lookup { .. } => "searchsorted",
        }
    }
}

impl LazyArray {
    /// A function of the elements of arrays at one place; they are broadcast together.
    pub(super) fn map(op: MapOp, inputs: &[LazyArray], dtype: DType) -> Result<LazyArray> {
        let together = broadcast::broadcast(inputs)?;
        let operation = Operation::Map { op, inputs: together.arrays };
        Ok(LazyArray::from_parts(operation, dtype, together.shape, together.dims, together.chunk))
    }

    /// The same values in another type. Floats are cut to integers towards zero, and saturate.
    pub fn astype(&self, dtype: DType) -> LazyArray {
        if self.dtype() == dtype {
            return self.clone();
        }
        if let Some(value) = self.as_scalar().filter(|_| self.ndim() == 0) {
            return LazyArray::scalar_of(value, dtype);
        }
        self.like(Operation::Map { op: MapOp::Cast, inputs: vec![self.clone()] }, dtype)
    }

    /// A function of each element.
    ///
    /// # Errors
    /// When the type has no such function, as the bits of a float.
    pub fn unary(&self, op: Unary) -> Result<LazyArray> {
        let signature = op.signature(self.dtype())?;
        let input = self.astype(signature.computes);
        Ok(self.like(Operation::Map { op: MapOp::Unary(op), inputs: vec![input] }, signature.gives))
    }

    /// A function of the elements of two arrays at one place.
    ///
    /// # Errors
    /// When the shapes do not go together, or the types have no such function.
    pub fn binary(&self, op: Binary, other: &LazyArray) -> Result<LazyArray> {
        let signature = op.signature(self.dtype(), other.dtype())?;
        let inputs = [self.astype(signature.computes), other.astype(signature.computes)];
        LazyArray::map(MapOp::Binary(op), &inputs, signature.gives)
    }

    /// As [`binary`](LazyArray::binary) with a number, which takes this array's type where that can hold it.
    ///
    /// # Errors
    /// When the type has no such function, or a whole number does not fit it.
    pub fn binary_scalar(&self, op: Binary, number: impl Into<Scalar>) -> Result<LazyArray> {
        let number = number.into();
        let signature = op.signature_scalar(self.dtype(), number)?;
        let inputs = [self.astype(signature.computes), LazyArray::scalar_of(number, signature.computes)];
        LazyArray::map(MapOp::Binary(op), &inputs, signature.gives)
    }

    /// As [`binary_scalar`](LazyArray::binary_scalar), the number first: `1 / x`.
    ///
    /// # Errors
    /// As there.
    pub fn scalar_binary(number: impl Into<Scalar>, op: Binary, array: &LazyArray) -> Result<LazyArray> {
        let number = number.into();
        let signature = op.signature_scalar(array.dtype(), number)?;
        let inputs = [LazyArray::scalar_of(number, signature.computes), array.astype(signature.computes)];
        LazyArray::map(MapOp::Binary(op), &inputs, signature.gives)
    }

    /// `a` where `condition` is true, else `b` (`where` in NumPy).
    ///
    /// # Errors
    /// When the shapes do not go together.
    pub fn select(condition: &LazyArray, a: &LazyArray, b: &LazyArray) -> Result<LazyArray> {
        let dtype = a.dtype().promote(b.dtype());
        let inputs = [condition.astype(DType::Bool), a.astype(dtype), b.astype(dtype)];
        LazyArray::map(MapOp::Where, &inputs, dtype)
    }

    /// The values where `condition` is true, else `other`.
    ///
    /// # Errors
    /// When the shapes do not go together, or the type cannot hold `other`.
    pub fn where_else(&self, condition: &LazyArray, other: impl Into<Scalar>) -> Result<LazyArray> {
        let other = other.into();
        LazyArray::select(condition, self, &LazyArray::scalar_of(other, self.dtype().promote_scalar(other)?))
    }

    /// The values where they lie between the ends, else the nearer end. NaN stays.
    ///
    /// # Errors
    /// When the type cannot hold an end.
    pub fn clip(&self, low: impl Into<Scalar>, high: impl Into<Scalar>) -> Result<LazyArray> {
        self.binary_scalar(Binary::Maximum, low)?.binary_scalar(Binary::Minimum, high)
    }

    /// Whether each value is among `values`.
    ///
    /// # Errors
    /// When the type cannot hold one of them.
    pub fn isin(&self, values: &[Scalar]) -> Result<LazyArray> {
        let dtype = values.iter().try_fold(self.dtype(), |d, &s| d.promote_scalar(s))?;
        self.astype(dtype).looked_up(Lookup::IsIn, values, DType::Bool)
    }

    /// Where each value would stand in `sorted`: before equal ones, or after them with [`Lookup::SearchRight`].
    ///
    /// # Errors
    /// When `sorted` is not, or the type cannot hold one of its values.
    pub fn searchsorted(&self, sorted: &[Scalar], side: Lookup) -> Result<LazyArray> {
        if sorted.windows(2).any(|w| w[0].to_f64() > w[1].to_f64()) {
            return Err(Error::usage("searchsorted takes values in ascending order"));
        }
        let dtype = sorted.iter().try_fold(self.dtype(), |d, &s| d.promote_scalar(s))?;
        self.astype(dtype).looked_up(side, sorted, DType::I64)
    }

    fn looked_up(&self, how: Lookup, values: &[Scalar], gives: DType) -> Result<LazyArray> {
        let mut values = values.to_vec();
        values.sort_by(|a, b| a.to_f64().total_cmp(&b.to_f64()));
        let size = self.dtype().size();
        let table: Vec<u8> = values.iter().flat_map(|v| v.bytes(self.dtype())[..size].to_vec()).collect();
        let op = MapOp::Lookup { how, table: table.into() };
        Ok(self.like(Operation::Map { op, inputs: vec![self.clone()] }, gives))
    }

    /// The one value that it has everywhere, where its form says so.
    pub(crate) fn as_scalar(&self) -> Option<Scalar> {
        match self.operation() {
            Operation::Create(super::Creation::Full(bytes)) => Some(Scalar::of_bytes(*bytes, self.dtype())),
            _ => None,
        }
    }
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $name:ident $op:ident;)*) => {
        impl LazyArray {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// When the type has no such function.
            pub fn $name(&self) -> Result<LazyArray> {
                self.unary(Unary::$op)
            }
        )*}
    };
}
unary_methods! {
    /// The absolute value.
    abs Abs;
    /// -1, 0 or 1; NaN for NaN.
    sign Sign;
    /// The square root.
    sqrt Sqrt;
    /// The square.
    square Square;
    /// The cube root.
    cbrt Cbrt;
    /// One divided by it.
    reciprocal Reciprocal;
    /// e to its power.
    exp Exp;
    /// 2 to its power.
    exp2 Exp2;
    /// `exp(x) - 1`, exact near 0.
    expm1 Expm1;
    /// The natural logarithm.
    log Log;
    /// `log(1 + x)`, exact near 0.
    log1p Log1p;
    /// The logarithm to base 2.
    log2 Log2;
    /// The logarithm to base 10.
    log10 Log10;
    /// The sine, of radians.
    sin Sin;
    /// The cosine, of radians.
    cos Cos;
    /// The tangent, of radians.
    tan Tan;
    /// The inverse sine, in radians.
    asin Asin;
    /// The inverse cosine, in radians.
    acos Acos;
    /// The inverse tangent, in radians.
    atan Atan;
    /// The hyperbolic sine.
    sinh Sinh;
    /// The hyperbolic cosine.
    cosh Cosh;
    /// The hyperbolic tangent.
    tanh Tanh;
    /// The inverse hyperbolic sine.
    asinh Asinh;
    /// The inverse hyperbolic cosine.
    acosh Acosh;
    /// The inverse hyperbolic tangent.
    atanh Atanh;
    /// The largest whole number that is not larger.
    floor Floor;
    /// The smallest whole number that is not smaller.
    ceil Ceil;
    /// The whole number next to it towards zero.
    trunc Trunc;
    /// The nearest whole number, the even one of two.
    round Round;
    /// Whether it is NaN.
    isnan IsNan;
    /// Whether it is an infinity.
    isinf IsInf;
    /// Whether it is neither NaN nor an infinity.
    isfinite IsFinite;
    /// Whether its sign is set, of -0.0 and NaN too.
    signbit Signbit;
    /// Whether it is zero.
    logical_not LogicalNot;
    /// Every bit turned.
    bitwise_invert BitwiseInvert;
    /// Radians in degrees.
    degrees Degrees;
    /// Degrees in radians.
    radians Radians;
    /// With the other sign.
    negative Negative;
}

macro_rules! binary_methods {
    ($($(#[$doc:meta])* $name:ident $op:ident;)*) => {
        impl LazyArray {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// When the shapes do not go together, or the types have no such function.
            pub fn $name(&self, other: &LazyArray) -> Result<LazyArray> {
                self.binary(Binary::$op, other)
            }
        )*}
    };
}
binary_methods! {
    /// The sum. Integers wrap.
    add Add;
    /// The difference. Integers wrap.
    subtract Subtract;
    /// The product. Integers wrap.
    multiply Multiply;
    /// The quotient as a float.
    divide Divide;
    /// The quotient rounded down; 0 for integers divided by 0.
    floor_divide FloorDivide;
    /// What floor division leaves, with the divisor's sign.
    remainder Remainder;
    /// What division towards zero leaves, with the dividend's sign.
    fmod Fmod;
    /// To the power of the other.
    pow Pow;
    /// The angle of the point (other, self), in radians.
    atan2 Atan2;
    /// The length of the vector of both.
    hypot Hypot;
    /// The larger; NaN where either is.
    maximum Maximum;
    /// The smaller; NaN where either is.
    minimum Minimum;
    /// The larger; the other where one is NaN.
    fmax Fmax;
    /// The smaller; the other where one is NaN.
    fmin Fmin;
    /// With the sign of the other.
    copysign Copysign;
    /// The next float towards the other.
    nextafter Nextafter;
    /// `log(exp(a) + exp(b))` without overflow.
    logaddexp Logaddexp;
    /// Whether it is less.
    less Less;
    /// Whether it is less or equal.
    less_equal LessEqual;
    /// Whether it is greater.
    greater Greater;
    /// Whether it is greater or equal.
    greater_equal GreaterEqual;
    /// Whether both are equal; NaN never is.
    equal Equal;
    /// Whether they differ; NaN always does.
    not_equal NotEqual;
    /// Whether both are not zero.
    logical_and LogicalAnd;
    /// Whether one of them is not zero.
    logical_or LogicalOr;
    /// Whether just one of them is not zero.
    logical_xor LogicalXor;
    /// The bits that both have.
    bitwise_and BitwiseAnd;
    /// The bits that either has.
    bitwise_or BitwiseOr;
    /// The bits that just one has.
    bitwise_xor BitwiseXor;
    /// The bits moved up.
    bitwise_left_shift BitwiseLeftShift;
    /// The bits moved down.
    bitwise_right_shift BitwiseRightShift;
}

impl LazyArray {
    /// The sum with a number.
    ///
    /// # Errors
    /// When a whole number does not fit the type.
    pub fn add_scalar(&self, number: impl Into<Scalar>) -> Result<LazyArray> {
        self.binary_scalar(Binary::Add, number)
    }

    /// To the power of a number.
    ///
    /// # Errors
    /// When a whole number does not fit the type.
    pub fn pow_scalar(&self, number: impl Into<Scalar>) -> Result<LazyArray> {
        self.binary_scalar(Binary::Pow, number)
    }
}

/// An operator on arrays cannot give an error, so it panics with the error's words.
fn must(result: Result<LazyArray>) -> LazyArray {
    result.unwrap_or_else(|e| panic!("{e}"))
}

macro_rules! operators {
    ($($Trait:ident $method:ident $op:ident;)*) => {$(
        impl ops::$Trait<&LazyArray> for &LazyArray {
            type Output = LazyArray;
            #[track_caller]
            fn $method(self, other: &LazyArray) -> LazyArray {
                must(self.binary(Binary::$op, other))
            }
        }
        impl ops::$Trait<LazyArray> for &LazyArray {
            type Output = LazyArray;
            #[track_caller]
            fn $method(self, other: LazyArray) -> LazyArray {
                must(self.binary(Binary::$op, &other))
            }
        }
        impl ops::$Trait<&LazyArray> for LazyArray {
            type Output = LazyArray;
            #[track_caller]
            fn $method(self, other: &LazyArray) -> LazyArray {
                must(self.binary(Binary::$op, other))
            }
        }
        impl ops::$Trait<LazyArray> for LazyArray {
            type Output = LazyArray;
            #[track_caller]
            fn $method(self, other: LazyArray) -> LazyArray {
                must(self.binary(Binary::$op, &other))
            }
        }
        operators!(@number $Trait $method $op: f64 i64 i32);
    )*};
    (@number $Trait:ident $method:ident $op:ident: $($number:ty)*) => {$(
        impl ops::$Trait<$number> for &LazyArray {
            type Output = LazyArray;
            #[track_caller]
            fn $method(self, number: $number) -> LazyArray {
                must(self.binary_scalar(Binary::$op, number))
            }
        }
        impl ops::$Trait<$number> for LazyArray {
            type Output = LazyArray;
            #[track_caller]
            fn $method(self, number: $number) -> LazyArray {
                must(self.binary_scalar(Binary::$op, number))
            }
        }
        impl ops::$Trait<&LazyArray> for $number {
            type Output = LazyArray;
            #[track_caller]
            fn $method(self, array: &LazyArray) -> LazyArray {
                must(LazyArray::scalar_binary(self, Binary::$op, array))
            }
        }
        impl ops::$Trait<LazyArray> for $number {
            type Output = LazyArray;
            #[track_caller]
            fn $method(self, array: LazyArray) -> LazyArray {
                must(LazyArray::scalar_binary(self, Binary::$op, &array))
            }
        }
    )*};
}
operators! {
    Add add Add;
    Sub sub Subtract;
    Mul mul Multiply;
    Div div Divide;
    Rem rem Remainder;
    BitAnd bitand BitwiseAnd;
    BitOr bitor BitwiseOr;
    BitXor bitxor BitwiseXor;
}

impl ops::Neg for &LazyArray {
    type Output = LazyArray;
    #[track_caller]
    fn neg(self) -> LazyArray {
        must(self.negative())
    }
}

impl ops::Neg for LazyArray {
    type Output = LazyArray;
    #[track_caller]
    fn neg(self) -> LazyArray {
        must(self.negative())
    }
}

impl ops::Not for &LazyArray {
    type Output = LazyArray;
    #[track_caller]
    fn not(self) -> LazyArray {
        must(self.bitwise_invert())
    }
}
