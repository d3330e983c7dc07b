//! `t[time=0:10:2, lat=::-1]`, `t[time.month == 7]`: parts of an array by position, or by what coordinates are.

use super::{
    ast::{Expr, ExprKind, IndexItem, IndexKind, Literal, Span},
    attributes::Kept,
    bind::Binder,
    call::axis,
    diagnostic::Diagnostic,
    known::positions,
    shaped::noted,
    value::{At, Bound, Quantity, Val, integer, integers, wrong},
};
use crate::{array::Index, dataset::Taken, dtype::DType};

/// What is taken along one dimension.
enum Part {
    Index(Index),
    Positions(Vec<i64>),
}

impl Binder<'_> {
    /// Part of an array. Items with a dimension's name stand for it, and masks for the one that they lie along; the others
    /// for the dimensions in order.
    pub fn subscript(&mut self, x: &Quantity, items: &[IndexItem], span: Span) -> Bound<Val> {
        let rank = x.array.ndim();
        let mut parts: Vec<Option<Part>> = (0..rank).map(|_| None).collect();
        let masks = items.iter().map(|item| self.mask(item)).collect::<Bound<Vec<Option<Quantity>>>>()?;
        let by_place = |(item, mask): &(&IndexItem, &Option<Quantity>)| {
            item.dim.is_none() && mask.as_ref().is_none_or(|m| m.dims().is_empty())
        };
        let positional = items.iter().zip(&masks).filter(by_place).count();
        let ellipsis = items.iter().position(|i| matches!(i.kind, IndexKind::Ellipsis));
        let mut next = 0;
        for (k, (item, mask)) in items.iter().zip(&masks).enumerate() {
            let at = match (&item.dim, mask.as_ref().and_then(|m| m.dims().first())) {
                (Some(dim), _) => {
                    let named = Expr { kind: ExprKind::Name(dim.name.clone()), span: dim.span };
                    axis(&named, x)? as usize
                }
                (None, Some(dim)) => axis(&Expr { kind: ExprKind::Name(dim.clone()), span: item.span }, x)? as usize,
                (None, None) if Some(k) == ellipsis => {
                    // It stands for as many as the others leave.
                    next += (rank + 1).saturating_sub(positional);
                    continue;
                }
                (None, None) if matches!(item.kind, IndexKind::Ellipsis) => {
                    return wrong(item.span, "there is one '...' already");
                }
                (None, None) => {
                    next += 1;
                    next - 1
                }
            };
            match parts.get_mut(at) {
                None => return wrong(item.span, format!("there are {rank} dimensions only")),
                Some(Some(_)) => return wrong(item.span, "this dimension is taken already"),
                Some(slot) => {
                    *slot = Some(match mask {
                        Some(mask) => Part::Positions(self.kept(x, at, mask, item.span)?),
                        None => part(item)?,
                    })
                }
            }
        }
        taken(x, parts, span)
    }

    /// The mask that an item is; `None` where it says positions.
    fn mask(&mut self, item: &IndexItem) -> Bound<Option<Quantity>> {
        match &item.kind {
            IndexKind::Value(value) if value.literal().is_none() => self.array(value).map(Some),
            _ => Ok(None),
        }
    }

    /// The positions along an axis where a mask is true.
    fn kept(&self, x: &Quantity, axis: usize, mask: &Quantity, span: Span) -> Bound<Vec<i64>> {
        let is_mask = mask.array.ndim() == 1 && mask.array.dtype() == DType::Bool;
        let known = if is_mask { self.known(&mask.array)? } else { None };
        let Some(known) = known else {
            let message = "what stands here is a position, a slice, a list, or a mask along one dimension that is made of \
                           coordinates, as time.month == 7";
            return Err(Diagnostic::new(span, message).with_help("with data, use where(mask, x, nan)").into());
        };
        let (truths, n) = (known.numbers(), x.array.shape()[axis]);
        let left = self.masked(x, x.dims().get(axis), n, mask, truths.len() as u64)?;
        let Some(left) = left.filter(|left| left.len() as u64 == n) else {
            let lengths = format!("a mask of {} positions for a dimension of {n}", truths.len());
            return wrong(span, format!("{lengths}: they are not the same ones"));
        };
        let holds = |at: u64| truths.get(at as usize).is_some_and(|t| *t != 0.0);
        let kept: Vec<i64> = (0..left.len()).filter(|&k| holds(left[k])).map(|k| k as i64).collect();
        if kept.is_empty() {
            return wrong(span, "nothing is selected: the mask is false everywhere");
        }
        Ok(kept)
    }

    /// For each of `n` positions of a dimension, that of a mask of `m` which is for it; `None` where that cannot be said.
    fn masked(&self, x: &Quantity, dim: Option<&String>, n: u64, mask: &Quantity, m: u64) -> Bound<Option<Vec<u64>>> {
        let of_dim = |q: &Quantity| q.taken.iter().filter(|(d, _)| Some(d) == dim).cloned().collect::<Vec<_>>();
        let (here, there) = (of_dim(x), of_dim(mask));
        let Some(dim) = dim else { return Ok((here == there).then(|| (0..m).collect())) };
        let of_other = match (self.places.named(x, dim)?, self.places.named(mask, dim)?) {
            (Some(own), Some(other)) => (!own.is(&other)).then_some((own, other)),
            _ => None,
        };
        // A mask of a whole dimension is good for what was taken of it, in whatever order.
        let is_whole = there.is_empty();
        match of_other {
            // That of another coordinate is in the order of its labels.
            Some((own, other)) if m == n || is_whole => {
                let (own, left) = match m == n {
                    true => (own, Some((0..n).collect())),
                    false => (own.whole(), positions(&here, dim, m)),
                };
                let order = self.places.order(dim, &own, &other)?;
                let place = |at: &u64| order.as_ref().map_or(Some(*at), |o| o.positions.get(*at as usize).copied());
                Ok(left.and_then(|left: Vec<u64>| left.iter().map(place).collect()))
            }
            _ if here == there => Ok(Some((0..m).collect())),
            _ if is_whole => Ok(positions(&here, dim, m)),
            _ => Ok(None),
        }
    }
}

