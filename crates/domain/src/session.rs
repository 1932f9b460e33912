//! One holding of a name, from log-in to its end.

use uuid::Uuid;

use crate::pseudonym::{Pseudonym, PseudonymKey};
use crate::timestamp::Timestamp;
use crate::user::User;

/// The public, opaque id of a session. It is no secret and proves nothing: that is the token's job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub Uuid);

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A living session: whoever has one is online.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its public id.
    pub id: SessionId,
    /// The name's number and age.
    pub user: User,
    /// The name as its holder writes it.
    pub pseudonym: Pseudonym,
    /// When it was opened.
    pub connected_at: Timestamp,
    /// Whether its token has been presented explicitly. Claimed is for good: from then on the name alone is
    /// enough for nothing.
    pub claimed: bool,
}

/// The one of `sessions` that `key` means: of equal folded key first, since a name in other case is nearer
/// than one that only looks alike.
#[must_use]
pub fn best_match<'a>(sessions: &'a [Session], key: &PseudonymKey) -> Option<&'a Session> {
    let folded = sessions.iter().find(|session| session.pseudonym.key().folded() == key.folded());
    folded.or_else(|| sessions.iter().find(|session| session.pseudonym.key().matches(key)))
}
