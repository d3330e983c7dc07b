//! What is taken of one dimension: [`Part`].

use crate::{
    array::{Index, LazyArray},
    error::Result,
};

/// What is taken of one dimension.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::dataset) enum Part {
    /// One position; the dimension goes.
    At(u64),
    /// Evenly spaced positions.
    Slice { start: u64, count: u64, step: i64 },
    /// A few runs of neighbours, one behind the other: where each begins, and how long it is.
    Runs(Vec<(u64, u64)>),
    /// Any positions.
    Positions(Vec<i64>),
}

/// More runs than these are taken one position at a time.
const RUNS_MAX: usize = 8;

impl Part {
    /// Positions in the order in which they are wanted.
    pub fn of(positions: &[u64]) -> Part {
        let step = match positions {
            [a, b, ..] if a != b => *b as i64 - *a as i64,
            _ => 1,
        };
        if positions.windows(2).all(|w| w[1] as i64 - w[0] as i64 == step) {
            let start = positions.first().copied().unwrap_or(0);
            return Part::Slice { start, count: positions.len() as u64, step };
        }
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for &at in positions {
            match runs.last_mut() {
                Some((start, count)) if *start + *count == at => *count += 1,
                _ => runs.push((at, 1)),
            }
        }
        match runs.len() <= RUNS_MAX {
            true => Part::Runs(runs),
            false => Part::Positions(positions.iter().map(|&at| at as i64).collect()),
        }
    }

    /// How many positions it has; `None` where the dimension goes.
    pub fn len(&self) -> Option<u64> {
        match self {
            Part::At(_) => None,
            Part::Slice { count, .. } => Some(*count),
            Part::Runs(runs) => Some(runs.iter().map(|r| r.1).sum()),
            Part::Positions(positions) => Some(positions.len() as u64),
        }
    }

    /// The positions in order.
    pub fn positions(&self) -> Vec<u64> {
        match self {
            Part::At(at) => vec![*at],
            Part::Slice { start, count, step } => {
                (0..*count as i64).map(|k| (*start as i64 + k * step) as u64).collect()
            }
            Part::Runs(runs) => runs.iter().flat_map(|(start, count)| *start..start + count).collect(),
            Part::Positions(positions) => positions.iter().map(|&at| at as u64).collect(),
        }
    }

    /// The part of an array along an axis.
    ///
    /// # Errors
    /// When the axis has no such positions.
    pub fn take(&self, array: &LazyArray, axis: usize) -> Result<LazyArray> {
        let along = axis as i64;
        match self {
            Part::At(at) => array.get_along(along, *at as i64),
            Part::Slice { count: 0, .. } => array.get_along(along, 0..0),
            Part::Slice { start, count, step } => {
                let (start, end) = (*start as i64, *start as i64 + *count as i64 * step);
                let stop = Some(end).filter(|end| *end >= 0);
                array.get_along(along, Index::Slice { start: Some(start), stop, step: *step })
            }
            Part::Runs(runs) => {
                let each = runs.iter().map(|(at, n)| array.get_along(along, *at as i64..(at + n) as i64));
                LazyArray::concat(&each.collect::<Result<Vec<_>>>()?, along)
            }
            Part::Positions(positions) => array.take(positions, along),
        }
    }
}

/// The elements of a row-major array that are taken along each axis; `None` takes all.
pub(super) fn pick<T: Clone>(values: &[T], shape: &[u64], parts: &[Option<&Part>]) -> Vec<T> {
    let mut out = values.to_vec();
    let mut lengths = shape.to_vec();
    for (axis, part) in parts.iter().enumerate() {
        let Some(part) = part else { continue };
        let positions = part.positions();
        let inner: u64 = lengths[axis + 1..].iter().product();
        let outer: u64 = lengths[..axis].iter().product();
        let mut next = Vec::with_capacity((outer * inner) as usize * positions.len());
        for row in 0..outer {
            for at in &positions {
                let from = ((row * lengths[axis] + at) * inner) as usize;
                next.extend_from_slice(out.get(from..from + inner as usize).unwrap_or_default());
            }
        }
        lengths[axis] = positions.len() as u64;
        out = next;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn positions_are_as_simple_as_they_can_be() {
        assert_eq!(Part::of(&[3, 4, 5]), Part::Slice { start: 3, count: 3, step: 1 });
        assert_eq!(Part::of(&[7, 5, 3]), Part::Slice { start: 7, count: 3, step: -2 });
        assert_eq!(Part::of(&[]), Part::Slice { start: 0, count: 0, step: 1 });
        assert_eq!(Part::of(&[8, 9, 0, 1]), Part::Runs(vec![(8, 2), (0, 2)]));
        assert_eq!(Part::of(&[2, 2]), Part::Runs(vec![(2, 1), (2, 1)]));
    }

    proptest! {
        /// What is made of positions are these positions, and arrays and values are cut alike.
        #[test]
        fn parts_are_their_positions(
            n in 1u64..12, picks in prop::collection::vec(0u64..12, 0..30), scalar in any::<bool>(),
        ) {
            let picks: Vec<u64> = picks.iter().map(|p| p % n).collect();
            let part = if scalar { Part::At(picks.first().copied().unwrap_or(0)) } else { Part::of(&picks) };
            if !scalar {
                prop_assert_eq!(part.positions(), picks.clone());
                prop_assert_eq!(part.len(), Some(picks.len() as u64));
            }
            let values: Vec<i64> = (0..3 * n as i64 * 2).collect();
            let shape = [3, n, 2];
            let array = LazyArray::from_slice(&values, &shape, &[2, 2, 2][..]).unwrap();
            let taken = part.take(&array, 1).unwrap();
            let mut wanted = Vec::new();
            for row in 0..3 {
                for at in part.positions() {
                    let from = ((row * n + at) * 2) as usize;
                    wanted.extend_from_slice(&values[from..from + 2]);
                }
            }
            prop_assert_eq!(pick(&values, &shape, &[None, Some(&part), None]), wanted.clone());
            prop_assert_eq!(taken.size() as usize, wanted.len());
            prop_assert_eq!(taken.ndim(), if scalar { 2 } else { 3 });
        }
    }
}
