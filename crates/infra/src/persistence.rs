//! Sessions and messages in a database, by sea-orm.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `connect` | opening, tuning and migrating |
//! | `entities` | one file a table; private, so that nothing outside depends on columns |
//! | `sessions`, `message_log` | the ports, one file each |
//!
//! To add a repository: a port with its contract suite in the domain, a migration, an entity, a file here, a
//! line in `tests`.
//!
//! Invariant: what changes something goes through [`Store`]'s writing connection, in one transaction whose
//! first statement locks a head row: on SQLite that takes the write lock before anything was read, elsewhere
//! it gives the order.

mod connect;
mod entities;
mod message_log;
mod sessions;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::sync::Arc;

pub use connect::{Durability, OpenStoreError, StoreSettings};
use lobby_domain::ports::Unavailable;
use sea_orm::{DatabaseConnection, DbErr};

/// The database, as the domain's storage ports.
#[derive(Clone)]
pub struct Store {
    /// Many at a time.
    read: DatabaseConnection,
    /// One at a time: SQLite has one writer, and waiting for it in our queue is fairer than in SQLite's busy
    /// loop.
    write: DatabaseConnection,
    /// Held for as long as the database is used.
    _lock: Arc<File>,
}

impl Store {
    /// Waits for what is under way and closes all connections.
    pub async fn close(self) -> Result<(), Unavailable> {
        self.write.close().await.map_err(unavailable)?;
        self.read.close().await.map_err(unavailable)
    }
}

/// Tells the operator, once, where it happens; everybody else hears no more than that it is so.
fn unavailable(error: DbErr) -> Unavailable {
    tracing::error!(%error, "the database failed");
    Unavailable::new(error)
}
