use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt as _;
use uuid::Uuid;

use super::model::Life;
use super::{Step, Trouble};
use crate::auth::Authority;
use crate::event::Revision;
use crate::ports::{NewSession, OpenError, Presence as _, Sessions as _, Woken};
use crate::presence::{Arrival, Attendance, Limits, Moment, NodeId};
use crate::session::SessionId;
use crate::testing::{MemoryStore, name};
use crate::timestamp::Timestamp;

pub(super) const PEOPLE: usize = 4;
pub(super) const NODES: usize = 3;
/// On every node's monotonic clock.
const START: Duration = Duration::from_secs(1_000);
const TICK: Duration = Duration::from_millis(100);

/// The first two want the same name.
const NAMES: [(usize, &str); PEOPLE] = [(0, "JohnDoe"), (0, "johndoe"), (1, "Zoë"), (2, "Ann")];

pub(super) const LIMITS: Limits = Limits {
    grace: Duration::from_secs(3),
    unconnected: Duration::from_secs(8),
    unclaimed: Duration::from_secs(12),
    hold: Duration::from_secs(6),
    lease: Duration::from_secs(3),
};

#[expect(clippy::struct_excessive_bools, reason = "whatever happens to a node happens by itself")]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) attendance: Attendance,
    pub(super) is_frozen: bool,
    pub(super) is_cut: bool,
    pub(super) loses_answer: bool,
    /// Whether it was out of reach while another was not, and has not caught up since.
    pub(super) is_behind: bool,
    /// Whether a beat was answered since: then it knows what it has missed.
    pub(super) has_beaten: bool,
    /// Presence time at its last beat that counts for whom it serves.
    pub(super) beaten_at: Moment,
}

pub(super) struct Connection {
    pub(super) session: SessionId,
    pub(super) node: NodeId,
    pub(super) is_in: bool,
    /// Whether the peer has gone, which a frozen node has yet to notice.
    pub(super) is_gone: bool,
}

pub(super) struct World {
    pub(super) store: MemoryStore,
    /// By its own clock each node's monotonic one.
    pub(super) now: Duration,
    pub(super) wall: i64,
    /// Presence time, as beats answered.
    pub(super) moment: Moment,
    /// By how much a node may go by a count that is too old, with what has happened yet.
    pub(super) age: Duration,
    pub(super) is_away: bool,
    pub(super) nodes: Vec<Option<Node>>,
    pub(super) connections: Vec<Connection>,
    pub(super) lives: BTreeMap<SessionId, Life>,
    /// The last session of each person.
    pub(super) own: [Option<SessionId>; PEOPLE],
    pub(super) revision: i64,
    pub(super) ids: u128,
}

pub(super) fn ready<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("memory answers at once")
}

impl World {
    pub(super) fn new(nodes: usize) -> Self {
        let mut world = Self {
            store: MemoryStore::new(LIMITS),
            now: START,
            wall: 1_000_000_000_000,
            moment: Moment(0),
            age: Duration::ZERO,
            is_away: false,
            nodes: (0..NODES).map(|_| None).collect(),
            connections: Vec::new(),
            lives: BTreeMap::new(),
            own: [None; PEOPLE],
            revision: 0,
            ids: 0,
        };
        for node in 0..nodes {
            world.start(node);
        }
        world
    }

    /// Everybody who can is there, claimed, and connected somewhere.
    pub(super) fn begin(&mut self) {
        for person in 1..PEOPLE {
            self.run(&Step::LogIn { person, claimed: true });
            self.run(&Step::Connect { person, node: person % NODES });
        }
    }

