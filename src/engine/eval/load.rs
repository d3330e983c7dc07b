use super::{Evaluator, split};
use crate::{
    array::{Creation, Picks},
    codec::Scratch,
    dtype::{ByteOrder, DType, swap_in_place},
    error::Result,
    kernels::{
        decode::{SEGMENT, Segment},
        random,
        strided::{self, Strided},
    },
    plan::{Leaf, Meaning, Operand},
    shape::{Region, Shape},
    with_dtype,
};

/// An operand's values for one region, wherever they lie.
pub struct Loaded<'w> {
    bytes: Lies<'w>,
    first: isize,
    /// Its axes in the program's order, neighbours joined where they are one run; innermost last.
    dims: Vec<(usize, isize)>,
}

enum Lies<'w> {
    /// In a buffer of the workspace.
    Work(&'w [u8]),
    /// In a chunk that is kept.
    Kept(usize, usize),
    /// In a result of an earlier stage.
    Held(usize),
    /// In the user's memory.
    Data(std::sync::Arc<crate::array::Data>),
}

/// The values of an operand, ready to be read segment by segment.
pub struct Ready<'a> {
    bytes: &'a [u8],
    first: isize,
    dims: &'a [(usize, isize)],
    meaning: Option<&'a Meaning>,
    dtype: DType,
}

