//! What `aosx diff` compares: the metadata of two files at once, and lazy arrays that say how values differ.

use super::{Dataset, encoded::attribute_as};
use crate::{
    array::{Closeness, Index, LazyArray},
    attrs::{Attrs, Value},
    cf::decoding::{ENCODING, ValidRange},
    dtype::{DType, NumberKind},
    error::{Error, Result},
    kernels::fold::{FoldOptions, Op},
    shape::Shape,
    source::{Dimension, Group, StoredType, VarMeta},
};
use std::collections::BTreeSet;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Metadata and values.
    #[default]
    All,
    /// Groups, dimensions, attributes, types and shapes.
    Metadata,
    /// Values of variables that both have.
    Values,
}

/// How far apart values may be: `|a - b| <= atol + rtol * |b|`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tolerance {
    /// Relative to the second file's value.
    pub rtol: f64,
    /// The least.
    pub atol: f64,
}

/// A request to compare two files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// Paths of variables; none means all that either has.
    pub variables: Vec<String>,
    /// What is compared.
    pub extent: Extent,
    /// How far apart values may be.
    pub within: Tolerance,
}

/// Whether a difference is one of what is said, or only of the containers that say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The files say different things.
    Content,
    /// Chunks, filters, byte order, attributes of the libraries, and what one of the formats has no place for.
    Container,
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The variable's or the group's path.
    pub path: String,
    /// What of it.
    pub part: Part,
    /// In the first file; `None` where that lacks it.
    pub first: Option<Value>,
    /// In the second file.
    pub second: Option<Value>,
    /// Whose difference it is.
    pub cause: Cause,
}

/// What of a variable or a group differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The group itself is there or not.
    Group,
    /// The length of a dimension.
    Dimension(String),
    /// Whether a dimension is unlimited.
    Unlimited(String),
    /// An attribute.
    Attribute(String),
    /// The type of an attribute's equal numbers.
    AttributeType(String),
    /// The variable itself is there or not.
    Variable,
    /// The type that is stored.
    Type,
    /// The names and lengths of its dimensions.
    Dimensions,
    /// Its strings: how many differ.
    Texts,
    /// Its chunks.
    Chunks,
    /// Its filters.
    Filters,
}

/// The values of a variable in both files, to be compared.
#[derive(Clone)]
pub struct Pair {
    /// The variable's path.
    pub path: String,
    /// Its dimensions, in the first file.
    pub dims: Vec<String>,
    /// The values in each file, decoded.
    pub values: [LazyArray; 2],
    /// What is to be computed, in one pass, for [`Outcome::of`].
    pub counts: Vec<LazyArray>,
}

/// How the values of a variable differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How many do.
    pub differing: u64,
    /// How many of these are missing in one file only.
    pub missing_in_one: u64,
    /// The largest absolute difference between numbers; NaN where there is none.
    pub largest: f64,
    /// The position of the first value that differs.
    pub first: Option<Vec<u64>>,
}

impl Comparison {
    /// The differences of metadata and of strings, and the values that are to be compared.
    ///
    /// # Errors
    /// When neither has a variable that is named, or its index is broken.
    pub fn of(&self, a: &Dataset, b: &Dataset) -> Result<(Vec<Difference>, Vec<Pair>)> {
        let mut finding = Finding { files: [a, b], json: [is_json(a), is_json(b)], found: Vec::new() };
        if self.extent != Extent::Values && self.variables.is_empty() {
            finding.groups("", Some(a.root()), Some(b.root()));
        }
        let mut pairs = Vec::new();
        for path in self.paths(a, b)? {
            let (Some(x), Some(y)) = (a.root().var(&path), b.root().var(&path)) else {
                let here = |d: &Dataset| d.root().var(&path).map(|v| Value::Text(v.stored.to_string()));
                finding.add(&path, Part::Variable, here(a), here(b), Cause::Content);
                continue;
            };
            if self.extent != Extent::Values {
                finding.variable(x, y);
            }
            if self.extent != Extent::Metadata {
                finding.values(x, y, self.within, &mut pairs)?;
            }
        }
        Ok((finding.found, pairs))
    }

