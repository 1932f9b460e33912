//! Keeps presence: tells the database which sessions this node serves, and ends what is over.
//!
//! The rules are [`Attendance`]'s; this moves what it says to the database and back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use lobby_domain::event::Event;
use lobby_domain::ports::{Announcer, AttendError, Attended, Clock, Presence};
use lobby_domain::presence::{Arrival, Attendance, Limits, Moment, NodeId, Round};
use lobby_domain::session::SessionId;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// How long a connection waits to be recorded: as long as a post waits for its outcome.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sessions that are ended in one transaction: some tens of milliseconds, which is what a post may wait for it.
const REAP_MOST: u32 = 100;

/// Between two looks whether somebody is over, at most: how late a departure may be.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// What connections tell of themselves. Clones share it.
#[derive(Clone)]
pub struct Attendants(Arc<Shared>);

struct Shared {
    /// A std mutex: it is held for short, synchronous sections only.
    desk: Mutex<Desk>,
    /// Something is to be recorded.
    due: Notify,
    /// What the machine's times count from.
    started: Instant,
}

struct Desk {
    attendance: Attendance,
    /// Connections that wait until their session is recorded.
    waiting: HashMap<SessionId, Vec<oneshot::Sender<bool>>>,
    /// Whether the node is going away.
    is_stopping: bool,
    lease: Duration,
    /// What was last told of [`Self::is_in_touch`].
    was_in_touch: bool,
}

/// A connection's session is served here until this is dropped.
pub struct Attending {
    attendants: Attendants,
    session: SessionId,
}

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAttended {
    /// Its session is over.
    #[error("the session is over")]
    Over,
    /// The database does not say.
    #[error("the database takes no changes")]
    Unavailable,
}

impl Attendants {
    /// For a node that has just started.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let attendance = Attendance::new(limits.lease);
        let desk = Desk {
            attendance,
            waiting: HashMap::new(),
            is_stopping: false,
            lease: limits.lease,
            was_in_touch: true,
        };
        Self(Arc::new(Shared { desk: Mutex::new(desk), due: Notify::new(), started: Instant::now() }))
    }

    /// A connection of a session is there: waits until that is recorded, so that nobody ends the session meanwhile. One that
    /// ran out comes back with it.
    pub async fn arrive(&self, session: SessionId) -> Result<Attending, NotAttended> {
        let (attending, recorded) = self.announce(session);
        let Some(recorded) = recorded else { return Ok(attending) };
        match timeout(PATIENCE, recorded).await {
            Ok(Ok(true)) => Ok(attending),
            Ok(Ok(false)) => Err(NotAttended::Over),
            Ok(Err(_)) | Err(_) => Err(NotAttended::Unavailable),
        }
    }

    /// Whether the database has answered a beat within the last lease. Without that nobody is let in, and other nodes end
    /// whom this one serves. A node that has just started has a lease to find the database.
    #[must_use]
    pub fn is_in_touch(&self) -> bool {
        let now = self.now();
        self.desk().is_in_touch(now)
    }

    /// What presence time it is, the same on all nodes to within the interval of their beats; none before the first.
    pub(crate) fn presence_time(&self) -> Option<Moment> {
        let now = self.now();
        self.desk().attendance.clock().estimate(now)
    }

    /// As if the database had answered a beat with this.
    #[cfg(test)]
    pub(crate) fn told(&self, now: Moment) {
        let at = self.now();
        let beaten = lobby_domain::ports::Beaten { now, alone: true, held: true };
        let mut desk = self.desk();
        desk.attendance.beat(at);
        desk.attendance.beaten(beaten, at);
    }

    /// As [`Self::arrive`], and nobody waits. Where that is yet to be recorded, the second tells whether it was, or the session is over.
    ///
    /// What is given out first notes the end of the connection, also where nobody waits any more for the second.
    pub(crate) fn announce(&self, session: SessionId) -> (Attending, Option<oneshot::Receiver<bool>>) {
        let mut desk = self.desk();
        let recorded = match desk.attendance.arrive(session) {
            Arrival::Known => None,
            Arrival::Record => {
                let (tell, told) = oneshot::channel();
                desk.waiting.entry(session).or_default().push(tell);
                self.0.due.notify_one();
                Some(told)
            }
        };
        (Attending { attendants: self.clone(), session }, recorded)
    }

    fn depart(&self, session: SessionId) {
        let mut desk = self.desk();
        desk.attendance.depart(session, self.now());
        desk.forget_who_has_gone(session);
        drop(desk);
        self.0.due.notify_one();
    }

    fn now(&self) -> Duration {
        self.0.started.elapsed()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().expect("nothing panics while it holds the desk")
    }
}

