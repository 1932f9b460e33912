//! The connections of one worker.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::rt::task::JoinHandle;
use lobby_domain::message::LogId;
use slab::Slab;
use tokio::sync::mpsc;

use super::encode::Encoded;
use super::farewell::{Telling, UnderWay};
use super::hub::{
    Arrival, Happened, Hub, Identity, Measured, Publication, Renewal, Ticket, ToShard, Welcome,
};
use super::replay;
use super::run::Run;
use super::sink::Sink;
use super::typing::Typing;

/// So many connections are looked at before they are written to: what is known of them is fetched from memory at the same time.
const LOOK_AHEAD: usize = 16;

/// One worker's connections. It is not `Send`: its worker alone touches them, without locks.
pub struct Shard {
    pub(super) hub: Arc<Hub>,
    feed: mpsc::Sender<ToShard>,
    members: RefCell<Slab<Member>>,
    /// Which member was let in last with a `pid`.
    recoverable: RefCell<HashMap<u128, Ticket>>,
    next_serial: Cell<u64>,
}

/// Who asks to be let in.
pub(super) struct Entrant {
    /// Where what it is told goes.
    pub(super) sink: Sink,
    /// Whose it is, and where it begins.
    pub(super) arrival: Arrival,
    /// The number of its `pid`, if it may be recovered.
    pub(super) pid: Option<u128>,
    /// Whether it wants to be told of who comes and goes in batches.
    pub(super) in_batches: bool,
}

pub(super) struct Member {
    serial: u64,
    sink: Sink,
    identity: Identity,
    pid: Option<u128>,
    in_batches: bool,
    stage: Stage,
    /// The newest message that it was sent, or is behind: later ones are news to it.
    position: i64,
    /// How much of what it has asked for is not answered yet.
    under_way: u32,
    /// It is to be told to go when that is answered.
    leaving: Option<Telling>,
}

enum Stage {
    /// It has not had its `session` event, and is told nothing.
    Waiting,
    /// It is being sent what it missed; what is said meanwhile is sent when its turn comes.
    #[expect(dead_code, reason = "the task is held, so that it ends with the member")]
    Replaying(Replay),
    /// It is told what happens.
    Live,
}

/// The task that sends a member what it missed; it ends with the member.
struct Replay(JoinHandle<()>);

/// A connection's place among the members; it leaves when this is dropped.
pub(super) struct Membership {
    shard: Rc<Shard>,
    ticket: Ticket,
}

impl Shard {
    /// Adds a shard for the worker that calls this, and feeds it for as long as the worker runs.
    ///
    /// # Panics
    /// Outside an actix worker or system.
    #[must_use]
    pub fn attach(hub: &Arc<Hub>) -> Rc<Self> {
        let (feed, entries) = hub.attach();
        let shard = Rc::new(Self {
            hub: hub.clone(),
            feed,
            members: RefCell::default(),
            recoverable: RefCell::default(),
            next_serial: Cell::default(),
        });
        actix_web::rt::spawn(shard.clone().run(entries));
        shard
    }

    /// Asks for a connection to be let in. Its `session` event is the first it is told.
    pub(super) async fn enter(self: &Rc<Self>, entrant: Entrant) -> Membership {
        let Entrant { sink, arrival, pid, in_batches } = entrant;
        let identity = arrival.identity;
        let serial = self.next_serial.replace(self.next_serial.get() + 1);
        let stage = Stage::Waiting;
        let member = Member {
            serial,
            sink,
            identity,
            pid,
            in_batches,
            stage,
            position: 0,
            under_way: 0,
            leaving: None,
        };
        let key = self.members.borrow_mut().insert(member);
        let ticket = Ticket { key, serial };
        let membership = Membership { shard: self.clone(), ticket };
        self.hub.admit(&self.feed, ticket, arrival).await;
        membership
    }

    /// Waits until the node goes away.
    pub(super) async fn closed(&self) {
        self.hub.closed().await;
    }

