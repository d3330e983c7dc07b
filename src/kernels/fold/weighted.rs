//! Sums, means and variances of weighted values, as `xarray`'s `weighted`: what is missing takes its weight out.
//!
//! Weights go with positions along the reduced axes, so that a chunk is folded as it is stored, as without weights.

use super::{
    ChunkView, Op, Reducer, padded,
    planes::Indices,
    push::{Take, push},
};
use crate::{
    dtype::{DType, Element, NumberKind},
    error::{Error, Result},
    kernels::decode::{Decode, Decoded, Decoder, Segment, Value},
    kernels::fold::FoldOptions,
    with_dtype,
};
use std::{ops::Range, sync::Arc};

/// Weights of positions along the reduced axes.
///
/// *Memory*: eight bytes for each weight.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightTable {
    values: Arc<[f64]>,
    /// Positions, counted along all reduced axes, that share a weight.
    each: u64,
}

impl WeightTable {
    /// The weight of the position `i`, counted row-major along all reduced axes, is `values[i / each % values.len()]`:
    /// those along latitude, of latitude and longitude that are reduced, have `each` = the number of longitudes.
    ///
    /// # Errors
    /// When a weight is NaN.
    pub fn new(values: &[f64], each: u64) -> Result<WeightTable> {
        check_weights(values)?;
        // Where there are no positions, nobody asks.
        let values = if values.is_empty() { Arc::from([0.0]) } else { Arc::from(values) };
        Ok(WeightTable { values, each: each.max(1) })
    }

    /// That of a position.
    fn at(&self, index: u64) -> f64 {
        let place = index / self.each % self.values.len() as u64;
        self.values.get(place as usize).copied().unwrap_or(0.0)
    }

    /// Those of all `n` values of a run, where they lie one behind the other.
    fn whole(&self, indices: &Indices<'_>, n: usize) -> Option<&[f64]> {
        let (len, stride) = indices.parts.last().copied().unwrap_or((1, 1));
        let left = len - indices.skipped % len;
        if stride == 1 && n as u64 <= left { self.row(indices.at(0), n) } else { None }
    }

    /// Those of `n` values of a run from one on.
    fn of<'b>(&self, indices: &Indices<'_>, from: usize, n: usize, buffer: &'b mut [f64; PIECE]) -> &'b [f64] {
        let (len, stride) = indices.parts.last().copied().unwrap_or((1, 1));
        let mut done = 0;
        while done < n {
            let left = len - (indices.skipped + (from + done) as u64) % len;
            let some = (n - done).min(left as usize);
            let first = indices.at(from + done);
            if stride == 1 {
                self.fill(first, &mut buffer[done..done + some]);
            } else {
                let row = buffer[done..done + some].iter_mut().enumerate();
                row.for_each(|(k, w)| *w = self.at(first + k as u64 * stride));
            }
            done += some;
        }
        &buffer[..n]
    }

    /// The weights of `n` positions on from one, where they lie so.
    fn row(&self, first: u64, n: usize) -> Option<&[f64]> {
        let at = (first % self.values.len() as u64) as usize;
        if self.each == 1 { self.values.get(at..at + n) } else { None }
    }

    fn fill(&self, first: u64, out: &mut [f64]) {
        let mut done = 0;
        while done < out.len() {
            let index = first + done as u64;
            if self.each == 1 {
                let at = (index % self.values.len() as u64) as usize;
                let some = (out.len() - done).min(self.values.len() - at);
                out[done..done + some].copy_from_slice(&self.values[at..at + some]);
                done += some;
            } else {
                let some = (out.len() - done).min((self.each - index % self.each) as usize);
                out[done..done + some].fill(self.at(index));
                done += some;
            }
        }
    }
}

/// Whether all are numbers, as xarray wants them.
///
/// # Errors
/// When one is NaN.
pub(crate) fn check_weights(weights: &[f64]) -> Result<()> {
    match weights.iter().position(|w| w.is_nan()) {
        Some(at) => {
            Err(Error::usage(format!("weight {at} is missing; weights cannot be: give 0 to what is not to count")))
        }
        None => Ok(()),
    }
}

