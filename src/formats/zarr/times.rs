//! NumPy's dates and durations, which are integers, in CF's units.

use super::json::Json;
use crate::attrs::{Attrs, Value};

/// What NumPy calls a unit, and CF. Those whose lengths vary are left out.
const UNITS: [(&str, &str); 8] = [
    ("ns", "nanoseconds"),
    ("us", "microseconds"),
    ("ms", "milliseconds"),
    ("s", "seconds"),
    ("m", "minutes"),
    ("h", "hours"),
    ("D", "days"),
    ("W", "weeks"),
];

/// The integer that stands for no time.
const NAT: i64 = i64::MIN;

/// Dates, or durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    is_date: bool,
    unit: &'static str,
}

impl Times {
    fn new(kind: &str, unit: &str) -> Option<Times> {
        let is_date = match kind {
            "M8" | "numpy.datetime64" => true,
            "m8" | "numpy.timedelta64" => false,
            _ => return None,
        };
        Some(Times { is_date, unit: UNITS.iter().find(|u| u.0 == unit)?.1 })
    }

    /// Those of a type of version 2, as `<M8[ns]`.
    pub(super) fn of_v2(dtype: &str) -> Option<Times> {
        let (kind, unit) = dtype.trim_start_matches(['<', '>', '|', '=']).split_once('[')?;
        Times::new(kind, unit.strip_suffix(']')?)
    }

    /// Those of a type of version 3.
    pub(super) fn of_v3(name: &str, config: &Json) -> Option<Times> {
        let is_one = config.get("scale_factor").is_none_or(|n| n.as_u64() == Some(1));
        Times::new(name, config.get("unit")?.as_str()?).filter(|_| is_one)
    }

    /// A fill value as the integer that it stands for.
    pub(super) fn fill(json: &Json) -> Json {
        if json.as_str() == Some("NaT") { Times::nat() } else { json.clone() }
    }

    /// The fill value of arrays that declare none.
    pub(super) fn nat() -> Json {
        Json::from(NAT)
    }

    /// Says by attributes what the integers are.
    pub(super) fn declare(self, attrs: &mut Attrs) {
        if self.is_date {
            attrs.set("units", format!("{} since 1970-01-01", self.unit));
            attrs.set("calendar", "proleptic_gregorian");
        } else {
            attrs.set("units", self.unit);
        }
        attrs.set("_FillValue", Value::I64(vec![NAT]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn units_of_fixed_lengths_are_cfs() {
        let units = |times: Option<Times>| {
            let mut attrs = Attrs::new();
            times?.declare(&mut attrs);
            attrs.text("units").map(String::from)
        };
        assert_eq!(units(Times::of_v2("<M8[ns]")).as_deref(), Some("nanoseconds since 1970-01-01"));
        assert_eq!(units(Times::of_v2(">m8[D]")).as_deref(), Some("days"));
        let config = |unit, scale| json!({"unit": unit, "scale_factor": scale});
        let of = |name, config| units(Times::of_v3(name, &config));
        assert_eq!(of("numpy.datetime64", config("h", 1)).as_deref(), Some("hours since 1970-01-01"));
        for name in ["<M8[Y]", "<M8[10s]", "<M8", "<i8", "<M4[s]"] {
            assert_eq!(Times::of_v2(name), None, "{name}");
        }
        assert_eq!(of("numpy.datetime64", config("s", 10)), None);
        assert_eq!((Times::fill(&json!("NaT")), Times::fill(&json!(3))), (json!(i64::MIN), json!(3)));
    }
}
