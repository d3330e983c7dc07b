//! Where bytes lie: local files and zip archives to read ([`LocalFile`], [`ZipArchive`]), and outputs that appear
//! whole or not at all ([`Pending`]), or are gone on with ([`Unfinished`]).

#[cfg(test)]
mod faults;
mod local;
mod pending;
mod stale;
mod unfinished;
mod write;
mod zip;

#[cfg(test)]
pub(crate) use faults::Fault;
pub use local::{LocalFile, ReadAt};
pub use pending::{Form, Pending};
pub use stale::clear_stale;
pub use unfinished::{PieceNumber, Record, RunIdentity, Unfinished, unfinished_beside};
pub(crate) use write::write_all_at;
pub use zip::{ZipArchive, ZipEntry};
