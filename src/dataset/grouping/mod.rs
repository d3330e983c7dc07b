//! What values are grouped by: parts of dates, bins of time, values or bins of a variable; alone or several at once.

mod cells;
mod keys;

pub use cells::{Repeats, TimeCells};
pub use keys::{Key, Labels};

use super::{Dataset, scope};
use crate::{
    array::Groups,
    cf::time::{BinOptions, Frequency, Instant, Part, Seasons, TimeUnits},
    error::{Error, Result},
    source::VarMeta,
};
use keys::Column;

/// One thing that values are grouped by.
#[derive(Debug, Clone, PartialEq)]
pub enum By {
    /// A part of the dates of a coordinate, as `time.month`.
    Part {
        /// The coordinate.
        coordinate: String,
        /// The part.
        part: Part,
    },
    /// Seasons of one's own, as `time.season(JJAS,NDJFM)`.
    Seasons {
        /// The coordinate.
        coordinate: String,
        /// The seasons.
        seasons: Seasons,
    },
    /// Bins of time, as `time every 1d`.
    Every {
        /// The coordinate.
        coordinate: String,
        /// How long each is.
        frequency: Frequency,
        /// Where they begin, and what they are called by.
        options: BinOptions,
    },
    /// The values of a variable, each a group: a raster of regions, the names of stations.
    Values(String),
    /// Bins of the values of a variable, as `lat(-90,-30,30,90)`: each holds its upper edge, and the first both.
    Bins {
        /// The variable.
        variable: String,
        /// Their edges, ascending.
        edges: Vec<f64>,
    },
}

impl By {
    /// Reads `time.month`, `time.season(JJAS,NDJFM)`, `basin`, `lat(-90,-30,30,90)`.
    ///
    /// # Errors
    /// When there is no such part of a date or season, or edges do not ascend.
    pub fn parse(text: &str) -> Result<By> {
        let text = text.trim();
        let wrong = || {
            Error::usage(format!(
                "'{text}' says no groups; give time.month, time.season(JJAS,NDJFM), a variable, or lat(-90,-30,30,90)"
            ))
        };
        let (name, list) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), Some(rest.trim_end().strip_suffix(')').ok_or_else(wrong)?)),
            None => (text, None),
        };
        if name.is_empty() {
            return Err(wrong());
        }
        match (name.rsplit_once('.'), list) {
            (Some((coordinate, "season")), Some(list)) => {
                let seasons = Seasons::named(list.split(','))?;
                Ok(By::Seasons { coordinate: coordinate.to_string(), seasons })
            }
            (Some((coordinate, part)), None) => {
                Ok(By::Part { coordinate: coordinate.to_string(), part: Part::named(part)? })
            }
            (_, Some(list)) => {
                let edges = list.split(',').map(|word| word.trim().parse::<f64>().map_err(|_| wrong()));
                let edges = edges.collect::<Result<Vec<f64>>>()?;
                if edges.len() < 2 || !edges.is_sorted_by(|a, b| a < b) {
                    return Err(Error::usage(format!("the edges of bins ascend, and are two or more; not '{list}'")));
                }
                Ok(By::Bins { variable: name.to_string(), edges })
            }
            (None, None) => Ok(By::Values(name.to_string())),
        }
    }

    /// Reads several with commas between them.
    ///
    /// # Errors
    /// As [`parse`](By::parse).
    pub fn list(text: &str) -> Result<Vec<By>> {
        top_level(text).into_iter().map(By::parse).collect()
    }

    /// The variable that it looks at.
    pub fn variable(&self) -> &str {
        match self {
            By::Part { coordinate, .. } | By::Seasons { coordinate, .. } | By::Every { coordinate, .. } => coordinate,
            By::Values(variable) | By::Bins { variable, .. } => variable,
        }
    }
}

/// The parts between commas that are in no brackets.
fn top_level(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut out) = (0i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                out.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    out.push(&text[from..]);
    out
}

/// Groups of positions along dimensions of a dataset, and the coordinates that name them.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// The dimensions that they run along.
    pub dims: Vec<String>,
    /// How long those are.
    pub lengths: Vec<u64>,
    /// The groups, flattened where they are of several things at once.
    pub groups: Groups,
    /// A new dimension for each thing that is grouped by, in the order asked for.
    pub keys: Vec<Key>,
    /// What time each group covers, where they are groups of time.
    pub cells: Option<TimeCells>,
}

/// More labels than this are refused: they are held in memory.
const LABELS_MAX: u64 = 1 << 27;

