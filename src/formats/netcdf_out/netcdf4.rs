//! A NetCDF-4 file whose data is written through HDF5.

use super::{
    attributes::c_strings,
    classic::find,
    define::Defined,
    defined, donor,
    hid::{Hid, check},
    region_of,
    schema::{Declared, Place, Schema},
    write_missing,
    written::Written,
};
use crate::{
    block::Block,
    budget::Budget,
    codec::{Codec, Pipeline, Scratch, ScratchSize},
    error::{Error, Result},
    grid::Grid,
    shape::{ChunkIndex, Region},
    source::Sink,
    store::{Pending, PieceNumber, Unfinished},
    units::Bytes,
};
use hdf5_sys::{
    h5::{HADDR_UNDEF, haddr_t},
    h5ac::H5AC_cache_config_t,
    h5d::{
        H5Dget_chunk_info_by_coord, H5Dget_create_plist, H5Dget_offset, H5Dget_space, H5Dget_type, H5Dopen2,
        H5Dset_extent, H5Dwrite, H5Dwrite_chunk,
    },
    h5f::{H5F_ACC_RDWR, H5F_libver_t, H5F_scope_t, H5Fflush, H5Fopen},
    h5p::{
        H5P_CLS_FILE_ACCESS, H5P_DEFAULT, H5Pcreate, H5Pget_filter2, H5Pget_mdc_config, H5Pget_nfilters, H5Pset_cache,
        H5Pset_libver_bounds, H5Pset_mdc_config, H5Pset_sieve_buf_size,
    },
    h5s::{H5S_ALL, H5S_seloper_t, H5Screate_simple, H5Sselect_hyperslab},
};
use std::{
    collections::HashMap,
    ffi::CString,
    fs::{self, File},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

/// What HDF5 may keep of the chunk indexes before it writes them.
const METADATA_BYTES_MAX: usize = 4 << 20;

/// A NetCDF-4 file, open in HDF5.
pub(super) struct NetCdf4 {
    // Closed in this order, before `pending` removes the file.
    vars: HashMap<String, Var>,
    file: Hid,
    /// Where the run is gone on with if it ends early.
    kept: Option<Kept>,
    pending: Pending,
}

pub(super) struct Var {
    /// Its place in the schema.
    number: u32,
    dataset: Hid,
    /// The dataset's own type: data is given to HDF5 as it is stored.
    datatype: Hid,
    grid: Grid,
    fill: Vec<u8>,
    kind: Kind,
    /// Whether HDF5 fills what is missing by itself.
    fill_is_implied: bool,
    /// Only where it does not, or what is written is to be known.
    written: Option<Written>,
}

enum Kind {
    Plain,
    Chunked(Pipeline),
    Texts,
}

/// The file, to read back what is written.
struct Kept {
    file: File,
    /// Where the chunk that was noted last ends: the next one may begin there.
    end: AtomicU64,
}

/// What notes the pieces that are written.
#[derive(Clone, Copy)]
struct Journal<'a> {
    unfinished: &'a Unfinished,
    kept: &'a Kept,
}

