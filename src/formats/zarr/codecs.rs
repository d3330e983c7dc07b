//! Codecs by the names that Zarr, numcodecs and zarrs give them.

use super::{
    array::{Chain, Coding, ElementForm, IndexForm, chunk_shape, lengths, shown},
    filters::{self, Filter},
    json::Json,
};
use crate::{
    codec::Codec,
    dtype::{ByteOrder, DType},
    error::{Error, Result},
    shape::Shape,
    source::CodecMeta,
};

/// The codec that makes bytes of strings.
const STRINGS: &str = "vlen-utf8";

/// What a name means for reading.
enum Known {
    Codec(Codec),
    /// It only rounded values when they were written.
    Nothing,
    Filter(Filter),
    Unknown,
}

/// A codec by its numcodecs or Zarr name. What it is given has elements of so many bytes, and where they are numbers, of
/// this type.
fn known(name: &str, config: &Json, element: Option<usize>, given: Option<DType>) -> Known {
    let int = |key: &str| config.get(key).and_then(Json::as_i64);
    let level = |or: i64, max: i64| int("level").unwrap_or(or).clamp(0, max) as u8;
    let location = |or: &str| config.get("location").and_then(Json::as_str).unwrap_or(or).to_string();
    let codec = match name.trim_start_matches("numcodecs.") {
        "zlib" => Codec::Deflate { level: level(1, 9) },
        "gzip" => Codec::Gzip { level: level(1, 9) },
        "bz2" => Codec::Bzip2 { level: level(1, 9).max(1) },
        "zstd" => Codec::Zstd { level: int("level").unwrap_or(0).clamp(-100, 22) as i32 },
        "lz4" => Codec::Lz4Numcodecs,
        "blosc" => blosc(config, element),
        "shuffle" => match int("elementsize").unwrap_or(4) {
            n @ 1..=65_536 => Codec::Shuffle { element: n as usize },
            _ => return Known::Unknown,
        },
        "fletcher32" => Codec::Fletcher32,
        "packbits" if element == Some(1) => Codec::PackBits,
        "crc32c" if location("end") == "end" => Codec::Crc32c,
        "crc32" if location("start") == "start" => Codec::Crc32,
        "adler32" if location("start") == "start" => Codec::Adler32,
        "bitround" => return Known::Nothing,
        "quantize" if same_type(config) => return Known::Nothing,
        _ => return Filter::of(name, config, given).map_or(Known::Unknown, Known::Filter),
    };
    Known::Codec(codec)
}

fn same_type(config: &Json) -> bool {
    config.get("astype").is_none_or(|t| t.is_null() || Some(t) == config.get("dtype"))
}

fn blosc(config: &Json, element: Option<usize>) -> Codec {
    let int = |key: &str| config.get(key).and_then(Json::as_i64);
    let shuffle = match config.get("shuffle") {
        Some(Json::String(s)) if s == "noshuffle" => 0,
        Some(Json::String(s)) if s == "bitshuffle" => 2,
        Some(Json::String(_)) | None => 1,
        // numcodecs' automatic choice: bits for single bytes, else bytes.
        Some(n) => {
            n.as_i64().map_or(1, |n| if n < 0 { if element == Some(1) { 2 } else { 1 } } else { n.min(2) as u8 })
        }
    };
    Codec::Blosc {
        cname: config.get("cname").and_then(Json::as_str).unwrap_or("lz4").to_string(),
        level: int("clevel").unwrap_or(5).clamp(0, 9) as u8,
        shuffle,
        element: int("typesize").and_then(|n| usize::try_from(n).ok()).or(element).unwrap_or(1).clamp(1, 255),
    }
}

/// How a codec is shown: NetCDF's name for what NetCDF has too.
fn show(name: &str, config: &Json) -> CodecMeta {
    let int = |key: &str| config.get(key).and_then(Json::as_i64);
    let plain = name.trim_start_matches("numcodecs.");
    match plain {
        "zlib" => shown("deflate", int("level"), String::new()),
        "bz2" => shown("bzip2", int("level"), String::new()),
        "blosc" => {
            let cname = config.get("cname").and_then(Json::as_str).unwrap_or("lz4");
            let shuffle = match config.get("shuffle") {
                Some(Json::String(s)) => ["noshuffle", "shuffle", "bitshuffle"].iter().position(|n| n == s),
                Some(n) => n.as_u64().map(|n| n as usize),
                None => None,
            };
            shown("blosc", int("clevel"), format!("cname={cname} shuffle={}", shuffle.unwrap_or(1)))
        }
        _ => shown(plain, int("level"), String::new()),
    }
}

