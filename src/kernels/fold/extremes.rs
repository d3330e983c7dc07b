//! The smallest and the largest value. NaN is never smaller nor larger, so that missing values are skipped for free.

use super::planes::{Counts, Fold, Indices, Planes, View};
use crate::kernels::decode::Value;

/// Says which of two values is wanted.
pub(crate) trait Side {
    /// What every value beats or equals.
    fn start<W: Value>() -> W;
    /// Whether `x` beats `best`; NaN beats nothing.
    fn beats<W: Value>(x: W, best: W) -> bool;
}

/// The smallest.
pub(crate) struct Least;
/// The largest.
pub(crate) struct Most;

impl Side for Least {
    #[inline(always)]
    fn start<W: Value>() -> W {
        W::LARGEST
    }
    #[inline(always)]
    fn beats<W: Value>(x: W, best: W) -> bool {
        x < best
    }
}

impl Side for Most {
    #[inline(always)]
    fn start<W: Value>() -> W {
        W::SMALLEST
    }
    #[inline(always)]
    fn beats<W: Value>(x: W, best: W) -> bool {
        x > best
    }
}

/// One plane: the best so far.
pub(crate) struct Extreme<S>(S);

impl<W: Value, S: Side> Fold<W> for Extreme<S> {
    const PLANES: [usize; 3] = [size_of::<W>(), 0, 0];

    fn init(state: Planes<'_>) {
        state.one::<W>().fill(S::start());
    }

    fn push_lane(state: Planes<'_>, x: &[W], _: bool, _: u64) {
        lane::<W, S>(state.one(), x);
    }

    fn push_run(state: Planes<'_>, x: &[W], _: bool, _: Indices<'_>) {
        lane::<W, S>(state.one(), &[best::<W, S>(x)]);
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        lane::<W, S>(into.one(), from.plane(0));
    }
}

vectorised! {
    fn lane[W: Value, S: Side](best: &mut [W], x: &[W]) -> () {
        for (m, x) in best.iter_mut().zip(x) {
            *m = if S::beats(*x, *m) { *x } else { *m };
        }
    }
}

vectorised! {
    /// The best value of a run; the start where all are missing.
    pub(super) fn best[W: Value, S: Side](x: &[W]) -> W {
        let mut ways = [S::start::<W>(); 16];
        let (blocks, rest) = x.as_chunks::<16>();
        for block in blocks {
            for (m, x) in ways.iter_mut().zip(block) {
                *m = if S::beats(*x, *m) { *x } else { *m };
            }
        }
        ways.iter().chain(rest).fold(S::start(), |m, x| if S::beats(*x, m) { *x } else { m })
    }
}
