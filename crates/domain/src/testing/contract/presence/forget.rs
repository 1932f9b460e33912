use super::{A, Node, PresenceStore, at, id, idle, is_online, limits, open_as, run_out, wake};
use crate::auth::Authority;
use crate::message::Content;
use crate::ports::{Draft, NewSession, Sessions};
use crate::testing::contract::Store;
use crate::testing::name;

/// Neither living ones nor those whose token was used since.
pub async fn what_is_long_over_is_forgotten(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    for (number, pseudonym, claimed) in [(1, "one", true), (2, "two", true), (3, "three", false)] {
        open_as(store, number, pseudonym, claimed).await;
    }
    node.pass(idle(limits().unconnected)).await;
    assert_eq!(node.reap().await.len(), 2, "at 6,000 by the wall clock");
    open_as(store, 4, "four", true).await;
    store.end(id(4), Authority::Token, at(2_000)).await.expect("it ends");
    assert!(!store.forget(at(6_000), 10).await.expect("it may"));
    assert!(store.dormant(id(1)).await.expect("a look").is_some());
    assert!(store.forget(at(6_001), 1).await.expect("it may"), "one more is left");
    assert!(!store.forget(at(6_001), 10).await.expect("it may"));
    for number in [1, 2] {
        assert_eq!(store.dormant(id(number)).await.expect("a look"), None);
        assert_eq!(wake(store, number).await, None);
    }
    assert!(is_online(store, 3).await);
    open_as(store, 5, "one", true).await;
}

/// Its life begins anew with each use.
pub async fn a_token_that_was_used_lately_is_not_forgotten(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    run_out(&mut node, 1, "JohnDoe", true).await;
    wake(store, 1).await.expect("it is back, at 7,000 by the wall clock");
    node.pass(idle(limits().unconnected)).await;
    assert_eq!(node.reap().await, [id(1)]);
    assert!(!store.forget(at(7_000), 10).await.expect("it may"));
    assert!(store.dormant(id(1)).await.expect("a look").is_some());
    assert!(!store.forget(at(7_001), 10).await.expect("it may"));
    assert_eq!(store.dormant(id(1)).await.expect("a look"), None);
}

async fn open_at(store: &impl Sessions, number: u128, pseudonym: &str, millis: i64) {
    let new = NewSession { id: id(number), pseudonym: name(pseudonym), claimed: true, now: at(millis) };
    store.open(new).await.expect("the name is free");
}

/// As at a start before the machine has asked what time it is.
pub async fn a_clock_that_is_set_back_has_nobody_forgotten_too_early(store: &impl PresenceStore) {
    let mut node = Node::start(store, A).await;
    open_at(store, 1, "one", 8_000).await;
    open_at(store, 2, "two", 8_500).await;
    open_at(store, 3, "three", 9_000).await;
    node.serve(3).await;
    node.pass(idle(limits().unconnected) / 2).await;
    store.end(id(2), Authority::Token, at(2_000)).await.expect("it ends");
    node.pass(idle(limits().unconnected) / 2).await;
    assert_eq!(node.reap().await, [id(1)], "at 6,000 by the wall clock");
    assert!(!store.forget(at(9_000), 1).await.expect("it may"));
    assert!(store.dormant(id(1)).await.expect("a look").is_some());
    assert!(store.forget(at(9_001), 1).await.expect("it may"), "one more is left");
    assert!(!store.forget(at(9_001), 10).await.expect("it may"));
    assert_eq!(store.dormant(id(1)).await.expect("a look"), None);
}

/// What two have said to each other is theirs for as long as their tokens are good.
pub async fn what_ends_behind_a_message_did_not_end_before_it(store: &impl Store) {
    for (number, pseudonym) in [(1, "one"), (2, "two")] {
        open_as(store, number, pseudonym, true).await;
    }
    let content = Content::parse("hello").expect("a good content");
    let hello =
        Draft { sender_session: id(1), authority: Authority::Token, to: None, content, client_id: None };
    let posted = store.append(&[hello], at(9_000)).await.expect("an answer");
    let said = posted[0].as_ref().expect("it is posted").message.timestamp;
    for number in [1, 2] {
        store.end(id(number), Authority::Token, at(2_000)).await.expect("it ends");
    }
    assert!(!store.forget(said, 1).await.expect("it may"));
}
