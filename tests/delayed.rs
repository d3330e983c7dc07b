//! Laws of graphs that are built by hand: each task runs once, memory holds, nothing is left behind.

use aosx::{
    budget::Budget,
    delayed::{Graph, Handle, Inputs, Kind, Named, Task, TaskId, named},
    engine::Executor,
    error::{Error, Problem, Result},
    events::Silent,
    session::Session,
    units::Bytes,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::SeqCst},
};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % n
    }
}

/// How many values live now, and how many bytes tasks and values hold by what they declared.
#[derive(Default, Clone)]
struct Alive(Arc<Gauge>);

#[derive(Default)]
struct Gauge {
    values: AtomicI64,
    bytes: AtomicI64,
    most_bytes: AtomicI64,
}

impl Alive {
    fn now(&self) -> i64 {
        self.0.values.load(SeqCst)
    }

    fn value(&self, number: u64) -> Counted {
        self.heavy(number, 0)
    }

    /// A value of so many bytes.
    fn heavy(&self, number: u64, bytes: i64) -> Counted {
        self.0.values.fetch_add(1, SeqCst);
        Counted { number, bytes, alive: self.clone() }
    }

    fn add(&self, bytes: i64) {
        let now = self.0.bytes.fetch_add(bytes, SeqCst) + bytes;
        self.0.most_bytes.fetch_max(now, SeqCst);
    }
}

/// A value that says when it is dropped.
struct Counted {
    number: u64,
    bytes: i64,
    alive: Alive,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.0.values.fetch_sub(1, SeqCst);
        self.alive.add(-self.bytes);
    }
}

fn executor(limit: u64, threads: usize) -> Executor {
    Executor {
        budget: Budget::new(Bytes(limit)),
        threads,
        observer: Arc::new(Silent),
        stop: Arc::new(AtomicBool::new(false)),
        spill: Arc::default(),
    }
}

/// As `Session::run`, with a budget to look at.
fn run<I: Inputs<TaskId>>(executor: &Executor, graph: &Graph, wanted: I) -> Result<<I::Kind as Kind>::Results> {
    let mut ids = Vec::new();
    let kind = wanted.gather(&mut ids);
    Ok(kind.own(&mut executor.run_tasks(graph, &graph.order(&ids)?)?.into_iter()))
}

/// What a random graph is made of.
struct Shape {
    tasks: usize,
    /// How far back inputs may lie; few make many short branches, many make wide ones.
    reach: u64,
    memory: bool,
}

/// A random graph, what each task must give, and how often each ran.
struct Random {
    graph: Graph,
    tasks: Vec<Task<Counted>>,
    expected: Vec<u64>,
    runs: Arc<Vec<AtomicU32>>,
    alive: Alive,
    /// Tells, if it is not the number of tasks, which task fails.
    fails: Arc<AtomicU64>,
}

fn mix(n: u64, inputs: impl Iterator<Item = u64>) -> u64 {
    inputs.fold(n, |sum, x| sum.wrapping_mul(31).wrapping_add(x).rotate_left(7))
}

fn random(seed: u64, shape: &Shape) -> Random {
    let mut dice = Dice(seed);
    let runs: Arc<Vec<AtomicU32>> = Arc::new((0..shape.tasks).map(|_| AtomicU32::new(0)).collect());
    let mut out = Random {
        graph: Graph::new(),
        tasks: Vec::new(),
        expected: Vec::new(),
        runs: runs.clone(),
        alive: Alive::default(),
        fails: Arc::new(AtomicU64::new(u64::MAX)),
    };
    for n in 0..shape.tasks as u64 {
        let count = if n == 0 { 0 } else { dice.below(4) };
        let places: Vec<usize> = (0..count).map(|_| (n - 1 - dice.below(shape.reach.min(n))) as usize).collect();
        let inputs: Vec<Task<Counted>> = places.iter().map(|&place| out.tasks[place]).collect();
        out.expected.push(mix(n, places.iter().map(|&place| out.expected[place])));
        let mut name: Named = named(format!("n{n}"));
        let (mut need, mut kept) = (0, 0);
        if shape.memory && dice.below(3) > 0 {
            (need, kept) = (dice.below(1000), dice.below(300));
            name = name.memory(Bytes(need)).result_memory(Bytes(kept));
            need = need.max(kept);
        }
        let (need, kept) = (need as i64, kept as i64);
        let (alive, runs, fails) = (out.alive.clone(), runs.clone(), out.fails.clone());
        out.tasks.push(out.graph.task(name, &inputs, move |values| {
            runs[n as usize].fetch_add(1, SeqCst);
            alive.add(need);
            if fails.load(SeqCst) == n {
                alive.add(-need);
                return Err(Error::usage("thrown"));
            }
            let value = alive.heavy(mix(n, values.iter().map(|v| v.number)), kept);
            alive.add(kept - need);
            Ok(value)
        }));
    }
    out
}

