//! Products of integers and bools, which no library has: exact in their ring, whatever the order.

use super::{product::Matrix, view::View};
use bytemuck::{Pod, Zeroable};

/// Adding and multiplying in one type.
pub(super) trait Ring {
    type Number: Pod;
    fn add_product(sum: Self::Number, x: Self::Number, y: Self::Number) -> Self::Number;
}

/// Integers modulo a power of two: signed and unsigned ones have the same bits.
pub(super) struct Wrap<T>(T);

/// Bools: "or" of "and"s.
pub(super) struct Logic;

macro_rules! wrap {
    ($($t:ty),*) => {$(impl Ring for Wrap<$t> {
        type Number = $t;
        #[inline(always)]
        fn add_product(sum: $t, x: $t, y: $t) -> $t {
            sum.wrapping_add(x.wrapping_mul(y))
        }
    })*};
}
wrap!(u8, u16, u32, u64);

impl Ring for Logic {
    type Number = u8;
    #[inline(always)]
    fn add_product(sum: u8, x: u8, y: u8) -> u8 {
        sum | (x & y)
    }
}

/// A piece of `b` that stays in the first-level cache, with a row of `c` beside it.
const DEPTH: usize = 16;
const COLS: usize = 128;

/// `c += a b`.
pub(super) fn add<R: Ring>(a: Matrix, b: Matrix, c: &mut [u8]) {
    let (a, b) = (View::<R::Number>::of(&a), View::<R::Number>::of(&b));
    let c: &mut [R::Number] = bytemuck::cast_slice_mut(c);
    let mut piece = [R::Number::zeroed(); DEPTH * COLS];
    let mut row = [R::Number::zeroed(); DEPTH];
    for col in (0..b.cols).step_by(COLS) {
        let cols = col..b.cols.min(col + COLS);
        for start in (0..a.cols).step_by(DEPTH) {
            let depth = start..a.cols.min(start + DEPTH);
            gather(b.piece(depth.clone(), cols.clone()), &mut piece);
            // Zeros stand behind the last row of the piece, whatever the rest of `row` holds.
            for (i, c) in c.chunks_exact_mut(b.cols).enumerate() {
                row.iter_mut().zip(depth.clone()).for_each(|(x, p)| *x = a.at(i, p));
                row_times_piece::<R>(&row, &piece, &mut c[cols.clone()]);
            }
        }
    }
}

/// Copies a piece of `b` by rows of [`COLS`], zeros behind its last row.
fn gather<T: Pod>(b: View<T>, piece: &mut [T]) {
    piece[b.rows * COLS..].fill(T::zeroed());
    for (p, line) in piece.chunks_exact_mut(COLS).take(b.rows).enumerate() {
        line[..b.cols].iter_mut().enumerate().for_each(|(j, y)| *y = b.at(p, j));
    }
}

vectorised! {
    fn row_times_piece[R: Ring](row: &[R::Number; DEPTH], piece: &[R::Number], c: &mut [R::Number]) -> () {
        for (four, x) in piece.chunks_exact(4 * COLS).zip(row.chunks_exact(4)) {
            let (y0, y1, y2, y3) = (&four[..COLS], &four[COLS..2 * COLS], &four[2 * COLS..3 * COLS], &four[3 * COLS..]);
            for ((((c, &y0), &y1), &y2), &y3) in c.iter_mut().zip(y0).zip(y1).zip(y2).zip(y3) {
                let sum = R::add_product(R::add_product(*c, x[0], y0), x[1], y1);
                *c = R::add_product(R::add_product(sum, x[2], y2), x[3], y3);
            }
        }
    }
}
