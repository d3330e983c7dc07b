//! What evaluating an array in some regions costs: how often its sources are read, and how often lanes and blocks are
//! computed again.

use super::{Computed, Form, Formula, Input, Leaf, Values, input_block};
use crate::{
    array::reshape::Group,
    grid::Grid,
    shape::{Region, Shape},
};

/// The cost of going through an input in tiles.
pub struct Effort {
    /// Of each source of the input, in order.
    pub reads: Vec<Reads>,
    /// Elements that forms compute that need more than the region they are asked for: lanes, products, blocks ...
    pub heavy: f64,
    /// The same, when everything is asked for at once.
    pub least: f64,
    /// Elements that are made, not read.
    pub made: f64,
}

/// How a source is read.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    /// How many chunks are read, those that are read again included.
    pub chunks: f64,
    /// How many there are to be read.
    pub distinct: f64,
    /// The largest region that is read for one evaluation.
    pub region: Shape,
}

impl Reads {
    /// How often each chunk is read.
    pub fn times(&self) -> f64 {
        if self.distinct == 0.0 { 1.0 } else { self.chunks / self.distinct }
    }
}

/// How many tiles are looked at, and how many blocks of each: enough to tell once from often.
const SAMPLE: u64 = 24;

impl Effort {
    /// Of going through `input` in `tiles`, each in the blocks of the input's grid that it touches.
    pub fn of(input: &Input, tiles: &Grid) -> Effort {
        let sources = input.sources();
        let mut effort = Effort { reads: vec![Reads::default(); sources.len()], heavy: 0.0, least: 0.0, made: 0.0 };
        if tiles.chunks() == 0 {
            return effort;
        }
        let all = visits(input, &Region::all(tiles.shape()));
        effort.least = all.heavy;
        for (source, bounds) in all.reads {
            effort.reads[source].distinct += sources[source].grid().overlapping_count(&bounds) as f64;
        }
        // A source that is named twice is read once, if its chunks are kept that long.
        for (reads, source) in effort.reads.iter_mut().zip(&sources) {
            reads.distinct = reads.distinct.min(source.grid().chunks() as f64);
        }
        for (tile, weight) in sample(tiles.chunks()) {
            let tile = tiles.region(&tiles.index(tile));
            effort.tile(input, &tile, weight);
        }
        effort
    }

    fn tile(&mut self, input: &Input, tile: &Region, weight: f64) {
        let sources = input.sources();
        let Input::Computed(computed) = input else {
            let source = sources[0];
            self.reads[0].chunks += weight * source.grid().overlapping_count(tile) as f64;
            widen(&mut self.reads[0].region, &tile.shape);
            return;
        };
        let blocks: Vec<Region> = computed
            .grid
            .overlapping(tile)
            .filter_map(|block| computed.grid.region(&block).intersect(tile))
            .take(1 << 16)
            .collect();
        // Of each source the chunks that were read last are still there, one for each place where it is named.
        let mut kept: Vec<(usize, Region)> = Vec::new();
        for (at, weight) in sample(blocks.len() as u64).into_iter().map(|(at, w)| (at as usize, w * weight)) {
            if at > 0 {
                let before = visits(input, &blocks[at - 1]).reads;
                kept = before.into_iter().filter_map(|(s, r)| Some((s, only_chunk(sources[s].grid(), &r)?))).collect();
            }
            let walk = visits(input, &blocks[at]);
            for (source, region) in walk.reads {
                let grid = sources[source].grid();
                let only = only_chunk(grid, &region).map(|only| (source, only));
                let is_kept = only.as_ref().is_some_and(|only| kept.contains(only));
                kept.extend(only.filter(|_| !is_kept));
                if !is_kept {
                    self.reads[source].chunks += weight * grid.overlapping_count(&region) as f64;
                }
                widen(&mut self.reads[source].region, &region.shape);
            }
            self.heavy += weight * walk.heavy;
            self.made += weight * walk.made;
        }
    }
}

/// Some of `n` numbers, evenly, and how many each stands for.
fn sample(n: u64) -> Vec<(u64, f64)> {
    let some = n.min(SAMPLE);
    (0..some).map(|k| (k * n / some, n as f64 / some as f64)).collect()
}

fn widen(shape: &mut Shape, to: &Shape) {
    if shape.len() != to.len() {
        *shape = to.clone();
    }
    shape.0.iter_mut().zip(to.iter()).for_each(|(a, b)| *a = (*a).max(*b));
}

/// The chunk that a region lies in, if it is one.
fn only_chunk(grid: &Grid, region: &Region) -> Option<Region> {
    let mut all = grid.overlapping(region);
    let first = all.next()?;
    all.next().is_none().then(|| grid.region(&first))
}

