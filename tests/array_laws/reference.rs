//! Whole arrays, evaluated by naive code: what every cutting into blocks must give.

use aosx::{
    array::{Along, BlockInfo, BlockInput, Creation, LazyArray, MapOp, Operation, View},
    block::Block,
    budget::Budget,
    dtype::{ByteOrder, DType, Element, Scalar},
    error::Result,
    grid::Grid,
    kernels::{
        cast::cast,
        decode::{Decode, Segment},
        elementwise::{self, Operand},
        fold::{ChunkView, FoldOptions, Folds, Op, Role, ViewDim},
        lanes, random,
        window::{Rows, Windows},
    },
    shape::{Region, Shape},
    units::Bytes,
    with_dtype,
};
use std::rc::Rc;

/// All values of an array.
pub struct Whole {
    pub dtype: DType,
    pub shape: Shape,
    pub data: Block,
}

impl Whole {
    pub fn new(dtype: DType, shape: &[u64]) -> Whole {
        let shape = Shape::from(shape);
        let len = shape.bytes(dtype.size()).unwrap();
        Whole { dtype, shape, data: block(len) }
    }

    pub fn of(dtype: DType, shape: &[u64], bytes: &[u8]) -> Whole {
        let mut whole = Whole::new(dtype, shape);
        whole.data.bytes_mut().copy_from_slice(bytes);
        whole
    }

    pub fn bytes(&self) -> &[u8] {
        self.data.bytes()
    }

    pub fn numbers(&self) -> Vec<f64> {
        let size = self.dtype.size();
        self.bytes()
            .chunks_exact(size)
            .map(|x| {
                let mut bytes = [0; 8];
                bytes[..size].copy_from_slice(x);
                Scalar::of_bytes(bytes, self.dtype).to_f64()
            })
            .collect()
    }

    /// Whether all bits are the same, but that NaN is NaN.
    pub fn same(&self, other: &Whole) -> bool {
        let nan = |x: &[u8]| {
            self.dtype.is_float()
                && with_dtype!(self.dtype, T => bytemuck::pod_read_unaligned::<T>(x).to_f64().is_nan())
        };
        let size = self.dtype.size();
        self.dtype == other.dtype
            && self.shape == other.shape
            && self
                .bytes()
                .chunks_exact(size)
                .zip(other.bytes().chunks_exact(size))
                .all(|(a, b)| a == b || (nan(a) && nan(b)))
    }
}

fn block(len: usize) -> Block {
    let budget = Budget::new(Bytes(len as u64));
    Block::new(len, budget.lease(len as u64, "a reference").unwrap())
}

/// Every index of a shape, row-major.
fn indices(shape: &[u64]) -> Vec<Vec<u64>> {
    let count: u64 = shape.iter().product();
    (0..count)
        .map(|mut n| {
            let mut index = vec![0; shape.len()];
            for k in (0..shape.len()).rev() {
                index[k] = n % shape[k];
                n /= shape[k];
            }
            index
        })
        .collect()
}

fn flat(index: &[u64], shape: &[u64]) -> usize {
    index.iter().zip(shape).fold(0, |at, (&i, &n)| at * n as usize + i as usize)
}

/// The elements of `from` where `place` says, for each index of the shape.
fn gather(from: &Whole, shape: &[u64], place: impl Fn(&[u64]) -> Vec<u64>) -> Whole {
    let mut out = Whole::new(from.dtype, shape);
    let size = from.dtype.size();
    for (n, index) in indices(shape).iter().enumerate() {
        let at = flat(&place(index), &from.shape) * size;
        out.data.bytes_mut()[n * size..(n + 1) * size].copy_from_slice(&from.bytes()[at..at + size]);
    }
    out
}

