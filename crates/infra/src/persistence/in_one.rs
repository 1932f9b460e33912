//! A batch in one go: the usual case, in which it is known beforehand what is going to happen.
//!
//! All of the batch's sessions are remembered, so it is judged before the log is locked, with ids that count from where the
//! log will be found to end. Then the database is given everything at once: it locks the head, looks whether what was
//! remembered still holds and no client id is taken, puts the messages in and commits. Where something does not hold it
//! changes nothing, and the batch is appended step by step, as `append` does it: that way knows every case.
//!
//! Invariant: what is answered is committed. Whatever else comes back says either that certainly nothing was changed, or
//! leaves the outcome unknown.

mod postgres;
mod sqlite;

use std::collections::HashMap;

use lobby_domain::message::MessageId;
use lobby_domain::timestamp::Timestamp;
use sea_orm::{DbBackend, DbErr, RuntimeErr, sqlx};

use super::Store;
use super::append::{Batch, Outcomes};
use super::judge::{Judge, Used, sessions_of};
use super::remembered::Sessions;

/// Where the log ended before, and the time of what was added to it.
struct Appended {
    before: i64,
    timestamp: Timestamp,
}

impl Store {
    /// Appends a batch, or answers that nothing was changed and another way has to be taken. `committing` is set while the
    /// outcome is not known.
    pub(super) async fn append_in_one(
        &self,
        batch: &Batch<'_>,
        committing: &mut Option<MessageId>,
    ) -> Result<Option<Outcomes>, DbErr> {
        let ids = sessions_of(batch);
        // The log does not end before this, or else it has lost something.
        let seen = self.seen();
        let (judged, appended) = if self.backend() == DbBackend::Sqlite {
            // First of all the connection: with it in hand, nobody else changes what is remembered.
            let pool = self.writer().get_sqlite_connection_pool().clone();
            let connection = match pool.try_acquire() {
                Some(connection) => connection,
                None => pool.acquire().await.map_err(failed)?,
            };
            let Some(judged) = judged(self.remembered.all_unchanged(&ids), batch) else { return Ok(None) };
            *committing = Some(MessageId(seen));
            let appended = sqlite::append(connection, &judged, seen, batch.now).await;
            (judged, appended)
        } else {
            let Some(judged) = judged(self.remembered.all_known(&ids), batch) else { return Ok(None) };
            let mut connection =
                self.writer().get_postgres_connection_pool().acquire().await.map_err(failed)?;
            *committing = Some(MessageId(seen));
            let appended = postgres::append(&mut connection, &judged, seen).await;
            (judged, appended)
        };
        let appended = appended.map_err(failed)?;
        *committing = None;
        let Some(Appended { before, timestamp }) = appended else { return Ok(None) };
        self.saw(before + judged.last_id);
        Ok(Some(judged.placed(before, timestamp)))
    }
}

/// What becomes of the batch, with ids that count from 1. Nothing if that cannot be said, or if there is nothing to append.
fn judged(sessions: Option<Sessions>, batch: &Batch<'_>) -> Option<Judge> {
    let judge = Judge::new(sessions?, Used::new(), 0, batch.now).judge_all(batch, &HashMap::new());
    (judge.count() > 0 && !judge.has_repeats()).then_some(judge)
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}
