//! A look at the global heaps, where variable-length values and the mappings of virtual datasets lie, before the library
//! reads them: version 2.2 never comes back from a heap in which the object that stands for free space has no length, and
//! writes where it must not for a number of mappings that overflows.

use super::signature_in;
use crate::{
    error::{Error, Result},
    store::LocalFile,
};

/// Larger files are trusted: looking through them would cost more than opening them.
const FILE_BYTES_MAX: u64 = 8 << 20;
const SIGNATURE: [u8; 4] = *b"GCOL";
/// Of a heap, and of each object in it.
const HEADER_BYTES: usize = 16;
/// How messages begin that say where the mappings of a virtual dataset are: version and class. Behind them are the address
/// of a heap and the number of an object in it.
const VIRTUAL_LAYOUTS: [[u8; 2]; 2] = [[4, 3], [5, 3]];
const VIRTUAL_BYTES: usize = 2 + 8 + 4;
/// Of one mapping: names and selections.
const MAPPING_BYTES_MIN: usize = 16;

/// Checks every heap of a small file.
///
/// # Errors
/// When the library would hang on one, or crash.
pub(super) fn check(file: &LocalFile) -> Result<()> {
    if file.len() > FILE_BYTES_MAX {
        return Ok(());
    }
    let mut bytes = vec![0; file.len() as usize];
    file.read_at(0, &mut bytes, "HDF5 file")?;
    let starts = bytes.iter().enumerate().filter(|(_, b)| **b == SIGNATURE[0]).map(|(at, _)| at);
    let mut has_heaps = false;
    for heap in starts.filter_map(|at| bytes.get(at..)).filter(|heap| heap.starts_with(&SIGNATURE)) {
        has_heaps = true;
        if !walk(heap, |_, _| {}) {
            return Err(Error::corrupt("HDF5 global heap", "it has free space of no length"));
        }
    }
    if has_heaps { check_mappings(&bytes) } else { Ok(()) }
}

/// Checks that no virtual dataset announces more mappings than its object in a heap has room for.
fn check_mappings(bytes: &[u8]) -> Result<()> {
    // Addresses count from the superblock.
    let base = signature_in(bytes).unwrap_or_default();
    let is_virtual = |at: &usize| VIRTUAL_LAYOUTS.contains(&[bytes[*at], bytes[at + 1]]);
    for at in (0..bytes.len().saturating_sub(VIRTUAL_BYTES)).filter(is_virtual) {
        let number = |at: usize, len: usize| bytes[at..at + len].iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let (address, index) = (number(at + 2, 8), number(at + 10, 4));
        let heap = usize::try_from(address).ok().and_then(|address| bytes.get(base.checked_add(address)?..));
        let mut object: &[u8] = &[];
        if let Some(heap) = heap.filter(|heap| heap.starts_with(&SIGNATURE)) {
            walk(heap, |number, data| {
                if u64::from(number) == index {
                    object = data
                }
            });
        }
        // The version of the list, and how many there are.
        let Some(count) = object.get(1..9).and_then(|n| n.try_into().ok()).map(u64::from_le_bytes) else { continue };
        if count > (object.len() / MAPPING_BYTES_MIN) as u64 {
            let detail = format!("a virtual dataset has {count} mappings in {} bytes", object.len());
            return Err(Error::corrupt("HDF5 global heap", detail));
        }
    }
    Ok(())
}

/// Shows each object of a heap, with its number. Whether walking from object to object leads out of the heap.
fn walk<'a>(heap: &'a [u8], mut each: impl FnMut(u16, &'a [u8])) -> bool {
    let number = |at: usize| Some(u64::from_le_bytes(heap.get(at..at + 8)?.try_into().ok()?));
    let Some(end) = number(8) else { return true };
    let mut at = HEADER_BYTES;
    while at as u64 + HEADER_BYTES as u64 <= end {
        let (Some(head), Some(size)) = (number(at), number(at + 8)) else { return true };
        // Object 0 is the free space, and its size includes its header.
        let step = match (head as u16, size) {
            (0, 0) => return false,
            (0, size) => size,
            (index, size) => {
                let data = &heap[at + HEADER_BYTES..];
                each(index, &data[..usize::try_from(size).unwrap_or(usize::MAX).min(data.len())]);
                size.saturating_add(7 + HEADER_BYTES as u64) & !7
            }
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

    fn goes_out(heap: &[u8]) -> bool {
        walk(heap, |_, _| {})
    }

    #[test]
    fn only_free_space_of_no_length_is_refused() {
        assert!(goes_out(&heap(&[(1, 5), (2, 8), (0, 32)])));
        assert!(goes_out(&heap(&[(1, 5), (7, u64::MAX)])));
        assert!(!goes_out(&heap(&[(1, 5), (0, 0)])));
        assert!(goes_out(b"GCOL"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heap");
        std::fs::write(&path, [b"odd".to_vec(), heap(&[(0, 0)])].concat()).unwrap();
        let e = check(&LocalFile::open(&path).unwrap()).unwrap_err();
        assert!(e.to_string().contains("global heap is corrupt"), "{e}");
    }
    #[test]
    fn mappings_that_no_object_has_room_for_are_refused() {
        use hdf5_sys::{h5d, h5f, h5i, h5p, h5s, h5t};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("virtual.h5");
        hdf5::sync::sync(|| unsafe {
            let name = super::super::c_name(path.as_os_str().as_encoded_bytes());
            let plist = h5p::H5Pcreate(*h5p::H5P_CLS_FILE_CREATE);
            h5p::H5Pset_userblock(plist, 512);
            let file = h5f::H5Fcreate(name.as_ptr(), h5f::H5F_ACC_TRUNC, plist, 0);
            let four = h5s::H5Screate_simple(1, [4].as_ptr(), std::ptr::null());
            let layout = h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE);
            for from in [c"a.h5", c"b.h5"] {
                h5p::H5Pset_virtual(layout, four, from.as_ptr(), c"t".as_ptr(), four);
            }
            let set = h5d::H5Dcreate2(file, c"t".as_ptr(), *h5t::H5T_NATIVE_INT, four, 0, layout, 0);
            assert!(set >= 0);
            for id in [set, layout, four, file, plist] {
                h5i::H5Idec_ref(id);
            }
        });
        let good = std::fs::read(&path).unwrap();
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            super::super::open(&path).err().map(|e| e.to_string())
        };
        assert_eq!(refused(&good), None);
        let count = good.windows(4).position(|w| w == SIGNATURE).unwrap() + 2 * HEADER_BYTES + 1;
        for mappings in [1u64 << 61, 1 << 40, 100] {
            let mut bad = good.clone();
            bad[count..count + 8].copy_from_slice(&mappings.to_le_bytes());
            let e = refused(&bad).unwrap();
            assert!(
                e.contains(&format!("virtual.h5: HDF5 global heap is corrupt: a virtual dataset has {mappings}")),
                "{e}"
            );
        }
    }
}
