//! Two hubs over one lobby in memory; the second hears of the first by hints that are lost, doubled and disordered.

use std::time::Duration;

use futures_util::FutureExt;
use lobby_domain::auth::Authority;
use lobby_domain::event::Event;
use lobby_domain::message::{Content, LogId};
use lobby_domain::ports::{Announcer, Bus, Draft, MessageLog, NewSession, Sessions};
use lobby_domain::session::SessionId;
use lobby_domain::testing::{MemoryStore, name};
use lobby_domain::timestamp::Timestamp;
use proptest::prelude::*;
use tokio::sync::mpsc;
use tokio::time::sleep;
use uuid::Uuid;

use super::*;
use crate::bus::in_process::InProcess;
use crate::realtime::hub::ToShard;
use crate::realtime::run::Run;
use crate::realtime::testing::Following;

const NOW: Timestamp = Timestamp::from_millis(0);
const TALKER: SessionId = SessionId(Uuid::from_u128(1));

/// A hub, what it feeds its one shard, and its end of the bus.
struct Node {
    hub: Arc<Hub>,
    entries: mpsc::Receiver<ToShard>,
    bus: Arc<InProcess>,
    /// The ids that were let out so far.
    told: Vec<i64>,
}

impl Node {
    async fn on(store: &Arc<MemoryStore>, bus: InProcess) -> Self {
        let (online, head) = (store.online().await.expect("a look"), store.head().await.expect("a look"));
        let bus = Arc::new(bus);
        let hub = Hub::new(online, head, 200, store.clone(), store.clone()).on_bus(bus.clone());
        let hub = Arc::new(hub);
        let (_, entries) = hub.attach();
        Self { hub, entries, bus, told: Vec::new() }
    }

    /// Takes what the shard was fed, for which there would be no room some time.
    fn take(&mut self) {
        while let Ok(entry) = self.entries.try_recv() {
            let ToShard::Deliver(happened) = entry else { panic!("nothing is lost for good") };
            let messages = happened.messages.iter().flat_map(Run::each);
            self.told.extend(messages.map(|message| message.id));
        }
    }
}

async fn join(store: &MemoryStore, number: u128) -> Event {
    let (id, pseudonym) = (SessionId(Uuid::from_u128(number)), name(&format!("name-{number}")));
    let opened = store.open(NewSession { id, pseudonym, claimed: true, now: NOW }).await;
    let (session, revision) = opened.expect("the name is free");
    Event::UserJoined { session, revision }
}

async fn say(store: &MemoryStore, count: usize) -> Vec<Event> {
    let content = Content::parse("hi").expect("a good content");
    let draft =
        Draft { sender_session: TALKER, authority: Authority::Token, to: None, content, client_id: None };
    let posted = store.append(&vec![draft; count], NOW).await.expect("a log");
    posted.into_iter().map(|posted| Event::NewMessage(posted.expect("it may be said").message)).collect()
}

/// What befalls one hint.
#[derive(Debug, Clone)]
struct Fate {
    /// How often it comes.
    times: usize,
    /// Which of those that are under way comes next, as often as there are any here.
    next: Vec<prop::sample::Index>,
}

fn fate() -> impl Strategy<Value = Fate> {
    let next = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (0..3_usize, next).prop_map(|(times, next)| Fate { times, next })
}

async fn hears_badly(steps: Vec<(usize, Fate)>) {
    let store = Arc::new(MemoryStore::default());
    join(&store, 1).await;
    let bus = InProcess::default();
    let mut other = Node::on(&store, bus.another()).await;
    let mut first = Node::on(&store, bus).await;
    let following = [Following::start(&first.hub), Following::start(&other.hub)];
    let (mut under_way, mut count) = (Vec::new(), 0);
    for (number, (messages, fate)) in (2..).zip(steps) {
        let mut events = say(&store, messages).await;
        events.push(join(&store, number).await);
        count += messages;
        first.hub.announce(events).await;
        first.take();
        let hint = other.bus.hear().now_or_never().expect("it is there at once");
        under_way.extend(std::iter::repeat_n(hint, fate.times));
        for next in fate.next {
            if !under_way.is_empty() {
                let hint = under_way.swap_remove(next.index(under_way.len()));
                heed(&other.hub, hint).await;
            }
            other.take();
        }
    }
    for hint in under_way {
        heed(&other.hub, hint).await;
        other.take();
    }
    // Time stands still but for this: two looks, and what they lead to.
    for _ in 0..30 {
        sleep(Duration::from_millis(100)).await;
        first.take();
        other.take();
    }
    let expected: Vec<_> = (1..).take(count).collect();
    assert_eq!((&first.told, &other.told), (&expected, &expected));
    let online = store.online().await.expect("a look");
    for node in [&first, &other] {
        assert_eq!(node.hub.core().revision(), online.revision);
        assert_eq!(node.hub.core().living.sessions().len(), online.sessions.len());
    }
    drop(following);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_becomes_of_hints_all_is_told_once_and_in_order(
        steps in prop::collection::vec((1..5_usize, fate()), 1..20)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(hears_badly(steps));
    }
}

#[tokio::test(start_paused = true)]
async fn hints_of_another_log_are_none_of_this_ones_business() {
    let store = Arc::new(MemoryStore::default());
    join(&store, 1).await;
    let mut node = Node::on(&store, InProcess::default()).await;
    let said = say(&store, 1).await;
    let (log, _) = node.hub.position();
    let elsewhere = Hint { log: LogId(Uuid::from_u128(7)), news: News::Happened(said) };
    heed(&node.hub, elsewhere.clone()).await;
    node.take();
    assert_eq!(node.told, [0_i64; 0]);
    heed(&node.hub, Hint { log, ..elsewhere }).await;
    node.take();
    assert_eq!(node.told, [1]);
}
