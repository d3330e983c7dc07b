//! How outputs are stored, in words: `--chunks`, `--shards`, `--codec`, `--dtype`.

use crate::{
    cf::encoding,
    dataset::{ChunkLength, Computation, Layout, Packed, Pipeline},
    dtype::{DType, Scalar},
    error::{Error, Result, closest},
    formats::OutputFormat,
    session::Session,
    source::CodecMeta,
};

/// The options of how outputs are stored.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LayoutArgs {
    /// Chunks along dimensions, as time=1,lat=all [default: as the input]
    #[arg(long, value_delimiter = ',', value_name = "DIM=N")]
    pub chunks: Vec<String>,
    /// Shards of whole chunks along dimensions, as time=730 (Zarr 3)
    #[arg(long, value_delimiter = ',', value_name = "DIM=N")]
    pub shards: Vec<String>,
    /// Filters, as shuffle,deflate:1 or deflate:fast, zstd:3, blosc:lz4:5, none; bitround:KEEPBITS and
    /// pack:TYPE or pack:TYPE:SCALE:OFFSET change values before. NAME=FILTERS is for one variable [default: as the input]
    #[arg(long, value_name = "[VAR=]FILTERS")]
    pub codec: Vec<String>,
    /// The type that data variables are stored in, as f32, which leaves integers alone, or i16 [default: as the input]
    #[arg(long, value_name = "TYPE")]
    pub dtype: Option<String>,
}

impl LayoutArgs {
    /// What they mean for a file of `format`, or for what is printed where there is none.
    ///
    /// # Errors
    /// When a word is none, or the format has no such filter.
    pub fn parse(&self, format: Option<OutputFormat>) -> Result<Layout> {
        let mut layout = Layout::default();
        for (name, words, lengths) in
            [("--chunks", &self.chunks, &mut layout.chunks), ("--shards", &self.shards, &mut layout.shards)]
        {
            *lengths = words.iter().map(|word| length(name, word)).collect::<Result<_>>()?;
            if let Some(k) = (0..lengths.len()).find(|&k| lengths[..k].iter().any(|(dim, _)| *dim == lengths[k].0)) {
                return Err(Error::usage(format!("{name} names '{}' twice", lengths[k].0)));
            }
        }
        if !layout.shards.is_empty() && format != Some(OutputFormat::Zarr3) {
            return Err(Error::usage("--shards is for Zarr 3; end the output in .zarr, or give --format zarr3"));
        }
        layout.dtype = self.dtype.as_deref().map(dtype).transpose()?;
        let mut common = None;
        for words in &self.codec {
            let format = format.ok_or_else(|| Error::usage("--codec needs -o FILE"))?;
            match words.split_once('=') {
                Some((name, words)) => {
                    let name = name.trim().to_string();
                    if layout.own.iter().any(|(other, _)| *other == name) {
                        return Err(Error::usage(format!("--codec is given twice for '{name}'")));
                    }
                    layout.own.push((name, pipeline(words, format)?));
                }
                None if common.is_some() => {
                    return Err(Error::usage(format!(
                        "--codec {words}: a second one for all variables; the steps of one have commas between them"
                    )));
                }
                None => common = Some(pipeline(words, format)?),
            }
        }
        layout.pipeline = common.unwrap_or_default();
        if layout.dtype.is_some() && layout.pipeline.pack.is_some() {
            return Err(Error::usage("--dtype and pack both say which type is stored; give one of them"));
        }
        Ok(layout)
    }
}

/// The type that a word means: `f32`, `float32`.
fn dtype(word: &str) -> Result<DType> {
    let short = |d: DType| d.name().replace("float", "f").replace("uint", "u").replace("int", "i");
    let all = || DType::ALL.into_iter().filter(|d| *d != DType::Bool);
    all().find(|d| d.name() == word || short(*d) == word).ok_or_else(|| {
        let names: Vec<String> = all().map(short).collect();
        Error::usage(format!("no type '{word}' to store numbers in; there are {}", names.join(", ")))
    })
}

