//! Which shape, names and blocks arrays have together.

use super::{Along, LazyArray, Operation, View};
use crate::{
    error::{Error, Result},
    shape::Shape,
};

/// A block that arrays of different blocks are computed in together is at most this large, where that is possible.
const BLOCK_BYTES: u64 = 32 << 20;

/// The arrays under one shape: by name where both have names, else by position from the last axis on, lengths of 1
/// repeated. Arrays without dimensions stay as they are.
///
/// # Errors
/// When lengths differ and none is 1.
pub(super) fn broadcast(arrays: &[LazyArray]) -> Result<Together> {
    let named = aligned(arrays)?;
    let rank = named.iter().map(LazyArray::ndim).max().unwrap_or(0);
    let mut shape = vec![1; rank];
    let mut dims: Option<Vec<String>> = None;
    for array in &named {
        let skip = rank - array.ndim();
        for (k, &n) in array.shape().iter().enumerate() {
            let slot = &mut shape[skip + k];
            match (*slot, n) {
                (a, b) if a == b || b == 1 => {}
                (1, b) => *slot = b,
                (a, b) => return Err(mismatch(&named, skip + k, a, b)),
            }
        }
        if let Some(names) = array.dims().filter(|d| d.len() == rank && dims.is_none()) {
            dims = Some(names.to_vec());
        }
    }
    Shape::from(shape.as_slice()).elements()?;
    let blocks: Vec<Vec<u64>> = named.iter().filter(|a| a.ndim() > 0).map(|a| a.own_block(&shape)).collect();
    let bytes = named.iter().map(|a| a.dtype().size()).max().unwrap_or(1);
    let chunk = common_block(&shape, &blocks.iter().map(Vec::as_slice).collect::<Vec<_>>(), bytes);
    let shown = |a: &LazyArray| if a.ndim() == 0 { a.clone() } else { a.shown_as(&shape, dims.clone()) };
    Ok(Together { arrays: named.iter().map(shown).collect(), shape: shape.into(), dims, chunk })
}

/// Arrays under one shape.
pub(super) struct Together {
    /// Of that shape, or without dimensions.
    pub arrays: Vec<LazyArray>,
    pub shape: Shape,
    pub dims: Option<Vec<String>>,
    /// The blocks in which they are computed together.
    pub chunk: Shape,
}

fn mismatch(arrays: &[LazyArray], axis: usize, a: u64, b: u64) -> Error {
    let shapes: Vec<String> = arrays.iter().map(|x| x.shape().to_string()).collect();
    let name = arrays.iter().find_map(|x| x.dims()?.get(axis).cloned());
    let which = name.map_or_else(|| format!("axis {axis}"), |n| format!("dimension '{n}'"));
    Error::usage(format!("shapes {} do not go together: {which} has lengths {a} and {b}", shapes.join(" and ")))
}

/// Arrays with names get all names of all, in the order in which they first appear.
fn aligned(arrays: &[LazyArray]) -> Result<Vec<LazyArray>> {
    let mut all: Vec<&String> = Vec::new();
    for dims in arrays.iter().filter_map(LazyArray::dims) {
        // The longest array says the order, so that `mean(t, time)` comes to `t`, and not `t` to it.
        if dims.len() > all.len() {
            let before = std::mem::replace(&mut all, dims.iter().collect());
            before.into_iter().for_each(|d| {
                if !all.contains(&d) {
                    all.push(d)
                }
            });
        } else {
            dims.iter().for_each(|d| {
                if !all.contains(&d) {
                    all.push(d)
                }
            });
        }
    }
    arrays
        .iter()
        .map(|array| match array.dims() {
            Some(dims) if !dims.is_empty() && dims.iter().ne(all.iter().copied()) => {
                let mut shape = vec![1; all.len()];
                let mut axes = vec![Along::At(0); dims.len()];
                let mut chunk = vec![1; all.len()];
                for (k, name) in dims.iter().enumerate() {
                    let axis = all.iter().position(|d| *d == name).unwrap_or(k);
                    (shape[axis], chunk[axis]) = (array.shape()[k], array.chunk()[k]);
                    axes[k] = Along::Axis { axis, start: 0, step: 1 };
                }
                let names = all.iter().map(|d| d.to_string()).collect();
                Ok(array.viewed(View { shape: shape.into(), axes }, Some(names), chunk.into()))
            }
            _ => Ok(array.clone()),
        })
        .collect()
}

impl LazyArray {
    /// Elements of this array in other places.
    pub(super) fn viewed(&self, view: View, dims: Option<Vec<String>>, chunk: Shape) -> LazyArray {
        if view.is_identity(self.shape()) && self.dims() == dims.as_deref() {
            return self.clone();
        }
        let shape = view.shape.clone();
        // A view of a view is one view; names and blocks come from the outer one.
        let (input, view) = match self.operation() {
            Operation::View { input, view: inner } => (input.clone(), view.of(inner)),
            _ => (self.clone(), view),
        };
        LazyArray::from_parts(Operation::View { input, view }, self.dtype(), shape, dims, chunk)
    }