/// Windows of each lane by itself, the whole axis at once.
fn rolled(input: &Whole, dtype: DType, axis: usize, windows: Windows) -> Result<Whole> {
    let mut out = Whole::new(dtype, &input.shape);
    let (size, result) = (input.dtype.size(), dtype.size());
    let n = input.shape[axis];
    let (mut lane, mut results) = (block(n as usize * size), block(n as usize * result));
    let mut scratch = block(windows.scratch_bytes(1));
    for index in indices(&with(&input.shape, axis, n.min(1))) {
        let at = |p: usize| flat(&with(&index, axis, p as u64), &input.shape);
        for p in 0..n as usize {
            lane.bytes_mut()[p * size..(p + 1) * size]
                .copy_from_slice(&input.bytes()[at(p) * size..(at(p) + 1) * size]);
        }
        let rows = Rows { bytes: lane.bytes(), first: 0, cells: 1, axis: n };
        windows.run(rows, 0, results.bytes_mut(), scratch.bytes_mut(), &mut Segment::new())?;
        for p in 0..n as usize {
            let to = &mut out.data.bytes_mut()[at(p) * result..(at(p) + 1) * result];
            to.copy_from_slice(&results.bytes()[p * result..(p + 1) * result]);
        }
    }
    Ok(out)
}

/// Evaluates arrays, each once. What rounds differently in another order of summation is compared with the values of
/// `engine`, and these are taken from there on, so that the rest can be compared bit for bit.
pub struct Reference<'a> {
    pub engine: &'a dyn Fn(&LazyArray) -> Result<Whole>,
    pub known: Vec<(LazyArray, Rc<Whole>)>,
}

