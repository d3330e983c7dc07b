//! Calls: each function of the table as an operation on lazy arrays.

use super::{
    ast::{Arg, Expr, ExprKind, Ident, Literal, Span},
    attributes::Kept,
    bind::{Binder, unary},
    diagnostic::Diagnostic,
    functions::{self, Arguments, Kind},
    value::{At, Bound, Quantity, Val, float, given, integer, number, numbers, text, truth, wrong},
};
use crate::{
    array::LazyArray,
    cf::measure::{self, Unit},
    dtype::{DType, Scalar},
    kernels::elementwise::{Binary, Lookup},
};

/// A call with its arguments sorted.
pub(super) struct Call<'a> {
    /// The name in the table.
    pub name: &'static str,
    /// The name as it was written.
    pub written: &'a str,
    pub args: Arguments<'a>,
    pub span: Span,
}

impl<'a> Call<'a> {
    /// An argument that the table says must be there.
    pub fn required(&self, name: &'static str) -> Bound<&'a Expr> {
        match self.args.get(name) {
            Some(expr) => Ok(expr),
            None => wrong(self.span, format!("{} lacks its argument '{name}'", self.name)),
        }
    }

    /// An argument that is there and not `None`.
    pub fn given(&self, name: &str) -> Option<&'a Expr> {
        given(self.args.get(name))
    }

    /// A flag, or what holds without it.
    pub fn flag(&self, name: &'static str, default: bool) -> Bound<bool> {
        self.given(name).map_or(Ok(default), |e| truth(e, name))
    }
}

