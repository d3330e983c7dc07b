//! Version 2 metadata: `.zarray` and `.zattrs`.

use super::{
    array::{ArrayMeta, ElementForm, KeyStyle, chunk_shape, lengths, number},
    codecs,
    json::{self, Json, Map},
    times::Times,
};
use crate::{
    attrs::{Attrs, Value},
    dtype::{ByteOrder, DType},
    error::{Error, Result},
};

/// The attribute in which xarray keeps the names of dimensions.
pub(super) const DIMENSIONS: &str = "_ARRAY_DIMENSIONS";

/// Reads an array's two documents.
pub(super) fn array(document: &Json, attributes: &Json) -> Result<ArrayMeta> {
    let fields = document.as_object().ok_or_else(|| Error::corrupt(".zarray", "it is no JSON object"))?;
    let shape = lengths(fields.get("shape"), "shape")?;
    let chunk = chunk_shape(&shape, lengths(fields.get("chunks"), "chunk shape")?)?;
    let dtype = fields.get("dtype").unwrap_or(&Json::Null);
    let element = element(dtype, fields.get("filters"))?;
    let times = dtype.as_str().and_then(Times::of_v2);
    let fill = match (&element, fields.get("fill_value")) {
        (ElementForm::Number(dtype, _), None | Some(Json::Null)) if times.is_some() => number(&Times::nat(), *dtype)?,
        (_, None | Some(Json::Null)) => None,
        (ElementForm::Number(dtype, _), Some(fill)) if times.is_some() => number(&Times::fill(fill), *dtype)?,
        (ElementForm::Number(dtype, _), Some(fill)) => number(fill, *dtype)?,
        (ElementForm::Utf32(..), Some(Json::String(text))) => Some(Value::Text(text.clone())),
        (ElementForm::Bytes(_), Some(Json::String(text))) => {
            json::from_base64(text).and_then(|b| String::from_utf8(b).ok()).map(Value::Text)
        }
        _ => None,
    };
    let mut shown = Vec::new();
    let chain = match fields.get("order").and_then(Json::as_str) {
        Some("C" | "F") | None => codecs::of_v2(document, &element, shape.len(), &mut shown),
        Some(other) => return Err(Error::corrupt(".zarray", format!("order '{other}'"))),
    };
    let separator = match fields.get("dimension_separator").and_then(Json::as_str) {
        Some("/") => '/',
        Some(".") | None => '.',
        Some(other) => return Err(Error::corrupt(".zarray", format!("dimension_separator '{other}'"))),
    };
    let dims = dims(attributes, fields).filter(|names| names.len() == shape.len());
    let mut attrs = attrs(attributes);
    attrs.remove(DIMENSIONS);
    match times {
        Some(times) => times.declare(&mut attrs),
        None if dims.is_some() => declare_fill(&mut attrs, &element, fill.as_ref()),
        None => {}
    }
    let document = for_library(fields);
    let keys = KeyStyle { c: false, separator };
    Ok(ArrayMeta { version: 2, shape, chunk, element, fill, chain, keys, dims, attrs, codecs: shown, document })
}

/// All attributes but NCZarr's own.
pub(super) fn attrs(attributes: &Json) -> Attrs {
    let mut attrs = Attrs::new();
    for (name, value) in attributes.as_object().into_iter().flatten() {
        if !name.to_ascii_lowercase().starts_with("_nc") {
            attrs.set(name, json::value(value));
        }
    }
    attrs
}

/// As xarray reads version 2: the array's fill value is what marks missing values, in place of any attribute.
///
/// That is a rule for arrays with named dimensions, which are all that xarray opens. Elsewhere the fill value is what
/// it is to Zarr: the value of chunks that were never written, by default 0, which is data.
fn declare_fill(attrs: &mut Attrs, element: &ElementForm, fill: Option<&Value>) {
    let ElementForm::Number(dtype, _) = element else { return };
    match (fill, attrs.get("_FillValue")) {
        (Some(fill), _) => attrs.set("_FillValue", fill.clone()),
        (None, Some(attribute)) => {
            if let Ok(Some(typed)) = number(&json::from_value(attribute), *dtype) {
                attrs.set("_FillValue", typed);
            }
        }
        (None, None) => {}
    }
}

