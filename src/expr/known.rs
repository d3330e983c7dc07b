//! What is known while a program is bound: coordinates, and what is computed of them and of constants alone.

use super::{
    attributes,
    bind::Binder,
    value::{Bound, Failure, Quantity},
};
use crate::{
    array::{Along, Creation, Index, LazyArray, MapOp, Operation, index},
    attrs::Attrs,
    dataset::Taken,
    dtype::DType,
    kernels::{
        cast::cast,
        elementwise::{self, Operand},
    },
};

/// Operations that lie one in the other deeper than this are not followed.
const DEPTH_MAX: usize = 100;

/// The values of an array without dimensions or with one.
pub(super) struct Known {
    dtype: DType,
    len: usize,
    /// Native elements, aligned for every type.
    words: Vec<u64>,
}

impl Known {
    fn new(dtype: DType, len: usize) -> Known {
        Known { dtype, len, words: vec![0; (len * dtype.size()).div_ceil(8)] }
    }

    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len * self.dtype.size()]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        let bytes = self.len * self.dtype.size();
        &mut bytemuck::cast_slice_mut(&mut self.words)[..bytes]
    }

    fn of_numbers(numbers: &[f64], dtype: DType) -> Known {
        let mut out = Known::new(dtype, numbers.len());
        cast(bytemuck::cast_slice(numbers), DType::F64, out.bytes_mut(), dtype);
        out
    }

    /// The elements at some positions.
    fn at(&self, positions: impl ExactSizeIterator<Item = usize>) -> Option<Known> {
        let (mut out, size) = (Known::new(self.dtype, positions.len()), self.dtype.size());
        for (to, from) in out.bytes_mut().chunks_exact_mut(size).zip(positions) {
            to.copy_from_slice(self.bytes().get(from * size..(from + 1) * size)?);
        }
        Some(out)
    }

    /// As float64.
    pub fn numbers(&self) -> Vec<f64> {
        let mut out = vec![0f64; self.len];
        cast(self.bytes(), self.dtype, bytemuck::cast_slice_mut(&mut out), DType::F64);
        out
    }

    fn operand(&self, len: usize) -> Operand<'_> {
        match self.len == len {
            true => Operand::Values(self.bytes()),
            false => {
                let mut one = [0; 8];
                one[..self.dtype.size()].copy_from_slice(&self.bytes()[..self.dtype.size()]);
                Operand::Scalar(one)
            }
        }
    }
}

/// The coordinate of a dimension.
pub(super) struct Coordinate {
    pub values: Vec<f64>,
    pub attrs: Attrs,
}

impl Binder<'_> {
    /// The values of an array of at most one dimension, where they follow from coordinates and constants alone.
    pub fn known(&self, array: &LazyArray) -> Bound<Option<Known>> {
        self.known_within(array, DEPTH_MAX)
    }

    fn known_within(&self, array: &LazyArray, depth: usize) -> Bound<Option<Known>> {
        let Some(depth) = depth.checked_sub(1).filter(|_| array.ndim() <= 1) else { return Ok(None) };
        if let Some((input, path)) = self.variable_of(array) {
            let numbers = self.inputs[input].dataset.numbers(path).map_err(Failure::Input)?;
            return Ok(Some(Known::of_numbers(&numbers, array.dtype())));
        }
        let len = array.size() as usize;
        match array.operation() {
            Operation::Create(Creation::Data(data)) => {
                let mut out = Known::new(array.dtype(), len);
                out.bytes_mut().copy_from_slice(data.bytes());
                Ok(Some(out))
            }
            Operation::Create(Creation::Full(value)) => {
                let mut out = Known::new(array.dtype(), len);
                let size = array.dtype().size();
                out.bytes_mut().chunks_exact_mut(size).for_each(|x| x.copy_from_slice(&value[..size]));
                Ok(Some(out))
            }
            Operation::View { input, view } => {
                let Some(inner) = self.known_within(input, depth)? else { return Ok(None) };
                Ok(match view.axes[..] {
                    [] => inner.at((0..len).map(|_| 0)),
                    [Along::At(at)] => inner.at((0..len).map(|_| at as usize)),
                    [Along::Axis { start, step, .. }] => {
                        inner.at((0..len).map(|k| (start as i64 + k as i64 * step) as usize))
                    }
                    _ => None,
                })
            }
            Operation::Take { input, index, .. } => {
                let inner = self.known_within(input, depth)?;
                Ok(inner.and_then(|inner| inner.at(index.iter().map(|&at| at as usize))))
            }
            Operation::Map { op, inputs } => {
                let mut operands = Vec::with_capacity(inputs.len());
                for input in inputs {
                    match self.known_within(input, depth)? {
                        Some(known) => operands.push(known),
                        None => return Ok(None),
                    }
                }
                let mut out = Known::new(array.dtype(), len);
                Ok(mapped(op, &operands, &mut out).then_some(out))
            }
            _ => Ok(None),
        }
    }

    /// The values of an array of any rank that is all of a variable; of others as [`known`](Binder::known).
    pub fn numbers_of(&self, array: &LazyArray) -> Bound<Option<Vec<f64>>> {
        match self.variable_of(array) {
            Some((input, path)) => self.inputs[input].dataset.numbers(path).map(Some).map_err(Failure::Input),
            None => Ok(self.known(array)?.map(|known| known.numbers())),
        }
    }

    /// The variable that an array is all of.
    fn variable_of(&self, array: &LazyArray) -> Option<(usize, &str)> {
        self.variables.iter().find(|(_, q)| q.array.is(array)).map(|((input, path), _)| (*input, path.as_str()))
    }

    /// The coordinate of a dimension of a quantity, as far as it is still there; `None` where it has none.
    pub fn coordinate(&self, of: &Quantity, axis: i64) -> Bound<Option<Coordinate>> {
        let (Some(dim), Some(len)) = (of.dims().get(axis as usize), of.array.shape().get(axis as usize)) else {
            return Ok(None);
        };
        for used in &of.from {
            let dataset = &self.inputs[used.input].dataset;
            let meta = dataset.variable(&used.path).map_err(Failure::Input)?;
            let has_it = meta.dims.contains(dim);
            let Some(found) = dataset.coordinate(meta.group(), dim).filter(|c| has_it && c.stored.dtype().is_some())
            else {
                continue;
            };
            let Some(left) = positions(&of.taken, dim, found.shape.first().copied().unwrap_or(0)) else {
                return Ok(None);
            };
            let numbers = dataset.numbers(&found.path).map_err(Failure::Input)?;
            if left.len() as u64 == *len {
                let values = left.iter().filter_map(|&at| numbers.get(at as usize).copied()).collect();
                return Ok(Some(Coordinate { values, attrs: attributes::of_variable(&found.attrs) }));
            }
        }
        Ok(None)
    }
}

