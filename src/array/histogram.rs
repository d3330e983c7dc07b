//! Counting values in bins: `histogram`, `bincount`, `digitize`.

use super::{BlockFunction, BlockInfo, BlockInput, LazyArray};
use crate::{
    dtype::{DType, Scalar},
    error::{Error, Result},
    kernels::elementwise::Lookup,
};
use std::sync::Arc;

impl LazyArray {
    /// How many values lie between one edge and the next: int64, `[edges.len() - 1]`. Edges ascend; a bin has its lower
    /// edge, and the last one its upper edge too. NaN lies nowhere. Values are compared as float64.
    ///
    /// # Errors
    /// When there are fewer than two edges, or they do not ascend.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let x = LazyArray::from_slice(&[0.0, 0.5, 1.0, 2.0, f64::NAN], &[5], &[2])?;
    /// assert_eq!(Session::new().compute(&x.histogram(&[0.0, 1.0, 2.0])?)?.to_vec::<i64>()?, [2, 2]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn histogram(&self, edges: &[f64]) -> Result<LazyArray> {
        self.counted(edges, None)
    }

    /// The sum of the weights of the values between one edge and the next: float64, and else as
    /// [`histogram`](LazyArray::histogram). Weights broadcast to the array.
    ///
    /// # Errors
    /// As there, or when the weights do not broadcast to the array.
    pub fn histogram_weighted(&self, edges: &[f64], weights: &LazyArray) -> Result<LazyArray> {
        self.counted(edges, Some(&weights.astype(DType::F64).broadcast_to(self.shape())?))
    }

    /// How often each of `0, 1, ... count - 1` comes; other values are not counted.
    ///
    /// # Errors
    /// When the array is not of integers, or `count` is 0.
    pub fn bincount(&self, count: u64) -> Result<LazyArray> {
        if self.dtype().is_float() {
            return Err(Error::usage(format!("bincount of {}; it takes integers", self.dtype())));
        }
        let edges: Vec<f64> = (0..=count).map(|k| k as f64 - 0.5).collect();
        self.counted(&edges, None)
    }

    /// Which bin each value is in: the number of edges that are not above it ([`Lookup::SearchRight`]), or that are below
    /// it ([`Lookup::SearchLeft`], NumPy's `right=True`). Edges ascend, or descend, and then it is counted from above.
    ///
    /// # Errors
    /// When the edges neither ascend nor descend, or the type cannot hold one.
    pub fn digitize(&self, edges: &[Scalar], side: Lookup) -> Result<LazyArray> {
        match (edges.first(), edges.last()) {
            (Some(first), Some(last)) if first.to_f64() > last.to_f64() => {
                let upwards: Vec<Scalar> = edges.iter().rev().copied().collect();
                let below = self.searchsorted(&upwards, side)?;
                LazyArray::scalar(edges.len() as i64).subtract(&below)
            }
            _ => self.searchsorted(edges, side),
        }
    }

    /// Counts, or sums of weights, of each block, summed.
    fn counted(&self, edges: &[f64], weights: Option<&LazyArray>) -> Result<LazyArray> {
        if edges.len() < 2 || !edges.is_sorted() {
            return Err(Error::usage("a histogram takes at least two edges, in ascending order"));
        }
        let bins = edges.len() as u64 - 1;
        let mut inputs = vec![self.expand_dims(&[-1])?];
        if let Some(weights) = weights {
            inputs.push(weights.rechunk(self.chunk())?.expand_dims(&[-1])?);
        }
        let blocks = self.shape().iter().zip(self.chunk().iter()).map(|(n, c)| n.div_ceil(*c));
        let shape: Vec<u64> = blocks.chain([bins]).collect();
        let mut chunk = vec![1; self.ndim()];
        chunk.push(bins);
        let dtype = if weights.is_some() { DType::F64 } else { DType::I64 };
        let function = Arc::new(Count { edges: edges.into() });
        LazyArray::blocks(&inputs, function, &shape, &chunk, dtype)?.sum(&self.all_axes())
    }
}

/// The counts of one block.
struct Count {
    edges: Box<[f64]>,
}

impl Count {
    fn bin(&self, x: f64) -> Option<usize> {
        let (first, last) = (self.edges[0], self.edges[self.edges.len() - 1]);
        if !(first <= x && x <= last) {
            return None;
        }
        // On the last edge: NumPy counts it in the last bin, also where that is empty.
        let after = self.edges.partition_point(|e| *e <= x);
        Some(after.min(self.edges.len() - 1) - 1)
    }
}

impl BlockFunction for Count {
    fn name(&self) -> &str {
        "histogram"
    }

    fn call(&self, _: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        out.fill(0);
        let Some(values) = inputs.first() else { return Err(Error::usage("a histogram of values")) };
        match inputs.get(1) {
            None => {
                let counts: &mut [i64] = bytemuck::cast_slice_mut(out);
                each(values, |_, x| self.bin(x).into_iter().for_each(|k| counts[k] += 1));
            }
            Some(weights) => {
                let sums: &mut [f64] = bytemuck::cast_slice_mut(out);
                let weights: &[f64] = bytemuck::cast_slice(weights.bytes);
                each(values, |n, x| self.bin(x).into_iter().for_each(|k| sums[k] += weights[n]));
            }
        }
        Ok(())
    }
}

/// Each element as float64, with its place.
pub(super) fn each(values: &BlockInput<'_>, mut f: impl FnMut(usize, f64)) {
    use crate::dtype::Element;
    crate::with_dtype!(values.dtype, T => {
        let values: &[T] = bytemuck::cast_slice(values.bytes);
        values.iter().enumerate().for_each(|(n, x)| f(n, x.to_f64()));
    });
}
