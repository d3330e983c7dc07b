//! What a reduction says about itself in attributes.

use super::{
    measure::{self, Unit},
    names,
};
use crate::{
    attrs::Attrs,
    kernels::{fold::Op, lanes::OrderStatistic},
};

/// The CF name of a method, where the conventions have one (appendix E).
pub fn method(op: Op) -> Option<&'static str> {
    Some(match op {
        Op::Sum => "sum",
        Op::Mean => "mean",
        Op::Min => "minimum",
        Op::Max => "maximum",
        Op::Range => "range",
        Op::Var => "variance",
        Op::Std => "standard_deviation",
        Op::First | Op::Last => "point",
        Op::Prod | Op::Count | Op::Any | Op::All | Op::ArgMin | Op::ArgMax => return None,
    })
}

/// The CF name of a method, where the conventions have one (appendix E).
pub fn order_method(statistic: &OrderStatistic) -> Option<&'static str> {
    match statistic {
        OrderStatistic::Median => Some("median"),
        OrderStatistic::Mode => Some("mode"),
        OrderStatistic::Quantile { .. } | OrderStatistic::Mad | OrderStatistic::Iqr | OrderStatistic::NUnique => None,
    }
}

/// Rewrites a variable's attributes for its reduction by `op` over `dims`: `cell_methods` gains an entry, units and
/// names follow where the result is another quantity.
pub fn reduced(attrs: &mut Attrs, op: Op, dims: &[String]) {
    gain(attrs, method(op), dims, None);
    follow(attrs, op, dims);
}

/// The dimension of time along which groups take the same part of several periods, and what those are: `years`, `days`.
pub type Repeated<'a> = Option<(&'a str, &'a str)>;

/// As [`reduced`], by groups that take the same part of several periods (CF 7.4): `time: mean within years time: mean over
/// years`. What is not the same of parts and of wholes is said plainly.
pub fn grouped(attrs: &mut Attrs, op: Op, dims: &[String], of: Repeated<'_>) {
    gain_parts(attrs, op, dims, of, None);
    follow(attrs, op, dims);
}

/// Whether values are those of a climatology (CF 7.4).
pub fn is_climatological(attrs: &Attrs) -> bool {
    attrs.text("cell_methods").is_some_and(|text| [" over years", " over days"].iter().any(|over| text.contains(over)))
}

/// Whether values are the means of a climatology.
pub fn is_climatological_mean(attrs: &Attrs) -> bool {
    let means = ["mean over years", "mean over days"];
    is_climatological(attrs) && attrs.text("cell_methods").is_some_and(|text| means.iter().any(|m| text.contains(m)))
}

/// How values count.
#[derive(Clone, Copy)]
pub struct Weighting<'a> {
    /// In words.
    pub how: &'a str,
    /// The dimensions along which they count differently.
    pub along: &'a [String],
    /// The units of the weights.
    pub units: Option<&'a str>,
}

/// Entries more in `cell_methods`; those of the dimensions that weights lie along have the comment, or else the last.
fn gain_parts(attrs: &mut Attrs, op: Op, dims: &[String], of: Repeated<'_>, weighting: Option<Weighting>) {
    match (of, method(op)) {
        (Some((dim, over)), Some(method)) if matches!(op, Op::Mean | Op::Sum | Op::Min | Op::Max) => {
            let (own, others): (Vec<String>, Vec<String>) = dims.iter().cloned().partition(|d| d == dim);
            let of =
                |dims: &[String]| weighting.filter(|w| dims.iter().any(|dim| w.along.contains(dim))).map(|w| w.how);
            let of_own = if of(&others).is_none() { weighting.map(|w| w.how) } else { of(&own) };
            gain(attrs, Some(method), &others, of(&others));
            gain(attrs, Some(&format!("{method} within {over}")), &own, None);
            gain(attrs, Some(&format!("{method} over {over}")), &own, of_own);
        }
        (_, method) => gain(attrs, method, dims, weighting.map(|w| w.how)),
    }
}

