//! Finding elements in a sorted table: `isin` and `searchsorted`.

use super::{elements, elements_mut};
use crate::{
    dtype::{DType, Element},
    with_dtype,
};
use std::hint::select_unpredictable;

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
        let (x, table) = (elements::<T>(x), Table::new(elements(sorted)));
        match how {
            Lookup::IsIn => each(x, out, |x| u8::from(table.contains(x))),
            Lookup::NotIn => each(x, out, |x| u8::from(!table.contains(x))),
            Lookup::SearchLeft => each(x, out, |x| table.smaller(x) as i64),
            Lookup::SearchRight => each(x, out, |x| table.smaller_or_equal(x) as i64),
        }
    });
}

#[inline(always)]
fn each<T: Element, R: Element>(x: &[T], out: &mut [u8], f: impl Fn(T) -> R) {
    let out: &mut [R] = elements_mut(out);
    assert_eq!(x.len(), out.len(), "as many elements in as out");
    out.iter_mut().zip(x).for_each(|(y, x)| *y = f(*x));
}

/// A sorted table, in NumPy's order: NaN comes last.
struct Table<'a, T> {
    numbers: &'a [T],
    nans: usize,
}

impl<'a, T: Element> Table<'a, T> {
    #[allow(clippy::eq_op)] // NaN alone differs from itself
    fn new(sorted: &'a [T]) -> Table<'a, T> {
        let numbers = &sorted[..sorted.partition_point(|y| y == y)];
        Table { numbers, nans: sorted.len() - numbers.len() }
    }

    #[inline(always)]
    fn contains(&self, x: T) -> bool {
        self.numbers.get(first(self.numbers, |y| y < x)) == Some(&x)
    }

    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn smaller(&self, x: T) -> usize {
        if x == x { first(self.numbers, |y| y < x) } else { self.numbers.len() }
    }

    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn smaller_or_equal(&self, x: T) -> usize {
        if x == x { first(self.numbers, |y| y <= x) } else { self.numbers.len() + self.nans }
    }
}

/// How many elements at the front are `before`, found without branches, half of which would be mispredicted.
#[inline(always)]
fn first<T: Copy>(sorted: &[T], before: impl Fn(T) -> bool) -> usize {
    let (mut start, mut len) = (0, sorted.len());
    while len > 1 {
        let half = len / 2;
        start = select_unpredictable(before(sorted[start + half - 1]), start + half, start);
        len -= half;
    }
    start + usize::from(len == 1 && before(sorted[start]))
}
