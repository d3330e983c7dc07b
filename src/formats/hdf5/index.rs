//! Where the stored chunks of a dataset lie: [`Index`], read once with `H5Dchunk_iter`.

use super::id::{Id, check, failed};
use crate::{
    error::{Error, Result},
    grid::Grid,
};
use hdf5_sys::{
    h5::{haddr_t, hsize_t},
    h5d::{H5D_chunk_index_t, H5Dchunk_iter, H5Dget_chunk_index_type, H5Dget_space},
    h5p::H5P_DEFAULT,
    h5s::{H5S_UNLIMITED, H5Sget_simple_extent_dims},
};
use std::ffi::{c_int, c_uint, c_void};

const H5D_CHUNK_IDX_EARRAY: H5D_chunk_index_t = 4;

/// One stored chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// From the start of the file, its user block included.
    pub offset: u64,
    pub bytes: u32,
    /// Bit `k` set: filter `k` was not applied.
    pub mask: u32,
}

const MISSING: Slot = Slot { offset: u64::MAX, bytes: 0, mask: 0 };

/// The stored chunks of a grid.
#[derive(Debug)]
pub(super) enum Index {
    /// By number.
    Dense(Vec<Slot>),
    /// With their numbers, sorted: for grids that are mostly empty.
    Sparse(Vec<(u64, Slot)>),
}

impl Index {
    /// Reads the index of an open dataset. Chunks outside `grid` are left out.
    ///
    /// # Errors
    /// When the library fails, a chunk does not lie on the grid, or there are more than the file can hold.
    pub fn read(dataset: &Id, grid: &Grid, file_bytes: u64) -> Result<Index> {
        let turned = Turned::of(dataset, grid)?;
        let mut visit = Visit { grid, turned, left: file_bytes.saturating_add(1), found: Vec::new(), problem: None };
        // SAFETY: `each` gets `visit` back, which outlives the iteration.
        let status = unsafe { H5Dchunk_iter(dataset.get(), H5P_DEFAULT, Some(each), (&raw mut visit).cast()) };
        let Visit { mut found, problem, .. } = visit;
        match problem {
            Some(detail) => return Err(Error::corrupt("chunk index", detail)),
            None if status < 0 => return Err(failed("chunk index")),
            None => {}
        }
        if !found.is_sorted_by_key(|f| f.0) {
            found.sort_by_key(|f| f.0);
        }
        found.dedup_by_key(|f| f.0);
        let chunks = grid.chunks();
        if chunks / 2 > found.len() as u64 {
            found.shrink_to_fit();
            return Ok(Index::Sparse(found));
        }
        let mut dense = vec![MISSING; chunks as usize];
        for (number, slot) in found {
            dense[number as usize] = slot;
        }
        Ok(Index::Dense(dense))
    }

    /// The stored chunk of a number, `None` where nothing was written.
    pub fn get(&self, number: u64) -> Option<Slot> {
        match self {
            Index::Dense(slots) => slots.get(usize::try_from(number).ok()?).copied().filter(|s| *s != MISSING),
            Index::Sparse(slots) => slots.binary_search_by_key(&number, |s| s.0).ok().map(|at| slots[at].1),
        }
    }

    /// Every stored chunk.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        let (dense, sparse) = match self {
            Index::Dense(slots) => (slots.as_slice(), [].as_slice()),
            Index::Sparse(slots) => ([].as_slice(), slots.as_slice()),
        };
        dense.iter().copied().filter(|s| *s != MISSING).chain(sparse.iter().map(|s| s.1))
    }

    /// Bytes that it takes in memory.
    pub fn held_bytes(&self) -> u64 {
        match self {
            Index::Dense(slots) => (slots.capacity() * size_of::<Slot>()) as u64,
            Index::Sparse(slots) => (slots.capacity() * size_of::<(u64, Slot)>()) as u64,
        }
    }
}

/// Extensible arrays put the axis that can grow first. `H5Dchunk_iter` (HDF5 2.2) forgets that, and reports positions
/// as if the axes were in order; from these follows the place in the array, and from that the real position.
struct Turned {
    /// The axis that can grow.
    axis: usize,
    /// How many chunks each axis can have.
    counts_max: Vec<u64>,
}

impl Turned {
    /// `None` where the library's positions are right.
    fn of(dataset: &Id, grid: &Grid) -> Result<Option<Turned>> {
        let (mut kind, mut now, mut max) = (0, vec![0; grid.shape().len()], vec![0; grid.shape().len()]);
        // SAFETY: the dataset is open, and the arrays have its rank.
        unsafe {
            check(H5Dget_chunk_index_type(dataset.get(), &mut kind), "chunk index")?;
            let space = Id::new(H5Dget_space(dataset.get()), "space")?;
            if !max.is_empty() {
                check(H5Sget_simple_extent_dims(space.get(), now.as_mut_ptr(), max.as_mut_ptr()), "extent")?;
            }
        }
        let axis = max.iter().position(|&n| n == H5S_UNLIMITED);
        let counts_max = max.iter().zip(grid.chunk().iter()).map(|(n, c)| n.div_ceil(*c).max(1)).collect();
        Ok(axis.filter(|&axis| axis > 0 && kind == H5D_CHUNK_IDX_EARRAY).map(|axis| Turned { axis, counts_max }))
    }

    /// Puts a position (in chunks) right.
    fn turn(&self, at: &mut [u64]) {
        let step = |n: u64, axis: usize| n.saturating_mul(self.counts_max[axis]).saturating_add(at[axis]);
        let mut place = (self.axis + 1..at.len()).fold(at[self.axis], step);
        for axis in (0..at.len()).rev().filter(|&axis| axis != self.axis) {
            at[axis] = place % self.counts_max[axis];
            place /= self.counts_max[axis];
        }
        at[self.axis] = place;
    }
}

struct Visit<'a> {
    grid: &'a Grid,
    turned: Option<Turned>,
    /// One more than the bytes that further chunks can have in a file of this size.
    left: u64,
    found: Vec<(u64, Slot)>,
    problem: Option<String>,
}

/// Takes one chunk; anything but zero ends the iteration.
extern "C" fn each(at: *const hsize_t, mask: c_uint, offset: haddr_t, bytes: hsize_t, data: *mut c_void) -> c_int {
    // SAFETY: the library hands in as many positions as the dataset has axes, and our own `Visit`.
    let (at, visit) = unsafe {
        let visit = &mut *data.cast::<Visit<'_>>();
        (std::slice::from_raw_parts(at, visit.grid.shape().len()), visit)
    };
    let chunk = visit.grid.chunk();
    if at.iter().zip(chunk.iter()).any(|(start, len)| start % len != 0) {
        visit.problem = Some(format!("a chunk at {at:?} does not lie on the grid"));
        return 1;
    }
    let mut position: Vec<u64> = at.iter().zip(chunk.iter()).map(|(start, len)| start / len).collect();
    if let Some(turned) = &visit.turned {
        turned.turn(&mut position);
    }
    // No two chunks share bytes.
    visit.left = visit.left.saturating_sub(bytes.max(1));
    if visit.left == 0 {
        visit.problem = Some("its chunks have more bytes than the file".into());
        return 1;
    }
    if position.iter().zip(visit.grid.counts()).any(|(i, count)| i >= count) {
        return 0;
    }
    let Ok(bytes) = u32::try_from(bytes) else {
        visit.problem = Some(format!("the chunk at {at:?} has {bytes} bytes"));
        return 1;
    };
    visit.found.push((visit.grid.number(&position), Slot { offset, bytes, mask }));
    0
}
