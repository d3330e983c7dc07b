//! The bytes of a file that a library holds in memory.

use super::hid::check;
use crate::error::{Error, Result};
use hdf5_sys::{
    h5f::{
        H5F_OBJ_ALL, H5F_OBJ_FILE, H5F_scope_t, H5Fflush, H5Fget_file_image, H5Fget_name, H5Fget_obj_count,
        H5Fget_obj_ids,
    },
    h5i::hid_t,
};
use std::{ffi::CStr, ptr};

/// The bytes that the file called `path`, which is open in HDF5, has now. The caller holds the lock.
///
/// netCDF has no call for this that keeps the order in which variables are created.
///
/// # Errors
/// When no such file is open, or HDF5 refuses.
pub(super) fn of(path: &CStr) -> Result<Vec<u8>> {
    let what = || "read the metadata back".to_string();
    let file = find(path)?.ok_or_else(|| Error::corrupt("output", "it is not open"))?;
    // SAFETY: the file is open; the caller holds the lock.
    check(unsafe { H5Fflush(file, H5F_scope_t::H5F_SCOPE_LOCAL) }, what)?;
    // SAFETY: without a buffer only the length is asked for.
    let bytes = length(unsafe { H5Fget_file_image(file, ptr::null_mut(), 0) })?;
    let mut image = vec![0u8; bytes];
    // SAFETY: the buffer is passed with its length.
    let got = length(unsafe { H5Fget_file_image(file, image.as_mut_ptr().cast(), bytes) })?;
    image.truncate(got);
    Ok(image)
}

/// The open file of a name.
fn find(path: &CStr) -> Result<Option<hid_t>> {
    const ALL: hid_t = H5F_OBJ_ALL as hid_t;
    // SAFETY: numbers only; the caller holds the lock.
    let count = length(unsafe { H5Fget_obj_count(ALL, H5F_OBJ_FILE) })?;
    let mut files: Vec<hid_t> = vec![-1; count];
    // SAFETY: the list is passed with its length.
    let count = length(unsafe { H5Fget_obj_ids(ALL, H5F_OBJ_FILE, count, files.as_mut_ptr()) })?;
    files.truncate(count);
    // One more, so that a longer name is not taken for this one.
    let mut name = vec![0u8; path.to_bytes_with_nul().len() + 1];
    let is_it = |file: &hid_t| {
        // SAFETY: the file is open, and the buffer is passed with its length.
        unsafe { H5Fget_name(*file, name.as_mut_ptr().cast(), name.len()) };
        CStr::from_bytes_until_nul(&name).is_ok_and(|name| name == path)
    };
    Ok(files.into_iter().find(is_it))
}

fn length(n: isize) -> Result<usize> {
    check(if n < 0 { -1 } else { 0 }, || "read the metadata back".into())?;
    Ok(n as usize)
}