    /// Repeated along axes of length 1 and new axes in front; `shape` is known to fit.
    fn shown_as(&self, shape: &[u64], dims: Option<Vec<String>>) -> LazyArray {
        let skip = shape.len() - self.ndim();
        let axes = self.shape().iter().enumerate().map(|(k, &n)| {
            let repeated = n == 1 && shape[skip + k] != 1;
            if repeated { Along::At(0) } else { Along::Axis { axis: skip + k, start: 0, step: 1 } }
        });
        let view = View { shape: shape.into(), axes: axes.collect() };
        let chunk = common_block(shape, &[&self.own_block(shape)], self.dtype().size());
        self.viewed(view, dims, chunk)
    }

    /// Its block under a longer shape: 0 along axes where it repeats itself, and so has no blocks of its own.
    fn own_block(&self, shape: &[u64]) -> Vec<u64> {
        let skip = shape.len() - self.ndim();
        let repeats = |k: usize| match self.operation() {
            Operation::View { view, .. } => {
                !view.axes.iter().any(|along| matches!(along, Along::Axis { axis, .. } if *axis == k))
            }
            _ => false,
        };
        let own = self.shape().iter().enumerate().map(|(k, &n)| {
            let repeated = (n == 1 && shape[skip + k] != 1) || (n != 1 && repeats(k));
            if repeated { 0 } else { self.chunk()[k] }
        });
        std::iter::repeat_n(0, skip).chain(own).collect()
    }

    /// The array repeated to `shape`: axes of length 1 take any length, and new axes come in front.
    ///
    /// # Errors
    /// When a length other than 1 differs.
    pub fn broadcast_to(&self, shape: &[u64]) -> Result<LazyArray> {
        let skip = shape.len().checked_sub(self.ndim());
        let fits = skip.is_some_and(|s| self.shape().iter().zip(&shape[s..]).all(|(&n, &m)| n == m || n == 1));
        if !fits {
            return Err(Error::usage(format!("shape {} does not broadcast to {}", self.shape(), Shape::from(shape))));
        }
        Shape::from(shape).elements()?;
        let dims = self.dims().filter(|d| d.len() == shape.len()).map(<[String]>::to_vec);
        Ok(self.shown_as(shape, dims))
    }

    /// All arrays repeated to the shape that they have together.
    ///
    /// # Errors
    /// When lengths differ and none is 1.
    pub fn broadcast_arrays(arrays: &[LazyArray]) -> Result<Vec<LazyArray>> {
        let Together { arrays, shape, .. } = broadcast(arrays)?;
        arrays.iter().map(|a| a.broadcast_to(&shape)).collect()
    }
}

/// The blocks in which arrays of one shape, but different blocks, are computed together.
///
/// The smallest that are whole blocks of each, so that every block is read once; where those would be larger than
/// 32 MiB, smaller ones, which touch some blocks more than once. It depends on nothing but its arguments, and so do
/// the results of folds, which go block by block. A block length of 0 means that the array does not care.
pub fn common_block(shape: &[u64], blocks: &[&[u64]], element_bytes: usize) -> Shape {
    let along = |axis: usize| blocks.iter().map(move |b| b[axis].min(shape[axis].max(1))).filter(|&length| length > 0);
    let common = |k: usize| along(k).reduce(least_common_multiple).unwrap_or(u64::MAX).min(shape[k].max(1));
    let mut block: Vec<u64> = (0..shape.len()).map(common).collect();
    let bytes = |block: &[u64]| block.iter().fold(element_bytes as u64, |a, &b| a.saturating_mul(b.max(1)));
    let most: Vec<u64> = (0..shape.len()).map(|k| along(k).max().unwrap_or(1)).collect();
    let least: Vec<u64> = (0..shape.len()).map(|k| along(k).min().unwrap_or(1)).collect();
    let own = blocks.iter().map(|b| bytes(b)).max().unwrap_or(0);
    while bytes(&block) > BLOCK_BYTES.max(own) {
        // First give up common multiples, keeping whole blocks of the longer; then cut those too.
        let longest =
            |floor: &[u64]| (0..block.len()).filter(|&k| block[k] > floor[k]).max_by_key(|&k| block[k] / floor[k]);
        if let Some(k) = longest(&most) {
            block[k] = (block[k] / 2).next_multiple_of(most[k]).min(block[k] - 1).max(most[k]);
        } else if let Some(k) = longest(&least) {
            block[k] = (block[k] / 2).next_multiple_of(least[k]).min(block[k] - 1).max(least[k]);
        } else {
            break;
        }
    }
    block.into()
}

fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a.max(1), b.max(1));
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a.max(1) / x).saturating_mul(b.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_common_multiples_until_they_are_too_large() {
        let of = |shape: &[u64], a: &[u64], b: &[u64]| common_block(shape, &[a, b], 8).0;
        assert_eq!(of(&[3000, 3000], &[1000, 500], &[500, 1000]), [1000, 1000]);
        assert_eq!(of(&[10, 10], &[4, 10], &[6, 5]), [10, 10]);
        assert_eq!(of(&[0, 5], &[1, 5], &[1, 2]), [1, 5]);
        let rows_and_columns = of(&[10_000, 10_000], &[1, 10_000], &[10_000, 1]);
        let bytes = rows_and_columns.iter().product::<u64>() * 8;
        assert!((BLOCK_BYTES / 4..=BLOCK_BYTES).contains(&bytes), "{rows_and_columns:?}");
        assert!(rows_and_columns[0] / rows_and_columns[1] < 4, "about square: {rows_and_columns:?}");
    }
}
