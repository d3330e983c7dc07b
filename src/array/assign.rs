//! Assignment of a region: a new array with other values in one part.

use super::{Index, LazyArray, View};
use crate::error::{Error, Result};

impl LazyArray {
    /// A new array with `value` where [`get`](LazyArray::get) of the same parts would read: `x[parts] = value`. The
    /// value broadcasts to that part, and is cast to this array's type.
    ///
    /// # Errors
    /// As [`get`](LazyArray::get), and when the value does not broadcast.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let x = LazyArray::zeros(&[5], &[2], DType::I64)?;
    /// let y = x.set(&[Index::stepped(1.., 2)], &LazyArray::arange(7, 9, 1, &[2])?)?;
    /// assert_eq!(Session::new().compute(&y)?.to_vec::<i64>()?, [0, 7, 0, 8, 0]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn set(&self, parts: &[Index], value: &LazyArray) -> Result<LazyArray> {
        let part = self.get(parts)?;
        let mut value = value.astype(self.dtype());
        while value.ndim() > part.ndim() && value.shape()[0] == 1 {
            value = value.squeeze(&[0])?;
        }
        if part.size() == 0 {
            value.broadcast_to(part.shape())?;
            return Ok(self.clone());
        }
        let (spans, axes) = self.spans(parts)?;
        // The part's axes in place of the array's: those of integers with length 1, new ones gone.
        let value = value.broadcast_to(part.shape())?;
        let new: Vec<i64> = (0..part.ndim() as i64).filter(|k| !axes.contains(&Some(*k as usize))).collect();
        let lost: Vec<i64> = (0..axes.len()).filter(|&k| axes[k].is_none()).map(|k| k as i64).collect();
        let turned: Vec<i64> = (0..spans.len()).filter(|&k| spans[k].backwards).map(|k| k as i64).collect();
        let value = value.squeeze(&new)?.expand_dims(&lost)?.flip(&turned)?;
        let out = self.replaced(&spans, 0, &value)?.with_blocks(self.chunk().clone());
        let dims = self.dims().map(<[String]>::to_vec);
        Ok(out.viewed(View::identity(self.shape()), dims, self.chunk().clone()))
    }

    /// A new array with `value` where `mask` is true: `x[mask] = value`, for a value that broadcasts to the array. It is
    /// cast to this array's type.
    ///
    /// # Errors
    /// When mask or value do not broadcast to the array.
    pub fn set_where(&self, mask: &LazyArray, value: &LazyArray) -> Result<LazyArray> {
        let out = LazyArray::select(mask, &value.astype(self.dtype()), self)?;
        if out.shape() != self.shape() {
            let (m, v, x) = (mask.shape(), value.shape(), self.shape());
            return Err(Error::usage(format!("a mask of {m} and a value of {v} for an array of {x}")));
        }
        Ok(out)
    }

    /// What the parts take along each axis, and which axis of the part it is.
    fn spans(&self, parts: &[Index]) -> Result<(Vec<Span>, Vec<Option<usize>>)> {
        let taken = parts.iter().filter(|p| matches!(p, Index::At(_) | Index::Slice { .. })).count();
        let rest = self.ndim() - taken;
        let mut full: Vec<&Index> = Vec::new();
        for part in parts {
            match part {
                Index::Ellipsis => full.extend(std::iter::repeat_n(&Index::ALL, rest)),
                other => full.push(other),
            }
        }
        if !parts.contains(&Index::Ellipsis) {
            full.extend(std::iter::repeat_n(&Index::ALL, rest));
        }
        let (mut spans, mut axes, mut axis) = (Vec::new(), Vec::new(), 0);
        for part in full {
            let n = self.shape().get(spans.len()).copied().unwrap_or(1);
            match *part {
                Index::At(at) => {
                    spans.push(Span {
                        first: (if at < 0 { at + n as i64 } else { at }) as u64,
                        count: 1,
                        step: 1,
                        backwards: false,
                    });
                    axes.push(None);
                }
                Index::Slice { start, stop, step } => {
                    let (first, count) = super::index::resolve(start, stop, step, n);
                    let by = step.unsigned_abs();
                    let backwards = step < 0;
                    let first = if backwards { first - (count - 1) * by } else { first };
                    spans.push(Span { first, count, step: if count == 1 { 1 } else { by }, backwards });
                    axes.push(Some(axis));
                    axis += 1;
                }
                Index::NewAxis => axis += 1,
                Index::Ellipsis => {}
            }
        }
        Ok((spans, axes))
    }

    /// With `value` in place of what the spans say along axes from `axis` on; before it, all is replaced.
    fn replaced(&self, spans: &[Span], axis: usize, value: &LazyArray) -> Result<LazyArray> {
        let Some(span) = spans.get(axis) else { return Ok(value.clone()) };
        let along = axis as i64;
        let n = self.shape()[axis];
        if span.count == n {
            return self.replaced(spans, axis + 1, value);
        }
        let stop = span.first + (span.count - 1) * span.step + 1;
        let every = Index::stepped(span.first as i64..stop as i64, span.step as i64);
        let inner = self.get_along(along, every)?.replaced(spans, axis + 1, value)?;
        if span.step == 1 {
            let (before, after) = (self.get_along(along, ..span.first as i64)?, self.get_along(along, stop as i64..)?);
            return LazyArray::concat(&[before, inner, after], along);
        }
        // Both, one behind the other, and from these the one or the other.
        let of = |p: u64| match p.checked_sub(span.first) {
            Some(d) if d.is_multiple_of(span.step) && p < stop => (n + d / span.step) as i64,
            _ => p as i64,
        };
        let both = LazyArray::concat(&[self.clone(), inner], along)?;
        both.take(&(0..n).map(of).collect::<Vec<_>>(), along)
    }
}

/// Evenly spaced positions along an axis, upwards.
struct Span {
    first: u64,
    count: u64,
    step: u64,
    /// Whether the value's first is for the last of them.
    backwards: bool,
}
