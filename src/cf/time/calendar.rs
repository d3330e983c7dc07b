//! The calendars of the CF conventions: which dates exist, and where they are on the axis of time.

use super::date::{DAY, Date, HOUR, Instant, MINUTE};
use crate::error::{Error, Problem, Result};

/// A calendar of the CF conventions (section 4.4.1).
///
/// Years are numbered as cftime numbers them. `standard` and `julian` go from -1 to 1; all others have a year zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Calendar {
    /// `standard`, `gregorian`: Julian through 1582-10-04, and from the next day, 1582-10-15, Gregorian.
    #[default]
    Standard,
    /// `proleptic_gregorian`: the Gregorian rules at all times.
    ProlepticGregorian,
    /// `julian`: each fourth year is a leap year.
    Julian,
    /// `noleap`, `365_day`: no leap years.
    NoLeap,
    /// `all_leap`, `366_day`: leap years only.
    AllLeap,
    /// `360_day`: twelve months of thirty days.
    Day360,
}

/// Days before each month of a common year, and of a year.
const BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
/// The same of a leap year.
const BEFORE_LEAP: [i64; 13] = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366];

/// 1582-10-15, the first Gregorian day, in days since 1970-01-01.
const GREGORIAN_FROM: i64 = -141_427;
/// Gregorian 0000-03-01, in days before 1970-01-01.
const GREGORIAN_MARCH: i64 = 719_468;
/// Julian 0000-03-01, in days before the Gregorian 1970-01-01.
const JULIAN_MARCH: i64 = 719_470;
/// The days from the Gregorian 1970-01-01 to the Julian one.
const JULIAN_LAG: i64 = 13;

impl Calendar {
    /// All calendars.
    pub const ALL: [Calendar; 6] = [
        Calendar::Standard,
        Calendar::ProlepticGregorian,
        Calendar::Julian,
        Calendar::NoLeap,
        Calendar::AllLeap,
        Calendar::Day360,
    ];

    /// The calendar of an attribute `calendar`, in whatever case; `standard` where there is none.
    ///
    /// # Errors
    /// When the conventions have no such calendar, or it is one of those with leap seconds.
    pub fn named(name: Option<&str>) -> Result<Calendar> {
        let Some(given) = name.map(str::trim).filter(|n| !n.is_empty()) else { return Ok(Calendar::Standard) };
        Ok(match given.to_ascii_lowercase().as_str() {
            "standard" | "gregorian" => Calendar::Standard,
            "proleptic_gregorian" => Calendar::ProlepticGregorian,
            "julian" => Calendar::Julian,
            "noleap" | "365_day" => Calendar::NoLeap,
            "all_leap" | "366_day" => Calendar::AllLeap,
            "360_day" => Calendar::Day360,
            _ => {
                let detail = "it is none of standard, gregorian, proleptic_gregorian, julian, noleap, 365_day, \
                              all_leap, 366_day and 360_day";
                return Err(refused("calendar", given, detail));
            }
        })
    }