/// Version 2's filters and compressor.
pub(super) fn of_v2(document: &Json, form: &ElementForm, rank: usize, shown: &mut Vec<CodecMeta>) -> Chain {
    let filters = document.get("filters").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let compressor = document.get("compressor").filter(|c| !c.is_null());
    let mut codecs = Vec::new();
    let mut changes = Vec::new();
    let mut unknown = Vec::new();
    for (k, config) in filters.iter().chain(compressor).enumerate() {
        let name = config.get("id").and_then(Json::as_str).unwrap_or("(without a name)");
        shown.push(show(name, config));
        if k == 0 && name == STRINGS && *form == ElementForm::Text {
            continue;
        }
        match known(name, config, form.bytes(), None) {
            Known::Codec(codec) => codecs.push(codec),
            Known::Nothing => {}
            Known::Filter(filter) if codecs.is_empty() => changes.push(filter),
            Known::Filter(_) | Known::Unknown => unknown.push(name),
        }
    }
    let is_text = *form == ElementForm::Text;
    if !is_text && form.bytes().is_none() || !unknown.is_empty() {
        return Chain::Foreign(unknown.join(", "));
    }
    if !fits(&changes, form) {
        return Chain::Unsupported("a chain of Zarr filters of other types".into());
    }
    let mut axes: Vec<usize> = (0..rank).collect();
    if document.get("order").and_then(Json::as_str) == Some("F") {
        axes.reverse();
    }
    let coding = Coding { axes, order: form.order(), filters: changes, codecs };
    if is_text { Chain::Texts(coding) } else { Chain::Chunk(coding) }
}

fn fits(changes: &[Filter], form: &ElementForm) -> bool {
    changes.is_empty() || matches!(form, ElementForm::Number(dtype, _) if filters::fit(changes, *dtype))
}

fn name_of(codec: &Json) -> &str {
    codec.as_str().or_else(|| codec.get("name")?.as_str()).unwrap_or("(without a name)")
}

fn config_of(codec: &Json) -> &Json {
    codec.get("configuration").unwrap_or(&Json::Null)
}

/// Version 3's chain of codecs. Learns the byte order of `form` from it.
pub(super) fn of_v3(list: &[Json], form: &mut ElementForm, chunk: &Shape, shown: &mut Vec<CodecMeta>) -> Result<Chain> {
    shown.extend(
        list.iter().filter(|c| !matches!(name_of(c), "bytes" | "endian")).map(|c| show(name_of(c), config_of(c))),
    );
    if *form == ElementForm::Text {
        return Ok(of_texts(list, chunk.len()));
    }
    if form.bytes().is_none() {
        return Ok(Chain::Foreign(String::new()));
    }
    let sharded = list.iter().position(|c| name_of(c) == "sharding_indexed");
    match sharded {
        // Sharding that is itself transposed or compressed is left to the library.
        Some(0) if list.len() == 1 => of_shard(config_of(&list[0]), form, chunk, shown),
        Some(_) => Ok(Chain::Foreign("sharding_indexed within other codecs".into())),
        None => Ok(match coding(list, form, chunk.len())? {
            Ok(coding) => Chain::Chunk(coding),
            Err(unknown) => Chain::Foreign(unknown),
        }),
    }
}

/// Strings, and behind them codecs of bytes.
fn of_texts(list: &[Json], rank: usize) -> Chain {
    let Some((STRINGS, rest)) = list.split_first().map(|(first, rest)| (name_of(first), rest)) else {
        return Chain::Foreign(list.first().map_or("", name_of).to_string());
    };
    let (mut codecs, mut unknown) = (Vec::new(), Vec::new());
    for codec in rest {
        match known(name_of(codec), config_of(codec), None, None) {
            Known::Codec(codec) => codecs.push(codec),
            _ => unknown.push(name_of(codec)),
        }
    }
    if !unknown.is_empty() {
        return Chain::Foreign(unknown.join(", "));
    }
    Chain::Texts(Coding { axes: (0..rank).collect(), order: ByteOrder::NATIVE, filters: Vec::new(), codecs })
}

