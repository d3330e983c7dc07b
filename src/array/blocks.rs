//! Functions of whole blocks: `map_blocks`, `map_overlap`, and what is built on them.

use super::{LazyArray, Operation};
use crate::{
    dtype::{DType, Element},
    error::{Error, Result},
    shape::{ChunkIndex, Region, Shape},
};
use std::sync::Arc;

/// A function of whole blocks, with its declarations.
///
/// It is called once for each block that is needed, from any thread, and sees nothing but its inputs: its result must
/// depend on nothing else.
pub trait BlockFunction: Send + Sync {
    /// What plans and errors call it.
    fn name(&self) -> &str;

    /// Bytes that it allocates by itself while it runs on inputs of these shapes; they count against the limit.
    fn memory(&self, inputs: &[Shape]) -> u64 {
        let _ = inputs;
        0
    }

    /// Whether each element of the result follows from the inputs' elements at its own place. Then it may be called for
    /// any region, as if that were a block; else for whole blocks only.
    fn any_region(&self) -> bool {
        false
    }

    /// Computes one block into `out`: row-major, in native byte order.
    ///
    /// # Errors
    /// Whatever it finds wrong; the block is added to the error.
    fn call(&self, block: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()>;
}

/// Which block is computed.
#[derive(Debug, Clone)]
pub struct BlockInfo {
    /// Its place in the grid of blocks.
    pub index: ChunkIndex,
    /// Its place in the array.
    pub region: Region,
}

/// One input's values for one block: row-major, in native byte order.
#[derive(Debug, Clone, Copy)]
pub struct BlockInput<'a> {
    /// Their type.
    pub dtype: DType,
    /// The shape: that of the block, wider by the overlap.
    pub shape: &'a Shape,
    /// The elements.
    pub bytes: &'a [u8],
}

impl<'a> BlockInput<'a> {
    /// As an `ndarray` view.
    ///
    /// # Errors
    /// When the elements are of another type.
    pub fn view<T: Element>(&self) -> Result<ndarray::ArrayViewD<'a, T>> {
        if !same_bits::<T>(self.dtype) {
            return Err(Error::usage(format!("a block of {} is read as {}", self.dtype, T::DTYPE)));
        }
        let lengths: Vec<usize> = self.shape.iter().map(|&n| n as usize).collect();
        ndarray::ArrayViewD::from_shape(lengths, bytemuck::cast_slice(self.bytes))
            .map_err(|e| Error::usage(e.to_string()))
    }
}

/// Bools travel as `u8`.
fn same_bits<T: Element>(dtype: DType) -> bool {
    T::DTYPE == dtype || (T::DTYPE == DType::U8 && dtype == DType::Bool)
}

/// What lies beyond the array's edges, for `map_overlap` and `pad`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Boundary {
    /// The edge's own value, again and again (`edge` in `numpy.pad`).
    Nearest,
    /// The values inside, mirrored without the edge (`reflect`).
    Reflect,
    /// The other end (`wrap`).
    Periodic,
    /// One value.
    Constant(f64),
}

/// A Rust closure as a [`BlockFunction`].
struct Closure<T, U, F> {
    name: String,
    memory: u64,
    call: F,
    types: std::marker::PhantomData<fn(T) -> U>,
}

impl<T, U, F> BlockFunction for Closure<T, U, F>
where
    T: Element,
    U: Element,
    F: Fn(ndarray::ArrayViewD<'_, T>, ndarray::ArrayViewMutD<'_, U>) + Send + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn memory(&self, _: &[Shape]) -> u64 {
        self.memory
    }

    fn call(&self, block: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        let [input] = inputs else { return Err(Error::usage(format!("'{}' takes one input", self.name))) };
        let lengths: Vec<usize> = block.region.shape.iter().map(|&n| n as usize).collect();
        let out = ndarray::ArrayViewMutD::from_shape(lengths, bytemuck::cast_slice_mut(out));
        (self.call)(input.view::<T>()?, out.map_err(|e| Error::usage(e.to_string()))?);
        Ok(())
    }
}

