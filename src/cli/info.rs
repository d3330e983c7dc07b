//! `aosx info FILE`.

use crate::{
    error::{Error, Problem, Result},
    formats,
    report::{Listing, cdl, info, json},
    source::Group,
};
use std::{io::Write, path::PathBuf};

/// What `aosx info` is given.
#[derive(clap::Args)]
pub struct InfoArgs {
    /// A NetCDF or HDF5 file, a Zarr store or a zipped one.
    pub file: PathBuf,
    /// Prints everything as JSON.
    #[arg(long, conflicts_with = "cdl")]
    pub json: bool,
    /// Prints the header as `ncdump -h -s` does.
    #[arg(long)]
    pub cdl: bool,
    /// Shows only these variables, by path, with commas between them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub var: Option<Vec<String>>,
}

/// Opens the file and prints what it holds.
///
/// # Errors
/// When the file cannot be opened, has no such variable, or `out` refuses.
pub fn run(args: &InfoArgs, out: &mut dyn Write) -> Result<()> {
    let container = formats::open(&args.file)?;
    let mut only = None;
    if let Some(names) = &args.var {
        let wanted = names.iter().map(|n| path_of(container.root(), n).map_err(|e| e.in_file(&args.file)));
        let wanted: Vec<String> = wanted.collect::<Result<_>>()?;
        let mut root = container.root().clone();
        keep(&mut root, &wanted);
        only = Some(root);
    }
    let listing = Listing {
        file: &args.file,
        format: container.format(),
        file_bytes: args.file.metadata().ok().filter(|m| m.is_file()).map(|m| m.len()),
        root: only.as_ref().unwrap_or(container.root()),
        container: Some(container.as_ref()),
    };
    let done = match (args.json, args.cdl) {
        (true, _) => json::json(out, &listing),
        (_, true) => cdl::cdl(out, &listing),
        _ => info::info(out, &listing),
    };
    done.map_err(|e| Error::io("write", e))
}

/// The path of the variable that a user names.
fn path_of(root: &Group, name: &str) -> Result<String> {
    match root.var(name) {
        Some(var) => Ok(var.path.clone()),
        None => {
            let known = root.all_vars().into_iter().map(|v| v.path.clone()).collect();
            Err(Problem::NoSuchVariable { name: name.into(), known }.into())
        }
    }
}

/// Takes all variables but the wanted ones out of a tree, and the groups that are empty then.
fn keep(group: &mut Group, wanted: &[String]) {
    group.vars.retain(|v| wanted.contains(&v.path));
    group.groups.iter_mut().for_each(|g| keep(g, wanted));
    group.groups.retain(|g| !g.vars.is_empty() || !g.groups.is_empty());
}
