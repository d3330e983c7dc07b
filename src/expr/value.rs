//! [`Quantity`]: a lazy array with what is known of it, and [`Failure`]: why there is none.

use super::{
    ast::{Expr, Literal, Span},
    attributes::{self, Kept},
    diagnostic::Diagnostic,
    groups::Grouped,
};
use crate::{
    array::LazyArray,
    attrs::Attrs,
    dataset::{Taken, Used},
    dtype::{DType, Scalar},
    error::{Error, Result},
};
use std::sync::Arc;

/// Why an expression has no meaning.
pub(super) enum Failure {
    /// A mistake in the text.
    Mistake(Box<Diagnostic>),
    /// An input that cannot be read.
    Input(Error),
}

impl From<Diagnostic> for Failure {
    fn from(mistake: Diagnostic) -> Failure {
        Failure::Mistake(Box::new(mistake))
    }
}

/// A part of an expression with its meaning.
pub(super) type Bound<T> = std::result::Result<T, Failure>;

/// Says where in the text the array's own words belong.
pub(super) trait At<T> {
    fn at(self, span: Span) -> Bound<T>;
}

impl<T> At<T> for Result<T> {
    fn at(self, span: Span) -> Bound<T> {
        self.map_err(|e| Diagnostic::new(span, e.to_string()).into())
    }
}

/// A mistake at a place.
pub(super) fn wrong<T>(span: Span, message: impl Into<String>) -> Bound<T> {
    Err(Diagnostic::new(span, message).into())
}

/// An array with what is known of it.
#[derive(Clone)]
pub(super) struct Quantity {
    pub array: LazyArray,
    pub attrs: Attrs,
    /// The variables that it comes from.
    pub from: Vec<Used>,
    /// What was taken of their dimensions.
    pub taken: Vec<(String, Taken)>,
    /// The groups that dimensions of it are of.
    pub groups: Vec<Grouped>,
}

/// What an expression can be worth.
#[derive(Clone)]
pub(super) enum Val {
    /// A number that takes the type of the array it meets.
    Number(Scalar),
    /// An array.
    Array(Quantity),
}

impl Val {
    /// As an array; a number becomes one without dimensions.
    pub fn quantity(self) -> Quantity {
        match self {
            Val::Array(quantity) => quantity,
            Val::Number(number) => {
                let array = LazyArray::scalar(number);
                Quantity { array, attrs: Attrs::new(), from: Vec::new(), taken: Vec::new(), groups: Vec::new() }
            }
        }
    }

    /// As an array of type `dtype` if it is a number, of its own if it is an array.
    pub fn array_as(&self, dtype: DType) -> LazyArray {
        match self {
            Val::Array(quantity) => quantity.array.clone(),
            Val::Number(number) => LazyArray::scalar(*number).astype(dtype),
        }
    }

    pub fn as_array(&self) -> Option<&Quantity> {
        match self {
            Val::Array(quantity) => Some(quantity),
            Val::Number(_) => None,
        }
    }
}

impl Quantity {
    /// Another array of the same values' origin.
    pub fn with(&self, array: LazyArray, kept: Kept) -> Quantity {
        Quantity::of(array, kept, &[self])
    }

    /// An array computed from several.
    pub fn of(array: LazyArray, kept: Kept, operands: &[&Quantity]) -> Quantity {
        let attrs: Vec<&Attrs> = operands.iter().map(|q| &q.attrs).collect();
        let attrs = attributes::kept(kept, &attrs);
        let mut out = Quantity { array, attrs, from: Vec::new(), taken: Vec::new(), groups: Vec::new() };
        for operand in operands {
            for grouped in &operand.groups {
                let is_there = grouped.grouping.keys.iter().any(|key| out.dims().contains(&key.name));
                if is_there && !out.groups.iter().any(|g| Arc::ptr_eq(&g.grouping, &grouped.grouping)) {
                    out.groups.push(grouped.clone());
                }
            }
            let new: Vec<Used> = operand.from.iter().filter(|u| !out.from.contains(u)).cloned().collect();
            out.from.extend(new);
        }
        let mut dims: Vec<&String> = operands.iter().flat_map(|o| o.taken.iter().map(|(d, _)| d)).collect();
        dims.sort_unstable();
        dims.dedup();
        for dim in dims {
            // The leftmost operand that has the result's dimension has its coordinates too; of a dimension that is gone,
            // the leftmost that knows what was taken of it.
            let place = out.dims().iter().position(|d| d == dim);
            let gives = |o: &&&Quantity| match place {
                Some(k) => {
                    let own = o.dims().iter().position(|d| d == dim);
                    own.is_some_and(|own| o.array.shape()[own] == out.array.shape()[k] || operands.len() == 1)
                }
                None => o.taken.iter().any(|(d, _)| d == dim),
            };
            let parts = |o: &&Quantity| -> Vec<_> { o.taken.iter().filter(|(d, _)| d == dim).cloned().collect() };
            let mut all = operands.iter().filter(gives).map(parts);
            let Some(first) = all.next() else { continue };
            match place.is_none() && all.any(|other| other != first) {
                // Of two places it is neither.
                true => out.taken.push((dim.clone(), Taken::Other)),
                false => out.taken.extend(first),
            }
        }
        out
    }

