//! Every way the lobby says no, mapped to the wire once: problem details over REST, `error` events and acks
//! over sockets.

use std::time::Duration;

use lobby_domain::auth::Forbidden;
use lobby_domain::client_id::InvalidClientId;
use lobby_domain::message::InvalidContent;
use lobby_domain::ports::{ChangeError, Unavailable};
use lobby_domain::recipient::Unreached;
use lobby_domain::resume::NotResumable;
use lobby_domain::use_cases::{AuthenticateError, HistoryError, LogInError, LogOutError, PostError};

use crate::doorman::{ROOM_AFTER, too_many_messages};
use crate::writer::WriteError;

mod code;

pub use code::Code;

/// Seconds after which whoever was refused for a passing reason may try again. A commit takes milliseconds,
/// so a second is long; and it spreads those who come back.
const RETRY_AFTER: u32 = 1;

/// For how many seconds the name of an example is held.
const HELD_FOR: u32 = 60;

/// A refusal, as its receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable, for programs.
    pub code: Code,
    /// A sentence, for people.
    pub detail: String,
    /// Seconds to wait, where trying again may help.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// A refusal that trying again does not change.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None }
    }

    pub(crate) fn for_now(code: Code, detail: &impl ToString) -> Self {
        Self { code, detail: detail.to_string(), retry_after: Some(RETRY_AFTER) }
    }

    /// One that may come, for the API pages.
    pub(crate) fn example(code: Code) -> Self {
        let retry_after = match code {
            Code::NameHeld => Some(HELD_FOR),
            Code::TooManyConnections => Some(ROOM_AFTER),
            _ => code.is_passing().then_some(RETRY_AFTER),
        };
        Self { code, detail: code.example().to_owned(), retry_after }
    }

    fn not_connected(detail: impl Into<String>) -> Self {
        Self::new(Code::NotConnected, detail)
    }

    /// Somebody is meant by a text that can be nobody's name.
    #[must_use]
    pub fn nobody() -> Self {
        Self::not_connected(
            "nobody of that name is connected: it is too long for a name, or has control characters",
        )
    }

    /// The same of whom a message is for.
    #[must_use]
    pub fn unknown_recipient(detail: impl Into<String>) -> Self {
        Self::new(Code::UnknownRecipient, detail)
    }
}

impl From<&Unavailable> for Refusal {
    fn from(error: &Unavailable) -> Self {
        Self::for_now(Code::Unavailable, error)
    }
}

impl From<Forbidden> for Refusal {
    fn from(error: Forbidden) -> Self {
        let code = match error {
            Forbidden::TokenRequired => Code::TokenRequired,
            Forbidden::NotYourSession => Code::NotYourSession,
        };
        Self::new(code, error.to_string())
    }
}

impl From<&AuthenticateError> for Refusal {
    fn from(error: &AuthenticateError) -> Self {
        match error {
            AuthenticateError::InvalidToken => Self::new(Code::InvalidToken, error.to_string()),
            AuthenticateError::Unavailable(cause) => cause.into(),
            AuthenticateError::OutcomeUnknown(_) => Self::for_now(Code::OutcomeUnknown, error),
        }
    }
}

impl From<AuthenticateError> for Refusal {
    fn from(error: AuthenticateError) -> Self {
        (&error).into()
    }
}

impl From<LogInError> for Refusal {
    fn from(error: LogInError) -> Self {
        match &error {
            LogInError::InvalidPseudonym(_) => Self::new(Code::InvalidPseudonym, error.to_string()),
            LogInError::AlreadyConnected(_) => Self::new(Code::AlreadyConnected, error.to_string()),
            LogInError::NameHeld { retry_after, .. } => Self {
                retry_after: Some(whole_seconds(*retry_after)),
                ..Self::new(Code::NameHeld, error.to_string())
            },
            LogInError::Authenticate(cause) => cause.into(),
            LogInError::Unavailable(cause) => cause.into(),
            LogInError::OutcomeUnknown(_) => Self::for_now(Code::OutcomeUnknown, &error),
        }
    }
}

