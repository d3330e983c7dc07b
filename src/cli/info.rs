//! `aosx info FILE`.

use super::{Global, input::InputArgs};
use crate::{
    error::{Error, Problem, Result},
    report::{Listing, cdl, info, json},
    source::Group,
};
use std::{collections::BTreeSet, io::Write, path::PathBuf};

/// What `aosx info` is given.
#[derive(clap::Args)]
pub struct InfoArgs {
    /// NetCDF or HDF5 files, Zarr stores or zipped ones; several are joined along time.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Prints everything as JSON.
    #[arg(long, conflicts_with = "cdl")]
    pub json: bool,
    /// Prints the header as `ncdump -h -s` does.
    #[arg(long)]
    pub cdl: bool,
    /// Shows only these variables with their coordinates, by path, with commas between them; --json and --cdl show them
    /// alone.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub var: Option<Vec<String>>,
    /// Which parts are shown.
    #[command(flatten)]
    pub input: InputArgs,
}

/// Opens the file and prints what it holds.
///
/// # Errors
/// When the file cannot be opened, has no such variable, or `out` refuses.
pub fn run(args: &InfoArgs, global: &Global, out: &mut dyn Write) -> Result<()> {
    let dataset = args.input.open(&args.files, &[], global)?;
    let mut only = None;
    if let Some(names) = &args.var {
        let wanted = names.iter().map(|n| path_of(dataset.root(), n).map_err(|e| e.in_file(dataset.path())));
        let mut wanted: Vec<String> = wanted.collect::<Result<_>>()?;
        let is_for_people = !args.json && !args.cdl;
        for path in wanted.clone().iter().filter(|_| is_for_people) {
            wanted.extend(dataset.coordinates_of(path)?.iter().map(|coordinate| coordinate.path.clone()));
        }
        let mut root = dataset.root().clone();
        keep(&mut root, &wanted);
        if is_for_people {
            let used = root.all_vars().iter().flat_map(|v| v.dims.clone()).collect();
            keep_dimensions(&mut root, &used);
        }
        only = Some(root);
    }
    let paths = dataset.paths();
    let name = match paths {
        [one] => one.clone(),
        all => format!("{} and {} more", dataset.path().display(), all.len() - 1).into(),
    };
    let bytes = paths.iter().map(|path| path.metadata().ok().filter(|m| m.is_file()).map(|m| m.len()));
    let listing = Listing {
        file: &name,
        format: dataset.format(),
        file_bytes: bytes.sum(),
        root: only.as_ref().unwrap_or(dataset.root()),
        dataset: Some(&dataset),
    };
    let done = match (args.json, args.cdl) {
        (true, _) => json::json(out, &listing),
        (_, true) => cdl::cdl(out, &listing),
        _ => info::info(out, &listing),
    };
    done.map_err(|e| Error::io("write", e))
}

/// The path of the variable that a user names.
pub(super) fn path_of(root: &Group, name: &str) -> Result<String> {
    match root.var(name) {
        Some(var) => Ok(var.path.clone()),
        None => {
            let mut known: Vec<String> = root.all_vars().into_iter().map(|v| v.path.clone()).collect();
            known.sort_by_cached_key(|path| distance(path, name));
            Err(Problem::NoSuchVariable { name: name.into(), known }.into())
        }
    }
}

/// How many characters to change, put in or take out to get from one name to the other, in whatever case.
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| text.chars().take(100).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, above) in b.iter().zip(&mut row[1..]) {
            let here = (diagonal + usize::from(x != y)).min(left + 1).min(*above + 1);
            (diagonal, *above, left) = (*above, here, here);
        }
        row[0] = i + 1;
    }
    row.last().copied().unwrap_or(0)
}

/// Takes all variables but the wanted ones out of a tree, and the groups that are empty then.
fn keep(group: &mut Group, wanted: &[String]) {
    group.vars.retain(|v| wanted.contains(&v.path));
    group.groups.iter_mut().for_each(|g| keep(g, wanted));
    group.groups.retain(|g| !g.vars.is_empty() || !g.groups.is_empty());
}

/// Takes dimensions out of a tree that no variable has any more.
fn keep_dimensions(group: &mut Group, used: &BTreeSet<String>) {
    group.dims.retain(|dim| used.contains(&dim.name));
    group.groups.iter_mut().for_each(|inner| keep_dimensions(inner, used));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        for (a, b, expected) in [
            ("", "", 0),
            ("tas", "TAS", 0),
            ("tas", "tasmax", 3),
            ("kitten", "sitting", 3),
            ("", "ab", 2),
            ("ab", "", 2),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
