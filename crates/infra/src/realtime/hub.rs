//! The one announcer of a node.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use lobby_domain::event::{Event, Revision};
use lobby_domain::message::MessageId;
use lobby_domain::ports::{Announcer, LogHead, Online};
use lobby_domain::roster::Roster;
use lobby_domain::session::{Session, SessionId};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};
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
    closing: watch::Sender<bool>,
}

struct Core {
    roster: Roster,
    head: LogHead,
    /// The roster as JSON, made when it is first asked for and kept until it changes.
    users: Option<Users>,
    /// The most users that a `session` event lists.
    snapshot: usize,
    shards: Vec<mpsc::Sender<ToShard>>,
    /// How many shards were ever added.
    attached: u64,
    closing: bool,
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
    /// With its `session` event, which says this.
    Session(Snapshot),
    /// The session it was opened for is over.
    SessionOver,
    /// The node goes away.
    GoingAway,
}

/// Who a connection is, who is online, and where the log stands, all at one moment.
pub(super) struct Snapshot {
    user: Option<Session>,
    users: Users,
    revision: Revision,
    head: LogHead,
}

/// Who is online, as JSON, the longest online first: at most as many as the settings say, and how many there are.
#[derive(Clone)]
struct Users {
    first: Arc<RawValue>,
    total: usize,
}

/// `session`
#[derive(Serialize)]
struct SessionView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserView<'a>>,
    users: &'a RawValue,
    users_total: usize,
    revision: i64,
    log: Uuid,
    last_id: i64,
    recovered: bool,
}

impl Snapshot {
    /// What the `session` event says.
    pub(super) fn to_json(&self) -> Box<RawValue> {
        json(&SessionView {
            user: self.user.as_ref().map(UserView::from),
            users: &self.users.first,
            users_total: self.users.total,
            revision: self.revision.0,
            log: self.head.log.0,
            last_id: self.head.last_id.0,
            recovered: false,
        })
    }
}

impl Hub {
    /// With what storage says at the start. A `session` event lists at most `snapshot` users.
    #[must_use]
    pub fn new(online: Online, head: LogHead, snapshot: usize) -> Self {
        let roster = Roster::new(online.revision, online.sessions);
        let core =
            Core { roster, head, snapshot, users: None, shards: Vec::new(), attached: 0, closing: false };
        Self { core: Mutex::new(core), closing: watch::Sender::new(false) }
    }

    /// Has every shard close its connections, and lets none in any more.
    pub async fn close_all(&self) {
        self.closing.send_replace(true);
        let (rooms, mut core) = self.room_in_every_feed().await;
        core.closing = true;
        for room in rooms {
            room.send(ToShard::CloseAll);
        }
    }

    /// Waits until the node goes away: for connections that are no members yet.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The sender is this hub's own, so it is there for as long as somebody asks.
        let _told = closing.wait_for(|closing| *closing).await;
    }

    /// Adds a shard. It is fed what is announced from now on.
    pub(super) fn attach(&self) -> (mpsc::Sender<ToShard>, mpsc::Receiver<ToShard>) {
        let (feed, entries) = mpsc::channel(FEED_CAPACITY);
        let mut core = self.core();
        core.shards.push(feed.clone());
        core.attached += 1;
        (feed, entries)
    }

    /// Has a connection let in at its place in its shard's feed.
    pub(super) async fn admit(&self, feed: &mpsc::Sender<ToShard>, ticket: Ticket, identity: Identity) {
        // A feed that is closed is that of a worker which has gone, and the connection with it.
        let Ok(room) = feed.reserve().await else { return };
        let mut core = self.core();
        room.send(ToShard::Admit(ticket, core.welcome(identity)));
    }

    /// Room for one entry in the feed of each shard there is, and the core, which nobody else changes meanwhile.
    async fn room_in_every_feed(&self) -> (Vec<mpsc::OwnedPermit<ToShard>>, MutexGuard<'_, Core>) {
        loop {
            let (rooms, attached) = self.reserve().await;
            let core = self.core();
            // A shard that was added while this waited may have let somebody in already.
            if core.attached == attached {
                return (rooms, core);
            }
        }
    }

    /// Room for one entry in the feed of each shard, and how many had been added by then. The feeds of workers that
    /// have gone are forgotten.
    async fn reserve(&self) -> (Vec<mpsc::OwnedPermit<ToShard>>, u64) {
        let (shards, attached) = {
            let core = self.core();
            (core.shards.clone(), core.attached)
        };
        let mut rooms = Vec::with_capacity(shards.len());
        for shard in shards {
            match shard.clone().reserve_owned().await {
                Ok(room) => rooms.push(room),
                Err(_) => self.core().shards.retain(|known| !known.same_channel(&shard)),
            }
        }
        (rooms, attached)
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().expect("nothing panics while it holds the core")
    }
}

#[async_trait]
impl Announcer for Hub {
    async fn announce(&self, events: Vec<Event>) {
        let encoded: Arc<[_]> = events.iter().map(Encoded::of).collect();
        let (rooms, mut core) = self.room_in_every_feed().await;
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
        if self.closing {
            return Welcome::GoingAway;
        }
        if identity.ends_with.is_some_and(|id| living(id).is_none()) {
            return Welcome::SessionOver;
        }
        let user = identity.proved.and_then(living).cloned();
        let users = self.users.get_or_insert_with(|| users_of(&self.roster, self.snapshot)).clone();
        Welcome::Session(Snapshot { user, users, revision: self.roster.revision(), head: self.head })
    }
}

fn users_of(roster: &Roster, most: usize) -> Users {
    let sessions = roster.sessions();
    let total = sessions.len();
    // Ids sort by age.
    let first: Vec<_> = sessions.take(most).map(UserView::from).collect();
    Users { first: json(&first).into(), total }
}
