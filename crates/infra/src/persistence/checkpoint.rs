//! Brings what was written ahead into the database file, beside the writer.
//!
//! SQLite has whoever commits do that when enough has come together: of the thousand pages that are usual, the one commit in some eighty
//! takes several milliseconds, and so do all that wait for it. Done often and on another connection it is done in small
//! pieces, for which no commit waits.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::Store;

/// Pages of 4 KiB that a checkpoint is to bring in: they take a fraction of a millisecond. Each checkpoint also waits for the disk
/// twice, so that fewer at a time would cost more than they spare.
const AT_ONCE: u32 = 64;

/// Between two checkpoints, however much is written.
const SHORTEST: Duration = Duration::from_millis(20);

/// Between two, however little.
const LONGEST: Duration = Duration::from_millis(500);

/// Pages of 4 KiB after which a commit does it nevertheless. A file of pages that are written without a pause is begun anew only
/// when all of it has been brought in, which only a writer that pauses for it can see to: of a little, as it is by then.
pub(super) const AT_MOST: u32 = 4_096;

impl Store {
    /// Brings in what was written, again and again, until it is dropped. Databases on a network see to that by themselves.
    pub async fn keep_checkpointed(self) {
        if self.backend() != DbBackend::Sqlite {
            return std::future::pending().await;
        }
        let (mut failed, mut pace) = (false, Pace::default());
        loop {
            let checkpointed = self.checkpoint().await;
            // A disk that is full stays so for a while, and is told of once.
            if let Err(error) = &checkpointed
                && !failed
            {
                tracing::warn!(%error, "what was written ahead cannot be brought into the database file for now");
            }
            failed = checkpointed.is_err();
            if let Ok(pages) = checkpointed {
                pace.brought_in(pages);
            }
            tokio::time::sleep(pace.pause).await;
        }
    }

    /// Brings in as much as can be without waiting for anybody. How many of the pages written ahead are now in the file.
    pub(super) async fn checkpoint(&self) -> Result<u32, DbErr> {
        let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(PASSIVE)");
        let row = self.read.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("what a checkpoint did".to_owned()))?;
        row.try_get_by_index(2)
    }
}

/// How long to wait so that about [`AT_ONCE`] pages come together.
struct Pace {
    pause: Duration,
    /// Of the pages written ahead, those that were brought in.
    last: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { pause: LONGEST, last: 0 }
    }
}

impl Pace {
    /// `pages` are all that were brought in since those written ahead were begun anew, which they are when all had been.
    fn brought_in(&mut self, pages: u32) {
        let fresh = pages.checked_sub(self.last).unwrap_or(pages);
        self.last = pages;
        self.pause = (self.pause * AT_ONCE / fresh.max(1)).clamp(SHORTEST, LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever writes so many pages a second meets so long a pause.
    fn pause_at(pages_a_second: u32) -> Duration {
        let mut pace = Pace::default();
        for _ in 0..20 {
            // What was brought in before is begun anew each time.
            pace.last = 0;
            pace.brought_in(pages_a_second * u32::try_from(pace.pause.as_millis()).unwrap() / 1_000);
        }
        pace.pause
    }

    #[test]
    fn about_as_many_pages_as_wanted_come_together_between_the_limits() {
        assert_eq!(pause_at(0), LONGEST);
        assert_eq!(pause_at(100), LONGEST);
        assert!((Duration::from_millis(195)..Duration::from_millis(205)).contains(&pause_at(320)));
        assert_eq!(pause_at(100_000), SHORTEST);
    }

    #[test]
    fn pages_that_were_brought_in_before_do_not_count_again() {
        let mut pace = Pace { pause: Duration::from_millis(100), last: 640 };
        pace.brought_in(704);
        assert_eq!(pace.pause, Duration::from_millis(100));
        pace.brought_in(128);
        assert_eq!(pace.pause, Duration::from_millis(50));
    }
}
