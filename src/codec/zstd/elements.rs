//! Repetitions among numbers of two or four bytes that are not shuffled, found faster than the library finds them.
//!
//! Of a number in little-endian order the first bytes are noise and the last hardly change. So a repetition of use begins
//! in the middle of a number, and goes on at least through the noise of the next: there is one place in each number to look
//! at, not one in each byte. All places of a batch are looked up first, which asks the processor for no guess; then those
//! repetitions are taken that do not overlap. The library codes them.

use super::NAME;
use crate::error::{Error, Result};
use std::{
    ffi::{CStr, c_void},
    ptr::NonNull,
    slice,
};
use zstd::zstd_safe::zstd_sys::{self as sys, ZSTD_cParameter as Parameter};

/// Numbers that are looked up before the first of them is used.
const BATCH: usize = 1024;
/// Bits of the table, which the first cache holds beside a batch.
const TABLE_BITS: u32 = 14;
/// What is read at once at a place.
const WORD: usize = size_of::<u64>();

/// Bytes of the library's context and of ours (measured with 1.5.7: 1.8 MiB).
pub(super) const STATE_BYTES: usize = 2 << 20;

/// The library's context, and what the search keeps.
pub(super) struct Context {
    library: NonNull<sys::ZSTD_CCtx>,
    search: Box<Search>,
}

// SAFETY: nobody else has the two pointers, and the library keeps nothing of the thread that made them.
unsafe impl Send for Context {}

/// What is registered with the library, at an address that does not change.
struct Search {
    element: Element,
    /// Where in the block, as a number of elements, each hash was seen last.
    table: [u16; 1 << TABLE_BITS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Two,
    Four,
}

impl Context {
    pub(super) fn new() -> Result<Context> {
        // SAFETY: a context of its own, or null.
        let library = NonNull::new(unsafe { sys::ZSTD_createCCtx() }).ok_or_else(|| Error::codec(NAME, "no memory"))?;
        let mut context = Context { library, search: Box::new(Search { element: Element::Four, table: [0; _] }) };
        // The tables of the library's own search are not used: they are as small as they can be.
        for (parameter, value) in [
            (Parameter::ZSTD_c_strategy, sys::ZSTD_strategy::ZSTD_fast as i32),
            (Parameter::ZSTD_c_windowLog, 20),
            (Parameter::ZSTD_c_hashLog, 6),
            (Parameter::ZSTD_c_chainLog, 6),
            (Parameter::ZSTD_c_minMatch, 3),
        ] {
            // SAFETY: the context lives.
            checked(unsafe { sys::ZSTD_CCtx_setParameter(library.as_ptr(), parameter, value) })?;
        }
        // SAFETY: the search lives in its box as long as the context, and only the library has its address while it works.
        unsafe {
            sys::ZSTD_registerSequenceProducer(library.as_ptr(), (&raw mut *context.search).cast(), Some(produce));
        }
        Ok(context)
    }

    /// Compresses numbers of so many bytes each into one frame, and says how many bytes they became.
    pub(super) fn compress(&mut self, element: Element, input: &[u8], out: &mut [u8]) -> Result<usize> {
        self.search.element = element;
        // SAFETY: the context lives, and the pointers are those of slices of the lengths given.
        checked(unsafe {
            let (to, from) = (out.as_mut_ptr().cast(), input.as_ptr().cast());
            sys::ZSTD_compress2(self.library.as_ptr(), to, out.len(), from, input.len())
        })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: it was made by `ZSTD_createCCtx`, and is freed once.
        unsafe { sys::ZSTD_freeCCtx(self.library.as_ptr()) };
    }
}

fn checked(code: usize) -> Result<usize> {
    // SAFETY: these look at the number alone, and names are constants.
    unsafe {
        if sys::ZSTD_isError(code) == 0 {
            return Ok(code);
        }
        let name = CStr::from_ptr(sys::ZSTD_getErrorName(code));
        Err(Error::codec(NAME, name.to_string_lossy()))
    }
}

/// What the library calls for each block.
unsafe extern "C" fn produce(
    search: *mut c_void,
    sequences: *mut sys::ZSTD_Sequence,
    capacity: usize,
    block: *const c_void,
    bytes: usize,
    _dictionary: *const c_void,
    _dictionary_bytes: usize,
    _level: i32,
    _window: usize,
) -> usize {
    // SAFETY: the search is what `new` registered; the library owns room for `capacity` sequences and `bytes` of input.
    let (search, sequences, block) = unsafe {
        let sequences = slice::from_raw_parts_mut(sequences, capacity);
        (&mut *search.cast::<Search>(), sequences, slice::from_raw_parts(block.cast(), bytes))
    };
    match search.element {
        Element::Two => search.find::<2>(block, sequences),
        Element::Four => search.find::<4>(block, sequences),
    }
    // More than there is room for says that this cannot be done.
    .unwrap_or(usize::MAX)
}

impl Search {
    /// Writes the repetitions among elements of `N` bytes, and says how many entries that took. The last one is of what
    /// comes after them.
    fn find<const N: usize>(&mut self, block: &[u8], sequences: &mut [sys::ZSTD_Sequence]) -> Option<usize> {
        self.table.fill(0);
        let (mut found, mut taken) = (0, 0);
        let mut batch = Batch::<N>::new(1);
        // The first element has none before it.
        let mut next = 1;
        while batch.look_up(&mut self.table, block) {
            while let Some((from, to, shared)) = batch.get(next) {
                let is_repetition = shared > N;
                let (at, distance) = (to * N + N / 2, (to - from) * N);
                let length = if shared == WORD { extended(block, at, distance) } else { shared };
                // Written in any case, and counted if it is one: a branch here would be guessed wrong half of the time.
                *sequences.get_mut(found)? = sequence(distance, at.wrapping_sub(taken), length);
                found += usize::from(is_repetition);
                taken = if is_repetition { at + length } else { taken };
                next += if is_repetition { length.div_ceil(N) } else { 1 };
            }
        }
        *sequences.get_mut(found)? = sequence(0, block.len() - taken, 0);
        Some(found + 1)
    }
}

/// Elements in a row, each with the place where its hash was seen before and the bytes that are the same there.
struct Batch<const N: usize> {
    first: usize,
    len: usize,
    from: [u16; BATCH],
    shared: [u8; BATCH],
}

impl<const N: usize> Batch<N> {
    fn new(first: usize) -> Batch<N> {
        Batch { first, len: 0, from: [0; _], shared: [0; _] }
    }

