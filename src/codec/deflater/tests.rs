use super::*;
use proptest::prelude::*;

const SEARCHES: [Search; 2] = [Search::Runs, Search::Window];

fn encoded(search: Search, data: &[u8]) -> Vec<u8> {
    let mut out = vec![0xa5; data.len() + data.len() / 8 + 4096];
    // What came before leaves no trace.
    let mut context = Context::default();
    encode(&mut context, search, &noise(70_000, 9), &mut vec![0; 90_000]).unwrap();
    let n = encode(&mut context, search, data, &mut out).unwrap();
    out.truncate(n);
    out
}

fn round(search: Search, data: &[u8]) -> usize {
    let stored = encoded(search, data);
    let mut back = vec![0; data.len()];
    let got = libdeflater::Decompressor::new().zlib_decompress(&stored, &mut back);
    assert_eq!(got, Ok(data.len()), "{} bytes", data.len());
    assert!(back == data, "{} bytes", data.len());
    let mut fresh = vec![0; data.len() + data.len() / 8 + 4096];
    let n = encode(&mut Context::default(), search, data, &mut fresh).unwrap();
    assert!(stored == fresh[..n], "the stream depends on the input alone");
    stored.len()
}

/// Numbers without order, below `most`.
fn noise(len: usize, most: u64) -> Vec<u8> {
    let mut x = 88_172_645_463_325_252u64;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    (0..len).map(|_| (next() % most) as u8).collect()
}

#[test]
fn short_and_odd_lengths_and_runs() {
    for search in SEARCHES {
        for len in (0..300).chain([BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7]) {
            round(search, &vec![7; len]);
            round(search, &noise(len, 256));
            round(search, &noise(len, 3));
            let runs =
                noise(len, 2).iter().enumerate().map(|(k, b)| if k % 100 < 60 { 9 } else { *b }).collect::<Vec<_>>();
            round(search, &runs);
        }
        for run in 1..600 {
            let data = [vec![1, 2, 3], vec![5; run], vec![6], vec![5; 9]].concat();
            round(search, &[data.clone(), data].concat());
        }
    }
}

#[test]
fn repetitions_are_found_as_far_back_as_the_window_reaches() {
    // The first time it is said in full; then until a look falls on what was remembered, or a block is tried.
    for (distance, until) in [1, 2, 3, 7, 255, 4096].map(|d| (d, d)).into_iter().chain([(32 << 10, 2 * BLOCK)]) {
        let data: Vec<u8> = noise(distance, 200).iter().copied().cycle().take(200_000).collect();
        let n = round(Search::Window, &data);
        assert!(n < until + 6000, "{distance} back: {n} bytes");
    }
    let beyond = noise((32 << 10) + 1, 256);
    assert!(round(Search::Window, &[beyond.clone(), beyond].concat()) > 65_000);
}

#[test]
fn noise_is_no_reason_to_stop_looking_behind_it() {
    let data = [noise(BLOCK * 2, 256), noise(100, 256).iter().copied().cycle().take(BLOCK * 2).collect()].concat();
    let n = round(Search::Window, &data);
    assert!(n < BLOCK * 2 + 2500, "{n}");
}

#[test]
fn skewed_bytes_shrink_by_their_entropy_and_noise_does_not_grow() {
    let n = 1 << 20;
    // Geometric: byte k with probability 2^-(k+1), two bits of entropy. Codes would be longer than the limit.
    let words = noise(4 * n, 256);
    let data: Vec<u8> =
        words.as_chunks::<4>().0.iter().map(|x| u32::from_le_bytes(*x).trailing_zeros() as u8).collect();
    for search in SEARCHES {
        let stored = round(search, &data) as f64;
        // Runs are taken where they are, even if codes for their bytes would be shorter.
        assert!((1.99..2.15).contains(&(stored / n as f64 * 8.0)), "{stored}");
        assert!(round(search, &noise(n, 256)) < n + 6 * 18 + 6);
        assert!(round(search, &vec![0; n]) < n / 300);
    }
}

#[test]
fn too_little_room_is_an_error() {
    for search in SEARCHES {
        assert!(encode(&mut Context::default(), search, &[1; 100], &mut [0; 100]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_given_back(
        parts in prop::collection::vec((0usize..20_000, 1u64..257, 0usize..40_000), 0..12),
        window in any::<bool>(),
    ) {
        let mut data: Vec<u8> = Vec::new();
        for (fresh, most, again) in parts {
            data.extend(noise(fresh, most).iter().map(|b| b.wrapping_add(fresh as u8)));
            let from = data.len().saturating_sub(again);
            data.extend_from_within(from..from + (data.len() - from) / 2);
        }
        round(if window { Search::Window } else { Search::Runs }, &data);
    }
}
