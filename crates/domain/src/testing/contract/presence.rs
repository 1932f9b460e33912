//! [`Presence`], driven by what the beats of its nodes say: no clock is needed, and nothing waits.

#![expect(
    clippy::unchecked_time_subtraction,
    reason = "limits are longer than what is taken off them; a test panics where they are not"
)]

use std::time::Duration;

use uuid::Uuid;

use super::{at, claim, id};
use crate::event::Revision;
use crate::ports::{AttendError, Attended, Beaten, NewSession, OpenError, Presence, Sessions, Woken};
use crate::presence::{Limits, Moment, NodeId};
use crate::session::{Session, SessionId};
use crate::testing::name;

mod back;
mod forget;
mod leases;
mod limits;
mod reap;

use back::run_out;
pub use back::*;
pub use forget::*;
pub use leases::*;
pub use limits::*;
pub use reap::*;

/// A fresh, empty store under test, with [`Limits::default`].
pub trait PresenceStore: Sessions + Presence {}

impl<S: Sessions + Presence> PresenceStore for S {}

const A: NodeId = NodeId(Uuid::from_u128(0xa));
const B: NodeId = NodeId(Uuid::from_u128(0xb));

const MOMENT: Duration = Duration::from_millis(1);

fn limits() -> Limits {
    Limits::default()
}

/// What an unserved session has from its last request on.
fn idle(limit: Duration) -> Duration {
    limit + limits().slack(limit)
}

/// Beats of a node, each right after the answer to the one before.
struct Node<'a, S> {
    store: &'a S,
    id: NodeId,
    now: Moment,
}

impl<'a, S: PresenceStore> Node<'a, S> {
    /// With its first beat made.
    async fn start(store: &'a S, id: NodeId) -> Self {
        let now = store.beat(id, None).await.expect("a beat").now;
        Self { store, id, now }
    }

    /// A beat so long after the last one.
    async fn beat(&mut self, elapsed: Duration) -> Beaten {
        let beaten = self.store.beat(self.id, Some((self.now, elapsed))).await.expect("a beat");
        self.now = beaten.now;
        beaten
    }

    /// So much time passes while the node holds its lease.
    async fn pass(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(limits().lease - MOMENT);
            assert!(self.beat(step).await.held);
            left -= step;
        }
    }

    async fn attend(&self, arrivals: &[u128], departures: &[(u128, Moment)]) -> Vec<Attended> {
        self.try_attend(arrivals, departures).await.expect("the node has its lease")
    }

    async fn try_attend(
        &self,
        arrivals: &[u128],
        departures: &[(u128, Moment)],
    ) -> Result<Vec<Attended>, AttendError> {
        let arrivals: Vec<_> = arrivals.iter().map(|number| id(*number)).collect();
        let departures: Vec<_> = departures.iter().map(|(number, gone)| (id(*number), *gone)).collect();
        self.store.attend(self.id, &arrivals, &departures, at(5_000)).await
    }

    /// One session arrives.
    async fn serve(&self, number: u128) {
        let outcomes = self.attend(&[number], &[]).await;
        assert!(outcomes[0].session().is_some_and(|session| session.id == id(number)), "{outcomes:?}");
    }

    /// One session has gone now.
    async fn drop(&self, number: u128) {
        self.attend(&[], &[(number, self.now)]).await;
    }

    /// Ends what is over: whose sessions.
    async fn reap(&self) -> Vec<SessionId> {
        let departures = self.store.reap(self.id, 1_000, at(6_000)).await.expect("the node has its lease");
        departures.into_iter().map(|departure| departure.session).collect()
    }

    /// The session of this number is over after `time`, or was before.
    async fn runs_out_by(&mut self, number: u128, time: Duration) {
        self.pass(time).await;
        self.reap().await;
        assert!(!is_online(self.store, number).await, "too late");
    }

    /// The session of this number is there for `time` and over a moment later, whatever else may be.
    async fn runs_out_after(&mut self, number: u128, time: Duration) {
        self.pass(time.saturating_sub(MOMENT)).await;
        assert!(!self.reap().await.contains(&id(number)), "too early");
        self.pass(MOMENT).await;
        assert!(self.reap().await.contains(&id(number)), "too late");
    }
}

async fn open_as(store: &impl Sessions, number: u128, pseudonym: &str, claimed: bool) -> Session {
    try_open(store, number, pseudonym, claimed).await.expect("the name is free").0
}

async fn try_open(
    store: &impl Sessions,
    number: u128,
    pseudonym: &str,
    claimed: bool,
) -> Result<(Session, Revision), OpenError> {
    store.open(NewSession { id: id(number), pseudonym: name(pseudonym), claimed, now: at(1_000) }).await
}

async fn wake(store: &impl Presence, number: u128) -> Option<Woken> {
    store.wake(id(number), false, at(7_000)).await.expect("an answer")
}

async fn wake_named(store: &impl Presence, pseudonym: &str) -> Option<Woken> {
    store.wake_named(name(pseudonym).key(), at(7_000)).await.expect("an answer")
}

async fn is_online(store: &impl Sessions, number: u128) -> bool {
    store.find(id(number)).await.expect("a look").is_some()
}

async fn revision(store: &impl Sessions) -> i64 {
    store.online().await.expect("a look").revision.0
}
