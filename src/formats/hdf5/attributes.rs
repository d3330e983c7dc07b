//! Attributes of groups and datasets.

use super::{
    id::{Id, check, forget},
    lengths::{self, Holder, Limits},
    text, types,
};
use crate::{
    attrs::{Attrs, Value},
    dtype::{ByteOrder, DType, swap_in_place},
    error::{Error, Problem, Result},
    source::StoredType,
};
use hdf5_sys::{
    h5::{H5_index_t::H5_INDEX_CRT_ORDER, H5_iter_order_t::H5_ITER_INC},
    h5a::{H5A_info_t, H5Aget_space, H5Aget_type, H5Aiterate2, H5Aopen, H5Aread},
    h5i::hid_t,
    h5p::H5P_DEFAULT,
    h5s::{H5S_class_t, H5Sget_simple_extent_npoints, H5Sget_simple_extent_type},
    h5t::H5T_class_t,
};
use std::ffi::{CStr, CString, c_char, c_int, c_void};

/// An attribute of more bytes is no description: it is shown in words.
const BYTES_MAX: usize = 64 << 20;
/// Names that netCDF and HDF5's dimension scales keep to themselves.
const HIDDEN: [&str; 8] = [
    "_NCProperties",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
    "_nc3_strict",
    "CLASS",
    "NAME",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
];

/// The names of an object's attributes in their order of creation, where that is known.
pub(super) fn names(object: &Id) -> Vec<CString> {
    extern "C" fn each(_: hid_t, name: *const c_char, _: *const H5A_info_t, found: *mut c_void) -> c_int {
        // SAFETY: the library hands in a valid name and our own `found`, both for this call.
        unsafe { (*found.cast::<Vec<CString>>()).push(CStr::from_ptr(name).to_owned()) };
        0
    }
    let mut found: Vec<CString> = Vec::new();
    let data = (&raw mut found).cast();
    // SAFETY: `each` gets `found` back, which outlives the iteration.
    let status =
        unsafe { H5Aiterate2(object.get(), H5_INDEX_CRT_ORDER, H5_ITER_INC, std::ptr::null_mut(), Some(each), data) };
    if status < 0 {
        forget();
    }
    found
}

/// What of an object is broken.
pub(super) enum Broken {
    /// Its values cannot be trusted: what they mean may depend on it.
    Fails,
    /// It is said in the attribute's place.
    Shown,
}

/// The attributes that are not hidden.
///
/// # Errors
/// When one cannot be read and that `fails`.
pub(super) fn visible(object: &Id, names: &[CString], file_bytes: u64, broken: Broken) -> Result<Attrs> {
    let mut attrs = Attrs::new();
    for name in names {
        let shown = name.to_string_lossy();
        if HIDDEN.contains(&&*shown) {
            continue;
        }
        match (read(object, name, file_bytes), &broken) {
            (Ok(Some(value)), _) => attrs.set(&shown, value),
            (Ok(None), _) => {}
            (Err(e), Broken::Fails) => return Err(Error::corrupt("attribute", format!("'{shown}': {}", why(&e)))),
            (Err(e), Broken::Shown) => {
                forget();
                attrs.set(&shown, in_quotes(&format!("unreadable ({})", why(&e))));
            }
        }
    }
    Ok(attrs)
}

fn why(e: &Error) -> String {
    match e.problem() {
        Problem::Corrupt { detail, .. } => detail.clone(),
        _ => e.to_string(),
    }
}

fn in_quotes(words: &str) -> Value {
    Value::Json(format!("\"{}\"", words.replace(['"', '\\'], "'")))
}

/// Says what the numbers of an enum mean, as CF does (3.5), unless the attributes do.
pub(super) fn set_flags(attrs: &mut Attrs, kind: &Id) {
    let (Some((values, names)), Ok((_, dtype))) = (types::flags(kind), types::enum_integers(kind)) else { return };
    if names.is_empty() || attrs.get("flag_values").is_some() || attrs.get("flag_meanings").is_some() {
        return;
    }
    let words: Vec<String> = names.iter().map(|n| n.split_whitespace().collect::<Vec<_>>().join("_")).collect();
    attrs.set("flag_values", Value::of_bytes(dtype, &values));
    attrs.set("flag_meanings", words.join(" "));
}

