//! What makes a post safe to repeat.

use std::fmt;

/// The most characters of a client id: room for any usual unique id with a prefix.
pub const MAX_CLIENT_ID_CHARS: usize = 64;

/// A name that a client gives one of its posts: 1 to 64 characters, no control characters. It is unique within its
/// session, so a post that is repeated under it gets the first answer again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(String);

/// Why a client id was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClientId {
    /// None, or more than [`MAX_CLIENT_ID_CHARS`].
    #[error("a client_id has 1 to {MAX_CLIENT_ID_CHARS} characters, this one has {0}")]
    Length(usize),
    /// A control character.
    #[error("a client_id has no control characters, this one has U+{:04X}", u32::from(*.0))]
    ControlCharacter(char),
}

impl ClientId {
    /// Checks what a client sent; nothing is trimmed.
    pub fn parse(raw: &str) -> Result<Self, InvalidClientId> {
        match raw.chars().count() {
            1..=MAX_CLIENT_ID_CHARS => {}
            chars => return Err(InvalidClientId::Length(chars)),
        }
        match raw.chars().find(|c| c.is_control()) {
            Some(control) => Err(InvalidClientId::ControlCharacter(control)),
            None => Ok(Self(raw.to_owned())),
        }
    }

    /// What comes out of storage, where only parsed ones go in.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1", None)]
    #[case("01a206df-5406-724c-b09f-dd96244dcd7c", None)]
    #[case(" spaces are kept ", None)]
    #[case(&"é".repeat(64), None)]
    #[case("", Some(InvalidClientId::Length(0)))]
    #[case(&"é".repeat(65), Some(InvalidClientId::Length(65)))]
    #[case("a\nb", Some(InvalidClientId::ControlCharacter('\n')))]
    #[case("a\0", Some(InvalidClientId::ControlCharacter('\0')))]
    fn client_ids_are_checked_and_kept(#[case] raw: &str, #[case] refused: Option<InvalidClientId>) {
        match refused {
            None => assert_eq!(ClientId::parse(raw).map(|id| id.to_string()), Ok(raw.to_owned())),
            Some(why) => assert_eq!(ClientId::parse(raw), Err(why)),
        }
    }
}
