//! Graphs built by hand, and futures.

use super::check;
use aosx::{
    budget::Budget,
    delayed::{Inputs, Kind, TaskId},
    engine::Executor,
    error::{Error, Problem, Result},
    events::Silent,
    prelude::{Graph, Task, as_completed, named},
    sync::{Arc, atomic::AtomicBool, thread},
    units::Bytes,
};

const SCHEDULES: usize = 300;

fn executor(limit: u64, threads: usize) -> Executor {
    let stop = Arc::new(AtomicBool::new(false));
    Executor { budget: Budget::new(Bytes(limit)), threads, observer: Arc::new(Silent), stop, spill: Arc::default() }
}

fn run<I: Inputs<TaskId>>(executor: &Executor, graph: &Graph, wanted: I) -> Result<<I::Kind as Kind>::Results> {
    let mut ids = Vec::new();
    let kind = wanted.gather(&mut ids);
    Ok(kind.own(&mut executor.run_tasks(graph, &graph.order(&ids)?)?.into_iter()))
}

/// Pairs of sources that are added, and the sum of the sums; `fails` says which of the sources does.
fn graph(fails: Option<u64>) -> (Graph, Task<u64>) {
    let mut graph = Graph::new();
    let mut sums = Vec::new();
    for pair in 0..3u64 {
        let mut of = |n: u64| {
            let declared = named(format!("x{n}")).memory(Bytes(40)).result_memory(Bytes(10));
            graph.task(declared, (), move |()| {
                thread::yield_now();
                if fails == Some(n) { Err(Error::usage("a bad source")) } else { Ok(n) }
            })
        };
        let (a, b) = (of(2 * pair), of(2 * pair + 1));
        let declared = named(format!("sum{pair}")).memory(Bytes(20)).result_memory(Bytes(10));
        sums.push(graph.task(declared, (&a, &b), |(a, b)| Ok(a + b)));
    }
    let all = graph.task("all", &sums, |sums| Ok(sums.iter().copied().sum::<u64>()));
    (graph, all)
}

#[test]
fn a_graph_in_its_least_memory_ends_whatever_the_order() {
    check(SCHEDULES, || {
        let (graph, all) = graph(None);
        let mut ids = Vec::new();
        (&all).gather(&mut ids);
        let least = graph.order(&ids).unwrap().least().0;
        for limit in [least, least + 30, 1 << 20] {
            let executor = executor(limit, 3);
            assert_eq!(*run(&executor, &graph, &all).unwrap(), 15);
            assert_eq!(executor.budget.held(), Bytes(0));
            assert!(executor.budget.peak().0 <= limit);
        }
    });
}

#[test]
fn a_task_that_fails_ends_the_graph() {
    check(SCHEDULES, || {
        let (graph, all) = graph(Some(3));
        let executor = executor(100, 3);
        let error = run(&executor, &graph, &all).unwrap_err();
        assert!(error.to_string().contains("a bad source"), "{error}");
        assert_eq!(executor.budget.held(), Bytes(0));
    });
}

#[test]
fn futures_from_two_threads_are_all_served() {
    check(SCHEDULES, || {
        let executor = executor(100, 2);
        let client = Arc::new(executor.client().unwrap());
        let user = |from: u64| {
            let client = client.clone();
            thread::spawn(move || {
                let declared = || named("x").memory(Bytes(30)).result_memory(Bytes(10));
                let parts: Vec<_> = (from..from + 3).map(|n| client.submit(declared(), (), move |()| Ok(n))).collect();
                let sum = client.submit(declared(), &parts, |parts| Ok(parts.iter().copied().sum::<u64>()));
                drop(parts);
                *sum.result().unwrap()
            })
        };
        let (one, other) = (user(0), user(10));
        assert_eq!((one.join().unwrap(), other.join().unwrap()), (3, 33));
        drop(client);
        assert_eq!(executor.budget.held(), Bytes(0));
        assert!(executor.budget.peak().0 <= 100);
    });
}

#[test]
fn a_client_that_goes_early_leaves_nobody_waiting() {
    check(SCHEDULES, || {
        let executor = executor(100, 2);
        let client = executor.client().unwrap();
        let submit = |n: u64| {
            let declared = named(format!("x{n}")).memory(Bytes(60));
            client.submit(declared, (), move |()| if n == 2 { Err(Error::usage("a bad task")) } else { Ok(n) })
        };
        let futures: Vec<_> = (0..4).map(submit).collect();
        let waits = {
            let last = futures[3].clone();
            thread::spawn(move || last.result().map(|n| *n))
        };
        let middle = futures[1].clone();
        let cancels = thread::spawn(move || middle.cancel());
        drop(client);
        cancels.join().unwrap();
        match waits.join().unwrap() {
            Ok(n) => assert_eq!(n, 3),
            Err(error) => assert!(matches!(error.problem(), Problem::Task { .. }), "{error}"),
        }
        let ended: Vec<_> = as_completed(futures).map(|future| future.result().map(|n| *n)).collect();
        assert_eq!(ended.len(), 4);
        assert_eq!(executor.budget.held(), Bytes(0));
    });
}
