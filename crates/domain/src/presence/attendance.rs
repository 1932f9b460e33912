use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Moment, PresenceClock};
use crate::ports::{AttendError, Attended, Beaten};
use crate::session::SessionId;

/// The most arrivals, and the most departures, of one round: a transaction that others do not wait for long.
pub const ROUND_MOST: usize = 1_024;

/// How long departures wait for company. Who comes back meanwhile, as with a reload, costs nothing at all.
pub const LAZY: Duration = Duration::from_secs(1);

/// What a node has to record of the connections it serves. `now` is always the node's monotonic clock.
///
/// Around it: whenever [`Self::wake_at`] has come, record what [`Self::next_round`] gives, then beat if [`Self::beat_due`],
/// and reap after a beat if [`Self::may_reap`]; one of them at a time, each answered before the next begins. A round comes
/// first, as a beat may have to wait for it.
///
/// Invariant: a lease is renewed only after what had gone by then is recorded. Should the node die next, its word counts
/// for a lease from the moment at which all of it was true.
/// Invariant: a connection is let in only after the database has been told that its session is served here
/// ([`Arrival`]); the database is told that it is no more after the last has gone.
/// Invariant: after a round that failed, or the loss of the lease, it is all said again: the port takes repeats.
#[derive(Debug, Clone)]
pub struct Attendance {
    clock: PresenceClock,
    entries: BTreeMap<SessionId, Entry>,
    /// Those that wait to be recorded as served.
    arrivals: BTreeSet<SessionId>,
    /// Those that wait to be recorded as gone, who went first before the others: a beat may wait for it.
    departures: BTreeSet<(Duration, SessionId)>,
    /// Whether the node has a lease, as far as it knows.
    has_lease: bool,
    /// No round before.
    retry_at: Duration,
    under_way: Option<Round>,
}

/// Whether a connection may be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// At once: it is recorded that its session is served here.
    Known,
    /// After a round that has its session among the arrivals was answered: with a session let it in, with
    /// [`Attended::Over`] turn it away, and either way [`Attendance::depart`] is owed when it goes.
    Record,
}

/// What has to be recorded in one transaction ([`crate::ports::Presence::attend`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Sessions that are served from now on.
    pub arrivals: Vec<SessionId>,
    /// Sessions that are not any more, and since when.
    pub departures: Vec<(SessionId, Moment)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    connections: usize,
    stored: Stored,
    /// When the last connection went.
    gone: Option<Gone>,
    /// Whether the session was found to be over, and nobody came since.
    refused: bool,
}

#[derive(Debug, Clone, Copy)]
struct Gone {
    /// What the database is told.
    at: Moment,
    /// On the node's clock: whatever happens to rounds meanwhile, it is owed since then.
    since: Duration,
}

/// Whether the database has it that the session is served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    No,
    Unsure,
    Yes,
}