/// The names of dimensions, from xarray's attribute or from any of NCZarr's places.
fn dims(attributes: &Json, fields: &Map<String, Json>) -> Option<Vec<Option<String>>> {
    let names = |list: &Json| -> Option<Vec<Option<String>>> {
        let name = |j: &Json| Some(j.as_str()?.rsplit('/').next()?.to_string()).filter(|n| !n.is_empty());
        Some(list.as_array()?.iter().map(name).collect())
    };
    if let Some(list) = attributes.get(DIMENSIONS) {
        return names(list);
    }
    let own = |get: &dyn Fn(&str) -> Option<Json>| {
        ["_NCZARR_ARRAY", "_nczarr_array"].into_iter().find_map(|key| {
            let array = get(key)?;
            array.get("dimrefs").or_else(|| array.get("dimension_references")).and_then(names)
        })
    };
    own(&|key| fields.get(key).cloned()).or_else(|| own(&|key| attributes.get(key).cloned()))
}

/// The document as the zarrs library takes it: without what it does not know.
fn for_library(fields: &Map<String, Json>) -> Json {
    const KNOWN: [&str; 9] = [
        "zarr_format",
        "shape",
        "chunks",
        "dtype",
        "compressor",
        "fill_value",
        "order",
        "filters",
        "dimension_separator",
    ];
    let mut kept = Map::new();
    for (name, value) in fields.iter().filter(|(name, _)| KNOWN.contains(&name.as_str())) {
        let token = json::string(value).filter(|_| name == "fill_value").map(Json::from);
        kept.insert(name.clone(), token.unwrap_or_else(|| value.clone()));
    }
    Json::Object(kept)
}

pub(super) fn element(dtype: &Json, filters: Option<&Json>) -> Result<ElementForm> {
    let name = match dtype {
        Json::String(s) => s.as_str(),
        Json::Array(fields) => return Ok(ElementForm::Other(format!("structure of {} fields", fields.len()))),
        other => return Err(Error::corrupt(".zarray", format!("dtype {other}"))),
    };
    let broken = || Error::corrupt(".zarray", format!("dtype '{name}'"));
    let (order, rest) = match name.as_bytes().first() {
        Some(b'<') => (ByteOrder::Little, &name[1..]),
        Some(b'>') => (ByteOrder::Big, &name[1..]),
        Some(b'|' | b'=') => (ByteOrder::NATIVE, &name[1..]),
        _ => (ByteOrder::NATIVE, name),
    };
    let kind = rest.chars().next().ok_or_else(broken)?;
    let size = || rest[1..].parse::<usize>().ok().filter(|n| (1..=1 << 30).contains(n)).ok_or_else(broken);
    let numeric = |dtype| Ok(ElementForm::Number(dtype, order));
    if Times::of_v2(name).is_some() {
        return numeric(DType::I64);
    }
    match (kind, &rest[kind.len_utf8()..]) {
        ('b', "1") => numeric(DType::Bool),
        ('i', "1") => numeric(DType::I8),
        ('i', "2") => numeric(DType::I16),
        ('i', "4") => numeric(DType::I32),
        ('i', "8") => numeric(DType::I64),
        ('u', "1") => numeric(DType::U8),
        ('u', "2") => numeric(DType::U16),
        ('u', "4") => numeric(DType::U32),
        ('u', "8") => numeric(DType::U64),
        ('f', "2") => numeric(DType::F16),
        ('f', "4") => numeric(DType::F32),
        ('f', "8") => numeric(DType::F64),
        ('S', "0") | ('U', "0") => Ok(ElementForm::Other("strings of no length".into())),
        ('S', _) => Ok(ElementForm::Bytes(size()?)),
        ('U', _) => Ok(ElementForm::Utf32(size()?, order)),
        ('f', bytes) => Ok(ElementForm::Other(format!("float of {bytes} bytes"))),
        ('c', _) => Ok(ElementForm::Other(format!("complex{}", size()? * 8))),
        ('V', _) => Ok(ElementForm::Other(format!("raw bytes({})", size()?))),
        ('M', unit) => Ok(ElementForm::Other(format!("datetime64{}", &unit[unit.find('[').unwrap_or(0)..]))),
        ('m', unit) => Ok(ElementForm::Other(format!("timedelta64{}", &unit[unit.find('[').unwrap_or(0)..]))),
        ('O', _) => Ok(object(filters)),
        _ => Err(broken()),
    }
}

/// NumPy's objects: what they are is said by the filter that writes them.
fn object(filters: Option<&Json>) -> ElementForm {
    let has = |id: &str| filters.and_then(Json::as_array).is_some_and(|f| f.iter().any(|c| c["id"] == id));
    if has("vlen-utf8") {
        ElementForm::Text
    } else if has("vlen-bytes") {
        ElementForm::Other("byte strings".into())
    } else if has("vlen-array") {
        ElementForm::Other("variable-length arrays".into())
    } else {
        ElementForm::Other("Python objects".into())
    }
}
