//! Strings: of variable length, which the library allocates, and of fixed length with three kinds of padding.

use super::{
    id::{Id, check},
    lengths::{self, Holder, Limits},
};
use crate::{
    error::{Error, Result},
    shape::Shape,
};
use hdf5_sys::{
    h5d::{H5Dget_space, H5Dget_type, H5Dread},
    h5p::H5P_DEFAULT,
    h5s::{H5S_class_t, H5Sget_simple_extent_npoints, H5Sget_simple_extent_type},
    h5t::{self, H5T_str_t},
};
use std::ffi::{CStr, c_char};

/// The texts behind an array of the library's pointers, which are given back to it.
pub(super) fn take_variable(kind: &Id, space: &Id, buffer: &mut [u64], count: usize) -> Vec<String> {
    let mut out = Vec::with_capacity(count);
    // SAFETY: the library filled `buffer` with `count` pointers to strings of its own, or null.
    unsafe {
        let pointers = buffer.as_mut_ptr().cast::<*mut c_char>();
        for k in 0..count {
            let text = *pointers.add(k);
            out.push(if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() });
        }
        h5t::H5Treclaim(kind.get(), space.get(), H5P_DEFAULT, pointers.cast());
    }
    out
}

/// A string of fixed length without its padding.
pub(super) fn fixed(kind: &Id, bytes: &[u8]) -> String {
    // SAFETY: `kind` is an open type.
    let end = match unsafe { h5t::H5Tget_strpad(kind.get()) } {
        H5T_str_t::H5T_STR_NULLTERM => bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len()),
        H5T_str_t::H5T_STR_SPACEPAD => bytes.iter().rposition(|&b| b != b' ' && b != 0).map_or(0, |at| at + 1),
        _ => bytes.iter().rposition(|&b| b != 0).map_or(0, |at| at + 1),
    };
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// All strings of a dataset, row-major, unless they take more than `bytes_max` before they are unpacked.
///
/// # Errors
/// When there are too many; when they are longer than their file.
pub(super) fn read_all(dataset: &Id, bytes_max: u64, file_bytes: u64) -> Result<Vec<String>> {
    // SAFETY: the handles are ours, and the buffer has room for every element.
    unsafe {
        let kind = Id::new(H5Dget_type(dataset.get()), "type")?;
        let space = Id::new(H5Dget_space(dataset.get()), "space")?;
        if H5Sget_simple_extent_type(space.get()) == H5S_class_t::H5S_NULL {
            return Ok(Vec::new());
        }
        let count = usize::try_from(H5Sget_simple_extent_npoints(space.get())).unwrap_or(usize::MAX);
        let variable = check(h5t::H5Tis_variable_str(kind.get()), "string type")? > 0;
        let width = if variable { size_of::<*mut c_char>() } else { h5t::H5Tget_size(kind.get()) };
        let bytes = count.checked_mul(width.max(1)).filter(|&n| n as u64 <= bytes_max);
        let bytes = bytes.ok_or_else(|| Error::unsupported(format!("reading {count} strings at once")))?;
        if count == 0 {
            return Ok(Vec::new());
        }
        if variable {
            // A fill value may be there many times.
            let limits = Limits { member: 1, file_bytes, all_bytes: bytes_max.max(file_bytes) };
            lengths::check_all(Holder::Dataset(dataset), &kind, count, limits)?;
        }
        let mut buffer = vec![0u64; bytes.div_ceil(8)];
        let into = buffer.as_mut_ptr().cast();
        check(H5Dread(dataset.get(), kind.get(), 0, 0, H5P_DEFAULT, into), "read strings")?;
        if variable {
            return Ok(take_variable(&kind, &space, &mut buffer, count));
        }
        let bytes: &[u8] = bytemuck::cast_slice(&buffer);
        Ok(bytes.chunks_exact(width.max(1)).take(count).map(|b| fixed(&kind, b)).collect())
    }
}

/// The strings of a variable of `shape`, whose dataset has so many as `extent` says: those behind it are empty.
pub(super) fn grown(texts: Vec<String>, extent: &Shape, shape: &Shape, bytes_max: u64) -> Result<Vec<String>> {
    if extent == shape {
        return Ok(texts);
    }
    let bytes = shape.bytes(size_of::<*mut c_char>())?;
    if bytes as u64 > bytes_max {
        return Err(Error::unsupported(format!("reading strings of shape {shape} at once")));
    }
    let strides = shape.strides();
    let mut out = vec![String::new(); shape.elements()? as usize];
    for (n, text) in texts.into_iter().enumerate() {
        let (mut rest, mut to) = (n as u64, 0);
        for (length, stride) in extent.iter().zip(&strides).rev() {
            to += rest % length * stride;
            rest /= length;
        }
        if let Some(slot) = out.get_mut(to as usize) {
            *slot = text;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_keep_their_places_where_dimensions_have_grown() {
        let texts = || ["a", "b", "c", "d"].map(String::from).to_vec();
        let of = |extent: [u64; 2], shape: [u64; 2]| grown(texts(), &extent[..].into(), &shape[..].into(), 1 << 20);
        assert_eq!(of([2, 2], [2, 2]).unwrap(), texts());
        assert_eq!(of([2, 2], [3, 3]).unwrap(), ["a", "b", "", "c", "d", "", "", "", ""]);
        assert_eq!(grown(vec![], &vec![0, 2].into(), &vec![1, 2].into(), 100).unwrap(), ["", ""]);
        assert!(of([2, 2], [1 << 40, 2]).is_err());
    }
}
