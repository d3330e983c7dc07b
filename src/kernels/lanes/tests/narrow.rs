//! Passes that narrow down, against the same statistics of lanes in memory.

use super::{dtype_of, run, same, some_bytes};
use crate::{
    dtype::{ByteOrder, DType, Element},
    kernels::{
        decode::{Decode, Segment},
        fold::{ChunkView, Role, ViewDim},
        lanes::*,
    },
};
use proptest::prelude::*;

/// Results of `[n, inner]` values, in pieces of `rows` rows that two workers take in turn, and how many passes it took.
fn narrowed(
    ops: &[LaneOp],
    dtype: DType,
    src: &[u8],
    shape: [usize; 2],
    rows: usize,
    room: Room,
) -> (Vec<Vec<u8>>, u64) {
    let [n, inner] = shape;
    let narrow = Narrow::new(ops, dtype, n as u64).unwrap();
    let (search, mut listed, mut passes) = searched(&narrow, dtype, src, shape, rows, room);
    if narrow.gives_lanes() {
        if let Some(then) = narrow.then() {
            let (_, last, more) = searched(&then, narrow.listed_dtype().unwrap(), &listed, shape, rows, room);
            (listed, passes) = (last, passes + more);
        }
        return (vec![listed], passes);
    }
    let results = ops.iter().enumerate().map(|(which, op)| {
        let size = op.result_dtype(dtype).unwrap().size();
        let each = (0..op.result_len(n as u64) as usize).flat_map(|at| {
            let mut out = vec![0; inner * size];
            search.finish(which, at, 0..inner, &mut out);
            out
        });
        each.collect()
    });
    (results.collect(), passes)
}

/// One search, and what it lists, row by row.
fn searched(
    narrow: &Narrow,
    dtype: DType,
    src: &[u8],
    [n, inner]: [usize; 2],
    rows: usize,
    room: Room,
) -> (Search, Vec<u8>, u64) {
    let decode = Decode::plain(dtype, ByteOrder::NATIVE);
    let mut segment = Segment::new();
    let mut search = Search::new(narrow, inner, n as u64);
    let mut keys = vec![0u128; (room.keys * narrow.key_bytes()).div_ceil(16)];
    let (_, most) = narrow.passes(n as u64, inner, room);
    let mut passes = 0;
    // Of what is listed, each lane's.
    let size = narrow.listed_dtype().map_or(1, DType::size);
    let mut lanes = vec![Vec::new(); inner];
    let mut take = |cell: usize, values: InOrder<'_>| {
        let lane: &mut Vec<u8> = &mut lanes[cell];
        // In slabs, as it is written.
        for first in (0..values.len).step_by(rows) {
            let from = lane.len();
            lane.resize(from + (rows as u64).min(values.len - first) as usize * size, 0);
            values.write(first, &mut lane[from..]);
        }
        Ok(())
    };
    while search.aim(room) {
        passes += 1;
        assert!(search.counts() <= room.bins, "{} counts", search.counts());
        let mut workers = [(); 2].map(|()| (vec![0u64; search.counts()], Staged::default()));
        let mut collected = search.collected(bytemuck::cast_slice_mut(&mut keys));
        for (piece, first) in (0..n).step_by(rows).enumerate() {
            let dims = [
                ViewDim { len: rows.min(n - first), stride: inner, role: Role::Reduced { index_stride: 1 } },
                ViewDim { len: inner, stride: 1, role: Role::Kept { cell_stride: 1 } },
            ];
            let view = ChunkView {
                elements: src[first * inner * dtype.size()..].into(),
                dims: &dims,
                first_index: first as u64,
            };
            let (counts, staged) = &mut workers[piece % 2];
            let mut tally = Tally { counts, staged, full: &mut |staged| collected.add(staged) };
            search.push(0..inner, &decode, view, &mut segment, &mut tally);
        }
        let [(mut counts, mut staged), (other, mut more)] = workers;
        search.merge(&mut counts, &other);
        staged.empty(&mut |staged| collected.add(staged));
        more.empty(&mut |staged| collected.add(staged));
        search.unsorted(&mut collected, 3).into_iter().for_each(|keys| keys.sort());
        search.absorb(&mut counts, collected, &mut take).unwrap();
        assert!(passes <= most.max(1), "{passes} passes, {most} at most");
    }
    let results = lanes.iter().map(|lane| lane.len() / size).max().unwrap_or(0);
    assert!(lanes.iter().all(|lane| lane.len() == results * size));
    let row = |j: usize| lanes.iter().flat_map(move |lane| lane[j * size..][..size].to_vec());
    let listed = (0..results).flat_map(row).collect();
    (search, listed, passes)
}

