//! The contract of `aosx::source`, held against every pair of a sink and the source that reads what it wrote.

use aosx::{
    attrs::{Attrs, Value},
    budget::Budget,
    codec::Scratch,
    dtype::DType,
    formats::{self, OutputFormat, whole::read_all},
    grid::Grid,
    shape::{ChunkIndex, Region, Shape},
    source::{CodecMeta, Dimension, Group, Sink, Storage, StoredType, VarMeta},
    units::Bytes,
};
use proptest::prelude::*;
use std::{path::Path, sync::Arc};

const FORMATS: [(OutputFormat, &str); 5] = [
    (OutputFormat::NetCdf4, "out.nc"),
    (OutputFormat::NetCdf3, "out3.nc"),
    (OutputFormat::NetCdf5, "out5.nc"),
    (OutputFormat::Zarr2, "out2.zarr"),
    (OutputFormat::Zarr3, "out3.zarr"),
];

fn is_classic(format: OutputFormat) -> bool {
    matches!(format, OutputFormat::NetCdf3 | OutputFormat::NetCdf5)
}

fn is_zarr(format: OutputFormat) -> bool {
    matches!(format, OutputFormat::Zarr2 | OutputFormat::Zarr3)
}

/// Whether a variable can have the type.
fn holds(format: OutputFormat, dtype: DType) -> bool {
    match dtype {
        DType::F16 => is_zarr(format),
        DType::I64 | DType::U8 | DType::U16 | DType::U32 | DType::U64 => format != OutputFormat::NetCdf3,
        _ => true,
    }
}

fn dim(name: &str, len: u64) -> Dimension {
    Dimension { name: name.into(), len, unlimited: false }
}

