//! Where arrays meet that have a dimension in common: they meet by its labels, and dates of other years by position.

use super::{
    groups::Grouped,
    known::positions,
    value::{Bound, Failure, Quantity},
};
use crate::{
    dataset::{Dataset, Dates, Labels, Meeting, Order, Taken},
    error::Problem,
    source::VarMeta,
};
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Labels by input and path.
type Known = HashMap<(usize, String), Option<Arc<Labels>>>;

/// The labels of all inputs' dimensions, as far as they were asked for, and what was found where they met.
pub(super) struct Places {
    pub datasets: Arc<[Dataset]>,
    known: RefCell<Known>,
    notes: RefCell<BTreeSet<String>>,
}

/// What labels a dimension of an array.
pub(super) enum Named<'q> {
    /// A coordinate of an input, at what is left of it.
    Coordinate { input: usize, path: String, taken: &'q [(String, Taken)] },
    /// Groups.
    Groups { of: &'q Grouped, key: usize },
}

impl<'q> Named<'q> {
    /// That of the whole dimension.
    pub fn whole(self) -> Named<'q> {
        match self {
            Named::Coordinate { input, path, .. } => Named::Coordinate { input, path, taken: &[] },
            groups => groups,
        }
    }

    fn input(&self) -> usize {
        match self {
            Named::Coordinate { input, .. } => *input,
            Named::Groups { of, .. } => of.input,
        }
    }

    /// Whether both are the same coordinate, of which whoever takes parts says which positions meet.
    pub fn is(&self, other: &Named) -> bool {
        match (self, other) {
            (Named::Coordinate { input, path, .. }, Named::Coordinate { input: other, path: there, .. }) => {
                (input, path) == (other, there)
            }
            (Named::Groups { of, .. }, Named::Groups { of: other, .. }) => Arc::ptr_eq(&of.grouping, &other.grouping),
            _ => false,
        }
    }
}

impl Places {
    pub fn new(datasets: Arc<[Dataset]>) -> Places {
        Places { datasets, known: RefCell::default(), notes: RefCell::default() }
    }

    /// What was found, in words.
    pub fn notes(self) -> Vec<String> {
        self.notes.into_inner().into_iter().collect()
    }

    /// Keeps what a user should know.
    pub fn say(&self, note: String) {
        self.notes.borrow_mut().insert(note);
    }

    /// Arrays with each in the order of those before it, along all dimensions that they share but for one.
    ///
    /// # Errors
    /// Where labels are others.
    pub fn together<const N: usize>(&self, all: [&Quantity; N]) -> Bound<[Quantity; N]> {
        let mut out = all.map(Quantity::clone);
        self.put_together(&mut out, None)?;
        Ok(out)
    }

