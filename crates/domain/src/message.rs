//! Messages and what they may contain.

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use uuid::Uuid;

use crate::client_id::ClientId;
use crate::pseudonym::Pseudonym;
use crate::session::SessionId;
use crate::timestamp::Timestamp;
use crate::user::UserId;

/// The most bytes of content, counted before trimming: 16 KiB, what 4,000 characters of four bytes need.
pub const MAX_CONTENT_BYTES: usize = 16 * 1024;
/// The most characters (Unicode scalar values) of content, counted after trimming.
pub const MAX_CONTENT_CHARS: usize = 4_000;

/// A message's place in the log: gapless, in commit order, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub i64);

/// Which log ids belong to. A restored backup starts a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogId(pub Uuid);

/// A message in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its place in the log.
    pub id: MessageId,
    /// The session that posted it.
    pub sender_session: SessionId,
    /// The number of the sender's name.
    pub sender_id: UserId,
    /// The sender's name.
    pub sender: Pseudonym,
    /// For whom alone it is, if it is private.
    pub to: Option<Recipient>,
    /// What was said.
    pub content: Content,
    /// What the sender called it.
    pub client_id: Option<ClientId>,
    /// When it was committed; never before the previous message's.
    pub timestamp: Timestamp,
}

/// For whom a private message is: a session, not a name, which may have another holder later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The session.
    pub session: SessionId,
    /// Its name.
    pub pseudonym: Pseudonym,
}

/// Who may see a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Whoever may listen at all.
    Everybody,
    /// The sender's session and the recipient's.
    Sessions([SessionId; 2]),
}

impl Message {
    /// Who may see it.
    #[must_use]
    pub fn audience(&self) -> Audience {
        match &self.to {
            None => Audience::Everybody,
            Some(to) => Audience::Sessions([self.sender_session, to.session]),
        }
    }
}

impl Audience {
    /// Whether somebody who has proved to be `session`, or nothing, is among them.
    #[must_use]
    pub fn includes(&self, session: Option<SessionId>) -> bool {
        match self {
            Self::Everybody => true,
            Self::Sessions(sessions) => session.is_some_and(|session| sessions.contains(&session)),
        }
    }
}

/// What a message says: 1 to 4,000 characters, trimmed, lines ended by LF, no control characters but newline
/// and tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(String);

/// Why a content was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidContent {
    /// Nothing that can be seen.
    #[error("a message needs at least one character that can be seen")]
    Empty,
    /// More than [`MAX_CONTENT_BYTES`].
    #[error("a message has at most {MAX_CONTENT_BYTES} bytes, this one has {0}")]
    TooManyBytes(usize),
    /// More than [`MAX_CONTENT_CHARS`].
    #[error("a message has at most {MAX_CONTENT_CHARS} characters, this one has {0}")]
    TooManyChars(usize),
    /// A control character other than newline and tab.
    #[error("a message has no control characters but newline and tab, this one has U+{:04X}", u32::from(*.0))]
    ControlCharacter(char),
}

impl Content {
    /// Checks and tidies what somebody wants to say.
    pub fn parse(raw: &str) -> Result<Self, InvalidContent> {
        if raw.len() > MAX_CONTENT_BYTES {
            return Err(InvalidContent::TooManyBytes(raw.len()));
        }
        let text = raw.replace("\r\n", "\n");
        let text = text.trim();
        let is_forbidden = |c: &char| c.is_control() && !matches!(c, '\n' | '\t');
        if let Some(control) = text.chars().find(is_forbidden) {
            return Err(InvalidContent::ControlCharacter(control));
        }
        match text.chars().count() {
            _ if text.chars().all(is_unseen) => Err(InvalidContent::Empty),
            chars if chars > MAX_CONTENT_CHARS => Err(InvalidContent::TooManyChars(chars)),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// What comes out of storage, where only parsed contents go in.
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

fn is_unseen(c: char) -> bool {
    c.is_whitespace() || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("hello", "hello")]
    #[case("  hello \n", "hello")]
    #[case("a\r\nb\tc", "a\nb\tc")]
    #[case("<b>李明</b> 🎉", "<b>李明</b> 🎉")]
    #[case(&"x".repeat(4_000), &"x".repeat(4_000))]
    #[case(&"🎉".repeat(4_000), &"🎉".repeat(4_000))]
    #[case(&format!("{}x", " ".repeat(16_383)), "x")]
    fn content_is_trimmed_and_kept(#[case] raw: &str, #[case] kept: &str) {
        assert_eq!(Content::parse(raw).map(|c| c.as_str().to_owned()), Ok(kept.to_owned()));
    }

    #[rstest]
    #[case("", InvalidContent::Empty)]
    #[case(" \r\n\t ", InvalidContent::Empty)]
    #[case("\u{200b}\u{2060} \u{3164}", InvalidContent::Empty)]
    #[case(&"x".repeat(4_001), InvalidContent::TooManyChars(4_001))]
    #[case(&"x".repeat(16_385), InvalidContent::TooManyBytes(16_385))]
    #[case(&" ".repeat(16_385), InvalidContent::TooManyBytes(16_385))]
    #[case("a\0b", InvalidContent::ControlCharacter('\0'))]
    #[case("a\rb", InvalidContent::ControlCharacter('\r'))]
    #[case("\u{1b}[31mred", InvalidContent::ControlCharacter('\u{1b}'))]
    fn content_that_breaks_a_rule_is_refused_with_the_reason(#[case] raw: &str, #[case] why: InvalidContent) {
        assert_eq!(Content::parse(raw), Err(why));
    }

    proptest! {
        #[test]
        fn parsing_what_was_parsed_changes_nothing(raw in "\\PC{0,50}[\r\n\t ]{0,3}\\PC{0,50}") {
            if let Ok(content) = Content::parse(&raw) {
                prop_assert_eq!(Content::parse(content.as_str()), Ok(content));
            }
        }
    }
}
