//! A plain account of one session: from when to when it has to be there, from what happened to it alone.

use std::time::Duration;

use crate::presence::{Limits, Moment};

/// What is known of one session.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) name: usize,
    pub(super) claimed: bool,
    pub(super) is_online: bool,
    pub(super) is_logged_out: bool,
    /// With which revision it left.
    pub(super) left: i64,
    pub(super) held_until: Moment,
    /// While it has no connection: it has to be there before `least`, and to be gone after `most`.
    pub(super) least: Moment,
    pub(super) most: Moment,
    attended: Had,
    last_gone: Moment,
    limits: Limits,
}

/// Whether it had a connection since it joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Had {
    None,
    /// One that came no further than the door, or before it was claimed.
    Maybe,
    Some,
}

impl Life {
    pub(super) fn new(name: usize, claimed: bool, limits: Limits) -> Self {
        Self {
            name,
            claimed,
            is_online: false,
            is_logged_out: false,
            left: 0,
            held_until: Moment(0),
            least: Moment(0),
            most: Moment(0),
            attended: Had::None,
            last_gone: Moment(0),
            limits,
        }
    }

    pub(super) fn is_dormant(&self) -> bool {
        !self.is_online && !self.is_logged_out
    }

    pub(super) fn joined(&mut self, now: Moment) {
        self.is_online = true;
        self.held_until = Moment(0);
        self.attended = Had::None;
        (self.least, self.most) = self.by_request(now);
    }

    pub(super) fn left(&mut self, now: Moment, revision: i64) {
        self.is_online = false;
        self.left = revision;
        if self.claimed && !self.is_logged_out {
            self.held_until = now.after(self.limits.hold);
        }
    }

    /// Without a connection.
    pub(super) fn requested(&mut self, now: Moment) {
        let (least, most) = self.by_request(now);
        match (self.claimed, self.attended) {
            (true, Had::Some) => return,
            (_, Had::None) => self.least = self.least.max(least),
            // The end of its last connection may not be recorded yet: then that is what counts.
            (_, Had::Maybe | Had::Some) => {}
        }
        self.most = self.most.max(most);
    }

    pub(super) fn claimed(&mut self, now: Moment, age: Duration) {
        let (least, most) = Self { claimed: true, ..*self }.by_request(now);
        self.claimed = true;
        if self.attended == Had::None {
            (self.least, self.most) = (least, most);
            return;
        }
        self.attended = Had::Maybe;
        self.least = self.least.min(least).min(self.last_gone.after(self.limits.grace.saturating_sub(age)));
        self.most = most.max(self.last_gone.after(self.limits.grace + self.limits.lease));
    }

    pub(super) fn let_in(&mut self) {
        self.attended = Had::Some;
        self.least = Moment(0);
    }

    /// A connection waits that was recorded, which its node does not know.
    pub(super) fn recorded_unheard(&mut self) {
        self.attended = Had::Maybe;
        self.least = Moment(0);
    }

    /// A connection that had been let in ended. The node is `excused` if it has lost its lease, or will have. Where a node was
    /// ever frozen or cut off, others may go by a count that is `age` too old.
    pub(super) fn went(&mut self, now: Moment, age: Duration, excused: bool) {
        let least = now.after(self.gone().saturating_sub(age));
        let most = now.after(self.gone() + self.limits.lease);
        (self.least, self.most, self.attended) = match (excused, self.attended) {
            (false, _) => (least, most, Had::Some),
            (true, Had::None) => (self.least.min(least), self.most.max(most), Had::Maybe),
            (true, had) => (self.least.min(least), self.most.max(most), had),
        };
        self.last_gone = now;
    }

    /// A connection ended that had not been let in; it may have been recorded all the same.
    pub(super) fn turned_away(&mut self, now: Moment, age: Duration) {
        self.least = self.least.min(now.after(self.gone().saturating_sub(age)));
        self.most = self.most.max(now.after(self.gone() + self.limits.lease));
        self.last_gone = now;
        if self.attended == Had::None {
            self.attended = Had::Maybe;
        }
    }

    fn by_request(&self, now: Moment) -> (Moment, Moment) {
        let limit = if self.claimed { self.limits.unconnected } else { self.limits.unclaimed };
        let slack = self.limits.lease.min(limit / 10);
        (now.after(limit), now.after(limit + slack))
    }

    pub(super) fn gone(&self) -> Duration {
        if self.claimed { self.limits.grace } else { self.limits.unclaimed }
    }
}
