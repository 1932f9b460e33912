//! Commits whose answer gets lost: each is found out about, or said to be unknown, and never becomes two messages.

use futures_util::future::join_all;
use lobby_testbed::{Fired, Proxy, When};

use super::*;

pub(super) const ALL: [When; 3] = [When::Before, When::During, When::After];

/// A node behind a proxy, and another that is not.
pub(super) struct Bench {
    pub(super) proxy: Proxy,
    pub(super) store: Store,
    pub(super) beside: Store,
    pub(super) ann: SessionId,
}

impl Bench {
    pub(super) async fn start(server: &Postgres) -> Self {
        let direct = server.fresh_database().await;
        let database = direct.rsplit_once('/').expect("a URL").1;
        let proxy = Proxy::start(server.address()).await;
        let beside = open(&at(&direct, Durability::Full)).await;
        let store = open(&at(&server.url_via(proxy.address(), database), Durability::Full)).await;
        let ann = join(&store, "Ann").await;
        Self { proxy, store, beside, ann }
    }

    async fn contents(&self) -> Vec<String> {
        stored(&self.beside).await.into_iter().map(|message| message.content.as_str().to_owned()).collect()
    }

    /// The commit that `fired` is about breaks, and nobody reaches the database any more.
    async fn lose(&self, fired: Fired, break_down: fn(&Proxy)) {
        fired.wait().await;
        break_down(&self.proxy);
    }
}

#[tokio::test]
async fn a_commit_that_is_cut_off_ends_in_exactly_one_message() {
    let server = Postgres::start().await;
    for when in ALL {
        let bench = Bench::start(&server).await;
        say(&bench.store, bench.ann, "before").await;
        let fired = bench.proxy.cut_at_commit(when);
        // Without a client id: what is looked for is the post itself.
        let batch = ["one", "two", "three"].map(|text| draft(bench.ann, text));
        let posted = bench.store.append(&batch, Timestamp::from_millis(1)).await.expect("an answer");
        fired.wait().await;
        let told: Vec<_> = posted.into_iter().map(|posted| posted.expect("it is posted").message).collect();
        assert_eq!(told, stored(&bench.beside).await[1..], "{when:?}");
        assert_eq!(bench.contents().await, ["before", "one", "two", "three"], "{when:?}");
        assert_eq!(say(&bench.store, bench.ann, "after").await, 5, "{when:?}");
    }
}

/// Who has not spoken before is looked up, and so the batch is appended step by step.
#[tokio::test]
async fn a_commit_of_several_steps_that_is_cut_off_ends_in_exactly_one_message() {
    let server = Postgres::start().await;
    for when in ALL {
        let bench = Bench::start(&server).await;
        let fired = bench.proxy.cut_at_commit(when);
        let id = say(&bench.store, bench.ann, "first").await;
        fired.wait().await;
        assert_eq!((id, bench.contents().await), (1, vec!["first".to_owned()]), "{when:?}");
    }
}

#[tokio::test]
async fn what_was_said_in_one_go_leaves_an_unknown_outcome_too() {
    let server = Postgres::start().await;
    join_all(ALL.map(async |when| {
        let bench = Bench::start(&server).await;
        say(&bench.store, bench.ann, "before").await;
        let draft = repeatable(bench.ann, "c-1");
        let fired = bench.proxy.cut_at_commit(when);
        let lost = tokio::join!(append(&bench.store, draft.clone()), bench.lose(fired, Proxy::refuse)).0;
        assert!(matches!(lost, Err(AppendError::OutcomeUnknown(_))), "{when:?}: {lost:?}");
        bench.proxy.pass();
        bench.store.check_writable().await.expect("it is back");
        let posted = append(&bench.store, draft).await.expect("it is posted");
        assert_eq!((posted.message.id, posted.repeated), (MessageId(2), when != When::Before), "{when:?}");
        assert_eq!(bench.contents().await.len(), 2, "{when:?}");
    }))
    .await;
}

#[tokio::test]
async fn a_lost_commit_is_found_though_others_post_before_it_is_looked_for() {
    let server = Postgres::start().await;
    for (when, expected) in [(When::Before, [2, 1]), (When::After, [1, 2])] {
        let bench = Bench::start(&server).await;
        let bob = join(&bench.beside, "Bob").await;
        let fired = bench.proxy.cut_at_commit(when);
        let meanwhile = async {
            bench.lose(fired, Proxy::refuse).await;
            let id = say(&bench.beside, bob, "meanwhile").await;
            bench.proxy.pass();
            id
        };
        let ids = tokio::join!(say(&bench.store, bench.ann, "lost"), meanwhile);
        assert_eq!([ids.0, ids.1], expected, "{when:?}");
        assert_eq!(bench.contents().await.len(), 2, "{when:?}");
    }
}

#[tokio::test]
async fn a_network_that_stands_still_for_a_moment_loses_and_doubles_nothing() {
    let server = Postgres::start().await;
    let bench = Bench::start(&server).await;
    let fired = bench.proxy.stall_at_commit();
    let idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'";
    let ended = async {
        bench.lose(fired, Proxy::stall).await;
        // The database does not wait for ever for a commit that does not come.
        while server.psql("postgres", idle).await != "0" {}
        bench.proxy.pass();
    };
    let (id, ()) = tokio::join!(say(&bench.store, bench.ann, "hello"), ended);
    assert_eq!((id, bench.contents().await), (1, vec!["hello".to_owned()]));
}

/// Longer than anybody waits for an answer. What is posted again is one message with what had been committed, if it had.
#[tokio::test]
async fn a_database_that_stays_away_leaves_an_unknown_outcome_and_a_repeat_makes_it_one_message() {
    let server = Postgres::start().await;
    let breakdowns: [fn(&Proxy); 2] = [Proxy::refuse, Proxy::stall];
    let cases = ALL.into_iter().flat_map(|when| breakdowns.map(|break_down| (when, break_down)));
    join_all(cases.map(async |(when, break_down)| {
        let bench = Bench::start(&server).await;
        let draft = repeatable(bench.ann, "c-1");
        let fired = bench.proxy.cut_at_commit(when);
        let lost = tokio::join!(append(&bench.store, draft.clone()), bench.lose(fired, break_down)).0;
        assert!(matches!(lost, Err(AppendError::OutcomeUnknown(_))), "{when:?}: {lost:?}");
        bench.proxy.pass();
        bench.store.check_writable().await.expect("it is back");
        let posted = append(&bench.store, draft).await.expect("it is posted");
        assert_eq!((posted.message.id, posted.repeated), (MessageId(1), when != When::Before), "{when:?}");
        assert_eq!(bench.contents().await.len(), 1, "{when:?}");
    }))
    .await;
}
