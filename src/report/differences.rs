//! What differs between two files, in lines: the variable or group, what of it, and both sides of it.

use super::{
    number::Number,
    text::{attribute, escape},
};
use crate::{
    attrs::Value,
    dataset::{Difference, Outcome, Pair, Part},
    dtype::DType,
};
use std::io::{Result, Write};

/// One difference of metadata.
///
/// # Errors
/// When `w` refuses.
pub fn metadata(w: &mut dyn Write, difference: &Difference) -> Result<()> {
    let Difference { path, part, first, second, .. } = difference;
    let what = match part {
        Part::Group => "it is there".to_string(),
        Part::Dimension(name) => format!("dimension '{}'", escape(name)),
        Part::Unlimited(name) => format!("whether dimension '{}' is unlimited", escape(name)),
        Part::Attribute(name) => format!("attribute '{}'", escape(name)),
        Part::AttributeType(name) => format!("type of attribute '{}'", escape(name)),
        Part::Variable => "type".to_string(),
        Part::Type => "type".to_string(),
        Part::Dimensions => "dimensions".to_string(),
        Part::Texts => "strings, the first".to_string(),
        Part::Chunks => "chunks".to_string(),
        Part::Filters => "filters".to_string(),
    };
    let owner = match (part, path.as_str()) {
        (Part::Group | Part::Dimension(_) | Part::Unlimited(_), "") => "file".to_string(),
        (Part::Group | Part::Dimension(_) | Part::Unlimited(_), group) => format!("group '{}'", escape(group)),
        (_, "") => "file".to_string(),
        (_, variable) => format!("'{}'", escape(variable)),
    };
    let side = |value: &Option<Value>| match (value, part) {
        (None, _) => "nothing".to_string(),
        (Some(_), Part::Group) => "a group".to_string(),
        (Some(value), Part::AttributeType(_)) => kind(value),
        (Some(Value::Text(text)), Part::Attribute(_) | Part::Texts) => {
            format!("\"{}\"", attribute(&text.as_str().into()))
        }
        (Some(value), _) => attribute(value),
    };
    writeln!(w, "{owner}: {what}: {} | {}", side(first), side(second))
}

/// The type of an attribute with its value.
fn kind(value: &Value) -> String {
    let name = match value {
        Value::Text(_) => "text".to_string(),
        Value::Texts(_) => "strings".to_string(),
        Value::Json(_) => "json".to_string(),
        numbers => numbers.dtype().map_or_else(String::new, |d| d.to_string()),
    };
    format!("{name} {}", attribute(value))
}

/// How the values of a variable differ. `at` is the first differing value in each file.
///
/// # Errors
/// When `w` refuses.
pub fn values(w: &mut dyn Write, pair: &Pair, outcome: &Outcome, at: &[(DType, Vec<u8>)]) -> Result<()> {
    let size = pair.size();
    let part = 100.0 * outcome.differing as f64 / size.max(1) as f64;
    write!(w, "'{}': values: {} of {size} differ ({part:.3}%)", escape(&pair.path), outcome.differing)?;
    if outcome.missing_in_one > 0 {
        write!(w, ", {} are missing in one file", outcome.missing_in_one)?;
    }
    if outcome.largest > 0.0 {
        write!(w, ", by {:?} at most", outcome.largest)?;
    }
    if let Some(first) = &outcome.first {
        let places: Vec<String> = pair.dims.iter().zip(first).map(|(dim, n)| format!("{}={n}", escape(dim))).collect();
        let of = |k: usize| {
            at.get(k).and_then(|(dtype, bytes)| Number::at(*dtype, bytes, 0)).map_or_else(String::new, Number::exact)
        };
        write!(w, "; first [{}]: {} | {}", places.join(", "), of(0), of(1))?;
    }
    writeln!(w)
}
