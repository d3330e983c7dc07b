//! The scheduler of tasks: runs a [`Graph`] that was built by hand, and what is submitted to a [`Client`].
//!
//! Both have one core, which says what is next, and one kind of worker, which takes a task, runs it and gives it back.
//! A worker holds memory only for the task that it runs, and never waits while it holds some.

mod client;
mod core;
mod ear;
mod failure;
mod gate;

pub use client::{AsCompleted, Client, Future, FutureId, as_completed};

use self::{
    core::{Begun, Core, Garbage, Standing},
    gate::Gate,
};
use super::{Executor, lock};
use crate::{
    budget::Lease,
    delayed::{Context, Graph, Job, Order, Value, Work},
    error::{Error, Problem, Result},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        thread,
    },
    units::Bytes,
};
use std::{
    any::Any,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

/// How often an idle worker looks whether somebody has set the flag that stops the session.
const LOOK: Duration = Duration::from_millis(20);

impl Executor {
    /// Runs what `order` lists, and gives the values of the asked-for tasks.
    ///
    /// # Errors
    /// [`Problem::Task`] with the path from the asked-for task to the first that failed, panics included;
    /// [`Problem::BudgetTooSmall`] before anything runs; [`Problem::Stopped`].
    pub fn run_tasks(&self, graph: &Graph, order: &Order) -> Result<Vec<Value>> {
        if !order.is_of(graph) {
            return Err(Error::usage("the order is that of another graph"));
        }
        let (least, limit) = (order.least(), self.budget.limit());
        if least > Bytes(limit.0.saturating_sub(self.budget.held().0)) {
            return Err(Problem::BudgetTooSmall { what: "the graph".into(), need: least, limit }.into());
        }
        let shop = Shop {
            core: Mutex::new(core_of(graph, order, Gate::ordered(&self.budget, order.ahead.clone()))),
            work: Condvar::new(),
            cancelled: (0..self.threads.clamp(1, order.len().max(1))).map(|_| AtomicBool::new(false)).collect(),
            stop: self.stop.clone(),
            threads: self.threads,
        };
        thread::scope(|scope| {
            for worker in 1..shop.cancelled.len() {
                let shop = &shop;
                scope.spawn(move || shop.serve(worker));
            }
            shop.serve(0);
        });
        let core = shop.core.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = results(&core, order);
        discard(core);
        result
    }
}

fn core_of<'g>(graph: &'g Graph, order: &Order, gate: Gate) -> Core<&'g Job> {
    let mut wanted = vec![false; order.tasks.len()];
    order.wanted.iter().for_each(|&place| wanted[place as usize] = true);
    let goal = wanted.iter().filter(|&&wanted| wanted).count();
    let mut core = Core::new(gate, order.tasks.len(), Some(goal));
    let mut garbage = Garbage::new();
    for (&task, &wanted) in order.tasks.iter().zip(&wanted) {
        let inputs = graph.inputs(task).iter().map(|&input| order.place[input as usize]).collect();
        core.add(graph.job(task), inputs, u32::from(wanted), false, &mut garbage);
    }
    core
}

fn results(core: &Core<&Job>, order: &Order) -> Result<Vec<Value>> {
    if let Some(failure) = &core.failure {
        return Err(failure.error());
    }
    let value = |&place: &u32| match core.standing(place) {
        Standing::Done(value) => Ok(value),
        // It closed before its goal only because it was stopped.
        _ => Err(Problem::Stopped.into()),
    };
    order.wanted.iter().map(value).collect()
}

/// A core and those who work on it.
struct Shop<J> {
    core: Mutex<Core<J>>,
    /// There may be something to do.
    work: Condvar,
    /// For each worker, whether nobody wants what it does now.
    cancelled: Box<[AtomicBool]>,
    stop: Arc<AtomicBool>,
    threads: usize,
}

