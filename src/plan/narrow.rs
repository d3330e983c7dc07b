//! Order statistics of lanes that do not fit in memory: folds that narrow down which values decide, one after the other.

use super::{
    Columns, Destination, Fold, Held, Output, Part, Reducers, Stage,
    lower::{Lowering, bare},
    tiles,
};
use crate::{
    array::{Along, LazyArray, Operation},
    dtype::DType,
    error::Result,
    kernels::lanes::{LaneOp, Narrow},
    shape::Shape,
};

/// Bits of the keys that a pass makes known: at most, so that counting stays in cache, and those by which the passes are
/// weighed against lanes in memory.
const BITS_MAX: u32 = 16;
const BITS: u32 = 8;

/// A lane in memory is there some times over: as it is read, in order, and on its way.
const COPIES: u64 = 3;

impl Lowering {
    /// Whether an array is an order statistic of lanes that are too large for memory, so few that counting takes less.
    pub(super) fn is_narrowed(&self, array: &LazyArray) -> bool {
        let Operation::Lanes { input, axis, op } = array.operation() else { return false };
        let passes = Narrow::passes(op, input.dtype(), BITS);
        let Some(last) = passes.last() else { return false };
        let lane = input.shape()[*axis].saturating_mul(input.dtype().size() as u64);
        let others = input.shape().iter().enumerate().filter(|(k, _)| k != axis);
        let cells = others.fold(1u64, |cells, (_, &n)| cells.saturating_mul(n));
        let counts = last.state_bytes(usize::try_from(cells).unwrap_or(usize::MAX)) as u64;
        cells > 0 && lane.saturating_mul(COPIES) > self.limit.0 && counts < lane
    }

    /// The stages that compute such a statistic, and hold it in `slot`.
    pub(super) fn narrow(&mut self, input: &LazyArray, axis: usize, op: &LaneOp, slot: usize) -> Result<()> {
        let (array, reduced) = without_reshape(input, axis);
        let inputs = [array.clone()];
        let columns = Columns::new(self.folded(&inputs, &reduced)?.grid(), &reduced)?;
        let passes = self.narrowing(op, array.dtype(), columns.cells());
        let count = passes.len();
        let mut earlier = None;
        for (n, pass) in passes.into_iter().enumerate() {
            let source = self.folded(&inputs, &reduced)?;
            let decode = source.decode_of(array);
            let (to, along) = if n + 1 == count {
                (slot, axis)
            } else {
                let kept = columns.kept().shape();
                let shape: Shape = kept.iter().copied().chain([pass.results() as u64]).collect();
                self.held.push(Held { name: pass.to_string(), dtype: DType::U64, shape, until: 0 });
                (self.held.len() - 1, kept.len())
            };
            let outputs = (0..pass.results()).map(|at| Output {
                op: None,
                destination: Destination::Among { slot: to, axis: along, at },
                pieces: columns.kept().clone(),
                dtype: pass.result_dtype(),
                stored: pass.result_dtype(),
            });
            let outputs = outputs.collect();
            let parts = vec![Part { root: 0, decode, reducer: Reducers::Narrow(pass), earlier, outputs }];
            let tiles = tiles::tiles(columns.kept(), &[columns.kept()], 1, u64::MAX)?;
            self.stages.push(Stage::Fold(Box::new(Fold {
                input: source,
                parts,
                columns: columns.clone(),
                grouping: None,
                tiles,
            })));
            earlier = Some(to);
        }
        Ok(())
    }

    /// The passes, as few as leave each state an eighth of the memory.
    fn narrowing(&self, op: &LaneOp, dtype: DType, cells: usize) -> Vec<Narrow> {
        let fits = |passes: &[Narrow]| passes.iter().all(|p| p.state_bytes(cells) as u64 <= self.limit.0 / 8);
        let choices = (1..=BITS_MAX).rev().map(|bits| Narrow::passes(op, dtype, bits));
        let mut smallest = Vec::new();
        for passes in choices {
            if fits(&passes) {
                return passes;
            }
            smallest = passes;
        }
        smallest
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
