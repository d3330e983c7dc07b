//! A store of keys: a folder, or a zip archive (or a folder inside one).

use super::json;
use crate::{
    codec::Scratch,
    error::{Error, Problem, Result},
    store::{LocalFile, ZipArchive, ZipEntry},
};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// A metadata document of more bytes than this is no metadata: in memory it would take up to twenty times as many.
const DOCUMENT_BYTES_MAX: u64 = 64 << 20;

/// Where a store's keys are looked up.
#[derive(Debug)]
pub(super) enum Keys {
    Folder { root: PathBuf, open: fn(&Path) -> Result<LocalFile> },
    Zip { archive: ZipArchive, prefix: String },
}

/// The value of one key, open.
pub(super) enum Blob<'a> {
    File(LocalFile),
    Entry { archive: &'a ZipArchive, entry: ZipEntry, offset: u64 },
}

/// What the values under a prefix take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    /// All their stored bytes.
    pub(super) total: u64,
    /// The most that one of them has, unpacked from a zip archive.
    pub(super) max: u64,
    /// The most that one of them takes in a zip archive.
    pub(super) max_packed: u64,
    /// Whether a zip archive packed any of them.
    pub(super) packed: bool,
}

impl Keys {
    pub(super) fn open(path: &Path) -> Result<Keys> {
        if path.is_dir() {
            return Ok(Keys::Folder { root: path.to_path_buf(), open: LocalFile::open });
        }
        let mut keys = Keys::Zip { archive: ZipArchive::open(path)?, prefix: String::new() };
        keys.enter_only_folders();
        Ok(keys)
    }

    /// Goes to where a zip archive's only store begins: `some.zarr/` is no group.
    fn enter_only_folders(&mut self) {
        while let Keys::Zip { archive, prefix } = self {
            if under(archive, prefix).any(|(name, _)| !name[prefix.len()..].contains('/') && is_document(name)) {
                return;
            }
            let above = prefix.clone();
            // Nothing is shared: the groups above the arrays are implicit.
            let Some(only) = only_folder(archive, &above) else { return };
            *prefix = only;
            if self.is_array() && !self.path("").to_string_lossy().ends_with(".zarr/") {
                // An array called so in a group without metadata.
                if let Keys::Zip { prefix, .. } = self {
                    *prefix = above;
                }
                return;
            }
        }
    }

    fn is_array(&self) -> bool {
        let document = |key| self.document(key).ok().flatten();
        document(".zarray").is_some()
            || document("zarr.json")
                .and_then(|bytes| json::parse(&bytes, "zarr.json").ok())
                .is_some_and(|json| json["node_type"] == "array")
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        match self {
            Keys::Folder { root, .. } => root.join(key),
            Keys::Zip { prefix, .. } => PathBuf::from(format!("{prefix}{key}")),
        }
    }