impl<J: Deref<Target = Job> + Clone> Shop<J> {
    /// A worker, until the core closes.
    fn serve(&self, worker: usize) {
        let (mut values, mut garbage) = (Vec::new(), Garbage::new());
        let mut core = lock(&self.core);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                core.stop(&mut garbage);
            }
            let begun = core.next(worker as u32, &mut values, &mut garbage);
            if let Some(begun) = begun {
                self.cancelled[worker].store(false, Ordering::Relaxed);
                if core.idle > 0 && core.has_ready() {
                    self.work.notify_one();
                }
                drop(core);
                clear(&mut garbage);
                core = self.carry_out(begun, worker, &mut values, &mut garbage);
            } else if !garbage.is_empty() {
                drop(core);
                clear(&mut garbage);
                core = lock(&self.core);
            } else if core.closed {
                self.close();
                return;
            } else {
                core = self.idle(core);
            }
        }
    }

    /// Runs a task and gives it back.
    fn carry_out<'s>(
        &'s self,
        begun: Begun<J>,
        worker: usize,
        values: &mut Vec<Value>,
        garbage: &mut Garbage<J>,
    ) -> MutexGuard<'s, Core<J>> {
        let Begun { id, job, lease } = begun;
        let memory = Bytes(lease.as_ref().map_or(0, |lease| lease.bytes()));
        let outcome = self.attempts(&job, worker, memory, values);
        let lease = lease.filter(|_| outcome.is_ok()).and_then(|lease| part(lease, job.named.kept()));
        let _ = catch_unwind(AssertUnwindSafe(|| values.clear()));
        discard(job);
        let mut core = lock(&self.core);
        core.release(id, garbage);
        core = self.give_back(core, garbage);
        core.finish(id, outcome, lease, garbage);
        if core.closed {
            self.close();
        }
        // Until then nobody may think that nothing runs and nothing fits.
        core = self.give_back(core, garbage);
        core.settled();
        core
    }

    /// Drops garbage that holds memory, and tells those who wait for some.
    fn give_back<'s>(&'s self, core: MutexGuard<'s, Core<J>>, garbage: &mut Garbage<J>) -> MutexGuard<'s, Core<J>> {
        if !garbage.has_memory() {
            return core;
        }
        drop(core);
        clear(garbage);
        let core = lock(&self.core);
        if core.idle > 0 && core.has_ready() {
            self.work.notify_all();
        }
        core
    }

    /// Runs a task until it succeeds, has no retries left, or is not wanted any more.
    fn attempts(&self, job: &Job, worker: usize, memory: Bytes, values: &[Value]) -> Result<Value> {
        let function = match &job.work {
            Work::Function(function) => function,
            Work::Value(value) => return Ok(value.clone()),
        };
        let cancelled = &self.cancelled[worker];
        let mut context = Context { memory, threads: self.threads, attempt: 0, stop: &self.stop, cancelled };
        loop {
            let outcome = match catch_unwind(AssertUnwindSafe(|| function(&context, values))) {
                Ok(outcome) => outcome,
                Err(payload) => {
                    let message = said(payload.as_ref());
                    discard(payload);
                    Err(Problem::Panicked { message }.into())
                }
            };
            context.attempt += 1;
            if outcome.is_ok() || context.attempt == job.named.attempts() || context.stopped() {
                return outcome;
            }
        }
    }

    fn idle<'s>(&'s self, mut core: MutexGuard<'s, Core<J>>) -> MutexGuard<'s, Core<J>> {
        core.idle += 1;
        let (mut core, _) = self.work.wait_timeout(core, LOOK).unwrap_or_else(PoisonError::into_inner);
        core.idle -= 1;
        core
    }

    /// Tells all workers that nothing is wanted any more.
    fn close(&self) {
        self.cancelled.iter().for_each(|cancelled| cancelled.store(true, Ordering::Relaxed));
        self.work.notify_all();
    }
}

/// A lease of `bytes` out of another; the rest is given back.
fn part(mut lease: Lease, bytes: u64) -> Option<Lease> {
    match lease.bytes() {
        all if all == bytes => Some(lease),
        _ => (bytes > 0).then(|| lease.split(bytes)),
    }
}

/// What a panic said.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_string()
}

fn clear<J>(garbage: &mut Garbage<J>) {
    if !garbage.is_empty() {
        discard(std::mem::replace(garbage, Garbage::new()));
    }
}

/// Drops what the user made. A panic in a user's `drop` must not take a worker away, on whom others wait.
fn discard<T>(made: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(made)));
}

/// The error of a task that is not run because its owner went, or said so.
fn cancelled() -> Error {
    Problem::Cancelled.into()
}
