//! Against cftime and xarray: `fixtures/time`.

use super::*;
use serde_json::Value;

fn told() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/time/expected.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn int(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

fn calendar(name: &Value) -> Calendar {
    Calendar::named(Some(text(name))).unwrap()
}

/// The generator of `make.py`.
fn dice(mut state: u64) -> impl Iterator<Item = i64> {
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as i64
    })
}

const KINDS: [&str; 5] = [
    "microseconds since 1970-01-01",
    "days since 1850-01-01",
    "hours since 1582-10-01 06:30:15.25",
    "seconds since 0001-01-01",
    "days since 2000-02-28",
];

/// The instants of a kind of numbers.
fn instants(kind: usize, units: &TimeUnits, count: usize) -> Vec<Instant> {
    let bits = dice(kind as u64 + 1).take(count);
    let whole = |n: i64| units.decode_i64(n).unwrap();
    match kind {
        0 => bits.map(|b| whole((b - (1 << 52)) * 63)).collect(),
        4 => bits.map(|b| whole(b % 20_000_001 - 10_000_000)).collect(),
        _ => {
            let span = [0.0, 2e6, 4e3, 2e9][kind];
            let number = |b: i64| (b as f64 / (1u64 << 53) as f64 - 0.5) * span;
            bits.map(|b| units.decode(number(b)).unwrap().unwrap()).collect()
        }
    }
}

/// Compares dates with three numbers of `make.py` each, and what they are encoded as with its checksum.
fn compare(calendar: Calendar, records: &[i64], check: u64) {
    let count = records.len() / 3 / KINDS.len();
    assert_eq!(records.len(), 3 * count * KINDS.len());
    let mut records = records.chunks_exact(3);
    let mut sum = 14_695_981_039_346_656_037u64;
    for (kind, text) in KINDS.into_iter().enumerate() {
        let units = TimeUnits::parse(text, calendar).unwrap();
        for (k, instant) in instants(kind, &units, count).into_iter().enumerate() {
            let date = calendar.date(instant);
            let day =
                ((i64::from(date.year) + 100_000) * 12 + i64::from(date.month) - 1) * 31 + i64::from(date.day) - 1;
            let minutes = i64::from(date.hour) * 60 + i64::from(date.minute);
            let time = (minutes * 60 + i64::from(date.second)) * 1_000_000 + i64::from(date.microsecond);
            let year_and_week = i64::from(calendar.day_of_year(&date)) * 7 + i64::from(calendar.day_of_week(instant));
            let rest = year_and_week * 32 + i64::from(calendar.days_in_month(date.year, date.month));
            let expect = records.next().unwrap();
            assert_eq!([day, time, rest], expect, "{} {text}: number {k} is {date}", calendar.name());
            assert_eq!(calendar.instant(&date).unwrap(), instant, "{date}");
            let bytes = units.encode(instant).to_le_bytes();
            sum = bytes.iter().fold(sum, |sum, b| (sum ^ u64::from(*b)).wrapping_mul(1_099_511_628_211));
        }
    }
    assert_eq!(sum, check, "{}: numbers of dates", calendar.name());
}

#[test]
fn dates_are_those_of_cftime() {
    for (name, told) in told()["dates"].as_object().unwrap() {
        let records: Vec<i64> = text(&told[0]).split(' ').map(|n| i64::from_str_radix(n, 36).unwrap()).collect();
        assert_eq!(records.len(), 6000);
        compare(Calendar::named(Some(name)).unwrap(), &records, u64::from_str_radix(text(&told[1]), 16).unwrap());
    }
}

/// A million dates of each calendar: `make.py trial FOLDER`, and `AOSX_TIME_TRIAL=FOLDER` here.
#[test]
fn a_million_dates_are_those_of_cftime() {
    let Ok(folder) = std::env::var("AOSX_TIME_TRIAL") else { return };
    for calendar in Calendar::ALL {
        let bytes = std::fs::read(format!("{folder}/{}.bin", calendar.name())).unwrap();
        let words: Vec<i64> = bytes.chunks_exact(8).map(|w| i64::from_le_bytes(w.try_into().unwrap())).collect();
        assert_eq!(words.len() as i64, 3 * words[0] + 2);
        compare(calendar, &words[2..], words[1] as u64);
    }
}

#[test]
fn units_are_read_as_xarray_reads_them() {
    let told = told();
    for case in list(&told["units"]) {
        let (calendar, units) = (calendar(&case[0]), text(&case[1]));
        let found = TimeUnits::parse(units, calendar).ok().map(|u| calendar.date(u.reference()).to_string());
        assert_eq!(found.as_deref(), case[2].as_str(), "{units} in {}", calendar.name());
    }
}

