use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lobby_domain::auth::{AuthMode, Caller, Credentials};
use lobby_domain::event::Event;
use lobby_domain::message::Content;
use lobby_domain::ports::{
    Announcer, AppendError, Draft, LogHead, MessageLog, Page, PageQuery, Posted, Rejection, Retention,
    Unavailable,
};
use lobby_domain::pseudonym::Mention;
use lobby_domain::testing::{
    FixedClock, Listeners, MemoryStore, NumberedIds, PlainTokens, RecordingAnnouncer, Talkers, names,
};
use lobby_domain::timestamp::Timestamp;
use tokio::sync::Semaphore;

use super::*;
use crate::metrics::receipts::Receipt;

impl QueueDepth {
    /// Where nobody waits.
    pub(crate) fn of_nothing() -> Self {
        Self(Arc::new(Places::new(1)))
    }
}

/// A log whose commits wait for a permit each.
struct GatedLog {
    store: Arc<MemoryStore>,
    gate: Semaphore,
    commits: AtomicUsize,
    panics: bool,
    is_away: AtomicBool,
}

#[async_trait]
impl MessageLog for GatedLog {
    async fn append(
        &self,
        drafts: &[Draft],
        now: Timestamp,
    ) -> Result<Vec<Result<Posted, Rejection>>, AppendError> {
        self.gate.acquire().await.expect("the gate stays").forget();
        self.commits.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "as the test wants it");
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Unavailable::new("away, as the test wants it").into());
        }
        self.store.append(drafts, now).await
    }

    async fn page(&self, query: PageQuery) -> Result<Page, Unavailable> {
        self.store.page(query).await
    }

    async fn prune(&self, keep: Retention, most: u32) -> Result<bool, Unavailable> {
        self.store.prune(keep, most).await
    }

    async fn forget_client_ids(&self, before: Timestamp, most: u32) -> Result<bool, Unavailable> {
        self.store.forget_client_ids(before, most).await
    }

    async fn check_writable(&self) -> Result<(), Unavailable> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Unavailable::new("away, as the test wants it"));
        }
        Ok(())
    }

    async fn head(&self) -> Result<LogHead, Unavailable> {
        self.store.head().await
    }
}

/// Tells everybody, which takes until somebody says that it is done.
#[derive(Default)]
struct Telling {
    recorded: RecordingAnnouncer,
    takes_time: AtomicBool,
    receipts: Mutex<Vec<Receipt>>,
}

#[async_trait]
impl Announcer for Telling {
    async fn announce(&self, events: Vec<Event>) {
        if self.takes_time.load(Ordering::SeqCst) {
            self.receipts.lock().expect("no panic").extend(receipts::of(events.len()));
        }
        self.recorded.announce(events).await;
    }
}

struct Office {
    writer: Writer,
    health: Health,
    ended: JoinHandle<()>,
    log: Arc<GatedLog>,
    announced: Arc<Telling>,
}

fn office(capacity: usize, panics: bool) -> Office {
    let store = Arc::new(MemoryStore::default());
    let log = Arc::new(GatedLog {
        store: store.clone(),
        gate: Semaphore::new(0),
        commits: AtomicUsize::new(0),
        panics,
        is_away: AtomicBool::new(false),
    });
    let announced = Arc::new(Telling::default());
    let clock = Arc::new(FixedClock::default());
    let tokens = Arc::new(PlainTokens);
    let mode = AuthMode::Open;
    let authenticate = || Authenticate {
        sessions: store.clone(),
        presence: store.clone(),
        tokens: tokens.clone(),
        clock: clock.clone(),
        announcer: announced.clone(),
    };
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
            reach: Arc::new(Listeners::default()),
            announcer: announced.clone(),
            allowance: Arc::new(Talkers::default()),
        },
    };
    let (writer, health, ended) = Writer::spawn(changes, capacity);
    Office { writer, health, ended, log, announced }
}

impl Office {
    async fn there_is_john(&self) {
        let request = LogInRequest { pseudonym: "JohnDoe".into(), ..LogInRequest::default() };
        self.writer.log_in(request).await.expect("the name is free");
    }

