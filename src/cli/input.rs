//! Which files, and which parts of them: what every command that reads takes.

use super::Global;
use crate::{
    dataset::{Broken, Combine, Dataset, Findings, Inexact, Many, Overlap, Selection, open_many},
    error::{Error, Result},
    report::text::note,
};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

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
    /// How several files are joined: along time, along the dimension whose coordinates differ (by-coords), or side by
    /// side along a new dimension (new:member)
    #[arg(long, value_name = "HOW", help_heading = INPUT, default_value = "time")]
    pub combine: String,
    /// Where files overlap: an error, all of them one behind the other, or their steps in order
    #[arg(long, value_name = "WHAT", help_heading = INPUT, default_value = "error")]
    pub overlap: OverlapArg,
    /// Leave out files that cannot be opened or do not go with the others, and list them
    #[arg(long, help_heading = INPUT)]
    pub skip_broken: bool,
}

/// What is done with times that several files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OverlapArg {
    /// It is an error
    #[default]
    Error,
    /// All are kept, one file behind the other
    Keep,
    /// Their steps are put in order, as those of files by month; none may be in two
    Sort,
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

    /// How several files are joined.
    ///
    /// # Errors
    /// When `--combine` says nothing that there is.
    fn many(&self) -> Result<Many> {
        let combine = match self.combine.as_str() {
            // Where nothing was parsed, as in `graph`.
            "time" | "" => Combine::Time,
            "by-coords" => Combine::ByCoords,
            other => match other.strip_prefix("new:") {
                Some(name) if !name.is_empty() && !name.contains('/') => Combine::New(name.to_string()),
                _ => {
                    let what = format!("--combine {other}: there are time, by-coords and new:NAME, as new:member");
                    return Err(Error::usage(what));
                }
            },
        };
        let overlap = match self.overlap {
            OverlapArg::Error => Overlap::Refuse,
            OverlapArg::Keep => Overlap::Keep,
            OverlapArg::Sort => Overlap::Sort,
        };
        let broken = if self.skip_broken { Broken::Skip } else { Broken::Refuse };
        Ok(Many { combine, overlap, broken, variables: Vec::new() })
    }

    /// Files as one, and the part of them that is wanted.
    ///
    /// # Errors
    /// As [`whole`](InputArgs::whole), and when they have no such part.
    pub fn open<P: AsRef<Path>>(&self, files: &[P], variables: &[String], global: &Global) -> Result<Dataset> {
        self.whole(files, variables, global)?.select(&self.selection()?.of(variables))
    }

    /// Files as one. Names may have `*`, `?` and `[...]` in them; `variables` are
    /// those that will be read, where that is known. What is found beside is said on stderr.
    ///
    /// # Errors
    /// When one cannot be opened, or they do not go together.
    pub fn whole<P: AsRef<Path>>(&self, files: &[P], variables: &[String], global: &Global) -> Result<Dataset> {
        let paths = expanded(files)?;
        let many = Many { variables: variables.to_vec(), ..self.many()? };
        if let ([one], Combine::Time | Combine::ByCoords) = (paths.as_slice(), &many.combine) {
            return Dataset::open(one);
        }
        let (dataset, findings) = open_many(&paths, &many)?;
        tell(&findings, global);
        Ok(dataset)
    }

    /// The variables of several files in one, and the part of it that is wanted.
    ///
    /// # Errors
    /// When one cannot be opened, they say different things by one name, or have no such part.
    pub fn merge<P: AsRef<Path>>(&self, files: &[P], global: &Global) -> Result<Dataset> {
        let all = expanded(files)?.iter().map(Dataset::open).collect::<Result<Vec<Dataset>>>()?;
        let merged = Dataset::merge(&all)?;
        say(merged.turned(), global);
        merged.select(&self.selection()?)
    }

    /// The part of each of several datasets that is wanted, of those dimensions that it has.
    ///
    /// # Errors
    /// When one has no such part, or none has a dimension.
    pub fn each(&self, datasets: &[Dataset]) -> Result<Vec<Dataset>> {
        let selection = self.selection()?;
        datasets.iter().map(|dataset| dataset.select(&selection.within(dataset, datasets))).collect()
    }

    /// What goes into the identity of a run; empty where everything of one file is read.
    pub fn request(&self) -> String {
        let InputArgs { sel, isel, sel_method, tolerance, combine, overlap, .. } = self;
        let parts = match sel.is_empty() && isel.is_empty() {
            true => String::new(),
            false => format!(" {sel:?} {isel:?} {sel_method:?} {tolerance:?}"),
        };
        let joined = if combine == "time" || combine.is_empty() { String::new() } else { format!(" {combine}") };
        let overlap = if *overlap == OverlapArg::Error { String::new() } else { format!(" {overlap:?}") };
        parts + &joined + &overlap
    }
}

