use crate::{
    codec::{Scratch, ScratchSize},
    error::{Error, Result},
    grid::Grid,
    shape::ChunkIndex,
    source::{Group, Sink},
};
use std::path::Path;
pub(super) struct ZarrSink;
impl ZarrSink {
    pub(super) fn create(_: &Path, _: super::OutputFormat, _: &Group) -> Result<ZarrSink> {
        Err(Error::unsupported("x"))
    }
}
impl Sink for ZarrSink {
    fn grid(&self, _: &str) -> Result<&Grid> {
        Err(Error::unsupported("x"))
    }
    fn scratch(&self, _: &str) -> Result<ScratchSize> {
        Err(Error::unsupported("x"))
    }
    fn write(&self, _: &str, _: &ChunkIndex, _: &[u8], _: &mut Scratch) -> Result<()> {
        Ok(())
    }
    fn write_texts(&self, _: &str, _: &[String]) -> Result<()> {
        Ok(())
    }
    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
