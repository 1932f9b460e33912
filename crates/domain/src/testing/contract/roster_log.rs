use futures_util::future::join_all;

use super::{Store, at, claim, id, new_session, open};
use crate::auth::Authority;
use crate::event::{Departure, DepartureReason, Revision};
use crate::ports::{CHANGES_KEPT, Changes};
use crate::roster::{Change, Roster};
use crate::session::Session;

async fn changes(store: &impl Store, after: i64, most: usize) -> Changes {
    store.changes(Revision(after), most).await.expect("a look")
}

fn joined(session: &Session, revision: i64) -> Change {
    Change::Joined { session: session.clone(), revision: Revision(revision) }
}

fn left(session: &Session, revision: i64) -> Change {
    Change::Left(Departure {
        session: session.id,
        user: session.user.id,
        pseudonym: session.pseudonym.clone(),
        reason: DepartureReason::Logout,
        revision: Revision(revision),
    })
}

/// With all that is told of it.
pub async fn every_change_is_kept_under_its_revision(store: &impl Store) {
    assert_eq!(changes(store, 0, 10).await, Changes { first_kept: Revision(1), changes: vec![] });
    let zoe = open(store, 7, "Zoë").await;
    let bob = open(store, 8, "Bob").await;
    store.end(zoe.id, Authority::Name, at(2_000)).await.expect("it ends");
    let again = open(store, 9, "zoë").await;
    let expected = vec![joined(&zoe, 1), joined(&bob, 2), left(&zoe, 3), joined(&again, 4)];
    assert_eq!(changes(store, 0, 10).await, Changes { first_kept: Revision(1), changes: expected });
    assert_eq!(store.revision().await.expect("a look"), Revision(4));
}

/// From where it is asked for.
pub async fn changes_are_read_a_few_at_a_time(store: &impl Store) {
    for number in 1..=5 {
        open(store, number, &format!("name-{number}")).await;
    }
    for (after, most, expected) in
        [(0, 2, vec![1, 2]), (2, 2, vec![3, 4]), (4, 2, vec![5]), (5, 2, vec![]), (9, 2, vec![])]
    {
        let read = changes(store, after, most).await;
        let revisions: Vec<_> = read.changes.iter().map(|change| change.revision().0).collect();
        assert_eq!((read.first_kept, revisions), (Revision(1), expected), "after {after}");
    }
}

/// A refused log-in, a second log-out.
pub async fn what_changes_nothing_leaves_no_change(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    store.open(new_session(2, "johndoe")).await.expect_err("the name is taken");
    assert!(claim(store, 1).await);
    assert_eq!(store.end(id(1), Authority::Name, at(2_000)).await.expect("an answer"), None);
    store.end(id(1), Authority::Token, at(2_000)).await.expect("it ends");
    assert_eq!(store.end(id(1), Authority::Token, at(2_000)).await.expect("an answer"), None);
    assert_eq!(changes(store, 0, 10).await.changes.len(), 2);
    assert_eq!(store.revision().await.expect("a look"), Revision(2));
}

/// Whoever applies all changes has the list, and no revision is missing or there twice.
pub async fn changes_and_list_fit_together_under_concurrency(store: &impl Store) {
    let coming_and_going = (1..=40).map(async |number| {
        let name = format!("name-{}", number % 30);
        if store.open(new_session(number, &name)).await.is_ok() && number % 3 == 0 {
            store.end(id(number), Authority::Token, at(2_000)).await.expect("it ends");
        }
    });
    join_all(coming_and_going).await;
    let mut list = Roster::default();
    for (expected, change) in (1..).zip(changes(store, 0, 1_000).await.changes) {
        assert_eq!(change.revision(), Revision(expected));
        list.apply(&change);
    }
    let online = store.online().await.expect("a look");
    assert_eq!(list, Roster::new(online.revision, online.sessions));
}

/// But long enough.
pub async fn old_changes_are_not_kept_for_ever(store: &impl Store) {
    const MORE: i64 = 600;
    for number in (1..=CHANGES_KEPT + MORE).step_by(2) {
        let number = number.unsigned_abs().into();
        open(store, number, "JohnDoe").await;
        store.end(id(number), Authority::Token, at(2_000)).await.expect("it ends");
    }
    let read = changes(store, 0, 1).await;
    let first = read.first_kept;
    assert!(first > Revision(MORE - 300) && first <= Revision(MORE + 1), "{first:?}");
    assert_eq!(read.changes.first().map(Change::revision), Some(first));
    assert_eq!(store.revision().await.expect("a look"), Revision(CHANGES_KEPT + MORE));
}
