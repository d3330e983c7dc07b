//! NetCDF outputs: NetCDF-4, and the classic formats with 64-bit offsets (CDF-2) and 64-bit data (CDF-5).
//!
//! netCDF-C writes everything but the data: dimensions, attributes, groups and variables, with all the conventions
//! between it and HDF5. Then a classic file stays open in netCDF-C. A NetCDF-4 file is defined in memory, since netCDF-C
//! crashes when HDF5 cannot write, as on a full disk; its bytes are put on the disk and opened with HDF5, so that chunks
//! are compressed by many threads at once and only their stored bytes pass HDF5's lock.
//!
//! What netCDF cannot hold is replaced where a reader sees no difference, and refused otherwise:
//!
//! - Filters are those that every reader of NetCDF-4 has: shuffle, deflate and fletcher32. Any other codec that a
//!   schema asks for becomes shuffle and deflate at level 1; any other checksum becomes fletcher32. With the detail
//!   `fast` deflate is made by our own encoder, which searches less.
//! - A dimension of length 0 is unlimited. In a classic file one dimension can be unlimited, and must come first:
//!   others become fixed.
//! - `bool` is a byte with the attribute `dtype = "bool"`, as xarray writes it.
//! - In CDF-2, attributes of unsigned and 64-bit integers become `int` where they fit and `double` otherwise.
//!   Variables of these types are refused, as are groups and strings in both classic formats, and `float16` in all.
//! - Several strings in one attribute of a classic file are joined by blanks, as CF separates words.
//! - Attributes that belong to the libraries (`_NCProperties`, `DIMENSION_LIST` ...) are left out.

mod attributes;
mod classic;
mod define;
mod donor;
mod fill;
mod hid;
mod image;
mod netcdf4;
mod schema;
mod written;

use super::OutputFormat;
use crate::{
    block::Block,
    budget::Budget,
    codec::{Scratch, ScratchSize},
    error::{Error, Result},
    grid::Grid,
    shape::{ChunkIndex, Region},
    source::{Group, Sink},
    store::{Form, Pending, Record, RunIdentity},
    units::Bytes,
};
use define::Defined;
use schema::Schema;
use std::{fs::OpenOptions, path::Path};

/// Creates a NetCDF file that will hold what `root` declares.
///
/// A variable whose [`Storage`](crate::source::Storage) has a chunk shape is chunked like that, and taken in these
/// chunks. With kind `"contiguous"`, or in a classic file, the chunk shape says only in which pieces the variable
/// is taken. Without a chunk shape pieces of about a mebibyte are chosen.
///
/// # Errors
/// When the target cannot be written, or the format cannot hold what is declared.
pub fn create(path: &Path, format: OutputFormat, root: &Group) -> Result<Box<dyn Sink>> {
    let schema = Schema::new(root, format)?;
    sink(Pending::new(path, Form::File)?, &schema, &|| Ok(()))
}

/// As [`create`], going on with what an earlier `run` has left. Chunks, or the pieces that stand for them, are what counts.
///
/// A classic file is gone on with where it lies. A NetCDF-4 file that nobody has closed cannot be opened, for the index of
/// its chunks was in memory; but the chunks lie where the journal says, and a new file takes them over as they are stored.
/// `stopped` is asked before each whether to go on.
///
/// # Errors
/// As there; when what is there was of another run; what `stopped` says.
pub fn resume(
    path: &Path,
    format: OutputFormat,
    root: &Group,
    run: &RunIdentity,
    stopped: &dyn Fn() -> Result<()>,
) -> Result<Box<dyn Sink>> {
    let schema = Schema::new(root, format)?;
    sink(Pending::kept(path, Form::File, run)?, &schema, stopped)
}

fn sink(pending: Pending, schema: &Schema, stopped: &dyn Fn() -> Result<()>) -> Result<Box<dyn Sink>> {
    Ok(match schema.format {
        OutputFormat::NetCdf4 => Box::new(netcdf4::NetCdf4::new(pending, schema, stopped)?),
        _ => Box::new(classic::Classic::new(pending, schema, stopped)?),
    })
}

/// Defines a new file. The system says better than the libraries why it cannot be created.
fn defined(path: &Path, schema: &Schema) -> Result<Defined> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    created.map_err(|e| Error::io("create the output", e))?;
    define::define(path, schema)
}

/// Memory for one of the pieces that `records` are of. No worker has begun yet, and each will take more.
fn room(records: &[&Record]) -> Result<Block> {
    let most = records.iter().map(|record| record.len).max().unwrap_or(0);
    let bytes = usize::try_from(most).map_err(|_| Error::corrupt("journal", "a piece is larger than memory"))?;
    Ok(Block::new(bytes, Budget::new(Bytes(u64::MAX)).lease(most, "what an earlier run has written")?))
}

/// The part of the array that a chunk holds.
///
/// # Errors
/// When there is no such chunk, or `data` has not just its bytes.
fn region_of(grid: &Grid, element_bytes: usize, chunk: &ChunkIndex, data: &[u8]) -> Result<Region> {
    if chunk.len() != grid.counts().len() || chunk.iter().zip(grid.counts()).any(|(i, n)| i >= n) {
        return Err(Error::usage(format!("there is no such chunk among {:?}", grid.counts())));
    }
    let region = grid.region(chunk);
    let expected = region.shape.bytes(element_bytes)?;
    if data.len() != expected {
        return Err(Error::usage(format!("a chunk of {} has {expected} bytes, not {}", region.shape, data.len())));
    }
    Ok(region)
}

/// Writes the fill value to the chunks that were not written.
fn write_missing(
    grid: &Grid,
    fill: &[u8],
    missing: impl Iterator<Item = u64>,
    scratch: ScratchSize,
    mut write: impl FnMut(&ChunkIndex, &[u8], &mut Scratch) -> Result<()>,
) -> Result<()> {
    let mut missing = missing.peekable();
    if missing.peek().is_none() {
        return Ok(());
    }
    let budget = Budget::new(Bytes(u64::MAX));
    let mut scratch = Scratch::new(scratch, budget.lease(scratch.bytes(), "filling")?);
    let bytes = grid.chunk().bytes(fill.len())?;
    let mut block = Block::new(bytes, budget.lease(bytes as u64, "filling")?);
    block.bytes_mut().chunks_exact_mut(fill.len()).for_each(|e| e.copy_from_slice(fill));
    for number in missing {
        let chunk = grid.index(number);
        let clipped = grid.region(&chunk).shape.bytes(fill.len())?;
        let data = block.bytes().get(..clipped).unwrap_or_default();
        write(&chunk, data, &mut scratch).map_err(|e| e.in_chunk(&chunk))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
