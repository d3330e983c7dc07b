//! One value for each group of positions along some axes: climatologies, means of days, means of regions.

use super::{LazyArray, Operation};
use crate::{
    dtype::DType,
    error::{Error, Result},
    kernels::{
        decode::Decode,
        fold::{FoldOptions, Folds, Op, Reducer},
    },
    shape::{Region, Shape},
};
use std::{fmt, sync::Arc};

/// Which group each position along some axes is in.
///
/// *Memory*: four bytes for each position, and as much again while a plan is made.
///
/// # Example
/// ```
/// use aosx::{array::Groups, kernels::fold::{FoldOptions, Op}, prelude::*};
///
/// let x = LazyArray::arange(0, 6, 1, &[4])?;
/// let groups = Groups::new(vec![0, 1, 0, 1, Groups::NONE, 1], 3)?;
/// let sums = x.grouped(Op::Sum, &[0], &groups, FoldOptions::default())?;
/// assert_eq!(Session::new().compute(&sums)?.to_vec::<i64>()?, [2, 9, 0]);
/// # Ok::<(), aosx::error::Error>(())
/// ```
#[derive(Clone)]
pub struct Groups {
    labels: Arc<[u32]>,
    count: u32,
    dim: String,
}

impl Groups {
    /// The label of a position that is in no group.
    pub const NONE: u32 = u32::MAX;

    /// Groups `0..count`. `labels` has the group of each position, row-major where they run along several axes.
    ///
    /// # Errors
    /// When a label is neither one of a group nor [`NONE`](Groups::NONE).
    pub fn new(labels: Vec<u32>, count: u32) -> Result<Groups> {
        if let Some(at) = labels.iter().position(|&label| label >= count && label != Groups::NONE) {
            return Err(Error::usage(format!("position {at} is in group {} of {count}", labels[at])));
        }
        Ok(Groups { labels: labels.into(), count, dim: String::new() })
    }

    /// The same groups, and the name of the dimension that results have along them.
    pub fn named(&self, dim: &str) -> Groups {
        Groups { dim: dim.to_string(), ..self.clone() }
    }

    /// The group of each position.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// How many groups there are, empty ones included.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The name of the dimension along them.
    pub fn dim(&self) -> &str {
        &self.dim
    }

    /// The first group that is empty, where results are some of the values and the type has no NaN.
    pub(crate) fn without_result(&self, op: Op, dtype: DType) -> Option<usize> {
        let is_chosen = matches!(op, Op::Min | Op::Max | Op::Range | Op::First | Op::Last);
        if dtype.is_float() || !is_chosen { None } else { self.first_empty() }
    }

    /// The first group that is empty.
    pub(super) fn first_empty(&self) -> Option<usize> {
        self.sizes().iter().position(|n| *n == 0)
    }

    /// How many positions are in each group.
    pub fn sizes(&self) -> Vec<u64> {
        let mut sizes = vec![0; self.count as usize];
        self.labels.iter().filter(|&&label| label != Groups::NONE).for_each(|&label| sizes[label as usize] += 1);
        sizes
    }

    /// Calls `each(group, at, n)` for all that lies in one group, `n` positions along the last axis at a time from `at`
    /// on, in row-major order. `part` is a box of the positions, which run along axes of these `lengths`; what is in no
    /// group is left out.
    pub(crate) fn strips(&self, lengths: &[u64], part: &Region, mut each: impl FnMut(u32, &[u64], u64)) {
        if part.shape.contains(&0) {
            return;
        }
        let last = part.start.len() - 1;
        let mut at = part.start.clone();
        loop {
            let row = at.iter().zip(lengths).fold(0, |n, (i, length)| n * length + i) as usize;
            let mut from = at[last];
            for strip in self.labels[row..row + part.shape[last] as usize].chunk_by(|a, b| a == b) {
                at[last] = from;
                if strip[0] != Groups::NONE {
                    each(strip[0], &at, strip.len() as u64);
                }
                from += strip.len() as u64;
            }
            at[last] = part.start[last];
            let Some(k) = (0..last).rev().find(|&k| at[k] + 1 < part.start[k] + part.shape[k]) else { return };
            at[k] += 1;
            at[k + 1..last].copy_from_slice(&part.start[k + 1..last]);
        }
    }

