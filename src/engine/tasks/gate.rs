//! [`Gate`]: which task may take its memory now.

use crate::{
    budget::{Budget, Lease},
    units::Bytes,
};
use std::collections::BTreeMap;

/// Gives tasks their leases, never so that no task can go on.
pub(super) struct Gate {
    budget: Budget,
    /// What the budget had free at the beginning.
    room: u64,
    law: Law,
}

enum Law {
    Ordered(Ordered),
    Submitted(Submitted),
}

/// All tasks are known: the law of [`Order`](crate::delayed::Order).
struct Ordered {
    /// The most that is held from each place of the order on, one task at a time.
    ahead: Vec<u64>,
    /// The first task that has not begun.
    frontier: usize,
    begun: Vec<bool>,
    /// What each task holds that began before its turn, and all of them together.
    early: Vec<u64>,
    early_all: u64,
}

/// Tasks come as they are submitted. One without inputs begins only if what results keep then leaves room for the
/// largest task that waits for inputs: those are the ones that let results go. Such tasks may be yet to come while no
/// thread of the user waits; until then results of tasks without inputs fill half of the room at most, or are one.
struct Submitted {
    /// What tasks with inputs need that have not begun, each with how many need it.
    waiting: BTreeMap<u64, u32>,
    /// What finished tasks keep, and those that run will keep.
    kept: u64,
}

/// What a task declares.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    /// Leased while it runs.
    pub need: u64,
    /// Leased for its result.
    pub kept: u64,
    /// Whether it has inputs.
    pub consumes: bool,
}

/// What the threads of the user do, and ours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// None waits: more tasks may come.
    Submitting,
    /// One waits for a result.
    Waiting,
    /// One waits for a result, nothing runs, and the first task does not fit.
    Stuck,
}

impl Gate {
    /// For an order with its profile, which is empty when no task declares memory.
    pub fn ordered(budget: &Budget, ahead: Vec<u64>) -> Gate {
        let (begun, early) = (vec![false; ahead.len()], vec![0; ahead.len()]);
        let law = Law::Ordered(Ordered { ahead, frontier: 0, begun, early, early_all: 0 });
        Gate { room: room(budget), budget: budget.clone(), law }
    }

    /// For tasks that are submitted one by one.
    pub fn submitted(budget: &Budget) -> Gate {
        let law = Law::Submitted(Submitted { waiting: BTreeMap::new(), kept: 0 });
        Gate { room: room(budget), budget: budget.clone(), law }
    }

    pub fn limit(&self) -> Bytes {
        self.budget.limit()
    }

    pub fn held(&self) -> u64 {
        self.budget.held().0
    }

    /// The most that one task can ever have.
    pub fn room(&self) -> u64 {
        self.room
    }

    /// A task has come.
    pub fn enter(&mut self, claim: Claim) {
        if let Law::Submitted(s) = &mut self.law
            && claim.consumes
            && claim.need > 0
        {
            *s.waiting.entry(claim.need).or_default() += 1;
        }
    }

    /// A task that has not begun never will.
    pub fn leave(&mut self, claim: Claim) {
        if let Law::Submitted(s) = &mut self.law
            && claim.consumes
            && let Some(count) = s.waiting.get_mut(&claim.need)
        {
            *count -= 1;
            if *count == 0 {
                s.waiting.remove(&claim.need);
            }
        }
    }

    /// Lets a task begin if it may take its memory now.
    pub fn begin(&mut self, task: u32, claim: Claim, moment: Moment) -> Option<Lease> {
        let may = match &self.law {
            Law::Ordered(o) => o.may_begin(task as usize, claim.need, self.room),
            Law::Submitted(s) => s.may_begin(claim, moment, self.room),
        };
        let lease = if may { self.budget.try_lease(claim.need)? } else { return None };
        self.begun(task, claim);
        Some(lease)
    }

    /// A task that takes no memory begins, or one that [`Gate::begin`] let.
    pub fn begun(&mut self, task: u32, claim: Claim) {
        self.leave(claim);
        match &mut self.law {
            Law::Ordered(o) => o.begin(task as usize, claim.need),
            Law::Submitted(s) => s.kept = s.kept.saturating_add(claim.kept),
        }
    }

