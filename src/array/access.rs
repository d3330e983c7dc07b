use super::{Along, LazyArray, Operation, View, reshape};
use crate::{
    grid::Grid,
    shape::{Region, Shape},
};

/// A region of one of the arrays that an array is directly computed from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Access {
    /// Which: its place in [`LazyArray::inputs`].
    pub input: usize,
    /// The elements.
    pub region: Region,
}

impl LazyArray {
    /// What a region of it is made of: the regions of its inputs that are read to compute the region, and no others.
    ///
    /// Views with steps are said by the smallest region around their elements. Where elements come from several
    /// places of one input, there are several regions. Regions without elements are left out.
    ///
    /// # Example
    /// ```
    /// use aosx::{prelude::*, shape::Region};
    ///
    /// let x = LazyArray::ones(&[15, 10], &[5, 5], DType::F64)?;
    /// let needed = x.transpose().access(&Region { start: vec![0, 5], shape: vec![5, 5].into() });
    /// assert_eq!(needed[0].region, Region { start: vec![5, 0], shape: vec![5, 5].into() });
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    ///
    /// # Panics
    /// When the region is not one of this array.
    pub fn access(&self, region: &Region) -> Vec<Access> {
        let fits = region.start.len() == self.ndim()
            && (0..self.ndim()).all(|k| region.start[k] + region.shape[k] <= self.shape()[k]);
        assert!(fits, "{region:?} is no region of an array of shape {}", self.shape());
        if region.shape.contains(&0) {
            return Vec::new();
        }
        let mut out = self.needed(region);
        out.retain(|access| !access.region.shape.contains(&0));
        out
    }

    fn needed(&self, region: &Region) -> Vec<Access> {
        let of = |input: usize, region: Region| Access { input, region };
        match self.operation() {
            Operation::Source(_) | Operation::Create(_) => Vec::new(),
            Operation::Decode { .. } | Operation::Rechunk { .. } | Operation::Hold { .. } => {
                vec![of(0, region.clone())]
            }
            Operation::Map { inputs, .. } => {
                let part = |a: &LazyArray| if a.ndim() == 0 { Region::default() } else { region.clone() };
                inputs.iter().enumerate().map(|(k, a)| of(k, part(a))).collect()
            }
            Operation::View { view, .. } => vec![of(0, view.picks(region).bounds())],
            Operation::Reshape { input } => {
                reshaped(input.shape(), self.shape(), region).into_iter().map(|r| of(0, r)).collect()
            }
            Operation::Concat { inputs, axis } => parts(inputs, *axis, region),
            Operation::Take { axis, index, .. } => {
                let (from, count) = (region.start[*axis] as usize, region.shape[*axis] as usize);
                let along = |(start, n)| of(0, region.with_axis(*axis, start, n));
                runs(&index[from..from + count]).into_iter().map(along).collect()
            }
            Operation::TakeAlong { input, axis, .. } => {
                vec![of(0, region.with_axis(*axis, 0, input.shape()[*axis])), of(1, region.clone())]
            }
            Operation::Lanes { axis, op, .. } if op.is_cumulative() => {
                vec![of(0, region.with_axis(*axis, 0, region.start[*axis] + region.shape[*axis]))]
            }
            Operation::Lanes { input, axis, .. } => vec![of(0, region.with_axis(*axis, 0, input.shape()[*axis]))],
            Operation::Rolling { input, axis, window, .. } => {
                let [before, after] = window.reach();
                let start = region.start[*axis].saturating_sub(before);
                let end = (region.start[*axis] + region.shape[*axis]).saturating_add(after).min(input.shape()[*axis]);
                vec![of(0, region.with_axis(*axis, start, end - start))]
            }
            Operation::MatMul { a, .. } => {
                let (rows, columns, common) = (self.ndim() - 2, self.ndim() - 1, a.shape()[a.ndim() - 1]);
                vec![of(0, region.with_axis(columns, 0, common)), of(1, region.with_axis(rows, 0, common))]
            }
            Operation::Blocks { inputs, function, .. } if function.any_region() => {
                (0..inputs.len()).map(|k| of(k, region.clone())).collect()
            }
            Operation::Blocks { inputs, overlap, .. } => self.blocks_of(inputs, overlap, region),
            Operation::Reduce { input, reduced, .. } | Operation::Fold { input, reduced, .. } => {
                vec![of(0, widened(region, reduced, input.shape()))]
            }
            Operation::Grouped { .. } => self.members(region).into_iter().map(|r| of(0, r)).collect(),
        }
    }

