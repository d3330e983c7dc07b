//! The locks, flags and threads with which work is shared and memory waited for: the standard library's.
//!
//! With the feature `schedules` they are those of a scheduler that tries the orders in which threads can run. Then nothing
//! but `tests/schedules.rs` works, which is what the feature is for.

#[cfg(not(feature = "schedules"))]
pub use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};

#[cfg(feature = "schedules")]
pub use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};

pub use std::sync::{Arc, PoisonError};
