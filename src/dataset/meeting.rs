//! Where two arrays meet along a dimension: whether its labels are the same, and in which order the second is read.
//!
//! This is the one place that decides it, for expressions, labels of groups, weights and files that are merged.

use super::{
    Dataset, grouping,
    select::{CIRCLE, Part},
};
use crate::{
    array::LazyArray,
    cf::{
        horizontal::is_longitude,
        measure::{self, Unit},
        time::{Calendar, Instant, TimeUnits, is_time},
    },
    dtype::DType,
    error::Result,
    source::VarMeta,
};

/// What is nearer than this part of a label, and than a hundredth of a step, is the same but for how it was written.
const SLACK: f64 = 1e-5;

/// What 32 bits round by.
const SINGLE: f64 = f32::EPSILON as f64;

/// The labels along a dimension.
#[derive(Debug, Clone)]
pub(crate) enum Labels {
    /// Numbers; `unit` is what they are in, `precision` by which part their type rounds, `circle` whether they are longitudes.
    Numbers { values: Vec<f64>, unit: Option<Unit>, precision: f64, circle: bool },
    /// Dates.
    Times { instants: Vec<Option<Instant>>, calendar: Calendar },
    /// Words.
    Texts(Vec<String>),
}

/// How the second of two dimensions lies to the first.
#[derive(Debug, PartialEq)]
pub(crate) enum Meeting {
    /// In the same order.
    Same,
    /// In another order.
    Turned(Order),
    /// Other dates, as of another year: values meet by position.
    Dates(Dates),
    /// Other labels: the first place where they are, and both.
    Apart { at: usize, first: String, second: String },
}

/// What is to be said of dates that are others.
#[derive(Debug, PartialEq)]
pub(crate) enum Dates {
    /// Nothing: they have none in common.
    Others,
    /// They are of two calendars: the first's, and the second's.
    Calendars(&'static str, &'static str),
    /// Some are the same, at other positions: where the first begins, and the second.
    Shifted(String, String),
}

/// The order in which positions are read so that their labels are those of another dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// For each position, that which is read there.
    pub positions: Vec<u64>,
    /// How many circles each longitude is moved by; empty where none is.
    pub circles: Vec<i64>,
    /// The label that is read first.
    from: String,
}

impl Order {
    /// Whether positions stay where they are, and only longitudes are called otherwise.
    pub fn stays(&self) -> bool {
        self.positions.iter().copied().eq(0..self.positions.len() as u64)
    }

    /// An array in this order along an axis.
    ///
    /// # Errors
    /// When the axis has no such positions.
    pub fn of(&self, array: &LazyArray, axis: usize) -> Result<LazyArray> {
        Part::of(&self.positions).take(array, axis)
    }

    /// What is done, in words: `read backwards`, `read from 180 on`.
    pub fn said(&self) -> String {
        let back = self.positions.windows(2).filter(|w| w[1] < w[0]).count() * 2 >= self.positions.len();
        let is_whole = |first: Option<&u64>| first.is_some_and(|at| at + 1 == self.positions.len() as u64);
        match (back, is_whole(self.positions.first())) {
            (true, true) => "read backwards".to_string(),
            (true, false) => format!("read backwards from {} on", self.from),
            (false, _) => format!("read from {} on", self.from),
        }
    }
}

