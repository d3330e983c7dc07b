//! The labels of one thing that values are grouped by, and the dimension that they make.

use super::Time;
use crate::{
    array::Groups,
    attrs::{Attrs, Value},
    cf::time::{BinOptions, Bins, Frequency, Instant, Part, Seasons},
    error::Result,
    source::VarMeta,
};
use std::collections::BTreeMap;

/// A dimension of groups, and the coordinate that names them.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// What each group is called.
    pub labels: Labels,
    /// Attributes of the coordinate.
    pub attrs: Attrs,
    /// Where the bins of a variable begin and end.
    pub bounds: Option<Vec<[f64; 2]>>,
}

/// What groups are called.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// By whole numbers: months, years.
    Integers(Vec<i64>),
    /// By numbers of a coordinate.
    Numbers(Vec<f64>),
    /// By words: seasons, stations.
    Texts(Vec<String>),
}

impl Labels {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Labels::Integers(all) => all.len(),
            Labels::Numbers(all) => all.len(),
            Labels::Texts(all) => all.len(),
        }
    }

    /// One of them, for people.
    pub fn text(&self, at: usize) -> String {
        let text = match self {
            Labels::Integers(all) => all.get(at).map(i64::to_string),
            Labels::Numbers(all) => all.get(at).map(f64::to_string),
            Labels::Texts(all) => all.get(at).cloned(),
        };
        text.unwrap_or_default()
    }

    /// For each of them, its place among others, if it is there.
    pub(crate) fn places_in(&self, others: &Labels) -> Vec<Option<usize>> {
        fn places<K: Ord>(all: impl Iterator<Item = K>, others: impl Iterator<Item = K>) -> Vec<Option<usize>> {
            let others: BTreeMap<K, usize> = others.enumerate().map(|(at, label)| (label, at)).collect();
            all.map(|label| others.get(&label).copied()).collect()
        }
        match (self, others) {
            (Labels::Integers(a), Labels::Integers(b)) => places(a.iter(), b.iter()),
            (Labels::Numbers(a), Labels::Numbers(b)) => {
                places(a.iter().map(|x| x.to_bits()), b.iter().map(|x| x.to_bits()))
            }
            (Labels::Texts(a), Labels::Texts(b)) => places(a.iter(), b.iter()),
            _ => vec![None; self.len()],
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The label of each position of a variable, and what they mean.
pub(super) struct Column {
    pub dims: Vec<String>,
    pub lengths: Vec<u64>,
    /// For each position, which label; [`Groups::NONE`] for none.
    pub of: Vec<u32>,
    pub key: Key,
    /// For bins of time, where each begins and ends.
    pub spans: Option<Vec<[Instant; 2]>>,
}

impl Column {
    fn new(of: Vec<u32>, name: &str, labels: Labels) -> Column {
        let key = Key { name: name.to_string(), labels, attrs: Attrs::new(), bounds: None };
        Column { dims: Vec::new(), lengths: Vec::new(), of, key, spans: None }
    }

    /// By a part of dates. Seasons are called by their names.
    pub fn of_part(time: &Time, part: Part) -> Result<Column> {
        let calendar = time.units.calendar();
        let (of, values) = distinct(time.instants.iter().map(|at| at.map(|at| part.of(calendar, at))));
        let labels = match part {
            Part::Season | Part::Date => Labels::Texts(values.iter().map(|&v| part.label(calendar, v)).collect()),
            _ => Labels::Integers(values),
        };
        let mut column = Column::new(of, part.name(), labels);
        column.key.attrs.set("long_name", part.name());
        if matches!(column.key.labels, Labels::Integers(_)) {
            column.key.attrs.set("units", "1");
        }
        Ok(column)
    }

    /// By seasons of one's own, in the order given; only those that something is in.
    pub fn of_seasons(time: &Time, seasons: &Seasons) -> Result<Column> {
        let calendar = time.units.calendar();
        let place = |at: &Option<Instant>| at.and_then(|at| seasons.of(calendar, at)).map(|place| place as i64);
        let (of, values) = distinct(time.instants.iter().map(place));
        let names = values.iter().map(|&v| seasons.all()[v as usize].name().to_string()).collect();
        let mut column = Column::new(of, "season", Labels::Texts(names));
        column.key.attrs.set("long_name", "season");
        Ok(column)
    }

    /// By the years in which seasons end: that of December 1990 in DJF is 1991. What lies in no season is in no year.
    pub fn of_season_years(time: &Time, seasons: &Seasons) -> Result<Column> {
        let calendar = time.units.calendar();
        let year = |at: Instant| -> Result<Option<i64>> {
            let Some((place, begin)) = seasons.begin(calendar, at)? else { return Ok(None) };
            let months = seasons.all()[place].months().count() as i64;
            let last = calendar.month_start(calendar.month_number(begin) + months - 1)?;
            Ok(Some(Part::Year.of(calendar, last)))
        };
        let years = time.instants.iter().map(|at| at.map_or(Ok(None), year)).collect::<Result<Vec<_>>>()?;
        let (of, values) = distinct(years.into_iter());
        let mut column = Column::new(of, Part::Year.name(), Labels::Integers(values));
        column.key.attrs.set("long_name", "year in which the season ends");
        column.key.attrs.set("units", "1");
        Ok(column)
    }

    /// By bins of time, which keep the name of the coordinate. Empty ones between others are there.
    pub fn of_bins_of_time(time: &Time, meta: &VarMeta, frequency: &Frequency, options: &BinOptions) -> Result<Column> {
        let calendar = time.units.calendar();
        let bins = Bins::new(frequency, calendar, time.instants.iter().flatten().copied(), options)?;
        let of: Vec<u32> = time
            .instants
            .iter()
            .map(|at| at.and_then(|at| bins.bin_of(at)).map_or(Groups::NONE, |bin| bin as u32))
            .collect();
        // What nothing is in at the end is not there.
        let used = of.iter().filter(|bin| **bin != Groups::NONE).max().map_or(0, |last| *last as usize + 1);
        let labels = bins.labels()[..used].iter().map(|&at| time.units.encode(at)).collect();
        let mut column = Column::new(of, meta.name(), Labels::Numbers(labels));
        column.spans = Some(bins.edges().windows(2).take(used).map(|edge| [edge[0], edge[1]]).collect());
        Ok(column)
    }

    /// By equal numbers.
    pub fn of_values(numbers: &[f64], meta: &VarMeta) -> Column {
        // Ordered as numbers are: the bits of positive ones ascend, those of negative ones descend.
        let order = |x: f64| {
            let bits = (x + 0.0).to_bits() as i64;
            bits ^ ((bits >> 63) as u64 >> 1) as i64
        };
        let back = |key: i64| f64::from_bits((key ^ ((key >> 63) as u64 >> 1) as i64) as u64);
        let (of, keys) = distinct(numbers.iter().map(|&x| (!x.is_nan()).then(|| order(x))));
        let values: Vec<f64> = keys.into_iter().map(back).collect();
        let whole = meta.stored.dtype().is_some_and(|d| !d.is_float()) && values.iter().all(|x| x.fract() == 0.0);
        let labels =
            if whole { Labels::Integers(values.iter().map(|&x| x as i64).collect()) } else { Labels::Numbers(values) };
        let mut column = Column::new(of, meta.name(), labels);
        column.key.attrs = described(meta);
        column
    }

    /// The same with the bounds of each position's cell, where those of one label have one cell.
    pub fn in_cells(mut self, cells: Option<&[f64]>) -> Column {
        let Some(cells) = cells.filter(|_| matches!(self.key.labels, Labels::Numbers(_))) else { return self };
        let mut bounds = vec![None; self.key.labels.len()];
        for (label, cell) in self.of.iter().zip(cells.as_chunks::<2>().0) {
            if let Some(known) = bounds.get_mut(*label as usize) {
                if known.is_some_and(|other| other != *cell) {
                    return self;
                }
                *known = Some(*cell);
            }
        }
        self.key.bounds = bounds.into_iter().collect();
        self
    }

    /// By equal texts.
    pub fn of_texts(texts: &[String], meta: &VarMeta) -> Column {
        let (of, names) = distinct(texts.iter().map(|text| Some(text.clone())));
        let mut column = Column::new(of, meta.name(), Labels::Texts(names));
        column.key.attrs = described(meta);
        column
    }

    /// By bins of numbers. Each holds its upper edge, the first both; its label is the middle.
    pub fn of_bins(numbers: &[f64], meta: &VarMeta, edges: &[f64]) -> Column {
        let bin = |x: f64| match edges.partition_point(|edge| *edge < x) {
            0 if x == edges[0] => 0,
            0 => Groups::NONE,
            n if n == edges.len() || x.is_nan() => Groups::NONE,
            n => n as u32 - 1,
        };
        let of = numbers.iter().map(|&x| bin(x)).collect();
        let bounds: Vec<[f64; 2]> = edges.windows(2).map(|e| [e[0], e[1]]).collect();
        let middles = bounds.iter().map(|[a, b]| a + (b - a) / 2.0).collect();
        let mut column = Column::new(of, &format!("{}_bins", meta.name()), Labels::Numbers(middles));
        column.key.attrs = described(meta);
        column.key.bounds = Some(bounds);
        column
    }

    /// Makes the labels of several things at once, of those of the things before and this one's.
    pub fn combine(&self, dims: &[String], lengths: &[u64], labels: &mut [u32]) {
        let n = self.key.labels.len() as u32;
        // How far one goes in this column's labels for a step along each of `dims`.
        let mut strides = vec![0usize; dims.len()];
        let mut stride = 1;
        for (dim, length) in self.dims.iter().zip(&self.lengths).rev() {
            if let Some(k) = dims.iter().position(|d| d == dim) {
                strides[k] = stride;
            }
            stride *= *length as usize;
        }
        let mut at = vec![0u64; dims.len()];
        let mut here = 0usize;
        for label in labels {
            let own = self.of[here];
            *label = if *label == Groups::NONE || own == Groups::NONE { Groups::NONE } else { *label * n + own };
            for k in (0..dims.len()).rev() {
                at[k] += 1;
                here += strides[k];
                if at[k] < lengths[k] {
                    break;
                }
                here -= strides[k] * lengths[k] as usize;
                at[k] = 0;
            }
        }
    }
}

/// The attributes that still say what labels are.
fn described(meta: &VarMeta) -> Attrs {
    let mut attrs = Attrs::new();
    const NAMES: [&str; 8] =
        ["standard_name", "long_name", "units", "calendar", "axis", "positive", "flag_values", "flag_meanings"];
    for name in NAMES {
        if let Some(value) = meta.attrs.get(name) {
            attrs.set(name, value.clone());
        }
    }
    // Flags are in the type of the variable, which labels have not.
    if let Some(numbers) = attrs.get("flag_values").and_then(Value::numbers) {
        attrs.set("flag_values", Value::I64(numbers.iter().map(|&x| x as i64).collect()));
    }
    attrs
}

/// Which of the different keys, in ascending order, each one is.
fn distinct<K: Ord + Clone>(keys: impl Iterator<Item = Option<K>> + Clone) -> (Vec<u32>, Vec<K>) {
    let mut places: BTreeMap<K, u32> = keys.clone().flatten().map(|key| (key, 0)).collect();
    places.values_mut().enumerate().for_each(|(k, place)| *place = k as u32);
    let of = keys.map(|key| key.and_then(|key| places.get(&key).copied()).unwrap_or(Groups::NONE)).collect();
    (of, places.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dtype::DType, source::StoredType};

    fn meta(name: &str, dtype: DType) -> VarMeta {
        let stored = StoredType::native(dtype);
        VarMeta {
            path: name.into(),
            stored,
            ..crate::dataset::reduced::native(name.into(), dtype, vec![].into(), Attrs::new())
        }
    }

    #[test]
    fn values_are_in_ascending_order_and_missing_ones_are_in_no_group() {
        let column = Column::of_values(&[3.0, -1.5, f64::NAN, 0.0, -0.0, -2.0, 3.0], &meta("x", DType::F64));
        assert_eq!(column.key.labels, Labels::Numbers(vec![-2.0, -1.5, 0.0, 3.0]));
        assert_eq!(column.of, [3, 1, Groups::NONE, 2, 2, 0, 3]);
        let column = Column::of_values(&[7.0, 2.0, 7.0], &meta("basin", DType::I16));
        assert_eq!(column.key.labels, Labels::Integers(vec![2, 7]));
        let names = ["b", "a", "b"].map(String::from);
        let column = Column::of_texts(&names, &meta("station", DType::U8));
        assert_eq!((column.of, column.key.labels), (vec![1, 0, 1], Labels::Texts(vec!["a".into(), "b".into()])));
    }

    #[test]
    fn bins_hold_their_upper_edges_and_the_first_both() {
        let values = [-90.0, -91.0, -30.0, -29.9, 30.0, 90.0, 90.1, f64::NAN];
        let column = Column::of_bins(&values, &meta("lat", DType::F64), &[-90.0, -30.0, 30.0, 90.0]);
        let none = Groups::NONE;
        assert_eq!(column.of, [0, none, 0, 1, 1, 2, none, none]);
        assert_eq!(column.key.labels, Labels::Numbers(vec![-60.0, 0.0, 60.0]));
        assert_eq!(column.key.name, "lat_bins");
    }

    #[test]
    fn several_things_make_a_group_for_each_pair() {
        let mut time = Column::of_values(&[0.0, 1.0, 1.0], &meta("a", DType::I32));
        (time.dims, time.lengths) = (vec!["t".into()], vec![3]);
        let mut space = Column::of_values(&[5.0, f64::NAN, 4.0, 5.0], &meta("b", DType::F64));
        (space.dims, space.lengths) = (vec!["y".into(), "x".into()], vec![2, 2]);
        let dims = ["t", "y", "x"].map(String::from);
        let mut labels = vec![0; 12];
        time.combine(&dims, &[3, 2, 2], &mut labels);
        space.combine(&dims, &[3, 2, 2], &mut labels);
        let none = Groups::NONE;
        assert_eq!(labels, [1, none, 0, 1, 3, none, 2, 3, 3, none, 2, 3]);
    }
}
