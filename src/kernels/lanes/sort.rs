//! Sorting lanes, by keys that sort as the elements do.
//!
//! Lanes that are not contiguous are gathered a few at a time, so that a cache line is read once for several of them.
//! The standard library's unstable sort needs no memory of its own; equal elements keep their order all the same:
//! positions are part of what is sorted, and equal values that differ in their bits are put back from the source.

use super::{Lanes, Order, number::Number};
use crate::{block::ALIGN, dtype::DType, with_dtype};
use bytemuck::Pod;

/// Lanes that are gathered together, if they fit [`TILE_BYTES`].
const TILE: usize = 64;
/// About half of a second-level cache.
const TILE_BYTES: usize = 512 << 10;

/// Lanes that are gathered together when each element takes `item` bytes: at least one.
fn tile(item: usize, n: usize) -> usize {
    (TILE_BYTES / (item * n.max(1))).clamp(1, TILE)
}

/// Elements from one gathered lane to the next. They do not follow each other closely, for then the same position in
/// many lanes of a power of two would want the same place in the cache.
fn stride(item: usize, n: usize) -> usize {
    (n * item).next_multiple_of(ALIGN) / item + ALIGN / item
}

pub(super) fn scratch_bytes(item: usize, n: usize) -> usize {
    tile(item, n) * stride(item, n) * item
}

/// Bytes of a key with its position.
pub(super) fn ranked_bytes(dtype: DType, n: usize) -> usize {
    if dtype.size() <= 4 && u32::try_from(n).is_ok() { 8 } else { 16 }
}

/// The first `m` elements in order, of each lane.
pub(super) fn values(
    order: Order,
    dtype: DType,
    src: &[u8],
    lanes: Lanes,
    m: usize,
    out: &mut [u8],
    scratch: &mut [u8],
) {
    with_dtype!(dtype, T => match order {
        Order::Ascending => sorted::<T, Up>(src, lanes, m, out, scratch),
        Order::Descending => sorted::<T, Down>(src, lanes, m, out, scratch),
    })
}

/// Where the first `m` elements in order are, of each lane.
pub(super) fn indices(
    order: Order,
    dtype: DType,
    src: &[u8],
    lanes: Lanes,
    m: usize,
    out: &mut [u8],
    scratch: &mut [u8],
) {
    with_dtype!(dtype, T => match (order, ranked_bytes(dtype, lanes.n)) {
        (Order::Ascending, 8) => ranked::<T, Up, u64>(src, lanes, m, out, scratch),
        (Order::Descending, 8) => ranked::<T, Down, u64>(src, lanes, m, out, scratch),
        (Order::Ascending, _) => ranked::<T, Up, u128>(src, lanes, m, out, scratch),
        (Order::Descending, _) => ranked::<T, Down, u128>(src, lanes, m, out, scratch),
    })
}

/// An [`Order`] at compile time.
trait Direction {
    fn key<T: Number>(x: T) -> T::Key;
    fn value<T: Number>(key: T::Key) -> T;
}

struct Up;
struct Down;

impl Direction for Up {
    #[inline(always)]
    fn key<T: Number>(x: T) -> T::Key {
        x.key()
    }
    #[inline(always)]
    fn value<T: Number>(key: T::Key) -> T {
        T::from_key(key)
    }
}

impl Direction for Down {
    #[inline(always)]
    fn key<T: Number>(x: T) -> T::Key {
        x.descending_key()
    }
    #[inline(always)]
    fn value<T: Number>(key: T::Key) -> T {
        T::from_descending_key(key)
    }
}

/// A key with its position, which sorts by both.
pub(super) trait Ranked: Pod + Ord {
    fn new(key: u64, at: usize) -> Self;
    fn at(self) -> i64;
    fn key(self) -> u64;
}

impl Ranked for u64 {
    #[inline(always)]
    fn new(key: u64, at: usize) -> u64 {
        key << 32 | at as u64
    }
    #[inline(always)]
    fn at(self) -> i64 {
        (self & u64::from(u32::MAX)) as i64
    }
    #[inline(always)]
    fn key(self) -> u64 {
        self >> 32
    }
}

impl Ranked for u128 {
    #[inline(always)]
    fn new(key: u64, at: usize) -> u128 {
        u128::from(key) << 64 | at as u128
    }
    #[inline(always)]
    fn at(self) -> i64 {
        self as i64
    }
    #[inline(always)]
    fn key(self) -> u64 {
        (self >> 64) as u64
    }
}

fn sorted<T: Number, D: Direction>(src: &[u8], lanes: Lanes, m: usize, out: &mut [u8], scratch: &mut [u8]) {
    let (src, out): (&[T], &mut [T]) = (bytemuck::cast_slice(src), bytemuck::cast_slice_mut(out));
    let Lanes { n, inner, .. } = lanes;
    let shared = src.iter().any(|x| x.shares_key());
    each_tile(
        src,
        lanes,
        scratch,
        |x, _| D::key(x),
        |tile| {
            tile.write(m, lanes, out, D::value);
            for (keys, lane) in tile.lanes(m).filter(|_| shared) {
                let out = &mut out[lane.start(m, inner)..];
                let from = src[lane.start(n, inner)..].iter().step_by(inner).take(n).copied();
                put_back::<T, D>(from.clone(), D::key(T::ZERO), keys, out, inner);
                put_back::<T, D>(from, T::LAST, keys, out, inner);
            }
        },
    );
}

