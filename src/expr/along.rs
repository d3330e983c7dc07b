//! Functions along a dimension: running sums, differences, order, search.

use super::{
    ast::{Expr, Literal},
    attributes::Kept,
    bind::Binder,
    call::{Call, axis, dtype},
    statistics::ddof,
    value::{At, Bound, Quantity, integer, numbers, text, wrong},
};
use crate::{
    array::{Anchor, LazyArray, Rolling},
    dataset::{Taken, windowed},
    kernels::{
        elementwise::Lookup,
        fold::{FoldOptions, Op},
        lanes::{LaneOp, Order},
    },
};

impl Binder<'_> {
    /// Cumulative functions, and those of order.
    pub fn along(&mut self, call: &Call) -> Bound<Quantity> {
        match call.name {
            "searchsorted" => return self.searchsorted(call),
            "histogram" => return self.histogram(call),
            _ => {}
        }
        let mut x = self.array(call.required("x")?)?;
        match call.name {
            "cumulative_sum" | "cumulative_prod" => {
                if let Some(wanted) = call.given("dtype") {
                    x.array = x.array.astype(dtype(wanted)?);
                }
                if call.flag("include_initial", false)? {
                    return wrong(call.span, "include_initial is not available");
                }
                let op = match (call.name, call.written.starts_with("nan")) {
                    ("cumulative_sum", false) => LaneOp::CumSum,
                    ("cumulative_sum", true) => LaneOp::NanCumSum,
                    (_, false) => LaneOp::CumProd,
                    (_, true) => LaneOp::NanCumProd,
                };
                let kept = if call.name == "cumulative_sum" { Kept::Units } else { Kept::Links };
                let (x, at) = lane(call, x)?;
                Ok(x.with(x.array.lanes(op, at).at(call.span)?, kept))
            }
            "diff" => self.diff(call, &x),
            "rolling" => self.rolling(call, &x),
            "sort" | "argsort" => {
                let at = self.last_axis(call, &x)?;
                let order = if call.flag("descending", false)? { Order::Descending } else { Order::Ascending };
                let (op, kept) = match call.name {
                    "sort" => (LaneOp::Sort { order }, Kept::All),
                    _ => (LaneOp::ArgSort { order }, Kept::Links),
                };
                Ok(unordered(&x, at, x.with(x.array.lanes(op, at).at(call.span)?, kept)))
            }
            "rank" => {
                let at = self.last_axis(call, &x)?;
                Ok(x.with(x.array.rank(at).at(call.span)?, Kept::Links))
            }
            "topk" => {
                let at = self.last_axis(call, &x)?;
                let k = integer(call.required("k")?, "k")?;
                let order = if k < 0 { Order::Ascending } else { Order::Descending };
                let op = LaneOp::TopK { k: k.unsigned_abs(), order };
                Ok(unordered(&x, at, x.with(x.array.lanes(op, at).at(call.span)?, Kept::All)))
            }
            name => wrong(call.span, format!("{name} is not available")),
        }
    }

    /// The dimension of an argument `axis`, the last one without it.
    fn last_axis(&mut self, call: &Call, x: &Quantity) -> Bound<i64> {
        match call.given("axis") {
            Some(expr) => axis(expr, x),
            None if x.array.ndim() == 0 => wrong(call.span, "this has no dimensions"),
            None => Ok(x.array.ndim() as i64 - 1),
        }
    }

    fn diff(&mut self, call: &Call, x: &Quantity) -> Bound<Quantity> {
        let at = self.last_axis(call, x)?;
        let n = call.given("n").map_or(Ok(1), |e| integer(e, "n"))?;
        let Ok(n) = u64::try_from(n) else { return wrong(call.span, "n is not negative") };
        let mut out = x.with(x.array.diff(n, at).at(call.span)?, Kept::Units);
        if n > 0 {
            crate::cf::measure::difference(&mut out.attrs);
        }
        // As xarray labels differences: by the upper ones.
        if let (Some(dim), true) = (x.dims().get(at as usize), n > 0) {
            let from = Taken::Part(crate::array::Index::stepped(n as i64.., 1));
            out.taken.push((dim.clone(), from));
        }
        Ok(out)
    }

    /// A reduction of windows; those of fewer values than `min_count` are missing, and without it, those not full.
    fn rolling(&mut self, call: &Call, x: &Quantity) -> Bound<Quantity> {
        let at = axis(call.required("axis")?, x)?;
        let positive = |expr: &Expr, what: &str, least: i64| match u64::try_from(integer(expr, what)?) {
            Ok(n) if n >= least as u64 => Ok(n),
            _ => wrong(expr.span, format!("{what} is {least} or more")),
        };
        let length = positive(call.required("window")?, "window", 1)?;
        let op = match call.given("op") {
            None => Op::Mean,
            Some(expr) => Op::from_name(&text(expr, "op")?).at(expr.span)?,
        };
        let min_count = call.given("min_count").map_or(Ok(length), |e| positive(e, "min_count", 0))?;
        let ddof = ddof(call)?;
        let anchor = if call.flag("center", false)? { Anchor::Center } else { Anchor::Last };
        let (window, options) = (Rolling { length, anchor }, FoldOptions { ddof, keep_missing: false, min_count });
        let weights = self.weights(call, x)?;
        let array = match &weights {
            Some(found) => x.array.rolling_by(at as usize, window, op, &found.weights, options),
            None => x.array.rolling(at as usize, window, op, options),
        };
        let mut out = x.with(array.at(call.span)?, Kept::All);
        let dims: Vec<String> = x.dims().get(at as usize).cloned().into_iter().collect();
        windowed(&mut out.attrs, op, &dims, window, weights.as_ref());
        Ok(out)
    }

    fn searchsorted(&mut self, call: &Call) -> Bound<Quantity> {
        let row = call.required("x")?;
        let sorted = numbers(row, "the sorted values")?;
        if let Some(sorter) = call.given("sorter") {
            return wrong(sorter.span, "a sorter is not available; give sorted values");
        }
        let side = match call.given("side") {
            None => Lookup::SearchLeft,
            Some(expr) => match text(expr, "side")?.as_str() {
                "left" => Lookup::SearchLeft,
                "right" => Lookup::SearchRight,
                _ => return wrong(expr.span, "side is 'left' or 'right'"),
            },
        };
        let values = self.array(call.required("values")?)?;
        Ok(values.with(values.array.searchsorted(&sorted, side).at(row.span)?, Kept::Links))
    }

    /// Counts between given edges, as NumPy's: each bin holds its lower edge, the last one its upper edge too.
    fn histogram(&mut self, call: &Call) -> Bound<Quantity> {
        for name in ["weights", "density"] {
            if let Some(expr) = call.given(name).filter(|e| e.literal() != Some(Literal::Bool(false))) {
                return wrong(expr.span, format!("{name} is not available"));
            }
        }
        let x = self.array(call.required("x")?)?;
        let bins = call.required("bins")?;
        let edges: Vec<f64> = numbers(bins, "the edges of bins")?.iter().map(|n| n.to_f64()).collect();
        if edges.len() < 2 || edges.windows(2).any(|w| w[0] >= w[1]) {
            return wrong(bins.span, "the edges of bins ascend, as [0, 10, 20]");
        }
        if edges.len() > 257 {
            return wrong(bins.span, "at most 256 bins");
        }
        let counts = || -> crate::error::Result<LazyArray> {
            let axes = x.array.all_axes();
            let last = edges.len() - 2;
            let one = |k: usize| -> crate::error::Result<LazyArray> {
                use crate::kernels::elementwise::Binary::{GreaterEqual, Less, LessEqual};
                let upper = if k == last { LessEqual } else { Less };
                let above = x.array.binary_scalar(GreaterEqual, edges[k])?;
                above.logical_and(&x.array.binary_scalar(upper, edges[k + 1])?)?.count_nonzero(&axes)
            };
            let all = (0..=last).map(one).collect::<crate::error::Result<Vec<_>>>()?;
            LazyArray::stack(&all, 0)?.with_dims(&["bin"])
        };
        Ok(Quantity { from: Vec::new(), taken: Vec::new(), ..x.with(counts().at(call.span)?, Kept::Nothing) })
    }
}

/// A sort leaves no place where it was.
fn unordered(x: &Quantity, axis: i64, mut out: Quantity) -> Quantity {
    if let Some(dim) = x.dims().get(axis as usize) {
        out.taken.push((dim.clone(), Taken::Other));
    }
    out
}

/// An array and the dimension of it that is named, all in one row where none is.
pub(super) fn lane(call: &Call, x: Quantity) -> Bound<(Quantity, i64)> {
    match call.given("axis") {
        Some(expr) => axis(expr, &x).map(|at| (x, at)),
        None if x.array.ndim() == 1 => Ok((x, 0)),
        None => {
            let flat = x.array.ravel().at(call.span)?;
            Ok((x.with(flat, Kept::Units), 0))
        }
    }
}
