//! `aosx graph`.

use super::{Global, calc, input::InputArgs};
use crate::{
    array::LazyArray,
    dtype::DType,
    error::{Error, Result},
    expr,
    report::drawing::{self, Chains, Graph},
};
use clap::ValueEnum;
use std::{fs, io::Write, path::PathBuf};

/// Draws a blocked graph: blocks as squares, tasks as circles, from the bottom up
#[derive(clap::Args)]
pub struct GraphArgs {
    /// Statements as of calc
    #[arg(required_unless_present = "example")]
    program: Option<String>,
    /// NetCDF, HDF5 or Zarr files, as of calc
    files: Vec<PathBuf>,
    /// One more file, by a name of your own
    #[arg(long = "in", value_name = "NAME=FILE")]
    named: Vec<String>,
    /// Which parts are read.
    #[command(flatten)]
    input: InputArgs,
    /// One of the five pictures of the classic talk about blocked arrays
    #[arg(long, value_name = "NAME", conflicts_with = "program")]
    example: Option<Example>,
    /// Where the picture goes [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Writes Graphviz's language, not SVG
    #[arg(long)]
    dot: bool,
    /// Draws chains of elementwise functions as the one task that runs
    #[arg(long)]
    fused: bool,
}

/// The pictures of the talk, of `x = ones((15, 15))` in blocks of (5, 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Example {
    /// x.sum(axis=1)
    Sum,
    /// x + x.T
    Transpose,
    /// x.dot(x.T + 1)
    Dot,
    /// x.dot(x.T + 1) - x.mean(axis=0)
    Mean,
    /// (x.dot(x.T + 1) - x.mean(axis=0)).std()
    Std,
}

impl Example {
    /// The arrays that the picture names: `x` and the result.
    ///
    /// # Errors
    /// None: the shapes fit.
    pub fn arrays(self) -> Result<Vec<(String, LazyArray)>> {
        let x = LazyArray::ones(&[15, 15], &[5, 5], DType::F64)?;
        let product = || x.matmul(&x.transpose().add_scalar(1.0)?);
        let difference = || product()?.subtract(&x.mean(&[0])?);
        let (name, result) = match self {
            Example::Sum => ("x.sum(axis=1)", x.sum(&[1])?),
            Example::Transpose => ("x + x.T", x.add(&x.transpose())?),
            Example::Dot => ("x.dot(x.T + 1)", product()?),
            Example::Mean => ("x.dot(x.T + 1) - x.mean(axis=0)", difference()?),
            Example::Std => ("(x.dot(x.T + 1) - x.mean(axis=0)).std()", difference()?.std(&[0, 1], 0.0)?),
        };
        Ok(vec![("x".to_string(), x), (name.to_string(), result)])
    }
}

/// The language of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A picture for browsers.
    Svg,
    /// Input of Graphviz.
    Dot,
}

/// A drawing of arrays and of all that they are made of; each array given has the name given.
///
/// # Errors
/// When nothing is given, or sizes overflow.
pub fn draw(arrays: &[(String, LazyArray)], chains: Chains, language: Language) -> Result<String> {
    let graph = Graph::new(arrays, chains)?;
    Ok(match language {
        Language::Svg => drawing::svg(&graph),
        Language::Dot => drawing::dot(&graph),
    })
}

/// The example's arrays, or those that the statements define.
fn arrays(args: &GraphArgs, global: &Global) -> Result<Vec<(String, LazyArray)>> {
    if let Some(example) = args.example {
        return example.arrays();
    }
    let program = args.program.as_deref().unwrap_or_default();
    let parsed = expr::parse(program).map_err(|mistake| mistake.in_source(program))?;
    let inputs = calc::inputs(&args.files, &args.named, &args.input, global)?;
    let outputs = expr::bind(program, &parsed, &inputs)?.outputs;
    Ok(outputs.into_iter().map(|output| (output.name, output.array)).collect())
}

/// Draws what is asked for into the file, or prints it.
///
/// # Errors
/// When the graph cannot be made, or the drawing cannot be written.
pub fn run(args: &GraphArgs, global: &Global, out: &mut dyn Write) -> Result<()> {
    let chains = if args.fused { Chains::Fused } else { Chains::AsWritten };
    let language = if args.dot { Language::Dot } else { Language::Svg };
    let drawing = draw(&arrays(args, global)?, chains, language)?;
    match &args.output {
        Some(file) => fs::write(file, drawing).map_err(|e| Error::io("write", e).in_file(file)),
        None => out.write_all(drawing.as_bytes()).map_err(|e| Error::io("write", e)),
    }
}
