//! Who is online: the list, the changes that keep it up to date, and the order in which it is shown.

use std::collections::{BTreeMap, BTreeSet};

use self::holders::Holders;
use crate::event::{Departure, Event, Revision};
use crate::pseudonym::PseudonymKey;
use crate::session::{Session, SessionId};
use crate::timestamp::Timestamp;

/// A change of who is online.
///
/// Whether a session is claimed is no change of who is online, so a [`Session`] in here says of it nothing to rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A session is there.
    Joined {
        /// Which.
        session: Session,
        /// The list's revision with this change.
        revision: Revision,
    },
    /// A session is over.
    Left(Departure),
}

impl Change {
    /// The change that an event tells of, if it tells of one.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        match event {
            Event::NewMessage(_) => None,
            Event::UserJoined { session, revision } => {
                Some(Self::Joined { session: session.clone(), revision: *revision })
            }
            Event::UserLeft(departure) => Some(Self::Left(departure.clone())),
        }
    }

    /// The list's revision with this change.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Joined { revision, .. } => *revision,
            Self::Left(departure) => departure.revision,
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn session(&self) -> SessionId {
        match self {
            Self::Joined { session, .. } => session.id,
            Self::Left(departure) => departure.session,
        }
    }

    fn is_join(&self) -> bool {
        matches!(self, Self::Joined { .. })
    }

    fn with_revision(self, revision: Revision) -> Self {
        match self {
            Self::Joined { session, .. } => Self::Joined { session, revision },
            Self::Left(departure) => Self::Left(Departure { revision, ..departure }),
        }
    }
}

/// What is left of some changes that are told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// In their order, at most one departure and one return of a session. The last one carries the batch's revision: only
    /// with it is the list that of a revision again.
    pub changes: Vec<Change>,
    /// The list's revision with all of them.
    pub revision: Revision,
}

/// What successive changes come to: whoever comes and goes among them was never there; whoever goes and comes back has
/// done both. `None` of no change.
#[must_use]
pub fn coalesce(changes: Vec<Change>) -> Option<Batch> {
    let revision = changes.last()?.revision();
    let mut kept = BTreeMap::new();
    let mut joins = BTreeMap::new();
    for change in changes {
        let session = change.session();
        if change.is_join() {
            joins.insert(session, change.revision());
        } else if let Some(joined) = joins.remove(&session) {
            kept.remove(&joined);
            continue;
        }
        kept.insert(change.revision(), change);
    }
    let mut changes: Vec<_> = kept.into_values().collect();
    if let Some(last) = changes.pop() {
        changes.push(last.with_revision(revision));
    }
    Some(Batch { changes, revision })
}

mod holders;

/// The list of who is online as of a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    revision: Revision,
    sessions: BTreeMap<SessionId, Session>,
    holders: Holders,
}

impl Roster {
    /// How many are online.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sessions.len()
    }

    /// The list as it was read from storage.
    #[must_use]
    pub fn new(revision: Revision, sessions: impl IntoIterator<Item = Session>) -> Self {
        let sessions: BTreeMap<_, _> = sessions.into_iter().map(|session| (session.id, session)).collect();
        Self { revision, holders: Holders::of(sessions.values()), sessions }
    }

    /// Takes in what has changed. Changes come in the order of their revisions.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Joined { session, .. } => {
                self.holders.add(session);
                self.sessions.insert(session.id, session.clone());
            }
            Change::Left(departure) => {
                if let Some(gone) = self.sessions.remove(&departure.session) {
                    self.holders.remove(&gone);
                }
            }
        }
        self.revision = change.revision();
    }

    /// Takes in what is told together.
    pub fn apply_batch(&mut self, batch: &Batch) {
        for change in &batch.changes {
            self.apply(change);
        }
        self.revision = batch.revision;
    }

    /// As of which change.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// A session, if it is alive.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// The session that holds a name, or one that is the same.
    #[must_use]
    pub fn holder(&self, key: &PseudonymKey) -> Option<&Session> {
        self.get(self.holders.find(key)?)
    }

    /// All living sessions, by id.
    #[must_use]
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = &Session> {
        self.sessions.values()
    }

    /// At most `most` of them, the longest online first. That is not the order of their ids: who ran out and came back has
    /// an old one.
    #[must_use]
    pub fn longest_online(&self, most: usize) -> Vec<&Session> {
        let age = |session: &&Session| (session.connected_at, session.id);
        let mut sessions: Vec<_> = self.sessions.values().collect();
        if most < sessions.len() {
            // Nobody's place behind them matters.
            sessions.select_nth_unstable_by_key(most, age);
            sessions.truncate(most);
        }
        sessions.sort_unstable_by_key(age);
        sessions
    }

    /// Those of `ids` that are not there.
    #[must_use]
    pub fn without(&self, ids: impl IntoIterator<Item = SessionId>) -> BTreeSet<SessionId> {
        ids.into_iter().filter(|id| !self.sessions.contains_key(id)).collect()
    }
}

/// In which order the list is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortBy {
    /// By name, small and capital letters alike.
    #[default]
    Pseudonym,
    /// Who has been online longest comes first.
    ConnectedAt,
}

/// A session's place in the list, which no other has. It stays where it is when the session has gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a list by name: what [`sort_name`] makes of it.
    Name(String, SessionId),
    /// In a list by age: when it was opened.
    Age(Timestamp, SessionId),
}

impl Place {
    /// Where a session is.
    #[must_use]
    pub fn of(session: &Session, sort_by: SortBy) -> Self {
        match sort_by {
            SortBy::Pseudonym => Self::Name(sort_name(session.pseudonym.as_str()), session.id),
            SortBy::ConnectedAt => Self::Age(session.connected_at, session.id),
        }
    }

    /// In which list.
    #[must_use]
    pub fn sort_by(&self) -> SortBy {
        match self {
            Self::Name(..) => SortBy::Pseudonym,
            Self::Age(..) => SortBy::ConnectedAt,
        }
    }
}

/// What names are sorted by, as bytes: by what is read, not by the key, in which `m` is `rn`.
#[must_use]
pub fn sort_name(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod holder_tests;
#[cfg(test)]
mod tests;
