//! A small file as a tree, for the tests of this room.

use super::Listing;
use crate::{
    attrs::{Attrs, Value},
    dtype::{ByteOrder, DType},
    source::{CodecMeta, Dimension, Group, Storage, StoredType, VarMeta},
};
use std::path::Path;

pub fn root() -> Group {
    let dim = |name: &str, len, unlimited| Dimension { name: name.into(), len, unlimited };
    let mut time = var("time", DType::F64, &[("time", 4)]);
    time.attrs.set("units", "days since 2000-01-01");
    let mut area = var("area", DType::F32, &[("lat", 2), ("lon", 3)]);
    area.stored = StoredType::Number { dtype: DType::F32, order: ByteOrder::Big };
    let mut t = var("t", DType::I16, &[("time", 4), ("lat", 2), ("lon", 3)]);
    t.storage = Storage {
        chunk: Some(vec![1, 2, 3].into()),
        shard: None,
        codecs: vec![codec("shuffle", None, ""), codec("deflate", Some(4), "")],
        stored_bytes: Some(12),
        kind: "chunked",
    };
    t.attrs.set("coordinates", "area");
    t.attrs.set("scale_factor", Value::F32(vec![0.1]));
    t.attrs.set("valid_range", Value::F64(vec![f64::NEG_INFINITY, f64::NAN]));
    t.attrs.set("comment", "two\nlines \x1b[31m \"red\"");
    let mut attrs = Attrs::new();
    attrs.set("Conventions", "CF-1.8");
    let mut q = var("deep/q", DType::U8, &[("time", 4)]);
    q.attrs.set("flag_values", Value::U8(vec![0, 1, 255]));
    let deep = Group { name: "deep".into(), vars: vec![q], ..Group::default() };
    Group {
        name: String::new(),
        attrs,
        dims: vec![dim("time", 4, true), dim("lat", 2, false), dim("lon", 3, false)],
        vars: vec![time, area, t],
        groups: vec![deep],
    }
}

pub fn listing(root: &Group) -> Listing<'_> {
    Listing { file: Path::new("in.nc"), format: "NetCDF-4", file_bytes: Some(3000), root, dataset: None }
}

fn codec(name: &str, level: Option<i32>, detail: &str) -> CodecMeta {
    CodecMeta { name: name.into(), level, detail: detail.into() }
}

fn var(path: &str, dtype: DType, dims: &[(&str, u64)]) -> VarMeta {
    VarMeta {
        path: path.into(),
        stored: StoredType::Number { dtype, order: ByteOrder::Little },
        shape: dims.iter().map(|d| d.1).collect(),
        dims: dims.iter().map(|d| d.0.to_string()).collect(),
        dims_named: true,
        attrs: Attrs::new(),
        fill: None,
        storage: Storage { kind: "contiguous", ..Storage::default() },
    }
}
