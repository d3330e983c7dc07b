//! `aosx info --cdl`: the header as `ncdump -h -s` prints it.

use super::{Listing, number, number::Number};
use crate::{
    attrs::{Attrs, Value},
    dtype::{ByteOrder, DType},
    source::{Group, StoredType, VarMeta},
};
use std::io::{Result, Write};

/// Writes the listing as CDL, with the special attributes of storage.
///
/// # Errors
/// When `w` refuses.
pub fn cdl(w: &mut dyn Write, listing: &Listing) -> Result<()> {
    let stem = listing.file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    writeln!(w, "netcdf {} {{", name(&stem))?;
    body(w, listing.root, Model::of(listing.format), 0)?;
    writeln!(w, "}}")
}

fn body(w: &mut dyn Write, g: &Group, model: Model, depth: usize) -> Result<()> {
    let indent = "  ".repeat(depth);
    if !g.dims.is_empty() {
        writeln!(w, "{indent}dimensions:")?;
    }
    for d in &g.dims {
        match d.unlimited {
            true => writeln!(w, "{indent}\t{} = UNLIMITED ; // ({} currently)", name(&d.name), d.len)?,
            false => writeln!(w, "{indent}\t{} = {} ;", name(&d.name), d.len)?,
        }
    }
    if !g.vars.is_empty() {
        writeln!(w, "{indent}variables:")?;
    }
    for v in &g.vars {
        let dims: Vec<String> = v.dims.iter().map(|d| name(d)).collect();
        let dims = if dims.is_empty() { String::new() } else { format!("({})", dims.join(", ")) };
        writeln!(w, "{indent}\t{} {}{dims} ;", type_name(&v.stored), name(v.name()))?;
        attributes(w, &format!("{indent}\t\t"), &name(v.name()), &v.attrs, model.lines())?;
        for line in special_attributes(v, model) {
            writeln!(w, "{indent}\t\t{}:{line} ;", name(v.name()))?;
        }
    }
    writeln!(w, "\n{indent}// {} attributes:", if depth == 0 { "global" } else { "group" })?;
    attributes(w, &format!("{indent}\t\t"), "", &g.attrs, model.lines())?;
    if let (Some(format), 0) = (model.name(), depth) {
        writeln!(w, "{indent}\t\t:_Format = {} ;", quoted(format))?;
    }
    for inner in &g.groups {
        writeln!(w, "\n{indent}group: {} {{", name(&inner.name))?;
        body(w, inner, model, depth + 1)?;
        writeln!(w, "{indent}  }} // group {}", name(&inner.name))?;
    }
    Ok(())
}

fn attributes(w: &mut dyn Write, indent: &str, owner: &str, attrs: &Attrs, lines: Lines) -> Result<()> {
    for (attr, value) in attrs.iter() {
        let prefix = if matches!(value, Value::Texts(_)) { "string " } else { "" };
        writeln!(w, "{indent}{prefix}{owner}:{} = {} ;", name(attr), constant(value, lines))?;
    }
    Ok(())
}

/// What ncdump says of storage: nothing for the classic formats.
fn special_attributes(v: &VarMeta, model: Model) -> Vec<String> {
    let s = &v.storage;
    let mut out = Vec::new();
    if model.is_classic() {
        return out;
    }
    if !s.kind.is_empty() {
        out.push(format!("_Storage = {}", quoted(s.kind)));
    }
    if let Some(chunk) = s.shard.as_ref().or(s.chunk.as_ref()).filter(|c| !c.is_empty()) {
        let sizes: Vec<String> = chunk.iter().map(u64::to_string).collect();
        out.push(format!("_ChunkSizes = {}", sizes.join(", ")));
    }
    let mut others = Vec::new();
    for codec in &s.codecs {
        match (codec.name.as_str(), codec.level) {
            ("shuffle", _) => out.push("_Shuffle = \"true\"".into()),
            ("fletcher32", _) => out.push("_Fletcher32 = \"true\"".into()),
            ("deflate", Some(level)) => out.push(format!("_DeflateLevel = {level}")),
            ("zstd", Some(level)) => others.push(format!("32015,{level}")),
            ("bzip2", Some(level)) => others.push(format!("307,{level}")),
            (other, level) => {
                let level = level.map(|l| format!(",{l}")).unwrap_or_default();
                let detail = if codec.detail.is_empty() { String::new() } else { format!(" {}", codec.detail) };
                others.push(format!("{other}{level}{detail}"));
            }
        }
    }
    if !others.is_empty() {
        out.push(format!("_Filter = {}", quoted(&others.join("|"))));
    }
    if let StoredType::Number { dtype, order } = v.stored
        && dtype.size() > 1
    {
        let order = if order == ByteOrder::Big { "big" } else { "little" };
        out.push(format!("_Endianness = \"{order}\""));
    }
    out
}

