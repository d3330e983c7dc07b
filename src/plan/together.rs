//! Maps that read the same: their arrays are computed in one pass.

use super::{
    Input, Map, Stage,
    lower::Lowering,
    reblock::{Recut, cost},
};
use crate::{array::LazyArray, codec::ScratchSize, error::Result, source::Origin};

/// A worker has a tile of each array: more of them at once would leave memory to few workers.
const MOST: usize = 32;

/// A stage that computes one array, and what it reads.
struct Alone {
    stage: usize,
    array: LazyArray,
    reads: Vec<Origin>,
}

impl Lowering<'_> {
    /// Joins maps that read a source in common, in the same blocks and tiles, as far as two workers have the memory for a
    /// tile of each array. `maps` are stages, and the array that each computes.
    pub(super) fn together(&mut self, maps: Vec<(usize, LazyArray)>) -> Result<()> {
        let mut groups: Vec<Vec<Alone>> = Vec::new();
        for (stage, array) in maps {
            let Some(map) = self.as_map(stage) else { continue };
            let reads = map.input.sources().iter().map(|s| s.origin()).collect();
            let alone = Alone { stage, array, reads };
            let shares = |other: &Alone| other.reads.iter().any(|origin| alone.reads.contains(origin));
            let fits = |group: &&mut Vec<Alone>| {
                group.len() < MOST && self.are_alike(group[0].stage, stage) && group.iter().any(shares)
            };
            match groups.iter_mut().find(fits) {
                Some(group) => group.push(alone),
                None => groups.push(vec![alone]),
            }
        }
        let mut gone = Vec::new();
        for group in groups {
            self.join(&group, &mut gone)?;
        }
        let mut stage = 0..;
        self.stages.retain(|_| stage.next().is_some_and(|n: usize| !gone.contains(&n)));
        self.spills.iter_mut().for_each(|s| s.from -= gone.iter().filter(|n| **n < s.from).count());
        Ok(())
    }

    /// Whether two stages are maps that go through the same blocks as they please, and read what is stored.
    fn are_alike(&self, a: usize, b: usize) -> bool {
        let (Some(a), Some(b)) = (self.as_map(a), self.as_map(b)) else { return false };
        let plain = |map: &Map| {
            let stored = || map.input.sources().iter().all(|s| !s.is_spilled());
            matches!(map.input, Input::Computed(_)) && map.stream.is_none() && stored()
        };
        a.input.grid() == b.input.grid() && a.tiles == b.tiles && plain(a) && plain(b)
    }

    /// Makes one stage of several, the last; or of each half, where all do not fit.
    fn join(&mut self, group: &[Alone], gone: &mut Vec<usize>) -> Result<()> {
        let [others @ .., last] = group else { return Ok(()) };
        if others.is_empty() {
            return Ok(());
        }
        let maps: Vec<&Map> = group.iter().filter_map(|alone| self.as_map(alone.stage)).collect();
        let apart: f64 = maps.iter().map(|map| cost(&map.input, &map.tiles)).sum();
        let outputs = maps.iter().flat_map(|map| map.outputs.iter().cloned()).collect();
        let (grid, tiles) = (maps[0].input.grid().clone(), maps[0].tiles.clone());
        let arrays: Vec<LazyArray> = group.iter().map(|alone| alone.array.clone()).collect();
        let input = self.input(&arrays, &grid, &Recut::new())?;
        let map = Map { input, outputs, tiles, stream: None };
        let held = self.held.iter().map(|h| h.bytes()).chain(self.spills.iter().map(|s| s.spilled.memory()));
        let held = held.fold(0, u64::saturating_add);
        let need = map.need(ScratchSize::default())?.with(2, 1).saturating_add(held);
        if need <= self.limit.0 && cost(&map.input, &map.tiles) < apart {
            self.stages[last.stage] = Stage::Map(Box::new(map));
            gone.extend(others.iter().map(|alone| alone.stage));
            return Ok(());
        }
        let (first, second) = group.split_at(group.len() / 2);
        self.join(first, gone)?;
        self.join(second, gone)
    }

    fn as_map(&self, stage: usize) -> Option<&Map> {
        match &self.stages[stage] {
            Stage::Map(map) => Some(map),
            _ => None,
        }
    }
}
