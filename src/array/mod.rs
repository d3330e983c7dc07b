//! [`LazyArray`]: what is to be computed, said before anything is read. NumPy's language over blocks.
//!
//! An array knows its type, shape, block shape and, where it has any, the names of its dimensions; it holds no values.
//! Every operation is one of a closed list ([`Operation`]), and checks its arguments at once: what has been built can
//! be computed. The methods are in files by theme, and follow the Python array API standard (2025.12) and NumPy 2:
//!
//! | | |
//! |---|---|
//! | [creation](create) | `zeros`, `ones`, `full`, `arange`, `linspace`, `eye`, `random`, from `ndarray`, from a function |
//! | [`elementwise`] | operators, all functions of the standard, `astype`, `where`, `clip`, `isin`, `searchsorted` |
//! | [indexing](index) | slices, integers, arrays of integers, masks, assignment of a region |
//! | [shape](manipulate) | transpose, reshape, concat, stack, pad, roll, repeat, tile, rechunk ... |
//! | [reductions](reduce) | `sum` to `argmax`, nan-forms, `average`, `cumsum`, `diff`, `histogram`, `sort`, own folds |
//! | [groups](Groups) | `grouped`: any reduction of each group of positions; `grouped_order`; `spread`: back to the positions |
//! | [weights](AxisWeights) | `weighted_by`, `weighted_groups`: sum, mean, var, std; `quantile_by`; a missing value takes its weight out |
//! | [windows](Rolling) | `rolling`: any reduction of the window around each position |
//! | [products](linalg) | `matmul`, `dot`, `tensordot`, `einsum`, `trace`, `norm`, QR and SVD of tall arrays |
//! | [statistics](Fit) | lines fitted to series, correlation, regression, spells |
//! | made of these | `isclose`, `nan_to_num`, `interp`, `gradient`, `cov`, `corrcoef` |
//! | [`blocks`] | `map_blocks`, `map_overlap` |

mod assign;
mod access;
pub mod blocks;
mod broadcast;
pub mod create;
mod derived;
pub mod einsum;
pub mod elementwise;
mod factor;
mod grouped;
mod grouped_order;
mod histogram;
pub mod index;
pub mod linalg;
pub mod manipulate;
mod order;
mod over;
pub mod reduce;
pub mod reshape;
mod rolling;
mod spread;
mod statistics;
mod view;
mod weighted;

pub use access::Access;
pub use blocks::{BlockFunction, BlockInfo, BlockInput, Boundary};
pub use broadcast::common_block;
pub use create::{Chunks, Creation, Data};
pub use derived::{Closeness, Spacing};
pub use einsum::Contract;
pub use elementwise::MapOp;
pub(crate) use grouped::no_result;
pub use grouped::{Folding, Groups};
pub use index::Index;
pub use linalg::MatrixNorm;
pub use rolling::{Anchor, Rolling};
pub use statistics::{Fit, WindowShape};
pub use view::{Along, Picks, View};
pub use weighted::{AxisWeights, Products};

use crate::{
    dtype::DType,
    error::{Error, Problem, Result},
    kernels::{
        decode::Decode,
        fold::{FoldOptions, Op, Reducer},
        lanes::{LaneOp, OrderStatistic},
    },
    shape::Shape,
    source::{Source, StoredType},
};
use std::sync::Arc;

/// An array that knows its type, shape, dimensions and blocks, and how to be computed; it holds no values.
///
/// Cloning is cheap, and clones are the same array: what is used twice is computed once.
///
/// # Example
/// ```
/// use aosx::prelude::*;
///
/// let x = LazyArray::ones(&[15, 15], &[5, 5], DType::F64)?;
/// let y = (&x + x.transpose()).sum(&[1])?;
/// assert_eq!((&**y.shape(), y.dtype()), ([15].as_slice(), DType::F64));
/// let values: Vec<f64> = Session::new().compute(&y)?.to_vec()?;
/// assert_eq!(values, [30.0; 15]);
/// # Ok::<(), aosx::error::Error>(())
/// ```
#[derive(Clone)]
pub struct LazyArray(Arc<Node>);

