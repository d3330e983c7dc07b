//! The values of a dataset whose bytes are read from the file without the library.

use super::{index::Index, storage::Stored};
use crate::{
    codec::{Pipeline, Scratch, ScratchSize},
    error::{Error, Problem, Result},
    grid::Grid,
    shape::{ChunkIndex, Region, Shape},
    source::{Layout, Origin, Source, VarMeta, read_each},
    store::LocalFile,
};
use std::{ops::Range, path::PathBuf, sync::Arc};

/// Where the bytes are.
pub(super) enum Place {
    /// One run from this offset; `None` where nothing was written.
    Contiguous(Option<u64>),
    /// In chunks.
    Chunked(Index),
}

pub(super) struct Direct {
    /// The file that was opened.
    pub origin: PathBuf,
    /// The file that the bytes are in.
    pub file: Arc<LocalFile>,
    pub meta: VarMeta,
    pub grid: Grid,
    pub layout: Layout,
    pub place: Place,
    /// `None` where chunks are stored as they are.
    pub pipeline: Option<Pipeline>,
    pub stored: Stored,
    pub fill: Fill,
}

/// What a chunk holds where the file has no bytes for it.
pub(super) struct Fill {
    /// The extent of the dataset, which may end before its variable.
    pub extent: Shape,
    /// One element of what was never written.
    pub unwritten: Vec<u8>,
    /// One element of what lies behind the extent.
    pub beyond: Vec<u8>,
}

impl Fill {
    /// Whether a part of the region lies behind the extent.
    pub fn reaches_beyond(&self, region: &Region) -> bool {
        region.start.iter().zip(region.shape.iter()).zip(self.extent.iter()).any(|((s, n), end)| s + n > *end)
    }

    /// Overwrites what lies behind the extent in a chunk of `chunk` shape.
    pub fn behind_extent(&self, region: &Region, chunk: &Shape, out: &mut [u8]) {
        let Some(last) = chunk.len().checked_sub(1) else { return };
        let inside: Vec<u64> =
            (0..chunk.len()).map(|k| self.extent[k].saturating_sub(region.start[k]).min(chunk[k])).collect();
        let row_bytes = chunk[last] as usize * self.beyond.len();
        let mut at = vec![0u64; last];
        for row in out.chunks_exact_mut(row_bytes.max(1)) {
            let is_inside = at.iter().zip(&inside).all(|(i, n)| i < n);
            let keep = if is_inside { inside[last] as usize * self.beyond.len() } else { 0 };
            repeat(&self.beyond, &mut row[keep..]);
            for k in (0..last).rev() {
                at[k] += 1;
                if at[k] < chunk[k] {
                    break;
                }
                at[k] = 0;
            }
        }
    }
}

/// Writes one element again and again.
pub(super) fn repeat(element: &[u8], out: &mut [u8]) {
    match element {
        [] => {}
        [first, rest @ ..] if rest.iter().all(|b| b == first) => out.fill(*first),
        _ => out.chunks_exact_mut(element.len()).for_each(|c| c.copy_from_slice(element)),
    }
}

impl Direct {
    fn read_contiguous(&self, offset: Option<u64>, region: &Region, out: &mut [u8]) -> Result<()> {
        let size = self.fill.unwritten.len();
        let bytes = region.shape.bytes(size)?;
        let out = out.get_mut(..bytes).ok_or_else(|| wrong_size(bytes))?;
        let Some(offset) = offset else {
            repeat(&self.fill.unwritten, out);
            return Ok(());
        };
        let strides = self.meta.shape.strides();
        let first: u64 = region.start.iter().zip(&strides).map(|(i, s)| i * s).sum();
        self.file.read_at(offset.saturating_add(first * size as u64), out, "values")
    }

