//! Running sums, products and extremes.
//!
//! Each result is the one before it and one element, in order, so that the bits are NumPy's. Along an axis that is not
//! the last, rows are added to rows, which is vectorised.

use super::{LaneOp, Lanes, number::Number};
use crate::{dtype::DType, with_dtype};

/// Columns that are worked on together, so that the row before stays in the first-level cache.
const TILE: usize = 1024;

/// Where running results come from, and where they go.
pub struct Onward<'a> {
    /// The results of the row before, `[outer, inner]`; those of the last row afterwards.
    pub carry: &'a mut [u8],
    /// Whether there is no row before.
    pub begins: bool,
    /// Rows of the output.
    pub pitch: usize,
    /// The first of them that is written.
    pub at: usize,
}

/// All rows, from the first one on.
pub(super) fn whole(op: &LaneOp, dtype: DType, src: &[u8], lanes: Lanes, out: &mut [u8]) {
    cumulate(op, dtype, src, lanes, Onward { carry: &mut [], begins: true, pitch: lanes.n, at: 0 }, out);
}

pub(super) fn cumulate(op: &LaneOp, dtype: DType, src: &[u8], lanes: Lanes, onward: Onward<'_>, out: &mut [u8]) {
    with_dtype!(dtype, T => match op {
        LaneOp::CumSum => run::<T, Sum>(src, lanes, onward, out),
        LaneOp::CumProd => run::<T, Product>(src, lanes, onward, out),
        LaneOp::NanCumSum => run::<T, NanSum>(src, lanes, onward, out),
        LaneOp::NanCumProd => run::<T, NanProduct>(src, lanes, onward, out),
        LaneOp::CumMax => run::<T, Most>(src, lanes, onward, out),
        _ => run::<T, Least>(src, lanes, onward, out),
    })
}

/// How one result follows from the one before it.
trait Step<T: Number> {
    type Out: Number;
    /// The first result.
    fn start(x: T) -> Self::Out;
    fn next(before: Self::Out, x: T) -> Self::Out;
}

struct Sum;
struct Product;
struct NanSum;
struct NanProduct;
struct Most;
struct Least;

macro_rules! steps {
    ($($step:ident $out:ty, $x:ident => $start:expr, $before:ident => $next:expr;)*) => {$(
        impl<T: Number> Step<T> for $step {
            type Out = $out;
            #[inline(always)]
            fn start($x: T) -> $out { $start }
            #[inline(always)]
            fn next($before: $out, $x: T) -> $out { $next }
        }
    )*};
}
steps! {
    Sum T::Wide, x => x.wide(), before => before.plus(x.wide());
    Product T::Wide, x => x.wide(), before => before.times(x.wide());
    NanSum T::Wide, x => or(x, T::ZERO).wide(), before => before.plus(or(x, T::ZERO).wide());
    NanProduct T::Wide, x => or(x, T::ONE).wide(), before => before.times(or(x, T::ONE).wide());
    // NaN stays, for nothing is larger than it.
    Most T, x => x, before => if x > before || x.is_nan() && !before.is_nan() { x } else { before };
    Least T, x => x, before => if x < before || x.is_nan() && !before.is_nan() { x } else { before };
}

#[inline(always)]
fn or<T: Number>(x: T, instead: T) -> T {
    if x.is_nan() { instead } else { x }
}

fn run<T: Number, S: Step<T>>(src: &[u8], lanes: Lanes, onward: Onward<'_>, out: &mut [u8]) {
    let src: &[T] = bytemuck::cast_slice(src);
    let out: &mut [S::Out] = bytemuck::cast_slice_mut(out);
    let Onward { carry, begins, pitch, at } = onward;
    // Empty where nobody wants it.
    let carry: &mut [S::Out] = if carry.is_empty() { &mut [] } else { bytemuck::cast_slice_mut(carry) };
    let Lanes { n, inner, .. } = lanes;
    let slabs = src.chunks_exact(n * inner).zip(out.chunks_exact_mut(pitch * inner)).enumerate();
    for (k, (x, y)) in slabs {
        let y = &mut y[at * inner..(at + n) * inner];
        let carry = carry.get_mut(k * inner..(k + 1) * inner).unwrap_or_default();
        match inner {
            1 => along::<T, S>(x, y, carry, begins),
            _ => slab::<T, S>(x, y, inner, carry, begins),
        }
    }
}

/// Rows of several columns. `carry` is empty where nobody wants it.
fn slab<T: Number, S: Step<T>>(x: &[T], y: &mut [S::Out], inner: usize, carry: &mut [S::Out], begins: bool) {
    for from in (0..inner).step_by(TILE) {
        let columns = from..inner.min(from + TILE);
        match begins {
            true => first::<T, S>(&x[columns.clone()], &mut y[columns.clone()]),
            false => across::<T, S>(&carry[columns.clone()], &x[columns.clone()], &mut y[columns.clone()]),
        }
        for j in 1..x.len() / inner {
            let (done, rest) = y.split_at_mut(j * inner);
            let before = &done[(j - 1) * inner..][columns.clone()];
            across::<T, S>(before, &x[j * inner..][columns.clone()], &mut rest[columns.clone()]);
        }
    }
    if !carry.is_empty() {
        carry.copy_from_slice(&y[y.len() - inner..]);
    }
}

fn first<T: Number, S: Step<T>>(x: &[T], y: &mut [S::Out]) {
    x.iter().zip(y).for_each(|(x, y)| *y = S::start(*x));
}

fn along<T: Number, S: Step<T>>(x: &[T], y: &mut [S::Out], carry: &mut [S::Out], begins: bool) {
    let mut so_far = if begins { S::start(x[0]) } else { S::next(carry[0], x[0]) };
    y[0] = so_far;
    for (x, y) in x[1..].iter().zip(&mut y[1..]) {
        so_far = S::next(so_far, *x);
        *y = so_far;
    }
    carry.iter_mut().for_each(|c| *c = so_far);
}

vectorised! {
    fn across[T: Number, S: Step<T>](before: &[S::Out], x: &[T], y: &mut [S::Out]) -> () {
        for ((before, x), y) in before.iter().zip(x).zip(y) {
            *y = S::next(*before, *x);
        }
    }
}