    pub(super) fn run(&mut self, step: &Step) {
        if matches!(step, Step::Freeze(_) | Step::Cut(_) | Step::LoseAnswer(_) | Step::Outage(true)) {
            self.age = LIMITS.lease * 2 / 3;
        }
        match *step {
            Step::Connect { person, node } => self.connect(person, node),
            Step::Disconnect(index) => self.disconnect(index),
            Step::Start(node) => self.start(node),
            Step::Crash(node) => self.crash(node),
            Step::Leave(node) => self.leave(node),
            Step::Freeze(node) => self.at(node, |node| node.is_frozen = true),
            Step::Cut(node) => self.at(node, |node| node.is_cut = true),
            Step::Mend(node) => self.at(node, |node| (node.is_frozen, node.is_cut) = (false, false)),
            Step::LoseAnswer(node) => self.at(node, |node| node.loses_answer = true),
            Step::Outage(is_away) => self.is_away = is_away,
            Step::JumpWallClock(by) => self.wall += by,
            Step::Pass { ticks } => (0..ticks).for_each(|_| self.tick()),
            Step::Trouble { what, node, ticks } => self.trouble(what, node, ticks),
            _ if self.is_away => {}
            Step::Visit { person, node, ticks, claim } => self.visit(person, node, ticks, claim),
            Step::LogIn { person, claimed } => self.log_in(person, claimed),
            Step::Request { person, claim } => self.request(person, claim),
            Step::Speak { person } => self.speak(person),
            Step::LogOut { person } => self.log_out(person),
        }
        self.drive_all();
    }

    /// Everything works again and everybody goes: then nobody is there, and presence time runs as fast as any other.
    pub(super) fn come_to_rest(&mut self) {
        self.is_away = false;
        for node in 0..NODES {
            self.at(node, |node| (node.is_frozen, node.is_cut, node.loses_answer) = (false, false, false));
        }
        self.start(0);
        while let Some(connection) = self.connections.iter().position(|connection| !connection.is_gone) {
            self.hang_up(connection);
        }
        self.tick();
        let (moment, now) = (self.moment, self.now);
        let rest = LIMITS.unclaimed + LIMITS.lease * 6;
        while self.now < now + rest {
            self.tick();
        }
        assert!(self.moment.since(moment) + LIMITS.lease > rest, "presence time stands");
        assert_eq!(ready(self.store.online()).expect("a look").sessions, [], "somebody stays");
    }

    fn trouble(&mut self, what: Trouble, node: usize, ticks: usize) {
        let all = 0..NODES;
        let steps: Vec<Step> = match what {
            Trouble::Frozen => vec![Step::Freeze(node)],
            Trouble::Cut => vec![Step::Cut(node)],
            Trouble::CutOffAll => vec![Step::Outage(true)],
            Trouble::FrozenAll => all.clone().map(Step::Freeze).collect(),
            Trouble::Crashed => vec![Step::Crash(node)],
            Trouble::AnswersLost => all.clone().map(Step::LoseAnswer).collect(),
        };
        let mend =
            all.map(Step::Mend).chain([Step::Outage(false), Step::Start(node), Step::Pass { ticks: 30 }]);
        for step in steps.into_iter().chain([Step::Pass { ticks }]).chain(mend) {
            self.run(&step);
        }
    }

    fn visit(&mut self, person: usize, node: usize, ticks: usize, claim: bool) {
        self.run(&Step::Connect { person, node });
        self.run(&Step::Pass { ticks: 10 });
        if let Some(session) = self.own[person] {
            self.hang_up_all(session);
        }
        self.run(&Step::Pass { ticks });
        self.run(&Step::Request { person, claim });
    }

    fn tick(&mut self) {
        self.now += TICK;
        self.wall += 100;
        self.drive_all();
        self.check();
    }

    fn at(&mut self, node: usize, change: impl FnOnce(&mut Node)) {
        if let Some(node) = &mut self.nodes[node] {
            change(node);
        }
    }

    fn check(&self) {
        let online = ready(self.store.online()).expect("a look");
        let expected = self.lives.iter().filter(|(_, life)| life.is_online).map(|(id, _)| *id);
        assert!(online.sessions.iter().map(|session| session.id).eq(expected), "the list is what was told");
        assert_eq!(online.revision.0, self.revision);
        assert!(self.moment.since(Moment(0)) <= self.now.saturating_sub(START), "presence time runs ahead");
    }

