//! Messages are delivered to the outboxes of a worker's connections, from the moment they are announced to the hub.

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use lobby_domain::message::{Message, MessageId, Recipient};
use lobby_domain::ports::{LogHead, Online};
use lobby_domain::session::SessionId;
use lobby_domain::testing::{MemoryStore, name};
use lobby_infra::realtime::hub::Hub;
use lobby_infra::realtime::micro::Followers;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use uuid::Uuid;

use crate::sample::{LENGTHS, LOG, message};

const FOLLOWERS: u16 = 1_000;

/// Messages of a transaction when many talk.
const MANY: u16 = 32;

pub(crate) fn measure(criterion: &mut Criterion) {
    let [short, long] = LENGTHS.map(|length| message(0, length));
    let to = Recipient { session: SessionId(Uuid::from_u128(0)), pseudonym: name("JaneDoe") };
    let private = Message { to: Some(to), ..short.clone() };
    let mut plain = Bench::new(Followers::plain);
    plain.measure(criterion, "one to plain", &short, 1);
    plain.measure(criterion, "a long one to plain", &long, 1);
    plain.measure(criterion, "32 to plain", &short, MANY);
    plain.measure(criterion, "a private one among plain", &private, 1);
    let mut socketio = Bench::new(Followers::socketio);
    socketio.measure(criterion, "one to socketio", &short, 1);
    socketio.measure(criterion, "32 to socketio", &short, MANY);
}

/// A worker with its connections.
struct Bench {
    runtime: Runtime,
    tasks: LocalSet,
    followers: Followers,
    last: i64,
}

impl Bench {
    fn new(join: impl AsyncFnOnce(Arc<Hub>, u16) -> Followers) -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let tasks = LocalSet::new();
        let followers = tasks.block_on(&runtime, join(Arc::new(hub()), FOLLOWERS));
        Self { runtime, tasks, followers, last: 0 }
    }

    /// What was delivered is taken out of the outboxes in between, which does not count.
    fn measure(&mut self, criterion: &mut Criterion, name: &str, message: &Message, count: u16) {
        let mut group = criterion.benchmark_group("shard");
        group.throughput(Throughput::Elements(u64::from(FOLLOWERS) * u64::from(count)));
        group.bench_function(name, |bencher| {
            let Self { runtime, tasks, followers, last } = self;
            let setup = || {
                followers.read();
                let messages = (*last + 1..).take(count.into());
                *last += i64::from(count);
                messages.map(|id| Message { id: MessageId(id), ..message.clone() }).collect()
            };
            let routine = |messages| tasks.block_on(runtime, followers.tell(messages));
            bencher.iter_batched(setup, routine, BatchSize::PerIteration);
        });
        group.finish();
    }
}

/// Of a log in which nothing has been said, with nobody online.
fn hub() -> Hub {
    let store = Arc::new(MemoryStore::default());
    let head = LogHead { log: LOG, first_id: MessageId(1), last_id: MessageId(0) };
    Hub::new(Online::default(), head, 200, store.clone(), store)
}
