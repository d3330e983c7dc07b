//! The command line: one file a subcommand. `main.rs` only calls [`main`].

pub mod info;

use crate::error::{Class, Error, Problem};
use clap::{Parser, Subcommand};
use std::{
    io::{self, BufWriter, ErrorKind, Write},
    process::ExitCode,
};

/// Reductions over gridded climate data that does not fit in memory.
#[derive(Parser)]
#[command(name = "aosx", version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows what a file holds: groups, dimensions, variables, chunks, filters, sizes, attributes.
    Info(info::InfoArgs),
}

/// Runs the command that the process was given.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match &args.command {
        Command::Info(args) => info::run(args, &mut out),
    };
    let done = done.and_then(|()| out.flush().map_err(|e| Error::io("write", e)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(&e),
    }
}

/// Says what went wrong; the exit code says who has to act.
fn fail(e: &Error) -> ExitCode {
    if matches!(e.problem(), Problem::Io { source, .. } if source.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(io::stderr(), "aosx: error: {e}");
    ExitCode::from(match e.class() {
        Class::Data => 1,
        Class::Usage => 2,
        Class::Unsupported => 3,
    })
}
