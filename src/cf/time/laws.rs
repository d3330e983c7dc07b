//! Laws of calendars, units, partial dates and bins.

use super::{date::DAY, *};
use proptest::prelude::*;

fn calendars() -> impl Strategy<Value = Calendar> {
    proptest::sample::select(Calendar::ALL.to_vec())
}

/// All that is counted, and densely what people have.
fn instants() -> impl Strategy<Value = Instant> {
    prop_oneof![
        any::<i64>(),
        -70_000_000_000_000_000i64..5_000_000_000_000_000,
        // About October 1582.
        -12_223_000_000_000_000i64..-12_215_000_000_000_000,
    ]
    .prop_map(Instant::from_microseconds)
}

fn frequencies() -> impl Strategy<Value = Frequency> {
    let names =
        ["7h", "1d", "5d", "36h", "w", "2w(SUN)", "W", "mo", "ME", "5mo", "q(DJF)", "2QE-JAN", "y(JUL)", "3YE-FEB"];
    proptest::sample::select(names.to_vec()).prop_map(|name| Frequency::parse(name).unwrap())
}

fn sides() -> impl Strategy<Value = Option<Side>> {
    proptest::sample::select(vec![None, Some(Side::Left), Some(Side::Right)])
}

proptest! {
    #[test]
    fn an_instant_is_the_instant_of_its_date(calendar in calendars(), instant in instants()) {
        let date = calendar.date(instant);
        prop_assert_eq!(calendar.instant(&date).unwrap(), instant);
        prop_assert!(date.year != 0 || calendar.has_year_zero());
    }

    /// The order of dates is the order of time, and the next day is the next date.
    #[test]
    fn days_follow_one_another(calendar in calendars(), instant in instants(), days in 1i64..800) {
        let Some(later) = instant.checked_add(days * DAY) else { return Ok(()) };
        let (a, b) = (calendar.date(instant), calendar.date(later));
        prop_assert!(a < b, "{} {}", a, b);
        if days == 1 {
            let gap = calendar == Calendar::Standard && (a.year, a.month, a.day) == (1582, 10, 4);
            let last = a.day == calendar.days_in_month(a.year, a.month);
            prop_assert_eq!(b.day, if gap { 15 } else if last { 1 } else { a.day + 1 });
        }
        prop_assert_eq!((calendar.day_of_week(instant) as i64 + days) % 7, calendar.day_of_week(later) as i64);
    }

    #[test]
    fn whole_numbers_survive_and_floats_are_inverted(calendar in calendars(), n in -3_000_000i64..3_000_000, unit in 0usize..6) {
        let unit = ["milliseconds", "seconds", "minutes", "hours", "days", "weeks"][unit];
        let units = TimeUnits::parse(&format!("{unit} since 1850-03-01 06:00:00.25"), calendar).unwrap();
        let instant = units.decode_i64(n).unwrap();
        prop_assert_eq!(units.encode_i64(instant), Some(n));
        prop_assert_eq!(units.encode(instant), n as f64);
        prop_assert_eq!(units.decode(n as f64).unwrap(), Some(instant));
        // In between, as near as floats are to one another there; and a microsecond beside a second may be dropped.
        let between = instant.checked_add(123_457).unwrap();
        let number = units.encode(between);
        let spacing = (number.next_up() - number) * units.unit().microseconds().unwrap() as f64;
        let off = units.decode(number).unwrap().unwrap().microseconds() - between.microseconds();
        prop_assert!(off.abs() as f64 <= spacing + 1.0, "{} microseconds off", off);
        let written = TimeUnits::parse(&units.to_string(), calendar).unwrap();
        prop_assert_eq!(written, units);
    }

    /// The months of a year, and the days of a month, cover it without gap or overlap.
    #[test]
    fn partial_dates_tile_the_year(calendar in calendars(), year in 1i32..3000) {
        let range = |text: String| PartialDate::parse(&text).unwrap().range(calendar);
        let (mut at, year_end) = range(format!("{year:04}")).unwrap();
        let mut days = 0;
        for month in 1..=12u8 {
            let (start, end) = range(format!("{year:04}-{month:02}")).unwrap();
            prop_assert_eq!(start, at);
            for day in 1..=calendar.days_in_month(year, month) {
                // Of the days that were left out there is no date.
                let Ok((start, end)) = range(format!("{year:04}-{month:02}-{day:02}")) else { continue };
                prop_assert_eq!(start, at);
                (at, days) = (end, days + 1);
            }
            prop_assert_eq!(end, at);
        }
        prop_assert_eq!(at, year_end);
        let left_out = if calendar == Calendar::Standard && year == 1582 { 10 } else { 0 };
        prop_assert_eq!(days, calendar.days_in_year(year) - left_out);
    }

    /// Every time is in one bin, which is the one whose edges it lies between.
    #[test]
    fn bins_cover_and_do_not_overlap(
        calendar in calendars(),
        first in -70_000_000_000_000_000i64..5_000_000_000_000_000,
        steps in proptest::collection::vec(0i64..3_000_000_000_000, 1..20),
        frequency in frequencies(),
        closed in sides(),
        label in sides(),
        midnights in any::<bool>(),
    ) {
        let times: Vec<Instant> = steps.iter().scan(first, |at, step| { *at += step; Some(Instant::from_microseconds(*at)) })
            .map(|t| if midnights { t.midnight() } else { t }).collect();
        let bins = Bins::new(&frequency, calendar, times.iter().copied(), &BinOptions { closed, label, ..BinOptions::default() }).unwrap();
        prop_assert_eq!(bins.edges().len(), bins.len() + 1);
        prop_assert!(bins.edges().windows(2).all(|e| e[0] < e[1]));
        prop_assert!(bins.labels().windows(2).all(|l| l[0] < l[1]));
        for t in times {
            let Some(bin) = bins.bin_of(t) else { return Err(TestCaseError::fail(format!("{t:?} is in no bin"))) };
            let (low, high) = (bins.edges()[bin], bins.edges()[bin + 1]);
            let within = match bins.closed() {
                Side::Left => low <= t && t < high,
                Side::Right => low < t && t <= high,
            };
            prop_assert!(within, "{:?} in {:?} to {:?}", t, low, high);
        }
    }

    #[test]
    fn nothing_that_is_typed_panics(text in "[-+0-9A-Za-z:/. ()\u{e9}]{0,20}", calendar in calendars()) {
        let _ = TimeUnits::parse(&format!("days since {text}"), calendar);
        let _ = TimeUnits::parse(&text, calendar);
        let _ = Frequency::parse(&text);
        let _ = Season::named(&text);
        let _ = TimeRange::parse(&text).map(|r| r.bounds(calendar));
    }
}
