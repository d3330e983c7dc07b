//! The files that are open: [`Pool`].

use crate::{
    error::{Error, Result},
    formats,
    source::{Container, Source},
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Files among many that are open: as many as the process may have, and those that were used last.
///
/// What is kept are the sources of variables, each of which has its file open; the container that it came from is
/// closed.
pub(super) struct Pool {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clock: u64,
    sources: HashMap<(usize, Arc<str>), Open>,
}

struct Open {
    source: Arc<dyn Source>,
    used: u64,
}

/// Descriptors that are left to outputs, spills and whatever the process has open.
const DESCRIPTORS_BESIDE: u64 = 128;
/// More open files than this help nobody.
const OPEN_MAX: u64 = 1024;
/// A source may have its file open twice: for us, and for a library.
const DESCRIPTORS_EACH: u64 = 2;

impl Pool {
    /// As many files as the system lets a process have open, less what else needs some.
    pub fn new() -> Pool {
        Pool { most: open_max(), state: Mutex::default() }
    }

    /// How many containers may be open while files are looked at.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The chunks of a variable of file number `part`.
    ///
    /// # Errors
    /// When the file cannot be opened any more, or its index not be read.
    pub fn source(&self, part: usize, path: &Path, variable: &Arc<str>) -> Result<Arc<dyn Source>> {
        let key = (part, variable.clone());
        {
            let mut state = self.lock();
            state.clock += 1;
            let now = state.clock;
            if let Some(open) = state.sources.get_mut(&key) {
                open.used = now;
                return Ok(open.source.clone());
            }
        }
        let source = formats::open(path)?.source(variable)?;
        self.keep(part, variable, &source);
        Ok(source)
    }

    /// Keeps a source that was opened, in the place of the one that was not used for longest.
    pub fn keep(&self, part: usize, variable: &Arc<str>, source: &Arc<dyn Source>) {
        let mut state = self.lock();
        state.clock += 1;
        let used = state.clock;
        if state.sources.len() >= self.most {
            // Some at once, so that this is not looked for with each new file.
            let mut ages: Vec<u64> = state.sources.values().map(|open| open.used).collect();
            ages.sort_unstable();
            let oldest = ages[ages.len() / 8];
            state.sources.retain(|_, open| open.used > oldest);
        }
        state.sources.insert((part, variable.clone()), Open { source: source.clone(), used });
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
