//! One error type for the whole library: what went wrong, in fields, and where (file, variable, chunk).

use crate::units::Bytes;
use std::{
    fmt::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong ([`Problem`]) and where.
///
/// Prints as `in.nc: variable 't': chunk [3, 0, 2]: inflate: expected 800 bytes, got 12`.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    problem: Problem,
    file: Option<PathBuf>,
    variable: Option<String>,
    chunk: Option<String>,
}

/// The class of an error: who has to act. The binary's exit code follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The request makes no sense (exit code 2).
    Usage,
    /// A file is missing, broken or unwritable, or its values do not allow the result (exit code 1).
    Data,
    /// A feature of a format that is not supported (exit code 3).
    Unsupported,
}

/// Why a block could not be spilled.
#[derive(Debug, thiserror::Error)]
pub enum SpillRefusal {
    /// The disk, or what a file may be, is full.
    #[error("{0}; free some space, or name another folder with --spill-dir")]
    Full(std::io::Error),
    /// The user's own limit.
    #[error("more than --spill-limit {0} is needed; raise it, or give more --memory")]
    Limit(Bytes),
    /// Anything else that the system says.
    #[error("{0}; name another folder with --spill-dir")]
    Io(std::io::Error),
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The operating system refused.
    #[error("{action}: {source}")]
    Io {
        /// What was tried, as a verb phrase: "open", "read 800 bytes at offset 12".
        action: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// None of the known formats.
    #[error("not a NetCDF, HDF5 or Zarr file ({found}); give a .nc, .h5 or .zarr that one of those libraries wrote")]
    NotAFormat {
        /// What the first bytes look like.
        found: String,
    },
    /// The file ends before its metadata says.
    #[error("{what}: expected {expected} bytes, got {got}: the file is cut short or broken; fetch it again")]
    Truncated {
        /// What was being read.
        what: String,
        /// Bytes that the metadata promises.
        expected: u64,
        /// Bytes that are there.
        got: u64,
    },
    /// Metadata that contradicts itself or the format's specification.
    #[error("{what} is corrupt: {detail}")]
    Corrupt {
        /// Which structure.
        what: &'static str,
        /// The contradiction.
        detail: String,
    },
    /// Stored bytes that a codec cannot decode (or encode).
    #[error("{codec}: {detail}")]
    Codec {
        /// The codec's registered name.
        codec: &'static str,
        /// What it found.
        detail: String,
    },
    /// A container library failed.
    #[error("{library}: {detail}")]
    Library {
        /// "HDF5", "netCDF" or "zarrs".
        library: &'static str,
        /// Its own words.
        detail: String,
    },
    /// A feature of a format that aosx does not have.
    #[error("{feature} is not supported")]
    Unsupported {
        /// The feature, as a noun phrase.
        feature: String,
    },
    /// There is no variable of that name.
    #[error("no variable '{name}'{}", did_you_mean(.known, "it has"))]
    NoSuchVariable {
        /// The name that was asked for.
        name: String,
        /// Names that exist, nearest first.
        known: Vec<String>,
    },
    /// There is no dimension of that name or position.
    #[error("no dimension '{name}'{}", did_you_mean(.known, "it has"))]
    NoSuchDimension {
        /// The name or position that was asked for.
        name: String,
        /// The dimensions that exist.
        known: Vec<String>,
    },
    /// An operation that needs numbers met something else.
    #[error("{dtype} data cannot be reduced; choose a numeric variable with --var")]
    NotNumeric {
        /// The stored type in words.
        dtype: String,
    },
    /// An exact integer result does not fit its type.
    #[error("{op} overflows {dtype}; use mean, or convert the variable to floating point first")]
    Overflow {
        /// The operation.
        op: &'static str,
        /// The type of the result.
        dtype: &'static str,
    },
    /// A value that the type which it is to be stored in does not hold.
    #[error("the value {value} cannot be stored as {stored}, which holds {low} to {high}; {advice}")]
    DoesNotFit {
        /// The value.
        value: String,
        /// The type, and how it is packed.
        stored: String,
        /// The least value that it holds.
        low: String,
        /// The largest value that it holds.
        high: String,
        /// What to do.
        advice: &'static str,
    },
    /// A result that does not exist for zero values.
    #[error("{op} of zero values does not exist for integers; select a range that has values")]
    ZeroLength {
        /// The operation.
        op: &'static str,
    },
    /// What does not fit in memory could not be put aside.
    #[error("spilling into {}: {why}", .folder.display())]
    Spill {
        /// Where temporary files go.
        folder: PathBuf,
        /// Why not, and what to do.
        why: SpillRefusal,
    },
    /// A position that an axis does not have.
    #[error("index {index} is out of range for an axis of {len} elements")]
    IndexOutOfRange {
        /// The position that was asked for.
        index: i64,
        /// The length of the axis.
        len: u64,
    },
    /// A matrix that has no such decomposition.
    #[error("{op}: {detail}")]
    NoDecomposition {
        /// The operation.
        op: &'static str,
        /// Why there is none, and what to do.
        detail: &'static str,
    },
    /// The plan's smallest step does not fit the memory limit.
    #[error("{what} needs at least {need} of memory, the limit is {limit}; give --memory {need} or more")]
    BudgetTooSmall {
        /// What asks for it.
        what: String,
        /// The least that would do.
        need: Bytes,
        /// The limit in force.
        limit: Bytes,
    },
    /// A mistake in an expression of `calc`.
    #[error("expression: {rendered}")]
    Expression {
        /// What is wrong, what to do, and the line with a caret under the place.
        rendered: String,
        /// What is wrong, alone.
        message: String,
        /// The line of the expression, from 1.
        line: usize,
        /// The character in that line, from 1.
        column: usize,
    },
    /// A calendar, units of time or a date that cannot be read.
    #[error("{what} '{text}': {detail}")]
    Time {
        /// What it is: "calendar", "time units", "date".
        what: &'static str,
        /// What it says.
        text: String,
        /// Why that cannot be.
        detail: String,
    },
    /// Text that is no unit of measure.
    #[error("units '{units}': {detail}")]
    Units {
        /// What it says.
        units: String,
        /// Why that is none.
        detail: String,
    },
    /// Units that do not measure the same.
    #[error("'{from}' cannot be converted to '{to}': {detail}")]
    Inconvertible {
        /// What values are in.
        from: String,
        /// What they were to be in.
        to: String,
        /// Why not.
        detail: String,
    },
    /// Arrays that meet along a dimension and have other labels there.
    #[error(
        "'{dim}' has {second} at position {at}, where {} has {first}, and values meet by their labels; take the same \
         part of both with select, as --sel {dim}=FROM:TO", .file.display()
    )]
    OtherLabels {
        /// The dimension.
        dim: String,
        /// The first position where they differ.
        at: usize,
        /// The label there.
        second: String,
        /// That of the array which is met.
        first: String,
        /// The file of that one.
        file: PathBuf,
    },
    /// The output names an input.
    #[error("the output is also an input; write to another file")]
    OutputIsInput,
    /// A request that makes no sense.
    #[error("{problem}")]
    Usage {
        /// What is wrong and what to do.
        problem: String,
    },
    /// A task of a graph failed.
    #[error("{}: {cause}", route(.path))]
    Task {
        /// Names of tasks, from the one that was asked for to the one that failed.
        path: Vec<String>,
        /// What that one met.
        cause: Arc<Error>,
    },
    /// A function of the user failed with an error of its own.
    #[error("{source}")]
    Function {
        /// Its error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A function of the user panicked.
    #[error("panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The user cancelled the task, or dropped its client.
    #[error("cancelled")]
    Cancelled,
    /// Another task failed first, or the user stopped the run.
    #[error("stopped")]
    Stopped,
}

