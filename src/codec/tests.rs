//! Laws of pipelines: what was encoded decodes, and what is broken errs.

use super::*;
use crate::{
    budget::Budget,
    error::{Problem, Result},
    units::Bytes,
};
use proptest::prelude::*;

pub(super) fn scratch(size: ScratchSize) -> Scratch {
    let budget = Budget::new(Bytes(size.bytes()));
    Scratch::new(size, budget.lease(size.bytes(), "test").unwrap())
}

/// Decodes `stored` to `decoded_bytes` in the scratch that the pipeline asks for.
pub(super) fn decode(codecs: &[Codec], stored: &[u8], skip: u32, decoded_bytes: usize) -> Result<Vec<u8>> {
    let pipeline = Pipeline::new(codecs.to_vec(), decoded_bytes);
    let mut scratch = scratch(pipeline.scratch(Some(stored.len())));
    scratch.stored.bytes_mut()[..stored.len()].copy_from_slice(stored);
    let mut out = vec![0xa5; decoded_bytes];
    pipeline.decode(stored.len(), skip, &mut scratch, &mut out)?;
    Ok(out)
}

pub(super) fn encode(codecs: &[Codec], data: &[u8]) -> Result<Vec<u8>> {
    let pipeline = Pipeline::new(codecs.to_vec(), data.len());
    let mut scratch = scratch(pipeline.encode_scratch());
    let n = pipeline.encode(data, &mut scratch)?;
    Ok(scratch.stored.bytes()[..n].to_vec())
}

fn encodable() -> impl Strategy<Value = Codec> {
    let element = prop_oneof![Just(1usize), Just(2), Just(3), Just(4), Just(8), Just(16)];
    let cname = prop_oneof![Just("blosclz"), Just("lz4"), Just("lz4hc"), Just("zlib"), Just("zstd")];
    prop_oneof![
        element.clone().prop_map(|element| Codec::Shuffle { element }),
        (0u8..=9).prop_map(|level| Codec::Deflate { level }),
        (0u8..=9).prop_map(|level| Codec::Gzip { level }),
        Just(Codec::Fletcher32),
        Just(Codec::Crc32c),
        (-5i32..=12).prop_map(|level| Codec::Zstd { level }),
        Just(Codec::Lz4Numcodecs),
        (cname, 0u8..=9, 0u8..=2, element).prop_map(|(cname, level, shuffle, element)| Codec::Blosc {
            cname: cname.to_string(),
            level,
            shuffle,
            element
        }),
    ]
}

/// Bytes like a field's (runs and slopes) and bytes without any order.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let smooth = (0usize..20_000, 1u32..50)
        .prop_map(|(len, step)| (0..len as u32).flat_map(|i| (i / step * step).to_le_bytes()).take(len).collect());
    prop_oneof![smooth, proptest::collection::vec(any::<u8>(), 0..3000)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_was_encoded_decodes(codecs in proptest::collection::vec(encodable(), 0..4), data in data()) {
        let stored = encode(&codecs, &data).unwrap();
        prop_assert_eq!(decode(&codecs, &stored, 0, data.len()).unwrap(), data);
    }

    #[test]
    fn a_codec_in_the_mask_was_not_applied(
        codecs in proptest::collection::vec(encodable(), 1..5), data in data(), skip in any::<u32>()
    ) {
        let applied: Vec<Codec> =
            codecs.iter().enumerate().filter(|(k, _)| skip & 1 << k == 0).map(|(_, codec)| codec.clone()).collect();
        let stored = encode(&applied, &data).unwrap();
        prop_assert_eq!(decode(&codecs, &stored, skip, data.len()).unwrap(), data);
    }

    #[test]
    fn another_length_is_an_error(codec in encodable(), data in data(), more in any::<bool>()) {
        prop_assume!(!data.is_empty());
        let stored = encode(std::slice::from_ref(&codec), &data).unwrap();
        let wrong = if more { data.len() + 1 } else { data.len() - 1 };
        let e = decode(&[codec], &stored, 0, wrong).unwrap_err();
        prop_assert!(matches!(e.problem(), Problem::Truncated { .. } | Problem::Codec { .. }), "{}", e);
    }

    #[test]
    fn broken_bytes_never_panic(
        codecs in proptest::collection::vec(encodable(), 1..3),
        data in data(),
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 1u8..), 0..4),
        cut in any::<proptest::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        let mut stored = encode(&codecs, &data).unwrap();
        if !stored.is_empty() {
            let len = stored.len();
            flips.iter().for_each(|(at, bits)| stored[at.index(len)] ^= bits);
            stored.truncate(if cuts { cut.index(stored.len()) } else { stored.len() });
        }
        let _ = decode(&codecs, &stored, 0, data.len());
    }
}

#[test]
fn more_stored_bytes_than_the_scratch_holds_are_an_error() {
    let pipeline = Pipeline::new(vec![Codec::Deflate { level: 1 }], 100);
    let mut scratch = scratch(pipeline.scratch(Some(10)));
    let e = pipeline.decode(11, 0, &mut scratch, &mut [0; 100]).unwrap_err();
    assert_eq!(e.to_string(), "chunk is corrupt: 11 stored bytes, at most 10 were reserved");
}

#[test]
fn gzip_members_are_decoded_one_behind_the_other() {
    let codecs = [Codec::Gzip { level: 6 }];
    let members = [&b"climate"[..], b"climate", b"", b"data"].map(|part| encode(&codecs, part).unwrap());
    let stored = members.concat();
    assert_eq!(decode(&codecs, &stored, 0, 18).unwrap(), b"climateclimatedata");
}

#[test]
fn what_follows_a_short_stream_is_said() {
    let stored = encode(&[Codec::Deflate { level: 4 }], &[7; 12]).unwrap();
    let e = decode(&[Codec::Shuffle { element: 4 }, Codec::Deflate { level: 4 }], &stored, 0, 800).unwrap_err();
    assert!(e.to_string().starts_with("deflate: expected 800 bytes, got 12"), "{e}");
}
