//! Outputs whose writer is gone: a copy of what is on the disk while it writes is what a kill leaves.

use super::*;
use crate::{error::Problem, store::PieceNumber};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

const OUT: &str = "out.nc";
const ALL: [OutputFormat; 3] = [OutputFormat::NetCdf4, OutputFormat::NetCdf3, OutputFormat::NetCdf5];

fn kept(dir: &TempDir) -> PathBuf {
    dir.path().join(".out.nc.unfinished")
}

fn stores(dir: &TempDir) -> Vec<String> {
    let names = fs::read_dir(kept(dir)).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("store")).collect();
    names.sort();
    names
}

/// What is on the disk now, elsewhere.
fn killed(dir: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(kept(&copy)).unwrap();
    for item in fs::read_dir(kept(dir)).unwrap() {
        let path = item.unwrap().path();
        fs::copy(&path, kept(&copy).join(path.file_name().unwrap())).unwrap();
    }
    copy
}

fn run() -> RunIdentity {
    RunIdentity(vec![("the request".into(), "test".into())])
}

fn go_on(dir: &TempDir, format: OutputFormat, schema: &Group) -> Box<dyn Sink> {
    resume(&dir.path().join(OUT), format, schema, &run(), &|| Ok(())).unwrap()
}

/// The records of what lies in a folder, and the file that they are of.
fn records(dir: &TempDir) -> (Vec<Record>, PathBuf) {
    let pending = Pending::kept(&dir.path().join(OUT), Form::File, &run()).unwrap();
    (pending.unfinished().unwrap().earlier().to_vec(), pending.path().to_path_buf())
}

/// The pieces that nobody needs to write.
fn had(sink: &dyn Sink, variable: &str) -> Vec<u64> {
    let grid = sink.grid(variable).unwrap();
    (0..grid.chunks()).filter(|n| sink.has(variable, &grid.index(*n))).collect()
}

/// That those pieces are there that were written; but netCDF has the last ones of a classic file in memory, which is all of
/// such a small one.
fn check_had(sink: &dyn Sink, format: OutputFormat, written: [&[u64]; 2]) {
    for (variable, written) in ["c", "p"].into_iter().zip(written) {
        let had = had(sink, variable);
        if format == OutputFormat::NetCdf4 {
            assert_eq!(had, written, "{variable}");
        } else {
            assert!(had.iter().all(|n| written.contains(n)), "{variable}: {had:?}");
        }
    }
}

/// Two variables: `c` has chunks where the format has any, `p` lies in one run, or in records, and is taken in pieces.
fn schema(said: &str) -> Group {
    let mut c = chunked(var("c", DType::F32, &[("time", 7), ("x", 500)]), &[2, 300], &["shuffle", "deflate"]);
    c.attrs.set("_FillValue", Value::F32(vec![-1.0]));
    let mut p = chunked(var("p", DType::F32, &[("y", 6), ("x", 500)]), &[3, 200], &[]);
    p.storage.kind = "contiguous";
    let mut root = root(vec![grows("time", 7), dim("y", 6), dim("x", 500)], vec![c, p]);
    root.attrs.set("history", said);
    root
}

fn value(n: u64) -> f32 {
    (n * 7919 % 1000) as f32
}

/// Writes what `keep` wants of both variables.
fn write_both(sink: &dyn Sink, value: impl Fn(u64) -> f32, keep: impl Fn(u64) -> bool) {
    write(sink, "c", &value, &keep);
    write(sink, "p", &value, &keep);
}

fn unbroken(dir: &TempDir, format: OutputFormat, skipped: u64) -> (PathBuf, [Vec<f32>; 2]) {
    let path = dir.path().join("whole.nc");
    let sink = create(&path, format, &schema("first")).unwrap();
    write_both(&*sink, value, |n| n != skipped);
    sink.finish().unwrap();
    let values = ["c", "p"].map(|name| numbers(&path, name));
    (path, values)
}

