//! Where bytes lie: local files and zip archives to read ([`LocalFile`], [`ZipArchive`]), and outputs that appear
//! whole or not at all ([`Pending`]).

#[cfg(test)]
mod faults;
mod local;
mod pending;
mod zip;

#[cfg(test)]
pub(crate) use faults::Fault;
pub use local::{LocalFile, ReadAt};
pub use pending::{Form, Pending};
pub use zip::{ZipArchive, ZipEntry};