    /// The labels for axes of an array in ascending order, given those for `axes` in their own.
    ///
    /// # Errors
    /// When there are no axes, or not as many labels as positions along them.
    pub(super) fn ascending(&self, axes: &[usize], shape: &Shape) -> Result<Groups> {
        if axes.is_empty() {
            return Err(Error::usage("groups of positions along no axis"));
        }
        let lengths: Shape = axes.iter().map(|&k| shape[k]).collect();
        if lengths.elements()? != self.labels.len() as u64 {
            let n = self.labels.len();
            return Err(Error::usage(format!("{n} labels for positions along axes of lengths {lengths}")));
        }
        if axes.is_sorted() {
            return Ok(self.clone());
        }
        let strides = lengths.strides();
        let mut order: Vec<usize> = (0..axes.len()).collect();
        order.sort_by_key(|&k| axes[k]);
        let mut labels = Vec::with_capacity(self.labels.len());
        let mut at = vec![0; axes.len()];
        for _ in 0..self.labels.len() {
            labels.push(self.labels[order.iter().zip(&at).map(|(&k, n)| strides[k] * n).sum::<u64>() as usize]);
            for (&k, n) in order.iter().zip(&mut at).rev() {
                *n += 1;
                if *n < lengths[k] {
                    break;
                }
                *n = 0;
            }
        }
        Ok(Groups { labels: labels.into(), ..self.clone() })
    }
}

/// The same groups, whatever the dimension is called.
impl PartialEq for Groups {
    fn eq(&self, other: &Groups) -> bool {
        self.count == other.count && (Arc::ptr_eq(&self.labels, &other.labels) || self.labels == other.labels)
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} groups of {} positions", self.count, self.labels.len())
    }
}

/// How values become one.
#[derive(Clone)]
pub enum Folding {
    /// By a reduction that is built in.
    Op {
        /// Which.
        op: Op,
        /// Degrees of freedom, rules for missing values.
        options: FoldOptions,
    },
    /// By a user's.
    Own(Arc<dyn Reducer>),
}

impl Folding {
    /// What plans and drawings call it.
    pub fn name(&self) -> &str {
        match self {
            Folding::Op { op, .. } => op.name(),
            Folding::Own(reducer) => reducer.name(),
        }
    }

    /// The built-in reduction, if it is one.
    pub fn op(&self) -> Option<Op> {
        match self {
            Folding::Op { op, .. } => Some(*op),
            Folding::Own(_) => None,
        }
    }

    fn result_dtype(&self, input: DType, decode: &Decode) -> Result<DType> {
        match self {
            Folding::Op { op, options } => Ok(Folds::new(&[*op], decode, *options).result_dtype(*op)),
            Folding::Own(reducer) => reducer.result_dtype(input),
        }
    }
}

impl LazyArray {
    /// One value for each of the `groups` of positions along `axes`: what [`reduce`](LazyArray::reduce) makes of the
    /// values of each group. The array is read once.
    ///
    /// *Shape*: an axis along the groups stands in the place of the first of `axes`, the others of them go. Positions
    /// (argmin, argmax) are counted within each group: 0 is its first member along `axes`, flattened.
    ///
    /// *Missing*: a group without values has what a reduction of no values has: 0 for count and sum, NaN for a mean or
    /// a maximum, and -1 for positions. So the maximum and its like of integers are floats where a group is empty.
    ///
    /// # Errors
    /// When an axis is out of range or named twice, or there are not as many labels as positions; and when a group is
    /// empty and integers of 64 bits, which float64 does not hold, have no result for that.
    pub fn grouped(&self, op: Op, axes: &[i64], groups: &Groups, options: FoldOptions) -> Result<LazyArray> {
        self.grouped_by(Folding::Op { op, options }, axes, groups, &[])
    }

