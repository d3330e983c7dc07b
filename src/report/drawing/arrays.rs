//! The arrays that a drawing is about: those given and all that they are made of.

use super::Chains;
use crate::{
    array::{Along, Creation, LazyArray, MapOp, Operation, View, common_block},
    dtype::Scalar,
    error::Result,
    grid::Grid,
    kernels::elementwise::Binary,
    plan::Identities,
    shape::{Region, Shape},
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Longer formulas are named by their last function.
const FORMULA_CHARS_MAX: usize = 28;

/// One array, or several that are computed alike.
pub struct Entry {
    pub array: LazyArray,
    /// Its inputs' places among the entries.
    pub inputs: Vec<usize>,
    /// The blocks in which it is drawn.
    pub grid: Grid,
    /// What it is called: the name that it was given, or its formula.
    pub name: String,
    pub given: bool,
    /// Whether it is drawn, or looked through.
    pub drawn: bool,
    /// The functions that make it, those of chains that end here first.
    pub functions: Vec<String>,
}

/// All arrays, inputs before what is made of them.
pub struct Arrays(pub Vec<Entry>);

impl Arrays {
    pub fn new(given: &[(String, LazyArray)], chains: Chains) -> Result<Arrays> {
        let given: Vec<(&str, &LazyArray)> = given.iter().map(|(name, a)| (name.as_str(), behind(a))).collect();
        let mut ids = Identities::default();
        let mut places: HashMap<usize, usize> = HashMap::new();
        let mut out: Vec<Entry> = Vec::new();
        let mut todo: Vec<&LazyArray> = given.iter().rev().map(|(_, a)| *a).collect();
        while let Some(&next) = todo.last() {
            let id = ids.of(next);
            if places.contains_key(&id) {
                todo.pop();
                continue;
            }
            let before = todo.len();
            todo.extend(next.inputs().into_iter().rev().filter(|i| !places.contains_key(&ids.of(i))));
            if todo.len() == before {
                todo.pop();
                let inputs: Vec<usize> = next.inputs().into_iter().map(|i| places[&ids.of(i)]).collect();
                let name = given.iter().find(|(_, a)| ids.of(a) == id).map(|(name, _)| *name);
                places.insert(id, out.len());
                let entry = Entry::new(next, inputs, name, &out)?;
                out.push(entry);
            }
        }
        let mut arrays = Arrays(out);
        arrays.look_through(chains);
        Ok(arrays)
    }

    /// Marks what is drawn. An array that only shows another one's elements in their order is looked through; so is,
    /// in fused drawings, a link of a chain that only one drawn array uses, whose functions go to that array.
    fn look_through(&mut self, chains: Chains) {
        let mut users: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.0.len()];
        for place in (0..self.0.len()).rev() {
            let entry = &self.0[place];
            let elementwise = matches!(entry.array.operation(), Operation::Map { .. } | Operation::View { .. });
            let link = chains == Chains::Fused && elementwise && users[place].len() == 1;
            let through = !entry.given && (link || shows_another(&entry.array) || is_number(&entry.array));
            for input in entry.inputs.clone() {
                let of = if through { users[place].clone() } else { BTreeSet::from([place]) };
                users[input].extend(of);
            }
            self.0[place].drawn = !through;
        }
        let mut before: HashMap<usize, Vec<String>> = HashMap::new();
        for (entry, users) in self.0.iter_mut().zip(&users) {
            let functions = if entry.drawn { Vec::new() } else { std::mem::take(&mut entry.functions) };
            if let (Some(&user), false) = (users.first(), shows_another(&entry.array)) {
                before.entry(user).or_default().extend(functions);
            }
        }
        for (place, mut functions) in before {
            functions.append(&mut self.0[place].functions);
            self.0[place].functions = functions;
        }
    }

    /// The drawn blocks that a region of an array is made of, or, of a drawn array, the blocks that hold it: the
    /// array's place and the block's number.
    pub fn reach(&self, place: usize, region: &Region) -> BTreeSet<(usize, u64)> {
        let mut out = BTreeSet::new();
        let mut todo = vec![(place, region.clone())];
        let mut seen = HashSet::new();
        while let Some((place, region)) = todo.pop() {
            let entry = &self.0[place];
            if entry.drawn {
                let holds = entry.grid.overlapping(&region).map(|index| (place, entry.grid.number(&index)));
                out.extend(holds);
            } else if seen.insert((place, region.clone())) {
                let access = entry.array.access(&region).into_iter();
                todo.extend(access.map(|a| (entry.inputs[a.input], a.region)));
            }
        }
        out
    }

    /// The drawn blocks that a region of an array is computed from.
    pub fn sources(&self, place: usize, region: &Region) -> BTreeSet<(usize, u64)> {
        let entry = &self.0[place];
        entry.array.access(region).iter().flat_map(|a| self.reach(entry.inputs[a.input], &a.region)).collect()
    }

    /// The drawn arrays that an array is computed from.
    pub fn made_of(&self, place: usize) -> BTreeSet<usize> {
        let (mut out, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut todo = self.0[place].inputs.clone();
        while let Some(next) = todo.pop() {
            if self.0[next].drawn {
                out.insert(next);
            } else if seen.insert(next) {
                todo.extend(&self.0[next].inputs);
            }
        }
        out
    }
}

impl Entry {
    fn new(array: &LazyArray, inputs: Vec<usize>, given: Option<&str>, all: &[Entry]) -> Result<Entry> {
        let names: Vec<&str> = inputs.iter().map(|&i| all[i].name.as_str()).collect();
        let of: Vec<&Entry> = inputs.iter().map(|&i| &all[i]).collect();
        let name = given.map_or_else(|| formula(array, &names), str::to_string);
        let functions = match array.operation() {
            Operation::Source(_) | Operation::Create(_) => Vec::new(),
            _ => vec![function(array)],
        };
        let grid = Grid::new(array.shape().clone(), drawn_block(array, &of))?;
        Ok(Entry { array: array.clone(), inputs, grid, name, given: given.is_some(), drawn: true, functions })
    }
}

/// The array whose values an array has, where it only decodes, names or holds them.
fn behind(array: &LazyArray) -> &LazyArray {
    match array.operation() {
        Operation::Decode { input, .. } | Operation::Hold { input } => behind(input),
        Operation::View { input, view } if view.is_identity(input.shape()) => behind(input),
        _ => array,
    }
}

fn shows_another(array: &LazyArray) -> bool {
    match array.operation() {
        Operation::Decode { .. } | Operation::Hold { .. } => true,
        Operation::View { input, view } => view.is_broadcast(input.shape()),
        _ => false,
    }
}

fn is_number(array: &LazyArray) -> bool {
    array.ndim() == 0 && array.as_scalar().is_some()
}

/// The engine takes blocks of a product together until they are a large tile; a drawing shows them by the rows and
/// columns of blocks that they come from, and what is computed from them alike.
fn drawn_block(array: &LazyArray, inputs: &[&Entry]) -> Shape {
    let finer = inputs.iter().any(|e| e.grid.chunk() != e.array.chunk());
    match array.operation() {
        Operation::MatMul { .. } => {
            let mut block = array.chunk().clone();
            let (rows, columns) = (array.ndim() - 2, array.ndim() - 1);
            block.0[rows] = inputs[0].grid.chunk()[rows].clamp(1, array.shape()[rows].max(1));
            block.0[columns] = inputs[1].grid.chunk()[columns].clamp(1, array.shape()[columns].max(1));
            block
        }
        Operation::Map { .. } if finer => {
            let blocks: Vec<Vec<u64>> = inputs.iter().filter(|e| e.array.ndim() > 0).map(|e| own_block(e)).collect();
            let blocks: Vec<&[u64]> = blocks.iter().map(Vec::as_slice).collect();
            common_block(array.shape(), &blocks, array.dtype().size())
        }
        Operation::View { view, .. } if finer => {
            let mut block = array.chunk().clone();
            for (along, &of) in view.axes.iter().zip(inputs[0].grid.chunk().iter()) {
                if let Along::Axis { axis, step, .. } = *along {
                    block.0[axis] = of.div_ceil(step.unsigned_abs()).clamp(1, array.shape()[axis].max(1));
                }
            }
            block
        }
        Operation::Reduce { reduced, .. } | Operation::Fold { reduced, .. } if finer => {
            let block = inputs[0].grid.chunk().iter().zip(reduced);
            block.filter(|(_, gone)| !**gone).map(|(&n, _)| n).collect()
        }
        Operation::Decode { .. } | Operation::Hold { .. } => inputs[0].grid.chunk().clone(),
        _ => array.chunk().clone(),
    }
}

/// The block, 0 along axes where the array repeats itself, and so cares for no blocks.
fn own_block(entry: &Entry) -> Vec<u64> {
    let cares = |k: usize| match entry.array.operation() {
        Operation::View { view, .. } => {
            view.axes.iter().any(|along| matches!(along, Along::Axis { axis, .. } if *axis == k))
        }
        _ => true,
    };
    entry.grid.chunk().iter().enumerate().map(|(k, &n)| if cares(k) { n } else { 0 }).collect()
}

/// What a circle says.
fn function(array: &LazyArray) -> String {
    match array.operation() {
        Operation::Source(_) => "read".to_string(),
        Operation::Decode { .. } => "decode".to_string(),
        Operation::Create(_) => "create".to_string(),
        Operation::Map { op, .. } => op.name().to_string(),
        Operation::View { input, view } => view_name(view, input.shape()).to_string(),
        Operation::Reshape { .. } => "reshape".to_string(),
        Operation::Concat { .. } => "concat".to_string(),
        Operation::Take { .. } => "take".to_string(),
        Operation::TakeAlong { .. } => "take along".to_string(),
        Operation::Lanes { op, .. } => op.name().to_string(),
        Operation::Rolling { op, .. } => format!("rolling {op}"),
        Operation::MatMul { .. } => "dot".to_string(),
        Operation::Blocks { function, .. } => function.name().to_string(),
        Operation::Rechunk { .. } => "rechunk".to_string(),
        Operation::Reduce { op, .. } => op.name().to_string(),
        Operation::Fold { reducer, .. } => reducer.name().to_string(),
        Operation::Grouped { fold, .. } => format!("grouped {}", fold.name()),
        Operation::Hold { .. } => "hold".to_string(),
    }
}

fn view_name(view: &View, of: &Shape) -> &'static str {
    if view.is_broadcast(of) {
        return "broadcast";
    }
    let mut axes = Vec::new();
    let (mut turned, mut whole) = (false, true);
    for (along, &n) in view.axes.iter().zip(of.iter()) {
        match *along {
            Along::Axis { axis, start, step } => {
                axes.push(axis);
                turned |= step == -1;
                let first = if step < 0 { n.saturating_sub(1) } else { 0 };
                whole &= step.unsigned_abs() == 1 && view.shape[axis] == n && start == first;
            }
            Along::At(_) => whole &= n == 1,
        }
    }
    match (whole, axes.is_sorted(), turned) {
        (true, false, false) => "transpose",
        (true, true, true) => "flip",
        _ if axes.windows(2).any(|w| w[0] == w[1]) => "diagonal",
        _ => "slice",
    }
}

