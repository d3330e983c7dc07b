//! Deflate made fast: our own encoder for its level 1, and for `deflate:fast`.
//!
//! Shuffled numbers are planes of bytes: the noise of low bits, in which a search finds nothing, and signs and exponents,
//! which are little else than repetitions. So the beginning of each block is searched on trial; where the window saves too
//! little for its time beside runs of one byte, the block gets Huffman codes and runs alone. `deflate:fast` does that
//! everywhere. What codes hardly shorten is stored as it is, which is decoded as fast as it is copied. The stream is one
//! that any reader of zlib takes (RFC 1950, RFC 1951), and depends on the input alone.
//!
//! Measured on shuffled maps on one core of one machine in one run, MB a second and ratio (libdeflate and zlib at level 1):
//!
//! | | level 1 | `fast` | libdeflate | zlib |
//! |---|---|---|---|---|
//! | `float32`, bits rounded | 752 3.72 | 1431 3.25 | 287 3.77 | 137 3.58 |
//! | the same less 273.15 | 270 2.86 | 1152 2.43 | 254 2.87 | 120 2.80 |
//! | the same less its mean over time | 418 1.67 | 1346 1.60 | 195 1.66 | 84 1.66 |
//! | its running mean | 678 2.44 | 1201 2.35 | 255 2.42 | 116 2.35 |
//! | its means of days | 638 2.94 | 1050 2.75 | 284 2.95 | 130 2.80 |
//! | packed `int16` | 389 1.56 | 901 1.30 | 215 1.56 | 83 1.51 |
//!
//! Of others only ISA-L is so fast, and it needs an assembler to build; zlib-ng at level 1 was a tenth faster than
//! libdeflate, with ratio 2.2.

mod bits;
mod codes;
mod search;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use bits::Bits;
use codes::{Codes, DISTANCES, END, Header, LENGTHS, SYMBOLS, distance};
pub(super) use codes::{LENGTH_MAX, ORDER};
use search::{Piece, RUN_MIN, Table};

const NAME: &str = "deflate";
/// Bytes of a block: the most that a stored one can have.
const BLOCK: usize = 65_535;

/// Bytes of a [`Context`].
pub(super) const STATE_BYTES: usize =
    (BLOCK / RUN_MIN + 2) * size_of::<Piece>() + BLOCK + AT_ONCE + search::TABLE_BYTES;
/// The part of a block that is searched on trial.
const TRIAL: usize = 6;
/// The part of a block that the window has to save for the time that it takes, where runs alone make bytes shorter than
/// [`SHORT`] bits; anything is welcome in others, which are most of a file.
const WORTH_IT: u64 = 32;
const SHORT: u64 = 2;
/// In those the window may do worse on trial by this part: it is better once it has seen more of such bytes.
const DOUBT: u64 = 24;
/// What runs shorten by less than this part is not searched.
const NOISE: u64 = 64;
/// Literals that are copied at once, whether there are so many or not.
const AT_ONCE: usize = 16;

/// What an encoder keeps from one stream to the next.
#[derive(Default)]
pub(super) struct Context {
    pieces: Vec<Piece>,
    /// Room for the literals of a block.
    literals: Vec<u8>,
    table: Table,
}

impl Context {
    /// Searches the window on trial, and goes on where that makes a part shorter than runs do.
    fn window(&mut self, input: &[u8], [from, to]: [usize; 2]) {
        let trial = from + (to - from) / TRIAL;
        search::runs(input, [from, trial], &mut self.pieces);
        let (by_runs, raw) = (self.bits(&input[from..trial]), 8 * (trial - from) as u64);
        let least = search::least_length(trial - from, by_runs);
        let mut at = from;
        let is_noise = by_runs * NOISE > raw * (NOISE - 1);
        let is_little = by_runs < raw / WORTH_IT;
        if !is_noise && !is_little {
            self.pieces.clear();
            let (done, next) = search::window(input, [from; 2], trial, to, least, &mut self.table, &mut self.pieces);
            // The last repetition may go on behind the part.
            let end = trial.max(done);
            self.pieces.push(Piece { literals: (end - done) as u32, length: 0, distance: 0 });
            let by_window = self.bits(&input[from..end]) * (trial - from) as u64 / (end - from).max(1) as u64;
            self.pieces.pop();
            let is_any_welcome = by_runs * 8 > raw * SHORT;
            let most = if is_any_welcome { by_runs + by_runs / DOUBT } else { by_runs.saturating_sub(raw / WORTH_IT) };
            if by_window <= most {
                let (done, _) = search::window(input, [done, next], to, to, least, &mut self.table, &mut self.pieces);
                self.pieces.push(Piece { literals: (to - done) as u32, length: 0, distance: 0 });
                return;
            }
            at = next;
        }
        search::runs(input, [from, to], &mut self.pieces);
        search::remember(input, [at, to], least, &mut self.table);
    }