fn var(path: &str, stored: StoredType, dims: &[(&str, u64)], chunk: Option<&[u64]>) -> VarMeta {
    let codec = |name: &str| CodecMeta { name: name.into(), level: Some(1), detail: String::new() };
    VarMeta {
        path: path.into(),
        stored,
        shape: dims.iter().map(|d| d.1).collect(),
        dims: dims.iter().map(|d| d.0.to_string()).collect(),
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

/// Bytes of elements that say where they belong: small numbers, which are valid in every type.
fn bytes_of(numbers: impl Iterator<Item = u64>, dtype: DType) -> Vec<u8> {
    numbers
        .flat_map(|n| {
            let n = if dtype == DType::Bool { n % 2 } else { n % 100 };
            match dtype {
                DType::F16 => half::f16::from_f64(n as f64).to_ne_bytes().to_vec(),
                DType::F32 => (n as f32).to_ne_bytes().to_vec(),
                DType::F64 => (n as f64).to_ne_bytes().to_vec(),
                _ if cfg!(target_endian = "big") => n.to_be_bytes()[8 - dtype.size()..].to_vec(),
                _ => n.to_le_bytes()[..dtype.size()].to_vec(),
            }
        })
        .collect()
}

/// The row-major numbers in the whole array of a region's elements.
fn elements(region: &Region, shape: &Shape) -> impl Iterator<Item = u64> + use<> {
    let (region, strides) = (region.clone(), shape.strides());
    (0..region.shape.elements().unwrap()).map(move |mut n| {
        let mut at = 0;
        for k in (0..region.shape.len()).rev() {
            at += (region.start[k] + n % region.shape[k]) * strides[k];
            n /= region.shape[k];
        }
        at
    })
}

fn scratch(sink: &dyn Sink, variable: &str) -> Scratch {
    let size = sink.scratch(variable).unwrap();
    Scratch::new(size, Budget::new(Bytes(size.bytes())).lease(size.bytes(), "test").unwrap())
}

/// Three threads write the wanted chunks, each another third, from the last to the first.
fn write(sink: &dyn Sink, variable: &str, dtype: DType, want: impl Fn(u64) -> bool + Sync) {
    let grid: Grid = sink.grid(variable).unwrap().clone();
    std::thread::scope(|scope| {
        for third in 0..3 {
            let (grid, want) = (&grid, &want);
            scope.spawn(move || {
                let mut scratch = scratch(sink, variable);
                for n in (0..grid.chunks()).rev().filter(|n| n % 3 == third && want(*n)) {
                    let chunk = grid.index(n);
                    let data = bytes_of(elements(&grid.region(&chunk), grid.shape()), dtype);
                    sink.write(variable, &chunk, &data, &mut scratch).unwrap();
                }
            });
        }
    });
}

fn values(path: &Path, variable: &str) -> Vec<u8> {
    let source = formats::open(path).unwrap().source(variable).unwrap();
    read_all(&*source, &Budget::new(Bytes(1 << 30))).unwrap().bytes().to_vec()
}

fn root(dims: Vec<Dimension>, vars: Vec<VarMeta>) -> Group {
    Group { dims, vars, ..Group::default() }
}

#[test]
fn all_types_in_all_ranks_by_many_threads() {
    let axes = [("a", 5), ("b", 4), ("c", 3), ("d", 7)];
    for (format, name) in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let mut vars = Vec::new();
        for dtype in DType::ALL.into_iter().filter(|d| holds(format, *d)) {
            for rank in 0..=4 {
                for (k, chunk) in [None, Some(&[2, 3, 3, 4][..rank])].into_iter().enumerate() {
                    let stored = StoredType::native(dtype);
                    vars.push(var(&format!("{}_{rank}_{k}", dtype.name()), stored, &axes[..rank], chunk));
                }
            }
        }
        let dims = axes.iter().map(|a| Dimension { unlimited: a.0 == "a", ..dim(a.0, a.1) }).collect();
        let sink = formats::create(&path, format, &root(dims, vars.clone())).unwrap();
        for v in &vars {
            write(&*sink, &v.path, v.stored.dtype().unwrap(), |_| true);
        }
        assert!(!path.exists(), "nothing appears before it is finished");
        sink.finish().unwrap();
        for v in &vars {
            let expected = bytes_of(0..v.shape.elements().unwrap(), v.stored.dtype().unwrap());
            assert_eq!(values(&path, &v.path), expected, "{format:?} {}", v.path);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{format:?}: only the output is left");
    }
}

#[test]
fn what_is_never_written_reads_as_the_fill_value() {
    for (format, name) in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let stored = StoredType::native(DType::I16);
        let mut declared = var("declared", stored.clone(), &[("x", 7)], Some(&[3]));
        declared.attrs.set("_FillValue", Value::I16(vec![-5]));
        declared.fill = Some(Value::I16(vec![-5]));
        let mut silent = var("silent", stored, &[("x", 7)], Some(&[3]));
        silent.fill = Some(Value::I16(vec![-6]));
        let sink = formats::create(&path, format, &root(vec![dim("x", 7)], vec![declared, silent])).unwrap();
        for variable in ["declared", "silent"] {
            write(&*sink, variable, DType::I16, |n| n == 1);
        }
        sink.finish().unwrap();
        // In Zarr version 2 a fill value is a `_FillValue`: one that is not declared must not be written.
        let cases =
            if format == OutputFormat::Zarr2 { &[("declared", -5)][..] } else { &[("declared", -5), ("silent", -6)] };
        for &(variable, f) in cases {
            let expected: Vec<u8> = [f, f, f, 3, 4, 5, f].iter().flat_map(|x: &i16| x.to_ne_bytes()).collect();
            assert_eq!(values(&path, variable), expected, "{format:?} {variable}");
        }
        let meta = formats::open(&path).unwrap().root().var("declared").unwrap().clone();
        assert_eq!(meta.attrs.get("_FillValue").and_then(Value::number), Some(-5.0), "{format:?}");
    }
}

#[test]
fn groups_see_the_dimensions_around_them() {
    for (format, name) in FORMATS.into_iter().filter(|f| !is_classic(f.0)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let stored = StoredType::native(DType::I32);
        let deep = Group {
            name: "deep".into(),
            dims: vec![dim("z", 2)],
            vars: vec![var("mid/deep/v", stored.clone(), &[("z", 2), ("y", 3), ("x", 5)], Some(&[1, 2, 5]))],
            ..Group::default()
        };
        let mut mid = Group { name: "mid".into(), dims: vec![dim("x", 5)], groups: vec![deep], ..Group::default() };
        mid.attrs.set("title", "in the middle");
        let mut schema = root(vec![dim("x", 4), dim("y", 3)], vec![var("v", stored, &[("x", 4)], None)]);
        schema.groups.push(mid);
        let sink = formats::create(&path, format, &schema).unwrap();
        for v in schema.all_vars() {
            write(&*sink, &v.path, DType::I32, |_| true);
        }
        sink.finish().unwrap();
        assert_eq!(values(&path, "mid/deep/v"), bytes_of(0..30, DType::I32), "{format:?}");
        assert_eq!(values(&path, "v"), bytes_of(0..4, DType::I32), "{format:?}");
        let container = formats::open(&path).unwrap();
        assert_eq!(container.root().var("mid/deep/v").unwrap().dims, ["z", "y", "x"], "{format:?}");
        assert_eq!(container.root().group("mid").unwrap().attrs.text("title"), Some("in the middle"), "{format:?}");
    }
}

#[test]
fn strings_and_chars_come_back() {
    let words: Vec<String> = ["", "ab", "Zürich", "a longer one with blanks", "x", "y"].map(String::from).to_vec();
    for (format, name) in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let dims = vec![dim("n", 6), dim("len", 3)];
        let mut vars = Vec::new();
        if !is_classic(format) {
            vars.push(var("words", StoredType::Text, &[("n", 6)], None));
        }
        if !is_zarr(format) {
            vars.push(var("letters", StoredType::Char, &[("n", 6), ("len", 3)], None));
        }
        let sink = formats::create(&path, format, &root(dims, vars)).unwrap();
        if !is_classic(format) {
            sink.write_texts("words", &words).unwrap();
            assert!(sink.write_texts("words", &words[1..]).is_err());
        }
        if !is_zarr(format) {
            let mut scratch = scratch(&*sink, "letters");
            sink.write("letters", &ChunkIndex(vec![0, 0]), b"abcdefghijklmnopqr", &mut scratch).unwrap();
        }
        sink.finish().unwrap();
        if !is_classic(format) {
            assert_eq!(formats::open(&path).unwrap().texts("words").unwrap(), words, "{format:?}");
        }
        if !is_zarr(format) {
            assert_eq!(values(&path, "letters"), b"abcdefghijklmnopqr", "{format:?}");
        }
    }
}

