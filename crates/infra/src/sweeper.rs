//! Deletes what is not to be kept, in the background.

use std::sync::Arc;
use std::time::Duration;

use lobby_domain::ports::{ChangeError, Clock, MessageLog, Presence, Retention};
use lobby_domain::timestamp::Timestamp;

/// Between two sweeps: a look costs one read.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Rows of one step. It holds the log's lock for some milliseconds, which is what a post may wait for it.
const STEP: u32 = 500;

/// Between two steps, so that posts have their turn: at most half of the time goes to sweeping.
const PAUSE: Duration = Duration::from_millis(20);

/// What is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// How long messages are kept; all of them, if nothing is said.
    pub messages_for: Option<Duration>,
    /// How many messages are kept.
    pub messages_at_most: Option<u64>,
    /// How long a post can be repeated under its client id.
    pub client_ids_for: Duration,
    /// How long sessions that are over can be brought back.
    pub sessions_for: Duration,
}

/// What is swept.
pub struct Sweeper {
    /// The log.
    pub log: Arc<dyn MessageLog>,
    /// The sessions.
    pub presence: Arc<dyn Presence>,
    /// Says when.
    pub clock: Arc<dyn Clock>,
}

/// Sweeps until it is dropped. A storage that is away is swept later.
pub async fn sweep(sweeper: Sweeper, keep: Keep) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        if let Err(error) = sweep_once(&sweeper, keep).await {
            tracing::debug!(%error, "what is not to be kept is kept for now");
        }
    }
}

async fn sweep_once(sweeper: &Sweeper, keep: Keep) -> Result<(), ChangeError> {
    let Sweeper { log, presence, clock } = sweeper;
    let since = keep.messages_for.map(|age| before(&**clock, age));
    let retention = Retention { since, at_most: keep.messages_at_most };
    if retention != Retention::default() {
        while log.prune(retention, STEP).await? {
            tokio::time::sleep(PAUSE).await;
        }
    }
    let expired = before(&**clock, keep.client_ids_for);
    while log.forget_client_ids(expired, STEP).await? {
        tokio::time::sleep(PAUSE).await;
    }
    let forgotten = before(&**clock, keep.sessions_for);
    while presence.forget(forgotten, STEP).await? {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn before(clock: &dyn Clock, age: Duration) -> Timestamp {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(clock.now().as_millis().saturating_sub(age))
}
