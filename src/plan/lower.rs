use super::{
    Columns, Destination, Fold, Held, Input, Map, Output, Part, Plan, Reducers, Spill, Stage, Stream,
    effort::Effort,
    identity::Identities,
    reblock::{Recut, good_tiles},
    tiles,
};
use crate::{
    array::{Folding, Groups, LazyArray, Operation},
    dtype::DType,
    error::Result,
    grid::Grid,
    kernels::{
        fold::{FoldOptions, Folds, Op},
        lanes::{LaneOp, Narrow},
    },
    shape::Shape,
    source::{Origin, Sink, Source},
    units::Bytes,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// An array and the variable that it becomes.
#[derive(Clone)]
pub struct Target {
    /// The variable in the sink.
    pub variable: String,
    /// What it will hold.
    pub array: LazyArray,
    /// The pieces that the sink takes, of the variable's own rank.
    pub pieces: Grid,
    /// For each axis of the variable, whether it is a reduced one that is kept with length 1.
    pub ones: Vec<bool>,
    /// The type that the sink stores.
    pub stored: DType,
}

/// Turns arrays into passes. Reductions over the same axes that read the same source become one pass, and so do those
/// of one array, and results of the same blocks that read the same source; what is written twice is computed once.
/// `limit` is the memory that data may take: it decides how much of an output is computed before it is written, and no
/// result.
///
/// Where reductions lie within blocks (`u - mean(u, lon)` of whole maps), what needs them can compute them as it goes:
/// that is done where less is read then, and two workers have the memory for it.
///
/// # Errors
/// When sizes overflow, or an expression is too deep.
pub fn lower(targets: Vec<Target>, limit: Bytes) -> Result<Plan> {
    let mut ids = Identities::default();
    let lowering = Lowering::new(&mut ids, limit, BTreeSet::new(), &targets);
    let candidates = lowering.within_blocks();
    let mut best = lowering.plan(targets.clone())?;
    if candidates.is_empty() {
        return Ok(best);
    }
    let (mut least, mut within) = (best.reading(), candidates.clone());
    // Often it is all of them together that save a pass; then without each.
    for without in std::iter::once(None).chain(candidates.iter().map(Some).take(TRIALS)) {
        let trial: BTreeSet<usize> = within.iter().copied().filter(|id| Some(id) != without).collect();
        if trial.is_empty() {
            break;
        }
        let plan = Lowering::new(&mut ids, limit, trial.clone(), &targets).plan(targets.clone());
        // What is too deep for one expression may not be for two.
        let Ok(plan) = plan else { continue };
        let reading = plan.reading();
        if reading < LESS * least && plan.fits(limit)? {
            (best, least, within) = (plan, reading, trial);
        }
    }
    Ok(best)
}

/// Less than this part of the reading is less, and no rounding.
const LESS: f64 = 0.999;

/// How many reductions are tried to be held while others are not.
const TRIALS: usize = 16;

/// As [`lower`], with so much of an output computed at once that the plan fits into `limit` beside the `held` bytes, if
/// it can fit at all. What a plan asks for that does not fit is therefore the least that does.
///
/// # Errors
/// As [`lower`], and when the sink does not have a variable.
pub fn lower_within(targets: Vec<Target>, limit: Bytes, held: Bytes, sink: Option<&dyn Sink>) -> Result<Plan> {
    let mut room = limit.0;
    loop {
        let plan = lower(targets.clone(), Bytes(room))?;
        let least = plan.least(sink)?.map_or(0, |(least, _)| least.0);
        if room == 0 || least.saturating_add(held.0) <= limit.0 {
            return Ok(plan);
        }
        room = if room < 4096 { 0 } else { room / 2 };
    }
}

/// An array that is computed in a stage of its own: what needs it needs all of it.
pub(super) struct Barrier {
    pub(super) array: LazyArray,
    pub(super) id: usize,
    /// How many barriers lie one behind the other up to this one.
    level: usize,
    /// Whether another array needs it, and so where it is held.
    pub(super) slot: Option<usize>,
    /// The targets that are just this.
    targets: Vec<usize>,
}

/// A plan in the making.
pub(super) struct Lowering<'i> {
    pub(super) ids: &'i mut Identities,
    /// The identities of reductions that are computed by what needs them.
    within: BTreeSet<usize>,
    barriers: Vec<Barrier>,
    /// A barrier's place in the list, by its identity.
    number: HashMap<usize, usize>,
    pub(super) limit: Bytes,
    pub(super) stages: Vec<Stage>,
    pub(super) held: Vec<Held>,
    /// Where an array is held, by its identity.
    pub(super) slots: HashMap<usize, usize>,
    pub(super) spills: Vec<Spill>,
    /// Arrays that were put aside, by their identities.
    pub(super) aside: HashMap<usize, Arc<dyn Source>>,
    /// Sources that were cut anew, by what they were and the blocks that they have now.
    pub(super) cut: HashMap<(Origin, Shape), Arc<dyn Source>>,
}

