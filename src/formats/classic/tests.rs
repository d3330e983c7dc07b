use super::*;
use crate::{
    attrs::Value,
    budget::Budget,
    codec::Scratch,
    dtype::{DType, Element},
    shape::ChunkIndex,
    units::Bytes,
    with_dtype,
};
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats-classic").join(name)
}

fn budget() -> Budget {
    Budget::new(Bytes(64 << 20))
}

fn values<T: Element>(container: &dyn Container, variable: &str) -> Vec<T> {
    let source = container.source(variable).unwrap();
    assert_eq!(source.meta().stored.dtype(), Some(T::DTYPE), "{variable}");
    whole::read_all(&*source, &budget()).unwrap().elements::<T>().to_vec()
}

/// What `make.py` put there.
fn check_counting(container: &dyn Container, variable: &str) {
    let meta = container.root().var(variable).unwrap();
    let dtype = meta.stored.dtype().unwrap();
    let count = meta.shape.elements().unwrap();
    with_dtype!(dtype, T => {
        let got = values::<T>(container, variable);
        assert_eq!(got.len() as u64, count);
        for (n, x) in got.into_iter().enumerate() {
            let n = n as i128;
            let ok = match dtype {
                DType::F32 => x.to_f64() == 0.5 + n as f64,
                DType::F64 => x.to_f64() == -1.25 + n as f64,
                _ => {
                    let start = match dtype {
                        DType::I8 => -3,
                        DType::I16 => 700,
                        DType::I32 => 70_000,
                        DType::U8 => 9,
                        DType::U16 => 60_000,
                        DType::U32 => 4_000_000_000,
                        DType::I64 => -(1 << 40),
                        _ => 1 << 63,
                    };
                    bytemuck::bytes_of(&x) == &(start + n).to_ne_bytes()[..size_of::<T>()]
                }
            };
            assert!(ok, "{variable}[{n}] = {x:?}");
        }
    });
}

#[test]
fn every_version_reads_fixed_and_record_variables() {
    for (file, format, count) in [
        ("cdf1.nc", "NetCDF classic", 13),
        ("cdf2.nc", "NetCDF classic (64-bit offset)", 13),
        ("cdf5.nc", "NetCDF classic (64-bit data)", 23),
    ] {
        let c = open(&fixture(file)).unwrap();
        assert_eq!(c.format(), format);
        assert_eq!(c.root().vars.len(), count, "{file}");
        for var in c.root().vars.iter().filter(|v| v.stored != StoredType::Char) {
            check_counting(&*c, &var.path);
        }
    }
}

#[test]
fn the_header_is_shown() {
    let c = open(&fixture("cdf1.nc")).unwrap();
    let root = c.root();
    let dims: Vec<_> = root.dims.iter().map(|d| (d.name.as_str(), d.len, d.unlimited)).collect();
    assert_eq!(dims, [("time", 4, true), ("y", 3, false), ("x", 5, false), ("len", 6, false)]);
    assert_eq!(root.attrs.text("title"), Some("classic"));
    assert_eq!(root.attrs.get("numbers"), Some(&Value::F32(vec![1.5, 2.5])));
    assert_eq!(root.attrs.get("short"), Some(&Value::I16(vec![-7])));
    let var = root.var("record_f8").unwrap();
    assert_eq!((var.dims.clone(), var.storage.kind), (vec!["time".to_string(), "y".into()], "record"));
    assert_eq!(var.storage.stored_bytes, Some(96));
    assert_eq!(root.var("names").unwrap().attrs.text("long_name"), Some("stations"));
    assert_eq!(root.var("scalar").unwrap().shape.len(), 0);
}

#[test]
fn chars_join_into_strings() {
    let c = open(&fixture("cdf1.nc")).unwrap();
    assert_eq!(c.texts("names").unwrap(), ["Oslo", "Kiruna", ""]);
    assert_eq!(c.texts("letters").unwrap(), ["a", "bb", "ccc", "dddddd"]);
    assert!(c.texts("scalar").is_err());
    assert!(matches!(c.texts("nothing").unwrap_err().problem(), Problem::NoSuchVariable { .. }));
}

#[test]
fn a_single_record_variable_is_not_padded() {
    let c = open(&fixture("one_record.nc")).unwrap();
    check_counting(&*c, "v");
}

/// A file made here: dimensions `time` (records) and `x`, and 16-bit variables over both.
fn bytes(records: u32, x: u32, names: &[&str]) -> Vec<u8> {
    let mut out = b"CDF\x02".to_vec();
    let word = |out: &mut Vec<u8>, n: u32| out.extend(n.to_be_bytes());
    let text = |out: &mut Vec<u8>, s: &str| {
        out.extend((s.len() as u32).to_be_bytes());
        out.extend(s.as_bytes());
        out.resize(out.len().next_multiple_of(4), 0);
    };
    word(&mut out, records);
    for n in [DIMS, 2] {
        word(&mut out, n);
    }
    text(&mut out, "time");
    word(&mut out, 0);
    text(&mut out, "x");
    word(&mut out, x);
    for n in [0, 0, VARS, names.len() as u32] {
        word(&mut out, n);
    }
    let slab = (2 * x).next_multiple_of(4);
    let begin = out.len() + names.iter().map(|n| 40 + n.len().next_multiple_of(4)).sum::<usize>();
    for (k, name) in names.iter().enumerate() {
        text(&mut out, name);
        for n in [2, 0, 1, 0, 0, 3, slab] {
            word(&mut out, n);
        }
        out.extend((begin as u64 + k as u64 * u64::from(slab)).to_be_bytes());
    }
    assert_eq!(out.len(), begin);
    out
}

