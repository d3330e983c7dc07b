//! [`Client`]: tasks that begin when they are submitted, and [`Future`]s of their results.

use super::{
    Shop, cancelled, clear,
    core::{Core, Garbage, Standing},
    discard,
    ear::Ear,
    gate::Gate,
};
use crate::{
    delayed::{Context, Handle, Inputs, Job, Kind, Named, Work, function_in_context, function_of},
    engine::{Executor, lock},
    error::{Error, Problem, Result},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
        thread::{self, JoinHandle},
    },
    units::Bytes,
};
use std::{fmt, marker::PhantomData};

/// Workers to whom tasks are submitted one by one; they begin at once.
///
/// Tasks whose inputs are there run before those that have none, and each kind in the order of submission. When the
/// client is dropped, tasks that have not begun are cancelled; those that run are told ([`Context::stopped`]) and waited
/// for.
///
/// # Memory
/// A result stays leased until all its futures are dropped and all tasks that take it have ended. A task without inputs
/// begins only if the results then leave room for the largest task that waits for its inputs; and while no thread waits
/// for a result, so that more tasks may come, such results fill half of the memory at most. Nobody hangs: when a
/// thread waits for a result, nothing runs, and no task fits beside the results that are held, then the first task
/// fails with [`Problem::BudgetTooSmall`]. So drop futures when you have what you want, and let the thread that drops
/// them be the one that waits.
///
/// # Example
/// ```
/// use aosx::prelude::*;
///
/// let client = Session::new().client()?;
/// let squares: Vec<_> = (0..10).map(|n| client.submit(format!("square-{n}"), (), move |()| Ok(n * n))).collect();
/// let sum = client.submit("sum", &squares, |squares| Ok(squares.iter().sum::<i32>()));
/// assert_eq!(*sum.result()?, 285);
/// # Ok::<(), Error>(())
/// ```
pub struct Client {
    shop: Arc<Shop<Arc<Job>>>,
    workers: Vec<JoinHandle<()>>,
}

impl Executor {
    /// A client with workers of its own, under this budget.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn client(&self) -> Result<Client> {
        let shop = Arc::new(Shop {
            core: Mutex::new(Core::new(Gate::submitted(&self.budget), 0, None)),
            work: Condvar::new(),
            cancelled: (0..self.threads.max(1)).map(|_| AtomicBool::new(false)).collect(),
            stop: self.stop.clone(),
            threads: self.threads,
        });
        let mut client = Client { shop, workers: Vec::new() };
        for worker in 0..self.threads.max(1) {
            let shop = client.shop.clone();
            let thread = thread::Builder::new().name(format!("aosx-{worker}")).spawn(move || shop.serve(worker));
            client.workers.push(thread.map_err(|e| Error::io("start a thread", e))?);
        }
        Ok(client)
    }
}

