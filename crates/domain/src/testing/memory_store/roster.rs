use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::event::{Departure, DepartureReason, Revision};
use crate::ports::{CHANGES_KEPT, Changes, RosterLog, Unavailable};
use crate::roster::Change;
use crate::session::Session;

impl State {
    /// Takes the next revision for somebody who is there from now on.
    pub(super) fn joined(&mut self, session: &Session) -> Revision {
        let revision = self.next_revision();
        let session = Session { claimed: false, ..session.clone() };
        self.keep(Change::Joined { session, revision });
        revision
    }

    /// The same for somebody who is not any more.
    pub(super) fn left(&mut self, session: &Session, reason: DepartureReason) -> Departure {
        let Session { id, user, pseudonym, .. } = session.clone();
        let revision = self.next_revision();
        let departure = Departure { session: id, user: user.id, pseudonym, reason, revision };
        self.keep(Change::Left(departure.clone()));
        departure
    }

    fn next_revision(&mut self) -> Revision {
        self.revision.0 += 1;
        self.revision
    }

    fn keep(&mut self, change: Change) {
        self.changes.push_back(change);
        if self.changes.len() > usize::try_from(CHANGES_KEPT).expect("a small number") {
            self.changes.pop_front();
        }
    }
}

#[async_trait]
impl RosterLog for MemoryStore {
    async fn revision(&self) -> Result<Revision, Unavailable> {
        Ok(self.state().revision)
    }

    async fn changes(&self, after: Revision, most: usize) -> Result<Changes, Unavailable> {
        let state = self.state();
        let first_kept = state.changes.front().map_or(Revision(state.revision.0 + 1), Change::revision);
        let behind = state.changes.iter().filter(|change| change.revision() > after);
        Ok(Changes { first_kept, changes: behind.take(most).cloned().collect() })
    }
}