fn length(option: &str, word: &str) -> Result<(String, ChunkLength)> {
    let wrong = || Error::usage(format!("{option} {word}: it is a dimension and a length, as time=1 or lat=all"));
    let (dim, length) = word.split_once('=').ok_or_else(wrong)?;
    let length = match length.trim() {
        "all" | "-1" => ChunkLength::All,
        number => ChunkLength::Of(number.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?),
    };
    Ok((dim.trim().to_string(), length))
}

/// A pipeline in words: steps with commas between them.
///
/// # Errors
/// When one is none, or the format does not have it.
fn pipeline(words: &str, format: OutputFormat) -> Result<Pipeline> {
    let mut out = Pipeline::default();
    let mut codecs = Vec::new();
    let mut none = false;
    for word in words.split(',').map(str::trim) {
        let (name, rest) = word.split_once(':').map_or((word, ""), |(name, rest)| (name, rest));
        match name {
            "none" if rest.is_empty() => none = true,
            "bitround" if out.keep_bits.is_none() => out.keep_bits = Some(keep_bits(word, rest)?),
            "pack" if out.pack.is_none() => out.pack = Some(packed(word, rest)?),
            "bitround" | "pack" => return Err(Error::usage(format!("--codec {words}: {name} is there twice"))),
            _ => codecs.push(codec(word, name, rest, format)?),
        }
    }
    if out.keep_bits.is_some() && out.pack.is_some() {
        return Err(Error::usage(format!("--codec {words}: packing rounds by itself; leave bitround out")));
    }
    if none && !codecs.is_empty() {
        return Err(Error::usage(format!("--codec {words}: filters, or none")));
    }
    out.codecs = (none || !codecs.is_empty()).then_some(codecs);
    Ok(out)
}

fn keep_bits(word: &str, rest: &str) -> Result<u32> {
    let wrong = || Error::usage(format!("--codec {word}: it is bitround:N, with 1 to 52 bits of the mantissa to keep"));
    rest.parse().ok().filter(|n| (1..=52).contains(n)).ok_or_else(wrong)
}

fn packed(word: &str, rest: &str) -> Result<Packed> {
    let wrong = || Error::usage(format!("--codec {word}: it is pack:TYPE or pack:TYPE:SCALE:OFFSET, as pack:i16"));
    let mut parts = rest.split(':');
    let stored = dtype(parts.next().unwrap_or_default())?;
    encoding::default_fill(stored)?;
    let number = |text: &str| text.parse::<f64>().ok().filter(|x| x.is_finite()).ok_or_else(wrong);
    let by = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => None,
        (Some(scale), Some(offset), None) => {
            Some((number(scale).ok().filter(|x| x.is_normal()).ok_or_else(wrong)?, number(offset)?))
        }
        _ => return Err(wrong()),
    };
    Ok(Packed { stored, by })
}

/// The filters that a format can be written with, each with its levels.
fn known_codecs(format: OutputFormat) -> &'static [(&'static str, Option<(i32, i32)>)] {
    match format {
        OutputFormat::NetCdf4 => &[("shuffle", None), ("deflate", Some((1, 9))), ("fletcher32", None)],
        OutputFormat::NetCdf3 | OutputFormat::NetCdf5 => &[],
        OutputFormat::Zarr2 | OutputFormat::Zarr3 => &[
            ("zstd", Some((-7, 22))),
            ("blosc", Some((0, 9))),
            ("shuffle", None),
            ("deflate", Some((1, 9))),
            ("gzip", Some((0, 9))),
            ("lz4", None),
            ("bzip2", Some((1, 9))),
            ("fletcher32", None),
            ("crc32c", None),
        ],
    }
}

/// The compressors inside Blosc.
const CNAMES: [&str; 5] = ["lz4", "lz4hc", "blosclz", "zstd", "zlib"];