impl Reference<'_> {
    pub fn of(&mut self, array: &LazyArray) -> Result<Rc<Whole>> {
        if let Some((_, known)) = self.known.iter().find(|(a, _)| a.is(array)) {
            return Ok(known.clone());
        }
        let whole = Rc::new(self.fresh(array)?);
        assert_eq!((whole.dtype, &whole.shape), (array.dtype(), array.shape()), "{array:?} says what it is");
        self.known.push((array.clone(), whole.clone()));
        Ok(whole)
    }

    fn fresh(&mut self, array: &LazyArray) -> Result<Whole> {
        let shape = array.shape();
        Ok(match array.operation() {
            Operation::Source(_) | Operation::Decode { .. } => (self.engine)(array)?,
            Operation::Create(creation) => created(creation, array.dtype(), shape),
            Operation::Map { op, inputs } => self.map(op, inputs, array)?,
            Operation::View { input, view } => {
                let input = self.of(input)?;
                gather(&input, shape, |index| place(view, index))
            }
            Operation::Reshape { input } => Whole::of(array.dtype(), shape, self.of(input)?.bytes()),
            Operation::Concat { inputs, axis } => self.concat(inputs, *axis, array)?,
            Operation::Take { input, axis, index } => {
                let input = self.of(input)?;
                gather(&input, shape, |at| with(at, *axis, index[at[*axis] as usize]))
            }
            Operation::TakeAlong { input, axis, index } => {
                let (input, index) = (self.of(input)?, self.of(index)?);
                let positions: &[i64] = index.data.elements();
                let n = input.shape[*axis] as i64;
                let wrong = positions.iter().any(|p| !(-n..n).contains(p));
                if wrong {
                    return Err(aosx::error::Error::usage("a position out of range"));
                }
                gather(&input, shape, |at| {
                    with(at, *axis, positions[flat(at, &index.shape)].rem_euclid(n.max(1)) as u64)
                })
            }
            Operation::Lanes { input, axis, op } => {
                let input = self.of(input)?;
                let around = |part: &[u64]| part.iter().product::<u64>() as usize;
                let (outer, inner) = (around(&input.shape[..*axis]), around(&input.shape[*axis + 1..]));
                let n = input.shape[*axis] as usize;
                let mut out = Whole::new(array.dtype(), shape);
                let mut scratch = block(op.scratch_bytes(input.dtype, n));
                let (from, to) = (input.bytes(), out.data.bytes_mut());
                lanes::lanes(op, input.dtype, from, outer, n, inner, to, scratch.bytes_mut());
                out
            }
            Operation::Rolling { input, axis, window, op, options } => {
                let input = self.of(input)?;
                rolled(
                    &input,
                    array.dtype(),
                    *axis,
                    Windows::new(*op, input.dtype, *options, window.reach().map(|r| r.min(input.shape[*axis]))),
                )?
            }
            Operation::MatMul { a, b } => {
                let (a, b) = (self.of(a)?, self.of(b)?);
                let engine = (self.engine)(array)?;
                product(&a, &b, &engine);
                engine
            }
            Operation::Blocks { inputs, function, overlap } => {
                let inputs = inputs
                    .iter()
                    .map(|i| Ok((self.of(i)?, Grid::new(i.shape().clone(), i.chunk().clone())?)))
                    .collect::<Result<Vec<_>>>()?;
                let grid = Grid::new(shape.clone(), array.chunk().clone())?;
                let mut out = Whole::new(array.dtype(), shape);
                for n in 0..grid.chunks() {
                    let index = grid.index(n);
                    let region = grid.region(&index);
                    let blocks: Vec<Whole> = inputs
                        .iter()
                        .map(|(input, own)| {
                            let mut of = if overlap.is_empty() {
                                let only: Vec<u64> =
                                    index.iter().zip(own.counts()).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
                                own.region(&only)
                            } else {
                                region.clone()
                            };
                            of.shape.0.iter_mut().zip(overlap).for_each(|(n, o)| *n += 2 * o);
                            gather(input, &of.shape, |at| at.iter().zip(&of.start).map(|(a, s)| a + s).collect())
                        })
                        .collect();
                    let views: Vec<BlockInput> = blocks
                        .iter()
                        .map(|b| BlockInput { dtype: b.dtype, shape: &b.shape, bytes: b.bytes() })
                        .collect();
                    let mut part = Whole::new(array.dtype(), &region.shape);
                    let info = BlockInfo { index, region: region.clone() };
                    function.call(&info, &views, part.data.bytes_mut())?;
                    scatter(&part, &region, &mut out);
                }
                out
            }
            Operation::Rechunk { input } | Operation::Hold { input } => {
                Whole::of(array.dtype(), shape, self.of(input)?.bytes())
            }
            Operation::Reduce { input, op, reduced, options } => {
                let input = self.of(input)?;
                let own = reduced_whole(&input, *op, reduced, *options, array)?;
                let rounds = matches!(op, Op::Sum | Op::Prod | Op::Mean | Op::Var | Op::Std);
                if !rounds || (!input.dtype.is_float() && matches!(op, Op::Sum | Op::Prod)) {
                    return Ok(own);
                }
                let engine = (self.engine)(array)?;
                close(&own, &engine, &input, *op, reduced, *options);
                engine
            }
            // In the order of the blocks, which is the definition of a user's fold.
            Operation::Fold { .. } => (self.engine)(array)?,
            Operation::Grouped { input, fold, .. } => {
                let input = self.of(input)?;
                let own = super::grouped::grouped_whole(&input, array).transpose()?;
                let rounds = matches!(fold.op(), Some(Op::Sum | Op::Prod | Op::Mean | Op::Var | Op::Std));
                match own {
                    Some(own) if !rounds => own,
                    _ => (self.engine)(array)?,
                }
            }
        })
    }

    fn map(&mut self, op: &MapOp, inputs: &[LazyArray], array: &LazyArray) -> Result<Whole> {
        let mut out = Whole::new(array.dtype(), array.shape());
        let computes = inputs[0].dtype();
        // A float to the power of a number takes short cuts, and only the number says so.
        if let (MapOp::Binary(op), Some(bytes), None) = (op, constant(&inputs[inputs.len() - 1]), constant(&inputs[0]))
        {
            let a = self.spread(&inputs[0], array)?;
            elementwise::binary(
                *op,
                computes,
                Operand::Values(a.bytes()),
                Operand::Scalar(bytes),
                out.data.bytes_mut(),
            );
            return Ok(out);
        }
        let values = inputs.iter().map(|i| self.spread(i, array)).collect::<Result<Vec<_>>>()?;
        let operand = |k: usize| Operand::Values(values[k].bytes());
        let to = out.data.bytes_mut();
        match op {
            MapOp::Unary(op) => elementwise::unary(*op, computes, values[0].bytes(), to),
            MapOp::Binary(op) => elementwise::binary(*op, computes, operand(0), operand(1), to),
            MapOp::Where => elementwise::select(array.dtype(), values[0].bytes(), operand(1), operand(2), to),
            MapOp::Cast => cast(values[0].bytes(), computes, to, array.dtype()),
            MapOp::Lookup { how, table } => elementwise::lookup(*how, computes, values[0].bytes(), table, to),
        }
        Ok(out)
    }

    /// As many values as the result has.
    fn spread(&mut self, input: &LazyArray, array: &LazyArray) -> Result<Whole> {
        let own = self.of(input)?;
        assert!(input.ndim() == 0 || input.shape() == array.shape(), "inputs have the result's shape");
        Ok(gather(&own, array.shape(), |at| if input.ndim() == 0 { Vec::new() } else { at.to_vec() }))
    }

    fn concat(&mut self, inputs: &[LazyArray], axis: usize, array: &LazyArray) -> Result<Whole> {
        let mut out = Whole::new(array.dtype(), array.shape());
        let mut start = vec![0; array.ndim()];
        for input in inputs {
            let part = self.of(input)?;
            scatter(&part, &Region { start: start.clone(), shape: part.shape.clone() }, &mut out);
            start[axis] += part.shape[axis];
        }
        Ok(out)
    }
}

