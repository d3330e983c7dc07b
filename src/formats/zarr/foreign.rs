//! Chunks that only the zarrs library can decode.

use super::{
    container::StoredArray,
    keys::{Keys, Sizes},
    text::BYTES_MAX,
};
use crate::{
    codec::ScratchSize,
    error::{Error, Problem, Result},
    shape::ChunkIndex,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use zarrs::{
    array::{Array, ArrayBytes, ArrayMetadata, CodecOptions, FromArrayBytes},
    storage::{
        Bytes, MaybeBytes, MaybeBytesIterator, ReadableStorageTraits, StorageError, StoreKey,
        byte_range::{ByteRangeIterator, InvalidByteRangeError},
    },
};

/// What the library holds beside a chunk, stored and decoded, and what lies between two codecs.
const COPIES: usize = 3;
const STATE_BYTES: usize = 1 << 20;
/// What codecs may add to a chunk, and a shard's index for each chunk in it.
const CODEC_BYTES: u64 = 64 << 10;
const INDEX_ENTRY_BYTES: u64 = 16;

/// An array as the zarrs library sees it.
pub(super) struct Foreign {
    array: Array<LibraryStore>,
}

struct LibraryStore {
    keys: Arc<Keys>,
    stored_max: u64,
}

impl Foreign {
    /// Opens an array with the library; `why` names the codecs that need it.
    pub(super) fn open(keys: &Arc<Keys>, array: &StoredArray, why: &str) -> Result<Foreign> {
        let unsupported = |detail: String| {
            let codecs = if why.is_empty() { String::new() } else { format!(" '{why}'") };
            Error::unsupported(format!("the Zarr codec{codecs} ({detail})"))
        };
        let metadata: ArrayMetadata =
            serde_json::from_value(array.meta.document.clone()).map_err(|e| unsupported(e.to_string()))?;
        let path = format!("/{}", array.folder);
        let store = Arc::new(LibraryStore { keys: keys.clone(), stored_max: stored_max(array)? });
        let opened =
            guarded(|| Array::new_with_metadata(store, &path, metadata).map_err(|e| unsupported(e.to_string())))?;
        Ok(Foreign { array: opened })
    }

    /// One chunk's values, decoded by the library.
    pub(super) fn values<T: FromArrayBytes>(&self, chunk: &[u64]) -> Result<T> {
        let options = CodecOptions::default().with_concurrent_target(1);
        guarded(|| self.array.retrieve_chunk_opt::<T>(chunk, &options).map_err(|e| library(e.to_string())))
    }

    /// One chunk's bytes, row-major and in this machine's order.
    pub(super) fn read(&self, chunk: &ChunkIndex, out: &mut [u8]) -> Result<()> {
        let bytes: ArrayBytes<'static> = self.values(chunk)?;
        let bytes = bytes.into_fixed().map_err(|e| library(e.to_string()))?;
        if bytes.len() != out.len() {
            let (expected, got) = (out.len() as u64, bytes.len() as u64);
            return Err(Problem::Truncated { what: "zarrs".into(), expected, got }.into());
        }
        out.copy_from_slice(&bytes);
        Ok(())
    }

    /// What the library takes for itself.
    pub(super) fn scratch(&self, chunk_bytes: usize, sizes: Option<Sizes>) -> ScratchSize {
        let stored = sizes.map_or(0, |s| usize::try_from(s.max).unwrap_or(usize::MAX));
        let state = chunk_bytes.saturating_mul(COPIES).saturating_add(stored).saturating_add(STATE_BYTES);
        ScratchSize { state, ..ScratchSize::default() }
    }
}

/// The most bytes that a key can have: what codecs add to its elements, and the index of a shard. The library decodes all
/// that is there, and so takes as much memory as that becomes.
fn stored_max(array: &StoredArray) -> Result<u64> {
    let Some(element) = array.meta.element.bytes() else { return Ok(BYTES_MAX) };
    let (bytes, elements) = (array.meta.chunk.bytes(element)? as u64, array.meta.chunk.elements()?);
    let index = elements.saturating_mul(INDEX_ENTRY_BYTES);
    Ok(bytes.saturating_mul(2).saturating_add(index).saturating_add(CODEC_BYTES))
}

fn library(detail: String) -> Error {
    Problem::Library { library: "zarrs", detail }.into()
}

/// A panic in the library is broken data that it did not foresee.
fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(library("it panicked on this data".into())))
}

impl LibraryStore {
    fn value(&self, key: &StoreKey) -> Result<MaybeBytes, StorageError> {
        let Some(blob) = self.keys.blob(key.as_str()).map_err(storage)? else { return Ok(None) };
        if blob.len() > self.stored_max {
            let detail = format!("it is stored in {} bytes, at most {} can be", blob.len(), self.stored_max);
            return Err(storage(Error::corrupt("chunk", detail)));
        }
        blob.all().map(|bytes| Some(Bytes::from(bytes))).map_err(storage)
    }
}

fn storage(e: Error) -> StorageError {
    StorageError::Other(e.to_string())
}

impl ReadableStorageTraits for LibraryStore {
    fn get_partial_many<'a>(
        &'a self,
        key: &StoreKey,
        ranges: ByteRangeIterator<'a>,
    ) -> Result<MaybeBytesIterator<'a>, StorageError> {
        let Some(value) = self.value(key)? else { return Ok(None) };
        let len = value.len() as u64;
        let parts = ranges.map(move |range| {
            let (start, end) = (range.start(len), range.end(len));
            if start > end || end > len {
                return Err(InvalidByteRangeError::new(range, len).into());
            }
            Ok(value.slice(start as usize..end as usize))
        });
        Ok(Some(Box::new(parts)))
    }

    fn size_key(&self, key: &StoreKey) -> Result<Option<u64>, StorageError> {
        Ok(self.keys.blob(key.as_str()).map_err(storage)?.map(|b| b.len()))
    }

    fn supports_get_partial(&self) -> bool {
        false
    }
}
