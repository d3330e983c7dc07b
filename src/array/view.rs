use crate::shape::{Region, Shape};

/// Which element of an input each element of a view is: slices, transposes, broadcasts and diagonals alike.
///
/// Composing views gives a view, so that any number of them costs no more than one, and none of them moves data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct View {
    /// The shape that it gives.
    pub shape: Shape,
    /// For each axis of the input, where along it an element of the view lies.
    pub axes: Vec<Along>,
}

/// Where along one axis of the input an element of a view lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Along {
    /// Always here.
    At(u64),
    /// At `start + step * position` along an axis of the view.
    Axis {
        /// The axis of the view.
        axis: usize,
        /// Where its first element lies.
        start: u64,
        /// How far its neighbours lie apart, backwards where negative; never 0.
        step: i64,
    },
}

impl View {
    /// The array itself.
    pub fn identity(shape: &Shape) -> View {
        View::permuted(shape, &(0..shape.len()).collect::<Vec<_>>())
    }

    /// Axes in another order: axis `k` of the view is axis `order[k]` of the input.
    pub fn permuted(shape: &Shape, order: &[usize]) -> View {
        let mut axes = vec![Along::At(0); shape.len()];
        for (axis, &from) in order.iter().enumerate() {
            axes[from] = Along::Axis { axis, start: 0, step: 1 };
        }
        View { shape: order.iter().map(|&k| shape[k]).collect(), axes }
    }

    /// Whether it is the whole of an array of shape `of`, unchanged.
    pub fn is_identity(&self, of: &Shape) -> bool {
        let itself = |(k, along): (usize, &Along)| *along == Along::Axis { axis: k, start: 0, step: 1 };
        self.shape == *of && self.axes.iter().enumerate().all(itself)
    }

    /// This view of what `inner` shows.
    pub fn of(&self, inner: &View) -> View {
        let axes = inner.axes.iter().map(|along| match *along {
            Along::At(at) => Along::At(at),
            Along::Axis { axis, start, step } => match self.axes[axis] {
                Along::At(at) => Along::At(offset(start, step, at)),
                Along::Axis { axis, start: first, step: by } => {
                    Along::Axis { axis, start: offset(start, step, first), step: step * by }
                }
            },
        });
        View { shape: self.shape.clone(), axes: axes.collect() }
    }

    /// The elements of the input that a region of the view is made of.
    pub fn picks(&self, region: &Region) -> Picks {
        let mut picks = Picks::default();
        for along in &self.axes {
            let (start, step, count) = match *along {
                Along::At(at) => (at, 1, 1),
                Along::Axis { axis, start, step } => {
                    let count = region.shape[axis];
                    let first = offset(start, step, region.start[axis]);
                    let last = offset(first, step, count.saturating_sub(1));
                    (first.min(last), step.unsigned_abs(), count)
                }
            };
            picks.start.push(start);
            picks.step.push(if count <= 1 { 1 } else { step });
            picks.count.0.push(count);
        }
        picks
    }

    /// How far apart in a block of [`picks`](View::picks) neighbours along each axis of the view lie, and where the
    /// view's first element is; `strides` are the block's.
    pub fn strides(&self, count: &[u64], strides: &[isize]) -> (isize, Vec<isize>) {
        let mut first = 0;
        let mut out = vec![0; self.shape.len()];
        for (k, along) in self.axes.iter().enumerate() {
            if let Along::Axis { axis, step, .. } = *along {
                if step < 0 {
                    first += (count[k] as isize - 1).max(0) * strides[k];
                    out[axis] -= strides[k];
                } else {
                    out[axis] += strides[k];
                }
            }
        }
        (first, out)
    }
}

fn offset(start: u64, step: i64, at: u64) -> u64 {
    (start as i64).wrapping_add(step.wrapping_mul(at as i64)) as u64
}

/// Evenly spaced elements along every axis of an array.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picks {
    /// The first along each axis.
    pub start: Vec<u64>,
    /// How far apart.
    pub step: Vec<u64>,
    /// How many.
    pub count: Shape,
}

impl Picks {
    /// The smallest region that holds them all.
    pub fn bounds(&self) -> Region {
        let shape = self.count.iter().zip(&self.step).map(|(&n, &s)| if n == 0 { 0 } else { (n - 1) * s + 1 });
        Region { start: self.start.clone(), shape: shape.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(lengths: &[u64]) -> Shape {
        lengths.into()
    }

    #[test]
    fn a_transposed_slice_backwards() {
        let base = shape(&[10, 20]);
        let turned = View::permuted(&base, &[1, 0]);
        // v = x.T[15:3:-2, 4]
        let slice = View { shape: shape(&[6]), axes: vec![Along::Axis { axis: 0, start: 15, step: -2 }, Along::At(4)] };
        let v = slice.of(&turned);
        assert_eq!(v.axes, [Along::At(4), Along::Axis { axis: 0, start: 15, step: -2 }]);
        let picks = v.picks(&Region { start: vec![1], shape: shape(&[3]) });
        assert_eq!((picks.start, picks.step, picks.count), (vec![4, 9], vec![1, 2], shape(&[1, 3])));
        let (first, strides) = v.strides(&[1, 3], &[3, 1]);
        assert_eq!((first, strides), (2, vec![-1]));
    }

    #[test]
    fn a_diagonal_walks_both_axes() {
        let both = Along::Axis { axis: 0, start: 0, step: 1 };
        let v = View { shape: shape(&[5]), axes: vec![both, both] };
        let picks = v.picks(&Region { start: vec![2], shape: shape(&[2]) });
        assert_eq!(picks.bounds(), Region { start: vec![2, 2], shape: shape(&[2, 2]) });
        assert_eq!(v.strides(&[2, 2], &[2, 1]), (0, vec![3]));
    }
}
