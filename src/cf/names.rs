//! What results are called, and what the version of the conventions that a file follows allows: [`Conventions`].

use super::cell_methods;
use crate::attrs::Attrs;

/// Standard names that have another for the difference from a climatology (standard name table 93).
const WITH_ANOMALY: [&str; 6] = [
    "air_pressure",
    "air_temperature",
    "brightness_temperature",
    "geopotential_height",
    "sea_water_temperature",
    "surface_temperature",
];

/// The modifier of a standard name for how many values there are (CF appendix C).
const OBSERVATIONS: &str = "number_of_observations";

/// Which version of the CF conventions a file says that it follows, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conventions(Option<(u32, u32)>);

impl Conventions {
    /// What the attributes of a file's root say.
    pub fn of(root: &Attrs) -> Conventions {
        let version = |word: &str| {
            let (major, minor) = word.strip_prefix("CF-")?.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        };
        let text = root.text("Conventions").unwrap_or_default();
        Conventions(text.split([' ', ',', '/']).find_map(version))
    }

    /// Takes out of a coordinate that is none of a dimension any more what the conventions allow for those alone: `axis`,
    /// before CF 1.6.
    pub fn auxiliary(self, coordinate: &mut Attrs) {
        if self.0.is_some_and(|version| ((1, 1)..(1, 6)).contains(&version)) {
            coordinate.remove("axis");
        }
    }

    /// Says that a result, whose standard name has the modifier for it, is a number of observations: since CF 1.7 that
    /// is a standard name of its own.
    pub fn observed(self, result: &mut Attrs) {
        let has_modifier = result.text("standard_name").is_some_and(|name| name.ends_with(&format!(" {OBSERVATIONS}")));
        if has_modifier && self.0.is_none_or(|version| version >= (1, 7)) {
            result.set("standard_name", OBSERVATIONS);
        }
    }
}

/// The standard name of how many values of another there are, before CF 1.7.
pub fn observations_of(standard_name: &str) -> Option<String> {
    Some(format!("{} {OBSERVATIONS}", standard_name.split_whitespace().next()?))
}

/// Whether values are numbers of observations.
pub fn is_observations(attrs: &Attrs) -> bool {
    attrs.text("standard_name").is_some_and(|name| name.split_whitespace().last() == Some(OBSERVATIONS))
}

/// The standard name of values less those of a climatology (`time: mean within years time: mean over years`) of the same
/// quantity, where there is one.
pub fn anomaly(values: &Attrs, less: &Attrs) -> Option<String> {
    let name = values.text("standard_name")?.trim();
    let is_of_it = less.text("standard_name").map(str::trim) == Some(name);
    let is_anomaly = is_of_it && cell_methods::is_climatological_mean(less) && !cell_methods::is_climatological(values);
    (is_anomaly && WITH_ANOMALY.contains(&name)).then(|| format!("{name}_anomaly"))
}

/// Calls a result by what was done along some dimensions, where it is another quantity than what it was made of.
pub fn describe(result: &mut Attrs, what: &str, dims: &[String]) {
    let long = result.text("long_name").map(str::trim).filter(|name| !name.is_empty()).map(str::to_string);
    let plain = || Some(result.text("standard_name")?.split_whitespace().next()?.replace('_', " "));
    if let Some(name) = long.or_else(plain) {
        let over = if dims.is_empty() { String::new() } else { format!(" over {}", dims.join(", ")) };
        result.set("long_name", format!("{what}{over} of {name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrs::texts as attrs;

    #[test]
    fn versions_differ_in_what_they_allow() {
        let after = |conventions: &str| {
            let (mut scalar, mut count) =
                (attrs(&[("axis", "T")]), attrs(&[("standard_name", "air_temperature number_of_observations")]));
            let conventions = Conventions::of(&attrs(&[("Conventions", conventions)]));
            conventions.auxiliary(&mut scalar);
            conventions.observed(&mut count);
            (scalar.text("axis").is_some(), count.text("standard_name").unwrap_or_default().to_string())
        };
        let (own, modified) =
            ("number_of_observations".to_string(), "air_temperature number_of_observations".to_string());
        assert_eq!(after("CF-1.0"), (true, modified.clone()));
        assert_eq!(after("CF-1.5"), (false, modified.clone()));
        assert_eq!(after("CF-1.6"), (true, modified.clone()));
        assert_eq!(after("ACDD-1.3, CF-1.10"), (true, own.clone()));
        assert_eq!(after("COARDS"), (true, own));
        let mut error = attrs(&[("standard_name", "air_temperature standard_error")]);
        Conventions(None).observed(&mut error);
        assert_eq!(error.text("standard_name"), Some("air_temperature standard_error"));
    }

    #[test]
    fn only_what_a_climatology_is_taken_off_of_is_an_anomaly() {
        let clim = ("cell_methods", "time: mean within years time: mean over years");
        let t = attrs(&[("standard_name", "air_temperature"), ("cell_methods", "time: mean")]);
        let of = |name| attrs(&[("standard_name", name), clim]);
        assert_eq!(anomaly(&t, &of("air_temperature")).as_deref(), Some("air_temperature_anomaly"));
        assert_eq!(anomaly(&t, &of("surface_temperature")), None);
        assert_eq!(anomaly(&t, &t), None, "a mean over everything is no climatology");
        assert_eq!(anomaly(&of("air_temperature"), &of("air_temperature")), None);
        let wind = attrs(&[("standard_name", "eastward_wind")]);
        assert_eq!(anomaly(&wind, &of("eastward_wind")), None, "no such name is in the table");
    }

    #[test]
    fn other_quantities_are_called_by_what_they_are() {
        let mut t = attrs(&[("standard_name", "air_temperature standard_error")]);
        describe(&mut t, "product", &["time".into(), "lon".into()]);
        assert_eq!(t.text("long_name"), Some("product over time, lon of air temperature"));
        let mut nameless = Attrs::new();
        describe(&mut nameless, "product", &[]);
        assert!(nameless.is_empty());
    }
}
