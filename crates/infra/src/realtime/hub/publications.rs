//! When changes of who is online are told, and what is left of them by then.

use std::time::Duration;

use lobby_domain::roster::{Batch, Change, Roster, coalesce};

use super::snapshot::Users;

/// Between two publications. What happens meanwhile is told at once: in a crowd that comes and goes that is a tenth of the
/// writes, and nobody sees the difference.
pub(super) const EVERY: Duration = Duration::from_millis(100);

/// Changes that wait to be told. With so many they are told early: a wait bounds the writes, and this bounds the wait's
/// memory.
pub(super) const PENDING: usize = 1_024;

/// The list as everybody has been told of it, and what has changed since. Times are monotonic, from any beginning.
pub(super) struct Publications {
    published: Roster,
    pending: Vec<Change>,
    /// Nothing is told before.
    not_before: Duration,
    /// The published list as JSON, made when it is first asked for and kept until the next publication.
    users: Option<Users>,
    /// The most users that a `session` event lists.
    snapshot: usize,
}

impl Publications {
    pub(super) fn new(published: Roster, snapshot: usize) -> Self {
        Self { published, pending: Vec::new(), not_before: Duration::ZERO, users: None, snapshot }
    }

    /// Begins anew with another list.
    pub(super) fn reset(&mut self, published: Roster) {
        (self.published, self.users) = (published, None);
        self.pending.clear();
    }

    /// Takes in what has changed.
    pub(super) fn push(&mut self, change: Change) {
        self.pending.push(change);
    }

    /// When to ask for what is due, if anything will be.
    pub(super) fn due_at(&self) -> Option<Duration> {
        if self.pending.is_empty() { None } else { Some(self.not_before) }
    }

    /// What has to be told now.
    pub(super) fn due(&mut self, now: Duration) -> Option<Batch> {
        if now < self.not_before && self.pending.len() < PENDING {
            return None;
        }
        let batch = coalesce(std::mem::take(&mut self.pending))?;
        self.published.apply_batch(&batch);
        self.users = None;
        if batch.changes.is_empty() {
            return None;
        }
        self.not_before = now + EVERY;
        Some(batch)
    }

    /// The list that everybody has been told of.
    pub(super) fn users(&mut self) -> Users {
        self.users.get_or_insert_with(|| Users::of(&self.published, self.snapshot)).clone()
    }
}
