use super::RUNS;
use crate::{array::Groups, error::Result, grid::Grid, shape::Shape};
use std::{ops::Range, sync::Arc};

/// How a fold by groups walks the chunks of a column.
///
/// The groups are cut into *families*, the smallest ranges of groups such that no chunk has values of two of them:
/// where every chunk is one step, each group is a family; where one has values of all groups, all are one. The chunks
/// of a family are cut into runs, as those of a column without groups are, by grid and labels alone: that fixes the
/// order of every addition. A run has a state, a *slot*, for each group of which it has values, and no others. Runs are
/// merged slot by slot in order, and a slot is finished with the last run that has values of its group.
///
/// What is computed in one pass is a *block*: a family, or a range of its groups where all do not fit in memory. A
/// block's runs are its family's, without the chunks that have no values of it, so how families are cut into blocks
/// changes no result.
///
/// *Memory*: of the size of the labels.
#[derive(Clone)]
pub struct Grouping {
    groups: Groups,
    table: Arc<Table>,
    blocks: Vec<GroupBlock>,
    /// Where among the output's axes the groups are.
    place: usize,
    /// For each axis of the source, whether the groups are along it.
    grouped: Vec<bool>,
    /// The places of positions among those of their groups, where somebody wants to know.
    within: Option<Arc<Within>>,
}

/// Where positions are among those of their groups.
///
/// *Memory*: four bytes for each position along the grouped axes.
pub struct Within {
    /// For each position along the grouped axes, how many before it are of its group.
    ranks: Vec<u32>,
    /// How many are of each group.
    sizes: Vec<u64>,
    /// Positions along the axes behind them that are reduced too.
    behind: u64,
}

impl Within {
    fn new(groups: &Groups, behind: u64) -> Within {
        let mut sizes = vec![0; groups.count() as usize];
        let ranks = groups.labels().iter().map(|&label| match sizes.get_mut(label as usize) {
            Some(size) => {
                *size += 1;
                (*size - 1) as u32
            }
            None => 0,
        });
        Within { ranks: ranks.collect(), sizes, behind }
    }

    /// The place, among all values of a group, of what is at `index` among all values.
    pub fn index(&self, group: u32, index: u64) -> u64 {
        let (rest, behind) = (index / self.behind, index % self.behind);
        let (before, position) = (rest / self.ranks.len() as u64, rest % self.ranks.len() as u64);
        (before * self.sizes[group as usize] + u64::from(self.ranks[position as usize])) * self.behind + behind
    }

    /// How far apart values of a group are that are `stride` apart among all values, along one axis.
    pub fn stride(&self, group: u32, stride: u64) -> u64 {
        let whole = self.behind * self.ranks.len() as u64;
        if stride < whole { stride } else { stride / self.ranks.len() as u64 * self.sizes[group as usize] }
    }
}

/// What does not depend on the blocks.
struct Table {
    /// Over the grouped axes.
    grid: Grid,
    /// The numbers of chunks along the other axes that are reduced.
    others: Grid,
    /// Where each chunk's groups begin among all.
    offsets: Vec<usize>,
    /// The groups of each chunk, ascending.
    members: Vec<u32>,
    families: Vec<Family>,
    /// Values of each group in one cell.
    per_cell: Vec<u64>,
}

/// Groups that share chunks with each other and with no others.
struct Family {
    groups: Range<u32>,
    /// How many chunks they have.
    chunks: u64,
    runs: u64,
}

/// Groups that are computed in one pass.
#[derive(Clone)]
struct GroupBlock {
    groups: Range<u32>,
    /// The chunks along the grouped axes that have values of them, and their places in the family.
    chunks: Vec<(u64, u64)>,
    runs: Vec<GroupRun>,
    /// For each group, the last run that has values of it.
    last: Vec<usize>,
}

/// A part of a block's chunks, counted with the others' that are reduced along.
#[derive(Clone)]
struct GroupRun {
    chunks: Range<u64>,
    slots: Vec<u32>,
}

/// How many slots there are at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Open {
    /// At most in one run.
    pub run: u64,
    /// At most in a run and in the column that it is merged into.
    pub column: u64,
}

