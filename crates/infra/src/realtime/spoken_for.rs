//! For whom a connection has spoken.

use std::collections::VecDeque;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use lobby_domain::session::SessionId;

use crate::presence::{Attendants, Attending, NotAttended};

/// The most sessions that one connection keeps online by having spoken in their names. A page has one name; a bridge may have
/// some.
const MOST: usize = 16;

/// Sessions that a connection keeps online by having spoken in their names, the latest last. Nobody waits until that is
/// recorded: what was said is said, and the session has its time from then on anyway.
#[derive(Default)]
pub(super) struct SpokenFor(VecDeque<Kept>);

enum Kept {
    Recorded(Attending),
    /// It is noted as served from its first poll on, and taken back when it is dropped.
    Arriving(SessionId, LocalBoxFuture<'static, Result<Attending, NotAttended>>),
}

impl SpokenFor {
    /// The session is kept online from now on, instead of the one that has been for longest if there are too many.
    pub(super) fn add(&mut self, attendants: &Attendants, session: SessionId) {
        self.look();
        if self.0.iter().any(|kept| kept.session() == session) {
            return;
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        let attendants = attendants.clone();
        let arriving = async move { attendants.arrive(session).await }.boxed_local();
        self.0.push_back(Kept::Arriving(session, arriving));
        self.look();
    }

    /// Whoever was found to be over is let go: they may be spoken for again.
    fn look(&mut self) {
        self.0.retain_mut(Kept::is_kept);
    }
}

impl Kept {
    fn session(&self) -> SessionId {
        match self {
            Self::Recorded(attending) => attending.session(),
            Self::Arriving(session, _) => *session,
        }
    }

    /// Looks what has come of it by now.
    fn is_kept(&mut self) -> bool {
        let Self::Arriving(_, arriving) = self else { return true };
        match arriving.now_or_never() {
            None => true,
            Some(Ok(attending)) => {
                *self = Self::Recorded(attending);
                true
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection does not keep online whom it spoke for");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