    fn paths(&self, a: &Dataset, b: &Dataset) -> Result<Vec<String>> {
        let all = |d: &Dataset| d.root().all_vars().into_iter().map(|v| v.path.clone()).collect::<Vec<String>>();
        let mut paths: Vec<String> = if self.variables.is_empty() {
            all(a).into_iter().chain(all(b)).collect()
        } else {
            for name in &self.variables {
                if b.root().var(name).is_none() {
                    a.variable(name)?;
                }
            }
            self.variables.iter().map(|name| name.trim_start_matches('/').to_string()).collect()
        };
        let mut seen = BTreeSet::new();
        paths.retain(|path| seen.insert(path.clone()));
        Ok(paths)
    }
}

fn is_json(dataset: &Dataset) -> bool {
    dataset.format().starts_with("Zarr")
}

/// Attributes that containers write for themselves, or readers make up.
const CONTAINERS: [&str; 8] = [
    "_NCProperties",
    "_ARRAY_DIMENSIONS",
    "_Netcdf4Coordinates",
    "_Netcdf4Dimid",
    "_nc3_strict",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "CLASS",
];

struct Finding<'a> {
    files: [&'a Dataset; 2],
    /// Whose attributes are JSON, without types.
    json: [bool; 2],
    found: Vec<Difference>,
}

