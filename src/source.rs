//! What a file holds ([`Group`], [`VarMeta`]) and how chunks leave and enter it ([`Source`], [`Sink`], [`Container`]).
//!
//! # The contract of chunks
//!
//! A [`Source`] cuts its variable into the chunks of [`Source::grid`]: those stored in the file, or, where nothing
//! is chunked, pieces of about a mebibyte. [`Source::read`] gives one of them *as stored*: a whole chunk of
//! [`Source::chunk_bytes`] bytes even at the array's upper edges (what lies beyond the edge is unspecified), in the
//! byte order and axis order of [`Source::layout`]. Turning that into numbers is left to the kernels, which do it
//! while they compute. Any number of threads may read at once.
//!
//! A [`Sink`] is created from a [`Group`] tree that declares everything, and then takes the chunks of
//! [`Sink::grid`], each once, in any order and from any thread: *clipped* to the array's edge, row-major, in this
//! machine's byte order. Chunks that are never written read as the fill value.

use crate::{
    attrs::{Attrs, Value},
    codec::{Scratch, ScratchSize},
    dtype::{ByteOrder, DType},
    error::Result,
    grid::Grid,
    shape::{ChunkIndex, Shape},
};
use std::{fmt, path::PathBuf, sync::Arc};

/// A named length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// Its name, without a path.
    pub name: String,
    /// Its length now.
    pub len: u64,
    /// Whether the file can grow along it.
    pub unlimited: bool,
}

/// How values of a variable are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredType {
    /// Numbers, which can be computed with.
    Number {
        /// Their type.
        dtype: DType,
        /// Their byte order.
        order: ByteOrder,
    },
    /// Single bytes of text (`char` in the classic model).
    Char,
    /// Strings of any length.
    Text,
    /// Strings of a fixed number of bytes.
    FixedText(usize),
    /// Anything else: compound, opaque, variable-length, reference ... in words, as `info` shows it.
    Other(String),
}

impl StoredType {
    /// Numbers in this machine's byte order.
    pub fn native(dtype: DType) -> StoredType {
        StoredType::Number { dtype, order: ByteOrder::NATIVE }
    }

    /// The type of the numbers, or `None` where it holds none.
    pub fn dtype(&self) -> Option<DType> {
        match self {
            StoredType::Number { dtype, .. } => Some(*dtype),
            _ => None,
        }
    }

    /// Bytes of one element in a chunk that [`Source::read`] gives, or `None` where chunks cannot be read.
    pub fn element_bytes(&self) -> Option<usize> {
        match self {
            StoredType::Number { dtype, .. } => Some(dtype.size()),
            StoredType::Char => Some(1),
            _ => None,
        }
    }
}

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoredType::Number { dtype, .. } => write!(f, "{dtype}"),
            StoredType::Char => f.write_str("char"),
            StoredType::Text => f.write_str("string"),
            StoredType::FixedText(n) => write!(f, "string{n}"),
            StoredType::Other(words) => f.write_str(words),
        }
    }
}

/// One filter or codec of a chunk pipeline, as its format names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecMeta {
    /// The field's name for it: `shuffle`, `deflate`, `zstd`, `blosc` ...
    pub name: String,
    /// Its level, where it has one.
    pub level: Option<i32>,
    /// Everything else worth showing, as `cname=lz4 shuffle=1`.
    pub detail: String,
}

/// How a variable lies in its file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Storage {
    /// The shape of a stored chunk; `None` where the variable is contiguous or compact.
    pub chunk: Option<Shape>,
    /// The shape of a shard (Zarr), where inner chunks are gathered into one.
    pub shard: Option<Shape>,
    /// Filters in the order they are applied when writing.
    pub codecs: Vec<CodecMeta>,
    /// Bytes that it occupies in the file, where that is known without reading it all.
    pub stored_bytes: Option<u64>,
    /// `chunked`, `contiguous`, `compact`, `record`, `virtual`, `external` ...
    pub kind: &'static str,
}

/// A variable without its data.
#[derive(Debug, Clone, PartialEq)]
pub struct VarMeta {
    /// The path from the root, without a leading slash: `t`, `group/sub/t`.
    pub path: String,
    /// How its values are stored.
    pub stored: StoredType,
    /// The length of each dimension.
    pub shape: Shape,
    /// The dimensions' names, without paths; those that the file leaves out are made up as xarray and ncdump do.
    pub dims: Vec<String>,
    /// Whether the file itself names the dimensions.
    pub dims_named: bool,
    /// Its attributes, `_FillValue` included.
    pub attrs: Attrs,
    /// The value of what was never written, where the format declares one.
    pub fill: Option<Value>,
    /// Chunks, filters, size.
    pub storage: Storage,
}

