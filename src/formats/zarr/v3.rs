//! Version 3 metadata: an array's `zarr.json`.

use super::{
    array::{ArrayMeta, Chain, ElementForm, KeyStyle, chunk_shape, lengths, number, of_float},
    codecs,
    json::{self, Json, Map},
    times::Times,
    v2::{self, DIMENSIONS},
};
use crate::{
    attrs::{Attrs, Value},
    dtype::{ByteOrder, DType},
    error::{Error, Result},
    shape::Shape,
};

/// Reads an array's document.
pub(super) fn array(document: &Json) -> Result<ArrayMeta> {
    let fields = document.as_object().ok_or_else(|| Error::corrupt("zarr.json", "it is no JSON object"))?;
    let shape = lengths(fields.get("shape"), "shape")?;
    let (chunk, irregular) = chunks(fields, &shape)?;
    let data_type = fields.get("data_type").unwrap_or(&Json::Null);
    let mut element = element(data_type)?;
    let times = data_type.get("name").and_then(Json::as_str).and_then(|name| Times::of_v3(name, config(data_type)));
    let fill = match (&element, fields.get("fill_value")) {
        (ElementForm::Number(dtype, _), Some(fill)) if times.is_some() => number(&Times::fill(fill), *dtype)?,
        (ElementForm::Number(dtype, _), Some(fill)) => number(fill, *dtype)?,
        (ElementForm::Utf32(..), Some(Json::String(text))) => Some(Value::Text(text.clone())),
        (ElementForm::Bytes(_), Some(Json::String(text))) => {
            json::from_base64(text).and_then(|b| String::from_utf8(b).ok()).map(Value::Text)
        }
        _ => None,
    };
    let list = fields.get("codecs").and_then(Json::as_array).map(Vec::as_slice);
    let list = list.ok_or_else(|| Error::corrupt("zarr.json", "it has no list of codecs"))?;
    let mut shown = Vec::new();
    let mut chain = codecs::of_v3(list, &mut element, &chunk, &mut shown)?;
    if fields.get("storage_transformers").and_then(Json::as_array).is_some_and(|t| !t.is_empty()) {
        chain = Chain::Unsupported("a Zarr storage transformer".into());
    }
    if let Some(name) = irregular {
        chain = Chain::Unsupported(format!("the Zarr chunk grid '{name}'"));
    }
    if let Some(name) = extension(fields) {
        chain = Chain::Unsupported(format!("the Zarr extension '{name}'"));
    }
    let attributes = fields.get("attributes").unwrap_or(&Json::Null);
    let dims = dims(fields, attributes).filter(|names| names.len() == shape.len());
    let mut attrs = v2::attrs(attributes);
    attrs.remove(DIMENSIONS);
    match times {
        Some(times) => times.declare(&mut attrs),
        None => declare_fill(&mut attrs, &element),
    }
    let keys = key_style(fields)?;
    let document = for_library(fields);
    Ok(ArrayMeta { version: 3, shape, chunk, element, fill, chain, keys, dims, attrs, codecs: shown, document })
}

/// A field that is none of version 3's, and may not be ignored.
fn extension(fields: &Map<String, Json>) -> Option<&String> {
    const KNOWN: [&str; 12] = [
        "zarr_format",
        "node_type",
        "shape",
        "data_type",
        "chunk_grid",
        "chunk_key_encoding",
        "fill_value",
        "codecs",
        "attributes",
        "dimension_names",
        "storage_transformers",
        "consolidated_metadata",
    ];
    let may_be_ignored = |field: &Json| field["must_understand"] == false;
    fields.iter().find(|(name, field)| !KNOWN.contains(&name.as_str()) && !may_be_ignored(field)).map(|(name, _)| name)
}

/// What a type or another extension is set to.
fn config(of: &Json) -> &Json {
    of.get("configuration").unwrap_or(&Json::Null)
}

fn chunks(fields: &Map<String, Json>, shape: &Shape) -> Result<(Shape, Option<String>)> {
    let grid = fields.get("chunk_grid").unwrap_or(&Json::Null);
    let name = grid.get("name").and_then(Json::as_str).unwrap_or("regular");
    if name != "regular" {
        shape.elements()?;
        return Ok((shape.iter().map(|n| (*n).max(1)).collect(), Some(name.to_string())));
    }
    let lengths = lengths(grid.get("configuration").and_then(|c| c.get("chunk_shape")), "chunk shape")?;
    Ok((chunk_shape(shape, lengths)?, None))
}