#[test]
fn a_killed_file_is_gone_on_with_once_and_again() {
    for format in ALL {
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let (whole, values) = unbroken(&dirs[0], format, 5);
        let sink = go_on(&dirs[0], format, &schema("first"));
        assert!(had(&*sink, "c").is_empty());
        write_both(&*sink, value, |n| n % 3 == 0);
        let second = killed(&dirs[0]);
        let sink = go_on(&second, format, &schema("second"));
        check_had(&*sink, format, [&[0, 3, 6], &[0, 3]]);
        // What is there is not written again.
        let other = if format == OutputFormat::NetCdf4 { 1000.0 } else { 0.0 };
        write_both(&*sink, |n| value(n) + if n == 0 { other } else { 0.0 }, |n| n % 3 != 2);
        let third = killed(&second);
        let sink = go_on(&third, format, &schema("third"));
        check_had(&*sink, format, [&[0, 1, 3, 4, 6, 7], &[0, 1, 3, 4]]);
        let newest = if format == OutputFormat::NetCdf4 { "store.2" } else { "store" };
        assert_eq!(stores(&third), [newest]);
        // Chunk 5 of both is never written, and has the fill.
        write_both(&*sink, value, |n| n != 5);
        sink.finish().unwrap();
        let path = third.path().join(OUT);
        assert!(["c", "p"].map(|name| numbers(&path, name)) == values, "{format:?}: other values");
        assert_eq!(fs::read_dir(third.path()).unwrap().count(), 1, "nothing is left beside it");
        let history = netcdf::open(&path).unwrap().attribute("history").unwrap().value().unwrap();
        assert_eq!(history, "first".into(), "that of the first run stays");
        if format != OutputFormat::NetCdf4 {
            assert!(fs::read(&path).unwrap() == fs::read(&whole).unwrap(), "{format:?}: other bytes");
        }
    }
}

#[test]
fn what_is_damaged_is_written_again() {
    for format in ALL {
        let dir = tempfile::tempdir().unwrap();
        let (_, values) = unbroken(&dir, format, 99);
        let sink = go_on(&dir, format, &schema("first"));
        write_both(&*sink, value, |_| true);
        drop(sink);
        let copy = killed(&dir);
        let (records, store) = records(&copy);
        assert_eq!(records.len(), 8 + 6, "{format:?}");
        // One byte of a chunk, and one of a piece. Records are the last part of a classic file.
        let mut bytes = fs::read(&store).unwrap();
        let places: Vec<usize> = match format {
            OutputFormat::NetCdf4 => {
                let of = |variable, piece| PieceNumber { variable, piece };
                let at = |number| records.iter().find(|record| record.number == number).unwrap().at as usize;
                vec![at(of(0, 7)) + 100, at(of(1, 0)) + 6 * 500 * 4 - 1]
            }
            _ => vec![bytes.len() - 1, bytes.len() - 7 * 500 * 4 - 1],
        };
        places.iter().for_each(|&at| bytes[at] ^= 1);
        fs::write(&store, bytes).unwrap();
        let sink = go_on(&copy, format, &schema("second"));
        let expected = ((0..7).collect::<Vec<_>>(), (0..5).collect::<Vec<_>>());
        assert_eq!((had(&*sink, "c"), had(&*sink, "p")), expected, "{format:?}");
        write_both(&*sink, value, |_| true);
        sink.finish().unwrap();
        let got = ["c", "p"].map(|name| numbers(&copy.path().join(OUT), name));
        assert!(got == values, "{format:?}: other values");
    }
}

#[test]
fn a_file_that_is_too_short_has_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let sink = go_on(&dir, OutputFormat::NetCdf4, &schema("first"));
    write_both(&*sink, value, |_| true);
    let copy = killed(&dir);
    let (mut records, store) = records(&copy);
    records.retain(|record| record.number.variable == 0);
    records.sort_by_key(|record| record.at);
    let last = records[7];
    fs::File::options().write(true).open(&store).unwrap().set_len(last.at + last.len - 1).unwrap();
    let sink = go_on(&copy, OutputFormat::NetCdf4, &schema("second"));
    let expected: Vec<u64> = (0..8).filter(|n| *n != last.number.piece).collect();
    assert_eq!(had(&*sink, "c"), expected);
}