impl Finding<'_> {
    fn add(&mut self, path: &str, part: Part, first: Option<Value>, second: Option<Value>, cause: Cause) {
        self.found.push(Difference { path: path.to_string(), part, first, second, cause });
    }

    /// Groups with all in them but variables.
    fn groups(&mut self, path: &str, a: Option<&Group>, b: Option<&Group>) {
        let (Some(x), Some(y)) = (a, b) else {
            let here = |g: Option<&Group>| g.map(|g| Value::Text(g.name.clone()));
            return self.add(path, Part::Group, here(a), here(b), Cause::Content);
        };
        self.dimensions(path, x, y);
        self.attributes(path, &x.attrs, &y.attrs);
        let mut names: Vec<&str> = x.groups.iter().map(|g| g.name.as_str()).collect();
        names.extend(y.groups.iter().map(|g| g.name.as_str()).filter(|n| x.groups.iter().all(|g| g.name != *n)));
        for name in names {
            let inner = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            let of = |g: &'_ Group| g.groups.iter().position(|g| g.name == name);
            self.groups(&inner, of(x).map(|k| &x.groups[k]), of(y).map(|k| &y.groups[k]));
        }
    }

    fn dimensions(&mut self, path: &str, a: &Group, b: &Group) {
        let mut names: Vec<&str> = a.dims.iter().map(|d| d.name.as_str()).collect();
        names.extend(b.dims.iter().map(|d| d.name.as_str()).filter(|n| a.dims.iter().all(|d| d.name != *n)));
        for name in names {
            let of = |g: &Group| g.dims.iter().find(|d| d.name == name).cloned();
            let (x, y) = (of(a), of(b));
            let length = |d: &Option<Dimension>| d.as_ref().map(|d| Value::U64(vec![d.len]));
            if length(&x) != length(&y) {
                // Zarr declares its dimensions only where variables have them, wherever that is.
                let lacks = |d: &Option<Dimension>, k: usize| d.is_none() && self.json[k];
                let cause = if lacks(&x, 0) || lacks(&y, 1) { Cause::Container } else { Cause::Content };
                self.add(path, Part::Dimension(name.to_string()), length(&x), length(&y), cause);
            } else if let (Some(x), Some(y)) = (x, y)
                && x.unlimited != y.unlimited
            {
                let word = |d: &Dimension| Some(Value::Text(if d.unlimited { "unlimited" } else { "fixed" }.into()));
                let cause = if self.json.contains(&true) || x.len == 0 { Cause::Container } else { Cause::Content };
                self.add(path, Part::Unlimited(name.to_string()), word(&x), word(&y), cause);
            }
        }
    }

    fn attributes(&mut self, path: &str, a: &Attrs, b: &Attrs) {
        let mut names: Vec<&str> = a.iter().map(|(name, _)| name).collect();
        names.extend(b.iter().map(|(name, _)| name).filter(|name| a.get(name).is_none()));
        for name in names {
            let (x, y) = (a.get(name), b.get(name));
            let (part, cause) = match (x, y) {
                (Some(x), Some(y)) if same(x, y) => continue,
                (Some(x), Some(y)) if self.alike(x, y) => {
                    (Part::AttributeType(name.to_string()), self.cause_of_types(x, y))
                }
                _ if CONTAINERS.contains(&name) => (Part::Attribute(name.to_string()), Cause::Container),
                _ => (Part::Attribute(name.to_string()), Cause::Content),
            };
            self.add(path, part, x.cloned(), y.cloned(), cause);
        }
    }

    /// Whether two values say the same in different types.
    fn alike(&self, x: &Value, y: &Value) -> bool {
        if let (Some(x), Some(y)) = (x.text(), y.text()) {
            return x == y;
        }
        let words = |v: &Value| match v {
            Value::Texts(words) => Some(words.join(" ")),
            Value::Text(text) | Value::Json(text) => Some(text.clone()),
            _ => None,
        };
        if let (Some(x), Some(y)) = (words(x), words(y)) {
            return x == y;
        }
        let is_nothing = |v: &Value| match v {
            Value::Text(text) | Value::Json(text) => text.is_empty() || text == "[]",
            Value::Texts(words) => words.is_empty(),
            v => v.numbers().is_some_and(|n| n.is_empty()),
        };
        if is_nothing(x) && is_nothing(y) {
            return true;
        }
        let numbers = |v: &Value| match v {
            Value::Bool(v) => Some(v.iter().map(|&b| f64::from(u8::from(b))).collect()),
            v => v.numbers(),
        };
        let (Some(p), Some(q)) = (numbers(x), numbers(y)) else { return false };
        let equal = |(p, q): (&f64, &f64)| p == q || (p.is_nan() && q.is_nan());
        let wide = |v: &Value| matches!(v, Value::I64(_) | Value::U64(_));
        // Two kinds of 64-bit integers are equal only where one holds the other's numbers.
        let exact = !(wide(x) && wide(y)) || attribute_as(x, y.dtype().unwrap_or(DType::F64)).is_some();
        p.len() == q.len() && exact && p.iter().zip(&q).all(equal)
    }

    /// Types that one of the containers does not have are its own matter.
    fn cause_of_types(&self, x: &Value, y: &Value) -> Cause {
        let classic = self.files.iter().any(|f| f.format().starts_with("NetCDF classic"));
        let texts = x.dtype().is_none() && y.dtype().is_none();
        if self.json.contains(&true) || classic || texts { Cause::Container } else { Cause::Content }
    }

    fn variable(&mut self, a: &VarMeta, b: &VarMeta) {
        let path = a.path.as_str();
        let text = |words: String| Some(Value::Text(words));
        if !same_type(&a.stored, &b.stored) {
            self.add(path, Part::Type, text(a.stored.to_string()), text(b.stored.to_string()), Cause::Content);
        } else if a.stored != b.stored {
            let words = |v: &VarMeta| match &v.stored {
                StoredType::Number { dtype, order } => text(format!("{dtype}, {order:?} endian")),
                other => text(other.to_string()),
            };
            self.add(path, Part::Type, words(a), words(b), Cause::Container);
        }
        if a.shape != b.shape || a.dims != b.dims {
            let named = a.dims_named && b.dims_named;
            let cause = if a.shape == b.shape && !named { Cause::Container } else { Cause::Content };
            self.add(path, Part::Dimensions, text(dims(a)), text(dims(b)), cause);
        }
        self.attributes(path, &a.attrs, &b.attrs);
        let chunks = |v: &VarMeta| match (&v.storage.chunk, &v.storage.shard) {
            (Some(chunk), Some(shard)) => text(format!("{chunk} in shards of {shard}")),
            (Some(chunk), None) => text(chunk.to_string()),
            (None, _) => text(v.storage.kind.to_string()),
        };
        let filters = |v: &VarMeta| {
            let word = |c: &crate::source::CodecMeta| match c.level {
                Some(level) => format!("{}:{level}", c.name),
                None => c.name.clone(),
            };
            let all: Vec<String> = v.storage.codecs.iter().map(word).collect();
            text(if all.is_empty() { "none".into() } else { all.join(",") })
        };
        for (part, x, y) in [(Part::Chunks, chunks(a), chunks(b)), (Part::Filters, filters(a), filters(b))] {
            if x != y {
                self.add(path, part, x, y, Cause::Container);
            }
        }
    }

    fn values(&mut self, a: &VarMeta, b: &VarMeta, within: Tolerance, pairs: &mut Vec<Pair>) -> Result<()> {
        if a.shape != b.shape {
            let text = |v: &VarMeta| Some(Value::Text(dims(v)));
            let part = Part::Dimensions;
            if !self.found.iter().any(|d| d.path == a.path && d.part == part) {
                self.add(&a.path, part, text(a), text(b), Cause::Content);
            }
            return Ok(());
        }
        match (a.stored.element_bytes(), b.stored.element_bytes()) {
            (Some(_), Some(_)) if is_char(a) == is_char(b) && !a.shape.contains(&0) => {
                pairs.push(Pair::new(self.files, a, b, within)?);
            }
            (None, None) if is_text(a) && is_text(b) => {
                let (x, y) = (self.files[0].texts(&a.path)?, self.files[1].texts(&a.path)?);
                if let Some(first) = (0..x.len().max(y.len())).find(|&k| x.get(k) != y.get(k)) {
                    let of = |t: &[String]| t.get(first).map(|t| Value::Text(t.clone()));
                    self.add(&a.path, Part::Texts, of(&x), of(&y), Cause::Content);
                }
            }
            // Other types are no numbers, and that they differ has been said.
            _ => {}
        }
        Ok(())
    }
}

