//! Time stands still but for what the tests wait for.

use futures_util::FutureExt;
use lobby_domain::auth::Authority;
use lobby_domain::event::{Departure, DepartureReason, Revision};
use lobby_domain::ports::{NewSession, Sessions};
use lobby_domain::session::Session;
use lobby_domain::testing::{MemoryStore, name};
use lobby_domain::timestamp::Timestamp;
use serde_json::Value;
use tokio::time::{advance, timeout};
use uuid::Uuid;

use super::*;
use crate::realtime::testing::Following;

/// A hub over a lobby in memory, with one shard and somebody who keeps it up.
struct Bench {
    store: Arc<MemoryStore>,
    hub: Arc<Hub>,
    feed: mpsc::Sender<ToShard>,
    entries: mpsc::Receiver<ToShard>,
    _following: Following,
}

fn id(number: usize) -> SessionId {
    SessionId(Uuid::from_u128(number as u128))
}

impl Bench {
    async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::default())).await
    }

    async fn over(store: Arc<MemoryStore>) -> Self {
        let online = store.online().await.expect("a look");
        let head = store.head().await.expect("a look");
        let hub = Arc::new(Hub::new(online, head, 200, store.clone(), store.clone()));
        let (feed, entries) = hub.attach();
        let following = Following::start(&hub);
        // Whatever happened before is long ago.
        advance(Duration::from_secs(10)).await;
        Self { store, hub, feed, entries, _following: following }
    }

    /// Somebody comes, and nobody is told.
    async fn open(&self, number: usize) -> Event {
        let pseudonym = name(&format!("name-{number}"));
        let now = Timestamp::from_millis(0);
        let new = NewSession { id: id(number), pseudonym, claimed: true, now };
        let (session, revision) = self.store.open(new).await.expect("the name is free");
        Event::UserJoined { session, revision }
    }

    /// The same of somebody who goes.
    async fn end(&self, number: usize) -> Event {
        let session = self.store.find(id(number)).await.expect("a look").expect("somebody is there");
        let now = Timestamp::from_millis(0);
        let revision = self.store.end(session.id, Authority::Token, now).await.expect("an answer");
        let Session { id, user, pseudonym, .. } = session;
        Event::UserLeft(Departure {
            session: id,
            user: user.id,
            pseudonym,
            reason: DepartureReason::Logout,
            revision: revision.expect("it ends"),
        })
    }

    async fn join(&self, number: usize) {
        self.hub.announce(vec![self.open(number).await]).await;
    }

    async fn leave(&self, number: usize) {
        self.hub.announce(vec![self.end(number).await]).await;
    }

    /// Whoever connects as the holder of this session.
    async fn connect(&self, number: usize) {
        let identity = Identity { proved: Some(id(number)), ends_with: Some(id(number)) };
        let user = self.store.find(id(number)).await.expect("a look");
        let arrival = Arrival { identity, user, start: Start::Now };
        self.hub.count(id(number), true);
        self.hub.admit(&self.feed, Ticket { key: 0, serial: 0 }, arrival).await;
    }

    /// What the shard is fed next, and how long that took.
    async fn next(&mut self) -> (Duration, ToShard) {
        let began = Instant::now();
        let entry = timeout(Duration::from_mins(1), self.entries.recv()).await.expect("something happens");
        (began.elapsed(), entry.expect("the hub is there"))
    }

    async fn happened(&mut self) -> (Duration, Arc<Happened>) {
        match self.next().await {
            (after, ToShard::Deliver(happened)) => (after, happened),
            _ => panic!("something else"),
        }
    }

    /// What is told next, to those who have asked for batches, and when.
    async fn told(&mut self) -> (Duration, Told) {
        let mut waited = Duration::ZERO;
        loop {
            let (after, happened) = self.happened().await;
            waited += after;
            if let Some(changes) = &happened.changes {
                return (waited, told(changes));
            }
        }
    }

    /// The `session` event of somebody who comes in now.
    async fn session(&mut self) -> Value {
        let arrival = Arrival { identity: Identity::default(), user: None, start: Start::Now };
        self.hub.admit(&self.feed, Ticket { key: 0, serial: 0 }, arrival).await;
        loop {
            if let (_, ToShard::Admit(_, Welcome::Session(snapshot))) = self.next().await {
                return serde_json::from_str(snapshot.to_json().get()).expect("JSON");
            }
        }
    }

    fn is_quiet(&mut self) -> bool {
        self.entries.recv().now_or_never().is_none()
    }
}

