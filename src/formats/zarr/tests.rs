//! Stores of `fixtures/zarr/make.py`, hostile ones, and what is written is read again.

use super::*;
use crate::{
    attrs::{Attrs, Value},
    budget::Budget,
    codec::Scratch,
    dtype::DType,
    formats::whole::read_all,
    shape::Shape,
    source::{CodecMeta, Dimension, Storage, StoredType, VarMeta},
    store::ZipArchive,
    units::Bytes,
    with_dtype,
};
use serde_json::json;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/zarr").join(name)
}

/// The stores of `stores.zip` as folders.
fn stores() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let zip = ZipArchive::open(&fixture("stores.zip")).unwrap();
    for (name, entry) in zip.entries() {
        let mut packed = vec![0; entry.stored as usize];
        zip.read_at(zip.data_offset(*entry).unwrap(), &mut packed, name).unwrap();
        let mut out = vec![0; entry.len as usize];
        if entry.is_plain() {
            out = packed
        } else {
            zip.inflate(*entry, &packed, &mut out).unwrap()
        }
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, out).unwrap();
    }
    dir
}

fn numbers(container: &dyn Container, variable: &str) -> Result<Vec<f64>> {
    let source = container.source(variable)?;
    let block = read_all(&*source, &Budget::new(Bytes(1 << 26)))?;
    let dtype = source.meta().stored.dtype().unwrap();
    Ok(with_dtype!(dtype, T => block.elements::<T>().iter().map(|x| crate::dtype::Element::to_f64(*x)).collect()))
}

/// The formula of `make.py`.
fn expected(dtype: DType) -> Vec<f64> {
    (0..105)
        .map(|n| (f64::from(n * 7 % 100), n >= 84))
        .map(|(v, missing)| match dtype {
            DType::Bool if missing => 1.0,
            DType::Bool => v % 2.0,
            _ if missing => 77.0,
            d if d.is_float() => (v - 10.0) / 4.0,
            _ => v,
        })
        .collect()
}

#[test]
fn every_store_reads_as_the_formula() {
    let dir = stores();
    let mut read = 0;
    for item in fs::read_dir(dir.path()).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("xarray") {
            continue;
        }
        let container = open(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        let vars = container.root().all_vars();
        assert_eq!(vars.len(), 1, "{name}");
        let variable = if name.starts_with("lone") { &name[..7] } else { "t" };
        assert_eq!(vars[0].path, variable);
        let got = numbers(&*container, variable);
        if name == "v2_lzma" {
            let e = got.unwrap_err();
            assert_eq!(e.class(), crate::error::Class::Unsupported, "{name}: {e}");
            assert!(e.to_string().contains(&name[3..]), "{e}");
            continue;
        }
        let dtype = vars[0].stored.dtype().unwrap();
        assert_eq!(got.unwrap_or_else(|e| panic!("{name}: {e}")), expected(dtype), "{name}");
        let chunk = vars[0].storage.chunk.clone().unwrap();
        let shown = if name == "shard_nested" { vec![4, 6, 4] } else { vec![2, 3, 2] };
        assert_eq!(chunk.0, shown, "{name}");
        read += 1;
    }
    assert!(read > 60, "{read} stores");
}

#[test]
fn zip_archives_are_stores() {
    for name in ["plain.zip", "packed.zip", "packed_shard.zip", "packed_plain_codec.zip"] {
        let container = open(&fixture(name)).unwrap();
        assert_eq!(numbers(&*container, "t").unwrap(), expected(DType::F32), "{name}");
        assert!(container.format().ends_with("in zip"));
        assert!(container.root().var("t").unwrap().storage.stored_bytes.unwrap() > 0);
    }
}