struct Node {
    operation: Operation,
    dtype: DType,
    shape: Shape,
    dims: Option<Vec<String>>,
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
    /// Values that are made, not read.
    Create(Creation),
    /// One function of each element, or of the elements of several inputs at one place. All inputs have its shape, or
    /// no dimensions.
    Map {
        /// The function.
        op: MapOp,
        /// What it is a function of, in the type that it computes in.
        inputs: Vec<LazyArray>,
    },
    /// Elements of the input in other places.
    View {
        /// Whose elements.
        input: LazyArray,
        /// Which.
        view: View,
    },
    /// The elements in row-major order, under another shape.
    Reshape {
        /// Whose elements.
        input: LazyArray,
    },
    /// One behind the other along an axis.
    Concat {
        /// The parts, of one type.
        inputs: Vec<LazyArray>,
        /// Along which axis.
        axis: usize,
    },
    /// Elements at given positions along an axis.
    Take {
        /// Whose elements.
        input: LazyArray,
        /// Along which axis.
        axis: usize,
        /// Which positions, each inside the axis.
        index: Arc<[u64]>,
    },
    /// Elements at positions that another array says, along an axis.
    TakeAlong {
        /// Whose elements.
        input: LazyArray,
        /// Along which axis.
        axis: usize,
        /// Which positions: of int64, and of the input's shape but for that axis.
        index: LazyArray,
    },
    /// A function of all values along one axis.
    Lanes {
        /// The values.
        input: LazyArray,
        /// Along which axis.
        axis: usize,
        /// The function.
        op: LaneOp,
    },
    /// A fold of the window around each position along one axis.
    Rolling {
        /// The values.
        input: LazyArray,
        /// Along which axis.
        axis: usize,
        /// The window.
        window: Rolling,
        /// How.
        op: Op,
        /// Degrees of freedom, rules for missing values.
        options: FoldOptions,
    },
    /// The matrix product over the last two axes; those before are equal.
    MatMul {
        /// `[..., m, k]`
        a: LazyArray,
        /// `[..., k, n]`
        b: LazyArray,
    },
    /// A user's function of whole blocks.
    Blocks {
        /// Arrays with equally many blocks along each axis.
        inputs: Vec<LazyArray>,
        /// The function.
        function: Arc<dyn BlockFunction>,
        /// By how much each input's blocks reach into their neighbours, along each axis.
        overlap: Vec<u64>,
    },
    /// The same values in blocks of another shape.
    Rechunk {
        /// The values.
        input: LazyArray,
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
    /// One value for all along some axes, by a user's fold.
    Fold {
        /// What is reduced.
        input: LazyArray,
        /// How.
        reducer: Arc<dyn Reducer>,
        /// For each axis of the input, whether it is reduced.
        reduced: Vec<bool>,
    },
    /// One value for each group of positions along some axes.
    Grouped {
        /// What is reduced.
        input: LazyArray,
        /// How.
        fold: Folding,
        /// Of the positions along the grouped axes, row-major.
        groups: Groups,
        /// For each axis of the input, whether the groups are along it.
        grouped: Vec<bool>,
        /// For each axis of the input, whether it is reduced, as those are.
        reduced: Vec<bool>,
    },
    /// The same values, computed once and held in memory while they are needed.
    Hold {
        /// The values.
        input: LazyArray,
    },
}

impl LazyArray {
    /// The values of a variable as stored. *Shape*, dimensions and blocks are the source's. Single characters are
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
        Ok(LazyArray::from_parts(Operation::Source(source), dtype, shape, Some(dims), chunk))
    }

    /// The same array with missing values as NaN, scaled and offset.
    ///
    /// What is decoded are the stored numbers, wherever parts of them stand; and what is computed already has no other
    /// meaning than its own, which `decode` has to be then.
    pub fn decode(&self, decode: Decode) -> LazyArray {
        let result = decode.result;
        let inner = |input: &LazyArray| input.decode(decode.clone());
        let operation = match self.operation() {
            Operation::Source(source) => {
                let decode = Decode { order: source.layout().order, ..decode };
                Operation::Decode { input: self.clone(), decode }
            }
            Operation::View { input, view } => Operation::View { input: inner(input), view: view.clone() },
            Operation::Take { input, axis, index } => {
                Operation::Take { input: inner(input), axis: *axis, index: index.clone() }
            }
            Operation::Concat { inputs, axis } => {
                Operation::Concat { inputs: inputs.iter().map(inner).collect(), axis: *axis }
            }
            _ if decode == Decode::plain(self.dtype(), decode.order) => return self.astype(result),
            _ => Operation::Decode { input: self.clone(), decode },
        };
        self.like(operation, result)
    }

