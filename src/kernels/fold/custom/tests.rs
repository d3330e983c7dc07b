//! Custom folds against the reductions that there are.

use super::*;
use crate::{
    dtype::ByteOrder,
    kernels::{
        decode::Number,
        fold::{FoldOptions, Folds, Op, Role, ViewDim},
    },
};
use proptest::prelude::*;

/// Count and sum.
struct Mean;

impl CustomFold for Mean {
    type State = [f64; 2];
    type Out = f64;
    fn name(&self) -> &str {
        "mean of mine"
    }
    fn init(&self) -> [f64; 2] {
        [0.0; 2]
    }
    fn push(&self, state: &mut [f64; 2], value: f64) {
        state[0] += 1.0;
        state[1] += value;
    }
    fn merge(&self, into: &mut [f64; 2], later: &[f64; 2]) {
        into[0] += later[0];
        into[1] += later[1];
    }
    fn finish(&self, state: &[f64; 2]) -> f64 {
        state[1] / state[0]
    }
}

/// How many values are missing, in a state of an odd size.
struct Gaps;

impl CustomFold for Gaps {
    type State = [u8; 3];
    type Out = i16;
    const SKIP_MISSING: bool = false;
    fn name(&self) -> &str {
        "gaps"
    }
    fn init(&self) -> [u8; 3] {
        [7, 0, 9]
    }
    fn push(&self, state: &mut [u8; 3], value: f64) {
        state[1] += u8::from(value.is_nan());
    }
    fn merge(&self, into: &mut [u8; 3], later: &[u8; 3]) {
        into[1] += later[1];
    }
    fn finish(&self, state: &[u8; 3]) -> i16 {
        assert_eq!([state[0], state[2]], [7, 9]);
        state[1].into()
    }
}

/// Bytes that are aligned as a block's are.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

struct Aligned(Vec<Line>);

impl Aligned {
    fn new(len: usize) -> Aligned {
        Aligned(vec![Line([0xa5; 64]); len.div_ceil(64)])
    }
    fn bytes(&self) -> &[u8] {
        // SAFETY: lines are bytes.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), 64 * self.0.len()) }
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as `bytes`, and `&mut self` makes the access unique.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), 64 * self.0.len()) }
    }
}

/// `[a, b, c]` with `b` reduced, cut along it: one view a piece.
fn dims([a, b, c]: [usize; 3], some: usize) -> [ViewDim; 3] {
    [
        ViewDim { len: a, stride: b * c, role: Role::Kept { cell_stride: c } },
        ViewDim { len: some, stride: c, role: Role::Reduced { index_stride: 1 } },
        ViewDim { len: c, stride: 1, role: Role::Kept { cell_stride: 1 } },
    ]
}

/// Results of pieces of the middle axis, each folded apart and merged.
fn reduce(
    reducer: &dyn Reducer,
    decode: &Decode,
    bytes: &[u8],
    shape: [usize; 3],
    cuts: &[usize],
    per_cell: u64,
) -> Vec<u8> {
    let (cells, size) = (shape[0] * shape[2], decode.stored.size());
    let state = || {
        let mut state = Aligned::new(reducer.state_bytes(cells));
        reducer.init(state.bytes_mut(), cells);
        state
    };
    let mut whole = state();
    for cut in cuts.windows(2) {
        let mut part = state();
        let dims = dims(shape, cut[1] - cut[0]);
        let from = (cut[0] * shape[2] * size).min(bytes.len());
        let view = ChunkView { elements: bytes[from..].into(), dims: &dims, first_index: cut[0] as u64 };
        reducer.push(part.bytes_mut(), cells, decode, &[view], &mut Segment::new()).unwrap();
        reducer.merge(whole.bytes_mut(), part.bytes(), cells).unwrap();
    }
    let mut out = vec![0; cells * reducer.result_dtype(decode.result).unwrap().size()];
    reducer.finish(whole.bytes(), cells, per_cell, &mut out).unwrap();
    out
}

