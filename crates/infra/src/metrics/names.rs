//! All metrics of a node but the process' own, with what they mean. `docs/operations/monitoring.md` has the table that is made of it.

use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::{Door, Ending};
use crate::refusal::Code;

type Label = (&'static str, &'static str);
type One = Family<[Label; 1], Counter>;
type Two = Family<[Label; 2], Counter>;

/// From a memory's time to what no client waits for.
const SECONDS: [f64; 15] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Up to the largest batch.
const MESSAGES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// How a connection's client gets what it is told.
pub(super) const TRANSPORTS: [&str; 3] = ["websocket", "socketio_websocket", "socketio_polling"];

pub(super) struct Names {
    pub(super) registry: Registry,
    pub(super) connections: Family<[Label; 1], Gauge>,
    pub(super) socketio_sessions: Gauge,
    pub(super) closed: Two,
    pub(super) sessions: Gauge,
    pub(super) sessions_served: Gauge,
    pub(super) presence_changes: One,
    pub(super) lease_held: Gauge,
    pub(super) messages: One,
    pub(super) deliveries_live: Counter,
    pub(super) deliveries_replayed: Counter,
    pub(super) delivery_seconds: Histogram,
    pub(super) typing_left_out: Counter,
    pub(super) outbox_bytes: Gauge,
    pub(super) outbox_largest: Gauge,
    pub(super) feed_entries: Gauge,
    pub(super) workers: Gauge,
    pub(super) commit_seconds: Histogram,
    pub(super) commit_messages: Histogram,
    pub(super) commit_failures: One,
    pub(super) queue_messages: Gauge,
    pub(super) queue_capacity: Gauge,
    pub(super) queue_accounts: Gauge,
    pub(super) refusals: Two,
    pub(super) http_responses: One,
    pub(super) bus_up: Gauge,
    pub(super) bus_published: Counter,
    pub(super) bus_received: Counter,
    pub(super) bus_dropped: Counter,
    pub(super) bus_skipped: Counter,
    pub(super) database_up: Gauge,
    pub(super) ready: Gauge,
}

/// Where metrics are made and get their names.
struct Maker(Registry);

impl Maker {
    fn make<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.put(name, help, M::default())
    }

    fn histogram(&mut self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.put(name, help, Histogram::new(buckets.iter().copied()))
    }

    /// With every label there is from the beginning on: what has not happened yet is 0, and not missing.
    fn labelled<const N: usize, M: Metric + TypedMetric + Clone + Default>(
        &mut self,
        name: &str,
        help: &str,
        labels: impl IntoIterator<Item = [Label; N]>,
    ) -> Family<[Label; N], M> {
        let family = Family::<[Label; N], M>::default();
        for labels in labels {
            drop(family.get_or_create(&labels));
        }
        self.put(name, help, family)
    }

    fn put<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}

fn one<const N: usize>(name: &'static str, values: [&'static str; N]) -> [[Label; 1]; N] {
    values.map(|value| [(name, value)])
}

