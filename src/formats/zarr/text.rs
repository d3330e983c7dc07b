//! Values of string arrays.

use super::{array::ElementForm, container::StoredArray, foreign::Foreign, keys::Keys, source::ZarrSource};
use crate::{
    budget::Budget,
    codec::Scratch,
    dtype::ByteOrder,
    error::{Error, Result},
    grid::Grid,
    shape::{Region, Shape},
    source::Source,
    units::Bytes,
};
use std::sync::Arc;

/// Strings are labels: whole arrays of them are read at once, so there may not be too many.
const STRINGS_MAX: u64 = 1 << 22;
pub(super) const BYTES_MAX: u64 = 1 << 30;

/// The strings of an array of variable length.
pub(super) fn variable(keys: &Arc<Keys>, array: &StoredArray) -> Result<Vec<String>> {
    let grid = Grid::new(array.meta.shape.clone(), array.meta.chunk.clone())?;
    let mut out = empty(&grid)?;
    let foreign = Foreign::open(keys, array, "vlen-utf8")?;
    for n in 0..grid.chunks() {
        let index = grid.index(n);
        let values: Vec<String> = foreign.values(&index).map_err(|e| e.in_chunk(&index))?;
        let axes: Vec<usize> = (0..index.len()).collect();
        place(&grid.region(&index), grid.chunk(), &axes, grid.shape(), |from, to| {
            if let (Some(value), Some(slot)) = (values.get(from), out.get_mut(to)) {
                slot.clone_from(value);
            }
        });
    }
    Ok(out)
}

/// The strings of an array of fixed length.
pub(super) fn fixed(source: &ZarrSource, form: &ElementForm) -> Result<Vec<String>> {
    let grid = source.grid();
    let mut out = empty(grid)?;
    let size = form.bytes().unwrap_or(1);
    let scratch = source.scratch();
    let budget = Budget::new(Bytes(BYTES_MAX));
    let mut scratch = Scratch::new(scratch, budget.lease(scratch.bytes(), "strings")?);
    let chunk_bytes = source.chunk_bytes();
    let mut chunk = crate::block::Block::new(chunk_bytes, budget.lease(chunk_bytes as u64, "strings")?);
    for n in 0..grid.chunks() {
        let index = grid.index(n);
        source.read(&index, &mut scratch, chunk.bytes_mut())?;
        place(&grid.region(&index), grid.chunk(), &source.layout().axes, grid.shape(), |from, to| {
            let bytes = chunk.bytes().get(from * size..(from + 1) * size);
            if let (Some(bytes), Some(slot)) = (bytes, out.get_mut(to)) {
                *slot = decode(bytes, form, source.layout().order);
            }
        });
    }
    Ok(out)
}

fn empty(grid: &Grid) -> Result<Vec<String>> {
    let count = grid.shape().elements()?;
    if count > STRINGS_MAX || grid.chunks() > STRINGS_MAX || grid.chunk().elements()? > STRINGS_MAX {
        return Err(Error::unsupported(format!("an array of strings of shape {}", grid.shape())));
    }
    Ok(vec![String::new(); count as usize])
}

fn decode(bytes: &[u8], form: &ElementForm, order: ByteOrder) -> String {
    let text: String = match form {
        ElementForm::Utf32(..) => bytes
            .chunks_exact(4)
            .map(|c| {
                let raw = [c[0], c[1], c[2], c[3]];
                let code = if order == ByteOrder::Big { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) };
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            })
            .collect(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.trim_end_matches('\0').to_string()
}

/// Calls `copy` with the number of each element of `region` in its chunk and in the array.
fn place(region: &Region, chunk: &Shape, axes: &[usize], shape: &Shape, mut copy: impl FnMut(usize, usize)) {
    let rank = region.start.len();
    let mut chunk_strides = vec![1usize; rank];
    let mut stride = 1usize;
    for &axis in axes.iter().rev() {
        chunk_strides[axis] = stride;
        stride = stride.saturating_mul(chunk[axis] as usize);
    }
    let strides = shape.strides();
    let count: u64 = region.shape.iter().product();
    for n in 0..count {
        let (mut rest, mut from, mut to) = (n, 0, 0);
        for k in (0..rank).rev() {
            let at = rest % region.shape[k];
            rest /= region.shape[k];
            from += at as usize * chunk_strides[k];
            to += (region.start[k] + at) as usize * strides[k] as usize;
        }
        copy(from, to);
    }
}
