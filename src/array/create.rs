//! Arrays that are made, not read.

use super::{LazyArray, Operation, View, blocks};
use crate::{
    dtype::{DType, Element, Scalar},
    error::{Error, Result},
    grid::Grid,
    kernels::random::Distribution,
    shape::Shape,
};
use std::sync::Arc;

/// Values that are made where they are needed, block by block.
#[derive(Clone, Debug)]
pub enum Creation {
    /// One value everywhere: native bytes of the array's type.
    Full([u8; 8]),
    /// `start + step * k` along the one axis, computed in float64, or exactly where all are integers.
    Range {
        /// The first value.
        start: Scalar,
        /// From one to the next.
        step: Scalar,
    },
    /// As `linspace`: both ends are hit exactly.
    Linspace {
        /// The first value.
        start: f64,
        /// The last value.
        stop: f64,
        /// How many steps lie between.
        steps: u64,
    },
    /// Ones on a diagonal.
    Eye {
        /// Which: 0 for the main one, positive above it.
        k: i64,
    },
    /// Random numbers, each from the seed and its own row-major position.
    Random {
        /// Of which distribution.
        distribution: Distribution,
        /// What makes them others.
        seed: u64,
    },
    /// Values in memory, row-major in native byte order.
    Data(Arc<Data>),
}

/// Values that the user's program holds, and so pays for itself.
#[derive(Debug)]
pub struct Data(Box<[u64]>, usize);

impl Data {
    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Data {
        let mut words = vec![0u64; bytes.len().div_ceil(8)].into_boxed_slice();
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Data(words, bytes.len())
    }

    /// The bytes, aligned for every element type.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.0)[..self.1]
    }
}

/// The blocks of an array that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// About a mebibyte each.
    Auto,
    /// Of this shape.
    Of(Vec<u64>),
}

impl<const N: usize> From<&[u64; N]> for Chunks {
    fn from(chunk: &[u64; N]) -> Chunks {
        Chunks::Of(chunk.to_vec())
    }
}

impl From<&[u64]> for Chunks {
    fn from(chunk: &[u64]) -> Chunks {
        Chunks::Of(chunk.to_vec())
    }
}

impl Chunks {
    /// The block shape for an array.
    pub(super) fn resolve(&self, shape: &Shape, dtype: DType) -> Result<Shape> {
        match self {
            Chunks::Auto => Ok(Grid::of_contiguous(shape.clone(), dtype.size())?.chunk().clone()),
            Chunks::Of(chunk) if chunk.len() != shape.len() => {
                Err(Error::usage(format!("blocks of rank {} for an array of rank {}", chunk.len(), shape.len())))
            }
            Chunks::Of(chunk) if chunk.contains(&0) => Err(Error::usage("blocks have lengths of at least 1")),
            Chunks::Of(chunk) => Ok(chunk.iter().zip(shape.iter()).map(|(&c, &n)| c.min(n.max(1))).collect()),
        }
    }
}

impl LazyArray {
    pub(super) fn created(
        creation: Creation,
        shape: &[u64],
        chunks: impl Into<Chunks>,
        dtype: DType,
    ) -> Result<LazyArray> {
        let shape = Shape::from(shape);
        shape.bytes(dtype.size())?;
        let chunk = chunks.into().resolve(&shape, dtype)?;
        Ok(LazyArray::from_parts(Operation::Create(creation), dtype, shape, None, chunk))
    }

    /// Zeros.
    ///
    /// # Errors
    /// When the blocks' rank is not the array's, or sizes overflow.
    pub fn zeros(shape: &[u64], chunks: impl Into<Chunks>, dtype: DType) -> Result<LazyArray> {
        LazyArray::full(shape, chunks, 0.0, dtype)
    }

    /// Ones.
    ///
    /// # Errors
    /// As [`zeros`](LazyArray::zeros).
    pub fn ones(shape: &[u64], chunks: impl Into<Chunks>, dtype: DType) -> Result<LazyArray> {
        LazyArray::full(shape, chunks, 1.0, dtype)
    }

    /// One value everywhere.
    ///
    /// # Errors
    /// As [`zeros`](LazyArray::zeros).
    pub fn full(shape: &[u64], chunks: impl Into<Chunks>, value: impl Into<Scalar>, dtype: DType) -> Result<LazyArray> {
        LazyArray::created(Creation::Full(value.into().bytes(dtype)), shape, chunks, dtype)
    }

