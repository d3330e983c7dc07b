//! `t[time=0:10:2, lat=::-1]`: parts of an array by position.

use super::{
    ast::{Expr, ExprKind, IndexItem, IndexKind, Literal, Span},
    attributes::Kept,
    call::axis,
    shaped::noted,
    value::{At, Bound, Quantity, Val, integer, integers, wrong},
};
use crate::{array::Index, dataset::Taken};

/// What is taken along one dimension.
enum Part {
    Index(Index),
    Positions(Vec<i64>),
}

/// Part of an array. Items with a dimension's name stand for it, the others for the dimensions in order.
pub(super) fn subscript(x: &Quantity, items: &[IndexItem], span: Span) -> Bound<Val> {
    let rank = x.array.ndim();
    let mut parts: Vec<Option<Part>> = (0..rank).map(|_| None).collect();
    let positional = items.iter().filter(|i| i.dim.is_none()).count();
    let ellipsis = items.iter().position(|i| matches!(i.kind, IndexKind::Ellipsis));
    let mut next = 0;
    for (k, item) in items.iter().enumerate() {
        let at = match &item.dim {
            Some(dim) => {
                let named = Expr { kind: ExprKind::Name(dim.name.clone()), span: dim.span };
                axis(&named, x)? as usize
            }
            None if Some(k) == ellipsis => {
                // It stands for as many as the others leave.
                next += (rank + 1).saturating_sub(positional);
                continue;
            }
            None if matches!(item.kind, IndexKind::Ellipsis) => return wrong(item.span, "there is one '...' already"),
            None => {
                next += 1;
                next - 1
            }
        };
        match parts.get_mut(at) {
            None => return wrong(item.span, format!("there are {rank} dimensions only")),
            Some(Some(_)) => return wrong(item.span, "this dimension is taken already"),
            Some(slot) => *slot = Some(part(item)?),
        }
    }
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
            _ => wrong(item.span, "positions are whole numbers, slices, or lists of whole numbers"),
        },
        IndexKind::Ellipsis => Ok(Part::Index(Index::ALL)),
    }
}
