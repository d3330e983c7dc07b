//! [`Order`]: the order in which a graph's tasks take memory, and how much that order needs.

use super::{Graph, TaskId};
use crate::units::Bytes;

/// The tasks that some asked-for tasks need, in the order in which memory is leased for them.
///
/// The order is depth first from the asked-for tasks: all that one input needs, then all that the next needs, then the
/// task itself. The input that needs most above what its result keeps goes first (Liu 1986, ACM TOMS 12, 249-264: the
/// best such order of a tree).
///
/// # Memory
/// The law: one task after the other in this order takes at most [`Order::least`]. Let `k` be the first task of the
/// order that has not begun. The task `k` begins when its memory is free. A later task may begin before it only if what all
/// tasks behind `k` hold or will take leaves free the most that the order takes from `k` on. So when all that run have
/// finished, `k` fits: nobody waits for ever, in a budget of `least` or more, with any number of threads. Who waits
/// for memory holds none.
pub struct Order {
    graph: u64,
    /// Places in the graph, first to last.
    pub(crate) tasks: Vec<u32>,
    /// For each asked-for task its place in this order.
    pub(crate) wanted: Vec<u32>,
    /// For each task of the graph its place in this order; [`ABSENT`] when it is not needed.
    pub(crate) place: Vec<u32>,
    /// The most that is held from each place of the order on, one task at a time. Empty when no task declares memory.
    pub(crate) ahead: Vec<u64>,
}

/// A task that is not needed.
const ABSENT: u32 = u32::MAX;
/// A task whose inputs are being placed.
const OPEN: u32 = u32::MAX - 1;

impl Order {
    pub(super) fn new(graph: &Graph, wanted: &[TaskId]) -> Order {
        let estimates = Estimates::of(graph);
        let mut place = vec![ABSENT; graph.len()];
        let mut tasks = Vec::new();
        // Inputs that are still to be visited, and a mark behind those of each open task.
        let mut stack: Vec<u32> = Vec::new();
        for sink in wanted {
            stack.push(sink.index);
            while let Some(&task) = stack.last() {
                match place[task as usize] {
                    ABSENT => {
                        place[task as usize] = OPEN;
                        let from = stack.len();
                        stack.extend(graph.inputs(task).iter().rev().filter(|&&i| place[i as usize] == ABSENT));
                        estimates.sort(&mut stack[from..]);
                    }
                    OPEN => {
                        place[task as usize] = tasks.len() as u32;
                        tasks.push(task);
                        stack.pop();
                    }
                    _ => {
                        stack.pop();
                    }
                }
            }
        }
        let wanted = wanted.iter().map(|sink| place[sink.index as usize]).collect();
        let mut order = Order { graph: graph.id, tasks, wanted, place, ahead: Vec::new() };
        if estimates.declared {
            order.ahead = order.profile(graph);
        }
        order
    }

    /// The most that is held from each place on.
    fn profile(&self, graph: &Graph) -> Vec<u64> {
        const NEVER: u32 = u32::MAX;
        let mut last_use: Vec<u32> = vec![NEVER; self.tasks.len()];
        for (at, &task) in self.tasks.iter().enumerate() {
            for &input in graph.inputs(task) {
                last_use[self.place[input as usize] as usize] = at as u32;
            }
        }
        for &sink in &self.wanted {
            last_use[sink as usize] = NEVER;
        }
        let (mut held, mut out) = (0u64, Vec::with_capacity(self.tasks.len()));
        for (at, &task) in self.tasks.iter().enumerate() {
            let named = &graph.job(task).named;
            out.push(held.saturating_add(graph.need(task)));
            held = held.saturating_add(if graph.is_value(task) { 0 } else { named.kept() });
            for &input in graph.inputs(task) {
                let place = self.place[input as usize] as usize;
                if last_use[place] == at as u32 {
                    // Taken off once, however often the task names it.
                    last_use[place] = NEVER;
                    held = held.saturating_sub(graph.kept(input));
                }
            }
        }
        for at in (1..out.len()).rev() {
            out[at - 1] = out[at - 1].max(out[at]);
        }
        out
    }

    /// Whether it is an order of this graph.
    pub fn is_of(&self, graph: &Graph) -> bool {
        self.graph == graph.id
    }

    /// How many tasks have to run.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether nothing has to run.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The tasks, first to last: each its place among those of the graph.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = usize> {
        self.tasks.iter().map(|&task| task as usize)
    }

    /// The least memory that will do.
    pub fn least(&self) -> Bytes {
        Bytes(self.ahead.first().copied().unwrap_or(0))
    }
}

