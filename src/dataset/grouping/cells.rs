//! What time groups cover: the bounds of their cells (CF 7.1), or those of climatologies (CF 7.4).

use super::{By, Time, keys::Column, variable};
use crate::{
    array::Groups,
    cf::time::{Calendar, Date, Instant, Part},
    dataset::Dataset,
    error::Result,
};

/// The time that each group covers.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeCells {
    /// The path of the coordinate of time that it is computed from.
    pub of: String,
    /// The path of the coordinate that says so.
    pub coordinate: String,
    /// A time for each group, in the coordinate's units.
    pub times: Vec<f64>,
    /// Where each begins and ends, in the same units.
    pub bounds: Vec<[f64; 2]>,
    /// What is repeated, where a group takes the same part of several periods.
    pub climatology: Option<Repeats>,
}

/// The periods of a climatology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// The same months, seasons or days of several years.
    Years,
    /// The same hours of several days.
    Days,
}

impl TimeCells {
    /// What groups by one coordinate of time cover, where they do no more than that: the cells of its groups, which may be
    /// of several parts at once. None where nothing is a part of a date.
    ///
    /// A group that is empty covers nothing: its bounds are missing.
    pub(super) fn of(
        dataset: &Dataset,
        by: &[By],
        columns: &[Column],
        labels: &[u32],
        count: u32,
    ) -> Result<Option<TimeCells>> {
        let is_time = |by: &By| !matches!(by, By::Values(_) | By::Bins { .. });
        let Some(first) = by.first().filter(|_| by.iter().all(is_time)) else { return Ok(None) };
        if by.iter().any(|other| other.variable() != first.variable()) {
            return Ok(None);
        }
        let time = Time::of(dataset, first.variable())?;
        let encode = |at: Instant| time.units.encode(at);
        let coordinate = variable(dataset, first.variable())?.path.clone();
        if let ([By::Every { .. }], [column]) = (by, columns)
            && let (Some(spans), super::Labels::Numbers(times)) = (&column.spans, &column.key.labels)
        {
            let bounds = spans.iter().map(|span| span.map(encode)).collect();
            return Ok(Some(TimeCells {
                of: coordinate.clone(),
                coordinate,
                times: times.clone(),
                bounds,
                climatology: None,
            }));
        }
        // The first and the last time in each group.
        let mut ends: Vec<Option<[Instant; 2]>> = vec![None; count as usize];
        for (label, at) in labels.iter().zip(&time.instants) {
            if let (Some(at), true) = (*at, *label != Groups::NONE) {
                let end = &mut ends[*label as usize];
                *end = Some(end.map_or([at, at], |[a, b]| [a.min(at), b.max(at)]));
            }
        }
        let calendar = time.units.calendar();
        let finest = finest(by);
        let climatology = repeats(by);
        let of_seasons = climatology.is_none() && by.iter().any(|by| matches!(by, By::Seasons { .. }));
        let (mut times, mut bounds) = (Vec::new(), Vec::new());
        for end in ends {
            let Some([first, last]) = end else {
                times.push(f64::NAN);
                bounds.push([f64::NAN; 2]);
                continue;
            };
            let (from, until) = (finest.period(calendar, first)?, finest.period(calendar, last)?);
            let middle_of = if of_seasons { [from[0], until[1]] } else { from };
            times.push((encode(middle_of[0]) + encode(middle_of[1])) / 2.0);
            bounds.push([encode(from[0]), encode(until[1])]);
        }
        Ok(Some(TimeCells { of: coordinate.clone(), coordinate, times, bounds, climatology }))
    }
}

/// The shortest of the periods that groups are of.
fn finest(by: &[By]) -> Period {
    match by.iter().map(Period::of).max() {
        // The winter of a year has its first months and its last.
        Some(Period::Seasons) if by.len() > 1 => Period::Month,
        finest => finest.unwrap_or(Period::Year),
    }
}

