//! What may be said of a result: which attributes stay true of it.

use crate::{
    attrs::{Attrs, Value},
    cf::{decoding::ENCODING, measure},
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
    // What xarray makes of stored numbers, which these are none of any more.
    if out.text("dtype").is_some_and(|text| text == "bool" || text.starts_with("timedelta64")) {
        out.remove("dtype");
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrs::texts as attrs;

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
    fn units_are_the_same_however_they_are_written() {
        let (a, b) = (attrs(&[("units", "m/s")]), attrs(&[("units", "m s-1")]));
        assert_eq!(kept(Kept::Units, &[&a, &b]), a);
        assert!(kept(Kept::Units, &[&a, &attrs(&[("units", "km/h")])]).is_empty());
        assert!(!same_units(&Attrs::new(), &Attrs::new()), "nobody said so");
    }
}
