//! JSON as Zarr's writers make it, with Python's bare `NaN`, `Infinity` and `-Infinity`, and attributes in it.

use crate::{
    attrs::Value,
    error::{Error, Result},
};
pub(super) use serde_json::{Map, Value as Json};

/// What a bare token becomes: a string that no writer can have meant.
const MARK: char = '\0';
const TOKENS: [(&str, f64); 3] = [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)];

/// Reads a document; `what` names it in the error.
pub(super) fn parse(bytes: &[u8], what: &'static str) -> Result<Json> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let broken = |e: serde_json::Error| Error::corrupt(what, format!("not JSON: {e}"));
    // Bare tokens are rare: look for them only in what is no JSON without them.
    match serde_json::from_slice(bytes) {
        Ok(json) => Ok(json),
        Err(_) => serde_json::from_slice(&quote_tokens(bytes)).map_err(broken),
    }
}

fn quote_tokens(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let (mut at, mut in_string) = (0, false);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let token = TOKENS.iter().map(|t| t.0).find(|t| !in_string && rest.starts_with(t.as_bytes()));
        if let Some(token) = token {
            out.extend(format!("\"\\u0000{token}\"").bytes());
            at += token.len();
            continue;
        }
        let take = if in_string && rest[0] == b'\\' { rest.len().min(2) } else { 1 };
        in_string ^= rest[0] == b'"';
        out.extend(&rest[..take]);
        at += take;
    }
    out
}

/// A document as text, with the bare tokens that Python's readers expect.
pub(super) fn text(json: &Json) -> String {
    with_tokens(serde_json::to_string_pretty(json).unwrap_or_default())
}

/// A floating-point number, finite or not.
pub(super) fn float(json: &Json) -> Option<f64> {
    match json {
        Json::Number(n) => n.as_f64(),
        Json::String(s) => {
            let token = s.strip_prefix(MARK)?;
            TOKENS.iter().find(|t| t.0 == token).map(|t| t.1)
        }
        _ => None,
    }
}

/// A floating-point number as JSON.
pub(super) fn from_float(x: f64) -> Json {
    let token = |name: &str| Json::String(format!("{MARK}{name}"));
    match serde_json::Number::from_f64(x) {
        Some(n) => Json::Number(n),
        None if x.is_nan() => token("NaN"),
        None if x > 0.0 => token("Infinity"),
        None => token("-Infinity"),
    }
}

/// The string of a fill value: a bare token counts as the string that it should have been.
pub(super) fn string(json: &Json) -> Option<&str> {
    json.as_str().map(|s| s.strip_prefix(MARK).unwrap_or(s))
}

/// An attribute's value.
pub(super) fn value(json: &Json) -> Value {
    let listed = match json {
        Json::String(s) if !s.starts_with(MARK) => return Value::Text(s.clone()),
        Json::Array(items) => list(items),
        _ => list(std::slice::from_ref(json)),
    };
    listed.unwrap_or_else(|| Value::Json(with_tokens(json.to_string())))
}

/// Text with the bare tokens in place of what stands for them.
fn with_tokens(mut text: String) -> String {
    for (token, _) in TOKENS {
        text = text.replace(&format!("\"\\u0000{token}\""), token);
    }
    text
}

/// Items of one type; `None` for what only JSON can say.
fn list(items: &[Json]) -> Option<Value> {
    let all = |test: fn(&Json) -> bool| !items.is_empty() && items.iter().all(test);
    Some(if all(|j| j.as_str().is_some_and(|s| !s.starts_with(MARK))) {
        Value::Texts(items.iter().filter_map(|j| j.as_str().map(String::from)).collect())
    } else if all(Json::is_boolean) {
        Value::Bool(items.iter().filter_map(Json::as_bool).collect())
    } else if all(Json::is_i64) {
        Value::I64(items.iter().filter_map(Json::as_i64).collect())
    } else if all(Json::is_u64) {
        Value::U64(items.iter().filter_map(Json::as_u64).collect())
    } else if all(|j| float(j).is_some()) {
        Value::F64(items.iter().filter_map(float).collect())
    } else {
        return None;
    })
}

