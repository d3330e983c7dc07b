//! [`Block`]: the only place that allocates data.

pub use crate::memory::ALIGN;
use crate::{budget::Lease, dtype::Element, memory::Memory};

/// Bytes under a [`Lease`], aligned to [`ALIGN`].
pub struct Block {
    memory: Memory,
    lease: Lease,
}

impl Block {
    /// A block of `len` bytes, all zero, paid for by `lease`.
    ///
    /// # Panics
    /// When the lease is smaller than `len`.
    pub fn new(len: usize, lease: Lease) -> Block {
        let (mut block, was_used) = Block::with_any(len, lease);
        if was_used {
            block.bytes_mut().fill(0);
        }
        block
    }

    /// The same, of any bytes: whoever takes it writes all of it before it is read.
    ///
    /// # Panics
    /// When the lease is smaller than `len`.
    pub fn unset(len: usize, lease: Lease) -> Block {
        Block::with_any(len, lease).0
    }

    /// With bytes that may have been used before, and whether they were.
    fn with_any(len: usize, mut lease: Lease) -> (Block, bool) {
        let lease = lease.split(len as u64);
        let spare = lease.spare();
        let was_used = spare.is_some();
        (Block { memory: spare.unwrap_or_else(|| Memory::new(len)), lease }, was_used)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.memory.bytes()
    }

    /// Its bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.bytes_mut()
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
}

impl Drop for Block {
    fn drop(&mut self) {
        self.lease.end(Some(std::mem::replace(&mut self.memory, Memory::new(0))));
    }
}

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

    #[test]
    fn memory_is_used_again_and_zero_again() {
        let budget = Budget::new(Bytes(8 << 20));
        let block = |bytes: usize| Block::new(bytes, budget.lease(bytes as u64, "test").unwrap());
        let mut first = block(1 << 20);
        first.bytes_mut().fill(7);
        let place = first.bytes().as_ptr();
        drop(first);
        assert_eq!((budget.held(), budget.spare()), (Bytes(0), Bytes(1 << 20)));
        let again = block(1 << 20);
        assert!(std::ptr::eq(again.bytes().as_ptr(), place) && again.bytes().iter().all(|&b| b == 0));
        assert_eq!(budget.spare(), Bytes(0));
        drop(again);
        assert!(std::ptr::eq(Block::unset(1 << 20, budget.lease(1 << 20, "test").unwrap()).bytes().as_ptr(), place));
        let _other = block((7 << 20) + 1);
        assert_eq!(budget.spare(), Bytes(0), "what waits makes room for what is asked for");
    }

    #[test]
    fn small_memory_and_too_much_is_not_kept() {
        let budget = Budget::new(Bytes(8 << 20));
        let block = |bytes: usize| Block::new(bytes, budget.lease(bytes as u64, "test").unwrap());
        drop(block(1000));
        assert_eq!(budget.spare(), Bytes(0));
        let held: Vec<Block> = (0..4).map(|_| block(1 << 20)).collect();
        drop(held);
        assert_eq!(budget.spare(), Bytes(2 << 20), "a quarter of the limit");
    }
}
