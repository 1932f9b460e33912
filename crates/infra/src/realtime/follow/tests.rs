use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use lobby_domain::auth::Authority;
use lobby_domain::event::{Departure, DepartureReason, Event};
use lobby_domain::ports::{
    Announcer, ChangeError, MessageLog, NewSession, Online, OnlinePage, OnlineQuery, OpenError, RosterLog,
    Sessions,
};
use lobby_domain::pseudonym::{Pseudonym, PseudonymKey};
use lobby_domain::session::{Session, SessionId};
use lobby_domain::testing::{MemoryStore, name};
use lobby_domain::timestamp::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use uuid::Uuid;

use super::*;
use crate::realtime::hub::{Arrival, Identity, Start, Ticket, ToShard};
use crate::realtime::testing::Following;

const JOHN: SessionId = SessionId(Uuid::from_u128(1));
const NOW: Timestamp = Timestamp::from_millis(0);

/// A lobby in which whoever looks somebody up gets the answer late, or none at first.
struct Late {
    store: Arc<MemoryStore>,
    looked: Semaphore,
    gate: Semaphore,
    fails: AtomicBool,
}

#[async_trait]
impl Sessions for Late {
    async fn open(&self, new: NewSession) -> Result<(Session, Revision), OpenError> {
        self.store.open(new).await
    }

    async fn end(
        &self,
        id: SessionId,
        by: Authority,
        at: Timestamp,
    ) -> Result<Option<Revision>, ChangeError> {
        self.store.end(id, by, at).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<Session>, Unavailable> {
        let found = self.store.find(id).await;
        self.looked.add_permits(1);
        self.gate.acquire().await.expect("the gate stays").forget();
        if self.fails.swap(false, Ordering::SeqCst) {
            Err(Unavailable::new("as the test wants it"))
        } else {
            found
        }
    }

    async fn named(&self, keys: &[PseudonymKey]) -> Result<Vec<Session>, Unavailable> {
        self.store.named(keys).await
    }

    async fn used_names(&self, keys: &[PseudonymKey]) -> Result<Vec<Pseudonym>, Unavailable> {
        self.store.used_names(keys).await
    }

    async fn online(&self) -> Result<Online, Unavailable> {
        self.store.online().await
    }

    async fn online_page(&self, query: OnlineQuery) -> Result<OnlinePage, Unavailable> {
        self.store.online_page(query).await
    }
}

#[async_trait]
impl RosterLog for Late {
    async fn revision(&self) -> Result<Revision, Unavailable> {
        self.store.revision().await
    }

    async fn changes(&self, after: Revision, most: usize) -> Result<Changes, Unavailable> {
        self.store.changes(after, most).await
    }
}

struct Bench {
    late: Arc<Late>,
    hub: Arc<Hub>,
    feed: mpsc::Sender<ToShard>,
    entries: mpsc::Receiver<ToShard>,
    _following: Following,
}

impl Bench {
    async fn start() -> Self {
        let store = Arc::new(MemoryStore::default());
        let (online, head) = (store.online().await.expect("a look"), store.head().await.expect("a look"));
        let late = Arc::new(Late {
            store: store.clone(),
            looked: Semaphore::new(0),
            gate: Semaphore::new(0),
            fails: AtomicBool::new(false),
        });
        let hub = Arc::new(Hub::new(online, head, 200, store, late.clone()));
        let (feed, entries) = hub.attach();
        let following = Following::start(&hub);
        Self { late, hub, feed, entries, _following: following }
    }

    /// John logs in and out, of which nobody is told yet.
    async fn open(&self) -> Event {
        let new = NewSession { id: JOHN, pseudonym: name("JohnDoe"), claimed: true, now: NOW };
        let (session, revision) = self.late.open(new).await.expect("the name is free");
        Event::UserJoined { session, revision }
    }

    async fn end(&self, joined: &Event) -> Event {
        let Event::UserJoined { session, .. } = joined else { panic!("{joined:?}") };
        let Session { id, user, pseudonym, .. } = session.clone();
        let revision = self.late.end(id, Authority::Token, NOW).await.expect("an answer").expect("it ends");
        let reason = DepartureReason::Logout;
        Event::UserLeft(Departure { session: id, user: user.id, pseudonym, reason, revision })
    }

