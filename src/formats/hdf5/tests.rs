use super::*;
use crate::{
    attrs::Value,
    budget::Budget,
    codec::{Scratch, ScratchSize},
    dtype::{DType, Element},
    error::Class,
    shape::{ChunkIndex, Region},
    units::Bytes,
    with_dtype,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats-hdf5").join(name)
}

fn budget() -> Budget {
    Budget::new(Bytes(64 << 20))
}

fn values<T: Element>(container: &dyn Container, variable: &str) -> Vec<T> {
    let source = container.source(variable).unwrap();
    let dtype = source.meta().stored.dtype().unwrap();
    assert!(dtype == T::DTYPE || dtype == DType::Bool, "{variable} is {dtype}");
    whole::read_all(&*source, &budget()).unwrap().elements::<T>().to_vec()
}

/// The chunk of `at`, by itself.
fn chunk(source: &dyn Source, at: &[u64]) -> Result<Vec<u8>> {
    let size = source.scratch();
    let mut scratch = Scratch::new(size, budget().lease(size.bytes(), "test")?);
    let mut out = vec![0xee; source.chunk_bytes()];
    source.read(&ChunkIndex(at.to_vec()), &mut scratch, &mut out)?;
    Ok(out)
}

fn counting(n: i32) -> Vec<i32> {
    (0..n).collect()
}

#[test]
fn every_chunk_index_gives_the_same_values() {
    for file in ["indices_v0.h5", "indices_latest.h5"] {
        let c = open(&fixture(file)).unwrap();
        assert_eq!(c.format(), "HDF5");
        let mut checked = 0;
        for var in &c.root().vars {
            if var.name() != "missing" && var.shape.0 == [7, 11] {
                assert_eq!(values::<i32>(&*c, &var.path), counting(77), "{file}: {}", var.path);
                checked += 1;
            }
        }
        assert_eq!(checked, 11);
        assert_eq!(values::<i32>(&*c, "grows_middle"), counting(210), "{file}");
        let meta = c.root().var("fixed_filtered").unwrap();
        let names: Vec<_> = meta.storage.codecs.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["shuffle", "deflate", "fletcher32"]);
        assert_eq!(meta.storage.codecs[1].level, Some(4));
        assert_eq!(meta.storage.chunk, Some(Shape(vec![3, 4])));
    }
}

#[test]
fn what_was_never_written_is_the_fill_value() {
    let c = open(&fixture("indices_latest.h5")).unwrap();
    assert_eq!(c.root().var("missing").unwrap().fill, Some(Value::I32(vec![-5])));
    let expect: Vec<i32> = (0..77).map(|n| if (33..66).contains(&n) { n } else { -5 }).collect();
    assert_eq!(values::<i32>(&*c, "missing"), expect);
    let types = open(&fixture("types.h5")).unwrap();
    assert_eq!(values::<f32>(&*types, "unwritten"), [1.5; 12]);
    assert_eq!(types.root().var("unwritten").unwrap().fill, Some(Value::F32(vec![1.5])));
}

/// A hundred million chunks, one of them stored.
#[test]
fn a_sparse_index_is_small() {
    for file in ["indices_v0.h5", "indices_latest.h5"] {
        let c = open(&fixture(file)).unwrap();
        let source = c.source("sparse").unwrap();
        assert_eq!(source.grid().chunks(), 100_000_000);
        assert!(source.held_bytes() < 1000, "{}", source.held_bytes());
        let stored = chunk(&*source, &[5000, 5000]).unwrap();
        assert_eq!(stored[..8], [0, 7, 0, 7, 0, 7, 1, 2]);
        assert_eq!(chunk(&*source, &[0, 1]).unwrap(), [1, 2].repeat(100));
    }
}

#[test]
fn a_user_block_moves_everything() {
    let path = fixture("userblock.h5");
    assert!(is_hdf5(&path).unwrap());
    let c = open(&path).unwrap();
    for (name, kind) in [("chunked", "chunked"), ("contiguous", "contiguous"), ("compact", "compact")] {
        assert_eq!(c.root().var(name).unwrap().storage.kind, kind);
        assert_eq!(values::<i32>(&*c, name), counting(77), "{name}");
    }
    assert!(!is_hdf5(&fixture("make.py")).unwrap());
}

