//! The one announcer of a node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use lobby_domain::event::{Event, Revision};
use lobby_domain::message::{LogId, MessageId};
use lobby_domain::ports::{Announcer, LogHead, MessageLog, Online, Reach};
use lobby_domain::roster::Roster;
use lobby_domain::session::{Session, SessionId};
use lobby_domain::timeline::{Released, Timeline};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::encode::{Encoded, json};
use super::recent::Recent;
use crate::persistence::READERS;
use crate::wire::UserView;

/// Entries of a shard's feed that may wait, each of at most one transaction's messages. A shard that has this much to do
/// stalls the writer, whose own queue then fills up and says `busy`: that is where too much load is refused.
const FEED_CAPACITY: usize = 32;

/// Connections that read missed messages from the log at the same time: one less than the database has readers, so that a
/// crowd that comes back keeps nobody from being let in.
const CONCURRENT_REPLAYS: usize = READERS as usize - 1;

/// Keeps who is online and where the log stands as of the last announcement, and feeds every shard the same sequence of
/// events.
pub struct Hub {
    /// A std mutex: it is held for short, synchronous sections only, room in the feeds having been reserved
    /// before.
    core: Mutex<Core>,
    closing: watch::Sender<bool>,
    /// Something is missing, or has been overtaken: the follower has to look.
    pub(super) gap: Notify,
    /// What the timeline's times count from.
    started: Instant,
    /// Where missed messages are read.
    pub(super) log: Arc<dyn MessageLog>,
    pub(super) replays: Semaphore,
    /// Connections by the session that they have proved. A std mutex, for the same reason.
    proved: Mutex<HashMap<SessionId, usize>>,
}

pub(super) struct Core {
    roster: Roster,
    log: LogId,
    pub(super) timeline: Timeline<Encoded>,
    recent: Recent,
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
    /// Tell everybody who may know.
    Deliver(Arc<[Encoded]>),
    /// Let a connection in that has asked for it.
    Admit(Ticket, Welcome),
    /// Close the connection of this `pid`: its client has come back on another.
    Supersede(u128),
    /// Messages are lost for everybody who is connected: the log keeps them no more.
    Pruned,
    /// Close every connection: the node goes away, or the log is another one.
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

/// Where in the log a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// With what is said from now on.
    Now,
    /// Behind a message, of which the log has all that follows.
    After { position: MessageId, recovered: bool },
}

/// How a connection is received.
pub(super) enum Welcome {
    /// With its `session` event, which says this.
    Session(Box<Snapshot>),
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
    pub(super) log: LogId,
    /// The newest message that is known.
    last_id: i64,
    /// Behind which message the connection begins.
    pub(super) position: i64,
    recovered: bool,
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
    /// Whether messages were let out already behind which the connection wants to begin.
    pub(super) fn has_missed(&self) -> bool {
        self.position < self.last_id
    }

    /// What the `session` event says.
    pub(super) fn to_json(&self) -> Box<RawValue> {
        json(&SessionView {
            user: self.user.as_ref().map(UserView::from),
            users: &self.users.first,
            users_total: self.users.total,
            revision: self.revision.0,
            log: self.log.0,
            // Whoever resumes is told where the log stands; everybody else, behind what the feed begins.
            last_id: if self.recovered { self.last_id.max(self.position) } else { self.position },
            recovered: self.recovered,
        })
    }
}

impl Hub {
    /// With what storage says at the start. A `session` event lists at most `snapshot` users.
    #[must_use]
    pub fn new(online: Online, head: LogHead, snapshot: usize, log: Arc<dyn MessageLog>) -> Self {
        let core = Core {
            roster: Roster::new(online.revision, online.sessions),
            log: head.log,
            timeline: Timeline::new(head.last_id.0),
            recent: Recent::default(),
            snapshot,
            users: None,
            shards: Vec::new(),
            attached: 0,
            closing: false,
        };
        Self {
            core: Mutex::new(core),
            closing: watch::Sender::new(false),
            gap: Notify::new(),
            started: Instant::now(),
            log,
            replays: Semaphore::new(CONCURRENT_REPLAYS),
            proved: Mutex::default(),
        }
    }

