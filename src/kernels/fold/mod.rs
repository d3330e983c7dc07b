//! Reductions: each accumulator is said once, in a file of its own, as a `Fold`; [`Folds`] runs several
//! of them over one stream of values and turns their state into results.
//!
//! # State
//!
//! The state of `cells` cells is plain bytes, 64-byte aligned as a [`Block`](crate::block::Block) is: a header of one
//! cache line, then one plane a number. Partial results are therefore ordinary blocks, and merging is a loop.

mod arg;
mod custom;
mod ends;
mod extremes;
mod finish;
mod logic;
mod missing;
mod moments;
mod op;
mod planes;
mod prod;
mod push;
mod spells;
mod sum;
#[cfg(test)]
mod tests;
mod walk;
mod weighted;

pub use custom::{CustomFold, Reducer, erased};
pub use op::Op;
pub(in crate::kernels) use planes::Indices;
pub(in crate::kernels) use push::{Take, push};
pub use spells::{Runs, Spell};
pub(crate) use weighted::check_weights;
pub use weighted::{WeightTable, check_weighted, weighted, weighted_dtype};

use super::decode::{Decode, Decoded, Decoder, Elements, Segment, Value, Work};
use crate::{dtype::DType, error::Result};
use planes::{Counts, Fold, Planes, View};
use std::ops::Range;

/// What a reduction can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoldOptions {
    /// What variance and standard deviation take off the count.
    pub ddof: f64,
    /// Whether a single missing value makes the result missing.
    pub keep_missing: bool,
    /// The least number of values that are not missing, below which the result is.
    pub min_count: u64,
}

impl Default for FoldOptions {
    fn default() -> FoldOptions {
        FoldOptions { ddof: 0.0, keep_missing: false, min_count: 0 }
    }
}

/// A chunk, or the part of it that is reduced.
#[derive(Debug, Clone, Copy)]
pub struct ChunkView<'a> {
    /// The stored elements, from the view's first one on.
    pub elements: Elements<'a>,
    /// Its dimensions in storage order, slowest first.
    pub dims: &'a [ViewDim],
    /// The flat index of its first element among the reduced dimensions.
    pub first_index: u64,
}

/// One dimension of a [`ChunkView`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewDim {
    /// How far it goes.
    pub len: usize,
    /// Stored elements from one position to the next.
    pub stride: usize,
    /// What becomes of it.
    pub role: Role,
}

/// What becomes of a dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It stays. All views of one state have the same kept dimensions, and together they are its cells.
    Kept {
        /// Cells from one position to the next.
        cell_stride: usize,
    },
    /// It is reduced.
    Reduced {
        /// Flat indices from one position to the next.
        index_stride: u64,
    },
}

/// What is kept for each cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accumulator {
    Missing,
    FirstMissing,
    FloatSum,
    NarrowSum,
    WideSum,
    FloatProd,
    IntegerProd,
    Least,
    Most,
    Moments,
    AnyOf,
    AllOf,
    ArgLeast,
    ArgMost,
    Front,
    Back,
}

/// Binds a type name to the [`Fold`] of an [`Accumulator`].
macro_rules! with_fold {
    ($accumulator:expr, $F:ident => $body:expr) => {
        with_fold!(@ $accumulator, $F, $body;
            Missing missing::Missing,
            FirstMissing missing::FirstMissing,
            FloatSum sum::FloatSum,
            NarrowSum sum::IntegerSum<i64>,
            WideSum sum::IntegerSum<i128>,
            FloatProd prod::FloatProd,
            IntegerProd prod::IntegerProd,
            Least extremes::Extreme<extremes::Least>,
            Most extremes::Extreme<extremes::Most>,
            Moments moments::Moments,
            AnyOf logic::AnyOf,
            AllOf logic::AllOf,
            ArgLeast arg::Arg<extremes::Least>,
            ArgMost arg::Arg<extremes::Most>,
            Front ends::Endmost<ends::Front>,
            Back ends::Endmost<ends::Back>)
    };
    (@ $accumulator:expr, $F:ident, $body:expr; $($name:ident $fold:ty),*) => {
        match $accumulator {
            $(Accumulator::$name => {
                type $F = $fold;
                $body
            })*
        }
    };
}

