//! Extents of arrays: [`Shape`], [`Region`] and [`ChunkIndex`].

use crate::error::{Error, Result};
use std::{fmt, ops::Deref};

/// The length of each dimension, slowest first; a scalar has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(pub Vec<u64>);

impl Shape {
    /// The number of elements. A scalar has one.
    ///
    /// # Errors
    /// When the product exceeds 2^63 - 1, as only a broken file can say.
    pub fn elements(&self) -> Result<u64> {
        // A zero length makes the product zero, however large the others are.
        if self.0.contains(&0) {
            return Ok(0);
        }
        self.0
            .iter()
            .try_fold(1u64, |a, &n| a.checked_mul(n))
            .filter(|&n| n <= i64::MAX as u64)
            .ok_or_else(|| Error::corrupt("shape", format!("{self} has more elements than 2^63")))
    }

    /// `elements() * element_bytes`, checked, as a length in memory.
    pub fn bytes(&self, element_bytes: usize) -> Result<usize> {
        let bytes = self.elements()?.checked_mul(element_bytes as u64).filter(|&n| n <= i64::MAX as u64);
        bytes.map(|n| n as usize).ok_or_else(|| Error::corrupt("shape", format!("{self} has more bytes than 2^63")))
    }

    /// How many elements lie before an axis, and behind it.
    pub fn around(&self, axis: usize) -> [usize; 2] {
        let count = |part: &[u64]| part.iter().product::<u64>() as usize;
        [count(&self[..axis]), count(&self[axis + 1..])]
    }

    /// Row-major strides in elements.
    pub fn strides(&self) -> Vec<u64> {
        let mut strides = vec![1u64; self.0.len()];
        for k in (1..self.0.len()).rev() {
            strides[k - 1] = strides[k].saturating_mul(self.0[k]);
        }
        strides
    }
}

impl Deref for Shape {
    type Target = [u64];
    fn deref(&self) -> &[u64] {
        &self.0
    }
}

impl From<Vec<u64>> for Shape {
    fn from(lengths: Vec<u64>) -> Shape {
        Shape(lengths)
    }
}

impl From<&[u64]> for Shape {
    fn from(lengths: &[u64]) -> Shape {
        Shape(lengths.to_vec())
    }
}

impl FromIterator<u64> for Shape {
    fn from_iter<I: IntoIterator<Item = u64>>(lengths: I) -> Shape {
        Shape(lengths.into_iter().collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.0, '(', ')')
    }
}

/// The position of a chunk in its grid, one number a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct ChunkIndex(pub Vec<u64>);

impl Deref for ChunkIndex {
    type Target = [u64];
    fn deref(&self) -> &[u64] {
        &self.0
    }
}

impl fmt::Display for ChunkIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.0, '[', ']')
    }
}

/// A box in an array: where it starts and how far it goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Region {
    /// The first element's position.
    pub start: Vec<u64>,
    /// The lengths.
    pub shape: Shape,
}

impl Region {
    /// The whole of an array.
    pub fn all(shape: &Shape) -> Region {
        Region { start: vec![0; shape.len()], shape: shape.clone() }
    }

    /// The same box with another part of one axis.
    pub fn with_axis(&self, axis: usize, start: u64, length: u64) -> Region {
        let mut out = self.clone();
        (out.start[axis], out.shape.0[axis]) = (start, length);
        out
    }

    /// The same box in an array that has one more axis, before the axis that is the `axis`th now: a part of it.
    pub fn with_new_axis(&self, axis: usize, start: u64, length: u64) -> Region {
        let mut out = self.clone();
        out.start.insert(axis, start);
        out.shape.0.insert(axis, length);
        out
    }

    /// The part that two boxes of one array share, or `None`.
    pub fn intersect(&self, other: &Region) -> Option<Region> {
        let mut out = Region::default();
        for k in 0..self.start.len() {
            let start = self.start[k].max(other.start[k]);
            let end = (self.start[k] + self.shape[k]).min(other.start[k] + other.shape[k]);
            if start >= end {
                return None;
            }
            out.start.push(start);
            out.shape.0.push(end - start);
        }
        Some(out)
    }

    /// Where its elements begin among those of `outer`, row-major, if all lie there one behind the other.
    pub fn run_in(&self, outer: &Region) -> Option<u64> {
        outer.intersect(self).filter(|shared| shared == self)?;
        let outermost = self.shape.iter().position(|&n| n != 1).unwrap_or(self.shape.len());
        let mut inner = outermost + 1..self.shape.len();
        let place = |(k, stride): (usize, u64)| (self.start[k] - outer.start[k]) * stride;
        inner
            .all(|k| self.shape[k] == outer.shape[k])
            .then(|| outer.shape.strides().into_iter().enumerate().map(place).sum())
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, items: &[u64], open: char, close: char) -> fmt::Result {
    write!(f, "{open}")?;
    for (k, n) in items.iter().enumerate() {
        write!(f, "{}{n}", if k > 0 { ", " } else { "" })?;
    }
    write!(f, "{close}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_checked() {
        assert_eq!(Shape(vec![]).elements().unwrap(), 1);
        assert_eq!(Shape(vec![3, 0, u64::MAX]).elements().unwrap(), 0);
        assert!(Shape(vec![1 << 40, 1 << 40]).elements().is_err());
        assert!(Shape(vec![1 << 62]).bytes(8).is_err());
        assert_eq!(Shape(vec![2, 3, 4]).strides(), [12, 4, 1]);
    }

    #[test]
    fn a_region_that_is_one_run_of_another() {
        let outer = Region { start: vec![10, 0, 20], shape: Shape(vec![6, 4, 5]) };
        let at = |start: [u64; 3], shape: [u64; 3]| {
            Region { start: start.to_vec(), shape: Shape(shape.to_vec()) }.run_in(&outer)
        };
        assert_eq!(outer.run_in(&outer), Some(0));
        assert_eq!(at([12, 0, 20], [3, 4, 5]), Some(40));
        assert_eq!(at([11, 1, 20], [1, 2, 5]), Some(25));
        assert_eq!(at([11, 1, 22], [1, 1, 3]), Some(27));
        assert_eq!(at([11, 1, 20], [2, 2, 5]), None);
        assert_eq!(at([11, 1, 20], [1, 2, 3]), None);
        assert_eq!(at([15, 0, 20], [2, 4, 5]), None, "it ends behind");
    }

    #[test]
    fn regions_intersect() {
        let a = Region { start: vec![0, 5], shape: Shape(vec![4, 5]) };
        let b = Region { start: vec![2, 0], shape: Shape(vec![4, 6]) };
        assert_eq!(a.intersect(&b), Some(Region { start: vec![2, 5], shape: Shape(vec![2, 1]) }));
        let far = Region { start: vec![4, 0], shape: Shape(vec![1, 1]) };
        assert_eq!(a.intersect(&far), None);
    }
}