impl Grouping {
    /// The groups of a dataset's positions by all of `by` at once. Only groups that something is in are there, in ascending
    /// order, but for bins, which are all there.
    ///
    /// # Errors
    /// When a variable is not there, is no time where one is needed, or nothing is in any group.
    pub fn of(dataset: &Dataset, by: &[By]) -> Result<Grouping> {
        Grouping::found(dataset, by).map_err(|e| e.in_file(dataset.path()))
    }

    fn found(dataset: &Dataset, by: &[By]) -> Result<Grouping> {
        let mut columns = Vec::with_capacity(by.len());
        for one in by {
            columns.push(column(dataset, one, by)?);
        }
        let Some(first) = columns.first() else { return Err(Error::usage("groups by nothing")) };
        if let Some(twice) =
            columns.iter().enumerate().find(|(k, c)| columns[..*k].iter().any(|o| o.key.name == c.key.name))
        {
            return Err(Error::usage(format!("groups by '{}' twice", twice.1.key.name)));
        }
        let mut dims = first.dims.clone();
        let mut lengths = first.lengths.clone();
        for column in &columns[1..] {
            for (dim, length) in column.dims.iter().zip(&column.lengths) {
                if !dims.contains(dim) {
                    dims.push(dim.clone());
                    lengths.push(*length);
                }
            }
        }
        let positions = lengths.iter().try_fold(1u64, |a, &n| a.checked_mul(n)).filter(|n| *n <= LABELS_MAX);
        let Some(positions) = positions else {
            return Err(Error::usage(format!(
                "groups along {} would need a label for each of their positions, which are more than {LABELS_MAX}",
                dims.join(", ")
            )));
        };
        let mut labels = vec![0u32; positions as usize];
        let mut count = 1u32;
        for column in &columns {
            let n = column.key.labels.len() as u64;
            count = (u64::from(count) * n).try_into().map_err(|_| Error::usage("more than 2^32 groups"))?;
            column.combine(&dims, &lengths, &mut labels);
        }
        if labels.iter().all(|label| *label == Groups::NONE) {
            let names: Vec<&str> = by.iter().map(By::variable).collect();
            return Err(Error::usage(format!("no value is in any group by {}", names.join(", "))));
        }
        let cells = TimeCells::of(dataset, by, &columns, &labels, count)?;
        let keys = columns.into_iter().map(|c| c.key).collect();
        Ok(Grouping { dims, lengths, groups: Groups::new(labels, count)?, keys, cells })
    }

    /// Whether an output by these groups has a coordinate of that name: their labels, or the time that they cover.
    pub fn names(&self, coordinate: &str) -> bool {
        let is_time = |cells: &TimeCells| cells.coordinate.rsplit('/').next() == Some(coordinate);
        self.keys.iter().any(|key| key.name == coordinate) || self.cells.as_ref().is_some_and(is_time)
    }

    /// What `cell_methods` calls a dimension that groups run along: bins have cells of their own, and dates may be called
    /// otherwise than what they lie along.
    pub fn method_name<'n>(&'n self, dim: &'n str) -> &'n str {
        match &self.keys[..] {
            [bins] if bins.bounds.is_some() && self.dims == [dim] => &bins.name,
            _ => match &self.cells {
                Some(cells) if self.dims == [dim] => cells.of.rsplit('/').next().unwrap_or(dim),
                _ => dim,
            },
        }
    }

    /// The labels of a group, for people: `month=3, lat_bins=45`.
    pub fn called(&self, group: usize) -> String {
        let (mut rest, mut words) = (group, Vec::new());
        for key in self.keys.iter().rev() {
            let n = key.labels.len().max(1);
            words.push(format!("{}={}", key.name, key.labels.text(rest % n)));
            rest /= n;
        }
        words.reverse();
        words.join(", ")
    }

    /// The lengths of the new dimensions.
    pub fn shape(&self) -> Vec<u64> {
        self.keys.iter().map(|key| key.labels.len() as u64).collect()
    }
}

/// A coordinate of time.
pub(super) struct Time {
    pub units: TimeUnits,
    pub instants: Vec<Option<Instant>>,
}

impl Time {
    /// The dates of a coordinate.
    ///
    /// # Errors
    /// When it is not there, has several dimensions, or its units are none of time.
    pub fn of(dataset: &Dataset, coordinate: &str) -> Result<Time> {
        let meta = variable(dataset, coordinate)?;
        let what = |e: Error| e.in_variable(&meta.path);
        if meta.dims.len() != 1 {
            return Err(what(Error::usage("dates are those of a coordinate with one dimension")));
        }
        let Some(units) = TimeUnits::of(&meta.attrs).map_err(what)? else {
            return Err(what(Error::usage("it has no units of time, as 'days since 1990-01-01', and so no dates")));
        };
        let numbers = dataset.numbers(&meta.path)?;
        let instants = numbers.iter().map(|&x| units.decode(x)).collect::<Result<_>>().map_err(what)?;
        Ok(Time { units, instants })
    }
}

