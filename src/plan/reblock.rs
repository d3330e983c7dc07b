//! When arrays are cut anew: what is read or computed too often goes through memory or the disk once.

use super::{
    Destination, Input, Map, Output, Plan, Spill, Stage,
    compile::Compiler,
    effort::{Effort, Reads},
    lower::Lowering,
};
use crate::{
    array::{LazyArray, Operation},
    attrs::Attrs,
    error::Result,
    grid::Grid,
    shape::Shape,
    source::{Origin, Source, StoredType, VarMeta},
    spill::{Keep, Spilled},
};
use std::{collections::HashMap, sync::Arc};

/// Sources that are read in another form, by their origins.
pub type Recut = HashMap<Origin, Arc<dyn Source>>;

/// Frames smaller than this cost more to find than to read.
const FRAME_SMALL: u64 = 256 << 10;
/// Blocks of results that are put together from others.
const TILE: u64 = 4 << 20;

/// The memory that stages have beside what is cut anew, where the limit allows it.
const STAGES: u64 = 128 << 20;

/// Nanoseconds that making an element takes.
const MAKING: f64 = 1.0;

/// Nanoseconds a byte: into memory and out; into the spill file and out.
const THROUGH_MEMORY: f64 = 0.5;
const THROUGH_DISK: f64 = 2.6;

fn through(keep: Keep) -> f64 {
    if keep == Keep::Memory { THROUGH_MEMORY } else { THROUGH_DISK }
}

/// Nanoseconds that reading and decoding a byte takes, about.
fn decoding(source: &dyn Source) -> f64 {
    let codecs = &source.meta().storage.codecs;
    let of = |name: &str| match name {
        "shuffle" | "fletcher32" | "crc32c" | "bytes" => 0.1,
        "lz4" | "blosc" | "lzf" => 0.4,
        "zstd" | "deflate" | "gzip" | "zlib" => 1.2,
        _ => 2.0,
    };
    codecs.iter().map(|c| of(&c.name)).fold(0.3, |a, b| a + b)
}

