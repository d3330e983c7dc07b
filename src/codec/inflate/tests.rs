use super::{AT_ONCE, Contexts, inflate, is_worth_it};
use crate::codec::deflater::{self, Search};
use libdeflater::{CompressionLvl, Compressor};

struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 8
    }

    fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }
}

/// Data of the kinds that planes of numbers are.
fn kinds(n: usize, random: &mut Random) -> Vec<Vec<u8>> {
    let mut kinds: Vec<Vec<u8>> =
        (0..9).map(|bits| (0..n).map(|_| (random.next() & ((1 << bits) - 1)) as u8).collect()).collect();
    kinds.extend((1..20).map(|period| (0..n).map(|k| (k % period * 37) as u8).collect()));
    kinds.push((0..n).map(|k| (k / 700 + random.below(2)) as u8).collect());
    kinds.push((0..n).flat_map(|k| k.to_string().into_bytes()).take(n).collect());
    // A plane of each behind the other.
    kinds.push(kinds.iter().step_by(3).flatten().copied().collect());
    // Noise of many values with others in it that are rare, whose codes are long.
    kinds.push((0..n).map(|_| (random.below(64) * random.below(3) * random.below(2)) as u8).collect());
    kinds
}

fn zlib(data: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
    let mut out = vec![0; compressor.zlib_compress_bound(data.len())];
    let n = compressor.zlib_compress(data, &mut out).unwrap();
    out.truncate(n);
    out
}

fn ours(data: &[u8], search: Search) -> Vec<u8> {
    let mut out = vec![0; data.len() * 2 + 1000];
    let n = deflater::encode(&mut deflater::Context::default(), search, data, &mut out).unwrap();
    out.truncate(n);
    out
}

/// What streams give; `None` if that did not go well.
fn inflated(streams: &[&[u8]], lengths: &[usize]) -> Option<Vec<Vec<u8>>> {
    let mut outs: Vec<Vec<u8>> = lengths.iter().map(|&n| vec![0xaa; n]).collect();
    let pairs = streams.iter().copied().zip(outs.iter_mut().map(|out| &mut out[..]));
    inflate(&mut Contexts::default(), pairs).then_some(outs)
}

#[test]
fn streams_of_every_kind_come_back_in_any_company() {
    if !is_worth_it() {
        return;
    }
    let mut random = Random(3);
    let mut streams: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for n in [0, 1, 5, 300, 4000, 70_000] {
        for data in kinds(n, &mut random) {
            for level in [0, 1, 4, 12] {
                streams.push((zlib(&data, level), data.clone()));
            }
            streams.push((ours(&data, Search::Window), data.clone()));
            streams.push((ours(&data, Search::Runs), data));
        }
    }
    for _ in 0..1500 {
        let some: Vec<_> = (0..random.below(3 * AT_ONCE)).map(|_| &streams[random.below(streams.len())]).collect();
        let inputs: Vec<&[u8]> = some.iter().map(|(stream, _)| &stream[..]).collect();
        let lengths: Vec<usize> = some.iter().map(|(_, data)| data.len()).collect();
        let outs = inflated(&inputs, &lengths).expect("whole streams");
        assert!(outs.iter().zip(&some).all(|(out, (_, data))| out == data), "{lengths:?}");
    }
}

#[test]
fn broken_streams_are_not_taken_for_whole() {
    if !is_worth_it() {
        return;
    }
    let mut random = Random(11);
    let mut whole = 0;
    for data in kinds(9000, &mut random) {
        for stream in [zlib(&data, 1), zlib(&data, 6), ours(&data, Search::Window)] {
            assert_eq!(inflated(&[&stream], &[data.len() + 1]), None, "too little");
            assert_eq!(inflated(&[&stream], &[data.len() - 1]), None, "too much");
            for _ in 0..20 {
                let mut broken = stream.clone();
                match random.below(3) {
                    0 => broken.truncate(random.below(stream.len())),
                    1 => {
                        let at = random.below(stream.len());
                        broken[at] ^= 1 << random.below(8);
                    }
                    _ => {
                        let at = random.below(stream.len());
                        broken[at..].iter_mut().take(9).for_each(|byte| *byte = random.next() as u8);
                    }
                }
                // With whole ones beside it, which do not save it.
                let outs = inflated(&[&stream, &broken, &stream, &stream], &[data.len(); 4]);
                let Some(outs) = outs else { continue };
                // Some bits mean nothing.
                whole += 1;
                assert!(outs.iter().all(|out| *out == data));
            }
        }
    }
    assert!(whole < 40, "{whole} broken streams gave their data");
}

#[test]
fn only_complete_codes_are_taken() {
    use super::tables::Tables;
    let mut tables = Tables::new();
    let with = |lengths: &[(usize, u8)]| {
        let mut all = [0u8; 288];
        lengths.iter().for_each(|&(symbol, bits)| all[symbol] = bits);
        all
    };
    let whole = with(&[(65, 1), (256, 2), (257, 2)]);
    assert_eq!(tables.build(&whole, &[1]), Some(false), "a lonely distance");
    assert_eq!(tables.build(&whole, &[0]), Some(false), "no distance");
    assert_eq!(tables.build(&with(&[(65, 1), (66, 2), (67, 3), (68, 4), (256, 4)]), &[1, 1]), Some(true));
    for broken in [with(&[(65, 1), (256, 2)]), with(&[(65, 1), (66, 1), (256, 1)]), with(&[(65, 2), (256, 15)])] {
        assert_eq!(tables.build(&broken, &[1, 1]), None);
    }
    assert_eq!(tables.build(&whole, &[1, 1, 1]), None);
    assert_eq!(tables.build(&whole, &[2]), None);
}
