//! [`Ear`]: where a thread of the user waits until a task has ended.

use crate::{
    engine::lock,
    sync::{Condvar, Mutex, PoisonError},
};
use std::collections::VecDeque;

/// What one waiting thread has heard: numbers of tasks that ended, in that order.
///
/// It is told under the lock of the core, so that whoever looks under that lock sees whether the thread really waits
/// or will go on, and may then give memory back.
#[derive(Default)]
pub(super) struct Ear {
    heard: Mutex<VecDeque<usize>>,
    told: Condvar,
}

impl Ear {
    pub fn tell(&self, number: usize) {
        lock(&self.heard).push_back(number);
        self.told.notify_one();
    }

    /// Whether it has heard nothing.
    pub fn waits(&self) -> bool {
        lock(&self.heard).is_empty()
    }

    /// Waits until there is something to [take](Ear::take).
    pub fn wait(&self) {
        let heard = lock(&self.heard);
        drop(self.told.wait_while(heard, |heard| heard.is_empty()).unwrap_or_else(PoisonError::into_inner));
    }

    /// The first that was heard.
    pub fn take(&self) -> Option<usize> {
        lock(&self.heard).pop_front()
    }
}
