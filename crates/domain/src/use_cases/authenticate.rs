use std::sync::Arc;

use crate::auth::{Caller, Credentials};
use crate::event::Event;
use crate::ports::{Announcer, ChangeError, Clock, Presence, Sessions, Tokens, Unavailable, Woken};
use crate::pseudonym::PseudonymKey;
use crate::session::{Session, SessionId};

/// Finds out who is calling.
#[derive(Clone)]
pub struct Authenticate {
    /// Where living sessions are looked up.
    pub sessions: Arc<dyn Sessions>,
    /// Where they are kept alive, claimed, and brought back.
    pub presence: Arc<dyn Presence>,
    /// Checks tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Says when.
    pub clock: Arc<dyn Clock>,
    /// Hears who came back.
    pub announcer: Arc<dyn Announcer>,
}

/// What credentials stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Nothing that counts.
    Nothing,
    /// A session, by the cookie that came along.
    Cookie(Proof),
    /// A session, by its token, which was shown on purpose.
    Token(Proof),
}

/// The session that was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Which.
    pub session: Session,
    /// Whether it is alive. Else it ran out, and can be brought back ([`Authenticate::wake`]) while its name is free.
    pub is_alive: bool,
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
    /// Finds out who it is. The session of a token that was shown on purpose is claimed, and brought back if it ran out.
    pub async fn execute(&self, credentials: &Credentials) -> Result<Caller, AuthenticateError> {
        match self.look(credentials).await? {
            Shown::Token(proof) => Ok(Caller::Token(self.wake(proof.session.id, true).await?)),
            Shown::Cookie(Proof { session, is_alive: true }) => Ok(Caller::Cookie(session)),
            Shown::Cookie(_) | Shown::Nothing => Ok(Caller::Nobody),
        }
    }

    /// Looks what credentials stand for, and changes nothing.
    ///
    /// An explicit token has to be good. A cookie that proves nothing counts as absent: it comes along by itself, and
    /// the original's clients would not know what to do about it.
    pub async fn look(&self, credentials: &Credentials) -> Result<Shown, AuthenticateError> {
        if let Some(token) = &credentials.token {
            let proof = self.prove(token).await?.ok_or(AuthenticateError::InvalidToken)?;
            return Ok(Shown::Token(proof));
        }
        let Some(cookie) = &credentials.cookie else { return Ok(Shown::Nothing) };
        Ok(self.prove(cookie).await?.map_or(Shown::Nothing, Shown::Cookie))
    }

    async fn prove(&self, token: &str) -> Result<Option<Proof>, Unavailable> {
        let Some(id) = self.tokens.verify(token) else { return Ok(None) };
        if let Some(session) = self.sessions.find(id).await? {
            return Ok(Some(Proof { session, is_alive: true }));
        }
        if let Some(session) = self.presence.dormant(id).await? {
            return Ok(Some(Proof { session, is_alive: false }));
        }
        // Another tab may have brought it back since the first look.
        let back = self.sessions.find(id).await?;
        Ok(back.map(|session| Proof { session, is_alive: true }))
    }

    /// Keeps a proved session alive, claims it if asked to, and brings it back if it ran out, which is announced. Its token
    /// is no longer good if it was logged out since, or its name is another's by now.
    pub async fn wake(&self, id: SessionId, claim: bool) -> Result<Session, AuthenticateError> {
        let woken = self.presence.wake(id, claim, self.clock.now()).await?;
        Ok(self.announce(woken.ok_or(AuthenticateError::InvalidToken)?).await)
    }

    /// Keeps the unclaimed session of a name alive in which somebody speaks, and brings it back if it ran out, which is
    /// announced. `None` if that cannot be.
    pub async fn wake_named(&self, key: &PseudonymKey) -> Result<Option<Session>, ChangeError> {
        match self.presence.wake_named(key, self.clock.now()).await? {
            None => Ok(None),
            Some(woken) => Ok(Some(self.announce(woken).await)),
        }
    }

    async fn announce(&self, (session, joined): Woken) -> Session {
        if let Some(revision) = joined {
            self.announcer.announce(vec![Event::UserJoined { session: session.clone(), revision }]).await;
        }
        session
    }
}