    /// About how many bits the pieces of `part` will take.
    fn bits(&mut self, part: &[u8]) -> u64 {
        let counts = Counts::of(gather(part, &self.pieces, &mut self.literals).0, &self.pieces);
        entropy(&counts.words) + entropy(&counts.distances) + counts.extra_bits
    }
}

/// About how many bits the best codes take for symbols that are written so often.
fn entropy(frequencies: &[u32]) -> u64 {
    // In parts of 256: between powers of two the line is near enough.
    let log2 = |n: u32| (n.ilog2() << 8) + ((n << 8 >> n.ilog2()) & 255);
    let all: u32 = frequencies.iter().sum();
    let each = |&n: &u32| if n == 0 { 0 } else { n as u64 * (log2(all) - log2(n)).max(256) as u64 };
    frequencies.iter().map(each).sum::<u64>() >> 8
}

/// What is looked for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Search {
    /// Runs of one byte.
    Runs,
    /// Whatever stood in the window before.
    Window,
}

impl Search {
    /// What codes must save, in parts of 64, for a block not to be stored as it is, which is decoded as fast as it is copied.
    fn least_saved(self) -> u64 {
        match self {
            Search::Runs => 8,
            Search::Window => 1,
        }
    }
}

/// Compresses `input` into a zlib stream and says how many bytes it became.
pub(super) fn encode(context: &mut Context, search: Search, input: &[u8], out: &mut [u8]) -> Result<usize> {
    let room = out.len();
    // The most that blocks take when all are stored; and the writer writes eight bytes at once.
    let most = input.len() + 6 * (input.len() / BLOCK + 1) + 16;
    if room < most {
        return Err(Error::codec(NAME, format!("{} bytes do not fit the {room} reserved", input.len())));
    }
    let mut bits = Bits::new(out);
    // 32 KiB of window, no dictionary, the fastest level.
    bits.bytes(&[0x78, 0x01]);
    if search == Search::Window {
        context.table.clear();
    }
    let mut from = 0;
    loop {
        let to = (from + BLOCK).min(input.len());
        write_block(context, search, input, from, to, &mut bits);
        from = to;
        if to == input.len() {
            break;
        }
    }
    bits.align();
    bits.bytes(&libdeflater::adler32(input).to_be_bytes());
    Ok(bits.written())
}

fn write_block(context: &mut Context, search: Search, input: &[u8], from: usize, to: usize, bits: &mut Bits<'_>) {
    let (block, is_last) = (&input[from..to], to == input.len());
    match search {
        Search::Runs => search::runs(input, [from, to], &mut context.pieces),
        Search::Window => context.window(input, [from, to]),
    }
    let (literals, with_more) = gather(block, &context.pieces, &mut context.literals);
    let counts = Counts::of(literals, &context.pieces);
    let (words, distances) = (Codes::new(&counts.words), Codes::new(&counts.distances));
    let header = Header::new(&words, &distances);
    let cost = header.bits + words.cost(&counts.words) + distances.cost(&counts.distances) + counts.extra_bits;
    if cost * 8 > block.len() as u64 * 8 * 8 / 64 * (64 - search.least_saved()) {
        bits.stored(block, is_last);
        return;
    }
    bits.put(is_last as u32 | 2 << 1, 3);
    header.write(bits);
    write_pieces(&context.pieces, with_more, &words, &distances, bits);
    bits.put_code(words.packed[END]);
    bits.flush();
}

