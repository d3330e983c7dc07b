//! The memory limit as a type: a [`Budget`] gives [`Lease`]s, and they come back when dropped.

use crate::{
    error::{Problem, Result},
    memory::{Memory, Spare},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    units::Bytes,
};

/// The memory that one run may hold.
///
/// Requests are served first come, first served, so that a large one is not starved by small ones. Memory that comes back is
/// kept for the next that needs as much, as long as nobody asks for its place: leases and what is kept never exceed the limit.
#[derive(Clone)]
pub struct Budget(Arc<Shared>);

/// The part of the limit that may be kept to be used again.
const SPARE_PART: u64 = 4;
/// Less than this the allocator keeps itself.
const SPARE_LEAST: usize = 256 << 10;

struct Shared {
    limit: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    held: u64,
    spare: Spare,
    peak: u64,
    /// The next ticket to hand out, and the one being served.
    next: u64,
    serving: u64,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: Bytes) -> Budget {
        Budget(Arc::new(Shared { limit: limit.0, state: Mutex::default(), changed: Condvar::new() }))
    }

    /// The limit.
    pub fn limit(&self) -> Bytes {
        Bytes(self.0.limit)
    }

    /// The bytes that leases hold now.
    pub fn held(&self) -> Bytes {
        Bytes(self.lock().held)
    }

    /// The most that leases ever held at once.
    pub fn peak(&self) -> Bytes {
        Bytes(self.lock().peak)
    }

    /// The bytes that nobody holds and that are kept to be used again.
    pub fn spare(&self) -> Bytes {
        Bytes(self.lock().spare.bytes())
    }

    /// Waits until `bytes` are free, and takes them.
    ///
    /// # Errors
    /// Only when `bytes` exceed the whole limit; `what` says in the message who asked.
    pub fn lease(&self, bytes: u64, what: &str) -> Result<Lease> {
        if bytes > self.0.limit {
            let what = what.to_string();
            return Err(Problem::BudgetTooSmall { what, need: Bytes(bytes), limit: self.limit() }.into());
        }
        let mut state = self.lock();
        let ticket = state.next;
        state.next += 1;
        while state.serving != ticket || bytes > self.0.limit - state.held {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.serving += 1;
        let displaced = self.take(&mut state, bytes);
        self.0.changed.notify_all();
        drop(state);
        drop(displaced);
        Ok(Lease { budget: self.clone(), bytes })
    }

    /// Takes `bytes` if they are free now and nobody waits.
    pub fn try_lease(&self, bytes: u64) -> Option<Lease> {
        let mut state = self.lock();
        if state.serving != state.next || bytes > self.0.limit - state.held {
            return None;
        }
        let displaced = self.take(&mut state, bytes);
        drop(state);
        drop(displaced);
        Some(Lease { budget: self.clone(), bytes })
    }

    /// Takes `bytes`, and gives what was kept in their place.
    fn take(&self, state: &mut State, bytes: u64) -> Vec<Memory> {
        state.held += bytes;
        state.peak = state.peak.max(state.held);
        state.spare.shrink(self.0.limit - state.held)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to hold so many bytes; given back when dropped. It can be split, and cannot grow.
pub struct Lease {
    budget: Budget,
    bytes: u64,
}

impl Lease {
    /// How many bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes `bytes` out of this lease into one of their own.
    ///
    /// # Panics
    /// When the lease holds fewer: a plan that asks for less than it uses is our own bug.
    pub fn split(&mut self, bytes: u64) -> Lease {
        assert!(bytes <= self.bytes, "a lease of {} bytes cannot give {bytes}", self.bytes);
        self.bytes -= bytes;
        Lease { budget: self.budget.clone(), bytes }
    }

    /// Memory of the size of this lease that was used before and is free.
    pub fn spare(&self) -> Option<Memory> {
        // Nothing smaller is kept: most blocks of a run need no lock.
        if self.bytes < SPARE_LEAST as u64 {
            return None;
        }
        self.budget.lock().spare.take(self.bytes as usize)
    }

    /// Gives back all bytes, and `memory`, which they paid for, to be used again.
    pub fn end(&mut self, memory: Option<Memory>) {
        let kept = memory.filter(|m| m.bytes().len() >= SPARE_LEAST);
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut state = self.budget.lock();
        if let Some(memory) = kept {
            state.spare.keep(memory);
            let limit = self.budget.0.limit;
            let room = (limit - state.held + bytes).min(limit / SPARE_PART);
            let displaced = state.spare.shrink(room);
            if !displaced.is_empty() {
                // What has to go is held until it is gone, in place of what is given back: `memory` may be of it.
                let going = displaced.iter().map(|m| m.bytes().len() as u64).sum::<u64>();
                state.held = state.held - bytes + going;
                bytes = going;
                drop(state);
                drop(displaced);
                state = self.budget.lock();
            }
        }
        state.held -= bytes;
        // To notify costs a call of the system even when nobody waits.
        if state.serving != state.next {
            self.budget.0.changed.notify_all();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.end(None);
        }
    }
}