impl Binder<'_> {
    /// What a call is worth.
    pub fn call(&mut self, function: &Ident, args: &[Arg], span: Span) -> Bound<Val> {
        let found = functions::of(function)?;
        let args = functions::arrange(found, args, span)?;
        let call = Call { name: found.name, written: &function.name, args, span };
        let array = |q: Quantity| Ok(Val::Array(q));
        match found.kind {
            Kind::Elementwise1 => {
                let operand = self.value(call.required("x")?)?;
                unary(call.name, operand, span)
            }
            Kind::Elementwise2 => self.pair(&call),
            Kind::Elementwise => self.elementwise(&call),
            Kind::Reduction => self.reduction(&call).and_then(array),
            Kind::Statistic => self.statistic(&call).and_then(array),
            Kind::Cumulative | Kind::Ordering => self.along(&call).and_then(array),
            Kind::Selection | Kind::Shape => self.shaped(&call).and_then(array),
            Kind::Linear => self.linear(&call).and_then(array),
            Kind::Creation => self.creation(&call).and_then(array),
        }
    }

    fn pair(&mut self, call: &Call) -> Bound<Val> {
        let (a, b) = (call.required("x")?, call.required("y")?);
        let (x, y) = (self.value(a)?, self.value(b)?);
        if call.name == "logaddexp2" {
            let ln2 = || (b, Val::Number(Scalar::Float(std::f64::consts::LN_2)));
            let scaled = [(a, x), (b, y)].map(|(e, v)| Ok((e, self.binary("multiply", (e, v), ln2(), call.span)?)));
            let [p, q]: [Bound<(&Expr, Val)>; 2] = scaled;
            let sum = self.binary("logaddexp", p?, q?, call.span)?;
            return self.binary("divide", (a, sum), ln2(), call.span);
        }
        self.binary(call.name, (a, x), (b, y), call.span)
    }

    fn elementwise(&mut self, call: &Call) -> Bound<Val> {
        match call.name {
            "where" => return self.choice(call).map(Val::Array),
            "clip" => return self.clip(call),
            "isclose" => return self.isclose(call).map(Val::Array),
            _ => {}
        }
        let x = self.array(call.required("x")?)?;
        Ok(Val::Array(match call.name {
            "astype" => x.with(x.array.astype(dtype(call.required("dtype")?)?), Kept::All),
            "round" => self.round(call, &x)?,
            "isin" => {
                let values = call.required("values")?;
                let how = if call.flag("invert", false)? { Lookup::NotIn } else { Lookup::IsIn };
                let listed = match self.listed(&x, values)? {
                    Some(codes) => codes,
                    None => numbers(values, "the values")?,
                };
                let out = x.array.isin(&listed).at(values.span)?;
                let out = if how == Lookup::NotIn { out.logical_not().at(call.span)? } else { out };
                x.with(out, Kept::Links)
            }
            "nan_to_num" => nan_to_num(call, &x)?,
            "convert_units" => convert_units(call, &x)?,
            _ => return wrong(call.span, format!("{} is not available", call.name)),
        }))
    }

    fn choice(&mut self, call: &Call) -> Bound<Quantity> {
        let condition = self.array(call.required("condition")?)?;
        let (a, b) = (self.value(call.required("x")?)?, self.value(call.required("y")?)?);
        let other = |x: &Val, y: &Val| match (x, y) {
            (Val::Array(q), Val::Number(n)) => q.array.dtype().promote_scalar(*n),
            (Val::Array(q), Val::Array(_)) => Ok(q.array.dtype()),
            (Val::Number(n), _) => Ok(n.dtype()),
        };
        if let (Val::Array(p), Val::Array(q)) = (&a, &b) {
            let (p_expr, q_expr) = (call.required("x")?, call.required("y")?);
            self.note_units([p, q], (q_expr, &format!("'{p_expr}' and '{q_expr}'")));
        }
        let dtype = match (&a, &b) {
            (Val::Number(_), Val::Array(_)) => other(&b, &a).at(call.span)?,
            (Val::Number(x), Val::Number(y)) => x.dtype().promote(y.dtype()),
            _ => other(&a, &b).at(call.span)?,
        };
        // The places of a choice are those of what is chosen from.
        let mut all: Vec<Quantity> =
            [&a, &b].into_iter().filter_map(Val::as_array).cloned().chain([condition]).collect();
        self.places.put_together(&mut all, None)?;
        let mut all = all.into_iter();
        let [a, b] = [a, b].map(|v| if v.as_array().is_some() { all.next().map_or(v, Val::Array) } else { v });
        let Some(condition) = all.next() else { return wrong(call.span, "a choice needs a condition") };
        let picked = LazyArray::select(&condition.array, &a.array_as(dtype), &b.array_as(dtype)).at(call.span)?;
        let operands: Vec<&Quantity> = [&a, &b].into_iter().filter_map(Val::as_array).collect();
        let values = Quantity::of(picked.clone(), Kept::All, &operands);
        let mut out =
            Quantity::of(picked, Kept::Nothing, &operands.into_iter().chain([&condition]).collect::<Vec<_>>());
        out.attrs = values.attrs;
        Ok(out)
    }

    fn clip(&mut self, call: &Call) -> Bound<Val> {
        let expr = call.required("x")?;
        let mut out = self.value(expr)?;
        for (name, op) in [("min", "maximum"), ("max", "minimum")] {
            if let Some(end) = call.given(name) {
                let attrs = out.as_array().map(|q| q.attrs.clone());
                let end_value = self.value(end)?;
                out = self.binary(op, (expr, out), (end, end_value), call.span)?;
                // What is clipped says what it is, not the ends.
                if let (Val::Array(q), Some(attrs)) = (&mut out, attrs) {
                    q.attrs = attrs;
                }
            }
        }
        Ok(out)
    }

    fn isclose(&mut self, call: &Call) -> Bound<Quantity> {
        let (x, y) = (self.array(call.required("x")?)?, self.array(call.required("y")?)?);
        let [x, y] = self.places.together([&x, &y])?;
        let tolerance = |name: &'static str, default: f64| call.given(name).map_or(Ok(default), |e| float(e, name));
        let (rtol, atol) = (tolerance("rtol", 1e-5)?, tolerance("atol", 1e-8)?);
        let equal_nan = call.flag("equal_nan", false)?;
        let close = || -> crate::error::Result<LazyArray> {
            let far = x.array.subtract(&y.array)?.abs()?;
            let limit = y.array.abs()?.binary_scalar(Binary::Multiply, rtol)?.add_scalar(atol)?;
            // Infinities are close to themselves only.
            let near = far.less_equal(&limit)?.logical_and(&y.array.isfinite()?)?;
            let near = near.logical_or(&x.array.equal(&y.array)?)?;
            if equal_nan { near.logical_or(&x.array.isnan()?.logical_and(&y.array.isnan()?)?) } else { Ok(near) }
        };
        Ok(Quantity::of(close().at(call.span)?, Kept::Links, &[&x, &y]))
    }

    fn round(&mut self, call: &Call, x: &Quantity) -> Bound<Quantity> {
        let decimals = call.given("decimals").map_or(Ok(0), |e| integer(e, "decimals"))?;
        if decimals == 0 {
            return Ok(x.with(x.array.round().at(call.span)?, Kept::All));
        }
        let Ok(decimals) = i32::try_from(decimals) else { return wrong(call.span, "so many decimals are none") };
        let factor = 10f64.powi(decimals.abs());
        // As NumPy: scaled, rounded, scaled back.
        let (there, back) = match decimals > 0 {
            true => (Binary::Multiply, Binary::Divide),
            false => (Binary::Divide, Binary::Multiply),
        };
        let rounded = x.array.binary_scalar(there, factor).and_then(|a| a.round()?.binary_scalar(back, factor));
        Ok(x.with(rounded.at(call.span)?, Kept::All))
    }
}

