//! From HDF5's types to ours.

use super::id::Id;
use crate::{
    dtype::{ByteOrder, DType},
    error::{Error, Result},
    source::StoredType,
};
use hdf5_sys::{
    h5::H5free_memory,
    h5i::hid_t,
    h5t::{self, H5T_class_t, H5T_norm_t::H5T_NORM_IMPLIED, H5T_order_t, H5T_sign_t::H5T_SGN_NONE},
};
use std::ffi::CStr;

/// What is known about the type of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Typed {
    pub stored: StoredType,
    /// Whether the file's bytes are the stored type's; otherwise the library has to convert them.
    pub is_direct: bool,
    /// Whether netCDF has such variables; the numbers of made-up dimensions depend on it.
    pub in_netcdf: bool,
}

/// Members shown of an enum or compound.
const MEMBERS_SHOWN: u32 = 16;
/// Members of an enum that become flags.
const FLAGS_MAX: u32 = 4096;

/// Describes a type.
pub(super) fn describe(t: &Id) -> Result<Typed> {
    use H5T_class_t::*;
    let (class, size) = (class(t), size(t));
    let typed = |stored, is_direct| Typed { stored, is_direct, in_netcdf: true };
    let other = || Ok(typed(StoredType::Other(words(t, 0)), false));
    match class {
        H5T_INTEGER => Ok(match (integer(t, size), order(t)) {
            (Some((dtype, true)), Some(order)) => typed(StoredType::Number { dtype, order }, true),
            (Some((dtype, _)), _) => typed(StoredType::native(dtype), false),
            _ => return other(),
        }),
        H5T_BITFIELD => Ok(match (integer(t, size), order(t)) {
            (Some((dtype, true)), Some(order)) => {
                Typed { stored: StoredType::Number { dtype, order }, is_direct: true, in_netcdf: false }
            }
            _ => Typed { in_netcdf: false, ..other()? },
        }),
        H5T_FLOAT => Ok(match (ieee(t, size), order(t)) {
            (Some(dtype), Some(order)) => typed(StoredType::Number { dtype, order }, true),
            _ if size <= 4 => typed(StoredType::native(DType::F32), false),
            _ if size <= 8 => typed(StoredType::native(DType::F64), false),
            _ => return other(),
        }),
        H5T_ENUM if size == 1 && is_bool(t) => {
            Ok(typed(StoredType::Number { dtype: DType::Bool, order: order(t).unwrap_or(ByteOrder::NATIVE) }, true))
        }
        H5T_ENUM => match base(t).map(|base| (integer(&base, size), order(&base))) {
            Ok((Some((dtype, true)), Some(order))) => Ok(typed(StoredType::Number { dtype, order }, true)),
            _ => other(),
        },
        H5T_STRING => Ok(match (is_variable_text(t), size) {
            (true, _) => typed(StoredType::Text, false),
            (false, 1) => typed(StoredType::Char, true),
            (false, n) => typed(StoredType::FixedText(n), false),
        }),
        H5T_COMPOUND | H5T_OPAQUE | H5T_VLEN => other(),
        _ => Ok(Typed { in_netcdf: false, ..other()? }),
    }
}

/// The type in memory that the library converts to, for numbers that it has to convert.
pub(super) fn native(dtype: DType) -> hid_t {
    match dtype {
        DType::Bool | DType::U8 => *h5t::H5T_NATIVE_UINT8,
        DType::I8 => *h5t::H5T_NATIVE_INT8,
        DType::I16 => *h5t::H5T_NATIVE_INT16,
        DType::U16 | DType::F16 => *h5t::H5T_NATIVE_UINT16,
        DType::I32 => *h5t::H5T_NATIVE_INT32,
        DType::U32 => *h5t::H5T_NATIVE_UINT32,
        DType::I64 => *h5t::H5T_NATIVE_INT64,
        DType::U64 => *h5t::H5T_NATIVE_UINT64,
        DType::F32 => *h5t::H5T_NATIVE_FLOAT,
        DType::F64 => *h5t::H5T_NATIVE_DOUBLE,
    }
}

/// The class of a type.
pub(super) fn class(t: &Id) -> H5T_class_t {
    // SAFETY: `t` is an open type.
    unsafe { h5t::H5Tget_class(t.get()) }
}