    async fn run(self: Rc<Self>, mut entries: mpsc::Receiver<ToShard>) {
        while let Some(entry) = entries.recv().await {
            match entry {
                ToShard::Deliver(happened) => match happened.lone() {
                    Some(message) if entries.is_empty() => self.deliver_now(message),
                    _ => {
                        self.deliver(&happened);
                        keep_until_written(happened);
                    }
                },
                // Whoever has asked may have given up.
                ToShard::Measure(tell) => drop(tell.try_send(self.measure())),
                ToShard::Typing(typing) => self.tell(&typing),
                ToShard::Admit(ticket, welcome) => self.admit(ticket, &welcome),
                ToShard::Supersede(pid) => self.supersede(pid),
                ToShard::Renew(renewal) => self.renew(&renewal),
                ToShard::Pruned => self.close_all(Sink::log_pruned),
                ToShard::CloseAll => self.close_all(Sink::go_away),
                ToShard::SayGoodbye(farewell) => {
                    drop(actix_web::rt::spawn(self.clone().say_goodbye(farewell)));
                }
            }
        }
    }

    /// Delivers one message that nothing comes with. To write it at once costs least: each connection is turned to once, which for
    /// a thousand of them in turn is what costs most besides the writes.
    fn deliver_now(&self, message: &Encoded) {
        let members = self.members.borrow();
        let mut news = members.iter().map(|(_, member)| member).filter(|member| member.is_news(message));
        let send = |(member, is_idle): (&Member, bool)| {
            if is_idle { member.sink.send_now(message) } else { member.sink.send(message) }
        };
        let (mut delivered, mut next) = (0, Vec::with_capacity(LOOK_AHEAD));
        loop {
            next.extend(news.by_ref().take(LOOK_AHEAD).map(|member| (member, member.sink.is_idle())));
            if next.is_empty() {
                break;
            }
            delivered += next.drain(..).filter(|looked_at| send(*looked_at)).count();
        }
        self.hub.metrics.delivered(delivered);
    }

    fn deliver(&self, happened: &Happened) {
        let mut delivered = 0;
        for member in self.members.borrow().iter().map(|(_, member)| member).filter(|member| member.is_in()) {
            for run in &happened.messages {
                delivered += member.hear(run);
            }
            if let Some(changes) = &happened.changes {
                member.tell(changes);
            }
            let Some(session) = member.identity.ends_with else { continue };
            if happened.ends.binary_search(&session).is_ok() {
                member.sink.end_session();
            } else if happened.expired.binary_search(&session).is_ok() {
                self.hub.doubt(session);
            }
        }
        self.hub.metrics.delivered(delivered);
    }

    fn measure(&self) -> Measured {
        let mut all = Measured::default();
        for (_, member) in self.members.borrow().iter() {
            if member.is_in() {
                all.add(&member.sink.measured());
            }
        }
        all
    }

    /// Those who wait to be let in will be told the list as it is then.
    fn renew(&self, renewal: &Renewal) {
        for member in self.members.borrow().iter().map(|(_, member)| member).filter(|member| member.is_in()) {
            let user = member.identity.proved.and_then(|id| renewal.living.get(id));
            member.sink.send_own("session", &renewal.snapshot.for_user(user).to_json());
        }
    }

    fn tell(&self, typing: &Typing) {
        let mut left_out = 0;
        for (_, member) in self.members.borrow().iter() {
            if matches!(member.stage, Stage::Live) && typing.is_for(member.identity.proved) {
                left_out += usize::from(!member.sink.send_volatile(&typing.event));
            }
        }
        self.hub.metrics.left_out(left_out);
    }

    fn admit(self: &Rc<Self>, ticket: Ticket, welcome: &Welcome) {
        let pid = self.with(ticket, |member| match welcome {
            Welcome::Session(snapshot) => {
                member.sink.send_own("session", &snapshot.to_json());
                member.position = snapshot.position;
                member.stage = if snapshot.has_missed() {
                    self.replay(ticket, member, snapshot.log)
                } else {
                    Stage::Live
                };
                if let Some(session) = member.identity.proved {
                    self.hub.count(session, true);
                }
                member.pid
            }
            Welcome::GoingAway => {
                member.sink.go_away();
                None
            }
        });
        if let Some(pid) = pid.flatten() {
            self.supersede(pid);
            self.recoverable.borrow_mut().insert(pid, ticket);
        }
    }

    fn replay(self: &Rc<Self>, ticket: Ticket, member: &Member, log: LogId) -> Stage {
        let replay = replay::run(self.clone(), ticket, member.sink.clone(), member.identity.proved, log);
        Stage::Replaying(Replay(actix_web::rt::spawn(replay)))
    }

    /// Closes the connection of a `pid`: its client is on another.
    fn supersede(&self, pid: u128) {
        let before = self.recoverable.borrow_mut().remove(&pid);
        before.and_then(|ticket| self.with(ticket, |member| member.sink.go_away()));
    }

