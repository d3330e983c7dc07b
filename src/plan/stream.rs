//! The axis along which a stage goes, so that each stored chunk is read once: [`Stream`].

use super::{
    Computed,
    tiles::{least_common_multiple, touched},
};
use crate::{
    array::{Along, LazyArray, Operation},
    error::Result,
    grid::Grid,
    shape::{ChunkIndex, Shape},
};
use std::collections::HashSet;

/// How windows and running results want to be computed: along their axis, one region after the other, because what
/// they keep from one is what the next one begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// The axis.
    pub axis: usize,
    /// Whether it goes from the last position to the first.
    pub reversed: bool,
    /// The length of the longest window; `None` for running results, which nobody can begin in the middle.
    pub window: Option<u64>,
    /// The length of the input's blocks.
    pub rows: u64,
}

/// What computing costs, in nanoseconds, roughly: decoding and gathering an element, folding it into a window, and a
/// tile.
const DECODE: f64 = 8.0;
const FOLD: f64 = 2.0;
const TILE: f64 = 20_000.0;

impl Stream {
    /// How an array wants to be computed, where windows or running results are in it that keep their axis.
    pub fn of(array: &LazyArray) -> Option<Stream> {
        let own: Vec<Option<(usize, bool)>> = (0..array.ndim()).map(|k| Some((k, false))).collect();
        let mut seen = HashSet::new();
        let mut todo = vec![(array, own)];
        let mut best: Option<Stream> = None;
        while let Some((next, axes)) = todo.pop() {
            if !seen.insert(next.address()) || axes.iter().all(Option::is_none) {
                continue;
            }
            let (found, inputs) = look(next, axes);
            // Running results first, then the longest window.
            let rank = |s: &Stream| s.window.unwrap_or(u64::MAX);
            if let Some(found) = found.filter(|s| best.as_ref().is_none_or(|b| rank(s) > rank(b))) {
                best = Some(found);
            }
            todo.extend(inputs);
        }
        best
    }

    /// The blocks in which a fold computes arrays of the same blocks. A fold's runs begin anywhere: running results are
    /// whole along their axis, and windows in blocks not much shorter than they are, as far as those are not too large.
    pub fn blocks(arrays: &[LazyArray]) -> Shape {
        let mut chunk = arrays.first().map_or_else(Shape::default, |a| a.chunk().clone());
        for array in arrays {
            let Some(Stream { axis, window, .. }) = Stream::of(array) else { continue };
            let element = array.dtype().size() as u64;
            let bytes = chunk.iter().fold(element, |a, &n| a.saturating_mul(n)).max(1);
            let longer = |length: u64| length.div_ceil(2).div_ceil(chunk[axis]).min(BLOCK_BYTES / bytes).max(1);
            let times = window.map_or(u64::MAX, longer);
            chunk.0[axis] = chunk[axis].saturating_mul(times).min(array.shape()[axis].max(1));
        }
        chunk
    }