fn is_char(v: &VarMeta) -> bool {
    v.stored == StoredType::Char
}

fn is_text(v: &VarMeta) -> bool {
    matches!(v.stored, StoredType::Text | StoredType::FixedText(_))
}

fn same_type(a: &StoredType, b: &StoredType) -> bool {
    match (a, b) {
        (StoredType::Number { dtype: a, .. }, StoredType::Number { dtype: b, .. }) => a == b,
        (StoredType::Text | StoredType::FixedText(_), StoredType::Text | StoredType::FixedText(_)) => true,
        _ => a == b,
    }
}

/// Dimensions with their lengths.
fn dims(v: &VarMeta) -> String {
    let all: Vec<String> = v.dims.iter().zip(v.shape.iter()).map(|(d, n)| format!("{d}={n}")).collect();
    format!("({})", all.join(", "))
}

/// The same value in the same type; NaN is NaN.
fn same(x: &Value, y: &Value) -> bool {
    let floats = |v: &Value| v.dtype().filter(|d| d.is_float()).and_then(|_| v.numbers());
    match (floats(x), floats(y)) {
        (Some(p), Some(q)) if x.dtype() == y.dtype() => {
            p.len() == q.len() && p.iter().zip(&q).all(|(p, q)| p == q || (p.is_nan() && q.is_nan()))
        }
        _ => x == y,
    }
}

impl Pair {
    fn new(files: [&Dataset; 2], a: &VarMeta, b: &VarMeta, within: Tolerance) -> Result<Pair> {
        let encoded_alike = ENCODING[..5].iter().all(|name| match (a.attrs.get(name), b.attrs.get(name)) {
            (None, None) => true,
            (Some(x), Some(y)) => same(x, y) || x.numbers().is_some_and(|p| y.numbers() == Some(p)),
            _ => false,
        });
        let close = within != Tolerance::default();
        let as_stored = same_type(&a.stored, &b.stored) && encoded_alike && !close;
        let stored =
            |file: &Dataset, meta: &VarMeta| -> Result<LazyArray> { Ok(file.array(&meta.path)?.without_dims()) };
        let decoded = |file: &Dataset, meta: &VarMeta| match is_char(meta) {
            true => stored(file, meta),
            false => Ok(file.decoded(&meta.path, ValidRange::Ignore)?.without_dims()),
        };
        let meant = [decoded(files[0], a)?, decoded(files[1], b)?];
        // What is stored is compared exactly; by how much is said in units of the variable.
        let compared = match as_stored {
            true => [stored(files[0], a)?, stored(files[1], b)?],
            false => meant.clone(),
        };
        let dims = a.dims.clone();
        let path = a.path.clone();
        let wrong = |e: Error| e.in_variable(&path);
        let counts = counts(&compared, &meant, within).map_err(wrong)?;
        Ok(Pair { path: a.path.clone(), dims, values: meant, counts })
    }

