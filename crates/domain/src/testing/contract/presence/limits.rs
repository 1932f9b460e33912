use std::time::Duration;

use super::{
    A, MOMENT, Node, PresenceStore, at, claim, id, idle, is_online, limits, open_as, revision, wake,
};
use crate::event::{Departure, DepartureReason, Revision};

/// Nothing happens at all.
pub async fn a_session_that_does_nothing_runs_out_by_its_kind(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    node.pass(limits().lease).await;
    open_as(store, 1, "JohnDoe", true).await;
    open_as(store, 2, "Zoë", false).await;
    node.runs_out_after(1, idle(limits().unconnected)).await;
    node.runs_out_after(2, idle(limits().unclaimed) - idle(limits().unconnected)).await;
}

/// As the others are told of it.
pub async fn who_runs_out_leaves_the_list(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    let session = open_as(store, 1, "JohnDoe", true).await;
    node.pass(idle(limits().unconnected)).await;
    assert!(is_online(store, 1).await, "until somebody ends it");
    let departure = Departure {
        session: id(1),
        user: session.user.id,
        pseudonym: session.pseudonym,
        reason: DepartureReason::Expired,
        revision: Revision(2),
    };
    assert_eq!(store.reap(A, 10, at(6_000)).await.expect("it may"), [departure]);
    assert!(!is_online(store, 1).await);
    assert_eq!(revision(store).await, 2);
}

/// Its own limit each, from the last one on.
pub async fn requests_keep_a_session_without_connections(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    open_as(store, 1, "JohnDoe", true).await;
    open_as(store, 2, "Zoë", false).await;
    for _ in 0..3 {
        node.pass(limits().unconnected).await;
        let woken = wake(store, 1).await.expect("it lives");
        assert_eq!((woken.0.id, woken.1), (id(1), None));
    }
    wake(store, 2).await.expect("it lives");
    node.runs_out_after(1, idle(limits().unconnected)).await;
    node.runs_out_after(2, idle(limits().unclaimed) - idle(limits().unconnected)).await;
}

/// That is what the slack is for: between two writes a request may cost a read only, and none comes too short.
pub async fn many_requests_give_no_less_than_the_limit_and_no_more_than_the_slack(
    store: &impl PresenceStore,
) {
    let mut node = Node::start(store, A).await;
    open_as(store, 1, "JohnDoe", true).await;
    let slack = limits().slack(limits().unconnected);
    for _ in 0..7 {
        node.pass(slack - MOMENT).await;
        wake(store, 1).await.expect("it lives");
    }
    node.pass(limits().unconnected - MOMENT).await;
    assert_eq!(node.reap().await, []);
    node.runs_out_by(1, MOMENT + slack).await;
}

/// Also when no request comes for hours.
pub async fn a_session_that_is_served_does_not_run_out(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    open_as(store, 1, "JohnDoe", true).await;
    open_as(store, 2, "Zoë", false).await;
    node.attend(&[1, 2], &[]).await;
    node.pass(limits().unclaimed * 2).await;
    wake(store, 1).await.expect("it lives");
    node.pass(limits().unconnected * 2).await;
    assert_eq!(node.reap().await, []);
}

/// Before it was ended, it was there all the time.
pub async fn who_arrives_before_the_reaper_stays(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    open_as(store, 1, "JohnDoe", true).await;
    node.pass(idle(limits().unconnected) * 2).await;
    node.serve(1).await;
    assert_eq!(node.reap().await, []);
    assert_eq!(revision(store).await, 1);
}

/// Since the last connection went, and a request makes it no longer: whoever comes later is brought back.
pub async fn a_claimed_session_has_its_grace_and_no_more(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    open_as(store, 1, "JohnDoe", true).await;
    node.serve(1).await;
    node.drop(1).await;
    node.pass(Duration::from_secs(1)).await;
    wake(store, 1).await.expect("it lives");
    node.runs_out_after(1, limits().grace - Duration::from_secs(1)).await;
}

/// Nor is the session that comes back within it ended.
pub async fn who_comes_back_within_its_grace_stays(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    open_as(store, 1, "JohnDoe", true).await;
    for _ in 0..3 {
        node.serve(1).await;
        node.drop(1).await;
        node.pass(limits().grace - MOMENT).await;
        assert_eq!(node.reap().await, []);
    }
    node.runs_out_after(1, MOMENT).await;
}

/// Acts in its name count, the end of its last connection does, and no grace is given.
pub async fn an_unclaimed_session_has_its_limit_from_its_last_connection_on(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    open_as(store, 1, "JohnDoe", false).await;
    open_as(store, 2, "Zoë", false).await;
    node.attend(&[1, 2], &[]).await;
    node.attend(&[], &[(1, node.now), (2, node.now)]).await;
    node.pass(limits().unclaimed / 2).await;
    wake(store, 2).await.expect("it lives");
    node.runs_out_after(1, limits().unclaimed / 2).await;
    node.runs_out_after(2, idle(limits().unclaimed) - limits().unclaimed / 2).await;
}

/// It was given half an hour, which only a session that anybody may speak for has.
pub async fn a_session_that_is_claimed_lives_by_the_limits_of_the_claimed(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    for (number, pseudonym) in [(1, "one"), (2, "two"), (3, "three"), (4, "four")] {
        open_as(store, number, pseudonym, false).await;
    }
    node.attend(&[2, 3], &[]).await;
    node.attend(&[], &[(2, node.now)]).await;
    node.pass(limits().unconnected).await;
    assert!(claim(store, 1).await);
    let (woken, revision) = store.wake(id(2), true, at(7_000)).await.expect("an answer").expect("it lives");
    assert_eq!((woken.claimed, revision), (true, None));
    assert!(claim(store, 3).await);
    node.drop(3).await;
    node.runs_out_after(3, limits().grace).await;
    node.runs_out_by(1, idle(limits().unconnected)).await;
    assert!(!is_online(store, 2).await);
    assert!(is_online(store, 4).await);
}
