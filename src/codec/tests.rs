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
        Just(Codec::DeflateFast),
        Just(Codec::Fletcher32),
        Just(Codec::Crc32c),
        (-5i32..=12).prop_map(|level| Codec::Zstd { level }),
        Just(Codec::Lz4Numcodecs),
        (1u8..=9).prop_map(|level| Codec::Bzip2 { level }),
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
    // zlib writes the empty member so that its end begins with zeros that are not of the checksum.
    let empty = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let stored = [&empty[..], &members.concat()].concat();
    assert_eq!(decode(&codecs, &stored, 0, 18).unwrap(), b"climateclimatedata");
}

#[test]
fn what_follows_a_short_stream_is_said() {
    let stored = encode(&[Codec::Deflate { level: 4 }], &[7; 12]).unwrap();
    let e = decode(&[Codec::Shuffle { element: 4 }, Codec::Deflate { level: 4 }], &stored, 0, 800).unwrap_err();
    assert!(e.to_string().starts_with("deflate: expected 800 bytes, got 12"), "{e}");
}

/// A stored chunk that another library wrote, and what that library reads from it (fixtures/codec/make.py).
struct Golden {
    name: String,
    stored: Vec<u8>,
    data: Vec<u8>,
    skip: u32,
    codecs: Vec<Codec>,
}

fn goldens() -> Vec<Golden> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/codec");
    let chunks = std::fs::read(format!("{folder}/chunks.bin")).unwrap();
    let cases = std::fs::read_to_string(format!("{folder}/cases.txt")).unwrap();
    let golden = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |k: usize| fields[k].parse::<usize>().unwrap();
        Golden {
            name: fields[0].to_string(),
            stored: chunks[number(1)..][..number(2)].to_vec(),
            data: chunks[number(3)..][..number(4)].to_vec(),
            skip: number(5) as u32,
            codecs: fields[6..].iter().map(|text| codec(text)).collect(),
        }
    };
    cases.lines().map(golden).collect()
}

/// Reads `name:argument,...`, as the cases have it.
fn codec(text: &str) -> Codec {
    let (name, values) = text.split_once(':').unwrap();
    let values: Vec<u32> = values.split(',').filter(|v| !v.is_empty()).map(|v| v.parse().unwrap()).collect();
    match name {
        "shuffle" => Codec::Shuffle { element: values[0] as usize },
        "bitshuffle" => Codec::BitShuffle {
            element: values[0] as usize,
            block: values[1] as usize,
            inner: [BitShuffleInner::None, BitShuffleInner::None, BitShuffleInner::Lz4, BitShuffleInner::Zstd]
                [values[2] as usize],
        },
        "deflate" => Codec::Deflate { level: 1 },
        "gzip" => Codec::Gzip { level: 1 },
        "fletcher32" => Codec::Fletcher32,
        "crc32" => Codec::Crc32,
        "adler32" => Codec::Adler32,
        "szip" => Codec::Szip {
            mask: values[0],
            pixels_per_block: values[1],
            bits_per_pixel: values[2],
            pixels_per_scanline: values[3],
        },
        "nbit" => Codec::Nbit(values),
        "scaleoffset" => Codec::ScaleOffset(values),
        "bzip2" => Codec::Bzip2 { level: 9 },
        "lzf" => Codec::Lzf,
        "lz4hdf5" => Codec::Lz4Hdf5,
        "lz4numcodecs" => Codec::Lz4Numcodecs,
        "zstd" => Codec::Zstd { level: 1 },
        "blosc" => Codec::Blosc { cname: "lz4".to_string(), level: 5, shuffle: 1, element: 4 },
        other => panic!("no codec '{other}'"),
    }
}

#[test]
fn chunks_of_other_libraries_decode_to_what_they_read() {
    let goldens = goldens();
    assert!(goldens.len() > 100);
    let mut wrong = Vec::new();
    for Golden { name, stored, data, skip, codecs } in &goldens {
        match decode(codecs, stored, *skip, data.len()) {
            Err(e) => wrong.push(format!("{name}: {e}")),
            Ok(out) if out != *data => {
                let at = out.iter().zip(data).position(|(a, b)| a != b);
                wrong.push(format!("{name}: other bytes from {at:?} on, {codecs:?}"));
            }
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), goldens.len(), wrong.join("\n"));
}

