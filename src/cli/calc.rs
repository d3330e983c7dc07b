//! `aosx calc`: new variables from expressions.

use super::{
    Global,
    destination::{self, Destination},
    history,
};
use crate::{
    dataset::{ChunkLength, Computation, Dataset, Layout, Why},
    error::{Error, Result, closest},
    expr::{self, Input, functions},
    formats::OutputFormat,
    session::Session,
    source::CodecMeta,
};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Compute new variables from expressions: anom = t - mean(t, time)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  aosx calc 'anom = t - mean(t, time)' in.nc -o anom.nc\n  aosx calc 'speed = sqrt(u**2 + v**2); speed.units = \"m s-1\"' in.nc -o speed.nc\n  aosx calc 'd = a.t - b.t' a.nc b.nc -o d.zarr\n  aosx calc 't = t - 273.15' in.nc --chunks time=1 --codec shuffle,deflate:1 -o out.nc"
)]
pub struct CalcArgs {
    /// Statements with ';' or a new line between them: name = expression, or name.attribute = value
    #[arg(required_unless_present = "functions")]
    pub program: Option<String>,
    /// NetCDF, HDF5 or Zarr files. The variables of a single one are called by their names, those of several by
    /// a.t, where a is the file's name without its ending
    pub files: Vec<PathBuf>,
    /// One more file, by a name of your own
    #[arg(long = "in", value_name = "NAME=FILE")]
    pub named: Vec<String>,
    /// Write to this file: .nc is NetCDF-4, .zarr is Zarr v3 [default: print]
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// nc4, nc3, nc5, zarr3 or zarr2 for a file; json or csv to print all values
    #[arg(long)]
    pub format: Option<String>,
    /// Chunks of the outputs along dimensions, as time=1,lat=all [default: as the input]
    #[arg(long, value_delimiter = ',', value_name = "DIM=N")]
    pub chunks: Vec<String>,
    /// Filters of the outputs, as shuffle,deflate:1 or zstd:3 or none [default: as the input]
    #[arg(long, value_delimiter = ',', value_name = "NAME[:LEVEL]")]
    pub codec: Vec<String>,
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
    let layout = layout(args, &destination)?;
    let parsed = expr::parse(program).map_err(|mistake| mistake.in_source(program))?;
    let inputs = inputs(&args.files, &args.named)?;
    let outputs = expr::bind(program, &parsed, &inputs)?;
    let datasets: Vec<Dataset> = inputs.into_iter().map(|i| i.dataset).collect();
    let mut computation = Computation::derived(&datasets, &outputs, &layout)?;
    history::append(&mut computation.schema.attrs);
    if args.explain {
        let text = session.explain(&computation)?;
        return destination::print(out, |out| out.write_all(text.as_bytes()));
    }
    match destination {
        Destination::File(path, format) => {
            computation = computation.adapted(format)?;
            if !global.quiet {
                note_left_out(&computation);
            }
            session.write_from(&datasets, &computation, &path, format)
        }
        Destination::Screen(how) => {
            let results = session.collect_from(&datasets, &computation)?;
            destination::print(out, |out| destination::show(out, &computation, &results, how))
        }
    }
}

/// Says which coordinates the output has no type for.
fn note_left_out(computation: &Computation) {
    for left in computation.left_out.iter().filter(|l| l.why == Why::NoType) {
        eprintln!("aosx: note: variable '{}': left out: the output has no type for it", left.path);
    }
}

/// The files with their names.
pub(super) fn inputs(files: &[PathBuf], named: &[String]) -> Result<Vec<Input>> {
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
    all.into_iter().map(|(name, path)| Ok(Input { name, dataset: Dataset::open(path)? })).collect()
}

fn layout(args: &CalcArgs, destination: &Destination) -> Result<Layout> {
    let chunks = args.chunks.iter().map(|word| chunk(word)).collect::<Result<Vec<_>>>()?;
    if args.codec.is_empty() {
        return Ok(Layout { chunks, codecs: None });
    }
    let Destination::File(path, format) = destination else {
        return Err(Error::usage("--codec needs -o FILE"));
    };
    let words: Vec<&str> = args.codec.iter().map(|w| w.trim()).collect();
    let codecs = match words.as_slice() {
        ["none"] => Ok(Vec::new()),
        words => words.iter().map(|word| codec(word, *format)).collect::<Result<Vec<_>>>(),
    };
    Ok(Layout { chunks, codecs: Some(codecs.map_err(|e| e.in_file(Path::new(path)))?) })
}

fn chunk(word: &str) -> Result<(String, ChunkLength)> {
    let wrong = || Error::usage(format!("--chunks {word}: it is a dimension and a length, as time=1 or lat=all"));
    let (dim, length) = word.split_once('=').ok_or_else(wrong)?;
    let length = match length.trim() {
        "all" | "-1" => ChunkLength::All,
        number => ChunkLength::Of(number.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?),
    };
    Ok((dim.trim().to_string(), length))
}

/// The filters that a format can be written with, each with its levels.
fn known_codecs(format: OutputFormat) -> &'static [(&'static str, Option<(i32, i32)>)] {
    match format {
        OutputFormat::NetCdf4 => &[("shuffle", None), ("deflate", Some((1, 9))), ("fletcher32", None)],
        OutputFormat::NetCdf3 | OutputFormat::NetCdf5 => &[],
        OutputFormat::Zarr2 | OutputFormat::Zarr3 => {
            &[("zstd", Some((-7, 22))), ("gzip", Some((0, 9))), ("blosc", Some((0, 9)))]
        }
    }
}

fn codec(word: &str, format: OutputFormat) -> Result<CodecMeta> {
    let known = known_codecs(format);
    if known.is_empty() {
        return Err(Error::usage(format!(
            "--codec {word}: NetCDF classic files have no filters; write NetCDF-4 or Zarr"
        )));
    }
    let (name, level) = word.split_once(':').map_or((word, None), |(name, level)| (name, Some(level)));
    let name = match (name, format) {
        ("zlib" | "gzip", OutputFormat::NetCdf4) => "deflate",
        (other, _) => other,
    };
    let Some((_, levels)) = known.iter().find(|(n, _)| *n == name) else {
        let names = closest(name, known.iter().map(|(n, _)| *n));
        return Err(Error::usage(format!("no codec '{name}' in this format; there are none, {}", names.join(", "))));
    };
    let level = match (level, levels) {
        (None, _) => None,
        (Some(text), None) => return Err(Error::usage(format!("--codec {name}:{text}: {name} has no levels"))),
        (Some(text), Some((low, high))) => match text.parse::<i32>() {
            Ok(level) if (*low..=*high).contains(&level) => Some(level),
            _ => return Err(Error::usage(format!("--codec {name}:{text}: its levels are {low} to {high}"))),
        },
    };
    Ok(CodecMeta { name: name.to_string(), level, detail: String::new() })
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