#[test]
fn numbers_of_every_type_and_order() {
    let c = open(&fixture("types.h5")).unwrap();
    let mut checked = 0;
    for var in &c.root().vars {
        if !var.name().starts_with("little_") && !var.name().starts_with("big_") {
            continue;
        }
        let StoredType::Number { dtype, order } = var.stored else { panic!("{}", var.path) };
        assert_eq!(order == ByteOrder::Big, var.name().starts_with("big_") && dtype.size() > 1, "{}", var.path);
        with_dtype!(dtype, T => {
            let got: Vec<f64> = values::<T>(&*c, &var.path).into_iter().map(Element::to_f64).collect();
            assert_eq!(got, (0..12).map(f64::from).collect::<Vec<_>>(), "{}", var.path);
        });
        checked += 1;
    }
    assert_eq!(checked, 22);
    assert_eq!(c.root().var("bool").unwrap().stored.dtype(), Some(DType::Bool));
    assert_eq!(values::<u8>(&*c, "bool"), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    assert_eq!(values::<f64>(&*c, "scalar"), [41.5]);
}

#[test]
fn odd_numbers_are_converted() {
    let c = open(&fixture("types.h5")).unwrap();
    assert_eq!(values::<i32>(&*c, "int17"), (-6..6).collect::<Vec<_>>());
    assert_eq!(values::<f32>(&*c, "float20"), (0..12).map(|n| n as f32).collect::<Vec<_>>());
}

#[test]
fn what_is_no_number_is_shown_and_refused() {
    let c = open(&fixture("types.h5")).unwrap();
    for (name, words) in [
        ("compound", "compound {x: float32, y: int16}"),
        ("ragged", "variable-length int32"),
        ("opaque", "opaque of 5 bytes"),
        ("null", "empty float32"),
        ("strings", "string"),
        ("fixed", "string6"),
    ] {
        assert_eq!(c.root().var(name).unwrap().stored.to_string(), words);
        let e = c.source(name).err().unwrap();
        assert!(matches!(e.problem(), Problem::NotNumeric { .. }), "{e}");
        assert_eq!(e.variable(), Some(name));
    }
    assert!(matches!(c.source("absent").err().unwrap().problem(), Problem::NoSuchVariable { .. }));
}

#[test]
fn an_enum_is_its_numbers_and_says_what_they_mean() {
    let c = open(&fixture("types.h5")).unwrap();
    assert_eq!(values::<u8>(&*c, "enum"), [0, 1, 2]);
    let attrs = &c.root().var("enum").unwrap().attrs;
    let Some(Value::U8(flags)) = attrs.get("flag_values") else { panic!("{attrs:?}") };
    let meanings: Vec<_> = attrs.text("flag_meanings").unwrap().split(' ').collect();
    let mut pairs: Vec<_> = flags.iter().zip(meanings).collect();
    pairs.sort();
    assert_eq!(pairs, [(&0, "red"), (&1, "green"), (&2, "blue")]);
    assert_eq!(c.root().var("bool").unwrap().attrs.get("flag_values"), None);
}

#[test]
fn strings_of_every_kind() {
    let c = open(&fixture("types.h5")).unwrap();
    assert_eq!(c.texts("strings").unwrap(), ["Oslo", "Tromsø", ""]);
    assert_eq!(c.texts("fixed").unwrap(), ["Oslo", "Kiruna"]);
    assert_eq!(c.texts("spaces").unwrap(), ["Oslo", "a b"]);
    assert_eq!(c.texts("chars").unwrap(), ["ab", "c "]);
    assert_eq!(chunk(&*c.source("chars").unwrap(), &[0, 0]).unwrap(), b"abc ");
    assert!(c.texts("scalar").is_err());
}

#[test]
fn attributes_of_every_kind() {
    let c = open(&fixture("types.h5")).unwrap();
    let attrs = &c.root().var("scalar").unwrap().attrs;
    assert_eq!(attrs.text("text"), Some("grüß"));
    assert_eq!(attrs.text("fixed"), Some("fixed"));
    for (name, value) in [
        ("texts", Value::Texts(vec!["one".into(), "two".into()])),
        ("bool", Value::Bool(vec![true])),
        ("i2", Value::I16(vec![1, -2])),
        ("f2", Value::F32(vec![1.5])),
        ("f8", Value::F64(vec![0.1])),
        ("u8", Value::U64(vec![u64::MAX])),
        ("empty", Value::F64(vec![])),
    ] {
        assert_eq!(attrs.get(name), Some(&value), "{name}");
    }
    assert_eq!(attrs.get("reference"), None);
    assert!(matches!(attrs.get("compound"), Some(Value::Json(t)) if t == "\"1 x compound {x: float32}\""));
}

fn dims_of(c: &dyn Container, variable: &str) -> String {
    let var = c.root().var(variable).unwrap_or_else(|| panic!("{variable}"));
    format!("{}{}", var.dims.join(" "), if var.dims_named { "" } else { " (made up)" })
}

/// As ncdump shows these files, where it opens them.
#[test]
fn dimensions_without_scales_are_made_up() {
    let c = open(&fixture("plain.h5")).unwrap();
    for (name, dims) in [
        ("g/d", "phony_dim_0 phony_dim_1 (made up)"),
        ("h/d", "phony_dim_2 phony_dim_3 (made up)"),
        ("a", "phony_dim_4 phony_dim_5 (made up)"),
        ("b", "phony_dim_5 phony_dim_6 (made up)"),
        ("c", "phony_dim_7 (made up)"),
        ("soft", "phony_dim_4 phony_dim_5 (made up)"),
        ("outside", "phony_dim_8 phony_dim_9 (made up)"),
    ] {
        assert_eq!(dims_of(&*c, name), dims, "{name}");
    }
    let mixed = open(&fixture("mixed.h5")).unwrap();
    assert_eq!(dims_of(&*mixed, "y"), "y");
    assert_eq!(dims_of(&*mixed, "v"), "y phony_dim_1 (made up)");
    assert_eq!(dims_of(&*mixed, "w"), "phony_dim_1 y (made up)");
    assert_eq!(dims_of(&*mixed, "wrong"), "phony_dim_2 (made up)");
}

#[test]
fn links_are_followed_and_circles_are_not() {
    let c = open(&fixture("plain.h5")).unwrap();
    let paths: Vec<_> = c.root().all_vars().iter().map(|v| v.path.clone()).collect();
    assert_eq!(paths, ["a", "b", "c", "outside", "soft", "g/d", "h/d"]);
    assert!(c.root().group("g").unwrap().groups.is_empty());
    assert_eq!(values::<i32>(&*c, "soft"), counting(20));
    assert_eq!(values::<i32>(&*c, "h/d"), counting(12));
    // In another file, behind its user block.
    assert_eq!(values::<i32>(&*c, "outside"), counting(77));
}

#[test]
fn netcdf_dimensions_are_inherited_and_grow() {
    let c = open(&fixture("dims.nc")).unwrap();
    assert_eq!(c.format(), "NetCDF-4");
    let of = |g: &Group| g.dims.iter().map(|d| (d.name.clone(), d.len, d.unlimited)).collect::<Vec<_>>();
    let dim = |name: &str, len, unlimited| (name.to_string(), len, unlimited);
    let declared = [("time", 3, true), ("lat", 3, false), ("lon", 4, false), ("x", 4, false), ("station", 2, false)];
    assert_eq!(of(c.root()), declared.map(|(name, len, unlimited)| dim(name, len, unlimited)));
    assert_eq!(of(c.root().group("g").unwrap()), [dim("lat", 2, false)]);
    for (name, dims) in [
        ("time", "time"),
        ("lon", "lat lon"),
        ("station", "station lon"),
        ("x", "lat"),
        ("g/inner", "time lat lon"),
        ("g/h/deepest", "lat deep"),
        ("g/h/names", "deep lon"),
    ] {
        assert_eq!(dims_of(&*c, name), dims, "{name}");
    }
    let names: Vec<_> = c.root().vars.iter().map(|v| v.name()).collect();
    assert_eq!(names, ["time", "lon", "full", "short", "short_default", "station", "x"]);
    assert_eq!(c.root().dim("g/h", "lat").map(|d| d.len), Some(2));
    assert_eq!(values::<i32>(&*c, "g/inner"), counting(24));
    assert_eq!(c.texts("station").unwrap(), ["Oslo", "Bodo"]);
    assert_eq!(c.texts("g/h/names").unwrap(), ["ab", "cdef"]);
    let attrs: Vec<_> = c.root().attrs.iter().map(|(n, _)| n).collect();
    assert_eq!(attrs, ["title"], "netCDF's own attributes are hidden");
    assert_eq!(open(&fixture("classic.nc")).unwrap().format(), "NetCDF-4 classic model");
}

/// A variable that has fewer records than its dimension reads as its fill value there.
#[test]
fn a_variable_shorter_than_its_dimension_is_filled() {
    let c = open(&fixture("dims.nc")).unwrap();
    assert_eq!(c.root().var("short").unwrap().shape.0, [3, 3]);
    assert_eq!(values::<i32>(&*c, "short"), [0, 1, 2, 3, 4, 5, -1, -1, -1]);
    assert_eq!(values::<f32>(&*c, "short_default"), [1.0, 9.969_21e36, 9.969_21e36]);
}

#[test]
fn filters_are_undone() {
    let c = open(&fixture("filters.h5")).unwrap();
    let expect: Vec<i32> = (0..200).map(|n| n / 3).collect();
    let mut checked = 0;
    for var in c.root().vars.iter().filter(|v| v.path != "unknown") {
        assert_eq!(values::<i32>(&*c, &var.path), expect, "{}", var.path);
        checked += 1;
    }
    assert_eq!(checked, 18);
    let e = c.source("unknown").err().unwrap();
    assert_eq!(e.class(), Class::Unsupported);
    assert!(e.to_string().contains("HDF5 filter 32026 (blosc2)"), "{e}");
}

/// Chunks at the edge may be stored without the filters of the others.
#[test]
fn edge_chunks_without_filters() {
    use hdf5_sys::{h5d, h5f, h5p, h5s, h5t};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("edge.h5");
    let data = counting(77);
    sync(|| unsafe {
        let access = h5p::H5Pcreate(*H5P_CLS_FILE_ACCESS);
        h5p::H5Pset_libver_bounds(access, h5f::H5F_LIBVER_LATEST, h5f::H5F_LIBVER_LATEST);
        let name = c_name(path.as_os_str().as_bytes());
        let file = h5f::H5Fcreate(name.as_ptr(), h5f::H5F_ACC_TRUNC, 0, access);
        let plist = h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE);
        h5p::H5Pset_chunk(plist, 2, [3, 4].as_ptr());
        h5p::H5Pset_deflate(plist, 4);
        h5p::H5Pset_chunk_opts(plist, h5d::H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
        let space = h5s::H5Screate_simple(2, [7, 11].as_ptr(), std::ptr::null());
        let set = h5d::H5Dcreate2(file, c"v".as_ptr(), *h5t::H5T_NATIVE_INT32, space, 0, plist, 0);
        assert!(h5d::H5Dwrite(set, *h5t::H5T_NATIVE_INT32, 0, 0, 0, data.as_ptr().cast()) >= 0);
        for id in [set, space, plist, file, access] {
            hdf5_sys::h5i::H5Idec_ref(id);
        }
    });
    let c = open(&path).unwrap();
    assert_eq!(values::<i32>(&*c, "v"), data);
}

/// Filters that the library does not have are undone without it.
#[test]
fn strings_of_a_fixed_length_behind_any_filter() {
    use hdf5_sys::{h5d, h5f, h5p, h5s, h5t, h5z};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("texts.h5");
    sync(|| unsafe {
        let name = c_name(path.as_os_str().as_bytes());
        let file = h5f::H5Fcreate(name.as_ptr(), h5f::H5F_ACC_TRUNC, 0, 0);
        let plist = h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE);
        h5p::H5Pset_chunk(plist, 1, [2].as_ptr());
        h5p::H5Pset_filter(plist, 32015, h5z::H5Z_FLAG_OPTIONAL, 0, std::ptr::null());
        let kind = h5t::H5Tcopy(*h5t::H5T_C_S1);
        h5t::H5Tset_size(kind, 3);
        let space = h5s::H5Screate_simple(1, [5].as_ptr(), std::ptr::null());
        let set = h5d::H5Dcreate2(file, c"v".as_ptr(), kind, space, 0, plist, 0);
        for (at, plain) in [(0u64, b"ab\0def"), (4, b"x\0\0\0\0\0")] {
            let chunk = zstd::bulk::compress(plain, 1).unwrap();
            assert!(h5d::H5Dwrite_chunk(set, 0, 0, &at, chunk.len(), chunk.as_ptr().cast()) >= 0);
        }
        for id in [set, space, kind, plist, file] {
            hdf5_sys::h5i::H5Idec_ref(id);
        }
    });
    let c = open(&path).unwrap();
    assert_eq!(c.root().var("v").unwrap().stored, StoredType::FixedText(3));
    assert_eq!(c.texts("v").unwrap(), ["ab", "def", "", "", "x"]);
}

