//! [`Conversion`]: values of one unit as values of another.

use crate::{array::LazyArray, dtype::DType, error::Result, kernels::elementwise::Binary};

/// A linear map: `x * factor + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    /// What values are multiplied with.
    pub factor: f64,
    /// What is added then.
    pub offset: f64,
}

impl Conversion {
    /// Whether values stay as they are.
    pub fn is_identity(&self) -> bool {
        self.factor == 1.0 && self.offset == 0.0
    }

    /// One value in the other unit.
    pub fn apply(&self, value: f64) -> f64 {
        value * self.factor + self.offset
    }

    /// All values in the other unit: of the same floating type, rounded once from float64, and float64 of integers.
    ///
    /// # Errors
    /// None for numbers; truth values become them.
    pub fn of_array(&self, array: &LazyArray) -> Result<LazyArray> {
        if self.is_identity() {
            return Ok(array.clone());
        }
        let back = if array.dtype().is_float() { array.dtype() } else { DType::F64 };
        let mut out = array.astype(DType::F64);
        if self.factor != 1.0 {
            out = out.binary_scalar(Binary::Multiply, self.factor)?;
        }
        if self.offset != 0.0 {
            out = out.binary_scalar(Binary::Add, self.offset)?;
        }
        Ok(out.astype(back))
    }
}
