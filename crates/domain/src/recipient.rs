//! For whom a private message is.

use std::fmt;

use uuid::Uuid;

use crate::pseudonym::Mention;
use crate::session::SessionId;

/// Somebody whom a message is addressed to, as the sender wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    text: String,
    /// Whom that means.
    pub meant: Meant,
}

/// A session, or whoever holds a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// This very session. Programs say this: a name may have a new holder by now.
    Session(SessionId),
    /// The session that holds this name when the message comes in.
    Name(Mention),
}

/// Why nobody can be sent a private message, and to whom it was addressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// No such session, and no such name, was ever there.
    #[error("'{0}' is nobody known")]
    Unknown(String),
    /// The session is over, or nobody holds the name.
    #[error("'{0}' is not online")]
    Offline(String),
    /// An unclaimed session of which no connection has shown token or cookie: whoever has the name could read along.
    #[error("'{0}' has no connection that is certainly theirs")]
    Unreachable(String),
}

impl Addressee {
    /// `None` for a text that is longer than any name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let meant = match Uuid::try_parse(text) {
            Ok(id) => Meant::Session(SessionId(id)),
            Err(_) => Meant::Name(Mention::parse(text)?),
        };
        Some(Self { text: text.to_owned(), meant })
    }

    /// What the sender wrote.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