#[test]
fn what_xarray_writes() {
    let dir = stores();
    for name in ["xarray_v2", "xarray_v3", "xarray_v2_consolidated", "xarray_v3_consolidated"] {
        let container = open(&dir.path().join(name)).unwrap();
        let root = container.root();
        let t = root.var("t").unwrap();
        assert_eq!((t.dims.join(","), t.dims_named), ("time,lat,lon".into(), true));
        assert_eq!(t.attrs.get("_FillValue"), Some(&Value::F32(vec![77.0])), "{name}");
        assert_eq!(t.attrs.get("flags"), Some(&Value::I64(vec![1, 2])));
        assert!(matches!(t.attrs.get("nan"), Some(Value::F64(v)) if v[0].is_nan()), "{name}");
        assert_eq!(t.attrs.get("_ARRAY_DIMENSIONS"), None);
        assert_eq!(root.attrs.get("level"), Some(&Value::F64(vec![f64::INFINITY])));
        assert_eq!(root.var("i").unwrap().attrs.get("_FillValue"), Some(&Value::I16(vec![-9])));
        assert_eq!(root.dim("", "lat").map(|d| d.len), Some(7));
        assert_eq!(root.dim("deep/er", "k").map(|d| d.len), Some(2));
        assert!(root.group("deep/er").unwrap().dims.iter().all(|d| d.name != "lat"), "the root has it");
        let unnamed = root.var("unnamed").unwrap();
        assert_eq!((unnamed.dims.join(","), unnamed.dims_named), ("dim_0,dim_1".into(), false));
        let when = root.var("when").unwrap();
        assert_eq!(when.attrs.text("units"), Some("nanoseconds since 1970-01-01"), "{name}");
        assert_eq!(numbers(&*container, "when").unwrap(), [946_684_800e9], "{name}");
        assert!(container.source("names").is_err());
        assert_eq!(container.texts("names").unwrap(), ["a", "", "łoś", "d", "e"], "{name}");
        assert_eq!(container.texts("wide").unwrap(), ["a", "łoś", "", "d", "e"], "{name}");
        assert_eq!(container.texts("fixed").unwrap(), ["ab", "c", "", "d", "e"], "{name}");
        assert_eq!(numbers(&*container, "deep/er/u").unwrap(), [1.0; 14]);
        assert!(container.source("nope").err().unwrap().to_string().contains("no variable 'nope'"));
    }
}

fn write_v2(dir: &Path, zarray: serde_json::Value) {
    fs::create_dir_all(dir.join("t")).unwrap();
    fs::write(dir.join(".zgroup"), "{\"zarr_format\": 2}").unwrap();
    fs::write(dir.join("t/.zarray"), zarray.to_string()).unwrap();
}

fn zarray() -> serde_json::Value {
    json!({"zarr_format": 2, "shape": [4], "chunks": [2], "dtype": "<i4", "compressor": null, "filters": null,
        "order": "C", "fill_value": null})
}

#[test]
fn broken_chunks_are_errors_with_both_lengths() {
    let dir = tempfile::tempdir().unwrap();
    write_v2(dir.path(), zarray());
    for (len, text) in [(7, "expected 8 bytes, got 7"), (9, "expected 8 bytes, got 9"), (0, "got 0")] {
        fs::write(dir.path().join("t/1"), vec![0; len]).unwrap();
        let e = numbers(&*open(dir.path()).unwrap(), "t").unwrap_err().to_string();
        assert!(e.contains(text) && e.contains("chunk [1]") && e.contains("variable 't'"), "{e}");
    }
    fs::remove_file(dir.path().join("t/1")).unwrap();
    fs::create_dir(dir.path().join("t/1")).unwrap();
    assert!(numbers(&*open(dir.path()).unwrap(), "t").is_err(), "a folder in place of a chunk");
    let mut packed = zarray();
    packed["compressor"] = json!({"id": "zstd", "level": 1});
    write_v2(dir.path(), packed);
    fs::write(dir.path().join("t/0"), b"no zstd").unwrap();
    assert!(numbers(&*open(dir.path()).unwrap(), "t").is_err());
}

#[test]
fn hostile_metadata_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    for (key, bad) in [
        ("shape", json!([-4])),
        ("shape", json!([u64::MAX, 3])),
        ("shape", json!({"a": 1})),
        ("chunks", json!([0])),
        ("chunks", json!([2, 2])),
        ("dtype", json!("<x4")),
        ("dtype", json!("<S99999999999999999999")),
        ("dtype", json!("")),
        ("dtype", json!(null)),
        ("fill_value", json!(1e12)),
        ("order", json!("Z")),
        ("dimension_separator", json!("-")),
    ] {
        let mut document = zarray();
        document[key] = bad;
        write_v2(dir.path(), document.clone());
        let e = open(dir.path()).map(|_| ()).unwrap_err();
        assert!(e.to_string().contains("variable 't'"), "{document}: {e}");
    }
    // Chunks larger than any memory: the metadata is fine, the plan has to refuse it.
    let mut huge = zarray();
    huge["chunks"] = json!([1u64 << 60]);
    write_v2(dir.path(), huge);
    assert!(numbers(&*open(dir.path()).unwrap(), "t").is_err());
    for text in ["{", "[]", "{\"zarr_format\": 2, \"metadata\": 3}", "{\"metadata\": {\"../t/.zarray\": {}}}"] {
        fs::write(dir.path().join(".zmetadata"), text).unwrap();
        assert!(open(dir.path()).is_err(), "{text}");
    }
    let escape = json!({"zarr_format": 3, "node_type": "group", "attributes": {},
        "consolidated_metadata": {"metadata": {"a/../../b": {"node_type": "group"}}}});
    let of_root = |document: serde_json::Value| {
        fs::write(dir.path().join("zarr.json"), document.to_string()).unwrap();
        open(dir.path()).map(|_| ()).unwrap_err()
    };
    of_root(escape);
    let draft = of_root(json!({"zarr_format": "https://purl.org/zarr/spec/protocol/core/3.0", "extensions": []}));
    assert_eq!(draft.class(), crate::error::Class::Unsupported, "{draft}");
    assert!(draft.to_string().contains("core/3.0") && !draft.to_string().contains("variable"), "{draft}");
    let e = of_root(json!({"zarr_format": 3})).to_string();
    assert!(e.contains("it has no node_type") && !e.contains("variable"), "{e}");
}

