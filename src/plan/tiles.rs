use crate::{error::Result, grid::Grid};

/// The smallest tiles that are whole blocks and whole pieces; then nothing is read twice. Where those are larger than
/// `room` bytes, the ones among smaller tiles that read least twice.
///
/// # Errors
/// When sizes overflow.
pub fn tiles(blocks: &Grid, pieces: &[&Grid], element_bytes: u64, room: u64) -> Result<Grid> {
    let shape = blocks.shape().clone();
    let rank = shape.len();
    // A tile is at least whole pieces: those are written once, and whole.
    let least: Vec<u64> = (0..rank)
        .map(|k| pieces.iter().map(|p| p.chunk()[k]).fold(1, least_common_multiple).min(shape[k].max(1)))
        .collect();
    let most: Vec<u64> =
        (0..rank).map(|k| least_common_multiple(least[k], blocks.chunk()[k]).min(shape[k].max(1))).collect();
    let bytes = |tile: &[u64]| tile.iter().fold(element_bytes, |a, &n| a.saturating_mul(n));
    if bytes(&most) <= room || rank > 12 {
        return Grid::new(shape, most.into());
    }
    let choices: Vec<Vec<u64>> = (0..1u32 << rank)
        .map(|which| (0..rank).map(|k| if which >> k & 1 == 1 { most[k] } else { least[k] }).collect())
        .collect();
    let reads = |tile: &Vec<u64>| (0..rank).map(|k| touched(blocks, k, tile[k])).fold(1, u64::saturating_mul);
    let best = choices.into_iter().filter(|tile| bytes(tile) <= room).min_by_key(|tile| (reads(tile), bytes(tile)));
    Grid::new(shape, best.unwrap_or(least).into())
}

/// How many blocks are computed along an axis when it is cut so.
pub fn touched(blocks: &Grid, k: usize, length: u64) -> u64 {
    let n = blocks.shape()[k];
    let tiles = n.div_ceil(length);
    (0..tiles.min(4096))
        .map(|t| {
            let (from, to) = (t * length, ((t + 1) * length).min(n));
            to.div_ceil(blocks.chunk()[k]) - from / blocks.chunk()[k]
        })
        .sum::<u64>()
        .saturating_mul(tiles.div_ceil(4096))
}

/// The least number that both divide.
pub fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a.max(1), b.max(1));
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a.max(1) / x).saturating_mul(b.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_from_cubes() {
        let grid = |chunk: &[u64]| Grid::new(vec![1460, 361, 720].into(), chunk.into()).unwrap();
        let of = |room: u64| tiles(&grid(&[73, 46, 90]), &[&grid(&[1, 361, 720])], 4, room).unwrap().chunk().0.clone();
        assert_eq!(of(1 << 30), [73, 361, 720]);
        assert_eq!(of(10 << 20), [1, 361, 720], "no room: every cube is read 73 times");
        let of =
            |room: u64| tiles(&grid(&[1, 361, 720]), &[&grid(&[1460, 19, 36])], 4, room).unwrap().chunk().0.clone();
        assert_eq!(of(4 << 30), [1460, 361, 720]);
        assert_eq!(of(200 << 20), [1460, 19, 720], "less is read again than with [1460, 361, 36]");
    }
}
