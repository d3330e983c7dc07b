//! Arrays cut anew: whatever the blocks of a file and those of the result, the values are the same, in little memory.

use super::{
    cases,
    common::{self, FORMATS},
    run::{needed, run},
};
use aosx::{
    array::LazyArray, dtype::DType, events::Silent, kernels::lanes::Order, prelude::Dataset, shape::Shape, spill::Keep,
};
use proptest::prelude::*;
use std::{path::Path, sync::Arc};

/// A variable of a file: its length, its chunk and the piece that is wanted, along each axis.
fn axes() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    prop::collection::vec((1u64..40).prop_flat_map(|n| (Just(n), 1..=n, 1..=n)), 1..4)
}

fn variable(folder: &Path, format: usize, shape: &Shape, chunk: &Shape) -> LazyArray {
    let (format, ending) = FORMATS[format % FORMATS.len()];
    let path = folder.join(format!("x.{ending}"));
    let dims: Vec<_> = shape.iter().enumerate().map(|(k, &n)| common::dim(&format!("d{k}"), n)).collect();
    let n = shape.elements().unwrap();
    let values: Vec<u8> = (0..n).flat_map(|n| ((n * 7919 % 10007) as f32).to_ne_bytes()).collect();
    common::create(&path, format, &dims, &[(common::var("x", DType::F32, &dims, Some(chunk)), values)]);
    LazyArray::from_source(Dataset::open(&path).unwrap().source("x").unwrap()).unwrap()
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn any_blocks_to_any_blocks(axes in axes(), format in 0usize..10, room in 0u64..6, threads in 1usize..4, sorted: bool) {
        let of = |f: fn(&(u64, u64, u64)) -> u64| axes.iter().map(f).collect::<Shape>();
        let folder = tempfile::tempdir().unwrap();
        let x = variable(folder.path(), format, &of(|a| a.0), &of(|a| a.1));
        let x = if sorted { x.sort(Order::Ascending, 0).unwrap() } else { x };
        let pieces = [of(|a| a.2)];
        let plenty = run(&[&x], &pieces, 1, 1 << 30, Arc::new(Silent)).unwrap();
        let least = needed(&run(&[&x], &pieces, 1, 0, Arc::new(Silent)).map(|_| ()).unwrap_err()).unwrap();
        // From just enough to several times the data.
        let limit = least + room * room * 2000;
        let ran = run(&[&x], &pieces, threads, limit, Arc::new(Silent)).unwrap();
        prop_assert!(ran.values[0].same(&plenty.values[0]), "{limit} bytes, {:?}", ran.spills);
        prop_assert!(ran.peak <= limit);
    }
}

/// Maps to series, in less memory than the data, and in more.
#[test]
fn maps_become_series_in_memory_or_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let x = variable(folder.path(), 0, &vec![96, 64, 64].into(), &vec![1, 64, 64].into());
    let pieces: [Shape; 1] = [vec![96, 8, 8].into()];
    let data = 96 * 64 * 64 * 4;
    let whole = run(&[&x], &pieces, 2, 1 << 30, Arc::new(Silent)).unwrap();
    let mut kept = Vec::new();
    for room in [data / 2, 3 * data] {
        let ran = run(&[&x], &pieces, 2, data + room, Arc::new(Silent)).unwrap();
        assert!(ran.values[0].same(&whole.values[0]));
        assert!(ran.peak <= data + room, "{} of {}", ran.peak, data + room);
        kept.push(ran.spills);
    }
    assert_eq!(kept, [vec![Keep::Disk], vec![Keep::Memory]]);
}
