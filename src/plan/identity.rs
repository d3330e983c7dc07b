use crate::array::{Creation, Folding, Groups, LazyArray, MapOp, Operation};
use std::{collections::HashMap, sync::Arc};

/// A number for each array: the same for arrays that are computed alike, so that equal parts of expressions are
/// computed once however often they were written.
#[derive(Default)]
pub struct Identities {
    /// By where the node lies; the arrays outlive this table.
    by_address: HashMap<usize, usize>,
    by_form: HashMap<String, usize>,
    /// Those that were seen, each once.
    groups: Vec<Groups>,
}

impl Identities {
    /// The number of an array.
    pub fn of(&mut self, array: &LazyArray) -> usize {
        // A stack of its own: expressions that a loop built are deeper than the thread's.
        let mut todo = vec![array];
        while let Some(&next) = todo.last() {
            if self.by_address.contains_key(&next.address()) {
                todo.pop();
                continue;
            }
            let before = todo.len();
            todo.extend(next.inputs().into_iter().filter(|i| !self.by_address.contains_key(&i.address())));
            if todo.len() == before {
                let form = self.form(next);
                let fresh = self.by_form.len();
                let number = *self.by_form.entry(form).or_insert(fresh);
                self.by_address.insert(next.address(), number);
                todo.pop();
            }
        }
        self.by_address[&array.address()]
    }

    /// Everything that decides about the values, and about the order in which folds go through them.
    fn form(&mut self, array: &LazyArray) -> String {
        let inputs: Vec<usize> = array.inputs().iter().map(|i| self.by_address[&i.address()]).collect();
        let at = |address: *const ()| address.addr();
        let what = match array.operation() {
            Operation::Source(source) => {
                let origin = source.origin();
                format!("source {:?} {}", origin.file, origin.variable)
            }
            Operation::Decode { decode, .. } => format!("decode {decode:?}"),
            Operation::Create(Creation::Data(data)) => format!("data {}", at(Arc::as_ptr(data).cast())),
            Operation::Create(creation) => format!("create {creation:?}"),
            Operation::Map { op: MapOp::Lookup { how, table }, .. } => {
                format!("lookup {how:?} {}", at(Arc::as_ptr(table).cast()))
            }
            Operation::Map { op, .. } => format!("map {op:?}"),
            Operation::View { view, .. } => format!("view {view:?}"),
            Operation::Reshape { .. } => "reshape".to_string(),
            Operation::Concat { axis, .. } => format!("concat {axis}"),
            Operation::Take { axis, index, .. } => format!("take {axis} {}", at(Arc::as_ptr(index).cast())),
            Operation::TakeAlong { axis, .. } => format!("take along {axis}"),
            Operation::Lanes { axis, op, .. } => format!("lanes {axis} {op:?}"),
            Operation::Rolling { axis, window, op, options, .. } => {
                format!("rolling {axis} {window:?} {op:?} {options:?}")
            }
            Operation::MatMul { .. } => "matmul".to_string(),
            Operation::Blocks { function, overlap, .. } => {
                format!("blocks {} {overlap:?}", at(Arc::as_ptr(function).cast()))
            }
            Operation::Rechunk { .. } => "rechunk".to_string(),
            Operation::Reduce { op, reduced, options, .. } => format!("reduce {op:?} {reduced:?} {options:?}"),
            Operation::Fold { reducer, reduced, .. } => format!("fold {} {reduced:?}", at(Arc::as_ptr(reducer).cast())),
            Operation::Grouped { fold, groups, grouped, reduced, .. } => {
                let how = match fold {
                    Folding::Op { op, options } => format!("{op:?} {options:?}"),
                    Folding::Own(reducer) => at(Arc::as_ptr(reducer).cast()).to_string(),
                };
                format!("grouped {how} {} {grouped:?} {reduced:?}", self.groups(groups))
            }
            Operation::Hold { .. } => "hold".to_string(),
        };
        format!("{what} {inputs:?} {} {} {}", array.dtype(), array.shape(), array.chunk())
    }

    /// The number of some groups: the same for equal labels.
    fn groups(&mut self, groups: &Groups) -> usize {
        if let Some(known) = self.groups.iter().position(|g| g == groups) {
            return known;
        }
        self.groups.push(groups.clone());
        self.groups.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn what_is_written_twice_is_one() {
        let x = || LazyArray::ones(&[4, 4], &[2, 2], DType::F64).unwrap();
        let mut ids = Identities::default();
        let (a, b) = (x() * 2.0 + x().transpose(), x() * 2.0 + x().transpose());
        assert!(!a.is(&b));
        assert_eq!(ids.of(&a), ids.of(&b));
        assert_ne!(ids.of(&a), ids.of(&(x() * 3.0 + x().transpose())));
        assert_ne!(ids.of(&x()), ids.of(&x().rechunk(&[4, 4]).unwrap()));
    }

    #[test]
    fn equal_labels_are_the_same_groups() {
        let x = LazyArray::ones(&[4, 4], &[2, 2], DType::F64).unwrap();
        let grouped = |labels: [u32; 4]| {
            let groups = Groups::new(labels.to_vec(), 2).unwrap();
            x.grouped(crate::kernels::fold::Op::Sum, &[0], &groups, Default::default()).unwrap()
        };
        let all = [[0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]].map(grouped);
        let mut ids = Identities::default();
        let numbers = all.each_ref().map(|a| ids.of(a));
        assert_eq!(numbers[0], numbers[1]);
        assert_ne!(numbers[0], numbers[2]);
    }

    #[test]
    fn deep_expressions_do_not_exhaust_the_stack() {
        let mut x = LazyArray::ones(&[2], &[2], DType::F64).unwrap();
        let mut all = Vec::new();
        for _ in 0..100_000 {
            x = &x + 1.0;
            // Kept alive, so that this test is not about dropping.
            all.push(x.clone());
        }
        Identities::default().of(&x);
        while let Some(last) = all.pop() {
            drop(std::mem::replace(&mut x, last));
        }
    }
}
