//! Dates that say less than an instant: `1991-07`, and ranges of them, `1991-01:2020-12`.

use super::{
    calendar::Calendar,
    date::{DAY, Date, HOUR, Instant, MINUTE},
    text::{self, Written},
};
use crate::error::{Error, Result};

/// A date down to the year, the month, the day, the hour, the minute, the second or a part of it.
///
/// It stands for all of the time that it covers, as where xarray and pandas select by a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialDate {
    text: String,
    written: Written,
}

impl PartialDate {
    /// Reads `1991`, `1991-07`, `1991-07-04`, `1991-07-04T06`, `1991-07-04 06:30:15.25`, `-0044-03-15`.
    ///
    /// Years have four digits at least, as in ISO 8601, so that `06:30` after an hour is no range of years.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str) -> Result<PartialDate> {
        let wrong = |detail: &str| {
            Error::usage(format!("'{text}' is not a date as 1991, 1991-07 or 1991-07-04T06:30: {detail}"))
        };
        let written = text::read(text).map_err(|why| wrong(&why))?;
        if written.year_digits < 4 {
            return Err(wrong("write the year with four digits, as in 0850"));
        }
        if written.zone.is_some_and(|z| z != 0) {
            return Err(wrong("times are UTC; leave out the zone"));
        }
        Ok(PartialDate { text: text.trim().to_string(), written })
    }

    /// The instants that it covers: from the first one to the first that it does not cover any more.
    ///
    /// # Errors
    /// When the calendar has no such date.
    pub fn range(&self, calendar: Calendar) -> Result<(Instant, Instant)> {
        let w = &self.written;
        let date = Date {
            year: w.year,
            month: w.month.unwrap_or(1),
            day: w.day.unwrap_or(1),
            hour: w.hour.unwrap_or(0),
            minute: w.minute.unwrap_or(0),
            second: w.second.unwrap_or(0),
            microsecond: w.fraction.map_or(0, |f| f.0),
        };
        let start = calendar.instant(&date).map_err(|e| Error::usage(e.to_string()))?;
        let length = match *w {
            Written { month: None, .. } => return self.months(calendar, start, 12),
            Written { day: None, .. } => return self.months(calendar, start, 1),
            Written { hour: None, .. } => DAY,
            Written { minute: None, .. } => HOUR,
            Written { second: None, .. } => MINUTE,
            Written { fraction: None, .. } => 1_000_000,
            Written { fraction: Some((_, places)), .. } => 10i64.pow(6u32.saturating_sub(places)),
        };
        Ok((start, start.checked_add(length).ok_or_else(|| self.too_far())?))
    }

    fn months(&self, calendar: Calendar, start: Instant, count: i64) -> Result<(Instant, Instant)> {
        let end = calendar.month_start(calendar.month_number(start) + count).map_err(|_| self.too_far())?;
        Ok((start, end))
    }

    fn too_far(&self) -> Error {
        Error::usage(format!("'{}' is further from 1970 than the 292,000 years that are counted", self.text))
    }
}

/// What a user selects of the axis of time: a partial date, or a range of them of which either end may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeRange {
    first: Option<PartialDate>,
    last: Option<PartialDate>,
}

impl TimeRange {
    /// Reads `1991-07`, `1991-01:2020-12`, `1991:`, `:2020-06-30T12`, `:`, or the same with `/` between the ends.
    ///
    /// Colons that can belong to a time of day do.
    ///
    /// # Errors
    /// When an end is not a date.
    pub fn parse(text: &str) -> Result<TimeRange> {
        let alone = PartialDate::parse(text);
        if let Ok(date) = alone {
            return Ok(TimeRange { first: Some(date.clone()), last: Some(date) });
        }
        let end = |part: &str| match part.trim() {
            "" => Ok(None),
            some => PartialDate::parse(some).map(Some),
        };
        let mut why = None;
        for (at, _) in text.match_indices([':', '/']) {
            match (end(&text[..at]), end(&text[at + 1..])) {
                (Ok(first), Ok(last)) => return Ok(TimeRange { first, last }),
                // The end that is wrong where the other one is right is what the user should hear about.
                (Err(e), Ok(_)) | (Ok(_), Err(e)) => why = why.or(Some(e)),
                _ => {}
            }
        }
        match why {
            Some(e) => Err(e),
            None => alone.map(|date| TimeRange { first: Some(date.clone()), last: Some(date) }),
        }
    }

