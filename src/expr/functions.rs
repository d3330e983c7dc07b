//! [`TABLE`]: the functions of `aosx calc`, with NumPy's names, as data: for listings, for did-you-mean, and for
//! sorting the arguments of a call into the parameters of its function ([`arrange`]).

use super::{
    ast::{Arg, Expr, ExprKind, Ident, Span},
    diagnostic::Diagnostic,
};
use std::fmt::{self, Display, Formatter};

mod table;

pub use table::{CONSTANTS, TABLE};

/// A function of the language.
#[derive(Debug, PartialEq)]
pub struct Function {
    /// The name in the array API standard, or in NumPy where that has none.
    pub name: &'static str,
    /// Other names of the same function.
    pub aliases: &'static [&'static str],
    /// What kind of operation it is.
    pub kind: Kind,
    /// What it takes, in order.
    pub parameters: &'static [Parameter],
    /// What it does, in one line.
    pub doc: &'static str,
}

/// What kind of operation a function is: who computes it, and where it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Each element of one array.
    Elementwise1,
    /// Each pair of elements of two arrays that are broadcast together.
    Elementwise2,
    /// Each element, with options or with more than two arrays.
    Elementwise,
    /// One value for all along some axes.
    Reduction,
    /// What climate people ask of a series: trends, correlations, spells.
    Statistic,
    /// A running result along an axis.
    Cumulative,
    /// Order along an axis, and searching in it.
    Ordering,
    /// Elements picked by position.
    Selection,
    /// The same elements in another shape or order.
    Shape,
    /// Sums of products.
    Linear,
    /// Arrays from nothing.
    Creation,
}

impl Kind {
    /// Every kind, in the order of a listing.
    pub const ALL: [Kind; 11] = [
        Kind::Elementwise1,
        Kind::Elementwise2,
        Kind::Elementwise,
        Kind::Reduction,
        Kind::Statistic,
        Kind::Cumulative,
        Kind::Ordering,
        Kind::Selection,
        Kind::Shape,
        Kind::Linear,
        Kind::Creation,
    ];

    /// The heading of a listing.
    pub fn heading(self) -> &'static str {
        match self {
            Kind::Elementwise1 => "Each element",
            Kind::Elementwise2 => "Each pair of elements",
            Kind::Elementwise => "Each element, with options",
            Kind::Reduction => "One value for all along some dimensions",
            Kind::Statistic => "Trends, relations, spells",
            Kind::Cumulative => "Running along a dimension",
            Kind::Ordering => "Order and search",
            Kind::Selection => "Selection by position",
            Kind::Shape => "Shape",
            Kind::Linear => "Linear algebra",
            Kind::Creation => "New arrays",
        }
    }
}

/// What a function takes in one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Parameter {
    /// An argument that must be given, by position or by its name.
    Required(&'static str),
    /// An argument that may be given, by position or by its name, and what holds without it.
    Optional(&'static str, &'static str),
    /// An argument that may be given by its name only, and what holds without it.
    Keyword(&'static str, &'static str),
    /// Dimensions: any number by position, or a list of them, or as `axis=`; none means all.
    Dims,
    /// One or more arrays by position.
    Arrays,
    /// Any number of `dimension=value`.
    ByDimension,
}

impl Parameter {
    fn name(self) -> &'static str {
        match self {
            Parameter::Required(name) | Parameter::Optional(name, _) | Parameter::Keyword(name, _) => name,
            Parameter::Dims => "axis",
            Parameter::Arrays => "arrays",
            Parameter::ByDimension => "dim",
        }
    }

    fn by_position(self) -> bool {
        matches!(self, Parameter::Required(_) | Parameter::Optional(..))
    }

    /// Whether it takes all arguments by position that are left.
    fn takes_rest(self) -> bool {
        matches!(self, Parameter::Dims | Parameter::Arrays)
    }

    fn by_name(self) -> bool {
        !matches!(self, Parameter::Arrays | Parameter::ByDimension)
    }
}

/// `std(x, dims..., ddof=0, keepdims=false)`.
impl Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (k, parameter) in self.parameters.iter().enumerate() {
            f.write_str(if k > 0 { ", " } else { "" })?;
            match parameter {
                Parameter::Required(name) => f.write_str(name)?,
                Parameter::Optional(name, default) | Parameter::Keyword(name, default) => {
                    write!(f, "{name}={default}")?
                }
                Parameter::Dims => f.write_str("dims...")?,
                Parameter::Arrays => f.write_str("arrays...")?,
                Parameter::ByDimension => f.write_str("dim=...")?,
            }
        }
        f.write_str(")")
    }
}

impl Function {
    /// The least and the greatest number of arguments by position; `None` is any number.
    pub fn arity(&self) -> (usize, Option<usize>) {
        let required = |p: &&Parameter| matches!(p, Parameter::Required(_) | Parameter::Arrays);
        let most = self.parameters.iter().filter(|p| p.by_position()).count();
        let open = self.parameters.iter().any(|p| p.takes_rest());
        (self.parameters.iter().filter(required).count(), (!open).then_some(most))
    }

