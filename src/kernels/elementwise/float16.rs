//! `float16`, computed in `float32` by runs that fit the first cache, each result rounded once more.

use super::{
    Binary, Operand, Typed, Unary, binary as binary_of, elements, elements_mut, loops, loops::Pair, unary as unary_of,
};
use crate::dtype::{DType, Scalar};
use half::{f16, slice::HalfFloatSliceExt};

/// Elements a run.
const RUN: usize = 256;

pub(super) fn unary(op: Unary, x: &[u8], out: &mut [u8]) {
    let x: &[f16] = elements(x);
    let asks = op.gives(DType::F16) == DType::Bool;
    let size = if asks { 1 } else { 2 };
    assert_eq!(x.len() * size, out.len(), "as many elements in as out");
    let mut wide = [0.0; RUN];
    for (x, out) in x.chunks(RUN).zip(out.chunks_mut(RUN * size)) {
        let wide = widened(x, &mut wide);
        rounded(asks, x.len(), out, |out| unary_of(op, DType::F32, bytemuck::cast_slice(wide), out));
    }
}

pub(super) fn binary(op: Binary, a: Operand<'_>, b: Operand<'_>, out: &mut [u8]) {
    let asks = op.gives(DType::F16) == DType::Bool;
    let size = if asks { 1 } else { 2 };
    let len = out.len() / size;
    if op == Binary::Nextafter {
        return loops::combine_by(next, Pair::new(a, b, len), out);
    }
    let (a, b) = (a.typed::<f16>(len), b.typed::<f16>(len));
    let (mut wide_a, mut wide_b) = ([0.0; RUN], [0.0; RUN]);
    for (k, out) in out.chunks_mut(RUN * size).enumerate() {
        let run = k * RUN..k * RUN + out.len() / size;
        let a = operand(a, run.clone(), &mut wide_a);
        let b = operand(b, run.clone(), &mut wide_b);
        rounded(asks, run.len(), out, |out| binary_of(op, DType::F32, a, b, out));
    }
}

fn operand<'a>(x: Typed<'_, f16>, run: std::ops::Range<usize>, wide: &'a mut [f32; RUN]) -> Operand<'a> {
    match x {
        Typed::Values(x) => Operand::Values(bytemuck::cast_slice(widened(&x[run], wide))),
        Typed::Scalar(x) => Operand::Scalar(Scalar::from(x.to_f32()).bytes(DType::F32)),
    }
}

fn widened<'a>(x: &[f16], wide: &'a mut [f32; RUN]) -> &'a [f32] {
    let wide = &mut wide[..x.len()];
    x.convert_to_f32_slice(wide);
    wide
}

/// Computes bools into `out` at once, floats by way of `float32`.
fn rounded(asks: bool, len: usize, out: &mut [u8], compute: impl FnOnce(&mut [u8])) {
    if asks {
        return compute(out);
    }
    let mut wide = [0.0f32; RUN];
    compute(bytemuck::cast_slice_mut(&mut wide[..len]));
    elements_mut::<f16>(out).convert_from_f32_slice(&wide[..len]);
}

/// The `float16` next to `x`: its bits, without the sign, count up the numbers.
fn next(x: f16, towards: f16) -> f16 {
    if x.is_nan() || towards.is_nan() {
        f16::NAN
    } else if x == towards {
        towards
    } else if x == f16::ZERO {
        f16::from_bits(towards.to_bits() & 0x8000 | 1)
    } else if (x < towards) == x.is_sign_positive() {
        f16::from_bits(x.to_bits() + 1)
    } else {
        f16::from_bits(x.to_bits() - 1)
    }
}
