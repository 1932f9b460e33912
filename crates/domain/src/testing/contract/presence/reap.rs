use std::collections::BTreeSet;

use super::{A, B, MOMENT, Node, PresenceStore, at, id, idle, limits, open_as, revision};
use crate::ports::AttendError;
use crate::testing::contract::sessions::join_all;

/// Each in one answer, with a revision of its own.
pub async fn what_is_over_is_ended_once_however_many_try(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    for number in 1..=20 {
        open_as(store, number, &format!("name-{number}"), true).await;
    }
    a.pass(idle(limits().unconnected)).await;
    Node::start(store, B).await;
    let attempts = (0..10).map(|n| store.reap(if n % 2 == 0 { A } else { B }, 7, at(6_000)));
    let mut ended = Vec::new();
    for outcome in join_all(attempts).await {
        ended.extend(outcome.expect("both have a lease"));
    }
    let sessions: BTreeSet<_> = ended.iter().map(|departure| departure.session).collect();
    let revisions: BTreeSet<_> = ended.iter().map(|departure| departure.revision.0).collect();
    assert_eq!((ended.len(), sessions.len()), (20, 20));
    assert_eq!(revisions, (21..=40).collect());
    assert_eq!(a.reap().await, []);
    assert_eq!(revision(store).await, 40);
}

/// The rest is for the next time.
pub async fn those_whose_time_came_first_are_ended_first(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    for (number, pseudonym) in [(5, "one"), (3, "two"), (4, "three")] {
        open_as(store, number, pseudonym, true).await;
        node.pass(MOMENT).await;
    }
    node.pass(idle(limits().unconnected)).await;
    let mut ended = Vec::new();
    for expected in [2, 1, 0] {
        let some = store.reap(A, 2, at(6_000)).await.expect("it may");
        assert_eq!(some.len(), expected);
        ended.extend(some.into_iter().map(|departure| departure.session));
    }
    assert_eq!(ended, [id(5), id(3), id(4)]);
}

/// It does not know any more who is there.
pub async fn a_node_without_a_lease_ends_nobody(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    open_as(store, 1, "JohnDoe", true).await;
    assert!(matches!(store.reap(B, 10, at(6_000)).await, Err(AttendError::LeaseLost)));
    let b = Node::start(store, B).await;
    a.pass(idle(limits().unconnected)).await;
    assert!(matches!(store.reap(b.id, 10, at(6_000)).await, Err(AttendError::LeaseLost)));
    assert_eq!(a.reap().await, [id(1)]);
}

/// Of sessions that are not served, and of leases.
pub async fn the_next_end_is_known_before_it_comes(store: &impl PresenceStore) {
    let next_over = async || store.next_over().await.expect("a look");
    assert_eq!(next_over().await, None);
    let mut a = Node::start(store, A).await;
    assert_eq!(next_over().await, Some(a.now.after(limits().lease)));
    open_as(store, 1, "JohnDoe", true).await;
    a.serve(1).await;
    a.pass(limits().lease / 2).await;
    let gone = a.now;
    a.drop(1).await;
    assert_eq!(next_over().await, Some(gone.after(limits().grace)));
    a.pass(limits().grace).await;
    assert_eq!(a.reap().await, [id(1)]);
    assert_eq!(next_over().await, Some(a.now.after(limits().lease)));
}

/// The sessions of both are in the same answer.
pub async fn dead_nodes_come_first(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let b = Node::start(store, B).await;
    open_as(store, 1, "JohnDoe", true).await;
    open_as(store, 2, "Zoë", true).await;
    b.serve(2).await;
    a.pass(idle(limits().unconnected)).await;
    assert_eq!(a.reap().await, [id(2), id(1)]);
}
