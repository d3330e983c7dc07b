//! Groups: `mean(t, time, by=time.month)`, `clim(t, time.month)`, and how their results meet the values again.

use super::{
    ast::{Expr, ExprKind, Span},
    attributes::{self, Kept},
    bind::{Binder, binary},
    call::{Call, axis, fold_of},
    diagnostic::Diagnostic,
    known::positions,
    value::{At, Bound, Failure, Quantity, Val, float, integer, text, wrong},
};
use crate::{
    array::{Folding, Groups, LazyArray, WindowShape},
    cf::{
        cell_methods,
        time::{BinOptions, Frequency, Part},
    },
    dataset::{By, Dataset, Grouping, Selection, Taken, repeated},
    dtype::DType,
    kernels::fold::{FoldOptions, Op},
};
use std::sync::Arc;

/// Groups that dimensions of an array are of.
#[derive(Clone)]
pub(super) struct Grouped {
    /// The input that they are made of.
    pub input: usize,
    pub grouping: Arc<Grouping>,
    /// What had been taken of the dimensions that they run along.
    taken: Vec<(String, Taken)>,
}

impl Grouped {
    /// What is taken of a dimension of groups that are all there.
    fn of_whole(&self, key: &str) -> Vec<Taken> {
        // Bins of time have the name of the coordinate that they cut, which is not theirs.
        if self.grouping.dims.iter().any(|dim| dim == key) { vec![Taken::Other] } else { Vec::new() }
    }
}

/// What a reduction by groups is asked for.
struct Asked<'e> {
    by: Vec<(usize, By)>,
    /// The dimensions that are named.
    dims: Vec<&'e Expr>,
}

