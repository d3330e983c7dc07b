//! One stream on its way.

use super::tables::{DISTANCES, Entry, SYMBOLS, Tables, fill};
use crate::codec::deflater::{LENGTH_MAX, ORDER};

/// The most bits of one symbol: the code of a length, of a distance, and what stands behind them.
pub(super) const SYMBOL_BITS: usize = 15 + 5 + 15 + 13;
/// What a copy may write beyond a repetition.
pub(super) const BEYOND: usize = 40;
/// Bytes that are read at once.
pub(super) const WORD: usize = size_of::<u64>();

/// Lengths of the codes of blocks that do not say theirs.
const FIXED: [u8; SYMBOLS] = fixed();

const fn fixed() -> [u8; SYMBOLS] {
    let mut lengths = [8; SYMBOLS];
    let mut symbol = 144;
    while symbol < 280 {
        lengths[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    lengths
}

pub(super) struct Stream<'a> {
    pub input: &'a [u8],
    pub out: &'a mut [u8],
    pub tables: &'a mut Tables,
    /// The next bit of the input, and the next byte of the output.
    pub bit: usize,
    pub to: usize,
    pub part: Part,
    is_last: bool,
}

/// Where a stream is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Before the header of a block.
    Header,
    /// In a block of mostly literals.
    Literals,
    /// In another block.
    Mixed,
    /// Behind the last block.
    End,
}

/// What came of a symbol.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    On,
    BlockEnd,
    Broken,
}

