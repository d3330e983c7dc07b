//! `aosx info`: what a file holds, in the manner of xarray's repr.

use super::{
    Listing, Role, groups_of,
    number::Number,
    roles,
    text::{abbreviate, attribute, escape, short},
};
use crate::{
    attrs::Attrs,
    budget::Budget,
    cf::decoding::is_packed,
    dataset::Dataset,
    dtype::{ByteOrder, Element},
    formats::whole::read_all,
    source::{Group, StoredType, VarMeta},
    units::Bytes,
    with_dtype,
};
use std::io::{Result, Write};

/// The longest coordinate of which values are shown: reading it must be cheap.
const SHOWN_VALUES_MAX: u64 = 100_000;

/// The same for strings, which may be long.
const SHOWN_TEXTS_MAX: u64 = 1000;

/// What reading one coordinate may take, chunk and scratch included.
const SHOWN_BYTES_MAX: Bytes = Bytes(16 << 20);

/// Writes the listing as text: dimensions, coordinates, variables with their storage and attributes, group by group.
///
/// # Errors
/// When `w` refuses. Coordinates that cannot be read are shown without values.
pub fn info(w: &mut dyn Write, listing: &Listing) -> Result<()> {
    let bytes = listing.file_bytes.map(|n| format!(", {}", Bytes(n))).unwrap_or_default();
    writeln!(w, "{}: {}{bytes}", escape(&listing.file.display().to_string()), listing.format)?;
    for (path, group) in groups_of(listing.root, "") {
        show_group(w, &path, group, listing.dataset)?;
    }
    Ok(())
}

fn show_group(w: &mut dyn Write, path: &str, group: &Group, dataset: Option<&Dataset>) -> Result<()> {
    let depth = if path.is_empty() { 0 } else { path.split('/').count() };
    let indent = "  ".repeat(depth.min(20));
    if depth > 0 {
        writeln!(w, "\n{indent}Group /{}:", escape(path))?;
    }
    let dims = group.dims.iter().map(|d| {
        let unlimited = if d.unlimited { " unlimited" } else { "" };
        format!("{}: {}{unlimited}", escape(&d.name), d.len)
    });
    let dims: Vec<String> = dims.collect();
    if !dims.is_empty() || depth == 0 {
        writeln!(w, "{indent}Dimensions:  ({})", dims.join(", "))?;
    }
    let roles = roles(group);
    let width = group.vars.iter().map(|v| escape(v.name()).chars().count()).max().unwrap_or(0).min(24);
    for (title, data) in [("Coordinates:", false), ("Data variables:", true)] {
        let vars: Vec<_> = group.vars.iter().zip(&roles).filter(|(_, r)| (**r == Role::Data) == data).collect();
        if vars.is_empty() {
            continue;
        }
        writeln!(w, "{indent}{title}")?;
        for (var, role) in vars {
            let values = if data { None } else { dataset.and_then(|d| first_and_last(d, var)) };
            show_variable(w, &indent, var, *role, width, values)?;
        }
    }
    if !group.attrs.is_empty() {
        writeln!(w, "{indent}Attributes:")?;
        show_attributes(w, &format!("{indent}    "), &group.attrs)?;
    }
    Ok(())
}

fn show_variable(
    w: &mut dyn Write,
    indent: &str,
    var: &VarMeta,
    role: Role,
    width: usize,
    values: Option<String>,
) -> Result<()> {
    let mark = if role == Role::Index { '*' } else { ' ' };
    let dims: Vec<String> = var.dims.iter().zip(var.shape.iter()).map(|(d, n)| format!("{}: {n}", escape(d))).collect();
    let values = values.map(|v| format!("  {v}")).unwrap_or_default();
    let name = escape(var.name());
    let stored = escape(&var.stored.to_string());
    writeln!(w, "{indent}  {mark} {name:<width$}  ({}) {stored}{values}", dims.join(", "))?;
    let storage = storage(var);
    if !storage.is_empty() {
        writeln!(w, "{indent}        [{storage}]")?;
    }
    show_attributes(w, &format!("{indent}        "), &var.attrs)
}

fn show_attributes(w: &mut dyn Write, indent: &str, attrs: &Attrs) -> Result<()> {
    attrs.iter().try_for_each(|(name, value)| writeln!(w, "{indent}{}: {}", escape(name), attribute(value)))
}

