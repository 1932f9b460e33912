use async_trait::async_trait;

use crate::event::Event;
use crate::message::LogId;
use crate::session::SessionId;

/// What one node tells the others, so that they need not find it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The log of the node that tells it. Whoever has another log has nothing to do with it.
    pub log: LogId,
    /// What is told.
    pub news: News,
}

/// What there is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// What was committed, with the numbers by which everybody puts it into its place.
    Happened(Vec<Event>),
    /// A session is about to say something.
    Typing {
        /// Which.
        from: SessionId,
        /// For whom alone, if it is in private.
        to: Option<SessionId>,
    },
    /// The client of a recoverable connection has come back on another: the number of its `pid`.
    Superseded(u128),
}

/// Carries hints from each node to all others.
///
/// It is fast, and nothing more: a hint may come late, twice, in another order or not at all, and nobody may rely on it for
/// anything but speed. What has to arrive is in the storage, where every node looks for itself.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Tells the other nodes, not this one.
    ///
    /// MUST NOT wait for anything, and MUST NOT keep more than a fixed amount: what does not fit, or cannot be sent now, is
    /// dropped and counted. Where nobody else can hear it, it MUST cost next to nothing.
    fn publish(&self, hint: &Hint);

    /// The next hint of another node. Waits for as long as there is none, also while the bus is away.
    ///
    /// What is not fetched MUST NOT pile up: from a fixed amount on it is dropped and counted. What was published as one
    /// hint may come as several. Whatever else comes over the bus, such as what only a newer version understands, MUST be
    /// skipped and counted. Nothing is lost where this is not waited for to the end; each hint goes to one caller.
    async fn hear(&self) -> Hint;

    /// Whether it is there, and what has come of hints so far.
    fn standing(&self) -> Standing;
}

/// How a bus is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether hints get through.
    pub link: Link,
    /// Hints that were handed on to others.
    pub published: u64,
    /// Hints that have come from others.
    pub heard: u64,
    /// Hints that were dropped here, coming or going.
    pub dropped: u64,
    /// What came and was no hint.
    pub skipped: u64,
}

/// Whether hints get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// They need not leave the process.
    InProcess,
    /// They do.
    Connected,
    /// They do not, for now.
    Away,
}
