//! The one announcer of a node.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `core` | where log and list stand, and whom to tell |
//! | `feed` | what shards are fed |
//! | `feeds` | how it gets to all of them, in the same order |
//! | `measure` | how many there are of what |
//! | `publications` | when changes of who is online are told |
//! | `snapshot` | what a connection is told first of all |
//!
//! Invariant: what a `session` event lists is what everybody has been told of, no more: with what follows it is the list of a
//! revision at any moment. Whose connections are closed follows what is known, without waiting for that.

mod core;
mod feed;
mod feeds;
mod measure;
mod publications;
#[cfg(test)]
mod scrape_tests;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use lobby_domain::event::Event;
use lobby_domain::message::{LogId, Message, MessageId};
use lobby_domain::ports::{Announcer, Bus, Hint, LogHead, MessageLog, News, Online, Reach, RosterLog};
use lobby_domain::roster::Change;
use lobby_domain::session::SessionId;
use lobby_domain::timeline::{Released, Timeline};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::Instant;

pub(super) use self::core::Core;
pub(super) use self::feed::{
    Arrival, Happened, Identity, Publication, Renewal, Start, Ticket, ToShard, Welcome,
};
use self::feeds::feed;
pub(crate) use self::measure::Measured;
pub(crate) use self::snapshot::SessionView;
use super::encode::Encoded;
use super::farewell::Farewell;
use super::recent::Recent;
use super::typing::Pace;
use crate::bus::in_process::InProcess;
use crate::metrics::Metrics;
use crate::metrics::receipts::{self, Receipt};
use crate::persistence::READERS;

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
    /// The same of who is online; or somebody has to be looked up.
    pub(super) change: Notify,
    /// Changes wait to be told.
    pub(super) pending: Notify,
    /// What the times of timelines and publications count from.
    started: Instant,
    /// Where missed messages are read.
    pub(super) log: Arc<dyn MessageLog>,
    /// Where missed changes are read.
    pub(super) roster: Arc<dyn RosterLog>,
    /// Where other nodes are told what happens here.
    pub(super) bus: Arc<dyn Bus>,
    pub(super) replays: Semaphore,
    pub(super) pace: Mutex<Pace>,
    pub(super) metrics: Metrics,
    /// Connections by the session that they have proved. A std mutex, for the same reason.
    proved: Mutex<HashMap<SessionId, usize>>,
}

impl Hub {
    /// With what storage says at the start. A `session` event lists at most `snapshot` users. It is alone, unless it is put
    /// [on a bus](Self::on_bus).
    #[must_use]
    pub fn new(
        online: Online,
        head: LogHead,
        snapshot: usize,
        log: Arc<dyn MessageLog>,
        roster: Arc<dyn RosterLog>,
    ) -> Self {
        Self {
            core: Mutex::new(Core::new(online, &head, snapshot)),
            closing: watch::Sender::new(false),
            gap: Notify::new(),
            change: Notify::new(),
            pending: Notify::new(),
            started: Instant::now(),
            log,
            roster,
            bus: Arc::new(InProcess::default()),
            replays: Semaphore::new(CONCURRENT_REPLAYS),
            pace: Mutex::default(),
            metrics: Metrics::default(),
            proved: Mutex::default(),
        }
    }

    /// Has other nodes on this bus told what happens here; what they tell comes in by [`listen`](super::listen::listen).
    #[must_use]
    pub fn on_bus(self, bus: Arc<dyn Bus>) -> Self {
        Self { bus, ..self }
    }

    /// Has what it does counted there.
    #[must_use]
    pub fn counted_in(self, metrics: Metrics) -> Self {
        self.core().metrics = metrics.clone();
        Self { metrics, ..self }
    }

    /// Lets nobody in any more, and has all connections told to go elsewhere: in batches, `within` so much time, and each when what
    /// it has asked for is answered. That has happened when this returns.
    pub async fn say_goodbye(&self, within: Duration) {
        let (telling, mut told) = mpsc::channel(1);
        self.begin_goodbye(Farewell { within, telling }).await;
        // Nothing is sent: it ends when nobody is left to be told.
        let _nothing = told.recv().await;
    }

    async fn begin_goodbye(&self, farewell: Farewell) {
        self.closing.send_replace(true);
        let (rooms, mut core) = self.room_in_every_feed().await;
        core.closing = true;
        feed(rooms, &ToShard::SayGoodbye(farewell));
    }

    /// Has every shard close its connections at once.
    pub async fn close_all(&self) {
        let (rooms, _core) = self.room_in_every_feed().await;
        feed(rooms, &ToShard::CloseAll);
    }