    /// The first instant that is selected, and the first one after all that are; none where there is no such end.
    ///
    /// A range that ends before it begins selects nothing: its end is its beginning.
    ///
    /// # Errors
    /// When the calendar lacks one of the dates.
    pub fn bounds(&self, calendar: Calendar) -> Result<(Option<Instant>, Option<Instant>)> {
        let first = self.first.as_ref().map(|d| d.range(calendar)).transpose()?.map(|r| r.0);
        let last = self.last.as_ref().map(|d| d.range(calendar)).transpose()?.map(|r| r.1);
        Ok((first, last.map(|l| first.map_or(l, |f| f.max(l)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ends as dates of a calendar; `-` where there is none.
    fn ends(text: &str, calendar: Calendar) -> [String; 2] {
        let range = TimeRange::parse(text).unwrap_or_else(|e| panic!("{e}"));
        let (first, last) = range.bounds(calendar).unwrap_or_else(|e| panic!("{e}"));
        [first, last].map(|i| i.map_or("-".to_string(), |i| calendar.date(i).to_string()))
    }

    #[test]
    fn a_partial_date_covers_all_of_its_time() {
        for (text, first, last) in [
            ("1991", "1991-01-01T00:00:00", "1992-01-01T00:00:00"),
            ("1991-12", "1991-12-01T00:00:00", "1992-01-01T00:00:00"),
            ("1992-02-29", "1992-02-29T00:00:00", "1992-03-01T00:00:00"),
            ("19920229", "1992-02-29T00:00:00", "1992-03-01T00:00:00"),
            ("1991-12-31T23", "1991-12-31T23:00:00", "1992-01-01T00:00:00"),
            ("1991-07-04 06:30", "1991-07-04T06:30:00", "1991-07-04T06:31:00"),
            ("1991-07-04T06:30:15", "1991-07-04T06:30:15", "1991-07-04T06:30:16"),
            ("1991-07-04T06:30:15.25Z", "1991-07-04T06:30:15.250000", "1991-07-04T06:30:15.260000"),
            ("-0001", "-0001-01-01T00:00:00", "0001-01-01T00:00:00"),
            ("1582-10", "1582-10-01T00:00:00", "1582-11-01T00:00:00"),
            ("1582-10-04", "1582-10-04T00:00:00", "1582-10-15T00:00:00"),
        ] {
            assert_eq!(ends(text, Calendar::Standard), [first, last], "{text}");
        }
        assert_eq!(ends("1991-02-30", Calendar::Day360), ["1991-02-30T00:00:00", "1991-03-01T00:00:00"]);
        assert_eq!(ends("-0001", Calendar::NoLeap), ["-0001-01-01T00:00:00", "0000-01-01T00:00:00"]);
    }

    #[test]
    fn a_range_goes_from_the_start_of_the_first_to_the_end_of_the_last() {
        for (text, first, last) in [
            ("1991-01:2020-12", "1991-01-01T00:00:00", "2021-01-01T00:00:00"),
            ("1991 : 1992", "1991-01-01T00:00:00", "1993-01-01T00:00:00"),
            ("1991/1992", "1991-01-01T00:00:00", "1993-01-01T00:00:00"),
            ("1991:", "1991-01-01T00:00:00", "-"),
            (":2020-06-30T12", "-", "2020-06-30T13:00:00"),
            (":", "-", "-"),
            ("1991-07-04T06:1992", "1991-07-04T06:00:00", "1993-01-01T00:00:00"),
            ("1991-07-04T06:30:1992", "1991-07-04T06:30:00", "1993-01-01T00:00:00"),
            ("1991-07-04T06:30:15:1992-01-01T00:00:01", "1991-07-04T06:30:15", "1992-01-01T00:00:02"),
            ("1991:1990", "1991-01-01T00:00:00", "1991-01-01T00:00:00"),
        ] {
            assert_eq!(ends(text, Calendar::Standard), [first, last], "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_is_not_in_the_calendar_says_why() {
        for (text, why) in [
            ("91", "four digits"),
            ("July", "begin with a year"),
            ("1991:July", "'July'"),
            ("91:1992", "four digits"),
            ("1991-07-04T06+01:00", "UTC"),
            ("", "begin with a year"),
        ] {
            let said = TimeRange::parse(text).unwrap_err().to_string();
            assert!(said.contains(why), "{text}: {said}");
        }
        for (text, calendar, why) in [
            ("1991-02-29", Calendar::NoLeap, "days 1 to 28"),
            ("1991-13", Calendar::NoLeap, "no such month"),
            ("1582-10-10", Calendar::Standard, "follows"),
            ("0000", Calendar::Standard, "no year zero"),
            ("999999", Calendar::Standard, "292,000"),
        ] {
            let said = TimeRange::parse(text).unwrap().bounds(calendar).unwrap_err();
            assert!(said.to_string().contains(why), "{text}: {said}");
            assert_eq!(said.class(), crate::error::Class::Usage);
        }
    }
}
