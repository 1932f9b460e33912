use super::{
    A, Node, PresenceStore, at, id, idle, is_online, limits, open_as, revision, try_open, wake, wake_named,
};
use crate::auth::Authority;
use crate::event::Revision;
use crate::ports::{Attended, OpenError};
use crate::session::Session;
use crate::testing::contract::sessions::join_all;

/// Opens a session and lets its time run out.
pub(super) async fn run_out<S: PresenceStore>(
    node: &mut Node<'_, S>,
    number: u128,
    pseudonym: &str,
    claimed: bool,
) {
    open_as(node.store, number, pseudonym, claimed).await;
    let limit = if claimed { limits().unconnected } else { limits().unclaimed };
    node.pass(idle(limit)).await;
    assert_eq!(node.reap().await, [id(number)]);
}

/// As if it had just been opened: with a new revision, and limits that begin anew.
pub async fn the_token_brings_a_session_back(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    let first = open_as(store, 1, "JohnDoe", true).await;
    node.serve(1).await;
    node.drop(1).await;
    node.runs_out_after(1, limits().grace).await;
    node.pass(limits().hold * 3).await;
    let back = Session { connected_at: at(7_000), ..first };
    assert_eq!(wake(store, 1).await, Some((back.clone(), Some(Revision(3)))));
    assert_eq!(store.find(id(1)).await.expect("a look"), Some(back.clone()));
    assert_eq!(wake(store, 1).await, Some((back, None)), "once");
    assert_eq!(revision(store).await, 3);
    node.runs_out_after(1, idle(limits().unconnected)).await;
}

/// Whoever connects does not have to wake it first.
pub async fn arriving_brings_a_session_back(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", true).await;
    let outcomes = node.attend(&[1], &[]).await;
    let Attended::BroughtBack(session, Revision(3)) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!((session.id, session.connected_at), (id(1), at(5_000)));
    node.pass(limits().unconnected * 2).await;
    assert_eq!(node.reap().await, []);
    node.drop(1).await;
    node.runs_out_after(1, limits().grace).await;
}

/// Its token is shown on purpose.
pub async fn what_is_brought_back_may_be_claimed_at_once(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", false).await;
    let (back, revision) = store.wake(id(1), true, at(7_000)).await.expect("an answer").expect("it is back");
    assert_eq!((back.claimed, revision), (true, Some(Revision(3))));
    assert_eq!(store.end(id(1), Authority::Name, at(7_000)).await.expect("an answer"), None);
    node.runs_out_after(1, idle(limits().unconnected)).await;
}

/// Many requests with one token, all at the same time.
pub async fn a_session_is_brought_back_once_however_many_try(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", true).await;
    let woken = join_all((0..20).map(|_| wake(store, 1))).await;
    let revisions: Vec<_> = woken.into_iter().filter_map(|woken| woken.expect("it is back").1).collect();
    assert_eq!(revisions, [Revision(3)]);
}

/// However it is tried, and also after the name had another holder.
pub async fn what_was_logged_out_never_comes_back(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    for claimed in [false, true] {
        open_as(store, 1 + u128::from(claimed), "JohnDoe", claimed).await;
        store.end(id(1 + u128::from(claimed)), Authority::Token, at(2_000)).await.expect("it ends");
    }
    for number in [1, 2, 9] {
        assert_eq!(wake(store, number).await, None);
        assert_eq!(store.wake(id(number), true, at(7_000)).await.expect("an answer"), None);
        assert_eq!(node.attend(&[number], &[]).await, [Attended::Over]);
        assert_eq!(store.dormant(id(number)).await.expect("a look"), None);
    }
    assert_eq!(wake_named(store, "JohnDoe").await, None);
    node.pass(idle(limits().unclaimed)).await;
    assert_eq!(node.reap().await, []);
    assert_eq!(revision(store).await, 4);
    open_as(store, 3, "JohnDoe", true).await;
}

/// Also while a connection is still there: its node will hear of it.
pub async fn a_served_session_is_logged_out_for_good(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    open_as(store, 1, "JohnDoe", true).await;
    node.serve(1).await;
    store.end(id(1), Authority::Token, at(2_000)).await.expect("it ends");
    node.drop(1).await;
    node.pass(limits().grace * 2).await;
    assert_eq!(node.reap().await, []);
    assert!(!is_online(store, 1).await);
}

/// Whoever has the name now keeps it; when it is free again, the first come is served.
pub async fn a_session_does_not_come_back_while_another_has_its_name(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", false).await;
    open_as(store, 2, "ЈоhnDое", false).await;
    assert_eq!(wake(store, 1).await, None);
    assert_eq!(node.attend(&[1], &[]).await, [Attended::Over]);
    store.end(id(2), Authority::Name, at(2_000)).await.expect("it ends");
    assert!(wake(store, 1).await.is_some());
}

