//! Frequencies: `6h`, `1mo`, `1q(DJF)`, and those of pandas, `QS-DEC`.

use super::{
    calendar::Calendar,
    date::{DAY, HOUR, Instant, MINUTE},
    season::Season,
};
use crate::error::{Error, Result};

/// A number of steps along the axis of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Frequency {
    count: i64,
    step: Step,
}

/// What one step of a frequency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// So many microseconds, up to a day.
    Fixed {
        /// Its length.
        microseconds: i64,
    },
    /// Weeks from midnight to midnight.
    Week {
        /// The day that they begin with or end on: 0 for Monday to 6 for Sunday.
        weekday: u8,
        /// Whether that day is the first one or the last.
        edge: Edge,
    },
    /// One, three or twelve months of the calendar.
    Months {
        /// How many.
        length: u8,
        /// A month, 1 to 12, that begins or ends one of them.
        anchor: u8,
        /// Whether it begins them or ends them.
        edge: Edge,
    },
}

/// The day of a period that stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edge {
    /// Its first day.
    Start,
    /// Its last day.
    End,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

impl Frequency {
    /// Reads a frequency.
    ///
    /// `us ms s min h d` are of fixed length. `w` (also `w(SUN)`), `mo`, `q` (also `q(DJF)`) and `y` (also `y(JUL)`)
    /// follow the calendar, and stand for a period by its first day; weeks begin on Monday. The spellings of pandas
    /// and xarray, `D H T S L U W W-SUN MS ME QS QE YS YE QS-DEC`, are what they are there: those with an E, and W,
    /// stand for a period by its last day.
    ///
    /// # Errors
    /// When it is none of these, or the number before it is not positive.
    pub fn parse(text: &str) -> Result<Frequency> {
        let wrong = |detail: &str| Error::usage(format!("'{text}' is not a frequency: {detail}"));
        let trimmed = text.trim();
        let (digits, rest) = trimmed.split_at(trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len()));
        let count: i64 = match digits {
            "" => 1,
            some => some.parse().map_err(|_| wrong("the number is too large"))?,
        };
        if count == 0 {
            return Err(wrong("a step of zero length leads nowhere"));
        }
        let (unit, anchor) = anchored(rest.trim()).ok_or_else(|| wrong("a bracket is not closed"))?;
        let step = step(unit, anchor).map_err(|why| wrong(&why))?;
        if let Step::Fixed { microseconds } = step {
            count.checked_mul(microseconds).ok_or_else(|| wrong("it is longer than 292,000 years"))?;
        }
        if !matches!(step, Step::Fixed { .. }) && count > COUNT_MAX {
            return Err(wrong("it is longer than 292,000 years"));
        }
        Ok(Frequency { count, step })
    }

    /// How many steps it takes, at least one.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// One step.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Its whole length in microseconds, where it does not depend on the calendar.
    pub fn microseconds(&self) -> Option<i64> {
        match self.step {
            Step::Fixed { microseconds } => self.count.checked_mul(microseconds),
            _ => None,
        }
    }
}

/// More months than that are further than is counted.
const COUNT_MAX: i64 = 4_000_000;

impl Step {
    /// The number of the last day that stands for a period, at or before an instant; and whether it is the very day.
    ///
    /// Periods are numbered through; steps of fixed length are not.
    pub(super) fn floor(self, calendar: Calendar, instant: Instant) -> (i64, bool) {
        match self {
            Step::Fixed { .. } => (0, false),
            Step::Week { weekday, .. } => {
                let since = i64::from(calendar.day_of_week(instant)) - i64::from(weekday);
                let day = instant.day() - since.rem_euclid(7);
                let monday = i64::from(calendar.day_of_week(Instant::from_microseconds(0)));
                ((day + monday - i64::from(weekday)).div_euclid(7), since == 0)
            }
            Step::Months { length, anchor, edge } => {
                let month = calendar.month_number(instant);
                let day = i64::from(calendar.date(instant).day);
                let (month, on_day) = match edge {
                    Edge::Start => (month, day == 1),
                    Edge::End if day == calendar.month_length(month) => (month, true),
                    Edge::End => (month - 1, false),
                };
                let since = month - i64::from(anchor - 1);
                let length = i64::from(length);
                (since.div_euclid(length), on_day && since.rem_euclid(length) == 0)
            }
        }
    }

    /// The midnight of the day that stands for a period.
    pub(super) fn at(self, calendar: Calendar, period: i64) -> Result<Instant> {
        let far = || Error::usage("the bins reach further than 292,000 years from 1970");
        match self {
            Step::Fixed { .. } => Ok(Instant::from_microseconds(0)),
            Step::Week { weekday, .. } => {
                let monday = i64::from(calendar.day_of_week(Instant::from_microseconds(0)));
                Instant::of_day(period * 7 - monday + i64::from(weekday)).ok_or_else(far)
            }
            Step::Months { length, anchor, edge } => {
                let month = period * i64::from(length) + i64::from(anchor - 1);
                match edge {
                    Edge::Start => calendar.month_start(month),
                    Edge::End => calendar.month_start(month + 1)?.checked_add(-DAY).ok_or_else(far),
                }
            }
        }
    }

