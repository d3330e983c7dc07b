//! Zarr, versions 2 and 3: folders and zip archives of chunks with JSON beside them.
//!
//! Chunks whose codecs are known are decoded by [`crate::codec`]; the zarrs library has to help with the rest.

mod json;
mod keys;

mod array;
mod codecs;
mod filters;
mod times;
mod v2;
mod v3;

mod tree;

mod foreign;
mod shard;
mod source;
mod text;

mod container;

mod documents;
mod shards_out;
mod sink;
mod written;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use super::OutputFormat;
use crate::{
    error::Result,
    source::{Container, Group, Sink},
    store::{Form, Pending, RunIdentity},
};
use std::{path::Path, sync::Arc};

/// Opens a store: a folder, or a zip archive.
///
/// An array that is a store of its own becomes a variable with the store's name. Attributes are as xarray shows
/// them: `_FillValue` is decoded, and for version 2 it is the array's fill value; names of dimensions are hidden.
///
/// # Errors
/// When it is no store, or its metadata is broken.
pub fn open(path: &Path) -> Result<Arc<dyn Container>> {
    Ok(Arc::new(container::ZarrStore::open(path)?))
}

/// Creates a store that will hold what `root` declares, in a folder.
///
/// A variable is written with the codecs of its [`Storage`](crate::source::Storage) that Zarr has, in their order; any
/// other compressor becomes `zstd:3`. In version 3, where it has a shard shape, its chunks are gathered in shards of so
/// many whole chunks; they are still taken one by one, in any order, and the bytes of a shard do not depend on that.
///
/// # Errors
/// When the target cannot be written, or a variable has a type that Zarr does not.
pub fn create(path: &Path, format: OutputFormat, root: &Group) -> Result<Box<dyn Sink>> {
    Ok(Box::new(sink::ZarrSink::create(Pending::new(path, Form::Folder)?, format, root)?))
}

/// As [`create`], going on with what an earlier `run` has left. Whole chunks, or shards, are the pieces that count.
///
/// # Errors
/// As there; when what is there was of another run.
pub fn resume(path: &Path, format: OutputFormat, root: &Group, run: &RunIdentity) -> Result<Box<dyn Sink>> {
    Ok(Box::new(sink::ZarrSink::create(Pending::kept(path, Form::Folder, run)?, format, root)?))
}
