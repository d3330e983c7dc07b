//! The values of one variable: runs of bytes at offsets that follow from the header.

use super::header::Header;
use crate::{
    codec::{Scratch, ScratchSize},
    dtype::ByteOrder,
    error::{Error, Result},
    grid::Grid,
    shape::{ChunkIndex, Region, Shape},
    source::{Layout, Origin, Source, VarMeta},
    store::LocalFile,
};
use std::sync::Arc;

/// Records are gathered into chunks of about this size.
const CHUNK_BYTES: u64 = 1 << 20;
/// Skipping fewer bytes than this between two records costs less than asking the system twice.
const SKIP_BYTES_MAX: u64 = 8 << 10;
/// What one such read takes at most.
const SPAN_BYTES: u64 = 256 << 10;

pub(super) struct ClassicSource {
    file: Arc<LocalFile>,
    meta: VarMeta,
    grid: Grid,
    layout: Layout,
    begin: u64,
    size: u64,
    /// `None` for a fixed variable.
    records: Option<Records>,
}

/// How the records of a variable lie among those of the others.
struct Records {
    /// From one record to the next.
    stride: u64,
    /// One record of this variable.
    slab: u64,
    /// How many records one read takes, skipping what lies between them.
    span: u64,
}

impl ClassicSource {
    pub fn new(file: Arc<LocalFile>, header: &Header, number: usize, meta: VarMeta) -> Result<ClassicSource> {
        let var = &header.vars[number];
        let size = var.kind.size();
        let layout = Layout::row_major(ByteOrder::Big, meta.shape.len());
        let mut source = ClassicSource {
            file,
            grid: Grid::of_contiguous(meta.shape.clone(), size)?,
            meta,
            layout,
            begin: var.begin,
            size: size as u64,
            records: None,
        };
        if var.is_record {
            let (stride, slab) = (header.record_bytes, var.slab_bytes()?);
            let gathered = (CHUNK_BYTES / slab.max(1)).clamp(1, header.records.max(1));
            let mut chunk = vec![gathered];
            chunk.extend_from_slice(Grid::of_contiguous(var.slab.clone(), size)?.chunk());
            source.grid = Grid::new(source.meta.shape.clone(), Shape(chunk))?;
            let near = stride - slab.min(stride) <= SKIP_BYTES_MAX && gathered > 1;
            let span = if near { (SPAN_BYTES / stride.max(1)).clamp(1, gathered) } else { 1 };
            source.records = Some(Records { stride, slab, span });
            // Offsets inside the declared extent must be numbers, even where the file is shorter.
            stride
                .checked_mul(header.records)
                .and_then(|n| n.checked_add(var.begin))
                .filter(|&n| n <= i64::MAX as u64)
                .ok_or_else(|| Error::corrupt("NetCDF classic header", "its records end behind 2^63"))?;
        }
        Ok(source)
    }

    fn read_region(&self, region: &Region, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        let strides = self.meta.shape.strides();
        let offset = |region: &Region, from: usize| -> u64 {
            (from..strides.len()).map(|k| region.start[k] * strides[k]).sum::<u64>() * self.size
        };
        let bytes = region.shape.bytes(self.size as usize)?;
        let Some(out) = out.get_mut(..bytes) else {
            return Err(Error::corrupt("chunk", format!("{bytes} bytes do not fit {}", out.len())));
        };
        let Some(records) = &self.records else {
            return self.file.read_at(self.begin + offset(region, 0), out, "values");
        };
        let first = self.begin + region.start[0] * records.stride + offset(region, 1);
        let count = region.shape[0];
        if count == 1 || records.stride == records.slab {
            self.file.read_at(first, out, "records")
        } else {
            self.read_strided(records, first, count, scratch, out)
        }
    }

    /// Reads `count` whole records that lie `stride` bytes apart.
    fn read_strided(
        &self,
        records: &Records,
        first: u64,
        count: u64,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<()> {
        let (stride, slab) = (records.stride as usize, records.slab as usize);
        if slab == 0 {
            return Ok(());
        }
        let mut done = 0;
        for part in out.chunks_mut(slab * records.span as usize) {
            let here = (part.len() / slab) as u64;
            let at = first + done * records.stride;
            if here == 1 {
                self.file.read_at(at, part, "records")?;
            } else {
                let bytes = (here as usize - 1) * stride + slab;
                let Some(span) = scratch.stored.bytes_mut().get_mut(..bytes) else {
                    return Err(Error::corrupt("scratch", format!("{bytes} bytes do not fit")));
                };
                self.file.read_at(at, span, "records")?;
                for (to, from) in part.chunks_exact_mut(slab).zip(span.chunks(stride)) {
                    to.copy_from_slice(&from[..slab]);
                }
            }
            done += here;
        }
        debug_assert_eq!(done, count);
        Ok(())
    }
}

impl Source for ClassicSource {
    fn meta(&self) -> &VarMeta {
        &self.meta
    }

    fn origin(&self) -> Origin {
        Origin { file: self.file.path().to_path_buf(), variable: self.meta.path.clone() }
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn scratch(&self) -> ScratchSize {
        let stored = self.records.as_ref().filter(|r| r.span > 1).map_or(0, |r| r.span * r.stride);
        ScratchSize { stored: stored as usize, ..ScratchSize::default() }
    }

    fn read(&self, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        let region = self.grid.region(chunk);
        self.read_region(&region, scratch, out)
            .map_err(|e| e.in_file(self.file.path()).in_variable(&self.meta.path).in_chunk(chunk))
    }
}
