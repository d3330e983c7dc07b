//! The container formats, and [`open()`], which picks one.

pub mod classic;
pub mod hdf5;
pub mod netcdf_out;
pub mod whole;
pub mod zarr;

use crate::{
    error::{Error, Problem, Result},
    source::{Container, Group, Sink},
    store::RunIdentity,
};
use std::{io::Read, path::Path, sync::Arc};

/// What an output is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// NetCDF-4 (HDF5).
    NetCdf4,
    /// NetCDF classic with 64-bit offsets (CDF-2).
    NetCdf3,
    /// NetCDF classic with 64-bit data (CDF-5).
    NetCdf5,
    /// Zarr, version 2 metadata.
    Zarr2,
    /// Zarr, version 3 metadata.
    Zarr3,
}

/// Opens a file or store by what it is, not by what it is called.
///
/// # Errors
/// When it is none of the formats, or its metadata is broken.
pub fn open(path: &Path) -> Result<Arc<dyn Container>> {
    let fail = |e: Error| e.in_file(path);
    if path.is_dir() {
        return zarr::open(path).map_err(fail);
    }
    // Opening a pipe would wait for somebody to write to it.
    let kind = std::fs::metadata(path).map_err(|e| fail(Error::io("open", e)))?;
    if !kind.is_file() {
        return Err(fail(Problem::NotAFormat { found: "it is no regular file".into() }.into()));
    }
    let mut head = [0u8; 256];
    let mut got = 0;
    let mut file = std::fs::File::open(path).map_err(|e| fail(Error::io("open", e)))?;
    while got < head.len() {
        match file.read(&mut head[got..]).map_err(|e| fail(Error::io("read", e)))? {
            0 => break,
            n => got += n,
        }
    }
    let head = &head[..got];
    let container = if head.starts_with(b"CDF") {
        classic::open(path)
    } else if head.starts_with(b"PK\x03\x04") {
        zarr::open(path)
    } else if hdf5::is_hdf5(path)? {
        hdf5::open(path)
    } else if is_references(head) {
        Err(Error::unsupported("a file of references to chunks in other files (kerchunk)"))
    } else {
        Err(Problem::NotAFormat { found: describe(&head[..got.min(8)]) }.into())
    };
    container.map_err(fail)
}

/// Creates an output that will hold what `root` declares: every dimension, attribute, group and variable.
///
/// # Errors
/// When the target cannot be written, or the format cannot hold what is declared.
pub fn create(path: &Path, format: OutputFormat, root: &Group) -> Result<Box<dyn Sink>> {
    let sink = match format {
        OutputFormat::NetCdf4 | OutputFormat::NetCdf3 | OutputFormat::NetCdf5 => netcdf_out::create(path, format, root),
        OutputFormat::Zarr2 | OutputFormat::Zarr3 => zarr::create(path, format, root),
    };
    sink.map_err(|e| e.in_file(path))
}

/// As [`create`], but what is written stays when the run ends early, and the same `run` goes on with it. `stopped` is asked
/// now and then whether to go on.
///
/// # Errors
/// As there; when what is there was of another run; what `stopped` says.
pub fn resume(
    path: &Path,
    format: OutputFormat,
    root: &Group,
    run: &RunIdentity,
    stopped: &dyn Fn() -> Result<()>,
) -> Result<Box<dyn Sink>> {
    let sink = match format {
        OutputFormat::NetCdf4 | OutputFormat::NetCdf3 | OutputFormat::NetCdf5 => {
            netcdf_out::resume(path, format, root, run, stopped)
        }
        OutputFormat::Zarr2 | OutputFormat::Zarr3 => zarr::resume(path, format, root, run),
    };
    sink.map_err(|e| e.in_file(path))
}

/// Whether it is kerchunk's JSON, of either version.
fn is_references(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let keys = ["\"refs\"", "\".zgroup\"", "\".zattrs\"", "\".zmetadata\"", "zarr.json\""];
    text.trim_start().starts_with('{') && keys.iter().any(|key| text.contains(key))
}

fn describe(head: &[u8]) -> String {
    match head {
        [] => "the file is empty".into(),
        _ if head.starts_with(b"GRIB") => "it is GRIB".into(),
        _ if head.starts_with(&[0x0e, 0x03, 0x13, 0x01]) => "it is HDF4".into(),
        _ if head.starts_with(&[0x1f, 0x8b]) => "it is gzip; unpack it first".into(),
        _ if head.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) => "it is text".into(),
        _ => format!("it begins with {head:02x?}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn references_to_other_files_are_said_to_be() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            let of = if name.contains('/') { path.parent().unwrap() } else { &path };
            let e = open(of).err().unwrap();
            assert_eq!(e.class(), crate::error::Class::Unsupported, "{e}");
            e.to_string()
        };
        for text in [r#"{"version": 1, "refs": {"#, "{\n \".zgroup\": \"{}\"}", r#"{".zattrs": "{}"}"#] {
            assert!(refused("a.json", text).contains("references"), "{text}");
        }
        // Its chunks are in tables, and none of them are where those of Zarr would be.
        let e = refused("b.parq/.zmetadata", r#"{"metadata": {".zgroup": {"zarr_format": 2}}, "record_size": 1000}"#);
        assert!(e.contains("references"), "{e}");
        std::fs::create_dir_all(dir.path().join("ice/manifests")).unwrap();
        std::fs::create_dir_all(dir.path().join("ice/snapshots")).unwrap();
        assert!(refused("ice/repo", "").contains("an Icechunk repository is not supported"));
        assert!(refused("n5/attributes.json", r#"{"n5": "2.0.0"}"#).contains("an N5 container is not supported"));
        let e = open(&dir.path().join("n5/attributes.json")).err().unwrap();
        assert!(e.to_string().contains("(it is text)"), "{e}");
    }

    #[test]
    fn devices_are_not_waited_for() {
        let problem = open(Path::new("/dev/zero")).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(problem.contains("no regular file"), "{problem}");
    }
}
