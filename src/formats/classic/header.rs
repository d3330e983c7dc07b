//! The header of a classic file: what it declares, and where everything begins.

use crate::{
    attrs::{Attrs, Value},
    dtype::DType,
    error::{Error, Problem, Result},
    shape::Shape,
    store::LocalFile,
};

/// The three variants of the format: the width of counts and of offsets differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Classic,
    Offset64,
    Data64,
}

/// What a header says.
#[derive(Debug)]
pub(super) struct Header {
    pub version: Version,
    /// The records that the file declares or, where it was streamed, has room for.
    pub records: u64,
    /// Names and lengths; a length of `None` is the record dimension.
    pub dims: Vec<(String, Option<u64>)>,
    pub attrs: Attrs,
    pub vars: Vec<Var>,
    /// Bytes from one record to the next.
    pub record_bytes: u64,
}

/// A variable of the header.
#[derive(Debug)]
pub(super) struct Var {
    pub name: String,
    pub dims: Vec<usize>,
    pub attrs: Attrs,
    pub kind: Kind,
    /// Where its first value lies.
    pub begin: u64,
    /// Whether its first dimension is the record dimension.
    pub is_record: bool,
    /// The lengths of its dimensions, without that of records.
    pub slab: Shape,
}

/// The external types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Char,
    Number(DType),
}

impl Kind {
    /// Bytes of one value.
    pub fn size(self) -> usize {
        match self {
            Kind::Char => 1,
            Kind::Number(dtype) => dtype.size(),
        }
    }
}

impl Var {
    /// Bytes of the variable, or of one record of it, without padding.
    pub fn slab_bytes(&self) -> Result<u64> {
        Ok(self.slab.bytes(self.kind.size())? as u64)
    }
}

const DIMENSIONS: u32 = 0x0a;
const VARIABLES: u32 = 0x0b;
const ATTRIBUTES: u32 = 0x0c;
/// No name is longer, as the format's own library sees it by far.
const NAME_BYTES_MAX: u64 = 1 << 16;

/// Reads and checks the header.
///
/// # Errors
/// When the file ends inside it, or it contradicts itself.
pub(super) fn read(file: &LocalFile) -> Result<Header> {
    let mut cursor = Cursor { file, at: 0, window: Vec::new(), window_at: 0, version: Version::Classic };
    let magic = cursor.bytes(4)?;
    cursor.version = match magic.as_slice() {
        b"CDF\x01" => Version::Classic,
        b"CDF\x02" => Version::Offset64,
        b"CDF\x05" => Version::Data64,
        other => {
            let found = format!("it begins with {other:02x?}, and no such version of NetCDF classic is known");
            return Err(Problem::NotAFormat { found }.into());
        }
    };
    let declared = match cursor.version {
        Version::Data64 => Some(cursor.u64()?).filter(|&n| n != u64::MAX),
        _ => Some(cursor.u32()?).filter(|&n| n != u32::MAX).map(u64::from),
    };
    let dims = cursor.dims()?;
    let attrs = cursor.attrs()?;
    let vars = cursor.vars(&dims)?;
    let record_bytes = record_bytes(&vars)?;
    check_begins(&vars, cursor.at)?;
    let records = declared.unwrap_or_else(|| records_by_size(&vars, record_bytes, file.len()));
    if records > i64::MAX as u64 {
        return Err(corrupt(format!("it declares {records} records")));
    }
    Ok(Header { version: cursor.version, records, dims, attrs, vars, record_bytes })
}

fn corrupt(detail: impl Into<String>) -> Error {
    Error::corrupt("NetCDF classic header", detail)
}

/// The sum of the record variables, each padded to four bytes, except when there is only one.
fn record_bytes(vars: &[Var]) -> Result<u64> {
    let mut sizes = Vec::new();
    for var in vars.iter().filter(|v| v.is_record) {
        sizes.push(var.slab_bytes()?);
    }
    if let [only] = sizes[..] {
        return Ok(only);
    }
    let sum = sizes.iter().try_fold(0u64, |sum, n| sum.checked_add(n.checked_next_multiple_of(4)?));
    sum.filter(|&n| n <= i64::MAX as u64).ok_or_else(|| corrupt("a record has more than 2^63 bytes"))
}

