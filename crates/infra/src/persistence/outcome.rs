//! What came of a commit whose answer got lost.
//!
//! A connection that breaks while the database commits leaves two possibilities, and guessing would lose a message or
//! double it. Whoever takes the lock on the log's head afterwards has waited for the lost transaction to end. So what is
//! looked up under that lock is certain, and every post has a key to look for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use lobby_domain::message::MessageId;
use lobby_domain::ports::{AppendError, ChangeError, Draft};
use lobby_domain::timestamp::Timestamp;
use sea_orm::DbErr;

use super::append::{Batch, Outcomes, find_posted};
use super::{Store, unavailable};

/// How long a post may wait for its outcome to be found out: longer than the database needs to notice a dead node and end
/// its transaction, shorter than most clients wait for an answer.
const RESOLVE: Duration = Duration::from_secs(5);

/// Between two looks at a database that is away.
const PAUSE: Duration = Duration::from_millis(100);

/// How often what was found not to be committed is committed: a full disk does not get emptier within a moment.
const COMMITS: u32 = 2;

/// How often the database was asked to commit a change.
#[derive(Debug, Default)]
pub(super) struct Commits {
    so_far: AtomicU32,
    is_missing: AtomicBool,
}

impl Commits {
    /// Right before it is asked, after what an earlier attempt has left behind was looked for and not found. Once it was asked
    /// often enough, that is all that was wanted.
    pub(super) fn count(&self) -> Result<(), DbErr> {
        if self.so_far.load(Ordering::Relaxed) == COMMITS {
            self.is_missing.store(true, Ordering::Relaxed);
            return Err(DbErr::Custom("the database commits nothing".to_owned()));
        }
        self.so_far.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the change may have been made by an earlier attempt.
    pub(super) fn is_repeated(&self) -> bool {
        self.so_far.load(Ordering::Relaxed) > 0
    }

    /// Whether it is certain that none of the attempts has made the change, and there will be no other.
    fn is_missing(&self) -> bool {
        self.is_missing.load(Ordering::Relaxed)
    }
}

/// Why a batch was not appended.
enum Failed {
    /// It is certainly not in the log.
    NotAppended(DbErr),
    /// It may be, behind this message.
    Unknown { since: MessageId, error: DbErr },
}

impl Store {
    /// Appends drafts, and finds out what came of it however the database fails.
    pub(super) async fn append_for_sure(
        &self,
        drafts: &[Draft],
        now: Timestamp,
    ) -> Result<Outcomes, AppendError> {
        let batch = Batch::new(drafts, now);
        let (since, error) = match self.try_append(&batch, None).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(Failed::NotAppended(error)) => return Err(unavailable(error).into()),
            Err(Failed::Unknown { since, error }) => (since, error),
        };
        tracing::warn!(%error, "a commit has no known outcome: looking it up");
        match tokio::time::timeout(RESOLVE, self.resolve(&batch, since)).await {
            Ok(Ok(outcomes)) => Ok(outcomes),
            Ok(Err(error)) => Err(unavailable(error).into()),
            Err(_elapsed) => Err(AppendError::OutcomeUnknown(unavailable(error))),
        }
    }

