//! Indexes of shards.

use super::{array::IndexForm, keys::Blob};
use crate::{
    codec::crc32c,
    error::{Error, Problem, Result},
    shape::Shape,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes of indexes that are kept, unless one alone has more.
const KEPT_BYTES_MAX: u64 = 16 << 20;
/// An offset and a length, both all ones where the chunk is missing.
const ENTRY_BYTES: u64 = 16;

/// Where the inner chunks of an array's shards lie. Each shard's index is read once, and kept while there is room.
pub(super) struct Shards {
    /// Inner chunks in a shard along each axis.
    inner_counts: Vec<u64>,
    inner_chunks: u64,
    index_bytes: usize,
    form: IndexForm,
    kept_max: usize,
    kept: Mutex<Kept>,
}

type Index = Arc<[(u64, u64)]>;

#[derive(Default)]
struct Kept {
    indexes: HashMap<Vec<u64>, Index>,
    order: VecDeque<Vec<u64>>,
}

/// A chunk's shard, and its number in it.
pub(super) struct Place {
    pub(super) shard: Vec<u64>,
    inner: u64,
}

impl Shards {
    pub(super) fn new(shape: &Shape, shard: &Shape, inner: &Shape, form: IndexForm) -> Result<Shards> {
        let inner_counts: Vec<u64> = shard.iter().zip(inner.iter()).map(|(s, i)| s / (*i).max(1)).collect();
        let inner_chunks = Shape(inner_counts.clone()).elements()?;
        let entries = Shape(vec![inner_chunks]).bytes(ENTRY_BYTES as usize)?;
        let index_bytes = entries.checked_add(if form.checked { 4 } else { 0 });
        let index_bytes = index_bytes.ok_or_else(|| Error::corrupt("shard", "its index is too large"))?;
        let shards: u64 = shape.iter().zip(shard.iter()).map(|(n, s)| n.div_ceil((*s).max(1))).product();
        let room = KEPT_BYTES_MAX / (entries as u64).max(1);
        let kept_max = room.clamp(1, shards.max(1)) as usize;
        Ok(Shards { inner_counts, inner_chunks, index_bytes, form, kept_max, kept: Mutex::default() })
    }

    pub(super) fn held_bytes(&self) -> u64 {
        (self.kept_max as u64).saturating_mul(self.inner_chunks.saturating_mul(ENTRY_BYTES))
    }

    /// The place of a chunk of the array's inner grid.
    pub(super) fn place(&self, chunk: &[u64]) -> Place {
        let shard = chunk.iter().zip(&self.inner_counts).map(|(c, n)| c / n).collect();
        let inner = chunk.iter().zip(&self.inner_counts).fold(0, |at, (c, n)| at * n + c % n);
        Place { shard, inner }
    }

    /// The bytes of a chunk in its shard, `None` where shard or chunk are missing.
    pub(super) fn range<'a>(
        &self,
        place: &Place,
        open: impl FnOnce() -> Result<Option<Blob<'a>>>,
    ) -> Result<Option<(u64, u64)>> {
        let known = self.kept.lock().unwrap_or_else(PoisonError::into_inner).indexes.get(&place.shard).cloned();
        let index = match known {
            Some(index) => index,
            None => {
                let index = self.load(open()?)?;
                self.keep(&place.shard, index.clone());
                index
            }
        };
        Ok(index.get(place.inner as usize).copied().filter(|e| *e != (u64::MAX, u64::MAX)))
    }

    fn keep(&self, shard: &[u64], index: Index) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.indexes.insert(shard.to_vec(), index).is_none() {
            kept.order.push_back(shard.to_vec());
        }
        while kept.order.len() > self.kept_max {
            if let Some(oldest) = kept.order.pop_front() {
                kept.indexes.remove(&oldest);
            }
        }
    }

    /// Reads and checks an index; that of a missing shard is empty.
    fn load(&self, blob: Option<Blob<'_>>) -> Result<Index> {
        let Some(blob) = blob else { return Ok(Arc::new([])) };
        let need = self.index_bytes as u64;
        let start =
            if self.form.at_end { blob.len().checked_sub(need) } else { Some(0).filter(|_| blob.len() >= need) };
        let Some(start) = start else {
            return Err(Problem::Truncated { what: "shard index".into(), expected: need, got: blob.len() }.into());
        };
        let mut bytes = vec![0; self.index_bytes];
        blob.read_at(start, &mut bytes, "shard index")?;
        let (entries, sum) = bytes.split_at(self.inner_chunks as usize * ENTRY_BYTES as usize);
        if self.form.checked && crc32c(entries).to_le_bytes() != sum {
            return Err(Error::codec("crc32c", "the shard index has changed since it was written"));
        }
        let number = |b: &[u8]| b.iter().rev().fold(0u64, |n, &x| n << 8 | u64::from(x));
        entries
            .chunks_exact(ENTRY_BYTES as usize)
            .map(|e| {
                let (offset, len) = (number(&e[..8]), number(&e[8..]));
                let inside = offset.checked_add(len).is_some_and(|end| end <= blob.len());
                if (offset, len) != (u64::MAX, u64::MAX) && !inside {
                    let detail = format!("a chunk of {len} bytes at {offset} in a shard of {}", blob.len());
                    return Err(Error::corrupt("shard index", detail));
                }
                Ok((offset, len))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let form = IndexForm { at_end: true, checked: true };
        let s = Shards::new(&vec![10, 9].into(), &vec![4, 6].into(), &vec![2, 3].into(), form).unwrap();
        let p = s.place(&[3, 2]);
        assert_eq!((p.shard.as_slice(), p.inner), ([1, 1].as_slice(), 2));
        assert_eq!((s.index_bytes, s.kept_max), (68, 6));
        let huge = Shards::new(&vec![1].into(), &vec![1 << 62].into(), &vec![1].into(), form);
        assert!(huge.is_err());
    }
}
