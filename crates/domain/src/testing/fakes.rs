use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use uuid::Uuid;

use crate::event::Event;
use crate::limits::{Exceeded, Place};
use crate::ports::{Allowance, Announcer, Clock, Reach, SessionIds, Token, Tokens};
use crate::session::SessionId;
use crate::timestamp::Timestamp;

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// Sets it, in milliseconds.
    pub fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Ids 1, 2, 3 and so on.
#[derive(Debug, Default)]
pub struct NumberedIds(AtomicU64);

impl SessionIds for NumberedIds {
    fn next(&self) -> SessionId {
        SessionId(Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)) + 1))
    }
}

/// Tokens that anybody could forge: `token-of-` and the session's id.
#[derive(Debug, Default)]
pub struct PlainTokens;

const PREFIX: &str = "token-of-";

impl Tokens for PlainTokens {
    fn issue(&self, session: SessionId) -> Token {
        Token::new(format!("{PREFIX}{session}"))
    }

    fn verify(&self, token: &str) -> Option<SessionId> {
        token.strip_prefix(PREFIX)?.parse().ok().map(SessionId)
    }
}

/// Everybody who was named is listening, and nobody else.
#[derive(Debug, Default)]
pub struct Listeners(Mutex<Vec<SessionId>>);

impl Listeners {
    /// From now on this session has a connection that proved to be it.
    ///
    /// # Panics
    /// If a test panicked while it looked.
    pub fn add(&self, session: SessionId) {
        self.0.lock().expect("no test panics while it looks").push(session);
    }
}

impl Reach for Listeners {
    fn reaches(&self, session: SessionId) -> bool {
        self.0.lock().expect("no test panics while it looks").contains(&session)
    }
}

/// Lets everybody speak, and keeps as whom, and from where, somebody has done so who has shown nothing.
#[derive(Debug, Default)]
pub struct Talkers(Mutex<Vec<(SessionId, Option<Place>)>>);

impl Talkers {
    /// Who has spoken since the last call.
    ///
    /// # Panics
    /// If a test panicked while it looked.
    pub fn take(&self) -> Vec<(SessionId, Option<Place>)> {
        std::mem::take(&mut *self.0.lock().expect("no test panics while it looks"))
    }
}

impl Allowance for Talkers {
    fn speak_as(&self, session: SessionId, from: Option<Place>) -> Result<(), Exceeded> {
        self.0.lock().expect("no test panics while it looks").push((session, from));
        Ok(())
    }
}

/// Keeps what was announced.
#[derive(Debug, Default)]
pub struct RecordingAnnouncer(Mutex<Vec<Event>>);

impl RecordingAnnouncer {
    /// What was announced since the last call.
    ///
    /// # Panics
    /// If a test panicked while it announced.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().expect("no test panics while it announces"))
    }
}

#[async_trait]
impl Announcer for RecordingAnnouncer {
    async fn announce(&self, events: Vec<Event>) {
        self.0.lock().expect("no test panics while it announces").extend(events);
    }
}