impl NetCdf4 {
    /// Defines a file and opens it with HDF5, and takes over what an earlier run has kept.
    ///
    /// # Errors
    /// When one of the libraries refuses; what `stopped` says.
    pub fn new(mut pending: Pending, schema: &Schema, stopped: &dyn Fn() -> Result<()>) -> Result<NetCdf4> {
        let donor = pending.renew()?;
        let Defined { file, vars: places, growing } = defined(pending.path(), schema)?;
        file.close()?;
        if let Some(unfinished) = pending.unfinished() {
            declare(unfinished)?;
        }
        let is_kept = pending.unfinished().is_some();
        let opened = hdf5::sync::sync(|| {
            let file = open(pending.path(), is_kept)?;
            for (path, len) in &growing {
                extend(&dataset(&file, path)?, &[*len])?;
            }
            let vars = schema.vars.iter().zip(&places).zip(0..).map(|((declared, at), number)| {
                let var = Var::open(&file, &at.dataset, declared, number, is_kept);
                Ok((declared.meta.path.clone(), var.map_err(|e| e.in_variable(&declared.meta.path))?))
            });
            Ok::<_, Error>((vars.collect::<Result<_>>()?, file))
        });
        let (vars, file) = opened?;
        let reader = || File::open(pending.path()).map_err(|e| Error::io("open the output", e));
        let kept = is_kept.then(reader).transpose()?.map(|file| Kept { file, end: AtomicU64::new(0) });
        let output = NetCdf4 { vars, file, kept, pending };
        if let (Some(donor), Some(journal)) = (donor, output.journal()) {
            let mut vars: Vec<&Var> = output.vars.values().collect();
            vars.sort_by_key(|var| var.number);
            let take = |var: &Var, piece, bytes: &[u8]| var.take(piece, bytes, journal);
            donor::take_over(&donor, journal.unfinished, &vars, take, stopped)?;
            journal.unfinished.remove_donor()?;
        }
        Ok(output)
    }

    fn journal(&self) -> Option<Journal<'_>> {
        Some(Journal { unfinished: self.pending.unfinished()?, kept: self.kept.as_ref()? })
    }

    fn close(self) -> Result<Pending> {
        let NetCdf4 { vars, file, pending, .. } = self;
        for var in vars.into_values() {
            var.datatype.close(|| "close a type".into())?;
            var.dataset.close(|| "close a variable".into())?;
        }
        hdf5::sync::sync(|| {
            // SAFETY: the file is open, and the lock is held.
            check(unsafe { H5Fflush(file.id(), H5F_scope_t::H5F_SCOPE_GLOBAL) }, || "write the output".into())
        })?;
        file.close(|| "close the output".into())?;
        Ok(pending)
    }
}

impl Sink for NetCdf4 {
    fn grid(&self, variable: &str) -> Result<&Grid> {
        Ok(&find(&self.vars, variable)?.grid)
    }

    fn scratch(&self, variable: &str) -> Result<ScratchSize> {
        find(&self.vars, variable)?.scratch()
    }

    fn write(&self, variable: &str, chunk: &ChunkIndex, data: &[u8], scratch: &mut Scratch) -> Result<()> {
        if self.has(variable, chunk) {
            return Ok(());
        }
        let journal = self.journal();
        let written = find(&self.vars, variable).and_then(|var| var.write(chunk, data, scratch, journal));
        let bytes = written.map_err(|e| e.in_chunk(chunk).in_variable(variable).in_file(self.pending.target()))?;
        self.pending.wrote(bytes as u64);
        Ok(())
    }

    fn has(&self, variable: &str, chunk: &ChunkIndex) -> bool {
        self.kept.is_some() && find(&self.vars, variable).is_ok_and(|var| var.has(chunk))
    }