/// As [`reduced`] of windows along one dimension. There is no word for them; so what they are is a comment.
pub fn rolled(attrs: &mut Attrs, op: Op, dims: &[String], window: &str) {
    gain(attrs, method(op), dims, Some(window));
    follow(attrs, op, dims);
}

/// As [`grouped`] of weighted values: how they are is a comment. A sum is in units of both, and a count is the sum of the
/// weights.
pub fn weighted(attrs: &mut Attrs, op: Op, dims: &[String], of: Repeated<'_>, weighting: Weighting) {
    gain_parts(attrs, op, dims, of, Some(weighting));
    let Weighting { how, units: weight, .. } = weighting;
    match op {
        Op::Count => {
            for name in FLAGS.iter().chain(&["standard_name", "long_name", "calendar"]) {
                attrs.remove(name);
            }
            attrs.set("long_name", format!("sum of weights ({how})"));
            attrs.set("units", weight.unwrap_or("1"));
        }
        Op::Sum => {
            follow(attrs, op, dims);
            if let (Some(weight), Some(units)) = (weight, attrs.text("units")) {
                let product = match units.trim() {
                    "" | "1" => weight.to_string(),
                    units => format!("{units} {weight}"),
                };
                attrs.set("units", product);
                names::describe(attrs, &format!("sum ({how})"), dims);
                attrs.remove("standard_name");
            }
        }
        _ => follow(attrs, op, dims),
    }
    reread(attrs, false);
}

/// As [`reduced`] by a statistic of order, of weighted values where it is said `how`.
pub fn ordered(attrs: &mut Attrs, statistic: &OrderStatistic, dims: &[String], how: Option<&str>) {
    gain(attrs, order_method(statistic), dims, how);
    match statistic {
        OrderStatistic::Mad | OrderStatistic::Iqr => measure::difference(attrs),
        OrderStatistic::NUnique => {
            names::describe(attrs, "number of different values", dims);
            ["units", "units_metadata", "calendar", "standard_name"].iter().for_each(|n| drop(attrs.remove(n)))
        }
        _ => {}
    }
    if *statistic != OrderStatistic::Mode {
        FLAGS.iter().for_each(|name| drop(attrs.remove(name)));
    }
    reread(attrs, *statistic == OrderStatistic::Mode);
}

/// What xarray makes of numbers as it reads them (its attribute `dtype`) holds for such numbers alone: true and false for
/// what is `chosen` among them, lengths of time for what has their units.
fn reread(attrs: &mut Attrs, is_chosen: bool) {
    let is_time =
        || measure::of(attrs).is_some_and(|unit| Unit::parse("s").is_ok_and(|s| unit.conversion_to(&s).is_ok()));
    let holds = match attrs.text("dtype") {
        Some("bool") => is_chosen,
        Some(text) if text.starts_with("timedelta64") => is_time(),
        _ => true,
    };
    if !holds {
        attrs.remove("dtype");
    }
}

const FLAGS: [&str; 3] = ["flag_values", "flag_meanings", "flag_masks"];

/// An entry more in `cell_methods`, which can not be told where a method has no name.
fn gain(attrs: &mut Attrs, method: Option<&str>, dims: &[String], comment: Option<&str>) {
    match method {
        Some(method) if !dims.is_empty() => {
            let comment = comment.map(|text| format!(" ({text})")).unwrap_or_default();
            let entry = format!("{}{method}{comment}", dims.iter().map(|d| format!("{d}: ")).collect::<String>());
            let all = match attrs.text("cell_methods").map(str::trim) {
                Some(old) if !old.is_empty() => format!("{old} {entry}"),
                _ => entry,
            };
            attrs.set("cell_methods", all);
        }
        Some(_) => {}
        None => {
            attrs.remove("cell_methods");
        }
    }
}

