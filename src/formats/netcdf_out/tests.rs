//! Values are read back through the C libraries, or from the bytes of the file.

use super::*;
use crate::{
    attrs::{Attrs, Value},
    dtype::DType,
    shape::Shape,
    source::{CodecMeta, Dimension, Storage, StoredType, VarMeta},
};
use proptest::prelude::*;

mod resumed;

fn dim(name: &str, len: u64) -> Dimension {
    Dimension { name: name.into(), len, unlimited: false }
}

fn grows(name: &str, len: u64) -> Dimension {
    Dimension { unlimited: true, ..dim(name, len) }
}

fn var(path: &str, dtype: DType, dims: &[(&str, u64)]) -> VarMeta {
    VarMeta {
        path: path.into(),
        stored: StoredType::native(dtype),
        shape: dims.iter().map(|d| d.1).collect(),
        dims: dims.iter().map(|d| d.0.to_string()).collect(),
        dims_named: true,
        attrs: Attrs::new(),
        fill: None,
        storage: Storage::default(),
    }
}

fn chunked(mut var: VarMeta, chunk: &[u64], codecs: &[&str]) -> VarMeta {
    let codec = |name: &&str| CodecMeta { name: name.to_string(), level: Some(4), detail: String::new() };
    var.storage.chunk = Some(chunk.into());
    var.storage.codecs = codecs.iter().map(codec).collect();
    var
}

fn root(dims: Vec<Dimension>, vars: Vec<VarMeta>) -> Group {
    Group { dims, vars, ..Group::default() }
}

fn scratch(sink: &dyn Sink, variable: &str) -> Scratch {
    let size = sink.scratch(variable).unwrap();
    Scratch::new(size, Budget::new(Bytes(size.bytes())).lease(size.bytes(), "test").unwrap())
}

/// Element `n` of the whole array is `value(n)`; chunks that `keep` does not want are left out.
fn write(sink: &dyn Sink, variable: &str, value: impl Fn(u64) -> f32, keep: impl Fn(u64) -> bool) {
    let grid = sink.grid(variable).unwrap().clone();
    let mut scratch = scratch(sink, variable);
    for n in (0..grid.chunks()).rev().filter(|n| keep(*n)) {
        let chunk = grid.index(n);
        let data: Vec<f32> = elements(&grid.region(&chunk), grid.shape()).map(&value).collect();
        sink.write(variable, &chunk, bytemuck::cast_slice(&data), &mut scratch).unwrap();
    }
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

fn numbers(path: &Path, variable: &str) -> Vec<f32> {
    let file = netcdf::open(path).unwrap();
    file.variable(variable).unwrap().get_values(..).unwrap()
}

#[test]
fn words_in_place_of_an_attribute_have_no_quotes() {
    let dir = tempfile::tempdir().unwrap();
    for format in [OutputFormat::NetCdf4, OutputFormat::NetCdf3] {
        let path = dir.path().join("words.nc");
        let mut declared = root(vec![], vec![]);
        declared.attrs.set("words", Value::Json("\"1 x opaque of 3 bytes\"".into()));
        declared.attrs.set("list", Value::Json("[1,\"a\"]".into()));
        create(&path, format, &declared).unwrap().finish().unwrap();
        let back = crate::formats::open(&path).unwrap();
        assert_eq!(back.root().attrs.text("words"), Some("1 x opaque of 3 bytes"), "{format:?}");
        assert_eq!(back.root().attrs.text("list"), Some("[1,\"a\"]"), "{format:?}");
    }
}

#[test]
fn chunks_filters_and_unlimited_dimensions_reach_netcdf() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.nc");
    let mut t =
        chunked(var("t", DType::F32, &[("time", 5), ("y", 7), ("x", 3)]), &[2, 3, 100], &["shuffle", "deflate"]);
    t.attrs.set("units", "K");
    t.attrs.set("_FillValue", Value::F64(vec![-999.0]));
    t.storage.codecs.push(CodecMeta { name: "fletcher32".into(), level: None, detail: String::new() });
    let blosc = chunked(var("b", DType::F32, &[("y", 7)]), &[7], &["blosc"]);
    let mut growing = var("g", DType::F32, &[("time", 5)]);
    growing.storage.kind = "contiguous";
    let schema = root(vec![grows("time", 5), dim("y", 7), dim("x", 3), grows("alone", 9)], vec![t, blosc, growing]);
    let sink = create(&path, OutputFormat::NetCdf4, &schema).unwrap();
    assert_eq!(sink.grid("t").unwrap().chunk().0, [2, 3, 3]);
    for name in ["t", "b", "g"] {
        write(&*sink, name, |n| n as f32, |n| n != 1);
    }
    sink.finish().unwrap();

    let file = netcdf::open(&path).unwrap();
    assert_eq!(file.dimension("time").unwrap().len(), 5);
    assert!(file.dimension("time").unwrap().is_unlimited());
    let grid = Grid::new(vec![5, 7, 3].into(), vec![2, 3, 3].into()).unwrap();
    let hole = elements(&grid.region(&grid.index(1)), grid.shape()).collect::<Vec<_>>();
    let expected: Vec<f32> = (0..105).map(|n| if hole.contains(&n) { -999.0 } else { n as f32 }).collect();
    assert_eq!(numbers(&path, "t"), expected);
    assert_eq!(numbers(&path, "b"), [0., 1., 2., 3., 4., 5., 6.]);
    assert_eq!(numbers(&path, "g"), [0., 1., 2., 3., 4.]);
    drop(file);
    let raw = hdf5::File::open(&path).unwrap();
    assert_eq!(raw.dataset("t").unwrap().filters().len(), 3);
    assert_eq!(
        raw.dataset("b").unwrap().filters(),
        [hdf5::filters::Filter::Shuffle, hdf5::filters::Filter::Deflate(1)]
    );
    assert_eq!(raw.dataset("t").unwrap().chunk(), Some(vec![2, 3, 3]));
    assert_eq!(raw.dataset("alone").unwrap().shape(), [9]);
}