fn key_style(fields: &Map<String, Json>) -> Result<KeyStyle> {
    let encoding = fields.get("chunk_key_encoding").unwrap_or(&Json::Null);
    let name = encoding.as_str().or_else(|| encoding.get("name")?.as_str()).unwrap_or("default");
    let c = match name {
        "default" => true,
        "v2" => false,
        other => return Err(Error::unsupported(format!("the Zarr chunk key encoding '{other}'"))),
    };
    let separator = match encoding.get("configuration").and_then(|c| c.get("separator")).and_then(Json::as_str) {
        Some("/") => '/',
        Some(".") => '.',
        None => ['.', '/'][usize::from(c)],
        Some(other) => return Err(Error::corrupt("zarr.json", format!("separator '{other}'"))),
    };
    Ok(KeyStyle { c, separator })
}

fn dims(fields: &Map<String, Json>, attributes: &Json) -> Option<Vec<Option<String>>> {
    let list = match fields.get("dimension_names") {
        Some(Json::Array(names)) => names,
        _ => attributes.get(DIMENSIONS)?.as_array()?,
    };
    Some(list.iter().map(|j| j.as_str().filter(|n| !n.is_empty()).map(String::from)).collect())
}

/// xarray writes `_FillValue` of floats as base64 of a little-endian double, of integers as a number, of bytes as base64.
fn declare_fill(attrs: &mut Attrs, element: &ElementForm) {
    let Some(value) = attrs.get("_FillValue") else { return };
    let dtype = match element {
        ElementForm::Number(dtype, _) => dtype,
        ElementForm::Bytes(_) => return declare_text(attrs),
        _ => return,
    };
    let coded = value.text().filter(|_| dtype.is_float()).and_then(json::from_base64);
    let typed = match coded.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
        // A double that overflows the array's type stays a double.
        Some(bytes) => {
            let x = f64::from_le_bytes(bytes);
            Some(of_float(x, *dtype).unwrap_or(Value::F64(vec![x])))
        }
        None => number(&json::from_value(value), *dtype).ok().flatten(),
    };
    if let Some(typed) = typed {
        attrs.set("_FillValue", typed);
    }
}

fn declare_text(attrs: &mut Attrs) {
    let coded = attrs.get("_FillValue").and_then(Value::text).and_then(json::from_base64);
    if let Some(text) = coded.and_then(|bytes| String::from_utf8(bytes).ok()) {
        attrs.set("_FillValue", text);
    }
}

/// The document as the zarrs library takes it: without attributes, which may hold what JSON does not.
fn for_library(fields: &Map<String, Json>) -> Json {
    let mut kept = fields.clone();
    kept.shift_remove("attributes");
    kept.shift_remove("consolidated_metadata");
    if let Some(fill) = kept.get_mut("fill_value")
        && let Some(text) = json::string(fill).map(String::from)
    {
        *fill = Json::String(text);
    }
    Json::Object(kept)
}

