//! Blocks of a stage's input on their way to reductions: how they are read or computed, and how their elements lie.

use super::{Evaluator, Run, of_source};
use crate::{
    codec::Scratch,
    error::{Error, Result},
    kernels::{
        decode::Elements,
        fold::{Role, ViewDim},
    },
    plan::{Input, padded},
    shape::{ChunkIndex, Region},
};
use std::ops::Range;

/// A stage's input.
#[derive(Clone, Copy)]
pub struct Blocks<'a> {
    pub input: &'a Input,
    pub run: &'a Run<'a>,
    /// Whether elements are read once, so that putting shuffled ones together is left to that: see [`Elements`].
    pub are_read_once: bool,
}

/// A block in memory.
pub struct Filled {
    /// Which part of the array it holds.
    pub place: Region,
    /// Whether its elements lie as [`Elements::Planes`].
    are_planes: bool,
}

/// How the elements of a block lie.
pub struct Lie {
    /// Slowest first.
    pub dims: Vec<ViewDim>,
    /// Which axis each of them is.
    pub axes: Vec<usize>,
    /// The place of the first element among the values of its cell.
    pub first_index: u64,
}

impl<'a> Blocks<'a> {
    /// Reads chunks, or computes blocks, each into its own output. `evaluator` is that of the input, where it is computed.
    ///
    /// # Errors
    /// When a chunk cannot be read, or a user's function fails.
    pub fn fill<'o>(
        &self,
        blocks: &[ChunkIndex],
        outs: impl Iterator<Item = &'o mut [u8]>,
        evaluator: &mut Option<Evaluator<'a>>,
        scratch: &mut Scratch,
    ) -> Result<Vec<Filled>> {
        let filled = |block: &ChunkIndex, are_planes| Filled { place: self.input.grid().region(block), are_planes };
        match (self.input, evaluator) {
            (Input::Stored(source), _) => {
                let mut outs: Vec<&mut [u8]> =
                    outs.take(blocks.len()).map(|out| &mut out[..source.chunk_bytes()]).collect();
                let read = source.read_together(self.are_read_once, blocks, scratch, &mut outs);
                let are_planes = read.map_err(|e| of_source(source.as_ref(), e))?;
                self.run.executor.tell(source.as_ref(), blocks.len());
                Ok(blocks.iter().zip(are_planes).map(|(block, are_planes)| filled(block, are_planes)).collect())
            }
            (Input::Computed(_), Some(evaluator)) => {
                let mut each = |(block, out): (&ChunkIndex, &mut [u8])| {
                    let filled = filled(block, false);
                    for (root, part) in self.roots(&filled.place).enumerate() {
                        evaluator.evaluate(root, &filled.place, &mut out[part], scratch)?;
                    }
                    Ok(filled)
                };
                blocks.iter().zip(outs).map(&mut each).collect()
            }
            (Input::Computed(_), None) => unreachable!("workers on expressions have an evaluator"),
        }
    }

    /// Where in a block's bytes the values of each array lie.
    pub fn roots(&self, region: &Region) -> impl Iterator<Item = Range<usize>> + use<'a> {
        let whole = self.input.grid().chunk().iter().product::<u64>();
        let cells = region.shape.iter().product::<u64>() as usize;
        let mut at = 0;
        let roots: &'a [_] = match self.input {
            Input::Stored(_) => &[],
            Input::Computed(computed) => &computed.roots,
        };
        roots.iter().map(move |root| {
            let from = at;
            at += padded(whole * root.dtype.size() as u64) as usize;
            from..from + cells * root.dtype.size()
        })
    }

    /// The values of one array in the bytes of a block, from its element `first` on; they have `size` bytes each.
    pub fn elements<'d>(
        &self,
        root: usize,
        filled: &Filled,
        data: &'d [u8],
        first: usize,
        size: usize,
    ) -> Elements<'d> {
        match self.input {
            Input::Stored(source) if filled.are_planes => {
                Elements::Planes { planes: &data[..source.chunk_bytes()], first }
            }
            Input::Stored(_) => data[first * size..].into(),
            Input::Computed(_) => data[self.roots(&filled.place).nth(root).unwrap_or_default()][first * size..].into(),
        }
    }

    /// How the elements of a block lie, and where each goes when the axes marked in `reduced` are reduced.
    pub fn lie(&self, reduced: &[bool], place: &Region) -> Lie {
        let grid = self.input.grid();
        match self.input {
            Input::Stored(source) => Lie::new(&source.layout().axes, grid.chunk(), grid.shape(), reduced, place),
            Input::Computed(_) => Lie::computed(grid.shape(), reduced, place),
        }
    }

    /// An error of what is computed of the blocks, with where they come from.
    pub fn located(&self, error: Error) -> Error {
        match self.input {
            Input::Stored(source) => of_source(source.as_ref(), error),
            Input::Computed(_) => error,
        }
    }
}

impl Lie {
    /// How a stored chunk lies that is `whole` even at the edge: its axes in the order of storage, where those of an array
    /// of this `shape` are reduced, and the part of it that `place` says.
    pub fn new(axes: &[usize], whole: &[u64], shape: &[u64], reduced: &[bool], place: &Region) -> Lie {
        let cell_strides = strides_of(&place.shape, |axis| !reduced[axis]);
        let index_strides = strides_of(shape, |axis| reduced[axis]);
        let mut stride = 1;
        let mut dims: Vec<ViewDim> = axes
            .iter()
            .rev()
            .map(|&axis| {
                let role = if reduced[axis] {
                    Role::Reduced { index_stride: index_strides[axis] }
                } else {
                    Role::Kept { cell_stride: cell_strides[axis] as usize }
                };
                let dim = ViewDim { len: place.shape[axis] as usize, stride, role };
                stride *= whole[axis] as usize;
                dim
            })
            .collect();
        dims.reverse();
        let first_index = index_strides.iter().zip(&place.start).map(|(stride, start)| stride * start).sum();
        Lie { dims, axes: axes.to_vec(), first_index }
    }

    /// How a block lies that is computed: as large as what it holds.
    pub fn computed(shape: &[u64], reduced: &[bool], place: &Region) -> Lie {
        let axes: Vec<usize> = (0..reduced.len()).collect();
        Lie::new(&axes, &place.shape, shape, reduced, place)
    }
}

/// Row-major strides among the axes that `counts` picks; zero for the others.
fn strides_of(shape: &[u64], counts: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut strides = vec![0; shape.len()];
    let mut next = 1;
    for axis in (0..shape.len()).rev().filter(|&axis| counts(axis)) {
        strides[axis] = next;
        next *= shape[axis];
    }
    strides
}
