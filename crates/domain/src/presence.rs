//! Who is there: when a session is over, and what each node has to say about the connections it serves.
//!
//! **Presence time** is a count in the database that goes forward only while a node is up and reaches it: a wall clock
//! that jumps, or an outage, makes nobody stay and nobody go. A node says at each **beat** for how long its own
//! monotonic clock has run since the last one; that renews its **lease** and moves the count.
//!
//! | type | what it does |
//! | --- | --- |
//! | [`Moment`], [`Limits`], [`NodeId`] | what the rules are about |
//! | [`Standing`] | the rules for one session, on what is stored of it |
//! | [`PresenceClock`] | a node's view of presence time: when to beat, what to say, what it is now |
//! | [`Attendance`] | counts a node's connections, and says what has to be recorded of them and when |
//!
//! Invariant: all of this is pure. [`crate::ports::Presence`] is where it is kept.
//! Invariant: whatever happens to nodes and clocks, a session does not outlive its own limit by more than a lease of
//! presence time.

mod attendance;
mod clock;
#[cfg(test)]
mod properties;
mod standing;

pub use attendance::{Arrival, Attendance, LAZY, ROUND_MOST, Round};
pub use clock::PresenceClock;
pub use standing::{End, Standing};

use std::time::Duration;

use uuid::Uuid;

/// A moment of presence time, in milliseconds from its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

impl Moment {
    /// So much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; zero if it is still to come.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// One running server process. A process that starts again is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub Uuid);

/// How long a session goes on without what keeps it alive. All nodes of a lobby MUST have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A claimed session, after its last connection has gone.
    pub grace: Duration,
    /// A claimed session without a connection, after its last request.
    pub unconnected: Duration,
    /// An unclaimed session, after the last of log-in, an act in its name, and the end of its last connection.
    pub unclaimed: Duration,
    /// How long the name of a claimed session that ran out is kept for it.
    pub hold: Duration,
    /// How long a node's word counts.
    pub lease: Duration,
}

impl Default for Limits {
    /// What the settings say by default.
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(10),
            unconnected: Duration::from_mins(5),
            unclaimed: Duration::from_mins(30),
            hold: Duration::from_mins(1),
            lease: Duration::from_secs(15),
        }
    }
}

impl Limits {
    /// How much longer than `limit` a request keeps a session, so that the next ones need not be written: never more
    /// than a lease, and little next to the limit.
    #[must_use]
    pub fn slack(&self, limit: Duration) -> Duration {
        self.lease.min(limit / 10)
    }

    /// What a session without a connection has from its last request on.
    fn idle(&self, claimed: bool) -> Duration {
        if claimed { self.unconnected } else { self.unclaimed }
    }

    /// What a session has from the end of its last connection on.
    fn gone(&self, claimed: bool) -> Duration {
        if claimed { self.grace } else { self.unclaimed }
    }
}
