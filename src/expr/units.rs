//! Units of what is computed from one or two arrays.
//!
//! Where operands say units that are known, products, quotients, powers and roots have theirs. Nothing is converted in
//! silence: a sum of hPa and Pa has no units, and a note says so. A bare number in a product may be a conversion (`precipitation * 86400`),
//! so that units are lost there; in a sum it counts as one of the array's own values. Units with a zero of their own, as
//! degC, have no products, but their differences do.

use super::value::{Quantity, Val};
use crate::{
    attrs::Attrs,
    cf::{
        measure::{self, Unit},
        time,
    },
    dtype::{DType, Scalar},
    kernels::elementwise::{Binary, Unary},
};

/// The unit of a function of one array, where it is one of its own.
pub(super) fn of_unary(op: Unary, x: &Quantity) -> Option<String> {
    let unit = || measured(x);
    let out = match op {
        Unary::Sqrt => unit()?.root(2)?,
        Unary::Cbrt => unit()?.root(3)?,
        Unary::Square => unit()?.power(2).ok()?,
        Unary::Reciprocal => unit()?.power(-1).ok()?,
        Unary::Asin | Unary::Acos | Unary::Atan | Unary::Radians => return Some("radian".into()),
        Unary::Degrees => return Some("degree".into()),
        Unary::Sin | Unary::Cos | Unary::Tan | Unary::Exp => Unit::one(),
        _ => return None,
    };
    Some(out.to_string())
}

/// The unit of a function of two values, where it is one of its own.
pub(super) fn of_binary(op: Binary, x: &Val, y: &Val) -> Option<String> {
    let out = match (op, x, y) {
        (Binary::Multiply, Val::Array(x), Val::Array(y)) => return of_product(x, y),
        (Binary::Divide, Val::Array(x), Val::Array(y)) => measured(x)?.divide(&measured(y)?).ok()?,
        (Binary::Divide, Val::Number(one), Val::Array(y)) if one.to_f64() == 1.0 => measured(y)?.power(-1).ok()?,
        (Binary::Pow, Val::Array(x), Val::Number(n)) => power(&measured(x)?, *n)?,
        (Binary::Atan2, ..) => return Some("radian".into()),
        _ => return None,
    };
    Some(out.to_string())
}

/// The unit of a product, or of a sum of products.
pub(super) fn of_product(x: &Quantity, y: &Quantity) -> Option<String> {
    Some(measured(x)?.multiply(&measured(y)?).ok()?.to_string())
}

/// The unit of a product of deviations, which know no zero: a covariance of degC and m is in `degC m`.
pub(super) fn of_deviations(x: &Attrs, y: &Attrs) -> Option<String> {
    Some(deviation(x)?.multiply(&deviation(y)?).ok()?.to_string())
}

/// The unit of a change of values with others; with a time it is that of a span: `K day-1`.
pub(super) fn of_change(x: &Attrs, with: &Attrs) -> Option<String> {
    let with = match with.text("units")?.split_once(" since ") {
        Some((span, _)) => {
            Unit::parse(time::Unit::named(span).map_or(span, |u| u.name().trim_end_matches('s'))).ok()?
        }
        None => deviation(with)?,
    };
    Some(deviation(x)?.divide(&with).ok()?.to_string())
}

/// The unit of differences from a mean; those of times are not said.
fn deviation(attrs: &Attrs) -> Option<Unit> {
    measure::of(attrs).filter(|unit| unit.reference().is_none()).map(|unit| unit.span())
}

/// The units of two arrays that measure the same in different ways, so that numbers of one are not those of the other.
pub(super) fn differing<'a>(a: &'a Attrs, b: &'a Attrs) -> Option<[&'a str; 2]> {
    let (x, y) = (measure::of(a)?, measure::of(b)?);
    // A deviation from a temperature has no zero, and goes with any scale of that step.
    let (x, y) = match measure::is_difference(a) || measure::is_difference(b) {
        true => (x.span(), y.span()),
        false => (x, y),
    };
    let is_other = !x.conversion_to(&y).ok()?.is_identity();
    is_other.then_some([a.text("units")?.trim(), b.text("units")?.trim()])
}

/// Whether two values have to be in the same units.
pub(super) fn is_of_a_kind(op: Binary) -> bool {
    use Binary::*;
    matches!(
        op,
        Add | Subtract
            | Hypot
            | Maximum
            | Minimum
            | Fmax
            | Fmin
            | Remainder
            | Fmod
            | Less
            | LessEqual
            | Greater
            | GreaterEqual
            | Equal
            | NotEqual
    )
}

/// Puts a unit of its own on a result.
pub(super) fn say(attrs: &mut Attrs, unit: Option<String>) {
    if let Some(unit) = unit {
        attrs.set("units", unit);
    }
}

/// The unit that products are made with; truth values are numbers.
fn measured(x: &Quantity) -> Option<Unit> {
    if x.array.dtype() == DType::Bool {
        return Some(Unit::one());
    }
    measure::of(&x.attrs).filter(|unit| unit.reference().is_none() && !unit.has_offset())
}

/// A whole power, or a root.
fn power(unit: &Unit, exponent: Scalar) -> Option<Unit> {
    let n = exponent.to_f64();
    let whole = |n: f64| (n.fract() == 0.0 && n.abs() < 100.0).then_some(n as i32);
    if let Some(n) = whole(n) {
        return unit.power(n).ok();
    }
    let (twice, thrice) = (whole(n * 2.0), whole(n * 3.0));
    match (twice, thrice) {
        (Some(n), _) => unit.power(n).ok()?.root(2),
        (None, Some(n)) => unit.power(n).ok()?.root(3),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrs::texts;

    #[test]
    fn changes_and_deviations_have_the_units_of_quotients_and_products() {
        let said = |units| texts(&[("units", units)]);
        let over = |a, b| of_change(&said(a), &said(b));
        let over_known = |a, b| over(a, b).unwrap();
        assert_eq!(over_known("K", "days since 1990-01-01"), "K day-1");
        assert_eq!(over_known("degC", "hours since 1990-01-01"), "degC hour-1");
        assert_eq!([over_known("K", "1"), over_known("K", "K"), over_known("", "Pa")], ["K", "1", "Pa-1"]);
        assert_eq!(over_known("K", "m s-1"), "K m-1 s");
        assert_eq!([over("days since 1990-01-01", "K"), over("what", "K"), over("K", "what")], [None, None, None]);
        let times = |a, b| of_deviations(&said(a), &said(b));
        assert_eq!(times("m", "s-1").unwrap(), "m s-1");
        assert_eq!(["m2", "m s-1"].map(|u| times(u, u).unwrap()), ["m4", "m2 s-2"]);
        assert_eq!(times("K", "days since 1990-01-01"), None);
    }
}
