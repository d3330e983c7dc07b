//! How a reshape moves elements: axes fall into groups whose products agree, and within a group row-major order stays.

use crate::shape::{Region, Shape};

/// Axes of the old and of the new shape that have equally many elements together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Lengths of the old axes.
    pub old: Vec<u64>,
    /// Lengths of the new axes.
    pub new: Vec<u64>,
}

/// The smallest groups, first axes first. Both shapes have equally many elements, and at least one.
pub fn groups(old: &[u64], new: &[u64]) -> Vec<Group> {
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        let (from, to) = (i, j);
        let (mut a, mut b) = (1u64, 1u64);
        loop {
            if i < old.len() && (a <= b || j == new.len()) {
                a *= old[i];
                i += 1;
            } else if j < new.len() {
                b *= new[j];
                j += 1;
            }
            // Axes of length 1 at the end of a shape have nothing to pair with, and join the group before.
            let rest_is_ones = (i == old.len() && new[j..].iter().all(|&n| n == 1))
                || (j == new.len() && old[i..].iter().all(|&n| n == 1));
            if a == b && (i > from && j > to) && rest_is_ones {
                (i, j) = (old.len(), new.len());
            }
            if a == b && ((i > from && j > to) || (i == old.len() && j == new.len())) {
                break;
            }
        }
        out.push(Group { old: old[from..i].to_vec(), new: new[to..j].to_vec() });
    }
    out
}

/// The blocks of a reshaped array: each made of as few blocks of the old one as its order allows.
pub(super) fn blocks(old: &Shape, chunk: &Shape, new: &Shape) -> Shape {
    if old.contains(&0) {
        return new.iter().map(|&n| n.max(1)).collect();
    }
    let mut out = Vec::new();
    let mut at = 0;
    for group in groups(old, new) {
        let chunk = &chunk[at..at + group.old.len()];
        at += group.old.len();
        if group.old.len() == 1 && group.new.len() == 1 {
            out.push(chunk[0]);
            continue;
        }
        // Elements that lie one behind the other in a block: whole axes from the last one on, and part of one more.
        let mut run = 1;
        for (&n, &c) in group.old.iter().zip(chunk).rev() {
            run *= c;
            if c < n {
                break;
            }
        }
        let mut lengths: Vec<u64> = vec![1; group.new.len()];
        for (k, &n) in group.new.iter().enumerate().rev() {
            lengths[k] = run.clamp(1, n);
            if lengths[k] < n {
                break;
            }
            run /= n.max(1);
        }
        out.extend(lengths);
    }
    out.into()
}

/// A box of old elements that are, in the same order, a run of a group's new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where the run begins, counted in row-major order among the region's elements of the group.
    pub at: u64,
    /// The box, in the old axes of the group.
    pub from: Region,
}

impl Group {
    /// What a region of the new axes is made of.
    pub fn pieces(&self, region: &Region) -> Vec<Piece> {
        let mut out = Vec::new();
        let total: u64 = region.shape.iter().product();
        if total == 0 {
            return out;
        }
        if let ([_], [_]) = (&*self.old, &*self.new) {
            return vec![Piece { at: 0, from: region.clone() }];
        }
        // The longest runs: trailing axes that are whole, and one more.
        let mut outer = self.new.len();
        let mut run = 1;
        while outer > 0 {
            outer -= 1;
            run *= region.shape[outer];
            if region.shape[outer] != self.new[outer] {
                break;
            }
        }
        let strides = Shape(self.new.clone()).strides();
        let mut index = vec![0; outer];
        for n in 0..total / run.max(1) {
            let mut rest = n;
            for k in (0..outer).rev() {
                index[k] = rest % region.shape[k];
                rest /= region.shape[k];
            }
            let first: u64 =
                (0..self.new.len()).map(|k| (region.start[k] + index.get(k).copied().unwrap_or(0)) * strides[k]).sum();
            self.boxes(first, run, n * run, &mut out);
        }
        out
    }