/// What each task of a graph and all before it would take if the graph were a tree.
struct Estimates {
    /// The peak less what the result keeps; larger goes first.
    above: Vec<u64>,
    declared: bool,
}

impl Estimates {
    fn of(graph: &Graph) -> Estimates {
        let mut out = Estimates { above: Vec::with_capacity(graph.len()), declared: false };
        let mut inputs: Vec<u32> = Vec::new();
        for task in 0..graph.len() as u32 {
            out.declared |= graph.need(task) > 0;
            inputs.clear();
            inputs.extend(graph.inputs(task).iter().rev());
            out.sort(&mut inputs);
            // A result that declares nothing still weighs something, so that the deeper of two inputs goes first.
            let (mut held, mut peak) = (0u64, 0u64);
            for &input in inputs.iter().rev() {
                let kept = graph.kept(input).saturating_add(1);
                peak = peak.max(held.saturating_add(kept).saturating_add(out.above[input as usize]));
                held = held.saturating_add(kept);
            }
            peak = peak.max(held.saturating_add(graph.need(task)).saturating_add(1));
            out.above.push(peak - graph.kept(task).saturating_add(1).min(peak));
        }
        out
    }

    /// Sorts inputs for a stack: what goes first comes last. Equals stay as they are.
    fn sort(&self, inputs: &mut [u32]) {
        if inputs.len() > 1 {
            inputs.sort_by_key(|&input| self.above[input as usize]);
        }
    }
}

impl Graph {
    /// What is leased while a task runs.
    pub(crate) fn need(&self, task: u32) -> u64 {
        if self.is_value(task) { 0 } else { self.job(task).named.need() }
    }

    /// What is leased for its result.
    pub(crate) fn kept(&self, task: u32) -> u64 {
        if self.is_value(task) { 0 } else { self.job(task).named.kept() }
    }

    fn is_value(&self, task: u32) -> bool {
        matches!(self.job(task).work, super::Work::Value(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delayed::{Handle, Task, named};

    fn leaf(graph: &mut Graph, memory: u64, kept: u64) -> Task<u8> {
        graph.task(named("leaf").memory(Bytes(memory)).result_memory(Bytes(kept)), (), |()| Ok(0))
    }

    #[test]
    fn depth_first_the_heavier_branch_first_and_nothing_else() {
        let mut graph = Graph::new();
        let light = leaf(&mut graph, 10, 10);
        let spare = leaf(&mut graph, 1000, 1000);
        let deep = leaf(&mut graph, 50, 5);
        let over = graph.task(named("over").memory(Bytes(30)), &deep, |x| Ok(*x));
        let top = graph.task(named("top").memory(Bytes(7)), (&light, &over, &light), |(x, _, _)| Ok(*x));
        let order = graph.order(&[top.id()]).unwrap();
        let places = [deep, over, light, top].map(|task| task.id().index as usize);
        assert_eq!(order.tasks().collect::<Vec<_>>(), places);
        // 50; 5 + 30; 30 + 10; 40 + 7: the most from each on.
        assert_eq!(order.ahead, [50, 47, 47, 47]);
        assert_eq!(order.least(), Bytes(50));
        let both = graph.order(&[spare.id(), top.id(), spare.id()]).unwrap();
        assert_eq!((both.len(), both.wanted.as_slice()), (5, [0, 4, 0].as_slice()));
        assert_eq!(both.least(), Bytes(1050), "what is asked for stays");
    }

    #[test]
    fn without_memory_the_order_is_that_of_the_inputs() {
        let mut graph = Graph::new();
        let leaves = [0, 1, 2].map(|n| graph.value("leaf", n));
        let sum = graph.task("sum", &[leaves[2], leaves[0], leaves[1]], |x| Ok(x[0]));
        let order = graph.order(&[sum.id()]).unwrap();
        assert_eq!(order.tasks().collect::<Vec<_>>(), [2, 0, 1, 3]);
        assert!(order.ahead.is_empty() && order.least() == Bytes(0));
        assert!(graph.order(&[]).unwrap().is_empty());
    }

    #[test]
    fn sums_beyond_all_memory_do_not_wrap() {
        let mut graph = Graph::new();
        let leaves = [0, 1].map(|_| leaf(&mut graph, u64::MAX, u64::MAX));
        let sum = graph.task(named("sum").memory(Bytes(u64::MAX)), &leaves, |_| Ok(0));
        assert_eq!(graph.order(&[sum.id()]).unwrap().least(), Bytes(u64::MAX));
    }
}
