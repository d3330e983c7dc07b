//! The local scheduler: runs a [`Plan`], or a graph that was built by hand, with a few threads inside a memory limit.
//!
//! Workers take tasks in the plan's order, and take the memory for a task in that order too. Whoever holds memory can
//! finish with what it holds, so nobody waits for ever; see [`Need::least`] for the law.

mod blocks;
mod eval;
mod fold;
mod held;
mod map;
mod memory;
mod narrow;
mod pieces;
mod tasks;
mod values;

pub use memory::{Held, MemorySink};
pub use tasks::{AsCompleted, Client, Future, FutureId, as_completed};
pub use values::Values;

use crate::{
    block::Block,
    budget::{Budget, Lease},
    codec::AT_ONCE,
    error::{Error, Problem, Result},
    events::{Event, Observer},
    plan::{Input, Need, Plan, Spill, Stage},
    source::{Sink, Source},
    spill::SpillFolder,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        thread,
    },
    units::Bytes,
};
use eval::Evaluator;
use held::{Finished, Unfinished};

/// What a run may use, and whom it tells.
pub struct Executor {
    /// The memory that data may take.
    pub budget: Budget,
    /// The most workers.
    pub threads: usize,
    /// Who listens.
    pub observer: Arc<dyn Observer>,
    /// Set from outside to stop.
    pub stop: Arc<AtomicBool>,
    /// Where what does not fit in memory is put aside.
    pub spill: Arc<SpillFolder>,
}

impl Executor {
    /// Runs all stages, and leaves their results in `sink`, which is not finished.
    ///
    /// # Errors
    /// The first that any worker met. Before anything is read: [`Problem::BudgetTooSmall`] when a stage cannot fit.
    pub fn run(&self, plan: &Plan, sink: &dyn Sink) -> Result<()> {
        if let Some((least, variable)) = plan.least(Some(sink))?
            && least > self.budget.limit()
        {
            let what = "the plan".to_string();
            return Err(Error::from(Problem::BudgetTooSmall { what, need: least, limit: self.budget.limit() })
                .in_variable(&variable));
        }
        self.observer.on(&Event::Started { stored: Bytes(plan.cost().stored), limit: self.budget.limit() });
        let mut finished = Finished::default();
        let needed = pieces::needed(plan, sink, &|| Outcome::new(&self.stop).check())?;
        for (n, stage) in plan.stages.iter().enumerate() {
            if !needed[n] {
                finished.free(plan, n);
                continue;
            }
            for spill in plan.spills.iter().filter(|spill| spill.from == n) {
                spill.spilled.open(&self.spill, &self.budget, self.idle_beside(spill, plan, sink)?)?;
            }
            let need = stage.need(Some(sink))?;
            let unfinished = Unfinished::of(plan, n, &self.budget)?;
            let run =
                Run { executor: self, sink, crew: self.crew(&need), finished: &finished, unfinished: &unfinished };
            match stage {
                Stage::Fold(fold) => fold::run(fold, &run)?,
                Stage::Map(map) => map::run(map, &run)?,
                Stage::Narrow(narrowing) => narrow::run(narrowing, &run)?,
            }
            unfinished.finish(plan, &mut finished);
            finished.free(plan, n);
        }
        self.observer.on(&Event::Finished);
        Ok(())
    }

    /// The memory that no stage asks for while an array that is cut anew lies there; little of it is none.
    fn idle_beside(&self, spill: &Spill, plan: &Plan, sink: &dyn Sink) -> Result<u64> {
        let mut busiest = 0;
        for n in spill.from..=spill.until {
            let need = plan.stages[n].need(Some(sink))?;
            let most = need.with(self.threads.max(1) as u64, most_in_hand(&need));
            busiest = busiest.max(most.saturating_add(plan.held_during(n)));
        }
        let taken = self.budget.held().0.saturating_add(busiest);
        let idle = self.budget.limit().0.saturating_sub(taken) / 4 * 3;
        Ok(if idle < IDLE_LEAST { 0 } else { idle })
    }

    /// Tells the observer of chunks that were read.
    fn tell(&self, source: &dyn Source, chunks: usize) {
        for _ in 0..chunks {
            self.observer.on(&Event::Chunk {
                stored: Bytes(source.stored_bytes() / source.grid().chunks().max(1)),
                decoded: Bytes(source.chunk_bytes() as u64),
                held: self.budget.held(),
            });
        }
    }