fn ranked<T: Number, D: Direction, R: Ranked>(src: &[u8], lanes: Lanes, m: usize, out: &mut [u8], scratch: &mut [u8]) {
    let (src, out): (&[T], &mut [i64]) = (bytemuck::cast_slice(src), bytemuck::cast_slice_mut(out));
    each_tile(src, lanes, scratch, |x, at| R::new(D::key(x).into(), at), |tile| tile.write(m, lanes, out, R::at));
}

/// Puts the first `m` in order in front.
fn keep_first<K: Ord>(keys: &mut [K], m: usize) {
    if m < keys.len() {
        keys.select_nth_unstable(m);
    }
    keys[..m].sort_unstable();
}

/// Where a lane is.
pub(super) struct Lane {
    outer: usize,
    inner: usize,
}

impl Lane {
    /// Its first element in `[outer, len, inner]`.
    pub(super) fn start(&self, len: usize, inner: usize) -> usize {
        self.outer * len * inner + self.inner
    }
}

/// The keys of neighbouring lanes, one lane after the other.
pub(super) struct Tile<'a, K> {
    keys: &'a mut [K],
    stride: usize,
    first: Lane,
}

impl<K: Pod + Ord> Tile<'_, K> {
    /// Sorts the lanes as far as `m` and writes that much of them to `[outer, m, inner]`, row by row.
    fn write<T>(&mut self, m: usize, Lanes { n, inner, .. }: Lanes, out: &mut [T], value: impl Fn(K) -> T) {
        self.keys.chunks_mut(self.stride).for_each(|keys| keep_first(&mut keys[..n], m));
        let out = &mut out[self.first.start(m, inner)..];
        if inner == 1 {
            return out.iter_mut().zip(&self.keys[..m]).for_each(|(y, key)| *y = value(*key));
        }
        for (j, row) in out.chunks_mut(inner).take(m).enumerate() {
            row.iter_mut().zip(self.keys[j..].iter().step_by(self.stride)).for_each(|(y, key)| *y = value(*key));
        }
    }

    /// Calls `each` with the `n` keys of each lane.
    pub(super) fn each_lane(&mut self, n: usize, mut each: impl FnMut(&mut [K], Lane)) {
        for (t, keys) in self.keys.chunks_mut(self.stride).enumerate() {
            each(&mut keys[..n], Lane { outer: self.first.outer, inner: self.first.inner + t });
        }
    }

    /// The first `m` keys of each lane.
    fn lanes(&self, m: usize) -> impl Iterator<Item = (&[K], Lane)> {
        let lane = |t| Lane { outer: self.first.outer, inner: self.first.inner + t };
        self.keys.chunks(self.stride).enumerate().map(move |(t, keys)| (&keys[..m], lane(t)))
    }
}

/// Calls `each` with the keys of all lanes, some at a time.
pub(super) fn each_tile<T: Copy, K: Pod>(
    src: &[T],
    Lanes { outer, n, inner }: Lanes,
    scratch: &mut [u8],
    key: impl Fn(T, usize) -> K,
    mut each: impl FnMut(&mut Tile<'_, K>),
) {
    let (tile, stride) = (tile(size_of::<K>(), n), stride(size_of::<K>(), n));
    let keys: &mut [K] = bytemuck::cast_slice_mut(&mut scratch[..tile * stride * size_of::<K>()]);
    for (outer, slab) in (0..outer).zip(src.chunks_exact(n * inner)) {
        for from in (0..inner).step_by(tile) {
            let some = tile.min(inner - from);
            let keys = &mut keys[..some * stride];
            if inner == 1 {
                keys.iter_mut().zip(slab).enumerate().for_each(|(j, (k, x))| *k = key(*x, j));
            } else {
                for (j, row) in slab.chunks_exact(inner).enumerate() {
                    let places = keys[j..].iter_mut().step_by(stride);
                    row[from..from + some].iter().zip(places).for_each(|(x, k)| *k = key(*x, j));
                }
            }
            each(&mut Tile { keys, stride, first: Lane { outer, inner: from } });
        }
    }
}

/// Writes the elements with that key anew, in the order and with the bits that they have in the source.
fn put_back<T: Number, D: Direction>(
    from: impl Iterator<Item = T>,
    key: T::Key,
    keys: &[T::Key],
    out: &mut [T],
    inner: usize,
) {
    let (start, end) = (keys.partition_point(|k| *k < key), keys.partition_point(|k| *k <= key));
    let places = out.iter_mut().step_by(inner).skip(start).take(end - start);
    places.zip(from.filter(|x| D::key(*x) == key)).for_each(|(y, x)| *y = x);
}
