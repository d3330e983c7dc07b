//! Hands chunks to the reductions: all of a chunk to one state, or strips of it to those of their groups.

use super::{Job, Slot, state_of};
use crate::{
    engine::{
        BATCH_CHUNKS,
        blocks::{Filled, Lie},
    },
    error::Result,
    kernels::{
        decode::{Elements, Segment},
        fold::{ChunkView, Role, ViewDim},
    },
    plan::{Grouping, Within},
    shape::Region,
};

/// Chunks in hand.
pub struct Chunks<'c> {
    /// What they hold.
    pub filled: &'c [Filled],
    /// Their bytes, one behind the other.
    pub data: &'c [u8],
    /// How many of those each has.
    pub each: usize,
}

/// Part of a chunk whose values are all of one group.
#[derive(Clone, Copy, Default)]
struct Strip {
    /// Which of the chunks in hand.
    chunk: usize,
    /// The first element, and its place among the values of its cell.
    element: usize,
    index: u64,
}

/// Strips of one group and of one form, which are folded together.
struct Strips {
    group: u32,
    dims: Vec<ViewDim>,
    waiting: [Strip; BATCH_CHUNKS as usize],
    len: usize,
}

impl Job<'_> {
    /// Folds chunks that lie one behind the other, each value into the state of its group.
    pub(super) fn push(
        &self,
        chunks: &Chunks<'_>,
        slots: &mut [Slot],
        cells: usize,
        segment: &mut Segment,
    ) -> Result<()> {
        let mut strips = Strips { group: 0, dims: Vec::new(), waiting: Default::default(), len: 0 };
        for (chunk, Filled { place, .. }) in chunks.filled.iter().enumerate() {
            let lie = self.blocks.lie(self.fold.columns.reduced(), place);
            let mut outcome = Ok(());
            let mut next = |group: u32, dims: &[ViewDim], strip: Strip| {
                if outcome.is_ok() && !strips.take(group, dims, strip) {
                    outcome = self.push_strips(&strips, chunks, slots, cells, segment);
                    strips.begin(group, dims, strip);
                }
            };
            match &self.fold.grouping {
                Some(grouping) => lie.strips(grouping, place, |group, dims, element, index| {
                    next(group, dims, Strip { chunk, element, index });
                }),
                // Those that are cut at an edge have other shapes than their neighbours, and are folded on their own.
                None => next(0, &lie.dims, Strip { chunk, element: 0, index: lie.first_index }),
            }
            outcome?;
        }
        self.push_strips(&strips, chunks, slots, cells, segment)
    }

    /// Folds strips of one group, where this pass is about that group.
    fn push_strips(
        &self,
        strips: &Strips,
        chunks: &Chunks<'_>,
        slots: &mut [Slot],
        cells: usize,
        segment: &mut Segment,
    ) -> Result<()> {
        let (Ok(slot), 1..) = (slots.binary_search_by_key(&strips.group, |s| s.group), strips.len) else {
            return Ok(());
        };
        let places = self.fold.grouping.as_ref().and_then(Grouping::within);
        let own_dims = places.map(|places| strips.dims_within(places));
        let mut rest = slots[slot].state.bytes_mut();
        for part in &self.fold.parts {
            let state = state_of(part, cells, &mut rest);
            let places = places.filter(|_| part.gives_positions());
            let dims = if places.is_some() { own_dims.as_ref() } else { None }.unwrap_or(&strips.dims);
            let mut views =
                [ChunkView { elements: Elements::InTurn(&[]), dims, first_index: 0 }; BATCH_CHUNKS as usize];
            for (view, strip) in views.iter_mut().zip(strips.waiting()) {
                let chunk = &chunks.data[strip.chunk * chunks.each..(strip.chunk + 1) * chunks.each];
                let (filled, size) = (&chunks.filled[strip.chunk], part.decode.stored.size());
                view.elements = self.blocks.elements(part.root, filled, chunk, strip.element, size);
                view.first_index = places.map_or(strip.index, |places| places.index(strips.group, strip.index));
            }
            part.reducer.push(&part.decode, state, cells, &views[..strips.len], segment)?;
        }
        Ok(())
    }
}

impl Lie {
    /// Calls `each(group, dims, first element, its index)` for all that is in one group.
    fn strips(self, grouping: &Grouping, place: &Region, mut each: impl FnMut(u32, &[ViewDim], usize, u64)) {
        let Lie { mut dims, axes, first_index } = self;
        let along: Vec<usize> = (0..axes.len()).filter(|&axis| grouping.grouped()[axis]).collect();
        let part = Region {
            start: along.iter().map(|&axis| place.start[axis]).collect(),
            shape: along.iter().map(|&axis| place.shape[axis]).collect(),
        };
        // Where each grouped axis is among the dimensions, and its strides.
        let steps: Vec<(usize, usize, u64)> = along
            .iter()
            .filter_map(|&axis| {
                let at = axes.iter().position(|&a| a == axis)?;
                let Role::Reduced { index_stride } = dims[at].role else { return None };
                Some((at, dims[at].stride, index_stride))
            })
            .collect();
        steps.iter().for_each(|&(at, ..)| dims[at].len = 1);
        let Some(&(last, ..)) = steps.last() else { return };
        grouping.groups().strips(grouping.lengths(), &part, |group, from, n| {
            dims[last].len = n as usize;
            let (mut element, mut index) = (0, first_index);
            for ((&(_, stride, index_stride), from), start) in steps.iter().zip(from).zip(&part.start) {
                element += (from - start) as usize * stride;
                index += (from - start) * index_stride;
            }
            each(group, &dims, element, index);
        });
    }
}

impl Strips {
    /// Adds a strip, if there is room and it is like those that wait.
    fn take(&mut self, group: u32, dims: &[ViewDim], strip: Strip) -> bool {
        let fits = self.len < self.waiting.len() && self.group == group && self.dims == dims;
        if fits {
            self.waiting[self.len] = strip;
            self.len += 1;
        }
        fits
    }

    /// Begins anew with a strip.
    fn begin(&mut self, group: u32, dims: &[ViewDim], strip: Strip) {
        self.group = group;
        self.dims.clear();
        self.dims.extend_from_slice(dims);
        (self.waiting[0], self.len) = (strip, 1);
    }

    /// The dimensions as values are counted within their group.
    fn dims_within(&self, places: &Within) -> Vec<ViewDim> {
        let role = |role: Role| match role {
            Role::Reduced { index_stride } => Role::Reduced { index_stride: places.stride(self.group, index_stride) },
            kept @ Role::Kept { .. } => kept,
        };
        self.dims.iter().map(|dim| ViewDim { role: role(dim.role), ..*dim }).collect()
    }

    fn waiting(&self) -> &[Strip] {
        &self.waiting[..self.len]
    }
}
