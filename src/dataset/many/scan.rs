//! What one file says beside the first: [`Reference::scan`].

use super::{
    pool::{Door, Pool},
    source::Found,
};
use crate::{
    attrs::Attrs,
    cf::{
        decoding::{ENCODING, ValidRange, decoding},
        measure::{self, Conversion},
        time::{TimeUnits, is_time},
    },
    dataset::{
        numbers::{numbers, rounding},
        scope,
    },
    dtype::{ByteOrder, DType},
    error::{Error, Problem, Result},
    formats,
    source::{Container, Group, Layout, VarMeta},
};
use std::{path::Path, sync::Arc};

/// The coordinate that files are ordered by.
pub(super) struct Coordinate {
    pub path: String,
    /// What its numbers mean, where they are times.
    pub units: Option<TimeUnits>,
    /// The bounds of its cells.
    pub bounds: Option<String>,
}

/// A variable that is joined, as the first file has it.
pub(super) struct Member {
    pub meta: VarMeta,
    /// The axis in the file that is joined; none where it is a new one.
    pub axis: Option<usize>,
    /// The type that its values are decoded to.
    pub result: Option<DType>,
}

/// What every file is compared with.
pub(super) struct Reference {
    pub path: std::path::PathBuf,
    pub root: Group,
    /// The dimension that is joined; none where it is a new one.
    pub dim: Option<String>,
    pub coordinate: Option<Coordinate>,
    pub members: Vec<Member>,
    /// Coordinates that have to be the same: their paths and values.
    pub grid: Vec<(String, Vec<f64>)>,
    /// Members whose chunks are looked at while files are open.
    pub ahead: Vec<usize>,
    pub pool: Pool,
}

/// What is kept of a file.
pub(super) struct Scanned {
    pub door: Door,
    /// How long it is along the dimension.
    pub length: u64,
    /// What the coordinate says, in the first file's units.
    pub values: Vec<f64>,
    pub bounds: Vec<f64>,
    /// Whether the coordinate is stored as in the first file.
    pub is_coordinate_alike: bool,
    /// Members that are stored in another way than in the first file, and the types that they are decoded to.
    pub otherwise: Vec<(usize, Option<DType>)>,
    /// Members in other units than the first file's, which are converted: their units.
    pub in_units: Vec<(usize, String)>,
    /// What is said differently, in words.
    pub differences: Vec<String>,
    /// What was found of members' chunks.
    pub ahead: Vec<Found>,
}

/// More differences of one file are not listed.
const DIFFERENCES_MAX: usize = 20;

impl Reference {
    /// Looks at a file, which is closed again unless it is to be `held` open.
    ///
    /// # Errors
    /// When it cannot be opened, or does not go with the first one.
    pub fn scan(&self, path: &Path, number: usize, held: bool) -> Result<Scanned> {
        let container = formats::open(path)?;
        let door = Door { number, path: path.to_path_buf(), open: held.then(|| container.clone()) };
        self.compare(door, container).map_err(|e| e.in_file(path))
    }

    fn compare(&self, door: Door, container: Arc<dyn Container>) -> Result<Scanned> {
        let root = container.root();
        let mut differences = Vec::new();
        for (name, values) in &self.grid {
            if !self.same_coordinate(container.as_ref(), name, values).map_err(|e| e.in_variable(name))? {
                differences.push(format!("{}: variable '{name}' is rounded otherwise", door.path.display()));
            }
        }
        let (mut otherwise, mut in_units) = (Vec::new(), Vec::new());
        let mut length = if self.dim.is_none() { Some(1) } else { None };
        for (n, member) in self.members.iter().enumerate() {
            let name = &member.meta.path;
            let Some(meta) = root.var(name) else {
                if self.can_lack(name) {
                    continue;
                }
                return Err(
                    Error::usage(format!("it lacks a variable that {} has", self.path.display())).in_variable(name)
                );
            };
            self.same_shape(meta, member, &mut length).map_err(|e| e.in_variable(name))?;
            let is_coordinate =
                self.coordinate.as_ref().is_some_and(|c| c.path == *name || c.bounds.as_ref() == Some(name));
            let result = result_type(meta);
            let mut is_alike = meta.stored.dtype() == member.meta.stored.dtype() && encoded_alike(meta, &member.meta);
            if !is_coordinate && conversion(meta, &member.meta).map_err(|e| e.in_variable(name))?.is_some() {
                in_units.push((n, meta.attrs.text("units").unwrap_or_default().to_string()));
                is_alike = false;
            }
            if !is_alike {
                otherwise.push((n, result));
            }
        }
        let (values, bounds, is_coordinate_alike) = self.labels(container.as_ref())?;
        let length = match (length, &self.coordinate) {
            (Some(length), _) => length,
            (None, _) => values.len() as u64,
        };
        if self.coordinate.is_some() && values.len() as u64 != length {
            return Err(Error::corrupt("coordinate", format!("{} values for {length} places", values.len())));
        }
        differences.extend(self.differences(&door.path, root));
        let mut ahead = Vec::new();
        for name in self.ahead.iter().filter(|_| length > 0).map(|n| &self.members[*n].meta.path) {
            let source = container.source(name)?;
            ahead.push(Found::of(source.as_ref())?);
            self.pool.keep(&door, &name.as_str().into(), &source);
        }
        Ok(Scanned { door, length, values, bounds, is_coordinate_alike, otherwise, in_units, differences, ahead })
    }

