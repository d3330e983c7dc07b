//! What happens during a run, told to whoever listens.

use crate::units::Bytes;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A run begins.
    Started {
        /// Bytes that it will take from the store.
        stored: Bytes,
        /// The memory limit.
        limit: Bytes,
    },
    /// A chunk was read, decoded and used.
    Chunk {
        /// Its share of the stored bytes.
        stored: Bytes,
        /// Bytes of its elements.
        decoded: Bytes,
        /// Memory that leases hold now.
        held: Bytes,
    },
    /// The output is whole.
    Finished,
}

/// Somebody who listens. Calls come from any worker, and should be quick.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn on(&self, event: &Event);
}

/// Nobody listens.
pub struct Silent;

impl Observer for Silent {
    fn on(&self, _: &Event) {}
}