fn scatter(part: &Whole, region: &Region, out: &mut Whole) {
    let size = part.dtype.size();
    for (n, index) in indices(&part.shape).iter().enumerate() {
        let there: Vec<u64> = index.iter().zip(&region.start).map(|(a, s)| a + s).collect();
        let at = flat(&there, &out.shape) * size;
        out.data.bytes_mut()[at..at + size].copy_from_slice(&part.bytes()[n * size..(n + 1) * size]);
    }
}

fn with(index: &[u64], axis: usize, at: u64) -> Vec<u64> {
    let mut out = index.to_vec();
    out[axis] = at;
    out
}

fn place(view: &View, index: &[u64]) -> Vec<u64> {
    let one = |along: &Along| match *along {
        Along::At(at) => at,
        Along::Axis { axis, start, step } => (start as i64 + step * index[axis] as i64) as u64,
    };
    view.axes.iter().map(one).collect()
}

/// The one number that an array is, as its form says.
fn constant(array: &LazyArray) -> Option<[u8; 8]> {
    match array.operation() {
        Operation::Create(Creation::Full(bytes)) => Some(*bytes),
        Operation::View { input, .. } | Operation::Rechunk { input } => constant(input),
        Operation::Map { inputs, .. } if inputs.iter().all(|i| constant(i).is_some()) => {
            let mut scalar = Reference { engine: &|_| unreachable!(), known: Vec::new() };
            let whole = scalar.of(array).ok()?;
            let mut bytes = [0; 8];
            bytes[..whole.dtype.size()].copy_from_slice(whole.bytes().get(..whole.dtype.size())?);
            Some(bytes)
        }
        _ => None,
    }
}