/// Binds a type name to the [`Value`] of a [`Work`].
macro_rules! with_work {
    ($work:expr, $W:ident => $body:expr) => {
        match $work {
            $crate::kernels::decode::Work::F32 => {
                type $W = f32;
                $body
            }
            $crate::kernels::decode::Work::F64 => {
                type $W = f64;
                $body
            }
            $crate::kernels::decode::Work::I64 => {
                type $W = i64;
                $body
            }
            $crate::kernels::decode::Work::U64 => {
                type $W = u64;
                $body
            }
        }
    };
}
use with_work;

/// Several reductions over one stream of values, which share what they can.
#[derive(Debug, Clone)]
pub struct Folds {
    ops: Vec<Op>,
    work: Work,
    result: DType,
    wide: bool,
    decoder: Decoder,
    options: FoldOptions,
    slots: Vec<Slot>,
}

/// An accumulator and the bytes of a cell in each of its planes.
#[derive(Debug, Clone, Copy)]
struct Slot {
    accumulator: Accumulator,
    planes: [usize; 3],
}

impl Slot {
    fn new(accumulator: Accumulator, work: Work) -> Slot {
        let planes = with_work!(work, W => with_fold!(accumulator, F => <F as Fold<W>>::PLANES));
        Slot { accumulator, planes }
    }

    /// Bytes of its planes for so many cells.
    fn bytes(&self, cells: usize) -> usize {
        self.planes.iter().map(|size| padded(size * cells)).sum()
    }

    /// Takes its planes off the front of `rest`, cut to a range of cells.
    #[inline]
    fn take<'a>(&self, rest: &mut &'a mut [u8], cells: usize, range: &Range<usize>) -> Planes<'a> {
        Planes(self.planes.map(|size| {
            if size == 0 {
                return &mut [][..];
            }
            let (plane, after) = std::mem::take(rest).split_at_mut(padded(size * cells));
            *rest = after;
            &mut plane[size * range.start..size * range.end]
        }))
    }
}

/// The first cache line of a state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Header {
    /// Values that every cell was given, missing ones included.
    pushed: u64,
    /// Whether any was missing (1 or 0). Until then the plane of [`Missing`](missing::Missing) is not set, nor looked at.
    any_missing: u64,
    rest: [u64; 6],
}

const HEADER: usize = size_of::<Header>();

impl Folds {
    /// The reductions `ops` of values that are stored as `decode` says.
    pub fn new(ops: &[Op], decode: &Decode, options: FoldOptions) -> Folds {
        let work = decode.work();
        let wide = decode.read_as().size() == 8;
        let mut accumulators = if is_float(work) { vec![Accumulator::Missing] } else { vec![] };
        for &op in ops {
            let place = options.keep_missing && is_float(work) && matches!(op, Op::ArgMin | Op::ArgMax);
            let first_missing: &[Accumulator] = if place { &[Accumulator::FirstMissing] } else { &[] };
            for &accumulator in needs(op, is_float(work), wide).iter().chain(first_missing) {
                if !accumulators.contains(&accumulator) {
                    accumulators.push(accumulator);
                }
            }
        }
        Folds {
            ops: ops.to_vec(),
            work,
            result: decode.result,
            wide,
            decoder: Decoder::new(decode),
            options,
            slots: accumulators.into_iter().map(|a| Slot::new(a, work)).collect(),
        }
    }

    /// The reductions.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The type of a result: that of the values where it is one of them, else wide enough for it. Bools add up to int64.
    pub fn result_dtype(&self, op: Op) -> DType {
        let unsigned = self.work == Work::U64 && self.result != DType::Bool;
        let exact = if unsigned { DType::U64 } else { DType::I64 };
        match op {
            Op::Count | Op::ArgMin | Op::ArgMax => DType::I64,
            Op::Any | Op::All => DType::Bool,
            Op::Min | Op::Max | Op::First | Op::Last => self.result,
            _ if is_float(self.work) => self.result,
            Op::Sum | Op::Prod | Op::Range => exact,
            Op::Mean | Op::Var | Op::Std => DType::F64,
        }
    }

