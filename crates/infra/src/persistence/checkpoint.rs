//! Brings what was written ahead into the database file, beside the writer.
//!
//! SQLite has whoever commits do that when enough has come together: of the thousand pages that are usual, the one commit in some eighty
//! takes several milliseconds, and so do all that wait for it. Done often and on another connection it is done in small
//! pieces, for which no commit waits.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::Store;

/// Between two checkpoints while much is written, so that each brings in a few dozen pages, which takes a fraction of a millisecond.
const BUSY: Duration = Duration::from_millis(20);

/// Between two looks while nothing is written.
const IDLE: Duration = Duration::from_millis(200);

/// Pages of 4 KiB after which a commit does it nevertheless. A file of pages that are written without a pause is begun anew only
/// when all of it has been brought in, which only a writer that pauses for it can see to: of a little, as it is by then.
pub(super) const AT_MOST: u32 = 4_096;

impl Store {
    /// Brings in what was written, again and again, until it is dropped. Databases on a network see to that by themselves.
    pub async fn keep_checkpointed(self) {
        if self.backend() != DbBackend::Sqlite {
            return std::future::pending().await;
        }
        let (mut failed, mut last) = (false, None);
        loop {
            let checkpointed = self.checkpoint().await;
            // A disk that is full stays so for a while, and is told of once.
            if let Err(error) = &checkpointed
                && !failed
            {
                tracing::warn!(%error, "what was written ahead cannot be brought into the database file for now");
            }
            failed = checkpointed.is_err();
            let now = checkpointed.ok();
            tokio::time::sleep(if now == last { IDLE } else { BUSY }).await;
            last = now;
        }
    }

    /// Brings in as much as can be without waiting for anybody. How many pages were written ahead, and how many of them were
    /// brought in.
    pub(super) async fn checkpoint(&self) -> Result<(i64, i64), DbErr> {
        let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(PASSIVE)");
        let row = self.read.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("what a checkpoint did".to_owned()))?;
        Ok((row.try_get_by_index(1)?, row.try_get_by_index(2)?))
    }
}