/// Behind a user block, the library says that what was never written begins one byte before the file does.
#[test]
fn what_was_never_written_has_no_place_behind_a_user_block() {
    use hdf5_sys::{h5d, h5f, h5p, h5s, h5t};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("unwritten.h5");
    let fill = -5i32;
    sync(|| unsafe {
        let creation = h5p::H5Pcreate(*h5p::H5P_CLS_FILE_CREATE);
        h5p::H5Pset_userblock(creation, 512);
        let name = c_name(path.as_os_str().as_bytes());
        let file = h5f::H5Fcreate(name.as_ptr(), h5f::H5F_ACC_TRUNC, creation, 0);
        let plist = h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE);
        h5p::H5Pset_fill_value(plist, *h5t::H5T_NATIVE_INT32, (&raw const fill).cast());
        let space = h5s::H5Screate_simple(1, [3].as_ptr(), std::ptr::null());
        let set = h5d::H5Dcreate2(file, c"v".as_ptr(), *h5t::H5T_NATIVE_INT32, space, 0, plist, 0);
        assert!(set >= 0);
        for id in [set, space, plist, file, creation] {
            hdf5_sys::h5i::H5Idec_ref(id);
        }
    });
    assert_eq!(values::<i32>(&*open(&path).unwrap(), "v"), [fill; 3]);
}

