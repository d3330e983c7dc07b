//! The lengths of values that have any length, as the file refers to them: the library takes as much memory as they say,
//! and only then looks whether there is that much. So they are read first, by a conversion of our own.

use super::id::{Id, check};
use crate::error::{Error, Result};
use hdf5_sys::{
    h5a::H5Aread,
    h5d::H5Dread,
    h5f::H5Fget_filesize,
    h5i::{H5Iget_file_id, hid_t},
    h5p::H5P_DEFAULT,
    h5t::{self, H5T_bkg_t::H5T_BKG_NO, H5T_cdata_t, H5T_class_t::H5T_OPAQUE, H5T_cmd_t, H5T_pers_t::H5T_PERS_SOFT},
};
use std::{
    ffi::{c_int, c_void},
    sync::Once,
};

/// How a file refers to a value: its length, the address of a heap, and its number there. Addresses have two bytes or more.
const REFERENCE_BYTES_MIN: usize = 4 + 2 + 4;
const LENGTH_BYTES: usize = 4;

/// Where the values are.
pub(super) enum Holder<'a> {
    Attribute(&'a Id),
    Dataset(&'a Id),
}

/// What values may have at most.
pub(super) struct Limits {
    /// Bytes of one member of a value.
    pub member: usize,
    /// Bytes of the file, which no value has more than.
    pub file_bytes: u64,
    /// Bytes of all values.
    pub all_bytes: u64,
}

/// Checks the lengths of `count` values of type `kind`.
///
/// # Errors
/// When they exceed the limits; when they cannot be read.
pub(super) fn check_all(of: Holder<'_>, kind: &Id, count: usize, limits: Limits) -> Result<()> {
    let lengths = read(&of, kind, count)?;
    let bytes = |n: u64| n.saturating_mul(limits.member as u64);
    let longest = bytes(lengths.iter().copied().max().unwrap_or(0).into());
    let all = bytes(lengths.iter().map(|&n| u64::from(n)).sum());
    let (id, what) = match of {
        Holder::Attribute(id) => (id, "attribute"),
        Holder::Dataset(id) => (id, "HDF5 string"),
    };
    if longest <= limits.file_bytes && all <= limits.all_bytes {
        return Ok(());
    }
    let file_bytes = limits.file_bytes.max(bytes_of_file(id));
    if longest <= file_bytes && all <= limits.all_bytes.max(file_bytes) {
        return Ok(());
    }
    Err(Error::corrupt(what, format!("it has {all} bytes in a file of {file_bytes}")))
}

/// Bytes of the file that an object is in: an external link may lead to another one.
pub(super) fn bytes_of_file(object: &Id) -> u64 {
    let mut bytes = 0;
    // SAFETY: the object is open, and the size is written where it belongs.
    let known = unsafe {
        Id::new(H5Iget_file_id(object.get()), "file").is_ok_and(|file| H5Fget_filesize(file.get(), &mut bytes) >= 0)
    };
    if known { bytes } else { 0 }
}

fn read(of: &Holder<'_>, kind: &Id, count: usize) -> Result<Vec<u32>> {
    let mut out = vec![0u32; count];
    if count == 0 {
        return Ok(out);
    }
    // SAFETY: the handles are open, and there is room for a length each.
    unsafe {
        let length = Id::new(h5t::H5Tcreate(H5T_OPAQUE, LENGTH_BYTES), "type")?;
        // The library remembers it for all types of these two classes.
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            let (name, from, to) = (c"lengths".as_ptr(), kind.get(), length.get());
            h5t::H5Tregister(H5T_PERS_SOFT, name, from, to, Some(take_lengths));
        });
        let into = out.as_mut_ptr().cast();
        let status = match of {
            Holder::Attribute(id) => H5Aread(id.get(), length.get(), into),
            Holder::Dataset(id) => H5Dread(id.get(), length.get(), 0, 0, H5P_DEFAULT, into),
        };
        check(status, "read lengths").map(|_| out)
    }
}

/// The conversion from anything of any length to its length.
extern "C" fn take_lengths(
    from: hid_t,
    _: hid_t,
    data: *mut H5T_cdata_t,
    count: usize,
    stride: usize,
    _: usize,
    buffer: *mut c_void,
    _: *mut c_void,
    _: hid_t,
) -> c_int {
    // SAFETY: the library hands in its own record, and a buffer of `count` elements as wide as the wider type.
    unsafe {
        match (*data).command {
            H5T_cmd_t::H5T_CONV_INIT => (*data).need_bkg = H5T_BKG_NO,
            H5T_cmd_t::H5T_CONV_FREE => {}
            H5T_cmd_t::H5T_CONV_CONV => {
                let width = h5t::H5Tget_size(from);
                let steps = if stride == 0 { (width, LENGTH_BYTES) } else { (stride, stride) };
                for k in 0..count {
                    let element = buffer.cast::<u8>().add(k * steps.0).cast::<[u8; LENGTH_BYTES]>();
                    // A pointer is to what is in memory already: a fill value.
                    let length = if width < REFERENCE_BYTES_MIN { 0 } else { u32::from_le_bytes(*element) };
                    *buffer.cast::<u8>().add(k * steps.1).cast() = length.to_ne_bytes();
                }
            }
        }
    }
    0
}
