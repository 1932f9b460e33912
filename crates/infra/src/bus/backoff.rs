//! How long to wait before trying again.

use std::time::Duration;

use crate::clock::random_number;

/// The first wait is at most this long.
const FIRST: Duration = Duration::from_millis(100);

/// No wait is longer than this: what is away for long is still to be found again soon.
const LONGEST: Duration = Duration::from_secs(2);

/// Waits that get longer, each by chance between a half of what it may be and all of it, so that nodes that lost the same thing
/// do not come back at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    limit: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { limit: FIRST }
    }
}

impl Backoff {
    /// For how long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let limit = self.limit;
        self.limit = (limit * 2).min(LONGEST);
        // 32 random bits, as a share of one.
        let share = f64::from(random_number()) / (f64::from(u32::MAX) + 1.0);
        limit.mul_f64(0.5 + share / 2.0)
    }

    /// It has worked: the next wait is a first one.
    pub(super) fn reset(&mut self) {
        self.limit = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_get_longer_up_to_a_bound_and_are_not_all_the_same() {
        let mut backoff = Backoff::default();
        let mut limit = FIRST;
        for _ in 0..10 {
            let wait = backoff.next();
            assert!(limit / 2 <= wait && wait <= limit, "{wait:?} of {limit:?}");
            limit = (limit * 2).min(LONGEST);
        }
        let waits: Vec<_> = (0..10).map(|_| backoff.next()).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