/// The array in a few words, of what its inputs are called.
fn formula(array: &LazyArray, inputs: &[&str]) -> String {
    let nested = |k: usize| {
        let text = inputs[k];
        if text.contains(' ') && !text.ends_with(')') { format!("({text})") } else { text.to_string() }
    };
    let infix = |sign: &str| format!("{} {sign} {}", nested(0), nested(1));
    let text = match array.operation() {
        Operation::Source(source) => source.meta().path.clone(),
        Operation::Create(creation) => return created(array, creation),
        Operation::Decode { .. } | Operation::Hold { .. } => inputs[0].to_string(),
        Operation::Map { op: MapOp::Cast, .. } => inputs[0].to_string(),
        Operation::Map { op: MapOp::Binary(Binary::Add), .. } => infix("+"),
        Operation::Map { op: MapOp::Binary(Binary::Subtract), .. } => infix("-"),
        Operation::Map { op: MapOp::Binary(Binary::Multiply), .. } => infix("*"),
        Operation::Map { op: MapOp::Binary(Binary::Divide), .. } => infix("/"),
        Operation::View { .. } if shows_another(array) => inputs[0].to_string(),
        Operation::View { .. } if array.ndim() == 2 && function(array) == "transpose" => format!("{}.T", nested(0)),
        Operation::MatMul { .. } => format!("{}.dot({})", nested(0), inputs[1]),
        Operation::Reduce { input, reduced, .. }
        | Operation::Fold { input, reduced, .. }
        | Operation::Grouped { input, reduced, .. } => {
            format!("{}({}{})", function(array), inputs[0], along(input, reduced))
        }
        _ => format!("{}({})", function(array), inputs.join(", ")),
    };
    if text.chars().count() > FORMULA_CHARS_MAX { function(array) } else { text }
}

