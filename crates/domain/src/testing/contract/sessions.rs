use std::collections::BTreeSet;

use super::{Store, at, claim, id, new_session, open};
use crate::auth::Authority;
use crate::event::Revision;
use crate::ports::{NewSession, Online, OnlinePage, OnlineQuery, OpenError};
use crate::roster::{Place, SortBy};
use crate::session::Session;
use crate::testing::name;

/// What was asked for is what is there.
pub async fn a_session_is_opened_as_asked(store: &impl Store) {
    let new = NewSession { id: id(7), pseudonym: name("Zoë"), claimed: true, now: at(1_234) };
    let (session, revision) = store.open(new).await.expect("the name is free");
    assert_eq!(revision, Revision(1));
    assert_eq!(session.id, id(7));
    assert_eq!(session.pseudonym.as_str(), "Zoë");
    assert_eq!(session.connected_at, at(1_234));
    assert_eq!(session.user.created_at, at(1_234));
    assert!(session.claimed);
    assert_eq!(store.find(id(7)).await.expect("a look"), Some(session));
}

/// In other case and with look-alikes too.
pub async fn a_name_that_is_taken_is_refused(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    for same in ["JohnDoe", "johndoe", "ЈоhnDое", "јоhndое", "J0hnD0e"] {
        let refused = store.open(new_session(2, same)).await;
        assert!(matches!(refused, Err(OpenError::NameTaken)), "{same}: {refused:?}");
    }
    assert_eq!(store.online().await.expect("a look").revision, Revision(1));
    open(store, 2, "JohnDoes").await;
}

/// A hundred at once, and exactly one session.
pub async fn one_of_many_who_open_at_once_wins(store: &impl Store) {
    let attempts = (1..=100).map(|number| store.open(new_session(number, "JohnDoe")));
    let mut winners = 0;
    for outcome in join_all(attempts).await {
        match outcome {
            Ok(_) => winners += 1,
            Err(OpenError::NameTaken) => {}
            Err(error @ OpenError::NameHeld { .. }) => panic!("{error:?}"),
            Err(OpenError::Unavailable(error) | OpenError::OutcomeUnknown(error)) => panic!("{error:?}"),
        }
    }
    assert_eq!(winners, 1);
    assert_eq!(store.online().await.expect("a look").sessions.len(), 1);
}

/// Whoever comes next has it.
pub async fn an_ended_session_frees_its_name_at_once(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    store.end(id(1), Authority::Name, at(2_000)).await.expect("it ends");
    open(store, 2, "johndoe").await;
}

/// However it is written, and whenever it comes back.
pub async fn a_name_keeps_its_number(store: &impl Store) {
    let first = open(store, 1, "JohnDoe").await;
    let other = open(store, 2, "Zoë").await;
    assert_ne!(first.user.id, other.user.id);
    for (number, same) in [(3, "JohnDoe"), (4, "johndoe"), (5, "ЈоhnDое")] {
        store.end(id(number - 1), Authority::Token, at(2_000)).await.expect("it ends");
        store.end(id(1), Authority::Token, at(2_000)).await.expect("it ends");
        let again = open(store, number, same).await;
        assert_eq!(again.user, first.user, "{same}");
        assert_eq!(again.pseudonym.as_str(), same);
    }
}

