//! The one announcer of a node.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use lobby_domain::event::Event;
use lobby_domain::message::MessageId;
use lobby_domain::ports::{Announcer, LogHead, Online};
use lobby_domain::roster::Roster;
use lobby_domain::session::SessionId;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::encode::{Encoded, json};
use crate::wire::UserView;

/// Entries of a shard's feed that may wait. A shard that has this much to do stalls the writer, whose own
/// queue then fills up and says `busy`: that is where too much load is refused.
const FEED_CAPACITY: usize = 256;

/// Keeps who is online as of the last announcement, and feeds every shard the same sequence of events.
pub struct Hub {
    /// A std mutex: it is held for short, synchronous sections only, room in the feeds having been reserved
    /// before.
    core: Mutex<Core>,
}

struct Core {
    roster: Roster,
    head: LogHead,
    /// The roster as JSON, made when it is first asked for and kept until it changes.
    users: Option<Arc<RawValue>>,
    shards: Vec<mpsc::Sender<ToShard>>,
}

/// What a shard is fed, in order.
pub(super) enum ToShard {
    /// Tell everybody.
    Deliver(Arc<[Encoded]>),
    /// Let a connection in that has asked for it.
    Admit(Ticket, Welcome),
    /// Close every connection: the node goes away.
    CloseAll,
}

/// Which connection of a shard is meant. Keys are used again, serial numbers are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) key: usize,
    pub(super) serial: u64,
}

/// Whose a connection is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Identity {
    /// The session that was proved.
    pub(super) proved: Option<SessionId>,
    /// The session whose end is the connection's end.
    pub(super) ends_with: Option<SessionId>,
}

/// How a connection is received.
pub(super) enum Welcome {
    /// With its `session` event.
    Session(Encoded),
    /// The session it was opened for is over.
    SessionOver,
}

/// `session`: who you are, who is online, and where the log stands.
#[derive(Serialize)]
struct SessionView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserView<'a>>,
    users: &'a RawValue,
    revision: i64,
    log: Uuid,
    last_id: i64,
    recovered: bool,
}

impl Hub {
    /// With what storage says at the start.
    #[must_use]
    pub fn new(online: Online, head: LogHead) -> Self {
        let roster = Roster::new(online.revision, online.sessions);
        Self { core: Mutex::new(Core { roster, head, users: None, shards: Vec::new() }) }
    }

    /// Tells every shard to close its connections.
    pub async fn close_all(&self) {
        for room in self.reserve().await {
            room.send(ToShard::CloseAll);
        }
    }

    /// Adds a shard. It is fed what is announced from now on.
    pub(super) fn attach(&self) -> (mpsc::Sender<ToShard>, mpsc::Receiver<ToShard>) {
        let (feed, entries) = mpsc::channel(FEED_CAPACITY);
        self.core().shards.push(feed.clone());
        (feed, entries)
    }

    /// Has a connection let in at its place in its shard's feed.
    pub(super) async fn admit(&self, feed: &mpsc::Sender<ToShard>, ticket: Ticket, identity: Identity) {
        // A feed that is closed is that of a worker which has gone, and the connection with it.
        let Ok(room) = feed.reserve().await else { return };
        let mut core = self.core();
        room.send(ToShard::Admit(ticket, core.welcome(identity)));
    }

    /// Room for one entry in the feed of each shard. The feeds of workers that have gone are forgotten.
    async fn reserve(&self) -> Vec<mpsc::OwnedPermit<ToShard>> {
        let shards = self.core().shards.clone();
        let mut rooms = Vec::with_capacity(shards.len());
        for shard in shards {
            match shard.clone().reserve_owned().await {
                Ok(room) => rooms.push(room),
                Err(_) => self.core().shards.retain(|known| !known.same_channel(&shard)),
            }
        }
        rooms
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().expect("nothing panics while it holds the core")
    }
}

#[async_trait]
impl Announcer for Hub {
    async fn announce(&self, events: Vec<Event>) {
        let encoded: Arc<[_]> = events.iter().map(Encoded::of).collect();
        let rooms = self.reserve().await;
        let mut core = self.core();
        for event in &events {
            core.apply(event);
        }
        for room in rooms {
            room.send(ToShard::Deliver(encoded.clone()));
        }
    }
}

impl Core {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::NewMessage(message) => self.head.last_id = MessageId::max(self.head.last_id, message.id),
            Event::UserJoined { .. } | Event::UserLeft(_) => {
                self.roster.apply(event);
                self.users = None;
            }
        }
    }

    /// The session may have ended since it was proved.
    fn welcome(&mut self, identity: Identity) -> Welcome {
        let living = |id| self.roster.get(id);
        if identity.ends_with.is_some_and(|id| living(id).is_none()) {
            return Welcome::SessionOver;
        }
        let users = self.users.get_or_insert_with(|| users_of(&self.roster)).clone();
        let view = SessionView {
            user: identity.proved.and_then(living).map(UserView::from),
            users: &users,
            revision: self.roster.revision().0,
            log: self.head.log.0,
            last_id: self.head.last_id.0,
            recovered: false,
        };
        Welcome::Session(Encoded::new("session", &view))
    }
}

fn users_of(roster: &Roster) -> Arc<RawValue> {
    json(&roster.sessions().map(UserView::from).collect::<Vec<_>>()).into()
}
