//! A variable whose values are in memory: [`Known`].

use crate::{
    codec::{Scratch, ScratchSize},
    dtype::{ByteOrder, Element},
    error::{Error, Result},
    grid::Grid,
    shape::ChunkIndex,
    source::{Layout, Origin, Source, VarMeta},
    with_dtype,
};

/// A coordinate that was read while files were joined. It is small, and is counted in what the process holds.
pub(super) struct Known {
    meta: VarMeta,
    origin: Origin,
    grid: Grid,
    layout: Layout,
    bytes: Vec<u8>,
}

impl Known {
    /// Values as the variable's own type holds them.
    ///
    /// # Errors
    /// When there are not as many as its shape says, or it holds no numbers.
    pub fn new(meta: VarMeta, origin: Origin, values: &[f64]) -> Result<Known> {
        let dtype = meta.stored.dtype().ok_or_else(|| Error::usage("it holds no numbers"))?;
        let bytes = with_dtype!(dtype, T => {
            let all: Vec<T> = values.iter().map(|&x| T::from_f64(x)).collect();
            bytemuck::cast_slice::<T, u8>(&all).to_vec()
        });
        if meta.shape.bytes(dtype.size())? != bytes.len() {
            let found = format!("{} values for the shape {}", values.len(), meta.shape);
            return Err(Error::corrupt("coordinate", found).in_variable(&meta.path));
        }
        let grid = Grid::new(meta.shape.clone(), meta.shape.iter().map(|n| (*n).max(1)).collect())?;
        let layout = Layout::row_major(ByteOrder::NATIVE, meta.shape.len());
        Ok(Known { meta, origin, grid, layout, bytes })
    }
}

impl Source for Known {
    fn meta(&self) -> &VarMeta {
        &self.meta
    }

    fn origin(&self) -> Origin {
        self.origin.clone()
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn scratch(&self) -> ScratchSize {
        ScratchSize::default()
    }

    fn stored_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn held_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, _: &ChunkIndex, _: &mut Scratch, out: &mut [u8]) -> Result<()> {
        let (have, want) = (self.bytes.len(), out.len());
        let to =
            out.get_mut(..have).ok_or_else(|| Error::corrupt("chunk", format!("{have} bytes do not fit {want}")))?;
        to.copy_from_slice(&self.bytes);
        Ok(())
    }
}
