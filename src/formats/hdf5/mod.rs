use crate::{
    error::{Error, Result},
    source::Container,
};
use std::{path::Path, sync::Arc};

/// Opens.
pub fn open(_path: &Path) -> Result<Arc<dyn Container>> {
    Err(Error::unsupported("hdf5"))
}

/// Whether the file has HDF5's signature, at its start or behind a user block.
pub fn is_hdf5(_path: &Path) -> Result<bool> {
    Ok(false)
}