    /// Makes a change that is told from a repetition by what it leaves behind; again, if the answer to its commit gets lost.
    ///
    /// After a failure the next one is made through a new connection: the old one may be dead without knowing it, and then its
    /// place is taken until the system gives it up.
    pub(super) async fn change_for_sure<T, F>(
        &self,
        commits: &Commits,
        change: impl Fn() -> F,
    ) -> Result<T, ChangeError>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let changed = self.change_or_find_out(commits, change).await;
        if changed.is_err()
            && let Err(error) = self.renew_writer().await
        {
            tracing::warn!(%error, "the writing connection cannot be replaced");
        }
        changed
    }

    async fn change_or_find_out<T, F>(
        &self,
        commits: &Commits,
        change: impl Fn() -> F,
    ) -> Result<T, ChangeError>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let error = match answered(change()).await {
            Ok(outcome) => return Ok(outcome),
            Err(error) if commits.is_repeated() => error,
            Err(error) => return Err(unavailable(error).into()),
        };
        tracing::warn!(%error, "a commit has no known outcome: it is repeated");
        let repeating = async {
            loop {
                tokio::time::sleep(PAUSE).await;
                let attempt = async {
                    self.renew_writer().await?;
                    change().await
                };
                match attempt.await {
                    Ok(outcome) => return Ok(outcome),
                    Err(error) if commits.is_missing() => return Err(error),
                    Err(error) => tracing::debug!(%error, "the outcome cannot be looked up yet"),
                }
            }
        };
        match tokio::time::timeout(RESOLVE, repeating).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(error)) => Err(unavailable(error).into()),
            Err(_elapsed) => Err(ChangeError::OutcomeUnknown(unavailable(error))),
        }
    }

    /// Until it is certain that the batch is in the log, or that it is not and cannot be put there.
    async fn resolve(&self, batch: &Batch<'_>, mut since: MessageId) -> Result<Outcomes, DbErr> {
        let mut commits = 1;
        let mut last_error = None;
        loop {
            if commits >= COMMITS && self.is_missing(batch, since).await == Some(true) {
                return Err(last_error.expect("a commit has failed"));
            }
            match self.try_append(batch, Some(since)).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(Failed::Unknown { since: later, error }) => {
                    // It was looked up and not found, so only this last attempt is in question.
                    since = later;
                    commits += 1;
                    last_error = Some(error);
                }
                Err(Failed::NotAppended(error)) => {
                    tracing::debug!(%error, "the outcome cannot be looked up yet");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether none of the batch is in the log; nothing if that cannot be seen.
    async fn is_missing(&self, batch: &Batch<'_>, since: MessageId) -> Option<bool> {
        self.renew_writer().await.ok()?;
        let locked = self.lock_log(0, batch.now).await.ok()?;
        let found = find_posted(&locked, batch, since).await.ok()?;
        let is_known = locked.head.first_id <= since.0 + 1;
        locked.transaction.rollback().await.ok()?;
        is_known.then_some(found.is_empty())
    }

    /// One attempt. With `since`, what an earlier one has left behind that message is looked up first, through a new
    /// connection.
    async fn try_append(&self, batch: &Batch<'_>, since: Option<MessageId>) -> Result<Outcomes, Failed> {
        let mut committing = None;
        let outcome = answered(self.attempt(batch, since, &mut committing)).await;
        outcome.map_err(|error| match committing {
            None => Failed::NotAppended(error),
            Some(since) => Failed::Unknown { since, error },
        })
    }

    async fn attempt(
        &self,
        batch: &Batch<'_>,
        since: Option<MessageId>,
        committing: &mut Option<MessageId>,
    ) -> Result<Outcomes, DbErr> {
        let ids = batch.posts.len();
        let Some(since) = since else {
            if let Some(outcomes) = self.append_in_one(batch, committing).await? {
                return Ok(outcomes);
            }
            let locked = match self.lock_log(ids, batch.now).await {
                Ok(locked) => locked,
                // The connection may have died while it rested. Nothing was asked of it yet.
                Err(error) => {
                    tracing::debug!(%error, "the writing connection is replaced");
                    self.renew_writer().await?;
                    self.lock_log(ids, batch.now).await?
                }
            };
            return self.append_once(batch, locked, &HashMap::new(), committing).await;
        };
        self.renew_writer().await?;
        let locked = self.lock_log(ids, batch.now).await?;
        let found = find_posted(&locked, batch, since).await?;
        if found.is_empty() && locked.head.first_id > since.0 + 1 {
            // What was committed may be pruned by now, so nothing found says nothing.
            return Err(DbErr::Custom("the log was pruned past the lost commit".to_owned()));
        }
        self.append_once(batch, locked, &found, committing).await
    }
}

/// The database has time limits of its own; this one is for a network that answers nothing at all.
pub(super) async fn answered<T>(attempt: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let outcome = tokio::time::timeout(RESOLVE, attempt).await;
    outcome.unwrap_or_else(|_| Err(DbErr::Custom("the database does not answer".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The writer does one thing after the other: one that never ends would be its end.
    #[tokio::test(start_paused = true)]
    async fn a_network_that_answers_nothing_is_not_waited_for() {
        answered(std::future::pending::<Result<(), _>>()).await.expect_err("it has given up");
        assert_eq!(answered(async { Ok(1) }).await, Ok(1));
    }
}
