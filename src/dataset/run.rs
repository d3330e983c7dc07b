//! What a run is: the inputs as they are now, what is declared, and what was asked for.

use super::{Computation, Dataset};
use crate::{
    codec::crc32c,
    error::{Error, Result},
    formats::OutputFormat,
    source::Group,
    store::RunIdentity,
};
use std::{
    fs::{self, File, Metadata},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

/// Bytes at the beginning and at the end of an input that are looked at.
const END_BYTES: u64 = 64 << 10;

impl Computation {
    /// Everything that decides about the bytes of an output, but for its `history`: the version of aosx, the format, the
    /// inputs by length, time and their first and last bytes, what is declared, and `request`, which says in words what
    /// is computed.
    ///
    /// # Errors
    /// When an input cannot be read.
    pub fn identity(&self, inputs: &[Dataset], format: OutputFormat, request: &str) -> Result<RunIdentity> {
        let mut all = vec![
            ("the version of aosx".to_string(), env!("CARGO_PKG_VERSION").to_string()),
            ("the format".to_string(), format!("{format:?}")),
            ("the request".to_string(), request.to_string()),
        ];
        for path in inputs.iter().flat_map(Dataset::paths) {
            let state = state(path).map_err(|e| Error::io("look at", e).in_file(path))?;
            all.push((format!("the input {}", path.display()), state));
        }
        declared(&self.schema, "", &mut all);
        for text in &self.texts {
            all.push((format!("where the strings '{}' come from", text.path), format!("{:?}", text.from)));
        }
        Ok(RunIdentity(all))
    }
}

fn declared(group: &Group, path: &str, all: &mut Vec<(String, String)>) {
    let mut attrs = group.attrs.clone();
    if path.is_empty() {
        // It says when the command was given.
        attrs.remove("history");
    }
    all.push((format!("what group '/{path}' declares"), format!("{:?} {attrs:?}", group.dims)));
    for var in &group.vars {
        all.push((format!("what variable '{}' declares", var.path), format!("{var:?}")));
    }
    for inner in &group.groups {
        let path = if path.is_empty() { inner.name.clone() } else { format!("{path}/{}", inner.name) };
        declared(inner, &path, all);
    }
}

/// The state of a file, or of all files of a folder.
fn state(path: &Path) -> std::io::Result<String> {
    let meta = fs::metadata(path)?;
    if !meta.is_dir() {
        let file = File::open(path)?;
        let ends = [0, meta.len().saturating_sub(END_BYTES)].map(|from| sum(&file, from, &meta));
        let [first, last] = ends.map(|sum| sum.unwrap_or_default());
        let time = meta.mtime() as i128 * 1_000_000_000 + meta.mtime_nsec() as i128;
        return Ok(format!("{} bytes, changed at {time} ns, {first:08x} {last:08x}", meta.len()));
    }
    let (mut files, mut bytes, mut newest) = (0u64, 0u64, (0, 0));
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder)? {
            let item = item?;
            let meta = item.metadata()?;
            if meta.is_dir() {
                folders.push(item.path());
                continue;
            }
            files += 1;
            bytes += meta.len();
            newest = newest.max((meta.mtime(), meta.mtime_nsec()));
        }
    }
    let time = newest.0 as i128 * 1_000_000_000 + newest.1 as i128;
    Ok(format!("{files} files of {bytes} bytes, the newest changed at {time} ns"))
}

fn sum(file: &File, from: u64, meta: &Metadata) -> std::io::Result<u32> {
    let mut bytes = vec![0; (meta.len() - from).min(END_BYTES) as usize];
    file.read_exact_at(&mut bytes, from)?;
    Ok(crc32c(&bytes))
}