impl Lowering<'_> {
    /// An input that computes arrays of one shape in the blocks of `grid`, with the sources of `recut` in their place.
    pub(super) fn input(&mut self, arrays: &[LazyArray], grid: &Grid, recut: &Recut) -> Result<Input> {
        if let [one] = arrays
            && let Operation::Source(source) = one.operation()
            // Columns of a fold are regular, and then its blocks are.
            && (source.grid().cut_axis().is_none() || source.grid() == grid)
        {
            return Ok(Input::Stored(recut.get(&source.origin()).unwrap_or(source).clone()));
        }
        let compiler = Compiler::new(self.ids, &self.slots, &self.aside, recut);
        Ok(Input::Computed(compiler.computed(arrays, grid.clone())?))
    }

    /// The same, with sources cut anew that going through `tiles` would read too often.
    pub(super) fn well_read(&mut self, arrays: &[LazyArray], grid: &Grid, tiles: &Grid) -> Result<Input> {
        let mut recut = Recut::new();
        let input = self.input(arrays, grid, &recut)?;
        let effort = Effort::of(&input, tiles);
        for (source, reads) in input.sources().into_iter().zip(&effort.reads) {
            if let Some(keep) = self.worth(source.as_ref(), reads) {
                recut.insert(source.origin(), self.recut(source, reads, keep)?);
            }
        }
        if recut.is_empty() { Ok(input) } else { self.input(arrays, grid, &recut) }
    }

    /// Whether some source is read so often that it is better cut anew.
    pub(super) fn is_ill_read(&self, input: &Input, effort: &Effort) -> bool {
        input.sources().into_iter().zip(&effort.reads).any(|(s, reads)| self.worth(s.as_ref(), reads).is_some())
    }

    /// Where a source is put to be cut anew, where that is cheaper than to read it so often.
    fn worth(&self, source: &dyn Source, reads: &Reads) -> Option<Keep> {
        if source.is_spilled() || reads.times() < 1.2 {
            return None;
        }
        let all = source.meta().decoded_bytes()? as f64;
        let (read, limit) = (decoding(source), self.limit.0 as f64);
        let region = reads.region.bytes(source.meta().stored.element_bytes()?).ok()? as f64;
        if region > limit / 4.0 {
            return None;
        }
        let again = reads.chunks * source.chunk_bytes() as f64 * read;
        let keep = self.keep(all as u64);
        (all * (read + through(keep)) < again).then_some(keep)
    }

    pub(super) fn keep(&self, bytes: u64) -> Keep {
        let limit = self.limit.0;
        // What stages ask for grows slower than the limit.
        let room = (limit / 3).max(limit.saturating_sub((limit / 8 * 3).max(STAGES)));
        if bytes <= room { Keep::Memory } else { Keep::Disk }
    }

    /// A stage that cuts a source into the regions in which it is read.
    fn recut(&mut self, source: &Arc<dyn Source>, reads: &Reads, keep: Keep) -> Result<Arc<dyn Source>> {
        let meta = source.meta();
        let shape = &meta.shape;
        let chunk: Shape = reads.region.iter().zip(shape.iter()).map(|(r, n)| (*r).clamp(1, (*n).max(1))).collect();
        let key = (source.origin(), chunk.clone());
        if let Some(known) = self.cut.get(&key) {
            return Ok(known.clone());
        }
        let element = meta.stored.element_bytes().unwrap_or(1) as u64;
        let room = (self.limit.0 / 8).min(64 << 20);
        let slab = grown(source.grid().chunk(), shape, &chunk, element, room);
        let meta = VarMeta { stored: native(&meta.stored), ..meta.clone() };
        let dtype = meta.stored.dtype();
        let spilled = Arc::new(Spilled::new(self.spills.len(), meta, slab, chunk, keep)?);
        let dtype = dtype.unwrap_or(crate::dtype::DType::U8);
        let output = Output::plain(Destination::Spill(spilled.clone()), spilled.grid().clone(), dtype);
        let (input, tiles) = (Input::Stored(source.clone()), spilled.slabs().clone());
        let map = Map { input, outputs: vec![output], tiles, stream: None };
        self.push_spill(map, &spilled, reads.times());
        self.cut.insert(key, spilled.clone());
        Ok(spilled)
    }

    /// A stage that computes an array in the blocks of `grid` and puts it aside, to be read in `pieces`.
    pub(super) fn put_aside(
        &mut self,
        array: &LazyArray,
        grid: Grid,
        pieces: &Shape,
        instead: f64,
    ) -> Result<Arc<dyn Source>> {
        let (dtype, shape) = (array.dtype(), array.shape());
        let (mut grid, stream) = self.streamed(array, grid.clone(), &grid)?;
        if stream.is_none() {
            grid = self.wider(array, &grid)?;
        }
        let element = dtype.size() as u64;
        let room = (self.limit.0 / 8).min(64 << 20);
        let chunk = grown(pieces, shape, grid.chunk(), element, room);
        let keep = self.keep(shape.bytes(dtype.size())? as u64);
        let input = self.well_read(std::slice::from_ref(array), &grid, &grid)?;
        let spilled = Arc::new(Spilled::new(self.spills.len(), computed(array), grid.chunk().clone(), chunk, keep)?);
        let output = Output::plain(Destination::Spill(spilled.clone()), spilled.grid().clone(), dtype);
        let map = Map { input, outputs: vec![output], tiles: grid, stream };
        self.push_spill(map, &spilled, instead);
        self.aside.insert(self.ids.of(array), spilled.clone());
        Ok(spilled)
    }

    fn push_spill(&mut self, map: Map, spilled: &Arc<Spilled>, instead: f64) {
        let from = self.stages.len();
        self.spills.push(Spill { spilled: spilled.clone(), instead, from, until: from });
        self.stages.push(Stage::Map(Box::new(map)));
    }

    /// The blocks in which an array is computed: its own, cut smaller where computing one would take too much memory.
    pub(super) fn blocks(&mut self, array: &LazyArray) -> Result<Grid> {
        let shape = array.shape().clone();
        let mut chunk: Shape = array.chunk().iter().zip(shape.iter()).map(|(c, n)| (*c).min((*n).max(1))).collect();
        let whole = Grid::new(shape.clone(), chunk.clone())?;
        let Input::Computed(computed) = self.input(std::slice::from_ref(array), &whole, &Recut::new())? else {
            return Ok(whole);
        };
        let room = self.limit.0 / 4;
        loop {
            let work = computed.work_bytes(&chunk);
            if work <= room {
                break;
            }
            let halves = (0..chunk.len()).filter(|&k| chunk[k] > 1).map(|k| {
                let mut half = chunk.clone();
                half.0[k] = half[k].div_ceil(2);
                (computed.work_bytes(&half), half)
            });
            // Ties cut the outermost axis, so that rows stay long.
            match halves.min_by_key(|(work, _)| *work) {
                Some((less, half)) if less < work - work / 4 => chunk = half,
                _ => break,
            }
        }
        Grid::new(shape, chunk)
    }

    /// Blocks as long as the sources' chunks along some axes, where sources are then read less often and the memory
    /// allows it.
    pub(super) fn wider(&mut self, array: &LazyArray, grid: &Grid) -> Result<Grid> {
        let one = std::slice::from_ref(array);
        let mut best = grid.clone();
        let input = self.input(one, grid, &Recut::new())?;
        let mut read = cost(&input, &best);
        let mut lengths: Vec<u64> = input.sources().iter().flat_map(|s| s.grid().chunk().0.clone()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        for k in (0..grid.shape().len()).rev() {
            for &length in &lengths {
                let length = length.min(grid.shape()[k].max(1));
                if length <= best.chunk()[k] {
                    continue;
                }
                let mut chunk = best.chunk().clone();
                chunk.0[k] = length;
                let wide = Grid::new(grid.shape().clone(), chunk)?;
                let input = self.input(one, &wide, &Recut::new())?;
                let Input::Computed(computed) = &input else { return Ok(best) };
                let bytes = computed.work_bytes(wide.chunk()).saturating_add(computed.kept_bytes());
                let less = cost(&input, &wide);
                if bytes <= self.limit.0 / 4 && less < 0.8 * read {
                    (best, read) = (wide, less);
                }
            }
        }
        Ok(best)
    }
}