    fn write_texts(&self, variable: &str, values: &[String]) -> Result<()> {
        let written = find(&self.vars, variable).and_then(|var| var.write_texts(values));
        written.map_err(|e| e.in_variable(variable).in_file(self.pending.target()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let target = self.pending.target().to_path_buf();
        for (path, var) in &self.vars {
            var.fill().map_err(|e| e.in_variable(path).in_file(&target))?;
        }
        self.close().map_err(|e| e.in_file(&target))?.commit()
    }
}

impl Var {
    fn open(file: &Hid, path: &str, declared: &Declared, number: u32, is_kept: bool) -> Result<Var> {
        let dataset = dataset(file, path)?;
        // SAFETY: the dataset is open, and the lock is held.
        let datatype = Hid::new(unsafe { H5Dget_type(dataset.id()) }, || "read the type".into())?;
        let shape = &declared.meta.shape;
        let kind = match &declared.place {
            Place::Plain => Kind::Plain,
            Place::Chunked(_) => Kind::Chunked(pipeline(&dataset, declared)?),
            Place::Texts(_) => Kind::Texts,
        };
        if matches!(declared.place, Place::Chunked(_) | Place::Texts(Some(_))) {
            extend(&dataset, shape)?;
        }
        let (grid, fill, fill_is_implied) = (declared.grid.clone(), declared.fill.clone(), declared.fill_is_implied);
        let is_tracked = (is_kept || !fill_is_implied) && !matches!(kind, Kind::Texts);
        let written = is_tracked.then(|| Written::new(&grid));
        Ok(Var { number, dataset, datatype, grid, fill, kind, fill_is_implied, written })
    }

    /// Its chunks.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Bytes of an element where it lies in one run; `None` where it lies in chunks, or holds strings.
    pub fn plain_element_bytes(&self) -> Option<usize> {
        matches!(self.kind, Kind::Plain).then_some(self.fill.len())
    }

    /// Whether chunks have bytes of their own.
    pub fn is_chunked(&self) -> bool {
        matches!(self.kind, Kind::Chunked(_))
    }

    fn has(&self, chunk: &ChunkIndex) -> bool {
        self.written.as_ref().is_some_and(|written| written.has(self.grid.number(chunk)))
    }

    /// Writes what an earlier run has written: a chunk as it is stored, or a piece.
    fn take(&self, piece: u64, bytes: &[u8], journal: Journal<'_>) -> Result<()> {
        let region = self.grid.region(&self.grid.index(piece));
        match self.kind {
            Kind::Chunked(_) => self.store(&region, piece, bytes, Some(journal))?,
            _ => self.write_region(&region, piece, bytes, Some(journal))?,
        };
        self.written.iter().for_each(|written| written.set(piece));
        Ok(())
    }

    fn chunk_bytes(&self) -> Result<usize> {
        self.grid.chunk().bytes(self.fill.len())
    }

    fn has_edges(&self) -> bool {
        self.grid.shape().iter().zip(self.grid.chunk().iter()).any(|(n, c)| n % c != 0)
    }

    fn scratch(&self) -> Result<ScratchSize> {
        let Kind::Chunked(pipeline) = &self.kind else { return Ok(ScratchSize::default()) };
        let padding = if self.has_edges() { self.chunk_bytes()? } else { 0 };
        if pipeline.codecs().is_empty() {
            return Ok(ScratchSize { stored: padding, ..ScratchSize::default() });
        }
        let size = pipeline.encode_scratch();
        Ok(ScratchSize { state: size.state + padding, ..size })
    }

    /// Writes a chunk, and says how many bytes that took.
    fn write(
        &self,
        chunk: &ChunkIndex,
        data: &[u8],
        scratch: &mut Scratch,
        journal: Option<Journal<'_>>,
    ) -> Result<usize> {
        let region = region_of(&self.grid, self.fill.len(), chunk, data)?;
        let piece = self.grid.number(chunk);
        let bytes = match &self.kind {
            Kind::Plain => self.write_region(&region, piece, data, journal)?,
            Kind::Chunked(pipeline) => {
                self.encoded(pipeline, &region, data, scratch, |stored| self.store(&region, piece, stored, journal))?
            }
            Kind::Texts => return Err(Error::usage("it holds strings")),
        };
        if let Some(written) = &self.written {
            written.set(piece);
        }
        Ok(bytes)
    }

    fn write_region(&self, region: &Region, piece: u64, data: &[u8], journal: Option<Journal<'_>>) -> Result<usize> {
        let from = hdf5::sync::sync(|| {
            let (memory, space) = match region.start.is_empty() {
                true => (None, None),
                false => {
                    let (memory, space) = self.select(region)?;
                    (Some(memory), Some(space))
                }
            };
            let id = |h: &Option<Hid>| h.as_ref().map_or(H5S_ALL, Hid::id);
            // SAFETY: `data` has the elements of the region (checked by `region_of`) in the dataset's type, all ids are
            // open, and the lock is held.
            let code = unsafe {
                H5Dwrite(
                    self.dataset.id(),
                    self.datatype.id(),
                    id(&memory),
                    id(&space),
                    H5P_DEFAULT,
                    data.as_ptr().cast(),
                )
            };
            check(code, || format!("write {} bytes", data.len()))?;
            // SAFETY: the dataset is open, and the lock is held.
            Ok::<_, Error>(journal.map(|_| unsafe { H5Dget_offset(self.dataset.id()) }))
        })?;
        if let (Some(journal), Some(from)) = (journal, from.filter(|from| *from != HADDR_UNDEF)) {
            journal.unfinished.add(self.numbered(piece), from, data)?;
        }
        Ok(data.len())
    }

    fn numbered(&self, piece: u64) -> PieceNumber {
        PieceNumber { variable: self.number, piece }
    }

    /// The spaces of a region in memory and in the file.
    fn select(&self, region: &Region) -> Result<(Hid, Hid)> {
        let rank = region.start.len() as i32;
        // SAFETY: `shape` has `rank` lengths; the lock is held.
        let memory = unsafe { H5Screate_simple(rank, region.shape.as_ptr(), ptr::null()) };
        let memory = Hid::new(memory, || "select".into())?;
        // SAFETY: the dataset is open, and the lock is held.
        let space = Hid::new(unsafe { H5Dget_space(self.dataset.id()) }, || "select".into())?;
        // SAFETY: both lists have the dataset's rank; null means steps and blocks of 1.
        let code = unsafe {
            H5Sselect_hyperslab(
                space.id(),
                H5S_seloper_t::H5S_SELECT_SET,
                region.start.as_ptr(),
                ptr::null(),
                region.shape.as_ptr(),
                ptr::null(),
            )
        };
        check(code, || "select".into())?;
        Ok((memory, space))
    }

    /// Gives a chunk to `store`, as it is stored.
    fn encoded(
        &self,
        pipeline: &Pipeline,
        region: &Region,
        data: &[u8],
        scratch: &mut Scratch,
        store: impl Fn(&[u8]) -> Result<usize>,
    ) -> Result<usize> {
        let whole_bytes = self.chunk_bytes()?;
        let is_whole = data.len() == whole_bytes;
        if pipeline.codecs().is_empty() {
            if is_whole {
                return store(data);
            }
            let padded = scratch.stored.bytes_mut().get_mut(..whole_bytes).ok_or_else(too_small)?;
            self.pad(region, data, padded);
            return store(padded);
        }
        let len = if is_whole {
            pipeline.encode(data, scratch)?
        } else {
            // `scratch` is all the encoder's; its `state` has paid for this block too.
            let lease = Budget::new(Bytes(u64::MAX)).lease(whole_bytes as u64, "padding")?;
            let mut padded = Block::new(whole_bytes, lease);
            self.pad(region, data, padded.bytes_mut());
            pipeline.encode(padded.bytes(), scratch)?
        };
        store(scratch.stored.bytes().get(..len).ok_or_else(too_small)?)
    }

    /// Spreads a clipped chunk over a whole one; the rest is fill.
    fn pad(&self, region: &Region, data: &[u8], whole: &mut [u8]) {
        let element = self.fill.len();
        whole.chunks_exact_mut(element).for_each(|e| e.copy_from_slice(&self.fill));
        let strides = self.grid.chunk().strides();
        let Some((last, outer)) = region.shape.split_last() else { return };
        let row_bytes = *last as usize * element;
        for (n, row) in data.chunks_exact(row_bytes.max(1)).enumerate() {
            let mut rest = n as u64;
            let mut at = 0;
            for k in (0..outer.len()).rev() {
                at += rest % outer[k] * strides[k];
                rest /= outer[k];
            }
            let at = at as usize * element;
            whole[at..at + row_bytes].copy_from_slice(row);
        }
    }

    /// Hands stored bytes to HDF5.
    fn store(&self, region: &Region, piece: u64, stored: &[u8], journal: Option<Journal<'_>>) -> Result<usize> {
        let end = hdf5::sync::sync(|| {
            // SAFETY: the offset has the dataset's rank and lies in it, `stored` has the announced length, the dataset
            // is open and the lock is held.
            let code = unsafe {
                H5Dwrite_chunk(
                    self.dataset.id(),
                    H5P_DEFAULT,
                    0,
                    region.start.as_ptr(),
                    stored.len(),
                    stored.as_ptr().cast(),
                )
            };
            check(code, || format!("write {} stored bytes", stored.len()))?;
            journal
                .map(|journal| journal.kept.file.metadata())
                .transpose()
                .map_err(|e| Error::io("look at the output", e))
        })?;
        if let (Some(journal), Some(meta)) = (journal, end) {
            self.note(region, piece, stored, meta.len(), journal)?;
        }
        Ok(stored.len())
    }

    /// Finds out where HDF5 has put a chunk, and notes it. It says so only by going through all chunks; but almost always
    /// that is the end of the file, `end`, or behind the chunk before.
    fn note(&self, region: &Region, piece: u64, stored: &[u8], end: u64, journal: Journal<'_>) -> Result<()> {
        let Journal { unfinished, kept } = journal;
        let len = stored.len() as u64;
        let guesses = [end.saturating_sub(len), kept.end.load(Ordering::Relaxed)];
        let mut found = unfinished.add_found(self.numbered(piece), stored, &kept.file, &guesses)?;
        if found.is_none() {
            let place = self.place(region)?;
            found = unfinished.add_found(self.numbered(piece), stored, &kept.file, place.as_slice())?;
        }
        found.iter().for_each(|at| kept.end.store(at + len, Ordering::Relaxed));
        Ok(())
    }

    /// Where HDF5 says that a chunk is.
    fn place(&self, region: &Region) -> Result<Option<u64>> {
        let (mut mask, mut at, mut len): (_, haddr_t, _) = (0, HADDR_UNDEF, 0);
        // SAFETY: the offset has the dataset's rank, the three outlive the call, and the dataset is open.
        let code = hdf5::sync::sync(|| unsafe {
            H5Dget_chunk_info_by_coord(self.dataset.id(), region.start.as_ptr(), &mut mask, &mut at, &mut len)
        });
        check(code, || "ask where a chunk is".into())?;
        Ok(Some(at).filter(|at| *at != HADDR_UNDEF))
    }

    fn write_texts(&self, values: &[String]) -> Result<()> {
        if !matches!(self.kind, Kind::Texts) {
            return Err(Error::usage("it does not hold strings"));
        }
        let expected = self.grid.shape().elements()?;
        if values.len() as u64 != expected {
            return Err(Error::usage(format!("it has {expected} strings, not {}", values.len())));
        }
        let owned = c_strings(values)?;
        let pointers: Vec<_> = owned.iter().map(|s| s.as_ptr()).collect();
        if pointers.is_empty() {
            return Ok(());
        }
        hdf5::sync::sync(|| {
            // SAFETY: `pointers` has one NUL-terminated string for each element, and netCDF's strings are just that.
            let code = unsafe {
                H5Dwrite(self.dataset.id(), self.datatype.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.as_ptr().cast())
            };
            check(code, || format!("write {} strings", values.len()))
        })
    }

    fn fill(&self) -> Result<()> {
        let Some(written) = self.written.as_ref().filter(|_| !self.fill_is_implied) else { return Ok(()) };
        let write =
            |chunk: &ChunkIndex, data: &[u8], scratch: &mut Scratch| self.write(chunk, data, scratch, None).map(drop);
        write_missing(&self.grid, &self.fill, written.missing(), self.scratch()?, write)
    }
}

fn too_small() -> Error {
    Error::usage("the scratch space is smaller than what Sink::scratch asks for")
}

/// Keeps what the first run has declared, so that its `history` stays: later runs take that in place of their own.
fn declare(unfinished: &Unfinished) -> Result<()> {
    let (declaration, store) = (unfinished.declaration(), unfinished.store());
    let failed = |e| Error::io("keep what is declared", e);
    if unfinished.is_begun() {
        return fs::copy(declaration, store).map(drop).map_err(failed);
    }
    let synced = fs::copy(store, &declaration).and_then(|_| File::open(&declaration)?.sync_data());
    synced.map_err(failed)?;
    unfinished.begin()
}

/// Opens a file to write, with small caches and in the old format that netCDF creates. If it `is_kept` what is written
/// goes to the system at once.
fn open(path: &Path, is_kept: bool) -> Result<Hid> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::usage("a NUL in the output's name"))?;
    let what = || "open the output".to_string();
    // SAFETY: `config` is plain data that HDF5 fills, all ids are open, the name ends with NUL; the caller holds the lock.
    unsafe {
        let access = Hid::new(H5Pcreate(*H5P_CLS_FILE_ACCESS), what)?;
        check(H5Pset_cache(access.id(), 0, 1, 0, 0.75), what)?;
        check(H5Pset_libver_bounds(access.id(), H5F_libver_t::H5F_LIBVER_V18, H5F_libver_t::H5F_LIBVER_V18), what)?;
        if is_kept {
            check(H5Pset_sieve_buf_size(access.id(), 0), what)?;
        }
        let mut config = H5AC_cache_config_t { version: 1, ..H5AC_cache_config_t::default() };
        check(H5Pget_mdc_config(access.id(), &mut config), what)?;
        config.max_size = METADATA_BYTES_MAX;
        config.initial_size = config.initial_size.min(METADATA_BYTES_MAX);
        config.min_size = config.min_size.min(config.initial_size);
        check(H5Pset_mdc_config(access.id(), &config), what)?;
        Hid::new(H5Fopen(name.as_ptr(), H5F_ACC_RDWR, access.id()), what)
    }
}

