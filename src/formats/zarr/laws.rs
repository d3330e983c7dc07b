//! Laws of what is written, whatever its codecs, its chunks and shards, the order of writing and the threads.

use super::{container::ZarrStore, keys::Keys, *};
use crate::{
    attrs::Attrs,
    budget::Budget,
    codec::Scratch,
    dtype::DType,
    error::Problem,
    formats::whole::read_all,
    shape::{ChunkIndex, Shape},
    source::{CodecMeta, Storage, StoredType, VarMeta},
    store::{Fault, LocalFile},
    units::Bytes,
};
use proptest::prelude::*;
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

fn shown(name: &str, level: Option<i32>, detail: &str) -> CodecMeta {
    CodecMeta { name: name.into(), level, detail: detail.into() }
}

fn var(dtype: DType, shape: &[u64], chunk: &[u64], shard: Option<&[u64]>, codecs: &[CodecMeta]) -> VarMeta {
    VarMeta {
        path: "v".into(),
        stored: StoredType::native(dtype),
        shape: shape.into(),
        dims: (0..shape.len()).map(|k| format!("d{k}")).collect(),
        dims_named: true,
        attrs: Attrs::new(),
        fill: None,
        storage: Storage {
            chunk: Some(chunk.into()),
            shard: shard.map(Shape::from),
            codecs: codecs.to_vec(),
            ..Storage::default()
        },
    }
}

/// The bytes of element `n`: slopes with a little noise, so that codecs have something to do.
fn element(n: u64, size: usize) -> Vec<u8> {
    (n / 3 * 65_537 + n % 2).to_le_bytes()[..size].to_vec()
}

/// Writes the chunks in `order` from `threads` at once.
fn write(path: &Path, format: OutputFormat, var: &VarMeta, order: &[u64], threads: usize) {
    let root = Group { vars: vec![var.clone()], ..Group::default() };
    let sink = create(path, format, &root).unwrap();
    let (next, size) = (AtomicUsize::new(0), var.stored.element_bytes().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let space = sink.scratch("v").unwrap();
                let budget = Budget::new(Bytes(space.bytes()));
                let mut scratch = Scratch::new(space, budget.lease(space.bytes(), "test").unwrap());
                let grid = sink.grid("v").unwrap();
                let strides = grid.shape().strides();
                while let Some(n) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let chunk = grid.index(*n);
                    let region = grid.region(&chunk);
                    let number = |mut rest: u64| {
                        let mut at = 0;
                        for k in (0..region.start.len()).rev() {
                            at += (region.start[k] + rest % region.shape[k]) * strides[k];
                            rest /= region.shape[k];
                        }
                        at
                    };
                    let data: Vec<u8> =
                        (0..region.shape.elements().unwrap()).flat_map(|n| element(number(n), size)).collect();
                    sink.write("v", &chunk, &data, &mut scratch).unwrap();
                }
            });
        }
    });
    sink.finish().unwrap();
}

fn read(container: &dyn Container) -> Result<Vec<u8>> {
    Ok(read_all(&*container.source("v")?, &Budget::new(Bytes(1 << 26)))?.bytes().to_vec())
}

