//! Heartbeats, arrivals and departures: the steps of `lobby_infra::presence::Keeper`, one after the other and without its
//! waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lobby_domain::ports::{Clock, NewSession, Presence, SessionIds, Sessions};
use lobby_domain::presence::{Attendance, LAZY, Limits, NodeId};
use lobby_domain::session::SessionId;
use lobby_domain::testing::name;
use lobby_infra::clock::{RandomSessionIds, SystemClock, random_node_id};
use lobby_infra::persistence::{Durability, Store};

use crate::common::backend::{Backend, open};
use crate::common::measure::{median, now};
use crate::common::page::Page;
use crate::cpu::{self, Server};

/// Sessions that are online, one number after the other.
const ONLINE: [usize; 3] = [100, 1_000, 10_000];
/// Heartbeats at each.
const BEATS: usize = 200;
/// As the keeper has it.
const REAP_MOST: u32 = 100;
/// What is wanted of a heartbeat, in milliseconds.
const WANTED: f64 = 10.0;

/// Something that was done several times.
pub(crate) struct Row {
    what: String,
    /// In milliseconds.
    times: Vec<f64>,
    /// Of this process, in milliseconds for each.
    own: f64,
    /// Of the database's server, the same.
    server: Option<f64>,
    /// The fewest and the most statements of one.
    statements: (u64, u64),
    is_heartbeat: bool,
}

/// A node without connections.
struct Node {
    id: NodeId,
    store: Store,
    attendance: Attendance,
    statements: Arc<AtomicU64>,
    server: Option<Server>,
    started: Instant,
}

/// Everything on one backend, at the default durability.
pub(crate) async fn rounds(backend: &Backend) -> Vec<Row> {
    let url = backend.new_database("rounds").await;
    let mut sessions = Vec::new();
    let mut rows = Vec::new();
    // At this durability they are there sooner.
    let mut node = Node::open(backend, &url, Durability::Normal).await;
    for online in ONLINE {
        let new = node.log_in(sessions.len()..online).await;
        node.come(&new).await;
        sessions.extend(new);
        rows.push(node.heartbeats(online).await);
    }
    node.store.close().await.expect("it closes");
    let mut node = Node::open(backend, &url, Durability::Full).await;
    rows.push(node.arrivals(&sessions).await);
    rows.push(node.departures(&sessions).await);
    node.store.close().await.expect("it closes");
    rows
}

impl Node {
    async fn open(backend: &Backend, url: &str, durability: Durability) -> Self {
        let server = match backend {
            Backend::Sqlite(_) => None,
            Backend::Postgres(server) => Some(Server::of(server).await),
        };
        let statements = Arc::new(AtomicU64::new(0));
        let mut store = open(url, durability).await;
        store.count_statements(&statements);
        let attendance = Attendance::new(Limits::default().lease);
        let mut node = Self { id: random_node_id(), store, attendance, statements, server, started: now() };
        node.beat().await;
        node
    }

    /// Since it was started.
    fn now(&self) -> Duration {
        now() - self.started
    }

    async fn log_in(&self, numbers: std::ops::Range<usize>) -> Vec<SessionId> {
        let mut ids = Vec::new();
        for number in numbers {
            let pseudonym = name(&format!("person-{number:05}"));
            let (id, now) = (RandomSessionIds.next(), SystemClock.now());
            let new = NewSession { id, pseudonym, claimed: true, now };
            Sessions::open(&self.store, new).await.expect("the name is free");
            ids.push(id);
        }
        ids
    }

    async fn beat(&mut self) {
        let since = self.attendance.beat(self.now());
        let beaten = self.store.beat(self.id, since).await.expect("it is answered");
        self.attendance.beaten(beaten, self.now());
    }

    /// A beat, and a look for what is over, which is nothing.
    async fn heartbeats(&mut self, online: usize) -> Row {
        let mut measuring = Measuring::begin(self);
        for _ in 0..BEATS {
            let start = now();
            self.beat().await;
            assert_eq!(self.attendance.next_round(self.now()), None, "nothing has changed");
            let over = self.store.reap(self.id, REAP_MOST, SystemClock.now()).await;
            assert!(over.expect("it is answered").is_empty(), "nobody is over");
            measuring.note(self, start);
        }
        let row = measuring.end(self, format!("a heartbeat with {online} online"));
        Row { is_heartbeat: true, ..row }
    }

