use super::{
    define::{self, Open, check},
    defined, region_of, room,
    schema::Schema,
    write_missing,
    written::Written,
};
use crate::{
    codec::{Scratch, ScratchSize},
    error::{Error, Problem, Result},
    grid::Grid,
    shape::{ChunkIndex, Region},
    source::Sink,
    store::{Pending, PieceNumber, Record, Unfinished},
};
use std::{collections::HashMap, ffi::c_int};

/// A classic file, open in netCDF-C.
pub(super) struct Classic {
    vars: HashMap<String, Var>,
    // Closed before `pending` removes it.
    file: Open,
    pending: Pending,
}

struct Var {
    /// Its place in the schema.
    number: u32,
    varid: c_int,
    grid: Grid,
    fill: Vec<u8>,
    written: Written,
}

impl Classic {
    /// Defines a file, or opens the one that an earlier run has kept and looks which pieces are whole in it.
    ///
    /// # Errors
    /// When the library refuses; what `stopped` says.
    pub fn new(pending: Pending, schema: &Schema, stopped: &dyn Fn() -> Result<()>) -> Result<Classic> {
        let is_begun = pending.unfinished().is_some_and(Unfinished::is_begun);
        let defined = if is_begun { define::reopen(pending.path(), schema)? } else { defined(pending.path(), schema)? };
        let vars = schema.vars.iter().zip(&defined.vars).zip(0..).map(|((declared, at), number)| {
            let (written, fill) = (Written::new(&declared.grid), declared.fill.clone());
            let var = Var { number, varid: at.varid, grid: declared.grid.clone(), fill, written };
            (declared.meta.path.clone(), var)
        });
        let classic = Classic { vars: vars.collect(), file: defined.file, pending };
        if let Some(unfinished) = classic.pending.unfinished() {
            match is_begun {
                true => classic.find_whole(unfinished, stopped)?,
                false => classic.begin(unfinished, schema)?,
            }
        }
        Ok(classic)
    }

    /// Gives the file all its records, and puts the header on disk: whoever opens it again finds its whole length.
    fn begin(&self, unfinished: &Unfinished, schema: &Schema) -> Result<()> {
        let grows = |name: &String| schema.root.dims.iter().any(|dim| dim.unlimited && dim.name == *name);
        let record = schema.vars.iter().find(|v| v.meta.dims.first().is_some_and(grows) && !v.meta.shape.contains(&0));
        if let Some(record) = record {
            let var = self.var(&record.meta.path)?;
            let last: Vec<usize> = record.meta.shape.iter().map(|&n| n as usize - 1).collect();
            let one = vec![1; last.len()];
            // SAFETY: both lists have the variable's rank, `fill` is one element of it, and the file is open.
            let code = hdf5::sync::sync(|| unsafe {
                netcdf_sys::nc_put_vara(
                    self.file.id(),
                    var.varid,
                    last.as_ptr(),
                    one.as_ptr(),
                    var.fill.as_ptr().cast(),
                )
            });
            check(code, || "write the last record".into())?;
        }
        // SAFETY: the file is open.
        check(hdf5::sync::sync(|| unsafe { netcdf_sys::nc_sync(self.file.id()) }), || "write the header".into())?;
        let synced = std::fs::File::open(self.pending.path()).and_then(|file| file.sync_data());
        synced.map_err(|e| Error::io("put the header on disk", e))?;
        unfinished.begin()
    }

    /// Marks the pieces that are as an earlier run has written them.
    fn find_whole(&self, unfinished: &Unfinished, stopped: &dyn Fn() -> Result<()>) -> Result<()> {
        let mut vars: Vec<&Var> = self.vars.values().collect();
        vars.sort_by_key(|var| var.number);
        let expected = |record: &&Record| {
            let var = vars.get(record.number.variable as usize)?;
            (record.number.piece < var.grid.chunks()).then_some(())?;
            let region = var.grid.region(&var.grid.index(record.number.piece));
            (region.shape.bytes(var.fill.len()).ok()? as u64 == record.len).then_some((*var, region))
        };
        let records: Vec<&Record> = unfinished.earlier().iter().filter(|record| expected(record).is_some()).collect();
        let mut room = room(&records)?;
        for record in &records {
            stopped()?;
            let Some((var, region)) = expected(record) else { continue };
            let (start, count) = extent(&region);
            let bytes = &mut room.bytes_mut()[..record.len as usize];
            // SAFETY: `start` and `count` have the variable's rank, `bytes` has room for their elements in its own type
            // (see `expected`), and the file is open.
            let code = hdf5::sync::sync(|| unsafe {
                let (start, count) = (start.as_ptr(), count.as_ptr());
                netcdf_sys::nc_get_vara(self.file.id(), var.varid, start, count, bytes.as_mut_ptr().cast())
            });
            if code == netcdf_sys::NC_NOERR && record.is_of(bytes) {
                var.written.set(record.number.piece);
            }
        }
        Ok(())
    }

