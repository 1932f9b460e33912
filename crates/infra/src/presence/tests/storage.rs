use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::FutureExt;
use lobby_domain::event::Departure;
use lobby_domain::ports::{Beaten, ChangeError, NewSession, Sessions, Unavailable, Woken};
use lobby_domain::presence::Moment;
use lobby_domain::pseudonym::PseudonymKey;
use lobby_domain::session::Session;
use lobby_domain::testing::{MemoryStore, name};
use lobby_domain::timestamp::Timestamp;
use tokio::time::sleep;
use uuid::Uuid;

use super::*;

/// What a node asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Beat,
    Attend,
    Reap,
}

/// What happens while a node is being answered.
type Meanwhile = Box<dyn FnMut(Call) + Send>;

/// A store that can be taken away or be slow, and what nodes told it.
#[derive(Default)]
pub(super) struct Storage {
    pub(super) store: MemoryStore,
    is_away: AtomicBool,
    takes: Mutex<Duration>,
    meanwhile: Mutex<Option<Meanwhile>>,
    recorded: Mutex<Vec<SessionId>>,
    calls: Mutex<Vec<Call>>,
}

impl Storage {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { store: MemoryStore::new(limits()), ..Self::default() })
    }

    pub(super) async fn open(&self, n: u128, claimed: bool) -> SessionId {
        let id = SessionId(Uuid::from_u128(n));
        let pseudonym = name(&format!("user{n}"));
        let new = NewSession { id, pseudonym, claimed, now: Timestamp::from_millis(0) };
        self.store.open(new).await.expect("the name is free");
        id
    }

    pub(super) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// From now on each answer takes so long, and this happens meanwhile.
    pub(super) fn set_meanwhile(&self, takes: Duration, meanwhile: impl FnMut(Call) + Send + 'static) {
        *locked(&self.takes) = takes;
        *locked(&self.meanwhile) = Some(Box::new(meanwhile));
        locked(&self.calls).clear();
    }

    /// Whom nodes have told that they serve, since the last call.
    pub(super) fn recorded(&self) -> Vec<SessionId> {
        std::mem::take(&mut locked(&self.recorded))
    }

    /// What nodes have asked for, since the last call.
    pub(super) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut locked(&self.calls))
    }

    pub(super) fn is_alive(&self, id: SessionId) -> bool {
        let found = self.store.find(id).now_or_never().expect("it answers at once");
        found.expect("it is in memory").is_some()
    }

    fn check(&self) -> Result<(), Unavailable> {
        if self.is_away.load(Ordering::SeqCst) { Err(Unavailable::new("no database")) } else { Ok(()) }
    }

    async fn take_time(&self, call: Call) -> Result<(), Unavailable> {
        locked(&self.calls).push(call);
        if let Some(meanwhile) = locked(&self.meanwhile).as_mut() {
            meanwhile(call);
        }
        let takes = *locked(&self.takes);
        if !takes.is_zero() {
            sleep(takes).await;
        }
        self.check()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it looks")
}

#[async_trait]
impl Presence for Storage {
    async fn beat(&self, node: NodeId, since: Option<(Moment, Duration)>) -> Result<Beaten, ChangeError> {
        self.take_time(Call::Beat).await?;
        self.store.beat(node, since).await
    }

    async fn attend(
        &self,
        node: NodeId,
        arrivals: &[SessionId],
        departures: &[(SessionId, Moment)],
        at: Timestamp,
    ) -> Result<Vec<Attended>, AttendError> {
        self.take_time(Call::Attend).await?;
        let attended = self.store.attend(node, arrivals, departures, at).await?;
        locked(&self.recorded).extend(arrivals);
        Ok(attended)
    }

    async fn next_over(&self) -> Result<Option<Moment>, Unavailable> {
        self.check()?;
        self.store.next_over().await
    }

    async fn reap(&self, node: NodeId, most: u32, at: Timestamp) -> Result<Vec<Departure>, AttendError> {
        self.take_time(Call::Reap).await?;
        self.store.reap(node, most, at).await
    }

    async fn wake(&self, id: SessionId, claim: bool, at: Timestamp) -> Result<Option<Woken>, ChangeError> {
        self.store.wake(id, claim, at).await
    }

    async fn wake_named(&self, key: &PseudonymKey, at: Timestamp) -> Result<Option<Woken>, ChangeError> {
        self.store.wake_named(key, at).await
    }

    async fn dormant(&self, id: SessionId) -> Result<Option<Session>, Unavailable> {
        self.store.dormant(id).await
    }

    async fn leave(&self, node: NodeId, gone: Moment) -> Result<(), ChangeError> {
        self.store.leave(node, gone).await
    }

    async fn forget(&self, before: Timestamp, most: u32) -> Result<bool, ChangeError> {
        self.store.forget(before, most).await
    }
}
