//! Where bytes lie: local files to read ([`LocalFile`]), and outputs that appear whole or not at all ([`Pending`]).

mod local;
mod pending;

pub use local::LocalFile;
pub use pending::Pending;
