//! Parts of dates, as data are grouped by.

use super::{
    calendar::Calendar,
    date::{Date, Instant},
};
use crate::error::{Error, Result, closest_near};

/// A part of a date, under the name that xarray's `.dt` has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// `year`.
    Year,
    /// `month`, 1 to 12.
    Month,
    /// `day` of the month, from 1.
    Day,
    /// `hour`, 0 to 23.
    Hour,
    /// `minute`, 0 to 59.
    Minute,
    /// `second`, 0 to 59.
    Second,
    /// `microsecond` of the second.
    Microsecond,
    /// `dayofyear`, from 1.
    DayOfYear,
    /// `dayofweek`, `weekday`: 0 for Monday to 6 for Sunday.
    DayOfWeek,
    /// `quarter`, 1 to 4.
    Quarter,
    /// `week`, `weekofyear`: ISO's, from Monday; the first one of a year is that of its first Thursday.
    Week,
    /// `season`: 0 DJF, 1 JJA, 2 MAM, 3 SON, the order of the alphabet in which xarray puts groups.
    Season,
    /// `days_in_month`, `daysinmonth`.
    DaysInMonth,
    /// `date`: whole days since 1970-01-01 of the calendar.
    Date,
}

/// Names, those that xarray prefers first.
const NAMES: [(&str, Part); 17] = [
    ("year", Part::Year),
    ("month", Part::Month),
    ("day", Part::Day),
    ("hour", Part::Hour),
    ("minute", Part::Minute),
    ("second", Part::Second),
    ("microsecond", Part::Microsecond),
    ("dayofyear", Part::DayOfYear),
    ("dayofweek", Part::DayOfWeek),
    ("weekday", Part::DayOfWeek),
    ("quarter", Part::Quarter),
    ("week", Part::Week),
    ("weekofyear", Part::Week),
    ("season", Part::Season),
    ("days_in_month", Part::DaysInMonth),
    ("daysinmonth", Part::DaysInMonth),
    ("date", Part::Date),
];

/// The seasons of `Part::Season`, in the order of their numbers.
const SEASONS: [&str; 4] = ["DJF", "JJA", "MAM", "SON"];

impl Part {
    /// The part of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Part> {
        if let Some((_, part)) = NAMES.iter().find(|(n, _)| *n == name) {
            return Ok(*part);
        }
        let all = NAMES.map(|(n, _)| n);
        Err(Error::usage(match closest_near(name, all.into_iter()) {
            Some(near) => format!("no part of a date '{name}'; did you mean '{near}'?"),
            None => format!("no part of a date '{name}'; there are {}", all.join(", ")),
        }))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, part)| *part == self).map_or("", |(name, _)| name)
    }

    /// The part of an instant. Numbers are in the order that xarray puts groups in.
    pub fn of(self, calendar: Calendar, instant: Instant) -> i64 {
        match self {
            Part::DayOfWeek => return calendar.day_of_week(instant).into(),
            Part::Week => return week(calendar, instant),
            Part::Date => return instant.day(),
            _ => {}
        }
        let date = calendar.date(instant);
        match self {
            Part::Year => date.year.into(),
            Part::Month => date.month.into(),
            Part::Day => date.day.into(),
            Part::Hour => date.hour.into(),
            Part::Minute => date.minute.into(),
            Part::Second => date.second.into(),
            Part::Microsecond => date.microsecond.into(),
            Part::DayOfYear => calendar.day_of_year(&date).into(),
            Part::Quarter => i64::from((date.month - 1) / 3 + 1),
            // From December on: DJF, MAM, JJA, SON.
            Part::Season => [0, 2, 1, 3][usize::from(date.month % 12 / 3)],
            Part::DaysInMonth => calendar.days_in_month(date.year, date.month).into(),
            Part::DayOfWeek | Part::Week | Part::Date => 0,
        }
    }

    /// A value of this part as people write it: `JJA` for season 1, `1991-07-04` for a date, else the number.
    pub fn label(self, calendar: Calendar, value: i64) -> String {
        match self {
            Part::Season => usize::try_from(value).ok().and_then(|v| SEASONS.get(v)).unwrap_or(&"").to_string(),
            Part::Date => Instant::of_day(value).map_or_else(String::new, |at| {
                let Date { year, month, day, .. } = calendar.date(at);
                let sign = if year < 0 { "-" } else { "" };
                format!("{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs())
            }),
            _ => value.to_string(),
        }
    }
}

/// ISO 8601's week: that of the year in which its Thursday lies.
fn week(calendar: Calendar, instant: Instant) -> i64 {
    let thursday = 3 - i64::from(calendar.day_of_week(instant));
    let thursday = Instant::of_day(instant.day() + thursday).unwrap_or(instant);
    (i64::from(calendar.day_of_year(&calendar.date(thursday))) - 1) / 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_xarrays() {
        for (name, part) in NAMES {
            assert_eq!(Part::named(name).unwrap(), part);
        }
        assert_eq!((Part::DayOfWeek.name(), Part::Week.name()), ("dayofweek", "week"));
        assert!(Part::named("mont").unwrap_err().to_string().contains("did you mean 'month'"));
        assert!(Part::named("xyz").unwrap_err().to_string().contains("dayofyear"));
    }

    #[test]
    fn values_have_labels() {
        let calendar = Calendar::Day360;
        let at = calendar.instant(&Date::midnight(1991, 2, 30)).unwrap();
        let label = |part: Part| part.label(calendar, part.of(calendar, at));
        assert_eq!([Part::Season, Part::Date, Part::Month].map(label), ["DJF", "1991-02-30", "2"]);
        let order = [12, 7, 3, 9].map(|m| {
            let at = calendar.instant(&Date::midnight(1991, m, 1)).unwrap();
            Part::Season.label(calendar, Part::Season.of(calendar, at))
        });
        assert_eq!(order, SEASONS);
    }

    /// The weeks at the turn of the year, by ISO 8601.
    #[test]
    fn weeks_belong_to_the_year_of_their_thursday() {
        let calendar = Calendar::Standard;
        for (year, month, day, expect) in [
            (2004, 12, 31, 53),
            (2005, 1, 2, 53),
            (2005, 1, 3, 1),
            (2007, 1, 1, 1),
            (2007, 12, 31, 1),
            (2008, 12, 28, 52),
            (2009, 12, 31, 53),
            (2010, 1, 3, 53),
            (2010, 1, 4, 1),
        ] {
            let at = calendar.instant(&Date::midnight(year, month, day)).unwrap();
            assert_eq!(Part::Week.of(calendar, at), expect, "{year}-{month}-{day}");
        }
    }
}
