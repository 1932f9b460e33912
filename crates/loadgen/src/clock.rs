//! The one place that reads the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::number::nanos;

/// Counts nanoseconds from its start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "to measure is what this program is for")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "to measure is what this program is for")]
    pub(crate) fn now(self) -> u64 {
        nanos(self.0.elapsed())
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_nanos(self.now())
    }
}

/// A number that no run before this one is likely to have had.
#[expect(clippy::disallowed_methods, reason = "names of one run must not be those of another")]
pub(crate) fn run_number() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (u32::try_from(since.as_millis() & u128::from(u32::MAX)).unwrap_or_default())
        .wrapping_add(std::process::id().wrapping_mul(65_537))
}