/// What evaluating a region takes.
fn visits(input: &Input, region: &Region) -> Walk {
    let mut walk = Walk::default();
    match input {
        Input::Stored(_) => walk.reads.push((0, region.clone())),
        Input::Computed(computed) => computed.visit(region, &mut walk),
    }
    walk
}

#[derive(Default)]
struct Walk {
    /// Which regions of which sources are read.
    reads: Vec<(usize, Region)>,
    heavy: f64,
    made: f64,
}

impl Computed {
    fn visit(&self, region: &Region, walk: &mut Walk) {
        self.roots.iter().for_each(|root| root.visit(region, walk));
    }
}

impl Formula {
    fn visit(&self, region: &Region, walk: &mut Walk) {
        if region.shape.contains(&0) {
            return;
        }
        match &self.form {
            Form::Program(program) => {
                for operand in &program.operands {
                    let bounds = operand.view.picks(region).bounds();
                    match &operand.leaf {
                        Leaf::Stored(at, _) if !bounds.shape.contains(&0) => walk.reads.push((*at, bounds)),
                        Leaf::Formula(inner) => inner.visit(&bounds, walk),
                        Leaf::Made(..) => walk.made += bounds.shape.elements().unwrap_or(u64::MAX) as f64,
                        _ => {}
                    }
                }
            }
            Form::Reshape { input, groups } => input.visit(&around(groups, region), walk),
            Form::Concat { parts, axis } => {
                for (start, part) in parts {
                    let (from, to) = (region.start[*axis], region.start[*axis] + region.shape[*axis]);
                    let (first, end) = (from.max(*start), to.min(start + part.shape[*axis]));
                    if first < end {
                        part.visit(&region.with_axis(*axis, first - start, end - first), walk);
                    }
                }
            }
            Form::Take { input, axis, index } => {
                let (from, n) = (region.start[*axis] as usize, region.shape[*axis] as usize);
                let wanted = &index[from..from + n];
                let (least, most) = wanted.iter().fold((u64::MAX, 0), |(a, b), &i| (a.min(i), b.max(i)));
                input.visit(&region.with_axis(*axis, least, most + 1 - least), walk);
            }
            Form::TakeAlong { input, index, axis } => {
                let whole = region.with_axis(*axis, 0, input.shape[*axis]);
                walk.add(&whole.shape);
                input.visit(&whole, walk);
                index.visit(region, walk);
            }
            // What they need from before is carried along.
            Form::Rolling { input, .. } | Form::Cumulative { input, .. } => input.visit(region, walk),
            Form::Lanes { input, axis, .. } => {
                let whole = region.with_axis(*axis, 0, input.shape[*axis]);
                walk.add(&whole.shape);
                input.visit(&whole, walk);
            }
            Form::Reduce(within) => {
                let values = within.around(region);
                walk.add(&values.shape);
                match &within.values {
                    Values::Stored(at) => walk.reads.push((*at, values)),
                    Values::Computed(input) => input.visit(&values, walk),
                }
            }
            Form::MatMul { a, b, tiles, .. } => {
                let rank = region.start.len();
                let common = a.shape[rank - 1];
                for tile in tiles.overlapping(region) {
                    let tile = tiles.region(&tile);
                    walk.heavy += tile.shape.elements().unwrap_or(0) as f64 * common as f64;
                    a.visit(&tile.with_axis(rank - 1, 0, common), walk);
                    b.visit(&tile.with_axis(rank - 2, 0, common), walk);
                }
            }
            Form::Blocks { inputs, function, .. } if function.any_region() => {
                inputs.iter().for_each(|(input, _)| input.visit(region, walk));
            }
            Form::Blocks { inputs, grid, overlap, .. } => {
                for index in grid.overlapping(region) {
                    walk.add(&grid.region(&index).shape);
                    for (input, of) in inputs {
                        input.visit(&input_block(of, &index, overlap), walk);
                    }
                }
            }
        }
    }
}

impl Walk {
    fn add(&mut self, shape: &Shape) {
        self.heavy += shape.elements().unwrap_or(u64::MAX) as f64;
    }
}

/// The smallest region of the old shape around one of the new.
fn around(groups: &[Group], region: &Region) -> Region {
    let mut out = Region::default();
    let mut axis = 0;
    for group in groups {
        let part = axis..axis + group.new.len();
        axis = part.end;
        let local = Region { start: region.start[part.clone()].to_vec(), shape: region.shape[part].into() };
        let pieces = group.pieces(&local);
        for k in 0..group.old.len() {
            let start = pieces.iter().map(|p| p.from.start[k]).min().unwrap_or(0);
            let end = pieces.iter().map(|p| p.from.start[k] + p.from.shape[k]).max().unwrap_or(0);
            out.start.push(start);
            out.shape.0.push(end - start);
        }
    }
    out
}
