//! What people and programs read: what a file holds ([`info`], [`json`], [`cdl`]) and the values of results
//! ([`values`]).

pub mod cdl;
pub mod differences;
pub mod drawing;
pub mod info;
pub mod json;
mod number;
mod numpy;
mod progress;
pub mod text;
pub mod values;

pub use progress::Progress;

use crate::{
    dataset::Dataset,
    source::{Group, VarMeta},
};
use std::path::Path;

/// An opened file, as the three forms of `info` show it.
pub struct Listing<'a> {
    /// Where it lies, as the user wrote it.
    pub file: &'a Path,
    /// The format in words.
    pub format: &'a str,
    /// The file's length; `None` for a store that is a folder.
    pub file_bytes: Option<u64>,
    /// What it holds.
    pub root: &'a Group,
    /// Where values are read from, so that coordinates can show some; `None` shows none.
    pub dataset: Option<&'a Dataset>,
}

/// The part a variable plays in its group, as xarray's decoding sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// One-dimensional and called as its dimension.
    Index,
    /// Named by a `coordinates` attribute.
    Coordinate,
    /// Everything else.
    Data,
}

/// The path of each group from here on, outermost first, with the group: `""`, `a`, `a/b`.
fn groups_of<'a>(group: &'a Group, path: &str) -> Vec<(String, &'a Group)> {
    let mut out = vec![(path.to_string(), group)];
    for inner in &group.groups {
        let name = if path.is_empty() { inner.name.clone() } else { format!("{path}/{}", inner.name) };
        out.extend(groups_of(inner, &name));
    }
    out
}

/// The role of each variable of a group, in its order.
fn roles(group: &Group) -> Vec<Role> {
    let attrs = group.vars.iter().map(|v| &v.attrs).chain([&group.attrs]);
    let named: Vec<&str> = attrs.filter_map(|a| a.text("coordinates")).flat_map(str::split_whitespace).collect();
    let role = |v: &VarMeta| match v.dims.as_slice() {
        [dim] if dim == v.name() => Role::Index,
        _ if named.contains(&v.name()) => Role::Coordinate,
        _ => Role::Data,
    };
    group.vars.iter().map(role).collect()
}

#[cfg(test)]
pub(crate) mod sample;
