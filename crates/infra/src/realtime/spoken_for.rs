//! For whom a connection has spoken.

use std::collections::VecDeque;

use lobby_domain::session::SessionId;
use tokio::sync::oneshot;

use crate::presence::{Attendants, Attending};

/// The most sessions that one connection keeps online by having spoken in their names. A page has one name; a bridge may have
/// some.
const MOST: usize = 16;

/// Sessions that a connection keeps online by having spoken in their names, the latest last. Nobody waits until that is
/// recorded: what was said is said, and the session has its time from then on anyway.
#[derive(Default)]
pub(super) struct SpokenFor(VecDeque<Kept>);

struct Kept {
    attending: Attending,
    /// Tells, once, whether it was recorded.
    recorded: Option<oneshot::Receiver<bool>>,
}

impl SpokenFor {
    /// The session is kept online from now on, instead of the one that has been for longest if there are too many.
    pub(super) fn add(&mut self, attendants: &Attendants, session: SessionId) {
        // Whoever was found to be over is let go: they may be spoken for again.
        self.0.retain_mut(|kept| !kept.is_over());
        if self.0.iter().any(|kept| kept.attending.session() == session) {
            return;
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        let (attending, recorded) = attendants.announce(session);
        self.0.push_back(Kept { attending, recorded });
    }
}

impl Kept {
    /// Whether it has turned out that the session is over.
    fn is_over(&mut self) -> bool {
        self.recorded.as_mut().is_some_and(|recorded| recorded.try_recv() == Ok(false))
    }
}

#[cfg(test)]
mod tests;