    /// Whether files are joined without a variable that not all have: the bounds of the cells, which are gone then.
    fn can_lack(&self, name: &str) -> bool {
        let Some(coordinate) = self.coordinate.as_ref().filter(|c| c.bounds.as_deref() == Some(name)) else {
            return false;
        };
        // Without what it covers, a climatology is none.
        self.root.var(&coordinate.path).is_some_and(|v| v.attrs.get("climatology").is_none())
    }

    /// Whether a coordinate is the same to the last digit. Where it is that but for rounding, the first file's holds.
    fn same_coordinate(&self, container: &dyn Container, name: &str, values: &[f64]) -> Result<bool> {
        let other = self.path.display();
        let Some(meta) = container.root().var(name) else {
            return Err(Error::usage(format!("it lacks a coordinate that {other} has")));
        };
        let here = numbers(container.source(name)?.as_ref())?;
        let rounding = self.root.var(name).map_or(0.0, |had| rounding(had, meta, values));
        let equal = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
        if here.len() != values.len() {
            let (a, b) = (here.len(), values.len());
            return Err(Error::usage(format!("another grid than {other}: {a} values, and not {b}")));
        }
        match here.iter().zip(values).position(|(a, b)| !(equal((a, b)) || (a - b).abs() <= rounding)) {
            None => Ok(here.iter().zip(values).all(equal)),
            Some(k) => {
                let (a, b) = (here[k], values[k]);
                Err(Error::usage(format!("another grid than {other}: value {k} is {a}, and not {b}")))
            }
        }
    }

    fn same_shape(&self, meta: &VarMeta, member: &Member, length: &mut Option<u64>) -> Result<()> {
        let had = &member.meta;
        let fits = |k: usize| member.axis == Some(k) || meta.shape[k] == had.shape[k];
        let is_number = meta.stored.dtype().is_some() == had.stored.dtype().is_some();
        if meta.dims != had.dims || !(0..meta.dims.len()).all(fits) || !is_number {
            let shown = |v: &VarMeta| {
                let all = v.dims.iter().zip(v.shape.iter()).map(|(d, n)| format!("{d}={n}"));
                format!("{} ({})", v.stored, all.collect::<Vec<_>>().join(", "))
            };
            let other = self.path.display();
            return Err(Error::usage(format!("it is {}, and {} in {other}", shown(meta), shown(had))));
        }
        match (member.axis, *length) {
            (Some(axis), None) => *length = Some(meta.shape[axis]),
            (Some(axis), Some(length)) if meta.shape[axis] != length => {
                return Err(Error::corrupt("dimension", format!("its lengths are {length} and {}", meta.shape[axis])));
            }
            _ => {}
        }
        Ok(())
    }

