//! The memory budget.

use super::check;
use aosx::{budget::Budget, units::Bytes};
use shuttle::{
    rand::{Rng, thread_rng},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

const SCHEDULES: usize = 2000;

/// What threads hold together, counted beside the budget.
#[derive(Default)]
struct Counted {
    now: AtomicU64,
    most: AtomicU64,
}

impl Counted {
    fn take(&self, bytes: u64) {
        let now = self.now.fetch_add(bytes, SeqCst) + bytes;
        self.most.fetch_max(now, SeqCst);
    }

    fn give(&self, bytes: u64) {
        self.now.fetch_sub(bytes, SeqCst);
    }
}

#[test]
fn everybody_is_served_and_the_limit_holds() {
    check(SCHEDULES, || {
        let (budget, counted) = (Budget::new(Bytes(100)), Arc::new(Counted::default()));
        let worker = |seed: u64| {
            let (budget, counted) = (budget.clone(), counted.clone());
            thread::spawn(move || {
                for k in 0..3 {
                    let bytes = [100, 60, 40, 1, 0][((seed + k) % 5) as usize];
                    let lease = budget.lease(bytes, "a test").unwrap();
                    counted.take(bytes);
                    thread::yield_now();
                    counted.give(bytes);
                    drop(lease);
                }
            })
        };
        let workers: Vec<_> = (0..3).map(worker).collect();
        workers.into_iter().for_each(|w| w.join().unwrap());
        assert_eq!(budget.held(), Bytes(0));
        assert!(counted.most.load(SeqCst) <= 100 && budget.peak().0 <= 100);
    });
}

#[test]
fn parts_of_a_lease_come_back_one_by_one() {
    check(SCHEDULES, || {
        let budget = Budget::new(Bytes(100));
        let mut first = budget.lease(80, "a test").unwrap();
        let part = first.split(50);
        assert_eq!((first.bytes(), part.bytes(), budget.held()), (30, 50, Bytes(80)));
        let waiting = {
            let budget = budget.clone();
            thread::spawn(move || assert_eq!(budget.lease(70, "a test").unwrap().bytes(), 70))
        };
        let giving = thread::spawn(move || drop(part));
        // Without `first` too, 70 were never free.
        giving.join().unwrap();
        waiting.join().unwrap();
        drop(first);
        assert_eq!((budget.held(), budget.peak()), (Bytes(0), Bytes(100)));
    });
}

#[test]
fn a_large_request_is_not_starved_by_small_ones() {
    check(SCHEDULES, || {
        let budget = Budget::new(Bytes(100));
        let first = budget.lease(60, "a test").unwrap();
        let large = {
            let budget = budget.clone();
            thread::spawn(move || drop(budget.lease(100, "a test").unwrap()))
        };
        let small = {
            let budget = budget.clone();
            thread::spawn(move || {
                for _ in 0..3 {
                    drop(budget.lease(10, "a test").unwrap());
                }
            })
        };
        if thread_rng().gen_bool(0.5) {
            // Nobody jumps the queue: it is refused, or nobody waits.
            drop(budget.try_lease(10));
        }
        drop(first);
        large.join().unwrap();
        small.join().unwrap();
        assert_eq!(budget.held(), Bytes(0));
    });
}

#[test]
fn more_than_there_is_is_an_error_and_nothing_is_held() {
    check(SCHEDULES, || {
        let budget = Budget::new(Bytes(100));
        let other = budget.clone();
        let other = thread::spawn(move || drop(other.lease(100, "a test").unwrap()));
        assert!(budget.lease(101, "a chunk of 't'").is_err());
        assert!(budget.try_lease(101).is_none());
        other.join().unwrap();
        assert_eq!((budget.held(), budget.limit()), (Bytes(0), Bytes(100)));
    });
}
