use super::*;
use crate::{block::Block, budget::Budget, units::Bytes};
use proptest::prelude::*;

fn block(bytes: usize) -> Block {
    let budget = Budget::new(Bytes(1 << 30));
    Block::new(bytes, budget.lease(bytes as u64, "a test").unwrap())
}

/// The windows of a whole axis, computed in pieces that begin at `cuts`, each given no more rows than it needs.
fn windows(windows: &Windows, x: &Block, n: u64, cells: usize, cuts: &[u64]) -> Vec<u8> {
    let (size, result) = (windows.dtype.size() * cells, windows.result_dtype().size() * cells);
    let mut whole = block(n as usize * result);
    let mut scratch = block(windows.scratch_bytes(cells));
    let mut segment = Segment::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&n]).filter(|&&to| to <= n) {
        if to <= from {
            continue;
        }
        let [first, end] = windows.covers(from, to, n);
        let mut part = block((end - first) as usize * size);
        let mut out = block((to - from) as usize * result);
        part.bytes_mut().copy_from_slice(&x.bytes()[first as usize * size..end as usize * size]);
        let rows = Rows { bytes: part.bytes(), first, cells, axis: n };
        windows.run(rows, from, out.bytes_mut(), scratch.bytes_mut(), &mut segment).unwrap();
        whole.bytes_mut()[from as usize * result..to as usize * result].copy_from_slice(out.bytes());
        from = to;
    }
    whole.bytes().to_vec()
}

/// Each window folded by itself.
fn naive(windows: &Windows, x: &[f64], n: u64, cells: usize) -> Vec<f64> {
    let mut out = Vec::new();
    for i in 0..n {
        let [first, end] = windows.covers(i, i + 1, n);
        for c in 0..cells {
            let all: Vec<f64> = (first..end).map(|p| x[p as usize * cells + c]).collect();
            out.push(one(windows, &all));
        }
    }
    out
}

fn one(windows: &Windows, all: &[f64]) -> f64 {
    let there: Vec<f64> = all.iter().copied().filter(|x| !x.is_nan()).collect();
    let count = there.len() as f64;
    let options = windows.options;
    let asks = !matches!(windows.op, Op::Count | Op::Any | Op::All);
    let missing = (there.len() as u64) < options.min_count || options.keep_missing && there.len() < all.len();
    if asks && missing {
        return f64::NAN;
    }
    let sum: f64 = there.iter().sum();
    let least = there.iter().copied().fold(f64::NAN, f64::min);
    let most = there.iter().copied().fold(f64::NAN, f64::max);
    let square = |x: &f64| (x - sum / count) * (x - sum / count);
    let var = match count - options.ddof {
        n if n <= 0.0 || count == 0.0 => f64::NAN,
        n => there.iter().map(square).sum::<f64>() / n,
    };
    match windows.op {
        Op::Sum => sum,
        Op::Mean => sum / count,
        Op::Min => least,
        Op::Max => most,
        Op::Range => most - least,
        Op::Var => var,
        Op::Std => var.sqrt(),
        Op::Count => count,
        Op::Prod => there.iter().product(),
        Op::Any => f64::from(u8::from(all.iter().any(|x| *x != 0.0 && (options.keep_missing || !x.is_nan())))),
        Op::All => f64::from(u8::from(all.iter().all(|x| *x != 0.0))),
        Op::First => there.first().copied().unwrap_or(f64::NAN),
        Op::Last => there.last().copied().unwrap_or(f64::NAN),
        Op::ArgMin | Op::ArgMax => unreachable!(),
    }
}

fn numbers(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    match dtype {
        DType::F32 => bytes.chunks_exact(4).map(|b| f32::from_ne_bytes(b.try_into().unwrap()).into()).collect(),
        DType::F64 => bytes.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().unwrap())).collect(),
        DType::I64 => bytes.chunks_exact(8).map(|b| i64::from_ne_bytes(b.try_into().unwrap()) as f64).collect(),
        _ => bytes.iter().map(|&b| f64::from(b)).collect(),
    }
}

/// All but those of positions, which windows do not have.
fn ops() -> Vec<Op> {
    Op::ALL.into_iter().filter(|op| !matches!(op, Op::ArgMin | Op::ArgMax)).collect()
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * (1.0 + b.abs())
}

