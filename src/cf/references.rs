//! Attributes that name other variables.

use crate::attrs::Attrs;

/// Attributes whose value is a list of variable names.
pub const LISTS: [&str; 2] = ["coordinates", "ancillary_variables"];

/// Attributes whose value is one variable name.
pub const SINGLE: [&str; 4] = ["bounds", "climatology", "grid_mapping", "quantization"];

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

/// Takes names that `gone` says are no more out of the attributes, and attributes that say nothing then. `gone` gets
/// the attribute and the name.
///
/// What is a list loses the name, and `cell_measures` the measure; where one of the others is gone, so is the meaning,
/// and the whole attribute goes.
pub fn retain(attrs: &mut Attrs, gone: impl Fn(&str, &str) -> bool) {
    for attribute in LISTS {
        let all = named(attrs, attribute);
        let left = all.iter().filter(|n| !gone(attribute, n)).cloned();
        keep(attrs, attribute, left.collect(), all.len());
    }
    let measures = measures(attrs);
    let left = measures.iter().filter(|(_, n)| !gone("cell_measures", n)).map(|(key, n)| format!("{key} {n}"));
    keep(attrs, "cell_measures", left.collect(), measures.len());
    for attribute in SINGLE.iter().chain(&["formula_terms"]) {
        if named(attrs, attribute).iter().any(|n| gone(attribute, n)) {
            attrs.remove(attribute);
            if *attribute == "formula_terms" {
                // What the formula would have given.
                attrs.remove("computed_standard_name");
            }
        }
    }
}

/// Calls variables by other names, where `now` has one.
pub fn rename(attrs: &mut Attrs, now: impl Fn(&str) -> Option<String>) {
    for attribute in LISTS.iter().chain(&SINGLE).chain(&KEYED) {
        let Some(text) = attrs.text(attribute) else { continue };
        let is_key = |word: &str| KEYED.contains(attribute) && word.ends_with(':');
        let word = |word: &str| {
            let name = word.trim_end_matches(':');
            let found = now(name).filter(|_| !is_key(word));
            found.map_or_else(|| word.to_string(), |to| format!("{to}{}", &word[name.len()..]))
        };
        let words: Vec<String> = text.split_whitespace().map(word).collect();
        if !words.iter().eq(text.split_whitespace()) {
            attrs.set(attribute, words.join(" "));
        }
    }
}

/// The variable that measures cells: the name for `area` of `cell_measures`.
pub fn measure(attrs: &Attrs, what: &str) -> Option<String> {
    measures(attrs).into_iter().find(|(key, _)| key.trim_end_matches(':') == what).map(|(_, name)| name)
}

/// The measures with what is measured: `("area:", "areacella")`.
fn measures(attrs: &Attrs) -> Vec<(String, String)> {
    let words: Vec<&str> = attrs.text("cell_measures").unwrap_or_default().split_whitespace().collect();
    words.windows(2).filter(|w| w[0].ends_with(':')).map(|w| (w[0].to_string(), w[1].to_string())).collect()
}

fn keep(attrs: &mut Attrs, attribute: &str, left: Vec<String>, before: usize) {
    if left.len() == before {
        // As it is, blanks and all.
    } else if left.is_empty() {
        attrs.remove(attribute);
    } else {
        attrs.set(attribute, left.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_dropped() {
        let mut a = Attrs::new();
        a.set("coordinates", "lat2 lon2 height");
        a.set("cell_measures", "area: areacella volume: volcello");
        a.set("grid_mapping", "crs: x y");
        a.set("bounds", "time_bnds");
        assert_eq!(all(&a), ["lat2", "lon2", "height", "time_bnds", "crs", "x", "y", "areacella", "volcello"]);
        assert_eq!(measure(&a, "volume").as_deref(), Some("volcello"));
        assert_eq!(measure(&a, "vol"), None);
        a.set("formula_terms", "b: b ps: ps");
        a.set("computed_standard_name", "air_pressure");
        retain(&mut a, |attribute, n| n == "lon2" || n == "areacella" || (attribute, n) == ("formula_terms", "ps"));
        assert_eq!(a.text("coordinates"), Some("lat2 height"));
        assert_eq!(a.text("cell_measures"), Some("volume: volcello"));
        assert_eq!((a.text("formula_terms"), a.text("computed_standard_name")), (None, None));
        assert_eq!(a.text("bounds"), Some("time_bnds"));
    }

    #[test]
    fn names_become_others() {
        let mut a = Attrs::new();
        a.set("coordinates", "lat  height");
        a.set("cell_measures", "area: area");
        a.set("grid_mapping", "crs: x y");
        rename(&mut a, |name| ["height", "area", "crs"].contains(&name).then(|| format!("{name}_1")));
        assert_eq!(
            ["coordinates", "cell_measures", "grid_mapping"].map(|n| a.text(n).unwrap()),
            ["lat height_1", "area: area_1", "crs_1: x y"]
        );
        rename(&mut a, |_| None);
        assert_eq!(a.text("coordinates"), Some("lat height_1"));
    }
}