/// What is folded, without where it goes.
pub(super) struct Reduction<'a> {
    pub(super) input: &'a LazyArray,
    pub(super) reduced: &'a [bool],
    /// The groups, and the axes that they are along.
    groups: Option<(&'a Groups, &'a [bool])>,
    pub(super) how: Folding,
}

impl Lowering<'_> {
    fn new<'i>(ids: &'i mut Identities, limit: Bytes, within: BTreeSet<usize>, targets: &[Target]) -> Lowering<'i> {
        let mut lowering = Lowering {
            ids,
            within,
            barriers: Vec::new(),
            number: HashMap::new(),
            limit,
            stages: Vec::new(),
            held: Vec::new(),
            slots: HashMap::new(),
            spills: Vec::new(),
            aside: HashMap::new(),
            cut: HashMap::new(),
        };
        targets.iter().for_each(|target| lowering.find(&target.array));
        targets.iter().enumerate().for_each(|(n, target)| lowering.direct(n, target));
        lowering
    }

    /// Lists the barriers under an array that is a target, inner ones first.
    fn find(&mut self, array: &LazyArray) {
        let mut level: HashMap<usize, usize> = HashMap::new();
        let mut todo = vec![(array.clone(), false)];
        while let Some((next, ready)) = todo.pop() {
            let id = self.ids.of(&next);
            if level.contains_key(&id) {
                continue;
            }
            if !ready {
                todo.push((next.clone(), true));
                todo.extend(next.inputs().into_iter().map(|i| (i.clone(), false)));
                continue;
            }
            let mut depth = next.inputs().into_iter().map(|i| level[&self.ids.of(i)]).max().unwrap_or(0);
            let is_within = self.within.contains(&id);
            if self.is_barrier(&next) && (!is_within || next.is(array)) {
                if !self.number.contains_key(&id) {
                    self.number.insert(id, self.barriers.len());
                    let (array, level) = (next.clone(), depth + 1);
                    self.barriers.push(Barrier { array, id, level, slot: None, targets: Vec::new() });
                }
                depth += if is_within { 0 } else { 1 };
            }
            for input in next.inputs() {
                let inner = self.ids.of(input);
                let held = self.number.get(&inner).filter(|_| !self.within.contains(&inner));
                held.copied().into_iter().for_each(|b| self.barriers[b].slot = Some(0));
            }
            level.insert(id, depth);
        }
    }

    /// The reductions within blocks that others need.
    fn within_blocks(&self) -> BTreeSet<usize> {
        let needed = self.barriers.iter().filter(|b| b.slot.is_some());
        let within = needed.filter(|b| Reduction::of(&b.array).is_some_and(|r| r.is_within_blocks()));
        within.map(|b| b.id).collect()
    }

    /// A target that is a reduction is written by the fold itself.
    fn direct(&mut self, n: usize, target: &Target) {
        let id = self.ids.of(&target.array);
        if let Some(&b) = self.number.get(&id)
            && Reduction::of(&target.array).is_some()
        {
            self.barriers[b].targets.push(n);
        } else if let Some(&b) = self.number.get(&id) {
            self.barriers[b].slot = Some(0);
        }
    }

    fn plan(mut self, targets: Vec<Target>) -> Result<Plan> {
        let mut barriers = std::mem::take(&mut self.barriers);
        for barrier in barriers.iter_mut().filter(|b| b.slot.is_some()) {
            barrier.slot = None;
            if !self.is_put_aside(&barrier.array) {
                let slot = self.slot(&barrier.array);
                barrier.slot = Some(slot);
                self.slots.insert(barrier.id, slot);
            }
        }
        let mut levels: BTreeMap<usize, Vec<Barrier>> = BTreeMap::new();
        let mut written = vec![false; targets.len()];
        for barrier in barriers {
            barrier.targets.iter().for_each(|&n| written[n] = true);
            levels.entry(barrier.level).or_default().push(barrier);
        }
        for barriers in levels.into_values() {
            for group in self.groups(barriers)? {
                self.stage(group, &targets)?;
            }
        }
        let mut maps = Vec::new();
        for (n, target) in targets.into_iter().enumerate() {
            if !written[n] {
                self.map(&target)?;
                maps.push((self.stages.len() - 1, target.array));
            }
        }
        self.together(maps)?;
        let Lowering { stages, mut held, mut spills, .. } = self;
        for (n, stage) in stages.iter().enumerate() {
            stage.held().into_iter().for_each(|slot| held[slot].until = n);
            let origins: Vec<Origin> = stage.input().sources().iter().map(|s| s.origin()).collect();
            spills.iter_mut().filter(|s| origins.contains(&s.spilled.origin())).for_each(|s| s.until = n);
        }
        Ok(Plan { stages, held, spills })
    }

    /// A place in memory for an array.
    fn slot(&mut self, array: &LazyArray) -> usize {
        let (dtype, shape) = (array.dtype(), array.shape().clone());
        self.held.push(Held { name: name(array), dtype, shape, until: 0 });
        self.held.len() - 1
    }

    /// Whether what is to be held is too large for that.
    fn is_put_aside(&self, array: &LazyArray) -> bool {
        let bytes = array.shape().bytes(array.dtype().size()).map_or(u64::MAX, |n| n as u64);
        let in_order = matches!(lanes(array), Some((.., op)) if !matches!(op, LaneOp::Statistic { .. }));
        in_order || matches!(array.operation(), Operation::Hold { .. }) && bytes > self.limit.0 / 4
    }

    /// Barriers of one level that share a pass: folds of the same array, or of arrays with the same blocks that read
    /// a source in common, over the same axes; and what is looked for in the same lanes.
    fn groups(&mut self, barriers: Vec<Barrier>) -> Result<Vec<Vec<Barrier>>> {
        let mut groups: Vec<Vec<(Barrier, Vec<usize>)>> = Vec::new();
        for barrier in barriers {
            let sources = match (Reduction::of(&barrier.array), lanes(&barrier.array)) {
                (Some(reduction), _) => self.sources(reduction.input),
                (None, Some((input, ..))) => vec![self.ids.of(bare(input))],
                (None, None) => Vec::new(),
            };
            let fits = |group: &[(Barrier, Vec<usize>)]| {
                let (first, read) = &group[0];
                if let (Some((input, a, first)), Some((_, b, op))) = (lanes(&first.array), lanes(&barrier.array)) {
                    let together = || Narrow::new([first, op], input.dtype(), input.shape()[a]).is_some();
                    return a == b && *read == sources && together();
                }
                let (Some(a), Some(b)) = (Reduction::of(&first.array), Reduction::of(&barrier.array)) else {
                    return false;
                };
                let along = |r: &Reduction<'_>| (r.input.shape().clone(), r.input.chunk().clone(), r.reduced.to_vec());
                let alike = along(&a) == along(&b) && a.groups == b.groups;
                let shared = || group.iter().any(|(_, read)| sources.iter().any(|s| read.contains(s)));
                alike && (a.input.is(b.input) || shared())
            };
            let fitting: Vec<usize> = (0..groups.len()).filter(|&g| fits(&groups[g])).collect();
            let Some((&first, others)) = fitting.split_first() else {
                groups.push(vec![(barrier, sources)]);
                continue;
            };
            // A fold makes one of all that it shares sources with.
            for &other in others.iter().rev().filter(|_| lanes(&barrier.array).is_none()) {
                let joined = groups.remove(other);
                groups[first].extend(joined);
            }
            groups[first].push((barrier, sources));
        }
        Ok(groups.into_iter().map(|group| group.into_iter().map(|(barrier, _)| barrier).collect()).collect())
    }

    /// The identities of the sources under an array, as far as what is held.
    fn sources(&mut self, array: &LazyArray) -> Vec<usize> {
        let mut seen = Vec::new();
        let mut out = Vec::new();
        let mut todo = vec![array];
        while let Some(next) = todo.pop() {
            let id = self.ids.of(next);
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            match next.operation() {
                Operation::Source(_) => out.push(id),
                _ if self.number.contains_key(&id) && !self.within.contains(&id) => {}
                _ => todo.extend(next.inputs()),
            }
        }
        out
    }

    fn stage(&mut self, group: Vec<Barrier>, targets: &[Target]) -> Result<()> {
        let Some(Reduction { reduced, groups, .. }) = Reduction::of(&group[0].array) else {
            return match (group[0].array.operation(), group[0].slot) {
                (Operation::Hold { input }, _) => self.hold(input, &group[0]),
                (Operation::Lanes { .. }, _) => self.narrow(&group),
                _ => unreachable!("every other barrier reduces, and what is not written is held"),
            };
        };
        let inputs = distinct(&group, self.ids);
        let input = self.folded(&inputs, reduced)?;
        let columns = Columns::new(input.grid(), reduced)?;
        // What is held is taken in blocks of any size along the groups.
        let held = Grid::new(group[0].array.shape().clone(), held_pieces(columns.kept(), &group[0].array))?;
        let mut parts: Vec<(Part, Option<FoldOptions>)> = Vec::new();
        for barrier in &group {
            let Some(Reduction { input: array, how, .. }) = Reduction::of(&barrier.array) else { continue };
            let root = inputs.iter().position(|i| self.ids.of(i) == self.ids.of(array)).unwrap_or(0);
            let decode = input.decode_of(array);
            let outputs = outputs(barrier, how.op(), targets, &held)?;
            match how {
                Folding::Op { op, options } => {
                    let same = |p: &&mut (Part, Option<FoldOptions>)| p.0.root == root && p.1 == Some(options);
                    if let Some((part, _)) = parts.iter_mut().find(same) {
                        let mut ops: Vec<Op> = part.outputs.iter().filter_map(|o| o.op).collect();
                        if !ops.contains(&op) {
                            ops.push(op);
                        }
                        part.outputs.extend(outputs);
                        part.reducer = Reducers::Folds(Folds::new(&ops, &decode, options));
                    } else {
                        let reducer = Reducers::Folds(Folds::new(&[op], &decode, options));
                        parts.push((Part { root, decode, reducer, outputs }, Some(options)));
                    }
                }
                Folding::Own(reducer) => {
                    let reducer = Reducers::Custom(reducer);
                    parts.push((Part { root, decode, reducer, outputs }, None));
                }
            }
        }
        let parts: Vec<Part> = parts.into_iter().map(|(part, _)| part).collect();
        let mut fold = Fold { input, parts, tiles: columns.kept().clone(), columns, grouping: None };
        match groups {
            Some((groups, along)) => fold = fold.by_groups(groups, along, self.limit.0)?,
            None => {
                let pieces: Vec<&Grid> = fold.outputs().map(|o| &o.pieces).collect();
                fold.tiles = tiles::tiles(fold.columns.kept(), &pieces, 1, u64::MAX)?;
            }
        }
        self.stages.push(Stage::Fold(Box::new(fold)));
        Ok(())
    }

    /// What a fold of arrays that have the same blocks goes through.
    pub(super) fn folded(&mut self, inputs: &[LazyArray], reduced: &[bool]) -> Result<Input> {
        if let [one] = inputs
            && let Some(source) = stored(one)
            // Columns of a kept axis are regular.
            && source.grid().cut_axis().is_none_or(|axis| reduced[axis])
        {
            return Ok(Input::Stored(source));
        }
        let shape = inputs.first().map_or_else(Shape::default, |a| a.shape().clone());
        let grid = Grid::new(shape, Stream::blocks(inputs))?;
        self.well_read(inputs, &grid, &grid)
    }

    fn is_barrier(&self, array: &LazyArray) -> bool {
        matches!(array.operation(), Operation::Hold { .. }) || Reduction::of(array).is_some() || self.is_narrowed(array)
    }

    /// Computes what is to be held: into memory, or aside where it is too large.
    fn hold(&mut self, input: &LazyArray, barrier: &Barrier) -> Result<()> {
        let grid = self.blocks(input)?;
        match barrier.slot {
            Some(slot) => self.hold_in(input, grid, slot),
            None => {
                let spilled = self.put_aside(input, grid, input.chunk(), 1.0)?;
                self.aside.insert(barrier.id, spilled);
                Ok(())
            }
        }
    }

    fn hold_in(&mut self, array: &LazyArray, grid: Grid, slot: usize) -> Result<()> {
        let (mut grid, stream) = self.streamed(array, grid.clone(), &grid)?;
        if stream.is_none() {
            grid = self.wider(array, &grid)?;
        }
        let input = self.well_read(std::slice::from_ref(array), &grid, &grid)?;
        let outputs = vec![Output::plain(Destination::Held(slot), grid.clone(), array.dtype())];
        self.stages.push(Stage::Map(Box::new(Map { input, outputs, tiles: grid, stream })));
        Ok(())
    }

    /// The blocks in which an array is computed, which are its tiles too where it streams: whole `pieces` then.
    pub(super) fn streamed(&mut self, array: &LazyArray, grid: Grid, pieces: &Grid) -> Result<(Grid, Option<Stream>)> {
        let Some(stream) = Stream::of(array) else { return Ok((grid, None)) };
        let Input::Computed(mut computed) = self.input(std::slice::from_ref(array), &grid, &Recut::new())? else {
            return Ok((grid, None));
        };
        let tiles = stream.cut(&mut computed, pieces, array.dtype().size() as u64, self.limit.0 / 3)?;
        Ok((tiles, Some(stream)))
    }

    fn map(&mut self, target: &Target) -> Result<()> {
        let array = &target.array;
        let one = std::slice::from_ref(array);
        let pieces = without(&target.pieces, &target.ones)?;
        let element = array.dtype().size().max(target.stored.size()) as u64;
        // Several workers each hold a tile, and what they compute it from; and one tile for all leaves them nothing.
        let room = (self.limit.0 / 5).min(TILE_BYTES);
        let aside = self.aside.get(&self.ids.of(array)).cloned();
        let (mut grid, mut stream) = match (array.operation(), &aside) {
            (Operation::Source(source), _) => (source.grid().clone(), None),
            (_, Some(_)) => (self.blocks(array)?, None),
            _ => {
                let blocks = self.blocks(array)?;
                self.streamed(array, blocks, &pieces)?
            }
        };
        let mut input = match aside {
            Some(spilled) => Input::Stored(spilled),
            None => self.input(one, &grid, &Recut::new())?,
        };
        let mut tiles = match stream {
            Some(_) => grid.clone(),
            None => tiles::tiles(input.grid(), &[&pieces], element, room)?,
        };
        let effort = Effort::of(&input, &tiles);
        if effort.heavy > 1.5 * effort.least {
            // Tiles cut through blocks that are computed whole.
            let (least, times) = (tiles::least(&grid, &[&pieces])?, effort.heavy / effort.least);
            let blocks = self.blocks(array)?;
            input = Input::Stored(self.put_aside(array, blocks, least.chunk(), times)?);
            tiles = tiles::tiles(input.grid(), &[&pieces], element, room)?;
            stream = None;
        } else if is_one_job(&input, &tiles, self.limit) {
            let slot = self.slot(array);
            self.hold_in(array, grid.clone(), slot)?;
            self.slots.insert(self.ids.of(array), slot);
            input = self.input(one, &grid, &Recut::new())?;
        } else if self.is_ill_read(&input, &effort) {
            if effort.least > 0.0 && stream.is_none() {
                grid = self.wider(array, &grid)?;
                tiles = tiles::tiles(&grid, &[&pieces], element, room)?;
            }
            if effort.least == 0.0 && stream.is_none() {
                tiles = good_tiles(&tiles::least(&grid, &[&pieces])?, element, self.limit.0)?;
                grid = tiles.clone();
            }
            input = self.well_read(one, &grid, &tiles)?;
        }
        let destination = Destination::Sink { variable: target.variable.clone(), ones: target.ones.clone() };
        let outputs = vec![Output { stored: target.stored, ..Output::plain(destination, pieces, array.dtype()) }];
        self.stages.push(Stage::Map(Box::new(Map { input, outputs, tiles, stream })));
        Ok(())
    }
}