    /// The names of arguments that may be given by name.
    pub fn keywords(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.parameters.iter().filter(|p| p.by_name()).map(|p| p.name())
    }
}

/// The value of a constant, such as `pi`.
pub fn constant(name: &str) -> Option<f64> {
    CONSTANTS.iter().find(|c| c.0 == name).map(|c| c.1)
}

/// The function of that name or alias.
pub fn find(name: &str) -> Option<&'static Function> {
    TABLE.iter().find(|f| f.name == name || f.aliases.contains(&name))
}

/// Every name and alias.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    TABLE.iter().flat_map(|f| std::iter::once(f.name).chain(f.aliases.iter().copied()))
}

/// The function that a call names.
///
/// # Errors
/// When there is none: with the name that was meant, where that can be guessed.
pub fn of(name: &Ident) -> Result<&'static Function, Diagnostic> {
    find(&name.name).ok_or_else(|| Diagnostic::unknown(name.span, "function", &name.name, names()))
}

/// The arguments of a call, each with the parameter that it is for.
#[derive(Debug)]
pub struct Arguments<'a> {
    named: Vec<(&'static str, &'a Expr)>,
    /// The dimensions, or the arrays, of a function that takes any number of them; lists are taken apart.
    pub rest: Vec<&'a Expr>,
    /// What was given as `dimension=value`.
    pub by_dimension: Vec<(&'a Ident, &'a Expr)>,
}

impl<'a> Arguments<'a> {
    /// The argument for a parameter, if it is given.
    pub fn get(&self, name: &str) -> Option<&'a Expr> {
        self.named.iter().find(|n| n.0 == name).map(|n| n.1)
    }
}

/// Sorts the arguments of a call at `span` into the parameters of its function.
///
/// # Errors
/// Too many, too few, a name that the function does not know, or an argument both by position and by name.
pub fn arrange<'a>(function: &'static Function, args: &'a [Arg], span: Span) -> Result<Arguments<'a>, Diagnostic> {
    let mut out = Arguments { named: Vec::new(), rest: Vec::new(), by_dimension: Vec::new() };
    let open = function.parameters.iter().find(|p| p.takes_rest());
    // Dimensions may come first where all but the array is named: quantile(t, time, q=0.9).
    let is_named = |p: &Parameter| {
        let first = function.parameters.first() == Some(p);
        let dims = open == Some(&Parameter::Dims);
        dims && !first && args.iter().any(|arg| arg.name.as_ref().is_some_and(|name| name.name == p.name()))
    };
    let mut places = function.parameters.iter().filter(|p| p.by_position() && !is_named(p));
    for arg in args {
        match &arg.name {
            Some(name) => by_name(function, name, &arg.value, &mut out)?,
            None => match (places.next(), open) {
                (Some(parameter), _) => out.named.push((parameter.name(), &arg.value)),
                (None, Some(_)) => flatten(&arg.value, &mut out.rest),
                (None, None) => return Err(too_many(function, args, arg)),
            },
        }
    }
    for parameter in function.parameters {
        let missing = match parameter {
            Parameter::Required(name) => out.get(name).is_none(),
            Parameter::Arrays => out.rest.is_empty(),
            _ => false,
        };
        if missing {
            let wrong = format!("{} lacks its argument '{}'", function.name, parameter.name());
            return Err(Diagnostic::new(span, wrong).with_help(format!("it is {function}")));
        }
    }
    Ok(out)
}

fn by_name<'a>(
    function: &'static Function,
    name: &'a Ident,
    value: &'a Expr,
    out: &mut Arguments<'a>,
) -> Result<(), Diagnostic> {
    let parameter = function.parameters.iter().find(|p| p.by_name() && p.name() == name.name);
    let twice = || Diagnostic::new(name.span, format!("argument '{}' is given by position too", name.name));
    match parameter {
        Some(Parameter::Dims) if !out.rest.is_empty() => return Err(twice()),
        Some(Parameter::Dims) => flatten(value, &mut out.rest),
        Some(parameter) if out.get(parameter.name()).is_some() => return Err(twice()),
        Some(parameter) => out.named.push((parameter.name(), value)),
        None if function.parameters.contains(&Parameter::ByDimension) => out.by_dimension.push((name, value)),
        None => {
            let what = format!("argument of {} is named", function.name);
            let mut wrong = Diagnostic::unknown(name.span, &what, &name.name, function.keywords());
            wrong.help.get_or_insert_with(|| format!("it is {function}"));
            return Err(wrong);
        }
    }
    Ok(())
}

fn too_many(function: &'static Function, args: &[Arg], first: &Arg) -> Diagnostic {
    let given = args.iter().filter(|a| a.name.is_none()).count();
    let most = function.parameters.iter().filter(|p| p.by_position()).count();
    let arguments = if most == 1 { "argument" } else { "arguments" };
    Diagnostic::new(first.value.span, format!("{} takes {most} {arguments} and is given {given}", function.name))
        .with_help(format!("it is {function}"))
}

