//! Several zlib streams inflated side by side, on one thread.
//!
//! Where one code ends is known when it has been looked up, so that in noise, which is stored as codes of single bytes, a
//! processor mostly waits: for the first cache, once a byte. Chunks of one variable have their noise at about the same
//! places, and the codes of several streams do not wait for each other. So streams whose block is one of single bytes go on
//! [`together`], five bytes of each at a time; blocks of repetitions, where guessing wrong costs more than waiting, are
//! inflated alone, about as fast as libdeflate does it.
//!
//! Measured on shuffled maps, four at a time, on one core of one machine, in libdeflate's speed: bytes of noise 2.1; the
//! maps of an air temperature whose bits are rounded 1.26; those of a wind 1.14.
//!
//! Whatever goes wrong here says only that it did: the streams are inflated anew one by one then, by the library, which
//! says what is wrong. Each stream's checksum is verified, as the library does it.

mod stream;
mod tables;
#[cfg(test)]
mod tests;
mod together;

use stream::{Part, Stream};
use tables::Tables;

/// Streams that are inflated at a time.
pub const AT_ONCE: usize = 4;

/// Bytes of [`Contexts`].
pub(super) const STATE_BYTES: usize = AT_ONCE * size_of::<Tables>();

/// What is kept from one call to the next.
#[derive(Default)]
pub(super) struct Contexts(Option<Box<[Tables; AT_ONCE]>>);

/// Whether this machine has the instructions that make it worth while.
pub fn is_worth_it() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Inflates zlib streams, [`AT_ONCE`] at a time, each to an output of the length that it has to give, and says whether that
/// went well. Else the outputs are anything.
pub(super) fn inflate<'a>(
    contexts: &mut Contexts,
    mut streams: impl Iterator<Item = (&'a [u8], &'a mut [u8])>,
) -> bool {
    let tables = contexts.0.get_or_insert_with(|| Box::new([const { Tables::new() }; AT_ONCE]));
    loop {
        let some = tables.iter_mut().zip(&mut streams).map(|(tables, (input, out))| Stream::new(input, out, tables));
        let Some(mut some) = some.collect::<Option<Vec<_>>>() else { return false };
        if some.is_empty() {
            return true;
        }
        if all(&mut some).is_none() {
            return false;
        }
    }
}

fn all(streams: &mut [Stream<'_>]) -> Option<()> {
    streams.iter_mut().try_for_each(Stream::reach_literals)?;
    loop {
        let mut ready: Vec<_> = streams.iter_mut().filter(|s| s.part == Part::Literals).collect();
        let stopped = match &mut ready[..] {
            [] => break,
            [one] => {
                one.reach_end()?;
                continue;
            }
            [a, b] => together::run([a, b]),
            [a, b, c] => together::run([a, b, c]),
            [a, b, c, d, ..] => together::run([a, b, c, d]),
        };
        ready[stopped?].reach_literals()?;
    }
    streams.iter().all(Stream::is_whole).then_some(())
}
