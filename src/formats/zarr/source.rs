//! The chunks of one array.

use super::{
    array::{Chain, Coding, ElementForm, fill_bytes},
    container::StoredArray,
    filters::{self, Filter},
    foreign::Foreign,
    keys::{Keys, Sizes},
    shard::Shards,
};
use crate::{
    codec::{Pipeline, Scratch, ScratchSize},
    error::{Error, Problem, Result},
    grid::Grid,
    shape::{ChunkIndex, Shape},
    source::{Layout, Origin, Source, VarMeta},
};
use std::{path::PathBuf, sync::Arc};

/// An array whose chunks can be read.
pub(super) struct ZarrSource {
    path: PathBuf,
    keys: Arc<Keys>,
    array: Arc<StoredArray>,
    meta: VarMeta,
    grid: Grid,
    layout: Layout,
    chunk_bytes: usize,
    reading: Reading,
    fill: Vec<u8>,
    sizes: Option<Sizes>,
}

enum Reading {
    Chunk(Pipeline),
    Filtered(Pipeline, Vec<Filter>),
    Shard(Pipeline, Shards),
    Foreign(Box<Foreign>),
}

impl ZarrSource {
    pub(super) fn new(
        path: PathBuf,
        keys: Arc<Keys>,
        array: Arc<StoredArray>,
        meta: VarMeta,
        sizes: Option<Sizes>,
    ) -> Result<ZarrSource> {
        let of = &array.meta;
        let element =
            of.element.bytes().ok_or_else(|| Error::from(Problem::NotNumeric { dtype: meta.stored.to_string() }))?;
        let inner = match &of.chain {
            Chain::Shard { inner, .. } => inner,
            _ => &of.chunk,
        };
        let grid = Grid::new(of.shape.clone(), inner.clone())?;
        let chunk_bytes = inner.bytes(element)?;
        let pipeline = |coding: &Coding| Pipeline::new(coding.codecs.clone(), chunk_bytes);
        let layout = |coding: &Coding| Layout { order: coding.order, axes: coding.axes.clone() };
        let (reading, layout) = match &of.chain {
            Chain::Chunk(coding) if !coding.filters.is_empty() => (filtered(coding, inner)?, layout(coding)),
            Chain::Chunk(coding) => (Reading::Chunk(pipeline(coding)), layout(coding)),
            // Inner chunks cannot be read alone from a shard that a zip archive packed.
            Chain::Shard { coding, index, .. } if sizes.is_none_or(|s| !s.packed) => {
                let shards = Shards::new(&of.shape, &of.chunk, inner, *index)?;
                (Reading::Shard(pipeline(coding), shards), layout(coding))
            }
            Chain::Unsupported(feature) => return Err(Error::unsupported(feature.clone())),
            chain => {
                let why = if let Chain::Foreign(why) = chain { why } else { "sharding_indexed" };
                let foreign = Foreign::open(&keys, &array, why)?;
                (
                    Reading::Foreign(Box::new(foreign)),
                    Layout::row_major(crate::dtype::ByteOrder::NATIVE, grid.shape().len()),
                )
            }
        };
        // The library reads whole keys, whatever is inside.
        let (grid, chunk_bytes) = match reading {
            Reading::Foreign(_) => (Grid::new(of.shape.clone(), of.chunk.clone())?, of.chunk.bytes(element)?),
            _ => (grid, chunk_bytes),
        };
        let mut meta = meta;
        if let crate::source::StoredType::Number { order, .. } = &mut meta.stored {
            *order = layout.order;
        }
        let mut form = of.element.clone();
        form.set_order(layout.order);
        let fill = fill_bytes(of.fill.as_ref(), &form);
        Ok(ZarrSource { path, keys, array, meta, grid, layout, chunk_bytes, reading, fill, sizes })
    }

    /// The buffer between filters and codecs.
    fn filter_bytes(&self) -> usize {
        match &self.reading {
            Reading::Filtered(_, filters) => encoded_bytes(filters, self.grid.chunk()).unwrap_or(usize::MAX),
            _ => 0,
        }
    }

    fn read_chunk(&self, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        if out.len() != self.chunk_bytes {
            let (expected, got) = (self.chunk_bytes as u64, out.len() as u64);
            return Err(Problem::Truncated { what: "buffer".into(), expected, got }.into());
        }
        let found = match &self.reading {
            Reading::Filtered(pipeline, filters) => self.read_filtered(pipeline, filters, chunk, scratch, out)?,
            Reading::Chunk(pipeline) => self.read_file(pipeline, chunk, scratch, out)?,
            Reading::Shard(pipeline, shards) => self.read_in_shard(pipeline, shards, chunk, scratch, out)?,
            Reading::Foreign(foreign) => {
                foreign.read(chunk, out)?;
                true
            }
        };
        if !found {
            fill_with(out, &self.fill);
        }
        Ok(())
    }