/// Who joined and left, and the revision; and the revisions of single events.
#[derive(Debug, PartialEq)]
struct Told {
    joined: Vec<String>,
    left: Vec<String>,
    revision: i64,
    each: Vec<(String, i64)>,
}

fn payload(encoded: &Encoded) -> Value {
    serde_json::from_slice(encoded.plain().payload()).expect("JSON")
}

fn told(changes: &Publication) -> Told {
    let batch = payload(&changes.batch);
    assert_eq!(batch["event"], "users_changed");
    let names = |list: &str| {
        let users = batch["data"][list].as_array().expect("a list");
        users.iter().map(|user| user["pseudonym"].as_str().expect("a name").to_owned()).collect()
    };
    let single = |encoded: &Encoded| {
        let event = payload(encoded);
        let revision = event["data"]["revision"].as_i64().expect("a number");
        (event["event"].as_str().expect("a name").to_owned(), revision)
    };
    Told {
        joined: names("joined"),
        left: names("left"),
        revision: batch["data"]["revision"].as_i64().expect("a number"),
        each: changes.each.iter().map(single).collect(),
    }
}

fn expected(joined: &[usize], left: &[usize], revision: i64, each: &[(&str, i64)]) -> Told {
    let names = |numbers: &[usize]| numbers.iter().map(|number| format!("name-{number}")).collect();
    let each = each.iter().map(|(event, revision)| ((*event).to_owned(), *revision)).collect();
    Told { joined: names(joined), left: names(left), revision, each }
}

const AT_ONCE: Duration = Duration::ZERO;
const JOINED: &str = "user_joined";
const LEFT: &str = "user_left";

#[tokio::test(start_paused = true)]
async fn changes_are_told_together_a_moment_after_the_first_of_them() {
    let mut bench = Bench::new().await;
    bench.join(1).await;
    advance(Duration::from_millis(30)).await;
    bench.join(2).await;
    bench.leave(1).await;
    bench.join(3).await;
    let (after, told) = bench.told().await;
    assert_eq!(told, expected(&[2, 3], &[], 4, &[(JOINED, 2), (JOINED, 4)]));
    assert!(is_the_rest(after, 30), "{after:?}");
    advance(Duration::from_secs(1)).await;
    bench.leave(2).await;
    let (after, told) = bench.told().await;
    assert_eq!(told, expected(&[], &[2], 5, &[(LEFT, 5)]));
    assert!(is_the_rest(after, 0), "{after:?}");
}

