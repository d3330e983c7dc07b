//! What a NetCDF file will hold, decided before any library is called.

use super::fill::{default_fill, number_as};
use crate::{
    attrs::Value,
    dtype::DType,
    error::{Error, Result},
    formats::OutputFormat,
    grid::Grid,
    shape::Shape,
    source::{Group, Storage, StoredType, VarMeta},
};

/// The filters that every reader of NetCDF-4 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Filters {
    /// Bytes gathered by their significance.
    pub shuffle: bool,
    /// The level of deflate, 1 to 9.
    pub deflate: Option<u8>,
    /// Deflate by the fastest encoder, whatever its level says.
    pub fast: bool,
    /// A checksum.
    pub fletcher32: bool,
}

/// How the values of one variable lie in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In one run (or in records), taken in the grid's pieces.
    Plain,
    /// In the grid's chunks.
    Chunked(Filters),
    /// Strings, in these chunks or in one run.
    Texts(Option<Shape>),
}

/// One variable, as netCDF will hold it.
#[derive(Debug)]
pub(super) struct Declared {
    /// With the attributes to write, but `_FillValue`.
    pub meta: VarMeta,
    /// netCDF's number of its type.
    pub nc_type: netcdf_sys::nc_type,
    /// Bytes of an element; those of a pointer for strings.
    pub element_bytes: usize,
    /// The chunks that are taken.
    pub grid: Grid,
    /// Where they go.
    pub place: Place,
    /// Its `_FillValue` in its own type.
    pub fill_declared: Option<Vec<u8>>,
    /// One element of what was never written.
    pub fill: Vec<u8>,
    /// Whether the library takes `fill` by itself for what was never written.
    pub fill_is_implied: bool,
}

/// A whole file.
#[derive(Debug)]
pub(super) struct Schema {
    /// The tree; dimensions are unlimited where the file's will be.
    pub root: Group,
    /// Its variables, outermost first.
    pub vars: Vec<Declared>,
    /// What is written.
    pub format: OutputFormat,
}

impl Schema {
    /// Decides how to hold `root`.
    ///
    /// # Errors
    /// When the format cannot.
    pub fn new(root: &Group, format: OutputFormat) -> Result<Schema> {
        let mut root = root.clone();
        if format == OutputFormat::NetCdf4 {
            empty_is_unlimited(&mut root);
        } else {
            one_record_dimension(&mut root)?;
        }
        let metas: Vec<VarMeta> = root.all_vars().into_iter().cloned().collect();
        let vars = metas
            .into_iter()
            .map(|meta| {
                let path = meta.path.clone();
                declare(&root, meta, format).map_err(|e| e.in_variable(&path))
            })
            .collect::<Result<_>>()?;
        Ok(Schema { root, vars, format })
    }
}

/// netCDF has no fixed dimensions of length 0.
fn empty_is_unlimited(group: &mut Group) {
    group.dims.iter_mut().for_each(|d| d.unlimited |= d.len == 0);
    group.groups.iter_mut().for_each(empty_is_unlimited);
}

/// Leaves one dimension unlimited: an empty one, or the first that always comes first.
fn one_record_dimension(root: &mut Group) -> Result<()> {
    if let Some(group) = root.groups.first() {
        return Err(Error::unsupported(format!(
            "a group ('{}') in a NetCDF classic file (NetCDF-4 has them)",
            group.name
        )));
    }
    let leads = |name: &str| root.vars.iter().all(|v| v.dims.iter().skip(1).all(|d| d != name));
    let empty: Vec<&str> = root.dims.iter().filter(|d| d.len == 0).map(|d| d.name.as_str()).collect();
    let record = match empty[..] {
        [] => root.dims.iter().find(|d| d.unlimited && leads(&d.name)).map(|d| d.name.clone()),
        [name] if leads(name) => Some(name.to_string()),
        [name, ..] => {
            return Err(Error::unsupported(format!(
                "dimension '{name}' of length 0 in a NetCDF classic file, beside others or behind them (NetCDF-4 can)"
            )));
        }
    };
    root.dims.iter_mut().for_each(|d| d.unlimited = Some(&d.name) == record.as_ref());
    Ok(())
}

fn declare(root: &Group, mut meta: VarMeta, format: OutputFormat) -> Result<Declared> {
    let unlimited = resolve(root, &meta)?;
    let (nc_type, dtype, element_bytes) = type_of(&meta.stored, format)?;
    if dtype == Some(DType::Bool) && meta.attrs.get("dtype").is_none() {
        meta.attrs.set("dtype", "bool");
    }
    let (grid, place) = place(&meta, &unlimited, element_bytes, format)?;
    let fill_declared = match (meta.attrs.remove("_FillValue"), dtype) {
        (None, _) => None,
        (Some(value), Some(dtype)) => Some(number_as(&value, dtype).ok_or_else(|| {
            Error::unsupported(format!("a _FillValue in a variable of {} that is not one such number", meta.stored))
        })?),
        (Some(value), None) => Some(text_fill(&value, &meta.stored)?),
    };
    let implied = match dtype {
        Some(dtype) => default_fill(dtype),
        None => vec![0; element_bytes],
    };
    let wished = match (&meta.fill, dtype) {
        (Some(value), Some(dtype)) => number_as(value, dtype),
        _ => None,
    };
    let fill = fill_declared.clone().or(wished).unwrap_or_else(|| implied.clone());
    // netCDF's own default for a byte is not false.
    let fill_is_implied = fill_declared.is_some() || (fill == implied && dtype != Some(DType::Bool));
    Ok(Declared { meta, nc_type, element_bytes, grid, place, fill_declared, fill, fill_is_implied })
}

