//! Blocks of literals, of several streams at a time.

use super::{
    stream::{BEYOND, Outcome, SYMBOL_BITS, Stream, WORD},
    tables::{MAIN_BITS, ODD},
};
use crate::codec::deflater::LENGTH_MAX;

/// Literals of one round: their codes are among the 57 bits of one word.
const LITERALS: usize = 5;

/// How many rounds the stream has certainly room for, each with a symbol behind its literals.
pub(super) fn rounds(stream: &Stream<'_>) -> usize {
    let bits = (stream.input.len() * 8).saturating_sub(stream.bit + WORD * 8);
    let bytes = stream.out.len().saturating_sub(stream.to + BEYOND);
    (bits / (LITERALS * MAIN_BITS + SYMBOL_BITS)).min(bytes / (LITERALS + LENGTH_MAX))
}

/// Goes on with streams in blocks of literals until one of them is at the end of its block, or has no room. Says which.
pub(super) fn run<const N: usize>(streams: [&mut Stream<'_>; N]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "bmi1,bmi2")]
        fn with_bmi<const N: usize>(streams: [&mut Stream<'_>; N]) -> Option<usize> {
            as_compiled(streams, |stream| symbol_with_bmi(stream))
        }
        #[inline(never)]
        #[target_feature(enable = "bmi1,bmi2")]
        fn symbol_with_bmi(stream: &mut Stream<'_>) -> Outcome {
            stream.symbol()
        }
        // SAFETY: asked for by `is_worth_it`.
        unsafe { with_bmi(streams) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    as_compiled(streams, Stream::symbol)
}

#[inline(always)]
fn as_compiled<const N: usize>(
    mut streams: [&mut Stream<'_>; N],
    symbol: impl Fn(&mut Stream<'_>) -> Outcome,
) -> Option<usize> {
    loop {
        let (which, rounds) = streams.iter().map(|s| rounds(s)).enumerate().min_by_key(|&(_, rounds)| rounds)?;
        if rounds == 0 {
            return Some(which);
        }
        for _ in 0..rounds {
            for (which, stream) in streams.iter_mut().enumerate() {
                // SAFETY: there is room for so many rounds.
                let are_literals = unsafe { literals(stream) };
                if are_literals {
                    continue;
                }
                match symbol(stream) {
                    Outcome::On => {}
                    Outcome::BlockEnd => {
                        stream.end_block();
                        return Some(which);
                    }
                    Outcome::Broken => return None,
                }
            }
        }
    }
}

/// The next literals, up to [`LITERALS`], and whether they are so many: else something else comes next.
///
/// # Safety
/// A word of input at the next bit, and as many bytes of output.
#[inline(always)]
unsafe fn literals(stream: &mut Stream<'_>) -> bool {
    debug_assert!(stream.bit / 8 + WORD <= stream.input.len() && stream.to + LITERALS <= stream.out.len());
    // SAFETY: the caller's.
    let (word, out) = unsafe {
        let word = stream.input.as_ptr().add(stream.bit / 8).cast::<u64>().read_unaligned();
        (u64::from_le(word), &mut *stream.out.as_mut_ptr().add(stream.to).cast::<[u8; LITERALS]>())
    };
    let mut bits = word >> (stream.bit % 8);
    let mut sum = 0;
    for to in out {
        let literal = stream.tables.literals[bits as usize & ((1 << MAIN_BITS) - 1)];
        *to = (literal >> 8) as u8;
        bits >>= literal & 63;
        sum += literal;
    }
    // What is odd has no bits, so that it stays in front.
    let odd = (sum / ODD) as usize;
    stream.bit += (sum & 0xff) as usize;
    stream.to += LITERALS - odd;
    odd == 0
}