impl Evaluator<'_> {
    /// Brings an operand's values for a region into memory. Gives them and the rest of the workspace.
    pub(super) fn load<'w>(
        &mut self,
        operand: &Operand,
        region: &Region,
        work: &'w mut [u8],
        scratch: &mut Scratch,
    ) -> Result<(Loaded<'w>, &'w mut [u8])> {
        let picks = operand.view.picks(region);
        let size = operand.stored_size();
        let (bytes, first, strides, rest) = match &operand.leaf {
            Leaf::Held(slot) => {
                let (first, strides) = inside(&picks, &row_major(self.shape_of(operand)));
                (Lies::Held(*slot), first, strides, work)
            }
            Leaf::Made(Creation::Data(data), shape) => {
                let (first, strides) = inside(&picks, &row_major(shape));
                (Lies::Data(data.clone()), first, strides, work)
            }
            Leaf::Made(creation, shape) => {
                let (buffer, rest) = split(work, picks.count.bytes(size)?);
                make(creation, operand.dtype, shape, &picks, buffer);
                (Lies::Work(buffer), 0, row_major(&picks.count), rest)
            }
            Leaf::Stored(at, _) => self.stored(*at, &picks, size, work, scratch)?,
            Leaf::Formula(formula) => {
                let bounds = picks.bounds();
                let (buffer, rest) = split(work, bounds.shape.bytes(size)?);
                self.formula(formula, &bounds, buffer, rest, scratch)?;
                let strides = row_major(&bounds.shape);
                let strides = strides.iter().zip(&picks.step).map(|(s, &step)| s * step as isize).collect();
                (Lies::Work(buffer), 0, strides, rest)
            }
        };
        let (back, axes) = operand.view.strides(&picks.count, &strides);
        let loaded = Loaded { bytes, first: first + back, dims: joined(&region.shape, &axes) };
        Ok(self.turned(loaded, size, rest))
    }

    fn shape_of<'s>(&'s self, operand: &'s Operand) -> &'s Shape {
        match &operand.leaf {
            Leaf::Held(slot) => self.held.shape(*slot),
            Leaf::Made(_, shape) => shape,
            Leaf::Formula(formula) => &formula.shape,
            Leaf::Stored(at, _) => &self.computed.sources[*at].source.meta().shape,
        }
    }

    /// Picked elements of a source: in place where they lie in one chunk, else gathered.
    fn stored<'w>(
        &mut self,
        at: usize,
        picks: &Picks,
        size: usize,
        work: &'w mut [u8],
        scratch: &mut Scratch,
    ) -> Result<(Lies<'w>, isize, Vec<isize>, &'w mut [u8])> {
        let source = self.computed.sources[at].source.clone();
        let (grid, layout) = (source.grid(), source.layout());
        let bounds = picks.bounds();
        let chunk = grid.chunk();
        let index = grid.at(&bounds.start);
        let here = grid.region(&index);
        let ends = |region: &Region, k: usize| region.start[k] + region.shape[k];
        let in_one = (0..index.len()).all(|k| ends(&bounds, k) <= ends(&here, k));
        let mut in_chunk = vec![0isize; chunk.len()];
        let mut stride = 1;
        for &axis in layout.axes.iter().rev() {
            in_chunk[axis] = stride;
            stride *= chunk[axis] as isize;
        }
        if in_one {
            let way = self.chunk(at, &index, scratch)?;
            self.kept[at][way].pinned += 1;
            let mut local = picks.clone();
            local.start.iter_mut().zip(&here.start).for_each(|(s, first)| *s -= first);
            let (first, strides) = inside(&local, &in_chunk);
            return Ok((Lies::Kept(at, way), first, strides, work));
        }
        let (buffer, rest) = split(work, picks.count.bytes(size)?);
        let strides = row_major(&picks.count);
        for index in grid.overlapping(&bounds) {
            let here = grid.region(&index);
            let Some(part) = Part::of(picks, &here) else { continue };
            let way = self.chunk(at, &index, scratch)?;
            let from: Vec<isize> = in_chunk.iter().zip(&picks.step).map(|(s, &step)| s * step as isize).collect();
            let src = Strided { first: dot(&part.from, &in_chunk), strides: &from };
            let dst = Strided { first: dot(&part.to, &strides), strides: &strides };
            strided::copy(&part.lengths, self.kept[at][way].data.bytes(), src, buffer, dst, size);
        }
        Ok((Lies::Work(buffer), 0, strides, rest))
    }

    /// Turned round where the program's innermost axis is not the fastest, so that segments are read in one go.
    fn turned<'w>(&mut self, loaded: Loaded<'w>, size: usize, work: &'w mut [u8]) -> (Loaded<'w>, &'w mut [u8]) {
        let inner = loaded.dims.last().map_or(1, |d| d.1);
        if inner == 0 || inner == 1 {
            return (loaded, work);
        }
        let used: Vec<(usize, isize)> = loaded.dims.iter().copied().filter(|d| d.1 != 0).collect();
        let lengths: Vec<usize> = used.iter().map(|d| d.0).collect();
        let from: Vec<isize> = used.iter().map(|d| d.1).collect();
        let to = row_major(&lengths.iter().map(|&n| n as u64).collect::<Shape>());
        let (buffer, rest) = split(work, lengths.iter().product::<usize>() * size);
        let src = Strided { first: loaded.first, strides: &from };
        strided::copy(&lengths, self.bytes(&loaded.bytes), src, buffer, Strided { first: 0, strides: &to }, size);
        // The copy is what is read from here on.
        self.let_go(&loaded.bytes);
        let mut fresh = to.into_iter();
        let lengths: Vec<u64> = loaded.dims.iter().map(|d| d.0 as u64).collect();
        let axes: Vec<isize> =
            loaded.dims.iter().map(|d| if d.1 == 0 { 0 } else { fresh.next().unwrap_or(1) }).collect();
        (Loaded { bytes: Lies::Work(buffer), first: 0, dims: joined(&lengths, &axes) }, rest)
    }

    fn bytes<'s>(&'s self, lies: &'s Lies<'_>) -> &'s [u8] {
        match lies {
            Lies::Work(bytes) => bytes,
            Lies::Kept(at, way) => self.kept[*at][*way].data.bytes(),
            Lies::Held(slot) => self.held.values(*slot),
            Lies::Data(data) => data.bytes(),
        }
    }

    /// The operand as a program reads it.
    pub(super) fn ready<'s>(&'s self, operand: &'s Operand, loaded: &'s Loaded<'_>) -> Ready<'s> {
        let meaning = match &operand.leaf {
            Leaf::Stored(_, meaning) => Some(meaning),
            _ => None,
        };
        let bytes = self.bytes(&loaded.bytes);
        Ready { bytes, first: loaded.first, dims: &loaded.dims, meaning, dtype: operand.dtype }
    }

    /// Lets the chunks of a program go.
    pub(super) fn unpin(&mut self, loaded: &[Loaded<'_>]) {
        loaded.iter().for_each(|one| self.let_go(&one.bytes));
    }

    fn let_go(&mut self, lies: &Lies<'_>) {
        if let Lies::Kept(at, way) = *lies {
            self.kept[at][way].pinned -= 1;
        }
    }
}