impl Labels {
    /// Those that a coordinate says; `None` where they say nothing that could be compared.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn of(dataset: &Dataset, coordinate: &VarMeta) -> Result<Option<Labels>> {
        let Some(stored) = coordinate.stored.dtype() else {
            return Ok(dataset.texts(&coordinate.path).ok().map(Labels::Texts));
        };
        let (values, attrs) = (dataset.numbers(&coordinate.path)?, &coordinate.attrs);
        if is_time(attrs) {
            let Ok(Some(units)) = TimeUnits::of(attrs) else { return Ok(None) };
            let instants = values.iter().map(|&x| units.decode(x)).collect::<Result<Vec<_>>>();
            return Ok(instants.ok().map(|instants| Labels::Times { instants, calendar: units.calendar() }));
        }
        let is_called_time = attrs.text("axis") == Some("T")
            || [attrs.text("standard_name"), Some(coordinate.name())].contains(&Some("time"));
        if is_called_time {
            return Ok(None);
        }
        let precision = match stored {
            DType::F32 => SINGLE,
            DType::F64 => 1e-12,
            _ => 0.0,
        };
        let circle = is_longitude(coordinate.name(), attrs);
        Ok(Some(Labels::Numbers { values, unit: measure::of(attrs), precision, circle }))
    }

    /// Those of groups.
    pub fn of_groups(labels: &grouping::Labels) -> Labels {
        let numbers = |values| Labels::Numbers { values, unit: None, precision: 0.0, circle: false };
        match labels {
            grouping::Labels::Integers(all) => numbers(all.iter().map(|&n| n as f64).collect()),
            grouping::Labels::Numbers(all) => numbers(all.clone()),
            grouping::Labels::Texts(all) => Labels::Texts(all.clone()),
        }
    }

    /// Those at some positions.
    pub fn at(&self, positions: &[u64]) -> Labels {
        fn picked<T: Clone>(all: &[T], positions: &[u64]) -> Vec<T> {
            positions.iter().filter_map(|&at| all.get(at as usize).cloned()).collect()
        }
        match self {
            Labels::Numbers { values, unit, precision, circle } => {
                let values = picked(values, positions);
                Labels::Numbers { values, unit: unit.clone(), precision: *precision, circle: *circle }
            }
            Labels::Times { instants, calendar } => {
                Labels::Times { instants: picked(instants, positions), calendar: *calendar }
            }
            Labels::Texts(all) => Labels::Texts(picked(all, positions)),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Labels::Numbers { values, .. } => values.len(),
            Labels::Times { instants, .. } => instants.len(),
            Labels::Texts(all) => all.len(),
        }
    }

    fn text(&self, at: usize) -> String {
        let text = match self {
            Labels::Numbers { values, precision, .. } => {
                let shown = |x: &f64| if *precision == SINGLE { (*x as f32).to_string() } else { x.to_string() };
                values.get(at).map(shown)
            }
            Labels::Times { instants, calendar } => {
                instants.get(at).map(|i| i.map_or_else(|| "none".into(), |i| calendar.date(i).to_string()))
            }
            Labels::Texts(all) => all.get(at).map(|text| format!("'{}'", text.trim_end())),
        };
        text.unwrap_or_default()
    }

    /// How a second dimension with labels `other` of as many positions lies to this.
    pub fn meet(&self, other: &Labels) -> Meeting {
        match (self, other) {
            (Labels::Numbers { values: a, .. }, Labels::Numbers { .. }) => {
                let (b, slack, circle) = self.numbers_of(other);
                let far = |j: usize, i: usize| {
                    let far = a[i] - b[j];
                    if circle { far - (far / CIRCLE).round() * CIRCLE } else { far }
                };
                let step = a.windows(2).map(|w| (w[1] - w[0]).abs()).filter(|d| *d > 0.0).fold(f64::INFINITY, f64::min);
                let near = |x: f64| (SLACK * x.abs().max(1.0)).min(step / 100.0).max(slack);
                let same = |i: usize, j: usize| far(j, i).abs() <= near(a[i]) || (a[i].is_nan() && b[j].is_nan());
                self.ordered(other, same, |positions| {
                    let circles =
                        positions.iter().zip(a).map(|(&at, x)| ((x - b[at as usize]) / CIRCLE).round() as i64);
                    let circles: Vec<i64> = if circle { circles.collect() } else { Vec::new() };
                    if circles.iter().any(|n| *n != 0) { circles } else { Vec::new() }
                })
            }
            (Labels::Texts(a), Labels::Texts(b)) => {
                self.ordered(other, |i, j| a[i].trim_end() == b[j].trim_end(), |_| Vec::new())
            }
            (Labels::Times { instants: a, calendar: own }, Labels::Times { instants: b, calendar: theirs }) => {
                let is_one = own == theirs || (is_gregorian(*own, a) && is_gregorian(*theirs, b));
                if !is_one {
                    return Meeting::Dates(Dates::Calendars(own.name(), theirs.name()));
                }
                match self.ordered(other, |i, j| a[i] == b[j], |_| Vec::new()) {
                    Meeting::Turned(order) if order.positions.is_sorted_by(|p, q| p > q) => Meeting::Turned(order),
                    Meeting::Same => Meeting::Same,
                    _ => {
                        let has = |all: &[Option<Instant>], one: &Option<Instant>| one.is_some() && all.contains(one);
                        let ends =
                            |all: &[Option<Instant>]| [all.first().copied(), all.last().copied()].map(Option::flatten);
                        let shared = ends(a).iter().any(|i| has(b, i)) || ends(b).iter().any(|i| has(a, i));
                        Meeting::Dates(match shared {
                            true => Dates::Shifted(self.text(0), other.text(0)),
                            false => Dates::Others,
                        })
                    }
                }
            }
            (Labels::Times { .. }, _) | (_, Labels::Times { .. }) => Meeting::Dates(Dates::Others),
            _ => Meeting::Apart { at: 0, first: self.text(0), second: other.text(0) },
        }
    }

    /// The numbers of others in one's own units, how far both may be rounded, and whether they go round.
    fn numbers_of(&self, other: &Labels) -> (Vec<f64>, f64, bool) {
        let (
            Labels::Numbers { values: a, unit: own, precision, circle },
            Labels::Numbers { values, unit, precision: also, circle: both },
        ) = (self, other)
        else {
            return (Vec::new(), 0.0, false);
        };
        let conversion = own.as_ref().zip(unit.as_ref()).and_then(|(own, unit)| unit.conversion_to(own).ok());
        let values = match conversion.filter(|c| !c.is_identity()) {
            Some(c) => values.iter().map(|&x| c.apply(x)).collect(),
            None => values.clone(),
        };
        let largest = a.iter().map(|x| x.abs()).filter(|x| x.is_finite()).fold(0.0, f64::max);
        (values, precision.max(*also) * largest, *circle || *both)
    }

    /// Whether labels are the same, or all of them in a row that begins elsewhere, forwards or backwards.
    fn ordered(
        &self,
        other: &Labels,
        same: impl Fn(usize, usize) -> bool,
        circles: impl Fn(&[u64]) -> Vec<i64>,
    ) -> Meeting {
        let n = self.len().min(other.len());
        let turned = |positions: Vec<u64>| {
            let from = positions.first().map(|&at| other.text(at as usize)).unwrap_or_default();
            Order { circles: circles(&positions), positions, from }
        };
        let Some(at) = (0..n).find(|&k| !same(k, k)) else {
            let order = turned((0..n as u64).collect());
            return if order.circles.is_empty() { Meeting::Same } else { Meeting::Turned(order) };
        };
        // Labels that are there several times have no order; two tries tell.
        for begin in (0..n).filter(|&j| same(0, j)).take(2) {
            let forwards = |k: usize| (begin + k) % n;
            let backwards = |k: usize| (begin + n - k) % n;
            for place in [&backwards as &dyn Fn(usize) -> usize, &forwards] {
                if (0..n).all(|k| same(k, place(k))) {
                    return Meeting::Turned(turned((0..n).map(|k| place(k) as u64).collect()));
                }
            }
        }
        Meeting::Apart { at, first: self.text(at), second: other.text(at) }
    }
}

