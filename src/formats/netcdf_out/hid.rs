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

/// The error on HDF5's stack. What the system said is the innermost: then that is the error.
fn failed(what: String) -> Error {
    let words = match hdf5::Error::query() {
        Ok(error) => error.to_string(),
        Err(error) => error.to_string(),
    };
    match system_error(&words) {
        Some(code) => Error::io(what, std::io::Error::from_raw_os_error(code)),
        None => Problem::Library { library: "HDF5", detail: format!("{what}: {words}") }.into(),
    }
}

/// The number in HDF5's `file write failed: ..., errno = 28, error message = ...`.
fn system_error(words: &str) -> Option<i32> {
    let (_, behind) = words.split_once("errno = ")?;
    behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok().filter(|code| *code > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_said_is_found() {
        let words = "H5Dwrite_chunk(): can't write: file write failed: time = Sun, filename = 'x', errno = 28, error";
        assert_eq!(
            (system_error(words), system_error("H5Fopen(): no"), system_error("errno = 0")),
            (Some(28), None, None)
        );
    }
}
