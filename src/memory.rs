//! [`Memory`]: bytes of the allocator or of the system, and those that wait to be used again.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    ptr::NonNull,
};

/// The alignment of all memory for data: a cache line, for every element type and for vector loads.
pub const ALIGN: usize = 64;

/// From so many bytes on memory is asked of the system itself: it comes zero, and in large pages where there are such, which
/// are given a hundred times as fast as small ones.
const LARGE: usize = 2 << 20;

/// Bytes that belong to whoever holds this.
pub struct Memory {
    bytes: NonNull<u8>,
    len: usize,
}

impl Memory {
    /// `len` bytes, all zero.
    pub fn new(len: usize) -> Memory {
        let bytes = if len == 0 {
            NonNull::<u128>::dangling().cast()
        } else if len >= LARGE {
            large::new(len).unwrap_or_else(|| handle_alloc_error(Memory::layout(len)))
        } else {
            // SAFETY: the layout has a non-zero size.
            let raw = unsafe { alloc_zeroed(Memory::layout(len)) };
            NonNull::new(raw).unwrap_or_else(|| handle_alloc_error(Memory::layout(len)))
        };
        Memory { bytes, len }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `bytes` points at `len` initialised bytes that nobody else has.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr(), self.len) }
    }

    /// Its bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as `bytes`, and `&mut self` makes the access unique.
        unsafe { std::slice::from_raw_parts_mut(self.bytes.as_ptr(), self.len) }
    }

    fn layout(len: usize) -> Layout {
        Layout::from_size_align(len, ALIGN).expect("memory is smaller than the address space")
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.len >= LARGE {
            large::free(self.bytes, self.len);
        } else if self.len > 0 {
            // SAFETY: allocated in `new` with the same layout.
            unsafe { dealloc(self.bytes.as_ptr(), Memory::layout(self.len)) }
        }
    }
}

mod large {
    use std::ptr::{NonNull, null_mut};

    pub(super) fn new(len: usize) -> Option<NonNull<u8>> {
        let (access, how) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping of no file, wherever the system likes.
        let bytes = unsafe { libc::mmap(null_mut(), len, access, how, -1, 0) };
        if bytes == libc::MAP_FAILED {
            return None;
        }
        #[cfg(target_os = "linux")]
        // SAFETY: it is all of a mapping of ours. Where there are no large pages there are small ones.
        unsafe {
            libc::madvise(bytes, len, libc::MADV_HUGEPAGE)
        };
        NonNull::new(bytes.cast())
    }

    pub(super) fn free(bytes: NonNull<u8>, len: usize) {
        // SAFETY: `new` made the mapping, of just this length, and nobody looks at it any more.
        unsafe { libc::munmap(bytes.as_ptr().cast(), len) };
    }
}

// SAFETY: nothing else points at its bytes.
unsafe impl Send for Memory {}
// SAFETY: shared access only reads.
unsafe impl Sync for Memory {}

/// Memory that was used and will soon be again: pages that the system has given need not be asked for anew, which costs
/// more than to fill them.
#[derive(Default)]
pub struct Spare {
    waiting: Vec<Memory>,
    bytes: u64,
}

impl Spare {
    /// How many bytes wait.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Keeps `memory`.
    pub fn keep(&mut self, memory: Memory) {
        self.bytes += memory.len as u64;
        self.waiting.push(memory);
    }

    /// Memory of just so many bytes, whatever they are.
    pub fn take(&mut self, len: usize) -> Option<Memory> {
        let at = self.waiting.iter().rposition(|m| m.len == len)?;
        self.bytes -= len as u64;
        Some(self.waiting.remove(at))
    }

    /// Takes out what has waited longest until no more than `bytes` are left.
    pub fn shrink(&mut self, bytes: u64) -> Vec<Memory> {
        let mut rest = self.bytes;
        let goes = |memory: &&Memory| {
            let goes = rest > bytes;
            rest -= if goes { memory.len as u64 } else { 0 };
            goes
        };
        let n = self.waiting.iter().take_while(goes).count();
        let out: Vec<Memory> = self.waiting.drain(..n).collect();
        self.bytes = rest;
        out
    }
}