#[test]
fn a_variable_named_like_a_dimension_of_its_group_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.nc");
    let inner = Group {
        name: "inner".into(),
        dims: vec![dim("y", 2)],
        vars: vec![var("inner/x", DType::F32, &[("y", 2), ("x", 3)]), var("inner/y", DType::F32, &[("y", 2)])],
        ..Group::default()
    };
    let mut schema = root(
        vec![dim("x", 3), dim("y", 4)],
        vec![var("x", DType::F32, &[("y", 4)]), var("y", DType::F32, &[("y", 4), ("x", 3)])],
    );
    schema.groups.push(inner);
    let sink = create(&path, OutputFormat::NetCdf4, &schema).unwrap();
    for (k, name) in ["x", "y", "inner/x", "inner/y"].iter().enumerate() {
        write(&*sink, name, |n| n as f32 + 100.0 * k as f32, |_| true);
    }
    sink.finish().unwrap();
    assert_eq!(numbers(&path, "x"), [0., 1., 2., 3.]);
    assert_eq!(numbers(&path, "y")[11], 111.0);
    assert_eq!(numbers(&path, "inner/x"), [200., 201., 202., 203., 204., 205.]);
    assert_eq!(numbers(&path, "inner/y"), [300., 301.]);
}

#[test]
fn names_with_composed_accents_are_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.nc");
    let decomposed = "te\u{301}mpe\u{301}rature";
    let schema = root(vec![grows("e\u{301}poque", 2)], vec![var(decomposed, DType::F32, &[("e\u{301}poque", 2)])]);
    let sink = create(&path, OutputFormat::NetCdf4, &schema).unwrap();
    write(&*sink, decomposed, |n| n as f32, |_| true);
    sink.finish().unwrap();
    assert_eq!(numbers(&path, "t\u{e9}mp\u{e9}rature"), [0.0, 1.0]);
}

#[test]
fn classic_files_are_big_endian_and_filled_where_nothing_was_written() {
    let dir = tempfile::tempdir().unwrap();
    for (format, magic) in [(OutputFormat::NetCdf3, b"CDF\x02"), (OutputFormat::NetCdf5, b"CDF\x05")] {
        let path = dir.path().join("out.nc");
        let schema = root(vec![dim("x", 5)], vec![chunked(var("v", DType::F32, &[("x", 5)]), &[2], &[])]);
        let sink = create(&path, format, &schema).unwrap();
        write(&*sink, "v", |n| n as f32, |n| n != 1);
        sink.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(&bytes[..4], magic);
        let tail: Vec<u8> = [0.0, 1.0, netcdf_sys::NC_FILL_FLOAT, netcdf_sys::NC_FILL_FLOAT, 4.0f32]
            .iter()
            .flat_map(|x| x.to_be_bytes())
            .collect();
        assert_eq!(bytes[bytes.len() - 20..], tail);
    }
}

