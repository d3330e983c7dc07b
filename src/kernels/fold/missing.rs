//! How many values are missing. Every other accumulator skips them.

use super::planes::{Counts, Fold, Indices, Planes, View};
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
