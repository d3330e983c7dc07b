//! `--units`: the units that results are written in.

use crate::{
    cf::measure::Unit,
    dataset::{Computation, InUnits},
    error::{Error, Result},
};

/// The option of units.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct UnitsArgs {
    /// Convert results to these units: degC for all of them, or t=degC,p=hPa
    #[arg(long, value_delimiter = ',', value_name = "[VAR=]UNIT")]
    pub units: Vec<String>,
}

impl UnitsArgs {
    /// Whether none are asked for.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// The computation with its results in these units.
    ///
    /// # Errors
    /// When a variable is named twice, and as [`Computation::in_units`].
    pub fn apply(&self, computation: Computation) -> Result<Computation> {
        if self.is_empty() {
            return Ok(computation);
        }
        let mut all: Vec<InUnits> = Vec::new();
        for word in &self.units {
            let (variable, units) = match word.split_once('=') {
                Some((name, units)) => (Some(name.trim().to_string()), units),
                None => (None, word.as_str()),
            };
            let units = units.trim().to_string();
            if units.is_empty() || variable.as_deref() == Some("") {
                return Err(Error::usage(format!("--units {word}: it is a unit, or a variable and one, as t=degC")));
            }
            if all.iter().any(|one| one.variable == variable) {
                let what = variable.as_deref().unwrap_or("all results");
                return Err(Error::usage(format!("--units {word}: units of {what} are given twice")));
            }
            // A unit that nobody knows is a slip of who typed it, and no fault of a file.
            Unit::parse(&units).map_err(|e| Error::usage(format!("--units {word}: {e}")))?;
            all.push(InUnits { variable, units });
        }
        computation.in_units(&all)
    }

    /// What it adds to a request, to tell whether an unfinished output is of the same.
    pub fn request(&self) -> String {
        if self.is_empty() { String::new() } else { format!(" units {:?}", self.units) }
    }
}
