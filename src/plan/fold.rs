//! How a fold goes through its input, with groups and without: without, all values are of one group.

use super::{Fold, Grouping, Output, Part, tiles};
use crate::{
    array::Groups,
    codec::ScratchSize,
    error::Result,
    grid::Grid,
    shape::{ChunkIndex, Region, Shape},
};

impl Fold {
    /// All results.
    pub fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.parts.iter().flat_map(|p| &p.outputs)
    }

    /// The columns, and the blocks of groups of each, that make a tile of the output.
    pub fn columns_of(&self, tile: &Region) -> Vec<(ChunkIndex, usize)> {
        let Some(grouping) = &self.grouping else {
            return self.columns.kept().overlapping(tile).map(|column| (column, 0)).collect();
        };
        let mut kept = tile.clone();
        let (first, n) = (kept.start.remove(grouping.place()), kept.shape.0.remove(grouping.place()));
        let columns: Vec<ChunkIndex> = self.columns.kept().overlapping(&kept).collect();
        let beside = |block: usize| columns.iter().map(move |column| (column.clone(), block));
        grouping.blocks_in(first..first + n).flat_map(beside).collect()
    }

    /// How many groups of columns a tile of the output has; each is finished on its own.
    pub fn slots_of(&self, tile: &Region) -> u64 {
        let Some(grouping) = &self.grouping else { return self.columns.kept().overlapping_count(tile) };
        let mut kept = tile.clone();
        kept.start.remove(grouping.place());
        let groups = kept.shape.0.remove(grouping.place());
        self.columns.kept().overlapping_count(&kept).saturating_mul(groups)
    }

    /// The number of runs of a block of a column.
    pub fn runs(&self, block: usize) -> u64 {
        self.grouping.as_ref().map_or(self.columns.runs(), |g| g.runs(block))
    }

    /// The groups of which a run has values, ascending.
    pub fn slots(&self, block: usize, run: u64) -> &[u32] {
        self.grouping.as_ref().map_or(&[0], |g| g.slots(block, run))
    }

    /// Whether no later run has values of a group.
    pub fn ends(&self, block: usize, run: u64, group: u32) -> bool {
        self.grouping.as_ref().map_or(run + 1 == self.columns.runs(), |g| g.ends(block, run, group))
    }

    /// The number of values of a group that each cell is made of.
    pub fn per_cell(&self, group: u32) -> u64 {
        self.grouping.as_ref().map_or(self.columns.per_cell(), |g| g.per_cell(group))
    }

    /// The chunks of a run, in the order in which they are folded.
    pub fn chunks(
        &self,
        column: &ChunkIndex,
        block: usize,
        run: u64,
    ) -> Box<dyn Iterator<Item = ChunkIndex> + Send + '_> {
        let Some(grouping) = &self.grouping else { return Box::new(self.columns.run(column, run)) };
        let (column, reduced) = (column.clone(), self.columns.reduced());
        Box::new(grouping.run(block, run).map(move |(along, others)| {
            let (mut along, mut others, mut kept) = (along.into_iter(), others.into_iter(), column.iter().copied());
            let axes = reduced.iter().zip(grouping.grouped());
            let next = axes.map(|(reduced, grouped)| match (reduced, grouped) {
                (_, true) => along.next(),
                (true, false) => others.next(),
                (false, false) => kept.next(),
            });
            ChunkIndex(next.map(Option::unwrap_or_default).collect())
        }))
    }

    /// What a group of a column is of the output.
    pub fn region(&self, column: &ChunkIndex, group: u32) -> Region {
        let mut region = self.columns.kept().region(column);
        if let Some(grouping) = &self.grouping {
            region.start.insert(grouping.place(), group.into());
            region.shape.0.insert(grouping.place(), 1);
        }
        region
    }

    /// The same by groups, in so many at once that the least is read twice where the memory that data may take is
    /// `room`. Results do not depend on it.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn by_groups(mut self, groups: &Groups, grouped: &[bool], room: u64) -> Result<Fold> {
        let kept = self.columns.kept().clone();
        let reduced = self.columns.reduced();
        let mut whole = Grouping::new(self.input.grid(), kept.chunks(), groups, grouped, reduced)?;
        if self.parts.iter().any(Part::gives_positions) {
            whole = whole.with_places(self.input.grid().shape(), reduced);
        }
        let (place, count) = (whole.place(), u64::from(groups.count()));
        let pieces: Vec<Grid> = self.outputs().map(|o| without(&o.pieces, place)).collect::<Result<_>>()?;
        let beside = tiles::tiles(&kept, &pieces.iter().collect::<Vec<_>>(), 1, u64::MAX)?;
        let along = self.outputs().map(|o| o.pieces.chunk()[place]).fold(1, tiles::least_common_multiple);
        let least = along.min(count.max(1));
        let (mut tile, mut block) = (least, u64::MAX);
        let mut best: Option<(u64, u64, u64)> = None;
        loop {
            let grouping = whole.cut(tile, block);
            let reads = grouping.reads();
            let once = reads <= whole.least_reads();
            self.tiles = with(&beside, place, count, tile)?;
            self.grouping = Some(grouping);
            let need = self.need(ScratchSize::default())?;
            // What one worker reads twice two read in the time of one.
            let time = match (need.with(2, 1) <= room, need.least() <= room) {
                (true, _) => reads,
                (false, true) => reads.saturating_mul(2),
                (false, false) => u64::MAX,
            };
            if time < u64::MAX && best.is_none_or(|(t, ..)| time < t) {
                best = Some((time, tile, block));
            }
            // Longer tiles first, and when there are none shorter blocks of the shortest.
            if once && best.is_some_and(|(t, ..)| t == reads) {
                break;
            } else if block == u64::MAX && tile < count && !once {
                tile = tile.saturating_mul(2).min(count);
            } else if block > 1 && best.is_none() {
                (tile, block) = (least, if block == u64::MAX { least.div_ceil(2) } else { block / 2 });
            } else {
                break;
            }
        }
        let (_, tile, block) = best.unwrap_or((0, least, 1));
        self.tiles = with(&beside, place, count, tile)?;
        self.grouping = Some(whole.cut(tile, block));
        Ok(self)
    }
}

/// A grid without one of its axes.
fn without(grid: &Grid, axis: usize) -> Result<Grid> {
    let (mut shape, mut chunk) = (grid.shape().clone(), grid.chunk().clone());
    shape.0.remove(axis);
    chunk.0.remove(axis);
    Grid::new(shape, chunk)
}

/// A grid with one axis more.
fn with(grid: &Grid, axis: usize, length: u64, chunk: u64) -> Result<Grid> {
    let (mut shape, mut chunks): (Shape, Shape) = (grid.shape().clone(), grid.chunk().clone());
    shape.0.insert(axis, length);
    chunks.0.insert(axis, chunk);
    Grid::new(shape, chunks)
}
