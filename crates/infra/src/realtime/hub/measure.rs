//! What a hub says of itself when somebody asks.

use tokio::sync::mpsc;

use super::feeds::FEED_CAPACITY;
use super::{Hub, ToShard};

/// What a hub knows, counted.
pub(crate) struct Numbers {
    /// Sessions that are online.
    pub(crate) online: usize,
    /// Sessions that have connections here which have proved them.
    pub(crate) served: usize,
    /// Workers that serve connections.
    pub(crate) workers: usize,
    /// What waits for the shard that has the most to do.
    pub(crate) feed_entries: usize,
}

/// What the connections of a shard, or of all, are like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    /// Those at `/ws`, over a WebSocket of Socket.IO, and those that poll.
    pub(crate) by_transport: [usize; 3],
    /// Bytes that wait in all their outboxes, and in the fullest.
    pub(crate) waiting: usize,
    pub(crate) most_waiting: usize,
}

impl Measured {
    pub(in crate::realtime) fn add(&mut self, other: &Self) {
        for (here, there) in self.by_transport.iter_mut().zip(other.by_transport) {
            *here += there;
        }
        self.waiting += other.waiting;
        self.most_waiting = self.most_waiting.max(other.most_waiting);
    }
}

impl Hub {
    /// How many there are of what it knows.
    pub(crate) fn numbers(&self) -> Numbers {
        let served = self.proved().len();
        let core = self.core();
        let waiting = |shard: &mpsc::Sender<ToShard>| FEED_CAPACITY - shard.capacity();
        Numbers {
            online: core.living.count(),
            served,
            workers: core.shards.iter().filter(|shard| !shard.is_closed()).count(),
            feed_entries: core.shards.iter().map(waiting).max().unwrap_or_default(),
        }
    }

    /// What the connections of all shards are like. One that has too much to do to say so is left out.
    pub(crate) async fn measure(&self) -> Measured {
        let shards = self.core().shards.clone();
        let (tell, mut told) = mpsc::channel(shards.len().max(1));
        for shard in shards {
            let _busy = shard.try_send(ToShard::Measure(tell.clone()));
        }
        drop(tell);
        let mut all = Measured::default();
        while let Some(measured) = told.recv().await {
            all.add(&measured);
        }
        all
    }
}