    /// The tiles in which something is computed, each at once; they become its blocks.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn cut(&self, computed: &mut Computed, pieces: &Grid, element: u64, room: u64) -> Result<Grid> {
        let bytes = |tile: &[u64]| {
            let of_tile = tile.iter().fold(element, |a, &n| a.saturating_mul(n));
            of_tile.saturating_add(computed.work_bytes(tile)).saturating_add(computed.kept_bytes())
        };
        let tiles = self.tiles(&computed.grid, pieces, room, bytes)?;
        computed.grid = tiles.clone();
        Ok(tiles)
    }

    /// What one worker computes before it writes: whole pieces, of which `bytes` says the memory.
    ///
    /// The cheapest that fit into `room`: blocks beside the axis are better whole, and tiles that are shorter than half
    /// a window fold most values more than thrice.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn tiles(&self, blocks: &Grid, pieces: &Grid, room: u64, bytes: impl Fn(&[u64]) -> u64) -> Result<Grid> {
        let shape = blocks.shape();
        let rank = shape.len();
        let at_most = |k: usize, n: u64| n.min(shape[k].max(1));
        let least: Vec<u64> = (0..rank).map(|k| at_most(k, pieces.chunk()[k].max(1))).collect();
        let most = |k: usize| at_most(k, least_common_multiple(least[k], blocks.chunk()[k]));
        let mut choices = vec![least.clone()];
        for k in (0..rank.min(12)).filter(|&k| k != self.axis && most(k) != least[k]) {
            let wider = choices.iter().map(|tile| with(tile, k, most(k))).collect::<Vec<_>>();
            choices.extend(wider);
        }
        let lengths: Vec<u64> = self.lengths(least[self.axis]).into_iter().map(|n| at_most(self.axis, n)).collect();
        let all = choices.iter().flat_map(|tile| lengths.iter().map(|&n| with(tile, self.axis, n)));
        let cost = |tile: &Vec<u64>| (self.cost(blocks, tile) * 1000.0) as u64;
        let best = all.filter(|tile| bytes(tile) <= room).min_by_key(|tile| (cost(tile), bytes(tile)));
        Grid::new(shape.clone(), best.unwrap_or(least).into())
    }

    /// Lengths of tiles along the axis that are whole pieces of `unit`.
    fn lengths(&self, unit: u64) -> Vec<u64> {
        let wanted = self.window.unwrap_or(1).div_ceil(2).max(self.rows).max(LONG);
        let mut out = vec![unit, least_common_multiple(unit, self.rows.max(1))];
        let mut pieces = wanted.div_ceil(unit).max(1);
        while pieces > 1 {
            out.push(pieces.saturating_mul(unit));
            pieces /= 2;
        }
        out
    }

    /// What an element costs in tiles of this shape.
    fn cost(&self, blocks: &Grid, tile: &[u64]) -> f64 {
        let again = |k: usize| touched(blocks, k, tile[k]) as f64 / blocks.counts()[k].max(1) as f64;
        let (along, beside): (Vec<usize>, Vec<usize>) = (0..tile.len()).partition(|&k| k == self.axis);
        let mut reads: f64 = beside.into_iter().map(again).product();
        let mut folds = 0.0;
        match self.window {
            // What is read ahead is kept, so that tiles may be cut anywhere along the axis.
            Some(window) => folds = FOLD * (2.0 + window as f64 / tile[self.axis] as f64),
            None => reads *= along.into_iter().map(again).product::<f64>(),
        }
        let elements: f64 = tile.iter().map(|&n| n as f64).product();
        reads * DECODE + folds + TILE / elements.max(1.0)
    }
}

/// Tiles that are longer along the axis gain nothing.
const LONG: u64 = 32;

/// Blocks are not made longer than this.
const BLOCK_BYTES: u64 = 32 << 20;

fn with(tile: &[u64], axis: usize, n: u64) -> Vec<u64> {
    let mut out = tile.to_vec();
    out[axis] = n;
    out
}

/// Which axis of the result an axis is, and whether it runs backwards there.
type Axes = Vec<Option<(usize, bool)>>;

/// Whether an operation streams, and its inputs with what becomes of their axes.
fn look(array: &LazyArray, axes: Axes) -> (Option<Stream>, Vec<(&LazyArray, Axes)>) {
    let stream = |input: &LazyArray, at: usize, window: Option<u64>| {
        let (axis, reversed) = axes[at]?;
        Some(Stream { axis, reversed, window, rows: input.chunk()[at] })
    };
    let without = |at: usize| {
        let mut axes = axes.clone();
        axes[at] = None;
        axes
    };
    match array.operation() {
        Operation::Rolling { input, axis, window, .. } => {
            let length = window.length.min(2 * input.shape()[*axis] + 1);
            (stream(input, *axis, Some(length)), vec![(input, axes)])
        }
        Operation::Lanes { input, axis, op } if op.is_cumulative() => (stream(input, *axis, None), vec![(input, axes)]),
        Operation::Lanes { input, axis, .. } => (None, vec![(input, without(*axis))]),
        Operation::Decode { input, .. } | Operation::Rechunk { input } => (None, vec![(input, axes)]),
        Operation::Map { inputs, .. } | Operation::Concat { inputs, .. } | Operation::Blocks { inputs, .. } => {
            let alike = inputs.iter().filter(|i| i.ndim() == array.ndim());
            (None, alike.map(|i| (i, axes.clone())).collect())
        }
        Operation::Take { input, axis, index } => {
            let axes = if index.is_sorted() { axes } else { without(*axis) };
            (None, vec![(input, axes)])
        }
        Operation::TakeAlong { input, axis, index } => (None, vec![(input, without(*axis)), (index, axes)]),
        Operation::View { input, view } => {
            let shown = |along: &Along| match *along {
                Along::Axis { axis, step, .. } => axes[axis].map(|(k, reversed)| (k, reversed != (step < 0))),
                Along::At(_) => None,
            };
            (None, vec![(input, view.axes.iter().map(shown).collect())])
        }
        Operation::Source(_)
        | Operation::Create(_)
        | Operation::Reshape { .. }
        | Operation::MatMul { .. }
        | Operation::Reduce { .. }
        | Operation::Fold { .. }
        | Operation::Grouped { .. }
        | Operation::Hold { .. } => (None, Vec::new()),
    }
}