fn created(creation: &Creation, dtype: DType, shape: &Shape) -> Whole {
    let mut out = Whole::new(dtype, shape);
    let size = dtype.size();
    let count = shape.elements().unwrap();
    let mut put = |n: u64, bytes: &[u8]| {
        let at = n as usize * size;
        out.data.bytes_mut()[at..at + size].copy_from_slice(&bytes[..size]);
    };
    match creation {
        Creation::Full(bytes) => (0..count).for_each(|n| put(n, bytes)),
        Creation::Range { start, step } => (0..count).for_each(|n| match (start, step) {
            (Scalar::Float(_), _) | (_, Scalar::Float(_)) => {
                put(n, &(start.to_f64() + step.to_f64() * n as f64).to_ne_bytes())
            }
            _ => put(n, &start.to_i64().wrapping_add(step.to_i64().wrapping_mul(n as i64)).to_ne_bytes()),
        }),
        Creation::Linspace { start, stop, steps } => (0..count).for_each(|n| {
            let x =
                if n > 0 && n == *steps { *stop } else { start + (stop - start) / (*steps).max(1) as f64 * n as f64 };
            put(n, &x.to_ne_bytes());
        }),
        Creation::Eye { k } => {
            for index in indices(shape) {
                let one = index[1] as i64 - index[0] as i64 == *k;
                put(flat(&index, shape) as u64, &Scalar::Int(one.into()).bytes(dtype));
            }
        }
        Creation::Random { distribution, seed } => random::fill(*distribution, *seed, dtype, 0, out.data.bytes_mut()),
        Creation::Data(data) => out.data.bytes_mut().copy_from_slice(data.bytes()),
    }
    out
}

/// A reduction of everything in one chunk.
pub fn reduced_whole(
    input: &Whole,
    op: Op,
    reduced: &[bool],
    options: FoldOptions,
    array: &LazyArray,
) -> Result<Whole> {
    let folds = Folds::new(&[op], &Decode::plain(input.dtype, ByteOrder::NATIVE), options);
    let strides = |wanted: bool| {
        let mut next = 1;
        let mut out = vec![0; reduced.len()];
        for k in (0..reduced.len()).rev().filter(|&k| reduced[k] == wanted) {
            out[k] = next;
            next *= input.shape[k];
        }
        out
    };
    let (of_cells, of_index) = (strides(false), strides(true));
    let lies = input.shape.strides();
    let dims: Vec<ViewDim> = (0..reduced.len())
        .map(|k| ViewDim {
            len: input.shape[k] as usize,
            stride: lies[k] as usize,
            role: if reduced[k] {
                Role::Reduced { index_stride: of_index[k] }
            } else {
                Role::Kept { cell_stride: of_cells[k] as usize }
            },
        })
        .collect();
    let cells = array.size() as usize;
    let per_cell = (0..reduced.len()).filter(|&k| reduced[k]).map(|k| input.shape[k]).product();
    let mut state = block(folds.state_bytes(cells));
    folds.init(state.bytes_mut(), cells);
    if !input.shape.contains(&0) {
        let view = ChunkView { elements: input.bytes().into(), dims: &dims, first_index: 0 };
        folds.push(state.bytes_mut(), cells, &[view], &mut Segment::new())?;
    }
    let mut out = Whole::new(array.dtype(), array.shape());
    folds.finish(op, state.bytes(), cells, per_cell, out.data.bytes_mut())?;
    Ok(out)
}

/// The relative error that a type allows.
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 4e-3,
        DType::F32 => 1e-5,
        _ => 1e-12,
    }
}

