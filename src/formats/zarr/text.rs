//! Values of string arrays.

use super::{
    array::{Chain, ElementForm},
    container::StoredArray,
    foreign::Foreign,
    json,
    keys::Keys,
    source::ZarrSource,
};
use crate::{
    budget::Budget,
    codec::{Codec, Scratch, decode_growing},
    dtype::ByteOrder,
    error::{Error, Result},
    grid::Grid,
    shape::{ChunkIndex, Region, Shape},
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
    let row_major: Vec<usize> = (0..grid.shape().len()).collect();
    let (axes, reading) = match &array.meta.chain {
        Chain::Texts(coding) => (&coding.axes, Reading::Own(&coding.codecs, Budget::new(Bytes(BYTES_MAX)))),
        Chain::Unsupported(feature) => return Err(Error::unsupported(feature.clone())),
        Chain::Foreign(why) if !why.is_empty() => {
            (&row_major, Reading::Foreign(Box::new(Foreign::open(keys, array, why)?)))
        }
        _ => (&row_major, Reading::Foreign(Box::new(Foreign::open(keys, array, "vlen-utf8")?))),
    };
    let mut left = BYTES_MAX;
    for n in 0..grid.chunks() {
        let index = grid.index(n);
        let values = reading.chunk(keys, array, &index, &grid).map_err(|e| e.in_chunk(&index))?;
        let mut bytes = 0;
        place(&grid.region(&index), grid.chunk(), axes, grid.shape(), |from, to| {
            if let (Some(value), Some(slot)) = (values.get(from), out.get_mut(to)) {
                bytes += value.len() as u64;
                if bytes <= left {
                    slot.clone_from(value);
                }
            }
        });
        left = left.checked_sub(bytes).ok_or_else(|| {
            Error::unsupported(format!("an array of strings of more than {BYTES_MAX} bytes")).in_chunk(&index)
        })?;
    }
    Ok(out)
}

enum Reading<'a> {
    Own(&'a [Codec], Budget),
    Foreign(Box<Foreign>),
}

impl Reading<'_> {
    fn chunk(&self, keys: &Keys, array: &StoredArray, index: &ChunkIndex, grid: &Grid) -> Result<Vec<String>> {
        let (codecs, budget) = match self {
            Reading::Own(codecs, budget) => (codecs, budget),
            Reading::Foreign(foreign) => return foreign.values(index),
        };
        let count = grid.chunk().elements()?;
        let Some(blob) = keys.blob(&array.key(&array.meta.keys.key(index)))? else {
            let fill = array.meta.document.get("fill_value").and_then(json::string).unwrap_or_default();
            if (fill.len() as u64).saturating_mul(count) > BYTES_MAX {
                return Err(Error::unsupported(format!("a fill value of {} bytes", fill.len())));
            }
            return Ok(vec![fill.to_string(); count as usize]);
        };
        let stored = blob.len();
        if stored > BYTES_MAX {
            return Err(Error::unsupported(format!("a chunk of strings of {stored} bytes")));
        }
        let stored = blob.all()?;
        let (decoded, bytes) = decode_growing(codecs, &stored, budget)?;
        unpack(&decoded.bytes()[bytes], count)
    }
}

/// Strings as numcodecs packs them: how many there are, and each behind its length.
fn unpack(bytes: &[u8], count: u64) -> Result<Vec<String>> {
    let broken = |detail: String| Error::corrupt("chunk of strings", detail);
    let number = |bytes: &[u8]| bytes.first_chunk().map(|b| u64::from(u32::from_le_bytes(*b)));
    let found = number(bytes).ok_or_else(|| broken(format!("it has {} bytes", bytes.len())))?;
    if found != count {
        return Err(broken(format!("it has {found} strings of {count}")));
    }
    let mut out = Vec::new();
    let mut rest = &bytes[4..];
    for n in 0..count {
        let text = number(rest).and_then(|len| rest.get(4..(len as usize).checked_add(4)?));
        let text = text.ok_or_else(|| broken(format!("string {n} of {count} goes over its end")))?;
        out.push(String::from_utf8_lossy(text).into_owned());
        rest = &rest[4 + text.len()..];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_unpacked_or_refused() {
        let packed = |count: u32, texts: &[&[u8]]| {
            let each = texts.iter().flat_map(|t| [&(t.len() as u32).to_le_bytes(), *t].concat());
            count.to_le_bytes().into_iter().chain(each).collect::<Vec<u8>>()
        };
        assert_eq!(unpack(&packed(3, &[b"a", b"", b"\xc5\x82o"]), 3).unwrap(), ["a", "", "ło"]);
        assert_eq!(unpack(&packed(1, &[b"\xff"]), 1).unwrap(), ["\u{fffd}"]);
        assert!(unpack(&packed(2, &[b"a", b"b"]), 3).unwrap_err().to_string().contains("it has 2 strings of 3"));
        let mut long = packed(1, &[b"abc"]);
        assert!(unpack(&long[..6], 1).is_err() && unpack(&long[..10], 1).is_err() && unpack(&[0; 3], 0).is_err());
        long[4..8].fill(0xff);
        assert!(unpack(&long, 1).unwrap_err().to_string().contains("string 0 of 1 goes over its end"));
    }
}
