//! Order statistics of lanes that do not fit in memory: passes that narrow down which values decide.

use super::{
    Columns, Destination, Input, Narrowing, Sought, Spill, Stage,
    lower::{Barrier, Lowering, bare, lanes},
    reblock::computed,
};
use crate::{
    array::{Along, LazyArray, Operation},
    dtype::{ByteOrder, DType},
    error::Result,
    kernels::{
        decode::Decode,
        lanes::{LaneOp, Narrow, OrderStatistic, Room},
    },
    shape::Shape,
    source::{StoredType, VarMeta},
    spill::Spilled,
};
use std::sync::Arc;

/// A lane in memory is there some times over: as it is read, in order, and on its way.
const COPIES: u64 = 3;

/// The least bytes of counts and of keys with which passes get on.
const COUNTS_LEAST: u64 = 2 << 10;
const KEYS_LEAST: u64 = 8 << 10;
/// And of counts for each lane; more than the most does not help.
const LANE_COUNTS_LEAST: u64 = 128;
const LANE_COUNTS_MOST: u64 = 64 << 20;

/// Bytes of the slabs in which a lane in order is put aside.
const SLAB_LEAST: u64 = 4 << 10;
const SLAB_MOST: u64 = 1 << 20;

/// So few lanes, each so large, are found sooner by going through them twice than by putting them in order in memory.
const LANES_FEW: u64 = 64;
const LANE_LARGE: u64 = 16 << 20;

impl Lowering<'_> {
    /// Whether an array is an order statistic of lanes that are too large for memory, or few and large, so that counting
    /// takes less; or needs such lanes in order that are too large.
    pub(super) fn is_narrowed(&self, array: &LazyArray) -> bool {
        let Some((input, axis, op)) = lanes(array) else { return false };
        let (n, cells) = lengths(input, axis);
        let Some(narrow) = Narrow::new([op], input.dtype(), n) else { return false };
        let lane = n.saturating_mul(item(op, input.dtype()));
        let each = LANE_COUNTS_LEAST + if narrow.gives_lanes() { SLAB_LEAST } else { 0 };
        let least = cells.saturating_mul(each).max(COUNTS_LEAST).saturating_add(KEYS_LEAST);
        let few = cells <= LANES_FEW && lane >= LANE_LARGE && !narrow.gives_lanes();
        cells > 0 && (lane.saturating_mul(COPIES) > self.limit.0 || few) && least < lane
    }

    /// The stage that computes such statistics of the same lanes, or puts them in order; for ranks two of them.
    pub(super) fn narrow(&mut self, group: &[Barrier]) -> Result<()> {
        let Some((input, axis, _)) = group.first().and_then(|b| lanes(&b.array)) else { return Ok(()) };
        let (n, _) = lengths(input, axis);
        let ops = group.iter().filter_map(|b| Some(lanes(&b.array)?.2));
        let Some(mut narrow) = Narrow::new(ops, input.dtype(), n) else { return Ok(()) };
        // The order of values within a lane decides where zeros below zero come, and is what places tell.
        let (array, reduced) = match narrow.gives_lanes() {
            false => without_reshape(input, axis),
            true => (bare(input), (0..input.ndim()).map(|k| k == axis).collect()),
        };
        let mut input = self.folded(std::slice::from_ref(array), &reduced)?;
        let mut decode = input.decode_of(array);
        if let (Some(then), Some(dtype)) = (narrow.then(), narrow.listed_dtype()) {
            let codes = self.in_slabs(&group[0].array, dtype, axis)?;
            let sought = Sought { destination: Destination::Spill(codes.clone()), axis, len: n, dtype };
            self.look_for(input, decode, narrow, &reduced, vec![sought])?;
            (input, decode, narrow) = (Input::Stored(codes), Decode::plain(dtype, ByteOrder::NATIVE), then);
        }
        let mut results = Vec::new();
        for barrier in group {
            let (dtype, len) = (barrier.array.dtype(), barrier.array.shape()[axis]);
            let destination = match barrier.slot {
                Some(slot) => Destination::Held(slot),
                None => {
                    let spilled = self.in_slabs(&barrier.array, dtype, axis)?;
                    self.aside.insert(barrier.id, spilled.clone());
                    Destination::Spill(spilled)
                }
            };
            results.push(Sought { destination, axis, len, dtype });
        }
        self.look_for(input, decode, narrow, &reduced, results)
    }

    /// A stage that looks for something in all lanes along the axes that are reduced.
    fn look_for(
        &mut self,
        input: Input,
        decode: Decode,
        narrow: Narrow,
        reduced: &[bool],
        results: Vec<Sought>,
    ) -> Result<()> {
        let columns = Columns::new(input.grid(), reduced)?;
        let room = room(&narrow, columns.per_cell(), columns.kept().shape().elements()?, self.limit.0);
        let narrowing = Narrowing { input, decode, columns, narrow, room, results };
        self.stages.push(Stage::Narrow(Box::new(narrowing)));
        Ok(())
    }

    /// Where the next stage puts aside what lanes of `array` give in order, as `dtype`: each lane in slabs of its own.
    fn in_slabs(&mut self, array: &LazyArray, dtype: DType, axis: usize) -> Result<Arc<Spilled>> {
        let (n, cells) = lengths(array, axis);
        let bytes = (self.limit.0 / 16 / cells.max(1)).clamp(SLAB_LEAST, SLAB_MOST);
        let mut slab = Shape(vec![1; array.ndim()]);
        slab.0[axis] = (bytes / dtype.size() as u64).min(n).max(1);
        let keep = self.keep(array.shape().bytes(dtype.size())? as u64);
        let meta = VarMeta { stored: StoredType::native(dtype), ..computed(array) };
        let spilled = Arc::new(Spilled::new(self.spills.len(), meta, slab.clone(), slab, keep)?);
        let from = self.stages.len();
        self.spills.push(Spill { spilled: spilled.clone(), instead: 1.0, from, until: from });
        Ok(spilled)
    }
}

