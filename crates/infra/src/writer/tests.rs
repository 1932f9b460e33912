use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use lobby_domain::auth::{AuthMode, Caller, Credentials};
use lobby_domain::event::Event;
use lobby_domain::message::Content;
use lobby_domain::ports::{Draft, LogHead, MessageLog, Unavailable};
use lobby_domain::pseudonym::Mention;
use lobby_domain::testing::{FixedClock, MemoryStore, NumberedIds, PlainTokens, RecordingAnnouncer, names};
use lobby_domain::timestamp::Timestamp;
use tokio::sync::Semaphore;

use super::*;

/// A log whose commits wait for a permit each.
struct GatedLog {
    store: Arc<MemoryStore>,
    gate: Semaphore,
    commits: AtomicUsize,
    panics: bool,
}

#[async_trait]
impl MessageLog for GatedLog {
    async fn append(&self, drafts: Vec<Draft>, now: Timestamp) -> Result<Vec<Option<Message>>, Unavailable> {
        self.gate.acquire().await.expect("the gate stays").forget();
        self.commits.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "as the test wants it");
        self.store.append(drafts, now).await
    }

    async fn head(&self) -> Result<LogHead, Unavailable> {
        self.store.head().await
    }
}

struct Desk {
    writer: Writer,
    ended: JoinHandle<()>,
    log: Arc<GatedLog>,
    announced: Arc<RecordingAnnouncer>,
}

fn desk(capacity: usize, panics: bool) -> Desk {
    let store = Arc::new(MemoryStore::default());
    let log = Arc::new(GatedLog {
        store: store.clone(),
        gate: Semaphore::new(0),
        commits: AtomicUsize::new(0),
        panics,
    });
    let announced = Arc::new(RecordingAnnouncer::default());
    let clock = Arc::new(FixedClock::default());
    let tokens = Arc::new(PlainTokens);
    let mode = AuthMode::Open;
    let authenticate = || Authenticate::new(store.clone(), tokens.clone());
    let changes = Changes {
        log_in: LogIn {
            names: names(),
            authenticate: authenticate(),
            sessions: store.clone(),
            tokens: tokens.clone(),
            ids: Arc::new(NumberedIds::default()),
            clock: clock.clone(),
            announcer: announced.clone(),
        },
        log_out: LogOut {
            mode,
            sessions: store.clone(),
            authenticate: authenticate(),
            clock: clock.clone(),
            announcer: announced.clone(),
        },
        authenticate: authenticate(),
        post: PostMessages {
            mode,
            sessions: store.clone(),
            log: log.clone(),
            clock: clock.clone(),
            announcer: announced.clone(),
        },
    };
    let (writer, ended) = Writer::spawn(changes, capacity);
    Desk { writer, ended, log, announced }
}

impl Desk {
    async fn there_is_john(&self) {
        let request = LogInRequest { pseudonym: "JohnDoe".into(), ..LogInRequest::default() };
        self.writer.log_in(request).await.expect("the name is free");
    }

    fn post(&self, text: &str) -> tokio::task::JoinHandle<Result<Message, WriteError<PostError>>> {
        let content = Content::parse(text).expect("a good content");
        let post = Post { caller: Caller::Nobody, sender: Mention::parse("JohnDoe"), content };
        let writer = self.writer.clone();
        tokio::spawn(async move { writer.post(post).await })
    }
}

fn log_out() -> LogOutRequest {
    let pseudonym = Mention::parse("JohnDoe").expect("short enough");
    LogOutRequest { pseudonym, credentials: Credentials::default() }
}

/// Lets every task that can go on do so. On a runtime of one thread, where these tests run, that is certain.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_queues_up_during_a_commit_goes_into_the_next_one_in_order() {
    let desk = desk(1_000, false);
    desk.there_is_john().await;
    let first = desk.post("0");
    settle().await;
    let rest: Vec<_> = (1..=100).map(|n| desk.post(&n.to_string())).collect();
    settle().await;
    desk.log.gate.add_permits(2);
    assert_eq!(first.await.expect("no panic").expect("posted").id.0, 1);
    for (n, post) in (1..).zip(rest) {
        let message = post.await.expect("no panic").expect("posted");
        assert_eq!((message.id.0, message.content.as_str()), (n + 1, n.to_string().as_str()));
    }
    assert_eq!(desk.log.commits.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_loses_nothing_that_was_taken() {
    let desk = desk(2, false);
    desk.there_is_john().await;
    let under_way = desk.post("under way");
    settle().await;
    let queued = [desk.post("queued"), desk.post("queued too")];
    settle().await;
    let refused = desk.post("one too many").await.expect("no panic");
    assert!(matches!(refused, Err(WriteError::Busy)), "{refused:?}");
    desk.log.gate.add_permits(2);
    under_way.await.expect("no panic").expect("posted");
    for post in queued {
        post.await.expect("no panic").expect("posted");
    }
    assert_eq!(desk.log.store.messages().len(), 3);
}

#[tokio::test]
async fn whoever_goes_away_does_not_take_the_change_along() {
    let desk = desk(10, false);
    desk.there_is_john().await;
    let gone = desk.post("said and gone");
    settle().await;
    gone.abort();
    desk.log.gate.add_permits(1);
    desk.writer.log_out(log_out()).await.expect("unclaimed");
    let announced = desk.announced.take();
    assert!(matches!(
        announced.as_slice(),
        [Event::UserJoined { .. }, Event::NewMessage(_), Event::UserLeft(_)]
    ));
}

#[tokio::test]
async fn once_a_log_out_has_answered_nothing_of_that_session_follows() {
    let desk = desk(10, false);
    desk.there_is_john().await;
    desk.log.gate.add_permits(10);
    let before = desk.post("before");
    settle().await;
    desk.writer.log_out(log_out()).await.expect("unclaimed");
    before.await.expect("no panic").expect("it was first");
    let after = desk.post("after").await.expect("no panic");
    assert!(matches!(after, Err(WriteError::Refused(PostError::NotConnected(_)))), "{after:?}");
}

#[tokio::test]
async fn a_panic_ends_neither_the_writer_nor_the_wait_for_an_answer() {
    let desk = desk(10, true);
    desk.there_is_john().await;
    desk.log.gate.add_permits(1);
    let lost = desk.post("panics").await.expect("no panic here");
    assert!(matches!(lost, Err(WriteError::OutcomeUnknown)), "{lost:?}");
    desk.writer.log_out(log_out()).await.expect("the writer goes on");
}

#[tokio::test]
async fn the_writer_does_what_is_queued_and_ends_with_its_last_handle() {
    let desk = desk(10, false);
    desk.there_is_john().await;
    let posts = [desk.post("one"), desk.post("two")];
    settle().await;
    let Desk { writer, ended, log, .. } = desk;
    drop(writer);
    log.gate.add_permits(2);
    for post in posts {
        post.await.expect("no panic").expect("posted");
    }
    ended.await.expect("it ends");
    assert_eq!(log.store.messages().len(), 2);
}