    /// Right after somebody reaped.
    pub(super) fn check_nobody_stays(&self) {
        for (id, life) in self.lives.iter().filter(|(_, life)| life.is_online) {
            let is_connected = self.connections.iter().any(|connection| connection.session == *id);
            assert!(is_connected || self.moment < life.most, "{id} stays: {life:?} at {:?}", self.moment);
        }
    }

    fn log_in(&mut self, person: usize, claimed: bool) {
        self.ids += 1;
        let id = SessionId(Uuid::from_u128(self.ids));
        let (key, pseudonym) = NAMES[person];
        let new = NewSession { id, pseudonym: name(pseudonym), claimed, now: self.wall() };
        match (ready(self.store.open(new)), self.claim_on(key, None)) {
            (Ok((_, revision)), None) => {
                self.lives.insert(id, Life::new(key, claimed, LIMITS));
                self.own[person] = Some(id);
                self.joined(id, revision);
            }
            (Err(OpenError::NameTaken), Some(None)) => {}
            (Err(OpenError::NameHeld { retry_after }), Some(Some(left))) if retry_after == left => {}
            (answer, expected) => panic!("{answer:?} where another's claim is {expected:?}"),
        }
    }

    /// Whether another than `id` has this name, or for how long yet it is held.
    #[expect(clippy::option_option, reason = "nobody, for good, or for a time")]
    fn claim_on(&self, key: usize, id: Option<SessionId>) -> Option<Option<Duration>> {
        let others = self.lives.iter().filter(|(other, life)| life.name == key && Some(**other) != id);
        let others: Vec<_> = others.map(|(_, life)| life).collect();
        if others.iter().any(|life| life.is_online) {
            return Some(None);
        }
        let held = others.iter().filter(|life| life.is_dormant() && life.held_until > self.moment);
        held.map(|life| life.held_until.since(self.moment)).max().map(Some)
    }

    fn may_wake(&self, id: SessionId) -> bool {
        let life = &self.lives[&id];
        life.is_online || (life.is_dormant() && self.claim_on(life.name, Some(id)).is_none())
    }

    fn request(&mut self, person: usize, claim: bool) {
        let Some(id) = self.own[person] else { return };
        let may_wake = self.may_wake(id);
        let woken = ready(self.store.wake(id, claim, self.wall())).expect("an answer");
        assert_eq!(woken.as_ref().map(|(session, _)| session.id), may_wake.then_some(id));
        let Some(woken) = woken else { return };
        self.woken(woken);
        let life = self.lives.get_mut(&id).expect("it was opened");
        if claim && !life.claimed {
            life.claimed(self.moment, self.age);
        }
    }

    fn speak(&mut self, person: usize) {
        let (key, pseudonym) = NAMES[person];
        let same = self.lives.iter().filter(|(_, life)| life.name == key);
        let meant = same.max_by_key(|(_, life)| (life.is_online, life.left)).map(|(id, _)| *id);
        let expected = meant.filter(|id| !self.lives[id].claimed && self.may_wake(*id));
        let woken = ready(self.store.wake_named(name(pseudonym).key(), self.wall())).expect("an answer");
        assert_eq!(woken.as_ref().map(|(session, _)| session.id), expected);
        if let Some(woken) = woken {
            self.woken(woken);
        }
    }

    fn woken(&mut self, (session, revision): Woken) {
        let was_online = self.lives[&session.id].is_online;
        assert_eq!(revision.is_some(), !was_online);
        if let Some(revision) = revision {
            self.joined(session.id, revision);
        }
        self.lives.get_mut(&session.id).expect("it was opened").requested(self.moment);
    }

