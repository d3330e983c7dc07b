//! Groups: `mean(t, time, by=time.month)`, `clim(t, time.month)`, `anom(t, time.month)`.

use super::{
    ast::{Expr, ExprKind, Span},
    attributes::{self, Kept},
    back::brought_back,
    bind::Binder,
    call::{Call, axis},
    diagnostic::Diagnostic,
    known::positions,
    meeting::Places,
    statistics::ddof,
    value::{At, Bound, Failure, Quantity, Val, integer, text, wrong},
};
use crate::{
    array::{LazyArray, WindowShape},
    cf::time::{BinOptions, Calendar, Frequency, Origin, Part, Side},
    dataset::{By, Cells, Dataset, Found, Grouping, Selection, Statistic, Taken, described, repeated, split_keys},
    dtype::DType,
    kernels::fold::{FoldOptions, Op},
    source::VarMeta,
};
use std::sync::Arc;

/// Groups that dimensions of an array are of.
#[derive(Clone)]
pub(super) struct Grouped {
    /// The input that they are made of.
    pub input: usize,
    /// The inputs that the values come from.
    pub of: Vec<usize>,
    /// What they are by.
    pub by: Vec<By>,
    pub grouping: Arc<Grouping>,
    /// What had been taken of the dimensions that they run along.
    pub taken: Vec<(String, Taken)>,
}

impl Grouped {
    /// What is taken of a dimension of groups that are all there.
    pub fn of_whole(&self, key: &str) -> Vec<Taken> {
        // Bins of time have the name of the coordinate that they cut, which is not theirs.
        if self.grouping.dims.iter().any(|dim| dim == key) { vec![Taken::Other] } else { Vec::new() }
    }
}

/// What says how bins of time are cut.
const OF_BINS: [&str; 3] = ["closed", "label", "origin"];

/// What a reduction by groups is asked for.
struct Asked<'e> {
    by: Vec<(usize, By)>,
    /// The dimensions that are named.
    dims: Vec<&'e Expr>,
}

