//! Where the smallest and the largest value are.

use super::{
    extremes::{Side, best},
    planes::{Counts, Fold, Indices, Planes, View},
};
use crate::kernels::decode::Value;

/// Planes: the best value, and its smallest index ([`NOWHERE`] before the first).
pub(crate) struct Arg<S>(S);

/// The index of no value.
pub(crate) const NOWHERE: u64 = u64::MAX;

impl<W: Value, S: Side> Fold<W> for Arg<S> {
    const PLANES: [usize; 3] = [size_of::<W>(), 8, 0];

    fn init(state: Planes<'_>) {
        let (value, index) = state.two::<W, u64>();
        value.fill(S::start());
        index.fill(NOWHERE);
    }

    fn push_lane(state: Planes<'_>, x: &[W], _: bool, at: u64) {
        let (value, index) = state.two::<W, u64>();
        lane::<W, S>(value, index, x, at);
    }

    fn push_run(state: Planes<'_>, x: &[W], _: bool, indices: Indices<'_>) {
        let winner = best::<W, S>(x);
        let Some((at, _)) = indices.smallest(x, |x| x == winner) else { return };
        let (value, index) = state.two::<W, u64>();
        lane::<W, S>(value, index, &[winner], at);
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        let (value, index) = into.two::<W, u64>();
        for ((m, i), (x, at)) in value.iter_mut().zip(index).zip(from.plane::<W>(0).iter().zip(from.plane::<u64>(1))) {
            if S::beats(*x, *m) || (*x == *m && *at < *i) {
                (*m, *i) = (*x, *at);
            }
        }
    }
}

vectorised! {
    fn lane[W: Value, S: Side](value: &mut [W], index: &mut [u64], x: &[W], at: u64) -> () {
        for ((m, i), x) in value.iter_mut().zip(index).zip(x) {
            let take = S::beats(*x, *m) | ((*x == *m) & (at < *i));
            *m = if take { *x } else { *m };
            *i = if take { at } else { *i };
        }
    }
}
