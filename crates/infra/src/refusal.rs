//! Every way the lobby says no, mapped to the wire once: problem details over REST, `error` events and acks
//! over sockets.

use std::time::Duration;

use actix_web::http::StatusCode;
use lobby_domain::auth::Forbidden;
use lobby_domain::client_id::InvalidClientId;
use lobby_domain::message::InvalidContent;
use lobby_domain::ports::{ChangeError, Unavailable};
use lobby_domain::recipient::Unreached;
use lobby_domain::resume::NotResumable;
use lobby_domain::use_cases::{AuthenticateError, HistoryError, LogInError, LogOutError, PostError};

use crate::writer::WriteError;

/// Seconds after which whoever was refused for a passing reason may try again. A commit takes milliseconds,
/// so a second is long; and it spreads those who come back.
const RETRY_AFTER: u32 = 1;

/// A refusal, as its receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What HTTP makes of it.
    pub status: StatusCode,
    /// Stable, for programs.
    pub code: &'static str,
    /// A sentence, for people.
    pub detail: String,
    /// Seconds to wait, where trying again may help.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// A refusal that trying again does not change.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after: None }
    }

    /// Something that makes no sense as it was sent.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(crate) fn for_now(code: &'static str, detail: &impl ToString) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, code, detail: detail.to_string(), retry_after: Some(RETRY_AFTER) }
    }

    fn not_connected(detail: impl Into<String>) -> Self {
        Self::bad_request("not_connected", detail)
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
        Self::new(StatusCode::NOT_FOUND, "unknown_recipient", detail)
    }
}

impl From<&Unavailable> for Refusal {
    fn from(error: &Unavailable) -> Self {
        Self::for_now("unavailable", error)
    }
}

impl From<Forbidden> for Refusal {
    fn from(error: Forbidden) -> Self {
        let (status, code) = match error {
            Forbidden::TokenRequired => (StatusCode::UNAUTHORIZED, "token_required"),
            Forbidden::NotYourSession => (StatusCode::FORBIDDEN, "not_your_session"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<&AuthenticateError> for Refusal {
    fn from(error: &AuthenticateError) -> Self {
        match error {
            AuthenticateError::InvalidToken => {
                Self::new(StatusCode::UNAUTHORIZED, "invalid_token", error.to_string())
            }
            AuthenticateError::Unavailable(cause) => cause.into(),
            AuthenticateError::OutcomeUnknown(_) => Self::for_now("outcome_unknown", error),
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
            LogInError::InvalidPseudonym(_) => Self::bad_request("invalid_pseudonym", error.to_string()),
            LogInError::AlreadyConnected(_) => Self::bad_request("already_connected", error.to_string()),
            LogInError::NameHeld { retry_after, .. } => Self {
                retry_after: Some(whole_seconds(*retry_after)),
                ..Self::bad_request("name_held", error.to_string())
            },
            LogInError::Authenticate(cause) => cause.into(),
            LogInError::Unavailable(cause) => cause.into(),
            LogInError::OutcomeUnknown(_) => Self::for_now("outcome_unknown", &error),
        }
    }
}

/// Rounded up: who waits that long does not come too early.
fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

impl From<LogOutError> for Refusal {
    fn from(error: LogOutError) -> Self {
        match &error {
            LogOutError::NotConnected(_) => Self::not_connected(error.to_string()),
            LogOutError::Forbidden(forbidden) => (*forbidden).into(),
            LogOutError::Authenticate(cause) => cause.into(),
            LogOutError::Unavailable(cause) => cause.into(),
            LogOutError::OutcomeUnknown(_) => Self::for_now("outcome_unknown", &error),
        }
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match &error {
            ChangeError::Unavailable(cause) => cause.into(),
            ChangeError::OutcomeUnknown(_) => Self::for_now("outcome_unknown", &error),
        }
    }
}

impl From<PostError> for Refusal {
    fn from(error: PostError) -> Self {
        match &error {
            PostError::Forbidden(forbidden) => (*forbidden).into(),
            PostError::NotConnected(_) => Self::not_connected(error.to_string()),
            PostError::Unreached(unreached) => unreached.into(),
            // Draft "The Idempotency-Key HTTP Header Field", §2.7: a key that is used again for another request.
            PostError::ClientIdConflict(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "client_id_conflict", error.to_string())
            }
            PostError::Unavailable(cause) => cause.as_ref().into(),
            PostError::OutcomeUnknown(_) => Self::for_now("outcome_unknown", &error),
        }
    }
}

impl From<&Unreached> for Refusal {
    fn from(error: &Unreached) -> Self {
        let code = match error {
            Unreached::Unknown(_) => return Self::unknown_recipient(error.to_string()),
            Unreached::Offline(_) => "recipient_offline",
            Unreached::Unreachable(_) => "recipient_unreachable",
        };
        Self::new(StatusCode::CONFLICT, code, error.to_string())
    }
}

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        let (status, code) = match &error {
            HistoryError::NotResumable(NotResumable::OtherLog(_)) => (StatusCode::CONFLICT, "other_log"),
            HistoryError::NotResumable(NotResumable::Pruned(_)) => (StatusCode::GONE, "log_pruned"),
            HistoryError::Unavailable(cause) => return cause.into(),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<InvalidClientId> for Refusal {
    fn from(error: InvalidClientId) -> Self {
        Self::bad_request("invalid_client_id", error.to_string())
    }
}

impl From<InvalidContent> for Refusal {
    fn from(error: InvalidContent) -> Self {
        let (status, code) = match error {
            InvalidContent::Empty => (StatusCode::BAD_REQUEST, "content_empty"),
            InvalidContent::TooManyBytes(_) | InvalidContent::TooManyChars(_) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "content_too_long")
            }
            InvalidContent::ControlCharacter(_) => (StatusCode::BAD_REQUEST, "content_control_character"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl<E: Into<Refusal> + std::error::Error> From<WriteError<E>> for Refusal {
    fn from(error: WriteError<E>) -> Self {
        match error {
            WriteError::Busy => Self::for_now("busy", &error),
            WriteError::OutcomeUnknown => Self::for_now("outcome_unknown", &error),
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
                status: StatusCode::BAD_REQUEST,
                code: "name_held",
                detail: "'JohnDoe' is held for whoever had it".to_owned(),
                retry_after: Some(seconds),
            };
            assert_eq!(refusal, expected, "{millis}");
        }
    }
}
