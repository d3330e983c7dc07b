//! Graphs that a user builds by hand: [`Graph`], its typed handles [`Task`], and what a task declares ([`Named`]).
//!
//! A graph is a plan: building it runs nothing. [`Session::run`](crate::session::Session::run) runs what the asked-for
//! tasks need, on the session's threads and inside its memory. A task takes the values of others, so circles cannot be
//! built, and types are checked when the program is compiled.
//!
//! # Memory
//! A task declares what it takes with [`Named::memory`]. That much is leased while it runs. The part for its result
//! ([`Named::result_memory`], all of it if nothing else is said) stays leased until the last task that takes the result
//! has finished; then the result is dropped. What was asked for is leased to the end of the run, and then belongs to
//! the caller. [`Order`] has the law by which a limited budget is never exceeded and nobody waits for ever.

mod inputs;
mod order;

pub use inputs::{Handle, Inputs, Kind, Many, One, Value, Values};
pub use order::Order;

use crate::{
    budget::Budget,
    error::{Error, Result},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    units::Bytes,
};
use std::{
    borrow::Cow,
    fmt,
    hash::{BuildHasher, RandomState},
    marker::PhantomData,
    ops::Range,
};

/// Tasks and the values that they hand on, built by hand and run by [`Session::run`](crate::session::Session::run).
///
/// The handle of a task is its result to be: give it to other tasks. A graph can be run many times.
///
/// # Example
/// Branches are decided while the graph is built:
/// ```
/// use aosx::prelude::*;
///
/// let mut graph = Graph::new();
/// let mut parts = Vec::new();
/// for (a, b) in [(1.0, 2.0), (4.0, 3.0)] {
///     let (x, y) = (graph.value("a", a), graph.value("b", b));
///     parts.push(match a < b {
///         true => graph.task("add", (&x, &y), |(x, y)| Ok(x + y)),
///         false => graph.task("subtract", (&x, &y), |(x, y)| Ok(x - y)),
///     });
/// }
/// let total = graph.task("total", &parts, |parts| Ok(parts.iter().sum::<f64>()));
/// assert_eq!(*Session::new().run(&graph, &total)?, 4.0);
/// # Ok::<(), Error>(())
/// ```
pub struct Graph {
    id: u64,
    nodes: Vec<Node>,
    /// The inputs of all nodes, one after the other.
    inputs: Vec<u32>,
    /// What the user did wrong first; told by every run.
    mistake: Option<String>,
}

struct Node {
    job: Job,
    inputs: Range<usize>,
}

/// What runs for a task: its declaration and its function.
pub struct Job {
    pub(crate) named: Named,
    pub(crate) work: Work,
}

/// A value that is there, or a function that makes it.
pub(crate) enum Work {
    Value(Value),
    Function(Box<Function>),
}

/// A task's function without its types.
pub(crate) type Function = dyn Fn(&Context, &[Value]) -> Result<Value> + Send + Sync;

/// The handle of a task: its result to be, of type `T`. It is small, and copies are the same task.
pub struct Task<T> {
    id: TaskId,
    of: PhantomData<fn() -> T>,
}

/// A task of a graph, without the type of its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskId {
    graph: u64,
    pub(crate) index: u32,
}

impl<T> Clone for Task<T> {
    fn clone(&self) -> Task<T> {
        *self
    }
}
impl<T> Copy for Task<T> {}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", self.id.index)
    }
}

impl<T: Send + Sync + 'static> Handle for Task<T> {
    type Value = T;
    type Id = TaskId;

    fn id(&self) -> TaskId {
        self.id
    }
}

/// A task's name, which errors show, and what it declares. A plain text is a name that declares nothing.
///
/// # Example
/// ```
/// use aosx::prelude::*;
///
/// let mut graph = Graph::new();
/// let load = named("load").memory(Bytes(16 << 20)).result_memory(Bytes(8 << 20)).retries(3);
/// let data = graph.task(load, (), |()| Ok(vec![1.0; 1 << 20]));
/// let sum = graph.task("sum", &data, |data| Ok(data.iter().sum::<f64>()));
/// assert_eq!(*Session::new().run(&graph, &sum)?, 1048576.0);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Named {
    pub(crate) name: Cow<'static, str>,
    memory: Bytes,
    result_memory: Option<Bytes>,
    retries: u32,
}

/// A name that declares nothing yet: see [`Named`].
pub fn named(name: impl Into<Cow<'static, str>>) -> Named {
    Named { name: name.into(), memory: Bytes(0), result_memory: None, retries: 0 }
}

impl Named {
    /// The same, leasing so much while it runs, its result included. Nothing is leased when nothing is said.
    pub fn memory(mut self, bytes: Bytes) -> Named {
        self.memory = bytes;
        self
    }

    /// The same, keeping so much leased for the result until nobody needs it; [`Named::memory`] if nothing is said.
    pub fn result_memory(mut self, bytes: Bytes) -> Named {
        self.result_memory = Some(bytes);
        self
    }

    /// The same, tried again so many times when it fails or panics. It keeps its memory and its inputs meanwhile.
    pub fn retries(mut self, times: u32) -> Named {
        self.retries = times;
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is leased while it runs.
    pub(crate) fn need(&self) -> u64 {
        self.memory.0.max(self.kept())
    }

    /// What stays leased for the result.
    pub(crate) fn kept(&self) -> u64 {
        self.result_memory.unwrap_or(self.memory).0
    }

    pub(crate) fn attempts(&self) -> u64 {
        u64::from(self.retries) + 1
    }
}

impl<S: Into<Cow<'static, str>>> From<S> for Named {
    fn from(name: S) -> Named {
        named(name)
    }
}

