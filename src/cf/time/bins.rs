//! Bins of a frequency along the axis of time, as xarray's and pandas' `resample` make them.

use super::{
    calendar::Calendar,
    date::{DAY, Instant},
    frequency::{Edge, Frequency, Step},
    partial::PartialDate,
};
use crate::error::{Error, Result};

/// Left or right: which end of a bin belongs to it, or names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The beginning.
    Left,
    /// The end.
    Right,
}

/// Where bins of a fixed length are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Origin {
    /// The midnight before the first time.
    #[default]
    StartDay,
    /// The first time.
    Start,
    /// 1970-01-01.
    Epoch,
    /// The last time, backwards.
    End,
    /// The midnight after the last time, backwards.
    EndDay,
    /// An instant.
    At(Instant),
}

impl Side {
    /// `left` or `right`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn named(name: &str) -> Result<Side> {
        match name.trim() {
            "left" => Ok(Side::Left),
            "right" => Ok(Side::Right),
            other => Err(Error::usage(format!("an end of a bin is left or right, not '{other}'"))),
        }
    }
}

impl Origin {
    /// `start-day`, `start`, `epoch`, `end`, `end-day`, or a date, also with pandas' `_`.
    ///
    /// # Errors
    /// When it is none of these, or the calendar has no such date.
    pub fn named(name: &str, calendar: Calendar) -> Result<Origin> {
        Ok(match name.trim().replace('_', "-").as_str() {
            "start-day" => Origin::StartDay,
            "start" => Origin::Start,
            "epoch" => Origin::Epoch,
            "end" => Origin::End,
            "end-day" => Origin::EndDay,
            date => Origin::At(PartialDate::parse(date)?.range(calendar)?.0),
        })
    }
}

/// What there is to choose about bins. What is not chosen is as pandas has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BinOptions {
    /// Which end of a bin belongs to it. The right one for frequencies that stand for a period by its last day, and
    /// where bins are counted backwards; else the left one.
    pub closed: Option<Side>,
    /// Which end of a bin names it, with the same default.
    pub label: Option<Side>,
    /// Where bins of a fixed length are counted from.
    pub origin: Option<Origin>,
    /// Microseconds that are added to the origin.
    pub offset: i64,
}

/// Neighbouring bins without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bins {
    edges: Vec<Instant>,
    labels: Vec<Instant>,
    closed: Side,
}

/// So many bins fit 128 MiB.
const BINS_MAX: i64 = 1 << 23;

impl Bins {
    /// The bins of a frequency that cover some times, in whatever order they come; no bins for no times.
    ///
    /// Labels are those of xarray. Empty bins between times are there; as in xarray there may be some at the end.
    ///
    /// # Errors
    /// When an origin or offset is given for a frequency that follows the calendar, or there are too many bins.
    pub fn new(
        frequency: &Frequency,
        calendar: Calendar,
        times: impl IntoIterator<Item = Instant>,
        options: &BinOptions,
    ) -> Result<Bins> {
        let range = times.into_iter().fold(None, |range: Option<(Instant, Instant)>, t| match range {
            None => Some((t, t)),
            Some((low, high)) => Some((low.min(t), high.max(t))),
        });
        let backwards = matches!(options.origin, Some(Origin::End | Origin::EndDay));
        let default = match frequency.step().edge() {
            Some(Edge::End) => Side::Right,
            None if backwards => Side::Right,
            _ => Side::Left,
        };
        let (closed, label) = (options.closed.unwrap_or(default), options.label.unwrap_or(default));
        let Some((low, high)) = range else {
            return Ok(Bins { edges: Vec::new(), labels: Vec::new(), closed });
        };
        match frequency.microseconds() {
            Some(length) => fixed((low, high), length, closed, label, options),
            None if options.origin.is_some() || options.offset != 0 => Err(Error::usage(
                "an origin or offset moves bins of fixed length only, as 6h or 5d; those that follow the calendar begin \
                 where its weeks, months or years do",
            )),
            None => periods(frequency, calendar, (low, high), closed, label),
        }
    }

    /// How many bins there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The instants between bins, one more than there are bins.
    pub fn edges(&self) -> &[Instant] {
        &self.edges
    }

    /// What names each bin.
    pub fn labels(&self) -> &[Instant] {
        &self.labels
    }

    /// Which edge belongs to a bin. Bins that end with a day, as those of `ME`, have the next midnight for an edge,
    /// and it belongs to the bin that it begins.
    pub fn closed(&self) -> Side {
        self.closed
    }

    /// The bin that an instant lies in.
    pub fn bin_of(&self, instant: Instant) -> Option<usize> {
        let passed = match self.closed {
            Side::Left => self.edges.partition_point(|e| *e <= instant),
            Side::Right => self.edges.partition_point(|e| *e < instant),
        };
        passed.checked_sub(1).filter(|bin| *bin < self.labels.len())
    }
}

