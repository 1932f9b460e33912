//! When changes of who is online are told, and what is left of them by then.

use std::time::Duration;

use lobby_domain::roster::{Batch, Change, Roster, coalesce};

use super::snapshot::Users;

/// How long a change waits for company. What happens meanwhile is told with it: in a crowd that comes and goes that is a
/// tenth of the writes, and nobody sees the difference.
pub(super) const EVERY: Duration = Duration::from_millis(100);

/// Changes that wait to be told. With so many they are told early: a wait bounds the writes, and this bounds the wait's
/// memory.
pub(super) const PENDING: usize = 1_024;

/// How often the list can be told early, so that who is let in right after a log-in finds it there: so many times in a row,
/// and then once in [`EVERY`]. In a crowd they get a list that is at most that old, and then what has changed since.
const EARLY: u32 = 10;

/// The list as everybody has been told of it, and what has changed since. Times are monotonic, from any beginning.
pub(super) struct Publications {
    published: Roster,
    pending: Vec<Change>,
    /// When it is told, if something is pending.
    due_at: Duration,
    /// When there will have been no early publication for long.
    rested_at: Duration,
    /// The published list as JSON, made when it is first asked for and kept until the next publication.
    users: Option<Users>,
    /// The most users that a `session` event lists.
    snapshot: usize,
}

impl Publications {
    pub(super) fn new(published: Roster, snapshot: usize) -> Self {
        Self {
            published,
            pending: Vec::new(),
            due_at: Duration::ZERO,
            rested_at: Duration::ZERO,
            users: None,
            snapshot,
        }
    }

    /// Begins anew with another list.
    pub(super) fn reset(&mut self, published: Roster) {
        (self.published, self.users) = (published, None);
        self.pending.clear();
    }

    /// Takes in what has changed.
    pub(super) fn push(&mut self, change: Change, now: Duration) {
        if self.pending.is_empty() {
            self.due_at = now + EVERY;
        }
        self.pending.push(change);
    }

    /// When to ask for what is due, if anything will be.
    pub(super) fn due_at(&self) -> Option<Duration> {
        if self.pending.is_empty() { None } else { Some(self.due_at) }
    }

    /// What has to be told now.
    pub(super) fn due(&mut self, now: Duration) -> Option<Batch> {
        if now < self.due_at && self.pending.len() < PENDING {
            return None;
        }
        self.publish()
    }

    /// Whether somebody who is about to be let in may have the newest list.
    pub(super) fn may_be_early(&self, now: Duration) -> bool {
        !self.pending.is_empty() && self.rested_at <= now + EVERY * (EARLY - 1)
    }

    /// What has to be told for that.
    pub(super) fn early(&mut self, now: Duration) -> Option<Batch> {
        if !self.may_be_early(now) {
            return None;
        }
        self.rested_at = self.rested_at.max(now) + EVERY;
        self.publish()
    }

    fn publish(&mut self) -> Option<Batch> {
        let batch = coalesce(std::mem::take(&mut self.pending))?;
        self.published.apply_batch(&batch);
        self.users = None;
        (!batch.changes.is_empty()).then_some(batch)
    }

    /// The list that everybody has been told of.
    pub(super) fn users(&mut self) -> Users {
        self.users.get_or_insert_with(|| Users::of(&self.published, self.snapshot)).clone()
    }
}