impl Binder<'_> {
    /// A reduction of each group: `by=` names what is grouped by, `every=` how long bins of time are.
    pub fn by_groups(&mut self, call: &Call) -> Bound<Quantity> {
        let x = self.array(call.required("x")?)?;
        for name in ["keepdims", "weights", "dtype"] {
            if let Some(expr) = call.given(name) {
                return wrong(expr.span, format!("{name} does not go with groups"));
            }
        }
        let (op, options) = fold_of(call)?;
        let mut by = Vec::new();
        if let Some(expr) = call.given("by") {
            let all: Vec<&Expr> = match &expr.kind {
                ExprKind::List(items) => items.iter().collect(),
                _ => vec![expr],
            };
            for one in all {
                by.push(self.by_of(one, &x)?);
            }
        }
        if let Some(expr) = call.given("every") {
            by.push(self.bins_of(expr, &call.args.rest, &x, call.span)?);
        }
        let dims = call.args.rest.clone();
        let grouped = self.grouping(&x, &Asked { by, dims: Vec::new() }, call.span)?;
        reduced(&x, grouped, &dims, op, options, call.span)
    }

    /// The mean of each group, or of a window of groups round each.
    pub fn climatology(&mut self, call: &Call) -> Bound<Quantity> {
        let x = self.array(call.required("x")?)?;
        let asked = self.asked(&call.args.rest, &x)?;
        if asked.by.is_empty() {
            return Err(Diagnostic::new(call.span, "a climatology is of groups")
                .with_help("name them, as clim(t, time.month)")
                .into());
        }
        let grouped = self.grouping(&x, &asked, call.span)?;
        let Some(window) = call.given("window") else {
            return reduced(&x, grouped, &asked.dims, Op::Mean, FoldOptions::default(), call.span);
        };
        let cyclic = [Part::DayOfYear, Part::Month, Part::Hour, Part::DayOfWeek, Part::Week];
        if !matches!(&asked.by[..], [(_, By::Part { part, .. })] if cyclic.contains(part)) {
            return wrong(window.span, "a window goes round the year or the day: of dayofyear, month, week, hour");
        }
        let Ok(length) = u64::try_from(integer(window, "window")?) else {
            return wrong(window.span, "a window is an odd number of groups");
        };
        let shape = match call.given("weights") {
            None => WindowShape::Equal,
            Some(expr) => match text(expr, "weights")?.as_str() {
                "equal" => WindowShape::Equal,
                "triangle" => WindowShape::Triangle,
                _ => return wrong(expr.span, "weights are 'equal' or 'triangle'"),
            },
        };
        let options = FoldOptions::default();
        let wide = Quantity { array: x.array.astype(DType::F64), ..x.clone() };
        let mean = reduced(&x, grouped.clone(), &asked.dims, Op::Mean, options, call.span)?;
        let sums = reduced(&wide, grouped.clone(), &asked.dims, Op::Sum, options, call.span)?;
        let counts = reduced(&wide, grouped.clone(), &asked.dims, Op::Count, options, call.span)?;
        let at = mean.dims().iter().position(|d| *d == grouped.grouping.keys[0].name).unwrap_or(0);
        let around = |of: &LazyArray| of.astype(DType::F64).around(at as i64, length, shape);
        let means = around(&sums.array).and_then(|sums| sums.divide(&around(&counts.array)?)).at(window.span)?;
        Ok(Quantity { array: means.astype(mean.array.dtype()), ..mean })
    }

    /// Each value less the mean of its group, and over its deviation; `None` where no groups are named.
    pub fn deviation_from_groups(&mut self, call: &Call) -> Bound<Option<Quantity>> {
        let expr = call.required("x")?;
        let x = self.array(expr)?;
        let asked = self.asked(&call.args.rest, &x)?;
        if asked.by.is_empty() {
            return Ok(None);
        }
        let grouped = self.grouping(&x, &asked, call.span)?;
        let of = |x: &Quantity, op: Op, options: FoldOptions| -> Bound<Quantity> {
            let result = reduced(x, grouped.clone(), &asked.dims, op, options, call.span)?;
            match brought_back(&result, x, call.span)? {
                Some(back) => Ok(back),
                None => wrong(call.span, "these groups are of several things; they cannot be brought back"),
            }
        };
        let options = FoldOptions::default();
        if call.name == "anom" {
            let mean = Val::Array(of(&x, Op::Mean, options)?);
            return binary("subtract", (expr, Val::Array(x)), (expr, mean), call.span).map(|v| Some(v.quantity()));
        }
        let ddof = call.given("ddof").map_or(Ok(0.0), |e| float(e, "ddof"))?;
        let wide = Quantity { array: x.array.astype(DType::F64), ..x.clone() };
        let (mean, std) = (of(&wide, Op::Mean, options)?, of(&wide, Op::Std, FoldOptions { ddof, ..options })?);
        let dtype = if x.array.dtype().is_float() { x.array.dtype() } else { DType::F64 };
        let array = wide.array.standardized_by(&mean.array, &std.array).at(call.span)?.astype(dtype);
        let mut out = x.with(array, Kept::Links);
        out.attrs.set("units", "1");
        Ok(Some(out))
    }

    /// Groups and dimensions among the arguments of a function that takes both.
    fn asked<'e>(&mut self, exprs: &[&'e Expr], x: &Quantity) -> Bound<Asked<'e>> {
        let mut out = Asked { by: Vec::new(), dims: Vec::new() };
        for &expr in exprs {
            let is_dim = match &expr.kind {
                ExprKind::Name(name) | ExprKind::Text(name) => x.dims().contains(name),
                ExprKind::Field(..) => false,
                _ => true,
            };
            if is_dim {
                out.dims.push(expr);
            } else {
                out.by.push(self.by_of(expr, x)?);
            }
        }
        Ok(out)
    }

    /// What an expression groups by, and the input that has it.
    fn by_of(&mut self, expr: &Expr, x: &Quantity) -> Bound<(usize, By)> {
        let input_named = |name: &str| self.inputs.iter().position(|input| input.name == *name);
        let own = |name: &str| {
            let has = |input: &usize| self.inputs[*input].dataset.root().var(name).is_some();
            let used = x.from.iter().map(|u| u.input).find(has);
            match (used, self.inputs) {
                (Some(input), _) => Ok(input),
                (None, [_]) => Ok(0),
                _ => wrong(expr.span, format!("none of the inputs that this comes from has '{name}'")),
            }
        };
        let variable = |expr: &Expr| -> Bound<(usize, String)> {
            match &expr.kind {
                ExprKind::Name(name) => Ok((own(name)?, name.clone())),
                ExprKind::Field(base, field) => match &base.kind {
                    ExprKind::Name(name) if input_named(name).is_some() => {
                        Ok((input_named(name).unwrap_or(0), field.name.clone()))
                    }
                    _ => wrong(expr.span, "groups are those of a variable of an input, as time.month"),
                },
                _ => wrong(expr.span, "groups are those of a variable of an input, as time.month"),
            }
        };
        match &expr.kind {
            ExprKind::Text(text) => {
                let by = By::parse(text).at(expr.span)?;
                Ok((own(by.variable())?, by))
            }
            ExprKind::Field(base, part) if !matches!(&base.kind, ExprKind::Name(n) if input_named(n).is_some()) => {
                let (input, coordinate) = variable(base)?;
                Ok((input, By::Part { coordinate, part: Part::named(&part.name).at(part.span)? }))
            }
            _ => variable(expr).map(|(input, path)| (input, By::Values(path))),
        }
    }

    /// Bins of time along the one dimension that has times.
    fn bins_of(&mut self, every: &Expr, dims: &[&Expr], x: &Quantity, span: Span) -> Bound<(usize, By)> {
        let frequency = Frequency::parse(&text(every, "every")?).at(every.span)?;
        let named = dims.iter().map(|dim| axis(dim, x)).collect::<Bound<Vec<i64>>>()?;
        for (k, dim) in x.dims().iter().enumerate().filter(|(k, _)| named.is_empty() || named.contains(&(*k as i64))) {
            for used in &x.from {
                let dataset = &self.inputs[used.input].dataset;
                let meta = dataset.variable(&used.path).map_err(Failure::Input)?;
                let found = dataset.coordinate(meta.group(), dim).filter(|_| meta.dims.contains(dim));
                if let Some(time) = found.filter(|c| c.attrs.text("units").is_some_and(|u| u.contains(" since "))) {
                    let coordinate = time.path.clone();
                    let options = BinOptions::default();
                    return Ok((used.input, By::Every { coordinate, frequency, options }));
                }
            }
            if named.first() == Some(&(k as i64)) && named.len() == 1 {
                return wrong(dims[0].span, format!("'{dim}' has no coordinate of time to be cut into bins"));
            }
        }
        wrong(span, "no dimension has a coordinate of time to be cut into bins")
    }

    /// The groups of the positions that an array still has.
    fn grouping(&self, x: &Quantity, asked: &Asked, span: Span) -> Bound<Grouped> {
        let Some((input, _)) = asked.by.first() else { return wrong(span, "groups by nothing") };
        if asked.by.iter().any(|(other, _)| other != input) {
            return wrong(span, "groups by variables of different inputs");
        }
        let by: Vec<By> = asked.by.iter().map(|(_, by)| by.clone()).collect();
        let dataset = &self.inputs[*input].dataset;
        let mut selection = Selection::new();
        let mut dims: Vec<&String> = Vec::new();
        for one in &by {
            let meta = dataset.variable(one.variable()).at(span)?;
            for (dim, n) in meta.dims.iter().zip(meta.shape.iter()).filter(|(dim, _)| x.dims().contains(dim)) {
                let is_cut = x.taken.iter().any(|(d, _)| d == dim);
                if is_cut && !dims.contains(&dim) {
                    let Some(left) = positions(&x.taken, dim, *n) else {
                        return wrong(span, format!("what was done to '{dim}' leaves no labels to group by"));
                    };
                    selection = selection.isel(dim, &listed(&left));
                    dims.push(dim);
                }
            }
        }
        let selected: Dataset = dataset.select(&selection).at(span)?;
        let grouping = Grouping::of(&selected, &by).at(span)?;
        let taken = x.taken.iter().filter(|(dim, _)| grouping.dims.contains(dim)).cloned().collect();
        Ok(Grouped { input: *input, grouping: Arc::new(grouping), taken })
    }
}