    /// Bytes of the state of `cells` cells.
    pub fn state_bytes(&self, cells: usize) -> usize {
        HEADER + self.slots.iter().map(|slot| slot.bytes(cells)).sum::<usize>()
    }

    /// Makes `state` that of no values.
    ///
    /// # Panics
    /// When it is shorter than [`state_bytes`](Folds::state_bytes), or not aligned as a block is.
    pub fn init(&self, state: &mut [u8], cells: usize) {
        let (header, mut rest) = self.split(state, cells);
        *header = Header::default();
        for slot in &self.slots {
            let planes = slot.take(&mut rest, cells, &(0..cells));
            if slot.accumulator != Accumulator::Missing {
                with_work!(self.work, W => with_fold!(slot.accumulator, F => <F as Fold<W>>::init(planes)));
            }
        }
    }

    /// Adds the values of chunks, one after the other.
    ///
    /// Gives the same bits as a call for each of them.
    ///
    /// # Errors
    /// None at present: overflow is asked for at the end.
    ///
    /// # Panics
    /// When a view reaches beyond its bytes, its kept dimensions are not the cells, or `state` is too short.
    pub fn push(&self, state: &mut [u8], cells: usize, views: &[ChunkView<'_>], segment: &mut Segment) -> Result<()> {
        let (header, planes) = self.split(state, cells);
        header.pushed += views.iter().map(values_per_cell).sum::<u64>();
        let mut to = Slots { slots: &self.slots, any_missing: &mut header.any_missing, planes, cells };
        push(&self.decoder, self.work, views, cells, segment, &mut to);
        Ok(())
    }

    /// Adds what `from` has seen, which comes later in chunk order.
    ///
    /// # Errors
    /// None at present: overflow is asked for at the end.
    ///
    /// # Panics
    /// When a state is too short, or not aligned as a block is.
    pub fn merge(&self, into: &mut [u8], from: &[u8], cells: usize) -> Result<()> {
        let (header, planes) = self.split(into, cells);
        let (from_header, from_planes) = self.split_shared(from, cells);
        let (missing, mut rest) = planes.split_at_mut(self.missing_bytes(cells));
        let from_missing = self.missing(from_header, from_planes, cells);
        if header.any_missing < from_header.any_missing {
            missing.fill(0);
            header.any_missing = 1;
        }
        let missing = &mut bytemuck::cast_slice_mut::<u8, u64>(missing)[..cells * header.any_missing as usize];
        let counts =
            [Counts { pushed: header.pushed, missing }, Counts { pushed: from_header.pushed, missing: from_missing }];
        for slot in self.slots.iter().filter(|slot| slot.accumulator != Accumulator::Missing) {
            let state = slot.take(&mut rest, cells, &(0..cells));
            let view = self.view(from_planes, slot.accumulator, cells);
            with_work!(self.work, W => with_fold!(slot.accumulator, F => <F as Fold<W>>::merge(state, view, counts)));
        }
        // Last, because the variance needs the counts from before.
        missing.iter_mut().zip(from_missing).for_each(|(a, b)| *a += b);
        header.pushed += from_header.pushed;
        Ok(())
    }

    /// The results of one reduction, as native elements of its [`result_dtype`](Folds::result_dtype).
    ///
    /// `per_cell` is how many values each cell should have had, missing ones included; those never pushed are missing.
    /// Missing results are NaN; -1 for argmin and argmax. With [`keep_missing`](FoldOptions::keep_missing), NaN is what
    /// NumPy takes it for: the smallest and the largest value to argmin and argmax, which give the first one, and true to
    /// any and all.
    ///
    /// # Errors
    /// When an exact result does not fit its type, or there is none for zero integers.
    ///
    /// # Panics
    /// When `op` is none of [`ops`](Folds::ops), or a buffer is too short.
    pub fn finish(&self, op: Op, state: &[u8], cells: usize, per_cell: u64, out: &mut [u8]) -> Result<()> {
        assert!(self.ops.contains(&op), "{op} was not folded");
        finish::finish(self, op, state, cells, per_cell, out)
    }

    fn split<'a>(&self, state: &'a mut [u8], cells: usize) -> (&'a mut Header, &'a mut [u8]) {
        let (header, planes) = state[..self.state_bytes(cells)].split_at_mut(HEADER);
        (bytemuck::from_bytes_mut(header), planes)
    }

