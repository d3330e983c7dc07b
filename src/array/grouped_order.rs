//! Statistics of groups that need the order of their values: the lanes of each group are picked, and stand in a row.

use super::{AxisWeights, Groups, LazyArray};
use crate::{
    error::Result,
    kernels::{fold::FoldOptions, lanes::OrderStatistic},
};

/// An array whose groups run along one axis.
struct Flat {
    array: LazyArray,
    /// The axis of each axis of before.
    axes: Vec<usize>,
    /// The groups', and the other axes that are reduced.
    reduced: Vec<i64>,
    along: usize,
    /// How many axes stay in front of the groups'.
    place: usize,
    groups: Groups,
}

impl LazyArray {
    /// As [`order_statistic`](LazyArray::order_statistic) for each of the `groups` of positions along `axes`, with the axes
    /// `also` reduced too.
    ///
    /// *Shape*: as that of [`grouped_by`](LazyArray::grouped_by), behind the dimension that several quantiles make.
    ///
    /// *Missing*: the mode of integers is a float where a group is empty, as a maximum is.
    ///
    /// # Errors
    /// As those of [`order_statistic`](LazyArray::order_statistic) and [`grouped_by`](LazyArray::grouped_by).
    pub fn grouped_order(
        &self,
        statistic: OrderStatistic,
        axes: &[i64],
        groups: &Groups,
        also: &[i64],
        options: FoldOptions,
    ) -> Result<LazyArray> {
        if let Some(wider) = self.for_mode(&statistic, groups)? {
            return wider.grouped_order(statistic, axes, groups, also, options);
        }
        let flat = self.flat(axes, groups, also)?;
        flat.each(self, leads(&statistic), |lanes, _| lanes.order_statistic(statistic.clone(), &flat.reduced, options))
    }

    /// As [`order_by`](LazyArray::order_by) for each of the `groups` of positions along `axes`, with the axes `also`
    /// reduced too.
    ///
    /// # Errors
    /// As those of [`order_by`](LazyArray::order_by) and [`grouped_by`](LazyArray::grouped_by).
    pub fn grouped_order_by(
        &self,
        statistic: OrderStatistic,
        weights: &AxisWeights,
        axes: &[i64],
        groups: &Groups,
        also: &[i64],
        options: FoldOptions,
    ) -> Result<LazyArray> {
        if let Some(wider) = self.for_mode(&statistic, groups)? {
            return wider.grouped_order_by(statistic, weights, axes, groups, also, options);
        }
        let flat = self.flat(axes, groups, also)?;
        let along: Vec<usize> = (0..self.ndim()).filter(|&k| flat.axes[k] == flat.along).collect();
        let weights = weights.flattened(self.shape(), &along, &flat.axes)?;
        flat.each(self, leads(&statistic), |lanes, positions| {
            lanes.order_by(statistic.clone(), &weights.taken(flat.along, positions)?, &flat.reduced, options)
        })
    }

    /// As floats, where there is to be a mode of integers and a group has nothing that it could be.
    fn for_mode(&self, statistic: &OrderStatistic, groups: &Groups) -> Result<Option<LazyArray>> {
        let is_choice = *statistic == OrderStatistic::Mode && !self.dtype().is_float();
        groups.first_empty().filter(|_| is_choice).map(|empty| self.with_nan("mode", empty)).transpose()
    }

    /// Axes that groups run along become one, in the place of the first.
    fn flat(&self, axes: &[i64], groups: &Groups, also: &[i64]) -> Result<Flat> {
        let reduced = self.axes(&[axes, also].concat())?;
        let mut grouped = reduced[..axes.len()].to_vec();
        let groups = groups.ascending(&grouped, self.shape())?;
        grouped.sort_unstable();
        let along = grouped.first().copied().unwrap_or(0);
        let others = (along..self.ndim()).filter(|k| !grouped.contains(k));
        let order: Vec<usize> = (0..along).chain(grouped.iter().copied()).chain(others).collect();
        let more = grouped.len() - 1;
        let axis = |k: usize| match order.iter().position(|&o| o == k).unwrap_or(0) {
            at if at <= along => at,
            at => at.saturating_sub(more).max(along),
        };
        let axes: Vec<usize> = (0..self.ndim()).map(axis).collect();
        let array = match more {
            0 => self.without_dims(),
            _ => {
                let order: Vec<i64> = order.iter().map(|&k| k as i64).collect();
                let mut shape: Vec<i64> = order.iter().map(|&k| self.shape()[k as usize] as i64).collect();
                shape.splice(along..=along + more, [groups.labels().len() as i64]);
                self.without_dims().permute_dims(&order)?.reshape(&shape)?
            }
        };
        let place = (0..along).filter(|k| !reduced.contains(k)).count();
        let mut reduced: Vec<i64> = reduced.iter().map(|&k| axes[k] as i64).collect();
        reduced.sort_unstable();
        reduced.dedup();
        Ok(Flat { array, axes, reduced, along, place, groups })
    }
}

/// Whether results make a first dimension.
fn leads(statistic: &OrderStatistic) -> bool {
    matches!(statistic, OrderStatistic::Quantile { at, .. } if !at.is_scalar())
}

impl Flat {
    /// What `of` makes of the values of each group and its positions, side by side, with the names of `whole`.
    fn each(
        &self,
        whole: &LazyArray,
        leads: bool,
        of: impl Fn(&LazyArray, &[i64]) -> Result<LazyArray>,
    ) -> Result<LazyArray> {
        let mut positions: Vec<Vec<i64>> = vec![Vec::new(); self.groups.count() as usize];
        for (at, label) in self.groups.labels().iter().enumerate().filter(|(_, label)| **label != Groups::NONE) {
            positions[*label as usize].push(at as i64);
        }
        let of_group = |own: &Vec<i64>| of(&self.array.take(own, self.along as i64)?, own);
        let parts = positions.iter().map(of_group).collect::<Result<Vec<_>>>()?;
        let out = LazyArray::stack(&parts, (self.place + usize::from(leads)) as i64)?;
        let Some(names) = whole.dims() else { return Ok(out) };
        let kept = (0..whole.ndim()).filter(|&k| !self.reduced.contains(&(self.axes[k] as i64)));
        let mut dims: Vec<&str> = kept.map(|k| names[k].as_str()).collect();
        dims.insert(self.place, self.groups.dim());
        if leads {
            dims.insert(0, super::order::QUANTILE);
        }
        out.with_dims(&dims)
    }
}
