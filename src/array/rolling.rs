//! Folds of windows that move along an axis.

use super::{LazyArray, Operation};
use crate::{
    dtype::{ByteOrder, DType},
    error::{Error, Result},
    kernels::{
        decode::Decode,
        fold::{FoldOptions, Folds, Op},
    },
};

/// A window that moves along an axis, as xarray's `rolling` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rolling {
    /// How many positions it covers.
    pub length: u64,
    /// Which of them the result stands at.
    pub anchor: Anchor,
}

/// Where in a window its result stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// At the last position: the window of `i` is `i - length + 1 ..= i`.
    Last,
    /// In the middle, behind it where the length is even: the window of `i` begins at `i - length / 2`.
    Center,
}

impl Rolling {
    /// How many positions of a window lie before its result, and how many after.
    pub fn reach(&self) -> [u64; 2] {
        let before = match self.anchor {
            Anchor::Last => self.length.saturating_sub(1),
            Anchor::Center => self.length / 2,
        };
        [before, self.length.saturating_sub(1) - before]
    }
}

impl LazyArray {
    /// One value for the window around each position along an axis. The *shape* is that of the array; windows are cut
    /// off at its ends.
    ///
    /// *Missing*: a window of fewer than `options.min_count` values is (`count`, `any` and `all` do not ask). Where
    /// `min_count` is larger than 1, integers are taken as float64, so that there is something to say so.
    ///
    /// Every window is folded anew, without subtraction: nothing drifts. The bits depend on neither blocks, threads nor
    /// memory. What it costs does not depend on the length; memory is needed for one window of a tile of the other axes.
    ///
    /// # Errors
    /// When there is no such axis, the window has no length, or the operation gives positions.
    ///
    /// # Example
    /// ```
    /// use aosx::{array::{Anchor, Rolling}, kernels::fold::{FoldOptions, Op}, prelude::*};
    ///
    /// let x = LazyArray::arange(0, 5, 1, &[5])?;
    /// let window = Rolling { length: 3, anchor: Anchor::Last };
    /// let sums = x.rolling(0, window, Op::Sum, FoldOptions::default())?;
    /// assert_eq!(Session::new().compute(&sums)?.to_vec::<i64>()?, [0, 1, 3, 6, 9]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn rolling(&self, axis: usize, window: Rolling, op: Op, options: FoldOptions) -> Result<LazyArray> {
        let axis = self.axis(axis as i64)?;
        if window.length == 0 {
            return Err(Error::usage("a window of no length"));
        }
        if matches!(op, Op::ArgMin | Op::ArgMax) {
            return Err(Error::usage(format!("{op} of windows: the positions would be those in the whole array")));
        }
        let counts = matches!(op, Op::Count | Op::Any | Op::All);
        let floats = options.min_count > 1 && !counts && !self.dtype().is_float();
        let input = if floats { self.astype(DType::F64) } else { self.clone() };
        let dtype = Folds::new(&[op], &Decode::plain(input.dtype(), ByteOrder::NATIVE), options).result_dtype(op);
        let operation = Operation::Rolling { input, axis, window, op, options };
        Ok(self.like(operation, dtype))
    }
}
