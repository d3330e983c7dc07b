//! What repeats in a block: runs of one byte, or whatever stood in the window before.

/// The shortest run that is looked for.
pub(super) const RUN_MIN: usize = 4;
/// How far back repetitions may lie.
const WINDOW: usize = 32 << 10;
/// Places in the table.
const PLACES_BITS: u32 = 15;
/// After so many misses (as a power of two) the search goes on with longer steps: there is nothing to find in noise.
const PATIENCE: u32 = 7;
const STEP_MAX: usize = 48;
/// How many misses each byte of a repetition makes up for.
const FORGIVEN: u32 = 64;
/// Where nothing was found, every so manyth position is remembered for later.
const SPARSELY: usize = 8;
/// Bits of an average repetition.
const REPEAT_BITS: u64 = 18;

/// Bytes of a [`Table`].
pub(super) const TABLE_BYTES: usize = (1 << PLACES_BITS) * size_of::<u32>();

/// Literals and the repetition behind them.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub literals: u32,
    pub length: u32,
    pub distance: u32,
}

/// Where bytes stood last, by their hash: the low halves of the last two positions, the latest lowest.
///
/// That is enough, for the window is shorter, and what stands there is compared.
#[derive(Default)]
pub(super) struct Table(Vec<u32>);

impl Table {
    /// Forgets everything: what is written depends on the input alone.
    pub(super) fn clear(&mut self) {
        self.0.clear();
        self.0.resize(1 << PLACES_BITS, 0);
    }

    /// Where the seed stood before; puts `at` in front.
    #[inline]
    fn swap(&mut self, seed: u64, at: usize) -> u32 {
        let place = &mut self.0[(seed.wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - PLACES_BITS)) as usize];
        let before = *place;
        *place = before << 16 | at as u16 as u32;
        before
    }
}

/// Eight bytes.
#[inline]
fn word(input: &[u8], at: usize) -> Option<u64> {
    input.get(at..at + 8).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()))
}

/// The fewest bytes that a repetition has to have to be shorter than its bytes alone, where those take `bits`.
pub(super) fn least_length(bytes: usize, bits: u64) -> u32 {
    (REPEAT_BITS * bytes as u64).checked_div(bits).unwrap_or(18).clamp(4, 18) as u32
}

/// Remembers some of `input[from..to]`, so that what comes later can still find what lies far back.
pub(super) fn remember(input: &[u8], [from, to]: [usize; 2], least: u32, table: &mut Table) {
    let mask = mask(least);
    for at in (from.max(to.saturating_sub(WINDOW))..to).step_by(SPARSELY) {
        if let Some(word) = word(input, at) {
            table.swap(word & mask, at);
        }
    }
}

/// The bytes that a place in the table is chosen by.
fn mask(least: u32) -> u64 {
    u64::MAX >> (64 - 8 * least.min(8))
}

/// Searches at `at` and on, up to `until`, for repetitions that end before `to`; what is before `done` has its pieces. Gives
/// the new `done` and `at`.
pub(super) fn window(
    input: &[u8],
    [mut done, mut at]: [usize; 2],
    until: usize,
    to: usize,
    least: u32,
    table: &mut Table,
    pieces: &mut Vec<Piece>,
) -> (usize, usize) {
    let mask = mask(least);
    let mut misses = 0u32;
    while at < until && at + 8 <= to {
        let Some(here) = word(input, at) else { break };
        let before = table.swap(here & mask, at);
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
        pieces.push(Piece { literals: (start - done) as u32, length: found.length, distance: found.distance });
        done = start + found.length as usize;
        // Some of what is passed over is looked up too.
        for skipped in [at + 1, at + 2, at + 3, done - 2, done - 1] {
            if let Some(word) = word(input, skipped) {
                table.swap(word & mask, skipped);
            }
        }
        misses = misses.saturating_sub(FORGIVEN * found.length);
        at = done;
    }
    (done, at)
}

#[derive(Clone, Copy, Default)]
struct Found {
    length: u32,
    distance: u32,
}

/// The longest repetition at `at` among positions where its hash was seen, as far as eight bytes tell.
#[inline]
fn longest(input: &[u8], at: usize, before: u32, here: u64) -> Found {
    let mut best = Found::default();
    for place in [before, before >> 16] {
        let distance = (at as u16).wrapping_sub(place as u16) as usize;
        let is_near = distance.wrapping_sub(1) < WINDOW.min(at);
        let from = if is_near { at - distance } else { at };
        let differ = here ^ word(input, from).unwrap_or(!here);
        let length = if is_near { differ.trailing_zeros() / 8 } else { 0 };
        if length > best.length {
            best = Found { length, distance: distance as u32 };
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

/// Cuts `input[from..to]` into literals and runs of one byte.
pub(super) fn runs(input: &[u8], [from, to]: [usize; 2], pieces: &mut Vec<Piece>) {
    pieces.clear();
    let block = &input[..to];
    // `done` is the first literal that no piece has yet; a run needs a byte before it.
    let (mut done, mut at) = (from, from.max(1));
    while let Some(mut equal) = repeats(block, at) {
        // Runs that begin in the last places are found with the next ones.
        let next = at + 64 - (RUN_MIN - 1);
        at = loop {
            let four = equal & equal >> 1 & equal >> 2 & equal >> 3;
            if four == 0 {
                break next;
            }
            let first = four.trailing_zeros();
            let length = (equal >> first).trailing_ones();
            let start = at + first as usize;
            let end = start + length as usize;
            // It may go on behind them.
            let end = if first + length == 64 { end + length_of(&block[end..], block[start]) } else { end };
            push_run(&mut done, [start, end], pieces);
            if end >= next {
                break end;
            }
            equal &= u64::MAX << (first + length);
        };
    }
    while let Some(start) =
        (at..to.saturating_sub(RUN_MIN - 1)).find(|&s| block[s..s + RUN_MIN] == [block[s - 1]; RUN_MIN])
    {
        at = start + length_of(&block[start..], block[start]);
        push_run(&mut done, [start, at], pieces);
    }
    pieces.push(Piece { literals: (to - done) as u32, length: 0, distance: 0 });
}

fn push_run(done: &mut usize, [start, end]: [usize; 2], pieces: &mut Vec<Piece>) {
    pieces.push(Piece { literals: (start - *done) as u32, length: (end - start) as u32, distance: 1 });
    *done = end;
}

/// Which of the 64 bytes from `at` on equal the one before them, the first lowest; none where fewer are left.
#[inline]
fn repeats(block: &[u8], at: usize) -> Option<u64> {
    let here = block.get(at..at + 64)?.as_chunks::<16>().0;
    let before = block.get(at - 1..at + 63)?.as_chunks::<16>().0;
    let mut bits = 0;
    for (a, b) in here.iter().zip(before).rev() {
        bits = bits << 16 | same(a, b) as u64;
    }
    Some(bits)
}

/// Which bytes are the same, the first lowest: as compilers know to make one comparison of sixteen bytes of it.
#[inline]
fn same(a: &[u8; 16], b: &[u8; 16]) -> u16 {
    let mut bits = 0;
    for (a, b) in a.iter().zip(b).rev() {
        bits = bits << 1 | (a == b) as u16;
    }
    bits
}

/// How often `byte` stands at the beginning.
fn length_of(bytes: &[u8], byte: u8) -> usize {
    let words = bytes.as_chunks::<8>().0.iter().take_while(|w| **w == [byte; 8]).count() * 8;
    words + bytes[words..].iter().take_while(|b| **b == byte).count()
}
