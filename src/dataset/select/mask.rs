//! What lies inside a range of coordinates of two dimensions: [`Mask`].

use super::DimKey;
use crate::{array::LazyArray, dtype::DType, error::Result};
use std::collections::BTreeSet;

/// Which places along two dimensions, cut already, are inside; the others are missing.
pub(super) struct Mask {
    /// The dimensions.
    pub dims: [DimKey; 2],
    /// Whether each place is inside: by the names of the dimensions.
    pub inside: LazyArray,
    /// The variables that it does not cover: coordinates.
    pub spared: BTreeSet<String>,
}

impl Mask {
    /// The values of an array where it says so, and NaN elsewhere.
    ///
    /// # Errors
    /// When the array does not have its dimensions.
    pub fn over(&self, array: &LazyArray) -> Result<LazyArray> {
        array.astype(with_missing(array.dtype())).where_else(&self.inside, f64::NAN)
    }
}

/// The smallest float that holds the numbers of a type, as xarray promotes what gets missing values.
pub(super) fn with_missing(dtype: DType) -> DType {
    match dtype {
        DType::F16 | DType::F32 | DType::Bool | DType::I8 | DType::U8 | DType::I16 | DType::U16 => DType::F32,
        _ => DType::F64,
    }
}
