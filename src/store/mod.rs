//! Where bytes lie: local files and zip archives to read ([`LocalFile`], [`ZipArchive`]), and outputs that appear
//! whole or not at all ([`Pending`]).

mod local;
mod pending;
mod zip;

pub use local::LocalFile;
pub use pending::{Form, Pending};
pub use zip::{ZipArchive, ZipEntry};
