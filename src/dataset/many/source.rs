//! One variable of many files, as one source: [`Joined`].

use super::{
    crowd,
    pool::{Door, Pool},
};
use crate::{
    attrs::Attrs,
    cf::{
        decoding::{ValidRange, decoding},
        measure::{self, Conversion},
    },
    codec::{Scratch, ScratchSize, crc32c},
    dtype::{ByteOrder, DType, Element, swap_in_place},
    error::{Error, Result},
    grid::Grid,
    kernels::{
        decode::{Decode, Decoder, SEGMENT, Segment},
        strided::{Strided, copy},
    },
    shape::{ChunkIndex, Region, Shape},
    source::{Layout, Origin, Source, StoredType, VarMeta},
    with_dtype,
};
use std::{path::PathBuf, slice, sync::Arc};

/// The files of a dataset in order.
pub(super) struct Files {
    /// Each with its container, where that is still open.
    pub doors: Vec<Door>,
    /// How long each is along the joined dimension.
    pub lengths: Vec<u64>,
    /// The sources that are open.
    pub pool: Pool,
}

/// How a variable is put together.
#[derive(Debug, Clone)]
pub(super) struct How {
    /// The axis in the joined variable.
    pub axis: usize,
    /// Whether the files do not have it.
    pub is_new: bool,
    /// The type that values are decoded to, each file's by its own attributes; `None` where all store them alike.
    pub decoded: Option<DType>,
}

/// One variable of many files. Its chunks are those of the files, one behind the other.
pub(super) struct Joined {
    files: Arc<Files>,
    variable: Arc<str>,
    how: How,
    meta: VarMeta,
    origin: Origin,
    grid: Grid,
    layout: Layout,
    /// The ways in which files store it.
    forms: Vec<Form>,
    /// Which of them each file has.
    form_of: Vec<u32>,
    /// The number of the first chunk of each file along the axis.
    first_chunk: Vec<u64>,
    /// Where each file begins along the axis.
    starts: Vec<u64>,
    scratch: ScratchSize,
    beside: Option<ScratchSize>,
    stored_bytes: u64,
}

/// How a file stores it.
#[derive(Debug, Clone, PartialEq)]
struct Form {
    stored: StoredType,
    layout: Layout,
    /// The chunk in the file's own rank.
    chunk: Shape,
    /// What the numbers mean, where each file says that for itself.
    decode: Option<Decode>,
    /// How they become those of the first file, where they are in other units.
    conversion: Option<Conversion>,
    /// Whether a chunk can be read as a chunk of the whole.
    is_direct: bool,
}

/// What is found in one file.
pub(super) struct Found {
    form: Form,
    /// What is said of its units.
    said: Attrs,
    shape: Shape,
    scratch: ScratchSize,
    /// What each of several chunks needs beside the first, where they are read together.
    beside: Option<ScratchSize>,
    chunk_bytes: usize,
    stored_bytes: u64,
}

impl Joined {
    /// Looks at the variable's chunks in every file, unless they were `found` before. `meta` is what it is declared as.
    ///
    /// # Errors
    /// When a file cannot be opened any more or has changed, or its index cannot be read.
    pub fn new(files: Arc<Files>, meta: VarMeta, how: How, found: Option<Vec<Found>>) -> Result<Joined> {
        let variable: Arc<str> = meta.path.as_str().into();
        let look_at = |part: usize| {
            let door = &files.doors[part];
            let found = files.pool.source(door, &variable).and_then(|source| Found::of(source.as_ref()))?;
            found.check(&meta, &how, files.lengths[part]).map_err(|e| e.in_variable(&variable).in_file(&door.path))?;
            Ok(found)
        };
        let found = match found {
            Some(found) => found,
            None => crowd::each(files.doors.len(), look_at).into_iter().collect::<Result<Vec<Found>>>()?,
        };
        Joined::of(files, variable, meta, how, found)
    }

