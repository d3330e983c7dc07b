use super::Run;
use crate::{
    codec::Scratch,
    error::Result,
    grid::Grid,
    kernels::cast::extract,
    plan::Destination,
    shape::{ChunkIndex, Region},
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

/// The index with a zero for each axis that was left out.
fn with_ones(index: &[u64], ones: &[bool]) -> ChunkIndex {
    let mut rest = index.iter();
    ChunkIndex(ones.iter().map(|&one| if one { 0 } else { rest.next().copied().unwrap_or(0) }).collect())
}
