use super::define::{check, name_of};
use crate::{
    attrs::{Attrs, Value},
    dtype::Element,
    error::{Error, Result},
    formats::OutputFormat,
};
use bytemuck::cast_slice;
use netcdf_sys::{self as nc, nc_type};
use std::{
    ffi::{CString, c_char, c_int},
    ptr,
};

/// Names that the libraries write themselves, or take for their own.
const RESERVED: [&str; 15] = [
    "CLASS",
    "DIMENSION_LIST",
    "NAME",
    "REFERENCE_LIST",
    "DIMENSION_LABELS",
    "_ARRAY_DIMENSIONS",
    "_Codecs",
    "_Format",
    "_IsNetcdf4",
    "_NCProperties",
    "_Netcdf4Coordinates",
    "_Netcdf4Dimid",
    "_SuperblockVersion",
    "_nc3_strict",
    "_FillValue",
];

/// Writes all attributes that are not reserved.
///
/// The caller holds the library's lock.
///
/// # Errors
/// When netCDF refuses a name or a value.
pub(super) fn put_all(ncid: c_int, varid: c_int, attrs: &Attrs, format: OutputFormat) -> Result<()> {
    for (name, value) in attrs.iter() {
        if !RESERVED.contains(&name) && !name.starts_with("_nczarr") {
            put(ncid, varid, name, value, format)?;
        }
    }
    Ok(())
}

fn put(ncid: c_int, varid: c_int, name: &str, value: &Value, format: OutputFormat) -> Result<()> {
    match value {
        Value::Text(text) => put_bytes(ncid, varid, name, nc::NC_CHAR, text.len(), text.as_bytes()),
        Value::Json(json) => {
            // What is said in words has quotes only so that it is JSON.
            let text = json.strip_prefix('"').and_then(|words| words.strip_suffix('"')).unwrap_or(json);
            put_bytes(ncid, varid, name, nc::NC_CHAR, text.len(), text.as_bytes())
        }
        Value::Texts(texts) if format == OutputFormat::NetCdf4 => put_texts(ncid, varid, name, texts),
        Value::Texts(texts) => {
            let text = texts.join(" ");
            put_bytes(ncid, varid, name, nc::NC_CHAR, text.len(), text.as_bytes())
        }
        Value::Bool(v) => put_bytes(ncid, varid, name, nc::NC_BYTE, v.len(), cast_slice(v)),
        Value::U8(v) if format == OutputFormat::NetCdf3 => put_widened(ncid, varid, name, v),
        Value::U16(v) if format == OutputFormat::NetCdf3 => put_widened(ncid, varid, name, v),
        Value::U32(v) if format == OutputFormat::NetCdf3 => put_widened(ncid, varid, name, v),
        Value::U64(v) if format == OutputFormat::NetCdf3 => put_widened(ncid, varid, name, v),
        Value::I64(v) if format == OutputFormat::NetCdf3 => put_widened(ncid, varid, name, v),
        Value::I8(v) => put_bytes(ncid, varid, name, nc::NC_BYTE, v.len(), cast_slice(v)),
        Value::I16(v) => put_bytes(ncid, varid, name, nc::NC_SHORT, v.len(), cast_slice(v)),
        Value::I32(v) => put_bytes(ncid, varid, name, nc::NC_INT, v.len(), cast_slice(v)),
        Value::I64(v) => put_bytes(ncid, varid, name, nc::NC_INT64, v.len(), cast_slice(v)),
        Value::U8(v) => put_bytes(ncid, varid, name, nc::NC_UBYTE, v.len(), v),
        Value::U16(v) => put_bytes(ncid, varid, name, nc::NC_USHORT, v.len(), cast_slice(v)),
        Value::U32(v) => put_bytes(ncid, varid, name, nc::NC_UINT, v.len(), cast_slice(v)),
        Value::U64(v) => put_bytes(ncid, varid, name, nc::NC_UINT64, v.len(), cast_slice(v)),
        Value::F32(v) => put_bytes(ncid, varid, name, nc::NC_FLOAT, v.len(), cast_slice(v)),
        Value::F64(v) => put_bytes(ncid, varid, name, nc::NC_DOUBLE, v.len(), cast_slice(v)),
    }
}

/// An attribute of integers that CDF-2 does not have.
fn put_widened<T: Element + TryInto<i32>>(ncid: c_int, varid: c_int, name: &str, values: &[T]) -> Result<()> {
    let ints: Option<Vec<i32>> = values.iter().map(|&x| x.try_into().ok()).collect();
    match ints {
        Some(ints) => put_bytes(ncid, varid, name, nc::NC_INT, ints.len(), cast_slice(&ints)),
        None => {
            let floats: Vec<f64> = values.iter().map(|x| x.to_f64()).collect();
            put_bytes(ncid, varid, name, nc::NC_DOUBLE, floats.len(), cast_slice(&floats))
        }
    }
}

/// `len` values of a type in their native bytes.
///
/// # Errors
/// When netCDF refuses.
pub(super) fn put_bytes(ncid: c_int, varid: c_int, name: &str, xtype: nc_type, len: usize, bytes: &[u8]) -> Result<()> {
    let c_name = name_of(name)?;
    // SAFETY: `bytes` holds `len` values of `xtype`, the name ends with NUL, and the caller holds the lock.
    let code = unsafe { nc::nc_put_att(ncid, varid, c_name.as_ptr(), xtype, len, bytes.as_ptr().cast()) };
    check(code, || format!("attribute '{name}'"))
}

/// Strings of any length.
///
/// # Errors
/// When one has a NUL inside, or netCDF refuses.
pub(super) fn put_texts(ncid: c_int, varid: c_int, name: &str, texts: &[String]) -> Result<()> {
    let c_name = name_of(name)?;
    let owned = c_strings(texts)?;
    let pointers: Vec<*const c_char> = owned.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect();
    // SAFETY: `pointers` holds as many NUL-terminated strings as are announced, and the caller holds the lock.
    let code =
        unsafe { nc::nc_put_att(ncid, varid, c_name.as_ptr(), nc::NC_STRING, owned.len(), pointers.as_ptr().cast()) };
    check(code, || format!("attribute '{name}'"))
}

/// The strings as C has them.
///
/// # Errors
/// When one has a NUL inside.
pub(super) fn c_strings(texts: &[String]) -> Result<Vec<CString>> {
    texts
        .iter()
        .map(|text| {
            CString::new(text.as_str()).map_err(|_| Error::unsupported(format!("the NUL inside the string {text:?}")))
        })
        .collect()
}