/// Bytes of one element of a type.
pub(super) fn size(t: &Id) -> usize {
    // SAFETY: `t` is an open type.
    unsafe { h5t::H5Tget_size(t.get()) }
}

/// Whether strings of this type have any length.
pub(super) fn is_variable_text(t: &Id) -> bool {
    // SAFETY: `t` is an open type.
    unsafe { h5t::H5Tis_variable_str(t.get()) > 0 }
}

/// What an enum, array or variable-length type is made of.
pub(super) fn base(t: &Id) -> Result<Id> {
    // SAFETY: `t` is an open type.
    Id::new(unsafe { h5t::H5Tget_super(t.get()) }, "base type")
}

fn is_unsigned(t: &Id) -> bool {
    // SAFETY: `t` is an open type.
    class(t) == H5T_class_t::H5T_BITFIELD || unsafe { h5t::H5Tget_sign(t.get()) } == H5T_SGN_NONE
}

/// The byte order of a type, if it is one of the two.
pub(super) fn order(t: &Id) -> Option<ByteOrder> {
    // SAFETY: `t` is an open type.
    match unsafe { h5t::H5Tget_order(t.get()) } {
        H5T_order_t::H5T_ORDER_LE => Some(ByteOrder::Little),
        H5T_order_t::H5T_ORDER_BE => Some(ByteOrder::Big),
        _ => None,
    }
}

/// The number that holds an integer (or bit field), and whether it is stored as just that.
fn integer(t: &Id, size: usize) -> Option<(DType, bool)> {
    // SAFETY: `t` is an open type.
    let (precision, offset) = unsafe { (h5t::H5Tget_precision(t.get()), h5t::H5Tget_offset(t.get())) };
    let dtype = of_width(size, is_unsigned(t))?;
    Some((dtype, dtype.size() == size && precision == size * 8 && offset == 0))
}

/// The smallest integer that holds so many bytes.
fn of_width(bytes: usize, unsigned: bool) -> Option<DType> {
    Some(match (bytes, unsigned) {
        (1, false) => DType::I8,
        (1, true) => DType::U8,
        (2, false) => DType::I16,
        (2, true) => DType::U16,
        (3 | 4, false) => DType::I32,
        (3 | 4, true) => DType::U32,
        (5..=8, false) => DType::I64,
        (5..=8, true) => DType::U64,
        _ => return None,
    })
}

/// The type in memory that an enum is read into, and the integers that it then holds.
pub(super) fn enum_integers(t: &Id) -> Result<(Id, DType)> {
    // SAFETY: `t` is an open type.
    let native = Id::new(unsafe { h5t::H5Tget_native_type(t.get(), h5t::H5T_direction_t::H5T_DIR_DEFAULT) }, "enum")?;
    let dtype = of_width(size(&native), is_unsigned(&base(&native)?)).filter(|d| d.size() == size(&native));
    Ok((native, dtype.ok_or_else(|| Error::unsupported("an enum of this width"))?))
}

/// The IEEE type that a float is, if it is one.
fn ieee(t: &Id, size: usize) -> Option<DType> {
    let (mut sign, mut exponent, mut exponent_bits, mut mantissa, mut mantissa_bits) = (0, 0, 0, 0, 0);
    // SAFETY: `t` is an open type, and the numbers are written where they belong.
    let (status, bias, norm, precision, offset) = unsafe {
        let status = h5t::H5Tget_fields(
            t.get(),
            &mut sign,
            &mut exponent,
            &mut exponent_bits,
            &mut mantissa,
            &mut mantissa_bits,
        );
        let id = t.get();
        (status, h5t::H5Tget_ebias(id), h5t::H5Tget_norm(id), h5t::H5Tget_precision(id), h5t::H5Tget_offset(id))
    };
    if status < 0 || norm != H5T_NORM_IMPLIED || precision != size * 8 || offset != 0 || mantissa != 0 {
        return None;
    }
    match (size, sign, exponent, exponent_bits, mantissa_bits, bias) {
        (2, 15, 10, 5, 10, 15) => Some(DType::F16),
        (4, 31, 23, 8, 23, 127) => Some(DType::F32),
        (8, 63, 52, 11, 52, 1023) => Some(DType::F64),
        _ => None,
    }
}

