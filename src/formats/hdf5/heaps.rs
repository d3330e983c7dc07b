//! A look at the global heaps, where variable-length values lie, before the library reads them: version 2.2 never
//! comes back from a heap in which the object that stands for free space has no length.

use crate::{
    error::{Error, Result},
    store::LocalFile,
};

/// Larger files are trusted: looking through them would cost more than opening them.
const FILE_BYTES_MAX: u64 = 8 << 20;
const SIGNATURE: [u8; 4] = *b"GCOL";
/// Of a heap, and of each object in it.
const HEADER_BYTES: usize = 16;

/// Checks every heap of a small file.
///
/// # Errors
/// When the library would hang on one.
pub(super) fn check(file: &LocalFile) -> Result<()> {
    if file.len() > FILE_BYTES_MAX {
        return Ok(());
    }
    let mut bytes = vec![0; file.len() as usize];
    file.read_at(0, &mut bytes, "HDF5 file")?;
    let starts = bytes.iter().enumerate().filter(|(_, b)| **b == SIGNATURE[0]).map(|(at, _)| at);
    match starts.filter_map(|at| bytes.get(at..)).find(|heap| heap.starts_with(&SIGNATURE) && !ends(heap)) {
        Some(_) => Err(Error::corrupt("HDF5 global heap", "it has free space of no length")),
        None => Ok(()),
    }
}

/// Whether walking from object to object leads out of a heap.
fn ends(heap: &[u8]) -> bool {
    let number = |at: usize| Some(u64::from_le_bytes(heap.get(at..at + 8)?.try_into().ok()?));
    let Some(end) = number(8) else { return true };
    let mut at = HEADER_BYTES;
    while at as u64 + HEADER_BYTES as u64 <= end {
        let (Some(head), Some(size)) = (number(at), number(at + 8)) else { return true };
        // Object 0 is the free space, and its size includes its header.
        let step = match (head & 0xffff, size) {
            (0, 0) => return false,
            (0, size) => size,
            (_, size) => size.saturating_add(7 + HEADER_BYTES as u64) & !7,
        };
        match usize::try_from(step).ok().and_then(|step| at.checked_add(step)) {
            Some(next) if next < heap.len() => at = next,
            _ => return true,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heap(objects: &[(u16, u64)]) -> Vec<u8> {
        let mut out = b"GCOL\x01\0\0\0".to_vec();
        out.extend(96u64.to_le_bytes());
        for (index, size) in objects {
            out.extend(u64::from(*index).to_le_bytes());
            out.extend(size.to_le_bytes());
            let payload = if *index == 0 { 0 } else { size.next_multiple_of(8).min(96) };
            out.resize(out.len() + payload as usize, 0);
        }
        out.resize(96, 0);
        out
    }

    #[test]
    fn only_free_space_of_no_length_is_refused() {
        assert!(ends(&heap(&[(1, 5), (2, 8), (0, 32)])));
        assert!(ends(&heap(&[(1, 5), (7, u64::MAX)])));
        assert!(!ends(&heap(&[(1, 5), (0, 0)])));
        assert!(ends(b"GCOL"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heap");
        std::fs::write(&path, [b"odd".to_vec(), heap(&[(0, 0)])].concat()).unwrap();
        let e = check(&LocalFile::open(&path).unwrap()).unwrap_err();
        assert!(e.to_string().contains("global heap is corrupt"), "{e}");
    }
}