    /// A number as an array without dimensions, of the number's own type.
    pub fn scalar(value: impl Into<Scalar>) -> LazyArray {
        let value = value.into();
        LazyArray::scalar_of(value, value.dtype())
    }

    /// A number as an array without dimensions.
    pub(super) fn scalar_of(value: Scalar, dtype: DType) -> LazyArray {
        let full = Operation::Create(Creation::Full(value.bytes(dtype)));
        LazyArray::from_parts(full, dtype, Shape::default(), None, Shape::default())
    }

    /// An array of this one's shape and blocks with one value everywhere.
    pub fn full_like(&self, value: impl Into<Scalar>, dtype: DType) -> LazyArray {
        self.like(Operation::Create(Creation::Full(value.into().bytes(dtype))), dtype)
    }

    /// Zeros of this array's shape, blocks and type.
    pub fn zeros_like(&self) -> LazyArray {
        self.full_like(0.0, self.dtype())
    }

    /// Ones of this array's shape, blocks and type.
    pub fn ones_like(&self) -> LazyArray {
        self.full_like(1.0, self.dtype())
    }

    /// From `start` in steps of `step` to before `stop`, as NumPy's: `ceil((stop - start) / step)` values.
    ///
    /// # Errors
    /// When the step is zero or not finite, or there are too many values.
    pub fn arange(
        start: impl Into<Scalar>,
        stop: impl Into<Scalar>,
        step: impl Into<Scalar>,
        chunks: impl Into<Chunks>,
    ) -> Result<LazyArray> {
        let (start, stop, step) = (start.into(), stop.into(), step.into());
        let integers = [start, stop, step].iter().all(|s| !matches!(s, Scalar::Float(_)));
        let count = ((stop.to_f64() - start.to_f64()) / step.to_f64()).ceil();
        if !count.is_finite() || count >= 9e18 {
            return Err(Error::usage(format!("arange from {start} to {stop} in steps of {step} has no end")));
        }
        let dtype = if integers { DType::I64 } else { DType::F64 };
        LazyArray::created(Creation::Range { start, step }, &[count.max(0.0) as u64], chunks, dtype)
    }

