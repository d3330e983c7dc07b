//! Arithmetic, element by element, with the semantics of NumPy 2: [`unary`], [`binary`], [`select`], [`lookup`].
//!
//! An operation first says its types ([`Unary::signature`], [`Binary::signature`]); whoever calls converts the inputs
//! to [`Signature::computes`] (by [`cast`](super::cast::cast)) and gets [`Signature::gives`].
//! Elements are native; bool is a byte, 0 or 1. Slices may start anywhere that is aligned to their elements.
//!
//! Integers wrap around. An integer divided by zero is 0. `float16` is computed in `float32`, each result rounded.

#[macro_use]
mod named;
mod unary;
mod binary;
mod select;
mod lookup;
mod float16;
mod functions;
mod loops;
mod number;
#[cfg(test)]
mod tests;

pub use binary::{Binary, binary};
pub use lookup::{Lookup, lookup};
pub use select::select;
pub use unary::{Unary, unary};

use crate::dtype::{DType, Element};

/// The types of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The type that all inputs are converted to.
    pub computes: DType,
    /// The type of the result.
    pub gives: DType,
}

/// One input of an operation: native elements of the type it computes in.
#[derive(Debug, Clone, Copy)]
pub enum Operand<'a> {
    /// As many elements as the result has.
    Values(&'a [u8]),
    /// One element, met by every element of the other input; see [`Scalar::bytes`](crate::dtype::Scalar::bytes).
    Scalar([u8; 8]),
}

impl<'a> Operand<'a> {
    /// The same elements as numbers, `len` of them.
    ///
    /// # Panics
    /// When there are more or fewer, or they are not aligned.
    fn typed<T: Element>(self, len: usize) -> Typed<'a, T> {
        match self {
            Operand::Values(bytes) => {
                let values: &[T] = elements(bytes);
                assert_eq!(values.len(), len, "as many elements in as out");
                Typed::Values(values)
            }
            Operand::Scalar(bytes) => Typed::Scalar(bytemuck::pod_read_unaligned(&bytes[..size_of::<T>()])),
        }
    }
}

/// An [`Operand`] whose type is known.
#[derive(Clone, Copy)]
enum Typed<'a, T> {
    Values(&'a [T]),
    Scalar(T),
}

/// Bytes as numbers. No bytes are no numbers, wherever they are.
///
/// # Panics
/// When they are not aligned, or the last number is cut.
fn elements<T: Element>(bytes: &[u8]) -> &[T] {
    if bytes.is_empty() { &[] } else { bytemuck::cast_slice(bytes) }
}

/// As [`elements`], to write.
fn elements_mut<T: Element>(bytes: &mut [u8]) -> &mut [T] {
    if bytes.is_empty() { &mut [] } else { bytemuck::cast_slice_mut(bytes) }
}
