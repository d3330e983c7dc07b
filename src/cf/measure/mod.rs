//! Units of measure: a subset of UDUNITS-2, as climate files write them.
//!
//! Radians and counts are numbers, as in UDUNITS: an angle can be converted to `1`. What differs from UDUNITS: `mb` and
//! `Sv` are refused (it reads millibarn and sievert), an exponent stands next to its unit (`m s -1` is an error), and
//! `psu`, `gpm` and `unitless` are known. Logarithmic units, as `dBZ`, are not.

mod conversion;
#[cfg(test)]
mod golden;
mod parse;
mod ratio;
mod said;
mod table;
mod water;

pub use conversion::Conversion;
pub use said::{between, difference, is_difference, of, same};
pub use water::conversion;

use crate::error::{Error, Problem, Result};
use ratio::Ratio;
use std::fmt;

/// The base units, in the order of [`Base`].
const BASE: [&str; 7] = ["m", "kg", "s", "A", "K", "mol", "cd"];

/// The exponents of the base units.
type Base = [i32; 7];

/// No exponent is larger.
const EXPONENT_MAX: i32 = 99;

const OUT_OF_RANGE: &str = "its power or product is out of range";

/// A unit of measure: how it is written, and what that is in base units.
///
/// # Example
/// ```
/// use aosx::cf::measure::Unit;
/// let (celsius, kelvin) = (Unit::parse("degC")?, Unit::parse("K")?);
/// assert_eq!(celsius.conversion_to(&kelvin)?.apply(0.0), 273.15);
/// let rate = Unit::parse("kg/m2")?.divide(&Unit::parse("day")?)?;
/// assert_eq!(rate.to_string(), "kg m-2 day-1");
/// # Ok::<(), aosx::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The number before the names.
    number: Ratio,
    /// Names with their exponents, as they are written.
    terms: Vec<(String, i32)>,
    /// What is written behind `@`.
    shift: Ratio,
    /// One of it in base units.
    scale: Ratio,
    base: Base,
    /// What is added to a value before it is scaled: 273.15 for `degC`.
    zero: Ratio,
    /// The instant that times are counted from.
    reference: Option<String>,
}

impl Unit {
    /// Reads a unit: `K`, `m s-1`, `kg/m2`, `0.01 m`, `days since 1990-01-01`. Nothing is a number.
    ///
    /// # Errors
    /// When a name is unknown, or the text is no unit.
    pub fn parse(text: &str) -> Result<Unit> {
        parse::unit(text).map_err(|detail| Problem::Units { units: text.to_string(), detail }.into())
    }

    /// The unit of numbers.
    pub fn one() -> Unit {
        Unit {
            number: Ratio::ONE,
            terms: Vec::new(),
            shift: Ratio::ZERO,
            scale: Ratio::ONE,
            base: [0; 7],
            zero: Ratio::ZERO,
            reference: None,
        }
    }

    /// How values in this unit become values in another.
    ///
    /// # Errors
    /// When dimensions differ, or one counts from an instant.
    pub fn conversion_to(&self, other: &Unit) -> Result<Conversion> {
        let refused = |detail: String| -> Error {
            Problem::Inconvertible { from: self.to_string(), to: other.to_string(), detail }.into()
        };
        if self.reference.is_some() || other.reference.is_some() {
            return Err(refused("times that are counted from an instant stay as they are".into()));
        }
        if self.base != other.base {
            return Err(refused(format!("{} is no {}", dimension(&self.base), dimension(&other.base))));
        }
        let ratio = self.scale.over(other.scale);
        let offset = self.zero.times(ratio).minus(other.zero);
        let conversion = Conversion { factor: ratio.value(), offset: offset.value() };
        if !conversion.factor.is_normal() || !conversion.offset.is_finite() {
            return Err(refused("the factor is out of range".into()));
        }
        Ok(conversion)
    }

    /// Whether both measure the same in the same way, however they are written.
    pub fn is_same(&self, other: &Unit) -> bool {
        self.base == other.base
            && self.scale.value() == other.scale.value()
            && self.zero.value() == other.zero.value()
            && self.reference == other.reference
    }

    /// Whether its zero is not that of the base units: `degC`.
    pub fn has_offset(&self) -> bool {
        self.zero.value() != 0.0
    }

    /// Whether it measures temperatures.
    pub fn is_temperature(&self) -> bool {
        self.base == [0, 0, 0, 0, 1, 0, 0]
    }

    /// What times are counted from, where it is a unit of that kind: `1990-01-01`.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// What is left without the instant or the number that it is counted from: the unit of a difference.
    pub fn span(&self) -> Unit {
        Unit { reference: None, shift: Ratio::ZERO, zero: Ratio::ZERO, ..self.clone() }
    }