fn codec(word: &str, name: &str, rest: &str, format: OutputFormat) -> Result<CodecMeta> {
    let known = known_codecs(format);
    if known.is_empty() {
        return Err(Error::usage(format!(
            "--codec {word}: NetCDF classic files have no filters; write NetCDF-4 or Zarr"
        )));
    }
    let name = match (name, format) {
        ("zlib", _) | ("gzip", OutputFormat::NetCdf4) => "deflate",
        (other, _) => other,
    };
    let Some((_, levels)) = known.iter().find(|(n, _)| *n == name) else {
        let names = closest(name, known.iter().map(|(n, _)| *n));
        return Err(Error::usage(format!("no codec '{name}' in this format; there are none, {}", names.join(", "))));
    };
    let of = |level: Option<i32>, detail: String| CodecMeta { name: name.to_string(), level, detail };
    let level = |text: &str| match (text, levels) {
        ("", _) => Ok(None),
        (_, None) => Err(Error::usage(format!("--codec {word}: {name} has no levels"))),
        (text, Some((low, high))) => match text.parse::<i32>() {
            Ok(level) if (*low..=*high).contains(&level) => Ok(Some(level)),
            _ => Err(Error::usage(format!("--codec {word}: its levels are {low} to {high}"))),
        },
    };
    match (name, rest) {
        ("deflate", "fast") => Ok(of(Some(1), "fast".into())),
        ("blosc", rest) => {
            let (cname, rest) = match rest.split_once(':') {
                Some((cname, rest)) => (cname, rest),
                None if rest.parse::<i32>().is_ok() || rest.is_empty() => (CNAMES[0], rest),
                None => (rest, ""),
            };
            if !CNAMES.contains(&cname) {
                let known = CNAMES.join(", ");
                return Err(Error::usage(format!("--codec {word}: blosc has no '{cname}'; it has {known}")));
            }
            Ok(of(Some(level(rest)?.unwrap_or(5)), format!("cname={cname} shuffle=1")))
        }
        (_, rest) => Ok(of(level(rest)?, String::new())),
    }
}

/// The computation with values rounded, packed or cast; the ranges that packing needs are computed first.
///
/// # Errors
/// As [`Session::compute_all`] and [`Computation::encoded`].
pub fn encoded(computation: &Computation, layout: &Layout, session: &Session) -> Result<Computation> {
    let measures = computation.measures(layout)?;
    let mut measured = Vec::new();
    if !measures.is_empty() {
        let arrays: Vec<_> = measures.iter().flat_map(|m| &m.ends).collect();
        let values = session.compute_all(&arrays)?;
        for (measure, ends) in measures.iter().zip(values.chunks_exact(2)) {
            let end = |k: usize| ends.get(k).map_or(f64::NAN, |v| number(v.bytes(), v.dtype()));
            measured.push((measure.path.clone(), [end(0), end(1)]));
        }
    }
    computation.encoded(layout, &measured)
}

/// The first number of a result.
pub(super) fn number(bytes: &[u8], dtype: DType) -> f64 {
    let mut padded = [0; 8];
    let len = dtype.size().min(bytes.len());
    padded[..len].copy_from_slice(&bytes[..len]);
    Scalar::of_bytes(padded, dtype).to_f64()
}

