//! Who a connection is, and whom it keeps online.

use std::cell::RefCell;
use std::collections::VecDeque;

use lobby_domain::auth::{Caller, Credentials};
use lobby_domain::session::SessionId;
use lobby_domain::use_cases::AuthenticateError;

use super::gateway::Gateway;
use crate::presence::{Attending, NotAttended};
use crate::refusal::Refusal;

/// The most sessions that one connection keeps online by having spoken in their names. A page has one name; a bridge may have
/// some.
const MOST_SPOKEN_FOR: usize = 16;

/// What a connection is. Its sessions are served here until it is dropped.
pub(super) struct Participant {
    pub(super) caller: Caller,
    #[expect(dead_code, reason = "it is held, so that its end is the connection's end")]
    own: Option<Attending>,
    spoken_for: RefCell<VecDeque<Attending>>,
}

impl Participant {
    fn new(caller: Caller, own: Option<Attending>) -> Self {
        Self { caller, own, spoken_for: RefCell::default() }
    }

    /// Whether the connection keeps this session online already.
    fn keeps(&self, session: SessionId) -> bool {
        let is_own = self.caller.session().is_some_and(|own| own.id == session);
        is_own || self.spoken_for.borrow().iter().any(|attending| attending.session() == session)
    }
}

impl Gateway {
    /// Finds out who connects, and has it recorded that their session is served here: from then on nobody ends it for having
    /// run out.
    pub(super) async fn recognise(&self, credentials: &Credentials) -> Result<Participant, Refusal> {
        let caller = self.identify.connecting(credentials).await?;
        let Some(session) = caller.session() else { return Ok(Participant::new(caller, None)) };
        match self.attendants.arrive(session.id).await {
            Ok(attending) => Ok(Participant::new(caller, Some(attending))),
            Err(error @ NotAttended::Unavailable) => Err(Refusal::for_now("unavailable", &error)),
            // It ended since it was proved.
            Err(NotAttended::Over) => match caller {
                Caller::Token(_) => Err(AuthenticateError::InvalidToken.into()),
                Caller::Cookie(_) | Caller::Nobody => {
                    self.identify.mode.admit(&Caller::Nobody)?;
                    Ok(Participant::new(Caller::Nobody, None))
                }
            },
        }
    }

    /// The connection has spoken for a session: it keeps it online from then on.
    pub(super) async fn speaks_for(&self, participant: &Participant, session: SessionId) {
        if participant.keeps(session) {
            return;
        }
        match self.attendants.arrive(session).await {
            Ok(attending) => {
                let mut spoken_for = participant.spoken_for.borrow_mut();
                if spoken_for.len() == MOST_SPOKEN_FOR {
                    spoken_for.pop_front();
                }
                spoken_for.push_back(attending);
            }
            // What was said is said; the session has its time from then on anyway.
            Err(error) => tracing::debug!(%error, "a connection does not keep online whom it spoke for"),
        }
    }
}
