//! Dates to positions: `1991-07`, `1991-01:2020-12`, and what is near a date.

use super::label::{Found, Near, Numbers};
use crate::{
    attrs::Attrs,
    cf::time::{Instant, PartialDate, TimeRange, TimeUnits},
    error::{Error, Result},
};

/// The labels of an axis of time.
pub(super) struct Times {
    units: TimeUnits,
    values: Vec<f64>,
    instants: Vec<Option<Instant>>,
}

/// One step of what is coarser than this stays a dimension.
const DAY_MICROSECONDS: i64 = 86_400_000_000;

impl Times {
    /// Numbers as times, where their units say that they are, and in a way that can be read.
    pub fn of(attrs: &Attrs, values: &[f64]) -> Option<Times> {
        let units = TimeUnits::of(attrs).ok()??;
        let instants = values.iter().map(|&x| units.decode(x)).collect::<Result<_>>().ok()?;
        Some(Times { units, values: values.to_vec(), instants })
    }

    /// The positions that dates mean. A month or a year stays a dimension, however many steps it has; a day or a time
    /// that is one step does not.
    ///
    /// # Errors
    /// When the text says no dates, or nothing lies there.
    pub fn find(&self, text: &str, near: Near) -> Result<Found> {
        let said = |e: Error| Error::usage(e.to_string());
        let calendar = self.units.calendar();
        if near.inexact.is_some() && text.split(',').all(|word| PartialDate::parse(word.trim()).is_ok()) {
            let each = text.split(',').map(|word| self.near(word.trim(), near));
            let positions = each.collect::<Result<Vec<u64>>>()?;
            return Ok(Found { is_one: positions.len() == 1, positions, moved: Vec::new() });
        }
        if text.contains(',') {
            let mut positions = Vec::new();
            for word in text.split(',') {
                let (from, to) = PartialDate::parse(word.trim()).and_then(|d| d.range(calendar)).map_err(said)?;
                positions.extend(self.inside(Some(from), Some(to), word.trim())?);
            }
            return Ok(Found { positions, ..Found::default() });
        }
        let (from, to) = TimeRange::parse(text).and_then(|r| r.bounds(calendar)).map_err(said)?;
        let positions = self.inside(from, to, text)?;
        let is_step = |from: Instant, to: Instant| to.microseconds() - from.microseconds() <= DAY_MICROSECONDS;
        let is_one = match (from, to, &*positions) {
            (Some(from), Some(to), &[at]) => {
                PartialDate::parse(text).is_ok()
                    && is_step(from, to)
                    && self.instants.get(at as usize) == Some(&Some(from))
            }
            _ => false,
        };
        Ok(Found { positions, is_one, moved: Vec::new() })
    }

    fn inside(&self, from: Option<Instant>, to: Option<Instant>, text: &str) -> Result<Vec<u64>> {
        let is_in =
            |at: &Option<Instant>| at.is_some_and(|at| from.is_none_or(|f| at >= f) && to.is_none_or(|t| at < t));
        let found: Vec<u64> =
            (0..self.instants.len()).filter(|&k| is_in(&self.instants[k])).map(|k| k as u64).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let known = || self.instants.iter().flatten().copied();
        let date = |at: Instant| self.units.calendar().date(at).to_string();
        let extent = match (known().min(), known().max()) {
            (Some(first), Some(last)) => format!("it goes from {} to {}", date(first), date(last)),
            _ => "it has no times".to_string(),
        };
        let around = match (from, to) {
            (Some(from), Some(to)) => {
                let (before, after) = (known().filter(|at| *at < from).max(), known().filter(|at| *at >= to).min());
                before.zip(after).map(|(a, b)| format!("its neighbours are {} and {}", date(a), date(b)))
            }
            _ => None,
        };
        Err(Error::usage(format!("nothing lies in {text}; {}", around.unwrap_or(extent))))
    }

    fn near(&self, word: &str, near: Near) -> Result<u64> {
        let said = |e: Error| Error::usage(e.to_string());
        let (from, _) = PartialDate::parse(word).and_then(|d| d.range(self.units.calendar())).map_err(said)?;
        let shown = |x: f64| match self.units.decode(x) {
            Ok(Some(at)) => self.units.calendar().date(at).to_string(),
            _ => x.to_string(),
        };
        let numbers = Numbers { values: &self.values, slack: 0.0, circle: false, near, shown: &shown };
        numbers.one(self.units.encode(from)).map(|found| found.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Inexact;

    fn times(units: &str, calendar: &str, values: &[f64]) -> Times {
        let mut attrs = Attrs::new();
        attrs.set("units", units);
        attrs.set("calendar", calendar);
        Times::of(&attrs, values).unwrap()
    }

    fn at(times: &Times, text: &str) -> (Vec<u64>, bool) {
        let found = times.find(text, Near::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        (found.positions, found.is_one)
    }

    #[test]
    fn dates_are_periods() {
        let half_days: Vec<f64> = (0..200).map(|k| f64::from(k) * 12.0).collect();
        let t = times("hours since 2000-01-01", "standard", &half_days);
        assert_eq!(at(&t, "2000-01-02"), (vec![2, 3], false));
        assert_eq!(at(&t, "2000-01-02T12"), (vec![3], true));
        assert_eq!(at(&t, "2000-03:").0.len(), 200 - 120);
        assert_eq!(at(&t, "2000-01-02T12:2000-01-03T00:00").0, [3, 4]);
        assert_eq!(at(&t, ":2000-01-01").0, [0, 1]);
        assert_eq!(at(&t, "2000-01-05,2000-01-01").0, [8, 9, 0, 1]);
        let days = times("days since 2000-01-01", "360_day", &[0.0, 29.0, 30.0, 59.0, 60.0]);
        assert_eq!(at(&days, "2000-02-30"), (vec![3], true), "a date that only this calendar has");
        assert_eq!(at(&days, "2000-03"), (vec![4], false), "a month stays a dimension");
        let leap = times("days since 2000-02-28", "noleap", &[0.0, 1.0]);
        assert_eq!(at(&leap, "2000-03-01").0, [1]);
    }

    #[test]
    fn what_is_not_there_is_said_in_dates() {
        let t = times("days since 2000-01-01", "standard", &[0.0, 31.0, 60.0]);
        let says = |text: &str| t.find(text, Near::default()).unwrap_err().to_string();
        assert_eq!(says("1999"), "nothing lies in 1999; it goes from 2000-01-01T00:00:00 to 2000-03-01T00:00:00");
        assert!(says("2000-01-15").contains("its neighbours are 2000-01-01T00:00:00 and 2000-02-01T00:00:00"));
        assert!(says("2000-13").contains("2000-13"), "{}", says("2000-13"));
        let near = |how, tolerance| Near { inexact: Some(how), tolerance };
        let one = |text: &str, near: Near| t.find(text, near).map(|f| (f.positions, f.is_one));
        assert_eq!(one("2000-01-20", near(Inexact::Nearest, None)).unwrap(), (vec![1], true));
        assert_eq!(one("2000-01-20", near(Inexact::Before, None)).unwrap(), (vec![0], true));
        assert_eq!(one("2000-02", near(Inexact::Behind, None)).unwrap(), (vec![1], true), "its beginning");
        let e = one("2000-01-20", near(Inexact::Nearest, Some(5.0))).unwrap_err().to_string();
        assert!(e.contains("there is no 2000-01-20T00:00:00"), "{e}");
    }
}
