//! Which files, and which parts of them: what every command that reads takes.

use crate::{
    dataset::{Dataset, Inexact, Selection},
    error::{Error, Result},
};
use clap::ValueEnum;
use std::path::Path;

/// The heading of what says which parts are read.
const INPUT: &str = "Which parts";

/// Which parts of files are read.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct InputArgs {
    /// Part of a dimension by its labels: time=1991-01:2020-12, lat=30:60, lon=-10:40, lev=850, lev=850,500,
    /// station=Zurich. One label takes the dimension away; ranges hold both ends. May be given several times
    #[arg(long, value_name = "NAME=LABELS", help_heading = INPUT)]
    pub sel: Vec<String>,
    /// Part of a dimension by positions, from 0: lev=0, time=-1, time=0:10:2, lev=0,3
    #[arg(long, value_name = "NAME=POSITIONS", help_heading = INPUT)]
    pub isel: Vec<String>,
    /// Where a single label of --sel is not there: the nearest, the one before it, or the one behind it
    #[arg(long, value_name = "HOW", help_heading = INPUT)]
    pub sel_method: Option<SelMethod>,
    /// How far from the label that may be, in units of the coordinate
    #[arg(long, value_name = "NUMBER", help_heading = INPUT, requires = "sel_method")]
    pub tolerance: Option<f64>,
}

/// How labels are found that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SelMethod {
    /// The nearest one
    Nearest,
    /// The one before it along the dimension
    Ffill,
    /// The one behind it along the dimension
    Bfill,
}

impl InputArgs {
    /// The selection that `--sel` and `--isel` say.
    ///
    /// # Errors
    /// When one has no name, or the tolerance is no distance.
    pub fn selection(&self) -> Result<Selection> {
        let split = |flag: &str, word: &str| match word.split_once('=') {
            Some((name, what)) if !name.trim().is_empty() && !what.trim().is_empty() => {
                Ok((name.trim().to_string(), what.trim().to_string()))
            }
            _ => Err(Error::usage(format!("--{flag} {word}: it is a name and what is wanted of it, as lat=30:60"))),
        };
        let mut selection = Selection::new();
        for word in &self.sel {
            let (name, labels) = split("sel", word)?;
            selection = selection.sel(&name, &labels);
        }
        for word in &self.isel {
            let (name, positions) = split("isel", word)?;
            selection = selection.isel(&name, &positions);
        }
        if self.tolerance.is_some_and(|t| t.is_nan() || t < 0.0) {
            return Err(Error::usage("--tolerance is a distance: a number from 0"));
        }
        if let Some(how) = self.sel_method {
            let how = match how {
                SelMethod::Nearest => Inexact::Nearest,
                SelMethod::Ffill => Inexact::Before,
                SelMethod::Bfill => Inexact::Behind,
            };
            selection = selection.inexact(how, self.tolerance);
        }
        Ok(selection)
    }

    /// One file, and the part of it that is wanted.
    ///
    /// # Errors
    /// When it cannot be opened, or has no such part.
    pub fn open(&self, path: &Path) -> Result<Dataset> {
        Dataset::open(path)?.select(&self.selection()?)
    }

    /// What goes into the identity of a run.
    pub fn request(&self) -> String {
        let InputArgs { sel, isel, sel_method, tolerance } = self;
        if sel.is_empty() && isel.is_empty() {
            String::new()
        } else {
            format!(" {sel:?} {isel:?} {sel_method:?} {tolerance:?}")
        }
    }
}
