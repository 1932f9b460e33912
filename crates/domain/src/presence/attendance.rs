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
/// Around it: whenever [`Self::wake_at`] has come, beat if [`Self::beat_due`], record what [`Self::next_round`] gives,
/// and reap after a beat if [`Self::may_reap`]. A beat and a round may be under way at the same time, but one each.
///
/// Invariant: a lease is renewed only after what had gone by then is recorded. Should the node die next, its word counts
/// for a lease from the moment at which all of it was true.
/// Invariant: a connection is let in only after the database has been told that its session is served here
/// ([`Arrival`]); the database is told that it is no more after the last has gone.
/// Invariant: after a round that failed, or was overtaken by the loss of the lease, it is all said again: the port takes
/// repeats.
#[derive(Debug, Clone)]
pub struct Attendance {
    clock: PresenceClock,
    entries: BTreeMap<SessionId, Entry>,
    /// Those that wait to be recorded as served.
    arrivals: BTreeSet<SessionId>,
    /// Those that wait to be recorded as gone.
    departures: BTreeSet<SessionId>,
    /// Since when, at the most, one of the departures waits.
    departures_since: Option<Duration>,
    /// Whether the node has a lease, as far as it knows.
    has_lease: bool,
    /// No round before.
    retry_at: Duration,
    under_way: Option<UnderWay>,
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

#[derive(Debug, Clone)]
struct UnderWay {
    round: Round,
    /// Since when, at the most, one of its departures has waited.
    departures_since: Option<Duration>,
    /// Whether the lease was lost since: what comes of it may be void.
    overtaken: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    connections: usize,
    stored: Stored,
    /// When the last connection went.
    gone_at: Option<Moment>,
    /// Whether the session was found to be over, and nobody came since.
    refused: bool,
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
            departures_since: None,
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
    pub fn arrive(&mut self, session: SessionId, now: Duration) -> Arrival {
        let new = Entry { connections: 0, stored: Stored::No, gone_at: None, refused: false };
        let entry = self.entries.entry(session).or_insert(new);
        entry.connections += 1;
        entry.refused = false;
        let arrival = if entry.stored == Stored::Yes { Arrival::Known } else { Arrival::Record };
        self.note(session, now);
        arrival
    }

    /// A connection of the session has gone, let in or not.
    pub fn depart(&mut self, session: SessionId, now: Duration) {
        let Some(entry) = self.entries.get_mut(&session) else { return };
        entry.connections = entry.connections.saturating_sub(1);
        if entry.connections == 0 {
            entry.gone_at = self.clock.latest(now);
        }
        self.note(session, now);
    }

    /// What has to be recorded now, if anything. [`Self::recorded`] or [`Self::failed`] is owed then.
    pub fn next_round(&mut self, now: Duration) -> Option<Round> {
        if self.round_at().is_none_or(|at| at > now) {
            return None;
        }
        let arrivals = take(&mut self.arrivals);
        let departures = take(&mut self.departures).into_iter();
        let departures_since = self.departures_since;
        self.forget_since_when_nobody_departs();
        let round = Round {
            arrivals,
            departures: departures.filter_map(|id| Some((id, self.entries.get(&id)?.gone_at?))).collect(),
        };
        for id in round.sessions() {
            self.set_stored(id, Stored::Unsure);
        }
        self.under_way = Some(UnderWay { round: round.clone(), departures_since, overtaken: false });
        Some(round)
    }

    /// The round was recorded; `outcomes` are those of its arrivals, in order.
    pub fn recorded(&mut self, outcomes: &[Attended], now: Duration) {
        let Some(UnderWay { round, overtaken, .. }) = self.under_way.take() else { return };
        if !overtaken {
            for (id, outcome) in round.arrivals.iter().zip(outcomes) {
                self.settle_arrival(*id, outcome);
            }
            for (id, _) in &round.departures {
                self.set_stored(*id, Stored::No);
            }
        }
        self.note_all(round.sessions(), now);
    }

