//! The values of a dataset that only the library can read: compact, external and virtual storage, and types that
//! it has to convert. One reader at a time, under its lock.

use super::{
    direct::Fill,
    id::{Id, check},
};
use crate::{
    codec::{Scratch, ScratchSize},
    error::{Error, Result},
    grid::Grid,
    shape::{ChunkIndex, Region},
    source::{Layout, Origin, Source, VarMeta},
};
use hdf5::sync::sync;
use hdf5_sys::{
    h5d::{H5Dget_space, H5Dread},
    h5i::hid_t,
    h5p::H5P_DEFAULT,
    h5s::{H5S_seloper_t::H5S_SELECT_SET, H5Screate_simple, H5Sselect_hyperslab},
};
use std::path::PathBuf;

pub(super) struct Through {
    pub origin: PathBuf,
    pub dataset: Id,
    /// The type in memory: the file's own where its bytes are taken as they are.
    pub memory: Memory,
    pub meta: VarMeta,
    pub grid: Grid,
    pub layout: Layout,
    pub fill: Fill,
}

/// A type in memory: the library's own constant, or one of ours.
pub(super) enum Memory {
    Constant(hid_t),
    Own(Id),
}

impl Through {
    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let extent = Region::all(&self.fill.extent);
        let Some(inside) = region.intersect(&extent) else { return Ok(()) };
        let rank = inside.start.len();
        let zeros = vec![0u64; rank];
        let memory = match &self.memory {
            Memory::Constant(raw) => *raw,
            Memory::Own(id) => id.get(),
        };
        // SAFETY: the selections lie inside the spaces, and `out` has the size of the chunk's space.
        sync(|| unsafe {
            if rank == 0 {
                return check(H5Dread(self.dataset.get(), memory, 0, 0, H5P_DEFAULT, out.as_mut_ptr().cast()), "read");
            }
            let null = std::ptr::null();
            let of_chunk = Id::new(H5Screate_simple(rank as i32, self.grid.chunk().as_ptr(), null), "space")?;
            let of_file = Id::new(H5Dget_space(self.dataset.get()), "space")?;
            let count = inside.shape.as_ptr();
            check(H5Sselect_hyperslab(of_chunk.get(), H5S_SELECT_SET, zeros.as_ptr(), null, count, null), "select")?;
            check(
                H5Sselect_hyperslab(of_file.get(), H5S_SELECT_SET, inside.start.as_ptr(), null, count, null),
                "select",
            )?;
            let (from, to) = (of_file.get(), of_chunk.get());
            check(H5Dread(self.dataset.get(), memory, to, from, H5P_DEFAULT, out.as_mut_ptr().cast()), "read")
        })?;
        Ok(())
    }
}

impl Source for Through {
    fn meta(&self) -> &VarMeta {
        &self.meta
    }

    fn origin(&self) -> Origin {
        Origin { file: self.origin.clone(), variable: self.meta.path.clone() }
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn scratch(&self) -> ScratchSize {
        // The library's own buffers: one chunk before and one after conversion.
        ScratchSize { state: self.chunk_bytes().saturating_mul(2), ..ScratchSize::default() }
    }

    fn read(&self, chunk: &ChunkIndex, _: &mut Scratch, out: &mut [u8]) -> Result<()> {
        let region = self.grid.region(chunk);
        let here = |e: Error| e.in_file(&self.origin).in_variable(&self.meta.path).in_chunk(chunk);
        if out.len() != self.chunk_bytes() {
            return Err(here(Error::corrupt("chunk", format!("{} bytes are not its size", out.len()))));
        }
        self.read_region(&region, out).map_err(here)?;
        if self.fill.reaches_beyond(&region) {
            self.fill.behind_extent(&region, self.grid.chunk(), out);
        }
        Ok(())
    }
}
