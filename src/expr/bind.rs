//! [`bind`]: what a program means for some inputs: lazy arrays with names and attributes.

use super::{
    ast::{BinaryOp, Expr, ExprKind, Ident, Literal, Number, Program, Span, Statement, UnaryOp},
    attributes::{self, Kept},
    back,
    diagnostic::Diagnostic,
    functions,
    meeting::Places,
    print::written,
    units,
    value::{At, Bound, Failure, Quantity, Val, shown, wrong},
};
use crate::{
    array::LazyArray,
    attrs::{Attrs, Value},
    cf::{
        decoding::{ENCODING, ValidRange},
        measure, names,
        time::{Part, is_time},
    },
    dataset::{Dataset, Derived, OfGroups, Used},
    dtype::Scalar,
    error::{Problem, Result},
    kernels::elementwise::{self, Binary, Operand, Unary},
};
use std::collections::HashMap;

/// An input with the name that a program calls it by.
pub struct Input {
    /// What stands before the dot in `a.t`.
    pub name: String,
    /// The file.
    pub dataset: Dataset,
}

/// What a program means for some inputs.
pub struct Meaning {
    /// What it defines: every name that does not begin with `_`, in the order in which they are first assigned.
    pub outputs: Vec<Derived>,
    /// What was found where arrays met, in words: dimensions that are read in another order, dates of other calendars.
    pub notes: Vec<String>,
}

/// What a program means.
///
/// `source` is the program's text, for the carets.
///
/// # Errors
/// Names that nobody knows, shapes, types and labels that do not go together, and inputs whose chunk index cannot be read.
pub fn bind(source: &str, program: &Program, inputs: &[Input]) -> Result<Meaning> {
    let places = Places::new(inputs.iter().map(|input| input.dataset.clone()).collect());
    let mut binder = Binder { inputs, places, variables: HashMap::new(), assigned: Vec::new() };
    let done = program.statements.iter().try_for_each(|statement| binder.statement(statement));
    match done.and_then(|()| binder.outputs(program)) {
        Ok(outputs) => Ok(Meaning { outputs, notes: binder.places.notes() }),
        Err(Failure::Mistake(mistake)) => Err(mistake.in_source(source)),
        Err(Failure::Input(e)) => Err(e),
    }
}

/// The text of the expression that an output is, unless the program itself says what it is called.
fn said_of(program: &Program, output: &str) -> Option<String> {
    program.statements.iter().rev().find_map(|statement| match statement {
        Statement::SetAttr { name, attr, .. } => {
            let is_name = ["standard_name", "long_name"].contains(&attr.name.as_str());
            (name.name == output && is_name).then_some(None)
        }
        Statement::Assign { name, value, .. } => {
            let is_computed = !matches!(value.kind, ExprKind::Name(_));
            (name.name == output).then(|| is_computed.then(|| value.to_string()))
        }
    })?
}

/// Whether attributes say in words what a variable is.
fn is_called(attrs: &Attrs) -> bool {
    ["standard_name", "long_name"].iter().any(|name| attrs.get(name).is_some())
}

/// The name of what nobody wants to keep.
fn is_private(name: &str) -> bool {
    name.starts_with('_')
}

pub(super) struct Binder<'a> {
    pub inputs: &'a [Input],
    pub places: Places,
    /// Each variable is one array, however often it is named.
    pub variables: HashMap<(usize, String), Quantity>,
    assigned: Vec<(String, Val)>,
}

