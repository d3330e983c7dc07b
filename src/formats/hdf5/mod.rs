//! NetCDF-4 and any other HDF5: the library reads what a file says about itself, and its chunks are read without it.
//!
//! HDF5's library has one lock for the whole process. It is held while a file is opened and while a variable's chunk
//! index is read, and not while bulk data is (`direct`). What only the library can read goes `through` it.

mod attributes;
mod dims;
mod direct;
mod heaps;
mod id;
mod index;
mod lengths;
mod storage;
mod text;
mod through;
mod tree;
mod types;

use crate::{
    budget::Budget,
    codec::Pipeline,
    dtype::ByteOrder,
    error::{Error, Problem, Result},
    formats::whole,
    grid::Grid,
    shape::Shape,
    source::{Container, Dimension, Group, Layout, Source, StoredType, VarMeta},
    store::LocalFile,
    units::Bytes,
};
use direct::{Direct, Fill, Place};
use hdf5::sync::sync;
use hdf5_sys::{
    h5::HADDR_UNDEF,
    h5d::{H5Dget_offset, H5Dget_type},
    h5f::{H5F_ACC_RDONLY, H5F_close_degree_t::H5F_CLOSE_WEAK, H5Fget_name, H5Fopen},
    h5p::{H5P_CLS_FILE_ACCESS, H5Pcreate, H5Pset_fclose_degree, H5Pset_file_locking},
};
use id::{Id, c_name, check};
use index::Index;
use std::{
    collections::HashMap,
    ffi::{CString, OsStr},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use storage::Stored;
use through::{Memory, Through};
use tree::{Key, Node, Scale, Var, Walk};
use types::Typed;

const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Whether the file has HDF5's signature, at its start or behind a user block.
///
/// # Errors
/// When the file cannot be read.
pub fn is_hdf5(path: &Path) -> Result<bool> {
    let file = LocalFile::open(path)?;
    for at in signatures_of(file.len()) {
        let mut head = [0; 8];
        file.read_at(at, &mut head, "signature")?;
        if head == SIGNATURE {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where a file of so many bytes may have its signature.
fn signatures_of(bytes: u64) -> impl Iterator<Item = u64> {
    let starts = std::iter::successors(Some(512u64), |at| at.checked_mul(2));
    std::iter::once(0).chain(starts).take_while(move |at| at.saturating_add(8) <= bytes)
}

/// Where the signature is in a whole file.
fn signature_in(bytes: &[u8]) -> Option<usize> {
    signatures_of(bytes.len() as u64).map(|at| at as usize).find(|&at| bytes[at..].starts_with(&SIGNATURE))
}

/// Opens a file and reads what it holds.
///
/// # Errors
/// When the library refuses the file.
pub fn open(path: &Path) -> Result<Arc<dyn Container>> {
    let data = LocalFile::open(path)?;
    heaps::check(&data).map_err(|e| e.in_file(path))?;
    open_over(data, path)
}

/// Opens a file whose values are read from `data`.
fn open_over(data: LocalFile, path: &Path) -> Result<Arc<dyn Container>> {
    sync(|| {
        let file = open_file(path).map_err(|e| in_parts(&data).or_else(|| cut_short(&e)).unwrap_or(e))?;
        let mut walk = Walk::new(data.len());
        let mut node = walk.root(&file)?;
        dims::resolve(&mut node, &mut walk);
        let mut numbers = HashMap::new();
        dims::by_number(&node, &mut numbers);
        let (_, root_key, _) = tree::open(&file, c"/")?;
        let mut datasets = HashMap::new();
        let root = build(node, "", &numbers, &mut datasets);
        let format = match (walk.is_classic_model, walk.is_netcdf) {
            (true, _) => "NetCDF-4 classic model",
            (_, true) => "NetCDF-4",
            _ => "HDF5",
        };
        let opened = Hdf5 { file, data: Arc::new(data), number: root_key.0, root, datasets, format };
        Ok(Arc::new(opened) as Arc<dyn Container>)
    })
    .map_err(|e: Error| e.in_file(path))
}

/// An open file.
struct Hdf5 {
    file: Id,
    data: Arc<LocalFile>,
    /// The library's number of the file.
    number: u64,
    root: Group,
    datasets: HashMap<String, Dataset>,
    format: &'static str,
}

/// What is kept of a dataset to open it again.
struct Dataset {
    link: CString,
    key: Key,
    typed: Typed,
    stored: Stored,
    extent: Shape,
}

fn open_file(path: &Path) -> Result<Id> {
    let name = c_name(path.as_os_str().as_bytes());
    // SAFETY: the name ends with a NUL, and the list is ours.
    unsafe {
        let access = Id::new(H5Pcreate(*H5P_CLS_FILE_ACCESS), "file access")?;
        check(H5Pset_fclose_degree(access.get(), H5F_CLOSE_WEAK), "file access")?;
        // A reader needs no lock, and some file systems have none.
        check(H5Pset_file_locking(access.get(), 0, 1), "file access")?;
        Id::new(H5Fopen(name.as_ptr(), H5F_ACC_RDONLY, access.get()), "open")
    }
}

/// Says so where a file that cannot be opened is one of several that make one, as drivers for old file systems write them.
fn in_parts(file: &LocalFile) -> Option<Error> {
    let mut head = vec![0; file.len().min(4096) as usize];
    file.read_at(0, &mut head, "superblock").ok()?;
    let has = |driver: &[u8; 8]| head.windows(8).any(|bytes| bytes == driver);
    (has(b"NCSAfami") || has(b"NCSAmult"))
        .then(|| Error::unsupported("HDF5 in several files (h5repart or h5repack of HDF5 make one file of them)"))
}

/// What the library calls `truncated file: eof = 10, ..., stored_eof = 20`, as our own error.
fn cut_short(e: &Error) -> Option<Error> {
    let Problem::Library { detail, .. } = e.problem() else { return None };
    let number = |name: &str| {
        let rest = detail.split(name).nth(1)?;
        rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
    };
    let (got, expected) = (number("truncated file: eof = ")?, number("stored_eof = ")?);
    Some(Problem::Truncated { what: "HDF5 file".into(), expected, got }.into())
}

/// Turns what was found into what is shown, and keeps what is needed to read it.
fn build(node: Node, path: &str, numbers: &HashMap<i64, Scale>, datasets: &mut HashMap<String, Dataset>) -> Group {
    let inside = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
    let mut group = Group { name: node.name, attrs: node.attrs, ..Group::default() };
    for dim in node.dims {
        group.dims.push(Dimension { name: dim.name, len: dim.len, unlimited: dim.unlimited });
    }
    for var in node.vars {
        let Var { name, link, key, typed, extent, attrs, stored, dims, .. } = var;
        let scales: Vec<Option<&Scale>> = dims.iter().map(|id| numbers.get(&(*id)?)).collect();
        let lengths = scales.iter().zip(&extent).map(|(s, n)| s.filter(|s| s.unlimited).map_or(*n, |s| s.len.max(*n)));
        let meta = VarMeta {
            path: inside(&name),
            stored: typed.stored.clone(),
            shape: lengths.collect(),
            dims: scales.iter().map(|s| s.map_or_else(String::new, |s| s.name.clone())).collect(),
            dims_named: scales.iter().all(|s| s.is_some_and(|s| s.key.is_some())),
            attrs,
            fill: stored.fill_value.clone(),
            storage: stored.storage.clone(),
        };
        datasets.insert(meta.path.clone(), Dataset { link, key, typed, stored, extent: Shape(extent) });
        group.vars.push(meta);
    }
    for inner in node.groups {
        let path = inside(&inner.name);
        group.groups.push(build(inner, &path, numbers, datasets));
    }
    group
}

impl Dataset {
    /// Where the bytes of an open contiguous dataset begin, `None` where nothing was written.
    fn offset(&self, dataset: &Id) -> Option<u64> {
        // Behind a user block the library adds its length to "nowhere" too: what takes no bytes has no place.
        let is_written = self.stored.storage.stored_bytes != Some(0);
        // SAFETY: the dataset is open.
        Some(unsafe { H5Dget_offset(dataset.get()) }).filter(|&n| is_written && n != HADDR_UNDEF)
    }

    /// The library undoes its own filters only.
    fn check_filters(&self) -> Result<()> {
        match self.stored.filters.iter().find(|f| !matches!(f.id, 1 | 2 | 3 | 5 | 6)) {
            Some(filter) => {
                let feature = format!("{} on {} that has to be converted", filter.meta().name, self.typed.stored);
                Err(Error::unsupported(feature))
            }
            None => Ok(()),
        }
    }
}

impl Hdf5 {
    fn find(&self, variable: &str) -> Result<(&VarMeta, &Dataset)> {
        let name = variable.trim_start_matches('/');
        let meta = self.root.var(name);
        meta.and_then(|meta| Some((meta, self.datasets.get(name)?))).ok_or_else(|| {
            let known = self.root.all_vars().iter().map(|v| v.path.clone()).collect();
            Problem::NoSuchVariable { name: name.to_string(), known }.into()
        })
    }

    fn dataset(&self, of: &Dataset) -> Result<Id> {
        Ok(tree::open(&self.file, &of.link)?.0)
    }

    /// The file that the bytes of a dataset are in: an external link may lead to another one.
    fn data_of(&self, dataset: &Id, key: Key) -> Result<Arc<LocalFile>> {
        if key.0 == self.number {
            return Ok(self.data.clone());
        }
        let mut name = vec![0u8; 4096];
        // SAFETY: the buffer is passed with its length.
        let len = unsafe { H5Fget_name(dataset.get(), name.as_mut_ptr().cast(), name.len()) };
        name.truncate(usize::try_from(len).unwrap_or(0));
        Ok(Arc::new(LocalFile::open(&PathBuf::from(OsStr::from_bytes(&name)))?))
    }

    /// The elements of a dataset of strings as bytes, `width` of them each, which are one more dimension; `None` where only
    /// the library knows where they lie.
    fn bytes_of(&self, dataset: &Id, meta: &VarMeta, of: &Dataset, width: usize) -> Result<Option<Direct>> {
        let wider = |shape: &Shape| Shape(shape.iter().copied().chain([width as u64]).collect());
        let mut meta = meta.clone();
        (meta.stored, meta.shape) = (StoredType::Char, wider(&of.extent));
        let file = self.data_of(dataset, of.key)?;
        let (place, grid, pipeline) = match (meta.storage.kind, &meta.storage.chunk) {
            ("chunked", Some(chunk)) => {
                // One more axis, along which there is one chunk, changes no number of a chunk.
                let index = Index::read(dataset, &Grid::new(of.extent.clone(), chunk.clone())?, file.len())?;
                let grid = Grid::new(meta.shape.clone(), wider(chunk))?;
                let pipeline = pipeline(&of.stored, width, grid.chunk().bytes(1)?)?;
                (Place::Chunked(index), grid, pipeline)
            }
            ("contiguous", _) => {
                (Place::Contiguous(of.offset(dataset)), Grid::of_contiguous(meta.shape.clone(), 1)?, None)
            }
            _ => return Ok(None),
        };
        let fill = Fill { extent: meta.shape.clone(), unwritten: vec![0], beyond: vec![0] };
        let layout = Layout::row_major(ByteOrder::NATIVE, meta.shape.len());
        let (origin, stored) = (self.data.path().to_path_buf(), of.stored.clone());
        Ok(Some(Direct { origin, file, meta, grid, layout, place, pipeline, stored, fill }))
    }

    /// The strings of a dataset, row-major, unless they take more than `bytes_max`.
    fn strings(&self, meta: &VarMeta, of: &Dataset, bytes_max: u64) -> Result<Vec<String>> {
        let dataset = self.dataset(of)?;
        let budget = Budget::new(Bytes(bytes_max.saturating_mul(2)));
        match (of.check_filters(), &meta.stored) {
            (Err(_), StoredType::FixedText(width)) => {
                // SAFETY: the dataset is open.
                let kind = Id::new(unsafe { H5Dget_type(dataset.get()) }, "type")?;
                let source = self.bytes_of(&dataset, meta, of, *width)?;
                let source = source.ok_or_else(|| Error::unsupported(format!("filters of {}", meta.stored)))?;
                let bytes = whole::read_all(&source, &budget)?;
                Ok(bytes.bytes().chunks((*width).max(1)).map(|b| text::fixed(&kind, b)).collect())
            }
            (Err(e), _) => Err(e),
            // The strings of a virtual dataset are in other files.
            (Ok(()), _) if meta.storage.kind == "virtual" => text::read_all(&dataset, bytes_max, bytes_max),
            (Ok(()), _) => text::read_all(&dataset, bytes_max, self.data.len()),
        }
    }

    fn make_source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        let (meta, of) = self.find(variable)?;
        let Some(size) = meta.stored.element_bytes() else {
            return Err(Problem::NotNumeric { dtype: meta.stored.to_string() }.into());
        };
        let order = match meta.stored {
            StoredType::Number { order, .. } => order,
            _ => ByteOrder::NATIVE,
        };
        let dataset = self.dataset(of)?;
        let beyond = match (&of.stored.fill_value, &meta.stored) {
            (None, StoredType::Number { dtype, order }) => storage::netcdf_default(*dtype, *order),
            _ => of.stored.fill.clone(),
        };
        let fill = Fill { extent: of.extent.clone(), unwritten: of.stored.fill.clone(), beyond };
        let layout = Layout::row_major(order, meta.shape.len());
        let is_whole = meta.shape == of.extent;
        let (meta, origin) = (meta.clone(), self.data.path().to_path_buf());
        match (meta.storage.kind, &meta.storage.chunk) {
            ("chunked", Some(chunk)) if of.typed.is_direct => {
                let grid = Grid::new(meta.shape.clone(), chunk.clone())?;
                let pipeline = pipeline(&of.stored, size, grid.chunk().bytes(size)?)?;
                let file = self.data_of(&dataset, of.key)?;
                let place = Place::Chunked(Index::read(&dataset, &grid, file.len())?);
                let stored = of.stored.clone();
                Ok(Arc::new(Direct { origin, file, meta, grid, layout, place, pipeline, stored, fill }))
            }
            ("contiguous", _) if of.typed.is_direct && is_whole => {
                let offset = of.offset(&dataset);
                let file = self.data_of(&dataset, of.key)?;
                let grid = Grid::of_contiguous(meta.shape.clone(), size)?;
                let (place, stored) = (Place::Contiguous(offset), of.stored.clone());
                Ok(Arc::new(Direct { origin, file, meta, grid, layout, place, pipeline: None, stored, fill }))
            }
            (_, chunk) => {
                of.check_filters()?;
                let grid = match chunk {
                    Some(chunk) => Grid::new(meta.shape.clone(), chunk.clone())?,
                    None => Grid::of_contiguous(meta.shape.clone(), size)?,
                };
                let memory = match meta.stored {
                    StoredType::Number { dtype, .. } if !of.typed.is_direct => Memory::Constant(types::native(dtype)),
                    // SAFETY: the dataset is open.
                    _ => Memory::Own(Id::new(unsafe { H5Dget_type(dataset.get()) }, "type")?),
                };
                Ok(Arc::new(Through { origin, dataset, memory, meta, grid, layout, fill }))
            }
        }
    }
}

/// The codecs of a dataset's filters; `None` where there are none.
fn pipeline(stored: &Stored, element: usize, chunk_bytes: usize) -> Result<Option<Pipeline>> {
    if stored.filters.is_empty() {
        return Ok(None);
    }
    let undone = stored.filters.iter().filter(|f| !f.is_written_only());
    let codecs = undone.map(|f| f.codec(element)).collect::<Result<Vec<_>>>()?;
    Ok(Some(Pipeline::new(codecs, chunk_bytes)))
}

impl Container for Hdf5 {
    fn root(&self) -> &Group {
        &self.root
    }

    fn format(&self) -> &str {
        self.format
    }

    fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        sync(|| self.make_source(variable)).map_err(|e| e.in_file(self.data.path()).in_variable(variable))
    }

    fn texts(&self, variable: &str) -> Result<Vec<String>> {
        let fail = |e: Error| e.in_file(self.data.path()).in_variable(variable);
        let (meta, of) = self.find(variable).map_err(fail)?;
        // Compressed text may be longer than its file, but not by more than this.
        let bytes_max = self.data.len().saturating_mul(1024).clamp(16 << 20, 256 << 20);
        match meta.stored {
            StoredType::Text | StoredType::FixedText(_) => sync(|| self.strings(meta, of, bytes_max))
                .and_then(|texts| text::grown(texts, &of.extent, &meta.shape, bytes_max))
                .map_err(fail),
            StoredType::Char => whole::texts_of_chars(&*self.source(variable)?, bytes_max),
            _ => Err(fail(Error::usage(format!("it holds {}, not text", meta.stored)))),
        }
    }
}

#[cfg(test)]
mod tests;