/// What a task may use while it runs; see [`Graph::task_in_context`].
pub struct Context<'r> {
    pub(crate) memory: Bytes,
    pub(crate) threads: usize,
    pub(crate) attempt: u64,
    pub(crate) stop: &'r Arc<AtomicBool>,
    pub(crate) cancelled: &'r AtomicBool,
}

impl Context<'_> {
    /// What the task has leased.
    pub fn memory(&self) -> Bytes {
        self.memory
    }

    /// What the task has leased as a budget of its own, for blocks and plans that run inside it. Each call gives a new
    /// one: the task must see to it that together they stay within [`Context::memory`].
    pub fn budget(&self) -> Budget {
        Budget::new(self.memory)
    }

    /// The most threads of the run that the task is part of.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// How often the task failed before in this run.
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// The flag that stops the whole session.
    pub fn stop(&self) -> &Arc<AtomicBool> {
        self.stop
    }

    /// Whether nobody wants the result any more: a long task should look at times, and return any error.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.cancelled.load(Ordering::Relaxed)
    }
}

impl Default for Graph {
    fn default() -> Graph {
        Graph::new()
    }
}

impl Graph {
    /// A graph without tasks.
    pub fn new() -> Graph {
        // Only compared: a handle of another graph is a mistake that must not go unseen.
        let id = RandomState::new().hash_one(0);
        Graph { id, nodes: Vec::new(), inputs: Vec::new(), mistake: None }
    }

    /// How many tasks it has, values included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A value that is there already. The graph holds it, and no memory is leased for it.
    pub fn value<T: Send + Sync + 'static>(&mut self, name: impl Into<Named>, value: T) -> Task<T> {
        self.add(Job { named: name.into(), work: Work::Value(Arc::new(value)) }, &[])
    }

    /// A task that makes a value from the values of `inputs`, in the form that [`Inputs`] lists.
    ///
    /// The function may run on any thread. It runs again when it fails and has [retries](Named::retries), and in each
    /// run of the graph. A panic in it is an error of the run. An input of another graph makes every run of this one
    /// an error.
    pub fn task<I, T, F>(&mut self, name: impl Into<Named>, inputs: I, function: F) -> Task<T>
    where
        I: Inputs<TaskId>,
        T: Send + Sync + 'static,
        F: for<'v> Fn(<I::Kind as Kind>::Args<'v>) -> Result<T> + Send + Sync + 'static,
    {
        let mut ids = Vec::new();
        let work = function_of(inputs.gather(&mut ids), function);
        self.add(Job { named: name.into(), work }, &ids)
    }

    /// As [`Graph::task`], for a function that also takes the [`Context`] of the run: it asks whether it should stop,
    /// or runs something of its own inside the memory it has leased.
    pub fn task_in_context<I, T, F>(&mut self, name: impl Into<Named>, inputs: I, function: F) -> Task<T>
    where
        I: Inputs<TaskId>,
        T: Send + Sync + 'static,
        F: for<'c, 'v> Fn(&'c Context<'c>, <I::Kind as Kind>::Args<'v>) -> Result<T> + Send + Sync + 'static,
    {
        let mut ids = Vec::new();
        let work = function_in_context(inputs.gather(&mut ids), function);
        self.add(Job { named: name.into(), work }, &ids)
    }

    fn add<T>(&mut self, job: Job, inputs: &[TaskId]) -> Task<T> {
        if inputs.iter().any(|input| input.graph != self.id) {
            let name = job.named.name();
            self.mistake.get_or_insert_with(|| format!("an input of task '{name}' belongs to another graph"));
        }
        let index = u32::try_from(self.nodes.len()).expect("a graph of four thousand million tasks fits no memory");
        let from = self.inputs.len();
        // After a mistake nothing runs, so any existing place will do.
        self.inputs.extend(inputs.iter().filter(|input| input.graph == self.id).map(|input| input.index));
        self.nodes.push(Node { job, inputs: from..self.inputs.len() });
        Task { id: TaskId { graph: self.id, index }, of: PhantomData }
    }

    /// What the tasks `wanted` need, in the order in which memory is leased for it.
    ///
    /// # Errors
    /// When a handle belongs to another graph.
    pub fn order(&self, wanted: &[TaskId]) -> Result<Order> {
        if let Some(mistake) = &self.mistake {
            return Err(Error::usage(mistake.clone()));
        }
        if wanted.iter().any(|task| task.graph != self.id) {
            return Err(Error::usage("a task that is asked for belongs to another graph"));
        }
        Ok(Order::new(self, wanted))
    }

    pub(crate) fn job(&self, index: u32) -> &Job {
        &self.nodes[index as usize].job
    }

    pub(crate) fn inputs(&self, index: u32) -> &[u32] {
        &self.inputs[self.nodes[index as usize].inputs.clone()]
    }
}

/// A function of typed values as one of any values.
pub(crate) fn function_of<K, T, F>(kind: K, function: F) -> Work
where
    K: Kind,
    T: Send + Sync + 'static,
    F: for<'v> Fn(K::Args<'v>) -> Result<T> + Send + Sync + 'static,
{
    Work::Function(Box::new(move |_, values| Ok(Arc::new(function(kind.read(&mut values.iter()))?))))
}

/// As [`function_of`], with the run's context.
pub(crate) fn function_in_context<K, T, F>(kind: K, function: F) -> Work
where
    K: Kind,
    T: Send + Sync + 'static,
    F: for<'c, 'v> Fn(&'c Context<'c>, K::Args<'v>) -> Result<T> + Send + Sync + 'static,
{
    Work::Function(Box::new(move |context, values| Ok(Arc::new(function(context, kind.read(&mut values.iter()))?))))
}