/// Stored bytes that are missing or broken are an error that says where.
#[test]
fn broken_chunks_say_where() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broken.h5");
    let mut bytes = std::fs::read(fixture("filters.h5")).unwrap();
    // The zlib streams at level 4 begin so; break what follows.
    let starts: Vec<usize> = (0..bytes.len() - 1).filter(|&k| bytes[k..k + 2] == [0x78, 0x5e]).collect();
    assert!(!starts.is_empty());
    for at in starts {
        bytes[at + 2..at + 12].fill(0xff);
    }
    std::fs::write(&path, bytes).unwrap();
    let c = open(&path).unwrap();
    let e = chunk(&*c.source("gzip").unwrap(), &[0, 0]).unwrap_err();
    let text = e.to_string();
    assert!(text.contains("broken.h5: variable 'gzip': chunk [0, 0]: "), "{text}");
    assert_eq!(e.class(), Class::Data);
}

/// Maps of noise, shuffled and deflated but for the tenth; the sixth was never written, the 13th is broken.
fn maps(path: &Path) {
    use hdf5_sys::{h5d, h5f, h5p, h5s, h5t};
    let chunk = |k: u64| -> Vec<u8> {
        let values = (0..2000u64).map(|n| ((n * n * 7919 + k * 31) % 128) as f32 / 64.0 + (n / 90) as f32);
        let plain: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        if k == 9 {
            return plain;
        }
        let planes: Vec<u8> = (0..4).flat_map(|byte| plain.iter().skip(byte).step_by(4).copied()).collect();
        let mut out = vec![0; 10_000];
        let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
        let n = compressor.zlib_compress(&planes, &mut out).unwrap();
        out.truncate(n);
        if k == 12 {
            out[n / 2] ^= 64;
        }
        out
    };
    sync(|| unsafe {
        let name = c_name(path.as_os_str().as_bytes());
        let file = h5f::H5Fcreate(name.as_ptr(), h5f::H5F_ACC_TRUNC, 0, 0);
        let plist = h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE);
        h5p::H5Pset_chunk(plist, 3, [1, 40, 50].as_ptr());
        h5p::H5Pset_shuffle(plist);
        h5p::H5Pset_deflate(plist, 4);
        let space = h5s::H5Screate_simple(3, [15, 40, 50].as_ptr(), std::ptr::null());
        let set = h5d::H5Dcreate2(file, c"v".as_ptr(), *h5t::H5T_IEEE_F32LE, space, 0, plist, 0);
        for k in (0..15).filter(|&k| k != 5) {
            let (stored, mask) = (chunk(k), if k == 9 { 3 } else { 0 });
            let at = [k, 0, 0];
            assert!(h5d::H5Dwrite_chunk(set, 0, mask, at.as_ptr(), stored.len(), stored.as_ptr().cast()) >= 0);
        }
        for id in [set, space, plist, file] {
            hdf5_sys::h5i::H5Idec_ref(id);
        }
    });
}