impl Attending {
    /// Whose connection it is.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        self.attendants.depart(self.session);
    }
}

impl Desk {
    fn may_reap(&self, now: Duration) -> bool {
        !self.is_stopping && self.attendance.may_reap(now)
    }

    fn is_in_touch(&self, now: Duration) -> bool {
        let heard_at = self.attendance.clock().heard_at().unwrap_or_default();
        now.saturating_sub(heard_at) <= self.lease
    }

    /// [`Self::is_in_touch`], if that is news.
    fn news_of_touch(&mut self, now: Duration) -> Option<bool> {
        let is_in_touch = self.is_in_touch(now);
        let was_in_touch = std::mem::replace(&mut self.was_in_touch, is_in_touch);
        (is_in_touch != was_in_touch).then_some(is_in_touch)
    }

    fn forget_who_has_gone(&mut self, session: SessionId) {
        let Some(waiting) = self.waiting.get_mut(&session) else { return };
        waiting.retain(|tell| !tell.is_closed());
        if waiting.is_empty() {
            self.waiting.remove(&session);
        }
    }

    /// Tells those who wait for the arrivals of a round what came of them.
    fn tell(&mut self, round: &Round, attended: &[Attended]) {
        for (id, attended) in round.arrivals.iter().zip(attended) {
            let is_served = attended.session().is_some();
            for waiting in self.waiting.remove(id).unwrap_or_default() {
                // Whoever has gone meanwhile misses nothing.
                let _gone = waiting.send(is_served);
            }
        }
    }
}

/// Keeps a node's presence.
pub struct Keeper {
    /// Which node this is.
    pub node: NodeId,
    /// What it serves.
    pub attendants: Attendants,
    /// Where it is kept.
    pub presence: Arc<dyn Presence>,
    /// Says when.
    pub clock: Arc<dyn Clock>,
    /// Hears who came back, and who is over.
    pub announcer: Arc<dyn Announcer>,
    /// The limits of presence.
    pub limits: Limits,
}

impl Keeper {
    /// Beats, records and reaps until it is dropped: in turn, and a transaction of each at a time, so that none of them
    /// waits for all that another has to do.
    pub async fn run(self: Arc<Self>) {
        let reap_every = REAP_EVERY.min(self.limits.grace / 4).max(Duration::from_millis(10));
        let mut reap_at = Instant::now() + reap_every;
        loop {
            self.wait_until(reap_at).await;
            self.record_and_beat().await;
            if Instant::now() >= reap_at && !self.reap().await {
                reap_at = Instant::now() + reap_every;
            }
            self.tell_whether_in_touch();
        }
    }

    async fn wait_until(&self, reap_at: Instant) {
        let wake_at = self.attendants.desk().attendance.wake_at();
        let due = wake_at.map_or(reap_at, |at| (self.attendants.0.started + at).min(reap_at));
        tokio::select! {
            () = sleep_until(due) => {}
            () = self.attendants.0.due.notified() => {}
        }
    }

    /// The node is going away: it ends nobody from now on. Its own connections have been told to come back, which nobody
    /// can here, and the goodbye may take longer than their grace.
    pub fn stop_reaping(&self) {
        self.attendants.desk().is_stopping = true;
    }

    /// The node stops in good order: what it served is gone from now on.
    pub async fn leave(&self) {
        let now = self.attendants.now();
        let Some(gone) = self.attendants.desk().attendance.clock().latest(now) else { return };
        if let Err(error) = self.presence.leave(self.node, gone).await {
            // Its lease runs out by itself.
            tracing::warn!(%error, "the database could not be told that this node is gone");
        }
    }

