//! bzip2 streams.

use crate::error::{Error, Result};
use bzip2::{Action, Compress, Compression, Decompress, Status};

const NAME: &str = "bzip2";

/// Bytes that the library takes to decode: four for each byte of its largest block, and tables.
pub(super) const DECODE_STATE_BYTES: usize = 4 * 900_000 + (128 << 10);

/// Bytes that the library takes to encode at `level`.
pub(super) fn encode_state_bytes(level: u8) -> usize {
    8 * 100_000 * level as usize + (512 << 10)
}

/// Decodes one stream or several one behind the other, and says how many bytes they gave.
pub(super) fn decode(mut input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut done = 0;
    loop {
        let mut stream = Decompress::new(false);
        loop {
            let (read, written) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(input, &mut out[done..]).map_err(|e| Error::codec(NAME, e.to_string()))?;
            let (read, written) = ((stream.total_in() - read) as usize, (stream.total_out() - written) as usize);
            input = input.get(read..).unwrap_or_default();
            done += written;
            match status {
                Status::StreamEnd if input.starts_with(b"BZh") => break,
                Status::StreamEnd => return Ok(done),
                _ if read == 0 && written == 0 && done == out.len() => {
                    return Err(Error::codec(
                        NAME,
                        format!("the stored data gives more than the {done} bytes expected"),
                    ));
                }
                _ if read == 0 && written == 0 => {
                    return Err(Error::codec(NAME, "the stored data ends too early"));
                }
                _ => {}
            }
        }
    }
}

/// Compresses `input` and says how many bytes it became.
pub(super) fn encode(level: u8, mut input: &[u8], out: &mut [u8]) -> Result<usize> {
    if !(1..=9).contains(&level) {
        return Err(Error::codec(NAME, format!("there is no level {level}; levels are 1 to 9")));
    }
    let mut stream = Compress::new(Compression::new(level.into()), 0);
    loop {
        let (read, written) = (stream.total_in(), stream.total_out() as usize);
        let status = stream
            .compress(input, &mut out[written..], Action::Finish)
            .map_err(|e| Error::codec(NAME, e.to_string()))?;
        input = input.get((stream.total_in() - read) as usize..).unwrap_or_default();
        match status {
            Status::StreamEnd => return Ok(stream.total_out() as usize),
            _ if stream.total_in() == read && stream.total_out() as usize == written => {
                return Err(Error::codec(NAME, format!("what it makes does not fit the {written} bytes reserved")));
            }
            _ => {}
        }
    }
}