#[test]
fn attributes_of_all_types_come_back() {
    let all = [
        ("text", Value::from("K m⁻²")),
        ("empty", Value::from("")),
        ("i8", Value::I8(vec![-1, 2])),
        ("i16", Value::I16(vec![-300])),
        ("i32", Value::I32(vec![1 << 30, -1])),
        ("i64", Value::I64(vec![1 << 40])),
        ("u8", Value::U8(vec![255])),
        ("u16", Value::U16(vec![65535])),
        ("u32", Value::U32(vec![u32::MAX])),
        ("u64", Value::U64(vec![1 << 52])),
        ("f32", Value::F32(vec![0.5, -2.0])),
        ("f64", Value::F64(vec![0.1])),
    ];
    for (format, name) in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let mut schema = root(vec![], vec![var("v", StoredType::native(DType::F64), &[], None)]);
        for (name, value) in &all {
            schema.attrs.set(name, value.clone());
            schema.vars[0].attrs.set(name, value.clone());
        }
        let sink = formats::create(&path, format, &schema).unwrap();
        write(&*sink, "v", DType::F64, |_| true);
        sink.finish().unwrap();
        let container = formats::open(&path).unwrap();
        for attrs in [&container.root().attrs, &container.root().var("v").unwrap().attrs] {
            for (name, value) in &all {
                let got = attrs.get(name).unwrap_or_else(|| panic!("{format:?}: no attribute {name}"));
                assert_eq!((got.numbers(), got.text()), (value.numbers(), value.text()), "{format:?} {name}");
                // JSON has no types of numbers, and CDF-2 not all of them.
                if matches!(format, OutputFormat::NetCdf4 | OutputFormat::NetCdf5) {
                    assert_eq!(got, value, "{format:?} {name}");
                }
            }
        }
    }
}