const DIMS: u32 = 0x0a;
const VARS: u32 = 0x0b;

/// The values behind such a header: those of variable `k` count from `1000 * k`, wrapping.
fn with_values(mut out: Vec<u8>, records: u32, x: u32, vars: u32) -> Vec<u8> {
    for record in 0..records {
        for var in 0..vars {
            for i in 0..x {
                out.extend(((1000 * var + record * x + i) as u16).to_be_bytes());
            }
            if vars > 1 {
                out.resize(out.len() + (x % 2 * 2) as usize, 0xee);
            }
        }
    }
    out
}

fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made.nc");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn check_made(path: &Path, records: u32, x: u32, names: &[&str]) {
    let c = open(path).unwrap();
    assert_eq!(c.root().dims[0].len, u64::from(records));
    for (k, name) in names.iter().enumerate() {
        let got = values::<i16>(&*c, name);
        assert_eq!(got.len() as u32, records * x);
        let wrong = got.iter().enumerate().find(|&(n, &v)| v as u16 != (1000 * k + n) as u16);
        assert_eq!(wrong, None, "{name} of {records} x {x}");
    }
}

/// Few and many records, gathered in spans, in runs, and split: all give the same values.
#[test]
fn records_of_any_size_are_read() {
    for (records, x) in [(1, 1), (3, 5), (70_000, 1), (9000, 63), (50, 5001), (3, 700_001)] {
        for names in [["a"].as_slice(), &["a", "b", "c"]] {
            let vars = names.len() as u32;
            let (_dir, path) = written(&with_values(bytes(records, x, names), records, x, vars));
            check_made(&path, records, x, names);
        }
    }
}

#[test]
fn a_streamed_file_has_the_records_that_fit() {
    let names = ["a", "b"];
    let mut made = with_values(bytes(u32::MAX, 5, &names), 7, 5, 2);
    made.extend([1, 2, 3]);
    let (_dir, path) = written(&made);
    check_made(&path, 7, 5, &names);
}

#[test]
fn a_file_cut_short_opens_and_reads_what_is_there() {
    let names = ["a", "b"];
    let whole = with_values(bytes(50, 5001, &names), 50, 5001, 2);
    let (_dir, path) = written(&whole[..whole.len() / 2]);
    let c = open(&path).unwrap();
    let source = c.source("a").unwrap();
    let size = source.scratch();
    let mut scratch = Scratch::new(size, budget().lease(size.bytes(), "test").unwrap());
    let mut out = vec![0; source.chunk_bytes()];
    let e = source.read(&ChunkIndex(vec![0, 0]), &mut scratch, &mut out).unwrap_err();
    assert!(matches!(e.problem(), Problem::Truncated { .. }), "{e}");
    assert_eq!(e.variable(), Some("a"));
    assert!(e.to_string().contains("made.nc") && e.to_string().contains("[0, 0]"), "{e}");
}

/// No prefix of a header and no flipped byte in it does more than fail.
#[test]
fn hostile_headers_are_refused_or_read() {
    let names = ["a", "b"];
    let header = bytes(4, 5, &names);
    for cut in 0..header.len() {
        let (_dir, path) = written(&header[..cut]);
        assert!(open(&path).is_err(), "{cut} bytes of {}", header.len());
    }
    for at in 4..header.len() {
        for flip in [0x80, 0xff, 0x01] {
            let mut made = with_values(header.clone(), 4, 5, 2);
            made[at] ^= flip;
            let (_dir, path) = written(&made);
            let Ok(c) = open(&path) else { continue };
            for var in c.root().all_vars() {
                let Ok(source) = c.source(&var.path) else { continue };
                let _ = whole::read_all(&*source, &Budget::new(Bytes(4 << 20)));
                let _ = c.texts(&var.path);
            }
        }
    }
}

#[test]
fn what_the_disk_refuses_is_an_error_with_its_place_and_short_reads_go_on() {
    use crate::store::Fault;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.nc");
    // Longer than what is read at once when it is opened.
    let values = 300_000u32;
    let header = [
        &b"CDF\x01\0\0\0\0\0\0\0\x0a\0\0\0\x01\0\0\0\x01x\0\0\0"[..],
        &values.to_be_bytes(),
        &b"\0\0\0\0\0\0\0\0\0\0\0\x0b\0\0\0\x01\0\0\0\x01v\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0"[..],
        &b"\0\0\0\x04"[..],
        &(values * 4).to_be_bytes(),
        &80u32.to_be_bytes(),
    ]
    .concat();
    assert_eq!(header.len(), 80);
    std::fs::write(&path, (0..values).fold(header, |mut all, n| (all.extend(n.to_be_bytes()), all).1)).unwrap();
    let over = |fault| Classic::of(LocalFile::open_faulty(&path, fault).unwrap()).unwrap();
    let read = |c: &Classic| whole::read_all(&*c.source("v").unwrap(), &budget());
    assert_eq!(read(&over(Fault::Short(999))).unwrap().elements::<i32>(), (0..300_000).collect::<Vec<i32>>());
    for (fault, words) in
        [(Fault::Unreadable(900_000..900_001), "Input/output error"), (Fault::CutAt(900_000), "expected")]
    {
        let e = read(&over(fault)).err().unwrap();
        let text = e.to_string();
        assert!(text.contains("in.nc: variable 'v': chunk [") && text.contains(words), "{text}");
        assert!(matches!(e.problem(), Problem::Io { .. } | Problem::Truncated { .. }), "{text}");
    }
}