/// Which axes are reduced, as a second argument; nothing where all are.
fn along(input: &LazyArray, reduced: &[bool]) -> String {
    if reduced.iter().all(|r| *r) {
        return String::new();
    }
    let axes = reduced.iter().enumerate().filter(|(_, r)| **r).map(|(k, _)| match input.dims() {
        Some(dims) => dims[k].clone(),
        None => k.to_string(),
    });
    let axes: Vec<String> = axes.collect();
    match (input.dims(), &axes[..]) {
        (Some(_), _) => format!(", {}", axes.join(", ")),
        (None, [axis]) => format!(", axis={axis}"),
        (None, _) => format!(", axis=({})", axes.join(", ")),
    }
}

fn created(array: &LazyArray, creation: &Creation) -> String {
    if let (0, Some(number)) = (array.ndim(), array.as_scalar()) {
        // Whole floats are written as people write them.
        return if let Scalar::Float(x) = number { x.to_string() } else { number.to_string() };
    }
    let name = match creation {
        Creation::Full(_) => match array.as_scalar().map(|n| n.to_f64()) {
            Some(0.0) => "zeros",
            Some(1.0) => "ones",
            _ => "full",
        },
        Creation::Range { .. } => "arange",
        Creation::Linspace { .. } => "linspace",
        Creation::Eye { .. } => "eye",
        Creation::Random { .. } => "random",
        Creation::Data(_) => "data",
    };
    name.to_string()
}