    fn of(files: Arc<Files>, variable: Arc<str>, meta: VarMeta, how: How, found: Vec<Found>) -> Result<Joined> {
        let first = &found.first().ok_or_else(|| Error::usage("no file to read"))?.form;
        let is_alike = |f: &Found| how.decoded.is_none() && f.form.layout.order == first.layout.order;
        let order = if found.iter().all(is_alike) { first.layout.order } else { ByteOrder::NATIVE };
        let mut chunk = first.chunk.clone();
        if how.is_new {
            chunk.0.insert(0, 1);
        }
        let along = |form: &Form| if how.is_new { 1 } else { form.chunk[how.axis] };
        chunk.0[how.axis] = found.iter().map(|f| along(&f.form)).max().unwrap_or(1);
        let (mut forms, mut form_of): (Vec<Form>, Vec<u32>) = (Vec::new(), Vec::new());
        let (mut scratch, mut beside, mut stored_bytes) = (ScratchSize::default(), None, 0u64);
        for mut one in found {
            one.form.decode = one.form.decode.filter(|_| how.decoded.is_some());
            if how.decoded.is_some() {
                one.form.conversion = measure::between(&one.said, &meta.attrs).map_err(|e| e.in_variable(&variable))?;
            }
            one.form.is_direct = is_direct(&one.form, &chunk, order, &how);
            let piece = if one.form.is_direct { 0 } else { one.chunk_bytes };
            scratch = scratch.max(ScratchSize { piece, ..one.scratch });
            let more = one.beside.filter(|_| one.form.is_direct);
            beside = more.map(|more| more.max(beside.unwrap_or_default())).or(beside);
            stored_bytes = stored_bytes.saturating_add(one.stored_bytes);
            let known = forms.iter().position(|f| *f == one.form);
            form_of.push(known.unwrap_or(forms.len()) as u32);
            if known.is_none() {
                forms.push(one.form);
            }
        }
        let mut cuts = Cuts::default();
        for (length, form) in files.lengths.iter().zip(&form_of) {
            cuts.add(*length, along(&forms[*form as usize]));
        }
        let grid = Grid::with_cuts(meta.shape.clone(), chunk, how.axis, cuts.begins)?;
        let layout = Layout::row_major(order, meta.shape.len());
        let (first_chunk, starts) = (cuts.first_chunk, cuts.starts);
        let origin = origin(&files, &variable);
        Ok(Joined {
            files,
            variable,
            how,
            meta,
            origin,
            grid,
            layout,
            forms,
            form_of,
            first_chunk,
            starts,
            scratch,
            beside,
            stored_bytes,
        })
    }

    /// The file that a chunk lies in.
    fn part_of(&self, chunk: &ChunkIndex) -> usize {
        let along = chunk.get(self.how.axis).copied().unwrap_or(0);
        self.first_chunk.partition_point(|first| *first <= along).saturating_sub(1)
    }

    /// Reads chunks that lie in file `part`, and says of each whether the bytes of its elements are left gathered by their
    /// significance, which is not done unless `as_planes`.
    fn read_in(
        &self,
        part: usize,
        as_planes: bool,
        chunks: &[ChunkIndex],
        scratch: &mut Scratch,
        outs: &mut [&mut [u8]],
    ) -> Result<Vec<bool>> {
        let source = self.files.pool.source(&self.files.doors[part], &self.variable)?;
        let form = &self.forms[self.form_of[part] as usize];
        if *source.grid().chunk() != form.chunk || source.layout() != &form.layout {
            return Err(Error::corrupt("file", "it was written anew while it was read"));
        }
        if !form.is_direct {
            let each = |(chunk, out): (&ChunkIndex, &mut &mut [u8])| {
                self.read_gathered(source.as_ref(), part, chunk, scratch, out).map(|()| false)
            };
            return chunks.iter().zip(outs).map(each).collect();
        }
        let axis = self.how.axis;
        let inner = |chunk: &ChunkIndex| {
            let mut index = chunk.0.clone();
            index[axis] -= self.first_chunk[part];
            if self.how.is_new {
                index.remove(axis);
            }
            ChunkIndex(index)
        };
        let bytes = source.chunk_bytes();
        let mut begins = Vec::with_capacity(outs.len());
        for out in outs {
            let want = out.len();
            let begin = out.get_mut(..bytes);
            begins.push(begin.ok_or_else(|| Error::corrupt("chunk", format!("{bytes} bytes for {want}")))?);
        }
        let inner: Vec<ChunkIndex> = chunks.iter().map(inner).collect();
        // Planes are those of a whole chunk, and this file's may be shorter.
        source.read_together(as_planes && bytes == self.chunk_bytes(), &inner, scratch, &mut begins)
    }

