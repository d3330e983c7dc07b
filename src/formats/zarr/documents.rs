//! The metadata documents of an output.

use super::{
    array::{KeyStyle, number},
    json::{self, Json, Map},
    v2::DIMENSIONS,
    written,
};
use crate::{
    attrs::{Attrs, Value},
    codec::Codec,
    dtype::{ByteOrder, DType},
    error::{Error, Result},
    grid::Grid,
    shape::Shape,
    source::{Group, StoredType, VarMeta},
};
use serde_json::json;

/// Which metadata is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V2,
    V3,
}

impl Version {
    pub(super) fn keys(self) -> KeyStyle {
        match self {
            Version::V2 => KeyStyle { c: false, separator: '.' },
            Version::V3 => KeyStyle { c: true, separator: '/' },
        }
    }

    /// The documents of a group, by name.
    pub(super) fn group(self, group: &Group) -> Vec<(&'static str, Json)> {
        let attributes = attributes(&group.attrs);
        match self {
            Version::V2 => vec![(".zgroup", json!({"zarr_format": 2})), (".zattrs", Json::Object(attributes))],
            Version::V3 => {
                vec![("zarr.json", json!({"attributes": attributes, "zarr_format": 3, "node_type": "group"}))]
            }
        }
    }

    /// The documents of an array, by name.
    pub(super) fn array(
        self,
        var: &VarMeta,
        grid: &Grid,
        shard: Option<&Shape>,
        codecs: &[Codec],
        fill: Option<&Value>,
    ) -> Result<Vec<(&'static str, Json)>> {
        let mut attrs = var.attrs.clone();
        if fill.is_some() || var.stored.dtype().is_none() {
            attrs.remove("_FillValue");
        }
        match self {
            Version::V2 => {
                let mut attributes = attributes(&attrs);
                attributes.insert(DIMENSIONS.into(), json!(var.dims));
                Ok(vec![(".zarray", array_v2(var, grid, codecs, fill)?), (".zattrs", Json::Object(attributes))])
            }
            Version::V3 => {
                let mut attributes = attributes(&attrs);
                // xarray opens no store that has one for bytes.
                if let Some(fill) = fill.filter(|fill| fill.text().is_none()) {
                    attributes.insert("_FillValue".into(), fill_attribute(fill));
                }
                Ok(vec![("zarr.json", array_v3(var, grid, shard, codecs, fill, attributes)?)])
            }
        }
    }

