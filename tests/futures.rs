//! Tasks that are submitted one by one.

use aosx::{
    budget::Budget,
    delayed::named,
    engine::{Client, Executor, Future, as_completed},
    error::{Error, Problem, Result},
    events::Silent,
    units::Bytes,
};
use std::{
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::SeqCst},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

fn executor(limit: u64, threads: usize) -> Executor {
    Executor {
        budget: Budget::new(Bytes(limit)),
        threads,
        observer: Arc::new(Silent),
        stop: Arc::new(AtomicBool::new(false)),
        spill: Arc::default(),
    }
}

fn client(limit: u64, threads: usize) -> (Client, Budget) {
    let executor = executor(limit, threads);
    (executor.client().unwrap(), executor.budget)
}

/// A task that begins, says so, and ends when it is told to.
fn held(client: &Client, name: &'static str) -> (Future<()>, Receiver<()>, Sender<()>) {
    let ((says, begun), (go, told)) = (channel(), channel());
    let (says, told) = (Mutex::new(says), Mutex::new(told));
    let future = client.submit(name, (), move |()| {
        says.lock().unwrap().send(()).unwrap();
        let _ = told.lock().unwrap().recv();
        Ok(())
    });
    (future, begun, go)
}

struct Counted(i64, Arc<AtomicI64>);

impl Counted {
    fn new(n: i64, alive: &Arc<AtomicI64>) -> Counted {
        alive.fetch_add(1, SeqCst);
        Counted(n, alive.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, SeqCst);
    }
}

#[test]
fn futures_are_inputs_of_others() {
    for threads in [1, 2, 4] {
        let (client, budget) = client(1000, threads);
        let base = client.value("base", 100);
        let squares: Vec<_> = (0..50).map(|n| client.submit(format!("{n}"), &base, move |b| Ok(b + n * n))).collect();
        let sum = client.submit(named("sum").memory(Bytes(8)), &squares, |s| Ok(s.iter().sum::<i32>()));
        let both = client.submit("both", (&sum, &base), |(s, b)| Ok((*s, *b)));
        drop(squares);
        assert_eq!(*both.result().unwrap(), (45_425, 100));
        assert!(both.done() && sum.done() && both.clone().done());
        assert_eq!(format!("{both:?}"), "Future(done)");
        assert_eq!(budget.held(), Bytes(8), "as long as the future is there");
        drop(sum);
        assert_eq!(budget.held(), Bytes(0));
        assert_eq!(both.result().unwrap().0, 45_425);
    }
}

#[test]
fn random_graphs_of_futures() {
    for (threads, limit) in [(1, 2000), (2, 2000), (4, 100_000)] {
        let (client, budget) = client(limit, threads);
        let alive = Arc::new(AtomicI64::new(0));
        let runs = Arc::new(AtomicU32::new(0));
        let (mut recent, mut expected): (Vec<Future<Counted>>, Vec<i64>) = Default::default();
        let mut dice = 1u64;
        let mut roll = |n: usize| {
            dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (dice >> 33) as usize % n
        };
        for n in 0..20_000 {
            let places: Vec<usize> = (0..roll(3).min(recent.len())).map(|_| roll(recent.len())).collect();
            let inputs: Vec<_> = places.iter().map(|&p| recent[p].clone()).collect();
            let (of, runs) = (alive.clone(), runs.clone());
            let name = named("n").memory(Bytes(roll(20) as u64)).result_memory(Bytes(roll(10) as u64));
            let future = client.submit(name, &inputs, move |values| {
                runs.fetch_add(1, SeqCst);
                Ok(Counted::new(n + values.iter().fold(0, |sum, v| (sum * 7 + v.0) % 1_000_003), &of))
            });
            let value = n + places.iter().fold(0, |sum, &p| (sum * 7 + expected[p]) % 1_000_003);
            recent.push(future);
            expected.push(value);
            if recent.len() > 30 {
                let last = recent.swap_remove(0);
                assert_eq!(last.result().unwrap().0, expected.swap_remove(0), "{threads} threads, task {n}");
            }
        }
        for (future, expected) in recent.drain(..).zip(&expected) {
            assert_eq!(future.result().unwrap().0, *expected);
        }
        assert_eq!(runs.load(SeqCst), 20_000);
        drop(client);
        assert_eq!((alive.load(SeqCst), budget.held()), (0, Bytes(0)));
        assert!(budget.peak() <= Bytes(limit));
    }
}

