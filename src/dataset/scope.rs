//! What a name means inside a group: the nearest variable or dimension outwards.

use crate::{
    cf::references,
    error::Result,
    source::{Group, StoredType, VarMeta},
};
use std::collections::BTreeSet;

/// The path of the group that declares the dimension which `name` means in the group at `group`.
pub fn declaring(root: &Group, group: &str, name: &str) -> Option<String> {
    outwards(group).find(|path| root.group(path).is_some_and(|g| g.dims.iter().any(|d| d.name == name)))
}

/// The variable that `name` means in the group at `group`. Paths from the root and from the group are allowed.
pub fn variable<'a>(root: &'a Group, group: &str, name: &str) -> Option<&'a VarMeta> {
    if let Some(path) = name.strip_prefix('/') {
        return root.var(path);
    }
    if name.contains('/') {
        return root.var(&joined(group, name)?);
    }
    outwards(group).find_map(|path| root.group(&path)?.vars.iter().find(|v| v.name() == name))
}

/// The path from the root that a relative one means; `None` where it leaves the root.
fn joined(group: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = group.split('/').filter(|p| !p.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            inner => parts.push(inner),
        }
    }
    Some(parts.join("/"))
}

/// The coordinate variable of a dimension: of its name, along it alone.
pub fn coordinate<'a>(root: &'a Group, group: &str, dim: &str) -> Option<&'a VarMeta> {
    let home = declaring(root, group, dim);
    outwards(group)
        .filter(|path| home.as_ref().is_none_or(|home| path.len() >= home.len()))
        .find_map(|path| root.group(&path)?.vars.iter().find(|v| v.name() == dim && v.dims == [dim]))
}

/// How many dimensions the values of a variable have. The last one of characters is the length of strings, and none of theirs.
pub fn rank(v: &VarMeta) -> usize {
    v.dims.len() - usize::from(v.stored == StoredType::Char && !v.dims.is_empty())
}

/// The coordinates that a variable has in xarray: those of its dimensions, and whatever an attribute `coordinates` names
/// that has no others.
pub fn coordinates_of<'a>(root: &'a Group, v: &VarMeta) -> Vec<&'a VarMeta> {
    let mut out: Vec<&VarMeta> = v.dims.iter().filter_map(|dim| coordinate(root, v.group(), dim)).collect();
    for namer in root.all_vars() {
        let named = references::named(&namer.attrs, "coordinates");
        let found = named.iter().filter_map(|name| variable(root, namer.group(), name));
        let along = found.filter(|c| c.path != v.path && c.dims[..rank(c)].iter().all(|dim| v.dims.contains(dim)));
        for c in along {
            if out.iter().all(|known| known.path != c.path) {
                out.push(c);
            }
        }
    }
    out
}

/// The variables that describe one: its coordinates and what its attributes name, but data in their own right.
pub fn describing<'a>(root: &'a Group, v: &VarMeta) -> Vec<&'a VarMeta> {
    let ancillary = references::named(&v.attrs, "ancillary_variables");
    let named = references::all(&v.attrs).into_iter().filter(|n| !ancillary.contains(n));
    named
        .filter_map(|name| variable(root, v.group(), &name))
        .chain(v.dims.iter().filter_map(|dim| coordinate(root, v.group(), dim)))
        .collect()
}

/// The paths of some variables, and of all that describe them.
///
/// # Errors
/// The first among the variables.
pub fn with_describing<'a>(
    root: &'a Group,
    named: impl Iterator<Item = Result<&'a VarMeta>>,
) -> Result<BTreeSet<String>> {
    let mut todo = named.collect::<Result<Vec<&VarMeta>>>()?;
    let mut chosen: BTreeSet<String> = todo.iter().map(|v| v.path.clone()).collect();
    while let Some(v) = todo.pop() {
        todo.extend(describing(root, v).into_iter().filter(|next| chosen.insert(next.path.clone())));
    }
    Ok(chosen)
}

/// The paths of all coordinates, with their bounds and grid mappings: what xarray would not reduce.
///
/// Ancillary variables, cell measures and the terms of a formula (a surface pressure) are data in their own right.
pub fn coordinates(root: &Group) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for var in root.all_vars() {
        if var.dims.len() == 1 && var.dims[0] == var.name() {
            out.insert(var.path.clone());
        }
        for attribute in references::SINGLE.iter().chain(&["coordinates"]) {
            let named = references::named(&var.attrs, attribute);
            let found = named.iter().filter_map(|name| variable(root, var.group(), name));
            out.extend(found.map(|v| v.path.clone()));
        }
    }
    out
}

/// The paths of a group and those around it, nearest first, the root (`""`) last.
fn outwards(group: &str) -> impl Iterator<Item = String> {
    let parts: Vec<String> = group.split('/').filter(|p| !p.is_empty()).map(str::to_string).collect();
    (0..=parts.len()).rev().map(move |n| parts[..n].join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_walked() {
        assert_eq!(joined("g/h", "../t").as_deref(), Some("g/t"));
        assert_eq!(joined("g", "./h/t").as_deref(), Some("g/h/t"));
        assert_eq!(joined("g", "../../t"), None);
    }
}
