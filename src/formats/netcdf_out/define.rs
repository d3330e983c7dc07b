//! The definition of a file through netCDF-C.

use super::{
    attributes::{put_all, put_bytes, put_texts},
    image,
    schema::{Declared, Filters, Place, Schema},
};
use crate::{
    error::{Error, Problem, Result},
    formats::OutputFormat,
    source::Group,
};
use netcdf_sys as nc;
use std::{
    collections::HashMap,
    ffi::{CStr, CString, c_char, c_int},
    os::unix::ffi::OsStrExt,
    path::Path,
};

/// A file that is open in netCDF-C; dropped, it is closed.
#[derive(Debug)]
pub(super) struct Open(c_int);

impl Open {
    /// netCDF's number for it.
    pub fn id(&self) -> c_int {
        self.0
    }

    /// Closes it, and says whether all went to the disk.
    ///
    /// # Errors
    /// When the library could not write all of it.
    pub fn close(self) -> Result<()> {
        let id = self.0;
        std::mem::forget(self);
        // SAFETY: `id` is open, since only this and `drop` close it.
        check(hdf5::sync::sync(|| unsafe { nc::nc_close(id) }), || "close the output".into())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: as in `close`.
        hdf5::sync::sync(|| unsafe { nc::nc_abort(self.0) });
    }
}

/// A defined file.
#[derive(Debug)]
pub(super) struct Defined {
    /// The file, out of define mode.
    pub file: Open,
    /// Where each variable is, in the schema's order.
    pub vars: Vec<DefinedVar>,
    /// HDF5's paths of dimensions that can grow and have no variable of their own, with their lengths.
    pub growing: Vec<(String, u64)>,
}

/// Where one variable is.
#[derive(Debug)]
pub(super) struct DefinedVar {
    /// netCDF's number for it in its group.
    pub varid: c_int,
    /// HDF5's path of its dataset.
    pub dataset: String,
}

/// Creates the file at `path`, which may be there, with everything but the data.
///
/// # Errors
/// When netCDF refuses.
pub(super) fn define(path: &Path, schema: &Schema) -> Result<Defined> {
    let c_path = c_path(path)?;
    let mode = match schema.format {
        OutputFormat::NetCdf3 => nc::NC_64BIT_OFFSET,
        OutputFormat::NetCdf5 => nc::NC_64BIT_DATA,
        // In memory: netCDF reads freed memory when HDF5 cannot write a file to the end.
        _ => nc::NC_NETCDF4 | nc::NC_DISKLESS,
    };
    hdf5::sync::sync(|| {
        let mut ncid = 0;
        // SAFETY: the path ends with NUL, and `ncid` outlives the call; the lock is held, here and below.
        check(unsafe { nc::nc_create(c_path.as_ptr(), mode, &mut ncid) }, || "create the output".into())?;
        let mut definer = Definer { schema, next: 0, scope: Vec::new(), vars: Vec::new(), growing: Vec::new() };
        let file = Open(ncid);
        if schema.format != OutputFormat::NetCdf4 {
            // What is not written is filled at the end: netCDF would write everything twice.
            // SAFETY: the file is open; the old mode is not asked for.
            check(unsafe { nc::nc_set_fill(ncid, nc::NC_NOFILL, &mut 0) }, || "turn off filling".into())?;
        }
        definer.group(ncid, "", &schema.root)?;
        // SAFETY: the file is open.
        check(unsafe { nc::nc_enddef(ncid) }, || "write the header".into())?;
        if schema.format == OutputFormat::NetCdf4 {
            let image = image::of(&c_path)?;
            let failed = |e| Error::io(format!("write {} bytes of metadata", image.len()), e);
            std::fs::write(path, &image).map_err(failed)?;
        }
        Ok(Defined { file, vars: definer.vars, growing: definer.growing })
    })
}

/// A path as C has it. It is absolute: netCDF takes a relative one with a colon for a URL.
fn c_path(path: &Path) -> Result<CString> {
    let path = std::path::absolute(path).map_err(|e| Error::io("find the output", e))?;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::usage("a NUL in the output's name"))
}

