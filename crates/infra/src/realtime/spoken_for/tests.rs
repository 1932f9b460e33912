use std::sync::Arc;

use lobby_domain::ports::{NewSession, Presence, Sessions};
use lobby_domain::presence::{Limits, NodeId};
use lobby_domain::testing::{FixedClock, MemoryStore, RecordingAnnouncer, name};
use lobby_domain::timestamp::Timestamp;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::presence::Keeper;

fn id(number: usize) -> SessionId {
    SessionId(Uuid::from_u128(number as u128))
}

/// Nothing is ever recorded.
fn nobody_records() -> Attendants {
    Attendants::new(&Limits::default())
}

fn keep(store: &Arc<MemoryStore>) -> (Attendants, JoinHandle<()>) {
    let attendants = nobody_records();
    let keeper = Keeper {
        node: NodeId(Uuid::from_u128(1)),
        attendants: attendants.clone(),
        presence: store.clone(),
        clock: Arc::new(FixedClock::default()),
        announcer: Arc::new(RecordingAnnouncer::default()),
        limits: Limits::default(),
    };
    (attendants, tokio::spawn(Arc::new(keeper).run()))
}

async fn open(store: &MemoryStore, number: usize) {
    let new = NewSession {
        id: id(number),
        pseudonym: name("JohnDoe"),
        claimed: false,
        now: Timestamp::from_millis(0),
    };
    store.open(new).await.expect("the name is free");
}

fn kept(spoken_for: &SpokenFor) -> Vec<SessionId> {
    spoken_for.0.iter().map(|kept| kept.attending.session()).collect()
}

#[tokio::test(start_paused = true)]
async fn who_is_spoken_for_several_times_before_it_is_recorded_has_one_place() {
    let (attendants, mut spoken_for) = (nobody_records(), SpokenFor::default());
    for _ in 0..3 {
        spoken_for.add(&attendants, id(1));
        spoken_for.add(&attendants, id(2));
    }
    assert_eq!(kept(&spoken_for), [id(1), id(2)]);
}

#[tokio::test(start_paused = true)]
async fn the_latest_are_kept() {
    let (attendants, mut spoken_for) = (nobody_records(), SpokenFor::default());
    for number in 0..=MOST {
        spoken_for.add(&attendants, id(number));
    }
    assert_eq!(kept(&spoken_for), (1..=MOST).map(id).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn who_is_spoken_for_is_online_for_as_long_as_the_connection_is_there() {
    let store = Arc::new(MemoryStore::default());
    let (attendants, keeping) = keep(&store);
    let mut spoken_for = SpokenFor::default();
    open(&store, 1).await;
    spoken_for.add(&attendants, id(1));
    let limit = Limits::default().unclaimed;
    tokio::time::sleep(3 * limit).await;
    assert!(store.find(id(1)).await.expect("a look").is_some());
    // Whether anybody has looked again or not.
    spoken_for.add(&attendants, id(1));
    drop(spoken_for);
    tokio::time::sleep(3 * limit).await;
    assert!(store.find(id(1)).await.expect("a look").is_none());
    keeping.abort();
}

#[tokio::test(start_paused = true)]
async fn who_was_over_when_spoken_for_is_kept_once_it_is_back() {
    let store = Arc::new(MemoryStore::default());
    let (attendants, keeping) = keep(&store);
    let mut spoken_for = SpokenFor::default();
    open(&store, 1).await;
    let limit = Limits::default().unclaimed;
    tokio::time::sleep(3 * limit).await;
    open(&store, 2).await;
    // Another has the name, so it cannot come back.
    spoken_for.add(&attendants, id(1));
    tokio::time::sleep(3 * limit).await;
    assert!(store.find(id(1)).await.expect("a look").is_none());
    store.wake(id(1), false, Timestamp::from_millis(0)).await.expect("an answer").expect("it is back");
    spoken_for.add(&attendants, id(1));
    tokio::time::sleep(3 * limit).await;
    assert!(store.find(id(1)).await.expect("a look").is_some());
    keeping.abort();
}
