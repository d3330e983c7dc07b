use super::{
    define::{Defined, Open, check},
    region_of,
    schema::Schema,
    write_missing,
    written::Written,
};
use crate::{
    codec::{Scratch, ScratchSize},
    error::{Error, Problem, Result},
    grid::Grid,
    shape::ChunkIndex,
    source::Sink,
    store::Pending,
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
    varid: c_int,
    grid: Grid,
    fill: Vec<u8>,
    written: Written,
}

impl Classic {
    /// Takes a defined file over.
    ///
    /// # Errors
    /// None yet.
    pub fn new(pending: Pending, defined: Defined, schema: &Schema) -> Result<Classic> {
        let vars = schema.vars.iter().zip(&defined.vars).map(|(declared, at)| {
            let written = Written::new(&declared.grid);
            let var = Var { varid: at.varid, grid: declared.grid.clone(), fill: declared.fill.clone(), written };
            (declared.meta.path.clone(), var)
        });
        Ok(Classic { vars: vars.collect(), file: defined.file, pending })
    }

    fn var(&self, path: &str) -> Result<&Var> {
        find(&self.vars, path)
    }

    fn put(&self, var: &Var, chunk: &ChunkIndex, data: &[u8]) -> Result<()> {
        let region = region_of(&var.grid, var.fill.len(), chunk, data)?;
        let start: Vec<usize> = region.start.iter().map(|&n| n as usize).collect();
        let count: Vec<usize> = region.shape.iter().map(|&n| n as usize).collect();
        hdf5::sync::sync(|| {
            // SAFETY: `start` and `count` have the variable's rank, `data` has their elements in its own type (checked
            // by `region_of`), the file is open and the lock is held.
            let code = unsafe {
                netcdf_sys::nc_put_vara(self.file.id(), var.varid, start.as_ptr(), count.as_ptr(), data.as_ptr().cast())
            };
            check(code, || format!("write {} bytes", data.len()))
        })?;
        var.written.set(var.grid.number(chunk));
        Ok(())
    }
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
        let written = self.var(variable).and_then(|var| self.put(var, chunk, data));
        written.map_err(|e| e.in_chunk(chunk).in_variable(variable).in_file(self.pending.target()))?;
        self.pending.wrote(data.len() as u64);
        Ok(())
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