impl Operand {
    /// Bytes of one element as it lies in memory.
    fn stored_size(&self) -> usize {
        match &self.leaf {
            Leaf::Stored(_, meaning) => meaning.decode.stored.size(),
            _ => self.dtype.size(),
        }
    }
}

impl<'a> Ready<'a> {
    /// The elements `from..from + len` in the program's row-major order: in place where they can be, else in `buffer`.
    pub(super) fn segment<'b>(
        &'b self,
        from: usize,
        len: usize,
        buffer: &'b mut [u8],
        segment: &mut Segment,
    ) -> &'b [u8] {
        let swapped = self.meaning.is_some_and(|m| m.decode.order != ByteOrder::NATIVE);
        let decoder = self.meaning.and_then(|m| m.decoder.as_ref());
        let size = self.dtype.size();
        if decoder.is_none()
            && !(swapped && size > 1)
            && let Some(bytes) = self.in_place(from, len, size)
        {
            return bytes;
        }
        let out = &mut buffer[..len * size];
        let (inner, stride) = self.dims.last().copied().unwrap_or((1, 1));
        let mut done = 0;
        while done < len {
            let (row, at) = ((from + done) / inner, (from + done) % inner);
            let some = (inner - at).min(len - done);
            let start = self.row(row) + at as isize * stride;
            let part = &mut out[done * size..(done + some) * size];
            match decoder {
                Some(decoder) => {
                    let (start, stride) = (start as usize, stride as usize);
                    match self.dtype {
                        DType::F64 => {
                            let values = decoder.decode::<f64>(self.bytes, start, stride, some, segment).values;
                            part.copy_from_slice(bytemuck::cast_slice(values));
                        }
                        _ => {
                            let values = decoder.decode::<f32>(self.bytes, start, stride, some, segment).values;
                            part.copy_from_slice(bytemuck::cast_slice(values));
                        }
                    }
                }
                None => {
                    let src = Strided { first: start, strides: &[stride] };
                    strided::copy(&[some], self.bytes, src, part, Strided { first: 0, strides: &[1] }, size);
                }
            }
            done += some;
        }
        if decoder.is_none() && swapped {
            swap_in_place(out, size);
        }
        out
    }

    /// The elements where they lie, when they are one run.
    fn in_place(&self, from: usize, len: usize, size: usize) -> Option<&'a [u8]> {
        let start = match self.dims {
            [] => 0,
            [(_, 1)] => from,
            [.., (inner, 1)] if from % inner + len <= *inner => {
                let start = self.row(from / inner) as usize + from % inner;
                return self.bytes.get(start * size..(start + len) * size);
            }
            _ => return None,
        };
        let start = self.first as usize + start;
        self.bytes.get(start * size..(start + len) * size)
    }

    /// Where row `row` of the innermost axis begins.
    fn row(&self, mut row: usize) -> isize {
        let mut at = self.first;
        for &(len, stride) in self.dims.iter().rev().skip(1) {
            at += (row % len) as isize * stride;
            row /= len;
        }
        at
    }
}

/// Axes as few as can be: those of length 1 gone, neighbours that are one run joined.
fn joined(lengths: &[u64], strides: &[isize]) -> Vec<(usize, isize)> {
    let mut out: Vec<(usize, isize)> = Vec::with_capacity(lengths.len());
    for (&n, &stride) in lengths.iter().zip(strides).filter(|(n, _)| **n != 1) {
        match out.last_mut() {
            Some((len, outer)) if *outer == stride * n as isize => {
                *len *= n as usize;
                *outer = stride;
            }
            _ => out.push((n as usize, stride)),
        }
    }
    out
}

/// Row-major strides in elements.
pub(super) fn row_major(shape: &Shape) -> Vec<isize> {
    shape.strides().into_iter().map(|s| s as isize).collect()
}

/// Where picked elements lie in a block of the whole array: the first, and the strides from one to the next.
fn inside(picks: &Picks, strides: &[isize]) -> (isize, Vec<isize>) {
    let first = picks.start.iter().zip(strides).map(|(&at, s)| at as isize * s).sum();
    (first, strides.iter().zip(&picks.step).map(|(s, &step)| s * step as isize).collect())
}

fn dot(at: &[u64], strides: &[isize]) -> isize {
    at.iter().zip(strides).map(|(&i, s)| i as isize * s).sum()
}

/// The picks that lie in one chunk.
struct Part {
    /// The first one, from the chunk's start.
    from: Vec<u64>,
    /// The first one, counted in picks.
    to: Vec<u64>,
    lengths: Vec<usize>,
}