impl Client {
    /// Submits a task that makes a value from the values of `inputs`: futures in the form that [`Inputs`] lists.
    ///
    /// The function runs once, and again when it fails and has [retries](Named::retries). When an input fails or is
    /// cancelled the task fails too. A task must not wait for a future itself: take it as an input.
    pub fn submit<I, T, F>(&self, name: impl Into<Named>, inputs: I, function: F) -> Future<T>
    where
        I: Inputs<FutureId>,
        T: Send + Sync + 'static,
        F: for<'v> Fn(<I::Kind as Kind>::Args<'v>) -> Result<T> + Send + Sync + 'static,
    {
        let mut ids = Vec::new();
        let work = function_of(inputs.gather(&mut ids), function);
        self.add(Job { named: name.into(), work }, &ids)
    }

    /// As [`Client::submit`], for a function that also takes the [`Context`].
    pub fn submit_in_context<I, T, F>(&self, name: impl Into<Named>, inputs: I, function: F) -> Future<T>
    where
        I: Inputs<FutureId>,
        T: Send + Sync + 'static,
        F: for<'c, 'v> Fn(&'c Context<'c>, <I::Kind as Kind>::Args<'v>) -> Result<T> + Send + Sync + 'static,
    {
        let mut ids = Vec::new();
        let work = function_in_context(inputs.gather(&mut ids), function);
        self.add(Job { named: name.into(), work }, &ids)
    }

    /// A value that is there already, as an input for tasks. No memory is leased for it.
    pub fn value<T: Send + Sync + 'static>(&self, name: impl Into<Named>, value: T) -> Future<T> {
        self.add(Job { named: name.into(), work: Work::Value(Arc::new(value)) }, &[])
    }

    fn add<T>(&self, job: Job, inputs: &[FutureId]) -> Future<T> {
        let need = if matches!(job.work, Work::Value(_)) { 0 } else { job.named.need() };
        let foreign = inputs.iter().any(|input| !Arc::ptr_eq(&input.shop, &self.shop));
        let ids = if foreign { Box::default() } else { inputs.iter().map(|input| input.id).collect() };
        let what = format!("task '{}'", job.named.name());
        let mut garbage = Garbage::new();
        let mut core = lock(&self.shop.core);
        let (room, limit) = core.room();
        let refusal: Option<Error> = if foreign {
            Some(Error::usage(format!("an input of {what} belongs to another client")))
        } else if need > room {
            Some(Problem::BudgetTooSmall { what, need: Bytes(need), limit }.into())
        } else if self.shop.stop.load(Ordering::Relaxed) {
            Some(Problem::Stopped.into())
        } else {
            None
        };
        let id = core.add(Arc::new(job), ids, 1, true, &mut garbage);
        if let Some(error) = refusal {
            core.fail(id, error, &mut garbage);
        }
        if core.idle > 0 && core.has_ready() {
            self.shop.work.notify_one();
        }
        drop(core);
        clear(&mut garbage);
        Future { shop: self.shop.clone(), id, of: PhantomData }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut garbage = Garbage::new();
        let mut core = lock(&self.shop.core);
        core.closed = true;
        core.fail_unbegun(|| Problem::Cancelled, &mut garbage);
        self.shop.close();
        drop(core);
        clear(&mut garbage);
        let this = thread::current().id();
        for worker in self.workers.drain(..).filter(|worker| worker.thread().id() != this) {
            // A worker catches what tasks do; there is nothing to add to what it may have said itself.
            let _ = worker.join();
        }
    }
}

/// The result to be of a submitted task. Clones are the same task.
///
/// A task that has not begun is skipped when all its futures are dropped and no task needs it.
pub struct Future<T> {
    shop: Arc<Shop<Arc<Job>>>,
    id: u32,
    of: PhantomData<fn() -> T>,
}

/// A future without the type of its value; only [`Inputs`] need it.
pub struct FutureId {
    shop: Arc<Shop<Arc<Job>>>,
    id: u32,
}

impl<T: Send + Sync + 'static> Handle for Future<T> {
    type Value = T;
    type Id = FutureId;

    fn id(&self) -> FutureId {
        FutureId { shop: self.shop.clone(), id: self.id }
    }
}

impl<T> Clone for Future<T> {
    fn clone(&self) -> Future<T> {
        lock(&self.shop.core).pin(self.id);
        Future { shop: self.shop.clone(), id: self.id, of: PhantomData }
    }
}

impl<T> Drop for Future<T> {
    fn drop(&mut self) {
        let mut garbage = Garbage::new();
        lock(&self.shop.core).unpin(self.id, &mut garbage);
        if self.shop.drop_outside(garbage) {
            self.shop.work.notify_all();
        }
    }
}

impl Shop<Arc<Job>> {
    /// Drops what came out of the core, and says whether workers may find memory now.
    fn drop_outside(&self, garbage: Garbage<Arc<Job>>) -> bool {
        let memory = garbage.has_memory();
        discard(garbage);
        memory && lock(&self.core).idle > 0
    }
}

impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standing = match lock(&self.shop.core).standing(self.id) {
            Standing::Open => "open",
            Standing::Done(_) => "done",
            Standing::Failed(_) => "failed",
        };
        write!(f, "Future({standing})")
    }
}

