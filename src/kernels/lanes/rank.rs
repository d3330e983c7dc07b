//! The place of each value among those of its lane.

use super::{
    Lanes,
    number::Number,
    sort::{self, Ranked},
};
use crate::{dtype::DType, with_dtype};

pub(super) fn rank(dtype: DType, src: &[u8], lanes: Lanes, out: &mut [u8], scratch: &mut [u8]) {
    with_dtype!(dtype, T => match sort::ranked_bytes(dtype, lanes.n) {
        8 => ranks::<T, u64>(src, lanes, out, scratch),
        _ => ranks::<T, u128>(src, lanes, out, scratch),
    })
}

/// Average ranks, as bottleneck's `nanrankdata`.
fn ranks<T: Number, R: Ranked>(src: &[u8], lanes: Lanes, out: &mut [u8], scratch: &mut [u8]) {
    let (src, out): (&[T], &mut [f64]) = (bytemuck::cast_slice(src), bytemuck::cast_slice_mut(out));
    let Lanes { n, inner, .. } = lanes;
    let missing = T::DTYPE.is_float().then(|| T::LAST.into());
    sort::each_tile(
        src,
        lanes,
        scratch,
        |x, at| R::new(x.key().into(), at),
        |tile| {
            tile.each_lane(n, |keys, lane| {
                keys.sort_unstable();
                let first = lane.start(n, inner);
                let mut before = 0;
                for equal in keys.chunk_by(|a, b| a.key() == b.key()) {
                    // The mean of the places from `before + 1` to `before + equal`.
                    let shared = before as f64 + (equal.len() + 1) as f64 / 2.0;
                    let rank = if Some(equal[0].key()) == missing { f64::NAN } else { shared };
                    equal.iter().for_each(|k| out[first + k.at() as usize * inner] = rank);
                    before += equal.len();
                }
            })
        },
    );
}
