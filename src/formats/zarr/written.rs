//! The codecs of an output: which ones, and how metadata names them.

use super::json::Json;
use crate::{
    codec::Codec,
    error::{Error, Result},
    source::CodecMeta,
};
use serde_json::json;

/// What strings, and variables compressed in a way that Zarr does not have, are compressed with.
pub(super) const ZSTD_LEVEL: i32 = 3;
/// What changes numbers or their order, or how they are gathered: no step of an output's.
const NOT_BYTES: [&str; 11] = [
    "transpose",
    "sharding_indexed",
    "vlen-utf8",
    "vlen-bytes",
    "bitround",
    "quantize",
    "delta",
    "fixedscaleoffset",
    "astype",
    "packbits",
    "categorize",
];

/// The codecs that values of `element` bytes are written with: those of `shown` that can be written, in their order, but
/// for `shuffle`, which comes first: numcodecs refuses to undo it on anything but whole elements.
///
/// | name | becomes |
/// |---|---|
/// | `shuffle`, `gzip`, `zstd`, `bzip2`, `lz4`, `fletcher32`, `crc32c` | the same |
/// | `deflate`, with detail `fast` too | numcodecs' `zlib` |
/// | `blosc`, with detail `cname=lz4 shuffle=1` | the same |
/// | `crc32`, `adler32` | `crc32c` |
/// | any other compressor | `zstd:3`, unless one that can be written is there too |
pub(super) fn codecs(shown: &[CodecMeta], element: usize) -> Vec<Codec> {
    let steps = || shown.iter().filter(|c| !NOT_BYTES.contains(&c.name.as_str()));
    let known: Vec<Option<Codec>> = steps().map(|c| codec(c, element)).collect();
    let is_compressor = |c: &Codec| !matches!(c, Codec::Shuffle { .. } | Codec::Fletcher32 | Codec::Crc32c);
    let mut instead = Some(Codec::Zstd { level: ZSTD_LEVEL }).filter(|_| !known.iter().flatten().any(is_compressor));
    let chosen = known.into_iter().filter_map(|codec| codec.or_else(|| instead.take()));
    // Single bytes have nothing to gather.
    let mut chosen: Vec<Codec> = chosen.filter(|codec| !matches!(codec, Codec::Shuffle { element: 0 | 1 })).collect();
    chosen.sort_by_key(|codec| !matches!(codec, Codec::Shuffle { .. }));
    chosen
}

/// One codec, `None` where it cannot be written.
fn codec(shown: &CodecMeta, element: usize) -> Option<Codec> {
    let word = |key: &str| shown.detail.split(' ').find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
    let level = |or: i32, low: i32| shown.level.unwrap_or(or).clamp(low, 9) as u8;
    Some(match shown.name.as_str() {
        "shuffle" => Codec::Shuffle { element },
        "zstd" => match shown.level.unwrap_or(ZSTD_LEVEL) {
            0 => Codec::Zstd { level: ZSTD_LEVEL },
            level => Codec::Zstd { level: level.clamp(-7, 22) },
        },
        "deflate" | "zlib" if shown.detail.split(' ').any(|w| w == "fast") => Codec::DeflateFast,
        "deflate" | "zlib" => Codec::Deflate { level: level(1, 0) },
        "gzip" => Codec::Gzip { level: level(5, 0) },
        "bzip2" | "bz2" => Codec::Bzip2 { level: level(9, 1) },
        "lz4" => Codec::Lz4Numcodecs,
        "fletcher32" => Codec::Fletcher32,
        "crc32c" | "crc32" | "adler32" => Codec::Crc32c,
        "blosc" => {
            let cname = word("cname").unwrap_or("lz4");
            if !["lz4", "lz4hc", "blosclz", "zstd", "zlib"].contains(&cname) {
                return None;
            }
            let shuffle = word("shuffle").and_then(|s| s.parse().ok()).filter(|n| *n <= 2).unwrap_or(1);
            Codec::Blosc { cname: cname.to_string(), level: level(5, 0), shuffle, element }
        }
        _ => return None,
    })
}

/// As version 2 names it, in `filters` or as `compressor`.
pub(super) fn numcodecs(codec: &Codec) -> Result<Json> {
    Ok(match codec {
        Codec::Shuffle { element } => json!({"id": "shuffle", "elementsize": element}),
        Codec::Zstd { level } => json!({"id": "zstd", "level": level}),
        Codec::Gzip { level } => json!({"id": "gzip", "level": level}),
        Codec::Deflate { level } => json!({"id": "zlib", "level": level}),
        Codec::DeflateFast => json!({"id": "zlib", "level": 1}),
        Codec::Bzip2 { level } => json!({"id": "bz2", "level": level}),
        Codec::Lz4Numcodecs => json!({"id": "lz4", "acceleration": 1}),
        Codec::Fletcher32 => json!({"id": "fletcher32"}),
        Codec::Crc32c => json!({"id": "crc32c"}),
        Codec::Blosc { cname, level, shuffle, .. } => {
            json!({"id": "blosc", "cname": cname, "clevel": level, "shuffle": shuffle, "blocksize": 0})
        }
        other => return Err(Error::unsupported(format!("writing {} to Zarr", other.name()))),
    })
}

