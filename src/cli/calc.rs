//! `aosx calc`: new variables from expressions.

use super::{
    Global,
    destination::{self, Destination},
    history,
    input::{InputArgs, say},
    layout::{self, LayoutArgs},
    units::UnitsArgs,
};
use crate::{
    dataset::{Computation, Dataset},
    error::{Error, Result},
    expr::{self, Input, Meaning, functions},
    session::Session,
};
use std::{io::Write, path::PathBuf};

/// Compute new variables from expressions: anom = t - mean(t, time)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  aosx calc 'anom = t - mean(t, time)' in.nc -o anom.nc\n  aosx calc 'speed = sqrt(u**2 + v**2); speed.units = \"m s-1\"' in.nc -o speed.nc\n  aosx calc 'm = mean(t, lat, lon, weights=\"area\", by=time.month)' in.nc -o months.nc\n  aosx calc 'd = a.t - b.t' a.nc b.nc -o d.zarr\n  aosx calc 't = t - 273.15' in.nc --chunks time=1 --codec shuffle,deflate:1 -o out.nc"
)]
pub struct CalcArgs {
    /// Statements with ';' or a new line between them: name = expression, or name.attribute = value
    #[arg(required_unless_present = "functions")]
    pub program: Option<String>,
    /// NetCDF, HDF5 or Zarr files. The variables of a single one are called by their names, those of several by
    /// a.t, where a is the file's name without its ending; they meet by their labels
    pub files: Vec<PathBuf>,
    /// One more file, by a name of your own
    #[arg(long = "in", value_name = "NAME=FILE")]
    pub named: Vec<String>,
    /// Which parts are read: of every file that has the dimension
    #[command(flatten)]
    pub input: InputArgs,
    /// Write to this file: .nc is NetCDF-4, .zarr is Zarr v3 [default: print]
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// nc4, nc3, nc5, zarr3 or zarr2 for a file; json or csv to print all values
    #[arg(long)]
    pub format: Option<String>,
    /// How it is stored.
    #[command(flatten)]
    pub layout: LayoutArgs,
    /// Which units results are in.
    #[command(flatten)]
    pub units: UnitsArgs,
    /// Keep what is written when the run ends early, and go on with it when it is given again
    #[arg(long)]
    pub resume: bool,
    /// Print the plan and what it will cost, without running it
    #[arg(long)]
    pub explain: bool,
    /// List the functions and constants
    #[arg(long)]
    pub functions: bool,
}

/// Runs it, and prints to `out` what is to be printed.
///
/// # Errors
/// As [`expr::parse`], [`expr::bind()`] and [`Session::write_from`].
pub fn run(args: &CalcArgs, global: &Global, session: &Session, out: &mut dyn Write) -> Result<()> {
    if args.functions {
        return destination::print(out, list_functions);
    }
    let program = args.program.as_deref().unwrap_or_default();
    let destination = Destination::of(args.output.as_deref(), args.format.as_deref())?;
    let layout = args.layout.parse(destination.format())?;
    let parsed = expr::parse(program).map_err(|mistake| mistake.in_source(program))?;
    let inputs = inputs(&args.files, &args.named, &args.input, global)?;
    let Meaning { outputs, notes } = expr::bind(program, &parsed, &inputs)?;
    say(&notes, global);
    let datasets: Vec<Dataset> = inputs.into_iter().map(|i| i.dataset).collect();
    let mut computation = args.units.apply(Computation::derived(&datasets, &outputs)?.laid_out(&layout)?)?;
    history::append(&mut computation.schema.attrs);
    if args.explain {
        let text = layout::explain(&computation, &layout, session)?;
        return destination::print(out, |out| out.write_all(text.as_bytes()));
    }
    match destination {
        Destination::File(path, format) => {
            let parts = args.input.request() + &args.units.request();
            let request = format!("calc {program} {:?} {:?} {layout:?}{parts}", args.files, args.named);
            let resume = args.resume.then_some(request.as_str());
            destination::write(session, global, resume, &datasets, &computation, &layout, (&path, format))
        }
        Destination::Screen(_) if args.resume => Err(destination::nothing_to_resume()),
        Destination::Screen(how) => {
            computation = layout::encoded(&computation, &layout, session)?;
            let results = session.collect_from(&datasets, &computation)?;
            destination::print(out, |out| destination::show(out, &computation, &results, how))
        }
    }
}

/// The files with their names.
pub(super) fn inputs(files: &[PathBuf], named: &[String], parts: &InputArgs, global: &Global) -> Result<Vec<Input>> {
    let stem = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut all: Vec<(String, PathBuf)> = files.iter().map(|path| (stem(path), path.clone())).collect();
    for word in named {
        match word.split_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => all.push((name.into(), file.into())),
            _ => return Err(Error::usage(format!("--in {word}: it is a name and a file, as a=one.nc"))),
        }
    }
    if let Some(k) = (0..all.len()).find(|&k| all[..k].iter().any(|(name, _)| *name == all[k].0)) {
        let name = &all[k].0;
        return Err(Error::usage(format!(
            "two inputs are called '{name}'; name one with --in b={}",
            all[k].1.display()
        )));
    }
    if all.is_empty() {
        return Err(Error::usage("no input; give a file behind the expression"));
    }
    let whole = all.iter().map(|(_, path)| parts.whole(&[path], &[], global)).collect::<Result<Vec<Dataset>>>()?;
    let datasets = parts.each(&whole)?;
    Ok(all.into_iter().zip(datasets).map(|((name, _), dataset)| Input { name, dataset }).collect())
}

/// Every function under the heading of its kind, and the constants.
fn list_functions(out: &mut dyn Write) -> std::io::Result<()> {
    for kind in functions::Kind::ALL {
        writeln!(out, "{}:", kind.heading())?;
        for function in functions::TABLE.iter().filter(|f| f.kind == kind) {
            writeln!(out, "  {function}")?;
            let aliases = match function.aliases {
                [] => String::new(),
                some => format!(" Also {}.", some.join(", ")),
            };
            writeln!(out, "      {}{aliases}", function.doc)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "Constants:")?;
    for (name, _, doc) in functions::CONSTANTS {
        writeln!(out, "  {name}  {doc}")?;
    }
    Ok(())
}
