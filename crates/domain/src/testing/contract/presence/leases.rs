use std::time::Duration;

use super::{A, B, MOMENT, Node, PresenceStore, id, is_online, limits, open_as};
use crate::ports::{AttendError, Attended, Beaten};
use crate::presence::Moment;

const SECOND: Duration = Duration::from_secs(1);

/// By what the node's own clock says.
pub async fn presence_time_begins_at_zero_and_is_moved_by_beats(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    assert_eq!(node.now, Moment(0));
    for (elapsed, now) in [(1, 1_000), (2, 3_000), (0, 3_000)] {
        let beaten = Beaten { now: Moment(now), alone: true, held: true };
        assert_eq!(node.beat(SECOND * elapsed).await, beaten);
    }
}

/// Nobody was there to see it: a frozen node, or all of them cut off from the database.
pub async fn a_time_longer_than_a_lease_counts_as_nothing(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    node.beat(SECOND).await;
    for long in [limits().lease + MOMENT, Duration::from_hours(1)] {
        assert_eq!(node.beat(long).await, Beaten { now: Moment(1_000), alone: false, held: true });
    }
}

/// Whoever is ahead leads, and what is late changes nothing.
pub async fn beats_of_several_nodes_never_move_time_back(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let mut b = Node::start(store, B).await;
    assert_eq!(a.beat(SECOND * 3).await.now, Moment(3_000));
    assert_eq!(b.beat(SECOND * 2).await.now, Moment(3_000));
    assert_eq!(a.beat(SECOND).await.now, Moment(4_000));
    assert_eq!(b.beat(SECOND * 2).await.now, Moment(5_000));
    assert_eq!(a.beat(Duration::ZERO).await.now, Moment(5_000));
    assert_eq!(Node::start(store, A).await.now, Moment(5_000), "a beat that says nothing moves nothing");
}

/// Also where each of them moves it on.
pub async fn a_node_is_told_whether_others_have_moved_time_on(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    assert!(a.beat(SECOND).await.alone);
    let mut b = Node::start(store, B).await;
    assert!(a.beat(SECOND).await.alone, "who starts moves nothing");
    assert!(!b.beat(SECOND * 3).await.alone);
    assert!(b.beat(SECOND).await.alone);
    assert!(!a.beat(SECOND * 9).await.alone);
    assert!(!b.beat(SECOND).await.alone);
}

/// From the first beat on, and not before.
pub async fn a_node_has_a_lease_while_it_beats(store: &impl PresenceStore) {
    assert!(!store.beat(A, None).await.expect("a beat").held, "nothing was recorded before");
    assert!(!store.beat(A, None).await.expect("a beat").held, "nor is anything known to it");
    let mut a = Node::start(store, A).await;
    a.pass(limits().lease * 3).await;
}

/// At its end, by the time that the others keep.
pub async fn a_lease_runs_out(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let mut b = Node::start(store, B).await;
    open_as(store, 1, "JohnDoe", true).await;
    a.pass(limits().lease - MOMENT).await;
    b.serve(1).await;
    a.pass(MOMENT).await;
    assert!(matches!(b.try_attend(&[1], &[]).await, Err(AttendError::LeaseLost)));
    assert!(!b.beat(Duration::ZERO).await.held);
    assert!(b.beat(Duration::ZERO).await.held);
    b.serve(1).await;
}

/// Neither before its first beat nor after its lease: not even a part.
pub async fn who_has_no_lease_records_nothing(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let b = Node { store, id: B, now: a.now };
    open_as(store, 1, "JohnDoe", true).await;
    open_as(store, 2, "Zoë", true).await;
    a.serve(1).await;
    assert!(matches!(b.try_attend(&[2], &[(1, b.now)]).await, Err(AttendError::LeaseLost)));
    a.pass(limits().unconnected * 2).await;
    assert_eq!(a.reap().await, [id(2)]);
}

/// Gone since its lease's end, not since it was noticed: crashed, frozen or cut off, that is all the same.
pub async fn a_dead_nodes_sessions_have_their_grace_from_the_leases_end(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let b = Node::start(store, B).await;
    open_as(store, 1, "JohnDoe", true).await;
    open_as(store, 2, "Zoë", false).await;
    b.attend(&[1, 2], &[]).await;
    a.pass(SECOND).await;
    a.runs_out_after(1, limits().lease + limits().grace - SECOND).await;
    a.runs_out_after(2, limits().unclaimed - limits().grace).await;
}

/// It has a lease again then, but what it recorded before is not revived.
pub async fn a_node_that_comes_back_serves_nothing_until_it_says_so(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let mut b = Node::start(store, B).await;
    open_as(store, 1, "JohnDoe", true).await;
    open_as(store, 2, "Zoë", true).await;
    b.attend(&[1, 2], &[]).await;
    a.pass(limits().lease).await;
    assert!(!b.beat(Duration::ZERO).await.held);
    b.serve(2).await;
    a.beat(limits().lease / 2).await;
    b.beat(limits().lease / 2).await;
    assert_eq!(a.reap().await, []);
    a.beat(limits().lease / 2).await;
    assert_eq!(a.reap().await, [id(1)], "the other is served again");
}

