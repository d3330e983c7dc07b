//! How the state of a reduction lies in memory: one plane a number, [`Planes`] to write and [`View`] to read.

use crate::kernels::decode::Value;
use bytemuck::Pod;

/// Up to three planes of one accumulator, cut to some cells.
pub(crate) struct Planes<'a>(pub [&'a mut [u8]; 3]);

impl<'a> Planes<'a> {
    #[inline(always)]
    pub(crate) fn one<A: Pod>(self) -> &'a mut [A] {
        let [a, ..] = self.0;
        bytemuck::cast_slice_mut(a)
    }

    #[inline(always)]
    pub(crate) fn two<A: Pod, B: Pod>(self) -> (&'a mut [A], &'a mut [B]) {
        let [a, b, _] = self.0;
        (bytemuck::cast_slice_mut(a), bytemuck::cast_slice_mut(b))
    }

    #[inline(always)]
    pub(crate) fn three<A: Pod, B: Pod, C: Pod>(self) -> (&'a mut [A], &'a mut [B], &'a mut [C]) {
        let [a, b, c] = self.0;
        (bytemuck::cast_slice_mut(a), bytemuck::cast_slice_mut(b), bytemuck::cast_slice_mut(c))
    }
}

/// As [`Planes`], to read.
#[derive(Clone, Copy)]
pub(crate) struct View<'a>(pub [&'a [u8]; 3]);

impl<'a> View<'a> {
    #[inline(always)]
    pub(crate) fn plane<A: Pod>(self, k: usize) -> &'a [A] {
        bytemuck::cast_slice(self.0[k])
    }
}

/// How many values went into each cell.
#[derive(Clone, Copy)]
pub(crate) struct Counts<'a> {
    /// Missing ones included.
    pub pushed: u64,
    /// Missing ones; empty where none can be.
    pub missing: &'a [u64],
}

impl Counts<'_> {
    /// Values of a cell that are not missing.
    #[inline(always)]
    pub(crate) fn valid(&self, cell: usize) -> u64 {
        self.pushed - self.missing.get(cell).copied().unwrap_or(0)
    }
}

/// The flat indices, among the reduced dimensions, of the values of a run.
#[derive(Clone, Copy)]
pub(crate) struct Indices<'a> {
    /// Of the run's very first value.
    pub first: u64,
    /// Values of the run before this piece of it.
    pub skipped: u64,
    /// Lengths and index strides, slowest first.
    pub parts: &'a [(u64, u64)],
}

impl Indices<'_> {
    /// The index of the value at position `p`.
    pub(crate) fn at(&self, p: usize) -> u64 {
        let mut p = p as u64 + self.skipped;
        let mut index = self.first;
        for &(len, stride) in self.parts.iter().rev() {
            index += (p % len) * stride;
            p /= len;
        }
        index
    }

    /// Whether later values have larger indices.
    pub(crate) fn ascend(&self) -> bool {
        let mut reach = 0;
        self.parts.iter().rev().all(|&(len, stride)| {
            let ascends = stride > reach;
            reach += (len - 1) * stride;
            ascends
        })
    }

    /// The smallest index of a value for which `hit` holds, and its position.
    pub(crate) fn smallest<W: Value>(&self, x: &[W], hit: impl Fn(W) -> bool) -> Option<(u64, usize)> {
        if self.ascend() {
            return x.iter().position(|&x| hit(x)).map(|p| (self.at(p), p));
        }
        (0..x.len()).filter(|&p| hit(x[p])).map(|p| (self.at(p), p)).min()
    }

    /// The largest index of a value for which `hit` holds, and its position.
    pub(crate) fn largest<W: Value>(&self, x: &[W], hit: impl Fn(W) -> bool) -> Option<(u64, usize)> {
        if self.ascend() {
            return x.iter().rposition(|&x| hit(x)).map(|p| (self.at(p), p));
        }
        (0..x.len()).filter(|&p| hit(x[p])).map(|p| (self.at(p), p)).max()
    }
}

/// A reduction, said once: one accumulator over values of type `W`.
///
/// The planes given to each function have the same cells, and those of [`push_run`](Fold::push_run) a single one.
/// No function may let the result depend on how the calls are cut into segments of cells.
pub(crate) trait Fold<W: Value> {
    /// Bytes of a cell in each plane; 0 where there is none.
    const PLANES: [usize; 3];
    /// The state of no values.
    fn init(state: Planes<'_>);
    /// One value for each cell: `state[i] op= x[i]`. `missing` says whether any value may be missing.
    fn push_lane(state: Planes<'_>, x: &[W], missing: bool, index: u64);
    /// Many values for one cell.
    fn push_run(state: Planes<'_>, x: &[W], missing: bool, indices: Indices<'_>);
    /// Adds what `from` has seen, which comes later in chunk order. The counts are those before the merge.
    fn merge(into: Planes<'_>, from: View<'_>, counts: [Counts<'_>; 2]);
}