#[test]
fn chunks_read_together_are_those_read_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("maps.h5");
    maps(&path);
    let c = open(&path).unwrap();
    let source = c.source("v").unwrap();
    let size = source.scratch();
    let beside = source.scratch_beside(false).unwrap_or_default();
    let size = ScratchSize { stored: size.stored + 8 * beside.stored, work: size.work + 8 * beside.work, ..size };
    let mut scratch = Scratch::new(size, budget().lease(size.bytes(), "test").unwrap());
    for as_planes in [false, true] {
        for (first, n) in (0..15).flat_map(|first| (1..=9.min(15 - first)).map(move |n| (first, n))) {
            let chunks: Vec<ChunkIndex> = (first..first + n).map(|k| ChunkIndex(vec![k, 0, 0])).collect();
            let mut alone = Vec::new();
            for chunk in &chunks {
                let mut out = vec![0xee; source.chunk_bytes()];
                alone.push(match as_planes {
                    true => source.read_planes(chunk, &mut scratch, &mut out).map(|planes| (planes, out)),
                    false => source.read(chunk, &mut scratch, &mut out).map(|()| (false, out)),
                });
            }
            let mut outs = vec![vec![0xdd; source.chunk_bytes()]; chunks.len()];
            let mut slices: Vec<&mut [u8]> = outs.iter_mut().map(|out| &mut out[..]).collect();
            let read = source.read_together(as_planes, &chunks, &mut scratch, &mut slices);
            match alone.into_iter().collect::<Result<Vec<_>>>() {
                Ok(alone) => assert!(read.unwrap().into_iter().zip(outs).eq(alone), "{first} {n} {as_planes}"),
                Err(e) => assert_eq!(read.unwrap_err().to_string(), e.to_string()),
            }
        }
    }
    // Not every machine reads together; what is left gathered needs no room to be put together.
    let planes = source.scratch_beside(true);
    assert_eq!(planes, planes.map(|_| ScratchSize { work: 0, ..beside }));
    assert_eq!(beside.work, planes.map_or(0, |_| source.chunk_bytes()));
}