/// The records that fit the file, for a writer that streamed and never came back to say how many.
fn records_by_size(vars: &[Var], record_bytes: u64, file_bytes: u64) -> u64 {
    let begin = vars.iter().filter(|v| v.is_record).map(|v| v.begin).min();
    match begin {
        Some(begin) if record_bytes > 0 => file_bytes.saturating_sub(begin) / record_bytes,
        _ => 0,
    }
}

/// Values lie behind the header, fixed variables in order and not over one another, then records likewise.
fn check_begins(vars: &[Var], header_bytes: u64) -> Result<()> {
    let mut end = header_bytes;
    for is_record in [false, true] {
        for var in vars.iter().filter(|v| v.is_record == is_record) {
            if var.begin < end {
                return Err(corrupt(format!("'{}' begins at byte {}, before byte {end}", var.name, var.begin)));
            }
            end = var
                .begin
                .checked_add(var.slab_bytes()?)
                .filter(|&n| n <= i64::MAX as u64)
                .ok_or_else(|| corrupt(format!("'{}' ends behind 2^63", var.name)))?;
        }
    }
    Ok(())
}

struct Cursor<'a> {
    file: &'a LocalFile,
    at: u64,
    window: Vec<u8>,
    window_at: u64,
    version: Version,
}

impl Cursor<'_> {
    fn left(&self) -> u64 {
        self.file.len().saturating_sub(self.at)
    }

    /// The next `n` bytes, which are compared with the file's length before anything is allocated.
    fn bytes(&mut self, n: u64) -> Result<Vec<u8>> {
        if n > self.left() {
            let what = "NetCDF classic header".to_string();
            return Err(Problem::Truncated { what, expected: n, got: self.left() }.into());
        }
        let within = self.at.checked_sub(self.window_at).map(|from| from as usize);
        let held = within.and_then(|from| self.window.get(from..from.checked_add(n as usize)?));
        let out = match held {
            Some(bytes) => bytes.to_vec(),
            None => {
                self.window.resize(n.max(self.left().min(64 << 10)) as usize, 0);
                self.window_at = self.at;
                self.file.read_at(self.at, &mut self.window, "NetCDF classic header")?;
                self.window[..n as usize].to_vec()
            }
        };
        self.at += n;
        Ok(out)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.bytes(N as u64)?;
        bytes.try_into().map_err(|_| corrupt("a number is cut short"))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A count or length in the version's width.
    fn count(&mut self) -> Result<u64> {
        let n = if self.version == Version::Data64 { self.u64()? } else { self.u32()?.into() };
        if n > i64::MAX as u64 { Err(corrupt(format!("{n} is no count"))) } else { Ok(n) }
    }

    /// The length of a list whose entries take `entry_bytes` or more.
    fn list(&mut self, tag: u32, entry_bytes: u64) -> Result<usize> {
        let (found, n) = (self.u32()?, self.count()?);
        if found != tag && (found != 0 || n != 0) {
            return Err(corrupt(format!("a list has tag {found}, not {tag}")));
        }
        self.fits(n, entry_bytes)?;
        Ok(n as usize)
    }

    fn fits(&self, n: u64, entry_bytes: u64) -> Result<()> {
        match n.checked_mul(entry_bytes) {
            Some(bytes) if bytes <= self.left() => Ok(()),
            _ => Err(corrupt(format!("it announces {n} entries, and {} bytes are left", self.left()))),
        }
    }

    fn padded(&mut self, n: u64) -> Result<Vec<u8>> {
        let mut bytes = self.bytes(n)?;
        let padding = n.next_multiple_of(4) - n;
        // The very last value of a header may lack its padding.
        self.bytes(padding.min(self.left()))?;
        bytes.truncate(n as usize);
        Ok(bytes)
    }

    fn name(&mut self) -> Result<String> {
        let n = self.count()?;
        if n > NAME_BYTES_MAX {
            return Err(corrupt(format!("a name has {n} bytes")));
        }
        Ok(String::from_utf8_lossy(&self.padded(n)?).into_owned())
    }

    fn kind(&mut self) -> Result<Kind> {
        Ok(match (self.u32()?, self.version) {
            (1, _) => Kind::Number(DType::I8),
            (2, _) => Kind::Char,
            (3, _) => Kind::Number(DType::I16),
            (4, _) => Kind::Number(DType::I32),
            (5, _) => Kind::Number(DType::F32),
            (6, _) => Kind::Number(DType::F64),
            (7, Version::Data64) => Kind::Number(DType::U8),
            (8, Version::Data64) => Kind::Number(DType::U16),
            (9, Version::Data64) => Kind::Number(DType::U32),
            (10, Version::Data64) => Kind::Number(DType::I64),
            (11, Version::Data64) => Kind::Number(DType::U64),
            (other, _) => return Err(corrupt(format!("there is no type {other}"))),
        })
    }

    fn dims(&mut self) -> Result<Vec<(String, Option<u64>)>> {
        let mut dims: Vec<(String, Option<u64>)> = Vec::new();
        for _ in 0..self.list(DIMENSIONS, 8)? {
            let (name, len) = (self.name()?, self.count()?);
            dims.push((name, Some(len).filter(|&n| n > 0)));
        }
        if dims.iter().filter(|d| d.1.is_none()).count() > 1 {
            return Err(corrupt("it has more than one record dimension"));
        }
        Ok(dims)
    }

    fn attrs(&mut self) -> Result<Attrs> {
        let mut attrs = Attrs::new();
        for _ in 0..self.list(ATTRIBUTES, 12)? {
            let (name, kind, n) = (self.name()?, self.kind()?, self.count()?);
            self.fits(n, kind.size() as u64)?;
            let bytes = self.padded(n * kind.size() as u64)?;
            attrs.set(&name, value(kind, &bytes));
        }
        Ok(attrs)
    }

    fn vars(&mut self, dims: &[(String, Option<u64>)]) -> Result<Vec<Var>> {
        let mut vars = Vec::new();
        for _ in 0..self.list(VARIABLES, 28)? {
            vars.push(self.var(dims)?);
        }
        Ok(vars)
    }

    fn var(&mut self, dims: &[(String, Option<u64>)]) -> Result<Var> {
        let (name, rank) = (self.name()?, self.count()?);
        let wide = self.version == Version::Data64;
        self.fits(rank, if wide { 8 } else { 4 })?;
        let (mut ids, mut slab, mut is_record) = (Vec::new(), Vec::new(), false);
        for axis in 0..rank {
            let id = self.count()?;
            match dims.get(id as usize) {
                Some((_, Some(len))) => slab.push(*len),
                Some((_, None)) if axis == 0 => is_record = true,
                Some((_, None)) => {
                    return Err(corrupt(format!("'{name}' has records, but not as its first dimension")));
                }
                None => return Err(corrupt(format!("'{name}' has dimension {id} of {}", dims.len()))),
            }
            ids.push(id as usize);
        }
        let attrs = self.attrs()?;
        let kind = self.kind()?;
        // The size that the header gives is wrong for large variables by design; the dimensions say it.
        self.count()?;
        let begin = if self.version == Version::Classic { self.u32()?.into() } else { self.u64()? };
        Ok(Var { name, dims: ids, attrs, kind, begin, is_record, slab: Shape(slab) })
    }
}

fn value(kind: Kind, bytes: &[u8]) -> Value {
    macro_rules! numbers {
        ($t:ty) => {
            bytes.chunks_exact(size_of::<$t>()).map(|b| <$t>::from_be_bytes(b.try_into().unwrap_or_default())).collect()
        };
    }
    match kind {
        Kind::Char => Value::Text(String::from_utf8_lossy(bytes).replace('\0', "")),
        Kind::Number(dtype) => match dtype {
            DType::I8 => Value::I8(numbers!(i8)),
            DType::I16 => Value::I16(numbers!(i16)),
            DType::I32 => Value::I32(numbers!(i32)),
            DType::I64 => Value::I64(numbers!(i64)),
            DType::U16 => Value::U16(numbers!(u16)),
            DType::U32 => Value::U32(numbers!(u32)),
            DType::U64 => Value::U64(numbers!(u64)),
            DType::F32 => Value::F32(numbers!(f32)),
            DType::F64 => Value::F64(numbers!(f64)),
            DType::U8 | DType::Bool | DType::F16 => Value::U8(bytes.to_vec()),
        },
    }
}