fn close(own: &Whole, engine: &Whole, input: &Whole, op: Op, reduced: &[bool], options: FoldOptions) {
    assert_eq!((own.dtype, &own.shape), (engine.dtype, &engine.shape));
    let mut cells: Vec<Vec<f64>> = vec![Vec::new(); own.numbers().len()];
    for (index, x) in indices(&input.shape).iter().zip(input.numbers()) {
        let kept: Vec<u64> = (0..index.len()).filter(|&k| !reduced[k]).map(|k| index[k]).collect();
        cells[flat(&kept, &own.shape)].push(x);
    }
    let most = if own.dtype == DType::F16 {
        65504.0
    } else if own.dtype == DType::F32 {
        3e38
    } else {
        1e300
    };
    for ((a, b), cell) in own.numbers().into_iter().zip(engine.numbers()).zip(&cells) {
        let finite: Vec<f64> = cell.iter().copied().filter(|x| !x.is_nan()).collect();
        let size: f64 = finite.iter().map(|x| x.abs()).sum();
        let top = finite.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let rtol = tolerance(own.dtype);
        // Where the order of summation decides about overflow, nothing is said.
        let magnitude: f64 = finite.iter().filter(|x| **x != 0.0).map(|x| x.abs().ln().abs()).sum();
        let overflows = match op {
            Op::Sum | Op::Mean => size > most && top <= most,
            Op::Prod => magnitude > most.ln() * 0.99,
            _ => top * top * cell.len() as f64 >= most,
        };
        if overflows && top.is_finite() {
            continue;
        }
        let allowed = match op {
            Op::Sum => rtol * size,
            Op::Mean => rtol * size / finite.len().max(1) as f64,
            Op::Var => rtol * a.abs() + 1e-13 * top * top / (1.0 - options.ddof / finite.len() as f64).abs().min(1.0),
            Op::Std => rtol * a.abs() + 1e-6 * top / (1.0 - options.ddof / finite.len() as f64).abs().min(1.0),
            _ => rtol * a.abs(),
        };
        let close = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= allowed;
        assert!(close, "{op} of {cell:?}: {b} by the engine, {a} in one block");
    }
}

fn product(a: &Whole, b: &Whole, engine: &Whole) {
    let rank = a.shape.len();
    let deep = a.shape[rank - 1];
    let (x, y, z) = (a.numbers(), b.numbers(), engine.numbers());
    let whole = |w: &Whole| -> Vec<i128> {
        w.bytes()
            .chunks_exact(w.dtype.size())
            .map(|x| {
                let mut bytes = [0; 8];
                bytes[..x.len()].copy_from_slice(x);
                match Scalar::of_bytes(bytes, w.dtype) {
                    Scalar::UInt(x) => x.into(),
                    other => other.to_i64().into(),
                }
            })
            .collect()
    };
    let (i, j) = (whole(a), whole(b));
    let mut exact = Whole::new(engine.dtype, &engine.shape);
    for (n, index) in indices(&engine.shape).iter().enumerate() {
        let pairs: Vec<(usize, usize)> = (0..deep)
            .map(|k| (flat(&with(index, rank - 1, k), &a.shape), flat(&with(index, rank - 2, k), &b.shape)))
            .collect();
        if engine.dtype.is_float() {
            let sum: f64 = pairs.iter().map(|&(p, q)| x[p] * y[q]).sum();
            let size: f64 = pairs.iter().map(|&(p, q)| (x[p] * y[q]).abs()).sum();
            let most = match engine.dtype {
                DType::F16 => 65000.0,
                DType::F32 => 3e38,
                _ => 1e300,
            };
            let large = pairs.iter().any(|&(p, q)| (x[p] * y[q]).abs() > most && x[p].is_finite() && y[q].is_finite());
            let close = (sum.is_nan() && z[n].is_nan())
                || sum == z[n]
                || (sum - z[n]).abs()
                    <= 2.0 * tolerance(engine.dtype) * size + 1e-7 * f64::from(engine.dtype == DType::F16);
            let tiny =
                pairs.iter().any(|&(p, q)| x[p] * y[q] != 0.0 && (x[p] * y[q]).abs() < 1e-37) && z[n].abs() < 1e-30;
            assert!(
                close || large || tiny || (size > most && size.is_finite()),
                "matmul: {} by the engine, {sum} in one block",
                z[n]
            );
        } else {
            let sum = pairs.iter().fold(0i128, |s, &(p, q)| s.wrapping_add(i[p] * j[q]));
            let size = engine.dtype.size();
            let bytes = if engine.dtype == DType::Bool { [u8::from(sum != 0); 16] } else { sum.to_ne_bytes() };
            exact.data.bytes_mut()[n * size..(n + 1) * size].copy_from_slice(&bytes[..size]);
        }
    }
    assert!(engine.dtype.is_float() || exact.bytes() == engine.bytes(), "matmul of integers is exact");
}
