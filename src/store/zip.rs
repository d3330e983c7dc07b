use super::LocalFile;
use crate::error::{Error, Problem, Result};
use std::{collections::BTreeMap, path::Path};

const END: [u8; 4] = *b"PK\x05\x06";
const END64_LOCATOR: [u8; 4] = *b"PK\x06\x07";
const END64: [u8; 4] = *b"PK\x06\x06";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const END_BYTES: usize = 22;
const CENTRAL_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
/// The end record may be followed by a comment of up to 64 KiB.
const TAIL_BYTES: u64 = 65_535 + END_BYTES as u64;

/// A zip archive whose entries any number of threads read at once, by position.
#[derive(Debug)]
pub struct ZipArchive {
    file: LocalFile,
    entries: BTreeMap<String, ZipEntry>,
}

/// One file in a [`ZipArchive`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZipEntry {
    header: u64,
    /// Bytes that it takes in the archive.
    pub stored: u64,
    /// Bytes that it has when unpacked.
    pub len: u64,
    method: u16,
}

impl ZipEntry {
    /// Whether its bytes lie in the archive as they are, so that any part of them can be read alone.
    pub fn is_plain(&self) -> bool {
        self.method == 0
    }
}

impl ZipArchive {
    /// Opens an archive and reads its directory.
    ///
    /// # Errors
    /// When it is no zip archive, or its directory is broken.
    pub fn open(path: &Path) -> Result<ZipArchive> {
        ZipArchive::of(LocalFile::open(path)?)
    }

    /// The archive that a file holds.
    ///
    /// # Errors
    /// As [`open`](ZipArchive::open).
    pub fn of(file: LocalFile) -> Result<ZipArchive> {
        let (count, size, offset) = find_directory(&file)?;
        if offset.checked_add(size).is_none_or(|end| end > file.len()) {
            return Err(Problem::Truncated { what: "zip directory".into(), expected: size, got: 0 }.into());
        }
        let mut directory = vec![0; size as usize];
        file.read_at(offset, &mut directory, "zip directory")?;
        let entries = parse_directory(&directory, count)?;
        if let Some((name, entry)) = entries.iter().find(|(_, e)| e.stored > file.len()) {
            let what = format!("zip entry '{name}'");
            return Err(Problem::Truncated { what, expected: entry.stored, got: file.len() }.into());
        }
        Ok(ZipArchive { file, entries })
    }

    /// Its entries by name, sorted; folders are not among them.
    pub fn entries(&self) -> &BTreeMap<String, ZipEntry> {
        &self.entries
    }

    /// The entry of a name.
    pub fn entry(&self, name: &str) -> Option<ZipEntry> {
        self.entries.get(name).copied()
    }

    /// Where an entry's bytes begin in the archive.
    ///
    /// # Errors
    /// When the entry's own header is not where the directory says.
    pub fn data_offset(&self, entry: ZipEntry) -> Result<u64> {
        let mut head = [0; LOCAL_BYTES];
        self.file.read_at(entry.header, &mut head, "zip entry")?;
        if head[..4] != LOCAL {
            return Err(Error::corrupt("zip entry", format!("no header at offset {}", entry.header)));
        }
        let skip = LOCAL_BYTES as u64 + u64::from(u16_at(&head, 26)) + u64::from(u16_at(&head, 28));
        Ok(entry.header.saturating_add(skip))
    }

    /// Fills `out` with stored bytes from `offset` in the archive.
    ///
    /// # Errors
    /// When the archive ends first.
    pub fn read_at(&self, offset: u64, out: &mut [u8], what: &str) -> Result<()> {
        self.file.read_at(offset, out, what)
    }

    /// Unpacks a deflated entry of which `stored` are the bytes in the archive.
    ///
    /// # Errors
    /// When it is packed otherwise, or does not unpack to `out`'s length.
    pub fn inflate(&self, entry: ZipEntry, stored: &[u8], out: &mut [u8]) -> Result<()> {
        if entry.method != 8 {
            return Err(Error::unsupported(format!("zip compression method {}", entry.method)));
        }
        let got = libdeflater::Decompressor::new()
            .deflate_decompress(stored, out)
            .map_err(|e| Error::codec("zip", format!("{e:?}")))?;
        if got != out.len() {
            return Err(Error::codec("zip", format!("expected {} bytes, got {got}", out.len())));
        }
        Ok(())
    }
}

