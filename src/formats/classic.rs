use crate::{
    error::{Error, Result},
    source::Container,
};
use std::{path::Path, sync::Arc};

/// Opens.
pub fn open(_path: &Path) -> Result<Arc<dyn Container>> {
    Err(Error::unsupported("classic"))
}
