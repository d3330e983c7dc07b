//! Units of time: `hours since 1990-01-01 00:00:00.5 +01:00`.

use super::{
    calendar::{Calendar, refused},
    date::{DAY, Date, HOUR, Instant, MINUTE},
    float, text,
};
use crate::{attrs::Attrs, error::Result};
use std::fmt;

/// What times are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A thousandth of a microsecond: times are rounded to whole microseconds.
    Nanosecond,
    /// The finest time that is told apart.
    Microsecond,
    /// 1000 microseconds.
    Millisecond,
    /// A second.
    Second,
    /// 60 seconds.
    Minute,
    /// 3600 seconds.
    Hour,
    /// 24 hours.
    Day,
    /// Seven days.
    Week,
    /// 30 days, in the calendar `360_day` alone.
    Month,
    /// 365 days, in the calendar `noleap` alone.
    CommonYear,
}

/// Spellings of cftime and UDUNITS in small letters; the first of each unit is the one that is written.
const SPELLINGS: [(Unit, &[&str]); 10] = [
    (Unit::Nanosecond, &["nanoseconds", "nanosecond", "nanosec", "nanosecs", "nsec", "nsecs", "ns"]),
    (Unit::Microsecond, &["microseconds", "microsecond", "microsec", "microsecs", "usec", "usecs", "us", "\u{b5}s"]),
    (Unit::Millisecond, &["milliseconds", "millisecond", "millisec", "millisecs", "msec", "msecs", "ms"]),
    (Unit::Second, &["seconds", "second", "sec", "secs", "s"]),
    (Unit::Minute, &["minutes", "minute", "min", "mins"]),
    (Unit::Hour, &["hours", "hour", "hr", "hrs", "h"]),
    (Unit::Day, &["days", "day", "d"]),
    (Unit::Week, &["weeks", "week"]),
    (Unit::Month, &["months", "month"]),
    (Unit::CommonYear, &["common_years", "common_year"]),
];

impl Unit {
    /// The unit of that name, in whatever case and in the plural or not.
    pub fn named(name: &str) -> Option<Unit> {
        let name = name.trim().to_lowercase();
        SPELLINGS.iter().find(|(_, all)| all.contains(&name.as_str())).map(|(unit, _)| *unit)
    }

    /// Its name as it is written, in the plural.
    pub fn name(self) -> &'static str {
        SPELLINGS.iter().find(|(unit, _)| *unit == self).map_or("", |(_, all)| all[0])
    }

    /// Its length in microseconds; none for what is shorter than one.
    pub fn microseconds(self) -> Option<u64> {
        let length = match self {
            Unit::Nanosecond => return None,
            Unit::Microsecond => 1,
            Unit::Millisecond => 1000,
            Unit::Second => 1_000_000,
            Unit::Minute => MINUTE,
            Unit::Hour => HOUR,
            Unit::Day => DAY,
            Unit::Week => 7 * DAY,
            Unit::Month => 30 * DAY,
            Unit::CommonYear => 365 * DAY,
        };
        Some(length as u64)
    }
}

/// How a variable counts time: a unit, a reference instant, and the calendar of both.
///
/// # Example
/// ```
/// use aosx::cf::time::{Calendar, TimeUnits};
/// let units = TimeUnits::parse("hours since 1990-02-28 12:00", Calendar::NoLeap)?;
/// let Some(instant) = units.decode(12.5)? else { panic!("it is a number") };
/// assert_eq!(Calendar::NoLeap.date(instant).to_string(), "1990-03-01T00:30:00");
/// assert_eq!(units.encode(instant), 12.5);
/// # Ok::<(), aosx::error::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeUnits {
    unit: Unit,
    reference: Instant,
    calendar: Calendar,
}

/// Whether attributes say that numbers are times: `units` that count since a date.
pub fn is_time(attrs: &Attrs) -> bool {
    attrs.text("units").is_some_and(|units| units.contains(" since "))
}

impl TimeUnits {
    /// Those that attributes say; `None` where they say no time.
    ///
    /// # Errors
    /// As [`parse`](TimeUnits::parse), and when there is no such calendar.
    pub fn of(attrs: &Attrs) -> Result<Option<TimeUnits>> {
        match attrs.text("units").filter(|_| is_time(attrs)) {
            Some(text) => TimeUnits::parse(text, Calendar::named(attrs.text("calendar"))?).map(Some),
            None => Ok(None),
        }
    }

    /// Units that count from an instant.
    pub fn new(unit: Unit, reference: Instant, calendar: Calendar) -> TimeUnits {
        TimeUnits { unit, reference, calendar }
    }