#[test]
fn failures_and_cancellations_go_to_all_that_take_the_result() {
    let (client, budget) = client(100, 1);
    let (holding, begun, go) = held(&client, "holding");
    begun.recv().unwrap();
    let bad = client.submit("bad", (), |()| -> Result<i32> { panic!("no") });
    let behind = client.submit(named("behind").memory(Bytes(50)), &bad, |x| Ok(x + 1));
    let last = client.submit("last", (&behind, &bad), |(x, _)| Ok(x + 1));
    let gone = client.submit(named("gone").memory(Bytes(50)), (), |()| Ok(1));
    let after = client.submit("after", &gone, |x| Ok(x + 1));
    assert!(gone.cancel() && !gone.cancel(), "once");
    assert!(after.done() && !last.done());
    go.send(()).unwrap();
    holding.result().unwrap();
    let said = |future: &Future<i32>| future.result().err().unwrap().to_string();
    assert_eq!(said(&after), "task 'after' <- 'gone': cancelled");
    assert_eq!(said(&behind), "task 'behind' <- 'bad': panicked: no");
    assert!(said(&last).ends_with("'bad': panicked: no"), "{}", said(&last));
    let late = client.submit("late", &last, |x| Ok(*x));
    assert!(said(&late).starts_with("task 'late' <- 'last' <- "), "{}", said(&late));
    assert_eq!(budget.held(), Bytes(0));
}

#[test]
fn a_task_that_runs_is_told_and_its_result_dropped() {
    let (client, budget) = client(100, 1);
    let alive = Arc::new(AtomicI64::new(0));
    let of = alive.clone();
    let (says, begun) = channel();
    let says = Mutex::new(says);
    let long = client.submit_in_context(named("long").memory(Bytes(10)).retries(9), (), move |context, ()| {
        says.lock().unwrap().send(()).unwrap();
        while !context.stopped() {
            std::thread::yield_now();
        }
        Ok(Counted::new(1, &of))
    });
    begun.recv().unwrap();
    let next = client.submit("next", &long, |_| Ok(()));
    assert!(long.cancel());
    assert_eq!(long.result().err().unwrap().to_string(), "task 'long': cancelled");
    assert_eq!(next.result().err().unwrap().to_string(), "task 'next' <- 'long': cancelled");
    assert_eq!(*client.submit("other", (), |()| Ok(5)).result().unwrap(), 5, "the worker is free again");
    assert_eq!((alive.load(SeqCst), budget.held()), (0, Bytes(0)));
}

#[test]
fn what_nobody_can_ask_for_is_skipped() {
    let (client, _) = client(100, 1);
    let (holding, begun, go) = held(&client, "holding");
    begun.recv().unwrap();
    let runs = Arc::new(AtomicU32::new(0));
    let task = |input: Option<&Future<u32>>| {
        let runs = runs.clone();
        match input {
            None => client.submit("source", (), move |()| Ok(runs.fetch_add(1, SeqCst))),
            Some(input) => client.submit("sink", input, move |_| Ok(runs.fetch_add(1, SeqCst))),
        }
    };
    let wanted = task(None);
    let kept = task(Some(&wanted));
    drop(wanted);
    let source = task(None);
    let copy = source.clone();
    let sink = task(Some(&source));
    drop((source, copy, sink));
    // Their places go to others, which must not be taken for them.
    let others: Vec<_> = (0..4).map(|_| task(None)).collect();
    go.send(()).unwrap();
    holding.result().unwrap();
    kept.result().unwrap();
    others.iter().for_each(|other| assert!(other.result().is_ok()));
    assert_eq!(runs.load(SeqCst), 6);
}

#[test]
fn completed_futures_come_in_the_order_in_which_they_ended() {
    let (client, _) = client(100, 3);
    let held: Vec<_> = ["a", "b", "c"].map(|name| held(&client, name)).into();
    let mut gates = Vec::new();
    let mut futures = Vec::new();
    for (future, begun, go) in held {
        begun.recv().unwrap();
        futures.push(future);
        gates.push(go);
    }
    let named: Vec<_> = futures.iter().enumerate().map(|(n, f)| client.submit("n", f, move |()| Ok(n))).collect();
    gates[1].send(()).unwrap();
    assert_eq!(*named[1].result().unwrap(), 1);
    let failed = client.submit("failed", (), |()| Err(Error::usage("no")));
    assert!(failed.result().is_err());
    let order = as_completed(vec![named[0].clone(), failed, named[2].clone(), named[1].clone()]);
    assert_eq!(order.len(), 4);
    let mut seen = Vec::new();
    for (n, future) in order.enumerate() {
        assert!(future.done());
        seen.push(future.result().map(|n| *n).ok());
        match n {
            1 => gates[2].send(()).unwrap(),
            2 => gates[0].send(()).unwrap(),
            _ => {}
        }
    }
    assert_eq!(seen, [Some(1), None, Some(2), Some(0)]);
    assert_eq!(as_completed(Vec::<Future<u8>>::new()).count(), 0);
}