impl Grouping {
    /// The walk through `grid`, where `columns` others are beside each other, in one block a family.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn new(grid: &Grid, columns: u64, groups: &Groups, grouped: &[bool], reduced: &[bool]) -> Result<Grouping> {
        let pick = |lengths: &[u64], which: &dyn Fn(usize) -> bool| -> Shape {
            lengths.iter().enumerate().filter(|(k, _)| which(*k)).map(|(_, n)| *n).collect()
        };
        let along = |k: usize| grouped[k];
        let beside = |k: usize| reduced[k] && !grouped[k];
        let first = grouped.iter().position(|g| *g).unwrap_or(0);
        let place = reduced[..first].iter().filter(|r| !**r).count();
        let others = pick(grid.counts(), &beside);
        let others = Grid::new(others.clone(), others.iter().map(|_| 1).collect())?;
        let per_position = pick(grid.shape(), &beside).elements()?;
        let grid = grid.along_axes(along)?;
        let per_cell = groups.sizes().into_iter().map(|n| n.saturating_mul(per_position)).collect();
        let (offsets, members) = members(&grid, groups);
        let table = Table { grid, others, offsets, members, families: Vec::new(), per_cell };
        let families = table.families(columns, groups.count());
        let table = Arc::new(Table { families, ..table });
        let grouped = grouped.to_vec();
        let whole = Grouping { groups: groups.clone(), table, blocks: Vec::new(), place, grouped, within: None };
        Ok(whole.cut(u64::MAX, u64::MAX))
    }

    /// The same in smaller blocks: no block is longer than `block`, nor lies in two ranges of `tile` groups.
    pub fn cut(&self, tile: u64, block: u64) -> Grouping {
        let (tile, block) = (tile.max(1), block.max(1));
        let part = |group: u32| (u64::from(group) / tile, u64::from(group) % tile / block);
        let mut blocks: Vec<GroupBlock> = Vec::new();
        for family in &self.table.families {
            let first = blocks.len();
            for group in family.groups.clone() {
                match blocks.get_mut(first..).and_then(|all| all.last_mut()) {
                    Some(last) if part(last.groups.start) == part(group) => last.groups.end = group + 1,
                    _ => blocks.push(GroupBlock::of(group)),
                }
            }
        }
        let mut block_of = vec![0; self.groups.count() as usize];
        for (n, block) in blocks.iter().enumerate() {
            block_of[block.groups.start as usize..block.groups.end as usize].fill(n);
        }
        let mut seen = vec![0; self.table.families.len()];
        for chunk in 0..self.table.chunks() {
            let members = self.table.members(chunk);
            let Some(&group) = members.first() else { continue };
            let family = self.table.families.partition_point(|f| f.groups.end <= group);
            for &group in members {
                let chunks = &mut blocks[block_of[group as usize]].chunks;
                if chunks.last().is_none_or(|(last, _)| *last != chunk) {
                    chunks.push((chunk, seen[family]));
                }
            }
            seen[family] += 1;
        }
        blocks.iter_mut().for_each(|block| block.cut_runs(&self.table));
        Grouping { blocks, ..self.clone() }
    }

    /// The same, which knows where positions are among those of their groups. `shape` is the source's.
    pub fn with_places(self, shape: &Shape, reduced: &[bool]) -> Grouping {
        let last = self.grouped.iter().rposition(|g| *g).unwrap_or(0);
        let behind = (last + 1..shape.len()).filter(|&k| reduced[k]).map(|k| shape[k]).product();
        let within = Within::new(&self.groups, behind);
        Grouping { within: Some(Arc::new(within)), ..self }
    }

    /// Where positions are among those of their groups, where somebody wants to know.
    pub fn within(&self) -> Option<&Within> {
        self.within.as_deref()
    }

    /// The groups.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The lengths of the grouped axes.
    pub fn lengths(&self) -> &Shape {
        self.table.grid.shape()
    }

    /// Where among the output's axes the groups are.
    pub fn place(&self) -> usize {
        self.place
    }

    /// For each axis of the source, whether the groups are along it.
    pub fn grouped(&self) -> &[bool] {
        &self.grouped
    }

    /// The number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The blocks that have groups of a range.
    pub fn blocks_in(&self, groups: Range<u64>) -> Range<usize> {
        let first = self.blocks.partition_point(|b| u64::from(b.groups.end) <= groups.start);
        first..self.blocks.partition_point(|b| u64::from(b.groups.start) < groups.end).max(first)
    }

    /// The number of runs of a block.
    pub fn runs(&self, block: usize) -> u64 {
        self.blocks[block].runs.len() as u64
    }

    /// The groups of which a run of a block has values, ascending.
    pub fn slots(&self, block: usize, run: u64) -> &[u32] {
        &self.blocks[block].runs[run as usize].slots
    }

    /// Whether no later run of a block has values of a group.
    pub fn ends(&self, block: usize, run: u64, group: u32) -> bool {
        let block = &self.blocks[block];
        block.last[(group - block.groups.start) as usize] == run as usize
    }

    /// How many values of a group each cell has.
    pub fn per_cell(&self, group: u32) -> u64 {
        self.table.per_cell[group as usize]
    }

    /// The chunks of a run: for each the place along the grouped axes, and that along the others that are reduced.
    pub fn run(&self, block: usize, run: u64) -> impl Iterator<Item = (Vec<u64>, Vec<u64>)> + '_ {
        let (table, block) = (&self.table, &self.blocks[block]);
        let depth = table.depth().max(1);
        block.runs[run as usize].chunks.clone().map(move |n| {
            let (chunk, _) = block.chunks[(n / depth) as usize];
            (table.grid.index(chunk).0, table.others.index(n % depth).0)
        })
    }

    /// How many slots there are at once, at most.
    pub fn open(&self) -> Open {
        self.blocks
            .iter()
            .map(GroupBlock::open)
            .fold(Open::default(), |a, b| Open { run: a.run.max(b.run), column: a.column.max(b.column) })
    }

    /// How many chunks of a column are read in all, those that are read in several passes counted as often.
    pub fn reads(&self) -> u64 {
        self.blocks.iter().map(|b| b.chunks.len() as u64).sum::<u64>().saturating_mul(self.table.depth())
    }

    /// How many would be if each were read once.
    pub fn least_reads(&self) -> u64 {
        self.table.families.iter().map(|f| f.chunks).sum::<u64>().saturating_mul(self.table.depth())
    }
}

