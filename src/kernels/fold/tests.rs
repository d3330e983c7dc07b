//! Every reduction against its definition, over any shape, type, order of axes and cutting into chunks.

use super::*;
use crate::{
    dtype::ByteOrder,
    error::Problem,
    kernels::{decode::Number, shuffle::shuffle},
};
use half::f16;
use proptest::prelude::*;

/// Bytes that are aligned as a block's are.
struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Aligned {
    fn new(len: usize) -> Aligned {
        Aligned { lines: vec![Line([0xa5; 64]); len.div_ceil(64)], len }
    }
    fn bytes(&self) -> &[u8] {
        // SAFETY: lines are bytes, and there are at least len of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as `bytes`, and `&mut self` makes the access unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// A small generator, so that a case is its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

#[derive(Debug, Clone)]
struct Case {
    shape: Vec<usize>,
    reduced: Vec<bool>,
    axes: Vec<usize>,
    decode: Decode,
    options: FoldOptions,
    seed: u64,
    /// Values that are close to each other and all there.
    calm: bool,
}

/// A value as stored, and what it decodes to: `None` where it is missing.
#[derive(Clone, Copy)]
struct Cell {
    raw: [u8; 8],
    value: Option<Exact>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Exact {
    Int(i128),
    Float(f64),
}

impl Exact {
    fn float(self) -> f64 {
        match self {
            Exact::Int(i) => i as f64,
            Exact::Float(f) => f,
        }
    }
}

fn stored(dtype: DType, order: ByteOrder, x: f64) -> [u8; 8] {
    let mut raw = [0; 8];
    let size = dtype.size();
    match dtype {
        DType::F16 => raw[..2].copy_from_slice(&f16::from_f64(x).to_le_bytes()),
        DType::F32 => raw[..4].copy_from_slice(&(x as f32).to_le_bytes()),
        DType::F64 => raw.copy_from_slice(&x.to_le_bytes()),
        DType::Bool => raw[0] = u8::from(x > 0.0),
        _ => raw = (x as i64).to_le_bytes(),
    }
    if order == ByteOrder::Big {
        raw[..size].reverse();
    }
    raw
}

/// The definition of decoding, one value at a time.
fn decoded(d: &Decode, mut raw: [u8; 8]) -> Option<Exact> {
    let size = d.stored.size();
    if d.order == ByteOrder::Big {
        raw[..size].reverse();
    }
    raw[size..].fill(0);
    let bits = u64::from_le_bytes(raw);
    let shift = 64 - 8 * size as u32;
    let x = match d.read_as() {
        DType::F16 => Exact::Float(f16::from_bits(bits as u16).to_f64()),
        DType::F32 => Exact::Float(f32::from_bits(bits as u32).into()),
        DType::F64 => Exact::Float(f64::from_bits(bits)),
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => Exact::Int(((bits << shift) as i64 >> shift).into()),
        _ => Exact::Int(bits.into()),
    };
    if !d.result.is_float() {
        return Some(x);
    }
    let number = |n: Number| match n {
        Number::Int(i) => i as f64,
        Number::Float(f) => f,
    };
    let f = x.float();
    let out_of_range = d.valid.is_some_and(|(low, high)| f < number(low) || f > number(high));
    if f.is_nan() || out_of_range || d.missing.iter().any(|&m| number(m) == f) {
        return None;
    }
    let y = if d.result == DType::F64 {
        f * d.scale.unwrap_or(1.0) + d.offset.unwrap_or(0.0)
    } else {
        f64::from(f as f32 * d.scale.unwrap_or(1.0) as f32 + d.offset.unwrap_or(0.0) as f32)
    };
    (!y.is_nan()).then_some(Exact::Float(y))
}

impl Case {
    fn cells(&self) -> usize {
        (0..self.shape.len()).filter(|&k| !self.reduced[k]).map(|k| self.shape[k]).product()
    }

    fn per_cell(&self) -> usize {
        (0..self.shape.len()).filter(|&k| self.reduced[k]).map(|k| self.shape[k]).product()
    }

    fn values(&self) -> Vec<Cell> {
        let mut dice = Dice(self.seed);
        let float = self.decode.stored.is_float();
        (0..self.shape.iter().product())
            .map(|_| {
                let x = match dice.roll(if self.calm { 8 } else { 12 }) {
                    8 if float => f64::NAN,
                    9 | 10 => 7.0,
                    11 if float => [f64::INFINITY, f64::NEG_INFINITY, -0.0][dice.roll(3) as usize],
                    _ if float => dice.roll(2000) as f64 / 16.0 - 60.0,
                    _ => dice.roll(200) as f64 - 100.0,
                };
                // Large ones would be equal as f64, which the definition below compares.
                let x = if self.decode.stored == DType::U64 { f64::abs(x) } else { x };
                let raw = stored(self.decode.stored, self.decode.order, x);
                Cell { raw, value: decoded(&self.decode, raw) }
            })
            .collect()
    }

    /// The values of each cell with their flat indices, in C order.
    fn by_cell(&self, values: &[Cell]) -> Vec<Vec<Option<Exact>>> {
        let mut out = vec![vec![]; self.cells()];
        for (n, value) in values.iter().enumerate() {
            let (cell, _) = self.split(&self.position(n));
            out[cell].push(value.value);
        }
        out
    }

    fn position(&self, mut n: usize) -> Vec<usize> {
        let mut at = vec![0; self.shape.len()];
        for k in (0..at.len()).rev() {
            at[k] = n % self.shape[k];
            n /= self.shape[k];
        }
        at
    }

    /// The cell and the flat index of a position.
    fn split(&self, at: &[usize]) -> (usize, usize) {
        (0..at.len()).fold((0, 0), |(cell, index), k| {
            if self.reduced[k] { (cell, index * self.shape[k] + at[k]) } else { (cell * self.shape[k] + at[k], index) }
        })
    }

    /// The box from `start` to `end` as a stored chunk with some room beyond it, and its dimensions.
    fn chunk(&self, values: &[Cell], start: &[usize], end: &[usize]) -> (Vec<u8>, Vec<ViewDim>, u64) {
        let size = self.decode.stored.size();
        let rank = self.shape.len();
        let unit = |k: usize| {
            let mut at = vec![0; rank];
            at[k] = 1;
            self.split_stride(&at)
        };
        let mut strides = vec![0; rank];
        let mut total = 1;
        for &axis in self.axes.iter().rev() {
            strides[axis] = total;
            total *= end[axis] - start[axis] + (self.seed as usize >> axis & 1);
        }
        let dims = self
            .axes
            .iter()
            .map(|&k| {
                let (cell_stride, index_stride) = unit(k);
                let role = if self.reduced[k] {
                    Role::Reduced { index_stride: index_stride as u64 }
                } else {
                    Role::Kept { cell_stride }
                };
                ViewDim { len: end[k] - start[k], stride: strides[k], role }
            })
            .collect();
        let mut bytes = vec![0xff; total * size];
        for (n, value) in values.iter().enumerate() {
            let at = self.position(n);
            if (0..rank).all(|k| (start[k]..end[k]).contains(&at[k])) {
                let element: usize = (0..rank).map(|k| (at[k] - start[k]) * strides[k]).sum();
                bytes[element * size..][..size].copy_from_slice(&value.raw[..size]);
            }
        }
        (bytes, dims, self.split(start).1 as u64)
    }

    /// As `split`, of a step rather than of a position.
    fn split_stride(&self, step: &[usize]) -> (usize, usize) {
        self.split(step)
    }

    /// Cuts the reduced dimensions in `parts` and gives the chunks in C order.
    fn chunks(&self, values: &[Cell], parts: usize) -> Vec<(Vec<u8>, Vec<ViewDim>, u64)> {
        let pieces = |k: usize| if self.reduced[k] { parts.min(self.shape[k]).max(1) } else { 1 };
        let counts: Vec<usize> = (0..self.shape.len()).map(pieces).collect();
        (0..counts.iter().product())
            .map(|mut n| {
                let mut at = vec![0; counts.len()];
                for k in (0..counts.len()).rev() {
                    at[k] = n % counts[k];
                    n /= counts[k];
                }
                let cut = |k: usize, i: usize| self.shape[k] * i / counts[k];
                let start: Vec<usize> = (0..counts.len()).map(|k| cut(k, at[k])).collect();
                let end: Vec<usize> = (0..counts.len()).map(|k| cut(k, at[k] + 1)).collect();
                self.chunk(values, &start, &end)
            })
            .collect()
    }

    fn folds(&self, ops: &[Op]) -> Folds {
        Folds::new(ops, &self.decode, self.options)
    }
}

fn views(chunks: &[(Vec<u8>, Vec<ViewDim>, u64)]) -> Vec<ChunkView<'_>> {
    chunks
        .iter()
        .map(|(bytes, dims, first_index)| ChunkView { elements: bytes[..].into(), dims, first_index: *first_index })
        .collect()
}

fn state_of(folds: &Folds, cells: usize, views: &[ChunkView<'_>]) -> Aligned {
    let mut state = Aligned::new(folds.state_bytes(cells));
    folds.init(state.bytes_mut(), cells);
    folds.push(state.bytes_mut(), cells, views, &mut Segment::new()).unwrap();
    state
}

fn results(folds: &Folds, op: Op, state: &Aligned, cells: usize, per_cell: u64) -> Result<Vec<Exact>> {
    let dtype = folds.result_dtype(op);
    let mut out = vec![0; cells * dtype.size()];
    folds.finish(op, state.bytes(), cells, per_cell, &mut out)?;
    let plain = Decode { result: dtype, ..Decode::plain(dtype, ByteOrder::NATIVE) };
    let read = |raw: &[u8]| {
        let mut bits = [0; 8];
        bits[..raw.len()].copy_from_slice(raw);
        decoded(&plain, bits).unwrap_or(Exact::Float(f64::NAN))
    };
    Ok(out.chunks(dtype.size()).map(read).collect())
}

/// The definition of each reduction.
fn expected(op: Op, all: &[Option<Exact>], options: FoldOptions, float: bool) -> Exact {
    let valid: Vec<(usize, Exact)> = all.iter().enumerate().filter_map(|(i, v)| Some((i, (*v)?))).collect();
    let (n, x): (f64, Vec<f64>) = (valid.len() as f64, valid.iter().map(|v| v.1.float()).collect());
    let nan = Exact::Float(f64::NAN);
    let kept = options.keep_missing && valid.len() < all.len();
    match op {
        Op::Count => return Exact::Int(valid.len() as i128),
        Op::Any => return Exact::Int((x.iter().any(|&x| x != 0.0) || kept).into()),
        Op::All => return Exact::Int(x.iter().all(|&x| x != 0.0).into()),
        Op::ArgMin | Op::ArgMax if kept => {
            return Exact::Int(all.iter().position(Option::is_none).map_or(-1, |at| at as i128));
        }
        Op::ArgMin | Op::ArgMax if valid.is_empty() || (float && (valid.len() as u64) < options.min_count) => {
            return Exact::Int(-1);
        }
        Op::ArgMin | Op::ArgMax => {}
        _ if float && (kept || (valid.len() as u64) < options.min_count) => return nan,
        _ => {}
    }
    let least = x.iter().copied().fold(f64::INFINITY, f64::min);
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let position = |y: f64| Exact::Int(valid.iter().find(|v| v.1.float() == y).map_or(-1, |v| v.0 as i128));
    let some = |y: f64| if valid.is_empty() { nan } else { Exact::Float(y) };
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - options.ddof);
    let variance = if n - options.ddof <= 0.0 { f64::NAN } else { variance };
    match op {
        Op::Sum => Exact::Float(x.iter().sum()),
        Op::Prod => Exact::Float(x.iter().product()),
        Op::Mean => Exact::Float(mean),
        Op::Var => Exact::Float(variance),
        Op::Std => Exact::Float(variance.sqrt()),
        Op::Min => some(least),
        Op::Max => some(most),
        Op::Range => some(most - least),
        Op::First => valid.first().map_or(nan, |v| v.1),
        Op::Last => valid.last().map_or(nan, |v| v.1),
        Op::ArgMin => position(least),
        Op::ArgMax => position(most),
        Op::Count | Op::Any | Op::All => nan,
    }
}

fn agree(op: Op, got: Exact, want: Exact, all: &[Option<Exact>], result: DType) -> bool {
    // A product may leave f32.
    let w = if result == DType::F32 { f64::from(want.float() as f32) } else { want.float() };
    let g = got.float();
    if g.is_nan() || w.is_nan() || g.is_infinite() || w.is_infinite() {
        return g == w || (g.is_nan() && w.is_nan());
    }
    let scale = all.iter().flatten().map(|x| x.float().abs()).filter(|x| x.is_finite()).fold(0.0, f64::max);
    let digits = if result == DType::F64 { 1e-12 } else { 1e-6 };
    let tolerance = match op {
        Op::Sum => digits * scale * all.len() as f64,
        Op::Prod => digits * w.abs(),
        Op::Var => digits * scale * scale,
        Op::Mean | Op::Std => digits * scale,
        Op::Range => digits * scale,
        _ => 0.0,
    };
    (g - w).abs() <= tolerance
}

fn decodes() -> impl Strategy<Value = Decode> {
    let dtype = prop::sample::select(DType::ALL.to_vec());
    (dtype, any::<bool>(), 0..8u8).prop_map(|(stored, big, kind)| {
        let order = if big { ByteOrder::Big } else { ByteOrder::Little };
        let mut d = Decode::plain(stored, order);
        if stored == DType::Bool {
            return d;
        }
        if kind & 1 != 0 {
            d.missing = vec![Number::Int(7), Number::Float(-3.0), Number::Float(f64::NAN), Number::Int(1 << 90)];
            d.missing.truncate(1 + kind as usize / 2);
            d.result = if stored.size() >= 4 { DType::F64 } else { DType::F32 };
        }
        if kind & 2 != 0 {
            (d.scale, d.offset) = (Some(0.25), (kind & 4 != 0).then_some(20.0));
            d.result = if stored == DType::F32 { DType::F32 } else { DType::F64 };
        }
        if kind == 6 {
            d.valid = Some((Number::Float(-50.5), Number::Float(f64::INFINITY)));
        }
        if kind & 4 != 0 {
            let twin = [(DType::I8, DType::U8), (DType::U8, DType::I8), (DType::I16, DType::U16)];
            if let Some((_, to)) = twin.into_iter().find(|(from, _)| *from == stored) {
                d.unsigned = Some(to);
                d.result = if d.result == stored { to } else { d.result };
            }
        }
        d
    })
}

fn cases() -> impl Strategy<Value = Case> {
    let length = prop_oneof![4 => 1..5usize, 2 => 5..40usize];
    let options = (0..3u8, any::<bool>(), 0..4u64).prop_map(|(ddof, keep_missing, min_count)| FoldOptions {
        ddof: ddof.into(),
        keep_missing,
        min_count,
    });
    (prop::collection::vec((length, any::<bool>()), 0..=4), decodes(), options, any::<u64>(), any::<bool>()).prop_map(
        |(dims, decode, options, seed, calm)| {
            let mut axes: Vec<usize> = (0..dims.len()).collect();
            let mut dice = Dice(seed);
            for k in (1..axes.len()).rev() {
                let other = dice.roll(2 * (k as u64 + 1)) as usize;
                if other <= k {
                    axes.swap(k, other);
                }
            }
            let (shape, reduced) = dims.into_iter().unzip();
            Case { shape, reduced, axes, decode, options, seed, calm }
        },
    )
}

/// Products of many values leave every type.
fn ops(case: &Case) -> Vec<Op> {
    let many = case.per_cell() > 9;
    Op::ALL.into_iter().filter(|op| *op != Op::Prod || !many).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_reduction_is_its_definition(case in cases(), parts in 1..4usize) {
        let values = case.values();
        let (cells, per_cell) = (case.cells(), case.per_cell() as u64);
        let ops = ops(&case);
        let folds = case.folds(&ops);
        let chunks = case.chunks(&values, parts);
        let state = state_of(&folds, cells, &views(&chunks));
        let by_cell = case.by_cell(&values);
        for &op in &ops {
            let Ok(got) = results(&folds, op, &state, cells, per_cell) else {
                prop_assert!(op == Op::Prod && !case.decode.result.is_float(), "{op} failed");
                continue;
            };
            for (got, all) in got.into_iter().zip(&by_cell) {
                let want = expected(op, all, case.options, case.decode.result.is_float());
                let ok = agree(op, got, want, all, folds.result_dtype(op));
                prop_assert!(ok, "{op}: got {got:?}, want {want:?} of {all:?}");
            }
        }
    }

    #[test]
    fn pushing_together_is_pushing_one_by_one(case in cases(), parts in 1..5usize) {
        let values = case.values();
        let cells = case.cells();
        let folds = case.folds(&ops(&case));
        let chunks = case.chunks(&values, parts);
        let together = state_of(&folds, cells, &views(&chunks));
        let mut apart = Aligned::new(folds.state_bytes(cells));
        folds.init(apart.bytes_mut(), cells);
        let mut segment = Segment::new();
        for view in views(&chunks) {
            folds.push(apart.bytes_mut(), cells, &[view], &mut segment).unwrap();
        }
        prop_assert!(together.bytes() == apart.bytes());
    }

    #[test]
    fn planes_are_folded_as_their_elements(case in cases(), parts in 1..4usize, first in 0..9usize) {
        let values = case.values();
        let (cells, size) = (case.cells(), case.decode.stored.size());
        let folds = case.folds(&ops(&case));
        let chunks = case.chunks(&values, parts);
        let shuffled: Vec<Vec<u8>> = chunks
            .iter()
            .map(|(bytes, ..)| {
                let whole = [&vec![0xa5; first * size][..], bytes].concat();
                let mut planes = vec![0; whole.len()];
                shuffle(size, &whole, &mut planes);
                planes
            })
            .collect();
        let mut planes = views(&chunks);
        for (view, planes) in planes.iter_mut().zip(&shuffled) {
            view.elements = Elements::Planes { planes, first };
        }
        let elements = state_of(&folds, cells, &views(&chunks));
        prop_assert!(state_of(&folds, cells, &planes).bytes() == elements.bytes());
    }

    #[test]
    fn merging_is_pushing_all(case in cases(), parts in 2..5usize, at in 0..9usize) {
        let values = case.values();
        let (cells, per_cell) = (case.cells(), case.per_cell() as u64);
        let ops = ops(&case);
        let folds = case.folds(&ops);
        let chunks = case.chunks(&values, parts);
        let views = views(&chunks);
        let (first, second) = views.split_at(at.min(views.len()));
        let mut merged = state_of(&folds, cells, first);
        folds.merge(merged.bytes_mut(), state_of(&folds, cells, second).bytes(), cells).unwrap();
        let by_cell = case.by_cell(&values);
        for &op in &ops {
            let Ok(got) = results(&folds, op, &merged, cells, per_cell) else { continue };
            for (got, all) in got.into_iter().zip(&by_cell) {
                let want = expected(op, all, case.options, case.decode.result.is_float());
                let ok = agree(op, got, want, all, folds.result_dtype(op));
                prop_assert!(ok, "{op}: got {got:?}, want {want:?} of {all:?}");
            }
        }
    }
}

fn one_run(dtype: DType, raw: &[u8], ops: &[Op]) -> (Folds, Aligned) {
    let dims = [ViewDim { len: raw.len() / dtype.size(), stride: 1, role: Role::Reduced { index_stride: 1 } }];
    let folds = Folds::new(ops, &Decode::plain(dtype, ByteOrder::NATIVE), FoldOptions::default());
    let state = state_of(&folds, 1, &[ChunkView { elements: raw.into(), dims: &dims, first_index: 0 }]);
    (folds, state)
}

#[test]
fn integers_that_do_not_fit_are_errors_and_their_mean_is_not() {
    let raw: Vec<u8> = [i64::MAX, i64::MAX, 4].iter().flat_map(|x| x.to_ne_bytes()).collect();
    let ops = [Op::Sum, Op::Prod, Op::Mean, Op::Range];
    let (folds, state) = one_run(DType::I64, &raw, &ops);
    for op in [Op::Sum, Op::Prod] {
        let error = results(&folds, op, &state, 1, 3).unwrap_err();
        assert!(matches!(error.problem(), Problem::Overflow { op: o, dtype: "int64" } if *o == op.name()));
    }
    let mean = results(&folds, Op::Mean, &state, 1, 3).unwrap()[0].float();
    assert_eq!(mean, (2.0 * i64::MAX as f64 + 4.0) / 3.0);
    assert_eq!(results(&folds, Op::Range, &state, 1, 3).unwrap()[0], Exact::Int(i64::MAX as i128 - 4));
}

#[test]
fn what_overflows_on_the_way_may_still_fit() {
    let raw: Vec<u8> = [i64::MAX, 5, -5].iter().flat_map(|x| x.to_ne_bytes()).collect();
    let (folds, state) = one_run(DType::I64, &raw, &[Op::Sum]);
    assert_eq!(results(&folds, Op::Sum, &state, 1, 3).unwrap(), [Exact::Int(i64::MAX.into())]);
    let raw: Vec<u8> = [i64::MAX, 5, 0].iter().flat_map(|x| x.to_ne_bytes()).collect();
    let (folds, state) = one_run(DType::I64, &raw, &[Op::Prod]);
    assert_eq!(results(&folds, Op::Prod, &state, 1, 3).unwrap(), [Exact::Int(0)]);
}

#[test]
fn nothing_at_all() {
    let (folds, state) = one_run(DType::F32, &[], &Op::ALL);
    let get = |op| results(&folds, op, &state, 1, 0).unwrap()[0];
    assert_eq!((get(Op::Sum), get(Op::Prod), get(Op::Count)), (Exact::Float(0.0), Exact::Float(1.0), Exact::Int(0)));
    assert_eq!((get(Op::Any), get(Op::All), get(Op::ArgMax)), (Exact::Int(0), Exact::Int(1), Exact::Int(-1)));
    for op in [Op::Mean, Op::Min, Op::Max, Op::Range, Op::Var, Op::Std, Op::First, Op::Last] {
        assert!(get(op).float().is_nan(), "{op}");
    }
    let (folds, state) = one_run(DType::I16, &[], &Op::ALL);
    for op in [Op::Min, Op::Max, Op::Range, Op::First, Op::Last] {
        let error = results(&folds, op, &state, 1, 0).unwrap_err();
        assert!(matches!(error.problem(), Problem::ZeroLength { .. }), "{op}");
    }
    assert_eq!(results(&folds, Op::Sum, &state, 1, 0).unwrap(), [Exact::Int(0)]);
    assert!(results(&folds, Op::Mean, &state, 1, 0).unwrap()[0].float().is_nan());
}

#[test]
fn values_that_never_came_are_missing() {
    let raw: Vec<u8> = [1.0f32, 2.0].iter().flat_map(|x| x.to_ne_bytes()).collect();
    let dims = [ViewDim { len: 2, stride: 1, role: Role::Reduced { index_stride: 1 } }];
    let keep = FoldOptions { keep_missing: true, ..FoldOptions::default() };
    for (options, want) in [(FoldOptions::default(), 1.5), (keep, f64::NAN)] {
        let folds = Folds::new(&[Op::Mean], &Decode::plain(DType::F32, ByteOrder::NATIVE), options);
        let state = state_of(&folds, 1, &[ChunkView { elements: raw[..].into(), dims: &dims, first_index: 0 }]);
        let got = results(&folds, Op::Mean, &state, 1, 3).unwrap()[0].float();
        assert!(got == want || (got.is_nan() && want.is_nan()), "{got}");
    }
}

#[test]
fn a_variance_far_from_zero_keeps_its_digits() {
    let values: Vec<f32> = (0..100_000).map(|i| 1e6 + (i % 7) as f32 * 0.125).collect();
    let raw: Vec<u8> = values.iter().flat_map(|x| x.to_ne_bytes()).collect();
    let (folds, state) = one_run(DType::F32, &raw, &[Op::Std]);
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
    let want = (values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    let got = results(&folds, Op::Std, &state, 1, 100_000).unwrap()[0].float();
    assert!((got - want).abs() < 1e-6 * want, "{got} {want}");
}

#[test]
fn long_lanes_and_runs_agree() {
    // Longer than a segment both ways: 3 x 5000 stored once by rows and once by columns.
    let (rows, cols) = (3, 5000);
    let value = |r: usize, c: usize| {
        if (r * 31 + c * 17).is_multiple_of(13) { f32::NAN } else { ((r * 7919 + c) % 101) as f32 }
    };
    let by_rows: Vec<u8> = (0..rows * cols).flat_map(|n| value(n / cols, n % cols).to_ne_bytes()).collect();
    let by_cols: Vec<u8> = (0..rows * cols).flat_map(|n| value(n % rows, n / rows).to_ne_bytes()).collect();
    let folds = Folds::new(&Op::ALL, &Decode::plain(DType::F32, ByteOrder::NATIVE), FoldOptions::default());
    for kept_rows in [false, true] {
        let cells = if kept_rows { rows } else { cols };
        let dim = |len, stride, kept| ViewDim {
            len,
            stride,
            role: if kept { Role::Kept { cell_stride: 1 } } else { Role::Reduced { index_stride: 1 } },
        };
        let a = [dim(rows, cols, kept_rows), dim(cols, 1, !kept_rows)];
        let b = [dim(cols, rows, !kept_rows), dim(rows, 1, kept_rows)];
        let a = state_of(&folds, cells, &[ChunkView { elements: by_rows[..].into(), dims: &a, first_index: 0 }]);
        let b = state_of(&folds, cells, &[ChunkView { elements: by_cols[..].into(), dims: &b, first_index: 0 }]);
        let per_cell = (rows * cols / cells) as u64;
        for op in Op::ALL.into_iter().filter(|op| *op != Op::Prod) {
            let a = results(&folds, op, &a, cells, per_cell).unwrap();
            let b = results(&folds, op, &b, cells, per_cell).unwrap();
            assert!(a.iter().zip(&b).all(|(a, b)| (a.float() - b.float()).abs() <= 1e-5 * b.float().abs()), "{op}");
        }
    }
}

/// As `np.min(x)` and so on, not as `np.nanmin(x)`.
#[test]
fn where_missing_values_are_kept_they_are_what_numpy_makes_of_them() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let keep = FoldOptions { keep_missing: true, ..FoldOptions::default() };
    // From NumPy 2: argmin, argmax, any, all, min, max, sum, prod, mean, var, ptp.
    let table: [(&[f64], [f64; 11]); 8] = [
        (&[1.0, nan, -2.0, nan], [1.0, 1.0, 1.0, 1.0, nan, nan, nan, nan, nan, nan, nan]),
        (&[nan], [0.0, 0.0, 1.0, 1.0, nan, nan, nan, nan, nan, nan, nan]),
        (&[0.0, nan], [1.0, 1.0, 1.0, 0.0, nan, nan, nan, nan, nan, nan, nan]),
        (&[0.0, -0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (&[inf, 1.0, inf], [1.0, 0.0, 1.0, 1.0, 1.0, inf, inf, inf, inf, nan, inf]),
        (&[1.0, -inf, inf], [1.0, 2.0, 1.0, 1.0, -inf, inf, nan, -inf, nan, nan, inf]),
        (&[inf, 0.0, inf], [1.0, 0.0, 1.0, 0.0, 0.0, inf, inf, nan, inf, nan, inf]),
        (&[-inf, -inf], [0.0, 0.0, 1.0, 1.0, -inf, -inf, -inf, inf, -inf, nan, nan]),
    ];
    let ops =
        [Op::ArgMin, Op::ArgMax, Op::Any, Op::All, Op::Min, Op::Max, Op::Sum, Op::Prod, Op::Mean, Op::Var, Op::Range];
    for (x, wants) in table {
        for dtype in [DType::F32, DType::F64] {
            let raw: Vec<u8> =
                x.iter().flat_map(|x| stored(dtype, ByteOrder::NATIVE, *x)[..dtype.size()].to_vec()).collect();
            let folds = Folds::new(&ops, &Decode::plain(dtype, ByteOrder::NATIVE), keep);
            let dims = [ViewDim { len: x.len(), stride: 1, role: Role::Reduced { index_stride: 1 } }];
            let state = state_of(&folds, 1, &[ChunkView { elements: raw[..].into(), dims: &dims, first_index: 0 }]);
            for (op, want) in ops.into_iter().zip(wants) {
                let got = results(&folds, op, &state, 1, x.len() as u64).unwrap()[0].float();
                assert!(got == want || got.is_nan() && want.is_nan(), "{op} of {x:?} as {dtype}: {got}, not {want}");
            }
        }
    }
}

#[test]
fn the_first_missing_value_is_not_known_where_values_never_came() {
    let keep = FoldOptions { keep_missing: true, ..FoldOptions::default() };
    let folds = Folds::new(&[Op::ArgMin, Op::Any], &Decode::plain(DType::F64, ByteOrder::NATIVE), keep);
    let raw = bytemuck::cast_slice(&[0.0, f64::NAN]);
    let dims = [ViewDim { len: 2, stride: 1, role: Role::Reduced { index_stride: 1 } }];
    let state = state_of(&folds, 1, &[ChunkView { elements: raw.into(), dims: &dims, first_index: 5 }]);
    assert_eq!(results(&folds, Op::ArgMin, &state, 1, 2).unwrap(), [Exact::Int(6)]);
    assert_eq!(results(&folds, Op::ArgMin, &state, 1, 3).unwrap(), [Exact::Int(-1)]);
    assert_eq!(results(&folds, Op::Any, &state, 1, 3).unwrap(), [Exact::Int(1)]);
}

#[test]
fn bools_add_up_to_signed_integers() {
    let ops = [Op::Sum, Op::Prod, Op::Count];
    let (folds, state) = one_run(DType::Bool, &[1, 0, 1, 1], &ops);
    assert_eq!(ops.map(|op| folds.result_dtype(op)), [DType::I64; 3]);
    assert_eq!(ops.map(|op| results(&folds, op, &state, 1, 4).unwrap()[0]), [3, 0, 4].map(Exact::Int));
    let (folds, _) = one_run(DType::U8, &[1], &ops);
    assert_eq!(folds.result_dtype(Op::Sum), DType::U64);
}