    /// As [`grouped`](LazyArray::grouped), by any fold, and with the axes `also` reduced too: the mean of each month
    /// along time, over all longitudes.
    ///
    /// # Errors
    /// As [`grouped`](LazyArray::grouped), and when the fold does not take the array's type, or positions are asked for
    /// along axes between those of the groups.
    pub fn grouped_by(&self, fold: Folding, axes: &[i64], groups: &Groups, also: &[i64]) -> Result<LazyArray> {
        let all = self.axes(&[axes, also].concat())?;
        let along = &all[..axes.len()];
        if let Some(empty) = fold.op().and_then(|op| groups.without_result(op, self.dtype())) {
            return self.with_nan(fold.name(), empty)?.grouped_by(fold, axes, groups, also);
        }
        let groups = groups.ascending(along, self.shape())?;
        let first = along.iter().min().copied().unwrap_or(0);
        let grouped: Vec<bool> = (0..self.ndim()).map(|k| along.contains(&k)).collect();
        let reduced: Vec<bool> = (0..self.ndim()).map(|k| all.contains(&k)).collect();
        // The reduced axes from the first of the groups' to the last: all are the groups'.
        let ends = [Some(first), grouped.iter().rposition(|g| *g)].map(Option::unwrap_or_default);
        if matches!(fold.op(), Some(Op::ArgMin | Op::ArgMax)) && (ends[0]..ends[1]).any(|k| reduced[k] && !grouped[k]) {
            return Err(Error::usage(
                "positions within groups along axes with another one between that is reduced too",
            ));
        }
        let dtype = fold.result_dtype(self.dtype(), &self.meaning())?;
        let (mut shape, mut chunk, mut dims) = self.kept(&reduced);
        let place = reduced[..first].iter().filter(|r| !**r).count();
        // Blocks of the result are no larger than those of the input.
        let positions = (0..self.ndim()).filter(|&k| reduced[k]).map(|k| self.chunk()[k]);
        let block = positions.fold(1, u64::saturating_mul).min(u64::from(groups.count));
        shape.0.insert(place, u64::from(groups.count));
        chunk.0.insert(place, block);
        dims.iter_mut().for_each(|dims| dims.insert(place, groups.dim.clone()));
        shape.elements()?;
        let operation = Operation::Grouped { input: self.clone(), fold, groups, grouped, reduced };
        Ok(LazyArray::from_parts(operation, dtype, shape, dims, chunk))
    }
}

impl LazyArray {
    /// Integers as floats that hold them all, for the result `name` of a group that nothing is in.
    ///
    /// # Errors
    /// When no float holds them all.
    pub(super) fn with_nan(&self, name: &str, empty: usize) -> Result<LazyArray> {
        match self.dtype().size() {
            ..=2 => Ok(self.astype(DType::F32)),
            3..=4 => Ok(self.astype(DType::F64)),
            _ => Err(no_result(name, self.dtype(), &format!("group {empty}"))),
        }
    }
}

