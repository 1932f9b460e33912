//! Several nodes on one database: each is a [`Store`] of its own.

use std::time::Duration;

use futures_util::future::join_all;
use lobby_domain::ports::{Presence, Retention};
use lobby_domain::presence::NodeId;
use lobby_testbed::{Proxy, When};
use tokio::time::timeout;

use super::*;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What each node says.
const POSTS: usize = 24;

/// A node whose way to the database can be broken.
struct Node {
    store: Store,
    proxy: Proxy,
}

impl Node {
    async fn start(server: &Postgres, database: &str) -> Self {
        let proxy = Proxy::start(server.address()).await;
        let url = server.url_via(proxy.address(), database);
        Self { store: open(&at(&url, Durability::Full)).await, proxy }
    }

    /// Says something so often that it is told the message's id.
    async fn insist(&self, draft: Draft) -> i64 {
        let insisting = async {
            loop {
                if let Ok(posted) = append(&self.store, draft.clone()).await {
                    return posted.message.id.0;
                }
            }
        };
        timeout(PATIENCE, insisting).await.expect("it goes through")
    }

    /// One thing after the other, with a failure in every third; answers with the ids.
    async fn talk(&self, session: SessionId) -> Vec<i64> {
        let mut ids = Vec::new();
        for n in 0..POSTS {
            let draft = repeatable(session, &n.to_string());
            if n % 3 == 0 {
                let fired = self.proxy.cut_at_commit([When::Before, When::During, When::After][n / 3 % 3]);
                ids.push(self.insist(draft).await);
                fired.wait().await;
            } else {
                ids.push(self.insist(draft).await);
            }
        }
        ids
    }
}

async fn start(server: &Postgres) -> (Node, Node) {
    server.create_database("shared").await;
    // One after the other: who comes second finds the schema made.
    let first = Node::start(server, "shared").await;
    (first, Node::start(server, "shared").await)
}

/// Reads as others write. Of a log whose ids are in the order of the commits it never sees one before the one below it.
async fn follow(store: &Store, last_id: usize) -> Vec<Message> {
    let mut seen: Vec<Message> = Vec::new();
    while seen.len() < last_id {
        let after = MessageId(seen.last().map_or(0, |message| message.id.0));
        let query = PageQuery { span: Span::After(after), limit: 1_000, viewer: Viewer::Lobby };
        let page = store.page(query).await.expect("a page");
        let ids = page.messages.iter().map(|message| message.id.0);
        assert!(ids.eq(after.0 + 1..=page.head.last_id.0), "{page:?}");
        seen.extend(page.messages);
    }
    seen
}

#[tokio::test]
async fn nodes_give_out_ids_without_a_gap_in_the_order_of_commits_whatever_fails_in_between() {
    let server = Postgres::start().await;
    let (first, second) = start(&server).await;
    let reader = open(&at(&server.url("shared"), Durability::Full)).await;
    let (ann, bob) = (join(&first.store, "Ann").await, join(&first.store, "Bob").await);
    let talking = async { tokio::join!(first.talk(ann), second.talk(bob), follow(&reader, 2 * POSTS)) };
    let (anns, bobs, seen) = timeout(PATIENCE, talking).await.expect("all is said in time");

    assert!(seen.iter().map(|message| message.timestamp).is_sorted(), "{seen:?}");
    for (session, told) in [(ann, anns), (bob, bobs)] {
        let of_session = seen.iter().filter(|message| message.sender_session == session);
        let stored: Vec<_> = of_session.map(|message| message.id.0).collect();
        assert_eq!(stored, told, "each once, in order, as it was told");
    }
}

#[tokio::test]
async fn the_same_post_at_two_nodes_at_once_is_one_message() {
    let server = Postgres::start().await;
    let (first, second) = start(&server).await;
    let ann = join(&first.store, "Ann").await;
    for n in 0..20 {
        let draft = repeatable(ann, &n.to_string());
        let both = tokio::join!(append(&first.store, draft.clone()), append(&second.store, draft));
        let (one, other) = (both.0.expect("an answer"), both.1.expect("an answer"));
        assert_eq!(one.message, other.message);
        assert!(one.repeated != other.repeated, "one of them was first");
    }
    assert_eq!(stored(&first.store).await.len(), 20);
}