    /// The name that the conventions have for it.
    pub fn name(self) -> &'static str {
        match self {
            Calendar::Standard => "standard",
            Calendar::ProlepticGregorian => "proleptic_gregorian",
            Calendar::Julian => "julian",
            Calendar::NoLeap => "noleap",
            Calendar::AllLeap => "all_leap",
            Calendar::Day360 => "360_day",
        }
    }

    /// Whether a year zero lies between the years -1 and 1.
    pub fn has_year_zero(self) -> bool {
        !matches!(self, Calendar::Standard | Calendar::Julian)
    }

    /// Whether a year has a 29 February by leap. No year of `360_day` is a leap year.
    pub fn is_leap(self, year: i32) -> bool {
        self.is_leap_counted(self.counted(year))
    }

    /// The number of the last day of a month, 1 to 12, which is how many days it has but in October 1582 of
    /// `standard`: 31, as cftime says.
    pub fn days_in_month(self, year: i32, month: u8) -> u8 {
        match self {
            Calendar::Day360 => 30,
            _ => {
                let before = if self.is_leap(year) { &BEFORE_LEAP } else { &BEFORE };
                let month = usize::from(month.clamp(1, 12));
                (before[month] - before[month - 1]) as u8
            }
        }
    }

    /// The number of the last day of a year: 360, 365 or 366.
    pub fn days_in_year(self, year: i32) -> u16 {
        match self {
            Calendar::Day360 => 360,
            _ => 365 + u16::from(self.is_leap(year)),
        }
    }

    /// The number of a day in its year, from 1. In 1582 of `standard` the ten days that were left out count, as in
    /// cftime.
    pub fn day_of_year(self, date: &Date) -> u16 {
        let before = match self {
            Calendar::Day360 => 30 * (i64::from(date.month) - 1),
            _ if self.is_leap(date.year) => BEFORE_LEAP[usize::from(date.month.clamp(1, 12)) - 1],
            _ => BEFORE[usize::from(date.month.clamp(1, 12)) - 1],
        };
        (before + i64::from(date.day)) as u16
    }

    /// The day of the week of an instant: 0 for Monday to 6 for Sunday. Calendars that never were have weeks too:
    /// those of cftime.
    pub fn day_of_week(self, instant: Instant) -> u8 {
        // 1970-01-01: the Julian day number (of calendars that never were, the days since year zero) modulo 7.
        let first = match self {
            Calendar::Standard | Calendar::ProlepticGregorian | Calendar::NoLeap => 3,
            Calendar::Julian | Calendar::Day360 => 2,
            Calendar::AllLeap => 6,
        };
        (instant.day() + first).rem_euclid(7) as u8
    }

    /// The date of an instant.
    pub fn date(self, instant: Instant) -> Date {
        let (year, month, day) = self.civil(instant.day());
        let time = instant.time_of_day();
        Date {
            year: self.written(year),
            month,
            day,
            hour: (time / HOUR) as u8,
            minute: (time / MINUTE % 60) as u8,
            second: (time / 1_000_000 % 60) as u8,
            microsecond: (time % 1_000_000) as u32,
        }
    }

    /// The instant of a date.
    ///
    /// # Errors
    /// When the calendar has no such date, or it is further away than 292,000 years.
    pub fn instant(self, date: &Date) -> Result<Instant> {
        if let Some(detail) = self.objection(date) {
            return Err(refused("date", &date.to_string(), &detail));
        }
        let day = self.day_number(self.counted(date.year), date.month, date.day);
        let time = i64::from(date.hour) * HOUR
            + i64::from(date.minute) * MINUTE
            + i64::from(date.second) * 1_000_000
            + i64::from(date.microsecond);
        // The first day of the count is cut off by it: its midnight is beyond, but not all of its hours.
        let micros = i128::from(day) * i128::from(DAY) + i128::from(time);
        let micros = i64::try_from(micros).map_err(|_| refused("date", &date.to_string(), TOO_FAR))?;
        Ok(Instant::from_microseconds(micros))
    }

    /// The months from the start of 1970 to that of an instant's month.
    pub(crate) fn month_number(self, instant: Instant) -> i64 {
        let (year, month, _) = self.civil(instant.day());
        (year - 1970) * 12 + i64::from(month) - 1
    }

    /// The midnight at which the month begins that is so many months after January 1970.
    ///
    /// # Errors
    /// When that is further away than 292,000 years.
    pub(crate) fn month_start(self, number: i64) -> Result<Instant> {
        let year = 1970 + number.div_euclid(12);
        let found = (year.unsigned_abs() < YEARS_MAX).then(|| {
            let day = self.day_number(year, number.rem_euclid(12) as u8 + 1, 1);
            Instant::of_day(day)
        });
        found.flatten().ok_or_else(|| refused("month", &format!("{year}-{:02}", number.rem_euclid(12) + 1), TOO_FAR))
    }

    /// The number of the last day of the month that is so many months after January 1970.
    pub(super) fn month_length(self, number: i64) -> i64 {
        let year = self.written(1970 + number.div_euclid(12));
        i64::from(self.days_in_month(year, number.rem_euclid(12) as u8 + 1))
    }

    /// Why there is no such date.
    fn objection(self, date: &Date) -> Option<String> {
        let gap = Date::midnight(1582, 10, 5)..Date::midnight(1582, 10, 15);
        if date.year == 0 && !self.has_year_zero() {
            return Some(format!("the {} calendar has no year zero: -1 is followed by 1", self.name()));
        }
        if !(1..=12).contains(&date.month) {
            return Some("there is no such month".to_string());
        }
        let last = self.days_in_month(date.year, date.month);
        if !(1..=last).contains(&date.day) {
            return Some(format!("the {} calendar has days 1 to {last} in that month", self.name()));
        }
        if self == Calendar::Standard && gap.contains(date) {
            return Some("in the standard calendar 1582-10-15 follows 1582-10-04".to_string());
        }
        if date.hour > 23 || date.minute > 59 || date.second > 59 || date.microsecond > 999_999 {
            return Some("there is no such time of day".to_string());
        }
        None
    }

    /// Years counted through: the year before 1 is 0.
    fn counted(self, year: i32) -> i64 {
        i64::from(year) + i64::from(year < 0 && !self.has_year_zero())
    }

    /// Years as they are written.
    fn written(self, counted: i64) -> i32 {
        (counted - i64::from(counted <= 0 && !self.has_year_zero())) as i32
    }

    fn is_leap_counted(self, year: i64) -> bool {
        let fourth = year.rem_euclid(4) == 0;
        match self {
            Calendar::Julian => fourth,
            Calendar::Standard if year < 1582 => fourth,
            Calendar::Standard | Calendar::ProlepticGregorian => {
                fourth && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
            }
            Calendar::AllLeap => true,
            Calendar::NoLeap | Calendar::Day360 => false,
        }
    }

    /// Days since 1970-01-01 of a date that exists, its year counted through.
    fn day_number(self, year: i64, month: u8, day: u8) -> i64 {
        let in_year = |before: &[i64; 13]| before[usize::from(month) - 1] + i64::from(day) - 1;
        match self {
            Calendar::Standard if (year, month, day) < (1582, 10, 15) => julian_day(year, month, day),
            Calendar::Standard | Calendar::ProlepticGregorian => gregorian_day(year, month, day),
            Calendar::Julian => julian_day(year, month, day) - JULIAN_LAG,
            Calendar::NoLeap => (year - 1970) * 365 + in_year(&BEFORE),
            Calendar::AllLeap => (year - 1970) * 366 + in_year(&BEFORE_LEAP),
            Calendar::Day360 => (year - 1970) * 360 + 30 * (i64::from(month) - 1) + i64::from(day) - 1,
        }
    }

    /// Year (counted through), month and day of a day since 1970-01-01.
    fn civil(self, day: i64) -> (i64, u8, u8) {
        match self {
            Calendar::Standard if day < GREGORIAN_FROM => julian_date(day),
            Calendar::Standard | Calendar::ProlepticGregorian => gregorian_date(day),
            Calendar::Julian => julian_date(day + JULIAN_LAG),
            Calendar::NoLeap => regular_date(day, &BEFORE),
            Calendar::AllLeap => regular_date(day, &BEFORE_LEAP),
            Calendar::Day360 => {
                let in_year = day.rem_euclid(360);
                (1970 + day.div_euclid(360), (in_year / 30 + 1) as u8, (in_year % 30 + 1) as u8)
            }
        }
    }
}