#[test]
fn records_of_several_variables_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.nc");
    let a = chunked(var("a", DType::F32, &[("time", 7), ("x", 3)]), &[2, 2], &[]);
    let b = var("b", DType::F32, &[("time", 7)]);
    let c = var("c", DType::F32, &[("time", 7), ("other", 2)]);
    let schema = root(vec![grows("time", 7), dim("x", 3), grows("other", 2)], vec![a, b, c]);
    let sink = create(&path, OutputFormat::NetCdf3, &schema).unwrap();
    write(&*sink, "a", |n| n as f32, |_| true);
    write(&*sink, "b", |n| n as f32 + 0.5, |_| true);
    sink.finish().unwrap();
    assert_eq!(numbers(&path, "a"), (0..21).map(|n| n as f32).collect::<Vec<_>>());
    assert_eq!(numbers(&path, "b"), (0..7).map(|n| n as f32 + 0.5).collect::<Vec<_>>());
    assert_eq!(numbers(&path, "c"), [netcdf_sys::NC_FILL_FLOAT; 14]);
    let file = netcdf::open(&path).unwrap();
    assert!(file.dimension("time").unwrap().is_unlimited());
    assert!(!file.dimension("other").unwrap().is_unlimited());
}

#[test]
fn a_fill_that_netcdf_does_not_know_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for (format, codecs) in
        [(OutputFormat::NetCdf4, &["deflate"][..]), (OutputFormat::NetCdf4, &[]), (OutputFormat::NetCdf5, &[])]
    {
        let path = dir.path().join("out.nc");
        let mut v = chunked(var("v", DType::F32, &[("x", 5)]), &[2], codecs);
        v.fill = Some(Value::F32(vec![0.25]));
        let sink = create(&path, format, &root(vec![dim("x", 5)], vec![v])).unwrap();
        write(&*sink, "v", |n| n as f32, |n| n == 1);
        sink.finish().unwrap();
        assert_eq!(numbers(&path, "v"), [0.25, 0.25, 2.0, 3.0, 0.25]);
        let file = netcdf::open(&path).unwrap();
        assert!(file.variable("v").unwrap().attribute("_FillValue").is_none(), "only a declared one is declared");
    }
}

