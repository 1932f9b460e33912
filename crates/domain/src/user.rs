//! A name known to the lobby.

use crate::timestamp::Timestamp;

/// The number of a name, given out when it is first used and kept for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

/// A name known to the lobby, whether or not somebody holds it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The name's number.
    pub id: UserId,
    /// When the name was first used.
    pub created_at: Timestamp,
}