impl VarMeta {
    /// The path's last part.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The path of its group, `""` for the root.
    pub fn group(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// Bytes of all its values once decoded, at most what can be counted; `None` for what has no fixed size.
    pub fn decoded_bytes(&self) -> Option<u64> {
        let size = match self.stored {
            StoredType::FixedText(n) => n,
            _ => self.stored.element_bytes()?,
        };
        Some(self.shape.bytes(size).map_or(u64::MAX, |n| n as u64))
    }
}

/// A group: what a file holds, as a tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// Its name, `""` for the root.
    pub name: String,
    /// Its attributes.
    pub attrs: Attrs,
    /// The dimensions that it declares; those of enclosing groups are seen too.
    pub dims: Vec<Dimension>,
    /// Its variables in the file's order.
    pub vars: Vec<VarMeta>,
    /// The groups inside it.
    pub groups: Vec<Group>,
}

impl Group {
    /// All variables of it and of the groups inside it, outermost first.
    pub fn all_vars(&self) -> Vec<&VarMeta> {
        let mut out: Vec<&VarMeta> = self.vars.iter().collect();
        for group in &self.groups {
            out.extend(group.all_vars());
        }
        out
    }

    /// The variable at a path; a leading slash is allowed.
    pub fn var(&self, path: &str) -> Option<&VarMeta> {
        let path = path.trim_start_matches('/');
        self.all_vars().into_iter().find(|v| v.path == path)
    }

    /// The group at a path from here, `""` for this one.
    pub fn group(&self, path: &str) -> Option<&Group> {
        path.split('/')
            .filter(|p| !p.is_empty())
            .try_fold(self, |group, name| group.groups.iter().find(|g| g.name == name))
    }

    /// The dimension that `name` means to a variable in the group at `path`: the nearest one outwards.
    pub fn dim(&self, path: &str, name: &str) -> Option<&Dimension> {
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        (0..=parts.len()).rev().find_map(|n| self.group(&parts[..n].join("/"))?.dims.iter().find(|d| d.name == name))
    }
}

/// Where a variable's values come from: enough to say "the same source", and to send it to another machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The file or store.
    pub file: PathBuf,
    /// The variable's path in it.
    pub variable: String,
}

/// The order of bytes and axes in a chunk as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Of each element.
    pub order: ByteOrder,
    /// The array's axes from the slowest in the chunk to the fastest; `[0, 1, 2]` is row-major.
    pub axes: Vec<usize>,
}

impl Layout {
    /// Whether elements of so many bytes lie row-major in this machine's byte order.
    pub fn is_native(&self, element: usize) -> bool {
        (element == 1 || self.order == ByteOrder::NATIVE) && self.axes.iter().enumerate().all(|(k, &axis)| k == axis)
    }

    /// Row-major chunks of rank `rank`.
    pub fn row_major(order: ByteOrder, rank: usize) -> Layout {
        Layout { order, axes: (0..rank).collect() }
    }
}

/// A variable whose chunks can be read. See the [contract](self).
pub trait Source: Send + Sync {
    /// The variable.
    fn meta(&self) -> &VarMeta;
    /// Where it comes from.
    fn origin(&self) -> Origin;
    /// The chunks that [`read`](Source::read) gives.
    fn grid(&self) -> &Grid;
    /// How elements lie in them.
    fn layout(&self) -> &Layout;
    /// The space that reading any one chunk needs beside its output.
    fn scratch(&self) -> ScratchSize;
    /// Bytes that the whole variable takes from the store, for costing.
    fn stored_bytes(&self) -> u64 {
        self.meta().storage.stored_bytes.unwrap_or(0)
    }

    /// Bytes held in memory for as long as the source lives: its chunk index.
    fn held_bytes(&self) -> u64 {
        0
    }

    /// Whether it is what a run itself has put aside, and no input.
    fn is_spilled(&self) -> bool {
        false
    }

