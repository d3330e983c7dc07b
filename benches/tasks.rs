//! What a trivial task costs: `cargo bench --bench tasks`
//!
//! Each graph's answer is checked before it is timed. Figures are nanoseconds of processor time a task, the best of
//! several runs: to build the graph, to order it, and to run it (order included) with one thread and with two.

use aosx::{
    budget::Budget,
    delayed::{Graph, Handle, Task, named},
    engine::{Executor, Future},
    events::Silent,
    units::Bytes,
};
use std::{
    hint::black_box,
    sync::{Arc, atomic::AtomicBool},
};

const TASKS: u64 = 100_000;
const ROUNDS: usize = 7;

/// A graph, the task to ask for, and its answer.
type Made = (Graph, Task<u64>, u64);

fn chain(memory: Bytes) -> Made {
    let mut graph = Graph::new();
    let mut last = graph.value("0", 0);
    for _ in 1..TASKS {
        last = graph.task(named("next").memory(memory), &last, |n| Ok(n + 1));
    }
    (graph, last, TASKS - 1)
}

/// A tree of sums of eight over many sources, and one task that takes as many inputs at once.
fn tree(memory: Bytes) -> Made {
    let mut graph = Graph::new();
    let sources = TASKS * 7 / 8;
    let mut level: Vec<Task<u64>> =
        (0..sources).map(|n| graph.task(named("source").memory(memory), (), move |()| Ok(n))).collect();
    let wide = graph.task("wide", &level, |all| Ok(all.iter().sum::<u64>()));
    while level.len() > 1 {
        let sum = |few: &[Task<u64>]| graph.task(named("sum").memory(memory), few, |few| Ok(few.iter().sum::<u64>()));
        level = level.chunks(8).map(sum).collect();
    }
    let both = graph.task("both", (&wide, &level[0]), |(a, b)| Ok(a + b));
    (graph, both, sources * (sources - 1))
}

/// Up to three inputs among the thousand before.
fn random(memory: Bytes) -> Made {
    let mut graph = Graph::new();
    let (mut tasks, mut values): (Vec<Task<u64>>, Vec<u64>) = (vec![graph.value("0", 1)], vec![1]);
    let mut dice = 1u64;
    for n in 1..TASKS as usize {
        let places = [0; 3].map(|_| {
            dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            n - 1 - (dice >> 33) as usize % n.min(1000)
        });
        let inputs = places.map(|place| tasks[place]);
        tasks.push(
            graph.task(named("n").memory(memory), &inputs, |v| Ok(v.iter().fold(1, |s, x| s ^ x.rotate_left(1)))),
        );
        values.push(places.iter().fold(1, |s, &p| s ^ values[p].rotate_left(1)));
    }
    (graph, tasks[tasks.len() - 1], values[values.len() - 1])
}

fn executor(threads: usize) -> Executor {
    Executor {
        budget: Budget::new(Bytes(1 << 40)),
        threads,
        observer: Arc::new(Silent),
        stop: Arc::new(AtomicBool::new(false)),
        spill: Arc::default(),
    }
}

/// What all threads of this process have used, in nanoseconds. Other processes on the machine hardly change it.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `time`, which is there.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn best(mut work: impl FnMut()) -> f64 {
    let once = |_| {
        let since = processor_time();
        work();
        processor_time() - since
    };
    (0..ROUNDS).map(once).fold(f64::INFINITY, f64::min)
}

fn time(name: &str, make: impl Fn() -> Made) {
    let (graph, wanted, answer) = make();
    let order = graph.order(&[wanted.id()]).unwrap();
    let tasks = order.len() as f64;
    let run = |threads: usize| {
        let executor = executor(threads);
        let answers = || executor.run_tasks(&graph, &graph.order(&[wanted.id()]).unwrap()).unwrap();
        assert_eq!(answers()[0].downcast_ref(), Some(&answer), "{name}");
        best(|| drop(black_box(answers()))) / tasks
    };
    let (one, two) = (run(1), run(2));
    let built = best(|| drop(black_box(make()))) / graph.len() as f64;
    let ordered = best(|| drop(black_box(graph.order(&[wanted.id()])))) / tasks;
    println!(
        "{name:<22} {tasks:>7} tasks: build {built:>5.0}  order {ordered:>5.0}  run {one:>5.0}  run/2 {two:>5.0} ns"
    );
}

/// Each future takes the one before, and the caller waits for the last.
fn futures(threads: usize) {
    let client = executor(threads).client().unwrap();
    let chain = || {
        let mut last: Future<u64> = client.value("0", 0);
        for _ in 1..TASKS {
            last = client.submit("next", &last, |n| Ok(n + 1));
        }
        *last.result().unwrap()
    };
    assert_eq!(chain(), TASKS - 1);
    let many = || {
        let all: Vec<_> = (0..TASKS).map(|n| client.submit("n", (), move |()| Ok(n))).collect();
        *client.submit("sum", &all, |all| Ok(all.iter().sum::<u64>())).result().unwrap()
    };
    assert_eq!(many(), TASKS * (TASKS - 1) / 2);
    let [chain, many] = [best(|| _ = black_box(chain())), best(|| _ = black_box(many()))].map(|ns| ns / TASKS as f64);
    println!("futures, {threads} workers     {TASKS:>7} tasks: chain {chain:>5.0}  sum of many {many:>5.0} ns");
}

fn main() {
    for (memory, what) in [(Bytes(0), ""), (Bytes(64), ", leased")] {
        time(&format!("chain{what}"), || chain(memory));
        time(&format!("tree{what}"), || tree(memory));
        time(&format!("random{what}"), || random(memory));
    }
    futures(1);
    futures(2);
}
