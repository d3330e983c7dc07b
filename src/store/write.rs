//! Bytes written to a file in steps.

use std::{fs::File, io, os::unix::fs::FileExt};

/// Bytes of one step. What is asked to write much at once puts it in large pages, for which Linux looks for memory
/// that nobody used lately: on a virtual machine the host has to bring it first, and writing megabytes at once took
/// four to nine times as long as writing them so.
const STEP: usize = 256 << 10;

/// Writes all of `bytes` from `offset`.
///
/// # Errors
/// When the system refuses.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut at = offset;
    for step in bytes.chunks(STEP) {
        file.write_all_at(step, at)?;
        at += step.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_one_after_the_other() {
        let file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..STEP as u32 * 2 / 4 + 9).flat_map(u32::to_le_bytes).collect();
        write_all_at(&file, &bytes, 5).unwrap();
        let mut back = vec![1; 5 + bytes.len()];
        file.read_exact_at(&mut back, 0).unwrap();
        assert_eq!(back[..5], [0; 5]);
        assert_eq!(back[5..], bytes);
        assert_eq!(file.metadata().unwrap().len(), back.len() as u64);
    }
}
