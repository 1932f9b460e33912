use std::sync::Arc;
use std::time::Duration;

use super::{Authenticate, AuthenticateError};
use crate::auth::{Caller, Credentials};
use crate::event::Event;
use crate::ports::{
    Announcer, Clock, NewSession, OpenError, SessionIds, Sessions, Token, Tokens, Unavailable,
};
use crate::pseudonym::{InvalidPseudonym, NamePolicy, Pseudonym};
use crate::session::Session;

/// Opens a session for a name, or gives its holder the one there is.
pub struct LogIn {
    /// Which names are allowed.
    pub names: NamePolicy,
    /// Finds out whether the caller has the session already.
    pub authenticate: Authenticate,
    /// Where sessions are opened.
    pub sessions: Arc<dyn Sessions>,
    /// Makes the session's token.
    pub tokens: Arc<dyn Tokens>,
    /// Makes the session's id.
    pub ids: Arc<dyn SessionIds>,
    /// Says when.
    pub clock: Arc<dyn Clock>,
    /// Hears who joined.
    pub announcer: Arc<dyn Announcer>,
}

/// What somebody asks for.
#[derive(Debug, Clone, Default)]
pub struct LogInRequest {
    /// The name, as typed.
    pub pseudonym: String,
    /// Whether only the token shall speak from now on.
    pub claim: bool,
    /// What came with the request: the name's own token brings its session again.
    pub credentials: Credentials,
}

/// A session and the proof of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// The session.
    pub session: Session,
    /// Its token.
    pub token: Token,
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// The name is not allowed.
    #[error(transparent)]
    InvalidPseudonym(#[from] InvalidPseudonym),
    /// Somebody has this name, or one that is the same.
    #[error("'{0}' is already connected")]
    AlreadyConnected(Pseudonym),
    /// Whoever had this name, or one that is the same, may still come back for it.
    #[error("'{name}' is held for whoever had it")]
    NameHeld {
        /// What was asked for.
        name: Pseudonym,
        /// For how long yet.
        retry_after: Duration,
    },
    /// The explicit token is not good, or nobody can say.
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    /// The storage is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The storage went away while it committed: the session is open or not.
    #[error("what came of this is not known")]
    OutcomeUnknown(#[source] Unavailable),
}

impl LogIn {
    /// Logs somebody in and announces them, unless they have the session already.
    pub async fn execute(&self, request: LogInRequest) -> Result<LoggedIn, LogInError> {
        let pseudonym = self.names.parse(&request.pseudonym)?;
        let session = match self.own_session(&request.credentials, &pseudonym).await? {
            Some(session) if request.claim => self.authenticate.claim(session).await?,
            Some(session) => session,
            None => self.open(pseudonym, request.claim).await?,
        };
        let token = self.tokens.issue(session.id);
        Ok(LoggedIn { session, token })
    }

    /// The caller's session, if it is the name's. With another name's credentials a new session is opened,
    /// and the old one goes on.
    async fn own_session(
        &self,
        credentials: &Credentials,
        pseudonym: &Pseudonym,
    ) -> Result<Option<Session>, LogInError> {
        let session = match self.authenticate.execute(credentials).await? {
            Caller::Nobody => None,
            Caller::Cookie(session) | Caller::Token(session) => Some(session),
        };
        Ok(session.filter(|session| session.pseudonym.key().matches(pseudonym.key())))
    }

    async fn open(&self, pseudonym: Pseudonym, claimed: bool) -> Result<Session, LogInError> {
        let new =
            NewSession { id: self.ids.next(), pseudonym: pseudonym.clone(), claimed, now: self.clock.now() };
        let (session, revision) = self.sessions.open(new).await.map_err(|error| match error {
            OpenError::NameTaken => LogInError::AlreadyConnected(pseudonym),
            OpenError::NameHeld { retry_after } => LogInError::NameHeld { name: pseudonym, retry_after },
            OpenError::Unavailable(error) => error.into(),
            OpenError::OutcomeUnknown(error) => LogInError::OutcomeUnknown(error),
        })?;
        self.announcer.announce(vec![Event::UserJoined { session: session.clone(), revision }]).await;
        Ok(session)
    }
}
