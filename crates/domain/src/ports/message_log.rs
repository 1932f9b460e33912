use async_trait::async_trait;

use super::Unavailable;
use crate::auth::Authority;
use crate::client_id::ClientId;
use crate::message::{Content, LogId, Message, MessageId};
use crate::recipient::{Addressee, Unreached};
use crate::session::SessionId;
use crate::timestamp::Timestamp;

/// A message that has no id yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Who posts it.
    pub sender_session: SessionId,
    /// By what right.
    pub authority: Authority,
    /// For whom alone it is, if it is private.
    pub to: Option<Address>,
    /// What is said.
    pub content: Content,
    /// What the sender calls it.
    pub client_id: Option<ClientId>,
}

/// To whom a private draft goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// As the sender wrote it. A repeat is told from another post by this, not by whom it means: that may have changed.
    pub addressee: Addressee,
    /// The session that it means, or why there is none: only a repeat of a post that went through gets an answer then.
    pub session: Result<SessionId, Unreached>,
    /// Whether somebody who has proved to be that session is listening.
    pub is_reached: bool,
}

/// A draft that has its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The message.
    pub message: Message,
    /// Whether this is the answer to an earlier post of the same client id: nothing is new then.
    pub repeated: bool,
}

/// Why a draft gets no id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The sender's session is over, or claimed while only its name speaks.
    Silenced,
    /// The session has used this client id for something else.
    ClientIdConflict(ClientId),
    /// Nobody to send it to.
    Unreached(Unreached),
}

/// Why nothing is known to have been appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Nothing was changed, and nothing will be.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The storage was asked to commit and could not be asked for long enough what came of it.
    #[error("what came of this is not known")]
    OutcomeUnknown(#[source] Unavailable),
}

/// Which log this is, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The log.
    pub log: LogId,
    /// The oldest message that is kept: one more than the last where there is none.
    pub first_id: MessageId,
    /// The newest message, 0 in a log that never had one.
    pub last_id: MessageId,
}

/// Which messages of the log are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageQuery {
    /// From where, and in which direction.
    pub span: Span,
    /// The most messages.
    pub limit: usize,
    /// Who looks.
    pub viewer: Viewer,
}

/// A direction in the log, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The first messages after this one.
    After(MessageId),
    /// The last messages before this one.
    Before(MessageId),
}

/// Who looks at the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// The lobby itself, which sees every message.
    Lobby,
    /// Nobody in particular: public messages.
    Nobody,
    /// A session: public messages, and those from it and to it.
    Session(SessionId),
}

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where the log stood.
    pub head: LogHead,
    /// Messages, the oldest first, whatever the direction.
    pub messages: Vec<Message>,
    /// Whether there are more in that direction.
    pub has_more: bool,
}

/// Which messages are kept. Those that are not are deleted from the beginning of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Those of this moment and later.
    pub since: Option<Timestamp>,
    /// So many, the newest.
    pub at_most: Option<u64>,
}

/// The ordered, durable sequence of all messages.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait MessageLog: Send + Sync {
    /// Appends `drafts` in their order, in one transaction that is durable when this returns: all or nothing.
    ///
    /// Answers in the same order. Under the lock that gives out ids each draft MUST be judged, in this order:
    ///
    /// 1. A session that is over posts nothing, nor does a claimed one by [`Authority::Name`].
    /// 2. A client id that the session has used gets the first answer again, also when its message has been pruned or its
    ///    recipient is gone; with another content or addressee it is a conflict.
    /// 3. A recipient that was never there is unknown, and one whose session is over is offline, whoever has its name now.
    ///    One that is unclaimed and not reached, and not the sender itself, is unreachable.
    ///
    /// Ids MUST be gapless from 1 in commit order, whatever failed before, also between several nodes on one storage. A
    /// message's timestamp is that of the storage where nodes share it, else `now`; or the previous message's if that is
    /// later.
    ///
    /// An outcome that is not known at first MUST be found out under the lock, by something that only this call has put
    /// there, for as long as somebody may wait: seconds.
    async fn append(
        &self,
        drafts: &[Draft],
        now: Timestamp,
    ) -> Result<Vec<Result<Posted, Rejection>>, AppendError>;

    /// Where the log stands. The log's id MUST stay the same for as long as its messages do.
    async fn head(&self) -> Result<LogHead, Unavailable>;

    /// A part of the log and where it stands, as of one moment.
    async fn page(&self, query: PageQuery) -> Result<Page, Unavailable>;

    /// Deletes at most `most` of the messages that are not to be kept, the oldest first, and moves the log's beginning
    /// in the same transaction. Answers whether there are more.
    async fn prune(&self, keep: Retention, most: u32) -> Result<bool, Unavailable>;

    /// Forgets at most `most` of the client ids that were used before a moment. Answers whether there are more.
    async fn forget_client_ids(&self, before: Timestamp, most: u32) -> Result<bool, Unavailable>;

    /// Fails where [`Self::append`] would, and changes nothing that can be seen.
    async fn check_writable(&self) -> Result<(), Unavailable>;
}
