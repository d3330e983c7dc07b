use crate::{
    codec::Scratch,
    error::Result,
    kernels::cast::extract,
    plan::Output,
    shape::{ChunkIndex, Region},
    source::Sink,
};

/// A block of a variable that is made of whole pieces of its sink.
pub struct Finished<'a> {
    /// The variable in the sink.
    pub output: &'a Output,
    /// Where the block lies, in the coordinates of the output's pieces.
    pub region: &'a Region,
    /// Its elements.
    pub data: &'a [u8],
}

impl Finished<'_> {
    /// Writes it piece by piece. `cut` holds at least one piece.
    pub fn write(&self, sink: &dyn Sink, cut: &mut [u8], scratch: &mut Scratch) -> Result<()> {
        let Output { variable, pieces, ones, stored, .. } = self.output;
        for piece in pieces.overlapping(self.region) {
            let place = pieces.region(&piece);
            let index = with_ones(&piece, ones);
            if place == *self.region {
                sink.write(variable, &index, self.data, scratch)?;
                continue;
            }
            let from: Vec<u64> = place.start.iter().zip(&self.region.start).map(|(p, r)| p - r).collect();
            let cut = &mut cut[..place.shape.bytes(stored.size())?];
            extract(self.data, &self.region.shape, &from, cut, &place.shape, stored.size());
            sink.write(variable, &index, cut, scratch)?;
        }
        Ok(())
    }
}

/// The index with a zero for each axis that was left out.
fn with_ones(index: &[u64], ones: &[bool]) -> ChunkIndex {
    let mut rest = index.iter();
    ChunkIndex(ones.iter().map(|&one| if one { 0 } else { rest.next().copied().unwrap_or(0) }).collect())
}