    fn log_out(&mut self, person: usize) {
        let Some(id) = self.own[person] else { return };
        let ended = ready(self.store.end(id, Authority::Token, self.wall())).expect("an answer");
        assert_eq!(ended.is_some(), self.lives[&id].is_online);
        let Some(revision) = ended else { return };
        self.lives.get_mut(&id).expect("it was opened").is_logged_out = true;
        self.left(id, revision);
        self.hang_up_all(id);
    }

    fn connect(&mut self, person: usize, node: usize) {
        let (Some(session), Some(node)) = (self.own[person], &mut self.nodes[node]) else { return };
        if node.is_frozen {
            return;
        }
        let is_in = node.attendance.arrive(session) == Arrival::Known;
        self.connections.push(Connection { session, node: node.id, is_in, is_gone: false });
        if is_in {
            self.lives.get_mut(&session).expect("it was opened").let_in();
        }
    }

    fn disconnect(&mut self, index: proptest::sample::Index) {
        let there: Vec<_> = (0..self.connections.len()).filter(|n| !self.connections[*n].is_gone).collect();
        if !there.is_empty() {
            self.hang_up(there[index.index(there.len())]);
        }
    }

    fn hang_up_all(&mut self, session: SessionId) {
        for n in 0..self.connections.len() {
            if self.connections[n].session == session && !self.connections[n].is_gone {
                self.hang_up(n);
            }
        }
    }

    fn hang_up(&mut self, connection: usize) {
        let connection = &mut self.connections[connection];
        connection.is_gone = true;
        let (session, node, is_in) = (connection.session, connection.node, connection.is_in);
        self.ended(session, node, is_in);
    }

    pub(super) fn ended(&mut self, session: SessionId, node: NodeId, is_in: bool) {
        let is_excused = self
            .nodes
            .iter()
            .flatten()
            .find(|other| other.id == node)
            .is_none_or(|node| node.is_behind || self.moment >= node.beaten_at.after(LIMITS.lease));
        let life = self.lives.get_mut(&session).expect("it was opened");
        if is_in {
            life.went(self.moment, self.age, is_excused);
        } else {
            life.turned_away(self.moment, self.age);
        }
    }

    fn start(&mut self, node: usize) {
        if self.nodes[node].is_some() {
            return;
        }
        self.ids += 1;
        self.nodes[node] = Some(Node {
            id: NodeId(Uuid::from_u128(self.ids)),
            attendance: Attendance::new(LIMITS.lease),
            is_frozen: false,
            is_cut: false,
            loses_answer: false,
            is_behind: false,
            has_beaten: false,
            beaten_at: self.moment,
        });
    }

    fn crash(&mut self, node: usize) {
        let Some(Node { id, .. }) = self.nodes[node].take() else { return };
        for connection in
            self.connections.extract_if(.., |connection| connection.node == id).collect::<Vec<_>>()
        {
            if !connection.is_gone {
                self.ended(connection.session, id, connection.is_in);
            }
        }
    }

    /// In good order, if the database is there.
    fn leave(&mut self, number: usize) {
        let Some(node) = self.nodes[number].as_ref().filter(|node| !self.is_away && !node.is_cut) else {
            return;
        };
        if let Some(gone) = node.attendance.clock().latest(self.now) {
            ready(self.store.leave(node.id, gone)).expect("an answer");
        }
        self.crash(number);
    }

    pub(super) fn joined(&mut self, id: SessionId, revision: Revision) {
        self.revision += 1;
        assert_eq!(revision.0, self.revision);
        let life = self.lives.get_mut(&id).expect("it was opened");
        assert!(!life.is_online && !life.is_logged_out, "joined and left take turns");
        life.joined(self.moment);
    }

    pub(super) fn left(&mut self, id: SessionId, revision: Revision) {
        self.revision += 1;
        assert_eq!(revision.0, self.revision);
        let life = self.lives.get_mut(&id).expect("it was opened");
        assert!(life.is_online, "joined and left take turns");
        life.left(self.moment, self.revision);
    }

    pub(super) fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.wall)
    }
}
