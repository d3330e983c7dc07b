//! `aosx convert`: a file in another format, or stored in another way.

use super::{
    Global,
    destination::{self, Destination},
    history,
    input::InputArgs,
    layout::{self, LayoutArgs},
    units::UnitsArgs,
};
use crate::{
    dataset::{Conversion, Dataset},
    error::{Error, Result},
    session::Session,
};
use std::{io::Write, path::PathBuf};

/// Copy a file into another format, other chunks, filters or types
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  aosx convert in.nc -o out.zarr\n  aosx convert in.nc -o out.zarr --chunks time=all,lat=19,lon=36 --codec zstd:3\n  aosx convert in.zarr -o out.nc --chunks time=1 --codec shuffle,deflate:1\n  aosx convert in.nc -o small.nc --var t,u --codec bitround:9,shuffle,deflate:1\n  aosx convert in.nc -o out.zarr --resume\n  aosx convert in.nc -o packed.nc --codec t=pack:i16,shuffle,deflate:1"
)]
pub struct ConvertArgs {
    /// NetCDF, HDF5 or Zarr files; several are joined along time. Patterns go in quotes: 'run*/t_*.nc'
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write to this file: .nc is NetCDF-4, .nc3 and .nc5 are classic, .zarr is Zarr v3
    #[arg(short, long)]
    pub output: PathBuf,
    /// nc4, nc3, nc5, zarr3 or zarr2 [default: by the output's name]
    #[arg(long)]
    pub format: Option<String>,
    /// Variables, as t,u or group/sub/t, which take their coordinates along [default: all]
    #[arg(long, value_delimiter = ',')]
    pub var: Vec<String>,
    /// Which parts are copied.
    #[command(flatten)]
    pub input: InputArgs,
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
}

/// Runs it, and prints to `out` what is to be printed.
///
/// # Errors
/// As [`Conversion::of`] and [`Session::write`].
pub fn run(args: &ConvertArgs, global: &Global, session: &Session, out: &mut dyn Write) -> Result<()> {
    copy(args, |input| input.open(&args.files, &args.var, global), global, session, out)
}

/// Runs it with the variables of all files in one.
///
/// # Errors
/// As [`run`], and when files say different things by one name.
pub fn merge(args: &ConvertArgs, global: &Global, session: &Session, out: &mut dyn Write) -> Result<()> {
    copy(args, |input| input.merge(&args.files, global), global, session, out)
}

fn copy(
    args: &ConvertArgs,
    open: impl Fn(&InputArgs) -> Result<Dataset>,
    global: &Global,
    session: &Session,
    out: &mut dyn Write,
) -> Result<()> {
    let Destination::File(path, format) = Destination::of(Some(&args.output), args.format.as_deref())? else {
        return Err(Error::usage("convert writes a file; give -o FILE"));
    };
    let layout = args.layout.parse(Some(format))?;
    let variables = args.var.iter().map(|v| v.trim().to_string()).collect();
    let dataset = open(&args.input)?;
    let request = Conversion { variables, layout, format };
    let mut computation = args.units.apply(request.of(&dataset)?)?;
    // A copy of the same values has the same history.
    let is_other = request.layout.changes_values() || !args.units.is_empty();
    if is_other || !args.input.request().is_empty() || dataset.paths().len() > 1 {
        history::append(&mut computation.schema.attrs);
    }
    if args.explain {
        let text = layout::explain(&computation, &request.layout, session)?;
        return destination::print(out, |out| out.write_all(text.as_bytes()));
    }
    let parts = args.input.request() + &args.units.request();
    let same = format!("convert {:?} {:?}{parts}", request.variables, request.layout);
    let resume = args.resume.then_some(same.as_str());
    destination::write(session, global, resume, &[dataset], &computation, &request.layout, (&path, format))
}
