//! Passes that narrow down, against the same statistics of lanes in memory.

use super::{dtype_of, run, same, some_bytes};
use crate::{
    dtype::{ByteOrder, DType},
    kernels::{
        decode::{Decode, Segment},
        fold::{ChunkView, Role, ViewDim},
        lanes::*,
    },
};
use proptest::prelude::*;

/// Aligned as a block is.
struct Bytes(Vec<u128>, usize);

impl Bytes {
    fn new(bytes: usize) -> Bytes {
        Bytes(vec![u128::MAX; bytes.div_ceil(16)], bytes)
    }

    fn get(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.0)[..self.1]
    }
}

/// `[n, inner]` values, folded in pieces of `rows` rows that are merged in pairs, pass after pass.
fn narrowed(op: &LaneOp, dtype: DType, src: &[u8], [n, inner]: [usize; 2], rows: usize, bits: u32) -> Vec<u8> {
    let decode = Decode::plain(dtype, ByteOrder::NATIVE);
    let mut segment = Segment::new();
    let mut found: Vec<Vec<u8>> = Vec::new();
    for pass in Narrow::passes(op, dtype, bits) {
        let mut total: Option<Bytes> = None;
        for first in (0..n).step_by(rows) {
            let mut state = Bytes::new(pass.state_bytes(inner));
            pass.init(state.get(), inner);
            let earlier = pass.earlier(state.get(), inner);
            for (cell, out) in earlier.chunks_mut(8 * found.len().max(1)).enumerate() {
                found.iter().zip(out.chunks_mut(8)).for_each(|(f, y)| y.copy_from_slice(&f[8 * cell..][..8]));
            }
            let dims = [
                ViewDim { len: rows.min(n - first), stride: inner, role: Role::Reduced { index_stride: 1 } },
                ViewDim { len: inner, stride: 1, role: Role::Kept { cell_stride: 1 } },
            ];
            let bytes = &src[first * inner * dtype.size()..];
            let view = ChunkView { bytes, dims: &dims, first_index: first as u64 };
            pass.push(state.get(), inner, &decode, &[view], &mut segment);
            match &mut total {
                None => total = Some(state),
                Some(total) => pass.merge(total.get(), state.get(), inner),
            }
        }
        let mut total = total.unwrap();
        found = (0..pass.results())
            .map(|which| {
                let mut out = vec![0; inner * pass.result_dtype().size()];
                pass.finish(which, total.get(), inner, n as u64, &mut out);
                out
            })
            .collect();
    }
    found.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn passes_give_the_bits_of_lanes_in_memory(
        (n, inner) in (1..300usize, 1..5usize),
        dtype in prop::sample::select(DType::ALL.to_vec()),
        which in 0..4usize,
        method in prop::sample::select(Method::ALL.to_vec()),
        qs in prop::collection::vec(prop_oneof![0.0..=1.0f64, Just(0.0), Just(0.5), Just(1.0)], 1..8),
        keep_missing in any::<bool>(),
        min_count in prop_oneof![Just(0u64), 0..300u64],
        (rows, bits, seed) in (1..320usize, 1..=16u32, any::<u64>()),
    ) {
        let statistic = match which {
            0 => OrderStatistic::Median,
            1 => OrderStatistic::Iqr,
            _ => OrderStatistic::Quantile { at: Quantiles::new(qs).unwrap(), method },
        };
        let op = LaneOp::Statistic { statistic, options: LaneOptions { keep_missing, min_count } };
        // A single row of values has more that are equal.
        let src = some_bytes(seed, dtype, n * inner);
        let got = narrowed(&op, dtype, &src, [n, inner], rows, bits);
        let want = run(op.clone(), dtype, &src, [1, n, inner]);
        prop_assert!(same(op.result_dtype(dtype).unwrap(), &got, &want), "{op} of {dtype}: {got:?} {want:?}");
    }
}

#[test]
fn values_that_are_special_are_found() {
    let x = [f32::NEG_INFINITY, -0.0, 0.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE / 2.0, -1.0, f32::MAX];
    let src: Vec<u8> = x.iter().flat_map(|x| x.to_ne_bytes()).collect();
    let qs: Vec<f64> = (0..=12).map(|k| f64::from(k) / 12.0).collect();
    for (method, bits) in Method::ALL.into_iter().zip([1, 3, 4, 5, 7, 8, 11, 13, 14, 15, 16, 6, 2]) {
        let at = Quantiles::new(qs.clone()).unwrap();
        let statistic = OrderStatistic::Quantile { at, method };
        let op = LaneOp::Statistic { statistic, options: LaneOptions::default() };
        let got = narrowed(&op, DType::F32, &src, [8, 1], 3, bits);
        assert!(same(DType::F32, &got, &run(op, DType::F32, &src, [1, 8, 1])), "{method} by {bits}: {got:?}");
    }
}

#[test]
fn the_passes_share_the_bits_evenly() {
    let passes = |statistic: OrderStatistic, dtype: &str, bits: u32| -> Vec<String> {
        let op = LaneOp::Statistic { statistic, options: LaneOptions::default() };
        Narrow::passes(&op, dtype_of(&dtype.into()), bits).iter().map(|p| p.to_string()).collect()
    };
    let median = passes(OrderStatistic::Median, "float32", 13);
    assert_eq!(median[0], "median (bits 1 to 11 of 32 of each value)");
    assert_eq!(median[2], "median (bits 23 to 32 of 32 of each value)");
    assert_eq!(passes(OrderStatistic::Iqr, "float64", 16).len(), 4);
    assert_eq!(passes(OrderStatistic::Median, "int8", 16), ["median (bits 1 to 8 of 8 of each value)"]);
    assert!(passes(OrderStatistic::Mode, "int8", 16).is_empty());
}