fn element(data_type: &Json) -> Result<ElementForm> {
    let name = data_type.as_str().or_else(|| data_type.get("name")?.as_str());
    let name = name.ok_or_else(|| Error::corrupt("zarr.json", format!("data_type {data_type}")))?;
    if let Some(dtype) = DType::ALL.into_iter().find(|d| d.name() == name) {
        return Ok(ElementForm::Number(dtype, ByteOrder::NATIVE));
    }
    let config = config(data_type);
    if Times::of_v3(name, config).is_some() {
        return Ok(ElementForm::Number(DType::I64, ByteOrder::NATIVE));
    }
    let length = || {
        let n = config.get("length_bytes").and_then(Json::as_u64).filter(|n| (1..=1 << 24).contains(n));
        n.map(|n| n as usize).ok_or_else(|| Error::corrupt("zarr.json", format!("data_type {data_type}")))
    };
    let unit = || config.get("unit").and_then(Json::as_str).unwrap_or("generic");
    Ok(match name {
        "string" => ElementForm::Text,
        "null_terminated_bytes" => ElementForm::Bytes(length()?),
        "fixed_length_utf32" => ElementForm::Utf32(length()? / 4, ByteOrder::NATIVE),
        "numpy.datetime64" => ElementForm::Other(format!("datetime64[{}]", unit())),
        "numpy.timedelta64" => ElementForm::Other(format!("timedelta64[{}]", unit())),
        "raw_bytes" => ElementForm::Other(format!("raw bytes({})", length()?)),
        "bytes" | "variable_length_bytes" => ElementForm::Other("byte strings".into()),
        "struct" | "structured" => ElementForm::Other("structure".into()),
        other => ElementForm::Other(other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(dtype: &str, fill: Json, attributes: Json) -> Json {
        json!({"zarr_format": 3, "node_type": "array", "shape": [3, 5], "data_type": dtype, "fill_value": fill,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 2]}},
            "chunk_key_encoding": {"name": "v2"}, "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "dimension_names": ["y", null], "attributes": attributes})
    }

    #[test]
    fn fill_attributes_are_decoded_as_xarray_does() {
        let m = array(&document("float32", json!("NaN"), json!({"_FillValue": "AAAAgB2vFUQ=", "u": "K"}))).unwrap();
        assert_eq!(m.attrs.get("_FillValue"), Some(&Value::F32(vec![1e20])));
        assert!(matches!(m.fill, Some(Value::F32(v)) if v[0].is_nan()));
        assert_eq!((m.dims.unwrap(), m.keys.key(&[1, 2])), (vec![Some("y".into()), None], "1.2".into()));
        let m = array(&document("int16", json!(0), json!({"_FillValue": -99}))).unwrap();
        assert_eq!(m.attrs.get("_FillValue"), Some(&Value::I16(vec![-99])));
        let m = array(&document("int16", json!(0), json!({}))).unwrap();
        assert_eq!(m.attrs.get("_FillValue"), None, "the fill value of version 3 marks nothing");
    }

    #[test]
    fn extensions_have_to_be_known_unless_they_say_otherwise() {
        let mut good = document("float32", json!(0), json!({}));
        good["hint"] = json!({"name": "x", "must_understand": false});
        assert!(matches!(array(&good).unwrap().chain, Chain::Chunk(_)));
        for field in [json!({"name": "x"}), json!("x"), json!({"must_understand": true})] {
            good["hint"] = field;
            assert_eq!(array(&good).unwrap().chain, Chain::Unsupported("the Zarr extension 'hint'".into()));
        }
    }

    #[test]
    fn dates_are_integers_with_units() {
        let mut m = document("", json!("NaT"), json!({"units": "old"}));
        m["data_type"] = json!({"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}});
        let m = array(&m).unwrap();
        assert_eq!(m.element, ElementForm::Number(DType::I64, ByteOrder::Little));
        assert_eq!(m.attrs.text("units"), Some("seconds since 1970-01-01"));
        let nat = Some(Value::I64(vec![i64::MIN]));
        assert_eq!((m.attrs.get("_FillValue"), &m.fill), (nat.as_ref(), &nat));
    }

    #[test]
    fn hostile_documents_are_errors() {
        let good = document("float32", json!(0), json!({}));
        assert!(array(&good).is_ok());
        for (key, bad) in [
            ("shape", json!([-1, 5])),
            ("shape", json!("x")),
            ("shape", json!([1u64 << 40, 1u64 << 40])),
            ("shape", json!([3])),
            ("chunk_grid", json!({"name": "regular", "configuration": {"chunk_shape": [0, 2]}})),
            ("chunk_grid", json!({"name": "regular", "configuration": {"chunk_shape": [1u64 << 40, 1u64 << 40]}})),
            ("chunk_grid", json!({"name": "regular"})),
            ("data_type", json!(7)),
            ("fill_value", json!("x")),
            ("codecs", json!({})),
            ("chunk_key_encoding", json!({"name": "v2", "configuration": {"separator": "x"}})),
        ] {
            let mut document = good.clone();
            document[key] = bad;
            assert!(array(&document).is_err(), "{document}");
        }
        assert!(array(&json!([])).is_err());
    }
}
