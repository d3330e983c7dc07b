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
    shape::Shape,
};

/// The attribute in which xarray keeps the names of dimensions.
pub(super) const DIMENSIONS: &str = "_ARRAY_DIMENSIONS";

/// Reads an array's two documents.
pub(super) fn array(document: &Json, attributes: &Json) -> Result<ArrayMeta> {
    let fields = document.as_object().ok_or_else(|| Error::corrupt(".zarray", "it is no JSON object"))?;
    let dims = dims(attributes, fields);
    let (shape, chunk) = shapes(fields, dims.as_deref())?;
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
    let dims = dims.filter(|names| names.len() == shape.len());
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

/// The array's shape and its chunks'. NCZarr writes scalars as one element along no dimension.
fn shapes(fields: &Map<String, Json>, dims: Option<&[Option<String>]>) -> Result<(Shape, Shape)> {
    let shape = lengths(fields.get("shape"), "shape")?;
    let chunk = chunk_shape(&shape, lengths(fields.get("chunks"), "chunk shape")?)?;
    let is_scalar = *shape == [1] && *chunk == [1] && dims.is_some_and(<[_]>::is_empty);
    Ok(if is_scalar { (Shape::default(), Shape::default()) } else { (shape, chunk) })
}

/// All attributes but NCZarr's own, which say the types of the others.
pub(super) fn attrs(attributes: &Json) -> Attrs {
    let types =
        ["_NCZARR_ATTR", "_nczarr_attr", "_nczarr_attrs"].iter().find_map(|key| attributes.get(key)?.get("types"));
    let mut attrs = Attrs::new();
    for (name, value) in attributes.as_object().into_iter().flatten() {
        if !name.to_ascii_lowercase().starts_with("_nc") {
            let typed = types.and_then(|types| typed(value, types.get(name)?));
            attrs.set(name, typed.unwrap_or_else(|| json::value(value)));
        }
    }
    attrs
}

/// Numbers of the type that NumPy calls `name`; `None` for what are none, or do not fit.
fn typed(value: &Json, name: &Json) -> Option<Value> {
    let ElementForm::Number(dtype, _) = element(name, None).ok()? else { return None };
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let bytes = |item: &Json| number(item, dtype).ok()??.bytes().map(<[u8]>::to_vec);
    let bytes: Option<Vec<_>> = items.iter().map(bytes).collect();
    bytes.filter(|_| dtype != DType::F16).map(|bytes| Value::of_bytes(dtype, &bytes.concat()))
}

/// As xarray reads version 2: the array's fill value is what marks missing values, in place of any attribute.
///
/// That is a rule for arrays with named dimensions, which are all that xarray opens. Elsewhere the fill value is what
/// it is to Zarr: the value of chunks that were never written, by default 0, which is data.
fn declare_fill(attrs: &mut Attrs, element: &ElementForm, fill: Option<&Value>) {
    let dtype = match (element, fill) {
        (ElementForm::Number(dtype, _), _) => dtype,
        // Strings of no bytes are what writers put here who have no such value.
        (ElementForm::Bytes(_), Some(text)) if text.text() != Some("") => return attrs.set("_FillValue", text.clone()),
        _ => return,
    };
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
    let size = || rest[1..].parse::<usize>().ok().filter(|n| (1..=1 << 24).contains(n)).ok_or_else(broken);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(shape: Json, dtype: &str) -> Json {
        json!({"zarr_format": 2, "shape": shape, "chunks": shape, "dtype": dtype, "fill_value": null, "order": "C",
            "compressor": null, "filters": null})
    }

    #[test]
    fn scalars_of_nczarr_have_no_dimension() {
        let of = |attributes: Json| array(&document(json!([1]), "<i8"), &attributes).unwrap();
        let scalar = of(json!({"_ARRAY_DIMENSIONS": []}));
        assert_eq!((scalar.shape.len(), scalar.chunk.len(), scalar.dims.map(|d| d.len())), (0, 0, Some(0)));
        assert_eq!(scalar.keys.key(&[]), "0");
        assert_eq!(of(json!({"_ARRAY_DIMENSIONS": ["x"]})).shape.0, [1]);
        assert_eq!(of(json!({})).shape.0, [1]);
        let two = array(&document(json!([2]), "<i8"), &json!({"_ARRAY_DIMENSIONS": []})).unwrap();
        assert_eq!((two.shape.0, two.dims), (vec![2], None));
    }

    #[test]
    fn attributes_have_the_types_that_nczarr_says() {
        let attributes = json!({"scale_factor": 0.1, "range": [0, 5], "units": "K", "bad": 300, "plain": 1,
            "_NCZARR_ATTR": {"types": {"scale_factor": "<f4", "range": ">i2", "units": "<U1", "bad": "<u1"}}});
        let of = attrs(&attributes);
        assert_eq!(of.get("scale_factor"), Some(&Value::F32(vec![0.1])));
        assert_eq!(of.get("range"), Some(&Value::I16(vec![0, 5])));
        assert_eq!((of.text("units"), of.get("bad")), (Some("K"), Some(&Value::I64(vec![300]))));
        assert_eq!((of.get("plain"), of.iter().count()), (Some(&Value::I64(vec![1])), 5));
    }
}