/// Strings in two attributes and a variable; the first of `length` bytes is said to have `claimed`.
fn with_strings(path: &Path, length: u32, claimed: u32) {
    use hdf5_sys::{h5a, h5d, h5f, h5s, h5t};
    sync(|| unsafe {
        let name = c_name(path.as_os_str().as_bytes());
        // The first version has no checksums.
        let access = H5Pcreate(*H5P_CLS_FILE_ACCESS);
        hdf5_sys::h5p::H5Pset_libver_bounds(access, h5f::H5F_LIBVER_EARLIEST, h5f::H5F_LIBVER_LATEST);
        let file = h5f::H5Fcreate(name.as_ptr(), h5f::H5F_ACC_TRUNC, 0, access);
        assert!(file >= 0);
        let text = h5t::H5Tcopy(*h5t::H5T_C_S1);
        h5t::H5Tset_size(text, h5t::H5T_VARIABLE);
        let scalar = h5s::H5Screate(h5s::H5S_class_t::H5S_SCALAR);
        let number = h5d::H5Dcreate2(file, c"n".as_ptr(), *h5t::H5T_NATIVE_INT32, scalar, 0, 0, 0);
        let two = h5s::H5Screate_simple(1, [2].as_ptr(), std::ptr::null());
        let texts = h5d::H5Dcreate2(file, c"s".as_ptr(), text, two, 0, 0, 0);
        let values = [c"zurich1".as_ptr(), c"lausanne".as_ptr()];
        h5d::H5Dwrite(texts, text, 0, 0, 0, values.as_ptr().cast());
        for (of, name, value) in [(file, c"title", c"abcde"), (number, c"units", c"metres")] {
            let attribute = h5a::H5Acreate2(of, name.as_ptr(), text, scalar, 0, 0);
            check(h5a::H5Awrite(attribute, text, [value.as_ptr()].as_ptr().cast()), "write").unwrap();
            hdf5_sys::h5i::H5Idec_ref(attribute);
        }
        for id in [texts, number, two, scalar, text, file, access] {
            hdf5_sys::h5i::H5Idec_ref(id);
        }
    });
    let mut bytes = std::fs::read(path).unwrap();
    let heap = bytes.windows(4).position(|b| b == b"GCOL").unwrap() as u64;
    let reference = [length.to_le_bytes().as_slice(), &heap.to_le_bytes()].concat();
    let at = bytes.windows(12).position(|b| b == reference).unwrap();
    bytes[at..at + 4].copy_from_slice(&claimed.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn strings_longer_than_their_file_are_refused_before_they_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("strings.h5");
    with_strings(&path, 5, 5);
    let c = open(&path).unwrap();
    assert_eq!(c.root().attrs.get("title"), Some(&Value::Text("abcde".into())));
    assert_eq!(c.root().var("n").unwrap().attrs.get("units"), Some(&Value::Text("metres".into())));
    assert_eq!(c.texts("s").unwrap(), ["zurich1", "lausanne"]);
    drop(c);
    // What a group is called does not change numbers.
    with_strings(&path, 5, u32::MAX);
    let c = open(&path).unwrap();
    let Some(Value::Json(words)) = c.root().attrs.get("title") else { panic!("{:?}", c.root().attrs) };
    assert!(words.contains("unreadable (it has 4294967295 bytes in a file of "), "{words}");
    assert_eq!(c.texts("s").unwrap().len(), 2);
    drop(c);
    // Units do.
    with_strings(&path, 6, 1 << 30);
    let c = open(&path).unwrap();
    let e = c.source("n").err().unwrap().to_string();
    let part = "variable 'n': unreadable (attribute is corrupt: 'units': it has 1073741824 bytes in a file of ";
    assert!(e.contains(part), "{e}");
    drop(c);
    with_strings(&path, 8, 1 << 30);
    let e = open(&path).unwrap().texts("s").unwrap_err().to_string();
    assert!(e.contains("strings.h5: variable 's': HDF5 string is corrupt: it has 1073741831 bytes in"), "{e}");
}

#[test]
fn a_fill_value_of_strings_may_be_there_more_often_than_the_file_has_bytes() {
    use hdf5_sys::{h5d, h5f, h5p, h5s, h5t};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fill.h5");
    sync(|| unsafe {
        let file = h5f::H5Fcreate(c_name(path.as_os_str().as_bytes()).as_ptr(), h5f::H5F_ACC_TRUNC, 0, 0);
        let text = h5t::H5Tcopy(*h5t::H5T_C_S1);
        h5t::H5Tset_size(text, h5t::H5T_VARIABLE);
        let space = h5s::H5Screate_simple(1, [5000].as_ptr(), std::ptr::null());
        let plist = h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE);
        h5p::H5Pset_fill_value(plist, text, [c"nothing here".as_ptr()].as_ptr().cast());
        let set = h5d::H5Dcreate2(file, c"s".as_ptr(), text, space, 0, plist, 0);
        assert!(set >= 0);
        for id in [set, plist, space, text, file] {
            hdf5_sys::h5i::H5Idec_ref(id);
        }
    });
    assert!(std::fs::metadata(&path).unwrap().len() < 5000 * 12);
    assert_eq!(open(&path).unwrap().texts("s").unwrap(), vec!["nothing here"; 5000]);
}