/// Tiles in the order in which they are computed, cut into runs: one worker goes through a run from its beginning to
/// its end.
pub struct Runs<'a> {
    tiles: &'a Grid,
    stream: Option<Stream>,
    /// Runs of a column, which is all tiles that share a place on the other axes.
    cuts: u64,
}

impl<'a> Runs<'a> {
    /// So many runs that `workers` have enough to do, and that little is read twice.
    pub fn new(tiles: &'a Grid, stream: Option<Stream>, workers: usize) -> Runs<'a> {
        let Some(Stream { axis, window, rows, .. }) = stream else { return Runs { tiles, stream, cuts: 1 } };
        let columns = tiles.chunks() / tiles.counts()[axis].max(1);
        let Some(window) = window else { return Runs { tiles, stream, cuts: 1 } };
        let even = (4 * workers as u64).div_ceil(columns.max(1));
        let busy = (workers as u64).div_ceil(columns.max(1));
        // Where a run begins, a window and a block are read again: a tenth of all rows is little.
        let again = window.saturating_add(rows).max(1);
        let (n, k) = (tiles.shape()[axis], tiles.chunk()[axis].max(1));
        let little = 1 + n / again.saturating_mul(10);
        let long = (n / again.saturating_mul(4)).clamp(1, (n / k).max(1));
        // As many for each worker, so that none waits for the last run of another.
        let cuts = even.min(little.max(busy));
        let cuts = (cuts - cuts % busy.max(1)).clamp(1, long);
        Runs { tiles, stream, cuts }
    }

    /// How many runs there are.
    pub fn count(&self) -> u64 {
        match self.stream {
            None => self.tiles.chunks(),
            Some(Stream { axis, .. }) => self.tiles.chunks() / self.tiles.counts()[axis].max(1) * self.cuts,
        }
    }

    /// The tiles of a run, in order.
    pub fn run(&self, n: u64) -> impl Iterator<Item = ChunkIndex> + use<'a> {
        let (tiles, stream) = (self.tiles, self.stream);
        let length = stream.map_or(1, |s| tiles.counts()[s.axis]);
        let (column, cut) = (n / self.cuts, n % self.cuts);
        let [from, to] = [cut, cut + 1].map(|c| length * c / self.cuts);
        (from..to).map(move |k| match stream {
            None => tiles.index(n),
            Some(Stream { axis, reversed, .. }) => {
                along(tiles, axis, column, if reversed { length - 1 - k } else { k })
            }
        })
    }
}