/// What a climatology goes over: parts of years without the year, or of days without the day.
fn repeats(by: &[By]) -> Option<Repeats> {
    let has = |wanted: &[Part]| by.iter().any(|b| matches!(b, By::Part { part, .. } if wanted.contains(part)));
    if has(&[Part::Date]) {
        return None;
    }
    let of_days = has(&[Part::Hour, Part::Minute, Part::Second, Part::Microsecond]);
    let of_years = by.iter().any(|b| matches!(b, By::Seasons { .. }))
        || has(&[Part::Month, Part::Season, Part::DayOfYear, Part::Quarter, Part::Week, Part::Day, Part::DaysInMonth]);
    match (of_days, of_years, has(&[Part::Year])) {
        (true, _, _) => Some(Repeats::Days),
        (_, true, false) => Some(Repeats::Years),
        _ if has(&[Part::DayOfWeek]) => Some(Repeats::Years),
        _ => None,
    }
}

/// How long the periods of groups are, the longest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Period {
    Year,
    Seasons,
    Quarter,
    Month,
    Day,
    Moment,
}

impl Period {
    fn of(by: &By) -> Period {
        let By::Part { part, .. } = by else { return Period::Month };
        match part {
            Part::Year => Period::Year,
            Part::Season => Period::Seasons,
            Part::Quarter => Period::Quarter,
            Part::Month | Part::DaysInMonth => Period::Month,
            Part::Day | Part::DayOfYear | Part::DayOfWeek | Part::Week | Part::Date => Period::Day,
            Part::Hour | Part::Minute | Part::Second | Part::Microsecond => Period::Moment,
        }
    }

    /// The period that an instant lies in.
    fn period(&self, calendar: Calendar, at: Instant) -> Result<[Instant; 2]> {
        let date = calendar.date(at);
        let month = calendar.month_number(at);
        let months = |back: u8, n: i64| -> Result<[Instant; 2]> {
            let first = month - i64::from(back);
            Ok([calendar.month_start(first)?, calendar.month_start(first + n)?])
        };
        match self {
            Period::Year => months(date.month - 1, 12),
            Period::Seasons => months(date.month % 12 % 3, 3),
            Period::Quarter => months((date.month - 1) % 3, 3),
            Period::Month => months(0, 1),
            Period::Day => {
                let start = calendar.instant(&Date::midnight(date.year, date.month, date.day))?;
                Ok([start, start.checked_add(86_400_000_000).unwrap_or(start)])
            }
            Period::Moment => Ok([at, at]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_the_calendars() {
        let calendar = Calendar::NoLeap;
        let at = calendar.instant(&Date { hour: 6, ..Date::midnight(2000, 1, 17) }).unwrap();
        let shown = |period: Period| period.period(calendar, at).unwrap().map(|at| calendar.date(at).to_string());
        let days = |a: &str, b: &str| [a, b].map(|day| format!("{day}T00:00:00"));
        assert_eq!(shown(Period::Month), days("2000-01-01", "2000-02-01"));
        assert_eq!(shown(Period::Seasons), days("1999-12-01", "2000-03-01"));
        assert_eq!(shown(Period::Quarter), days("2000-01-01", "2000-04-01"));
        assert_eq!(shown(Period::Year), days("2000-01-01", "2001-01-01"));
        assert_eq!(shown(Period::Day), days("2000-01-17", "2000-01-18"));
    }

    #[test]
    fn a_climatology_takes_the_same_part_of_several_periods() {
        let of = |texts: &[&str]| repeats(&texts.iter().map(|t| By::parse(t).unwrap()).collect::<Vec<_>>());
        assert_eq!(of(&["time.month"]), Some(Repeats::Years));
        assert_eq!(of(&["time.year", "time.month"]), None);
        assert_eq!(of(&["time.year"]), None);
        assert_eq!(of(&["time.hour"]), Some(Repeats::Days));
        assert_eq!(of(&["time.season(JJAS)"]), Some(Repeats::Years));
        assert_eq!(of(&["time.date"]), None);
    }
}