impl Binder<'_> {
    fn statement(&mut self, statement: &Statement) -> Bound<()> {
        match statement {
            Statement::Assign { name, value, .. } => {
                if name.name.is_empty() || name.name.split('/').any(str::is_empty) {
                    return wrong(name.span, "an output's name has no empty parts");
                }
                let value = self.value(value)?;
                match self.assigned.iter_mut().find(|(n, _)| *n == name.name) {
                    Some(slot) => slot.1 = value,
                    None => self.assigned.push((name.name.clone(), value)),
                }
                Ok(())
            }
            Statement::SetAttr { name, attr, value, .. } => self.set_attribute(name, attr, value),
        }
    }

    fn set_attribute(&mut self, name: &Ident, attr: &Ident, value: &Expr) -> Bound<()> {
        if ENCODING.contains(&attr.name.as_str()) {
            return wrong(attr.span, format!("'{}' says how values are stored, and is set by itself", attr.name));
        }
        let known: Vec<String> = self.assigned.iter().map(|(n, _)| n.clone()).collect();
        let Some((_, slot)) = self.assigned.iter_mut().find(|(n, _)| *n == name.name) else {
            let mistake = Diagnostic::unknown(name.span, "output", &name.name, known.iter().map(String::as_str));
            return Err(mistake.into());
        };
        let literal = value.literal().ok_or_else(|| {
            Diagnostic::new(value.span, "an attribute is text in quotes, a number, or a list of numbers")
        })?;
        let mut quantity = slot.clone().quantity();
        if literal == Literal::None {
            quantity.attrs.remove(&attr.name);
        } else {
            match attribute(&literal) {
                Some(value) => quantity.attrs.set(&attr.name, value),
                None => return wrong(value.span, "a list holds either text or numbers"),
            }
        }
        *slot = Val::Array(quantity);
        Ok(())
    }

    fn outputs(&mut self, program: &Program) -> Bound<Vec<Derived>> {
        let all = self.assigned.iter().filter(|(name, _)| !is_private(name));
        let outputs: Vec<Derived> = all
            .map(|(name, value)| {
                let Quantity { array, mut attrs, from, taken, groups } = value.clone().quantity();
                if let Some(text) = said_of(program, name).filter(|_| !is_called(&attrs)) {
                    attrs.set("long_name", text);
                }
                let groups = groups.into_iter().map(|g| OfGroups { input: g.input, grouping: g.grouping }).collect();
                Derived { name: name.clone(), array, attrs, from, taken, groups }
            })
            .collect();
        if outputs.is_empty() {
            let span = program.statements.first().map_or(Span::default(), |s| match s {
                Statement::Assign { name, .. } | Statement::SetAttr { name, .. } => name.span,
            });
            return Err(Diagnostic::new(span, "nothing is computed that is kept")
                .with_help("names that begin with '_' are left out")
                .into());
        }
        Ok(outputs)
    }

    /// What an expression is worth.
    pub fn value(&mut self, expr: &Expr) -> Bound<Val> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Number(Number::Float(x)) => Ok(Val::Number(Scalar::Float(*x))),
            ExprKind::Number(Number::Int(n)) => {
                Ok(Val::Number(i64::try_from(*n).map_or(Scalar::UInt(*n), Scalar::Int)))
            }
            ExprKind::Bool(b) => Ok(Val::Number(Scalar::Bool(*b))),
            ExprKind::Text(_) => wrong(span, "text is no value to compute with"),
            ExprKind::None => wrong(span, "None is no value to compute with"),
            ExprKind::List(_) => wrong(span, "a list is no value to compute with"),
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Field(base, field) => self.field(base, field, span),
            ExprKind::Unary(UnaryOp::Positive, operand) => self.value(operand),
            ExprKind::Unary(op, operand) => {
                let operand = self.value(operand)?;
                unary(op.function(), operand, span)
            }
            ExprKind::Binary(op, a, b) => {
                let (x, y) = (self.value(a)?, self.value(b)?);
                match op {
                    BinaryOp::MatMul => self.matmul(x.quantity(), y.quantity(), span),
                    _ => self.binary(op.function(), (a, x), (b, y), span),
                }
            }
            ExprKind::Compare { first, rest } => self.comparison(first, rest, span),
            ExprKind::Call { function, args } => self.call(function, args, span),
            ExprKind::Index { base, items } => {
                let base_value = self.value(base)?;
                match base_value {
                    Val::Array(quantity) => self.subscript(&quantity, items, span),
                    Val::Number(_) => wrong(base.span, "a number has no dimensions to index"),
                }
            }
        }
    }

    /// What an expression is worth, as an array.
    pub fn array(&mut self, expr: &Expr) -> Bound<Quantity> {
        Ok(self.value(expr)?.quantity())
    }

    fn name(&mut self, name: &str, span: Span) -> Bound<Val> {
        if let Some((_, value)) = self.assigned.iter().find(|(n, _)| n == name) {
            return Ok(value.clone());
        }
        if let [only] = self.inputs
            && only.dataset.root().var(name).is_some()
        {
            return self.variable(0, name, span);
        }
        if let Some(value) = functions::constant(name) {
            return Ok(Val::Number(Scalar::Float(value)));
        }
        if let Some(input) = self.inputs.iter().find(|i| i.name == name) {
            let help = format!("its variables are {}.t and so on", written(&input.name));
            return Err(Diagnostic::new(span, format!("'{name}' is an input")).with_help(help).into());
        }
        let having: Vec<String> = self
            .inputs
            .iter()
            .filter(|i| i.dataset.root().var(name).is_some())
            .map(|i| format!("{}.{}", written(&i.name), written(name)))
            .collect();
        if !having.is_empty() {
            let help = format!("write {}", having.join(" or "));
            return Err(Diagnostic::new(span, format!("'{name}' of which input?")).with_help(help).into());
        }
        let mut known: Vec<String> = self.assigned.iter().map(|(n, _)| n.clone()).collect();
        match self.inputs {
            [only] => known.extend(only.dataset.root().all_vars().iter().map(|v| written(&v.path))),
            many => known.extend(many.iter().map(|i| written(&i.name))),
        }
        Err(Diagnostic::unknown(span, "variable", name, known.iter().map(String::as_str)).into())
    }

    fn field(&mut self, base: &Expr, field: &Ident, span: Span) -> Bound<Val> {
        let input = match &base.kind {
            ExprKind::Name(name) => self.inputs.iter().position(|i| i.name == *name).map(|at| (at, name)),
            _ => None,
        };
        let Some((at, name)) = input else { return self.part_of(base, field) };
        if self.inputs[at].dataset.root().var(&field.name).is_none() {
            let all = self.inputs[at].dataset.root().all_vars();
            let known: Vec<String> = all.iter().map(|v| written(&v.path)).collect();
            let (what, known) = (format!("variable of {name}"), known.iter().map(String::as_str));
            return Err(Diagnostic::unknown(field.span, &what, &field.name, known).into());
        }
        self.variable(at, &field.name, span)
    }

    /// A part of dates; or a slip.
    fn part_of(&mut self, base: &Expr, field: &Ident) -> Bound<Val> {
        if let ExprKind::Name(name) = &base.kind
            && Part::named(&field.name).is_err()
            && matches!(self.name(name, base.span), Err(Failure::Mistake(_)))
        {
            let known = self.inputs.iter().map(|i| i.name.as_str());
            return Err(Diagnostic::unknown(base.span, "input", name, known).into());
        }
        self.date_part(base, field)
    }

    /// A function of two operands by the table's name.
    pub fn binary(&self, name: &str, (a, x): (&Expr, Val), (b, y): (&Expr, Val), span: Span) -> Bound<Val> {
        let Some(op) = Binary::from_name(name) else {
            return wrong(span, format!("{name} is not available"));
        };
        let (x, y) = back::together(x, y, &self.places, span)?;
        let array = match (&x, &y) {
            (Val::Number(x), Val::Number(y)) => return folded(op, *x, *y, span).map(Val::Number),
            (Val::Array(x), Val::Number(y)) => x.array.binary_scalar(op, *y).at(span)?,
            (Val::Number(x), Val::Array(y)) => LazyArray::scalar_binary(*x, op, &y.array).at(span)?,
            (Val::Array(p), Val::Array(q)) => p.array.binary(op, &q.array).map_err(|e| {
                let detail = match e.problem() {
                    Problem::Usage { .. } => clash(&p.array, &q.array).unwrap_or_else(|| e.to_string()),
                    _ => e.to_string(),
                };
                Diagnostic::new(span, format!("{} and {}: {detail}", shown(a, &p.array), shown(b, &q.array)))
            })?,
        };
        if units::is_of_a_kind(op)
            && let (Val::Array(p), Val::Array(q)) = (&x, &y)
        {
            self.note_units([p, q], (b, &format!("'{a}' and '{b}'")));
        }
        let (kept, is_difference) = kept(op, &x, &y);
        let operands: Vec<&Quantity> = [&x, &y].into_iter().filter_map(Val::as_array).collect();
        let mut out = Quantity::of(array, kept, &operands);
        if is_difference {
            measure::difference(&mut out.attrs);
            if let [a, b] = operands[..]
                && let Some(name) = names::anomaly(&a.attrs, &b.attrs)
            {
                out.attrs.set("standard_name", name);
            }
        }
        units::say(&mut out.attrs, units::of_binary(op, &x, &y));
        Ok(Val::Array(out))
    }

    /// Says that two arrays are in different units of the same, where they are.
    pub fn note_units(&self, [p, q]: [&Quantity; 2], (second, both): (&Expr, &str)) {
        if let Some([to, from]) = units::differing(&p.attrs, &q.attrs) {
            self.places.say(format!(
                "{both} are in '{to}' and '{from}', and nothing is converted; write convert_units({second}, \"{to}\")"
            ));
        }
    }

    /// A variable that is there.
    fn variable(&mut self, input: usize, path: &str, span: Span) -> Bound<Val> {
        let dataset = &self.inputs[input].dataset;
        let meta = dataset.variable(path).map_err(Failure::Input)?;
        let key = (input, meta.path.clone());
        if let Some(known) = self.variables.get(&key) {
            return Ok(Val::Array(known.clone()));
        }
        if let Some(twice) = (0..meta.dims.len()).find(|&k| meta.dims[..k].contains(&meta.dims[k])) {
            let wrong_with = format!("'{path}' has the dimension '{}' twice", meta.dims[twice]);
            return wrong(span, wrong_with);
        }
        if meta.stored.dtype().is_none() {
            return wrong(span, format!("'{path}' holds no numbers: {}", meta.stored));
        }
        let array = dataset.decoded(path, ValidRange::Ignore).map_err(Failure::Input)?;
        // Names that were made up for axes by their place say nothing about what goes with what.
        let array = if meta.dims_named { array } else { array.without_dims() };
        let from = vec![Used { input, path: meta.path.clone() }];
        let attrs = attributes::of_variable(&meta.attrs);
        let quantity = Quantity { array, attrs, from, taken: Vec::new(), groups: Vec::new() };
        self.variables.insert(key, quantity.clone());
        Ok(Val::Array(quantity))
    }
}

