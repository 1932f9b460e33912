use async_trait::async_trait;

use super::Unavailable;
use crate::auth::Authority;
use crate::message::{Content, LogId, Message, MessageId};
use crate::session::SessionId;
use crate::timestamp::Timestamp;

/// A message that has no id yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Who posts it.
    pub sender_session: SessionId,
    /// By what right.
    pub authority: Authority,
    /// What is said.
    pub content: Content,
}

/// Which log this is, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The log.
    pub log: LogId,
    /// Its newest message, 0 in an empty log.
    pub last_id: MessageId,
}

/// The ordered, durable sequence of all messages.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait MessageLog: Send + Sync {
    /// Appends `drafts` in their order, in one transaction that is durable when this returns: all or nothing.
    ///
    /// Answers in the same order; `None` for a draft whose session is over, or claimed while only its name speaks:
    /// it gets no id. That MUST be seen under the lock that gives out ids: once a session has ended, none of its
    /// drafts gets one, and once it is claimed, none by [`Authority::Name`]. Ids MUST be gapless from 1 in commit
    /// order, whatever failed before. A message's timestamp is `now`, or the previous message's if that is later.
    async fn append(&self, drafts: Vec<Draft>, now: Timestamp) -> Result<Vec<Option<Message>>, Unavailable>;

    /// Where the log stands. The log's id MUST stay the same for as long as its messages do.
    async fn head(&self) -> Result<LogHead, Unavailable>;
}
