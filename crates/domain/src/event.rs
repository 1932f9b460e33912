//! What everybody is told.

use crate::message::Message;
use crate::pseudonym::Pseudonym;
use crate::session::{Session, SessionId};
use crate::user::UserId;

/// The number of a change to the list of who is online: gapless, in commit order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

/// Something that has happened, committed before it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message got its id.
    NewMessage(Message),
    /// A session was opened.
    UserJoined {
        /// The new session.
        session: Session,
        /// The list's revision with this change.
        revision: Revision,
    },
    /// A session is over.
    UserLeft(Departure),
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The session that is over.
    pub session: SessionId,
    /// The number of its name.
    pub user: UserId,
    /// Its name.
    pub pseudonym: Pseudonym,
    /// Why.
    pub reason: DepartureReason,
    /// The list's revision with this change.
    pub revision: Revision,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepartureReason {
    /// Somebody who may do so logged out.
    Logout,
    /// Nothing kept it alive any more.
    Expired,
}
