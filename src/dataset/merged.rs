//! The variables of several datasets in one: [`Merged`].

use super::{
    Dataset,
    meeting::{Labels, Meeting},
    numbers::rounding,
    scope,
};
use crate::{
    cf::references,
    error::{Error, Result},
    source::{Dimension, Group, StoredType, VarMeta},
};
use std::{collections::HashMap, path::PathBuf};

/// Several datasets as one: each gives the variables that those before it do not have.
pub(super) struct Merged {
    datasets: Vec<Dataset>,
    root: Group,
    /// Which of them has a variable, and what it is called there.
    from: HashMap<String, (usize, String)>,
    paths: Vec<PathBuf>,
    turned: Vec<String>,
}

impl Merged {
    /// Puts variables and groups together. Global attributes are the first dataset's, before those of the others. Coordinates
    /// of one place, as heights of 2 m and 10 m, that say different things get names of their own. Dimensions are in the order
    /// of the first dataset that has them.
    ///
    /// # Errors
    /// When there is none, a dimension has two lengths, or another variable of one name says different things.
    pub fn new(datasets: &[Dataset]) -> Result<Merged> {
        let first = datasets.first().ok_or_else(|| Error::usage("no input; name a file"))?;
        let all = first.root().all_vars();
        let mut from: HashMap<_, _> = all.into_iter().map(|v| (v.path.clone(), (0, v.path.clone()))).collect();
        let mut root = first.root().clone();
        let mut datasets = datasets.to_vec();
        let mut turned = Vec::new();
        for n in 1..datasets.len() {
            datasets[n] = in_order(&datasets, &from, n, &mut turned)?;
            let dataset = &datasets[n];
            let mut own = Own { root: dataset.root(), paths: HashMap::new() };
            for var in dataset.root().all_vars() {
                let others = (1..).map(|k| format!("{}_{k}", var.path));
                for path in std::iter::once(var.path.clone()).chain(others) {
                    let compared = match from.get(&path) {
                        Some((known, there)) if *there == var.path => Some(same(&datasets[*known], dataset, var)),
                        Some(_) => continue,
                        None => None,
                    };
                    match compared {
                        Some(Err(_)) if own.is_place(var) => continue,
                        Some(Err(differs)) => return Err(differs.in_file(dataset.path())),
                        None if path != var.path && own.root.var(&path).is_some() => continue,
                        None => drop(from.insert(path.clone(), (n, var.path.clone()))),
                        Some(Ok(())) => {}
                    }
                    own.paths.insert(var.path.clone(), (path, compared.is_none()));
                    break;
                }
            }
            add(&mut root, dataset.root(), "", &own).map_err(|e| e.in_file(dataset.path()))?;
        }
        let paths = datasets.iter().flat_map(|d| d.paths().to_vec()).collect();
        Ok(Merged { datasets, root, from, paths, turned })
    }

    /// What it holds.
    pub fn root(&self) -> &Group {
        &self.root
    }

    /// The files of all.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// What was put in another order, in words.
    pub fn turned(&self) -> &[String] {
        &self.turned
    }

    /// What the first of them is stored in.
    pub fn format(&self) -> &str {
        self.datasets[0].format()
    }

    /// Reads a variable from the dataset that has it; the first has what nobody has.
    pub fn read<T>(&self, path: &str, read: impl Fn(&Dataset, &str) -> Result<T>) -> Result<T> {
        match self.from.get(path) {
            Some((n, own)) => read(&self.datasets[*n], own),
            None => read(&self.datasets[0], path),
        }
    }
}

/// One of some datasets with its dimensions in the order of those before it, as far as their coordinates tell.
fn in_order(
    datasets: &[Dataset],
    from: &HashMap<String, (usize, String)>,
    n: usize,
    turned: &mut Vec<String>,
) -> Result<Dataset> {
    let mut out = datasets[n].clone();
    for coordinate in datasets[n].root().all_vars().into_iter().filter(|v| v.dims == [v.name()]) {
        let Some((known, _)) = from.get(&coordinate.path).filter(|(_, there)| *there == coordinate.path) else {
            continue;
        };
        let had = datasets[*known].variable(&coordinate.path)?;
        if had.dims != coordinate.dims || had.shape != coordinate.shape {
            continue;
        }
        let [Some(first), Some(second)] = [Labels::of(&datasets[*known], had)?, Labels::of(&datasets[n], coordinate)?]
        else {
            continue;
        };
        if let Meeting::Turned(order) = first.meet(&second) {
            out = out.in_order(coordinate.name(), &order)?;
            if !order.stays() {
                let [a, b] = [*known, n].map(|k| datasets[k].path().display());
                turned.push(format!("'{}' of {b} is {}, in the order of {a}", coordinate.path, order.said()));
            }
        }
    }
    Ok(out)
}

/// What a dataset gives to others.
struct Own<'a> {
    root: &'a Group,
    /// What the paths of its variables become, and whether those are new.
    paths: HashMap<String, (String, bool)>,
}