impl Part {
    fn of(picks: &Picks, chunk: &Region) -> Option<Part> {
        let mut part = Part { from: Vec::new(), to: Vec::new(), lengths: Vec::new() };
        for k in 0..chunk.start.len() {
            let (start, step) = (picks.start[k], picks.step[k]);
            let first = chunk.start[k].saturating_sub(start).div_ceil(step);
            let end = (chunk.start[k] + chunk.shape[k]).saturating_sub(start).div_ceil(step).min(picks.count[k]);
            if first >= end {
                return None;
            }
            part.from.push(start + first * step - chunk.start[k]);
            part.to.push(first);
            part.lengths.push((end - first) as usize);
        }
        Some(part)
    }
}

/// Values that are made, for picked positions.
fn make(creation: &Creation, dtype: DType, shape: &Shape, picks: &Picks, out: &mut [u8]) {
    match creation {
        Creation::Full(bytes) => {
            let size = dtype.size();
            out.chunks_exact_mut(size).for_each(|x| x.copy_from_slice(&bytes[..size]));
        }
        Creation::Range { start, step } => along(picks, |k, at| {
            use crate::dtype::Scalar::Float;
            if let (DType::I64, false) = (dtype, matches!((start, step), (Float(_), _) | (_, Float(_)))) {
                let value = start.to_i64().wrapping_add(step.to_i64().wrapping_mul(at as i64));
                out[k * 8..k * 8 + 8].copy_from_slice(&value.to_ne_bytes());
            } else {
                let value = start.to_f64() + step.to_f64() * at as f64;
                out[k * 8..k * 8 + 8].copy_from_slice(&value.to_ne_bytes());
            }
        }),
        Creation::Linspace { start, stop, steps } => along(picks, |k, at| {
            let value = if at == *steps && at > 0 {
                *stop
            } else {
                start + (stop - start) / (*steps).max(1) as f64 * at as f64
            };
            out[k * 8..k * 8 + 8].copy_from_slice(&value.to_ne_bytes());
        }),
        Creation::Eye { k } => {
            let one = with_dtype!(dtype, T => {
                let mut bytes = [0; 8];
                let x = <T as crate::dtype::Element>::from_f64(1.0);
                bytes[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&x));
                bytes
            });
            let (size, columns) = (dtype.size(), picks.count[1] as usize);
            out.fill(0);
            for i in 0..picks.count[0] as usize {
                let row = (picks.start[0] + i as u64 * picks.step[0]) as i64;
                let wanted = row + k - picks.start[1] as i64;
                let step = picks.step[1] as i64;
                if wanted >= 0 && wanted % step == 0 && wanted / step < columns as i64 {
                    let at = (i * columns + (wanted / step) as usize) * size;
                    out[at..at + size].copy_from_slice(&one[..size]);
                }
            }
        }
        Creation::Random { distribution, seed } => {
            let strides = shape.strides();
            let size = dtype.size();
            let last = picks.count.len().saturating_sub(1);
            let row = picks.count.last().copied().unwrap_or(1);
            let rows: u64 = picks.count.iter().take(last).product();
            for n in 0..rows {
                let mut rest = n;
                let mut first = 0;
                for k in (0..last).rev() {
                    first += (picks.start[k] + rest % picks.count[k] * picks.step[k]) * strides[k];
                    rest /= picks.count[k];
                }
                let (start, step) = picks.start.last().map_or((0, 1), |&s| (s, picks.step[last]));
                let part = &mut out[(n * row) as usize * size..((n + 1) * row) as usize * size];
                if step == 1 {
                    random::fill(*distribution, *seed, dtype, first + start, part);
                } else {
                    for (k, x) in part.chunks_exact_mut(size).enumerate() {
                        random::fill(*distribution, *seed, dtype, first + start + k as u64 * step, x);
                    }
                }
            }
        }
        // Read where it lies.
        Creation::Data(_) => {}
    }
}

/// The positions along the one axis of a range.
fn along(picks: &Picks, mut each: impl FnMut(usize, u64)) {
    let (start, step) = (picks.start[0], picks.step[0]);
    (0..picks.count[0]).for_each(|k| each(k as usize, start + k * step));
}

/// How many elements a program handles at once.
pub(super) const LENGTH: usize = SEGMENT;
