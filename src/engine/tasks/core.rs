//! [`Core`]: tasks, who waits for whom, and which is next. It knows no threads.

use super::{
    ear::Ear,
    failure::Failure,
    gate::{Claim, Gate, Moment},
};
use crate::{
    budget::Lease,
    delayed::{Job, Value, Work},
    error::{Error, Problem},
    units::Bytes,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    ops::Deref,
    sync::Arc,
};

/// Tasks of a run or of a client, by their ids. `J` is how the job is held.
pub(super) struct Core<J> {
    slots: Vec<Slot<J>>,
    /// Ids to use again.
    free: Vec<u32>,
    /// Tasks whose inputs are there, by priority: those that take no memory, and those that do.
    ready: Queue,
    ready_paid: Queue,
    gate: Gate,
    /// Tasks in the hands of workers.
    running: usize,
    /// How many tasks came, and how many have ended.
    come: u64,
    ended: u64,
    /// Who is told when a task has ended, and by which number.
    watchers: HashMap<u32, Vec<(Arc<Ear>, usize)>>,
    /// Threads of the user that wait until they hear something.
    listening: Vec<Arc<Ear>>,
    /// Threads of ours that wait for a task.
    pub idle: usize,
    /// Tasks that must end before the core closes by itself.
    goal: Option<usize>,
    /// Why the goal cannot be reached.
    pub failure: Option<Arc<Failure>>,
    /// Nothing begins any more.
    pub closed: bool,
}

/// Ready tasks by priority. Those that come in order, as the sources of a graph do, need no heap.
#[derive(Default)]
struct Queue {
    ordered: VecDeque<(u64, u32)>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

struct Slot<J> {
    /// Its priority, the smaller the sooner; no other task ever has the same.
    key: u64,
    job: Option<J>,
    inputs: Box<[u32]>,
    /// Those that wait for it, each with its key.
    dependents: Vec<(u32, u64)>,
    /// Inputs that are not there yet.
    waits: u32,
    /// Tasks that take its result and have not ended.
    consumers: u32,
    /// Handles outside.
    pins: u32,
    claim: Claim,
    status: Status,
    lease: Option<Lease>,
    /// The worker that has it.
    worker: Option<u32>,
    /// Its place among those that have ended.
    ended: u64,
}

enum Status {
    Waiting,
    Ready,
    Running,
    Done(Value),
    Failed(Arc<Failure>),
    /// No task at all.
    Free,
}

/// How a task stands, for its owner.
pub(super) enum Standing {
    Open,
    Done(Value),
    Failed(Arc<Failure>),
}

/// A task in the hands of a worker.
pub(super) struct Begun<J> {
    pub id: u32,
    pub job: J,
    pub lease: Option<Lease>,
}

/// What is to be dropped when the core is not locked: dropping a user's value runs the user's code.
pub(super) struct Garbage<J> {
    /// Each before the lease that pays for it.
    values: Vec<(Value, Option<Lease>)>,
    jobs: Vec<J>,
    errors: Vec<Error>,
    failures: Vec<Arc<Failure>>,
}

impl<J> Garbage<J> {
    pub fn new() -> Garbage<J> {
        Garbage { values: Vec::new(), jobs: Vec::new(), errors: Vec::new(), failures: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.jobs.is_empty() && self.errors.is_empty() && self.failures.is_empty()
    }

    pub fn has_memory(&self) -> bool {
        self.values.iter().any(|(_, lease)| lease.is_some())
    }
}

/// Tasks without inputs come behind those that have some, which let results go.
const SOURCE: u64 = 1 << 63;

impl<J: Deref<Target = Job> + Clone> Core<J> {
    /// A core for about so many tasks. With a goal it closes when so many pinned tasks have ended, or one has failed.
    pub fn new(gate: Gate, tasks: usize, goal: Option<usize>) -> Core<J> {
        Core {
            slots: Vec::with_capacity(tasks),
            free: Vec::new(),
            ready: Queue::default(),
            ready_paid: Queue::default(),
            gate,
            running: 0,
            come: 0,
            ended: 0,
            watchers: HashMap::new(),
            listening: Vec::new(),
            idle: 0,
            goal,
            failure: None,
            closed: goal == Some(0),
        }
    }

