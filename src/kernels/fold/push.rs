//! Hands the decoded values of chunks, in loops of the cheapest shape, to whoever folds them.

use super::{
    ChunkView, Role, is_kept,
    planes::Indices,
    walk::{Inner, Walk},
    with_work,
};
use crate::kernels::decode::{Decoded, Decoder, Elements, SEGMENT, Segment, Value, Work};
use std::ops::Range;

/// Takes decoded values.
pub(in crate::kernels) trait Take<W: Value> {
    /// One value for each cell of a range.
    fn lane(&mut self, cells: Range<usize>, x: Decoded<'_, W>, index: u64);
    /// Many values for one cell.
    fn run(&mut self, cell: usize, x: Decoded<'_, W>, indices: Indices<'_>);
}

/// Hands on the values of chunks as `work`, one chunk after the other for each cell.
///
/// Gives the same calls for every cell, in the same order, as one by one.
///
/// # Panics
/// When a view reaches beyond its bytes, or its kept dimensions are not the cells.
pub(in crate::kernels) fn push(
    decoder: &Decoder,
    work: Work,
    views: &[ChunkView<'_>],
    cells: usize,
    segment: &mut Segment,
    to: &mut (impl Take<f32> + Take<f64> + Take<i64> + Take<u64>),
) {
    check(views, decoder.element(), cells);
    with_work!(work, W => push_as::<W>(decoder, views, segment, to));
}

fn push_as<W: Value>(decoder: &Decoder, views: &[ChunkView<'_>], segment: &mut Segment, to: &mut impl Take<W>) {
    // One short run of a few values: a list of it would cost more than what is done.
    if let [view] = views
        && let Some(walk) = Walk::new(view)
        && let Inner::Run { .. } = walk.inner
    {
        return push_runs(decoder, &walk, view.elements, segment, to);
    }
    let walks: Vec<(Walk, Elements<'_>)> = views.iter().filter_map(|v| Some((Walk::new(v)?, v.elements))).collect();
    for together in walks.chunk_by(|a, b| a.0.same_lanes(&b.0)) {
        match together[0].0.inner {
            Inner::Lane { .. } => push_lanes(decoder, together, segment, to),
            Inner::Run { .. } => {
                together.iter().for_each(|(walk, elements)| push_runs(decoder, walk, *elements, segment, to))
            }
        }
    }
}

/// A segment of cells outermost, so that its state stays in cache while all values are added to it.
fn push_lanes<W: Value>(
    decoder: &Decoder,
    together: &[(Walk, Elements<'_>)],
    segment: &mut Segment,
    to: &mut impl Take<W>,
) {
    let Inner::Lane { len, .. } = together[0].0.inner else { return };
    for n in 0..together[0].0.cell_loops() {
        for from in (0..len).step_by(SEGMENT) {
            let some = SEGMENT.min(len - from);
            for &(ref walk, elements) in together {
                let Inner::Lane { stride, .. } = walk.inner else { continue };
                let (start, cell) = walk.cell_start(n);
                walk.for_values(start + from * stride, &mut |element, index| {
                    let x = decoder.decode::<W>(elements, element, stride, some, segment);
                    to.lane(cell + from..cell + from + some, x, index);
                });
            }
        }
    }
}

fn push_runs<W: Value>(
    decoder: &Decoder,
    walk: &Walk,
    elements: Elements<'_>,
    segment: &mut Segment,
    to: &mut impl Take<W>,
) {
    let Inner::Run { len, stride, ref parts } = walk.inner else { return };
    for n in 0..walk.cell_loops() {
        let (start, cell) = walk.cell_start(n);
        walk.for_values(start, &mut |element, first| {
            for from in (0..len).step_by(SEGMENT) {
                let some = SEGMENT.min(len - from);
                let x = decoder.decode::<W>(elements, element + from * stride, stride, some, segment);
                to.run(cell, x, Indices { first, skipped: from as u64, parts: parts.all() });
            }
        });
    }
}

/// That the views lie inside their chunks and cover the cells.
fn check(views: &[ChunkView<'_>], element: usize, cells: usize) {
    for view in views {
        let kept: usize = view.dims.iter().filter(|d| is_kept(d)).map(|d| d.len).product();
        assert_eq!(kept, cells, "the kept dimensions are the cells");
        if view.dims.iter().any(|d| d.len == 0) {
            continue;
        }
        let last: usize = view.dims.iter().map(|d| (d.len - 1) * d.stride).sum();
        assert!(last < view.elements.len(element), "a view inside its chunk");
        let cell = view.dims.iter().map(|d| match d.role {
            Role::Kept { cell_stride } => (d.len - 1) * cell_stride,
            Role::Reduced { .. } => 0,
        });
        assert!(cell.sum::<usize>() < cells, "cells inside the state");
    }
}
