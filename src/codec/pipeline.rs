//! [`Pipeline`]: codecs one behind the other, over two buffers and the data itself.

use super::{
    Codec, Scratch, ScratchSize,
    checksum::{self, Checksum},
    inflate,
    step::{Length, bound},
};
use crate::error::{Error, Problem, Result};
use std::ops::Range;

/// Codecs in the order in which they are applied when writing.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    codecs: Vec<Codec>,
    decoded_bytes: usize,
}

/// Which buffer holds the bytes between two steps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Given,
    Data,
    Stored,
    Work,
}

impl Pipeline {
    /// The pipeline for chunks of `decoded_bytes`.
    pub fn new(codecs: Vec<Codec>, decoded_bytes: usize) -> Pipeline {
        Pipeline { codecs, decoded_bytes }
    }

    /// Its codecs in the order in which they are applied when writing.
    pub fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// The scratch that decoding needs for stored chunks of at most `stored_max` bytes; `None` where the index does
    /// not say, which reserves what any of the codecs could make of a chunk.
    pub fn scratch(&self, stored_max: Option<usize>) -> ScratchSize {
        let stored_max = stored_max.unwrap_or_else(|| bound(self.length_before(self.codecs.len(), 0).max()));
        let (steps, between) = self.between();
        let together = if self.is_faster_together() { inflate::STATE_BYTES } else { 0 };
        let state: usize = self.lengths_before().map(|(codec, n)| codec.undo_state_bytes(n)).sum();
        // The second step writes where the stored bytes were.
        ScratchSize {
            stored: if steps > 1 { stored_max.max(between) } else { stored_max },
            work: between,
            state: state + together,
            piece: 0,
        }
    }

    /// The scratch that [`encode`](Pipeline::encode) needs.
    pub fn encode_scratch(&self) -> ScratchSize {
        let (_, work) = self.between();
        let stored = (0..=self.codecs.len()).map(|k| self.length_before(k, 0).max()).max().unwrap_or(0);
        let state = self.lengths_before().map(|(codec, n)| codec.apply_state_bytes(n)).sum();
        ScratchSize { stored, work, state, piece: 0 }
    }

    /// How many codecs read or write bytes that are neither stored nor the data, and the most such bytes.
    ///
    /// A chunk that skips some has fewer and shorter ones.
    fn between(&self) -> (usize, usize) {
        let steps = self.lengths_before().skip(1).filter(|(codec, _)| Checksum::of(codec).is_none());
        steps.fold((0, 0), |(steps, most), (_, n)| (steps + 1, most.max(n)))
    }

    /// The most bytes that each codec may have been given.
    fn lengths_before(&self) -> impl Iterator<Item = (&Codec, usize)> {
        self.codecs.iter().enumerate().map(|(k, codec)| (codec, self.length_before(k, 0).max()))
    }

    /// The length of the data that codec `k` was applied to.
    fn length_before(&self, k: usize, skip: u32) -> Length {
        let applied = self.codecs[..k].iter().enumerate().filter(|&(k, _)| applied(k, skip));
        applied.fold(Length::Exactly(self.decoded_bytes), |length, (_, codec)| codec.length_after(length))
    }

    /// Decodes `scratch.stored[..stored_len]` into `out`, which has the chunk's decoded size.
    ///
    /// Bit `k` of `skip` says that codec `k` was not applied to this chunk (HDF5's filter mask).
    ///
    /// # Errors
    /// When the stored bytes are not what the codecs write, or decode to another length than `out`'s.
    pub fn decode(&self, stored_len: usize, skip: u32, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        let reserved = scratch.stored.bytes().len();
        if stored_len > reserved {
            let detail = format!("{stored_len} stored bytes, at most {reserved} were reserved");
            return Err(Error::corrupt("chunk", detail));
        }
        self.undo((Place::Stored, &[], stored_len), skip, scratch, out)
    }

    /// As [`decode`](Pipeline::decode), of bytes that lie elsewhere.
    ///
    /// # Errors
    /// As [`decode`](Pipeline::decode).
    pub fn decode_given(&self, given: &[u8], scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        self.undo((Place::Given, given, given.len()), 0, scratch, out)
    }

