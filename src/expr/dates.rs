//! Parts of dates, as `time.month`, and what is compared with text: seasons, other flags, and dates.

use super::{
    ast::{CompareOp, Expr, ExprKind, Ident, Literal, Span},
    attributes::Kept,
    bind::{Binder, unary},
    diagnostic::Diagnostic,
    value::{At, Bound, Quantity, Val, wrong},
};
use crate::{
    array::LazyArray,
    attrs::{Attrs, Value},
    cf::time::{Instant, Part, PartialDate, Season, TimeUnits},
    dtype::Scalar,
    kernels::elementwise::Binary,
};

/// One side of a comparison.
enum Side<'a> {
    Text(&'a str),
    Val(Val),
}

/// The units of a quantity, where it is a time.
fn time_units(attrs: &Attrs) -> Option<TimeUnits> {
    TimeUnits::of(attrs).ok()?
}

impl Binder<'_> {
    /// A part of the dates of a coordinate: an array along its dimension. Seasons are numbers with flags.
    pub fn date_part(&mut self, of: &Expr, part: &Ident) -> Bound<Val> {
        let q = self.array(of)?;
        let which = Part::named(&part.name).at(part.span)?;
        let Some(units) = time_units(&q.attrs) else {
            return wrong(of.span, format!("'{of}' has no units of time, as 'days since 1990-01-01', and so no dates"));
        };
        let known = self.known(&q.array)?;
        let Some(known) = known.filter(|_| q.array.ndim() == 1) else {
            return wrong(of.span, "dates are those of a coordinate with one dimension");
        };
        let calendar = units.calendar();
        let mut values = Vec::new();
        for (k, number) in known.numbers().into_iter().enumerate() {
            match units.decode(number).at(of.span)? {
                Some(instant) => values.push(which.of(calendar, instant)),
                None => return wrong(of.span, format!("the time at position {k} is missing, and has no dates")),
            }
        }
        // Blocks of one do not change those of what they meet.
        let array = LazyArray::from_slice(&values, &[values.len() as u64], &[1]).at(of.span)?;
        let dims: Vec<&str> = q.dims().iter().map(String::as_str).collect();
        let array = if dims.is_empty() { array } else { array.with_dims(&dims).at(of.span)? };
        let mut out = q.with(array, Kept::Links);
        out.attrs = Attrs::new();
        out.attrs.set("long_name", which.name());
        if which == Part::Season {
            out.attrs.set("flag_values", Value::I64((0..4).collect()));
            out.attrs.set("flag_meanings", (0..4).map(|k| which.label(calendar, k)).collect::<Vec<_>>().join(" "));
        } else {
            out.attrs.set("units", "1");
        }
        Ok(Val::Array(out))
    }

    fn side<'e>(&mut self, expr: &'e Expr) -> Bound<Side<'e>> {
        match &expr.kind {
            ExprKind::Text(text) => Ok(Side::Text(text)),
            _ => self.value(expr).map(Side::Val),
        }
    }

    /// `first < a <= b`: each neighbouring pair compared, and all of it true.
    pub fn comparison(&mut self, first: &Expr, rest: &[(CompareOp, Expr)], span: Span) -> Bound<Val> {
        let mut left = (first, self.side(first)?);
        let mut all: Option<Val> = None;
        for (op, right) in rest {
            let side = self.side(right)?;
            let one = match (&left.1, &side) {
                (Side::Val(a), Side::Val(b)) => {
                    self.binary(op.function(), (left.0, a.clone()), (right, b.clone()), span)?
                }
                (Side::Val(a), Side::Text(text)) => self.with_text((left.0, a), *op, text, right.span)?,
                (Side::Text(text), Side::Val(b)) => self.with_text((right, b), mirrored(*op), text, left.0.span)?,
                (Side::Text(_), Side::Text(_)) => return wrong(span, "text is no value to compute with"),
            };
            all = Some(match all {
                None => one,
                Some(before) => self.binary("logical_and", (first, before), (right, one), span)?,
            });
            left = (right, side);
        }
        all.map_or_else(|| wrong(span, "nothing is compared"), Ok)
    }

    /// What compares with text: flags by their meanings, times by dates.
    fn with_text(&mut self, (expr, x): (&Expr, &Val), op: CompareOp, text: &str, at: Span) -> Bound<Val> {
        let Val::Array(q) = x else { return wrong(at, "a number is not compared with text") };
        if let Some(flags) = Flags::of(&q.attrs) {
            let is_equality = matches!(op, CompareOp::Equal | CompareOp::NotEqual);
            if !is_equality {
                return wrong(at, format!("'{expr}' has meanings, and no order; compare it with == or !="));
            }
            if let Some(own) = self.own_season(expr, text)? {
                return if op == CompareOp::Equal { Ok(own) } else { unary("logical_not", own, at) };
            }
            let code = Val::Number(flags.code(text, at)?);
            return self.binary(op.function(), (expr, x.clone()), (expr, code), at);
        }
        let Some(units) = time_units(&q.attrs) else {
            return Err(Diagnostic::new(at, format!("'{expr}' is neither a time nor has flags; it is no text"))
                .with_help("text stands for dates, and for what flag_meanings lists")
                .into());
        };
        let (from, to) = PartialDate::parse(text).and_then(|date| date.range(units.calendar())).at(at)?;
        let than = |op: Binary, instant: Instant| q.array.binary_scalar(op, units.encode(instant)).at(at);
        let array = match op {
            CompareOp::Less => than(Binary::Less, from)?,
            CompareOp::LessEqual => than(Binary::Less, to)?,
            CompareOp::Greater => than(Binary::GreaterEqual, to)?,
            CompareOp::GreaterEqual => than(Binary::GreaterEqual, from)?,
            CompareOp::Equal | CompareOp::NotEqual => {
                let inside = than(Binary::GreaterEqual, from)?.logical_and(&than(Binary::Less, to)?).at(at)?;
                if op == CompareOp::Equal { inside } else { inside.logical_not().at(at)? }
            }
        };
        Ok(Val::Array(q.with(array, Kept::Links)))
    }

    /// Whether times lie in a season of one's own, as `time.season == "JJAS"`; `None` where it is none.
    fn own_season(&mut self, expr: &Expr, text: &str) -> Bound<Option<Val>> {
        let ExprKind::Field(base, part) = &expr.kind else { return Ok(None) };
        let Some(season) = Some(text).filter(|_| part.name == "season").and_then(|t| Season::named(t).ok()) else {
            return Ok(None);
        };
        let month = self.date_part(base, &Ident { name: "month".into(), span: part.span })?.quantity();
        let months: Vec<Scalar> = season.months().map(|m| Scalar::Int(m.into())).collect();
        Ok(Some(Val::Array(month.with(month.array.isin(&months).at(expr.span)?, Kept::Links))))
    }

    /// The values that a list stands for, which may be meanings of flags.
    pub fn listed(&self, q: &Quantity, values: &Expr) -> Bound<Option<Vec<Scalar>>> {
        let texts: Vec<String> = match values.literal() {
            Some(Literal::Text(text)) => vec![text],
            Some(Literal::List(items)) if items.iter().any(|i| matches!(i, Literal::Text(_))) => {
                let text = |item: Literal| if let Literal::Text(text) = item { Some(text) } else { None };
                match items.into_iter().map(text).collect() {
                    Some(texts) => texts,
                    None => return wrong(values.span, "a list holds either text or numbers"),
                }
            }
            _ => return Ok(None),
        };
        let Some(flags) = Flags::of(&q.attrs) else {
            return wrong(values.span, "text stands for what flag_meanings lists, and there is no such attribute");
        };
        texts.iter().map(|text| flags.code(text, values.span)).collect::<Bound<Vec<Scalar>>>().map(Some)
    }
}

