//! A strided view of numbers whose shape was checked once.

use super::product::Matrix;
use bytemuck::Pod;
use std::ops::Range;

/// Numbers with a shape and strides, none of which leads outside.
#[derive(Clone, Copy)]
pub(super) struct View<'a, T> {
    numbers: &'a [T],
    pub rows: usize,
    pub cols: usize,
    pub row_stride: usize,
    pub col_stride: usize,
}

impl<'a, T: Pod> View<'a, T> {
    /// A matrix with its bytes read as numbers.
    pub fn of(matrix: &Matrix<'a>) -> View<'a, T> {
        let Matrix { bytes, rows, cols, row_stride, col_stride } = *matrix;
        View::new(bytemuck::cast_slice(bytes), [rows, cols], [row_stride, col_stride])
    }

    /// By rows without gaps.
    pub fn by_rows(numbers: &'a [T], rows: usize, cols: usize) -> View<'a, T> {
        View::new(numbers, [rows, cols], [cols, 1])
    }

    fn new(numbers: &'a [T], [rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) -> View<'a, T> {
        if rows > 0 && cols > 0 {
            let last = (rows - 1).checked_mul(row_stride).zip((cols - 1).checked_mul(col_stride));
            let last = last.and_then(|(row, col)| row.checked_add(col));
            assert!(last.is_some_and(|last| last < numbers.len()), "a matrix as long as its strides say");
        }
        View { numbers, rows, cols, row_stride, col_stride }
    }

    /// From the first element on.
    pub fn numbers(&self) -> &'a [T] {
        self.numbers
    }

    /// Element `[i, j]`.
    #[inline(always)]
    pub fn at(&self, i: usize, j: usize) -> T {
        self.numbers[i * self.row_stride + j * self.col_stride]
    }

    /// A part of the rows and columns.
    pub fn piece(&self, rows: Range<usize>, cols: Range<usize>) -> View<'a, T> {
        assert!(rows.end <= self.rows && cols.end <= self.cols, "a piece lies inside");
        let first = if rows.is_empty() || cols.is_empty() {
            0
        } else {
            rows.start * self.row_stride + cols.start * self.col_stride
        };
        View::new(&self.numbers[first..], [rows.len(), cols.len()], [self.row_stride, self.col_stride])
    }
}