#[test]
fn strings_of_a_virtual_dataset_may_be_longer_than_its_file() {
    use hdf5_sys::{h5d, h5f, h5p, h5s, h5t};
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let long = CString::new("x".repeat(100_000)).unwrap();
    sync(|| unsafe {
        let create =
            |name: &str| h5f::H5Fcreate(c_name(path(name).as_os_str().as_bytes()).as_ptr(), h5f::H5F_ACC_TRUNC, 0, 0);
        let (from, to) = (create("from.h5"), create("to.h5"));
        let text = h5t::H5Tcopy(*h5t::H5T_C_S1);
        h5t::H5Tset_size(text, h5t::H5T_VARIABLE);
        let one = h5s::H5Screate_simple(1, [1].as_ptr(), std::ptr::null());
        let set = h5d::H5Dcreate2(from, c"s".as_ptr(), text, one, 0, 0, 0);
        check(h5d::H5Dwrite(set, text, 0, 0, 0, [long.as_ptr()].as_ptr().cast()), "write").unwrap();
        let plist = h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE);
        h5p::H5Pset_virtual(plist, one, c"from.h5".as_ptr(), c"s".as_ptr(), one);
        let other = h5d::H5Dcreate2(to, c"v".as_ptr(), text, one, 0, plist, 0);
        assert!(other >= 0);
        for id in [other, plist, set, one, text, to, from] {
            hdf5_sys::h5i::H5Idec_ref(id);
        }
    });
    assert!(std::fs::metadata(path("to.h5")).unwrap().len() < 100_000);
    assert_eq!(open(&path("to.h5")).unwrap().texts("v").unwrap()[0].len(), 100_000);
}

