//! Results of groups where they meet the values again: at the positions that they are of.

use super::{
    ast::Span,
    groups::{Grouped, still_there},
    known::positions,
    meeting::Places,
    value::{At, Bound, Quantity, Val, wrong},
};
use crate::{
    array::{Groups, LazyArray},
    dataset::{By, Grouping, Taken, grouping::Key},
    error::Result,
};
use std::sync::Arc;

/// Both in the order of the first, the results of groups at the positions that they are of where the other has these.
pub(super) fn together(x: Val, y: Val, places: &Places, span: Span) -> Bound<(Val, Val)> {
    let (Val::Array(p), Val::Array(q)) = (&x, &y) else { return Ok((x, y)) };
    let [p, q] = places.together([p, q])?;
    if let Some(back) = brought_back(&p, &q, places, span)? {
        return Ok((Val::Array(back), Val::Array(q)));
    }
    if let Some(back) = brought_back(&q, &p, places, span)? {
        return Ok((Val::Array(p), Val::Array(back)));
    }
    Ok((Val::Array(p), Val::Array(q)))
}

/// Results of groups at the positions that another array still has; `None` where they do not belong together so.
pub(super) fn brought_back(of: &Quantity, beside: &Quantity, places: &Places, span: Span) -> Bound<Option<Quantity>> {
    for grouped in &of.groups {
        let grouping = &grouped.grouping;
        let is_grouped_too = beside.groups.iter().any(|other| Arc::ptr_eq(&other.grouping, grouping));
        let (Some(keys), false) = (whole_keys(of, grouped), is_grouped_too) else { continue };
        let there = match apart(grouped, beside, places) {
            Some(input) => groups_of(grouped, (places, input), beside, span)?,
            None => groups_left(grouped, beside, span)?.map(|groups| (grouping.dims.clone(), groups)),
        };
        let Some((dims, groups)) = there else { continue };
        let array = spread(of, (&keys, &groups), &dims, beside).at(span)?;
        let mut out = Quantity { array, ..of.clone() };
        out.taken.retain(|(dim, _)| grouping.keys.iter().all(|key| key.name != *dim));
        let now = beside.taken.iter().filter(|(dim, _)| dims.contains(dim));
        out.taken.extend(now.cloned());
        // The positions are those of the other, and so are their coordinates.
        let has_all = out.dims().iter().all(|dim| beside.dims().contains(dim));
        let more = of.from.iter().filter(|used| !has_all && !beside.from.contains(used));
        out.from = beside.from.iter().chain(more).cloned().collect();
        out.groups.retain(|other| !Arc::ptr_eq(&other.grouping, grouping));
        return Ok(Some(out));
    }
    Ok(None)
}

/// The input whose groups by the same are those of another array, where its positions are not those that the groups were
/// made of: another period, or another file, whose own groups come first.
fn apart(grouped: &Grouped, beside: &Quantity, places: &Places) -> Option<usize> {
    let inputs = || beside.from.iter().map(|used| used.input);
    if inputs().any(|input| grouped.of.contains(&input)) {
        let is_part = |dim: &String| {
            let before: Vec<&Taken> = grouped.taken.iter().filter(|(d, _)| d == dim).map(|(_, taken)| taken).collect();
            !before.is_empty() && before.into_iter().ne(&taken_of(beside, dim))
        };
        return grouped.grouping.dims.iter().any(is_part).then_some(grouped.input);
    }
    let has = |input: &usize| grouped.by.iter().all(|by| places.datasets[*input].variable(by.variable()).is_ok());
    inputs().find(has).or(Some(grouped.input))
}

/// The groups, by the same in an input, of the positions that an array has, and the dimensions that they run along; `None`
/// where it has none of these. What has another label than all groups is in none of them.
fn groups_of(
    grouped: &Grouped,
    (places, input): (&Places, usize),
    beside: &Quantity,
    span: Span,
) -> Bound<Option<(Vec<String>, Groups)>> {
    let (dataset, own) = (&places.datasets[input], &grouped.grouping);
    let variables: Vec<&str> = grouped.by.iter().map(By::variable).collect();
    for name in &variables {
        if !dataset.variable(name).at(span)?.dims.first().is_some_and(|dim| beside.dims().contains(dim)) {
            return Ok(None);
        }
    }
    let there = Grouping::of(&still_there(places, input, &variables, beside, span)?, &grouped.by).at(span)?;
    if !there.dims.iter().all(|dim| beside.dims().contains(dim)) {
        return Ok(None);
    }
    let length = |dim: &String| beside.dims().iter().position(|d| d == dim).map(|k| beside.array.shape()[k]);
    if let Some((dim, _)) = there.dims.iter().zip(&there.lengths).find(|(dim, n)| length(dim) != Some(**n)) {
        return wrong(span, format!("the groups are not of the same positions along '{dim}'"));
    }
    // The place of each label among one's own, for each thing that is grouped by.
    let places: Vec<Vec<Option<usize>>> =
        there.keys.iter().zip(&own.keys).map(|(a, b)| a.labels.places_in(&b.labels)).collect();
    let group = |of: u32| -> Option<u32> {
        let (mut rest, mut out, mut step) = (of as usize, 0, 1);
        for (places, key) in places.iter().zip(&own.keys).rev() {
            out += places[rest % places.len()]? * step;
            rest /= places.len();
            step *= key.labels.len();
        }
        u32::try_from(out).ok()
    };
    let all = there.groups.labels().iter();
    let labels = all.map(|&of| if of == Groups::NONE { of } else { group(of).unwrap_or(Groups::NONE) }).collect();
    let groups = Groups::new(labels, own.groups.count()).at(span)?;
    Ok(Some((there.dims, groups)))
}