#[test]
fn what_netcdf_does_not_hold_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.nc");
    let refuse = |format, schema: &Group, words: &[&str]| {
        let text = super::super::create(&path, format, schema).err().expect("refused").to_string();
        assert!(words.iter().all(|w| text.contains(w)), "{text}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    };
    let one = |v: VarMeta| root(vec![dim("x", 2)], vec![v]);
    let of = |dtype| one(var("v", dtype, &[("x", 2)]));
    use OutputFormat::{NetCdf3, NetCdf4, NetCdf5};
    refuse(NetCdf4, &of(DType::F16), &["'v'", "float16"]);
    for dtype in [DType::I64, DType::U8, DType::U16, DType::U32, DType::U64] {
        refuse(NetCdf3, &of(dtype), &["'v'", "--format nc5", dtype.name()]);
    }
    let grouped = Group { groups: vec![Group { name: "g".into(), ..Group::default() }], ..Group::default() };
    refuse(NetCdf5, &grouped, &["group", "'g'"]);
    let mut text = var("v", DType::F32, &[]);
    text.stored = StoredType::Text;
    refuse(NetCdf5, &one(text), &["'v'", "strings"]);
    let mut fill = var("v", DType::U8, &[]);
    fill.attrs.set("_FillValue", Value::I16(vec![-1]));
    refuse(NetCdf4, &one(fill), &["'v'", "_FillValue"]);
    refuse(NetCdf4, &one(var("a/b", DType::F32, &[("nowhere", 2)])), &["nowhere"]);
    refuse(NetCdf4, &one(var("v", DType::F32, &[("x", 3)])), &["length 2, not 3"]);
    let mut slash = var("v", DType::F32, &[]);
    slash.attrs.set("a/b", "c");
    refuse(NetCdf4, &one(slash.clone()), &["'v'", "the name of attribute 'a/b' in NetCDF", "is not supported"]);
    refuse(NetCdf4, &one(var(".v", DType::F32, &[])), &["the name of variable '.v' in NetCDF"]);
    let matlab = Group { groups: vec![Group { name: "#refs#".into(), ..Group::default() }], ..Group::default() };
    refuse(NetCdf4, &matlab, &["the name of group '#refs#' in NetCDF"]);
    refuse(NetCdf4, &root(vec![dim("#x", 2)], vec![]), &["the name of dimension '#x' of length 2 in NetCDF"]);
    refuse(NetCdf3, &one(slash), &["'v'", "'a/b'"]);
    refuse(NetCdf3, &root(vec![dim("x", 0), dim("y", 0)], vec![]), &["length 0"]);
    let large = root(
        vec![dim("x", 1 << 20), dim("y", 1 << 20)],
        vec![
            var("u", DType::F32, &[("y", 1 << 20), ("x", 1 << 20)]),
            var("v", DType::F32, &[("y", 1 << 20), ("x", 1 << 20)]),
        ],
    );
    refuse(NetCdf3, &large, &["--format nc5"]);
}

#[test]
fn wrong_chunks_and_lengths_are_errors_with_a_place() {
    let dir = tempfile::tempdir().unwrap();
    for format in [OutputFormat::NetCdf4, OutputFormat::NetCdf3] {
        let schema = root(vec![dim("x", 5)], vec![chunked(var("v", DType::F32, &[("x", 5)]), &[2], &["deflate"])]);
        let sink = create(&dir.path().join("out.nc"), format, &schema).unwrap();
        let mut scratch = scratch(&*sink, "v");
        let mut fails = |name: &str, at: &[u64], bytes: usize| {
            sink.write(name, &ChunkIndex(at.to_vec()), &vec![0; bytes], &mut scratch).unwrap_err().to_string()
        };
        for text in [fails("v", &[3], 8), fails("v", &[2], 8), fails("v", &[0], 4), fails("v", &[0, 0], 8)] {
            assert!(text.contains("out.nc: variable 'v': chunk ["), "{text}");
        }
        assert!(fails("w", &[0], 8).contains("no variable 'w'; it has v"));
        assert!(sink.write_texts("v", &[]).is_err());
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a dropped sink leaves nothing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_shape_in_any_chunks_reads_back(
        axes in prop::collection::vec((1u64..7, 1u64..9, any::<bool>()), 0..4),
        codecs in prop::sample::subsequence(vec!["shuffle", "deflate", "fletcher32"], 0..=3),
        skipped in 0u64..5,
        format in prop::sample::select(vec![OutputFormat::NetCdf4, OutputFormat::NetCdf3, OutputFormat::NetCdf5]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.nc");
        let names: Vec<String> = (0..axes.len()).map(|k| format!("d{k}")).collect();
        let dims: Vec<(&str, u64)> = names.iter().zip(&axes).map(|(n, a)| (n.as_str(), a.0)).collect();
        let chunk: Vec<u64> = axes.iter().map(|a| a.1).collect();
        let mut v = chunked(var("v", DType::F32, &dims), &chunk, &codecs);
        v.attrs.set("_FillValue", Value::F32(vec![-7.0]));
        let declared = dims.iter().zip(&axes).map(|(d, a)| Dimension { unlimited: a.2, ..dim(d.0, d.1) }).collect();
        let sink = create(&path, format, &root(declared, vec![v])).unwrap();
        let grid = sink.grid("v").unwrap().clone();
        write(&*sink, "v", |n| n as f32, |n| n != skipped);
        sink.finish().unwrap();
        let mut expected: Vec<f32> = (0..grid.shape().elements().unwrap()).map(|n| n as f32).collect();
        if skipped < grid.chunks() {
            for n in elements(&grid.region(&grid.index(skipped)), grid.shape()) {
                expected[n as usize] = -7.0;
            }
        }
        prop_assert_eq!(numbers(&path, "v"), expected);
    }
}
