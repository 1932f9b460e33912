//! Who is online: the list that events keep up to date.

use std::collections::BTreeMap;

use crate::event::{Event, Revision};
use crate::session::{Session, SessionId};

/// The list of who is online as of a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    revision: Revision,
    sessions: BTreeMap<SessionId, Session>,
}

impl Roster {
    /// The list as it was read from storage.
    #[must_use]
    pub fn new(revision: Revision, sessions: impl IntoIterator<Item = Session>) -> Self {
        Self { revision, sessions: sessions.into_iter().map(|session| (session.id, session)).collect() }
    }

    /// Takes in what has happened. Events come in the order of their revisions.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::UserJoined { session, revision } => {
                self.sessions.insert(session.id, session.clone());
                self.revision = *revision;
            }
            Event::UserLeft(departure) => {
                self.sessions.remove(&departure.session);
                self.revision = departure.revision;
            }
            Event::NewMessage(_) => {}
        }
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

    /// All living sessions, by id.
    #[must_use]
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = &Session> {
        self.sessions.values()
    }
}
