//! The common windows where nothing is missing: rows of numbers instead of states, and the same bits.

use super::{Ends, Machine, PREFIX, Part, Row, Windows};
use crate::{
    dtype::DType,
    error::Result,
    kernels::{decode::Value, fold::Op},
};
use bytemuck::Pod;
use std::marker::PhantomData;

/// Bytes of the rows for segments of so many cells.
pub(super) fn scratch_bytes(ends: &Ends, cells: usize) -> usize {
    ends.slots() * cells * size_of::<f64>()
}

/// Computes the windows of some cells up to position `to`, or tells that the general way must.
pub(super) fn run(windows: &Windows, part: Part<'_>, to: u64, out: &mut [u8], scratch: &mut [u8]) -> Result<bool> {
    match windows.dtype {
        DType::F32 => of::<f32>(windows, part, to, out, scratch),
        DType::F64 => of::<f64>(windows, part, to, out, scratch),
        _ => Ok(false),
    }
}

fn of<W: Value>(windows: &Windows, part: Part<'_>, to: u64, out: &mut [u8], scratch: &mut [u8]) -> Result<bool> {
    match windows.op {
        Op::Sum => by::<W, Sum>(windows, part, to, out, scratch),
        Op::Mean => by::<W, Mean>(windows, part, to, out, scratch),
        Op::Min => by::<W, Least>(windows, part, to, out, scratch),
        Op::Max => by::<W, Most>(windows, part, to, out, scratch),
        _ => Ok(false),
    }
}

fn by<W: Value, P: Plain<W>>(
    windows: &Windows,
    part: Part<'_>,
    to: u64,
    out: &mut [u8],
    scratch: &mut [u8],
) -> Result<bool> {
    let values: &[W] = bytemuck::cast_slice(part.rows.bytes);
    let mut machine = Numbers::<W, P> {
        windows,
        part,
        values,
        out: bytemuck::cast_slice_mut(out),
        slots: bytemuck::cast_slice_mut(
            &mut scratch[..scratch_bytes(&windows.plan(), part.cells) / 8 * size_of::<P::A>()],
        ),
        by: PhantomData,
    };
    let some = (part.first..part.end).any(|p| part.row(p as i64).is_some_and(|row| any_missing(machine.values(row))));
    if some {
        return Ok(false);
    }
    windows.walk(part, to, &mut machine)?;
    Ok(true)
}

/// What is kept of values that are all there.
trait Plain<W: Value> {
    type A: Pod;
    const START: Self::A;
    fn push(before: Self::A, x: W) -> Self::A;
    fn merge(end: Self::A, beginning: Self::A) -> Self::A;
    fn finish(a: Self::A, count: f64) -> W;
}

struct Sum;
struct Mean;
struct Least;
struct Most;

macro_rules! plain {
    ($($name:ident $A:ty, $start:expr, $a:ident $x:ident => $push:expr, $b:ident $c:ident => $merge:expr,
       $d:ident $n:ident => $finish:expr;)*) => {$(
        impl<W: Value> Plain<W> for $name {
            type A = $A;
            const START: $A = $start;
            #[inline(always)]
            fn push($a: $A, $x: W) -> $A { $push }
            #[inline(always)]
            fn merge($b: $A, $c: $A) -> $A { $merge }
            #[inline(always)]
            fn finish($d: $A, $n: f64) -> W { $finish }
        }
    )*};
}
plain! {
    Sum f64, 0.0, a x => a + x.to_f64(), a b => a + b, a _n => W::from_f64(a);
    Mean f64, 0.0, a x => a + x.to_f64(), a b => a + b, a n => W::from_f64(a / n);
    Least W, W::LARGEST, a x => if x < a { x } else { a }, a b => if b < a { b } else { a }, a _n => a;
    Most W, W::SMALLEST, a x => if x > a { x } else { a }, a b => if b > a { b } else { a }, a _n => a;
}

struct Numbers<'a, W: Value, P: Plain<W>> {
    windows: &'a Windows,
    part: Part<'a>,
    values: &'a [W],
    out: &'a mut [W],
    slots: &'a mut [P::A],
    by: PhantomData<P>,
}

impl<'a, W: Value, P: Plain<W>> Numbers<'a, W, P> {
    fn values(&self, row: Row) -> &'a [W] {
        let from = row.at * self.part.rows.cells + self.part.cell;
        &self.values[from..from + self.part.cells]
    }

    /// How many values the window of a row of the results has.
    fn count(&self, row: usize) -> u64 {
        let at = self.part.from + row as u64;
        let [first, end] = self.windows.covers(at, at + 1, self.part.rows.axis);
        end - first
    }
}

impl<W: Value, P: Plain<W>> Machine for Numbers<'_, W, P> {
    fn clear(&mut self, slot: usize) {
        let cells = self.part.cells;
        self.slots[slot * cells..(slot + 1) * cells].fill(P::START);
    }

    fn extend(&mut self, from: usize, to: usize, row: Option<Row>) -> Result<()> {
        let cells = self.part.cells;
        let Some(row) = row else {
            self.slots.copy_within(from * cells..(from + 1) * cells, to * cells);
            return Ok(());
        };
        let values = self.values(row);
        let (before, to) = two(self.slots, cells, from, to);
        extend::<W, P>(before, values, to);
        Ok(())
    }

    fn push(&mut self, slot: usize, row: Row) -> Result<()> {
        let cells = self.part.cells;
        let values = self.values(row);
        push::<W, P>(&mut self.slots[slot * cells..(slot + 1) * cells], values);
        Ok(())
    }

    fn emit(&mut self, end: usize, _: bool, row: usize) -> Result<()> {
        let Part { rows, cell, cells, .. } = self.part;
        let count = self.count(row);
        let from = row * rows.cells + cell;
        let out = &mut self.out[from..from + cells];
        if count < self.windows.options.min_count {
            out.fill(W::MISSING);
            return Ok(());
        }
        let slot = |n: usize| &self.slots[n * cells..(n + 1) * cells];
        emit::<W, P>(slot(end), slot(PREFIX), count as f64, out);
        Ok(())
    }
}

/// Two slots, the second to write.
fn two<A>(slots: &mut [A], cells: usize, from: usize, to: usize) -> (&[A], &mut [A]) {
    let (low, high) = slots.split_at_mut(from.max(to) * cells);
    match from < to {
        true => (&low[from * cells..(from + 1) * cells], &mut high[..cells]),
        false => (&high[..cells], &mut low[to * cells..(to + 1) * cells]),
    }
}

vectorised! {
    fn extend[W: Value, P: Plain<W>](before: &[P::A], x: &[W], to: &mut [P::A]) -> () {
        for ((before, x), to) in before.iter().zip(x).zip(to) {
            *to = P::push(*before, *x);
        }
    }
}

vectorised! {
    fn push[W: Value, P: Plain<W>](a: &mut [P::A], x: &[W]) -> () {
        for (a, x) in a.iter_mut().zip(x) {
            *a = P::push(*a, *x);
        }
    }
}

vectorised! {
    fn emit[W: Value, P: Plain<W>](end: &[P::A], beginning: &[P::A], count: f64, out: &mut [W]) -> () {
        for ((a, b), y) in end.iter().zip(beginning).zip(out) {
            *y = P::finish(P::merge(*a, *b), count);
        }
    }
}

vectorised! {
    fn any_missing[W: Value](x: &[W]) -> bool {
        let none = W::Bits::default();
        x.iter().fold(none, |bad, x| bad | x.missing_bits()) != none
    }
}