fn statistic(statistic: OrderStatistic) -> LaneOp {
    LaneOp::Statistic { statistic, options: LaneOptions::default() }
}

fn bytes_of<T: Element>(x: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(x).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn passes_give_the_bits_of_lanes_in_memory(
        (n, inner) in (1..300usize, 1..5usize),
        dtype in prop::sample::select(DType::ALL.to_vec()),
        which in prop::collection::vec(0..7usize, 1..4),
        method in prop::sample::select(Method::ALL.to_vec()),
        qs in prop::collection::vec(prop_oneof![0.0..=1.0f64, Just(0.0), Just(0.5), Just(1.0)], 1..8),
        keep_missing in any::<bool>(),
        min_count in prop_oneof![Just(0u64), 0..300u64],
        (rows, bins, keys, seed) in (1..320usize, 0..13u32, 0..400usize, any::<u64>()),
        wide in any::<bool>(),
    ) {
        let ops: Vec<LaneOp> = which.into_iter().map(|which| {
            let statistic = match which {
                0 => OrderStatistic::Median,
                1 => OrderStatistic::Iqr,
                2 => OrderStatistic::Mad,
                3 => OrderStatistic::NUnique,
                4 => OrderStatistic::Mode,
                _ => OrderStatistic::Quantile { at: Quantiles::new(qs.clone()).unwrap(), method },
            };
            LaneOp::Statistic { statistic, options: LaneOptions { keep_missing, min_count } }
        }).collect();
        let src = some_or_any(seed, dtype, n * inner, wide);
        let room = Room { bins: inner * (4 << bins), keys: inner * keys };
        let (got, _) = narrowed(&ops, dtype, &src, [n, inner], rows, room);
        for (op, got) in ops.iter().zip(got) {
            let want = run(op.clone(), dtype, &src, [1, n, inner]);
            prop_assert!(same(op.result_dtype(dtype).unwrap(), &got, &want), "{op} of {dtype}: {got:?} {want:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_places_and_ranks_have_the_bits_of_lanes_in_memory(
        (n, inner) in (1..300usize, 1..5usize),
        dtype in prop::sample::select(DType::ALL.to_vec()),
        which in 0..3,
        (up, top) in (any::<bool>(), prop::option::of(1..320u64)),
        (rows, bins, keys, seed) in (1..320usize, 0..13u32, 0..400usize, any::<u64>()),
        wide in any::<bool>(),
    ) {
        let order = if up { Order::Ascending } else { Order::Descending };
        let op = match (which, top) {
            (0, Some(k)) => LaneOp::TopK { k, order },
            (0, None) => LaneOp::Sort { order },
            (1, Some(k)) => LaneOp::ArgTopK { k, order },
            (1, None) => LaneOp::ArgSort { order },
            _ => LaneOp::Rank,
        };
        let src = some_or_any(seed, dtype, n * inner, wide);
        let room = Room { bins: inner * (4 << bins), keys: inner * keys };
        let (got, _) = narrowed(std::slice::from_ref(&op), dtype, &src, [n, inner], rows, room);
        let want = run(op.clone(), dtype, &src, [1, n, inner]);
        prop_assert!(same(op.result_dtype(dtype).unwrap(), &got[0], &want), "{op} of {dtype}: {got:?} {want:?}");
    }
}

/// Values of which many are equal, or any that there are.
fn some_or_any(seed: u64, dtype: DType, n: usize, any: bool) -> Vec<u8> {
    if !any || dtype == DType::Bool {
        return some_bytes(seed, dtype, n);
    }
    let one = |k: u64| ((k ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
    (0..(n * dtype.size()) as u64).map(one).collect()
}

#[test]
fn values_that_are_special_are_found() {
    let x = [f32::NEG_INFINITY, -0.0, 0.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE / 2.0, -1.0, f32::MAX];
    let src = bytes_of(&x);
    let qs: Vec<f64> = (0..=12).map(|k| f64::from(k) / 12.0).collect();
    for (method, bins) in Method::ALL.into_iter().zip([4, 5, 6, 7, 8, 11, 13, 14, 15, 16, 64, 4096, 1 << 20]) {
        let at = Quantiles::new(qs.clone()).unwrap();
        let op = statistic(OrderStatistic::Quantile { at, method });
        let (got, _) = narrowed(std::slice::from_ref(&op), DType::F32, &src, [8, 1], 3, Room { bins, keys: bins / 4 });
        assert!(same(DType::F32, &got[0], &run(op, DType::F32, &src, [1, 8, 1])), "{method} with {bins}: {got:?}");
    }
}

/// Distances from infinity are infinite, or none.
#[test]
fn infinite_medians_have_no_distances() {
    const INF: f64 = f64::INFINITY;
    for x in [
        vec![1.0, INF],
        vec![INF, INF, 1.0],
        vec![-INF, INF],
        vec![-INF, -INF],
        vec![INF],
        vec![1e308, 1.7e308, 0.0, 1.7e308],
    ] {
        let op = statistic(OrderStatistic::Mad);
        for keys in [0, 8] {
            let room = Room { bins: 16, keys };
            let (got, _) = narrowed(std::slice::from_ref(&op), DType::F64, &bytes_of(&x), [x.len(), 1], 2, room);
            let want = run(op.clone(), DType::F64, &bytes_of(&x), [1, x.len(), 1]);
            assert!(same(DType::F64, &got[0], &want), "{x:?}: {got:?} {want:?}");
        }
    }
}

#[test]
fn what_is_left_is_collected_as_soon_as_it_fits() {
    // 9973 different ones, between which a first pass does not tell.
    let x: Vec<f64> = (0..20_000u64).map(|k| 1.0 + (k * k % 9973) as f64 * 1e-9).collect();
    let passes = |ops: &[OrderStatistic], bins: usize, keys: usize| {
        let ops: Vec<LaneOp> = ops.iter().cloned().map(statistic).collect();
        let room = Room { bins, keys };
        let (got, passes) = narrowed(&ops, DType::F64, &bytes_of(&x), [x.len(), 1], 999, room);
        for (op, got) in ops.iter().zip(got) {
            let want = run(op.clone(), DType::F64, &bytes_of(&x), [1, x.len(), 1]);
            assert!(same(op.result_dtype(DType::F64).unwrap(), &got, &want), "{op}");
        }
        passes
    };
    use OrderStatistic::*;
    let one = [20_000, 10_000, 0].map(|keys| passes(&[Median], 1 << 16, keys));
    // More of them take no more passes, and distances those that follow.
    let more =
        [passes(&[Median, Iqr, NUnique, Mode], 1 << 17, 60_000), passes(&[Median, Mad, NUnique], 1 << 17, 40_000)];
    // Few different values are known after one pass, others range by range.
    let every = [passes(&[NUnique, Mode], 1 << 16, 0), passes(&[NUnique, Mode], 1 << 12, 6_000)];
    assert_eq!((one, more, every), ([2, 3, 5], [2, 3], [1, 7]));
}

#[test]
fn a_pass_counts_by_as_many_bits_as_fit() {
    let passes = |statistic: OrderStatistic, dtype: &str, bins: usize, keys: usize| {
        let op = LaneOp::Statistic { statistic, options: LaneOptions::default() };
        Narrow::new([&op], dtype_of(&dtype.into()), 1 << 20).unwrap().passes(1 << 20, 1, Room { bins, keys })
    };
    assert_eq!(passes(OrderStatistic::Median, "int8", 256, 0), (1, 1));
    assert_eq!(passes(OrderStatistic::Median, "float32", 1 << 17, 0), (2, 2));
    assert_eq!(passes(OrderStatistic::Median, "float64", 1 << 17, 0), (2, 5));
    assert_eq!(passes(OrderStatistic::Mad, "int16", 1 << 17, 0), (3, 6));
    assert_eq!(passes(OrderStatistic::Mode, "uint16", 1 << 17, 0), (1, 1));
}

#[test]
fn what_lists_something_for_each_value_has_lanes_for_itself() {
    let order = Order::Ascending;
    let (median, sort, places) = (statistic(OrderStatistic::Median), LaneOp::Sort { order }, LaneOp::ArgSort { order });
    for pair in [[&sort, &sort], [&sort, &median], [&median, &places], [&places, &LaneOp::Rank]] {
        assert!(Narrow::new(pair, DType::F32, 9).is_none(), "{pair:?}");
    }
    assert!(Narrow::new([&LaneOp::CumSum], DType::F32, 9).is_none());
    // Places and ranks of longer lanes need more bits than there are.
    assert!(Narrow::new([&LaneOp::Rank], DType::I8, 1 << 31).is_some());
    assert!(Narrow::new([&LaneOp::Rank], DType::I8, (1 << 31) + 1).is_none());
}

/// Keys and places are as short as the lane allows.
#[test]
fn keys_have_as_many_bytes_as_their_places_take() {
    let bytes = |dtype: DType, n: u64| Narrow::new([&LaneOp::Rank], dtype, n).unwrap().key_bytes();
    assert_eq!((bytes(DType::I8, 1 << 24), bytes(DType::I8, (1 << 24) + 1)), (4, 8));
    assert_eq!((bytes(DType::F32, 1 << 31), bytes(DType::F64, 2)), (8, 16));
}
