//! An output that outlives a run which ends early, and the journal of what is safely written in it.
//!
//! Beside `out.zarr` lies `.out.zarr.unfinished`, with three things in it: `store`, which becomes the output; `run.json`,
//! which says what the run is; `journal`, one record for each piece of the store that is whole. A record is written after
//! its piece, with one call, and has a checksum of that piece and one of its own: what was torn or lost is written again.
//!
//! An output that cannot be opened again is begun anew, as `store.1`, and takes over what is whole in `store`, its donor.
//! When it has all of that the donor is removed; until then it is the donor that the next run goes on with. So of two
//! stores the older one counts.

use super::pending::resolved;
use crate::{
    codec::crc32c,
    error::{Error, Result},
};
use serde_json::Value as Json;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

/// What a run is, in names and values. Whoever goes on with an unfinished output has to be the same in all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunIdentity(pub Vec<(String, String)>);

/// A piece of the output that a journal names: a file of a store, or a chunk in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PieceNumber {
    /// Variables are counted in the order in which they are declared.
    pub variable: u32,
    /// Pieces of a variable are counted row-major.
    pub piece: u64,
}

/// An unfinished output that this run, and no other, writes.
#[derive(Debug)]
pub struct Unfinished {
    folder: PathBuf,
    target: PathBuf,
    /// Locked, so that two runs do not write one output.
    journal: File,
    run: RunIdentity,
    is_begun: bool,
    /// Which of the stores is written, and which one it takes over from.
    generation: u32,
    donor: Option<u32>,
    /// The last that there has been.
    newest: u32,
    /// What earlier runs wrote, in order, and whether it has been looked at.
    earlier: Vec<Record>,
    checked: Vec<AtomicU8>,
    judging: Mutex<()>,
}

/// What a journal says of a piece that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Which piece.
    pub number: PieceNumber,
    /// Where it lies in its file.
    pub at: u64,
    /// Bytes of it.
    pub len: u64,
    sum: u32,
    generation: u32,
}

const RECORD_BYTES: usize = 40;
/// Bytes of a piece that are read at once to check it.
const PART_BYTES: usize = 64 << 10;

/// The states of a piece that an earlier run wrote.
const UNKNOWN: u8 = 0;
const WHOLE: u8 = 1;
const BROKEN: u8 = 2;