/// Tiles are not made larger than this, but for a single piece.
const TILE_BYTES: u64 = 128 << 20;

/// Whether a small result of many blocks is so few tiles that most workers would have nothing to do.
fn is_one_job(input: &Input, tiles: &Grid, limit: Bytes) -> bool {
    let Input::Computed(computed) = input else { return false };
    let bytes = tiles.shape().elements().unwrap_or(u64::MAX).saturating_mul(computed.element_bytes());
    tiles.chunks() < 8 && computed.grid.chunks() > tiles.chunks() && bytes <= limit.0 / 8
}

impl Reduction<'_> {
    /// What a fold reduces, along which axes, and how.
    pub(super) fn of(array: &LazyArray) -> Option<Reduction<'_>> {
        let (input, reduced, groups, how) = match array.operation() {
            Operation::Reduce { input, op, reduced, options } => {
                (input, reduced, None, Folding::Op { op: *op, options: *options })
            }
            Operation::Fold { input, reducer, reduced } => (input, reduced, None, Folding::Own(reducer.clone())),
            Operation::Grouped { input, fold, groups, grouped, reduced } => {
                (input, reduced, Some((groups, &**grouped)), fold.clone())
            }
            _ => return None,
        };
        Some(Reduction { input: bare(input), reduced, groups, how })
    }

    /// Whether every value of the result is that of values in one block, of several, and a fold over those blocks goes
    /// through them in row-major order, as an expression does.
    pub(super) fn is_within_blocks(&self) -> bool {
        let (shape, chunk) = (self.input.shape(), self.input.chunk());
        let whole = || (0..shape.len()).all(|k| !self.reduced[k] || chunk[k] >= shape[k]);
        let several = || (0..shape.len()).any(|k| chunk[k] < shape[k]);
        let in_order =
            || stored(self.input).is_none_or(|s| s.layout().axes.is_sorted() && s.grid().cut_axis().is_none());
        let plain = self.groups.is_none() && self.input.dtype() != DType::F16 && !shape.contains(&0);
        plain && whole() && several() && in_order() && Stream::of(self.input).is_none()
    }
}