/// Whether dates are those of the calendar that people use, in whatever way it is called: `standard` since its gap.
fn is_gregorian(calendar: Calendar, instants: &[Option<Instant>]) -> bool {
    // 1582-10-15
    const SINCE_MICROSECONDS: i64 = -12_219_292_800_000_000;
    match calendar {
        Calendar::ProlepticGregorian => true,
        Calendar::Standard => instants.iter().flatten().all(|i| i.microseconds() >= SINCE_MICROSECONDS),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[f64], unit: &str, circle: bool) -> Labels {
        Labels::Numbers { values: values.to_vec(), unit: Unit::parse(unit).ok(), precision: 0.0, circle }
    }

    /// The positions of a second dimension in the order of the first, and the circles between them.
    fn order(a: &[f64], b: &[f64], circle: bool) -> Option<(Vec<u64>, Vec<i64>)> {
        match numbers(a, "1", circle).meet(&numbers(b, "1", circle)) {
            Meeting::Turned(order) => Some((order.positions, order.circles)),
            _ => None,
        }
    }

    #[test]
    fn reversals_and_rotations_are_found() {
        assert_eq!(order(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0], false), Some((vec![2, 1, 0], vec![])));
        assert_eq!(order(&[12.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 12.0], false), Some((vec![3, 0, 1, 2], vec![])));
        let (east, around) = ([0.0, 90.0, 180.0, 270.0], [-180.0, -90.0, 0.0, 90.0]);
        assert_eq!(order(&east, &around, true), Some((vec![2, 3, 0, 1], vec![0, 0, 1, 1])));
        assert_eq!(order(&around, &east, true), Some((vec![2, 3, 0, 1], vec![-1, -1, 0, 0])));
        assert_eq!(order(&east, &[90.0, 0.0, -90.0, 180.0], true), Some((vec![1, 0, 3, 2], vec![0, 0, 0, 1])));
        assert_eq!(order(&[0.0, 90.0], &[360.0, 450.0], true), Some((vec![0, 1], vec![-1, -1])));
        assert_eq!(order(&east, &around, false), None);
        // All in one row, and not another permutation.
        assert_eq!(order(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0], false), None);
        assert_eq!(order(&[1.0, 1.0, 2.0], &[1.0, 2.0, 1.0], false), Some((vec![0, 2, 1], vec![])));
    }

    #[test]
    fn what_is_done_is_said() {
        let said = |a: &[f64], b: &[f64]| match numbers(a, "1", true).meet(&numbers(b, "1", true)) {
            Meeting::Turned(order) => order.said(),
            other => format!("{other:?}"),
        };
        assert_eq!(said(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), "read backwards");
        assert_eq!(said(&[1.0, 2.0], &[2.0, 1.0]), "read backwards");
        assert_eq!(said(&[0.0, 90.0, 180.0, 270.0], &[-180.0, -90.0, 0.0, 90.0]), "read from 0 on");
        assert_eq!(said(&[0.0, 90.0, 180.0, 270.0], &[90.0, 0.0, -90.0, 180.0]), "read backwards from 0 on");
    }

    #[test]
    fn labels_are_the_same_but_for_rounding_and_units() {
        let meet = |a: &[f64], b: &[f64]| numbers(a, "1", false).meet(&numbers(b, "1", false));
        assert_eq!(meet(&[88.572_169, 85.0], &[88.572_168_5, 85.0]), Meeting::Same);
        let apart = Meeting::Apart { at: 1, first: "85".into(), second: "85.01".into() };
        assert_eq!(meet(&[88.0, 85.0], &[88.0, 85.01]), apart);
        assert_eq!(
            meet(&[5e6, 5e6 + 10.0], &[5e6 + 10.0, 5e6 + 20.0]),
            Meeting::Apart { at: 0, first: "5000000".into(), second: "5000010".into() }
        );
        assert_eq!(numbers(&[1000.0, 850.0], "hPa", false).meet(&numbers(&[1e5, 85e3], "Pa", false)), Meeting::Same);
        assert_eq!(meet(&[f64::NAN, 1.0], &[f64::NAN, 1.0]), Meeting::Same);
        let words = |all: [&str; 2]| Labels::Texts(all.map(str::to_string).to_vec());
        assert!(matches!(words(["a ", "b"]).meet(&words(["b", "a"])), Meeting::Turned(_)));
        assert!(matches!(words(["a", "b"]).meet(&words(["a", "c"])), Meeting::Apart { at: 1, .. }));
    }

    #[test]
    fn dates_of_other_years_meet_by_position() {
        let times = |units: &str, calendar: Calendar, values: &[f64]| {
            let units = TimeUnits::parse(units, calendar).unwrap();
            let instants = values.iter().map(|&x| units.decode(x).unwrap()).collect();
            Labels::Times { instants, calendar }
        };
        let a = times("days since 2000-01-01", Calendar::Standard, &[0.0, 1.0, 2.0]);
        let same = times("hours since 2000-01-01", Calendar::ProlepticGregorian, &[0.0, 24.0, 48.0]);
        assert_eq!(a.meet(&same), Meeting::Same);
        let back = times("days since 2000-01-01", Calendar::Standard, &[2.0, 1.0, 0.0]);
        assert!(matches!(a.meet(&back), Meeting::Turned(order) if order.positions == [2, 1, 0]));
        let later = times("days since 2010-01-01", Calendar::Standard, &[0.0, 1.0, 2.0]);
        assert_eq!(a.meet(&later), Meeting::Dates(Dates::Others));
        let next = times("days since 2000-01-02", Calendar::Standard, &[0.0, 1.0, 2.0]);
        assert!(matches!(a.meet(&next), Meeting::Dates(Dates::Shifted(..))));
        let model = times("days since 2000-01-01", Calendar::Day360, &[0.0, 1.0, 2.0]);
        assert_eq!(a.meet(&model), Meeting::Dates(Dates::Calendars("standard", "360_day")));
        let old = times("days since 1500-01-01", Calendar::Standard, &[0.0, 1.0, 2.0]);
        let proleptic = times("days since 1500-01-01", Calendar::ProlepticGregorian, &[0.0, 1.0, 2.0]);
        assert!(matches!(old.meet(&proleptic), Meeting::Dates(Dates::Calendars(..))));
    }
}
