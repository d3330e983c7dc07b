//! The schema of an output: which groups, dimensions and variables it has.

use crate::{
    array::LazyArray,
    dtype::DType,
    shape::Shape,
    source::{CodecMeta, Dimension, Group, Storage, VarMeta},
};

/// A chunk smaller than this costs more in its index than it holds, and is made larger ...
const TINY_BYTES: u64 = 4 << 10;
/// ... up to this.
const SMALL_BYTES: u64 = 64 << 10;

/// How a result of a variable's kept axes is stored: chunks and lossless filters are inherited for the axes that stay.
///
/// `array` is what the variable holds, and `kept` picks those axes. Chunks that would be tiny (a time series of single
/// values, from maps) are made larger.
pub fn storage_for(meta: &VarMeta, array: &LazyArray, kept: &[usize], dtype: DType) -> Storage {
    let (shape, blocks) = (array.shape(), array.chunk());
    // An unlimited dimension may have chunks longer than itself: the rest would be padding.
    let mut chunk: Vec<u64> = kept.iter().map(|&k| blocks[k].min(shape[k].max(1))).collect();
    let shape: Shape = kept.iter().map(|&k| shape[k]).collect();
    enlarge(&mut chunk, &shape, dtype.size() as u64, TINY_BYTES);
    storage_in(meta, chunk)
}

/// How a result that was computed from whole lanes is stored: in chunks like those of the `input` along the axes that are
/// kept where those are small, else in its own blocks, or some of them together, for these are what is computed at once.
/// The first `lead` axes are cut into single places.
pub fn storage_of_lanes(meta: &VarMeta, input: &[u64], array: &LazyArray, lead: usize) -> Storage {
    let (shape, element) = (Shape(array.shape().0[lead..].to_vec()), array.dtype().size() as u64);
    let bytes = input.iter().fold(element, |bytes, n| bytes.saturating_mul(*n));
    let mut chunk = if bytes <= SMALL_BYTES && input.len() == shape.len() {
        input.iter().zip(shape.iter()).map(|(chunk, n)| (*chunk).clamp(1, (*n).max(1))).collect()
    } else {
        array.chunk()[lead..].to_vec()
    };
    enlarge(&mut chunk, &shape, element, SMALL_BYTES);
    storage_in(meta, [vec![1; lead], chunk].concat())
}

fn storage_in(meta: &VarMeta, chunk: Vec<u64>) -> Storage {
    let stored = &meta.storage;
    let chunked = stored.chunk.is_some() && !chunk.is_empty();
    Storage {
        chunk: Some(Shape(chunk)),
        shard: None,
        codecs: if chunked { lossless(&stored.codecs).into_iter().map(quick).collect() } else { Vec::new() },
        stored_bytes: None,
        kind: if chunked { "chunked" } else { "contiguous" },
    }
}

/// Enlarges chunks of less than `least` bytes.
fn enlarge(chunk: &mut [u64], shape: &Shape, element: u64, least: u64) {
    let bytes =
        |chunk: &[u64]| chunk.iter().zip(shape.iter()).map(|(c, n)| (*c).min((*n).max(1))).product::<u64>() * element;
    if bytes(chunk) >= least {
        return;
    }
    for k in (0..chunk.len()).rev() {
        let times = (SMALL_BYTES / bytes(chunk).max(1)).max(1);
        // Whole multiples, so that a chunk of the input never straddles two of the output.
        chunk[k] = chunk[k].saturating_mul(times.min(shape[k].div_ceil(chunk[k].max(1)).max(1)));
    }
}

/// Level 1 of deflate makes files about as small as zlib's level 1, in a small part of the time of higher levels.
fn quick(codec: CodecMeta) -> CodecMeta {
    match codec.name.as_str() {
        "deflate" | "gzip" => CodecMeta { level: codec.level.map(|level| level.min(1)), ..codec },
        _ => codec,
    }
}

/// The filters that lose nothing: what was rounded once for storage must not be rounded again after computing.
pub fn lossless(codecs: &[CodecMeta]) -> Vec<CodecMeta> {
    const LOSSY: [&str; 6] = ["nbit", "scaleoffset", "bitround", "quantize", "fixedscaleoffset", "packbits"];
    codecs.iter().filter(|c| !LOSSY.contains(&c.name.as_str())).cloned().collect()
}

/// Puts a variable into the tree, with the groups and dimensions that it needs.
///
/// `dims` are the dimensions in the input with the group that declares each, where one does.
pub fn insert(out: &mut Group, input: &Group, mut meta: VarMeta, dims: &[(Option<String>, Dimension)]) {
    meta.dims =
        dims.iter().map(|(home, dim)| declare(out, input, home.as_deref().unwrap_or(meta.group()), dim)).collect();
    let path = meta.group().to_string();
    group_at(out, input, &path).vars.push(meta);
}

/// Declares a dimension in the group at `home`, under another name when one of that name has another length, and
/// gives the name.
fn declare(out: &mut Group, input: &Group, home: &str, dim: &Dimension) -> String {
    let group = group_at(out, input, home);
    let mut name = dim.name.clone();
    let mut n = 1;
    loop {
        match group.dims.iter().find(|d| d.name == name) {
            Some(old) if old.len == dim.len => return name,
            Some(_) => {
                name = format!("{}_{n}", dim.name);
                n += 1;
            }
            None => break,
        }
    }
    group.dims.push(Dimension { name: name.clone(), ..dim.clone() });
    name
}

/// The group at `path`, made with the input's attributes where it is not there yet.
fn group_at<'a>(out: &'a mut Group, input: &Group, path: &str) -> &'a mut Group {
    let mut group = out;
    let mut walked = String::new();
    for name in path.split('/').filter(|p| !p.is_empty()) {
        walked = if walked.is_empty() { name.to_string() } else { format!("{walked}/{name}") };
        let at = match group.groups.iter().position(|g| g.name == name) {
            Some(at) => at,
            None => {
                let attrs = input.group(&walked).map(|g| g.attrs.clone()).unwrap_or_default();
                group.groups.push(Group { name: name.to_string(), attrs, ..Group::default() });
                group.groups.len() - 1
            }
        };
        group = &mut group.groups[at];
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enlarged(chunk: &[u64], shape: &[u64]) -> Vec<u64> {
        let mut chunk = chunk.to_vec();
        enlarge(&mut chunk, &shape.into(), 4, TINY_BYTES);
        chunk
    }

    #[test]
    fn only_tiny_chunks_grow_and_by_whole_multiples() {
        assert_eq!(enlarged(&[46, 90], &[361, 720]), [46, 90]);
        assert_eq!(enlarged(&[1], &[1460]), [1460]);
        assert_eq!(enlarged(&[1, 361], &[1460, 361]), [45, 361]);
        assert_eq!(enlarged(&[7], &[100_000]), [7 * (65536 / 28)]);
        assert!(enlarged(&[], &[]).is_empty());
        assert_eq!(enlarged(&[1, 5], &[0, 5]), [1, 5]);
    }

    #[test]
    fn dimensions_of_other_lengths_get_other_names() {
        let (mut out, input) = (Group::default(), Group::default());
        let dim = |len| Dimension { name: "dim_0".into(), len, unlimited: false };
        let names: Vec<String> = [3, 5, 3, 5].iter().map(|&n| declare(&mut out, &input, "", &dim(n))).collect();
        assert_eq!(names, ["dim_0", "dim_0_1", "dim_0", "dim_0_1"]);
        assert_eq!(out.dims.len(), 2);
    }
}
