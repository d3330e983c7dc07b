//! How a [`Program`] is written again: one statement a line, with no more parentheses than it needs.
//!
//! What is printed reads back as the same tree.

use super::{
    ast::{Arg, BinaryOp, Binding, Expr, ExprKind, Ident, IndexItem, IndexKind, Number, Program, Statement, UnaryOp},
    lexer::is_plain_name,
};
use std::fmt::{self, Display, Formatter, Write};

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.statements.iter().try_for_each(|statement| writeln!(f, "{statement}"))
    }
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Statement::Assign { name, value, .. } => write!(f, "{name} = {value}"),
            Statement::SetAttr { name, attr, value, .. } => write!(f, "{name}.{attr} = {value}"),
        }
    }
}

impl Display for Ident {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_name(f, &self.name)
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(Number::Int(value)) => write!(f, "{value}"),
            ExprKind::Number(Number::Float(value)) => write!(f, "{value:?}"),
            ExprKind::Text(text) => write_text(f, text),
            ExprKind::Bool(value) => write!(f, "{value}"),
            ExprKind::None => f.write_str("None"),
            ExprKind::Name(name) => write_name(f, name),
            ExprKind::Field(base, name) => {
                // 1.t would be read as a number.
                let least = if matches!(base.kind, ExprKind::Number(_)) { None } else { Some(Binding::Postfix) };
                write_operand(f, base, least)?;
                write!(f, ".{name}")
            }
            ExprKind::Unary(op, operand) => {
                let space = if *op == UnaryOp::Not { " " } else { "" };
                write!(f, "{}{space}", op.symbol())?;
                write_operand(f, operand, Some(self.binding()))
            }
            ExprKind::Binary(op, left, right) => {
                let binding = op.binding();
                let (least_left, least_right) = match op {
                    BinaryOp::Pow => (binding.tighter(), Binding::Unary),
                    _ => (binding, binding.tighter()),
                };
                write_operand(f, left, Some(least_left))?;
                write!(f, " {} ", op.symbol())?;
                write_operand(f, right, Some(least_right))
            }
            ExprKind::Compare { first, rest } => {
                let least = Some(Binding::Compare.tighter());
                write_operand(f, first, least)?;
                rest.iter().try_for_each(|(op, operand)| {
                    write!(f, " {} ", op.symbol())?;
                    write_operand(f, operand, least)
                })
            }
            ExprKind::Call { function, args } => {
                write!(f, "{function}(")?;
                write_list(f, args)?;
                f.write_char(')')
            }
            ExprKind::Index { base, items } => {
                write_operand(f, base, Some(Binding::Postfix))?;
                f.write_char('[')?;
                write_list(f, items)?;
                f.write_char(']')
            }
            ExprKind::List(items) => {
                f.write_char('[')?;
                write_list(f, items)?;
                f.write_char(']')
            }
        }
    }
}

impl Expr {
    fn binding(&self) -> Binding {
        match &self.kind {
            ExprKind::Unary(UnaryOp::Not, _) => Binding::Not,
            ExprKind::Unary(..) => Binding::Unary,
            ExprKind::Binary(op, ..) => op.binding(),
            ExprKind::Compare { .. } => Binding::Compare,
            _ => Binding::Postfix,
        }
    }
}

impl Display for Arg {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}=")?;
        }
        write!(f, "{}", self.value)
    }
}

impl Display for IndexItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(dim) = &self.dim {
            write!(f, "{dim}=")?;
        }
        match &self.kind {
            IndexKind::Value(value) => write!(f, "{value}"),
            IndexKind::Ellipsis => f.write_str("..."),
            IndexKind::Slice { start, stop, step } => {
                start.iter().try_for_each(|e| write!(f, "{e}"))?;
                f.write_char(':')?;
                stop.iter().try_for_each(|e| write!(f, "{e}"))?;
                step.iter().try_for_each(|e| write!(f, ":{e}"))
            }
        }
    }
}

/// The operand, in parentheses when it binds less tightly than it must (`None`: always).
fn write_operand(f: &mut Formatter<'_>, operand: &Expr, least: Option<Binding>) -> fmt::Result {
    match least.is_some_and(|least| operand.binding() >= least) {
        true => write!(f, "{operand}"),
        false => write!(f, "({operand})"),
    }
}

fn write_list(f: &mut Formatter<'_>, items: &[impl Display]) -> fmt::Result {
    items.iter().enumerate().try_for_each(|(k, item)| write!(f, "{}{item}", if k > 0 { ", " } else { "" }))
}

/// A name as it is to be written: in backquotes where it has other marks than names have, as `a/t`.
pub(super) fn written(name: &str) -> String {
    match is_plain_name(name) {
        true => name.to_string(),
        false => format!("`{}`", name.replace('`', "``")),
    }
}

fn write_name(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    f.write_str(&written(name))
}

fn write_text(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
