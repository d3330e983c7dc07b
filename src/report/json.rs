//! `aosx info --json`: everything a file says about itself, for programs.
//!
//! Keys keep their order. Numbers that JSON lacks are strings: `"NaN"`, `"Infinity"`, `"-Infinity"`.

use super::{Listing, Role, number, number::Number, roles};
use crate::{
    attrs::{Attrs, Value},
    dtype::ByteOrder,
    source::{Group, StoredType, VarMeta},
};
use serde_json::{Map, Value as Json, json};
use std::io::{Result, Write};

/// Writes the listing as one JSON object.
///
/// # Errors
/// When `w` refuses.
pub fn json(w: &mut dyn Write, listing: &Listing) -> Result<()> {
    let all = json!({
        "file": listing.file.display().to_string(),
        "format": listing.format,
        "file_bytes": listing.file_bytes,
        "root": group(listing.root, ""),
    });
    serde_json::to_writer_pretty(&mut *w, &all)?;
    writeln!(w)
}

fn group(g: &Group, path: &str) -> Json {
    let dims: Vec<Json> =
        g.dims.iter().map(|d| json!({"name": d.name, "length": d.len, "unlimited": d.unlimited})).collect();
    let vars: Vec<Json> = g.vars.iter().zip(roles(g)).map(|(v, role)| variable(v, role)).collect();
    let inner = |g: &Group| group(g, &if path.is_empty() { g.name.clone() } else { format!("{path}/{}", g.name) });
    json!({
        "path": format!("/{path}"),
        "dimensions": dims,
        "variables": vars,
        "attributes": attributes(&g.attrs),
        "groups": g.groups.iter().map(inner).collect::<Vec<_>>(),
    })
}

fn variable(v: &VarMeta, role: Role) -> Json {
    let order = match v.stored {
        StoredType::Number { dtype, order } if dtype.size() > 1 => match order {
            ByteOrder::Little => json!("little"),
            ByteOrder::Big => json!("big"),
        },
        _ => Json::Null,
    };
    let codecs = v.storage.codecs.iter();
    json!({
        "name": v.name(),
        "path": v.path,
        "role": match role { Role::Index => "index", Role::Coordinate => "coordinate", Role::Data => "data" },
        "dtype": v.stored.to_string(),
        "byte_order": order,
        "dimensions": v.dims,
        "dimensions_named": v.dims_named,
        "shape": v.shape.0,
        "storage": v.storage.kind,
        "chunk": v.storage.chunk.as_ref().map(|s| &s.0),
        "shard": v.storage.shard.as_ref().map(|s| &s.0),
        "codecs": codecs.map(|c| json!({"name": c.name, "level": c.level, "detail": c.detail})).collect::<Vec<_>>(),
        "stored_bytes": v.storage.stored_bytes,
        "decoded_bytes": v.decoded_bytes(),
        "fill": v.fill.as_ref().map(plain),
        "attributes": attributes(&v.attrs),
    })
}

/// Attributes with their types, as `{"units": {"type": "text", "value": "K"}}`.
fn attributes(attrs: &Attrs) -> Json {
    let typed = |value: &Value| {
        let name = match value {
            Value::Text(_) | Value::Texts(_) => "text",
            Value::Json(_) => "json",
            numbers => numbers.dtype().map_or("text", |d| d.name()),
        };
        json!({"type": name, "value": plain(value)})
    };
    Json::Object(attrs.iter().map(|(n, v)| (n.to_string(), typed(v))).collect::<Map<_, _>>())
}

/// The value of an attribute: a list is a list, a single number or text is bare.
pub(super) fn plain(value: &Value) -> Json {
    let list = |mut all: Vec<Json>| if all.len() == 1 { all.remove(0) } else { Json::Array(all) };
    match value {
        Value::Text(t) => json!(t),
        Value::Texts(t) => list(t.iter().map(|t| json!(t)).collect()),
        Value::Json(t) => serde_json::from_str(t).unwrap_or_else(|_| json!(t)),
        numbers => list(number::of_value(numbers).into_iter().map(scalar).collect()),
    }
}

fn scalar(n: Number) -> Json {
    match (n, n.float()) {
        (_, Some(x)) if x.is_nan() => json!("NaN"),
        (_, Some(x)) if x.is_infinite() => json!(if x > 0.0 { "Infinity" } else { "-Infinity" }),
        // Through the shortest digits, so that 0.1f32 is 0.1 and not 0.10000000149011612.
        (_, Some(x)) => json!(n.exact().parse().unwrap_or(x)),
        (Number::Bool(b), _) => json!(b),
        (Number::Int(i), _) => i64::try_from(i).map_or_else(|_| json!(u64::try_from(i).ok()), |i| json!(i)),
        _ => Json::Null,
    }
}

/// A JSON string with its quotes.
pub(super) fn string(text: &str) -> String {
    json!(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn says_everything_once() {
        let root = sample::root();
        let mut out = Vec::new();
        json(&mut out, &sample::listing(&root)).unwrap();
        let all: Json = serde_json::from_slice(&out).unwrap();
        let t = &all["root"]["variables"][2];
        assert_eq!(t["dtype"], "int16");
        assert_eq!(t["chunk"], json!([1, 2, 3]));
        assert_eq!(t["codecs"][1], json!({"name": "deflate", "level": 4, "detail": ""}));
        assert_eq!(t["attributes"]["scale_factor"], json!({"type": "float32", "value": 0.1}));
        assert_eq!(t["attributes"]["valid_range"]["value"], json!(["-Infinity", "NaN"]));
        assert_eq!(all["root"]["variables"][0]["role"], "index");
        assert_eq!(all["root"]["groups"][0]["path"], "/deep");
        assert_eq!(all["root"]["groups"][0]["variables"][0]["path"], "deep/q");
        let keys: Vec<&String> = all.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["file", "format", "file_bytes", "root"]);
    }

    #[test]
    fn the_largest_integers_stay_exact() {
        assert_eq!(plain(&Value::U64(vec![u64::MAX])).to_string(), "18446744073709551615");
        assert_eq!(plain(&Value::I64(vec![i64::MIN, 1])).to_string(), "[-9223372036854775808,1]");
    }
}