impl Random {
    /// The last tasks, and with them what they need.
    fn wanted(&self) -> &[Task<Counted>] {
        &self.tasks[self.tasks.len().saturating_sub(20)..]
    }

    fn needed(&self) -> Vec<bool> {
        let ids: Vec<TaskId> = self.wanted().iter().map(Handle::id).collect();
        let order = self.graph.order(&ids).unwrap();
        let mut needed = vec![false; self.tasks.len()];
        order.tasks().for_each(|task| needed[task] = true);
        needed
    }

    fn least(&self) -> u64 {
        let ids: Vec<TaskId> = self.wanted().iter().map(Handle::id).collect();
        self.graph.order(&ids).unwrap().least().0
    }

    fn reset(&self) {
        self.runs.iter().for_each(|runs| runs.store(0, SeqCst));
    }
}

#[test]
fn each_task_runs_once_and_gives_what_a_sequential_evaluation_gives() {
    for (seed, reach, memory) in [(1, 20, false), (2, 1000, false), (3, 100_000, false), (4, 50, true)] {
        let random = random(seed, &Shape { tasks: 100_000, reach, memory });
        let needed = random.needed();
        for threads in [1, 2, 4] {
            random.reset();
            let executor = executor(if memory { random.least() } else { 0 }, threads);
            let values = run(&executor, &random.graph, random.wanted()).unwrap();
            for (value, expected) in values.iter().zip(&random.expected[100_000 - 20..]) {
                assert_eq!(value.number, *expected, "seed {seed}, {threads} threads");
            }
            for (n, runs) in random.runs.iter().enumerate() {
                assert_eq!(runs.load(SeqCst), u32::from(needed[n]), "seed {seed}, task {n}");
            }
            assert_eq!(random.alive.now(), 20, "only what was asked for is left");
            assert_eq!(executor.budget.held(), Bytes(0));
            drop(values);
            assert_eq!(random.alive.now(), 0);
        }
    }
}

#[test]
fn any_limit_from_the_least_on_does_and_is_never_exceeded() {
    for seed in 0..60 {
        let random = random(100 + seed, &Shape { tasks: 400, reach: 5 + seed * 3, memory: true });
        let least = random.least();
        for (limit, threads) in [(least, 1), (least, 4), (least + least / 8, 2), (least * 3 / 2, 4), (least * 20, 2)] {
            let executor = executor(limit, threads);
            let values = run(&executor, &random.graph, random.wanted()).unwrap();
            assert!(values.iter().zip(&random.expected[380..]).all(|(v, e)| v.number == *e));
            assert_eq!(executor.budget.held(), Bytes(0));
            drop(values);
            assert_eq!((random.alive.now(), random.alive.0.bytes.load(SeqCst)), (0, 0));
            // What tasks and values really held, counted by themselves.
            let most = random.alive.0.most_bytes.swap(0, SeqCst) as u64;
            assert!(most <= limit, "seed {seed}, {threads} threads: {most} of {limit}");
            assert!(most <= executor.budget.peak().0 && executor.budget.peak() <= Bytes(limit));
            if threads == 1 {
                assert_eq!((most, executor.budget.peak()), (least, Bytes(least)), "the least is exact");
            }
        }
        let error = run(&executor(least - 1, 2), &random.graph, random.wanted()).err().unwrap();
        assert!(
            matches!(error.problem(), Problem::BudgetTooSmall { need, .. } if *need == Bytes(least)),
            "seed {seed}: {error}"
        );
    }
}