/// Opens a classic file of this schema again, to write.
///
/// # Errors
/// When netCDF refuses.
pub(super) fn reopen(path: &Path, schema: &Schema) -> Result<Defined> {
    let c_path = c_path(path)?;
    hdf5::sync::sync(|| {
        let mut ncid = 0;
        // SAFETY: the path ends with NUL, and `ncid` outlives the call; the lock is held.
        check(unsafe { nc::nc_open(c_path.as_ptr(), nc::NC_WRITE, &mut ncid) }, || {
            "open the unfinished output".into()
        })?;
        let file = Open(ncid);
        // SAFETY: the file is open; the old mode is not asked for.
        check(unsafe { nc::nc_set_fill(ncid, nc::NC_NOFILL, &mut 0) }, || "turn off filling".into())?;
        // A classic file counts its variables in the order in which they were defined.
        let vars = (0..schema.vars.len() as c_int).map(|varid| DefinedVar { varid, dataset: String::new() }).collect();
        Ok(Defined { file, vars, growing: Vec::new() })
    })
}

struct Definer<'a> {
    schema: &'a Schema,
    /// The variable to define next: the schema has them in the order of groups.
    next: usize,
    /// The dimensions of the groups around, outermost first.
    scope: Vec<HashMap<String, c_int>>,
    vars: Vec<DefinedVar>,
    growing: Vec<(String, u64)>,
}

impl Definer<'_> {
    fn group(&mut self, ncid: c_int, path: &str, group: &Group) -> Result<()> {
        put_all(ncid, nc::NC_GLOBAL, &group.attrs, self.schema.format)?;
        self.dimensions(ncid, path, group)?;
        for _ in &group.vars {
            if let Some(var) = self.schema.vars.get(self.next) {
                self.next += 1;
                let defined = self.variable(ncid, path, var).map_err(|e| e.in_variable(&var.meta.path))?;
                self.vars.push(defined);
            }
        }
        for inner in &group.groups {
            let name = name_of(&inner.name)?;
            let mut id = 0;
            // SAFETY: the name ends with NUL, `id` outlives the call, and the lock is held.
            check(unsafe { nc::nc_def_grp(ncid, name.as_ptr(), &mut id) }, || format!("group '{}'", inner.name))?;
            // SAFETY: netCDF writes at most NC_MAX_NAME + 1 bytes.
            let stored = stored_name(|out| unsafe { nc::nc_inq_grpname(id, out) })?;
            self.group(id, &format!("{path}/{stored}"), inner)?;
        }
        self.scope.pop();
        Ok(())
    }

    fn dimensions(&mut self, ncid: c_int, path: &str, group: &Group) -> Result<()> {
        let mut ids = HashMap::new();
        for dim in &group.dims {
            let name = name_of(&dim.name)?;
            let len = if dim.unlimited { nc::NC_UNLIMITED } else { usize::try_from(dim.len).unwrap_or(usize::MAX) };
            let mut id = 0;
            // SAFETY: the name ends with NUL, `id` outlives the call, and the lock is held.
            check(unsafe { nc::nc_def_dim(ncid, name.as_ptr(), len, &mut id) }, || {
                format!("dimension '{}' of length {}", dim.name, dim.len)
            })?;
            ids.insert(dim.name.clone(), id);
            let is_coordinate = |v: &crate::source::VarMeta| v.name() == dim.name && v.dims.first() == Some(&dim.name);
            if dim.unlimited && !group.vars.iter().any(is_coordinate) {
                // SAFETY: netCDF writes at most NC_MAX_NAME + 1 bytes.
                let stored = stored_name(|out| unsafe { nc::nc_inq_dimname(ncid, id, out) })?;
                self.growing.push((format!("{path}/{stored}"), dim.len));
            }
        }
        self.scope.push(ids);
        Ok(())
    }

    fn variable(&self, ncid: c_int, path: &str, var: &Declared) -> Result<DefinedVar> {
        let find = |name: &String| self.scope.iter().rev().find_map(|ids| ids.get(name)).copied();
        let dims: Option<Vec<c_int>> = var.meta.dims.iter().map(find).collect();
        let dims = dims.ok_or_else(|| Error::corrupt("schema", "a dimension is not declared"))?;
        let name = name_of(var.meta.name())?;
        let mut varid = 0;
        // SAFETY: the name ends with NUL, `dims` has the announced length, `varid` outlives the call, the lock is held.
        let code =
            unsafe { nc::nc_def_var(ncid, name.as_ptr(), var.nc_type, dims.len() as c_int, dims.as_ptr(), &mut varid) };
        check(code, || format!("variable '{}'", var.meta.name()))?;
        if self.schema.format == OutputFormat::NetCdf4 {
            storage(ncid, varid, var)?;
        }
        if let Some(fill) = &var.fill_declared {
            match var.nc_type {
                nc::NC_STRING => {
                    let text = String::from_utf8_lossy(fill).into_owned();
                    put_texts(ncid, varid, "_FillValue", &[text])?;
                }
                xtype => put_bytes(ncid, varid, "_FillValue", xtype, 1, fill)?,
            }
        }
        put_all(ncid, varid, &var.meta.attrs, self.schema.format)?;
        // SAFETY: netCDF writes at most NC_MAX_NAME + 1 bytes.
        let mut stored = stored_name(|out| unsafe { nc::nc_inq_varname(ncid, varid, out) })?;
        let own_dims = self.scope.last();
        let same_named = own_dims.and_then(|ids| ids.get(var.meta.name()));
        if same_named.is_some() && same_named != dims.first() {
            // netCDF renames what is called like a dimension and is not its coordinate.
            stored.insert_str(0, "_nc4_non_coord_");
        }
        Ok(DefinedVar { varid, dataset: format!("{path}/{stored}") })
    }
}