/// Copies the literals of all pieces behind each other; gives them, and them with [`AT_ONCE`] bytes of anything behind.
///
/// Most pieces have a few: they are copied, counted and written without asking how many, for a wrong guess costs more.
fn gather<'a>(block: &[u8], pieces: &[Piece], literals: &'a mut Vec<u8>) -> (&'a [u8], &'a [u8]) {
    literals.resize(BLOCK + AT_ONCE, 0);
    let (mut from, mut to) = (0, 0);
    for piece in pieces {
        let n = piece.literals as usize;
        match block.get(from..from + AT_ONCE) {
            Some(some) if n <= AT_ONCE => literals[to..to + AT_ONCE].copy_from_slice(some),
            _ => literals[to..to + n].copy_from_slice(&block[from..from + n]),
        }
        to += n;
        from += n + piece.length as usize;
    }
    (&literals[..to], &literals[..to + AT_ONCE])
}

fn write_pieces(
    pieces: &[Piece],
    mut literals: &[u8],
    words: &Codes<SYMBOLS>,
    distances: &Codes<DISTANCES>,
    bits: &mut Bits<'_>,
) {
    // The code of each length, with what is said behind it.
    let lengths = LENGTHS.map(|long| {
        let packed = words.packed[long.symbol as usize];
        (packed & 0xffff | (long.extra as u32) << (packed >> 16), (packed >> 16) + long.extra_bits as u32)
    });
    for piece in pieces {
        let mut left = piece.literals;
        while left > 4 {
            literals[..4].iter().for_each(|byte| bits.put_code(words.packed[*byte as usize]));
            bits.flush();
            (left, literals) = (left - 4, &literals[4..]);
        }
        for (k, byte) in literals[..4].iter().enumerate() {
            bits.put_code(if (k as u32) < left { words.packed[*byte as usize] } else { 0 });
        }
        bits.flush();
        literals = &literals[left as usize..];
        if piece.length > 0 {
            let far = distance(piece.distance);
            let code = distances.packed[far.symbol as usize];
            split(piece.length as usize, |length| {
                let (long, n) = lengths[length - 3];
                bits.put(long, n);
                bits.put_code(code);
                bits.put(far.extra as u32, far.extra_bits as u32);
                bits.flush();
            });
        }
    }
}

/// A repetition as lengths that words can say: none is shorter than three.
#[inline]
fn split(mut whole: usize, mut each: impl FnMut(usize)) {
    while whole > 0 {
        let length = if whole > LENGTH_MAX { LENGTH_MAX.min(whole - 3) } else { whole };
        each(length);
        whole -= length;
    }
}

/// Four counts of each byte, so that the same byte twice does not wait for itself.
fn count(bytes: &[u8], counts: &mut [[u32; 256]; 4]) {
    let (fours, odd) = bytes.as_chunks::<4>();
    for four in fours {
        for (byte, counts) in four.iter().zip(counts.iter_mut()) {
            counts[*byte as usize] += 1;
        }
    }
    odd.iter().for_each(|byte| counts[0][*byte as usize] += 1);
}

fn summed(counts: &[[u32; 256]; 4]) -> [u32; SYMBOLS] {
    let mut out = [0; SYMBOLS];
    for (byte, n) in out[..256].iter_mut().enumerate() {
        *n = counts.iter().map(|c| c[byte]).sum();
    }
    out[END] = 1;
    out
}

/// How often each symbol will be written.
struct Counts {
    words: [u32; SYMBOLS],
    distances: [u32; DISTANCES],
    /// Bits said behind symbols.
    extra_bits: u64,
}

impl Counts {
    fn of(literals: &[u8], pieces: &[Piece]) -> Counts {
        let (mut bytes, mut lengths) = ([[0; 256]; 4], [0; SYMBOLS]);
        let mut out = Counts { words: lengths, distances: [0; DISTANCES], extra_bits: 0 };
        count(literals, &mut bytes);
        for piece in pieces.iter().filter(|p| p.length > 0) {
            let far = distance(piece.distance);
            split(piece.length as usize, |length| {
                let long = LENGTHS[length - 3];
                lengths[long.symbol as usize] += 1;
                out.distances[far.symbol as usize] += 1;
                out.extra_bits += (long.extra_bits + far.extra_bits) as u64;
            });
        }
        out.words = summed(&bytes);
        out.words[END + 1..].copy_from_slice(&lengths[END + 1..]);
        out
    }
}