/// Says what a user should know, unless it is not wanted.
pub(super) fn say(notes: &[String], global: &Global) {
    notes.iter().filter(|_| !global.quiet).for_each(note);
}

/// Says what was found while files were joined: what is left out and gaps, and differences where more is wanted.
fn tell(findings: &Findings, global: &Global) {
    for skipped in &findings.skipped {
        note(format!("left out: {skipped}"));
    }
    say(&findings.lacking, global);
    say(&findings.converted, global);
    if global.quiet {
        return;
    }
    for gap in &findings.gaps {
        note(gap);
    }
    // Files of a month of many years overlap all.
    if let Some(overlap) = findings.overlaps.first() {
        let more = match findings.overlaps.len() - 1 {
            0 => String::new(),
            n => format!("; {n} more overlap"),
        };
        note(format!("{overlap}{more}"));
    }
    for difference in findings.differences.iter().filter(|_| global.verbose > 0) {
        note(difference);
    }
}

/// The files that names mean, those of a pattern in the order of their names; what is there as it is written is that.
fn expanded<P: AsRef<Path>>(names: &[P]) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for name in names {
        let name = name.as_ref();
        let pattern = name.to_str().filter(|text| text.contains(['*', '?', '[']) && !name.exists());
        let Some(pattern) = pattern else {
            out.push(name.to_path_buf());
            continue;
        };
        let found = glob::glob(pattern).map_err(|e| Error::usage(format!("the pattern '{pattern}': {e}")))?;
        let before = out.len();
        for path in found {
            out.push(path.map_err(|e| Error::io("look for files", e.into()))?);
        }
        if out.len() == before {
            return Err(Error::usage(format!("no file is called like '{pattern}'")));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["t_2.nc", "t_1.nc", "u.nc", "t[1].nc"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let names = |patterns: &[&str]| -> Vec<String> {
            let all: Vec<PathBuf> = patterns.iter().map(|p| dir.path().join(p)).collect();
            let found = expanded(&all).unwrap();
            found.iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(&["t_*.nc", "u.nc"]), ["t_1.nc", "t_2.nc", "u.nc"]);
        assert_eq!(names(&["t[1].nc"]), ["t[1].nc"], "a file that is called so");
        let e = expanded(&[dir.path().join("v*.nc")]).unwrap_err().to_string();
        assert!(e.starts_with("no file is called like"), "{e}");
    }

    #[test]
    fn mistakes_are_said() {
        let args = |sel: &str, combine: &str| InputArgs {
            sel: vec![sel.to_string()],
            combine: combine.to_string(),
            ..InputArgs::default()
        };
        assert!(args("lat", "").selection().unwrap_err().to_string().contains("--sel lat: it is a name"));
        assert!(args("lat=", "").selection().is_err());
        assert!(args("lat=1", "side").many().unwrap_err().to_string().contains("new:member"));
        assert_eq!(args("lat=1", "new:run").many().unwrap().combine, Combine::New("run".into()));
    }
}
