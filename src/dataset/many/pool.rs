//! The files that are open: [`Pool`].

use crate::{
    error::{Error, Result},
    formats,
    source::{Container, Source},
};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Files among many that are open: as many as the process may have.
///
/// What is kept are the sources of variables, each of which has its file open; the container that it came from is
/// closed. Most stay for as long as the dataset: files are gone through in order and again, and those that were used
/// last would be the wrong ones to keep. A few are those that are read now.
pub(super) struct Pool {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clock: u64,
    staying: HashMap<Key, Arc<dyn Source>>,
    /// With the time when each was used last.
    recent: HashMap<Key, (u64, Arc<dyn Source>)>,
}

/// The number of a file, and a variable of it.
type Key = (usize, Arc<str>);

/// Descriptors that are left to outputs, spills and whatever the process has open.
const DESCRIPTORS_BESIDE: u64 = 128;
/// More open files than this help nobody.
const OPEN_MAX: u64 = 1024;
/// A source may have its file open twice: for us, and for a library.
const DESCRIPTORS_EACH: u64 = 2;
/// How many of the open files are those that are read now, at most: several workers have some each.
const RECENT_MAX: usize = 128;

impl Pool {
    /// As many files as the system lets a process have open, less what else needs some.
    pub fn new() -> Pool {
        Pool { most: open_max(), state: Mutex::default() }
    }

    /// How many containers may be open while files are looked at.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The chunks of a variable of a file.
    ///
    /// # Errors
    /// When the file cannot be opened any more, or its index not be read.
    pub fn source(&self, door: &Door, variable: &Arc<str>) -> Result<Arc<dyn Source>> {
        let key = (door.number, variable.clone());
        {
            let mut state = self.lock();
            state.clock += 1;
            let now = state.clock;
            if let Some(source) = state.staying.get(&key) {
                return Ok(source.clone());
            }
            if let Some((used, source)) = state.recent.get_mut(&key) {
                *used = now;
                return Ok(source.clone());
            }
        }
        let source = door.source(variable)?;
        if self.keep(door, variable, &source) {
            return Ok(source);
        }
        let mut state = self.lock();
        let used = state.clock;
        if state.recent.len() >= self.recent() {
            let oldest = state.recent.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            oldest.and_then(|key| state.recent.remove(&key));
        }
        state.recent.insert(key, (used, source.clone()));
        Ok(source)
    }

    /// Keeps a source that was opened, if there is room, and says whether.
    pub fn keep(&self, door: &Door, variable: &Arc<str>, source: &Arc<dyn Source>) -> bool {
        let mut state = self.lock();
        let has_room = state.staying.len() < self.most - self.recent();
        if has_room {
            state.staying.insert((door.number, variable.clone()), source.clone());
        }
        has_room
    }

    fn recent(&self) -> usize {
        RECENT_MAX.min(self.most / 2)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many files may be open for reading.
fn open_max() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it fills the struct that it is given.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } == 0;
    let all = if known { limit.rlim_cur } else { 256 };
    (all.saturating_sub(DESCRIPTORS_BESIDE) / DESCRIPTORS_EACH).clamp(4, OPEN_MAX) as usize
}

/// A container that may be closed again: held open while few are, else opened when it is needed.
pub(super) struct Door {
    /// Which of the files that were given.
    pub number: usize,
    pub path: PathBuf,
    pub open: Option<Arc<dyn Container>>,
}

impl Door {
    /// The container.
    ///
    /// # Errors
    /// When it cannot be opened any more.
    pub fn container(&self) -> Result<Arc<dyn Container>> {
        self.open.clone().map_or_else(|| formats::open(&self.path), Ok)
    }

    /// A source of it.
    ///
    /// # Errors
    /// When its index cannot be read.
    pub fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        self.container()?.source(variable).map_err(|e: Error| e.in_file(&self.path))
    }
}