/// By whatever key, and after its holder has gone too.
pub async fn a_name_is_known_once_it_was_used(store: &impl Store) {
    let used = async |raw: &[&str]| {
        let keys: Vec<_> = raw.iter().map(|raw| name(raw).key().clone()).collect();
        let used = store.used_names(&keys).await.expect("a look");
        used.iter().map(|name| name.as_str().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(used(&["JohnDoe"]).await, [].into());
    open(store, 1, "JohnDoe").await;
    open(store, 2, "Zoë").await;
    store.end(id(1), Authority::Token, at(2_000)).await.expect("it ends");
    for same in ["johndoe", "ЈоhnDое"] {
        assert_eq!(used(&[same, "JohnDoes"]).await, ["JohnDoe".to_owned()].into());
    }
    assert_eq!(used(&["zoë", "JohnDoe"]).await, ["JohnDoe".to_owned(), "Zoë".to_owned()].into());
}

/// Again is fine; what is over cannot be claimed.
pub async fn a_claim_is_for_good_and_needs_a_living_session(store: &impl Store) {
    assert!(!claim(store, 1).await);
    open(store, 1, "JohnDoe").await;
    for _ in 0..2 {
        assert!(claim(store, 1).await);
        assert!(store.find(id(1)).await.expect("a look").is_some_and(|session| session.claimed));
    }
    store.end(id(1), Authority::Token, at(2_000)).await.expect("it ends");
    assert!(!claim(store, 1).await);
}

/// The name alone is enough only while nobody has shown the token.
pub async fn a_claimed_session_is_not_ended_by_name(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    assert!(claim(store, 1).await);
    assert_eq!(store.end(id(1), Authority::Name, at(2_000)).await.expect("an answer"), None);
    assert!(store.find(id(1)).await.expect("a look").is_some());
    assert_eq!(store.end(id(1), Authority::Token, at(2_000)).await.expect("an answer"), Some(Revision(2)));
}

/// Also when it never was there.
pub async fn a_session_ends_once(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    assert_eq!(store.end(id(1), Authority::Name, at(2_000)).await.expect("an answer"), Some(Revision(2)));
    assert_eq!(store.end(id(1), Authority::Token, at(2_000)).await.expect("an answer"), None);
    assert_eq!(store.end(id(9), Authority::Token, at(2_000)).await.expect("an answer"), None);
    assert_eq!(store.find(id(1)).await.expect("a look"), None);
    assert_eq!(store.online().await.expect("a look").revision, Revision(2));
}

/// Many at once, some of them refused.
pub async fn revisions_are_gapless(store: &impl Store) {
    let attempts = (1..=40).map(|number| store.open(new_session(number, &format!("name-{}", number % 30))));
    let revisions: BTreeSet<_> = join_all(attempts).await.into_iter().flatten().map(|(_, r)| r.0).collect();
    assert_eq!(revisions, (1..=30).collect());
}

/// And the others are not.
pub async fn living_sessions_are_found_by_id(store: &impl Store) {
    let one = open(store, 1, "JohnDoe").await;
    let two = open(store, 2, "Zoë").await;
    assert_eq!(store.find(id(1)).await.expect("a look"), Some(one));
    assert_eq!(store.find(id(2)).await.expect("a look"), Some(two));
    assert_eq!(store.find(id(3)).await.expect("a look"), None);
}

/// By either key, and only those.
pub async fn living_sessions_are_found_by_name(store: &impl Store) {
    for (number, pseudonym) in [(1, "JohnDoe"), (2, "Zoë"), (3, "ian"), (4, "lan"), (5, "gone")] {
        open(store, number, pseudonym).await;
    }
    store.end(id(5), Authority::Name, at(2_000)).await.expect("it ends");
    let found = async |names: &[&str]| {
        let keys: Vec<_> = names.iter().map(|n| name(n).key().clone()).collect();
        let sessions = store.named(&keys).await.expect("a look");
        sessions.into_iter().map(|session: Session| session.id).collect::<BTreeSet<_>>()
    };
    assert_eq!(found(&["johndoe"]).await, [id(1)].into());
    assert_eq!(found(&["ЈоhnDое", "Zoë"]).await, [id(1), id(2)].into());
    assert_eq!(found(&["Ian"]).await, [id(3), id(4)].into());
    assert_eq!(found(&["gone", "nobody"]).await, [].into());
}

/// As one consistent read.
pub async fn the_list_has_everybody_online_and_its_revision(store: &impl Store) {
    assert_eq!(store.online().await.expect("a look"), Online::default());
    let one = open(store, 1, "JohnDoe").await;
    let two = open(store, 2, "Zoë").await;
    open(store, 3, "gone").await;
    store.end(id(3), Authority::Name, at(2_000)).await.expect("it ends");
    let online = store.online().await.expect("a look");
    assert_eq!(online, Online { revision: Revision(4), sessions: vec![one, two] });
}

/// Small and capital letters alike, look-alikes by what is read; and whoever is listed together, in one order.
const IN_ORDER: [(u128, &str, i64); 8] = [
    (5, "alice", 3_000),
    (3, "Bob", 1_000),
    (2, "Mike", 1_000),
    (8, "mm", 2_000),
    (7, "nina", 9_000),
    (1, "straße", 1_000),
    (6, "Zoë", 4_000),
    (4, "Ωμέγα", 1_000),
];

async fn open_in_order(store: &impl Store) {
    for (number, pseudonym, millis) in IN_ORDER.into_iter().rev() {
        let new = NewSession { now: at(millis), ..new_session(number, pseudonym) };
        store.open(new).await.expect("the name is free");
    }
}

async fn page(store: &impl Store, sort_by: SortBy, after: Option<Place>, most: usize) -> OnlinePage {
    store.online_page(OnlineQuery { sort_by, after, most }).await.expect("a page")
}

/// All of it, as pages of any size, and as the whole list sorted here.
pub async fn the_list_is_read_in_pages_in_either_order(store: &impl Store) {
    let empty = page(store, SortBy::Pseudonym, None, 5).await;
    assert_eq!(empty, OnlinePage { online: Online::default(), has_more: false });
    open_in_order(store).await;
    open(store, 99, "gone").await;
    store.end(id(99), Authority::Name, at(2_000)).await.expect("it ends");
    for sort_by in [SortBy::Pseudonym, SortBy::ConnectedAt] {
        let mut expected = store.online().await.expect("a look").sessions;
        expected.sort_by_key(|session| Place::of(session, sort_by));
        for most in [1, 3, 4, 8, 100] {
            let (mut listed, mut after) = (Vec::new(), None);
            loop {
                let OnlinePage { online, has_more } = page(store, sort_by, after, most).await;
                assert_eq!(online.revision, Revision(10));
                assert!(online.sessions.len() == most || !has_more, "a page that is not full is the last");
                after = online.sessions.last().map(|session| Place::of(session, sort_by));
                listed.extend(online.sessions);
                if !has_more {
                    break;
                }
            }
            assert_eq!(listed, expected, "{sort_by:?}, {most} at a time");
        }
    }
    let by_name = page(store, SortBy::Pseudonym, None, 100).await.online.sessions;
    let numbers: Vec<_> = by_name.iter().map(|session| session.id.0.as_u128()).collect();
    assert_eq!(numbers, IN_ORDER.map(|(number, ..)| number));
}

/// Also if the one behind whom the next page begins has gone, and another has the name.
pub async fn whoever_stays_is_on_one_page_whoever_comes_and_goes(store: &impl Store) {
    open_in_order(store).await;
    for sort_by in [SortBy::Pseudonym, SortBy::ConnectedAt] {
        let first = page(store, sort_by, None, 4).await;
        assert!(first.has_more);
        let last = first.online.sessions.last().expect("four").clone();
        store.end(last.id, Authority::Token, at(9_999)).await.expect("it ends");
        let newcomer = NewSession {
            id: id(last.id.0.as_u128() + 100),
            pseudonym: last.pseudonym.clone(),
            claimed: false,
            now: at(500),
        };
        store.open(newcomer).await.expect("the name is free");
        let rest = page(store, sort_by, Some(Place::of(&last, sort_by)), 100).await;
        let stayed = |session: &&Session| session.id.0.as_u128() < 100;
        let before = first.online.sessions.iter().filter(|session| session.id != last.id);
        let seen: Vec<_> = before.chain(&rest.online.sessions).filter(stayed).map(|s| s.id).collect();
        let online = store.online().await.expect("a look").sessions;
        let expected: BTreeSet<_> = online.iter().filter(stayed).map(|session| session.id).collect();
        assert_eq!((seen.len(), seen.into_iter().collect::<BTreeSet<_>>()), (expected.len(), expected));
    }
}

pub(super) async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    futures_util::future::join_all(futures).await
}
