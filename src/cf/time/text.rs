//! Dates as people and programs write them: one reader for reference dates and for what users select by.

/// What a written date says; whether a calendar has it is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub year: i32,
    /// How many digits the year has.
    pub year_digits: usize,
    pub month: Option<u8>,
    pub day: Option<u8>,
    pub hour: Option<u8>,
    pub minute: Option<u8>,
    pub second: Option<u8>,
    /// Microseconds, and how many digits of a second's fraction say so (six at most: more are cut off).
    pub fraction: Option<(u32, u32)>,
    /// Minutes that the clock is ahead of UTC.
    pub zone: Option<i32>,
}

/// Reads `1-1-1`, `1990`, `1990-07`, `19900704`, `1990/7/4 6:00`, `1990-1-1T00:00:00.5Z`, `-44-03-15 12:00 +01:00`.
///
/// # Errors
/// Why it is not a date, in words.
pub(super) fn read(text: &str) -> Result<Written, String> {
    let mut at = Cursor { rest: text.trim() };
    let mut date = at.date()?;
    let spaced = at.skip_blanks();
    if at.take_one_of("Tt_").is_some() || (spaced && at.digit_follows()) {
        at.time(&mut date)?;
        at.skip_blanks();
    }
    // `1990-01-01-06` is neither a zone nor an hour to everyone.
    if date.hour.is_some() || spaced || at.rest.starts_with(['Z', 'z']) {
        date.zone = at.zone()?;
    }
    match at.rest {
        "" => Ok(date),
        rest => Err(format!("'{rest}' is left over after the date")),
    }
}

/// What is still to be read.
struct Cursor<'a> {
    rest: &'a str,
}