impl Binder<'_> {
    /// The groups that a reduction is to be by: `by=` names what is grouped by, `every=` how long bins of time are.
    pub fn groups_of(&mut self, call: &Call, x: &Quantity) -> Bound<Option<Grouped>> {
        let every = call.given("every");
        if let Some((name, expr)) = OF_BINS.iter().find_map(|name| Some((name, call.given(name)?)))
            && every.is_none()
        {
            return wrong(expr.span, format!("{name} is about bins of time; give every=\"1d\" too"));
        }
        if call.given("by").or(every).is_none() {
            return Ok(None);
        }
        for name in ["keepdims", "dtype"] {
            if let Some(expr) = call.given(name) {
                return wrong(expr.span, format!("{name} does not go with groups"));
            }
        }
        let mut by = Vec::new();
        if let Some(expr) = call.given("by") {
            let all: Vec<&Expr> = match &expr.kind {
                ExprKind::List(items) => items.iter().collect(),
                _ => vec![expr],
            };
            for one in all {
                by.push(self.by_of(one, x)?);
            }
        }
        if let Some(expr) = every {
            by.push(self.bins_of(expr, call, x)?);
        }
        self.grouping(x, &Asked { by, dims: Vec::new() }, call.span).map(Some)
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
        let shape = call.given("weights").and_then(window_shape);
        let weights = if shape.is_some() { None } else { self.weights(call, &x)? };
        let of = |x: &Quantity, op: Op| {
            let plain = Reduced::plain(op, &asked.dims);
            Reduced { weights: weights.as_ref(), ..plain }.by(x, grouped.clone(), call.span)
        };
        let Some(window) = call.given("window") else { return of(&x, Op::Mean) };
        let cyclic = [Part::DayOfYear, Part::Month, Part::Hour, Part::DayOfWeek, Part::Week];
        if !matches!(&asked.by[..], [(_, By::Part { part, .. })] if cyclic.contains(part)) {
            return wrong(window.span, "a window goes round the year or the day: of dayofyear, month, week, hour");
        }
        let Ok(length) = u64::try_from(integer(window, "window")?) else {
            return wrong(window.span, "a window is an odd number of groups");
        };
        let wide = Quantity { array: x.array.astype(DType::F64), ..x.clone() };
        let (mean, sums, counts) = (of(&x, Op::Mean)?, of(&wide, Op::Sum)?, of(&wide, Op::Count)?);
        let at = mean.dims().iter().position(|d| *d == grouped.grouping.keys[0].name).unwrap_or(0);
        let around =
            |of: &LazyArray| of.astype(DType::F64).around(at as i64, length, shape.unwrap_or(WindowShape::Equal));
        // The weights of no values are missing by themselves, but take nothing from the window.
        let counts = counts.array.astype(DType::F64).nan_to_num(0.0, None, None).at(call.span)?;
        let means = around(&sums.array).and_then(|sums| sums.divide(&around(&counts)?)).at(window.span)?;
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
        let weights = self.weights(call, &x)?;
        let of = |x: &Quantity, op: Op, options: FoldOptions| -> Bound<Quantity> {
            let plain = Reduced::plain(op, &asked.dims);
            let reduced = Reduced { options, weights: weights.as_ref(), ..plain };
            let result = reduced.by(x, grouped.clone(), call.span)?;
            match brought_back(&result, x, &self.places, call.span)? {
                Some(back) => Ok(back),
                None => wrong(call.span, "the results of these groups cannot be brought back to where they come from"),
            }
        };
        let options = FoldOptions::default();
        if call.name == "anom" {
            let mean = Val::Array(of(&x, Op::Mean, options)?);
            let less = self.binary("subtract", (expr, Val::Array(x)), (expr, mean), call.span);
            return less.map(|v| Some(v.quantity()));
        }
        let ddof = ddof(call)?;
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

    /// Bins of time along the first dimension that has times, of those that are named where one of them has.
    fn bins_of(&mut self, every: &Expr, call: &Call, x: &Quantity) -> Bound<(usize, By)> {
        let frequency = Frequency::parse(&text(every, "every")?).at(every.span)?;
        let named = call.args.rest.iter().map(|dim| axis(dim, x)).collect::<Bound<Vec<i64>>>()?;
        let (first, others): (Vec<_>, Vec<_>) =
            x.dims().iter().enumerate().partition(|(k, _)| named.contains(&(*k as i64)));
        for (_, dim) in first.into_iter().chain(others) {
            for used in &x.from {
                let dataset = &self.inputs[used.input].dataset;
                let meta = dataset.variable(&used.path).map_err(Failure::Input)?;
                if let Some(time) = dataset.times_of(meta).into_iter().find(|time| time.dims == [dim.as_str()]) {
                    let coordinate = time.path.clone();
                    let options = bin_options(call, time)?;
                    return Ok((used.input, By::Every { coordinate, frequency, options }));
                }
            }
        }
        wrong(call.span, "no dimension has a coordinate of time to be cut into bins")
    }

    /// The groups of the positions that an array still has.
    fn grouping(&self, x: &Quantity, asked: &Asked, span: Span) -> Bound<Grouped> {
        let Some((input, _)) = asked.by.first() else { return wrong(span, "groups by nothing") };
        if asked.by.iter().any(|(other, _)| other != input) {
            return wrong(span, "groups by variables of different inputs");
        }
        let by: Vec<By> = asked.by.iter().map(|(_, by)| by.clone()).collect();
        let variables: Vec<&str> = by.iter().map(By::variable).collect();
        let selected = self.still_there(*input, &variables, x, span)?;
        let grouping = Grouping::of(&selected, &by).at(span)?;
        let taken = x.taken.iter().filter(|(dim, _)| grouping.dims.contains(dim)).cloned().collect();
        let of = x.from.iter().map(|used| used.input).collect();
        Ok(Grouped { input: *input, of, by, grouping: Arc::new(grouping), taken })
    }

    /// An input without the positions of some variables' dimensions that an array does not have any more.
    pub fn still_there(&self, input: usize, variables: &[&str], x: &Quantity, span: Span) -> Bound<Dataset> {
        still_there(&self.places, input, variables, x, span)
    }
}

/// An input without the positions of some variables' dimensions that an array does not have any more, and the others in the
/// order of that array.
pub(super) fn still_there(
    places: &Places,
    input: usize,
    variables: &[&str],
    x: &Quantity,
    span: Span,
) -> Bound<Dataset> {
    let mut dataset = places.datasets[input].clone();
    let mut selection = Selection::new();
    let mut dims: Vec<&String> = Vec::new();
    for variable in variables {
        let meta = places.datasets[input].variable(variable).at(span)?;
        for (dim, n) in meta.dims.iter().zip(meta.shape.iter()).filter(|(dim, _)| x.dims().contains(dim)) {
            let is_cut = x.taken.iter().any(|(d, _)| d == dim);
            if dims.contains(&dim) {
                continue;
            }
            dims.push(dim);
            if let Some(order) = places.whole_order(dim, x, (input, meta))? {
                dataset = dataset.in_order(dim, &order).at(span)?;
            }
            if is_cut {
                let Some(left) = positions(&x.taken, dim, *n) else {
                    return wrong(span, format!("what was done to '{dim}' leaves none of its places known"));
                };
                selection = selection.isel(dim, &listed(&left));
            }
        }
    }
    dataset.select(&selection).at(span)
}

