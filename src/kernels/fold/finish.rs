//! From the state of a reduction to its results.

use super::{Accumulator, Folds, Op, moments, planes::Counts, prod::TOO_LARGE, with_work};
use crate::{
    dtype::{DType, Element},
    error::{Problem, Result},
    kernels::decode::Value,
    with_dtype,
};
use bytemuck::Pod;

/// A state that is being read.
struct Finish<'a> {
    folds: &'a Folds,
    planes: &'a [u8],
    counts: Counts<'a>,
    cells: usize,
    per_cell: u64,
    op: Op,
}

pub(super) fn finish(folds: &Folds, op: Op, state: &[u8], cells: usize, per_cell: u64, out: &mut [u8]) -> Result<()> {
    let (header, planes) = folds.split_shared(state, cells);
    let counts = Counts { pushed: header.pushed, missing: folds.missing(header, planes, cells) };
    let out = &mut out[..cells * folds.result_dtype(op).size()];
    let finish = Finish { folds, planes, counts, cells, per_cell, op };
    with_work!(folds.work, W => finish.run::<W>(out))
}

vectorised! {
    /// Means of sums of at most `pushed` values, of which some are missing; missing where fewer than `least` are left.
    fn means[T: Element](sum: &[f64], missing: &[u64], range: [i32; 2], out: &mut [T]) -> () {
        let [pushed, least] = range;
        for ((y, sum), missing) in out.iter_mut().zip(sum).zip(missing) {
            // Integers of 32 bits become floats many at once.
            let valid = pushed - *missing as i32;
            let mean = sum / f64::from(valid);
            *y = T::from_f64(if valid >= least { mean } else { f64::NAN });
        }
    }
}

vectorised! {
    /// Means of sums of so many values each, at least one.
    fn means_of_all[T: Element](sum: &[f64], count: f64, out: &mut [T]) -> () {
        for (y, sum) in out.iter_mut().zip(sum) {
            *y = T::from_f64(sum / count);
        }
    }
}

impl<'a> Finish<'a> {
    fn run<W: Value>(&self, out: &mut [u8]) -> Result<()> {
        match self.op {
            Op::Count => self.write(out, |c| self.counts.valid(c) as i64),
            // NaN is true where it is not skipped; for `all`, that is the same as skipping it.
            Op::Any => {
                let any = self.plane::<u8>(Accumulator::AnyOf, 0);
                self.write(out, |c| any[c] | u8::from(self.keeps_missing() && self.any_missing(c)));
            }
            Op::All => self.write(out, |c| self.plane::<u8>(Accumulator::AllOf, 0)[c]),
            Op::ArgMin => self.arg(Accumulator::ArgLeast, out),
            Op::ArgMax => self.arg(Accumulator::ArgMost, out),
            _ if W::FLOAT => self.float::<W>(out),
            Op::Mean | Op::Var | Op::Std => self.integer_statistic(out),
            Op::Sum | Op::Prod => return self.exact(out),
            _ => return self.chosen::<W>(out),
        }
        Ok(())
    }