/// Beyond the years that 64 bits of microseconds reach.
const YEARS_MAX: u64 = 400_000;
const TOO_FAR: &str = "it is further from 1970 than the 292,000 years that are counted in microseconds";

/// What of time cannot be read, and why not.
pub(super) fn refused(what: &'static str, text: &str, detail: &str) -> Error {
    Problem::Time { what, text: text.to_string(), detail: detail.to_string() }.into()
}

// Source of the next four: Hinnant 2013, chrono-compatible low-level date algorithms. Years begin in March, so that
// the leap day is their last one.

/// Days since 1970-01-01 of a Gregorian date.
fn gregorian_day(year: i64, month: u8, day: u8) -> i64 {
    let (year, in_year) = from_march(year, month, day);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + in_year - GREGORIAN_MARCH
}

/// Days since the Gregorian 1970-01-01 of a Julian date.
fn julian_day(year: i64, month: u8, day: u8) -> i64 {
    let (year, in_year) = from_march(year, month, day);
    year.div_euclid(4) * 1461 + year.rem_euclid(4) * 365 + in_year - JULIAN_MARCH
}

fn gregorian_date(day: i64) -> (i64, u8, u8) {
    let day = day + GREGORIAN_MARCH;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    from_january(era * 400 + year, of_era - (365 * year + year / 4 - year / 100))
}

fn julian_date(day: i64) -> (i64, u8, u8) {
    let day = day + JULIAN_MARCH;
    let (era, of_era) = (day.div_euclid(1461), day.rem_euclid(1461));
    let year = (of_era - of_era / 1460) / 365;
    from_january(era * 4 + year, of_era - 365 * year)
}

/// The year that began in March, and the days since then.
fn from_march(year: i64, month: u8, day: u8) -> (i64, i64) {
    let month = i64::from(month);
    let since = (month + 9) % 12;
    (year - i64::from(month <= 2), (153 * since + 2) / 5 + i64::from(day) - 1)
}

/// The date that lies so many days into the year that began in March.
fn from_january(year: i64, in_year: i64) -> (i64, u8, u8) {
    let since = (5 * in_year + 2) / 153;
    let day = in_year - (153 * since + 2) / 5 + 1;
    let month = if since < 10 { since + 3 } else { since - 9 };
    (year + i64::from(month <= 2), month as u8, day as u8)
}

/// The date of a day since 1970-01-01 where all years are alike.
fn regular_date(day: i64, before: &[i64; 13]) -> (i64, u8, u8) {
    let in_year = day.rem_euclid(before[12]);
    let month = before.partition_point(|b| *b <= in_year);
    (1970 + day.div_euclid(before[12]), month as u8, (in_year - before[month - 1] + 1) as u8)
}
