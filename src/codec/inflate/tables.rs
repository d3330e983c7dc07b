//! What the codes of a block mean (RFC 1951, 3.2).

/// Bits of a code that are looked up at once: of literals and lengths, and of distances.
pub(super) const MAIN_BITS: usize = 11;
pub(super) const DISTANCE_BITS: usize = 10;
/// Bits of the longest code.
const LONGEST: usize = 15;
/// Literals and lengths, and distances, that a header can name.
pub(super) const SYMBOLS: usize = 288;
pub(super) const DISTANCES: usize = 32;

/// Tables of one stream, for one block after another.
pub(super) struct Tables {
    /// For [`together`](super::together).
    pub literals: [u32; 1 << MAIN_BITS],
    pub symbols: [Entry; (1 << MAIN_BITS) + beyond(SYMBOLS, MAIN_BITS)],
    pub distances: [Entry; (1 << DISTANCE_BITS) + beyond(DISTANCES, DISTANCE_BITS)],
}

/// The most entries for longer codes: they come by twos at least behind the same first bits.
const fn beyond(symbols: usize, main: usize) -> usize {
    (symbols / 2) << (LONGEST - main)
}

/// In [`Tables::literals`]: a literal is `byte << 8 | bits of its code`; all else is this, so that a sum of five says how
/// many are no literals, and the bits of those that are.
pub(super) const ODD: u32 = 1 << 24;

/// What a code stands for. In its low byte are the bits to take away: the code's, and those of the number behind it.
#[derive(Clone, Copy)]
pub(super) struct Entry(u32);

impl Entry {
    const LITERAL: u32 = 1 << 31;
    const END: u32 = 1 << 30;
    const LONGER: u32 = 1 << 29;
    const NONE: u32 = 1 << 28;
    const OTHER: u32 = Entry::END | Entry::LONGER | Entry::NONE;

    pub(super) const EMPTY: Entry = Entry(Entry::NONE);

    pub(super) fn literal(byte: u8) -> Entry {
        Entry(Entry::LITERAL | u32::from(byte) << 12)
    }

    /// `least` with so many bits behind it.
    const fn number(least: u16, extra_bits: u8) -> Entry {
        Entry((least as u32) << 12 | extra_bits as u32)
    }

    /// The same, with the length of its code.
    fn with_code(self, bits: usize) -> Entry {
        Entry((self.0 + bits as u32) | (bits as u32) << 8)
    }

    /// Where longer codes with the same first bits stand.
    fn longer(first: usize) -> Entry {
        Entry(Entry::LONGER | (first as u32) << 12)
    }

    #[inline(always)]
    pub(super) fn is_literal(self) -> bool {
        self.0 & Entry::LITERAL != 0
    }

    #[inline(always)]
    pub(super) fn is_number(self) -> bool {
        self.0 & (Entry::LITERAL | Entry::OTHER) == 0
    }

    #[inline(always)]
    fn is_longer(self) -> bool {
        self.0 & Entry::LONGER != 0
    }

    pub(super) fn is_end(self) -> bool {
        self.0 & Entry::END != 0
    }

    /// The bits to take away.
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        // Less than 64, as a shift by this takes it.
        self.0 & 63
    }

    #[inline(always)]
    pub(super) fn byte(self) -> u8 {
        (self.0 >> 12) as u8
    }

    /// A number, with the bits behind its code at the front of `bits`.
    #[inline(always)]
    pub(super) fn value(self, bits: u64) -> usize {
        let behind = (bits & ((1 << self.bits()) - 1)) >> (self.0 >> 8 & 15);
        (self.0 >> 12 & 0xffff) as usize + behind as usize
    }

    /// Where longer codes stand.
    #[inline(always)]
    fn first(self) -> usize {
        (self.0 >> 12 & 0xffff) as usize
    }
}

impl Tables {
    pub(super) const fn new() -> Tables {
        Tables { literals: [ODD; _], symbols: [Entry::EMPTY; _], distances: [Entry::EMPTY; _] }
    }

    /// Makes them for codes of these lengths, and says whether most of what they stand for are literals. `None` where no
    /// encoder makes such codes.
    pub(super) fn build(&mut self, symbols: &[u8], distances: &[u8]) -> Option<bool> {
        fill::<MAIN_BITS>(symbols, &mut self.symbols, |symbol| match symbol {
            0..256 => Entry::literal(symbol as u8),
            256 => Entry(Entry::END),
            _ => LENGTHS.get(symbol - 257).copied().unwrap_or(Entry::EMPTY),
        })?;
        fill::<DISTANCE_BITS>(distances, &mut self.distances, |symbol| {
            DISTANCE_ENTRIES.get(symbol).copied().unwrap_or(Entry::EMPTY)
        })?;
        let share = |&bits: &u8| if bits == 0 { 0 } else { 1 << (LONGEST - usize::from(bits)) };
        let are_literals = symbols[..256].iter().map(share).sum::<u32>() >= (1 << LONGEST) / 8 * 7;
        if are_literals {
            for (to, &from) in self.literals.iter_mut().zip(&self.symbols) {
                *to = if from.is_literal() { u32::from(from.byte()) << 8 | from.bits() } else { ODD };
            }
        }
        Some(are_literals)
    }

