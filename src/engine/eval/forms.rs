use super::{Evaluator, split};
use crate::{
    array::{BlockFunction, BlockInfo, BlockInput, reshape::Group},
    codec::Scratch,
    dtype::DType,
    engine::{blocks::Lie, of_source},
    error::{Error, Result},
    grid::Grid,
    kernels::{
        cast::{extract, place},
        fold::ChunkView,
        lanes::{self, LaneOp},
        linalg::{self, Matrix, Update},
        strided::copy_shared,
    },
    plan::{Formula, Reduced, Values, input_block},
    shape::{Region, Shape},
};
use std::sync::Arc;

/// A user's function and its inputs.
pub struct Call<'a> {
    pub inputs: &'a [(Arc<Formula>, Grid)],
    pub function: &'a dyn BlockFunction,
    pub grid: &'a Grid,
    pub overlap: &'a [u64],
    pub dtype: DType,
}

#[allow(clippy::too_many_arguments)] // what every form is given: where, into what, and with what
impl Evaluator<'_> {
    /// Each group of axes contributes runs; a box of one run each is computed and put where it belongs.
    pub(super) fn reshape(
        &mut self,
        input: &Formula,
        groups: &[Group],
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let size = input.dtype.size();
        let mut axis = 0;
        let mut lengths = Vec::with_capacity(groups.len());
        let mut choices = Vec::with_capacity(groups.len());
        for group in groups {
            let part = axis..axis + group.new.len();
            axis = part.end;
            let local = Region { start: region.start[part.clone()].to_vec(), shape: region.shape[part].into() };
            lengths.push(local.shape.iter().product::<u64>());
            choices.push(group.pieces(&local));
        }
        let (buffer, rest) = split(work, out.len());
        let combinations = Shape(choices.iter().map(|c| c.len() as u64).collect());
        let each = Grid::new(combinations.clone(), vec![1; choices.len()].into())?;
        for n in 0..each.chunks() {
            let index = each.index(n);
            let chosen: Vec<_> = index.iter().zip(&choices).map(|(&k, c)| &c[k as usize]).collect();
            let from = Region {
                start: chosen.iter().flat_map(|p| p.from.start.iter().copied()).collect(),
                shape: chosen.iter().flat_map(|p| p.from.shape.iter().copied()).collect(),
            };
            if each.chunks() == 1 {
                return self.formula(input, &from, out, rest, scratch);
            }
            let bytes = from.shape.bytes(size)?;
            self.formula(input, &from, &mut buffer[..bytes], rest, scratch)?;
            let shape: Vec<u64> = chosen.iter().map(|p| p.from.shape.iter().product()).collect();
            let at: Vec<u64> = chosen.iter().map(|p| p.at).collect();
            place(&buffer[..bytes], &shape, out, &lengths, &at, size);
        }
        Ok(())
    }

    pub(super) fn concat(
        &mut self,
        parts: &[(u64, Arc<Formula>)],
        axis: usize,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let (from, to) = (region.start[axis], region.start[axis] + region.shape[axis]);
        for (start, part) in parts {
            let (first, end) = (from.max(*start), to.min(start + part.shape[axis]));
            if first >= end {
                continue;
            }
            let mut local = region.clone();
            local.start[axis] = first - start;
            local.shape.0[axis] = end - first;
            if local.shape == region.shape {
                return self.formula(part, &local, out, work, scratch);
            }
            let size = part.dtype.size();
            let (buffer, rest) = split(work, local.shape.bytes(size)?);
            self.formula(part, &local, buffer, rest, scratch)?;
            let mut at = vec![0; region.start.len()];
            at[axis] = first - from;
            place(buffer, &local.shape, out, &region.shape, &at, size);
        }
        Ok(())
    }

    /// Runs of neighbouring positions are computed together.
    pub(super) fn take(
        &mut self,
        input: &Formula,
        axis: usize,
        index: &[u64],
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let wanted = &index[region.start[axis] as usize..(region.start[axis] + region.shape[axis]) as usize];
        let size = input.dtype.size();
        // Where the same are wanted again and again, as groups at their positions, all between are computed once.
        let (first, last) = wanted.iter().fold((u64::MAX, 0), |(a, b), &at| (a.min(at), b.max(at)));
        if !wanted.is_empty() && last - first < wanted.len() as u64 {
            let whole = region.with_axis(axis, first, last + 1 - first);
            let (values, rest) = split(work, whole.shape.bytes(size)?);
            self.formula(input, &whole, values, rest, scratch)?;
            let [outer, inner] = whole.shape.around(axis);
            let bytes = region.shape.bytes(size)?;
            let shape = [outer, whole.shape[axis] as usize, inner];
            lanes::take_rows(size, values, shape, wanted, first, &mut out[..bytes]);
            return Ok(());
        }
        let mut done = 0;
        while done < wanted.len() {
            let run = 1 + wanted[done..].windows(2).take_while(|w| w[1] == w[0] + 1).count();
            let mut local = region.clone();
            local.start[axis] = wanted[done];
            local.shape.0[axis] = run as u64;
            let (buffer, rest) = split(work, local.shape.bytes(size)?);
            self.formula(input, &local, buffer, rest, scratch)?;
            let mut at = vec![0; region.start.len()];
            at[axis] = done as u64;
            place(buffer, &local.shape, out, &region.shape, &at, size);
            done += run;
        }
        Ok(())
    }

    pub(super) fn take_along(
        &mut self,
        input: &Formula,
        index: &Formula,
        axis: usize,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let size = input.dtype.size();
        let whole = region.with_axis(axis, 0, input.shape[axis]);
        let (values, rest) = split(work, whole.shape.bytes(size)?);
        let (positions, rest) = split(rest, region.shape.bytes(8)?);
        self.formula(input, &whole, values, rest, scratch)?;
        self.formula(index, region, positions, rest, scratch)?;
        let [outer, inner] = region.shape.around(axis);
        let (n, m) = (whole.shape[axis] as usize, region.shape[axis] as usize);
        lanes::take_along(size, values, outer, n, inner, bytemuck::cast_slice(positions), m, out)
    }

    pub(super) fn lanes(
        &mut self,
        input: &Formula,
        axis: usize,
        op: &LaneOp,
        formula: &Formula,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let whole = region.with_axis(axis, 0, input.shape[axis]);
        let result = region.with_axis(axis, 0, formula.shape[axis]);
        let size = formula.dtype.size();
        let (values, rest) = split(work, whole.shape.bytes(input.dtype.size())?);
        let (lane, rest) = split(rest, result.shape.bytes(size)?);
        self.formula(input, &whole, values, rest, scratch)?;
        let [outer, inner] = region.shape.around(axis);
        let n = whole.shape[axis] as usize;
        let space = &mut rest[..op.scratch_bytes(input.dtype, n)];
        lanes::lanes(op, input.dtype, values, outer, n, inner, lane, space);
        let mut from = vec![0; region.start.len()];
        from[axis] = region.start[axis];
        extract(lane, &result.shape, &from, out, &region.shape, size);
        Ok(())
    }

    /// Block by block, each folded whole.
    pub(super) fn reduce(
        &mut self,
        within: &Reduced,
        size: usize,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let blocks = within.columns.kept();
        for index in blocks.overlapping(region) {
            let block = blocks.region(&index);
            if self.folded[within.at].block.as_ref() != Some(&index) {
                self.folded[within.at].block = None;
                let cells = block.shape.elements()? as usize;
                let (state, rest) = split(work, within.reducer.state_bytes(cells));
                self.fold(within, &block, state, rest, scratch)?;
                let folded = &mut self.folded[within.at];
                let result = &mut folded.data.bytes_mut()[..cells * size];
                let done = within.reducer.finish(within.op, state, cells, within.columns.per_cell(), result);
                done.map_err(|e| self.located(&within.values, e))?;
                self.folded[within.at].block = Some(index);
            }
            copy_shared(self.folded[within.at].data.bytes(), &block, out, region, size);
        }
        Ok(())
    }

    /// Folds the values that one block of a reduction's result is made of.
    fn fold(
        &mut self,
        within: &Reduced,
        block: &Region,
        state: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Reduced { decode, grid, reducer, .. } = within;
        let reduced = within.columns.reduced();
        let (place, cells) = (within.around(block), block.shape.elements()? as usize);
        reducer.init(state, cells);
        let (elements, lie) = match &within.values {
            Values::Stored(at) => {
                let source = &self.computed.sources[*at].source;
                let way = self.chunk(*at, &grid.at(&place.start), scratch)?;
                let lie = Lie::new(&source.layout().axes, grid.chunk(), grid.shape(), reduced, &place);
                (&self.kept[*at][way].data.bytes()[..source.chunk_bytes()], lie)
            }
            Values::Computed(input) => {
                let (values, rest) = split(work, place.shape.bytes(input.dtype.size())?);
                self.formula(input, &place, values, rest, scratch)?;
                (&*values, Lie::computed(grid.shape(), reduced, &place))
            }
        };
        let view = ChunkView { elements: elements.into(), dims: &lie.dims, first_index: lie.first_index };
        let pushed = reducer.push(decode, state, cells, &[view], &mut self.segment.borrow_mut());
        pushed.map_err(|e| self.located(&within.values, e))
    }

    /// An error of a reduction, with where its values come from.
    fn located(&self, values: &Values, error: Error) -> Error {
        let Values::Stored(at) = values else { return error };
        of_source(self.computed.sources[*at].source.as_ref(), error)
    }

    /// Tile by tile: each the sum over panels of the common axis, in order.
    pub(super) fn mat_mul(
        &mut self,
        [a, b]: [&Formula; 2],
        tiles: &Grid,
        panel: u64,
        dtype: DType,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let size = dtype.size();
        let rank = region.start.len();
        let common = a.shape[rank - 1];
        for tile in tiles.overlapping(region) {
            let tile = tiles.region(&tile);
            let (product, rest) = split(work, tile.shape.bytes(size)?);
            let lead = tile.shape.iter().take(rank - 2).product::<u64>();
            debug_assert_eq!(lead, 1, "tiles are one matrix deep");
            let (rows, columns) = (tile.shape[rank - 2], tile.shape[rank - 1]);
            if common == 0 {
                product.fill(0);
            }
            for from in (0..common).step_by(panel.max(1) as usize) {
                let deep = panel.min(common - from);
                let with = |start: [u64; 2], lengths: [u64; 2]| Region {
                    start: [&tile.start[..rank - 2], &start].concat(),
                    shape: [&tile.shape[..rank - 2], &lengths].concat().into(),
                };
                let of_a = with([tile.start[rank - 2], from], [rows, deep]);
                let of_b = with([from, tile.start[rank - 1]], [deep, columns]);
                let (left, rest) = split(rest, of_a.shape.bytes(size)?);
                let (right, rest) = split(rest, of_b.shape.bytes(size)?);
                self.formula(a, &of_a, left, rest, scratch)?;
                self.formula(b, &of_b, right, rest, scratch)?;
                let how = if from == 0 { Update::Replace } else { Update::Add };
                let left = Matrix::by_rows(left, rows as usize, deep as usize);
                let right = Matrix::by_rows(right, deep as usize, columns as usize);
                linalg::product(dtype, left, right, product, how);
            }
            copy_shared(product, &tile, out, region, size);
        }
        Ok(())
    }

    /// A user's function gives whole blocks; what the region has of them is cut out.
    pub(super) fn blocks(
        &mut self,
        call: Call<'_>,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        if call.function.any_region() {
            let block = BlockInfo { region: region.clone(), index: call.grid.at(&region.start) };
            return self.call(&call, &block, |_| region.clone(), out, work, scratch);
        }
        let size = call.dtype.size();
        for index in call.grid.overlapping(region) {
            let block = BlockInfo { region: call.grid.region(&index), index };
            let whole = block.region == *region;
            let (buffer, rest) = split(work, if whole { 0 } else { block.region.shape.bytes(size)? });
            let target = if whole { &mut *out } else { &mut *buffer };
            self.call(&call, &block, |grid| input_block(grid, &block.index, call.overlap), target, rest, scratch)?;
            if !whole {
                copy_shared(buffer, &block.region, out, region, size);
            }
        }
        Ok(())
    }

    /// Computes the inputs of one block, and it.
    fn call(
        &mut self,
        call: &Call<'_>,
        block: &BlockInfo,
        of: impl Fn(&Grid) -> Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let mut rest = work;
        let mut inputs: Vec<(DType, Shape, &[u8])> = Vec::with_capacity(call.inputs.len());
        for (formula, grid) in call.inputs {
            let of = of(grid);
            let (values, after) = split(rest, of.shape.bytes(formula.dtype.size())?);
            self.formula(formula, &of, values, after, scratch)?;
            inputs.push((formula.dtype, of.shape, values));
            rest = after;
        }
        let views: Vec<BlockInput> =
            inputs.iter().map(|(dtype, shape, bytes)| BlockInput { dtype: *dtype, shape, bytes }).collect();
        let called = call.function.call(block, &views, out);
        called.map_err(|e| e.in_chunk(&block.index).in_variable(call.function.name()))
    }
}
