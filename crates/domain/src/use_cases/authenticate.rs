use std::sync::Arc;

use crate::auth::{Caller, Credentials};
use crate::ports::{ChangeError, Sessions, Tokens, Unavailable};
use crate::session::Session;

/// Finds out who is calling.
#[derive(Clone)]
pub struct Authenticate {
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn Tokens>,
}

/// Why nobody could be made of what was shown.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// An explicit token that is forged, or whose session is over.
    #[error("the token is not valid, or its session is over")]
    InvalidToken,
    /// The storage is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The storage went away while it committed: the session is claimed or not.
    #[error("what came of this is not known")]
    OutcomeUnknown(#[source] Unavailable),
}

impl From<ChangeError> for AuthenticateError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unavailable(error) => Self::Unavailable(error),
            ChangeError::OutcomeUnknown(error) => Self::OutcomeUnknown(error),
        }
    }
}

impl Authenticate {
    /// Over these sessions, for these tokens.
    pub fn new(sessions: Arc<dyn Sessions>, tokens: Arc<dyn Tokens>) -> Self {
        Self { sessions, tokens }
    }

    /// Finds out who it is, and claims the session of a token that was shown on purpose.
    pub async fn execute(&self, credentials: &Credentials) -> Result<Caller, AuthenticateError> {
        match self.look(credentials).await? {
            Caller::Token(session) => Ok(Caller::Token(self.claim(session).await?)),
            caller @ (Caller::Cookie(_) | Caller::Nobody) => Ok(caller),
        }
    }

    /// Finds out who it is and changes nothing: a session of [`Caller::Token`] that is not claimed yet is still to be
    /// claimed.
    ///
    /// An explicit token has to be good. A cookie that proves nothing counts as absent: it comes along by itself, and
    /// the original's clients would not know what to do about it.
    pub async fn look(&self, credentials: &Credentials) -> Result<Caller, AuthenticateError> {
        if let Some(token) = &credentials.token {
            let session = self.prove(token).await?.ok_or(AuthenticateError::InvalidToken)?;
            return Ok(Caller::Token(session));
        }
        let Some(cookie) = &credentials.cookie else { return Ok(Caller::Nobody) };
        Ok(self.prove(cookie).await?.map_or(Caller::Nobody, Caller::Cookie))
    }

    async fn prove(&self, token: &str) -> Result<Option<Session>, Unavailable> {
        match self.tokens.verify(token) {
            Some(id) => self.sessions.find(id).await,
            None => Ok(None),
        }
    }

    /// Claims a session whose token was shown; its token is no longer good if it ended since.
    pub async fn claim(&self, session: Session) -> Result<Session, AuthenticateError> {
        if session.claimed || self.sessions.claim(session.id).await? {
            Ok(Session { claimed: true, ..session })
        } else {
            Err(AuthenticateError::InvalidToken)
        }
    }
}
