use crate::grid::Grid;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which chunks of a grid were written: a bit for each.
#[derive(Debug)]
pub(super) struct Written {
    bits: Vec<AtomicU64>,
    chunks: u64,
}

impl Written {
    /// None yet.
    pub fn new(grid: &Grid) -> Written {
        let chunks = grid.chunks();
        Written { bits: (0..chunks.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(), chunks }
    }

    /// The chunk with row-major number `n` was written.
    pub fn set(&self, n: u64) {
        if let Some(word) = self.bits.get((n / 64) as usize) {
            word.fetch_or(1 << (n % 64), Ordering::Relaxed);
        }
    }

    /// Whether the chunk was written.
    pub fn has(&self, n: u64) -> bool {
        self.bits.get((n / 64) as usize).is_some_and(|word| word.load(Ordering::Relaxed) >> (n % 64) & 1 == 1)
    }

    /// The numbers of those that were not.
    pub fn missing(&self) -> impl Iterator<Item = u64> + '_ {
        let words = self.bits.iter().enumerate().filter_map(|(k, word)| {
            let bits = word.load(Ordering::Relaxed);
            (bits != u64::MAX).then_some((k as u64 * 64, bits))
        });
        words
            .flat_map(|(first, bits)| (0..64).filter(move |b| bits >> b & 1 == 0).map(move |b| first + b))
            .take_while(|n| *n < self.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_missing() {
        let grid = Grid::new(vec![130].into(), vec![1].into()).unwrap();
        let written = Written::new(&grid);
        assert_eq!(written.missing().count(), 130);
        (0..130).filter(|n| n % 64 != 1).for_each(|n| written.set(n));
        assert_eq!(written.missing().collect::<Vec<_>>(), [1, 65, 129]);
        assert!(written.has(0) && !written.has(65) && written.has(128) && !written.has(1000));
    }
}
