//! Says what happens often only once in a while, and how often it was.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts what happens, and says when to tell of it.
#[derive(Debug)]
pub struct Seldom {
    every: Duration,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    told: Option<Instant>,
    since: u64,
}

impl Seldom {
    /// It is told at once, and then so often at most.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self { every, last: Mutex::default() }
    }

    /// It happens; how often it has since it was told, if it is to be told now.
    #[must_use]
    pub fn happens(&self) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.since += 1;
        if last.told.is_some_and(|told| told.elapsed() < self.every) {
            return None;
        }
        last.told = Some(Instant::now());
        Some(std::mem::take(&mut last.since))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_told_at_once_and_then_once_in_a_while_with_how_often_it_was() {
        let seldom = Seldom::new(Duration::from_mins(1));
        assert_eq!(seldom.happens(), Some(1));
        for _ in 0..5 {
            assert_eq!(seldom.happens(), None);
        }
        advance(Duration::from_mins(1)).await;
        assert_eq!(seldom.happens(), Some(6));
        assert_eq!(seldom.happens(), None);
        advance(Duration::from_hours(1)).await;
        assert_eq!(seldom.happens(), Some(2));
    }
}