    /// The root's documents again, with those of the whole store (by key) in the place where readers look first.
    pub(super) fn consolidated(
        self,
        root: Vec<(&'static str, Json)>,
        all: Map<String, Json>,
    ) -> Vec<(&'static str, Json)> {
        let mut root = root;
        match self {
            Version::V2 => root.push((".zmetadata", json!({"metadata": all, "zarr_consolidated_format": 1}))),
            Version::V3 => {
                let inline = json!({"kind": "inline", "must_understand": false, "metadata": all});
                for (_, document) in &mut root {
                    document["consolidated_metadata"] = inline.clone();
                }
            }
        }
        root
    }
}

fn attributes(attrs: &Attrs) -> Map<String, Json> {
    attrs.iter().map(|(name, value)| (name.to_string(), json::from_value(value))).collect()
}

/// The value that marks missing ones, in the variable's type.
pub(super) fn declared_fill(var: &VarMeta) -> Option<Value> {
    let value = var.attrs.get("_FillValue")?;
    match (&var.stored, value.text()) {
        (StoredType::Char, Some(text)) if text.len() == 1 => Some(value.clone()),
        _ => number(&json::from_value(value), var.stored.dtype()?).ok().flatten(),
    }
}

/// As xarray writes it: floats as base64 of a little-endian double.
fn fill_attribute(fill: &Value) -> Json {
    match (fill, fill.number()) {
        (Value::F32(_) | Value::F64(_), Some(x)) => Json::String(json::to_base64(&x.to_le_bytes())),
        _ => json::from_value(fill),
    }
}

/// As `fill_value` of the metadata: what JSON has no number for is a string, bytes are base64.
fn fill_metadata(fill: &Value) -> Json {
    if let Some(text) = fill.text() {
        return Json::String(json::to_base64(text.as_bytes()));
    }
    let json = json::from_value(fill);
    json::string(&json).map(Json::from).unwrap_or(json)
}

fn array_v2(var: &VarMeta, grid: &Grid, codecs: &[Codec], fill: Option<&Value>) -> Result<Json> {
    let (dtype, filters) = match &var.stored {
        StoredType::Number { dtype, .. } => (numpy(*dtype), None),
        StoredType::Char => ("|S1".to_string(), None),
        StoredType::Text | StoredType::FixedText(_) => ("|O".to_string(), Some(json!({"id": "vlen-utf8"}))),
        StoredType::Other(words) => return Err(Error::unsupported(format!("writing {words} to Zarr"))),
    };
    // The last one is called the compressor, whatever it is; but a filter alone is none.
    let (compressor, before) = match codecs {
        [before @ .., last] if !matches!(last, Codec::Shuffle { .. }) => (Some(last), before),
        all => (None, all),
    };
    let mut filters: Vec<Json> = filters.into_iter().collect();
    for codec in before {
        filters.push(written::numcodecs(codec)?);
    }
    let filters = if filters.is_empty() { Json::Null } else { Json::Array(filters) };
    Ok(json!({
        "shape": grid.shape().0,
        "chunks": grid.chunk().0,
        "dtype": dtype,
        // xarray takes the fill value of version 2 for a missing one: only what was declared may stand here.
        "fill_value": fill.map_or(Json::Null, fill_metadata),
        "order": "C",
        "filters": filters,
        "dimension_separator": ".",
        "compressor": compressor.map_or(Ok(Json::Null), written::numcodecs)?,
        "zarr_format": 2,
    }))
}

fn array_v3(
    var: &VarMeta,
    grid: &Grid,
    shard: Option<&Shape>,
    codecs: &[Codec],
    fill: Option<&Value>,
    attributes: Map<String, Json>,
) -> Result<Json> {
    let (data_type, zero, to_bytes) = match &var.stored {
        StoredType::Number { dtype, .. } => {
            let zero = if *dtype == DType::Bool { json!(false) } else { json!(0) };
            let bytes = match dtype.size() {
                1 => json!({"name": "bytes"}),
                _ => json!({"name": "bytes", "configuration": {"endian": endian()}}),
            };
            (json!(dtype.name()), if dtype.is_float() { json!(0.0) } else { zero }, bytes)
        }
        StoredType::Char => {
            let dtype = json!({"name": "null_terminated_bytes", "configuration": {"length_bytes": 1}});
            (dtype, json!(""), json!({"name": "bytes"}))
        }
        StoredType::Text | StoredType::FixedText(_) => {
            (json!("string"), json!(""), json!({"name": "vlen-utf8", "configuration": {}}))
        }
        StoredType::Other(words) => return Err(Error::unsupported(format!("writing {words} to Zarr"))),
    };
    let mut chain = vec![to_bytes];
    for codec in codecs {
        chain.push(written::version3(codec)?);
    }
    if shard.is_some() {
        chain = vec![sharding(grid.chunk(), chain)];
    }
    let own = var.fill.as_ref().filter(|v| var.stored.dtype().is_some_and(|d| number(&json::from_value(v), d).is_ok()));
    let mut document = json!({
        "shape": grid.shape().0,
        "data_type": data_type,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard.unwrap_or(grid.chunk()).0}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill.or(own).map_or(zero, fill_metadata),
        "codecs": chain,
        "attributes": attributes,
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    });
    if !var.dims.is_empty() {
        document["dimension_names"] = json!(var.dims);
    }
    Ok(document)
}

/// Inner chunks one behind the other, and behind them where each lies.
fn sharding(inner: &Shape, codecs: Vec<Json>) -> Json {
    json!({"name": "sharding_indexed", "configuration": {
        "chunk_shape": inner.0,
        "codecs": codecs,
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "index_location": "end",
    }})
}

fn endian() -> &'static str {
    if ByteOrder::NATIVE == ByteOrder::Big { "big" } else { "little" }
}

fn numpy(dtype: DType) -> String {
    let kind = match dtype {
        DType::Bool => "b",
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => "i",
        DType::U8 | DType::U16 | DType::U32 | DType::U64 => "u",
        DType::F16 | DType::F32 | DType::F64 => "f",
    };
    let order = match dtype.size() {
        1 => "|",
        _ if ByteOrder::NATIVE == ByteOrder::Big => ">",
        _ => "<",
    };
    format!("{order}{kind}{}", dtype.size())
}