    /// Adds a task. With `sources_last` its priority is that of a submitted task, else that of its place.
    pub fn add(&mut self, job: J, inputs: Box<[u32]>, pins: u32, sources_last: bool, garbage: &mut Garbage<J>) -> u32 {
        let consumes = !inputs.is_empty();
        let key = self.come | if sources_last && !consumes { SOURCE } else { 0 };
        self.come += 1;
        let id = self.free.pop().unwrap_or(self.slots.len() as u32);
        let (mut waits, mut failed) = (0, None);
        for &input in &inputs {
            let slot = &mut self.slots[input as usize];
            slot.consumers += 1;
            match &slot.status {
                Status::Done(_) => {}
                Status::Failed(failure) => failed = Some(failure.clone()),
                _ => {
                    slot.dependents.push((id, key));
                    waits += 1;
                }
            }
        }
        let (value, claim) = match &job.work {
            Work::Value(value) => (Some(value.clone()), Claim { need: 0, kept: 0, consumes }),
            Work::Function(_) => (None, Claim { need: job.named.need(), kept: job.named.kept(), consumes }),
        };
        let slot = Slot {
            key,
            job: Some(job),
            inputs,
            dependents: Vec::new(),
            waits,
            consumers: 0,
            pins,
            claim,
            status: Status::Waiting,
            lease: None,
            worker: None,
            ended: 0,
        };
        if (id as usize) < self.slots.len() {
            self.slots[id as usize] = slot;
        } else {
            self.slots.push(slot);
        }
        match (value, failed) {
            (Some(value), _) => {
                self.gate.begun(id, claim);
                self.slots[id as usize].status = Status::Done(value);
                self.tell(id);
            }
            (None, Some(input)) => {
                self.gate.enter(claim);
                let failure = Failure::behind(self.name(id), &input);
                self.fail_all(id, failure, garbage);
            }
            (None, None) => {
                self.gate.enter(claim);
                if waits == 0 {
                    self.make_ready(id);
                }
            }
        }
        id
    }

    fn name(&self, id: u32) -> std::borrow::Cow<'static, str> {
        self.slots[id as usize].job.as_ref().map_or("".into(), |job| job.named.name.clone())
    }

    fn make_ready(&mut self, id: u32) {
        let slot = &mut self.slots[id as usize];
        slot.status = Status::Ready;
        let queue = if slot.claim.need > 0 { &mut self.ready_paid } else { &mut self.ready };
        queue.push((slot.key, id));
    }

    /// Whether a worker may find something to do.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty() || !self.ready_paid.is_empty()
    }

    /// The task that a worker is to begin now, its values added to `values`.
    pub fn next(&mut self, worker: u32, values: &mut Vec<Value>, garbage: &mut Garbage<J>) -> Option<Begun<J>> {
        while !self.closed {
            let waited = self.listening.iter().any(|ear| ear.waits());
            let moment = if waited { Moment::Waiting } else { Moment::Submitting };
            let free = self.ready.first(&self.slots);
            let paid = self.ready_paid.first(&self.slots);
            let (id, lease) = match (free, paid) {
                (None, None) => return None,
                (Some(free), paid) if paid.is_none_or(|paid| free < paid) => self.take_free(),
                (free, Some((_, id))) => match self.gate.begin(id, self.slots[id as usize].claim, moment) {
                    Some(lease) => {
                        self.ready_paid.pop();
                        (id, Some(lease))
                    }
                    None if free.is_some() => self.take_free(),
                    None if self.running > 0 => return None,
                    None => match self.any_that_fits(if waited { Moment::Stuck } else { moment }) {
                        Some((id, lease)) => (id, Some(lease)),
                        None if waited => {
                            self.give_up(id, garbage);
                            continue;
                        }
                        None => return None,
                    },
                },
                (Some(_), None) => unreachable!("taken above"),
            };
            let slot = &mut self.slots[id as usize];
            slot.status = Status::Running;
            slot.worker = Some(worker);
            let job = slot.job.clone().expect("a task that has not ended has its job");
            self.running += 1;
            for &input in &self.slots[id as usize].inputs {
                match &self.slots[input as usize].status {
                    Status::Done(value) => values.push(value.clone()),
                    _ => unreachable!("a ready task has its inputs"),
                }
            }
            return Some(Begun { id, job, lease });
        }
        None
    }

    /// The first ready task that takes no memory.
    fn take_free(&mut self) -> (u32, Option<Lease>) {
        let (_, id) = self.ready.pop().expect("looked at before");
        self.gate.begun(id, self.slots[id as usize].claim);
        (id, None)
    }

    /// Nothing runs and the first task does not fit: the first that does.
    fn any_that_fits(&mut self, moment: Moment) -> Option<(u32, Lease)> {
        let free = self.gate.room().saturating_sub(self.gate.held());
        let fits = |&(key, id): &(u64, u32)| {
            let slot = &self.slots[id as usize];
            slot.is_ready(key) && slot.claim.need <= free
        };
        let (_, id) = self.ready_paid.iter().filter(fits).min()?;
        // Its entry stays in the queue, and is passed over later.
        self.gate.begin(id, self.slots[id as usize].claim, moment).map(|lease| (id, lease))
    }

