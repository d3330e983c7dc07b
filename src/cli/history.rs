//! The `history` attribute: one line for each command that had a part in a file, the newest first.

use crate::attrs::Attrs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Adds this command to the attributes' `history`. `SOURCE_DATE_EPOCH` stands for the time where it is set.
pub fn append(attrs: &mut Attrs) {
    let now = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|s| s.trim().parse::<u64>().ok())
        .or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|d| d.as_secs()))
        .unwrap_or(0);
    // Arguments need not be UTF-8.
    let command: Vec<String> = std::env::args_os().skip(1).map(|a| quoted(&a.to_string_lossy())).collect();
    let line = format!("{}: aosx {}", timestamp(now), command.join(" "));
    let all = match attrs.text("history").map(str::trim_end) {
        Some(old) if !old.is_empty() => format!("{line}\n{old}"),
        _ => line,
    };
    attrs.set("history", all);
}

/// A word as a shell takes it: quoted where it has to be.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./,:=+@%~".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Seconds since 1970 as `2026-11-22T17:49:59Z`.
///
/// The civil date is Howard Hinnant's `civil_from_days`, in unsigned arithmetic.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_blanks_are_quoted() {
        assert_eq!(quoted("--axis=lat,lon"), "--axis=lat,lon");
        assert_eq!(quoted("my file.nc"), "'my file.nc'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn timestamps_are_civil_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_369_799, "2026-11-22T17:49:59Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(timestamp(seconds), text);
        }
    }
}