/// Values in another unit.
fn convert_units(call: &Call, x: &Quantity) -> Bound<Quantity> {
    let expr = call.required("units")?;
    let wanted = text(expr, "units")?;
    let Some(units) = x.attrs.text("units") else {
        return wrong(call.span, "this has no units to convert; give it some first, as x.units = \"K\"");
    };
    let (mut from, mut to) = (Unit::parse(units).at(call.span)?, Unit::parse(&wanted).at(expr.span)?);
    if measure::is_difference(&x.attrs) {
        (from, to) = (from.span(), to.span());
    }
    let mut x = x.clone();
    let conversion = measure::conversion(&mut x.attrs, &from, &to).at(expr.span)?;
    let mut out = x.with(conversion.of_array(&x.array).at(call.span)?, Kept::All);
    out.attrs.set("units", wanted.trim());
    Ok(out)
}

/// NaN and infinities as numbers.
fn nan_to_num(call: &Call, x: &Quantity) -> Bound<Quantity> {
    let dtype = x.array.dtype();
    if !dtype.is_float() {
        return Ok(x.clone());
    }
    let largest = match dtype {
        DType::F16 => 65504.0,
        DType::F32 => f64::from(f32::MAX),
        _ => f64::MAX,
    };
    let value = |name: &'static str, default: f64| call.given(name).map_or(Ok(default), |e| float(e, name));
    let (nan, above, below) = (value("nan", 0.0)?, value("posinf", largest)?, value("neginf", -largest)?);
    let finite = || -> crate::error::Result<LazyArray> {
        let array = &x.array;
        let to = |x: f64| LazyArray::scalar(x).astype(dtype);
        let out = LazyArray::select(&array.isnan()?, &to(nan), array)?;
        let out = LazyArray::select(&array.binary_scalar(Binary::Equal, f64::INFINITY)?, &to(above), &out)?;
        LazyArray::select(&array.binary_scalar(Binary::Equal, f64::NEG_INFINITY)?, &to(below), &out)
    };
    Ok(x.with(finite().at(call.span)?, Kept::All))
}

/// The positions of dimensions by name or position.
pub(super) fn axes(exprs: &[&Expr], of: &Quantity) -> Bound<Vec<i64>> {
    let mut out = Vec::new();
    for expr in exprs.iter().filter(|e| e.literal() != Some(Literal::None)) {
        let at = axis(expr, of)?;
        if out.contains(&at) {
            return wrong(expr.span, format!("dimension '{expr}' is named twice"));
        }
        out.push(at);
    }
    Ok(out)
}

/// The position of a dimension by name or position, counted from the front.
pub(super) fn axis(expr: &Expr, of: &Quantity) -> Bound<i64> {
    let rank = of.array.ndim() as i64;
    if let Some(Literal::Int(n)) = expr.literal() {
        return match i64::try_from(n).map(|n| if n < 0 { n + rank } else { n }) {
            Ok(n) if (0..rank).contains(&n) => Ok(n),
            _ => wrong(expr.span, format!("no dimension {n}: there are {rank}")),
        };
    }
    let name = match &expr.kind {
        ExprKind::Name(name) | ExprKind::Text(name) => name,
        _ => return wrong(expr.span, "a dimension is a name or a position"),
    };
    if let Some(at) = of.dims().iter().position(|d| d == name) {
        return Ok(at as i64);
    }
    let mistake = Diagnostic::unknown(expr.span, "dimension", name, of.dims().iter().map(String::as_str));
    if of.array.dims().is_none() && rank > 0 {
        return Err(Diagnostic { help: Some(format!("this has {rank} without names")), ..mistake }.into());
    }
    Err(mistake.into())
}

/// A type by name: `float32`, `"f4"`, `int`.
pub(super) fn dtype(expr: &Expr) -> Bound<DType> {
    let name = text(expr, "a type")?;
    let short = name.trim_start_matches(['<', '=', '|']);
    let found = DType::ALL.into_iter().find(|d| d.name() == short).or(match short {
        "float" | "double" => Some(DType::F64),
        "single" => Some(DType::F32),
        "half" => Some(DType::F16),
        "int" => Some(DType::I64),
        "uint" => Some(DType::U64),
        "?" | "b1" => Some(DType::Bool),
        _ => {
            let (kind, size) = short.split_at_checked(1).unwrap_or_default();
            let code = |d: &DType| match d.name() {
                n if n.starts_with("uint") => "u",
                n if n.starts_with("int") => "i",
                n if n.starts_with("float") => "f",
                _ => "",
            };
            DType::ALL.into_iter().find(|d| code(d) == kind && !kind.is_empty() && d.size().to_string() == size)
        }
    });
    match found {
        Some(dtype) => Ok(dtype),
        None => Err(Diagnostic::unknown(expr.span, "type", &name, DType::ALL.iter().map(|d| d.name())).into()),
    }
}

/// A number of an argument, or what holds without it.
pub(super) fn scalar(expr: &Expr, what: &str) -> Bound<Scalar> {
    match expr.literal().as_ref().and_then(number) {
        Some(n) => Ok(n),
        None => wrong(expr.span, format!("{what} is a number")),
    }
}
