//! The reductions there are: [`Op`].

use crate::error::{Error, Result, closest};
use std::fmt;

/// A reduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names say it
pub enum Op {
    Sum,
    Prod,
    Mean,
    Min,
    Max,
    /// Largest less smallest.
    Range,
    Var,
    Std,
    /// How many values are not missing.
    Count,
    /// Whether any value is not zero.
    Any,
    /// Whether no value is zero.
    All,
    /// Where the smallest is: its flat index over the reduced dimensions, the first of equals.
    ArgMin,
    /// Where the largest is.
    ArgMax,
    /// The first value that is not missing.
    First,
    /// The last value that is not missing.
    Last,
}

impl Op {
    /// Every reduction there is.
    pub const ALL: [Op; 15] = [
        Op::Sum,
        Op::Prod,
        Op::Mean,
        Op::Min,
        Op::Max,
        Op::Range,
        Op::Var,
        Op::Std,
        Op::Count,
        Op::Any,
        Op::All,
        Op::ArgMin,
        Op::ArgMax,
        Op::First,
        Op::Last,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Op::Sum => "sum",
            Op::Prod => "prod",
            Op::Mean => "mean",
            Op::Min => "min",
            Op::Max => "max",
            Op::Range => "range",
            Op::Var => "var",
            Op::Std => "std",
            Op::Count => "count",
            Op::Any => "any",
            Op::All => "all",
            Op::ArgMin => "argmin",
            Op::ArgMax => "argmax",
            Op::First => "first",
            Op::Last => "last",
        }
    }

    /// The reduction of that name, or of NumPy's other name for it: `ptp`, `amin`, `amax`.
    ///
    /// # Errors
    /// With all names there are, nearest first.
    pub fn from_name(name: &str) -> Result<Op> {
        let name = name.trim().to_ascii_lowercase();
        let name = match name.as_str() {
            "ptp" => "range",
            "amin" => "min",
            "amax" => "max",
            other => other,
        };
        Op::ALL.into_iter().find(|op| op.name() == name).ok_or_else(|| {
            let known = closest(name, Op::ALL.into_iter().map(Op::name));
            Error::usage(format!("no operation '{name}'; there are {}", known.join(", ")))
        })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for op in Op::ALL {
            assert_eq!(Op::from_name(op.name()).unwrap(), op);
        }
        assert_eq!(Op::from_name(" MEAN ").unwrap(), Op::Mean);
        assert_eq!(["ptp", "amin", "amax"].map(|name| Op::from_name(name).unwrap()), [Op::Range, Op::Min, Op::Max]);
    }

    #[test]
    fn a_wrong_name_shows_the_nearest_first() {
        let text = Op::from_name("meen").unwrap_err().to_string();
        assert!(text.starts_with("no operation 'meen'; there are mean, "), "{text}");
    }
}
