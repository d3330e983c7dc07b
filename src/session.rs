//! [`Session`]: the memory, the threads and the listener that everything runs with. The public facade.

use crate::{
    array::LazyArray,
    attrs::Attrs,
    budget::Budget,
    codec::{Scratch, ScratchSize},
    dataset::{Computation, Dataset, Range, TextFrom},
    delayed::{Graph, Inputs, Kind, Task, TaskId, named},
    dtype::DType,
    engine::{Client, Executor, Held, MemorySink, Values},
    error::{Error, Problem, Result},
    events::{Observer, Silent},
    formats::{self, OutputFormat},
    grid::Grid,
    kernels::fold::{FoldOptions, Op},
    plan::{self, Target},
    shape::Shape,
    source::{Group, Sink, Storage, StoredType, VarMeta},
    spill::{SpillCodec, SpillFolder},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    units::Bytes,
};
use std::path::{Path, PathBuf};

/// What the process needs beside its data, above what it holds when a run begins: stacks, the containers' metadata
/// and what the allocator keeps.
const OVERHEAD: u64 = 6 << 20;
const STACK: u64 = 256 << 10;
/// How much what the process holds when a run begins differs from one run to the next: the kernel maps more pages of the
/// program around each one that is touched when the page cache has them.
const VARIES: u64 = 4 << 20;

/// How things run: memory limit, threads, listener.
///
/// # Example
/// ```no_run
/// use aosx::prelude::*;
///
/// let session = Session::new().memory("512MiB".parse()?);
/// let dataset = Dataset::open("in.nc")?;
/// let mean = Reduction::new([Op::Mean], Axes::Named(vec!["time".into()])).var("t").of(&dataset)?;
/// session.write(&dataset, &mean, "out.nc".as_ref(), OutputFormat::NetCdf4)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session {
    memory: Bytes,
    threads: usize,
    observer: Arc<dyn Observer>,
    stop: Arc<AtomicBool>,
    spill: SpillSettings,
}

/// Where and how what does not fit in memory is put aside.
#[derive(Debug, Clone, Default)]
pub struct SpillSettings {
    /// The folder of temporary files; none means that of the output, or the system's for results in memory.
    pub folder: Option<PathBuf>,
    /// How they are compressed.
    pub codec: SpillCodec,
    /// The most bytes that they may take.
    pub limit: Option<Bytes>,
}

impl SpillSettings {
    fn folder(&self, output: Option<&Path>) -> Arc<SpillFolder> {
        let beside =
            output.and_then(Path::parent).map(|p| if p.as_os_str().is_empty() { ".".into() } else { p.into() });
        let path = self.folder.clone().or(beside).unwrap_or_else(std::env::temp_dir);
        Arc::new(SpillFolder::new(path, self.codec, self.limit))
    }
}

impl Default for Session {
    fn default() -> Session {
        Session::new()
    }
}

/// Results in memory.
pub struct Results {
    schema: Group,
    held: Arc<Held>,
}

impl Results {
    /// A variable, without its values.
    pub fn variable(&self, path: &str) -> Option<&VarMeta> {
        self.schema.var(path)
    }

    /// What the results are declared as.
    pub fn schema(&self) -> &Group {
        &self.schema
    }

    /// The values of a variable, row-major in native byte order.
    pub fn values(&self, path: &str) -> Option<Vec<u8>> {
        self.held.values(path)
    }

    /// The values of a variable of strings.
    pub fn texts(&self, path: &str) -> Option<Vec<String>> {
        self.held.texts(path)
    }
}

impl Session {
    /// All threads of the machine, a quarter of its memory (or of its control group's), nobody listening.
    pub fn new() -> Session {
        Session {
            memory: default_memory(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            observer: Arc::new(Silent),
            stop: Arc::new(AtomicBool::new(false)),
            spill: SpillSettings::default(),
        }
    }

    /// The same with another limit for the whole process.
    pub fn memory(mut self, limit: Bytes) -> Session {
        self.memory = limit;
        self
    }

    /// The same with at most so many workers.
    pub fn threads(mut self, threads: usize) -> Session {
        self.threads = threads.max(1);
        self
    }

    /// The same with a listener.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Session {
        self.observer = observer;
        self
    }