/// The groups of each chunk: where they begin, and all of them.
fn members(grid: &Grid, groups: &Groups) -> (Vec<usize>, Vec<u32>) {
    let (mut offsets, mut all) = (vec![0], Vec::new());
    for chunk in 0..grid.chunks() {
        let mut own: Vec<u32> = Vec::new();
        groups.strips(grid.shape(), &grid.region(&grid.index(chunk)), |group, _, _| {
            if own.last() != Some(&group) {
                own.push(group);
            }
        });
        own.sort_unstable();
        own.dedup();
        all.extend(own);
        offsets.push(all.len());
    }
    (offsets, all)
}

impl Table {
    /// How many chunks there are for one along the grouped axes.
    fn depth(&self) -> u64 {
        self.others.chunks()
    }

    /// The number of chunks along the grouped axes, none where nothing is there to be read.
    fn chunks(&self) -> u64 {
        if self.depth() == 0 { 0 } else { self.grid.chunks() }
    }

    /// The groups of a chunk.
    fn members(&self, chunk: u64) -> &[u32] {
        &self.members[self.offsets[chunk as usize]..self.offsets[chunk as usize + 1]]
    }

    fn families(&self, columns: u64, count: u32) -> Vec<Family> {
        let ends = |chunk: u64| {
            let members = self.members(chunk);
            Some((*members.first()?, *members.last()?))
        };
        // How many chunks have groups on both sides of the place behind each group.
        let mut joins = vec![0i64; count as usize + 1];
        for (first, last) in (0..self.chunks()).filter_map(ends) {
            joins[first as usize] += 1;
            joins[last as usize] -= 1;
        }
        let mut families: Vec<Family> = Vec::new();
        let (mut from, mut open) = (0, 0);
        for group in 0..count {
            open += joins[group as usize];
            if open == 0 {
                families.push(Family { groups: from..group + 1, chunks: 0, runs: 1 });
                from = group + 1;
            }
        }
        let mut all = 0;
        for (first, _) in (0..self.chunks()).filter_map(ends) {
            let family = families.partition_point(|f| f.groups.end <= first);
            families[family].chunks += 1;
            all += 1u64;
        }
        // As many runs in all as without groups, shared by size.
        for family in &mut families {
            let share = (u128::from(RUNS) * u128::from(family.chunks)).div_ceil(u128::from(all.max(1)));
            let runs = (share as u64).div_ceil(columns.max(1));
            family.runs = runs.clamp(1, family.chunks.saturating_mul(self.depth()).max(1));
        }
        families
    }
}