    /// Waits until the node goes away: for connections that are no members yet.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The sender is this hub's own, so it is there for as long as somebody asks.
        let _told = closing.wait_for(|closing| *closing).await;
    }

    /// A session with connections here may be over: it is looked up.
    pub(super) fn doubt(&self, session: SessionId) {
        self.core().doubts.insert(session);
        self.change.notify_one();
    }

    /// Has a connection let in at its place in its shard's feed.
    pub(super) async fn admit(&self, feed: &mpsc::Sender<ToShard>, ticket: Ticket, arrival: Arrival) {
        if self.core().publications.may_be_early(self.now()) {
            self.happen(Core::early).await;
        }
        // A feed that is closed is that of a worker which has gone, and the connection with it.
        let Ok(room) = feed.reserve().await else { return };
        let mut core = self.core();
        room.send(ToShard::Admit(ticket, core.welcome(arrival)));
        if !core.doubts.is_empty() {
            self.change.notify_one();
        }
    }

    /// Closes the connection of a `pid`, wherever it is.
    pub(super) async fn supersede(&self, pid: u128) {
        self.publish(News::Superseded(pid));
        self.supersede_here(pid).await;
    }

    /// The same of this node's.
    pub(super) async fn supersede_here(&self, pid: u128) {
        let (rooms, _core) = self.room_in_every_feed().await;
        feed(rooms, &ToShard::Supersede(pid));
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

    /// Changes the log's timeline, and tells the shards what it lets out.
    pub(super) async fn advance(
        &self,
        change: impl FnOnce(&mut Timeline<Encoded>, Duration) -> Released<Encoded>,
    ) {
        let (rooms, mut core) = self.room_in_every_feed().await;
        let released = change(&mut core.timeline, self.now());
        let entry = core.said(released);
        feed(rooms, &entry);
    }

    /// Tells the shards what has happened: what the timelines let out, and what it is time to tell.
    pub(super) async fn happen(&self, what: impl FnOnce(&mut Core, Duration) -> Happened) {
        let (rooms, mut core) = self.room_in_every_feed().await;
        let happened = what(&mut core, self.now());
        if !happened.is_nothing() {
            feed(rooms, &happened.into());
        }
        let waits = core.publications.due_at().is_some();
        drop(core);
        if waits {
            self.pending.notify_one();
        }
    }

    /// Takes in changes of who is online, in any order.
    pub(super) async fn advance_changes(
        &self,
        change: impl FnOnce(&mut Timeline<Change>, Duration) -> Released<Change>,
    ) {
        self.happen(|core, now| {
            let released = change(&mut core.changes, now);
            core.happened(Released::default(), released, now)
        })
        .await;
    }

    /// When changes have to be told that wait for it.
    pub(super) fn publish_at(&self) -> Option<Instant> {
        self.core().publications.due_at().map(|at| self.started + at)
    }

    /// Begins anew with who is online: changes are lost.
    pub(super) async fn begin_anew(&self, online: Online) {
        let (rooms, mut core) = self.room_in_every_feed().await;
        let connected: Vec<_> = self.proved().keys().copied().collect();
        let renewal = Arc::new(core.begin_anew(online, connected));
        feed(rooms, &ToShard::Renew(renewal));
        if !core.doubts.is_empty() {
            self.change.notify_one();
        }
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
        feed(rooms, &ToShard::CloseAll);
    }

    /// Whether a session is online, as far as is known here.
    pub(super) fn is_online(&self, session: SessionId) -> bool {
        self.core().living.get(session).is_some()
    }

    /// A connection that has proved a session is there, or gone.
    pub(super) fn count(&self, session: SessionId, is_there: bool) {
        let mut proved = self.proved();
        let count = proved.entry(session).or_default();
        *count = if is_there { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            proved.remove(&session);
        }
    }

    /// Takes in what has happened, here or at another node, in any order: the timelines put it into theirs. Of messages it is said when
    /// they came in, if they did so here.
    pub(super) async fn take_in(&self, events: Vec<Event>, log: LogId, received: Vec<Receipt>) {
        let (mut messages, mut changes) = (Vec::with_capacity(events.len()), Vec::new());
        let mut received = received.into_iter();
        for event in events {
            match event {
                Event::NewMessage(message) => {
                    let id = message.id.0;
                    let mut encoded = Encoded::message(message, log);
                    encoded.received = received.next();
                    messages.push((id, encoded));
                }
                change @ (Event::UserJoined { .. } | Event::UserLeft(_)) => {
                    changes.extend(Change::of(&change));
                }
            }
        }
        let changes = changes.into_iter().map(|change| (change.revision().0, change));
        let (mut misses_messages, mut misses_changes) = (false, false);
        self.happen(|core, now| {
            let messages = core.timeline.hear(messages, now);
            let changes = core.changes.hear(changes, now);
            misses_messages = core.timeline.wake_at().is_some();
            misses_changes = core.changes.wake_at().is_some();
            core.happened(messages, changes, now)
        })
        .await;
        if misses_messages {
            self.gap.notify_one();
        }
        if misses_changes {
            self.change.notify_one();
        }
    }

    /// Tells the other nodes.
    pub(super) fn publish(&self, news: News) {
        let (log, _) = self.position();
        self.bus.publish(&Hint { log, news });
    }

    fn proved(&self) -> MutexGuard<'_, HashMap<SessionId, usize>> {
        self.proved.lock().expect("nothing panics while it counts")
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().expect("nothing panics while it holds the core")
    }
}

#[async_trait]
impl Announcer for Hub {
    async fn announce(&self, events: Vec<Event>) {
        let (log, _) = self.position();
        let hint = Hint { log, news: News::Happened(events) };
        self.bus.publish(&hint);
        if let News::Happened(events) = hint.news {
            let accepted =
                events.iter().filter_map(message_of).inspect(|message| self.metrics.accepted(message));
            let received = receipts::of(accepted.count());
            self.take_in(events, log, received).await;
        }
    }
}

fn message_of(event: &Event) -> Option<&Message> {
    match event {
        Event::NewMessage(message) => Some(message),
        Event::UserJoined { .. } | Event::UserLeft(_) => None,
    }
}

impl Reach for Hub {
    fn reaches(&self, session: SessionId) -> bool {
        self.proved().contains_key(&session)
    }
}