    /// The same, stopped when somebody sets `stop`.
    pub fn stop(mut self, stop: Arc<AtomicBool>) -> Session {
        self.stop = stop;
        self
    }

    /// The same, with what does not fit in memory put aside so.
    pub fn spill(mut self, settings: SpillSettings) -> Session {
        self.spill = settings;
        self
    }

    /// The limit for the whole process.
    pub fn limit(&self) -> Bytes {
        self.memory
    }

    /// Computes into a file, which appears when it is whole.
    ///
    /// # Errors
    /// When a value cannot be read or written, or the memory does not suffice; then no file has appeared, and one
    /// that was there is as it was.
    pub fn write(&self, dataset: &Dataset, computation: &Computation, path: &Path, format: OutputFormat) -> Result<()> {
        self.write_from(std::slice::from_ref(dataset), computation, path, format)
    }

    /// As [`write`](Session::write), of several inputs in the order in which the computation was given them.
    ///
    /// # Errors
    /// As there.
    pub fn write_from(
        &self,
        inputs: &[Dataset],
        computation: &Computation,
        path: &Path,
        format: OutputFormat,
    ) -> Result<()> {
        inputs.iter().flat_map(Dataset::paths).try_for_each(|input| refuse_same(input, path))?;
        let computation = computation.adapted(format, inputs)?;
        let sink = formats::create(path, format, &computation.schema)?;
        self.write_into(inputs, &computation, path, sink)
    }

    /// As [`write_from`](Session::write_from), but what is written stays beside `path` when the run ends early, however
    /// that happens; called again it goes on from there, and gives what an unbroken run gives: the same bytes, but that
    /// chunks of a NetCDF-4 file may lie in another order.
    ///
    /// `request` says in words what is computed. It has to be the same again, and so have the version of aosx, the
    /// inputs, the format and what is declared, but for the global attribute `history`, which stays that of the first run.
    ///
    /// # Errors
    /// As there; when what is there comes from a run that was not the same; when another run is at it.
    pub fn resume_from(
        &self,
        inputs: &[Dataset],
        computation: &Computation,
        path: &Path,
        format: OutputFormat,
        request: &str,
    ) -> Result<()> {
        inputs.iter().flat_map(Dataset::paths).try_for_each(|input| refuse_same(input, path))?;
        let computation = computation.adapted(format, inputs)?;
        let run = computation.identity(inputs, format, request)?;
        let stopped = || match self.stop.load(Ordering::Relaxed) {
            true => Err(Problem::Stopped.into()),
            false => Ok(()),
        };
        let sink = formats::resume(path, format, &computation.schema, &run, &stopped)?;
        self.write_into(inputs, &computation, path, sink)
    }

    fn write_into(
        &self,
        inputs: &[Dataset],
        computation: &Computation,
        path: &Path,
        sink: Box<dyn Sink>,
    ) -> Result<()> {
        let executor = Executor { spill: self.spill.folder(Some(path)), ..self.executor()? };
        let targets = targets(computation, |path| sink.grid(path).cloned())?;
        let plan = self.fitting(targets, Bytes(0), Some(sink.as_ref()), &executor)?;
        self.run_plan(inputs, computation, &plan, sink.as_ref(), &executor)?;
        sink.finish().map_err(|e| e.in_file(path))
    }

    /// Computes into memory.
    ///
    /// # Errors
    /// When a value cannot be read, or the memory does not suffice.
    pub fn collect(&self, dataset: &Dataset, computation: &Computation) -> Result<Results> {
        self.collect_from(std::slice::from_ref(dataset), computation)
    }