    /// The product of two units. A zero of their own is lost.
    ///
    /// # Errors
    /// When exponents are beyond 99, or the factor is no number any more.
    pub fn multiply(&self, other: &Unit) -> Result<Unit> {
        self.join(other, 1)
    }

    /// The quotient of two units.
    ///
    /// # Errors
    /// As [`multiply`](Unit::multiply).
    pub fn divide(&self, other: &Unit) -> Result<Unit> {
        self.join(other, -1)
    }

    /// The unit to a power.
    ///
    /// # Errors
    /// As [`multiply`](Unit::multiply).
    pub fn power(&self, exponent: i32) -> Result<Unit> {
        if exponent == 1 {
            return Ok(self.clone());
        }
        let mut out = self.span();
        out.number = self.number.power(exponent);
        out.scale = self.scale.power(exponent);
        out.terms.iter_mut().for_each(|(_, n)| *n = n.saturating_mul(exponent));
        out.terms.retain(|(_, n)| *n != 0);
        out.base.iter_mut().for_each(|n| *n = n.saturating_mul(exponent));
        self.checked(out)
    }

    /// The `n`th root, where it is a unit: that of `m2 s-2` is `m s-1`, and `K` has none.
    pub fn root(&self, n: u32) -> Option<Unit> {
        let n = i32::try_from(n).ok().filter(|n| *n > 0)?;
        let halves = |k: &i32| k % n == 0;
        if n == 1 || !self.base.iter().all(halves) {
            return (n == 1).then(|| self.clone());
        }
        let base = self.base.map(|k| k / n);
        let span = Unit { base, ..self.span() };
        if self.number == Ratio::ONE && self.terms.iter().all(|(_, k)| halves(k)) {
            let terms: Vec<_> = self.terms.iter().map(|(name, k)| (name.clone(), k / n)).collect();
            // What the names mean; a root of the factor would be less exact.
            return Unit::parse(&Unit { terms, ..span }.to_string()).ok();
        }
        let is_plain = self.scale.value() == 1.0;
        is_plain.then(|| Unit { number: Ratio::ONE, terms: base_terms(&base), scale: Ratio::ONE, ..span })
    }

    /// The unit with another, to the power `sign`, beside it.
    fn join(&self, other: &Unit, sign: i32) -> Result<Unit> {
        if *other == Unit::one() {
            return Ok(self.clone());
        }
        let mut out = self.span();
        out.number = self.number.times(other.number.power(sign));
        out.scale = self.scale.times(other.scale.power(sign));
        for (name, n) in &other.terms {
            match out.terms.iter_mut().find(|(own, _)| own == name) {
                Some((_, own)) => *own = own.saturating_add(n.saturating_mul(sign)),
                None => out.terms.push((name.clone(), n.saturating_mul(sign))),
            }
        }
        out.terms.retain(|(_, n)| *n != 0);
        for (own, n) in out.base.iter_mut().zip(other.base) {
            *own = own.saturating_add(n.saturating_mul(sign));
        }
        self.checked(out)
    }

    fn checked(&self, out: Unit) -> Result<Unit> {
        let small = |n: &i32| n.abs() <= EXPONENT_MAX;
        let fits = out.terms.iter().all(|(_, n)| small(n)) && out.base.iter().all(small);
        if fits && out.scale.value().is_normal() && out.number.value().is_normal() {
            return Ok(out);
        }
        let detail = OUT_OF_RANGE.to_string();
        Err(Problem::Units { units: self.to_string(), detail }.into())
    }
}

impl fmt::Display for Unit {
    /// As the conventions write units: `kg m-2 s-1`, `1e-6 m`, `K @ 273.15`, `1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        let number = self.number.value();
        if number != 1.0 || self.terms.is_empty() {
            words.push(match number.abs() {
                1e-4..1e6 => number.to_string(),
                _ => format!("{number:e}"),
            });
        }
        let power = |(name, n): &(String, i32)| if *n == 1 { name.clone() } else { format!("{name}{n}") };
        words.extend(self.terms.iter().map(power));
        f.write_str(&words.join(" "))?;
        if self.shift.value() != 0.0 {
            write!(f, " @ {}", self.shift.value())?;
        }
        self.reference.as_ref().map_or(Ok(()), |since| write!(f, " since {since}"))
    }
}

fn base_terms(base: &Base) -> Vec<(String, i32)> {
    let used = BASE.iter().zip(base).filter(|(_, n)| **n != 0);
    used.map(|(name, n)| (name.to_string(), *n)).collect()
}

