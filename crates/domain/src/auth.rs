//! Who is calling, and what that allows.

use crate::session::Session;

/// Who needs a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// For an unclaimed session the name alone is enough, and anybody may listen.
    #[default]
    Open,
    /// Whoever acts or listens needs a token or its cookie.
    Token,
}

impl AuthMode {
    /// Whether `caller` may listen, and see who is online.
    pub fn admit(self, caller: &Caller) -> Result<(), Forbidden> {
        match (self, caller) {
            (Self::Token, Caller::Nobody) => Err(Forbidden::TokenRequired),
            (Self::Open | Self::Token, _) => Ok(()),
        }
    }
}

/// What somebody shows of themselves, unchecked.
#[derive(Clone, Default)]
pub struct Credentials {
    /// A token given on purpose: in the CONNECT auth, the first frame, or an `Authorization` header.
    pub token: Option<String>,
    /// A token that came along by itself, as a cookie. Counts only where no explicit one is given.
    pub cookie: Option<String>,
}

impl std::fmt::Debug for Credentials {
    /// Says what there is, never the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("token", &self.token.is_some())
            .field("cookie", &self.cookie.is_some())
            .finish()
    }
}

/// Who somebody has proved to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nothing was shown that counts.
    Nobody,
    /// By the cookie of a living session. It adds rights and takes none away: whoever shows it may still do
    /// what nobody in particular may.
    Cookie(Session),
    /// By the token of a living session, shown on purpose: the caller acts as that session and no other.
    Token(Session),
}

impl Caller {
    /// The proved session.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Nobody => None,
            Self::Cookie(session) | Self::Token(session) => Some(session),
        }
    }

    /// What `self` may do in the name of `session`.
    pub fn authority_over(&self, mode: AuthMode, session: &Session) -> Result<Authority, Forbidden> {
        match self {
            Self::Cookie(own) | Self::Token(own) if own.id == session.id => Ok(Authority::Token),
            Self::Cookie(_) | Self::Nobody if mode == AuthMode::Open && !session.claimed => {
                Ok(Authority::Name)
            }
            Self::Cookie(_) | Self::Token(_) => Err(Forbidden::NotYourSession),
            Self::Nobody => Err(Forbidden::TokenRequired),
        }
    }
}

/// By what right somebody acts for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Knowing its name, which is enough while it is unclaimed.
    Name,
    /// Its token or cookie.
    Token,
}

/// Why somebody may not act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Nothing was shown.
    #[error("this needs the session's token or its cookie")]
    TokenRequired,
    /// What was shown proves another session.
    #[error("this is another's session")]
    NotYourSession,
}
