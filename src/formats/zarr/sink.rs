//! A store being written, as a folder.

use super::{
    OutputFormat,
    array::{ElementForm, fill_bytes},
    documents::{self, Version},
    json::{self, Json, Map},
    shards_out::ShardsOut,
    source::fill_with,
    written::{self, ZSTD_LEVEL},
};
use crate::{
    codec::{Codec, Pipeline, Scratch, ScratchSize},
    error::{Error, Problem, Result},
    grid::Grid,
    shape::{ChunkIndex, Region, Shape},
    source::{Group, Sink, StoredType, VarMeta},
    store::{Pending, PieceNumber, Unfinished, write_all_at},
};
use std::{
    collections::HashMap,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// A variable that no file cuts into chunks becomes a single one up to this size.
const WHOLE_BYTES_MAX: usize = 4 << 20;

pub(super) struct ZarrSink {
    pending: Pending,
    version: Version,
    arrays: HashMap<String, OutArray>,
}

struct OutArray {
    /// Its place among the arrays, in the order of their declaration.
    number: u32,
    folder: PathBuf,
    grid: Grid,
    shards: Option<ShardsOut>,
    element: usize,
    chunk_bytes: usize,
    pipeline: Pipeline,
    /// One element of what pads the chunks at the edges.
    fill: Vec<u8>,
    is_text: bool,
}

impl ZarrSink {
    /// Writes the documents of all groups and variables, unless an earlier run has.
    pub(super) fn create(pending: Pending, format: OutputFormat, root: &Group) -> Result<ZarrSink> {
        let version = match format {
            OutputFormat::Zarr2 => Version::V2,
            _ => Version::V3,
        };
        let mut sink = ZarrSink { pending, version, arrays: HashMap::new() };
        let mut all = Map::new();
        let store = sink.pending.path().to_path_buf();
        if !sink.is_begun() {
            let failed = |e| Error::io("create the folder", e).in_file(sink.pending.target());
            fs::create_dir(&store).map_err(failed)?;
        }
        sink.declare(root, "", &mut all)?;
        let documents = version.group(root);
        for (name, document) in version.consolidated(documents, all) {
            sink.write_document(name, &document)?;
        }
        match sink.pending.unfinished() {
            Some(unfinished) if unfinished.is_begun() => sink.clear_shards(unfinished)?,
            Some(unfinished) => unfinished.begin()?,
            None => {}
        }
        Ok(sink)
    }

    fn clear_shards(&self, unfinished: &Unfinished) -> Result<()> {
        for array in self.arrays.values() {
            if let Some(shards) = &array.shards {
                let known = |piece| unfinished.knows(PieceNumber { variable: array.number, piece });
                shards.clear(known, |index| self.path(array, index))?;
            }
        }
        Ok(())
    }

    fn is_begun(&self) -> bool {
        self.pending.unfinished().is_some_and(|unfinished| unfinished.is_begun())
    }

    fn write_document(&self, key: &str, document: &Json) -> Result<()> {
        // What an earlier run has declared stays, so that its `history` does.
        if self.is_begun() {
            return Ok(());
        }
        let path = self.pending.path().join(key);
        write_file(&path, json::text(document).as_bytes())?;
        if self.pending.unfinished().is_none() {
            return Ok(());
        }
        // The next run takes them for written whatever happens to the machine.
        let synced = fs::File::open(&path).and_then(|file| file.sync_data());
        synced.map_err(|e| Error::io("put metadata on disk", e))
    }

    /// Writes the documents of a group and all in it, and gathers them in `all`.
    fn declare(&mut self, group: &Group, path: &str, all: &mut Map<String, Json>) -> Result<()> {
        self.write_documents(path, self.version.group(group), all)?;
        for var in &group.vars {
            let failed = |e: Error| e.in_variable(&var.path);
            checked_name(var.name()).map_err(failed)?;
            let (array, documents) = self.array(var).map_err(failed)?;
            if self.arrays.insert(var.path.clone(), array).is_some() {
                return Err(failed(Error::usage("there are two variables of this name")));
            }
            self.write_documents(&var.path, documents, all)?;
        }
        for inner in &group.groups {
            checked_name(&inner.name)?;
            let path = if path.is_empty() { inner.name.clone() } else { format!("{path}/{}", inner.name) };
            if self.arrays.contains_key(&path) {
                return Err(Error::usage("a group and a variable have the same name").in_variable(&path));
            }
            self.declare(inner, &path, all)?;
        }
        Ok(())
    }

    fn write_documents(
        &self,
        path: &str,
        documents: Vec<(&'static str, Json)>,
        all: &mut Map<String, Json>,
    ) -> Result<()> {
        for (name, document) in documents {
            let key = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            self.write_document(&key, &document)?;
            // Version 3 consolidates by path, and without the root.
            match self.version {
                Version::V2 => all.insert(key, document),
                Version::V3 if path.is_empty() => None,
                Version::V3 => all.insert(path.to_string(), document),
            };
        }
        Ok(())
    }

    fn array(&self, var: &VarMeta) -> Result<(OutArray, Vec<(&'static str, Json)>)> {
        let is_text = matches!(var.stored, StoredType::Text | StoredType::FixedText(_));
        let element = var.stored.element_bytes().unwrap_or(1);
        let grid = if is_text { whole(&var.shape)? } else { grid(var, element)? };
        let chunk_bytes = grid.chunk().bytes(element)?;
        let codecs = match is_text {
            true => vec![Codec::Zstd { level: ZSTD_LEVEL }],
            false => written::codecs(&var.storage.codecs, element),
        };
        let shards = match &var.storage.shard {
            Some(shard) if self.version == Version::V3 && !is_text => Some(ShardsOut::new(&grid, shard)?),
            _ => None,
        };
        let declared = documents::declared_fill(var);
        let shard = shards.as_ref().map(ShardsOut::shape);
        let documents = self.version.array(var, &grid, shard, &codecs, declared.as_ref())?;
        let form = match var.stored.dtype() {
            Some(dtype) => ElementForm::Number(dtype, crate::dtype::ByteOrder::NATIVE),
            None => ElementForm::Bytes(element),
        };
        let fill = fill_bytes(declared.as_ref().or(var.fill.as_ref()), &form);
        let pipeline = Pipeline::new(codecs, chunk_bytes);
        let folder = self.pending.path().join(&var.path);
        let number = self.arrays.len() as u32;
        Ok((OutArray { number, folder, grid, shards, element, chunk_bytes, pipeline, fill, is_text }, documents))
    }

    fn of(&self, variable: &str) -> Result<&OutArray> {
        self.arrays.get(variable).ok_or_else(|| {
            let known = self.arrays.keys().cloned().collect();
            Error::from(Problem::NoSuchVariable { name: variable.into(), known }).in_file(self.pending.target())
        })
    }

    /// Where the chunk, or its shard, lies.
    fn path(&self, array: &OutArray, index: &[u64]) -> PathBuf {
        array.folder.join(self.version.keys().key(index))
    }

    fn write_value(&self, array: &OutArray, chunk: &ChunkIndex, bytes: &[u8]) -> Result<()> {
        let unfinished = self.pending.unfinished();
        let number = array.file_number(chunk);
        if let Some(shards) = &array.shards {
            let whole = shards.write(chunk, bytes, |index| self.path(array, index))?;
            return match (whole, unfinished) {
                (Some(path), Some(unfinished)) => unfinished.add_file(number, &path),
                _ => Ok(()),
            };
        }
        write_file(&self.path(array, chunk), bytes)?;
        unfinished.map_or(Ok(()), |unfinished| unfinished.add(number, 0, bytes))
    }

    fn is_written(&self, array: &OutArray, chunk: &ChunkIndex) -> bool {
        let Some(unfinished) = self.pending.unfinished() else { return false };
        let path = match &array.shards {
            Some(shards) => self.path(array, &shards.of(chunk)),
            None => self.path(array, chunk),
        };
        unfinished.has(array.file_number(chunk), &path)
    }
}

impl OutArray {
    /// The file that holds a chunk.
    fn file_number(&self, chunk: &ChunkIndex) -> PieceNumber {
        let piece = match &self.shards {
            Some(shards) => shards.number(chunk),
            None => self.grid.number(chunk),
        };
        PieceNumber { variable: self.number, piece }
    }

    /// A clipped chunk made whole, or `None` where it is whole already.
    fn padded(&self, chunk: &ChunkIndex, data: &[u8]) -> Result<Option<Vec<u8>>> {
        let Region { start, shape } = self.grid.region(chunk);
        if chunk.len() != start.len() || chunk.iter().zip(self.grid.counts()).any(|(c, n)| c >= n) {
            return Err(Error::usage(format!("there is no chunk {chunk} in a grid of {:?}", self.grid.counts())));
        }
        let expected = shape.bytes(self.element)?;
        if expected != data.len() {
            let (expected, got) = (expected as u64, data.len() as u64);
            return Err(Problem::Truncated { what: "chunk to write".into(), expected, got }.into());
        }
        if shape == *self.grid.chunk() {
            return Ok(None);
        }
        let mut out = vec![0; self.chunk_bytes];
        fill_with(&mut out, &self.fill);
        let width = shape.last().map_or(1, |n| *n as usize) * self.element;
        let strides = self.grid.chunk().strides();
        for (n, row) in data.chunks_exact(width.max(1)).enumerate() {
            let (mut rest, mut to) = (n as u64, 0);
            for k in (0..shape.len().saturating_sub(1)).rev() {
                to += rest % shape[k] * strides[k];
                rest /= shape[k];
            }
            let to = to as usize * self.element;
            out[to..to + width].copy_from_slice(row);
        }
        Ok(Some(out))
    }
}

impl Sink for ZarrSink {
    fn grid(&self, variable: &str) -> Result<&Grid> {
        Ok(&self.of(variable)?.grid)
    }

    fn scratch(&self, variable: &str) -> Result<ScratchSize> {
        let array = self.of(variable)?;
        let ragged = array.grid.shape().iter().zip(array.grid.chunk().iter()).any(|(n, c)| !n.is_multiple_of(*c));
        let mut size = if array.pipeline.codecs().is_empty() || array.is_text {
            ScratchSize::default()
        } else {
            array.pipeline.encode_scratch()
        };
        // A chunk at the edge is padded in a buffer of its own.
        size.state = size.state.saturating_add(if ragged { array.chunk_bytes } else { 0 });
        Ok(size)
    }

    fn write(&self, variable: &str, chunk: &ChunkIndex, data: &[u8], scratch: &mut Scratch) -> Result<()> {
        let array = self.of(variable)?;
        if self.is_written(array, chunk) {
            return Ok(());
        }
        let mut write = || {
            let padded = array.padded(chunk, data)?;
            let data = padded.as_deref().unwrap_or(data);
            if array.pipeline.codecs().is_empty() {
                return self.write_value(array, chunk, data);
            }
            let len = array.pipeline.encode(data, scratch)?;
            self.write_value(array, chunk, &scratch.stored.bytes()[..len])
        };
        write().map_err(|e: Error| e.in_chunk(chunk).in_variable(variable).in_file(self.pending.target()))
    }

    fn has(&self, variable: &str, chunk: &ChunkIndex) -> bool {
        self.arrays.get(variable).is_some_and(|array| self.is_written(array, chunk))
    }

    fn write_texts(&self, variable: &str, values: &[String]) -> Result<()> {
        let array = self.of(variable)?;
        let write = || {
            let expected = array.grid.shape().elements()?;
            if !array.is_text || expected != values.len() as u64 {
                let detail = format!("{} strings for a variable of {expected} values", values.len());
                return Err(Error::usage(detail));
            }
            if values.is_empty() {
                return Ok(());
            }
            let packed = zstd::bulk::compress(&strings(values)?, ZSTD_LEVEL).map_err(|e| Error::io("compress", e))?;
            let only = ChunkIndex(vec![0; array.grid.shape().len()]);
            if self.is_written(array, &only) { Ok(()) } else { self.write_value(array, &only, &packed) }
        };
        write().map_err(|e: Error| e.in_variable(variable).in_file(self.pending.target()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        for (path, array) in &self.arrays {
            if let Some(shards) = &array.shards {
                shards.finish().map_err(|e| e.in_variable(path).in_file(self.pending.target()))?;
            }
        }
        self.pending.commit()
    }
}

/// numcodecs' `vlen-utf8`: how many, then each with its length before it.
fn strings(values: &[String]) -> Result<Vec<u8>> {
    let length =
        |n: usize| u32::try_from(n).map(u32::to_le_bytes).map_err(|_| Error::unsupported("more than 4 GiB of strings"));
    let mut out = length(values.len())?.to_vec();
    for value in values {
        out.extend(length(value.len())?);
        out.extend(value.as_bytes());
    }
    Ok(out)
}

fn whole(shape: &Shape) -> Result<Grid> {
    Grid::new(shape.clone(), shape.iter().map(|n| (*n).max(1)).collect())
}

/// The chunks of the variable's own file, cut to the array; a small variable is one chunk.
fn grid(var: &VarMeta, element: usize) -> Result<Grid> {
    match &var.storage.chunk {
        Some(chunk) if chunk.len() == var.shape.len() => {
            let cut = chunk.iter().zip(var.shape.iter()).map(|(c, n)| (*c).min(*n).max(1)).collect();
            Grid::new(var.shape.clone(), cut)
        }
        _ if var.shape.bytes(element)? < WHOLE_BYTES_MAX => whole(&var.shape),
        _ => Grid::of_contiguous(var.shape.clone(), element),
    }
}

/// A name that is a folder of its own, and no metadata document.
fn checked_name(name: &str) -> Result<()> {
    let bad = name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) || name == "zarr.json";
    if bad { Err(Error::unsupported(format!("the name {name:?} in a Zarr store"))) } else { Ok(()) }
}

/// Writes a file in one go; its folders are made when it turns out that they are missing.
fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let created = match File::create(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create(path))
        }
        created => created,
    };
    let done = created.and_then(|file| write_all_at(&file, bytes, 0));
    done.map_err(|e| Error::io(format!("write {} bytes", bytes.len()), e))
}
