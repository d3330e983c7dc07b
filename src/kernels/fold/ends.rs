//! The first and the last value that is not missing, by flat index: chunks do not arrive in that order.

use super::planes::{Counts, Fold, Indices, Planes, View};
use crate::kernels::decode::Value;

/// Says which of two indices is wanted.
pub(crate) trait End {
    /// What every index beats.
    const NOWHERE: i64;
    /// Whether index `a` beats `b`.
    fn beats(a: i64, b: i64) -> bool;
    /// The wanted index of the values that are there, and its position.
    fn find<W: Value>(indices: Indices<'_>, x: &[W]) -> Option<(u64, usize)>;
}

/// The smallest index.
pub(crate) struct Front;
/// The largest index.
pub(crate) struct Back;

impl End for Front {
    const NOWHERE: i64 = i64::MAX;
    #[inline(always)]
    fn beats(a: i64, b: i64) -> bool {
        a < b
    }
    fn find<W: Value>(indices: Indices<'_>, x: &[W]) -> Option<(u64, usize)> {
        indices.smallest(x, |x| !x.is_missing())
    }
}

impl End for Back {
    const NOWHERE: i64 = -1;
    #[inline(always)]
    fn beats(a: i64, b: i64) -> bool {
        a > b
    }
    fn find<W: Value>(indices: Indices<'_>, x: &[W]) -> Option<(u64, usize)> {
        indices.largest(x, |x| !x.is_missing())
    }
}

/// Planes: the value, and its index.
pub(crate) struct Endmost<E>(E);

impl<W: Value, E: End> Fold<W> for Endmost<E> {
    const PLANES: [usize; 3] = [size_of::<W>(), 8, 0];

    fn init(state: Planes<'_>) {
        let (value, index) = state.two::<W, i64>();
        value.fill(W::MISSING);
        index.fill(E::NOWHERE);
    }

    fn push_lane(state: Planes<'_>, x: &[W], _: bool, at: u64) {
        let (value, index) = state.two::<W, i64>();
        lane::<W, E>(value, index, x, at as i64);
    }

    fn push_run(state: Planes<'_>, x: &[W], _: bool, indices: Indices<'_>) {
        let (value, index) = state.two::<W, i64>();
        if let Some((at, p)) = E::find(indices, x).filter(|&(at, _)| E::beats(at as i64, index[0])) {
            (value[0], index[0]) = (x[p], at as i64);
        }
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        let (value, index) = into.two::<W, i64>();
        for ((m, i), (x, at)) in value.iter_mut().zip(index).zip(from.plane::<W>(0).iter().zip(from.plane::<i64>(1))) {
            if E::beats(*at, *i) {
                (*m, *i) = (*x, *at);
            }
        }
    }
}

vectorised! {
    fn lane[W: Value, E: End](value: &mut [W], index: &mut [i64], x: &[W], at: i64) -> () {
        for ((m, i), x) in value.iter_mut().zip(index).zip(x) {
            let take = !x.is_missing() & E::beats(at, *i);
            *m = if take { *x } else { *m };
            *i = if take { at } else { *i };
        }
    }
}
