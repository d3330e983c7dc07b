//! [`Block`]: the only place that allocates data.

use crate::{budget::Lease, dtype::Element};
use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    ptr::NonNull,
};

/// Bytes under a [`Lease`], aligned for every element type and for vector loads, zero at first.
pub struct Block {
    bytes: NonNull<u8>,
    len: usize,
    /// Given back after the memory is.
    _lease: Lease,
}

/// The alignment of every block: a cache line.
pub const ALIGN: usize = 64;

impl Block {
    /// A block of `len` bytes, paid for by `lease`.
    ///
    /// # Panics
    /// When the lease is smaller than `len`.
    pub fn new(len: usize, mut lease: Lease) -> Block {
        let lease = lease.split(len as u64);
        let bytes = if len == 0 {
            NonNull::<u128>::dangling().cast()
        } else {
            // SAFETY: the layout has a non-zero size.
            let raw = unsafe { alloc_zeroed(Block::layout(len)) };
            NonNull::new(raw).unwrap_or_else(|| handle_alloc_error(Block::layout(len)))
        };
        Block { bytes, len, _lease: lease }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `bytes` points at `len` initialised bytes that this block owns.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr(), self.len) }
    }

    /// Its bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as `bytes`, and `&mut self` makes the access unique.
        unsafe { std::slice::from_raw_parts_mut(self.bytes.as_ptr(), self.len) }
    }

    /// Its bytes as elements.
    ///
    /// # Panics
    /// When the length is no multiple of the element's.
    pub fn elements<T: Element>(&self) -> &[T] {
        bytemuck::cast_slice(self.bytes())
    }

    /// Its bytes as elements, to write.
    ///
    /// # Panics
    /// When the length is no multiple of the element's.
    pub fn elements_mut<T: Element>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(self.bytes_mut())
    }

    fn layout(len: usize) -> Layout {
        Layout::from_size_align(len, ALIGN).expect("a block is smaller than the address space")
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated in `new` with the same layout.
            unsafe { dealloc(self.bytes.as_ptr(), Block::layout(self.len)) }
        }
    }
}

// SAFETY: a block owns its bytes; nothing else points at them.
unsafe impl Send for Block {}
// SAFETY: shared access only reads.
unsafe impl Sync for Block {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{budget::Budget, units::Bytes};

    #[test]
    fn a_block_holds_its_lease_and_starts_zero() {
        let budget = Budget::new(Bytes(1000));
        let mut block = Block::new(800, budget.lease(1000, "test").unwrap());
        assert_eq!(budget.held(), Bytes(800), "what the block does not need is given back");
        assert!(block.elements::<f64>().iter().all(|&x| x == 0.0));
        assert_eq!(block.bytes().as_ptr() as usize % ALIGN, 0);
        block.elements_mut::<f64>()[99] = 1.5;
        assert_eq!(block.elements::<f64>()[99], 1.5);
        drop(block);
        assert_eq!(budget.held(), Bytes(0));
    }

    #[test]
    #[should_panic(expected = "cannot give")]
    fn no_lease_no_memory() {
        let budget = Budget::new(Bytes(1000));
        Block::new(801, budget.lease(800, "test").unwrap());
    }

    #[test]
    fn an_empty_block_is_fine() {
        let budget = Budget::new(Bytes(0));
        assert_eq!(Block::new(0, budget.lease(0, "test").unwrap()).elements::<f32>().len(), 0);
    }
}
