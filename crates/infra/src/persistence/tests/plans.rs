//! How the databases find a page: in an index that has it in order, whatever else is in the log.

use lobby_domain::ports::{Address, OnlineQuery};
use lobby_domain::recipient::Addressee;
use lobby_domain::roster::Place;
use sea_orm::QueryTrait;

use super::super::listing::page_of;
use super::super::message_log::{parts, select};
use super::super::sessions::living;
use super::*;

/// `$1` is somebody who has said something in the public, and `$2` and `$3` have since filled the log with what they said
/// to each other and, `$2`, to themselves.
const TALK: &str = "
    INSERT INTO messages (id, sender_session, sender_id, sender, content, timestamp, to_session, to_name)
    SELECT n, CASE WHEN n <= 1000 THEN $1 ELSE $2 END, 1, 'Zoe', 'hello', n,
        CASE WHEN n <= 500 THEN NULL WHEN n <= 1000 THEN $2 WHEN n <= 50000 THEN $3 ELSE $2 END,
        CASE WHEN n <= 500 THEN NULL ELSE 'Zoe' END
    FROM generate_series(1, 100000) AS n;
    ANALYZE messages";

async fn plan(store: &Store, viewer: Viewer, span: Span) -> Vec<String> {
    let backend = store.backend();
    let explain = if backend == DbBackend::Sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
    let mut plans = Vec::new();
    for part in parts(viewer) {
        let mut statement = select(part, PageQuery { span, limit: 50, viewer }, backend).build(backend);
        statement.sql = format!("{explain} {}", statement.sql);
        let rows = store.read.query_all_raw(statement).await.expect("a plan");
        let lines = rows.iter().map(|row| match backend {
            DbBackend::Sqlite => row.try_get("", "detail"),
            _ => row.try_get_by_index::<String>(0),
        });
        plans.push(lines.map(|line| line.expect("a text")).collect::<Vec<_>>().join("\n"));
    }
    plans
}

async fn every_page_is_found_in_order(store: &Store, sessions: &[SessionId]) {
    let expected = ["messages_by_recipient", "messages_by_recipient", "messages_private_by_sender"];
    // What says that the index is read from the page's beginning.
    let begins = if store.backend() == DbBackend::Sqlite { " AND id" } else { "Index Cond" };
    let viewers = sessions.iter().copied().map(Viewer::Session).chain([Viewer::Nobody]);
    for viewer in viewers {
        for span in [Span::After(MessageId(0)), Span::Before(MessageId(i64::MAX))] {
            for (plan, index) in plan(store, viewer, span).await.iter().zip(expected) {
                assert!(plan.contains(index) && plan.contains(begins), "{viewer:?} {span:?}: {plan}");
                let slow = ["Sort", "Filter", "Seq Scan", "SCAN", "B-TREE"];
                assert!(!slow.iter().any(|slow| plan.contains(slow)), "{viewer:?} {span:?}: {plan}");
            }
        }
    }
}

#[tokio::test]
async fn a_file_has_every_page_in_order_in_an_index() {
    let (store, _folder) = sqlite().await;
    let ann = SessionId(random_log_id());
    every_page_is_found_in_order(&store, &[ann]).await;
}

#[tokio::test]
async fn a_server_has_every_page_in_order_in_an_index_also_behind_what_others_said_in_private() {
    let server = Postgres::start().await;
    let url = server.fresh_database().await;
    let store = open(&at(&url, Durability::Full)).await;
    let sessions = [(); 4].map(|()| SessionId(random_log_id()));
    let talk = [("$1", 0), ("$2", 1), ("$3", 2)].iter().fold(TALK.to_owned(), |text, (place, n)| {
        text.replace(place, &format!("CAST('{}' AS uuid)", sessions[*n].0))
    });
    server.try_psql(&url, &talk).await.expect("rows");
    // The last of them has said and heard nothing.
    every_page_is_found_in_order(&store, &sessions).await;
}

#[tokio::test]
async fn what_one_said_to_oneself_is_on_a_page_once() {
    let (store, _folder) = sqlite().await;
    let ann = join(&store, "Ann").await;
    for n in 1..=3 {
        let addressee = Addressee::parse("Ann").expect("a good name");
        let to = Some(Address { addressee, session: Ok(ann), is_reached: true });
        let posted = append(&store, Draft { to, ..draft(ann, "note") }).await.expect("it is appended");
        assert_eq!(posted.message.id.0, n);
    }
    let page = async |span, limit| {
        let page = store.page(PageQuery { span, limit, viewer: Viewer::Session(ann) }).await.expect("a page");
        (page.messages.iter().map(|message| message.id.0).collect::<Vec<_>>(), page.has_more)
    };
    assert_eq!(page(Span::After(MessageId(0)), 2).await, (vec![1, 2], true));
    assert_eq!(page(Span::After(MessageId(0)), 3).await, (vec![1, 2, 3], false));
    assert_eq!(page(Span::Before(MessageId(4)), 2).await, (vec![2, 3], true));
    assert_eq!(page(Span::Before(MessageId(4)), 3).await, (vec![1, 2, 3], false));
}

/// Half of a hundred thousand sessions are over. So many take longer on a busy machine than a statement of a node's may, so psql
/// makes them.
const CROWD: &str = "
    INSERT INTO users (id, pseudonym, folded, lookalike, crossed, created_at) VALUES (1, 'n', 'n', 'n', 'n', 1);
    INSERT INTO sessions (id, user_id, pseudonym, folded, lookalike, crossed, claimed, opened_at, ended_at, sort_name)
    SELECT gen_random_uuid(), 1, 'n' || n, 'n' || n, 'n' || n, 'n' || n, true, n, CASE WHEN n % 2 = 0 THEN 1 END, 'n' || n
    FROM generate_series(1, 100000) AS n;
    ANALYZE sessions";

async fn every_page_of_the_list_is_found_in_order(store: &Store) {
    let backend = store.backend();
    let explain = if backend == DbBackend::Sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
    let id = SessionId(uuid::Uuid::nil());
    for (place, index) in [
        (Place::Name("n7".to_owned(), id), "sessions_living_by_name"),
        (Place::Age(Timestamp::from_millis(7), id), "sessions_living_by_age"),
    ] {
        let query = OnlineQuery { sort_by: place.sort_by(), after: Some(place), most: 100 };
        let mut statement = page_of(living(), query).build(backend);
        statement.sql = format!("{explain} {}", statement.sql);
        let rows = store.read.query_all_raw(statement).await.expect("a plan");
        let line = |row: &sea_orm::QueryResult| match backend {
            DbBackend::Sqlite => row.try_get::<String>("", "detail"),
            _ => row.try_get_by_index::<String>(0),
        };
        let plan = rows.iter().map(|row| line(row).expect("a text")).collect::<Vec<_>>().join("\n");
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("Sort") && !plan.contains("B-TREE"), "{plan}");
    }
}

#[tokio::test]
async fn a_file_has_every_page_of_the_list_in_order_in_an_index() {
    let (store, _folder) = sqlite().await;
    every_page_of_the_list_is_found_in_order(&store).await;
}

#[tokio::test]
async fn a_server_has_every_page_of_the_list_in_order_in_an_index() {
    let server = Postgres::start().await;
    let url = server.fresh_database().await;
    let store = open(&at(&url, Durability::Full)).await;
    server.try_psql(&url, CROWD).await.expect("a crowd");
    every_page_of_the_list_is_found_in_order(&store).await;
}
