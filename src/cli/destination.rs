//! Where results go: into a file, or onto the screen.

use super::{Global, layout};
use crate::{
    dataset::{Computation, Dataset, Layout, Why},
    error::{Class, Error, Result},
    formats::OutputFormat,
    report::{
        text,
        values::{self, Printed},
    },
    session::{Results, Session},
    source::VarMeta,
    store,
};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// How values are printed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Print {
    Repr,
    Json,
    Csv,
}

/// Computes into a file that is stored as `layout` says, and goes on with what an earlier run has left where `--resume`
/// says so; then `resume` is what has to be the same. What killed runs have left of the same output is removed.
///
/// # Errors
/// As [`layout::encoded`], [`Computation::adapted`], [`Session::write_from`] and [`Session::resume_from`].
pub(super) fn write(
    session: &Session,
    global: &Global,
    resume: Option<&str>,
    inputs: &[Dataset],
    computation: &Computation,
    layout: &Layout,
    (path, format): (&Path, OutputFormat),
) -> Result<()> {
    let computation = &layout::encoded(computation, layout, session)?.adapted(format, inputs)?;
    note_left_out(computation, global);
    let note = |text: String| {
        if !global.quiet {
            text::note(text);
        }
    };
    for stale in store::clear_stale(path) {
        note(format!("removed {}, which a killed run has left", stale.display()));
    }
    let kept = store::unfinished_beside(path)?;
    let Some(request) = resume else {
        if kept.exists() {
            let kept = kept.display();
            note(format!("{kept} is an unfinished output, which --resume goes on with; delete it if nobody will"));
        }
        return session.write_from(inputs, computation, path, format);
    };
    let done = session.resume_from(inputs, computation, path, format, request);
    if done.as_ref().is_err_and(|e| e.class() == Class::Data) && kept.exists() {
        note(format!("what is written stays in {}; the same command goes on with it", kept.display()));
    }
    done
}

/// Says which variables the output lacks: those that it has no type for, and on demand those that lost a dimension.
fn note_left_out(computation: &Computation, global: &Global) {
    for left in computation.left_out.iter().filter(|_| !global.quiet) {
        let why = match left.why {
            Why::NoType => "the output has no type for it",
            Why::LostDimension if global.verbose > 0 => "it has a reduced dimension",
            Why::LostDimension => continue,
        };
        text::note(format!("variable '{}': left out: {why}", left.path));
    }
}

/// Where the result goes.
pub(super) enum Destination {
    File(PathBuf, OutputFormat),
    Screen(Print),
}

impl Destination {
    /// What `-o` and `--format` ask for.
    pub(super) fn of(output: Option<&Path>, format: Option<&str>) -> Result<Destination> {
        let Some(path) = output else {
            return match format {
                None => Ok(Destination::Screen(Print::Repr)),
                Some("json") => Ok(Destination::Screen(Print::Json)),
                Some("csv") => Ok(Destination::Screen(Print::Csv)),
                Some(other) => {
                    Err(Error::usage(format!("--format {other} needs -o FILE; without it there are json and csv")))
                }
            };
        };
        let format = match format {
            Some("nc4") => OutputFormat::NetCdf4,
            Some("nc3") => OutputFormat::NetCdf3,
            Some("nc5") => OutputFormat::NetCdf5,
            Some("zarr2") => OutputFormat::Zarr2,
            Some("zarr3" | "zarr") => OutputFormat::Zarr3,
            Some(other) => {
                return Err(Error::usage(format!("no file format '{other}'; there are nc4, nc3, nc5, zarr3, zarr2")));
            }
            None => by_name(path)?,
        };
        Ok(Destination::File(path.to_path_buf(), format))
    }
}

impl Destination {
    /// The format of the file, where there is one.
    pub(super) fn format(&self) -> Option<OutputFormat> {
        match self {
            Destination::File(_, format) => Some(*format),
            Destination::Screen(_) => None,
        }
    }
}

fn by_name(path: &Path) -> Result<OutputFormat> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("nc" | "nc4" | "cdf" | "h5" | "hdf5") => Ok(OutputFormat::NetCdf4),
        Some("nc3") => Ok(OutputFormat::NetCdf3),
        Some("nc5") => Ok(OutputFormat::NetCdf5),
        Some("zarr") => Ok(OutputFormat::Zarr3),
        _ => {
            Err(Error::usage("the output's name says no format; end it in .nc or .zarr, or give --format")
                .in_file(path))
        }
    }
}

/// What is printed cannot be gone on with.
pub(super) fn nothing_to_resume() -> Error {
    Error::usage("--resume goes on with a file; name it with -o")
}

/// Prints each result, with the labels of its dimensions.
pub(super) fn show(
    out: &mut dyn Write,
    computation: &Computation,
    results: &Results,
    how: Print,
) -> std::io::Result<()> {
    let many = computation.results.len() > 1;
    if many && how == Print::Json {
        writeln!(out, "[")?;
    }
    for (k, path) in computation.results.iter().enumerate() {
        let (Some(meta), Some(data)) = (results.variable(path), results.values(path)) else { continue };
        let Some(dtype) = meta.stored.dtype() else { continue };
        let coords = coords(meta, results);
        let printed = Printed {
            name: path,
            dims: &meta.dims,
            shape: &meta.shape,
            dtype,
            attrs: &meta.attrs,
            data: &data,
            coords: &coords,
        };
        match how {
            Print::Repr => values::repr(out, &printed)?,
            Print::Json => values::json(out, &printed)?,
            Print::Csv => values::csv(out, &printed)?,
        }
        if many && k + 1 < computation.results.len() {
            writeln!(out, "{}", if how == Print::Json { "," } else { "" })?;
        }
    }
    if many && how == Print::Json {
        writeln!(out, "]")?;
    }
    Ok(())
}

/// The labels along each dimension of a result that has a coordinate.
fn coords(meta: &VarMeta, results: &Results) -> Vec<(String, Vec<String>)> {
    let labels = |dim: &String| {
        let path = if meta.group().is_empty() { dim.clone() } else { format!("{}/{dim}", meta.group()) };
        let coordinate = results.variable(&path).or_else(|| results.variable(dim))?;
        // A scalar may be called like a dimension of another variable.
        let coordinate = Some(coordinate).filter(|c| c.dims.len() == 1 && c.dims[0] == *dim)?;
        let labels = match coordinate.stored.dtype() {
            Some(dtype) => values::labels(&coordinate.attrs, dtype, &results.values(&coordinate.path)?),
            None => results.texts(&coordinate.path)?,
        };
        Some((dim.clone(), labels))
    };
    meta.dims.iter().filter_map(labels).collect()
}

/// A closed pipe is no error: whoever reads has seen enough.
pub(super) fn print(out: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    match write(out).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("print", e)),
        _ => Ok(()),
    }
}
