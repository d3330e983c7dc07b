//! What repeats in a block: runs of one byte, or whatever stood in the window before.

use super::codes::{Codes, SYMBOLS, distance};

/// The shortest run that is looked for.
pub(super) const RUN_MIN: usize = 4;
/// How far back repetitions may lie.
const WINDOW: u32 = 32 << 10;
/// Places in the table, and how many positions each keeps.
const PLACES_BITS: u32 = 14;
const WAYS: usize = 2;
/// After so many misses (as a power of two) the search goes on with longer steps: there is nothing to find in noise.
const PATIENCE: u32 = 7;
const STEP_MAX: usize = 48;
/// How many misses each byte of a repetition makes up for.
const FORGIVEN: u32 = 64;
/// The part of a block that is searched on trial, and what the search must save there, in parts of a hundred.
const TRIAL: usize = 8;
const WORTH: i64 = 1;
/// Where nothing was found, every so manyth position is remembered for later.
const SPARSELY: usize = 8;
/// Bits of an average length and distance, without the extra bits of the distance; and with them.
const REPEAT_BITS: u32 = 12;
const REPEAT_BITS_ALL: u64 = 18;

/// Bytes of a [`Table`].
pub(super) const TABLE_BYTES: usize = (WAYS << PLACES_BITS) * size_of::<u32>();

/// Literals and the repetition behind them.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub literals: u32,
    pub length: u32,
    pub distance: u32,
}

/// Where bytes stood last, by their hash.
#[derive(Default)]
pub(super) struct Table {
    places: Vec<[u32; WAYS]>,
}

impl Table {
    /// Forgets everything: what is written depends on the input alone.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.places.resize(1 << PLACES_BITS, [0; WAYS]);
    }

    /// Where the seed at `at` stood before, latest first; puts `at` in front. Positions are one too large, so that 0 is none.
    #[inline]
    fn swap(&mut self, seed: u64, at: u32) -> [u32; WAYS] {
        let place = &mut self.places[(seed.wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - PLACES_BITS)) as usize];
        let before = *place;
        place.copy_within(..WAYS - 1, 1);
        place[0] = at.wrapping_add(1);
        before
    }
}

/// Eight bytes.
#[inline]
fn word(input: &[u8], at: usize) -> Option<u64> {
    input.get(at..at + 8).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()))
}

/// The fewest bytes that a repetition has to have to be shorter than its bytes alone.
fn least_length(block: usize, alone_bits: u64) -> u32 {
    (REPEAT_BITS_ALL * block as u64).div_ceil(alone_bits.max(1)).clamp(4, 18) as u32
}

/// Cuts `input[from..to]` into literals and repetitions of anything from the window; `alone` are the codes that its bytes
/// would have without, and how many bits they would take.
pub(super) fn repetitions(
    input: &[u8],
    [from, to]: [usize; 2],
    (alone, alone_bits): (&Codes<SYMBOLS>, u64),
    table: &mut Table,
    pieces: &mut Vec<Piece>,
) {
    pieces.clear();
    let least = least_length(to - from, alone_bits);
    let seed = least.min(8);
    let mask = u64::MAX >> (64 - 8 * seed);
    let (mut done, mut at, mut misses) = (from, from, 0u32);
    let (trial, mut is_trial, mut saved) = (from + (to - from) / TRIAL, true, 0i64);
    while at + 8 <= to {
        if at >= trial && is_trial {
            is_trial = false;
            if saved * (100 * TRIAL as i64) < WORTH * alone_bits as i64 {
                runs(input, [done, to], pieces);
                // So that the next block can still find what lies far back.
                for at in (at.max(to.saturating_sub(WINDOW as usize))..to).step_by(SPARSELY) {
                    if let Some(word) = word(input, at) {
                        table.swap(word & mask, at as u32);
                    }
                }
                return;
            }
        }
        let Some(here) = word(input, at) else { break };
        let before = table.swap(here & mask, at as u32);
        let mut found = longest(input, at, before, here);
        if found.length == 8 {
            let from = at - found.distance as usize;
            found.length += common(&input[from + 8..], &input[at + 8..to]) as u32;
        }
        if found.length < least {
            misses += 1;
            at += (1 + (misses >> PATIENCE) as usize).min(STEP_MAX);
            continue;
        }
        let mut start = at;
        if misses >> PATIENCE > 0 {
            (start, found) = back(input, done, at, found);
        }
        if is_trial {
            let bits: i64 =
                input[start..start + found.length as usize].iter().map(|b| alone.lengths[*b as usize] as i64).sum();
            saved += bits - REPEAT_BITS as i64 - distance(found.distance).extra_bits as i64;
        }
        pieces.push(Piece { literals: (start - done) as u32, length: found.length, distance: found.distance });
        done = start + found.length as usize;
        // Some of what is passed over is looked up too.
        for skipped in [at + 1, at + 2, at + 3, done - 3, done - 2, done - 1] {
            if skipped > at
                && skipped < done
                && let Some(word) = word(input, skipped)
            {
                table.swap(word & mask, skipped as u32);
            }
        }
        misses = misses.saturating_sub(FORGIVEN * found.length);
        at = done;
    }
    pieces.push(Piece { literals: (to - done) as u32, length: 0, distance: 0 });
}

