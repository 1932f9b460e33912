//! A lobby without doors: the writer and all that is behind it, and nobody who listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use lobby_domain::auth::{AuthMode, Caller};
use lobby_domain::client_id::ClientId;
use lobby_domain::message::Content;
use lobby_domain::ports::{Clock, MessageLog, NewSession, Presence, SessionIds, Sessions, Tokens};
use lobby_domain::session::Session;
use lobby_domain::testing::{name, names};
use lobby_domain::use_cases::{Authenticate, LogIn, LogOut, Post, PostMessages};
use lobby_infra::clock::{RandomSessionIds, SystemClock};
use lobby_infra::doorman::Doorman;
use lobby_infra::persistence::{Durability, Store};
use lobby_infra::realtime::hub::Hub;
use lobby_infra::token::SignedTokens;
use lobby_infra::writer::{Changes, Writer};
use tokio::task::{JoinHandle, JoinSet};

use crate::common::backend::open;
use crate::common::measure::{Times, now};

/// As `messages.queue` has it.
const QUEUE: usize = 4096;
/// As `presence.snapshot` has it.
const SNAPSHOT: usize = 200;

pub(crate) struct Lobby {
    store: Store,
    writer: Writer,
    writing: JoinHandle<()>,
}

impl Lobby {
    pub(crate) async fn open(url: &str, durability: Durability) -> Self {
        let store = open(url, durability).await;
        let (online, head) = (store.online().await.expect("a look"), store.head().await.expect("a look"));
        let shared = Arc::new(store.clone());
        let hub = Arc::new(Hub::new(online, head, SNAPSHOT, shared.clone(), shared));
        let (writer, _health, writing) = Writer::spawn(changes(&store, &hub), QUEUE);
        Self { store, writer, writing }
    }

    pub(crate) async fn close(self) {
        drop(self.writer);
        self.writing.await.expect("no panic");
        self.store.close().await.expect("it closes");
    }

    /// Each sender posts, waits for the acknowledgement, and posts again, until `end`. Answers with how long the
    /// acknowledgements took.
    pub(crate) async fn talk(
        &self,
        senders: &[Session],
        content: &'static str,
        with_client_ids: bool,
        end: Instant,
    ) -> Times {
        let mut talking = JoinSet::new();
        for sender in senders {
            talking.spawn(say(self.writer.clone(), sender.clone(), content, with_client_ids, end));
        }
        let mut times = Times::default();
        while let Some(said) = talking.join_next().await {
            times.add(said.expect("no panic"));
        }
        times
    }
}

async fn say(
    writer: Writer,
    sender: Session,
    content: &'static str,
    with_client_ids: bool,
    end: Instant,
) -> Times {
    let mut times = Times::default();
    let content = Content::parse(content).expect("a good content");
    while now() < end {
        let post = Post {
            caller: Caller::Token(sender.clone()),
            place: None,
            sender: None,
            to: None,
            content: content.clone(),
            client_id: with_client_ids.then(fresh_client_id),
        };
        let start = now();
        writer.post(post).await.expect("it is posted");
        times.note(start);
    }
    times
}

/// As long as a UUID's text.
fn fresh_client_id() -> ClientId {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    ClientId::parse(&format!("{number:036}")).expect("a good client id")
}

/// Claimed sessions with names of their own, in a database that is not open.
pub(crate) async fn log_in(url: &str, count: usize) -> Vec<Session> {
    let store = open(url, Durability::Normal).await;
    let mut sessions = Vec::with_capacity(count);
    for number in 0..count {
        let new = NewSession {
            id: RandomSessionIds.next(),
            pseudonym: name(&format!("sender-{number:04}")),
            claimed: true,
            now: SystemClock.now(),
        };
        let (session, _revision) = Sessions::open(&store, new).await.expect("the name is free");
        sessions.push(session);
    }
    store.close().await.expect("it closes");
    sessions
}

fn changes(store: &Store, hub: &Arc<Hub>) -> Changes {
    let sessions: Arc<dyn Sessions> = Arc::new(store.clone());
    let presence: Arc<dyn Presence> = Arc::new(store.clone());
    let log: Arc<dyn MessageLog> = Arc::new(store.clone());
    let tokens: Arc<dyn Tokens> = Arc::new(SignedTokens::new(&"a secret of the bench".into()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let authenticate = || Authenticate {
        sessions: sessions.clone(),
        presence: presence.clone(),
        tokens: tokens.clone(),
        clock: clock.clone(),
        announcer: hub.clone(),
    };
    Changes {
        log_in: LogIn {
            names: names(),
            authenticate: authenticate(),
            sessions: sessions.clone(),
            tokens: tokens.clone(),
            ids: Arc::new(RandomSessionIds),
            clock: clock.clone(),
            announcer: hub.clone(),
        },
        log_out: LogOut {
            mode: AuthMode::Open,
            sessions: sessions.clone(),
            authenticate: authenticate(),
            clock: clock.clone(),
            announcer: hub.clone(),
        },
        authenticate: authenticate(),
        post: PostMessages {
            mode: AuthMode::Open,
            sessions,
            log,
            clock,
            reach: hub.clone(),
            announcer: hub.clone(),
            allowance: Arc::new(Doorman::away()),
        },
    }
}