/// What needs whole lanes: of what, along which axis, and how.
pub(super) fn lanes(array: &LazyArray) -> Option<(&LazyArray, usize, &LaneOp)> {
    match array.operation() {
        Operation::Lanes { input, axis, op } => Some((input, *axis, op)),
        _ => None,
    }
}

/// The smallest pieces of a result in which it is put into memory.
fn held_pieces(kept: &Grid, array: &LazyArray) -> Shape {
    let mut pieces = kept.chunk().clone();
    if let Operation::Grouped { grouped, reduced, .. } = array.operation() {
        let first = grouped.iter().position(|g| *g).unwrap_or(0);
        pieces.0.insert(reduced[..first].iter().filter(|r| !**r).count(), 1);
    }
    pieces
}

/// The array without views that only say other names for its dimensions.
pub(super) fn bare(array: &LazyArray) -> &LazyArray {
    match array.operation() {
        Operation::View { input, view } if view.is_identity(input.shape()) && array.chunk() == input.chunk() => {
            bare(input)
        }
        _ => array,
    }
}

/// The variable that an array is, decoded or not.
pub(super) fn stored(array: &LazyArray) -> Option<Arc<dyn Source>> {
    match array.operation() {
        Operation::Source(source) => Some(source.clone()),
        Operation::Decode { input, .. } => stored(input),
        _ => None,
    }
}