    /// A task that began has finished, and keeps its result.
    pub fn keep(&mut self, task: u32, claim: Claim) {
        if let Law::Ordered(o) = &mut self.law {
            o.hold(task as usize, claim.kept);
        }
    }

    /// A task that began has no result, or its result goes.
    pub fn let_go(&mut self, task: u32, claim: Claim) {
        match &mut self.law {
            Law::Ordered(o) => o.hold(task as usize, 0),
            Law::Submitted(s) => s.kept = s.kept.saturating_sub(claim.kept),
        }
    }
}

fn room(budget: &Budget) -> u64 {
    budget.limit().0.saturating_sub(budget.held().0)
}

impl Submitted {
    fn may_begin(&self, claim: Claim, moment: Moment, room: u64) -> bool {
        if claim.consumes || moment == Moment::Stuck {
            return true;
        }
        let kept = self.kept.saturating_add(claim.kept);
        let largest = self.waiting.last_key_value().map_or(0, |(&need, _)| need);
        kept.saturating_add(largest) <= room && (moment == Moment::Waiting || self.kept == 0 || kept <= room / 2)
    }
}

impl Ordered {
    fn may_begin(&self, task: usize, need: u64, room: u64) -> bool {
        task <= self.frontier || self.early_all.saturating_add(need).saturating_add(self.still_to_take()) <= room
    }

    /// The most that the order still takes.
    fn still_to_take(&self) -> u64 {
        self.ahead.get(self.frontier).copied().unwrap_or(0)
    }

    fn begin(&mut self, task: usize, need: u64) {
        if self.ahead.is_empty() {
            return;
        }
        self.begun[task] = true;
        if task > self.frontier {
            self.hold(task, need);
            return;
        }
        while self.begun.get(self.frontier) == Some(&true) {
            self.early_all -= std::mem::take(&mut self.early[self.frontier]);
            self.frontier += 1;
        }
    }

    fn hold(&mut self, task: usize, bytes: u64) {
        if task > self.frontier && !self.ahead.is_empty() {
            self.early_all = self.early_all - self.early[task] + bytes;
            self.early[task] = bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(need: u64, kept: u64, consumes: bool) -> Claim {
        Claim { need, kept, consumes }
    }

    #[test]
    fn a_later_task_may_begin_only_beside_the_most_that_the_order_takes() {
        let budget = Budget::new(Bytes(100));
        // Places 0 to 3; from place 1 on the order takes at most 60.
        let mut gate = Gate::ordered(&budget, vec![70, 60, 60, 20]);
        let may = |gate: &mut Gate, task, need| gate.begin(task, claim(need, need, true), Moment::Submitting);
        assert!(may(&mut gate, 2, 31).is_none(), "31 and 70");
        let early = may(&mut gate, 2, 30).unwrap();
        let first = may(&mut gate, 0, 70).unwrap();
        assert!(may(&mut gate, 1, 10).is_none(), "it may, but no memory is free");
        drop(first);
        assert!(may(&mut gate, 3, 11).is_none(), "30 and 11 and 60");
        let other = may(&mut gate, 3, 10).unwrap();
        gate.let_go(2, claim(30, 30, true));
        drop(early);
        let second = may(&mut gate, 1, 60).unwrap();
        assert_eq!(gate.held(), 70);
        drop((second, other));
    }

    #[test]
    fn a_task_without_inputs_leaves_room_for_those_that_let_results_go() {
        let budget = Budget::new(Bytes(100));
        let mut gate = Gate::submitted(&budget);
        let (load, work) = (claim(20, 20, false), claim(50, 0, true));
        let mut leases = Vec::new();
        let mut loads = |gate: &mut Gate, moment| {
            let from = leases.len();
            leases.extend(std::iter::from_fn(|| gate.begin(0, load, moment)));
            leases.len() - from
        };
        assert_eq!(loads(&mut gate, Moment::Submitting), 2, "half of the room");
        gate.enter(work);
        assert_eq!(loads(&mut gate, Moment::Waiting), 0, "40 and 20 and 50");
        let working = gate.begin(1, work, Moment::Waiting).unwrap();
        assert_eq!(loads(&mut gate, Moment::Waiting), 0, "no memory is free");
        drop(working);
        assert_eq!(loads(&mut gate, Moment::Waiting), 3, "nobody waits for inputs");
        drop(leases);
    }
}