/// An attribute's value as JSON; arrays of one number become scalars.
pub(super) fn from_value(value: &Value) -> Json {
    fn numbers<T: Copy>(items: &[T], one: impl Fn(T) -> Json) -> Json {
        match items {
            [x] => one(*x),
            many => many.iter().map(|&x| one(x)).collect(),
        }
    }
    match value {
        Value::Text(t) => Json::String(t.clone()),
        Value::Texts(t) => t.iter().map(|t| Json::String(t.clone())).collect(),
        Value::Bool(v) => numbers(v, Json::from),
        Value::I8(v) => numbers(v, Json::from),
        Value::I16(v) => numbers(v, Json::from),
        Value::I32(v) => numbers(v, Json::from),
        Value::I64(v) => numbers(v, Json::from),
        Value::U8(v) => numbers(v, Json::from),
        Value::U16(v) => numbers(v, Json::from),
        Value::U32(v) => numbers(v, Json::from),
        Value::U64(v) => numbers(v, Json::from),
        Value::F32(v) => numbers(v, |x| from_float(f64::from(x))),
        Value::F64(v) => numbers(v, from_float),
        Value::Json(text) => parse(text.as_bytes(), "attribute").unwrap_or_else(|_| Json::String(text.clone())),
    }
}

/// Decodes standard base64; `None` for anything else.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if !text.len().is_multiple_of(4) || digits.len() % 4 == 1 || text.len() - digits.len() > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let mut bits = 0u32;
        for (k, c) in group.iter().enumerate() {
            let digit = ALPHABET.iter().position(|a| a == c)? as u32;
            bits |= digit << (18 - 6 * k);
        }
        out.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(out)
}

/// Encodes standard base64.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0u32, |b, (k, &x)| b | u32::from(x) << (16 - 8 * k));
        for k in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * k)) as usize & 63] as char;
            out.push(if k <= group.len() { digit } else { '=' });
        }
    }
    out
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bare_tokens_are_numbers_and_strings_stay() {
        let json = parse(br#"{"a": NaN, "b": [1, -Infinity], "c": "is NaN, \"Infinity\"", "d": {"e": Infinity}}"#, "t")
            .unwrap();
        assert!(matches!(value(&json["a"]), Value::F64(v) if v[0].is_nan()));
        assert_eq!(value(&json["b"]), Value::F64(vec![1.0, f64::NEG_INFINITY]));
        assert_eq!(value(&json["c"]), Value::Text("is NaN, \"Infinity\"".into()));
        assert_eq!(value(&json["d"]), Value::Json(r#"{"e":Infinity}"#.into()));
        assert!(parse(b"{\"a\": NaNs}", "t").is_err() && parse(b"{\"a", "t").is_err() && parse(b"\\", "t").is_err());
    }

    #[test]
    fn attributes_go_both_ways() {
        for text in ["\"x\"", "[\"x\",\"y\"]", "true", "3", "[1,2]", "1.5", "[1.5,NaN]", "18446744073709551615", "[]"] {
            let v = value(&parse(text.as_bytes(), "t").unwrap());
            let mut back = super::text(&from_value(&v));
            back.retain(|c| !c.is_whitespace());
            assert_eq!(back, text);
        }
        assert_eq!(value(&json!([1, 2.5])), Value::F64(vec![1.0, 2.5]));
        assert_eq!(value(&json!([1, "a"])), Value::Json("[1,\"a\"]".into()));
        assert_eq!(value(&json!(null)), Value::Json("null".into()));
        assert_eq!(from_value(&Value::F32(vec![1.5])), json!(1.5));
    }

    #[test]
    fn base64() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(to_base64(plain.as_bytes()), coded);
            assert_eq!(from_base64(coded).unwrap(), plain.as_bytes());
        }
        for bad in ["Z", "Zg", "Zg=", "Z===", "Z!==", "===="] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
    }
}
