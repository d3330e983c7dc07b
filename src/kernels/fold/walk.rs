//! The way through a chunk: which dimension the inner loop runs along, and the loops around it.

use super::{ChunkView, Role, ViewDim};

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
    Run { len: usize, stride: usize, parts: Parts },
}

/// What a run spans. Most span one dimension, and short ones are too many for an allocation each.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Parts {
    One([(u64, u64); 1]),
    Several(Vec<(u64, u64)>),
}

impl Parts {
    pub(super) fn all(&self) -> &[(u64, u64)] {
        match self {
            Parts::One(one) => one,
            Parts::Several(parts) => parts,
        }
    }
}

/// The loops over one chunk, outermost first.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    pub kept: Vec<Kept>,
    pub reduced: Vec<Reduced>,
    pub inner: Inner,
    pub first_index: u64,
}

/// Dimensions that one loop can run along, and those of length 1 between them.
#[derive(Clone, Copy)]
struct Group {
    first: usize,
    last: usize,
    len: usize,
}

impl Walk {
    /// The cheapest way through a chunk, which depends on its shape and strides alone; `None` where it has no elements.
    pub(super) fn new(view: &ChunkView<'_>) -> Option<Walk> {
        let dims = view.dims;
        if dims.iter().any(|d| d.len == 0) {
            return None;
        }
        let total: usize = dims.iter().map(|d| d.len).product();
        let inner = groups(dims)
            .filter(|g| !matches!(dims[g.last].role, Role::Kept { cell_stride } if cell_stride != 1))
            .min_by_key(|g| {
                let gathered = dims[g.last].stride != 1;
                total * if gathered { GATHER } else { 1 } + total / g.len * CALL
            });
        let spanned = |k: usize| inner.is_some_and(|g| (g.first..=g.last).contains(&k));
        let (mut kept, mut reduced) = (vec![], vec![]);
        for (_, d) in dims.iter().enumerate().filter(|(k, d)| d.len > 1 && !spanned(*k)) {
            match d.role {
                Role::Kept { cell_stride } => kept.push(Kept { len: d.len, stride: d.stride, cell_stride }),
                Role::Reduced { index_stride } => reduced.push(Reduced { len: d.len, stride: d.stride, index_stride }),
            }
        }
        let inner = match inner {
            None => Inner::Run { len: 1, stride: 1, parts: Parts::One([(1, 0)]) },
            Some(group) => {
                let last = &dims[group.last];
                match last.role {
                    Role::Kept { .. } => Inner::Lane { len: group.len, stride: last.stride },
                    Role::Reduced { .. } => {
                        let part = |d: &ViewDim| match d.role {
                            Role::Reduced { index_stride } => (d.len as u64, index_stride),
                            Role::Kept { .. } => (1, 0),
                        };
                        let spanned = &dims[group.first..=group.last];
                        let parts = match spanned {
                            [one] => Parts::One([part(one)]),
                            several => Parts::Several(several.iter().filter(|d| d.len > 1).map(part).collect()),
                        };
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
fn groups(dims: &[ViewDim]) -> impl Iterator<Item = Group> + '_ {
    let mut long = dims.iter().enumerate().filter(|(_, d)| d.len > 1).peekable();
    std::iter::from_fn(move || {
        let (first, d) = long.next()?;
        let mut group = Group { first, last: first, len: d.len };
        while let Some((k, d)) = long.next_if(|(_, d)| joined(&dims[group.last], d)) {
            group = Group { last: k, len: group.len * d.len, ..group };
        }
        Some(group)
    })
}

/// Whether one loop can run along a dimension and the next longer than one.
fn joined(outer: &ViewDim, inner: &ViewDim) -> bool {
    outer.stride == inner.len * inner.stride
        && match (&outer.role, &inner.role) {
            (Role::Kept { cell_stride: a }, Role::Kept { cell_stride: b }) => *a == inner.len * b,
            (Role::Reduced { .. }, Role::Reduced { .. }) => true,
            _ => false,
        }
}