impl RunIdentity {
    fn json(&self) -> String {
        let fields = self.0.iter().map(|(name, value)| (name.clone(), Json::String(value.clone())));
        let mut text = serde_json::to_string_pretty(&Json::Object(fields.collect())).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The name of the first thing that is not as in `document`, with what it was and is, or `None`.
    fn difference(&self, document: &str) -> Option<String> {
        let before = match serde_json::from_str::<Json>(document) {
            Ok(Json::Object(before)) => before,
            _ => return Some("its run.json is broken".into()),
        };
        let quoted = |text: Option<&str>| match text {
            Some(text) if text.chars().count() > SHOWN_MAX => {
                format!("'{} ...'", text.chars().take(SHOWN_MAX).collect::<String>())
            }
            Some(text) => format!("'{text}'"),
            None => "nothing".to_string(),
        };
        let names = before.keys().map(String::as_str).chain(self.0.iter().map(|(name, _)| name.as_str()));
        let now = |name: &str| self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let (name, then, now) = names
            .map(|name| (name, before.get(name).and_then(Json::as_str), now(name)))
            .find(|(_, then, now)| then != now)?;
        if then.is_some_and(|t| now.is_some_and(|n| t.chars().take(SHOWN_MAX).eq(n.chars().take(SHOWN_MAX)))) {
            return Some(format!("{name} is not the same"));
        }
        Some(format!("{name} was {} and is {}", quoted(then), quoted(now)))
    }
}

/// Characters of a value that an error shows.
const SHOWN_MAX: usize = 120;

/// Where what is not finished of `target` is kept.
///
/// # Errors
/// When `target` has no file name.
pub fn unfinished_beside(target: &Path) -> Result<PathBuf> {
    let target = &resolved(target);
    let name = target.file_name().ok_or_else(|| Error::usage("the output has no file name").in_file(target))?;
    let mut own = std::ffi::OsString::from(".");
    own.push(name);
    own.push(".unfinished");
    Ok(target.with_file_name(own))
}

impl Unfinished {
    /// Goes on with what lies beside `target`, or begins it.
    ///
    /// # Errors
    /// When another run is at it, or what is there comes from a run that was not the same; when the system refuses.
    pub(super) fn open(target: &Path, run: &RunIdentity) -> Result<Unfinished> {
        let folder = unfinished_beside(target)?;
        let failed = |e| Error::io(format!("keep what is written in {}", folder.display()), e).in_file(target);
        match fs::create_dir(&folder) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(failed(e)),
            _ => {}
        }
        let path = folder.join("journal");
        let mut journal = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        let busy = || Error::usage(format!("another run is writing to {}; wait for it", folder.display()));
        match journal.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(busy().in_file(target)),
            Err(TryLockError::Error(e)) if e.kind() != ErrorKind::Unsupported => return Err(failed(e)),
            _ => {}
        }
        // Whoever had the lock before has finished, and removed it all.
        if journal.metadata().map_err(failed)?.nlink() == 0 {
            return Err(busy().in_file(target));
        }
        let is_begun = match fs::read_to_string(folder.join("run.json")) {
            Ok(document) => {
                if let Some(what) = run.difference(&document) {
                    let folder = folder.display();
                    let advice = format!("to start anew delete {folder}, or leave --resume out");
                    return Err(Error::usage(format!("it cannot be gone on with: {what}; {advice}")).in_file(target));
                }
                true
            }
            Err(e) if e.kind() == ErrorKind::NotFound => false,
            Err(e) => return Err(failed(e)),
        };
        let stores = stores(&folder).map_err(failed)?;
        let is_begun = is_begun && !stores.is_empty();
        let generation = if is_begun { stores[0] } else { 0 };
        let newest = stores.last().copied().unwrap_or(0);
        let mut read = Journaled { newest, ..Journaled::default() };
        if is_begun {
            read.records(&mut journal, generation).map_err(failed)?;
        } else {
            let gone = fs::remove_file(folder.join("run.json")).and_then(|()| journal.set_len(0));
            gone.or_else(|e| if e.kind() == ErrorKind::NotFound { journal.set_len(0) } else { Err(e) })
                .map_err(failed)?;
            stores.iter().try_for_each(|of| remove(&store(&folder, *of))).map_err(failed)?;
        }
        // A torn record at the end would shift those that follow.
        journal.set_len(read.bytes).map_err(failed)?;
        let Journaled { mut earlier, newest, .. } = read;
        // What was broken was written again: the last record of a piece counts.
        earlier.reverse();
        earlier.sort_by_key(|record| record.number);
        earlier.dedup_by_key(|record| record.number);
        let checked = earlier.iter().map(|_| AtomicU8::new(UNKNOWN)).collect();
        let (target, run, judging) = (target.to_path_buf(), run.clone(), Mutex::default());
        let donor = None;
        Ok(Unfinished { folder, target, journal, run, is_begun, generation, donor, newest, earlier, checked, judging })
    }

    /// What becomes the output.
    pub fn store(&self) -> PathBuf {
        store(&self.folder, self.generation)
    }

    /// Where the first run keeps what it has declared, if that is not in the store.
    pub fn declaration(&self) -> PathBuf {
        self.folder.join("declaration")
    }

    /// Makes [`store`](Unfinished::store) a new one; the one that was there becomes the donor, and its path is given.
    ///
    /// # Errors
    /// When the system refuses to remove one that has not taken over everything.
    pub(super) fn renew(&mut self) -> Result<PathBuf> {
        let failed = |e| Error::io("remove a store that an earlier run has begun", e).in_file(&self.target);
        let stores = stores(&self.folder).map_err(failed)?;
        let mut torn = stores.iter().filter(|of| **of != self.generation);
        torn.try_for_each(|of| remove(&store(&self.folder, *of))).map_err(failed)?;
        let donor = self.generation;
        self.newest = self.newest.saturating_add(1);
        (self.donor, self.generation) = (Some(donor), self.newest);
        Ok(store(&self.folder, donor))
    }

    /// Removes the donor: the new store has all that was whole in it.
    ///
    /// # Errors
    /// When the system refuses, or cannot put the new store on disk.
    pub fn remove_donor(&self) -> Result<()> {
        let Some(donor) = self.donor else { return Ok(()) };
        let synced = File::open(self.store()).and_then(|file| file.sync_data());
        let removed = synced.and_then(|()| self.journal.sync_data()).and_then(|()| remove(&store(&self.folder, donor)));
        removed.map_err(|e| Error::io("put on disk what is taken over", e).in_file(&self.target))
    }

    /// Whether an earlier run has declared all that the output holds.
    pub fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Says that all is declared.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn begin(&self) -> Result<()> {
        let (new, own) = (self.folder.join("run.json.new"), self.folder.join("run.json"));
        let written = fs::write(&new, self.run.json()).and_then(|()| File::open(&new)?.sync_data());
        written
            .and_then(|()| fs::rename(&new, &own))
            .map_err(|e| Error::io("say what the run is", e).in_file(&self.target))
    }

    /// What an earlier run wrote, whatever has become of it: each piece once.
    pub fn earlier(&self) -> &[Record] {
        &self.earlier
    }

    /// Whether an earlier run wrote a piece, whatever has become of it.
    pub fn knows(&self, number: PieceNumber) -> bool {
        self.place(number).is_some()
    }

    /// Whether an earlier run wrote a piece, which is the file at `path` and is as it was then. If it is not, it is removed.
    pub fn has(&self, number: PieceNumber, path: &Path) -> bool {
        let Some(at) = self.place(number) else { return false };
        let (state, Record { len, sum, .. }) = (&self.checked[at], self.earlier[at]);
        if state.load(Ordering::Acquire) == UNKNOWN {
            let is_whole = Sum::of(path).is_ok_and(|found| found == Sum { len, sum });
            // Whoever is told that it is broken writes it anew, and that must not be removed.
            let _one = self.judging.lock().unwrap_or_else(PoisonError::into_inner);
            if state.load(Ordering::Acquire) == UNKNOWN {
                if !is_whole {
                    let _ = fs::remove_file(path);
                }
                state.store(if is_whole { WHOLE } else { BROKEN }, Ordering::Release);
            }
        }
        state.load(Ordering::Acquire) == WHOLE
    }

    fn place(&self, number: PieceNumber) -> Option<usize> {
        self.earlier.binary_search_by_key(&number, |record| record.number).ok()
    }

    /// Notes that a piece of these bytes is written, from `at` on in its file.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn add(&self, number: PieceNumber, at: u64, bytes: &[u8]) -> Result<()> {
        self.note(number, at, &Sum::of_bytes(bytes))
    }

    /// Notes that the file at `path` is written.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn add_file(&self, number: PieceNumber, path: &Path) -> Result<()> {
        self.note(number, 0, &Sum::of(path).map_err(read_back)?)
    }

    /// Notes that a piece of these bytes is written, if `file` has them from one of `places` on, and says from which.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn add_found(&self, number: PieceNumber, bytes: &[u8], file: &File, places: &[u64]) -> Result<Option<u64>> {
        let sum = Sum::of_bytes(bytes);
        for &at in places {
            if Sum::of_part(file, at, sum.len).map_err(read_back)? == sum {
                return self.note(number, at, &sum).map(|()| Some(at));
            }
        }
        Ok(None)
    }

    fn note(&self, number: PieceNumber, at: u64, sum: &Sum) -> Result<()> {
        let record = Record { number, at, len: sum.len, sum: sum.sum, generation: self.generation };
        let written = (&self.journal).write_all(&record.bytes());
        written.map_err(|e| Error::io("write to the journal of the unfinished output", e))
    }

    /// Makes sure that nobody goes on with what is there: `store` is about to get its name.
    pub(super) fn close(&self) -> std::io::Result<()> {
        fs::rename(self.folder.join("run.json"), self.folder.join("run.json.done"))
    }

    /// Takes that back.
    pub(super) fn reopen(&self) {
        let _ = fs::rename(self.folder.join("run.json.done"), self.folder.join("run.json"));
    }

    pub(super) fn remove(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// Whether nothing is lost without it.
    pub(super) fn is_worthless(&self) -> bool {
        self.journal.metadata().is_ok_and(|meta| meta.len() == 0)
    }
}

