//! What a name means inside a group: the nearest variable or dimension outwards.

use crate::source::{Group, VarMeta};

/// The path of the group that declares the dimension which `name` means in the group at `group`.
pub fn declaring(root: &Group, group: &str, name: &str) -> Option<String> {
    outwards(group).find(|path| root.group(path).is_some_and(|g| g.dims.iter().any(|d| d.name == name)))
}

/// The variable that `name` means in the group at `group`. A path from the root is allowed.
pub fn variable<'a>(root: &'a Group, group: &str, name: &str) -> Option<&'a VarMeta> {
    if let Some(path) = name.strip_prefix('/') {
        return root.var(path);
    }
    outwards(group).find_map(|path| root.group(&path)?.vars.iter().find(|v| v.name() == name))
}

/// The coordinate variable of a dimension: of its name, along it alone.
pub fn coordinate<'a>(root: &'a Group, group: &str, dim: &str) -> Option<&'a VarMeta> {
    let home = declaring(root, group, dim);
    outwards(group)
        .filter(|path| home.as_ref().is_none_or(|home| path.len() >= home.len()))
        .find_map(|path| root.group(&path)?.vars.iter().find(|v| v.name() == dim && v.dims == [dim]))
}

/// The paths of a group and those around it, nearest first, the root (`""`) last.
fn outwards(group: &str) -> impl Iterator<Item = String> {
    let parts: Vec<String> = group.split('/').filter(|p| !p.is_empty()).map(str::to_string).collect();
    (0..=parts.len()).rev().map(move |n| parts[..n].join("/"))
}
