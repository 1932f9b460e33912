//! What is told meanwhile, on a terminal only.

use std::io::{IsTerminal, Write, stderr};

use crate::clock::Clock;

/// Nanoseconds between two tellings: as often as one can read.
const PAUSE: u64 = 100_000_000;

const WIDTH: usize = 30;

/// One line on standard error, written over and over, and taken away in the end.
#[derive(Debug)]
pub(crate) struct Progress {
    clock: Option<Clock>,
    last: u64,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { clock: stderr().is_terminal().then(Clock::start), last: 0 }
    }

    /// That so much of it is done.
    pub(crate) fn say(&mut self, what: &str, done: usize, of: usize) {
        let Some(now) = self.clock.map(Clock::now) else { return };
        if now < self.last + PAUSE {
            return;
        }
        self.last = now;
        let filled = (done * WIDTH).checked_div(of).unwrap_or_default().min(WIDTH);
        let bar = format!("{:#<filled$}{:-<rest$}", "", "", rest = WIDTH - filled);
        // Who cannot be told is none the worse for it.
        let _ = write!(stderr(), "\r\x1b[K{what} [{bar}] {done}/{of}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.clock.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
