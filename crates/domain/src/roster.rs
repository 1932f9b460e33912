//! Who is online: the list that events keep up to date.

use std::collections::BTreeMap;

use self::holders::Holders;
use crate::event::{Event, Revision};
use crate::pseudonym::PseudonymKey;
use crate::session::{Session, SessionId};

mod holders;

/// The list of who is online as of a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    revision: Revision,
    sessions: BTreeMap<SessionId, Session>,
    holders: Holders,
}

impl Roster {
    /// The list as it was read from storage.
    #[must_use]
    pub fn new(revision: Revision, sessions: impl IntoIterator<Item = Session>) -> Self {
        let sessions: BTreeMap<_, _> = sessions.into_iter().map(|session| (session.id, session)).collect();
        Self { revision, holders: Holders::of(sessions.values()), sessions }
    }

    /// Takes in what has happened. Events come in the order of their revisions.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::UserJoined { session, revision } => {
                self.holders.add(session);
                self.sessions.insert(session.id, session.clone());
                self.revision = *revision;
            }
            Event::UserLeft(departure) => {
                if let Some(gone) = self.sessions.remove(&departure.session) {
                    self.holders.remove(&gone);
                }
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
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::event::{Departure, DepartureReason};
    use crate::testing::name;
    use crate::timestamp::Timestamp;
    use crate::user::{User, UserId};

    fn session(number: u128, pseudonym: &str) -> Session {
        Session {
            id: SessionId(Uuid::from_u128(number)),
            user: User { id: UserId(1), created_at: Timestamp::from_millis(0) },
            pseudonym: name(pseudonym),
            connected_at: Timestamp::from_millis(0),
            claimed: false,
        }
    }

    fn joined(session: &Session) -> Event {
        Event::UserJoined { session: session.clone(), revision: Revision(1) }
    }

    fn left(session: &Session) -> Event {
        Event::UserLeft(Departure {
            session: session.id,
            user: session.user.id,
            pseudonym: session.pseudonym.clone(),
            reason: DepartureReason::Logout,
            revision: Revision(2),
        })
    }

    fn holder(roster: &Roster, name: &str) -> Option<SessionId> {
        roster.holder(&PseudonymKey::of(name)).map(|session| session.id)
    }

    #[test]
    fn whoever_holds_a_name_is_found_by_all_its_forms_as_long_as_they_are_there() {
        let (john, mike) = (session(1, "JohnDoe"), session(2, "mike"));
        let mut roster = Roster::new(Revision(0), [john.clone()]);
        roster.apply(&joined(&mike));
        for (form, id) in [
            ("johndoe", john.id),
            ("ЈоhnDое", john.id),
            ("MIKE", mike.id),
            ("МІКЕ", mike.id),
            ("Мike", mike.id),
        ] {
            assert_eq!(holder(&roster, form), Some(id), "{form}");
        }
        assert_eq!(holder(&roster, "Zoë"), None);
        roster.apply(&left(&john));
        assert_eq!((holder(&roster, "JohnDoe"), holder(&roster, "mike")), (None, Some(mike.id)));
    }

    #[test]
    fn another_case_is_nearer_than_another_look() {
        let (lan, ian) = (session(1, "lan"), session(2, "ian"));
        for sessions in [[lan.clone(), ian.clone()], [ian.clone(), lan.clone()]] {
            let roster = Roster::new(Revision(0), sessions);
            assert_eq!(holder(&roster, "Ian"), Some(ian.id));
        }
        assert_eq!(holder(&Roster::new(Revision(0), [lan.clone()]), "Ian"), Some(lan.id));
    }

    #[test]
    fn a_successor_keeps_the_name_when_the_one_before_is_forgotten_late() {
        let (first, second) = (session(1, "JohnDoe"), session(2, "johndoe"));
        let mut roster = Roster::new(Revision(0), [first.clone()]);
        roster.apply(&joined(&second));
        roster.apply(&left(&first));
        assert_eq!(holder(&roster, "JohnDoe"), Some(second.id));
    }
}
