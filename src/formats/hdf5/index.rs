//! Where the stored chunks of a dataset lie: [`Index`], read once with `H5Dchunk_iter`.

use super::id::{Id, failed};
use crate::{
    error::{Error, Result},
    grid::Grid,
};
use hdf5_sys::{h5::haddr_t, h5::hsize_t, h5d::H5Dchunk_iter, h5p::H5P_DEFAULT};
use std::ffi::{c_int, c_uint, c_void};

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
        let mut visit = Visit { grid, left: file_bytes.saturating_add(1), found: Vec::new(), problem: None };
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

struct Visit<'a> {
    grid: &'a Grid,
    /// How many more chunks a file of this size can hold.
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
    let mut number = 0u64;
    for ((&start, &len), &count) in at.iter().zip(visit.grid.chunk().iter()).zip(visit.grid.counts()) {
        if start % len != 0 {
            visit.problem = Some(format!("a chunk at {at:?} does not lie on the grid"));
            return 1;
        }
        if start / len >= count {
            return 0;
        }
        number = number * count + start / len;
    }
    let Ok(bytes) = u32::try_from(bytes) else {
        visit.problem = Some(format!("the chunk at {at:?} has {bytes} bytes"));
        return 1;
    };
    visit.left -= 1;
    if visit.left == 0 {
        visit.problem = Some("it has more chunks than the file has bytes".into());
        return 1;
    }
    visit.found.push((number, Slot { offset, bytes, mask }));
    0
}