fn did_you_mean(known: &[String], has: &str) -> String {
    match known {
        [] => String::new(),
        many if many.len() > 12 => format!("; {has} {}, ... ({} in all)", many[..12].join(", "), many.len()),
        few => format!("; {has} {}", few.join(", ")),
    }
}

/// The most tasks of a path that are shown.
const PATH_MAX: usize = 12;

fn route(path: &[String]) -> String {
    match path {
        [] => "task".to_string(),
        [one] => format!("task '{one}'"),
        many if many.len() > PATH_MAX => {
            let (from, to) = (&many[..PATH_MAX / 2], &many[many.len() - PATH_MAX / 2..]);
            let between = many.len() - from.len() - to.len();
            format!("task '{}' <- ({between} more) <- '{}'", from.join("' <- '"), to.join("' <- '"))
        }
        few => format!("task '{}'", few.join("' <- '")),
    }
}

impl Problem {
    /// Who has to act.
    pub fn class(&self) -> Class {
        match self {
            Problem::NoSuchVariable { .. }
            | Problem::NoSuchDimension { .. }
            | Problem::BudgetTooSmall { .. }
            | Problem::Expression { .. }
            | Problem::Inconvertible { .. }
            | Problem::OutputIsInput
            | Problem::Usage { .. } => Class::Usage,
            Problem::Unsupported { .. } => Class::Unsupported,
            Problem::Task { cause, .. } => cause.class(),
            _ => Class::Data,
        }
    }
}