/// Source: pandas 3.0, `_adjust_dates_anchored`.
fn fixed(
    (low, high): (Instant, Instant),
    length: i64,
    closed: Side,
    label: Side,
    options: &BinOptions,
) -> Result<Bins> {
    let length = i128::from(length);
    let (mut first, last) = (i128::from(low.microseconds()), i128::from(high.microseconds()));
    let mut origin = match options.origin.unwrap_or_default() {
        Origin::StartDay => i128::from(low.day()) * i128::from(DAY),
        Origin::Start => first,
        Origin::Epoch => 0,
        Origin::At(instant) => i128::from(instant.microseconds()),
        backwards @ (Origin::End | Origin::EndDay) => {
            let day = i128::from(DAY);
            let end = if backwards == Origin::End { last } else { last + (-last).rem_euclid(day) };
            let bins = (end - first).div_euclid(length) + i128::from(closed == Side::Left);
            first = end - bins * length;
            first
        }
    };
    origin += i128::from(options.offset);
    let (into_first, into_last) = ((first - origin).rem_euclid(length), (last - origin).rem_euclid(length));
    let (start, end) = match closed {
        Side::Left => (first - into_first, last - into_last + length),
        Side::Right => {
            let start = if into_first > 0 { first - into_first } else { first - length };
            (start, if into_last > 0 { last - into_last + length } else { last })
        }
    };
    // Backwards and with an offset, pandas leaves the first times out and refuses; so one bin more.
    let low = i128::from(low.microseconds());
    let uncovered = start > low || (closed == Side::Right && start == low);
    let start = if uncovered { start - length } else { start };
    let count = countable((end - start).div_euclid(length))?;
    let at = |k: i64| i64::try_from(start + i128::from(k) * length).map(Instant::from_microseconds);
    let edges: Vec<Instant> = (0..=count).map(at).collect::<std::result::Result<_, _>>().map_err(|_| {
        Error::usage("the bins reach further than 292,000 years from 1970; choose another frequency or origin")
    })?;
    let labels = named(&edges, label);
    Ok(Bins { edges, labels, closed })
}

/// Source: xarray 2026.9, `_get_time_bins` of `resample_cftime`, and the same of pandas 3.0.
fn periods(
    frequency: &Frequency,
    calendar: Calendar,
    (low, high): (Instant, Instant),
    closed: Side,
    label: Side,
) -> Result<Bins> {
    let (step, count) = (frequency.step(), frequency.count());
    let (first, on_first) = step.floor(calendar, low);
    let (last, _) = step.floor(calendar, high);
    let first = match closed {
        Side::Left => first,
        // Back by a whole frequency: from between two days the first step only leads to the one before.
        Side::Right => first - count + i64::from(!on_first),
    };
    let bins = countable((i128::from(last) + i128::from(count) - i128::from(first)).div_euclid(i128::from(count)))?;
    let days = (0..=bins).map(|k| step.at(calendar, first + k * count)).collect::<Result<Vec<_>>>()?;
    let by_last_day = step.edge() == Some(Edge::End);
    // A period that ends with a day goes on to midnight, which does not belong to it any more.
    let (mut edges, closed) = match (by_last_day, closed) {
        (true, Side::Right) => {
            let next = |day: &Instant| day.checked_add(DAY).ok_or_else(|| Error::usage("the bins reach too far"));
            (days.iter().map(next).collect::<Result<Vec<_>>>()?, Side::Left)
        }
        (_, closed) => (days.clone(), closed),
    };
    let mut days = days;
    let beyond = edges.len() > 2 && edges[edges.len() - 2] > high;
    if beyond && (by_last_day || matches!(step, Step::Week { .. })) {
        edges.pop();
        days.pop();
    }
    let labels = named(&days, label);
    Ok(Bins { edges, labels, closed })
}

fn named(edges: &[Instant], label: Side) -> Vec<Instant> {
    match (edges, label) {
        ([], _) => Vec::new(),
        ([_, right @ ..], Side::Right) => right.to_vec(),
        ([left @ .., _], Side::Left) => left.to_vec(),
    }
}

/// A number of bins that can be listed.
fn countable(bins: i128) -> Result<i64> {
    i64::try_from(bins).ok().filter(|b| (0..=BINS_MAX).contains(b)).ok_or_else(|| {
        Error::usage(format!("the times would fall into {bins} bins, more than {BINS_MAX}; choose a longer frequency"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::time::Date;

    #[test]
    fn bins_of_a_fixed_length_begin_at_midnight() {
        let calendar = Calendar::Day360;
        let at = |day, hour| calendar.instant(&Date { hour, ..Date::midnight(1991, 2, day) }).unwrap();
        let frequency = Frequency::parse("12h").unwrap();
        let times = [at(30, 18), at(29, 6), at(29, 13)];
        let bins = Bins::new(&frequency, calendar, times, &BinOptions::default()).unwrap();
        assert_eq!(bins.labels(), [at(29, 0), at(29, 12), at(30, 0), at(30, 12)]);
        assert_eq!(times.map(|t| bins.bin_of(t)), [Some(3), Some(0), Some(1)]);
        assert_eq!((bins.bin_of(at(28, 23)), bins.bin_of(bins.edges()[4])), (None, None));
    }

    #[test]
    fn no_times_have_no_bins() {
        let frequency = Frequency::parse("ME").unwrap();
        let bins = Bins::new(&frequency, Calendar::NoLeap, [], &BinOptions::default()).unwrap();
        assert!(bins.is_empty() && bins.edges().is_empty());
        assert_eq!(bins.bin_of(Instant::from_microseconds(0)), None);
    }

    #[test]
    fn what_cannot_be_binned_says_why() {
        let calendar = Calendar::Standard;
        let ends = [Instant::from_microseconds(i64::MIN), Instant::from_microseconds(i64::MAX)];
        let said = |text: &str, options: BinOptions| {
            Bins::new(&Frequency::parse(text).unwrap(), calendar, ends, &options).unwrap_err().to_string()
        };
        let plain = BinOptions::default();
        assert!(said("1s", plain).contains("longer frequency"));
        assert!(said("1000y", plain).contains("292,000"), "its first bin begins before what is counted");
        assert!(said("1000000d", plain).contains("292,000"));
        assert!(said("1mo", BinOptions { origin: Some(Origin::Epoch), ..plain }).contains("fixed length"));
        assert!(said("1w", BinOptions { offset: 1, ..plain }).contains("fixed length"));
    }
}
