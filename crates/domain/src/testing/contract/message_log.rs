use std::collections::BTreeSet;

use super::sessions::join_all;
use super::{Store, at, id, open};
use crate::auth::Authority;
use crate::message::{Content, MessageId};
use crate::ports::Draft;

fn draft(sender: u128, text: &str) -> Draft {
    let content = Content::parse(text).expect("a good content");
    Draft { sender_session: id(sender), authority: Authority::Name, content }
}

/// Before the first message.
pub async fn an_empty_log_stands_at_zero_and_keeps_its_id(store: &impl Store) {
    let head = store.head().await.expect("a look");
    assert_eq!(head.last_id, MessageId(0));
    open(store, 1, "JohnDoe").await;
    store.append(vec![draft(1, "hello")], at(1)).await.expect("it is appended");
    let later = store.head().await.expect("a look");
    assert_eq!((later.log, later.last_id), (head.log, MessageId(1)));
}

/// Within one call and over many.
pub async fn messages_get_the_next_ids_in_order(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    open(store, 2, "Zoë").await;
    let mut seen = Vec::new();
    for drafts in [vec![draft(1, "a"), draft(2, "b"), draft(1, "c")], vec![], vec![draft(2, "d")]] {
        seen.extend(store.append(drafts, at(1)).await.expect("they are appended").into_iter().flatten());
    }
    let seen: Vec<_> = seen.iter().map(|m| (m.id.0, m.content.as_str())).collect();
    assert_eq!(seen, [(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
    assert_eq!(store.head().await.expect("a look").last_id, MessageId(4));
}

/// As the session was when it spoke.
pub async fn a_message_says_who_sent_it_and_when(store: &impl Store) {
    let session = open(store, 1, "Zoë").await;
    let appended = store.append(vec![draft(1, "hello 李明")], at(5_000)).await.expect("it is appended");
    let message = appended[0].as_ref().expect("the session lives");
    assert_eq!(message.sender_session, session.id);
    assert_eq!(message.sender_id, session.user.id);
    assert_eq!(message.sender, session.pseudonym);
    assert_eq!(message.content.as_str(), "hello 李明");
    assert_eq!(message.timestamp, at(5_000));
}

/// And leaves no gap where it would have been.
pub async fn a_session_that_is_over_gets_no_id(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    open(store, 2, "Zoë").await;
    store.end(id(2), Authority::Name, at(1)).await.expect("it ends");
    let drafts = vec![draft(1, "a"), draft(2, "b"), draft(9, "c"), draft(1, "d")];
    let appended = store.append(drafts, at(1)).await.expect("they are appended");
    let ids: Vec<_> = appended.iter().map(|m| m.as_ref().map(|m| m.id.0)).collect();
    assert_eq!(ids, [Some(1), None, None, Some(2)]);
    let none = store.append(vec![draft(2, "e")], at(1)).await.expect("an answer");
    assert_eq!(none, [None]);
    assert_eq!(store.head().await.expect("a look").last_id, MessageId(2));
}

/// Also when it was unclaimed as the draft was made.
pub async fn a_claimed_session_says_nothing_by_its_name_alone(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    store.claim(id(1)).await.expect("it lives");
    let by_token = Draft { authority: Authority::Token, ..draft(1, "his own") };
    let appended = store.append(vec![draft(1, "another's"), by_token], at(1)).await.expect("an answer");
    let said: Vec<_> = appended.iter().map(|m| m.as_ref().map(|m| m.content.as_str())).collect();
    assert_eq!(said, [None, Some("his own")]);
}

/// Whatever the clock does.
pub async fn time_in_the_log_never_goes_back(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    let mut stamps = Vec::new();
    for now in [5_000, 3_000, 6_000] {
        let appended = store.append(vec![draft(1, "x"), draft(1, "y")], at(now)).await.expect("appended");
        stamps.extend(appended.into_iter().flatten().map(|m| m.timestamp.as_millis()));
    }
    assert_eq!(stamps, [5_000, 5_000, 5_000, 5_000, 6_000, 6_000]);
}

/// Every id once, none left out.
pub async fn ids_stay_gapless_under_concurrency(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    let appends =
        (0..20).map(|n| store.append(vec![draft(1, &format!("{n}a")), draft(1, &format!("{n}b"))], at(1)));
    let mut ids = BTreeSet::new();
    for appended in join_all(appends).await {
        let pair: Vec<_> = appended.expect("appended").into_iter().flatten().map(|m| m.id.0).collect();
        assert_eq!(pair[1], pair[0] + 1, "a batch stays together");
        ids.extend(pair);
    }
    assert_eq!(ids, (1..=40).collect());
}