#[test]
fn a_donor_stays_until_all_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let sink = go_on(&dir, OutputFormat::NetCdf4, &schema("first"));
    write_both(&*sink, value, |_| true);
    let copy = killed(&dir);
    let asked = std::cell::Cell::new(0);
    let stopped = || {
        asked.set(asked.get() + 1);
        if asked.get() > 4 { Err(Problem::Stopped.into()) } else { Ok(()) }
    };
    for newer in ["store.1", "store.2"] {
        asked.set(0);
        let stop = resume(&copy.path().join(OUT), OutputFormat::NetCdf4, &schema("second"), &run(), &stopped);
        assert!(matches!(stop.err().unwrap().problem(), Problem::Stopped));
        assert_eq!(stores(&copy), ["store", newer]);
    }
    let sink = go_on(&copy, OutputFormat::NetCdf4, &schema("second"));
    assert_eq!((had(&*sink, "c").len(), had(&*sink, "p").len()), (8, 6));
    assert_eq!(stores(&copy), ["store.3"]);
}

/// Few bytes share a block of the file with others.
#[test]
fn places_of_small_chunks_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str| chunked(var(name, DType::F32, &[("x", 4000)]), &[2], &["deflate"]);
    let schema = root(vec![dim("x", 4000)], vec![of("a"), of("b")]);
    let sink = go_on(&dir, OutputFormat::NetCdf4, &schema);
    for n in 0..2000 {
        write(&*sink, "a", value, |k| k == n);
        write(&*sink, "b", value, |k| k == n);
    }
    let copy = killed(&dir);
    let sink = go_on(&copy, OutputFormat::NetCdf4, &schema);
    assert_eq!((had(&*sink, "a").len(), had(&*sink, "b").len()), (2000, 2000));
}

#[test]
fn another_run_is_refused() {
    for format in ALL {
        let dir = tempfile::tempdir().unwrap();
        let sink = go_on(&dir, format, &schema("first"));
        let path = dir.path().join(OUT);
        let busy = resume(&path, format, &schema("first"), &run(), &|| Ok(())).err().unwrap().to_string();
        assert!(busy.contains("another run is writing"), "{busy}");
        write_both(&*sink, value, |_| true);
        drop(sink);
        let other = RunIdentity(vec![("the request".into(), "other".into())]);
        let text = resume(&path, format, &schema("first"), &other, &|| Ok(())).err().unwrap().to_string();
        assert!(text.contains("the request was 'test' and is 'other'"), "{text}");
        assert_eq!(had(&*go_on(&dir, format, &schema("first")), "c").len(), 8, "it is as it was");
    }
}

#[test]
fn a_run_that_has_written_nothing_leaves_nothing() {
    for format in ALL {
        let dir = tempfile::tempdir().unwrap();
        drop(go_on(&dir, format, &schema("first")));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_shape_is_gone_on_with(
        axes in prop::collection::vec((1u64..7, 1u64..9, any::<bool>()), 0..4),
        codecs in prop::sample::subsequence(vec!["shuffle", "deflate", "fletcher32"], 0..=3),
        contiguous in any::<bool>(),
        (first, second) in (2u64..5, 2u64..5),
        format in prop::sample::select(ALL.to_vec()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..axes.len()).map(|k| format!("d{k}")).collect();
        let dims: Vec<(&str, u64)> = names.iter().zip(&axes).map(|(n, a)| (n.as_str(), a.0)).collect();
        let chunk: Vec<u64> = axes.iter().map(|a| a.1).collect();
        let mut v = chunked(var("v", DType::F32, &dims), &chunk, if contiguous { &[] } else { &codecs });
        v.storage.kind = if contiguous { "contiguous" } else { "chunked" };
        let declared = dims.iter().zip(&axes).map(|(d, a)| Dimension { unlimited: a.2, ..dim(d.0, d.1) }).collect();
        let schema = root(declared, vec![v]);
        let sink = go_on(&dir, format, &schema);
        write(&*sink, "v", value, |n| n % first == 0);
        let copy = killed(&dir);
        let sink = go_on(&copy, format, &schema);
        write(&*sink, "v", value, |n| n % second == 0);
        let last = killed(&copy);
        let sink = go_on(&last, format, &schema);
        if format == OutputFormat::NetCdf4 {
            let (chunks, had) = (sink.grid("v").unwrap().chunks(), had(&*sink, "v"));
            prop_assert_eq!(had, (0..chunks).filter(|n| n % first == 0 || n % second == 0).collect::<Vec<_>>());
        }
        write(&*sink, "v", value, |_| true);
        sink.finish().unwrap();
        let elements = dims.iter().map(|d| d.1).product::<u64>();
        prop_assert_eq!(numbers(&last.path().join(OUT), "v"), (0..elements).map(value).collect::<Vec<_>>());
    }
}