fn read_back(e: std::io::Error) -> Error {
    Error::io("read what was written", e)
}

/// The path of a store.
fn store(folder: &Path, generation: u32) -> PathBuf {
    match generation {
        0 => folder.join("store"),
        n => folder.join(format!("store.{n}")),
    }
}

/// The stores that there are, the oldest first.
fn stores(folder: &Path) -> std::io::Result<Vec<u32>> {
    let mut all = Vec::new();
    for item in fs::read_dir(folder)? {
        let name = item?.file_name();
        let number = name.to_str().and_then(|name| match name {
            "store" => Some(0),
            name => name.strip_prefix("store.")?.parse().ok(),
        });
        // A name as it is written, and no other that reads alike.
        all.extend(number.filter(|&n| store(folder, n).file_name() == Some(&name)));
    }
    all.sort_unstable();
    Ok(all)
}

fn remove(path: &Path) -> std::io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// What is read from a journal.
#[derive(Default)]
struct Journaled {
    earlier: Vec<Record>,
    /// Up to the first record that is torn.
    bytes: u64,
    newest: u32,
}

impl Journaled {
    /// Keeps the records that are of the store `generation`.
    fn records(&mut self, journal: &mut File, generation: u32) -> std::io::Result<()> {
        let mut reader = std::io::BufReader::new(journal);
        let mut bytes = [0; RECORD_BYTES];
        loop {
            match reader.read_exact(&mut bytes) {
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                done => done?,
            }
            let Some(record) = Record::of(&bytes) else { return Ok(()) };
            self.bytes += RECORD_BYTES as u64;
            self.newest = self.newest.max(record.generation);
            self.earlier.extend((record.generation == generation).then_some(record));
        }
    }
}