/// The number of entries, and the length and offset of the directory.
fn find_directory(file: &LocalFile) -> Result<(u64, u64, u64)> {
    let broken = |detail: &str| Error::corrupt("zip archive", detail);
    let tail_bytes = file.len().min(TAIL_BYTES);
    let start = file.len() - tail_bytes;
    let mut tail = vec![0; tail_bytes as usize];
    file.read_at(start, &mut tail, "zip directory")?;
    let at = tail
        .windows(END_BYTES)
        .rposition(|w| w[..4] == END)
        .ok_or_else(|| broken("it has no end record: the file is cut short; fetch it again"))?;
    let end = &tail[at..];
    let small = (u64::from(u16_at(end, 10)), u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
    if small.0 != 0xffff && small.1 != 0xffff_ffff && small.2 != 0xffff_ffff {
        return Ok(small);
    }
    let Some(locator) = at.checked_sub(20).map(|p| &tail[p..p + 20]).filter(|l| l[..4] == END64_LOCATOR) else {
        return Ok(small);
    };
    let mut end = [0; 56];
    file.read_at(u64_at(locator, 8), &mut end, "zip directory")?;
    if end[..4] != END64 {
        return Err(broken("its 64-bit end record is not where it should be"));
    }
    Ok((u64_at(&end, 32), u64_at(&end, 40), u64_at(&end, 48)))
}

fn parse_directory(bytes: &[u8], count: u64) -> Result<BTreeMap<String, ZipEntry>> {
    let mut entries = BTreeMap::new();
    let mut rest = bytes;
    for n in 0..count {
        let broken = || Error::corrupt("zip directory", format!("entry {n} of {count} is cut short"));
        if rest.len() < CENTRAL_BYTES || rest[..4] != CENTRAL {
            return Err(broken());
        }
        let name_end = CENTRAL_BYTES + u16_at(rest, 28) as usize;
        let extra_end = name_end + u16_at(rest, 30) as usize;
        let next = extra_end + u16_at(rest, 32) as usize;
        if rest.len() < next {
            return Err(broken());
        }
        let name = String::from_utf8_lossy(&rest[CENTRAL_BYTES..name_end]).into_owned();
        let mut entry = ZipEntry {
            header: u64::from(u32_at(rest, 42)),
            stored: u64::from(u32_at(rest, 20)),
            len: u64::from(u32_at(rest, 24)),
            method: u16_at(rest, 10),
        };
        widen(&mut entry, &rest[name_end..extra_end]);
        if u16_at(rest, 8) & 1 != 0 {
            return Err(Error::unsupported("an encrypted zip archive"));
        }
        if entry.is_plain() && entry.stored != entry.len {
            return Err(Error::corrupt("zip directory", format!("'{name}' is stored plain with two lengths")));
        }
        // Of several entries of one name the last counts: that is how zip files are appended to.
        if !name.ends_with('/') {
            entries.insert(name, entry);
        }
        rest = &rest[next..];
    }
    Ok(entries)
}

/// Takes the 64-bit numbers from an entry's extra field, in place of those that are all ones.
fn widen(entry: &mut ZipEntry, mut extra: &[u8]) {
    while extra.len() >= 4 {
        let end = 4 + u16_at(extra, 2) as usize;
        if extra.len() < end {
            return;
        }
        if u16_at(extra, 0) == 1 {
            let mut numbers = extra[4..end].chunks_exact(8).map(|c| u64_at(c, 0));
            for slot in [&mut entry.len, &mut entry.stored, &mut entry.header] {
                if *slot == 0xffff_ffff
                    && let Some(n) = numbers.next()
                {
                    *slot = n;
                }
            }
        }
        extra = &extra[end..];
    }
}

fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([b[at], b[at + 1]])
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from(u16_at(b, at)) | u32::from(u16_at(b, at + 2)) << 16
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from(u32_at(b, at)) | u64::from(u32_at(b, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with one plain entry, as the specification (APPNOTE 4.3) lays it out.
    fn archive(name: &str, data: &[u8], method: u16, stored: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(LOCAL);
        out.extend([20, 0, 0, 0]);
        out.extend(method.to_le_bytes());
        out.extend([0; 8]);
        out.extend((stored.len() as u32).to_le_bytes());
        out.extend((data.len() as u32).to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0, 0]);
        out.extend(name.as_bytes());
        out.extend(stored);
        let directory = out.len() as u32;
        out.extend(CENTRAL);
        out.extend([20, 0, 20, 0, 0, 0]);
        out.extend(method.to_le_bytes());
        out.extend([0; 8]);
        out.extend((stored.len() as u32).to_le_bytes());
        out.extend((data.len() as u32).to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0; 16]);
        out.extend(name.as_bytes());
        let size = out.len() as u32 - directory;
        out.extend(END);
        out.extend([0, 0, 0, 0, 1, 0, 1, 0]);
        out.extend(size.to_le_bytes());
        out.extend(directory.to_le_bytes());
        out.extend([0, 0]);
        out
    }

    #[test]
    fn plain_and_deflated_entries_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let data = b"one two one two one two one two";
        let mut packed = vec![0; 100];
        let n = libdeflater::Compressor::new(libdeflater::CompressionLvl::default())
            .deflate_compress(data, &mut packed)
            .unwrap();
        for (method, stored) in [(0, &data[..]), (8, &packed[..n])] {
            let path = dir.path().join("a.zip");
            std::fs::write(&path, archive("a/b", data, method, stored)).unwrap();
            let zip = ZipArchive::open(&path).unwrap();
            let entry = zip.entry("a/b").unwrap();
            assert_eq!((entry.is_plain(), entry.len), (method == 0, data.len() as u64));
            let mut bytes = vec![0; entry.stored as usize];
            zip.read_at(zip.data_offset(entry).unwrap(), &mut bytes, "entry").unwrap();
            let mut out = vec![0; data.len()];
            if entry.is_plain() {
                out.copy_from_slice(&bytes)
            } else {
                zip.inflate(entry, &bytes, &mut out).unwrap()
            }
            assert_eq!(out, data);
        }
    }

    #[test]
    fn broken_archives_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zip");
        let good = archive("a/b", b"12345", 0, b"12345");
        for cut in 0..good.len() {
            std::fs::write(&path, &good[..cut]).unwrap();
            assert!(ZipArchive::open(&path).is_err(), "cut at {cut}");
        }
        let mut two_lengths = good.clone();
        let at = good.windows(4).position(|w| w == CENTRAL).unwrap();
        two_lengths[at + 24] = 200;
        std::fs::write(&path, two_lengths).unwrap();
        assert!(ZipArchive::open(&path).is_err());
    }
}