    /// `count` float64 values from `start` to `stop`, both included.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn linspace(start: f64, stop: f64, count: u64, chunks: impl Into<Chunks>) -> Result<LazyArray> {
        let steps = count.saturating_sub(1);
        LazyArray::created(Creation::Linspace { start, stop, steps }, &[count], chunks, DType::F64)
    }

    /// Ones on the `k`-th diagonal of a matrix, zeros elsewhere.
    ///
    /// # Errors
    /// As [`zeros`](LazyArray::zeros).
    pub fn eye(rows: u64, columns: u64, k: i64, chunks: impl Into<Chunks>, dtype: DType) -> Result<LazyArray> {
        LazyArray::created(Creation::Eye { k }, &[rows, columns], chunks, dtype)
    }

    /// Random numbers: the same for any blocks, threads and memory, because each is made from the seed and its place.
    ///
    /// # Errors
    /// When the type cannot hold the distribution, or as [`zeros`](LazyArray::zeros).
    pub fn random(
        distribution: Distribution,
        seed: u64,
        shape: &[u64],
        chunks: impl Into<Chunks>,
        dtype: DType,
    ) -> Result<LazyArray> {
        distribution.check(dtype)?;
        LazyArray::created(Creation::Random { distribution, seed }, shape, chunks, dtype)
    }

    /// A copy of values in memory, row-major.
    ///
    /// # Errors
    /// When there are not as many values as the shape says.
    pub fn from_slice<T: Element>(values: &[T], shape: &[u64], chunks: impl Into<Chunks>) -> Result<LazyArray> {
        LazyArray::from_bytes(bytemuck::cast_slice(values), shape, chunks, T::DTYPE)
    }

    /// A copy of truth values in memory, row-major.
    ///
    /// # Errors
    /// When there are not as many values as the shape says.
    pub fn from_bools(values: &[bool], shape: &[u64], chunks: impl Into<Chunks>) -> Result<LazyArray> {
        let bytes: Vec<u8> = values.iter().map(|&b| u8::from(b)).collect();
        LazyArray::from_bytes(&bytes, shape, chunks, DType::Bool)
    }

    /// A copy of values in memory, row-major in native byte order.
    ///
    /// # Errors
    /// When there are not as many bytes as shape and type say.
    pub fn from_bytes(bytes: &[u8], shape: &[u64], chunks: impl Into<Chunks>, dtype: DType) -> Result<LazyArray> {
        let want = Shape::from(shape).bytes(dtype.size())?;
        if bytes.len() != want {
            let have = bytes.len() / dtype.size();
            return Err(Error::usage(format!("{have} values for an array of shape {}", Shape::from(shape))));
        }
        LazyArray::created(Creation::Data(Arc::new(Data::new(bytes))), shape, chunks, dtype)
    }

    /// A copy of an `ndarray`.
    ///
    /// # Errors
    /// When sizes overflow.
    pub fn from_ndarray<T: Element, D: ndarray::Dimension>(
        values: &ndarray::ArrayRef<T, D>,
        chunks: impl Into<Chunks>,
    ) -> Result<LazyArray> {
        let shape: Vec<u64> = values.shape().iter().map(|&n| n as u64).collect();
        let copy: Vec<T> = values.iter().copied().collect();
        LazyArray::from_slice(&copy, &shape, chunks)
    }

    /// Each block from a function of where it lies.
    ///
    /// # Errors
    /// As [`zeros`](LazyArray::zeros).
    pub fn from_function(
        function: Arc<dyn blocks::BlockFunction>,
        shape: &[u64],
        chunks: impl Into<Chunks>,
        dtype: DType,
    ) -> Result<LazyArray> {
        let shape = Shape::from(shape);
        shape.bytes(dtype.size())?;
        let chunk = chunks.into().resolve(&shape, dtype)?;
        let made = Operation::Blocks { inputs: Vec::new(), function, overlap: Vec::new() };
        Ok(LazyArray::from_parts(made, dtype, shape, None, chunk))
    }

    /// Coordinates of a grid: for each of the vectors an array of all lengths together, which varies along its own axis
    /// alone (`meshgrid` with `indexing="ij"`).
    ///
    /// # Errors
    /// When one is no vector, or sizes overflow.
    pub fn meshgrid(vectors: &[LazyArray]) -> Result<Vec<LazyArray>> {
        let rank = vectors.len();
        if let Some(other) = vectors.iter().find(|v| v.ndim() != 1) {
            return Err(Error::usage(format!("meshgrid of an array of {} dimensions; it takes vectors", other.ndim())));
        }
        let shape: Vec<u64> = vectors.iter().map(|v| v.shape()[0]).collect();
        let lie = |(k, v): (usize, &LazyArray)| {
            let others: Vec<i64> = (0..rank).filter(|&l| l != k).map(|l| l as i64).collect();
            v.expand_dims(&others)?.broadcast_to(&shape)
        };
        vectors.iter().enumerate().map(lie).collect()
    }

    /// The elements on and below the `k`-th diagonal of the last two axes; zeros elsewhere.
    ///
    /// # Errors
    /// When there are fewer than two axes.
    pub fn tril(&self, k: i64) -> Result<LazyArray> {
        self.triangle(|rows, columns| rows.add_scalar(k)?.greater_equal(columns))
    }

    /// The elements on and above the `k`-th diagonal of the last two axes; zeros elsewhere.
    ///
    /// # Errors
    /// When there are fewer than two axes.
    pub fn triu(&self, k: i64) -> Result<LazyArray> {
        self.triangle(|rows, columns| rows.add_scalar(k)?.less_equal(columns))
    }

    fn triangle(&self, keeps: impl Fn(&LazyArray, &LazyArray) -> Result<LazyArray>) -> Result<LazyArray> {
        if self.ndim() < 2 {
            return Err(Error::usage(format!("a triangle of an array of {} dimensions; it takes two", self.ndim())));
        }
        let (m, n) = (self.shape()[self.ndim() - 2], self.shape()[self.ndim() - 1]);
        let rows = LazyArray::arange(0, m as i64, 1, Chunks::Auto)?.expand_dims(&[1])?;
        let columns = LazyArray::arange(0, n as i64, 1, Chunks::Auto)?;
        let kept =
            LazyArray::select(&keeps(&rows, &columns)?, self, &LazyArray::scalar_of(Scalar::Int(0), self.dtype()))?;
        debug_assert_eq!(kept.shape(), self.shape());
        Ok(kept.with_blocks(self.chunk().clone()))
    }

    /// The same node in other blocks: for operations whose blocks are free.
    pub(super) fn with_blocks(&self, chunk: Shape) -> LazyArray {
        if *self.chunk() == chunk {
            return self.clone();
        }
        let same = Operation::View { input: self.clone(), view: View::identity(self.shape()) };
        LazyArray::from_parts(same, self.dtype(), self.shape().clone(), self.dims().map(<[String]>::to_vec), chunk)
    }
}
