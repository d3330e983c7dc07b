//! What is wanted by name becomes positions: [`resolve`].

use super::{
    DimKey, Selection, Want, key,
    label::{CIRCLE, Found, Labels, Near},
    mask::Mask,
    no_dimension,
    part::{Part, pick},
    times::Times,
};
use crate::{
    array::LazyArray,
    cf::horizontal::is_longitude,
    dataset::{Dataset, Order, scope},
    dtype::DType,
    error::{Error, Problem, Result},
    source::{Group, StoredType, VarMeta},
};
use std::collections::{BTreeSet, HashMap};

/// What a selection means for a dataset.
#[derive(Default)]
pub(super) struct Resolved {
    /// What is taken of each dimension.
    pub parts: HashMap<DimKey, Part>,
    /// What is inside ranges of coordinates of two dimensions.
    pub masks: Vec<Mask>,
    /// Coordinates whose labels are moved, and by how much.
    pub moved: Vec<(String, Vec<f64>)>,
}

/// The positions that a selection means.
///
/// # Errors
/// When there is no such dimension or coordinate, one is named twice, or nothing in it is what is asked for.
pub(super) fn resolve(of: &Dataset, selection: &Selection) -> Result<Resolved> {
    let near = Near { inexact: selection.inexact, tolerance: selection.tolerance };
    let chosen = selection.variables.iter().map(|name| of.variable(name));
    // A name that is nowhere is said where it is used.
    let read = scope::with_describing(of.root(), chosen).unwrap_or_default();
    let mut resolving = Resolving { of, root: of.root(), read, near, done: Resolved::default(), inside: Vec::new() };
    for (name, want) in &selection.wants {
        let resolved = match want {
            Want::Positions(text) => resolving.positions(name, text),
            Want::Labels(text) => resolving.labels(name, text),
        };
        resolved.map_err(|e| named(e, name))?;
    }
    for (name, order) in &selection.orders {
        resolving.order(name, order).map_err(|e| named(e, name))?;
    }
    resolving.mask()?;
    Ok(resolving.done)
}

/// What is wrong, behind the name that was asked for.
fn named(e: Error, name: &str) -> Error {
    match e.problem() {
        Problem::Usage { problem } => Error::usage(format!("'{name}': {problem}")),
        _ => e,
    }
}

/// Places inside a range of one coordinate of two dimensions.
struct Inside {
    dims: [DimKey; 2],
    names: [String; 2],
    coordinate: String,
    places: Vec<bool>,
}

struct Resolving<'a> {
    of: &'a Dataset,
    root: &'a Group,
    /// The variables that will be read; none means any.
    read: BTreeSet<String>,
    near: Near,
    done: Resolved,
    inside: Vec<Inside>,
}

impl<'a> Resolving<'a> {
    /// Every dimension of the name, with a variable that has it: those of what will be read, if that has any.
    fn dims(&self, name: &str) -> Vec<(DimKey, &'a VarMeta)> {
        match self.dims_of(name, |path| self.read.contains(path)) {
            none if none.is_empty() => self.dims_of(name, |_| true),
            some => some,
        }
    }

    fn dims_of(&self, name: &str, counts: impl Fn(&str) -> bool) -> Vec<(DimKey, &'a VarMeta)> {
        let mut out: Vec<(DimKey, &VarMeta)> = Vec::new();
        for var in self.root.all_vars().into_iter().filter(|var| counts(&var.path)) {
            for k in (0..var.dims.len()).filter(|&k| var.dims[k] == name) {
                let key = key(self.root, var, k);
                if out.iter().all(|(known, _)| *known != key) {
                    out.push((key, var));
                }
            }
        }
        out
    }

    fn set(&mut self, key: DimKey, part: Part) -> Result<()> {
        let name = key.1.clone();
        match self.done.parts.insert(key, part) {
            None => Ok(()),
            Some(_) => Err(Error::usage(format!("two selections of the dimension '{name}'"))),
        }
    }

    fn positions(&mut self, name: &str, text: &str) -> Result<()> {
        let dims = self.dims(name);
        if dims.is_empty() {
            return Err(no_dimension(self.root, name));
        }
        for (key, _) in dims {
            let part = places(text, key.2)?;
            self.set(key, part)?;
        }
        Ok(())
    }