    /// Where a member stands, if it is still there.
    pub(super) fn position_of(&self, ticket: Ticket) -> Option<i64> {
        self.with(ticket, |member| member.position)
    }

    /// Sends a member the next of what it missed, up to `position`; with that it is live if nothing is left. `false` if it
    /// takes nothing any more.
    pub(super) fn replayed(&self, ticket: Ticket, messages: &[Encoded], position: i64, is_all: bool) -> bool {
        let sent = self.with(ticket, |member| {
            let mut visible = messages.iter().filter(|message| member.may_see(message));
            let mut sent = 0;
            let taken = visible.all(|message| {
                let is_taken = member.sink.send(message);
                sent += usize::from(is_taken);
                is_taken
            });
            self.hub.metrics.replayed(sent);
            member.position = position;
            if is_all {
                member.stage = Stage::Live;
            }
            taken
        });
        sent.unwrap_or(false)
    }

    /// A member that is still there: it may have gone, and another may have its key.
    pub(super) fn with<R>(&self, ticket: Ticket, act: impl FnOnce(&mut Member) -> R) -> Option<R> {
        let mut members = self.members.borrow_mut();
        members.get_mut(ticket.key).filter(|member| member.serial == ticket.serial).map(act)
    }

    /// All members that there are.
    pub(super) fn tickets(&self) -> Vec<Ticket> {
        let members = self.members.borrow();
        members.iter().map(|(key, member)| Ticket { key, serial: member.serial }).collect()
    }

    fn close_all(&self, close: impl Fn(&Sink)) {
        for (_, member) in self.members.borrow().iter() {
            close(&member.sink);
        }
    }
}

/// What was just put into outboxes is written by a task that has its turn before one that begins now: it was put there first. Where
/// nobody asks how long that takes, nothing is begun.
fn keep_until_written(happened: Arc<Happened>) {
    if happened.delivering.is_some() {
        actix_web::rt::spawn(async move { drop(happened) });
    }
}

impl Member {
    /// Whether it may ask for something still.
    pub(super) fn begin(&mut self) -> bool {
        self.under_way += u32::from(self.leaving.is_none());
        self.leaving.is_none()
    }

    pub(super) fn answered(&mut self) {
        self.under_way -= 1;
        if self.under_way == 0 && self.leaving.take().is_some() {
            self.sink.go_away();
        }
    }

    /// Tells it to go, now or when all is answered.
    pub(super) fn leave(&mut self, telling: &Telling) {
        if self.under_way == 0 {
            self.sink.go_away();
        } else {
            self.leaving = Some(telling.clone());
        }
    }

    /// Whether it has had its `session` event.
    fn is_in(&self) -> bool {
        !matches!(self.stage, Stage::Waiting)
    }

    /// Whether it is told of a message that has just been let out now: not if that is sent when its turn comes, or was.
    fn is_news(&self, message: &Encoded) -> bool {
        matches!(self.stage, Stage::Live) && message.id > self.position && self.may_see(message)
    }

    /// Sends what has just been let out. How many messages were taken.
    fn hear(&self, run: &Run) -> usize {
        if matches!(self.stage, Stage::Live) && run.is_one_piece_after(self.position) {
            return if self.sink.send_all(run) { run.each().len() } else { 0 };
        }
        let news = run.each().iter().filter(|message| self.is_news(message));
        news.filter(|message| self.sink.send(message)).count()
    }

    fn tell(&self, changes: &Publication) {
        if self.in_batches {
            let _ending = self.sink.send(&changes.batch);
            return;
        }
        for change in &changes.each {
            let _ending = self.sink.send(change);
        }
    }

    fn may_see(&self, event: &Encoded) -> bool {
        event.audience.includes(self.identity.proved)
    }
}

impl Membership {
    /// Notes that the connection has asked for something, which is answered before it is told to go. `None` if it has been told.
    pub(super) fn begin(&self) -> Option<UnderWay> {
        self.shard.begin(self.ticket)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let member = self.shard.members.borrow_mut().remove(self.ticket.key);
        let Member { identity, pid, stage, .. } = member;
        if let (Some(session), Stage::Replaying(_) | Stage::Live) = (identity.proved, &stage) {
            self.shard.hub.count(session, false);
        }
        if let Some(pid) = pid {
            let mut recoverable = self.shard.recoverable.borrow_mut();
            if recoverable.get(&pid) == Some(&self.ticket) {
                recoverable.remove(&pid);
            }
        }
    }
}
