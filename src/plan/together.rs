//! Maps that read the same: their arrays are computed in one pass.

use super::{
    Input, Map, Stage,
    lower::Lowering,
    reblock::{Recut, cost},
};
use crate::{array::LazyArray, codec::ScratchSize, error::Result};

impl Lowering<'_> {
    /// Joins maps that read a source in common, in the same blocks and tiles, as far as two workers have the memory for a
    /// tile of each array. `maps` are stages, and the array that each computes.
    pub(super) fn together(&mut self, maps: Vec<(usize, LazyArray)>) -> Result<()> {
        let mut joined: Vec<(usize, Vec<LazyArray>)> = Vec::new();
        let mut gone = Vec::new();
        for (at, array) in maps {
            let alike = joined.iter().position(|(before, _)| self.are_alike(*before, at));
            if let Some(k) = alike {
                let (before, arrays) = (joined[k].0, [&*joined[k].1, &[array.clone()]].concat());
                if let Some(map) = self.joint(before, at, &arrays)? {
                    // At the later place everything is there that either needs.
                    self.stages[at] = Stage::Map(Box::new(map));
                    joined[k] = (at, arrays);
                    gone.push(before);
                    continue;
                }
            }
            joined.push((at, vec![array]));
        }
        let mut number = 0..;
        self.stages.retain(|_| number.next().is_some_and(|n: usize| !gone.contains(&n)));
        self.spills.iter_mut().for_each(|s| s.from -= gone.iter().filter(|n| **n < s.from).count());
        Ok(())
    }

    fn are_alike(&self, a: usize, b: usize) -> bool {
        let (Stage::Map(a), Stage::Map(b)) = (&self.stages[a], &self.stages[b]) else { return false };
        let (Input::Computed(x), Input::Computed(y)) = (&a.input, &b.input) else { return false };
        let plain = |map: &Map| map.stream.is_none() && map.input.sources().iter().all(|s| !s.is_spilled());
        let shares = || x.sources.iter().any(|s| y.sources.iter().any(|t| s.source.origin() == t.source.origin()));
        x.grid == y.grid && a.tiles == b.tiles && plain(a) && plain(b) && shares()
    }

    /// Two maps as one, where that reads less and fits.
    fn joint(&mut self, a: usize, b: usize, arrays: &[LazyArray]) -> Result<Option<Map>> {
        let (Stage::Map(a), Stage::Map(b)) = (&self.stages[a], &self.stages[b]) else { return Ok(None) };
        let apart = cost(&a.input, &a.tiles) + cost(&b.input, &b.tiles);
        let (grid, tiles) = (a.input.grid().clone(), a.tiles.clone());
        let outputs = a.outputs.iter().chain(&b.outputs).cloned().collect();
        let map = Map { input: self.input(arrays, &grid, &Recut::new())?, outputs, tiles, stream: None };
        let held: u64 = self.held.iter().map(|h| h.bytes()).fold(0, u64::saturating_add);
        let spilled: u64 = self.spills.iter().map(|s| s.spilled.memory()).fold(0, u64::saturating_add);
        let need = map.need(ScratchSize::default())?.with(2, 1).saturating_add(held).saturating_add(spilled);
        Ok((need <= self.limit.0 && cost(&map.input, &map.tiles) < apart).then_some(map))
    }
}