/// A file that is cut short, or has a byte flipped anywhere, opens or is refused; nothing worse.
#[test]
fn hostile_files_are_refused_or_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hostile.h5");
    for file in ["plain.h5", "userblock.h5", "indices_latest.h5"] {
        let bytes = std::fs::read(fixture(file)).unwrap();
        for k in 0..150 {
            let mut made = bytes.clone();
            let at = (k * 7919 + 13) % made.len();
            if k % 5 == 0 {
                made.truncate(at);
            } else {
                made[at] ^= 1 << (k % 8);
            }
            std::fs::write(&path, made).unwrap();
            let Ok(c) = open(&path) else { continue };
            for var in c.root().all_vars() {
                let Ok(source) = c.source(&var.path) else { continue };
                let _ = whole::read_all(&*source, &Budget::new(Bytes(1 << 20)));
            }
        }
    }
}

#[test]
fn a_file_cut_short_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("short.h5");
    let bytes = std::fs::read(fixture("types.h5")).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let e = open(&path).err().unwrap();
    assert!(matches!(e.problem(), Problem::Truncated { got, .. } if *got == bytes.len() as u64 / 2), "{e}");
}

#[test]
fn one_file_in_several_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    sync(|| unsafe {
        let access = H5Pcreate(*H5P_CLS_FILE_ACCESS);
        hdf5_sys::h5p::H5Pset_fapl_family(access, 2048, 0);
        let name = c_name(dir.path().join("part%d.h5").as_os_str().as_bytes());
        let file = hdf5_sys::h5f::H5Fcreate(name.as_ptr(), hdf5_sys::h5f::H5F_ACC_TRUNC, 0, access);
        let space = hdf5_sys::h5s::H5Screate_simple(1, [900].as_ptr(), std::ptr::null());
        let set = hdf5_sys::h5d::H5Dcreate2(file, c"t".as_ptr(), *hdf5_sys::h5t::H5T_NATIVE_INT, space, 0, 0, 0);
        check(hdf5_sys::h5d::H5Dwrite(set, *hdf5_sys::h5t::H5T_NATIVE_INT, 0, 0, 0, [7; 900].as_ptr().cast()), "")
            .unwrap();
        for id in [set, space, file, access] {
            hdf5_sys::h5i::H5Idec_ref(id);
        }
    });
    assert!(dir.path().join("part1.h5").exists());
    let e = open(&dir.path().join("part0.h5")).err().unwrap();
    assert!(matches!(e.problem(), Problem::Unsupported { .. }) && e.to_string().contains("in several files"), "{e}");
}

#[test]
fn what_lies_behind_the_extent_is_overwritten() {
    let fill = Fill { extent: Shape(vec![3, 5]), unwritten: vec![0], beyond: vec![9] };
    let region = Region { start: vec![2, 4], shape: Shape(vec![2, 2]) };
    let mut out = vec![1; 6];
    assert!(fill.reaches_beyond(&region));
    fill.behind_extent(&region, &Shape(vec![2, 3]), &mut out);
    assert_eq!(out, [1, 9, 9, 9, 9, 9]);
    assert!(!fill.reaches_beyond(&Region { start: vec![0, 0], shape: Shape(vec![3, 5]) }));
}

#[test]
fn what_the_disk_refuses_is_an_error_with_its_place_and_short_reads_go_on() {
    use crate::store::Fault;
    let path = fixture("indices_latest.h5");
    let over = |fault| open_over(LocalFile::open_faulty(&path, fault).unwrap(), &path).unwrap();
    assert_eq!(values::<i32>(&*over(Fault::Short(5)), "fixed_filtered"), counting(77));
    let len = std::fs::metadata(&path).unwrap().len();
    // The library reads the file by itself; only what is read from it directly fails.
    let source = over(Fault::Unreadable(8..len)).source("fixed_filtered").unwrap();
    let e = chunk(&*source, &[1, 2]).unwrap_err();
    assert!(matches!(e.problem(), Problem::Io { source, .. } if source.raw_os_error() == Some(libc::EIO)), "{e}");
    let text = e.to_string();
    assert!(text.contains("indices_latest.h5: variable 'fixed_filtered': chunk [1, 2]: read "), "{text}");
    let source = over(Fault::CutAt(8)).source("fixed_filtered").unwrap();
    assert!(chunk(&*source, &[1, 2]).unwrap_err().to_string().contains("expected"));
}