    /// Reads a chunk that is put together from those of file `part`.
    fn read_gathered(
        &self,
        source: &dyn Source,
        part: usize,
        chunk: &ChunkIndex,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<()> {
        let axis = self.how.axis;
        let mut region = self.grid.region(chunk);
        let mut whole = self.grid.chunk().clone();
        region.start[axis] -= self.starts[part];
        if self.how.is_new {
            region.start.remove(axis);
            region.shape.0.remove(axis);
            whole.0.remove(axis);
        }
        let Some(mut piece) = scratch.piece.take() else {
            return Err(Error::corrupt("scratch", "the buffer of pieces is in use"));
        };
        let form = &self.forms[self.form_of[part] as usize];
        let done = self.gather(source, form, &region, &whole, scratch, piece.bytes_mut(), out);
        scratch.piece = Some(piece);
        done
    }

    /// Puts the parts of a region together from the chunks of a file, as a chunk of shape `whole` holds them.
    #[allow(clippy::too_many_arguments)]
    fn gather(
        &self,
        source: &dyn Source,
        form: &Form,
        region: &Region,
        whole: &Shape,
        scratch: &mut Scratch,
        piece: &mut [u8],
        out: &mut [u8],
    ) -> Result<()> {
        let (bytes, have) = (source.chunk_bytes(), piece.len());
        let piece =
            piece.get_mut(..bytes).ok_or_else(|| Error::corrupt("chunk", format!("{bytes} bytes for {have}")))?;
        let element = form.stored.element_bytes().unwrap_or(1);
        let mut inner = vec![0isize; form.chunk.len()];
        let mut step = 1;
        for &axis in form.layout.axes.iter().rev() {
            inner[axis] = step;
            step *= form.chunk[axis] as isize;
        }
        let outer: Vec<isize> = whole.strides().iter().map(|&s| s as isize).collect();
        for index in source.grid().overlapping(region) {
            source.read(&index, scratch, piece)?;
            let here = source.grid().region(&index);
            let Some(shared) = here.intersect(region) else { continue };
            let first = |of: &Region, strides: &[isize]| {
                (0..strides.len()).map(|k| (shared.start[k] - of.start[k]) as isize * strides[k]).sum::<isize>()
            };
            let lengths: Vec<usize> = shared.shape.iter().map(|&n| n as usize).collect();
            let from = Strided { first: first(&here, &inner), strides: &inner };
            let to = Strided { first: first(region, &outer), strides: &outer };
            match (&form.decode, self.how.decoded) {
                (Some(decode), Some(result)) => {
                    let meaning = Meaning { decode, conversion: form.conversion, result };
                    decode_into(&meaning, &lengths, piece, from, out, to);
                }
                _ => copy(&lengths, piece, from, out, to, element),
            }
        }
        if form.decode.is_none() && form.layout.order != self.layout.order {
            swap_in_place(out, element);
        }
        Ok(())
    }
}

/// Where the chunks of files lie along the joined axis.
#[derive(Default)]
struct Cuts {
    end: u64,
    begins: Vec<u64>,
    first_chunk: Vec<u64>,
    starts: Vec<u64>,
}

impl Cuts {
    fn add(&mut self, length: u64, chunk: u64) {
        self.first_chunk.push(self.begins.len() as u64);
        self.starts.push(self.end);
        self.begins.extend((0..length.div_ceil(chunk)).map(|k| self.end + k * chunk));
        self.end += length;
    }
}

impl Found {
    /// What one file says about a variable.
    ///
    /// # Errors
    /// When its attributes say nothing that can be done.
    pub fn of(source: &dyn Source) -> Result<Found> {
        let decode = match source.meta().stored.dtype() {
            Some(_) => Some(decoding(source.meta(), source.layout(), ValidRange::Ignore)?),
            None => None,
        };
        let form = Form {
            stored: source.meta().stored.clone(),
            layout: source.layout().clone(),
            chunk: source.grid().chunk().clone(),
            decode,
            conversion: None,
            is_direct: false,
        };
        let mut said = Attrs::new();
        let units = source.meta().attrs.iter().filter(|(name, _)| name.starts_with("units"));
        units.for_each(|(name, value)| said.set(name, value.clone()));
        let shape = source.grid().shape().clone();
        let (scratch, beside) = (source.scratch(), source.scratch_beside(false));
        let (chunk_bytes, stored_bytes) = (source.chunk_bytes(), source.stored_bytes());
        Ok(Found { form, said, shape, scratch, beside, chunk_bytes, stored_bytes })
    }

    /// Whether it is still what it was when files were joined.
    fn check(&self, meta: &VarMeta, how: &How, length: u64) -> Result<()> {
        let mut wanted = meta.shape.clone();
        match how.is_new {
            true => drop(wanted.0.remove(how.axis)),
            false => wanted.0[how.axis] = length,
        }
        if self.shape == wanted {
            return Ok(());
        }
        let here = &self.shape;
        Err(Error::corrupt("file", format!("its shape is {here} now, and was {wanted} when files were joined")))
    }
}

/// Whether a chunk of a file, as it is stored, is the beginning of a chunk of the whole.
fn is_direct(form: &Form, chunk: &Shape, order: ByteOrder, how: &How) -> bool {
    let is_row_major = form.layout.axes.iter().enumerate().all(|(k, axis)| k == *axis);
    let skip = usize::from(how.is_new);
    let fits = |k: usize| form.chunk[k] == chunk[k + skip] || (!how.is_new && k == 0 && how.axis == 0);
    form.decode.is_none() && is_row_major && form.layout.order == order && (0..form.chunk.len()).all(fits)
}

/// What the joined variable is called where sources are told apart.
pub(super) fn origin(files: &Files, variable: &str) -> Origin {
    let mut all = Vec::new();
    files.doors.iter().for_each(|door| {
        all.extend_from_slice(door.path.as_os_str().as_encoded_bytes());
        all.push(0);
    });
    let first = files.doors.first().map(|door| door.path.display().to_string()).unwrap_or_default();
    let file = format!("{first} and {} more (#{:08x})", files.doors.len().saturating_sub(1), crc32c(&all));
    Origin { file: PathBuf::from(file), variable: variable.to_string() }
}

/// What stored numbers become.
struct Meaning<'d> {
    decode: &'d Decode,
    conversion: Option<Conversion>,
    result: DType,
}