/// The plan, and before it that of the pass for the ranges that packing needs.
///
/// # Errors
/// When sizes overflow, or the layout does not fit.
pub fn explain(computation: &Computation, layout: &Layout, session: &Session) -> Result<String> {
    let measures = computation.measures(layout)?;
    let arrays: Vec<_> = measures.iter().flat_map(|m| &m.ends).collect();
    let mut text = if arrays.is_empty() { String::new() } else { session.explain_arrays(&arrays)? };
    text.push_str(&session.explain(&computation.encoded(layout, &[])?)?);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(codec: &[&str], format: OutputFormat) -> Result<Layout> {
        let codec = codec.iter().map(|w| w.to_string()).collect();
        LayoutArgs { codec, ..LayoutArgs::default() }.parse(Some(format))
    }

    #[test]
    fn pipelines_are_read() {
        let of = |words: &str| parsed(&[words], OutputFormat::Zarr3).unwrap().pipeline;
        let shown = |p: &Pipeline| -> Vec<String> {
            let codecs = p.codecs.iter().flatten();
            codecs.map(|c| format!("{} {:?} {}", c.name, c.level, c.detail).trim().to_string()).collect()
        };
        assert_eq!(shown(&of("shuffle,deflate:1")), ["shuffle None", "deflate Some(1)"]);
        assert_eq!(shown(&of("deflate:fast")), ["deflate Some(1) fast"]);
        assert_eq!(shown(&of("blosc:zstd:7")), ["blosc Some(7) cname=zstd shuffle=1"]);
        assert_eq!(shown(&of("blosc:3")), ["blosc Some(3) cname=lz4 shuffle=1"]);
        assert_eq!(shown(&of("blosc:lz4hc")), ["blosc Some(5) cname=lz4hc shuffle=1"]);
        assert_eq!(shown(&of("zstd:-3")), ["zstd Some(-3)"]);
        assert_eq!(of("none").codecs, Some(vec![]));
        assert_eq!((of("bitround:7").codecs, of("bitround:7,zstd").keep_bits), (None, Some(7)));
        let pack = Packed { stored: DType::I16, by: Some((0.5, -3.0)) };
        assert_eq!(of("pack:int16:0.5:-3").pack, Some(pack));
        assert_eq!(of("pack:u8").pack, Some(Packed { stored: DType::U8, by: None }));
        let layout = parsed(&["zstd", "g/t=none"], OutputFormat::Zarr3).unwrap();
        assert_eq!(layout.pipeline_of("g/t").codecs, Some(vec![]));
        assert_eq!(layout.pipeline_of("t").codecs.as_ref().map(Vec::len), Some(1));
    }

    #[test]
    fn mistakes_say_what_there_is() {
        let says = |words: &[&str], format| parsed(words, format).unwrap_err().to_string();
        let (nc4, zarr) = (OutputFormat::NetCdf4, OutputFormat::Zarr3);
        assert!(says(&["zip"], nc4).contains("no codec 'zip' in this format; there are none, "));
        assert!(says(&["deflate:11"], nc4).contains("its levels are 1 to 9"));
        assert!(says(&["shuffle:1"], nc4).contains("shuffle has no levels"));
        assert!(says(&["blosc:snappy:1"], zarr).contains("blosc has no 'snappy'"));
        assert!(says(&["pack:f32"], zarr).contains("there are i8, u8, i16"));
        assert!(says(&["pack:i64"], zarr).contains("there are i8, u8, i16"));
        assert!(says(&["pack:i16:0:1"], zarr).contains("pack:TYPE:SCALE:OFFSET"));
        assert!(says(&["pack:i16:2"], zarr).contains("pack:TYPE:SCALE:OFFSET"));
        assert!(says(&["bitround:x"], zarr).contains("bitround:N"));
        assert!(says(&["bitround:3,pack:i16"], zarr).contains("leave bitround out"));
        assert!(says(&["none,zstd"], zarr).contains("filters, or none"));
        assert!(says(&["zstd", "none"], zarr).contains("a second one for all variables"));
        assert!(says(&["t=zstd", "t=none"], zarr).contains("twice for 't'"));
        assert!(says(&["deflate"], OutputFormat::NetCdf3).contains("have no filters"));
        let args = LayoutArgs { shards: vec!["time=2".into()], ..LayoutArgs::default() };
        assert!(args.parse(Some(nc4)).unwrap_err().to_string().contains("--shards is for Zarr 3"));
        let args = LayoutArgs { dtype: Some("f23".into()), ..LayoutArgs::default() };
        assert!(args.parse(None).unwrap_err().to_string().contains("there are i8, i16, i32"));
    }
}