    /// The boxes of old elements that make up `len` elements from `first` on.
    fn boxes(&self, mut first: u64, mut len: u64, mut at: u64, out: &mut Vec<Piece>) {
        let rank = self.old.len();
        let strides = Shape(self.old.clone()).strides();
        while len > 0 {
            // The slowest axis along which a step starts here and fits.
            let axis = (0..rank)
                .find(|&k| first.is_multiple_of(strides[k]) && strides[k] <= len)
                .unwrap_or(rank.saturating_sub(1));
            let mut from = Region { start: vec![0; rank], shape: Shape(vec![1; rank]) };
            let mut rest = first;
            for (k, &stride) in strides.iter().enumerate() {
                from.start[k] = rest / stride;
                rest %= stride;
                if k > axis {
                    (from.start[k], from.shape.0[k]) = (0, self.old[k]);
                }
            }
            let mut count = 1;
            if rank > 0 {
                count = (len / strides[axis]).min(self.old[axis] - from.start[axis]);
                from.shape.0[axis] = count;
                count *= strides[axis];
            }
            out.push(Piece { at, from });
            (first, len, at) = (first + count, len - count, at + count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn groups_are_the_smallest() {
        let of = |old: &[u64], new: &[u64]| -> Vec<(Vec<u64>, Vec<u64>)> {
            groups(old, new).into_iter().map(|g| (g.old, g.new)).collect()
        };
        assert_eq!(of(&[6, 4], &[2, 3, 4]), [(vec![6], vec![2, 3]), (vec![4], vec![4])]);
        assert_eq!(of(&[6, 4], &[24]), [(vec![6, 4], vec![24])]);
        assert_eq!(of(&[6, 4], &[4, 6]), [(vec![6, 4], vec![4, 6])]);
        assert_eq!(of(&[], &[1, 1]), [(vec![], vec![1, 1])]);
        assert_eq!(of(&[5], &[5, 1]).len(), 1);
    }

    proptest! {
        #[test]
        fn pieces_are_the_elements_of_the_region(
            parts in prop::collection::vec(1..4u64, 1..5), cut in 0..5usize, turn in any::<bool>(), seed in any::<u64>(),
        ) {
            // Two ways to multiply the same factors together.
            let cut = cut.min(parts.len());
            let merged: Vec<u64> = if cut == 0 { parts.clone() } else {
                [vec![parts[..cut].iter().product()], parts[cut..].to_vec()].concat()
            };
            let (old, new) = if turn { (merged, parts) } else { (parts, merged) };
            let mut rest = seed;
            let mut draw = |n: u64| { let x = rest % n.max(1); rest = rest / 7 + 3; x };
            let start: Vec<u64> = new.iter().map(|&n| draw(n)).collect();
            let shape: Shape = new.iter().zip(&start).map(|(&n, &s)| 1 + draw(n - s)).collect();
            let linear = |index: &[u64], lengths: &[u64]| index.iter().zip(lengths).fold(0, |a, (i, n)| a * n + i);
            let mut axis = (0, 0);
            for group in groups(&old, &new) {
                let to = axis.1..axis.1 + group.new.len();
                let region = Region { start: start[to.clone()].to_vec(), shape: shape[to].into() };
                let each = crate::grid::Grid::new(region.shape.clone(), vec![1; region.shape.len()].into()).unwrap();
                let want: Vec<u64> = (0..each.chunks()).map(|n| {
                    let here: Vec<u64> = each.index(n).iter().zip(&region.start).map(|(a, b)| a + b).collect();
                    linear(&here, &group.new)
                }).collect();
                let mut got = Vec::new();
                for piece in group.pieces(&region) {
                    prop_assert_eq!(piece.at, got.len() as u64);
                    let inner = crate::grid::Grid::new(piece.from.shape.clone(), vec![1; group.old.len()].into()).unwrap();
                    got.extend((0..inner.chunks()).map(|n| {
                        let here: Vec<u64> = inner.index(n).iter().zip(&piece.from.start).map(|(a, b)| a + b).collect();
                        linear(&here, &group.old)
                    }));
                }
                prop_assert_eq!(got, want);
                axis = (axis.0 + group.old.len(), axis.1 + group.new.len());
            }
            prop_assert_eq!(axis, (old.len(), new.len()));
        }
    }
}
