use std::time::Duration;

use super::{Limits, Moment};
use crate::event::DepartureReason;

/// What is stored of a session's being there, and the rules for it.
///
/// "Served" is: a node whose lease has not run out has recorded that it has connections of the session. Who keeps
/// standings MUST take what nodes recorded whose lease has run out for gone since the lease's end
/// ([`Standing::departed`]) before anything else is looked at.
///
/// Invariant: `expires_at` is `None` exactly while the session is alive and served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether its token has been presented explicitly. For good.
    pub claimed: bool,
    /// Whether it has had a connection since it last joined or was claimed without one.
    pub attended: bool,
    /// From when on it is over, unless something happens.
    pub expires_at: Option<Moment>,
    /// The last moment at which a node's last connection of it has gone. Nodes say so late, and in any order.
    pub gone_at: Option<Moment>,
    /// How it ended; `None` while it is alive.
    pub end: Option<End>,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Why. What was ended on purpose never comes back.
    pub reason: DepartureReason,
    /// Until when nobody else gets the name.
    pub held_until: Option<Moment>,
}

impl Standing {
    /// Just opened.
    #[must_use]
    pub fn opened(claimed: bool, now: Moment, limits: &Limits) -> Self {
        let expires_at = Some(from_request(claimed, now, limits));
        Self { claimed, attended: false, expires_at, gone_at: None, end: None }
    }

    /// Whether it is alive: it stays so until somebody ends it, also past its time.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.end.is_none()
    }

    /// Whether it is alive past its time, and so to be ended by whoever reaps.
    #[must_use]
    pub fn is_over(&self, now: Moment) -> bool {
        self.is_alive() && self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether it ran out and may come back, for whoever has its token.
    #[must_use]
    pub fn is_dormant(&self) -> bool {
        self.end.is_some_and(|end| end.reason == DepartureReason::Expired)
    }

    /// For how long yet nobody else gets the name of this session, which is over.
    #[must_use]
    pub fn held_for(&self, now: Moment) -> Option<Duration> {
        let until = self.end?.held_until?;
        (until > now).then(|| until.since(now))
    }

    /// A request was made in its name. Says whether that has to be written.
    ///
    /// A claimed session that had a connection has its grace and no more: who comes later is brought back by the token.
    pub fn touch(&mut self, now: Moment, limits: &Limits) -> bool {
        let Some(expires_at) = self.expires_at.filter(|_| self.is_alive()) else { return false };
        let wanted = from_request(self.claimed, now, limits);
        let slack = limits.slack(limits.idle(self.claimed));
        let has_only_grace = self.claimed && self.attended;
        if has_only_grace || wanted < expires_at.after(slack) {
            return false;
        }
        self.expires_at = Some(wanted);
        true
    }

    /// Its token was shown on purpose. Says whether that has to be written.
    ///
    /// One without a connection then lives by its requests, also where it had a connection before: whose grace would
    /// be long over.
    pub fn claim(&mut self, now: Moment, limits: &Limits) -> bool {
        if self.claimed || !self.is_alive() {
            return self.touch(now, limits);
        }
        self.claimed = true;
        if self.expires_at.is_some() {
            *self = Self::opened(true, now, limits);
        }
        true
    }

    /// A node has recorded that it serves the session, which is alive.
    pub fn arrived(&mut self) {
        self.attended = true;
        self.expires_at = None;
    }

    /// A node that served it does so no more: its last connection there has gone at `gone`. It may be that no node serves
    /// it now.
    pub fn departed(&mut self, gone: Moment, is_unserved: bool, limits: &Limits) {
        let last_gone = self.gone_at.map_or(gone, |before| before.max(gone));
        self.gone_at = Some(last_gone);
        if is_unserved && self.is_alive() {
            self.expires_at = Some(last_gone.after(limits.gone(self.claimed)));
        }
    }

    /// Its time ran out, and it was ended for that now.
    pub fn expire(&mut self, now: Moment, limits: &Limits) {
        let held_until = self.claimed.then(|| now.after(limits.hold));
        self.finish(End { reason: DepartureReason::Expired, held_until });
    }

    /// Somebody logged out.
    pub fn log_out(&mut self) {
        self.finish(End { reason: DepartureReason::Logout, held_until: None });
    }

    fn finish(&mut self, end: End) {
        self.expires_at = None;
        self.end = Some(end);
    }

    /// Comes back, if it is dormant; then as if it had just been opened. Whether nobody else has or holds the name is for
    /// the caller to see. Says whether it came back.
    pub fn bring_back(&mut self, now: Moment, limits: &Limits) -> bool {
        if !self.is_dormant() {
            return false;
        }
        *self = Self::opened(self.claimed, now, limits);
        true
    }
}

fn from_request(claimed: bool, now: Moment, limits: &Limits) -> Moment {
    let limit = limits.idle(claimed);
    now.after(limit + limits.slack(limit))
}

#[cfg(test)]
mod tests;
