//! Selection by position, and other shapes of the same values.

use super::{
    along::lane,
    ast::{Expr, ExprKind, Literal},
    attributes::Kept,
    bind::Binder,
    call::{Call, axes, axis},
    value::{At, Bound, Quantity, float, given, integer, integers, text, wrong},
};
use crate::{
    array::{Boundary, Index, LazyArray},
    dataset::Taken,
    error::Result,
};

impl Binder<'_> {
    /// Functions that pick or move elements.
    pub fn shaped(&mut self, call: &Call) -> Bound<Quantity> {
        match call.name {
            "concat" | "stack" => return self.joined(call),
            "compress" => return self.compress(call),
            _ => {}
        }
        let x = self.array(call.required("x")?)?;
        let span = call.span;
        let kept = |array: Result<LazyArray>| Ok(x.with(array.at(span)?, Kept::All));
        match call.name {
            "take" => {
                let positions = integers(call.required("indices")?, "indices")?;
                let (x, at) = lane(call, x)?;
                let out = x.with(x.array.take(&positions, at).at(span)?, Kept::All);
                Ok(noted(&x, at, Taken::Positions(positions), out))
            }
            "take_along_axis" => {
                let index = self.array(call.required("indices")?)?;
                let [x, index] = self.places.together([&x, &index])?;
                let at = call.given("axis").map_or(Ok(x.array.ndim() as i64 - 1), |e| axis(e, &x))?;
                let out = x.with(x.array.take_along_axis(&index.array, at).at(span)?, Kept::All);
                Ok(noted(&x, at, Taken::Other, out))
            }
            "broadcast_to" => kept(x.array.broadcast_to(&lengths(call.required("shape")?)?)),
            "expand_dims" => {
                let rank = x.array.ndim() as i64 + 1;
                let at = call.given("axis").map_or(Ok(0), |e| integer(e, "axis"))?;
                kept(x.array.expand_dims(&[if at < 0 { at + rank } else { at }]))
            }
            "flip" => {
                let all = self.axes_or_all(call, &x)?;
                let mut out = x.with(x.array.flip(&all).at(span)?, Kept::All);
                for at in all {
                    out = noted(&x, at, Taken::Part(Index::stepped(.., -1)), out);
                }
                Ok(out)
            }
            "moveaxis" => {
                let from = axes(&[call.required("source")?], &x)?;
                let to = integers(call.required("destination")?, "destination")?;
                kept(x.array.moveaxis(&from, &to))
            }
            "swapaxes" => {
                let (a, b) = (axis(call.required("axis1")?, &x)?, axis(call.required("axis2")?, &x)?);
                let mut order = x.array.all_axes();
                order.swap(a as usize, b as usize);
                kept(x.array.permute_dims(&order))
            }
            "transpose" => {
                let order = axes(&call.args.rest, &x)?;
                if order.is_empty() {
                    Ok(x.with(x.array.transpose(), Kept::All))
                } else {
                    kept(x.array.permute_dims(&order))
                }
            }
            "squeeze" => {
                let mut gone = axes(&call.args.rest, &x)?;
                if gone.is_empty() {
                    gone = x.array.all_axes().into_iter().filter(|&k| x.array.shape()[k as usize] == 1).collect();
                }
                let mut out = x.with(x.array.squeeze(&gone).at(span)?, Kept::All);
                for at in gone {
                    out = noted(&x, at, Taken::Part(Index::At(0)), out);
                }
                Ok(out)
            }
            "ravel" => kept(x.array.ravel()),
            "reshape" => kept(x.array.reshape(&integers(call.required("shape")?, "lengths")?)),
            "rechunk" => self.rechunk(call, &x),
            "repeat" => {
                let Ok(times) = u64::try_from(integer(call.required("repeats")?, "repeats")?) else {
                    return wrong(span, "repeats is not negative");
                };
                let (x, at) = lane(call, x)?;
                let out = x.with(x.array.repeat(times, at).at(span)?, Kept::All);
                Ok(noted(&x, at, Taken::Other, out))
            }
            "roll" => self.roll(call, x),
            "tile" => {
                let times = lengths(call.required("repetitions")?)?;
                let out = x.array.tile(&times).at(span)?;
                Ok(Quantity {
                    taken: x.dims().iter().map(|d| (d.clone(), Taken::Other)).collect(),
                    ..x.with(out, Kept::All)
                })
            }
            "pad" => self.pad(call, &x),
            name => wrong(span, format!("{name} is not available")),
        }
    }

    fn axes_or_all(&mut self, call: &Call, x: &Quantity) -> Bound<Vec<i64>> {
        let some = axes(&call.args.rest, x)?;
        Ok(if some.is_empty() { x.array.all_axes() } else { some })
    }

    fn joined(&mut self, call: &Call) -> Bound<Quantity> {
        let list = call.required("arrays")?;
        let ExprKind::List(items) = &list.kind else {
            return wrong(list.span, "arrays are a list, as [a, b]");
        };
        let mut all = items.iter().map(|e| self.array(e)).collect::<Bound<Vec<_>>>()?;
        let Some(first) = all.first().cloned() else { return wrong(list.span, "a list of no arrays") };
        let along = match call.name {
            "stack" => None,
            _ => Some(call.given("axis").map_or(Ok(0), |e| axis(e, &first))?),
        };
        let joined = along.and_then(|at| first.dims().get(at as usize)).map(String::as_str);
        self.places.put_together(&mut all, joined)?;
        for (item, other) in items.iter().zip(&all).skip(1) {
            self.note_units([&first, other], (item, &format!("'{}' and '{item}'", items[0])));
        }
        let arrays: Vec<LazyArray> = all.iter().map(|q| q.array.clone()).collect();
        let operands: Vec<&Quantity> = all.iter().collect();
        let Some(at) = along else {
            let at = call.given("axis").map_or(Ok(0), |e| integer(e, "axis"))?;
            return Ok(Quantity::of(LazyArray::stack(&arrays, at).at(call.span)?, Kept::All, &operands));
        };
        let out = Quantity::of(LazyArray::concat(&arrays, at).at(call.span)?, Kept::All, &operands);
        Ok(noted(&first, at, Taken::Other, out))
    }

    fn compress(&mut self, call: &Call) -> Bound<Quantity> {
        let mask = call.required("condition")?;
        let truth = |l: &Literal| match l {
            Literal::Bool(b) => Some(*b),
            Literal::Int(n @ (0 | 1)) => Some(*n == 1),
            _ => None,
        };
        let Some(Literal::List(items)) = mask.literal() else {
            return wrong(mask.span, "a mask is a list, as [true, false]; with NaN instead, use where");
        };
        let Some(kept) = items.iter().map(truth).collect::<Option<Vec<bool>>>() else {
            return wrong(mask.span, "a mask holds true and false");
        };
        let x = self.array(call.required("x")?)?;
        let (x, at) = lane(call, x)?;
        let out = x.with(x.array.compress(&kept, at).at(mask.span)?, Kept::All);
        let positions = (0..kept.len()).filter(|&k| kept[k]).map(|k| k as i64).collect();
        Ok(noted(&x, at, Taken::Positions(positions), out))
    }

    fn rechunk(&mut self, call: &Call, x: &Quantity) -> Bound<Quantity> {
        let mut chunk = match call.given("chunks") {
            Some(expr) => {
                let all = lengths(expr)?;
                if all.len() == 1 { vec![all[0]; x.array.ndim()] } else { all }
            }
            None => x.array.chunk().to_vec(),
        };
        for (dim, value) in &call.args.by_dimension {
            let named = Expr { kind: ExprKind::Name(dim.name.clone()), span: dim.span };
            let at = axis(&named, x)? as usize;
            let n = integer(value, "a chunk")?;
            if let Some(slot) = chunk.get_mut(at) {
                *slot = if n == -1 { x.array.shape()[at].max(1) } else { u64::try_from(n).unwrap_or(0) };
            }
        }
        Ok(x.with(x.array.rechunk(&chunk).at(call.span)?, Kept::All))
    }

    fn roll(&mut self, call: &Call, x: Quantity) -> Bound<Quantity> {
        let shifts = integers(call.required("shift")?, "shifts")?;
        let at = match call.given("axis") {
            Some(Expr { kind: ExprKind::List(items), .. }) => axes(&items.iter().collect::<Vec<_>>(), &x)?,
            Some(one) => vec![axis(one, &x)?],
            None if x.array.ndim() == 1 => vec![0],
            None => return wrong(call.span, "roll needs a dimension here, as roll(x, 1, lon)"),
        };
        // As xarray's roll: the values move, the coordinates stay.
        Ok(x.with(x.array.roll(&shifts, &at).at(call.span)?, Kept::All))
    }

    fn pad(&mut self, call: &Call, x: &Quantity) -> Bound<Quantity> {
        let widths = call.required("pad_width")?;
        let pair = match integers(widths, "widths")?.as_slice() {
            [both] => (*both, *both),
            [before, after] => (*before, *after),
            _ => return wrong(widths.span, "a width, or one before and one behind, as [1, 2]"),
        };
        let (Ok(before), Ok(after)) = (u64::try_from(pair.0), u64::try_from(pair.1)) else {
            return wrong(widths.span, "widths are not negative");
        };
        let boundary = match call.given("mode") {
            None => None,
            Some(mode) => match text(mode, "mode")?.as_str() {
                "constant" => None,
                "edge" => Some(Boundary::Nearest),
                "wrap" => Some(Boundary::Periodic),
                "reflect" => Some(Boundary::Reflect),
                _ => return wrong(mode.span, "mode is 'constant', 'edge', 'wrap' or 'reflect'"),
            },
        };
        let fill = call.given("constant_values").map_or(Ok(0.0), |e| float(e, "the value"))?;
        let along = match given(call.args.get("axis")) {
            Some(expr) => vec![axis(expr, x)?],
            None => x.array.all_axes(),
        };
        let each = (0..x.array.ndim() as i64).map(|k| if along.contains(&k) { (before, after) } else { (0, 0) });
        let each: Vec<(u64, u64)> = each.collect();
        let padded = x.array.pad(&each, boundary.unwrap_or(Boundary::Constant(fill)));
        let mut out = x.with(padded.at(call.span)?, Kept::All);
        for at in along {
            out = noted(x, at, Taken::Other, out);
        }
        Ok(out)
    }
}

/// Lengths that stand in the text.
pub(super) fn lengths(expr: &Expr) -> Bound<Vec<u64>> {
    let all = integers(expr, "lengths")?;
    let natural = |n: i64| u64::try_from(n).map_or_else(|_| wrong(expr.span, "lengths are not negative"), Ok);
    all.into_iter().map(natural).collect()
}

/// The same with what was taken of a dimension, for its coordinates.
pub(super) fn noted(x: &Quantity, axis: i64, taken: Taken, mut out: Quantity) -> Quantity {
    if let Some(dim) = x.dims().get(axis as usize) {
        out.taken.push((dim.clone(), taken));
    }
    out
}
