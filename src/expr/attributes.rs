//! What may be said of a result: which attributes stay true of it.

use crate::{
    attrs::{Attrs, Value},
    cf::{decoding::ENCODING, measure, time::Unit},
};

/// Attributes that say where values belong, which hold for whatever is computed of them place by place.
const LINKS: [&str; 3] = ["coordinates", "grid_mapping", "cell_measures"];

/// How much of what was said of operands is true of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// All: it is the same quantity.
    All,
    /// The units: it is a quantity of the same dimension.
    Units,
    /// Where the values belong.
    Links,
    /// Nothing.
    Nothing,
}

/// What is said of a variable's values, without how they are stored.
pub(super) fn of_variable(attrs: &Attrs) -> Attrs {
    let mut out = attrs.clone();
    // Ancillary data describe the values that were read.
    ENCODING.iter().chain(&["ancillary_variables"]).for_each(|name| drop(out.remove(name)));
    out
}

/// What of the operands' attributes is true of a result. Of several, what all say.
pub(super) fn kept(kept: Kept, operands: &[&Attrs]) -> Attrs {
    let mut out = Attrs::new();
    let Some((first, rest)) = operands.split_first() else { return out };
    let all_say = |name: &str, value: &Value| {
        rest.iter().all(|o| o.get(name) == Some(value))
            || (name == "units" && rest.iter().all(|o| same_units(first, o)))
    };
    for (name, value) in first.iter() {
        let stays = match kept {
            // Cells and limits are those of the values before.
            Kept::All => !["bounds", "climatology"].contains(&name),
            Kept::Units => ["units", "units_metadata", "calendar", "cell_methods"].contains(&name),
            Kept::Links | Kept::Nothing => false,
        };
        if stays && !LINKS.contains(&name) && all_say(name, value) {
            out.set(name, value.clone());
        }
    }
    if kept != Kept::Nothing {
        links(&mut out, operands);
    }
    out
}

/// Names of coordinates from all operands; of the rest what the first has.
fn links(out: &mut Attrs, operands: &[&Attrs]) {
    for name in LINKS {
        let mut words: Vec<&str> = Vec::new();
        for text in operands.iter().filter_map(|o| o.text(name)) {
            if words.is_empty() || name == "coordinates" {
                let new: Vec<&str> = text.split_whitespace().filter(|w| !words.contains(w)).collect();
                words.extend(new);
            }
        }
        if !words.is_empty() {
            out.set(name, words.join(" "));
        }
    }
}

/// Whether both are said to have the same units.
pub(super) fn same_units(a: &Attrs, b: &Attrs) -> bool {
    matches!((a.text("units"), b.text("units")), (Some(a), Some(b)) if measure::same(a, b))
}

/// The units of a quotient, as UDUNITS reads them; those of a time stand for its span. `None` where that cannot be said.
pub(super) fn quotient(a: &str, b: &str) -> Option<String> {
    let (a, b) = (spanless(a)?, b.trim());
    let b = match b.split_once(" since ") {
        Some((span, _)) => match Unit::named(span) {
            Some(unit) => unit.name().trim_end_matches('s'),
            None => span.trim(),
        },
        None => b,
    };
    Some(match (a, b) {
        (a, "1" | "") => a.to_string(),
        (a, b) if a == b => "1".to_string(),
        ("1", b) if is_word(b) => format!("{b}-1"),
        ("1", b) => format!("({b})-1"),
        (a, b) if is_word(b) => format!("{a} {b}-1"),
        (a, b) => format!("{a} ({b})-1"),
    })
}

/// The units of a product, as UDUNITS reads them; `None` where that cannot be said.
pub(super) fn product(a: &str, b: &str) -> Option<String> {
    let (a, b) = (spanless(a)?, spanless(b)?);
    let factor = |u: &str| if is_word(u) { u.to_string() } else { format!("({u})") };
    Some(match (a, b) {
        (a, "1") | ("1", a) => a.to_string(),
        (a, b) if a == b => format!("{}2", factor(a)),
        (a, b) => format!("{} {}", factor(a), factor(b)),
    })
}

/// Units that are no time, `1` for none.
fn spanless(units: &str) -> Option<&str> {
    let units = units.trim();
    (!units.contains(" since ")).then_some(if units.is_empty() { "1" } else { units })
}

fn is_word(units: &str) -> bool {
    units.chars().all(|c| c.is_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attrs(all: &[(&str, &str)]) -> Attrs {
        let mut out = Attrs::new();
        all.iter().for_each(|(name, value)| out.set(name, *value));
        out
    }

    #[test]
    fn what_all_operands_say_stays() {
        let a = attrs(&[("units", "K"), ("long_name", "a"), ("coordinates", "x y"), ("grid_mapping", "crs")]);
        let b = attrs(&[("units", "K"), ("long_name", "b"), ("coordinates", "y z")]);
        let both = |k| kept(k, &[&a, &b]).iter().map(|(n, v)| format!("{n}={}", v.text().unwrap())).collect::<Vec<_>>();
        assert_eq!(both(Kept::All), ["units=K", "coordinates=x y z", "grid_mapping=crs"]);
        assert_eq!(both(Kept::Units), both(Kept::All));
        assert_eq!(both(Kept::Links), ["coordinates=x y z", "grid_mapping=crs"]);
        assert!(both(Kept::Nothing).is_empty());
        assert_eq!(kept(Kept::All, &[&a]).text("long_name"), Some("a"));
    }

    #[test]
    fn products_have_units() {
        let over = |a, b| quotient(a, b).unwrap();
        assert_eq!(over("K", "hours since 1990-01-01"), "K hour-1");
        assert_eq!(over("K", "m s-1"), "K (m s-1)-1");
        assert_eq!([over("K", "1"), over("K", "K"), over("1", "Pa"), over("", "Pa")], ["K", "1", "Pa-1", "Pa-1"]);
        assert_eq!(quotient("days since 1990-01-01", "K"), None);
        let times = |a, b| product(a, b).unwrap();
        assert_eq!([times("K", "Pa"), times("K", "K"), times("1", "K")], ["K Pa", "K2", "K"]);
        assert_eq!([times("m2", "m2"), times("m s-1", "K")], ["(m2)2", "(m s-1) K"]);
    }

    #[test]
    fn units_are_the_same_however_they_are_written() {
        let (a, b) = (attrs(&[("units", "m/s")]), attrs(&[("units", "m s-1")]));
        assert_eq!(kept(Kept::Units, &[&a, &b]), a);
        assert!(kept(Kept::Units, &[&a, &attrs(&[("units", "km/h")])]).is_empty());
        assert!(!same_units(&Attrs::new(), &Attrs::new()), "nobody said so");
    }
}