    /// Nothing runs, nothing fits, and the user waits: only an error goes on from here.
    fn give_up(&mut self, id: u32, garbage: &mut Garbage<J>) {
        let need = Bytes(self.gate.held().saturating_add(self.slots[id as usize].claim.need));
        let what = format!("task '{}' beside the results that futures hold", self.name(id));
        let problem = Problem::BudgetTooSmall { what, need, limit: self.gate.limit() };
        self.fail(id, problem.into(), garbage);
    }

    /// A task has run: what it took is let go, before anybody hears of its end.
    pub fn release(&mut self, id: u32, garbage: &mut Garbage<J>) {
        for input in std::mem::take(&mut self.slots[id as usize].inputs) {
            self.slots[input as usize].consumers -= 1;
            self.drop_unneeded(input, garbage);
        }
    }

    /// A worker gives a task back, with the lease of its result.
    pub fn finish(&mut self, id: u32, outcome: Result<Value, Error>, lease: Option<Lease>, garbage: &mut Garbage<J>) {
        let slot = &mut self.slots[id as usize];
        slot.worker = None;
        match (matches!(slot.status, Status::Running), outcome) {
            (true, Ok(value)) => {
                slot.lease = lease;
                slot.status = Status::Done(value);
                self.gate.keep(id, slot.claim);
                self.wake_dependents(id);
                self.tell(id);
            }
            (true, Err(error)) => {
                self.gate.let_go(id, slot.claim);
                self.fail(id, error, garbage);
            }
            // It was cancelled while it ran.
            (false, outcome) => {
                self.gate.let_go(id, slot.claim);
                match outcome {
                    Ok(value) => garbage.values.push((value, lease)),
                    Err(error) => garbage.errors.push(error),
                }
            }
        }
        garbage.jobs.extend(self.slots[id as usize].job.take());
        self.drop_unneeded(id, garbage);
    }

    fn wake_dependents(&mut self, id: u32) {
        for (dependent, key) in std::mem::take(&mut self.slots[id as usize].dependents) {
            let slot = &mut self.slots[dependent as usize];
            if slot.key == key && matches!(slot.status, Status::Waiting) {
                slot.waits -= 1;
                if slot.waits == 0 {
                    self.make_ready(dependent);
                }
            }
        }
    }

    /// The worker that gave a task back has dropped what it left behind.
    pub fn settled(&mut self) {
        self.running -= 1;
    }

    /// Ends a task that has not ended, and all that take its result. One that runs is let run on, for nothing.
    pub fn fail(&mut self, id: u32, error: Error, garbage: &mut Garbage<J>) {
        let failure = Failure::new(self.name(id), error);
        self.fail_all(id, failure, garbage);
    }

    fn fail_all(&mut self, id: u32, failure: Arc<Failure>, garbage: &mut Garbage<J>) {
        let mut todo = vec![(id, self.slots[id as usize].key, failure)];
        while let Some((id, key, failure)) = todo.pop() {
            let slot = &mut self.slots[id as usize];
            if slot.key != key || !slot.is_open() {
                continue;
            }
            let begun = matches!(slot.status, Status::Running);
            slot.status = Status::Failed(failure.clone());
            for (dependent, key) in std::mem::take(&mut slot.dependents) {
                todo.push((dependent, key, Failure::behind(self.name(dependent), &failure)));
            }
            self.tell(id);
            if !begun {
                self.gate.leave(self.slots[id as usize].claim);
                garbage.jobs.extend(self.slots[id as usize].job.take());
                self.release(id, garbage);
                self.drop_unneeded(id, garbage);
            }
        }
    }

    /// Somebody stopped the session: a run closes, and a client ends what has not begun.
    pub fn stop(&mut self, garbage: &mut Garbage<J>) {
        if self.goal.is_some() {
            self.closed = true;
        } else if self.ended < self.come {
            self.fail_unbegun(|| Problem::Stopped, garbage);
        }
    }

    /// Ends all tasks that have not begun.
    pub fn fail_unbegun(&mut self, problem: impl Fn() -> Problem, garbage: &mut Garbage<J>) {
        for id in 0..self.slots.len() as u32 {
            // Those behind others end with them, and name them.
            if matches!(self.slots[id as usize].status, Status::Waiting | Status::Ready) {
                self.fail(id, problem().into(), garbage);
            }
        }
    }

