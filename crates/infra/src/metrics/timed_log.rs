//! A log whose commits are timed.

use std::sync::Arc;

use async_trait::async_trait;
use lobby_domain::ports::{
    AppendError, Draft, LogHead, MessageLog, Page, PageQuery, Posted, Rejection, Retention, Unavailable,
};
use lobby_domain::timestamp::Timestamp;
use tokio::time::Instant;

use super::Metrics;

/// A log in front of another, which it asks for everything.
pub struct TimedLog {
    log: Arc<dyn MessageLog>,
    metrics: Metrics,
}

impl TimedLog {
    /// Times this one.
    pub fn new(log: Arc<dyn MessageLog>, metrics: Metrics) -> Self {
        Self { log, metrics }
    }
}

#[async_trait]
impl MessageLog for TimedLog {
    async fn append(
        &self,
        drafts: &[Draft],
        now: Timestamp,
    ) -> Result<Vec<Result<Posted, Rejection>>, AppendError> {
        let began = Instant::now();
        let outcome = self.log.append(drafts, now).await;
        match &outcome {
            Ok(posts) => match posts.iter().flatten().filter(|posted| !posted.repeated).count() {
                // There was nothing to commit.
                0 => {}
                new => self.metrics.committed(new, began.elapsed()),
            },
            Err(AppendError::Unavailable(_)) => self.metrics.not_committed("unavailable"),
            Err(AppendError::OutcomeUnknown(_)) => self.metrics.not_committed("unknown"),
        }
        outcome
    }

    async fn head(&self) -> Result<LogHead, Unavailable> {
        self.log.head().await
    }

    async fn page(&self, query: PageQuery) -> Result<Page, Unavailable> {
        self.log.page(query).await
    }

    async fn prune(&self, keep: Retention, most: u32) -> Result<bool, Unavailable> {
        self.log.prune(keep, most).await
    }

    async fn forget_client_ids(&self, before: Timestamp, most: u32) -> Result<bool, Unavailable> {
        self.log.forget_client_ids(before, most).await
    }

    async fn check_writable(&self) -> Result<(), Unavailable> {
        self.log.check_writable().await
    }
}
