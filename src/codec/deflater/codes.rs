//! The codes of a block: how long each is, what it is, and how a block says so.

use super::bits::Bits;

/// Literals, the end of a block, and the codes of lengths.
pub(super) const SYMBOLS: usize = 286;
pub(super) const END: usize = 256;
/// The codes of distances.
pub(super) const DISTANCES: usize = 30;
/// The longest repetition that one code says.
pub(in crate::codec) const LENGTH_MAX: usize = 258;
/// The longest code that is made: four of them and what waits fit 64 bits.
const CODE_BITS_MAX: u32 = 12;

/// A symbol with what is said behind it.
#[derive(Clone, Copy)]
pub(super) struct Word {
    pub symbol: u16,
    pub extra: u16,
    pub extra_bits: u8,
}

/// The words of lengths from 3 on (RFC 1951, 3.2.5).
pub(super) const LENGTHS: [Word; LENGTH_MAX - 2] = {
    let mut all = [Word { symbol: 285, extra: 0, extra_bits: 0 }; LENGTH_MAX - 2];
    let (mut symbol, mut at) = (257, 0);
    while symbol < 285 {
        let extra_bits = if symbol < 265 { 0 } else { (symbol - 261) / 4 };
        let mut extra = 0;
        // Length 258 has a symbol of its own.
        while extra < 1 << extra_bits && at < LENGTH_MAX - 3 {
            all[at] = Word { symbol, extra, extra_bits: extra_bits as u8 };
            at += 1;
            extra += 1;
        }
        symbol += 1;
    }
    all
};

/// The word of a distance, 1 to 32768 (RFC 1951, 3.2.5).
#[inline]
pub(super) fn distance(distance: u32) -> Word {
    let from_0 = distance - 1;
    if from_0 < 4 {
        return Word { symbol: from_0 as u16, extra: 0, extra_bits: 0 };
    }
    // Two symbols for each power of two.
    let power = from_0.ilog2();
    let extra_bits = power - 1;
    let symbol = 2 * power + (from_0 >> extra_bits & 1);
    Word { symbol: symbol as u16, extra: (from_0 & ((1 << extra_bits) - 1)) as u16, extra_bits: extra_bits as u8 }
}

/// The codes of one alphabet.
pub(super) struct Codes<const N: usize> {
    /// Bits of each; none for what is never written.
    pub lengths: [u8; N],
    /// Code in the lower half, its bits in the upper.
    pub packed: [u32; N],
}

impl<const N: usize> Codes<N> {
    /// The shortest codes for symbols that are written so often, or nearly.
    pub(super) fn new(frequencies: &[u32; N]) -> Codes<N> {
        Codes::limited(frequencies, CODE_BITS_MAX)
    }

    /// The same of at most `bits_max` bits.
    fn limited(frequencies: &[u32; N], bits_max: u32) -> Codes<N> {
        let mut sorted: Vec<(u32, u16)> =
            frequencies.iter().enumerate().filter(|(_, n)| **n > 0).map(|(s, n)| (*n, s as u16)).collect();
        sorted.sort_unstable();
        let mut with_bits = depths(&sorted);
        limit(&mut with_bits, bits_max as usize);
        let mut lengths = [0; N];
        // The rarest have the longest codes.
        let longest_first = with_bits.iter().enumerate().rev().flat_map(|(bits, n)| std::iter::repeat_n(bits, *n));
        for ((_, symbol), bits) in sorted.iter().zip(longest_first) {
            lengths[*symbol as usize] = bits as u8;
        }
        let mut next = [0u32; 17];
        for bits in 1..16 {
            next[bits + 1] = (next[bits] + with_bits[bits] as u32) << 1;
        }
        let mut packed = [0; N];
        for (symbol, bits) in lengths.iter().enumerate().filter(|(_, bits)| **bits > 0) {
            let code = &mut next[*bits as usize];
            packed[symbol] = (*code << (32 - bits)).reverse_bits() | (*bits as u32) << 16;
            *code += 1;
        }
        Codes { lengths, packed }
    }

    /// Bits that writing all symbols takes, without what is said behind them.
    pub(super) fn cost(&self, frequencies: &[u32; N]) -> u64 {
        self.lengths.iter().zip(frequencies).map(|(bits, n)| *bits as u64 * *n as u64).sum()
    }
}

/// How many codes have each length, for symbols sorted by frequency (Huffman 1952, with two queues).
fn depths(sorted: &[(u32, u16)]) -> [usize; 64] {
    let mut with_bits = [0; 64];
    let n = sorted.len();
    if n < 2 {
        with_bits[1] = n;
        return with_bits;
    }
    // Nodes: the leaves, then the pairs in the order in which they are made, which is that of their weights.
    let mut weights: Vec<u32> = sorted.iter().map(|s| s.0).collect();
    let mut parents = vec![0; 2 * n - 1];
    let (mut leaf, mut pair) = (0, n);
    for node in n..2 * n - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            let from_leaves = leaf < n && (pair >= node || weights[leaf] <= weights[pair]);
            let least = if from_leaves { &mut leaf } else { &mut pair };
            weight += weights[*least];
            parents[*least] = node;
            *least += 1;
        }
        weights.push(weight);
    }
    let mut depth = vec![0usize; 2 * n - 1];
    for node in (0..2 * n - 2).rev() {
        depth[node] = depth[parents[node]] + 1;
        if node < n {
            with_bits[depth[node].min(63)] += 1;
        }
    }
    with_bits
}