/// The data models that ncdump tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    Classic,
    Offset64,
    Cdf5,
    NetCdf4,
    NetCdf4Classic,
    /// Zarr, of which ncdump knows no name.
    Other,
}

/// Whether text is broken behind its newlines, as ncdump does for the classic data model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    Broken,
    Whole,
}

impl Model {
    /// From a format in words.
    fn of(format: &str) -> Model {
        let lower = format.to_ascii_lowercase();
        let has = |part: &str| lower.contains(part);
        match () {
            () if has("netcdf-4") && has("classic") => Model::NetCdf4Classic,
            () if has("netcdf-4") || has("hdf5") => Model::NetCdf4,
            () if has("cdf-5") || has("64-bit data") => Model::Cdf5,
            () if has("cdf-2") || has("64-bit offset") => Model::Offset64,
            () if has("classic") => Model::Classic,
            () => Model::Other,
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Model::Classic => Some("classic"),
            Model::Offset64 => Some("64-bit offset"),
            Model::Cdf5 => Some("cdf5"),
            Model::NetCdf4 => Some("netCDF-4"),
            Model::NetCdf4Classic => Some("netCDF-4 classic model"),
            Model::Other => None,
        }
    }

    fn is_classic(self) -> bool {
        matches!(self, Model::Classic | Model::Offset64 | Model::Cdf5)
    }

    fn lines(self) -> Lines {
        if self.is_classic() || self == Model::NetCdf4Classic { Lines::Broken } else { Lines::Whole }
    }
}

fn type_name(stored: &StoredType) -> String {
    match stored {
        StoredType::Number { dtype, .. } => number_type(*dtype).into(),
        StoredType::Char => "char".into(),
        StoredType::Text | StoredType::FixedText(_) => "string".into(),
        StoredType::Other(words) => words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
    }
}

fn number_type(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool",
        DType::I8 => "byte",
        DType::I16 => "short",
        DType::I32 => "int",
        DType::I64 => "int64",
        DType::U8 => "ubyte",
        DType::U16 => "ushort",
        DType::U32 => "uint",
        DType::U64 => "uint64",
        // CDL has no shorter one; ncdump says the same.
        DType::F16 | DType::F32 => "float",
        DType::F64 => "double",
    }
}

/// An attribute's value as a CDL constant.
fn constant(value: &Value, lines: Lines) -> String {
    let texts = |all: &[String]| all.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(", ");
    match value {
        Value::Text(t) | Value::Json(t) => {
            let t = t.trim_end_matches('\0');
            if lines == Lines::Whole {
                return quoted(t);
            }
            // A newline at the end leaves an empty piece behind it, as in ncdump.
            let rest = if t.is_empty() || t.ends_with('\n') { Some("") } else { None };
            t.split_inclusive('\n').chain(rest).map(quoted).collect::<Vec<_>>().join(",\n\t\t\t")
        }
        Value::Texts(t) if !t.is_empty() => texts(t),
        numbers => {
            let suffix = numbers.dtype().map_or("", suffix);
            let all: Vec<String> = number::of_value(numbers).into_iter().map(|n| scalar(n, suffix)).collect();
            if all.is_empty() { "\"\"".into() } else { all.join(", ") }
        }
    }
}

fn suffix(dtype: DType) -> &'static str {
    match dtype {
        DType::I8 => "b",
        DType::U8 => "UB",
        DType::I16 => "s",
        DType::U16 => "US",
        DType::U32 => "U",
        DType::I64 => "LL",
        DType::U64 => "ULL",
        DType::F32 => "f",
        DType::Bool | DType::I32 | DType::F16 | DType::F64 => "",
    }
}

fn scalar(n: Number, suffix: &str) -> String {
    let digits = if matches!(n, Number::F64(_)) { 15 } else { 7 };
    match n.float() {
        None => format!("{}{suffix}", n.exact()),
        Some(x) if x.is_nan() => format!("NaN{suffix}"),
        Some(x) if x.is_infinite() => format!("{}Infinity{suffix}", if x < 0.0 { "-" } else { "" }),
        Some(x) => format!("{}{suffix}", with_point(&general(x, digits))),
    }
}

/// C's `%.{digits}g`.
fn general(x: f64, digits: usize) -> String {
    let scientific = format!("{x:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    if exponent < -4 || exponent >= digits as i64 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.abs());
    }
    trim(&format!("{x:.*}", (digits as i64 - 1 - exponent).max(0) as usize))
}

