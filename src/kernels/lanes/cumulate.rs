//! Running sums, products and extremes.
//!
//! Each result is the one before it and one element, in order, so that the bits are NumPy's. Along an axis that is not
//! the last, rows are added to rows, which is vectorised.

use super::{LaneOp, Lanes, number::Number};
use crate::{dtype::DType, with_dtype};

/// Columns that are worked on together, so that the row before stays in the first-level cache.
const TILE: usize = 1024;

pub(super) fn cumulate(op: &LaneOp, dtype: DType, src: &[u8], lanes: Lanes, out: &mut [u8]) {
    with_dtype!(dtype, T => match op {
        LaneOp::CumSum => run::<T, Sum>(src, lanes, out),
        LaneOp::CumProd => run::<T, Product>(src, lanes, out),
        LaneOp::NanCumSum => run::<T, NanSum>(src, lanes, out),
        LaneOp::NanCumProd => run::<T, NanProduct>(src, lanes, out),
        LaneOp::CumMax => run::<T, Most>(src, lanes, out),
        _ => run::<T, Least>(src, lanes, out),
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

fn run<T: Number, S: Step<T>>(src: &[u8], lanes: Lanes, out: &mut [u8]) {
    let src: &[T] = bytemuck::cast_slice(src);
    let out: &mut [S::Out] = bytemuck::cast_slice_mut(out);
    let Lanes { n, inner, .. } = lanes;
    let slabs = src.chunks_exact(n * inner).zip(out.chunks_exact_mut(n * inner));
    if inner == 1 {
        slabs.for_each(|(x, y)| along::<T, S>(x, y));
        return;
    }
    for (x, y) in slabs {
        for from in (0..inner).step_by(TILE) {
            let columns = from..inner.min(from + TILE);
            first::<T, S>(&x[columns.clone()], &mut y[columns.clone()]);
            for j in 1..n {
                let (done, rest) = y.split_at_mut(j * inner);
                let before = &done[(j - 1) * inner..][columns.clone()];
                across::<T, S>(before, &x[j * inner..][columns.clone()], &mut rest[columns.clone()]);
            }
        }
    }
}

fn first<T: Number, S: Step<T>>(x: &[T], y: &mut [S::Out]) {
    x.iter().zip(y).for_each(|(x, y)| *y = S::start(*x));
}

fn along<T: Number, S: Step<T>>(x: &[T], y: &mut [S::Out]) {
    let mut so_far = S::start(x[0]);
    y[0] = so_far;
    for (x, y) in x[1..].iter().zip(&mut y[1..]) {
        so_far = S::next(so_far, *x);
        *y = so_far;
    }
}

vectorised! {
    fn across[T: Number, S: Step<T>](before: &[S::Out], x: &[T], y: &mut [S::Out]) -> () {
        for ((before, x), y) in before.iter().zip(x).zip(y) {
            *y = S::next(*before, *x);
        }
    }
}
