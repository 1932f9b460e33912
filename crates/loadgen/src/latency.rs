//! How long things took.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::number::float;

/// The longest that is told apart, in nanoseconds.
const LONGEST: u64 = 600_000_000_000;

/// Counted in nanoseconds, with three digits.
#[derive(Debug)]
pub(crate) struct Latencies(Histogram<u64>);

/// In milliseconds: so long at most took so many of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("these bounds are good"))
    }

    #[inline]
    pub(crate) fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    /// Of none there is nothing to say.
    pub(crate) fn quantiles(&self) -> Option<Quantiles> {
        let at = |quantile| float(self.0.value_at_quantile(quantile)) / 1e6;
        (!self.0.is_empty()).then(|| Quantiles {
            count: self.0.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: float(self.0.max()) / 1e6,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A server that answers within 1 ms, and stands still for a second in the middle of ten: a client that waits
    /// would have sent one message in that second, a schedule has 100, of which the first waits longest.
    #[test]
    fn a_server_that_stands_still_shows_where_latency_counts_from_the_schedule() {
        let (mut waiting, mut scheduled) = (Latencies::new(), Latencies::new());
        let (mut free_at, mut asked_at) = (0, 0);
        for n in 0..1000_u64 {
            let due = n * 10 * MS;
            if n == 500 {
                free_at = due + 1000 * MS;
            }
            let done = free_at.max(due) + MS;
            scheduled.record(done - due);
            if due >= asked_at {
                waiting.record(done - due);
                asked_at = done;
            }
        }
        let (waiting, scheduled) = (waiting.quantiles().unwrap(), scheduled.quantiles().unwrap());
        assert!(waiting.p99 < 1.1, "hidden: {waiting:?}");
        assert!(scheduled.p99 > 850.0 && scheduled.p50 < 1.1, "shown: {scheduled:?}");
        assert!((scheduled.max - 1001.0).abs() < 1.0, "{scheduled:?}");
    }

    #[test]
    fn of_nothing_nothing_is_said_and_what_is_too_long_counts_as_the_longest() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.quantiles(), None);
        latencies.record(u64::MAX);
        assert!(latencies.quantiles().unwrap().max >= 599_000.0);
    }
}