    /// What stands for the code at the front of `bits`, unless that is a longer one.
    #[inline(always)]
    pub(super) fn short_symbol(&self, bits: u64) -> Entry {
        self.symbols[bits as usize & ((1 << MAIN_BITS) - 1)]
    }

    /// What stands for it in any case, where `entry` stands for its beginning.
    #[inline(always)]
    pub(super) fn symbol(&self, entry: Entry, bits: u64) -> Entry {
        whole::<MAIN_BITS>(&self.symbols, entry, bits)
    }

    #[inline(always)]
    pub(super) fn distance(&self, bits: u64) -> Entry {
        let entry = self.distances[bits as usize & ((1 << DISTANCE_BITS) - 1)];
        whole::<DISTANCE_BITS>(&self.distances, entry, bits)
    }
}

#[inline(always)]
fn whole<const MAIN: usize>(table: &[Entry], entry: Entry, bits: u64) -> Entry {
    if !entry.is_longer() {
        return entry;
    }
    let behind = bits as usize >> MAIN & ((1 << (LONGEST - MAIN)) - 1);
    table.get(entry.first() + behind).copied().unwrap_or(Entry::EMPTY)
}

/// Lengths of repetitions, from symbol 257 on, and their distances.
const LENGTHS: [Entry; 29] = lengths();
const DISTANCE_ENTRIES: [Entry; 30] = distances();

const fn lengths() -> [Entry; 29] {
    let mut out = [Entry::EMPTY; 29];
    let (mut k, mut least) = (0, 3);
    while k < 28 {
        let extra = if k < 8 { 0 } else { k as u8 / 4 - 1 };
        out[k] = Entry::number(least, extra);
        least += 1 << extra;
        k += 1;
    }
    out[28] = Entry::number(258, 0);
    out
}

const fn distances() -> [Entry; 30] {
    let mut out = [Entry::EMPTY; 30];
    let (mut k, mut least) = (0, 1);
    while k < 30 {
        let extra = if k < 4 { 0 } else { k as u8 / 2 - 1 };
        out[k] = Entry::number(least, extra);
        least = least.wrapping_add(1 << extra);
        k += 1;
    }
    out
}

/// A table for codes of these lengths: the first `1 << MAIN` entries by the bits of a code, those that are too long behind.
///
/// Codes are complete, or there is at most one, of one bit.
pub(super) fn fill<const MAIN: usize>(
    lengths: &[u8],
    table: &mut [Entry],
    entry: impl Fn(usize) -> Entry,
) -> Option<()> {
    let mut counts = [0usize; LONGEST + 1];
    lengths.iter().for_each(|&bits| counts[usize::from(bits) & LONGEST] += 1);
    counts[0] = 0;
    let taken: usize = counts.iter().enumerate().map(|(bits, n)| n << (LONGEST - bits)).sum();
    let used: usize = counts.iter().sum();
    let is_lonely = used == 0 || used == 1 && counts[1] == 1;
    if taken != 1 << LONGEST && !is_lonely {
        return None;
    }
    // By length, and among equal ones in the order of symbols.
    let mut next = [0; LONGEST + 2];
    (1..=LONGEST).for_each(|bits| next[bits + 1] = next[bits] + counts[bits]);
    let mut sorted = [0u16; SYMBOLS + DISTANCES];
    for (symbol, &bits) in lengths.iter().enumerate().filter(|(_, bits)| **bits > 0) {
        let at = &mut next[usize::from(bits)];
        sorted[*at] = symbol as u16;
        *at += 1;
    }
    let mut sorted = sorted[..used].iter().map(|&symbol| usize::from(symbol));
    let mut counted = counts.into_iter().enumerate().skip(1);
    let mut codes = Codes { code: 0 };
    table[0] = Entry::EMPTY;
    for (bits, count) in counted.by_ref().take(MAIN) {
        // What was known of fewer bits holds whatever the next one is.
        table.copy_within(..1 << (bits - 1), 1 << (bits - 1));
        codes.code <<= 1;
        for symbol in sorted.by_ref().take(count) {
            table[codes.take(bits)] = entry(symbol).with_code(bits);
        }
    }
    let each = 1 << (LONGEST - MAIN);
    let (mut free, mut last) = (1 << MAIN, None);
    for (bits, count) in counted {
        codes.code <<= 1;
        for symbol in sorted.by_ref().take(count) {
            let code = codes.take(bits);
            let front = code & ((1 << MAIN) - 1);
            if last != Some(front) {
                table[front] = Entry::longer(free);
                (free, last) = (free + each, Some(front));
            }
            let behind = table.get_mut(free - each..free)?;
            let same = behind[code >> MAIN..].iter_mut().step_by(1 << (bits - MAIN));
            same.for_each(|to| *to = entry(symbol).with_code(bits));
        }
    }
    Some(())
}

/// Codes in their order.
struct Codes {
    code: usize,
}

impl Codes {
    /// The next code, first bit lowest.
    fn take(&mut self, bits: usize) -> usize {
        let code = (self.code as u16).reverse_bits() >> (16 - bits);
        self.code += 1;
        code.into()
    }
}