impl Record {
    /// Whether these are the bytes of the piece.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        Sum::of_bytes(bytes) == Sum { len: self.len, sum: self.sum }
    }

    fn bytes(&self) -> [u8; RECORD_BYTES] {
        let mut out = [0; RECORD_BYTES];
        out[..4].copy_from_slice(&self.number.variable.to_le_bytes());
        out[4..12].copy_from_slice(&self.number.piece.to_le_bytes());
        out[12..20].copy_from_slice(&self.len.to_le_bytes());
        out[20..24].copy_from_slice(&self.sum.to_le_bytes());
        out[24..28].copy_from_slice(&self.generation.to_le_bytes());
        out[28..36].copy_from_slice(&self.at.to_le_bytes());
        let check = crc32c(&out[..36]);
        out[36..].copy_from_slice(&check.to_le_bytes());
        out
    }

    fn of(bytes: &[u8; RECORD_BYTES]) -> Option<Record> {
        let wide = |at: usize| u64::from_le_bytes(std::array::from_fn(|k| bytes[at + k]));
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|k| bytes[at + k]));
        let number = PieceNumber { variable: word(0), piece: wide(4) };
        let record = Record { number, at: wide(28), len: wide(12), sum: word(20), generation: word(24) };
        (word(36) == crc32c(&bytes[..36])).then_some(record)
    }
}

/// The length and a checksum of a piece: those of its parts, one multiplied into the other.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    len: u64,
    sum: u32,
}

impl Sum {
    fn push(&mut self, part: &[u8]) {
        self.sum = self.sum.wrapping_mul(0x9e37_79b1) ^ crc32c(part);
        self.len += part.len() as u64;
    }

    fn of_bytes(bytes: &[u8]) -> Sum {
        let mut sum = Sum::default();
        bytes.chunks(PART_BYTES).for_each(|part| sum.push(part));
        sum
    }

    fn of(path: &Path) -> std::io::Result<Sum> {
        Sum::of_part(&File::open(path)?, 0, u64::MAX)
    }