/// The coding of a chain without shards, or the names of unknown codecs.
fn coding(list: &[Json], form: &mut ElementForm, rank: usize) -> Result<std::result::Result<Coding, String>> {
    let mut axes: Vec<usize> = (0..rank).collect();
    let mut codecs = Vec::new();
    let mut changes = Vec::new();
    let mut unknown = Vec::new();
    let mut to_bytes = false;
    let mut given = if let ElementForm::Number(dtype, _) = form { Some(*dtype) } else { None };
    for codec in list {
        let (name, config) = (name_of(codec), config_of(codec));
        match name {
            "transpose" if !to_bytes && changes.is_empty() => axes = transposed(&axes, config.get("order"))?,
            "bytes" | "endian" if !to_bytes => {
                to_bytes = true;
                form.set_order(match config.get("endian").and_then(Json::as_str) {
                    Some("big") => ByteOrder::Big,
                    Some("little") | None => ByteOrder::Little,
                    Some(other) => return Err(Error::corrupt("bytes codec", format!("endian '{other}'"))),
                });
            }
            _ => match known(name, config, form.bytes(), given) {
                // numcodecs' packs before there are bytes, and makes numbers of one byte, which stay as they are.
                Known::Codec(codec) if to_bytes || name == "numcodecs.packbits" => codecs.push(codec),
                Known::Nothing => {}
                Known::Filter(filter) if !to_bytes => {
                    given = Some(filter.encoded);
                    changes.push(filter);
                }
                _ => unknown.push(name),
            },
        }
    }
    if !unknown.is_empty() || !to_bytes {
        return Ok(Err(unknown.join(", ")));
    }
    if !fits(&changes, form) {
        return Ok(Err("filters of numbers of other types".into()));
    }
    for change in &mut changes {
        change.order = form.order();
    }
    Ok(Ok(Coding { axes, order: form.order(), filters: changes, codecs }))
}

fn transposed(axes: &[usize], order: Option<&Json>) -> Result<Vec<usize>> {
    let broken = || Error::corrupt("transpose codec", format!("order {}", order.unwrap_or(&Json::Null)));
    let order: Vec<usize> = match order {
        Some(Json::String(s)) if s == "C" => (0..axes.len()).collect(),
        Some(Json::String(s)) if s == "F" => (0..axes.len()).rev().collect(),
        list => lengths(list, "transpose codec")?.iter().map(|&n| n as usize).collect(),
    };
    let mut seen = vec![false; axes.len()];
    for &k in &order {
        match seen.get_mut(k) {
            Some(s) if !*s => *s = true,
            _ => return Err(broken()),
        }
    }
    if order.len() != axes.len() {
        return Err(broken());
    }
    Ok(order.iter().map(|&k| axes[k]).collect())
}