/// `chunks (1, 361, 720), shuffle, deflate:4, big-endian, 12.3MiB -> 361MiB (29.3x)`
fn storage(var: &VarMeta) -> String {
    let s = &var.storage;
    let mut words = Vec::new();
    if let Some(shard) = &s.shard {
        words.push(format!("shards {shard}"));
    }
    match s.chunk.as_ref().filter(|c| !c.is_empty()) {
        Some(chunk) => words.push(format!("chunks {chunk}")),
        None if s.kind.is_empty() => {}
        None => words.push(s.kind.to_string()),
    }
    for codec in &s.codecs {
        let level = codec.level.map(|l| format!(":{l}")).unwrap_or_default();
        let detail = if codec.detail.is_empty() { String::new() } else { format!(" ({})", escape(&codec.detail)) };
        words.push(format!("{}{level}{detail}", escape(&codec.name)));
    }
    if matches!(var.stored, StoredType::Number { dtype, order: ByteOrder::Big } if dtype.size() > 1) {
        words.push("big-endian".into());
    }
    words.extend(match (s.stored_bytes, var.decoded_bytes()) {
        (Some(stored), Some(decoded)) if stored == decoded => Some(Bytes(stored).to_string()),
        (Some(0), Some(decoded)) => Some(format!("0B -> {}", Bytes(decoded))),
        (Some(stored), Some(decoded)) => {
            let ratio = decoded as f64 / stored as f64;
            Some(format!("{} -> {} ({ratio:.1}x)", Bytes(stored), Bytes(decoded)))
        }
        (Some(stored), None) => Some(Bytes(stored).to_string()),
        (None, Some(decoded)) => Some(format!("{} decoded", Bytes(decoded))),
        (None, None) => None,
    });
    words.join(", ")
}

/// The first and last values of a small coordinate, as stored; `None` where they cannot be read cheaply.
fn first_and_last(dataset: &Dataset, var: &VarMeta) -> Option<String> {
    let len = var.shape.elements().ok()?;
    let (rank_max, len_max) = match var.stored {
        StoredType::Number { .. } => (1, SHOWN_VALUES_MAX),
        StoredType::Text | StoredType::FixedText(_) => (1, SHOWN_TEXTS_MAX),
        // The last dimension is the length of the strings.
        StoredType::Char => (2, SHOWN_VALUES_MAX),
        StoredType::Other(_) => return None,
    };
    if var.shape.len() > rank_max || len > len_max {
        return None;
    }
    let Some(dtype) = var.stored.dtype() else {
        let texts = dataset.texts(&var.path).ok()?;
        let quoted: Vec<String> = texts.iter().map(|t| format!("'{}'", short(t, 30))).collect();
        return Some(abbreviate(&quoted, 3, " "));
    };
    let shown = |bytes: &[u8]| {
        let numbers = (0..bytes.len() / dtype.size()).filter_map(|k| Number::at(dtype, bytes, k)).map(Number::exact);
        Some(abbreviate(&numbers.collect::<Vec<String>>(), 3, " "))
    };
    if dataset.container().is_none() {
        if is_packed(&var.attrs) {
            return None;
        }
        let numbers = dataset.numbers(&var.path).ok()?;
        let bytes = with_dtype!(dtype, T => {
            let all: Vec<T> = numbers.iter().map(|&x| T::from_f64(x)).collect();
            bytemuck::cast_slice::<T, u8>(&all).to_vec()
        });
        return shown(&bytes);
    }
    let source = dataset.source(&var.path).ok()?;
    shown(read_all(source.as_ref(), &Budget::new(SHOWN_BYTES_MAX)).ok()?.bytes())
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn reads_like_xarray() {
        let root = sample::root();
        let mut out = Vec::new();
        info(&mut out, &sample::listing(&root)).unwrap();
        let expected = "\
in.nc: NetCDF-4, 3.0KiB
Dimensions:  (time: 4 unlimited, lat: 2, lon: 3)
Coordinates:
  * time  (time: 4) float64
        [contiguous, 32B decoded]
        units: days since 2000-01-01
    area  (lat: 2, lon: 3) float32
        [contiguous, big-endian, 24B decoded]
Data variables:
    t     (time: 4, lat: 2, lon: 3) int16
        [chunks (1, 2, 3), shuffle, deflate:4, 12B -> 48B (4.0x)]
        coordinates: area
        scale_factor: 0.1
        valid_range: [-inf, NaN]
        comment: two\\nlines \\u{1b}[31m \"red\"
Attributes:
    Conventions: CF-1.8

  Group /deep:
  Data variables:
      q  (time: 4) uint8
          [contiguous, 4B decoded]
          flag_values: [0, 1, 255]
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