    /// Whether its values are numbers as they are stored, in whatever places.
    pub fn is_stored(&self) -> bool {
        match self.operation() {
            Operation::Source(_) => true,
            Operation::View { input, .. } | Operation::Take { input, .. } => input.is_stored(),
            Operation::Concat { inputs, .. } => inputs.iter().all(LazyArray::is_stored),
            _ => false,
        }
    }

    /// The same values, computed once and held in memory for as long as they are needed: for what is small, dear to
    /// compute, and used in many places. Reductions are held without being asked, but where it is less work not to.
    pub fn hold(&self) -> LazyArray {
        self.like(Operation::Hold { input: self.clone() }, self.dtype())
    }

    /// The one place where nodes are made. Blocks are never longer than the array, nor empty.
    fn from_parts(
        operation: Operation,
        dtype: DType,
        shape: Shape,
        dims: Option<Vec<String>>,
        chunk: Shape,
    ) -> LazyArray {
        debug_assert!(dims.as_ref().is_none_or(|d| d.len() == shape.len()) && chunk.len() == shape.len());
        let chunk = match operation {
            // A source's chunks are as they are stored, also beyond the end of a growing dimension.
            Operation::Source(_) => chunk,
            _ => chunk.iter().zip(shape.iter()).map(|(&c, &n)| c.clamp(1, n.max(1))).collect(),
        };
        LazyArray(Arc::new(Node { operation, dtype, shape, dims, chunk }))
    }

    /// An operation that keeps shape, names and blocks.
    fn like(&self, operation: Operation, dtype: DType) -> LazyArray {
        LazyArray::from_parts(operation, dtype, self.0.shape.clone(), self.0.dims.clone(), self.0.chunk.clone())
    }

    /// The type of its values.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// The length of each dimension.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// The number of dimensions.
    pub fn ndim(&self) -> usize {
        self.0.shape.len()
    }

    /// The number of elements.
    pub fn size(&self) -> u64 {
        self.0.shape.iter().product()
    }

    /// The name of each dimension, where it has names.
    pub fn dims(&self) -> Option<&[String]> {
        self.0.dims.as_deref()
    }

    /// The same array with names for its dimensions; arrays that both have names broadcast by name.
    ///
    /// # Errors
    /// When there are not as many names as dimensions, or one comes twice.
    pub fn with_dims(&self, dims: &[&str]) -> Result<LazyArray> {
        if dims.len() != self.ndim() {
            return Err(Error::usage(format!("{} names for {} dimensions", dims.len(), self.ndim())));
        }
        if let Some(twice) = dims.iter().enumerate().find(|(k, d)| dims[..*k].contains(d)) {
            return Err(Error::usage(format!("dimension '{}' is named twice", twice.1)));
        }
        let dims = dims.iter().map(|d| d.to_string()).collect();
        let view = Operation::View { input: self.clone(), view: View::identity(self.shape()) };
        Ok(LazyArray::from_parts(view, self.dtype(), self.shape().clone(), Some(dims), self.chunk().clone()))
    }

    /// The same array without names for its dimensions: it broadcasts by position.
    pub fn without_dims(&self) -> LazyArray {
        let view = Operation::View { input: self.clone(), view: View::identity(self.shape()) };
        LazyArray::from_parts(view, self.dtype(), self.shape().clone(), None, self.chunk().clone())
    }

    /// The shape of the blocks in which it is computed; those at the upper edges may be cut short.
    pub fn chunk(&self) -> &Shape {
        &self.0.chunk
    }

    /// What it is.
    pub fn operation(&self) -> &Operation {
        &self.0.operation
    }

