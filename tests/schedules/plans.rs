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
    kernels::lanes::Order,
    plan::{self, Plan, Stage, Target},
    source::{Group, Storage, StoredType, VarMeta},
    spill::{SpillCodec, SpillFolder},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    units::Bytes,
};

const SCHEDULES: usize = 150;
/// Of lanes that are long enough to be put in order in passes.
const SCHEDULES_LONG: usize = 10;

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
        let plan = self.plan(1 << 30);
        let stages = plan.stages.iter().enumerate();
        let most = stages.map(|(n, s)| s.need(None).unwrap().with(workers, 1) + plan.held_during(n));
        [self.least(), most.max().unwrap() + self.own]
    }

    fn least(&self) -> u64 {
        self.plan(0).least(None).unwrap().unwrap().0.0 + self.own
    }

    /// The least in which it runs, and what suffices for two workers in a stage that takes passes.
    fn small(&self) -> [u64; 2] {
        let least = self.least();
        let two = |limit: &u64| {
            let plan = self.plan(*limit);
            let narrows = plan.stages.iter().enumerate().filter(|(_, stage)| matches!(stage, Stage::Narrow(_)));
            let mut needs = narrows.map(|(n, s)| s.need(None).unwrap().with(2, 1) + plan.held_during(n) + self.own);
            needs.any(|need| need <= *limit)
        };
        [least, (4..40).map(|k| least * k / 4).find(two).unwrap()]
    }

    /// How many stages go through their input in passes.
    fn narrows(&self, limit: u64) -> usize {
        self.plan(limit).stages.iter().filter(|stage| matches!(stage, Stage::Narrow(_))).count()
    }

    fn run(&self, limit: u64, stop: Arc<AtomicBool>) -> Result<Vec<u8>> {
        self.run_beside(limit, stop, Arc::default())
    }

    /// Runs it, and looks whether all memory came back.
    fn run_beside(&self, limit: u64, stop: Arc<AtomicBool>, spill: Arc<SpillFolder>) -> Result<Vec<u8>> {
        let budget = Budget::new(Bytes(limit));
        let sink = MemorySink::new(&self.schema, &budget).unwrap();
        let executor = Executor { budget: budget.clone(), threads: 3, observer: Arc::new(Silent), stop, spill };
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

/// One lane, in some blocks.
fn lane(n: u64) -> LazyArray {
    let x: Vec<f64> = (0..n).map(|k| (k * 7919 % 10007) as f64).collect();
    LazyArray::from_slice(&x, &[n], &[n.div_ceil(32)][..]).unwrap()
}

/// Every kind of stage, small: a fold of several columns and runs, one of a chunk a column, a fold and a map that reads it, windows, passes; and how
/// many stages take passes in the least memory.
fn jobs() -> Vec<(Job, usize)> {
    let x = numbers();
    let away = &x - x.mean(&[0]).unwrap();
    vec![
        (Job::new(x.std(&[0], 1.0).unwrap(), &[5, 2]), 0),
        (Job::new(x.sum(&[0, 2]).unwrap(), &[2]), 0),
        (Job::new(x.sum(&[2]).unwrap(), &[7, 5]), 0),
        (Job::new(away, &[3, 5, 2]), 0),
        (Job::new(x.cumsum(0).unwrap(), &[7, 2, 2]), 0),
        (Job::new(lane(4000).median(&[0]).unwrap(), &[]), 1),
    ]
}

/// So many values, of eight bytes or of those and places, take less memory in passes than in order.
const LONG: u64 = 150_000;
const LONG_WITH_PLACES: u64 = 60_000;

/// The middle of lanes that are put in order in passes, and how many stages take those.
fn in_order(lane: &dyn Fn(u64) -> LazyArray) -> Vec<(Job, usize)> {
    let middle = |y: LazyArray| {
        let from = y.shape()[0] as i64 / 2;
        Job::new(y.get_along(0, from..from + 1000).unwrap(), &[300])
    };
    let x = lane(LONG_WITH_PLACES);
    vec![
        (middle(lane(LONG).sort(Order::Ascending, 0).unwrap()), 1),
        (middle(x.argsort(Order::Descending, 0).unwrap()), 1),
        (middle(x.rank(0).unwrap()), 2),
    ]
}

fn never() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}

