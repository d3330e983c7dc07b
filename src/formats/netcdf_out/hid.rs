use crate::error::{Error, Problem, Result};
use hdf5_sys::{h5i::H5Idec_ref, h5i::hid_t};

/// An HDF5 object; dropped, it is closed.
#[derive(Debug)]
pub(super) struct Hid(hid_t);

impl Hid {
    /// Takes what an HDF5 call gave; `what` says what was tried. The caller holds the lock.
    ///
    /// # Errors
    /// When the call failed.
    pub fn new(id: hid_t, what: impl FnOnce() -> String) -> Result<Hid> {
        if id < 0 { Err(failed(what())) } else { Ok(Hid(id)) }
    }

    /// HDF5's number for it.
    pub fn id(&self) -> hid_t {
        self.0
    }

    /// Closes it, and says whether that went well.
    ///
    /// # Errors
    /// When HDF5 could not write what it held back.
    pub fn close(self, what: impl FnOnce() -> String) -> Result<()> {
        let id = self.0;
        std::mem::forget(self);
        // SAFETY: `id` is open, since only this and `drop` close it.
        hdf5::sync::sync(|| check(unsafe { H5Idec_ref(id) }, what))
    }
}

impl Drop for Hid {
    fn drop(&mut self) {
        // SAFETY: as in `close`.
        hdf5::sync::sync(|| unsafe { H5Idec_ref(self.0) });
    }
}

/// The error of an HDF5 code; `what` says what was tried. The caller holds the lock.
///
/// # Errors
/// When `code` is negative.
pub(super) fn check(code: i32, what: impl FnOnce() -> String) -> Result<()> {
    if code < 0 { Err(failed(what())) } else { Ok(()) }
}

fn failed(what: String) -> Error {
    let words = match hdf5::Error::query() {
        Ok(error) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Problem::Library { library: "HDF5", detail: format!("{what}: {words}") }.into()
}
