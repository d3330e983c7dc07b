//! Seasons named by the initials of their months: `JJAS`, `NDJFM`.

use super::{calendar::Calendar, date::Instant};
use crate::error::{Error, Result};

/// Two years of initials, so that a season may cross the end of the first one.
const INITIALS: &str = "JFMAMJJASONDJFMAMJJASOND";

/// A run of months, one to twelve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Season {
    name: String,
    first: u8,
}

impl Season {
    /// The season of some initials, in capitals or not.
    ///
    /// # Errors
    /// When they are no run of months within a year, or stand for several: `J`, `M` and `A` alone.
    pub fn named(name: &str) -> Result<Season> {
        let upper = name.trim().to_ascii_uppercase();
        let wrong = |detail: &str| Error::usage(format!("'{name}' is no season: {detail}"));
        if upper.is_empty() || upper.len() > 12 {
            return Err(wrong("give the initials of 1 to 12 months in a row, as in JJAS"));
        }
        let mut starts = (0..12usize).filter(|s| INITIALS[*s..].starts_with(upper.as_str()));
        match (starts.next(), starts.next()) {
            (Some(first), None) => Ok(Season { name: upper, first: first as u8 + 1 }),
            (Some(_), Some(_)) => Err(wrong("several months begin with that letter; say which one by its number")),
            _ => Err(wrong("these are not the initials of months in a row, as in JJAS or NDJFM")),
        }
    }

    /// Its name in capitals.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its months in the order of time: 12, 1, 2 for `DJF`.
    pub fn months(&self) -> impl Iterator<Item = u8> + '_ {
        (0..self.length()).map(|k| (self.first - 1 + k) % 12 + 1)
    }

    /// Whether a month belongs to it.
    pub fn holds(&self, month: u8) -> bool {
        self.months().any(|m| m == month)
    }

    /// Which of its months that is, from 0.
    fn place(&self, month: u8) -> Option<u8> {
        let place = (month + 12 - self.first) % 12;
        (place < self.length()).then_some(place)
    }

    fn length(&self) -> u8 {
        self.name.len() as u8
    }
}

/// Seasons that do not overlap; they need not cover the year.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seasons(Vec<Season>);

impl Seasons {
    /// The seasons of some names.
    ///
    /// # Errors
    /// When a name is no season, there is none, or two of them have a month in common.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Seasons> {
        let all = names.into_iter().map(Season::named).collect::<Result<Vec<_>>>()?;
        if all.is_empty() {
            return Err(Error::usage("no seasons; name them by the initials of their months, as in DJF,MAM,JJA,SON"));
        }
        for (k, one) in all.iter().enumerate() {
            if let Some(other) = all[..k].iter().find(|other| one.months().any(|m| other.holds(m))) {
                let (a, b) = (&other.name, &one.name);
                return Err(Error::usage(format!(
                    "the seasons {a} and {b} overlap; a time can be in one of them only"
                )));
            }
        }
        Ok(Seasons(all))
    }

    /// The seasons, in the order given.
    pub fn all(&self) -> &[Season] {
        &self.0
    }

    /// The position of the season that an instant lies in.
    pub fn of(&self, calendar: Calendar, instant: Instant) -> Option<usize> {
        let month = calendar.date(instant).month;
        self.0.iter().position(|s| s.holds(month))
    }

    /// The position of the season that an instant lies in, and the midnight at which that one begins.
    ///
    /// A season that crosses the year is that of its first day, as xarray's `SeasonResampler` labels it: January 2000
    /// belongs to the DJF of 1999-12-01.
    ///
    /// # Errors
    /// When it begins before the time that is counted.
    pub fn begin(&self, calendar: Calendar, instant: Instant) -> Result<Option<(usize, Instant)>> {
        let month = calendar.date(instant).month;
        let found = self.0.iter().enumerate().find_map(|(k, s)| s.place(month).map(|place| (k, place)));
        found
            .map(|(k, place)| {
                let first = calendar.month_number(instant) - i64::from(place);
                Ok((k, calendar.month_start(first)?))
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::time::Date;

    fn months(name: &str) -> Vec<u8> {
        Season::named(name).unwrap_or_else(|e| panic!("{e}")).months().collect()
    }

    #[test]
    fn initials_are_months_in_a_row() {
        assert_eq!(months("DJF"), [12, 1, 2]);
        assert_eq!(months("jjas"), [6, 7, 8, 9]);
        assert_eq!(months("NDJFM"), [11, 12, 1, 2, 3]);
        assert_eq!(
            (months("MA"), months("AM"), months("MJ"), months("JA")),
            (vec![3, 4], vec![4, 5], vec![5, 6], vec![7, 8])
        );
        assert_eq!((months("F"), months("D")), (vec![2], vec![12]));
        assert_eq!(months("JASONDJFMAMJ").len(), 12);
    }

    #[test]
    fn what_is_no_season_says_why() {
        for (name, why) in [
            ("J", "several months"),
            ("M", "several months"),
            ("a", "several months"),
            ("JAN", "not the initials"),
            ("DJA", "not the initials"),
            ("", "1 to 12"),
            ("JFMAMJJASONDJ", "1 to 12"),
            ("\u{e9}t\u{e9}", "not the initials"),
        ] {
            let said = Season::named(name).unwrap_err().to_string();
            assert!(said.contains(why), "{name}: {said}");
        }
        let said = Seasons::named(["DJFM", "MAM"]).unwrap_err().to_string();
        assert!(said.contains("DJFM and MAM overlap"), "{said}");
        assert!(Seasons::named([]).is_err());
    }

    #[test]
    fn a_season_across_the_year_is_that_of_its_first_day() {
        let calendar = Calendar::Day360;
        let seasons = Seasons::named(["JJAS", "NDJFM"]).unwrap();
        let at = |y, m, d| calendar.instant(&Date::midnight(y, m, d)).unwrap();
        assert_eq!(seasons.begin(calendar, at(2000, 2, 30)).unwrap(), Some((1, at(1999, 11, 1))));
        assert_eq!(seasons.begin(calendar, at(2000, 12, 1)).unwrap(), Some((1, at(2000, 11, 1))));
        assert_eq!(seasons.begin(calendar, at(2000, 9, 30)).unwrap(), Some((0, at(2000, 6, 1))));
        assert_eq!(seasons.begin(calendar, at(2000, 10, 1)).unwrap(), None);
        assert_eq!((seasons.of(calendar, at(2000, 4, 1)), seasons.of(calendar, at(2000, 1, 1))), (None, Some(1)));
    }
}
