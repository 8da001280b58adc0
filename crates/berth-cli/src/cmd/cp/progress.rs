//! How far a copy is, on a line of standard error that is written over; nothing where nobody looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::unit::size;

/// Between two looks.
const STEP: Duration = Duration::from_millis(100);

/// A copy that is told about.
#[derive(Debug)]
pub(super) struct Progress {
    bytes: Arc<AtomicU64>,
    shown: Instant,
    what: &'static str,
    quiet: bool,
}

impl Progress {
    /// `what`: `Copying to container`.
    pub(super) fn new(what: &'static str, quiet: bool) -> Self {
        if !quiet {
            eprint!("\x1b[?25l{what} - 0B");
        }
        Self { bytes: Arc::default(), shown: Instant::now(), what, quiet }
    }

    /// So many bytes more.
    pub(super) fn add(&mut self, bytes: usize) {
        let all = self.bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if !self.quiet && self.shown.elapsed() >= STEP {
            eprint!("\r\x1b[2K{} - {}", self.what, human(all));
            self.shown = Instant::now();
        }
    }

    /// The line goes; where it went well, it says how much went where.
    pub(super) fn finish(self, target: Option<&str>) {
        if self.quiet {
            return;
        }
        eprint!("\r\x1b[2K\x1b[?25h");
        if let Some(target) = target {
            eprintln!("Successfully copied {} to {target}", human(self.bytes.load(Ordering::Relaxed)));
        }
    }
}

fn human(bytes: u64) -> String {
    size::human3(i64::try_from(bytes).unwrap_or(i64::MAX))
}