    /// The round was refused, failed, or nobody knows what came of it: it is due again soon.
    pub fn failed(&mut self, error: &AttendError, now: Duration) {
        let Some(UnderWay { round, departures_since, .. }) = self.under_way.take() else { return };
        self.note_all(round.sessions(), now);
        if !self.departures.is_empty() {
            self.departures_since = self.departures_since.into_iter().chain(departures_since).min();
        }
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
        self.record_anew(now);
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
            self.record_anew(now);
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

    /// When there is something to do: a beat or a round. `None` while both are under way or nothing is owed.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        self.beat_at().into_iter().chain(self.round_at()).min()
    }

    /// `None` while one is under way, or has to wait for a round.
    fn beat_at(&self) -> Option<Duration> {
        self.clock.beat_at().filter(|at| !self.has_lease || self.owed_since().is_none_or(|since| since > *at))
    }

    fn owed_since(&self) -> Option<Duration> {
        let under_way = self.under_way.as_ref().and_then(|under_way| under_way.departures_since);
        self.departures_since.into_iter().chain(under_way).min()
    }

    fn round_at(&self) -> Option<Duration> {
        if self.under_way.is_some() || !self.has_lease {
            return None;
        }
        if !self.arrivals.is_empty() {
            return Some(self.retry_at);
        }
        let without_company = self.departures_since? + LAZY;
        let due = self.clock.beat_at().map_or(without_company, |beat_at| without_company.min(beat_at));
        Some(due.max(self.retry_at))
    }

    fn settle_arrival(&mut self, id: SessionId, outcome: &Attended) {
        let is_served = outcome.session().is_some();
        self.set_stored(id, if is_served { Stored::Yes } else { Stored::No });
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.refused = !is_served;
        }
    }

    /// What the database was told counts no more.
    fn record_anew(&mut self, now: Duration) {
        if let Some(under_way) = &mut self.under_way {
            under_way.overtaken = true;
        }
        // A round under way may yet be recorded under the next lease.
        let stored = if self.under_way.is_some() { Stored::Unsure } else { Stored::No };
        for entry in self.entries.values_mut() {
            entry.stored = stored;
        }
        let ids: Vec<_> = self.entries.keys().copied().collect();
        self.note_all(ids.into_iter(), now);
    }

    fn set_stored(&mut self, id: SessionId, stored: Stored) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stored = stored;
        }
    }

    fn note_all(&mut self, ids: impl Iterator<Item = SessionId>, now: Duration) {
        for id in ids {
            self.note(id, now);
        }
    }

    fn note(&mut self, id: SessionId, now: Duration) {
        self.sort(id, now);
        self.forget_since_when_nobody_departs();
    }

    /// Sorts a session into what it waits for. One that is in the round under way waits until that is over.
    fn sort(&mut self, id: SessionId, now: Duration) {
        self.arrivals.remove(&id);
        self.departures.remove(&id);
        let is_under_way = self.under_way.as_ref().is_some_and(|under_way| under_way.round.has(id));
        let Some(entry) = self.entries.get(&id).filter(|_| !is_under_way) else { return };
        match (entry.connections > 0, entry.stored) {
            (true, Stored::Yes) => {}
            (true, Stored::No | Stored::Unsure) if entry.refused => {}
            (true, Stored::No | Stored::Unsure) => _ = self.arrivals.insert(id),
            (false, Stored::No) => _ = self.entries.remove(&id),
            (false, Stored::Unsure | Stored::Yes) => {
                self.departures_since.get_or_insert(now);
                self.departures.insert(id);
            }
        }
    }

    fn forget_since_when_nobody_departs(&mut self) {
        if self.departures.is_empty() {
            self.departures_since = None;
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

fn take(due: &mut BTreeSet<SessionId>) -> Vec<SessionId> {
    let batch: Vec<_> = due.iter().take(ROUND_MOST).copied().collect();
    for id in &batch {
        due.remove(id);
    }
    batch
}

#[cfg(test)]
mod tests;