/// Units and names of another quantity.
fn follow(attrs: &mut Attrs, op: Op, dims: &[String]) {
    if matches!(op, Op::Var | Op::Std | Op::Range) {
        measure::difference(attrs);
    }
    if !matches!(op, Op::Min | Op::Max | Op::First | Op::Last) {
        FLAGS.iter().for_each(|name| drop(attrs.remove(name)));
    }
    match op {
        Op::Var => {
            attrs.remove("units_metadata");
            if let Some(units) = attrs.text("units").map(squared) {
                attrs.set("units", units);
            }
        }
        Op::Count => {
            attrs.remove("units_metadata");
            attrs.set("units", "1");
            names::describe(attrs, "number of values", dims);
            // CF appendix C: a modifier makes it another quantity of the same field.
            if let Some(name) = attrs.text("standard_name").and_then(names::observations_of) {
                attrs.set("standard_name", name);
            }
        }
        Op::Prod | Op::Any | Op::All | Op::ArgMin | Op::ArgMax => {
            names::describe(attrs, quantity(op), dims);
            for name in ["units", "units_metadata", "standard_name"] {
                attrs.remove(name);
            }
        }
        _ => {}
    }
    reread(attrs, matches!(op, Op::Min | Op::Max | Op::First | Op::Last | Op::Any | Op::All));
}

/// What a result is that is another quantity than what it was made of.
fn quantity(op: Op) -> &'static str {
    match op {
        Op::Prod => "product",
        Op::Any => "any",
        Op::All => "all",
        Op::ArgMin => "position of the minimum",
        Op::ArgMax => "position of the maximum",
        _ => op.name(),
    }
}