    /// The edge that stands for a period, where it has one.
    pub(super) fn edge(self) -> Option<Edge> {
        match self {
            Step::Fixed { .. } => None,
            Step::Week { edge, .. } | Step::Months { edge, .. } => Some(edge),
        }
    }
}

/// Splits `q(DJF)` and `QS-DEC` into the unit and what anchors it; none where a bracket is not closed.
fn anchored(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some((unit, rest)) = text.split_once('(') {
        return Some((unit, Some(rest.strip_suffix(')')?)));
    }
    Some(match text.split_once('-') {
        Some((unit, anchor)) => (unit, Some(anchor)),
        None => (text, None),
    })
}

/// One step of that name. Capitals matter: `ms` and `MS` differ.
fn step(unit: &str, anchor: Option<&str>) -> Result<Step, String> {
    let fixed = |microseconds| match anchor {
        None => Ok(Step::Fixed { microseconds }),
        Some(_) => Err(format!("'{unit}' takes no anchor")),
    };
    let months = |length, edge, default| {
        let anchor = match anchor {
            Some(name) if length > 1 => month(name, length)?,
            Some(_) => return Err(format!("'{unit}' takes no anchor")),
            None => default,
        };
        Ok(Step::Months { length, anchor, edge })
    };
    let weeks = |edge, default| {
        let name = anchor.unwrap_or(default);
        let weekday = WEEKDAYS.iter().position(|w| w.eq_ignore_ascii_case(name));
        let weekday =
            weekday.ok_or_else(|| format!("'{name}' is no day of the week; they are {}", WEEKDAYS.join(", ")))?;
        Ok(Step::Week { weekday: weekday as u8, edge })
    };
    match unit {
        "us" | "U" => fixed(1),
        "ms" | "L" => fixed(1000),
        "s" | "S" => fixed(1_000_000),
        "min" | "T" => fixed(MINUTE),
        "h" | "H" => fixed(HOUR),
        "d" | "D" => fixed(DAY),
        "w" => weeks(Edge::Start, "MON"),
        "W" => weeks(Edge::End, "SUN"),
        "mo" | "MS" => months(1, Edge::Start, 1),
        "ME" => months(1, Edge::End, 1),
        "q" | "QS" => months(3, Edge::Start, 1),
        "QE" => months(3, Edge::End, 12),
        "y" | "YS" => months(12, Edge::Start, 1),
        "YE" => months(12, Edge::End, 12),
        "m" | "M" => Err("write min for minutes, mo for months, ME for months by their last day".to_string()),
        "Q" => Err("write q for quarters, QE for quarters by their last day".to_string()),
        "Y" | "A" | "AS" => Err("write y for years, YE for years by their last day".to_string()),
        _ => Err("write it as 6h, 30min, 1d, 1w, 1mo, 1q(DJF), 1y(JUL), or as pandas does, QS-DEC".to_string()),
    }
}

/// The month of an anchor: `JUL`, or of a quarter `DJF`.
fn month(name: &str, length: u8) -> Result<u8, String> {
    if let Some(found) = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(name)) {
        return Ok(found as u8 + 1);
    }
    let quarter = Season::named(name).ok().filter(|s| length == 3 && s.name().len() == 3);
    quarter.and_then(|s| s.months().next()).ok_or_else(|| match length {
        3 => format!("'{name}' is neither a month, as DEC, nor three months in a row, as DJF"),
        _ => format!("'{name}' is no month; they are {}", MONTHS.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Frequency {
        Frequency::parse(text).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn both_families_of_spellings_are_read() {
        for (ours, pandas) in [
            ("6h", "6H"),
            ("30min", "30T"),
            ("d", "1D"),
            ("10s", "10S"),
            ("5ms", "5L"),
            ("1mo", "MS"),
            ("3 mo", "3MS"),
            ("1q", "QS"),
            ("1q(DJF)", "QS-DEC"),
            ("2q(FEB)", "2QS-FEB"),
            ("1y", "YS"),
            ("10y(jul)", "10YS-JUL"),
            ("w(SUN)", "w-sun"),
        ] {
            assert_eq!(parsed(ours), parsed(pandas), "{ours} {pandas}");
        }
        assert_eq!(parsed("W"), parsed("1W-SUN"));
        assert_ne!(parsed("W"), parsed("w"));
        assert_eq!((parsed("36h").microseconds(), parsed("1mo").microseconds()), (Some(36 * HOUR), None));
        assert_eq!(parsed("QE").step(), Step::Months { length: 3, anchor: 12, edge: Edge::End });
        assert_eq!((parsed("5d").count(), parsed("5d").step()), (5, Step::Fixed { microseconds: DAY }));
    }

    #[test]
    fn what_is_no_frequency_says_why() {
        for (text, why) in [
            ("", "write it as"),
            ("0d", "zero length"),
            ("-1d", "write it as"),
            ("1m", "min for minutes"),
            ("1M", "ME"),
            ("Y", "YE"),
            ("1q(DJ)", "three months in a row"),
            ("1q(DJF", "bracket"),
            ("1y(JJA)", "no month"),
            ("w(FOO)", "no day of the week"),
            ("6h(DJF)", "no anchor"),
            ("mo(JAN)", "no anchor"),
            ("99999999999999999999d", "too large"),
            ("9999999999999d", "292,000"),
            ("9999999y", "292,000"),
        ] {
            let said = Frequency::parse(text).unwrap_err().to_string();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
