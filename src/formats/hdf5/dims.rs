//! Which dimensions a variable has: netCDF-4's rules, with its made-up `phony_dim_N` where the file has none.

use super::tree::{Axes, Node, Scale, Var, Walk};
use std::collections::HashMap;

/// Gives every variable of the tree its dimensions, and lengths that can grow their real length.
pub(super) fn resolve(root: &mut Node, walk: &mut Walk) {
    let mut known = HashMap::new();
    collect(root, &mut known);
    attach(root, &mut Vec::new(), &known);
    // Variables that netCDF leaves out come last, so that they do not change the others' numbers.
    make_up(root, &mut walk.next, true);
    make_up(root, &mut walk.next, false);
    let mut lengths = HashMap::new();
    longest(root, &mut lengths);
    grow(root, &lengths);
}

fn collect(node: &Node, known: &mut HashMap<i64, (u64, bool)>) {
    known.extend(node.dims.iter().map(|d| (d.id, (d.len, d.unlimited))));
    node.groups.iter().for_each(|g| collect(g, known));
}

/// Finds the dimensions that the file names. `above` has those of the groups around.
fn attach(node: &mut Node, above: &mut Vec<Vec<Scale>>, known: &HashMap<i64, (u64, bool)>) {
    above.push(node.dims.clone());
    for group in &mut node.groups {
        attach(group, above, known);
    }
    for var in &mut node.vars {
        for axis in 0..var.extent.len() {
            let id = match &var.axes {
                Axes::Coordinate(id) => (axis == 0).then_some(*id),
                Axes::Numbers(ids) => ids.get(axis).copied(),
                Axes::Scales(keys) => keys
                    .get(axis)
                    .copied()
                    .flatten()
                    .and_then(|key| above.iter().rev().flatten().find(|d| d.key == Some(key)).map(|d| d.id)),
                Axes::Unnamed => None,
            };
            // A scale of another length than the axis names it in vain.
            let fits = |id: &i64| known.get(id).is_some_and(|&(len, unlimited)| unlimited || len == var.extent[axis]);
            var.dims[axis] = id.filter(fits);
        }
    }
    above.pop();
}

/// Makes dimensions up for the axes that have none: children first, one for each length in a group, and another
/// where a variable has that length twice.
fn make_up(node: &mut Node, next: &mut i64, in_netcdf: bool) {
    for group in &mut node.groups {
        make_up(group, next, in_netcdf);
    }
    let Node { dims, vars, .. } = node;
    for var in vars.iter_mut().filter(|v| v.typed.in_netcdf == in_netcdf) {
        for axis in 0..var.extent.len() {
            if var.dims[axis].is_some() {
                continue;
            }
            let (len, unlimited) = (var.extent[axis], var.unlimited[axis]);
            let free = |d: &&Scale| d.len == len && d.unlimited == unlimited && !var.dims.contains(&Some(d.id));
            let id = dims.iter().find(free).map(|d| d.id).unwrap_or_else(|| {
                let id = *next;
                *next += 1;
                dims.push(Scale { id, name: format!("phony_dim_{id}"), len, unlimited, key: None });
                id
            });
            var.dims[axis] = Some(id);
        }
    }
}

/// The longest extent of each dimension that can grow.
fn longest(node: &Node, lengths: &mut HashMap<i64, u64>) {
    for Var { dims, extent, .. } in &node.vars {
        for (id, len) in dims.iter().zip(extent) {
            let longest = lengths.entry(id.unwrap_or(-1)).or_default();
            *longest = (*longest).max(*len);
        }
    }
    node.groups.iter().for_each(|g| longest(g, lengths));
}

fn grow(node: &mut Node, lengths: &HashMap<i64, u64>) {
    for dim in node.dims.iter_mut().filter(|d| d.unlimited) {
        dim.len = lengths.get(&dim.id).copied().unwrap_or(0);
    }
    node.dims.sort_by_key(|d| d.id);
    node.groups.iter_mut().for_each(|g| grow(g, lengths));
}

/// Every dimension of the tree by its number.
pub(super) fn by_number(node: &Node, out: &mut HashMap<i64, Scale>) {
    out.extend(node.dims.iter().map(|d| (d.id, d.clone())));
    node.groups.iter().for_each(|g| by_number(g, out));
}
