//! The command line: one file a subcommand. `main.rs` only calls [`main`].

pub mod calc;
pub mod convert;
mod destination;
pub mod diff;
pub mod graph;
mod history;
pub mod info;
pub mod input;
pub mod layout;
pub mod reduce;
pub mod split;
pub mod units;

use crate::{
    error::{Class, Error, Problem},
    report::Progress,
    session::{Session, SpillSettings},
    spill::SpillCodec,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    units::Bytes,
};
use clap::{Parser, Subcommand};
use std::{
    io::{self, BufWriter, ErrorKind, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Reductions over gridded climate data that does not fit in memory.
#[derive(Parser)]
#[command(name = "aosx", version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

/// The heading of what every subcommand takes.
const GLOBAL: &str = "For every command";

/// What every subcommand takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// The most memory that the whole process may take, as 512MiB [default: a quarter of the machine's]
    #[arg(long, global = true, value_name = "SIZE", help_heading = GLOBAL)]
    memory: Option<Bytes>,
    /// Threads [default: all]
    #[arg(long, global = true, value_name = "N", help_heading = GLOBAL, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Where what does not fit in memory goes [default: beside the output]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = GLOBAL)]
    spill_dir: Option<PathBuf>,
    /// How it is compressed there: lz4, zstd:1 or none
    #[arg(long, global = true, value_name = "CODEC", help_heading = GLOBAL, default_value = "lz4")]
    spill_codec: SpillCodec,
    /// The most that it may take there, as 20GiB [default: what the disk has]
    #[arg(long, global = true, value_name = "SIZE", help_heading = GLOBAL)]
    spill_limit: Option<Bytes>,
    /// No progress line, no notes
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    quiet: bool,
    /// Say more, as which variables are left out
    #[arg(short, long, global = true, help_heading = GLOBAL, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    /// Shows what a file holds: groups, dimensions, variables, chunks, filters, sizes, attributes
    Info(info::InfoArgs),
    Reduce(Box<reduce::ReduceArgs>),
    Calc(calc::CalcArgs),
    Convert(convert::ConvertArgs),
    Split(split::SplitArgs),
    /// Copy parts of a file: some variables, ranges of coordinates, positions
    #[command(
        after_help = "Examples:\n  aosx select in.nc --sel time=1991-01:2020-12 --sel lat=30:60 --sel lon=-10:40 -o europe.nc\n  aosx select in.nc --sel lev=860 --sel-method nearest --var t,u -o t860.nc\n  aosx select in.nc --isel time=0:10:2 -o some.zarr"
    )]
    Select(convert::ConvertArgs),
    /// Put the variables of several files into one; what several have, as coordinates, has to be the same,
    /// but for its order
    #[command(
        after_help = "Examples:\n  aosx merge t.nc u.nc -o tu.nc\n  aosx merge orography.nc t.nc -o all.zarr --isel time=0"
    )]
    Merge(convert::ConvertArgs),
    Diff(diff::DiffArgs),
    Graph(graph::GraphArgs),
}

/// Runs the command that the process was given.
pub fn main() -> ExitCode {
    keep_freed_memory_small();
    let_long_files_be_errors();
    let args = Args::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let global = &args.global;
    let done = session(global).and_then(|session| {
        match &args.command {
            Command::Info(args) => info::run(args, global, &mut out),
            Command::Calc(calc) => calc::run(calc, global, &session, &mut out),
            Command::Convert(convert) | Command::Select(convert) => convert::run(convert, global, &session, &mut out),
            Command::Merge(merge) => convert::merge(merge, global, &session, &mut out),
            Command::Split(split) => split::run(split, global, &session),
            Command::Diff(diff) => return diff::run(diff, global, &session, &mut out),
            Command::Graph(args) => graph::run(args, global, &mut out),
            Command::Reduce(reduce) => reduce::run(reduce, global, &session, &mut out),
        }
        .map(|()| ExitCode::SUCCESS)
    });
    match done.and_then(|code| out.flush().map(|()| code).map_err(|e| Error::io("write", e))) {
        Ok(code) => code,
        Err(e) => fail(&e),
    }
}

fn session(global: &Global) -> Result<Session, Error> {
    let spill =
        SpillSettings { folder: global.spill_dir.clone(), codec: global.spill_codec, limit: global.spill_limit };
    let mut session = Session::new().spill(spill);
    if let Some(limit) = global.memory {
        session = session.memory(limit);
    }
    if let Some(threads) = global.threads {
        session = session.threads(threads.into());
    }
    if !global.quiet && io::stderr().is_terminal() {
        session = session.observer(Arc::new(Progress::default()));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    // The first signal stops at the next chunk and cleans up; the second one at once.
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            // At once: what libraries do at the exit would wait for threads that are at work.
            // SAFETY: it ends the process and runs nothing of ours.
            unsafe { libc::_exit(130) };
        }
    };
    ctrlc::set_handler(handler).map_err(|e| Error::io("set a signal handler", io::Error::other(e)))?;
    Ok(session.stop(stop))
}

/// Says what went wrong; the exit code says who has to act.
fn fail(e: &Error) -> ExitCode {
    if matches!(e.problem(), Problem::Io { source, .. } if source.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(io::stderr(), "aosx: error: {e}");
    ExitCode::from(match (e.problem(), e.class()) {
        (Problem::Stopped, _) => 130,
        (_, Class::Data) => 1,
        (_, Class::Usage) => 2,
        (_, Class::Unsupported) => 3,
    })
}

/// A file that grows beyond what it may (`ulimit -f`) is an error as a full disk is, and no signal that kills.
fn let_long_files_be_errors() {
    // SAFETY: called before any other thread exists; no code of ours runs on a signal.
    #[cfg(unix)]
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Makes the C allocator give freed blocks back at once, and keep no pool a thread: the memory limit is for the whole
/// process, and what the allocator holds counts.
fn keep_freed_memory_small() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: called before any other thread exists; mallopt only sets parameters.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 2 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 4 << 20);
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}
