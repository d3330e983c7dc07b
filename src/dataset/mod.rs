//! [`Dataset`]: a file, or many, or a part of it, with variables, coordinates and dimensions, and what can be asked of it.

mod adapted;
mod areas;
mod carried;
mod computation;
mod conversion;
mod derived;
mod difference;
mod encoded;
mod grouped;
pub mod grouping;
mod in_units;
mod layout;
mod many;
mod meeting;
mod merged;
mod numbers;
mod output;
mod reduced;
mod reduction;
mod run;
mod scope;
mod select;
mod weights;

pub use computation::{Computation, LeftOut, Range, Text, TextFrom, Wanted, Why};
pub use conversion::Conversion;
pub use derived::{Derived, OfGroups, Taken, Used};
pub use difference::{Cause, Comparison, Difference, Extent, Outcome, Pair, Part, Tolerance};
pub use encoded::Measure;
pub(crate) use grouped::{repeated, split_keys};
pub use grouping::{By, Grouping};
pub use in_units::InUnits;
pub use layout::{ChunkLength, Layout, Packed, Pipeline};
pub use many::{Broken, Combine, Findings, Many, Overlap, open_many};
pub(crate) use meeting::{Dates, Labels, Meeting, Order};
pub(crate) use reduced::{described, windowed};
pub(crate) use reduction::Cells;
pub use reduction::{Axes, KeepDims, Reduction, Statistic};
pub use select::{Inexact, Selection, Want};
pub use weights::Weights;
pub(crate) use weights::{Found, KNOWN_MAX};

use crate::{
    array::LazyArray,
    cf::{
        decoding::{ValidRange, decoding},
        references,
        time::is_time,
    },
    dtype::ByteOrder,
    error::{Error, Problem, Result, closest},
    formats,
    source::{Container, Group, Layout as StoredLayout, Source, VarMeta},
};
use merged::Merged;
use select::Selected;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// An open file or store, or a selection of one. Cloning is cheap.
///
/// What it holds ([`root`](Dataset::root)) and what is in that ([`array`](Dataset::array), [`texts`](Dataset::texts))
/// agree; whoever asks does not see where it comes from.
#[derive(Clone)]
pub struct Dataset(Held);

#[derive(Clone)]
enum Held {
    /// All of a file.
    Stored { container: Arc<dyn Container>, paths: Arc<[PathBuf]> },
    /// Parts of another.
    Selected(Arc<Selected>),
    /// Several.
    Merged(Arc<Merged>),
}

impl Dataset {
    /// Opens a NetCDF, HDF5 or Zarr file by what it is.
    ///
    /// # Errors
    /// When it is none of these, or its metadata is broken.
    pub fn open(path: impl AsRef<Path>) -> Result<Dataset> {
        let path = path.as_ref();
        Ok(Dataset(Held::Stored { container: formats::open(path)?, paths: Arc::new([path.to_path_buf()]) }))
    }

    /// The same with parts of its dimensions: see [`Selection`].
    ///
    /// # Errors
    /// When there is no such dimension or coordinate, or nothing in it is what is asked for.
    pub fn select(&self, selection: &Selection) -> Result<Dataset> {
        if selection.is_empty() {
            return Ok(self.clone());
        }
        let selected = Selected::new(self, selection).map_err(|e| e.in_file(self.path()))?;
        Ok(Dataset(Held::Selected(Arc::new(selected))))
    }

    /// The same with these variables, and those that describe them, alone.
    ///
    /// # Errors
    /// When there is none of a name.
    pub fn only(&self, variables: &[String]) -> Result<Dataset> {
        let selected = Selected::variables(self, variables)?;
        Ok(Dataset(Held::Selected(Arc::new(selected))))
    }

    /// The variables of several datasets in one. What several have, as coordinates, has to be the same.
    ///
    /// # Errors
    /// When there is none, a dimension has two lengths, or a variable of one name says different things.
    pub fn merge(datasets: &[Dataset]) -> Result<Dataset> {
        Ok(Dataset(Held::Merged(Arc::new(Merged::new(datasets)?))))
    }

    /// The same with a dimension of a coordinate, and all along it, in another order.
    ///
    /// # Errors
    /// When it has no such dimension.
    pub(crate) fn in_order(&self, coordinate: &str, order: &Order) -> Result<Dataset> {
        self.select(&Selection::new().in_order(coordinate, order))
    }

    /// What of it was put in another order, in words: dimensions of merged files.
    pub fn turned(&self) -> &[String] {
        match &self.0 {
            Held::Stored { .. } => &[],
            Held::Selected(selected) => selected.of().turned(),
            Held::Merged(merged) => merged.turned(),
        }
    }