fn dataset(file: &Hid, path: &str) -> Result<Hid> {
    let name = CString::new(path).map_err(|_| Error::usage("a NUL in a name"))?;
    // SAFETY: the file is open, the name ends with NUL; the caller holds the lock.
    Hid::new(unsafe { H5Dopen2(file.id(), name.as_ptr(), H5P_DEFAULT) }, || format!("open the dataset {path}"))
}

fn extend(dataset: &Hid, lengths: &[u64]) -> Result<()> {
    // SAFETY: the lengths are as many as the rank that the dataset was defined with; the caller holds the lock.
    check(unsafe { H5Dset_extent(dataset.id(), lengths.as_ptr()) }, || format!("extend to {lengths:?}"))
}

/// The filters in the order in which netCDF set them.
fn pipeline(dataset: &Hid, declared: &Declared) -> Result<Pipeline> {
    let what = || "read the filters".to_string();
    // SAFETY: the dataset is open; the caller holds the lock.
    let creation = Hid::new(unsafe { H5Dget_create_plist(dataset.id()) }, what)?;
    // SAFETY: the list is open.
    let count = unsafe { H5Pget_nfilters(creation.id()) };
    check(count, what)?;
    let mut codecs = Vec::new();
    for k in 0..count as u32 {
        let (mut flags, mut config, mut values, mut len) = (0, 0, [0u32; 8], 8usize);
        // SAFETY: `values` has room for `len` numbers, and no name is asked for.
        let id = unsafe {
            H5Pget_filter2(creation.id(), k, &mut flags, &mut len, values.as_mut_ptr(), 0, ptr::null_mut(), &mut config)
        };
        codecs.push(match id {
            1 if matches!(&declared.place, Place::Chunked(filters) if filters.fast) => Codec::DeflateFast,
            1 => Codec::Deflate { level: values[0].min(9) as u8 },
            2 => Codec::Shuffle { element: declared.element_bytes },
            3 => Codec::Fletcher32,
            id => return Err(Error::unsupported(format!("writing with filter {id}"))),
        });
    }
    Ok(Pipeline::new(codecs, declared.grid.chunk().bytes(declared.element_bytes)?))
}
