//! The same laws for variables of files: an expression over one is the expression over its values in memory, and no
//! more chunks are read than it needs.

use super::{
    about, cases,
    common::{self, FORMATS},
    first_difference, numbers,
    random::Draw,
    run::{needed, own_pieces, plenty, run},
};
use aosx::{
    array::LazyArray,
    attrs::Value,
    cf::decoding::{ValidRange, decoding},
    dtype::DType,
    events::{Event, Observer, Silent},
    formats::OutputFormat,
    prelude::Dataset,
};
use proptest::prelude::*;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many chunks are read.
#[derive(Default)]
struct Chunks(AtomicU64);

impl Observer for Chunks {
    fn on(&self, event: &Event) {
        if matches!(event, Event::Chunk { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub fn opened(path: &Path, name: &str) -> LazyArray {
    let dataset = Dataset::open(path).unwrap();
    let source = dataset.source(name).unwrap();
    let decode = decoding(source.meta(), source.layout(), ValidRange::Ignore).unwrap();
    LazyArray::from_source(source).unwrap().decode(decode)
}

pub fn reads(array: &LazyArray, threads: usize, limit: Option<u64>) -> u64 {
    reads_of(&[array], threads, limit)
}

fn reads_of(arrays: &[&LazyArray], threads: usize, limit: Option<u64>) -> u64 {
    let chunks = Arc::new(Chunks::default());
    let least = needed(&run(arrays, &own_pieces(arrays), 1, 0, Arc::new(Silent)).map(|_| ()).unwrap_err()).unwrap();
    run(arrays, &own_pieces(arrays), threads, limit.unwrap_or(least), chunks.clone()).unwrap();
    chunks.0.load(Ordering::Relaxed)
}

/// Values of single precision in chunks.
fn small(folder: &Path, chunk: &[u64]) -> LazyArray {
    let path = folder.join("small.nc");
    let dims = [common::dim("t", 12), common::dim("y", 6), common::dim("x", 8)];
    let values: Vec<u8> = (0..576).flat_map(|n| ((n * 37 % 101) as f32).to_ne_bytes()).collect();
    common::create(&path, OutputFormat::NetCdf4, &dims, &[(common::var("v", DType::F32, &dims, Some(chunk)), values)]);
    opened(&path, "v")
}

#[test]
fn no_more_chunks_are_read_than_needed() {
    let folder = tempfile::tempdir().unwrap();
    let t = small(folder.path(), &[2, 3, 4]);
    for (threads, limit) in [(1, None), (1, Some(1 << 30)), (3, Some(1 << 30))] {
        let of = |array: &LazyArray| reads(array, threads, limit);
        assert_eq!(of(&t), 24);
        assert_eq!(of(&t.get_along(0, 0).unwrap()), 4, "a row of chunks");
        assert_eq!(of(&t.get_along(0, 11).unwrap().get_along(0, 0).unwrap()), 2);
        assert_eq!(of(&t.get_along(0, ..0).unwrap().sum(&[0, 1, 2]).unwrap()), 0);
        assert_eq!(of(&t.transpose()), 24);
        assert_eq!(of(&t.flip(&[0, 1, 2]).unwrap()), 24);
        let mean = t.mean(&[0]).unwrap();
        assert_eq!(of(&(&t - &mean)), 48, "each chunk twice");
        let all = t.mean(&[0, 1, 2]).unwrap() + t.std(&[0, 1, 2], 0.0).unwrap();
        assert_eq!(of(&all), 24, "each chunk once for both");
        assert_eq!(of(&(&t * 2.0 + &t.square().unwrap()).sum(&[1]).unwrap()), 24);
        let score = (&t - &mean) / t.std(&[0], 0.0).unwrap();
        assert_eq!(of(&score), 48);
        assert_eq!(of(&(&t - t.mean(&[0]).unwrap()).std(&[0, 1, 2], 0.0).unwrap()), 48);
        let rows = LazyArray::concat(&[t.get_along(0, 0..2).unwrap(), t.get_along(0, 10..12).unwrap()], 0).unwrap();
        assert_eq!(of(&rows), 8);
        assert_eq!(of(&t.take(&[0, 1, 7], 0).unwrap()), 8);
    }
}

/// What a reduction within blocks is taken off is still there when it is done.
#[test]
fn reductions_within_blocks_take_no_pass_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let t = small(folder.path(), &[2, 6, 8]);
    let of = |array: &LazyArray| reads(array, 2, Some(1 << 30));
    let eddy = |t: &LazyArray| t - t.mean(&[2]).unwrap().expand_dims(&[2]).unwrap();
    assert_eq!(of(&eddy(&t)), 6, "each chunk once");
    assert_eq!(of(&(eddy(&t) * eddy(&t.square().unwrap())).mean(&[0]).unwrap()), 6);
    assert_eq!(of(&(eddy(&t) / t.std(&[1, 2], 0.0).unwrap().expand_dims(&[1, 2]).unwrap())), 6);
    let turned = t.rechunk(&[12, 6, 2]).unwrap();
    assert_eq!(of(&(&turned - turned.mean(&[0]).unwrap())), 6, "cut anew, once for both");
}

#[test]
fn arrays_that_read_the_same_are_computed_in_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    let t = small(folder.path(), &[2, 3, 4]);
    let (twice, square) = (&t * 2.0, t.square().unwrap());
    let less = &t - t.mean(&[0]).unwrap();
    let of = |arrays: &[&LazyArray]| reads_of(arrays, 2, Some(1 << 30));
    assert_eq!(of(&[&twice, &square]), 24);
    assert_eq!(of(&[&twice, &less, &square]), 48, "the mean takes a pass before");
    assert_eq!(of(&[&twice, &t.transpose().square().unwrap()]), 48, "not of one shape");
    assert_eq!(of(&[&twice, &t.get_along(0, 0..6).unwrap().square().unwrap()]), 36);
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn a_variable_is_as_its_values(numbers in numbers()) {
        let mut draw = Draw(&numbers);
        let (format, file) = draw.one_of(&FORMATS);
        let dtype = draw.one_of(&DType::ALL);
        prop_assume!(common::holds(format, dtype) && (dtype != DType::Bool || common::holds(format, DType::F16)));
        let lengths: Vec<u64> = (0..1 + draw.below(4)).map(|_| 1 + draw.below(6)).collect();
        let dims: Vec<_> = lengths.iter().enumerate().map(|(k, &n)| common::dim(&format!("d{k}"), n)).collect();
        let chunk: Vec<u64> = lengths.iter().map(|n| 1 + draw.below(*n)).collect();
        let mut var = common::var("v", dtype, &dims, draw.flag().then_some(&*chunk));
        let packed = draw.flag() && dtype != DType::Bool && !dtype.is_float();
        if packed {
            var.attrs.set("scale_factor", Value::F64(vec![0.25]));
            var.attrs.set("add_offset", Value::F32(vec![10.0]));
        }
        let bytes = draw.bytes(dtype, lengths.iter().product());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        common::create(&path, format, &dims, &[(var, bytes)]);
        let stored = opened(&path, "v");
        let values = plenty(&[&stored], 1).unwrap().values.remove(0);
        let names: Vec<&str> = stored.dims().unwrap().iter().map(String::as_str).collect();
        let held = LazyArray::from_bytes(values.bytes(), stored.shape(), &**stored.chunk(), stored.dtype())
            .unwrap()
            .with_dims(&names)
            .unwrap();
        let over = |leaf: &LazyArray| Draw(draw.0).pool(vec![leaf.clone()], 7);
        let (files, memory) = (over(&stored), over(&held));
        prop_assert_eq!(files.len(), memory.len());
        let (a, b) = (&files[files.len() - 1], &memory[memory.len() - 1]);
        about("stored", &[a, b], || {
            if (a.dtype(), a.shape(), a.chunk(), a.dims()) != (b.dtype(), b.shape(), b.chunk(), b.dims()) {
                return Err("they are not even alike".into());
            }
            let (x, y) = (plenty(&[a], 2), plenty(&[b], 2));
            let (Ok(x), Ok(y)) = (&x, &y) else {
                return if x.is_err() && y.is_err() { Ok(()) } else { Err("one of them is an error".into()) };
            };
            if x.values[0].bytes() != y.values[0].bytes() {
                return Err(first_difference(&x.values[0], &y.values[0]));
            }
            let pieces = own_pieces(&[a]);
            let least = match run(&[a], &pieces, 1, 0, Arc::new(Silent)) {
                Ok(_) => 0,
                Err(e) => needed(&e).ok_or_else(|| e.to_string())?,
            };
            for (threads, limit) in [(1, least), (3, least), (2, 2 * least)] {
                let ran = run(&[a], &pieces, threads, limit, Arc::new(Silent)).map_err(|e| e.to_string())?;
                if ran.peak > limit || ran.values[0].bytes() != y.values[0].bytes() {
                    return Err(format!("in {limit} with {threads}: {}", first_difference(&ran.values[0], &y.values[0])));
                }
            }
            Ok(())
        })?;
    }
}