#[derive(Clone, Copy, Default)]
struct Found {
    length: u32,
    distance: u32,
}

/// The longest repetition at `at` among positions where its hash was seen, as far as eight bytes tell.
#[inline]
fn longest(input: &[u8], at: usize, before: [u32; WAYS], here: u64) -> Found {
    let mut best = Found::default();
    for place in before {
        let distance = (at as u32).wrapping_add(1).wrapping_sub(place);
        let is_near = distance <= WINDOW && distance as usize <= at;
        let from = if is_near { at - distance as usize } else { at };
        let differ = here ^ word(input, from).unwrap_or(!here);
        let length = if is_near { differ.trailing_zeros() / 8 } else { 0 };
        if length > best.length {
            best = Found { length, distance };
        }
    }
    best
}

/// How many bytes are the same at the beginning.
#[inline]
fn common(a: &[u8], b: &[u8]) -> usize {
    let mut n = 0;
    for (x, y) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return n + differ.trailing_zeros() as usize / 8;
        }
        n += 8;
    }
    n + a[n..].iter().zip(&b[n..]).take_while(|(x, y)| x == y).count()
}

/// The same, from where it begins: long steps pass over beginnings.
#[inline]
fn back(input: &[u8], done: usize, mut at: usize, mut found: Found) -> (usize, Found) {
    if found.length > 0 {
        let distance = found.distance as usize;
        while at > done && at > distance && input[at - 1] == input[at - 1 - distance] {
            at -= 1;
            found.length += 1;
        }
    }
    (at, found)
}

/// Cuts `input[from..to]` into literals and runs of one byte, behind the pieces that are there.
pub(super) fn runs(input: &[u8], [from, to]: [usize; 2], pieces: &mut Vec<Piece>) {
    let block = &input[..to];
    // `done` is the first literal that no piece has yet; a run needs a byte before it.
    let (mut done, mut at) = (from, from.max(1));
    while let Some(found) = next_run(block, at) {
        pieces.push(Piece { literals: (found.start - done) as u32, length: found.len() as u32, distance: 1 });
        (done, at) = (found.end, found.end);
    }
    pieces.push(Piece { literals: (to - done) as u32, length: 0, distance: 0 });
}

/// The next run of bytes that equal the one before them, from `at` on, of at least [`RUN_MIN`].
fn next_run(block: &[u8], mut at: usize) -> Option<std::ops::Range<usize>> {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    loop {
        // The top bit of each byte that equals the one before it.
        let same = |at: usize| {
            let word = |at: usize| block.get(at..at + 8).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
            let x = word(at)? ^ word(at - 1)?;
            Some(!(((x & LOW) + LOW) | x | LOW))
        };
        let Some(equal) = same(at) else { break };
        let four = equal & equal >> 8 & equal >> 16 & equal >> 24;
        if four != 0 {
            let start = at + (four.trailing_zeros() / 8) as usize;
            let byte = block[start - 1];
            return Some(start..start + length_of(&block[start..], byte));
        }
        // A run may begin in the last three.
        at += 8 - (RUN_MIN - 1);
    }
    let tail =
        (at..block.len().saturating_sub(RUN_MIN - 1)).find(|&s| block[s..s + RUN_MIN] == [block[s - 1]; RUN_MIN]);
    tail.map(|start| start..start + length_of(&block[start..], block[start - 1]))
}

/// How often `byte` stands at the beginning.
fn length_of(bytes: &[u8], byte: u8) -> usize {
    let words = bytes.as_chunks::<8>().0.iter().take_while(|w| **w == [byte; 8]).count() * 8;
    words + bytes[words..].iter().take_while(|b| **b == byte).count()
}