    /// The coordinate's values and those of its bounds in the first file's units, and whether they are stored alike.
    fn labels(&self, container: &dyn Container) -> Result<(Vec<f64>, Vec<f64>, bool)> {
        let Some(coordinate) = &self.coordinate else { return Ok((Vec::new(), Vec::new(), true)) };
        let root = container.root();
        let Some(meta) = root.var(&coordinate.path) else {
            return Err(Error::usage(format!("it lacks the coordinate '{}'", coordinate.path)));
        };
        let read = |name: &str| -> Result<Vec<f64>> { numbers(container.source(name)?.as_ref()) };
        let mut values = read(&coordinate.path)?;
        let mut bounds = match coordinate.bounds.as_ref().filter(|b| root.var(b).is_some()) {
            Some(name) => read(name)?,
            None => Vec::new(),
        };
        let had = self.root.var(&coordinate.path);
        let mut is_alike = had.is_some_and(|h| h.stored.dtype() == meta.stored.dtype() && encoded_alike(h, meta));
        if let Some(first) = &coordinate.units {
            let own = TimeUnits::of(&meta.attrs)
                .and_then(|u| u.ok_or_else(|| Error::usage("it has no units of time")))
                .map_err(|e| e.in_variable(&coordinate.path))?;
            if own.calendar() != first.calendar() {
                let (here, had) = (own.calendar().name(), first.calendar().name());
                let text = format!("its calendar is {here}, and {had} in {}", self.path.display());
                return Err(Error::usage(text).in_variable(&coordinate.path));
            }
            if own.unit() != first.unit() || own.reference() != first.reference() {
                is_alike = false;
                for value in values.iter_mut().chain(&mut bounds) {
                    *value = own.decode(*value)?.map_or(f64::NAN, |at| first.encode(at));
                }
            }
        } else if let Some(had) = had
            && let Some(conversion) = conversion(meta, had).map_err(|e| e.in_variable(&coordinate.path))?
        {
            is_alike = false;
            values.iter_mut().chain(&mut bounds).for_each(|value| *value = conversion.apply(*value));
        }
        Ok((values, bounds, is_alike))
    }

    /// Attributes, and variables, that are not those of the first file.
    fn differences(&self, path: &Path, root: &Group) -> Vec<String> {
        let mut out = Vec::new();
        let mut attributes = |what: &str, a: &Attrs, b: &Attrs| {
            let names = a.iter().chain(b.iter().filter(|(name, _)| a.get(name).is_none())).map(|(name, _)| name);
            for name in names.filter(|name| !UNTOLD.contains(name) && a.get(name) != b.get(name)) {
                out.push(format!("{}: {what}attribute '{name}' differs", path.display()));
            }
        };
        attributes("global ", &self.root.attrs, &root.attrs);
        let mut more = Vec::new();
        for var in root.all_vars() {
            match self.root.var(&var.path) {
                Some(first) => attributes(&format!("variable '{}': ", var.path), &first.attrs, &var.attrs),
                None => more.push(format!(
                    "{}: variable '{}' is left out: the first file lacks it",
                    path.display(),
                    var.path
                )),
            }
        }
        out.extend(more);
        out.truncate(DIFFERENCES_MAX);
        out
    }
}

/// Attributes that are expected to differ.
const UNTOLD: [&str; 6] = ["history", "units", "_FillValue", "scale_factor", "add_offset", "_NCProperties"];

/// How values of a file become those of the first; `None` where they are in its units.
fn conversion(meta: &VarMeta, first: &VarMeta) -> Result<Option<Conversion>> {
    let of = |v: &VarMeta| v.attrs.text("units").map(str::trim).unwrap_or_default().to_string();
    let is_number = meta.stored.dtype().is_some();
    match measure::between(&meta.attrs, &first.attrs) {
        Ok(conversion) if is_number || conversion.is_none() => Ok(conversion),
        _ => Err(Error::usage(format!(
            "its units are '{}', and '{}' in the first file, which cannot be converted",
            of(meta),
            of(first)
        ))),
    }
}

/// Whether two variables say the same about what their stored numbers mean.
fn encoded_alike(a: &VarMeta, b: &VarMeta) -> bool {
    ENCODING[..5].iter().all(|name| {
        let (x, y) = (a.attrs.get(name), b.attrs.get(name));
        let numbers = || Some(x?.numbers()? == y?.numbers()?);
        x == y || numbers() == Some(true)
    })
}

/// The type that a variable's values are decoded to.
pub(super) fn result_type(meta: &VarMeta) -> Option<DType> {
    let layout = Layout::row_major(ByteOrder::NATIVE, meta.shape.len());
    decoding(meta, &layout, ValidRange::Ignore).ok().map(|d| d.result)
}

