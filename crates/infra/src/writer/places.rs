//! How many commands may wait for the writer.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Log-ins, log-outs and what wakes a session that may wait, besides messages: whoever logs out in a rush of messages is not told to come
/// back later. Each is a commit of its own; so many take a slow disk some seconds.
pub(super) const ACCOUNT_PLACES: usize = 1_024;

/// A permit for each command that may wait.
pub(super) struct Places {
    pub(super) messages: Arc<Semaphore>,
    pub(super) accounts: Arc<Semaphore>,
    most_messages: usize,
}

/// How much waits for the writer. It does not keep it from ending.
#[derive(Clone)]
pub struct QueueDepth(pub(super) Arc<Places>);

impl Places {
    pub(super) fn new(messages: usize) -> Self {
        let semaphore = |places| Arc::new(Semaphore::new(places));
        Self { messages: semaphore(messages), accounts: semaphore(ACCOUNT_PLACES), most_messages: messages }
    }
}

impl QueueDepth {
    /// Messages that wait to be committed.
    pub(crate) fn messages(&self) -> usize {
        self.most_messages().saturating_sub(self.0.messages.available_permits())
    }

    /// Messages that may wait.
    pub(crate) fn most_messages(&self) -> usize {
        self.0.most_messages
    }

    /// Log-ins, log-outs and wake-ups that wait.
    pub(crate) fn accounts(&self) -> usize {
        ACCOUNT_PLACES.saturating_sub(self.0.accounts.available_permits())
    }
}
