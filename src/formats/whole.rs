//! A whole variable in memory: for small ones, such as coordinates, and for tests.

use crate::{
    block::Block,
    budget::Budget,
    codec::Scratch,
    dtype::{self, ByteOrder},
    error::{Error, Problem, Result},
    shape::{Region, Shape},
    source::Source,
    units::Bytes,
};

/// All values of a variable, row-major and in this machine's byte order.
///
/// *Memory*: one lease for the result, one chunk and its scratch, taken at once.
///
/// # Errors
/// When it does not fit the budget, or a chunk cannot be read.
pub fn read_all(source: &dyn Source, budget: &Budget) -> Result<Block> {
    let name = &source.meta().path;
    let fail = |e: Error| e.in_variable(name).in_file(source.origin().file);
    let element = source
        .meta()
        .stored
        .element_bytes()
        .ok_or_else(|| fail(Problem::NotNumeric { dtype: source.meta().stored.to_string() }.into()))?;
    let shape = source.grid().shape();
    let bytes = shape.bytes(element).map_err(fail)?;
    let (chunk_bytes, scratch_size) = (source.chunk_bytes(), source.scratch());
    let all = (bytes as u64).saturating_add(chunk_bytes as u64).saturating_add(scratch_size.bytes());
    let mut lease = budget.lease(all, &format!("reading '{name}' whole")).map_err(fail)?;
    let mut out = Block::new(bytes, lease.split(bytes as u64));
    let mut chunk = Block::new(chunk_bytes, lease.split(chunk_bytes as u64));
    let mut scratch = Scratch::new(scratch_size, lease);
    let strides = chunk_strides(source.grid().chunk(), &source.layout().axes);
    for n in 0..source.grid().chunks() {
        let index = source.grid().index(n);
        source.read(&index, &mut scratch, chunk.bytes_mut())?;
        place(chunk.bytes(), &strides, &source.grid().region(&index), shape, element, out.bytes_mut());
    }
    if source.layout().order != ByteOrder::NATIVE {
        dtype::swap_in_place(out.bytes_mut(), element);
    }
    Ok(out)
}

/// The strings of a variable of chars: its last dimension joined, without trailing NULs.
///
/// # Errors
/// When the variable is larger than `bytes_max` (what its file can hold), or cannot be read.
pub(super) fn texts_of_chars(source: &dyn Source, bytes_max: u64) -> Result<Vec<String>> {
    let shape = &source.meta().shape;
    let (chunk, scratch) = (source.chunk_bytes() as u64, source.scratch().bytes());
    let bytes = shape.bytes(1)? as u64;
    if bytes > bytes_max {
        let problem = Problem::Truncated { what: "text".into(), expected: bytes, got: bytes_max };
        return Err(Error::from(problem).in_variable(&source.meta().path).in_file(source.origin().file));
    }
    let block = read_all(source, &Budget::new(Bytes(bytes + chunk + scratch)))?;
    let width = shape.last().map_or(1, |&n| n as usize);
    let count = shape.iter().rev().skip(1).product::<u64>();
    if width == 0 {
        return Ok(vec![String::new(); (count as usize).min(bytes_max as usize)]);
    }
    Ok(block.bytes().chunks(width).map(text).collect())
}

/// Text without its padding of NULs.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|&b| b != 0).map_or(0, |at| at + 1);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Elements between neighbours along each axis of a chunk whose axes lie in the order `axes`, slowest first.
fn chunk_strides(chunk: &Shape, axes: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; chunk.len()];
    let mut step = 1;
    for &axis in axes.iter().rev() {
        strides[axis] = step;
        step *= chunk[axis] as usize;
    }
    strides
}

