//! [`LazyArray`]: what is to be computed, said before anything is read.

use crate::{
    dtype::DType,
    error::{Error, Problem, Result},
    kernels::{
        decode::Decode,
        fold::{FoldOptions, Folds, Op},
    },
    shape::Shape,
    source::{Source, StoredType},
};
use std::sync::Arc;

/// An array that knows its type, shape, dimensions and chunks, and how to be computed; it holds no values.
///
/// Cloning is cheap, and clones are the same array: reductions of one array over the same axes share one pass.
#[derive(Clone)]
pub struct LazyArray(Arc<Node>);

struct Node {
    operation: Operation,
    dtype: DType,
    shape: Shape,
    dims: Vec<String>,
    chunk: Shape,
}

/// The closed list of what an array can be.
#[derive(Clone)]
pub enum Operation {
    /// The values of a variable as stored.
    Source(Arc<dyn Source>),
    /// Stored numbers with their meaning: missing values, scale and offset.
    Decode {
        /// The stored numbers.
        input: LazyArray,
        /// What they mean.
        decode: Decode,
    },
    /// One value for all along some axes.
    Reduce {
        /// What is reduced.
        input: LazyArray,
        /// How.
        op: Op,
        /// For each axis of the input, whether it is reduced.
        reduced: Vec<bool>,
        /// Degrees of freedom, rules for missing values.
        options: FoldOptions,
    },
}

impl LazyArray {
    /// The values of a variable as stored. *Shape*, dimensions and chunks are the source's. Single characters are
    /// bytes.
    ///
    /// # Errors
    /// When the variable holds neither numbers nor characters.
    pub fn from_source(source: Arc<dyn Source>) -> Result<LazyArray> {
        let meta = source.meta();
        let dtype = match &meta.stored {
            StoredType::Number { dtype, .. } => *dtype,
            StoredType::Char => DType::U8,
            other => return Err(Error::from(Problem::NotNumeric { dtype: other.to_string() }).in_variable(&meta.path)),
        };
        let (shape, dims, chunk) = (meta.shape.clone(), meta.dims.clone(), source.grid().chunk().clone());
        Ok(LazyArray(Arc::new(Node { operation: Operation::Source(source), dtype, shape, dims, chunk })))
    }

    /// The same array with missing values as NaN, scaled and offset.
    pub fn decode(&self, decode: Decode) -> LazyArray {
        LazyArray(Arc::new(Node {
            dtype: decode.result,
            shape: self.0.shape.clone(),
            dims: self.0.dims.clone(),
            chunk: self.0.chunk.clone(),
            operation: Operation::Decode { input: self.clone(), decode },
        }))
    }

    /// One value for all along `axes`, which are positions; the other axes stay, in order.
    ///
    /// # Errors
    /// When an axis is out of range or named twice.
    pub fn reduce(&self, op: Op, axes: &[usize], options: FoldOptions) -> Result<LazyArray> {
        let mut reduced = vec![false; self.0.shape.len()];
        for &axis in axes {
            match reduced.get_mut(axis) {
                None => return Err(Error::usage(format!("axis {axis} of an array of {} dimensions", reduced.len()))),
                Some(true) => return Err(Error::usage(format!("axis {axis} is named twice"))),
                Some(slot) => *slot = true,
            }
        }
        let keep = |lengths: &[u64]| lengths.iter().zip(&reduced).filter(|(_, r)| !**r).map(|(n, _)| *n).collect();
        let dims = self.0.dims.iter().zip(&reduced).filter(|(_, r)| !**r).map(|(d, _)| d.clone()).collect();
        Ok(LazyArray(Arc::new(Node {
            dtype: Folds::new(&[op], &self.meaning(), options).result_dtype(op),
            shape: keep(&self.0.shape),
            chunk: keep(&self.0.chunk),
            dims,
            operation: Operation::Reduce { input: self.clone(), op, reduced, options },
        })))
    }

    /// The type of its values.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// The length of each dimension.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// The name of each dimension.
    pub fn dims(&self) -> &[String] {
        &self.0.dims
    }

    /// The shape of the blocks in which it is computed.
    pub fn chunk(&self) -> &Shape {
        &self.0.chunk
    }

    /// What it is.
    pub fn operation(&self) -> &Operation {
        &self.0.operation
    }

    /// Whether it is a count or a position among fewer than `limit` values, as its form says before it is computed.
    pub fn counts_below(&self, limit: u64) -> bool {
        let Operation::Reduce { input, op: Op::Count | Op::ArgMin | Op::ArgMax, .. } = self.operation() else {
            return false;
        };
        input.shape().elements().is_ok_and(|n| n < limit)
    }

    /// Whether two are the same array, not merely equal.
    pub fn is(&self, other: &LazyArray) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How its values are read: by its own decoding, or as they are stored.
    pub(crate) fn meaning(&self) -> Decode {
        match &self.0.operation {
            Operation::Decode { decode, .. } => decode.clone(),
            Operation::Source(source) => Decode::plain(self.0.dtype, source.layout().order),
            Operation::Reduce { .. } => Decode::plain(self.0.dtype, crate::dtype::ByteOrder::NATIVE),
        }
    }
}