#[test]
fn every_order_gives_the_same_bits_in_any_memory() {
    for n in 0..jobs().len() {
        check(SCHEDULES, move || {
            let (job, narrows) = jobs().swap_remove(n);
            let [least, three] = job.limits(3);
            assert_eq!(job.narrows(least), narrows, "{:?} in {least}", job.array);
            let want = job.run(1 << 30, never()).unwrap();
            for limit in [least, three, three + 64] {
                assert_eq!(job.run(limit, never()).unwrap(), want, "{:?} in {limit}", job.array);
            }
        });
    }
}

#[test]
fn every_order_puts_lanes_in_order_in_passes() {
    for n in 0..in_order(&lane).len() {
        check(SCHEDULES_LONG, move || {
            let (job, narrows) = in_order(&lane).swap_remove(n);
            let want = job.run(1 << 30, never()).unwrap();
            for limit in job.small() {
                assert_eq!(job.narrows(limit), narrows, "{:?} in {limit}", job.array);
                assert!(job.run(limit, never()).unwrap() == want, "{:?} in {limit}", job.array);
            }
        });
    }
}

/// Gives what it is given, but for one block.
struct Fails {
    at: Vec<u64>,
    /// So often that block goes well.
    before: AtomicU32,
    /// Somebody wants to stop there, instead.
    stop: Option<Arc<AtomicBool>>,
}

impl BlockFunction for Fails {
    fn name(&self) -> &str {
        "fails"
    }

    fn call(&self, block: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        out.copy_from_slice(inputs[0].bytes);
        if block.index.0 != self.at {
            return Ok(());
        }
        let before = self.before.load(Ordering::Relaxed);
        self.before.store(before.saturating_sub(1), Ordering::Relaxed);
        match &self.stop {
            _ if before > 0 => Ok(()),
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
    let function = Arc::new(Fails { at: vec![at, at % 2, 0], before: AtomicU32::new(0), stop });
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

/// A median, places and ranks of a lane that fails or is stopped at a block, in the pass after so many.
fn broken_in_passes(before: u32, stop: Option<Arc<AtomicBool>>) -> Vec<(Job, usize)> {
    let of = |n: u64| {
        let x = lane(n);
        let function = Arc::new(Fails { at: vec![5], before: AtomicU32::new(before), stop: stop.clone() });
        LazyArray::blocks(std::slice::from_ref(&x), function, x.shape(), x.chunk(), DType::F64).unwrap()
    };
    let mut jobs = vec![(Job::new(of(4000).median(&[0]).unwrap(), &[]), 1)];
    jobs.extend((1..3).map(|n| in_order(&of).swap_remove(n)));
    jobs
}

#[test]
fn a_failure_or_a_stop_in_a_pass_leaves_nothing_held_and_nobody_waiting() {
    for (n, before) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)] {
        check(if n == 0 { SCHEDULES } else { SCHEDULES_LONG }, move || {
            let (job, narrows) = broken_in_passes(before, None).swap_remove(n);
            for limit in job.small() {
                assert_eq!(job.narrows(limit), narrows);
                let (job, _) = broken_in_passes(before, None).swap_remove(n);
                let error = job.run(limit, never()).unwrap_err();
                assert!(error.to_string().contains("no such block"), "{error}");
                let stop = never();
                let (job, _) = broken_in_passes(before, Some(stop.clone())).swap_remove(n);
                let error = job.run(limit, stop).unwrap_err();
                assert!(matches!(error.problem(), Problem::Stopped), "{error}");
            }
        });
    }
}

/// The file has room for what the first stage of two gives, and not for the other's, or for neither.
#[test]
fn a_full_disk_in_a_pass_leaves_nothing_held_and_nobody_waiting() {
    for room in [LONG_WITH_PLACES * 4, LONG_WITH_PLACES * 12] {
        check(SCHEDULES_LONG, move || {
            let (job, _) = in_order(&lane).swap_remove(2);
            for limit in job.small() {
                let spill = Arc::new(SpillFolder::new(std::env::temp_dir(), SpillCodec::None, Some(Bytes(room))));
                let error = job.run_beside(limit, never(), spill.clone()).unwrap_err();
                assert!(matches!(error.problem(), Problem::Spill { .. }), "{error}");
                assert_eq!(spill.used(), Bytes(0));
            }
        });
    }
}
