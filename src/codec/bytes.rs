//! Reading stored bytes one field after another.

use crate::error::{Error, Result};

/// What of a codec's input is not read yet.
pub(super) struct Reader<'a> {
    codec: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `input`; errors carry the codec's name.
    pub(super) fn new(codec: &'static str, input: &'a [u8]) -> Reader<'a> {
        Reader { codec, rest: input }
    }

    /// The next `n` bytes.
    pub(super) fn bytes(&mut self, n: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(n).ok_or_else(|| self.short(n))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The next `N` bytes as an array.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(|| self.short(N))?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// All that is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn short(&self, n: usize) -> Error {
        Error::codec(self.codec, format!("the stored data ends {} bytes into a field of {n}", self.rest.len()))
    }
}