fn of_shard(config: &Json, form: &mut ElementForm, shard: &Shape, shown: &mut Vec<CodecMeta>) -> Result<Chain> {
    let list = |key: &str| config.get(key).and_then(Json::as_array).map(Vec::as_slice);
    let inner = chunk_shape(shard, lengths(config.get("chunk_shape"), "shard")?)?;
    if inner.iter().zip(shard.iter()).any(|(i, s)| !s.is_multiple_of(*i)) {
        return Err(Error::corrupt("shard", format!("{shard} is no multiple of its chunks {inner}")));
    }
    let codecs = list("codecs").ok_or_else(|| Error::corrupt("shard", "it has no codecs"))?;
    let named = codecs.iter().filter(|c| !matches!(name_of(c), "bytes" | "endian"));
    shown.extend(named.map(|c| show(name_of(c), config_of(c))));
    let index: Vec<(&str, &Json)> =
        list("index_codecs").unwrap_or_default().iter().map(|c| (name_of(c), config_of(c))).collect();
    let little = |c: &Json| c.get("endian").and_then(Json::as_str).unwrap_or("little") == "little";
    let checked = match index.as_slice() {
        [("bytes" | "endian", c)] if little(c) => false,
        [("bytes" | "endian", c), ("crc32c", _)] if little(c) => true,
        [] => true,
        _ => return Ok(Chain::Foreign("sharding_indexed with a coded index".into())),
    };
    let at_end = match config.get("index_location").and_then(Json::as_str) {
        Some("start") => false,
        Some("end") | None => true,
        Some(other) => return Err(Error::corrupt("shard", format!("index_location '{other}'"))),
    };
    if codecs.iter().any(|c| name_of(c) == "sharding_indexed") {
        return Ok(Chain::Foreign("shards within shards".into()));
    }
    Ok(match coding(codecs, form, shard.len())? {
        Ok(coding) if !coding.filters.is_empty() => Chain::Foreign("filters of numbers in a shard".into()),
        Ok(coding) => Chain::Shard { inner, coding, index: IndexForm { at_end, checked } },
        Err(unknown) => Chain::Foreign(unknown),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form() -> ElementForm {
        ElementForm::Number(DType::F32, ByteOrder::Little)
    }

    #[test]
    fn transposes_compose() {
        let list = json!([
            {"name": "transpose", "configuration": {"order": [2, 0, 1]}},
            {"name": "transpose", "configuration": {"order": [1, 0, 2]}},
            {"name": "bytes", "configuration": {"endian": "big"}},
            {"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}},
            {"name": "zstd", "configuration": {"level": 3, "checksum": false}}]);
        let (mut f, mut names) = (form(), vec![]);
        let chain = of_v3(list.as_array().unwrap(), &mut f, &vec![2, 3, 4].into(), &mut names).unwrap();
        let codecs = vec![Codec::Shuffle { element: 4 }, Codec::Zstd { level: 3 }];
        assert_eq!(chain, Chain::Chunk(Coding { axes: vec![0, 2, 1], order: ByteOrder::Big, filters: vec![], codecs }));
        assert_eq!(f.order(), ByteOrder::Big);
        assert_eq!(names[3].name, "zstd");
    }

    #[test]
    fn filters_of_numbers_follow_a_transpose_and_not_the_other_way() {
        let transpose = json!({"name": "transpose", "configuration": {"order": [1, 0, 2]}});
        let delta = json!({"name": "numcodecs.delta", "configuration": {"dtype": "float32"}});
        let bytes = json!({"name": "bytes", "configuration": {"endian": "big"}});
        let of =
            |list: [&Json; 3]| of_v3(&list.map(Json::clone), &mut form(), &vec![2, 3, 4].into(), &mut vec![]).unwrap();
        let Chain::Chunk(coding) = of([&transpose, &delta, &bytes]) else { panic!() };
        assert_eq!((coding.axes, coding.filters.len()), (vec![1, 0, 2], 1));
        assert_eq!(coding.filters[0].order, ByteOrder::Big);
        assert!(matches!(of([&delta, &transpose, &bytes]), Chain::Foreign(_)));
    }

    #[test]
    fn only_truth_values_are_packed() {
        let document = json!({"filters": [{"id": "packbits"}], "compressor": {"id": "zlib", "level": 1}});
        let of = |dtype| of_v2(&document, &ElementForm::Number(dtype, ByteOrder::NATIVE), 1, &mut vec![]);
        let Chain::Chunk(coding) = of(DType::Bool) else { panic!("{:?}", of(DType::Bool)) };
        assert_eq!(coding.codecs, [Codec::PackBits, Codec::Deflate { level: 1 }]);
        assert_eq!(of(DType::I16), Chain::Foreign("packbits".into()));
        // In version 3 it is a filter; what is called like it alone is another codec.
        let of = |name: &str| {
            let list = [json!({"name": name}), json!({"name": "bytes"}), json!({"name": "gzip"})];
            let mut form = ElementForm::Number(DType::Bool, ByteOrder::NATIVE);
            of_v3(&list, &mut form, &vec![9].into(), &mut vec![]).unwrap()
        };
        let Chain::Chunk(coding) = of("numcodecs.packbits") else { panic!("{:?}", of("numcodecs.packbits")) };
        assert_eq!(coding.codecs, [Codec::PackBits, Codec::Gzip { level: 1 }]);
        assert!(matches!(of("packbits"), Chain::Foreign(_)));
    }

    #[test]
    fn broken_orders_and_shards_are_errors() {
        let of = |j: Json| of_v3(j.as_array().unwrap(), &mut form(), &vec![4, 4].into(), &mut vec![]);
        for order in [json!([0]), json!([0, 0]), json!([0, 2]), json!([0, 1, 2]), json!("X"), json!(null)] {
            assert!(of(json!([{"name": "transpose", "configuration": {"order": order}}, {"name": "bytes"}])).is_err());
        }
        for config in [
            json!({"chunk_shape": [3, 4], "codecs": [{"name": "bytes"}]}),
            json!({"chunk_shape": [0, 4], "codecs": [{"name": "bytes"}]}),
            json!({"chunk_shape": [4], "codecs": [{"name": "bytes"}]}),
            json!({"chunk_shape": [2, 2]}),
            json!({"chunk_shape": [2, 2], "codecs": [{"name": "bytes"}], "index_location": "middle"}),
            json!(null),
        ] {
            assert!(of(json!([{"name": "sharding_indexed", "configuration": config}])).is_err(), "{config}");
        }
        let pcodec = json!([{"name": "numcodecs.pcodec", "configuration": {"level": 8}}]);
        assert_eq!(of(pcodec).unwrap(), Chain::Foreign("numcodecs.pcodec".into()));
    }
}