/// What `weights=` of a climatology says of its window, where it does: any other weights are those of values.
fn window_shape(weights: &Expr) -> Option<WindowShape> {
    match &weights.kind {
        ExprKind::Text(name) | ExprKind::Name(name) => match name.as_str() {
            "equal" => Some(WindowShape::Equal),
            "triangle" => Some(WindowShape::Triangle),
            _ => None,
        },
        _ => None,
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

/// How bins of time are told apart, and where they are counted from.
fn bin_options(call: &Call, time: &VarMeta) -> Bound<BinOptions> {
    let side = |name: &'static str| match call.given(name) {
        Some(expr) => Side::named(&text(expr, name)?).at(expr.span).map(Some),
        None => Ok(None),
    };
    let origin = match call.given("origin") {
        Some(expr) => {
            let calendar = Calendar::named(time.attrs.text("calendar")).at(expr.span)?;
            Some(Origin::named(&text(expr, "origin")?, calendar).at(expr.span)?)
        }
        None => None,
    };
    Ok(BinOptions { closed: side("closed")?, label: side("label")?, origin, offset: 0 })
}

/// What one value is to be made of each group.
pub(super) struct Reduced<'a> {
    pub statistic: Statistic,
    pub options: FoldOptions,
    pub weights: Option<&'a Found>,
    /// Dimensions that are reduced too.
    pub dims: &'a [&'a Expr],
}

impl<'a> Reduced<'a> {
    fn plain(op: Op, dims: &'a [&'a Expr]) -> Reduced<'a> {
        Reduced { statistic: op.into(), options: FoldOptions::default(), weights: None, dims }
    }

    /// One value for each group, over the dimensions that are named too.
    pub fn by(&self, x: &Quantity, grouped: Grouped, span: Span) -> Bound<Quantity> {
        let grouping = &grouped.grouping;
        let place = |dim: &String| match x.dims().iter().position(|d| d == dim) {
            Some(at) => Ok(at as i64),
            None => wrong(span, format!("the groups run along '{dim}', which this does not have")),
        };
        let along = grouping.dims.iter().map(place).collect::<Bound<Vec<i64>>>()?;
        let mut also = self.dims.iter().map(|dim| axis(dim, x)).collect::<Bound<Vec<i64>>>()?;
        also.retain(|k| !along.contains(k));
        let groups = grouping.groups.named(grouping.keys.first().map_or("", |key| &key.name));
        let weights = self.weights.map(|found| &found.weights);
        let cells = Cells { axes: &also, groups: Some((&groups, &along)), weights, options: self.options };
        let array = self.statistic.of(&x.array, &cells).at(span)?;
        let leads = array.ndim() + along.len() + also.len() > x.array.ndim() + 1;
        let first = along.iter().min().copied().unwrap_or(0);
        let at = (0..first).filter(|k| !also.contains(k)).count() + usize::from(leads);
        let array = split_keys(array, grouping, at).at(span)?;
        let mut gone = [along, also].concat();
        gone.sort_unstable();
        let gone: Vec<String> = gone.iter().filter_map(|&k| x.dims().get(k as usize).cloned()).collect();
        let mut out = x.with(array, Kept::Nothing);
        out.attrs = attributes::kept(Kept::All, &[&x.attrs]);
        let named: Vec<String> = gone.iter().map(|dim| grouping.method_name(dim).to_string()).collect();
        described(&mut out.attrs, &self.statistic, &named, repeated(Some(grouping)), self.weights);
        out.attrs.remove("cell_measures");
        out.taken.retain(|(dim, _)| !gone.contains(dim));
        for key in &grouping.keys {
            out.taken.extend(grouped.of_whole(&key.name).into_iter().map(|taken| (key.name.clone(), taken)));
        }
        out.groups.push(grouped);
        Ok(out)
    }
}