impl Narrowing {
    /// How often it goes through its input, at least and at most.
    pub fn passes(&self) -> (u64, u64) {
        let cells = self.columns.kept().shape().elements().unwrap_or(u64::MAX);
        self.narrow.passes(self.columns.per_cell(), usize::try_from(cells).unwrap_or(usize::MAX), self.room)
    }
}

/// Parts of the memory: a sixteenth for the counts of each worker, a third for keys.
fn room(narrow: &Narrow, n: u64, cells: u64, limit: u64) -> Room {
    let least = cells.saturating_mul(LANE_COUNTS_LEAST).max(COUNTS_LEAST);
    let counts = (limit / 16).clamp(least, cells.saturating_mul(LANE_COUNTS_MOST).max(least));
    let each = narrow.key_bytes() as u64;
    let keys = (limit / 3).max(KEYS_LEAST).min(cells.saturating_mul(n).saturating_mul(each));
    // Both are smaller than memory.
    Room { bins: (counts / 8) as usize, keys: (keys / each) as usize }
}

/// How long the lanes along an axis are, and how many.
fn lengths(input: &LazyArray, axis: usize) -> (u64, u64) {
    let others = input.shape().iter().enumerate().filter(|(k, _)| *k != axis);
    (input.shape()[axis], others.fold(1, |cells, (_, &n)| cells.saturating_mul(n)))
}

/// Bytes of a value where a lane is put in order.
fn item(op: &LaneOp, dtype: DType) -> u64 {
    match op {
        // Distances of integers are floating.
        LaneOp::Statistic { statistic: OrderStatistic::Mad, .. } if !dtype.is_float() => 8,
        // With its place.
        LaneOp::ArgSort { .. } | LaneOp::ArgTopK { .. } | LaneOp::Rank => 2 * dtype.size().max(4) as u64,
        _ => dtype.size() as u64,
    }
}

/// What lanes are made of, and which of its axes they go along: of several axes that were made one, those. The order of
/// values within a lane does not matter.
fn without_reshape(lanes: &LazyArray, axis: usize) -> (&LazyArray, Vec<bool>) {
    let lanes = bare(lanes);
    let one = (0..lanes.ndim()).map(|k| k == axis).collect();
    let Operation::Reshape { input: apart } = lanes.operation() else { return (lanes, one) };
    if axis + 1 != lanes.ndim() || apart.ndim() <= axis || apart.shape()[..axis] != lanes.shape()[..axis] {
        return (lanes, one);
    }
    let apart = bare(apart);
    let last: Vec<bool> = (0..apart.ndim()).map(|k| k >= axis).collect();
    let Operation::View { input, view } = apart.operation() else { return (apart, last) };
    // The axes in another order; those that stay have to stay in theirs.
    let whole_axis = |along: &Along| match *along {
        Along::Axis { axis, start: 0, step: 1 } => Some(axis),
        _ => None,
    };
    let to: Option<Vec<usize>> = view.axes.iter().map(whole_axis).collect();
    let Some(to) = to.filter(|to| to.len() == apart.ndim()) else { return (apart, last) };
    let whole = to.iter().enumerate().all(|(k, &axis)| input.shape()[k] == apart.shape()[axis]);
    let kept: Vec<usize> = to.iter().copied().filter(|&k| k < axis).collect();
    if !whole || !kept.is_sorted() || kept.len() != axis {
        return (apart, last);
    }
    (bare(input), to.iter().map(|&k| k >= axis).collect())
}
