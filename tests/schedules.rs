//! Everything that waits, under the orders in which threads can run: shuttle's scheduler stands in for the system's, and
//! finds threads that wait for ever, wake-ups that are lost, limits that are exceeded, memory that does not come back,
//! and results that depend on the order.
//!
//! `cargo test --release --features schedules --test schedules`

#[path = "schedules/budget.rs"]
mod budget;
#[path = "schedules/plans.rs"]
mod plans;
#[path = "schedules/spilled.rs"]
mod spilled;
#[path = "schedules/tasks.rs"]
mod tasks;

use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};

/// Runs `law` under so many random orders, and under those in which few threads are interrupted seldom, which finds most.
fn check(schedules: usize, law: impl Fn() + Send + Sync + Clone + 'static) {
    let mut config = Config::new();
    // Expressions are evaluated by recursion.
    config.stack_size = 1 << 20;
    Runner::new(RandomScheduler::new(schedules), config.clone()).run(law.clone());
    Runner::new(PctScheduler::new(3, schedules), config).run(law);
}
