//! `aosx diff`: what two files say differently.

use super::{Global, destination, input::InputArgs, layout::number};
use crate::{
    dataset::{Cause, Comparison, Extent, Outcome, Tolerance},
    error::{Error, Result},
    report::differences,
    session::Session,
};
use std::{io::Write, path::PathBuf, process::ExitCode};

/// Compare two files: what differs, and by how much
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Values are compared as they are stored where both files store them alike, else decoded. NaN equals NaN.\nChunks, filters and what only one of the formats has a place for are listed with -v.\nExit code 0: no difference; 1: some.\n\nExamples:\n  aosx diff a.nc b.zarr\n  aosx diff a.nc b.nc --var t,u --rtol 1e-6\n  aosx diff a.nc b.nc --metadata"
)]
pub struct DiffArgs {
    /// A NetCDF, HDF5 or Zarr file
    pub first: PathBuf,
    /// Another one
    pub second: PathBuf,
    /// Variables, as t,u or group/sub/t [default: all]
    #[arg(long, value_delimiter = ',')]
    pub var: Vec<String>,
    /// Which parts are compared.
    #[command(flatten)]
    pub input: InputArgs,
    /// Numbers may differ by this part of the second file's
    #[arg(long, default_value_t = 0.0, value_name = "PART")]
    pub rtol: f64,
    /// Numbers may differ by this much
    #[arg(long, default_value_t = 0.0, value_name = "NUMBER")]
    pub atol: f64,
    /// Compare no values
    #[arg(long, conflicts_with = "values")]
    pub metadata: bool,
    /// Compare values alone
    #[arg(long)]
    pub values: bool,
}

/// Runs it, prints differences to `out`, and gives the exit code: 1 where there is one.
///
/// # Errors
/// When a file cannot be read, or has no variable that is named.
pub fn run(args: &DiffArgs, global: &Global, session: &Session, out: &mut dyn Write) -> Result<ExitCode> {
    let is_tolerance = |x: f64| x.is_finite() && x >= 0.0;
    if !is_tolerance(args.rtol) || !is_tolerance(args.atol) {
        return Err(Error::usage("--rtol and --atol are numbers from 0"));
    }
    let (a, b) =
        (args.input.open(&[&args.first], &args.var, global)?, args.input.open(&[&args.second], &args.var, global)?);
    let extent = match (args.metadata, args.values) {
        (true, _) => Extent::Metadata,
        (_, true) => Extent::Values,
        _ => Extent::All,
    };
    let variables: Vec<String> = args.var.iter().map(|v| v.trim().to_string()).collect();
    let comparison = Comparison { variables, extent, within: Tolerance { rtol: args.rtol, atol: args.atol } };
    let (found, pairs) = comparison.of(&a, &b)?;
    let mut differ = false;
    for difference in found.iter().filter(|d| d.cause == Cause::Content || global.verbose > 0) {
        differ |= difference.cause == Cause::Content;
        destination::print(out, |out| differences::metadata(out, difference))?;
    }
    let mut compared = 0;
    for pair in &pairs {
        compared += pair.size();
        let in_variable = |e: Error| e.in_variable(&pair.path);
        let counts = session.compute_all(&pair.counts.iter().collect::<Vec<_>>()).map_err(in_variable)?;
        let counts: Vec<f64> = counts.iter().map(|v| number(v.bytes(), v.dtype())).collect();
        let outcome = Outcome::of(&counts, pair.values[0].shape());
        let Some(first) = &outcome.first else { continue };
        differ = true;
        let [x, y] = pair.at(first)?;
        let at = session.compute_all(&[&x, &y]).map_err(in_variable)?;
        let at: Vec<_> = at.iter().map(|v| (v.dtype(), v.bytes().to_vec())).collect();
        destination::print(out, |out| differences::values(out, pair, &outcome, &at))?;
    }
    if !differ {
        let how = if args.rtol > 0.0 || args.atol > 0.0 { "equal within the tolerance" } else { "identical" };
        let what = match extent {
            Extent::Metadata => "metadata".to_string(),
            _ if pairs.len() == 1 => format!("1 variable, {compared} values"),
            _ => format!("{} variables, {compared} values", pairs.len()),
        };
        destination::print(out, |out| writeln!(out, "{how}: {what}"))?;
    }
    Ok(ExitCode::from(u8::from(differ)))
}
