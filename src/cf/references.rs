//! Attributes that name other variables.

use crate::attrs::Attrs;

/// Attributes whose value is a list of variable names.
pub const LISTS: [&str; 2] = ["coordinates", "ancillary_variables"];

/// Attributes whose value is one variable name.
pub const SINGLE: [&str; 3] = ["bounds", "climatology", "grid_mapping"];

/// Attributes of the form `key: name key: name`.
pub const KEYED: [&str; 2] = ["cell_measures", "formula_terms"];

/// The variables that an attribute names. `grid_mapping` may be of the form `crs: x y`, where all are names.
pub fn named(attrs: &Attrs, attribute: &str) -> Vec<String> {
    let Some(text) = attrs.text(attribute) else { return Vec::new() };
    let words = text.split_whitespace();
    if KEYED.contains(&attribute) {
        return words.filter(|w| !w.ends_with(':')).map(str::to_string).collect();
    }
    words.map(|w| w.trim_end_matches(':').to_string()).collect()
}

/// Every variable that the attributes name.
pub fn all(attrs: &Attrs) -> Vec<String> {
    LISTS.iter().chain(&SINGLE).chain(&KEYED).flat_map(|attribute| named(attrs, attribute)).collect()
}

/// Takes names that `gone` says are no more out of the attributes, and attributes that say nothing then.
///
/// What is a list loses the name; where a single name or a key is gone, so is its meaning, and the whole attribute goes.
pub fn retain(attrs: &mut Attrs, gone: impl Fn(&str) -> bool) {
    for attribute in LISTS {
        let all = named(attrs, attribute);
        let left: Vec<&str> = all.iter().map(String::as_str).filter(|n| !gone(n)).collect();
        if left.is_empty() {
            attrs.remove(attribute);
        } else if left.len() < all.len() {
            attrs.set(attribute, left.join(" "));
        }
    }
    for attribute in SINGLE.iter().chain(&KEYED) {
        if named(attrs, attribute).iter().any(|n| gone(n)) {
            attrs.remove(attribute);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_dropped() {
        let mut a = Attrs::new();
        a.set("coordinates", "lat2 lon2 height");
        a.set("cell_measures", "area: areacella");
        a.set("grid_mapping", "crs: x y");
        a.set("bounds", "time_bnds");
        assert_eq!(all(&a), ["lat2", "lon2", "height", "time_bnds", "crs", "x", "y", "areacella"]);
        retain(&mut a, |n| n == "lon2" || n == "areacella");
        assert_eq!(a.text("coordinates"), Some("lat2 height"));
        assert_eq!(a.text("cell_measures"), None);
        assert_eq!(a.text("bounds"), Some("time_bnds"));
    }
}