impl Default for Names {
    #[expect(clippy::too_many_lines, reason = "it is a list")]
    fn default() -> Self {
        let mut maker = Maker(Registry::with_prefix("lobby"));
        let m = &mut maker;
        let build = m.labelled::<1, Gauge>(
            "build_info",
            "Which version this is: always 1",
            one("version", [env!("CARGO_PKG_VERSION")]),
        );
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        Self {
            connections: m.labelled(
                "connections",
                "Connections that have been let in, by how their clients are told things",
                one("transport", TRANSPORTS),
            ),
            socketio_sessions: m.make(
                "socketio_sessions",
                "Engine.IO sessions: those of clients that have been let in, and of others that are connecting or leaving",
            ),
            closed: m.labelled(
                "connections_closed",
                "Connections that have ended after they were let in, by the way they came and the reason",
                [Door::WebSocket, Door::SocketIo].into_iter().flat_map(|door| {
                    Ending::ALL.map(|ending| [("door", door.as_str()), ("reason", ending.as_str())])
                }),
            ),
            sessions: m.make("sessions", "Sessions that are online, on all nodes together"),
            sessions_served: m.make("sessions_served", "Sessions that have connections here which have proved them"),
            presence_changes: m.labelled(
                "presence_changes",
                "Changes of who is online that this node has heard of, on all nodes together",
                one("change", ["joined", "logged_out", "expired"]),
            ),
            lease_held: m.make(
                "presence_lease_held",
                "Whether the database has answered a beat within the last lease: 1 or 0. Without it, other nodes end whom this one serves",
            ),
            messages: m.labelled(
                "messages",
                "Messages that were accepted here: committed, each under an id of its own",
                one("kind", ["public", "private"]),
            ),
            deliveries_live: m.make(
                "deliveries",
                "Messages put into the outboxes of connections as they were said: one for each receiver",
            ),
            deliveries_replayed: m.make(
                "deliveries_replayed",
                "Messages put into the outboxes of connections that had missed them",
            ),
            delivery_seconds: m.histogram(
                "delivery_seconds",
                "Time from the receipt of a message here until it was written to the last socket of this node that takes it at once",
                &SECONDS,
            ),
            typing_left_out: m.make(
                "typing_left_out",
                "Times that somebody was not told who is typing, for being busy with more important things",
            ),
            outbox_bytes: m.make("outbox_bytes", "Bytes that wait in the outboxes of all connections"),
            outbox_largest: m.make("outbox_largest_bytes", "Bytes that wait in the outbox that has the most"),
            feed_entries: m.make(
                "worker_feed_entries",
                "Entries that wait for the worker that has the most to do; at 32 it holds up the writer",
            ),
            workers: m.make("workers", "Workers that serve connections"),
            commit_seconds: m.histogram("commit_seconds", "Time that a commit of messages took", &SECONDS),
            commit_messages: m.histogram("commit_messages", "Messages of a commit", &MESSAGES),
            commit_failures: m.labelled(
                "commit_failures",
                "Commits of messages that failed: nothing was changed, or nobody knows whether it was",
                one("outcome", ["unavailable", "unknown"]),
            ),
            queue_messages: m.make("writer_queue_messages", "Messages that wait to be committed"),
            queue_capacity: m.make(
                "writer_queue_capacity_messages",
                "Messages that may wait to be committed; whoever comes next is told 'busy'",
            ),
            queue_accounts: m.make(
                "writer_queue_accounts",
                "Log-ins, log-outs and wake-ups that wait for the writer; 1,024 may",
            ),
            refusals: m.labelled(
                "refusals",
                "Refusals that were told, by the way of those who were told and by their code",
                Door::ALL.into_iter().flat_map(|door| {
                    Code::ALL.iter().map(move |code| [("door", door.as_str()), ("code", code.as_str())])
                }),
            ),
            http_responses: m.labelled(
                "http_responses",
                "Answers over HTTP, polls and handshakes included, by the class of their status",
                one("class", ["1xx", "2xx", "3xx", "4xx", "5xx"]),
            ),
            bus_up: m.make("bus_up", "Whether this node is on the bus to the others, or needs none: 1 or 0"),
            bus_published: m.make("bus_published", "Hints that other nodes were told over the bus"),
            bus_received: m.make("bus_received", "Hints of other nodes that came over the bus"),
            bus_dropped: m.make("bus_dropped", "Hints dropped for want of room or of a bus"),
            bus_skipped: m.make(
                "bus_skipped",
                "What came over the bus and is no hint: of another version, or not signed by a node",
            ),
            database_up: m.make(
                "database_up",
                "Whether the database takes changes, as far as this node knows: 1 or 0",
            ),
            ready: m.make("ready", "Whether GET /health/ready answers 200: 1 or 0"),
            registry: maker.0,
        }
    }
}