    /// That of `len` bytes of a file, or of those that there are.
    fn of_part(file: &File, from: u64, len: u64) -> std::io::Result<Sum> {
        let mut part = [0; PART_BYTES];
        let mut sum = Sum::default();
        loop {
            let wanted = (len - sum.len).min(PART_BYTES as u64) as usize;
            let mut got = 0;
            while got < wanted {
                match file.read_at(&mut part[got..wanted], from.saturating_add(sum.len + got as u64)) {
                    Ok(0) => break,
                    Ok(n) => got += n,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            if got == 0 {
                return Ok(sum);
            }
            sum.push(&part[..got]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[(&str, &str)]) -> RunIdentity {
        RunIdentity(words.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect())
    }

    fn number(piece: u64) -> PieceNumber {
        PieceNumber { variable: 1, piece }
    }

    /// Writes three files and their records.
    fn begun(target: &Path, run: &RunIdentity) -> PathBuf {
        let unfinished = Unfinished::open(target, run).unwrap();
        assert!(!unfinished.is_begun());
        fs::create_dir(unfinished.store()).unwrap();
        unfinished.begin().unwrap();
        for n in 0..3u8 {
            let bytes = vec![n; 70_000 + n as usize];
            let path = unfinished.store().join(n.to_string());
            fs::write(&path, &bytes).unwrap();
            match n {
                2 => unfinished.add_file(number(2), &path).unwrap(),
                _ => unfinished.add(number(n.into()), 0, &bytes).unwrap(),
            }
        }
        unfinished.folder.clone()
    }

    fn had(target: &Path, run: &RunIdentity) -> Vec<u64> {
        let unfinished = Unfinished::open(target, run).unwrap();
        (0..4).filter(|&n| unfinished.has(number(n), &unfinished.store().join(n.to_string()))).collect()
    }

    #[test]
    fn what_was_written_is_known_and_what_is_torn_or_changed_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.zarr");
        let run = run(&[("input", "a.nc")]);
        let folder = begun(&target, &run);
        assert_eq!(had(&target, &run), [0, 1, 2]);
        assert!(!Unfinished::open(&target, &run).unwrap().has(PieceNumber { variable: 0, piece: 0 }, &folder));
        // One byte of a file is another, and one file is gone.
        let mut bytes = fs::read(folder.join("store/1")).unwrap();
        bytes[69_999] ^= 1;
        fs::write(folder.join("store/1"), &bytes).unwrap();
        assert_eq!(had(&target, &run), [0, 2]);
        assert!(!folder.join("store/1").exists());
        fs::remove_file(folder.join("store/0")).unwrap();
        assert_eq!(had(&target, &run), [2]);
        // The last record is torn: it is cut off, and the next one is where it should be.
        let journal = fs::read(folder.join("journal")).unwrap();
        assert_eq!(journal.len(), 3 * RECORD_BYTES);
        fs::write(folder.join("journal"), &journal[..journal.len() - 1]).unwrap();
        assert_eq!(had(&target, &run), [0u64; 0]);
        let again = Unfinished::open(&target, &run).unwrap();
        again.add_file(number(2), &folder.join("store/2")).unwrap();
        drop(again);
        assert_eq!(had(&target, &run), [2]);
        // Of two records of a file the later one counts.
        for bytes in [b"bb", b"aa"] {
            fs::write(folder.join("store/2"), bytes).unwrap();
            Unfinished::open(&target, &run).unwrap().add(number(2), 0, bytes).unwrap();
            assert_eq!(had(&target, &run), [2]);
        }
        // A record in the middle is garbled: those behind it count no more.
        let mut garbled = journal.clone();
        garbled[RECORD_BYTES + 5] ^= 4;
        fs::write(folder.join("journal"), garbled).unwrap();
        assert_eq!(had(&target, &run), [0u64; 0]);
        assert_eq!(fs::read(folder.join("journal")).unwrap().len(), RECORD_BYTES);
    }

    #[test]
    fn another_run_is_told_what_differs() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.zarr");
        begun(&target, &run(&[("aosx", "1"), ("options", "a")]));
        let said = |words: &[(&str, &str)]| Unfinished::open(&target, &run(words)).unwrap_err().to_string();
        let text = said(&[("aosx", "1"), ("options", "b")]);
        assert!(text.contains("options was 'a' and is 'b'") && text.contains("delete "), "{text}");
        assert!(text.contains(".out.zarr.unfinished"), "{text}");
        assert!(said(&[("aosx", "1")]).contains("options was 'a' and is nothing"));
        assert!(said(&[("aosx", "1"), ("options", "a"), ("x", "y")]).contains("x was nothing and is 'y'"));
        let long = "a".repeat(500);
        assert!(said(&[("aosx", &long)]).len() < 600);
    }

    #[test]
    fn two_runs_do_not_write_one_output() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.zarr");
        let run = run(&[]);
        let first = Unfinished::open(&target, &run).unwrap();
        let said = Unfinished::open(&target, &run).unwrap_err().to_string();
        assert!(said.contains("another run is writing"), "{said}");
        drop(first);
        assert!(Unfinished::open(&target, &run).is_ok());
    }

    #[test]
    fn of_two_stores_the_older_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.nc");
        let run = run(&[]);
        let names = |unfinished: &Unfinished| stores(&unfinished.folder).unwrap();
        let numbers = |of: &Unfinished| of.earlier().iter().map(|r| (r.number.piece, r.at)).collect::<Vec<_>>();
        let first = Unfinished::open(&target, &run).unwrap();
        fs::write(first.store(), "0123456789").unwrap();
        first.begin().unwrap();
        first.add(number(0), 2, b"234").unwrap();
        first.add(number(1), 6, b"67").unwrap();
        drop(first);
        // Twice nobody comes to the end of taking over.
        for n in [1, 2] {
            let mut again = Unfinished::open(&target, &run).unwrap();
            assert_eq!(numbers(&again), [(0, 2), (1, 6)]);
            assert!(again.earlier()[0].is_of(b"234") && !again.earlier()[0].is_of(b"235"));
            assert_eq!(again.renew().unwrap(), again.folder.join("store"));
            fs::write(again.store(), "0").unwrap();
            again.add(number(0), 0, b"0").unwrap();
            assert_eq!(names(&again), [0, n]);
        }
        let mut again = Unfinished::open(&target, &run).unwrap();
        again.renew().unwrap();
        fs::write(again.store(), "xx234").unwrap();
        again.add(number(0), 2, b"234").unwrap();
        again.remove_donor().unwrap();
        assert_eq!(names(&again), [3]);
        drop(again);
        let last = Unfinished::open(&target, &run).unwrap();
        assert_eq!((numbers(&last), last.store()), (vec![(0, 2)], last.folder.join("store.3")));
        // Other names are nobody's store.
        fs::write(last.folder.join("store.01"), "x").unwrap();
        fs::write(last.folder.join("store.0"), "x").unwrap();
        assert_eq!(names(&last), [3]);
    }