/// Positions as a selection reads them.
fn listed(positions: &[u64]) -> String {
    match positions {
        // A single one would take the dimension away.
        [] => "0:0".to_string(),
        [one] => format!("{one}:{}", one + 1),
        many => many.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
    }
}

/// One value for each group, over the dimensions that are named too.
fn reduced(
    x: &Quantity,
    grouped: Grouped,
    dims: &[&Expr],
    op: Op,
    options: FoldOptions,
    span: Span,
) -> Bound<Quantity> {
    let grouping = &grouped.grouping;
    let place = |dim: &String| match x.dims().iter().position(|d| d == dim) {
        Some(at) => Ok(at as i64),
        None => wrong(span, format!("the groups run along '{dim}', which this does not have")),
    };
    let along = grouping.dims.iter().map(place).collect::<Bound<Vec<i64>>>()?;
    let mut also = dims.iter().map(|dim| axis(dim, x)).collect::<Bound<Vec<i64>>>()?;
    also.retain(|k| !along.contains(k));
    let fold = Folding::Op { op, options };
    let single = grouping.keys.len() == 1;
    let groups = grouping.groups.named(grouping.keys.first().map_or("", |key| &key.name));
    let mut array = x.array.grouped_by(fold, &along, &groups, &also).at(span)?;
    if !single {
        let first = along.iter().min().copied().unwrap_or(0);
        let at = (0..first).filter(|k| !also.contains(k)).count();
        let mut names: Vec<String> = array.dims().unwrap_or_default().to_vec();
        let mut shape: Vec<i64> = array.shape().iter().map(|&n| n as i64).collect();
        names.splice(at..at + 1, grouping.keys.iter().map(|key| key.name.clone()));
        shape.splice(at..at + 1, grouping.shape().into_iter().map(|n| n as i64));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        array = array.reshape(&shape).and_then(|a| a.with_dims(&names)).at(span)?;
    }
    let gone: Vec<String> = along.iter().chain(&also).filter_map(|&k| x.dims().get(k as usize).cloned()).collect();
    let mut out = x.with(array, Kept::Nothing);
    out.attrs = attributes::kept(Kept::All, &[&x.attrs]);
    cell_methods::grouped(&mut out.attrs, op, &gone, repeated(Some(grouping)));
    out.attrs.remove("cell_measures");
    out.taken.retain(|(dim, _)| !gone.contains(dim));
    for key in &grouping.keys {
        out.taken.extend(grouped.of_whole(&key.name).into_iter().map(|taken| (key.name.clone(), taken)));
    }
    out.groups.push(grouped);
    Ok(out)
}