    /// Goes on to the next elements, and says whether there are any behind which is a word.
    fn look_up(&mut self, table: &mut [u16; 1 << TABLE_BITS], block: &[u8]) -> bool {
        self.first += self.len;
        let block = block.get(N / 2..).unwrap_or_default();
        let words = block.get(self.first * N..).unwrap_or_default().windows(WORD).step_by(N);
        self.len = words.len().min(BATCH);
        for (k, word) in words.take(BATCH).enumerate() {
            let word = read(word);
            let last = &mut table[hash::<N>(word)];
            self.from[k] = *last;
            self.shared[k] = ((read(&block[usize::from(*last) * N..]) ^ word).trailing_zeros() / 8) as u8;
            *last = (self.first + k) as u16;
        }
        self.len > 0
    }

    /// Of an element: where its hash was seen before, itself, and how many bytes are the same.
    fn get(&self, element: usize) -> Option<(usize, usize, usize)> {
        let k = element - self.first;
        (k < self.len).then(|| (usize::from(self.from[k]), element, usize::from(self.shared[k])))
    }
}

/// Of the bytes that a repetition has at least.
fn hash<const N: usize>(word: u64) -> usize {
    let bytes = word << (64 - 8 * (N + 1));
    (bytes.wrapping_mul(0xcf1b_bcdc_b7a5_6463) >> (64 - TABLE_BITS)) as usize
}

fn read(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("a word"))
}

/// The length of a repetition of which a word is known.
fn extended(block: &[u8], at: usize, distance: usize) -> usize {
    let (here, before) = (&block[at + WORD..], &block[at + WORD - distance..]);
    WORD + here.iter().zip(before).take_while(|(a, b)| a == b).count()
}

fn sequence(distance: usize, literals: usize, length: usize) -> sys::ZSTD_Sequence {
    sys::ZSTD_Sequence { offset: distance as u32, litLength: literals as u32, matchLength: length as u32, rep: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(data: &[u8]) -> usize {
        let mut context = Context::new().unwrap();
        let [two, four] = [Element::Two, Element::Four].map(|element| {
            let mut out = vec![0; data.len() + (data.len() >> 7) + 512];
            let n = context.compress(element, data, &mut out).unwrap();
            assert!(
                zstd::bulk::decompress(&out[..n], data.len()).unwrap() == data,
                "{element:?} of {} bytes",
                data.len()
            );
            n
        });
        two.min(four)
    }

    /// Numbers of four bytes with `bits` of noise in the second.
    fn noisy(bits: u32, n: u32) -> Vec<u8> {
        let mut random = 7u32;
        let numbers = (0..n).flat_map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            [0, (random >> (32 - bits)) as u8, 0x90, 0x43]
        });
        numbers.collect()
    }

    #[test]
    fn data_of_every_length_comes_back() {
        let long = noisy(7, 100_000);
        for n in (0..200).chain([4096, 4101, 131_071, 131_072, 131_073, 131_090, 262_144, 399_999]) {
            for data in
                [&long[..n], &vec![0; n], &vec![9; n], &(0..n).map(|k| ((k * k) >> 3) as u8).collect::<Vec<_>>()]
            {
                there_and_back(data);
            }
        }
    }

    #[test]
    fn noise_costs_about_its_bits_and_constants_nothing() {
        let n = 200_000;
        for bits in 4..=8 {
            let entropy = f64::from(n * bits) / 8.0;
            let got = there_and_back(&noisy(bits, n)) as f64 / entropy;
            assert!((1.0..1.5).contains(&got), "{got} for {bits} bits");
        }
        assert!(there_and_back(&vec![1; 800_000]) < 200);
    }

    #[test]
    fn a_small_output_is_an_error() {
        let data = noisy(7, 100_000);
        assert!(Context::new().unwrap().compress(Element::Four, &data, &mut [0; 1000]).is_err());
    }
}