/// The weighted sum, mean, variance, standard deviation, or the sum of weights (count) of values of a type.
///
/// *Missing*: with `keep_missing` one missing value makes the result so, else its weight is taken out. Where the weights
/// add up to 0 all but a sum are missing.
///
/// # Errors
/// When the operation has no meaning with weights, or degrees of freedom are to be taken off.
pub fn weighted(op: Op, weights: WeightTable, input: DType, options: FoldOptions) -> Result<Arc<dyn Reducer>> {
    check_weighted(op, options)?;
    Ok(Arc::new(Weighted { op, weights, input, options }))
}

/// Whether there is a weighted operation.
///
/// # Errors
/// When there is none.
pub fn check_weighted(op: Op, options: FoldOptions) -> Result<()> {
    if !matches!(op, Op::Sum | Op::Mean | Op::Var | Op::Std | Op::Count) {
        let why = match op {
            Op::Prod => "",
            _ => ": it is the same whatever values count",
        };
        return Err(Error::usage(format!(
            "no {op} with weights{why}; there are sum, mean, var, std, count (the sum of weights), quantile, median, iqr"
        )));
    }
    if options.ddof != 0.0 && matches!(op, Op::Var | Op::Std) {
        return Err(Error::usage("no degrees of freedom are taken off a weighted variance; leave --ddof at 0"));
    }
    Ok(())
}

/// The type of a weighted result: floats stay in theirs, and sums of weights are float64.
pub fn weighted_dtype(op: Op, input: DType) -> DType {
    if op == Op::Count || input.kind() != NumberKind::Float { DType::F64 } else { input }
}

struct Weighted {
    op: Op,
    weights: WeightTable,
    input: DType,
    options: FoldOptions,
}

/// One number a cell in each plane.
struct Planes<'a> {
    /// For variances: each cell's own first value K, NaN before it.
    shift: &'a mut [f64],
    /// Sums of w (x - K), or of w x.
    first: &'a mut [f64],
    /// For variances: sums of w (x - K)^2.
    second: &'a mut [f64],
    /// Sums of w.
    weight: &'a mut [f64],
    /// How many values there were that are not missing.
    seen: &'a mut [f64],
}

impl Weighted {
    fn has_moments(&self) -> bool {
        matches!(self.op, Op::Var | Op::Std)
    }

    fn planes<'a>(&self, state: &'a mut [u8], cells: usize) -> Planes<'a> {
        let mut rest: &'a mut [f64] = bytemuck::cast_slice_mut(&mut state[..self.state_bytes(cells)]);
        let mut plane = |there: bool| -> &'a mut [f64] {
            let len = if there { padded(8 * cells) / 8 } else { 0 };
            let (plane, after) = std::mem::take(&mut rest).split_at_mut(len);
            rest = after;
            if there { &mut plane[..cells] } else { plane }
        };
        let moments = self.has_moments();
        Planes {
            first: plane(true),
            weight: plane(true),
            seen: plane(true),
            shift: plane(moments),
            second: plane(moments),
        }
    }

    /// The planes in the order `first`, `weight`, `seen`, `shift`, `second`.
    fn view<'a>(&self, state: &'a [u8], cells: usize) -> [&'a [f64]; 5] {
        let all: &[f64] = bytemuck::cast_slice(&state[..self.state_bytes(cells)]);
        let step = padded(8 * cells) / 8;
        let there = if self.has_moments() { 5 } else { 3 };
        std::array::from_fn(|k| if k < there { &all[k * step..][..cells] } else { &[] })
    }

    fn result(&self, first: f64, second: f64, weight: f64, seen: f64, per_cell: u64) -> f64 {
        let least =
            if self.options.keep_missing { per_cell.max(self.options.min_count) } else { self.options.min_count };
        if seen < least as f64 {
            return f64::NAN;
        }
        let total = if weight == 0.0 { f64::NAN } else { weight };
        // Chan, Golub & LeVeque 1983, eq. 1.7, with weights for counts: rounding may make less than 0 of a 0.
        let variance = (second - first * first / total) / total;
        let variance = if variance < 0.0 { 0.0 } else { variance };
        match self.op {
            Op::Sum => first,
            Op::Count => total,
            Op::Mean => first / total,
            Op::Var => variance,
            _ => variance.sqrt(),
        }
    }
}