    /// As [`collect`](Session::collect), of several inputs in the order in which the computation was given them.
    ///
    /// # Errors
    /// As there.
    pub fn collect_from(&self, inputs: &[Dataset], computation: &Computation) -> Result<Results> {
        let executor = self.executor()?;
        let plan =
            self.fitting(targets(computation, declared(computation))?, bytes_of(&computation.schema), None, &executor)?;
        let sink = MemorySink::new(&computation.schema, &executor.budget)?;
        self.run_plan(inputs, computation, &plan, &sink, &executor)?;
        Ok(Results { schema: computation.schema.clone(), held: sink.held() })
    }

    /// The values of an array, in memory.
    ///
    /// # Errors
    /// When a value cannot be read, a user's function fails, or the memory does not suffice.
    pub fn compute(&self, array: &LazyArray) -> Result<Values> {
        let mut all = self.compute_all(&[array])?;
        all.pop().ok_or_else(|| Error::usage("no array to compute"))
    }

    /// The values of several arrays; what they share is computed once, and reductions of one array in one pass.
    ///
    /// # Errors
    /// As [`compute`](Session::compute).
    pub fn compute_all(&self, arrays: &[&LazyArray]) -> Result<Vec<Values>> {
        let executor = self.executor()?;
        let schema = schema_of(arrays);
        let plan = self.fitting(array_targets(arrays, own_blocks(arrays))?, bytes_of(&schema), None, &executor)?;
        values_of(&plan, &schema, &executor)
    }

