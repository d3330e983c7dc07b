use crate::{
    codec::Scratch,
    error::Result,
    grid::Grid,
    kernels::cast::extract,
    shape::{ChunkIndex, Region},
    source::Sink,
};

/// Writes a block of a variable that is made of whole pieces of its sink.
///
/// `region` is the block in the coordinates of `pieces`, `data` its elements; `ones` says where the variable in the
/// sink has axes of length 1 that `pieces` leaves out. `cut` holds at least one piece.
pub fn write(
    sink: &dyn Sink,
    variable: &str,
    pieces: &Grid,
    ones: &[bool],
    region: &Region,
    data: &[u8],
    element: usize,
    cut: &mut [u8],
    scratch: &mut Scratch,
) -> Result<()> {
    for piece in pieces.overlapping(region) {
        let place = pieces.region(&piece);
        let index = with_ones(&piece, ones);
        if place == *region {
            sink.write(variable, &index, data, scratch)?;
            continue;
        }
        let from: Vec<u64> = place.start.iter().zip(&region.start).map(|(p, r)| p - r).collect();
        let bytes = place.shape.bytes(element)?;
        let cut = &mut cut[..bytes];
        extract(data, &region.shape, &from, cut, &place.shape, element);
        sink.write(variable, &index, cut, scratch)?;
    }
    Ok(())
}

/// The index with a zero for each axis that was left out.
fn with_ones(index: &[u64], ones: &[bool]) -> ChunkIndex {
    let mut rest = index.iter();
    ChunkIndex(ones.iter().map(|&one| if one { 0 } else { rest.next().copied().unwrap_or(0) }).collect())
}