fn storage(ncid: c_int, varid: c_int, var: &Declared) -> Result<()> {
    let (chunk, filters) = match &var.place {
        Place::Plain => return Ok(()),
        Place::Chunked(filters) => (var.grid.chunk(), *filters),
        Place::Texts(Some(chunk)) => (chunk, Filters::default()),
        Place::Texts(None) => return Ok(()),
    };
    let lengths: Vec<usize> = chunk.iter().map(|&n| usize::try_from(n).unwrap_or(usize::MAX)).collect();
    // SAFETY: `lengths` has the variable's rank, and the lock is held.
    let code = unsafe { nc::nc_def_var_chunking(ncid, varid, nc::NC_CHUNKED, lengths.as_ptr()) };
    check(code, || format!("chunks of {chunk}"))?;
    if filters.shuffle || filters.deflate.is_some() {
        let (deflate, level) = (filters.deflate.is_some(), filters.deflate.unwrap_or(0));
        // SAFETY: numbers only; the lock is held.
        let code = unsafe { nc::nc_def_var_deflate(ncid, varid, filters.shuffle.into(), deflate.into(), level.into()) };
        check(code, || "shuffle and deflate".into())?;
    }
    if filters.fletcher32 {
        // SAFETY: numbers only; the lock is held.
        check(unsafe { nc::nc_def_var_fletcher32(ncid, varid, 1) }, || "fletcher32".into())?;
    }
    // netCDF's own would take 16 MiB and more a variable, and nothing goes through it.
    // SAFETY: numbers only; the lock is held.
    check(unsafe { nc::nc_set_var_chunk_cache(ncid, varid, 1, 1, 0.75) }, || "chunk cache".into())
}

/// A name as C has it.
///
/// # Errors
/// When it has a NUL inside.
pub(super) fn name_of(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| Error::usage(format!("the name {name:?} has a NUL inside")))
}

/// The name as it is in the file: netCDF composes accents.
fn stored_name(ask: impl FnOnce(*mut c_char) -> c_int) -> Result<String> {
    let mut out = [0 as c_char; nc::NC_MAX_NAME as usize + 1];
    check(ask(out.as_mut_ptr()), || "read a name back".into())?;
    let bytes: Vec<u8> = out.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    String::from_utf8(bytes).map_err(|_| Error::corrupt("schema", "a name is not UTF-8"))
}

/// The error of a netCDF code; `what` says what was tried.
///
/// # Errors
/// When `code` is one.
pub(super) fn check(code: c_int, what: impl FnOnce() -> String) -> Result<()> {
    match code {
        nc::NC_NOERR => Ok(()),
        code if code > 0 => Err(Error::io(what(), std::io::Error::from_raw_os_error(code))),
        nc::NC_EDIMSIZE | nc::NC_EVARSIZE => {
            Err(Error::usage(format!("{}: too large for 64-bit offsets; write with --format nc5", what())))
        }
        nc::NC_EBADNAME => {
            let rule =
                "names begin with a letter, a digit or '_', have no '/' and end with no space; Zarr takes others";
            Err(Error::unsupported(format!("the name of {} in NetCDF ({rule})", what())))
        }
        code => {
            // SAFETY: netCDF gives a static text for every code; null is checked for.
            let words = unsafe {
                let text = nc::nc_strerror(code);
                if text.is_null() { "unknown error".into() } else { CStr::from_ptr(text).to_string_lossy() }
            };
            Err(Problem::Library { library: "netCDF", detail: format!("{}: {words}", what()) }.into())
        }
    }
}