#[test]
fn tasks_begin_at_once_and_together() {
    let (client, _) = client(0, 2);
    let barrier = Arc::new(Barrier::new(3));
    let pair = [(); 2].map(|()| {
        let barrier = barrier.clone();
        client.submit("meet", (), move |()| Ok(barrier.wait().is_leader()))
    });
    barrier.wait();
    assert!(pair.iter().all(|future| future.result().is_ok()));
}

#[test]
fn a_pipeline_larger_than_memory_streams() {
    for threads in [1, 2, 4] {
        let (client, budget) = client(100, threads);
        let loads: Vec<_> =
            (0..200).map(|n| client.submit(named("load").memory(Bytes(20)), (), move |()| Ok(n))).collect();
        let work = named("work").memory(Bytes(40)).result_memory(Bytes(0));
        let sums: Vec<_> = loads.iter().map(|load| client.submit(work.clone(), load, |n| Ok(n * 2))).collect();
        drop(loads);
        let total: i32 = as_completed(sums).map(|future| *future.result().unwrap()).sum();
        assert_eq!(total, 39_800);
        assert_eq!(budget.held(), Bytes(0), "memory is back before anybody hears that a task has ended");
        assert!(budget.peak() <= Bytes(100));
    }
}

/// Only one result fits at a time: each task begins when the user has dropped the result before.
#[test]
fn a_loop_that_drops_results_gives_the_next_their_room() {
    for threads in [1, 2] {
        let (client, budget) = client(100, threads);
        let loads: Vec<_> =
            (0..500).map(|n| client.submit(named("load").memory(Bytes(90)), (), move |()| Ok(n))).collect();
        let mut seen = 0;
        for future in as_completed(loads) {
            seen += *future.result().unwrap();
        }
        assert_eq!((seen, budget.held()), (499 * 250, Bytes(0)));
    }
}

#[test]
fn results_that_are_held_make_room_when_they_go_or_an_error_says_so() {
    let (client, budget) = client(100, 2);
    let first = client.submit(named("first").memory(Bytes(60)), (), |()| Ok(1));
    assert_eq!(*first.result().unwrap(), 1);
    let second = client.submit(named("second").memory(Bytes(50)), (), |()| Ok(2));
    let error = second.result().err().unwrap();
    assert!(error.to_string().contains("'second' beside the results that futures hold needs at least 110B"), "{error}");

    let third = client.submit(named("third").memory(Bytes(50)), (), |()| Ok(3));
    std::thread::sleep(Duration::from_millis(30));
    assert!(!third.done(), "nobody waits for it yet, so it may still come to fit");
    drop(first);
    assert_eq!(*third.result().unwrap(), 3);

    let never = client.submit(named("never").memory(Bytes(101)), (), |()| Ok(4)).result().err().unwrap();
    assert!(never.to_string().contains("'never' needs at least 101B"), "{never}");
    drop(third);
    assert_eq!(budget.held(), Bytes(0));
}

#[test]
fn a_client_that_goes_leaves_nothing_behind() {
    for round in 0..20 {
        let (client, budget) = client(100, 2);
        let alive = Arc::new(AtomicI64::new(0));
        let mut futures = Vec::new();
        for n in 0..200 {
            let of = alive.clone();
            let task = named("n").memory(Bytes(30)).result_memory(Bytes(0));
            let value = move |()| Ok(Counted::new(n, &of));
            futures.push(client.submit(task, (), value));
        }
        if round % 2 == 0 {
            futures[round].result().unwrap();
        }
        drop(client);
        assert!(futures.iter().all(|future| future.done()));
        assert_eq!(budget.held(), Bytes(0));
        let ended = futures.iter().filter(|f| f.result().is_ok()).count();
        assert_eq!(alive.load(SeqCst), ended as i64);
        drop(futures);
        assert_eq!(alive.load(SeqCst), 0);
    }
}