/// One attribute by name, `None` for references.
pub(super) fn read(object: &Id, name: &CStr, file_bytes: u64) -> Result<Option<Value>> {
    let open = Open::new(object, name, file_bytes)?;
    if open.count.saturating_mul(types::size(&open.kind)) > BYTES_MAX {
        return Ok(Some(open.in_words()));
    }
    match types::class(&open.kind) {
        H5T_class_t::H5T_STRING => {
            let texts = open.texts()?;
            Ok(Some(match (texts.len(), open.is_array) {
                (0, false) => Value::Text(String::new()),
                (1, _) => Value::Text(texts.into_iter().next().unwrap_or_default()),
                _ => Value::Texts(texts),
            }))
        }
        H5T_class_t::H5T_ENUM => {
            let (native, dtype) = types::enum_integers(&open.kind)?;
            let is_bool = types::describe(&open.kind)?.stored.dtype() == Some(DType::Bool);
            let bytes = open.read(native.get(), dtype.size())?;
            Ok(Some(Value::of_bytes(if is_bool { DType::Bool } else { dtype }, &bytes)))
        }
        H5T_class_t::H5T_INTEGER | H5T_class_t::H5T_FLOAT => match types::describe(&open.kind)?.stored.dtype() {
            Some(dtype) => {
                let dtype = if dtype == DType::F16 { DType::F32 } else { dtype };
                Ok(Some(Value::of_bytes(dtype, &open.read(types::native(dtype), dtype.size())?)))
            }
            None => Ok(Some(open.in_words())),
        },
        // Bit fields convert only among themselves.
        H5T_class_t::H5T_BITFIELD => match types::describe(&open.kind)?.stored {
            StoredType::Number { dtype, order } => {
                let mut bytes = open.read(open.kind.get(), dtype.size())?;
                if order != ByteOrder::NATIVE {
                    swap_in_place(&mut bytes, dtype.size());
                }
                Ok(Some(Value::of_bytes(dtype, &bytes)))
            }
            _ => Ok(Some(open.in_words())),
        },
        H5T_class_t::H5T_REFERENCE => Ok(None),
        _ => Ok(Some(open.in_words())),
    }
}

/// An attribute with its type and space.
struct Open {
    id: Id,
    kind: Id,
    space: Id,
    count: usize,
    is_array: bool,
    file_bytes: u64,
}

impl Open {
    fn new(object: &Id, name: &CStr, file_bytes: u64) -> Result<Open> {
        // SAFETY: `object` is open and `name` ends with a NUL.
        unsafe {
            let id = Id::new(H5Aopen(object.get(), name.as_ptr(), H5P_DEFAULT), "attribute")?;
            let kind = Id::new(H5Aget_type(id.get()), "attribute's type")?;
            let space = Id::new(H5Aget_space(id.get()), "attribute's space")?;
            let class = H5Sget_simple_extent_type(space.get());
            let count = if class == H5S_class_t::H5S_NULL { 0 } else { H5Sget_simple_extent_npoints(space.get()) };
            let count = usize::try_from(count).map_err(|_| Error::corrupt("attribute", "its length is no number"))?;
            Ok(Open { id, kind, space, count, is_array: class == H5S_class_t::H5S_SIMPLE, file_bytes })
        }
    }

    /// Bytes of all elements of `width`, of which no fewer than one in eight are in the file.
    fn bytes(&self, width: usize) -> Result<usize> {
        let bytes = self.count.checked_mul(width.max(1)).filter(|&n| n <= 8 * BYTES_MAX);
        let fits = |n: &usize| {
            let stored = *n as u64 / 8;
            stored <= self.file_bytes || stored <= lengths::bytes_of_file(&self.id)
        };
        bytes.filter(fits).ok_or_else(|| {
            let detail = format!("it has {} elements of {width} bytes in a file of {}", self.count, self.file_bytes);
            Error::corrupt("attribute", detail)
        })
    }

    /// All elements, as the type `kind` of `width` bytes.
    fn read(&self, kind: hid_t, width: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.bytes(width)?];
        if self.count > 0 {
            // SAFETY: `bytes` holds `count` elements of `kind`.
            check(unsafe { H5Aread(self.id.get(), kind, bytes.as_mut_ptr().cast()) }, "read attribute")?;
        }
        Ok(bytes)
    }

    fn texts(&self) -> Result<Vec<String>> {
        if !types::is_variable_text(&self.kind) {
            let width = types::size(&self.kind);
            let bytes = self.read(self.kind.get(), width)?;
            return Ok(bytes.chunks_exact(width.max(1)).take(self.count).map(|b| text::fixed(&self.kind, b)).collect());
        }
        let mut pointers = vec![0u64; self.bytes(size_of::<*mut c_char>())?.div_ceil(8)];
        if self.count == 0 {
            return Ok(Vec::new());
        }
        let limits = Limits { member: 1, file_bytes: self.file_bytes, all_bytes: self.file_bytes };
        lengths::check_all(Holder::Attribute(&self.id), &self.kind, self.count, limits)?;
        // SAFETY: `pointers` has room for one an element.
        let status = unsafe { H5Aread(self.id.get(), self.kind.get(), pointers.as_mut_ptr().cast()) };
        check(status, "read attribute")?;
        Ok(text::take_variable(&self.kind, &self.space, &mut pointers, self.count))
    }

    fn in_words(&self) -> Value {
        in_quotes(&format!("{} x {}", self.count, types::words(&self.kind, 0)))
    }
}