impl Plan {
    /// What its reading costs, and what is cut anew: nanoseconds, about.
    pub(super) fn reading(&self) -> f64 {
        let stages = self.stages.iter().map(|stage| match stage {
            Stage::Fold(fold) => cost(&fold.input, fold.input.grid()),
            Stage::Map(map) => cost(&map.input, &map.tiles),
            Stage::Narrow(narrowing) => stage.passes().0 as f64 * cost(&narrowing.input, narrowing.input.grid()),
        });
        let spills = self.spills.iter().map(|s| s.spilled.bytes() as f64 * through(s.spilled.keep()));
        stages.chain(spills).sum()
    }
}

/// What reading an input costs that is computed block by block.
pub(super) fn cost(input: &Input, grid: &Grid) -> f64 {
    let effort = Effort::of(input, grid);
    let each = input.sources().into_iter().zip(&effort.reads);
    let reads: f64 = each.map(|(s, reads)| reads.chunks * s.chunk_bytes() as f64 * decoding(s.as_ref())).sum();
    reads + effort.made * MAKING
}

/// Blocks that grow towards `other` until what the two share is a good frame, in whole multiples and within `room`.
fn grown(from: &Shape, shape: &Shape, other: &Shape, element: u64, room: u64) -> Shape {
    let most = |k: usize| shape[k].max(1);
    let mut block: Vec<u64> = (0..shape.len()).map(|k| from[k].min(most(k))).collect();
    let bytes = |block: &[u64]| block.iter().fold(element, |a, &n| a.saturating_mul(n));
    let frame = |block: &[u64]| bytes(&block.iter().zip(other.iter()).map(|(b, o)| *b.min(o)).collect::<Vec<_>>());
    for k in (0..shape.len()).rev() {
        while frame(&block) < FRAME_SMALL && block[k] < other[k].min(most(k)) {
            let mut next = block.clone();
            let twice = block[k].saturating_mul(2).min(other[k].next_multiple_of(from[k]));
            next[k] = twice.next_multiple_of(from[k]).min(most(k));
            if bytes(&next) > room || next[k] == block[k] {
                break;
            }
            block = next;
        }
    }
    block.into()
}

/// The smallest tiles, grown along the last axes to a good size.
pub(super) fn good_tiles(least: &Grid, element: u64, limit: u64) -> Result<Grid> {
    let shape = least.shape().clone();
    let mut tile = least.chunk().0.clone();
    let room = TILE.min(limit / 16);
    let bytes = |tile: &[u64]| tile.iter().fold(element, |a, &n| a.saturating_mul(n));
    for k in (0..tile.len()).rev() {
        let times = (room / bytes(&tile).max(1)).max(1);
        let whole = shape[k].max(1);
        let step = least.chunk()[k];
        tile[k] = step.saturating_mul(times.min(whole.div_ceil(step))).min(whole);
    }
    Grid::new(shape, tile.into())
}

/// What is put aside of an array that is computed.
pub(super) fn computed(array: &LazyArray) -> VarMeta {
    VarMeta {
        path: "the expression".into(),
        stored: StoredType::native(array.dtype()),
        shape: array.shape().clone(),
        dims: array.dims().map_or_else(|| vec![String::new(); array.ndim()], <[String]>::to_vec),
        dims_named: array.dims().is_some(),
        attrs: Attrs::new(),
        fill: None,
        storage: Default::default(),
    }
}

/// Numbers as they are between stages.
fn native(stored: &StoredType) -> StoredType {
    stored.dtype().map_or_else(|| stored.clone(), StoredType::native)
}
