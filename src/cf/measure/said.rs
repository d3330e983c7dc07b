//! What attributes say about units.

use super::Unit;
use crate::attrs::Attrs;

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
