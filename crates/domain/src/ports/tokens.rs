use crate::session::SessionId;

/// The proof of a session. It is a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token as it is sent to its holder.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret, to be sent to its holder and nobody else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Makes and checks tokens.
pub trait Tokens: Send + Sync {
    /// The token of a session: the same one each time, until the secret behind it changes.
    fn issue(&self, session: SessionId) -> Token;

    /// The session that a token names, or `None` for anything [`Self::issue`] did not make. MUST take the
    /// same time wherever a forgery differs. Whether the session is still alive is not known here.
    fn verify(&self, token: &str) -> Option<SessionId>;
}
