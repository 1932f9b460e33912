//! For whom a private message is.

use std::fmt;

use uuid::Uuid;
use uuid::fmt::Hyphenated;

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
    /// A session's id is known by its form of 36 characters. `None` for a text that is neither that nor can be a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() == Hyphenated::LENGTH
            && let Ok(id) = Uuid::try_parse(text)
        {
            return Some(Self { text: id.to_string(), meant: Meant::Session(SessionId(id)) });
        }
        Some(Self { text: text.to_owned(), meant: Meant::Name(Mention::parse(text)?) })
    }

    /// What to call whom it means, whose name this is: a session is shown by its name, a name as the sender wrote it.
    #[must_use]
    pub fn called(&self, pseudonym: &str) -> String {
        match self.meant {
            Meant::Session(_) => pseudonym.to_owned(),
            Meant::Name(_) => self.text.clone(),
        }
    }

    /// What the sender wrote; a session's id in small letters.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_told_apart() {
        let id = "01a206df-5406-724c-b09f-dd96244dcd7c";
        for same in [id, &id.to_uppercase()] {
            let addressee = Addressee::parse(same).expect("an id");
            assert!(matches!(addressee.meant, Meant::Session(_)), "{same}");
            assert_eq!((addressee.as_str(), addressee.called("Bob").as_str()), (id, "Bob"));
        }
        for name in ["Bob", "01a206df5406724cb09fdd96244dcd7c", "01a206df-5406-724c-b09f-dd96244dcd7"] {
            let addressee = Addressee::parse(name).expect("a name");
            assert!(matches!(addressee.meant, Meant::Name(_)), "{name}");
            assert_eq!(addressee.called("bOb"), name);
        }
        for nobody in ["a\0b", "a\nb", &"x".repeat(2_000)] {
            assert_eq!(Addressee::parse(nobody), None);
        }
    }
}