    /// Has every shard close its connections, and lets none in any more.
    pub async fn close_all(&self) {
        self.closing.send_replace(true);
        let (rooms, mut core) = self.room_in_every_feed().await;
        core.closing = true;
        feed(rooms, || ToShard::CloseAll);
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
    pub(super) async fn admit(
        &self,
        feed: &mpsc::Sender<ToShard>,
        ticket: Ticket,
        identity: Identity,
        start: Start,
    ) {
        // A feed that is closed is that of a worker which has gone, and the connection with it.
        let Ok(room) = feed.reserve().await else { return };
        let mut core = self.core();
        room.send(ToShard::Admit(ticket, core.welcome(identity, start)));
    }

    /// Closes the connection of a `pid`, wherever it is.
    pub(super) async fn supersede(&self, pid: u128) {
        let (rooms, _core) = self.room_in_every_feed().await;
        feed(rooms, || ToShard::Supersede(pid));
    }

    /// Which log this is, and the newest message that was let out.
    pub(super) fn position(&self) -> (LogId, MessageId) {
        let core = self.core();
        (core.log, MessageId(core.timeline.last()))
    }

    /// What was let out behind `position`, as long as that is kept; see [`Recent::after`].
    pub(super) fn recent(&self, position: i64, most_bytes: usize) -> Option<(Vec<Encoded>, i64, bool)> {
        let core = self.core();
        core.recent.after(position, core.timeline.last(), most_bytes)
    }

    /// Now, as the timeline counts.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Changes the timeline, and tells the shards what it lets out.
    pub(super) async fn advance(
        &self,
        change: impl FnOnce(&mut Timeline<Encoded>, Duration) -> Released<Encoded>,
    ) {
        let (rooms, mut core) = self.room_in_every_feed().await;
        let released = change(&mut core.timeline, self.now());
        core.publish(released, Vec::new(), rooms);
    }

    /// Takes in where the log stands, or that it is another one by now: then everybody has to begin anew.
    pub(super) async fn look(&self, head: LogHead) {
        if self.core().log == head.log {
            self.core().timeline.look(head.last_id.0, self.now());
            return;
        }
        let (rooms, mut core) = self.room_in_every_feed().await;
        core.log = head.log;
        core.timeline = Timeline::new(head.last_id.0);
        core.recent = Recent::default();
        feed(rooms, || ToShard::CloseAll);
    }

    /// A connection that has proved a session is there, or gone.
    pub(super) fn count(&self, session: SessionId, is_there: bool) {
        let mut proved = self.proved.lock().expect("nothing panics while it counts");
        let count = proved.entry(session).or_default();
        *count = if is_there { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            proved.remove(&session);
        }
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

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().expect("nothing panics while it holds the core")
    }
}

fn feed(rooms: Vec<mpsc::OwnedPermit<ToShard>>, entry: impl Fn() -> ToShard) {
    for room in rooms {
        room.send(entry());
    }
}

#[async_trait]
impl Announcer for Hub {
    async fn announce(&self, events: Vec<Event>) {
        let (log, _) = self.position();
        let (mut messages, mut changes) = (Vec::with_capacity(events.len()), Vec::new());
        for event in events {
            match event {
                Event::NewMessage(message) => messages.push((message.id.0, Encoded::message(message, log))),
                Event::UserJoined { .. } | Event::UserLeft(_) => changes.push(event),
            }
        }
        let encoded = changes.iter().filter_map(Encoded::change).collect();
        let (rooms, mut core) = self.room_in_every_feed().await;
        for event in &changes {
            core.apply(event);
        }
        let released = core.timeline.hear(messages, self.now());
        let is_behind = core.timeline.wake_at().is_some();
        core.publish(released, encoded, rooms);
        drop(core);
        if is_behind {
            self.gap.notify_one();
        }
    }
}

impl Reach for Hub {
    fn reaches(&self, session: SessionId) -> bool {
        self.proved.lock().expect("nothing panics while it counts").contains_key(&session)
    }
}

impl Core {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::NewMessage(_) => {}
            Event::UserJoined { .. } | Event::UserLeft(_) => {
                self.roster.apply(event);
                self.users = None;
            }
        }
    }

    /// Feeds every shard what the timeline has let out, and changes of who is online.
    fn publish(
        &mut self,
        released: Released<Encoded>,
        changes: Vec<Encoded>,
        rooms: Vec<mpsc::OwnedPermit<ToShard>>,
    ) {
        if released.gap {
            // What the gap let out can be had from the log by whoever comes back.
            self.recent = Recent::default();
            return feed(rooms, || ToShard::Pruned);
        }
        let messages = released.entries.into_iter().map(|(_, message)| message);
        let events: Arc<[_]> = messages.inspect(|message| self.recent.push(message)).chain(changes).collect();
        if !events.is_empty() {
            feed(rooms, || ToShard::Deliver(events.clone()));
        }
    }

    /// The session may have ended since it was proved.
    fn welcome(&mut self, identity: Identity, start: Start) -> Welcome {
        let living = |id| self.roster.get(id);
        if self.closing {
            return Welcome::GoingAway;
        }
        if identity.ends_with.is_some_and(|id| living(id).is_none()) {
            return Welcome::SessionOver;
        }
        let user = identity.proved.and_then(living).cloned();
        let users = self.users.get_or_insert_with(|| users_of(&self.roster, self.snapshot)).clone();
        let last_id = self.timeline.last();
        let (position, recovered) = match start {
            Start::Now => (last_id, false),
            Start::After { position, recovered } => (position.0, recovered),
        };
        let revision = self.roster.revision();
        Welcome::Session(Box::new(Snapshot {
            user,
            users,
            revision,
            log: self.log,
            last_id,
            position,
            recovered,
        }))
    }
}

fn users_of(roster: &Roster, most: usize) -> Users {
    let sessions = roster.sessions();
    let total = sessions.len();
    // Ids sort by age.
    let first: Vec<_> = sessions.take(most).map(UserView::from).collect();
    Users { first: json(&first).into(), total }
}