    /// Whether it is a count or a position among fewer than `limit` values, as its form says before it is computed.
    pub fn counts_below(&self, limit: u64) -> bool {
        match self.operation() {
            Operation::Reduce { input, op: Op::Count | Op::ArgMin | Op::ArgMax, .. } => {
                input.shape().elements().is_ok_and(|n| n < limit)
            }
            Operation::Grouped { input, fold, .. } => {
                matches!(fold.op(), Some(Op::Count | Op::ArgMin | Op::ArgMax))
                    && input.shape().elements().is_ok_and(|n| n < limit)
            }
            Operation::Lanes { input, axis, op: LaneOp::Statistic { statistic: OrderStatistic::NUnique, .. } } => {
                input.shape()[*axis] < limit
            }
            Operation::View { input, .. } => input.counts_below(limit),
            _ => false,
        }
    }

    /// Whether two are the same array, not merely equal.
    pub fn is(&self, other: &LazyArray) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Where the node lies: the same for clones, and for nothing else alive.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// The arrays that it is directly computed from.
    pub fn inputs(&self) -> Vec<&LazyArray> {
        match &self.0.operation {
            Operation::Source(_) | Operation::Create(_) => Vec::new(),
            Operation::Map { inputs, .. } | Operation::Concat { inputs, .. } | Operation::Blocks { inputs, .. } => {
                inputs.iter().collect()
            }
            Operation::TakeAlong { input, index, .. } => vec![input, index],
            Operation::MatMul { a, b } => vec![a, b],
            Operation::Decode { input, .. }
            | Operation::View { input, .. }
            | Operation::Reshape { input }
            | Operation::Take { input, .. }
            | Operation::Lanes { input, .. }
            | Operation::Rolling { input, .. }
            | Operation::Rechunk { input }
            | Operation::Reduce { input, .. }
            | Operation::Fold { input, .. }
            | Operation::Grouped { input, .. }
            | Operation::Hold { input } => vec![input],
        }
    }

    /// The position of an axis, counted from the end where negative.
    ///
    /// # Errors
    /// When there is no such axis.
    pub(crate) fn axis(&self, axis: i64) -> Result<usize> {
        let rank = self.ndim() as i64;
        let at = if axis < 0 { axis + rank } else { axis };
        if !(0..rank).contains(&at) {
            return Err(Error::usage(format!("axis {axis} of an array of {rank} dimensions")));
        }
        Ok(at as usize)
    }

    /// Several axes, counted from the end where negative, in the order given.
    ///
    /// # Errors
    /// When one does not exist or is named twice.
    pub(crate) fn axes(&self, axes: &[i64]) -> Result<Vec<usize>> {
        let mut out = Vec::with_capacity(axes.len());
        for &axis in axes {
            let at = self.axis(axis)?;
            if out.contains(&at) {
                return Err(Error::usage(format!("axis {axis} is named twice")));
            }
            out.push(at);
        }
        Ok(out)
    }

    /// The position of a dimension by name.
    ///
    /// # Errors
    /// When no dimension is called so.
    pub fn dim(&self, name: &str) -> Result<i64> {
        let dims = self.dims().unwrap_or_default();
        dims.iter().position(|d| d == name).map(|k| k as i64).ok_or_else(|| {
            let known = crate::error::closest(name, dims.iter().map(String::as_str));
            Problem::NoSuchDimension { name: name.to_string(), known }.into()
        })
    }

    /// How its values are read: by its own decoding, or as they are stored.
    pub(crate) fn meaning(&self) -> Decode {
        match &self.0.operation {
            Operation::Decode { decode, .. } => decode.clone(),
            Operation::Source(source) => Decode::plain(self.0.dtype, source.layout().order),
            _ => Decode::plain(self.0.dtype, crate::dtype::ByteOrder::NATIVE),
        }
    }
}

impl std::fmt::Debug for LazyArray {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dims = self.dims().map(|d| d.join(", ")).unwrap_or_default();
        write!(f, "LazyArray({} {}{} in blocks of {})", self.dtype(), dims, self.shape(), self.chunk())
    }
}