proptest! {
    #[test]
    fn windows_are_those_of_a_slice_however_the_axis_is_cut(
        op in prop::sample::select(ops()),
        wide in any::<bool>(),
        (n, cells) in prop_oneof![(1u64..40, 1usize..5), (300u64..400, Just(2)), (1u64..30, 60usize..200)],
        reach in prop_oneof![[0u64..6, 0u64..6], [0u64..50, 0u64..1], [0u64..330, 0u64..10]],
        min_count in 0u64..5,
        keep_missing in any::<bool>(),
        holes in 0u32..3,
        seed in any::<u64>(),
        cuts in prop::collection::vec(1u64..400, 0..4),
    ) {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut value = || match next() % 40 {
            0 if holes > 0 => f64::NAN,
            k if holes > 1 && k < 20 => f64::NAN,
            _ => f64::from(((next() % 4000) as f32 - 1500.0) / 1024.0),
        };
        let x: Vec<f64> = (0..n as usize * cells).map(|_| value()).collect();
        let dtype = if wide { DType::F64 } else { DType::F32 };
        let mut data = block(x.len() * dtype.size());
        match dtype {
            DType::F64 => data.elements_mut::<f64>().copy_from_slice(&x),
            _ => data.elements_mut::<f32>().iter_mut().zip(&x).for_each(|(y, x)| *y = *x as f32),
        }
        let options = FoldOptions { ddof: (seed % 2) as f64, keep_missing, min_count };
        let how = Windows::new(op, dtype, options, reach);
        let mut sorted = cuts.clone();
        sorted.sort_unstable();
        let whole = windows(&how, &data, n, cells, &[]);
        prop_assert_eq!(&whole, &windows(&how, &data, n, cells, &sorted), "bits do not depend on cuts");
        let tolerance = match (op, wide) {
            (Op::Prod, _) => 1e-4,
            (Op::Var | Op::Std, true) => 1e-9,
            (_, true) => 1e-13,
            (_, false) => 1e-4,
        };
        let exact = matches!(op, Op::Min | Op::Max | Op::First | Op::Last | Op::Count | Op::Any | Op::All);
        for (k, (a, b)) in numbers(how.result_dtype(), &whole).iter().zip(naive(&how, &x, n, cells)).enumerate() {
            prop_assert!(close(*a, b, if exact { 0.0 } else { tolerance }), "{}: {} {} {:?}", k, a, b, how.reach());
        }
    }
}

#[test]
fn numbers_and_states_give_the_same_bits() {
    let (n, cells) = (300, 70);
    let mut data = block(n * cells * 4);
    let fill = |(k, y): (usize, &mut f32)| *y = ((k * 7919 % 1013) as f32 - 500.0) * 0.37;
    data.elements_mut::<f32>().iter_mut().enumerate().for_each(fill);
    for op in [Op::Sum, Op::Mean, Op::Min, Op::Max] {
        for reach in [[19, 0], [3, 4], [199, 0]] {
            let how = Windows::new(op, DType::F32, FoldOptions { min_count: 5, ..FoldOptions::default() }, reach);
            let plain = windows(&how, &data, n as u64, cells, &[]);
            // A value that is missing beside them sends all cells of a segment the general way.
            let mut holes = block(n * (cells + 1) * 4);
            for row in 0..n {
                let to = &mut holes.elements_mut::<f32>()[row * (cells + 1)..][..cells + 1];
                to[..cells].copy_from_slice(&data.elements::<f32>()[row * cells..(row + 1) * cells]);
                to[cells] = f32::NAN;
            }
            let general = windows(&how, &holes, n as u64, cells + 1, &[]);
            for row in 0..n {
                let general = &general[row * (cells + 1) * 4..][..cells * 4];
                assert_eq!(plain[row * cells * 4..(row + 1) * cells * 4], *general, "{op} {reach:?} row {row}");
            }
        }
    }
}

#[test]
fn a_window_that_passes_a_large_value_forgets_it() {
    let x = [1e30, 1.0, 2.0, 3.0, 4.0];
    let mut data = block(40);
    data.elements_mut::<f64>().copy_from_slice(&x);
    let how = Windows::new(Op::Mean, DType::F64, FoldOptions::default(), [1, 0]);
    assert_eq!(numbers(DType::F64, &windows(&how, &data, 5, 1, &[]))[2..], [1.5, 2.5, 3.5]);
}

#[test]
fn integers_are_exact() {
    let mut data = block(4 * 8);
    data.elements_mut::<i64>().copy_from_slice(&[i64::MAX, -1, 5, i64::MIN]);
    let how = Windows::new(Op::Sum, DType::I64, FoldOptions::default(), [1, 0]);
    let sums = windows(&how, &data, 4, 1, &[]);
    let sums: Vec<i64> = sums.chunks_exact(8).map(|b| i64::from_ne_bytes(b.try_into().unwrap())).collect();
    assert_eq!(sums, [i64::MAX, i64::MAX - 1, 4, i64::MIN + 5]);
}
