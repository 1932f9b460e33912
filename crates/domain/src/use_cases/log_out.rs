use std::sync::Arc;

use super::{Authenticate, AuthenticateError};
use crate::auth::{AuthMode, Credentials, Forbidden};
use crate::event::{Departure, DepartureReason, Event};
use crate::ports::{Announcer, ChangeError, Clock, Sessions, Unavailable};
use crate::pseudonym::Mention;
use crate::session::{Session, best_match};

/// Ends a session.
pub struct LogOut {
    /// Who needs a token.
    pub mode: AuthMode,
    /// Where sessions end.
    pub sessions: Arc<dyn Sessions>,
    /// Finds out who asks.
    pub authenticate: Authenticate,
    /// Says when.
    pub clock: Arc<dyn Clock>,
    /// Hears who left.
    pub announcer: Arc<dyn Announcer>,
}

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct LogOutRequest {
    /// Whose session shall end.
    pub pseudonym: Mention,
    /// What came with the request.
    pub credentials: Credentials,
}

/// Why nobody was logged out.
#[derive(Debug, thiserror::Error)]
pub enum LogOutError {
    /// Nobody of that name is online.
    #[error("'{0}' is not connected")]
    NotConnected(Mention),
    /// The caller may not end that session.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The explicit token is not good, or nobody can say.
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    /// The storage is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The storage went away while it committed: the session is over or not.
    #[error("what came of this is not known")]
    OutcomeUnknown(#[source] Unavailable),
}

impl From<ChangeError> for LogOutError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unavailable(error) => Self::Unavailable(error),
            ChangeError::OutcomeUnknown(error) => Self::OutcomeUnknown(error),
        }
    }
}

impl LogOut {
    /// Ends the session that has this name, if the caller may, and announces it. Answers with the session
    /// that ended.
    pub async fn execute(&self, request: LogOutRequest) -> Result<Session, LogOutError> {
        match self.attempt(&request).await {
            // Who was proved may have run out since. Once more: the token brings them back, to end for good.
            Err(LogOutError::NotConnected(_)) if request.credentials.token.is_some() => {
                self.attempt(&request).await
            }
            outcome => outcome,
        }
    }

    async fn attempt(&self, request: &LogOutRequest) -> Result<Session, LogOutError> {
        let caller = self.authenticate.execute(&request.credentials).await?;
        let not_connected = || LogOutError::NotConnected(request.pseudonym.clone());
        let key = request.pseudonym.key();
        let sessions = self.sessions.named(std::slice::from_ref(key)).await?;
        let session = best_match(&sessions, key).ok_or_else(not_connected)?;

        let authority = caller.authority_over(self.mode, session)?;
        let ended = self.sessions.end(session.id, authority, self.clock.now()).await?;
        let revision = ended.ok_or_else(not_connected)?;
        let departure = Departure {
            session: session.id,
            user: session.user.id,
            pseudonym: session.pseudonym.clone(),
            reason: DepartureReason::Logout,
            revision,
        };
        self.announcer.announce(vec![Event::UserLeft(departure)]).await;
        Ok(session.clone())
    }
}