#[test]
fn an_error_at_any_task_names_it_and_leaves_nothing_behind() {
    for seed in 0..60 {
        let random = random(200 + seed, &Shape { tasks: 500, reach: 30, memory: true });
        let needed = random.needed();
        let mut at = Dice(seed).below(500);
        while !needed[at as usize] {
            at = (at + 1) % 500;
        }
        random.fails.store(at, SeqCst);
        let executor = executor(random.least() * (1 + seed % 3), 1 + seed as usize % 4);
        let error = run(&executor, &random.graph, random.wanted()).err().unwrap();
        let Problem::Task { path, cause } = error.problem() else { panic!("{error}") };
        assert_eq!(path.last(), Some(&format!("n{at}")));
        assert!(random.wanted().iter().any(|task| format!("Task({})", &path[0][1..]) == format!("{task:?}")));
        assert_eq!(cause.to_string(), "thrown");
        assert_eq!((random.alive.now(), executor.budget.held()), (0, Bytes(0)), "seed {seed}");
        // The same graph runs again.
        random.fails.store(u64::MAX, SeqCst);
        assert!(run(&executor, &random.graph, random.wanted()).is_ok());
    }
}

#[test]
fn stopping_at_any_moment_leaves_nothing_behind() {
    for seed in 0..30 {
        let random = random(300 + seed, &Shape { tasks: 20_000, reach: 200, memory: true });
        let executor = executor(random.least() * 2, 1 + seed as usize % 3);
        let stop = executor.stop.clone();
        let runs = random.runs.clone();
        let after = Dice(seed).below(20_000) as usize;
        let outcome = std::thread::scope(|scope| {
            scope.spawn(move || {
                let since = std::time::Instant::now();
                while runs[after].load(SeqCst) == 0 && since.elapsed().as_millis() < 50 {
                    std::thread::yield_now();
                }
                stop.store(true, SeqCst);
            });
            run(&executor, &random.graph, random.wanted())
        });
        match outcome {
            Ok(values) => assert_eq!(values.len(), 20),
            Err(error) => assert!(matches!(error.problem(), Problem::Stopped), "{error}"),
        }
        assert_eq!((random.alive.now(), executor.budget.held()), (0, Bytes(0)), "seed {seed}");
    }
}

#[test]
fn a_chain_of_any_length_needs_no_stack() {
    for threads in [1, 2] {
        let mut graph = Graph::new();
        let alive = Alive::default();
        let of = alive.clone();
        let mut last = graph.task(named("first").memory(Bytes(8)), (), move |()| Ok(of.value(0)));
        for _ in 0..100_000 {
            let of = alive.clone();
            last = graph.task(named("next").memory(Bytes(8)), &last, move |n| {
                assert!(of.now() <= 2, "a result goes when the next has it");
                Ok(of.value(n.number + 1))
            });
        }
        let executor = executor(16, threads);
        assert_eq!(run(&executor, &graph, &last).unwrap().number, 100_000);
        assert_eq!((executor.budget.peak(), alive.now()), (Bytes(16), 0));

        // And an error at its far end comes through.
        let broken = graph.task("broken", (), |()| Err::<f64, _>(Error::usage("no")));
        let mut last = broken;
        for _ in 0..100_000 {
            last = graph.task("next", &last, |n| Ok(*n));
        }
        let error = run(&executor, &graph, &last).err().unwrap();
        assert!(error.to_string().ends_with("<- 'broken': no"), "{error}");
        assert!(matches!(error.problem(), Problem::Task { path, .. } if path.len() == 100_001));
    }
}

#[test]
fn diamonds_doubles_nests_and_nothing() {
    let session = Session::new().threads(2);
    let mut graph = Graph::new();
    assert!(graph.is_empty());
    session.run(&graph, ()).unwrap();
    assert!(session.run(&graph, &[] as &[Task<f64>]).unwrap().is_empty());

    let count = Arc::new(AtomicU32::new(0));
    let times = count.clone();
    let top = graph.task("top", (), move |()| Ok(times.fetch_add(1, SeqCst)));
    let left = graph.task("left", &top, |x| Ok(x + 1));
    let right = graph.task("right", (&top, &top), |(x, y)| Ok(x + y + 2));
    let bottom = graph.task("bottom", (&left, &right), |(l, r)| Ok((*l, *r)));
    assert_eq!(*session.run(&graph, &bottom).unwrap(), (1, 2));
    assert_eq!(count.load(SeqCst), 1);

    let text = graph.value("text", "abc".to_string());
    let none: Vec<Task<u32>> = Vec::new();
    let nest = graph.task("nest", ((&left, &text), &[left, right], &none), |((l, t), both, none)| {
        Ok(format!("{l}{t}{}{}{}", both[1], both.len(), none.is_empty()))
    });
    // The graph has run once already: `top` gives 1 now.
    let (nest, twice, texts) = session.run(&graph, (&nest, &[left, left], &text)).unwrap();
    assert_eq!((nest.as_str(), *twice[0], *twice[1], texts.as_str()), ("2abc42true", 2, 2, "abc"));
}

