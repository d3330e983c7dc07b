//! [`Failure`]: why a task has no value, and through which tasks it lost it.

use crate::error::{Error, Problem};
use std::{borrow::Cow, sync::Arc};

/// Why a task has no value. Tasks that fail because an input failed share what lies behind them.
pub(super) struct Failure {
    task: Cow<'static, str>,
    cause: Arc<Error>,
    input: Option<Arc<Failure>>,
}

impl Failure {
    /// A task that failed by itself.
    pub fn new(task: Cow<'static, str>, cause: Error) -> Arc<Failure> {
        Arc::new(Failure { task, cause: Arc::new(cause), input: None })
    }

    /// A task that takes what failed.
    pub fn behind(task: Cow<'static, str>, input: &Arc<Failure>) -> Arc<Failure> {
        Arc::new(Failure { task, cause: input.cause.clone(), input: Some(input.clone()) })
    }

    /// The error with the path from this task to the one that failed.
    pub fn error(&self) -> Error {
        let (mut path, mut at) = (vec![self.task.to_string()], self);
        while let Some(input) = &at.input {
            path.push(input.task.to_string());
            at = input;
        }
        Problem::Task { path, cause: self.cause.clone() }.into()
    }
}

/// One after the other: a chain of any length must not use up the stack.
impl Drop for Failure {
    fn drop(&mut self) {
        let mut next = self.input.take();
        while let Some(mut failure) = next.and_then(Arc::into_inner) {
            next = failure.input.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_shares_its_cause_and_its_drop_needs_no_stack() {
        let first = Failure::new("0".into(), Error::usage("no"));
        let mut last = first.clone();
        for n in 1..300_000 {
            last = Failure::behind(n.to_string().into(), &last);
        }
        let error = last.error();
        let Problem::Task { path, cause } = error.problem() else { panic!("{error}") };
        assert_eq!((path.len(), path[0].as_str(), path[299_999].as_str()), (300_000, "299999", "0"));
        assert!(Arc::ptr_eq(cause, &first.cause));
        drop(last);
        assert_eq!(Arc::strong_count(&first), 1);
    }
}