#[test]
fn long_chains_of_futures_and_their_failure_need_no_stack() {
    let (client, _) = client(0, 1);
    let (holding, begun, go) = held(&client, "holding");
    begun.recv().unwrap();
    let bad = client.submit("bad", &holding, |_| Err::<i32, _>(Error::usage("no")));
    let good = client.submit("good", &holding, |_| Ok(0));
    let chain = |mut last: Future<i32>| {
        for _ in 0..100_000 {
            last = client.submit("next", &last, |n| Ok(n + 1));
        }
        last
    };
    let (bad, skipped, good) = (chain(bad), chain(good.clone()), chain(good));
    drop(skipped);
    go.send(()).unwrap();
    assert!(matches!(bad.result().err().unwrap().problem(), Problem::Task { path, .. } if path.len() == 100_001));
    assert_eq!(*good.result().unwrap(), 100_000);
}

#[test]
fn mistakes_and_the_stop_flag() {
    let (one, other) = (client(10, 1).0, client(10, 1).0);
    let a = one.value("a", 1);
    let error = other.submit("b", &a, |a| Ok(*a)).result().err().unwrap();
    assert!(error.to_string().contains("task 'b' belongs to another client"), "{error}");

    let executor = executor(10, 1);
    let client = executor.client().unwrap();
    let (holding, begun, go) = held(&client, "holding");
    begun.recv().unwrap();
    let behind = client.submit("behind", &holding, |()| Ok(()));
    let waiting = client.submit("waiting", (), |()| Ok(()));
    executor.stop.store(true, SeqCst);
    go.send(()).unwrap();
    for future in [behind, waiting, client.submit("late", (), |()| Ok(()))] {
        let error = future.result().err().unwrap();
        assert!(matches!(error.problem(), Problem::Task { cause, .. } if matches!(cause.problem(), Problem::Stopped)));
    }
}

#[test]
fn cancelling_failing_and_dropping_at_random_leaves_nothing_behind() {
    for round in 0..40u64 {
        let (client, budget) = client(400, 1 + round as usize % 3);
        let alive = Arc::new(AtomicI64::new(0));
        let mut dice = round + 1;
        let mut roll = move |n: usize| {
            dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (dice >> 33) as usize % n
        };
        let mut recent: Vec<Future<Counted>> = Vec::new();
        for n in 0..600 {
            let inputs: Vec<_> = (0..roll(4).min(recent.len())).map(|_| recent[roll(recent.len())].clone()).collect();
            let (of, fails) = (alive.clone(), roll(40));
            let name = named("n").memory(Bytes(roll(40) as u64)).result_memory(Bytes(roll(12) as u64));
            recent.push(client.submit(name.retries(1), &inputs, move |_| match fails {
                0 => Err(Error::usage("no")),
                1 => panic!("no"),
                _ => Ok(Counted::new(n, &of)),
            }));
            match roll(8) {
                0 => _ = recent[roll(recent.len())].cancel(),
                1 => _ = recent[roll(recent.len())].result(),
                _ => {}
            }
            if recent.len() > 20 {
                recent.swap_remove(roll(recent.len()));
            }
        }
        if round % 2 == 0 {
            assert_eq!(as_completed(recent.drain(..)).filter(|future| future.done()).count(), 20);
        }
        drop(client);
        drop(recent);
        assert_eq!((alive.load(SeqCst), budget.held()), (0, Bytes(0)), "round {round}");
    }
}

#[test]
fn any_thread_may_submit_and_wait() {
    let (client, _) = client(0, 2);
    let (client, base) = (&client, client.value("base", 1));
    std::thread::scope(|scope| {
        for t in 0..4u64 {
            let base = base.clone();
            scope.spawn(move || {
                let all: Vec<_> = (0..1000).map(|n| client.submit("n", &base, move |b| Ok(n * t + b))).collect();
                let sum = client.submit("sum", &all, |all| Ok(all.iter().sum::<u64>()));
                assert_eq!(*sum.result().unwrap(), 499_500 * t + 1000);
            });
        }
    });
}

/// What users made is dropped when nothing is locked: here it calls the client itself.
#[test]
fn values_functions_and_errors_may_hold_futures() {
    #[derive(Debug)]
    struct Holds(Future<i32>);
    impl std::fmt::Display for Holds {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{:?}", self.0)
        }
    }
    impl std::error::Error for Holds {}
    let (client, budget) = client(10, 1);
    let one = client.submit(named("one").memory(Bytes(4)), (), |()| Ok(1));
    let in_value = one.clone();
    let value = client.submit("value", (), move |()| Ok(in_value.clone()));
    let in_error = one.clone();
    let error = client.submit("error", &value, move |_| Err::<(), _>(Error::function(Holds(in_error.clone()))));
    assert!(error.result().err().unwrap().to_string().starts_with("task 'error': Future("));
    assert_eq!(*value.result().unwrap().result().unwrap(), 1);
    drop((one, value, error));
    drop(client);
    assert_eq!(budget.held(), Bytes(0));
}