/// The times of an axis: `[calendar, start, step in hours, count, scatter in microseconds, first microsecond]`.
fn axis(spec: &Value) -> (Calendar, Vec<Instant>) {
    let (step, scatter, first) = ((spec[2].as_f64().unwrap() * 3.6e9) as i64, int(&spec[4]), int(&spec[5]));
    let moves = dice(7).map(|b| if scatter == 0 { 0 } else { b % scatter });
    let times = moves.take(int(&spec[3]) as usize).enumerate();
    let times = times.map(|(k, m)| Instant::from_microseconds(first + step * k as i64 + m)).collect();
    (calendar(&spec[0]), times)
}

fn options(given: &Value, calendar: Calendar) -> BinOptions {
    let side = |key: &str| given[key].as_str().map(|s| if s == "left" { Side::Left } else { Side::Right });
    let origin = given["origin"].as_str().map(|name| match name {
        "start" => Origin::Start,
        "epoch" => Origin::Epoch,
        "end" => Origin::End,
        "end_day" => Origin::EndDay,
        date => Origin::At(PartialDate::parse(date).unwrap().range(calendar).unwrap().0),
    });
    let offset = given["offset"].as_str().map_or(0, |o| Frequency::parse(o).unwrap().microseconds().unwrap());
    BinOptions { closed: side("closed"), label: side("label"), origin, offset }
}

/// `[value, how often, value, how often, ...]`.
fn unrolled(runs: &Value) -> Vec<i64> {
    let runs: Vec<i64> = list(runs).iter().map(int).collect();
    runs.chunks_exact(2).flat_map(|run| vec![run[0]; run[1] as usize]).collect()
}

#[test]
fn bins_are_those_of_resample() {
    let told = told();
    let axes: Vec<_> = list(&told["axes"]).iter().map(axis).collect();
    let cases = list(&told["resample"]);
    assert!(cases.len() > 300);
    for case in cases {
        let (calendar, times) = &axes[int(&case[0]) as usize];
        let what = format!("{} of axis {}, {}", text(&case[1]), case[0], case[2]);
        let frequency = Frequency::parse(text(&case[1])).unwrap();
        // The order of times does not matter.
        let backwards = times.iter().rev().copied();
        let bins = Bins::new(&frequency, *calendar, backwards, &options(&case[2], *calendar)).unwrap();
        let mut expect = vec![int(&case[3])];
        unrolled(&case[4]).into_iter().for_each(|step| expect.push(expect[expect.len() - 1] + step));
        let labels: Vec<i64> = bins.labels().iter().map(|l| l.microseconds().div_euclid(1_000_000)).collect();
        assert_eq!(labels, expect, "{what}");
        let mut counts = vec![0; bins.len()];
        times.iter().for_each(|t| counts[bins.bin_of(*t).unwrap()] += 1);
        assert_eq!(counts, unrolled(&case[5]), "{what}");
    }
}

#[test]
fn parts_are_those_of_xarray() {
    let told = told();
    for case in list(&told["parts"]) {
        let (calendar, times) = axis(&told["axes"][int(&case[0]) as usize]);
        let part = Part::named(text(&case[2])).unwrap();
        let found: Vec<Value> = times
            .iter()
            .step_by(int(&case[1]) as usize)
            .map(|t| part.of(calendar, *t))
            .map(|n| if part == Part::Season { part.label(calendar, n).into() } else { n.into() })
            .collect();
        assert_eq!(found, list(&case[3]), "{} of {}", part.name(), calendar.name());
    }
}

#[test]
fn partial_dates_select_what_xarray_selects() {
    let told = told();
    for case in list(&told["select"]) {
        let (calendar, times) = axis(&told["axes"][int(&case[0]) as usize]);
        let (first, end) = TimeRange::parse(text(&case[1])).unwrap().bounds(calendar).unwrap();
        let selected = |t: &&Instant| first.is_none_or(|f| f <= **t) && end.is_none_or(|e| **t < e);
        assert_eq!(times.iter().filter(selected).count() as i64, int(&case[2]), "{}", case[1]);
    }
}

#[test]
fn seasons_begin_where_those_of_xarray_do() {
    let told = told();
    for case in list(&told["seasons"]) {
        let (calendar, times) = axis(&told["axes"][int(&case[0]) as usize]);
        let seasons = Seasons::named(list(&case[1]).iter().map(text)).unwrap();
        let mut found = std::collections::BTreeMap::new();
        for t in times {
            if let Some((season, begin)) = seasons.begin(calendar, t).unwrap() {
                assert_eq!(Some(season), seasons.of(calendar, t));
                *found.entry(begin.microseconds() / 1_000_000).or_insert(0) += 1;
            }
        }
        let (labels, counts): (Vec<i64>, Vec<i64>) = found.into_iter().unzip();
        let expect = [&case[2], &case[3]].map(|l| list(l).iter().map(int).collect::<Vec<_>>());
        assert_eq!([labels, counts], expect, "{}", case[1]);
    }
}
