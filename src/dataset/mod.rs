//! [`Dataset`]: a file with its variables, coordinates and dimensions, and what can be asked of it.

mod adapted;
mod carried;
mod computation;
mod conversion;
mod derived;
mod difference;
mod encoded;
mod layout;
mod output;
mod reduced;
mod reduction;
mod run;
mod scope;

pub use computation::{Computation, LeftOut, Range, Text, Wanted, Why};
pub use conversion::Conversion;
pub use derived::{Derived, Taken, Used};
pub use difference::{Cause, Comparison, Difference, Extent, Outcome, Pair, Part, Tolerance};
pub use encoded::Measure;
pub use layout::{ChunkLength, Layout, Packed, Pipeline};
pub use reduction::{Axes, KeepDims, Reduction, Statistic};

use crate::{
    error::{Problem, Result, closest},
    formats,
    source::{Container, Group, Source, VarMeta},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// An open file or store. Cloning is cheap.
#[derive(Clone)]
pub struct Dataset {
    container: Arc<dyn Container>,
    path: PathBuf,
}

impl Dataset {
    /// Opens a NetCDF, HDF5 or Zarr file by what it is.
    ///
    /// # Errors
    /// When it is none of these, or its metadata is broken.
    pub fn open(path: impl AsRef<Path>) -> Result<Dataset> {
        let path = path.as_ref();
        Ok(Dataset { container: formats::open(path)?, path: path.to_path_buf() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file itself.
    pub fn container(&self) -> &Arc<dyn Container> {
        &self.container
    }

    /// What it holds.
    pub fn root(&self) -> &Group {
        self.container.root()
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
            crate::error::Error::from(problem).in_file(&self.path)
        })
    }

    /// The values of a variable, by chunks.
    ///
    /// # Errors
    /// When there is none of that name, or its chunks cannot be read.
    pub fn source(&self, path: &str) -> Result<Arc<dyn Source>> {
        let meta = self.variable(path)?;
        self.container.source(&meta.path).map_err(|e| e.in_variable(&meta.path).in_file(&self.path))
    }
}
