//! Plans: folds whose states wait to be merged, maps, and what stages hold for each other.

use super::check;
use aosx::{
    array::{BlockFunction, BlockInfo, BlockInput, LazyArray},
    attrs::Attrs,
    budget::Budget,
    dtype::DType,
    engine::{Executor, MemorySink},
    error::{Error, Problem, Result},
    events::Silent,
    grid::Grid,
    kernels::fold::{FoldOptions, Op},
    plan::{self, Plan, Target},
    source::{Group, Storage, StoredType, VarMeta},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    units::Bytes,
};

const SCHEDULES: usize = 150;

/// An array and the memory that its result takes.
struct Job {
    array: LazyArray,
    schema: Group,
    target: Target,
    own: u64,
}

impl Job {
    fn new(array: LazyArray, piece: &[u64]) -> Job {
        let out = VarMeta {
            path: "y".into(),
            stored: StoredType::native(array.dtype()),
            shape: array.shape().clone(),
            dims: Vec::new(),
            dims_named: false,
            attrs: Attrs::new(),
            fill: None,
            storage: Storage { chunk: Some(piece.into()), ..Storage::default() },
        };
        let target = Target {
            variable: "y".into(),
            array: array.clone(),
            pieces: Grid::new(array.shape().clone(), piece.into()).unwrap(),
            ones: vec![false; array.ndim()],
            stored: array.dtype(),
        };
        let own = out.decoded_bytes().unwrap();
        Job { array, schema: Group { vars: vec![out], ..Group::default() }, target, own }
    }

    fn plan(&self, room: u64) -> Plan {
        plan::lower_within(vec![self.target.clone()], Bytes(room), Bytes(self.own), None).unwrap()
    }

    /// The least in which it runs, and what so many workers need at once.
    fn limits(&self, workers: u64) -> [u64; 2] {
        let least = self.plan(0).least(None).unwrap().unwrap().0.0 + self.own;
        let plan = self.plan(1 << 30);
        let stages = plan.stages.iter().enumerate();
        let most = stages.map(|(n, s)| s.need(None).unwrap().with(workers, 1) + plan.held_during(n));
        [least, most.max().unwrap() + self.own]
    }

    /// Runs it, and looks whether all memory came back.
    fn run(&self, limit: u64, stop: Arc<AtomicBool>) -> Result<Vec<u8>> {
        let budget = Budget::new(Bytes(limit));
        let sink = MemorySink::new(&self.schema, &budget).unwrap();
        let executor =
            Executor { budget: budget.clone(), threads: 3, observer: Arc::new(Silent), stop, spill: Arc::default() };
        let plan = self.plan(limit);
        let ran = executor.run(&plan, &sink).map(|()| sink.held().values("y").unwrap());
        drop((sink, plan));
        assert_eq!(budget.held(), Bytes(0), "{:?}", self.array);
        assert!(budget.peak().0 <= limit);
        ran
    }
}

fn numbers() -> LazyArray {
    let x: Vec<f64> = (0..7 * 5 * 2).map(|k| f64::from(k * 37 % 101) * 0.1 - 3.0).collect();
    LazyArray::from_slice(&x, &[7, 5, 2], &[1, 3, 2][..]).unwrap()
}

/// Every kind of stage, small: a fold of several columns and runs, a fold and a map that reads it, windows, passes.
fn jobs() -> Vec<Job> {
    let x = numbers();
    let away = &x - x.mean(&[0]).unwrap();
    let long: Vec<f32> = (0..4000u32).map(|k| (k * 7919 % 10007) as f32).collect();
    let long = LazyArray::from_slice(&long, &[4000], &[500][..]).unwrap();
    vec![
        Job::new(x.std(&[0], 1.0).unwrap(), &[5, 2]),
        Job::new(x.sum(&[0, 2]).unwrap(), &[2]),
        Job::new(away, &[3, 5, 2]),
        Job::new(x.cumsum(0).unwrap(), &[7, 2, 2]),
        Job::new(long.median(&[0]).unwrap(), &[]),
    ]
}

fn never() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}

#[test]
fn every_order_gives_the_same_bits_in_any_memory() {
    for n in 0..jobs().len() {
        check(SCHEDULES, move || {
            let job = jobs().swap_remove(n);
            let [least, three] = job.limits(3);
            let want = job.run(1 << 30, never()).unwrap();
            for limit in [least, three, three + 64] {
                assert_eq!(job.run(limit, never()).unwrap(), want, "{:?} in {limit}", job.array);
            }
        });
    }
}

/// Gives what it is given, but for one block.
struct Fails {
    at: Vec<u64>,
    /// Somebody wants to stop there, instead.
    stop: Option<Arc<AtomicBool>>,
}

impl BlockFunction for Fails {
    fn name(&self) -> &str {
        "fails"
    }

    fn call(&self, block: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        out.copy_from_slice(inputs[0].bytes);
        match &self.stop {
            _ if block.index.0 != self.at => Ok(()),
            None => Err(Error::usage("no such block")),
            Some(stop) => {
                stop.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

/// A fold, or a fold and a map, of an array that fails or is stopped half-way.
fn broken(at: u64, stop: Option<Arc<AtomicBool>>, and_map: bool) -> Job {
    let x = numbers();
    let function = Arc::new(Fails { at: vec![at, at % 2, 0], stop });
    let y = LazyArray::blocks(std::slice::from_ref(&x), function, x.shape(), x.chunk(), DType::F64).unwrap();
    let mean = y.reduce(Op::Mean, &[0], FoldOptions::default()).unwrap();
    match and_map {
        true => Job::new(&y - &mean, &[3, 5, 2]),
        false => Job::new(mean, &[5, 2]),
    }
}

#[test]
fn a_failure_half_way_leaves_nothing_held_and_nobody_waiting() {
    for (at, and_map) in [(0, false), (3, false), (6, false), (4, true)] {
        check(SCHEDULES, move || {
            let job = broken(at, None, and_map);
            for limit in job.limits(3) {
                let error = job.run(limit, never()).unwrap_err();
                assert!(error.to_string().contains("no such block"), "{error}");
            }
        });
    }
}

#[test]
fn who_is_stopped_leaves_nothing_held() {
    for (at, and_map) in [(0, false), (3, false), (5, true)] {
        check(SCHEDULES, move || {
            let stop = never();
            let job = broken(at, Some(stop.clone()), and_map);
            for limit in job.limits(3) {
                stop.store(false, Ordering::Relaxed);
                match job.run(limit, stop.clone()) {
                    Err(error) => assert!(matches!(error.problem(), Problem::Stopped), "{error}"),
                    Ok(_) => assert!(!and_map, "the map comes after the fold, and that was stopped"),
                }
            }
        });
    }
}