/// A tile by its column and its place in there.
fn along(tiles: &Grid, axis: usize, mut column: u64, at: u64) -> ChunkIndex {
    let mut index = vec![0; tiles.counts().len()];
    for k in (0..index.len()).rev().filter(|&k| k != axis) {
        let count = tiles.counts()[k].max(1);
        (index[k], column) = (column % count, column / count);
    }
    index[axis] = at;
    ChunkIndex(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        array::{Anchor, Rolling},
        dtype::DType,
        kernels::fold::{FoldOptions, Op},
    };

    fn rolled(x: &LazyArray, axis: usize, length: u64) -> LazyArray {
        x.rolling(axis, Rolling { length, anchor: Anchor::Last }, Op::Mean, FoldOptions::default()).unwrap()
    }

    #[test]
    fn the_axis_is_found_through_what_keeps_it() {
        let x = LazyArray::ones(&[50, 6, 8], &[1, 6, 8], DType::F32).unwrap();
        assert_eq!(Stream::of(&(&x + 1.0)), None);
        let mean = rolled(&x, 0, 20);
        let found = Stream { axis: 0, reversed: false, window: Some(20), rows: 1 };
        assert_eq!(Stream::of(&(&x - &mean)), Some(found));
        assert_eq!(Stream::of(&mean.transpose()), Some(Stream { axis: 2, ..found }));
        assert_eq!(Stream::of(&rolled(&mean, 0, 30)), Some(Stream { window: Some(30), ..found }));
        let sum = x.cumsum(1).unwrap();
        assert_eq!(Stream::of(&(&mean + &sum)), Some(Stream { axis: 1, reversed: false, window: None, rows: 6 }));
        let back = x.flip(&[0]).unwrap().cumsum(0).unwrap().flip(&[0]).unwrap();
        assert_eq!(Stream::of(&back), Some(Stream { axis: 0, reversed: true, window: None, rows: 1 }));
        assert_eq!(Stream::of(&mean.mean(&[0]).unwrap()), None);
    }

    #[test]
    fn runs_are_all_tiles_once_and_in_order_along_the_axis() {
        let tiles = Grid::new(vec![100, 6, 8].into(), vec![7, 3, 8].into()).unwrap();
        for (window, reversed, workers) in
            [(Some(3), false, 2), (Some(3), true, 3), (Some(80), false, 4), (None, false, 4), (None, true, 1)]
        {
            let runs = Runs::new(&tiles, Some(Stream { axis: 0, reversed, window, rows: 1 }), workers);
            let mut all = Vec::new();
            for n in 0..runs.count() {
                let tiles: Vec<ChunkIndex> = runs.run(n).collect();
                let follow = |w: &[ChunkIndex]| if reversed { w[1][0] + 1 == w[0][0] } else { w[0][0] + 1 == w[1][0] };
                assert!(tiles.windows(2).all(|w| follow(w) && w[0][1..] == w[1][1..]));
                all.extend(tiles);
            }
            all.sort_unstable();
            assert_eq!(all, (0..tiles.chunks()).map(|n| tiles.index(n)).collect::<Vec<_>>());
        }
        let of =
            |window, workers| Runs::new(&tiles, Some(Stream { axis: 0, reversed: false, window, rows: 1 }), workers);
        assert_eq!(of(None, 8).count(), 2, "nobody begins a running result in the middle");
        assert_eq!(of(Some(1), 6).count(), 2 * 6, "a tenth is read again at most");
        assert_eq!(of(Some(1), 8).count(), 2 * 4, "as many for each worker");
        assert_eq!(of(Some(80), 8).count(), 2, "runs are several windows long");
    }

    #[test]
    fn tiles_are_long_where_there_is_room() {
        let grid = |chunk: &[u64]| Grid::new(vec![1460, 361, 720].into(), chunk.into()).unwrap();
        let of = |window: Option<u64>, blocks: &[u64], pieces: &[u64], room: u64| {
            let stream = Stream { axis: 0, reversed: false, window, rows: blocks[0] };
            let bytes = |tile: &[u64]| (2 * tile[0] + window.unwrap_or(0)) * tile[1] * tile[2] * 4;
            stream.tiles(&grid(blocks), &grid(pieces), room, bytes).unwrap().chunk().0.clone()
        };
        assert_eq!(of(Some(20), &[1, 361, 720], &[1, 361, 720], 200 << 20), [32, 361, 720]);
        assert_eq!(of(Some(20), &[1, 361, 720], &[1, 361, 720], 60 << 20), [16, 361, 720]);
        assert_eq!(of(Some(20), &[1, 361, 720], &[1, 361, 720], 0), [1, 361, 720]);
        assert_eq!(of(None, &[73, 46, 90], &[73, 46, 90], 200 << 20), [73, 46, 90]);
        assert_eq!(of(None, &[73, 46, 90], &[1, 361, 720], 200 << 20), [73, 361, 720]);
    }
}
