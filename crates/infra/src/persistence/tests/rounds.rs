//! What keeping presence costs the database, in statements; times are what `make bench-presence` is for.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use lobby_domain::ports::Presence;
use lobby_domain::presence::{Moment, NodeId};

use super::*;

const NODE: NodeId = NodeId(uuid::Uuid::from_u128(1));
const NOW: Timestamp = Timestamp::from_millis(1);

/// How many statements a heartbeat takes that changes nothing, and a round of one arrival and one departure, with so many
/// more online each time.
async fn costs(mut store: Store) -> Vec<(u64, u64)> {
    let counter = Arc::new(AtomicU64::new(0));
    store.count_statements(&counter);
    let (first, second) = (join(&store, "the-first").await, join(&store, "the-second").await);
    let mut costs = Vec::new();
    let mut count = store.beat(NODE, None).await.expect("a beat").now;
    for online in [1, 30, 300] {
        let mut crowd = vec![second];
        for number in 0..online {
            crowd.push(join(&store, &format!("person-{online}-{number}")).await);
        }
        store.attend(NODE, &crowd, &[], NOW).await.expect("they are recorded");
        counter.store(0, Ordering::Relaxed);
        count = heartbeat(&store, count).await;
        let heartbeat = counter.swap(0, Ordering::Relaxed);
        store.attend(NODE, &[first], &[(second, count)], NOW).await.expect("it is recorded");
        costs.push((heartbeat, counter.load(Ordering::Relaxed)));
    }
    costs
}

/// As [`crate::presence::Keeper`] makes it while nothing changes.
async fn heartbeat(store: &Store, since: Moment) -> Moment {
    let beaten = store.beat(NODE, Some((since, Duration::from_millis(5)))).await.expect("a beat");
    assert!(beaten.held);
    assert_eq!(store.reap(NODE, 100, NOW).await.expect("a look"), [], "nobody is over");
    beaten.now
}

#[tokio::test]
async fn a_heartbeat_takes_as_many_statements_however_many_are_online() {
    let (store, _folder) = sqlite().await;
    assert_eq!(Box::pin(costs(store)).await, [(5, 9); 3]);
}

#[tokio::test]
async fn a_heartbeat_on_postgres_takes_no_more() {
    let server = Postgres::start().await;
    let (store, ()) = postgres(&server).await;
    assert_eq!(Box::pin(costs(store)).await, [(5, 9); 3]);
}