impl Own<'_> {
    /// Whether it is a coordinate without dimensions, or the bounds of one.
    fn is_place(&self, var: &VarMeta) -> bool {
        let names = |v: &VarMeta, attribute: &str| {
            let named = references::named(&v.attrs, attribute);
            named
                .iter()
                .any(|name| scope::variable(self.root, v.group(), name).is_some_and(|found| found.path == var.path))
        };
        let all = self.root.all_vars();
        match var.dims.len() {
            0 => all.iter().any(|v| names(v, "coordinates")),
            1 => all.iter().any(|v| v.dims.is_empty() && names(v, "bounds") && self.is_place(v)),
            _ => false,
        }
    }

    /// A variable as it becomes, if it is new.
    fn now(&self, var: &VarMeta) -> Option<VarMeta> {
        let (path, _) = self.paths.get(&var.path).filter(|(_, is_new)| *is_new)?;
        let mut meta = VarMeta { path: path.clone(), ..var.clone() };
        references::rename(&mut meta.attrs, |name| {
            let (now, _) = self.paths.get(&scope::variable(self.root, var.group(), name)?.path)?;
            now.rsplit('/').next().map(str::to_string)
        });
        Some(meta)
    }
}

/// Adds a group's attributes, dimensions and the variables that are new.
fn add(out: &mut Group, group: &Group, path: &str, own: &Own) -> Result<()> {
    for (name, value) in group.attrs.iter().filter(|(name, _)| *name != "history") {
        if out.attrs.get(name).is_none() {
            out.attrs.set(name, value.clone());
        }
    }
    for dim in &group.dims {
        match out.dims.iter_mut().find(|d| d.name == dim.name) {
            Some(known) if known.len != dim.len => {
                let text = format!("the dimension '{}' has {}, and {} in another file", dim.name, dim.len, known.len);
                return Err(Error::usage(text));
            }
            Some(known) => known.unlimited |= dim.unlimited,
            None => out.dims.push(Dimension::clone(dim)),
        }
    }
    out.vars.extend(group.vars.iter().filter_map(|v| own.now(v)));
    for inner in &group.groups {
        let path = if path.is_empty() { inner.name.clone() } else { format!("{path}/{}", inner.name) };
        let at = match out.groups.iter().position(|g| g.name == inner.name) {
            Some(at) => at,
            None => {
                out.groups.push(Group { name: inner.name.clone(), ..Group::default() });
                out.groups.len() - 1
            }
        };
        add(&mut out.groups[at], inner, &path, own)?;
    }
    Ok(())
}

/// Whether two files say the same by one name; if not, where they differ.
///
/// # Errors
/// In words: where they do, or that it cannot be told.
pub(super) fn same(a: &Dataset, b: &Dataset, var: &VarMeta) -> Result<()> {
    let had = a.variable(&var.path)?;
    let other = a.path().display();
    let fail = |text: String| Err(Error::usage(text).in_variable(&var.path));
    if had.shape != var.shape || had.dims != var.dims {
        return fail(format!("its shape is {}, and {} in {other}", var.shape, had.shape));
    }
    // The number in a grid mapping says nothing.
    let mapping = |v: &VarMeta| v.attrs.text("grid_mapping_name").is_some().then(|| v.attrs.clone());
    if let (Some(x), Some(y)) = (mapping(had), mapping(var))
        && x == y
    {
        return Ok(());
    }
    let is_text = |v: &VarMeta| matches!(v.stored, StoredType::Text | StoredType::FixedText(_) | StoredType::Char);
    let (differs, values) = if is_text(had) && is_text(var) {
        let (x, y) = (a.texts(&var.path)?, b.texts(&var.path)?);
        let at = (0..y.len().max(x.len())).find(|&k| x.get(k) != y.get(k));
        let shown = at.map(|k| [&y, &x].map(|t| format!("'{}'", t.get(k).map_or("", String::as_str))));
        (at, shown)
    } else if had.stored.dtype().is_some() && var.stored.dtype().is_some() {
        let (x, y) = (a.numbers(&var.path)?, b.numbers(&var.path)?);
        let rounding = if scope::coordinates(b.root()).contains(&var.path) { rounding(had, var, &x) } else { 0.0 };
        let equal = |(p, q): (&f64, &f64)| p == q || (p.is_nan() && q.is_nan()) || (p - q).abs() <= rounding;
        let at = x.iter().zip(&y).position(|pair| !equal(pair));
        (at, at.map(|k| [y[k].to_string(), x[k].to_string()]))
    } else {
        return fail(format!("it is in {other} too, and cannot be compared"));
    };
    match (differs, values) {
        (Some(k), Some([here, there])) => {
            let kind =
                if scope::coordinates(b.root()).contains(&var.path) { "the coordinate differs" } else { "it differs" };
            fail(format!("{kind}: value {k} is {here}, and {there} in {other}"))
        }
        _ if units(had) != units(var) => {
            fail(format!("its units are '{}', and '{}' in {other}", units(var), units(had)))
        }
        _ => Ok(()),
    }
}

fn units(v: &VarMeta) -> &str {
    v.attrs.text("units").unwrap_or_default()
}