    fn var(&self, path: &str) -> Result<&Var> {
        find(&self.vars, path)
    }

    fn put(&self, var: &Var, chunk: &ChunkIndex, data: &[u8]) -> Result<()> {
        let (start, count) = extent(&region_of(&var.grid, var.fill.len(), chunk, data)?);
        hdf5::sync::sync(|| {
            // SAFETY: `start` and `count` have the variable's rank, `data` has their elements in its own type (checked
            // by `region_of`), the file is open and the lock is held.
            let code = unsafe {
                netcdf_sys::nc_put_vara(self.file.id(), var.varid, start.as_ptr(), count.as_ptr(), data.as_ptr().cast())
            };
            check(code, || format!("write {} bytes", data.len()))
        })?;
        let piece = var.grid.number(chunk);
        var.written.set(piece);
        match self.pending.unfinished() {
            Some(unfinished) => unfinished.add(PieceNumber { variable: var.number, piece }, 0, data),
            None => Ok(()),
        }
    }
}

/// A region as netCDF takes it.
fn extent(region: &Region) -> (Vec<usize>, Vec<usize>) {
    let lengths = |of: &[u64]| of.iter().map(|&n| n as usize).collect();
    (lengths(&region.start), lengths(&region.shape))
}

/// The entry of a variable.
pub(super) fn find<'a, T>(vars: &'a HashMap<String, T>, path: &str) -> Result<&'a T> {
    vars.get(path.trim_start_matches('/')).ok_or_else(|| {
        let mut known: Vec<String> = vars.keys().cloned().collect();
        known.sort();
        Problem::NoSuchVariable { name: path.to_string(), known }.into()
    })
}

impl Sink for Classic {
    fn grid(&self, variable: &str) -> Result<&Grid> {
        Ok(&self.var(variable)?.grid)
    }

    fn scratch(&self, variable: &str) -> Result<ScratchSize> {
        self.var(variable).map(|_| ScratchSize::default())
    }

    fn write(&self, variable: &str, chunk: &ChunkIndex, data: &[u8], _: &mut Scratch) -> Result<()> {
        if self.has(variable, chunk) {
            return Ok(());
        }
        let written = self.var(variable).and_then(|var| self.put(var, chunk, data));
        written.map_err(|e| e.in_chunk(chunk).in_variable(variable).in_file(self.pending.target()))?;
        self.pending.wrote(data.len() as u64);
        Ok(())
    }

    fn has(&self, variable: &str, chunk: &ChunkIndex) -> bool {
        let is_kept = self.pending.unfinished().is_some();
        is_kept && self.var(variable).is_ok_and(|var| var.written.has(var.grid.number(chunk)))
    }

    fn write_texts(&self, variable: &str, _: &[String]) -> Result<()> {
        let e = Error::usage("it does not hold strings");
        Err(self.var(variable).err().unwrap_or(e).in_variable(variable).in_file(self.pending.target()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        for (path, var) in &self.vars {
            let write = |chunk: &ChunkIndex, data: &[u8], _: &mut Scratch| self.put(var, chunk, data);
            write_missing(&var.grid, &var.fill, var.written.missing(), ScratchSize::default(), write)
                .map_err(|e| e.in_variable(path).in_file(self.pending.target()))?;
        }
        let Classic { file, pending, .. } = *self;
        file.close().map_err(|e| e.in_file(pending.target()))?;
        pending.commit()
    }
}
