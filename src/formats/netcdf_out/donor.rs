//! A NetCDF-4 file that a run has left unfinished, and what of it goes into the next one.

use super::{netcdf4::Var, room};
use crate::{
    error::{Error, Result},
    shape::{Region, Shape},
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
    let (width, starts) = runs(&region, var.grid().shape());
    let place = |start: u64| start.checked_mul(element as u64)?.checked_add(record.at);
    let mut parts = out.chunks_exact_mut(width as usize * element).zip(starts);
    parts.all(|(part, start)| place(start).is_some_and(|at| file.read_exact_at(part, at).is_ok()))
}

/// The elements of a region that lie in one run of a row-major array, and where each run begins.
fn runs(region: &Region, shape: &Shape) -> (u64, impl Iterator<Item = u64>) {
    let (mut width, mut outer) = (1, shape.len());
    while outer > 0 {
        outer -= 1;
        width *= region.shape[outer];
        if region.shape[outer] != shape[outer] {
            break;
        }
    }
    let strides = shape.strides();
    let first: u64 = region.start.iter().zip(&strides).map(|(start, stride)| start * stride).sum();
    let lengths = region.shape[..outer].to_vec();
    let starts = (0..lengths.iter().product()).map(move |n: u64| {
        let mut rest = n;
        let mut at = first;
        for k in (0..lengths.len()).rev() {
            at += rest % lengths[k] * strides[k];
            rest /= lengths[k];
        }
        at
    });
    (width, starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_as_long_as_they_can_be() {
        let shape = Shape(vec![4, 3, 5]);
        let runs = |start: [u64; 3], lengths: [u64; 3]| {
            let region = Region { start: start.to_vec(), shape: Shape(lengths.to_vec()) };
            let (width, starts) = runs(&region, &shape);
            (width, starts.collect::<Vec<_>>())
        };
        assert_eq!(runs([0, 0, 0], [4, 3, 5]), (60, vec![0]));
        assert_eq!(runs([1, 0, 0], [2, 3, 5]), (30, vec![15]));
        assert_eq!(runs([1, 1, 0], [2, 2, 5]), (10, vec![20, 35]));
        assert_eq!(runs([0, 1, 2], [1, 2, 3]), (3, vec![7, 12]));
    }
}
