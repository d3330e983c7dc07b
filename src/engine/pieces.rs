use super::Run;
use crate::{
    codec::Scratch,
    error::Result,
    grid::Grid,
    kernels::cast::extract,
    plan::{Destination, Plan, Stage},
    shape::{ChunkIndex, Region},
    source::{Sink, Source},
};

/// A block of a result that is made of whole pieces of its destination.
pub struct Finished<'a> {
    /// Where it goes.
    pub destination: &'a Destination,
    /// The pieces that the destination takes.
    pub pieces: &'a Grid,
    /// Where the block lies.
    pub region: &'a Region,
    /// Its elements.
    pub data: &'a [u8],
    /// Bytes of one of them.
    pub element: usize,
}

impl Finished<'_> {
    /// Writes it piece by piece. `cut` holds at least one piece, where the block has several.
    pub fn write(&self, run: &Run<'_>, cut: &mut [u8], scratch: &mut Scratch) -> Result<()> {
        let (variable, ones) = match self.destination {
            Destination::Sink { variable, ones } => (variable, ones),
            Destination::Held(slot) => {
                run.unfinished.put(*slot, self.region, self.data, self.element);
                return Ok(());
            }
            Destination::Spill(spilled) => {
                let slab = spilled.slabs().at(&self.region.start);
                return spilled.put(&slab, self.data, cut, scratch);
            }
        };
        for piece in self.pieces.overlapping(self.region) {
            let place = self.pieces.region(&piece);
            let index = with_ones(&piece, ones);
            if place == *self.region {
                run.sink.write(variable, &index, self.data, scratch)?;
                continue;
            }
            let from: Vec<u64> = place.start.iter().zip(&self.region.start).map(|(p, r)| p - r).collect();
            let cut = &mut cut[..place.shape.bytes(self.element)?];
            extract(self.data, &self.region.shape, &from, cut, &place.shape, self.element);
            run.sink.write(variable, &index, cut, scratch)?;
        }
        Ok(())
    }
}

/// Whether an earlier run has written all pieces of a block.
pub fn is_written(destination: &Destination, pieces: &Grid, region: &Region, sink: &dyn Sink) -> bool {
    let Destination::Sink { variable, ones } = destination else { return false };
    pieces.overlapping(region).all(|piece| sink.has(variable, &with_ones(&piece, ones)))
}

/// The stages of a plan that have something to do: those whose results an earlier run has not written, and those that
/// they need.
pub fn needed(plan: &Plan, sink: &dyn Sink, stop: &dyn Fn() -> Result<()>) -> Result<Vec<bool>> {
    let mut needed = vec![false; plan.stages.len()];
    for (n, stage) in plan.stages.iter().enumerate().rev() {
        let read = |by: &dyn Fn(&Stage) -> bool| {
            let later = plan.stages.iter().enumerate().skip(n + 1);
            later.filter(|(k, _)| needed[*k]).any(|(_, stage)| by(stage))
        };
        needed[n] = match stage {
            Stage::Map(map) => map.outputs.iter().map(|o| (&o.destination, &o.pieces)).collect(),
            Stage::Fold(fold) => fold.outputs().map(|o| (&o.destination, &o.pieces)).collect::<Vec<_>>(),
            Stage::Narrow(narrowing) => {
                narrowing.results.iter().map(|r| (&r.destination, narrowing.columns.kept())).collect()
            }
        }
        .into_iter()
        .any(|(destination, pieces)| match destination {
            Destination::Held(slot) => read(&|stage| stage.held().contains(slot)),
            Destination::Spill(spilled) => {
                read(&|stage| stage.input().sources().iter().any(|s| s.origin() == spilled.origin()))
            }
            Destination::Sink { .. } => (0..pieces.chunks()).any(|piece| {
                let region = pieces.region(&pieces.index(piece));
                stop().is_err() || !is_written(destination, pieces, &region, sink)
            }),
        });
    }
    stop().map(|()| needed)
}

/// The index with a zero for each axis that was left out.
fn with_ones(index: &[u64], ones: &[bool]) -> ChunkIndex {
    let mut rest = index.iter();
    ChunkIndex(ones.iter().map(|&one| if one { 0 } else { rest.next().copied().unwrap_or(0) }).collect())
}