    /// Reads an attribute `units`, with xarray's and cftime's rules.
    ///
    /// Weeks, and what UDUNITS writes beside that (`12:00 -6:00`, an hour alone), are read as well. A time zone is
    /// taken away. Months are a unit in the calendar `360_day` alone, and common years in `noleap` alone.
    ///
    /// # Errors
    /// When it is not `<unit> since <date>`, the unit has no fixed length, or the calendar has no such date.
    pub fn parse(text: &str, calendar: Calendar) -> Result<TimeUnits> {
        let wrong = |detail: &str| refused("time units", text, detail);
        let mut words = text.split_whitespace();
        let (unit, since) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if !since.eq_ignore_ascii_case("since") {
            return Err(wrong("they are not of the form 'days since 1990-01-01'"));
        }
        let unit = Unit::named(unit).ok_or_else(|| wrong(no_unit(unit)))?;
        if unit == Unit::Month && calendar != Calendar::Day360 {
            return Err(wrong("months have a fixed length in the calendar 360_day alone; use days"));
        }
        if unit == Unit::CommonYear && calendar != Calendar::NoLeap {
            return Err(wrong("common years are a unit of the calendar noleap alone; use days"));
        }
        let date = text::read(&words.collect::<Vec<_>>().join(" ")).map_err(|why| wrong(&why))?;
        let zone = i64::from(date.zone.unwrap_or(0)) * MINUTE;
        let date = Date {
            year: date.year,
            month: date.month.unwrap_or(1),
            day: date.day.unwrap_or(1),
            hour: date.hour.unwrap_or(0),
            minute: date.minute.unwrap_or(0),
            second: date.second.unwrap_or(0),
            microsecond: date.fraction.map_or(0, |f| f.0),
        };
        let local = calendar.instant(&date).map_err(|e| wrong(&e.to_string()))?;
        let reference = local.checked_add(-zone).ok_or_else(|| wrong("that is too far from 1970"))?;
        Ok(TimeUnits { unit, reference, calendar })
    }

    /// The unit.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The instant of the number zero.
    pub fn reference(&self) -> Instant {
        self.reference
    }

    /// The calendar.
    pub fn calendar(&self) -> Calendar {
        self.calendar
    }

    /// The instant of a number, to the nearest microsecond as cftime rounds; none for a missing number (NaN, and
    /// infinite ones).
    ///
    /// As in cftime, a microsecond more or less than a whole second is taken for noise and dropped, unless the unit is
    /// that small. 32-bit floats are to be widened first.
    ///
    /// # Errors
    /// When it is further than 292,000 years away.
    pub fn decode(&self, value: f64) -> Result<Option<Instant>> {
        if !value.is_finite() {
            return Ok(None);
        }
        let since = match self.unit.microseconds() {
            Some(length) => {
                let coarse = !matches!(self.unit, Unit::Microsecond | Unit::Millisecond);
                float::scaled(value, length, coarse)
            }
            None => float::scaled(value, 1, false).map(thousandth),
        };
        let instant = since.and_then(|s| self.reference.checked_add(s));
        instant.map(Some).ok_or_else(|| self.too_far(&value))
    }

    /// The instant of a whole number, exactly (but nanoseconds, which are rounded).
    ///
    /// # Errors
    /// When it is further than 292,000 years away.
    pub fn decode_i64(&self, value: i64) -> Result<Instant> {
        let since = match self.unit.microseconds() {
            Some(length) => i64::try_from(i128::from(value) * i128::from(length)).ok(),
            None => Some(thousandth(value)),
        };
        since.and_then(|s| self.reference.checked_add(s)).ok_or_else(|| self.too_far(&value))
    }

    /// The number of an instant: the nearest float.
    pub fn encode(&self, instant: Instant) -> f64 {
        let since = self.since(instant);
        match self.unit.microseconds() {
            Some(length) => float::ratio(since, length),
            None => (since * 1000) as f64,
        }
    }

    /// The number of an instant where it is a whole one.
    pub fn encode_i64(&self, instant: Instant) -> Option<i64> {
        let since = self.since(instant);
        let whole = match self.unit.microseconds() {
            Some(length) => (since % i128::from(length) == 0).then_some(since / i128::from(length))?,
            None => since * 1000,
        };
        i64::try_from(whole).ok()
    }

    fn since(&self, instant: Instant) -> i128 {
        i128::from(instant.microseconds()) - i128::from(self.reference.microseconds())
    }

    fn too_far(&self, value: &dyn fmt::Display) -> crate::error::Error {
        let text = format!("{value} {self}");
        refused("time", &text, "it is further away than the 292,000 years that are counted in microseconds")
    }
}

impl fmt::Display for TimeUnits {
    /// As an attribute has it: `hours since 1990-01-01T00:00:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} since {}", self.unit.name(), self.calendar.date(self.reference))
    }
}

/// A thousandth, to the nearest whole number, halves to even.
fn thousandth(value: i64) -> i64 {
    let (whole, rest) = (value.div_euclid(1000), value.rem_euclid(1000));
    whole + i64::from(rest > 500 || (rest == 500 && whole % 2 != 0))
}

/// Why that is no unit of time.
fn no_unit(name: &str) -> &'static str {
    match name.to_lowercase().as_str() {
        "year" | "years" | "yr" | "yrs" | "y" | "a" => {
            "years have no fixed length (UDUNITS takes 365.242198781 days); use days, or common_years with the calendar \
             noleap"
        }
        _ => "its unit is none of weeks, days, hours, minutes, seconds, milliseconds, microseconds and nanoseconds",
    }
}