    async fn come(&mut self, sessions: &[SessionId]) {
        self.arrivals(sessions).await;
    }

    async fn arrivals(&mut self, sessions: &[SessionId]) -> Row {
        for session in sessions {
            self.attendance.arrive(*session);
        }
        self.record(format!("a round of {} arrivals", sessions.len()), Duration::ZERO).await
    }

    async fn departures(&mut self, sessions: &[SessionId]) -> Row {
        for session in sessions {
            self.attendance.depart(*session, self.now());
        }
        self.record(format!("a round of {} departures", sessions.len()), LAZY).await
    }

    /// All that is due after a while.
    async fn record(&mut self, what: String, after: Duration) -> Row {
        let mut measuring = Measuring::begin(self);
        loop {
            let start = now();
            let Some(round) = self.attendance.next_round(self.now() + after) else { break };
            let (arrivals, departures) = (&round.arrivals, &round.departures);
            let attended = self.store.attend(self.id, arrivals, departures, SystemClock.now()).await;
            self.attendance.recorded(&attended.expect("it is recorded"));
            measuring.note(self, start);
        }
        measuring.end(self, what)
    }
}

struct Measuring {
    own: Duration,
    server: Option<Duration>,
    counted: u64,
    statements: Vec<u64>,
    times: Vec<f64>,
}

impl Measuring {
    fn begin(node: &Node) -> Self {
        Self {
            own: cpu::own(),
            server: node.server.as_ref().map(Server::taken),
            counted: node.statements.load(Ordering::Relaxed),
            statements: Vec::new(),
            times: Vec::new(),
        }
    }

    /// One more is done.
    fn note(&mut self, node: &Node, start: Instant) {
        self.times.push((now() - start).as_secs_f64() * 1e3);
        let counted = node.statements.load(Ordering::Relaxed);
        self.statements.push(counted - self.counted);
        self.counted = counted;
    }

    #[expect(clippy::cast_precision_loss, reason = "there are hundreds")]
    fn end(self, node: &Node, what: String) -> Row {
        let each = |taken: Duration| taken.as_secs_f64() * 1e3 / self.times.len() as f64;
        let server = node.server.as_ref().zip(self.server);
        let most = self.statements.iter().max().expect("something was done");
        let fewest = self.statements.iter().min().expect("something was done");
        Row {
            what,
            own: each(cpu::own().saturating_sub(self.own)),
            server: server.map(|(server, before)| each(server.taken().saturating_sub(before))),
            statements: (*fewest, *most),
            times: self.times,
            is_heartbeat: false,
        }
    }
}

impl Row {
    fn line(&self) -> String {
        let (fewest, most) = self.statements;
        let statements = if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
        format!(
            "| {} | {} | {:.2} | {:.2} | {} | {statements} |",
            self.what,
            self.times.len(),
            median(self.times.iter().copied()),
            self.own,
            self.server.map_or("–".to_owned(), |server| format!("{server:.2}")),
        )
    }

    fn missed(&self) -> Option<String> {
        let cpu = self.own + self.server.unwrap_or_default();
        (self.is_heartbeat && cpu > WANTED).then(|| format!("{}: {cpu:.2} ms", self.what))
    }
}

pub(crate) fn tell(page: &mut Page, backend: &Backend, rows: &[Row]) {
    page.say(&format!("### Rounds, {backend}\n"));
    page.say("| | rounds | ms each | CPU, lobby | CPU, database | statements |");
    page.say("| --- | ---: | ---: | ---: | ---: | ---: |");
    for row in rows {
        page.say(&row.line());
    }
    let mut counts: Vec<_> = rows.iter().filter(|row| row.is_heartbeat).map(|row| row.statements).collect();
    counts.dedup();
    let varies = (counts.len() != 1).then(|| format!("the number of statements varies: {counts:?}"));
    page.missed(rows.iter().filter_map(Row::missed).chain(varies));
}