#[test]
fn only_what_is_needed_runs() {
    let mut graph = Graph::new();
    let bad = graph.task("bad", (), |()| -> Result<f64> { panic!("nobody asked") });
    let good = graph.value("good", 1.0);
    let _sum = graph.task("sum", (&bad, &good), |(a, b)| Ok(a + b));
    let double = graph.task("double", &good, |x| Ok(2.0 * x));
    assert_eq!(*Session::new().run(&graph, &double).unwrap(), 2.0);
}

#[test]
fn a_handle_of_another_graph_is_a_usage_error() {
    let (mut one, mut other) = (Graph::new(), Graph::new());
    let (a, b) = (one.value("a", 1), other.value("b", 2));
    let session = Session::new();
    let error = session.run(&one, &b).err().unwrap();
    assert!(matches!(error.problem(), Problem::Usage { .. }), "{error}");
    let order = other.order(&[b.id()]).unwrap();
    assert!(matches!(executor(0, 1).run_tasks(&one, &order).err().unwrap().problem(), Problem::Usage { .. }));
    let sum = one.task("sum", (&a, &b), |(a, b)| Ok(a + b));
    let error = session.run(&one, &sum).err().unwrap();
    assert!(error.to_string().contains("'sum' belongs to another graph"), "{error}");
}

#[test]
fn retries_are_counted() {
    let session = Session::new().threads(2);
    for (fails, retries) in [(0, 0), (1, 0), (3, 3), (4, 3), (9, 3)] {
        let runs = Arc::new(AtomicU64::new(0));
        let times = runs.clone();
        let mut graph = Graph::new();
        let task = graph.task_in_context(named("flaky").retries(retries), (), move |context, ()| {
            assert_eq!(context.attempt(), times.fetch_add(1, SeqCst));
            match context.attempt() {
                n if n >= fails => Ok(n),
                n if n % 2 == 0 => Err(Error::function("not yet")),
                _ => panic!("not {}", "yet"),
            }
        });
        let outcome = session.run(&graph, &task);
        assert_eq!(outcome.is_ok(), fails <= u64::from(retries));
        assert_eq!(runs.load(SeqCst), fails.min(u64::from(retries)) + 1);
    }
}

#[test]
fn a_panic_is_an_error_with_its_words() {
    let mut graph = Graph::new();
    let load = graph.task("load-3", (), |()| -> Result<f64> { panic!("at {}", 3) });
    let mean = graph.task("mean", &[load], |x| Ok(x[0]));
    let error = Session::new().run(&graph, &mean).err().unwrap();
    assert_eq!(error.to_string(), "task 'mean' <- 'load-3': panicked: at 3");

    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("while dropping")
        }
    }
    let bad = graph.task(named("bad").memory(Bytes(10)), (), |()| Ok(Bad));
    let after = graph.task("after", &bad, |_| Ok(1));
    let executor = executor(100, 2);
    assert_eq!(*run(&executor, &graph, &after).unwrap(), 1);
    assert_eq!(executor.budget.held(), Bytes(0));
}

#[test]
fn a_task_that_runs_long_sees_that_another_failed() {
    let mut graph = Graph::new();
    let long = graph.task_in_context("long", (), |context, ()| {
        while !context.stopped() {
            std::thread::yield_now();
        }
        Ok(1)
    });
    let bad = graph.task("bad", (), |()| Err::<i32, _>(Error::usage("no")));
    let error = run(&executor(0, 2), &graph, (&long, &bad)).err().unwrap();
    assert_eq!(error.to_string(), "task 'bad': no");
}

