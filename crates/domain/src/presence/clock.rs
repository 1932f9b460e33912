use std::time::Duration;

use super::Moment;
use crate::ports::Beaten;

/// A node's view of presence time. `now` is always the node's monotonic clock, from any beginning.
///
/// Invariant: the estimate never runs ahead of the database's count by more than the time since the last beat, and by
/// at most a lease.
#[derive(Debug, Clone)]
pub struct PresenceClock {
    lease: Duration,
    /// The count at the last beat, and when it was that.
    last: Option<(Moment, Duration)>,
    /// The beat under way: when it was made, and the count that was said to be now.
    said: Option<(Duration, Option<Moment>)>,
    beat_at: Duration,
    /// Since when each beat came soon after the one before and found the lease held.
    unbroken_since: Option<Duration>,
    /// Since when nobody but this node has moved the count.
    alone_since: Option<Duration>,
    /// How far the estimate may be behind what another node could say.
    lag: Duration,
}

impl PresenceClock {
    /// Of a node that has just started: its first beat is due at once.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            last: None,
            said: None,
            beat_at: Duration::ZERO,
            unbroken_since: None,
            alone_since: None,
            lag: Duration::ZERO,
        }
    }

    /// When the next beat is due; `None` while one is under way.
    #[must_use]
    pub fn beat_at(&self) -> Option<Duration> {
        self.said.is_none().then_some(self.beat_at)
    }

    /// Begins a beat: what to say. [`Self::beaten`] or [`Self::beat_failed`] is owed then.
    pub fn say(&mut self, now: Duration) -> Option<(Moment, Duration)> {
        let since = self.last.map(|(count, at)| (count, now.saturating_sub(at)));
        let counted = since.filter(|(_, elapsed)| *elapsed <= self.lease);
        self.said = Some((now, counted.map(|(count, elapsed)| count.after(elapsed))));
        since
    }

    /// The beat was answered.
    ///
    /// If the count is what was said, it was that when it was said: so the count of a node that leads runs exactly as
    /// fast as its clock. Else others lead, and the count is taken for now: late by the time of the answer, never early.
    pub fn beaten(&mut self, beaten: Beaten, now: Duration) {
        let (said_at, said) = self.said.take().unwrap_or((now, None));
        let is_late = self.last.is_none_or(|(_, at)| said_at.saturating_sub(at) > self.longest_gap());
        if !beaten.held || is_late || self.unbroken_since.is_none() {
            self.unbroken_since = Some(now);
        }
        let leads = said == Some(beaten.now);
        self.alone_since = beaten.alone.then(|| self.alone_since.unwrap_or(said_at));
        if self.alone_since.is_some_and(|since| said_at.saturating_sub(since) > self.lease) {
            self.lag = Duration::ZERO;
        } else if !leads {
            self.lag = self.lease / 3 + now.saturating_sub(said_at);
        }
        let was = if leads { said_at } else { now };
        self.last = Some((beaten.now, was));
        self.beat_at = said_at + self.lease / 3;
    }

    /// The beat was not answered: the next one is due soon.
    pub fn beat_failed(&mut self, now: Duration) {
        self.said = None;
        self.beat_at = now + self.retry();
    }

    /// It turned out between two beats that the lease is gone: the next one is due at once.
    pub fn lease_lost(&mut self, now: Duration) {
        self.unbroken_since = None;
        self.hasten_beat(now);
    }

    /// The next beat is due at once.
    pub fn hasten_beat(&mut self, now: Duration) {
        self.beat_at = self.beat_at.min(now);
    }

    /// What moment it was at the last beat. `None` before the first one.
    #[must_use]
    pub fn counted(&self) -> Option<Moment> {
        self.last.map(|(count, _)| count)
    }

    /// When, on the node's clock, the last beat was made that was answered. `None` before the first one.
    #[must_use]
    pub fn heard_at(&self) -> Option<Duration> {
        self.last.map(|(_, at)| at)
    }

    /// What moment it is at the earliest, at most a lease after the last beat. `None` before the first one.
    #[must_use]
    pub fn estimate(&self, now: Duration) -> Option<Moment> {
        let (count, at) = self.last?;
        Some(count.after(now.saturating_sub(at).min(self.lease)))
    }

    /// What moment it is at the latest, for what must not be taken for earlier than it was: the end of a connection.
    ///
    /// The count that a beat answers is as old as the last beat of the node that is ahead, and older by the time of the answer;
    /// so far behind is who has followed once, and stays so while it leads: several may do so by turns, each ahead of what the
    /// other said last. Only if nobody else has moved the count for a whole lease is nobody ahead: whatever another could
    /// say that last beat before that counts as nothing.
    #[must_use]
    pub fn latest(&self, now: Duration) -> Option<Moment> {
        let (count, at) = self.last?;
        Some(count.after((now.saturating_sub(at) + self.lag).min(self.lease)))
    }

    /// Whether this node may end what is over: its beats have been unbroken for a whole lease.
    ///
    /// After an outage, or a night in which no node was up, every other node has had time to say by then whom it serves.
    #[must_use]
    pub fn may_reap(&self, now: Duration) -> bool {
        let is_fresh = self.last.is_some_and(|(_, at)| now.saturating_sub(at) <= self.longest_gap());
        is_fresh && self.unbroken_since.is_some_and(|since| now.saturating_sub(since) >= self.lease)
    }

    /// How long to wait after something failed: several attempts fit between two beats.
    pub(super) fn retry(&self) -> Duration {
        self.lease / 15
    }

    /// The longest time between two beats that leaves them unbroken: room for one that failed. All nodes beat three times
    /// a lease; so when one finds the database away for no longer than this, no other has lost its lease meanwhile.
    fn longest_gap(&self) -> Duration {
        self.lease / 2
    }
}

#[cfg(test)]
mod tests;
