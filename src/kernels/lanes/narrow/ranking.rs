//! Ranks of lanes that are never in memory, by way of codes.
//!
//! Values are put in order with their places, which tells their ranks. Those are wanted in the order of places: so each is
//! written with its place before it, as one integer, and these integers are put in order in turn.

use super::tracker::Ties;

/// The longest lanes of which an integer of 64 bits tells places and ranks.
pub(super) const LANE_MOST: u64 = 1 << 31;

/// The bits that places in a lane of `n` values take.
pub(super) fn place_bits(n: u64) -> u32 {
    (u64::BITS - n.saturating_sub(1).leading_zeros()).max(1)
}

/// The place in a lane of `n` values, and the rank of the values that are equal to the one there; NaN has none.
pub(super) fn code(place: u64, ties: Option<Ties>, n: u64) -> u64 {
    // Twice the mean of the places from `below + 1` to `below + count`, less 1; that is never 0.
    let twice = ties.map_or(0, |ties| 2 * ties.below + ties.count);
    place << (u64::BITS - place_bits(n)) | twice
}

/// The rank that a code tells.
pub(super) fn rank(code: u64, n: u64) -> f64 {
    match code & (u64::MAX >> place_bits(n)) {
        0 => f64::NAN,
        twice => (twice + 1) as f64 / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_sort_by_places_and_keep_ranks() {
        for n in [1, 2, 3, 1 << 20, (1 << 20) + 1, LANE_MOST - 1, LANE_MOST] {
            let all = Some(Ties { below: 0, count: n });
            let last = Some(Ties { below: n - 1, count: 1 });
            let codes = [(0, all), (n - 1, last)].map(|(place, ties)| code(place, ties, n));
            assert_eq!(codes.map(|code| rank(code, n)), [(n + 1) as f64 / 2.0, n as f64], "{n}");
            assert!(n == 1 || codes[0] < codes[1], "{n}");
            let missing = code(n - 1, None, n);
            assert!(rank(missing, n).is_nan() && (n == 1 || codes[0] < missing), "{n}");
        }
    }
}
