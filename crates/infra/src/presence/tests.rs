use std::pin::pin;

use futures_util::FutureExt;
use lobby_domain::ports::Beaten;
use lobby_domain::presence::Moment;
use lobby_domain::testing::{FixedClock, RecordingAnnouncer};
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};
use uuid::Uuid;

use super::*;
use storage::{Call, Storage};

mod storage;

const LEASE: Duration = Duration::from_secs(3);
const GRACE: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_mins(1);

/// A node that keeps its presence until it is dropped.
struct Node {
    attendants: Attendants,
    announced: Arc<RecordingAnnouncer>,
    running: JoinHandle<()>,
}

impl Node {
    fn start(storage: &Arc<Storage>, number: u128) -> Self {
        let announced = Arc::new(RecordingAnnouncer::default());
        let attendants = Attendants::new(&limits());
        let keeper = Keeper {
            node: NodeId(Uuid::from_u128(number)),
            attendants: attendants.clone(),
            presence: storage.clone(),
            clock: Arc::new(FixedClock::default()),
            announcer: announced.clone(),
            limits: limits(),
        };
        Self { attendants, announced, running: tokio::spawn(Arc::new(keeper).run()) }
    }

    /// Who was announced to have left.
    fn left(&self) -> Vec<SessionId> {
        let left = self.announced.take().into_iter().map(|event| match event {
            Event::UserLeft(departure) => departure.session,
            other => panic!("{other:?}"),
        });
        left.collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn limits() -> Limits {
    Limits { lease: LEASE, grace: GRACE, unconnected: LONG, unclaimed: LONG, hold: LONG }
}

#[tokio::test(start_paused = true)]
async fn the_first_connection_waits_until_its_session_is_recorded_and_the_next_do_not() {
    let storage = Storage::new();
    let john = storage.open(1, true).await;
    storage.set_away(true);
    let node = Node::start(&storage, 1);
    let mut arriving = pin!(node.attendants.arrive(john));
    assert!(timeout(Duration::from_secs(2), &mut arriving).await.is_err(), "it waits");
    assert_eq!(storage.recorded(), []);
    storage.set_away(false);
    let first = arriving.await.expect("it is recorded");
    assert_eq!((first.session(), storage.recorded()), (john, vec![john]));

    storage.set_away(true);
    let second = node.attendants.arrive(john).now_or_never().expect("nobody has to be asked");
    assert_eq!(second.expect("it is recorded").session(), john);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_recorded_is_told_so_in_time() {
    let storage = Storage::new();
    let john = storage.open(1, true).await;
    storage.set_away(true);
    let node = Node::start(&storage, 1);
    let began = Instant::now();
    assert_eq!(node.attendants.arrive(john).await.err(), Some(NotAttended::Unavailable));
    assert_eq!(began.elapsed(), PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_is_not_let_in() {
    let storage = Storage::new();
    let node = Node::start(&storage, 1);
    let nobody = SessionId(Uuid::from_u128(7));
    assert_eq!(node.attendants.arrive(nobody).await.err(), Some(NotAttended::Over));
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_waiting_leaves_nothing_behind() {
    let storage = Storage::new();
    let john = storage.open(1, true).await;
    storage.set_away(true);
    let node = Node::start(&storage, 1);
    assert!(timeout(Duration::from_secs(2), node.attendants.arrive(john)).await.is_err(), "it waits");
    assert!(node.attendants.desk().waiting.is_empty());
    storage.set_away(false);
    sleep(LEASE).await;
    // Also where the round may have come through, it is taken back: so the session has its time and no more.
    sleep(2 * LONG).await;
    assert_eq!(node.left(), [john]);
    assert!(!storage.is_alive(john));
}

#[tokio::test(start_paused = true)]
async fn a_connection_keeps_its_session_and_its_end_gives_it_the_grace() {
    let storage = Storage::new();
    let john = storage.open(1, true).await;
    let node = Node::start(&storage, 1);
    let tabs = (node.attendants.arrive(john).await, node.attendants.arrive(john).await);
    let (first, second) = (tabs.0.expect("a tab"), tabs.1.expect("a tab"));
    drop(first);
    sleep(10 * LONG).await;
    assert!(storage.is_alive(john) && node.left().is_empty());
    drop(second);
    sleep(GRACE / 2).await;
    assert!(storage.is_alive(john) && node.left().is_empty());
    // Not only at the next beat: presence time is moved on for it.
    sleep(GRACE / 2 + REAP_EVERY + Duration::from_millis(10)).await;
    assert_eq!(node.left(), [john]);
}

#[tokio::test(start_paused = true)]
async fn what_is_served_is_recorded_anew_after_the_lease_was_lost() {
    let storage = Storage::new();
    let john = storage.open(1, true).await;
    let node = Node::start(&storage, 1);
    let _tab = node.attendants.arrive(john).await.expect("it is recorded");
    assert_eq!(storage.recorded(), [john]);

    // Another node's time has gone on by a lease, in which this one was not heard of.
    let other = NodeId(Uuid::from_u128(2));
    let mut now = storage.store.beat(other, None).await.expect("a beat").now;
    now = storage.store.beat(other, Some((now, LEASE))).await.expect("a beat").now;
    assert!(now > Moment(0));
    assert_eq!(storage.recorded(), []);
    advance(LEASE).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(storage.recorded(), [john]);
    sleep(10 * LONG).await;
    assert!(storage.is_alive(john) && node.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_is_over_is_announced_once_by_all_nodes_together() {
    let storage = Storage::new();
    let mut all = Vec::new();
    for n in 1..=250 {
        all.push(storage.open(n, n % 2 == 0).await);
    }
    let nodes = [Node::start(&storage, 1), Node::start(&storage, 2)];
    sleep(2 * LONG).await;
    let mut left = nodes.each_ref().map(Node::left).concat();
    left.sort_unstable();
    assert_eq!(left, all);
    sleep(2 * LONG).await;
    assert_eq!(nodes.each_ref().map(Node::left).concat(), []);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_ended_while_the_storage_is_away_and_its_return_makes_up_for_it() {
    let storage = Storage::new();
    let john = storage.open(1, true).await;
    let node = Node::start(&storage, 1);
    let _tab = node.attendants.arrive(john).await.expect("it is recorded");
    storage.set_away(true);
    sleep(10 * LONG).await;
    storage.set_away(false);
    sleep(10 * LONG).await;
    assert!(storage.is_alive(john) && node.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn steady_arrivals_keep_a_node_from_neither_its_beats_nor_reaping() {
    const ROUND: Duration = Duration::from_millis(250);
    let storage = Storage::new();
    let john = storage.open(0, true).await;
    let mut others = Vec::new();
    for n in 1..=1_000 {
        others.push(storage.open(n, true).await);
    }
    let node = Node::start(&storage, 1);
    drop(node.attendants.arrive(john).await.expect("it is recorded"));
    let (attendants, mut others, mut tabs) = (node.attendants.clone(), others.into_iter(), Vec::new());
    storage.set_meanwhile(ROUND, move |_| tabs.extend(others.next().map(|id| attendants.announce(id))));
    sleep(2 * GRACE).await;
    assert!(node.attendants.is_in_touch());
    let calls = storage.calls();
    let rounds_between = calls.split(|call| *call == Call::Beat).map(<[_]>::len);
    assert!(rounds_between.max() <= Some(6), "a beat is due after four of them: {calls:?}");
    assert!(calls.iter().filter(|call| **call == Call::Attend).count() > 40, "{calls:?}");
    assert!(!storage.is_alive(john), "it is over for long");
    assert_eq!(node.left(), [john]);
}

#[tokio::test(start_paused = true)]
async fn whoever_arrives_does_not_wait_until_all_who_are_over_are_ended() {
    let storage = Storage::new();
    for n in 1..=1_000 {
        storage.open(n, false).await;
    }
    let node = Node::start(&storage, 1);
    sleep(LONG / 2).await;
    let john = storage.open(0, true).await;
    let (attendants, mut tab) = (node.attendants.clone(), None);
    storage.set_meanwhile(Duration::from_millis(100), move |call| {
        if call == Call::Reap && tab.is_none() {
            tab = Some(attendants.announce(john));
        }
    });
    sleep(LONG).await;
    let calls = storage.calls();
    let began = calls.iter().position(|call| *call == Call::Reap).expect("they are over");
    let next = calls[began + 1..].iter().find(|call| **call != Call::Beat);
    assert_eq!(next, Some(&Call::Attend), "{calls:?}");
    assert_eq!(node.left().len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_node_is_out_of_touch_after_a_lease_without_a_beat_until_one_is_answered() {
    let storage = Storage::new();
    let node = Node::start(&storage, 1);
    sleep(2 * LEASE).await;
    assert!(node.attendants.is_in_touch());
    storage.set_away(true);
    sleep(LEASE / 2).await;
    assert!(node.attendants.is_in_touch());
    sleep(LEASE).await;
    assert!(!node.attendants.is_in_touch());
    storage.set_away(false);
    sleep(LEASE / 3).await;
    assert!(node.attendants.is_in_touch());
}

#[tokio::test(start_paused = true)]
async fn that_a_node_is_out_of_touch_is_news_once() {
    let attendants = Attendants::new(&limits());
    let news = async |after| {
        advance(after).await;
        let now = attendants.now();
        attendants.desk().news_of_touch(now)
    };
    assert_eq!(news(LEASE).await, None);
    assert_eq!(news(Duration::from_millis(1)).await, Some(false));
    assert_eq!(news(LEASE).await, None);
    let now = attendants.now();
    attendants.desk().attendance.beaten(Beaten { now: Moment(0), alone: false, held: false }, now);
    assert_eq!(news(Duration::ZERO).await, Some(true));
    assert_eq!(news(Duration::ZERO).await, None);
}
