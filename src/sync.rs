//! The locks that memory is waited for with: the standard library's. `tests/schedules.rs` puts others in their place, under
//! which a scheduler tries the orders in which threads can run.

pub use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