    /// The names of its dimensions.
    pub fn dims(&self) -> &[String] {
        self.array.dims().unwrap_or_default()
    }
}

/// `t (time: 124, lat: 11)`.
pub(super) fn shown(expr: &Expr, array: &LazyArray) -> String {
    let lengths = array.shape().iter();
    let dims: Vec<String> = match array.dims() {
        Some(dims) => dims.iter().zip(lengths).map(|(d, n)| format!("{d}: {n}")).collect(),
        None => lengths.map(u64::to_string).collect(),
    };
    format!("{expr} ({})", dims.join(", "))
}

/// A number that stands in the text.
pub(super) fn number(literal: &Literal) -> Option<Scalar> {
    match literal {
        Literal::Int(n) => i64::try_from(*n).map(Scalar::Int).or_else(|_| u64::try_from(*n).map(Scalar::UInt)).ok(),
        Literal::Float(x) => Some(Scalar::Float(*x)),
        Literal::Bool(b) => Some(Scalar::Bool(*b)),
        _ => None,
    }
}

/// Several numbers that stand in the text; one counts as a list of one.
pub(super) fn numbers(expr: &Expr, what: &str) -> Bound<Vec<Scalar>> {
    let wanted = || Diagnostic::new(expr.span, format!("{what} are numbers, as [1, 2]"));
    let literal = expr.literal().ok_or_else(wanted)?;
    let all = match &literal {
        Literal::List(items) => items.iter().map(number).collect::<Option<Vec<_>>>(),
        one => number(one).map(|n| vec![n]),
    };
    Ok(all.ok_or_else(wanted)?)
}

/// Several whole numbers that stand in the text.
pub(super) fn integers(expr: &Expr, what: &str) -> Bound<Vec<i64>> {
    let whole = |s: Scalar| match s {
        Scalar::Int(n) => Ok(n),
        _ => wrong(expr.span, format!("{what} are whole numbers, as [1, 2]")),
    };
    numbers(expr, what)?.into_iter().map(whole).collect()
}

/// A whole number that stands in the text.
pub(super) fn integer(expr: &Expr, what: &str) -> Bound<i64> {
    match expr.literal() {
        Some(Literal::Int(n)) if i64::try_from(n).is_ok() => Ok(n as i64),
        _ => wrong(expr.span, format!("{what} is a whole number")),
    }
}

/// A number that stands in the text, as float64.
pub(super) fn float(expr: &Expr, what: &str) -> Bound<f64> {
    match expr.literal().as_ref().and_then(number) {
        Some(n) => Ok(n.to_f64()),
        None => wrong(expr.span, format!("{what} is a number")),
    }
}

/// `true` or `false`.
pub(super) fn truth(expr: &Expr, what: &str) -> Bound<bool> {
    match expr.literal() {
        Some(Literal::Bool(b)) => Ok(b),
        Some(Literal::Int(n @ (0 | 1))) => Ok(n == 1),
        _ => wrong(expr.span, format!("{what} is true or false")),
    }
}

/// Text, in quotes or as a bare name.
pub(super) fn text(expr: &Expr, what: &str) -> Bound<String> {
    match &expr.kind {
        super::ExprKind::Text(text) | super::ExprKind::Name(text) => Ok(text.clone()),
        _ => wrong(expr.span, format!("{what} is text")),
    }
}

/// The argument, unless it is `None`.
pub(super) fn given(expr: Option<&Expr>) -> Option<&Expr> {
    expr.filter(|e| e.literal() != Some(Literal::None))
}