/// The latest holder comes before the earlier ones.
pub async fn a_session_does_not_come_back_while_another_holds_its_name(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", true).await;
    node.pass(limits().hold).await;
    run_out(&mut node, 2, "johndoe", true).await;
    assert_eq!(wake(store, 1).await, None);
    assert_eq!(node.attend(&[1], &[]).await, [Attended::Over]);
    node.pass(limits().hold).await;
    assert!(wake(store, 1).await.is_some());
    assert_eq!(wake(store, 2).await, None);
}

/// For a while, and for others only.
pub async fn a_claimed_sessions_name_is_held_for_it(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", true).await;
    let left = limits().hold / 3;
    node.pass(limits().hold - left).await;
    for same in ["JohnDoe", "johndoe", "ЈоhnDое"] {
        let refused = try_open(store, 2, same, false).await;
        assert!(
            matches!(&refused, Err(OpenError::NameHeld { retry_after }) if *retry_after == left),
            "{refused:?}"
        );
    }
    assert_eq!(wake_named(store, "JohnDoe").await, None);
    assert!(wake(store, 1).await.is_some());
    let refused = try_open(store, 2, "JohnDoe", false).await;
    assert!(matches!(refused, Err(OpenError::NameTaken)), "{refused:?}");
    store.end(id(1), Authority::Token, at(8_000)).await.expect("it ends");
    open_as(store, 2, "JohnDoe", false).await;
}

/// From then on it is anybody's.
pub async fn a_hold_is_over_when_its_time_is(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", true).await;
    node.pass(limits().hold).await;
    open_as(store, 2, "JohnDoe", true).await;
    assert_eq!(wake(store, 1).await, None);
}

/// Its name was never more than a name.
pub async fn an_unclaimed_session_has_no_hold(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", false).await;
    open_as(store, 2, "JohnDoe", true).await;
}

/// Exactly one gets the name.
pub async fn coming_back_and_opening_at_once_make_one_session(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", false).await;
    let opens = join_all((10..20).map(|number| try_open(store, number, "JohnDoe", true)));
    let (opened, woken) = futures_util::future::join(opens, wake(store, 1)).await;
    let winners = opened.iter().filter(|opened| opened.is_ok()).count() + woken.iter().count();
    assert_eq!(winners, 1);
    assert_eq!(store.online().await.expect("a look").sessions.len(), 1);
}

/// The last to have the name; and it keeps a living one.
pub async fn speaking_brings_an_unclaimed_session_back(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    assert_eq!(wake_named(store, "JohnDoe").await, None);
    run_out(&mut node, 1, "JohnDoe", false).await;
    let (back, revision) = wake_named(store, "johndoe").await.expect("it is back");
    assert_eq!((back.id, back.connected_at, revision), (id(1), at(7_000), Some(Revision(3))));
    node.pass(limits().unclaimed).await;
    assert_eq!(wake_named(store, "JohnDoe").await, Some((back, None)));
    node.runs_out_after(1, idle(limits().unclaimed)).await;
}

/// Nor one that had the name before somebody claimed it, or logged out.
pub async fn speaking_does_not_bring_back_what_is_not_free_to_all(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", false).await;
    open_as(store, 2, "JohnDoe", true).await;
    assert_eq!(wake_named(store, "JohnDoe").await, None);
    node.pass(idle(limits().unconnected)).await;
    assert_eq!(store.reap(A, 10, at(6_001)).await.expect("it may").len(), 1);
    node.pass(limits().hold).await;
    assert_eq!(wake_named(store, "JohnDoe").await, None);
    open_as(store, 3, "JohnDoe", false).await;
    store.end(id(3), Authority::Name, at(6_002)).await.expect("it ends");
    assert_eq!(wake_named(store, "JohnDoe").await, None);
    assert!(wake(store, 1).await.is_some(), "its token does");
}

/// And nobody else.
pub async fn who_ran_out_is_found_by_id(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", true).await;
    open_as(store, 2, "Zoë", true).await;
    let found = store.dormant(id(1)).await.expect("a look").expect("it ran out");
    assert_eq!((found.id, found.pseudonym.as_str()), (id(1), "JohnDoe"));
    assert_eq!(store.dormant(id(2)).await.expect("a look"), None);
    assert_eq!(store.dormant(id(9)).await.expect("a look"), None);
    wake(store, 1).await.expect("it is back");
    assert_eq!(store.dormant(id(1)).await.expect("a look"), None);
}