    /// A dimension in another order: those of its name and length.
    fn order(&mut self, name: &str, order: &Order) -> Result<()> {
        for (key, var) in self.dims(name) {
            if key.2 != order.positions.len() as u64 {
                continue;
            }
            if let Some(coordinate) = labels_of(self.root, var.group(), name).filter(|_| !order.circles.is_empty()) {
                let moved = order.circles.iter().map(|&n| n as f64 * CIRCLE).collect();
                self.done.moved.push((coordinate.path.clone(), moved));
            }
            self.set(key, Part::of(&order.positions))?;
        }
        Ok(())
    }

    fn labels(&mut self, name: &str, text: &str) -> Result<()> {
        let dims = self.dims(name);
        if dims.is_empty() {
            let Some(variable) = self.coordinate(name) else { return Err(no_dimension(self.root, name)) };
            return self.along(variable, text);
        }
        let mut found = false;
        for (key, var) in dims {
            let Some(coordinate) = labels_of(self.root, var.group(), name) else { continue };
            found = true;
            self.take(key, coordinate, text)?;
        }
        match found {
            true => Ok(()),
            false => {
                Err(Error::usage(format!("the dimension has no coordinate; take positions, as --isel {name}=0:10")))
            }
        }
    }

    /// A variable that is no dimension's, but labels one.
    fn coordinate(&self, name: &str) -> Option<&'a VarMeta> {
        self.root.var(name).or_else(|| self.root.all_vars().into_iter().find(|v| v.name() == name))
    }

    fn along(&mut self, variable: &'a VarMeta, text: &str) -> Result<()> {
        let is_text = variable.stored == StoredType::Char;
        match (variable.dims.len() - usize::from(is_text && !variable.dims.is_empty()), variable.stored.dtype()) {
            (0, _) => Err(Error::usage("it is a single value, and no coordinate of a dimension")),
            (1, _) => self.take(key(self.root, variable, 0), variable, text),
            (2, Some(_)) => self.inside(variable, text),
            (n, _) => Err(Error::usage(format!("a coordinate of {n} dimensions; take positions with --isel"))),
        }
    }

    fn take(&mut self, key: DimKey, coordinate: &VarMeta, text: &str) -> Result<()> {
        let found = self.labels_in(coordinate)?.find(text, self.near)?;
        let Found { positions, is_one, moved } = found;
        let part = match (is_one, positions.first()) {
            (true, Some(at)) => Part::At(*at),
            _ => Part::of(&positions),
        };
        if !moved.is_empty() {
            self.done.moved.push((coordinate.path.clone(), moved));
        }
        self.set(key, part)
    }

    fn labels_in(&self, coordinate: &VarMeta) -> Result<Labels> {
        let Some(stored) = coordinate.stored.dtype() else {
            return Ok(Labels::Texts(self.of.texts(&coordinate.path)?));
        };
        let values = self.of.numbers(&coordinate.path)?;
        if let Some(times) = Times::of(&coordinate.attrs, &values) {
            return Ok(Labels::Times(times));
        }
        Ok(Labels::Numbers {
            values,
            single: stored == DType::F32,
            circle: is_longitude(coordinate.name(), &coordinate.attrs),
        })
    }

    /// What lies inside a range of a coordinate of two dimensions.
    fn inside(&mut self, coordinate: &VarMeta, text: &str) -> Result<()> {
        if !text.contains(':') {
            return Err(Error::usage("it has two dimensions; give a range, as 30:60"));
        }
        let found = self.labels_in(coordinate)?.find(text, self.near)?;
        let mut places = vec![false; coordinate.shape.elements()? as usize];
        found.positions.iter().for_each(|&k| places[k as usize] = true);
        self.inside.push(Inside {
            dims: [0, 1].map(|k| key(self.root, coordinate, k)),
            names: [0, 1].map(|k| coordinate.dims[k].clone()),
            coordinate: coordinate.path.clone(),
            places,
        });
        Ok(())
    }

    /// The smallest region with all that is inside, and the mask over it.
    fn mask(&mut self) -> Result<()> {
        let mut all: Vec<Inside> = Vec::new();
        for one in std::mem::take(&mut self.inside) {
            match all.iter_mut().find(|a| a.dims == one.dims) {
                Some(known) => known.places.iter_mut().zip(one.places).for_each(|(a, b)| *a &= b),
                None => all.push(one),
            }
        }
        for Inside { dims, names, coordinate, places } in all {
            let shape = [dims[0].2, dims[1].2];
            let is_in = |k: usize, at: u64| {
                let mut along = (0..shape[1 - k]).map(|j| if k == 0 { at * shape[1] + j } else { j * shape[1] + at });
                along.any(|n| places[n as usize])
            };
            let ends = [0, 1].map(|k| {
                let first = (0..shape[k]).find(|&at| is_in(k, at))?;
                let last = (0..shape[k]).rfind(|&at| is_in(k, at))?;
                Some(Part::Slice { start: first, count: last - first + 1, step: 1 })
            });
            let [Some(rows), Some(columns)] = ends else {
                return Err(named(Error::usage("no place is inside all of the ranges"), &coordinate));
            };
            let cut = pick(&places, &shape, &[Some(&rows), Some(&columns)]);
            let lengths = [rows.len().unwrap_or(0), columns.len().unwrap_or(0)];
            let inside = LazyArray::from_bools(&cut, &lengths, &lengths)?.with_dims(&[&names[0], &names[1]])?;
            for (key, part) in dims.iter().zip([rows, columns]) {
                self.set(key.clone(), part).map_err(|e| named(e, &coordinate))?;
            }
            let spared: BTreeSet<String> = scope::coordinates(self.root).into_iter().chain([coordinate]).collect();
            self.done.masks.push(Mask { dims, inside, spared });
        }
        Ok(())
    }
}