impl Cursor<'_> {
    fn date(&mut self) -> Result<Written, String> {
        let sign = self.take_one_of("+-");
        let digits = self.digits();
        let mut date = Written {
            year: digits.parse().map_err(|_| "it does not begin with a year of up to nine digits".to_string())?,
            year_digits: digits.len(),
            month: None,
            day: None,
            hour: None,
            minute: None,
            second: None,
            fraction: None,
            zone: None,
        };
        if sign.is_none() && digits.len() == 8 {
            // ISO 8601's basic form. Eight digits split into numbers that fit.
            let packed = date.year;
            date.year = packed / 10_000;
            date.year_digits = 4;
            (date.month, date.day) = (Some((packed / 100 % 100) as u8), Some((packed % 100) as u8));
            return Ok(date);
        }
        if sign == Some('-') {
            date.year = -date.year;
        }
        if let Some(separator) = self.take_one_of("-/") {
            date.month = Some(self.number("month")?);
            if self.take_one_of(separator.encode_utf8(&mut [0; 4])).is_some() {
                date.day = Some(self.number("day")?);
            }
        }
        Ok(date)
    }

    /// `6`, `6:00`, `6:00:00.5`.
    fn time(&mut self, date: &mut Written) -> Result<(), String> {
        date.hour = Some(self.number("hour")?);
        if self.take_one_of(":").is_none() {
            return Ok(());
        }
        date.minute = Some(self.number("minute")?);
        if self.take_one_of(":").is_none() {
            return Ok(());
        }
        date.second = Some(self.number("second")?);
        if self.take_one_of(".").is_some() {
            let digits = self.digits();
            let kept = &digits[..digits.len().min(6)];
            let places = kept.len() as u32;
            let value: u32 = if kept.is_empty() { 0 } else { kept.parse().map_err(|_| "no fraction".to_string())? };
            date.fraction = (places > 0).then(|| (value * 10u32.pow(6 - places), places));
        }
        Ok(())
    }

    /// `Z`, `UTC`, `+01:00`, `-6:00`, `+0530`, `-6`.
    fn zone(&mut self) -> Result<Option<i32>, String> {
        for name in ["UTC", "GMT", "Z"] {
            if self.rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
                self.rest = &self.rest[name.len()..];
                return Ok(Some(0));
            }
        }
        let Some(sign) = self.take_one_of("+-") else { return Ok(None) };
        let number = |digits: &str| digits.parse::<i32>().map_err(|_| "its time zone is not one".to_string());
        let digits = self.digits();
        let (hours, minutes) = match digits.len() {
            4 => (number(&digits[..2])?, number(&digits[2..])?),
            _ if self.take_one_of(":").is_some() => (number(&digits)?, number(&self.digits())?),
            _ => (number(&digits)?, 0),
        };
        if hours > 23 || minutes > 59 {
            return Err("its time zone is not one".to_string());
        }
        let ahead = 60 * hours + minutes;
        Ok(Some(if sign == '-' { -ahead } else { ahead }))
    }

    /// A number of one or two digits.
    fn number(&mut self, what: &str) -> Result<u8, String> {
        let digits = self.digits();
        match digits.len() {
            1 | 2 => digits.parse().map_err(|_| format!("its {what} is not a number")),
            _ => Err(format!("its {what} is not a number of one or two digits")),
        }
    }

    fn digits(&mut self) -> String {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits.to_string()
    }

    fn digit_follows(&self) -> bool {
        self.rest.starts_with(|c: char| c.is_ascii_digit())
    }

    fn skip_blanks(&mut self) -> bool {
        let rest = self.rest.trim_start();
        let some = rest.len() < self.rest.len();
        self.rest = rest;
        some
    }

    fn take_one_of(&mut self, wanted: &str) -> Option<char> {
        let first = self.rest.chars().next().filter(|c| wanted.contains(*c))?;
        self.rest = &self.rest[first.len_utf8()..];
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Year, month, day, hour, minute, second, microsecond, zone; -1 where nothing is said.
    fn fields(text: &str) -> [i64; 8] {
        let w = read(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let of = |x: Option<u8>| x.map_or(-1, i64::from);
        let fraction = w.fraction.map_or(-1, |f| i64::from(f.0));
        let zone = w.zone.map_or(-1, i64::from);
        [i64::from(w.year), of(w.month), of(w.day), of(w.hour), of(w.minute), of(w.second), fraction, zone]
    }

    #[test]
    fn dates_in_all_spellings() {
        for (text, expect) in [
            ("1-1-1", [1, 1, 1, -1, -1, -1, -1, -1]),
            ("1990", [1990, -1, -1, -1, -1, -1, -1, -1]),
            ("1990-07", [1990, 7, -1, -1, -1, -1, -1, -1]),
            ("19900704", [1990, 7, 4, -1, -1, -1, -1, -1]),
            ("1990/7/4 6", [1990, 7, 4, 6, -1, -1, -1, -1]),
            ("+12345-7-4", [12345, 7, 4, -1, -1, -1, -1, -1]),
            ("-0044-03-15 12:00", [-44, 3, 15, 12, 0, -1, -1, -1]),
            ("1990-1-1T00:00:00Z", [1990, 1, 1, 0, 0, 0, -1, 0]),
            ("1990-1-1_00:00:0.", [1990, 1, 1, 0, 0, 0, -1, -1]),
            ("1990-01-01 00:00:00.5 +01:00", [1990, 1, 1, 0, 0, 0, 500_000, 60]),
            ("1992-10-8 15:15:42.0000125 -6:00", [1992, 10, 8, 15, 15, 42, 12, -360]),
            ("1990-01-01 00:00 utc", [1990, 1, 1, 0, 0, -1, -1, 0]),
            ("1990-01-01 -0530", [1990, 1, 1, -1, -1, -1, -1, -330]),
            ("1990-01-01 6:00+2", [1990, 1, 1, 6, 0, -1, -1, 120]),
        ] {
            assert_eq!(fields(text), expect, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_says_why() {
        for (text, why) in [
            ("", "begin with a year"),
            ("today", "begin with a year"),
            ("12345678901-01-01", "nine digits"),
            ("1990-", "month"),
            ("1990-123", "month"),
            ("1990-01-01T", "hour"),
            ("1990-01-01 12:", "minute"),
            ("1990-01-01 12:00 5:00", "left over"),
            ("1990-01-01-06:00", "left over"),
            ("1990-01-01 12:00 +99", "zone"),
            ("1990-01-01 \u{e9}", "left over"),
            ("1990-01-01 12:00 +", "zone"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