#[test]
fn the_branch_that_needs_more_goes_first_and_results_go_early() {
    let (budget, mut graph) = (executor(112, 1), Graph::new());
    let light = graph.task(named("light").memory(Bytes(10)), (), |()| Ok(1));
    let heavy = graph.task(named("heavy").memory(Bytes(100)).result_memory(Bytes(1)), (), |()| Ok(1));
    let sum = graph.task(named("sum").memory(Bytes(2)), (&light, &heavy), |(a, b)| Ok(a + b));
    assert_eq!(graph.order(&[sum.id()]).unwrap().least(), Bytes(100), "not 110");
    assert_eq!(*run(&budget, &graph, &sum).unwrap(), 2);

    // Forty sums of pairs in one reduction: never more than one pair and the sums.
    let mut sums = Vec::new();
    for _ in 0..40 {
        let pair = [(); 2].map(|()| graph.task(named("load").memory(Bytes(50)), (), |()| Ok(1)));
        sums.push(graph.task(named("pair").memory(Bytes(1)), &pair, |p| Ok(p[0] + p[1])));
    }
    let total = graph.task("total", &sums, |sums| Ok(sums.iter().sum::<i32>()));
    let least = graph.order(&[total.id()]).unwrap().least();
    assert_eq!(least, Bytes(39 + 101));
    for threads in [1, 2, 4] {
        let executor = executor(least.0, threads);
        assert_eq!(*run(&executor, &graph, &total).unwrap(), 80);
        assert!(executor.budget.peak() <= least);
    }
}

#[test]
fn tasks_run_at_once_where_memory_allows() {
    let mut graph = Graph::new();
    let barrier = Arc::new(std::sync::Barrier::new(2));
    let mut ends = Vec::new();
    for _ in 0..2 {
        let mut last = graph.value("start", 0);
        for _ in 0..10 {
            let barrier = barrier.clone();
            // Each needs the other chain to be as far: a schedule of one chain after the other would hang.
            last = graph.task(named("step").memory(Bytes(10)), &last, move |n| {
                barrier.wait();
                Ok(n + 1)
            });
        }
        ends.push(last);
    }
    let values = run(&executor(60, 2), &graph, &ends).unwrap();
    assert_eq!(values.iter().map(|v| **v).collect::<Vec<_>>(), [10, 10]);
}

/// What a task has leased is the budget of whatever it runs inside.
#[test]
fn a_task_runs_a_graph_of_its_own_inside_its_memory() {
    let mut inner = Graph::new();
    let parts: Vec<_> = (0..10)
        .map(|n| inner.task(named("part").memory(Bytes(30)).result_memory(Bytes(1)), (), move |()| Ok(n)))
        .collect();
    let sum = inner.task("sum", &parts, |parts| Ok(parts.iter().sum::<i32>()));
    let mut graph = Graph::new();
    let factor = graph.value("factor", 2);
    let nested = graph.task_in_context(named("nested").memory(Bytes(64)), &factor, move |context, factor| {
        let executor = Executor {
            budget: context.budget(),
            threads: context.threads(),
            observer: Arc::new(Silent),
            stop: context.stop().clone(),
            spill: Arc::default(),
        };
        let sum = run(&executor, &inner, &sum)?;
        assert_eq!((context.memory(), executor.budget.held()), (Bytes(64), Bytes(0)));
        Ok(*sum * factor)
    });
    let executor = executor(64, 2);
    assert_eq!(*run(&executor, &graph, &nested).unwrap(), 90);
    assert_eq!(executor.budget.peak(), Bytes(64));
}

/// Hundreds of random small graphs, under the least memory that they need, with more threads than the machine has.
#[test]
fn the_least_memory_is_enough_for_any_threads() {
    for seed in 0..400 {
        let tasks = 30 + seed as usize % 50;
        let random = random(1000 + seed, &Shape { tasks, reach: 1 + seed % 40, memory: true });
        let executor = executor(random.least(), 6);
        let values = run(&executor, &random.graph, random.wanted()).unwrap();
        assert!(
            values.iter().zip(&random.expected[tasks - values.len()..]).all(|(v, e)| v.number == *e),
            "seed {seed}"
        );
    }
}