    fn split_shared<'a>(&self, state: &'a [u8], cells: usize) -> (&'a Header, &'a [u8]) {
        let (header, planes) = state[..self.state_bytes(cells)].split_at(HEADER);
        (bytemuck::from_bytes(header), planes)
    }

    fn view<'a>(&self, planes: &'a [u8], accumulator: Accumulator, cells: usize) -> View<'a> {
        let (mut at, mut found) = (0, View([&[]; 3]));
        for slot in &self.slots {
            if slot.accumulator == accumulator {
                found = View(slot.planes.map(|size| {
                    let plane = &planes[at..at + size * cells];
                    at += padded(size * cells);
                    plane
                }));
                break;
            }
            at += slot.bytes(cells);
        }
        found
    }

    fn is_float(&self) -> bool {
        is_float(self.work)
    }

    fn missing_bytes(&self, cells: usize) -> usize {
        if is_float(self.work) { padded(8 * cells) } else { 0 }
    }

    /// How many values of each cell are missing; empty where none is.
    fn missing<'a>(&self, header: &Header, planes: &'a [u8], cells: usize) -> &'a [u64] {
        bytemuck::cast_slice(&planes[..8 * cells * header.any_missing as usize])
    }
}

/// The state of all accumulators, while values are added to it.
struct Slots<'a> {
    slots: &'a [Slot],
    any_missing: &'a mut u64,
    planes: &'a mut [u8],
    cells: usize,
}

impl Slots<'_> {
    /// Sets the plane that counts what is missing, which is the first, before something is.
    #[inline(always)]
    fn expect_missing(&mut self, missing: bool) {
        if missing && *self.any_missing == 0 {
            self.planes[..padded(8 * self.cells)].fill(0);
            *self.any_missing = 1;
        }
    }
}

impl<W: Value> Take<W> for Slots<'_> {
    #[inline(always)]
    fn lane(&mut self, cells: Range<usize>, x: Decoded<'_, W>, index: u64) {
        self.expect_missing(x.missing);
        let mut rest = &mut *self.planes;
        for slot in self.slots {
            let state = slot.take(&mut rest, self.cells, &cells);
            with_fold!(slot.accumulator, F => <F as Fold<W>>::push_lane(state, x.values, x.missing, index));
        }
    }

    #[inline(always)]
    fn run(&mut self, cell: usize, x: Decoded<'_, W>, indices: Indices<'_>) {
        self.expect_missing(x.missing);
        let mut rest = &mut *self.planes;
        for slot in self.slots {
            let state = slot.take(&mut rest, self.cells, &(cell..cell + 1));
            with_fold!(slot.accumulator, F => <F as Fold<W>>::push_run(state, x.values, x.missing, indices));
        }
    }
}

fn is_float(work: Work) -> bool {
    matches!(work, Work::F32 | Work::F64)
}

fn is_kept(dim: &ViewDim) -> bool {
    matches!(dim.role, Role::Kept { .. })
}

/// The product of the reduced lengths.
fn values_per_cell(view: &ChunkView<'_>) -> u64 {
    view.dims.iter().filter(|d| !is_kept(d)).map(|d| d.len as u64).product()
}

/// Rounded up to whole cache lines.
const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(64)
}

/// What a reduction is made from.
fn needs(op: Op, float: bool, wide: bool) -> &'static [Accumulator] {
    use Accumulator::*;
    match op {
        Op::Sum | Op::Mean if float => &[FloatSum],
        Op::Sum | Op::Mean if wide => &[WideSum],
        Op::Sum | Op::Mean => &[NarrowSum],
        Op::Prod if float => &[FloatProd],
        Op::Prod => &[IntegerProd],
        Op::Min => &[Least],
        Op::Max => &[Most],
        Op::Range => &[Least, Most],
        Op::Var | Op::Std => &[Moments],
        Op::Count => &[],
        Op::Any => &[AnyOf],
        Op::All => &[AllOf],
        Op::ArgMin => &[ArgLeast],
        Op::ArgMax => &[ArgMost],
        Op::First => &[Front],
        Op::Last => &[Back],
    }
}