/// Copies the part of a chunk that lies in the array, row by row.
fn place(chunk: &[u8], strides: &[usize], region: &Region, shape: &Shape, size: usize, out: &mut [u8]) {
    let rank = shape.len();
    let Some(last) = rank.checked_sub(1) else {
        out.copy_from_slice(&chunk[..size]);
        return;
    };
    let out_strides = shape.strides();
    let width = region.shape[last] as usize;
    let rows: u64 = region.shape[..last].iter().product();
    let mut at = vec![0u64; last];
    for _ in 0..rows {
        let from: usize = at.iter().zip(strides).map(|(i, s)| *i as usize * s).sum();
        let to: u64 = at.iter().zip(&region.start).zip(&out_strides).map(|((i, start), s)| (start + i) * s).sum();
        let to = (to + region.start[last]) as usize * size;
        let row = &mut out[to..to + width * size];
        if strides[last] == 1 {
            row.copy_from_slice(&chunk[from * size..(from + width) * size]);
        } else {
            for (k, cell) in row.chunks_exact_mut(size).enumerate() {
                let from = (from + k * strides[last]) * size;
                cell.copy_from_slice(&chunk[from..from + size]);
            }
        }
        for k in (0..last).rev() {
            at[k] += 1;
            if at[k] < region.shape[k] {
                break;
            }
            at[k] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        attrs::Attrs,
        codec::ScratchSize,
        dtype::DType,
        grid::Grid,
        shape::ChunkIndex,
        source::{Layout, Origin, Storage, StoredType, VarMeta},
    };

    /// Element `(i, j, k)` of a 3 x 4 x 5 array is its row-major number, in chunks of 2 x 3 x 2.
    struct Numbers {
        meta: VarMeta,
        grid: Grid,
        layout: Layout,
    }

    impl Source for Numbers {
        fn meta(&self) -> &VarMeta {
            &self.meta
        }
        fn origin(&self) -> Origin {
            Origin { file: "numbers".into(), variable: "n".into() }
        }
        fn grid(&self) -> &Grid {
            &self.grid
        }
        fn layout(&self) -> &Layout {
            &self.layout
        }
        fn scratch(&self) -> ScratchSize {
            ScratchSize { stored: 10, ..ScratchSize::default() }
        }
        fn read(&self, chunk: &ChunkIndex, _: &mut Scratch, out: &mut [u8]) -> Result<()> {
            let strides = chunk_strides(self.grid.chunk(), &self.layout.axes);
            for n in 0..12u64 {
                let at = [n / 6, n / 2 % 3, n % 2];
                let place: usize = at.iter().zip(&strides).map(|(i, s)| *i as usize * s).sum();
                let position: Vec<u64> = (0..3).map(|k| chunk[k] * self.grid.chunk()[k] + at[k]).collect();
                let value = (position[0] * 20 + position[1] * 5 + position[2]) as u16;
                let bytes = if self.layout.order == ByteOrder::Big { value.to_be_bytes() } else { value.to_le_bytes() };
                out[place * 2..place * 2 + 2].copy_from_slice(&bytes);
            }
            Ok(())
        }
    }

    fn numbers(order: ByteOrder, axes: Vec<usize>) -> Numbers {
        let shape = Shape(vec![3, 4, 5]);
        Numbers {
            meta: VarMeta {
                path: "n".into(),
                stored: StoredType::Number { dtype: DType::U16, order },
                shape: shape.clone(),
                dims: ["a", "b", "c"].map(String::from).to_vec(),
                dims_named: true,
                attrs: Attrs::new(),
                fill: None,
                storage: Storage::default(),
            },
            grid: Grid::new(shape, Shape(vec![2, 3, 2])).unwrap(),
            layout: Layout { order, axes },
        }
    }

    #[test]
    fn any_byte_order_and_axis_order_gives_the_same_values() {
        let budget = Budget::new(Bytes(1000));
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for axes in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
                let block = read_all(&numbers(order, axes.to_vec()), &budget).unwrap();
                let expect: Vec<u16> = (0..60).collect();
                assert_eq!(block.elements::<u16>(), expect, "{order:?} {axes:?}");
            }
        }
        assert_eq!(budget.peak(), Bytes(120 + 24 + 10));
    }

    #[test]
    fn what_does_not_fit_the_budget_is_refused() {
        let e = read_all(&numbers(ByteOrder::Little, vec![0, 1, 2]), &Budget::new(Bytes(150))).err().unwrap();
        assert!(matches!(e.problem(), Problem::BudgetTooSmall { need: Bytes(154), .. }), "{e}");
    }

    #[test]
    fn only_trailing_nulls_are_padding() {
        assert_eq!(text(b"a b\0\0"), "a b");
        assert_eq!(text(b"\0\0"), "");
        assert_eq!(text(b"a\0b "), "a\0b ");
    }
}