impl Attendance {
    /// Of a node that has just started.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self {
            clock: PresenceClock::new(lease),
            entries: BTreeMap::new(),
            arrivals: BTreeSet::new(),
            departures: BTreeSet::new(),
            has_lease: false,
            retry_at: Duration::ZERO,
            under_way: None,
        }
    }

    /// The node's view of presence time. At an orderly stop [`PresenceClock::latest`] is when all connections are gone.
    #[must_use]
    pub fn clock(&self) -> &PresenceClock {
        &self.clock
    }

    /// A connection of the session has come.
    pub fn arrive(&mut self, session: SessionId) -> Arrival {
        let new = Entry { connections: 0, stored: Stored::No, gone: None, refused: false };
        let entry = self.entries.entry(session).or_insert(new);
        entry.connections += 1;
        entry.refused = false;
        let arrival = if entry.stored == Stored::Yes { Arrival::Known } else { Arrival::Record };
        self.sort(session);
        arrival
    }

    /// A connection of the session has gone, let in or not.
    pub fn depart(&mut self, session: SessionId, now: Duration) {
        let Some(entry) = self.entries.get_mut(&session).filter(|entry| entry.connections > 0) else {
            return;
        };
        entry.connections -= 1;
        if entry.connections == 0 {
            entry.gone = self.clock.latest(now).map(|at| Gone { at, since: now });
        }
        self.sort(session);
    }

    /// What has to be recorded now, if anything. [`Self::recorded`] or [`Self::failed`] is owed then.
    pub fn next_round(&mut self, now: Duration) -> Option<Round> {
        if self.round_at().is_none_or(|at| at > now) {
            return None;
        }
        let gone = take(&mut self.departures).map(|(_, id)| id).collect::<BTreeSet<_>>();
        let moment = |id| Some((id, self.entries.get(&id)?.gone?.at));
        let round = Round {
            arrivals: take(&mut self.arrivals).collect(),
            departures: gone.into_iter().filter_map(moment).collect(),
        };
        for id in round.sessions() {
            self.set_stored(id, Stored::Unsure);
        }
        self.under_way = Some(round.clone());
        Some(round)
    }

    /// The round was recorded; `outcomes` are those of its arrivals, in order.
    pub fn recorded(&mut self, outcomes: &[Attended]) {
        let Some(round) = self.under_way.take() else { return };
        for (id, outcome) in round.arrivals.iter().zip(outcomes) {
            self.settle_arrival(*id, outcome);
        }
        for (id, _) in &round.departures {
            self.set_stored(*id, Stored::No);
        }
        self.sort_all(round.sessions());
    }

    /// The round was refused, failed, or nobody knows what came of it: it is due again soon.
    pub fn failed(&mut self, error: &AttendError, now: Duration) {
        let Some(round) = self.under_way.take() else { return };
        self.sort_all(round.sessions());
        match error {
            AttendError::LeaseLost => self.lease_lost(now),
            AttendError::Unavailable(_) | AttendError::OutcomeUnknown(_) => {
                self.retry_at = now + self.clock.retry();
            }
        }
    }

    /// Something was refused because the lease is gone: a beat is due at once, and then all that is served here is
    /// recorded anew.
    pub fn lease_lost(&mut self, now: Duration) {
        self.clock.lease_lost(now);
        self.has_lease = false;
        self.record_anew();
    }

    /// Whether it is time to beat: what had gone when that was due is recorded first ([`Self::next_round`]).
    #[must_use]
    pub fn beat_due(&self, now: Duration) -> bool {
        self.beat_at().is_some_and(|at| at <= now)
    }

    /// Beats as soon as that may be done.
    pub fn hasten_beat(&mut self, now: Duration) {
        self.clock.hasten_beat(now);
    }

    /// Begins a beat: what to say ([`crate::ports::Presence::beat`]). [`Self::beaten`] or [`Self::beat_failed`] is owed
    /// then.
    pub fn beat(&mut self, now: Duration) -> Option<(Moment, Duration)> {
        self.clock.say(now)
    }

    /// The beat was answered. If the lease was lost, all that is served here is recorded anew before anything else.
    pub fn beaten(&mut self, beaten: Beaten, now: Duration) {
        self.clock.beaten(beaten, now);
        self.has_lease = true;
        if !beaten.held {
            self.record_anew();
        }
    }

    /// The beat was not answered: the next one is due soon.
    pub fn beat_failed(&mut self, now: Duration) {
        self.clock.beat_failed(now);
    }

    /// Whether this node may end what is over ([`PresenceClock::may_reap`]).
    #[must_use]
    pub fn may_reap(&self, now: Duration) -> bool {
        self.has_lease && self.clock.may_reap(now)
    }

    /// When there is something to do: a beat or a round. `None` while one is under way or nothing is owed.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        self.beat_at().into_iter().chain(self.round_at()).min()
    }

    /// `None` while one is under way, or has to wait for a round.
    fn beat_at(&self) -> Option<Duration> {
        let beat_at = self.clock.beat_at().filter(|_| self.under_way.is_none())?;
        let is_owed_before = self.owed_since().is_some_and(|since| since <= beat_at);
        (!self.has_lease || !is_owed_before).then_some(beat_at)
    }

    /// Since when one of the departures waits.
    fn owed_since(&self) -> Option<Duration> {
        self.departures.first().map(|(since, _)| *since)
    }

    fn round_at(&self) -> Option<Duration> {
        if self.under_way.is_some() || !self.has_lease {
            return None;
        }
        let beat_at = self.clock.beat_at()?;
        if !self.arrivals.is_empty() {
            return Some(self.retry_at);
        }
        let without_company = self.owed_since()? + LAZY;
        Some(without_company.min(beat_at).max(self.retry_at))
    }

    fn settle_arrival(&mut self, id: SessionId, outcome: &Attended) {
        let is_served = outcome.session().is_some();
        self.set_stored(id, if is_served { Stored::Yes } else { Stored::No });
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.refused = !is_served;
        }
    }

    /// What the database was told counts no more.
    fn record_anew(&mut self) {
        for entry in self.entries.values_mut() {
            entry.stored = Stored::No;
        }
        let ids: Vec<_> = self.entries.keys().copied().collect();
        self.sort_all(ids.into_iter());
    }

    fn set_stored(&mut self, id: SessionId, stored: Stored) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stored = stored;
        }
    }

    fn sort_all(&mut self, ids: impl Iterator<Item = SessionId>) {
        for id in ids {
            self.sort(id);
        }
    }

    /// Sorts a session into what it waits for. One that is in the round under way waits until that is over.
    fn sort(&mut self, id: SessionId) {
        let Some(entry) = self.entries.get(&id) else { return };
        self.arrivals.remove(&id);
        if let Some(gone) = entry.gone {
            self.departures.remove(&(gone.since, id));
        }
        if self.under_way.as_ref().is_some_and(|round| round.has(id)) {
            return;
        }
        match (entry.connections > 0, entry.stored) {
            (true, Stored::Yes) => {}
            (true, Stored::No | Stored::Unsure) if entry.refused => {}
            (true, Stored::No | Stored::Unsure) => _ = self.arrivals.insert(id),
            (false, Stored::No) => _ = self.entries.remove(&id),
            (false, Stored::Unsure | Stored::Yes) => {
                self.departures.extend(entry.gone.map(|g| (g.since, id)));
            }
        }
    }
}

impl Round {
    fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.arrivals.iter().copied().chain(self.departures.iter().map(|(id, _)| *id))
    }

    fn has(&self, id: SessionId) -> bool {
        self.arrivals.binary_search(&id).is_ok()
            || self.departures.binary_search_by_key(&id, |(id, _)| *id).is_ok()
    }
}

/// The first of them, as many as a round may have.
fn take<T: Ord>(due: &mut BTreeSet<T>) -> impl Iterator<Item = T> {
    std::iter::from_fn(|| due.pop_first()).take(ROUND_MOST)
}

#[cfg(test)]
mod tests;