    /// As [`together`](Places::together), of any number of arrays, and without looking at the dimension `apart`.
    pub fn put_together(&self, all: &mut [Quantity], apart: Option<&str>) -> Bound<()> {
        for k in 1..all.len() {
            let (before, behind) = all.split_at_mut(k);
            let Some(own) = behind.first_mut() else { continue };
            for axis in 0..own.dims().len() {
                let dim = own.dims()[axis].clone();
                let n = own.array.shape()[axis];
                let has =
                    |q: &&Quantity| q.dims().iter().position(|d| *d == dim).is_some_and(|k| q.array.shape()[k] == n);
                if apart == Some(dim.as_str()) {
                    continue;
                }
                for first in before.iter().filter(has) {
                    let (Some(a), Some(b)) = (self.named(first, &dim)?, self.named(own, &dim)?) else { continue };
                    if let Some(order) = self.order(&dim, &a, &b)? {
                        own.array = order.of(&own.array, axis).map_err(Failure::Input)?;
                        let positions = order.positions.iter().map(|&at| at as i64).collect();
                        own.taken.push((dim.clone(), Taken::Positions(positions)));
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    /// What labels a dimension of an array; `None` where nothing does.
    pub fn named<'q>(&self, q: &'q Quantity, dim: &str) -> Bound<Option<Named<'q>>> {
        for of in &q.groups {
            let Some(key) = of.grouping.keys.iter().position(|key| key.name == dim) else { continue };
            // Bins of time are called like what they cut.
            let is_whole = q.taken.iter().all(|(d, _)| d != dim) && !of.grouping.dims.iter().any(|d| d == dim);
            return Ok(is_whole.then_some(Named::Groups { of, key }));
        }
        for used in &q.from {
            let dataset = &self.datasets[used.input];
            let meta = dataset.variable(&used.path).map_err(Failure::Input)?;
            let Some(found) = dataset.coordinate(meta.group(), dim).filter(|_| meta.dims.iter().any(|d| d == dim))
            else {
                continue;
            };
            return Ok(Some(Named::Coordinate { input: used.input, path: found.path.clone(), taken: &q.taken }));
        }
        Ok(None)
    }

    /// The order in which the second is to be read; `None` where that is its own.
    ///
    /// # Errors
    /// Where labels are others.
    pub fn order(&self, dim: &str, first: &Named, second: &Named) -> Bound<Option<Order>> {
        if first.is(second) {
            return Ok(None);
        }
        let (Some(a), Some(b)) = (self.left(dim, first)?, self.left(dim, second)?) else { return Ok(None) };
        if a.len() != b.len() {
            return Ok(None);
        }
        let [had, here] = [first, second].map(|named| self.datasets[named.input()].path());
        match a.meet(&b) {
            Meeting::Same | Meeting::Dates(Dates::Others) => Ok(None),
            Meeting::Turned(order) if order.stays() => Ok(None),
            Meeting::Turned(order) => {
                self.say(format!(
                    "'{dim}' of {} is {}, in the order of {}",
                    here.display(),
                    order.said(),
                    had.display()
                ));
                Ok(Some(order))
            }
            Meeting::Dates(Dates::Calendars(own, other)) => {
                self.say(format!(
                    "'{dim}' of {} is of the calendar {other}, and {own} in {}; values meet by position",
                    here.display(),
                    had.display()
                ));
                Ok(None)
            }
            Meeting::Dates(Dates::Shifted(own, other)) => {
                let is_part = |named: &Named| match named {
                    Named::Coordinate { taken, .. } => taken.iter().any(|(d, _)| d == dim),
                    Named::Groups { .. } => false,
                };
                // Whoever takes parts says which dates meet, as for a lag.
                if !is_part(first) && !is_part(second) {
                    self.say(format!(
                        "'{dim}' of {} begins {other}, and {own} in {}; values meet by position, and not by dates that both \
                         have",
                        here.display(),
                        had.display()
                    ));
                }
                Ok(None)
            }
            Meeting::Apart { at, first, second } => {
                let problem = Problem::OtherLabels { dim: dim.to_string(), at, second, first, file: had.to_path_buf() };
                Err(Failure::Input(crate::error::Error::from(problem).in_file(here)))
            }
        }
    }

    /// The order in which all of an input's dimension is to be read so that it is that of all of an array's, whatever was
    /// taken of that since.
    pub fn whole_order(&self, dim: &str, of: &Quantity, (input, meta): (usize, &VarMeta)) -> Bound<Option<Order>> {
        let (Some(first), Some(own)) = (self.named(of, dim)?, self.datasets[input].coordinate(meta.group(), dim))
        else {
            return Ok(None);
        };
        self.order(dim, &first.whole(), &Named::Coordinate { input, path: own.path.clone(), taken: &[] })
    }

    /// The labels of what is left of a dimension; `None` where that cannot be said.
    fn left(&self, dim: &str, named: &Named) -> Bound<Option<Arc<Labels>>> {
        match named {
            Named::Groups { of, key } => Ok(Some(Arc::new(Labels::of_groups(&of.grouping.keys[*key].labels)))),
            Named::Coordinate { input, path, taken } => {
                let Some(labels) = self.labels(*input, path)? else { return Ok(None) };
                if taken.iter().all(|(d, _)| d != dim) {
                    return Ok(Some(labels));
                }
                let left = positions(taken, dim, labels.len() as u64);
                Ok(left.map(|left| Arc::new(labels.at(&left))))
            }
        }
    }

    /// The labels of all of a coordinate.
    fn labels(&self, input: usize, path: &str) -> Bound<Option<Arc<Labels>>> {
        let key = (input, path.to_string());
        if let Some(known) = self.known.borrow().get(&key) {
            return Ok(known.clone());
        }
        let dataset = &self.datasets[input];
        let read = dataset.variable(path).and_then(|meta| Labels::of(dataset, meta)).map_err(Failure::Input)?;
        let labels = read.map(Arc::new);
        self.known.borrow_mut().insert(key, labels.clone());
        Ok(labels)
    }
}