#[test]
fn a_dropped_sink_leaves_what_was_there() {
    for (format, name) in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let schema = root(vec![dim("x", 5)], vec![var("v", StoredType::native(DType::F32), &[("x", 5)], Some(&[2]))]);
        let is_store = matches!(format, OutputFormat::Zarr2 | OutputFormat::Zarr3);
        let old = if is_store { path.join("zarr.json") } else { path.clone() };
        if is_store {
            std::fs::create_dir(&path).unwrap();
        }
        std::fs::write(&old, "old").unwrap();
        let sink = formats::create(&path, format, &schema).unwrap();
        write(&*sink, "v", DType::F32, |n| n == 0);
        drop(sink);
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "old", "{format:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{format:?}");
        assert!(formats::create(&dir.path().join("no/such").join(name), format, &schema).is_err(), "{format:?}");
        assert!(formats::create(&old.join(name), format, &schema).is_err(), "{format:?}: the folder is a file");
        if is_store {
            assert!(formats::create(&old, format, &schema).is_err(), "{format:?}: a file is there");
        }
    }
}

#[test]
fn empty_variables_are_there() {
    for (format, name) in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let dims = [("t", 0), ("x", 3)];
        let schema = root(vec![dim("t", 0), dim("x", 3)], vec![var("v", StoredType::native(DType::F32), &dims, None)]);
        formats::create(&path, format, &schema).unwrap().finish().unwrap();
        let container = formats::open(&path).unwrap();
        assert_eq!(container.root().var("v").unwrap().shape.0, [0, 3], "{format:?}");
        assert!(values(&path, "v").is_empty(), "{format:?}");
    }
}

#[test]
fn a_source_is_read_by_many_threads() {
    for (format, name) in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let dims = [("x", 40), ("y", 30)];
        let v = var("v", StoredType::native(DType::F64), &dims, Some(&[7, 11]));
        let sink = formats::create(&path, format, &root(vec![dim("x", 40), dim("y", 30)], vec![v])).unwrap();
        write(&*sink, "v", DType::F64, |_| true);
        sink.finish().unwrap();
        let source = formats::open(&path).unwrap().source("v").unwrap();
        let expected = bytes_of(0..1200, DType::F64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let source = Arc::clone(&source);
                let expected = &expected;
                scope.spawn(move || {
                    let all = read_all(&*source, &Budget::new(Bytes(1 << 24))).unwrap();
                    assert_eq!(all.bytes(), expected, "{format:?}");
                });
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]
    #[test]
    fn any_shape_in_any_chunks_comes_back(
        axes in prop::collection::vec((1u64..7, 1u64..9, any::<bool>()), 0..4),
        dtype in prop::sample::select(DType::ALL.to_vec()),
        chosen in prop::sample::select(FORMATS.to_vec()),
    ) {
        let (format, name) = chosen;
        prop_assume!(holds(format, dtype));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let names: Vec<String> = (0..axes.len()).map(|k| format!("d{k}")).collect();
        let dims: Vec<(&str, u64)> = names.iter().zip(&axes).map(|(n, a)| (n.as_str(), a.0)).collect();
        let chunk: Vec<u64> = axes.iter().map(|a| a.1).collect();
        let v = var("v", StoredType::native(dtype), &dims, Some(&chunk));
        let declared = dims.iter().zip(&axes).map(|(d, a)| Dimension { unlimited: a.2, ..dim(d.0, d.1) }).collect();
        let sink = formats::create(&path, format, &root(declared, vec![v.clone()])).unwrap();
        write(&*sink, "v", dtype, |_| true);
        sink.finish().unwrap();
        prop_assert_eq!(values(&path, "v"), bytes_of(0..v.shape.elements().unwrap(), dtype));
    }
}