/// The answer that said so was lost: what it believes to be recorded is not.
pub async fn a_node_that_did_not_hear_that_it_lost_its_lease_hears_it_again(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let mut b = Node::start(store, B).await;
    open_as(store, 1, "JohnDoe", true).await;
    open_as(store, 2, "Zoë", true).await;
    b.serve(1).await;
    a.pass(limits().lease).await;
    for _ in 0..2 {
        let unheard = store.beat(B, Some((b.now, Duration::ZERO))).await.expect("a beat");
        assert_eq!(unheard, Beaten { now: a.now, alone: false, held: false });
        b.serve(2).await;
    }
    assert!(!b.beat(Duration::ZERO).await.held);
    assert!(b.beat(Duration::ZERO).await.held);
    a.pass(limits().grace - MOMENT).await;
    assert!(b.beat(Duration::ZERO).await.held);
    a.runs_out_after(2, MOMENT).await;
    assert!(!is_online(store, 1).await);
}

/// A crash and a restart of the only node.
pub async fn who_comes_back_within_the_grace_was_never_gone(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    for (number, pseudonym) in [(1, "JohnDoe"), (2, "Zoë")] {
        open_as(store, number, pseudonym, true).await;
        a.serve(number).await;
    }
    a.pass(SECOND).await;
    let mut b = Node::start(store, B).await;
    b.pass(limits().lease + limits().grace - MOMENT).await;
    let outcomes = b.attend(&[1], &[]).await;
    assert!(matches!(&outcomes[..], [Attended::Living(session)] if session.id == id(1)));
    b.runs_out_after(2, MOMENT).await;
    b.pass(limits().lease).await;
    assert_eq!(b.reap().await, []);
}

/// It is gone when it is gone from both.
pub async fn two_nodes_may_serve_one_session(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let mut b = Node::start(store, B).await;
    open_as(store, 1, "JohnDoe", true).await;
    a.serve(1).await;
    b.serve(1).await;
    a.drop(1).await;
    for _ in 0..10 {
        a.beat(SECOND * 5).await;
        b.beat(SECOND * 5).await;
    }
    assert_eq!(a.reap().await, []);
    b.drop(1).await;
    a.runs_out_after(1, limits().grace).await;
}

/// Nodes say late, and each in its own time, what has gone.
pub async fn the_last_end_of_a_connection_counts_in_whatever_order_they_are_said(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let b = Node::start(store, B).await;
    open_as(store, 1, "JohnDoe", true).await;
    a.serve(1).await;
    b.serve(1).await;
    a.pass(SECOND * 9).await;
    a.attend(&[], &[(1, Moment(8_000))]).await;
    b.attend(&[], &[(1, Moment(1_000))]).await;
    a.runs_out_after(1, limits().grace - SECOND).await;
}

/// A round that is said again, or came too late.
pub async fn a_departure_of_what_is_not_served_changes_nothing(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let b = Node::start(store, B).await;
    open_as(store, 1, "JohnDoe", true).await;
    a.serve(1).await;
    a.drop(1).await;
    a.pass(SECOND).await;
    a.attend(&[], &[(1, a.now), (9, a.now)]).await;
    b.drop(1).await;
    a.runs_out_after(1, limits().grace - SECOND).await;
}

/// As one, and everything of it in order.
pub async fn a_round_has_arrivals_and_departures(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let opened = [(1, "one"), (2, "two"), (3, "three"), (4, "four")];
    for (number, pseudonym) in opened {
        open_as(store, number, pseudonym, true).await;
    }
    a.attend(&[1, 2], &[]).await;
    let outcomes = a.attend(&[3, 9, 4, 1], &[(2, a.now)]).await;
    let found: Vec<_> = outcomes.iter().map(|outcome| outcome.session().map(|session| session.id)).collect();
    assert_eq!(found, [Some(id(3)), None, Some(id(4)), Some(id(1))]);
    assert!(matches!(&outcomes[1], Attended::Over));
    assert_eq!(a.attend(&[], &[]).await, []);
    a.runs_out_after(2, limits().grace).await;
    a.pass(limits().unconnected * 2).await;
    assert_eq!(a.reap().await, []);
}

/// All at once, without its lease being waited for.
pub async fn a_node_that_leaves_serves_nothing_any_more(store: &impl PresenceStore) {
    let mut a = Node::start(store, A).await;
    let b = Node::start(store, B).await;
    for (number, pseudonym) in [(1, "JohnDoe"), (2, "Zoë"), (3, "Ann")] {
        open_as(store, number, pseudonym, true).await;
        b.serve(number).await;
    }
    a.serve(3).await;
    a.pass(SECOND * 2).await;
    for _ in 0..2 {
        store.leave(B, Moment(1_000)).await.expect("it leaves");
    }
    assert!(matches!(b.try_attend(&[1], &[]).await, Err(AttendError::LeaseLost)));
    a.runs_out_after(1, limits().grace - SECOND).await;
    assert!(!is_online(store, 2).await);
    a.pass(limits().lease * 2).await;
    assert!(is_online(store, 3).await);
}
