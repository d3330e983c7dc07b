//! A grid of chunks over an array.

use crate::{
    error::{Error, Result},
    shape::{ChunkIndex, Region, Shape},
};
use std::sync::Arc;

/// What [`Grid::of_contiguous`] aims at: small enough for a cache, large enough for a disk.
const PIECE_BYTES: usize = 1 << 20;

/// An array cut into chunks of one shape; those at the upper edges may be cut short, and along one axis any.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grid {
    shape: Shape,
    chunk: Shape,
    counts: Vec<u64>,
    cuts: Option<Arc<Cuts>>,
}

/// Where chunks of any length begin along one axis.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Cuts {
    axis: usize,
    starts: Vec<u64>,
}

impl Grid {
    /// The grid of `chunk`-shaped pieces over `shape`.
    ///
    /// # Errors
    /// When the ranks differ, a chunk length is zero, or the sizes overflow.
    pub fn new(shape: Shape, chunk: Shape) -> Result<Grid> {
        if shape.len() != chunk.len() {
            return Err(Error::corrupt(
                "chunk shape",
                format!("rank {} for an array of rank {}", chunk.len(), shape.len()),
            ));
        }
        if chunk.contains(&0) {
            return Err(Error::corrupt("chunk shape", format!("{chunk} has a zero length")));
        }
        shape.elements()?;
        chunk.elements()?;
        let counts: Vec<u64> = shape.iter().zip(chunk.iter()).map(|(n, c)| n.div_ceil(*c)).collect();
        Shape(counts.clone()).elements()?;
        Ok(Grid { shape, chunk, counts, cuts: None })
    }

    /// The grid of chunks that begin at `starts` along one axis, each no longer than `chunk` there.
    ///
    /// # Errors
    /// As [`new`](Grid::new), and when the starts do not follow each other, or lie too far apart.
    pub fn with_cuts(shape: Shape, chunk: Shape, axis: usize, starts: Vec<u64>) -> Result<Grid> {
        let mut grid = Grid::new(shape, chunk)?;
        let (Some(&length), Some(&most)) = (grid.shape.get(axis), grid.chunk.get(axis)) else {
            return Err(Error::corrupt("chunk shape", format!("no axis {axis} to cut")));
        };
        if starts.iter().enumerate().all(|(k, s)| *s == k as u64 * most) && starts.len() as u64 == grid.counts[axis] {
            return Ok(grid);
        }
        let ends = starts.iter().skip(1).chain([&length]);
        let follow = starts.iter().zip(ends).all(|(start, end)| start < end && end - start <= most);
        if starts.first() != Some(&0) || !follow {
            return Err(Error::corrupt("chunk shape", format!("chunks of at most {most} do not cover {length}")));
        }
        grid.counts[axis] = starts.len() as u64;
        Shape(grid.counts.clone()).elements()?;
        grid.cuts = Some(Arc::new(Cuts { axis, starts }));
        Ok(grid)
    }

