use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;

use crate::auth::Authority;
use crate::client_id::ClientId;
use crate::event::{Departure, DepartureReason, Revision};
use crate::message::{Message, MessageId};
use crate::ports::{
    ChangeError, Draft, NewSession, Online, OnlinePage, OnlineQuery, OpenError, Sessions, Unavailable,
};
use crate::presence::{Limits, Moment, NodeId, Standing};
use crate::pseudonym::{Pseudonym, PseudonymKey};
use crate::roster::{Change, Place};
use crate::session::{Session, SessionId};
use crate::timestamp::Timestamp;
use crate::user::{User, UserId};

mod messages;
mod presence;
mod roster;

/// Sessions, who is there and messages in memory, by the rules of the ports.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    users: Vec<(Pseudonym, User)>,
    /// All sessions that are not forgotten.
    records: BTreeMap<SessionId, Record>,
    revision: Revision,
    /// The newest of who came and went.
    changes: VecDeque<Change>,
    /// Presence time.
    now: Moment,
    nodes: BTreeMap<NodeId, Lease>,
    /// The messages that are kept.
    messages: Vec<Message>,
    last: Option<(MessageId, Timestamp)>,
    client_ids: BTreeMap<(SessionId, ClientId), (Draft, Message)>,
}

/// A node's lease, unbroken.
#[derive(Debug, Clone, Copy)]
struct Lease {
    since: Moment,
    until: Moment,
}

#[derive(Debug)]
struct Record {
    session: Session,
    standing: Standing,
    served_by: BTreeSet<NodeId>,
    ended: Option<Ended>,
}

#[derive(Debug, Clone, Copy)]
struct Ended {
    /// By the wall clock.
    at: Timestamp,
    revision: Revision,
}

impl MemoryStore {
    /// An empty one, with limits of its own.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Mutex::new(State { limits, ..State::default() }))
    }

    /// All messages, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.state().messages.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it holds the state")
    }
}

impl State {
    fn living(&self, id: SessionId) -> Option<&Session> {
        let record = self.records.get(&id).filter(|record| record.standing.is_alive());
        record.map(|record| &record.session)
    }

    fn all_living(&self) -> impl Iterator<Item = &Session> {
        let living = self.records.values().filter(|record| record.standing.is_alive());
        living.map(|record| &record.session)
    }

    /// Whether `id` may have this name: nobody else has or holds it.
    fn check_free(&self, key: &PseudonymKey, id: SessionId) -> Result<(), OpenError> {
        let same = self.records.values().filter(|record| record.session.pseudonym.key().matches(key));
        let others: Vec<_> = same.filter(|record| record.session.id != id).collect();
        if others.iter().any(|other| other.standing.is_alive()) {
            return Err(OpenError::NameTaken);
        }
        let longest_hold = others.iter().filter_map(|other| other.standing.held_for(self.now)).max();
        longest_hold.map_or(Ok(()), |retry_after| Err(OpenError::NameHeld { retry_after }))
    }

    fn user(&mut self, name: &Pseudonym, now: Timestamp) -> User {
        let key = name.key();
        let folded = self.users.iter().find(|(known, _)| known.key().folded() == key.folded());
        let matching = || self.users.iter().find(|(known, _)| known.key().matches(key));
        if let Some((_, user)) = folded.or_else(matching) {
            return *user;
        }
        let number = i64::try_from(self.users.len()).expect("few users") + 1;
        let user = User { id: UserId(number), created_at: now };
        self.users.push((name.clone(), user));
        user
    }

    fn open(&mut self, new: NewSession) -> Result<(Session, Revision), OpenError> {
        self.check_free(new.pseudonym.key(), new.id)?;
        let session = Session {
            id: new.id,
            user: self.user(&new.pseudonym, new.now),
            pseudonym: new.pseudonym,
            connected_at: new.now,
            claimed: new.claimed,
        };
        let record = Record {
            session: session.clone(),
            standing: Standing::opened(new.claimed, self.now, &self.limits),
            served_by: BTreeSet::new(),
            ended: None,
        };
        self.records.insert(session.id, record);
        let revision = self.joined(&session);
        Ok((session, revision))
    }

    /// When what ends now has ended.
    fn time_of_end(&self, at: Timestamp) -> Timestamp {
        let came = self.all_living().map(|session| session.connected_at);
        came.chain(self.last.map(|(_, said)| said)).fold(at, Timestamp::max)
    }

    fn log_out(&mut self, id: SessionId, by: Authority, at: Timestamp) -> Option<Revision> {
        let at = self.time_of_end(at);
        let record = self.records.get_mut(&id).filter(|record| record.standing.is_alive())?;
        if by == Authority::Name && record.standing.claimed {
            return None;
        }
        record.standing.log_out();
        Some(self.ended(id, DepartureReason::Logout, at).revision)
    }

    fn ended(&mut self, id: SessionId, reason: DepartureReason, at: Timestamp) -> Departure {
        let session = self.records[&id].session.clone();
        let departure = self.left(&session, reason);
        if let Some(record) = self.records.get_mut(&id) {
            record.served_by.clear();
            record.ended = Some(Ended { at, revision: departure.revision });
        }
        departure
    }
}

#[async_trait]
impl Sessions for MemoryStore {
    async fn open(&self, new: NewSession) -> Result<(Session, Revision), OpenError> {
        self.state().open(new)
    }

    async fn end(
        &self,
        id: SessionId,
        by: Authority,
        now: Timestamp,
    ) -> Result<Option<Revision>, ChangeError> {
        Ok(self.state().log_out(id, by, now))
    }

    async fn find(&self, id: SessionId) -> Result<Option<Session>, Unavailable> {
        Ok(self.state().living(id).cloned())
    }

    async fn named(&self, keys: &[PseudonymKey]) -> Result<Vec<Session>, Unavailable> {
        let is_meant = |session: &&Session| keys.iter().any(|key| key.matches(session.pseudonym.key()));
        Ok(self.state().all_living().filter(is_meant).cloned().collect())
    }

    async fn used_names(&self, keys: &[PseudonymKey]) -> Result<Vec<Pseudonym>, Unavailable> {
        let is_meant = |name: &&Pseudonym| keys.iter().any(|key| key.matches(name.key()));
        Ok(self.state().users.iter().map(|(name, _)| name).filter(is_meant).cloned().collect())
    }

    async fn online(&self) -> Result<Online, Unavailable> {
        let state = self.state();
        Ok(Online { revision: state.revision, sessions: state.all_living().cloned().collect() })
    }

    async fn online_page(&self, query: OnlineQuery) -> Result<OnlinePage, Unavailable> {
        let state = self.state();
        let placed = state.all_living().map(|session| (Place::of(session, query.sort_by), session));
        let behind: BTreeMap<_, _> = placed.filter(|(place, _)| Some(place) > query.after.as_ref()).collect();
        let sessions = behind.values().take(query.most).map(|session| (*session).clone()).collect();
        let online = Online { revision: state.revision, sessions };
        Ok(OnlinePage { online, has_more: behind.len() > query.most })
    }
}
