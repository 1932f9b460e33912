//! Announcing goes on beside the next commit.

use super::*;

/// Waits for a permit before each announcement.
struct GatedAnnouncer {
    announced: Arc<RecordingAnnouncer>,
    gate: Semaphore,
}

#[async_trait]
impl Announcer for GatedAnnouncer {
    async fn announce(&self, events: Vec<Event>) {
        self.gate.acquire().await.expect("the gate stays").forget();
        self.announced.announce(events).await;
    }
}

/// With the teller's gate.
async fn gated_office() -> (Office, Arc<GatedAnnouncer>) {
    let mut teller = None;
    let office = office_that_tells(1_000, false, |announced| {
        teller.insert(Arc::new(GatedAnnouncer { announced, gate: Semaphore::new(1) })).clone()
    });
    office.there_is_john().await;
    drop(office.announced.take());
    (office, teller.expect("it was made"))
}

/// Posts each of which has a commit of its own: it is queued while the one before is being committed.
async fn post_one_by_one(office: &Office, texts: &[&str]) -> Vec<tokio::task::JoinHandle<Posting>> {
    let mut posts = Vec::new();
    for text in texts {
        posts.push(office.post(text));
        settle().await;
        office.log.gate.add_permits(usize::from(posts.len() > 1));
        settle().await;
    }
    posts
}

type Posting = Result<Message, WriteError<PostError>>;

#[tokio::test]
async fn the_next_messages_are_committed_while_the_last_ones_are_announced() {
    let (office, teller) = gated_office().await;
    let posts = post_one_by_one(&office, &["first", "second", "third"]).await;
    office.log.gate.add_permits(10);
    settle().await;
    assert_eq!(office.log.commits.load(Ordering::SeqCst), 2, "no more than one is ahead");
    assert!(posts.iter().all(|post| !post.is_finished()), "nothing is answered before it is announced");
    teller.gate.add_permits(10);
    for (id, post) in (1..).zip(posts) {
        assert_eq!(post.await.expect("no panic").expect("posted").id.0, id);
    }
    let said = office.announced.take().into_iter().map(|event| match event {
        Event::NewMessage(message) => message.id.0,
        other => panic!("nothing else happened: {other:?}"),
    });
    assert_eq!(said.collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn a_log_out_waits_until_everybody_has_heard_what_was_said_before() {
    let (office, teller) = gated_office().await;
    let posts = post_one_by_one(&office, &["first", "second"]).await;
    let writer = office.writer.clone();
    let log_out = tokio::spawn(async move { writer.log_out(log_out()).await });
    office.log.gate.add_permits(10);
    settle().await;
    assert!(!log_out.is_finished());
    teller.gate.add_permits(10);
    log_out.await.expect("no panic").expect("unclaimed");
    assert!(posts.iter().all(tokio::task::JoinHandle::is_finished));
    let announced = office.announced.take();
    assert!(
        matches!(announced[..], [Event::NewMessage(_), Event::NewMessage(_), Event::UserLeft(_)]),
        "{announced:?}"
    );
}

#[tokio::test]
async fn what_was_committed_is_announced_before_the_writer_ends() {
    let (office, teller) = gated_office().await;
    let posts = post_one_by_one(&office, &["first", "second"]).await;
    let Office { writer, ended, log, announced, .. } = office;
    log.gate.add_permits(10);
    drop(writer);
    teller.gate.add_permits(10);
    for post in posts {
        post.await.expect("no panic").expect("posted");
    }
    ended.await.expect("no panic");
    assert_eq!(announced.take().len(), 2);
}