impl GroupBlock {
    fn of(group: u32) -> GroupBlock {
        GroupBlock { groups: group..group + 1, chunks: Vec::new(), runs: Vec::new(), last: Vec::new() }
    }

    /// The family's runs, without the chunks that are not this block's. A group without values has a run of its own,
    /// so that its result is made like any other.
    fn cut_runs(&mut self, table: &Table) {
        let depth = table.depth();
        let family = &table.families[table.families.partition_point(|f| f.groups.end <= self.groups.start)];
        // The place in this block of a place in the family, both counted with the other axes.
        let place = |n: u64| {
            let chunk = self.chunks.partition_point(|(_, at)| *at < n / depth);
            let whole = self.chunks.get(chunk).is_some_and(|(_, at)| *at == n / depth);
            chunk as u64 * depth + if whole { n % depth } else { 0 }
        };
        self.last = vec![usize::MAX; self.groups.len()];
        let total = family.chunks.saturating_mul(depth);
        let mut from = 0;
        for run in 0..if self.chunks.is_empty() { 0 } else { family.runs } {
            let to = place(super::columns::part(total, family.runs, run + 1));
            if from == to {
                continue;
            }
            let touched = &self.chunks[(from / depth) as usize..to.div_ceil(depth) as usize];
            let own = |members: &'_ [u32]| {
                let first = members.partition_point(|g| *g < self.groups.start);
                first..members.partition_point(|g| *g < self.groups.end)
            };
            let mut slots: Vec<u32> = Vec::new();
            for (chunk, _) in touched {
                let members = table.members(*chunk);
                slots.extend(&members[own(members)]);
            }
            slots.sort_unstable();
            slots.dedup();
            slots.iter().for_each(|g| self.last[(g - self.groups.start) as usize] = self.runs.len());
            self.runs.push(GroupRun { chunks: from..to, slots });
            from = to;
        }
        for group in self.groups.clone() {
            let last = &mut self.last[(group - self.groups.start) as usize];
            if *last == usize::MAX {
                *last = self.runs.len();
                self.runs.push(GroupRun { chunks: 0..0, slots: vec![group] });
            }
        }
    }

    fn open(&self) -> Open {
        let mut most = Open::default();
        let mut open = 0;
        let mut begun = vec![false; self.groups.len()];
        for (n, run) in self.runs.iter().enumerate() {
            let touched = run.slots.len() as u64;
            most = Open { run: most.run.max(touched), column: most.column.max(open + touched) };
            for &group in &run.slots {
                let at = (group - self.groups.start) as usize;
                open += u64::from(!std::mem::replace(&mut begun[at], true));
                open -= u64::from(self.last[at] == n);
            }
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Of axes time (grouped), level (reduced too) and x (kept).
    fn grouping(times: u64, chunk: u64, levels: u64, count: u32, label: impl Fn(u64) -> u32) -> Grouping {
        let grid = Grid::new(vec![times, levels, 6].into(), vec![chunk, 1, 6].into()).unwrap();
        let groups = Groups::new((0..times).map(label).collect(), count).unwrap();
        Grouping::new(&grid, 1, &groups, &[true, false, false], &[true, true, false]).unwrap()
    }

    type Chunk = (Vec<u64>, Vec<u64>);

    /// The chunks of each group in the order in which they are folded, with the run of its family that they are in.
    fn order(grouping: &Grouping) -> BTreeMap<u32, Vec<Vec<Chunk>>> {
        let mut out: BTreeMap<u32, Vec<Vec<_>>> = BTreeMap::new();
        for block in 0..grouping.blocks() {
            for run in 0..grouping.runs(block) {
                for &group in grouping.slots(block, run) {
                    let has = |(along, _): &Chunk| grouping.table.members(along[0]).contains(&group);
                    let chunks: Vec<_> = grouping.run(block, run).filter(has).collect();
                    out.entry(group).or_default().push(chunks);
                    assert_eq!(
                        grouping.ends(block, run, group),
                        out[&group].concat().len() as u64 == all(grouping, group)
                    );
                }
            }
        }
        out
    }

    fn all(grouping: &Grouping, group: u32) -> u64 {
        let has = |chunk: &u64| grouping.table.members(*chunk).contains(&group);
        (0..grouping.table.chunks()).filter(has).count() as u64 * grouping.table.depth()
    }

    #[test]
    fn positions_within_groups_are_counted_in_row_major_order() {
        let groups = Groups::new(vec![0, 1, Groups::NONE, 0, 1, 1], 2).unwrap();
        // Along the middle one of three reduced axes, of lengths 2, 6 and 5: an index is (a * 6 + g) * 5 + b.
        let within = Within::new(&groups, 5);
        for (a, b) in [(0, 0), (1, 3)] {
            let at = |group, position| within.index(group, (a * 6 + position) * 5 + b);
            assert_eq!([at(0, 0), at(0, 3)], [a * 2 * 5 + b, (a * 2 + 1) * 5 + b]);
            assert_eq!([at(1, 1), at(1, 4), at(1, 5)], [0, 1, 2].map(|k| (a * 3 + k) * 5 + b));
        }
        assert_eq!([1, 5, 30].map(|stride| within.stride(0, stride)), [1, 5, 2 * 5]);
        assert_eq!(within.stride(1, 30), 3 * 5);
    }

    #[test]
    fn families_share_no_chunks() {
        let families = |g: &Grouping| g.table.families.iter().map(|f| (f.groups.clone(), f.runs)).collect::<Vec<_>>();
        let steps = grouping(1460, 1, 1, 12, |t| (t / 122).min(11) as u32);
        assert_eq!(families(&steps).len(), 12, "each month of its own");
        assert_eq!(families(&steps)[0], (0..1, 6));
        assert_eq!(steps.open(), Open { run: 1, column: 2 });
        let days = grouping(1460, 1, 1, 365, |t| (t / 4) as u32);
        assert_eq!((families(&days).len(), days.open()), (365, Open { run: 1, column: 1 }));
        let cubes = grouping(1460, 73, 1, 365, |t| (t / 4) as u32);
        assert_eq!(families(&cubes).len(), 5, "four chunks are whole days");
        assert_eq!(cubes.open(), Open { run: 19, column: 19 + 1 }, "one day goes on into the next chunk");
        let climatology = grouping(96, 12, 1, 12, |t| (t % 12) as u32);
        assert_eq!((families(&climatology), climatology.open()), (vec![(0..12, 8)], Open { run: 12, column: 24 }));
        let empty = grouping(4, 2, 1, 5, |t| if t == 0 { 2 } else { Groups::NONE });
        assert_eq!((families(&empty).len(), empty.reads()), (5, 1), "what is in no group is not read");
        assert_eq!((empty.runs(0), empty.slots(0, 0), empty.run(0, 0).count()), (1, &[0][..], 0));
    }

    #[test]
    fn how_families_are_cut_changes_no_order() {
        let labels: [fn(u64) -> u32; 4] =
            [|t| (t % 24) as u32, |t| (t / 9) as u32, |t| (t * 7 % 11) as u32, |t| (t * t % 23) as u32];
        for (label, chunk, levels) in
            labels.iter().flat_map(|l| [(1, 1), (7, 1), (30, 3), (200, 2)].map(|(c, n)| (l, c, n)))
        {
            let whole = grouping(200, chunk, levels, 24, label);
            let wanted = order(&whole);
            let mut reads = BTreeSet::new();
            for (tile, block) in [(24, 1), (7, 3), (5, u64::MAX), (1, 1)] {
                let cut = whole.cut(tile, block);
                assert_eq!(order(&cut), wanted, "{chunk} {levels} {tile} {block}");
                assert!(cut.open().column <= whole.open().column && cut.reads() >= whole.reads());
                reads.insert(cut.reads());
                for n in 0..cut.blocks() {
                    let groups = &cut.blocks[n].groups;
                    assert_eq!(u64::from(groups.start) / tile, u64::from(groups.end - 1) / tile);
                }
            }
            assert_eq!(whole.reads(), whole.least_reads());
        }
    }
}
