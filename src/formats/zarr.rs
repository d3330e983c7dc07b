use crate::{
    error::{Error, Result},
    source::Container,
};
use std::{path::Path, sync::Arc};

/// Opens.
pub fn open(_path: &Path) -> Result<Arc<dyn Container>> {
    Err(Error::unsupported("zarr"))
}

/// Creates.
pub fn create(
    _path: &Path,
    _format: super::OutputFormat,
    _root: &crate::source::Group,
) -> Result<Box<dyn crate::source::Sink>> {
    Err(Error::unsupported("zarr"))
}
