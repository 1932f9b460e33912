//! Who is calling, over REST and over sockets alike.

use lobby_domain::auth::{AuthMode, Caller, Credentials};
use lobby_domain::use_cases::Authenticate;

use crate::refusal::Refusal;
use crate::writer::Writer;

/// Finds out who is calling. Looking needs no turn in the writer's queue; claiming, which comes once a session, does.
#[derive(Clone)]
pub struct Identify {
    /// Who needs a token.
    pub mode: AuthMode,
    /// Looks tokens up.
    pub authenticate: Authenticate,
    /// Claims sessions.
    pub writer: Writer,
}

impl Identify {
    /// Who it is, with the session claimed if its token was shown on purpose.
    pub async fn caller(&self, credentials: &Credentials) -> Result<Caller, Refusal> {
        match self.authenticate.look(credentials).await? {
            Caller::Token(session) if !session.claimed => {
                Ok(Caller::Token(self.writer.claim(session).await?))
            }
            caller => Ok(caller),
        }
    }

    /// The same, if they may listen and see who is online.
    pub async fn listener(&self, credentials: &Credentials) -> Result<Caller, Refusal> {
        let caller = self.caller(credentials).await?;
        self.mode.admit(&caller)?;
        Ok(caller)
    }
}