    /// An array as a task of a graph built by hand: its values are those of the array, and its memory what the plan
    /// needs with one worker.
    ///
    /// # Errors
    /// When sizes overflow, or an expression is too deep.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let session = Session::new();
    /// let mut graph = Graph::new();
    /// let x = session.array_task(&mut graph, "x", &LazyArray::arange(0, 5, 1, &[2])?)?;
    /// let last = graph.task("last", &x, |x| Ok(x.to_vec::<i64>()?.pop()));
    /// assert_eq!(*session.run(&graph, &last)?, Some(4));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn array_task(&self, graph: &mut Graph, name: &str, array: &LazyArray) -> Result<Task<Values>> {
        let array = array.clone();
        let schema = schema_of(&[&array]);
        let result = bytes_of(&schema);
        let limit = self.data_limit()?;
        let targets = array_targets(&[&array], own_blocks(&[&array]))?;
        let least = plan::lower_within(targets, limit, result, None)?.least(None)?.unwrap_or_default().0;
        let need = Bytes(least.0.saturating_add(result.0));
        let (observer, spill) = (self.observer.clone(), self.spill.folder(None));
        let declared = named(name.to_string()).memory(need).result_memory(result);
        Ok(graph.task_in_context(declared, (), move |context, ()| {
            let budget = context.budget();
            let (stop, observer) = (context.stop().clone(), observer.clone());
            let executor = Executor { budget, threads: context.threads(), observer, stop, spill: spill.clone() };
            let targets = array_targets(&[&array], own_blocks(&[&array]))?;
            let plan = plan::lower_within(targets, executor.budget.limit(), result, None)?;
            let mut values = values_of(&plan, &schema, &executor)?;
            values.pop().ok_or_else(|| Error::usage("an array that was not computed"))
        }))
    }

    /// The plan for arrays, as a tree with its cost, without running it.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn explain_arrays(&self, arrays: &[&LazyArray]) -> Result<String> {
        let limit = self.data_limit()?;
        plan::explain(&self.plan(arrays)?, None, self.threads as u64, limit)
    }

    /// The plan for arrays, as data.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn plan(&self, arrays: &[&LazyArray]) -> Result<plan::Plan> {
        plan::lower(array_targets(arrays, own_blocks(arrays))?, self.data_limit()?)
    }

    /// Runs what the tasks `wanted` of a graph need, and gives their values: an `Arc` for `&task`, a tuple of them for
    /// `(&a, &b)`, a `Vec` for a slice.
    ///
    /// # Errors
    /// The first that a task met, with its path from the task that was asked for; when the memory that tasks declare
    /// does not fit, before anything runs; when a handle belongs to another graph.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let mut graph = Graph::new();
    /// let a = graph.value("a", 1.5);
    /// let b = graph.task("load", (), |()| Ok("2.5".to_string()));
    /// let c = graph.task("add", (&a, &b), |(a, b)| Ok(a + b.parse::<f64>().map_err(Error::function)?));
    /// let (sum, text) = Session::new().run(&graph, (&c, &b))?;
    /// assert_eq!((*sum, text.as_str()), (4.0, "2.5"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn run<I: Inputs<TaskId>>(&self, graph: &Graph, wanted: I) -> Result<<I::Kind as Kind>::Results> {
        let mut ids = Vec::new();
        let kind = wanted.gather(&mut ids);
        let order = graph.order(&ids)?;
        let executor = self.executor()?;
        self.fits("the graph", order.least(), &executor)?;
        Ok(kind.own(&mut executor.run_tasks(graph, &order)?.into_iter()))
    }

    /// Workers to whom tasks are submitted one by one: see [`Client`].
    ///
    /// # Errors
    /// When the memory does not suffice for the program itself, or the system gives no threads.
    pub fn client(&self) -> Result<Client> {
        self.executor()?.client()
    }

    /// The plan as a tree, with its cost, without running it.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn explain(&self, computation: &Computation) -> Result<String> {
        let targets = targets(computation, declared(computation))?;
        let limit = self.data_limit()?;
        plan::explain(&plan::lower_within(targets, limit, Bytes(0), None)?, None, self.threads as u64, limit)
    }

    fn run_plan(
        &self,
        inputs: &[Dataset],
        computation: &Computation,
        plan: &plan::Plan,
        sink: &dyn Sink,
        executor: &Executor,
    ) -> Result<()> {
        executor.run(plan, sink)?;
        for range in &computation.ranges {
            write_range(range, sink, executor)?;
        }
        for text in &computation.texts {
            match &text.from {
                TextFrom::Said(texts) => sink.write_texts(&text.path, texts)?,
                TextFrom::Input { input, path } => {
                    let none = || Error::usage(format!("no input for '{}'", text.path));
                    sink.write_texts(&text.path, &inputs.get(*input).ok_or_else(none)?.texts(path)?)?;
                }
            }
        }
        Ok(())
    }

    /// A plan that fits beside the `held` bytes of results; before anything is read it is said what `--memory` would have
    /// to be where there is none.
    fn fitting(
        &self,
        targets: Vec<Target>,
        held: Bytes,
        sink: Option<&dyn Sink>,
        executor: &Executor,
    ) -> Result<plan::Plan> {
        let room = executor.budget.limit();
        let plan = plan::lower_within(targets, room, held, sink)?;
        let (least, variable) = plan.least(sink)?.unwrap_or_default();
        self.fits("the plan", Bytes(least.0.saturating_add(held.0)), executor).map_err(|e| e.in_variable(&variable))?;
        Ok(plan)
    }

    /// Whether `least` can be leased; if not, the error says what `--memory` would do.
    fn fits(&self, what: &str, least: Bytes, executor: &Executor) -> Result<()> {
        let room = executor.budget.limit();
        if least <= room {
            return Ok(());
        }
        // Saturating: a broken file can declare chunks of any size. What the process itself takes differs a little from
        // run to run; what is asked for must do.
        let need = least.0.saturating_add(self.memory.0 - room.0).saturating_add(VARIES);
        let need = need.checked_next_multiple_of(1 << 20).unwrap_or(need);
        Err(Problem::BudgetTooSmall { what: what.into(), need: Bytes(need), limit: self.memory }.into())
    }

    fn executor(&self) -> Result<Executor> {
        let limit = self.data_limit()?;
        Ok(Executor {
            budget: Budget::new(limit),
            threads: self.threads,
            observer: self.observer.clone(),
            stop: self.stop.clone(),
            spill: self.spill.folder(None),
        })
    }

    /// What data may take: the limit less what the process holds already and will need beside.
    fn data_limit(&self) -> Result<Bytes> {
        let beside = resident().0 + OVERHEAD + STACK * self.threads as u64;
        if beside >= self.memory.0 {
            let need = Bytes((beside + (16 << 20) + VARIES).next_multiple_of(1 << 20));
            return Err(Problem::BudgetTooSmall { what: "the program itself".into(), need, limit: self.memory }.into());
        }
        Ok(Bytes(self.memory.0 - beside))
    }
}

