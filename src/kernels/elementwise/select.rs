//! `where`: one of two values, by a mask.

use super::{Operand, Typed, elements_mut, number::Integer};
use crate::dtype::DType;

/// `out = where(mask, a, b)`: `a` where the mask is true.
///
/// # Panics
/// When the lengths do not match, or a slice is not aligned to its elements.
pub fn select(dtype: DType, mask: &[u8], a: Operand<'_>, b: Operand<'_>, out: &mut [u8]) {
    match dtype.size() {
        1 => select_bits::<u8>(mask, a, b, out),
        2 => select_bits::<u16>(mask, a, b, out),
        4 => select_bits::<u32>(mask, a, b, out),
        _ => select_bits::<u64>(mask, a, b, out),
    }
}

fn select_bits<T: Integer>(mask: &[u8], a: Operand<'_>, b: Operand<'_>, out: &mut [u8]) {
    let out: &mut [T] = elements_mut(out);
    let len = out.len();
    assert_eq!(mask.len(), len, "a mask for every element");
    match (a.typed(len), b.typed(len)) {
        (Typed::Values(a), Typed::Values(b)) => of_values(mask, a, b, out),
        (Typed::Values(a), Typed::Scalar(b)) => or_scalar(mask, a, b, out),
        (Typed::Scalar(a), Typed::Values(b)) => or_values(mask, a, b, out),
        (Typed::Scalar(a), Typed::Scalar(b)) => of_scalars(mask, a, b, out),
    }
}

/// By bits: a branch between two loads would not become a vector loop.
#[inline(always)]
fn one_of<T: Integer>(mask: u8, a: T, b: T) -> T {
    let ones = T::ZERO.minus(T::from(mask != 0));
    b.xor(a.xor(b).and(ones))
}

vectorised! {
    fn of_values[T: Integer](mask: &[u8], a: &[T], b: &[T], out: &mut [T]) -> () {
        for (((y, m), a), b) in out.iter_mut().zip(mask).zip(a).zip(b) {
            *y = one_of(*m, *a, *b);
        }
    }
}

vectorised! {
    fn or_scalar[T: Integer](mask: &[u8], a: &[T], b: T, out: &mut [T]) -> () {
        for ((y, m), a) in out.iter_mut().zip(mask).zip(a) {
            *y = one_of(*m, *a, b);
        }
    }
}

vectorised! {
    fn or_values[T: Integer](mask: &[u8], a: T, b: &[T], out: &mut [T]) -> () {
        for ((y, m), b) in out.iter_mut().zip(mask).zip(b) {
            *y = one_of(*m, a, *b);
        }
    }
}

vectorised! {
    fn of_scalars[T: Integer](mask: &[u8], a: T, b: T, out: &mut [T]) -> () {
        for (y, m) in out.iter_mut().zip(mask) {
            *y = one_of(*m, a, b);
        }
    }
}