    /// The value at one position in each file.
    ///
    /// # Errors
    /// When there is no such position.
    pub fn at(&self, position: &[u64]) -> Result<[LazyArray; 2]> {
        let parts: Vec<Index> = position.iter().map(|&n| Index::At(n as i64)).collect();
        Ok([self.values[0].get(&parts)?, self.values[1].get(&parts)?])
    }

    /// How many values there are.
    pub fn size(&self) -> u64 {
        self.values[0].size()
    }
}

/// How many values differ, where the first is, the largest difference, and how many are missing in one only: both of these
/// of what the values that are `compared` mean.
fn counts(compared: &[LazyArray; 2], meant: &[LazyArray; 2], within: Tolerance) -> Result<Vec<LazyArray>> {
    let alike = |[x, y]: &[LazyArray; 2]| {
        let common = x.dtype().promote(y.dtype());
        (x.astype(common), y.astype(common), common.is_float())
    };
    let (x, y, floats) = alike(compared);
    let differs = if within == Tolerance::default() {
        let differs = x.not_equal(&y)?;
        if floats { differs.logical_and(&x.isnan()?.logical_and(&y.isnan()?)?.logical_not()?)? } else { differs }
    } else {
        let closeness = Closeness { rtol: within.rtol, atol: within.atol, equal_nan: true };
        x.isclose(&y, closeness)?.logical_not()?
    };
    let axes = differs.all_axes();
    let flags = differs.astype(DType::U8);
    let fold = |array: &LazyArray, op: Op| array.reduce(op, &axes, FoldOptions::default());
    let (x, y, floats) = alike(meant);
    let mut out = vec![fold(&flags, Op::Sum)?, fold(&flags, Op::ArgMax)?, fold(&distance(&x, &y)?, Op::Max)?];
    if floats {
        let lone = x.isnan()?.not_equal(&y.isnan()?)?;
        out.push(fold(&lone.astype(DType::U8), Op::Sum)?);
    }
    Ok(out)
}

/// The absolute difference, exact for integers.
fn distance(x: &LazyArray, y: &LazyArray) -> Result<LazyArray> {
    match x.dtype().kind() {
        NumberKind::Float => x.astype(DType::F64).subtract(&y.astype(DType::F64))?.abs(),
        NumberKind::Signed if x.dtype().size() < 8 => x.astype(DType::I64).subtract(&y.astype(DType::I64))?.abs(),
        NumberKind::Signed => x.astype(DType::F64).subtract(&y.astype(DType::F64))?.abs(),
        NumberKind::Unsigned | NumberKind::Bool => {
            let (x, y) = (x.astype(DType::U64), y.astype(DType::U64));
            x.maximum(&y)?.subtract(&x.minimum(&y)?)
        }
    }
}

impl Outcome {
    /// What the values of [`Pair::counts`] mean, given as numbers; `shape` is the variable's.
    pub fn of(counts: &[f64], shape: &Shape) -> Outcome {
        let count = |k: usize| counts.get(k).map_or(0, |x| *x as u64);
        let differing = count(0);
        let first = (differing > 0).then(|| {
            let mut rest = count(1);
            let mut position = vec![0; shape.len()];
            for k in (0..shape.len()).rev() {
                position[k] = rest % shape[k].max(1);
                rest /= shape[k].max(1);
            }
            position
        });
        let largest = counts.get(2).copied().unwrap_or(f64::NAN);
        Outcome { differing, missing_in_one: count(3), largest, first }
    }
}
