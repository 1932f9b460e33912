//! Who a connection is, and whom it keeps online.

use std::cell::RefCell;

use lobby_domain::auth::{Caller, Credentials};
use lobby_domain::limits::{Holder, Place, Visitor};
use lobby_domain::session::SessionId;
use lobby_domain::use_cases::AuthenticateError;

use super::gateway::Gateway;
use super::spoken_for::SpokenFor;
use crate::doorman::{OwnSeat, Seat};
use crate::presence::{Attendants, Attending, NotAttended};
use crate::refusal::{Code, Refusal};

/// What a connection is. Its sessions are served here until it is dropped.
pub(super) struct Participant {
    pub(super) caller: Caller,
    /// Who it is, as far as limits go.
    pub(super) visitor: Visitor,
    #[expect(dead_code, reason = "it is held, so that its end is the connection's end")]
    seat: Option<OwnSeat>,
    #[expect(dead_code, reason = "it is held, so that its end is the connection's end")]
    own: Option<Attending>,
    spoken_for: RefCell<SpokenFor>,
}

impl Participant {
    fn new(place: Option<Place>, caller: Caller, own: Option<(Attending, OwnSeat)>) -> Self {
        let holder = caller.session().map(|session| Holder::from(session.id));
        let (own, seat) = own.unzip();
        Self { caller, visitor: Visitor { place, holder }, seat, own, spoken_for: RefCell::default() }
    }

    /// The connection has spoken for a session: it keeps it online from then on.
    pub(super) fn speaks_for(&self, attendants: &Attendants, session: SessionId) {
        let is_own = self.caller.session().is_some_and(|own| own.id == session);
        if !is_own {
            self.spoken_for.borrow_mut().add(attendants, session);
        }
    }
}

impl Gateway {
    /// Somebody wants to come in, who shows this: that is counted, whatever comes of it.
    pub(super) fn knock(&self, seat: &Seat, credentials: &Credentials) -> Result<(), Refusal> {
        seat.knock(self.identify.shown(credentials))
    }

    /// Finds out who it is that has knocked, and has it recorded that their session is served here: from then on nobody ends it for having
    /// run out.
    pub(super) async fn recognise(
        &self,
        seat: &Seat,
        credentials: &Credentials,
    ) -> Result<Participant, Refusal> {
        let (place, caller) = (seat.place(), self.identify.connecting(credentials).await?);
        let seat = seat.enter(caller.session().map(|session| session.id))?;
        let Some(session) = caller.session() else { return Ok(Participant::new(place, caller, None)) };
        match self.attendants.arrive(session.id).await {
            Ok(attending) => Ok(Participant::new(place, caller, Some((attending, seat)))),
            Err(error @ NotAttended::Unavailable) => Err(Refusal::for_now(Code::Unavailable, &error)),
            // It ended since it was proved.
            Err(NotAttended::Over) => match caller {
                Caller::Token(_) => Err(AuthenticateError::InvalidToken.into()),
                Caller::Cookie(_) | Caller::Nobody => {
                    self.identify.mode.admit(&Caller::Nobody)?;
                    Ok(Participant::new(place, Caller::Nobody, None))
                }
            },
        }
    }
}