/// The values of every coordinate of a dimension, but for one dimension.
///
/// # Errors
/// When one cannot be read.
pub(super) fn grid(container: &dyn Container, but: Option<&str>) -> Result<Vec<(String, Vec<f64>)>> {
    let root = container.root();
    let is_wanted = |v: &&VarMeta| v.dims.len() == 1 && v.dims[0] == v.name() && Some(v.name()) != but;
    let coordinates = root.all_vars().into_iter().filter(is_wanted).filter(|v| v.stored.dtype().is_some());
    coordinates.map(|v| Ok((v.path.clone(), numbers(container.source(&v.path)?.as_ref())?))).collect()
}

/// The dimension that is joined along time: that of a coordinate with units of time, the unlimited one before others,
/// or an unlimited one without a coordinate.
///
/// # Errors
/// When there is none.
pub(super) fn time_dimension(root: &Group) -> Result<String> {
    let is_unlimited = |name: &str| root.dims.iter().any(|d| d.name == name && d.unlimited);
    let all = root.all_vars();
    let is_axis = |v: &&&VarMeta| v.dims.len() == 1 && v.dims[0] == v.name() && is_time(&v.attrs);
    let mut times: Vec<&str> = all.iter().filter(is_axis).map(|v| v.name()).collect();
    times.sort_by_key(|name| (!is_unlimited(name), *name != "time"));
    let unlimited = || root.dims.iter().find(|d| d.unlimited).map(|d| d.name.as_str());
    times.first().copied().or_else(unlimited).map(str::to_string).ok_or_else(|| {
        let known = root.dims.iter().map(|d| d.name.clone()).collect::<Vec<_>>().join(", ");
        Error::usage(format!(
            "no dimension has times, and none is unlimited (it has {known}); give --combine by-coords or new:NAME"
        ))
    })
}

/// The coordinate of the joined dimension, with its bounds.
///
/// # Errors
/// When its units of time cannot be read.
pub(super) fn coordinate(root: &Group, dim: &str) -> Result<Option<Coordinate>> {
    let Some(meta) = root.all_vars().into_iter().find(|v| v.dims == [dim] && v.name() == dim) else { return Ok(None) };
    if meta.stored.dtype().is_none() {
        return Ok(None);
    }
    let named = ["bounds", "climatology"].iter().find_map(|a| scope::variable(root, meta.group(), meta.attrs.text(a)?));
    let bounds = named.filter(|b| b.stored.dtype().is_some() && b.dims.first().is_some_and(|d| d == dim));
    let units = TimeUnits::of(&meta.attrs).map_err(|e| e.in_variable(&meta.path))?;
    Ok(Some(Coordinate { path: meta.path.clone(), units, bounds: bounds.map(|b| b.path.clone()) }))
}

/// The number without dimensions that says where a file belongs along a new dimension of its name, with its bounds.
///
/// # Errors
/// When its units of time cannot be read.
pub(super) fn label(root: &Group, name: &str) -> Result<Option<Coordinate>> {
    let is_label = |v: &&VarMeta| v.name() == name && v.dims.is_empty() && v.stored.dtype().is_some();
    let Some(meta) = root.all_vars().into_iter().find(is_label) else { return Ok(None) };
    let bounds = meta.attrs.text("bounds").and_then(|name| scope::variable(root, meta.group(), name));
    let bounds = bounds.filter(|b| b.stored.dtype().is_some() && b.dims.len() == 1);
    let units = TimeUnits::of(&meta.attrs).map_err(|e| e.in_variable(&meta.path))?;
    Ok(Some(Coordinate { path: meta.path.clone(), units, bounds: bounds.map(|b| b.path.clone()) }))
}

/// The one dimension whose coordinates differ between two files.
///
/// # Errors
/// When there is none, or several.
pub(super) fn differing(first: &dyn Container, second: &dyn Container) -> Result<String> {
    let (a, b) = (grid(first, None)?, grid(second, None)?);
    let differs =
        |(path, values): &&(String, Vec<f64>)| b.iter().find(|(p, _)| p == path).is_some_and(|(_, v)| v != values);
    let names: Vec<&str> = a.iter().filter(differs).map(|(path, _)| path.rsplit('/').next().unwrap_or(path)).collect();
    match names.as_slice() {
        [one] => Ok(one.to_string()),
        [] => Err(Error::usage("no coordinate differs between the first two files; give --combine new:NAME")),
        many => Err(Problem::Unsupported {
            feature: format!("joining along several dimensions at once ({})", many.join(", ")),
        }
        .into()),
    }
}
