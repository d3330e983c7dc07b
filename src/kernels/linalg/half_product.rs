//! Products of float16: piece by piece through float32.

use super::{
    product::{Matrix, Update, panel},
    view::View,
};
use half::{f16, slice::HalfFloatSliceExt};

/// The side of a piece. Three pieces of float32 are 48 KiB, on the stack.
const SIDE: usize = 64;

/// `c += a b`, each sum in float32 and rounded once.
pub(super) fn add(a: Matrix, b: Matrix, c: &mut [u8]) {
    let (a, b) = (View::<f16>::of(&a), View::<f16>::of(&b));
    let c: &mut [f16] = bytemuck::cast_slice_mut(c);
    let (mut left, mut right, mut sums) = ([0f32; SIDE * SIDE], [0f32; SIDE * SIDE], [0f32; SIDE * SIDE]);
    for row in (0..a.rows).step_by(SIDE) {
        for col in (0..b.cols).step_by(SIDE) {
            let (rows, cols) = (row..a.rows.min(row + SIDE), col..b.cols.min(col + SIDE));
            let sums = &mut sums[..rows.len() * cols.len()];
            let target = View::by_rows(&*c, a.rows, b.cols).piece(rows.clone(), cols.clone());
            widen(target, sums);
            for start in (0..a.cols).step_by(SIDE) {
                let depth = start..a.cols.min(start + SIDE);
                let left = widen(a.piece(rows.clone(), depth.clone()), &mut left);
                let right = widen(b.piece(depth, cols.clone()), &mut right);
                panel(left, right, sums, Update::Add);
            }
            for (sums, c) in sums.chunks_exact(cols.len()).zip(c.chunks_exact_mut(b.cols).skip(row)) {
                c[cols.clone()].convert_from_f32_slice(sums);
            }
        }
    }
}

/// A small view by rows without gaps, in float32.
fn widen<'a>(from: View<f16>, to: &'a mut [f32]) -> View<'a, f32> {
    let mut line = [f16::ZERO; SIDE];
    let line = &mut line[..from.cols];
    for (i, to) in to.chunks_exact_mut(from.cols).take(from.rows).enumerate() {
        line.iter_mut().enumerate().for_each(|(j, x)| *x = from.at(i, j));
        line.convert_to_f32_slice(to);
    }
    View::by_rows(to, from.rows, from.cols)
}