/// Decodes stored elements, row by row.
fn decode_into(
    Meaning { decode, conversion, result }: &Meaning<'_>,
    lengths: &[usize],
    src: &[u8],
    from: Strided<'_>,
    dst: &mut [u8],
    to: Strided<'_>,
) {
    let (row, rest) = lengths.split_last().map_or((1, &[] as &[usize]), |(row, rest)| (*row, rest));
    let (stride, step) = (from.strides.last().copied().unwrap_or(1), to.strides.last().copied().unwrap_or(1));
    let (decoder, mut segment) = (Decoder::new(decode), Segment::new());
    let mut at = vec![0usize; rest.len()];
    for _ in 0..rest.iter().product::<usize>() {
        let dot = |first: isize, strides: &[isize]| {
            first + at.iter().zip(strides).map(|(&i, s)| i as isize * s).sum::<isize>()
        };
        let (start, end) = (dot(from.first, from.strides), dot(to.first, to.strides));
        for done in (0..row).step_by(SEGMENT) {
            let len = SEGMENT.min(row - done);
            let first = (start + done as isize * stride) as usize;
            let mut put = |k: usize, x: f64| {
                let x = conversion.map_or(x, |c| c.apply(x));
                let place = (end + (done + k) as isize * step) as usize * result.size();
                match result {
                    DType::F32 => dst[place..place + 4].copy_from_slice(&(x as f32).to_ne_bytes()),
                    _ => dst[place..place + 8].copy_from_slice(&x.to_ne_bytes()),
                }
            };
            match decode.result {
                DType::F64 => {
                    let values = decoder.decode::<f64>(src, first, stride as usize, len, &mut segment).values;
                    values.iter().enumerate().for_each(|(k, x)| put(k, *x));
                }
                floats if floats.is_float() => {
                    let values = decoder.decode::<f32>(src, first, stride as usize, len, &mut segment).values;
                    values.iter().enumerate().for_each(|(k, x)| put(k, f64::from(*x)));
                }
                _ => with_dtype!(decode.read_as(), T => {
                    for k in 0..len {
                        let place = (first as isize + k as isize * stride) as usize * size_of::<T>();
                        let mut bytes = [0u8; 8];
                        bytes[..size_of::<T>()].copy_from_slice(&src[place..place + size_of::<T>()]);
                        if decode.order != ByteOrder::NATIVE {
                            bytes[..size_of::<T>()].reverse();
                        }
                        put(k, bytemuck::pod_read_unaligned::<T>(&bytes[..size_of::<T>()]).to_f64());
                    }
                }),
            }
        }
        for k in (0..rest.len()).rev() {
            at[k] += 1;
            if at[k] < rest[k] {
                break;
            }
            at[k] = 0;
        }
    }
}

impl Source for Joined {
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
        self.scratch
    }

    fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    fn held_bytes(&self) -> u64 {
        (self.form_of.len() * 4 + self.first_chunk.len() * 16) as u64
    }

    fn scratch_beside(&self, _as_planes: bool) -> Option<ScratchSize> {
        self.beside
    }

    fn read(&self, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        self.read_together(false, slice::from_ref(chunk), scratch, &mut [out]).map(|_| ())
    }

    fn read_planes(&self, chunk: &ChunkIndex, scratch: &mut Scratch, out: &mut [u8]) -> Result<bool> {
        self.read_together(true, slice::from_ref(chunk), scratch, &mut [out]).map(|planes| planes == [true])
    }

    fn read_together(
        &self,
        as_planes: bool,
        chunks: &[ChunkIndex],
        scratch: &mut Scratch,
        outs: &mut [&mut [u8]],
    ) -> Result<Vec<bool>> {
        let mut are_planes = Vec::with_capacity(chunks.len());
        for chunks in chunks.chunk_by(|a, b| self.part_of(a) == self.part_of(b)) {
            let part = self.part_of(&chunks[0]);
            let outs = &mut outs[are_planes.len()..][..chunks.len()];
            let read = self.read_in(part, as_planes, chunks, scratch, outs);
            let located = |e: Error| e.in_variable(&self.variable).in_file(&self.files.doors[part].path);
            are_planes.extend(read.map_err(located)?);
        }
        Ok(are_planes)
    }
}
