//! Who is calling, over REST and over sockets alike.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lobby_domain::auth::{AuthMode, Caller, Credentials};
use lobby_domain::limits::{Holder, Place, Visitor};
use lobby_domain::message::Message;
use lobby_domain::presence::Limits;
use lobby_domain::pseudonym::PseudonymKey;
use lobby_domain::session::{Session, SessionId};
use lobby_domain::use_cases::{Authenticate, AuthenticateError, Post, PostError, Proof, Shown};
use tokio::time::Instant;

use crate::doorman::Doorman;
use crate::refusal::{Code, Refusal};
use crate::writer::{WriteError, Writer};

/// The most sessions whose last request is remembered, at some fifty bytes each. Past it all are forgotten, and their next
/// requests cost a look each.
const MOST: usize = 16_384;

/// Finds out who is calling, and keeps them alive. Looking needs no turn in the writer's queue; what changes something
/// does: claiming, which comes once a session, and keeping it alive, which comes once in a while.
#[derive(Clone)]
pub struct Identify {
    /// Who needs a token.
    pub mode: AuthMode,
    /// Looks tokens up.
    pub authenticate: Authenticate,
    /// Wakes sessions.
    pub writer: Writer,
    /// Who has been kept alive lately.
    pub touched: Touched,
    /// Says how often anybody may ask.
    pub doorman: Doorman,
}

impl Identify {
    /// Who it is. The session of a token that was shown on purpose is claimed, and brought back if it ran out.
    pub async fn caller(&self, credentials: &Credentials) -> Result<Caller, Refusal> {
        self.caller_of(self.authenticate.look(credentials).await?).await
    }

    /// Who asks, as far as limits go: from where, and as which session.
    #[must_use]
    pub fn visitor(&self, place: Option<Place>, credentials: &Credentials) -> Visitor {
        Visitor { place, holder: self.shown(credentials).map(Holder::from) }
    }

    /// Whose token or cookie is shown. That session is alive or not: a token that was never given out names none, and there is no look into
    /// the database.
    pub(crate) fn shown(&self, credentials: &Credentials) -> Option<SessionId> {
        let shown = credentials.token.as_deref().or(credentials.cookie.as_deref());
        shown.and_then(|token| self.authenticate.tokens.verify(token))
    }

    /// The same, if they may listen and see who is online.
    pub async fn listener(&self, credentials: &Credentials) -> Result<Caller, Refusal> {
        let caller = self.caller(credentials).await?;
        self.mode.admit(&caller)?;
        Ok(caller)
    }

    /// The same for somebody who connects. That a living session is kept alive is left to whoever has
    /// it recorded as served, who does that for a whole crowd at once; here each would take a turn in the writer's queue.
    pub async fn connecting(&self, credentials: &Credentials) -> Result<Caller, Refusal> {
        let caller = match self.authenticate.look(credentials).await? {
            Shown::Token(Proof { session, is_alive: true }) if session.claimed => Caller::Token(session),
            Shown::Cookie(Proof { session, is_alive: true }) => Caller::Cookie(session),
            shown => self.caller_of(shown).await?,
        };
        self.mode.admit(&caller)?;
        Ok(caller)
    }

    async fn caller_of(&self, shown: Shown) -> Result<Caller, Refusal> {
        match shown {
            Shown::Token(Proof { session, is_alive: true }) if session.claimed => {
                let kept = self.keep_alive(session).await;
                kept.map(Caller::Token).ok_or_else(|| AuthenticateError::InvalidToken.into())
            }
            Shown::Token(Proof { session, .. }) => {
                Ok(Caller::Token(self.writer.wake(session.id, true).await?))
            }
            Shown::Cookie(Proof { session, is_alive: true }) => {
                Ok(self.keep_alive(session).await.map_or(Caller::Nobody, Caller::Cookie))
            }
            Shown::Cookie(_) | Shown::Nothing => Ok(Caller::Nobody),
        }
    }

