use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use uuid::Uuid;

use crate::auth::Authority;
use crate::client_id::ClientId;
use crate::event::{Departure, DepartureReason, Revision};
use crate::message::{LogId, Message, MessageId, Recipient};
use crate::ports::{
    AppendError, CHANGES_KEPT, ChangeError, Changes, Draft, LogHead, MessageLog, NewSession, Online,
    OnlinePage, OnlineQuery, OpenError, Page, PageQuery, Posted, Rejection, Retention, RosterLog, Sessions,
    Span, Unavailable, Viewer,
};
use crate::pseudonym::{Pseudonym, PseudonymKey};
use crate::recipient::Unreached;
use crate::roster::{Change, Place};
use crate::session::{Session, SessionId};
use crate::timestamp::Timestamp;
use crate::user::{User, UserId};

/// Sessions and messages in memory, by the rules of the ports.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    users: Vec<(Pseudonym, User)>,
    living: BTreeMap<SessionId, Session>,
    ended: BTreeSet<SessionId>,
    revision: Revision,
    /// The newest.
    changes: VecDeque<Change>,
    /// Those that are kept.
    messages: Vec<Message>,
    last: Option<(MessageId, Timestamp)>,
    client_ids: BTreeMap<(SessionId, ClientId), (Draft, Message)>,
}

impl MemoryStore {
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
    /// Takes the next revision, and keeps the change that has it.
    fn change(&mut self, change: impl FnOnce(Revision) -> Change) -> Revision {
        self.revision.0 += 1;
        self.changes.push_back(change(self.revision));
        if self.changes.len() > usize::try_from(CHANGES_KEPT).expect("a small number") {
            self.changes.pop_front();
        }
        self.revision
    }

    fn joined(&mut self, session: &Session) -> Revision {
        let session = Session { claimed: false, ..session.clone() };
        self.change(|revision| Change::Joined { session, revision })
    }

    fn left(&mut self, session: &Session, reason: DepartureReason) -> Revision {
        let Session { id, user, pseudonym, .. } = session.clone();
        self.change(|revision| {
            Change::Left(Departure { session: id, user: user.id, pseudonym, reason, revision })
        })
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

    fn append(&mut self, draft: &Draft, now: Timestamp) -> Result<Posted, Rejection> {
        let sender = self.living.get(&draft.sender_session).cloned().ok_or(Rejection::Silenced)?;
        if sender.claimed && draft.authority == Authority::Name {
            return Err(Rejection::Silenced);
        }
        let used = draft.client_id.clone().map(|client_id| (sender.id, client_id));
        if let Some((first, message)) = used.as_ref().and_then(|used| self.client_ids.get(used)) {
            return repeat(first, draft, message);
        }
        let to = self.recipient(draft)?;
        let (last_id, last_time) = self.last.unwrap_or((MessageId(0), now));
        let message = Message {
            id: MessageId(last_id.0 + 1),
            sender_session: sender.id,
            sender_id: sender.user.id,
            sender: sender.pseudonym,
            to,
            content: draft.content.clone(),
            client_id: draft.client_id.clone(),
            timestamp: last_time.max(now),
        };
        self.last = Some((message.id, message.timestamp));
        self.messages.push(message.clone());
        self.client_ids.extend(used.map(|used| (used, (draft.clone(), message.clone()))));
        Ok(Posted { message, repeated: false })
    }

    fn recipient(&self, draft: &Draft) -> Result<Option<Recipient>, Rejection> {
        let Some(address) = &draft.to else { return Ok(None) };
        let unreached =
            |why: fn(String) -> Unreached| Rejection::Unreached(why(address.addressee.to_string()));
        let id = address.session.clone().map_err(Rejection::Unreached)?;
        match self.living.get(&id) {
            Some(session) if session.claimed || address.is_reached || id == draft.sender_session => {
                Ok(Some(Recipient { session: id, pseudonym: session.pseudonym.clone() }))
            }
            Some(_) => Err(unreached(Unreached::Unreachable)),
            None if self.ended.contains(&id) => Err(unreached(Unreached::Offline)),
            None => Err(unreached(Unreached::Unknown)),
        }
    }

    fn head(&self) -> LogHead {
        let last_id = self.last.map_or(MessageId(0), |(id, _)| id);
        let first_id = self.messages.first().map_or(MessageId(last_id.0 + 1), |message| message.id);
        LogHead { log: LogId(Uuid::nil()), first_id, last_id }
    }

    fn page(&self, query: PageQuery) -> Page {
        let visible = |message: &&Message| match query.viewer {
            Viewer::Lobby => true,
            Viewer::Nobody => message.audience().includes(None),
            Viewer::Session(id) => message.audience().includes(Some(id)),
        };
        let messages = self.messages.iter().filter(visible).cloned();
        let mut messages: Vec<_> = match query.span {
            Span::After(id) => messages.filter(|message| message.id > id).collect(),
            Span::Before(id) => messages.rev().filter(|message| message.id < id).collect(),
        };
        let has_more = messages.len() > query.limit;
        messages.truncate(query.limit);
        messages.sort_by_key(|message| message.id);
        Page { head: self.head(), messages, has_more }
    }
}

fn repeat(first: &Draft, again: &Draft, message: &Message) -> Result<Posted, Rejection> {
    let addressee = |draft: &Draft| draft.to.as_ref().map(|to| to.addressee.clone());
    if (&first.content, addressee(first)) == (&again.content, addressee(again)) {
        return Ok(Posted { message: message.clone(), repeated: true });
    }
    Err(Rejection::ClientIdConflict(again.client_id.clone().expect("it was looked up")))
}

#[async_trait]
impl Sessions for MemoryStore {
    async fn open(&self, new: NewSession) -> Result<(Session, Revision), OpenError> {
        let mut state = self.state();
        if state.living.values().any(|session| session.pseudonym.key().matches(new.pseudonym.key())) {
            return Err(OpenError::NameTaken);
        }
        let session = Session {
            id: new.id,
            user: state.user(&new.pseudonym, new.now),
            pseudonym: new.pseudonym,
            connected_at: new.now,
            claimed: new.claimed,
        };
        state.living.insert(session.id, session.clone());
        let revision = state.joined(&session);
        Ok((session, revision))
    }

