use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::auth::{AuthMode, Caller, Credentials, Forbidden};
use crate::client_id::ClientId;
use crate::event::{DepartureReason, Event, Revision};
use crate::message::{Content, Message, MessageId};
use crate::ports::{
    AppendError, MessageLog, MockMessageLog, MockSessions, Retention, Sessions, Tokens, Unavailable,
};
use crate::pseudonym::{InvalidPseudonym, Mention};
use crate::recipient::{Addressee, Unreached};
use crate::resume::{NotResumable, Resume};
use crate::roster::SortBy;
use crate::session::Session;
use crate::testing::{
    FixedClock, Listeners, MemoryStore, NumberedIds, PlainTokens, RecordingAnnouncer, Talkers, names,
};

mod accounts;
mod messages;
mod races;
mod running_out;

/// A lobby in memory.
struct Lobby {
    store: Arc<MemoryStore>,
    announced: Arc<RecordingAnnouncer>,
    clock: Arc<FixedClock>,
    log_in: LogIn,
    log_out: LogOut,
    post: PostMessages,
    list: ListOnline,
    history: ReadHistory,
    listeners: Arc<Listeners>,
    talkers: Arc<Talkers>,
}

impl Lobby {
    fn new(mode: AuthMode) -> Self {
        let store = Arc::new(MemoryStore::default());
        let announced = Arc::new(RecordingAnnouncer::default());
        let clock = Arc::new(FixedClock::default());
        let listeners = Arc::new(Listeners::default());
        let talkers = Arc::new(Talkers::default());
        let tokens = Arc::new(PlainTokens);
        let authenticate = || Authenticate {
            sessions: store.clone(),
            presence: store.clone(),
            tokens: tokens.clone(),
            clock: clock.clone(),
            announcer: announced.clone(),
        };
        Self {
            log_in: LogIn {
                names: names(),
                authenticate: authenticate(),
                sessions: store.clone(),
                tokens: tokens.clone(),
                ids: Arc::new(NumberedIds::default()),
                clock: clock.clone(),
                announcer: announced.clone(),
            },
            log_out: LogOut {
                mode,
                sessions: store.clone(),
                authenticate: authenticate(),
                clock: clock.clone(),
                announcer: announced.clone(),
            },
            post: PostMessages {
                mode,
                sessions: store.clone(),
                log: store.clone(),
                clock: clock.clone(),
                reach: listeners.clone(),
                announcer: announced.clone(),
                allowance: talkers.clone(),
            },
            list: ListOnline::new(store.clone()),
            history: ReadHistory::new(store.clone()),
            store,
            listeners,
            talkers,
            announced,
            clock,
        }
    }

    fn open() -> Self {
        Self::new(AuthMode::Open)
    }

    async fn try_log_in(
        &self,
        pseudonym: &str,
        claim: bool,
        by: Credentials,
    ) -> Result<LoggedIn, LogInError> {
        self.log_in.execute(LogInRequest { pseudonym: pseudonym.into(), claim, credentials: by }).await
    }

    /// Logs somebody in and forgets that it was announced.
    async fn there_is(&self, pseudonym: &str, claim: bool) -> LoggedIn {
        let logged_in = self.try_log_in(pseudonym, claim, nothing()).await.expect("the name is free");
        let _ = self.announced.take();
        logged_in
    }

    async fn try_log_out(&self, pseudonym: &str, by: Credentials) -> Result<Session, LogOutError> {
        self.log_out.execute(LogOutRequest { pseudonym: mention(pseudonym), credentials: by }).await
    }

    async fn say(&self, caller: Caller, sender: Option<&str>, text: &str) -> Result<String, PostError> {
        self.try_post(post(caller, sender, text)).await.map(|message| message.sender.to_string())
    }

    async fn try_post(&self, post: Post) -> Result<Message, PostError> {
        let [answer] = self.post.execute(vec![post]).await.try_into().expect("one post, one answer");
        answer
    }
}

fn post(caller: Caller, sender: Option<&str>, text: &str) -> Post {
    let content = Content::parse(text).expect("a good content");
    Post { caller, place: None, sender: sender.map(mention), to: None, content, client_id: None }
}

fn by(of: &LoggedIn) -> Caller {
    Caller::Token(of.session.clone())
}

fn called(client_id: &str, post: Post) -> Post {
    Post { client_id: Some(ClientId::parse(client_id).expect("a good client id")), ..post }
}

fn private(to: &str, post: Post) -> Post {
    Post { to: Some(Addressee::parse(to).expect("short enough")), ..post }
}

fn mention(name: &str) -> Mention {
    Mention::parse(name).expect("short enough")
}

fn nothing() -> Credentials {
    Credentials::default()
}

fn token(of: &LoggedIn) -> Credentials {
    Credentials { token: Some(of.token.expose().into()), cookie: None }
}

fn cookie(of: &LoggedIn) -> Credentials {
    Credentials { token: None, cookie: Some(of.token.expose().into()) }
}

fn away() -> Unavailable {
    Unavailable::new("no database")
}
