//! What operators see of a node: numbers that add up where things happen, and others that are looked up when somebody asks.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `names` | all there are, with what they mean |
//! | `sample` | what is looked up when somebody asks |
//! | `receipts` | when messages came in that are about to be announced |
//! | `single` | what is done once for all who want it at once |
//! | `timed_log` | a log whose commits are timed |
//! | `process` | what the system says of the process |
//!
//! Invariant: nothing is counted for each receiver of a message: a shard adds up what it has delivered in one go.
//! Invariant: no label has a value that a client chooses.

mod names;
mod process;
pub(crate) mod receipts;
mod sample;
mod single;
mod timed_log;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::http::StatusCode;
use bytes::Bytes;
use lobby_domain::event::DepartureReason;
use lobby_domain::message::{Audience, Message};
use lobby_domain::roster::Change;
use prometheus_client::encoding::prometheus_text;
use tokio::time::Instant;

use self::names::Names;
use self::process::Process;
use self::receipts::Receipt;
pub use self::sample::Sources;
use self::single::Single;
pub use self::timed_log::TimedLog;
use crate::refusal::Code;

/// The media type of what is scraped: Prometheus' text format, version 0.0.4.
pub const MEDIA_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// All numbers of a node. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Shared>);

#[derive(Default)]
struct Shared {
    names: Names,
    process: Process,
    sources: OnceLock<Sources>,
    scrape: Single<Bytes>,
}

/// Which way a refusal was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// REST, and handshakes.
    Http,
    /// `/ws`
    WebSocket,
    /// `/socket.io/`
    SocketIo,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its client has closed it, or left.
    Client,
    /// It broke, or its client was silent for too long.
    Lost,
    /// More waited for its client than may wait.
    TooSlow,
    /// The lobby has closed it: its session is over, or the node goes away, or its client has come back on another.
    Server,
    /// Its client broke a rule of the protocol.
    Protocol,
}

impl Ending {
    const ALL: [Self; 5] = [Self::Client, Self::Lost, Self::TooSlow, Self::Server, Self::Protocol];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Lost => "lost",
            Self::TooSlow => "too_slow",
            Self::Server => "server",
            Self::Protocol => "protocol",
        }
    }
}

impl Door {
    const ALL: [Self; 3] = [Self::Http, Self::WebSocket, Self::SocketIo];

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::WebSocket => "websocket",
            Self::SocketIo => "socketio",
        }
    }
}

impl Metrics {
    /// Has the numbers that are not counted looked up here from now on.
    pub fn watch(&self, sources: Sources) {
        // The first is the one: a node has one of each.
        let _watched_already = self.0.sources.set(sources);
    }

    /// All of them, as they are now, in Prometheus' text format. However many ask at once, the workers are asked once, and all get the same.
    pub async fn text(&self) -> Bytes {
        let metrics = self.clone();
        self.0.scrape.join(|| async move { metrics.sampled().await.into() }).await
    }

    async fn sampled(&self) -> String {
        if let Some(sources) = self.0.sources.get() {
            sources.sample(&self.0.names).await;
        }
        self.0.process.sample();
        let mut text = String::new();
        for registry in [&self.0.names.registry, &self.0.process.registry] {
            if let Err(error) = prometheus_text::encode(&mut text, registry) {
                tracing::error!(%error, "metrics cannot be written down");
            }
        }
        text
    }

    /// A request was answered over HTTP.
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = match status.as_u16() {
            0..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        self.0.names.http_responses.get_or_create(&[("class", class)]).inc();
    }

    /// Somebody was told no.
    pub fn refused(&self, door: Door, code: Code) {
        self.0.names.refusals.get_or_create(&[("door", door.as_str()), ("code", code.as_str())]).inc();
    }

    /// A connection has ended.
    pub(crate) fn closed(&self, door: Door, ending: Ending) {
        let labels = [("door", door.as_str()), ("reason", ending.as_str())];
        self.0.names.closed.get_or_create(&labels).inc();
    }

    /// A message has its id.
    pub(crate) fn accepted(&self, message: &Message) {
        let kind = match message.audience() {
            Audience::Everybody => "public",
            Audience::Sessions(_) => "private",
        };
        self.0.names.messages.get_or_create(&[("kind", kind)]).inc();
    }

    /// Messages were put into outboxes as they were let out.
    pub(crate) fn delivered(&self, count: usize) {
        if count > 0 {
            self.0.names.deliveries_live.inc_by(count as u64);
        }
    }

    /// The same to those who had missed them.
    pub(crate) fn replayed(&self, count: usize) {
        self.0.names.deliveries_replayed.inc_by(count as u64);
    }

    /// Typing was not told to so many connections, which are busy with more important things.
    pub(crate) fn left_out(&self, count: usize) {
        self.0.names.typing_left_out.inc_by(count as u64);
    }

    /// Who is online has changed.
    pub(crate) fn changed(&self, change: &Change) {
        let change = match change {
            Change::Joined { .. } => "joined",
            Change::Left(departure) => match departure.reason {
                DepartureReason::Logout => "logged_out",
                DepartureReason::Expired => "expired",
            },
        };
        self.0.names.presence_changes.get_or_create(&[("change", change)]).inc();
    }

    /// A transaction of so many messages was committed.
    pub(crate) fn committed(&self, messages: usize, took: Duration) {
        // A batch is small.
        #[expect(clippy::cast_precision_loss, reason = "it is exact up to 2^53")]
        self.0.names.commit_messages.observe(messages as f64);
        self.0.names.commit_seconds.observe(took.as_secs_f64());
    }

    /// One was not, or nobody knows.
    pub(crate) fn not_committed(&self, outcome: &'static str) {
        self.0.names.commit_failures.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// These messages are with everybody when what this returns is dropped.
    pub(crate) fn delivering(&self, received: Vec<Receipt>) -> Option<Delivering> {
        (!received.is_empty()).then(|| Delivering { metrics: self.clone(), received })
    }
}

/// Messages that are on their way to their receivers.
pub(crate) struct Delivering {
    metrics: Metrics,
    received: Vec<Receipt>,
}

impl Drop for Delivering {
    fn drop(&mut self) {
        let now = Instant::now();
        for received in &self.received {
            self.metrics.0.names.delivery_seconds.observe((now - received.at).as_secs_f64());
        }
    }
}