/// Of the time that a change waits, up to what timers are good for.
fn is_the_rest(after: Duration, gone: u64) -> bool {
    let rest = publications::EVERY.saturating_sub(Duration::from_millis(gone));
    (rest..=rest + Duration::from_millis(2)).contains(&after)
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_and_goes_in_between_is_not_told_of() {
    let mut bench = Bench::new().await;
    bench.join(2).await;
    bench.leave(2).await;
    let (_, happened) = bench.happened().await;
    assert_eq!(happened.ends, [id(2)]);
    assert!(happened.changes.is_none());
    advance(Duration::from_secs(1)).await;
    assert!(
        timeout(Duration::from_secs(5), bench.entries.recv()).await.is_err(),
        "nothing is left to be told"
    );
    let session = bench.session().await;
    assert_eq!((&session["revision"], &session["users_total"]), (&2.into(), &0.into()));
    bench.join(3).await;
    assert_eq!(bench.told().await.1, expected(&[3], &[], 3, &[(JOINED, 3)]));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_ends_its_connections_at_once() {
    let mut bench = Bench::new().await;
    bench.join(1).await;
    bench.told().await;
    bench.leave(1).await;
    let (after, happened) = bench.happened().await;
    assert_eq!((after, &happened.ends), (AT_ONCE, &vec![id(1)]));
    assert!(happened.changes.is_none(), "that is told later");
    let (after, told) = bench.told().await;
    assert_eq!(told, expected(&[], &[1], 2, &[(LEFT, 2)]));
    assert!(is_the_rest(after, 0), "{after:?}");
}

/// And so has everybody else been told by then.
#[tokio::test(start_paused = true)]
async fn whoever_comes_in_right_after_a_log_in_finds_it_in_the_list() {
    let mut bench = Bench::new().await;
    bench.join(1).await;
    let session = bench.session().await;
    assert_eq!((&session["revision"], &session["users_total"]), (&1.into(), &1.into()));
    bench.join(2).await;
    bench.connect(2).await;
    assert_eq!(bench.told().await, (AT_ONCE, expected(&[2], &[], 2, &[(JOINED, 2)])));
    assert!(matches!(bench.next().await.1, ToShard::Admit(..)));
    assert!(bench.is_quiet());
}

/// In a crowd that comes in the list is not encoded for each of them.
#[tokio::test(start_paused = true)]
async fn in_a_crowd_a_list_may_be_a_moment_old_and_what_is_behind_it_follows() {
    let mut bench = Bench::new().await;
    let mut totals = Vec::new();
    for number in 1..=30 {
        bench.join(number).await;
        totals.push(bench.session().await["users_total"].as_u64().expect("a number"));
    }
    let newest: Vec<_> = (1..=10).chain(std::iter::repeat_n(10, 20)).collect();
    assert_eq!(totals, newest);
    let (after, told) = bench.told().await;
    assert_eq!((told.joined.len(), told.revision), (20, 30));
    assert!(is_the_rest(after, 0), "{after:?}");
    advance(publications::EVERY * 2).await;
    for number in 31..=33 {
        bench.join(number).await;
        totals.push(bench.session().await["users_total"].as_u64().expect("a number"));
    }
    assert_eq!(totals[30..], [31, 32, 33], "it has rested for three times as long");
}

#[tokio::test(start_paused = true)]
async fn a_list_is_encoded_once_for_all_who_come_in_between_two_publications() {
    let mut bench = Bench::new().await;
    bench.join(1).await;
    bench.told().await;
    let hub = bench.hub.clone();
    let users = || hub.core().publications.users();
    let before = users();
    assert!(before.is_the_same(&users()));
    bench.join(2).await;
    assert!(before.is_the_same(&users()));
    bench.told().await;
    assert!(!users().is_the_same(&before));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_told_early_so_that_what_waits_stays_bounded() {
    let mut bench = Bench::new().await;
    for number in 1..=publications::PENDING {
        bench.join(number).await;
    }
    let (after, told) = bench.told().await;
    assert_eq!((after, told.joined.len()), (AT_ONCE, publications::PENDING));
}

#[tokio::test(start_paused = true)]
async fn changes_that_are_heard_of_in_disorder_are_told_in_order() {
    let mut bench = Bench::new().await;
    let mut events = Vec::new();
    for number in 1..=3 {
        events.push(bench.open(number).await);
    }
    events.reverse();
    let first = events.pop().expect("three");
    bench.hub.announce(events).await;
    assert!(bench.is_quiet());
    bench.hub.announce(vec![first]).await;
    let each = [(JOINED, 1), (JOINED, 2), (JOINED, 3)];
    assert_eq!(bench.told().await.1, expected(&[1, 2, 3], &[], 3, &each));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_missing_is_read_after_a_moment() {
    let mut bench = Bench::new().await;
    bench.open(1).await;
    bench.join(2).await;
    let (after, told) = bench.told().await;
    assert_eq!(told, expected(&[1, 2], &[], 2, &[(JOINED, 1), (JOINED, 2)]));
    assert!(after < publications::EVERY + Duration::from_millis(100), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_nobody_announces_is_seen_within_a_second_and_ends_connections() {
    let mut bench = Bench::new().await;
    bench.join(1).await;
    bench.told().await;
    bench.end(1).await;
    let (after, happened) = bench.happened().await;
    assert_eq!(happened.ends, [id(1)]);
    assert!(after <= Duration::from_millis(1_100), "{after:?}");
    assert_eq!(bench.told().await.1.left, ["name-1"]);
}

/// As many changes as there are pages of them.
#[tokio::test(start_paused = true)]
async fn any_number_of_missed_changes_is_caught_up_with() {
    let mut bench = Bench::new().await;
    for number in 1..=1_500 {
        bench.open(number).await;
    }
    let mut count = 0;
    while count < 1_500 {
        let (_, told) = bench.told().await;
        count += told.joined.len();
        assert_eq!(told.revision, i64::try_from(count).expect("a small number"));
    }
}

async fn miss_more_than_is_kept(bench: &Bench, beginning: usize) {
    for number in beginning..beginning + 2_100 {
        bench.open(number).await;
        bench.end(number).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_is_trimmed_past_begins_anew_and_ends_what_it_missed_the_end_of() {
    let mut bench = Bench::new().await;
    for number in 1..=2 {
        bench.join(number).await;
        bench.connect(number).await;
    }
    // Of whom this hub has not heard, nor does it ever.
    for number in 5..=6 {
        bench.open(number).await;
        bench.connect(number).await;
    }
    bench.end(1).await;
    bench.end(5).await;
    miss_more_than_is_kept(&bench, 1_000).await;
    bench.open(3).await;
    let renewal = loop {
        if let (_, ToShard::Renew(renewal)) = bench.next().await {
            break renewal;
        }
    };
    let user = renewal.living.get(id(2));
    let session: Value = serde_json::from_str(renewal.snapshot.for_user(user).to_json().get()).expect("JSON");
    let names: Vec<_> =
        session["users"].as_array().expect("a list").iter().map(|u| &u["pseudonym"]).collect();
    assert_eq!(names, ["name-2", "name-3", "name-6"]);
    assert_eq!((&session["revision"], &session["recovered"]), (&4_207.into(), &true.into()));
    assert_eq!(session["user"]["pseudonym"], "name-2");
    let mut ends = Vec::new();
    while ends.len() < 2 {
        ends.extend_from_slice(&bench.happened().await.1.ends);
    }
    assert_eq!(ends, [id(1), id(5)], "and not the others");
    advance(Duration::from_secs(1)).await;
    bench.join(4).await;
    assert_eq!(bench.told().await.1, expected(&[4], &[], 4_208, &[(JOINED, 4_208)]));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_has_gone_back_begins_anew() {
    let mut bench = Bench::new().await;
    bench.join(1).await;
    bench.told().await;
    // As of a later moment, which the storage knows nothing of.
    let session = bench.store.find(id(1)).await.expect("a look").expect("somebody is there");
    let session = Session { id: id(9), pseudonym: name("lost"), ..session };
    bench.hub.announce(vec![Event::UserJoined { session, revision: Revision(2) }]).await;
    let renewal = loop {
        if let (_, ToShard::Renew(renewal)) = bench.next().await {
            break renewal;
        }
    };
    assert_eq!((renewal.living.revision(), renewal.living.get(id(9))), (Revision(1), None));
}

/// Its arrival waits for a change that is missing.
#[tokio::test(start_paused = true)]
async fn whoever_is_not_known_yet_is_let_in_and_stays() {
    let mut bench = Bench::new().await;
    bench.open(1).await;
    bench.join(2).await;
    bench.connect(2).await;
    let (_, ToShard::Admit(_, Welcome::Session(snapshot))) = bench.next().await else { panic!("let in") };
    let session: Value = serde_json::from_str(snapshot.to_json().get()).expect("JSON");
    assert_eq!(session["user"]["pseudonym"], "name-2");
    let (_, happened) = bench.happened().await;
    assert_eq!(happened.ends, []);
    bench.leave(2).await;
    assert_eq!(bench.happened().await.1.ends, [id(2)]);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_in_behind_the_end_of_the_session_is_closed() {
    let mut bench = Bench::new().await;
    bench.join(1).await;
    bench.leave(1).await;
    assert_eq!(bench.happened().await.1.ends, [id(1)]);
    bench.connect(1).await;
    let (_, ToShard::Admit(..)) = bench.next().await else { panic!("it cannot be known yet") };
    assert_eq!(bench.happened().await.1.ends, [id(1)]);
}
