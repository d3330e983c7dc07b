//! Instants and the dates that calendars write them as.

use std::fmt;

/// Microseconds of a minute.
pub(super) const MINUTE: i64 = 60_000_000;
/// Microseconds of an hour.
pub(super) const HOUR: i64 = 60 * MINUTE;
/// Microseconds of a day, which has no leap seconds in any calendar.
pub(super) const DAY: i64 = 24 * HOUR;

/// Microseconds since 1970-01-01T00:00:00 of a calendar: exact, and in the order of time within that calendar.
///
/// Sixty-four bits reach 292,000 years either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// That many microseconds after the start of 1970.
    pub const fn from_microseconds(microseconds: i64) -> Instant {
        Instant(microseconds)
    }

    /// Microseconds after the start of 1970, negative before it.
    pub const fn microseconds(self) -> i64 {
        self.0
    }

    /// This instant and so many microseconds more, or none where that is beyond the count.
    pub fn checked_add(self, microseconds: i64) -> Option<Instant> {
        self.0.checked_add(microseconds).map(Instant)
    }

    /// The whole days since the start of 1970.
    pub fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// The microseconds since midnight.
    pub fn time_of_day(self) -> i64 {
        self.0.rem_euclid(DAY)
    }

    /// The midnight at which its day begins; the start of the count for the day that is cut off by it.
    pub fn midnight(self) -> Instant {
        Instant(self.0.saturating_sub(self.time_of_day()))
    }

    /// The midnight so many days after the start of 1970.
    pub(super) fn of_day(day: i64) -> Option<Instant> {
        day.checked_mul(DAY).map(Instant)
    }
}

/// A date and a time of day as a calendar writes them. Which ones exist is for [`Calendar`](super::Calendar) to say.
///
/// Its order is the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// The year; negative before our era, and zero only in calendars that have such a year.
    pub year: i32,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
    /// The second, 0 to 59.
    pub second: u8,
    /// The microsecond, 0 to 999,999.
    pub microsecond: u32,
}

impl Date {
    /// The midnight at which a day begins.
    pub const fn midnight(year: i32, month: u8, day: u8) -> Date {
        Date { year, month, day, hour: 0, minute: 0, second: 0, microsecond: 0 }
    }
}

impl fmt::Display for Date {
    /// As ISO 8601 has it, a fraction of a second only where there is one: `1991-07-04T06:30:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.year < 0 { "-" } else { "" };
        write!(f, "{sign}{:04}-{:02}-{:02}", self.year.unsigned_abs(), self.month, self.day)?;
        write!(f, "T{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        match self.microsecond {
            0 => Ok(()),
            some => write!(f, ".{some:06}"),
        }
    }
}