impl Reducer for Weighted {
    fn name(&self) -> &str {
        match self.op {
            Op::Sum => "weighted sum",
            Op::Mean => "weighted mean",
            Op::Var => "weighted var",
            Op::Std => "weighted std",
            _ => "sum of weights",
        }
    }

    fn result_dtype(&self, input: DType) -> Result<DType> {
        Ok(weighted_dtype(self.op, input))
    }

    fn state_bytes(&self, cells: usize) -> usize {
        padded(8 * cells) * if self.has_moments() { 5 } else { 3 }
    }

    fn init(&self, state: &mut [u8], cells: usize) {
        let bytes = self.state_bytes(cells);
        state[..bytes].fill(0);
        self.planes(state, cells).shift.fill(f64::NAN);
    }

    fn push(
        &self,
        state: &mut [u8],
        cells: usize,
        decode: &Decode,
        views: &[ChunkView<'_>],
        segment: &mut Segment,
    ) -> Result<()> {
        let planes = self.planes(state, cells);
        let mut to = Sums { weights: &self.weights, moments: self.has_moments(), planes, buffer: [0.0; PIECE] };
        push(&Decoder::new(decode), decode.work(), views, cells, segment, &mut to);
        Ok(())
    }

    fn merge(&self, into: &mut [u8], from: &[u8], cells: usize) -> Result<()> {
        let [first, weight, seen, shift, second] = self.view(from, cells);
        let to = self.planes(into, cells);
        for i in 0..cells {
            if self.has_moments() && !shift[i].is_nan() {
                if to.shift[i].is_nan() {
                    (to.shift[i], to.first[i], to.second[i]) = (shift[i], first[i], second[i]);
                } else {
                    // x - K = (x - L) + (L - K), summed with the weights of what was shifted by L.
                    let d = shift[i] - to.shift[i];
                    to.second[i] += second[i] + d * (2.0 * first[i] + weight[i] * d);
                    to.first[i] += first[i] + weight[i] * d;
                }
            } else if !self.has_moments() {
                to.first[i] += first[i];
            }
            to.weight[i] += weight[i];
            to.seen[i] += seen[i];
        }
        Ok(())
    }

    fn finish(&self, state: &[u8], cells: usize, per_cell: u64, out: &mut [u8]) -> Result<()> {
        let [first, weight, seen, _, second] = self.view(state, cells);
        with_dtype!(weighted_dtype(self.op, self.input), T => {
            let out = out[..cells * size_of::<T>()].chunks_exact_mut(size_of::<T>());
            for (i, y) in out.enumerate() {
                let second = second.get(i).copied().unwrap_or(0.0);
                let result = T::from_f64(self.result(first[i], second, weight[i], seen[i], per_cell));
                y.copy_from_slice(bytemuck::bytes_of(&result));
            }
        });
        Ok(())
    }
}

/// The sums, while values are added to them.
struct Sums<'a> {
    weights: &'a WeightTable,
    moments: bool,
    planes: Planes<'a>,
    buffer: [f64; PIECE],
}

impl<W: Value> Take<W> for Sums<'_> {
    fn lane(&mut self, cells: Range<usize>, x: Decoded<'_, W>, index: u64) {
        let (w, p) = (self.weights.at(index), &mut self.planes);
        let (first, weight, seen) =
            (&mut p.first[cells.clone()], &mut p.weight[cells.clone()], &mut p.seen[cells.clone()]);
        if !self.moments {
            lane(first, weight, seen, x.values, w);
        } else if w == 0.0 {
            // No value to shift by.
            lane_counted(seen, x.values);
        } else {
            lane_moments([&mut p.shift[cells.clone()], first, &mut p.second[cells], weight, seen], x.values, w);
        }
    }

    fn run(&mut self, cell: usize, x: Decoded<'_, W>, indices: Indices<'_>) {
        let gone = if x.missing { x.values.iter().filter(|x| x.is_missing()).count() } else { 0 };
        let Sums { weights, moments, planes: p, buffer } = self;
        let n = x.values.len();
        let mut sums = Ways::default();
        match weights.whole(&indices, n) {
            Some(w) => add(p, *moments, cell, x, w, &mut sums),
            None => {
                for (k, values) in x.values.chunks(PIECE).enumerate() {
                    let w = weights.of(&indices, k * PIECE, values.len(), buffer);
                    add(p, *moments, cell, Decoded { values, ..x }, w, &mut sums);
                }
            }
        }
        p.seen[cell] += (n - gone) as f64;
        let [first, second, weight] = sums.0.map(|ways| ways.iter().sum::<f64>());
        p.first[cell] += first;
        p.weight[cell] += weight;
        if *moments {
            p.second[cell] += second;
        }
    }
}

