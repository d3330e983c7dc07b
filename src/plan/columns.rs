use crate::{
    error::Result,
    grid::Grid,
    shape::{ChunkIndex, Shape},
};

/// The number of pieces that a whole fold is cut into at least, where it has the chunks: enough for any number of
/// threads that read one disk. It is fixed, and so is the order in which partial results are merged; that makes the
/// answer independent of the threads and of the memory.
pub const RUNS: u64 = 64;

/// How a fold walks the chunks of its source.
///
/// A *column* is all chunks that share a place on the kept axes: they make one block of the output. Its chunks, in
/// row-major order along the reduced axes, are cut into [`runs`](Columns::runs) of nearly equal length; each run is
/// folded chunk after chunk into a state of its own, and the states are merged in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    reduced: Vec<bool>,
    kept: Grid,
    depth: Vec<u64>,
    runs: u64,
    per_cell: u64,
}

impl Columns {
    /// The columns of `grid` when the axes marked in `reduced` are reduced.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn new(grid: &Grid, reduced: &[bool]) -> Result<Columns> {
        let pick = |lengths: &[u64], want: bool| -> Vec<u64> {
            lengths.iter().zip(reduced).filter(|(_, r)| **r == want).map(|(n, _)| *n).collect()
        };
        let kept = Grid::new(pick(grid.shape(), false).into(), pick(grid.chunk(), false).into())?;
        let depth = pick(grid.counts(), true);
        let chunks: u64 = depth.iter().product();
        // Along a zero-length axis there is nothing to read, and still one (empty) run whose result is written.
        let runs = RUNS.div_ceil(kept.chunks().max(1)).clamp(1, chunks.max(1));
        let per_cell = Shape(pick(grid.shape(), true)).elements()?;
        Ok(Columns { reduced: reduced.to_vec(), kept, depth, runs, per_cell })
    }

    /// For each axis of the source, whether it is reduced.
    pub fn reduced(&self) -> &[bool] {
        &self.reduced
    }

    /// The output, cut into the columns' blocks.
    pub fn kept(&self) -> &Grid {
        &self.kept
    }

    /// The number of chunks in a column.
    pub fn chunks(&self) -> u64 {
        self.depth.iter().product()
    }

    /// The number of runs in a column.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// The number of values that each cell of the output is made of.
    pub fn per_cell(&self) -> u64 {
        self.per_cell
    }

    /// The cells of the largest column.
    pub fn cells(&self) -> usize {
        let cells = self.kept.chunk().iter().zip(self.kept.shape().iter()).map(|(c, n)| (*c).min(*n));
        cells.product::<u64>() as usize
    }

    /// The chunks of one run of one column, in the order in which they are folded.
    pub fn run(&self, column: &ChunkIndex, run: u64) -> impl Iterator<Item = ChunkIndex> + use<> {
        let chunks = self.chunks();
        let (first, last) = (part(chunks, self.runs, run), part(chunks, self.runs, run + 1));
        let (reduced, depth, column) = (self.reduced.clone(), self.depth.clone(), column.clone());
        (first..last).map(move |mut n| {
            let mut index = vec![0; reduced.len()];
            let (mut deep, mut wide) = (depth.len(), column.len());
            for axis in (0..reduced.len()).rev() {
                if reduced[axis] {
                    deep -= 1;
                    index[axis] = n % depth[deep];
                    n /= depth[deep];
                } else {
                    wide -= 1;
                    index[axis] = column[wide];
                }
            }
            ChunkIndex(index)
        })
    }
}

/// Where part `k` of `n` nearly equal parts of `total` begins.
pub(super) fn part(total: u64, n: u64, k: u64) -> u64 {
    (u128::from(total) * u128::from(k) / u128::from(n)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn columns(shape: &[u64], chunk: &[u64], reduced: &[bool]) -> Columns {
        Columns::new(&Grid::new(shape.into(), chunk.into()).unwrap(), reduced).unwrap()
    }

    #[test]
    fn every_chunk_is_in_just_one_run() {
        for reduced in [[true, false, false], [false, true, false], [true, false, true], [true; 3], [false; 3]] {
            let grid = Grid::new(vec![150, 7, 9].into(), vec![1, 3, 4].into()).unwrap();
            let c = Columns::new(&grid, &reduced).unwrap();
            let mut seen = BTreeSet::new();
            for column in 0..c.kept().chunks() {
                for run in 0..c.runs() {
                    for chunk in c.run(&c.kept().index(column), run) {
                        assert!(seen.insert(chunk));
                    }
                }
            }
            assert_eq!(seen.len() as u64, grid.chunks(), "{reduced:?}");
        }
    }

    #[test]
    fn few_columns_have_many_runs() {
        let maps = columns(&[1460, 361, 720], &[1, 361, 720], &[true, false, false]);
        assert_eq!((maps.kept().chunks(), maps.chunks(), maps.runs(), maps.per_cell()), (1, 1460, 64, 1460));
        let cubes = columns(&[1460, 361, 720], &[73, 46, 90], &[true, false, false]);
        assert_eq!((cubes.kept().chunks(), cubes.chunks(), cubes.runs(), cubes.cells()), (64, 20, 1, 46 * 90));
    }

    #[test]
    fn nothing_to_read_is_one_empty_run() {
        let c = columns(&[0, 5], &[1, 5], &[true, false]);
        assert_eq!((c.kept().chunks(), c.chunks(), c.runs(), c.per_cell()), (1, 0, 1, 0));
        assert_eq!(c.run(&c.kept().index(0), 0).count(), 0);
        let c = columns(&[0, 5], &[1, 5], &[false, true]);
        assert_eq!(c.kept().chunks(), 0);
    }
}