    #[test]
    fn a_place_is_noted_where_the_bytes_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.nc");
        let unfinished = Unfinished::open(&target, &run(&[])).unwrap();
        let mut bytes = vec![0; 200_000];
        bytes[70_000..170_000].fill(7);
        fs::write(unfinished.store(), &bytes).unwrap();
        unfinished.begin().unwrap();
        let file = File::open(unfinished.store()).unwrap();
        let found = |piece, places: &[u64]| {
            unfinished.add_found(number(piece), &bytes[69_000..170_000], &file, places).unwrap()
        };
        assert_eq!(found(0, &[0, 69_000, 5]), Some(69_000));
        assert_eq!(found(1, &[68_999, 190_000, 1 << 40]), None);
        assert_eq!(found(2, &[]), None);
        drop(unfinished);
        let earlier = Unfinished::open(&target, &run(&[])).unwrap().earlier().to_vec();
        assert_eq!(earlier.iter().map(|r| (r.number, r.at, r.len)).collect::<Vec<_>>(), [(number(0), 69_000, 101_000)]);
    }

    #[test]
    fn what_has_no_header_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.zarr");
        let run = run(&[("a", "b")]);
        let folder = begun(&target, &run);
        fs::remove_file(folder.join("run.json")).unwrap();
        let again = Unfinished::open(&target, &run).unwrap();
        assert!(!again.is_begun() && again.is_worthless() && !again.store().exists());
    }
}