impl LazyArray {
    /// A function of each block, which keeps its shape. It reads `T` (the array is cast to it) and writes `U`.
    ///
    /// `memory` is what the function allocates by itself, in bytes.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let x = LazyArray::arange(0, 6, 1, &[4])?;
    /// let ranks = x.map_blocks("from the block's end", 0, |block: ndarray::ArrayViewD<'_, i64>, mut out| {
    ///     out.assign(&block);
    ///     out.as_slice_mut().unwrap().reverse();
    /// })?;
    /// assert_eq!(Session::new().compute(&ranks)?.to_vec::<i64>()?, [3, 2, 1, 0, 5, 4]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// None at present.
    pub fn map_blocks<T, U, F>(&self, name: &str, memory: u64, function: F) -> Result<LazyArray>
    where
        T: Element,
        U: Element,
        F: Fn(ndarray::ArrayViewD<'_, T>, ndarray::ArrayViewMutD<'_, U>) + Send + Sync + 'static,
    {
        let function =
            Arc::new(Closure { name: name.to_string(), memory, call: function, types: std::marker::PhantomData });
        LazyArray::blocks(&[self.astype(T::DTYPE)], function, self.shape(), self.chunk(), U::DTYPE)
    }

    /// A function of each block and of what lies around it, `depth` elements along each axis; beyond the array's
    /// edges lies what `boundary` says. The function is given the wider block and writes the block itself.
    ///
    /// # Errors
    /// When there is not one depth an axis, or an axis is too short for its boundary.
    pub fn map_overlap<T, U, F>(
        &self,
        name: &str,
        depth: &[u64],
        boundary: Boundary,
        memory: u64,
        function: F,
    ) -> Result<LazyArray>
    where
        T: Element,
        U: Element,
        F: Fn(ndarray::ArrayViewD<'_, T>, ndarray::ArrayViewMutD<'_, U>) + Send + Sync + 'static,
    {
        if depth.len() != self.ndim() {
            return Err(Error::usage(format!("{} depths for {} dimensions", depth.len(), self.ndim())));
        }
        let widths: Vec<(u64, u64)> = depth.iter().map(|&d| (d, d)).collect();
        let padded = self.astype(T::DTYPE).pad(&widths, boundary)?;
        let function =
            Arc::new(Closure { name: name.to_string(), memory, call: function, types: std::marker::PhantomData });
        let operation = Operation::Blocks { inputs: vec![padded], function, overlap: depth.to_vec() };
        let dims = self.dims().map(<[String]>::to_vec);
        Ok(LazyArray::from_parts(operation, U::DTYPE, self.shape().clone(), dims, self.chunk().clone()))
    }

    /// A function of the blocks of several arrays that have equally many along each axis (or one, which every block
    /// of the result sees), into blocks of shape `chunk` of an array of shape `shape`.
    ///
    /// # Errors
    /// When the numbers of blocks do not agree.
    pub fn blocks(
        inputs: &[LazyArray],
        function: Arc<dyn BlockFunction>,
        shape: &[u64],
        chunk: &[u64],
        dtype: DType,
    ) -> Result<LazyArray> {
        let shape = Shape::from(shape);
        shape.bytes(dtype.size())?;
        let chunk = super::Chunks::from(chunk).resolve(&shape, dtype)?;
        let counts = |shape: &Shape, chunk: &Shape| -> Vec<u64> {
            shape.iter().zip(chunk.iter()).map(|(n, c)| n.div_ceil(*c)).collect()
        };
        let want = counts(&shape, &chunk);
        for input in inputs {
            let have = counts(input.shape(), input.chunk());
            let fits = have.len() == want.len() && have.iter().zip(&want).all(|(&h, &w)| h == w || h == 1);
            if !fits {
                let (have, want) = (Shape(have), Shape(want));
                return Err(Error::usage(format!(
                    "'{}': {have} blocks for a result of {want}; rechunk first",
                    function.name()
                )));
            }
        }
        let dims = inputs.iter().find_map(|i| i.dims()).filter(|d| d.len() == shape.len()).map(<[String]>::to_vec);
        let operation = Operation::Blocks { inputs: inputs.to_vec(), function, overlap: Vec::new() };
        Ok(LazyArray::from_parts(operation, dtype, shape, dims, chunk))
    }
}
