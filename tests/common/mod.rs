//! What several tests need: small files made through the library.
#![allow(dead_code)] // each test binary uses a part of it

use aosx::{
    attrs::Attrs,
    budget::Budget,
    codec::Scratch,
    dtype::DType,
    formats::{self, OutputFormat},
    shape::{Region, Shape},
    source::{CodecMeta, Dimension, Group, Sink, Storage, StoredType, VarMeta},
    units::Bytes,
};
use std::path::Path;

pub const FORMATS: [(OutputFormat, &str); 5] = [
    (OutputFormat::NetCdf4, "4.nc"),
    (OutputFormat::NetCdf3, "3.nc"),
    (OutputFormat::NetCdf5, "5.nc"),
    (OutputFormat::Zarr2, "2.zarr"),
    (OutputFormat::Zarr3, "3.zarr"),
];

/// Whether a variable can have the type.
pub fn holds(format: OutputFormat, dtype: DType) -> bool {
    match dtype {
        DType::F16 => matches!(format, OutputFormat::Zarr2 | OutputFormat::Zarr3),
        DType::I64 | DType::U8 | DType::U16 | DType::U32 | DType::U64 => format != OutputFormat::NetCdf3,
        _ => true,
    }
}

/// A variable, chunked and deflated or contiguous.
pub fn var(path: &str, dtype: DType, dims: &[Dimension], chunk: Option<&[u64]>) -> VarMeta {
    let codec = |name: &str| CodecMeta { name: name.into(), level: Some(1), detail: String::new() };
    VarMeta {
        path: path.into(),
        stored: StoredType::native(dtype),
        shape: dims.iter().map(|d| d.len).collect(),
        dims: dims.iter().map(|d| d.name.clone()).collect(),
        dims_named: true,
        attrs: Attrs::new(),
        fill: None,
        storage: Storage {
            chunk: chunk.map(Shape::from),
            codecs: if chunk.is_some() { vec![codec("shuffle"), codec("deflate")] } else { vec![] },
            ..Storage::default()
        },
    }
}

pub fn dim(name: &str, len: u64) -> Dimension {
    Dimension { name: name.into(), len, unlimited: false }
}

/// Writes a variable chunk by chunk, each by its region.
pub fn fill(sink: &dyn Sink, variable: &str, bytes: impl Fn(&Region) -> Vec<u8>) {
    let size = sink.scratch(variable).unwrap();
    let mut scratch = Scratch::new(size, Budget::new(Bytes(size.bytes())).lease(size.bytes(), "test").unwrap());
    let grid = sink.grid(variable).unwrap().clone();
    for n in 0..grid.chunks() {
        let chunk = grid.index(n);
        sink.write(variable, &chunk, &bytes(&grid.region(&chunk)), &mut scratch).unwrap();
    }
}

/// A file of variables with all their bytes, row-major.
pub fn create(path: &Path, format: OutputFormat, dims: &[Dimension], vars: &[(VarMeta, Vec<u8>)]) {
    create_with(path, format, &[], dims, vars);
}

/// The same, with global attributes.
pub fn create_with(
    path: &Path,
    format: OutputFormat,
    said: &[(&str, &str)],
    dims: &[Dimension],
    vars: &[(VarMeta, Vec<u8>)],
) {
    let mut attrs = Attrs::new();
    said.iter().for_each(|(name, value)| attrs.set(name, *value));
    let vars_only = vars.iter().map(|(v, _)| v.clone()).collect();
    let root = Group { attrs, dims: dims.to_vec(), vars: vars_only, ..Group::default() };
    let sink = formats::create(path, format, &root).unwrap();
    for (var, bytes) in vars {
        let element = var.stored.element_bytes().unwrap();
        fill(&*sink, &var.path, |region| cut(bytes, &var.shape, element, region));
    }
    sink.finish().unwrap();
}

/// The elements of a region of a row-major array.
fn cut(all: &[u8], shape: &Shape, element: usize, region: &Region) -> Vec<u8> {
    let strides = shape.strides();
    let mut out = Vec::new();
    for mut n in 0..region.shape.elements().unwrap() {
        let mut at = 0;
        for k in (0..shape.len()).rev() {
            at += (region.start[k] + n % region.shape[k]) * strides[k];
            n /= region.shape[k];
        }
        let at = at as usize * element;
        out.extend_from_slice(&all[at..at + element]);
    }
    out
}
