//! The way through a chunk: which dimension the inner loop runs along, and the loops around it.

use super::{ChunkView, Role};

/// What a call of the inner loop costs beside its elements, in elements.
const CALL: usize = 40;
/// What an element costs that has to be gathered.
const GATHER: usize = 4;

/// One loop over cells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub len: usize,
    pub stride: usize,
    pub cell_stride: usize,
}

/// One loop over values of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reduced {
    pub len: usize,
    pub stride: usize,
    pub index_stride: u64,
}

/// The inner loop.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Inner {
    /// Over neighbouring cells.
    Lane { len: usize, stride: usize },
    /// Over values of one cell, with lengths and index strides of the dimensions that it spans.
    Run { len: usize, stride: usize, parts: Vec<(u64, u64)> },
}

/// The loops over one chunk, outermost first.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    pub kept: Vec<Kept>,
    pub reduced: Vec<Reduced>,
    pub inner: Inner,
    pub first_index: u64,
}

/// Dimensions that one loop can run along.
struct Group {
    dims: Vec<usize>,
    len: usize,
}

impl Walk {
    /// The cheapest way through a chunk, which depends on its shape and strides alone; `None` where it has no elements.
    pub(super) fn new(view: &ChunkView<'_>) -> Option<Walk> {
        let dims = view.dims;
        if dims.iter().any(|d| d.len == 0) {
            return None;
        }
        let groups = groups(view);
        let last_dim = |g: &Group| &dims[g.dims[g.dims.len() - 1]];
        let total: usize = groups.iter().map(|g| g.len).product();
        let inner = groups
            .iter()
            .filter(|g| !matches!(last_dim(g).role, Role::Kept { cell_stride } if cell_stride != 1))
            .min_by_key(|g| {
                let gathered = last_dim(g).stride != 1;
                total * if gathered { GATHER } else { 1 } + total / g.len * CALL
            });
        let spanned: &[usize] = inner.map_or(&[], |g| &g.dims);
        let (mut kept, mut reduced) = (vec![], vec![]);
        for (_, d) in dims.iter().enumerate().filter(|(k, d)| d.len > 1 && !spanned.contains(k)) {
            match d.role {
                Role::Kept { cell_stride } => kept.push(Kept { len: d.len, stride: d.stride, cell_stride }),
                Role::Reduced { index_stride } => reduced.push(Reduced { len: d.len, stride: d.stride, index_stride }),
            }
        }
        let inner = match inner {
            None => Inner::Run { len: 1, stride: 1, parts: vec![] },
            Some(group) => {
                let last = last_dim(group);
                match last.role {
                    Role::Kept { .. } => Inner::Lane { len: group.len, stride: last.stride },
                    Role::Reduced { .. } => {
                        let part = |&k: &usize| match dims[k].role {
                            Role::Reduced { index_stride } => (dims[k].len as u64, index_stride),
                            Role::Kept { .. } => (1, 0),
                        };
                        let parts = group.dims.iter().map(part).collect();
                        Inner::Run { len: group.len, stride: last.stride, parts }
                    }
                }
            }
        };
        Some(Walk { kept, reduced, inner, first_index: view.first_index })
    }

    /// Whether two chunks can be folded together, a piece of their cells at a time.
    pub(super) fn same_lanes(&self, other: &Walk) -> bool {
        let lane = |w: &Walk| match w.inner {
            Inner::Lane { len, .. } => Some(len),
            Inner::Run { .. } => None,
        };
        lane(self).is_some()
            && lane(self) == lane(other)
            && self.kept.len() == other.kept.len()
            && self.kept.iter().zip(&other.kept).all(|(a, b)| a.len == b.len && a.cell_stride == b.cell_stride)
    }

    /// The number of times that the loops over cells run.
    pub(super) fn cell_loops(&self) -> usize {
        self.kept.iter().map(|k| k.len).product()
    }

    /// The element and the cell at which the `n`th of them starts.
    pub(super) fn cell_start(&self, mut n: usize) -> (usize, usize) {
        let (mut element, mut cell) = (0, 0);
        for k in self.kept.iter().rev() {
            element += n % k.len * k.stride;
            cell += n % k.len * k.cell_stride;
            n /= k.len;
        }
        (element, cell)
    }

    /// Calls `each(element, index)` for every step of the loops over values.
    #[inline]
    pub(super) fn for_values(&self, element: usize, each: &mut impl FnMut(usize, u64)) {
        for_values(&self.reduced, element, self.first_index, each);
    }
}

fn for_values(loops: &[Reduced], element: usize, index: u64, each: &mut impl FnMut(usize, u64)) {
    match loops {
        [] => each(element, index),
        [one] => {
            (0..one.len).for_each(|i| each(element + i * one.stride, index + i as u64 * one.index_stride));
        }
        [outer, rest @ ..] => {
            for i in 0..outer.len {
                for_values(rest, element + i * outer.stride, index + i as u64 * outer.index_stride, each);
            }
        }
    }
}

/// Dimensions longer than one, neighbours joined where one loop can run along both.
fn groups(view: &ChunkView<'_>) -> Vec<Group> {
    let dims = view.dims;
    let mut groups: Vec<Group> = vec![];
    for (k, d) in dims.iter().enumerate().filter(|(_, d)| d.len > 1) {
        if let Some(group) = groups.last_mut() {
            let outer = &dims[group.dims[group.dims.len() - 1]];
            let joined = outer.stride == d.len * d.stride
                && match (&outer.role, &d.role) {
                    (Role::Kept { cell_stride: a }, Role::Kept { cell_stride: b }) => *a == d.len * b,
                    (Role::Reduced { .. }, Role::Reduced { .. }) => true,
                    _ => false,
                };
            if joined {
                group.dims.push(k);
                group.len *= d.len;
                continue;
            }
        }
        groups.push(Group { dims: vec![k], len: d.len });
    }
    groups
}