#[test]
fn chunks_of_other_libraries_do_not_decode_to_other_lengths() {
    for Golden { name, stored, data, skip, codecs } in goldens() {
        for wrong in [data.len() - 1, data.len() + 1, data.len() * 2, 0] {
            assert!(decode(&codecs, &stored, skip, wrong).is_err(), "{name}: {wrong} instead of {}", data.len());
        }
    }
}

#[test]
fn the_room_reserved_for_unknown_stored_lengths_holds_what_libraries_wrote() {
    for Golden { name, stored, data, codecs, .. } in goldens() {
        let size = Pipeline::new(codecs, data.len()).scratch(None);
        assert!(stored.len() <= size.stored, "{name}: {} bytes, reserved {}", stored.len(), size.stored);
    }
}

#[test]
fn broken_chunks_of_other_libraries_never_panic() {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below.max(1) as u64) as usize
    };
    for Golden { stored, data, codecs, .. } in goldens() {
        for round in 0..60 {
            let mut broken = stored.clone();
            for _ in 0..=next(3) {
                // Headers are short: hit them as often as the rest.
                let at = next(if round % 2 == 0 { broken.len().min(32) } else { broken.len() });
                broken[at] ^= 1 << next(8);
            }
            if round % 3 == 0 {
                broken.truncate(next(broken.len()));
            }
            let _ = decode(&codecs, &broken, 0, data.len());
            let _ = decode(&codecs, &broken, 0, data.len() / 2);
        }
    }
}

#[test]
fn blosc_with_snappy_decodes_where_the_library_has_it() {
    let data: Vec<u8> = (0..4000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
    let codec = Codec::Blosc { cname: "snappy".to_string(), level: 5, shuffle: 1, element: 4 };
    let stored = encode(std::slice::from_ref(&codec), &data).unwrap();
    assert!(stored.len() < data.len());
    assert_eq!(decode(&[codec], &stored, 0, data.len()).unwrap(), data);
}

#[test]
fn a_blosc_buffer_of_an_unknown_inner_codec_is_unsupported() {
    let codec = Codec::Blosc { cname: "lz4".to_string(), level: 5, shuffle: 1, element: 4 };
    let mut stored = encode(std::slice::from_ref(&codec), &[7; 1000]).unwrap();
    stored[2] |= 0xe0;
    assert!(decode(&[codec], &stored, 0, 1000).is_err());
}

#[test]
fn what_cannot_be_encoded_says_so() {
    for codec in [Codec::Lzf, Codec::Lz4Hdf5, Codec::Crc32, Codec::Nbit(vec![])] {
        let e = encode(std::slice::from_ref(&codec), &[1; 100]).unwrap_err();
        assert_eq!(e.to_string(), format!("encoding {} is not supported", codec.name()));
    }
}

#[test]
fn scratch_reserves_the_work_buffer_only_between_codecs() {
    let size = |codecs: &[Codec]| Pipeline::new(codecs.to_vec(), 1000).scratch(Some(70));
    let (shuffle, deflate) = (Codec::Shuffle { element: 4 }, Codec::Deflate { level: 4 });
    assert_eq!(size(&[]), ScratchSize { stored: 70, ..ScratchSize::default() });
    assert_eq!(size(std::slice::from_ref(&deflate)).work, 0);
    assert_eq!(size(&[shuffle.clone(), deflate.clone()]).work, 1000);
    let with_checksum = size(&[shuffle, deflate.clone(), Codec::Fletcher32]);
    assert_eq!((with_checksum.stored, with_checksum.work), (70, 1000));
    let three = size(&[Codec::Shuffle { element: 4 }, deflate.clone(), deflate]);
    assert!(three.stored == three.work && three.work > 1000, "the second step writes where the stored bytes were");
}

#[test]
fn a_scratch_goes_to_its_worker() {
    fn send<T: Send>(_: T) {}
    send(scratch(ScratchSize { stored: 1, work: 1, state: 1, piece: 0 }));
}
