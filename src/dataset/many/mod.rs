//! Many files as one dataset: [`open_many`].
//!
//! Each file is opened once, looked at and closed: what is kept of it is its path, its length along the dimension that
//! is joined, and what that coordinate says. A variable's chunks are found when it is asked for, and files are opened
//! again as they are read, a bounded number at once.

mod container;
mod crowd;
mod join;
mod known;
mod pool;
mod scan;
mod source;

use super::{Dataset, Held, Selection};
use crate::error::{Error, Result};
use std::{path::PathBuf, sync::Arc};

/// How files are put together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Combine {
    /// One behind the other along time: the dimension whose coordinate has units of time, or the unlimited one.
    #[default]
    Time,
    /// One behind the other along the one dimension whose coordinates differ.
    ByCoords,
    /// Side by side, along a new dimension of this name.
    New(String),
}

/// What is to be done with times that several files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// It is an error.
    #[default]
    Refuse,
    /// They are kept as they are, one file behind the other.
    Keep,
    /// Steps of all files are put in order, as those of files by month; none may be in two.
    Sort,
}

/// What is to be done with files that cannot be opened, or do not belong to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Broken {
    /// It is an error, which names the file.
    #[default]
    Refuse,
    /// They are left out, and listed.
    Skip,
}

/// How many files are opened as one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Many {
    /// How they are put together.
    pub combine: Combine,
    /// What is to be done where they overlap.
    pub overlap: Overlap,
    /// What is to be done with those that are broken.
    pub broken: Broken,
    /// Variables that will be read: their chunks are looked at while files are open. Others can be read as well.
    pub variables: Vec<String>,
}

/// What was found while files were joined that a user may want to know.
#[derive(Debug, Default)]
pub struct Findings {
    /// Files that were left out, and why.
    pub skipped: Vec<Error>,
    /// Where steps are missing between two files, in words.
    pub gaps: Vec<String>,
    /// Files that begin before the one ahead of them ends, in words, where that is no error.
    pub overlaps: Vec<String>,
    /// What is left out since not all files have it, in words.
    pub lacking: Vec<String>,
    /// Variables that some files have in other units than the first, and that are converted to those, in words.
    pub converted: Vec<String>,
    /// What files say differently than the first, in words; what it says holds.
    pub differences: Vec<String>,
}

/// Opens files as one dataset, and says what was found.
///
/// Files are ordered by the coordinate that is joined. Other coordinates have to be the same in all; each file's own
/// packing, fill values and units are honoured: values are converted to the first file's. What is said beside the values comes from the first file, as it
/// was given, and so do variables without the joined dimension.
///
/// # Errors
/// When there is no file, or none that opens; when one is broken, lacks a variable, has another grid, units of something
/// else or another calendar; when files overlap.
///
/// # Example
/// ```no_run
/// use aosx::{dataset::{Many, open_many}, prelude::*};
///
/// let (all, _) = open_many(&["t_1999.nc".into(), "t_2000.nc".into()], &Many::default())?;
/// let mean = Reduction::new([Op::Mean], Axes::Named(vec!["time".into()])).var("t").of(&all)?;
/// Session::new().write(&all, &mean, "mean.nc".as_ref(), OutputFormat::NetCdf4)?;
/// # Ok::<(), Error>(())
/// ```
pub fn open_many(paths: &[PathBuf], how: &Many) -> Result<(Dataset, Findings)> {
    let mut findings = Findings::default();
    if paths.is_empty() {
        return Err(Error::usage("no input; name a file"));
    }
    let join::Joined { files, paths, order } = join::join(paths, how, &mut findings)?;
    let whole = Dataset(Held::Stored { container: Arc::new(files), paths: paths.into() });
    let Some((dim, positions)) = order else { return Ok((whole, findings)) };
    let positions: Vec<String> = positions.iter().map(usize::to_string).collect();
    Ok((whole.select(&Selection::new().isel(&dim, &positions.join(",")))?, findings))
}