impl Error {
    /// What went wrong.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Who has to act.
    pub fn class(&self) -> Class {
        self.0.problem.class()
    }

    /// The file it happened in, where that is known.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// The variable it happened in, where that is known.
    pub fn variable(&self) -> Option<&str> {
        self.0.variable.as_deref()
    }

    /// An error of the operating system, with what was tried.
    pub fn io(action: impl Into<String>, source: std::io::Error) -> Error {
        Problem::Io { action: action.into(), source }.into()
    }

    /// Metadata that contradicts itself.
    pub fn corrupt(what: &'static str, detail: impl Into<String>) -> Error {
        Problem::Corrupt { what, detail: detail.into() }.into()
    }

    /// A feature that aosx does not have.
    pub fn unsupported(feature: impl Into<String>) -> Error {
        Problem::Unsupported { feature: feature.into() }.into()
    }

    /// A request that makes no sense.
    pub fn usage(problem: impl Into<String>) -> Error {
        Problem::Usage { problem: problem.into() }.into()
    }

    /// Stored bytes that a codec cannot handle.
    pub fn codec(codec: &'static str, detail: impl Into<String>) -> Error {
        Problem::Codec { codec, detail: detail.into() }.into()
    }

    /// What a function of the user said, whatever its type.
    pub fn function(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Problem::Function { source: source.into() }.into()
    }

    /// The same error with its file, unless it has one.
    pub fn in_file(mut self, file: impl AsRef<Path>) -> Error {
        self.0.file.get_or_insert_with(|| file.as_ref().to_path_buf());
        self
    }

    /// The same error with its variable, unless it has one.
    pub fn in_variable(mut self, variable: &str) -> Error {
        self.0.variable.get_or_insert_with(|| variable.to_string());
        self
    }

    /// The same error with its chunk, unless it has one.
    pub fn in_chunk(mut self, chunk: &dyn fmt::Display) -> Error {
        self.0.chunk.get_or_insert_with(|| chunk.to_string());
        self
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Error {
        Error(Box::new(Inner { problem, file: None, variable: None, chunk: None }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An expression is shown in lines of its own, and what a user's function says is the user's.
        let keeps_lines = matches!(
            self.0.problem,
            Problem::Expression { .. } | Problem::Function { .. } | Problem::Panicked { .. } | Problem::Task { .. }
        );
        let mut f = Escaping { out: f, keeps_lines };
        if let Some(file) = &self.0.file {
            write!(f, "{}: ", file.display())?;
        }
        if let Some(variable) = &self.0.variable {
            write!(f, "variable '{variable}': ")?;
        }
        if let Some(chunk) = &self.0.chunk {
            write!(f, "chunk {chunk}: ")?;
        }
        write!(f, "{}", self.0.problem)
    }
}

/// Text with control characters and those that turn the writing direction as escapes, so that a file cannot drive
/// the terminal.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let _ = Escaping { out: &mut out, keeps_lines: false }.write_str(text);
    out
}

/// Escapes what is written to it.
struct Escaping<'a, W> {
    out: &'a mut W,
    keeps_lines: bool,
}

impl<W: Write> Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '\n' if self.keeps_lines => self.out.write_char(c)?,
                '\n' => self.out.write_str("\\n")?,
                '\r' => self.out.write_str("\\r")?,
                '\t' => self.out.write_str("\\t")?,
                c if c.is_control()
                    || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
                {
                    write!(self.out, "\\u{{{:x}}}", u32::from(c))?;
                }
                c => self.out.write_char(c)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.problem {
            Problem::Io { source, .. } => Some(source),
            Problem::Task { cause, .. } => Some(cause.as_ref()),
            Problem::Function { source } => Some(source.as_ref()),
            _ => None,
        }
    }
}