    /// How many workers fit, and how many chunks each can have in hand. Neither changes any result.
    fn crew(&self, need: &Need) -> Crew {
        let limit = self.budget.limit().0.saturating_sub(self.budget.held().0);
        let fits = |workers: u64, batch: u64| need.with(workers, batch) <= limit;
        let workers = (1..=self.threads.max(1) as u64).rev().find(|&w| fits(w, 1)).unwrap_or(1);
        // Several small chunks at once spare the state some trips through the cache.
        let batch = (1..=most_in_hand(need)).rev().find(|&b| fits(workers, b)).unwrap_or(1);
        Crew { workers: workers as usize, batch: batch as usize, need: *need }
    }
}

/// What all workers of a stage share.
struct Run<'a> {
    executor: &'a Executor,
    sink: &'a dyn Sink,
    crew: Crew,
    finished: &'a Finished,
    unfinished: &'a Unfinished,
}

impl<'a> Run<'a> {
    /// The means to evaluate expressions over regions no larger than `region`, where the input is one. The bytes come
    /// out of `lease`.
    fn evaluator(&self, input: &'a Input, region: &[u64], lease: &mut Lease) -> Option<Evaluator<'a>> {
        let Input::Computed(computed) = input else { return None };
        let block = |bytes: u64| Block::new(bytes as usize, lease.split(bytes));
        Some(Evaluator::new(computed, self.finished, self.executor, region, block))
    }
}

/// Chunks in hand at once, in bytes and in number.
const BATCH_BYTES: u64 = 4 << 20;
const BATCH_CHUNKS: u64 = 8;

/// Chunks as large as this are read together too, where they can be.
const LARGE_CHUNK: u64 = 8 << 20;

fn most_in_hand(need: &Need) -> u64 {
    let least = if need.beside.is_some() && need.chunk <= LARGE_CHUNK { AT_ONCE as u64 } else { 1 };
    (BATCH_BYTES / need.chunk.max(1)).clamp(least, BATCH_CHUNKS)
}

/// Less idle memory than this is left to the system, which keeps the file's pages in it.
const IDLE_LEAST: u64 = 64 << 20;

/// The workers of one stage.
#[derive(Clone, Copy)]
struct Crew {
    workers: usize,
    batch: usize,
    need: Need,
}

impl Crew {
    /// Lets all workers do `work` until each is done. The calling thread is one of them.
    fn run(&self, work: impl Fn() + Sync) {
        thread::scope(|scope| {
            for _ in 1..self.workers {
                scope.spawn(&work);
            }
            work();
        });
    }
}

/// The first failure of a stage, and the sign for the other workers to stop.
struct Outcome<'a> {
    failed: AtomicBool,
    first: Mutex<Option<Error>>,
    stop: &'a AtomicBool,
}

impl<'a> Outcome<'a> {
    fn new(stop: &'a AtomicBool) -> Outcome<'a> {
        Outcome { failed: AtomicBool::new(false), first: Mutex::new(None), stop }
    }

    fn check(&self) -> Result<()> {
        if self.failed.load(Ordering::Relaxed) || self.stop.load(Ordering::Relaxed) {
            return Err(Problem::Stopped.into());
        }
        Ok(())
    }

    fn fail(&self, error: Error) {
        lock(&self.first).get_or_insert(error);
        self.failed.store(true, Ordering::Relaxed);
    }

    fn result(self) -> Result<()> {
        self.first.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads one chunk, with file, variable and chunk in its error.
fn read(
    source: &dyn Source,
    chunk: &crate::shape::ChunkIndex,
    scratch: &mut crate::codec::Scratch,
    out: &mut [u8],
) -> Result<()> {
    source.read(chunk, scratch, out).map_err(located(source, chunk))
}

/// Puts file, variable and chunk into an error.
fn located(source: &dyn Source, chunk: &crate::shape::ChunkIndex) -> impl FnOnce(Error) -> Error {
    move |e| of_source(source, e.in_chunk(chunk))
}

/// Puts file and variable into an error.
fn of_source(source: &dyn Source, error: Error) -> Error {
    let origin = source.origin();
    error.in_variable(&origin.variable).in_file(origin.file)
}