/// Digits with the point that makes them a floating-point constant.
fn with_point(text: &str) -> String {
    match text.split_once('e') {
        _ if text.contains('.') => text.to_string(),
        Some((mantissa, exponent)) => format!("{mantissa}.e{exponent}"),
        None => format!("{text}."),
    }
}

/// Text between quotes, with C's escapes.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\'' => out.push_str("\\'"),
            c if c.is_ascii_control() => out.push_str(&format!("\\{:03o}", u32::from(c))),
            // ncdump passes these through; a terminal would obey them.
            c if c.is_control() => c.to_string().bytes().for_each(|b| out.push_str(&format!("\\{b:03o}"))),
            c => out.push(c),
        }
    }
    out + "\""
}

/// A name with CDL's special characters escaped.
fn name(text: &str) -> String {
    let mut out = String::new();
    for (k, c) in text.chars().enumerate() {
        if c.is_control() {
            out.push_str(&format!("\\%{:02x}", u32::from(c)));
            continue;
        }
        if " !\"#$%&'()*,:;<=>?[\\]^`{|}~".contains(c) || (k == 0 && c.is_ascii_digit()) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn constants_are_ncdumps() {
        let doubles = Value::F64(vec![
            1.0,
            1.5,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e20,
            1e-7,
            123456789.123,
            0.1,
            1e15,
            1e16,
            1e-4,
            1e-5,
            0.0,
        ]);
        assert_eq!(
            constant(&doubles, Lines::Whole),
            "1., 1.5, NaN, Infinity, -Infinity, 1.e+20, 1.e-07, 123456789.123, 0.1, 1.e+15, 1.e+16, 0.0001, 1.e-05, 0."
        );
        let floats = Value::F32(vec![1.0, f32::NAN, f32::INFINITY, 123456789.123, 0.1, 9.96921e36]);
        assert_eq!(constant(&floats, Lines::Whole), "1.f, NaNf, Infinityf, 1.234568e+08f, 0.1f, 9.96921e+36f");
        assert_eq!(constant(&Value::I8(vec![1, -1]), Lines::Whole), "1b, -1b");
        assert_eq!(constant(&Value::U64(vec![7]), Lines::Whole), "7ULL");
        assert_eq!(constant(&Value::I32(vec![]), Lines::Whole), "\"\"");
        let text = "he said \"hi\"\nline two\ttab\\ back \x01 \x7f é";
        assert_eq!(quoted(text), "\"he said \\\"hi\\\"\\nline two\\ttab\\\\ back \\001 \\177 é\"");
        assert_eq!(name("w e.ird+"), "w\\ e.ird+");
        assert_eq!(constant(&"a\nb's\n".into(), Lines::Broken), "\"a\\n\",\n\t\t\t\"b\\'s\\n\",\n\t\t\t\"\"");
        assert_eq!(name("1abc"), "\\1abc");
    }

    #[test]
    fn reads_like_ncdump() {
        let root = sample::root();
        let mut out = Vec::new();
        cdl(&mut out, &sample::listing(&root)).unwrap();
        let expected = "\
netcdf in {
dimensions:
\ttime = UNLIMITED ; // (4 currently)
\tlat = 2 ;
\tlon = 3 ;
variables:
\tdouble time(time) ;
\t\ttime:units = \"days since 2000-01-01\" ;
\t\ttime:_Storage = \"contiguous\" ;
\t\ttime:_Endianness = \"little\" ;
\tfloat area(lat, lon) ;
\t\tarea:_Storage = \"contiguous\" ;
\t\tarea:_Endianness = \"big\" ;
\tshort t(time, lat, lon) ;
\t\tt:coordinates = \"area\" ;
\t\tt:scale_factor = 0.1f ;
\t\tt:valid_range = -Infinity, NaN ;
\t\tt:comment = \"two\\nlines \\033[31m \\\"red\\\"\" ;
\t\tt:_Storage = \"chunked\" ;
\t\tt:_ChunkSizes = 1, 2, 3 ;
\t\tt:_Shuffle = \"true\" ;
\t\tt:_DeflateLevel = 4 ;
\t\tt:_Endianness = \"little\" ;

// global attributes:
\t\t:Conventions = \"CF-1.8\" ;
\t\t:_Format = \"netCDF-4\" ;

group: deep {
  variables:
  \tubyte q(time) ;
  \t\tq:flag_values = 0UB, 1UB, 255UB ;
  \t\tq:_Storage = \"contiguous\" ;

  // group attributes:
  } // group deep
}
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
