//! One line on a terminal while a run goes on: bytes, rate, memory held of limit, time left.

use crate::{
    events::{Event, Observer},
    units::Bytes,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Draws a progress line on stderr.
#[derive(Default)]
pub struct Progress {
    bar: Mutex<Option<ProgressBar>>,
    limit: AtomicU64,
}

impl Observer for Progress {
    fn on(&self, event: &Event) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { stored, limit } => {
                self.limit.store(limit.0, Ordering::Relaxed);
                *bar = Some(line(stored.0));
            }
            Event::Chunk { stored, held, .. } => {
                if let Some(bar) = bar.as_ref() {
                    bar.inc(stored.0);
                    bar.set_message(format!("{held} of {}", Bytes(self.limit.load(Ordering::Relaxed))));
                }
            }
            Event::Finished => {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

fn line(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
    let template = "{bar:24} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} memory {msg} {eta} left";
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