/// Shortens codes to `most` bits; others become longer, until all fit again.
fn limit(with_bits: &mut [usize; 64], most: usize) {
    let (within, beyond) = with_bits.split_at_mut(most + 1);
    within[most] += beyond.iter().sum::<usize>();
    beyond.fill(0);
    let mut taken: usize = within.iter().enumerate().skip(1).map(|(bits, n)| n << (most - bits)).sum();
    while taken > 1 << most {
        within[most] -= 1;
        let Some(shorter) = (1..most).rev().find(|bits| within[*bits] > 0) else { break };
        within[shorter] -= 1;
        within[shorter + 1] += 2;
        taken -= 1;
    }
}

/// The lengths of codes, as a block begins with them (RFC 1951, 3.2.7).
pub(super) struct Header {
    /// Symbols of the alphabet of lengths, with their extra bits.
    steps: Vec<(u8, u8)>,
    codes: Codes<19>,
    literals: usize,
    distances: usize,
    /// All that it takes.
    pub bits: u64,
}

/// The order in which the lengths of the codes of lengths are written.
pub(in crate::codec) const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

impl Header {
    pub(super) fn new(words: &Codes<SYMBOLS>, distances: &Codes<DISTANCES>) -> Header {
        let used = |lengths: &[u8], least: usize| {
            lengths.iter().rposition(|n| *n > 0).map_or(least, |last| (last + 1).max(least))
        };
        let (literals, far) = (used(&words.lengths, END + 1), used(&distances.lengths, 1));
        let all = [&words.lengths[..literals], &distances.lengths[..far]].concat();
        let mut steps = Vec::with_capacity(all.len());
        for same in all.chunk_by(|a, b| a == b) {
            repeat(same[0], same.len(), &mut steps);
        }
        let mut frequencies = [0; 19];
        steps.iter().for_each(|(symbol, _)| frequencies[*symbol as usize] += 1);
        let codes = Codes::limited(&frequencies, 7);
        let each = |&(symbol, _): &(u8, u8)| codes.lengths[symbol as usize] as u64 + extra_bits(symbol) as u64;
        let bits = 17 + 19 * 3 + steps.iter().map(each).sum::<u64>();
        Header { steps, codes, literals, distances: far, bits }
    }

    pub(super) fn write(&self, bits: &mut Bits<'_>) {
        bits.put((self.literals - 257) as u32 | ((self.distances - 1) as u32) << 5 | (19 - 4) << 10, 14);
        bits.flush();
        for symbol in ORDER {
            bits.put(self.codes.lengths[symbol] as u32, 3);
            bits.flush();
        }
        for &(symbol, extra) in &self.steps {
            bits.put_code(self.codes.packed[symbol as usize]);
            bits.put(extra as u32, extra_bits(symbol));
            bits.flush();
        }
    }
}

/// A length `times` over: once, then as repetitions.
fn repeat(length: u8, mut times: usize, steps: &mut Vec<(u8, u8)>) {
    if length > 0 {
        steps.push((length, 0));
        times -= 1;
    }
    while times > 0 {
        let (symbol, least, most) = match length {
            0 if times > 10 => (18, 11, 138),
            0 => (17, 3, 10),
            _ => (16, 3, 6),
        };
        if times < least {
            steps.push((length, 0));
            times -= 1;
            continue;
        }
        let now = times.min(most);
        steps.push((symbol, (now - least) as u8));
        times -= now;
    }
}

fn extra_bits(symbol: u8) -> u32 {
    match symbol {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_its_word() {
        let symbols: Vec<u16> = LENGTHS.iter().map(|l| l.symbol).collect();
        assert!(symbols.is_sorted() && symbols[0] == 257 && symbols[255] == 285);
        // RFC 1951: 227 to 257 are 284 with five extra bits, 258 is 285.
        assert_eq!((symbols[226 - 3], symbols[227 - 3], symbols[257 - 3]), (283, 284, 284));
        assert_eq!((LENGTHS[257 - 3].extra, LENGTHS[257 - 3].extra_bits, LENGTHS[258 - 3].extra_bits), (30, 5, 0));
    }

    #[test]
    fn every_distance_has_its_word() {
        // RFC 1951, 3.2.5: the least distance of each symbol.
        let least = [
            1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
            4097, 6145, 8193, 12289, 16385, 24577, 32769,
        ];
        for (symbol, range) in least.windows(2).enumerate() {
            for d in range[0]..range[1] {
                let word = distance(d);
                assert_eq!((word.symbol as usize, word.extra as u32), (symbol, d - range[0]), "{d}");
                assert_eq!(1 << word.extra_bits, range[1] - range[0]);
            }
        }
    }
}
