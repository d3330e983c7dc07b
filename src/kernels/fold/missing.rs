//! How many values are missing, and where the first is. Every other accumulator skips them.

use super::{
    arg::NOWHERE,
    planes::{Counts, Fold, Indices, Planes, View},
};
use crate::kernels::decode::Value;

pub(crate) struct Missing;

impl<W: Value> Fold<W> for Missing {
    const PLANES: [usize; 3] = [8, 0, 0];

    fn init(state: Planes<'_>) {
        state.one::<u64>().fill(0);
    }

    fn push_lane(state: Planes<'_>, x: &[W], missing: bool, _: u64) {
        if missing {
            lane(state.one(), x);
        }
    }

    fn push_run(state: Planes<'_>, x: &[W], missing: bool, _: Indices<'_>) {
        if missing {
            state.one::<u64>()[0] += run(x);
        }
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        into.one::<u64>().iter_mut().zip(from.plane::<u64>(0)).for_each(|(a, b)| *a += b);
    }
}

vectorised! {
    fn lane[W: Value](count: &mut [u64], x: &[W]) -> () {
        for (n, x) in count.iter_mut().zip(x) {
            *n += u64::from(x.is_missing());
        }
    }
}

vectorised! {
    fn run[W: Value](x: &[W]) -> u64 {
        x.iter().map(|x| u64::from(x.is_missing())).sum()
    }
}

/// One plane: the smallest index of a missing value ([`NOWHERE`] while there is none).
pub(crate) struct FirstMissing;

impl<W: Value> Fold<W> for FirstMissing {
    const PLANES: [usize; 3] = [8, 0, 0];

    fn init(state: Planes<'_>) {
        state.one::<u64>().fill(NOWHERE);
    }

    fn push_lane(state: Planes<'_>, x: &[W], missing: bool, at: u64) {
        if missing {
            first_lane(state.one(), x, at);
        }
    }

    fn push_run(state: Planes<'_>, x: &[W], missing: bool, indices: Indices<'_>) {
        if missing && let Some((at, _)) = indices.smallest(x, |x| x.is_missing()) {
            let first = &mut state.one::<u64>()[0];
            *first = at.min(*first);
        }
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        into.one::<u64>().iter_mut().zip(from.plane::<u64>(0)).for_each(|(a, b)| *a = *b.min(a));
    }
}

vectorised! {
    fn first_lane[W: Value](first: &mut [u64], x: &[W], at: u64) -> () {
        for (first, x) in first.iter_mut().zip(x) {
            *first = if x.is_missing() & (at < *first) { at } else { *first };
        }
    }
}