/// Rounded up: who waits that long does not come too early.
pub(crate) fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

impl From<LogOutError> for Refusal {
    fn from(error: LogOutError) -> Self {
        match &error {
            LogOutError::NotConnected(_) => Self::not_connected(error.to_string()),
            LogOutError::Forbidden(forbidden) => (*forbidden).into(),
            LogOutError::Authenticate(cause) => cause.into(),
            LogOutError::Unavailable(cause) => cause.into(),
            LogOutError::OutcomeUnknown(_) => Self::for_now(Code::OutcomeUnknown, &error),
        }
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match &error {
            ChangeError::Unavailable(cause) => cause.into(),
            ChangeError::OutcomeUnknown(_) => Self::for_now(Code::OutcomeUnknown, &error),
        }
    }
}

impl From<PostError> for Refusal {
    fn from(error: PostError) -> Self {
        match &error {
            PostError::Forbidden(forbidden) => (*forbidden).into(),
            PostError::NotConnected(_) => Self::not_connected(error.to_string()),
            PostError::TooOften(exceeded) => too_many_messages(*exceeded),
            PostError::Unreached(unreached) => unreached.into(),
            // Draft "The Idempotency-Key HTTP Header Field", §2.7: a key that is used again for another request.
            PostError::ClientIdConflict(_) => Self::new(Code::ClientIdConflict, error.to_string()),
            PostError::Unavailable(cause) => cause.as_ref().into(),
            PostError::OutcomeUnknown(_) => Self::for_now(Code::OutcomeUnknown, &error),
        }
    }
}

impl From<&Unreached> for Refusal {
    fn from(error: &Unreached) -> Self {
        let code = match error {
            Unreached::Unknown(_) => return Self::unknown_recipient(error.to_string()),
            Unreached::Offline(_) => Code::RecipientOffline,
            Unreached::Unreachable(_) => Code::RecipientUnreachable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        let code = match &error {
            HistoryError::NotResumable(NotResumable::OtherLog(_)) => Code::OtherLog,
            HistoryError::NotResumable(NotResumable::Pruned(_)) => Code::LogPruned,
            HistoryError::Unavailable(cause) => return cause.into(),
        };
        Self::new(code, error.to_string())
    }
}

impl From<InvalidClientId> for Refusal {
    fn from(error: InvalidClientId) -> Self {
        Self::new(Code::InvalidClientId, error.to_string())
    }
}

impl From<InvalidContent> for Refusal {
    fn from(error: InvalidContent) -> Self {
        let code = match error {
            InvalidContent::Empty => Code::ContentEmpty,
            InvalidContent::TooManyBytes(_) | InvalidContent::TooManyChars(_) => Code::ContentTooLong,
            InvalidContent::ControlCharacter(_) => Code::ContentControlCharacter,
        };
        Self::new(code, error.to_string())
    }
}

impl<E: Into<Refusal> + std::error::Error> From<WriteError<E>> for Refusal {
    fn from(error: WriteError<E>) -> Self {
        match error {
            WriteError::Busy => Self::for_now(Code::Busy, &error),
            WriteError::OutcomeUnknown => Self::for_now(Code::OutcomeUnknown, &error),
            WriteError::Refused(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use lobby_domain::testing::name;

    use super::*;

    /// Whoever comes back after what was said must not come too early.
    #[test]
    fn a_held_name_says_for_how_many_whole_seconds_yet_rounded_up() {
        for (millis, seconds) in
            [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (60_000, 60), (u64::MAX, u32::MAX)]
        {
            let retry_after = Duration::from_millis(millis);
            let refusal = Refusal::from(LogInError::NameHeld { name: name("JohnDoe"), retry_after });
            let expected = Refusal {
                code: Code::NameHeld,
                detail: "'JohnDoe' is held for whoever had it".to_owned(),
                retry_after: Some(seconds),
            };
            assert_eq!(refusal, expected, "{millis}");
        }
    }
}