    /// Somebody who has proved to be John is let in.
    async fn connect(&mut self) {
        let identity = Identity { proved: Some(JOHN), ends_with: Some(JOHN) };
        let arrival = Arrival { identity, user: None, start: Start::Now };
        self.hub.admit(&self.feed, Ticket { key: 0, serial: 0 }, arrival).await;
        while !matches!(self.next().await, ToShard::Admit(..)) {}
    }

    async fn next(&mut self) -> ToShard {
        let entry = timeout(Duration::from_mins(1), self.entries.recv()).await.expect("something happens");
        entry.expect("the hub is there")
    }

    /// John's connections are closed.
    async fn closed(&mut self) {
        while !matches!(self.next().await, ToShard::Deliver(happened) if happened.ends == [JOHN]) {}
    }

    /// John has run out, as far as this hub has heard.
    async fn run_out(&self, joined: &Event) {
        let Event::UserJoined { session, revision } = joined else { panic!("{joined:?}") };
        let Session { id, user, pseudonym, .. } = session.clone();
        let (reason, revision) = (DepartureReason::Expired, Revision(revision.0 + 1));
        let left = Departure { session: id, user: user.id, pseudonym, reason, revision };
        self.hub.announce(vec![Event::UserLeft(left)]).await;
    }

    /// His connections are asked for, as shards do that have some.
    async fn doubted(&mut self) {
        while !matches!(self.next().await, ToShard::Deliver(happened) if happened.expired == [JOHN]) {}
        self.hub.doubt(JOHN);
    }

    /// He is looked up, and the answer is on its way.
    async fn looked(&self) {
        self.late.looked.acquire().await.expect("the lobby stays").forget();
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_in_while_the_session_is_looked_up_is_looked_up_too() {
    let mut bench = Bench::start().await;
    let joined = bench.open().await;
    bench.connect().await;
    bench.looked().await;
    let left = bench.end(&joined).await;
    bench.hub.announce(vec![joined, left]).await;
    bench.closed().await;
    bench.connect().await;
    bench.late.gate.add_permits(2);
    bench.closed().await;
}

#[tokio::test(start_paused = true)]
async fn who_could_not_be_looked_up_is_looked_up_again() {
    let mut bench = Bench::start().await;
    bench.late.fails.store(true, Ordering::SeqCst);
    bench.late.gate.add_permits(2);
    bench.connect().await;
    bench.closed().await;
}

/// Another node has brought it back, of which nothing is heard yet.
#[tokio::test(start_paused = true)]
async fn who_ran_out_and_is_back_already_is_not_closed() {
    let mut bench = Bench::start().await;
    let joined = bench.open().await;
    bench.hub.announce(vec![joined.clone()]).await;
    bench.connect().await;
    bench.run_out(&joined).await;
    bench.doubted().await;
    bench.late.gate.add_permits(1);
    bench.looked().await;
    while let Ok(entry) = timeout(Duration::from_secs(5), bench.entries.recv()).await {
        assert!(!matches!(entry, Some(ToShard::Deliver(happened)) if !happened.ends.is_empty()), "closed");
    }
}

#[tokio::test(start_paused = true)]
async fn who_ran_out_and_stays_away_is_closed() {
    let mut bench = Bench::start().await;
    let joined = bench.open().await;
    bench.hub.announce(vec![joined.clone()]).await;
    bench.connect().await;
    bench.end(&joined).await;
    bench.run_out(&joined).await;
    bench.doubted().await;
    bench.late.gate.add_permits(1);
    bench.closed().await;
}

/// Whoever is let in while the answer is on its way may have brought it back: that is looked up anew.
#[tokio::test(start_paused = true)]
async fn who_comes_back_while_the_end_is_looked_up_is_not_closed_by_that() {
    let mut bench = Bench::start().await;
    bench.connect().await;
    bench.looked().await;
    let joined = bench.open().await;
    bench.connect().await;
    bench.late.gate.add_permits(2);
    bench.looked().await;
    bench.hub.announce(vec![joined]).await;
    while let Ok(entry) = timeout(Duration::from_secs(5), bench.entries.recv()).await {
        assert!(!matches!(entry, Some(ToShard::Deliver(happened)) if !happened.ends.is_empty()), "closed");
    }
}