/// Both, the results of groups at the positions that they are of where the other has these.
pub(super) fn together(x: Val, y: Val, span: Span) -> Bound<(Val, Val)> {
    let (Val::Array(p), Val::Array(q)) = (&x, &y) else { return Ok((x, y)) };
    if let Some(back) = brought_back(p, q, span)? {
        return Ok((Val::Array(back), y));
    }
    if let Some(back) = brought_back(q, p, span)? {
        return Ok((x, Val::Array(back)));
    }
    Ok((x, y))
}

/// Results of groups at the positions that another array still has; `None` where they do not belong together so.
fn brought_back(of: &Quantity, beside: &Quantity, span: Span) -> Bound<Option<Quantity>> {
    for grouped in &of.groups {
        let ([key], [over]) = (&grouped.grouping.keys[..], &grouped.grouping.dims[..]) else { continue };
        let taken = |q: &Quantity, dim: &String| -> Vec<Taken> {
            q.taken.iter().filter(|(d, _)| d == dim).map(|(_, t)| t.clone()).collect()
        };
        let own = of.dims().iter().position(|d| *d == key.name);
        let whole = |at: &usize| {
            of.array.shape()[*at] == u64::from(grouped.grouping.groups.count())
                && taken(of, &key.name) == grouped.of_whole(&key.name)
        };
        let is_grouped_too = beside.groups.iter().any(|other| Arc::ptr_eq(&other.grouping, &grouped.grouping));
        let there = beside.dims().iter().position(|d| d == over).filter(|_| !is_grouped_too);
        let (Some(axis), Some(there)) = (own.filter(whole), there) else { continue };
        let labels = grouped.grouping.groups.labels();
        let before: Vec<Taken> = grouped.taken.iter().map(|(_, t)| t.clone()).collect();
        let now = taken(beside, over);
        let left = match (before == now, before.is_empty()) {
            (true, _) => Some((0..labels.len() as u64).collect()),
            (false, true) => positions(&beside.taken, over, labels.len() as u64),
            (false, false) => None,
        };
        let Some(left) = left.filter(|left: &Vec<u64>| left.len() as u64 == beside.array.shape()[there]) else {
            return wrong(span, format!("the groups are not of the same positions along '{over}'"));
        };
        let labels = left.iter().filter_map(|&at| labels.get(at as usize).copied()).collect();
        let groups = Groups::new(labels, grouped.grouping.groups.count()).at(span)?;
        let array = of.array.spread(&groups, axis as i64, over).at(span)?;
        let mut out = Quantity { array, ..of.clone() };
        out.taken.retain(|(dim, _)| *dim != key.name);
        out.taken.extend(now.into_iter().map(|t| (over.clone(), t)));
        out.groups.retain(|other| !Arc::ptr_eq(&other.grouping, &grouped.grouping));
        return Ok(Some(out));
    }
    Ok(None)
}