/// What labels a dimension: its coordinate, or characters of its name.
fn labels_of<'a>(root: &'a Group, group: &str, name: &str) -> Option<&'a VarMeta> {
    let words = || {
        let found = scope::variable(root, group, name)?;
        (found.stored == StoredType::Char && found.dims.len() == 2 && found.dims[0] == name).then_some(found)
    };
    scope::coordinate(root, group, name).or_else(words)
}

/// Positions by Python's rules, on an axis of `len`.
fn places(text: &str, len: u64) -> Result<Part> {
    let number = |word: &str| {
        let word = word.trim();
        word.parse::<i64>()
            .map_err(|_| Error::usage(format!("'{word}' is no position; positions are as 3, -1, 0,2,5 or 0:10:2")))
    };
    let place = |at: i64| {
        let here = if at < 0 { at.saturating_add(len as i64) } else { at };
        u64::try_from(here)
            .ok()
            .filter(|here| *here < len)
            .ok_or_else(|| Error::usage(format!("there is no position {at}; it has {len}")))
    };
    if !text.contains(':') {
        let all = text.split(',').map(|word| number(word).and_then(place)).collect::<Result<Vec<u64>>>()?;
        return Ok(if let [one] = all[..] { Part::At(one) } else { Part::of(&all) });
    }
    let words: Vec<&str> = text.split(':').collect();
    let end = |k: usize| match words.get(k).map_or("", |w| w.trim()) {
        "" => Ok(None),
        word => number(word).map(Some),
    };
    let step = end(2)?.unwrap_or(1);
    if words.len() > 3 || step == 0 {
        return Err(Error::usage(format!("'{text}' is no slice; slices are as 0:10 or 0:10:2, and steps not 0")));
    }
    let (start, count) = crate::array::index::resolve(end(0)?, end(1)?, step, len);
    if count == 0 {
        return Err(Error::usage(format!("nothing lies in {text}; it has {len} positions")));
    }
    Ok(Part::Slice { start, count, step })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_python() {
        assert_eq!(places("3", 5).unwrap(), Part::At(3));
        assert_eq!(places("-1", 5).unwrap(), Part::At(4));
        assert_eq!(places("0:10:2", 5).unwrap(), Part::Slice { start: 0, count: 3, step: 2 });
        assert_eq!(places("::-1", 5).unwrap(), Part::Slice { start: 4, count: 5, step: -1 });
        assert_eq!(places("4,0,-1", 5).unwrap().positions(), [4, 0, 4]);
        for (text, says) in [
            ("5", "no position 5; it has 5"),
            ("-6", "no position -6"),
            ("3:3", "nothing lies in"),
            ("a", "'a' is no position"),
            ("0:1:0", "is no slice"),
            ("1:2:3:4", "is no slice"),
        ] {
            let e = places(text, 5).unwrap_err().to_string();
            assert!(e.contains(says), "{text}: {e}");
        }
    }
}