    fn undo(
        &self,
        (mut at, given, len): (Place, &[u8], usize),
        skip: u32,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<()> {
        let Scratch { stored, work, contexts, .. } = scratch;
        let (stored, work) = (stored.bytes_mut(), work.bytes_mut());
        if out.len() != self.decoded_bytes {
            return Err(length_mismatch("chunk", self.decoded_bytes, out.len()));
        }
        let mut range = 0..len;
        for (k, codec) in self.codecs.iter().enumerate().rev().filter(|&(k, _)| applied(k, skip)) {
            let length = self.length_before(k, skip);
            if let Some(checksum) = Checksum::of(codec) {
                let held: &[u8] = match at {
                    Place::Given => &given[range.clone()],
                    Place::Stored => &stored[range.clone()],
                    Place::Work => &work[range.clone()],
                    Place::Data => &out[range.clone()],
                };
                let data = checksum.verify(codec.name(), held)?;
                length.check(codec, data.len())?;
                range = range.start + data.start..range.start + data.end;
                continue;
            }
            let last = !(0..k).any(|k| applied(k, skip));
            let (input, room, next): (&[u8], &mut [u8], Place) = match at {
                Place::Given if last => (&given[range], &mut *out, Place::Data),
                Place::Stored if last => (&stored[range], &mut *out, Place::Data),
                _ if last => (&work[range], &mut *out, Place::Data),
                Place::Given => (&given[range], &mut *work, Place::Work),
                Place::Stored => (&stored[range], &mut *work, Place::Work),
                Place::Work | Place::Data => (&work[range], &mut *stored, Place::Stored),
            };
            let got = codec.undo(contexts, input, reserve(codec, room, length)?)?;
            length.check(codec, got)?;
            (at, range) = (next, 0..got);
        }
        let held: &[u8] = match at {
            Place::Data => return Ok(()),
            Place::Given => &given[range],
            Place::Stored => &stored[range],
            Place::Work => &work[range],
        };
        if held.len() != out.len() {
            return Err(length_mismatch("chunk", out.len(), held.len()));
        }
        out.copy_from_slice(held);
        Ok(())
    }

    /// As [`decode`](Pipeline::decode), but leaves the bytes of elements gathered by their significance where a shuffle of
    /// elements of that size comes first, and says whether it did.
    ///
    /// # Errors
    /// As [`decode`](Pipeline::decode).
    pub fn decode_planes(
        &self,
        element: usize,
        stored_len: usize,
        skip: u32,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<bool> {
        let is_left = self.gathers(element) && applied(0, skip);
        // It changes no lengths, so that it can be taken for one that was not applied.
        self.decode(stored_len, skip | u32::from(is_left), scratch, out).map(|()| is_left)
    }

    /// Whether the first codec gathers the bytes of elements of this size by their significance.
    pub fn gathers(&self, element: usize) -> bool {
        element > 1 && matches!(self.codecs.first(), Some(Codec::Shuffle { element: e }) if *e == element)
    }

    /// Whether several chunks are decoded faster together than one by one: nothing is to be undone but deflate, or that and
    /// a shuffle.
    pub fn is_faster_together(&self) -> bool {
        let is_deflate = |codec: &Codec| matches!(codec, Codec::Deflate { .. } | Codec::DeflateFast);
        inflate::is_worth_it() && matches!(&self.codecs[..], [last] | [Codec::Shuffle { .. }, last] if is_deflate(last))
    }

    /// The scratch that [`decode_together`](Pipeline::decode_together) needs for each chunk but the first beside that of the
    /// first, for stored chunks of at most `stored_max` bytes; `None` where it is no faster.
    pub fn scratch_beside(&self, left: Option<usize>, stored_max: usize) -> Option<ScratchSize> {
        let work = if self.leaves_all_but_deflate(left) { 0 } else { self.decoded_bytes };
        self.is_faster_together().then_some(ScratchSize { stored: stored_max, work, ..ScratchSize::default() })
    }

    /// Decodes what lies in those parts of `scratch.stored`, and says whether that went well; else it has to be decoded one
    /// by one, to know why. A shuffle of elements of `left` bytes is not undone. For pipelines that are
    /// [faster so](Pipeline::is_faster_together).
    pub fn decode_together(
        &self,
        left: Option<usize>,
        parts: &[Range<usize>],
        scratch: &mut Scratch,
        outs: &mut [&mut [u8]],
    ) -> bool {
        let Scratch { stored, work, contexts, .. } = scratch;
        let (stored, bytes) = (stored.bytes(), self.decoded_bytes);
        let given = parts.iter().map(|part| &stored[part.clone()]);
        if self.leaves_all_but_deflate(left) {
            return inflate::inflate(&mut contexts.inflate, given.zip(outs.iter_mut().map(|out| &mut **out)));
        }
        let Some(work) = work.bytes_mut().get_mut(..bytes * parts.len()) else { return false };
        if !inflate::inflate(&mut contexts.inflate, given.zip(work.chunks_exact_mut(bytes.max(1)))) {
            return false;
        }
        let mut shuffled = work.chunks_exact(bytes.max(1)).zip(outs);
        shuffled.all(|(data, out)| self.codecs[0].undo(contexts, data, out).is_ok_and(|n| n == bytes))
    }

    /// Whether deflate is all that is undone where a shuffle of elements of `left` bytes is not.
    fn leaves_all_but_deflate(&self, left: Option<usize>) -> bool {
        self.codecs.len() == 1 || left.is_some_and(|element| self.gathers(element))
    }

    /// Encodes `data` into `scratch.stored` and says how many bytes it became.
    ///
    /// # Errors
    /// When one of the codecs cannot be written.
    pub fn encode(&self, data: &[u8], scratch: &mut Scratch) -> Result<usize> {
        let Scratch { stored, work, contexts, .. } = scratch;
        let (stored, work) = (stored.bytes_mut(), work.bytes_mut());
        // What makes the last bytes writes them to `stored`; so count from the end which buffer each writes to.
        let mut left = self.codecs.iter().filter(|codec| Checksum::of(codec).is_none()).count();
        let here = |left: usize| if left.is_multiple_of(2) { Place::Stored } else { Place::Work };
        let (mut at, mut range) = (Place::Data, 0..data.len());
        for codec in &self.codecs {
            if let Some(checksum) = Checksum::of(codec) {
                let buffer = if here(left) == Place::Stored { &mut *stored } else { &mut *work };
                if at == Place::Data {
                    copy(data, buffer)?;
                    at = here(left);
                }
                range = append(codec, checksum, buffer, range)?;
                continue;
            }
            left -= 1;
            let (input, output): (&[u8], &mut [u8]) = match (at, here(left)) {
                (Place::Given | Place::Data, Place::Stored) => (data, &mut *stored),
                (Place::Given | Place::Data, _) => (data, &mut *work),
                (_, Place::Stored) => (&work[range], &mut *stored),
                (_, _) => (&stored[range], &mut *work),
            };
            let n = codec.apply(contexts, input, output)?;
            (at, range) = (here(left), 0..n);
        }
        if at == Place::Data {
            copy(data, stored)?;
        }
        Ok(range.end)
    }
}

/// Whether codec `k` was applied to a chunk; the mask has no bits for codecs behind the 32nd.
fn applied(k: usize, skip: u32) -> bool {
    k >= u32::BITS as usize || skip & 1 << k == 0
}

/// The part of `room` that `codec` may fill.
fn reserve<'a>(codec: &Codec, room: &'a mut [u8], length: Length) -> Result<&'a mut [u8]> {
    let there = room.len();
    let need = match length {
        Length::Exactly(n) => n,
        Length::AtMost(n) => n.min(there),
    };
    let too_short = || Error::codec(codec.name(), format!("{need} bytes between codecs, {there} were reserved"));
    room.get_mut(..need).ok_or_else(too_short)
}