/// A dimension by its base units, or in a word.
fn dimension(base: &Base) -> String {
    match base_terms(base).as_slice() {
        [] => "plain number".into(),
        terms => Unit { terms: terms.to_vec(), ..Unit::one() }.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(text: &str) -> Unit {
        Unit::parse(text).unwrap()
    }

    #[test]
    fn units_combine_in_the_form_of_the_conventions() {
        let shown = |u: Result<Unit>| u.unwrap().to_string();
        assert_eq!(shown(unit("K").power(2)), "K2");
        assert_eq!(shown(unit("m/s").power(2)), "m2 s-2");
        assert_eq!(shown(unit("mm/day").multiply(&unit("day"))), "mm");
        assert_eq!(shown(unit("kg").divide(&unit("kg"))), "1");
        assert_eq!(shown(unit("kg m-3").multiply(&unit("m s-1"))), "kg m-2 s-1");
        assert_eq!(shown(unit("1e-6 m").power(-1)), "1e6 m-1");
        assert_eq!(shown(unit("days since 1990-01-01").multiply(&Unit::one())), "days since 1990-01-01");
        assert_eq!(unit("K @ 273.15").to_string(), "K @ 273.15");
        let root = |text: &str| unit(text).root(2).map(|u| u.to_string());
        assert_eq!(root("m2 s-2").as_deref(), Some("m s-1"));
        assert_eq!(root("J kg-1").as_deref(), Some("m s-1"));
        assert_eq!(root("hPa2").as_deref(), Some("hPa"));
        assert_eq!(unit("hPa2").root(2).unwrap(), unit("hPa"));
        assert_eq!(root("1").as_deref(), Some("1"));
        assert_eq!((root("K"), root("km m"), root("4 m2")), (None, None, None));
        assert!(unit("m99").multiply(&unit("m")).is_err());
        assert!(unit("Ym9").power(9).and_then(|u| u.power(1)).is_err());
    }

    #[test]
    fn a_power_of_an_offset_unit_has_none() {
        let square = unit("degC").power(2).unwrap();
        assert!(!square.has_offset() && unit("degC").has_offset());
        assert_eq!(square.conversion_to(&unit("K2")).unwrap(), Conversion { factor: 1.0, offset: 0.0 });
        assert_eq!(unit(&square.to_string()), square);
        assert_eq!(unit("degC").span().conversion_to(&unit("K")).unwrap().offset, 0.0);
    }

    #[test]
    fn what_cannot_be_converted_names_both() {
        let says = |a: &str, b: &str| unit(a).conversion_to(&unit(b)).unwrap_err().to_string();
        assert_eq!(says("K", "m s-1"), "'K' cannot be converted to 'm s-1': K is no m s-1");
        assert_eq!(says("hPa", "1"), "'hPa' cannot be converted to '1': m-1 kg s-2 is no plain number");
        assert!(says("days since 1990-01-01", "hours").contains("stay as they are"));
        let says = |text: &str| Unit::parse(text).unwrap_err().to_string();
        assert_eq!(says("m foo"), "units 'm foo': no unit 'foo'");
        assert!(says("dBZ").contains("logarithm"));
        assert!(says("mb").contains("mbar") && says("Sv").contains("sverdrup"));
        assert!(says("m s -1").contains("s-1"));
    }

    const ANY: [&str; 14] =
        ["K", "degC", "degF", "m", "mm", "inch", "hPa", "mmHg", "knot", "W m-2", "mm/day", "g/kg", "percent", "degree"];

    proptest! {
        /// There and back is the same to the last bits, on the scale of what is added.
        #[test]
        fn conversions_have_inverses(a in 0..ANY.len(), b in 0..ANY.len(), x in -1e6..1e6f64) {
            let (a, b) = (unit(ANY[a]), unit(ANY[b]));
            if let Ok(there) = a.conversion_to(&b) {
                let back = b.conversion_to(&a).unwrap();
                let largest = x.abs().max((there.offset / there.factor).abs());
                prop_assert!((back.apply(there.apply(x)) - x).abs() <= 4.0 * f64::EPSILON * largest);
                prop_assert!((there.factor * back.factor - 1.0).abs() <= f64::EPSILON);
            }
        }

        /// What is printed is read again as the same.
        #[test]
        fn units_are_read_as_they_are_printed(a in 0..ANY.len(), b in 0..ANY.len(), n in -3..4i32) {
            let unit = unit(ANY[a]).multiply(&unit(ANY[b]).power(n).unwrap()).unwrap();
            let again = Unit::parse(&unit.to_string()).unwrap();
            prop_assert_eq!(again.to_string(), unit.to_string());
            prop_assert!(again.conversion_to(&unit.span()).is_ok());
        }

        /// Any text is a unit or an error.
        #[test]
        fn no_text_is_a_panic(text in "[ a-zA-Z0-9^*/.()@%+²⁻µ°-]{0,24}") {
            if let Ok(unit) = Unit::parse(&text) {
                prop_assert!(Unit::parse(&unit.to_string()).is_ok(), "{} {}", text, unit);
            }
        }
    }
}