    /// Whether the bytes of elements are left gathered by their significance, which is not done unless `as_planes`.
    fn read_chunk(
        &self,
        index: &Index,
        at: &ChunkIndex,
        as_planes: bool,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<bool> {
        let Some(slot) = index.get(self.grid.number(at)) else {
            repeat(&self.fill.unwritten, out);
            return Ok(false);
        };
        let (bytes, file_bytes) = (slot.bytes as usize, self.file.len());
        if slot.offset.saturating_add(bytes as u64) > file_bytes {
            let got = file_bytes.saturating_sub(slot.offset);
            return Err(Problem::Truncated { what: "stored chunk".into(), expected: bytes as u64, got }.into());
        }
        let (skip, all) = self.skipped(slot.mask);
        let is_raw = skip == all || self.stored.is_edge_raw && self.is_partial(at);
        match &self.pipeline {
            Some(pipeline) if !is_raw => {
                let stored = scratch.stored.bytes_mut().get_mut(..bytes).ok_or_else(|| wrong_size(bytes))?;
                self.file.read_at(slot.offset, stored, "stored chunk")?;
                if as_planes {
                    return pipeline.decode_planes(self.fill.unwritten.len(), bytes, skip, scratch, out);
                }
                pipeline.decode(bytes, skip, scratch, out)?;
            }
            _ if bytes != out.len() => {
                return Err(Error::corrupt(
                    "chunk index",
                    format!("a chunk of {} bytes has {bytes} stored", out.len()),
                ));
            }
            _ => self.file.read_at(slot.offset, out, "stored chunk")?,
        }
        Ok(false)
    }

    fn read_as(&self, as_planes: bool, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<bool> {
        let region = self.grid.region(chunk);
        let reaches_beyond = self.fill.reaches_beyond(&region);
        let read = match &self.place {
            Place::Contiguous(offset) => self.read_contiguous(*offset, &region, out).map(|()| false),
            Place::Chunked(index) => self.read_chunk(index, chunk, as_planes && !reaches_beyond, scratch, out),
        };
        let are_planes = read.map_err(|e| e.in_file(&self.origin).in_variable(&self.meta.path).in_chunk(chunk))?;
        if reaches_beyond {
            self.fill.behind_extent(&region, self.grid.chunk(), out);
        }
        Ok(are_planes)
    }

    /// What several chunks are read with, where that is faster.
    fn faster_together(&self) -> Option<(&Pipeline, &Index)> {
        let (Some(pipeline), Place::Chunked(index)) = (&self.pipeline, &self.place) else { return None };
        pipeline.is_faster_together().then_some((pipeline, index))
    }

    /// The size of the elements that may stay gathered.
    fn left(&self, as_planes: bool) -> Option<usize> {
        as_planes.then_some(self.fill.unwritten.len())
    }

    /// Reads chunks together, unless one of them is not as most are or cannot be read. Says whether it did.
    fn read_alike(
        &self,
        as_planes: bool,
        chunks: &[ChunkIndex],
        scratch: &mut Scratch,
        outs: &mut [&mut [u8]],
    ) -> bool {
        let Some((pipeline, index)) = self.faster_together().filter(|_| chunks.len() > 1) else {
            return false;
        };
        let mut parts: Vec<Range<usize>> = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let is_other =
                self.fill.reaches_beyond(&self.grid.region(chunk)) || self.stored.is_edge_raw && self.is_partial(chunk);
            let Some(slot) = index.get(self.grid.number(chunk)).filter(|slot| slot.mask == 0 && !is_other) else {
                return false;
            };
            let from = parts.last().map_or(0, |part| part.end);
            let part = from..from + slot.bytes as usize;
            let Some(stored) = scratch.stored.bytes_mut().get_mut(part.clone()) else { return false };
            if self.file.read_at(slot.offset, stored, "stored chunk").is_err() {
                return false;
            }
            parts.push(part);
        }
        pipeline.decode_together(self.left(as_planes), &parts, scratch, outs)
    }

    /// A filter mask in terms of the pipeline's codecs, and what it is when all are skipped.
    fn skipped(&self, mask: u32) -> (u32, u32) {
        let (mut skip, mut all) = (0, 0);
        let undone = self.stored.filters.iter().enumerate().filter(|(_, f)| !f.is_written_only());
        for (codec, (filter, _)) in undone.enumerate().take(32) {
            skip |= (mask.checked_shr(filter as u32).unwrap_or(0) & 1) << codec;
            all |= 1 << codec;
        }
        (skip, all)
    }

    /// Whether a chunk reaches over the dataset's edge.
    fn is_partial(&self, at: &ChunkIndex) -> bool {
        let ends = at.iter().zip(self.grid.chunk().iter()).map(|(i, c)| (i + 1) * c);
        ends.zip(self.fill.extent.iter()).any(|(end, n)| end > *n)
    }
}

fn wrong_size(bytes: usize) -> Error {
    Error::corrupt("chunk", format!("{bytes} bytes do not fit their buffer"))
}

impl Source for Direct {
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
        let (Some(pipeline), Place::Chunked(index)) = (&self.pipeline, &self.place) else {
            return ScratchSize::default();
        };
        // What does not lie in the file is refused before it is read.
        let inside = index.slots().filter(|s| s.offset.saturating_add(s.bytes.into()) <= self.file.len());
        pipeline.scratch(Some(inside.map(|s| s.bytes as usize).max().unwrap_or(0)))
    }

    fn held_bytes(&self) -> u64 {
        match &self.place {
            Place::Chunked(index) => index.held_bytes(),
            Place::Contiguous(_) => 0,
        }
    }

    fn read(&self, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        self.read_as(false, chunk, scratch, out).map(|_| ())
    }

    fn read_planes(&self, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<bool> {
        self.read_as(true, chunk, scratch, out)
    }

    fn scratch_beside(&self, as_planes: bool) -> Option<ScratchSize> {
        let (pipeline, _) = self.faster_together()?;
        pipeline.scratch_beside(self.left(as_planes), self.scratch().stored)
    }

    fn read_together(
        &self,
        as_planes: bool,
        chunks: &[ChunkIndex],
        scratch: &mut Scratch,
        outs: &mut [&mut [u8]],
    ) -> Result<Vec<bool>> {
        if self.read_alike(as_planes, chunks, scratch, outs) {
            let size = self.fill.unwritten.len();
            let are_planes = as_planes && self.pipeline.as_ref().is_some_and(|p| p.gathers(size));
            return Ok(vec![are_planes; chunks.len()]);
        }
        // What is wrong with one of them, or different, shows when they are read one by one.
        read_each(self, as_planes, chunks, scratch, outs)
    }
}