/// As version 3 names it: by the specification where that has it, else as numcodecs registered it.
pub(super) fn version3(codec: &Codec) -> Result<Json> {
    let core = |name: &str, configuration: Json| json!({"name": name, "configuration": configuration});
    Ok(match codec {
        Codec::Zstd { level } => core("zstd", json!({"level": level, "checksum": false})),
        Codec::Gzip { level } => core("gzip", json!({"level": level})),
        Codec::Crc32c => json!({"name": "crc32c"}),
        Codec::Blosc { cname, level, shuffle, element } => {
            let shuffle = ["noshuffle", "shuffle", "bitshuffle"][usize::from(*shuffle).min(2)];
            core(
                "blosc",
                json!({"typesize": element, "cname": cname, "clevel": level, "shuffle": shuffle, "blocksize": 0}),
            )
        }
        other => {
            let mut configuration = numcodecs(other)?;
            let id = configuration.as_object_mut().and_then(|fields| fields.shift_remove("id")).unwrap_or_default();
            core(&format!("numcodecs.{}", id.as_str().unwrap_or_default()), configuration)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, level: Option<i32>, detail: &str) -> CodecMeta {
        CodecMeta { name: name.into(), level, detail: detail.into() }
    }

    #[test]
    fn codecs_are_kept_where_zarr_has_them() {
        let of = |name: &str, level, detail: &str| codecs(&[shown(name, level, detail)], 4);
        assert_eq!(of("deflate", Some(4), ""), [Codec::Deflate { level: 4 }]);
        assert_eq!(of("deflate", Some(1), "fast"), [Codec::DeflateFast]);
        assert_eq!(of("zstd", Some(9), ""), [Codec::Zstd { level: 9 }]);
        assert_eq!(of("zstd", Some(0), ""), [Codec::Zstd { level: 3 }], "the library's default");
        assert_eq!(of("gzip", Some(2), ""), [Codec::Gzip { level: 2 }]);
        assert_eq!(of("bzip2", Some(0), ""), [Codec::Bzip2 { level: 1 }]);
        assert_eq!(of("lz4", None, ""), [Codec::Lz4Numcodecs]);
        assert_eq!(of("adler32", None, ""), [Codec::Crc32c]);
        let blosc = Codec::Blosc { cname: "zstd".into(), level: 7, shuffle: 2, element: 4 };
        assert_eq!(of("blosc", Some(7), "cname=zstd shuffle=2"), [blosc]);
        assert_eq!(of("blosc", Some(7), "cname=snappy"), [Codec::Zstd { level: 3 }]);
        assert_eq!(of("shuffle", None, ""), [Codec::Shuffle { element: 4 }]);
        assert_eq!(codecs(&[shown("shuffle", None, "")], 1), []);
    }

    #[test]
    fn what_cannot_be_written_becomes_one_zstd_or_nothing() {
        let of = |names: &[&str]| codecs(&names.iter().map(|n| shown(n, None, "")).collect::<Vec<_>>(), 2);
        let (shuffle, zstd) = (Codec::Shuffle { element: 2 }, Codec::Zstd { level: 3 });
        assert_eq!(of(&["shuffle", "lzf"]), [shuffle.clone(), zstd.clone()]);
        assert_eq!(of(&["scaleoffset", "szip", "fletcher32"]), [zstd.clone(), Codec::Fletcher32]);
        assert_eq!(of(&["bitround", "shuffle", "lzf", "deflate"]), [shuffle, Codec::Deflate { level: 1 }]);
        assert_eq!(of(&["sharding_indexed", "zstd", "crc32c"]), [zstd, Codec::Crc32c]);
        assert_eq!(of(&["transpose"]), []);
    }

    #[test]
    fn shuffling_comes_before_what_adds_bytes() {
        let of = |names: &[&str]| codecs(&names.iter().map(|n| shown(n, Some(1), "")).collect::<Vec<_>>(), 8);
        let (shuffle, deflate) = (Codec::Shuffle { element: 8 }, Codec::Deflate { level: 1 });
        assert_eq!(of(&["fletcher32", "shuffle", "deflate"]), [shuffle.clone(), Codec::Fletcher32, deflate.clone()]);
        assert_eq!(of(&["deflate", "shuffle"]), [shuffle, deflate]);
    }

    #[test]
    fn names_of_both_versions() {
        let text = |json: Json| json.to_string();
        assert_eq!(
            text(version3(&Codec::Shuffle { element: 4 }).unwrap()),
            r#"{"name":"numcodecs.shuffle","configuration":{"elementsize":4}}"#
        );
        assert_eq!(text(numcodecs(&Codec::DeflateFast).unwrap()), r#"{"id":"zlib","level":1}"#);
        assert!(version3(&Codec::Lzf).is_err());
    }
}