    /// The chunks along some of the axes, which are those that `picks` names.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn along_axes(&self, picks: impl Fn(usize) -> bool) -> Result<Grid> {
        let axes: Vec<usize> = (0..self.counts.len()).filter(|&k| picks(k)).collect();
        let pick = |lengths: &Shape| -> Shape { axes.iter().map(|&k| lengths[k]).collect() };
        let (shape, chunk) = (pick(&self.shape), pick(&self.chunk));
        let cut = self.cuts.as_ref().and_then(|cuts| Some((axes.iter().position(|&k| k == cuts.axis)?, cuts)));
        match cut {
            Some((axis, cuts)) => Grid::with_cuts(shape, chunk, axis, cuts.starts.clone()),
            None => Grid::new(shape, chunk),
        }
    }

    /// The axis along which chunks have any lengths, where there is one.
    pub fn cut_axis(&self) -> Option<usize> {
        self.cuts.as_ref().map(|cuts| cuts.axis)
    }

    /// The chunk along one axis that a position is in.
    fn along(&self, axis: usize, position: u64) -> u64 {
        match self.cuts.as_ref().filter(|cuts| cuts.axis == axis) {
            None => position / self.chunk[axis],
            Some(cuts) => cuts.starts.partition_point(|start| *start <= position).saturating_sub(1) as u64,
        }
    }

    /// Where a chunk begins along one axis, and how long it is, cut at the edge.
    fn extent(&self, axis: usize, index: u64) -> (u64, u64) {
        let n = self.shape[axis];
        match self.cuts.as_ref().filter(|cuts| cuts.axis == axis) {
            None => {
                let start = index * self.chunk[axis];
                (start, self.chunk[axis].min(n.saturating_sub(start)))
            }
            Some(cuts) => {
                let at = |k: usize| cuts.starts.get(k).copied().unwrap_or(n);
                let (start, end) = (at(index as usize), at(index as usize + 1));
                (start, end - start)
            }
        }
    }

    /// The grid for a variable that is not stored in chunks: whole trailing dimensions, about a mebibyte a piece,
    /// so that every piece is one run of bytes.
    ///
    /// # Errors
    /// When the sizes overflow.
    pub fn of_contiguous(shape: Shape, element_bytes: usize) -> Result<Grid> {
        let mut room = (PIECE_BYTES / element_bytes.max(1)) as u64;
        let mut chunk = vec![1; shape.len()];
        for k in (0..shape.len()).rev() {
            chunk[k] = shape[k].clamp(1, room.max(1));
            if chunk[k] < shape[k] {
                break;
            }
            room /= chunk[k];
        }
        Grid::new(shape, chunk.into())
    }

    /// The array's shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The shape of a whole chunk.
    pub fn chunk(&self) -> &Shape {
        &self.chunk
    }

    /// The number of chunks along each dimension.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The number of chunks.
    pub fn chunks(&self) -> u64 {
        self.counts.iter().product()
    }

    /// The chunk with row-major number `n`.
    pub fn index(&self, mut n: u64) -> ChunkIndex {
        let mut index = vec![0; self.counts.len()];
        for k in (0..index.len()).rev() {
            let count = self.counts[k].max(1);
            index[k] = n % count;
            n /= count;
        }
        ChunkIndex(index)
    }

    /// The row-major number of a chunk.
    pub fn number(&self, index: &[u64]) -> u64 {
        index.iter().zip(&self.counts).fold(0, |n, (i, c)| n * c + i)
    }

    /// The index of the chunk that an element is in.
    pub fn at(&self, element: &[u64]) -> ChunkIndex {
        ChunkIndex(element.iter().enumerate().map(|(k, e)| self.along(k, *e)).collect())
    }

    /// The part of the array that a chunk holds, cut at the array's edges.
    pub fn region(&self, index: &[u64]) -> Region {
        let extents = index.iter().enumerate().map(|(k, i)| self.extent(k, *i));
        let (start, lengths): (Vec<u64>, Vec<u64>) = extents.unzip();
        Region { start, shape: Shape(lengths) }
    }

    /// How many chunks a region touches.
    pub fn overlapping_count(&self, region: &Region) -> u64 {
        let along = |k: usize| match region.shape[k] {
            0 => 0,
            n => self.along(k, region.start[k] + n - 1) + 1 - self.along(k, region.start[k]),
        };
        (0..region.start.len()).map(along).fold(1, u64::saturating_mul)
    }

    /// The chunks that share elements with `region`, in row-major order.
    pub fn overlapping(&self, region: &Region) -> impl Iterator<Item = ChunkIndex> + use<> {
        let first: Vec<u64> = region.start.iter().enumerate().map(|(k, s)| self.along(k, *s)).collect();
        let counts: Vec<u64> = (0..first.len())
            .map(|k| {
                if region.shape[k] == 0 {
                    0
                } else {
                    self.along(k, region.start[k] + region.shape[k] - 1) + 1 - first[k]
                }
            })
            .collect();
        let total: u64 = counts.iter().product();
        (0..total).map(move |mut n| {
            let mut index = first.clone();
            for k in (0..index.len()).rev() {
                index[k] += n % counts[k];
                n /= counts[k];
            }
            ChunkIndex(index)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(shape: &[u64], chunk: &[u64]) -> Grid {
        Grid::new(shape.into(), chunk.into()).unwrap()
    }

    #[test]
    fn some_of_the_axes_keep_their_cuts() {
        let grid = Grid::with_cuts(vec![4, 10, 6].into(), vec![4, 4, 3].into(), 1, vec![0, 4, 7]).unwrap();
        let cut = grid.along_axes(|k| k > 0).unwrap();
        assert_eq!((cut.counts(), cut.cut_axis()), (&[3, 2][..], Some(0)));
        assert_eq!(cut.region(&[1, 1]), Region { start: vec![4, 3], shape: vec![3, 3].into() });
        let plain = grid.along_axes(|k| k != 1).unwrap();
        assert_eq!((plain.counts(), plain.cut_axis()), (&[1, 2][..], None));
    }

    #[test]
    fn numbers_and_indices_are_inverse() {
        let g = grid(&[10, 7, 3], &[4, 7, 2]);
        assert_eq!(g.counts(), [3, 1, 2]);
        for n in 0..g.chunks() {
            assert_eq!(g.number(&g.index(n)), n);
        }
        let last = g.region(&g.index(5));
        assert_eq!((last.start.as_slice(), &*last.shape), ([8, 0, 2].as_slice(), [2, 7, 1].as_slice()));
    }

    #[test]
    fn overlap_finds_just_the_touched_chunks() {
        let g = grid(&[10, 10], &[4, 5]);
        let r = Region { start: vec![3, 5], shape: vec![2, 5].into() };
        let found: Vec<_> = g.overlapping(&r).map(|c| c.0).collect();
        assert_eq!(found, [[0, 1], [1, 1]]);
        let none = Region { start: vec![3, 5], shape: vec![0, 5].into() };
        assert_eq!(g.overlapping(&none).count(), 0);
    }

    #[test]
    fn contiguous_pieces_are_single_runs() {
        let of = |shape: &[u64]| Grid::of_contiguous(shape.into(), 4).unwrap().chunk().0.clone();
        assert_eq!(of(&[1460, 361, 720]), [1, 361, 720]);
        assert_eq!(of(&[1460, 721, 1440]), [1, 182, 1440]);
        assert_eq!(of(&[1460, 10, 10]), [1460, 10, 10]);
        assert_eq!(of(&[1 << 40]), [1 << 18]);
        assert_eq!(of(&[0, 5]), [1, 5]);
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn corners() {
        assert_eq!(grid(&[], &[]).chunks(), 1);
        assert_eq!(grid(&[0, 5], &[1, 5]).chunks(), 0);
        assert!(Grid::new(vec![4].into(), vec![0].into()).is_err());
        assert!(Grid::new(vec![4].into(), vec![1, 1].into()).is_err());
    }
}