/// The arrays that a group reduces, each once.
fn distinct(group: &[Barrier], ids: &mut Identities) -> Vec<LazyArray> {
    let mut seen = Vec::new();
    let mut out = Vec::new();
    for Reduction { input, .. } in group.iter().filter_map(|b| Reduction::of(&b.array)) {
        let id = ids.of(input);
        if !seen.contains(&id) {
            seen.push(id);
            out.push(input.clone());
        }
    }
    out
}

fn outputs(barrier: &Barrier, op: Option<Op>, targets: &[Target], held: &Grid) -> Result<Vec<Output>> {
    let dtype = barrier.array.dtype();
    let mut out = Vec::new();
    if let Some(slot) = barrier.slot {
        let destination = Destination::Held(slot);
        out.push(Output { op, destination, pieces: held.clone(), dtype, stored: dtype });
    }
    for &n in &barrier.targets {
        let target = &targets[n];
        let pieces = without(&target.pieces, &target.ones)?;
        let destination = Destination::Sink { variable: target.variable.clone(), ones: target.ones.clone() };
        out.push(Output { op, destination, pieces, dtype, stored: target.stored });
    }
    Ok(out)
}

/// The pieces of a variable without its axes of length 1.
fn without(pieces: &Grid, ones: &[bool]) -> Result<Grid> {
    let keep =
        |lengths: &[u64]| -> Shape { lengths.iter().zip(ones).filter(|(_, one)| !**one).map(|(n, _)| *n).collect() };
    Grid::new(keep(pieces.shape()), keep(pieces.chunk()))
}

/// What a held result is, for people.
fn name(array: &LazyArray) -> String {
    match (Reduction::of(array), array.operation()) {
        (Some(r), _) => r.how.name().to_string(),
        (None, Operation::Lanes { op, .. }) => op.name().to_string(),
        _ => "hold".to_string(),
    }
}
