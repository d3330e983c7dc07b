//! Handles of the HDF5 library, and its errors. Everything here is called inside `hdf5::sync::sync`.

use crate::error::{Error, Problem, Result};
use hdf5::sync::sync;
use hdf5_sys::{
    h5e::{H5E_DEFAULT, H5E_direction_t::H5E_WALK_UPWARD, H5E_error2_t, H5Eclear2, H5Ewalk2},
    h5i::{H5Idec_ref, hid_t},
};
use std::{
    ffi::{CStr, CString, c_int, c_uint, c_void},
    fmt,
};

/// A handle that is given back when dropped.
#[derive(Debug)]
pub(super) struct Id(hid_t);

impl Id {
    /// Takes what the library returned; a negative handle is its way to fail.
    pub fn new(raw: hid_t, what: impl fmt::Display) -> Result<Id> {
        if raw < 0 { Err(failed(what)) } else { Ok(Id(raw)) }
    }

    pub fn get(&self) -> hid_t {
        self.0
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, and the library is locked.
        sync(|| unsafe {
            H5Idec_ref(self.0);
        });
    }
}

/// Turns a negative status into an error.
pub(super) fn check(status: c_int, what: impl fmt::Display) -> Result<c_int> {
    if status < 0 { Err(failed(what)) } else { Ok(status) }
}

/// What the library says about its last failure: the innermost message.
pub(super) fn failed(what: impl fmt::Display) -> Error {
    extern "C" fn first(_: c_uint, error: *const H5E_error2_t, found: *mut c_void) -> c_int {
        // SAFETY: the library hands in a valid record and our own `found`, both for this call.
        unsafe {
            let (error, found) = (&*error, &mut *found.cast::<String>());
            if found.is_empty() && !error.desc.is_null() {
                *found = CStr::from_ptr(error.desc).to_string_lossy().into_owned();
            }
        }
        0
    }
    let mut found = String::new();
    // SAFETY: `first` gets `found` back, which outlives the walk.
    sync(|| unsafe {
        H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, Some(first), (&raw mut found).cast());
        H5Eclear2(H5E_DEFAULT);
    });
    let detail = if found.is_empty() { format!("{what} failed") } else { format!("{what}: {found}") };
    Problem::Library { library: "HDF5", detail }.into()
}

/// Forgets failures that were expected.
pub(super) fn forget() {
    // SAFETY: clears the library's own stack.
    sync(|| unsafe {
        H5Eclear2(H5E_DEFAULT);
    });
}

/// A name for the library, which ends at the first NUL.
pub(super) fn c_name(name: &[u8]) -> CString {
    let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
    CString::new(&name[..end]).unwrap_or_default()
}
