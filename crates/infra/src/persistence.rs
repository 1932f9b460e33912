//! Sessions and messages in a database, by sea-orm.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `connect` | opening, tuning and migrating |
//! | `away` | whether what keeps it from being opened may pass |
//! | `entities` | one file a table; private, so that nothing outside depends on columns |
//! | `sessions`, `message_log`, `roster_log` | the ports, one file each |
//! | `listing` | who is online, a page at a time |
//! | `presence`, `attend`, `wake`, `standing`, `forget` | who is there, and for how long |
//! | `reach` | where the nodes reach each other |
//! | `append` | the transaction that gives messages their ids |
//! | `in_one` | the same in one go, as long as nothing speaks against it |
//! | `judge` | what becomes of each draft |
//! | `outcome` | what came of a commit whose answer got lost |
//! | `retention` | deleting what is not to be kept |
//! | `checkpoint` | what was written ahead, brought into a file |
//! | `room` | whether the disk has room |
//! | `whole` | whether the log has lost its last moments |
//! | `batch`, `rows` | statements for many rows at a time |
//! | `remembered` | sessions that need not be fetched again |
//!
//! To add a repository: a port with its contract suite in the domain, a migration, an entity, a file here, a
//! line in `tests`.
//!
//! Invariant: what changes something goes through [`Store`]'s writing connection, in one transaction whose
//! first statement locks a head row: on SQLite that takes the write lock before anything was read, elsewhere
//! it gives the order. Whoever needs both heads takes the log's first. Two changes have no order to keep, and are one
//! statement that locks what it needs by itself: client ids that are forgotten, and on PostgreSQL a log's new id after a
//! start in disorder.
//!
//! Invariant: a port's method ends, also where a network answers nothing at all: each goes through `outcome`.

mod append;
mod attend;
mod away;
mod batch;
mod checkpoint;
mod connect;
mod entities;
mod forget;
mod in_one;
mod judge;
mod listing;
mod message_log;
mod outcome;
mod presence;
mod reach;
mod remembered;
mod retention;
mod room;
mod roster_log;
mod rows;
mod sessions;
mod settings;
mod standing;
#[cfg(test)]
mod tests;
mod wake;
mod whole;

use std::fs::File;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

pub use connect::READERS;
use lobby_domain::ports::Unavailable;
use lobby_domain::timestamp::Timestamp;
use outcome::answered;
use remembered::Remembered;
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, TransactionTrait};
pub use settings::{Durability, OpenStoreError, StoreSettings, Timeouts};

/// For transactions that post nothing: on SQLite a log's time does not move then. PostgreSQL takes its own time anyway.
const LONG_AGO: Timestamp = Timestamp::from_millis(i64::MIN);

/// The database, as the domain's storage ports.
#[derive(Clone)]
pub struct Store {
    settings: StoreSettings,
    /// Many at a time.
    read: DatabaseConnection,
    /// One at a time, of each handle: SQLite has one writer, and waiting for it in our queue is fairer than in SQLite's busy
    /// loop. It is replaced after a failure on a network, where an old one may be dead without knowing it. A std lock: it
    /// is held to take the handle out, and never while something waits.
    write: Arc<RwLock<DatabaseConnection>>,
    /// The newest message that this node knows to be committed. A log that ends before it has lost some.
    seen: Arc<AtomicI64>,
    /// Who has spoken lately.
    remembered: Arc<Remembered>,
    /// Held for as long as the database is used, where it is a file.
    lock: Option<Arc<File>>,
}

impl Store {
    /// Waits for what is under way and closes all connections.
    pub async fn close(self) -> Result<(), Unavailable> {
        self.close_with([]).await
    }

    /// The same, with the connections that `others` have of their own ([`Self::with_own_reader`], [`Self::with_own_writer`]):
    /// where the database is a file, nobody may use it any more who would not see what the next lobby does with it.
    pub async fn close_with(self, others: impl IntoIterator<Item = Self>) -> Result<(), Unavailable> {
        if let Err(error) = answered(self.log_is_whole()).await {
            // All that was acknowledged is there; the next start will doubt it, and give the log a new id.
            tracing::warn!(%error, "the database could not be told that this was an orderly end");
        }
        for store in others.into_iter().chain([self.clone()]) {
            store.writer().close().await.map_err(unavailable)?;
            store.read.close().await.map_err(unavailable)?;
        }
        // Clones may be around for a moment, in tasks that are about to end; they have nothing left to use.
        self.lock.as_ref().map_or(Ok(()), |lock| lock.unlock()).map_err(Unavailable::new)
    }

    /// Has every statement counted from now on, but those that begin and end transactions: for whoever promises how many
    /// something takes.
    ///
    /// # Panics
    /// If somebody panicked while they held the connection.
    pub fn count_statements(&mut self, counter: &Arc<AtomicU64>) {
        let mut writer = self.write.write().expect("nothing panics while it holds the handle");
        for connection in [&mut self.read, &mut *writer] {
            let counter = counter.clone();
            connection.set_metric_callback(move |_| _ = counter.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn writer(&self) -> DatabaseConnection {
        self.write.read().expect("nothing panics while it holds the handle").clone()
    }

    fn backend(&self) -> DbBackend {
        self.read.get_database_backend()
    }

    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.writer().begin().await
    }

    fn seen(&self) -> i64 {
        self.seen.load(Ordering::Acquire)
    }

    /// A message is committed, whoever has posted it.
    fn saw(&self, last_id: i64) {
        self.seen.fetch_max(last_id, Ordering::AcqRel);
    }
}

/// Tells the operator, where it happens; everybody else hears no more than that it is so.
fn unavailable(error: DbErr) -> Unavailable {
    tracing::error!(%error, "the database failed");
    Unavailable::new(error)
}
