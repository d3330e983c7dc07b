use crate::{
    block::Block,
    dtype::{DType, Element},
    error::{Error, Result},
    shape::Shape,
};

/// A computed array: its values in memory, row-major in native byte order.
pub struct Values {
    dtype: DType,
    shape: Shape,
    block: Block,
}

impl Values {
    pub(super) fn new(dtype: DType, shape: Shape, block: Block) -> Values {
        Values { dtype, shape, block }
    }

    /// The type of the values.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The length of each dimension.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The bytes of the values.
    pub fn bytes(&self) -> &[u8] {
        self.block.bytes()
    }

    /// The values, row-major; truth values are read as `u8`.
    ///
    /// # Errors
    /// When they are of another type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        if T::DTYPE != self.dtype && (T::DTYPE, self.dtype) != (DType::U8, DType::Bool) {
            return Err(Error::usage(format!("values of {} are read as {}", self.dtype, T::DTYPE)));
        }
        Ok(bytemuck::cast_slice(self.bytes()))
    }

    /// A copy of the values, row-major.
    ///
    /// # Errors
    /// When they are of another type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        Ok(self.as_slice()?.to_vec())
    }

    /// The values as an `ndarray` view.
    ///
    /// # Errors
    /// When they are of another type.
    pub fn view<T: Element>(&self) -> Result<ndarray::ArrayViewD<'_, T>> {
        let lengths: Vec<usize> = self.shape.iter().map(|&n| n as usize).collect();
        ndarray::ArrayViewD::from_shape(lengths, self.as_slice()?).map_err(|e| Error::usage(e.to_string()))
    }

    /// The one value of an array without dimensions, or of one element.
    ///
    /// # Errors
    /// When there are more or fewer, or of another type.
    pub fn item<T: Element>(&self) -> Result<T> {
        match self.as_slice()? {
            [one] => Ok(*one),
            many => Err(Error::usage(format!("{} values where one is asked for", many.len()))),
        }
    }
}
