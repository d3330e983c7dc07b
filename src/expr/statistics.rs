//! Trends, relations and spells along dimensions, with the units that they have.

use super::{
    attributes::Kept,
    bind::Binder,
    call::{Call, axes, axis},
    known::Coordinate,
    units,
    value::{At, Bound, Quantity, float, integer, wrong},
};
use crate::{
    array::{LazyArray, Spacing},
    cf::{measure, time::is_time},
    dataset::{Cells, Statistic},
    dtype::DType,
    kernels::fold::{FoldOptions, Op, Spell},
};

impl Binder<'_> {
    /// Functions of series.
    pub fn statistic(&mut self, call: &Call) -> Bound<Quantity> {
        match call.name {
            "slope" | "intercept" | "trend" | "detrend" => self.line(call),
            "derivative" => self.derivative(call),
            "corr" | "cov" | "regress" => self.relation(call),
            "clim" => self.climatology(call),
            "anom" | "standardize" => match self.deviation_from_groups(call)? {
                Some(deviation) => Ok(deviation),
                None => self.deviation(call),
            },
            "longest_spell" | "spells" | "spell_count" => self.spell(call),
            name => wrong(call.span, format!("{name} is not available")),
        }
    }

    /// The straight line through a series along its coordinate, or its steps where it has none.
    fn line(&mut self, call: &Call) -> Bound<Quantity> {
        let x = self.array(call.required("x")?)?;
        let at = axis(call.required("axis")?, &x)?;
        let coordinate = self.coordinate(&x, at)?;
        let steps = || (0..x.array.shape()[at as usize]).map(|k| k as f64).collect();
        let places = coordinate.as_ref().map_or_else(steps, |c| c.values.clone());
        let weights = self.weights(call, &x)?;
        let fit = match &weights {
            Some(found) => x.array.fit_by(&places, &found.weights, at),
            None => x.array.fit(&places, at),
        };
        let fit = fit.at(call.span)?;
        match call.name {
            "trend" => Ok(x.with(fit.line().at(call.span)?, Kept::All)),
            "detrend" => {
                let mut out = x.with(fit.residual().at(call.span)?, Kept::Units);
                measure::difference(&mut out.attrs);
                Ok(out)
            }
            "intercept" => Ok(without(&x, &[at], x.with(fit.intercept().at(call.span)?, Kept::Units))),
            _ => {
                let mut out = without(&x, &[at], x.with(fit.slope().at(call.span)?, Kept::Links));
                set_units(&mut out, rate(&x, coordinate.as_ref()));
                Ok(out)
            }
        }
    }

    fn derivative(&mut self, call: &Call) -> Bound<Quantity> {
        let x = self.array(call.required("x")?)?;
        let at = axis(call.required("axis")?, &x)?;
        let coordinate = self.coordinate(&x, at)?;
        let spacing = match &coordinate {
            None => Spacing::Uniform(1.0),
            Some(c) => {
                let ascends = c.values.is_sorted_by(|a, b| a < b) || c.values.is_sorted_by(|a, b| a > b);
                if !ascends {
                    return wrong(call.span, "a derivative needs a coordinate that ascends or descends throughout");
                }
                Spacing::At(c.values.clone())
            }
        };
        let mut out = x.with(x.array.gradient(spacing, at).at(call.span)?, Kept::Links);
        set_units(&mut out, rate(&x, coordinate.as_ref()));
        Ok(out)
    }

    /// Two arrays, broadcast together: correlation, covariance, regression.
    fn relation(&mut self, call: &Call) -> Bound<Quantity> {
        let (x, y) = (self.array(call.required("x")?)?, self.array(call.required("y")?)?);
        let [x, y] = self.places.together([&x, &y])?;
        let both = LazyArray::broadcast_arrays(&[x.array.clone(), y.array.clone()]).at(call.span)?;
        let Some(shape) = both.into_iter().next() else { return wrong(call.span, "two arrays are needed") };
        let mut together = Quantity::of(shape, Kept::Links, &[&x, &y]);
        let along = axes(&call.args.rest, &together)?;
        let along = if along.is_empty() { together.array.all_axes() } else { along };
        let found = self.weights(call, &together)?;
        let weights = found.as_ref().map(|found| &found.weights);
        let (a, b) = (&x.array, &y.array);
        let array = match (call.name, weights) {
            ("corr", None) => a.nancorrcoef(b, &along),
            ("corr", Some(weights)) => a.corrcoef_by(b, weights, &along),
            ("cov", None) => a.nancov(b, &along, ddof(call)?),
            ("cov", Some(weights)) => a.cov_by(b, weights, &along, ddof(call)?),
            (_, None) => a.regression(b, &along),
            (_, Some(weights)) => a.regression_by(b, weights, &along),
        };
        let array = array.at(call.span)?;
        let units = match call.name {
            "corr" => Some("1".to_string()),
            "cov" => units::of_deviations(&x.attrs, &y.attrs),
            _ => units::of_change(&x.attrs, &y.attrs),
        };
        let shape = std::mem::replace(&mut together.array, array.clone());
        let whole = Quantity { array: shape, ..together.clone() };
        let mut out = without(&whole, &along, together);
        set_units(&mut out, units);
        Ok(out)
    }

    /// Less the mean, and over the deviation.
    fn deviation(&mut self, call: &Call) -> Bound<Quantity> {
        let x = self.array(call.required("x")?)?;
        let along = axes(&call.args.rest, &x)?;
        let along = if along.is_empty() { x.array.all_axes() } else { along };
        let found = self.weights(call, &x)?;
        let weights = found.as_ref().map(|found| &found.weights);
        let mut places = along.clone();
        places.sort_unstable();
        let of = |x: &LazyArray, op: Op, ddof: f64| {
            let options = FoldOptions { ddof, ..FoldOptions::default() };
            let cells = Cells { axes: &along, groups: None, weights, options };
            Statistic::from(op).of(x, &cells)?.expand_dims(&places)
        };
        if call.name == "anom" {
            let anomaly = of(&x.array, Op::Mean, 0.0).and_then(|mean| x.array.subtract(&mean));
            let mut out = x.with(anomaly.at(call.span)?, Kept::Units);
            measure::difference(&mut out.attrs);
            return Ok(out);
        }
        let ddof = ddof(call)?;
        let wide = x.array.astype(DType::F64);
        let standardized = || wide.standardized_by(&of(&wide, Op::Mean, 0.0)?, &of(&wide, Op::Std, ddof)?);
        let dtype = if x.array.dtype().is_float() { x.array.dtype() } else { DType::F64 };
        let mut out = x.with(standardized().at(call.span)?.astype(dtype), Kept::Links);
        set_units(&mut out, Some("1".to_string()));
        Ok(out)
    }

    fn spell(&mut self, call: &Call) -> Bound<Quantity> {
        let x = self.array(call.required("condition")?)?;
        let at = axis(call.required("axis")?, &x)?;
        let least = || -> Bound<u64> {
            let n = call.required("n")?;
            match u64::try_from(integer(n, "n")?) {
                Ok(least) if least > 0 => Ok(least),
                _ => wrong(n.span, "n is at least 1"),
            }
        };
        let spell = match call.name {
            "longest_spell" => Spell::Longest,
            "spells" => Spell::Days(least()?),
            _ => Spell::Count(least()?),
        };
        let mut out = without(&x, &[at], x.with(x.array.spells(spell, at).at(call.span)?, Kept::Links));
        set_units(&mut out, Some("1".to_string()));
        Ok(out)
    }
}

/// Degrees of freedom that are taken off.
pub(super) fn ddof(call: &Call) -> Bound<f64> {
    call.given("ddof").map_or(Ok(0.0), |e| float(e, "ddof"))
}

/// What is said of a quantity whose dimensions `axes` of `x` are gone.
fn without(x: &Quantity, axes: &[i64], mut out: Quantity) -> Quantity {
    let gone: Vec<&String> = axes.iter().filter_map(|&k| x.dims().get(k as usize)).collect();
    out.attrs.remove("cell_measures");
    out.taken.retain(|(dim, _)| !gone.contains(&dim));
    out
}

/// Units of a change with a coordinate; those of the values for one with a step.
fn rate(x: &Quantity, coordinate: Option<&Coordinate>) -> Option<String> {
    match coordinate {
        None => x.attrs.text("units").filter(|_| !is_time(&x.attrs)).map(str::to_string),
        Some(c) => units::of_change(&x.attrs, &c.attrs),
    }
}

fn set_units(out: &mut Quantity, units: Option<String>) {
    match units {
        Some(units) => {
            out.attrs.set("units", units);
            // A change of so many K is no temperature.
            measure::difference(&mut out.attrs);
        }
        None => drop(out.attrs.remove("units")),
    }
}