/// A variable by its path, or by its name where it lies in a group.
fn variable<'d>(dataset: &'d Dataset, name: &str) -> Result<&'d VarMeta> {
    match dataset.root().all_vars().into_iter().find(|v| v.name() == name) {
        Some(found) if dataset.root().var(name).is_none() => Ok(found),
        _ => dataset.variable(name),
    }
}

/// Where the cells of a dimension's coordinate begin and end, if it says so.
fn cells_of(dataset: &Dataset, meta: &VarMeta) -> Result<Option<Vec<f64>>> {
    let bounds = meta.attrs.text("bounds").and_then(|name| scope::variable(dataset.root(), meta.group(), name));
    let is_pair = |b: &&VarMeta| b.stored.dtype().is_some() && b.dims.len() == 2 && b.shape[1] == 2;
    let own = bounds.filter(is_pair).filter(|b| meta.dims == [meta.name()] && b.shape[0] == meta.shape[0]);
    own.map(|b| dataset.numbers(&b.path)).transpose()
}

/// The seasons of one's own whose years are grouped by too.
fn seasons_of_years<'a>(by: &By, all: &'a [By]) -> Option<&'a Seasons> {
    let By::Part { coordinate: own, part: Part::Year } = by else { return None };
    all.iter().find_map(|other| match other {
        By::Seasons { coordinate, seasons } if coordinate == own => Some(seasons),
        _ => None,
    })
}

/// The labels of one thing, of all that is grouped by.
fn column(dataset: &Dataset, by: &By, all: &[By]) -> Result<Column> {
    // A variable may be called like a part of a date.
    if let By::Part { coordinate, part } = by
        && scope::variable(dataset.root(), "", &format!("{coordinate}.{}", part.name())).is_some()
    {
        return column(dataset, &By::Values(format!("{coordinate}.{}", part.name())), all);
    }
    let meta = variable(dataset, by.variable())?;
    let rank = scope::rank(meta);
    if rank == 0 {
        return Err(Error::usage("it has no dimension that values could be grouped along").in_variable(&meta.path));
    }
    let column = match by {
        By::Part { coordinate, part } => {
            let time = Time::of(dataset, coordinate)?;
            match seasons_of_years(by, all) {
                Some(seasons) => Column::of_season_years(&time, seasons),
                None => Column::of_part(&time, *part),
            }
        }
        By::Seasons { coordinate, seasons } => Column::of_seasons(&Time::of(dataset, coordinate)?, seasons),
        By::Every { coordinate, frequency, options } => {
            Column::of_bins_of_time(&Time::of(dataset, coordinate)?, meta, frequency, options)
        }
        By::Values(_) if meta.stored.dtype().is_none() => Ok(Column::of_texts(&dataset.texts(&meta.path)?, meta)),
        By::Values(_) => cells_of(dataset, meta)
            .and_then(|cells| Ok(Column::of_values(&dataset.numbers(&meta.path)?, meta).in_cells(cells.as_deref()))),
        By::Bins { edges, .. } => Ok(Column::of_bins(&dataset.numbers(&meta.path)?, meta, edges)),
    };
    let mut column = column.map_err(|e| e.in_variable(&meta.path))?;
    column.dims = meta.dims[..rank].to_vec();
    column.lengths = meta.shape[..rank].to_vec();
    Ok(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_grouped_by_is_read() {
        let part = |coordinate: &str, part| By::Part { coordinate: coordinate.into(), part };
        assert_eq!(By::parse("time.month").unwrap(), part("time", Part::Month));
        assert_eq!(By::parse(" g/time.dayofyear ").unwrap(), part("g/time", Part::DayOfYear));
        assert_eq!(By::parse("basin").unwrap(), By::Values("basin".into()));
        assert_eq!(By::list("time.year, lat(0,1),basin").unwrap().len(), 3);
        let bins = By::Bins { variable: "lat".into(), edges: vec![-90.0, -30.5, 30.0] };
        assert_eq!(By::parse("lat(-90, -30.5, 30)").unwrap(), bins);
        assert!(matches!(By::parse("time.season(JJAS,NDJFM)").unwrap(), By::Seasons { .. }));
        for wrong in ["", "lat(1", "lat(2,1)", "lat(1)", "lat(a,b)", "(1,2)", "time.season(XY)"] {
            assert!(By::parse(wrong).is_err(), "{wrong}");
        }
        assert!(By::parse("time.mnth").unwrap_err().to_string().contains("month"));
    }
}