    /// Of grouped values, those of the groups that a region of the result asks for.
    fn members(&self, region: &Region) -> Vec<Region> {
        let Operation::Grouped { input, groups, grouped, reduced, .. } = self.operation() else { return Vec::new() };
        let axes: Vec<usize> = (0..input.ndim()).filter(|&k| grouped[k]).collect();
        let place = reduced[..axes[0]].iter().filter(|r| !**r).count();
        let mut kept = region.clone();
        let (first, n) = (kept.start.remove(place), kept.shape.0.remove(place));
        let whole = widened(&kept, reduced, input.shape());
        let lengths: Shape = axes.iter().map(|&k| input.shape()[k]).collect();
        let mut out = Vec::new();
        groups.strips(&lengths, &Region::all(&lengths), |group, at, n_along| {
            if (first..first + n).contains(&u64::from(group)) {
                let mut strip = whole.clone();
                for (&axis, &from) in axes.iter().zip(at) {
                    (strip.start[axis], strip.shape.0[axis]) = (from, 1);
                }
                strip.shape.0[axes[axes.len() - 1]] = n_along;
                out.push(strip);
            }
        });
        out
    }

    /// Whole blocks, wherever the region touches one.
    fn blocks_of(&self, inputs: &[LazyArray], overlap: &[u64], region: &Region) -> Vec<Access> {
        let mut out = Vec::new();
        for index in blocks(self.shape(), self.chunk(), region) {
            for (input, array) in inputs.iter().enumerate() {
                // Where blocks overlap, the input is padded: its block begins where the result's does, and goes on
                // by twice the overlap.
                let (shape, chunk) =
                    if overlap.is_empty() { (array.shape(), array.chunk()) } else { (self.shape(), self.chunk()) };
                let mut of = Region::default();
                for k in 0..shape.len() {
                    let only = shape[k] <= chunk[k];
                    let start = if only { 0 } else { index[k] * chunk[k] };
                    let length = chunk[k].min(shape[k].saturating_sub(start));
                    of.start.push(start);
                    of.shape.0.push(length + 2 * overlap.get(k).copied().unwrap_or(0));
                }
                let access = Access { input, region: of };
                if !out.contains(&access) {
                    out.push(access);
                }
            }
        }
        out
    }
}

impl View {
    /// Whether it only says anew where the same elements stand: whole axes in their order, some repeated, new ones of
    /// any length.
    pub fn is_broadcast(&self, of: &Shape) -> bool {
        let mut next = 0;
        self.axes.iter().zip(of.iter()).all(|(along, &n)| match *along {
            Along::At(_) => n == 1,
            Along::Axis { axis, start, step } => {
                let follows = axis >= next && start == 0 && step == 1 && self.shape[axis] == n;
                next = axis + 1;
                follows
            }
        })
    }
}

/// The blocks that a region touches.
fn blocks(shape: &Shape, chunk: &Shape, region: &Region) -> Vec<crate::shape::ChunkIndex> {
    // An array was made of this shape and these blocks, and so they are a grid.
    Grid::new(shape.clone(), chunk.clone()).map(|grid| grid.overlapping(region).collect()).unwrap_or_default()
}

/// The region of the kept axes, with the whole of those that are reduced.
fn widened(region: &Region, reduced: &[bool], shape: &Shape) -> Region {
    let mut kept = region.start.iter().zip(region.shape.iter());
    let mut out = Region::default();
    for (k, &gone) in reduced.iter().enumerate() {
        let whole = (0, shape[k]);
        let (start, length) = if gone { whole } else { kept.next().map_or(whole, |(&s, &n)| (s, n)) };
        out.start.push(start);
        out.shape.0.push(length);
    }
    out
}

/// What each part of a concatenation gives to a region.
fn parts(inputs: &[LazyArray], axis: usize, region: &Region) -> Vec<Access> {
    let (from, to) = (region.start[axis], region.start[axis] + region.shape[axis]);
    let mut out = Vec::new();
    let mut start = 0;
    for (input, array) in inputs.iter().enumerate() {
        let end = start + array.shape()[axis];
        let (first, last) = (from.max(start), to.min(end));
        if first < last {
            out.push(Access { input, region: region.with_axis(axis, first - start, last - first) });
        }
        start = end;
    }
    out
}

/// Positions as runs of neighbours, in order, each once: where a run begins, and how long it is.
fn runs(positions: &[u64]) -> Vec<(u64, u64)> {
    let mut sorted = positions.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut out: Vec<(u64, u64)> = Vec::new();
    for at in sorted {
        match out.last_mut() {
            Some((start, length)) if *start + *length == at => *length += 1,
            _ => out.push((at, 1)),
        }
    }
    out
}

/// Boxes of old elements that are a region under the new shape: every choice of one piece of each group of axes.
fn reshaped(old: &Shape, new: &Shape, region: &Region) -> Vec<Region> {
    let mut out = vec![Region::default()];
    let mut axis = 0;
    for group in reshape::groups(old, new) {
        let part = axis..axis + group.new.len();
        axis = part.end;
        let local = Region { start: region.start[part.clone()].to_vec(), shape: region.shape[part].into() };
        let pieces = group.pieces(&local);
        let joined = |a: &Region, b: &Region| Region {
            start: [&a.start[..], &b.start].concat(),
            shape: [&a.shape[..], &b.shape].concat().into(),
        };
        out = out.iter().flat_map(|a| pieces.iter().map(|p| joined(a, &p.from)).collect::<Vec<_>>()).collect();
    }
    out
}