    fn post(&self, text: &str) -> tokio::task::JoinHandle<Result<Message, WriteError<PostError>>> {
        let content = Content::parse(text).expect("a good content");
        let sender = Mention::parse("JohnDoe");
        let post = Post { caller: Caller::Nobody, place: None, sender, to: None, content, client_id: None };
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
    let office = office(1_000, false);
    office.there_is_john().await;
    let first = office.post("0");
    settle().await;
    let rest: Vec<_> = (1..=100).map(|n| office.post(&n.to_string())).collect();
    settle().await;
    office.log.gate.add_permits(2);
    assert_eq!(first.await.expect("no panic").expect("posted").id.0, 1);
    for (n, post) in (1..).zip(rest) {
        let message = post.await.expect("no panic").expect("posted");
        assert_eq!((message.id.0, message.content.as_str()), (n + 1, n.to_string().as_str()));
    }
    assert_eq!(office.log.commits.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_loses_nothing_that_was_taken() {
    let office = office(2, false);
    office.there_is_john().await;
    let under_way = office.post("under way");
    settle().await;
    let queued = [office.post("queued"), office.post("queued too")];
    settle().await;
    let refused = office.post("one too many").await.expect("no panic");
    assert!(matches!(refused, Err(WriteError::Busy)), "{refused:?}");
    office.log.gate.add_permits(2);
    under_way.await.expect("no panic").expect("posted");
    for post in queued {
        post.await.expect("no panic").expect("posted");
    }
    assert_eq!(office.log.store.messages().len(), 3);
}

#[tokio::test]
async fn whoever_goes_away_does_not_take_the_change_along() {
    let office = office(10, false);
    office.there_is_john().await;
    let gone = office.post("said and gone");
    settle().await;
    gone.abort();
    office.log.gate.add_permits(1);
    office.writer.log_out(log_out()).await.expect("unclaimed");
    let announced = office.announced.recorded.take();
    assert!(matches!(
        announced.as_slice(),
        [Event::UserJoined { .. }, Event::NewMessage(_), Event::UserLeft(_)]
    ));
}

#[tokio::test]
async fn once_a_log_out_has_answered_nothing_of_that_session_follows() {
    let office = office(10, false);
    office.there_is_john().await;
    office.log.gate.add_permits(10);
    let before = office.post("before");
    settle().await;
    office.writer.log_out(log_out()).await.expect("unclaimed");
    before.await.expect("no panic").expect("it was first");
    let after = office.post("after").await.expect("no panic");
    assert!(matches!(after, Err(WriteError::Refused(PostError::NotConnected(_)))), "{after:?}");
}

#[tokio::test]
async fn a_panic_ends_neither_the_writer_nor_the_wait_for_an_answer() {
    let office = office(10, true);
    office.there_is_john().await;
    office.log.gate.add_permits(1);
    let lost = office.post("panics").await.expect("no panic here");
    assert!(matches!(lost, Err(WriteError::OutcomeUnknown)), "{lost:?}");
    office.writer.log_out(log_out()).await.expect("the writer goes on");
}

#[tokio::test]
async fn the_writer_does_what_is_queued_and_ends_with_its_last_handle() {
    let office = office(10, false);
    office.there_is_john().await;
    let posts = [office.post("one"), office.post("two")];
    settle().await;
    let Office { writer, ended, log, .. } = office;
    drop(writer);
    log.gate.add_permits(2);
    for post in posts {
        post.await.expect("no panic").expect("posted");
    }
    ended.await.expect("it ends");
    assert_eq!(log.store.messages().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn while_the_storage_is_away_everybody_is_told_and_its_return_is_noticed() {
    let office = office(100, false);
    office.there_is_john().await;
    office.log.gate.add_permits(1_000);
    office.log.is_away.store(true, Ordering::SeqCst);
    let refused = office.post("the first to notice").await.expect("no panic");
    assert!(matches!(refused, Err(WriteError::Refused(PostError::Unavailable(_)))), "{refused:?}");
    assert!(!office.health.is_good());

    let commits = office.log.commits.load(Ordering::SeqCst);
    let queued: Vec<_> = (0..50).map(|n| office.post(&n.to_string())).collect();
    let log_out = office.writer.log_out(log_out()).await;
    assert!(matches!(log_out, Err(WriteError::Refused(LogOutError::Unavailable(_)))), "{log_out:?}");
    for post in queued {
        let refused = post.await.expect("no panic");
        assert!(matches!(refused, Err(WriteError::Refused(PostError::Unavailable(_)))), "{refused:?}");
    }
    assert_eq!(office.log.commits.load(Ordering::SeqCst), commits, "none of them was tried");

    office.log.is_away.store(false, Ordering::SeqCst);
    tokio::time::sleep(LOOK_EVERY * 2).await;
    assert!(office.health.is_good(), "without anybody posting");
    office.post("again").await.expect("no panic").expect("posted");
}

#[tokio::test]
async fn a_log_out_gets_through_a_queue_that_is_full_of_posts_behind_them() {
    let office = office(2, false);
    office.there_is_john().await;
    let under_way = office.post("under way");
    settle().await;
    let queued = [office.post("queued"), office.post("queued too")];
    settle().await;
    let writer = office.writer.clone();
    let log_out = tokio::spawn(async move { writer.log_out(log_out()).await });
    settle().await;
    let refused = office.post("one too many").await.expect("no panic");
    assert!(matches!(refused, Err(WriteError::Busy)), "{refused:?}");
    office.log.gate.add_permits(10);
    log_out.await.expect("no panic").expect("unclaimed");
    under_way.await.expect("no panic").expect("it was first");
    for post in queued {
        post.await.expect("no panic").expect("they were before it");
    }
    let after = office.post("after").await.expect("no panic");
    assert!(matches!(after, Err(WriteError::Refused(PostError::NotConnected(_)))), "{after:?}");
    assert_eq!(office.log.store.messages().len(), 3);
}

/// So many say something at once, and are answered.
async fn speak(office: &Office, count: usize) {
    for post in (0..count).map(|n| office.post(&n.to_string())).collect::<Vec<_>>() {
        post.await.expect("no panic").expect("posted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_was_answered_speaks_again_in_one_commit() {
    let office = office(1_000, false);
    office.there_is_john().await;
    office.log.gate.add_permits(1_000);
    speak(&office, 10).await;
    let commits = office.log.commits.load(Ordering::SeqCst);
    let first = office.post("first");
    settle().await;
    speak(&office, 9).await;
    first.await.expect("no panic").expect("posted");
    assert_eq!(office.log.commits.load(Ordering::SeqCst), commits + 1);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_waited_for_a_moment_and_a_few_are_not() {
    for (crowd, waits) in [(10, true), (3, false)] {
        let office = office(1_000, false);
        office.there_is_john().await;
        office.log.gate.add_permits(1_000);
        speak(&office, crowd).await;
        let asked = Instant::now();
        speak(&office, 1).await;
        // The timer counts in milliseconds, and the next one may have begun.
        let most = if waits { PATIENCE * 2 } else { Duration::ZERO };
        assert!(asked.elapsed() <= most, "{:?}", asked.elapsed());
        assert_eq!(asked.elapsed() >= PATIENCE, waits);
    }
}

/// The time in which a commit could not be heard of anyway.
#[tokio::test(start_paused = true)]
async fn a_crowd_is_waited_for_while_it_is_being_told_but_not_for_long() {
    for within in [LATELY / 2, LATELY * 2] {
        let office = office(1_000, false);
        office.there_is_john().await;
        office.log.gate.add_permits(1_000);
        office.announced.takes_time.store(true, Ordering::SeqCst);
        speak(&office, 10).await;
        let asked = Instant::now();
        let first = office.post("first");
        tokio::time::sleep(within).await;
        let is_waiting = !first.is_finished();
        assert_eq!(is_waiting, within < LATELY);
        office.announced.receipts.lock().expect("no panic").clear();
        first.await.expect("no panic").expect("posted");
        assert!(asked.elapsed() <= within + PATIENCE * 2, "{:?}", asked.elapsed());
    }
}