/// The square of a unit: `K2`, `m2 s-2`.
fn squared(units: &str) -> String {
    match Unit::parse(units).and_then(|unit| unit.power(2)) {
        Ok(square) => square.to_string(),
        Err(_) => format!("({})2", units.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrs::texts;

    fn after(op: Op, dims: &[&str], attrs: &[(&str, &str)]) -> Attrs {
        let mut all = texts(attrs);
        reduced(&mut all, op, &dims.iter().map(|d| d.to_string()).collect::<Vec<_>>());
        all
    }

    #[test]
    fn cell_methods_gains_an_entry() {
        let a = after(Op::Mean, &["time"], &[]);
        assert_eq!(a.text("cell_methods"), Some("time: mean"));
        let a = after(Op::Std, &["lat", "lon"], &[("cell_methods", "time: mean")]);
        assert_eq!(a.text("cell_methods"), Some("time: mean lat: lon: standard_deviation"));
    }

    #[test]
    fn a_climatology_says_within_and_over_what() {
        let after = |op, dims: &[&str]| {
            let mut attrs = Attrs::new();
            let dims: Vec<String> = dims.iter().map(|d| d.to_string()).collect();
            grouped(&mut attrs, op, &dims, Some(("time", "years")));
            attrs.text("cell_methods").unwrap_or_default().to_string()
        };
        assert_eq!(after(Op::Mean, &["time"]), "time: mean within years time: mean over years");
        let both = "lat: maximum time: maximum within years time: maximum over years";
        assert_eq!(after(Op::Max, &["time", "lat"]), both);
        assert_eq!(after(Op::Std, &["time"]), "time: standard_deviation");
    }

    #[test]
    fn only_what_conventions_have_words_for_is_said() {
        let given = [("cell_methods", "area: mean"), ("units", "days since 1970-01-01"), ("flag_meanings", "land sea")];
        let after = |statistic| {
            let mut attrs = texts(&given);
            ordered(&mut attrs, &statistic, &["time".to_string()], None);
            ["cell_methods", "units", "flag_meanings"].map(|n| attrs.text(n).unwrap_or("-").to_string())
        };
        use OrderStatistic::*;
        assert_eq!(after(Median), ["area: mean time: median", "days since 1970-01-01", "-"]);
        assert_eq!(after(Mode), ["area: mean time: mode", "days since 1970-01-01", "land sea"]);
        assert_eq!(after(Iqr), ["-", "days", "-"]);
        assert_eq!(after(NUnique), ["-", "-", "-"]);
        let mut attrs = Attrs::new();
        rolled(&mut attrs, Op::Mean, &["time".to_string()], "window of 3 values");
        assert_eq!(attrs.text("cell_methods"), Some("time: mean (window of 3 values)"));
    }

    #[test]
    fn weights_are_a_comment_and_a_factor() {
        let area = ["area".to_string()];
        fn of<'a>(along: &'a [String], units: Option<&'a str>) -> Weighting<'a> {
            Weighting { how: "weighted by area", along, units }
        }
        let after = |op, weight| {
            let mut attrs = texts(&[("units", "K"), ("standard_name", "air_temperature")]);
            weighted(&mut attrs, op, &area, None, of(&area, weight));
            ["cell_methods", "units", "standard_name"].map(|n| attrs.text(n).unwrap_or("-").to_string())
        };
        let m2 = Some("m2");
        assert_eq!(after(Op::Mean, m2), ["area: mean (weighted by area)", "K", "air_temperature"]);
        assert_eq!(after(Op::Sum, m2), ["area: sum (weighted by area)", "K m2", "-"]);
        assert_eq!(after(Op::Sum, None), ["area: sum (weighted by area)", "K", "air_temperature"]);
        assert_eq!(after(Op::Var, m2), ["area: variance (weighted by area)", "K2", "air_temperature"]);
        assert_eq!(after(Op::Count, m2), ["-", "m2", "-"]);
        // It is said of those dimensions that values count differently along.
        let dims = ["time", "area"].map(String::from);
        let told = |along: &[String]| {
            let mut attrs = Attrs::new();
            weighted(&mut attrs, Op::Mean, &dims, Some(("time", "years")), of(along, m2));
            attrs.text("cell_methods").unwrap_or_default().to_string()
        };
        assert_eq!(told(&area), "area: mean (weighted by area) time: mean within years time: mean over years");
        let last = "area: mean time: mean within years time: mean over years (weighted by area)";
        assert_eq!([told(&dims[..1]), told(&[])], [last, last]);
    }

    #[test]
    fn what_xarray_reads_as_something_else_is_that_still() {
        let after = |op, units: &str, dtype: &str| {
            let a = after(op, &["time"], &[("dtype", dtype), ("units", units)]);
            a.text("dtype").is_some()
        };
        assert_eq!(
            [Op::Mean, Op::Sum, Op::Count, Op::Max, Op::Any].map(|op| after(op, "1", "bool")),
            [false, false, false, true, true]
        );
        let days = |op| after(op, "days", "timedelta64[s]");
        assert_eq!([Op::Mean, Op::Std, Op::Var, Op::Count, Op::ArgMax].map(days), [true, true, false, false, false]);
        assert!(after(Op::Mean, "1", "float32"), "somebody else's");
    }

    #[test]
    fn another_quantity_has_other_units() {
        assert_eq!(after(Op::Var, &["time"], &[("units", "K")]).text("units"), Some("K2"));
        assert_eq!(after(Op::Var, &["time"], &[("units", "m s-1")]).text("units"), Some("m2 s-2"));
        let a = after(Op::Count, &["time"], &[("units", "K"), ("standard_name", "air_temperature")]);
        assert_eq!(
            (a.text("units"), a.text("standard_name")),
            (Some("1"), Some("air_temperature number_of_observations"))
        );
        assert_eq!(after(Op::ArgMax, &["time"], &[("units", "K")]).text("units"), None);
        assert_eq!(after(Op::Range, &["x"], &[("units", "days since 1970-01-01")]).text("units"), Some("days"));
        assert_eq!(after(Op::Mean, &["x"], &[("flag_meanings", "land sea")]).text("flag_meanings"), None);
        assert_eq!(after(Op::Max, &["x"], &[("flag_meanings", "land sea")]).text("flag_meanings"), Some("land sea"));
    }
}