fn targets(computation: &Computation, grid: impl Fn(&str) -> Result<Grid>) -> Result<Vec<Target>> {
    let one = |wanted: &crate::dataset::Wanted| {
        Ok(Target {
            variable: wanted.path.clone(),
            array: wanted.array.clone(),
            pieces: grid(&wanted.path)?,
            ones: wanted.ones.clone(),
            stored: wanted.stored,
        })
    };
    computation.wanted.iter().map(one).collect()
}

/// The grid of a result as the computation declares it.
fn declared(computation: &Computation) -> impl Fn(&str) -> Result<Grid> {
    |path| {
        let meta = computation.schema.var(path).ok_or_else(|| Error::usage(format!("no output '{path}'")))?;
        let chunk = meta.storage.chunk.clone().unwrap_or_else(|| meta.shape.iter().map(|&n| n.max(1)).collect());
        Grid::new(meta.shape.clone(), chunk)
    }
}

/// The grids of arrays that are written in their own blocks.
fn own_blocks(arrays: &[&LazyArray]) -> impl Fn(&str) -> Result<Grid> {
    |of| {
        let array = arrays[(0..arrays.len()).find(|&n| name(n) == of).unwrap_or(0)];
        Grid::new(array.shape().clone(), array.chunk().clone())
    }
}

/// The bytes of all results in memory.
fn bytes_of(schema: &Group) -> Bytes {
    let each = schema.all_vars().into_iter().map(|meta| meta.decoded_bytes().unwrap_or(0));
    Bytes(each.fold(0, u64::saturating_add))
}

/// What an array among several is called where it has no name.
fn name(n: usize) -> String {
    format!("{n}")
}

/// Arrays as variables.
fn schema_of(arrays: &[&LazyArray]) -> Group {
    Group { vars: arrays.iter().enumerate().map(|(n, a)| variable(n, a)).collect(), ..Group::default() }
}

/// Runs a plan for arrays, and gives their values in order.
fn values_of(plan: &plan::Plan, schema: &Group, executor: &Executor) -> Result<Vec<Values>> {
    let sink = MemorySink::new(schema, &executor.budget)?;
    executor.run(plan, &sink)?;
    let mut values = sink.into_values();
    (0..schema.vars.len())
        .map(|n| values.remove(&name(n)).ok_or_else(|| Error::usage("an array that was not computed")))
        .collect()
}

/// An array as a variable of its own.
fn variable(n: usize, array: &LazyArray) -> VarMeta {
    VarMeta {
        path: name(n),
        stored: StoredType::native(array.dtype()),
        shape: array.shape().clone(),
        dims: Vec::new(),
        dims_named: false,
        attrs: Attrs::new(),
        fill: None,
        storage: Storage { chunk: Some(array.chunk().clone()), ..Storage::default() },
    }
}

fn array_targets(arrays: &[&LazyArray], grid: impl Fn(&str) -> Result<Grid>) -> Result<Vec<Target>> {
    let one = |(n, array): (usize, &&LazyArray)| {
        Ok(Target {
            variable: name(n),
            array: (*array).clone(),
            pieces: grid(&name(n))?,
            ones: vec![false; array.ndim()],
            stored: array.dtype(),
        })
    };
    arrays.iter().enumerate().map(one).collect()
}

