//! What is looked up when somebody asks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_socketio::SocketIo;
use lobby_domain::ports::{Bus, Link};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::timeout;

use super::names::{Names, TRANSPORTS};
use crate::http::Readiness;
use crate::realtime::hub::Hub;
use crate::writer::QueueDepth;

/// Longer than that no part of a sample is waited for: what was seen last stays.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the numbers are that are not counted.
pub struct Sources {
    /// Who is online, and the connections of all workers.
    pub hub: Arc<Hub>,
    /// What readiness depends on.
    pub readiness: Readiness,
    /// The bus to other nodes.
    pub bus: Arc<dyn Bus>,
    /// What waits for the writer.
    pub queue: QueueDepth,
    /// The sessions of Engine.IO.
    pub socketio: SocketIo,
}

impl Sources {
    pub(super) async fn sample(&self, names: &Names) {
        self.sample_state(names).await;
        self.sample_bus(names);
        self.sample_hub(names).await;
        set(&names.queue_messages, self.queue.messages());
        set(&names.queue_capacity, self.queue.most_messages());
        set(&names.queue_accounts, self.queue.accounts());
        set(&names.socketio_sessions, self.socketio.sessions());
    }

    async fn sample_state(&self, names: &Names) {
        let is_ready = timeout(PATIENCE, self.readiness.check()).await;
        set(&names.ready, matches!(is_ready, Ok(Ok(()))).into());
        set(&names.database_up, self.readiness.is_database_up().into());
        set(&names.lease_held, self.readiness.is_in_touch().into());
    }

    fn sample_bus(&self, names: &Names) {
        let standing = self.bus.standing();
        set(&names.bus_up, (standing.link != Link::Away).into());
        raise(&names.bus_published, standing.published);
        raise(&names.bus_received, standing.heard);
        raise(&names.bus_dropped, standing.dropped);
        raise(&names.bus_skipped, standing.skipped);
    }

    async fn sample_hub(&self, names: &Names) {
        let here = self.hub.numbers();
        set(&names.sessions, here.online);
        set(&names.sessions_served, here.served);
        set(&names.workers, here.workers);
        set(&names.feed_entries, here.feed_entries);
        let Ok(connections) = timeout(PATIENCE, self.hub.measure()).await else { return };
        for (transport, count) in TRANSPORTS.into_iter().zip(connections.by_transport) {
            set(&names.connections.get_or_create(&[("transport", transport)]), count);
        }
        set(&names.outbox_bytes, connections.waiting);
        set(&names.outbox_largest, connections.most_waiting);
    }
}

fn set(gauge: &Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// What is counted elsewhere only grows.
fn raise(counter: &Counter, value: u64) {
    counter.inner().store(value, Ordering::Relaxed);
}