#[test]
fn folders_that_are_no_store_and_loops_end() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("a/b/loop")).unwrap();
    let e = open(dir.path()).map(|_| ()).unwrap_err().to_string();
    assert!(e.contains("zarr.json"), "{e}");
    // An array below folders without metadata: the groups are implicit.
    write_v2(&dir.path().join("a/b"), zarray());
    fs::remove_file(dir.path().join("a/b/.zgroup")).unwrap();
    let container = open(dir.path()).unwrap();
    assert_eq!(container.root().all_vars().iter().map(|v| v.path.as_str()).collect::<Vec<_>>(), ["a/b/t"]);
    assert_eq!(numbers(&*container, "a/b/t").unwrap(), [0.0; 4], "without chunks and fill value");
}

#[test]
fn a_shard_index_is_checked() {
    let dir = stores();
    let shard = dir.path().join("shard_zstd/t/c/0/0/0");
    let good = fs::read(&shard).unwrap();
    let fails = |bytes: &[u8]| {
        fs::write(&shard, bytes).unwrap();
        numbers(&*open(&dir.path().join("shard_zstd")).unwrap(), "t").unwrap_err().to_string()
    };
    let mut flipped = good.clone();
    let at = good.len() - 20;
    flipped[at] ^= 1;
    assert!(fails(&flipped).contains("crc32c"));
    assert!(fails(&good[..20]).contains("expected 132 bytes, got 20"));
    let shard = dir.path().join("shard_unchecked/t/c/0/0/0");
    let mut far = fs::read(&shard).unwrap();
    let at = far.len() - 128;
    far[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&shard, far).unwrap();
    let e = numbers(&*open(&dir.path().join("shard_unchecked")).unwrap(), "t").unwrap_err().to_string();
    assert!(e.contains("shard index is corrupt"), "{e}");
}

fn var(path: &str, stored: StoredType, shape: &[u64], chunk: Option<&[u64]>, codec: Option<&str>) -> VarMeta {
    let codecs =
        codec.iter().map(|c| CodecMeta { name: c.to_string(), level: Some(3), detail: String::new() }).collect();
    VarMeta {
        path: path.into(),
        stored,
        shape: shape.into(),
        dims: (0..shape.len()).map(|k| format!("d{}_{k}", shape.len())).collect(),
        dims_named: true,
        attrs: Attrs::new(),
        fill: None,
        storage: Storage { chunk: chunk.map(Shape::from), codecs, ..Storage::default() },
    }
}

/// Writes element n of a variable as `n mod 50 + 1` through the contract of sinks.
fn fill(sink: &dyn Sink, var: &VarMeta, dtype: DType) {
    let grid = sink.grid(&var.path).unwrap();
    let size = sink.scratch(&var.path).unwrap();
    let budget = Budget::new(Bytes(1 << 26));
    let mut scratch = Scratch::new(size, budget.lease(size.bytes(), "test").unwrap());
    let strides = var.shape.strides();
    for n in 0..grid.chunks() {
        let index = grid.index(n);
        let region = grid.region(&index);
        let count = region.shape.elements().unwrap();
        let number = |mut rest: u64| {
            let mut at = 0;
            for k in (0..region.start.len()).rev() {
                at += (region.start[k] + rest % region.shape[k]) * strides[k];
                rest /= region.shape[k];
            }
            value(at, dtype)
        };
        let bytes: Vec<u8> = with_dtype!(dtype, T => {
            let items: Vec<T> = (0..count).map(|n| <T as crate::dtype::Element>::from_f64(number(n))).collect();
            bytemuck::cast_slice(&items).to_vec()
        });
        sink.write(&var.path, &index, &bytes, &mut scratch).unwrap();
    }
}