/// Computes what a reduced coordinate covered, and writes its middle and its ends.
fn write_range(range: &Range, sink: &dyn Sink, executor: &Executor) -> Result<()> {
    let ends = ends(&range.array, executor)?;
    let middle = if ends[0] == ends[1] { ends[0] } else { ends[0] + (ends[1] - ends[0]) / 2.0 };
    write_all(sink, &range.path, bytemuck::cast_slice(&[middle]), executor)?;
    write_all(sink, &range.bounds, bytemuck::cast_slice(&ends), executor)
}

/// The smallest and the largest value, in one pass; NaN where there is none.
fn ends(array: &LazyArray, executor: &Executor) -> Result<[f64; 2]> {
    let axes = array.all_axes();
    let ops = [Op::Min, Op::Max];
    let scalar = |op: Op| VarMeta {
        path: op.name().into(),
        stored: StoredType::native(DType::F64),
        shape: Shape::default(),
        dims: Vec::new(),
        dims_named: true,
        attrs: Attrs::new(),
        fill: None,
        storage: Default::default(),
    };
    let schema = Group { vars: ops.map(scalar).to_vec(), ..Group::default() };
    let sink = MemorySink::new(&schema, &executor.budget)?;
    let mut targets = Vec::new();
    for op in ops {
        let array = array.reduce(op, &axes, FoldOptions::default())?;
        let pieces = sink.grid(op.name())?.clone();
        targets.push(Target { variable: op.name().into(), array, pieces, ones: Vec::new(), stored: DType::F64 });
    }
    let alone = Executor {
        observer: Arc::new(Silent),
        budget: executor.budget.clone(),
        stop: executor.stop.clone(),
        spill: executor.spill.clone(),
        threads: 1,
    };
    alone.run(&plan::lower_within(targets, alone.budget.limit(), alone.budget.held(), Some(&sink))?, &sink)?;
    let value = |op: Op| sink.held().values(op.name()).map_or(f64::NAN, |bytes| bytemuck::pod_read_unaligned(&bytes));
    Ok(ops.map(value))
}

/// Writes all values of a small variable.
fn write_all(sink: &dyn Sink, path: &str, data: &[u8], executor: &Executor) -> Result<()> {
    let size: ScratchSize = sink.scratch(path)?;
    let mut scratch = Scratch::new(size, executor.budget.lease(size.bytes(), "writing a coordinate")?);
    let grid = sink.grid(path)?;
    for n in 0..grid.chunks() {
        let chunk = grid.index(n);
        let bytes = grid.region(&chunk).shape.bytes(8)?;
        if bytes != data.len() {
            return Err(Error::unsupported("a scalar coordinate in several chunks").in_variable(path));
        }
        sink.write(path, &chunk, data, &mut scratch)?;
    }
    Ok(())
}

fn refuse_same(input: &Path, output: &Path) -> Result<()> {
    let same = match (input.canonicalize(), output.canonicalize()) {
        (Ok(a), Ok(b)) => a == b || b.starts_with(&a),
        _ => false,
    };
    // A new file inside an input folder (a Zarr store) would become part of it.
    let inside = match (input.canonicalize(), output.parent().map(Path::canonicalize)) {
        (Ok(a), Some(Ok(parent))) => a.is_dir() && parent.starts_with(&a),
        _ => false,
    };
    if same || inside { Err(Error::from(Problem::OutputIsInput).in_file(output)) } else { Ok(()) }
}

/// The memory that this process holds now, by the kernel's figure.
fn resident() -> Bytes {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    Bytes(pages.map_or(16 << 20, |pages| pages * 4096))
}

/// A quarter of what the machine has, or of what its control group allows.
fn default_memory() -> Bytes {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?.split_whitespace().nth(1)?.parse::<u64>().ok()?;
        Some(line * 1024)
    });
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok())
        .min();
    let all = machine.into_iter().chain(group).min().unwrap_or(4 << 30);
    Bytes((all / 4).max(64 << 20))
}