    /// The value of a key, or `None` where there is none.
    pub(super) fn blob(&self, key: &str) -> Result<Option<Blob<'_>>> {
        match self {
            Keys::Folder { root, open } => match open(&root.join(key)) {
                Ok(file) => Ok(Some(Blob::File(file))),
                Err(e) if is_absent(&e) => Ok(None),
                Err(e) => Err(e),
            },
            Keys::Zip { archive, prefix } => match archive.entry(&format!("{prefix}{key}")) {
                Some(entry) => Ok(Some(Blob::Entry { archive, entry, offset: archive.data_offset(entry)? })),
                None => Ok(None),
            },
        }
    }

    /// A whole metadata document, or `None` where there is none.
    pub(super) fn document(&self, key: &str) -> Result<Option<Vec<u8>>> {
        // A folder of that name is an array or group called so, not a document.
        if matches!(self, Keys::Folder { root, .. } if root.join(key).is_dir()) {
            return Ok(None);
        }
        let Some(blob) = self.blob(key)? else { return Ok(None) };
        if blob.len() > DOCUMENT_BYTES_MAX {
            let detail = format!("it has {} bytes, and no metadata has more than {DOCUMENT_BYTES_MAX}", blob.len());
            return Err(Error::corrupt("Zarr metadata", detail).in_file(self.path(key)));
        }
        blob.all().map(Some)
    }

    /// The names of the folders in a folder, sorted.
    pub(super) fn folders(&self, key: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        match self {
            Keys::Folder { root, .. } => {
                let path = root.join(key);
                let failed = |e| Error::io("list", e).in_file(&path);
                for item in std::fs::read_dir(&path).map_err(failed)? {
                    let item = item.map_err(failed)?;
                    if item.path().is_dir() {
                        names.extend(item.file_name().into_string());
                    }
                }
            }
            Keys::Zip { archive, prefix } => {
                let folder = if key.is_empty() { prefix.clone() } else { format!("{prefix}{key}/") };
                for (name, _) in under(archive, &folder) {
                    if let Some((child, _)) = name[folder.len()..].split_once('/')
                        && names.last().is_none_or(|n| n != child)
                    {
                        names.push(child.to_string());
                    }
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// What the values under `folder` take, or `None` where looking at `budget` files did not reach the end.
    pub(super) fn sizes(&self, folder: &str, budget: &mut usize) -> Option<Sizes> {
        let mut sizes = Sizes::default();
        match self {
            Keys::Folder { root, .. } => walk_sizes(&root.join(folder), 0, budget, &mut sizes).then_some(sizes),
            Keys::Zip { archive, prefix } => {
                let folder = if folder.is_empty() { prefix.clone() } else { format!("{prefix}{folder}/") };
                for (name, entry) in under(archive, &folder) {
                    if is_document(name) {
                        continue;
                    }
                    sizes.total = sizes.total.saturating_add(entry.stored);
                    sizes.max = sizes.max.max(entry.len);
                    sizes.max_packed = sizes.max_packed.max(entry.stored);
                    sizes.packed |= !entry.is_plain();
                }
                Some(sizes)
            }
        }
    }
}

impl Blob<'_> {
    pub(super) fn len(&self) -> u64 {
        match self {
            Blob::File(file) => file.len(),
            Blob::Entry { entry, .. } => entry.len,
        }
    }

    /// Fills `out` from `offset` in the value; a packed entry cannot be read in parts.
    pub(super) fn read_at(&self, at: u64, out: &mut [u8], what: &str) -> Result<()> {
        match self {
            Blob::File(file) => file.read_at(at, out, what),
            Blob::Entry { archive, entry, offset } if entry.is_plain() => {
                if at.checked_add(out.len() as u64).is_none_or(|end| end > entry.len) {
                    let (expected, got) = (out.len() as u64, entry.len.saturating_sub(at));
                    return Err(Problem::Truncated { what: what.to_string(), expected, got }.into());
                }
                archive.read_at(offset.saturating_add(at), out, what)
            }
            Blob::Entry { .. } => Err(Error::unsupported("a shard that is packed in a zip archive")),
        }
    }

    /// All of it. Only for what is small.
    pub(super) fn all(&self) -> Result<Vec<u8>> {
        let mut out = vec![0; self.len() as usize];
        match self {
            Blob::Entry { archive, entry, offset } if !entry.is_plain() => {
                // Deflate cannot make more than 1032 bytes of one.
                if entry.len / 1032 > entry.stored.saturating_add(64) {
                    return Err(Error::corrupt("zip directory", format!("{} bytes from {}", entry.len, entry.stored)));
                }
                let mut packed = vec![0; entry.stored as usize];
                archive.read_at(*offset, &mut packed, "zip entry")?;
                archive.inflate(*entry, &packed, &mut out)?;
            }
            _ => self.read_at(0, &mut out, "metadata")?,
        }
        Ok(out)
    }

    /// All of it into `scratch.stored`; says how many bytes.
    pub(super) fn read_whole(&self, scratch: &mut Scratch) -> Result<usize> {
        let room = scratch.stored.bytes().len();
        let len = usize::try_from(self.len()).ok().filter(|&n| n <= room).ok_or_else(|| {
            Error::corrupt("chunk", format!("it is stored in {} bytes, at most {room} can be", self.len()))
        })?;
        match self {
            Blob::Entry { archive, entry, offset } if !entry.is_plain() => {
                let packed = take(scratch.work.bytes_mut(), entry.stored)?;
                archive.read_at(*offset, packed, "zip entry")?;
                archive.inflate(*entry, packed, &mut scratch.stored.bytes_mut()[..len])?;
            }
            _ => self.read_at(0, &mut scratch.stored.bytes_mut()[..len], "chunk")?,
        }
        Ok(len)
    }

    /// All of it into `out`, which must be just as long.
    pub(super) fn read_exact(&self, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        if self.len() != out.len() as u64 {
            let (expected, got) = (out.len() as u64, self.len());
            return Err(Problem::Truncated { what: "chunk".into(), expected, got }.into());
        }
        match self {
            Blob::Entry { archive, entry, offset } if !entry.is_plain() => {
                let packed = take(scratch.stored.bytes_mut(), entry.stored)?;
                archive.read_at(*offset, packed, "zip entry")?;
                archive.inflate(*entry, packed, out)
            }
            _ => self.read_at(0, out, "chunk"),
        }
    }
}

fn take(room: &mut [u8], len: u64) -> Result<&mut [u8]> {
    let have = room.len();
    usize::try_from(len)
        .ok()
        .and_then(|n| room.get_mut(..n))
        .ok_or_else(|| Error::corrupt("zip entry", format!("it is packed in {len} bytes, at most {have} can be")))
}

fn is_absent(e: &Error) -> bool {
    matches!(e.problem(), Problem::Io { source, .. }
        if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}

/// Whether a key is metadata rather than a chunk.
pub(super) fn is_document(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or(key);
    name == "zarr.json" || name.starts_with(".z") || name.starts_with(".nc")
}

fn under<'a>(archive: &'a ZipArchive, folder: &'a str) -> impl Iterator<Item = (&'a String, &'a ZipEntry)> {
    archive.entries().range(folder.to_string()..).take_while(move |(name, _)| name.starts_with(folder))
}

/// The folder in a folder that has all that is in it.
fn only_folder(archive: &ZipArchive, folder: &str) -> Option<String> {
    let mut tops = under(archive, folder).map(|(name, _)| name[folder.len()..].split_once('/').map(|s| s.0));
    let top = tops.next()??;
    tops.all(|t| t == Some(top)).then(|| format!("{folder}{top}/"))
}

fn walk_sizes(folder: &Path, depth: usize, budget: &mut usize, sizes: &mut Sizes) -> bool {
    let Ok(items) = std::fs::read_dir(folder) else { return true };
    for item in items.flatten() {
        if *budget == 0 || depth > 64 {
            return false;
        }
        *budget -= 1;
        let Ok(meta) = item.metadata() else { continue };
        if meta.is_dir() {
            if !walk_sizes(&item.path(), depth + 1, budget, sizes) {
                return false;
            }
        } else if meta.is_file() && !is_document(&item.file_name().to_string_lossy()) {
            sizes.total = sizes.total.saturating_add(meta.len());
            sizes.max = sizes.max.max(meta.len());
        }
    }
    true
}