    /// Posts. The cookie of a session that is over counts as absent, also where it was good when the connection was opened.
    pub async fn post(&self, post: Post) -> Result<Message, Refusal> {
        let Caller::Cookie(own) = &post.caller else { return self.post_as(post).await };
        let (own, as_nobody) = (own.id, Post { caller: Caller::Nobody, ..post.clone() });
        match self.post_as(post).await {
            // By a session that is over nobody speaks, so it is seen when that is refused.
            Err(Refusal { code: Code::NotConnected | Code::NotYourSession, .. })
                if !self.is_alive(own).await? =>
            {
                self.post_as(as_nobody).await
            }
            outcome => outcome,
        }
    }

    /// Whether a session that was proved is alive still.
    pub async fn is_alive(&self, id: SessionId) -> Result<bool, Refusal> {
        let found = self.authenticate.sessions.find(id).await.map_err(|error| Refusal::from(&error))?;
        Ok(found.is_some())
    }

    /// Posts as its caller. A session that ran out and has not been missed comes back by speaking, where its name is enough.
    async fn post_as(&self, post: Post) -> Result<Message, Refusal> {
        let Some(name) = self.name_alone(&post) else { return Ok(self.writer.post(post).await?) };
        match self.writer.post(post.clone()).await {
            Err(error @ WriteError::Refused(PostError::NotConnected(_))) => {
                match self.writer.wake_named(name).await? {
                    Some(_) => Ok(self.writer.post(post).await?),
                    None => Err(error.into()),
                }
            }
            outcome => Ok(outcome?),
        }
    }

    /// Somebody has acted in the name of a session.
    pub async fn touch(&self, id: SessionId) {
        if self.touched.is_fresh(id) {
            return;
        }
        match self.writer.wake(id, false).await {
            Ok(_) => self.touched.note(id),
            // What was done is done. The session may run out too early, and comes back by the next act.
            Err(error) => tracing::debug!(%error, "a session could not be kept alive"),
        }
    }

    /// A request was made in the name of a session that was just seen alive. `None` if it is over by now.
    async fn keep_alive(&self, session: Session) -> Option<Session> {
        if self.touched.is_fresh(session.id) {
            return Some(session);
        }
        match self.writer.wake(session.id, false).await {
            Ok(session) => {
                self.touched.note(session.id);
                Some(session)
            }
            Err(WriteError::Refused(AuthenticateError::InvalidToken)) => None,
            // Who it is was seen without a change, and reading needs no more than that.
            Err(error) => {
                tracing::debug!(%error, "a session could not be kept alive");
                Some(session)
            }
        }
    }

    /// The name by which alone somebody wants to speak, if a name may be enough for that.
    fn name_alone(&self, post: &Post) -> Option<PseudonymKey> {
        match (self.mode, &post.caller) {
            (AuthMode::Token, _) | (_, Caller::Token(_)) => None,
            (AuthMode::Open, Caller::Cookie(_) | Caller::Nobody) if post.needs_proof() => None,
            (AuthMode::Open, Caller::Cookie(_) | Caller::Nobody) => {
                post.sender.as_ref().map(|name| name.key().clone())
            }
        }
    }
}

/// When sessions were last kept alive, for as long as that is enough. Clones share it.
#[derive(Clone)]
pub struct Touched {
    enough_for: Duration,
    last: Arc<Mutex<HashMap<SessionId, Instant>>>,
}

impl Touched {
    /// By the slack that the limits have: a request keeps a session for its limit and the slack, so that those which
    /// follow within the slack need not be written.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let enough_for = limits.slack(limits.unconnected).min(limits.slack(limits.unclaimed));
        Self { enough_for, last: Arc::default() }
    }

    fn is_fresh(&self, id: SessionId) -> bool {
        let last = self.last.lock().expect("nothing panics while it looks");
        last.get(&id).is_some_and(|at| at.elapsed() < self.enough_for)
    }

    fn note(&self, id: SessionId) {
        let mut last = self.last.lock().expect("nothing panics while it looks");
        if last.len() >= MOST {
            last.retain(|_, at| at.elapsed() < self.enough_for);
        }
        if last.len() >= MOST {
            last.clear();
        }
        last.insert(id, Instant::now());
    }
}

#[cfg(test)]
mod tests;