    /// Tells who waits that a task has ended.
    fn tell(&mut self, id: u32) {
        self.ended += 1;
        let slot = &mut self.slots[id as usize];
        slot.ended = self.ended;
        if let Some(left) = self.goal.as_mut().filter(|_| slot.pins > 0) {
            *left -= 1;
            if let Status::Failed(failure) = &slot.status {
                self.failure.get_or_insert_with(|| failure.clone());
            }
            self.closed |= *left == 0 || self.failure.is_some();
        }
        for (ear, number) in self.watchers.remove(&id).into_iter().flatten() {
            ear.tell(number);
        }
    }

    /// Drops a task that nobody can ask for: its value, or the task itself if it has not begun, with what only it needs.
    fn drop_unneeded(&mut self, id: u32, garbage: &mut Garbage<J>) {
        let mut todo = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            let slot = &mut self.slots[id as usize];
            if slot.consumers == 0 && slot.pins == 0 && slot.worker.is_none() {
                let lease = slot.lease.take();
                match std::mem::replace(&mut slot.status, Status::Free) {
                    Status::Free => {
                        next = todo.pop();
                        continue;
                    }
                    Status::Done(value) => {
                        garbage.values.push((value, lease));
                        self.gate.let_go(id, slot.claim);
                    }
                    Status::Waiting | Status::Ready => self.gate.leave(slot.claim),
                    Status::Failed(failure) => garbage.failures.push(failure),
                    Status::Running => unreachable!("a worker has it"),
                }
                garbage.jobs.extend(slot.job.take());
                for input in std::mem::take(&mut slot.inputs) {
                    self.slots[input as usize].consumers -= 1;
                    todo.push(input);
                }
                self.free.push(id);
            }
            next = todo.pop();
        }
    }

    /// One more handle outside.
    pub fn pin(&mut self, id: u32) {
        self.slots[id as usize].pins += 1;
    }

    /// One handle less.
    pub fn unpin(&mut self, id: u32, garbage: &mut Garbage<J>) {
        self.slots[id as usize].pins -= 1;
        self.drop_unneeded(id, garbage);
    }

    /// How a task stands.
    pub fn standing(&self, id: u32) -> Standing {
        match &self.slots[id as usize].status {
            Status::Done(value) => Standing::Done(value.clone()),
            Status::Failed(failure) => Standing::Failed(failure.clone()),
            _ => Standing::Open,
        }
    }

    /// The worker that has the task.
    pub fn worker(&self, id: u32) -> Option<u32> {
        self.slots[id as usize].worker
    }

    /// Its place among those that have ended, if it has; else `ear` hears `number` when it does.
    pub fn watch(&mut self, id: u32, ear: &Arc<Ear>, number: usize) -> Option<u64> {
        let slot = &self.slots[id as usize];
        if !slot.is_open() {
            return Some(slot.ended);
        }
        self.watchers.entry(id).or_default().push((ear.clone(), number));
        None
    }

    /// A thread of the user begins to wait.
    pub fn listen(&mut self, ear: &Arc<Ear>) {
        self.listening.push(ear.clone());
    }

    /// It has heard something.
    pub fn heard(&mut self, ear: &Arc<Ear>) {
        if let Some(at) = self.listening.iter().position(|one| Arc::ptr_eq(one, ear)) {
            self.listening.swap_remove(at);
        }
    }

    /// The most that one task can have, and the limit.
    pub fn room(&self) -> (u64, Bytes) {
        (self.gate.room(), self.gate.limit())
    }
}

impl<J> Slot<J> {
    fn is_open(&self) -> bool {
        matches!(self.status, Status::Waiting | Status::Ready | Status::Running)
    }

    /// Whether it is still the task of that key, and ready.
    fn is_ready(&self, key: u64) -> bool {
        self.key == key && matches!(self.status, Status::Ready)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.ordered.is_empty() && self.heap.is_empty()
    }

    fn push(&mut self, entry: (u64, u32)) {
        if self.ordered.back().is_none_or(|last| *last < entry) {
            self.ordered.push_back(entry);
        } else {
            self.heap.push(Reverse(entry));
        }
    }

    /// The first entry that still stands for a ready task.
    fn first<J>(&mut self, slots: &[Slot<J>]) -> Option<(u64, u32)> {
        loop {
            let entry = self.peek()?;
            if slots[entry.1 as usize].is_ready(entry.0) {
                return Some(entry);
            }
            self.pop();
        }
    }

    fn peek(&self) -> Option<(u64, u32)> {
        match (self.ordered.front(), self.heap.peek()) {
            (Some(&a), Some(&Reverse(b))) => Some(a.min(b)),
            (a, b) => a.copied().or(b.map(|b| b.0)),
        }
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let first = self.peek()?;
        if self.ordered.front() == Some(&first) { self.ordered.pop_front() } else { self.heap.pop().map(|b| b.0) }
    }

    fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        self.ordered.iter().copied().chain(self.heap.iter().map(|b| b.0))
    }
}
