//! What the rules need from outside: one port for each kind of I/O, time or randomness.
//!
//! A port's documentation says what an implementation MUST do. `testing` has a fake for each, and contract
//! suites that fakes and real adapters both pass. To add a port: a file here, a fake and, where it has rules
//! of its own, a contract suite in `testing`.

mod allowance;
mod announcer;
mod bus;
mod clock;
mod message_log;
mod presence;
mod reach;
mod roster_log;
mod session_ids;
mod sessions;
mod tokens;

pub use allowance::Allowance;
pub use announcer::Announcer;
pub use bus::{Bus, Hint, Link, News, Standing};
pub use clock::Clock;
pub use message_log::{
    Address, AppendError, Draft, LogHead, MessageLog, Page, PageQuery, Posted, Rejection, Retention, Span,
    Viewer,
};
pub use presence::{AttendError, Attended, Beaten, Presence, Woken};
pub use reach::Reach;
pub use roster_log::{CHANGES_KEPT, Changes, RosterLog};
pub use session_ids::SessionIds;
pub use sessions::{ChangeError, NewSession, Online, OnlinePage, OnlineQuery, OpenError, Sessions};
pub use tokens::{Token, Tokens};

#[cfg(any(test, feature = "testing"))]
pub use {message_log::MockMessageLog, presence::MockPresence, sessions::MockSessions};

/// What is needed is away for now: nothing is known to have been changed.
#[derive(Debug, thiserror::Error)]
#[error("the service is unavailable for now")]
pub struct Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Unavailable {
    /// For a reason that is logged and never shown.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