fn value(n: u64, dtype: DType) -> f64 {
    if dtype == DType::Bool { (n % 2) as f64 } else { (n % 50 + 1) as f64 }
}

const SHAPES: [(&[u64], Option<&[u64]>); 8] = [
    (&[], None),
    (&[7], Some(&[3])),
    (&[5, 6], Some(&[2, 6])),
    (&[3, 5, 4], Some(&[2, 2, 3])),
    (&[2, 3, 4, 5], Some(&[1, 2, 3, 4])),
    (&[3, 3], Some(&[100, 2])),
    (&[0, 4], Some(&[1, 4])),
    (&[6, 5], None),
];

#[test]
fn what_is_written_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    for format in [OutputFormat::Zarr2, OutputFormat::Zarr3] {
        let mut root = Group::default();
        let mut types = Vec::new();
        for (k, dtype) in DType::ALL.into_iter().enumerate() {
            for (m, (shape, chunk)) in SHAPES.into_iter().enumerate() {
                let codec = [None, Some("zstd"), Some("gzip"), Some("blosc"), Some("deflate")][(k + m) % 5];
                root.vars.push(var(&format!("v{k}_{m}"), StoredType::native(dtype), shape, chunk, codec));
                types.push(dtype);
            }
        }
        let path = dir.path().join(format!("{format:?}.zarr"));
        let sink = create(&path, format, &root).unwrap();
        for (var, dtype) in root.vars.iter().zip(&types) {
            fill(&*sink, var, *dtype);
        }
        assert!(!path.exists(), "nothing appears before it is whole");
        sink.finish().unwrap();
        let back = open(&path).unwrap();
        for (var, dtype) in root.vars.iter().zip(&types) {
            let read = back.root().var(&var.path).unwrap();
            assert_eq!((&read.stored, &read.shape, &read.dims), (&var.stored, &var.shape, &var.dims));
            assert_eq!(read.storage.codecs.is_empty(), var.storage.codecs.is_empty());
            let count = var.shape.elements().unwrap();
            let expect: Vec<f64> = (0..count).map(|n| value(n, *dtype)).collect();
            assert_eq!(numbers(&*back, &var.path).unwrap(), expect, "{format:?} {} {dtype}", var.path);
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn groups_attributes_fill_values_and_text_come_along() {
    let dir = tempfile::tempdir().unwrap();
    for format in [OutputFormat::Zarr2, OutputFormat::Zarr3] {
        let mut t = var("g/t", StoredType::native(DType::F32), &[4, 3], Some(&[2, 2]), Some("zstd"));
        t.attrs.set("_FillValue", Value::F32(vec![1e20]));
        t.attrs.set("units", "K");
        t.attrs.set("range", Value::F64(vec![1.5, f64::NAN]));
        t.attrs.set("flags", Value::I8(vec![1]));
        let mut packed = var("g/i", StoredType::native(DType::I16), &[3], None, None);
        packed.attrs.set("_FillValue", Value::I16(vec![-99]));
        let names = var("names", StoredType::Text, &[2, 2], None, None);
        let mut chars = var("chars", StoredType::Char, &[2, 3], None, Some("deflate"));
        chars.attrs.set("_FillValue", "x");
        let dims = vec![Dimension { name: "d2_0".into(), len: 4, unlimited: false }];
        let group = Group { name: "g".into(), vars: vec![t, packed], dims, ..Group::default() };
        let mut root = Group { vars: vec![names, chars], groups: vec![group], ..Group::default() };
        root.attrs.set("title", "two \"words\"");
        let path = dir.path().join("out.zarr");
        let sink = create(&path, format, &root).unwrap();
        let texts = ["a", "", "łoś", "d"].map(String::from);
        sink.write_texts("names", &texts).unwrap();
        assert!(sink.write_texts("names", &texts[..1]).is_err() && sink.write_texts("g/t", &texts).is_err());
        let size = sink.scratch("chars").unwrap();
        let mut scratch = Scratch::new(size, Budget::new(Bytes(1 << 26)).lease(size.bytes(), "test").unwrap());
        let whole = crate::shape::ChunkIndex(vec![0, 0]);
        sink.write("chars", &whole, b"abcd\0\0", &mut scratch).unwrap();
        assert!(sink.write("chars", &whole, b"abcd\0", &mut scratch).is_err());
        assert!(sink.write("chars", &crate::shape::ChunkIndex(vec![1, 0]), b"abcd\0\0", &mut scratch).is_err());
        sink.finish().unwrap();
        let back = open(&path).unwrap();
        let read = back.root().var("g/t").unwrap();
        assert_eq!(read.attrs.get("_FillValue"), Some(&Value::F32(vec![1e20])), "{format:?}");
        assert_eq!(read.attrs.text("units"), Some("K"));
        assert_eq!(read.attrs.get("flags"), Some(&Value::I64(vec![1])));
        assert!(matches!(read.attrs.get("range"), Some(Value::F64(v)) if v[0] == 1.5 && v[1].is_nan()));
        assert_eq!(numbers(&*back, "g/t").unwrap(), [f64::from(1e20f32); 12], "what was never written");
        assert_eq!(back.root().var("g/i").unwrap().attrs.get("_FillValue"), Some(&Value::I16(vec![-99])));
        assert_eq!(back.root().attrs.text("title"), Some("two \"words\""));
        assert_eq!(back.texts("names").unwrap(), texts);
        let chars = back.root().var("chars").unwrap();
        let marks = (format == OutputFormat::Zarr2).then_some("x");
        assert_eq!((&chars.stored, chars.attrs.text("_FillValue")), (&StoredType::Char, marks));
        assert_eq!(chars.fill, Some(Value::Text("x".into())));
        assert_eq!(back.texts("chars").unwrap(), ["abc", "d"]);
    }
}

#[test]
fn names_that_leave_the_store_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["..", ".zarray", "zarr.json", ""] {
        let root = Group { vars: vec![var(name, StoredType::native(DType::U8), &[1], None, None)], ..Group::default() };
        assert!(create(&dir.path().join("out.zarr"), OutputFormat::Zarr3, &root).is_err(), "{name}");
    }
    let other = var("x", StoredType::Other("compound".into()), &[1], None, None);
    let root = Group { vars: vec![other], ..Group::default() };
    assert!(create(&dir.path().join("out.zarr"), OutputFormat::Zarr2, &root).is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left of what failed");
}

/// What the zarrs library is given it decodes, whatever that becomes.
#[test]
fn no_more_is_decoded_than_a_chunk_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.zarr");
    fs::create_dir_all(path.join("v/c")).unwrap();
    fs::write(path.join("zarr.json"), r#"{"zarr_format": 3, "node_type": "group"}"#).unwrap();
    let array = r#"{"zarr_format": 3, "node_type": "array", "shape": [4], "data_type": "float32", "fill_value": 0,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},
        "chunk_key_encoding": {"name": "default"}, "codecs": [{"name": "numcodecs.pcodec", "configuration": {}}]}"#;
    fs::write(path.join("v/zarr.json"), array).unwrap();
    let read = |bytes: usize| {
        fs::write(path.join("v/c/0"), vec![0; bytes]).unwrap();
        numbers(&*open(&path).unwrap(), "v").unwrap_err().to_string()
    };
    assert!(
        read(65_633).contains("chunk [0]: zarrs: chunk is corrupt: it is stored in 65633 bytes, at most 65632 can")
    );
    assert!(!read(65_632).contains("at most"));
}

/// Compressors that only numcodecs has, beside strings; what was never written is the fill value.
#[test]
fn strings_behind_any_codec() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.zarr");
    fs::create_dir_all(path.join("v")).unwrap();
    fs::write(path.join(".zgroup"), r#"{"zarr_format": 2}"#).unwrap();
    let array = r#"{"zarr_format": 2, "shape": [2, 3], "chunks": [2, 2], "dtype": "|O", "fill_value": "none",
        "order": "F", "filters": [{"id": "vlen-utf8"}], "compressor": {"id": "lz4", "acceleration": 1}}"#;
    fs::write(path.join("v/.zarray"), array).unwrap();
    let packed = b"\x04\0\0\0\x01\0\0\0a\x02\0\0\0bc\0\0\0\0\x02\0\0\0\xc5\x82";
    // An LZ4 block of literals alone.
    let block = [&[0xf0, packed.len() as u8 - 15], packed.as_slice()].concat();
    fs::write(path.join("v/0.0"), [&(packed.len() as u32).to_le_bytes(), block.as_slice()].concat()).unwrap();
    let store = open(&path).unwrap();
    assert_eq!(store.texts("v").unwrap(), ["a", "", "none", "bc", "ł", "none"]);
    fs::write(path.join("v/0.0"), [0xff; 20]).unwrap();
    let e = store.texts("v").unwrap_err().to_string();
    assert!(e.contains("s.zarr: variable 'v': chunk [0, 0]: lz4: the frame says 4294967295 bytes"), "{e}");
}