    /// Where it lies: the first of its files.
    pub fn path(&self) -> &Path {
        self.paths().first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// All of its files.
    pub fn paths(&self) -> &[PathBuf] {
        match &self.0 {
            Held::Stored { paths, .. } => paths,
            Held::Selected(selected) => selected.of().paths(),
            Held::Merged(merged) => merged.paths(),
        }
    }

    /// The format in words, as [`Container::format`].
    pub fn format(&self) -> &str {
        match &self.0 {
            Held::Stored { container, .. } => container.format(),
            Held::Selected(selected) => selected.of().format(),
            Held::Merged(merged) => merged.format(),
        }
    }

    /// The open file itself; `None` where it is not all of one.
    pub fn container(&self) -> Option<&Arc<dyn Container>> {
        match &self.0 {
            Held::Stored { container, .. } => Some(container),
            Held::Selected(_) | Held::Merged(_) => None,
        }
    }

    /// What it holds.
    pub fn root(&self) -> &Group {
        match &self.0 {
            Held::Stored { container, .. } => container.root(),
            Held::Selected(selected) => selected.root(),
            Held::Merged(merged) => merged.root(),
        }
    }

    /// A variable by its path, without its values.
    ///
    /// # Errors
    /// When there is none of that name; names that are like it come with the error.
    pub fn variable(&self, path: &str) -> Result<&VarMeta> {
        self.root().var(path).ok_or_else(|| {
            let all = self.root().all_vars();
            let known = closest(path, all.iter().map(|v| v.path.as_str()));
            let problem = Problem::NoSuchVariable { name: path.to_string(), known };
            Error::from(problem).in_file(self.path())
        })
    }

    /// The coordinate variable that a dimension has in a group: of its name, and along it alone.
    pub fn coordinate(&self, group: &str, dim: &str) -> Option<&VarMeta> {
        scope::coordinate(self.root(), group, dim)
    }

    /// The coordinates that a variable has: those of its dimensions, and others that are named and lie along them.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn coordinates_of(&self, path: &str) -> Result<Vec<&VarMeta>> {
        Ok(scope::coordinates_of(self.root(), self.variable(path)?))
    }

    /// The coordinates of time of a variable's dimensions; where those have none of their own name, others that lie along one
    /// of them, as XTIME along Time.
    pub(crate) fn times_of(&self, v: &VarMeta) -> Vec<&VarMeta> {
        let own = v.dims.iter().filter_map(|dim| self.coordinate(v.group(), dim));
        let own: Vec<&VarMeta> = own.filter(|c| is_time(&c.attrs)).collect();
        if !own.is_empty() {
            return own;
        }
        let others = references::named(&v.attrs, "coordinates").into_iter();
        let others = others.filter_map(|name| scope::variable(self.root(), v.group(), &name));
        others.filter(|c| c.dims.len() == 1 && v.dims.contains(&c.dims[0]) && is_time(&c.attrs)).collect()
    }

    /// The values of a variable as they are stored. Single characters are bytes.
    ///
    /// # Errors
    /// When there is none of that name, or its chunks cannot be read.
    pub fn array(&self, path: &str) -> Result<LazyArray> {
        let meta = self.variable(path)?;
        let array = match &self.0 {
            Held::Stored { container, .. } => container.source(&meta.path).and_then(LazyArray::from_source),
            Held::Selected(selected) => selected.array(meta),
            Held::Merged(merged) => merged.read(&meta.path, Dataset::array),
        };
        array.map_err(|e| e.in_variable(&meta.path).in_file(self.path()))
    }

    /// The values of a variable with their meaning: missing ones as NaN, scaled and offset.
    ///
    /// # Errors
    /// As [`array`](Dataset::array), and when it does not hold numbers, or attributes say nothing that can be done.
    pub fn decoded(&self, path: &str, valid: ValidRange) -> Result<LazyArray> {
        let meta = self.variable(path)?;
        let layout = StoredLayout::row_major(ByteOrder::NATIVE, meta.shape.len());
        let decode = decoding(meta, &layout, valid).map_err(|e| e.in_file(self.path()))?;
        Ok(self.array(path)?.decode(decode))
    }

    /// The stored chunks of a variable of a whole file.
    ///
    /// # Errors
    /// When there is none of that name, its chunks cannot be read, or this is a part of a file.
    pub fn source(&self, path: &str) -> Result<Arc<dyn Source>> {
        let meta = self.variable(path)?;
        let source = match &self.0 {
            Held::Stored { container, .. } => container.source(&meta.path),
            Held::Selected(_) => Err(Error::usage("a selection has arrays, and no chunks of its own")),
            Held::Merged(merged) => merged.read(&meta.path, Dataset::source),
        };
        source.map_err(|e| e.in_variable(&meta.path).in_file(self.path()))
    }

    /// The decoded numbers of a small variable, as a coordinate, row-major.
    ///
    /// # Errors
    /// As [`array`](Dataset::array), and when it is too large to be read at once.
    pub fn numbers(&self, path: &str) -> Result<Vec<f64>> {
        let meta = self.variable(path)?;
        let numbers = match &self.0 {
            Held::Stored { container, .. } => container.source(&meta.path).and_then(|s| numbers::numbers(s.as_ref())),
            Held::Selected(selected) => selected.numbers(meta),
            Held::Merged(merged) => merged.read(&meta.path, Dataset::numbers),
        };
        numbers.map_err(|e| e.in_variable(&meta.path).in_file(self.path()))
    }

    /// The values of a variable of strings, row-major.
    ///
    /// # Errors
    /// When there is none of that name, or it does not hold text.
    pub fn texts(&self, path: &str) -> Result<Vec<String>> {
        let meta = self.variable(path)?;
        let texts = match &self.0 {
            Held::Stored { container, .. } => container.texts(&meta.path),
            Held::Selected(selected) => selected.texts(meta),
            Held::Merged(merged) => merged.read(&meta.path, Dataset::texts),
        };
        texts.map_err(|e| e.in_variable(&meta.path).in_file(self.path()))
    }
}