/// What is read when all but the chunks `missing` were written.
fn expected(var: &VarMeta, missing: &[u64]) -> Vec<u8> {
    let size = var.stored.element_bytes().unwrap();
    let chunk = var.storage.chunk.clone().unwrap();
    let cut = chunk.iter().zip(var.shape.iter()).map(|(c, n)| (*c).min(*n).max(1)).collect();
    let grid = crate::grid::Grid::new(var.shape.clone(), cut).unwrap();
    let strides = var.shape.strides();
    let bytes = |n: u64| {
        let index = (0..var.shape.len()).map(|k| n / strides[k] % var.shape[k] / grid.chunk()[k]).collect();
        if missing.contains(&grid.number(&ChunkIndex(index))) { vec![0; size] } else { element(n, size) }
    };
    (0..var.shape.elements().unwrap()).flat_map(bytes).collect()
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for item in fs::read_dir(next).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push((path.strip_prefix(folder).unwrap().to_path_buf(), fs::read(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

fn pipelines() -> impl Strategy<Value = Vec<CodecMeta>> {
    let blosc = (prop::sample::select(vec!["lz4", "lz4hc", "zstd", "zlib", "blosclz"]), 0..=2, 1..=9)
        .prop_map(|(cname, shuffle, level)| shown("blosc", Some(level), &format!("cname={cname} shuffle={shuffle}")));
    let compressor = prop_oneof![
        Just(vec![]),
        (0..=9).prop_map(|level| vec![shown("gzip", Some(level), "")]),
        (0..=9).prop_map(|level| vec![shown("deflate", Some(level), "")]),
        Just(vec![shown("deflate", Some(1), "fast")]),
        (-7..=12).prop_map(|level| vec![shown("zstd", Some(level), "")]),
        (1..=9).prop_map(|level| vec![shown("bzip2", Some(level), "")]),
        Just(vec![shown("lz4", None, "")]),
        Just(vec![shown("lzf", None, "")]),
        blosc.prop_map(|codec| vec![codec]),
    ];
    let checksum = prop::sample::select(vec!["", "crc32c", "fletcher32", "adler32"]);
    (any::<bool>(), compressor, checksum).prop_map(|(shuffle, compressor, checksum)| {
        let of = |wanted: bool, name: &str| wanted.then(|| shown(name, None, ""));
        of(shuffle, "shuffle").into_iter().chain(compressor).chain(of(!checksum.is_empty(), checksum)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn what_any_threads_write_in_any_order_reads_back_and_is_the_same_file(
        axes in prop::collection::vec((0u64..9, 1u64..6, 1u64..12), 0..4),
        dtype in prop::sample::select(vec![DType::U8, DType::I16, DType::F32, DType::F64]),
        codecs in pipelines(),
        sharded in any::<bool>(),
        skipped in prop::collection::vec(0u64..20, 0..3),
        seed in any::<u64>(),
        threads in 1usize..4,
        format in prop::sample::select(vec![OutputFormat::Zarr3, OutputFormat::Zarr2]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let of = |which: fn(&(u64, u64, u64)) -> u64| axes.iter().map(which).collect::<Vec<_>>();
        let (shape, chunk, shard) = (of(|a| a.0), of(|a| a.1), of(|a| a.2));
        let var = var(dtype, &shape, &chunk, sharded.then_some(&shard[..]), &codecs);
        let counts: u64 = shape.iter().zip(&chunk).map(|(n, c)| n.div_ceil((*c).min(*n).max(1))).product();
        let inorder: Vec<u64> = (0..counts).filter(|n| !skipped.contains(n)).collect();
        let mut mixed = inorder.clone();
        mixed.sort_by_key(|n| (n + 1).wrapping_mul(seed | 1));
        let paths = [dir.path().join("a.zarr"), dir.path().join("b.zarr")];
        write(&paths[0], format, &var, &inorder, 1);
        write(&paths[1], format, &var, &mixed, threads);
        let back = open(&paths[0]).unwrap();
        prop_assert_eq!(read(&*back).unwrap(), expected(&var, &skipped));
        let storage = &back.root().var("v").unwrap().storage;
        prop_assert_eq!(storage.shard.is_some(), sharded && format == OutputFormat::Zarr3);
        prop_assert_eq!(files(&paths[0]), files(&paths[1]));
        prop_assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}

#[test]
fn shards_are_whole_chunks_within_the_array() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zarr");
    // Wished 5 and 100: a whole number of chunks, and no more than there are.
    let var = var(DType::I16, &[10, 7], &[2, 3], Some(&[5, 100]), &[shown("zstd", Some(1), "")]);
    write(&path, OutputFormat::Zarr3, &var, &(0..15).collect::<Vec<_>>(), 1);
    let back = open(&path).unwrap();
    let storage = &back.root().var("v").unwrap().storage;
    assert_eq!((storage.shard.clone().unwrap().0, storage.chunk.clone().unwrap().0), (vec![6, 9], vec![2, 3]));
    assert_eq!(files(&path.join("v/c")).len(), 2);
}

#[test]
fn a_chunk_is_written_once_and_failing_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zarr");
    let root = Group { vars: vec![var(DType::U8, &[4], &[1], Some(&[2]), &[])], ..Group::default() };
    let sink = create(&path, OutputFormat::Zarr3, &root).unwrap();
    let mut scratch = Scratch::new(Default::default(), Budget::new(Bytes(0)).lease(0, "test").unwrap());
    let mut put = |n: u64| sink.write("v", &ChunkIndex(vec![n]), &[1], &mut scratch);
    put(1).unwrap();
    let e = put(1).unwrap_err().to_string();
    assert!(e.contains("a.zarr: variable 'v': chunk [1]: the chunk is written twice"), "{e}");
    put(0).unwrap();
    let e = put(0).unwrap_err().to_string();
    assert!(e.contains("create a shard"), "the shard is whole: {e}");
    drop(sink);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let wrong = Group { vars: vec![var(DType::U8, &[4], &[1], Some(&[2, 2]), &[])], ..Group::default() };
    assert!(create(&path, OutputFormat::Zarr3, &wrong).is_err());
}

#[test]
fn what_the_disk_refuses_is_an_error_with_its_place_and_short_reads_go_on() {
    let dir = tempfile::tempdir().unwrap();
    for shard in [None, Some(&[4u64, 6][..])] {
        let path = dir.path().join(if shard.is_some() { "s.zarr" } else { "c.zarr" });
        let var = var(DType::F32, &[8, 6], &[2, 3], shard, &[shown("zstd", Some(1), "")]);
        write(&path, OutputFormat::Zarr3, &var, &(0..8).collect::<Vec<_>>(), 2);
        let over = |open| ZarrStore::of(Keys::Folder { root: path.clone(), open }, &path);
        let short = over(|p: &Path| LocalFile::open_faulty(p, Fault::Short(3))).unwrap();
        assert_eq!(read(&short).unwrap(), expected(&var, &[]));
        // Chunks have no ending, documents have.
        let broken = over(|p: &Path| match p.extension() {
            None => LocalFile::open_faulty(p, Fault::Unreadable(0..10)),
            Some(_) => LocalFile::open(p),
        });
        let e = read(&broken.unwrap()).unwrap_err();
        assert!(matches!(e.problem(), Problem::Io { source, .. } if source.raw_os_error() == Some(libc::EIO)), "{e}");
        let text = e.to_string();
        assert!(text.contains("v/c/0/0: variable 'v': chunk [0, 0]: read "), "{text}");
        let cut = over(|p: &Path| match p.extension() {
            None => LocalFile::open_faulty(p, Fault::CutAt(10)),
            Some(_) => LocalFile::open(p),
        });
        assert!(read(&cut.unwrap()).unwrap_err().to_string().contains("expected"));
    }
}