impl<'a> Stream<'a> {
    /// `None` where the header is not that of a zlib stream, or asks for a dictionary.
    pub(super) fn new(input: &'a [u8], out: &'a mut [u8], tables: &'a mut Tables) -> Option<Stream<'a>> {
        let head: &[u8; 2] = input.first_chunk()?;
        let [method, flags] = *head;
        let is_plain = method & 15 == 8 && method >> 4 <= 7 && flags & 32 == 0;
        let is_right = u16::from_be_bytes(*head).is_multiple_of(31);
        let stream = Stream { input, out, tables, bit: 16, to: 0, part: Part::Header, is_last: false };
        (is_plain && is_right).then_some(stream)
    }

    /// Goes on to a block of literals with room for rounds of them, or to the end.
    pub(super) fn reach_literals(&mut self) -> Option<()> {
        self.go_on(|s| s.part == Part::Literals && super::together::rounds(s) > 0)
    }

    /// Goes on to the end.
    pub(super) fn reach_end(&mut self) -> Option<()> {
        self.go_on(|_| false)
    }

    fn go_on(&mut self, is_there: impl Fn(&Self) -> bool) -> Option<()> {
        while self.part != Part::End && !is_there(self) {
            let outcome = match self.part {
                Part::Header => {
                    self.header()?;
                    continue;
                }
                _ if self.has_slack() => alone(self),
                _ => self.symbol(),
            };
            match outcome {
                Outcome::On => {}
                Outcome::BlockEnd => self.end_block(),
                Outcome::Broken => return None,
            }
        }
        Some(())
    }

    pub(super) fn end_block(&mut self) {
        self.part = if self.is_last { Part::End } else { Part::Header };
    }

    /// Whether all of the output was given, and its checksum is the one behind the stream.
    pub(super) fn is_whole(&self) -> bool {
        let sum = self.input.get(self.bit.div_ceil(8)..).and_then(|rest| rest.first_chunk());
        let is_right = |sum: &[u8; 4]| u32::from_be_bytes(*sum) == libdeflater::adler32(self.out);
        self.part == Part::End && self.to == self.out.len() && sum.is_some_and(is_right)
    }

    /// At least 56 of the next bits; zeros behind the input.
    #[inline(always)]
    fn peek(&self) -> u64 {
        let rest = self.input.get(self.bit / 8..).unwrap_or_default();
        let word = match rest.first_chunk() {
            Some(word) => u64::from_le_bytes(*word),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        word >> (self.bit % 8)
    }

    fn take(&mut self, n: usize) -> usize {
        let value = self.peek() & ((1 << n) - 1);
        self.bit += n;
        value as usize
    }

    fn header(&mut self) -> Option<()> {
        self.is_last = self.take(1) == 1;
        let are_literals = match self.take(2) {
            0 => {
                self.stored()?;
                self.end_block();
                return Some(());
            }
            1 => self.tables.build(&FIXED, &[5; DISTANCES])?,
            2 => {
                let (symbols, distances) = (self.take(5) + 257, self.take(5) + 1);
                let lengths = self.lengths(symbols + distances)?;
                self.tables.build(&lengths[..symbols], &lengths[symbols..symbols + distances])?
            }
            _ => return None,
        };
        self.part = if are_literals { Part::Literals } else { Part::Mixed };
        Some(())
    }

    /// A block that is stored as it is.
    fn stored(&mut self) -> Option<()> {
        let at = self.bit.div_ceil(8);
        let [a, b, c, d] = *self.input.get(at..)?.first_chunk()?;
        let n = u16::from_le_bytes([a, b]);
        let from = self.input.get(at + 4..at + 4 + usize::from(n))?;
        if u16::from_le_bytes([c, d]) != !n {
            return None;
        }
        self.out.get_mut(self.to..self.to + from.len())?.copy_from_slice(from);
        self.bit = (at + 4 + from.len()) * 8;
        self.to += from.len();
        Some(())
    }

    /// Lengths of codes, which are in a code themselves.
    fn lengths(&mut self, n: usize) -> Option<[u8; SYMBOLS + DISTANCES]> {
        let mut own = [0; ORDER.len()];
        let count = self.take(4) + 4;
        for at in ORDER.into_iter().take(count) {
            own[at] = self.take(3) as u8;
        }
        let mut table = [Entry::EMPTY; 1 << 7];
        fill::<7>(&own, &mut table, |symbol| Entry::literal(symbol as u8))?;
        let mut lengths = [0; SYMBOLS + DISTANCES];
        let mut done = 0;
        while done < n {
            let entry = table[self.peek() as usize & 127];
            if !entry.is_literal() {
                return None;
            }
            self.bit += entry.bits() as usize;
            let (value, times) = match entry.byte() {
                16 => (*lengths[..done].last()?, 3 + self.take(2)),
                17 => (0, 3 + self.take(3)),
                18 => (0, 11 + self.take(7)),
                bits => (bits, 1),
            };
            lengths[..n].get_mut(done..done + times)?.fill(value);
            done += times;
        }
        // A block has an end.
        (lengths[256] > 0).then_some(lengths)
    }

    /// One symbol, wherever the stream is in a block.
    #[inline(always)]
    pub(super) fn symbol(&mut self) -> Outcome {
        let bits = self.peek();
        let entry = self.tables.symbol(self.tables.short_symbol(bits), bits);
        self.bit += entry.bits() as usize;
        // What is not there reads as zeros.
        if self.bit > self.input.len() * 8 {
            return Outcome::Broken;
        }
        if entry.is_literal() {
            let Some(to) = self.out.get_mut(self.to) else { return Outcome::Broken };
            *to = entry.byte();
            self.to += 1;
            return Outcome::On;
        }
        if !entry.is_number() {
            return if entry.is_end() { Outcome::BlockEnd } else { Outcome::Broken };
        }
        let length = entry.value(bits);
        let bits = bits >> entry.bits();
        let entry = self.tables.distance(bits);
        self.bit += entry.bits() as usize;
        if !entry.is_number() {
            return Outcome::Broken;
        }
        self.repeat(entry.value(bits), length)
    }

    #[inline(always)]
    fn repeat(&mut self, distance: usize, length: usize) -> Outcome {
        let (to, end) = (self.to, self.to + length);
        if distance > to || end > self.out.len() {
            return Outcome::Broken;
        }
        if end + BEYOND <= self.out.len() {
            // SAFETY: what was just asked.
            unsafe { copy(self.out, to, distance, length) };
        } else if distance == 1 {
            let byte = self.out[to - 1];
            self.out[to..end].fill(byte);
        } else {
            (to..end).for_each(|at| self.out[at] = self.out[at - distance]);
        }
        self.to = end;
        Outcome::On
    }

    /// Whether [`alone`] can take a symbol, before which it takes a word of input in hand.
    fn has_slack(&self) -> bool {
        self.bit / 8 + WORD + INPUT_SLACK <= self.input.len() && self.to + OUT_SLACK <= self.out.len()
    }
}

/// Repeats what lies `distance` before `to`, eight bytes at a time.
///
/// # Safety
/// `1 <= distance <= to` and `to + length + BEYOND <= out.len()`.
#[inline(always)]
unsafe fn copy(out: &mut [u8], to: usize, distance: usize, length: usize) {
    debug_assert!((1..=to).contains(&distance) && to + length + BEYOND <= out.len());
    // SAFETY: `from` stays before `to`, and `to` is at most `end + BEYOND` after a write, for each step is of eight bytes at
    // most and begins before `end`, but for the first four.
    unsafe {
        let mut to = out.as_mut_ptr().add(to);
        let end = to.add(length);
        let mut from = to.sub(distance).cast_const();
        if distance == 1 {
            let word = u64::from(*from) * (u64::MAX / 255);
            loop {
                (0..4).for_each(|k| to.add(k * WORD).cast::<u64>().write_unaligned(word));
                to = to.add(4 * WORD);
                if to >= end {
                    break;
                }
            }
            return;
        }
        let step = distance.min(WORD);
        let mut once = || {
            to.cast::<u64>().write_unaligned(from.cast::<u64>().read_unaligned());
            (to, from) = (to.add(step), from.add(step));
            to < end
        };
        once();
        once();
        while once() {}
    }
}

/// Goes on with one stream while it has slack, up to the end of a block.
fn alone(stream: &mut Stream<'_>) -> Outcome {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "bmi1,bmi2")]
        fn with_bmi(stream: &mut Stream<'_>) -> Outcome {
            alone_as_compiled(stream)
        }
        // SAFETY: asked for by `is_worth_it`.
        unsafe { with_bmi(stream) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    alone_as_compiled(stream)
}

/// What [`alone`] may read and write before it asks again: three literals, and a repetition.
const INPUT_SLACK: usize = 4 * WORD;
const OUT_SLACK: usize = 3 + LENGTH_MAX + BEYOND;

/// The next bits of a stream, some of them in hand.
struct Bits<'a> {
    input: &'a [u8],
    /// Bits in hand; above `count` they are those that come next, or zeros.
    word: u64,
    count: u32,
    /// The next byte that is not in hand.
    at: usize,
}

impl Bits<'_> {
    /// Has at least 56 bits in hand then.
    ///
    /// # Safety
    /// `at + WORD <= input.len()`.
    #[inline(always)]
    unsafe fn refill(&mut self) {
        debug_assert!(self.at + WORD <= self.input.len());
        // SAFETY: the caller's.
        let next = u64::from_le(unsafe { self.input.as_ptr().add(self.at).cast::<u64>().read_unaligned() });
        self.word |= next << self.count;
        self.at += ((63 - self.count) / 8) as usize;
        self.count |= 56;
    }

    #[inline(always)]
    fn take(&mut self, n: u32) {
        self.word >>= n;
        self.count -= n;
    }
}

#[inline(always)]
fn alone_as_compiled(stream: &mut Stream<'_>) -> Outcome {
    let mut bits = Bits { input: stream.input, word: 0, count: 0, at: stream.bit / 8 };
    let (input_end, out_end) = (stream.input.len() - INPUT_SLACK, stream.out.len() - OUT_SLACK);
    let (out, tables) = (&mut *stream.out, &*stream.tables);
    let mut to = stream.to;
    // SAFETY: there is slack, before which one word more was asked for.
    unsafe { bits.refill() };
    bits.take(stream.bit as u32 % 8);
    // Looked up before what stands before it is written, for that takes its time.
    let mut entry = tables.short_symbol(bits.word);
    let outcome = 'block: {
        while bits.at <= input_end && to <= out_end {
            for left in (0..3).rev() {
                if !entry.is_literal() {
                    break;
                }
                // SAFETY: there is slack for three bytes before a repetition.
                unsafe { *out.as_mut_ptr().add(to) = entry.byte() };
                to += 1;
                bits.take(entry.bits());
                if left == 0 {
                    // Three codes may leave less than one.
                    // SAFETY: there is slack for three words, of which this is the first.
                    unsafe { bits.refill() };
                }
                entry = tables.short_symbol(bits.word);
            }
            if entry.is_literal() {
                continue;
            }
            // SAFETY: there is slack for three words, of which this is the second at most.
            unsafe { bits.refill() };
            entry = tables.symbol(entry, bits.word);
            if entry.is_literal() {
                continue;
            }
            if !entry.is_number() {
                bits.take(entry.bits());
                break 'block if entry.is_end() { Outcome::BlockEnd } else { Outcome::Broken };
            }
            let length = entry.value(bits.word);
            bits.take(entry.bits());
            let distance = tables.distance(bits.word);
            if !distance.is_number() {
                break 'block Outcome::Broken;
            }
            let back = distance.value(bits.word);
            bits.take(distance.bits());
            // SAFETY: there is slack for three words, of which this is the third at most.
            unsafe { bits.refill() };
            entry = tables.short_symbol(bits.word);
            if back > to {
                break 'block Outcome::Broken;
            }
            // SAFETY: there is slack for a repetition behind three literals, and what is repeated is there; no distance is 0.
            unsafe { copy(out, to, back, length) };
            to += length;
        }
        Outcome::On
    };
    stream.to = to;
    stream.bit = bits.at * 8 - bits.count as usize;
    outcome
}
