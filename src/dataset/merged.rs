//! The variables of several datasets in one: [`Merged`].

use super::{Dataset, scope};
use crate::{
    error::{Error, Result},
    source::{Dimension, Group, StoredType, VarMeta},
};
use std::{collections::HashMap, path::PathBuf};

/// Several datasets as one: each gives the variables that those before it do not have.
pub(super) struct Merged {
    datasets: Vec<Dataset>,
    root: Group,
    /// Which of them has a variable.
    from: HashMap<String, usize>,
    paths: Vec<PathBuf>,
}

impl Merged {
    /// Puts variables and groups together. Global attributes are the first dataset's, before those of the others.
    ///
    /// # Errors
    /// When there is none, a dimension has two lengths, or a variable of one name says different things.
    pub fn new(datasets: &[Dataset]) -> Result<Merged> {
        let first = datasets.first().ok_or_else(|| Error::usage("no input; name a file"))?;
        let mut from: HashMap<String, usize> =
            first.root().all_vars().into_iter().map(|v| (v.path.clone(), 0)).collect();
        let mut root = first.root().clone();
        for (n, dataset) in datasets.iter().enumerate().skip(1) {
            for var in dataset.root().all_vars() {
                if let Some(&known) = from.get(&var.path) {
                    same(&datasets[known], dataset, var).map_err(|e| e.in_file(dataset.path()))?;
                } else {
                    from.insert(var.path.clone(), n);
                }
            }
            add(&mut root, dataset.root(), "", &|path| from.get(path) == Some(&n))
                .map_err(|e| e.in_file(dataset.path()))?;
        }
        let paths = datasets.iter().flat_map(|d| d.paths().to_vec()).collect();
        Ok(Merged { datasets: datasets.to_vec(), root, from, paths })
    }

    /// What it holds.
    pub fn root(&self) -> &Group {
        &self.root
    }

    /// The files of all.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The dataset that has a variable; the first has what nobody has.
    pub fn having(&self, path: &str) -> &Dataset {
        &self.datasets[self.from.get(path).copied().unwrap_or(0)]
    }
}

/// Adds a group's attributes, dimensions and the variables that `is_new` picks.
fn add(out: &mut Group, group: &Group, path: &str, is_new: &dyn Fn(&str) -> bool) -> Result<()> {
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
    out.vars.extend(group.vars.iter().filter(|v| is_new(&v.path)).cloned());
    for inner in &group.groups {
        let path = if path.is_empty() { inner.name.clone() } else { format!("{path}/{}", inner.name) };
        let at = match out.groups.iter().position(|g| g.name == inner.name) {
            Some(at) => at,
            None => {
                out.groups.push(Group { name: inner.name.clone(), ..Group::default() });
                out.groups.len() - 1
            }
        };
        add(&mut out.groups[at], inner, &path, is_new)?;
    }
    Ok(())
}

/// Whether two files say the same by one name; if not, where they differ.
fn same(a: &Dataset, b: &Dataset, var: &VarMeta) -> Result<()> {
    let had = a.variable(&var.path)?;
    let other = a.path().display();
    let fail = |text: String| Err(Error::usage(text).in_variable(&var.path));
    if had.shape != var.shape || had.dims != var.dims {
        return fail(format!("its shape is {}, and {} in {other}", var.shape, had.shape));
    }
    let is_text = |v: &VarMeta| matches!(v.stored, StoredType::Text | StoredType::FixedText(_) | StoredType::Char);
    let (differs, values) = if is_text(had) && is_text(var) {
        let (x, y) = (a.texts(&var.path)?, b.texts(&var.path)?);
        let at = (0..y.len().max(x.len())).find(|&k| x.get(k) != y.get(k));
        let shown = at.map(|k| [&y, &x].map(|t| format!("'{}'", t.get(k).map_or("", String::as_str))));
        (at, shown)
    } else if had.stored.dtype().is_some() && var.stored.dtype().is_some() {
        let (x, y) = (a.numbers(&var.path)?, b.numbers(&var.path)?);
        let equal = |(p, q): (&f64, &f64)| p == q || (p.is_nan() && q.is_nan());
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
