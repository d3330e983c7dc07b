//! The same work on many files, by a few threads.

use crate::error::Result;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// More threads do not open files faster.
const THREADS_MAX: usize = 16;

/// The results of `work` on the numbers below `count`, in order.
pub(super) fn each<T: Send>(count: usize, work: impl Fn(usize) -> Result<T> + Sync) -> Vec<Result<T>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    let run = || {
        let mut own = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                break;
            }
            own.push((n, work(n)));
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX).min(count);
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(run)));
        run();
    });
    let mut done: Vec<(usize, Result<T>)> = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(n, _)| *n);
    debug_assert_eq!(done.len(), count, "every number is worked on once");
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn results_come_in_order() {
        let squares = each(1000, |n| if n == 500 { Err(Error::usage("no")) } else { Ok(n * n) });
        assert!(squares.iter().enumerate().all(|(n, s)| s.as_ref().map_or(n == 500, |s| *s == n * n)));
        assert!(each(0, Ok).is_empty());
    }
}