    async fn claim(&self, id: SessionId) -> Result<bool, ChangeError> {
        Ok(self.state().living.get_mut(&id).map(|session| session.claimed = true).is_some())
    }

    async fn end(
        &self,
        id: SessionId,
        by: Authority,
        _now: Timestamp,
    ) -> Result<Option<Revision>, ChangeError> {
        let mut state = self.state();
        match state.living.get(&id).cloned() {
            Some(session) if by == Authority::Token || !session.claimed => {
                state.living.remove(&id);
                state.ended.insert(id);
                Ok(Some(state.left(&session, DepartureReason::Logout)))
            }
            Some(_) | None => Ok(None),
        }
    }

    async fn find(&self, id: SessionId) -> Result<Option<Session>, Unavailable> {
        Ok(self.state().living.get(&id).cloned())
    }

    async fn named(&self, keys: &[PseudonymKey]) -> Result<Vec<Session>, Unavailable> {
        let is_meant = |session: &&Session| keys.iter().any(|key| key.matches(session.pseudonym.key()));
        Ok(self.state().living.values().filter(is_meant).cloned().collect())
    }

    async fn used_names(&self, keys: &[PseudonymKey]) -> Result<Vec<Pseudonym>, Unavailable> {
        let is_meant = |name: &&Pseudonym| keys.iter().any(|key| key.matches(name.key()));
        Ok(self.state().users.iter().map(|(name, _)| name).filter(is_meant).cloned().collect())
    }

    async fn online(&self) -> Result<Online, Unavailable> {
        let state = self.state();
        Ok(Online { revision: state.revision, sessions: state.living.values().cloned().collect() })
    }

    async fn online_page(&self, query: OnlineQuery) -> Result<OnlinePage, Unavailable> {
        let state = self.state();
        let placed = state.living.values().map(|session| (Place::of(session, query.sort_by), session));
        let behind: BTreeMap<_, _> = placed.filter(|(place, _)| Some(place) > query.after.as_ref()).collect();
        let sessions = behind.values().take(query.most).map(|session| (*session).clone()).collect();
        let online = Online { revision: state.revision, sessions };
        Ok(OnlinePage { online, has_more: behind.len() > query.most })
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

#[async_trait]
impl MessageLog for MemoryStore {
    async fn append(
        &self,
        drafts: &[Draft],
        now: Timestamp,
    ) -> Result<Vec<Result<Posted, Rejection>>, AppendError> {
        let mut state = self.state();
        Ok(drafts.iter().map(|draft| state.append(draft, now)).collect())
    }

    async fn head(&self) -> Result<LogHead, Unavailable> {
        Ok(self.state().head())
    }

    async fn page(&self, query: PageQuery) -> Result<Page, Unavailable> {
        Ok(self.state().page(query))
    }

    async fn prune(&self, keep: Retention, most: u32) -> Result<bool, Unavailable> {
        let mut state = self.state();
        let last_id = state.head().last_id.0;
        let is_old = |message: &Message| {
            let too_many = keep.at_most.is_some_and(|most| (last_id - message.id.0).unsigned_abs() >= most);
            too_many || keep.since.is_some_and(|since| message.timestamp < since)
        };
        let old = state.messages.iter().take_while(|message| is_old(message)).count();
        let most = usize::try_from(most).expect("a small number");
        state.messages.drain(..old.min(most));
        Ok(old > most)
    }

    async fn forget_client_ids(&self, before: Timestamp, most: u32) -> Result<bool, Unavailable> {
        let mut state = self.state();
        let old = state.client_ids.iter().filter(|(_, (_, message))| message.timestamp < before);
        let old: Vec<_> = old.map(|(used, _)| used.clone()).collect();
        let most = usize::try_from(most).expect("a small number");
        for key in old.iter().take(most) {
            state.client_ids.remove(key);
        }
        Ok(old.len() > most)
    }

    async fn check_writable(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}
