//! What attributes say about units.

use super::{Conversion, Unit};
use crate::{attrs::Attrs, error::Result};

/// The attribute that tells a difference of temperatures from a temperature (CF 1.11, section 3.1.2).
const METADATA: &str = "units_metadata";
const DIFFERENCE: &str = "temperature: difference";

/// The unit that attributes say, if they say one that is known. That of a difference has no zero of its own.
pub fn of(attrs: &Attrs) -> Option<Unit> {
    let unit = Unit::parse(attrs.text("units")?).ok()?;
    Some(if is_difference(attrs) { unit.span() } else { unit })
}

/// Whether two texts are the same unit, however they are written.
pub fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    a == b || matches!((Unit::parse(a), Unit::parse(b)), (Ok(a), Ok(b)) if a.is_same(&b))
}

/// How values with the attributes `from` become those with the attributes `to`; `None` where they are in the same unit, or
/// neither says one.
///
/// # Errors
/// When they measure something else, or a unit is not known.
pub fn between(from: &Attrs, to: &Attrs) -> Result<Option<Conversion>> {
    let text = |attrs: &Attrs| attrs.text("units").map(str::trim).unwrap_or_default().to_string();
    let (a, b) = (text(from), text(to));
    if a == b && is_difference(from) == is_difference(to) {
        return Ok(None);
    }
    let (mut a, mut b) = (Unit::parse(&a)?, Unit::parse(&b)?);
    if is_difference(from) && is_difference(to) {
        (a, b) = (a.span(), b.span());
    }
    let conversion = a.conversion_to(&b)?;
    Ok(Some(conversion).filter(|c| !c.is_identity()))
}

/// Whether values are differences of temperatures.
pub fn is_difference(attrs: &Attrs) -> bool {
    attrs.text(METADATA).is_some_and(|text| text.trim() == DIFFERENCE)
}

/// Says that values are differences of what they were: one of times is no time (`days since 1970-01-01` becomes
/// `days`), and one of temperatures is converted without an offset.
pub fn difference(attrs: &mut Attrs) {
    let Some(text) = attrs.text("units") else { return };
    if let Some((span, _)) = text.split_once(" since ") {
        let span = span.trim().to_string();
        attrs.set("units", span);
        attrs.remove("calendar");
    } else if Unit::parse(text).is_ok_and(|unit| unit.is_temperature()) {
        attrs.set(METADATA, DIFFERENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrs::texts;

    #[test]
    fn units_that_measure_the_same_are_converted() {
        let said = |units: &str, metadata: &str| texts(&[("units", units), (METADATA, metadata)]);
        let between = |a: (&str, &str), b: (&str, &str)| super::between(&said(a.0, a.1), &said(b.0, b.1));
        assert_eq!(between(("degC", ""), ("K", "")).unwrap().unwrap().apply(1.0), 274.15);
        assert_eq!(between(("degC", DIFFERENCE), ("K", DIFFERENCE)).unwrap(), None);
        assert_eq!(between(("kelvin", ""), ("K", "")).unwrap(), None);
        assert_eq!(between(("what", ""), ("what", "")).unwrap(), None, "nobody needs to know what it is");
        for wrong in ["m", "what", "days since 1970-01-01", ""] {
            assert!(between((wrong, ""), ("K", "")).is_err(), "{wrong}");
        }
        assert_eq!(super::between(&Attrs::new(), &Attrs::new()).unwrap(), None);
    }

    #[test]
    fn differences_say_so() {
        let mut time = Attrs::new();
        time.set("units", "days since 1970-01-01");
        time.set("calendar", "noleap");
        difference(&mut time);
        assert_eq!((time.text("units"), time.text("calendar")), (Some("days"), None));
        let mut t = Attrs::new();
        t.set("units", "degC");
        assert!(of(&t).unwrap().has_offset() && !is_difference(&t));
        difference(&mut t);
        assert_eq!(t.text("units_metadata"), Some("temperature: difference"));
        assert!(!of(&t).unwrap().has_offset());
        let mut wind = Attrs::new();
        wind.set("units", "m s-1");
        let before = wind.clone();
        difference(&mut wind);
        assert_eq!(wind, before);
        assert!(same("m/s", "m s-1") && !same("K", "degC") && same("what", " what") && !same("m", "what"));
    }
}