/// Whether an enum of one byte is h5py's bool: FALSE = 0, TRUE = 1.
fn is_bool(t: &Id) -> bool {
    if member_count(t) != 2 {
        return false;
    }
    (0..2).all(|k| {
        let mut value = [0u8; 8];
        // SAFETY: `t` is an open enum of one byte, and there is room for eight.
        let status = unsafe { h5t::H5Tget_member_value(t.get(), k, value.as_mut_ptr().cast()) };
        let name = member(t, k);
        status >= 0 && (name == "FALSE" && value[0] == 0 || name == "TRUE" && value[0] == 1)
    })
}

/// What the members of an enum are called, with their values in this machine's order; nothing for another type, or bool.
pub(super) fn flags(t: &Id) -> Option<(Vec<u8>, Vec<String>)> {
    if class(t) != H5T_class_t::H5T_ENUM || is_bool(t) {
        return None;
    }
    let (native, dtype) = enum_integers(t).ok()?;
    let (count, size) = (member_count(t).min(FLAGS_MAX), dtype.size());
    let mut values = vec![0u8; count as usize * size];
    let mut names = Vec::new();
    for (k, value) in (0..count).zip(values.chunks_exact_mut(size)) {
        // SAFETY: the member is one of the type's, and `value` has the size of the type in memory.
        if unsafe { h5t::H5Tget_member_value(native.get(), k, value.as_mut_ptr().cast()) } < 0 {
            return None;
        }
        names.push(member(&native, k));
    }
    Some((values, names))
}

fn member_count(t: &Id) -> u32 {
    // SAFETY: `t` is an open type.
    unsafe { h5t::H5Tget_nmembers(t.get()) }.max(0) as u32
}

fn member(t: &Id, k: u32) -> String {
    // SAFETY: `t` is an open type; the name is the library's, and given back to it.
    unsafe {
        let raw = h5t::H5Tget_member_name(t.get(), k);
        if raw.is_null() {
            return String::new();
        }
        let name = CStr::from_ptr(raw).to_string_lossy().into_owned();
        H5free_memory(raw.cast());
        name
    }
}

/// A type in words: `compound {x: float32, y: int16}`.
pub(super) fn words(t: &Id, depth: u32) -> String {
    use H5T_class_t::*;
    let (class, size) = (class(t), size(t));
    if depth > 4 {
        return "...".into();
    }
    let inner = |t: Result<Id>| t.map_or_else(|_| "?".into(), |t| words(&t, depth + 1));
    match class {
        H5T_INTEGER => {
            let sign = if is_unsigned(t) { "u" } else { "" };
            format!("{sign}int{}", size.saturating_mul(8))
        }
        H5T_FLOAT => format!("float{}", size.saturating_mul(8)),
        H5T_STRING if is_variable_text(t) => "string".into(),
        H5T_STRING => format!("string{size}"),
        H5T_BITFIELD => format!("bitfield{}", size.saturating_mul(8)),
        H5T_OPAQUE => format!("opaque of {size} bytes"),
        H5T_TIME => "time".into(),
        H5T_REFERENCE => "reference".into(),
        H5T_VLEN => format!("variable-length {}", inner(base(t))),
        H5T_ARRAY => {
            let mut dims = [0; 32];
            // SAFETY: `t` is an open type, and arrays have at most 32 dimensions.
            let rank = unsafe { h5t::H5Tget_array_dims2(t.get(), dims.as_mut_ptr()) }.clamp(0, 32) as usize;
            format!("array {:?} of {}", &dims[..rank], inner(base(t)))
        }
        H5T_ENUM => format!("enum {{{}}}", members(t, |k| member(t, k))),
        H5T_COMPOUND => {
            // SAFETY: `t` is an open type.
            let type_of = |k| Id::new(unsafe { h5t::H5Tget_member_type(t.get(), k) }, "member type");
            let one = |k| format!("{}: {}", member(t, k), inner(type_of(k)));
            format!("compound {{{}}}", members(t, one))
        }
        _ => format!("type of {size} bytes"),
    }
}

fn members(t: &Id, one: impl Fn(u32) -> String) -> String {
    let count = member_count(t);
    let mut list: Vec<String> = (0..count.min(MEMBERS_SHOWN)).map(one).collect();
    if count > MEMBERS_SHOWN {
        list.push("...".into());
    }
    list.join(", ")
}
