use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use uuid::Uuid;

use crate::auth::Authority;
use crate::event::Revision;
use crate::message::{LogId, Message, MessageId};
use crate::ports::{Draft, LogHead, MessageLog, NewSession, Online, OpenError, Sessions, Unavailable};
use crate::pseudonym::PseudonymKey;
use crate::session::{Session, SessionId};
use crate::timestamp::Timestamp;
use crate::user::{User, UserId};

/// Sessions and messages in memory, by the rules of the ports.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    users: Vec<(PseudonymKey, User)>,
    living: BTreeMap<SessionId, Session>,
    revision: Revision,
    messages: Vec<Message>,
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
    fn next_revision(&mut self) -> Revision {
        self.revision.0 += 1;
        self.revision
    }

    fn user(&mut self, key: &PseudonymKey, now: Timestamp) -> User {
        let folded = self.users.iter().find(|(known, _)| known.folded() == key.folded());
        if let Some((_, user)) = folded.or_else(|| self.users.iter().find(|(known, _)| known.matches(key))) {
            return *user;
        }
        let number = i64::try_from(self.users.len()).expect("few users") + 1;
        let user = User { id: UserId(number), created_at: now };
        self.users.push((key.clone(), user));
        user
    }

    fn append(&mut self, draft: Draft, now: Timestamp) -> Option<Message> {
        let sender = self.living.get(&draft.sender_session)?;
        if sender.claimed && draft.authority == Authority::Name {
            return None;
        }
        let last = self.messages.last();
        let message = Message {
            id: MessageId(last.map_or(0, |m| m.id.0) + 1),
            sender_session: sender.id,
            sender_id: sender.user.id,
            sender: sender.pseudonym.clone(),
            content: draft.content,
            timestamp: last.map_or(now, |m| m.timestamp.max(now)),
        };
        self.messages.push(message.clone());
        Some(message)
    }
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
            user: state.user(new.pseudonym.key(), new.now),
            pseudonym: new.pseudonym,
            connected_at: new.now,
            claimed: new.claimed,
        };
        state.living.insert(session.id, session.clone());
        Ok((session, state.next_revision()))
    }

    async fn claim(&self, id: SessionId) -> Result<bool, Unavailable> {
        Ok(self.state().living.get_mut(&id).map(|session| session.claimed = true).is_some())
    }

    async fn end(
        &self,
        id: SessionId,
        by: Authority,
        _now: Timestamp,
    ) -> Result<Option<Revision>, Unavailable> {
        let mut state = self.state();
        match state.living.get(&id) {
            Some(session) if by == Authority::Token || !session.claimed => {
                state.living.remove(&id);
                Ok(Some(state.next_revision()))
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

    async fn online(&self) -> Result<Online, Unavailable> {
        let state = self.state();
        Ok(Online { revision: state.revision, sessions: state.living.values().cloned().collect() })
    }
}

#[async_trait]
impl MessageLog for MemoryStore {
    async fn append(&self, drafts: Vec<Draft>, now: Timestamp) -> Result<Vec<Option<Message>>, Unavailable> {
        let mut state = self.state();
        Ok(drafts.into_iter().map(|draft| state.append(draft, now)).collect())
    }

    async fn head(&self) -> Result<LogHead, Unavailable> {
        let last_id = self.state().messages.last().map_or(MessageId(0), |message| message.id);
        Ok(LogHead { log: LogId(Uuid::nil()), last_id })
    }
}
