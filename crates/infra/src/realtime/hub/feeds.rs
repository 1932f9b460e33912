//! The way to all shards, by which each is fed the same in the same order.

use std::sync::MutexGuard;

use tokio::sync::mpsc;

use super::{Core, Hub, ToShard};

/// Entries of a shard's feed that may wait, each of at most one transaction's messages. A shard that has this much to do
/// stalls the writer, whose own queue then fills up and says `busy`: that is where too much load is refused.
pub(super) const FEED_CAPACITY: usize = 32;

impl Hub {
    /// Adds a shard. It is fed what is announced from now on.
    pub(in crate::realtime) fn attach(&self) -> (mpsc::Sender<ToShard>, mpsc::Receiver<ToShard>) {
        let (feed, entries) = mpsc::channel(FEED_CAPACITY);
        let mut core = self.core();
        core.shards.push(feed.clone());
        core.attached += 1;
        (feed, entries)
    }

    /// Feeds every shard something that may be left out, unless it has a lot to do: that is for what nobody may miss.
    pub(in crate::realtime) fn feed_volatile(&self, entry: impl Fn() -> ToShard) {
        for shard in self.core().shards.iter().filter(|shard| shard.capacity() > FEED_CAPACITY / 2) {
            let _left_out = shard.try_send(entry());
        }
    }

    /// Room for one entry in the feed of each shard there is, and the core, which nobody else changes meanwhile.
    pub(super) async fn room_in_every_feed(&self) -> (Vec<mpsc::OwnedPermit<ToShard>>, MutexGuard<'_, Core>) {
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
}

pub(super) fn feed(rooms: Vec<mpsc::OwnedPermit<ToShard>>, entry: &ToShard) {
    for room in rooms {
        room.send(entry.clone());
    }
}