/// A list of dimensions is as good as the dimensions one by one.
fn flatten<'a>(value: &'a Expr, out: &mut Vec<&'a Expr>) {
    match &value.kind {
        ExprKind::List(items) => out.extend(items),
        _ => out.push(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{BinaryOp, CompareOp, Statement, UnaryOp, parse};
    use std::collections::HashSet;

    fn arranged(source: &str) -> Result<String, String> {
        let source = format!("x = {source}");
        let program = parse(&source).unwrap();
        let Statement::Assign { value, .. } = &program.statements[0] else { panic!() };
        let ExprKind::Call { function, args } = &value.kind else { panic!() };
        let say = |d: Diagnostic| d.render(&source);
        let arguments = arrange(of(function).map_err(say)?, args, value.span).map_err(say)?;
        let mut out: Vec<String> = arguments.named.iter().map(|(n, e)| format!("{n}:{e}")).collect();
        out.extend(arguments.rest.iter().map(|e| e.to_string()));
        out.extend(arguments.by_dimension.iter().map(|(d, e)| format!("{d}={e}")));
        Ok(out.join(" "))
    }

    #[test]
    fn names_are_unique_and_can_be_written() {
        let mut seen = HashSet::new();
        for name in names() {
            assert!(seen.insert(name), "{name} twice");
            assert!(parse(&format!("x = {name}(t)")).is_ok(), "{name}");
        }
        assert!(seen.len() > 150);
        for (name, ..) in CONSTANTS {
            assert!(!seen.contains(name), "{name}");
        }
        assert_eq!(find("arctan2"), find("atan2"));
        assert!(constant("nan").unwrap().is_nan() && constant("tau").is_none());
    }

    #[test]
    fn every_operator_is_a_function_of_the_table() {
        let unary = UnaryOp::ALL.map(|op| (op.function(), 1));
        let binary = BinaryOp::ALL.map(|op| (op.function(), 2));
        let compare = CompareOp::ALL.map(|op| (op.function(), 2));
        for (name, operands) in unary.into_iter().chain(binary).chain(compare) {
            let function = find(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(function.name, name);
            assert_eq!(function.arity().0, operands, "{name}");
        }
    }

    #[test]
    fn rows_are_in_order() {
        for f in TABLE {
            let order = |p: &Parameter| match p {
                Parameter::Required(_) => 0,
                Parameter::Arrays => 1,
                Parameter::Optional(..) => 2,
                Parameter::Dims => 3,
                _ => 4,
            };
            assert!(f.parameters.is_sorted_by_key(order), "{f}");
            assert!(f.doc.len() <= 100 && f.doc.ends_with('.'), "{f}: {}", f.doc);
            let wanted = match f.kind {
                Kind::Elementwise1 => 1,
                Kind::Elementwise2 => 2,
                _ => continue,
            };
            assert_eq!(f.arity(), (wanted, Some(wanted)), "{f}");
        }
        let kinds: Vec<Kind> = TABLE.iter().map(|f| f.kind).collect();
        assert!(kinds.is_sorted_by_key(|k| Kind::ALL.iter().position(|a| a == k)), "one block a kind");
    }

    #[test]
    fn arguments_find_their_parameters() {
        let same = |source, expected: &str| assert_eq!(arranged(source).unwrap(), expected, "{source}");
        same("mean(t)", "x:t");
        same("mean(t, lat, lon)", "x:t lat lon");
        same("mean(t, axis=[lat, lon])", "x:t lat lon");
        same("mean(t, (0, 1))", "x:t 0 1");
        same("std(t, time, ddof=1)", "x:t ddof:1 time");
        same("quantile(t, time, lat, q=0.9)", "x:t q:0.9 time lat");
        same("quantile(t, 0.9, time)", "x:t q:0.9 time");
        same("clip(t, max=3)", "x:t max:3");
        same("where(t > 0, t, nan)", "condition:t > 0 x:t y:nan");
        same("cumsum(t, time)", "x:t axis:time");
        same("rechunk(t, time=1, lat=10)", "x:t time=1 lat=10");
        same("concat([a, b], time)", "arrays:[a, b] axis:time");
        same("einsum('ij,jk', a, b)", "subscripts:\"ij,jk\" a b");
    }

    #[test]
    fn wrong_arguments_are_shown() {
        let says = |source, expected: &str| assert_eq!(arranged(source).unwrap_err(), expected, "{source}");
        says("maen(t, time)", "no function 'maen'; did you mean mean?\n  x = maen(t, time)\n      ^^^^");
        says("sqrt(t, 2)", "sqrt takes 1 argument and is given 2; it is sqrt(x)\n  x = sqrt(t, 2)\n              ^");
        says("where(t)", "where lacks its argument 'x'; it is where(condition, x, y)\n  x = where(t)\n      ^^^^^^^^");
        says(
            "std(t, dof=1)",
            "no argument of std is named 'dof'; did you mean ddof?\n  x = std(t, dof=1)\n             ^^^",
        );
        says(
            "mean(t, time, axis=0)",
            "argument 'axis' is given by position too\n  x = mean(t, time, axis=0)\n                    ^^^^",
        );
        says("sqrt(t, x=1)", "argument 'x' is given by position too\n  x = sqrt(t, x=1)\n              ^");
    }
}