/// An attribute's value: whole numbers as int32 where they fit, which every format has.
fn attribute(literal: &Literal) -> Option<Value> {
    let items = match literal {
        Literal::List(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    if let Literal::Text(text) = literal {
        return Some(Value::Text(text.clone()));
    }
    let texts: Option<Vec<String>> =
        items.iter().map(|i| if let Literal::Text(t) = i { Some(t.clone()) } else { None }).collect();
    if let Some(texts) = texts {
        return Some(Value::Texts(texts));
    }
    let numbers: Vec<Scalar> = items.iter().map(super::value::number).collect::<Option<_>>()?;
    if numbers.iter().any(|n| matches!(n, Scalar::Float(_))) {
        return Some(Value::F64(numbers.iter().map(|n| n.to_f64()).collect()));
    }
    let small: Option<Vec<i32>> = numbers.iter().map(|n| i32::try_from(n.to_i64()).ok()).collect();
    Some(small.map_or_else(|| Value::I64(numbers.iter().map(|n| n.to_i64()).collect()), Value::I32))
}

/// A function of one operand by the table's name.
pub(super) fn unary(name: &str, operand: Val, span: Span) -> Bound<Val> {
    let Some(op) = Unary::from_name(name) else {
        return wrong(span, format!("{name} is not available"));
    };
    match operand {
        Val::Number(number) => {
            let signature = op.signature(number.dtype()).at(span)?;
            let mut out = [0u64];
            let input = [u64::from_ne_bytes(number.bytes(signature.computes))];
            let bytes = &bytemuck::cast_slice(&input)[..signature.computes.size()];
            elementwise::unary(
                op,
                signature.computes,
                bytes,
                &mut bytemuck::cast_slice_mut(&mut out)[..signature.gives.size()],
            );
            Ok(Val::Number(Scalar::of_bytes(out[0].to_ne_bytes(), signature.gives)))
        }
        Val::Array(quantity) => {
            let kept = match op {
                Unary::Positive | Unary::Round | Unary::Floor | Unary::Ceil | Unary::Trunc => Kept::All,
                Unary::Abs | Unary::Negative => Kept::Units,
                _ => Kept::Links,
            };
            let mut out = quantity.with(quantity.array.unary(op).at(span)?, kept);
            units::say(&mut out.attrs, units::of_unary(op, &quantity));
            Ok(Val::Array(out))
        }
    }
}

/// Which dimension has two lengths.
fn clash(a: &LazyArray, b: &LazyArray) -> Option<String> {
    let (names, others) = (a.dims()?, b.dims()?);
    let pairs = names
        .iter()
        .enumerate()
        .filter_map(|(k, d)| Some((d, a.shape()[k], b.shape()[others.iter().position(|o| o == d)?])));
    let (dim, m, n) = pairs.into_iter().find(|(_, m, n)| m != n && *m != 1 && *n != 1)?;
    Some(format!("dimension '{dim}' has lengths {m} and {n}"))
}

/// What stays true of a result, and whether it is a difference of two of a kind.
fn kept(op: Binary, x: &Val, y: &Val) -> (Kept, bool) {
    let same = |a: &Attrs, b: &Attrs| attributes::same_units(a, b);
    match (op, x, y) {
        (Binary::Add, Val::Number(_), Val::Array(_)) => (Kept::All, false),
        (Binary::Add | Binary::Subtract, Val::Array(_), Val::Number(_)) => (Kept::All, false),
        (Binary::Subtract, Val::Number(_), Val::Array(_)) => (Kept::Units, false),
        (Binary::Subtract, Val::Array(a), Val::Array(b)) if same(&a.attrs, &b.attrs) => {
            match (measure::is_difference(&a.attrs), measure::is_difference(&b.attrs)) {
                // A temperature less a difference is a temperature.
                (false, true) => (Kept::Units, false),
                (true, false) => (Kept::Links, false),
                _ => (Kept::Units, true),
            }
        }
        (Binary::Add | Binary::Hypot, Val::Array(a), Val::Array(b)) if same(&a.attrs, &b.attrs) => {
            (if is_time(&a.attrs) { Kept::Links } else { Kept::Units }, false)
        }
        (Binary::Maximum | Binary::Minimum | Binary::Fmax | Binary::Fmin, ..) => (Kept::All, false),
        (Binary::Nextafter, Val::Array(_), Val::Number(_)) => (Kept::All, false),
        (Binary::Remainder | Binary::Fmod | Binary::Copysign, Val::Array(_), Val::Number(_)) => (Kept::Units, false),
        _ => (Kept::Links, false),
    }
}

/// A number computed from two, as Python does it.
fn folded(op: Binary, x: Scalar, y: Scalar, span: Span) -> Bound<Scalar> {
    let (mut a, b) = (x, y);
    if op == Binary::Pow && !matches!((x, y), (Scalar::Float(_), _) | (_, Scalar::Float(_))) && y.to_f64() < 0.0 {
        a = Scalar::Float(x.to_f64());
    }
    if let (Scalar::Int(m), Scalar::Int(n)) = (a, b) {
        let exact = match op {
            Binary::Add => Some(m.checked_add(n)),
            Binary::Subtract => Some(m.checked_sub(n)),
            Binary::Multiply => Some(m.checked_mul(n)),
            Binary::Pow => Some(u32::try_from(n).ok().and_then(|n| m.checked_pow(n))),
            _ => None,
        };
        match exact {
            Some(Some(value)) => return Ok(Scalar::Int(value)),
            Some(None) => return wrong(span, "this whole number does not fit 64 bits; write it with a point"),
            None => {}
        }
    }
    // Truth values are numbers to Python.
    let number = |s: Scalar| if let Scalar::Bool(b) = s { Scalar::Int(i64::from(b)) } else { s };
    let signature = match op.signature(a.dtype(), b.dtype()) {
        Ok(signature) => signature,
        Err(_) => op.signature(number(a).dtype(), number(b).dtype()).at(span)?,
    };
    let word = |s: Scalar| s.bytes(signature.computes);
    let mut out = [0u64];
    let left = [u64::from_ne_bytes(word(a))];
    let left = &bytemuck::cast_slice::<u64, u8>(&left)[..signature.computes.size()];
    let out_bytes = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut out)[..signature.gives.size()];
    elementwise::binary(op, signature.computes, Operand::Values(left), Operand::Scalar(word(b)), out_bytes);
    Ok(Scalar::of_bytes(out[0].to_ne_bytes(), signature.gives))
}