/// The operator with its sides changed.
fn mirrored(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Less => CompareOp::Greater,
        CompareOp::LessEqual => CompareOp::GreaterEqual,
        CompareOp::Greater => CompareOp::Less,
        CompareOp::GreaterEqual => CompareOp::LessEqual,
        same => same,
    }
}

/// Values that mean something by the attributes `flag_values` and `flag_meanings`.
struct Flags<'a> {
    meanings: Vec<&'a str>,
    values: Vec<Scalar>,
}

impl<'a> Flags<'a> {
    fn of(attrs: &'a Attrs) -> Option<Flags<'a>> {
        let meanings: Vec<&str> = attrs.text("flag_meanings")?.split_whitespace().collect();
        let numbers = attrs.get("flag_values")?.numbers()?;
        let scalar = |x: &f64| if x.fract() == 0.0 { Scalar::Int(*x as i64) } else { Scalar::Float(*x) };
        let values: Vec<Scalar> = numbers.iter().map(scalar).collect();
        (meanings.len() == values.len()).then_some(Flags { meanings, values })
    }

    fn code(&self, meaning: &str, at: Span) -> Bound<Scalar> {
        match self.meanings.iter().position(|m| *m == meaning) {
            Some(k) => Ok(self.values[k]),
            None => Err(Diagnostic::unknown(at, "flag", meaning, self.meanings.iter().copied()).into()),
        }
    }
}
