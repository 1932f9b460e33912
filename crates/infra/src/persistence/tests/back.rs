//! Sessions that come back while others log in at another node.

use std::time::Duration;

use lobby_domain::ports::Attended;
use lobby_domain::presence::{Limits, NodeId};
use sea_orm::IntoActiveModel;
use tokio::time::timeout;

use super::super::entities::sessions;
use super::super::roster_log::next_revision;
use super::*;

const NODE: NodeId = NodeId(uuid::Uuid::from_u128(1));
const LATER: Timestamp = Timestamp::from_millis(2);

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A moment is enough to run out, and a machine that is busy loses no lock.
fn settings_of(url: &str) -> StoreSettings {
    let timeouts = Timeouts { lock: PATIENCE, statement: PATIENCE, idle: PATIENCE };
    let limits = Limits { unclaimed: Duration::from_millis(1), ..Limits::default() };
    StoreSettings::new(url, Durability::Normal, timeouts).expect("a good URL").with_limits(limits)
}

/// Two nodes on one database, and two sessions that have run out.
struct Bench {
    store: Store,
    other: Store,
    ann: SessionId,
    bob: SessionId,
}

impl Bench {
    async fn start(server: &Postgres) -> Self {
        let settings = settings_of(&server.fresh_database().await);
        let (store, other) = (open(&settings).await, open(&settings).await);
        let (ann, bob) = (join(&store, "Ann").await, join(&store, "Bob").await);
        let now = store.beat(NODE, None).await.expect("a beat").now;
        store.beat(NODE, Some((now, Duration::from_secs(1)))).await.expect("a beat");
        assert_eq!(store.reap(NODE, 10, LATER).await.expect("they are over").len(), 2);
        Self { store, other, ann, bob }
    }

    /// Somebody takes Ann's name at the other node, which is not committed yet.
    async fn take_the_name(&self) -> DatabaseTransaction {
        let transaction = self.other.begin().await.expect("a transaction");
        next_revision(&transaction).await.expect("the list is there");
        let ann = sessions::Entity::find_by_id(self.ann.0).one(&transaction).await.expect("a look");
        let ann = ann.expect("she is not forgotten");
        let newcomer = sessions::Model { id: random_log_id(), ended_at: None, held_until: None, ..ann };
        let inserting = sessions::Entity::insert(newcomer.into_active_model());
        inserting.exec_without_returning(&transaction).await.expect("nobody has the name");
        transaction
    }

    /// Once somebody waits for it.
    async fn commit(&self, transaction: DatabaseTransaction) {
        const WAITING: &str = "SELECT count(*)::text FROM pg_locks WHERE NOT granted";
        while look_up(&self.other.read, WAITING).await == "0" {}
        transaction.commit().await.expect("it is committed");
    }

    async fn meanwhile<T>(&self, coming_back: impl Future<Output = T>) -> T {
        let taking = self.take_the_name().await;
        let both = async { tokio::join!(self.commit(taking), coming_back) };
        timeout(PATIENCE, both).await.expect("it ends").1
    }
}

#[tokio::test]
async fn a_token_whose_name_is_being_taken_finds_it_taken() {
    let server = Postgres::start().await;
    let bench = Bench::start(&server).await;
    let woken = bench.meanwhile(bench.store.wake(bench.ann, false, LATER)).await;
    assert_eq!(woken.expect("it is no failure"), None);
}

#[tokio::test]
async fn a_round_goes_on_without_whose_name_is_being_taken() {
    let server = Postgres::start().await;
    let bench = Bench::start(&server).await;
    let arrivals = [bench.ann, bench.bob];
    let attended = bench.meanwhile(bench.store.attend(NODE, &arrivals, &[], LATER)).await;
    let attended = attended.expect("it is no failure");
    assert!(matches!(&attended[..], [Attended::Over, Attended::BroughtBack(..)]), "{attended:?}");
}

/// A backup that was put back without the rules of its tables has everything but those.
#[tokio::test]
async fn a_session_whose_user_is_missing_is_a_failure_and_ends_nothing_else() {
    let (store, _folder) = sqlite().await;
    let ann = join(&store, "Ann").await;
    store.beat(NODE, None).await.expect("a beat");
    for statement in ["PRAGMA foreign_keys = OFF", "DELETE FROM users"] {
        store.writer().execute_unprepared(statement).await.expect("it is done");
    }
    assert!(store.find(ann).await.is_err());
    assert!(store.online().await.is_err());
    assert!(store.attend(NODE, &[ann], &[], LATER).await.is_err());
    let bob = join(&store, "Bob").await;
    assert!(store.find(bob).await.expect("a look").is_some());
}
