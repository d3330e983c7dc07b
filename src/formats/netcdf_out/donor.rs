//! A NetCDF-4 file that a run has left unfinished, and what of it goes into the next one.

use super::{netcdf4::Var, room};
use crate::{
    error::{Error, Result},
    kernels::cast::common_runs,
    store::{Record, Unfinished},
};
use std::{fs::File, os::unix::fs::FileExt, path::Path};

/// Gives the pieces that are whole in the file at `path` to `take`, in the order in which they lie there, each with its
/// variable and its number. `vars` has the variables in the order of the schema.
///
/// # Errors
/// When the file cannot be opened; what `take` and `stopped` say.
pub(super) fn take_over(
    path: &Path,
    unfinished: &Unfinished,
    vars: &[&Var],
    take: impl Fn(&Var, u64, &[u8]) -> Result<()>,
    stopped: &dyn Fn() -> Result<()>,
) -> Result<()> {
    let opened = File::open(path).and_then(|file| file.metadata().map(|meta| (file, meta.len())));
    let (file, end) = opened.map_err(|e| Error::io("open the unfinished output", e))?;
    let mut records: Vec<&Record> = unfinished.earlier().iter().filter(|record| record.len <= end).collect();
    records.sort_by_key(|record| (record.at, record.number));
    let mut room = room(&records)?;
    for record in records {
        stopped()?;
        let piece = record.number.piece;
        let var = vars.get(record.number.variable as usize).filter(|var| piece < var.grid().chunks());
        let bytes = &mut room.bytes_mut()[..record.len as usize];
        if let Some(var) = var.filter(|var| read(var, record, &file, bytes) && record.is_of(bytes)) {
            take(var, piece, bytes)?;
        }
    }
    Ok(())
}

/// Reads what a record is of; whether there was so much.
fn read(var: &Var, record: &Record, file: &File, out: &mut [u8]) -> bool {
    let Some(element) = var.plain_element_bytes() else {
        return var.is_chunked() && file.read_exact_at(out, record.at).is_ok();
    };
    let region = var.grid().region(&var.grid().index(record.number.piece));
    if region.shape.bytes(element).ok() != Some(out.len()) || out.is_empty() {
        return false;
    }
    let mut is_there = true;
    common_runs(&region.shape, var.grid().shape(), &region.start, element, &mut |to, from, n| {
        let at = record.at.checked_add(from as u64);
        is_there = is_there && at.is_some_and(|at| file.read_exact_at(&mut out[to..to + n], at).is_ok());
    });
    is_there
}
