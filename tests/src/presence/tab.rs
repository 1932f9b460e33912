use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::door::{Door, Way};
use crate::harness::{Connection, LoggedIn, Polling, Protocol, Received, in_time};

/// A connection that is read all the time, by a client that does as the documentation says. Dropped, it is gone without
/// a word.
pub struct Tab {
    seen: watch::Receiver<Seen>,
    close: oneshot::Sender<()>,
    reading: JoinHandle<()>,
}

/// What a tab knows by now.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub sessions: BTreeSet<String>,
    pub revision: i64,
    /// What it was told since it came.
    pub changes: Vec<Change>,
    /// Each list it had, and of which revision.
    pub lists: Vec<(i64, BTreeSet<String>)>,
    /// How the lobby ended it.
    pub end: Option<Received>,
}

/// Somebody came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Joined(String),
    Left { session: String, reason: String },
}

impl Change {
    pub fn joined(who: &LoggedIn) -> Self {
        Self::Joined(who.session.clone())
    }

    pub fn expired(who: &LoggedIn) -> Self {
        Self::Left { session: who.session.clone(), reason: "expired".to_owned() }
    }

    pub fn is_of(&self, who: &LoggedIn) -> bool {
        let (Self::Joined(session) | Self::Left { session, .. }) = self;
        *session == who.session
    }
}

impl Tab {
    /// It has been let in.
    pub async fn open(door: &Door, way: Way, data: &Value) -> Self {
        let mut client = Client::connect(door, way, data).await;
        let (seeing, seen) = watch::channel(Seen::default());
        match client.receive().await {
            Received::Event(name, session) if name == "session" => {
                seeing.send_modify(|seen| seen.take(&name, &session));
            }
            other => panic!("it is let in, and not {other:?}"),
        }
        let (close, closing) = oneshot::channel();
        Self { seen, close, reading: tokio::spawn(read(client, seeing, closing)) }
    }

    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// What it was told of somebody.
    pub fn told_of(&self, who: &LoggedIn) -> Vec<Change> {
        self.seen().changes.into_iter().filter(|change| change.is_of(who)).collect()
    }

    /// How often it was told that somebody has run out.
    pub fn times_expired(&self, who: &LoggedIn) -> usize {
        let expired = Change::expired(who);
        self.seen().changes.iter().filter(|change| **change == expired).count()
    }

    /// Waits until it has seen something.
    pub async fn sees(&mut self, what: &str, is_so: impl Fn(&Seen) -> bool) -> Seen {
        let seen = Box::pin(in_time(what, self.seen.wait_for(|seen| is_so(seen)))).await;
        seen.unwrap_or_else(|_| panic!("{what}: the tab has ended")).clone()
    }

    /// Waits until it is told that somebody has gone.
    pub async fn sees_leave(&mut self, who: &LoggedIn) {
        let left = Change::expired(who);
        self.sees("somebody to leave", |seen| seen.changes.contains(&left)).await;
    }

    /// Waits until the lobby ends it.
    pub async fn ended(&mut self) -> Received {
        let seen = self.sees("the end", |seen| seen.end.is_some()).await;
        seen.end.expect("it was just there")
    }

    /// Whether it was not ended by the lobby.
    pub fn is_open(&self) -> bool {
        self.seen.borrow().end.is_none() && !self.reading.is_finished()
    }

    /// Leaves in good order.
    pub async fn close(self) {
        // One that was ended is closed already.
        let _ended = self.close.send(());
        in_time("the tab to close", self.reading).await.expect("it was told nothing that cannot be");
    }

    /// Somebody comes, goes, and is over in the end; this tab is told. Whoever went before and has the same grace and stayed
    /// away is over then too.
    pub async fn burn_a_candle(&mut self, door: &Door) -> LoggedIn {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let name = format!("candle-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let candle = door.log_in(&name).await;
        door.open(Way::Plain, &candle).await.close().await;
        self.sees_leave(&candle).await;
        candle
    }
}

impl Seen {
    fn take(&mut self, event: &str, data: &Value) {
        match event {
            "session" => {
                let users = data["users"].as_array().expect("a list");
                assert_eq!(data["users_total"], users.len(), "none is left out");
                self.sessions = users.iter().map(session_of).collect();
            }
            "user_joined" => self.joined(&data["user"]),
            "user_left" => self.left(data),
            "users_changed" => {
                data["left"].as_array().expect("a list").iter().for_each(|user| self.left(user));
                data["joined"].as_array().expect("a list").iter().for_each(|user| self.joined(user));
            }
            _ => return,
        }
        self.revision = data["revision"].as_i64().expect("a number");
        self.lists.push((self.revision, self.sessions.clone()));
    }

    fn joined(&mut self, user: &Value) {
        let session = session_of(user);
        assert!(self.sessions.insert(session.clone()), "{user} is there already");
        self.changes.push(Change::Joined(session));
    }

    fn left(&mut self, user: &Value) {
        let session = session_of(user);
        assert!(self.sessions.remove(&session), "{user} is not there");
        let reason = user["reason"].as_str().expect("a text").to_owned();
        self.changes.push(Change::Left { session, reason });
    }
}

fn session_of(user: &Value) -> String {
    user["session"].as_str().expect("a text").to_owned()
}

/// Until it is ended by either side.
async fn read(mut client: Client, seen: watch::Sender<Seen>, mut closing: oneshot::Receiver<()>) {
    loop {
        let received = tokio::select! {
            received = client.receive() => received,
            asked = &mut closing => {
                if asked.is_ok() {
                    client.close().await;
                }
                return;
            }
        };
        match received {
            Received::Event(name, data) => seen.send_modify(|seen| seen.take(&name, &data)),
            Received::Ack(..) => {}
            end => {
                // What the lobby ends is closed here too, before anybody hears of it.
                drop(client);
                seen.send_modify(|seen| seen.end = Some(end));
                return;
            }
        }
    }
}

enum Client {
    Socket(Box<Connection>),
    Polling(Polling),
}

impl Client {
    async fn connect(door: &Door, way: Way, data: &Value) -> Self {
        let protocol = match way {
            Way::Plain => Protocol::Plain,
            Way::SocketIo => Protocol::SocketIo,
            Way::Polling => return Self::Polling(Polling::connecting_at(door.address, data).await),
        };
        Self::Socket(Box::new(Connection::connecting_at(door.address, protocol, data).await))
    }

    async fn receive(&mut self) -> Received {
        match self {
            Self::Socket(connection) => connection.receive().await,
            Self::Polling(polling) => polling.receive().await,
        }
    }

    async fn close(&mut self) {
        match self {
            Self::Socket(connection) => connection.close().await,
            Self::Polling(polling) => polling.close().await,
        }
    }
}
