use super::{
    Evaluator,
    load::{LENGTH, Loaded, Ready},
    split,
};
use crate::{
    codec::Scratch,
    dtype::DType,
    error::Result,
    kernels::{
        cast::cast,
        decode::Segment,
        elementwise::{self, Operand as Number},
    },
    plan::{Kernel, Place, Program, SEGMENT_BYTES},
    shape::Region,
};

impl Evaluator<'_> {
    /// Runs fused arithmetic: brings its operands into memory, then goes through them a segment at a time.
    pub(super) fn program(
        &mut self,
        program: &Program,
        dtype: DType,
        region: &Region,
        out: &mut [u8],
        work: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let buffers = program.operands.len() + program.registers;
        let (segments, mut rest) = split(work, buffers * SEGMENT_BYTES as usize);
        let mut loaded: Vec<Loaded> = Vec::with_capacity(program.operands.len());
        for operand in &program.operands {
            let (one, after) = self.load(operand, region, rest, scratch)?;
            loaded.push(one);
            rest = after;
        }
        let ready: Vec<Ready> = program.operands.iter().zip(&loaded).map(|(o, l)| self.ready(o, l)).collect();
        run(program, dtype, &ready, segments, out, &mut self.segment.borrow_mut());
        drop(ready);
        self.unpin(&loaded);
        Ok(())
    }
}

fn run(
    program: &Program,
    dtype: DType,
    operands: &[Ready],
    segments: &mut [u8],
    out: &mut [u8],
    segment: &mut Segment,
) {
    let (loads, registers) = segments.split_at_mut(operands.len() * SEGMENT_BYTES as usize);
    let mut registers: Vec<&mut [u8]> = registers.chunks_exact_mut(SEGMENT_BYTES as usize).collect();
    let size = dtype.size();
    let elements = out.len() / size;
    let mut from = 0;
    while from < elements {
        let len = LENGTH.min(elements - from);
        let buffers = loads.chunks_exact_mut(SEGMENT_BYTES as usize);
        let values: Vec<&[u8]> =
            operands.iter().zip(buffers).map(|(o, buffer)| o.segment(from, len, buffer, segment)).collect();
        let target = &mut out[from * size..(from + len) * size];
        steps(program, &values, &mut registers, target, len);
        from += len;
    }
}

/// All steps for one segment; the last writes the result itself.
fn steps(program: &Program, operands: &[&[u8]], registers: &mut [&mut [u8]], out: &mut [u8], len: usize) {
    let Some((last, before)) = program.steps.split_last() else {
        return deliver(program.result, operands, out, len);
    };
    for step in before {
        // Taken out, so that it is written while the others are read; a step never reads what it writes.
        let to = std::mem::take(&mut registers[step.to]);
        kernel(&step.kernel, operands, registers, &mut to[..len * step.dtype.size()], len);
        registers[step.to] = to;
    }
    match program.result {
        Place::Register(at) if at == last.to => kernel(&last.kernel, operands, registers, out, len),
        other => deliver(other, operands, out, len),
    }
}

/// A result that no step computes.
fn deliver(result: Place, operands: &[&[u8]], out: &mut [u8], len: usize) {
    match result {
        Place::Operand(k) => out.copy_from_slice(operands[k]),
        Place::Scalar(bytes) => {
            let size = out.len() / len.max(1);
            out.chunks_exact_mut(size.max(1)).for_each(|x| x.copy_from_slice(&bytes[..size]));
        }
        Place::Register(_) => unreachable!("the last step's result is the program's"),
    }
}

fn kernel(kernel: &Kernel, operands: &[&[u8]], registers: &[&mut [u8]], out: &mut [u8], len: usize) {
    let values = |place: Place, dtype: DType| -> Number<'_> {
        match place {
            Place::Operand(k) => Number::Values(operands[k]),
            Place::Register(k) => Number::Values(&registers[k][..len * dtype.size()]),
            Place::Scalar(bytes) => Number::Scalar(bytes),
        }
    };
    let slice = |place: Place, dtype: DType| match values(place, dtype) {
        Number::Values(bytes) => bytes,
        Number::Scalar(_) => unreachable!("functions of numbers alone were computed when the plan was made"),
    };
    match kernel {
        Kernel::Unary(op, dtype, x) => elementwise::unary(*op, *dtype, slice(*x, *dtype), out),
        Kernel::Binary(op, dtype, a, b) => {
            elementwise::binary(*op, *dtype, values(*a, *dtype), values(*b, *dtype), out)
        }
        Kernel::Select(dtype, [mask, a, b]) => match values(*mask, DType::Bool) {
            Number::Values(mask) => elementwise::select(*dtype, mask, values(*a, *dtype), values(*b, *dtype), out),
            // One truth for all: one of the two, repeated.
            Number::Scalar(truth) => {
                copy_or_fill(values(if truth[0] != 0 { *a } else { *b }, *dtype), dtype.size(), out)
            }
        },
        Kernel::Cast(from, to, x) => cast(slice(*x, *from), *from, out, *to),
        Kernel::Lookup(how, dtype, table, x) => elementwise::lookup(*how, *dtype, slice(*x, *dtype), table, out),
    }
}

fn copy_or_fill(number: Number<'_>, size: usize, out: &mut [u8]) {
    match number {
        Number::Values(bytes) => out.copy_from_slice(bytes),
        Number::Scalar(bytes) => out.chunks_exact_mut(size).for_each(|x| x.copy_from_slice(&bytes[..size])),
    }
}
