//! The loops: over one input, and over two of which one may be a scalar.

use super::{Operand, Typed, elements_mut};
use crate::dtype::Element;

/// A function of one number.
pub(super) trait Function<T> {
    /// What it gives.
    type Gives: Element;
    fn of(x: T) -> Self::Gives;
}

/// A function of two numbers.
pub(super) trait Function2<T> {
    /// What it gives.
    type Gives: Element;
    fn of(a: T, b: T) -> Self::Gives;
}

/// Two inputs, at least one of which has values.
pub(super) enum Pair<'a, T> {
    Both(&'a [T], &'a [T]),
    Right(&'a [T], T),
    Left(T, &'a [T]),
}

impl<'a, T: Element> Pair<'a, T> {
    /// # Panics
    /// When values are not `len` elements, or there are none.
    pub fn new(a: Operand<'a>, b: Operand<'a>, len: usize) -> Pair<'a, T> {
        match (a.typed(len), b.typed(len)) {
            (Typed::Values(a), Typed::Values(b)) => Pair::Both(a, b),
            (Typed::Values(a), Typed::Scalar(b)) => Pair::Right(a, b),
            (Typed::Scalar(a), Typed::Values(b)) => Pair::Left(a, b),
            (Typed::Scalar(_), Typed::Scalar(_)) => unreachable!("two scalars are computed once and repeated"),
        }
    }

    /// The second input first.
    pub fn swapped(self) -> Pair<'a, T> {
        match self {
            Pair::Both(a, b) => Pair::Both(b, a),
            Pair::Right(a, b) => Pair::Left(b, a),
            Pair::Left(a, b) => Pair::Right(b, a),
        }
    }
}

/// `out = F(x)`.
pub(super) fn map<T: Element, F: Function<T>>(x: &[T], out: &mut [u8]) {
    let out = elements_mut(out);
    assert_eq!(x.len(), out.len(), "as many elements in as out");
    mapped::<T, F>(x, out);
}

/// `out = F(a, b)`.
pub(super) fn combine<T: Element, F: Function2<T>>(pair: Pair<'_, T>, out: &mut [u8]) {
    let out = elements_mut(out);
    match pair {
        Pair::Both(a, b) => both::<T, F>(a, b, out),
        Pair::Right(a, b) => right::<T, F>(a, b, out),
        Pair::Left(a, b) => left::<T, F>(a, b, out),
    }
}

/// `out = F(a, b)`, which is F(b, a): a loop less to compile.
pub(super) fn combine_either_way<T: Element, F: Function2<T>>(pair: Pair<'_, T>, out: &mut [u8]) {
    let out = elements_mut(out);
    match pair {
        Pair::Both(a, b) => both::<T, F>(a, b, out),
        Pair::Right(a, b) | Pair::Left(b, a) => right::<T, F>(a, b, out),
    }
}

/// `out = f(x)`, by a call an element.
pub(super) fn map_by<T: Element>(f: fn(T) -> T, x: &[T], out: &mut [u8]) {
    let out: &mut [T] = elements_mut(out);
    assert_eq!(x.len(), out.len(), "as many elements in as out");
    out.iter_mut().zip(x).for_each(|(y, x)| *y = f(*x));
}

/// `out = f(a, b)`, by a call an element.
pub(super) fn combine_by<T: Element>(f: fn(T, T) -> T, pair: Pair<'_, T>, out: &mut [u8]) {
    let out: &mut [T] = elements_mut(out);
    match pair {
        Pair::Both(a, b) => out.iter_mut().zip(a).zip(b).for_each(|((y, a), b)| *y = f(*a, *b)),
        Pair::Right(a, b) => out.iter_mut().zip(a).for_each(|(y, a)| *y = f(*a, b)),
        Pair::Left(a, b) => out.iter_mut().zip(b).for_each(|(y, b)| *y = f(a, *b)),
    }
}

vectorised! {
    fn mapped[T: Element, F: Function<T>](x: &[T], out: &mut [F::Gives]) -> () {
        for (y, x) in out.iter_mut().zip(x) {
            *y = F::of(*x);
        }
    }
}

vectorised! {
    fn both[T: Element, F: Function2<T>](a: &[T], b: &[T], out: &mut [F::Gives]) -> () {
        for ((y, a), b) in out.iter_mut().zip(a).zip(b) {
            *y = F::of(*a, *b);
        }
    }
}

vectorised! {
    fn right[T: Element, F: Function2<T>](a: &[T], b: T, out: &mut [F::Gives]) -> () {
        for (y, a) in out.iter_mut().zip(a) {
            *y = F::of(*a, b);
        }
    }
}

vectorised! {
    fn left[T: Element, F: Function2<T>](a: T, b: &[T], out: &mut [F::Gives]) -> () {
        for (y, b) in out.iter_mut().zip(b) {
            *y = F::of(a, *b);
        }
    }
}
