//! Whether any or all values are not zero. Missing values are skipped; what they are
//! where they are not, is said when a result is made.

use super::planes::{Counts, Fold, Indices, Planes, View};
use crate::kernels::decode::Value;

/// Whether any value is neither zero nor missing.
pub(crate) struct AnyOf;

impl<W: Value> Fold<W> for AnyOf {
    const PLANES: [usize; 3] = [1, 0, 0];

    fn init(state: Planes<'_>) {
        state.one::<u8>().fill(0);
    }

    fn push_lane(state: Planes<'_>, x: &[W], _: bool, _: u64) {
        state.one::<u8>().iter_mut().zip(x).for_each(|(s, x)| *s |= u8::from(is_true(*x)));
    }

    fn push_run(state: Planes<'_>, x: &[W], _: bool, _: Indices<'_>) {
        state.one::<u8>()[0] |= u8::from(x.iter().any(|x| is_true(*x)));
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        into.one::<u8>().iter_mut().zip(from.plane::<u8>(0)).for_each(|(a, b)| *a |= b);
    }
}

#[inline(always)]
fn is_true<W: Value>(x: W) -> bool {
    x != W::default() && !x.is_missing()
}

/// Whether no value is zero.
pub(crate) struct AllOf;

impl<W: Value> Fold<W> for AllOf {
    const PLANES: [usize; 3] = [1, 0, 0];

    fn init(state: Planes<'_>) {
        state.one::<u8>().fill(1);
    }

    fn push_lane(state: Planes<'_>, x: &[W], _: bool, _: u64) {
        state.one::<u8>().iter_mut().zip(x).for_each(|(s, x)| *s &= u8::from(*x != W::default()));
    }

    fn push_run(state: Planes<'_>, x: &[W], _: bool, _: Indices<'_>) {
        state.one::<u8>()[0] &= u8::from(x.iter().all(|x| *x != W::default()));
    }

    fn merge(into: Planes<'_>, from: View<'_>, _: [Counts<'_>; 2]) {
        into.one::<u8>().iter_mut().zip(from.plane::<u8>(0)).for_each(|(a, b)| *a &= b);
    }
}
