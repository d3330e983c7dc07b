//! Windows of any reduction, by the states of its fold.

use super::{Machine, PREFIX, Part, Row, WINDOW, Windows};
use crate::{
    error::Result,
    kernels::{
        decode::Segment,
        fold::{ChunkView, Folds, Role, ViewDim},
    },
};

/// States in slots one behind the other.
pub(super) struct States<'a> {
    windows: &'a Windows,
    part: Part<'a>,
    out: &'a mut [u8],
    scratch: &'a mut [u8],
    segment: &'a mut Segment,
    /// Bytes of one state.
    size: usize,
}

impl<'a> States<'a> {
    pub(super) fn new(
        windows: &'a Windows,
        part: Part<'a>,
        out: &'a mut [u8],
        scratch: &'a mut [u8],
        segment: &'a mut Segment,
    ) -> States<'a> {
        let size = windows.folds.state_bytes(part.cells);
        States { windows, part, out, scratch, segment, size }
    }

    fn folds(&self) -> &'a Folds {
        &self.windows.folds
    }

    fn slot(&mut self, slot: usize) -> &mut [u8] {
        &mut self.scratch[slot * self.size..(slot + 1) * self.size]
    }

    fn copy(&mut self, from: usize, to: usize) {
        if from != to {
            self.scratch.copy_within(from * self.size..(from + 1) * self.size, to * self.size);
        }
    }
}

impl Machine for States<'_> {
    fn clear(&mut self, slot: usize) {
        let (folds, cells) = (self.folds(), self.part.cells);
        folds.init(self.slot(slot), cells);
    }

    fn extend(&mut self, from: usize, to: usize, row: Option<Row>) -> Result<()> {
        self.copy(from, to);
        row.map_or(Ok(()), |row| self.push(to, row))
    }

    fn push(&mut self, slot: usize, row: Row) -> Result<()> {
        let Part { rows, cell, cells, .. } = self.part;
        let from = (row.at * rows.cells + cell) * self.windows.dtype.size();
        let dims = [ViewDim { len: cells, stride: 1, role: Role::Kept { cell_stride: 1 } }];
        let view = ChunkView { elements: rows.bytes[from..].into(), dims: &dims, first_index: row.position };
        let state = &mut self.scratch[slot * self.size..(slot + 1) * self.size];
        self.windows.folds.push(state, cells, &[view], self.segment)
    }

    fn emit(&mut self, end: usize, prefix: bool, row: usize) -> Result<()> {
        let Part { rows, cell, cells, .. } = self.part;
        let folds = self.folds();
        let mut window = end;
        if prefix {
            self.copy(end, WINDOW);
            let (before, rest) = self.scratch.split_at_mut(WINDOW * self.size);
            folds.merge(&mut rest[..self.size], &before[PREFIX * self.size..], cells)?;
            window = WINDOW;
        }
        let size = self.windows.result_dtype().size();
        let from = (row * rows.cells + cell) * size;
        let state = &self.scratch[window * self.size..(window + 1) * self.size];
        folds.finish(self.windows.op, state, cells, 0, &mut self.out[from..from + cells * size])
    }
}
