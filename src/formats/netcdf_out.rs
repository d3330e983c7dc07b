use crate::{
    error::{Error, Result},
    source::{Group, Sink},
};
use std::path::Path;

/// Creates.
pub fn create(_path: &Path, _format: super::OutputFormat, _root: &Group) -> Result<Box<dyn Sink>> {
    Err(Error::unsupported("netcdf"))
}
