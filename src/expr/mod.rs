//! The language of `aosx calc`: from text to a tree, with a caret under every mistake.
//!
//! ```text
//! speed = sqrt(u**2 + v**2); speed.units = "m s-1"   # statements end at ';' or at the end of a line
//! anom = t - mean(t, time)                           # dimensions by name, or axis=0
//! hot = where(t > 273.15 and not isnan(p), t, nan)
//! anom = t - clim(t, time.month)                     # the mean of each group, and back at each step
//! daily = max(t, time, every="1d")                   # groups by parts of dates, bins of time, variables
//! series = mean(t, lat, lon, weights="area")         # weights: by name, or an expression
//! djf = mean(t[time.season == "DJF"], time)          # parts of dates, masks along a dimension
//! sub = `group/t`[time=0:10:2, lat=::-1] + b.t       # names with other characters in backquotes; b is an input
//! ```
//!
//! Operators and their precedence are Python's (`and`, `or` and `not` work element by element), functions have NumPy's
//! names ([`functions::TABLE`]). Names mean nothing to the parser: whether `time` is a dimension, `pi` a constant or
//! `a.t` a variable of the input `a` is decided by [`bind()`], which knows the inputs and makes lazy arrays of the
//! tree.
//!
//! `weights=` of a reduction is what `reduce --weights` takes, in quotes, or an expression along dimensions of the values:
//! what follows from coordinates, and variables, are known beforehand and make one pass. `by=` and `every=` make a value for
//! each group, of any reduction; where such a result meets the values again, it stands at each place of its group.
//!
//! Arrays meet by their labels: what has those of the first in another order is read in its order, and others are an error, but
//! for dates, which meet by position. Parts of one coordinate meet as they were taken.
//!
//! Units go through arithmetic where they are known: sums and extremes keep those that all operands have, however they are
//! written, and lose different ones, for nothing is converted in silence (`convert_units` does that); products, powers
//! and roots combine them; a factor that is a bare number may be a conversion, and loses them.
//!
//! Text may come from anywhere: its length and depth are bounded, so that no text exhausts the stack or the memory.

mod along;
mod ast;
mod attributes;
mod back;
mod bind;
mod call;
mod dates;
mod diagnostic;
pub mod functions;
mod groups;
mod known;
mod lexer;
mod linear;
mod meeting;
mod order;
mod parser;
mod print;
mod reduce;
mod shaped;
mod statistics;
mod subscript;
mod units;
mod value;
#[cfg(test)]
mod tests;

pub use ast::{
    Arg, BinaryOp, CompareOp, Expr, ExprKind, Ident, IndexItem, IndexKind, Literal, Number, Program, Span, Statement,
    UnaryOp,
};
pub use bind::{Input, Meaning, bind};
pub use diagnostic::Diagnostic;
pub use lexer::LENGTH_MAX;
pub use parser::{DEPTH_MAX, parse};