/// Which of `n` positions of a dimension are left after what was taken of it, in their order now; `None` where that
/// cannot be said.
pub(super) fn positions(taken: &[(String, Taken)], dim: &str, n: u64) -> Option<Vec<u64>> {
    let mut left: Vec<u64> = (0..n).collect();
    for (_, taken) in taken.iter().filter(|(d, _)| d == dim) {
        let len = left.len() as u64;
        let picked: Vec<i64> = match taken {
            Taken::Part(Index::Slice { start, stop, step }) => {
                let (first, count) = index::resolve(*start, *stop, *step, len);
                (0..count as i64).map(|k| first as i64 + k * step).collect()
            }
            Taken::Positions(positions) => {
                positions.iter().map(|&at| if at < 0 { at + len as i64 } else { at }).collect()
            }
            Taken::Part(_) | Taken::Other => return None,
        };
        let place = |at: i64| usize::try_from(at).ok().and_then(|at| left.get(at).copied());
        left = picked.into_iter().map(place).collect::<Option<Vec<u64>>>()?;
    }
    Some(left)
}

/// As the engine does it. Whether it could be done.
fn mapped(op: &MapOp, inputs: &[Known], out: &mut Known) -> bool {
    let (len, gives) = (out.len, out.dtype);
    if inputs.iter().any(|x| x.len != len && x.len != 1) {
        return false;
    }
    match (op, inputs) {
        (MapOp::Unary(op), [x]) if x.len == len => elementwise::unary(*op, x.dtype, x.bytes(), out.bytes_mut()),
        (MapOp::Binary(op), [a, b]) if a.dtype == b.dtype => {
            elementwise::binary(*op, a.dtype, a.operand(len), b.operand(len), out.bytes_mut());
        }
        (MapOp::Cast, [x]) if x.len == len => cast(x.bytes(), x.dtype, out.bytes_mut(), gives),
        (MapOp::Lookup { how, table }, [x]) if x.len == len => {
            elementwise::lookup(*how, x.dtype, x.bytes(), table, out.bytes_mut());
        }
        (MapOp::Where, [mask, a, b]) if mask.len == len => {
            elementwise::select(gives, mask.bytes(), a.operand(len), b.operand(len), out.bytes_mut());
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_what_was_taken() {
        let of = |taken: &[Taken]| {
            let named: Vec<_> = taken.iter().map(|t| ("time".to_string(), t.clone())).collect();
            positions(&named, "time", 6)
        };
        assert_eq!(of(&[]), Some(vec![0, 1, 2, 3, 4, 5]));
        let back = Taken::Part(Index::stepped(.., -2));
        assert_eq!(of(std::slice::from_ref(&back)), Some(vec![5, 3, 1]));
        assert_eq!(of(&[back, Taken::Positions(vec![-1, 0])]), Some(vec![1, 5]));
        assert_eq!(of(&[Taken::Part(Index::At(0))]), None, "the dimension is gone");
        assert_eq!(of(&[Taken::Other]), None);
        assert_eq!(positions(&[("lat".into(), Taken::Other)], "time", 1), Some(vec![0]));
    }
}
