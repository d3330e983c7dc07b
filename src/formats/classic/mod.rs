//! NetCDF classic: CDF-1, CDF-2 (64-bit offset) and CDF-5 (64-bit data), read without a library.
//!
//! A small header names everything and says where it begins. Fixed variables are contiguous; record variables are
//! interleaved, one record of each after the other. Everything is big-endian.

mod header;
mod source;

use crate::{
    dtype::ByteOrder,
    error::{Error, Problem, Result},
    formats::whole,
    source::{Container, Dimension, Group, Source, Storage, StoredType, VarMeta},
    store::LocalFile,
};
use header::{Header, Kind, Var, Version};
use source::ClassicSource;
use std::{path::Path, sync::Arc};

/// Opens a classic file and reads its header.
///
/// A file that is cut short behind its header opens; reading what is missing is [`Problem::Truncated`].
///
/// # Errors
/// When the header is cut short or contradicts itself.
pub fn open(path: &Path) -> Result<Arc<dyn Container>> {
    Ok(Arc::new(Classic::of(LocalFile::open(path)?)?))
}

struct Classic {
    file: Arc<LocalFile>,
    header: Header,
    root: Group,
}

fn root(header: &Header) -> Result<Group> {
    let dims = header.dims.iter().map(|(name, len)| Dimension {
        name: name.clone(),
        len: len.unwrap_or(header.records),
        unlimited: len.is_none(),
    });
    let mut root = Group { attrs: header.attrs.clone(), dims: dims.collect(), ..Group::default() };
    for var in &header.vars {
        root.vars.push(describe(header, var)?);
    }
    Ok(root)
}

fn describe(header: &Header, var: &Var) -> Result<VarMeta> {
    let mut shape = var.slab.clone();
    if var.is_record {
        shape.0.insert(0, header.records);
    }
    let stored = match var.kind {
        Kind::Char => StoredType::Char,
        Kind::Number(dtype) => StoredType::Number { dtype, order: ByteOrder::Big },
    };
    let storage = Storage {
        stored_bytes: Some(shape.bytes(var.kind.size())? as u64),
        kind: if var.is_record { "record" } else { "contiguous" },
        ..Storage::default()
    };
    Ok(VarMeta {
        path: var.name.clone(),
        stored,
        shape,
        dims: var.dims.iter().filter_map(|&id| header.dims.get(id)).map(|d| d.0.clone()).collect(),
        dims_named: true,
        attrs: var.attrs.clone(),
        fill: None,
        storage,
    })
}

impl Classic {
    fn of(file: LocalFile) -> Result<Classic> {
        let failed = |e: Error| e.in_file(file.path());
        let header = header::read(&file).map_err(failed)?;
        let root = root(&header).map_err(failed)?;
        Ok(Classic { file: Arc::new(file), header, root })
    }

    fn find(&self, variable: &str) -> Result<usize> {
        let name = variable.trim_start_matches('/');
        let found = self.header.vars.iter().position(|v| v.name == name);
        found.ok_or_else(|| {
            let known = self.header.vars.iter().map(|v| v.name.clone()).collect();
            Error::from(Problem::NoSuchVariable { name: name.to_string(), known }).in_file(self.file.path())
        })
    }
}

impl Container for Classic {
    fn root(&self) -> &Group {
        &self.root
    }

    fn format(&self) -> &str {
        match self.header.version {
            Version::Classic => "NetCDF classic",
            Version::Offset64 => "NetCDF classic (64-bit offset)",
            Version::Data64 => "NetCDF classic (64-bit data)",
        }
    }

    fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        let number = self.find(variable)?;
        let meta = self.root.vars[number].clone();
        let source = ClassicSource::new(self.file.clone(), &self.header, number, meta);
        Ok(Arc::new(source.map_err(|e| e.in_file(self.file.path()).in_variable(variable))?))
    }

    fn texts(&self, variable: &str) -> Result<Vec<String>> {
        let meta = &self.root.vars[self.find(variable)?];
        if meta.stored != StoredType::Char {
            let e = Error::usage(format!("it holds {}, not text", meta.stored));
            return Err(e.in_file(self.file.path()).in_variable(variable));
        }
        whole::texts_of_chars(&*self.source(variable)?, self.file.len())
    }
}

#[cfg(test)]
mod tests;