/// Which of a variable's dimensions are unlimited.
fn resolve(root: &Group, meta: &VarMeta) -> Result<Vec<bool>> {
    if meta.dims.len() != meta.shape.len() {
        return Err(Error::corrupt("schema", format!("{} names for the shape {}", meta.dims.len(), meta.shape)));
    }
    meta.dims
        .iter()
        .zip(meta.shape.iter())
        .map(|(name, len)| match root.dim(meta.group(), name) {
            Some(dim) if dim.len == *len => Ok(dim.unlimited),
            Some(dim) => Err(Error::corrupt("schema", format!("dimension '{name}' has length {}, not {len}", dim.len))),
            None => Err(Error::corrupt("schema", format!("dimension '{name}' is not declared"))),
        })
        .collect()
}

/// netCDF's type, the type of the numbers, and the bytes of an element.
fn type_of(stored: &StoredType, format: OutputFormat) -> Result<(netcdf_sys::nc_type, Option<DType>, usize)> {
    let dtype = match stored {
        StoredType::Number { dtype, .. } => *dtype,
        StoredType::Char => return Ok((netcdf_sys::NC_CHAR, None, 1)),
        StoredType::Text | StoredType::FixedText(_) if format == OutputFormat::NetCdf4 => {
            return Ok((netcdf_sys::NC_STRING, None, size_of::<usize>()));
        }
        StoredType::Text | StoredType::FixedText(_) => {
            return Err(Error::unsupported("a variable of strings in a NetCDF classic file (NetCDF-4 has them)"));
        }
        StoredType::Other(words) => return Err(Error::unsupported(format!("writing {words} to NetCDF"))),
    };
    let nc_type = match dtype {
        DType::Bool | DType::I8 => netcdf_sys::NC_BYTE,
        DType::I16 => netcdf_sys::NC_SHORT,
        DType::I32 => netcdf_sys::NC_INT,
        DType::F32 => netcdf_sys::NC_FLOAT,
        DType::F64 => netcdf_sys::NC_DOUBLE,
        DType::F16 => return Err(Error::unsupported("float16 in NetCDF, which has no such type,")),
        _ if format == OutputFormat::NetCdf3 => {
            return Err(Error::usage(format!(
                "NetCDF with 64-bit offsets has no {dtype}; write with --format nc5, or to NetCDF-4"
            )));
        }
        DType::I64 => netcdf_sys::NC_INT64,
        DType::U8 => netcdf_sys::NC_UBYTE,
        DType::U16 => netcdf_sys::NC_USHORT,
        DType::U32 => netcdf_sys::NC_UINT,
        DType::U64 => netcdf_sys::NC_UINT64,
    };
    Ok((nc_type, Some(dtype), dtype.size()))
}

fn text_fill(value: &Value, stored: &StoredType) -> Result<Vec<u8>> {
    let wrong = || Error::unsupported(format!("a _FillValue in a variable of {stored} that is not one such text"));
    let bytes = value.text().ok_or_else(wrong)?.as_bytes();
    match (stored, bytes) {
        (StoredType::Char, []) => Ok(vec![0]),
        (StoredType::Char, [_]) => Ok(bytes.to_vec()),
        (StoredType::Char, _) => Err(wrong()),
        _ => Ok(bytes.to_vec()),
    }
}

fn place(meta: &VarMeta, unlimited: &[bool], element_bytes: usize, format: OutputFormat) -> Result<(Grid, Place)> {
    let Storage { chunk, codecs, kind, .. } = &meta.storage;
    let any_unlimited = unlimited.contains(&true);
    let wants_chunks = any_unlimited || !codecs.is_empty() || (chunk.is_some() && *kind != "contiguous");
    let grid = match chunk {
        Some(chunk) => Grid::new(meta.shape.clone(), within(chunk, &meta.shape, unlimited))?,
        None => Grid::of_contiguous(meta.shape.clone(), element_bytes)?,
    };
    let place = match &meta.stored {
        StoredType::Text | StoredType::FixedText(_) => {
            Place::Texts((any_unlimited && !meta.shape.is_empty()).then(|| grid.chunk().clone()))
        }
        _ if format == OutputFormat::NetCdf4 && wants_chunks && !meta.shape.is_empty() => {
            Place::Chunked(filters(&meta.storage, element_bytes))
        }
        _ => Place::Plain,
    };
    Ok((grid, place))
}

/// A chunk is no longer than a fixed dimension.
fn within(chunk: &Shape, shape: &Shape, unlimited: &[bool]) -> Shape {
    chunk
        .iter()
        .enumerate()
        .map(|(k, c)| match (unlimited.get(k), shape.get(k)) {
            (Some(false), Some(n)) => (*c).min((*n).max(1)),
            _ => *c,
        })
        .collect()
}

/// Zarr's steps that change numbers or gather chunks, and make nothing smaller by themselves.
const NOT_FILTERS: [&str; 5] = ["transpose", "sharding_indexed", "vlen-utf8", "bitround", "quantize"];

fn filters(storage: &Storage, element_bytes: usize) -> Filters {
    let mut filters = Filters::default();
    for codec in &storage.codecs {
        match codec.name.as_str() {
            "shuffle" => filters.shuffle = true,
            "fletcher32" => filters.fletcher32 = true,
            "deflate" | "zlib" | "gzip" => {
                let level = codec.level.unwrap_or(1).clamp(0, 9) as u8;
                filters.deflate = (level > 0).then_some(level);
                filters.fast = codec.detail.split(' ').any(|word| word == "fast");
            }
            "crc32c" | "crc32" | "adler32" => filters.fletcher32 = true,
            name if NOT_FILTERS.contains(&name) => {}
            _ => {
                filters.shuffle = true;
                filters.deflate = filters.deflate.or(Some(1));
            }
        }
    }
    filters.shuffle &= element_bytes > 1;
    filters
}
