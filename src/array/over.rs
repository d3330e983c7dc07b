//! Which values become one: [`Over`], for what is made of several reductions.

use super::{Folding, Groups, LazyArray};
use crate::{error::Result, kernels::fold::FoldOptions, shape::Shape};

/// Which values become one: all along some axes, or those of each group.
pub(super) struct Over {
    /// All axes that go, ascending.
    pub reduced: Vec<usize>,
    groups: Option<Parted>,
}

/// Groups, and the axes that they run along.
struct Parted {
    groups: Groups,
    /// Ascending.
    along: Vec<usize>,
}

impl Over {
    /// All values along axes of an array.
    pub fn axes(of: &LazyArray, axes: &[i64]) -> Result<Over> {
        let mut reduced = of.axes(axes)?;
        reduced.sort_unstable();
        Ok(Over { reduced, groups: None })
    }

    /// Those of each of the groups of positions along axes of an array, and all along the axes `also`.
    pub fn groups(of: &LazyArray, axes: &[i64], groups: &Groups, also: &[i64]) -> Result<Over> {
        let mut along = of.axes(axes)?;
        let groups = groups.ascending(&along, of.shape())?;
        along.sort_unstable();
        let reduced = Over::axes(of, &[axes, also].concat())?.reduced;
        Ok(Over { reduced, groups: Some(Parted { groups, along }) })
    }

    /// A fold of an array, in one pass.
    pub fn fold(&self, x: &LazyArray, fold: Folding) -> Result<LazyArray> {
        match (&self.groups, fold) {
            (Some(parted), fold) => {
                x.grouped_by(fold, &signed(&parted.along), &parted.groups, &signed(&self.beside(parted)))
            }
            (None, Folding::Op { op, options }) => x.reduce(op, &signed(&self.reduced), options),
            (None, Folding::Own(reducer)) => x.reduction(reducer, &signed(&self.reduced)),
        }
    }

    /// The axes that go and have no groups.
    fn beside(&self, parted: &Parted) -> Vec<usize> {
        self.reduced.iter().copied().filter(|k| !parted.along.contains(k)).collect()
    }

    /// The axes that stay, and how many of them come before the groups.
    fn kept(&self, rank: usize) -> (Vec<usize>, usize) {
        let kept: Vec<usize> = (0..rank).filter(|k| !self.reduced.contains(k)).collect();
        let first = self.groups.as_ref().and_then(|parted| parted.along.first().copied());
        let place = kept.iter().filter(|&&k| first.is_some_and(|first| k < first)).count();
        (kept, place)
    }

    /// A result as it broadcasts against what it is of, which has this shape: each value at all that it was made of.
    pub fn back(&self, result: &LazyArray, shape: &Shape) -> Result<LazyArray> {
        let Some(parted) = &self.groups else { return result.expand_dims(&signed(&self.reduced)) };
        let (kept, place) = self.kept(shape.len());
        let (before, after) = kept.split_at(place);
        let now: Vec<usize> = before.iter().chain(&parted.along).chain(after).copied().collect();
        let lengths: Vec<i64> = now.iter().map(|&k| shape[k] as i64).collect();
        let mut order: Vec<usize> = (0..now.len()).collect();
        order.sort_by_key(|&n| now[n]);
        let spread = result.spread(&parted.groups, place as i64, "")?.reshape(&lengths)?;
        spread.permute_dims(&signed(&order))?.expand_dims(&signed(&self.beside(parted)))
    }

    /// How many values there must be for a result, as it broadcasts against results; `None` where any number will do.
    pub fn least(&self, shape: &Shape, options: FoldOptions) -> Result<Option<LazyArray>> {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let all = |axes: &[usize]| axes.iter().map(|&k| shape[k]).collect::<Shape>().elements();
        match &self.groups {
            Some(parted) if options.keep_missing => {
                let beside = all(&self.beside(parted))?;
                let of_group = |n: u64| number(n.saturating_mul(beside).max(options.min_count));
                let least: Vec<i64> = parted.groups.sizes().into_iter().map(of_group).collect();
                let (kept, place) = self.kept(shape.len());
                let mut lengths = vec![1; kept.len() - place + 1];
                lengths[0] = least.len() as u64;
                Ok(Some(LazyArray::from_slice(&least, &lengths, &*vec![1; lengths.len()])?))
            }
            _ => {
                let all = if options.keep_missing { all(&self.reduced)? } else { 0 };
                let least = number(all.max(options.min_count));
                Ok((least > 0).then(|| LazyArray::scalar(least)))
            }
        }
    }

    /// The names of a result's axes.
    pub fn names<'n>(&'n self, names: &'n [String]) -> Vec<&'n str> {
        let (kept, place) = self.kept(names.len());
        let mut out: Vec<&str> = kept.iter().map(|&k| names[k].as_str()).collect();
        if let Some(parted) = &self.groups {
            out.insert(place, parted.groups.dim());
        }
        out
    }
}

fn signed(axes: &[usize]) -> Vec<i64> {
    axes.iter().map(|&k| k as i64).collect()
}