/// Adds values of a run with their weights.
fn add<W: Value>(p: &mut Planes<'_>, moments: bool, cell: usize, x: Decoded<'_, W>, w: &[f64], sums: &mut Ways) {
    if !moments {
        return if x.missing { run::<W, true>(sums, x.values, w) } else { run::<W, false>(sums, x.values, w) };
    }
    let k = &mut p.shift[cell];
    if k.is_nan() {
        let Some((x, _)) = x.values.iter().zip(w).find(|(x, w)| !x.is_missing() && **w != 0.0) else { return };
        *k = x.to_f64();
    }
    run_moments(sums, x.values, w, *k);
}

vectorised! {
    fn lane[W: Value](first: &mut [f64], weight: &mut [f64], seen: &mut [f64], x: &[W], w: f64) -> () {
        for (((first, weight), seen), x) in first.iter_mut().zip(weight).zip(seen).zip(x) {
            let gone = x.is_missing();
            *first += if gone { 0.0 } else { x.to_f64() * w };
            *weight += if gone { 0.0 } else { w };
            *seen += if gone { 0.0 } else { 1.0 };
        }
    }
}

vectorised! {
    fn lane_counted[W: Value](seen: &mut [f64], x: &[W]) -> () {
        for (seen, x) in seen.iter_mut().zip(x) {
            *seen += if x.is_missing() { 0.0 } else { 1.0 };
        }
    }
}

vectorised! {
    fn lane_moments[W: Value](planes: [&mut [f64]; 5], x: &[W], w: f64) -> () {
        let [shift, first, second, weight, seen] = planes;
        for (((((k, first), second), weight), seen), x) in
            shift.iter_mut().zip(first).zip(second).zip(weight).zip(seen).zip(x)
        {
            let gone = x.is_missing();
            *k = if k.is_nan() & !gone { x.to_f64() } else { *k };
            let d = if gone { 0.0 } else { x.to_f64() - *k };
            *first += w * d;
            *second += w * d * d;
            *weight += if gone { 0.0 } else { w };
            *seen += if gone { 0.0 } else { 1.0 };
        }
    }
}

/// Parallel accumulators of a run. Their number is part of the result's last bits.
const WAYS: usize = 8;

/// So many weights are gathered at once: whole rounds of the accumulators.
const PIECE: usize = 32 * WAYS;

/// Sums of w (x - K), w (x - K)^2 and w of a run.
#[derive(Default)]
struct Ways([[f64; WAYS]; 3]);

vectorised! {
    fn run[W: Value; const MISSING: bool](sums: &mut Ways, x: &[W], w: &[f64]) -> () {
        let [mut first, second, mut weight] = sums.0;
        for (x, w) in x.chunks(WAYS).zip(w.chunks(WAYS)) {
            for (((first, weight), x), w) in first.iter_mut().zip(&mut weight).zip(x).zip(w) {
                let gone = MISSING && x.is_missing();
                *first += if gone { 0.0 } else { x.to_f64() * w };
                *weight += if gone { 0.0 } else { *w };
            }
        }
        sums.0 = [first, second, weight];
    }
}

vectorised! {
    fn run_moments[W: Value](sums: &mut Ways, x: &[W], w: &[f64], k: f64) -> () {
        let [mut first, mut second, mut weight] = sums.0;
        for (x, w) in x.chunks(WAYS).zip(w.chunks(WAYS)) {
            for ((((first, second), weight), x), w) in
                first.iter_mut().zip(&mut second).zip(&mut weight).zip(x).zip(w)
            {
                let gone = x.is_missing() | (*w == 0.0);
                let d = if gone { 0.0 } else { x.to_f64() - k };
                *first += w * d;
                *second += w * d * d;
                *weight += if gone { 0.0 } else { *w };
            }
        }
        sums.0 = [first, second, weight];
    }
}
