//! Counts of values that are few different ones.

/// How often each of some keys was seen, by open addressing in words: the number of keys, a word that is not used, then
/// a key and its count for each place. More keys than fit make it useless, which it says.
pub(super) struct Table<'a> {
    used: &'a mut u64,
    places: &'a mut [[u64; 2]],
}

/// Instead of the number of keys, where there were too many.
const FULL: u64 = u64::MAX;
/// Smaller ones are not worth it.
const PLACES_LEAST: usize = 16;

impl<'a> Table<'a> {
    /// The largest number of words, up to `most`, that make a table; none where that is too few.
    pub(super) fn words(most: usize) -> usize {
        let places = (most.saturating_sub(2) / 2).checked_ilog2().map_or(0, |bits| 1 << bits);
        if places < PLACES_LEAST { 0 } else { 2 * places + 2 }
    }

    /// The one that lies in these words, which are zero at first. In none it is full.
    pub(super) fn new(words: &'a mut [u64]) -> Option<Table<'a>> {
        let (head, places) = words.split_at_mut_checked(2)?;
        Some(Table { used: &mut head[0], places: bytemuck::cast_slice_mut(places) })
    }

    /// Adds so many of a key.
    #[inline(always)]
    pub(super) fn add(&mut self, key: u64, count: u64) {
        if *self.used == FULL {
            return;
        }
        let mask = self.places.len() - 1;
        // Fibonacci hashing: the first bits of the product depend on all of the key's.
        let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        loop {
            let [known, n] = &mut self.places[at];
            if *n == 0 {
                (*known, *n) = (key, count);
                *self.used += 1;
                if *self.used as usize > self.places.len() / 4 * 3 {
                    *self.used = FULL;
                }
                return;
            }
            if *known == key {
                *n += count;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds what lies in other words.
    pub(super) fn merge(&mut self, from: &[u64]) {
        if from[0] == FULL {
            *self.used = FULL;
        }
        let from: &[[u64; 2]] = bytemuck::cast_slice(&from[2..]);
        from.iter().filter(|[_, n]| *n > 0).for_each(|[key, n]| self.add(*key, *n));
    }

    /// All keys with their counts, in no order; `None` where there were too many.
    pub(super) fn entries(&self) -> Option<impl Iterator<Item = (u64, u64)> + '_> {
        let entries = self.places.iter().filter(|[_, n]| *n > 0).map(|[key, n]| (*key, *n));
        (*self.used != FULL).then_some(entries)
    }
}