/// That a group has no values, nor such integers anything to be missing with.
pub(crate) fn no_result(name: &str, dtype: DType, group: &str) -> Error {
    Error::usage(format!(
        "{name} of no values: {group} is empty, and {dtype} has nothing to be missing with; make it float64 first, as with \
         calc's astype(x, \"f8\"), if numbers up to 2^53 will do",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zeros(shape: &[u64], chunk: &[u64]) -> LazyArray {
        LazyArray::zeros(shape, chunk, DType::F32).unwrap()
    }

    fn shape_of(x: &LazyArray, axes: &[i64], also: &[i64], groups: &Groups) -> (Shape, Shape) {
        let mean = Folding::Op { op: Op::Mean, options: FoldOptions::default() };
        let out = x.grouped_by(mean, axes, groups, also).unwrap();
        (out.shape().clone(), out.chunk().clone())
    }

    #[test]
    fn the_groups_stand_where_the_first_axis_stood() {
        let months = Groups::new((0..24).map(|t| t % 12).collect(), 12).unwrap();
        let maps = zeros(&[24, 5, 6], &[1, 5, 6]);
        assert_eq!(shape_of(&maps, &[0], &[], &months), (vec![12, 5, 6].into(), vec![1, 5, 6].into()));
        assert_eq!(shape_of(&maps, &[0], &[-1], &months), (vec![12, 5].into(), vec![6, 5].into()));
        let regions = Groups::new(vec![Groups::NONE; 30], 3).unwrap();
        assert_eq!(shape_of(&maps, &[1, 2], &[], &regions), (vec![24, 3].into(), vec![1, 3].into()));
        assert_eq!(shape_of(&maps, &[2, 1], &[0], &regions), (vec![3].into(), vec![3].into()));
        let named = maps.with_dims(&["time", "lat", "lon"]).unwrap();
        let out = named.grouped(Op::Mean, &[0], &months.named("month"), FoldOptions::default()).unwrap();
        assert_eq!(out.dims().unwrap(), ["month", "lat", "lon"]);
    }

    #[test]
    fn labels_of_axes_in_another_order_are_turned() {
        let groups = Groups::new(vec![0, 1, 2, 3, 4, 5], 6).unwrap();
        let turned = groups.ascending(&[2, 1], &vec![9, 2, 3].into()).unwrap();
        assert_eq!(turned.labels(), [0, 2, 4, 1, 3, 5]);
        assert_eq!(turned.sizes(), [1; 6]);
    }

    #[test]
    fn strips_are_what_lies_in_one_group() {
        let none = Groups::NONE;
        let groups = Groups::new(vec![0, 0, 1, 1, 1, none, none, 2, 0, 0, 0, 0], 3).unwrap();
        let of = |start: &[u64], shape: &[u64]| {
            let mut out = Vec::new();
            let part = Region { start: start.to_vec(), shape: shape.into() };
            groups.strips(&[3, 4], &part, |group, at, n| out.push((group, at.to_vec(), n)));
            out
        };
        let first = [(0, vec![0, 0], 2), (1, vec![0, 2], 2), (1, vec![1, 0], 1)];
        assert_eq!(of(&[0, 0], &[2, 3])[..], [first[0].clone(), (1, vec![0, 2], 1), first[2].clone()]);
        assert_eq!(of(&[0, 0], &[3, 4])[..3], first);
        assert_eq!(of(&[1, 2], &[2, 2])[..], [(2, vec![1, 3], 1), (0, vec![2, 2], 2)]);
        assert_eq!(of(&[1, 1], &[0, 2]), []);
    }

    #[test]
    fn integers_of_empty_groups_become_what_can_be_missing() {
        let groups = Groups::new(vec![0, 2, 0, 2], 3).unwrap();
        let max = |dtype| {
            let x = LazyArray::zeros(&[4], &[4], dtype).unwrap();
            x.grouped(Op::Max, &[0], &groups, FoldOptions::default()).map(|a| a.dtype())
        };
        assert_eq!((max(DType::I16).unwrap(), max(DType::I32).unwrap()), (DType::F32, DType::F64));
        assert_eq!(max(DType::F32).unwrap(), DType::F32);
        let error = max(DType::I64).unwrap_err().to_string();
        assert!(error.contains("max of no values: group 1 is empty"), "{error}");
        let x = LazyArray::zeros(&[4], &[4], DType::I16).unwrap();
        assert_eq!(x.grouped(Op::Sum, &[0], &groups, FoldOptions::default()).unwrap().dtype(), DType::I64);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let x = zeros(&[4, 5], &[2, 5]);
        let groups = Groups::new(vec![0, 1, 0, Groups::NONE], 2).unwrap();
        let of = |axes: &[i64]| x.grouped(Op::Sum, axes, &groups, FoldOptions::default()).map(|_| ());
        assert!(of(&[0]).is_ok());
        assert!(of(&[1]).unwrap_err().to_string().contains("4 labels for positions along axes of lengths (5)"));
        assert!(of(&[]).is_err() && of(&[2]).is_err() && of(&[0, 0]).is_err());
        assert!(Groups::new(vec![0, 2], 2).unwrap_err().to_string().contains("position 1 is in group 2 of 2"));
    }
}