fn taken(x: &Quantity, parts: Vec<Option<Part>>, span: Span) -> Bound<Val> {
    let mut out = x.clone();
    // From the last on, so that the positions of those before stay.
    for (k, part) in parts.into_iter().enumerate().rev() {
        let at = k as i64;
        match part {
            Some(Part::Index(index)) => {
                let array = out.array.get_along(at, index.clone()).at(span)?;
                let is_all = index == Index::ALL;
                out = out.with_same(array);
                if !is_all {
                    out = noted(x, at, Taken::Part(index), out);
                }
            }
            Some(Part::Positions(positions)) => {
                let array = out.array.take(&positions, at).at(span)?;
                out = noted(x, at, Taken::Positions(positions), out.with_same(array));
            }
            None => {}
        }
    }
    Ok(Val::Array(out))
}

impl Quantity {
    fn with_same(&self, array: crate::array::LazyArray) -> Quantity {
        self.with(array, Kept::All)
    }
}

fn part(item: &IndexItem) -> Bound<Part> {
    let end = |e: &Option<Expr>| match e {
        Some(e) if e.literal() != Some(Literal::None) => integer(e, "the end of a slice").map(Some),
        _ => Ok(None),
    };
    match &item.kind {
        IndexKind::Slice { start, stop, step } => {
            let step = end(step)?.unwrap_or(1);
            if step == 0 {
                return wrong(item.span, "a slice with step 0");
            }
            Ok(Part::Index(Index::Slice { start: end(start)?, stop: end(stop)?, step }))
        }
        IndexKind::Value(value) => match value.literal() {
            Some(Literal::Int(_)) => Ok(Part::Index(Index::At(integer(value, "a position")?))),
            Some(Literal::List(_)) => Ok(Part::Positions(integers(value, "positions")?)),
            Some(Literal::None) => wrong(item.span, "a new dimension is made with expand_dims"),
            Some(Literal::Text(_)) => {
                wrong(item.span, "a position is no text; compare labels, as x[time == \"1991-07\"]")
            }
            _ => wrong(item.span, "positions are whole numbers, slices, or lists of whole numbers"),
        },
        IndexKind::Ellipsis => Ok(Part::Index(Index::ALL)),
    }
}