    fn plane<T: Pod>(&self, accumulator: Accumulator, k: usize) -> &'a [T] {
        self.folds.view(self.planes, accumulator, self.cells).plane(k)
    }

    fn write<T: Pod>(&self, out: &mut [u8], value: impl Fn(usize) -> T) {
        for (c, y) in out.chunks_exact_mut(size_of::<T>()).enumerate() {
            y.copy_from_slice(bytemuck::bytes_of(&value(c)));
        }
    }

    /// Missing ones include those that never came.
    fn any_missing(&self, cell: usize) -> bool {
        self.counts.valid(cell) < self.per_cell.max(self.counts.pushed)
    }

    fn keeps_missing(&self) -> bool {
        self.folds.options.keep_missing && self.folds.is_float()
    }

    fn arg(&self, accumulator: Accumulator, out: &mut [u8]) {
        // NOWHERE is -1 as a signed number.
        let index = self.plane::<u64>(accumulator, 1);
        let least = self.folds.options.min_count;
        let enough = |c: usize| !self.folds.is_float() || self.counts.valid(c) >= least;
        if !self.keeps_missing() {
            return self.write(out, |c| if enough(c) { index[c] as i64 } else { -1 });
        }
        let first = self.plane::<u64>(Accumulator::FirstMissing, 0);
        // Where values never came, the first missing one is not known.
        let all_came = self.counts.pushed >= self.per_cell;
        self.write(out, |c| match self.any_missing(c) {
            false if enough(c) => index[c] as i64,
            false => -1,
            true if all_came => first[c] as i64,
            true => -1,
        });
    }

    /// Results of floats, in their own type.
    fn float<W: Value>(&self, out: &mut [u8]) {
        let options = self.folds.options;
        let present =
            |c: usize| self.counts.valid(c) >= options.min_count && !(options.keep_missing && self.any_missing(c));
        let some = |c: usize, x: f64| if self.counts.valid(c) > 0 { x } else { f64::NAN };
        match self.op {
            Op::Sum | Op::Mean => {
                let sum = self.plane::<f64>(Accumulator::FloatSum, 0);
                let mean = self.op == Op::Mean;
                if mean && self.means(sum, out) {
                    return;
                }
                self.floats(out, present, |c| if mean { sum[c] / self.counts.valid(c) as f64 } else { sum[c] });
            }
            Op::Prod => {
                let product = self.plane::<f64>(Accumulator::FloatProd, 0);
                self.floats(out, present, |c| product[c]);
            }
            Op::Var | Op::Std => {
                let variance = self.variance();
                self.floats(out, present, variance);
            }
            Op::Range => {
                let (least, most) = (self.plane::<W>(Accumulator::Least, 0), self.plane::<W>(Accumulator::Most, 0));
                self.floats(out, present, |c| some(c, most[c].to_f64() - least[c].to_f64()));
            }
            _ => {
                let value = self.plane::<W>(self.choice(), 0);
                self.floats(out, present, |c| some(c, value[c].to_f64()));
            }
        }
    }

    /// Writes means many at once, where there are few enough values; says whether it did.
    fn means(&self, sum: &[f64], out: &mut [u8]) -> bool {
        let (options, missing) = (self.folds.options, self.counts.missing);
        let all = self.per_cell.max(self.counts.pushed);
        let least = if options.keep_missing { all } else { options.min_count };
        let is_all = missing.is_empty() && self.counts.pushed >= least.max(options.min_count).max(1);
        if !is_all && (all > i32::MAX as u64 || options.min_count > all || missing.len() != self.cells) {
            return false;
        }
        let (pushed, least) = (self.counts.pushed, least as i32);
        fn write<T: Element>(out: &mut [u8], write: impl FnOnce(&mut [T])) -> bool {
            bytemuck::try_cast_slice_mut(out).map(write).is_ok()
        }
        match (self.folds.result, is_all) {
            (DType::F32, true) => write::<f32>(out, |out| means_of_all(sum, pushed as f64, out)),
            (DType::F64, true) => write::<f64>(out, |out| means_of_all(sum, pushed as f64, out)),
            (DType::F32, false) => write::<f32>(out, |out| means(sum, missing, [pushed as i32, least], out)),
            (DType::F64, false) => write::<f64>(out, |out| means(sum, missing, [pushed as i32, least], out)),
            _ => false,
        }
    }

    fn floats(&self, out: &mut [u8], present: impl Fn(usize) -> bool, value: impl Fn(usize) -> f64) {
        with_dtype!(self.folds.result, T => {
            self.write(out, |c| T::from_f64(if present(c) { value(c) } else { f64::NAN }));
        })
    }

    fn variance(&self) -> impl Fn(usize) -> f64 {
        let (s1, s2) = (self.plane::<f64>(Accumulator::Moments, 1), self.plane::<f64>(Accumulator::Moments, 2));
        let (counts, ddof, root) = (self.counts, self.folds.options.ddof, self.op == Op::Std);
        move |c| {
            let variance = moments::variance(counts.valid(c), s1[c], s2[c], ddof);
            if root { variance.sqrt() } else { variance }
        }
    }

    /// Mean, variance and standard deviation of integers, in f64.
    fn integer_statistic(&self, out: &mut [u8]) {
        match self.op {
            Op::Mean => {
                let n = self.counts.pushed as f64;
                self.integers(|sum| self.write(out, |c| sum(c) as f64 / n));
            }
            _ => self.write(out, self.variance()),
        }
    }

    /// Hands `with` the exact sums or products.
    fn integers(&self, with: impl FnOnce(&dyn Fn(usize) -> i128)) {
        if self.op == Op::Prod {
            let product = self.plane::<i128>(Accumulator::IntegerProd, 0);
            with(&|c| product[c]);
        } else if self.folds.wide {
            let sum = self.plane::<i128>(Accumulator::WideSum, 0);
            with(&|c| sum[c]);
        } else {
            let sum = self.plane::<i64>(Accumulator::NarrowSum, 0);
            with(&|c| i128::from(sum[c]));
        }
    }

    /// Sum and product of integers.
    fn exact(&self, out: &mut [u8]) -> Result<()> {
        let mut result = Ok(());
        self.integers(|value| result = self.write_exact(out, value));
        result
    }

    /// The low 64 bits of numbers that fit the type of the result.
    fn write_exact(&self, out: &mut [u8], value: &dyn Fn(usize) -> i128) -> Result<()> {
        let dtype = self.folds.result_dtype(self.op);
        let (low, high) = match dtype {
            DType::I64 => (i64::MIN.into(), i64::MAX.into()),
            _ => (0i128, u64::MAX.into()),
        };
        for (c, y) in out.chunks_exact_mut(8).enumerate() {
            let x = value(c);
            if x == TOO_LARGE || x < low || x > high {
                return Err(Problem::Overflow { op: self.op.name(), dtype: dtype.name() }.into());
            }
            y.copy_from_slice(&(x as u64).to_ne_bytes());
        }
        Ok(())
    }

    fn choice(&self) -> Accumulator {
        match self.op {
            Op::Min => Accumulator::Least,
            Op::Max => Accumulator::Most,
            Op::First => Accumulator::Front,
            _ => Accumulator::Back,
        }
    }

    /// Integers that are among the values, and how far they are apart.
    fn chosen<W: Value>(&self, out: &mut [u8]) -> Result<()> {
        if self.counts.pushed == 0 && self.cells > 0 {
            return Err(Problem::ZeroLength { op: self.op.name() }.into());
        }
        if self.op == Op::Range {
            let (least, most) = (self.plane::<W>(Accumulator::Least, 0), self.plane::<W>(Accumulator::Most, 0));
            return self.write_exact(out, &|c| most[c].to_i128() - least[c].to_i128());
        }
        let value = self.plane::<W>(self.choice(), 0);
        // They came from this type, so that its low bytes are the value.
        match self.folds.result {
            DType::Bool => self.write(out, |c| u8::from(value[c] != W::default())),
            dtype => with_dtype!(dtype, T => self.write(out, |c| narrow::<W, T>(value[c]))),
        }
        Ok(())
    }
}

/// The value in the type that it was widened from.
fn narrow<W: Value, T: Element>(x: W) -> T {
    let bytes = x.to_i128().to_le_bytes();
    let y: T = bytemuck::pod_read_unaligned(&bytes[..size_of::<T>()]);
    if cfg!(target_endian = "big") { y.swapped() } else { y }
}
