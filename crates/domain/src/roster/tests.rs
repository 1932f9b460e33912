use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::event::DepartureReason;
use crate::testing::name;
use crate::user::{User, UserId};

const NAMES: [&str; 4] = ["Ann", "Bob", "Cid", "Dee"];

fn session(number: usize, revision: i64) -> Session {
    Session {
        id: SessionId(Uuid::from_u128(number as u128)),
        user: User { id: UserId(1), created_at: Timestamp::from_millis(0) },
        pseudonym: name(NAMES[number]),
        // Whoever comes back has been online since then only.
        connected_at: Timestamp::from_millis(revision),
        claimed: false,
    }
}

fn joined(number: usize, revision: i64) -> Change {
    Change::Joined { session: session(number, revision), revision: Revision(revision) }
}

fn left(number: usize, revision: i64) -> Change {
    let Session { id, user, pseudonym, .. } = session(number, revision);
    let (reason, revision) = (DepartureReason::Logout, Revision(revision));
    Change::Left(Departure { session: id, user: user.id, pseudonym, reason, revision })
}

/// What may happen to a list: each comes if it is away, and goes if it is there.
fn history(list: &mut Roster, who: &[usize]) -> Vec<Change> {
    let mut next = |number: usize| {
        let revision = list.revision().0 + 1;
        let is_there = list.get(session(number, 0).id).is_some();
        let change = if is_there { left(number, revision) } else { joined(number, revision) };
        list.apply(&change);
        change
    };
    who.iter().map(|number| next(*number)).collect()
}

#[test]
fn whoever_came_back_has_been_online_since_then_only() {
    let roster = Roster::new(Revision(9), [session(0, 9), session(1, 3), session(2, 7), session(3, 3)]);
    let longest = |most| roster.longest_online(most).into_iter().cloned().collect::<Vec<_>>();
    let all = [session(1, 3), session(3, 3), session(2, 7), session(0, 9)];
    for most in 0..=5 {
        assert_eq!(longest(most), all[..most.min(4)]);
    }
}

#[test]
fn nothing_comes_of_no_change() {
    assert_eq!(coalesce(Vec::new()), None);
}

#[test]
fn whoever_comes_and_goes_was_never_there() {
    let batch = coalesce(vec![joined(0, 5), left(0, 6)]).expect("some changes");
    assert_eq!(batch, Batch { changes: vec![], revision: Revision(6) });
}

#[test]
fn whoever_goes_and_comes_back_has_done_both() {
    let changes = vec![left(0, 5), joined(0, 6)];
    assert_eq!(coalesce(changes.clone()), Some(Batch { changes, revision: Revision(6) }));
    let changes = vec![left(0, 5), joined(0, 6), left(0, 7)];
    assert_eq!(coalesce(changes), Some(Batch { changes: vec![left(0, 7)], revision: Revision(7) }));
    let changes = vec![joined(0, 5), left(0, 6), joined(0, 7)];
    assert_eq!(coalesce(changes), Some(Batch { changes: vec![joined(0, 7)], revision: Revision(7) }));
}

#[test]
fn the_last_change_carries_the_revision_of_what_cancelled_out_behind_it() {
    let batch = coalesce(vec![left(0, 4), joined(1, 5), joined(2, 6), left(1, 7)]).expect("some changes");
    let Some(Change::Joined { session, revision }) = batch.changes.last() else { panic!("{batch:?}") };
    assert_eq!((session.id, *revision), (self::session(2, 6).id, Revision(7)));
    assert_eq!(batch.changes.first().map(Change::revision), Some(Revision(4)));
}

proptest! {
    #[test]
    fn a_batch_comes_to_the_same_as_its_changes_one_by_one(
        before in prop::collection::vec(0..4_usize, 0..8),
        during in prop::collection::vec(0..4_usize, 1..12),
    ) {
        let mut list = Roster::default();
        history(&mut list, &before);
        let mut at_once = list.clone();
        let batch = coalesce(history(&mut list, &during)).expect("some changes");
        at_once.apply_batch(&batch);
        prop_assert_eq!(&at_once, &list);
        if let Some(last) = batch.changes.last() {
            prop_assert_eq!(last.revision(), batch.revision);
        }
        prop_assert!(batch.changes.is_sorted_by_key(Change::revision));
    }

    /// As clients apply what they are told at once: first who has left, then who has joined.
    #[test]
    fn departures_can_be_applied_before_all_joins(
        before in prop::collection::vec(0..4_usize, 0..8),
        during in prop::collection::vec(0..4_usize, 1..12),
    ) {
        let mut list = Roster::default();
        history(&mut list, &before);
        let mut client = list.clone();
        let batch = coalesce(history(&mut list, &during)).expect("some changes");
        let (joins, departures): (Vec<_>, Vec<_>) = batch.changes.iter().partition(|change| change.is_join());
        departures.into_iter().chain(joins).for_each(|change| client.apply(change));
        prop_assert!(client.sessions().eq(list.sessions()));
        let mut seen = BTreeSet::new();
        prop_assert!(batch.changes.iter().all(|change| seen.insert((change.session(), change.is_join()))));
    }
}