impl<T: Send + Sync + 'static> Future<T> {
    /// Waits for the value.
    ///
    /// # Errors
    /// [`Problem::Task`] with the path from this task to the one that failed, panicked or was cancelled.
    pub fn result(&self) -> Result<Arc<T>> {
        let ear = Arc::new(Ear::default());
        if lock(&self.shop.core).watch(self.id, &ear, 0).is_none() {
            wait(&ear, std::slice::from_ref(&self.shop));
        }
        let standing = lock(&self.shop.core).standing(self.id);
        match standing {
            Standing::Done(value) => {
                Ok(value.downcast().unwrap_or_else(|_| panic!("a future has the type of its value")))
            }
            Standing::Failed(failure) => Err(failure.error()),
            Standing::Open => unreachable!("it has been heard that the task ended"),
        }
    }

    /// Whether it has ended: with a value, with an error, or cancelled.
    pub fn done(&self) -> bool {
        !matches!(lock(&self.shop.core).standing(self.id), Standing::Open)
    }

    /// Cancels it, and with it all that take its result; says whether it had not ended. A task that runs is told
    /// ([`Context::stopped`]), and its result is dropped.
    pub fn cancel(&self) -> bool {
        let mut garbage = Garbage::new();
        let mut core = lock(&self.shop.core);
        if !matches!(core.standing(self.id), Standing::Open) {
            return false;
        }
        if let Some(worker) = core.worker(self.id) {
            self.shop.cancelled[worker as usize].store(true, Ordering::Relaxed);
        }
        core.fail(self.id, cancelled(), &mut garbage);
        drop(core);
        if self.shop.drop_outside(garbage) {
            self.shop.work.notify_all();
        }
        true
    }
}

/// The futures in the order in which they end; those that have ended come first, in that order too.
///
/// # Example
/// ```
/// use aosx::prelude::*;
///
/// let client = Session::new().client()?;
/// let tasks = (1..=3).map(|n| client.submit("double", (), move |()| Ok(2 * n)));
/// let mut sum = 0;
/// for future in as_completed(tasks) {
///     sum += *future.result()?; // and its memory is free when `future` is dropped here
/// }
/// assert_eq!(sum, 12);
/// # Ok::<(), Error>(())
/// ```
pub fn as_completed<T>(futures: impl IntoIterator<Item = Future<T>>) -> AsCompleted<T> {
    let futures: Vec<Option<Future<T>>> = futures.into_iter().map(Some).collect();
    let mut shops: Vec<Arc<Shop<Arc<Job>>>> = Vec::new();
    for future in futures.iter().flatten() {
        if !shops.iter().any(|shop| Arc::ptr_eq(shop, &future.shop)) {
            shops.push(future.shop.clone());
        }
    }
    let ear = Arc::new(Ear::default());
    for shop in &shops {
        let mut core = lock(&shop.core);
        let mut ended = Vec::new();
        for (number, future) in futures.iter().enumerate() {
            if let Some(future) = future.as_ref().filter(|future| Arc::ptr_eq(shop, &future.shop))
                && let Some(at) = core.watch(future.id, &ear, number)
            {
                ended.push((at, number));
            }
        }
        ended.sort_unstable();
        // Under the lock, so that none that ends later comes before these.
        ended.iter().for_each(|&(_, number)| ear.tell(number));
    }
    AsCompleted { left: futures.len(), futures, shops, ear }
}

/// Waits until `ear` hears something of one of the shops.
fn wait(ear: &Arc<Ear>, shops: &[Arc<Shop<Arc<Job>>>]) {
    for shop in shops {
        let mut core = lock(&shop.core);
        core.listen(ear);
        if core.idle > 0 {
            // A worker sees whether anything can go on while this thread waits.
            shop.work.notify_one();
        }
    }
    ear.wait();
    shops.iter().for_each(|shop| lock(&shop.core).heard(ear));
}

/// Futures in the order in which they end: [`as_completed`].
pub struct AsCompleted<T> {
    futures: Vec<Option<Future<T>>>,
    shops: Vec<Arc<Shop<Arc<Job>>>>,
    ear: Arc<Ear>,
    left: usize,
}

impl<T> Iterator for AsCompleted<T> {
    type Item = Future<T>;

    fn next(&mut self) -> Option<Future<T>> {
        if self.left == 0 {
            return None;
        }
        if self.ear.waits() {
            wait(&self.ear, &self.shops);
        }
        let number = self.ear.take()?;
        self.left -= 1;
        self.futures[number].take()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for AsCompleted<T> {}