    /// Reads one chunk into `out`, which has [`chunk_bytes`](Source::chunk_bytes) bytes.
    ///
    /// # Errors
    /// With file, variable and chunk, when the stored bytes are missing or broken. `out` is then unspecified.
    fn read(&self, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<()>;

    /// As [`read`](Source::read), but may leave the bytes of elements gathered by their significance, as shuffling
    /// does it, and says whether it did: whoever reads them once puts them together while they are in cache.
    ///
    /// # Errors
    /// As [`read`](Source::read).
    fn read_planes(&self, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<bool> {
        self.read(chunk, scratch, out).map(|()| false)
    }

    /// The space that each chunk but the first needs beside that of the first, where several are faster
    /// [read together](Source::read_together) than one by one; `as_planes` says that their elements may be left gathered.
    fn scratch_beside(&self, _as_planes: bool) -> Option<ScratchSize> {
        None
    }

    /// As [`read_planes`](Source::read_planes), or as [`read`](Source::read), of several chunks, each into its own output.
    /// `scratch` has room for all of them.
    ///
    /// # Errors
    /// As [`read`](Source::read), of the first chunk that cannot be read.
    fn read_together(
        &self,
        as_planes: bool,
        chunks: &[ChunkIndex],
        scratch: &mut Scratch,
        outs: &mut [&mut [u8]],
    ) -> Result<Vec<bool>> {
        read_each(self, as_planes, chunks, scratch, outs)
    }

    /// Bytes of one whole chunk.
    fn chunk_bytes(&self) -> usize {
        let element = self.meta().stored.element_bytes().unwrap_or(0);
        self.grid().chunk().bytes(element).unwrap_or(usize::MAX)
    }
}

/// Reads chunks one by one, as [`Source::read_together`] does where that is no faster.
///
/// # Errors
/// As [`Source::read`], of the first chunk that cannot be read.
pub fn read_each<S: Source + ?Sized>(
    source: &S,
    as_planes: bool,
    chunks: &[ChunkIndex],
    scratch: &mut Scratch,
    outs: &mut [&mut [u8]],
) -> Result<Vec<bool>> {
    let each = |(chunk, out): (&ChunkIndex, &mut &mut [u8])| {
        let read = match as_planes {
            true => source.read_planes(chunk, scratch, out),
            false => source.read(chunk, scratch, out).map(|()| false),
        };
        read.map_err(|e| e.in_chunk(chunk))
    };
    chunks.iter().zip(outs).map(each).collect()
}

/// An open file or store.
pub trait Container: Send + Sync {
    /// What it holds.
    fn root(&self) -> &Group;
    /// The format in words: `NetCDF-4`, `NetCDF classic (64-bit offset)`, `HDF5`, `Zarr v3`.
    fn format(&self) -> &str;
    /// The values of a variable, by chunks.
    ///
    /// # Errors
    /// When there is no such variable, it does not hold numbers or chars, or its index is broken.
    fn source(&self, variable: &str) -> Result<Arc<dyn Source>>;
    /// The values of a variable of strings, row-major.
    ///
    /// # Errors
    /// When there is no such variable, or it does not hold text.
    fn texts(&self, variable: &str) -> Result<Vec<String>>;
}

/// An output being written. See the [contract](self).
///
/// Nothing appears under the target's name before [`finish`](Sink::finish); a sink that is dropped without it
/// leaves nothing behind.
pub trait Sink: Send + Sync {
    /// The chunks that [`write`](Sink::write) takes for a variable.
    fn grid(&self, variable: &str) -> Result<&Grid>;
    /// The space that writing any one chunk of a variable needs.
    fn scratch(&self, variable: &str) -> Result<ScratchSize>;

    /// Writes one chunk, clipped and row-major in native byte order: `grid.region(chunk)`'s elements.
    ///
    /// # Errors
    /// With file, variable and chunk, when the store refuses.
    fn write(&self, variable: &str, chunk: &ChunkIndex, data: &[u8], scratch: &mut Scratch) -> Result<()>;

    /// Whether an earlier run has written the chunk, so that nobody needs to compute it.
    fn has(&self, _variable: &str, _chunk: &ChunkIndex) -> bool {
        false
    }

    /// Writes all values of a variable of strings, row-major.
    ///
    /// # Errors
    /// When the store refuses.
    fn write_texts(&self, variable: &str, values: &[String]) -> Result<()>;

    /// Makes the output appear under its name, whole.
    ///
    /// # Errors
    /// When the store refuses; then nothing has appeared.
    fn finish(self: Box<Self>) -> Result<()>;
}
