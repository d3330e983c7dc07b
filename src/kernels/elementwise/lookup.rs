//! Finding elements in a sorted table: `isin` and `searchsorted`.

use crate::{
    dtype::{DType, Element},
    with_dtype,
};

/// What is asked of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// Whether the element is in the table; NaN never is.
    IsIn,
    /// The opposite: NaN is not in it.
    NotIn,
    /// How many elements of the table are smaller: `searchsorted(side="left")`.
    SearchLeft,
    /// How many elements of the table are smaller or equal: `searchsorted(side="right")`.
    SearchRight,
}

impl Lookup {
    /// The type of the answers: bool, or `int64` for a position.
    pub const fn gives(self) -> DType {
        match self {
            Lookup::IsIn | Lookup::NotIn => DType::Bool,
            Lookup::SearchLeft | Lookup::SearchRight => DType::I64,
        }
    }
}

/// Looks every element of `x` up in `sorted`, native elements of the same type in ascending order, NaN last.
///
/// # Panics
/// When the lengths do not match, or a slice is not aligned to its elements.
pub fn lookup(how: Lookup, dtype: DType, x: &[u8], sorted: &[u8], out: &mut [u8]) {
    with_dtype!(dtype, T => {
        let (x, sorted): (&[T], &[T]) = (bytemuck::cast_slice(x), bytemuck::cast_slice(sorted));
        match how {
            Lookup::IsIn => each(x, out, |x| u8::from(contains(sorted, x))),
            Lookup::NotIn => each(x, out, |x| u8::from(!contains(sorted, x))),
            Lookup::SearchLeft => each(x, out, |x| sorted.partition_point(|y| before(*y, x)) as i64),
            Lookup::SearchRight => each(x, out, |x| sorted.partition_point(|y| !before(x, *y)) as i64),
        }
    });
}

#[inline(always)]
fn each<T: Element, R: Element>(x: &[T], out: &mut [u8], f: impl Fn(T) -> R) {
    let out: &mut [R] = bytemuck::cast_slice_mut(out);
    assert_eq!(x.len(), out.len(), "as many elements in as out");
    out.iter_mut().zip(x).for_each(|(y, x)| *y = f(*x));
}

#[inline(always)]
fn contains<T: Element>(sorted: &[T], x: T) -> bool {
    sorted.get(sorted.partition_point(|y| *y < x)) == Some(&x)
}

/// NumPy's order of floats: NaN comes last. Without branches, which a search would mispredict.
#[inline(always)]
#[allow(clippy::eq_op)] // NaN alone differs from itself
fn before<T: Element>(a: T, b: T) -> bool {
    (a < b) | ((b != b) & (a == a))
}