#[tokio::test]
async fn a_node_that_is_frozen_while_it_holds_the_lock_holds_up_no_other_for_long() {
    let server = Postgres::start().await;
    let (frozen, other) = start(&server).await;
    let (ann, bob) = (join(&frozen.store, "Ann").await, join(&frozen.store, "Bob").await);
    let fired = frozen.proxy.stall_at_commit();
    let store = frozen.store.clone();
    let late = tokio::spawn(async move { say(&store, ann, "late").await });
    fired.wait().await;
    // Had the database not taken the lock away by then, this would fail at its lock_timeout.
    assert_eq!(say(&other.store, bob, "in time").await, 1);
    assert!(!late.is_finished());
    frozen.proxy.pass();
    assert_eq!(timeout(PATIENCE, late).await.expect("in time").expect("no panic"), 2);
    let said: Vec<_> =
        stored(&other.store).await.into_iter().map(|m| m.content.as_str().to_owned()).collect();
    assert_eq!(said, ["in time", "late"]);
}

#[tokio::test]
async fn nodes_that_start_together_on_a_new_database_all_start() {
    let server = Postgres::start().await;
    for _ in 0..3 {
        let settings = at(&server.fresh_database().await, Durability::Full);
        let logs = join_all([(); 3].map(async |()| log_of(&open(&settings).await).await)).await;
        assert!(logs.iter().all(|log| *log == logs[0]), "{logs:?}");
    }
}

/// The pool keeps the place of a connection that it waits for, until the system gives that up: many minutes.
#[tokio::test]
async fn a_node_whose_connection_is_lost_without_a_word_keeps_presence_through_another() {
    let server = Postgres::start().await;
    server.create_database("lobby").await;
    let Node { store, proxy } = Node::start(&server, "lobby").await;
    let ann = join(&store, "Ann").await;
    let presence = store.with_own_writer().await.expect("a connection");
    let node = NodeId(random_log_id());
    presence.beat(node, None).await.expect("an answer");
    proxy.lose();
    presence.beat(node, None).await.expect_err("nobody answers");
    let beaten = presence.beat(node, None).await.expect("an answer through another connection");
    assert!(!beaten.held, "it does not say what it heard last");
    let attended = presence.attend(node, &[ann], &[], Timestamp::from_millis(1)).await.expect("an answer");
    assert_eq!(attended[0].session().map(|session| session.id), Some(ann));
}

#[tokio::test]
async fn a_network_that_stands_still_lets_nobody_wait_for_ever() {
    let server = Postgres::start().await;
    let (Node { store, proxy }, _) = start(&server).await;
    let ann = join(&store, "Ann").await;
    say(&store, ann, "hello").await;
    let query = PageQuery { span: Span::After(MessageId(0)), limit: 1, viewer: Viewer::Lobby };
    let fired = proxy.stall_at_commit();
    let others = async {
        fired.wait().await;
        proxy.stall();
        let (keep, now) = (Retention { since: None, at_most: Some(0) }, Timestamp::from_millis(1));
        let keys = [name("Ann").key().clone()];
        tokio::join!(
            store.head(),
            store.online(),
            store.find(ann),
            store.named(&keys),
            store.prune(keep, 1),
            store.forget_client_ids(now, 1),
        )
    };
    let all = timeout(PATIENCE, async { tokio::join!(store.page(query), others) });
    let (page, (head, online, found, named, pruned, forgotten)) = all.await.expect("an answer to each");
    let failed = [head.is_err(), online.is_err(), found.is_err(), named.is_err(), pruned.is_err()];
    assert_eq!(failed, [true; 5]);
    assert!(page.is_err() && forgotten.is_err());
}
