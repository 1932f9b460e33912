//! Whether the log has lost its last moments, as it may at `normal` durability.
//!
//! Ids that were seen and then lost are given out again, for other messages. Whoever asks for what follows such an id would be
//! given the wrong thing, so the log gets a new id of its own, and nobody resumes in it from before.

use std::sync::atomic::Ordering;

use sea_orm::sea_query::Expr;
use sea_orm::sqlx::{self, PgConnection};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, Statement};
use uuid::Uuid;

use super::entities::log_head;
use super::settings::Durability;
use super::{LONG_AGO, Store};
use crate::clock::random_log_id;

/// Changes with each start of the machine, and with it what its memory held.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The same of PostgreSQL's server.
const STARTED: &str = "CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) AS TEXT)";

/// Where commits are not, this makes a transaction's own one wait for the disk.
const SYNCED: &str = "SET LOCAL synchronous_commit = on";

impl Store {
    /// Before the first message: looks how the log was left, and notes that it is open.
    pub(super) async fn log_is_open(&self) -> Result<(), DbErr> {
        let locked = self.lock_log(0, LONG_AGO).await?;
        let (head, transaction) = (&locked.head, &locked.transaction);
        let machine = self.machine(transaction).await?;
        if head.machine.is_some() && head.machine != Some(machine.clone()) {
            tracing::warn!("the database ended in disorder at durability 'normal': the log gets a new id");
            begin_anew(transaction).await?;
        }
        note(transaction, self.may_lose().then_some(machine)).await?;
        if self.may_lose() && self.backend() != DbBackend::Sqlite {
            transaction.execute_unprepared(SYNCED).await?;
        }
        self.saw(head.last_id);
        locked.transaction.commit().await?;
        // What is lost with a power cut must not take this note with it.
        if self.may_lose() && self.backend() == DbBackend::Sqlite {
            self.writer().execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        }
        Ok(())
    }

    /// After the last message. Nodes that share a database do not know which of them is the last.
    pub(super) async fn log_is_whole(&self) -> Result<(), DbErr> {
        if !self.may_lose() || self.backend() != DbBackend::Sqlite {
            return Ok(());
        }
        let locked = self.lock_log(0, LONG_AGO).await?;
        note(&locked.transaction, None).await?;
        locked.transaction.commit().await
    }

    /// Gives the log a new id: nobody resumes from before. For a database that was restored from a backup.
    pub async fn renew_log(&self) -> Result<Uuid, DbErr> {
        let locked = self.lock_log(0, LONG_AGO).await?;
        let log = begin_anew(&locked.transaction).await?;
        locked.transaction.commit().await?;
        Ok(log)
    }

    /// A log that ends before what was seen of it has lost something. The new id is committed by itself: what is done next
    /// under the lock may be taken back.
    pub(super) async fn renew_if_shorter(&self) -> Result<(), DbErr> {
        let (seen, locked) = (self.seen(), self.lock_head(0, LONG_AGO).await?);
        let last_id = locked.head.last_id;
        if last_id < seen {
            tracing::error!(seen, last_id, "the database has lost messages: the log gets a new id");
            begin_anew(&locked.transaction).await?;
        }
        locked.transaction.commit().await?;
        self.seen.store(last_id, Ordering::Release);
        Ok(())
    }

    fn may_lose(&self) -> bool {
        self.settings.durability() == Durability::Normal
    }

    /// Whose memory holds what is committed and not yet on the disk: the machine's, or that of the database's server.
    async fn machine(&self, transaction: &DatabaseTransaction) -> Result<String, DbErr> {
        if self.backend() == DbBackend::Sqlite {
            // Where it cannot be told, every end in disorder counts.
            let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_else(|_| random_log_id().to_string());
            return Ok(boot.trim().to_owned());
        }
        let started = Statement::from_string(DbBackend::Postgres, format!("SELECT {STARTED}"));
        let row = transaction.query_one_raw(started).await?;
        row.ok_or_else(|| DbErr::RecordNotFound("pg_postmaster_start_time".to_owned()))?.try_get_by_index(0)
    }
}

/// What every connection to a server does first, so that nothing is read or written there between a start in disorder and the
/// log's new id. Mostly there is nothing to do, and then it waits for no lock.
pub(super) async fn renew_if_restarted(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let log = random_log_id();
    let renew = format!(
        "BEGIN; {SYNCED}; \
         UPDATE log_head SET log = '{log}', machine = {STARTED} WHERE machine <> {STARTED}; \
         COMMIT"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(renew)).execute(connection).await?;
    Ok(())
}

async fn begin_anew(transaction: &DatabaseTransaction) -> Result<Uuid, DbErr> {
    let log = random_log_id();
    log_head::Entity::update_many()
        .col_expr(log_head::Column::Log, Expr::value(log))
        .exec(transaction)
        .await?;
    Ok(log)
}

async fn note(transaction: &DatabaseTransaction, machine: Option<String>) -> Result<(), DbErr> {
    log_head::Entity::update_many()
        .col_expr(log_head::Column::Machine, Expr::value(machine))
        .exec(transaction)
        .await?;
    Ok(())
}