/// The axes of groups, where all of the groups are there.
fn whole_keys(of: &Quantity, grouped: &Grouped) -> Option<Vec<usize>> {
    let axis = |key: &Key| {
        let at = of.dims().iter().position(|d| *d == key.name)?;
        let is_whole =
            of.array.shape()[at] == key.labels.len() as u64 && taken_of(of, &key.name) == grouped.of_whole(&key.name);
        is_whole.then_some(at)
    };
    grouped.grouping.keys.iter().map(axis).collect()
}

fn taken_of(q: &Quantity, dim: &str) -> Vec<Taken> {
    q.taken.iter().filter(|(d, _)| d == dim).map(|(_, t)| t.clone()).collect()
}

/// The groups of the positions that an array still has; `None` where it has none of their dimensions any more.
fn groups_left(grouped: &Grouped, beside: &Quantity, span: Span) -> Bound<Option<Groups>> {
    let grouping = &grouped.grouping;
    let mut lefts = Vec::new();
    for (dim, &n) in grouping.dims.iter().zip(&grouping.lengths) {
        let Some(there) = beside.dims().iter().position(|d| d == dim) else { return Ok(None) };
        let before: Vec<Taken> = grouped.taken.iter().filter(|(d, _)| d == dim).map(|(_, t)| t.clone()).collect();
        let left = match (before == taken_of(beside, dim), before.is_empty()) {
            (true, _) => Some((0..n).collect()),
            (false, true) => positions(&beside.taken, dim, n),
            (false, false) => None,
        };
        let Some(left) = left.filter(|left: &Vec<u64>| left.len() as u64 == beside.array.shape()[there]) else {
            return wrong(span, format!("the groups are not of the same positions along '{dim}'"));
        };
        lefts.push((n, left));
    }
    // Labels may be many; where all are there, they are not copied.
    if lefts.iter().all(|(n, left)| left.iter().copied().eq(0..*n)) {
        return Ok(Some(grouping.groups.clone()));
    }
    let picked = lefts.iter().fold(vec![0], |picked: Vec<u64>, (n, left)| {
        picked.iter().flat_map(|first| left.iter().map(move |at| first * n + at)).collect()
    });
    let labels = grouping.groups.labels();
    let labels = picked.iter().filter_map(|&at| labels.get(at as usize).copied()).collect();
    Groups::new(labels, grouping.groups.count()).at(span).map(Some)
}

/// The value of each position's group, along the dimensions of the positions instead of those of the keys.
fn spread(of: &Quantity, (keys, groups): (&[usize], &Groups), over: &[String], beside: &Quantity) -> Result<LazyArray> {
    let first = keys.iter().copied().min().unwrap_or(0);
    if let ([axis], [dim]) = (keys, over) {
        return of.array.spread(groups, *axis as i64, dim);
    }
    // The keys side by side, and as one.
    let others: Vec<usize> = (0..of.array.ndim()).filter(|k| !keys.contains(k)).collect();
    let place = others.iter().filter(|&&k| k < first).count();
    let (before, after) = others.split_at(place);
    let order: Vec<i64> = before.iter().chain(keys).chain(after).map(|&k| k as i64).collect();
    let length = |k: &usize| of.array.shape()[*k] as i64;
    let around = |middle: Vec<i64>| -> Vec<i64> {
        before.iter().map(length).chain(middle).chain(after.iter().map(length)).collect()
    };
    let flat = of.array.without_dims().permute_dims(&order)?.reshape(&around(vec![i64::from(groups.count())]))?;
    let there = |dim: &String| beside.dims().iter().position(|d| d == dim);
    let lengths = over.iter().filter_map(there).map(|k| beside.array.shape()[k] as i64).collect();
    let out = flat.spread(groups, place as i64, "")?.reshape(&around(lengths))?;
    let name = |k: &usize| of.dims()[*k].as_str();
    let names: Vec<&str> =
        before.iter().map(name).chain(over.iter().map(String::as_str)).chain(after.iter().map(name)).collect();
    out.with_dims(&names)
}