fn mean(decode: &Decode, bytes: &[u8], shape: [usize; 3]) -> Vec<u8> {
    let cells = shape[0] * shape[2];
    let folds = Folds::new(&[Op::Mean], decode, FoldOptions::default());
    let mut state = Aligned::new(folds.state_bytes(cells));
    folds.init(state.bytes_mut(), cells);
    let dims = dims(shape, shape[1]);
    let view = ChunkView { elements: bytes.into(), dims: &dims, first_index: 0 };
    folds.push(state.bytes_mut(), cells, &[view], &mut Segment::new()).unwrap();
    let mut out = vec![0; cells * 8];
    folds.finish(Op::Mean, state.bytes(), cells, shape[1] as u64, &mut out).unwrap();
    out
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mean_of_ones_own_is_the_mean(
        shape in (1..5usize, 1..60usize, prop_oneof![Just(1usize), 2..70usize]),
        kind in 0..3u8,
        cut in any::<prop::sample::Index>(),
        values in prop::collection::vec(-300..300i16, 1..40),
    ) {
        let shape: [usize; 3] = shape.into();
        let count: usize = shape.iter().product();
        let values: Vec<i16> = values.into_iter().cycle().take(count).collect();
        let order = if kind == 2 { ByteOrder::Big } else { ByteOrder::NATIVE };
        let (decode, bytes) = match kind {
            0 => (Decode::plain(DType::F64, order), values.iter().flat_map(|x| f64::from(*x).to_ne_bytes()).collect()),
            1 => (Decode::plain(DType::I16, order), values.iter().flat_map(|x| x.to_ne_bytes()).collect::<Vec<u8>>()),
            _ => {
                let mut decode = Decode::plain(DType::I16, order);
                decode.missing = vec![Number::Int(values[0].into())];
                (decode.scale, decode.result) = (Some(0.5), DType::F64);
                (decode, values.iter().flat_map(|x| x.to_be_bytes()).collect())
            }
        };
        let want = floats(&mean(&decode, &bytes, shape));
        let reducer = erased(Mean);
        for cuts in [vec![0, shape[1]], vec![0, cut.index(shape[1] + 1), shape[1]]] {
            let got = floats(&reduce(&*reducer, &decode, &bytes, shape, &cuts, shape[1] as u64));
            // Sums of such numbers are exact in any order.
            prop_assert!(got.iter().zip(&want).all(|(a, b)| a == b || a.is_nan() && b.is_nan()), "{got:?} {want:?}");
        }
    }
}

#[test]
fn missing_values_are_seen_where_they_are_asked_for() {
    let reducer = erased(Gaps);
    assert_eq!((reducer.name(), reducer.result_dtype(DType::F32).unwrap()), ("gaps", DType::I16));
    let values = [1.0f32, f32::NAN, 3.0, f32::NAN, f32::NAN, 6.0];
    let decode = Decode::plain(DType::F32, ByteOrder::NATIVE);
    let gaps = |per_cell| {
        let out = reduce(&*reducer, &decode, bytemuck::cast_slice(&values), [2, 3, 1], &[0, 2, 3], per_cell);
        out.chunks_exact(2).map(bytemuck::pod_read_unaligned).collect::<Vec<i16>>()
    };
    assert_eq!(gaps(3), [1, 2]);
    assert_eq!(gaps(5), [3, 4], "those that never came are missing too");
}

#[test]
fn nothing_at_all_is_the_first_state() {
    let decode = Decode::plain(DType::F64, ByteOrder::NATIVE);
    let out = reduce(&*erased(Mean), &decode, &[], [2, 0, 1], &[0, 0], 0);
    assert!(floats(&out).iter().all(|x| x.is_nan()));
    assert!(reduce(&*erased(Mean), &decode, &[], [0, 3, 2], &[0, 3], 3).is_empty());
}
