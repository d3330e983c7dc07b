//! Runs arrays with just so much memory and so many threads.

use super::reference::Whole;
use aosx::{
    array::LazyArray,
    attrs::Attrs,
    budget::Budget,
    engine::{Executor, MemorySink},
    error::{Error, Problem, Result},
    events::{Observer, Silent},
    plan::{self, Stage, Target},
    shape::Shape,
    source::{Group, Storage, StoredType, VarMeta},
    spill::Keep,
    units::Bytes,
};
use std::sync::{Arc, mpsc};

/// Values of several arrays, the most memory that they took, and how the plan went about it.
pub struct Ran {
    pub values: Vec<Whole>,
    pub peak: u64,
    pub spills: Vec<Keep>,
    /// How many stages looked for order statistics in passes.
    pub narrowed: usize,
}

/// Computes arrays into pieces of the shapes given.
pub fn run(
    arrays: &[&LazyArray],
    pieces: &[Shape],
    threads: usize,
    limit: u64,
    observer: Arc<dyn Observer>,
) -> Result<Ran> {
    let variable = |(n, array): (usize, &&LazyArray)| VarMeta {
        path: format!("v{n}"),
        stored: StoredType::native(array.dtype()),
        shape: array.shape().clone(),
        dims: Vec::new(),
        dims_named: false,
        attrs: Attrs::new(),
        fill: None,
        storage: Storage { chunk: Some(pieces[n].clone()), ..Storage::default() },
    };
    let schema = Group { vars: arrays.iter().enumerate().map(variable).collect(), ..Group::default() };
    let own: u64 = schema.vars.iter().map(|v| v.decoded_bytes().unwrap()).sum();
    let too_small = |need: u64| -> Error {
        Problem::BudgetTooSmall { what: "a test".into(), need: Bytes(need), limit: Bytes(limit) }.into()
    };
    // Planned first, as a session does, so that an error names all that is needed.
    let grid = |n: usize| aosx::grid::Grid::new(arrays[n].shape().clone(), pieces[n].clone());
    let targets = arrays
        .iter()
        .enumerate()
        .map(|(n, array)| {
            Ok(Target {
                variable: format!("v{n}"),
                array: (*array).clone(),
                pieces: grid(n)?,
                ones: vec![false; array.ndim()],
                stored: array.dtype(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let plan = plan::lower_within(targets, Bytes(limit), Bytes(own), None)?;
    if let Some((least, _)) = plan.least(None)?
        && least.0 + own > limit
    {
        return Err(too_small(least.0 + own));
    }
    let budget = Budget::new(Bytes(limit));
    let sink = MemorySink::new(&schema, &budget)?;
    let executor = Executor { budget: budget.clone(), threads, observer, stop: Arc::default(), spill: Arc::default() };
    // Who waits for memory that never comes is found.
    let (done, wait) = mpsc::channel::<()>();
    let sink = std::thread::scope(|scope| {
        // Dropped at a panic too, before the scope waits.
        let done = done;
        scope.spawn(move || {
            if wait.recv_timeout(std::time::Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("no end after a minute, with {limit} bytes and {threads} threads");
                std::process::abort();
            }
        });
        let result = executor.run(&plan, &sink);
        drop(done);
        result.map(|()| sink)
    })?;
    let peak = budget.peak().0;
    let mut values = sink.into_values();
    let values = (0..arrays.len())
        .map(|n| {
            let v = values.remove(&format!("v{n}")).expect("every array is computed");
            Whole::of(v.dtype(), v.shape(), v.bytes())
        })
        .collect();
    let spills = plan.spills.iter().map(|s| s.spilled.keep()).collect();
    let narrows = |stage: &Stage| matches!(stage, Stage::Narrow(_));
    Ok(Ran { values, peak, spills, narrowed: plan.stages.iter().filter(|s| narrows(s)).count() })
}

/// With plenty of memory, in the arrays' own blocks.
pub fn plenty(arrays: &[&LazyArray], threads: usize) -> Result<Ran> {
    run(arrays, &own_pieces(arrays), threads, 1 << 30, Arc::new(Silent))
}

pub fn own_pieces(arrays: &[&LazyArray]) -> Vec<Shape> {
    arrays.iter().map(|a| a.chunk().clone()).collect()
}

/// What a failed budget says would do.
pub fn needed(error: &Error) -> Option<u64> {
    match error.problem() {
        Problem::BudgetTooSmall { need, .. } => Some(need.0),
        _ => None,
    }
}
