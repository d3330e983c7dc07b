//! A computation whose results are in other units.

use super::{
    Computation, Wanted,
    adapted::var_mut,
    encoded::{forget_encoding, is_now, values},
};
use crate::{
    attrs::{Attrs, Value},
    cf::{
        measure::{self, Unit},
        names,
    },
    dtype::DType,
    error::{Error, Problem, Result},
    kernels::{fold::Op, lanes::OrderStatistic},
    source::VarMeta,
};

/// Units that results are wanted in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUnits {
    /// The variable; none for all results. One that several operations were asked of means all of those results.
    pub variable: Option<String>,
    /// The units, as they will be written.
    pub units: String,
}

impl Computation {
    /// The same with results in other units, before they are packed or cast. Of a variance the square is meant, and of
    /// standard deviations, ranges and other differences the unit without its zero.
    ///
    /// Values become floating ones, and keep the type that they are decoded to; how they were packed is forgotten.
    ///
    /// # Errors
    /// When there is no such result, it has no units, or they measure something else.
    pub fn in_units(&self, all: &[InUnits]) -> Result<Computation> {
        let mut out = self.clone();
        for one in all.iter().filter_map(|one| one.variable.as_deref()) {
            if !self.results.iter().any(|path| self.is_meant(one, path)) {
                return Err(Problem::NoSuchVariable { name: one.into(), known: self.results.clone() }.into());
            }
        }
        for k in 0..out.wanted.len() {
            let path = out.wanted[k].path.clone();
            if !self.results.contains(&path) {
                continue;
            }
            let own = all.iter().find(|one| one.variable.as_deref().is_some_and(|name| self.is_meant(name, &path)));
            let Some(one) = own.or_else(|| all.iter().find(|one| one.variable.is_none())) else { continue };
            let Some(meta) = var_mut(&mut out.schema, &path) else { continue };
            let changed = convert(&mut out.wanted[k], meta, &one.units).map_err(|e| e.in_variable(&path))?;
            if changed {
                out.packed.retain(|(packed, _)| *packed != path);
            }
        }
        Ok(out)
    }

    /// Whether a name means a result: it is its own, or its variable's.
    fn is_meant(&self, name: &str, path: &str) -> bool {
        let name = name.trim_start_matches('/');
        if self.results.iter().any(|own| own == name) {
            return path == name;
        }
        let operation = path.strip_prefix(name).and_then(|rest| rest.strip_prefix('_'));
        operation.is_some_and(|op| Op::from_name(op).is_ok() || OrderStatistic::NAMES.contains(&op))
    }
}

/// Converts one result, and says whether its values changed.
fn convert(wanted: &mut Wanted, meta: &mut VarMeta, units: &str) -> Result<bool> {
    let Some(text) = meta.attrs.text("units") else {
        return Err(Error::usage(
            "it has no units that could be converted; set them first, as with calc 't.units = \"K\"', or name those that have, \
             as --units t=degC",
        ));
    };
    let is_whole = !wanted.array.is_stored() && !wanted.array.dtype().is_float();
    if names::is_observations(&meta.attrs) || (is_whole && text == "1") {
        return Err(Error::usage("a number of observations has no other units"));
    }
    let mut units = units.trim().to_string();
    let (mut from, mut to) = (Unit::parse(text)?, Unit::parse(&units)?);
    match last_method(&meta.attrs) {
        Some("variance") if from.conversion_to(&to).is_err() => {
            to = to.power(2)?;
            units = to.to_string();
        }
        Some("standard_deviation" | "range") => (from, to) = (from.span(), to.span()),
        _ if measure::is_difference(&meta.attrs) => (from, to) = (from.span(), to.span()),
        _ => {}
    }
    let conversion = measure::conversion(&mut meta.attrs, &from, &to)?;
    if conversion.is_identity() {
        meta.attrs.set("units", units);
        return Ok(false);
    }
    let array = conversion.of_array(&values(wanted, meta)?)?;
    let dtype = array.dtype();
    let can_miss = ["_FillValue", "missing_value"].iter().any(|name| meta.attrs.get(name).is_some());
    forget_encoding(&mut meta.attrs);
    if can_miss && matches!(dtype, DType::F32 | DType::F64) {
        meta.attrs.set("_FillValue", Value::of_numbers(dtype, &[f64::NAN]));
    }
    meta.attrs.set("units", units);
    wanted.array = array;
    is_now(dtype, wanted, meta);
    Ok(true)
}

/// The method of the last entry of `cell_methods`, without its comment.
fn last_method(attrs: &Attrs) -> Option<&str> {
    let all = attrs.text("cell_methods")?;
    let all = all.trim().strip_suffix(')').and_then(|text| text.rsplit_once('(')).map_or(all, |(text, _)| text);
    let last = all.rsplit_once(':').map_or(all, |(_, last)| last);
    last.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_method_is_found() {
        let last = |text: &str| {
            let mut attrs = Attrs::new();
            attrs.set("cell_methods", text);
            last_method(&attrs).map(str::to_string)
        };
        assert_eq!(last("area: mean time: variance").as_deref(), Some("variance"));
        assert_eq!(last("time: mean lat: lon: range (window of 3 values)").as_deref(), Some("range"));
        assert_eq!(last("time: maximum within years time: mean over years").as_deref(), Some("mean"));
        assert_eq!(last(""), None);
    }
}