/// The names, those most like `wanted` first, and then in the order given.
pub fn closest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut all: Vec<(usize, String)> =
        known.map(|name| (distance(&wanted, &name.to_lowercase()), name.to_string())).collect();
    all.sort_by_key(|(far, name)| if *far * 2 <= name.len().max(wanted.len()) { *far } else { usize::MAX });
    all.into_iter().map(|(_, name)| name).collect()
}

/// The name that `wanted` is a slip of, if there is one: at most a third of its letters differ.
pub fn closest_near<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wanted.to_lowercase();
    let letters = lower.chars().count();
    let far = |name: &str| distance(&lower, &name.to_lowercase());
    let near = |far: usize, name: &str| far <= (letters / 3).max(1) && far * 2 <= letters.max(name.chars().count());
    known
        .map(|name| (far(name), name))
        .filter(|(far, name)| near(*far, name))
        .min_by_key(|(far, _)| *far)
        .map(|(_, n)| n)
}

/// Levenshtein's distance in which two neighbours that changed places are one slip, by three rows of its table.
///
/// Source: Boytsov 2011, Indexing methods for approximate dictionary searching, "optimal string alignment".
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (row[j] + usize::from(x != y)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_file_variable_and_chunk_in_that_order() {
        let e: Error = Problem::Truncated { what: "inflate".into(), expected: 800, got: 12 }.into();
        let e = e.in_chunk(&"[3, 0, 2]").in_variable("t").in_file("in.nc").in_file("other.nc");
        let text = e.to_string();
        assert!(
            text.starts_with("in.nc: variable 't': chunk [3, 0, 2]: inflate: expected 800 bytes, got 12"),
            "{text}"
        );
        assert_eq!(e.class(), Class::Data);
        assert_eq!(Error::usage("x").class(), Class::Usage);
        assert_eq!(Error::unsupported("x").class(), Class::Unsupported);
    }

    #[test]
    fn what_files_call_things_does_not_reach_a_terminal_as_it_is() {
        let e = Error::corrupt("attribute", "'b\x1b[2J\n'").in_variable("a\nb\u{202e}").in_file("c\td.nc");
        assert_eq!(e.to_string(), r"c\td.nc: variable 'a\nb\u{202e}': attribute is corrupt: 'b\u{1b}[2J\n'");
        let e = Error::from(Problem::NoSuchVariable { name: "x".into(), known: vec!["a\nb".into()] });
        assert_eq!(e.to_string(), r"no variable 'x'; it has a\nb");
        let (rendered, message) = ("no\n  x\x1b\n  ^".into(), "no".into());
        let e = Error::from(Problem::Expression { rendered, message, line: 1, column: 1 });
        assert_eq!(e.to_string(), "expression: no\n  x\\u{1b}\n  ^");
    }

    #[test]
    fn a_task_names_its_path_and_keeps_its_cause() {
        let task = |names: &[&str]| {
            let path = names.iter().map(|name| name.to_string()).collect();
            let cause = Arc::new(Error::usage("no"));
            Error::from(Problem::Task { path, cause })
        };
        assert_eq!(task(&["mean"]).to_string(), "task 'mean': no");
        assert_eq!(task(&["mean", "load"]).to_string(), "task 'mean' <- 'load': no");
        let long = task(&["a"; 100]).to_string();
        assert!(long.contains("'a' <- (88 more) <- 'a'"), "{long}");
        assert_eq!(task(&["a"]).class(), Class::Usage);
        let cause = std::io::Error::other("mine");
        assert_eq!(std::error::Error::source(&Error::function(cause)).unwrap().to_string(), "mine");
    }

    #[test]
    fn a_slip_of_the_finger_comes_first() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!((distance("maen", "mean"), distance("maen", "max"), distance("", "ab")), (1, 2, 2));
        let known = ["lat", "lon", "temperature", "time"];
        assert_eq!(closest("temprature", known.into_iter())[0], "temperature");
        assert_eq!(closest("zzz", known.into_iter()), known, "nothing is like it: the file's order");
        assert_eq!(closest_near("tiem", known.into_iter()), Some("time"));
        assert_eq!(closest_near("pressure", known.into_iter()), None);
        assert_eq!(closest_near("", known.into_iter()), None);
        assert_eq!(closest_near("u", ["v"].into_iter()), None, "one letter is like any other");
    }
}