    /// One round, if one is due, and a beat, if one is due and waits for no further round.
    async fn record_and_beat(&self) {
        let now = self.attendants.now();
        let round = self.attendants.desk().attendance.next_round(now);
        if let Some(round) = round {
            self.record(&round).await;
        }
        let now = self.attendants.now();
        if self.attendants.desk().attendance.beat_due(now) {
            self.beat().await;
        }
    }

    async fn beat(&self) {
        let since = self.attendants.desk().attendance.beat(self.attendants.now());
        let beaten = self.presence.beat(self.node, since).await;
        let mut desk = self.attendants.desk();
        let now = self.attendants.now();
        match beaten {
            Ok(beaten) => {
                if !beaten.held && since.is_some() {
                    tracing::warn!("this node's lease had run out: what it serves is recorded anew");
                }
                desk.attendance.beaten(beaten, now);
            }
            Err(error) => {
                tracing::debug!(%error, "the lease could not be renewed");
                desk.attendance.beat_failed(now);
            }
        }
    }

    async fn record(&self, round: &Round) {
        let at = self.clock.now();
        let attended = self.presence.attend(self.node, &round.arrivals, &round.departures, at).await;
        let now = self.attendants.now();
        match attended {
            Ok(attended) => {
                let back = attended.iter().filter_map(joined).collect::<Vec<_>>();
                if !back.is_empty() {
                    self.announcer.announce(back).await;
                }
                let mut desk = self.attendants.desk();
                desk.attendance.recorded(&attended);
                desk.tell(round, &attended);
            }
            Err(error) => {
                tracing::debug!(%error, "who is here could not be recorded");
                self.attendants.desk().attendance.failed(&error, now);
            }
        }
    }

    /// Whether somebody is over, as far as this node can tell.
    async fn is_somebody_over(&self) -> bool {
        let next_over = match self.presence.next_over().await {
            Ok(next_over) => next_over,
            Err(error) => {
                tracing::debug!(%error, "who is over stays for now");
                return false;
            }
        };
        let Some(next_over) = next_over else { return false };
        let now = self.attendants.now();
        let mut desk = self.attendants.desk();
        let clock = desk.attendance.clock();
        // Presence time stands still between two beats: if somebody is over by now and was not by then, it is moved on.
        if clock.counted().is_some_and(|counted| counted < next_over)
            && clock.estimate(now) >= Some(next_over)
        {
            desk.attendance.hasten_beat(now);
        }
        desk.attendance.clock().estimate(now) >= Some(next_over)
    }

    /// The operator hears of it once, however many attempts fail.
    fn tell_whether_in_touch(&self) {
        let now = self.attendants.now();
        match self.attendants.desk().news_of_touch(now) {
            None => {}
            Some(true) => tracing::info!("presence is kept again"),
            Some(false) => {
                tracing::error!(
                    "no lease could be had for as long as one lasts: nobody is let in until one can"
                );
            }
        }
    }

    fn may_reap(&self) -> bool {
        let now = self.attendants.now();
        self.attendants.desk().may_reap(now)
    }

    /// Ends some of those who are over, and answers whether there may be more.
    async fn reap(&self) -> bool {
        if !self.may_reap() || !self.is_somebody_over().await {
            return false;
        }
        self.record_and_beat().await;
        if !self.may_reap() {
            return false;
        }
        match self.presence.reap(self.node, REAP_MOST, self.clock.now()).await {
            Ok(left) => {
                let is_more = left.len() >= REAP_MOST as usize;
                let left: Vec<_> = left.into_iter().map(Event::UserLeft).collect();
                if !left.is_empty() {
                    self.announcer.announce(left).await;
                }
                is_more
            }
            Err(AttendError::LeaseLost) => {
                self.attendants.desk().attendance.lease_lost(self.attendants.now());
                false
            }
            Err(error) => {
                tracing::debug!(%error, "who is over stays for now");
                false
            }
        }
    }
}

fn joined(attended: &Attended) -> Option<Event> {
    match attended {
        Attended::BroughtBack(session, revision) => {
            Some(Event::UserJoined { session: session.clone(), revision: *revision })
        }
        Attended::Living(_) | Attended::Over => None,
    }
}

#[cfg(test)]
mod tests;