/// Puts the checksum of `buffer[range]` behind it.
fn append(codec: &Codec, checksum: Checksum, buffer: &mut [u8], range: Range<usize>) -> Result<Range<usize>> {
    if matches!(checksum, Checksum::Crc32 | Checksum::Adler32) {
        return Err(Error::unsupported(format!("encoding {}", codec.name())));
    }
    let sum = checksum.compute(&buffer[range.clone()]);
    let reserved = buffer.len();
    let behind = buffer.get_mut(range.end..range.end + checksum::BYTES).ok_or_else(|| {
        Error::codec(codec.name(), format!("no room for the checksum of {} bytes in {reserved}", range.len()))
    })?;
    behind.copy_from_slice(&sum.to_le_bytes());
    Ok(range.start..range.end + checksum::BYTES)
}

/// Copies `data` to the start of `buffer`.
fn copy(data: &[u8], buffer: &mut [u8]) -> Result<()> {
    let reserved = buffer.len();
    let room = buffer.get_mut(..data.len()).ok_or_else(|| length_mismatch("chunk", data.len(), reserved))?;
    room.copy_from_slice(data);
    Ok(())
}

fn length_mismatch(what: &str, expected: usize, got: usize) -> Error {
    Problem::Truncated { what: what.to_string(), expected: expected as u64, got: got as u64 }.into()
}