    /// Whether there is such a chunk.
    fn read_file(
        &self,
        pipeline: &Pipeline,
        chunk: &ChunkIndex,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<bool> {
        let key = self.array.key(&self.array.meta.keys.key(chunk));
        let Some(blob) = self.keys.blob(&key)? else { return Ok(false) };
        if pipeline.codecs().is_empty() {
            blob.read_exact(scratch, out)?;
        } else {
            let len = blob.read_whole(scratch)?;
            pipeline.decode(len, 0, scratch, out)?;
        }
        Ok(true)
    }

    /// Whether there is such a chunk.
    fn read_filtered(
        &self,
        pipeline: &Pipeline,
        filters: &[Filter],
        chunk: &ChunkIndex,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<bool> {
        let ElementForm::Number(dtype, order) = self.array.meta.element else { return Ok(false) };
        let mut encoded = vec![0; encoded_bytes(filters, self.grid.chunk())?];
        if !self.read_file(pipeline, chunk, scratch, &mut encoded)? {
            return Ok(false);
        }
        filters::undo(filters, &encoded, dtype, order, out)?;
        Ok(true)
    }

    /// Whether the shard exists and has such a chunk.
    fn read_in_shard(
        &self,
        pipeline: &Pipeline,
        shards: &Shards,
        chunk: &ChunkIndex,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<bool> {
        let place = shards.place(chunk);
        let key = self.array.key(&self.array.meta.keys.key(&place.shard));
        let blob = || self.keys.blob(&key);
        let Some((offset, len)) = shards.range(&place, blob)? else { return Ok(false) };
        let blob = blob()?.ok_or_else(|| Error::corrupt("shard", "it has gone away"))?;
        let plain = pipeline.codecs().is_empty();
        let room = if plain { out.len() } else { scratch.stored.bytes().len() };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > room || (plain && len < room) {
            let detail = format!("a chunk is stored in {len} bytes, {room} are expected at most");
            return Err(Error::corrupt("shard", detail));
        }
        if plain {
            blob.read_at(offset, out, "chunk in a shard")?;
        } else {
            blob.read_at(offset, &mut scratch.stored.bytes_mut()[..len], "chunk in a shard")?;
            pipeline.decode(len, 0, scratch, out)?;
        }
        Ok(true)
    }
}

impl Source for ZarrSource {
    fn meta(&self) -> &VarMeta {
        &self.meta
    }

    fn origin(&self) -> Origin {
        Origin { file: self.path.clone(), variable: self.meta.path.clone() }
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn scratch(&self) -> ScratchSize {
        let (pipeline, whole_files) = match &self.reading {
            Reading::Chunk(pipeline) | Reading::Filtered(pipeline, _) => (pipeline, true),
            Reading::Shard(pipeline, _) => (pipeline, false),
            Reading::Foreign(foreign) => return foreign.scratch(self.chunk_bytes, self.sizes),
        };
        // Room for a chunk as a zip archive packed it.
        let packed = self.sizes.filter(|s| s.packed && whole_files).map_or(0, |s| s.max_packed);
        let packed = usize::try_from(packed).unwrap_or(usize::MAX).min(pipeline.scratch(None).stored);
        if pipeline.codecs().is_empty() {
            return ScratchSize { stored: packed, state: self.filter_bytes(), ..ScratchSize::default() };
        }
        let bound = pipeline.scratch(None);
        let max = self.sizes.filter(|_| whole_files).map(|s| usize::try_from(s.max).unwrap_or(usize::MAX));
        let size = pipeline.scratch(max.map(|n| n.min(bound.stored)));
        let state = size.state.saturating_add(self.filter_bytes());
        ScratchSize { work: size.work.max(packed), state, ..size }
    }

    fn stored_bytes(&self) -> u64 {
        // Too many files to look at all of them: take them for as large as their contents.
        let decoded = || self.meta.decoded_bytes().unwrap_or(0);
        self.sizes.map_or_else(decoded, |s| s.total)
    }

    fn held_bytes(&self) -> u64 {
        match &self.reading {
            Reading::Shard(_, shards) => shards.held_bytes(),
            _ => 0,
        }
    }

    fn read(&self, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        self.read_chunk(chunk, scratch, out)
            .map_err(|e| e.in_chunk(chunk).in_variable(&self.meta.path).in_file(&self.path))
    }

    fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }
}

fn filtered(coding: &Coding, chunk: &Shape) -> Result<Reading> {
    let bytes = encoded_bytes(&coding.filters, chunk)?;
    Ok(Reading::Filtered(Pipeline::new(coding.codecs.clone(), bytes), coding.filters.clone()))
}

/// Bytes of a chunk behind its filters.
fn encoded_bytes(filters: &[Filter], chunk: &Shape) -> Result<usize> {
    chunk.bytes(filters.last().map_or(1, |f| f.encoded.size()))
}

/// Repeats one element all over `out`.
pub(super) fn fill_with(out: &mut [u8], element: &[u8]) {
    match element {
        [] => {}
        [one] => out.fill(*one),
        _ if element.iter().all(|b| *b == element[0]) => out.fill(element[0]),
        _ => out.chunks_exact_mut(element.len()).for_each(|c| c.copy_from_slice(element)),
    }
}
